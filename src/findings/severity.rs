//! How bad each finding is: one severity for each id, whoever tells it.

use super::Severity;

const ERRORS: &[&str] = &[
    "api-version-removed",
    "apply-conflict",
    "apply-fails",
    "apply-forbidden",
    "apply-rejected",
    "automations-overlap",
    "cert-secret-same-as-pull-secret",
    "choice-not-deterministic",
    "cluster-unreachable",
    "controller-missing",
    "controller-not-ready",
    "cross-namespace-denied",
    "extract-empty",
    "feature-gate-needed",
    "image-url-invalid",
    "interval-missing",
    "lease-stuck",
    "manifest-unusable",
    "no-tag-matches-filter",
    "no-version-in-range",
    "numeric-parse-failure",
    "path-missing",
    "policy-convention",
    "policy-stuck-on-old-tag",
    "policy-test-fails",
    "problem-file",
    "push-credential-read-only",
    "push-detached-head",
    "push-rejected",
    "rate-limited",
    "refspec-unusable",
    "registry-unauthorized",
    "scan-stale",
    "signing-key-invalid",
    "source-fails",
    "source-missing",
    "template-error",
    "template-removed-field",
    "too-many-tags",
    "update-fails",
    "value-type-changes",
];

const WARNINGS: &[&str] = &[
    "apply-drift",
    "controller-versions-differ",
    "credentials-for-other-host",
    "digest-ignores-insecure",
    "digest-marker-without-digest",
    "downgrade",
    "extract-collision",
    "filter-unanchored",
    "floating-tag",
    "list-file",
    "marker-dangling",
    "marker-malformed",
    "marker-missing",
    "marker-not-selected",
    "marker-other-namespace",
    "marker-outside-path",
    "marker-position-ignored",
    "numeric-precision",
    "object-not-watched",
    "order-inverted",
    "permission-missing",
    "policy-not-selected",
    "policy-unused",
    "policy-without-latest",
    "prerelease-needs-range",
    "push-branch-diverged",
    "reformatting-loses-data",
    "scan-budget",
    "tags-lost-after-restart",
    "tags-shared",
];

const NOTES: &[&str] = &[
    "duplicate-repository",
    "newer-outside-range",
    "not-checked",
    "push-branch-unknown",
    "ready-after-failed-scan",
    "reformatting",
    "source-not-given",
    "sourceignore-not-honoured",
    "suspended",
    "symlink-skipped",
    "tag-set-differs",
    "template-not-deterministic",
    "update-skipped",
    "version-needs-three-parts",
];

impl Severity {
    /// The severity of a finding.
    pub fn of(id: &str) -> Self {
        let all = [
            (Self::Error, ERRORS),
            (Self::Warning, WARNINGS),
            (Self::Note, NOTES),
        ];
        let known = all.iter().find(|(_, ids)| ids.contains(&id));
        known.map_or(Self::Error, |(severity, _)| *severity)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ERRORS, NOTES, WARNINGS};
    use crate::findings::{Severity, catalogue};

    #[test]
    fn every_finding_has_one_severity_and_its_page_begins_with_it() {
        let listed = [ERRORS, WARNINGS, NOTES].concat();
        let once: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(once.len(), listed.len());
        assert_eq!(once, catalogue::ids().collect());
        for id in listed {
            let page = catalogue::page(id).unwrap();
            let text = page.lines().nth(2).unwrap_or_default().to_lowercase();
            let said = Severity::of(id).to_string();
            let rest = text.strip_prefix(&said).map(|rest| rest.chars().next());
            assert!(
                matches!(rest, Some(Some('.' | ','))),
                "{id}: {said}: {text}"
            );
        }
    }
}
