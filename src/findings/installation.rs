//! Findings about the controllers that run, the API that is served, and what we may read.

use std::collections::BTreeSet;

use crate::controllers::flux::{FluxVersion, ObjectKey};
use crate::controllers::installation::ControllerKind;
use crate::facts::cluster::{Hidden, Kind};

use super::{Finding, Severity, Subject};

fn deployment(namespace: &str, name: &str) -> Subject {
    Subject::Object {
        kind: "Deployment",
        key: ObjectKey::new(namespace, name),
    }
}

/// `controller-missing`: no Deployment of an image controller is there.
pub fn controller_missing(kind: ControllerKind, namespace: &str) -> Finding {
    Finding {
        id: "controller-missing",
        severity: Severity::of("controller-missing"),
        subject: deployment(namespace, kind.name()),
        message: format!(
            "no {} runs in the cluster: nothing {}",
            kind.name(),
            match kind {
                ControllerKind::Reflector => "is scanned or chosen",
                ControllerKind::Automation => "is committed",
            }
        ),
        evidence: "no Deployment has a container of its image".into(),
        remedy: format!(
            "flux install --components-extra=image-reflector-controller,image-automation-controller -n {namespace}, or add them to the bootstrap"
        ),
    }
}

/// `controller-not-ready`: the controller's pods are not ready.
pub fn controller_not_ready(
    kind: ControllerKind,
    namespace: &str,
    name: &str,
    (ready, wanted): (u64, u64),
) -> Option<Finding> {
    let scaled = wanted == 0;
    if ready >= wanted && !scaled {
        return None;
    }
    Some(Finding {
        id: "controller-not-ready",
        severity: Severity::of("controller-not-ready"),
        subject: deployment(namespace, name),
        message: if scaled {
            format!("{} is scaled to 0: nothing happens", kind.name())
        } else {
            format!("{ready} of {wanted} pods of {} are ready", kind.name())
        },
        evidence: format!("status.readyReplicas: {ready}, spec.replicas: {wanted}"),
        remedy: if scaled {
            format!("kubectl scale deployment/{name} -n {namespace} --replicas=1")
        } else {
            format!(
                "kubectl describe deployment/{name} -n {namespace}; kubectl logs deployment/{name} -n {namespace}"
            )
        },
    })
}

/// `controller-not-ready`: the controller does not start with one of its flags.
pub fn controller_flag_refused(
    kind: ControllerKind,
    namespace: &str,
    name: &str,
    why: &str,
) -> Finding {
    Finding {
        id: "controller-not-ready",
        severity: Severity::of("controller-not-ready"),
        subject: deployment(namespace, name),
        message: format!("{} does not start with one of its flags", kind.name()),
        evidence: why.to_owned(),
        remedy: format!("kubectl edit deployment/{name} -n {namespace}, and correct the flag"),
    }
}

/// `controller-versions-differ`: the two controllers belong to different releases of Flux. `subject` is the older one's namespace and
/// Deployment; the versions are those that their images tell.
pub fn controller_versions_differ(
    subject: (&str, &str),
    older: (ControllerKind, &str, FluxVersion),
    newer: (ControllerKind, &str, FluxVersion),
) -> Finding {
    let (namespace, name) = subject;
    let told = |(kind, version, release): (ControllerKind, &str, FluxVersion)| {
        format!("{} {version} is of Flux {release}", kind.name())
    };
    Finding {
        id: "controller-versions-differ",
        severity: Severity::of("controller-versions-differ"),
        subject: deployment(namespace, name),
        message: format!(
            "the image controllers are of different releases, which are not tested together: {}, {}",
            told(older),
            told(newer)
        ),
        evidence: format!("{}; {}", told(older), told(newer)),
        remedy: "install both from one release: flux install --components-extra=image-reflector-controller,image-automation-controller, or the bootstrap".into(),
    }
}

/// `object-not-watched`: no controller of the kind looks after the object; `flags` are those that leave it out.
pub fn object_not_watched(
    kind: &'static str,
    key: &ObjectKey,
    controller: ControllerKind,
    flags: &[String],
) -> Finding {
    Finding {
        id: "object-not-watched",
        severity: Severity::of("object-not-watched"),
        subject: Subject::Object {
            kind,
            key: key.clone(),
        },
        message: format!(
            "no {} looks after it: nothing happens, and its status stays as it is",
            controller.name()
        ),
        evidence: format!("{}: {}", controller.name(), flags.join("; ")),
        remedy: "give the object the labels that the flag asks for, or run a controller that looks after it".into(),
    }
}

