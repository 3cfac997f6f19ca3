//! The same for files alone: no cluster, no registry, no git server. What a policy would choose is not known, so every policy
//! chooses a tag of no meaning, and what becomes of each marker and each file is seen all the same.

mod alone;
mod clusters;
mod ignores;
mod policy_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::controllers::flux::{DigestReflectionPolicy, ImagePolicy, ImageRef, ObjectKey};
use crate::controllers::policy::{self, Outcome, PolicySpec};
use crate::failure::Failure;
use crate::findings::{Finding, Subject, policies, references};
use crate::go::regexp::Regexp;
use crate::io::git;
use crate::pipeline::gate::{Undecided, gate};
use crate::pipeline::request::{ObjectSource, Request, WorktreeSetting};
use crate::pipeline::session::Session;
use crate::pipeline::stages::{Decisions, ImageOrigin, Inputs, PolicyDecision, Recomputed, Scans};
use crate::pipeline::{checkout, load, preview};

use super::{Diagnosis, Stages};

/// What is looked at.
#[derive(Clone, Debug)]
pub struct LintRequest {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Folders that each hold the objects of one cluster, as a glob below a path.
    pub clusters: String,
    /// What `filterTags.pattern` of every policy must match.
    pub required_pattern: Option<Regexp>,
    /// The settings of a run over manifests; its sources and work trees are filled in.
    pub request: Request,
}

/// The tag that every policy chooses.
const TAG: &str = "0.0.0-lint";
const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Ids that say nothing about the files themselves.
const NOT_OF_FILES: [&str; 4] = [
    "push-branch-unknown",
    "source-missing",
    "source-not-given",
    "downgrade",
];

/// Looks at files alone.
///
/// # Errors
///
/// A path isn't there, or git can't read a work tree.
pub fn lint(request: &LintRequest, session: &Session) -> Result<Diagnosis, Failure> {
    let mut tops: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in &request.paths {
        if !path.exists() {
            return Err(Failure::invalid_input(format!(
                "{}: there is no such file or folder",
                path.display()
            )));
        }
        if !path.is_file() && !path.is_dir() {
            return Err(Failure::invalid_input(format!(
                "{}: is neither a file nor a folder, but a pipe or a device: lint looks at its files more than once",
                path.display()
            )));
        }
        let top = top_of(path)?;
        tops.entry(top).or_default().push(path.clone());
    }
    let mut all = Vec::new();
    for (top, paths) in &tops {
        let mut here = Vec::new();
        for cluster in clusters::inputs(top, paths, &request.clusters) {
            here.push(one(request, top, &cluster, session)?);
        }
        let alone = alone::look_at(top, paths, &here);
        all.extend(here);
        all.push(alone);
    }
    let mut whole = Diagnosis::together(all);
    whole.drop_repeated();
    let unreadable = places_of(&whole, "problem-file");
    whole.retain(|finding| {
        finding.id != "manifest-unusable" || !unreadable.contains(&finding.subject)
    });
    let markers = std::mem::take(&mut whole.markers);
    whole.retain(|finding| !is_fine_elsewhere(finding, &markers));
    alone::once(&mut whole);
    Ok(whole)
}

/// Where there are findings of an id, by line.
fn places_of(diagnosis: &Diagnosis, id: &str) -> BTreeSet<Subject> {
    let found = diagnosis.findings.iter().map(|found| &found.finding);
    found
        .filter(|finding| finding.id == id)
        .map(|finding| finding.subject.clone())
        .collect()
}

/// What findings have in common that are one: of a place, whatever each cluster says about it, or of objects, with the same words.
fn told_as(finding: &Finding) -> (&'static str, Subject, String) {
    let words = match finding.subject {
        Subject::Place { .. } => String::new(),
        Subject::Object { .. } => finding.message.clone(),
    };
    (finding.id, finding.subject.clone(), words)
}

/// Whether a marker that one cluster can do nothing with is another cluster's.
fn is_fine_elsewhere(finding: &Finding, markers: &BTreeMap<(String, usize), bool>) -> bool {
    let Subject::Place {
        path,
        line: Some(line),
        ..
    } = &finding.subject
    else {
        return false;
    };
    let receives = markers.get(&(path.clone(), *line));
    match finding.id {
        "marker-outside-path" => receives.is_some(),
        "marker-dangling" | "marker-other-namespace" | "marker-not-selected" => {
            receives == Some(&true)
        }
        _ => false,
    }
}

