// Package update holds what a run reports about the fields that it changed.
package update

import "messages/yaml"

// ObjectIdentifier is the object that a changed field belongs to.
type ObjectIdentifier struct {
	yaml.ResourceIdentifier
}

// Change is one field's old and new text, and the marker's setter.
type Change struct {
	OldValue, NewValue, Setter string
}

// ObjectChanges are the changes by object.
type ObjectChanges map[ObjectIdentifier][]Change

// Result is the changes by file and object.
type Result struct {
	FileChanges map[string]ObjectChanges
}

// Changes lists each distinct change once, in the order of Go's maps.
func (r Result) Changes() []Change {
	var all []Change
	known := map[Change]bool{}
	for _, objects := range r.FileChanges {
		for _, changes := range objects {
			for _, c := range changes {
				if known[c] {
					continue
				}
				known[c] = true
				all = append(all, c)
			}
		}
	}
	return all
}

// Objects joins the files.
func (r Result) Objects() ObjectChanges {
	joined := ObjectChanges{}
	for _, objects := range r.FileChanges {
		for id, changes := range objects {
			joined[id] = append(joined[id], changes...)
		}
	}
	return joined
}
