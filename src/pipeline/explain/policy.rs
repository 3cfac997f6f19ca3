//! The chain of one policy: from its ImageRepository to the image in its status.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::controllers::conditions::{self, Readiness, readiness};
use crate::controllers::flux::{
    DigestReflectionPolicy, ImagePolicy, ImageRef, ImageRepository, ObjectKey,
};
use crate::controllers::policy::{self, Decision, Outcome, PolicySpec};
use crate::controllers::repository::{self, DEFAULT_EXCLUSION};
use crate::controllers::schedule::{self, NextScan, moment};
use crate::findings::Severity;
use crate::findings::choices::Choice;
use crate::go::age;
use crate::pipeline::gate::{Undecided, gate};
use crate::pipeline::stages::{ImageOrigin, Inputs, PolicyDecision, Scan, ScanFailure, Scans};
use crate::pipeline::tags::findings::{self, Surroundings};

use super::step::{Step, StepKind, StepVerdict};

/// What a policy's chain is made from.
pub(super) struct Policies<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) scans: &'a Scans,
    /// The checksum of each repository's tags, as a number in decimal.
    pub(super) revisions: &'a BTreeMap<ObjectKey, String>,
    /// Whether tags were looked at, or only the policies' status.
    pub(super) recomputed: bool,
    pub(super) now: Timestamp,
    /// What is odd about the repositories as a whole.
    pub(super) surroundings: &'a Surroundings<'a>,
}

/// Whether what comes behind a step can be told.
pub(super) fn goes_on(step: &Step) -> bool {
    !matches!(step.verdict, StepVerdict::Stuck | StepVerdict::Unknown)
}

