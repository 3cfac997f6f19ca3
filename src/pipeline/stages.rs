//! The values that one stage of the pipeline hands to the next; each is made from the one before and never changed later.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::controllers::automation::{AutomationFailure, Branches};
use crate::controllers::flux::{
    CommitUser, FluxVersion, ImagePolicy, ImageRef, ImageRepository, ImageUpdateAutomation,
    ObjectKey,
};
use crate::controllers::installation::{
    Controller, ControllerKind, ControllerProcess, Installation,
};
use crate::controllers::policy::Decision;
use crate::controllers::registry_access::{LoginSource, OfferedSecret};
use crate::controllers::setters::LocatedChange;
use crate::facts::cluster::{Kind, Objects};
use crate::facts::registry::{RecordedTags, RegistryAccess, RegistryErrorKind, Throttling};
use crate::failure::Failure;
use crate::findings::Finding;
use crate::io::manifests::{LocatedObject, ManifestProblem};

/// What was loaded: the objects of the run and what there is to say about them.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The objects.
    pub objects: Objects,
    /// The automations that the run is about, in order.
    pub automations: Vec<ObjectKey>,
    /// The policies whose choice is recomputed; the others count with their status.
    pub recomputed: Recomputed,
    /// The controllers whose rules apply.
    pub installation: Installation,
    /// Whether the objects are a cluster's, and what isn't here isn't there.
    pub live: bool,
    /// Remarks for the user.
    pub notes: Vec<String>,
    /// Manifests that can't be used.
    pub problems: Vec<ManifestProblem>,
    /// The manifests that name something of Flux.
    pub flux_files: Vec<PathBuf>,
    /// Kustomizations of the manifests; those of a cluster are read when they are needed.
    pub kustomizations: Vec<LocatedObject>,
}

/// Which policies are decided by us, and not by their status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recomputed {
    /// Every policy that an automation of the run may read.
    OfAutomations,
    /// These, and no others.
    Only(BTreeSet<ObjectKey>),
    /// All that there are; and every repository is scanned, whether or not a policy chooses from it.
    Everything,
}

impl Inputs {
    /// The policies that count: those that an automation of the run may read, and those that the run is about.
    pub fn policies_that_count(&self) -> impl Iterator<Item = &ImagePolicy> {
        let automations = self.automations.iter();
        let namespaces: BTreeSet<&str> = automations.map(|key| key.namespace.as_str()).collect();
        self.objects.policies.values().filter(move |policy| {
            namespaces.contains(policy.key.namespace.as_str())
                || match &self.recomputed {
                    Recomputed::OfAutomations => false,
                    Recomputed::Only(these) => these.contains(&policy.key),
                    Recomputed::Everything => true,
                }
        })
    }

    /// Whether the choice of a policy is recomputed.
    pub fn recomputes(&self, policy: &ObjectKey) -> bool {
        match &self.recomputed {
            Recomputed::OfAutomations | Recomputed::Everything => true,
            Recomputed::Only(these) => these.contains(policy),
        }
    }

    /// The repositories that are scanned whether or not a policy gets so far.
    pub fn repositories_that_count(&self) -> impl Iterator<Item = &ImageRepository> {
        let all = matches!(self.recomputed, Recomputed::Everything);
        self.objects.repositories.values().filter(move |_| all)
    }

    /// The release whose rules a policy's reflector follows.
    pub fn reflector_rules(&self, policy: &ImagePolicy) -> FluxVersion {
        self.installation
            .reflector(&policy.key.namespace, &policy.labels)
            .map_or_else(FluxVersion::default, |controller| controller.release)
    }

    /// The automation controller that looks after an automation, or would if its selector took it.
    pub fn automation_controller(&self, automation: &ImageUpdateAutomation) -> Option<&Controller> {
        self.installation
            .automation(&automation.key.namespace, &automation.labels)
            .or(self.installation.automations.first())
    }

    /// The release whose rules an automation's controller follows.
    pub fn automation_rules(&self, automation: &ImageUpdateAutomation) -> FluxVersion {
        self.automation_controller(automation)
            .map_or_else(FluxVersion::default, |controller| controller.release)
    }
}

/// One object as it is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Surveyed {
    /// Its kind.
    pub kind: Kind,
    /// Namespace and name.
    pub key: ObjectKey,
    /// The whole object.
    pub object: serde_json::Value,
}

/// Objects and their recorded state.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The kubeconfig's context; none offline.
    pub context: Option<String>,
    /// By kind, namespace and name.
    pub objects: Vec<Surveyed>,
    /// The same objects, typed; one that can't be typed is missing here.
    pub typed: Objects,
    /// What was asked for and could not be had.
    pub failures: Vec<Failure>,
    /// Remarks for the user.
    pub notes: Vec<String>,
    /// Where there are such objects, looked up only when none were found.
    pub namespaces_elsewhere: Vec<String>,
}

