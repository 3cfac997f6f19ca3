//! The Flux objects that a run knows, from a cluster or from manifests.

use std::collections::BTreeMap;

use crate::controllers::flux::{
    GitRepository, ImagePolicy, ImageRepository, ImageUpdateAutomation, ObjectKey,
};

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
    /// Labels of the Namespaces, by name.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
}

impl Objects {
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
    /// Encrypted (SOPS, for example): counts as one that may not be read.
    Encrypted,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Readable { kind, data } => formatter
                .debug_struct("Secret")
                .field("kind", kind)
                .field("keys", &data.keys())
                .finish(),
            Self::Encrypted => formatter.write_str("Secret(encrypted)"),
        }
    }
}
