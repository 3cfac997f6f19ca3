//! The third stage: the latest image of each policy, as an automation would read it.

use std::collections::BTreeMap;

use crate::controllers::flux::{DigestReflectionPolicy, ImagePolicy, ImageRef, ObjectKey};
use crate::controllers::policy::{self, Outcome};
use crate::controllers::schedule::{self, NextScan};
use crate::failure::Failure;
use crate::findings;
use crate::go::age;
use crate::io::registry::Patience;

use super::gate::{Undecided, fails, gate};
use super::registry;
use super::request::{Request, TagSource};
use super::session::Session;
use super::stages::{
    Decisions, DigestAnswer, ImageOrigin, Inputs, PolicyDecision, Scan, Scans, WantedDigest,
};

/// Decides the latest image of every policy that may count.
///
/// # Errors
///
/// `--timeout` ended while digests were asked for.
pub fn decide(
    request: &Request,
    inputs: &Inputs,
    scans: &Scans,
    session: &Session,
) -> Result<Decisions, Failure> {
    let deciding = Deciding {
        request,
        inputs,
        scans,
        session,
    };
    let chosen: Vec<Chosen<'_>> = inputs
        .policies_that_count()
        .map(|policy| deciding.choose(policy))
        .collect();
    let wanted = chosen.iter().filter_map(|chosen| chosen.wanted.clone());
    let digests = deciding.digests(wanted.collect())?;
    let policies = chosen.into_iter().map(|chosen| {
        let mut decision = deciding.conclude(&chosen, &digests);
        decision.findings.extend(chosen.findings);
        decision.decision = chosen.decision;
        let key = chosen.policy.key.clone();
        deciding.assume(chosen.policy, &mut decision);
        (key, decision)
    });
    Ok(Decisions {
        policies: policies.collect(),
    })
}

struct Deciding<'a> {
    request: &'a Request,
    inputs: &'a Inputs,
    scans: &'a Scans,
    session: &'a Session,
}

/// What was chosen for a policy before any digest is known.
struct Chosen<'a> {
    policy: &'a ImagePolicy,
    outcome: Result<Tag, Undecided>,
    wanted: Option<WantedDigest>,
    decision: Option<policy::Decision>,
    findings: Vec<findings::Finding>,
}

/// A tag, and its digest as far as it is settled.
struct Tag {
    repository: ObjectKey,
    name: String,
    tag: String,
    digest: String,
}

type Digests = BTreeMap<WantedDigest, DigestAnswer>;

