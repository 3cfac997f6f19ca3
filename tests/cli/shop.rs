//! The usual case over a git server that takes pushes.

use std::fs;

use crate::environment::{self, Environment, Ran};
use crate::git_server::Server;

/// The objects of [`Environment::shop`] over a git server that takes pushes.
pub struct Shop {
    /// Its folder.
    pub environment: Environment,
    /// The git server.
    pub server: Server,
}

impl Shop {
    /// A shop behind a door of the server; its repository has one commit on `main`.
    pub fn behind(door: &str) -> Self {
        let environment = Environment::shop();
        fs::create_dir(environment.path().join("served")).unwrap();
        environment.git(
            ".",
            &["clone", "--quiet", "--bare", "gitops", "served/gitops.git"],
        );
        for setting in ["http.receivepack", "receive.advertisePushOptions"] {
            environment.git("served/gitops.git", &["config", setting, "true"]);
        }
        let server = Server::start(&environment.path().join("served"), None);
        let shop = Self {
            environment,
            server,
        };
        shop.set_door(door);
        shop
    }

    /// Behind a door that stands open.
    pub fn open() -> Self {
        Self::behind("open")
    }

    /// From now on the source is behind this door.
    pub fn set_door(&self, door: &str) {
        let url = self.server.url(&format!("{door}/gitops.git"));
        let source = environment::git_repository("gitops")
            .replace("https://user:secret@git.example.com/team/gitops", &url);
        self.environment.write("objects/source.yaml", &source);
    }

    /// Changes the automation's manifest.
    pub fn set_automation(&self, change: impl Fn(&str) -> String) {
        let text = environment::automation("images", "main", "./apps");
        self.environment
            .write("objects/automation.yaml", &change(&text));
    }

    /// `reconcile` on the objects and the recording.
    pub fn reconcile(&self, more: &[&str]) -> Ran {
        let usual = ["reconcile", "-f", "objects", "--tags-from", "tags.json"];
        self.environment.run(&[&usual, more].concat())
    }

    /// git on the served repository.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.environment.git("served/gitops.git", arguments)
    }

    /// The commit of a branch of the served repository.
    pub fn head(&self, branch: &str) -> String {
        self.git(&["rev-parse", &format!("refs/heads/{branch}")])
    }

    /// All refs of the served repository.
    pub fn refs(&self) -> String {
        self.git(&["for-each-ref"])
    }

    /// A commit of somebody else's on a branch, which need not exist; gives its id.
    pub fn others_commit(&self, branch: &str, path: &str, text: &str) -> String {
        let environment = &self.environment;
        if !environment.path().join("other").exists() {
            environment.git(".", &["clone", "--quiet", "served/gitops.git", "other"]);
        }
        environment.git("other", &["fetch", "--quiet"]);
        let start = self.git(&["for-each-ref", "--format=%(refname:short)"]);
        let start = if start.lines().any(|name| name == branch) {
            format!("origin/{branch}")
        } else {
            "origin/main".to_owned()
        };
        environment.git("other", &["checkout", "--quiet", "-B", branch, &start]);
        environment.write(&format!("other/{path}"), text);
        environment.git("other", &["add", "--all"]);
        environment.git("other", &["commit", "--quiet", "--message", "Other"]);
        environment.git("other", &["push", "--quiet", "origin", branch]);
        self.head(branch)
    }

    /// Makes a hook of the repository.
    #[cfg(unix)]
    pub fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = format!("served/gitops.git/hooks/{name}");
        let file = self
            .environment
            .write(&path, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
