//! A local checkout as a clone of it would look: tracked files as they stand on disk, and untracked ones that git doesn't ignore.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::on_disk;
use super::private::{cannot_run, started};
use crate::facts::git::{Entries, TreeEntry, Unordered, WorkTree};
use crate::io::files::visit_files;
use crate::io::program::Output;

/// Git, or a work tree, can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GitError(pub String);

/// The top of the work tree that holds `folder`; `None` outside a repository.
pub fn top_of(folder: &Path) -> Result<Option<PathBuf>, GitError> {
    let output = git(folder, &["rev-parse", "--show-toplevel"], None)?;
    if output.success() {
        return Ok(Some(PathBuf::from(os_text(trim_line_end(&output.stdout)))));
    }
    no_work_tree(folder, &output.stderr).map(|()| None)
}

/// Nothing, where git says that a folder is in no work tree.
fn no_work_tree(folder: &Path, stderr: &[u8]) -> Result<(), GitError> {
    let message = String::from_utf8_lossy(stderr);
    if message.contains("not a git repository") || message.contains("must be run in a work tree") {
        return Ok(());
    }
    Err(GitError(format!(
        "git can't read {}: {}",
        folder.display(),
        message.trim()
    )))
}

/// A folder's files, and where they are.
pub struct LocalTree {
    /// The top of the work tree that holds the folder, or the folder itself where none does.
    pub top: PathBuf,
    /// Whether it is a work tree.
    pub repository: bool,
    /// What is in it.
    pub tree: WorkTree,
}

/// Reads the work tree that holds `folder`, or the folder itself.
pub fn local_tree(folder: &Path) -> Result<LocalTree, GitError> {
    // Whether there is a work tree turns out while its files are listed already.
    let (listed, head) = std::thread::scope(|scope| {
        let head = scope.spawn(|| head_of(folder));
        (tracked(folder), join(head))
    });
    let Some(head) = head? else {
        return Ok(LocalTree {
            top: folder.to_owned(),
            repository: false,
            tree: plain_tree(folder)?,
        });
    };
    let (tracked, mut unreadable_paths) = listed?;
    let (mut entries, unlisted) = on_disk::compare(&head.top, tracked);
    let mut more = Vec::new();
    for path in untracked(&head.top, &unlisted)? {
        match String::from_utf8(path) {
            Ok(path) => more.extend(on_disk::entry(&head.top, &path).map(|entry| (path, entry))),
            Err(error) => unreadable_paths.push(lossy(error.as_bytes())),
        }
    }
    entries.extend(more);
    Ok(LocalTree {
        tree: WorkTree {
            entries,
            commit: head.commit,
            branch: head.branch,
            unreadable_paths,
        },
        top: head.top,
        repository: true,
    })
}

/// Where a work tree is, and what is checked out.
struct Head {
    top: PathBuf,
    commit: Option<String>,
    branch: Option<String>,
}

