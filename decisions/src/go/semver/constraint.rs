//! Ranges: a list of alternatives, each a list of comparators that all have to hold.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::version::{Version, compare_prereleases};
use crate::go::text::quote;

/// Longer ranges are refused unread.
const LONGEST: usize = 512;
/// More alternatives are refused.
const MOST_ALTERNATIVES: usize = 32;

/// Why a text is no range; displays as the Go library's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// It is too long.
    #[error("constraint string is too long (max {LONGEST} bytes)")]
    TooLong,
    /// It has too many alternatives.
    #[error("too many constraint groups (max {MOST_ALTERNATIVES})")]
    TooManyAlternatives,
    /// The alternative, after the rewriting of hyphens, is no list of comparators.
    #[error("improper constraint: {}", quote(.0))]
    Improper(String),
    /// A comparator has a version that can't be read.
    #[error("constraint parser error")]
    Version,
}

/// What a range says of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the range.
    Satisfied,
    /// It isn't.
    OutOfRange,
    /// It is a prerelease, and an alternative that it isn't in names none: the library asks for that before it compares.
    PrereleaseRefused,
}

/// A range.
#[derive(Clone, Debug)]
pub struct Constraints {
    alternatives: Vec<Alternative>,
}

impl Constraints {
    /// Reads a range.
    ///
    /// # Errors
    ///
    /// The text is no range of this dialect, or too large a one.
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        if text.len() > LONGEST {
            return Err(ConstraintError::TooLong);
        }
        let rewritten = Rewritten::of(text);
        let parts = rewritten.text.split(OR);
        if parts.clone().count() > MOST_ALTERNATIVES {
            return Err(ConstraintError::TooManyAlternatives);
        }
        let mut alternatives = Vec::new();
        let mut start = 0;
        for part in parts {
            alternatives.push(Alternative::parse(part, &rewritten.origins[start..])?);
            start += part.len() + OR.len();
        }
        Ok(Self { alternatives })
    }

    /// Whether the version is in the range.
    pub fn check(&self, version: &Version) -> bool {
        self.alternatives
            .iter()
            .any(|alternative| alternative.check(version))
    }

    /// As [`check`](Self::check), telling refused prereleases apart.
    pub fn verdict(&self, version: &Version) -> Verdict {
        if self.check(version) {
            return Verdict::Satisfied;
        }
        let refused = version.is_prerelease()
            && self
                .alternatives
                .iter()
                .any(|alternative| !alternative.has_prerelease);
        if refused {
            Verdict::PrereleaseRefused
        } else {
            Verdict::OutOfRange
        }
    }

    /// Which parts of the range's text keep the version out, as byte offsets, one for each alternative that has a say:
    /// its first comparator that doesn't hold. Where prereleases are refused, the alternatives that refuse them: those that
    /// the version is in but for that, if there are any. Empty for a version in the range.
    pub fn refusals(&self, version: &Version) -> Vec<Range<usize>> {
        let alternatives = self.alternatives.iter();
        match self.verdict(version) {
            Verdict::Satisfied => Vec::new(),
            Verdict::PrereleaseRefused => {
                let refusing = alternatives.filter(|alternative| !alternative.has_prerelease);
                let (but_for_that, others): (Vec<_>, Vec<_>) =
                    refusing.partition(|alternative| alternative.holds(version));
                let told = if but_for_that.is_empty() {
                    others
                } else {
                    but_for_that
                };
                told.into_iter().filter_map(Alternative::span).collect()
            }
            Verdict::OutOfRange => alternatives
                .filter_map(|alternative| {
                    let mut comparators = alternative.comparators.iter();
                    comparators.find(|comparator| !comparator.holds(version))
                })
                .map(|comparator| comparator.span.clone())
                .collect(),
        }
    }
}

/// What stands between alternatives.
const OR: &str = "||";

/// Comparators that all have to hold.
#[derive(Clone, Debug)]
struct Alternative {
    comparators: Vec<Comparator>,
    /// One of the comparators has a prerelease, so prereleases are looked at.
    has_prerelease: bool,
}

