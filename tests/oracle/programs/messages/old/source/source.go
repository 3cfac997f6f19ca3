// Package source holds the data of a commit message template before Flux 2.7.
package source

import (
	"messages/old/update"
	"messages/types"
)

// TemplateData is what the controllers before Flux 2.7 gave to a template.
type TemplateData struct {
	AutomationObject types.NamespacedName
	Updated          update.Result
	Changed          update.ResultV2
	Values           map[string]string
}
