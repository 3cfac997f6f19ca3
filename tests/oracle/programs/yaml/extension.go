package main

import (
	"encoding/json"

	"k8s.io/kube-openapi/pkg/validation/spec"
)

// The names of the types show in the texts of errors.

type setter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type extension struct {
	Setter *setter `json:"setter"`
}

// extensionOf is the setter that a schema holds in its extension, if it holds one.
func extensionOf(schema spec.Schema) (*setter, error) {
	held := schema.Extensions[extensionKey]
	if held == nil {
		return nil, nil
	}
	text, err := json.Marshal(held)
	if err != nil {
		return nil, err
	}
	var read extension
	err = json.Unmarshal(text, &read)
	return read.Setter, err
}
