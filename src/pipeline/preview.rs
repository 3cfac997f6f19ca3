//! The last two stages: the files as the automation would leave them, and the commit that would hold them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::controllers::automation::{self, AutomationFailure};
use crate::controllers::flux::{FluxVersion, ImageRef, ImageUpdateAutomation, ObjectKey};
use crate::controllers::message::{self, MessageError, MessageInput, Rules, UpdatedImage};
use crate::controllers::policy::Outcome;
use crate::controllers::setters::discovery::{self, Discovery};
use crate::controllers::setters::{
    self, Ignored, MarkerOutcome, RunFailure, SetterPolicy, Setters, SourceFile, Update,
};
use crate::facts::cluster::Kind;
use crate::facts::git::{WorkTree, without_user_info};
use crate::failure::{Failure, FailureKind};
use crate::findings::{self, files::SetterScope};
use crate::io::git;

use super::request::{Request, WorktreeSetting};
use super::stages::{
    Decisions, IgnoredMarker, Inputs, PolicyInUse, PolicyWithoutLatest, Preview, PreviewedFile,
    Source, UnreadableFile,
};

/// The files of one source, read once for all automations on it.
struct Checkout {
    top: PathBuf,
    repository: bool,
    tree: WorkTree,
}

/// Previews every automation of the run, in order.
///
/// # Errors
///
/// The flags name no work tree for the sources of the run, or one that can't be read.
pub fn preview(
    request: &Request,
    inputs: &Inputs,
    decisions: &Decisions,
) -> Result<Vec<Preview>, Failure> {
    let mut checkouts: BTreeMap<PathBuf, Checkout> = BTreeMap::new();
    check_bare_worktree(request, inputs)?;
    inputs
        .automations
        .iter()
        .map(|key| preview_one(request, inputs, decisions, &mut checkouts, key))
        .collect()
}

fn check_bare_worktree(request: &Request, inputs: &Inputs) -> Result<(), Failure> {
    let mut sources: Vec<ObjectKey> = inputs
        .automations
        .iter()
        .filter_map(|key| source_of(inputs, key))
        .collect();
    sources.sort();
    sources.dedup();
    let named = |source: &&ObjectKey| {
        request
            .worktrees
            .iter()
            .any(|setting| setting.source.as_ref() == Some(source))
    };
    let unnamed: Vec<String> = sources
        .iter()
        .filter(|source| !named(source))
        .map(ToString::to_string)
        .collect();
    let bare = request
        .worktrees
        .iter()
        .filter(|setting| setting.source.is_none())
        .count();
    if bare > 1 || (bare == 1 && unnamed.len() > 1) {
        return Err(Failure::usage(format!(
            "--worktree DIR stands for one GitRepository, and the automations have several ({}): name each as --worktree NAMESPACE/NAME=DIR",
            unnamed.join(", ")
        )));
    }
    Ok(())
}

fn source_of(inputs: &Inputs, automation: &ObjectKey) -> Option<ObjectKey> {
    automation::source_key(inputs.objects.automations.get(automation)?).ok()
}

fn preview_one(
    request: &Request,
    inputs: &Inputs,
    decisions: &Decisions,
    checkouts: &mut BTreeMap<PathBuf, Checkout>,
    key: &ObjectKey,
) -> Result<Preview, Failure> {
    let Some(automation) = inputs.objects.automations.get(key) else {
        return Err(Failure::invalid_input(format!(
            "ImageUpdateAutomation {key} is not in the input"
        )));
    };
    let mut preview = empty(automation);
    if let Err(failure) = fill(
        request,
        inputs,
        decisions,
        checkouts,
        automation,
        &mut preview,
    ) {
        match failure {
            Stop::Predicted(failure) => preview.error = Some(failure),
            Stop::Unknown(failure) if failure.kind == FailureKind::Usage => {
                return Err(failure);
            }
            Stop::Unknown(failure) => preview.unknown = Some(failure),
        }
    }
    Ok(preview)
}

fn empty(automation: &ImageUpdateAutomation) -> Preview {
    Preview {
        key: automation.key.clone(),
        update_path: automation.spec.update.path.clone(),
        source: Source {
            key: automation
                .spec
                .source_ref
                .key_from(&automation.key.namespace),
            url: None,
            commit: None,
        },
        branches: None,
        policies: Vec::new(),
        without_latest: Vec::new(),
        message: None,
        error: None,
        unknown: None,
        troubles: Vec::new(),
        skipped: None,
        files: Vec::new(),
        markers: Default::default(),
        problem_files: Vec::new(),
        findings: Vec::new(),
        notes: Vec::new(),
    }
}

