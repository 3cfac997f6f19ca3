//! The entries of a tree, held so that each costs little more than its path: repositories have hundreds of thousands.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;

use foldhash::fast::RandomState;

use super::TreeEntry;

/// Entries by path, in the order of Go's `filepath.Walk`: names are compared folder by folder, so that `a/b` comes before `a.yaml`, and
/// what is below a folder stands together. Each has a number in that order.
#[derive(Clone, Default)]
pub struct Entries {
    /// The folders, each once, in no order; the top is empty.
    folders: Vec<Box<str>>,
    /// The names in them, one behind the other, in no order.
    names: String,
    /// Where each entry stands, in the order of their paths.
    places: Vec<Place>,
    /// What is no ordinary file, by the start of its name.
    others: BTreeMap<u32, TreeEntry>,
}

#[derive(Clone, Copy)]
struct Place {
    folder: u32,
    start: u32,
    length: u32,
}

/// A path in two parts: the folder, and the name in it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Parted<'a> {
    folder: &'a str,
    name: &'a str,
}

impl<'a> Parted<'a> {
    fn new(path: &'a str) -> Self {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Self { folder, name }
    }

    fn bytes(self) -> impl Iterator<Item = u8> {
        let slash = if self.folder.is_empty() { "" } else { "/" };
        let parts = [self.folder, slash, self.name];
        parts.into_iter().flat_map(str::bytes)
    }

    /// The order of the entries.
    fn walk_order(self, other: Self) -> Ordering {
        if self.folder == other.folder {
            return self.name.cmp(other.name);
        }
        // The end of a name comes before whatever goes on.
        let rank = |byte: u8| (byte != b'/', byte);
        let mut folders = self.folder.bytes().zip(other.folder.bytes());
        match folders.find(|(left, right)| left != right) {
            Some((left, right)) => rank(left).cmp(&rank(right)),
            None => self.bytes().map(rank).cmp(other.bytes().map(rank)),
        }
    }

    fn joined(self) -> String {
        if self.folder.is_empty() {
            return self.name.to_owned();
        }
        [self.folder, "/", self.name].concat()
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

    /// The number of the entry at `path`.
    pub fn find(&self, path: &str) -> Option<usize> {
        let wanted = Parted::new(path);
        let order = |place: &Place| self.parted(*place).walk_order(wanted);
        self.places.binary_search_by(order).ok()
    }

    /// What stands at `path`.
    pub fn get(&self, path: &str) -> Option<&TreeEntry> {
        self.find(path).map(|number| self.entry(number))
    }

    /// Whether something stands at `path`.
    pub fn has(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    /// The entry with this number.
    pub fn entry(&self, number: usize) -> &TreeEntry {
        // Most trees have nothing else.
        if self.others.is_empty() {
            return &TreeEntry::File;
        }
        let start = &self.places[number].start;
        self.others.get(start).unwrap_or(&TreeEntry::File)
    }

    /// The path of the entry with this number.
    pub fn path(&self, number: usize) -> String {
        self.parted(self.places[number]).joined()
    }

    /// The folder of the entry with this number; the top is empty.
    pub fn folder(&self, number: usize) -> &str {
        self.parted(self.places[number]).folder
    }

    /// The name of the entry with this number in its folder.
    pub fn name(&self, number: usize) -> &str {
        self.parted(self.places[number]).name
    }

    /// Paths and entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = (String, &TreeEntry)> {
        (0..self.len()).map(|number| (self.path(number), self.entry(number)))
    }

    /// The paths, in order.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        (0..self.len()).map(|number| self.path(number))
    }

    /// The paths of ordinary files, in order.
    pub fn files(&self) -> impl Iterator<Item = String> {
        let files = (0..self.len()).filter(|number| *self.entry(*number) == TreeEntry::File);
        files.map(|number| self.path(number))
    }

    /// The numbers of the entries below a folder; the empty path is the top.
    pub fn below(&self, folder: &str) -> Range<usize> {
        if folder.is_empty() {
            return 0..self.len();
        }
        let itself = Parted::new(folder);
        let order = |place: &Place| {
            let here = self.parted(*place);
            match here.folder.strip_prefix(folder) {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => Ordering::Equal,
                // The folder's own name, if there is one, comes before what is below it.
                _ if here == itself => Ordering::Less,
                _ => here.walk_order(itself),
            }
        };
        let start = self.places.partition_point(|place| order(place).is_lt());
        let end = self.places.partition_point(|place| order(place).is_le());
        start..end
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

    fn parted(&self, place: Place) -> Parted<'_> {
        parted(&self.folders, &self.names, place)
    }

