//! Connections that broke, in Go's words.

use std::error::Error as StdError;
use std::io;
use std::time::SystemTime;

use rustls::{AlertDescription, CertificateError};

use super::tls::is_unknown_issuer;
use crate::facts::registry::RegistryErrorKind;
use crate::io::error_text;

/// An exchange without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::io) struct Broken {
    /// What Go says about it, without method and URL.
    pub text: String,
    pub kind: RegistryErrorKind,
    /// The controller tries again.
    pub retried: bool,
    /// It is a bound of ours.
    pub ours: bool,
}

/// A name that isn't known.
#[derive(Debug, thiserror::Error)]
#[error("lookup {0}: no such host")]
pub(super) struct UnknownHost(pub String);

/// Where a connection was to go, for the texts.
#[derive(Clone, Copy)]
pub(super) struct Target<'t> {
    /// Host and port as in the URL.
    pub host: &'t str,
    /// IP address and port that were dialled: those of the proxy where there is one.
    pub address: &'t str,
    /// The address is that of a proxy.
    pub through_proxy: bool,
}

impl Broken {
    /// The scan's time is up.
    pub fn deadline() -> Self {
        Self::new(
            RegistryErrorKind::TimedOut,
            "context deadline exceeded".into(),
        )
    }

    /// Something of ours that the controller may well manage.
    pub fn ours(text: String) -> Self {
        Self {
            ours: true,
            ..Self::new(RegistryErrorKind::OurLimit, text)
        }
    }

    fn new(kind: RegistryErrorKind, text: String) -> Self {
        Self {
            text,
            kind,
            retried: false,
            ours: false,
        }
    }

    fn unreachable(text: String) -> Self {
        Self::new(RegistryErrorKind::Unreachable, text)
    }

    fn dropped(text: &str) -> Self {
        Self {
            retried: true,
            ..Self::unreachable(text.into())
        }
    }

    /// Reads an error that came instead of an answer's head.
    pub(super) fn of(error: &reqwest::Error, target: Target<'_>) -> Self {
        let causes = causes(error);
        let connecting = error.is_connect();
        if let Some(broken) = find::<UnknownHost>(&causes).map(unknown_host) {
            return broken.dialled(target);
        }
        if error.is_timeout() {
            return Self::unreachable("i/o timeout".into()).dialled(target);
        }
        if let Some(broken) = find::<rustls::Error>(&causes).map(|error| tls(error, target.host)) {
            return broken;
        }
        if connecting && let Some(broken) = refused_by_proxy(&causes, target) {
            return broken;
        }
        let io = causes.iter().rev().find_map(|cause| cause.downcast_ref());
        if let Some(broken) = io.and_then(|error| socket(error, connecting, target)) {
            return broken;
        }
        let http = find::<hyper::Error>(&causes);
        if http.is_some_and(hyper::Error::is_incomplete_message) {
            return Self::dropped("EOF");
        }
        if http.is_some_and(hyper::Error::is_parse) {
            return Self::new(
                RegistryErrorKind::BadAnswer,
                "net/http: HTTP/1.x transport connection broken: malformed HTTP response".into(),
            );
        }
        let innermost = causes.last().map(ToString::to_string);
        Self::unreachable(innermost.unwrap_or_else(|| error.to_string()))
    }

    /// Reads an error that came in the middle of a body.
    pub fn of_body(error: &reqwest::Error) -> Self {
        let causes = causes(error);
        let io: Option<&io::Error> = causes.iter().rev().find_map(|cause| cause.downcast_ref());
        let text = match io {
            Some(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                format!("read: {}", error_text(error))
            }
            _ => "unexpected EOF".into(),
        };
        Self::new(RegistryErrorKind::BadAnswer, text)
    }

    /// Go's complaint about a request whose body was sent once and would have to be sent again; `kind` is that of the
    /// answer that asks for it.
    pub fn body_is_gone(length: usize, kind: RegistryErrorKind) -> Self {
        Self::new(
            kind,
            format!("http: ContentLength={length} with Body length 0"),
        )
    }

