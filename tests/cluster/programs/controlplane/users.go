package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
)

// administrator may do everything, whatever the rules say.
const administrator = "administrator"

// Users are those whom the API servers know, each with its token. Except for the administrator they may do only what
// RBAC objects allow them.
type Users map[string]string

// newUsers gives the administrator and the users of a list, separated by commas, fresh tokens.
func newUsers(names string) Users {
	users := Users{administrator: secret()}
	for _, name := range strings.Split(names, ",") {
		if name != "" {
			users[name] = secret()
		}
	}
	return users
}

// write makes the file of --token-auth-file.
func (u Users) write(path string) error {
	var lines strings.Builder
	for name, token := range u {
		group := ""
		if name == administrator {
			group = "system:masters"
		}
		fmt.Fprintf(&lines, "%s,%s,%s,%q\n", token, name, name, group)
	}
	return os.WriteFile(path, []byte(lines.String()), 0o600)
}

// secret gives a random token or password.
func secret() string {
	bytes := make([]byte, 18)
	_, _ = rand.Read(bytes)
	return base64.RawURLEncoding.EncodeToString(bytes)
}
