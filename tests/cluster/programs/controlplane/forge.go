package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// ForgeAddresses is how the git forge is reached.
type ForgeAddresses struct {
	// Login is its http server and its administrator.
	Login
	// SSH is HOST:PORT of its ssh server.
	SSH string `json:"ssh"`
	// HostKeys are the ssh server's public keys, each as TYPE BASE64.
	HostKeys []string `json:"hostKeys"`
	// Repositories is the folder of the bare repositories: OWNER/NAME.git.
	Repositories string `json:"repositories"`
}

// startForge runs Gitea in folder, with an administrator and no other account. files is its module's folder, which holds
// what the binary reads besides its configuration.
func startForge(folder, program, files string, children *Children) (ForgeAddresses, error) {
	ports, err := freePorts(2)
	if err != nil {
		return ForgeAddresses{}, err
	}
	forge := ForgeAddresses{
		Login:        Login{Address: fmt.Sprintf("127.0.0.1:%d", ports[0]), User: administrator, Password: secret()},
		SSH:          fmt.Sprintf("127.0.0.1:%d", ports[1]),
		Repositories: folder + "/repositories",
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return ForgeAddresses{}, err
	}
	if forge.HostKeys, err = writeHostKeys(folder); err != nil {
		return ForgeAddresses{}, err
	}
	config := fmt.Sprintf(`I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = %[1]s
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = %[2]d
ROOT_URL = http://127.0.0.1:%[2]d/
STATIC_ROOT_PATH = %[4]s
START_SSH_SERVER = true
SSH_DOMAIN = 127.0.0.1
SSH_PORT = %[3]d
SSH_LISTEN_HOST = 127.0.0.1
SSH_LISTEN_PORT = %[3]d
SSH_SERVER_HOST_KEYS = %[1]s/host.ed25519, %[1]s/host.ecdsa
BUILTIN_SSH_SERVER_USER = git
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = %[1]s/database
[security]
INSTALL_LOCK = true
; Every request of git comes with a password: a quick check keeps the tests quick.
PASSWORD_HASH_ALGO = pbkdf2$1000$50
[repository]
ROOT = %[1]s/repositories
[service]
DISABLE_REGISTRATION = true
[actions]
ENABLED = false
[packages]
ENABLED = false
[log]
LEVEL = warn
`, folder, ports[0], ports[1], files)
	path := folder + "/app.ini"
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return ForgeAddresses{}, err
	}
	if err := children.run("forge", program, "migrate", "--config", path); err != nil {
		return ForgeAddresses{}, err
	}
	if err := children.run("forge", program, "admin", "user", "create", "--admin", "--config", path,
		"--username="+forge.User, "--password="+forge.Password, "--email="+forge.User+"@example.com"); err != nil {
		return ForgeAddresses{}, err
	}
	gitea, err := children.start("forge", program, nil, "web", "--config", path)
	if err != nil {
		return ForgeAddresses{}, err
	}
	return forge, gitea.untilReady(http.DefaultClient, "http://"+forge.Address+"/api/healthz", time.Minute)
}

// writeHostKeys makes the ssh server's keys, of two types, and gives their public halves.
func writeHostKeys(folder string) ([]string, error) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	var lines []string
	for name, key := range map[string]any{"host.ed25519": edwards, "host.ecdsa": elliptic} {
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			return nil, err
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return nil, err
		}
		lines = append(lines, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))))
	}
	return lines, nil
}