/// `None` outside a work tree.
fn head_of(folder: &Path) -> Result<Option<Head>, GitError> {
    let arguments = [
        "rev-parse",
        "--show-toplevel",
        "HEAD^{commit}",
        "--symbolic-full-name",
        "HEAD",
    ];
    let output = git(folder, &arguments, None)?;
    let lines = trim_line_end(&output.stdout);
    let mut lines = lines.rsplitn(3, |byte| *byte == b'\n').map(trim_line_end);
    if output.success()
        && let (Some(name), Some(commit), Some(top)) = (lines.next(), lines.next(), lines.next())
    {
        return Ok(Some(Head {
            top: PathBuf::from(os_text(top)),
            commit: Some(lossy(commit)),
            branch: lossy(name).strip_prefix("refs/heads/").map(str::to_owned),
        }));
    }
    // Before the first commit there is a branch all the same.
    let Some(top) = top_of(folder)? else {
        return Ok(None);
    };
    let commit = single_line(&top, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    let branch = single_line(&top, &["symbolic-ref", "--short", "--quiet", "HEAD"])?;
    Ok(Some(Head {
        top,
        commit,
        branch,
    }))
}

/// What git has in its index, and which of its paths aren't UTF-8.
fn tracked(folder: &Path) -> Result<(Entries, Vec<String>), GitError> {
    let mut entries = Unordered::default();
    let mut unreadable = Vec::new();
    let arguments = ["ls-files", "-z", "--stage", "--full-name", ":/"];
    each_record(folder, &arguments.map(OsStr::new), |record| {
        let Some(tab) = memchr::memchr(b'\t', record) else {
            return;
        };
        let (mode, path) = (&record[..tab], &record[tab + 1..]);
        let entry = if mode.starts_with(b"160000") {
            TreeEntry::Submodule
        } else {
            TreeEntry::File
        };
        match std::str::from_utf8(path) {
            Ok(path) => entries.push(path, entry),
            Err(_) => unreadable.push(lossy(path)),
        }
    })?;
    Ok((entries.in_order(), unreadable))
}

/// How many bytes of paths git is given by name.
const MOST_NAMES: usize = 1 << 14;

/// What a clone would have after `git add`: the files at or below `unlisted` that git doesn't ignore.
fn untracked(top: &Path, unlisted: &[OsString]) -> Result<Vec<Vec<u8>>, GitError> {
    let mut found = Vec::new();
    if unlisted.is_empty() {
        return Ok(found);
    }
    let mut arguments: Vec<OsString> = ["ls-files", "-z", "--others", "--exclude-standard", "--"]
        .map(OsString::from)
        .into();
    // All the others are more than is asked for, and nothing else.
    if unlisted.iter().map(|path| path.len()).sum::<usize>() <= MOST_NAMES {
        arguments.extend(unlisted.iter().map(|path| {
            let mut literal = OsString::from(":(top,literal)");
            literal.push(path);
            literal
        }));
    }
    each_record(top, &arguments, |path| {
        // A nested repository is listed as a folder; a clone of the outer one doesn't have it.
        if !path.ends_with(b"/") {
            found.push(path.to_vec());
        }
    })?;
    Ok(found)
}

/// Runs git in `folder` and hands on what it lists with `-z`, while it lists it.
fn each_record(
    folder: &Path,
    arguments: &[impl AsRef<OsStr>],
    mut take: impl FnMut(&[u8]),
) -> Result<(), GitError> {
    let mut child = reading_git(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| cannot_run(&error))?;
    let stderr = child.stderr.take().map(|mut pipe| {
        std::thread::spawn(move || {
            let mut words = Vec::new();
            // What is lost here is the reason of a failure, not the failure.
            drop(pipe.read_to_end(&mut words));
            words
        })
    });
    let mut listed = child
        .stdout
        .take()
        .map(|pipe| BufReader::with_capacity(1 << 16, pipe));
    let mut record = Vec::new();
    let read = loop {
        record.clear();
        let read = listed.as_mut().map(|list| list.read_until(0, &mut record));
        match read.unwrap_or(Ok(0)) {
            Ok(0) => break Ok(()),
            Ok(_) => take(record.strip_suffix(b"\0").unwrap_or(&record)),
            Err(error) => break Err(error),
        }
    };
    drop(listed);
    let status = child.wait().map_err(|error| cannot_run(&error))?;
    let words = stderr.and_then(|thread| thread.join().ok());
    match read {
        Ok(()) if status.success() => Ok(()),
        Ok(()) => Err(failed(
            folder,
            &arguments[0].as_ref().to_string_lossy(),
            &words.unwrap_or_default(),
        )),
        Err(error) => Err(cannot_run(&error)),
    }
}

fn join<T>(handle: std::thread::ScopedJoinHandle<'_, Result<T, GitError>>) -> Result<T, GitError> {
    handle
        .join()
        .unwrap_or_else(|_| Err(GitError("reading git's answers failed".into())))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads a folder that is no work tree, or of which it doesn't matter.
pub(super) fn plain_tree(top: &Path) -> Result<WorkTree, GitError> {
    let mut entries = Unordered::default();
    let mut unreadable_paths = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let listing =
            fs::read_dir(top.join(&folder)).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let listing = listing.map_err(|error| {
            GitError(format!(
                "{} can't be listed: {error}",
                top.join(&folder).display()
            ))
        })?;
        for entry in listing {
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                unreadable_paths.push(name.to_string_lossy().into_owned());
                continue;
            };
            let path = if folder.is_empty() {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            };
            if name == ".git" {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) => {
                    if let Some(entry) = on_disk::entry_of(kind, &top.join(&path)) {
                        entries.push(&path, entry);
                    }
                }
                Err(_) => {}
            }
        }
    }
    Ok(WorkTree {
        entries: entries.in_order(),
        unreadable_paths,
        ..WorkTree::default()
    })
}

