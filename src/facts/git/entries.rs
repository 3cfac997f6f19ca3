//! The entries of a tree, held so that each costs little more than its path: repositories have hundreds of thousands.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use super::TreeEntry;

/// Entries by path, in the order of Go's `filepath.Walk`: names are compared folder by folder, so that `a/b` comes before `a.yaml`, and
/// what is below a folder stands together.
#[derive(Clone, Default)]
pub struct Entries {
    /// The paths, one behind the other, in no order.
    text: String,
    /// Where each path stands in it, in the order of the paths.
    places: Vec<Place>,
    /// What is no ordinary file, by the start of its path in the text.
    others: BTreeMap<usize, TreeEntry>,
}

#[derive(Clone, Copy)]
struct Place {
    start: usize,
    length: usize,
}

/// The order of the entries.
fn walk_order(left: &str, right: &str) -> Ordering {
    // The end of a name comes before whatever goes on.
    let rank = |byte: u8| (byte != b'/', byte);
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut both = left.iter().zip(right);
    match both.find(|(left, right)| left != right) {
        Some((left, right)) => rank(*left).cmp(&rank(*right)),
        None => left.len().cmp(&right.len()),
    }
}

impl Entries {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What stands at `path`.
    pub fn get(&self, path: &str) -> Option<&TreeEntry> {
        self.find(path).map(|(_, entry)| entry)
    }

    /// The same with the path as it is held here.
    pub fn find(&self, path: &str) -> Option<(&str, &TreeEntry)> {
        let order = |place: &Place| walk_order(self.path(*place), path);
        let found = self.places.binary_search_by(order).ok()?;
        let place = self.places[found];
        Some((self.path(place), self.entry(place)))
    }

    /// Whether something stands at `path`.
    pub fn has(&self, path: &str) -> bool {
        self.get(path).is_some()
    }

