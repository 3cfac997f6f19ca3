package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/kio/kioutil"
)

// rewriteTree rewrites the files of a folder, each on its own, and prints the paths of those that change.
func rewriteTree(root, policiesFile string) error {
	var policies []policy
	text, err := os.ReadFile(policiesFile)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &policies); err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	r := newRun(policies)
	err = filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		if extension := filepath.Ext(path); extension != ".yaml" && extension != ".yml" && filepath.Base(path) != "Kustomization" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte(screen)) {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		changed, err := r.rewriteOne(file{relative, text})
		if changed {
			fmt.Fprintln(out, relative)
		}
		return err
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// rewriteOne tells whether a file changes, and makes its new text.
func (r *run) rewriteOne(f file) (bool, error) {
	nodes, err := read(f)
	if err != nil {
		return false, nil
	}
	r.changed = map[string]bool{}
	var text bytes.Buffer
	err = kio.Pipeline{
		Inputs:  []kio.Reader{given(nodes)},
		Filters: []kio.Filter{kio.FilterFunc(r.setAll)},
		Outputs: []kio.Writer{kio.ByteWriter{
			Writer:           &text,
			ClearAnnotations: []string{kioutil.PathAnnotation, kioutil.LegacyPathAnnotation},
		}},
	}.Execute()
	return text.Len() > 0, err
}