impl Policies<'_> {
    /// The steps from the repository to the policy's status.
    pub(super) fn steps(&self, policy: &ImagePolicy, decision: &PolicyDecision) -> Vec<Step> {
        let mut steps = vec![self.repository(policy)];
        if self.recomputed && steps.iter().all(goes_on) {
            steps.extend(self.tags(policy, decision));
        }
        steps.push(self.policy(policy, decision, &steps));
        steps
    }

    fn repository_of(&self, policy: &ImagePolicy) -> Option<&ImageRepository> {
        let reference = &policy.spec.image_repository_ref;
        let key = reference.key_from(&policy.key.namespace);
        self.inputs.objects.repositories.get(&key)
    }

    fn repository(&self, policy: &ImagePolicy) -> Step {
        let kind = StepKind::Repository;
        let reference = &policy.spec.image_repository_ref;
        let key = reference.key_from(&policy.key.namespace);
        if !self.recomputed {
            return Step::new(
                kind,
                StepVerdict::Skipped,
                format!("ImageRepository {key}: tags are not looked at (--tags-from status)"),
            );
        }
        match gate(self.inputs, policy) {
            Ok(repository) => self.found(repository),
            Err(Undecided::LeftAlone(why, finding)) => {
                let id = finding
                    .as_ref()
                    .map_or("policy-stuck-on-old-tag", |finding| finding.id);
                let step = Step::stuck(kind, id, why);
                match finding {
                    Some(finding) => step.remedy(finding.remedy.clone()),
                    None => step,
                }
            }
            Err(Undecided::ControllerFails {
                reason, message, ..
            }) => {
                let finding = crate::findings::policies::stuck(&policy.key, None, reason, &message);
                Step::stuck(kind, finding.id, format!("{reason}: {message}")).remedy(finding.remedy)
            }
            Err(Undecided::RefusedToUs(failure) | Undecided::Unknown(failure)) => {
                Step::new(kind, StepVerdict::Unknown, failure.message)
            }
            Err(Undecided::NotDeterministic) => Step::new(kind, StepVerdict::Unknown, ""),
        }
    }

    fn found(&self, repository: &ImageRepository) -> Step {
        let kind = StepKind::Repository;
        let image = &repository.spec.image;
        if repository.spec.suspend {
            let finding = crate::findings::policies::suspended("ImageRepository", &repository.key);
            return Step::stuck(
                kind,
                finding.id,
                format!("ImageRepository {} is suspended", repository.key),
            )
            .remedy(finding.remedy);
        }
        Step::ok(kind, format!("{}: {image}", repository.key))
    }

    /// The steps that look at tags, as far as the controller gets.
    fn tags(&self, policy: &ImagePolicy, decision: &PolicyDecision) -> Vec<Step> {
        let Some(repository) = self.repository_of(policy) else {
            return Vec::new();
        };
        let (stored, listed) = match self.scans.repositories.get(&repository.key) {
            Some(Scan::Tags { stored, recorded }) => (stored, &recorded.tags),
            Some(Scan::Failed(failure)) => {
                return vec![self.failed_scan(repository, failure)];
            }
            Some(Scan::RefusedToUs(failure) | Scan::Unknown(failure)) => {
                return vec![Step::new(
                    StepKind::Scan,
                    StepVerdict::Unknown,
                    failure.message.clone(),
                )];
            }
            Some(Scan::Suspended) | None => return Vec::new(),
        };
        let scan = self.scan(repository, stored, listed.len());
        let mut steps = vec![self.oddity(repository, scan)];
        steps.extend(exclusion(repository, listed.len() - stored.len()));
        if let Some(decided) = &decision.decision {
            steps.extend(filter(policy, decided, stored.len()));
            if steps.iter().all(goes_on) {
                steps.push(refused_prereleases(
                    order(policy, decided),
                    policy,
                    decided,
                    stored,
                ));
            }
        }
        if steps.iter().all(goes_on) {
            steps.extend(digest(policy, decision));
        }
        steps
    }

    fn failed_scan(&self, repository: &ImageRepository, failure: &ScanFailure) -> Step {
        let connection = self.scans.access.get(&repository.key);
        let finding = findings::of_failure(repository, connection, failure);
        let (id, remedy) = match finding {
            Some(finding) => (finding.id, Some(finding.remedy)),
            None => ("scan-stale", None),
        };
        let ScanFailure {
            reason, message, ..
        } = failure;
        let status = repository.status.last_scan_result.as_ref();
        let scanned = status.and_then(|scan| moment(scan.scan_time.as_deref()?));
        let step = Step::stuck(StepKind::Scan, id, format!("{reason}: {message}"));
        Step { remedy, ..step }.since(scanned)
    }

    /// What is odd about a scan that goes well, with what to do about it.
    fn oddity(&self, repository: &ImageRepository, step: Step) -> Step {
        if step.finding.is_some() {
            return step;
        }
        let connection = self.scans.access.get(&repository.key);
        let found = self.surroundings.of_object(repository, connection);
        let found = found
            .into_iter()
            .find(|finding| finding.severity > Severity::Note);
        let Some(finding) = found else {
            return step;
        };
        let text = format!("{}; {}", step.text, finding.message);
        let step = step.with(finding.id);
        Step { text, ..step }.remedy(finding.remedy)
    }

    /// Whether the controller's view is what the registry has, by its own checksum.
    fn scan(&self, repository: &ImageRepository, stored: &[String], listed: usize) -> Step {
        let kind = StepKind::Scan;
        let tags = if listed == 1 {
            "1 tag"
        } else {
            &format!("{listed} tags")
        };
        if !self.inputs.live {
            return Step::ok(kind, tags.to_owned());
        }
        let Some(status) = repository.status.last_scan_result.as_ref() else {
            return Step::new(
                kind,
                StepVerdict::Waiting,
                format!("{tags}; never scanned yet"),
            );
        };
        let scanned = moment(status.scan_time.as_deref().unwrap_or_default());
        let ago = scanned.map_or_else(String::new, |scanned| {
            format!(" of {} ago", age::since(scanned, self.now))
        });
        let revision = status.revision.as_deref().unwrap_or_default();
        let ours = if revision.starts_with("sha256:") {
            repository::sha256_revision(stored)
        } else {
            self.revisions
                .get(&repository.key)
                .cloned()
                .unwrap_or_default()
        };
        if revision == ours {
            return Step::ok(
                kind,
                format!("{tags}; the scan{ago} is current (checksum {revision})"),
            )
            .since(scanned);
        }
        let view = format!(
            "{tags}; the scan{ago} saw {} (checksum {revision}, now {ours})",
            status.tag_count
        );
        match schedule::next_scan(repository, self.now) {
            NextScan::At(next) => Step::new(
                kind,
                StepVerdict::Waiting,
                format!("{view}; next scan in {}", age::until(next, self.now)),
            )
            .since(scanned)
            .due(Some(next)),
            NextScan::Due {
                since: Some(due), ..
            } if self.is_overdue(repository, due) => Step::stuck(
                kind,
                "scan-stale",
                format!(
                    "{view}; the next scan is overdue by {}",
                    age::since(due, self.now)
                ),
            )
            .since(scanned)
            .remedy(format!(
                "flux reconcile image repository {} -n {}",
                repository.key.name, repository.key.namespace
            )),
            NextScan::Due { reason, .. } => Step::new(
                kind,
                StepVerdict::Waiting,
                format!("{view}; a scan is due ({reason})"),
            )
            .since(scanned)
            .due(Some(self.now)),
            NextScan::Unknown => Step::new(kind, StepVerdict::Unknown, view).since(scanned),
        }
    }

    fn is_overdue(&self, repository: &ImageRepository, due: Timestamp) -> bool {
        let interval = schedule::interval(repository.spec.interval.as_deref());
        interval.is_some_and(|interval| schedule::overdue(due, interval, self.now).is_some())
    }

    /// What the policy's status says, beside what was recomputed.
    fn policy(&self, policy: &ImagePolicy, decision: &PolicyDecision, before: &[Step]) -> Step {
        let kind = StepKind::Policy;
        let latest = decision.latest.as_ref().map(|(image, _)| image);
        if let Some((image, ImageOrigin::Assumed)) = &decision.latest {
            return assumed(image, decision.live.as_ref());
        }
        if !self.inputs.live && decision.live.is_none() {
            return match latest {
                Some(latest) => Step::ok(kind, format!("the latest image is {latest}")),
                None if decision.unknown.is_some() => {
                    Step::new(kind, StepVerdict::Unknown, "what it chooses is not known")
                }
                None => Step::new(kind, StepVerdict::Skipped, "no latest image"),
            };
        }
        let Readiness {
            ready,
            stalled,
            reason,
            message,
            since,
        } = readiness(&policy.status.conditions);
        let since = moment(since);
        let stuck_before = before.iter().any(|step| step.verdict == StepVerdict::Stuck);
        let says = match &decision.live {
            Some(live) => format!("the status says {live}"),
            None => "the status has no latest image".into(),
        };
        if ready == "False" && !reason.is_empty() {
            let word = if stalled { "Stalled" } else { "not Ready" };
            let text = format!("{says}; {word}, {reason}: {message}");
            if message.ends_with(conditions::NO_TAGS_IN_DATABASE) && latest.is_some() {
                return self.tags_lost(policy, text).since(since);
            }
            return if stuck_before || decision.failure.is_some() || latest.is_none() {
                Step::stuck(kind, "policy-stuck-on-old-tag", text).since(since)
            } else {
                Step::new(kind, StepVerdict::Waiting, text).since(since)
            };
        }
        match (latest, &decision.live) {
            (Some(latest), Some(live)) if latest == live => Step::ok(kind, says).since(since),
            (Some(latest), _) => {
                let due = before
                    .iter()
                    .find(|step| step.kind == StepKind::Scan)
                    .and_then(|step| step.due);
                Step::new(
                    kind,
                    StepVerdict::Waiting,
                    format!("{says}; {latest} is what follows the next scan"),
                )
                .since(since)
                .due(due)
            }
            (None, _) => Step::new(kind, StepVerdict::Skipped, says).since(since),
        }
    }
}