    /// Paths and entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TreeEntry)> {
        self.within(0..self.len())
    }

    /// The paths, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|place| self.path(*place))
    }

    /// The paths of ordinary files, in order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let files = self.iter().filter(|(_, entry)| **entry == TreeEntry::File);
        files.map(|(path, _)| path)
    }

    /// The numbers of the entries below a folder; the empty path is the top.
    pub fn below(&self, folder: &str) -> Range<usize> {
        if folder.is_empty() {
            return 0..self.len();
        }
        let order = |place: &Place| {
            let path = self.path(*place);
            match path.strip_prefix(folder) {
                Some(rest) if rest.starts_with('/') => Ordering::Equal,
                // The folder's own name, if there is one, comes before what is below it.
                Some("") => Ordering::Less,
                _ => walk_order(path, folder),
            }
        };
        let start = self.places.partition_point(|place| order(place).is_lt());
        let end = self.places.partition_point(|place| order(place).is_le());
        start..end
    }

    /// The entries with these numbers.
    pub fn within(&self, numbers: Range<usize>) -> impl Iterator<Item = (&str, &TreeEntry)> {
        let places = self.places[numbers].iter();
        places.map(|place| (self.path(*place), self.entry(*place)))
    }

    /// Puts `entry` in the place of the one with this number.
    pub fn replace(&mut self, number: usize, entry: TreeEntry) {
        let start = self.places[number].start;
        if entry == TreeEntry::File {
            self.others.remove(&start);
        } else {
            self.others.insert(start, entry);
        }
    }

    /// Takes out the entries for whose numbers `is_kept` is not true.
    pub fn retain(&mut self, mut is_kept: impl FnMut(usize) -> bool) {
        let mut number = 0;
        let others = &mut self.others;
        self.places.retain(|place| {
            let kept = is_kept(number);
            number += 1;
            if !kept {
                others.remove(&place.start);
            }
            kept
        });
    }

    fn path(&self, place: Place) -> &str {
        &self.text[place.start..place.start + place.length]
    }

    fn entry(&self, place: Place) -> &TreeEntry {
        // Most trees have none.
        if self.others.is_empty() {
            return &TreeEntry::File;
        }
        self.others.get(&place.start).unwrap_or(&TreeEntry::File)
    }

    /// Of several entries with one path the last counts.
    fn put_in_order(&mut self) {
        let text = &self.text;
        let path = |place: &Place| &text[place.start..place.start + place.length];
        // Git's own order is nearly this one, and the sort is quick where something is in order already.
        self.places
            .sort_by(|left, right| walk_order(path(left), path(right)));
        self.places.dedup_by(|later, earlier| {
            let same = path(later) == path(earlier);
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
    }
}

/// Entries of which more may come, and which are not in order yet.
#[derive(Debug, Default)]
pub struct Unordered(Entries);

impl Unordered {
    /// Adds an entry.
    pub fn push(&mut self, path: &str, entry: TreeEntry) {
        let Entries {
            text,
            places,
            others,
        } = &mut self.0;
        let start = text.len();
        text.push_str(path);
        places.push(Place {
            start,
            length: path.len(),
        });
        if entry != TreeEntry::File {
            others.insert(start, entry);
        }
    }

    /// All of them, in order; of several with one path the last.
    pub fn in_order(mut self) -> Entries {
        self.0.put_in_order();
        self.0
    }
}

impl<P: AsRef<str>> Extend<(P, TreeEntry)> for Entries {
    fn extend<I: IntoIterator<Item = (P, TreeEntry)>>(&mut self, entries: I) {
        let mut more = entries.into_iter().peekable();
        if more.peek().is_none() {
            return;
        }
        let mut all = Unordered(std::mem::take(self));
        for (path, entry) in more {
            all.push(path.as_ref(), entry);
        }
        *self = all.in_order();
    }
}

impl<P: AsRef<str>> FromIterator<(P, TreeEntry)> for Entries {
    fn from_iter<I: IntoIterator<Item = (P, TreeEntry)>>(entries: I) -> Self {
        let mut made = Self::default();
        made.extend(entries);
        made
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Entries {}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(target: &str) -> TreeEntry {
        TreeEntry::Link(target.to_owned())
    }

    fn entries(given: &[(&str, TreeEntry)]) -> Entries {
        given
            .iter()
            .map(|(path, entry)| (*path, entry.clone()))
            .collect()
    }

    fn files(paths: &[&str]) -> Entries {
        paths.iter().map(|path| (path, TreeEntry::File)).collect()
    }

    #[test]
    fn the_order_is_that_of_lists_of_names() {
        let parts = ["a", "a.b", "a-b", "a b", "ab", "A", "é", "a0"];
        let mut paths: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        for one in parts {
            paths.extend(parts.map(|other| format!("{one}/{other}")));
        }
        for left in &paths {
            for right in &paths {
                let by_names = left.split('/').cmp(right.split('/'));
                assert_eq!(walk_order(left, right), by_names, "{left} {right}");
            }
        }
    }

    #[test]
    fn the_last_of_several_entries_counts() {
        let given = [
            ("b", TreeEntry::File),
            ("a", link("b")),
            ("a", TreeEntry::File),
            ("a", TreeEntry::Submodule),
            ("c", link("x")),
            ("c", TreeEntry::File),
        ];
        let entries = entries(&given);
        let found: Vec<_> = entries.iter().collect();
        assert_eq!(
            found,
            [
                ("a", &TreeEntry::Submodule),
                ("b", &TreeEntry::File),
                ("c", &TreeEntry::File)
            ]
        );
        assert_eq!(entries.get("a"), Some(&TreeEntry::Submodule));
        assert_eq!(entries.get("d"), None);
    }

    #[test]
    fn what_is_below_a_folder_stands_together() {
        let entries = files(&["a", "a.b/c", "a/b", "a/c/d", "a0", "ab/c", "a-/b"]);
        let below = |folder| {
            let numbers = entries.below(folder);
            entries
                .within(numbers)
                .map(|(path, _)| path)
                .collect::<Vec<_>>()
        };
        assert_eq!(below("a"), ["a/b", "a/c/d"]);
        assert_eq!(below("a/c"), ["a/c/d"]);
        assert_eq!(below("a/b"), [""; 0]);
        assert_eq!(below("b"), [""; 0]);
        assert_eq!(below("").len(), 7);
    }

    #[test]
    fn entries_are_replaced_and_taken_out() {
        let mut entries = files(&["a", "b", "c"]);
        entries.replace(1, link("a"));
        entries.replace(2, TreeEntry::Submodule);
        entries.retain(|number| number == 1);
        assert_eq!(entries, self::entries(&[("b", link("a"))]));
        entries.extend([("c", TreeEntry::File)]);
        assert_eq!(entries.get("c"), Some(&TreeEntry::File));
        assert_eq!(entries.files().collect::<Vec<_>>(), ["c"]);
    }
}
