package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// inFolder is a run over the files below a path of a folder, which it changes.
func (r *run) inFolder(folder, below string) error {
	root := folder
	if below != "" {
		joined, err := securejoin.SecureJoin(folder, below)
		if err != nil {
			return anonymous(fmt.Errorf("failed to secure join manifest path: %w", err), folder)
		}
		root = joined
	}
	err := kio.Pipeline{
		Inputs:  []kio.Reader{reader{r, root}},
		Filters: []kio.Filter{kio.FilterFunc(r.setAll)},
		Outputs: []kio.Writer{kio.LocalPackageWriter{PackagePath: root}},
	}.Execute()
	return anonymous(err, folder)
}

// anonymous is an error that doesn't name the folder.
func anonymous(err error, folder string) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.ReplaceAll(err.Error(), folder, "<clone>"))
}

// reader finds and reads the files below a root.
type reader struct {
	run  *run
	root string
}

func (w reader) Read() ([]*yaml.RNode, error) {
	var all []*yaml.RNode
	top := w.root
	err := filepath.Walk(w.root, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return fmt.Errorf("walking path for files: %w", err)
		}
		if info.IsDir() {
			return nil
		}
		if path == w.root {
			top = filepath.Dir(path)
		}
		if extension := filepath.Ext(path); extension != ".yaml" && extension != ".yml" && filepath.Base(path) != "Kustomization" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			if info.Mode()&os.ModeSymlink != 0 {
				return nil
			}
			return fmt.Errorf("reading YAML file: %w", err)
		}
		if !bytes.Contains(text, []byte(screen)) {
			return nil
		}
		relative, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		nodes, err := read(file{relative, text})
		if err != nil {
			w.run.problems = append(w.run.problems, relative)
			return nil
		}
		all = append(all, nodes...)
		return nil
	})
	return all, err
}