/// What the user assumes follows no scan, so that there is nothing to wait for.
fn assumed(image: &ImageRef, live: Option<&ImageRef>) -> Step {
    let says = live.map_or_else(String::new, |live| format!("the status says {live}; "));
    Step::new(
        StepKind::Policy,
        StepVerdict::Skipped,
        format!("{says}{image} is assumed (--assume), not decided"),
    )
}

impl Policies<'_> {
    /// The registry has tags and the controller has none: its storage went with a restart.
    fn tags_lost(&self, policy: &ImagePolicy, text: String) -> Step {
        let kind = StepKind::Policy;
        let repository = self.repository_of(policy);
        let scanned = repository.and_then(|repository| repository.status.last_scan_result.as_ref());
        match repository.zip(scanned) {
            Some((repository, scan)) if scan.tag_count > 0 => Step::stuck(
                kind,
                "tags-lost-after-restart",
                format!("{text}; the tags of the last scan are lost until the next one"),
            )
            .remedy(format!(
                "flux reconcile image repository {} -n {}",
                repository.key.name, repository.key.namespace
            )),
            _ => Step::new(kind, StepVerdict::Waiting, text),
        }
    }
}

fn exclusion(repository: &ImageRepository, hidden: usize) -> Option<Step> {
    let list = repository
        .spec
        .exclusion_list
        .as_deref()
        .unwrap_or_default();
    let patterns = if list.is_empty() {
        DEFAULT_EXCLUSION.to_owned()
    } else {
        list.join(", ")
    };
    (hidden > 0).then(|| {
        Step::ok(
            StepKind::Exclusion,
            format!("{hidden} excluded by {patterns}"),
        )
    })
}

