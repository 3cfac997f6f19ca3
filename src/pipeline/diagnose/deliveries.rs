//! What becomes of a commit in the cluster, as far as the conditions of those who deliver it tell.

use std::collections::BTreeSet;

use crate::controllers::conditions::readiness;
use crate::controllers::flux::ObjectKey;
use crate::failure::Failure;
use crate::findings::{Finding, delivery};
use crate::pipeline::explain::observe;
use crate::pipeline::session::Session;
use crate::pipeline::stages::{Inputs, Preview};

/// Looks at the sources of the automations, and at what builds from them.
pub(super) fn look_at(
    inputs: &Inputs,
    previews: &[Preview],
    session: &Session,
) -> Result<Vec<Finding>, Failure> {
    let sources: BTreeSet<ObjectKey> = previews
        .iter()
        .map(|preview| preview.source.key.clone())
        .filter(|key| inputs.objects.git_repositories.contains_key(key))
        .collect();
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for key in &sources {
        let Some(source) = inputs.objects.git_repositories.get(key) else {
            continue;
        };
        if source.spec.suspend {
            found.push(delivery::suspended_delivery("GitRepository", key));
        }
        let state = readiness(&source.status.conditions);
        found.extend(delivery::source_fails(key, &state));
    }
    let delivered = observe::delivered(&sources, &[], session)?;
    found.extend(super::unreadable(&delivered.objects));
    for (key, kustomization) in &delivered.objects.kustomizations {
        if kustomization.spec.suspend {
            found.push(delivery::suspended_delivery("Kustomization", key));
        }
        let state = readiness(&kustomization.status.conditions);
        found.extend(delivery::apply_fails("Kustomization", key, &state));
    }
    for (key, release) in &delivered.objects.helm_releases {
        if release.spec.suspend {
            found.push(delivery::suspended_delivery("HelmRelease", key));
        }
        let state = readiness(&release.status.conditions);
        found.extend(delivery::apply_fails("HelmRelease", key, &state));
    }
    Ok(found)
}
