//! Mirrors the API types of image-reflector-controller 1.2 and image-automation-controller 1.2 (`api/v1`), and of
//! source-controller's GitRepository, as they are after the API server has filled in the CRDs' defaults.
//!
//! One shape reads v1, v1beta2 and v1beta1: the older versions differ in fields that were added or dropped, never in
//! the meaning of one name, except that a policy's latest image once was the string `status.latestImage`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::delivery::GitRepositoryStatus;

/// `image.toolkit.fluxcd.io`
pub const IMAGE_GROUP: &str = "image.toolkit.fluxcd.io";
/// `source.toolkit.fluxcd.io`
pub const SOURCE_GROUP: &str = "source.toolkit.fluxcd.io";

/// Namespace and name of an object; printed `namespace/name`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The namespace, never empty.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectKey {
    /// The key `namespace/name`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// A Flux, Git or core object: its key, labels, API version and typed parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<Spec, Status> {
    /// `image.toolkit.fluxcd.io/v1` and the like.
    pub api_version: String,
    /// Namespace and name.
    pub key: ObjectKey,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `metadata.generation`; only the cluster gives one.
    pub generation: Option<i64>,
    /// The object is being deleted: controllers no longer act on it.
    pub deleted: bool,
    /// The desired state.
    pub spec: Spec,
    /// What the controller last wrote; default when there is none.
    pub status: Status,
}

/// An ImageRepository.
pub type ImageRepository = Object<ImageRepositorySpec, ImageRepositoryStatus>;
/// An ImagePolicy.
pub type ImagePolicy = Object<ImagePolicySpec, ImagePolicyStatus>;
/// An ImageUpdateAutomation.
pub type ImageUpdateAutomation = Object<ImageUpdateAutomationSpec, ImageUpdateAutomationStatus>;
/// A GitRepository.
pub type GitRepository = Object<GitRepositorySpec, GitRepositoryStatus>;

/// The name of an object in the referrer's own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct LocalReference {
    /// Its name.
    pub name: String,
}

/// The name of an object, in the referrer's namespace unless it says another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct NamespacedReference {
    /// Its name.
    pub name: String,
    /// Its namespace; absent or empty: the referrer's.
    pub namespace: Option<String>,
}

impl NamespacedReference {
    /// The referred object's key, seen from an object in `namespace`.
    pub fn key_from(&self, namespace: &str) -> ObjectKey {
        reference_key(self.namespace.as_deref(), &self.name, namespace)
    }
}

fn reference_key(named: Option<&str>, name: &str, own: &str) -> ObjectKey {
    ObjectKey::new(named.filter(|named| !named.is_empty()).unwrap_or(own), name)
}

/// `spec` of an ImageRepository.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRepositorySpec {
    /// The image without a tag.
    #[serde(default)]
    pub image: String,
    /// How often to scan, a Go duration.
    pub interval: Option<String>,
    /// The scan's limit, a Go duration; absent: the interval.
    pub timeout: Option<String>,
    /// The pull Secret.
    pub secret_ref: Option<LocalReference>,
    /// The Secret with an address and credentials of a proxy.
    pub proxy_secret_ref: Option<LocalReference>,
    /// The ServiceAccount whose pull secrets count.
    pub service_account_name: Option<String>,
    /// The Secret with certificates.
    pub cert_secret_ref: Option<LocalReference>,
    /// No scans.
    #[serde(default)]
    pub suspend: bool,
    /// Other namespaces whose policies may use this repository.
    pub access_from: Option<AccessFrom>,
    /// Patterns of tags that don't count.
    pub exclusion_list: Option<Vec<String>>,
    /// `generic`, `aws`, `azure` or `gcp`.
    pub provider: Option<String>,
    /// Plain http is allowed.
    #[serde(default)]
    pub insecure: bool,
}

/// Which namespaces may refer to an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessFrom {
    /// Any one that matches grants access.
    #[serde(default)]
    pub namespace_selectors: Vec<NamespaceSelector>,
}

/// Labels that a Namespace must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// All of them; empty matches every namespace.
    #[serde(default)]
    pub match_labels: BTreeMap<String, String>,
}

/// `status` of an ImageRepository.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRepositoryStatus {
    /// The image's full name when it was last scanned.
    #[serde(default)]
    pub canonical_image_name: String,
    /// `spec.exclusionList` at the last scan, or what stood for it.
    #[serde(default)]
    pub observed_exclusion_list: Vec<String>,
    /// The request that was last answered.
    #[serde(default)]
    pub last_handled_reconcile_at: String,
    /// The last successful scan.
    pub last_scan_result: Option<ScanResult>,
    /// The condition list.
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

/// `status.lastScanResult` of an ImageRepository.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanResult {
    /// Tags after exclusion.
    #[serde(default)]
    pub tag_count: u64,
    /// When, RFC 3339.
    pub scan_time: Option<String>,
    /// The checksum of the tags.
    pub revision: Option<String>,
    /// The first ten of the tags in descending order of their bytes.
    #[serde(default)]
    pub latest_tags: Vec<String>,
}

