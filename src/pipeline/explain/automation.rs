//! The part of a chain that an automation has: whether it takes the policy, which markers receive its value, and what it pushes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::controllers::automation::AutomationFailure;
use crate::controllers::conditions::readiness;
use crate::controllers::flux::{ImagePolicy, ImageUpdateAutomation, ObjectKey};
use crate::controllers::schedule::{self, moment};
use crate::findings::{self, Finding, Subject, references};
use crate::go::age;
use crate::pipeline::stages::{MarkerFate, Preview, PreviewedMarker};

use super::step::{Snippet, Step, StepKind, StepVerdict};

/// Whether and how an automation takes a policy.
pub(super) fn automation_step(
    automation: &ImageUpdateAutomation,
    preview: &Preview,
    policy: Option<&ImagePolicy>,
    now: Timestamp,
) -> Step {
    let kind = StepKind::Automation;
    let key = &automation.key;
    if let Some(failure) = &preview.error {
        return failed(key, failure);
    }
    if let Some(failure) = &preview.unknown {
        return Step::new(kind, StepVerdict::Unknown, failure.message.clone());
    }
    if automation.spec.suspend {
        let finding = findings::policies::suspended("ImageUpdateAutomation", key);
        return Step::stuck(kind, finding.id, format!("{key} is suspended")).remedy(finding.remedy);
    }
    let takes = if policy.is_some() {
        format!("{key} takes the policy")
    } else {
        match preview.policies.len() {
            1 => format!("{key} takes 1 policy"),
            policies => format!("{key} takes {policies} policies"),
        }
    };
    let path = match preview.update_path.as_str() {
        "" => "the whole repository".to_owned(),
        path => path.to_owned(),
    };
    Step::ok(
        kind,
        format!("{takes} for {path}{}", last_run(automation, now)),
    )
}

fn last_run(automation: &ImageUpdateAutomation, now: Timestamp) -> String {
    let ran = automation.status.last_automation_run_time.as_deref();
    let state = readiness(&automation.status.conditions);
    match ran.and_then(moment) {
        Some(ran) => format!("; ran {} ago: {:?}", age::since(ran, now), state.message),
        None if state.reason.is_empty() => String::new(),
        None => format!("; {}: {:?}", state.reason, state.message),
    }
}

fn failed(key: &ObjectKey, failure: &AutomationFailure) -> Step {
    let id = findings::references::failure_id(failure);
    let stalled = if failure.stalled { ", Stalled" } else { "" };
    Step::stuck(
        StepKind::Automation,
        id,
        format!(
            "{key} fails ({}{stalled}): {}",
            failure.reason, failure.message
        ),
    )
}

/// The step for a policy that the automations of its namespace leave out.
pub(super) fn not_selected(policy: &ObjectKey, automations: &[&ImageUpdateAutomation]) -> Step {
    let names: Vec<&str> = automations
        .iter()
        .map(|automation| automation.key.name.as_str())
        .collect();
    let finding = references::policy_not_selected(policy, &names);
    Step::found(StepKind::Automation, finding)
}

/// The step for a policy that no automation can take.
pub(super) fn no_automation(policy: &ObjectKey) -> Step {
    Step::found(StepKind::Automation, references::policy_unused(policy))
}

/// The markers of `preview` that name `policy`, in the order of files and lines.
pub(super) fn markers_of<'a>(
    preview: &'a Preview,
    policy: &'a ObjectKey,
) -> impl Iterator<Item = &'a PreviewedMarker> {
    preview
        .markers
        .located
        .iter()
        .filter(move |marker| marker.policy().as_ref() == Some(policy))
}

/// Markers that are as they should be and that are named one by one; beyond this they are summed up.
const NAMED: usize = 3;

/// A step for each marker, those that are up to date together where they are many; `lines` gives the text of a line where it is
/// known.
pub(super) fn marker_steps(
    preview: &Preview,
    markers: &[&PreviewedMarker],
    lines: Option<&BTreeMap<(String, usize), String>>,
) -> Vec<Step> {
    let up_to_date: Vec<&PreviewedMarker> = markers
        .iter()
        .filter(|marker| matches!(marker.fate, MarkerFate::UpToDate { .. }))
        .copied()
        .collect();
    let sum_up = up_to_date.len() > NAMED;
    let told = markers
        .iter()
        .filter(|marker| !(sum_up && matches!(marker.fate, MarkerFate::UpToDate { .. })));
    let mut steps: Vec<Step> = told
        .map(|marker| warned(marker_step(marker, lines), marker, preview))
        .collect();
    if let [first, .., last] = up_to_date.as_slice()
        && sum_up
    {
        steps.push(Step::ok(
            StepKind::Marker,
            format!(
                "{} are up to date, {}:{} to {}:{}",
                up_to_date.len(),
                first.path,
                first.line,
                last.path,
                last.line
            ),
        ));
    }
    steps
}

/// What a value that is set may bring about.
const OF_VALUES: [&str; 2] = ["downgrade", "digest-marker-without-digest"];

/// The step of a marker, with what was found about its new value.
fn warned(step: Step, marker: &PreviewedMarker, preview: &Preview) -> Step {
    let is_here = |finding: &&Finding| {
        OF_VALUES.contains(&finding.id)
            && matches!(&finding.subject, Subject::Place { path, line, .. }
                if *path == marker.path && *line == Some(marker.line))
    };
    match preview.findings.iter().find(is_here) {
        Some(finding) if step.finding.is_none() => {
            let text = format!("{}: {}", step.text, finding.message);
            Step { text, ..step }
                .with(finding.id)
                .remedy(finding.remedy.clone())
        }
        _ => step,
    }
}