fn filter(policy: &ImagePolicy, decided: &Decision, stored: usize) -> Option<Step> {
    let filter = policy.spec.filter_tags.as_ref()?;
    let pattern = if filter.pattern.is_empty() {
        "the empty pattern"
    } else {
        &filter.pattern
    };
    let matched = decided.counts.matched;
    if let Outcome::Failed(failure) = &decided.outcome
        && failure.message.starts_with("failed to filter tags")
    {
        if failure.is_ours {
            let text = failure.message.clone();
            return Some(Step::new(StepKind::Filter, StepVerdict::Unknown, text));
        }
        let text = format!("{}: {}", failure.reason, failure.message);
        return Some(
            Step::stuck(StepKind::Filter, "policy-stuck-on-old-tag", text)
                .remedy("correct spec.filterTags.pattern: it is a regular expression of Go"),
        );
    }
    if matched == 0
        && stored > 0
        && !matches!(&decided.outcome, Outcome::Failed(failure) if failure.stalled)
    {
        return Some(
            Step::stuck(
                StepKind::Filter,
                "no-tag-matches-filter",
                format!("{pattern} matches none of {stored} tags"),
            )
            .remedy("correct spec.filterTags.pattern; --all-tags shows what there is"),
        );
    }
    let mut text = format!("{pattern} matches {matched} of {stored} tags");
    if !filter.extract.is_empty() {
        text.push_str(&format!(", compared by {}", filter.extract));
    }
    let collision = match &decided.outcome {
        Outcome::Latest { tag } => decided
            .collisions
            .iter()
            .find(|collision| collision.kept == *tag),
        _ => None,
    };
    let step = Step::ok(StepKind::Filter, text);
    Some(match collision {
        Some(collision) => Step {
            text: format!(
                "{}; {} gives the same key {} as {}: the bytewise smallest tag of a key is kept",
                step.text,
                crate::findings::policies::listed(&collision.lost),
                collision.key,
                collision.kept
            ),
            ..step.with("extract-collision")
        },
        None => step,
    })
}

