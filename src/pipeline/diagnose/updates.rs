//! What there is to say about ImageUpdateAutomations and the files that they update.

use super::Findings;
use super::causes::Marked;
use std::collections::BTreeMap;

use crate::controllers::conditions::readiness;
use crate::findings::references::{self, WrittenMarker};
use crate::findings::{Finding, Subject, automations, policies};
use crate::pipeline::checkout::Checkouts;
use crate::pipeline::commit::{Refusal, before_push, check_all};
use crate::pipeline::session::Session;
use crate::pipeline::stages::{Inputs, MarkerFate, Preview};

pub(super) fn look_at(preview: &Preview, inputs: &Inputs, findings: &mut Findings) {
    let Findings { found, failures } = findings;
    let key = &preview.key;
    let suspended = inputs
        .objects
        .automations
        .get(key)
        .is_some_and(|automation| automation.spec.suspend);
    if suspended {
        found.push(policies::suspended("ImageUpdateAutomation", key));
    }
    failures.extend(preview.unknown.clone());
    failures.extend(preview.troubles.iter().cloned());
    if let Some(failure) = &preview.error {
        found.push(references::automation_fails(key, failure));
    }
    found.extend(
        preview
            .findings
            .iter()
            .filter(|finding| is_known(finding, preview))
            .cloned(),
    );
    if inputs.live && preview.error.is_none() {
        found.extend(status(preview, inputs));
    }
}

/// Whether a finding says something of what comes: an automation that has nothing to do may well skip its run.
fn is_known(finding: &Finding, preview: &Preview) -> bool {
    finding.id != "update-skipped" || !preview.files.is_empty()
}

/// The failure of its last run, where the next one would go well as far as can be told from here.
fn status(preview: &Preview, inputs: &Inputs) -> Option<Finding> {
    let key = &preview.key;
    let automation = inputs.objects.automations.get(key)?;
    let state = readiness(&automation.status.conditions);
    if state.ready != "False" || state.reason.is_empty() {
        return None;
    }
    let words = format!("{}: {}", state.reason, state.message);
    let branch = preview
        .branches
        .as_ref()
        .map_or("the push branch", |branches| branches.push_branch.as_str());
    let refused = [
        "protected",
        "pre-receive",
        "remote rejected",
        "Not allowed to push",
        "command error on refs",
    ];
    if refused.iter().any(|sign| state.message.contains(sign)) {
        return Some(automations::push_rejected(key, branch, &words));
    }
    Some(automations::last_run_failed(key, &words))
}

/// What git servers say of pushes before anything is sent, where the files are clones.
pub(super) fn pushes(
    previews: &[Preview],
    inputs: &Inputs,
    checkouts: &Checkouts,
    session: &Session,
    findings: &mut Findings,
) {
    let Findings { found, failures } = findings;
    let is_clone = |preview: &&Preview| {
        let checkout = checkouts.of(&preview.key);
        let cloned = matches!(checkout, Some(Ok(checkout)) if checkout.clone.is_some());
        cloned && preview.error.is_none() && preview.unknown.is_none()
    };
    let previews: Vec<&Preview> = previews.iter().filter(is_clone).collect();
    let answers = check_all(inputs, checkouts, &previews, session);
    for (preview, answer) in previews.into_iter().zip(answers) {
        found.extend(before_push(inputs, checkouts, preview));
        match answer {
            Ok(()) => {}
            Err(Refusal {
                finding: Some(finding),
                ..
            }) => {
                not_so_well(found, &finding.subject);
                found.push(*finding);
            }
            Err(Refusal { failure, .. }) => failures.push(failure),
        }
    }
}

/// Where the server refuses what comes next, the next run goes no better than the last.
fn not_so_well(found: &mut [Finding], subject: &Subject) {
    let last = found
        .iter_mut()
        .filter(|finding| finding.id == "update-fails" && finding.subject == *subject);
    for finding in last {
        "the controller's last run failed, and the next push would fail too"
            .clone_into(&mut finding.message);
    }
}

/// The policies that markers name.
pub(super) fn marked(previews: &[Preview]) -> Marked {
    let located = previews.iter().flat_map(|preview| &preview.markers.located);
    located
        .filter_map(|marker| Some(((marker.path.clone(), marker.line), marker.policy()?)))
        .collect()
}

/// Every marker that an automation comes by, and whether it receives a value.
pub(super) fn markers(previews: &[Preview]) -> BTreeMap<(String, usize), bool> {
    let located = previews.iter().flat_map(|preview| &preview.markers.located);
    let mut markers: BTreeMap<(String, usize), bool> = BTreeMap::new();
    for marker in located {
        let receives = !matches!(marker.fate, MarkerFate::Ignored { .. });
        let place = (marker.path.clone(), marker.line);
        *markers.entry(place).or_default() |= receives;
    }
    markers
}

/// What each marker holds after its automation, for those that are pushed somewhere.
pub(super) fn written(previews: &[Preview], context: Option<&str>) -> Vec<WrittenMarker> {
    let mut written = Vec::new();
    for preview in previews {
        let branch = preview
            .branches
            .as_ref()
            .map(|branches| branches.push_branch.as_str());
        let (Some(url), Some(branch)) = (&preview.source.url, branch) else {
            continue;
        };
        for marker in &preview.markers.located {
            let value = match &marker.fate {
                MarkerFate::Applied { new, .. } => new,
                MarkerFate::UpToDate { value } => value,
                MarkerFate::Ignored { .. } | MarkerFate::Unknown { .. } => continue,
            };
            written.push(WrittenMarker {
                context: context.map(str::to_owned),
                automation: preview.key.clone(),
                repository: format!("{branch} of {url}"),
                path: marker.path.clone(),
                line: marker.line,
                value: value.clone(),
            });
        }
    }
    written
}
