//! Findings about policies and what they choose from.

use crate::controllers::flux::ObjectKey;
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
        severity: Severity::Warning,
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
        severity: Severity::Error,
        subject: policy(key),
        message: format!("{} are equal by the policy's order: the controller's answer changes from run to run", listed(candidates)),
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
        severity: Severity::Note,
        subject: Subject::Object {
            kind,
            key: key.clone(),
        },
        message: format!("{kind} {key} is suspended"),
        evidence: "spec.suspend: true".into(),
        remedy: format!("flux resume image {word} {} -n {}", key.name, key.namespace),
    }
}

/// Up to three names and how many more there are.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [head @ .., last] if names.len() <= 3 => format!("{} and {last}", head.join(", ")),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}