impl Deciding<'_> {
    /// Whether a policy counts with its status, whatever the registry has.
    fn by_status_alone(&self, policy: &ImagePolicy) -> bool {
        self.request.tags == TagSource::Status || !self.inputs.recomputes(&policy.key)
    }

    fn choose<'a>(&'a self, policy: &'a ImagePolicy) -> Chosen<'a> {
        let mut chosen = Chosen {
            policy,
            outcome: Err(Undecided::NotDeterministic),
            wanted: None,
            decision: None,
            findings: Vec::new(),
        };
        if self.by_status_alone(policy) {
            return chosen;
        }
        chosen.outcome = self.choose_tag(policy, &mut chosen);
        chosen.wanted = chosen
            .outcome
            .as_ref()
            .ok()
            .and_then(|tag| wanted_digest(policy, tag));
        chosen
    }

    fn choose_tag(&self, policy: &ImagePolicy, chosen: &mut Chosen<'_>) -> Result<Tag, Undecided> {
        let repository = gate(self.inputs, policy)?;
        let stored = match self.scans.repositories.get(&repository.key) {
            Some(Scan::Tags { stored, .. }) => stored,
            Some(Scan::Failed(failure)) => {
                return Err(Undecided::ControllerFails {
                    reason: failure.reason,
                    message: failure.message.clone(),
                    ours: failure.ours.clone(),
                });
            }
            Some(Scan::Suspended) => {
                let finding = findings::policies::suspended("ImageRepository", &repository.key);
                return Err(Undecided::LeftAlone(
                    format!("ImageRepository {} is suspended", repository.key),
                    Some(Box::new(finding)),
                ));
            }
            Some(Scan::RefusedToUs(failure)) => {
                return Err(Undecided::RefusedToUs(failure.clone()));
            }
            Some(Scan::Unknown(failure)) => return Err(Undecided::Unknown(failure.clone())),
            None => {
                return Err(Undecided::Unknown(Failure::invalid_input(format!(
                    "ImageRepository {} was not scanned",
                    repository.key
                ))));
            }
        };
        let decided = policy::decide(&policy::PolicySpec::from(&policy.spec), stored);
        let found = [
            findings::policies::extract_collision(&policy.key, &decided),
            findings::policies::choice_not_deterministic(&policy.key, &decided),
        ];
        chosen.findings.extend(found.into_iter().flatten());
        let outcome = decided.outcome.clone();
        chosen.decision = Some(decided);
        match outcome {
            Outcome::Latest { tag } => Ok(Tag {
                repository: repository.key.clone(),
                name: repository.spec.image.clone(),
                digest: kept_digest(policy, &repository.spec.image, &tag),
                tag,
            }),
            Outcome::NotDeterministic { .. } => Err(Undecided::NotDeterministic),
            Outcome::Failed(failure) if failure.is_ours => {
                let message = format!("ImagePolicy {}: {}", policy.key, failure.message);
                Err(Undecided::Unknown(Failure::invalid_input(message)))
            }
            Outcome::Failed(failure) => Err(fails(failure.reason, failure.message)),
        }
    }

    /// Looks up the digests that are wanted, in the recording or the registry.
    fn digests(&self, wanted: Vec<WantedDigest>) -> Result<Digests, Failure> {
        if self.request.tags == TagSource::Registry {
            let patience = Patience::AsController;
            return registry::digests(wanted, self.scans, self.inputs, self.session, patience);
        }
        let recorded = |wanted: &WantedDigest| match self.scans.repositories.get(&wanted.repository)
        {
            Some(Scan::Tags { recorded, .. }) => recorded.digests.get(&wanted.tag).cloned(),
            _ => None,
        };
        let answer = |wanted: WantedDigest| match recorded(&wanted) {
            Some(digest) => (wanted, DigestAnswer::Found(digest)),
            None => {
                let failure = Failure::invalid_input(format!(
                    "the digest of {}:{} is needed and not in the recording of --tags-from: record it too (tags -o json --digests)",
                    wanted.name, wanted.tag
                ));
                (wanted, DigestAnswer::Unknown(failure))
            }
        };
        Ok(wanted.into_iter().map(answer).collect())
    }

    fn conclude(&self, chosen: &Chosen<'_>, digests: &Digests) -> PolicyDecision {
        let policy = chosen.policy;
        let mut decision = PolicyDecision {
            latest: None,
            live: policy.status.latest(),
            failure: None,
            trouble: None,
            unknown: None,
            decision: None,
            findings: Vec::new(),
            notes: Vec::new(),
        };
        if self.by_status_alone(policy) {
            self.by_status(policy, &mut decision);
            return decision;
        }
        let image = match &chosen.outcome {
            Ok(tag) => match chosen
                .wanted
                .as_ref()
                .and_then(|wanted| digests.get(wanted))
            {
                None => Ok(tag.image(tag.digest.clone())),
                Some(DigestAnswer::Found(digest)) => Ok(tag.image(digest.clone())),
                Some(DigestAnswer::Failed(failure)) => Err(Undecided::ControllerFails {
                    reason: failure.reason,
                    message: failure.message.clone(),
                    ours: failure.ours.clone(),
                }),
                Some(DigestAnswer::RefusedToUs(failure)) => {
                    Err(Undecided::RefusedToUs(failure.clone()))
                }
                Some(DigestAnswer::Unknown(failure)) => Err(Undecided::Unknown(Failure {
                    message: format!("ImagePolicy {}: {}", policy.key, failure.message),
                    ..failure.clone()
                })),
            },
            Err(why) => Err(why.clone()),
        };
        match image {
            Ok(image) => self.recomputed(chosen, image, &mut decision),
            Err(why) => keep(policy, why, &mut decision),
        }
        decision
    }

    fn by_status(&self, policy: &ImagePolicy, decision: &mut PolicyDecision) {
        let reference = &policy.spec.image_repository_ref;
        let repository = reference.key_from(&policy.key.namespace);
        let objects = &self.inputs.objects;
        if !self.inputs.live && !objects.repositories.contains_key(&repository) {
            decision.notes.push(format!(
                "{}: ImageRepository {repository} is not in the input",
                policy.key
            ));
        }
        let live = decision.live.clone();
        decision.latest = live.map(|image| (image, ImageOrigin::Status));
    }

    fn recomputed(&self, chosen: &Chosen<'_>, image: ImageRef, decision: &mut PolicyDecision) {
        let policy = chosen.policy;
        if let Some(live) = decision.live.as_ref().filter(|live| **live != image) {
            let next = chosen
                .outcome
                .as_ref()
                .ok()
                .and_then(|tag| self.next_scan(&tag.repository));
            decision.notes.push(match next {
                Some(next) => format!(
                    "{}: the cluster still says {live} ({next}); {image} is what follows that scan",
                    policy.key
                ),
                None => format!(
                    "{}: the status still says {live}; {image} is what follows the next scan",
                    policy.key
                ),
            });
        }
        let origin = if self.request.tags == TagSource::Registry {
            ImageOrigin::Registry
        } else {
            ImageOrigin::Recording
        };
        decision.latest = Some((image, origin));
    }

    /// When a live repository was scanned and is scanned again.
    fn next_scan(&self, key: &ObjectKey) -> Option<String> {
        if !self.inputs.live {
            return None;
        }
        let repository = self.inputs.objects.repositories.get(key)?;
        let now = self.session.now;
        let scan = repository.status.last_scan_result.as_ref();
        let scanned = scan
            .and_then(|scan| schedule::moment(scan.scan_time.as_deref()?))
            .map_or("never scanned".to_owned(), |scanned| {
                format!("scanned {} ago", age::since(scanned, now))
            });
        let next = match schedule::next_scan(repository, now) {
            NextScan::At(next) => format!("next scan in {}", age::until(next, now)),
            NextScan::Due { reason, since } => {
                let since = since.map_or(String::new(), |since| {
                    format!(" for {}", age::since(since, now))
                });
                format!("next scan due{since}: {reason}")
            }
            NextScan::Unknown => return Some(scanned),
        };
        Some(format!("{scanned}, {next}"))
    }

    fn assume(&self, policy: &ImagePolicy, decision: &mut PolicyDecision) {
        let assumptions = &self.request.assumptions;
        let Some(assumption) = assumptions
            .iter()
            .find(|assumption| assumption.policy == policy.key)
        else {
            return;
        };
        let reference = &policy.spec.image_repository_ref;
        let key = reference.key_from(&policy.key.namespace);
        let repository = self.inputs.objects.repositories.get(&key);
        let name = repository
            .map(|repository| repository.spec.image.clone())
            .or(decision.live.as_ref().map(|live| live.name.clone()));
        decision.findings.clear();
        decision.failure = None;
        decision.trouble = None;
        match name {
            Some(name) => {
                let image = assumption.image(&name);
                decision.notes = vec![format!(
                    "{}: {image} is assumed (--assume), not decided",
                    policy.key
                )];
                decision.latest = Some((image, ImageOrigin::Assumed));
                decision.unknown = None;
            }
            None => {
                let message = format!(
                    "--assume {}: neither its ImageRepository nor its status tells the image's name",
                    policy.key
                );
                decision.unknown = Some(Failure::invalid_input(message));
                decision.latest = None;
            }
        }
    }
}

