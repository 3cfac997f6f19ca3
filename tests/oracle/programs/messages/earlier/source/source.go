// Package source holds the data of a commit message template in Flux 2.7 and 2.8.
package source

import (
	"messages/earlier/update"
	"messages/types"
)

// TemplateData is what those controllers gave to a template.
type TemplateData struct {
	AutomationObject types.NamespacedName
	Changed          update.Result
	Values           map[string]string
}