/// What runs in a cluster.
#[derive(Clone, Debug)]
pub struct LiveVersions {
    /// The kubeconfig's context.
    pub context: Option<String>,
    /// Its URL.
    pub server: String,
    /// The Kubernetes version, `v1.36.3`.
    pub kubernetes: Option<String>,
    /// The image controllers.
    pub controllers: Vec<RunningController>,
    /// The API versions of the image kinds.
    pub served: Vec<ServedVersions>,
    /// What was forbidden.
    pub failures: Vec<Failure>,
}

/// An image controller that runs.
#[derive(Clone, Debug)]
pub struct RunningController {
    /// Which one.
    pub kind: ControllerKind,
    /// How it was started.
    pub process: ControllerProcess,
    /// What that makes of it, or why it can't run that way.
    pub settings: Result<Controller, String>,
}

/// The API versions in which a kind is served.
#[derive(Clone, Debug)]
pub struct ServedVersions {
    /// The kind.
    pub kind: Kind,
    /// Newest first; empty: none.
    pub versions: Vec<&'static str>,
}

/// What is known of an ImageRepository's tags.
#[derive(Clone, Debug)]
pub enum Scan {
    /// Its tags, after exclusion, in the order of the controller's store.
    Tags {
        /// The tags that policies see.
        stored: Vec<String>,
        /// What was recorded, for digests.
        recorded: RecordedTags,
    },
    /// The controller's scan fails or the object is stalled; policies keep what they have.
    Failed(ScanFailure),
    /// The controller does not scan it.
    Suspended,
    /// The registry refuses us, whose credentials are not the controller's.
    RefusedToUs(Failure),
    /// We could not find out.
    Unknown(Failure),
}

/// A failure that the controller would write into the conditions of a repository or a policy.
#[derive(Clone, Debug)]
pub struct ScanFailure {
    /// The condition's reason.
    pub reason: &'static str,
    /// The condition's message.
    pub message: String,
    /// The registry's part in it, where it refuses or can't be reached.
    pub ours: Option<Failure>,
    /// What the registry did, where that is known.
    pub cause: Option<RegistryTrouble>,
}

/// What a registry did instead of answering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryTrouble {
    /// What kind of thing.
    pub kind: RegistryErrorKind,
    /// What it said about its limits.
    pub throttling: Throttling,
}

/// Every ImageRepository that a policy of the run refers to.
#[derive(Clone, Debug, Default)]
pub struct Scans {
    /// By key; a repository that is not in the input has no entry.
    pub repositories: BTreeMap<ObjectKey, Scan>,
    /// What each registry was asked with, where registries are asked.
    pub access: BTreeMap<ObjectKey, RegistryConnection>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// What a repository's registry is asked with, and whose credentials these are.
#[derive(Clone, Debug)]
pub struct RegistryConnection {
    /// Login, certificates, proxy.
    pub access: RegistryAccess,
    /// Whose credentials; none: the object's own, or nobody's because it has none.
    pub users_own: Option<String>,
    /// Where the object's own login comes from; none: it has none, or it is hidden.
    pub login_from: Option<LoginSource>,
    /// The object's pull Secrets that have no entry for the image.
    pub without_entry: Vec<OfferedSecret>,
}

/// A digest that a policy needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WantedDigest {
    /// The ImageRepository.
    pub repository: ObjectKey,
    /// Its `spec.image`.
    pub name: String,
    /// The tag.
    pub tag: String,
}

/// What came of looking for a digest.
#[derive(Clone, Debug)]
pub enum DigestAnswer {
    /// The digest.
    Found(String),
    /// The controller fails.
    Failed(ScanFailure),
    /// The registry refuses us, whose credentials are not the controller's.
    RefusedToUs(Failure),
    /// We could not find out.
    Unknown(Failure),
}

/// Where a policy's latest image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageOrigin {
    /// Recomputed from what the registry lists.
    Registry,
    /// Recomputed from recorded tags.
    Recording,
    /// What the controller wrote into the status.
    Status,
    /// What the user assumes.
    Assumed,
}

impl ImageOrigin {
    /// The word in JSON and on screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Recording => "recording",
            Self::Status => "status",
            Self::Assumed => "assumed",
        }
    }
}

/// What an automation would read of one policy, and why.
#[derive(Clone, Debug)]
pub struct PolicyDecision {
    /// The latest image; `None`: the policy is no setter.
    pub latest: Option<(ImageRef, ImageOrigin)>,
    /// What the status says now.
    pub live: Option<ImageRef>,
    /// The controller's own failure, as reason and message.
    pub failure: Option<(String, String)>,
    /// A registry's part in that failure.
    pub trouble: Option<Failure>,
    /// Our failure to find out.
    pub unknown: Option<Failure>,
    /// The recomputed decision.
    pub decision: Option<Decision>,
    /// What was found on the way.
    pub findings: Vec<Finding>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// Every policy that counts for an automation of the run.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// By key.
    pub policies: BTreeMap<ObjectKey, PolicyDecision>,
}

/// A policy in the scope of an automation, with the image that its markers receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyInUse {
    /// The policy.
    pub key: ObjectKey,
    /// The image.
    pub image: ImageRef,
    /// Where it comes from.
    pub origin: ImageOrigin,
}

