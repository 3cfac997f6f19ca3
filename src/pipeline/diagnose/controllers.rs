//! The health of the image controllers, as far as their Deployments, their Leases and the served API versions tell, and what they
//! don't look after.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::in_scope;
use crate::controllers::flux::{FluxVersion, Object, ObjectKey};
use crate::controllers::installation::{
    Controller, ControllerKind, ControllerProcess, Installation, ReleaseSource,
};
use crate::controllers::schedule::moment;
use crate::facts::cluster::{Kind, Lease};
use crate::failure::{Failure, FailureKind};
use crate::findings::{Finding, installation};
use crate::go::age;
use crate::io::cluster::{Cluster, ClusterError, Scope};
use crate::pipeline::request::{ObjectRequest, Request};
use crate::pipeline::session::Session;
use crate::pipeline::stages::Inputs;

/// Asks the cluster how the image controllers are.
pub(super) fn health(
    request: &ObjectRequest,
    installation: &Installation,
    session: &Session,
) -> Result<Vec<Finding>, Failure> {
    let cluster = session.cluster()?;
    session.wait(
        FailureKind::Cluster,
        "asking for the controllers",
        ask(request, installation, cluster, session.now),
    )?
}

async fn ask(
    request: &ObjectRequest,
    installation: &Installation,
    cluster: &Cluster,
    now: Timestamp,
) -> Result<Vec<Finding>, Failure> {
    let (found, served) = tokio::join!(
        deployments(request, cluster, now),
        served(installation, cluster)
    );
    let mut found = found?;
    found.extend(served?);
    Ok(found)
}

async fn deployments(
    request: &ObjectRequest,
    cluster: &Cluster,
    now: Timestamp,
) -> Result<Vec<Finding>, Failure> {
    let mut found = Vec::new();
    let flux = Scope::Namespace(&request.flux_namespace);
    let mut processes = cluster.controllers(flux).await;
    if matches!(&processes, Ok(processes) if processes.is_empty()) {
        processes = cluster.controllers(Scope::All).await;
    }
    let processes = match processes {
        Ok(processes) => processes,
        Err(error) if error.is_about_one_kind() => {
            found.push(installation::unreadable(
                "apps",
                "deployments",
                &["get", "list"],
                &request.flux_namespace,
                &error.to_string(),
            ));
            return Ok(found);
        }
        Err(error) => return Err(error.into()),
    };
    for kind in ControllerKind::ALL {
        let running: Vec<&ControllerProcess> = of_kind(&processes, kind).collect();
        if running.is_empty() {
            found.push(installation::controller_missing(
                kind,
                &request.flux_namespace,
            ));
        }
        for process in running {
            let unready = unready(kind, process);
            let is_ready = unready.is_none();
            found.extend(unready);
            if is_ready {
                let stuck = lease(kind, process, cluster, now).await?;
                found.extend(stuck);
            }
        }
    }
    found.extend(different_releases(&processes));
    Ok(found)
}

fn of_kind(
    processes: &[ControllerProcess],
    kind: ControllerKind,
) -> impl Iterator<Item = &ControllerProcess> {
    processes
        .iter()
        .filter(move |process| process.kind() == Some(kind))
}

/// Why a controller does not run, if it doesn't.
fn unready(kind: ControllerKind, process: &ControllerProcess) -> Option<Finding> {
    let (namespace, name) = (&process.namespace, &process.name);
    if let Err(why) = process.controller(kind) {
        return Some(installation::controller_flag_refused(
            kind, namespace, name, &why,
        ));
    }
    let pods = process.pods?;
    installation::controller_not_ready(kind, namespace, name, pods)
}

/// The controllers of an older release beside those of a newer one, as far as their images tell.
fn different_releases(processes: &[ControllerProcess]) -> Option<Finding> {
    let told = |process: &'_ ControllerProcess| {
        let kind = process.kind()?;
        let controller = process.controller(kind).ok()?;
        let version = controller.version.clone()?;
        (controller.release_from == ReleaseSource::Image).then_some((
            kind,
            version,
            controller.release,
        ))
    };
    let known = processes
        .iter()
        .filter_map(|process| Some((process, told(process)?)));
    let known: Vec<_> = known.collect();
    let release = |(_, (_, _, release)): &&(_, (ControllerKind, String, FluxVersion))| *release;
    let (process, older) = known.iter().min_by_key(release)?;
    let (_, newer) = known.iter().max_by_key(release)?;
    (older.2 < newer.2).then(|| {
        installation::controller_versions_differ(
            (&process.namespace, &process.name),
            (older.0, &older.1, older.2),
            (newer.0, &newer.1, newer.2),
        )
    })
}

