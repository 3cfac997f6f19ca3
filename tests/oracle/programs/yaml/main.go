// Command yaml answers questions about rewriting with the libraries that the controller is built from.
//
// It reads one JSON question a line: {"op": "rt"|"set", "input": TEXT, "policies": [{"namespace", "name", "image", "tag", "digest"}]}, and
// writes one JSON answer a line: {"output": TEXT, "changes": [[SETTER, OLD, NEW]], "error": TEXT}.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/fieldmeta"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/kio/kioutil"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

const fileName = "f.yaml"

type policy struct {
	Namespace, Name, Image, Tag, Digest string
}

type question struct {
	Op       string
	Input    string
	Policies []policy
}

type answer struct {
	Output  string      `json:"output"`
	Changes [][3]string `json:"changes"`
	Error   string      `json:"error,omitempty"`
}

func main() {
	fieldmeta.SetShortHandRef("$imagepolicy")
	openapi.SuppressBuiltInSchemaUse()
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	decoder := json.NewDecoder(in)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for decoder.More() {
		var asked question
		if err := decoder.Decode(&asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := encoder.Encode(reply(asked)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		out.Flush()
	}
}

func reply(asked question) (given answer) {
	given.Changes = [][3]string{}
	defer func() {
		if failed := recover(); failed != nil {
			given.Error = fmt.Sprintf("panic: %v", failed)
		}
	}()
	nodes, err := read(asked.Input)
	if err != nil {
		if asked.Op == "set" {
			// A file that can't be read is skipped.
			given.Output = asked.Input
			return given
		}
		given.Error = err.Error()
		return given
	}
	run := newSetting(asked.Policies)
	written, err := run.process(nodes, asked.Op == "rt")
	given.Changes = run.changes
	switch {
	case err != nil:
		given.Error = err.Error()
	case written == nil:
		given.Output = asked.Input
	default:
		given.Output = *written
	}
	return given
}

func read(input string) ([]*yaml.RNode, error) {
	return (&kio.ByteReader{
		Reader:            bytes.NewBufferString(input),
		SetAnnotations:    map[string]string{kioutil.PathAnnotation: fileName},
		PreserveSeqIndent: true,
	}).Read()
}

const extensionKey = "x-k8s-cli"

// setting is one run: the setters as the definitions of a schema, and what changed.
type setting struct {
	schema  spec.Schema
	known   map[string]bool
	changes [][3]string
	changed bool
}

func newSetting(policies []policy) *setting {
	run := &setting{known: map[string]bool{}}
	run.schema.Definitions = spec.Definitions{}
	for _, p := range policies {
		image := p.Image + ":" + p.Tag
		if p.Digest != "" {
			image += "@" + p.Digest
		}
		for suffix, value := range map[string]string{"": image, ":tag": p.Tag, ":name": p.Image, ":digest": p.Digest} {
			name := p.Namespace + ":" + p.Name + suffix
			definition := spec.StringProperty()
			definition.Extensions = spec.Extensions{
				extensionKey: map[string]any{"setter": map[string]any{"name": name, "value": value}},
			}
			run.schema.Definitions[fieldmeta.SetterDefinitionPrefix+name] = *definition
			run.known[name] = true
		}
	}
	return run
}

// process sets the values and writes the objects as the pipeline of kio does; nil when there is nothing to write.
func (s *setting) process(nodes []*yaml.RNode, force bool) (*string, error) {
	s.changes = [][3]string{}
	if len(nodes) == 0 {
		return nil, nil
	}
	sink := &captured{}
	filter := kio.FilterFunc(func(nodes []*yaml.RNode) ([]*yaml.RNode, error) {
		for _, node := range nodes {
			if err := s.visit(node); err != nil {
				return nil, err
			}
		}
		if !force && !s.changed {
			return nil, nil
		}
		return nodes, nil
	})
	pipeline := kio.Pipeline{
		Inputs:  []kio.Reader{given(nodes)},
		Filters: []kio.Filter{filter},
		Outputs: []kio.Writer{sink},
	}
	if err := pipeline.Execute(); err != nil {
		return nil, err
	}
	return sink.text, nil
}

type given []*yaml.RNode

func (g given) Read() ([]*yaml.RNode, error) { return g, nil }

type captured struct{ text *string }

// Write clears what the writer of packages clears, and nothing else.
func (c *captured) Write(nodes []*yaml.RNode) error {
	var buffer bytes.Buffer
	err := kio.ByteWriter{
		Writer:           &buffer,
		ClearAnnotations: []string{kioutil.PathAnnotation, kioutil.LegacyPathAnnotation},
	}.Write(nodes)
	text := buffer.String()
	c.text = &text
	return err
}

// visit walks an object depth first and sets the scalars whose comment names a setter.
func (s *setting) visit(node *yaml.RNode) error {
	switch node.YNode().Kind {
	case yaml.MappingNode:
		return node.VisitFields(func(field *yaml.MapNode) error { return s.visit(field.Value) })
	case yaml.SequenceNode:
		return node.VisitElements(s.visit)
	case yaml.ScalarNode:
		s.set(node)
	}
	return nil
}

func (s *setting) set(node *yaml.RNode) {
	meta := fieldmeta.FieldMeta{SettersSchema: &s.schema}
	if meta.Read(node) != nil || meta.IsEmpty() {
		return
	}
	schema := meta.Schema
	if schema.Ref.String() != "" {
		if resolved, err := openapi.Resolve(&schema.Ref, &s.schema); err == nil && resolved != nil {
			schema = *resolved
		}
	}
	named, found := schema.Extensions[extensionKey].(map[string]any)
	if !found {
		return
	}
	setter, found := named["setter"].(map[string]any)
	if !found {
		return
	}
	name, value := setter["name"].(string), setter["value"].(string)
	field := node.YNode()
	old := field.Value
	field.Value = value
	if old != value {
		s.changed = true
		if s.known[name] {
			s.changes = append(s.changes, [3]string{name, old, value})
		}
	}
	yaml.FormatNonStringStyle(field, schema)
}
