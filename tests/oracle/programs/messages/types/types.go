// Package types holds a name with a namespace, printed as Kubernetes prints it.
package types

// NamespacedName is the name of an object and its namespace.
type NamespacedName struct {
	Namespace string
	Name      string
}

// String joins both with a slash.
func (n NamespacedName) String() string { return n.Namespace + "/" + n.Name }

// MarshalLog gives a value for structured logs.
func (n NamespacedName) MarshalLog() any {
	return struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace,omitempty"`
	}{n.Name, n.Namespace}
}