/// `api-version-removed`: the cluster serves a kind only in versions that newer releases, or the one that runs, no longer know.
pub fn only_old_versions_served(
    resource: &str,
    served: &[&str],
    rules: FluxVersion,
) -> Option<Finding> {
    if served.is_empty() || served.contains(&"v1") {
        return None;
    }
    let removed = if served.contains(&"v1beta2") {
        FluxVersion::V2_9
    } else {
        FluxVersion::V2_7
    };
    let gone = rules >= removed;
    let versions = served.join(", ");
    Some(Finding {
        id: "api-version-removed",
        severity: Severity::of("api-version-removed"),
        subject: Subject::Object {
            kind: "CustomResourceDefinition",
            key: ObjectKey::new("", resource),
        },
        message: if gone {
            format!(
                "the cluster serves it in {versions} only, and the controller of Flux {rules} wants v1"
            )
        } else {
            format!(
                "the cluster serves it in {versions} only, which Flux {removed} no longer knows"
            )
        },
        evidence: format!("versions that are served: {versions}"),
        remedy: if gone {
            "install the definitions of the release that runs: flux install".into()
        } else {
            "update Flux to a release that serves v1 as well (2.7 or 2.8), and run flux migrate before the next".to_owned()
        },
    })
}

/// `lease-stuck`: the lease by which one of the controller's pods works has not been renewed.
pub fn lease_stuck(lease: &ObjectKey, holder: &str, late: &str) -> Finding {
    Finding {
        id: "lease-stuck",
        severity: Severity::of("lease-stuck"),
        subject: Subject::Object {
            kind: "Lease",
            key: lease.clone(),
        },
        message: format!(
            "{holder} holds the lease and has not renewed it for {late}: the controller does nothing"
        ),
        evidence: format!("spec.renewTime is {late} old"),
        remedy: format!(
            "kubectl delete lease {} -n {} lets another pod take over",
            lease.name, lease.namespace
        ),
    }
}

/// `api-version-removed`: the manifest's API version is one that current controllers no longer serve.
pub fn api_version_removed(
    kind: &'static str,
    key: &ObjectKey,
    version: &str,
    rules: FluxVersion,
) -> Option<Finding> {
    let removed = match version.rsplit('/').next() {
        Some("v1beta1") => FluxVersion::V2_7,
        Some("v1beta2") => FluxVersion::V2_9,
        _ => return None,
    };
    let gone = rules >= removed;
    Some(Finding {
        id: "api-version-removed",
        severity: Severity::of("api-version-removed"),
        subject: Subject::Object {
            kind,
            key: key.clone(),
        },
        message: if gone {
            format!("Flux {rules} no longer serves {version}: the object can't be applied")
        } else {
            format!("Flux {removed} no longer serves {version}")
        },
        evidence: format!("apiVersion: {version}"),
        remedy: "flux migrate -f . --dry-run shows the change to v1; without --dry-run it is made"
            .into(),
    })
}

/// `feature-gate-needed`: what the object asks for hangs on a gate that is off.
pub fn feature_gate_needed(key: &ObjectKey, gate: &str, message: &str) -> Finding {
    Finding {
        id: "feature-gate-needed",
        severity: Severity::of("feature-gate-needed"),
        subject: Subject::Object {
            kind: "ImageRepository",
            key: key.clone(),
        },
        message: format!("it needs the feature gate {gate}, which is off"),
        evidence: message.to_owned(),
        remedy: format!(
            "add --feature-gates={gate}=true to the image-reflector-controller's arguments, and let its ServiceAccount request tokens"
        ),
    }
}

/// `permission-missing`: something that decides could not be read.
pub fn permission_missing(hidden: &Hidden) -> Finding {
    let verbs = match (&hidden.name, hidden.kind) {
        (Some(_), _) => "[\"get\"]",
        (None, Kind::Secret | Kind::ServiceAccount) => "[\"get\"]",
        (None, _) => "[\"get\", \"list\"]",
    };
    let place = match &hidden.namespace {
        Some(namespace) => format!("namespace {namespace}"),
        None => "all namespaces".into(),
    };
    let role = if hidden.namespace.is_some() && hidden.kind != Kind::Namespace {
        "Role"
    } else {
        "ClusterRole"
    };
    Finding {
        id: "permission-missing",
        severity: Severity::of("permission-missing"),
        subject: Subject::Object {
            kind: hidden.kind.name(),
            key: ObjectKey::new(
                hidden.namespace.clone().unwrap_or_else(|| "*".into()),
                hidden.name.clone().unwrap_or_else(|| "*".into()),
            ),
        },
        message: format!(
            "{} of {place} can't be read, and what hangs on them is not checked",
            hidden.kind.plural()
        ),
        evidence: hidden.why.clone(),
        remedy: format!(
            "a {role} with the rule apiGroups: [\"{}\"], resources: [\"{}\"], verbs: {verbs}",
            hidden.kind.group(),
            hidden.kind.plural()
        ),
    }
}

