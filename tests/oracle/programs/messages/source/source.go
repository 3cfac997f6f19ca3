// Package source holds the data of a commit message template.
package source

import (
	"messages/types"
	"messages/update"
)

// TemplateData is what the controllers since Flux 2.7 give to a template.
type TemplateData struct {
	AutomationObject types.NamespacedName
	Changed          update.Result
	Values           map[string]string
}
