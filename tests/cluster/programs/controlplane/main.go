// Command controlplane starts a Kubernetes API server, the two Flux image controllers, an OCI registry, a git server
// and a server of made-up tag lists on free loopback ports, and prints one line of JSON with their addresses. Further
// API servers and a git forge start when they are asked for.
//
// It lives as long as its standard input: when that closes, however the process at the other end came to its end, or
// when it is interrupted, it ends every process that it started and deletes its folder.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// Programs are the paths of the binaries to run.
type Programs struct {
	Etcd, APIServer, Registry, Reflector, Automation string
}

// Addresses is what the ready line tells: every server is plain http on a loopback address.
type Addresses struct {
	Logs    string           `json:"logs"`
	Cluster ClusterAddresses `json:"cluster"`
	// Control starts and stops the controllers, and starts what only some tests need.
	Control  string `json:"control"`
	Registry Login  `json:"registry"`
	Git      Login  `json:"git"`
	// GitFolder holds the bare repositories that the git server serves.
	GitFolder string `json:"gitFolder"`
	TagLists  string `json:"tagLists"`
}

// ClusterAddresses is how an API server is reached.
type ClusterAddresses struct {
	// API is a plain http proxy to it that adds the administrator's token to a request that has none.
	API string `json:"api"`
	// Server is its own https address.
	Server string `json:"server"`
	// Authority is the path of its certificate authority.
	Authority string `json:"authority"`
	// Kubeconfigs is the folder of the kubeconfigs, one for each user, called as the user.
	Kubeconfigs string `json:"kubeconfigs"`
	// Tokens are the users' bearer tokens.
	Tokens Users `json:"tokens"`
}

// Login is a server's HOST:PORT and the one account that it knows.
type Login struct {
	Address  string `json:"address"`
	User     string `json:"user"`
	Password string `json:"password"`
}

func main() {
	var programs Programs
	var users string
	flag.StringVar(&programs.Etcd, "etcd", "", "path of etcd")
	flag.StringVar(&programs.APIServer, "apiserver", "", "path of kube-apiserver")
	flag.StringVar(&programs.Registry, "registry", "", "path of the distribution registry")
	flag.StringVar(&programs.Reflector, "reflector", "", "path of image-reflector-controller")
	flag.StringVar(&programs.Automation, "automation", "", "path of image-automation-controller")
	flag.StringVar(&users, "users", "", "users of the API servers besides the administrator, separated by commas")
	flag.Parse()
	if err := run(programs, newUsers(users)); err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
}

func run(programs Programs, users Users) (err error) {
	ended := endOfLife()
	folder, err := os.MkdirTemp("", "imageauto-control-plane-")
	if err != nil {
		return err
	}
	children := newChildren(folder + "/logs")
	defer func() {
		children.endAll()
		err = errors.Join(err, os.RemoveAll(folder))
	}()

	started := make(chan error, 1)
	go func() {
		addresses, err := startAll(folder, programs, users, children)
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(addresses)
		}
		started <- err
	}()
	select {
	case err := <-started:
		if err != nil {
			return err
		}
	case <-ended:
		return nil
	}
	<-ended
	return nil
}

// endOfLife gives a channel that is closed when standard input ends or a signal asks us to end.
func endOfLife() <-chan struct{} {
	ended := make(chan struct{})
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	input := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(input)
	}()
	go func() {
		select {
		case <-signals:
		case <-input:
		}
		close(ended)
	}()
	return ended
}

func startAll(folder string, programs Programs, users Users, children *Children) (Addresses, error) {
	registry, err := startRegistry(folder+"/registry", programs.Registry, children)
	if err != nil {
		return Addresses{}, err
	}
	clusters, err := newClusters(folder+"/clusters", programs, users, children)
	if err != nil {
		return Addresses{}, err
	}
	cluster, err := clusters.start("main")
	if err != nil {
		return Addresses{}, err
	}
	gitFolder := folder + "/git"
	git, err := serveGit(gitFolder)
	if err != nil {
		return Addresses{}, err
	}
	tagLists, err := serveTagLists()
	if err != nil {
		return Addresses{}, err
	}
	controllers := &Controllers{
		folder:     folder + "/controllers",
		kubeconfig: filepath.Join(cluster.Kubeconfigs, administrator),
		programs:   map[string]string{"reflector": programs.Reflector, "automation": programs.Automation},
		running:    map[string]*Child{},
		children:   children,
	}
	registries := &Registries{folder: folder + "/registries", program: programs.Registry, children: children}
	control, err := serveControl(controllers, clusters, registries, func(program, files string) (ForgeAddresses, error) {
		return startForge(folder+"/forge", program, files, children)
	})
	if err != nil {
		return Addresses{}, err
	}
	return Addresses{
		Logs: folder + "/logs", Cluster: cluster, Control: control,
		Registry: registry, Git: git, GitFolder: gitFolder, TagLists: tagLists,
	}, nil
}
