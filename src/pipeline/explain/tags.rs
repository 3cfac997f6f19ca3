//! What became of single tags, and why.

use std::collections::BTreeSet;

use crate::controllers::flux::{ImagePolicy, ImageRepository};
use crate::controllers::policy::{self, Decision, Mark, Marked, PolicySpec, Verdict};
use crate::controllers::repository::{self, ExcludedTag};
use crate::facts::registry::RecordedTags;

use super::ladder::{Ladder, Rung};
use super::step::Snippet;

/// What became of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedTag {
    /// The tag.
    pub tag: String,
    /// The word of the verdict.
    pub verdict: &'static str,
    /// What is compared, where the policy gets so far.
    pub key: Option<String>,
    /// The reason; empty where there is nothing to add.
    pub detail: String,
    /// The parts of the policy's text that decided it, where one tag is asked about; all of one text.
    pub places: Vec<Snippet>,
}

impl ExplainedTag {
    /// Whether the tag is the latest.
    pub fn is_selected(&self) -> bool {
        self.verdict == Verdict::Selected.as_str()
    }

    /// Whether the tag is the latest, or could be.
    pub fn is_eligible(&self) -> bool {
        self.is_selected() || self.verdict == Verdict::Eligible.as_str()
    }
}

/// Which tags are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WantedTags<'a> {
    All,
    One(&'a str),
}

/// The tags of a repository and what a policy makes of them.
pub(super) struct Tagging<'a> {
    pub(super) policy: &'a ImagePolicy,
    pub(super) repository: &'a ImageRepository,
    pub(super) listed: &'a RecordedTags,
    pub(super) stored: &'a [String],
    pub(super) decision: &'a Decision,
}

impl Tagging<'_> {
    fn stored_or_excluded(&self, wanted: WantedTags<'_>) -> Vec<ExplainedTag> {
        let spec = PolicySpec::from(&self.policy.spec);
        let wants = |tag: &str| match wanted {
            WantedTags::All => true,
            WantedTags::One(one) => one == tag,
        };
        let traced = policy::trace(&spec, self.stored, self.decision, wants).unwrap_or_default();
        let stored = traced.into_iter().map(|trace| ExplainedTag {
            verdict: trace.verdict.as_str(),
            tag: trace.tag,
            key: trace.key,
            detail: trace.detail,
            places: match (wanted, trace.mark) {
                (WantedTags::One(_), Some(mark)) => places(&spec, &mark),
                _ => Vec::new(),
            },
        });
        let excluded = self.excluded(wants);
        stored.chain(excluded).collect()
    }

    /// The tags that matter in the policy's order.
    pub(super) fn ladder(
        &self,
        candidates: &[String],
        in_git: &BTreeSet<String>,
        running: &BTreeSet<String>,
    ) -> Vec<Rung> {
        let spec = PolicySpec::from(&self.policy.spec);
        let traces = policy::trace(&spec, self.stored, self.decision, |_| true);
        let ladder = Ladder {
            traces: &traces.unwrap_or_default(),
            range: spec
                .choice
                .semver
                .as_ref()
                .map_or("", |semver| &semver.range),
            candidates,
            in_git,
            running,
        };
        ladder.rungs()
    }

    /// What became of the wanted tags: the stored ones in the policy's order, the latest first, then those that are not compared,
    /// then those excluded. One that the registry doesn't list is told as if it did.
    pub(super) fn explain(&self, wanted: WantedTags<'_>) -> Vec<ExplainedTag> {
        let mut explained = self.stored_or_excluded(wanted);
        if let WantedTags::One(tag) = wanted
            && explained.is_empty()
        {
            explained.push(self.absent(tag));
        }
        explained
    }

    /// The tags that the exclusion list hides, each with the first pattern that does.
    fn excluded(&self, wants: impl Fn(&str) -> bool) -> Vec<ExplainedTag> {
        let list = self.repository.spec.exclusion_list.as_deref();
        let listed = self.listed.tags.iter().filter(|tag| wants(tag));
        let listed: Vec<String> = listed.cloned().collect();
        let sorted = repository::sorted_tags(&listed, list.unwrap_or_default());
        let excluded = sorted.map(|sorted| sorted.excluded).unwrap_or_default();
        let explained = |excluded: ExcludedTag| ExplainedTag {
            tag: excluded.tag,
            verdict: "excluded",
            key: None,
            detail: format!(
                "matches {} of the ImageRepository's exclusionList",
                excluded.pattern
            ),
            places: Vec::new(),
        };
        excluded.into_iter().map(explained).collect()
    }

    /// A tag that the registry doesn't list: what would become of it.
    fn absent(&self, tag: &str) -> ExplainedTag {
        let spec = PolicySpec::from(&self.policy.spec);
        let mut listed = self.listed.clone();
        listed.tags.push(tag.to_owned());
        let exclusions = self.repository.spec.exclusion_list.as_deref();
        let exclusions = exclusions.unwrap_or_default();
        let stored = repository::stored_tags(&listed.tags, exclusions).unwrap_or_default();
        let decision = policy::decide(&spec, &stored);
        let as_if = Tagging {
            listed: &listed,
            stored: &stored,
            decision: &decision,
            ..*self
        };
        let would = as_if
            .stored_or_excluded(WantedTags::One(tag))
            .into_iter()
            .next();
        let (key, would, places) = match would {
            Some(one) => {
                let why = if one.detail.is_empty() {
                    String::new()
                } else {
                    format!(": {}", one.detail)
                };
                let verdict = one.verdict;
                (
                    one.key,
                    format!("were it pushed, it would be {verdict}{why}"),
                    one.places,
                )
            }
            None => (
                None,
                "were it pushed, the policy would still fail before it looks at tags".into(),
                Vec::new(),
            ),
        };
        ExplainedTag {
            tag: tag.to_owned(),
            verdict: "absent",
            key,
            detail: format!("the registry does not list it; {would}"),
            places,
        }
    }
}

/// The marked parts of a policy's text, in characters.
fn places(spec: &PolicySpec, mark: &Mark) -> Vec<Snippet> {
    let text = match mark.text {
        Marked::Pattern => spec.filter.as_ref().map(|filter| &filter.pattern),
        Marked::Range => spec.choice.semver.as_ref().map(|semver| &semver.range),
    };
    let Some(text) = text else {
        return Vec::new();
    };
    let part = |span: &std::ops::Range<usize>| Snippet {
        line: None,
        text: text.clone(),
        column: text[..span.start].chars().count() + 1,
        length: text[span.clone()].chars().count(),
    };
    mark.spans.iter().map(part).collect()
}
