//! The Flux objects that a run knows, from a cluster or from manifests.

use std::collections::BTreeMap;

use crate::controllers::delivery::{HelmRelease, Kustomization};
use crate::controllers::flux::{
    self, GitRepository, ImagePolicy, ImageRepository, ImageUpdateAutomation, ObjectKey,
};

/// The kinds of object that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Which tags exist.
    ImageRepository,
    /// Which of them is the latest.
    ImagePolicy,
    /// What becomes of it.
    ImageUpdateAutomation,
    /// Where the files are.
    GitRepository,
    /// Credentials.
    Secret,
    /// Whose pull secrets count.
    ServiceAccount,
    /// Whose labels grant access.
    Namespace,
    /// What applies files to the cluster.
    Kustomization,
    /// What releases a chart to the cluster.
    HelmRelease,
    /// What runs images.
    Deployment,
    /// What runs images.
    StatefulSet,
    /// What runs images.
    DaemonSet,
    /// What runs images.
    CronJob,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::ImageRepository,
        Self::ImagePolicy,
        Self::ImageUpdateAutomation,
        Self::GitRepository,
        Self::Secret,
        Self::ServiceAccount,
        Self::Namespace,
        Self::Kustomization,
        Self::HelmRelease,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::CronJob,
    ];

    /// The kinds that run images.
    pub const WORKLOADS: [Self; 4] = [
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::CronJob,
    ];

    /// The kind that `apiVersion` and `kind` of an object in manifests mean, if it is one that is read there.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let all = [
            Self::ImageRepository,
            Self::ImagePolicy,
            Self::ImageUpdateAutomation,
            Self::GitRepository,
            Self::Secret,
            Self::ServiceAccount,
            Self::Namespace,
        ];
        all.into_iter()
            .find(|known| known.name() == kind && known.group() == group)
    }

    /// `ImagePolicy` and the like.
    pub fn name(self) -> &'static str {
        match self {
            Self::ImageRepository => "ImageRepository",
            Self::ImagePolicy => "ImagePolicy",
            Self::ImageUpdateAutomation => "ImageUpdateAutomation",
            Self::GitRepository => "GitRepository",
            Self::Secret => "Secret",
            Self::ServiceAccount => "ServiceAccount",
            Self::Namespace => "Namespace",
            Self::Kustomization => "Kustomization",
            Self::HelmRelease => "HelmRelease",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::CronJob => "CronJob",
        }
    }

    /// The resource, as paths and RBAC rules name it.
    pub fn plural(self) -> &'static str {
        match self {
            Self::ImageRepository => "imagerepositories",
            Self::ImagePolicy => "imagepolicies",
            Self::ImageUpdateAutomation => "imageupdateautomations",
            Self::GitRepository => "gitrepositories",
            Self::Secret => "secrets",
            Self::ServiceAccount => "serviceaccounts",
            Self::Namespace => "namespaces",
            Self::Kustomization => "kustomizations",
            Self::HelmRelease => "helmreleases",
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
            Self::CronJob => "cronjobs",
        }
    }

    /// The API group; empty for the core.
    pub fn group(self) -> &'static str {
        match self {
            Self::ImageRepository | Self::ImagePolicy | Self::ImageUpdateAutomation => {
                flux::IMAGE_GROUP
            }
            Self::GitRepository => flux::SOURCE_GROUP,
            Self::Kustomization => "kustomize.toolkit.fluxcd.io",
            Self::HelmRelease => "helm.toolkit.fluxcd.io",
            Self::Deployment | Self::StatefulSet | Self::DaemonSet => "apps",
            Self::CronJob => "batch",
            Self::Secret | Self::ServiceAccount | Self::Namespace => "",
        }
    }

    /// The API versions that are read, newest first.
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Self::ImageRepository | Self::ImagePolicy | Self::ImageUpdateAutomation => {
                &["v1", "v1beta2", "v1beta1"]
            }
            Self::GitRepository | Self::Kustomization => &["v1", "v1beta2"],
            Self::HelmRelease => &["v2", "v2beta2", "v2beta1"],
            _ => &["v1"],
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Objects by kind and key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objects {
    /// ImageRepositories.
    pub repositories: BTreeMap<ObjectKey, ImageRepository>,
    /// ImagePolicies.
    pub policies: BTreeMap<ObjectKey, ImagePolicy>,
    /// ImageUpdateAutomations.
    pub automations: BTreeMap<ObjectKey, ImageUpdateAutomation>,
    /// GitRepositories.
    pub git_repositories: BTreeMap<ObjectKey, GitRepository>,
    /// Secrets.
    pub secrets: BTreeMap<ObjectKey, Secret>,
    /// ServiceAccounts.
    pub service_accounts: BTreeMap<ObjectKey, ServiceAccount>,
    /// Labels of the Namespaces, by name.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Kustomizations.
    pub kustomizations: BTreeMap<ObjectKey, Kustomization>,
    /// HelmReleases.
    pub helm_releases: BTreeMap<ObjectKey, HelmRelease>,
    /// What runs images.
    pub workloads: BTreeMap<(Kind, ObjectKey), Workload>,
    /// What the cluster did not let us read.
    pub hidden: Vec<Hidden>,
}

