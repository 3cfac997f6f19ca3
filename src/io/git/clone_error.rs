//! Why a repository could not be cloned: in our words, and in the controller's.

use std::fmt;

use super::GitError;
use super::fault::{CloneErrorKind, Fault};
use crate::controllers::checkout::{Said, Target};
use crate::facts::git::without_secrets;

/// A clone that failed. Nothing in it is secret, and no URL in it has user information.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloneError {
    /// What kind of failure it is.
    pub kind: CloneErrorKind,
    /// The server's own words, where it had any.
    pub server: Option<String>,
    url: String,
    message: String,
    controllers: Box<Words>,
}

/// What the controller says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Words {
    said: Option<Said>,
    /// When it lists the remote's refs first, where that makes a difference.
    listed: Option<Said>,
}

impl CloneError {
    /// What image-automation-controller has in its Ready message behind `failed to checkout source: `, with `<clone>` for the path of
    /// its own clone. `listed_first`: whether it lists the remote's refs before it clones, see
    /// [`lists_first`](crate::controllers::automation::lists_first).
    ///
    /// `None` where the controller would not fail in this way, or panics: see [`panics`](Self::panics). Where it names what can't be known
    /// from here (the address of its name server, the names and times in a certificate), that is left out; what a server
    /// says and what git and OpenSSH say of a broken connection may be worded otherwise.
    pub fn controller_text(&self, listed_first: bool) -> Option<String> {
        self.said(listed_first)?.text(&self.url)
    }

    /// Whether the controller panics on this repository: it is caught and tries again, and the Ready condition of the automation stays
    /// as it was, `Unknown` at first.
    pub fn panics(&self, listed_first: bool) -> bool {
        self.said(listed_first) == Some(&Said::Panics)
    }

    fn said(&self, listed_first: bool) -> Option<&Said> {
        let Words { said, listed } = &*self.controllers;
        let listed = listed.as_ref().filter(|_| listed_first);
        listed.or(said.as_ref())
    }

    pub(super) fn new(
        url: &str,
        kind: CloneErrorKind,
        said: Option<Said>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            server: None,
            url: without_secrets(url),
            message: message.into(),
            controllers: Box::new(Words { said, listed: None }),
        }
    }

    /// The same with what a controller says that lists the refs first.
    pub(super) fn when_listed(mut self, listed: Option<Said>) -> Self {
        self.controllers.listed = listed;
        self
    }

    pub(super) fn of_fault(url: &str, fault: Fault, target: &Target) -> Self {
        Self {
            kind: fault.kind,
            server: fault.server,
            url: without_secrets(url),
            message: fault.message,
            controllers: Box::new(Words {
                said: fault.cause.said(target, false),
                listed: fault.cause.said(target, true),
            }),
        }
    }

    /// A failure of git on our own repository.
    pub(super) fn of_git(url: &str, error: &GitError) -> Self {
        Self::new(url, CloneErrorKind::NoGit, None, error.0.clone())
    }
}

impl fmt::Display for CloneError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cloning {}: {}", self.url, self.message)
    }
}

impl std::error::Error for CloneError {}
