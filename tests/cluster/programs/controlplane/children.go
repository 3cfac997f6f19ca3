package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Children are the processes that were started, and the one place that starts and ends them.
type Children struct {
	logs     string
	requests chan startRequest

	mutex  sync.Mutex
	list   []*Child
	ending bool
}

// Child is a running process.
type Child struct {
	name   string
	log    string
	cmd    *exec.Cmd
	exited chan struct{}
	// asked is set when its end is no surprise, as before we end it ourselves; guarded by the mutex of Children.
	asked bool
}

type startRequest struct {
	cmd    *exec.Cmd
	answer chan error
}

func newChildren(logs string) *Children {
	children := &Children{logs: logs, requests: make(chan startRequest)}
	go children.startOnOneThread()
	return children
}

// startOnOneThread forks every child from one thread that never ends: the kernel sends the parent-death signal when
// the thread that forked ends, not when the process does.
func (c *Children) startOnOneThread() {
	runtime.LockOSThread()
	for request := range c.requests {
		request.answer <- request.cmd.Start()
	}
}

// start runs a program with its output in a log of its own. extra is added to a small environment.
func (c *Children) start(name, path string, extra []string, arguments ...string) (*Child, error) {
	return c.launch(&Child{name: name}, path, extra, arguments)
}

// run is start for a program that comes to an end, which must be a success.
func (c *Children) run(name, path string, arguments ...string) error {
	child, err := c.launch(&Child{name: name, asked: true}, path, nil, arguments)
	if err != nil {
		return err
	}
	<-child.exited
	if state := child.cmd.ProcessState; !state.Success() {
		return fmt.Errorf("%s %s: %s\n%s", name, arguments[0], state, child.tail())
	}
	return nil
}

func (c *Children) launch(child *Child, path string, extra, arguments []string) (*Child, error) {
	if err := os.MkdirAll(c.logs, 0o755); err != nil {
		return nil, err
	}
	child.log = filepath.Join(c.logs, child.name+".log")
	output, err := os.OpenFile(child.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer output.Close()

	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.ending {
		return nil, errors.New("the control plane is ending")
	}
	cmd := exec.Command(path, arguments...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.logs, "TZ=UTC"}, extra...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = attributesOfChild()
	answer := make(chan error)
	c.requests <- startRequest{cmd, answer}
	if err := <-answer; err != nil {
		return nil, err
	}
	child.cmd, child.exited = cmd, make(chan struct{})
	c.list = append(c.list, child)
	go c.wait(child)
	return child, nil
}

// wait reaps a child and tells on stderr when it ended without being asked to.
func (c *Children) wait(child *Child) {
	err := child.cmd.Wait()
	c.mutex.Lock()
	asked := child.asked
	c.mutex.Unlock()
	close(child.exited)
	if !asked {
		fmt.Fprintf(os.Stderr, "controlplane: %s ended by itself: %v\n%s\n", child.name, err, child.tail())
	}
}

// end asks a child to end, and kills it when it doesn't within ten seconds.
func (c *Children) end(child *Child) {
	c.mutex.Lock()
	child.asked = true
	c.mutex.Unlock()
	_ = child.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-child.exited:
	case <-time.After(10 * time.Second):
		child.kill()
		<-child.exited
	}
}

// endAll kills what runs: nothing of it outlives the folder, so nothing needs an orderly end.
func (c *Children) endAll() {
	c.mutex.Lock()
	c.ending = true
	for _, child := range c.list {
		child.asked = true
		child.kill()
	}
	list := c.list
	c.mutex.Unlock()
	for _, child := range list {
		<-child.exited
	}
}

// kill kills a child that still runs, with the processes that it started.
func (child *Child) kill() {
	select {
	case <-child.exited:
	default:
		_ = syscall.Kill(-child.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// untilReady polls url until it answers 200 (or 401, for a server that wants a login), the child ends or time is up.
func (child *Child) untilReady(client *http.Client, url string, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		answer, err := client.Get(url)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusUnauthorized {
				return nil
			}
			err = errors.New(answer.Status)
		}
		select {
		case <-child.exited:
			return fmt.Errorf("%s ended before it was ready:\n%s", child.name, child.tail())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s isn't ready after %s (%v):\n%s", child.name, limit, err, child.tail())
		}
	}
}

// tail is the end of a child's log.
func (child *Child) tail() string {
	text, err := os.ReadFile(child.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// freePorts gives ports that nobody listens on at the moment, all different.
func freePorts(count int) ([]int, error) {
	ports := make([]int, 0, count)
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// serve answers on a free loopback port for as long as the process lives, and gives HOST:PORT.
func serve(handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		if err := http.Serve(listener, handler); err != nil {
			fmt.Fprintln(os.Stderr, "controlplane:", err)
		}
	}()
	return listener.Addr().String(), nil
}
