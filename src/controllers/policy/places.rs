//! Mirrors the map of `internal/policy/filter.go` of image-reflector-controller 1.2: the place of each key in a list.
use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};

/// Finds keys of a list that grows.
#[derive(Default)]
pub(super) struct Places {
    /// At the place that a key's hash says or soon after it: a part of the hash, and one more than the key's place in the
    /// list. Half of them at least are empty.
    slots: Vec<(u32, u32)>,
    count: usize,
    hashes: RandomState,
}

/// The number of slots for the first keys; a power of two, as all others.
const FIRST_SLOTS: usize = 64;

impl Places {
    /// Where the key stands in `keys`. If it doesn't, whoever asks puts it at their end, and that place is noted.
    pub(super) fn place(&mut self, key: &str, keys: &[Cow<'_, str>]) -> Option<usize> {
        if 2 * (self.count + 1) > self.slots.len() {
            self.grow(keys);
        }
        let hash = self.hashes.hash_one(key);
        let mut slot = self.first_slot(hash);
        loop {
            match self.slots[slot] {
                (_, 0) => break,
                (part, place) if part == hash as u32 && keys[place as usize - 1] == key => {
                    return Some(place as usize - 1);
                }
                _ => slot = (slot + 1) % self.slots.len(),
            }
        }
        // There is no list of four billion tags.
        let place = u32::try_from(keys.len() + 1).unwrap_or(u32::MAX);
        self.slots[slot] = (hash as u32, place);
        self.count += 1;
        None
    }

    /// The upper part of the hash says where to look, the lower one what to look for.
    fn first_slot(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.slots.len() - 1)
    }

    fn grow(&mut self, keys: &[Cow<'_, str>]) {
        let slots = (4 * self.slots.len()).max(FIRST_SLOTS);
        self.slots = vec![(0, 0); slots];
        for (place, key) in (1..).zip(keys) {
            let hash = self.hashes.hash_one(&**key);
            let mut slot = self.first_slot(hash);
            while self.slots[slot].1 != 0 {
                slot = (slot + 1) % slots;
            }
            self.slots[slot] = (hash as u32, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_one_place() {
        let mut places = Places::default();
        let mut keys: Vec<Cow<'_, str>> = Vec::new();
        for number in 0..10_000 {
            let key = (number % 3_000).to_string();
            let place = places.place(&key, &keys);
            assert_eq!(place, (number >= 3_000).then_some(number % 3_000));
            if place.is_none() {
                keys.push(Cow::Owned(key));
            }
        }
        assert_eq!(keys.len(), 3_000);
    }
}
