//! Mirrors `internal/policy/numerical.go` of image-reflector-controller 1.2.

use super::choice::{Chosen, KeyVerdict, Order};
use super::parts::{ahead, in_parts};
use crate::go::number::parse_float;

/// A Go map of so many keys gives them in the order in which they came, from a random beginning and around; of more, in
/// any order.
const SMALL_MAP: usize = 8;

/// The greatest number, or the smallest.
pub(super) struct Numerical {
    pub order: Order,
}

impl Numerical {
    pub(super) fn choose<K: AsRef<str> + Sync>(&self, keys: &[K], any_order: bool) -> Chosen {
        let parts = in_parts(keys, |_, part| {
            let numbers = ahead(part).map(|key| parse_float(key.as_ref()).ok());
            numbers.flatten().collect::<Vec<f64>>()
        });
        let numbers = parts.concat();
        let latest = if numbers.len() < keys.len() {
            // The first bad key that the controller sees ends the run.
            let bad = keys
                .iter()
                .map(AsRef::as_ref)
                .filter(|key| parse_float(key).is_err())
                .map(|key| format!("failed to parse invalid numeric value '{key}'"));
            Err(if any_order {
                bad.collect()
            } else {
                bad.take(1).collect()
            })
        } else if any_order {
            Ok(self.any_of(&numbers))
        } else {
            Ok(vec![self.last_of(&numbers)])
        };
        Chosen {
            eligible: numbers.len(),
            latest,
        }
    }

    pub(super) fn judge(key: &str) -> KeyVerdict {
        match parse_float(key) {
            Ok(_) => KeyVerdict::Eligible,
            Err(error) => KeyVerdict::NotANumber(error.kind.to_string()),
        }
    }

    /// Whether the controller keeps `latest` when it comes to `next`; never where one of them is no number (NaN).
    fn keeps(&self, latest: f64, next: f64) -> bool {
        match self.order {
            Order::Ascending => next < latest,
            Order::Descending => next > latest,
        }
    }

    /// The place where a run over the numbers in this order ends.
    fn last_of(&self, numbers: &[f64]) -> usize {
        self.last_from(numbers, 0)
    }

    /// The place where a run ends that begins at a place and goes around.
    fn last_from(&self, numbers: &[f64], beginning: usize) -> usize {
        let mut latest = beginning;
        for place in (beginning + 1..numbers.len()).chain(0..beginning) {
            if !self.keeps(numbers[latest], numbers[place]) {
                latest = place;
            }
        }
        latest
    }

    /// The places where runs over the numbers end, in all orders that a Go map can give.
    fn any_of(&self, numbers: &[f64]) -> Vec<usize> {
        let places = 0..numbers.len();
        if numbers.len() <= SMALL_MAP {
            let mut ends: Vec<usize> = places.map(|place| self.last_from(numbers, place)).collect();
            ends.sort_unstable();
            ends.dedup();
            return ends;
        }
        if numbers.iter().any(|number| number.is_nan()) {
            // A NaN replaces everything and is replaced by whatever follows it, which may be any one number.
            return places.collect();
        }
        let best = numbers[self.last_of(numbers)];
        places.filter(|place| numbers[*place] == best).collect()
    }
}