fn order(policy: &ImagePolicy, decided: &Decision) -> Step {
    let kind = StepKind::Order;
    let choice = &policy.spec.policy;
    let ordered = |name: &str, order: &str| {
        let order = if order.is_empty() { "asc" } else { order };
        format!("{name} {}", order.to_lowercase())
    };
    let (rule, eligible) = if let Some(semver) = &choice.semver {
        (format!("semver {}", semver.range), "in range")
    } else if let Some(alphabetical) = &choice.alphabetical {
        (ordered("alphabetical", &alphabetical.order), "compared")
    } else if let Some(numerical) = &choice.numerical {
        (ordered("numerical", &numerical.order), "compared")
    } else {
        ("no order".into(), "compared")
    };
    let counts = format!(
        "{rule}: {} of {} {eligible}",
        decided.counts.eligible, decided.counts.matched
    );
    match &decided.outcome {
        Outcome::Latest { tag } => Step::ok(kind, format!("{counts}; {tag} wins")),
        Outcome::NotDeterministic { candidates } => Step::stuck(
            kind,
            "choice-not-deterministic",
            format!(
                "{counts}; each run of the controller may choose another of {}{}",
                crate::findings::policies::listed(candidates),
                decided
                    .tie
                    .as_ref()
                    .map_or_else(String::new, |tie| format!(": {tie}")),
            ),
        )
        .remedy("let filterTags tell them apart, or remove all but one from the registry"),
        Outcome::Failed(failure) if failure.is_ours => {
            Step::new(kind, StepVerdict::Unknown, failure.message.clone())
        }
        Outcome::Failed(failure) => {
            let (id, remedy) = if failure.reason == conditions::DEPENDENCY_NOT_READY {
                (
                    "policy-stuck-on-old-tag",
                    "push a tag that spec.exclusionList of the ImageRepository lets in",
                )
            } else if choice.semver.is_some() && !failure.stalled {
                (
                    "no-version-in-range",
                    "widen spec.policy.semver.range; --all-tags shows what keeps each tag out",
                )
            } else if failure.message.ends_with("value ''") {
                (
                    "extract-empty",
                    "let spec.filterTags.extract name a group of the pattern, as in (?P<n>[0-9]+) and $n",
                )
            } else if choice.numerical.is_some() && !failure.stalled {
                (
                    "numeric-parse-failure",
                    "let spec.filterTags extract numbers alone: one tag that is none fails them all; --all-tags shows which",
                )
            } else {
                ("policy-stuck-on-old-tag", "correct spec.policy")
            };
            Step::stuck(
                kind,
                id,
                format!("{rule}: {}: {}", failure.reason, failure.message),
            )
            .remedy(remedy)
        }
    }
}

/// The same step, with what would let prereleases into the range where nothing else is there.
fn refused_prereleases(
    step: Step,
    policy: &ImagePolicy,
    decision: &Decision,
    stored: &[String],
) -> Step {
    let Some(("no-version-in-range", _)) = step.finding else {
        return step;
    };
    let spec = PolicySpec::from(&policy.spec);
    let traces = policy::trace(&spec, stored, decision, |_| true).unwrap_or_default();
    let choice = Choice {
        policy,
        decision,
        traces: &traces,
        stored: stored.len(),
    };
    let Some(found) = choice.prerelease_needs_range() else {
        return step;
    };
    let text = format!("{}; {}: {}", step.text, found.id, found.message);
    Step { text, ..step }.remedy(found.remedy)
}

fn digest(policy: &ImagePolicy, decision: &PolicyDecision) -> Option<Step> {
    let kind = StepKind::Digest;
    if policy.spec.digest_reflection_policy == DigestReflectionPolicy::Never {
        return None;
    }
    Some(
        match (&decision.latest, &decision.failure, &decision.unknown) {
            (_, Some((reason, message)), _) => Step::stuck(
                kind,
                "policy-stuck-on-old-tag",
                format!("{reason}: {message}"),
            ),
            (_, None, Some(failure)) => {
                Step::new(kind, StepVerdict::Unknown, failure.message.clone())
            }
            (Some((ImageRef { digest, .. }, _)), None, None) if !digest.is_empty() => {
                Step::ok(kind, digest.clone())
            }
            _ => Step::new(kind, StepVerdict::Skipped, "none"),
        },
    )
}
