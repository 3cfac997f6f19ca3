//! Mirrors `internal/policy/semver.go` of image-reflector-controller 1.2.

use std::cmp::Ordering;

use super::choice::{Chosen, KeyVerdict};
use super::parts::{ahead, in_parts};
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

    pub(super) fn choose<K: AsRef<str> + Sync>(&self, keys: &[K], any_order: bool) -> Chosen {
        let parts = in_parts(keys, |start, part| {
            let mut best = Best::default();
            for (place, key) in (start..).zip(ahead(part)) {
                if let Ok(version) = Version::parse(key.as_ref())
                    && self.constraints.check(&version)
                {
                    best.eligible += 1;
                    best.meet(version, [place]);
                }
            }
            best
        });
        let best = parts
            .into_iter()
            .reduce(Best::followed_by)
            .unwrap_or_default();
        // Of equal versions the first that the controller sees stays.
        let first = if any_order { best.places.len() } else { 1 };
        let places: Vec<usize> = best.places.into_iter().take(first).collect();
        if places.is_empty() {
            return Chosen::failed("unable to determine latest version from provided list");
        }
        Chosen {
            eligible: best.eligible,
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

/// The greatest version in a part of a list.
#[derive(Default)]
struct Best<'k> {
    /// How many versions are in the range.
    eligible: usize,
    latest: Option<Version<'k>>,
    /// Where it stands, and all that are equal.
    places: Vec<usize>,
}

impl<'k> Best<'k> {
    fn meet(&mut self, version: Version<'k>, places: impl IntoIterator<Item = usize>) {
        let order = self
            .latest
            .as_ref()
            .map_or(Ordering::Greater, |latest| version.cmp(latest));
        match order {
            Ordering::Less => {}
            Ordering::Equal => self.places.extend(places),
            Ordering::Greater => {
                self.latest = Some(version);
                self.places.clear();
                self.places.extend(places);
            }
        }
    }

    /// The greatest version of this part and of the next.
    fn followed_by(mut self, next: Self) -> Self {
        self.eligible += next.eligible;
        if let Some(version) = next.latest {
            self.meet(version, next.places);
        }
        self
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
