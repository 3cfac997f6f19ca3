//! What the API server says of objects that are not applied yet, in the words of its own API.

use serde_json::Value;

use crate::controllers::flux::ObjectKey;

/// An object as it is told from others.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectIdentity {
    /// `apps/v1`
    pub api_version: String,
    /// `Deployment`
    pub kind: String,
    /// Empty for what has none.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectIdentity {
    /// That of an object.
    pub fn of(object: &Value) -> Self {
        let text = |pointer: &str| {
            let found = object.pointer(pointer).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
        }
    }

    /// The API group; empty for the core.
    pub fn group(&self) -> &str {
        let group = self.api_version.split_once('/');
        group.map_or("", |(group, _)| group)
    }

    /// The version within the group.
    pub fn version(&self) -> &str {
        let version = self.api_version.split_once('/');
        version.map_or(&self.api_version, |(_, version)| version)
    }

    /// Whether it is the same object in whatever version.
    pub fn is_same_object(&self, other: &Self) -> bool {
        self.group() == other.group()
            && self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
    }
}

impl std::fmt::Display for ObjectIdentity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            write!(formatter, "{} {}", self.kind, self.name)
        } else {
            write!(formatter, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// A resource of the API, as discovery tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiResource {
    /// `deployments`
    pub plural: String,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
}

/// One reason of a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusCause {
    /// `FieldValueInvalid` and the like.
    pub reason: String,
    /// What is wrong.
    pub message: String,
    /// `spec.replicas`
    pub field: String,
}

/// An answer that is no success: the API's Status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiStatus {
    /// The HTTP status.
    pub code: u16,
    /// `Invalid`, `Forbidden`, `Conflict` and the like; empty where the answer is no Status.
    pub reason: String,
    /// The server's words.
    pub message: String,
    /// What `details` names: the kind or resource.
    pub kind: String,
    /// What `details` names: the object.
    pub name: String,
    /// The reasons.
    pub causes: Vec<StatusCause>,
}

/// What came of a dry-run request.
#[derive(Clone, Debug, PartialEq)]
pub enum DryRunAnswer {
    /// The object as it would be.
    Accepted(Value),
    /// The server refuses.
    Refused(ApiStatus),
}

/// What would become of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It is new.
    Created,
    /// It is deleted and made anew, since a field of it can't change.
    Recreated,
    /// It changes by the update alone.
    Changed,
    /// It changes by more than the update.
    Drifted,
    /// Nothing changes in the cluster.
    Unchanged,
    /// It is no longer built, and is deleted.
    Pruned,
    /// The server refuses it.
    Rejected,
    /// Another manager owns a field.
    Conflict,
    /// A permission is missing.
    Forbidden,
    /// The server doesn't know its kind.
    UnknownKind,
    /// Its namespace isn't there.
    NamespaceMissing,
    /// It could not be checked.
    NotChecked,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Created,
        Self::Recreated,
        Self::Changed,
        Self::Drifted,
        Self::Unchanged,
        Self::Pruned,
        Self::Rejected,
        Self::Conflict,
        Self::Forbidden,
        Self::UnknownKind,
        Self::NamespaceMissing,
        Self::NotChecked,
    ];

    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Recreated => "recreated",
            Self::Changed => "changed",
            Self::Drifted => "drifted",
            Self::Unchanged => "unchanged",
            Self::Pruned => "pruned",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Forbidden => "forbidden",
            Self::UnknownKind => "unknownKind",
            Self::NamespaceMissing => "namespaceMissing",
            Self::NotChecked => "notChecked",
        }
    }
}

/// Who refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBy {
    /// The schema or the rules of the kind.
    Validation,
    /// The rule that a field never changes.
    Immutable,
    /// A webhook, a policy or a plug-in of the server.
    Admission,
    /// A ResourceQuota.
    Quota,
}

impl RefusedBy {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Immutable => "immutable",
            Self::Admission => "admission",
            Self::Quota => "quota",
        }
    }
}

/// Why a live field changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The update.
    Update,
    /// Someone changed it in the cluster, or an earlier revision is not applied yet.
    Drift,
    /// The server fills it in or changes it.
    Default,
}

impl Cause {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Drift => "drift",
            Self::Default => "default",
        }
    }
}

/// A field of a live object that changes.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// `.spec.containers[name=main].image`
    pub field: String,
    /// Its value now; null where there is none.
    pub live: Value,
    /// Its value then; null where there is none.
    pub applied: Value,
    /// Why.
    pub cause: Cause,
}

/// What would become of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct DryRunRow {
    /// The object.
    pub object: ObjectIdentity,
    /// The file whose change leads to it, and the first changed line where one is known.
    pub path: String,
    /// The first changed line of that file, from 1, in the old file.
    pub line: Option<usize>,
    /// The Kustomization that applies it; none for a plain manifest.
    pub kustomization: Option<ObjectKey>,
    /// What would become of it.
    pub outcome: Outcome,
    /// Who refuses it.
    pub by: Option<RefusedBy>,
    /// What there is to say; empty: nothing.
    pub message: String,
    /// The fields of the live object that change.
    pub fields: Vec<FieldChange>,
    /// Whether the controller fails at it though the server doesn't refuse it to us: its account may not, or it can't be built.
    pub fails: bool,
}

/// The program that builds kustomizations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildTool {
    /// `kustomize` or `kubectl kustomize`
    pub name: &'static str,
    /// Its version of kustomize, without `v`.
    pub version: String,
}
