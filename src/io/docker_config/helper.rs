//! The protocol of docker's credential helpers: a program is given the server's name and answers with user and secret.

use std::process::Command;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::facts::registry::RegistryLogin;
use crate::io::error_text;
use crate::io::program::{self, Limits, Output, Stopped};

/// How long a helper may take: some ask the user for a password, some a cloud for a token.
const PATIENCE: Duration = Duration::from_secs(30);
const LONGEST_ANSWER: usize = 1 << 20;
/// How much of a helper's complaint is repeated.
const LONGEST_COMPLAINT: usize = 200;
/// What helpers say that know nothing of a server.
const NOTHING: &str = "credentials not found in native keychain";
/// The user that stands for a refresh token in the place of the password.
const TOKEN_USER: &str = "<token>";

/// Why a helper gave no answer; displays as the end of a sentence that names it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HelperError {
    /// There is no such program.
    #[error("is not installed")]
    NotInstalled,
    /// Its name would lead elsewhere than to a program on PATH.
    #[error("has no name of a credential helper")]
    BadName,
    /// It can't be run.
    #[error("can't be run: {0}")]
    NotStarted(String),
    /// It takes too long.
    #[error("gave no answer within {} seconds", PATIENCE.as_secs())]
    TimedOut,
    /// It complains.
    #[error("says: {0}")]
    Complaint(String),
    /// What it answers is not the protocol's; nothing of it is repeated, since it may hold the secret.
    #[error("gave an answer that can't be read")]
    Unreadable,
}

/// The protocol's answer; helpers differ in the other members.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Asks `program` for the login of `server`; `None`: it has none.
pub(super) fn get(program: &str, server: &str) -> Result<Option<RegistryLogin>, HelperError> {
    if program.contains(['/', '\\']) {
        return Err(HelperError::BadName);
    }
    let limits = Limits {
        deadline: Some(Instant::now() + PATIENCE),
        output: LONGEST_ANSWER,
    };
    let mut command = Command::new(program);
    command.arg("get");
    read(program::run(
        &mut command,
        Some(server.as_bytes().to_vec()),
        limits,
    ))
}

fn read(ran: Result<Output, Stopped>) -> Result<Option<RegistryLogin>, HelperError> {
    let output = ran.map_err(|stopped| match stopped {
        Stopped::NotStarted(error) if error.kind() == std::io::ErrorKind::NotFound => {
            HelperError::NotInstalled
        }
        Stopped::NotStarted(error) => HelperError::NotStarted(error_text(&error)),
        Stopped::TimedOut(_) => HelperError::TimedOut,
        Stopped::TooMuch => HelperError::Unreadable,
    })?;
    if !output.success() {
        // By the protocol complaints are on standard output.
        let said = [output.stdout, output.stderr];
        let said = said.iter().map(|bytes| String::from_utf8_lossy(bytes));
        let said = said.map(|text| text.trim().to_owned());
        let said = said.filter(|text| !text.is_empty());
        let complaint = said.into_iter().next().unwrap_or_default();
        if complaint == NOTHING {
            return Ok(None);
        }
        let line = complaint.lines().next().unwrap_or("nothing, and fails");
        return Err(HelperError::Complaint(
            line.chars().take(LONGEST_COMPLAINT).collect(),
        ));
    }
    let answer: Credentials =
        serde_json::from_slice(&output.stdout).map_err(|_| HelperError::Unreadable)?;
    Ok(login(answer))
}

fn login(answer: Credentials) -> Option<RegistryLogin> {
    let Credentials { username, secret } = answer;
    if secret.is_empty() {
        return None;
    }
    if username == TOKEN_USER {
        return Some(RegistryLogin::IdentityToken {
            token: secret,
            basic: None,
        });
    }
    (!username.is_empty()).then_some(RegistryLogin::Basic {
        username,
        password: secret,
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// What comes of a helper that is this shell script.
    fn answer(script: &str) -> Result<Option<RegistryLogin>, HelperError> {
        let limits = Limits {
            deadline: Some(Instant::now() + PATIENCE),
            output: LONGEST_ANSWER,
        };
        let mut command = Command::new("sh");
        command.args(["-c", script, "docker-credential-test", "get"]);
        read(program::run(&mut command, Some(b"h.io".to_vec()), limits))
    }
    #[test]
    fn helpers_get_the_server_and_give_user_and_secret() {
        let script = r#"[ "$1" = get ] && printf '{"ServerURL": "%s", "Username": "u-%s", "Secret": "s"}' x "$(cat)""#;
        assert_eq!(
            answer(script),
            Ok(Some(RegistryLogin::Basic {
                username: "u-h.io".into(),
                password: "s".into(),
            }))
        );
        assert_eq!(
            answer(r#"echo '{"Username": "<token>", "Secret": "refresh"}'"#),
            Ok(Some(RegistryLogin::IdentityToken {
                token: "refresh".into(),
                basic: None,
            }))
        );
    }

    #[test]
    fn helpers_that_know_nothing_are_no_trouble() {
        assert_eq!(
            answer("echo credentials not found in native keychain; exit 1"),
            Ok(None)
        );
        assert_eq!(answer(r#"echo '{"Username": "", "Secret": ""}'"#), Ok(None));
    }

    #[test]
    fn troubles_are_told_without_what_may_be_secret() {
        assert_eq!(
            answer("echo 'no session: log in'; echo detail >&2; exit 1")
                .unwrap_err()
                .to_string(),
            "says: no session: log in"
        );
        assert_eq!(
            answer("exit 3").unwrap_err().to_string(),
            "says: nothing, and fails"
        );
        assert_eq!(answer("echo swordfish"), Err(HelperError::Unreadable));
        assert_eq!(answer("yes"), Err(HelperError::Unreadable));
        let missing = get("docker-credential-nobody-has-this", "h.io");
        assert_eq!(missing, Err(HelperError::NotInstalled));
        let elsewhere = get("docker-credential-../../bin/sh", "h.io");
        assert_eq!(elsewhere, Err(HelperError::BadName));
    }
}
