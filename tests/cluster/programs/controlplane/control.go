package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// Controllers starts and stops the Flux controllers by name: reflector and automation; source and kustomize, whose
// programs come with the request.
type Controllers struct {
	folder     string
	kubeconfig string
	programs   map[string]string
	children   *Children

	mutex   sync.Mutex
	starts  int
	running map[string]*Child
}

// startedWith is how a controller is started: with flags, and with another program or API server than those of its name.
type startedWith struct {
	Flags      []string `json:"flags"`
	Program    string   `json:"program"`
	Kubeconfig string   `json:"kubeconfig"`
}

// serveControl answers POST /NAME/start with {"flags": ["--...", ...], "program": "PATH", "kubeconfig": "PATH"} once the
// controller is ready (one that runs is stopped before), and POST /NAME/stop once it has ended. POST /clusters/NAME/start
// answers with the addresses of an API server, POST /registries/NAME/start with {"config": {...}, "files": {"NAME":
// "CONTENT"}}, asked once for each name, with the address of a registry, POST /forge/start with {"program": "PATH", "files":
// "FOLDER"}, asked once, with those of the forge.
func serveControl(
	controllers *Controllers, clusters *Clusters, registries *Registries,
	startForge func(program, files string) (ForgeAddresses, error),
) (string, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{name}/start", func(writer http.ResponseWriter, request *http.Request) {
		var asked startedWith
		err := json.NewDecoder(request.Body).Decode(&asked)
		if err == nil {
			err = controllers.start(request.PathValue("name"), asked)
		}
		answer(writer, struct{}{}, err)
	})
	mux.HandleFunc("POST /{name}/stop", func(writer http.ResponseWriter, request *http.Request) {
		controllers.mutex.Lock()
		defer controllers.mutex.Unlock()
		controllers.stop(request.PathValue("name"))
		answer(writer, struct{}{}, nil)
	})
	mux.HandleFunc("POST /clusters/{name}/start", func(writer http.ResponseWriter, request *http.Request) {
		addresses, err := clusters.start(request.PathValue("name"))
		answer(writer, addresses, err)
	})
	mux.HandleFunc("POST /registries/{name}/start", func(writer http.ResponseWriter, request *http.Request) {
		var asked struct {
			Config map[string]any    `json:"config"`
			Files  map[string]string `json:"files"`
		}
		err := json.NewDecoder(request.Body).Decode(&asked)
		var address RegistryAddress
		if err == nil {
			address, err = registries.start(request.PathValue("name"), asked.Config, asked.Files)
		}
		answer(writer, address, err)
	})
	mux.HandleFunc("POST /forge/start", func(writer http.ResponseWriter, request *http.Request) {
		var asked struct {
			Program string `json:"program"`
			Files   string `json:"files"`
		}
		err := json.NewDecoder(request.Body).Decode(&asked)
		var addresses ForgeAddresses
		if err == nil {
			addresses, err = startForge(asked.Program, asked.Files)
		}
		answer(writer, addresses, err)
	})
	return serve(mux)
}

func answer(writer http.ResponseWriter, value any, err error) {
	if err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(writer).Encode(value)
}

func (c *Controllers) start(name string, asked startedWith) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	program, kubeconfig := c.programs[name], c.kubeconfig
	if asked.Program != "" {
		program = asked.Program
	}
	if asked.Kubeconfig != "" {
		kubeconfig = asked.Kubeconfig
	}
	if program == "" {
		return errors.New("no such controller: " + name)
	}
	c.stop(name)
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	c.starts++
	folder := fmt.Sprintf("%s/%s-%d", c.folder, name, c.starts)
	if err := errors.Join(os.MkdirAll(folder+"/data", 0o755), os.MkdirAll(folder+"/tmp", 0o755)); err != nil {
		return err
	}
	health := fmt.Sprintf("127.0.0.1:%d", ports[1])
	arguments := []string{
		fmt.Sprintf("--metrics-addr=127.0.0.1:%d", ports[0]), "--health-addr=" + health,
		"--watch-all-namespaces",
	}
	switch name {
	case "reflector":
		arguments = append(arguments, "--storage-path="+folder+"/data")
	case "source":
		storage := fmt.Sprintf("127.0.0.1:%d", ports[2])
		arguments = append(arguments,
			"--storage-path="+folder+"/data", "--storage-addr="+storage, "--storage-adv-addr="+storage)
	}
	environment := []string{"KUBECONFIG=" + kubeconfig, "RUNTIME_NAMESPACE=flux-system", "TMPDIR=" + folder + "/tmp"}
	child, err := c.children.start(name, program, environment, append(arguments, asked.Flags...)...)
	if err != nil {
		return err
	}
	c.running[name] = child
	return child.untilReady(http.DefaultClient, "http://"+health+"/readyz", time.Minute)
}

// stop ends a controller if it runs; the caller holds the mutex.
func (c *Controllers) stop(name string) {
	if child := c.running[name]; child != nil {
		c.children.end(child)
		delete(c.running, name)
	}
}
