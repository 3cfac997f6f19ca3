//! What a cluster, registries and git servers answered at one moment: what a snapshot holds besides objects and files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the form that is written, and the only one that is read.
pub const SNAPSHOT_VERSION: u32 = 1;

/// What a snapshot is, and what it holds besides objects, scans and files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotFacts {
    /// The version of the form.
    pub snapshot_version: u32,
    /// When it was taken, RFC 3339.
    pub taken_at: String,
    /// Whether hosts and names are pseudonyms.
    pub redacted: bool,
    /// Whose versions ran.
    pub versions: Versions,
    /// The kubeconfig's context; none where there was none.
    pub context: Option<String>,
    /// The URL of the API server.
    pub server: String,
    /// The namespace that counted where none was named.
    pub namespace: String,
    /// Where Flux's own controllers were looked for.
    pub flux_namespace: String,
    /// What the API server answered besides objects.
    pub answers: ClusterAnswers,
    /// The Secrets that were looked at, without their data.
    pub secrets: Vec<NamedSecret>,
    /// The Secrets and ServiceAccounts that may not be read.
    pub unreadable: Vec<UnreadableCredentials>,
    /// The files of the automations' sources.
    pub sources: Vec<RecordedSource>,
    /// What is not in the snapshot, and why, in sentences.
    pub left_out: Vec<String>,
}

/// Versions of everybody who has a say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// This program.
    pub client: String,
    /// Kubernetes.
    pub kubernetes: Option<String>,
    /// The image controllers, as `image-reflector-controller 1.2.3`.
    pub controllers: Vec<String>,
}

/// What an API server answered besides objects, by the paths that were asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterAnswers {
    /// Lists that were read to their ends.
    pub lists: Vec<AskedList>,
    /// What was forbidden.
    pub forbidden: Vec<Forbidden>,
    /// Paths of single objects that aren't there.
    pub absent: Vec<String>,
    /// Paths that mean nothing to the server.
    pub unserved: Vec<String>,
    /// Answers that hold no objects, such as `/version`.
    pub documents: BTreeMap<String, Value>,
}

/// A list as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AskedList {
    /// Its path.
    pub path: String,
    /// The label selector; empty: none.
    pub selector: String,
}

/// A refusal of the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forbidden {
    /// The path.
    pub path: String,
    /// The server's words.
    pub message: String,
}

/// A Secret without its data.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NamedSecret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `kubernetes.io/dockerconfigjson` and the like.
    #[serde(rename = "type")]
    pub kind: String,
    /// The names of its keys.
    pub keys: Vec<String>,
}

/// A Secret or a ServiceAccount that may not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnreadableCredentials {
    /// `Secret` or `ServiceAccount`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Why, in a sentence.
    pub why: String,
}

/// The files of a source as one or several automations check them out, or why there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedSource {
    /// The automations, as `NAMESPACE/NAME`.
    pub automations: Vec<String>,
    /// What was checked out; none: the failure says why.
    pub checkout: Option<RecordedCheckout>,
    /// Why there is nothing.
    pub failure: Option<RecordedStop>,
    /// What signs the commits of each of the automations.
    pub signers: BTreeMap<String, RecordedSigner>,
}

/// A checkout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedCheckout {
    /// The folder of its files, relative to the snapshot's.
    pub folder: String,
    /// What the clone told; none: it was a local folder.
    pub heads: Option<ClonedHeads>,
    /// The commit that is rewritten.
    pub commit: Option<String>,
    /// The branch that the files belong to.
    pub branch: Option<String>,
    /// Ordinary files that the controller or this program comes by; those without markers have no content here.
    pub files: Vec<String>,
    /// Symbolic links and where they point.
    pub links: BTreeMap<String, String>,
    /// Other repositories.
    pub submodules: Vec<String>,
    /// Paths that aren't UTF-8, as text.
    pub unreadable_paths: Vec<String>,
    /// Whose git credentials were used instead of the object's, and why.
    pub users_own: Option<String>,
}

