use imageauto::facts::registry::RegistryLogin;
use imageauto::io::registry::RegistryErrorKind;

use super::fake::{Asked, Fake, Reply};
use super::*;

fn unless(condition: bool, challenge: String, reply: Reply) -> Reply {
    if condition {
        return reply;
    }
    Reply::new(401, "").header("WWW-Authenticate", challenge)
}

/// A registry that wants tokens from its own `/token`, which `token` answers.
fn with_tokens(token: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Fake {
    Fake::start(move |asked| {
        if asked.target.starts_with("/token") {
            return token(asked);
        }
        let realm = format!("http://{}/token", asked.headers["host"]);
        let challenge = format!("Bearer realm=\"{realm}\",service=\"reg\"");
        unless(
            asked.authorization() == Some("Bearer good"),
            challenge,
            Reply::ok(r#"{"tags": ["1"]}"#),
        )
    })
}

fn identity(basic: Option<(String, String)>) -> RegistryAccess {
    access(RegistryLogin::IdentityToken {
        token: "refresh-me".into(),
        basic,
    })
}

#[test]
fn basic_goes_with_every_request_but_the_ping() {
    let fake = Fake::start(|asked| {
        let challenge = "Basic realm=\"x\"".into();
        unless(
            asked.authorization() == Some(USER),
            challenge,
            Reply::ok(r#"{"tags": ["1"]}"#),
        )
    });
    assert_eq!(list(&fake, &user()).unwrap().tags, tags(&["1"]));
    let asked = fake.asked();
    assert_eq!(fake.lines(), ["GET /v2/".into(), format!("GET {LIST}")]);
    assert_eq!(asked[0].authorization(), None);
    assert!(asked[1].headers["user-agent"].starts_with("kubectl-imageauto/"));
}

#[test]
fn basic_goes_along_though_nobody_asks() {
    let fake = Fake::start(|_| Reply::ok(r#"{"tags": ["1"]}"#));
    list(&fake, &user()).unwrap();
    assert_eq!(fake.asked()[1].authorization(), Some(USER));
    // A registry token is sent as it is, by Basic's way.
    list(&fake, &access(RegistryLogin::RegistryToken("abc".into()))).unwrap();
    assert_eq!(fake.asked()[3].authorization(), Some("Bearer abc"));
}

#[test]
fn a_bearer_token_is_bought_with_user_and_password() {
    let fake = with_tokens(|asked| {
        assert_eq!(asked.authorization(), Some(USER));
        Reply::ok(r#"{"token": "worse", "access_token": "good"}"#)
    });
    assert_eq!(list(&fake, &user()).unwrap().tags, tags(&["1"]));
    assert_eq!(
        fake.lines(),
        [
            "GET /v2/".to_owned(),
            "GET /token?scope=repository%3Ateam%2Fapp%3Apull&service=reg".into(),
            format!("GET {LIST}"),
        ]
    );
}

#[test]
fn anonymous_users_get_tokens_too() {
    let fake = with_tokens(|asked| {
        assert_eq!(asked.authorization(), None);
        Reply::ok(r#"{"token": "good"}"#)
    });
    assert_eq!(list_anonymously(&fake).unwrap().tags, tags(&["1"]));
}

#[test]
fn identity_tokens_are_posted() {
    let fake = with_tokens(|_| Reply::ok(r#"{"access_token": "good"}"#));
    list(&fake, &identity(None)).unwrap();
    let asked = &fake.asked()[1];
    assert_eq!(
        (asked.method.as_str(), asked.target.as_str()),
        ("POST", "/token")
    );
    assert_eq!(asked.authorization(), None);
    assert_eq!(
        asked.body,
        "client_id=go-containerregistry&grant_type=refresh_token&refresh_token=refresh-me&scope=repository%3Ateam%2Fapp%3Apull&service=reg"
    );
}

#[test]
fn a_token_server_without_the_grant_is_asked_the_other_way() {
    let fake = with_tokens(|asked| match asked.method.as_str() {
        "POST" => Reply::new(404, ""),
        _ => Reply::ok(r#"{"token": "good"}"#),
    });
    let basic = Some(("user".to_owned(), "swordfish".to_owned()));
    list(&fake, &identity(basic)).unwrap();
    assert_eq!(fake.asked()[2].authorization(), Some(USER));
}

#[test]
fn a_refresh_token_is_posted_once() {
    let fake = with_tokens(|_| Reply::new(503, ""));
    let error = list(&fake, &identity(None)).unwrap_err();
    assert_eq!(error.kind(), RegistryErrorKind::Refused { status: 503 });
    assert_eq!(
        text(&fake, &error),
        "Post \"http://HOST/token\": http: ContentLength=129 with Body length 0"
    );
    assert_eq!(fake.lines().len(), 2);
}

#[test]
fn a_token_that_expires_in_mid_scan_is_bought_again() {
    let fake = Fake::start(|asked| {
        let number = |name: &str| asked.target.contains(name);
        if number("/token") {
            return Reply::ok(if number("more") {
                r#"{"token": "second"}"#
            } else {
                r#"{"token": "first"}"#
            });
        }
        let challenge = format!(
            "Bearer realm=\"http://{}/token\",scope=\"more\"",
            asked.headers["host"]
        );
        match asked.authorization() {
            Some("Bearer first") if number("last") => unless(false, challenge, Reply::ok("")),
            Some("Bearer first") => Reply::ok(r#"{"tags": ["1"]}"#)
                .header("Link", "</v2/team/app/tags/list?last=1>; rel=\"next\""),
            Some("Bearer second") => Reply::ok(r#"{"tags": ["2"]}"#),
            _ => unless(false, challenge, Reply::ok("")),
        }
    });
    assert_eq!(list_anonymously(&fake).unwrap().tags, tags(&["1", "2"]));
    assert!(
        fake.lines().contains(
            &"GET /token?scope=more&scope=repository%3Ateam%2Fapp%3Apull&service=".into()
        )
    );
}

#[test]
fn refused_logins_are_told_as_the_controller_does() {
    let fake = with_tokens(|_| {
        Reply::new(
            401,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}"#,
        )
    });
    let error = list(&fake, &user()).unwrap_err();
    assert_eq!(error.kind(), RegistryErrorKind::Refused { status: 401 });
    assert_eq!(
        text(&fake, &error),
        "GET http://HOST/token?scope=repository%3Ateam%2Fapp%3Apull&service=reg: UNAUTHORIZED: no"
    );

    let fake = with_tokens(|_| Reply::ok(r#"{"token": "bad"}"#));
    let error = list(&fake, &user()).unwrap_err();
    assert_eq!(
        text(&fake, &error),
        "GET http://HOST/v2/team/app/tags/list?n=1000: unexpected status code 401 Unauthorized"
    );
}

#[test]
fn passwords_that_a_server_echoes_are_not_repeated() {
    let fake = Fake::start(|asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(""),
        _ => Reply::new(403, format!("not swordfish again ({USER})")),
    });
    let error = list(&fake, &user()).unwrap_err();
    assert_eq!(
        text(&fake, &error),
        "GET http://HOST/v2/team/app/tags/list?n=1000: unexpected status code 403 Forbidden: not REDACTED again (Basic REDACTED)"
    );
    assert!(!format!("{error} {error:?}").contains("swordfish"));
}

#[test]
fn bad_challenges_are_told_as_the_controller_does() {
    let with_challenge = |challenge: &'static str| {
        let fake = Fake::start(move |_| Reply::new(401, "").header("WWW-Authenticate", challenge));
        let error = list(&fake, &user()).unwrap_err();
        text(&fake, &error)
    };
    assert_eq!(
        with_challenge("Bearer service=\"x\""),
        "malformed www-authenticate, missing realm: map[service:x]"
    );
    assert_eq!(
        with_challenge("Bearer realm=\"http://127.0.0.2/token\""),
        "invalid realm in www-authenticate: realm host \"127.0.0.2\" is a private or link-local address"
    );
    assert_eq!(
        with_challenge("Bearer realm=\"token\""),
        "invalid realm in www-authenticate: realm scheme \"\" not allowed; must be https (or http for insecure registries)"
    );
    // A scheme that isn't known is no reason not to try.
    assert_eq!(
        with_challenge("Negotiate"),
        "GET http://HOST/v2/team/app/tags/list?n=1000: unexpected status code 401 Unauthorized"
    );
}

#[test]
fn one_exchange_serves_tags_and_digest() {
    let fake = Fake::start(|asked| {
        if asked.target.starts_with("/token") {
            return Reply::ok(r#"{"token": "good", "expires_in": 300}"#);
        }
        let realm = format!("Bearer realm=\"http://{}/token\"", asked.headers["host"]);
        let reply = Reply::ok(r#"{"tags": ["1"]}"#)
            .header("Content-Type", "application/json")
            .header(
                "Docker-Content-Digest",
                format!("sha256:{}", "0".repeat(64)),
            );
        unless(asked.authorization() == Some("Bearer good"), realm, reply)
    });
    let registries = registries();
    let (image, access) = (image(&fake.host()), user());
    run(async {
        registries
            .tags(&image, &access, ScanLimits::within(TIMEOUT))
            .await
            .unwrap();
        registries
            .digest(&image, "1", &access, ScanLimits::within(TIMEOUT))
            .await
            .unwrap();
    });
    let lines = fake.lines();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[3], "HEAD /v2/team/app/manifests/1");
}
