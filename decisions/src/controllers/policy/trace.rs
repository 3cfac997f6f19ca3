//! Mirrors `applyPolicy` of `internal/controller/imagepolicy_controller.go` of image-reflector-controller 1.2, tag by tag:
//! what became of each.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::choice::{Choice, KeyVerdict, Standing, Tie};
use super::filter::{Keying, in_words};
use super::{Decision, Outcome, PolicyFailure, PolicySpec, filter_failure, prepare};
use crate::go::regexp::Trail;

/// What became of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It is the latest.
    Selected,
    /// It could have been the latest.
    Eligible,
    /// Its version isn't in the range.
    OutOfRange,
    /// Its version is in the range, which lets no prereleases in.
    PrereleaseRefused,
    /// Its key is no version.
    NotAVersion,
    /// Its key is no number, which fails the whole policy.
    NotANumber,
    /// It doesn't match the filter.
    NotMatched,
    /// Another tag with the same key stands in its place.
    Collided,
}

impl Verdict {
    /// The word for it in machine-readable output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Selected => "selected",
            Self::Eligible => "eligible",
            Self::OutOfRange => "outOfRange",
            Self::PrereleaseRefused => "prereleaseRefused",
            Self::NotAVersion => "notAVersion",
            Self::NotANumber => "notANumber",
            Self::NotMatched => "notMatched",
            Self::Collided => "collided",
        }
    }
}

/// What became of a tag, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagTrace {
    /// The tag.
    pub tag: String,
    /// What is compared; none where the tag doesn't match the filter.
    pub key: Option<String>,
    /// What became of it.
    pub verdict: Verdict,
    /// More about it; empty where there is nothing to add.
    pub detail: String,
    /// The part of the policy that decided it, where one can be pointed at.
    pub mark: Option<Mark>,
}

/// A part of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Of which text.
    pub text: Marked,
    /// Which parts of it, as byte offsets; sorted, and at least one.
    pub spans: Vec<Range<usize>>,
}

/// A text of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// `spec.filterTags.pattern`
    Pattern,
    /// `spec.policy.semver.range`
    Range,
}

/// What became of those stored tags that `wants` asks about, the latest first as far as the policy compares them, the
/// others behind in their order. `decision` is what [`decide`](super::decide) says of the same arguments.
///
/// # Errors
///
/// The policy fails before it looks at any tag.
pub fn trace(
    spec: &PolicySpec,
    stored: &[String],
    decision: &Decision,
    wants: impl Fn(&str) -> bool,
) -> Result<Vec<TagTrace>, PolicyFailure> {
    traces(spec, stored, decision, wants, true)
}

/// As [`trace`] of all tags, without saying where those that don't match the filter stop to do so, which takes longest.
///
/// # Errors
///
/// The policy fails before it looks at any tag.
pub fn verdicts(
    spec: &PolicySpec,
    stored: &[String],
    decision: &Decision,
) -> Result<Vec<TagTrace>, PolicyFailure> {
    traces(spec, stored, decision, |_| true, false)
}

