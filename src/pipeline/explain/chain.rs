//! The chains, put together from what each stage found.

use std::collections::{BTreeMap, BTreeSet};

use crate::controllers::automation::selector_matches;
use crate::controllers::conditions::readiness;
use crate::controllers::flux::{ImagePolicy, ImageUpdateAutomation, ObjectKey};
use crate::controllers::policy::Outcome;
use crate::controllers::repository;
use crate::controllers::setters::discovery;
use crate::facts::cluster::Kind;
use crate::pipeline::request::TagSource;
use crate::pipeline::stages::{MarkerFate, PolicyDecision, Preview, PreviewedMarker, Scan};
use crate::pipeline::tags::findings::Surroundings;

use super::delivery::Hops;
use super::ladder::tag_in_git;
use super::policy::Policies;
use super::subject::MarkedFile;
use super::tags::{Tagging, WantedTags};
use super::{
    AutomationChain, ExplainedTag, Explanation, Grounds, LivePolicy, PolicyChain, RepositoryNames,
    Rung, Step, StepKind, StepVerdict, automation,
};

/// Lines of files by path and number.
type Lines = BTreeMap<(String, usize), String>;

/// The chains of a run.
pub(super) struct Chains<'a> {
    grounds: &'a Grounds<'a>,
    lines: BTreeMap<ObjectKey, Lines>,
    /// The checksums of the repositories' tags: one look at all tags of each, however many policies there are.
    revisions: BTreeMap<ObjectKey, String>,
    surroundings: Surroundings<'a>,
}

impl<'a> Chains<'a> {
    /// Reads the lines that will be shown.
    pub(super) fn new(grounds: &'a Grounds<'a>) -> Self {
        let lines = grounds
            .previews
            .iter()
            .map(|preview| (preview.key.clone(), lines_to_show(grounds, preview)));
        let scans = grounds.scans.repositories.iter();
        let revisions = scans.filter_map(|(key, scan)| match scan {
            Scan::Tags { stored, .. } => Some((key.clone(), repository::revision(stored))),
            _ => None,
        });
        Self {
            lines: lines.collect(),
            revisions: revisions.collect(),
            surroundings: Surroundings::of(grounds.inputs),
            grounds,
        }
    }

    /// Everything that was asked for.
    pub(super) fn explanation(&self) -> Explanation {
        let grounds = self.grounds;
        let mut policies = grounds.aim.policies.clone();
        policies.extend(self.policies_of_unread_files());
        let mut explanation = Explanation {
            failures: grounds.aim.failures.clone(),
            notes: grounds.aim.notes.clone(),
            ..Explanation::default()
        };
        for key in &policies {
            let policy = grounds.inputs.objects.policies.get(key);
            let decision = grounds.decisions.policies.get(key);
            if let (Some(policy), Some(decision)) = (policy, decision) {
                explanation.policies.push(self.policy(policy, decision));
                explanation.failures.extend(decision.trouble.clone());
                explanation.failures.extend(decision.unknown.clone());
            }
        }
        for preview in grounds.previews {
            explanation
                .automations
                .extend(self.automation_chain(preview));
            if grounds.checkouts.of(&preview.key).is_some() {
                let of_a_policy = |failure: &&_| {
                    let mut decisions = grounds.decisions.policies.values();
                    decisions.any(|decision| decision.unknown.as_ref() == Some(*failure))
                };
                let own = preview
                    .unknown
                    .iter()
                    .filter(|failure| !of_a_policy(failure));
                explanation.failures.extend(own.cloned());
            }
        }
        explanation.failures.extend(self.files_nowhere());
        explanation.failures.dedup();
        explanation
    }

    /// The policies that markers of files name which only the clones hold.
    fn policies_of_unread_files(&self) -> BTreeSet<ObjectKey> {
        let files = self.grounds.aim.files.iter();
        let unread = files.filter(|file| file.policies.is_none());
        let markers = unread.flat_map(|file| self.markers_at(file));
        let named = markers.filter_map(|(_, marker)| marker.policy());
        let known = |key: &ObjectKey| self.grounds.decisions.policies.contains_key(key);
        named.filter(known).collect()
    }

