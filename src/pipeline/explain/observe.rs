//! What the last hops are told from: Kustomizations, HelmReleases and what runs, read only where a chain gets so far.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use crate::controllers::delivery::{self, RELEASE_LABELS};
use crate::controllers::flux::ObjectKey;
use crate::facts::cluster::{Hidden, Kind, Objects};
use crate::failure::{Failure, FailureKind};
use crate::io::cluster::{Cluster, ClusterError, Scope};
use crate::pipeline::live::Reading;
use crate::pipeline::session::Session;

/// What the last hops are told from.
#[derive(Default)]
pub(in crate::pipeline) struct Delivered {
    /// Kustomizations, HelmReleases and workloads.
    pub(in crate::pipeline) objects: Objects,
    /// Remarks for the user.
    pub(super) notes: Vec<String>,
}

/// The Kustomizations that build from one of `sources`, the HelmReleases that they have applied, and the workloads of both,
/// with `workloads` besides. What may not be read is hidden.
///
/// # Errors
///
/// The cluster can't be asked.
pub(in crate::pipeline) fn delivered(
    sources: &BTreeSet<ObjectKey>,
    workloads: &[(Kind, ObjectKey)],
    session: &Session,
) -> Result<Delivered, Failure> {
    let cluster = session.cluster()?;
    let reading = read(sources, workloads, cluster);
    session.wait(FailureKind::Cluster, "reading the cluster", reading)?
}

/// The same, asked of `cluster`.
pub(super) async fn read(
    sources: &BTreeSet<ObjectKey>,
    workloads: &[(Kind, ObjectKey)],
    cluster: &Cluster,
) -> Result<Delivered, Failure> {
    let mut reading = Reading::default();
    kustomizations(sources, cluster, &mut reading).await?;
    reading.objects.kustomizations.retain(|_, kustomization| {
        sources
            .iter()
            .any(|source| delivery::builds(kustomization, source))
    });
    let mut wanted: BTreeSet<(Kind, ObjectKey)> = workloads.iter().cloned().collect();
    let mut releases = BTreeSet::new();
    for kustomization in reading.objects.kustomizations.values() {
        for object in delivery::applied(kustomization) {
            if object.kind == Kind::HelmRelease.name() && object.group == Kind::HelmRelease.group()
            {
                releases.insert((Kind::HelmRelease, object.key));
                continue;
            }
            let kind = Kind::WORKLOADS
                .into_iter()
                .find(|kind| kind.name() == object.kind && kind.group() == object.group);
            wanted.extend(kind.map(|kind| (kind, object.key)));
        }
    }
    reading.get(cluster, releases).await?;
    let lists: BTreeSet<(Kind, String)> = wanted
        .iter()
        .map(|(kind, key)| (*kind, key.namespace.clone()))
        .collect();
    list(lists, &wanted, cluster, &mut reading).await?;
    released(cluster, &mut reading).await?;
    Ok(Delivered {
        objects: reading.objects,
        notes: reading.notes,
    })
}

/// Where they may not be listed everywhere, those of the sources' namespaces must do.
async fn kustomizations(
    sources: &BTreeSet<ObjectKey>,
    cluster: &Cluster,
    reading: &mut Reading,
) -> Result<(), ClusterError> {
    let kind = Kind::Kustomization;
    let everywhere = cluster.list(kind, Scope::All, None).await;
    if !matches!(&everywhere, Err(ClusterError::Forbidden { .. })) {
        return reading.list(kind, Scope::All, everywhere);
    }
    let namespaces: BTreeSet<&str> = sources
        .iter()
        .map(|source| source.namespace.as_str())
        .collect();
    for namespace in namespaces {
        let scope = Scope::Namespace(namespace);
        let listed = cluster.list(kind, scope, None).await;
        reading.list(kind, scope, listed)?;
    }
    Ok(())
}

/// Lists workloads where there are wanted ones, and keeps these; one that stands alone in its namespace is read by name.
async fn list(
    lists: BTreeSet<(Kind, String)>,
    wanted: &BTreeSet<(Kind, ObjectKey)>,
    cluster: &Cluster,
    reading: &mut Reading,
) -> Result<(), ClusterError> {
    let (single, many): (Vec<_>, Vec<_>) = lists.into_iter().partition(|(kind, namespace)| {
        let same = |one: &&(Kind, ObjectKey)| one.0 == *kind && one.1.namespace == *namespace;
        wanted.iter().filter(same).count() == 1
    });
    let named: BTreeSet<(Kind, ObjectKey)> = wanted
        .iter()
        .filter(|(kind, key)| single.contains(&(*kind, key.namespace.clone())))
        .cloned()
        .collect();
    reading.get(cluster, named).await?;
    let answers = many.iter().map(|(kind, namespace)| async move {
        let scope = Scope::Namespace(namespace);
        cluster.list(*kind, scope, None).await
    });
    let answers = join_all(answers).await;
    for ((kind, namespace), answer) in many.iter().zip(answers) {
        reading.list(*kind, Scope::Namespace(namespace), answer)?;
    }
    reading
        .objects
        .workloads
        .retain(|place, _| wanted.contains(place));
    Ok(())
}

/// Reads the workloads of the HelmReleases by the labels that their controller gives.
async fn released(cluster: &Cluster, reading: &mut Reading) -> Result<(), ClusterError> {
    let [name, namespace] = RELEASE_LABELS;
    let releases: Vec<(String, String)> = reading
        .objects
        .helm_releases
        .values()
        .map(|release| {
            let selector = format!(
                "{name}={},{namespace}={}",
                release.key.name, release.key.namespace
            );
            (delivery::release_namespace(release).to_owned(), selector)
        })
        .collect();
    let questions = releases
        .iter()
        .flat_map(|release| Kind::WORKLOADS.map(|kind| (kind, release)));
    let questions: Vec<_> = questions.collect();
    let answers = questions.iter().map(|(kind, (namespace, selector))| {
        cluster.list(*kind, Scope::Namespace(namespace), Some(selector))
    });
    let answers = join_all(answers).await;
    for ((kind, (namespace, _)), answer) in questions.iter().zip(answers) {
        reading.list(*kind, Scope::Namespace(namespace), answer)?;
    }
    Ok(())
}

/// Why some of what was looked for is not known, in one sentence; `None`: all of it is.
pub(super) fn hidden(objects: &Objects, kind: Kind) -> Option<&Hidden> {
    objects.hidden.iter().find(|hidden| hidden.kind == kind)
}