fn traces(
    spec: &PolicySpec,
    stored: &[String],
    decision: &Decision,
    wants: impl Fn(&str) -> bool,
    with_stops: bool,
) -> Result<Vec<TagTrace>, PolicyFailure> {
    let (choice, keying) = prepare(spec, stored)?;
    let tracer = Tracer {
        latest: match &decision.outcome {
            Outcome::Latest { tag } => BTreeSet::from([tag.as_str()]),
            Outcome::NotDeterministic { candidates } => {
                candidates.iter().map(String::as_str).collect()
            }
            Outcome::Failed(_) => BTreeSet::new(),
        },
        kept: decision
            .collisions
            .iter()
            .flat_map(|collision| {
                let kept = collision.kept.as_str();
                collision.lost.iter().map(move |lost| (lost.as_str(), kept))
            })
            .collect(),
        range: match &spec.choice.semver {
            Some(semver) => &semver.range,
            None => "",
        },
        tie: decision.tie.as_ref(),
        trail: match &keying {
            Some(keying) if with_stops => keying.trail(),
            _ => None,
        },
        pattern: keying.as_ref().map_or("", Keying::pattern),
        choice,
    };
    let mut keyer = match &keying {
        Some(keying) => Some(keying.keyer().map_err(|why| filter_failure(&why))?),
        None => None,
    };
    let mut compared: Vec<(TagTrace, Option<Cow<'_, str>>)> = Vec::new();
    let mut before = None;
    for tag in stored.iter().filter(|tag| wants(tag)) {
        // A registry may list one tag twice; stored ones are sorted.
        if before.replace(tag) == Some(tag) {
            continue;
        }
        let key = match &mut keyer {
            Some(keyer) => keyer.key(tag).map_err(|why| filter_failure(&why))?,
            None => Some(Cow::Borrowed(&**tag)),
        };
        compared.push((tracer.trace(tag, key.as_deref()), key));
    }
    let mut places: Vec<(Option<Standing<'_>>, usize)> = compared
        .iter()
        .enumerate()
        .map(|(place, (trace, key))| {
            let key = key
                .as_deref()
                .filter(|_| trace.verdict != Verdict::Collided);
            (key.and_then(|key| tracer.choice.standing(key)), place)
        })
        .collect();
    places.sort_by(|(one, _), (other, _)| match (one, other) {
        (Some(one), Some(other)) => other.compare(one),
        (one, other) => other.is_some().cmp(&one.is_some()),
    });
    let order: Vec<usize> = places.into_iter().map(|(_, place)| place).collect();
    let mut traces: Vec<Option<TagTrace>> =
        compared.into_iter().map(|(trace, _)| Some(trace)).collect();
    Ok(order
        .into_iter()
        .filter_map(|place| traces[place].take())
        .collect())
}

struct Tracer<'a> {
    choice: Choice,
    /// The tags that can be the latest.
    latest: BTreeSet<&'a str>,
    /// The tag that stands in the place of each lost one.
    kept: BTreeMap<&'a str, &'a str>,
    range: &'a str,
    tie: Option<&'a Tie>,
    trail: Option<Trail>,
    pattern: &'a str,
}

impl Tracer<'_> {
    fn trace(&self, tag: &str, key: Option<&str>) -> TagTrace {
        let (verdict, detail, mark) = match key {
            Some(key) => self.judge(tag, key),
            None => self.not_matched(tag),
        };
        TagTrace {
            tag: tag.to_owned(),
            key: key.map(str::to_owned),
            verdict,
            detail,
            mark,
        }
    }

    fn not_matched(&self, tag: &str) -> (Verdict, String, Option<Mark>) {
        let stop = self.trail.as_ref().and_then(|trail| trail.stop(tag));
        let Some(stop) = stop else {
            return (Verdict::NotMatched, String::new(), None);
        };
        let detail = in_words(self.pattern, tag, &stop);
        let mark = Mark {
            text: Marked::Pattern,
            spans: stop.wanted,
        };
        (Verdict::NotMatched, detail, Some(mark))
    }

    fn judge(&self, tag: &str, key: &str) -> (Verdict, String, Option<Mark>) {
        if let Some(kept) = self.kept.get(tag) {
            let detail = format!("{kept} has the same key and takes its place");
            return (Verdict::Collided, detail, None);
        }
        let in_range = |spans: Vec<Range<usize>>| {
            (!spans.is_empty()).then_some(Mark {
                text: Marked::Range,
                spans,
            })
        };
        match self.choice.judge(key) {
            KeyVerdict::Eligible => {
                let (verdict, detail) = self.eligible(tag);
                (verdict, detail, None)
            }
            KeyVerdict::OutOfRange(spans) => {
                let parts: Vec<&str> = spans.iter().map(|span| &self.range[span.clone()]).collect();
                let detail = match &parts[..] {
                    [] => String::new(),
                    [part] => format!("{part} keeps it out"),
                    parts => format!("it is in none of {}", parts.join(", ")),
                };
                (Verdict::OutOfRange, detail, in_range(spans))
            }
            KeyVerdict::PrereleaseRefused(spans) => (
                Verdict::PrereleaseRefused,
                "the range lets no prereleases in".into(),
                in_range(spans),
            ),
            KeyVerdict::NotAVersion(why) => (Verdict::NotAVersion, why, None),
            KeyVerdict::NotANumber(why) => (Verdict::NotANumber, why, None),
        }
    }

    fn eligible(&self, tag: &str) -> (Verdict, String) {
        let count = self.latest.len();
        if !self.latest.contains(tag) {
            let detail = match self.latest.first() {
                Some(latest) if count == 1 => format!("loses to {latest}"),
                Some(_) => format!("loses to {count} others"),
                None => String::new(),
            };
            return (Verdict::Eligible, detail);
        }
        if count == 1 {
            return (Verdict::Selected, String::new());
        }
        let why = self.tie.map_or_else(String::new, |tie| format!(": {tie}"));
        let detail = format!("one of {count} tags that chance decides between{why}");
        (Verdict::Eligible, detail)
    }
}
