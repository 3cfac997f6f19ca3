//! The files of a commit, read from the repository itself: their bytes are the blobs' bytes, without any filter.

use std::collections::BTreeMap;

use super::GitError;
use super::private::PrivateRepository;
use crate::facts::git::{TreeEntry, WorkTree};

/// A commit's entries by path.
#[derive(Debug, Default)]
pub(super) struct Listing {
    entries: BTreeMap<String, Entry>,
    unreadable: Vec<String>,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Link,
    Submodule,
}

/// Files from so many on are read by two processes.
const MANY: usize = 500;

impl Listing {
    /// Lists a commit.
    pub fn read(repository: &PrivateRepository, commit: &str) -> Result<Self, GitError> {
        let output = repository.run(&["ls-tree", "-r", "-z", "--full-tree", commit], None)?;
        let mut listing = Self::default();
        for record in output
            .split(|byte| *byte == 0)
            .filter(|record| !record.is_empty())
        {
            listing.add(record);
        }
        Ok(listing)
    }

    /// Adds `mode type id TAB path`.
    fn add(&mut self, record: &[u8]) {
        let mut halves = record.splitn(2, |byte| *byte == b'\t');
        let facts = String::from_utf8_lossy(halves.next().unwrap_or_default()).into_owned();
        let path = halves.next().unwrap_or_default();
        let mut words = facts.split(' ');
        let kind = match words.next() {
            Some("120000") => Kind::Link,
            Some("160000") => Kind::Submodule,
            _ => Kind::File,
        };
        let id = words.nth(1).unwrap_or_default().to_owned();
        match std::str::from_utf8(path) {
            Ok(path) => drop(self.entries.insert(path.to_owned(), Entry { kind, id })),
            Err(_) => self
                .unreadable
                .push(String::from_utf8_lossy(path).into_owned()),
        }
    }

    /// Every path, and whether it is a link.
    pub fn paths(&self) -> impl Iterator<Item = (&str, bool)> {
        let entries = self.entries.iter();
        entries.map(|(path, entry)| (path.as_str(), entry.kind == Kind::Link))
    }

