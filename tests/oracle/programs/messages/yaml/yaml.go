// Package yaml holds the identity of an object, nested as kyaml nests it.
package yaml

// TypeMeta is what kind of object it is.
type TypeMeta struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
}

// NameMeta is which object of its kind it is.
type NameMeta struct {
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// ResourceIdentifier is both.
type ResourceIdentifier struct {
	TypeMeta `json:",inline"`
	NameMeta `json:",inline"`
}
