//! What runs of an image behind a file of a source.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::controllers::delivery;
use crate::controllers::flux::{GitRepository, ObjectKey};
use crate::facts::cluster::{Kind, Objects};

use super::delivery::{Hops, tag_of};

/// The place that runs something.
pub(in crate::pipeline) struct Behind<'a> {
    /// The GitRepository.
    pub(in crate::pipeline) source: &'a ObjectKey,
    /// A file from the repository's top.
    pub(in crate::pipeline) path: &'a str,
    /// The object in it, as kind and name.
    pub(in crate::pipeline) object: Option<(&'a str, &'a str)>,
}

/// The tags of `image` that run behind a place, sorted: in its own workload where it is one, else in all that was applied with it.
/// None: nothing of it is seen.
pub(in crate::pipeline) fn tags(
    behind: &Behind<'_>,
    image: &str,
    sources: &BTreeMap<ObjectKey, GitRepository>,
    delivered: &Objects,
) -> Option<Vec<String>> {
    let hops = Hops {
        sources,
        delivered,
        named: &[],
        now: Timestamp::UNIX_EPOCH,
    };
    let holding: Vec<_> = delivered
        .kustomizations
        .values()
        .filter(|kustomization| {
            delivery::builds(kustomization, behind.source)
                && delivery::holds(kustomization, behind.path)
        })
        .collect();
    let mut own = BTreeSet::new();
    let mut all = BTreeSet::new();
    for ((kind, key), workload) in &delivered.workloads {
        if !hops.is_behind(&holding, *kind, key, workload) {
            continue;
        }
        let tags = workload
            .containers
            .iter()
            .filter_map(|container| tag_of(&container.image, image));
        let tags: BTreeSet<String> = tags.collect();
        let release = delivered
            .helm_releases
            .values()
            .find(|release| super::delivery::is_of(workload, release));
        let is_own = behind.object.is_some_and(|(of_kind, name)| {
            (of_kind == kind.name() && name == key.name)
                || (of_kind == Kind::HelmRelease.name()
                    && release.is_some_and(|release| release.key.name == name))
        });
        if is_own {
            own.extend(tags.iter().cloned());
        }
        all.extend(tags);
    }
    let seen = if own.is_empty() { all } else { own };
    (!seen.is_empty()).then(|| seen.into_iter().collect())
}
