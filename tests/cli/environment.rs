//! A folder of its own and an environment in which nothing of the caller's shows.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

/// A fresh folder with a work tree `gitops` in it.
pub struct Environment {
    folder: TempDir,
}

/// What a run printed and how it ended.
#[derive(Debug)]
#[must_use = "look at the status, stdout or stderr"]
pub struct Ran {
    /// The exit status.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        Self::from(command.stdin(Stdio::null()).output().unwrap())
    }

    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The run, if it ended with `status`.
    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(
            self.status, status,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}:\n{}", self.stdout))
    }
}

/// The program that is tested: the one just built, or another build of the same commit, as of a release.
pub fn program() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| {
        std::env::var("IMAGEAUTO_PROGRAM")
            .unwrap_or_else(|_| env!("CARGO_BIN_EXE_kubectl-imageauto").to_owned())
    });
    &PROGRAM
}

impl Environment {
    /// An empty folder.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { folder }
    }

    /// The names of the temporary files that runs have left behind.
    pub fn left_behind(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path().join("tmp")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file below the folder.
    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let file = self.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    }

    /// Reads a file below the folder.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }

    /// Runs git in `folder`, which must succeed, and gives what it printed.
    #[track_caller]
    pub fn git(&self, folder: &str, arguments: &[&str]) -> String {
        let output = self
            .command("git")
            .current_dir(self.path().join(folder))
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Makes `folder` a repository with all its files in one commit on `main`.
    pub fn commit(&self, folder: &str) {
        self.git(folder, &["init", "--quiet", "--initial-branch=main"]);
        self.git(folder, &["add", "--all"]);
        self.git(folder, &["commit", "--quiet", "--message", "First"]);
    }

    /// A program, with an environment in which nothing of the caller's shows.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("TMPDIR", self.path().join("tmp"));
        for name in ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"] {
            command.env(name, "Test");
        }
        for name in ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"] {
            command.env(name, "test@example.com");
        }
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("LANG", "C.UTF-8")
            .current_dir(self.path());
        command
    }

    /// The binary, ready for more settings.
    pub fn imageauto(&self) -> Command {
        self.command(program())
    }

    /// Runs the binary with `arguments` in the folder.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(
            self.imageauto()
                .args(arguments)
                .stdin(Stdio::null())
                .output()
                .unwrap(),
        )
    }

    /// Runs the binary with `input` on its standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.imageauto();
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        Ran::from(child.wait_with_output().unwrap())
    }

    /// The usual case: one image, one policy, one automation on `main`, one Deployment in the work tree `gitops`, and `tags.json`.
    pub fn shop() -> Self {
        let environment = Self::new();
        environment.write("objects/source.yaml", &git_repository("gitops"));
        environment.write(
            "objects/app.yaml",
            &format!(
                "{}---\n{}",
                image_repository("app"),
                semver_policy("app", ">=1.0.0")
            ),
        );
        environment.write(
            "objects/automation.yaml",
            &automation("images", "main", "./apps"),
        );
        environment.write(
            "tags.json",
            r#"{"registry.example.com/team/app": ["1.0.0", "1.2.0", "latest"]}"#,
        );
        environment.write("gitops/apps/app.yaml", &deployment("app", "1.0.0"));
        environment.commit("gitops");
        environment
    }

    /// `diff` on the objects, the recording and the work tree of [`Environment::shop`].
    pub fn diff(&self, more: &[&str]) -> Ran {
        self.offline("diff", more)
    }

    /// A command on them.
    pub fn offline(&self, command: &str, more: &[&str]) -> Ran {
        self.run(&[&[command][..], &OFFLINE, more].concat())
    }
}

/// The objects, the recording and the work tree of [`Environment::shop`].
pub const OFFLINE: [&str; 6] = [
    "-f",
    "objects",
    "--tags-from",
    "tags.json",
    "--worktree",
    "gitops",
];

/// A GitRepository in flux-system.
pub fn git_repository(name: &str) -> String {
    format!(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata:\n  name: {name}\n  namespace: flux-system\nspec:\n  interval: 1m\n  url: https://user:secret@git.example.com/team/{name}\n  ref:\n    branch: main\n"
    )
}

/// An ImageRepository in flux-system.
pub fn image_repository(name: &str) -> String {
    format!(
        "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata:\n  name: {name}\n  namespace: flux-system\nspec:\n  image: registry.example.com/team/{name}\n  interval: 5m\n"
    )
}

/// An ImagePolicy in flux-system on the ImageRepository of its name.
pub fn policy(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata:\n  name: {name}\n  namespace: flux-system\nspec:\n  imageRepositoryRef:\n    name: {name}\n{spec}"
    )
}

/// A policy by a semver range.
pub fn semver_policy(name: &str, range: &str) -> String {
    policy(
        name,
        &format!("  policy:\n    semver:\n      range: '{range}'\n"),
    )
}

/// An ImageUpdateAutomation in flux-system on GitRepository `gitops`.
pub fn automation(name: &str, push_branch: &str, path: &str) -> String {
    format!(
        "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata:\n  name: {name}\n  namespace: flux-system\nspec:\n  interval: 1m\n  sourceRef:\n    kind: GitRepository\n    name: gitops\n  git:\n    checkout:\n      ref:\n        branch: main\n    commit:\n      author:\n        name: bot\n        email: bot@example.com\n    push:\n      branch: {push_branch}\n  update:\n    path: {path}\n    strategy: Setters\n"
    )
}

/// A Deployment with one marked image.
pub fn deployment(name: &str, tag: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n      containers:\n        - name: {name}\n          image: registry.example.com/team/{name}:{tag} # {{\"$imagepolicy\": \"flux-system:{name}\"}}\n"
    )
}
