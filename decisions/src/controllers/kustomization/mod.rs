//! Mirrors the pure rules of kustomize-controller 1.9: `api/v1/kustomization_types.go`, and what its libraries
//! fluxcd/pkg/{kustomize,envsubst,ssa,sourceignore} decide before anything is built or sent.
//!
//! From a source's files to the objects that are sent: [`tree`] is what an artifact holds, [`reach`] which of its files a
//! Kustomization reads, [`generate`] the file that it builds from, [`substitution`] what happens to the built objects,
//! and [`apply`] how they are sent. [`answer`], [`drift`] and [`managed_fields`] read what the API server says.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::flux::{LocalReference, SourceReference};

pub mod answer;
pub mod apply;
pub mod drift;
pub mod envsubst;
pub mod file;
pub mod generate;
pub mod managed_fields;
pub mod normalize;
pub mod reach;
pub mod remote;
pub mod selector;
pub mod shape;
pub mod source_ignore;
pub mod substitution;
pub mod tree;
mod zero_values;

/// `kustomize.toolkit.fluxcd.io`
pub const GROUP: &str = "kustomize.toolkit.fluxcd.io";

/// The minor version of kustomize that the controller is built with.
pub const KUSTOMIZE_MINOR: (u64, u64) = (5, 8);

/// `spec` of a Kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizationSpec {
    /// The folder of the source that is built.
    pub path: String,
    /// The source.
    pub source_ref: SourceReference,
    /// How often it is applied, a Go duration.
    pub interval: Option<String>,
    /// Nothing is applied.
    pub suspend: bool,
    /// The namespace that all objects get.
    pub target_namespace: String,
    /// What every object's name starts with.
    pub name_prefix: String,
    /// What every object's name ends with.
    pub name_suffix: String,
    /// Labels and annotations of every object.
    pub common_metadata: Option<CommonMetadata>,
    /// Patches, each with `patch` and `target`.
    pub patches: Vec<Value>,
    /// Images to be changed, each with `name`, `newName`, `newTag` and `digest`.
    pub images: Vec<ImageChange>,
    /// Folders of kustomize Components, relative to the path.
    pub components: Vec<String>,
    /// Components that aren't there don't count.
    pub ignore_missing_components: bool,
    /// kustomize's `buildMetadata`.
    pub build_metadata: Vec<String>,
    /// What happens to the built objects.
    pub post_build: Option<PostBuild>,
    /// How encrypted files are decrypted.
    pub decryption: Option<Value>,
    /// Objects that are no longer built are deleted.
    pub prune: bool,
    /// An object whose immutable field changes is made anew.
    pub force: bool,
    /// Another cluster that the objects are applied to.
    pub kube_config: Option<Value>,
    /// The account that applies; empty: the controller's own, or its default.
    pub service_account_name: String,
    /// Fields that are left alone.
    pub ignore: Vec<IgnoreRule>,
}

/// `spec.commonMetadata` of a Kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CommonMetadata {
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
}

/// One of `spec.images` of a Kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageChange {
    /// The image that is changed.
    pub name: String,
    /// Its new name.
    pub new_name: String,
    /// Its new tag.
    pub new_tag: String,
    /// Its new digest.
    pub digest: String,
}

/// `spec.postBuild` of a Kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PostBuild {
    /// `WithVariables`, the default, or `Always`.
    pub substitute_strategy: String,
    /// Variables.
    pub substitute: BTreeMap<String, String>,
    /// Where more variables are.
    pub substitute_from: Vec<SubstituteReference>,
}

/// One of `spec.postBuild.substituteFrom` of a Kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default)]
pub struct SubstituteReference {
    /// `ConfigMap` or `Secret`.
    pub kind: String,
    /// Its name, in the Kustomization's namespace.
    pub name: String,
    /// It need not be there.
    pub optional: bool,
}

/// One of `spec.ignore` of a Kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IgnoreRule {
    /// JSON pointers.
    pub paths: Vec<String>,
    /// The objects; all where it is absent.
    pub target: Option<selector::Target>,
}

impl KustomizationSpec {
    /// The Secret or provider word of a Kustomization that is applied to another cluster.
    pub fn other_cluster(&self) -> Option<String> {
        let reference = self.kube_config.as_ref()?;
        let named: Option<LocalReference> = reference
            .get("secretRef")
            .or_else(|| reference.get("configMapRef"))
            .and_then(|reference| serde_json::from_value(reference.clone()).ok());
        Some(named.map(|named| named.name).unwrap_or_default())
    }
}
