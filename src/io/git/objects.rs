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

/// So many are in memory at a time.
const AT_A_TIME: usize = 2000;

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
        let entries = self.entries.iter().map(|(path, entry)| {
            let fact = match entry.kind {
                Kind::File => TreeEntry::File,
                Kind::Submodule => TreeEntry::Submodule,
                Kind::Link => {
                    let target = targets.next().flatten().unwrap_or_default();
                    TreeEntry::Link(String::from_utf8_lossy(&target).into_owned())
                }
            };
            (path, fact)
        });
        Ok(WorkTree {
            entries: entries.collect(),
            unreadable_paths: self.unreadable.clone(),
            ..WorkTree::default()
        })
    }

    /// Reads the files `paths` and keeps those in which `wanted` is true; a file that can't be read keeps its error.
    pub fn read_files(
        &self,
        repository: &PrivateRepository,
        paths: &[&str],
        wanted: fn(&[u8]) -> bool,
    ) -> BTreeMap<String, Result<Vec<u8>, String>> {
        let found = self.visit_files(
            repository,
            paths,
            &|_, read: Result<&[u8], String>| match read {
                Ok(bytes) => wanted(bytes).then(|| Ok(bytes.to_vec())),
                Err(error) => Some(Err(error)),
            },
        );
        let named = |(at, read): (usize, _)| (paths[at].to_owned(), read);
        found.into_iter().map(named).collect()
    }

    /// Looks at the files `paths` and keeps what `look` makes of them, with their numbers in `paths`, in order.
    pub fn visit_files<P: AsRef<str>, T: Send>(
        &self,
        repository: &PrivateRepository,
        paths: &[P],
        look: &(impl Fn(usize, Result<&[u8], String>) -> Option<T> + Sync),
    ) -> Vec<(usize, T)> {
        let processes = if paths.len() < MANY { 1 } else { 2 };
        let share = paths.len().div_ceil(processes).max(1);
        let numbered: Vec<(usize, &str)> = paths.iter().map(AsRef::as_ref).enumerate().collect();
        std::thread::scope(|scope| {
            let handles: Vec<_> = numbered
                .chunks(share)
                .map(|share| scope.spawn(move || self.visit_share(repository, share, look)))
                .collect();
            handles
                .into_iter()
                .flat_map(|handle| {
                    handle
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        })
    }

    fn visit_share<T>(
        &self,
        repository: &PrivateRepository,
        share: &[(usize, &str)],
        look: &impl Fn(usize, Result<&[u8], String>) -> Option<T>,
    ) -> Vec<(usize, T)> {
        let mut kept = Vec::new();
        let mut take = |at: usize, read: Result<&[u8], String>| {
            kept.extend(look(at, read).map(|made| (at, made)));
        };
        let missing = || Err("no such file or directory".to_owned());
        for group in share.chunks(AT_A_TIME) {
            let ids: Vec<Option<&str>> = group.iter().map(|(_, path)| self.file(path)).collect();
            let known: Vec<&str> = ids.iter().flatten().copied().collect();
            let output = blobs(repository, &known).map_err(|error| error.to_string());
            let mut rest = output.as_deref().unwrap_or_default();
            for ((at, _), id) in group.iter().zip(&ids) {
                match (id, &output) {
                    (None, _) => take(*at, missing()),
                    (Some(_), Err(error)) => take(*at, Err(error.clone())),
                    (Some(_), Ok(_)) => match next_blob(&mut rest) {
                        Some(Some(bytes)) => take(*at, Ok(bytes)),
                        Some(None) => take(*at, missing()),
                        None => take(*at, Err("git cat-file ended early".into())),
                    },
                }
            }
        }
        kept.sort_by_key(|(at, _)| *at);
        kept
    }
}

/// The bytes of blobs, in order; `None` for what is no blob of the repository.
fn read_blobs(
    repository: &PrivateRepository,
    ids: &[&str],
) -> Result<Vec<Option<Vec<u8>>>, GitError> {
    let output = blobs(repository, ids)?;
    let mut rest = &output[..];
    ids.iter()
        .map(|_| {
            let blob =
                next_blob(&mut rest).ok_or_else(|| GitError("git cat-file ended early".into()))?;
            Ok(blob.map(<[u8]>::to_vec))
        })
        .collect()
}

/// Git's answers about blobs, one behind the other.
fn blobs(repository: &PrivateRepository, ids: &[&str]) -> Result<Vec<u8>, GitError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let input: Vec<u8> = ids
        .iter()
        .flat_map(|id| id.bytes().chain([b'\n']))
        .collect();
    repository.run(&["cat-file", "--batch", "--buffer"], Some(input))
}

/// One answer: a line `id type size` with the bytes and a line end behind it, or `id missing`.
#[expect(
    clippy::option_option,
    reason = "an answer that is missing is not an answer that something is missing"
)]
pub(super) fn next_blob<'b>(rest: &mut &'b [u8]) -> Option<Option<&'b [u8]>> {
    let end = memchr::memchr(b'\n', rest)?;
    let header = String::from_utf8_lossy(&rest[..end]).into_owned();
    *rest = &rest[end + 1..];
    let mut words = header.split(' ').skip(1);
    let kind = words.next()?;
    let Some(size) = words.next().and_then(|size| size.parse::<usize>().ok()) else {
        return Some(None);
    };
    let bytes = rest.get(..size)?;
    *rest = rest.get(size + 1..)?;
    Some((kind == "blob").then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_one_after_the_other() {
        let mut rest = &b"a blob 3\nx\ny\nb missing\nc tree 0\n\nd blob 0\n\n"[..];
        assert_eq!(next_blob(&mut rest), Some(Some(&b"x\ny"[..])));
        assert_eq!(next_blob(&mut rest), Some(None));
        assert_eq!(next_blob(&mut rest), Some(None));
        assert_eq!(next_blob(&mut rest), Some(Some(&[][..])));
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