/// What a clone tells besides its files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClonedHeads {
    /// The commit that was checked out.
    pub checkout_commit: String,
    /// Whether the remote's state of the push branch was taken.
    pub push_branch_exists: bool,
    /// The branch that the files belong to; none with a detached head.
    pub branch: Option<String>,
}

/// Why an automation got no files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedStop {
    /// The controller's failure; none: it was ours alone.
    pub predicted: Option<RecordedCondition>,
    /// Our part in it.
    pub ours: Option<String>,
}

/// A failure as a condition tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedCondition {
    /// The reason.
    pub reason: String,
    /// The message.
    pub message: String,
    /// Whether it isn't tried again until the object changes.
    pub stalled: bool,
}

/// What signs an automation's commits, without the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecordedSigner {
    /// A key that works.
    Works,
    /// The controller fails before it clones.
    Fails(RecordedCondition),
    /// The controller fails when it commits.
    FailsToSign(RecordedCondition),
    /// It may not be seen.
    Hidden(String),
}

/// What came of listing the tags of one ImageRepository. The first fields are those of a recording of `tags -o json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedScan {
    /// The ImageRepository's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `spec.image`.
    pub image: String,
    /// Registry and repository; none: the image's name is no good.
    pub canonical_name: Option<String>,
    /// When the list was asked for, RFC 3339.
    pub recorded_at: String,
    /// The tags as listed, before exclusion.
    pub tags: Vec<String>,
    /// Tag to digest, of tags whose digests decisions hang on.
    pub digests: BTreeMap<String, String>,
    /// Why there are no tags; none: they were listed.
    pub error: Option<RecordedError>,
    /// What a scan costs the registry; none: there is no list.
    pub cost: Option<RecordedCost>,
    /// What the registry was asked with; none: it wasn't asked.
    pub connection: Option<RecordedConnection>,
    /// Why digests could not be had, by tag.
    pub digest_errors: BTreeMap<String, RecordedError>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// A failure to list tags or to look up a digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedError {
    /// The reason of the controller's condition, `RefusedToUs`, or `Unknown`.
    pub reason: String,
    /// The message.
    pub message: String,
    /// The registry's part in it, where it refuses or can't be reached.
    pub ours: Option<String>,
    /// What the registry did, where that is known.
    pub trouble: Option<RecordedTrouble>,
}

/// What a registry did instead of answering.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedTrouble {
    /// `refused`, `rateLimited` and the like.
    pub kind: String,
    /// The HTTP status of a refusal.
    pub status: Option<u16>,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u64>,
    /// Headers about limits.
    pub limits: Vec<String>,
}

/// What a scan costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedCost {
    /// Pages of the list.
    pub pages: usize,
    /// Whether a token must be had first.
    pub with_token: bool,
    /// Requests in a window of so many seconds, where the registry tells it.
    pub limit: Option<(u64, u64)>,
}

/// Whose credentials a registry was asked with, without the credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedConnection {
    /// Not the object's: whose.
    pub users_own: Option<String>,
    /// The Secret and its entry that the object's login comes from.
    pub login_from: Option<RecordedLogin>,
    /// The object's pull Secrets that have no entry for the image.
    pub without_entry: Vec<RecordedOffer>,
}

/// The origin of a login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedLogin {
    /// The Secret's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The key below `auths`.
    pub entry: String,
    /// Keys that mean the same with other credentials.
    pub rivals: Vec<String>,
}

/// A pull Secret that has no entry for an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedOffer {
    /// The Secret's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The hosts that it has entries for.
    pub hosts: Option<Vec<String>>,
    /// Its type, which isn't looked into.
    pub unread_type: Option<String>,
}

/// The scans of a snapshot, in the form of a recording of `tags -o json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedScans {
    /// The version of the recording's form.
    pub schema_version: u32,
    /// One for each ImageRepository.
    pub repositories: Vec<RecordedScan>,
}
