//! Pushing from a clone: one ref at a time, always against the state of it that is expected, so that nothing is ever overwritten
//! that was not seen.

use std::fmt;
use std::time::{Duration, Instant};

use super::clone::{Clone, CloneRequest};
use super::fault::{CloneErrorKind, Fault, telling};
use super::http_trace::Spoken;
use super::remote::{Call, NAME, Remote, Service};
use crate::facts::git::without_secrets;
use crate::io::observer::Observer;
use crate::io::program::Output;

/// One ref to push.
#[derive(Clone, Copy, Debug)]
pub struct Push<'a> {
    /// The commit's id; empty: the ref goes.
    pub commit: &'a str,
    /// The ref's full name.
    pub to: &'a str,
    /// What the server must have there.
    pub expected: Expected<'a>,
    /// Push options, `key=value`; left out where the server takes none.
    pub options: &'a [String],
}

/// What the server must have at a ref for a push to go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected<'a> {
    /// Exactly this commit, or with `None` no such ref.
    Commit(Option<&'a str>),
    /// Nothing, or a commit that the pushed one follows.
    Ancestor,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The server has the commit.
    Done,
    /// The server had it already.
    UpToDate,
}

/// What kind of failure ended a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushErrorKind {
    /// Somebody pushed meanwhile; nothing was changed.
    Lost,
    /// The server takes this login's pushes in general, but not this one.
    Rejected,
    /// The login may not push, or is not accepted.
    NotAllowed,
    /// Anything else that ended it before a byte was taken.
    Failed,
    /// The conversation broke, and what the server has now can't be found out.
    Unclear,
}

/// A push that failed. Nothing in it is secret, and no URL in it has user information.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushError {
    /// What kind of failure it is.
    pub kind: PushErrorKind,
    /// The server's own words, one a line, where it had any.
    pub server: Option<String>,
    url: String,
    message: String,
}

impl fmt::Display for PushError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "pushing to {}: {}", self.url, self.message)
    }
}

impl std::error::Error for PushError {}

/// A conversation with the server that a clone came from.
#[derive(Debug)]
pub struct Pushing<'a> {
    clone: &'a Clone,
    remote: Remote,
    url: String,
    deadline: Instant,
}

/// How long a broken conversation's outcome is looked for.
const LOOKING: Duration = Duration::from_secs(15);

impl<'a> Pushing<'a> {
    /// Prepares to push what is in `clone` to where `request` cloned it from, for no longer than `limit` in all.
    ///
    /// # Errors
    ///
    /// The login can't be used.
    pub fn new(
        clone: &'a Clone,
        request: &CloneRequest,
        limit: Duration,
        observer: &Observer,
    ) -> Result<Self, PushError> {
        let url = without_secrets(&request.url);
        let folder = clone.repository.path();
        let remote = Remote::new(&request.url, &request.access, limit, folder, observer);
        Ok(Self {
            clone,
            remote: remote.map_err(|fault| before(&url, fault))?,
            url,
            deadline: Instant::now() + limit,
        })
    }

    /// Whether the server would take a push of this login at all: what it says before anything is sent.
    ///
    /// # Errors
    ///
    /// It would not, or can't be asked.
    pub fn check(&mut self, to: &str) -> Result<(), PushError> {
        let refspec = format!("{}:{to}", self.clone.head_commit);
        let arguments = [
            "push",
            "--dry-run",
            "--porcelain",
            "--no-verify",
            "--",
            NAME,
            &refspec,
        ];
        let outcome = self.call(&arguments);
        outcome.map(drop).map_err(|fault| before(&self.url, fault))
    }

    /// Pushes one ref.
    ///
    /// # Errors
    ///
    /// The server doesn't take it, or can't be reached. Unless the kind is `Unclear` it has what it had.
    pub fn push(&mut self, push: &Push<'_>) -> Result<Pushed, PushError> {
        let outcome = self.try_push(push, push.options);
        let outcome = match outcome {
            Err(fault) if takes_no_options(&fault) => self.try_push(push, &[]),
            other => other,
        };
        match outcome {
            Ok((output, spoken)) => self.judge(push, &output, &spoken),
            Err(fault) if is_broken(&fault) => self.look(push, fault.message, fault.server),
            Err(fault) => Err(before(&self.url, fault)),
        }
    }