/// Whether the image objects are served in a version that the controllers know.
async fn served(installation: &Installation, cluster: &Cluster) -> Result<Vec<Finding>, Failure> {
    let kinds = [
        Kind::ImageRepository,
        Kind::ImagePolicy,
        Kind::ImageUpdateAutomation,
    ];
    let served = match cluster.served_versions_of(kinds).await {
        Ok(served) => served,
        Err(error) if error.is_about_one_kind() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let newest = |controllers: &[Controller]| {
        let releases = controllers.iter().map(|controller| controller.release);
        releases.max().unwrap_or_default()
    };
    let reflector = newest(&installation.reflectors);
    let rules = [reflector, reflector, newest(&installation.automations)];
    let each = kinds.iter().zip(&served).zip(rules);
    let found = each.filter_map(|((kind, served), rules)| {
        let resource = format!("{}.{}", kind.plural(), kind.group());
        installation::only_old_versions_served(&resource, served, rules)
    });
    Ok(found.collect())
}

/// The objects in scope that no controller looks after.
pub(super) fn not_watched(request: &Request, inputs: &Inputs) -> Vec<Finding> {
    let Installation {
        reflectors,
        automations,
    } = &inputs.installation;
    let objects = &inputs.objects;
    let (reflector, automation) = (ControllerKind::Reflector, ControllerKind::Automation);
    let repositories = not_watched_by(request, &objects.repositories, reflectors);
    let repositories = repositories.map(|(key, flags)| ("ImageRepository", key, reflector, flags));
    let policies = not_watched_by(request, &objects.policies, reflectors);
    let policies = policies.map(|(key, flags)| ("ImagePolicy", key, reflector, flags));
    let updates = not_watched_by(request, &objects.automations, automations);
    let updates = updates.map(|(key, flags)| ("ImageUpdateAutomation", key, automation, flags));
    repositories
        .chain(policies)
        .chain(updates)
        .map(|(kind, key, controller, flags)| {
            installation::object_not_watched(kind, key, controller, &flags)
        })
        .collect()
}

fn not_watched_by<'a, Spec, Status>(
    request: &'a Request,
    objects: &'a BTreeMap<ObjectKey, Object<Spec, Status>>,
    controllers: &'a [Controller],
) -> impl Iterator<Item = (&'a ObjectKey, Vec<String>)> {
    in_scope(request, objects).filter_map(|object| {
        let key = &object.key;
        let mut watching = controllers.iter();
        let watched = watching.any(|controller| controller.watches(&key.namespace, &object.labels));
        (!watched).then(|| (key, controllers.iter().map(Controller::watched).collect()))
    })
}

async fn lease(
    kind: ControllerKind,
    process: &ControllerProcess,
    cluster: &Cluster,
    now: Timestamp,
) -> Result<Option<Finding>, Failure> {
    let Some(name) = process.lease_name(kind) else {
        return Ok(None);
    };
    let key = ObjectKey::new(process.namespace.clone(), name);
    match cluster.lease(&key).await {
        Ok(lease) => Ok(lease.and_then(|lease| stuck(&key, &lease, now))),
        Err(ClusterError::Forbidden { message, .. }) => Ok(Some(installation::unreadable(
            "coordination.k8s.io",
            "leases",
            &["get"],
            &process.namespace,
            &message,
        ))),
        Err(error) if error.is_about_one_kind() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A lease that has a holder and has not been renewed for three of its durations.
fn stuck(key: &ObjectKey, lease: &Lease, now: Timestamp) -> Option<Finding> {
    let renewed = moment(&lease.renewed)?;
    let late = now.duration_since(renewed).as_secs();
    let allowed = i64::from(lease.duration_seconds).saturating_mul(3).max(60);
    (late > allowed && !lease.holder.is_empty())
        .then(|| installation::lease_stuck(key, &lease.holder, &age::since(renewed, now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_is_renewed_is_fine() {
        let now: Timestamp = "2026-01-01T10:00:00Z".parse().unwrap();
        let lease = |renewed: &str, holder: &str| Lease {
            holder: holder.into(),
            renewed: renewed.into(),
            duration_seconds: 35,
        };
        let key = ObjectKey::new("flux-system", "l");
        let id = |lease: &Lease| stuck(&key, lease, now).map(|found| found.id);
        assert_eq!(id(&lease("2026-01-01T09:59:30.000000Z", "pod")), None);
        assert_eq!(
            id(&lease("2026-01-01T09:50:00.000000Z", "pod")),
            Some("lease-stuck")
        );
        assert_eq!(id(&lease("2026-01-01T09:50:00.000000Z", "")), None);
    }
}
