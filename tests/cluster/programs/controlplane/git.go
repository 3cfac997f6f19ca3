package main

import (
	"bytes"
	"compress/gzip"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// serveGit serves the bare repositories in folder by git's own CGI program, to one account.
//
// The first part of a path may name another behaviour: /open/R.git is served to everybody, /bearer/R.git to the password
// as a bearer token, /answers/CODE/… is refused with that status and a text, /pages/CODE/… with a page of HTML,
// /moved/… is redirected to the path behind it, /elsewhere/… to the same path on another port, /looping/… to itself,
// /slow/… never answers, and /github/… is the API of a GitHub, whose tokens log in besides. GET /_doors tells the other ports, and /_elsewhere what was asked of that one.
func serveGit(folder string) (Login, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return Login{}, err
	}
	program, err := exec.LookPath("git")
	if err != nil {
		return Login{}, errors.New("git is needed and isn't on PATH: install git")
	}
	server := &gitServer{folder: folder, program: program, login: Login{User: "fluxcdbot", Password: secret()}}
	if server.other, err = serve(http.HandlerFunc(server.elsewhere)); err != nil {
		return Login{}, err
	}
	if server.app, err = newGithubApp(); err != nil {
		return Login{}, err
	}
	if server.doors, err = server.openSecureDoors(); err != nil {
		return Login{}, err
	}
	server.login.Address, err = serve(server)
	return server.login, err
}

type gitServer struct {
	folder, program string
	login           Login
	doors           secureDoors
	app             githubApp

	other string
	mutex sync.Mutex
	asked []askedElsewhere
}

// askedElsewhere is a request that followed a redirect to another port.
type askedElsewhere struct {
	Path          string `json:"path"`
	Authorization bool   `json:"authorization"`
}

func (s *gitServer) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
	behind := func(path string) string { return path + query(request) }
	switch first {
	case "_doors":
		_ = json.NewEncoder(writer).Encode(s.doors)
	case "_elsewhere":
		s.mutex.Lock()
		defer s.mutex.Unlock()
		_ = json.NewEncoder(writer).Encode(s.asked)
	case "answers", "pages":
		code, _, _ := strings.Cut(rest, "/")
		refuse(writer, first == "pages", code)
	case "moved":
		http.Redirect(writer, request, behind("/"+rest), http.StatusMovedPermanently)
	case "elsewhere":
		http.Redirect(writer, request, "http://"+s.other+behind("/"+rest), http.StatusFound)
	case "looping":
		http.Redirect(writer, request, behind(request.URL.Path), http.StatusFound)
	case "slow":
		<-request.Context().Done()
	case "github":
		s.github(writer, request, rest)
	case "open":
		s.backend(writer, request, "/"+rest, "")
	case "bearer":
		if !same(request.Header.Get("Authorization"), "Bearer "+s.login.Password) {
			http.Error(writer, "which token?", http.StatusUnauthorized)
			return
		}
		s.backend(writer, request, "/"+rest, "bearer")
	default:
		user, password, _ := request.BasicAuth()
		isApp := user == "x-access-token" && same(password, s.appToken())
		if !isApp && (user != s.login.User || !same(password, s.login.Password)) {
			writer.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(writer, "who are you?", http.StatusUnauthorized)
			return
		}
		s.backend(writer, request, request.URL.Path, user)
	}
}

// elsewhere is the other port: it notes what is asked and serves everybody.
func (s *gitServer) elsewhere(writer http.ResponseWriter, request *http.Request) {
	s.mutex.Lock()
	s.asked = append(s.asked, askedElsewhere{
		Path: request.URL.Path, Authorization: request.Header.Get("Authorization") != "",
	})
	s.mutex.Unlock()
	s.backend(writer, request, request.URL.Path, "")
}

func (s *gitServer) backend(writer http.ResponseWriter, request *http.Request, path, user string) {
	if err := withWholeBody(request); err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	request = request.Clone(request.Context())
	request.URL.Path = path
	handler := cgi.Handler{
		Path: s.program,
		Args: []string{"http-backend"},
		Env: []string{
			"GIT_PROJECT_ROOT=" + s.folder, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + user,
			"GIT_PROTOCOL=" + request.Header.Get("Git-Protocol"),
			"GIT_CONFIG_NOSYSTEM=1", "HOME=" + s.folder,
		},
		// Many tests make it fail.
		Stderr: io.Discard,
	}
	handler.ServeHTTP(writer, request)
}

func refuse(writer http.ResponseWriter, page bool, code string) {
	status, err := strconv.Atoi(code)
	if err != nil {
		status = http.StatusTeapot
	}
	if !page {
		http.Error(writer, fmt.Sprintf("the server says %d.\nAsk somebody else, ça va?", status), status)
		return
	}
	writer.Header().Set("Content-Type", "text/html; charset=utf-8")
	writer.WriteHeader(status)
	fmt.Fprintf(writer, "<html>\n<h1>%d</h1>\n</html>\n", status)
}

func same(given, expected string) bool {
	return subtle.ConstantTimeCompare([]byte(given), []byte(expected)) == 1
}

func query(request *http.Request) string {
	if request.URL.RawQuery == "" {
		return ""
	}
	return "?" + request.URL.RawQuery
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