    /// The id of a ref on the server; `None` where it isn't there.
    ///
    /// # Errors
    ///
    /// The server can't be asked.
    pub fn head(&mut self, name: &str) -> Result<Option<String>, PushError> {
        let found = self.list(name, self.deadline);
        found.map_err(|fault| before(&self.url, fault))
    }

    fn try_push(&mut self, push: &Push<'_>, options: &[String]) -> Result<(Output, Spoken), Fault> {
        let refspec = format!("{}:{}", push.commit, push.to);
        let mut arguments = vec![
            "push".to_owned(),
            "--porcelain".into(),
            "--no-verify".into(),
            "--no-follow-tags".into(),
            "--no-signed".into(),
            "--recurse-submodules=no".into(),
        ];
        if let Expected::Commit(expected) = push.expected {
            let expected = expected.unwrap_or_default();
            arguments.push(format!("--force-with-lease={}:{expected}", push.to));
        }
        arguments.extend(
            options
                .iter()
                .map(|option| format!("--push-option={option}")),
        );
        arguments.extend(["--".into(), NAME.into(), refspec]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.call(&arguments)
    }

    fn call(&mut self, arguments: &[&str]) -> Result<(Output, Spoken), Fault> {
        let repository = self.clone.repository.main();
        let call = Call {
            service: Service::ReceivePack,
            repository: &repository,
            arguments,
            deadline: self.deadline,
        };
        let outcome = self.remote.call_with_result(&call);
        self.remote.rest();
        outcome
    }

    fn list(&mut self, name: &str, deadline: Instant) -> Result<Option<String>, Fault> {
        let repository = self.clone.repository.main();
        let call = Call {
            service: Service::UploadPack,
            repository: &repository,
            arguments: &["ls-remote", "--quiet", "--", NAME, name],
            deadline,
        };
        let output = self.remote.call(&call);
        self.remote.rest();
        let text = String::from_utf8_lossy(&output?.stdout).into_owned();
        let mut refs = text.lines().filter_map(|line| line.split_once('\t'));
        let found = refs.find(|(_, found)| *found == name);
        Ok(found.map(|(id, _)| id.to_owned()))
    }

    /// Reads what git tells of the ref.
    fn judge(
        &mut self,
        push: &Push<'_>,
        output: &Output,
        spoken: &Spoken,
    ) -> Result<Pushed, PushError> {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let server = spoken.of_server().join("\n").trim_end().to_owned();
        let server = (!server.is_empty()).then_some(server);
        let Some((flag, summary)) = told_of(&text, push.to) else {
            let words = spoken.of_git().join("; ");
            return self.look(push, words, server);
        };
        match flag {
            '=' => return Ok(Pushed::UpToDate),
            '!' => {}
            _ if output.success() => return Ok(Pushed::Done),
            _ => return self.look(push, summary.to_owned(), server),
        }
        if summary.starts_with("[remote failure]") {
            return self.look(push, summary.to_owned(), server);
        }
        // Its disk is full, or the line broke: that is no word on who may push.
        if summary.contains("unpacker error") {
            let said = server
                .as_deref()
                .map_or(String::new(), |words| format!(": \"{}\"", one_line(words)));
            let words = format!("the server could not take what was sent: {summary}{said}");
            return self.look(push, words, server);
        }
        let kind = if is_race(summary, server.as_deref()) {
            PushErrorKind::Lost
        } else {
            PushErrorKind::Rejected
        };
        let message = match (kind, &server) {
            (PushErrorKind::Lost, _) => {
                format!(
                    "somebody else has pushed to {} meanwhile ({summary})",
                    push.to
                )
            }
            (_, Some(words)) => {
                format!(
                    "the server refuses the push to {}: {summary}: \"{}\"",
                    push.to,
                    one_line(words)
                )
            }
            (_, None) => format!("the server refuses the push to {}: {summary}", push.to),
        };
        Err(self.error(kind, server, message))
    }

    /// After a conversation that broke: what the server has now.
    fn look(
        &mut self,
        push: &Push<'_>,
        words: String,
        server: Option<String>,
    ) -> Result<Pushed, PushError> {
        let wanted = (!push.commit.is_empty()).then(|| push.commit.to_owned());
        match self.list(push.to, Instant::now() + LOOKING) {
            Ok(found) if found == wanted => Ok(Pushed::Done),
            Ok(_) => Err(self.error(
                PushErrorKind::Failed,
                server,
                format!("{words}; the server has nothing of it"),
            )),
            Err(fault) => Err(self.error(
                PushErrorKind::Unclear,
                server,
                format!(
                    "{words}; whether {} was pushed to {} could not be found out ({}): look at the repository before you go on",
                    push.commit, push.to, fault.message
                ),
            )),
        }
    }

    fn error(&self, kind: PushErrorKind, server: Option<String>, message: String) -> PushError {
        PushError {
            kind,
            server,
            url: self.url.clone(),
            message,
        }
    }
}

/// A failure before anything was sent.
fn before(url: &str, fault: Fault) -> PushError {
    let kind = match fault.kind {
        CloneErrorKind::Refused | CloneErrorKind::NoRepository | CloneErrorKind::UnusableLogin => {
            PushErrorKind::NotAllowed
        }
        _ => PushErrorKind::Failed,
    };
    PushError {
        kind,
        server: fault.server,
        url: url.to_owned(),
        message: fault.message,
    }
}

/// Flag and summary of the ref in what `git push --porcelain` says: `FLAG TAB FROM:TO TAB SUMMARY`.
fn told_of<'a>(text: &'a str, to: &str) -> Option<(char, &'a str)> {
    text.lines().find_map(|line| {
        let mut fields = line.splitn(3, '\t');
        let flag = fields.next()?.chars().next()?;
        let (_, target) = fields.next()?.rsplit_once(':')?;
        (target == to).then_some((flag, fields.next().unwrap_or_default()))
    })
}

