//! When an automation is done at the latest, counted from a merge.

use std::time::Duration;

use crate::controllers::flux::{ImagePolicy, ObjectKey};
use crate::controllers::schedule::interval;
use crate::pipeline::diagnose::repository_of;
use crate::pipeline::stages::Inputs;

/// When something is done at the latest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// So long after the merge.
    Within(Duration),
    /// So long after the changed objects are applied, which takes nobody knows how long.
    AfterApply(Duration),
    /// Not as things stand, and why.
    Never(String),
    /// An interval that it hangs on is not known.
    Unknown,
}

/// When `automation` has set what `policy` chooses: at its next run; where objects change, they have to be fetched and applied first.
///
/// Kustomizations apply what their source has fetched at once, and a new choice starts the automation, so that intervals bound it.
pub(super) fn due(
    here: &Inputs,
    there: &Inputs,
    automation: &ObjectKey,
    policy: &ObjectKey,
) -> Due {
    let objects = &here.objects;
    let Some(found) = objects.automations.get(automation) else {
        return Due::Unknown;
    };
    if found.spec.suspend {
        return Due::Never("the automation is suspended".into());
    }
    let Some(run) = interval(found.spec.interval.as_deref()) else {
        return Due::Unknown;
    };
    let repository = |inputs: &Inputs, policy: &ImagePolicy| {
        let repositories = &inputs.objects.repositories;
        repositories.get(&repository_of(policy)).cloned()
    };
    let chosen = |inputs: &Inputs| {
        let policy = inputs.objects.policies.get(policy)?.clone();
        let repository = repository(inputs, &policy);
        Some((policy, repository))
    };
    let same =
        there.objects.automations.get(automation) == Some(found) && chosen(here) == chosen(there);
    if same {
        return Due::Within(run);
    }
    let source = objects
        .git_repositories
        .get(&found.spec.source_ref.key_from(&automation.namespace));
    match source {
        Some(source) if source.spec.suspend => {
            Due::Never(format!("GitRepository {} is suspended", source.key))
        }
        Some(source) => match interval(source.spec.interval.as_deref()) {
            Some(fetch) => Due::Within(fetch.saturating_add(run)),
            None => Due::AfterApply(run),
        },
        None => Due::AfterApply(run),
    }
}
