//! The files of an automation as its rewrite leaves them, and what becomes of each marker.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::controllers::automation::AutomationFailure;
use crate::controllers::flux::{ImageUpdateAutomation, ObjectKey};
use crate::controllers::setters::discovery::{self, Discovery};
use crate::controllers::setters::following::{self, joined};
use crate::controllers::setters::{
    self, Ignored, LossKind, MarkerOutcome, Rewritten, RunFailure, SetterPolicy, Setters,
    SourceFile, Standing, Surroundings, Update, Wanted,
};
use crate::facts::git::TreeEntry;
use crate::failure::Failure;
use crate::findings::{self, files::SetterScope};

use super::Stop;
use crate::pipeline::checkout::Checkout;
use crate::pipeline::request::Request;
use crate::pipeline::stages::{
    IgnoredMarker, Inputs, MarkerFate, MarkerTally, PolicyInUse, Preview, PreviewedMarker,
    UnreadableFile, policy_of,
};

/// One run over the files of a checkout: where the walk started, what was read, and what comes out.
pub(super) struct Run {
    /// The update path from the repository's top, links resolved.
    pub(super) root: String,
    /// Relative path to the path of the file behind it, where a link led there.
    linked: BTreeMap<String, String>,
    pub(super) update: Update,
    /// Relative path to the bytes that were read, of the files that are written.
    pub(super) sources: BTreeMap<String, Vec<u8>>,
}

/// What came of a file that is looked at.
enum Seen {
    Unreadable(String),
    /// With its bytes where they are needed later.
    Rewritten(Box<Rewritten>, Option<Vec<u8>>),
}

/// Rewrites the files of a checkout as the controller would.
pub(super) fn run(
    request: &Request,
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
    let wanted = Wanted {
        bytes: request.messages,
        findings: true,
        losses: request.losses,
        minimal: request.minimal,
    };
    let root = &discovery.root;
    let mut files = Vec::new();
    let mut sources = BTreeMap::new();
    for (at, seen) in look_at(checkout, &discovery, &setters, wanted) {
        let relative = discovery.relative(at);
        match seen {
            Seen::Unreadable(error) => {
                let path = joined(root, &relative);
                return Err(
                    failed(format!("reading YAML file: open <clone>/{path}: {error}")).into(),
                );
            }
            Seen::Rewritten(rewritten, source) => {
                files.push(*rewritten);
                sources.extend(source.map(|source| (relative, source)));
            }
        }
    }
    let links = discovery.linked();
    let linked = links.map(|(relative, path)| (relative, path.to_owned()));
    let linked = linked.collect();
    let mut run = Run {
        root: discovery.root,
        linked,
        update: Update::default(),
        sources,
    };
    let surroundings = Surroundings {
        bytes: &|relative| read_again(checkout, &run.repository_path(relative)),
        standing: &|relative, made| following::standing(&checkout.tree, made, &run.root, relative),
    };
    let update = setters::conclude(files, &setters, wanted, &surroundings)
        .map_err(|failure| run_stop(failure, &run.root))?;
    if let Some(unplaced) = update.unplaced.first() {
        let path = run.repository_path(&unplaced.path);
        return Err(no_place(&path, unplaced.line, update.unplaced.len() - 1).into());
    }
    let unread = update.written.iter().filter(|file| !file.created);
    for file in unread.filter(|_| wanted.bytes) {
        if !run.sources.contains_key(&file.path)
            && let Some(bytes) = read_again(checkout, &run.written_path(checkout, &file.path))
        {
            run.sources.insert(file.path.clone(), bytes);
        }
    }
    run.update = update;
    Ok(run)
}

