package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// startRegistry runs an OCI registry that wants a login for everything.
func startRegistry(folder, program string, children *Children) (Login, error) {
	ports, err := freePorts(1)
	if err != nil {
		return Login{}, err
	}
	login := Login{Address: fmt.Sprintf("127.0.0.1:%d", ports[0]), User: "puller", Password: secret()}
	hash, err := bcrypt.GenerateFromPassword([]byte(login.Password), bcrypt.MinCost)
	if err != nil {
		return Login{}, err
	}
	config := fmt.Sprintf(`version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: true}
http: {addr: %q}
auth:
  htpasswd: {realm: test, path: %q}
`, folder+"/data", login.Address, folder+"/htpasswd")
	err = errors.Join(
		os.MkdirAll(folder+"/data", 0o700),
		os.WriteFile(folder+"/htpasswd", []byte(login.User+":"+string(hash)+"\n"), 0o600),
		os.WriteFile(folder+"/config.yml", []byte(config), 0o600),
	)
	if err != nil {
		return Login{}, err
	}
	registry, err := children.start("registry", program, []string{"OTEL_TRACES_EXPORTER=none"}, "serve", folder+"/config.yml")
	if err != nil {
		return Login{}, err
	}
	return login, registry.untilReady(http.DefaultClient, "http://"+login.Address+"/v2/", time.Minute)
}

// Registries starts OCI registries besides the usual one, each configured by who asks for it.
type Registries struct {
	folder   string
	program  string
	children *Children
}

// RegistryAddress is where a registry is.
type RegistryAddress struct {
	Address string `json:"address"`
	// Data is the folder that it stores everything in.
	Data string `json:"data"`
}

// start runs a registry with parts of a configuration (auth, http.tls); "{folder}" in them is the folder of files.
func (r *Registries) start(name string, parts map[string]any, files map[string]string) (RegistryAddress, error) {
	folder := filepath.Join(r.folder, filepath.Base(name))
	ports, err := freePorts(1)
	if err != nil {
		return RegistryAddress{}, err
	}
	at := RegistryAddress{Address: fmt.Sprintf("127.0.0.1:%d", ports[0]), Data: folder + "/data"}
	config := map[string]any{
		"version": "0.1",
		"log":     map[string]any{"level": "warn"},
		"storage": map[string]any{"filesystem": map[string]any{"rootdirectory": at.Data}},
	}
	for part, value := range parts {
		config[part] = value
	}
	server, _ := config["http"].(map[string]any)
	if server == nil {
		server = map[string]any{}
	}
	server["addr"] = at.Address
	config["http"] = server
	// JSON is YAML.
	text, err := json.Marshal(config)
	if err == nil {
		err = os.MkdirAll(at.Data, 0o700)
	}
	for file, content := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(folder, filepath.Base(file)), []byte(content), 0o600))
	}
	written := strings.ReplaceAll(string(text), "{folder}", folder)
	err = errors.Join(err, os.WriteFile(folder+"/config.yml", []byte(written), 0o600))
	if err != nil {
		return RegistryAddress{}, err
	}
	child, err := r.children.start("registry-"+name, r.program, []string{"OTEL_TRACES_EXPORTER=none"}, "serve", folder+"/config.yml")
	if err != nil {
		return RegistryAddress{}, err
	}
	return at, child.untilListening(at.Address, time.Minute)
}

// untilListening waits until somebody listens at the address, whatever they speak.
func (child *Child) untilListening(address string, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return connection.Close()
		}
		select {
		case <-child.exited:
			return fmt.Errorf("%s ended before it was ready:\n%s", child.name, child.tail())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s isn't ready after %s (%v):\n%s", child.name, limit, err, child.tail())
		}
	}
}
