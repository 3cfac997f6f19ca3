//! Findings about policies and what they choose from.

use crate::controllers::conditions;
use crate::controllers::flux::{ImageRef, ObjectKey};
use crate::controllers::policy::{Collision, Decision, Outcome};

use super::{Finding, Severity, Subject};

fn policy(key: &ObjectKey) -> Subject {
    Subject::Object {
        kind: "ImagePolicy",
        key: key.clone(),
    }
}

/// `extract-collision`: the chosen tag shares its key with others, and only the order of bytes decided between them.
pub fn extract_collision(key: &ObjectKey, decision: &Decision) -> Option<Finding> {
    let Outcome::Latest { tag } = &decision.outcome else {
        return None;
    };
    let Collision {
        key: extracted,
        kept,
        lost,
    } = decision
        .collisions
        .iter()
        .find(|collision| collision.kept == *tag)?;
    Some(Finding {
        id: "extract-collision",
        severity: Severity::of("extract-collision"),
        subject: policy(key),
        message: format!(
            "{} gives the key {extracted} like {kept}; the controller keeps the bytewise smallest tag of a key, whichever was built last",
            listed(lost)
        ),
        evidence: format!("extract gives {extracted} for {kept}, {}", lost.join(", ")),
        remedy: "let filterTags.extract keep what orders the builds of one key, such as the time of day or a build number".into(),
    })
}

/// `choice-not-deterministic`: several tags can win, and each run of the controller may give another.
pub fn choice_not_deterministic(key: &ObjectKey, decision: &Decision) -> Option<Finding> {
    let Outcome::NotDeterministic { candidates } = &decision.outcome else {
        return None;
    };
    Some(Finding {
        id: "choice-not-deterministic",
        severity: Severity::of("choice-not-deterministic"),
        subject: policy(key),
        message: format!(
            "each of {} can be the latest, and the controller's answer changes from run to run{}",
            listed(candidates),
            decision.tie.as_ref().map_or_else(String::new, |tie| format!(": {tie}"))
        ),
        evidence: candidates.join(", "),
        remedy: "let filterTags.pattern or extract tell them apart, or remove all but one from the registry".into(),
    })
}

/// `suspended`: the object does nothing, so what it last recorded still counts.
pub fn suspended(kind: &'static str, key: &ObjectKey) -> Finding {
    let word = match kind {
        "ImageRepository" => "repository",
        "ImagePolicy" => "policy",
        _ => "update",
    };
    Finding {
        id: "suspended",
        severity: Severity::of("suspended"),
        subject: Subject::Object {
            kind,
            key: key.clone(),
        },
        message: format!("{kind} {key} is suspended"),
        evidence: "spec.suspend: true".into(),
        remedy: format!("flux resume image {word} {} -n {}", key.name, key.namespace),
    }
}

/// A policy whose controller fails: what it keeps, under the id of what is wrong where that has one of its own.
pub fn stuck(
    key: &ObjectKey,
    kept: Option<&ImageRef>,
    reason: &'static str,
    message: &str,
) -> Finding {
    let (id, remedy) = match reason {
        conditions::ACCESS_DENIED => (
            "cross-namespace-denied",
            "let spec.accessFrom of the ImageRepository select the policy's namespace, or move the policy there",
        ),
        conditions::IMAGE_URL_INVALID => (
            "image-url-invalid",
            "set spec.image of the ImageRepository to a name without scheme, tag and digest",
        ),
        conditions::INTERVAL_NOT_CONFIGURED => {
            ("interval-missing", "set spec.interval of the policy")
        }
        _ => (
            "policy-stuck-on-old-tag",
            "mend what the controller's message names",
        ),
    };
    let kept = match kept {
        Some(image) => format!("it stays at {image}"),
        None => "it has no latest image".into(),
    };
    Finding {
        id,
        severity: Severity::of(id),
        subject: policy(key),
        message: format!("the controller fails, and {kept}: {message}"),
        evidence: format!("{reason}: {message}"),
        remedy: remedy.into(),
    }
}

/// `policy-stuck-on-old-tag`: the policy's status is a failure, and nothing that can be seen from here explains it.
pub fn failed_last_time(
    key: &ObjectKey,
    kept: Option<&ImageRef>,
    reason: &str,
    message: &str,
) -> Finding {
    let kept = match kept {
        Some(image) => format!("it stays at {image}"),
        None => "it has no latest image".into(),
    };
    Finding {
        id: "policy-stuck-on-old-tag",
        severity: Severity::of("policy-stuck-on-old-tag"),
        subject: policy(key),
        message: format!(
            "the controller failed last time, and {kept}; as far as can be told from here, it would choose now"
        ),
        evidence: format!("{reason}: {message}"),
        remedy: format!(
            "flux reconcile image policy {} -n {}",
            key.name, key.namespace
        ),
    }
}

/// `policy-test-fails`: the policy does not choose what a comment in its manifest says.
pub fn test_fails(path: &str, line: usize, test: &str, wrong: &str) -> Finding {
    Finding {
        id: "policy-test-fails",
        severity: Severity::of("policy-test-fails"),
        subject: Subject::Place {
            path: path.to_owned(),
            line: Some(line),
            column: None,
        },
        message: format!("the test {test} fails: {wrong}"),
        evidence: format!("# imageauto-test: {test}"),
        remedy: "correct the policy, or the test if the new choice is meant".into(),
    }
}

/// `policy-convention`: the policy's pattern is not one of those that are asked for.
pub fn convention(key: &ObjectKey, pattern: &str, required: &str) -> Finding {
    let has = if pattern.is_empty() {
        "the policy has no spec.filterTags.pattern".to_owned()
    } else {
        format!("spec.filterTags.pattern is {pattern}")
    };
    Finding {
        id: "policy-convention",
        severity: Severity::of("policy-convention"),
        subject: policy(key),
        message: format!("{has}, which {required} (--require-pattern) does not match"),
        evidence: has,
        remedy: "write the pattern as the convention asks".into(),
    }
}

/// Up to three names and how many more there are.
pub(crate) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [head @ .., last] if names.len() <= 3 => format!("{} and {last}", head.join(", ")),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}