/// A policy in the scope of an automation that is no setter, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWithoutLatest {
    /// The policy.
    pub key: ObjectKey,
    /// Why it has no latest image.
    pub why: String,
    /// Whether that is what we could not find out, and the policy may well have one.
    pub is_unknown: bool,
}

/// The source of an automation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The GitRepository.
    pub key: ObjectKey,
    /// Its URL without user information; `None` when it is not known.
    pub url: Option<String>,
    /// The commit that is checked out.
    pub commit: Option<String>,
}

/// One file that the commit would hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewedFile {
    /// The path relative to the repository's top.
    pub path: String,
    /// The bytes before; `None` for a new file.
    pub old: Option<Vec<u8>>,
    /// The bytes after.
    pub new: Vec<u8>,
    /// What the controller would write, where that isn't asked for.
    pub exact: Option<Vec<u8>>,
    /// The fields that change.
    pub changes: Vec<LocatedChange>,
}

/// A marker that receives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredMarker {
    /// The path relative to the repository's top.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What the marker names, where it can be read.
    pub setter: Option<String>,
    /// The finding that says why.
    pub id: &'static str,
    /// The reason in a few words.
    pub reason: String,
}

/// One marker and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewedMarker {
    /// The path relative to the repository's top.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What the marker names, where it can be read.
    pub setter: Option<String>,
    /// What becomes of it.
    pub fate: MarkerFate,
}

/// What becomes of a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkerFate {
    /// Its value changes.
    Applied {
        /// The text before.
        old: String,
        /// The text after.
        new: String,
    },
    /// Its value is right already.
    UpToDate {
        /// The text.
        value: String,
    },
    /// It receives nothing.
    Ignored {
        /// The finding that says why.
        id: &'static str,
        /// The reason in a few words.
        reason: String,
    },
    /// What its policy chooses could not be found out.
    Unknown {
        /// Why not.
        reason: String,
    },
}

impl MarkerFate {
    /// Whether the marker receives nothing.
    pub fn is_ignored(&self) -> bool {
        matches!(self, Self::Ignored { .. })
    }
}

impl PreviewedMarker {
    /// The policy that the marker names: `NAMESPACE:NAME`, perhaps with `:tag` and the like behind it.
    pub fn policy(&self) -> Option<ObjectKey> {
        policy_of(self.setter.as_deref()?)
    }
}

/// The policy of a setter, `NAMESPACE:NAME` with or without a part of the image behind it.
pub fn policy_of(setter: &str) -> Option<ObjectKey> {
    let mut parts = setter.split(':');
    Some(ObjectKey::new(parts.next()?, parts.next()?))
}

/// The markers of an automation's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarkerTally {
    /// How many receive another value.
    pub applied: usize,
    /// How many already hold it.
    pub up_to_date: usize,
    /// Those that receive nothing.
    pub ignored: Vec<IgnoredMarker>,
    /// All of them, in the order of files and lines.
    pub located: Vec<PreviewedMarker>,
}

/// A file with markers that the controller can't read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableFile {
    /// The path relative to the repository's top.
    pub path: String,
    /// The line, where one is known.
    pub line: Option<usize>,
    /// Why.
    pub reason: String,
}

/// What one automation would do.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The automation.
    pub key: ObjectKey,
    /// `spec.update.path` as it is written.
    pub update_path: String,
    /// Where its files come from.
    pub source: Source,
    /// Author and committer of the commit.
    pub author: CommitUser,
    /// The commit that the new one would follow; `None` where there is none or it isn't known.
    pub parent: Option<String>,
    /// Whether the push branch exists on the remote; `None` where the remote wasn't asked.
    pub push_branch_exists: Option<bool>,
    /// What it checks out and pushes.
    pub branches: Option<Branches>,
    /// The policies that count.
    pub policies: Vec<PolicyInUse>,
    /// The policies that don't.
    pub without_latest: Vec<PolicyWithoutLatest>,
    /// The commit message; `None` when nothing changes, it failed, or it was not asked for.
    pub message: Option<Vec<u8>>,
    /// The controller's failure.
    pub error: Option<AutomationFailure>,
    /// Our failure to find out.
    pub unknown: Option<Failure>,
    /// Registries that refuse or can't be reached; the preview goes on with what the policies keep.
    pub troubles: Vec<Failure>,
    /// Why the controller would skip the run.
    pub skipped: Option<String>,
    /// What the commit would hold.
    pub files: Vec<PreviewedFile>,
    /// The markers.
    pub markers: MarkerTally,
    /// Files that the controller can't read.
    pub problem_files: Vec<UnreadableFile>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

impl Preview {
    /// Whether there is something to push, a failure, or an undecided policy.
    pub fn differs(&self) -> bool {
        !self.files.is_empty()
            || self.error.is_some()
            || self
                .findings
                .iter()
                .any(|finding| finding.id == "choice-not-deterministic")
    }
}

/// What was done of a preview.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitReceipt {
    /// The commit's id, where one was made.
    pub commit: Option<String>,
    /// Whether the branch was pushed.
    pub pushed: bool,
    /// Whether the second push went through.
    pub refspec_pushed: bool,
    /// What signed it, in words.
    pub signed_by: Option<String>,
}
