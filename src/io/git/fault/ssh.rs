//! Failures over ssh, in OpenSSH's words.

use super::{Cause, CloneErrorKind, Fault, is_unknown_repository, telling, with_port};
use crate::controllers::known_hosts::TrustedKeys;
use crate::io::git::http_trace::Spoken;
use crate::io::git::ssh::host_key_algorithms;

impl Fault {
    /// A SOCKS5 proxy gives no way to the server.
    pub fn no_way_through(proxy: &str, host: &str, port: &str, why: &str) -> Self {
        let to = with_port(host, port);
        Self::transport(
            CloneErrorKind::Unreachable,
            format!("socks connect tcp {proxy}->{to}: {why}"),
            format!("no way through the proxy {proxy} of proxySecretRef to {to}: {why}"),
        )
    }

    /// A conversation over ssh failed.
    pub fn of_ssh(spoken: &Spoken, trusted: Option<&TrustedKeys>) -> Self {
        let lines = spoken.words.iter().map(String::as_str);
        let lines = Lines(lines.filter(|line| !line.is_empty()).collect());
        host_key_fault(&lines, trusted)
            .or_else(|| login_fault(&lines))
            .or_else(|| connection_fault(&lines))
            .or_else(|| repository_fault(&lines))
            .unwrap_or_else(|| Self::of_words(&spoken.of_git()))
    }
}

/// What ssh, git and the server said.
struct Lines<'a>(Vec<&'a str>);

impl<'a> Lines<'a> {
    /// The first line that has these words.
    fn find(&self, words: &str) -> Option<&'a str> {
        self.0.iter().copied().find(|line| line.contains(words))
    }
}

fn handshake(cause: &str) -> String {
    format!("ssh: handshake failed: {cause}")
}

fn login_fault(lines: &Lines<'_>) -> Option<Fault> {
    let line = lines.find("Permission denied (")?;
    let methods = if line.contains("publickey") {
        "none publickey"
    } else {
        "none"
    };
    let cause = format!(
        "ssh: unable to authenticate, attempted methods [{methods}], no supported methods remain"
    );
    let fault = Fault::transport(
        CloneErrorKind::Refused,
        handshake(&cause),
        "the server does not accept the key: add its public half to the repository's deploy keys",
    );
    Some(fault.with_server(line))
}

fn connection_fault(lines: &Lines<'_>) -> Option<Fault> {
    let unreachable = |cause: String, message: String| {
        Some(Fault::transport(
            CloneErrorKind::Unreachable,
            cause,
            message,
        ))
    };
    if let Some((address, why)) = lines.find("ssh: connect to host ").and_then(refused_ssh) {
        return unreachable(
            format!("dial tcp {address}: connect: {}", why.to_lowercase()),
            format!("no connection to {address}: {why}"),
        );
    }
    if let Some(line) = lines.find("Could not resolve hostname ") {
        let name = line.split("hostname ").nth(1).unwrap_or_default();
        let name = name.split(':').next().unwrap_or_default();
        return unreachable(
            format!("dial tcp: lookup {name}: no such host"),
            format!("no connection: the name {name} is not known"),
        );
    }
    let ends = [
        "kex_exchange_identification",
        "Connection closed by",
        "Connection reset by",
    ];
    let line = ends.into_iter().find_map(|words| lines.find(words))?;
    unreachable(handshake("EOF"), format!("the server hangs up: {line}"))
}

fn repository_fault(lines: &Lines<'_>) -> Option<Fault> {
    let of_git = |line: &str| {
        [
            "fatal: Could not read",
            "Please make sure",
            "and the repository exists",
        ]
        .iter()
        .any(|words| line.starts_with(words))
    };
    let first = lines
        .0
        .iter()
        .copied()
        .find(|line| !of_git(line))
        .unwrap_or_default();
    let fault = if lines.0.iter().any(|line| is_unknown_repository(line)) {
        Fault::new(
            CloneErrorKind::NoRepository,
            Cause::NoRepository,
            "the server has no such repository, or hides it from this key",
        )
    } else {
        lines.find("Could not read from remote repository")?;
        let said: Vec<&str> = lines
            .0
            .iter()
            .filter(|line| !of_git(line))
            .filter_map(|line| telling(line))
            .collect();
        let kind = if said.iter().any(|line| is_no_permission(line)) {
            CloneErrorKind::Refused
        } else {
            CloneErrorKind::ServerFailed
        };
        let cause = format!("unknown error: {first}");
        let message = format!("the server refuses: {}", said.join("; "));
        return Some(Fault::transport(kind, cause, message).with_server(&said.join("\n")));
    };
    Some(fault.with_server(first))
}

