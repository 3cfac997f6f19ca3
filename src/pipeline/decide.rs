//! The second and third stage: the tags of each repository, and the latest image of each policy.

use std::collections::{BTreeMap, BTreeSet};

use crate::controllers::access::{self, Access};
use crate::controllers::conditions;
use crate::controllers::flux::{
    DigestReflectionPolicy, FluxVersion, ImagePolicy, ImageRef, ImageRepository, ObjectKey,
};
use crate::controllers::policy::{self, Outcome};
use crate::controllers::repository;
use crate::facts::registry::{RecordedTags, TagRecording};
use crate::failure::Failure;
use crate::findings::{self, Finding};
use crate::io::recording;

use super::request::{Request, TagSource};
use super::stages::{Decisions, ImageOrigin, Inputs, PolicyDecision, Scan, Scans};

/// Lists the tags of every repository that a policy in the namespace of one of the run's automations refers to.
///
/// # Errors
///
/// The recording as a whole can't be read.
pub fn scan(request: &Request, inputs: &Inputs) -> Result<Scans, Failure> {
    let TagSource::Recording(path) = &request.tags else {
        return Ok(Scans::default());
    };
    let recording = canonical(
        recording::read(path)
            .map_err(|error| Failure::invalid_input(format!("--tags-from {error}")))?,
    );
    let wanted: BTreeSet<ObjectKey> = relevant_policies(inputs)
        .map(|policy| {
            policy
                .spec
                .image_repository_ref
                .key_from(&policy.key.namespace)
        })
        .collect();
    let repositories = wanted.into_iter().filter_map(|key| {
        let repository = inputs.objects.repositories.get(&key)?;
        let scan = scan_repository(repository, &recording);
        Some((key, scan))
    });
    Ok(Scans {
        repositories: repositories.collect(),
    })
}

fn relevant_policies(inputs: &Inputs) -> impl Iterator<Item = &ImagePolicy> {
    let namespaces: BTreeSet<&str> = inputs
        .automations
        .iter()
        .map(|key| key.namespace.as_str())
        .collect();
    inputs
        .objects
        .policies
        .values()
        .filter(move |policy| namespaces.contains(policy.key.namespace.as_str()))
}

/// Images in a recording may be named as users write them.
fn canonical(recorded: Vec<(String, RecordedTags)>) -> TagRecording {
    let named = |(image, tags): (String, RecordedTags)| {
        (
            repository::canonical_image_name(&image).unwrap_or(image),
            tags,
        )
    };
    TagRecording {
        images: recorded.into_iter().map(named).collect(),
    }
}

fn scan_repository(repository: &ImageRepository, recording: &TagRecording) -> Scan {
    let spec = &repository.spec;
    if spec.suspend {
        return Scan::Suspended;
    }
    let name = match repository::canonical_image_name(&spec.image) {
        Ok(name) => name,
        Err(error) => {
            return Scan::Failed {
                reason: conditions::IMAGE_URL_INVALID,
                message: error.to_string(),
            };
        }
    };
    let Some(recorded) = recording.images.get(&name) else {
        let message = format!(
            "ImageRepository {}: the image {name} is not in the recording of --tags-from; record it, or use --tags-from status",
            repository.key
        );
        return Scan::Unknown(Failure::invalid_input(message));
    };
    match repository::stored_tags(
        &recorded.tags,
        spec.exclusion_list.as_deref().unwrap_or_default(),
    ) {
        Ok(stored) => Scan::Tags {
            stored,
            recorded: recorded.clone(),
        },
        Err(error) => Scan::Failed {
            reason: conditions::READ_OPERATION_FAILED,
            message: format!("scan failed: {error}"),
        },
    }
}

/// Decides the latest image of every policy that may count.
pub fn decide(request: &Request, inputs: &Inputs, scans: &Scans) -> Decisions {
    let policies = relevant_policies(inputs).map(|policy| {
        let mut decision = decide_policy(request, inputs, scans, policy);
        assume(request, inputs, policy, &mut decision);
        (policy.key.clone(), decision)
    });
    Decisions {
        policies: policies.collect(),
    }
}

