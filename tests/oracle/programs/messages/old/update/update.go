// Package update holds the reports of the controllers before Flux 2.7.
package update

import (
	"github.com/google/go-containerregistry/pkg/name"

	earlier "messages/earlier/update"
	"messages/types"
	"messages/update"
)

// ImageRef is an image that was set.
type ImageRef interface {
	String() string
	Identifier() string
	Repository() string
	Registry() string
	Name() string
	Policy() types.NamespacedName
}

type imageRef struct {
	name.Reference
	policy types.NamespacedName
}

func (i imageRef) Repository() string           { return i.Context().RepositoryStr() }
func (i imageRef) Registry() string             { return i.Context().Registry.String() }
func (i imageRef) Policy() types.NamespacedName { return i.policy }

// NewImageRef reads a reference.
func NewImageRef(text string, policy types.NamespacedName) (ImageRef, error) {
	reference, err := name.ParseReference(text, name.WeakValidation)
	return imageRef{reference, policy}, err
}

// Result is the images by file and object.
type Result struct {
	Files map[string]FileResult
}

// FileResult is the images of one file by object.
type FileResult struct {
	Objects map[update.ObjectIdentifier][]ImageRef
}

// Images lists each distinct image once, in the order of Go's maps.
func (r Result) Images() []ImageRef {
	var all []ImageRef
	known := map[ImageRef]bool{}
	for _, file := range r.Files {
		for _, images := range file.Objects {
			for _, image := range images {
				if !known[image] {
					known[image] = true
					all = append(all, image)
				}
			}
		}
	}
	return all
}

// Objects joins the files.
func (r Result) Objects() map[update.ObjectIdentifier][]ImageRef {
	joined := map[update.ObjectIdentifier][]ImageRef{}
	for _, file := range r.Files {
		for id, images := range file.Objects {
			joined[id] = append(joined[id], images...)
		}
	}
	return joined
}

// ResultV2 is the changes, with the images beside them.
type ResultV2 struct {
	ImageResult Result
	FileChanges map[string]update.ObjectChanges
}

// Changes lists each distinct change once.
func (r ResultV2) Changes() []update.Change {
	return update.Result{FileChanges: r.FileChanges}.Changes()
}

// Objects keeps one file's changes of each object.
func (r ResultV2) Objects() update.ObjectChanges {
	return earlier.Result{FileChanges: r.FileChanges}.Objects()
}