/// One entry of `status.conditions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Condition {
    /// `Ready`, `Stalled` or `Reconciling`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    #[serde(default)]
    pub status: String,
    /// One CamelCase word.
    #[serde(default)]
    pub reason: String,
    /// A sentence for people.
    #[serde(default)]
    pub message: String,
    /// When `status` last changed, RFC 3339.
    #[serde(rename = "lastTransitionTime", default)]
    pub since: String,
}

/// `spec` of an ImagePolicy.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImagePolicySpec {
    /// Whose tags.
    #[serde(default)]
    pub image_repository_ref: NamespacedReference,
    /// How to choose.
    #[serde(default)]
    pub policy: ImagePolicyChoice,
    /// Which tags count, and the part of them that is compared.
    pub filter_tags: Option<TagFilter>,
    /// Whether the digest is looked up too.
    #[serde(default)]
    pub digest_reflection_policy: DigestReflectionPolicy,
    /// How often the digest is looked up, a Go duration.
    pub interval: Option<String>,
    /// No decisions.
    #[serde(default)]
    pub suspend: bool,
}

/// `spec.policy` of an ImagePolicy; the first that is set counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ImagePolicyChoice {
    /// The highest version of a range.
    pub semver: Option<SemVerPolicy>,
    /// The last in byte order.
    pub alphabetical: Option<OrderedPolicy>,
    /// The greatest number.
    pub numerical: Option<OrderedPolicy>,
}

/// `spec.policy.semver` of an ImagePolicy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SemVerPolicy {
    /// A range in the dialect of Masterminds/semver.
    #[serde(default)]
    pub range: String,
}

/// `spec.policy.alphabetical` or `.numerical` of an ImagePolicy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct OrderedPolicy {
    /// `asc` (the default) or `desc`.
    #[serde(default)]
    pub order: String,
}

/// `spec.filterTags` of an ImagePolicy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct TagFilter {
    /// An RE2 pattern, not anchored; empty matches every tag.
    #[serde(default)]
    pub pattern: String,
    /// The template of the compared key; empty: the tag itself.
    #[serde(default)]
    pub extract: String,
}

/// `spec.digestReflectionPolicy` of an ImagePolicy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum DigestReflectionPolicy {
    /// At every reconcile.
    Always,
    /// When the tag changes or there is no digest yet.
    IfNotPresent,
    /// No digest.
    #[default]
    Never,
}

/// An image, a tag and perhaps a digest: `status.latestRef` of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ImageRef {
    /// `spec.image` of the repository, verbatim.
    #[serde(default)]
    pub name: String,
    /// The tag.
    #[serde(default)]
    pub tag: String,
    /// `sha256:…`; empty when digests aren't reflected.
    #[serde(default)]
    pub digest: String,
}

impl fmt::Display for ImageRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.name, self.tag)?;
        if self.digest.is_empty() {
            Ok(())
        } else {
            write!(formatter, "@{}", self.digest)
        }
    }
}

/// `status` of an ImagePolicy.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImagePolicyStatus {
    latest_ref: Option<ImageRef>,
    /// What `latestRef` was before it last changed.
    pub observed_previous_ref: Option<ImageRef>,
    /// `name:tag` of controllers before 0.35.
    latest_image: Option<String>,
    /// The condition list.
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

impl ImagePolicyStatus {
    /// The latest image that the controller recorded, in whichever field its age has.
    pub fn latest(&self) -> Option<ImageRef> {
        self.latest_ref.clone().or_else(|| {
            let (name, tag) = self.latest_image.as_deref()?.rsplit_once(':')?;
            Some(ImageRef {
                name: name.into(),
                tag: tag.into(),
                digest: String::new(),
            })
        })
    }
}

/// `spec` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageUpdateAutomationSpec {
    /// Where the files are.
    #[serde(default)]
    pub source_ref: SourceReference,
    /// How to check out, commit and push; the controller needs it.
    pub git: Option<GitSpec>,
    /// How often to run, a Go duration.
    pub interval: Option<String>,
    /// Which policies count; absent: all of the namespace.
    pub policy_selector: Option<LabelSelector>,
    /// What to change; the API server fills in the default.
    #[serde(default)]
    pub update: UpdateStrategy,
    /// No runs.
    #[serde(default)]
    pub suspend: bool,
}

/// `spec.sourceRef` of an ImageUpdateAutomation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SourceReference {
    /// `GitRepository`, the API's default.
    #[serde(default = "git_repository_kind")]
    pub kind: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its namespace; absent or empty: the automation's.
    pub namespace: Option<String>,
}

impl SourceReference {
    /// The source's key, seen from an automation in `namespace`.
    pub fn key_from(&self, namespace: &str) -> ObjectKey {
        reference_key(self.namespace.as_deref(), &self.name, namespace)
    }
}

impl Default for SourceReference {
    fn default() -> Self {
        Self {
            kind: git_repository_kind(),
            name: String::new(),
            namespace: None,
        }
    }
}

fn git_repository_kind() -> String {
    "GitRepository".into()
}

