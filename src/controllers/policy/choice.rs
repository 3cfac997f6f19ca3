//! Mirrors `internal/policy/factory.go` of image-reflector-controller 1.2: the one of three policies that counts.

use super::super::flux::ImagePolicyChoice;
use super::alphabetical::Alphabetical;
use super::numerical::Numerical;
use super::semver::SemVer;
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
    OutOfRange,
    PrereleaseRefused,
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
    pub(super) fn choose(&self, keys: &[&str], any_order: bool) -> Chosen {
        if keys.is_empty() {
            return Chosen::failed(NO_KEYS);
        }
        match self {
            Self::SemVer(policy) => policy.choose(keys, any_order),
            Self::Alphabetical(policy) => policy.choose(keys),
            Self::Numerical(policy) => policy.choose(keys, any_order),
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
