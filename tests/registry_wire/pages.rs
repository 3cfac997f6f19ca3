use imageauto::facts::network::Proxy;
use imageauto::io::registry::{ListingWarning, RegistryErrorKind};

use super::fake::{Fake, Reply};
use super::*;

/// Pages by the query's `last`, each with the link that `link` makes of the fake's host.
fn paged(link: impl Fn(&str) -> String + Send + Sync + 'static) -> Fake {
    Fake::start(move |asked| {
        if asked.target == "/v2/" {
            return Reply::ok("");
        }
        if asked.target.contains("last=") {
            return Reply::ok(r#"{"tags": ["2", "1"]}"#);
        }
        Reply::ok(r#"{"tags": ["1"]}"#).header("Link", link(&asked.headers["host"]))
    })
}

#[test]
fn pages_are_added_up() {
    let relative = paged(|_| "</v2/team/app/tags/list?last=1&n=1000>; rel=\"next\"".into());
    let listing = list(&relative, &user()).unwrap();
    // Duplicates stay, and so does the order.
    assert_eq!(listing.tags, tags(&["1", "2", "1"]));
    assert_eq!(listing.warnings, []);
    assert_eq!(
        relative.lines()[2],
        "GET /v2/team/app/tags/list?last=1&n=1000"
    );

    let sibling = paged(|_| "<list?last=1>".into());
    assert_eq!(list(&sibling, &user()).unwrap().tags.len(), 3);

    let absolute = paged(|host| format!("<http://{host}/v2/x?last=1>"));
    let listing = list(&absolute, &user()).unwrap();
    assert_eq!((listing.tags.len(), listing.warnings.len()), (3, 0));
    assert_eq!(absolute.asked()[2].authorization(), Some(USER));

    // The registry speaks http: so does its next page.
    let other_scheme = paged(|host| format!("<https://{host}/v2/x?last=1>"));
    assert_eq!(list(&other_scheme, &user()).unwrap().tags.len(), 3);
}

#[test]
fn a_page_on_another_host_comes_without_credentials_and_with_a_warning() {
    let other = Fake::start(|_| Reply::ok(r#"{"tags": ["2"]}"#));
    let elsewhere = other.other_host();
    let fake = paged(move |_| format!("<http://{elsewhere}/next?token=secret>"));
    let listing = list(&fake, &user()).unwrap();
    assert_eq!(listing.tags, tags(&["1", "2"]));
    assert_eq!(
        listing.warnings,
        [ListingWarning::PageOnAnotherHost {
            registry: fake.host(),
            page: format!("http://{}/next?token=REDACTED", other.other_host()),
        }]
    );
    assert_eq!(other.lines(), ["GET /next?token=secret"]);
    assert_eq!(other.asked()[0].authorization(), None);
}

#[test]
fn another_port_is_another_host() {
    let other = Fake::start(|_| Reply::ok(r#"{"tags": ["2"]}"#));
    let elsewhere = other.host();
    let fake = paged(move |_| format!("<http://{elsewhere}/next>"));
    assert_eq!(list(&fake, &user()).unwrap().warnings.len(), 1);
    assert_eq!(other.asked()[0].authorization(), None);
}

#[test]
fn the_way_from_a_public_host_to_the_inside_is_closed() {
    for inside in [
        "127.0.0.1:1",
        "169.254.169.254",
        "10.0.0.1",
        "localhost",
        "[::1]:1",
    ] {
        // A proxy that plays the registry.
        let fake = Fake::start(move |asked| match asked.method.as_str() {
            "CONNECT" => Reply::new(405, ""),
            _ if asked.target.ends_with("/v2/") => Reply::ok(""),
            _ => Reply::ok("{}").header("Link", format!("<http://{inside}/x>")),
        });
        let access = RegistryAccess {
            insecure: true,
            proxy: Some(Proxy {
                address: format!("http://{}", fake.host()),
                username: String::new(),
                password: String::new(),
            }),
            ..RegistryAccess::default()
        };
        let limits = ScanLimits::within(TIMEOUT);
        let error = run(registries().tags(&image("203.0.113.7"), &access, limits)).unwrap_err();
        assert_eq!(error.kind(), RegistryErrorKind::OurLimit);
        assert_eq!(error.controller_text(), None);
        assert!(error.to_string().contains(inside), "{error}");
    }
}

#[test]
fn a_body_may_name_the_next_page_too() {
    let fake = Fake::start(|asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(""),
        LIST => Reply::ok(format!(
            r#"{{"tags": ["1"], "next": "http://{}/v2/more"}}"#,
            asked.headers["host"]
        )),
        _ => Reply::ok(r#"{"tags": ["2"], "next": "/v2/last"}"#),
    });
    let error = list_anonymously(&fake).unwrap_err();
    assert_eq!(
        text(&fake, &error),
        "Get \"/v2/last\": unsupported protocol scheme \"\""
    );
    assert_eq!(fake.lines()[2], "GET /v2/more");
}

#[test]
fn lists_that_lead_in_a_circle_end() {
    let fake = Fake::start(|asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(""),
        LIST => Reply::ok(r#"{"tags": ["1"]}"#).header("Link", "</v2/b>"),
        _ => Reply::ok(r#"{"tags": ["2"]}"#).header("Link", format!("<{LIST}>")),
    });
    let error = list_anonymously(&fake).unwrap_err();
    assert_eq!(error.kind(), RegistryErrorKind::BadAnswer);
    assert!(error.to_string().contains("leads back"), "{error}");
    assert_eq!(
        text(&fake, &error),
        "Get \"http://HOST/v2/team/app/tags/list?n=1000\": context deadline exceeded"
    );
}

#[test]
fn links_that_cant_be_read_are_told_as_the_controller_does() {
    for (link, expected) in [
        ("x", "failed to parse link header: missing '<' in: x"),
        ("<x", "failed to parse link header: missing '>' in: <x"),
        (
            "<http://a b/>",
            "parse \"http://a b/\": invalid character \" \" in host name",
        ),
    ] {
        let fake = paged(move |_| link.into());
        let error = list_anonymously(&fake).unwrap_err();
        assert_eq!(text(&fake, &error), expected);
    }
}

#[test]
fn no_tags_are_a_list_too() {
    for body in [r#"{"tags": null}"#, "{}", r#"{"name": "x", "tags": []}"#] {
        let fake = Fake::start(move |_| Reply::ok(body));
        let listing = list_anonymously(&fake).unwrap();
        assert_eq!(listing.tags, tags(&[]));
        assert_eq!(listing.warnings, []);
    }
}

#[test]
fn errors_that_come_with_success_are_told_beside_the_empty_list() {
    let body = r#"{"errors": [{"code": "DENIED", "message": "not yours"}]}"#;
    let fake = Fake::start(move |_| Reply::ok(body));
    let listing = list_anonymously(&fake).unwrap();
    assert_eq!(listing.tags, tags(&[]));
    assert_eq!(
        listing.warnings,
        [ListingWarning::ErrorsForTags {
            page: format!("http://{}/v2/team/app/tags/list?n=1000", fake.host()),
            errors: vec!["DENIED: not yours".into()],
        }]
    );
    let fake = Fake::start(|_| Reply::ok(r#"{"tags": ["1"], "errors": [{"code": "X"}]}"#));
    assert_eq!(list_anonymously(&fake).unwrap().warnings, []);
}

#[test]
fn digests_are_heads() {
    let digest = format!("sha256:{}", "0f".repeat(32));
    let shown = digest.clone();
    let fake = Fake::start(move |_| {
        Reply::ok("")
            .header("Content-Type", "application/json")
            .header("Content-Length", "123")
            .header("Docker-Content-Digest", shown.clone())
    });
    let registries = registries();
    let image = image(&fake.host());
    let found = run(registries.digest(&image, "1.0", &user(), ScanLimits::within(TIMEOUT)));
    assert_eq!(found.unwrap(), digest);
    let asked = &fake.asked()[1];
    assert_eq!(
        (asked.method.as_str(), asked.target.as_str()),
        ("HEAD", "/v2/team/app/manifests/1.0")
    );
    assert_eq!(asked.authorization(), Some(USER));
    assert!(
        asked.headers["accept"]
            .starts_with("application/vnd.docker.distribution.manifest.v1+json,")
    );
    assert!(asked.headers["accept"].ends_with(",application/vnd.oci.image.index.v1+json"));
}

#[test]
fn digests_need_their_headers() {
    let missing = |left_out: &'static str| {
        let fake = Fake::start(move |_| {
            let mut reply = Reply::ok("");
            for (name, value) in [
                ("Content-Type", "application/json"),
                ("Docker-Content-Digest", "sha256:00"),
            ] {
                if name != left_out {
                    reply = reply.header(name, value);
                }
            }
            if left_out == "Content-Length" {
                reply = reply.header("Transfer-Encoding", "chunked");
            }
            reply
        });
        let registries = registries();
        let image = image(&fake.host());
        let error = run(registries.digest(&image, "1.0", &user(), ScanLimits::within(TIMEOUT)))
            .unwrap_err();
        text(&fake, &error)
    };
    assert_eq!(
        missing("Content-Type"),
        "HEAD http://HOST/v2/team/app/manifests/1.0: response did not include Content-Type header"
    );
    assert_eq!(
        missing("Content-Length"),
        "GET http://HOST/v2/team/app/manifests/1.0: response did not include Content-Length header"
    );
    assert_eq!(
        missing("Docker-Content-Digest"),
        "HEAD http://HOST/v2/team/app/manifests/1.0: response did not include Docker-Content-Digest header"
    );
    assert_eq!(
        missing("nothing"),
        "wrong number of hex digits for sha256: 00"
    );
}

#[test]
fn a_refused_head_is_not_tried_as_a_get() {
    let fake = Fake::start(|asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(""),
        _ => Reply::new(404, ""),
    });
    let registries = registries();
    let image = image(&fake.host());
    let error =
        run(registries.digest(&image, "1.0", &user(), ScanLimits::within(TIMEOUT))).unwrap_err();
    assert_eq!(error.kind(), RegistryErrorKind::Refused { status: 404 });
    assert_eq!(
        text(&fake, &error),
        "HEAD http://HOST/v2/team/app/manifests/1.0: unexpected status code 404 Not Found (HEAD responses have no body, use GET for details)"
    );
    assert_eq!(fake.lines().len(), 2);
}

#[test]
fn digests_know_no_insecure_registries() {
    let fake = Fake::start(|_| Reply::ok(""));
    let access = RegistryAccess {
        insecure: true,
        ..RegistryAccess::default()
    };
    // A name that isn't local by the controller's rule, though it leads here.
    let image = image(&format!("127.1:{}", fake.address.port()));
    let error =
        run(registries().digest(&image, "1", &access, ScanLimits::within(TIMEOUT))).unwrap_err();
    assert_eq!(fake.lines(), [""; 0]);
    assert!(
        error
            .controller_text()
            .unwrap()
            .starts_with("Get \"https://127.1:"),
        "{error}"
    );
}
