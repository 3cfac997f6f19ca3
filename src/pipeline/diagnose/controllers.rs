//! The health of the image controllers, as far as their Deployments and Leases tell.

use jiff::Timestamp;

use crate::controllers::flux::ObjectKey;
use crate::controllers::installation::{ControllerKind, ControllerProcess};
use crate::controllers::schedule::moment;
use crate::facts::cluster::Lease;
use crate::failure::{Failure, FailureKind};
use crate::findings::{Finding, installation};
use crate::go::age;
use crate::io::cluster::{Cluster, ClusterError, Scope};
use crate::pipeline::request::ObjectRequest;
use crate::pipeline::session::Session;

/// Asks the cluster how the image controllers are.
pub(super) fn health(request: &ObjectRequest, session: &Session) -> Result<Vec<Finding>, Failure> {
    let cluster = session.cluster()?;
    session.wait(
        FailureKind::Cluster,
        "asking for the controllers",
        ask(request, cluster, session.now),
    )?
}

async fn ask(
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
        let running: Vec<&ControllerProcess> = processes
            .iter()
            .filter(|process| process.kind() == Some(kind))
            .collect();
        if running.is_empty() {
            found.push(installation::controller_missing(
                kind,
                &request.flux_namespace,
            ));
        }
        for process in running {
            let unready = process.pods.and_then(|pods| {
                installation::controller_not_ready(kind, &process.namespace, &process.name, pods)
            });
            let is_ready = unready.is_none();
            found.extend(unready);
            if is_ready {
                let stuck = lease(kind, process, cluster, now).await?;
                found.extend(stuck);
            }
        }
    }
    Ok(found)
}

async fn lease(
    kind: ControllerKind,
    process: &ControllerProcess,
    cluster: &Cluster,
    now: Timestamp,
) -> Result<Option<Finding>, Failure> {
    let key = ObjectKey::new(
        process.namespace.clone(),
        format!("{}-leader-election", kind.name()),
    );
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
