//! Changing several files and a branch so that all of it is done or nothing, even if this process is killed in the middle.
//!
//! Everything is prepared in a folder inside `.git`, where it doesn't show. Then a second process carries it out while this one looks on:
//! if either is killed, the other brings it to its end. Should both be killed, the next run does.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha1::{Digest as _, Sha1};

use super::GitError;
use super::commit::Entry;
use super::local::{LocalFile, at};
use super::private::started;
use crate::io::temporary::TemporaryFolder;

/// The hidden command by which this program carries a prepared change out.
pub const FINISH: &str = "__finish";

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The work tree.
    pub top: PathBuf,
    /// Its `.git`.
    pub git_folder: Option<PathBuf>,
    /// The files.
    pub files: Vec<FilePlan>,
    /// The commit that is put on the branch.
    pub commit: Option<CommitPlan>,
}

/// One file: what it was and what it becomes, by checksum; both stand beside the plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct FilePlan {
    index: usize,
    path: String,
    old: Option<String>,
    new: String,
}

/// A commit and the index entries that go with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CommitPlan {
    pub id: String,
    pub parent: String,
    pub entries: Vec<Entry>,
}

impl FilePlan {
    pub fn new(index: usize, file: &LocalFile<'_>) -> Self {
        Self {
            index,
            path: file.path.to_owned(),
            old: file.old.map(checksum),
            new: checksum(file.new),
        }
    }
}

