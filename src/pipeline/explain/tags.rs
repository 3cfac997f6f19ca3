//! What became of single tags, and why.

use crate::controllers::flux::{ImagePolicy, ImageRepository};
use crate::controllers::policy::{self, Decision, PolicySpec, Verdict};
use crate::controllers::repository::DEFAULT_EXCLUSION;
use crate::facts::registry::RecordedTags;

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
    /// What became of the wanted tags: the stored ones in the policy's order as far as it has one, then those excluded.
    pub(super) fn explain(&self, wanted: WantedTags<'_>) -> Vec<ExplainedTag> {
        let spec = PolicySpec::from(&self.policy.spec);
        let traced = policy::trace(&spec, self.stored, self.decision).unwrap_or_default();
        let wants = |tag: &str| match wanted {
            WantedTags::All => true,
            WantedTags::One(one) => one == tag,
        };
        let stored = traced
            .into_iter()
            .filter(|trace| wants(&trace.tag))
            .map(|trace| ExplainedTag {
                verdict: trace.verdict.as_str(),
                tag: trace.tag,
                key: trace.key,
                detail: trace.detail,
            });
        let excluded = self
            .listed
            .tags
            .iter()
            .filter(|tag| {
                wants(tag)
                    && self
                        .stored
                        .binary_search_by(|one| tag.as_str().cmp(one))
                        .is_err()
            })
            .map(|tag| self.excluded(tag));
        let mut explained: Vec<ExplainedTag> = stored.chain(excluded).collect();
        if let WantedTags::One(tag) = wanted
            && explained.is_empty()
        {
            explained.push(self.absent(tag, &spec));
        }
        explained
    }

    fn excluded(&self, tag: &str) -> ExplainedTag {
        let list = self.repository.spec.exclusion_list.as_deref();
        let patterns = match list.unwrap_or_default() {
            [] => DEFAULT_EXCLUSION.to_owned(),
            patterns => patterns.join(" or "),
        };
        ExplainedTag {
            tag: tag.to_owned(),
            verdict: "excluded",
            key: None,
            detail: format!("matches {patterns} of the ImageRepository's exclusionList"),
        }
    }

    /// A tag that the registry doesn't list: what would become of it.
    fn absent(&self, tag: &str, spec: &PolicySpec) -> ExplainedTag {
        let mut listed = self.listed.clone();
        listed.tags.push(tag.to_owned());
        let exclusions = self.repository.spec.exclusion_list.as_deref();
        let stored = crate::controllers::repository::stored_tags(
            &listed.tags,
            exclusions.unwrap_or_default(),
        )
        .unwrap_or_default();
        let decision = policy::decide(spec, &stored);
        let as_if = Tagging {
            listed: &listed,
            stored: &stored,
            decision: &decision,
            ..*self
        };
        let would = as_if
            .explain(WantedTags::All)
            .into_iter()
            .find(|one| one.tag == tag);
        let (key, would) = match would {
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
                )
            }
            None => (
                None,
                "were it pushed, the policy would still fail before it looks at tags".into(),
            ),
        };
        ExplainedTag {
            tag: tag.to_owned(),
            verdict: "absent",
            key,
            detail: format!("the registry does not list it; {would}"),
        }
    }
}
