//! The overview: counts, what is not as it should be, the next scan and the last push.

use jiff::Timestamp;

use crate::controllers::conditions::{NO_TAGS_IN_DATABASE, readiness};
use crate::controllers::flux::{Condition, ImagePolicy, ObjectKey};
use crate::controllers::schedule::{self, NextScan, moment};
use crate::facts::cluster::{Kind, Objects};
use crate::findings::Severity;
use crate::pipeline::stages::Survey;

use super::console::{Talk, Tone};
use crate::go::age;

/// Troubles beyond these are counted.
const WORST: usize = 3;

/// What there is to say, in order, and how many troubles are not told; empty of troubles where all is well.
pub fn lines(survey: &Survey, scope: &str, now: Timestamp) -> (Vec<Talk>, usize) {
    let objects = &meant(survey);
    let mut troubles = troubles(objects, &survey.typed, now);
    troubles.sort_by_key(|trouble| trouble.rank);
    let more = troubles.len().saturating_sub(WORST);
    troubles.truncate(WORST);
    let mut lines = vec![Talk::new(
        Tone::Action,
        format!(
            "{}{scope}: {}",
            survey
                .context
                .as_ref()
                .map(|context| format!("context {context}, "))
                .unwrap_or_default(),
            counts(objects)
        ),
    )];
    if troubles.is_empty() && !survey.objects.is_empty() {
        lines.push(Talk::new(Tone::Success, "all are ready"));
    }
    lines.extend(troubles.into_iter().map(|trouble| {
        let (tone, text) = match trouble.id {
            Some(id) => {
                let severity = Severity::of(id);
                (
                    Tone::of(severity),
                    format!("{severity}[{id}]: {}", trouble.text),
                )
            }
            None => (trouble.rank.tone(), trouble.text),
        };
        Talk::new(tone, text)
    }));
    lines.extend(next_scan(objects, now).map(|text| Talk::new(Tone::Detail, text)));
    lines.extend(last_push(objects, now).map(|text| Talk::new(Tone::Detail, text)));
    (lines, more)
}

/// The objects that flags mean; of manifests, the others are there as well.
fn meant(survey: &Survey) -> Objects {
    let mut meant = Objects::default();
    for surveyed in &survey.objects {
        let key = &surveyed.key;
        let typed = &survey.typed;
        let own = || key.clone();
        match surveyed.kind {
            Kind::ImageRepository => {
                let found = typed.repositories.get(key).cloned();
                meant.repositories.extend(found.map(|found| (own(), found)));
            }
            Kind::ImagePolicy => {
                let found = typed.policies.get(key).cloned();
                meant.policies.extend(found.map(|found| (own(), found)));
            }
            _ => {
                let found = typed.automations.get(key).cloned();
                meant.automations.extend(found.map(|found| (own(), found)));
            }
        }
    }
    meant
}

fn counts(objects: &Objects) -> String {
    let count = |number: usize, one: &str, several: &str| {
        format!("{number} {}", if number == 1 { one } else { several })
    };
    [
        count(objects.repositories.len(), "repository", "repositories"),
        count(objects.policies.len(), "policy", "policies"),
        count(objects.automations.len(), "update", "updates"),
    ]
    .join(", ")
}

/// How bad something is, the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    NotReady,
    Stale,
    Suspended,
}

impl Rank {
    fn tone(self) -> Tone {
        match self {
            Self::NotReady => Tone::Error,
            Self::Stale => Tone::Warning,
            Self::Suspended => Tone::Note,
        }
    }
}

struct Trouble {
    rank: Rank,
    /// The finding that it is, where doctor has one for it.
    id: Option<&'static str>,
    text: String,
}