    /// Whether there is an entry at `path`.
    pub fn has(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// The id of the ordinary file at `path`.
    fn file(&self, path: &str) -> Option<&str> {
        let entry = self.entries.get(path)?;
        (entry.kind == Kind::File).then_some(entry.id.as_str())
    }

    /// The same as facts; reads where links point.
    pub fn tree(&self, repository: &PrivateRepository) -> Result<WorkTree, GitError> {
        let links: Vec<&str> = self
            .entries
            .values()
            .filter(|entry| entry.kind == Kind::Link)
            .map(|entry| entry.id.as_str())
            .collect();
        let mut targets = read_blobs(repository, &links)?.into_iter();
        let mut tree = WorkTree {
            unreadable_paths: self.unreadable.clone(),
            ..WorkTree::default()
        };
        for (path, entry) in &self.entries {
            let fact = match entry.kind {
                Kind::File => TreeEntry::File,
                Kind::Submodule => TreeEntry::Submodule,
                Kind::Link => {
                    let target = targets.next().flatten().unwrap_or_default();
                    TreeEntry::Link(String::from_utf8_lossy(&target).into_owned())
                }
            };
            tree.entries.insert(path.clone(), fact);
        }
        Ok(tree)
    }

    /// Reads the files `paths` and keeps those in which `wanted` is true; a file that can't be read keeps its error.
    pub fn read_files(
        &self,
        repository: &PrivateRepository,
        paths: &[&str],
        wanted: fn(&[u8]) -> bool,
    ) -> BTreeMap<String, Result<Vec<u8>, String>> {
        let processes = if paths.len() < MANY { 1 } else { 2 };
        let share = paths.len().div_ceil(processes).max(1);
        std::thread::scope(|scope| {
            let handles: Vec<_> = paths
                .chunks(share)
                .map(|share| scope.spawn(move || self.read_share(repository, share, wanted)))
                .collect();
            handles
                .into_iter()
                .flat_map(|handle| handle.join().unwrap_or_default())
                .collect()
        })
    }

    fn read_share(
        &self,
        repository: &PrivateRepository,
        paths: &[&str],
        wanted: fn(&[u8]) -> bool,
    ) -> Vec<(String, Result<Vec<u8>, String>)> {
        let (known, unknown): (Vec<&str>, Vec<&str>) =
            paths.iter().partition(|path| self.file(path).is_some());
        let missing = |path: &str| (path.to_owned(), Err("no such file or directory".to_owned()));
        let mut found: Vec<_> = unknown.into_iter().map(missing).collect();
        let ids: Vec<&str> = known.iter().filter_map(|path| self.file(path)).collect();
        match read_blobs(repository, &ids) {
            Ok(blobs) => found.extend(known.iter().zip(blobs).filter_map(
                |(path, blob)| match blob {
                    Some(bytes) if wanted(&bytes) => Some(((*path).to_owned(), Ok(bytes))),
                    Some(_) => None,
                    None => Some(missing(path)),
                },
            )),
            Err(error) => {
                let failed = |path: &&str| ((*path).to_owned(), Err(error.to_string()));
                found.extend(known.iter().map(failed));
            }
        }
        found
    }
}

/// The bytes of blobs, in order; `None` for what is no blob of the repository.
fn read_blobs(
    repository: &PrivateRepository,
    ids: &[&str],
) -> Result<Vec<Option<Vec<u8>>>, GitError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let input: Vec<u8> = ids
        .iter()
        .flat_map(|id| id.bytes().chain([b'\n']))
        .collect();
    let output = repository.run(&["cat-file", "--batch", "--buffer"], Some(input))?;
    let mut rest = &output[..];
    ids.iter()
        .map(|_| next_blob(&mut rest).ok_or_else(|| GitError("git cat-file ended early".into())))
        .collect()
}

/// One answer: a line `id type size` with the bytes and a line end behind it, or `id missing`.
#[expect(
    clippy::option_option,
    reason = "an answer that is missing is not an answer that something is missing"
)]
fn next_blob(rest: &mut &[u8]) -> Option<Option<Vec<u8>>> {
    let end = memchr::memchr(b'\n', rest)?;
    let header = String::from_utf8_lossy(&rest[..end]).into_owned();
    *rest = &rest[end + 1..];
    let mut words = header.split(' ').skip(1);
    let kind = words.next()?;
    let Some(size) = words.next().and_then(|size| size.parse::<usize>().ok()) else {
        return Some(None);
    };
    let bytes = rest.get(..size)?.to_vec();
    *rest = rest.get(size + 1..)?;
    Some((kind == "blob").then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_one_after_the_other() {
        let mut rest = &b"a blob 3\nx\ny\nb missing\nc tree 0\n\nd blob 0\n\n"[..];
        assert_eq!(next_blob(&mut rest), Some(Some(b"x\ny".to_vec())));
        assert_eq!(next_blob(&mut rest), Some(None));
        assert_eq!(next_blob(&mut rest), Some(None));
        assert_eq!(next_blob(&mut rest), Some(Some(Vec::new())));
        assert_eq!(next_blob(&mut rest), None);
    }

    #[test]
    fn modes_tell_files_links_and_submodules() {
        let mut listing = Listing::default();
        listing.add(b"100755 blob 1\ta b\tc");
        listing.add(b"120000 blob 2\tl");
        listing.add(b"160000 commit 3\ts");
        listing.add(b"100644 blob 4\t\xff");
        assert_eq!(listing.file("a b\tc"), Some("1"));
        assert_eq!(listing.file("l"), None);
        assert!(listing.has("s") && !listing.has("x"));
        assert_eq!(listing.unreadable, ["\u{fffd}"]);
    }
}
