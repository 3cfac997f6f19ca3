//! Objects of a commit, written into a repository: nothing is checked out, and no hook, attribute or filter has a say in a byte of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::GitError;
use super::clone::Clone;
use super::private::{finished, on, started};
use super::remote::respect;
use crate::controllers::commit::Commit;
use crate::facts::git::CommitFacts;

/// A file that a commit changes or adds.
#[derive(Clone, Copy, Debug)]
pub struct NewFile<'a> {
    /// Its path from the repository's top.
    pub path: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A file as a tree holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub mode: String,
    pub id: String,
    pub path: String,
}

impl Entry {
    /// The line that `git update-index --index-info` reads.
    pub fn line(&self) -> Vec<u8> {
        format!("{} {}\t{}\0", self.mode, self.id, self.path).into_bytes()
    }
}

/// A repository that objects are written to.
pub(super) struct Writer<'a> {
    /// A command of git on it, not yet run.
    pub command: &'a dyn Fn(&[&str]) -> Command,
    /// Where temporary files go.
    pub folder: &'a Path,
}

/// The mode of a file that was not there before.
const ORDINARY: &str = "100644";

impl Writer<'_> {
    /// Writes the tree that has these files and all else as the commit `base` has it: its id, and the entries that are new.
    ///
    /// A file that was there keeps its mode.
    pub fn tree(
        &self,
        base: &str,
        files: &[NewFile<'_>],
    ) -> Result<(String, Vec<Entry>), GitError> {
        let ids = self.blobs(files)?;
        let folder = tempfile::tempdir_in(self.folder).map_err(|error| no_folder(&error))?;
        let index = folder.path().join("index");
        let run = |arguments: &[&str], input: Option<Vec<u8>>| {
            let mut command = (self.command)(arguments);
            command.env("GIT_INDEX_FILE", &index);
            finished(&mut command, arguments[0], input).map(|output| output.stdout)
        };
        run(&["read-tree", base], None)?;
        let modes = modes(&run(&["ls-files", "-s", "-z"], None)?);
        let entries: Vec<Entry> = files
            .iter()
            .zip(ids)
            .map(|(file, id)| Entry {
                mode: modes
                    .get(file.path)
                    .map_or(ORDINARY, String::as_str)
                    .to_owned(),
                id,
                path: file.path.to_owned(),
            })
            .collect();
        let lines = entries.iter().flat_map(Entry::line).collect();
        run(&["update-index", "-z", "--index-info"], Some(lines))?;
        let tree = line(&run(&["write-tree"], None)?, "write-tree")?;
        Ok((tree, entries))
    }

    /// Writes a commit, given as git stores it, and gives its id.
    pub fn commit(&self, bytes: Vec<u8>) -> Result<String, GitError> {
        // The controller writes what it is given; git would have its own opinion of names and messages.
        let arguments = [
            "hash-object",
            "-w",
            "-t",
            "commit",
            "--literally",
            "--stdin",
        ];
        let output = finished(&mut (self.command)(&arguments), "hash-object", Some(bytes))?;
        line(&output.stdout, "hash-object")
    }

    /// Writes the files as blobs with one process, and gives their ids in order.
    fn blobs(&self, files: &[NewFile<'_>]) -> Result<Vec<String>, GitError> {
        let folder = tempfile::tempdir_in(self.folder).map_err(|error| no_folder(&error))?;
        let mut names = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let place = folder.path().join(index.to_string());
            fs::write(&place, file.bytes).map_err(|error| {
                GitError(format!("{} can't be written: {error}", place.display()))
            })?;
            names.extend(format!("{}\n", place.display()).bytes());
        }
        let arguments = ["hash-object", "-w", "--no-filters", "--stdin-paths"];
        let output = started(&mut (self.command)(&arguments), "hash-object", Some(names))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let ids: Vec<String> = text.lines().map(str::to_owned).collect();
        if output.success() && ids.len() == files.len() {
            return Ok(ids);
        }
        Err(GitError(format!(
            "git hash-object failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )))
    }
}

/// Writes a commit that the user's own git signs, as its configuration says; `git` is git on the repository.
pub(super) fn commit_as_user(
    git: &dyn Fn() -> Command,
    commit: &Commit,
) -> Result<String, GitError> {
    let mut command = git();
    let time = format!("{} +0000", commit.seconds.max(0));
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), &commit.author.name)
            .env(format!("GIT_{role}_EMAIL"), &commit.author.email)
            .env(format!("GIT_{role}_DATE"), &time);
    }
    command.args([
        "-c",
        "i18n.commitEncoding=UTF-8",
        "commit-tree",
        "-S",
        "-p",
        &commit.parent,
        &commit.tree,
    ]);
    let output = started(&mut command, "commit-tree", Some(commit.message.clone()))?;
    if output.success() {
        let id = line(&output.stdout, "commit-tree")?;
        let mut command = git();
        command.args(["cat-file", "commit", &id]);
        let bytes = finished(&mut command, "cat-file", None)?.stdout;
        return check_words(&id, &bytes, commit).map(|()| id);
    }
    let words = String::from_utf8_lossy(&output.stderr)
        .trim()
        .replace('\n', "; ");
    Err(GitError(format!(
        "your own git does not sign ({words}): look at user.signingKey and gpg.format of your git configuration, or leave out --sign user"
    )))
}