/// Why a preview ends early.
enum Stop {
    /// The controller would fail.
    Predicted(AutomationFailure),
    /// We could not find out.
    Unknown(Failure),
}

impl From<AutomationFailure> for Stop {
    fn from(failure: AutomationFailure) -> Self {
        Self::Predicted(failure)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Unknown(failure)
    }
}

fn fill(
    request: &Request,
    inputs: &Inputs,
    decisions: &Decisions,
    checkouts: &mut BTreeMap<PathBuf, Checkout>,
    automation: &ImageUpdateAutomation,
    preview: &mut Preview,
) -> Result<(), Stop> {
    if automation.deleted {
        preview
            .notes
            .push("the automation is being deleted: this is what it would do if it stayed".into());
    }
    let installation = &inputs.installation;
    if installation
        .automation(&automation.key.namespace, &automation.labels)
        .is_none()
    {
        preview.notes.push(
            "no image-automation-controller watches the automation (--watch-label-selector): this is what one would do".into(),
        );
    }
    if automation.spec.suspend {
        preview.findings.push(findings::policies::suspended(
            "ImageUpdateAutomation",
            &automation.key,
        ));
        preview.notes.push(
            "the automation is suspended: this is what it would do if it were resumed".into(),
        );
    }
    fill_policies(inputs, decisions, automation, preview)?;
    fill_source(inputs, automation, preview)?;
    let checkout = checkout(request, checkouts, preview)?;
    preview.source.commit.clone_from(&checkout.tree.commit);
    fill_skip(automation, checkout, preview);
    automation::check_strategy(automation)?;
    let run = run(automation, checkout, preview)?;
    fill_markers(inputs, automation, &run, preview);
    fill_message(request, inputs, automation, &run, preview)?;
    fill_files(checkout, run, preview)
}

fn fill_policies(
    inputs: &Inputs,
    decisions: &Decisions,
    automation: &ImageUpdateAutomation,
    preview: &mut Preview,
) -> Result<(), Stop> {
    let namespace = &automation.key.namespace;
    if let Some(why) = inputs.objects.hidden_in(Kind::ImagePolicy, namespace) {
        return Err(Failure::cluster(why).into());
    }
    for (key, decision) in &decisions.policies {
        let Some(policy) = inputs
            .objects
            .policies
            .get(key)
            .filter(|policy| policy.key.namespace == automation.key.namespace)
        else {
            continue;
        };
        if !automation::selector_matches(automation.spec.policy_selector.as_ref(), &policy.labels)?
        {
            continue;
        }
        preview.notes.extend(decision.notes.iter().cloned());
        preview.findings.extend(decision.findings.iter().cloned());
        match &decision.latest {
            Some((image, origin)) => preview.policies.push(PolicyInUse {
                key: key.clone(),
                image: image.clone(),
                origin: *origin,
            }),
            None => preview.without_latest.push(PolicyWithoutLatest {
                key: key.clone(),
                why: why_without(decision),
            }),
        }
        preview.troubles.extend(decision.trouble.clone());
        if let Some(failure) = &decision.unknown {
            preview.unknown.get_or_insert_with(|| failure.clone());
        }
    }
    Ok(())
}

fn why_without(decision: &super::stages::PolicyDecision) -> String {
    if let Some(failure) = &decision.unknown {
        return failure.to_string();
    }
    if let Some((_, message)) = &decision.failure {
        return message.clone();
    }
    match &decision.decision {
        Some(decision) if matches!(decision.outcome, Outcome::NotDeterministic { .. }) => {
            "the choice is not deterministic".into()
        }
        _ => "its status has no latest image".into(),
    }
}

fn fill_source(
    inputs: &Inputs,
    automation: &ImageUpdateAutomation,
    preview: &mut Preview,
) -> Result<(), Stop> {
    let key = automation::source_key(automation)?;
    let blocked = inputs
        .automation_controller(automation)
        .is_some_and(|controller| controller.no_cross_namespace_refs);
    if blocked && key.namespace != automation.key.namespace {
        return Err(automation::source_access_denied(&key).into());
    }
    let source = inputs.objects.git_repositories.get(&key);
    if source.is_none() {
        if let Some(why) = inputs.objects.hidden(Kind::GitRepository, &key) {
            return Err(Failure::cluster(why).into());
        }
        if inputs.live {
            return Err(automation::source_missing(&key.name).into());
        }
        preview.notes.push(format!(
            "GitRepository {key} is not in the input: its ref and URL are not known"
        ));
        preview
            .findings
            .push(findings::automations::source_missing(&automation.key, &key));
    }
    preview.source.url = source.map(|source| without_user_info(&source.spec.url));
    let branches = automation::branches(automation, source, inputs.automation_rules(automation));
    // Without the GitRepository its ref may be what the automation leans on: that is not known, not a failure.
    let branches = match branches {
        Err(_) if source.is_none() => None,
        other => Some(other?),
    };
    if let Some(branches) = branches.as_ref().filter(|branches| branches.switched) {
        let finding =
            findings::automations::push_branch_unknown(&automation.key, &branches.push_branch);
        preview
            .notes
            .push(format!("note[push-branch-unknown]: {}", finding.message));
        preview.findings.push(finding);
    }
    preview.branches = branches;
    Ok(())
}