/// The work tree that holds a path, or the folder itself where there is none.
fn top_of(path: &Path) -> Result<PathBuf, Failure> {
    let folder = if path.is_dir() {
        path.to_owned()
    } else {
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    };
    Ok(git::top_of(&folder)?.unwrap_or(folder))
}

fn one(
    request: &LintRequest,
    top: &Path,
    cluster: &clusters::ClusterInput,
    session: &Session,
) -> Result<Diagnosis, Failure> {
    let mut run = request.request.clone();
    run.objects.source = ObjectSource::Manifests {
        sources: cluster.sources.clone(),
        recursive: true,
    };
    let loaded = load(&run, session)?;
    let inputs = Inputs {
        recomputed: Recomputed::Everything,
        ..loaded
    };
    run.worktrees = inputs
        .objects
        .automations
        .values()
        .map(|automation| WorktreeSetting {
            source: Some(
                automation
                    .spec
                    .source_ref
                    .key_from(&automation.key.namespace),
            ),
            folder: top.to_owned(),
        })
        .collect();
    let scans = Scans::default();
    let checkouts = checkout::checkouts(&run, &inputs, session)?;
    let decisions = decisions(&inputs);
    let previews = preview(&run, &inputs, &decisions, &checkouts)?;
    let stages = Stages {
        request: &run,
        inputs: &inputs,
        scans: &scans,
        checkouts: &checkouts,
        decisions: &decisions,
        previews: &previews,
        now: session.now,
    };
    let mut findings = stages.findings();
    findings
        .found
        .retain(|finding| !NOT_OF_FILES.contains(&finding.id));
    let texts = clusters::texts(&inputs.flux_files, top);
    for problem in &inputs.problems {
        let path = clusters::relative(Path::new(&problem.file), top);
        let finding = references::manifest_unusable(&path, problem.line, &problem.message);
        findings.found.push(finding);
    }
    findings.found.extend(policy_tests::run(&texts));
    if let Some(pattern) = &request.required_pattern {
        let policies = inputs.objects.policies.values();
        findings
            .found
            .extend(policies.filter_map(|policy| convention(policy, pattern)));
    }
    let mut diagnosis = stages.diagnosis(findings, None);
    // Notes of a run don't say anything about files.
    diagnosis.notes.clear();
    // Which values two clusters write is not known here.
    diagnosis.written.clear();
    diagnosis.add_lines(&texts);
    diagnosis.drop_ignored(&ignores::Ignores::of(&texts, &diagnosis.lines, top));
    Ok(diagnosis)
}

/// What each policy would give its markers if the registry had nothing but [`TAG`].
fn decisions(inputs: &Inputs) -> Decisions {
    let policies = inputs
        .objects
        .policies
        .values()
        .map(|policy| (policy.key.clone(), decision(inputs, policy)));
    Decisions {
        policies: policies.collect(),
    }
}

fn decision(inputs: &Inputs, policy: &ImagePolicy) -> PolicyDecision {
    let reference = &policy.spec.image_repository_ref;
    let repository = reference.key_from(&policy.key.namespace);
    let repository = inputs.objects.repositories.get(&repository);
    let name = repository.map_or("image", |repository| repository.spec.image.as_str());
    let digest = match policy.spec.digest_reflection_policy {
        DigestReflectionPolicy::Never => "",
        _ => DIGEST,
    };
    let image = ImageRef {
        name: name.to_owned(),
        tag: TAG.into(),
        digest: digest.into(),
    };
    PolicyDecision {
        latest: Some((image, ImageOrigin::Assumed)),
        live: None,
        failure: None,
        trouble: None,
        unknown: None,
        decision: None,
        findings: by_spec(inputs, policy),
        notes: Vec::new(),
    }
}