    /// Of several entries with one path the last counts.
    fn put_in_order(&mut self) {
        let path = |place: &Place| parted(&self.folders, &self.names, *place);
        // Git's own order is nearly this one, and the sort is quick where something is in order already.
        self.places
            .sort_by(|left, right| path(left).walk_order(path(right)));
        self.places.dedup_by(|later, earlier| {
            let same = path(later) == path(earlier);
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
    }
}

fn parted<'a>(folders: &'a [Box<str>], names: &'a str, place: Place) -> Parted<'a> {
    let start = place.start as usize;
    Parted {
        folder: &folders[place.folder as usize],
        name: &names[start..start + place.length as usize],
    }
}

/// Entries of which more may come, and which are not in order yet.
#[derive(Debug, Default)]
pub struct Unordered {
    entries: Entries,
    /// The numbers of the folders.
    folders: HashMap<Box<str>, u32, RandomState>,
}

impl Unordered {
    /// Adds an entry.
    pub fn push(&mut self, path: &str, entry: TreeEntry) {
        let Parted { folder, name } = Parted::new(path);
        let sizes = [self.entries.names.len(), name.len(), self.folders.len()];
        // Git's own lists end long before four gigabytes of names.
        let [Ok(start), Ok(length), Ok(next)] = sizes.map(u32::try_from) else {
            return;
        };
        let folder = match self.folder_of_last(folder) {
            Some(number) => number,
            None => self.folder(folder, next),
        };
        self.entries.names.push_str(name);
        self.entries.places.push(Place {
            folder,
            start,
            length,
        });
        if entry != TreeEntry::File {
            self.entries.others.insert(start, entry);
        }
    }

    /// The number of a folder, where it is that of the entry before.
    fn folder_of_last(&self, folder: &str) -> Option<u32> {
        let last = self.entries.places.last()?.folder;
        (*self.entries.folders[last as usize] == *folder).then_some(last)
    }

    /// The number of a folder, which is `next` if it is new.
    fn folder(&mut self, folder: &str, next: u32) -> u32 {
        if let Some(number) = self.folders.get(folder) {
            return *number;
        }
        self.folders.insert(folder.into(), next);
        self.entries.folders.push(folder.into());
        next
    }

    /// All of them, in order; of several with one path the last.
    pub fn in_order(self) -> Entries {
        let mut entries = self.entries;
        entries.put_in_order();
        entries
    }
}

impl<P: AsRef<str>> Extend<(P, TreeEntry)> for Entries {
    fn extend<I: IntoIterator<Item = (P, TreeEntry)>>(&mut self, more: I) {
        let mut more = more.into_iter().peekable();
        if more.peek().is_none() {
            return;
        }
        let entries = std::mem::take(self);
        let folders = entries.folders.iter().cloned().zip(0..).collect();
        let mut all = Unordered { entries, folders };
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
            paths.extend(parts.map(|other| format!("a/{one}/{other}")));
        }
        for left in &paths {
            for right in &paths {
                let by_names = left.split('/').cmp(right.split('/'));
                let found = Parted::new(left).walk_order(Parted::new(right));
                assert_eq!(found, by_names, "{left} {right}");
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
                ("a".to_owned(), &TreeEntry::Submodule),
                ("b".to_owned(), &TreeEntry::File),
                ("c".to_owned(), &TreeEntry::File)
            ]
        );
        assert_eq!(entries.get("a"), Some(&TreeEntry::Submodule));
        assert_eq!(entries.get("d"), None);
    }

    #[test]
    fn what_is_below_a_folder_stands_together() {
        let entries = files(&["a", "a.b/c", "a/b", "a/c/d", "a0", "ab/c", "a-/b", "c/a/x"]);
        let below = |folder| {
            let numbers = entries.below(folder);
            numbers
                .map(|number| entries.path(number))
                .collect::<Vec<_>>()
        };
        assert_eq!(below("a"), ["a/b", "a/c/d"]);
        assert_eq!(below("a/c"), ["a/c/d"]);
        assert_eq!(below("a/b"), [""; 0]);
        assert_eq!(below("b"), [""; 0]);
        assert_eq!(below("c"), ["c/a/x"]);
        assert_eq!(below("").len(), 8);
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
