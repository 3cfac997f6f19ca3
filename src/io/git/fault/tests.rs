use std::time::Duration;

use super::http::refused_connection;
use super::*;
use crate::controllers::known_hosts::TrustedKeys;
use crate::io::git::http_trace::Spoken;

const URL: &str = "https://git.example.com/r.git";

fn spoken(stderr: &str) -> Spoken {
    Spoken::parse(stderr.as_bytes())
}

fn curl(said: &str) -> (CloneErrorKind, String) {
    let stderr = format!("fatal: unable to access '{URL}/': {said}\n");
    let fault = Fault::of_http(&spoken(&stderr), URL, false);
    (fault.kind, transport(fault))
}

fn transport(fault: Fault) -> String {
    match fault.cause {
        Cause::Transport(cause) => cause,
        other => format!("{other:?}"),
    }
}

fn ssh(stderr: &str, trusted: &TrustedKeys) -> (CloneErrorKind, String) {
    let fault = Fault::of_ssh(&spoken(stderr), Some(trusted));
    (fault.kind, transport(fault))
}

#[test]
fn curls_words_are_told_as_gos_whichever_library_it_is_built_with() {
    let got = |cause: &str| format!("Get \"{URL}/info/refs?service=git-upload-pack\": {cause}");
    let unknown =
        "tls: failed to verify certificate: x509: certificate signed by unknown authority";
    for (said, kind, cause) in [
        (
            "server certificate verification failed. CAfile: none CRLfile: none",
            CloneErrorKind::Untrusted,
            unknown,
        ),
        (
            "SSL certificate problem: unable to get local issuer certificate",
            CloneErrorKind::Untrusted,
            unknown,
        ),
        (
            "SSL certificate problem: self-signed certificate in certificate chain",
            CloneErrorKind::Untrusted,
            unknown,
        ),
        (
            "SSL: no alternative certificate subject name matches target host name '127.0.0.1'",
            CloneErrorKind::Untrusted,
            "tls: failed to verify certificate: x509: certificate is valid for other names, not 127.0.0.1",
        ),
        (
            "Could not resolve host: nohost.invalid",
            CloneErrorKind::Unreachable,
            "dial tcp: lookup nohost.invalid: no such host",
        ),
        (
            "error:0A00010B:SSL routines::wrong version number",
            CloneErrorKind::Unreachable,
            "http: server gave HTTP response to HTTPS client",
        ),
        (
            "gnutls_handshake() failed: An unexpected TLS packet was received.",
            CloneErrorKind::Unreachable,
            "http: server gave HTTP response to HTTPS client",
        ),
        (
            "Empty reply from server",
            CloneErrorKind::Unreachable,
            "EOF",
        ),
        (
            "something new",
            CloneErrorKind::Unreachable,
            "something new",
        ),
    ] {
        assert_eq!(curl(said), (kind, got(cause)), "{said}");
    }
}

#[test]
fn a_refused_connection_is_told_with_the_address_that_was_tried() {
    for note in [
        "connect to 10.0.0.1 port 443 failed: No route to host",
        "connect to 10.0.0.1 port 443 from 10.0.0.2 port 5 failed: No route to host",
    ] {
        let stderr = format!(
            "18:08:01.643434 http.c:725   == Info: {note}\nfatal: unable to access '{URL}/': Failed to connect\n"
        );
        assert_eq!(
            transport(Fault::of_http(&spoken(&stderr), URL, true)),
            format!(
                "Get \"{URL}/info/refs?service=git-upload-pack\": proxyconnect tcp: dial tcp 10.0.0.1:443: connect: no route to host"
            )
        );
    }
    assert_eq!(
        refused_connection("connect to ::1 port 9 failed: Connection refused")
            .unwrap()
            .0,
        "[::1]:9"
    );
}

#[test]
fn a_tunnel_that_a_proxy_refuses_is_told_by_its_status() {
    for said in [
        "CONNECT tunnel failed, response 407",
        "Received HTTP code 407 from proxy after CONNECT",
    ] {
        let stderr = format!("fatal: unable to access '{URL}/': {said}\n");
        let cause = transport(Fault::of_http(&spoken(&stderr), URL, true));
        assert!(
            cause.ends_with("\": Proxy Authentication Required"),
            "{cause}"
        );
    }
}