fn marker_step(
    marker: &PreviewedMarker,
    lines: Option<&BTreeMap<(String, usize), String>>,
) -> Step {
    let kind = StepKind::Marker;
    let place = format!("{}:{}", marker.path, marker.line);
    match &marker.fate {
        MarkerFate::Applied { new, .. } if new.is_empty() => Step::ok(kind, place),
        MarkerFate::UpToDate { value } if value.is_empty() => {
            Step::ok(kind, format!("{place} has \"\""))
        }
        MarkerFate::Ignored {
            id: "policy-without-latest",
            ..
        } => Step::new(
            kind,
            StepVerdict::Skipped,
            format!("{place} receives nothing while the policy has no latest image"),
        ),
        MarkerFate::Unknown { .. } => Step::new(
            kind,
            StepVerdict::Unknown,
            format!("{place}: what the policy chooses is not known"),
        ),
        MarkerFate::Applied { old, new } => {
            let (old, new) = without_common_name(old, new);
            Step::ok(kind, format!("{place} goes from {old} to {new}"))
        }
        MarkerFate::UpToDate { value } => Step::ok(kind, format!("{place} has {value}")),
        MarkerFate::Ignored { id, reason } => {
            let finding = findings::files::ignored_marker(
                id,
                &marker.path,
                marker.line,
                marker.column,
                reason,
            );
            let mut step = Step::stuck(
                kind,
                finding.id,
                format!("{place} receives nothing: {reason}"),
            )
            .remedy(finding.remedy);
            step.snippet = lines
                .and_then(|lines| lines.get(&(marker.path.clone(), marker.line)))
                .map(|text| snippet(marker, text));
            step
        }
    }
}

/// The tags alone, where both values are the same image with one.
fn without_common_name<'a>(old: &'a str, new: &'a str) -> (&'a str, &'a str) {
    let tags = old.rsplit_once(':').zip(new.rsplit_once(':'));
    match tags {
        Some(((old_name, old_tag), (new_name, new_tag)))
            if old_name == new_name
                && old_name.contains('/')
                && !old.contains('@')
                && !new.contains('@') =>
        {
            (old_tag, new_tag)
        }
        _ => (old, new),
    }
}

/// The line with its comment underlined, from the marker's `#` on.
fn snippet(marker: &PreviewedMarker, text: &str) -> Snippet {
    let characters: Vec<char> = text.trim_end().chars().collect();
    let end = marker.column.saturating_sub(1).min(characters.len());
    let start = characters[..end]
        .iter()
        .rposition(|character| *character == '#')
        .unwrap_or(end);
    Snippet {
        line: Some(marker.line),
        text: text.trim_end().to_owned(),
        column: start + 1,
        length: characters.len().saturating_sub(start).max(1),
    }
}

/// The step for a policy that no marker names.
pub(super) fn no_marker(policy: &ObjectKey, preview: &Preview) -> Step {
    let finding = references::marker_missing(policy, &preview.update_path);
    Step::found(StepKind::Marker, finding)
}

/// What the automation pushes, and when.
pub(super) fn commit_step(
    automation: &ImageUpdateAutomation,
    preview: &Preview,
    paths: &BTreeSet<&str>,
    live: bool,
    now: Timestamp,
) -> Step {
    let kind = StepKind::Commit;
    let branch = preview
        .branches
        .as_ref()
        .map_or("its branch", |branches| branches.push_branch.as_str());
    let changed = preview
        .files
        .iter()
        .filter(|file| paths.contains(file.path.as_str()));
    let files = match changed.count() {
        0 => {
            let pushed = moment(
                automation
                    .status
                    .last_push_time
                    .as_deref()
                    .unwrap_or_default(),
            );
            let commit = automation.status.last_push_commit.get(..7);
            return Step::ok(
                kind,
                match (commit, pushed) {
                    (Some(commit), Some(pushed)) => format!(
                        "nothing to push; {commit} was pushed {} ago",
                        age::since(pushed, now)
                    ),
                    _ => "nothing to push".into(),
                },
            )
            .since(pushed);
        }
        1 => "1 file".to_owned(),
        files => format!("{files} files"),
    };
    if let Some(cause) = &preview.skipped {
        return Step::stuck(
            kind,
            "update-skipped",
            format!("{files} would go to {branch}, but the controller skips its run ({cause})"),
        )
        .remedy("push a commit, or wait for the next image");
    }
    if !live {
        return Step::new(
            kind,
            StepVerdict::Waiting,
            format!("{files} to push to {branch}"),
        );
    }
    if automation.spec.suspend {
        return Step::new(
            kind,
            StepVerdict::Waiting,
            format!("{files} to push to {branch} once it is resumed"),
        );
    }
    let due = schedule::next_run(automation);
    let when = match due {
        Some(due) if due > now => format!("in {} at the latest", age::until(due, now)),
        _ => "with the next run".into(),
    };
    Step::new(
        kind,
        StepVerdict::Waiting,
        format!("{files} to push to {branch}, {when}"),
    )
    .due(due)
}