fn assume(request: &Request, inputs: &Inputs, policy: &ImagePolicy, decision: &mut PolicyDecision) {
    let Some(assumption) = request
        .assumptions
        .iter()
        .find(|assumption| assumption.policy == policy.key)
    else {
        return;
    };
    let repository = inputs.objects.repositories.get(
        &policy
            .spec
            .image_repository_ref
            .key_from(&policy.key.namespace),
    );
    let name = repository
        .map(|repository| repository.spec.image.clone())
        .or(decision.live.as_ref().map(|live| live.name.clone()));
    decision.findings.clear();
    decision.failure = None;
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

fn decide_policy(
    request: &Request,
    inputs: &Inputs,
    scans: &Scans,
    policy: &ImagePolicy,
) -> PolicyDecision {
    let live = policy.status.latest();
    let mut decision = PolicyDecision {
        latest: None,
        live,
        failure: None,
        unknown: None,
        decision: None,
        findings: Vec::new(),
        notes: Vec::new(),
    };
    if request.tags == TagSource::Status {
        let repository = policy
            .spec
            .image_repository_ref
            .key_from(&policy.key.namespace);
        if !inputs.objects.repositories.contains_key(&repository) {
            decision.notes.push(format!(
                "{}: ImageRepository {repository} is not in the input",
                policy.key
            ));
        }
        decision.latest = decision
            .live
            .clone()
            .map(|image| (image, ImageOrigin::Status));
        return decision;
    }
    match recompute(inputs, scans, policy, &mut decision) {
        Ok(image) => {
            note_difference(policy, &image, &mut decision);
            decision.latest = Some((image, ImageOrigin::Recording));
        }
        Err(Undecided::Suspended(finding)) => {
            keep_status(
                policy,
                &format!("{} is suspended", finding.subject),
                &mut decision,
            );
            decision.findings.push(*finding);
        }
        Err(Undecided::ControllerFails { reason, message }) => {
            keep_status(
                policy,
                &format!("the controller fails ({reason}: {message})"),
                &mut decision,
            );
            decision.failure = Some((reason.to_owned(), message));
        }
        Err(Undecided::Unknown(failure)) => decision.unknown = Some(failure),
        Err(Undecided::NotDeterministic) => {}
    }
    decision
}

fn note_difference(policy: &ImagePolicy, image: &ImageRef, decision: &mut PolicyDecision) {
    if let Some(live) = decision.live.as_ref().filter(|live| *live != image) {
        decision.notes.push(format!(
            "{}: the status still says {live}; {image} is what follows the next scan",
            policy.key
        ));
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

/// Why a policy's choice is not recomputed.
enum Undecided {
    Suspended(Box<Finding>),
    ControllerFails {
        reason: &'static str,
        message: String,
    },
    Unknown(Failure),
    NotDeterministic,
}

fn fails(reason: &'static str, message: impl Into<String>) -> Undecided {
    Undecided::ControllerFails {
        reason,
        message: message.into(),
    }
}

fn recompute(
    inputs: &Inputs,
    scans: &Scans,
    policy: &ImagePolicy,
    decision: &mut PolicyDecision,
) -> Result<ImageRef, Undecided> {
    let suspendable = inputs.rules >= FluxVersion::V2_7;
    if policy.spec.suspend && suspendable {
        return Err(Undecided::Suspended(Box::new(
            findings::policies::suspended("ImagePolicy", &policy.key),
        )));
    }
    if policy.spec.digest_reflection_policy == DigestReflectionPolicy::Always
        && policy.spec.interval.is_none()
    {
        return Err(fails(
            conditions::INTERVAL_NOT_CONFIGURED,
            conditions::INTERVAL_NOT_CONFIGURED_MESSAGE,
        ));
    }
    let repository = referred_repository(inputs, policy)?;
    let (stored, recorded) = match scans.repositories.get(&repository.key) {
        Some(Scan::Tags {
            stored, recorded, ..
        }) => (stored, recorded),
        Some(Scan::Failed { reason, message }) => return Err(fails(reason, message.clone())),
        Some(Scan::Suspended) => {
            return Err(Undecided::Suspended(Box::new(
                findings::policies::suspended("ImageRepository", &repository.key),
            )));
        }
        Some(Scan::Unknown(failure)) => return Err(Undecided::Unknown(failure.clone())),
        None => {
            return Err(Undecided::Unknown(Failure::invalid_input(format!(
                "ImageRepository {} was not scanned",
                repository.key
            ))));
        }
    };
    let tag = choose(policy, stored, decision)?;
    let digest = digest(policy, &repository.spec.image, &tag, recorded)?;
    Ok(ImageRef {
        name: repository.spec.image.clone(),
        tag,
        digest,
    })
}

fn referred_repository<'a>(
    inputs: &'a Inputs,
    policy: &ImagePolicy,
) -> Result<&'a ImageRepository, Undecided> {
    let key = policy
        .spec
        .image_repository_ref
        .key_from(&policy.key.namespace);
    let Some(repository) = inputs.objects.repositories.get(&key) else {
        return Err(fails(
            conditions::DEPENDENCY_NOT_READY,
            conditions::repository_not_found(&key.name),
        ));
    };
    let selectors: Option<Vec<BTreeMap<String, String>>> =
        repository.spec.access_from.as_ref().map(|access| {
            access
                .namespace_selectors
                .iter()
                .map(|selector| selector.match_labels.clone())
                .collect()
        });
    let labels = inputs.objects.namespaces.get(&policy.key.namespace);
    match access::check(
        &key.namespace,
        &key.name,
        &policy.key.namespace,
        selectors.as_deref(),
        labels,
    ) {
        Access::Granted => Ok(repository),
        Access::Denied { message } => Err(fails(conditions::ACCESS_DENIED, message)),
        Access::Unknown => Err(Undecided::Unknown(Failure::invalid_input(format!(
            "ImagePolicy {}: access to ImageRepository {key} hangs on the labels of Namespace {}, which is not in the input: add it with -f",
            policy.key, policy.key.namespace
        )))),
    }
}

fn choose(
    policy: &ImagePolicy,
    stored: &[String],
    decision: &mut PolicyDecision,
) -> Result<String, Undecided> {
    let decided = policy::decide(&policy::PolicySpec::from(&policy.spec), stored);
    decision
        .findings
        .extend(findings::policies::extract_collision(&policy.key, &decided));
    decision
        .findings
        .extend(findings::policies::choice_not_deterministic(
            &policy.key,
            &decided,
        ));
    let outcome = decided.outcome.clone();
    decision.decision = Some(decided);
    match outcome {
        Outcome::Latest { tag } => Ok(tag),
        Outcome::NotDeterministic { .. } => Err(Undecided::NotDeterministic),
        Outcome::Failed(failure) if failure.is_ours => {
            let message = format!("ImagePolicy {}: {}", policy.key, failure.message);
            Err(Undecided::Unknown(Failure::invalid_input(message)))
        }
        Outcome::Failed(failure) => Err(fails(failure.reason, failure.message)),
    }
}

fn digest(
    policy: &ImagePolicy,
    name: &str,
    tag: &str,
    recorded: &RecordedTags,
) -> Result<String, Undecided> {
    let kept = policy
        .status
        .latest()
        .filter(|live| live.name == name && live.tag == tag && !live.digest.is_empty());
    let known = recorded.digests.get(tag).cloned();
    let digest = match policy.spec.digest_reflection_policy {
        DigestReflectionPolicy::Never => Some(String::new()),
        DigestReflectionPolicy::IfNotPresent => kept.map(|live| live.digest).or(known),
        DigestReflectionPolicy::Always => known,
    };
    digest.ok_or_else(|| {
        let message = format!("ImagePolicy {}: the digest of {name}:{tag} is needed and not in the recording of --tags-from", policy.key);
        Undecided::Unknown(Failure::invalid_input(message))
    })
}
