//! Objects of a commit, written into a clone: nothing is checked out, and no hook, attribute or filter has a say in a byte of it.

use std::fs;

use super::GitError;
use super::clone::Clone;
use super::private::{finished, on, started};
use super::remote::respect;
use crate::controllers::commit::Commit;

/// A file that a commit changes or adds.
#[derive(Clone, Copy, Debug)]
pub struct NewFile<'a> {
    /// Its path from the repository's top.
    pub path: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// The mode of a file that was not there before.
const ORDINARY: &str = "100644";

impl Clone {
    /// Writes the tree that has these files and all else as the commit that was rewritten has it; gives its id.
    ///
    /// A file that was there keeps its mode.
    ///
    /// # Errors
    ///
    /// Git can't write to the clone: the disk may be full.
    pub fn write_tree(&self, files: &[NewFile<'_>]) -> Result<String, GitError> {
        let ids = self.write_blobs(files)?;
        let folder = tempfile::tempdir_in(self.repository.path())
            .map_err(|error| GitError(format!("no temporary folder can be made: {error}")))?;
        let index = folder.path().join("index");
        let run = |arguments: &[&str], input: Option<Vec<u8>>| {
            let mut command = self.repository.command(arguments);
            command.env("GIT_INDEX_FILE", &index);
            finished(&mut command, arguments[0], input).map(|output| output.stdout)
        };
        run(&["read-tree", &self.head_commit], None)?;
        let mut entries = Vec::new();
        for (file, id) in files.iter().zip(&ids) {
            let mode = self.listing.file_mode(file.path).unwrap_or(ORDINARY);
            entries.extend(format!("{mode} {id}\t{}\0", file.path).bytes());
        }
        run(&["update-index", "-z", "--index-info"], Some(entries))?;
        line(&run(&["write-tree"], None)?, "write-tree")
    }

    /// Writes a commit, given as git stores it, and gives its id.
    ///
    /// # Errors
    ///
    /// Git can't write to the clone: the disk may be full.
    pub fn write_commit(&self, bytes: Vec<u8>) -> Result<String, GitError> {
        // The controller writes what it is given; git would have its own opinion of names and messages.
        let arguments = [
            "hash-object",
            "-w",
            "-t",
            "commit",
            "--literally",
            "--stdin",
        ];
        line(
            &self.repository.run(&arguments, Some(bytes))?,
            "hash-object",
        )
    }

    /// Writes a commit that the user's own git signs, as its configuration says; gives its id.
    ///
    /// # Errors
    ///
    /// It doesn't sign.
    pub fn commit_as_user(&self, commit: &Commit) -> Result<String, GitError> {
        let mut command = on(&self.repository.main());
        respect(&mut command);
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
            return line(&output.stdout, "commit-tree");
        }
        let words = String::from_utf8_lossy(&output.stderr)
            .trim()
            .replace('\n', "; ");
        Err(GitError(format!(
            "your own git does not sign ({words}): look at user.signingKey and gpg.format of your git configuration, or leave out --sign user"
        )))
    }

    /// Writes the files as blobs with one process, and gives their ids in order.
    fn write_blobs(&self, files: &[NewFile<'_>]) -> Result<Vec<String>, GitError> {
        let folder = tempfile::tempdir_in(self.repository.path())
            .map_err(|error| GitError(format!("no temporary folder can be made: {error}")))?;
        let mut names = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let place = folder.path().join(index.to_string());
            fs::write(&place, file.bytes).map_err(|error| {
                GitError(format!("{} can't be written: {error}", place.display()))
            })?;
            names.extend(format!("{index}\n").bytes());
        }
        let arguments = ["hash-object", "-w", "--no-filters", "--stdin-paths"];
        let mut command = self.repository.command(&arguments);
        command.current_dir(folder.path());
        let output = started(&mut command, "hash-object", Some(names))?;
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

/// The one line that a command says.
fn line(output: &[u8], command: &str) -> Result<String, GitError> {
    let text = String::from_utf8_lossy(output).trim().to_owned();
    if text.is_empty() {
        return Err(GitError(format!("git {command} gave no id")));
    }
    Ok(text)
}
