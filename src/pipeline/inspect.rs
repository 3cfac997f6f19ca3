//! What runs in a cluster: for `version --live`.

use crate::controllers::installation::{Controller, ControllerKind};
use crate::facts::cluster::Kind;
use crate::failure::{Failure, FailureKind};
use crate::io::cluster::{Cluster, ClusterError, Scope};

use super::session::Session;
use super::stages::{LiveVersions, RunningController, ServedVersions};

/// Asks the session's cluster for its version, the APIs that matter, and the image controllers in `flux_namespace`, or
/// in all namespaces if there are none.
///
/// # Errors
///
/// The cluster can't be asked; what is forbidden stands in the result.
pub fn inspect(flux_namespace: &str, session: &Session) -> Result<LiveVersions, Failure> {
    let cluster = session.cluster()?;
    session.wait(
        FailureKind::Cluster,
        "reading the cluster",
        ask(flux_namespace, cluster),
    )?
}

async fn ask(flux_namespace: &str, cluster: &Cluster) -> Result<LiveVersions, Failure> {
    let kinds = [
        Kind::ImageRepository,
        Kind::ImagePolicy,
        Kind::ImageUpdateAutomation,
    ];
    let (kubernetes, controllers, served) = tokio::join!(
        cluster.kubernetes_version(),
        controllers(flux_namespace, cluster),
        cluster.served_versions_of(kinds),
    );
    let mut versions = LiveVersions {
        context: cluster.context().map(str::to_owned),
        server: cluster.server(),
        kubernetes: None,
        controllers: Vec::new(),
        served: Vec::new(),
        failures: Vec::new(),
    };
    versions.kubernetes = permitted(kubernetes, &mut versions.failures)?.flatten();
    versions.controllers = permitted(controllers, &mut versions.failures)?.unwrap_or_default();
    if let Some(served) = permitted(served, &mut versions.failures)? {
        let each = kinds.into_iter().zip(served);
        versions.served = each
            .map(|(kind, versions)| ServedVersions { kind, versions })
            .collect();
    }
    Ok(versions)
}

/// An answer that may be forbidden without ending the run.
fn permitted<T>(
    answer: Result<T, ClusterError>,
    failures: &mut Vec<Failure>,
) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_about_one_kind() => {
            failures.push(error.into());
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

async fn controllers(
    flux_namespace: &str,
    cluster: &Cluster,
) -> Result<Vec<RunningController>, ClusterError> {
    let mut processes = cluster
        .controllers(Scope::Namespace(flux_namespace))
        .await?;
    if processes.is_empty() {
        processes = cluster.controllers(Scope::All).await?;
    }
    let running = processes.into_iter().filter_map(|process| {
        let kind: ControllerKind = process.kind()?;
        let settings: Result<Controller, String> = process.controller(kind);
        Some(RunningController {
            kind,
            process,
            settings,
        })
    });
    Ok(running.collect())
}
