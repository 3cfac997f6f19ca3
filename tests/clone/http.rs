//! Logins, refusals, redirects and bad servers over http.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use imageauto::controllers::checkout::Target;
use imageauto::facts::git::GitLogin;
use imageauto::facts::network::Proxy;
use imageauto::io::git::{CloneErrorKind, CloneRequest};
use imageauto::io::observer::Observer;

use super::repository::Repository;
use super::server::{BASIC, BEARER, Server};
use super::{basic, cloned, refused, request, text, to, with_login};

struct Case {
    server: Server,
    other: Server,
    repository: Repository,
    _folder: tempfile::TempDir,
}

fn case() -> Case {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::standard(folder.path(), "r.git");
    let other = Server::start(folder.path(), None);
    Case {
        server: Server::start(folder.path(), Some(other.address)),
        other,
        repository,
        _folder: folder,
    }
}

fn right() -> GitLogin {
    basic("bot", "correct horse")
}

fn info_refs(url: &str) -> String {
    format!("{url}/info/refs?service=git-upload-pack")
}

#[test]
fn logins_are_sent_at_once_and_wrong_ones_refused() {
    let case = case();
    let head = case.repository.id("main");
    let url = case.server.url("r.git");
    assert_eq!(cloned(&with_login(&url, right())).head_commit, head);
    let seen = case.server.seen();
    assert!(seen.len() >= 2);
    assert!(
        seen.iter()
            .all(|seen| seen.authorization.as_deref() == Some(BASIC)),
        "{seen:?}"
    );

    let bearer = case.server.url("bearer/r.git");
    let token = GitLogin::Bearer("battery-staple".into());
    assert_eq!(cloned(&with_login(&bearer, token)).head_commit, head);
    let seen = case.server.seen();
    assert!(
        seen.iter()
            .all(|seen| seen.authorization.as_deref() == Some(BEARER)),
        "{seen:?}"
    );

    for login in [
        GitLogin::Anonymous,
        basic("bot", "wrong password"),
        basic("bot", ""),
    ] {
        let error = refused(&with_login(&url, login));
        assert_eq!(error.kind, CloneErrorKind::Refused);
        assert_eq!(error.server.as_deref(), Some("who are you?"));
        assert_eq!(
            error.controller_text(false).unwrap(),
            format!("unable to clone '{url}': authentication required: who are you?\n")
        );
        assert!(!format!("{error} {error:?}").contains("wrong password"));
    }
    assert_eq!(
        text(&with_login(&bearer, GitLogin::Bearer("nope".into()))),
        format!("unable to clone '{bearer}': authentication required: which token?\n")
    );
    let mut sent = case.server.seen();
    sent.retain(|seen| {
        seen.authorization
            .as_deref()
            .is_some_and(|sent| sent.contains("bm9uZTpub25l"))
    });
    assert_eq!(sent, [], "the placeholder is never sent");
}

#[test]
fn wrong_credentials_fail_where_none_are_needed_if_the_server_minds() {
    let case = case();
    let url = case.server.url("open/r.git");
    assert!(cloned(&request(&url)).head_commit.len() == 40);
    assert_eq!(case.server.seen()[0].authorization, None);
    cloned(&with_login(&url, basic("any", "one")));
    assert!(case.server.seen()[0].authorization.is_some());
}

#[test]
fn a_token_that_is_no_header_is_not_sent() {
    let case = case();
    let url = case.server.url("bearer/r.git");
    let login = GitLogin::Bearer("battery-staple\nX-Injected: 1".into());
    assert_eq!(
        text(&with_login(&url, login)),
        format!(
            "unable to clone '{url}': Get \"{}\": net/http: invalid header field value for \"Authorization\"",
            info_refs(&url)
        )
    );
    assert_eq!(case.server.seen(), []);
}

#[test]
fn refusals_quote_the_server() {
    let case = case();
    let words = |status: u16| format!("the server says {status}.\nAsk somebody else, ça va?\n");
    for (status, meaning, kind) in [
        (401, "authentication required", CloneErrorKind::Refused),
        (403, "authorization failed", CloneErrorKind::Refused),
        (404, "repository not found", CloneErrorKind::NoRepository),
    ] {
        let url = case.server.url(&format!("answers/{status}/r.git"));
        let error = refused(&with_login(&url, right()));
        assert_eq!(error.kind, kind);
        assert_eq!(
            error.controller_text(false).unwrap(),
            format!("unable to clone '{url}': {meaning}: {}", words(status))
        );
        assert_eq!(error.server.as_deref(), Some(words(status).trim()));
        let url = case.server.url(&format!("pages/{status}/r.git"));
        assert_eq!(
            text(&with_login(&url, right())),
            format!("unable to clone '{url}': {meaning}: <html>\n<h1>{status}</h1>\n</html>\n")
        );
    }
    for status in [410, 429, 500, 503] {
        let url = case.server.url(&format!("answers/{status}/r.git"));
        let error = refused(&request(&url));
        assert_eq!(error.kind, CloneErrorKind::ServerFailed);
        assert_eq!(
            error.controller_text(false).unwrap(),
            format!(
                "unable to clone '{url}': unexpected client error: unexpected requesting \"{}\" status code: {status}",
                info_refs(&url)
            )
        );
    }
    let url = case.server.url("answers/403/r.git");
    let named = CloneRequest {
        target: Target::Name {
            name: "refs/heads/main".into(),
            branch: None,
        },
        switch: to("x"),
        ..request(&url)
    };
    assert_eq!(
        text(&named),
        format!(
            "unable to list remote for '{url}': authorization failed: {}",
            words(403)
        )
    );
    let listed = refused(&request(&url)).controller_text(true).unwrap();
    assert!(listed.starts_with("unable to list remote for"), "{listed}");
}