#[test]
fn the_limit_is_told_by_how_far_it_went() {
    let limit = Duration::from_secs(60);
    let of = |stderr: &str, limit| transport(Fault::timed_out(&spoken(stderr), URL, true, limit));
    let got = |cause: &str| format!("Get \"{URL}/info/refs?service=git-upload-pack\": {cause}");
    let trying = "18:08:01.643434 http.c:725  == Info:   Trying 10.0.0.1:443...\n";
    let connected = format!(
        "{trying}18:08:01.643434 http.c:725  == Info: Connected to git (10.0.0.1) port 443 (#0)\n"
    );
    let answered = format!(
        "{connected}18:08:01.643434 http.c:684  => Send header: GET /r HTTP/1.1\n18:08:01.643434 http.c:684  <= Recv header: HTTP/1.1 200 OK\n"
    );
    assert_eq!(of(trying, limit), got("dial tcp 10.0.0.1:443: i/o timeout"));
    assert_eq!(
        of(trying, Duration::from_secs(20)),
        got("context deadline exceeded")
    );
    assert_eq!(of(&connected, limit), got("context deadline exceeded"));
    assert_eq!(of(&answered, limit), "context deadline exceeded");
}

#[test]
fn sshs_words_are_told_as_gos() {
    let unknown = TrustedKeys::default();
    let known = TrustedKeys {
        file: "[127.0.0.1]:2222 ssh-rsa AAAA\n".into(),
        key_types: vec!["ssh-rsa".into()],
    };
    let failed = "Host key verification failed.\nfatal: Could not read from remote repository.\n";
    assert_eq!(
        ssh(
            &format!(
                "No ED25519 host key is known for [127.0.0.1]:2222 and you have requested strict checking.\n{failed}"
            ),
            &unknown
        ),
        (
            CloneErrorKind::Untrusted,
            "ssh: handshake failed: knownhosts: key is unknown".into()
        )
    );
    assert_eq!(
        ssh(
            &format!("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n{failed}"),
            &known
        ),
        (
            CloneErrorKind::Untrusted,
            "ssh: handshake failed: knownhosts: key mismatch".into()
        )
    );
    assert_eq!(
        ssh(
            &format!("@ WARNING: REVOKED HOST KEY DETECTED! @\n{failed}"),
            &known
        )
        .1,
        "ssh: handshake failed: knownhosts: key is revoked"
    );
    assert_eq!(
        ssh("Unable to negotiate with 127.0.0.1 port 2222: no matching host key type found. Their offer: ssh-ed25519\n", &known).1,
        "ssh: handshake failed: ssh: no common algorithm for host key; we offered: [rsa-sha2-512 rsa-sha2-256 ssh-rsa], peer offered: [ssh-ed25519]"
    );
    assert_eq!(
        ssh("git@h: Permission denied (publickey,password).\nfatal: Could not read from remote repository.\n", &known),
        (
            CloneErrorKind::Refused,
            "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain".into()
        )
    );
    assert_eq!(
        ssh(
            "ssh: connect to host 127.0.0.1 port 9: Connection refused\nfatal: Could not read from remote repository.\n",
            &known
        ),
        (
            CloneErrorKind::Unreachable,
            "dial tcp 127.0.0.1:9: connect: connection refused".into()
        )
    );
    assert_eq!(
        ssh(
            "kex_exchange_identification: Connection closed by remote host\n",
            &known
        )
        .1,
        "ssh: handshake failed: EOF"
    );
    assert_eq!(
        ssh(
            "Gitea: Not found.\nfatal: Could not read from remote repository.\n",
            &known
        )
        .1,
        "unknown error: Gitea: Not found."
    );
    let unknown_repository = ssh(
        "ERROR: Repository not found.\nfatal: Could not read from remote repository.\n",
        &known,
    );
    assert_eq!(
        unknown_repository,
        (CloneErrorKind::NoRepository, "NoRepository".into())
    );
}

#[test]
fn what_is_long_is_told_in_one_short_line() {
    let page = format!("<html>\n{}</html>", "word ".repeat(200));
    let fault = Fault::of_status(503, "GET", URL, &page);
    assert!(fault.message.len() < 400 && !fault.message.contains('\n'));
    assert_eq!(fault.server.as_deref(), Some(page.as_str()));
}