    fn markers_at<'b>(
        &'b self,
        file: &'b MarkedFile,
    ) -> impl Iterator<Item = (&'b Preview, &'b PreviewedMarker)> {
        self.grounds.previews.iter().flat_map(move |preview| {
            let located = preview.markers.located.iter();
            located
                .filter(move |marker| file.holds(marker))
                .map(move |marker| (preview, marker))
        })
    }

    /// Files that are neither here nor in any clone.
    fn files_nowhere(&self) -> Vec<crate::failure::Failure> {
        let files = self.grounds.aim.files.iter();
        let unread = files.filter(|file| file.policies.is_none());
        let nowhere = unread.filter(|file| self.markers_at(file).next().is_none());
        nowhere
            .map(|file| {
                let message = format!(
                    "{file}: there is no such file here, and no automation in scope has a marker there"
                );
                crate::failure::Failure::invalid_input(message)
            })
            .collect()
    }

    fn policy(&self, policy: &ImagePolicy, decision: &PolicyDecision) -> PolicyChain {
        let grounds = self.grounds;
        let telling = Policies {
            inputs: grounds.inputs,
            scans: grounds.scans,
            revisions: &self.revisions,
            recomputed: grounds.request.tags != TagSource::Status
                && grounds.inputs.recomputes(&policy.key),
            now: grounds.session.now,
            surroundings: &self.surroundings,
        };
        let mut steps = telling.steps(policy, decision);
        steps.extend(self.rest(policy, decision));
        let names = self.names(policy);
        let scanned = self.scanned(policy);
        let decided = decision.decision.as_ref();
        PolicyChain {
            key: policy.key.clone(),
            latest: decision.latest.clone(),
            candidates: candidates(decision),
            error: decision.failure.clone(),
            listed: scanned.map(|(listed, stored)| (listed.len(), listed.len() - stored.len())),
            counts: decided.map(|decided| decided.counts),
            revision: self.revisions.get(&names.key).cloned(),
            repository: names,
            live: self.live(policy),
            steps,
            tags: self.tags(policy, decision),
            ladder: self.ladder(policy, decision),
        }
    }

    fn names(&self, policy: &ImagePolicy) -> RepositoryNames {
        let key = policy
            .spec
            .image_repository_ref
            .key_from(&policy.key.namespace);
        let found = self.grounds.inputs.objects.repositories.get(&key);
        let image = found.map(|repository| repository.spec.image.clone());
        let canonical = image.as_deref().map(repository::canonical_image_name);
        RepositoryNames {
            canonical: canonical.and_then(Result::ok),
            image,
            key,
        }
    }

    /// The tags as they were listed, and those that are stored.
    fn scanned(&self, policy: &ImagePolicy) -> Option<(&'a [String], &'a [String])> {
        let reference = &policy.spec.image_repository_ref;
        let key = reference.key_from(&policy.key.namespace);
        match self.grounds.scans.repositories.get(&key)? {
            Scan::Tags { stored, recorded } => Some((&recorded.tags, stored)),
            _ => None,
        }
    }

    fn live(&self, policy: &ImagePolicy) -> Option<LivePolicy> {
        let status = &policy.status;
        let latest = status.latest();
        if !self.grounds.inputs.live && latest.is_none() && status.conditions.is_empty() {
            return None;
        }
        let state = readiness(&status.conditions);
        Some(LivePolicy {
            latest,
            ready: state.ready.to_owned(),
            reason: state.reason.to_owned(),
            message: state.message.to_owned(),
        })
    }

    fn tags(&self, policy: &ImagePolicy, decision: &PolicyDecision) -> Vec<ExplainedTag> {
        let grounds = self.grounds;
        let tag = grounds.wanted.tag.as_deref().or(grounds.aim.tag.as_deref());
        let wanted = match tag {
            Some(tag) => WantedTags::One(tag),
            None if grounds.wanted.all_tags => WantedTags::All,
            None => return Vec::new(),
        };
        let tagging = self.tagging(policy, decision);
        tagging.map_or_else(Vec::new, |tagging| tagging.explain(wanted))
    }

    /// Where the policy gets as far as to look at tags.
    fn tagging<'b>(
        &'b self,
        policy: &'b ImagePolicy,
        decision: &'b PolicyDecision,
    ) -> Option<Tagging<'b>> {
        let reference = &policy.spec.image_repository_ref;
        let key = reference.key_from(&policy.key.namespace);
        let scan = self.grounds.scans.repositories.get(&key)?;
        let Scan::Tags { stored, recorded } = scan else {
            return None;
        };
        Some(Tagging {
            policy,
            repository: self.grounds.inputs.objects.repositories.get(&key)?,
            listed: recorded,
            stored,
            decision: decision.decision.as_ref()?,
        })
    }

    fn ladder(&self, policy: &ImagePolicy, decision: &PolicyDecision) -> Vec<Rung> {
        let grounds = self.grounds;
        let one = grounds.aim.policies.len() == 1;
        let tagging = self.tagging(policy, decision);
        let Some(tagging) = tagging.filter(|_| grounds.wanted.ladder && one) else {
            return Vec::new();
        };
        let image = &tagging.repository.spec.image;
        let (mut in_git, mut running) = (BTreeSet::new(), BTreeSet::new());
        for preview in grounds.previews {
            let markers: Vec<&PreviewedMarker> =
                automation::markers_of(preview, &policy.key).collect();
            in_git.extend(
                markers
                    .iter()
                    .filter_map(|marker| tag_in_git(marker, image)),
            );
            let paths = markers.iter().map(|marker| marker.path.as_str()).collect();
            if grounds.inputs.live {
                running.extend(self.delivery().tags_running(preview, &paths, image));
            }
        }
        tagging.ladder(&candidates(decision), &in_git, &running)
    }

    /// The steps behind the policy: one part for each automation that takes it.
    fn rest(&self, policy: &ImagePolicy, decision: &PolicyDecision) -> Vec<Step> {
        let objects = &self.grounds.inputs.objects;
        let namespace = &policy.key.namespace;
        let here: Vec<&ImageUpdateAutomation> = objects
            .automations
            .values()
            .filter(|automation| automation.key.namespace == *namespace)
            .collect();
        if here.is_empty() {
            let kind = Kind::ImageUpdateAutomation;
            return vec![match objects.hidden_in(kind, namespace) {
                Some(why) => Step::new(StepKind::Automation, StepVerdict::Unknown, why),
                None if !self.grounds.inputs.live => Step::new(
                    StepKind::Automation,
                    StepVerdict::Unknown,
                    format!(
                        "there is no ImageUpdateAutomation of namespace {namespace} in the input"
                    ),
                ),
                None => automation::no_automation(&policy.key),
            }];
        }
        let takes = |automation: &&&ImageUpdateAutomation| {
            let selector = automation.spec.policy_selector.as_ref();
            // One whose selector can't be read fails, and says so in its own step.
            selector_matches(selector, &policy.labels).unwrap_or(true)
        };
        let taking: Vec<&ImageUpdateAutomation> = here.iter().filter(takes).copied().collect();
        if taking.is_empty() {
            return vec![automation::not_selected(&policy.key, &here)];
        }
        taking
            .into_iter()
            .flat_map(|automation| self.part(automation, policy, decision))
            .collect()
    }

    fn part(
        &self,
        automation: &ImageUpdateAutomation,
        policy: &ImagePolicy,
        decision: &PolicyDecision,
    ) -> Vec<Step> {
        let grounds = self.grounds;
        let Some(preview) = self.preview(&automation.key) else {
            return Vec::new();
        };
        let now = grounds.session.now;
        let mut steps = vec![self.automation_step(automation, preview, Some(policy))];
        if !steps.iter().all(super::policy::goes_on) && preview.markers.located.is_empty() {
            return steps;
        }
        let all: Vec<&PreviewedMarker> = automation::markers_of(preview, &policy.key).collect();
        let files = &grounds.aim.files;
        let markers: Vec<&PreviewedMarker> = all
            .iter()
            .filter(|marker| files.is_empty() || files.iter().any(|file| file.holds(marker)))
            .copied()
            .collect();
        if markers.is_empty() {
            steps.push(self.no_marker(policy, preview, &all));
            return steps;
        }
        steps.extend(automation::marker_steps(
            preview,
            &markers,
            self.lines.get(&preview.key),
        ));
        let receiving: BTreeSet<&str> = markers
            .iter()
            .filter(|marker| !matches!(marker.fate, MarkerFate::Ignored { .. }))
            .map(|marker| marker.path.as_str())
            .collect();
        let Some((latest, _)) = &decision.latest else {
            return steps;
        };
        if receiving.is_empty() {
            return steps;
        }
        if preview.error.is_some() || preview.unknown.is_some() {
            return steps;
        }
        let live = grounds.inputs.live;
        steps.push(automation::commit_step(
            automation, preview, &receiving, live, now,
        ));
        steps.extend(self.hops(preview, &receiving, latest));
        steps
    }

    fn hops(
        &self,
        preview: &Preview,
        paths: &BTreeSet<&str>,
        latest: &crate::controllers::flux::ImageRef,
    ) -> Vec<Step> {
        if !self.grounds.inputs.live {
            return [StepKind::Source, StepKind::Applied, StepKind::Running]
                .map(|kind| Step::new(kind, StepVerdict::Unknown, "no cluster is asked"))
                .into();
        }
        let hops = self.delivery();
        let mut steps = vec![hops.source(preview)];
        steps.extend(hops.applied(preview, paths, &latest.name));
        steps.extend(hops.running(preview, paths, latest));
        steps
    }

    fn delivery(&self) -> Hops<'_> {
        Hops {
            sources: &self.grounds.inputs.objects.git_repositories,
            delivered: self.grounds.delivered,
            named: &self.grounds.aim.workloads,
            now: self.grounds.session.now,
        }
    }

    fn preview(&self, key: &ObjectKey) -> Option<&'a Preview> {
        let mut previews = self.grounds.previews.iter();
        previews.find(|preview| preview.key == *key)
    }

    fn automation_step(
        &self,
        automation: &ImageUpdateAutomation,
        preview: &Preview,
        policy: Option<&ImagePolicy>,
    ) -> Step {
        let without_files = self.grounds.checkouts.of(&preview.key).is_none();
        if without_files && preview.error.is_none() && !self.grounds.inputs.live {
            return Step::new(
                StepKind::Automation,
                StepVerdict::Unknown,
                format!(
                    "the files of {} are not here: name them with --worktree",
                    automation.key
                ),
            );
        }
        automation::automation_step(automation, preview, policy, self.grounds.session.now)
    }

    /// Why a policy has no marker here: there is none at all, or the update path leaves it out, or the one that was asked about
    /// is not among those of the clone.
    fn no_marker(&self, policy: &ImagePolicy, preview: &Preview, all: &[&PreviewedMarker]) -> Step {
        let files = &self.grounds.aim.files;
        if let Some(file) = files.first() {
            return not_seen(file, preview, all);
        }
        let elsewhere = self.markers_outside(preview, &policy.key);
        match elsewhere.first() {
            Some(first) => Step::stuck(
                StepKind::Marker,
                "marker-outside-path",
                format!(
                    "{} names the policy, but update.path {} leaves the file out",
                    first, preview.update_path
                ),
            )
            .remedy(format!(
                "widen spec.update.path of ImageUpdateAutomation {}, or move the file below it",
                preview.key
            )),
            None => automation::no_marker(&policy.key, preview),
        }
    }

    /// The files of the repository that seem to name the policy in a marker, whatever the update path.
    fn markers_outside(&self, preview: &Preview, policy: &ObjectKey) -> Vec<String> {
        let Some(Ok(checkout)) = self.grounds.checkouts.of(&preview.key) else {
            return Vec::new();
        };
        let Ok(found) = discovery::discover(&checkout.tree, "") else {
            return Vec::new();
        };
        let paths: Vec<String> = found.paths().collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let read = checkout
            .files
            .read_files(&paths, discovery::may_hold_marker);
        let setter = format!("\"{}:{}", policy.namespace, policy.name);
        let names_it = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            text.match_indices(&setter).any(|(start, found)| {
                matches!(text[start + found.len()..].chars().next(), Some('"' | ':'))
            })
        };
        read.into_iter()
            .filter(|(_, bytes)| bytes.as_ref().is_ok_and(|bytes| names_it(bytes)))
            .map(|(path, _)| path)
            .collect()
    }

    /// The chain of an automation that was named, or that has a marker in a file that was named which no policy's chain tells.
    fn automation_chain(&self, preview: &Preview) -> Option<AutomationChain> {
        let grounds = self.grounds;
        let aim = grounds.aim;
        let automation = grounds.inputs.objects.automations.get(&preview.key)?;
        let named = aim.everything || aim.automations.contains(&preview.key);
        let orphans: Vec<&PreviewedMarker> = aim
            .files
            .iter()
            .flat_map(|file| self.markers_at(file))
            .filter(|(owner, marker)| owner.key == preview.key && !self.is_told(preview, marker))
            .map(|(_, marker)| marker)
            .collect();
        if !named && orphans.is_empty() {
            return None;
        }
        let mut steps = vec![self.automation_step(automation, preview, None)];
        let lines = self.lines.get(&preview.key);
        if named {
            steps.extend(self.all_markers(automation, preview));
        } else {
            steps.extend(automation::marker_steps(preview, &orphans, lines));
        }
        Some(AutomationChain {
            key: preview.key.clone(),
            steps,
            policies: preview
                .policies
                .iter()
                .map(|policy| policy.key.clone())
                .collect(),
            error: preview.error.clone(),
        })
    }

    /// Whether the chain of a policy tells of a marker: an automation sees the policies of its own namespace alone.
    fn is_told(&self, preview: &Preview, marker: &PreviewedMarker) -> bool {
        let decided = &self.grounds.decisions.policies;
        marker.policy().is_some_and(|policy| {
            policy.namespace == preview.key.namespace && decided.contains_key(&policy)
        })
    }

    fn all_markers(&self, automation: &ImageUpdateAutomation, preview: &Preview) -> Vec<Step> {
        let located = &preview.markers.located;
        if located.is_empty() {
            return Vec::new();
        }
        let all: Vec<&PreviewedMarker> = located.iter().collect();
        let mut steps = automation::marker_steps(preview, &all, self.lines.get(&preview.key));
        if preview.error.is_some() || preview.unknown.is_some() {
            return steps;
        }
        let paths: BTreeSet<&str> = located.iter().map(|marker| marker.path.as_str()).collect();
        let live = self.grounds.inputs.live;
        let now = self.grounds.session.now;
        steps.push(automation::commit_step(
            automation, preview, &paths, live, now,
        ));
        if live {
            let hops = self.delivery();
            steps.push(hops.source(preview));
            steps.extend(hops.applied(preview, &paths, ""));
        }
        steps
    }
}