impl Alternative {
    /// `origins` tells for each byte of the text where it is written.
    fn parse(text: &str, origins: &[Range<usize>]) -> Result<Self, ConstraintError> {
        if !PATTERNS.alternative.is_match(text) {
            return Err(ConstraintError::Improper(text.into()));
        }
        let comparators = PATTERNS
            .comparator
            .find_iter(text)
            .map(|found| Comparator::parse(found.as_str(), &origins[found.range()]))
            .collect::<Result<Vec<_>, _>>()?;
        let has_prerelease = comparators
            .iter()
            .any(|comparator| comparator.version.is_prerelease());
        Ok(Self {
            comparators,
            has_prerelease,
        })
    }

    /// Where it is written; what no comparator is in has no place.
    fn span(&self) -> Option<Range<usize>> {
        let (first, last) = (self.comparators.first()?, self.comparators.last()?);
        Some(first.span.start..last.span.end)
    }

    fn check(&self, version: &Version) -> bool {
        (self.has_prerelease || !version.is_prerelease()) && self.holds(version)
    }

    fn holds(&self, version: &Version) -> bool {
        self.comparators
            .iter()
            .all(|comparator| comparator.holds(version))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

impl Operator {
    fn of(symbol: &str) -> Self {
        match symbol {
            "!=" => Self::NotEqual,
            ">" => Self::Greater,
            "<" => Self::Less,
            ">=" | "=>" => Self::GreaterOrEqual,
            "<=" | "=<" => Self::LessOrEqual,
            "~" | "~>" => Self::Tilde,
            "^" => Self::Caret,
            _ => Self::Equal,
        }
    }
}

/// The first number of a comparator's version that is a wildcard or missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wildcard {
    None,
    Major,
    Minor,
    Patch,
}

#[derive(Clone, Debug)]
struct Comparator {
    operator: Operator,
    /// Wildcards, and whatever follows them, are zero.
    version: Version<'static>,
    wildcard: Wildcard,
    /// Where it is written in the range.
    span: Range<usize>,
}

impl Comparator {
    fn parse(text: &str, origins: &[Range<usize>]) -> Result<Self, ConstraintError> {
        let groups = PATTERNS
            .single
            .captures(text)
            .ok_or_else(|| ConstraintError::Improper(text.into()))?;
        let group = |index: usize| groups.get(index).map_or("", |found| found.as_str());
        let (major, minor, patch, prerelease) = (group(3), group(4), group(5), group(6));
        let is_wild = |part: &str| matches!(part.trim_start_matches('.'), "" | "x" | "X" | "*");
        let (wildcard, written) = if is_wild(major) {
            (Wildcard::Major, format!("0.0.0{prerelease}"))
        } else if is_wild(minor) {
            (Wildcard::Minor, format!("{major}.0.0{prerelease}"))
        } else if is_wild(patch) {
            (Wildcard::Patch, format!("{major}{minor}.0{prerelease}"))
        } else {
            (Wildcard::None, group(2).to_owned())
        };
        let version = Version::parse_loose(&written).map_err(|_| ConstraintError::Version)?;
        // The blanks before it are not its own; after it there are none.
        let blanks = text.len() - text.trim_start().len();
        Ok(Self {
            operator: Operator::of(group(1)),
            version: version.into_owned(),
            wildcard,
            span: joined(&origins[blanks..]),
        })
    }

    fn holds(&self, version: &Version) -> bool {
        match self.operator {
            Operator::Equal if self.wildcard == Wildcard::None => *version == self.version,
            Operator::Equal | Operator::Tilde => self.holds_tilde(version),
            Operator::NotEqual => self.holds_not_equal(version),
            Operator::Greater => self.holds_greater(version),
            Operator::Less => *version < self.version,
            Operator::GreaterOrEqual => *version >= self.version,
            Operator::LessOrEqual => self.holds_less_or_equal(version),
            Operator::Caret => self.holds_caret(version),
        }
    }

    fn holds_not_equal(&self, version: &Version) -> bool {
        let bound = &self.version;
        match self.wildcard {
            Wildcard::None | Wildcard::Major => version != bound,
            Wildcard::Minor => version.major != bound.major,
            Wildcard::Patch => {
                (version.major, version.minor) != (bound.major, bound.minor)
                    || compare_prereleases(&version.prerelease, &bound.prerelease)
                        != Ordering::Equal
            }
        }
    }

    fn holds_greater(&self, version: &Version) -> bool {
        let bound = &self.version;
        match self.wildcard {
            Wildcard::None | Wildcard::Major => version > bound,
            Wildcard::Minor => version.major > bound.major,
            Wildcard::Patch => (version.major, version.minor) > (bound.major, bound.minor),
        }
    }

