//! The files of an automation as its rewrite leaves them, and what becomes of each marker.

use std::collections::BTreeMap;

use crate::controllers::automation::AutomationFailure;
use crate::controllers::flux::{ImageUpdateAutomation, ObjectKey};
use crate::controllers::setters::discovery::{self, Discovery};
use crate::controllers::setters::{
    self, Ignored, Marker, MarkerOutcome, RunFailure, SetterPolicy, Setters, SourceFile, Update,
};
use crate::failure::Failure;
use crate::findings::{self, files::SetterScope};

use super::Stop;
use crate::pipeline::checkout::Checkout;
use crate::pipeline::stages::{
    IgnoredMarker, Inputs, MarkerFate, MarkerTally, PolicyInUse, Preview, PreviewedMarker,
    UnreadableFile,
};

/// One run over the files of a checkout: where the walk started, what was read, and what comes out.
pub(super) struct Run {
    /// The update path from the repository's top, links resolved.
    pub(super) root: String,
    /// Relative path to the path of the file behind it.
    paths: BTreeMap<String, String>,
    pub(super) update: Update,
    /// Relative path to the bytes that were read.
    pub(super) sources: BTreeMap<String, Vec<u8>>,
}

/// Rewrites the files of a checkout as the controller would.
pub(super) fn run(
    automation: &ImageUpdateAutomation,
    checkout: &Checkout,
    preview: &mut Preview,
) -> Result<Run, Stop> {
    let failed = |message: String| AutomationFailure::update_failed(&message);
    let setters: Vec<SetterPolicy> = preview.policies.iter().map(setter_policy).collect();
    let setters = Setters::new(&setters).map_err(|failure| run_stop(failure, ""))?;
    let discovery =
        discovery::discover(&checkout.tree, &automation.spec.update.path).map_err(failed)?;
    preview.findings.extend(
        discovery
            .skipped_links
            .iter()
            .map(|path| findings::files::symlink_skipped(path)),
    );
    let sources = read(checkout, &discovery).map_err(failed)?;
    let files: Vec<SourceFile<'_>> = discovery
        .candidates
        .iter()
        .filter_map(|candidate| {
            sources.get(&candidate.relative).map(|bytes| SourceFile {
                path: &candidate.relative,
                bytes,
            })
        })
        .collect();
    let update =
        setters::update(&files, &setters).map_err(|failure| run_stop(failure, &discovery.root))?;
    let paths = discovery
        .candidates
        .into_iter()
        .map(|candidate| (candidate.relative, candidate.path));
    Ok(Run {
        root: discovery.root,
        paths: paths.collect(),
        update,
        sources,
    })
}

/// The controller's failure, or ours where the engine can't repeat what it does.
fn run_stop(failure: RunFailure, root: &str) -> Stop {
    if failure.is_unsupported {
        let below = if root.is_empty() { "." } else { root };
        let message = format!(
            "rewrite-unsupported: below {below}, {}: this can't be reproduced exactly yet",
            failure.message
        );
        return Stop::Unknown(Failure::invalid_input(message));
    }
    let package = joined("<clone>", root);
    let message = failure
        .message
        .replace(setters::PACKAGE, package.trim_end_matches('/'));
    Stop::Predicted(AutomationFailure::update_failed(&message))
}

fn setter_policy(policy: &PolicyInUse) -> SetterPolicy {
    SetterPolicy {
        namespace: policy.key.namespace.clone(),
        name: policy.key.name.clone(),
        image: policy.image.name.clone(),
        tag: policy.image.tag.clone(),
        digest: policy.image.digest.clone(),
    }
}

/// The bytes of every candidate that may hold a marker, by relative path; a file that can't be read fails the run.
fn read(checkout: &Checkout, discovery: &Discovery) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut paths: Vec<&str> = discovery
        .candidates
        .iter()
        .map(|candidate| candidate.path.as_str())
        .collect();
    paths.sort_unstable();
    paths.dedup();
    let read = checkout
        .files
        .read_files(&paths, discovery::may_hold_marker);
    let mut sources = BTreeMap::new();
    for candidate in &discovery.candidates {
        match read.get(&candidate.path) {
            Some(Ok(bytes)) => drop(sources.insert(candidate.relative.clone(), bytes.clone())),
            Some(Err(error)) => {
                return Err(format!(
                    "reading YAML file: open <clone>/{}: {error}",
                    joined(&discovery.root, &candidate.relative)
                ));
            }
            None => {}
        }
    }
    Ok(sources)
}