fn troubles(objects: &Objects, all: &Objects, now: Timestamp) -> Vec<Trouble> {
    let mut found = Vec::new();
    for (key, object) in &objects.repositories {
        let conditions = &object.status.conditions;
        found.extend(of_object(
            Kind::ImageRepository,
            key,
            object.spec.suspend,
            conditions,
            Some("scan-stale"),
            now,
        ));
        if !object.spec.suspend
            && let NextScan::Due {
                since: Some(due), ..
            } = schedule::next_scan(object, now)
            && let Some(interval) = schedule::interval(object.spec.interval.as_deref())
            && let Some(late) = schedule::overdue(due, interval, now)
        {
            found.push(Trouble {
                rank: Rank::Stale,
                id: Some("scan-stale"),
                text: format!(
                    "ImageRepository {key} is stale: its scan is overdue by {}",
                    age::length(late)
                ),
            });
        }
    }
    for (key, object) in &objects.policies {
        let conditions = &object.status.conditions;
        found.extend(of_object(
            Kind::ImagePolicy,
            key,
            object.spec.suspend,
            conditions,
            stuck_policy(all, object),
            now,
        ));
    }
    for (key, object) in &objects.automations {
        let conditions = &object.status.conditions;
        let kind = Kind::ImageUpdateAutomation;
        let suspended = object.spec.suspend;
        let id = Some("update-fails");
        found.extend(of_object(kind, key, suspended, conditions, id, now));
        if !object.spec.suspend
            && let Some(due) = schedule::next_run(object)
            && let Some(interval) = schedule::interval(object.spec.interval.as_deref())
            && let Some(late) = schedule::overdue(due, interval, now)
        {
            found.push(Trouble {
                rank: Rank::Stale,
                id: None,
                text: format!(
                    "ImageUpdateAutomation {key} is stale: its run is overdue by {}",
                    age::length(late)
                ),
            });
        }
    }
    found
}

/// What a policy that isn't ready is a case of.
fn stuck_policy(objects: &Objects, policy: &ImagePolicy) -> Option<&'static str> {
    let reference = &policy.spec.image_repository_ref;
    let key = reference.key_from(&policy.key.namespace);
    let repository = objects.repositories.get(&key);
    let scan = repository.and_then(|repository| repository.status.last_scan_result.as_ref());
    let message = readiness(&policy.status.conditions).message;
    if message.ends_with(NO_TAGS_IN_DATABASE) && scan.is_some_and(|scan| scan.tag_count > 0) {
        return Some("tags-lost-after-restart");
    }
    policy.status.latest().map(|_| "policy-stuck-on-old-tag")
}

fn of_object(
    kind: Kind,
    key: &ObjectKey,
    suspended: bool,
    conditions: &[Condition],
    id: Option<&'static str>,
    now: Timestamp,
) -> Option<Trouble> {
    if suspended {
        return Some(Trouble {
            rank: Rank::Suspended,
            id: Some("suspended"),
            text: format!("{kind} {key} is suspended"),
        });
    }
    let state = readiness(conditions);
    if state.ready == "True" {
        return None;
    }
    let word = if state.stalled {
        "stalled"
    } else {
        "not ready"
    };
    let since = moment(state.since).map_or_else(String::new, |since| {
        format!(" for {}", age::since(since, now))
    });
    let reason = if state.reason.is_empty() {
        String::new()
    } else {
        format!("{}: ", state.reason)
    };
    Some(Trouble {
        rank: Rank::NotReady,
        // Nothing is known to be wrong with what has not been tried.
        id: id.filter(|_| state.ready == "False" && !state.reason.is_empty()),
        text: format!("{kind} {key} is {word}{since}: {reason}{}", state.message),
    })
}

fn next_scan(objects: &Objects, now: Timestamp) -> Option<String> {
    let scans = objects
        .repositories
        .values()
        .filter(|object| !object.spec.suspend);
    let scans = scans.filter_map(|object| match schedule::next_scan(object, now) {
        NextScan::At(at) => Some((at, &object.key)),
        _ => None,
    });
    let (at, key) = scans.min()?;
    Some(format!("next scan in {}: {key}", age::until(at, now)))
}

fn last_push(objects: &Objects, now: Timestamp) -> Option<String> {
    let pushes = objects.automations.values().filter_map(|object| {
        let at = moment(object.status.last_push_time.as_deref()?)?;
        Some((at, object))
    });
    let (at, object) = pushes.max_by_key(|(at, _)| *at)?;
    let commit = object.status.last_push_commit.get(..7).unwrap_or_default();
    Some(format!(
        "last push {} ago: {commit} by {}",
        age::since(at, now),
        object.key
    ))
}
