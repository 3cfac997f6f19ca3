package main

import (
	"bytes"
	"compress/gzip"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
)

// serveGit serves the bare repositories in folder by git's own CGI program, to one account.
func serveGit(folder string) (Login, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return Login{}, err
	}
	git, err := exec.LookPath("git")
	if err != nil {
		return Login{}, errors.New("git is needed and isn't on PATH: install git")
	}
	login := Login{User: "fluxcdbot", Password: secret()}
	login.Address, err = serve(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		user, password, _ := request.BasicAuth()
		if user != login.User || subtle.ConstantTimeCompare([]byte(password), []byte(login.Password)) != 1 {
			writer.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(writer, "who are you?", http.StatusUnauthorized)
			return
		}
		if err := withWholeBody(request); err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
		handler := cgi.Handler{
			Path: git,
			Args: []string{"http-backend"},
			Env: []string{
				"GIT_PROJECT_ROOT=" + folder, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + user,
				"GIT_PROTOCOL=" + request.Header.Get("Git-Protocol"),
				"GIT_CONFIG_NOSYSTEM=1", "HOME=" + folder,
			},
		}
		handler.ServeHTTP(writer, request)
	}))
	return login, err
}

// withWholeBody reads a chunked or compressed body to its end: a CGI program wants its length.
func withWholeBody(request *http.Request) error {
	var body io.Reader = request.Body
	if request.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = unpacked
		request.Header.Del("Content-Encoding")
	}
	whole, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	request.Body = io.NopCloser(bytes.NewReader(whole))
	request.ContentLength = int64(len(whole))
	request.TransferEncoding = nil
	return nil
}
