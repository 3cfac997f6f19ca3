//! A local checkout as a clone of it would look: tracked files as they stand on disk, and untracked ones that git doesn't ignore.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use foldhash::fast::RandomState;

use crate::facts::git::{TreeEntry, WorkTree};
use crate::io::files::{side_by_side, visit_files};

/// Git, or a work tree, can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GitError(pub String);

/// The top of the work tree that holds `folder`; `None` outside a repository.
pub fn top_of(folder: &Path) -> Result<Option<PathBuf>, GitError> {
    let output = git(folder, ["rev-parse", "--show-toplevel"], None)?;
    if output.status.success() {
        return Ok(Some(PathBuf::from(os_text(trim_line_end(&output.stdout)))));
    }
    let message = String::from_utf8_lossy(&output.stderr);
    if message.contains("not a git repository") || message.contains("must be run in a work tree") {
        return Ok(None);
    }
    Err(GitError(format!(
        "git can't read {}: {}",
        folder.display(),
        message.trim()
    )))
}

/// Reads the tree below `top`, which is a work tree's top if `repository`, else a plain folder.
pub fn work_tree(top: &Path, repository: bool) -> Result<WorkTree, GitError> {
    if repository {
        tracked_tree(top)
    } else {
        plain_tree(top)
    }
}

fn tracked_tree(top: &Path) -> Result<WorkTree, GitError> {
    std::thread::scope(|scope| {
        let others =
            scope.spawn(|| lines(top, &["ls-files", "-z", "--others", "--exclude-standard"]));
        let head = scope.spawn(|| {
            let head = single_line(top, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
            let branch = single_line(top, &["symbolic-ref", "--short", "--quiet", "HEAD"])?;
            Ok((head, branch))
        });
        let mut tree = WorkTree::default();
        let mut folders = RealFolders::new(top);
        let tracked = lines(top, &["ls-files", "-z", "--stage"])?;
        // Git looks for the other files in the meantime, which takes longer.
        folders.list(&tracked);
        insert_tracked(&mut tree, &tracked, &mut folders);
        // A nested repository is listed as a folder; a clone of the outer one doesn't have it.
        for path in records(&join(others)?).filter(|path| !path.ends_with(b"/")) {
            insert(&mut tree, path, |path| folders.entry(path));
        }
        (tree.commit, tree.branch) = join(head)?;
        Ok(tree)
    })
}

/// The path in a record of `ls-files --stage`.
fn path_of(record: &[u8]) -> Option<&str> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    std::str::from_utf8(&record[tab + 1..]).ok()
}

fn insert_tracked(tree: &mut WorkTree, listed: &[u8], folders: &mut RealFolders<'_>) {
    for record in records(listed) {
        let mut halves = record.splitn(2, |byte| *byte == b'\t');
        let (mode, path) = (
            halves.next().unwrap_or_default(),
            halves.next().unwrap_or_default(),
        );
        if mode.starts_with(b"160000") {
            insert(tree, path, |_| Some(TreeEntry::Submodule));
        } else {
            insert(tree, path, |path| folders.entry(path));
        }
    }
}

/// What git lists with `-z`.
fn records(listed: &[u8]) -> impl Iterator<Item = &[u8]> {
    let records = listed.split(|byte| *byte == 0);
    records.filter(|record| !record.is_empty())
}

fn join<T>(handle: std::thread::ScopedJoinHandle<'_, Result<T, GitError>>) -> Result<T, GitError> {
    handle
        .join()
        .unwrap_or_else(|_| Err(GitError("reading git's list of files failed".into())))
}

fn insert(tree: &mut WorkTree, path: &[u8], entry: impl FnOnce(&str) -> Option<TreeEntry>) {
    match std::str::from_utf8(path) {
        Ok(path) => {
            if let Some(entry) = entry(path) {
                tree.entries.insert(path.to_owned(), entry);
            }
        }
        Err(_) => tree
            .unreadable_paths
            .push(String::from_utf8_lossy(path).into_owned()),
    }
}

/// Looks entries up without following a link: a tracked file below a folder that has become a link is gone, as it is for git.
///
/// Each folder is listed once, which costs less than asking for each of its files.
struct RealFolders<'a> {
    top: &'a Path,
    /// What is in a folder; `None` where it is none.
    known: HashMap<String, Option<Listing>, RandomState>,
    /// What is in folders that may stand behind a link.
    listed: HashMap<String, Listing, RandomState>,
}

/// The kind of each entry of a folder.
type Listing = HashMap<OsString, FileType, RandomState>;

impl<'a> RealFolders<'a> {
    fn new(top: &'a Path) -> Self {
        let known = HashMap::from_iter([(String::new(), listed(top))]);
        Self {
            top,
            known,
            listed: HashMap::default(),
        }
    }

    /// Lists the folders of tracked files, several at a time.
    fn list(&mut self, tracked: &[u8]) {
        let paths = records(tracked).filter_map(path_of);
        let mut folders: Vec<&str> = paths
            .filter_map(|path| Some(path.rsplit_once('/')?.0))
            .collect();
        folders.dedup();
        // What is in a folder stands before, between and behind what is in its folders.
        let mut seen = HashSet::<_, RandomState>::default();
        folders.retain(|folder| seen.insert(*folder));
        let found = side_by_side(&folders, |(): &mut (), _, folder| {
            listed(&self.top.join(folder))
        });
        let named = |(at, listing): (usize, _)| (folders[at].to_owned(), listing);
        self.listed = found.into_iter().map(named).collect();
    }

