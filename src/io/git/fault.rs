//! What goes wrong with a server: git's and curl's and OpenSSH's words, read for the kind of failure and for what Go's libraries
//! say in the same place.

use std::path::Path;

use super::GitError;
use crate::controllers::checkout::{Said, Target};

mod http;
mod ssh;

/// What kind of failure ended a clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneErrorKind {
    /// The program git is missing, too old, or can't work here.
    NoGit,
    /// We don't do what the controller would do.
    OurRefusal,
    /// The login can't be used, whatever the server says.
    UnusableLogin,
    /// The server refuses the login, or us: 401, 403, no accepted key.
    Refused,
    /// The server's own identity is not to be trusted: its certificate or host key.
    Untrusted,
    /// There is no repository at the address.
    NoRepository,
    /// The server answers with an error, or not as a git server.
    ServerFailed,
    /// No connection comes about.
    Unreachable,
    /// It took longer than the limit.
    TimedOut,
    /// The ref, tag or commit is not there, or can't be checked out.
    MissingRef,
    /// The repository holds nothing.
    Empty,
    /// The controller chooses at random.
    NotDeterministic,
}

/// The controller's words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The library's words for a server or a connection.
    Transport(String),
    /// The server doesn't know the repository.
    NoRepository,
    /// The library's words for a key.
    Key(String),
    /// Not known, or none.
    Unknown,
}

impl Cause {
    /// The controller's text.
    pub fn said(&self, target: &Target, listed_first: bool) -> Option<Said> {
        match self {
            Self::Transport(cause) => Some(Said::of_transport(target, listed_first, cause.clone())),
            Self::NoRepository => Some(Said::repository_not_found(target, listed_first)),
            Self::Key(cause) => Some(Said::unusable_key(cause)),
            Self::Unknown => None,
        }
    }
}

/// A failure to speak to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub kind: CloneErrorKind,
    pub cause: Cause,
    /// What was wrong and what to do, without the name of the repository.
    pub message: String,
    /// The server's own words.
    pub server: Option<String>,
}

impl Fault {
    fn new(kind: CloneErrorKind, cause: Cause, message: impl Into<String>) -> Self {
        Self {
            kind,
            cause,
            message: message.into(),
            server: None,
        }
    }

    fn transport(
        kind: CloneErrorKind,
        cause: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(kind, Cause::Transport(cause.into()), message)
    }

    pub fn unusable_url(why: impl std::fmt::Display) -> Self {
        Self::refusal(format!("its address can't be used: {why}"))
    }

    pub fn refusal(why: impl Into<String>) -> Self {
        Self::new(CloneErrorKind::OurRefusal, Cause::Unknown, why)
    }

    pub fn no_git(error: GitError) -> Self {
        Self::new(CloneErrorKind::NoGit, Cause::Unknown, error.0)
    }

    pub fn of_disk(folder: &Path, error: &std::io::Error) -> Self {
        Self::new(
            CloneErrorKind::NoGit,
            Cause::Unknown,
            format!("{} can't be written to: {error}", folder.display()),
        )
    }

    pub fn of_key(cause: &str) -> Self {
        Self::new(
            CloneErrorKind::UnusableLogin,
            Cause::Key(cause.to_owned()),
            format!(
                "the Secret's ssh key, its passphrase or its known_hosts can't be used: {cause}"
            ),
        )
    }

    pub fn bad_redirect(cause: String) -> Self {
        let message = format!("the server sends its clients elsewhere: {cause}");
        Self::transport(CloneErrorKind::ServerFailed, cause, message)
    }

    pub fn redirected_later(asked: &str, location: &str) -> Self {
        Self::bad_redirect(format!(
            "unexpected client error: Post \"{asked}/git-upload-pack\": http redirect: redirect on non-initial request to {location}"
        ))
    }

    /// Something else than git answers; `empty`: without a word.
    pub fn no_git_server(empty: bool, words: &[&str]) -> Self {
        let said = told(words);
        Self::transport(
            CloneErrorKind::ServerFailed,
            if empty {
                "empty input"
            } else {
                "invalid pkt-len found"
            },
            format!("no git server answers there{said}: check the address"),
        )
    }

    /// A failure that only git's last words tell of.
    pub fn of_words(words: &[&str]) -> Self {
        let fatal: Vec<&str> = words
            .iter()
            .filter_map(|line| {
                line.strip_prefix("fatal: ")
                    .or_else(|| line.strip_prefix("error: "))
            })
            .collect();
        let missing = |line: &&&str| line.starts_with("couldn't find remote ref ");
        if let Some(line) = fatal.iter().find(missing) {
            let name = line.rsplit(' ').next().unwrap_or_default();
            return Self::transport(
                CloneErrorKind::MissingRef,
                format!("couldn't find remote ref \"{name}\""),
                format!("it has no ref {name}"),
            );
        }
        if words.iter().any(|line| is_unknown_repository(line)) {
            return Self::new(
                CloneErrorKind::NoRepository,
                Cause::NoRepository,
                "there is no such repository",
            );
        }
        let said = fatal.join("; ");
        Self::transport(
            CloneErrorKind::ServerFailed,
            said.clone(),
            format!("git failed: {said}"),
        )
    }

    /// The same without what `redact` takes out of each text.
    pub fn redacted(self, redact: impl Fn(&str) -> String) -> Self {
        let cause = match self.cause {
            Cause::Transport(cause) => Cause::Transport(redact(&cause)),
            Cause::Key(cause) => Cause::Key(redact(&cause)),
            other => other,
        };
        Self {
            kind: self.kind,
            cause,
            message: redact(&self.message),
            server: self.server.map(|words| redact(&words)),
        }
    }

    /// The same with the server's own words.
    fn with_server(mut self, words: &str) -> Self {
        self.server = Some(words.to_owned());
        self
    }
}

/// What a line of a server's tells; `None` for what only sets it off.
pub(super) fn telling(line: &str) -> Option<&str> {
    let line = line.strip_prefix("remote:").unwrap_or(line).trim();
    let is_frame = line
        .chars()
        .all(|character| !character.is_alphanumeric() && !character.is_whitespace());
    let is_head = line.eq_ignore_ascii_case("error:");
    (!is_frame && !is_head).then_some(line)
}

fn told(words: &[&str]) -> String {
    match words.first() {
        Some(line) => format!(" ({})", line.strip_prefix("fatal: ").unwrap_or(line)),
        None => String::new(),
    }
}

fn with_port(host: &str, port: &str) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The words by which the controller's library knows that a server doesn't know the repository.
fn is_unknown_repository(line: &str) -> bool {
    [
        "Repository not found.",
        "repository does not exist.",
        "does not appear to be a git repository",
        "no such repository",
        "access denied",
        "Repository does not exist or you do not have access",
        "The project you were looking for could not be found",
    ]
    .iter()
    .any(|words| line.contains(words))
}

#[cfg(test)]
mod tests;