    fn holds_less_or_equal(&self, version: &Version) -> bool {
        let bound = &self.version;
        match self.wildcard {
            Wildcard::None => version <= bound,
            Wildcard::Minor => version.major <= bound.major,
            Wildcard::Major | Wildcard::Patch => {
                (version.major, version.minor) <= (bound.major, bound.minor)
            }
        }
    }

    fn holds_tilde(&self, version: &Version) -> bool {
        let bound = &self.version;
        if version < bound {
            return false;
        }
        let all_zero = (bound.major, bound.minor, bound.patch) == (0, 0, 0);
        match self.wildcard {
            // `~0.0.0` has no upper bound.
            Wildcard::None | Wildcard::Major if all_zero => true,
            Wildcard::Minor => version.major == bound.major,
            _ => (version.major, version.minor) == (bound.major, bound.minor),
        }
    }

    fn holds_caret(&self, version: &Version) -> bool {
        let bound = &self.version;
        if version < bound || version.major != bound.major {
            return false;
        }
        if bound.major > 0 || self.wildcard == Wildcard::Minor {
            return true;
        }
        if version.minor != bound.minor {
            return false;
        }
        bound.minor > 0 || self.wildcard == Wildcard::Patch || version.patch == bound.patch
    }
}

/// The expressions by which the Go library takes ranges apart. What they let through is the dialect: the stray `|` in a
/// number, for one, makes `1|2` a comparator whose version can't be read.
struct Patterns {
    hyphen: Regex,
    alternative: Regex,
    comparator: Regex,
    single: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(Patterns::new);

impl Patterns {
    fn new() -> Self {
        let blank = r"[\t\n\f\r ]";
        let identifiers = |lead: &str| format!(r"({lead}([0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?");
        let number = r"[0-9|xX*]+";
        let version = format!(
            r"v?({number})(\.{number})?(\.{number})?{}{}",
            identifiers("-"),
            identifiers(r"\+")
        );
        // In this order: the first that fits is taken, the missing one before the longer ones.
        let operator = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";
        let one = format!("({operator}){blank}*({version}){blank}*");
        let compile = |pattern: &str| Regex::new(pattern).expect("the expression is well-formed");
        Self {
            hyphen: compile(&format!(
                "{blank}*({version}){blank}+-{blank}+({version}){blank}*"
            )),
            alternative: compile(&format!("^({blank}*{one})((?:{blank}+|,{blank}*){one})*$")),
            comparator: compile(&format!("({operator}){blank}*({version})")),
            single: compile(&format!("^{blank}*{one}$")),
        }
    }
}

/// A range with each `a - b` as two comparators.
struct Rewritten {
    text: String,
    /// Where each byte of the text is written in the range.
    origins: Vec<Range<usize>>,
}

impl Rewritten {
    fn of(range: &str) -> Self {
        let mut rewritten = Self {
            text: range.to_owned(),
            origins: (0..range.len()).map(|place| place..place + 1).collect(),
        };
        for groups in PATTERNS.hyphen.captures_iter(range) {
            let (Some(whole), Some(low), Some(high)) =
                (groups.get(0), groups.get(1), groups.get(11))
            else {
                continue;
            };
            // The first place with this text, which needn't be the place where it was found.
            let Some(place) = rewritten.text.find(whole.as_str()) else {
                continue;
            };
            let lower = format!(">= {}, ", low.as_str());
            let upper = format!("<= {} ", high.as_str());
            let origin = |part: regex::Match<'_>| {
                let offset = place + part.start() - whole.start();
                joined(&rewritten.origins[offset..offset + part.len()])
            };
            let mut origins = vec![origin(low); lower.len()];
            origins.resize(lower.len() + upper.len(), origin(high));
            let replaced = place..place + whole.len();
            rewritten.origins.splice(replaced.clone(), origins);
            rewritten.text.replace_range(replaced, &(lower + &upper));
        }
        rewritten
    }
}

/// From the first byte of several parts to their last.
fn joined(parts: &[Range<usize>]) -> Range<usize> {
    let start = parts.iter().map(|part| part.start).min().unwrap_or(0);
    let end = parts.iter().map(|part| part.end).max().unwrap_or(0);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(range: &str, version: &str) -> Verdict {
        Constraints::parse(range)
            .unwrap_or_else(|error| panic!("{range}: {error}"))
            .verdict(&Version::parse(version).unwrap())
    }

    fn assert_range(range: &str, inside: &[&str], outside: &[&str]) {
        for version in inside {
            assert_eq!(
                verdict(range, version),
                Verdict::Satisfied,
                "{range} {version}"
            );
        }
        for version in outside {
            assert_ne!(
                verdict(range, version),
                Verdict::Satisfied,
                "{range} {version}"
            );
        }
    }

    fn error(range: &str) -> String {
        Constraints::parse(range).map_or_else(|error| error.to_string(), |_| "none".into())
    }

    #[test]
    fn parts_that_are_missing_widen_a_comparator() {
        assert_range(">11", &["12.0.0"], &["11.0.0", "11.9.9"]);
        assert_range(">11.1", &["11.2.0", "12.0.0"], &["11.1.0", "11.1.9"]);
        assert_range("<=1.2", &["1.2.9", "0.0.0"], &["1.3.0"]);
        assert_range("<=1", &["1.9.9"], &["2.0.0"]);
        assert_range("^0.0", &["0.0.0", "0.0.9"], &["0.1.0"]);
        assert_range("^0", &["0.0.0", "0.9.9"], &["1.0.0"]);
        assert_range("~1", &["1.0.0", "1.9.9"], &["2.0.0", "0.9.9"]);
        assert_range("~1.2.3", &["1.2.3", "1.2.9"], &["1.2.2", "1.3.0"]);
        for range in ["=1.2", "1.2", "1.2.x", "1.2.X", "1.2.*", "~>1.2", "v1.2"] {
            assert_range(range, &["1.2.0", "1.2.9"], &["1.3.0", "1.1.9"]);
        }
        assert_range("1.x.3", &["1.0.0", "1.9.9"], &["2.0.0"]);
        assert_range("!=1", &["0.9.0", "2.0.0"], &["1.0.0", "1.9.9"]);
        assert_range("!=1.2", &["1.1.0", "1.3.0"], &["1.2.0", "1.2.9"]);
        assert_range("!=1.2.3", &["1.2.2"], &["1.2.3", "1.2.3+build"]);
    }

    #[test]
    fn wildcards_alone_have_their_own_meanings() {
        for range in ["~0.0.0", "~*", "=*", "*", "x", "X"] {
            assert_range(range, &["0.0.0", "9.9.9"], &["1.0.0-rc.1"]);
        }
        assert_range("^*", &["0.0.0"], &["0.0.1", "1.0.0"]);
        for range in [">*", "!=*"] {
            assert_range(range, &["0.0.1", "1.0.0"], &["0.0.0"]);
        }
        assert_range("<*", &[], &["0.0.0", "1.0.0"]);
        assert_range("<=*", &["0.0.0", "0.0.9"], &["0.1.0"]);
    }

    #[test]
    fn carets_keep_the_first_number_that_is_not_zero() {
        assert_range("^1.2.3", &["1.2.3", "1.9.0"], &["1.2.2", "2.0.0"]);
        assert_range("^0.2.3", &["0.2.3", "0.2.9"], &["0.3.0", "0.2.2"]);
        assert_range("^0.0.3", &["0.0.3"], &["0.0.4", "0.0.2", "0.1.3"]);
        assert_range("1.2.3", &["1.2.3", "v1.2.3"], &["1.2.4", "1.9.9"]);
    }

    #[test]
    fn comparators_are_joined_by_blanks_commas_bars_and_hyphens() {
        for range in [
            ">=1.0.0 <2.0.0",
            ">=1.0.0, <2.0.0",
            ">=1.0.0,<2.0.0",
            "=>1.0.0 <2.0.0",
            ">= 1.0.0 < 2.0.0",
        ] {
            assert_range(range, &["1.0.0", "1.9.9"], &["0.9.9", "2.0.0"]);
        }
        assert_range("1.0.0 - 1.5", &["1.0.0", "1.5.9"], &["0.9.9", "1.6.0"]);
        assert_range("<1.0.0 || >=2.0.0", &["0.9.9", "2.0.0"], &["1.0.0"]);
        assert_range("1.2.3 1.2.4", &[], &["1.2.3", "1.2.4"]);
        assert_range(
            "1.2-3",
            &["1.2.0-3", "1.2.0-4", "1.2.9"],
            &["1.2.0-2", "1.3.0"],
        );
    }

    #[test]
    fn the_comparator_that_keeps_a_version_out_is_told() {
        let refusals = |range: &str, version: &str| -> Vec<String> {
            let version = Version::parse(version).unwrap();
            let spans = Constraints::parse(range).unwrap().refusals(&version);
            spans
                .into_iter()
                .map(|span| range[span].to_owned())
                .collect()
        };
        assert_eq!(refusals(">=1.0.0 <2.0.0", "2.0.0"), ["<2.0.0"]);
        assert_eq!(refusals(" >= 1.0.0,  < 2.0.0", "0.9.0"), [">= 1.0.0"]);
        assert_eq!(refusals("1.x ||  3.x", "2.0.0"), ["1.x", "3.x"]);
        assert_eq!(refusals("1.0.0 - 1.5 || 3.x", "1.6.0"), ["1.5", "3.x"]);
        assert_eq!(refusals("1.x, 1.0.0 - 1.5", "0.6.0"), ["1.x"]);
        assert_eq!(refusals("1.0.0 - 1.5", "0.6.0"), ["1.0.0"]);
        assert_eq!(
            refusals(">=1.0.0 <2.0.0 || 3.x", "1.0.1-rc.1"),
            [">=1.0.0 <2.0.0"]
        );
        assert_eq!(refusals("^1.0.0 || 3.x", "1.0.0-rc.1"), ["^1.0.0", "3.x"]);
        assert_eq!(refusals("1.x", "1.2.0"), [""; 0]);
    }

    #[test]
    fn prereleases_need_a_prerelease_in_their_alternative() {
        assert_eq!(
            verdict(">=1.0.0 <2.0.0", "1.9.9-rc.1"),
            Verdict::PrereleaseRefused
        );
        // Whatever it would be compared with: that it is a prerelease is asked first.
        for (range, version) in [
            (">=2.0.0", "2.0.0-rc.1"),
            ("^2.0.0", "2.0.0-rc.1"),
            ("2.0.0", "2.0.0-rc.1"),
            (">=1.0.0 <2.0.0", "2.1.0-rc.1"),
        ] {
            assert_eq!(verdict(range, version), Verdict::PrereleaseRefused);
        }
        assert_eq!(
            verdict(">=1.0.0-0 <2.0.0", "2.1.0-rc.1"),
            Verdict::OutOfRange
        );
        assert_eq!(
            verdict(">=1.0.0-0 <2.0.0", "1.9.9-rc.1"),
            Verdict::Satisfied
        );
        assert_eq!(verdict("*-0", "1.9.9-rc.1"), Verdict::Satisfied);
        assert_eq!(
            verdict("1.0.0-rc.1 || 2.x", "2.0.0-rc.1"),
            Verdict::PrereleaseRefused
        );
        assert_eq!(
            verdict("1.0.0-rc.1 || 2.x", "2.1.0-rc.1"),
            Verdict::PrereleaseRefused
        );
        assert_eq!(verdict("!=1.0.0", "1.0.0-rc.1"), Verdict::PrereleaseRefused);
    }

    #[test]
    fn bad_ranges_are_refused_in_the_librarys_words() {
        assert_eq!(error(""), "improper constraint: \"\"");
        assert_eq!(error("==1.2"), "improper constraint: \"==1.2\"");
        assert_eq!(error("V1.2"), "improper constraint: \"V1.2\"");
        assert_eq!(
            error("1.2 || \tlatest "),
            "improper constraint: \" \\tlatest \""
        );
        assert_eq!(error("1.2,"), "improper constraint: \"1.2,\"");
        assert_eq!(error("1.2,,1.3"), "improper constraint: \"1.2,,1.3\"");
        assert_eq!(error("1 - 2 - "), "improper constraint: \">= 1, <= 2 - \"");
        for range in ["1.2.3-01", "1x", "18446744073709551616", "1|2"] {
            assert_eq!(error(range), "constraint parser error", "{range}");
        }
        assert_eq!(
            error(&" ".repeat(513)),
            "constraint string is too long (max 512 bytes)"
        );
        assert_eq!(error(&vec!["1"; 32].join("||")), "none");
        assert_eq!(
            error(&vec!["1"; 33].join("||")),
            "too many constraint groups (max 32)"
        );
    }
}
