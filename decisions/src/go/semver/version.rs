//! One version: reading it strictly or loosely, and the order of versions.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use crate::go::text::quote;

/// Longer texts are refused unread.
const LONGEST: usize = 256;

/// Why a text is no version; displays as the Go library's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// It has another form.
    #[error("invalid semantic version")]
    Form,
    /// It is empty.
    #[error("version string empty")]
    Empty,
    /// It is too long.
    #[error("version string is too long (max {LONGEST} bytes)")]
    TooLong,
    /// A strict version has something else than digits between its dots.
    #[error("invalid characters in version")]
    Characters,
    /// A number starts with a zero where it may not.
    #[error("version segment starts with 0")]
    LeadingZero,
    /// The build metadata has an empty part or a foreign character.
    #[error("invalid metadata string")]
    Metadata,
    /// The prerelease has an empty part or a foreign character.
    #[error("invalid prerelease string")]
    Prerelease,
    /// A number of a loose version doesn't fit in 64 bits.
    #[error("error parsing version segment: strconv.ParseUint: parsing {}: value out of range", quote(.0))]
    LooseRange(String),
    /// A number of a strict version is empty.
    #[error("strconv.ParseUint: parsing \"\": invalid syntax")]
    StrictEmpty,
    /// A number of a strict version doesn't fit in 64 bits.
    #[error("strconv.ParseUint: parsing {}: value out of range", quote(.0))]
    StrictRange(String),
}

/// A version, which borrows from the text it was read from. Its order is precedence: build metadata and the form in which
/// it was written don't count.
#[derive(Clone, Debug)]
pub struct Version<'t> {
    /// The first number.
    pub major: u64,
    /// The second number.
    pub minor: u64,
    /// The third number.
    pub patch: u64,
    /// What follows `-`; empty for a release.
    pub prerelease: Cow<'t, str>,
    /// What follows `+`.
    pub metadata: Cow<'t, str>,
}

impl<'t> Version<'t> {
    /// Reads a version as the controllers do: loosely, but with at least two dots anywhere in it.
    ///
    /// # Errors
    ///
    /// The text is no such version.
    pub fn parse(text: &'t str) -> Result<Self, VersionError> {
        let mut dots = text.bytes().filter(|byte| *byte == b'.');
        if dots.next().and(dots.next()).is_none() {
            return Err(VersionError::Form);
        }
        Self::parse_loose(text)
    }

    /// Reads `1`, `1.2` or `1.2.3`, perhaps after a `v`, leading zeros allowed, perhaps with prerelease and metadata.
    ///
    /// # Errors
    ///
    /// The text is no such version.
    pub fn parse_loose(text: &'t str) -> Result<Self, VersionError> {
        if text.len() > LONGEST {
            return Err(VersionError::TooLong);
        }
        let (numbers, rest) = leading_numbers(text).ok_or(VersionError::Form)?;
        let (prerelease, metadata) = split_suffixes(rest).ok_or(VersionError::Form)?;
        let [major, minor, patch] = numbers?;
        if !prerelease.is_empty() {
            check_prerelease(prerelease)?;
        }
        Ok(Self {
            major,
            minor,
            patch,
            prerelease: Cow::Borrowed(prerelease),
            metadata: Cow::Borrowed(metadata),
        })
    }

    /// Reads a version of the SemVer specification.
    ///
    /// # Errors
    ///
    /// The text is no such version.
    pub fn parse_strict(text: &'t str) -> Result<Self, VersionError> {
        if text.is_empty() {
            return Err(VersionError::Empty);
        }
        if text.len() > LONGEST {
            return Err(VersionError::TooLong);
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(VersionError::Form);
        };
        let (rest, metadata) = match rest.split_once('+') {
            Some((rest, metadata)) => (rest, Some(metadata)),
            None => (rest, None),
        };
        if let Some(metadata) = metadata {
            check_metadata(metadata)?;
        }
        let (patch, prerelease) = match rest.split_once('-') {
            Some((patch, prerelease)) => (patch, Some(prerelease)),
            None => (rest, None),
        };
        if let Some(prerelease) = prerelease {
            check_prerelease(prerelease)?;
        }
        let numbers = [major, minor, patch];
        for digits in numbers {
            if !is_digits(digits) {
                return Err(VersionError::Characters);
            }
            if digits.len() > 1 && digits.starts_with('0') {
                return Err(VersionError::LeadingZero);
            }
        }
        let [major, minor, patch] = numbers.map(strict_number);
        Ok(Self {
            major: major?,
            minor: minor?,
            patch: patch?,
            prerelease: prerelease.unwrap_or_default().into(),
            metadata: metadata.unwrap_or_default().into(),
        })
    }