/// Whether the ref was not as expected: git's words when it sees it beforehand, and servers' when they see it in the end.
fn is_race(summary: &str, server: Option<&str>) -> bool {
    const LOCAL: [&str; 4] = [
        "(stale info)",
        "(fetch first)",
        "(non-fast-forward)",
        "(already exists)",
    ];
    const REMOTE: [&str; 7] = [
        "failed to update ref",
        "failed to lock",
        "cannot lock ref",
        "incorrect old value provided",
        "reference already exists",
        "fetch first",
        "but expected",
    ];
    let local =
        summary.starts_with("[rejected]") && LOCAL.iter().any(|word| summary.contains(word));
    let remote = summary.starts_with("[remote rejected]")
        && REMOTE.iter().any(|word| {
            summary.contains(word) || server.is_some_and(|server| server.contains(word))
        });
    local || remote
}

fn takes_no_options(fault: &Fault) -> bool {
    fault.message.contains("does not support push options")
}

/// Whether the server may have taken the push before it came to this.
fn is_broken(fault: &Fault) -> bool {
    matches!(
        fault.kind,
        CloneErrorKind::TimedOut | CloneErrorKind::Unreachable | CloneErrorKind::ServerFailed
    )
}

fn one_line(words: &str) -> String {
    words
        .lines()
        .filter_map(telling)
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refs_line_tells() {
        let text = "To http://x\n!\tabc:refs/heads/main\t[rejected] (stale info)\nDone\n";
        assert_eq!(
            told_of(text, "refs/heads/main"),
            Some(('!', "[rejected] (stale info)"))
        );
        assert_eq!(
            told_of("*\tabc:refs/heads/x\t[new branch]\n", "refs/heads/x"),
            Some(('*', "[new branch]"))
        );
        assert_eq!(
            told_of(" \tabc:refs/heads/x\t1..2\n", "refs/heads/x"),
            Some((' ', "1..2"))
        );
        assert_eq!(told_of(text, "refs/heads/other"), None);
    }

    #[test]
    fn races_are_told_from_refusals() {
        for summary in [
            "[rejected] (stale info)",
            "[rejected] (fetch first)",
            "[remote rejected] (failed to update ref)",
            "[remote rejected] (incorrect old value provided)",
        ] {
            assert!(is_race(summary, None), "{summary}");
        }
        assert!(is_race(
            "[remote rejected] (error)",
            Some("error: cannot lock ref 'refs/heads/main': is at 1 but expected 2")
        ));
        for summary in [
            "[remote rejected] (pre-receive hook declined)",
            "[remote rejected] (protected branch hook declined)",
            "[remote rejected] (unpacker error)",
        ] {
            assert!(!is_race(summary, None), "{summary}");
        }
    }
}
