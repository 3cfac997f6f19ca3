use imageauto::facts::network::{ClientIdentity, ClientTls, Proxy};
use imageauto::io::registry::RegistryErrorKind;

use super::fake::{Authority, Fake, Reply};
use super::*;

fn tls(authority: Option<&Authority>, client: Option<&Authority>) -> RegistryAccess {
    let identity = client.map(|authority| ClientIdentity {
        certificate: authority.client.0.clone().into_bytes(),
        key: authority.client.1.clone().into_bytes(),
    });
    RegistryAccess {
        tls: ClientTls {
            authorities: authority.map(|authority| authority.certificate.clone().into_bytes()),
            identity,
        },
        ..user()
    }
}

fn served(authority: &Authority, wants_client: bool) -> Fake {
    Fake::start_tls(authority.server(wants_client), |_| {
        Reply::ok(r#"{"tags": ["1"]}"#)
    })
}

#[test]
fn a_private_authority_is_trusted_besides_the_systems() {
    let authority = Authority::new("127.0.0.1");
    let fake = served(&authority, false);
    let listing = list(&fake, &tls(Some(&authority), None)).unwrap();
    assert_eq!(listing.tags, tags(&["1"]));
    assert_eq!(fake.asked()[1].authorization(), Some(USER));
}

#[test]
fn other_certificates_are_refused_in_gos_words() {
    let authority = Authority::new("127.0.0.1");
    let fake = served(&authority, false);
    let error = list(&fake, &tls(None, None)).unwrap_err();
    assert_eq!(error.kind(), RegistryErrorKind::Unreachable);
    let shown = text(&fake, &error);
    let first = shown.split("; ").next().unwrap();
    assert_eq!(
        first,
        "Get \"https://HOST/v2/\": tls: failed to verify certificate: x509: certificate signed by unknown authority"
    );

    for (name, expected) in [
        (
            "registry.example.com",
            "x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs",
        ),
        (
            "127.0.0.2",
            "x509: certificate is valid for 127.0.0.2, not 127.0.0.1",
        ),
    ] {
        let authority = Authority::new(name);
        let fake = served(&authority, false);
        let error = list(&fake, &tls(Some(&authority), None)).unwrap_err();
        let shown = text(&fake, &error);
        assert!(
            shown.split("; ").next().unwrap().ends_with(expected),
            "{shown}"
        );
    }
}

#[test]
fn a_certificate_that_signed_itself_is_trusted_where_it_is_named() {
    let itself = Authority::of_itself("127.0.0.1");
    let fake = served(&itself, false);
    let listing = list(&fake, &tls(Some(&itself), None)).unwrap();
    assert_eq!(listing.tags, tags(&["1"]));

    let error = list(&fake, &tls(None, None)).unwrap_err();
    let shown = text(&fake, &error);
    assert!(
        shown.contains("x509: certificate signed by unknown authority;"),
        "{shown}"
    );

    // Its names count all the same.
    let itself = Authority::of_itself("127.0.0.2");
    let fake = served(&itself, false);
    let error = list(&fake, &tls(Some(&itself), None)).unwrap_err();
    let shown = text(&fake, &error);
    assert!(shown.contains("is valid for 127.0.0.2, not"), "{shown}");
}

#[test]
fn a_client_certificate_is_shown_where_it_is_wanted() {
    let authority = Authority::new("127.0.0.1");
    let fake = served(&authority, true);
    let listing = list(&fake, &tls(Some(&authority), Some(&authority))).unwrap();
    assert_eq!(listing.tags, tags(&["1"]));

    let error = list(&fake, &tls(Some(&authority), None)).unwrap_err();
    let shown = text(&fake, &error);
    assert!(
        shown.starts_with("Get \"https://HOST/v2/\": remote error: tls: certificate required"),
        "{shown}"
    );
}

#[test]
fn a_proxy_gets_its_own_login() {
    let fake = Fake::start(|asked| match asked.method.as_str() {
        "CONNECT" => Reply::new(405, ""),
        _ => Reply::ok(r#"{"tags": ["1"]}"#),
    });
    let access = RegistryAccess {
        proxy: Some(Proxy {
            address: format!("http://{}", fake.host()),
            username: "user".into(),
            password: "swordfish".into(),
        }),
        insecure: true,
        ..RegistryAccess::default()
    };
    let limits = ScanLimits::within(TIMEOUT);
    let registries = registries();
    let listing = run(registries.tags(&image("203.0.113.7"), &access, limits)).unwrap();
    assert_eq!(listing.tags, tags(&["1"]));
    let asked = fake.asked();
    let last = asked.last().unwrap();
    assert_eq!(last.target, format!("http://203.0.113.7{LIST}"));
    assert_eq!(last.headers["proxy-authorization"], USER);
    assert_eq!(last.authorization(), None);
}

#[test]
fn proxies_that_arent_there_are_told_as_the_controller_does() {
    let host = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let by = |scheme: &str| {
        let access = RegistryAccess {
            proxy: Some(Proxy {
                address: format!("{scheme}://{host}"),
                username: String::new(),
                password: String::new(),
            }),
            ..RegistryAccess::default()
        };
        let limits = ScanLimits::within(TIMEOUT);
        let error = run(registries().tags(&image("203.0.113.7"), &access, limits)).unwrap_err();
        error.controller_text().unwrap().replace(&host, "PROXY")
    };
    let expected = "Get \"https://203.0.113.7/v2/\": proxyconnect tcp: dial tcp PROXY: connect: connection refused";
    assert_eq!(by("http"), expected);
    assert_eq!(by("socks5"), expected);
}
