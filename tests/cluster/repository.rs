//! Git repositories of the servers here, written and read through their folders.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::ControlPlane;
use super::control_plane::Login;

/// A bare repository that a git server serves.
pub struct Repository {
    folder: PathBuf,
    /// Its http address, without user info.
    pub url: String,
}

/// A commit, as git stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The id of its tree.
    pub tree: String,
    /// The ids of its parents.
    pub parents: Vec<String>,
    /// `NAME <MAIL>`, without the time.
    pub author: String,
    /// `NAME <MAIL>`, without the time.
    pub committer: String,
    /// The whole message.
    pub message: String,
}

impl Repository {
    /// Makes a repository on the plain git server, whose branch `main` has one commit with these files (path to bytes).
    pub fn create<'a>(
        plane: &ControlPlane,
        name: &str,
        files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Self {
        let repository = Self::make(
            plane.addresses.git_folder.join(format!("{name}.git")),
            format!("http://{}/{name}.git", plane.addresses.git.address),
        );
        for setting in [
            "http.receivepack",
            "receive.advertisePushOptions",
            "uploadpack.allowAnySHA1InWant",
        ] {
            repository.run(&["config", setting, "true"], b"");
        }
        repository.commit_files("main", "Start", files);
        repository
    }

    /// Makes an empty bare repository in `folder`, which is then reached at `url`.
    pub fn make(folder: PathBuf, url: String) -> Self {
        output(
            git()
                .args(["init", "--quiet", "--bare", "--initial-branch=main"])
                .arg(&folder),
            b"",
        );
        Self::at(folder, url)
    }

    /// The bare repository in `folder`, which is reached at `url`.
    pub fn at(folder: PathBuf, url: String) -> Self {
        Self { folder, url }
    }