/// The words in which servers deny a right to a key that they know.
fn is_no_permission(line: &str) -> bool {
    const WORDS: [&str; 9] = [
        "not authorized",
        "unauthorized",
        "permission",
        "denied",
        "read only",
        "read-only",
        "write access",
        "not allowed",
        "not enabled",
    ];
    let line = line.to_lowercase();
    WORDS.iter().any(|word| line.contains(word))
}

/// Address and reason of `ssh: connect to host 127.0.0.1 port 9: Connection refused`.
fn refused_ssh(line: &str) -> Option<(String, &str)> {
    let (place, why) = line.split_once("connect to host ")?.1.rsplit_once(": ")?;
    let (host, port) = place.split_once(" port ")?;
    Some((with_port(host, port), why))
}

fn host_key_fault(lines: &Lines<'_>, trusted: Option<&TrustedKeys>) -> Option<Fault> {
    let find = |words: &str| lines.find(words);
    let untrusted = |cause: &str, message: String| {
        Fault::transport(CloneErrorKind::Untrusted, handshake(cause), message)
    };
    if let Some(line) = find("no matching host key type found") {
        let offered = line
            .split("Their offer: ")
            .nth(1)
            .unwrap_or_default()
            .trim();
        let ours = trusted
            .map(|trusted| host_key_algorithms(&trusted.key_types))
            .unwrap_or_default();
        return Some(untrusted(
            &format!(
                "ssh: no common algorithm for host key; we offered: [{}], peer offered: [{}]",
                ours.join(" "),
                offered.replace(',', " ")
            ),
            format!(
                "the server has no host key of a type in known_hosts, only {offered}: add its line of ssh-keyscan to known_hosts of the Secret"
            ),
        ));
    }
    find("Host key verification failed")?;
    let known =
        trusted.is_some_and(|trusted| trusted.file.lines().any(|line| !line.starts_with('@')));
    Some(if find("revoked").or_else(|| find("REVOKED")).is_some() {
        untrusted(
            "knownhosts: key is revoked",
            "the server's host key is revoked in known_hosts".into(),
        )
    } else if known {
        untrusted(
            "knownhosts: key mismatch",
            "the server's host key is another than in known_hosts: someone may be listening in; if the server has a new key, put its line of ssh-keyscan into known_hosts of the Secret".into(),
        )
    } else {
        untrusted(
            "knownhosts: key is unknown",
            "known_hosts has no key of this server and port: add its line of ssh-keyscan to known_hosts of the Secret".into(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_only_read_are_told_from_servers_that_fail() {
        let end = "fatal: Could not read from remote repository.";
        for (words, kind, told) in [
            (
                "error:\n Gitea: Unauthorized\n Deploy Key: 1:x is not authorized to write to a/b.",
                CloneErrorKind::Refused,
                "Gitea: Unauthorized; Deploy Key: 1:x is not authorized to write to a/b.",
            ),
            (
                "ERROR: The key you are authenticating with has been marked as read only.",
                CloneErrorKind::Refused,
                "ERROR: The key you are authenticating with has been marked as read only.",
            ),
            (
                "remote: \nremote: =====\nremote: \nremote: This deploy key does not have write access to this project.\nremote: =====",
                CloneErrorKind::Refused,
                "This deploy key does not have write access to this project.",
            ),
            (
                "ERROR: Internal server error",
                CloneErrorKind::ServerFailed,
                "ERROR: Internal server error",
            ),
        ] {
            let spoken = Spoken::parse(format!("{words}\n{end}\n").as_bytes());
            let fault = Fault::of_ssh(&spoken, None);
            assert_eq!(fault.kind, kind, "{words}");
            assert_eq!(fault.message, format!("the server refuses: {told}"));
        }
    }
}
