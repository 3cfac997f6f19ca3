//! What a run is asked to do: the flags as typed settings.

use std::path::PathBuf;

use crate::controllers::flux::{FluxVersion, ImageRef, ObjectKey};
use crate::io::manifests::ManifestSource;

/// Which namespaces count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamespaceScope {
    /// All that the input holds.
    All,
    /// This one.
    One(String),
}

impl NamespaceScope {
    /// Whether `namespace` counts.
    pub fn includes(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::One(name) => name == namespace,
        }
    }
}

/// Where tags come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagSource {
    /// Each policy's `status.latestRef`.
    Status,
    /// A recording.
    Recording(PathBuf),
}

/// A local checkout that stands for a GitRepository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeSetting {
    /// The GitRepository; `None`: the only one there is.
    pub source: Option<ObjectKey>,
    /// The folder.
    pub folder: PathBuf,
}

/// A policy's latest image as assumed by the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// The policy.
    pub policy: ObjectKey,
    /// The tag.
    pub tag: String,
    /// The digest, or empty.
    pub digest: String,
}

impl Assumption {
    /// The image of `name` as assumed.
    pub fn image(&self, name: &str) -> ImageRef {
        ImageRef {
            name: name.to_owned(),
            tag: self.tag.clone(),
            digest: self.digest.clone(),
        }
    }
}

/// The settings of a run from files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The manifests.
    pub manifests: Vec<ManifestSource>,
    /// Whether folders are read with all that is below them.
    pub recursive: bool,
    /// Which namespaces count.
    pub scope: NamespaceScope,
    /// What an object without a namespace gets.
    pub default_namespace: String,
    /// Where tags come from.
    pub tags: TagSource,
    /// Local checkouts.
    pub worktrees: Vec<WorktreeSetting>,
    /// Hypothetical latest images.
    pub assumptions: Vec<Assumption>,
    /// Whose rules apply; `None`: by the API versions of the input.
    pub flux_version: Option<FluxVersion>,
    /// Automations by name; empty: all.
    pub updates: Vec<String>,
    /// Whether commit messages are wanted.
    pub messages: bool,
}