/// An object that runs images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// The images of its containers, init containers included, with their names.
    pub containers: Vec<Container>,
    /// How many of its pods are ready, and how many there should be; none for a CronJob.
    pub pods: Option<(u64, u64)>,
    /// When its last rollout was over, RFC 3339, where it tells.
    pub since: Option<String>,
}

/// A container of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image, as it is written.
    pub image: String,
}

/// By what one of a controller's pods works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// The pod that holds it, or empty.
    pub holder: String,
    /// When it was last renewed, RFC 3339; empty: never.
    pub renewed: String,
    /// How long it is good for without being renewed.
    pub duration_seconds: u32,
}

/// Objects that may be there but could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Their kind.
    pub kind: Kind,
    /// Their namespace; none: all of them.
    pub namespace: Option<String>,
    /// The one object; none: all of the namespace.
    pub name: Option<String>,
    /// Why, as one paragraph.
    pub why: String,
    /// Whether that is a matter of rights.
    pub forbidden: bool,
}

impl Hidden {
    fn covers(&self, kind: Kind, key: &ObjectKey) -> bool {
        let same =
            |part: &Option<String>, whole: &str| part.as_deref().is_none_or(|part| part == whole);
        self.kind == kind && same(&self.namespace, &key.namespace) && same(&self.name, &key.name)
    }
}

impl Objects {
    /// Why an object that isn't here may be there all the same; `None`: it isn't there.
    pub fn hidden(&self, kind: Kind, key: &ObjectKey) -> Option<&str> {
        self.hidden
            .iter()
            .find(|hidden| hidden.covers(kind, key))
            .map(|hidden| hidden.why.as_str())
    }

    /// Why the objects of a kind in `namespace` could not be listed; `None`: they could.
    pub fn hidden_in(&self, kind: Kind, namespace: &str) -> Option<&str> {
        let whole = |hidden: &&Hidden| {
            hidden.kind == kind
                && hidden.name.is_none()
                && hidden
                    .namespace
                    .as_deref()
                    .is_none_or(|hidden| hidden == namespace)
        };
        self.hidden
            .iter()
            .find(whole)
            .map(|hidden| hidden.why.as_str())
    }

    /// Whether any image object is of an API version that current controllers no longer serve.
    pub fn any_old_image_object(&self) -> bool {
        let versions = self.repositories.values().map(|object| &object.api_version);
        let versions = versions.chain(self.policies.values().map(|object| &object.api_version));
        let mut versions =
            versions.chain(self.automations.values().map(|object| &object.api_version));
        versions.any(|version| version.ends_with("/v1beta1") || version.ends_with("/v1beta2"))
    }

    /// The namespaces of all automations, policies and repositories, sorted.
    pub fn image_namespaces(&self) -> Vec<&str> {
        let keys = self
            .repositories
            .keys()
            .chain(self.policies.keys())
            .chain(self.automations.keys());
        let mut namespaces: Vec<&str> = keys.map(|key| key.namespace.as_str()).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        namespaces
    }
}

/// What a look-up of one object by name gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// It is there.
    Found(T),
    /// It isn't there.
    Missing,
    /// It may be there, but it can't be seen from here.
    Hidden {
        /// Why, as a sentence without a full stop: `Secret ns/name is encrypted`.
        why: String,
    },
}

/// A ServiceAccount, as far as registries are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAccount {
    /// The names of its `imagePullSecrets`, in order.
    pub image_pull_secrets: Vec<String>,
}

/// A Secret; its values never leave this struct by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Readable: its type and decoded data.
    Readable {
        /// `kubernetes.io/dockerconfigjson` and the like.
        kind: String,
        /// Key to bytes.
        data: BTreeMap<String, Vec<u8>>,
    },
    /// What it holds is not known from here: counts as one that may not be read.
    Closed(Closed),
}

/// Why it is not known what a Secret holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Encrypted, with SOPS for example.
    Encrypted,
    /// A manifest with `${NAME}`, which a Flux Kustomization fills in.
    Variables,
}

impl Closed {
    /// The sentence about the Secret of this name, without a full stop.
    pub fn says(self, key: &ObjectKey) -> String {
        match self {
            Self::Encrypted => format!("Secret {key} is encrypted"),
            Self::Variables => {
                format!("Secret {key} has variables that a Flux Kustomization fills in")
            }
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Readable { kind, data } => formatter
                .debug_struct("Secret")
                .field("kind", kind)
                .field("keys", &data.keys())
                .finish(),
            Self::Closed(why) => write!(formatter, "Secret({why:?})"),
        }
    }
}
