//! The files of a commit of a local repository, laid out in a folder of their own: the blobs' bytes, without any filter.

use std::fs;
use std::io;
use std::path::{Component, Path};

use super::GitError;
use super::objects::next_blob;
use super::work_tree::{failed, git};
use crate::io::temporary::TemporaryFolder;

/// The files of a commit; the folder goes with it.
#[derive(Debug)]
pub struct Revision {
    /// The commit's id.
    pub commit: String,
    folder: TemporaryFolder,
}

impl Revision {
    /// Lays out the commit that `reference` names in the repository at `top`; a file whose path isn't `wanted` is empty. Nothing of
    /// the repository changes, and nothing is fetched.
    ///
    /// # Errors
    ///
    /// There is no such commit, or it can't be read.
    pub fn lay_out(
        top: &Path,
        reference: &str,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Self, GitError> {
        let commit = commit(top, reference)?;
        let folder = TemporaryFolder::create()
            .map_err(|error| GitError(format!("no temporary folder can be made: {error}")))?;
        let entries = entries(top, &commit)?;
        // Links come last: nothing is ever written through one.
        let (links, files): (Vec<&Entry>, Vec<&Entry>) =
            entries.iter().partition(|entry| entry.is_link);
        let (full, empty): (Vec<&Entry>, Vec<&Entry>) =
            files.into_iter().partition(|entry| wanted(&entry.path));
        let at = |entry: &Entry| folder.path().join(&entry.path);
        let cannot = |entry: &Entry, error: &io::Error| {
            GitError(format!(
                "{} of {reference} can't be laid out: {error}",
                entry.path
            ))
        };
        for entry in &empty {
            write(&at(entry), &[]).map_err(|error| cannot(entry, &error))?;
        }
        for (entry, bytes) in full.iter().zip(blobs(top, &full)?) {
            write(&at(entry), &bytes).map_err(|error| cannot(entry, &error))?;
        }
        for (entry, target) in links.iter().zip(blobs(top, &links)?) {
            link(&at(entry), &target).map_err(|error| cannot(entry, &error))?;
        }
        Ok(Self { commit, folder })
    }

    /// Where its files are.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

struct Entry {
    path: String,
    id: String,
    is_link: bool,
}

fn commit(top: &Path, reference: &str) -> Result<String, GitError> {
    let revision = format!("{reference}^{{commit}}");
    let arguments = [
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &revision,
    ];
    let output = git(top, &arguments, None)?;
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.success() && !line.is_empty() {
        return Ok(line);
    }
    Err(GitError(format!(
        "there is no commit {reference:?} in {}: name a branch, a tag or a commit that is there; where only the newest commit was cloned, git fetch brings it",
        top.display()
    )))
}

fn entries(top: &Path, commit: &str) -> Result<Vec<Entry>, GitError> {
    let output = git(top, &["ls-tree", "-r", "-z", "--full-tree", commit], None)?;
    if !output.success() {
        return Err(failed(top, "ls-tree", &output.stderr));
    }
    let records = output.stdout.split(|byte| *byte == 0);
    Ok(records.filter_map(entry).collect())
}

/// `mode type id TAB path`; none for a submodule, and for a path that no work tree could have.
fn entry(record: &[u8]) -> Option<Entry> {
    let (facts, path) = std::str::from_utf8(record).ok()?.split_once('\t')?;
    let mut words = facts.split(' ');
    let (mode, id) = (words.next()?, words.nth(1)?);
    let is_plain = Path::new(path).components().all(|part| match part {
        Component::Normal(name) => !name.eq_ignore_ascii_case(".git"),
        _ => false,
    });
    (is_plain && mode != "160000").then(|| Entry {
        path: path.to_owned(),
        id: id.to_owned(),
        is_link: mode == "120000",
    })
}

fn blobs(top: &Path, entries: &[&Entry]) -> Result<Vec<Vec<u8>>, GitError> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let ids = entries
        .iter()
        .flat_map(|entry| entry.id.bytes().chain([b'\n']));
    let output = git(
        top,
        &["cat-file", "--batch", "--buffer"],
        Some(ids.collect()),
    )?;
    if !output.success() {
        return Err(failed(top, "cat-file", &output.stderr));
    }
    let mut rest = &output.stdout[..];
    let blob = |entry: &&Entry| {
        let found = next_blob(&mut rest).flatten().map(<[u8]>::to_vec);
        found.ok_or_else(|| GitError(format!("{} is not in {}", entry.path, top.display())))
    };
    entries.iter().map(blob).collect()
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}

#[cfg(unix)]
fn link(path: &Path, target: &[u8]) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), path)
}

/// As git does where there are no links.
#[cfg(not(unix))]
fn link(path: &Path, target: &[u8]) -> io::Result<()> {
    write(path, target)
}

#[cfg(test)]
mod tests {
    use super::entry;

    #[test]
    fn only_paths_of_a_work_tree_are_laid_out() {
        assert!(entry(b"100644 blob 1\ta/b.yaml").is_some_and(|entry| !entry.is_link));
        assert!(entry(b"120000 blob 1\ta").is_some_and(|entry| entry.is_link));
        for record in [
            &b"160000 commit 1\ta"[..],
            b"100644 blob 1\t../a",
            b"100644 blob 1\ta/.GIT/config",
            b"100644 blob 1\t/etc/passwd",
            b"",
        ] {
            assert!(
                entry(record).is_none(),
                "{}",
                String::from_utf8_lossy(record)
            );
        }
    }
}
