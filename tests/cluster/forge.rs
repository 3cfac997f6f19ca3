//! The git forge: accounts, ssh, deploy keys and protected branches, for what a plain git server doesn't have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Request;

use super::api::agent;
use super::control_plane::Login;
use super::programs::{go_program, module_folder};
use super::repository::{Repository, git, git_with_login, output};
use super::ssh::{KeyPair, git_over_ssh};
use super::{ControlPlane, control_plane, tell};

/// The running forge.
pub struct Forge {
    /// The account that may do everything.
    pub administrator: Login,
    /// An ordinary account, which owns the repositories.
    pub user: Login,
    addresses: Addresses,
    agent: Agent,
}

/// How the supervisor tells of the forge.
#[derive(Deserialize)]
struct Addresses {
    #[serde(flatten)]
    administrator: Login,
    ssh: String,
    #[serde(rename = "hostKeys")]
    host_keys: Vec<String>,
    repositories: PathBuf,
}

/// A repository of the forge's ordinary account.
pub struct ForgeRepository<'a> {
    forge: &'a Forge,
    name: String,
    /// Its ssh address.
    pub ssh_url: String,
    /// What the forge has stored, with its http address.
    pub stored: Repository,
}

/// What a deploy key lets do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Fetch only.
    Read,
    /// Fetch and push.
    Write,
}

impl Forge {
    /// Builds and starts the forge; `None` where it can't be built.
    pub fn start(plane: &ControlPlane) -> Option<Self> {
        let program = go_program("gitea")?;
        let started = Instant::now();
        let files = module_folder("gitea", "code.gitea.io/gitea");
        let addresses: Addresses =
            plane.ask_supervisor("forge/start", &json!({"program": program, "files": files}));
        let administrator = addresses.administrator.clone();
        let forge = Self {
            user: Login {
                address: administrator.address.clone(),
                user: "fluxcdbot".to_owned(),
                password: format!("{}-too", administrator.password),
            },
            administrator,
            addresses,
            agent: agent(),
        };
        forge.ask(
            &forge.administrator,
            "POST",
            "admin/users",
            &json!({
                "username": forge.user.user, "password": forge.user.password, "email": "fluxcdbot@example.com",
                "must_change_password": false,
            }),
        );
        tell(&format!("the forge is up after {:.1?}", started.elapsed()));
        Some(forge)
    }

    /// The ssh server's keys as lines of a known_hosts file.
    pub fn known_hosts(&self) -> String {
        let (host, port) = self.addresses.ssh.split_once(':').expect("it has a port");
        self.addresses
            .host_keys
            .iter()
            .map(|key| format!("[{host}]:{port} {key}\n"))
            .collect()
    }

    /// Makes a private repository whose branch `main` has one commit with these files (path to bytes), pushed over http.
    pub fn create_repository<'a>(
        &self,
        name: &str,
        files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> ForgeRepository<'_> {
        self.ask(
            &self.user,
            "POST",
            "user/repos",
            &json!({"name": name, "private": true, "default_branch": "main"}),
        );
        let path = format!("{}/{name}.git", self.user.user);
        let url = format!("http://{}/{path}", self.user.address);
        let start = tempfile::tempdir().expect("a temporary folder can be made");
        let start = Repository::make(start.path().join("start.git"), url.clone());
        start.commit_files("main", "Start", files);
        output(
            git_with_login(&self.user)
                .arg("--git-dir")
                .arg(start.folder())
                .args(["push", "--quiet", &url, "main"]),
            b"",
        );
        ForgeRepository {
            forge: self,
            name: name.to_owned(),
            ssh_url: format!("ssh://git@{}/{path}", self.addresses.ssh),
            stored: Repository::at(self.addresses.repositories.join(path), url),
        }
    }

    /// Makes an account that may read a repository and nothing else.
    pub fn create_reader(&self, repository: &ForgeRepository<'_>, name: &str) -> Login {
        let reader = Login {
            address: self.user.address.clone(),
            user: name.to_owned(),
            password: format!("{}-{name}", self.user.password),
        };
        self.ask(
            &self.administrator,
            "POST",
            "admin/users",
            &json!({
                "username": reader.user, "password": reader.password, "email": format!("{name}@example.com"),
                "must_change_password": false,
            }),
        );
        let path = format!(
            "repos/{}/{}/collaborators/{name}",
            self.user.user, repository.name
        );
        self.ask(&self.user, "PUT", &path, &json!({"permission": "read"}));
        reader
    }

    /// Asks the forge's own API, at a path below `/api/v1`.
    pub fn ask(&self, login: &Login, method: &str, path: &str, question: &Value) -> Value {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}/api/v1/{path}", login.address))
            .header("Authorization", format!("Basic {}", login.basic()))
            .header("Content-Type", "application/json")
            .body(question.to_string())
            .expect("the request is well formed");
        let mut answer = self
            .agent
            .run(request)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let text = answer
            .body_mut()
            .read_to_string()
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert!(
            answer.status().is_success(),
            "{method} {path}: {} {text}",
            answer.status()
        );
        serde_json::from_str(&text).unwrap_or_default()
    }
}

impl ForgeRepository<'_> {
    /// Lets the owner of a key in over ssh.
    pub fn add_deploy_key(&self, key: &KeyPair, access: Access) {
        self.ask(
            "keys",
            &json!({"title": key.public, "key": key.public, "read_only": access == Access::Read}),
        );
    }

    /// Lets nobody push to a branch.
    pub fn protect(&self, branch: &str) {
        self.ask(
            "branch_protections",
            &json!({"rule_name": branch, "enable_push": false}),
        );
    }

    fn ask(&self, what: &str, question: &Value) {
        let user = &self.forge.user;
        let path = format!("repos/{}/{}/{what}", user.user, self.name);
        self.forge.ask(user, "POST", &path, question);
    }
}