/// Rewrites each file on its own, several side by side; what nothing comes of is left out. With the files' numbers, in order.
fn look_at(
    checkout: &Checkout,
    discovery: &Discovery<'_>,
    setters: &Setters,
    wanted: Wanted,
) -> Vec<(usize, Seen)> {
    let look = |at, read: Result<&[u8], String>| {
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => return Some(Seen::Unreadable(error)),
        };
        if !discovery::may_hold_marker(bytes) {
            return None;
        }
        let file = SourceFile {
            path: &discovery.relative(at),
            bytes,
        };
        let rewritten = setters::rewrite_file(&file, setters, wanted);
        let source = (wanted.bytes && rewritten.is_written()).then(|| bytes.to_vec());
        (!rewritten.is_void()).then(|| Seen::Rewritten(Box::new(rewritten), source))
    };
    let path = |at| Cow::Owned(discovery.path(at));
    checkout.files.visit_files(discovery.len(), &path, &look)
}

fn read_again(checkout: &Checkout, path: &str) -> Option<Vec<u8>> {
    let mut read = checkout.files.read_files(&[path], |_| true);
    read.remove(path)?.ok()
}

/// The controller's failure; a panic isn't one, since it leaves no verdict behind.
fn run_stop(failure: RunFailure, root: &str) -> Stop {
    if failure.is_crash {
        let file = failure.path.as_deref().map(|path| joined(root, path));
        let message = format!(
            "the controller panics on {} ({}), is caught, and tries again: its Ready condition stays Unknown. Mend the `metadata` \
             that no Kubernetes object has, or move the file out of `spec.update.path`",
            file.as_deref().unwrap_or("the files"),
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

/// What is said of files in which more than the values would have to change.
fn no_place(path: &str, line: usize, more: usize) -> Failure {
    let others = match more {
        0 => String::new(),
        1 => " (and one more file)".to_owned(),
        more => format!(" (and {more} more files)"),
    };
    Failure::refused(format!(
        "--rewrite minimal can't put the new value in the place of the old one in {path}:{line}{others}: with nothing else changed it \
         wouldn't be read there as that string. Write the value on one line without a tag, or leave --rewrite \
         minimal out"
    ))
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

impl Run {
    /// The path of the file behind a relative one, from the repository's top.
    pub(super) fn repository_path(&self, relative: &str) -> String {
        let known = self.linked.get(relative);
        known
            .cloned()
            .unwrap_or_else(|| joined(&self.root, relative))
    }

    /// The path of the file that is written for a relative one, from the repository's top.
    pub(super) fn written_path(&self, checkout: &Checkout, relative: &str) -> String {
        let path = self.repository_path(relative);
        if checkout.tree.entries.get(&path) == Some(&TreeEntry::File) {
            return path;
        }
        let found =
            |made: &[String]| following::standing(&checkout.tree, made, &self.root, relative);
        match found(&[]) {
            Standing::Nothing(behind) | Standing::File(behind) => behind,
            Standing::NoFile(_) => match found(&self.made(checkout)) {
                Standing::Nothing(behind) => behind,
                _ => path,
            },
            Standing::Folder | Standing::NoFolder(_) => path,
        }
    }

    /// The new files whose folders the controller makes first.
    fn made(&self, checkout: &Checkout) -> Vec<String> {
        let created = self.update.written.iter().filter(|file| file.created);
        let places =
            created.map(|file| following::standing(&checkout.tree, &[], &self.root, &file.path));
        places
            .filter_map(|found| match found {
                Standing::Nothing(path) => Some(path),
                _ => None,
            })
            .collect()
    }
}

/// Tells what became of each marker.
pub(super) fn fill_markers(
    inputs: &Inputs,
    automation: &ImageUpdateAutomation,
    checkout: &Checkout,
    run: &mut Run,
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
    for marker in std::mem::take(&mut run.update.markers) {
        let path = run.repository_path(&marker.path);
        let fate = fate(marker.outcome, marker.setter.as_deref(), scope);
        let fate = seen(fate, marker.setter.as_deref(), preview);
        let marker_now = PreviewedMarker {
            path,
            line: marker.line,
            column: marker.column,
            setter: marker.setter,
            fate,
        };
        found.extend(emptied(&marker_now));
        match &marker_now.fate {
            MarkerFate::Applied { .. } => tally.applied += 1,
            MarkerFate::UpToDate { .. } => tally.up_to_date += 1,
            MarkerFate::Unknown { .. } => {}
            MarkerFate::Ignored { id, reason } => {
                let reason = format!("{reason}{}", findings::files::and_more(marker.more));
                found.push(findings::files::ignored_marker(
                    id,
                    &marker_now.path,
                    marker.line,
                    marker.column,
                    &reason,
                ));
                tally.ignored.push(IgnoredMarker {
                    path: marker_now.path.clone(),
                    line: marker.line,
                    column: marker.column,
                    setter: marker_now.setter.clone(),
                    id,
                    reason,
                });
            }
        }
        tally.located.push(marker_now);
    }
    preview.markers = tally;
    preview.findings.extend(found);
    let lossy = run.update.written.iter();
    for written in lossy.filter(|written| !written.losses.is_empty()) {
        let path = run.written_path(checkout, &written.path);
        let losses = written.losses.iter().map(|loss| match &loss.kind {
            LossKind::UnwrappedItem {
                list,
                replaces,
                as_json,
            } => {
                let list = run.repository_path(list);
                findings::files::unwrapped(&list, loss.line, &path, *replaces, *as_json)
            }
            _ => findings::files::loss(&path, loss),
        });
        preview.findings.extend(losses);
    }
    for problem in &run.update.problem_files {
        let path = run.repository_path(&problem.path);
        let mut ignored = preview.markers.ignored.iter();
        // That it is a list is why, and said already.
        if !ignored.any(|marker| marker.id == "list-file" && marker.path == path) {
            preview.findings.push(findings::files::problem_file(
                &path,
                Some(problem.line),
                &problem.reason,
            ));
        }
        preview.problem_files.push(UnreadableFile {
            path,
            line: Some(problem.line),
            reason: findings::files::reason_to_tell(&problem.reason),
        });
    }
}

fn fate(outcome: MarkerOutcome, setter: Option<&str>, scope: SetterScope<'_>) -> MarkerFate {
    match outcome {
        MarkerOutcome::Applied { old, new } => MarkerFate::Applied { old, new },
        MarkerOutcome::UpToDate { value } => MarkerFate::UpToDate { value },
        MarkerOutcome::Ignored(ignored) => {
            let (id, reason) = ignored_reason(&ignored, setter, scope);
            MarkerFate::Ignored { id, reason }
        }
    }
}

/// `digest-marker-without-digest`, where the marker's value becomes empty or is and stays so.
fn emptied(marker: &PreviewedMarker) -> Option<findings::Finding> {
    let is_digest = || marker.setter.as_deref()?.ends_with(":digest").then_some(());
    let old = match &marker.fate {
        MarkerFate::Applied { old, new } if new.is_empty() => old,
        MarkerFate::UpToDate { value } if value.is_empty() && is_digest().is_some() => value,
        _ => return None,
    };
    Some(findings::files::digest_marker_without_digest(
        &marker.path,
        marker.line,
        marker.column,
        old,
    ))
}

/// The same fate; but of a policy of which nothing could be found out nobody says that it has no latest image.
fn seen(fate: MarkerFate, setter: Option<&str>, preview: &Preview) -> MarkerFate {
    let MarkerFate::Ignored {
        id: "policy-without-latest",
        ..
    } = fate
    else {
        return fate;
    };
    let policy = setter.and_then(policy_of);
    let unknown = preview
        .without_latest
        .iter()
        .find(|without| without.is_unknown && policy.as_ref() == Some(&without.key));
    match unknown {
        Some(without) => MarkerFate::Unknown {
            reason: without.why.clone(),
        },
        None => fate,
    }
}

fn ignored_reason(
    ignored: &Ignored,
    setter: Option<&str>,
    scope: SetterScope<'_>,
) -> (&'static str, String) {
    let anyway = findings::files::ignored_anyway(ignored, setter);
    anyway.unwrap_or_else(|| findings::files::unknown_setter(setter.unwrap_or_default(), scope))
}
