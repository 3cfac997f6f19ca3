//! Findings about how a policy chooses: what its filter and order do with the tags that there are.

use crate::controllers::flux::{DigestReflectionPolicy, ImagePolicy, ImageRef};
use crate::controllers::policy::{Decision, Outcome, TagTrace, Verdict};
use crate::go::number::parse_float;
use crate::go::regexp::Regexp;
use crate::go::semver::{Constraints, Version};

use super::{Finding, Severity, Subject};

/// Above this, a float64 skips whole numbers.
const EXACT_UP_TO: f64 = 9_007_199_254_740_992.0;

/// Tags that somebody moves to another image now and then.
const MOVING: [&str; 17] = [
    "latest",
    "main",
    "master",
    "trunk",
    "dev",
    "develop",
    "development",
    "edge",
    "nightly",
    "canary",
    "beta",
    "stable",
    "release",
    "staging",
    "prod",
    "production",
    "lts",
];

/// A policy, what it chooses, and what became of each stored tag.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The policy.
    pub policy: &'a ImagePolicy,
    /// What it chooses.
    pub decision: &'a Decision,
    /// What became of each tag; empty where the policy fails before it looks at any.
    pub traces: &'a [TagTrace],
    /// How many tags are stored.
    pub stored: usize,
}

impl Choice<'_> {
    fn subject(&self) -> Subject {
        Subject::Object {
            kind: "ImagePolicy",
            key: self.policy.key.clone(),
        }
    }

    fn finding(
        &self,
        id: &'static str,
        message: String,
        evidence: String,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            id,
            severity: Severity::of(id),
            subject: self.subject(),
            message,
            evidence,
            remedy: remedy.into(),
        }
    }

    fn latest(&self) -> Option<&str> {
        match &self.decision.outcome {
            Outcome::Latest { tag } => Some(tag),
            _ => None,
        }
    }

    fn explain(&self, rest: &str) -> String {
        let key = &self.policy.key;
        format!(
            "kubectl imageauto explain policy/{} -n {} {rest}",
            key.name, key.namespace
        )
    }

    /// Everything there is to say about the choice.
    pub fn findings(&self) -> Vec<Finding> {
        [
            self.no_choice(),
            self.filter_unanchored(),
            self.numeric_precision(),
            self.newer_outside_range(),
            self.prerelease_needs_range(),
            self.version_needs_three_parts(),
            self.order_inverted(),
            self.floating_tag(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Why nothing is chosen, where that has an id of its own: `no-tag-matches-filter`, `no-version-in-range`,
    /// `extract-empty` or `numeric-parse-failure`.
    pub fn no_choice(&self) -> Option<Finding> {
        let Outcome::Failed(failure) = &self.decision.outcome else {
            return None;
        };
        if failure.is_ours || failure.stalled || self.stored == 0 {
            return None;
        }
        let spec = &self.policy.spec;
        let evidence = format!("{}: {}", failure.reason, failure.message);
        let error = |id, message: String, remedy: String| {
            Some(self.finding(id, message, evidence.clone(), remedy))
        };
        if let Some(filter) = &spec.filter_tags
            && self.decision.counts.matched == 0
        {
            return error(
                "no-tag-matches-filter",
                format!(
                    "spec.filterTags.pattern {} matches none of {} tags",
                    filter.pattern, self.stored
                ),
                format!("correct the pattern; {}", self.explain("--all-tags")),
            );
        }
        if let Some(semver) = &spec.policy.semver {
            return error(
                "no-version-in-range",
                format!(
                    "no tag is a version in the range {:?}, of {} that are looked at",
                    semver.range, self.decision.counts.matched
                ),
                format!("widen the range; {}", self.explain("--all-tags")),
            );
        }
        if spec.policy.numerical.is_some() && failure.message.ends_with("value ''") {
            return error(
                "extract-empty",
                "spec.filterTags.extract gives nothing for a tag, and that fails the policy for all".into(),
                "let spec.filterTags.extract name a group of the pattern, as in (?P<n>[0-9]+) and $n, with ${n} where a letter or digit follows".into(),
            );
        }
        if spec.policy.numerical.is_some() {
            return error(
                "numeric-parse-failure",
                "a key is no number, and one such tag fails the policy for all".into(),
                format!(
                    "let spec.filterTags leave such tags out, or extract numbers alone; {}",
                    self.explain("--all-tags")
                ),
            );
        }
        None
    }

    /// `filter-unanchored`: the pattern matches a part of a tag, so tags that nobody meant may pass.
    pub fn filter_unanchored(&self) -> Option<Finding> {
        let filter = self.policy.spec.filter_tags.as_ref()?;
        let pattern = Regexp::compile(&filter.pattern).ok()?;
        let mut matcher = pattern.matcher(&[0]).ok()?;
        let mut partly = |tag: &str| {
            let found = matcher.find_at(tag, 0).ok().flatten();
            let found = found.and_then(|found| found.group(0));
            found.is_some_and(|(start, end)| start > 0 || end < tag.len())
        };
        // A match of a part says nothing where the pattern is anchored on that side by intention, such as `^main-`.
        let open = !filter.pattern.starts_with('^') && !filter.pattern.starts_with("\\A");
        if !open {
            return None;
        }
        let passing =
            |trace: &&TagTrace| trace.verdict != Verdict::NotMatched && partly(&trace.tag);
        let latest = self.latest();
        let found = self
            .traces
            .iter()
            .filter(passing)
            .max_by_key(|trace| Some(trace.tag.as_str()) == latest)?;
        let chosen = latest == Some(found.tag.as_str());
        let what = if chosen {
            "which is chosen"
        } else {
            "which then takes part"
        };
        Some(self.finding(
            "filter-unanchored",
            format!(
                "spec.filterTags.pattern {} has no ^ and matches a part of {}, {what}",
                filter.pattern, found.tag
            ),
            format!("tag {}", found.tag),
            "put ^ before the pattern and $ behind it",
        ))
    }

    /// `numeric-precision`: the number is beyond what a float64 tells from its neighbours.
    pub fn numeric_precision(&self) -> Option<Finding> {
        self.policy.spec.policy.numerical.as_ref()?;
        let beyond = |trace: &&TagTrace| {
            let number = trace.key.as_deref().map(parse_float);
            matches!(number, Some(Ok(number)) if number.abs() > EXACT_UP_TO && number.is_finite())
        };
        let found = self.traces.iter().find(beyond)?;
        let key = found.key.clone().unwrap_or_default();
        Some(self.finding(
            "numeric-precision",
            format!("{key} has more digits than the controller's numbers (float64, exact up to 9007199254740992): neighbours count as equal"),
            format!("tag {} gives {key}", found.tag),
            "extract fewer digits, such as a timestamp of 14, or use an alphabetical policy over numbers of one length",
        ))
    }

    /// `newer-outside-range`: there is a version above the chosen one that the range keeps out.
    pub fn newer_outside_range(&self) -> Option<Finding> {
        let semver = self.policy.spec.policy.semver.as_ref()?;
        let chosen = self.latest()?;
        let newest = self.newest_outside_range()?;
        Some(self.finding(
            "newer-outside-range",
            format!(
                "{} is newer than {chosen}, and outside the range {:?}",
                newest.tag, semver.range
            ),
            format!("the registry has {}, {} is chosen", newest.tag, chosen),
            format!(
                "widen the range if it is wanted; {}",
                self.explain(&format!("--tag {}", newest.tag))
            ),
        ))
    }

    /// The newest version that a semver policy's range keeps out, prereleases aside, if it is above the chosen one.
    pub fn newest_outside_range(&self) -> Option<&TagTrace> {
        self.policy.spec.policy.semver.as_ref()?;
        let chosen = self.latest()?;
        let chosen = self.traces.iter().find(|trace| trace.tag == chosen)?;
        let current = Version::parse_loose(chosen.key.as_deref()?).ok()?;
        let (newest, version) = self
            .traces
            .iter()
            .filter(|trace| trace.verdict == Verdict::OutOfRange)
            .filter_map(|trace| {
                let version = Version::parse_loose(trace.key.as_deref()?).ok()?;
                (!version.is_prerelease()).then_some((trace, version))
            })
            .max_by(|(_, one), (_, other)| one.cmp(other))?;
        (version > current).then_some(newest)
    }

    /// `prerelease-needs-range`: nothing is chosen, and prereleases are there that the range doesn't let in.
    pub fn prerelease_needs_range(&self) -> Option<Finding> {
        let semver = self.policy.spec.policy.semver.as_ref()?;
        if !matches!(self.decision.outcome, Outcome::Failed(_)) {
            return None;
        }
        let opened = with_prereleases(&semver.range);
        let range = Constraints::parse(&opened).ok()?;
        let let_in = |trace: &&TagTrace| {
            let version = trace.key.as_deref().map(Version::parse);
            trace.verdict == Verdict::PrereleaseRefused
                && matches!(version, Some(Ok(version)) if range.check(&version))
        };
        let found = self.traces.iter().find(let_in)?;
        Some(self.finding(
            "prerelease-needs-range",
            format!(
                "{} would be in the range {:?}, but a range lets prereleases in only where it names one",
                found.tag, semver.range
            ),
            format!("{} prereleases are kept out", self.traces.iter().filter(let_in).count()),
            format!("write a prerelease into the range, as in {opened}"),
        ))
    }

    /// `version-needs-three-parts`: tags such as `1.25` or `v2` that look like versions and count as none.
    pub fn version_needs_three_parts(&self) -> Option<Finding> {
        self.policy.spec.policy.semver.as_ref()?;
        let short = |trace: &&TagTrace| {
            trace.verdict == Verdict::NotAVersion
                && trace.key.as_deref().is_some_and(is_short_version)
        };
        let found = self.traces.iter().find(short)?;
        let key = found.key.clone().unwrap_or_default();
        Some(self.finding(
            "version-needs-three-parts",
            format!("{key} is no version for the controller: it wants MAJOR.MINOR.PATCH"),
            format!("tag {}", found.tag),
            "tag images with three parts, or extract the number and use a numerical policy",
        ))
    }

    /// `order-inverted`: descending order takes the smallest.
    pub fn order_inverted(&self) -> Option<Finding> {
        let choice = &self.policy.spec.policy;
        let (word, order) = match (&choice.alphabetical, &choice.numerical) {
            (_, Some(numerical)) => ("numerical", &numerical.order),
            (Some(alphabetical), None) => ("alphabetical", &alphabetical.order),
            (None, None) => return None,
        };
        if !order.eq_ignore_ascii_case("desc") || self.decision.counts.eligible < 2 {
            return None;
        }
        let chosen = self.latest()?;
        Some(self.finding(
            "order-inverted",
            format!(
                "order: desc takes the first of the order, the smallest: {chosen} is chosen of {}",
                self.decision.counts.eligible
            ),
            format!("spec.policy.{word}.order: {order}"),
            format!("set spec.policy.{word}.order to asc if the greatest is meant"),
        ))
    }

    /// `floating-tag`: the chosen tag is one that moves, and without its digest nothing changes when it does.
    pub fn floating_tag(&self) -> Option<Finding> {
        let chosen = self.latest()?;
        if self.policy.spec.digest_reflection_policy != DigestReflectionPolicy::Never
            || !MOVING.contains(&chosen)
        {
            return None;
        }
        Some(self.finding(
            "floating-tag",
            format!("{chosen} moves from image to image, and the files don't change when it does"),
            format!("the policy chooses {chosen} and reflects no digest"),
            "choose tags that stay, or set digestReflectionPolicy: Always with an interval",
        ))
    }
}

/// `policy-stuck-on-old-tag` for a policy that keeps an image which its registry has left behind.
pub fn keeps(policy: &ImagePolicy, kept: &ImageRef, why: &str) -> Finding {
    Finding {
        id: "policy-stuck-on-old-tag",
        severity: Severity::of("policy-stuck-on-old-tag"),
        subject: Subject::Object {
            kind: "ImagePolicy",
            key: policy.key.clone(),
        },
        message: format!("it stays at {kept}"),
        evidence: why.to_owned(),
        remedy: "mend what the controller's message names".into(),
    }
}

/// `1`, `v1`, `1.25` and the like.
fn is_short_version(key: &str) -> bool {
    let digits = key.strip_prefix('v').unwrap_or(key);
    let parts: Vec<&str> = digits.split('.').collect();
    parts.len() < 3
        && parts.iter().all(|part| {
            !part.is_empty() && part.len() < 5 && part.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// The range with a prerelease in each alternative: `-0` behind a lower bound that comes first, and otherwise such a bound
/// before the alternative, which it does not narrow.
fn with_prereleases(range: &str) -> String {
    let alternatives: Vec<String> = range.split("||").map(with_prerelease).collect();
    alternatives.join("||")
}

fn with_prerelease(alternative: &str) -> String {
    let at = alternative.find(|c: char| !c.is_whitespace()).unwrap_or(0);
    let (blanks, written) = alternative.split_at(at);
    let operator = written.find(|c: char| !"=!<>~^".contains(c)).unwrap_or(0);
    if matches!(&written[..operator], "!=" | ">" | "<" | "<=" | "=<") {
        return format!("{blanks}>=0.0.0-0 {written}");
    }
    let bound = &written[operator..];
    let bound = &bound[bound.find(|c: char| !c.is_whitespace()).unwrap_or(0)..];
    let end = bound.find(|c: char| !(c.is_ascii_digit() || "vxX*.".contains(c)));
    let (version, rest) = bound.split_at(end.unwrap_or(bound.len()));
    if rest.starts_with(['-', '+']) {
        return alternative.to_owned();
    }
    let before = &alternative[..alternative.len() - bound.len()];
    format!("{before}{version}-0{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::flux::{
        ImagePolicyChoice, ImagePolicySpec, OrderedPolicy, SemVerPolicy, TagFilter,
    };
    use crate::controllers::policy::{self, PolicySpec};

    /// The ids that a spec has over tags, which are sorted here.
    fn ids(spec: ImagePolicySpec, tags: &[&str]) -> Vec<&'static str> {
        let policy = ImagePolicy {
            spec,
            ..ImagePolicy::default()
        };
        let mut stored: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        stored.sort_unstable_by(|one, other| other.cmp(one));
        let spec = PolicySpec::from(&policy.spec);
        let decision = policy::decide(&spec, &stored);
        let traces = policy::verdicts(&spec, &stored, &decision).unwrap_or_default();
        let choice = Choice {
            policy: &policy,
            decision: &decision,
            traces: &traces,
            stored: stored.len(),
        };
        choice.findings().iter().map(|found| found.id).collect()
    }

    fn semver(range: &str) -> ImagePolicySpec {
        ImagePolicySpec {
            policy: ImagePolicyChoice {
                semver: Some(SemVerPolicy {
                    range: range.into(),
                }),
                ..Default::default()
            },
            ..Default::default()
        }
    }

    fn ordered(numerical: bool, order: &str, filter: Option<(&str, &str)>) -> ImagePolicySpec {
        let order = Some(OrderedPolicy {
            order: order.into(),
        });
        let (alphabetical, numerical) = if numerical {
            (None, order)
        } else {
            (order, None)
        };
        ImagePolicySpec {
            policy: ImagePolicyChoice {
                semver: None,
                alphabetical,
                numerical,
            },
            filter_tags: filter.map(|(pattern, extract)| TagFilter {
                pattern: pattern.into(),
                extract: extract.into(),
            }),
            ..Default::default()
        }
    }

    #[test]
    fn each_finding_has_a_case_and_a_twin_without_it() {
        let none: [&str; 0] = [];
        assert_eq!(ids(semver(">=1.0.0"), &["1.0.0", "1.1.0"]), none);
        assert_eq!(
            ids(semver("1.x"), &["1.0.0", "2.0.0"]),
            ["newer-outside-range"]
        );
        assert_eq!(ids(semver("1.x"), &["1.0.0", "0.9.0"]), none);
        assert_eq!(ids(semver("2.x"), &["1.0.0"]), ["no-version-in-range"]);
        assert_eq!(
            ids(semver(">=1.0.0"), &["1.1.0-rc.1"]),
            ["no-version-in-range", "prerelease-needs-range"]
        );
        assert_eq!(
            ids(semver("^2.0.0"), &["2.0.0-rc.1"]),
            ["no-version-in-range", "prerelease-needs-range"]
        );
        assert_eq!(
            ids(semver("^2.0.0"), &["3.0.0-rc.1"]),
            ["no-version-in-range"]
        );
        assert_eq!(ids(semver(">=1.0.0-0"), &["1.1.0-rc.1"]), none);
        assert_eq!(
            ids(semver(">=1.0.0"), &["1.0.0", "1.25"]),
            ["version-needs-three-parts"]
        );
        assert_eq!(
            ids(ordered(false, "desc", None), &["a", "b"]),
            ["order-inverted"]
        );
        assert_eq!(ids(ordered(false, "asc", None), &["a", "b"]), none);
        assert_eq!(
            ids(ordered(false, "asc", None), &["latest"]),
            ["floating-tag"]
        );
        assert_eq!(
            ids(ordered(true, "asc", None), &["1", "x"]),
            ["numeric-parse-failure"]
        );
        assert_eq!(ids(ordered(true, "asc", None), &["1", "2"]), none);
        assert_eq!(
            ids(
                ordered(true, "asc", Some(("^b(?P<n>[0-9]+)$", "$n_"))),
                &["b1"]
            ),
            ["extract-empty"]
        );
        assert_eq!(
            ids(ordered(true, "asc", None), &["20260528153652123"]),
            ["numeric-precision"]
        );
        assert_eq!(ids(ordered(true, "asc", None), &["20260528153652"]), none);
        assert_eq!(
            ids(
                ordered(false, "asc", Some(("main-[0-9]+", ""))),
                &["main-1", "old-main-2"]
            ),
            ["filter-unanchored"]
        );
        assert_eq!(
            ids(
                ordered(false, "asc", Some(("^main-[0-9]+$", ""))),
                &["main-1", "old-main-2"]
            ),
            none
        );
        assert_eq!(
            ids(ordered(false, "asc", Some(("^main-", ""))), &["dev-1"]),
            ["no-tag-matches-filter"]
        );
    }

    #[test]
    fn a_prerelease_is_written_into_each_alternative() {
        for (range, opened) in [
            (">=2.0.0", ">=2.0.0-0"),
            ("^2.0.0", "^2.0.0-0"),
            (">= 1.0.0, <2.0.0", ">= 1.0.0-0, <2.0.0"),
            ("1.0.0 - 2.0.0", "1.0.0-0 - 2.0.0"),
            ("1.x || v2", "1.x-0 || v2-0"),
            ("*", "*-0"),
            ("<2.0.0 || 3.0.0-rc.1", ">=0.0.0-0 <2.0.0 || 3.0.0-rc.1"),
            ("!=1.0.0", ">=0.0.0-0 !=1.0.0"),
        ] {
            assert_eq!(with_prereleases(range), opened);
            let range = Constraints::parse(opened).unwrap();
            assert!(
                range.check(&Version::parse("1.9.9-rc.1").unwrap())
                    || range.check(&Version::parse("2.0.1-rc.1").unwrap())
            );
        }
    }

    #[test]
    fn short_versions_are_told_from_dates_and_words() {
        for short in ["1", "v1", "1.25", "v2.10"] {
            assert!(is_short_version(short), "{short}");
        }
        for other in ["1.2.3", "latest", "20260528", "v", "1.", "1.2-rc"] {
            assert!(!is_short_version(other), "{other}");
        }
    }
}