impl Tag {
    fn image(&self, digest: String) -> ImageRef {
        ImageRef {
            name: self.name.clone(),
            tag: self.tag.clone(),
            digest,
        }
    }
}

/// The digest that the status already has for this very tag.
fn kept_digest(policy: &ImagePolicy, name: &str, tag: &str) -> String {
    let live = policy.status.latest();
    let same = live.filter(|live| live.name == name && live.tag == tag);
    match policy.spec.digest_reflection_policy {
        DigestReflectionPolicy::IfNotPresent => same.unwrap_or_default().digest,
        DigestReflectionPolicy::Always | DigestReflectionPolicy::Never => String::new(),
    }
}

/// The digest that the controller would look up for a tag.
fn wanted_digest(policy: &ImagePolicy, tag: &Tag) -> Option<WantedDigest> {
    let wanted = policy.spec.digest_reflection_policy != DigestReflectionPolicy::Never
        && tag.digest.is_empty();
    wanted.then(|| WantedDigest {
        repository: tag.repository.clone(),
        name: tag.name.clone(),
        tag: tag.tag.clone(),
    })
}

/// A policy whose choice was not recomputed: what its status keeps, and why.
fn keep(policy: &ImagePolicy, why: Undecided, decision: &mut PolicyDecision) {
    match why {
        Undecided::LeftAlone(why, finding) => {
            keep_status(policy, &why, decision);
            decision.findings.extend(finding.map(|finding| *finding));
        }
        Undecided::ControllerFails {
            reason,
            message,
            ours,
        } => {
            keep_status(
                policy,
                &format!("the controller fails ({reason}: {message})"),
                decision,
            );
            decision.findings.push(findings::policies::stuck(
                &policy.key,
                decision.live.as_ref(),
                reason,
                &message,
            ));
            decision.trouble = ours;
            decision.failure = Some((reason.to_owned(), message));
        }
        Undecided::RefusedToUs(failure) => {
            if decision.live.is_none() {
                decision.unknown = Some(failure);
                return;
            }
            keep_status(policy, &failure.message, decision);
        }
        Undecided::Unknown(failure) => decision.unknown = Some(failure),
        Undecided::NotDeterministic => {}
    }
}

fn keep_status(policy: &ImagePolicy, why: &str, decision: &mut PolicyDecision) {
    decision.latest = decision
        .live
        .clone()
        .map(|image| (image, ImageOrigin::Status));
    let kept = match &decision.live {
        Some(live) => format!("its status keeps {live}"),
        None => "it has no latest image".into(),
    };
    decision
        .notes
        .push(format!("{}: {why}; {kept}", policy.key));
}
