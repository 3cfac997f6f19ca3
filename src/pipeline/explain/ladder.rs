//! The tags in the policy's order, as far as they matter: where the range cuts, what is latest, in git and running.

use std::collections::BTreeSet;

use crate::controllers::policy::{Mark, TagTrace, Verdict};
use crate::pipeline::stages::{MarkerFate, PreviewedMarker};

use super::delivery::tag_of;

/// A rung of a ladder, the latest tag being on top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rung {
    /// A tag.
    Tag {
        /// Its name.
        tag: String,
        /// The word of its verdict.
        verdict: &'static str,
        /// It is the latest, or may be where chance decides.
        latest: bool,
        /// A file in git has it.
        in_git: bool,
        /// A workload runs it.
        runs: bool,
    },
    /// So many tags that don't matter.
    More(usize),
    /// Here the range begins or ends: what it says is in the range above or below.
    Cut(String),
}

/// Beyond so many tags no more borders of the range are shown.
const MANY: usize = 20;

/// What the ladder of a policy is made from.
pub(super) struct Ladder<'a> {
    /// All tags in the policy's order.
    pub(super) traces: &'a [TagTrace],
    /// The semver range; empty where there is none.
    pub(super) range: &'a str,
    /// What can be the latest.
    pub(super) candidates: &'a [String],
    pub(super) in_git: &'a BTreeSet<String>,
    pub(super) running: &'a BTreeSet<String>,
}

impl Ladder<'_> {
    pub(super) fn rungs(&self) -> Vec<Rung> {
        let compared: Vec<&TagTrace> = self.traces.iter().filter(|one| is_compared(one)).collect();
        let shown = self.shown(&compared);
        let mut rungs = Vec::new();
        let mut hidden = 0;
        let mut above: Option<&TagTrace> = None;
        for (place, trace) in compared.iter().enumerate() {
            let cut = above.filter(|above| is_outside(above) != is_outside(trace));
            if shown.contains(&place) || cut.is_some() && shown.len() <= MANY {
                rungs.extend((hidden > 0).then_some(Rung::More(hidden)));
                hidden = 0;
                rungs.extend(cut.map(|above| self.cut(above, trace)));
                rungs.push(self.rung(&trace.tag, trace.verdict.as_str()));
            } else {
                hidden += 1;
            }
            above = Some(trace);
        }
        rungs.extend((hidden > 0).then_some(Rung::More(hidden)));
        rungs.extend(self.elsewhere());
        rungs
    }

    /// The places of the tags that matter by themselves.
    fn shown(&self, compared: &[&TagTrace]) -> BTreeSet<usize> {
        let mut shown = BTreeSet::new();
        let last = compared.len().saturating_sub(1);
        let mut outside_above = None;
        for (place, trace) in compared.iter().enumerate() {
            let is_latest = self.candidates.contains(&trace.tag);
            let matters = place == 0
                || place == last
                || is_latest
                || self.in_git.contains(&trace.tag)
                || self.running.contains(&trace.tag);
            if matters {
                shown.insert(place);
            }
            // What would be the latest without the latest.
            if is_latest && place < last {
                shown.insert(place + 1);
            }
            let is_cut = outside_above.is_some_and(|above| above != is_outside(trace));
            if is_cut && shown.len() < MANY {
                shown.extend([place - 1, place]);
            }
            outside_above = Some(is_outside(trace));
        }
        shown
    }

    fn rung(&self, tag: &str, verdict: &'static str) -> Rung {
        Rung::Tag {
            tag: tag.to_owned(),
            verdict,
            latest: self.candidates.iter().any(|candidate| candidate == tag),
            in_git: self.in_git.contains(tag),
            runs: self.running.contains(tag),
        }
    }

    /// Of two neighbours one is outside the range: what keeps it out.
    fn cut(&self, above: &TagTrace, below: &TagTrace) -> Rung {
        let outside = if is_outside(above) { above } else { below };
        let spans = outside.mark.iter().flat_map(|Mark { spans, .. }| spans);
        let parts: Vec<&str> = spans.map(|span| &self.range[span.clone()]).collect();
        Rung::Cut(parts.join(" || "))
    }

    /// What is in git or runs and has no place in the order.
    fn elsewhere(&self) -> Vec<Rung> {
        let verdicts = self.traces.iter().filter(|trace| !is_compared(trace));
        let compared: BTreeSet<&str> = self
            .traces
            .iter()
            .filter(|trace| is_compared(trace))
            .map(|trace| trace.tag.as_str())
            .collect();
        let elsewhere = self.in_git.union(self.running);
        elsewhere
            .filter(|tag| !compared.contains(tag.as_str()))
            .map(|tag| {
                let trace = verdicts.clone().find(|trace| trace.tag == *tag);
                self.rung(tag, trace.map_or("absent", |trace| trace.verdict.as_str()))
            })
            .collect()
    }
}

