//! Failures over http: a status, or curl's words for a connection.

use std::time::Duration;

use super::{CloneErrorKind, Fault, with_port};
use crate::io::git::http_trace::Spoken;

impl Fault {
    /// Our patience ended: `limit` after the start.
    pub fn timed_out(spoken: &Spoken, asked: &str, is_http: bool, limit: Duration) -> Self {
        /// How long Go's dialer waits for a connection.
        const DIAL: Duration = Duration::from_secs(30);
        const EXCEEDED: &str = "context deadline exceeded";
        let answered = spoken
            .exchanges
            .iter()
            .any(|exchange| exchange.status.is_some());
        let connected = answered
            || spoken
                .notes
                .iter()
                .any(|note| note.starts_with("Connected to"));
        let tried = spoken.notes.iter().find_map(|note| {
            let address = note.strip_prefix("Trying ")?;
            address.strip_suffix("...")
        });
        let cause = match tried {
            _ if !is_http || answered => EXCEEDED.to_owned(),
            Some(address) if !connected && limit > DIAL => {
                got(asked, &format!("dial tcp {address}: i/o timeout"))
            }
            _ => got(asked, EXCEEDED),
        };
        Self::transport(
            CloneErrorKind::TimedOut,
            cause,
            format!(
                "no answer within the limit of {}s: the limit is spec.timeout of the GitRepository",
                limit.as_secs_f64()
            ),
        )
    }

    /// The server answered a request with an error.
    pub fn of_status(status: u16, method: &str, asked: &str, body: &str) -> Self {
        let (kind, cause) = match status {
            401 => (
                CloneErrorKind::Refused,
                format!("authentication required: {body}"),
            ),
            403 => (
                CloneErrorKind::Refused,
                format!("authorization failed: {body}"),
            ),
            404 => (
                CloneErrorKind::NoRepository,
                format!("repository not found: {body}"),
            ),
            _ => {
                let path = if method == "POST" {
                    "/git-upload-pack"
                } else {
                    "/info/refs?service=git-upload-pack"
                };
                (
                    CloneErrorKind::ServerFailed,
                    format!(
                        "unexpected client error: unexpected requesting \"{asked}{path}\" status code: {status}"
                    ),
                )
            }
        };
        let words = body.trim();
        let meaning = match status {
            401 => "the server does not accept the login (401)",
            403 => "the server does not let this login in (403)",
            404 => "the server has no such repository, or hides it from this login (404)",
            _ => "the server answers with an error",
        };
        let message = match (words, status) {
            ("", 401 | 403 | 404) => meaning.to_owned(),
            ("", _) => format!("{meaning} ({status})"),
            (words, 401 | 403 | 404) => format!("{meaning}: \"{}\"", shortened(words)),
            (words, _) => format!("{meaning} ({status}): \"{}\"", shortened(words)),
        };
        let mut fault = Self::transport(kind, cause, message);
        fault.server = (!words.is_empty()).then(|| words.to_owned());
        fault
    }

    /// No request was answered with an error, and still it failed.
    pub fn of_http(spoken: &Spoken, asked: &str, proxied: bool) -> Self {
        let words = spoken.of_git();
        let answered = spoken.last().and_then(|exchange| exchange.status);
        if answered.is_some() {
            let no_git = words.iter().any(|line| {
                line.contains(" not valid: ")
                    || line.contains("dumb http transport")
                    || line.contains("invalid server response")
            });
            return if no_git {
                Self::no_git_server(answered == Some(204), &words)
            } else {
                Self::of_words(&words)
            };
        }
        let said = curl_words(&words);
        let proxy = if proxied { "proxyconnect tcp: " } else { "" };
        if let Some((address, why)) = spoken
            .notes
            .iter()
            .rev()
            .find_map(|note| refused_connection(note))
        {
            let cause = got(
                asked,
                &format!("{proxy}dial tcp {address}: connect: {}", why.to_lowercase()),
            );
            return Self::transport(
                CloneErrorKind::Unreachable,
                cause,
                format!("no connection: {said}"),
            );
        }
        let (kind, cause) = go_words(&said, proxy, proxied);
        let message = match kind {
            CloneErrorKind::Untrusted => format!(
                "the server's certificate is not trusted: {said}: put its authority into ca.crt of the Secret"
            ),
            _ => format!("no connection: {said}"),
        };
        Self::transport(kind, got(asked, &cause), message)
    }
}

