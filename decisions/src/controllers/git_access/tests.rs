use super::*;
use crate::controllers::checkout::{Said, Target};
use crate::controllers::flux::GitRepositorySpec;
use crate::facts::git::AppInstallation;

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn reference(name: &str) -> Option<LocalReference> {
    Some(LocalReference { name: name.into() })
}

fn repository(url: &str) -> GitRepository {
    GitRepository {
        api_version: "source.toolkit.fluxcd.io/v1".into(),
        key: ObjectKey::new("apps", "gitops"),
        spec: GitRepositorySpec {
            url: url.into(),
            ..GitRepositorySpec::default()
        },
        ..Default::default()
    }
}

fn secret_of(pairs: Pairs<'_>) -> Seen<Secret> {
    let data = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()));
    Seen::Found(Secret::Readable {
        kind: "Opaque".into(),
        data: data.collect(),
    })
}

/// How a repository at `url` with this Secret is logged in to.
fn with_secret(url: &str, pairs: Pairs<'_>) -> Access {
    let mut repository = repository(url);
    repository.spec.secret_ref = reference("login");
    access(&repository, false, |key| {
        assert_eq!(key.to_string(), "apps/login");
        secret_of(pairs)
    })
}

fn login(access: Access) -> GitLogin {
    match access {
        Access::Known(access) => access.login,
        other => panic!("{other:?}"),
    }
}

fn failure(access: Access) -> (&'static str, String, bool) {
    match access {
        Access::Fails(failure) => (failure.reason, failure.message, failure.stalled),
        other => panic!("{other:?}"),
    }
}

fn source_manager(cause: &str) -> (&'static str, String, bool) {
    (
        "SourceManagerFailed",
        format!("failed configuring source manager: {cause}"),
        false,
    )
}

fn basic(username: &str, password: &str) -> GitLogin {
    GitLogin::Basic {
        username: username.into(),
        password: password.into(),
    }
}

#[test]
fn http_takes_a_token_or_a_login_and_falls_back_to_the_url() {
    const PLAIN: &str = "https://git.example.com/r.git";
    const LOGGED_IN: &str = "https://bot:p%40ss@git.example.com/r.git";
    let pair: Pairs<'_> = &[("username", "u"), ("password", "p")];
    assert_eq!(login(with_secret(PLAIN, pair)), basic("u", "p"));
    assert_eq!(login(with_secret(LOGGED_IN, pair)), basic("u", "p"));
    assert_eq!(login(with_secret(LOGGED_IN, &[])), basic("bot", "p@ss"));
    assert_eq!(
        login(with_secret("https://bot@h/r", &[("password", "p")])),
        basic("bot", "p")
    );
    assert_eq!(
        login(with_secret(PLAIN, &[("username", "u")])),
        basic("u", "")
    );
    assert_eq!(
        login(with_secret(PLAIN, &[("x", "y")])),
        GitLogin::Anonymous
    );
    let token: Pairs<'_> = &[("bearerToken", "t"), ("username", "u"), ("password", "p")];
    assert_eq!(
        login(with_secret(PLAIN, token)),
        GitLogin::Bearer("t".into())
    );
    assert_eq!(
        login(with_secret(
            PLAIN,
            &[("bearerToken", ""), ("username", "u")]
        )),
        GitLogin::Anonymous
    );
    assert_eq!(
        failure(with_secret(LOGGED_IN, token)),
        (
            "GitOperationFailed",
            "failed to checkout source: basic auth and bearer token cannot be set at the same time"
                .into(),
            false
        )
    );
    assert_eq!(
        failure(with_secret(PLAIN, &[("password", "p")])),
        source_manager(
            "failed to configure authentication options: invalid 'https' auth option: 'password' requires 'username' to be set"
        )
    );
}

#[test]
fn certificates_are_read_from_the_login_secret() {
    let pairs: Pairs<'_> = &[("caFile", "old"), ("tls.crt", "c"), ("tls.key", "k")];
    let Access::Known(known) = with_secret("https://h/r", pairs) else {
        panic!("it is known");
    };
    assert_eq!(known.tls.authorities.as_deref(), Some(&b"old"[..]));
    assert!(known.tls.identity.is_some());
    let pairs: Pairs<'_> = &[
        ("caFile", "old"),
        ("ca.crt", "new"),
        ("tls.crt", "c"),
        ("keyFile", "k"),
    ];
    let Access::Known(known) = with_secret("https://h/r", pairs) else {
        panic!("it is known");
    };
    assert_eq!(known.tls.authorities.as_deref(), Some(&b"new"[..]));
    assert_eq!(known.tls.identity, None);
}