fn checkout<'a>(
    request: &Request,
    checkouts: &'a mut BTreeMap<PathBuf, Checkout>,
    preview: &mut Preview,
) -> Result<&'a Checkout, Failure> {
    let folder = worktree_folder(request, preview)?;
    if !checkouts.contains_key(&folder) {
        let checkout = read_checkout(&folder)?;
        checkouts.insert(folder.clone(), checkout);
    }
    let checkout = &checkouts[&folder];
    if !checkout.tree.unreadable_paths.is_empty() {
        let paths = checkout.tree.unreadable_paths.join(", ");
        preview
            .notes
            .push(format!("paths that are not UTF-8 are not read: {paths}"));
    }
    Ok(checkout)
}

fn worktree_folder(request: &Request, preview: &Preview) -> Result<PathBuf, Failure> {
    let named = |setting: &&WorktreeSetting| setting.source.as_ref() == Some(&preview.source.key);
    let bare = |setting: &&WorktreeSetting| setting.source.is_none();
    let setting = request
        .worktrees
        .iter()
        .find(named)
        .or_else(|| request.worktrees.iter().find(bare));
    if let Some(setting) = setting {
        return Ok(setting.folder.clone());
    }
    if preview.source.url.is_some() || !request.worktrees.is_empty() {
        return Err(Failure::usage(format!(
            "cloning GitRepository {} is not supported yet: name a local checkout of it with --worktree DIR or --worktree {}=DIR",
            preview.source.key, preview.source.key
        )));
    }
    match git::top_of(Path::new("."))? {
        Some(top) => Ok(top),
        None => Err(Failure::usage(format!(
            "GitRepository {} is not in the input and the current directory is no work tree: name one with --worktree DIR",
            preview.source.key
        ))),
    }
}

fn read_checkout(folder: &Path) -> Result<Checkout, Failure> {
    if !folder.is_dir() {
        return Err(Failure::git(format!(
            "--worktree {}: is not a folder",
            folder.display()
        )));
    }
    let top = git::top_of(folder)?;
    let repository = top.is_some();
    let top = top.unwrap_or_else(|| folder.to_owned());
    Ok(Checkout {
        tree: git::work_tree(&top, repository)?,
        repository,
        top,
    })
}

fn fill_skip(automation: &ImageUpdateAutomation, checkout: &Checkout, preview: &mut Preview) {
    let Some(branches) = &preview.branches else {
        return;
    };
    let policies: BTreeMap<String, ImageRef> = preview
        .policies
        .iter()
        .map(|policy| (policy.key.name.clone(), policy.image.clone()))
        .collect();
    preview.skipped = automation::skipped(
        automation,
        branches,
        &policies,
        checkout.tree.commit.as_deref(),
    );
    if let Some(cause) = &preview.skipped {
        let finding = findings::automations::update_skipped(&automation.key, cause);
        preview
            .notes
            .push(format!("note[update-skipped]: {}", finding.message));
        preview.findings.push(finding);
    }
}

/// One run over the files of a checkout: where the walk started, what was read, and what comes out.
struct Run {
    /// The update path from the repository's top, links resolved.
    root: String,
    /// Relative path to the path of the file behind it.
    paths: BTreeMap<String, String>,
    update: Update,
    /// Relative path to the bytes that were read.
    sources: BTreeMap<String, Vec<u8>>,
}