fn candidates(decision: &PolicyDecision) -> Vec<String> {
    match decision.decision.as_ref().map(|decided| &decided.outcome) {
        Some(Outcome::NotDeterministic { candidates }) => candidates.clone(),
        Some(Outcome::Latest { tag }) => vec![tag.clone()],
        Some(Outcome::Failed(_)) => Vec::new(),
        None => decision
            .latest
            .iter()
            .map(|(image, _)| image.tag.clone())
            .collect(),
    }
}

/// The step for a marker of a file that was named and that the clone doesn't have.
fn not_seen(file: &MarkedFile, preview: &Preview, all: &[&PreviewedMarker]) -> Step {
    let kind = StepKind::Marker;
    let below = preview.update_path.trim_start_matches("./");
    let below = below.trim_matches('/');
    let covered = below.is_empty() || below == "." || file.path.starts_with(&format!("{below}/"));
    if !covered {
        return Step::stuck(
            kind,
            "marker-outside-path",
            format!(
                "update.path {} of {} leaves {} out",
                preview.update_path, preview.key, file.path
            ),
        )
        .remedy("widen spec.update.path, or move the file below it");
    }
    let commit = preview.parent.as_deref().unwrap_or("the commit");
    let lines: Vec<String> = all
        .iter()
        .filter(|marker| marker.path == file.path)
        .map(|marker| marker.line.to_string())
        .collect();
    let text = if lines.is_empty() {
        format!(
            "{} of {} has no such marker at {}: it may not be pushed yet",
            file.path,
            preview.source.key,
            commit.get(..7).unwrap_or(commit)
        )
    } else {
        format!(
            "{} of {} has the marker on line {} at {}, not on the line of the file here",
            file.path,
            preview.source.key,
            lines.join(" and "),
            commit.get(..7).unwrap_or(commit)
        )
    };
    Step::new(kind, StepVerdict::Unknown, text)
}

/// The lines of the markers that receive nothing, for the user to see.
fn lines_to_show(grounds: &Grounds<'_>, preview: &Preview) -> Lines {
    let Some(Ok(checkout)) = grounds.checkouts.of(&preview.key) else {
        return Lines::new();
    };
    let ignored: Vec<&PreviewedMarker> = preview
        .markers
        .located
        .iter()
        .filter(|marker| matches!(marker.fate, MarkerFate::Ignored { .. }))
        .collect();
    let mut paths: Vec<&str> = ignored.iter().map(|marker| marker.path.as_str()).collect();
    paths.dedup();
    let read = checkout.files.read_files(&paths, |_| true);
    let mut lines = Lines::new();
    for marker in ignored {
        let Some(Ok(bytes)) = read.get(&marker.path) else {
            continue;
        };
        let text = String::from_utf8_lossy(bytes);
        if let Some(line) = text.lines().nth(marker.line - 1) {
            lines.insert((marker.path.clone(), marker.line), line.to_owned());
        }
    }
    lines
}
