//! Mirrors `applyPolicy` of `internal/controller/imagepolicy_controller.go` of image-reflector-controller 1.2, tag by tag:
//! what became of each.

use std::collections::{BTreeMap, BTreeSet};

use super::choice::{Choice, KeyVerdict};
use super::{Decision, Outcome, PolicyFailure, PolicySpec, prepare};

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
}

/// What became of each stored tag, in their order. `decision` is what [`decide`](super::decide) says of the same arguments.
///
/// # Errors
///
/// The policy fails before it looks at any tag.
pub fn trace(
    spec: &PolicySpec,
    stored: &[String],
    decision: &Decision,
) -> Result<Vec<TagTrace>, PolicyFailure> {
    let (choice, keying) = prepare(spec, stored)?;
    let tracer = Tracer {
        choice,
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
    };
    let traces = stored.iter().map(|tag| {
        let key = match &keying {
            Some(keying) => keying.key(tag).map(|key| key.into_owned()),
            None => Some(tag.clone()),
        };
        let (verdict, detail) = match &key {
            Some(key) => tracer.judge(tag, key),
            None => (Verdict::NotMatched, String::new()),
        };
        TagTrace {
            tag: tag.clone(),
            key,
            verdict,
            detail,
        }
    });
    Ok(traces.collect())
}

struct Tracer<'a> {
    choice: Choice,
    /// The tags that can be the latest.
    latest: BTreeSet<&'a str>,
    /// The tag that stands in the place of each lost one.
    kept: BTreeMap<&'a str, &'a str>,
}

impl Tracer<'_> {
    fn judge(&self, tag: &str, key: &str) -> (Verdict, String) {
        if let Some(kept) = self.kept.get(tag) {
            return (
                Verdict::Collided,
                format!("{kept} has the same key and takes its place"),
            );
        }
        match self.choice.judge(key) {
            KeyVerdict::Eligible if !self.latest.contains(tag) => {
                (Verdict::Eligible, String::new())
            }
            KeyVerdict::Eligible if self.latest.len() == 1 => (Verdict::Selected, String::new()),
            KeyVerdict::Eligible => (
                Verdict::Eligible,
                format!(
                    "one of {} tags that chance decides between",
                    self.latest.len()
                ),
            ),
            KeyVerdict::OutOfRange => (Verdict::OutOfRange, String::new()),
            KeyVerdict::PrereleaseRefused => (
                Verdict::PrereleaseRefused,
                "the range lets no prereleases in".into(),
            ),
            KeyVerdict::NotAVersion(why) => (Verdict::NotAVersion, why),
            KeyVerdict::NotANumber(why) => (Verdict::NotANumber, why),
        }
    }
}
