//! What there is to say about ImagePolicies.

use super::Findings;
use crate::controllers::conditions::{self, readiness};
use crate::controllers::flux::{ImagePolicy, ObjectKey};
use crate::controllers::policy::{self, PolicySpec};
use crate::facts::cluster::Kind;
use crate::findings::choices::{self, Choice};
use crate::findings::{Finding, policies, references, scans as scan_findings};
use crate::pipeline::stages::{Decisions, Inputs, Preview, Scan, Scans};

/// What policies are looked at with.
pub(super) struct Grounds<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) scans: &'a Scans,
    pub(super) decisions: &'a Decisions,
    pub(super) previews: &'a [Preview],
}

impl Grounds<'_> {
    pub(super) fn look_at(&self, policy: &ImagePolicy, findings: &mut Findings) {
        let Findings { found, failures } = findings;
        found.extend(self.choice(policy));
        if policy.spec.suspend {
            found.push(policies::suspended("ImagePolicy", &policy.key));
        }
        if let Some(decision) = self.decisions.policies.get(&policy.key) {
            found.extend(decision.findings.iter().cloned());
            failures.extend(decision.unknown.clone());
            failures.extend(decision.trouble.clone());
        }
        if self.inputs.live {
            found.extend(self.status(policy));
        }
        found.extend(self.automations(policy));
    }

    /// How it chooses, where its tags are known.
    fn choice(&self, policy: &ImagePolicy) -> Vec<Finding> {
        let decision = self.decisions.policies.get(&policy.key);
        let Some(decision) = decision.and_then(|decision| decision.decision.as_ref()) else {
            return Vec::new();
        };
        let Some(Scan::Tags { stored, .. }) = self.scans.repositories.get(&repository_of(policy))
        else {
            return Vec::new();
        };
        let spec = PolicySpec::from(&policy.spec);
        let traces = policy::verdicts(&spec, stored, decision).unwrap_or_default();
        let choice = Choice {
            policy,
            decision,
            traces: &traces,
            stored: stored.len(),
        };
        choice.findings()
    }

    /// What its status says that the recomputed choice does not.
    fn status(&self, policy: &ImagePolicy) -> Option<Finding> {
        let state = readiness(&policy.status.conditions);
        if state.ready != "False" || state.reason.is_empty() {
            return None;
        }
        let decision = self.decisions.policies.get(&policy.key)?;
        if decision.failure.is_some() || decision.unknown.is_some() {
            return None;
        }
        let repository = repository_of(policy);
        let scanned = self.inputs.objects.repositories.get(&repository);
        let count = scanned
            .and_then(|repository| repository.status.last_scan_result.as_ref())
            .map_or(0, |scan| scan.tag_count);
        if state.message.ends_with(conditions::NO_TAGS_IN_DATABASE) && count > 0 {
            return Some(scan_findings::tags_lost(
                &policy.key,
                &repository,
                count,
                state.message,
            ));
        }
        let kept = decision.live.as_ref()?;
        let why = format!("{}: {}", state.reason, state.message);
        Some(choices::keeps(policy, kept, &why))
    }

    /// Whether an automation takes it, and a marker its value.
    fn automations(&self, policy: &ImagePolicy) -> Option<Finding> {
        let key = &policy.key;
        let objects = &self.inputs.objects;
        if objects
            .hidden_in(Kind::ImageUpdateAutomation, &key.namespace)
            .is_some()
        {
            return None;
        }
        let mut here = self
            .previews
            .iter()
            .filter(|preview| preview.key.namespace == key.namespace)
            .peekable();
        if here.peek().is_none() {
            return Some(references::policy_unused(key));
        }
        let here: Vec<&Preview> = here.collect();
        let taking: Vec<&&Preview> = here.iter().filter(|preview| takes(preview, key)).collect();
        let seen = |preview: &&Preview| preview.error.is_none() && preview.unknown.is_none();
        if taking.is_empty() {
            let names: Vec<&str> = here
                .iter()
                .filter(|preview| preview.unknown.is_none())
                .map(|preview| preview.key.name.as_str())
                .collect();
            return (!names.is_empty() && names.len() == here.len())
                .then(|| references::policy_not_selected(key, &names));
        }
        let all_seen = taking.iter().all(|preview| seen(preview));
        let marked = taking.iter().any(|preview| {
            let mut markers = preview.markers.located.iter();
            markers.any(|marker| marker.policy().as_ref() == Some(key))
        });
        (all_seen && !marked).then(|| {
            let paths: Vec<&str> = taking
                .iter()
                .map(|preview| preview.update_path.as_str())
                .collect();
            references::marker_missing(key, paths.first().copied().unwrap_or_default())
        })
    }
}

/// The ImageRepository that a policy chooses from.
pub(in crate::pipeline) fn repository_of(policy: &ImagePolicy) -> ObjectKey {
    policy
        .spec
        .image_repository_ref
        .key_from(&policy.key.namespace)
}

fn takes(preview: &Preview, policy: &ObjectKey) -> bool {
    let mut in_use = preview.policies.iter();
    let mut without = preview.without_latest.iter();
    in_use.any(|one| one.key == *policy) || without.any(|one| one.key == *policy)
}
