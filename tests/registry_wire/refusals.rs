use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use imageauto::io::observer::Event;
use imageauto::io::registry::RegistryErrorKind;

use super::fake::{Fake, Reply};
use super::*;

/// A registry whose ping is fine and whose lists are `reply`.
fn listing(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Fake {
    Fake::start(move |asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(""),
        _ => reply(),
    })
}

fn refused(status: u16, body: &'static str) -> (RegistryErrorKind, String) {
    let fake = listing(move || Reply::new(status, body));
    let error = list_anonymously(&fake).unwrap_err();
    let shown = text(&fake, &error);
    let prefix = "GET http://HOST/v2/team/app/tags/list?n=1000: ";
    (error.kind(), shown.strip_prefix(prefix).unwrap().to_owned())
}

#[test]
fn refusals_keep_the_registrys_words() {
    assert_eq!(
        refused(
            403,
            r#"{"errors":[{"code":"DENIED","message":"no access"}]}"#
        ),
        (
            RegistryErrorKind::Refused { status: 403 },
            "DENIED: no access".into()
        )
    );
    assert_eq!(
        refused(404, "<html>nothing</html>"),
        (
            RegistryErrorKind::Refused { status: 404 },
            "unexpected status code 404 Not Found: <html>nothing</html>".into()
        )
    );
    assert_eq!(
        refused(302, ""),
        (
            RegistryErrorKind::Refused { status: 302 },
            "unexpected status code 302 Found".into()
        )
    );
}

#[test]
fn some_refusals_are_tried_three_times() {
    for (status, body, kind, expected) in [
        (
            429,
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#,
            RegistryErrorKind::RateLimited,
            "TOOMANYREQUESTS: slow down",
        ),
        (
            500,
            "oops",
            RegistryErrorKind::Refused { status: 500 },
            "unexpected status code 500 Internal Server Error: oops",
        ),
    ] {
        let fake = listing(move || Reply::new(status, body));
        let error = list_anonymously(&fake).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(text(&fake, &error).ends_with(expected), "{error}");
        assert_eq!(fake.lines().len(), 1 + 3);
    }
}

#[test]
fn the_third_try_may_succeed() {
    let tries = AtomicUsize::new(0);
    let fake = listing(move || match tries.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::new(503, ""),
        1 => Reply::dropped(),
        _ => Reply::ok(r#"{"tags": ["1"]}"#),
    });
    assert_eq!(list_anonymously(&fake).unwrap().tags, tags(&["1"]));
}

#[test]
fn a_connection_that_is_dropped_three_times_is_an_end_of_file() {
    let fake = listing(Reply::dropped);
    let error = list_anonymously(&fake).unwrap_err();
    assert_eq!(error.kind(), RegistryErrorKind::Unreachable);
    assert_eq!(
        text(&fake, &error),
        "Get \"http://HOST/v2/team/app/tags/list?n=1000\": EOF"
    );
}

#[test]
fn the_ping_decides() {
    let fake = Fake::start(|_| Reply::new(404, "no registry here"));
    let error = list_anonymously(&fake).unwrap_err();
    assert_eq!(error.kind(), RegistryErrorKind::Refused { status: 404 });
    assert_eq!(
        text(&fake, &error),
        "Get \"https://HOST/v2/\": http: server gave HTTP response to HTTPS client; GET http://HOST/v2/: unexpected status code 404 Not Found: no registry here"
    );
}

#[test]
fn where_nobody_listens_both_schemes_say_so() {
    let host = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let limits = ScanLimits::within(TIMEOUT);
    let access = RegistryAccess::default();
    let error = run(registries().tags(&image(&host), &access, limits)).unwrap_err();
    assert_eq!(error.kind(), RegistryErrorKind::Unreachable);
    assert_eq!(
        error.controller_text().unwrap().replace(&host, "HOST"),
        "Get \"https://HOST/v2/\": dial tcp HOST: connect: connection refused; Get \"http://HOST/v2/\": dial tcp HOST: connect: connection refused"
    );
}

#[test]
fn names_that_dont_exist_are_told() {
    let limits = ScanLimits::within(TIMEOUT);
    let access = RegistryAccess::default();
    let error = run(registries().tags(&image("registry.invalid"), &access, limits)).unwrap_err();
    assert_eq!(
        error.controller_text().unwrap(),
        "Get \"https://registry.invalid/v2/\": dial tcp: lookup registry.invalid: no such host"
    );
}

