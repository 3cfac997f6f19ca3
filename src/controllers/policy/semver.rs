//! Mirrors `internal/policy/semver.go` of image-reflector-controller 1.2.

use super::choice::{Chosen, KeyVerdict};
use crate::go::semver::{Constraints, Verdict, Version};

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
        match Version::parse(key) {
            Ok(version) => match self.constraints.verdict(&version) {
                Verdict::Satisfied => KeyVerdict::Eligible,
                Verdict::OutOfRange => KeyVerdict::OutOfRange,
                Verdict::PrereleaseRefused => KeyVerdict::PrereleaseRefused,
            },
            Err(error) => KeyVerdict::NotAVersion(error.to_string()),
        }
    }
}