    /// Adds what Go says where a connection can't be made.
    fn dialled(self, target: Target<'_>) -> Self {
        let address = match target.address {
            address if self.text.starts_with("lookup ") || address.is_empty() => String::new(),
            address => format!(" {address}"),
        };
        let dialled = format!("dial tcp{address}: {}", self.text);
        let text = match target.through_proxy {
            true => format!("proxyconnect tcp: {dialled}"),
            false => dialled,
        };
        Self { text, ..self }
    }
}

/// An error and all that is behind it, what an `io::Error` wraps among it.
fn causes<'e>(error: &'e (dyn StdError + 'static)) -> Vec<&'e (dyn StdError + 'static)> {
    let mut out: Vec<&(dyn StdError + 'static)> = vec![error];
    let mut next = error.source();
    while let Some(cause) = next {
        out.push(cause);
        let wrapped = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|inner| inner as &(dyn StdError + 'static));
        next = wrapped.or_else(|| cause.source());
    }
    out
}

fn find<'e, E: StdError + 'static>(causes: &[&'e (dyn StdError + 'static)]) -> Option<&'e E> {
    causes.iter().find_map(|cause| cause.downcast_ref())
}

fn unknown_host(error: &UnknownHost) -> Broken {
    Broken::unreachable(error.to_string())
}

/// A proxy that can't be reached or refuses, where only the texts of the causes tell.
fn refused_by_proxy(causes: &[&(dyn StdError + 'static)], target: Target<'_>) -> Option<Broken> {
    let texts: Vec<String> = causes.iter().map(ToString::to_string).collect();
    let said = |part: &str| texts.iter().any(|text| text.contains(part));
    if said("SOCKS error: failed to create underlying connection") {
        let broken = Broken::unreachable("connect: connection refused".into());
        return Some(broken.dialled(target));
    }
    let text = if said("proxy authorization required") {
        "Proxy Authentication Required"
    } else if said("tunnel error: unsuccessful") || said("SOCKS error") {
        "the proxy refuses the connection"
    } else {
        return None;
    };
    Some(Broken::unreachable(text.into()))
}

fn socket(error: &io::Error, connecting: bool, target: Target<'_>) -> Option<Broken> {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
    let Target { address, .. } = target;
    let text = error_text(error);
    match error.kind() {
        UnexpectedEof => Some(Broken::dropped("EOF")),
        // While connecting, these come from TLS: the connection itself is there.
        ConnectionReset | ConnectionAborted => Some(Broken::dropped(&format!(
            "read tcp {address}: read: {text}"
        ))),
        BrokenPipe => Some(Broken::dropped(&format!(
            "write tcp {address}: write: {text}"
        ))),
        kind if error.raw_os_error().is_some() && connecting => {
            let broken = Broken::unreachable(format!("connect: {text}"));
            Some(
                Broken {
                    retried: kind == TimedOut,
                    ..broken
                }
                .dialled(target),
            )
        }
        _ => None,
    }
}

fn tls(error: &rustls::Error, host: &str) -> Broken {
    let text = match error {
        error if is_unknown_issuer(error) => {
            "tls: failed to verify certificate: x509: certificate signed by unknown authority"
                .into()
        }
        rustls::Error::InvalidCertificate(error) => format!(
            "tls: failed to verify certificate: x509: {}",
            certificate(error, host)
        ),
        // What starts with "HTTP/" is the usual thing that isn't TLS.
        rustls::Error::InvalidMessage(_) => {
            "http: server gave HTTP response to HTTPS client".into()
        }
        rustls::Error::AlertReceived(alert) => format!("remote error: tls: {}", alert_text(*alert)),
        other => format!("tls: {other}"),
    };
    Broken::unreachable(text)
}

fn certificate(error: &CertificateError, host: &str) -> String {
    let time = |time: rustls::pki_types::UnixTime| {
        let moment = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(time.as_secs());
        jiff::Timestamp::try_from(moment)
            .map(|moment| moment.to_string())
            .unwrap_or_default()
    };
    match error {
        CertificateError::ExpiredContext {
            time: now,
            not_after,
        } => format!(
            "certificate has expired or is not yet valid: current time {} is after {}",
            time(*now),
            time(*not_after)
        ),
        CertificateError::NotValidYetContext {
            time: now,
            not_before,
        } => format!(
            "certificate has expired or is not yet valid: current time {} is before {}",
            time(*now),
            time(*not_before)
        ),
        CertificateError::NotValidForNameContext { presented, .. } => {
            wrong_name(presented, host_name(host))
        }
        other => other.to_string(),
    }
}

/// `presented` has entries like `DnsName("h.io")` and `IpAddress(127.0.0.1)`.
fn wrong_name(presented: &[String], wanted: &str) -> String {
    let of_kind = |kind: &str| -> Vec<String> {
        presented
            .iter()
            .filter_map(|name| {
                name.strip_prefix(kind)?
                    .strip_prefix('(')?
                    .strip_suffix(')')
            })
            .map(|name| name.trim_matches('"').to_owned())
            .collect()
    };
    let names = if wanted.parse::<std::net::IpAddr>().is_ok() {
        let addresses = of_kind("IpAddress");
        if addresses.is_empty() {
            return format!(
                "cannot validate certificate for {wanted} because it doesn't contain any IP SANs"
            );
        }
        addresses
    } else {
        of_kind("DnsName")
    };
    if names.is_empty() {
        return format!("certificate is not valid for any names, but wanted to match {wanted}");
    }
    format!(
        "certificate is valid for {}, not {wanted}",
        names.join(", ")
    )
}

/// The host of HOST:PORT or [HOST]:PORT.
pub(super) fn host_name(authority: &str) -> &str {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) && (!host.contains(':') || host.ends_with(']')) => host,
        _ => authority,
    };
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

fn alert_text(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    match alert {
        Alert::HandshakeFailure => "handshake failure".into(),
        Alert::BadCertificate => "bad certificate".into(),
        Alert::UnsupportedCertificate => "unsupported certificate".into(),
        Alert::CertificateRevoked => "revoked certificate".into(),
        Alert::CertificateExpired => "expired certificate".into(),
        Alert::CertificateUnknown => "unknown certificate".into(),
        Alert::IllegalParameter => "illegal parameter".into(),
        Alert::UnknownCA => "unknown certificate authority".into(),
        Alert::AccessDenied => "access denied".into(),
        Alert::DecryptError => "error decrypting message".into(),
        Alert::ProtocolVersion => "protocol version not supported".into(),
        Alert::InternalError => "internal error".into(),
        Alert::UnrecognisedName => "unrecognized name".into(),
        Alert::CertificateRequired => "certificate required".into(),
        Alert::NoApplicationProtocol => "no application protocol".into(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_names_are_told_as_go_does() {
        let presented = [
            "DnsName(\"a.io\")".to_owned(),
            "DnsName(\"b.io\")".to_owned(),
            "IpAddress(10.0.0.1)".to_owned(),
        ];
        assert_eq!(
            wrong_name(&presented, "c.io"),
            "certificate is valid for a.io, b.io, not c.io"
        );
        assert_eq!(
            wrong_name(&presented, "10.0.0.2"),
            "certificate is valid for 10.0.0.1, not 10.0.0.2"
        );
        assert_eq!(
            wrong_name(&presented[..1], "10.0.0.2"),
            "cannot validate certificate for 10.0.0.2 because it doesn't contain any IP SANs"
        );
        assert_eq!(
            wrong_name(&[], "c.io"),
            "certificate is not valid for any names, but wanted to match c.io"
        );
    }

    #[test]
    fn hosts_lose_their_ports() {
        for (authority, host) in [
            ("h.io", "h.io"),
            ("h.io:443", "h.io"),
            ("[::1]:5000", "::1"),
            ("[::1]", "::1"),
            ("1.2.3.4:80", "1.2.3.4"),
        ] {
            assert_eq!(host_name(authority), host);
        }
    }
}
