//! What a run is asked to do: the flags as typed settings.

use std::path::PathBuf;

use crate::controllers::flux::{CommitUser, FluxVersion, ImageRef, ObjectKey};
use crate::controllers::labels::Selector;
use crate::facts::cluster::Kind;
use crate::io::manifests::ManifestSource;

/// Where objects come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectSource {
    /// The session's cluster.
    Cluster,
    /// Manifests on disk or standard input.
    Manifests {
        /// The files and folders.
        sources: Vec<ManifestSource>,
        /// Whether folders are read with all that is below them.
        recursive: bool,
    },
}

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
    /// The registry.
    Registry,
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

/// Objects that a command line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// All of a kind.
    All(Kind),
    /// One of a kind.
    One(Kind, String),
    /// Those of the three image kinds that have this name.
    Any(String),
}

impl Named {
    /// The three kinds that a bare name may mean.
    pub const IMAGE_KINDS: [Kind; 3] = [
        Kind::ImageRepository,
        Kind::ImagePolicy,
        Kind::ImageUpdateAutomation,
    ];

    /// Whether an object is meant.
    pub fn means(&self, kind: Kind, object: &str) -> bool {
        self.means_kind(kind)
            && match self {
                Self::All(_) => true,
                Self::One(_, name) | Self::Any(name) => name == object,
            }
    }

    /// Whether objects of a kind are meant.
    pub fn means_kind(&self, kind: Kind) -> bool {
        match self {
            Self::All(wanted) | Self::One(wanted, _) => *wanted == kind,
            Self::Any(_) => Self::IMAGE_KINDS.contains(&kind),
        }
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All(kind) => write!(formatter, "{kind}"),
            Self::One(kind, name) => write!(formatter, "{kind} {name}"),
            Self::Any(name) => write!(
                formatter,
                "ImageRepository, ImagePolicy or ImageUpdateAutomation {name}"
            ),
        }
    }
}

/// What every command that reads objects is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRequest {
    /// Where objects come from.
    pub source: ObjectSource,
    /// Which namespaces count.
    pub scope: NamespaceScope,
    /// What an object of the manifests without a namespace gets.
    pub default_namespace: String,
    /// Where Flux's own controllers are looked for.
    pub flux_namespace: String,
    /// Whose rules apply; `None`: by what runs, or by the API versions of the input.
    pub flux_version: Option<FluxVersion>,
    /// The label selector of the command line, as it is written and read.
    pub selector: Option<(String, Selector)>,
}

/// The settings of a run that predicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The objects.
    pub objects: ObjectRequest,
    /// Where tags come from.
    pub tags: TagSource,
    /// Local checkouts.
    pub worktrees: Vec<WorktreeSetting>,
    /// Hypothetical latest images.
    pub assumptions: Vec<Assumption>,
    /// Automations by name; empty: all.
    pub updates: Vec<String>,
    /// Whether commit messages and the bytes of changed files are wanted.
    pub messages: bool,
    /// Whether it is told what rewriting loses of files that still apply.
    pub losses: bool,
    /// Change nothing but the marked values, which isn't what the controller does.
    pub minimal: bool,
    /// Whether the run is pointless without the files of every automation.
    pub needs_files: bool,
    /// Whether the run goes on without what may not be listed.
    pub forgives: bool,
}

impl Request {
    /// A run that looks at everything that objects lead to, and goes on without what may not be read.
    pub fn of_everything(objects: ObjectRequest) -> Self {
        Self {
            objects,
            tags: TagSource::Registry,
            worktrees: Vec::new(),
            assumptions: Vec::new(),
            updates: Vec::new(),
            messages: true,
            losses: true,
            minimal: false,
            needs_files: false,
            forgives: true,
        }
    }
}

/// What is asked for instead of what an automation says; a run over objects that said so would do the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Author and committer.
    pub author: Option<CommitUser>,
    /// The push branch.
    pub push_branch: Option<String>,
    /// Whether the automation's own key is left alone.
    pub unsigned: bool,
}

/// How a commit is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignBy {
    /// As the automation does.
    #[default]
    Automation,
    /// By the configuration of the user's own git.
    User,
    /// Not at all.
    Nobody,
}
