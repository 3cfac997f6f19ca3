//! Clones over `file://` and http from servers of our own: hermetic, with git and nothing else.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't prepare its case fails"
)]

mod files;
mod http;
mod local;
mod refs;
mod repository;
mod server;
mod user;

use std::time::Duration;

use imageauto::controllers::checkout::{Switch, Target};
use imageauto::facts::git::{GitAccess, GitLogin};
use imageauto::io::git::{Clone, CloneError, CloneRequest};
use imageauto::io::observer::Observer;

/// A clone of `main` without a login.
fn request(url: &str) -> CloneRequest {
    CloneRequest {
        url: url.into(),
        access: GitAccess::default(),
        target: Target::Branch("main".into()),
        switch: None,
        timeout: Duration::from_secs(60),
    }
}

fn with_login(url: &str, login: GitLogin) -> CloneRequest {
    CloneRequest {
        access: GitAccess {
            login,
            ..GitAccess::default()
        },
        ..request(url)
    }
}

fn basic(username: &str, password: &str) -> GitLogin {
    GitLogin::Basic {
        username: username.into(),
        password: password.into(),
    }
}

fn to(branch: &str) -> Option<Switch> {
    Some(Switch {
        branch: branch.into(),
        all_branches: true,
    })
}

fn cloned(request: &CloneRequest) -> Clone {
    imageauto::io::git::clone(request, &Observer::nobody())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn refused(request: &CloneRequest) -> CloneError {
    match imageauto::io::git::clone(request, &Observer::nobody()) {
        Ok(clone) => panic!("{clone:?}"),
        Err(error) => error,
    }
}

/// The controller's text of a refused clone.
fn text(request: &CloneRequest) -> String {
    let error = refused(request);
    let text = error.controller_text(false);
    text.unwrap_or_else(|| panic!("{error}"))
}
