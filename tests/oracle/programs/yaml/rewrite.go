package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/fieldmeta"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/kio/kioutil"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

const (
	extensionKey = "x-k8s-cli"
	screen       = `"$imagepolicy"`
)

// run is one run: the setters as the definitions of a schema, and what came of it.
type run struct {
	schema   spec.Schema
	known    map[string]bool
	changes  [][8]string
	problems []string
	changed  map[string]bool
}

func newRun(policies []policy) *run {
	r := &run{known: map[string]bool{}, changed: map[string]bool{}}
	r.schema.Definitions = spec.Definitions{}
	for _, p := range policies {
		image := p.Image + ":" + p.Tag
		if p.Digest != "" {
			image += "@" + p.Digest
		}
		for suffix, value := range map[string]string{"": image, ":tag": p.Tag, ":name": p.Image, ":digest": p.Digest} {
			name := p.Namespace + ":" + p.Name + suffix
			definition := spec.StringProperty()
			definition.Extensions = spec.Extensions{
				extensionKey: map[string]any{"setter": map[string]string{"name": name, "value": value}},
			}
			r.schema.Definitions[fieldmeta.SetterDefinitionPrefix+name] = *definition
			r.known[name] = true
		}
	}
	return r
}

func read(f file) ([]*yaml.RNode, error) {
	return (&kio.ByteReader{
		Reader:            bytes.NewReader(f.Bytes),
		SetAnnotations:    map[string]string{kioutil.PathAnnotation: f.Path},
		PreserveSeqIndent: true,
	}).Read()
}

// roundTrip writes a file as it is written where something changes in it.
func (r *run) roundTrip(f file) ([]byte, error) {
	nodes, err := read(f)
	if err != nil || len(nodes) == 0 {
		return f.Bytes, err
	}
	var text bytes.Buffer
	all := kio.FilterFunc(func(nodes []*yaml.RNode) ([]*yaml.RNode, error) { return nodes, nil })
	err = kio.Pipeline{
		Inputs:  []kio.Reader{given(nodes)},
		Filters: []kio.Filter{all},
		Outputs: []kio.Writer{kio.ByteWriter{
			Writer:           &text,
			ClearAnnotations: []string{kioutil.PathAnnotation, kioutil.LegacyPathAnnotation},
		}},
	}.Execute()
	return text.Bytes(), err
}

type given []*yaml.RNode

func (g given) Read() ([]*yaml.RNode, error) { return g, nil }

// process is a whole run over the files, in a folder of their own; the answer is what it writes.
func (r *run) process(files []file) ([]file, error) {
	folder, err := os.MkdirTemp("", "yaml")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	var nodes []*yaml.RNode
	for _, f := range files {
		path := filepath.Join(folder, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, f.Bytes, 0o644); err != nil {
			return nil, err
		}
		if !bytes.Contains(f.Bytes, []byte(screen)) {
			continue
		}
		read, err := read(f)
		if err != nil {
			r.problems = append(r.problems, f.Path)
			continue
		}
		nodes = append(nodes, read...)
	}
	err = kio.Pipeline{
		Inputs:  []kio.Reader{given(nodes)},
		Filters: []kio.Filter{kio.FilterFunc(r.setAll)},
		Outputs: []kio.Writer{kio.LocalPackageWriter{PackagePath: folder}},
	}.Execute()
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), folder, "/clone"))
	}
	return written(folder, files)
}

// written finds the files that are not as they were.
func written(folder string, files []file) ([]file, error) {
	before := map[string][]byte{}
	for _, f := range files {
		before[f.Path] = f.Bytes
	}
	var changed []file
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative := strings.TrimPrefix(path, folder+"/")
		if old, existed := before[relative]; !existed || !bytes.Equal(old, text) {
			changed = append(changed, file{relative, text})
		}
		return nil
	})
	sort.Slice(changed, func(i, j int) bool { return changed[i].Path < changed[j].Path })
	return changed, err
}

// setAll sets the values in all objects and hands on the objects of the files in which one changed.
func (r *run) setAll(nodes []*yaml.RNode) ([]*yaml.RNode, error) {
	for _, node := range nodes {
		path, _, err := kioutil.GetFileAnnotations(node)
		if err != nil {
			return nil, err
		}
		if err := r.visit(node, node, path); err != nil {
			return nil, err
		}
	}
	var kept []*yaml.RNode
	for _, node := range nodes {
		path, _, err := kioutil.GetFileAnnotations(node)
		if err != nil {
			return nil, err
		}
		if r.changed[path] {
			kept = append(kept, node)
		}
	}
	return kept, nil
}

// visit walks an object depth first and sets the scalars whose comment names a setter.
func (r *run) visit(object, node *yaml.RNode, path string) error {
	switch node.YNode().Kind {
	case yaml.MappingNode:
		return node.VisitFields(func(field *yaml.MapNode) error { return r.visit(object, field.Value, path) })
	case yaml.SequenceNode:
		return node.VisitElements(func(item *yaml.RNode) error { return r.visit(object, item, path) })
	case yaml.ScalarNode:
		return r.set(object, node, path)
	}
	return nil
}

func (r *run) set(object, node *yaml.RNode, path string) error {
	meta := fieldmeta.FieldMeta{SettersSchema: &r.schema}
	if meta.Read(node) != nil || meta.IsEmpty() {
		return nil
	}
	schema := meta.Schema
	if schema.Ref.String() != "" {
		if resolved, err := openapi.Resolve(&schema.Ref, &r.schema); err == nil && resolved != nil {
			schema = *resolved
		}
	}
	asked, err := extensionOf(schema)
	if err != nil || asked == nil {
		return err
	}
	field := node.YNode()
	old := field.Value
	field.Value = asked.Value
	if old != asked.Value {
		r.note(object, path, [3]string{asked.Name, old, asked.Value})
	}
	if len(schema.Type) > 0 {
		yaml.FormatNonStringStyle(field, schema)
	}
	return nil
}

func (r *run) note(object *yaml.RNode, path string, change [3]string) {
	r.changed[path] = true
	if !r.known[change[0]] {
		return
	}
	meta, err := object.GetMeta()
	if err != nil {
		return
	}
	id := meta.GetIdentifier()
	r.changes = append(r.changes, [8]string{
		path, id.APIVersion, id.Kind, id.Namespace, id.Name, change[0], change[1], change[2],
	})
}