#[test]
fn what_is_no_git_server_is_told() {
    let case = case();
    for path in ["answers/200/r.git", "pages/200/r.git"] {
        let url = case.server.url(path);
        assert_eq!(
            text(&request(&url)),
            format!("unable to clone '{url}': invalid pkt-len found")
        );
    }
}

#[test]
fn a_redirect_on_the_same_server_keeps_the_login() {
    let case = case();
    let url = case.server.url("moved/r.git");
    assert_eq!(
        cloned(&with_login(&url, right())).head_commit,
        case.repository.id("main")
    );
    let url = case.server.url("moved/moved/answers/403/r.git");
    let refusal = text(&with_login(&url, right()));
    assert!(
        refusal.starts_with(&format!(
            "unable to clone '{url}': authorization failed: the server says 403."
        )),
        "{refusal}"
    );
    let url = case.server.url("looping/r.git");
    assert_eq!(
        text(&request(&url)),
        format!(
            "unable to clone '{url}': Get \"/looping/r.git/info/refs?service=git-upload-pack\": http redirect: too many redirects"
        )
    );
    let url = case.server.url("away/r.git");
    assert_eq!(
        text(&request(&url)),
        format!(
            "unable to clone '{url}': http redirect: target \"/users/sign_in\" does not end with /info/refs"
        )
    );
}

#[test]
fn no_login_goes_to_another_server() {
    let case = case();
    let url = case.server.url("elsewhere/r.git");
    let error = refused(&with_login(&url, right()));
    assert_eq!(error.kind, CloneErrorKind::Refused);
    let open = case.server.url("elsewhere/open/r.git");
    assert_eq!(
        cloned(&with_login(&open, right())).head_commit,
        case.repository.id("main")
    );
    let seen = case.other.seen();
    assert!(seen.len() >= 3);
    assert!(
        seen.iter().all(|seen| seen.authorization.is_none()),
        "{seen:?}"
    );
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let case = case();
    for (door, cause) in [
        (
            "slow",
            format!(
                "Get \"{}\": context deadline exceeded",
                info_refs(&case.server.url("slow/r.git"))
            ),
        ),
        ("stuck", "context deadline exceeded".to_owned()),
    ] {
        let url = case.server.url(&format!("{door}/r.git"));
        let started = Instant::now();
        let request = CloneRequest {
            timeout: Duration::from_secs(1),
            ..request(&url)
        };
        let error = refused(&request);
        assert_eq!(error.kind, CloneErrorKind::TimedOut);
        assert_eq!(
            error.controller_text(false).unwrap(),
            format!("unable to clone '{url}': {cause}")
        );
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "the server would sleep for minutes"
        );
    }
}

#[test]
fn a_port_where_nobody_listens_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/r.git");
    let error = refused(&request(&url));
    assert_eq!(error.kind, CloneErrorKind::Unreachable);
    assert_eq!(
        error.controller_text(false).unwrap(),
        format!(
            "unable to clone '{url}': Get \"{}\": dial tcp {address}: connect: connection refused",
            info_refs(&url)
        )
    );
}

#[test]
fn nothing_secret_is_told_or_passed_as_an_argument() {
    let case = case();
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&events);
    let observer = Observer::new(move |event| log.lock().unwrap().push(event));
    let url = case
        .server
        .url("r.git")
        .replace("http://", "http://someone:hush@");
    let mut request = with_login(&url, basic("bot", "correct horse"));
    request.switch = to("auto");
    let clone = imageauto::io::git::clone(&request, &observer).unwrap();
    request.access.login = basic("bot", "wrong password");
    let error = imageauto::io::git::clone(&request, &observer).unwrap_err();
    let events = events.lock().unwrap();
    let told = format!(
        "{events:?} {error} {error:?} {clone:?} {request:?} {}",
        error.controller_text(false).unwrap()
    );
    assert!(
        told.contains("git fetch") && told.contains("git ls-remote"),
        "{told}"
    );
    let secrets = [
        "Ym90OmNvcnJlY3QgaG9yc2U",
        "correct horse",
        "wrong password",
        "Ym90Ondyb25n",
        "hush",
        "someone",
    ];
    for secret in secrets {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    let broken = with_login("http://someone:hush@[::1", GitLogin::Anonymous);
    let told = format!("{:?}", refused(&broken));
    assert!(!told.contains("hush"), "{told}");
    assert_eq!(error.kind, CloneErrorKind::Refused);
}

#[test]
fn a_proxy_is_logged_in_to_and_asked_for_everything() {
    let case = case();
    let proxy = |password: &str| Proxy {
        address: format!("http://{}", case.other.address),
        username: "pay".into(),
        password: password.into(),
    };
    let mut request = with_login("http://git.example.com/r.git", right());
    request.access.proxy = Some(proxy("a toll /"));
    assert_eq!(cloned(&request).head_commit, case.repository.id("main"));
    let seen = case.other.seen();
    assert!(
        seen.iter()
            .all(|seen| seen.target.starts_with("http://git.example.com/r.git/")),
        "{seen:?}"
    );
    request.access.proxy = Some(proxy("a counterfeit"));
    let error = refused(&request);
    assert_eq!(
        error.controller_text(false).unwrap(),
        format!(
            "unable to clone 'http://git.example.com/r.git': unexpected client error: unexpected requesting \"{}\" status code: 407",
            info_refs("http://git.example.com/r.git")
        )
    );
    assert!(!format!("{error} {error:?} {request:?}").contains("counterfeit"));
}