    /// The version by itself.
    pub fn into_owned(self) -> Version<'static> {
        Version {
            prerelease: Cow::Owned(self.prerelease.into_owned()),
            metadata: Cow::Owned(self.metadata.into_owned()),
            ..self
        }
    }

    /// Whether the version has a prerelease part.
    pub fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| {
            // A release follows all of its prereleases.
            match (self.is_prerelease(), other.is_prerelease()) {
                (false, other) => other.cmp(&false),
                (true, false) => Ordering::Less,
                (true, true) => compare_prereleases(&self.prerelease, &other.prerelease),
            }
        })
    }
}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version<'_> {}

impl fmt::Display for Version<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(formatter, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(formatter, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

/// The order of two prereleases, part by part; a missing part comes first.
pub(super) fn compare_prereleases(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let (one, other) = (ones.next(), others.next());
        if one.is_none() && other.is_none() {
            return Ordering::Equal;
        }
        let order = compare_parts(one.unwrap_or_default(), other.unwrap_or_default());
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn compare_parts(one: &str, other: &str) -> Ordering {
    // What is empty comes first, then numbers, then words; digits beyond 64 bits are a word.
    let rank = |part: &str| match part.parse::<u64>() {
        _ if part.is_empty() => (0, 0),
        Ok(number) => (1, number),
        Err(_) => (2, 0),
    };
    rank(one).cmp(&rank(other)).then_with(|| one.cmp(other))
}

/// Three numbers, as the text is read.
type Numbers = Result<[u64; 3], VersionError>;

/// Up to three numbers with dots between them, after a `v` or not, and what follows; `None`: the text has another form.
/// The numbers themselves may be too large.
fn leading_numbers(text: &str) -> Option<(Numbers, &str)> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let bytes = text.as_bytes();
    let mut numbers = Ok([0; 3]);
    let mut place = 0;
    for index in 0..3 {
        let start = place;
        let mut number = 0_u64;
        while let Some(digit) = bytes.get(place).filter(|byte| byte.is_ascii_digit()) {
            // Of numbers that are too long only the length counts.
            number = number
                .wrapping_mul(10)
                .wrapping_add(u64::from(digit - b'0'));
            place += 1;
        }
        if place == start {
            return None;
        }
        if place - start > SAFE_DIGITS {
            number = match text[start..place].parse() {
                Ok(number) => number,
                Err(_) if numbers.is_ok() => {
                    numbers = Err(VersionError::LooseRange(text[start..place].into()));
                    0
                }
                Err(_) => 0,
            };
        }
        if let Ok(numbers) = &mut numbers {
            numbers[index] = number;
        }
        if bytes.get(place) != Some(&b'.') {
            return Some((numbers, &text[place..]));
        }
        place += 1;
    }
    None
}

/// So many digits always fit in 64 bits.
const SAFE_DIGITS: usize = 19;

/// The prerelease and the metadata that are all of `rest`, either of them empty where it isn't there.
fn split_suffixes(rest: &str) -> Option<(&str, &str)> {
    if rest.is_empty() {
        return Some(("", ""));
    }
    let (rest, metadata) = match rest.split_once('+') {
        Some((rest, metadata)) if are_identifiers(metadata) => (rest, metadata),
        Some(_) => return None,
        None => (rest, ""),
    };
    match rest.strip_prefix('-') {
        Some(prerelease) if are_identifiers(prerelease) => Some((prerelease, metadata)),
        None if rest.is_empty() => Some(("", metadata)),
        _ => None,
    }
}

fn strict_number(digits: &str) -> Result<u64, VersionError> {
    if digits.is_empty() {
        return Err(VersionError::StrictEmpty);
    }
    digits
        .parse()
        .map_err(|_| VersionError::StrictRange(digits.into()))
}

/// Whether the text can stand behind a version's hyphen.
///
/// # Errors
///
/// Go's words about what is wrong with it.
pub fn check_prerelease(prerelease: &str) -> Result<(), VersionError> {
    for part in prerelease.split('.') {
        if !is_identifier(part) {
            return Err(VersionError::Prerelease);
        }
        if part.len() > 1 && part.starts_with('0') && is_digits(part) {
            return Err(VersionError::LeadingZero);
        }
    }
    Ok(())
}

/// Whether the text can stand behind a version's plus sign.
///
/// # Errors
///
/// Go's words about what is wrong with it.
pub fn check_metadata(metadata: &str) -> Result<(), VersionError> {
    if are_identifiers(metadata) {
        Ok(())
    } else {
        Err(VersionError::Metadata)
    }
}

fn are_identifiers(dotted: &str) -> bool {
    dotted.split('.').all(is_identifier)
}

fn is_identifier(part: &str) -> bool {
    !part.is_empty()
        && part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match Version::parse(text) {
            Ok(version) => version.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn versions_are_read_loosely() {
        for (text, version) in [
            ("1.2.3", "1.2.3"),
            ("v1.2.3", "1.2.3"),
            ("v2025.02.03-rc.1", "2025.2.3-rc.1"),
            ("1.2.3-rc.1+build.5", "1.2.3-rc.1+build.5"),
            ("1.2.3+build-5", "1.2.3+build-5"),
            ("1.2-rc.1", "1.2.0-rc.1"),
            ("v1-alpha.1.2", "1.0.0-alpha.1.2"),
            ("1+a.b.c", "1.0.0+a.b.c"),
            ("18446744073709551615.0.0", "18446744073709551615.0.0"),
        ] {
            assert_eq!(parsed(text), version, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_versions() {
        for text in [
            "",
            "latest",
            "1.2",
            "v1",
            "V1.2.3",
            "1.2.3.4",
            "1.2.3-a_b",
            "1.2.3-",
            "1.2.3-a..b",
            "1.2.3+",
            "1..3",
            ".1.2",
            "1.2.3 ",
            "vv1.2.3",
            "1.2.x",
        ] {
            assert_eq!(parsed(text), "invalid semantic version", "{text}");
        }
        assert_eq!(parsed("1.2.3-01"), "version segment starts with 0");
        assert_eq!(
            parsed("1.18446744073709551616.0"),
            "error parsing version segment: strconv.ParseUint: parsing \"18446744073709551616\": value out of range"
        );
        assert_eq!(
            parsed(&format!("1.2.3-{}", "a".repeat(251))),
            "version string is too long (max 256 bytes)"
        );
    }

    #[test]
    fn strict_versions_have_three_plain_numbers() {
        let strict = |text: &str| match Version::parse_strict(text) {
            Ok(version) => version.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(strict("1.2.3-rc.1+b.5"), "1.2.3-rc.1+b.5");
        assert_eq!(strict(""), "version string empty");
        assert_eq!(strict("1.2"), "invalid semantic version");
        assert_eq!(strict("v1.2.3"), "invalid characters in version");
        assert_eq!(strict("1.02.3"), "version segment starts with 0");
        assert_eq!(
            strict("1..3"),
            "strconv.ParseUint: parsing \"\": invalid syntax"
        );
        assert_eq!(strict("1.2.3-"), "invalid prerelease string");
        assert_eq!(strict("1.2.3+a_b"), "invalid metadata string");
        assert_eq!(
            strict("1.2.18446744073709551616"),
            "strconv.ParseUint: parsing \"18446744073709551616\": value out of range"
        );
    }

    #[test]
    fn precedence_is_the_specifications() {
        let ascending = [
            "1.0.0-1",
            "1.0.0-9",
            "1.0.0-10",
            "1.0.0-99999999999999999999",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.10.0",
            "2.0.0",
        ];
        let versions: Vec<Version> = ascending
            .iter()
            .map(|text| Version::parse(text).unwrap())
            .collect();
        assert!(versions.is_sorted_by(|one, other| one < other));
        assert_eq!(
            Version::parse("v1.0.0+a").unwrap(),
            Version::parse("01.00.0").unwrap()
        );
    }
}
