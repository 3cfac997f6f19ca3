// Command yaml rewrites with the libraries that the controller is built from.
//
// Without arguments it answers questions: it reads one JSON question a line,
//
//	{"op": "rt"|"run"|"folder", "files": [{"path", "bytes"}], "policies": [{"namespace", "name", "image", "tag", "digest"}],
//	 "folder": PATH, "below": PATH}
//
// where bytes are base64, and writes one JSON answer a line,
//
//	{"files": [{"path", "bytes"}], "changes": [[FILE, APIVERSION, KIND, NAMESPACE, NAME, SETTER, OLD, NEW]],
//	 "problems": [PATH], "error": TEXT, "panic": TEXT}
//
// "rt" reads and writes the one file; "run" is a whole run over the files, which are given in the order of the walk, and answers
// with the files that are written. "folder" is a whole run over what stands in a folder below a path of it, and changes its files.
//
// With the arguments FOLDER POLICIES, a file of JSON, it walks the folder, rewrites file by file, and prints the paths of the files
// that change, writing nothing: what the benches compare with.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"sigs.k8s.io/kustomize/kyaml/fieldmeta"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

type policy struct {
	Namespace, Name, Image, Tag, Digest string
}

type file struct {
	Path  string `json:"path"`
	Bytes []byte `json:"bytes"`
}

type question struct {
	Op       string
	Files    []file
	Policies []policy
	Folder   string
	Below    string
}

type answer struct {
	Files    []file      `json:"files"`
	Changes  [][8]string `json:"changes"`
	Problems []string    `json:"problems"`
	Error    string      `json:"error,omitempty"`
	Panic    string      `json:"panic,omitempty"`
}

func main() {
	fieldmeta.SetShortHandRef("$imagepolicy")
	openapi.SuppressBuiltInSchemaUse()
	if len(os.Args) == 3 {
		exit(rewriteTree(os.Args[1], os.Args[2]))
	}
	in := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<20))
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for in.More() {
		var asked question
		exit(in.Decode(&asked))
		exit(encoder.Encode(reply(asked)))
		exit(out.Flush())
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func reply(asked question) (given answer) {
	defer func() {
		if failed := recover(); failed != nil {
			given = answer{Panic: fmt.Sprint(failed)}
		}
	}()
	run := newRun(asked.Policies)
	if asked.Op == "rt" {
		written, err := run.roundTrip(asked.Files[0])
		if err != nil {
			given.Error = err.Error()
		}
		given.Files = []file{{asked.Files[0].Path, written}}
		return given
	}
	if asked.Op == "folder" {
		if err := run.inFolder(asked.Folder, asked.Below); err != nil {
			return answer{Error: err.Error(), Problems: run.problems}
		}
		return answer{Changes: run.changes, Problems: run.problems}
	}
	written, err := run.process(asked.Files)
	if err != nil {
		return answer{Error: err.Error(), Problems: run.problems}
	}
	return answer{Files: written, Changes: run.changes, Problems: run.problems}
}
