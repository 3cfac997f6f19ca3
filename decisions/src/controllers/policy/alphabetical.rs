//! Mirrors `internal/policy/alphabetical.go` of image-reflector-controller 1.2.

use super::choice::{Chosen, Order};

/// The last key in byte order, or the first.
pub(super) struct Alphabetical {
    pub order: Order,
}

impl Alphabetical {
    pub(super) fn choose<K: AsRef<str>>(&self, keys: &[K]) -> Chosen {
        let places = 0..keys.len();
        let latest = match self.order {
            Order::Ascending => places.max_by_key(|place| keys[*place].as_ref()),
            Order::Descending => places.min_by_key(|place| keys[*place].as_ref()),
        };
        Chosen {
            eligible: keys.len(),
            latest: Ok(latest.into_iter().collect()),
        }
    }
}