pub(super) fn joined(root: &str, relative: &str) -> String {
    if root.is_empty() {
        relative.to_owned()
    } else {
        format!("{root}/{relative}")
    }
}

impl Run {
    /// The path of the file behind a relative one, from the repository's top.
    pub(super) fn repository_path(&self, relative: &str) -> String {
        let known = self.paths.get(relative);
        known
            .cloned()
            .unwrap_or_else(|| joined(&self.root, relative))
    }
}

/// Tells what became of each marker.
pub(super) fn fill_markers(
    inputs: &Inputs,
    automation: &ImageUpdateAutomation,
    run: &Run,
    preview: &mut Preview,
) {
    let known = |key: &ObjectKey| inputs.objects.policies.contains_key(key);
    let selected = |key: &ObjectKey| {
        let in_use = preview.policies.iter().any(|policy| policy.key == *key);
        in_use
            || preview
                .without_latest
                .iter()
                .any(|policy| policy.key == *key)
    };
    let scope = SetterScope {
        automation: &automation.key,
        known: &known,
        selected: &selected,
    };
    let mut tally = MarkerTally::default();
    let mut found = Vec::new();
    for marker in &run.update.markers {
        let path = run.repository_path(&marker.path);
        let fate = fate(marker, scope);
        tally.located.push(PreviewedMarker {
            path: path.clone(),
            line: marker.line,
            column: marker.column,
            setter: marker.setter.clone(),
            fate: fate.clone(),
        });
        let (id, reason) = match fate {
            MarkerFate::Applied { .. } => {
                tally.applied += 1;
                continue;
            }
            MarkerFate::UpToDate { .. } => {
                tally.up_to_date += 1;
                continue;
            }
            MarkerFate::Ignored { id, reason } => (id, reason),
        };
        found.push(findings::files::ignored_marker(
            id,
            &path,
            marker.line,
            marker.column,
            &reason,
        ));
        tally.ignored.push(IgnoredMarker {
            path,
            line: marker.line,
            column: marker.column,
            setter: marker.setter.clone(),
            id,
            reason,
        });
    }
    preview.markers = tally;
    preview.findings.extend(found);
    for written in &run.update.written {
        let path = run.repository_path(&written.path);
        let losses = written.losses.iter();
        preview
            .findings
            .extend(losses.map(|loss| findings::files::loss(&path, loss)));
    }
    for problem in &run.update.problem_files {
        let path = run.repository_path(&problem.path);
        preview.findings.push(findings::files::problem_file(
            &path,
            Some(problem.line),
            &problem.reason,
        ));
        preview.problem_files.push(UnreadableFile {
            path,
            line: Some(problem.line),
            reason: problem.reason.clone(),
        });
    }
}

fn fate(marker: &Marker, scope: SetterScope<'_>) -> MarkerFate {
    match &marker.outcome {
        MarkerOutcome::Applied { old, new } => MarkerFate::Applied {
            old: old.clone(),
            new: new.clone(),
        },
        MarkerOutcome::UpToDate { value } => MarkerFate::UpToDate {
            value: value.clone(),
        },
        MarkerOutcome::Ignored(ignored) => {
            let (id, reason) = ignored_reason(ignored, marker.setter.as_deref(), scope);
            MarkerFate::Ignored { id, reason }
        }
    }
}

fn ignored_reason(
    ignored: &Ignored,
    setter: Option<&str>,
    scope: SetterScope<'_>,
) -> (&'static str, String) {
    match ignored {
        Ignored::UnknownSetter => {
            findings::files::unknown_setter(setter.unwrap_or_default(), scope)
        }
        Ignored::Malformed => (
            "marker-malformed",
            "the comment is not exactly one JSON object of strings".into(),
        ),
        Ignored::Position(attached) => (
            "marker-position-ignored",
            format!("the comment belongs to {attached}, not to a value"),
        ),
        Ignored::Shadowed(why) => ("marker-position-ignored", (*why).to_owned()),
        Ignored::ListFile => (
            "list-file",
            "the file's top level is a list, and the controller changes nothing in such files"
                .into(),
        ),
        Ignored::ProblemFile => (
            "problem-file",
            "the controller can't read the file and passes over it".into(),
        ),
    }
}