/// Git leaves out of names what it holds to be crud, and the automation doesn't.
fn check_words(id: &str, bytes: &[u8], wanted: &Commit) -> Result<(), GitError> {
    let author = format!("{} <{}>", wanted.author.name, wanted.author.email);
    let facts = CommitFacts::parse(id, bytes).unwrap_or_default();
    if facts.author == author && facts.committer == author && facts.message == wanted.message {
        return Ok(());
    }
    Err(GitError(format!(
        "your own git would write the author {author} as {}, or the message otherwise: give another with --author, or leave out --sign user",
        facts.author
    )))
}

impl Clone {
    fn writer<T>(&self, write: impl FnOnce(&Writer<'_>) -> T) -> T {
        let command = |arguments: &[&str]| self.repository.command(arguments);
        write(&Writer {
            command: &command,
            folder: self.repository.path(),
        })
    }

    /// Writes the tree that has these files and all else as the commit that was rewritten has it; gives its id.
    ///
    /// A file that was there keeps its mode.
    ///
    /// # Errors
    ///
    /// Git can't write to the clone: the disk may be full.
    pub fn write_tree(&self, files: &[NewFile<'_>]) -> Result<String, GitError> {
        self.writer(|writer| writer.tree(&self.head_commit, files))
            .map(|(tree, _)| tree)
    }

    /// Writes a commit, given as git stores it, and gives its id.
    ///
    /// # Errors
    ///
    /// Git can't write to the clone: the disk may be full.
    pub fn write_commit(&self, bytes: Vec<u8>) -> Result<String, GitError> {
        self.writer(|writer| writer.commit(bytes))
    }

    /// Writes a commit that the user's own git signs, as its configuration says; gives its id.
    ///
    /// # Errors
    ///
    /// It doesn't sign.
    pub fn commit_as_user(&self, commit: &Commit) -> Result<String, GitError> {
        let git = || {
            let mut command = on(&self.repository.main());
            respect(&mut command);
            command
        };
        commit_as_user(&git, commit)
    }
}

fn no_folder(error: &std::io::Error) -> GitError {
    GitError(format!("no temporary folder can be made: {error}"))
}

/// Paths with their modes, from `git ls-files -s -z`.
fn modes(listing: &[u8]) -> BTreeMap<String, String> {
    let records = listing.split(|byte| *byte == 0);
    records
        .filter_map(|record| {
            let text = std::str::from_utf8(record).ok()?;
            let (facts, path) = text.split_once('\t')?;
            let mode = facts.split(' ').next()?;
            // What is no ordinary file is never written to.
            mode.starts_with("100")
                .then(|| (path.to_owned(), mode.to_owned()))
        })
        .collect()
}

/// The one line that a command says.
fn line(output: &[u8], command: &str) -> Result<String, GitError> {
    let text = String::from_utf8_lossy(output).trim().to_owned();
    if text.is_empty() {
        return Err(GitError(format!("git {command} gave no id")));
    }
    Ok(text)
}