#[test]
fn the_forge_serves_git_over_http_and_ssh() {
    let Some((forge, repository, folder)) = repository_of_the_forge("clones") else {
        return;
    };
    let head = repository.stored.head("main");
    assert!(head.is_some());

    let over_http = clone(
        &mut git_with_login(&forge.user),
        &repository.stored.url,
        &folder.path().join("http"),
    );
    assert_eq!(over_http.as_deref(), Ok(FILE));
    let refused = clone(
        &mut git(),
        &repository.stored.url,
        &folder.path().join("refused"),
    );
    assert!(refused.is_err(), "{refused:?}");

    let known_hosts = folder.path().join("known_hosts");
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let Some(key) = KeyPair::generate(kind, "") else {
            return;
        };
        fs::write(&known_hosts, forge.known_hosts()).expect("it can be written");
        let git = || git_over_ssh(&key, &known_hosts);
        let stranger = clone(
            &mut git(),
            &repository.ssh_url,
            &folder.path().join("stranger"),
        )
        .expect_err("the forge doesn't know the key");
        assert!(stranger.contains("Permission denied"), "{stranger}");
        repository.add_deploy_key(&key, Access::Read);
        let over_ssh = clone(&mut git(), &repository.ssh_url, &folder.path().join(kind));
        assert_eq!(over_ssh.as_deref(), Ok(FILE));

        fs::write(&known_hosts, "").expect("it can be written");
        let unknown = clone(
            &mut git(),
            &repository.ssh_url,
            &folder.path().join("unknown"),
        )
        .expect_err("the host is unknown");
        assert!(
            unknown.contains("Host key verification failed"),
            "{unknown}"
        );
    }
}

#[test]
fn a_key_with_a_passphrase_is_of_no_use_without_it() {
    let Some((forge, repository, folder)) = repository_of_the_forge("passphrase") else {
        return;
    };
    let Some(key) = KeyPair::generate("ed25519", "a passphrase") else {
        return;
    };
    repository.add_deploy_key(&key, Access::Read);
    let known_hosts = folder.path().join("known_hosts");
    fs::write(&known_hosts, forge.known_hosts()).expect("it can be written");
    let refused = clone(
        &mut git_over_ssh(&key, &known_hosts),
        &repository.ssh_url,
        &folder.path().join("clone"),
    );
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn the_forge_refuses_pushes_that_are_not_allowed() {
    let Some((forge, repository, folder)) = repository_of_the_forge("pushes") else {
        return;
    };
    let (Some(reads), Some(writes)) = (
        KeyPair::generate("ed25519", ""),
        KeyPair::generate("ed25519", ""),
    ) else {
        return;
    };
    repository.add_deploy_key(&reads, Access::Read);
    repository.add_deploy_key(&writes, Access::Write);
    repository.protect("main");
    let known_hosts = folder.path().join("known_hosts");
    fs::write(&known_hosts, forge.known_hosts()).expect("it can be written");
    let (http, ssh) = (&repository.stored.url, &repository.ssh_url);
    let work = folder.path().join("work");
    clone(&mut git_with_login(&forge.user), http, &work).expect("the owner may fetch");
    let mut commit = git();
    commit.arg("-C").arg(&work).args([
        "-c",
        "user.name=Someone",
        "-c",
        "user.email=someone@example.com",
        "commit",
        "--quiet",
        "--allow-empty",
        "--message=More",
    ]);
    ask(&mut commit).expect("it can be committed");
    let before = repository.stored.heads();
    let push = |mut git: Command, url: &str, branch: &str| {
        ask(git
            .arg("-C")
            .arg(&work)
            .args(["push", url, &format!("HEAD:refs/heads/{branch}")]))
    };

    let refused = "Not allowed to push to protected branch main";
    for (git, url) in [
        (git_with_login(&forge.user), http),
        (git_over_ssh(&writes, &known_hosts), ssh),
    ] {
        let error = push(git, url, "main").expect_err("main is protected");
        assert!(error.contains(refused), "{error}");
    }
    push(git_over_ssh(&reads, &known_hosts), ssh, "other").expect_err("the key only reads");
    assert_eq!(repository.stored.heads(), before);

    push(git_over_ssh(&writes, &known_hosts), ssh, "other").expect("the key writes");
    let other = repository.stored.head("other").expect("it was pushed");
    let parents = repository.stored.commit(&other).parents;
    assert_eq!(parents.first(), before.get("main"));
}

/// What `file.txt` holds.
const FILE: &str = "as it was\n";

/// A repository with one file, and a folder to work in.
fn repository_of_the_forge(
    name: &str,
) -> Option<(&'static Forge, ForgeRepository<'static>, tempfile::TempDir)> {
    let forge = control_plane()?.forge()?;
    let repository = forge.create_repository(name, [("file.txt", FILE.as_bytes())]);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    Some((forge, repository, folder))
}

/// Clones and gives the text of `file.txt`, or git's errors.
fn clone(git: &mut Command, url: &str, folder: &Path) -> Result<String, String> {
    ask(git.args(["clone", "--quiet", url]).arg(folder))?;
    Ok(fs::read_to_string(folder.join("file.txt")).expect("it was checked out"))
}

/// Runs a command and gives its errors where it fails.
fn ask(command: &mut Command) -> Result<(), String> {
    let output = command.output().expect("it can be run");
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}
