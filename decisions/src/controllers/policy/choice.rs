//! Mirrors `internal/policy/factory.go` of image-reflector-controller 1.2: the one of three policies that counts.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::ops::Range;

use super::super::flux::ImagePolicyChoice;
use super::alphabetical::Alphabetical;
use super::numerical::Numerical;
use super::semver::SemVer;
use crate::go::number::parse_float;
use crate::go::semver::Version;
use crate::go::text::to_upper;

/// What every policy says of an empty list.
pub(super) const NO_KEYS: &str = "version list argument cannot be empty";

/// A policy that is ready to choose.
pub(super) enum Choice {
    SemVer(SemVer),
    Alphabetical(Alphabetical),
    Numerical(Numerical),
}

/// What a policy makes of a list of keys.
pub(super) struct Chosen {
    /// How many keys could have been chosen.
    pub eligible: usize,
    /// The places of all keys that can be the latest, or all texts that the failure can have; never empty.
    pub latest: Result<Vec<usize>, Vec<String>>,
}

impl Chosen {
    pub(super) fn failed(message: &str) -> Self {
        Self {
            eligible: 0,
            latest: Err(vec![message.into()]),
        }
    }
}

/// What a policy makes of one key.
pub(super) enum KeyVerdict {
    Eligible,
    /// With the parts of the range that keep it out.
    OutOfRange(Vec<Range<usize>>),
    PrereleaseRefused(Vec<Range<usize>>),
    NotAVersion(String),
    NotANumber(String),
}

impl Choice {
    /// The first policy that is set; the error is the controller's, after `invalid policy: `.
    pub(super) fn of(choice: &ImagePolicyChoice) -> Result<Self, String> {
        if let Some(policy) = &choice.semver {
            SemVer::new(&policy.range).map(Self::SemVer)
        } else if let Some(policy) = &choice.alphabetical {
            Order::of(&policy.order).map(|order| Self::Alphabetical(Alphabetical { order }))
        } else if let Some(policy) = &choice.numerical {
            Order::of(&policy.order).map(|order| Self::Numerical(Numerical { order }))
        } else {
            Err("given ImagePolicyChoice object is invalid".into())
        }
    }

    /// Chooses among the keys; with `any_order` they come in another order at every run.
    pub(super) fn choose<K: AsRef<str> + Sync>(&self, keys: &[K], any_order: bool) -> Chosen {
        if keys.is_empty() {
            return Chosen::failed(NO_KEYS);
        }
        match self {
            Self::SemVer(policy) => policy.choose(keys, any_order),
            Self::Alphabetical(policy) => policy.choose(keys),
            Self::Numerical(policy) => policy.choose(keys, any_order),
        }
    }

    /// Why each of these keys, several that can be the latest, can be; `all` are all keys.
    pub(super) fn tie<K: AsRef<str>>(&self, candidates: &[&str], all: &[K]) -> Option<Tie> {
        let first = candidates.first()?;
        match self {
            Self::SemVer(_) => {
                let version = Version::parse(first).ok()?;
                let metadata = Cow::Borrowed("");
                Some(Tie::Precedence(
                    Version {
                        metadata,
                        ..version
                    }
                    .to_string(),
                ))
            }
            Self::Numerical(_) => {
                let is_nan = |key: &&str| parse_float(key).is_ok_and(f64::is_nan);
                Some(match all.iter().map(AsRef::as_ref).find(is_nan) {
                    Some(nan) => Tie::NotANumber((*nan).to_owned()),
                    None => Tie::Number(parse_float(first).ok()?.to_string()),
                })
            }
            Self::Alphabetical(_) => None,
        }
    }

    /// Where a key stands in the policy's order, the latest being the greatest; `None`: it is never compared.
    pub(super) fn standing<'k>(&self, key: &'k str) -> Option<Standing<'k>> {
        match self {
            Self::SemVer(_) => Version::parse(key).ok().map(Standing::Version),
            Self::Alphabetical(Alphabetical { order }) => Some(match order {
                Order::Ascending => Standing::Text(key),
                Order::Descending => Standing::TextDescending(Reverse(key)),
            }),
            Self::Numerical(Numerical { order }) => parse_float(key).ok().map(|number| {
                Standing::Number(match order {
                    Order::Ascending => number,
                    Order::Descending => -number,
                })
            }),
        }
    }

    /// What the policy makes of one key.
    pub(super) fn judge(&self, key: &str) -> KeyVerdict {
        match self {
            Self::SemVer(policy) => policy.judge(key),
            Self::Alphabetical(_) => KeyVerdict::Eligible,
            Self::Numerical(_) => Numerical::judge(key),
        }
    }
}

/// A key as a policy compares it. All of one policy are of one kind.
#[derive(Clone, Debug)]
pub(super) enum Standing<'k> {
    Version(Version<'k>),
    Text(&'k str),
    TextDescending(Reverse<&'k str>),
    Number(f64),
}

impl Standing<'_> {
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Version(one), Self::Version(other)) => one.cmp(other),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::TextDescending(one), Self::TextDescending(other)) => one.cmp(other),
            // What is no number has no place; it must have one in a list.
            (Self::Number(one), Self::Number(other)) if one == other => Ordering::Equal,
            (Self::Number(one), Self::Number(other)) => one.total_cmp(other),
            _ => Ordering::Equal,
        }
    }
}

/// Why a choice is left to chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tie {
    /// The versions have the precedence of this one: build metadata, a `v` and leading zeros don't count.
    Precedence(String),
    /// The numbers are equal to this one.
    Number(String),
    /// One of the keys, this one, is NaN, which is neither less nor more than any number: what the controller looks at
    /// last stays.
    NotANumber(String),
}

impl fmt::Display for Tie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Precedence(version) => write!(formatter, "all have the precedence of {version}"),
            Self::Number(number) => write!(formatter, "all are the number {number}"),
            Self::NotANumber(key) => write!(
                formatter,
                "the key {key} is not a number (NaN) and compares with none: whichever is looked at last stays"
            ),
        }
    }
}

/// Which end of the list is the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Descending,
}

impl Order {
    fn of(text: &str) -> Result<Self, String> {
        match to_upper(text).as_str() {
            "" | "ASC" => Ok(Self::Ascending),
            "DESC" => Ok(Self::Descending),
            other => Err(format!(
                "invalid order argument provided: '{other}', must be one of: ASC, DESC"
            )),
        }
    }
}