#[test]
fn answers_that_are_no_lists_are_gos_errors() {
    for (reply, expected) in [
        (
            Reply::ok("<html>"),
            "invalid character '<' looking for beginning of value",
        ),
        (Reply::ok(""), "EOF"),
        (Reply::ok(r#"{"tags": ["1""#), "unexpected EOF"),
        (Reply::ok(r#"{"tags": ["1""#).cut_short(), "unexpected EOF"),
        (
            Reply::ok(r#"{"tags": {"1": 2}}"#),
            "json: cannot unmarshal object into Go struct field Tags.tags of type []string",
        ),
    ] {
        let fake = listing(move || reply.clone());
        let error = list_anonymously(&fake).unwrap_err();
        assert_eq!(error.kind(), RegistryErrorKind::BadAnswer);
        assert_eq!(text(&fake, &error), expected);
    }
    // All of the list came before the connection went.
    let fake = listing(|| Reply::ok(r#"{"tags": ["1"]}"#).cut_short());
    assert_eq!(list_anonymously(&fake).unwrap().tags, tags(&["1"]));
    // The errors of a registry with the status of success are no tags.
    let fake = listing(|| Reply::ok(r#"{"errors": [{"code": "DENIED"}]}"#));
    assert_eq!(list_anonymously(&fake).unwrap().tags, tags(&[]));
}

#[test]
fn redirects_are_followed_without_credentials() {
    let other = Fake::start(|_| Reply::ok(r#"{"tags": ["1"]}"#));
    let elsewhere = other.other_host();
    let fake =
        listing(move || Reply::new(307, "").header("Location", format!("http://{elsewhere}/list")));
    assert_eq!(list(&fake, &user()).unwrap().tags, tags(&["1"]));
    assert_eq!(fake.asked()[1].authorization(), Some(USER));
    assert_eq!(other.lines(), ["GET /list"]);
    assert_eq!(other.asked()[0].authorization(), None);
}

#[test]
fn bearer_tokens_dont_follow_a_redirect_either() {
    let other = Fake::start(|_| Reply::ok(r#"{"tags": ["1"]}"#));
    let elsewhere = other.other_host();
    let fake = Fake::start(move |asked| match asked.target.as_str() {
        "/v2/" => Reply::new(401, "").header(
            "WWW-Authenticate",
            format!("Bearer realm=\"http://{}/token\"", asked.headers["host"]),
        ),
        LIST => Reply::new(302, "").header("Location", format!("http://{elsewhere}/list")),
        _ => Reply::ok(r#"{"token": "good"}"#),
    });
    list(&fake, &user()).unwrap();
    assert_eq!(fake.asked()[2].authorization(), Some("Bearer good"));
    assert_eq!(other.asked()[0].authorization(), None);
}

#[test]
fn nor_does_the_login_for_a_token() {
    let other = Fake::start(|_| Reply::ok(r#"{"token": "good"}"#));
    let elsewhere = other.other_host();
    let fake = Fake::start(move |asked| match asked.target.as_str() {
        "/v2/" => Reply::new(401, "").header(
            "WWW-Authenticate",
            format!("Bearer realm=\"http://{}/token\"", asked.headers["host"]),
        ),
        LIST => Reply::ok(r#"{"tags": ["1"]}"#),
        _ => Reply::new(307, "").header("Location", format!("http://{elsewhere}/token")),
    });
    list(&fake, &user()).unwrap();
    assert_eq!(fake.asked()[1].authorization(), Some(USER));
    assert_eq!(other.asked()[0].authorization(), None);
}

#[test]
fn redirects_to_private_addresses_of_others_are_refused() {
    let fake = listing(|| Reply::new(302, "").header("Location", "http://127.0.0.2:1/x"));
    let error = list_anonymously(&fake).unwrap_err();
    assert_eq!(
        text(&fake, &error),
        "Get \"http://127.0.0.2:1/x\": SSRF protection: redirect from \"127.0.0.1\" to private/link-local host \"127.0.0.2\" denied"
    );
}

#[test]
fn redirects_in_a_circle_end() {
    let fake = listing(|| Reply::new(302, "").header("Location", LIST));
    let error = list_anonymously(&fake).unwrap_err();
    assert!(
        error.to_string().contains("redirected more than"),
        "{error}"
    );
    assert!(
        error
            .controller_text()
            .unwrap()
            .ends_with("context deadline exceeded")
    );

    let fake = Fake::start(|_| Reply::new(302, "").header("Location", "/v2/"));
    let error = list_anonymously(&fake).unwrap_err();
    assert!(
        text(&fake, &error).ends_with("Get \"/v2/\": stopped after 10 redirects"),
        "{error}"
    );
}

#[test]
fn every_request_is_told_without_credentials() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = told.clone();
    let observer = Observer::new(move |event| {
        if let Event::Request {
            method,
            url,
            outcome,
            ..
        } = event
        {
            heard
                .lock()
                .unwrap()
                .push(format!("{method} {url} {outcome}"));
        }
    });
    let fake = listing(|| Reply::ok("{}"));
    let registries = Registries::new(RegistrySettings::default(), observer);
    let limits = ScanLimits::within(TIMEOUT);
    run(registries.tags(&image(&fake.host()), &user(), limits)).unwrap();
    let told: Vec<String> = told
        .lock()
        .unwrap()
        .iter()
        .map(|line| line.replace(&fake.host(), "HOST"))
        .collect();
    assert_eq!(
        told,
        [
            "GET https://HOST/v2/ http: server gave HTTP response to HTTPS client",
            "GET http://HOST/v2/ 200 OK",
            "GET http://HOST/v2/team/app/tags/list?n=1000 200 OK",
        ]
    );
}