    /// The bare repository itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds a commit to `branch`, which need not exist, with these files changed or added; the server isn't asked.
    pub fn commit_files<'a>(
        &self,
        branch: &str,
        message: &str,
        files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) {
        let mut stream = format!("commit refs/heads/{branch}\n").into_bytes();
        stream.extend(b"committer Someone <someone@example.com> 1700000000 +0000\n");
        stream.extend(format!("data {}\n{message}\n", message.len()).bytes());
        if let Some(head) = self.head(branch) {
            stream.extend(format!("from {head}\n").bytes());
        }
        for (path, bytes) in files {
            stream.extend(format!("M 100644 inline {path}\ndata {}\n", bytes.len()).bytes());
            stream.extend(bytes);
            stream.push(b'\n');
        }
        self.run(&["fast-import", "--quiet"], &stream);
    }

    /// The commit that a branch stands at, `None` where it doesn't exist.
    pub fn head(&self, branch: &str) -> Option<String> {
        self.heads().remove(branch)
    }

    /// The commits that all branches stand at.
    pub fn heads(&self) -> BTreeMap<String, String> {
        let refs = self.run(
            &[
                "for-each-ref",
                "--format=%(objectname) %(refname)",
                "refs/heads",
            ],
            b"",
        );
        String::from_utf8_lossy(&refs)
            .lines()
            .filter_map(|line| line.split_once(" refs/heads/"))
            .map(|(id, name)| (name.to_owned(), id.to_owned()))
            .collect()
    }

    /// Reads a commit.
    pub fn commit(&self, id: &str) -> Commit {
        let bytes = self.run(&["cat-file", "commit", id], b"");
        let text = String::from_utf8_lossy(&bytes);
        let (header, message) = text.split_once("\n\n").expect("a commit has a header");
        let values = |key: &str| -> Vec<String> {
            let lines = header.lines().filter_map(|line| line.split_once(' '));
            lines
                .filter(|(found, _)| *found == key)
                .map(|(_, value)| value.to_owned())
                .collect()
        };
        let person = |key: &str| {
            let value = values(key).remove(0);
            value[..=value.rfind('>').expect("a person has an address")].to_owned()
        };
        Commit {
            tree: values("tree").remove(0),
            parents: values("parent"),
            author: person("author"),
            committer: person("committer"),
            message: message.to_owned(),
        }
    }

    /// All files of a commit or branch: path to mode and bytes.
    pub fn files(&self, revision: &str) -> BTreeMap<String, (String, Vec<u8>)> {
        let listing = self.run(&["ls-tree", "-r", "-z", revision], b"");
        let entries: Vec<(String, String, String)> = listing
            .split(|byte| *byte == 0)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let text = String::from_utf8_lossy(entry).into_owned();
                let (facts, path) = text.split_once('\t').expect("a tree entry has a path");
                let mut facts = facts.split(' ');
                let mode = facts.next().unwrap_or_default().to_owned();
                (
                    path.to_owned(),
                    mode,
                    facts.nth(1).unwrap_or_default().to_owned(),
                )
            })
            .collect();
        let ids: String = entries.iter().map(|(_, _, id)| format!("{id}\n")).collect();
        let mut rest: &[u8] = &self.run(&["cat-file", "--batch"], ids.as_bytes());
        let mut files = BTreeMap::new();
        for (path, mode, _) in entries {
            let end = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .expect("each answer has a header line");
            let header = String::from_utf8_lossy(&rest[..end]);
            let size: usize = header
                .rsplit(' ')
                .next()
                .and_then(|size| size.parse().ok())
                .expect("it ends in a size");
            files.insert(path, (mode, rest[end + 1..end + 1 + size].to_vec()));
            rest = &rest[end + 1 + size + 1..];
        }
        files
    }

    /// The commits that all refs stand at, by full name.
    pub fn refs(&self) -> BTreeMap<String, String> {
        let refs = self.run(&["for-each-ref", "--format=%(objectname) %(refname)"], b"");
        String::from_utf8_lossy(&refs)
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(id, name)| (name.to_owned(), id.to_owned()))
            .collect()
    }

    /// Puts all refs back to what they were; others go.
    pub fn set_refs(&self, wanted: &BTreeMap<String, String>) {
        let mut commands = String::new();
        for name in self.refs().keys() {
            if !wanted.contains_key(name) {
                commands += &format!("delete {name}\n");
            }
        }
        for (name, id) in wanted {
            commands += &format!("update {name} {id}\n");
        }
        self.run(&["update-ref", "--stdin"], commands.as_bytes());
    }

    /// The first line of a commit's signature.
    pub fn signature(&self, id: &str) -> Option<String> {
        let bytes = self.run(&["cat-file", "commit", id], b"");
        let text = String::from_utf8_lossy(&bytes);
        let (header, _) = text.split_once("\n\n").expect("a commit has a header");
        let mut lines = header.lines();
        lines.find_map(|line| line.strip_prefix("gpgsig ").map(str::to_owned))
    }

    /// Makes a hook, a script of sh.
    pub fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = self.folder.join("hooks");
        std::fs::create_dir_all(&folder).expect("the repository can be written to");
        let file = folder.join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(file, executable).expect("it is ours");
    }

    /// Runs git on it.
    pub fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        output(
            git().arg("--git-dir").arg(&self.folder).args(arguments),
            input,
        )
    }
}

/// git without the user's or the machine's own settings.
pub fn git() -> Command {
    let mut command = Command::new("git");
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0");
    command
}

/// git with an account of an http server, which doesn't show in the arguments.
pub fn git_with_login(login: &Login) -> Command {
    let mut command = git();
    command
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "http.extraHeader")
        .env(
            "GIT_CONFIG_VALUE_0",
            format!("Authorization: Basic {}", login.basic()),
        );
    command
}

/// Runs a command that must succeed, and gives its output.
pub fn output(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut pipe = child.stdin.take().expect("its input is a pipe");
    let output = std::thread::scope(|scope| {
        // A command that doesn't read its input to the end says so by its status.
        scope.spawn(move || pipe.write_all(input));
        child.wait_with_output().expect("it can be waited for")
    });
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
