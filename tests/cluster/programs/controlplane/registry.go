package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
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
