//! What objects' own conditions say: each failure of a controller is quoted, whatever a run would come to now.

use std::collections::BTreeMap;

use super::in_scope;
use crate::controllers::conditions::{self, Readiness, readiness};
use crate::controllers::flux::ObjectKey;
use crate::findings::{Finding, Severity, Subject, automations, policies, scans};
use crate::pipeline::request::Request;
use crate::pipeline::stages::Inputs;

/// Adds the conditions of failing objects to the findings about them, where none quotes them; an object that nothing is said of
/// gets a finding of its own.
pub(super) fn quote(request: &Request, inputs: &Inputs, found: &mut Vec<Finding>) {
    let mut quoting = Quoting::new(found);
    let objects = &inputs.objects;
    for repository in in_scope(request, &objects.repositories) {
        let (key, state) = (&repository.key, readiness(&repository.status.conditions));
        if repository.spec.suspend || repository.deleted {
            continue;
        }
        quoting.one("ImageRepository", key, &state, || {
            scans::scan_failed(key, state.reason, state.message, None)
        });
    }
    for policy in in_scope(request, &objects.policies) {
        let (key, state) = (&policy.key, readiness(&policy.status.conditions));
        if policy.spec.suspend || policy.deleted {
            continue;
        }
        let kept = policy.status.latest();
        quoting.one("ImagePolicy", key, &state, || {
            policies::failed_last_time(key, kept.as_ref(), state.reason, state.message)
        });
    }
    for automation in in_scope(request, &objects.automations) {
        let (key, state) = (&automation.key, readiness(&automation.status.conditions));
        if automation.spec.suspend || automation.deleted {
            continue;
        }
        let words = format!("{}: {}", state.reason, state.message);
        quoting.one("ImageUpdateAutomation", key, &state, || {
            automations::last_run_failed(key, &words)
        });
    }
}

struct Quoting<'a> {
    found: &'a mut Vec<Finding>,
    /// The places of the findings about an object.
    about: BTreeMap<(&'static str, ObjectKey), Vec<usize>>,
}

impl<'a> Quoting<'a> {
    fn new(found: &'a mut Vec<Finding>) -> Self {
        let mut about: BTreeMap<(&'static str, ObjectKey), Vec<usize>> = BTreeMap::new();
        for (place, finding) in found.iter().enumerate() {
            if let Subject::Object { kind, key } = &finding.subject {
                about.entry((kind, key.clone())).or_default().push(place);
            }
        }
        Self { found, about }
    }

    /// Quotes the condition of one object.
    fn one(
        &mut self,
        kind: &'static str,
        key: &ObjectKey,
        state: &Readiness<'_>,
        otherwise: impl FnOnce() -> Finding,
    ) {
        if state.ready != "False" || state.reason.is_empty() {
            return;
        }
        let message = conditions::without_clone(state.message);
        let words = conditions::without_retry(&message);
        let nothing = Vec::new();
        let places = self.about.get(&(kind, key.clone())).unwrap_or(&nothing);
        let is_quoted = |place: &usize| {
            let finding = &self.found[*place];
            finding.severity > Severity::Note && finding.evidence.contains(words)
        };
        if places.iter().any(is_quoted) {
            return;
        }
        let foretold = places
            .iter()
            .rev()
            .find(|place| tells_a_failure(&self.found[**place]));
        match foretold {
            Some(place) => {
                let finding = &mut self.found[*place];
                finding.evidence = format!(
                    "{}: {message}; from here: {}",
                    state.reason, finding.evidence
                );
            }
            None => self.found.push(otherwise()),
        }
    }
}

/// Whether the evidence of a finding is a failure as conditions have it: `REASON: MESSAGE`.
fn tells_a_failure(finding: &Finding) -> bool {
    let reason = finding.evidence.split_once(": ").map(|(reason, _)| reason);
    finding.severity > Severity::Note
        && reason.is_some_and(|reason| {
            reason.starts_with(|first: char| first.is_ascii_uppercase())
                && reason.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ObjectKey {
        ObjectKey::new("ns", "app")
    }

    fn finding(severity: Severity, evidence: &str) -> Finding {
        Finding {
            id: "scan-stale",
            severity,
            subject: Subject::Object {
                kind: "ImageRepository",
                key: key(),
            },
            message: String::new(),
            evidence: evidence.into(),
            remedy: String::new(),
        }
    }

    /// The evidences after a condition was quoted; one that is made for it says so.
    fn quoted(found: &[Finding], ready: &str, message: &str) -> Vec<String> {
        let mut found = found.to_vec();
        let state = Readiness {
            ready,
            stalled: false,
            reason: "ReadOperationFailed",
            message,
            since: "",
        };
        Quoting::new(&mut found).one("ImageRepository", &key(), &state, || {
            finding(Severity::Warning, "made")
        });
        found.into_iter().map(|found| found.evidence).collect()
    }

    #[test]
    fn a_failure_is_quoted_once() {
        let foretold = finding(
            Severity::Error,
            "ReadOperationFailed: scan failed: BadSignature",
        );
        let with_note = [
            foretold.clone(),
            finding(Severity::Note, "ns/other has the same image"),
        ];
        // In its own words, if they are others than ours.
        assert_eq!(
            quoted(&with_note, "False", "scan failed: unknown authority"),
            [
                "ReadOperationFailed: scan failed: unknown authority; from here: ReadOperationFailed: scan failed: BadSignature",
                "ns/other has the same image",
            ]
        );
        for same in [
            "scan failed: BadSignature",
            "retrying in 2s error: scan failed: BadSignature",
        ] {
            assert_eq!(
                quoted(std::slice::from_ref(&foretold), "False", same),
                std::slice::from_ref(&foretold.evidence)
            );
        }
        // Nothing foretells it: it stands on its own.
        assert_eq!(
            quoted(&with_note[1..], "False", "scan failed: x"),
            ["ns/other has the same image", "made"]
        );
        assert_eq!(quoted(&[], "True", "successful scan"), [""; 0]);
        assert_eq!(quoted(&[], "Unknown", "reconciling"), [""; 0]);
    }
}