#[test]
fn ssh_wants_a_key_and_known_hosts() {
    const URL: &str = "ssh://h/r.git";
    let option = |what: &str| {
        source_manager(&format!(
            "failed to configure authentication options: invalid 'ssh' auth option: '{what}' is required"
        ))
    };
    assert_eq!(failure(with_secret(URL, &[])), option("identity"));
    assert_eq!(
        failure(with_secret(URL, &[("identity", "i")])),
        option("known_hosts")
    );
    assert_eq!(
        failure(with_secret("ssh:///r", &[("identity", "i")])),
        option("host")
    );
    let pairs: Pairs<'_> = &[
        ("identity", "i"),
        ("known_hosts", "k"),
        ("username", "ignored"),
        ("password", "p"),
    ];
    let key = |user: &str| GitLogin::Key {
        user: user.into(),
        identity: b"i".to_vec(),
        passphrase: "p".into(),
        known_hosts: b"k".to_vec(),
    };
    assert_eq!(login(with_secret(URL, pairs)), key("git"));
    assert_eq!(login(with_secret("ssh://me@h/r.git", pairs)), key("me"));
}

#[test]
fn urls_that_are_no_git_urls_are_refused() {
    assert_eq!(
        failure(with_secret("file:///r.git", &[])),
        source_manager("failed to configure authentication options: unknown transport 'file'")
    );
    assert_eq!(
        failure(with_secret("r.git", &[])),
        source_manager("failed to configure authentication options: no transport type set")
    );
    assert_eq!(
        failure(with_secret("http://bot:hush@[::1", &[])),
        source_manager(
            "failed to parse URL 'http://[::1': parse \"http://[::1\": missing ']' in host"
        )
    );
}

#[test]
fn a_secret_that_is_missing_fails_and_one_that_is_hidden_does_not() {
    let mut repository = repository("https://h/r.git");
    repository.spec.secret_ref = reference("login");
    let seen = |seen: Seen<Secret>| access(&repository, false, move |_| seen.clone());
    assert_eq!(
        failure(seen(Seen::Missing)),
        source_manager("failed to get auth secret 'apps/login': secrets \"login\" not found")
    );
    assert_eq!(
        seen(Seen::Found(Secret::Closed(
            crate::facts::cluster::Closed::Encrypted
        ))),
        Access::Hidden {
            why: "Secret apps/login is encrypted".into()
        }
    );
    let why = "you may not get Secret apps/login".to_owned();
    assert_eq!(
        seen(Seen::Hidden { why: why.clone() }),
        Access::Hidden { why }
    );
    repository.spec.secret_ref = reference("");
    assert_eq!(
        failure(access(&repository, false, |_| Seen::Missing)),
        source_manager("failed to get auth secret 'apps/': resource name may not be empty")
    );
}

#[test]
fn a_proxy_has_an_address_and_perhaps_a_login() {
    let mut repository = repository("https://h/r.git");
    repository.spec.proxy_secret_ref = reference("proxy");
    assert_eq!(needed(&repository), [ObjectKey::new("apps", "proxy")]);
    let with = |pairs: Pairs<'_>| access(&repository, false, |_| secret_of(pairs));
    let proxy = |pairs: Pairs<'_>| match with(pairs) {
        Access::Known(access) => access.proxy.unwrap(),
        other => panic!("{other:?}"),
    };
    let expected = |username: &str, password: &str| Proxy {
        address: "http://proxy:3128".into(),
        username: username.into(),
        password: password.into(),
    };
    assert_eq!(
        proxy(&[("address", "http://proxy:3128/x")]),
        expected("", "")
    );
    assert_eq!(
        proxy(&[
            ("address", "http://proxy:3128"),
            ("username", "u"),
            ("password", "p")
        ]),
        expected("u", "p")
    );
    assert_eq!(
        proxy(&[("address", "http://a:b@proxy:3128"), ("password", "p")]),
        expected("a", "b")
    );
    assert_eq!(
        failure(with(&[])),
        source_manager("secret 'apps/proxy': key 'address' not found")
    );
    assert_eq!(
        failure(with(&[("address", "")])),
        source_manager("secret 'apps/proxy': proxy address is empty")
    );
    assert_eq!(
        failure(with(&[("address", "ftp://x")])),
        source_manager(
            "secret 'apps/proxy': proxy URL must use one of the supported schemes (http, https, socks5), got 'ftp'"
        )
    );
    assert_eq!(
        failure(with(&[("address", "http://u:p@[::1")])),
        source_manager(
            "secret 'apps/proxy': failed to parse proxy address 'http://[::1': parse \"http://[::1\": missing ']' in host"
        )
    );
    assert_eq!(
        failure(access(&repository, false, |_| Seen::Missing)),
        source_manager("secret 'apps/proxy' not found")
    );
}

#[test]
fn clouds_are_hidden_unless_their_gate_is_shut() {
    let mut repository = repository("https://h/r.git");
    repository.spec.provider = Some("azure".into());
    let anyone = |repository: &GitRepository, gate| access(repository, gate, |_| Seen::Missing);
    assert!(matches!(anyone(&repository, false), Access::Hidden { .. }));
    repository.spec.service_account_name = Some("sa".into());
    assert!(matches!(anyone(&repository, true), Access::Hidden { .. }));
    let (reason, message, stalled) = failure(anyone(&repository, false));
    assert_eq!((reason, stalled), ("FeatureGateDisabled", true));
    assert!(
        message.starts_with(
            "to use spec.serviceAccountName for provider authentication please enable"
        )
    );
}

