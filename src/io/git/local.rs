//! A commit in a local work tree, or a change of its files without one.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::GitError;
use super::commit::{NewFile, Writer, commit_as_user};
use super::local_change::{self, CommitPlan, FilePlan, Plan};
use super::private::{finished, started};
use super::work_tree::plain_git;
use crate::controllers::commit::Commit;
use crate::io::temporary::TemporaryFolder;

/// A file that is changed, and what it must be before.
#[derive(Clone, Copy, Debug)]
pub struct LocalFile<'a> {
    /// Its path from the top.
    pub path: &'a str,
    /// The bytes that it has; `None`: it isn't there.
    pub old: Option<&'a [u8]>,
    /// The bytes that it gets.
    pub new: &'a [u8],
}

/// A local folder whose files are changed.
#[derive(Debug)]
pub struct LocalFolder {
    top: PathBuf,
    /// `.git`, wherever it is; `None` where the folder is no work tree.
    git_folder: Option<PathBuf>,
}

/// A commit that was made, and not yet put on its branch.
#[derive(Debug)]
pub struct LocalCommit(CommitPlan);

impl LocalCommit {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.0.id
    }
}

impl LocalFolder {
    /// The work tree at `top`, or a plain folder.
    ///
    /// # Errors
    ///
    /// Git can't read it.
    pub fn open(top: &Path, is_work_tree: bool) -> Result<Self, GitError> {
        let git_folder = if is_work_tree {
            let mut command = at(top, &["rev-parse", "--absolute-git-dir"]);
            let output = finished(&mut command, "rev-parse", None)?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            Some(PathBuf::from(text.trim_end_matches(['\n', '\r'])))
        } else {
            None
        };
        Ok(Self {
            top: top.to_owned(),
            git_folder,
        })
    }

    /// Brings to its end, or takes away, what an earlier run was killed in the middle of; in words, where there was something.
    ///
    /// # Errors
    ///
    /// It can't be brought to its end.
    pub fn recover(&self) -> Result<Option<String>, GitError> {
        match &self.git_folder {
            Some(folder) => local_change::recover(folder),
            None => Ok(None),
        }
    }

    /// Those of the paths that git has uncommitted changes of, or doesn't know.
    ///
    /// # Errors
    ///
    /// Git can't read the work tree.
    pub fn uncommitted(&self, paths: &[&str]) -> Result<Vec<String>, GitError> {
        if self.git_folder.is_none() {
            return Ok(Vec::new());
        }
        let arguments = [
            "status",
            "--porcelain",
            "-z",
            "--untracked-files=all",
            "--no-renames",
        ];
        let mut command = at(&self.top, &arguments);
        // It only looks, and takes no lock that a kill would leave behind.
        command.env("GIT_OPTIONAL_LOCKS", "0");
        let output = started(&mut command, "status", None)?;
        if !output.success() {
            return Err(GitError(format!(
                "git status in {}: {}",
                self.top.display(),
                String::from_utf8_lossy(&output.stderr).trim()
            )));
        }
        let records = output.stdout.split(|byte| *byte == 0);
        let changed: Vec<String> = records
            .filter_map(|record| std::str::from_utf8(record.get(3..)?).ok())
            .map(str::to_owned)
            .collect();
        let touched = |path: &&&str| changed.iter().any(|changed| changed == **path);
        Ok(paths
            .iter()
            .filter(touched)
            .map(|path| (*path).to_owned())
            .collect())
    }

    /// Makes the commit `commit` would be with these files on top of its parent; its `tree` is filled in here. Nothing that shows changes.
    ///
    /// # Errors
    ///
    /// There is no repository, or git can't write to it.
    pub fn commit(
        &self,
        files: &[NewFile<'_>],
        mut commit: Commit,
        encode: impl FnOnce(&Commit) -> Result<Option<Vec<u8>>, GitError>,
    ) -> Result<LocalCommit, GitError> {
        if self.git_folder.is_none() {
            return Err(GitError(format!(
                "{} is no work tree of git, so that nothing can be committed there: change its files with --no-commit",
                self.top.display()
            )));
        }
        let folder = TemporaryFolder::create()
            .map_err(|error| GitError(format!("no temporary folder can be made: {error}")))?;
        let command = |arguments: &[&str]| at(&self.top, arguments);
        let writer = Writer {
            command: &command,
            folder: folder.path(),
        };
        let (tree, entries) = writer.tree(&commit.parent, files)?;
        commit.tree = tree;
        let id = match encode(&commit)? {
            Some(bytes) => writer.commit(bytes)?,
            None => commit_as_user(&|| at(&self.top, &[]), &commit)?,
        };
        Ok(LocalCommit(CommitPlan {
            id,
            parent: commit.parent,
            entries,
        }))
    }

    /// Changes the files, and puts the commit on its branch where there is one: all of it, or nothing, however this process ends.
    ///
    /// # Errors
    ///
    /// Nothing was changed.
    pub fn change(
        &self,
        files: &[LocalFile<'_>],
        commit: Option<LocalCommit>,
    ) -> Result<(), GitError> {
        let plan = Plan {
            top: self.top.clone(),
            git_folder: self.git_folder.clone(),
            files: files
                .iter()
                .enumerate()
                .map(|(index, file)| FilePlan::new(index, file))
                .collect(),
            commit: commit.map(|commit| commit.0),
        };
        local_change::carry_out(&plan, files)
    }
}

/// A command of git in a work tree: the user's own git, but no hooks and no monitor.
pub(super) fn at(top: &Path, arguments: &[&str]) -> Command {
    let mut command = plain_git(top);
    command
        .args(["-c", "core.hooksPath=/dev/null"])
        .args(arguments);
    command
}