/// `spec.git` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct GitSpec {
    /// Which ref to start from.
    pub checkout: Option<GitCheckoutSpec>,
    /// Author, message and signature.
    #[serde(default)]
    pub commit: CommitSpec,
    /// Where to push.
    pub push: Option<PushSpec>,
}

/// `spec.git.checkout` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct GitCheckoutSpec {
    /// The ref.
    #[serde(rename = "ref", default)]
    pub reference: GitReference,
}

/// A git ref as GitRepository and ImageUpdateAutomation name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct GitReference {
    /// A branch.
    #[serde(default)]
    pub branch: String,
    /// A tag.
    #[serde(default)]
    pub tag: String,
    /// A range over the tags.
    #[serde(default)]
    pub semver: String,
    /// A full ref name.
    #[serde(default)]
    pub name: String,
    /// A commit.
    #[serde(default)]
    pub commit: String,
}

/// `spec.git.commit` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommitSpec {
    /// Author and committer.
    #[serde(default)]
    pub author: CommitUser,
    /// The key to sign with.
    pub signing_key: Option<SigningKey>,
    /// A Go template; empty: the default message.
    #[serde(default)]
    pub message_template: String,
    /// `.Values` of the template.
    #[serde(default)]
    pub message_template_values: BTreeMap<String, String>,
}

/// A name and an e-mail address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct CommitUser {
    /// The name.
    #[serde(default)]
    pub name: String,
    /// The address.
    #[serde(default)]
    pub email: String,
}

/// `spec.git.commit.signingKey` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    /// The Secret, in the automation's namespace.
    pub secret_ref: LocalReference,
    /// `gpg` (the default) or `ssh`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// `spec.git.push` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct PushSpec {
    /// The branch; empty: the checkout branch.
    #[serde(default)]
    pub branch: String,
    /// A second push with this refspec.
    #[serde(default)]
    pub refspec: String,
    /// Push options.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// `spec.update` of an ImageUpdateAutomation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UpdateStrategy {
    /// `Setters`, the API's default.
    #[serde(default = "setters")]
    pub strategy: String,
    /// The folder or file under the repository's root; empty: all of it.
    #[serde(default)]
    pub path: String,
}

impl Default for UpdateStrategy {
    fn default() -> Self {
        Self {
            strategy: setters(),
            path: String::new(),
        }
    }
}

fn setters() -> String {
    "Setters".into()
}

/// A label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// All of these labels.
    #[serde(default)]
    pub match_labels: BTreeMap<String, String>,
    /// And all of these requirements.
    #[serde(default)]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// One requirement of a label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct LabelSelectorRequirement {
    /// The label.
    #[serde(default)]
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    #[serde(default)]
    pub operator: String,
    /// The values of `In` and `NotIn`.
    #[serde(default)]
    pub values: Vec<String>,
}

/// `status` of an ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageUpdateAutomationStatus {
    /// Policy name to the image of the last run.
    pub observed_policies: Option<BTreeMap<String, ImageRef>>,
    /// `<branch>@sha1:<hash>` of the last run.
    #[serde(default)]
    pub observed_source_revision: String,
    /// When the last run was, RFC 3339.
    pub last_automation_run_time: Option<String>,
    /// When the last push was, RFC 3339.
    pub last_push_time: Option<String>,
    /// The commit of the last push.
    #[serde(default)]
    pub last_push_commit: String,
    /// The condition list.
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

/// `spec` of a GitRepository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GitRepositorySpec {
    /// How often it is fetched, a Go duration.
    pub interval: Option<String>,
    /// Nothing is fetched.
    #[serde(default)]
    pub suspend: bool,
    /// The repository's URL.
    #[serde(default)]
    pub url: String,
    /// The ref that source-controller follows.
    #[serde(rename = "ref")]
    pub reference: Option<GitReference>,
    /// The Secret with credentials.
    pub secret_ref: Option<LocalReference>,
    /// The Secret with an address and credentials of a proxy.
    pub proxy_secret_ref: Option<LocalReference>,
    /// `generic`, `aws`, `azure` or `github`.
    pub provider: Option<String>,
    /// The ServiceAccount whose cloud identity counts.
    pub service_account_name: Option<String>,
    /// The limit of git operations, a Go duration.
    pub timeout: Option<String>,
    /// Patterns of files that stay out of the artifact.
    pub ignore: Option<String>,
    /// Other sources whose artifacts are put into this one.
    #[serde(default)]
    pub include: Vec<serde_json::Value>,
    /// Submodules are fetched too.
    #[serde(default)]
    pub recurse_submodules: bool,
    /// The folders that are checked out; empty: all.
    #[serde(default)]
    pub sparse_checkout: Vec<String>,
}

/// The Flux minor release whose controllers' rules apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum FluxVersion {
    /// image-reflector-controller 0.35, image-automation-controller 0.41.
    V2_6,
    /// Both 1.0.
    V2_7,
    /// Both 1.1.
    V2_8,
    /// Both 1.2.
    #[default]
    V2_9,
}

impl fmt::Display for FluxVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V2_6 => "2.6",
            Self::V2_7 => "2.7",
            Self::V2_8 => "2.8",
            Self::V2_9 => "2.9",
        })
    }
}