#[test]
fn a_github_app_is_checked_before_it_is_asked_for_a_token() {
    const MUST: &str = "secretRef with github app data must be specified when provider is set to github: invalid source configuration";
    let with = |pairs: Option<Pairs<'_>>| {
        let mut repository = repository("https://h/r.git");
        repository.spec.provider = Some("github".into());
        repository.spec.secret_ref = pairs.and_then(|_| reference("app"));
        access(&repository, false, |_| secret_of(pairs.unwrap_or_default()))
    };
    let must = ("InvalidSourceConfiguration", MUST.to_owned(), true);
    assert_eq!(failure(with(None)), must);
    assert_eq!(
        failure(with(Some(&[("username", "u"), ("password", "p")]))),
        must
    );
    assert_eq!(failure(with(Some(&[("githubAppID", "1")]))), must);
    assert_eq!(
        failure(with(Some(&[("username", "u")]))),
        source_manager(
            "secret 'apps/app': malformed basic auth - has 'username' but missing 'password'"
        )
    );
    let app: Pairs<'_> = &[("githubAppID", "1"), ("githubAppPrivateKey", "x")];
    assert_eq!(
        failure(with(Some(app))),
        source_manager(
            "secret 'apps/app' must contain exactly one of 'githubAppInstallationOwner' or 'githubAppInstallationID'"
        )
    );
    let app = [app, &[("githubAppInstallationID", "1")]].concat();
    assert_eq!(
        failure(with(Some(&app))),
        source_manager(
            "failed to configure authentication options: could not parse private key: invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key"
        )
    );
    assert_eq!(
        failure(with(Some(&[&app[..], &[("ca.crt", "junk")]].concat()))),
        source_manager("failed to parse CA certificate")
    );
    let key = "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n";
    let app: Pairs<'_> = &[
        ("githubAppID", "1"),
        ("githubAppPrivateKey", key),
        ("githubAppInstallationOwner", "o"),
    ];
    let Access::App { app: found, access } = with(Some(app)) else {
        panic!("it is whole")
    };
    assert_eq!((found.id, found.api.as_str()), (1, ""));
    assert_eq!(found.installation, AppInstallation::Owner("o".into()));
    assert_eq!(access.login, GitLogin::Anonymous);
    assert!(!format!("{found:?}").contains("AQID"));
    let (reason, message, stalled) = failure(with_secret("https://h/r.git", app));
    assert_eq!((reason, stalled), ("InvalidSourceConfiguration", true));
    assert_eq!(
        message,
        "secretRef 'apps/login' has github app data but provider is not set to github: invalid source configuration"
    );
}

#[test]
fn a_login_that_cannot_be_sent_is_told_without_asking() {
    let url = "https://h/r.git";
    let target = Target::Branch("main".into());
    let of = |access: GitAccess| fault(&access, url, &target, false);
    let with = |login| GitAccess {
        login,
        ..GitAccess::default()
    };
    assert_eq!(of(with(basic("u", "p\n"))), None);
    assert_eq!(
        of(with(GitLogin::Bearer("t\n".into()))),
        Some(Said::Cloning(
            "Get \"https://h/r.git/info/refs?service=git-upload-pack\": net/http: invalid header field value for \"Authorization\"".into()
        ))
    );
    let pair = |certificate: &str, key: &str| GitAccess {
        tls: ClientTls {
            authorities: None,
            identity: Some(ClientIdentity {
                certificate: certificate.into(),
                key: key.into(),
            }),
        },
        ..GitAccess::default()
    };
    let block = |kind: &str| format!("-----BEGIN {kind}-----\nAQID\n-----END {kind}-----\n");
    let cloning = |cause: &str| Some(Said::Cloning(cause.into()));
    assert_eq!(
        of(pair(&block("CERTIFICATE"), &block("EC PRIVATE KEY"))),
        None
    );
    assert_eq!(
        of(pair(&block("CERTIFICATE"), "junk")),
        cloning("tls: failed to find any PEM data in key input")
    );
    assert_eq!(
        of(pair(&block("PRIVATE KEY"), "junk")),
        cloning(
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched"
        )
    );
    let key = |identity: &str, proxy: Option<&str>| GitAccess {
        login: GitLogin::Key {
            user: "git".into(),
            identity: identity.into(),
            passphrase: String::new(),
            known_hosts: Vec::new(),
        },
        proxy: proxy.map(|address| Proxy {
            address: address.into(),
            username: String::new(),
            password: String::new(),
        }),
        ..GitAccess::default()
    };
    let bad_key = |cause: &str| Some(Said::unusable_key(cause));
    assert_eq!(of(key("junk", None)), bad_key("ssh: no key found"));
    assert_eq!(
        of(key(&block("CERTIFICATE"), None)),
        bad_key("ssh: unsupported key type \"CERTIFICATE\"")
    );
    assert_eq!(of(key(&block("OPENSSH PRIVATE KEY"), None)), None);
    assert_eq!(
        of(key(&block("OPENSSH PRIVATE KEY"), Some("http://p"))),
        cloning("proxy: unknown scheme: http")
    );
}