/// `not-checked`: credentials of objects can't be read; one finding for each kind and namespace.
pub fn credentials_unreadable(kind: Kind, namespace: &str, hidden: &[Hidden]) -> Finding {
    let names: BTreeSet<&str> = hidden
        .iter()
        .filter_map(|hidden| hidden.name.as_deref())
        .collect();
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let (resource, named) = (kind.plural(), names.join(", "));
    let first = hidden.first().map(|hidden| hidden.why.clone());
    Finding {
        id: "not-checked",
        severity: Severity::of("not-checked"),
        subject: Subject::Object {
            kind: kind.name(),
            key: ObjectKey::new(namespace, "*"),
        },
        message: format!(
            "{resource} of namespace {namespace} can't be read ({named}): your own logins stand for what they hold, which is not checked"
        ),
        evidence: first.unwrap_or_default(),
        remedy: format!(
            "a Role with the rule apiGroups: [\"\"], resources: [\"{resource}\"], resourceNames: [{}], verbs: [\"get\"]",
            quoted.join(", ")
        ),
    }
}

/// `cluster-unreachable`: one of several clusters can't be asked.
pub fn cluster_unreachable(context: &str, why: &str) -> Finding {
    Finding {
        id: "cluster-unreachable",
        severity: Severity::of("cluster-unreachable"),
        subject: Subject::Object {
            kind: "Cluster",
            key: ObjectKey::new("", context),
        },
        message: "the cluster can't be asked: nothing is known of it".into(),
        evidence: why.to_owned(),
        remedy: format!("kubectl --context {context} version shows what is wrong"),
    }
}

/// `not-checked` for a resource that is no object of the run's.
pub fn unreadable(
    group: &str,
    resource: &str,
    verbs: &[&str],
    namespace: &str,
    why: &str,
) -> Finding {
    let verbs: Vec<String> = verbs.iter().map(|verb| format!("\"{verb}\"")).collect();
    let verbs = verbs.join(", ");
    Finding {
        id: "not-checked",
        severity: Severity::of("not-checked"),
        subject: Subject::Object {
            kind: "Namespace",
            key: ObjectKey::new(namespace, resource),
        },
        message: format!(
            "{resource} of namespace {namespace} can't be read: the health of the controllers is not checked"
        ),
        evidence: why.to_owned(),
        remedy: format!(
            "a Role with the rule apiGroups: [\"{group}\"], resources: [\"{resource}\"], verbs: [{verbs}]"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_ready_when_all_its_pods_are() {
        let of = |pods| {
            controller_not_ready(ControllerKind::Reflector, "flux-system", "irc", pods)
                .map(|found| found.message)
        };
        assert_eq!(of((1, 1)), None);
        assert_eq!(
            of((0, 1)).as_deref(),
            Some("0 of 1 pods of image-reflector-controller are ready")
        );
        assert!(of((0, 0)).is_some_and(|message| message.contains("scaled to 0")));
    }

    #[test]
    fn a_cluster_that_serves_v1_is_fine() {
        let error = Some(Severity::Error);
        let severity = |served: &[&str], rules| {
            only_old_versions_served("r", served, rules).map(|found| found.severity)
        };
        assert_eq!(severity(&["v1", "v1beta2"], FluxVersion::V2_8), None);
        assert_eq!(severity(&[], FluxVersion::V2_9), None);
        assert_eq!(severity(&["v1beta2"], FluxVersion::V2_6), error);
        assert_eq!(severity(&["v1beta1"], FluxVersion::V2_6), error);
        assert_eq!(severity(&["v1beta2"], FluxVersion::V2_9), error);
    }

    #[test]
    fn old_versions_are_wrong_by_the_release() {
        let error = Some(Severity::Error);
        let key = ObjectKey::new("ns", "app");
        let severity = |version: &str, rules| {
            api_version_removed("ImagePolicy", &key, version, rules).map(|found| found.severity)
        };
        let group = "image.toolkit.fluxcd.io";
        assert_eq!(severity(&format!("{group}/v1"), FluxVersion::V2_9), None);
        assert_eq!(
            severity(&format!("{group}/v1beta2"), FluxVersion::V2_8),
            error
        );
        assert_eq!(
            severity(&format!("{group}/v1beta2"), FluxVersion::V2_9),
            Some(Severity::Error)
        );
    }
}