fn checksum(bytes: &[u8]) -> String {
    let digest = Sha1::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

const PLAN: &str = "plan.json";
const PREFIX: &str = "imageauto-";

fn failed(what: &str, path: &Path, error: &std::io::Error) -> GitError {
    GitError(format!("{} can't be {what}: {error}", path.display()))
}

/// Prepares the change and has it carried out.
pub(super) fn carry_out(plan: &Plan, files: &[LocalFile<'_>]) -> Result<(), GitError> {
    check_locks(plan)?;
    let staging = Staging::create(plan)?;
    prepare(&staging.path, plan, files)?;
    let outcome = match look_on(&staging.path) {
        Some(outcome) => outcome,
        None => {
            clear_locks(plan);
            finish(&staging.path)
        }
    };
    drop(staging);
    outcome
}

/// A folder for what is prepared, which goes with this value.
struct Staging {
    path: PathBuf,
    /// Where there is no `.git`.
    _elsewhere: Option<TemporaryFolder>,
}

impl Staging {
    fn create(plan: &Plan) -> Result<Self, GitError> {
        let Some(git_folder) = &plan.git_folder else {
            let folder = TemporaryFolder::create()
                .map_err(|error| failed("made", &std::env::temp_dir(), &error))?;
            return Ok(Self {
                path: folder.path().to_owned(),
                _elsewhere: Some(folder),
            });
        };
        let path = git_folder.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| failed("made", &path, &error))?;
        Ok(Self {
            path,
            _elsewhere: None,
        })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The next run takes away what can't be taken away now.
        drop(fs::remove_dir_all(&self.path));
    }
}

fn staged(folder: &Path, name: &str, file: &FilePlan) -> PathBuf {
    folder.join(format!("{name}{}", file.index))
}

/// Writes the new files and copies of the old ones, and last of all the plan.
fn prepare(folder: &Path, plan: &Plan, files: &[LocalFile<'_>]) -> Result<(), GitError> {
    for (planned, file) in plan.files.iter().zip(files) {
        let target = plan.top.join(&planned.path);
        let now = read(&target)?;
        if now.as_deref() != file.old {
            return Err(GitError(format!(
                "{} was changed meanwhile: run the command again",
                target.display()
            )));
        }
        let new = staged(folder, "new", planned);
        write(&new, file.new)?;
        if let Some(old) = file.old {
            let copy = staged(folder, "old", planned);
            write(&copy, old)?;
            let permissions = fs::metadata(&target).map(|metadata| metadata.permissions());
            let kept = permissions.and_then(|permissions| {
                fs::set_permissions(&new, permissions.clone())?;
                fs::set_permissions(&copy, permissions)
            });
            kept.map_err(|error| failed("given the mode of the old file", &new, &error))?;
        }
    }
    let text = serde_json::to_vec(plan)
        .map_err(|error| GitError(format!("the plan of the change can't be written: {error}")))?;
    let draft = folder.join("plan.draft");
    write(&draft, &text)?;
    let place = folder.join(PLAN);
    fs::rename(&draft, &place).map_err(|error| failed("written", &place, &error))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), GitError> {
    let written = fs::File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| failed("written", path, &error))
}

/// The bytes of a file; `None` where it isn't there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, GitError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

/// Has another process of this program carry the plan out; `None` where it did not live to tell how it ended.
fn look_on(folder: &Path) -> Option<Result<(), GitError>> {
    let program = std::env::current_exe().ok()?;
    let mut command = Command::new(program);
    command
        .arg(FINISH)
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    // An interruption from the keyboard is not for it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let output = command.output().ok()?;
    match output.status.code() {
        Some(0) => Some(Ok(())),
        Some(_) => {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Some(Err(GitError(words)))
        }
        None => None,
    }
}

/// Carries a prepared change out, or what is left of it; takes it back where it fails.
///
/// # Errors
///
/// It failed, and all is as it was.
pub fn finish(folder: &Path) -> Result<(), GitError> {
    let place = folder.join(PLAN);
    // Once all is done the plan goes first.
    let Some(text) = read(&place)? else {
        return Ok(());
    };
    let plan: Plan = serde_json::from_slice(&text)
        .map_err(|error| GitError(format!("{} can't be read: {error}", place.display())))?;
    let outcome = forward(folder, &plan);
    if outcome.is_err() {
        backward(folder, &plan);
    }
    drop(fs::remove_file(&place));
    drop(fs::remove_dir_all(folder));
    outcome
}

fn forward(folder: &Path, plan: &Plan) -> Result<(), GitError> {
    for file in &plan.files {
        let target = plan.top.join(&file.path);
        let now = read(&target)?.map(|bytes| checksum(&bytes));
        if now.as_ref() == Some(&file.new) {
            continue;
        }
        if now != file.old {
            return Err(GitError(format!(
                "{} was changed meanwhile: run the command again",
                target.display()
            )));
        }
        put(&staged(folder, "new", file), &target)?;
    }
    let Some(commit) = &plan.commit else {
        return Ok(());
    };
    let lines: Vec<u8> = commit.entries.iter().flat_map(Entry::line).collect();
    git(plan, &["update-index", "-z", "--index-info"], Some(lines))?;
    if head(plan)?.as_deref() != Some(commit.id.as_str()) {
        let message = "kubectl-imageauto: image update";
        let arguments = [
            "update-ref",
            "-m",
            message,
            "HEAD",
            &commit.id,
            &commit.parent,
        ];
        git(plan, &arguments, None)?;
    }
    // Only looks at the files anew, so that git sees them as unchanged.
    drop(git(plan, &["update-index", "-q", "--refresh"], None));
    Ok(())
}

/// Takes back what was done; nobody can be told of what fails here, and the next run finds it.
fn backward(folder: &Path, plan: &Plan) {
    if let Some(commit) = &plan.commit {
        let moved = matches!(head(plan), Ok(Some(head)) if head == commit.id);
        if moved {
            let arguments = ["update-ref", "HEAD", &commit.parent, &commit.id];
            drop(git(plan, &arguments, None));
        }
        let paths: Vec<u8> = commit
            .entries
            .iter()
            .flat_map(|entry| entry.path.bytes().chain([0]))
            .collect();
        let arguments = [
            "reset",
            "-q",
            "--pathspec-from-file=-",
            "--pathspec-file-nul",
        ];
        drop(git(plan, &arguments, Some(paths)));
    }
    for file in &plan.files {
        let target = plan.top.join(&file.path);
        let now = read(&target).ok().flatten();
        if now.is_none_or(|bytes| checksum(&bytes) != file.new) {
            continue;
        }
        match file.old {
            Some(_) => drop(put(&staged(folder, "old", file), &target)),
            None => drop(fs::remove_file(&target)),
        }
    }
}

/// Puts a file in the place of another in one step.
fn put(from: &Path, target: &Path) -> Result<(), GitError> {
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(|error| failed("made", parent, &error))?;
    }
    let moved = fs::rename(from, target);
    let moved = match moved {
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => beside(from, target),
        other => other,
    };
    moved.map_err(|error| failed("written", target, &error))
}