fn run(
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
    let read = git::read_files(&checkout.top, &paths, discovery::may_hold_marker);
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

fn joined(root: &str, relative: &str) -> String {
    if root.is_empty() {
        relative.to_owned()
    } else {
        format!("{root}/{relative}")
    }
}

impl Run {
    /// The path of the file behind a relative one, from the repository's top.
    fn repository_path(&self, relative: &str) -> String {
        let known = self.paths.get(relative);
        known
            .cloned()
            .unwrap_or_else(|| joined(&self.root, relative))
    }
}

fn fill_markers(
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
    let mut tally = super::stages::MarkerTally::default();
    let mut found = Vec::new();
    for marker in &run.update.markers {
        let ignored = match &marker.outcome {
            MarkerOutcome::Applied { .. } => {
                tally.applied += 1;
                continue;
            }
            MarkerOutcome::UpToDate { .. } => {
                tally.up_to_date += 1;
                continue;
            }
            MarkerOutcome::Ignored(ignored) => ignored,
        };
        let (id, reason) = ignored_reason(ignored, marker.setter.as_deref(), scope);
        let path = run.repository_path(&marker.path);
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

fn fill_message(
    request: &Request,
    inputs: &Inputs,
    automation: &ImageUpdateAutomation,
    run: &Run,
    preview: &mut Preview,
) -> Result<(), Stop> {
    if run.update.changed.is_empty() || !request.messages {
        return Ok(());
    }
    let commit = automation
        .spec
        .git
        .as_ref()
        .map(|git| git.commit.clone())
        .unwrap_or_default();
    let updated = updated_images(run, preview);
    let input = |rules| MessageInput {
        template: &commit.message_template,
        namespace: &automation.key.namespace,
        name: &automation.key.name,
        values: &commit.message_template_values,
        changed: &run.update.changed,
        updated_images: &updated,
        rules,
    };
    let rules = if inputs.automation_rules(automation) < FluxVersion::V2_7 {
        Rules::Flux2_6
    } else {
        Rules::Current
    };
    let message =
        message::render(&input(rules)).map_err(|error| message_stop(error, automation))?;
    if rules == Rules::Flux2_6
        && let Err(MessageError::Removed { message, .. }) = message::render(&input(Rules::Current))
    {
        preview
            .findings
            .push(findings::automations::template_removed_field(
                &automation.key,
                &message,
            ));
    }
    if let Some(why) = &message.not_deterministic {
        preview
            .findings
            .push(findings::automations::template_not_deterministic(
                &automation.key,
                why,
            ));
    }
    preview.message = Some(message.text);
    Ok(())
}

fn message_stop(error: MessageError, automation: &ImageUpdateAutomation) -> Stop {
    match error {
        MessageError::Removed { message, .. } => {
            Stop::Predicted(AutomationFailure::removed_template_field(message))
        }
        MessageError::Failed { message } => {
            Stop::Predicted(AutomationFailure::git_operation_failed(message))
        }
        other => Stop::Unknown(Failure::invalid_input(format!(
            "ImageUpdateAutomation {}: messageTemplate: {other}",
            automation.key
        ))),
    }
}

fn updated_images(run: &Run, preview: &Preview) -> Vec<UpdatedImage> {
    let mut updated = Vec::new();
    for file in &run.update.changed {
        for object in &file.objects {
            for change in &object.changes {
                let Some(policy) = preview
                    .policies
                    .iter()
                    .find(|policy| is_setter_of(&change.setter, &policy.key))
                else {
                    continue;
                };
                updated.push(UpdatedImage {
                    reference: policy.image.to_string(),
                    policy_namespace: policy.key.namespace.clone(),
                    policy_name: policy.key.name.clone(),
                    file: file.path.clone(),
                    object: object.object.clone(),
                });
            }
        }
    }
    updated
}

fn is_setter_of(setter: &str, policy: &ObjectKey) -> bool {
    let mut parts = setter.splitn(3, ':');
    parts.next() == Some(policy.namespace.as_str()) && parts.next() == Some(policy.name.as_str())
}

fn fill_files(checkout: &Checkout, run: Run, preview: &mut Preview) -> Result<(), Stop> {
    let mut files: BTreeMap<String, PreviewedFile> = BTreeMap::new();
    for written in &run.update.written {
        let path = if written.created {
            joined(&run.root, &written.path)
        } else {
            run.repository_path(&written.path)
        };
        let old = run
            .sources
            .get(&written.path)
            .filter(|_| !written.created)
            .cloned();
        let located = run
            .update
            .located
            .iter()
            .filter(|change| change.path == written.path);
        let file = PreviewedFile {
            path: path.clone(),
            old,
            new: written.bytes.clone(),
            changes: located.cloned().collect(),
        };
        files.insert(path, file);
    }
    let created: Vec<String> = files
        .values()
        .filter(|file| file.old.is_none())
        .map(|file| file.path.clone())
        .collect();
    if !created.is_empty() && checkout.repository {
        for ignored in git::ignored(&checkout.top, &created).map_err(Failure::from)? {
            files.remove(&ignored);
        }
    }
    preview.files = files.into_values().collect();
    if preview.files.is_empty() {
        preview.message = None;
    }
    Ok(())
}
