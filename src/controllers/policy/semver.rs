//! Mirrors `internal/policy/semver.go` of image-reflector-controller 1.2.

use super::choice::{Chosen, KeyVerdict};
use crate::go::semver::{Constraints, Verdict, Version, VersionError};

/// The greatest version in a range.
pub(super) struct SemVer {
    constraints: Constraints,
}

impl SemVer {
    pub(super) fn new(range: &str) -> Result<Self, String> {
        let constraints = Constraints::parse(range).map_err(|error| error.to_string())?;
        Ok(Self { constraints })
    }

    pub(super) fn choose(&self, keys: &[&str], any_order: bool) -> Chosen {
        let mut eligible = 0;
        let mut latest: Option<Version> = None;
        let mut places = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            let Ok(version) = Version::parse(key) else {
                continue;
            };
            if !self.constraints.check(&version) {
                continue;
            }
            eligible += 1;
            match &latest {
                Some(best) if version < *best => {}
                // Of equal versions the first that the controller sees stays.
                Some(best) if version == *best => {
                    if any_order {
                        places.push(place);
                    }
                }
                _ => {
                    latest = Some(version);
                    places = vec![place];
                }
            }
        }
        if places.is_empty() {
            return Chosen::failed("unable to determine latest version from provided list");
        }
        Chosen {
            eligible,
            latest: Ok(places),
        }
    }

    pub(super) fn judge(&self, key: &str) -> KeyVerdict {
        let version = match Version::parse(key) {
            Ok(version) => version,
            Err(error) => return KeyVerdict::NotAVersion(why_no_version(key, &error)),
        };
        match self.constraints.verdict(&version) {
            Verdict::Satisfied => KeyVerdict::Eligible,
            Verdict::OutOfRange => KeyVerdict::OutOfRange(self.constraints.refusals(&version)),
            Verdict::PrereleaseRefused => {
                KeyVerdict::PrereleaseRefused(self.constraints.refusals(&version))
            }
        }
    }
}

/// The library's text, and what is wrong in a few words.
fn why_no_version(key: &str, error: &VersionError) -> String {
    let why = match error {
        _ if key.matches('.').count() < 2 => "it has fewer than two dots",
        VersionError::Form if key.starts_with('V') => "only a small v may stand before it",
        VersionError::Form
            if !key
                .trim_start_matches('v')
                .starts_with(|c: char| c.is_ascii_digit()) =>
        {
            "it does not begin with a number"
        }
        VersionError::Form if key.contains('_') => "it has a _",
        VersionError::LeadingZero => "a number of the prerelease begins with 0",
        _ => return error.to_string(),
    };
    format!("{error}: {why}")
}