/// What stops the controller whatever the registry has.
fn by_spec(inputs: &Inputs, policy: &ImagePolicy) -> Vec<Finding> {
    let key = &policy.key;
    let mut found = Vec::new();
    match gate(inputs, policy) {
        Err(Undecided::ControllerFails {
            reason, message, ..
        }) => found.push(policies::stuck(key, None, reason, &message)),
        Err(Undecided::LeftAlone(_, finding)) => {
            found.extend(finding.map(|finding| *finding));
        }
        _ => {}
    }
    let spec = PolicySpec::from(&policy.spec);
    let decided = policy::decide(&spec, &[TAG.to_owned()]);
    if let Outcome::Failed(failure) = decided.outcome
        && failure.stalled
        && !failure.is_ours
    {
        found.push(policies::stuck(key, None, failure.reason, &failure.message));
    }
    found
}

/// `policy-convention`: the pattern is not one of those that `--require-pattern` asks for.
fn convention(policy: &ImagePolicy, required: &Regexp) -> Option<Finding> {
    let filter = policy.spec.filter_tags.as_ref();
    let pattern = filter.map_or("", |filter| filter.pattern.as_str());
    // What takes too many steps to say is no finding.
    let keeps = required.is_match(pattern).unwrap_or(true);
    (!keeps).then(|| policies::convention(&policy.key, pattern, required.as_str()))
}

impl Diagnosis {
    /// Objects outside of all cluster folders are looked at once for each cluster, and told once.
    fn drop_repeated(&mut self) {
        let mut kept = BTreeMap::new();
        let mut places = Vec::new();
        for found in &self.findings {
            let next = kept.len();
            places.push(*kept.entry(told_as(&found.finding)).or_insert(next));
        }
        let count = kept.len();
        self.keep(&places, count);
    }

    /// Puts each finding at the place that `places` says; the first one there is kept.
    fn keep(&mut self, places: &[usize], count: usize) {
        let mut kept: Vec<Option<super::Diagnosed>> = vec![None; count];
        for (index, found) in self.findings.drain(..).enumerate() {
            let place = places[index];
            let mut causes: Vec<usize> = found.causes.iter().map(|cause| places[*cause]).collect();
            causes.retain(|cause| *cause != place);
            kept[place].get_or_insert(super::Diagnosed { causes, ..found });
        }
        self.findings = kept.into_iter().flatten().collect();
    }

    /// Leaves out what `dropped` says; what came from it stands alone.
    pub fn retain(&mut self, keeps: impl Fn(&Finding) -> bool) {
        let kept: Vec<bool> = self
            .findings
            .iter()
            .map(|found| keeps(&found.finding))
            .collect();
        let mut places = vec![None; kept.len()];
        let mut count = 0;
        for (index, keep) in kept.iter().enumerate() {
            if *keep {
                places[index] = Some(count);
                count += 1;
            }
        }
        let findings = std::mem::take(&mut self.findings);
        self.findings = findings
            .into_iter()
            .zip(kept)
            .filter(|(_, keep)| *keep)
            .map(|(found, _)| super::Diagnosed {
                causes: found
                    .causes
                    .iter()
                    .filter_map(|cause| places[*cause])
                    .collect(),
                ..found
            })
            .collect();
    }

    fn drop_ignored(&mut self, ignores: &ignores::Ignores) {
        self.retain(|finding| !ignores.covers(finding));
    }

    /// The lines that findings are about, of files that no automation updates.
    fn add_lines(&mut self, texts: &BTreeMap<String, String>) {
        for found in &self.findings {
            if let Subject::Place {
                path,
                line: Some(line),
                ..
            } = &found.finding.subject
                && let Some(text) = texts.get(path)
                && let Some(text) = text.lines().nth(line - 1)
            {
                self.lines
                    .entry((path.clone(), *line))
                    .or_insert_with(|| text.to_owned());
            }
        }
    }
}

/// The namespace and name of a document's object.
fn key_of(document: &serde_json::Value, default_namespace: &str) -> Option<ObjectKey> {
    let name = document.pointer("/metadata/name")?.as_str()?;
    let namespace = document
        .pointer("/metadata/namespace")
        .and_then(serde_json::Value::as_str)
        .unwrap_or(default_namespace);
    Some(ObjectKey::new(namespace, name))
}
