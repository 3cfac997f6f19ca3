//! Mirrors image-automation-controller 1.2 `internal/update/result.go`: what a run reports about the fields it changed.

/// The Kubernetes object that a changed field belongs to; each part may be empty (a `kustomization.yaml` has no name).
///
/// Ordered as Go's template ranges over it: by apiVersion, then kind, then name, then namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectIdentifier {
    /// `apps/v1`, or `v1` for the core group.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
}

/// One field whose value differs from the one it had.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// The field's text before.
    pub old: String,
    /// The field's text after.
    pub new: String,
    /// The setter of the marker: `ns:name`, `ns:name:tag`, `ns:name:name` or `ns:name:digest`.
    pub setter: String,
}

/// The changes of one object in one file, in document order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectChanges {
    /// The object.
    pub object: ObjectIdentifier,
    /// Its changes, never empty.
    pub changes: Vec<Change>,
}

/// The changes of one file, its objects in document order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChanges {
    /// The path relative to `spec.update.path`, as the controller's templates see it.
    pub path: String,
    /// Objects with at least one change, each once, in the order of their first change.
    pub objects: Vec<ObjectChanges>,
}
