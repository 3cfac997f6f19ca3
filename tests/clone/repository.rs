//! Bare repositories to clone from.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A bare repository.
pub struct Repository {
    /// Where it is.
    pub folder: PathBuf,
}

impl Repository {
    /// Makes an empty one.
    pub fn empty(parent: &Path, name: &str) -> Self {
        let folder = parent.join(name);
        let mut command = git();
        command
            .args(["init", "--quiet", "--bare", "--initial-branch=main"])
            .arg(&folder);
        finished(&mut command, b"");
        Self { folder }
    }

    /// Three commits on `main`; `auto` beside the second; `deep/er` at the first; tags of the first (annotated) and second.
    pub fn standard(parent: &Path, name: &str) -> Self {
        let repository = Self::empty(parent, name);
        for (number, text) in ["one", "two", "three"].into_iter().enumerate() {
            repository.commit(
                "main",
                text,
                &[("note", text), ("apps/a.yaml", "kind: A\n")],
            );
            let head = repository.id("main");
            match number {
                0 => {
                    repository.run(&["update-ref", "refs/heads/deep/er", &head], b"");
                    repository.run(&["tag", "-a", "-m", "tag", "1.0.0", &head], b"");
                }
                1 => {
                    repository.run(&["update-ref", "refs/heads/auto", &head], b"");
                    repository.run(&["tag", "1.1.0", &head], b"");
                }
                _ => {}
            }
        }
        repository.commit("auto", "auto", &[("auto", "auto")]);
        repository
    }

    /// Adds a commit to a branch, which need not exist, with these files changed or added.
    pub fn commit(&self, branch: &str, message: &str, files: &[(&str, &str)]) {
        let mut stream = format!(
            "commit refs/heads/{branch}\ncommitter Someone <s@example.com> 1700000000 +0000\n"
        );
        stream += &format!("data {}\n{message}\n", message.len());
        if self.try_id(branch).is_some() {
            stream += &format!("from refs/heads/{branch}^0\n");
        }
        for (path, text) in files {
            stream += &format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len());
        }
        self.run(&["fast-import", "--quiet"], stream.as_bytes());
    }

    /// The id of a revision.
    pub fn id(&self, revision: &str) -> String {
        self.try_id(revision)
            .unwrap_or_else(|| panic!("no {revision}"))
    }

    fn try_id(&self, revision: &str) -> Option<String> {
        let mut command = git();
        command.arg("--git-dir").arg(&self.folder);
        command.args([
            "rev-parse",
            "--verify",
            "--quiet",
            &format!("{revision}^{{commit}}"),
        ]);
        let output = command.output().unwrap();
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs git on it.
    pub fn run(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut command = git();
        command.arg("--git-dir").arg(&self.folder).args(arguments);
        String::from_utf8_lossy(&finished(&mut command, input))
            .trim()
            .to_owned()
    }

    /// Its `file://` address.
    pub fn url(&self) -> String {
        format!("file://{}", self.folder.display())
    }
}

fn git() -> Command {
    let mut command = Command::new("git");
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Someone");
        command.env(format!("GIT_{role}_EMAIL"), "s@example.com");
        command.env(format!("GIT_{role}_DATE"), "1700000000 +0000");
    }
    command
}

fn finished(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