/// The same across file systems: by a copy beside the target.
fn beside(from: &Path, target: &Path) -> std::io::Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let copy = target.with_file_name(format!(".{name}.imageauto"));
    let moved = fs::copy(from, &copy).and_then(|_| fs::rename(&copy, target));
    if moved.is_err() {
        drop(fs::remove_file(&copy));
    }
    moved
}

fn head(plan: &Plan) -> Result<Option<String>, GitError> {
    let mut command = at(&plan.top, &["rev-parse", "--verify", "--quiet", "HEAD"]);
    let output = started(&mut command, "rev-parse", None)?;
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok((output.success() && !line.is_empty()).then_some(line))
}

/// Runs git on the work tree; one that is killed is run again, its lock taken away.
fn git(plan: &Plan, arguments: &[&str], input: Option<Vec<u8>>) -> Result<(), GitError> {
    let mut killed = false;
    loop {
        let mut command = at(&plan.top, arguments);
        command.env("GIT_LITERAL_PATHSPECS", "1");
        let output = started(&mut command, arguments[0], input.clone())?;
        match output.code {
            Some(0) => return Ok(()),
            None if !killed => {
                killed = true;
                clear_locks(plan);
            }
            _ => {
                return Err(GitError(format!(
                    "git {} in {}: {}",
                    arguments[0],
                    plan.top.display(),
                    String::from_utf8_lossy(&output.stderr).trim()
                )));
            }
        }
    }
}

/// The locks that our commands of git take.
fn locks(plan: &Plan) -> Vec<PathBuf> {
    let Some(git_folder) = plan.git_folder.as_ref().filter(|_| plan.commit.is_some()) else {
        return Vec::new();
    };
    let mut locks = vec![git_folder.join("index.lock"), git_folder.join("HEAD.lock")];
    let common = fs::read_to_string(git_folder.join("commondir"));
    let common = common.map_or_else(|_| git_folder.clone(), |text| git_folder.join(text.trim()));
    if let Ok(text) = fs::read_to_string(git_folder.join("HEAD"))
        && let Some(name) = text.trim().strip_prefix("ref: ")
    {
        locks.push(common.join(format!("{name}.lock")));
    }
    locks
}

/// Before anything is changed there must be no lock: what is there later is ours.
fn check_locks(plan: &Plan) -> Result<(), GitError> {
    match locks(plan).iter().find(|lock| lock.exists()) {
        Some(lock) => Err(GitError(format!(
            "{} exists: another git is at work in {}: wait until it is done, or remove the file if it is not",
            lock.display(),
            plan.top.display()
        ))),
        None => Ok(()),
    }
}

/// Gives a git whose parent was killed a moment to end, then takes its locks away.
fn clear_locks(plan: &Plan) {
    let patience = Instant::now() + Duration::from_secs(2);
    let locks = locks(plan);
    while locks.iter().any(|lock| lock.exists()) {
        if Instant::now() > patience {
            for lock in &locks {
                drop(fs::remove_file(lock));
            }
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Brings to its end what a killed run had begun to carry out, and takes away what it had only prepared.
pub(super) fn recover(git_folder: &Path) -> Result<Option<String>, GitError> {
    let Ok(entries) = fs::read_dir(git_folder) else {
        return Ok(None);
    };
    let mut said = None;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(owner) = name.strip_prefix(PREFIX).and_then(|id| id.parse().ok()) else {
            continue;
        };
        if owner == std::process::id() || is_alive(owner) {
            continue;
        }
        let folder = entry.path();
        if has_begun(&folder) {
            finish(&folder)?;
            said = Some(
                "a change that an earlier run was killed in the middle of was brought to its end"
                    .to_owned(),
            );
        }
        drop(fs::remove_dir_all(&folder));
    }
    Ok(said)
}

/// Whether some of a plan was done.
fn has_begun(folder: &Path) -> bool {
    let text = fs::read(folder.join(PLAN)).unwrap_or_default();
    let Ok(plan) = serde_json::from_slice::<Plan>(&text) else {
        return false;
    };
    plan.files.iter().any(|file| {
        let now = read(&plan.top.join(&file.path)).ok().flatten();
        now.is_some_and(|bytes| checksum(&bytes) == file.new)
    })
}

#[cfg(unix)]
fn is_alive(id: u32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    id.is_some_and(|id| test_kill_process(id).is_ok())
}

#[cfg(not(unix))]
fn is_alive(_: u32) -> bool {
    // The folder of one that lives can't be removed there, and its plan is brought to its end by it.
    true
}
