//! Findings about scans: whether the controller's view of a registry is that of now, and what becomes of those who read it.

use crate::controllers::flux::ObjectKey;
use crate::controllers::view::{Changes, Currency, View};

use super::registries::repository;
use super::{Finding, Severity, Subject};

/// `scan-stale`: the last scan that went well is old, and none follows it. `since` says how late it is.
pub fn scan_overdue(key: &ObjectKey, late: &str, last: &str) -> Finding {
    Finding {
        id: "scan-stale",
        severity: Severity::of("scan-stale"),
        subject: repository(key),
        message: format!(
            "its next scan is overdue by {late}: policies choose from tags of {last} ago"
        ),
        evidence: format!("status.lastScanResult.scanTime is {last} old"),
        remedy: format!(
            "flux reconcile image repository {} -n {}; if that does nothing, look at the image-reflector-controller",
            key.name, key.namespace
        ),
    }
}

/// `scan-stale`: the scan fails, with the controller's words; `last` is the age of the last one that went well.
pub fn scan_fails(key: &ObjectKey, reason: &str, message: &str, last: Option<&str>) -> Finding {
    let kept = match last {
        Some(age) => format!("policies keep what they chose from the tags of {age} ago"),
        None => "no scan has gone well yet".into(),
    };
    Finding {
        id: "scan-stale",
        severity: Severity::of("scan-stale"),
        subject: repository(key),
        message: format!("{FAILS_FROM_HERE}, and {kept}"),
        evidence: format!("{reason}: {message}"),
        remedy: "mend what the controller's message names".into(),
    }
}

/// `scan-stale`: the last scan failed, with the controller's words; from here one would go well, or none was tried.
pub fn scan_failed(key: &ObjectKey, reason: &str, message: &str, last: Option<&str>) -> Finding {
    let fails = scan_fails(key, reason, message, last);
    let kept = fails.message.trim_start_matches(FAILS_FROM_HERE);
    Finding {
        message: format!("the controller's last scan failed{kept}"),
        ..fails
    }
}

/// How a finding about a scan begins that fails from here, whatever the controller does.
const FAILS_FROM_HERE: &str = "the controller's scan fails";

/// Whether a finding is about a scan that fails from here too.
pub fn fails_from_here(finding: &Finding) -> bool {
    finding.id == "scan-stale" && finding.message.starts_with(FAILS_FROM_HERE)
}

/// `tag-set-differs`: by its own checksum the controller saw other tags than there are now.
pub fn tag_set_differs(key: &ObjectKey, view: &View, next: &str) -> Option<Finding> {
    let Currency::Stale(changes) = &view.currency else {
        return None;
    };
    Some(Finding {
        id: "tag-set-differs",
        severity: Severity::of("tag-set-differs"),
        subject: repository(key),
        message: format!(
            "the registry has other tags than the controller's last scan saw{}; {next}",
            told(changes)
        ),
        evidence: format!(
            "{} tags with checksum {} in the status, {} now",
            view.tag_count,
            view.revision.as_deref().unwrap_or("none"),
            view.revision_now.as_deref().unwrap_or("none")
        ),
        remedy: format!(
            "flux reconcile image repository {} -n {}",
            key.name, key.namespace
        ),
    })
}

fn told(changes: &Changes) -> String {
    let part = |word: &str, tags: &[String]| match tags {
        [] => None,
        [first, rest @ ..] if rest.len() > 2 => {
            Some(format!("{word} {first} and {} more", rest.len()))
        }
        tags => Some(format!("{word} {}", tags.join(", "))),
    };
    let parts: Vec<String> = [
        part("new:", &changes.appeared),
        part("gone:", &changes.disappeared),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join("; "))
    }
}

/// `tags-lost-after-restart`: the repository says that it has tags, and the controller's storage has none.
pub fn tags_lost(policy: &ObjectKey, repository: &ObjectKey, count: u64, message: &str) -> Finding {
    Finding {
        id: "tags-lost-after-restart",
        severity: Severity::of("tags-lost-after-restart"),
        subject: Subject::Object {
            kind: "ImagePolicy",
            key: policy.clone(),
        },
        message: format!(
            "the controller has lost the {count} tags that ImageRepository {repository} says it stored: the policy chooses nothing before the next scan"
        ),
        evidence: message.to_owned(),
        remedy: format!(
            "flux reconcile image repository {} -n {}; a persistent volume for the image-reflector-controller keeps its storage over restarts",
            repository.name, repository.namespace
        ),
    }
}

/// `ready-after-failed-scan`: the status says Ready although the scan as it would be now fails.
pub fn ready_after_failed_scan(key: &ObjectKey, said: &str, message: &str) -> Finding {
    Finding {
        id: "ready-after-failed-scan",
        severity: Severity::of("ready-after-failed-scan"),
        subject: repository(key),
        message: format!(
            "its status is Ready ({said:?}), but a scan would fail now: the status is that of the last one"
        ),
        evidence: message.to_owned(),
        remedy: format!(
            "flux reconcile image repository {} -n {} shows the failure",
            key.name, key.namespace
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(currency: Currency) -> View {
        View {
            tag_count: 3,
            revision: Some("1".into()),
            revision_now: Some("2".into()),
            currency,
        }
    }

    #[test]
    fn only_another_checksum_is_a_difference() {
        let key = ObjectKey::new("ns", "app");
        let next = "next scan in 5m";
        assert_eq!(tag_set_differs(&key, &view(Currency::Current), next), None);
        assert_eq!(
            tag_set_differs(&key, &view(Currency::Unknown("why")), next),
            None
        );
        let changes = Changes {
            appeared: vec!["2.0.0".into()],
            disappeared: Vec::new(),
            all_told: true,
        };
        let found = tag_set_differs(&key, &view(Currency::Stale(changes)), next).unwrap();
        assert_eq!(
            found.message,
            "the registry has other tags than the controller's last scan saw (new: 2.0.0); next scan in 5m"
        );
    }
}
