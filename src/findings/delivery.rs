//! Findings about what becomes of a commit: source-controller, kustomize-controller and helm-controller.

use crate::controllers::conditions::Readiness;
use crate::controllers::flux::ObjectKey;

use super::policies::suspended;
use super::{Finding, Severity, Subject};

/// `source-fails`: source-controller doesn't fetch what is pushed.
pub fn source_fails(key: &ObjectKey, state: &Readiness<'_>) -> Option<Finding> {
    fails("source-fails", "GitRepository", key, state).map(|finding| Finding {
        message: "source-controller does not fetch it: what is pushed does not arrive".into(),
        remedy: format!(
            "flux reconcile source git {} -n {}",
            key.name, key.namespace
        ),
        ..finding
    })
}

/// `apply-fails`: what is pushed is not applied by a Kustomization or a HelmRelease.
pub fn apply_fails(kind: &'static str, key: &ObjectKey, state: &Readiness<'_>) -> Option<Finding> {
    fails("apply-fails", kind, key, state).map(|finding| Finding {
        message: "what is pushed is not applied".into(),
        remedy: format!(
            "mend what the message names; flux reconcile {} {} -n {}",
            kind.to_lowercase(),
            key.name,
            key.namespace
        ),
        ..finding
    })
}

fn fails(
    id: &'static str,
    kind: &'static str,
    key: &ObjectKey,
    state: &Readiness<'_>,
) -> Option<Finding> {
    (state.ready == "False" && !state.reason.is_empty()).then(|| Finding {
        id,
        severity: Severity::of(id),
        subject: Subject::Object {
            kind,
            key: key.clone(),
        },
        message: String::new(),
        evidence: format!("{}: {}", state.reason, state.message),
        remedy: String::new(),
    })
}

/// `suspended` for an object that delivers.
pub fn suspended_delivery(kind: &'static str, key: &ObjectKey) -> Finding {
    let words = match kind {
        "GitRepository" => "source git",
        "Kustomization" => "kustomization",
        _ => "helmrelease",
    };
    Finding {
        remedy: format!("flux resume {words} {} -n {}", key.name, key.namespace),
        ..suspended(kind, key)
    }
}
