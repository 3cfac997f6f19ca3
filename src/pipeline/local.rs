//! The last stage in a local work tree: the files as the preview has them, with a commit on its branch or without. The only place that
//! writes to a local folder.

use std::path::{Path, PathBuf};

use crate::controllers::commit::Commit;
use crate::failure::Failure;
use crate::io::git::{self, GitError, LocalFile, LocalFolder, NewFile, TreeFiles};

use super::checkout::{Checkout, Checkouts};
use super::request::{Request, SignBy};
use super::signer::Signer;
use super::stages::{CommitReceipt, Preview};

/// The hidden command by which this program carries a prepared change of a work tree out.
pub const FINISH: &str = git::FINISH;

/// Carries out what stands prepared in `folder`.
///
/// # Errors
///
/// It failed, and all is as it was.
pub fn finish(folder: &Path) -> Result<(), Failure> {
    Ok(git::finish(folder)?)
}

/// Brings to its end what an earlier run was killed in the middle of; remarks for the user.
///
/// # Errors
///
/// A work tree can't be read, or what was left can't be brought to its end.
pub fn recover(request: &Request) -> Result<Vec<String>, Failure> {
    let mut notes = Vec::new();
    for setting in &request.worktrees {
        let Some(top) = git::top_of(&setting.folder)? else {
            continue;
        };
        let recovered = LocalFolder::open(&top, true)?.recover()?;
        notes.extend(recovered.map(|note| format!("{}: {note}", top.display())));
    }
    Ok(notes)
}

/// A preview's work tree.
struct Place<'a> {
    checkout: &'a Checkout,
    top: &'a PathBuf,
    folder: LocalFolder,
}

impl<'a> Place<'a> {
    fn of(checkouts: &'a Checkouts, preview: &Preview) -> Result<Self, Failure> {
        let missing = || Failure::git(format!("{}: there is no work tree", preview.key));
        let Some(Ok(checkout)) = checkouts.of(&preview.key) else {
            return Err(missing());
        };
        let TreeFiles::Folder { top, repository } = &checkout.files else {
            return Err(Failure::usage(format!(
                "ImageUpdateAutomation {}: no --worktree names the folder of GitRepository {}",
                preview.key, preview.source.key
            )));
        };
        Ok(Self {
            checkout,
            top,
            folder: LocalFolder::open(top, *repository)?,
        })
    }
}

/// Where a preview's files are changed, in words: the folder, and its branch where one is checked out.
///
/// # Errors
///
/// The preview was not made from a local folder.
pub fn place(
    checkouts: &Checkouts,
    preview: &Preview,
) -> Result<(String, Option<String>), Failure> {
    let place = Place::of(checkouts, preview)?;
    let branch = place.checkout.tree.branch.clone();
    Ok((place.top.display().to_string(), branch))
}

/// Refuses to write over changes that are nowhere else; `ours` are files that this run has changed already.
///
/// # Errors
///
/// A file has uncommitted changes, or git can't tell.
pub fn check(checkouts: &Checkouts, preview: &Preview, ours: &[String]) -> Result<(), Failure> {
    let place = Place::of(checkouts, preview)?;
    let paths = preview.files.iter().map(|file| file.path.as_str());
    let paths: Vec<&str> = paths
        .filter(|path| !ours.iter().any(|own| own == path))
        .collect();
    let touched = place.folder.uncommitted(&paths)?;
    if touched.is_empty() {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "ImageUpdateAutomation {}: {} in {} has uncommitted changes, which would be mixed with the update: commit or stash them first",
        preview.key,
        touched.join(", "),
        place.top.display()
    )))
}

/// Changes the files of a work tree as the preview has them; with `commit` the change is committed on the branch that is checked out.
///
/// # Errors
///
/// Nothing was changed.
pub fn change(
    checkouts: &Checkouts,
    preview: &Preview,
    commit: bool,
    sign_by: SignBy,
) -> Result<CommitReceipt, Failure> {
    let place = Place::of(checkouts, preview)?;
    let files: Vec<LocalFile<'_>> = preview
        .files
        .iter()
        .map(|file| LocalFile {
            path: &file.path,
            old: file.old.as_deref(),
            new: &file.new,
        })
        .collect();
    if !commit {
        place.folder.change(&files, None)?;
        return Ok(CommitReceipt::default());
    }
    let signer = checkouts.signer_of(&preview.key);
    let signed_by = match (sign_by, signer) {
        (SignBy::User, _) => Some("your own git configuration".to_owned()),
        (SignBy::Automation, Signer::Key(key)) => Some(key.name()),
        _ => None,
    };
    let made = commit_of(&place, preview, sign_by, signer)?;
    let receipt = CommitReceipt {
        commit: Some(made.id().to_owned()),
        signed_by,
        ..CommitReceipt::default()
    };
    place.folder.change(&files, Some(made))?;
    Ok(receipt)
}

fn commit_of(
    place: &Place<'_>,
    preview: &Preview,
    sign_by: SignBy,
    signer: &Signer,
) -> Result<git::LocalCommit, Failure> {
    let parent = place.checkout.tree.commit.clone();
    let parent = parent.ok_or_else(|| {
        Failure::git(format!(
            "{} has no commit yet, so that there is none to follow: make a first one, or change the files with --no-commit",
            place.top.display()
        ))
    })?;
    let files: Vec<NewFile<'_>> = preview
        .files
        .iter()
        .map(|file| NewFile {
            path: &file.path,
            bytes: &file.new,
        })
        .collect();
    let commit = Commit {
        tree: String::new(),
        parent,
        author: preview.author.clone(),
        seconds: jiff::Timestamp::now().as_second(),
        message: preview.message.clone().unwrap_or_default(),
    };
    let mut refused = None;
    let made = place.folder.commit(&files, commit, |commit| {
        match signed(preview, sign_by, signer, commit) {
            Ok(bytes) => Ok(bytes),
            Err(failure) => {
                let error = GitError(failure.message.clone());
                refused = Some(failure);
                Err(error)
            }
        }
    });
    made.map_err(|error| refused.unwrap_or_else(|| error.into()))
}

/// The bytes of the commit; `None` where the user's own git makes it.
fn signed(
    preview: &Preview,
    sign_by: SignBy,
    signer: &Signer,
    commit: &Commit,
) -> Result<Option<Vec<u8>>, Failure> {
    if sign_by == SignBy::User {
        return Ok(None);
    }
    let signature = super::commit::signature(preview, sign_by, signer, commit)?;
    Ok(Some(commit.encode(signature.as_deref())))
}