/// The words of a failed first request.
fn got(asked: &str, cause: &str) -> String {
    format!("Get \"{asked}/info/refs?service=git-upload-pack\": {cause}")
}

/// One line of what may be a whole page.
fn shortened(words: &str) -> String {
    const LONGEST: usize = 300;
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// What curl says, which git wraps in `unable to access '…': `.
fn curl_words(words: &[&str]) -> String {
    let line = words
        .iter()
        .find_map(|line| {
            line.split_once("unable to access '")
                .and_then(|(_, rest)| rest.split_once("': "))
        })
        .map(|(_, said)| said);
    line.unwrap_or(words.first().copied().unwrap_or("git gives no reason"))
        .to_owned()
}

/// Address and reason of `connect to 127.0.0.1 port 9 [from … port …] failed: Connection refused`.
pub(super) fn refused_connection(note: &str) -> Option<(String, &str)> {
    let (place, why) = note.strip_prefix("connect to ")?.split_once(" failed: ")?;
    let mut words = place.split(' ');
    let (host, port) = (words.next()?, words.nth(1)?);
    Some((with_port(host, port), why))
}

/// The kind of a curl failure, and what Go says in its place; names and times that only the certificate tells are left out.
fn go_words(said: &str, proxy: &str, proxied: bool) -> (CloneErrorKind, String) {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let verify = |why: &str| {
        (
            CloneErrorKind::Untrusted,
            format!("tls: failed to verify certificate: x509: {why}"),
        )
    };
    let unreachable = |cause: String| (CloneErrorKind::Unreachable, cause);
    if let Some((_, name)) = said.split_once("Could not resolve ") {
        let name = name.rsplit(' ').next().unwrap_or_default();
        return unreachable(format!("{proxy}dial tcp: lookup {name}: no such host"));
    }
    if has(&[
        "does not match target host name",
        "no alternative certificate subject name",
        "subject name does not match",
    ]) {
        let host = said.split('\'').nth(1).unwrap_or_default();
        return verify(&format!("certificate is valid for other names, not {host}"));
    }
    if has(&["certificate has expired", "certificate is expired"]) {
        return verify("certificate has expired or is not yet valid");
    }
    if has(&[
        "certificate verification failed",
        "issuer certificate",
        "self-signed certificate",
        "self signed certificate",
        "certificate verify failed",
    ]) {
        return verify("certificate signed by unknown authority");
    }
    // GnuTLS doesn't say which alert; after the handshake it is hardly another.
    if has(&[
        "certificate required",
        "certificate is required",
        "TLS fatal alert has been received",
    ]) {
        return (
            CloneErrorKind::Refused,
            "remote error: tls: certificate required".into(),
        );
    }
    if has(&[
        "unexpected TLS packet",
        "wrong version number",
        "packet length too long",
    ]) {
        return unreachable("http: server gave HTTP response to HTTPS client".into());
    }
    if has(&["Empty reply from server"]) {
        return unreachable("EOF".into());
    }
    if proxied && let Some(status) = proxy_status(said) {
        return unreachable(status.into());
    }
    unreachable(said.to_owned())
}

/// The status with which a proxy refuses a tunnel.
fn proxy_status(said: &str) -> Option<&'static str> {
    let code = said
        .split(|character: char| !character.is_ascii_digit())
        .find(|digits| digits.len() == 3)?;
    match code {
        "403" => Some("Forbidden"),
        "407" => Some("Proxy Authentication Required"),
        "502" => Some("Bad Gateway"),
        "503" => Some("Service Unavailable"),
        "504" => Some("Gateway Timeout"),
        _ => None,
    }
}
