package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// githubApp is the app of a GitHub whose API is below /github of the git server. It is installed as 7 at the organization
// "team" and as 8 at the user "some-one"; 9 answers as GitHub does on bad days.
type githubApp struct{ key *rsa.PrivateKey }

const githubAppID = "5"

func newGithubApp() (githubApp, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return githubApp{key: key}, err
}

// keys gives the app's key in both of its forms, and a key of somebody else, PEM.
func (a githubApp) keys() (pkcs1, pkcs8, other string, err error) {
	encoded := func(kind string, bytes []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	marshalled, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return "", "", "", err
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", "", "", err
	}
	return encoded("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(a.key)), encoded("PRIVATE KEY", marshalled),
		encoded("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(stranger)), nil
}

func (s *gitServer) github(writer http.ResponseWriter, request *http.Request, path string) {
	said := func(status int, body any) {
		writer.Header().Set("Content-Type", "application/json")
		writer.WriteHeader(status)
		_ = json.NewEncoder(writer).Encode(body)
	}
	type fields = map[string]any
	if err := s.app.check(request.Header.Get("Authorization")); err != nil {
		said(http.StatusUnauthorized, fields{"message": err.Error(), "documentation_url": "https://docs.github.com/rest"})
		return
	}
	switch request.Method + " " + strings.TrimPrefix(path, "api/v3/") {
	case "GET orgs/team/installation":
		said(http.StatusOK, fields{"id": 7})
	case "GET users/some-one/installation":
		said(http.StatusOK, fields{"id": 8})
	case "POST app/installations/7/access_tokens", "POST app/installations/8/access_tokens":
		said(http.StatusCreated, fields{"token": s.appToken(), "expires_at": time.Now().Add(time.Hour)})
	case "POST app/installations/9/access_tokens":
		detail := fields{"resource": "Installation", "field": "permissions", "code": "invalid"}
		said(http.StatusUnprocessableEntity, fields{"message": "Validation Failed", "errors": []fields{detail}})
	case "POST app/installations/10/access_tokens":
		writer.Header().Set("X-RateLimit-Remaining", "0")
		writer.Header().Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Add(725*time.Second).Unix()))
		said(http.StatusForbidden, fields{"message": "API rate limit exceeded"})
	case "POST app/installations/11/access_tokens":
		http.Error(writer, "<html>bad gateway</html>", http.StatusBadGateway)
	case "POST app/installations/12/access_tokens":
		said(http.StatusAccepted, fields{})
	default:
		said(http.StatusNotFound, fields{"message": "Not Found"})
	}
}

// appToken is what logs in to git as "x-access-token".
func (s *gitServer) appToken() string { return "ghs_" + s.login.Password }

// check looks at the proof of a request as GitHub does.
func (a githubApp) check(authorization string) error {
	undecodable := fmt.Errorf("A JSON web token could not be decoded")
	proof, found := strings.CutPrefix(authorization, "Bearer ")
	parts := strings.Split(proof, ".")
	if !found || len(parts) != 3 {
		return undecodable
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return undecodable
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&a.key.PublicKey, crypto.SHA256, sum[:], signature) != nil {
		return undecodable
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return undecodable
	}
	var claims struct {
		Issuer string `json:"iss"`
		From   int64  `json:"iat"`
		Until  int64  `json:"exp"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return undecodable
	}
	now := time.Now().Unix()
	switch {
	case claims.Issuer != githubAppID:
		return fmt.Errorf("Integration not found")
	case claims.From > now || claims.Until < now || claims.Until-claims.From > 600:
		return fmt.Errorf("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	}
	return nil
}