/// The tag of an image that a marker's value has in git.
pub(super) fn tag_in_git(marker: &PreviewedMarker, image: &str) -> Option<String> {
    let value = match &marker.fate {
        MarkerFate::Applied { old, .. } => old,
        MarkerFate::UpToDate { value } => value,
        MarkerFate::Ignored { .. } | MarkerFate::Unknown { .. } => return None,
    };
    match marker.setter.as_deref()?.split(':').nth(2) {
        None => tag_of(value, image),
        Some("tag") => Some(value.clone()),
        Some(_) => None,
    }
}

fn is_compared(trace: &TagTrace) -> bool {
    matches!(
        trace.verdict,
        Verdict::Selected | Verdict::Eligible | Verdict::OutOfRange | Verdict::PrereleaseRefused
    )
}

fn is_outside(trace: &TagTrace) -> bool {
    trace.verdict == Verdict::OutOfRange
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::flux::{ImagePolicyChoice, SemVerPolicy};
    use crate::controllers::policy::{PolicySpec, decide, trace};

    fn rungs(range: &str, tags: &[&str], git: &[&str], running: &[&str]) -> Vec<String> {
        let spec = PolicySpec {
            choice: ImagePolicyChoice {
                semver: Some(SemVerPolicy {
                    range: range.into(),
                }),
                ..ImagePolicyChoice::default()
            },
            filter: None,
        };
        let mut stored: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        stored.sort_by(|one, other| other.cmp(one));
        let decision = decide(&spec, &stored);
        let traces = trace(&spec, &stored, &decision, |_| true).unwrap();
        let set = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
        let candidates: Vec<String> = traces
            .iter()
            .filter(|trace| trace.verdict == Verdict::Selected)
            .map(|trace| trace.tag.clone())
            .collect();
        let ladder = Ladder {
            traces: &traces,
            range,
            candidates: &candidates,
            in_git: &set(git),
            running: &set(running),
        };
        let told = ladder.rungs().into_iter().map(|rung| match rung {
            Rung::Tag {
                tag,
                latest,
                in_git,
                runs,
                ..
            } => {
                let mark = |is: bool, word: &str| {
                    if is {
                        format!(" {word}")
                    } else {
                        String::new()
                    }
                };
                let marks = [
                    mark(latest, "latest"),
                    mark(in_git, "git"),
                    mark(runs, "runs"),
                ];
                format!("{tag}{}", marks.concat())
            }
            Rung::More(count) => format!("{count} more"),
            Rung::Cut(part) => format!("-- {part}"),
        });
        told.collect()
    }

    #[test]
    fn the_range_cuts_and_what_does_not_matter_is_left_out() {
        let tags = [
            "2.1.0", "2.0.0", "1.9.0", "1.8.4", "1.8.3", "1.8.2", "1.8.1", "1.0.0", "0.9.0",
            "0.8.0", "0.7.0", "latest",
        ];
        assert_eq!(
            rungs(">=1.0.0 <2.0.0", &tags, &["1.8.2"], &["1.8.2", "gone"]),
            [
                "2.1.0",
                "2.0.0",
                "-- <2.0.0",
                "1.9.0 latest",
                "1.8.4",
                "1 more",
                "1.8.2 git runs",
                "1 more",
                "1.0.0",
                "-- >=1.0.0",
                "0.9.0",
                "1 more",
                "0.7.0",
                "gone runs",
            ]
        );
        assert_eq!(rungs("*", &["latest"], &[], &[]), [""; 0]);
    }

    #[test]
    fn a_range_of_many_borders_does_not_make_a_long_ladder() {
        let tags: Vec<String> = (0..100).map(|number| format!("1.{number}.0")).collect();
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let range: Vec<String> = (0..30).map(|number| format!("1.{}", 3 * number)).collect();
        let rungs = rungs(&range.join(" || "), &tags, &[], &[]);
        assert!(rungs.len() < 3 * MANY, "{}: {rungs:?}", rungs.len());
    }
}
