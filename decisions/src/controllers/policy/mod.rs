//! Mirrors `applyPolicy` of `internal/controller/imagepolicy_controller.go` and `internal/policy` of
//! image-reflector-controller 1.2: which tag is latest.

mod alphabetical;
mod choice;
mod filter;
mod numerical;
mod parts;
mod places;
mod semver;
mod trace;

use std::collections::BTreeSet;

use super::conditions;
use super::flux::{ImagePolicyChoice, ImagePolicySpec, TagFilter};
use choice::{Choice, Chosen};
use filter::{FilterError, Filtered, Keying};

pub use choice::Tie;
pub use trace::{Mark, Marked, TagTrace, Verdict, trace, verdicts};

/// The parts of an ImagePolicy's spec that choose a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySpec {
    /// How to choose.
    pub choice: ImagePolicyChoice,
    /// Which tags count, and the part of them that is compared.
    pub filter: Option<TagFilter>,
}

impl From<&ImagePolicySpec> for PolicySpec {
    fn from(spec: &ImagePolicySpec) -> Self {
        Self {
            choice: spec.policy.clone(),
            filter: spec.filter_tags.clone(),
        }
    }
}

/// What the controller decides, and from how many tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The tag, or why there is none.
    pub outcome: Outcome,
    /// How many tags are left after each step; zero where the step isn't reached.
    pub counts: Counts,
    /// Keys that more than one tag has, in the order of the keys.
    pub collisions: Vec<Collision>,
    /// Why there are several candidates, where there are.
    pub tie: Option<Tie>,
    /// Every text that the failure can have, sorted: several where the controller names whichever bad key it sees
    /// first. Empty unless the outcome is a failure.
    pub messages: Vec<String>,
}

/// The result of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// One tag, at every run.
    Latest {
        /// The tag.
        tag: String,
    },
    /// Some tag that may be another at the next run.
    NotDeterministic {
        /// Every tag that it can be, sorted.
        candidates: Vec<String>,
    },
    /// No tag.
    Failed(PolicyFailure),
}

/// Why the controller chooses no tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFailure {
    /// It doesn't try again before the spec changes.
    pub stalled: bool,
    /// The reason of the condition.
    pub reason: &'static str,
    /// The text of the condition, without `retrying in ...`.
    pub message: String,
    /// The controller may well decide: it is this program that refuses, and the message says why.
    pub is_ours: bool,
}

/// How many tags are left after each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tags that match the filter; all where there is none.
    pub matched: usize,
    /// Keys that may be chosen: versions in the range, numbers, or simply keys.
    pub eligible: usize,
}

/// Several tags with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// The key.
    pub key: String,
    /// The tag that stands for it.
    pub kept: String,
    /// The tags that are never looked at, in the order in which they are stored.
    pub lost: Vec<String>,
}

/// Decides a policy over the tags of its repository, in the order in which they are stored (descending).
pub fn decide(spec: &PolicySpec, stored: &[String]) -> Decision {
    let (choice, keying) = match prepare(spec, stored) {
        Ok(prepared) => prepared,
        Err(failure) => return Decision::failed(failure),
    };
    let Some(keying) = keying else {
        let chosen = choice.choose(stored, false);
        return Decision::of(stored.len(), &choice, chosen, stored, |place| {
            &stored[place]
        });
    };
    let filtered = match Filtered::by(&keying, stored) {
        Ok(filtered) => filtered,
        Err(why) => return Decision::failed(filter_failure(&why)),
    };
    // Only a filter puts the keys in random order.
    let chosen = choice.choose(filtered.keys(), true);
    Decision {
        collisions: filtered.collisions(),
        ..Decision::of(
            filtered.matched(),
            &choice,
            chosen,
            filtered.keys(),
            |place| filtered.tag(place),
        )
    }
}

/// The choice, and how a filter makes keys of tags, in the order in which the controller checks its inputs.
fn prepare<'f>(
    spec: &'f PolicySpec,
    stored: &[String],
) -> Result<(Choice, Option<Keying<'f>>), PolicyFailure> {
    let choice =
        Choice::of(&spec.choice).map_err(|why| invalid(format!("invalid policy: {why}")))?;
    if stored.is_empty() {
        return Err(PolicyFailure {
            stalled: false,
            reason: conditions::DEPENDENCY_NOT_READY,
            message: conditions::NO_TAGS_IN_DATABASE.into(),
            is_ours: false,
        });
    }
    let keying = spec
        .filter
        .as_ref()
        .map(Keying::of)
        .transpose()
        .map_err(|why| filter_failure(&why))?;
    Ok((choice, keying))
}

fn filter_failure(why: &FilterError) -> PolicyFailure {
    PolicyFailure {
        is_ours: why.is_ours(),
        ..invalid(format!("failed to filter tags: {why}"))
    }
}

fn invalid(message: String) -> PolicyFailure {
    PolicyFailure {
        stalled: true,
        reason: conditions::INVALID_POLICY,
        message,
        is_ours: false,
    }
}

impl Decision {
    fn failed(failure: PolicyFailure) -> Self {
        Self {
            messages: vec![failure.message.clone()],
            outcome: Outcome::Failed(failure),
            counts: Counts::default(),
            collisions: Vec::new(),
            tie: None,
        }
    }

    /// What a choice among keys means for the tags behind them.
    fn of<'a, K: AsRef<str>>(
        matched: usize,
        choice: &Choice,
        chosen: Chosen,
        keys: &[K],
        tag: impl Fn(usize) -> &'a str,
    ) -> Self {
        let mut decision = Self {
            outcome: Outcome::NotDeterministic {
                candidates: Vec::new(),
            },
            counts: Counts {
                matched,
                eligible: chosen.eligible,
            },
            collisions: Vec::new(),
            tie: None,
            messages: Vec::new(),
        };
        match chosen.latest {
            Ok(places) => {
                let tags: BTreeSet<&str> = places.iter().map(|place| tag(*place)).collect();
                if tags.len() > 1 {
                    let candidates = places.iter().map(|place| keys[*place].as_ref());
                    decision.tie = choice.tie(&candidates.collect::<Vec<_>>(), keys);
                }
                decision.outcome = Outcome::of(tags);
            }
            Err(messages) => decision.fail(messages),
        }
        decision
    }

    fn fail(&mut self, mut messages: Vec<String>) {
        messages.sort_unstable();
        messages.dedup();
        self.outcome = Outcome::Failed(PolicyFailure {
            stalled: false,
            reason: conditions::FAILURE,
            message: messages.first().cloned().unwrap_or_default(),
            is_ours: false,
        });
        self.messages = messages;
    }
}

impl Outcome {
    fn of(tags: BTreeSet<&str>) -> Self {
        let mut candidates: Vec<String> = tags.into_iter().map(str::to_owned).collect();
        match (candidates.len(), candidates.pop()) {
            (1, Some(tag)) => Self::Latest { tag },
            (_, last) => {
                candidates.extend(last);
                Self::NotDeterministic { candidates }
            }
        }
    }
}

#[cfg(test)]
mod tests;
