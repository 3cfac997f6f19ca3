//! Mirrors the API types of source-controller 1.9 (`GitRepository`'s status), kustomize-controller 1.9 (`Kustomization`) and
//! helm-controller 1.6 (`HelmRelease`), as far as they tell how a commit gets from the remote to the cluster.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::flux::{Condition, Object, ObjectKey};
pub use super::kustomization::KustomizationSpec;

/// A Kustomization of kustomize-controller.
pub type Kustomization = Object<KustomizationSpec, KustomizationStatus>;

/// A HelmRelease of helm-controller.
pub type HelmRelease = Object<HelmReleaseSpec, HelmReleaseStatus>;

/// The labels that helm-controller gives to every object of a release: its name and its namespace.
pub const RELEASE_LABELS: [&str; 2] = [
    "helm.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/namespace",
];

/// `spec` of a HelmRelease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmReleaseSpec {
    /// Nothing is released.
    pub suspend: bool,
    /// The namespace that objects without one get; empty: the HelmRelease's own.
    pub target_namespace: String,
}

/// `status` of a HelmRelease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmReleaseStatus {
    /// The generation that was released last.
    pub observed_generation: i64,
    /// The condition list.
    pub conditions: Vec<Condition>,
}

/// The namespace in which the objects of a release are.
pub fn release_namespace(release: &HelmRelease) -> &str {
    match release.spec.target_namespace.as_str() {
        "" => &release.key.namespace,
        target => target,
    }
}

/// `status` of a GitRepository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitRepositoryStatus {
    /// What was fetched last.
    pub artifact: Option<Artifact>,
    /// The condition list.
    pub conditions: Vec<Condition>,
}

/// `status.artifact` of a GitRepository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Artifact {
    /// `<ref>@sha1:<hash>`.
    pub revision: String,
    /// When it was fetched, RFC 3339.
    pub last_update_time: String,
}

/// `status` of a Kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizationStatus {
    /// The revision that was applied last.
    pub last_applied_revision: String,
    /// The revision that was tried last.
    pub last_attempted_revision: String,
    /// What is applied.
    pub inventory: Inventory,
    /// The condition list.
    pub conditions: Vec<Condition>,
}

/// `status.inventory` of a Kustomization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// One for each object.
    pub entries: Vec<InventoryEntry>,
}

/// An object that a Kustomization applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct InventoryEntry {
    /// `<namespace>_<name>_<group>_<kind>`.
    pub id: String,
}

/// An object that a Kustomization applied, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Applied {
    /// Namespace (perhaps empty) and name.
    pub key: ObjectKey,
    /// Its API group; empty for the core.
    pub group: String,
    /// Its kind.
    pub kind: String,
}

/// The objects that a Kustomization applied.
pub fn applied(kustomization: &Kustomization) -> BTreeSet<Applied> {
    let entries = &kustomization.status.inventory.entries;
    let parts = entries.iter().filter_map(|entry| {
        // No name holds an underscore but those of RBAC, whose colons are written as two.
        let mut parts = entry.id.rsplitn(3, '_');
        let (kind, group, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let (namespace, name) = rest.split_once('_')?;
        Some(Applied {
            key: ObjectKey::new(namespace, name),
            group: group.to_owned(),
            kind: kind.to_owned(),
        })
    });
    parts.collect()
}

/// The commit in a revision: of `main@sha1:<hash>`, of a bare `sha1:<hash>`, or of the older `main/<hash>`.
pub fn commit_of(revision: &str) -> Option<&str> {
    let hash = match revision.rsplit_once("sha1:") {
        Some((_, hash)) => hash,
        None => revision.rsplit_once('/').map_or(revision, |(_, hash)| hash),
    };
    (hash.len() >= 7 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(hash)
}

/// Whether the folder that a Kustomization builds holds the file at `path` (from the repository's top).
///
/// A file outside may still be built, through `resources` or `components` of another folder: this does not see that.
pub fn holds(kustomization: &Kustomization, path: &str) -> bool {
    let folder = kustomization.spec.path.trim_start_matches("./");
    let folder = folder.trim_matches('/');
    folder.is_empty()
        || folder == "."
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a Kustomization is built from the GitRepository `source`.
pub fn builds(kustomization: &Kustomization, source: &ObjectKey) -> bool {
    let reference = &kustomization.spec.source_ref;
    reference.kind == "GitRepository" && reference.key_from(&kustomization.key.namespace) == *source
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::flux::SourceReference;

    fn kustomization(path: &str) -> Kustomization {
        Kustomization {
            key: ObjectKey::new("flux-system", "apps"),
            spec: KustomizationSpec {
                path: path.into(),
                source_ref: SourceReference {
                    name: "gitops".into(),
                    ..Default::default()
                },
                ..Default::default()
            },
            ..Default::default()
        }
    }

    #[test]
    fn a_folder_holds_what_is_below_it() {
        for path in [
            "",
            "./",
            ".",
            "clusters",
            "./clusters/prod/",
            "/clusters/prod",
        ] {
            assert!(
                holds(&kustomization(path), "clusters/prod/app.yaml"),
                "{path}"
            );
        }
        for path in ["apps", "clusters/pro", "clusters/prod/app.yaml/x"] {
            assert!(
                !holds(&kustomization(path), "clusters/prod/app.yaml"),
                "{path}"
            );
        }
    }

    #[test]
    fn revisions_name_a_commit() {
        let hash = "90be1c47d0b4b8a6f6b3a2f7c6e1d5a4b3c2d1e0";
        for revision in [
            format!("main@sha1:{hash}"),
            format!("sha1:{hash}"),
            format!("main/{hash}"),
            format!("refs/pull/1/head@sha1:{hash}"),
        ] {
            assert_eq!(commit_of(&revision), Some(hash));
        }
        assert_eq!(commit_of(""), None);
        assert_eq!(commit_of("latest@sha256:x"), None);
    }

    #[test]
    fn an_inventory_names_objects() {
        let mut kustomization = kustomization("");
        kustomization.status.inventory.entries =
            ["shop_app_apps_Deployment", "_shop__Namespace", "odd"]
                .map(|id| InventoryEntry { id: id.into() })
                .into();
        let found: Vec<Applied> = applied(&kustomization).into_iter().collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].key, ObjectKey::new("", "shop"));
        assert_eq!(
            (found[1].group.as_str(), found[1].kind.as_str()),
            ("apps", "Deployment")
        );
    }

    #[test]
    fn a_source_is_compared_with_its_namespace() {
        assert!(builds(
            &kustomization(""),
            &ObjectKey::new("flux-system", "gitops")
        ));
        assert!(!builds(
            &kustomization(""),
            &ObjectKey::new("apps", "gitops")
        ));
    }
}
