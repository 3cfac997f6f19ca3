// Package update holds the reports of the controllers of Flux 2.7 and 2.8.
package update

import "messages/update"

// Result is the changes by file and object.
type Result struct {
	FileChanges map[string]update.ObjectChanges
}

// Changes lists each distinct change once.
func (r Result) Changes() []update.Change {
	return update.Result{FileChanges: r.FileChanges}.Changes()
}

// Objects keeps the changes of the last file only that has the object, in the order of Go's maps.
func (r Result) Objects() update.ObjectChanges {
	last := update.ObjectChanges{}
	for _, objects := range r.FileChanges {
		for id, changes := range objects {
			last[id] = changes
		}
	}
	return last
}