/// Reads the files `paths` below `top` side by side and keeps those in which `wanted` is true; a file that can't be read keeps its error.
pub fn read_files(
    top: &Path,
    paths: &[&str],
    wanted: fn(&[u8]) -> bool,
) -> BTreeMap<String, Result<Vec<u8>, String>> {
    let path = |at: usize| Cow::Borrowed(paths[at]);
    let found = visit_files(
        top,
        paths.len(),
        &path,
        &|_, read: Result<&[u8], String>| match read {
            Ok(bytes) => wanted(bytes).then(|| Ok(bytes.to_vec())),
            Err(error) => Some(Err(error)),
        },
    );
    let named = |(at, read): (usize, _)| (paths[at].to_owned(), read);
    found.into_iter().map(named).collect()
}

/// Those of `paths` that git would ignore as new files.
pub fn ignored(top: &Path, paths: &[String]) -> Result<Vec<String>, GitError> {
    let input: Vec<u8> = paths
        .iter()
        .flat_map(|path| path.bytes().chain([0]))
        .collect();
    let output = git(top, &["check-ignore", "-z", "--stdin"], Some(input))?;
    match output.code {
        Some(0 | 1) => {
            let listed = output
                .stdout
                .split(|byte| *byte == 0)
                .filter(|path| !path.is_empty());
            Ok(listed
                .map(|path| String::from_utf8_lossy(path).into_owned())
                .collect())
        }
        _ => Err(failed(top, "check-ignore", &output.stderr)),
    }
}

fn single_line(top: &Path, arguments: &[&str]) -> Result<Option<String>, GitError> {
    let output = git(top, arguments, None)?;
    let line = String::from_utf8_lossy(trim_line_end(&output.stdout)).into_owned();
    Ok((output.success() && !line.is_empty()).then_some(line))
}

pub(super) fn failed(top: &Path, command: &str, stderr: &[u8]) -> GitError {
    GitError(format!(
        "git {command} in {}: {}",
        top.display(),
        String::from_utf8_lossy(stderr).trim()
    ))
}

/// Runs git in `folder`.
pub(super) fn git(
    folder: &Path,
    arguments: &[&str],
    input: Option<Vec<u8>>,
) -> Result<Output, GitError> {
    started(reading_git(folder).args(arguments), arguments[0], input)
}

/// git in `folder`, to look and no more.
fn reading_git(folder: &Path) -> Command {
    let mut command = plain_git(folder);
    command
        .env("GIT_OPTIONAL_LOCKS", "0")
        // What a partial clone lacks is missing: reading a work tree asks no server.
        .env("GIT_NO_LAZY_FETCH", "1");
    command
}

/// git in `folder`, with nothing of the caller's that points it elsewhere, and without programs named by the repository.
pub(super) fn plain_git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args([
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.quotePath=false",
    ]);
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_PREFIX",
        "GIT_OBJECT_DIRECTORY",
        "GIT_NAMESPACE",
        "GIT_LITERAL_PATHSPECS",
        "GIT_GLOB_PATHSPECS",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
    ] {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
    command
}

fn trim_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

#[cfg(unix)]
fn os_text(bytes: &[u8]) -> &OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

#[cfg(not(unix))]
fn os_text(bytes: &[u8]) -> std::ffi::OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}
