//! A bare repository of our own in a temporary folder, and git run on it: nothing of the user's or the machine's configuration
//! counts, and nothing that a fetched repository brings is run or obeyed, since no file of it is ever checked out.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::GitError;
use crate::io::program::{self, Limits, Output, Stopped};
use crate::io::temporary::TemporaryFolder;

/// More than this is not read from git about one repository.
const MOST_OUTPUT: usize = 1 << 30;

/// A bare repository, removed with its folder.
#[derive(Debug)]
pub(super) struct PrivateRepository {
    folder: TemporaryFolder,
}

impl PrivateRepository {
    /// Makes an empty one.
    pub fn create() -> Result<Self, GitError> {
        check_version()?;
        let folder = TemporaryFolder::create()
            .and_then(|folder| std::fs::create_dir(folder.path().join(HOME)).map(|()| folder))
            .map_err(|error| {
                GitError(format!(
                    "no temporary folder can be made below {}: {error}",
                    std::env::temp_dir().display()
                ))
            })?;
        let repository = Self { folder };
        let name = repository.bare(MAIN);
        make_bare(&name)?;
        Ok(repository)
    }

    /// Makes another empty repository beside it.
    pub fn create_beside(&self, name: &str) -> Result<PathBuf, GitError> {
        let path = self.bare(name);
        make_bare(&path)?;
        Ok(path)
    }

    /// The temporary folder: only its owner may enter it.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The repository itself.
    pub fn main(&self) -> PathBuf {
        self.bare(MAIN)
    }

    fn bare(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command of git on the repository, and gives its output.
    pub fn run(&self, arguments: &[&str], input: Option<Vec<u8>>) -> Result<Vec<u8>, GitError> {
        self.run_in(&self.main(), arguments, input)
    }

    /// As [`run`](Self::run), on a repository beside it.
    pub fn run_in(
        &self,
        repository: &Path,
        arguments: &[&str],
        input: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, GitError> {
        let mut command = on(repository);
        isolate(&mut command, self.path());
        command.args(arguments);
        finished(&mut command, arguments[0], input).map(|output| output.stdout)
    }

    /// A command of git on the repository, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = on(&self.main());
        isolate(&mut command, self.path());
        command.args(arguments);
        command
    }

    /// The id that a revision of ours stands for; `None` where it stands for none.
    pub fn resolve(&self, revision: &str) -> Result<Option<String>, GitError> {
        let mut command = on(&self.main());
        isolate(&mut command, self.path());
        command.args(["rev-parse", "--verify", "--quiet", revision]);
        let output = started(&mut command, "rev-parse", None)?;
        let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok((output.success() && !line.is_empty()).then_some(line))
    }

    /// A command of git on the repository and a folder as its work tree.
    pub fn with_work_tree(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = on(&self.main());
        isolate(&mut command, self.path());
        command.arg("--work-tree").arg(folder).args(arguments);
        command.current_dir(folder);
        command
    }
}

const MAIN: &str = "repository";
const HOME: &str = "home";

/// Makes an empty bare repository: what `git init` makes without templates, whatever defaults the machine has for it.
fn make_bare(path: &Path) -> Result<(), GitError> {
    let config = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";
    let made = || {
        std::fs::create_dir(path)?;
        for folder in ["objects", "refs"] {
            std::fs::create_dir(path.join(folder))?;
        }
        std::fs::write(path.join("config"), config)?;
        std::fs::write(path.join("HEAD"), "ref: refs/heads/main\n")
    };
    made().map_err(|error: std::io::Error| {
        GitError(format!(
            "no repository can be made in {}: {error}",
            path.display()
        ))
    })
}

/// git on a bare repository, whatever the working directory.
pub(super) fn on(repository: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(repository);
    command.current_dir(repository);
    command
}

/// Takes the user's and the machine's settings out of a command's environment; `folder` holds an empty home.
///
/// What is left are the settings of the network: proxies and the place of the system's certificates.
pub(super) fn isolate(command: &mut Command, folder: &Path) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    let home = folder.join(HOME);
    command
        .env("HOME", &home)
        .env("XDG_CONFIG_HOME", &home)
        // No ticket of the user's answers a server that asks for one.
        .env("KRB5CCNAME", "FILE:/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_NO_LAZY_FETCH", "1");
    ask_nobody(command);
    // Empty is not absent: nothing is asked by a program of the machine's configuration either.
    command.env("GIT_ASKPASS", "");
}

/// No question ever, and answers in English.
pub(super) fn ask_nobody(command: &mut Command) {
    command
        .env("LC_ALL", "C")
        .env_remove("LANGUAGE")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GCM_INTERACTIVE", "never")
        .env("SSH_ASKPASS_REQUIRE", "never")
        .env_remove("SSH_ASKPASS");
}

/// Runs a local command that must succeed.
pub(super) fn finished(
    command: &mut Command,
    name: &str,
    input: Option<Vec<u8>>,
) -> Result<Output, GitError> {
    let output = started(command, name, input)?;
    if output.success() {
        return Ok(output);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(GitError(format!("git {name} failed: {}", words.trim())))
}

/// Runs a local command.
pub(super) fn started(
    command: &mut Command,
    name: &str,
    input: Option<Vec<u8>>,
) -> Result<Output, GitError> {
    let limits = Limits {
        deadline: None,
        output: MOST_OUTPUT,
    };
    program::run(command, input, limits).map_err(|stopped| match stopped {
        Stopped::NotStarted(error) => cannot_run(&error),
        _ => GitError(format!(
            "git {name} gave more than {MOST_OUTPUT} bytes, which are not read"
        )),
    })
}

/// The program itself is missing.
pub(super) fn cannot_run(error: &std::io::Error) -> GitError {
    GitError(format!(
        "the program git can't be run: {error}: install git and put it on PATH"
    ))
}

/// Settings for one command come through its environment, which git reads since 2.31: older ones would do something else.
fn check_version() -> Result<(), GitError> {
    static VERSION: OnceLock<Result<(), GitError>> = OnceLock::new();
    VERSION
        .get_or_init(|| {
            let output = started(Command::new("git").arg("version"), "version", None)?;
            let text = String::from_utf8_lossy(&output.stdout);
            let words = text.trim().strip_prefix("git version ").unwrap_or_default();
            let mut numbers = words.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
            let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
            if version >= (2, 31) {
                return Ok(());
            }
            Err(GitError(format!(
                "git {words} is too old to clone without writing credentials to disk: install git 2.31 or newer"
            )))
        })
        .clone()
}