    fn entry(&mut self, path: &str) -> Option<TreeEntry> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let kind = self.kind(folder, name)?;
        entry_of(kind, || self.top.join(path))
    }

    fn kind(&mut self, folder: &str, name: &str) -> Option<FileType> {
        self.read(folder);
        let entries = self.known.get(folder)?.as_ref()?;
        let listed = entries.get(OsStr::new(name)).copied();
        // A file system may know a name that it lists in another case or normal form.
        listed.or_else(|| {
            let path = self.top.join(folder).join(name);
            Some(fs::symlink_metadata(path).ok()?.file_type())
        })
    }

    fn read(&mut self, folder: &str) {
        if self.known.contains_key(folder) {
            return;
        }
        let (parent, name) = folder.rsplit_once('/').unwrap_or(("", folder));
        let is_real = self.kind(parent, name).is_some_and(|kind| kind.is_dir());
        let entries = match self.listed.remove(folder) {
            _ if !is_real => None,
            None => listed(&self.top.join(folder)),
            known => known,
        };
        self.known.insert(folder.to_owned(), entries);
    }
}

/// What is in a folder, links as such; `None` where it can't be listed.
fn listed(folder: &Path) -> Option<Listing> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    Some(
        entries
            .filter_map(|entry| Some((entry.file_name(), entry.file_type().ok()?)))
            .collect(),
    )
}

fn entry_of(kind: FileType, path: impl FnOnce() -> PathBuf) -> Option<TreeEntry> {
    if kind.is_symlink() {
        let target = fs::read_link(path()).ok()?;
        return Some(TreeEntry::Link(target.to_string_lossy().into_owned()));
    }
    kind.is_file().then_some(TreeEntry::File)
}

fn plain_tree(top: &Path) -> Result<WorkTree, GitError> {
    let mut tree = WorkTree::default();
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
                tree.unreadable_paths
                    .push(name.to_string_lossy().into_owned());
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
                Ok(kind) => insert(&mut tree, path.as_bytes(), |path| {
                    entry_of(kind, || top.join(path))
                }),
                Err(_) => {}
            }
        }
    }
    Ok(tree)
}

/// Reads the files `paths` below `top` side by side and keeps those in which `wanted` is true; a file that can't be read keeps its error.
pub fn read_files(
    top: &Path,
    paths: &[&str],
    wanted: fn(&[u8]) -> bool,
) -> BTreeMap<String, Result<Vec<u8>, String>> {
    let found = visit_files(top, paths, &|_, read: Result<&[u8], String>| match read {
        Ok(bytes) => wanted(bytes).then(|| Ok(bytes.to_vec())),
        Err(error) => Some(Err(error)),
    });
    let named = |(at, read): (usize, _)| (paths[at].to_owned(), read);
    found.into_iter().map(named).collect()
}

/// Those of `paths` that git would ignore as new files.
pub fn ignored(top: &Path, paths: &[String]) -> Result<Vec<String>, GitError> {
    let input: Vec<u8> = paths
        .iter()
        .flat_map(|path| path.bytes().chain([0]))
        .collect();
    let output = git(top, ["check-ignore", "-z", "--stdin"], Some(input))?;
    match output.status.code() {
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

fn lines(top: &Path, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
    let output = git(top, arguments, None)?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(failed(top, arguments[0], &output.stderr))
    }
}

fn single_line(top: &Path, arguments: &[&str]) -> Result<Option<String>, GitError> {
    let output = git(top, arguments, None)?;
    let line = String::from_utf8_lossy(trim_line_end(&output.stdout)).into_owned();
    Ok((output.status.success() && !line.is_empty()).then_some(line))
}

pub(super) fn failed(top: &Path, command: &str, stderr: &[u8]) -> GitError {
    GitError(format!(
        "git {command} in {}: {}",
        top.display(),
        String::from_utf8_lossy(stderr).trim()
    ))
}

/// Runs git in `folder`.
pub(super) fn git<I, A>(
    folder: &Path,
    arguments: I,
    input: Option<Vec<u8>>,
) -> Result<std::process::Output, GitError>
where
    I: IntoIterator<Item = A>,
    A: AsRef<OsStr>,
{
    let mut command = plain_git(folder);
    command
        .args(arguments)
        .env("GIT_OPTIONAL_LOCKS", "0")
        // What a partial clone lacks is missing: reading a work tree asks no server.
        .env("GIT_NO_LAZY_FETCH", "1");
    command
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let cannot_run = |error: std::io::Error| {
        GitError(format!(
            "the program git can't be run: {error}: install git and put it on PATH"
        ))
    };
    let mut child = command.spawn().map_err(cannot_run)?;
    let writer = child
        .stdin
        .take()
        .zip(input)
        .map(|(mut stdin, input)| std::thread::spawn(move || stdin.write_all(&input)));
    let output = child.wait_with_output().map_err(cannot_run)?;
    if let Some(writer) = writer {
        // Git may end before it has read everything; its exit status tells.
        drop(writer.join());
    }
    Ok(output)
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
