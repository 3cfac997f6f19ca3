//! Mirrors the map of `internal/policy/filter.go` of image-reflector-controller 1.2: the place of each key in a list.

use super::filter::Keyed;

/// Finds keys of a list that grows.
pub(super) struct Places {
    /// At the place that a key's hash says or soon after it: a part of the hash, and one more than the key's place in the
    /// list. Half of them at least are empty.
    slots: Vec<(u32, u32)>,
}

impl Places {
    /// Room for so many keys at most.
    pub(super) fn of(keys: usize) -> Self {
        let slots = (2 * keys).next_power_of_two().max(2);
        Self {
            slots: vec![(0, 0); slots],
        }
    }

    /// Where the key stands in `keys`. If it doesn't, whoever asks puts it at their end, and that place is noted.
    pub(super) fn place(&mut self, keyed: &Keyed<'_>, keys: &[Keyed<'_>]) -> Option<usize> {
        let Keyed { key, hash, .. } = keyed;
        // The upper part of the hash says where to look, the lower one what to look for.
        let mut slot = (hash >> 32) as usize & (self.slots.len() - 1);
        loop {
            match self.slots[slot] {
                (_, 0) => break,
                (part, place) if part == *hash as u32 && keys[place as usize - 1].key == *key => {
                    return Some(place as usize - 1);
                }
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
        // There is no list of four billion tags.
        let place = u32::try_from(keys.len() + 1).unwrap_or(u32::MAX);
        self.slots[slot] = (*hash as u32, place);
        None
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::hash::{BuildHasher as _, RandomState};

    use super::*;

    #[test]
    fn each_key_has_one_place() {
        let all = RandomState::new();
        assert_places(|_| 7);
        assert_places(|key| all.hash_one(key));
    }

    fn assert_places(hash: impl Fn(&str) -> u64) {
        let mut places = Places::of(300);
        let mut keys: Vec<Keyed<'_>> = Vec::new();
        for number in 0..1_000 {
            let key = (number % 300).to_string();
            let keyed = Keyed::new(Cow::Owned(key.clone()), hash(&key), "");
            let place = places.place(&keyed, &keys);
            assert_eq!(place, (number >= 300).then_some(number % 300));
            if place.is_none() {
                keys.push(keyed);
            }
        }
        assert_eq!(keys.len(), 300);
    }
}
