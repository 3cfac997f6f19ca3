use std::cell::RefCell;
use std::collections::BTreeMap;

use super::*;
use crate::controllers::flux::ImageRepositorySpec;
use crate::go::reference::Reference;

const NAMESPACE: &str = "apps";

/// Objects of a made-up cluster, and what was asked of it.
#[derive(Default)]
struct Cluster {
    secrets: BTreeMap<String, Seen<Secret>>,
    accounts: BTreeMap<String, Seen<ServiceAccount>>,
    asked: RefCell<Vec<String>>,
}

impl Cluster {
    fn with(mut self, name: &str, kind: &str, data: &[(&str, &str)]) -> Self {
        let data = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
            .collect();
        let secret = Secret::Readable {
            kind: kind.to_owned(),
            data,
        };
        self.secrets.insert(name.to_owned(), Seen::Found(secret));
        self
    }

    /// A pull Secret of the usual type.
    fn with_pull_secret(self, name: &str, json: &str) -> Self {
        self.with(
            name,
            "kubernetes.io/dockerconfigjson",
            &[(".dockerconfigjson", json)],
        )
    }

    fn with_hidden(mut self, name: &str) -> Self {
        let why = format!("Secret {NAMESPACE}/{name} can't be read");
        self.secrets.insert(name.to_owned(), Seen::Hidden { why });
        self
    }

    fn with_account(mut self, name: &str, secrets: &[&str]) -> Self {
        let account = ServiceAccount {
            image_pull_secrets: secrets.iter().map(|name| (*name).to_owned()).collect(),
        };
        self.accounts.insert(name.to_owned(), Seen::Found(account));
        self
    }

    fn access(&self, spec: ImageRepositorySpec) -> Result<Access, Failure> {
        let image = Reference::parse(&spec.image).unwrap().repository;
        access(
            &repository(spec),
            &image,
            |key| {
                assert_eq!(key.namespace, NAMESPACE);
                self.asked.borrow_mut().push(key.name.clone());
                self.secrets
                    .get(&key.name)
                    .cloned()
                    .unwrap_or(Seen::Missing)
            },
            |key| {
                assert_eq!(key.namespace, NAMESPACE);
                self.accounts
                    .get(&key.name)
                    .cloned()
                    .unwrap_or(Seen::Missing)
            },
        )
    }

    fn failure(&self, spec: ImageRepositorySpec) -> String {
        let failure = self.access(spec).unwrap_err();
        assert_eq!(failure.reason, "AuthenticationFailed");
        failure
            .message
            .strip_prefix("failed to configure authentication options: ")
            .unwrap()
            .to_owned()
    }
}

fn repository(spec: ImageRepositorySpec) -> ImageRepository {
    ImageRepository {
        api_version: "image.toolkit.fluxcd.io/v1".into(),
        key: ObjectKey::new(NAMESPACE, "app"),
        spec,
        ..Default::default()
    }
}

fn named(name: &str) -> Option<LocalReference> {
    Some(LocalReference { name: name.into() })
}

fn spec(image: &str) -> ImageRepositorySpec {
    ImageRepositorySpec {
        image: image.into(),
        ..Default::default()
    }
}

fn with_secret(image: &str) -> ImageRepositorySpec {
    ImageRepositorySpec {
        secret_ref: named("pull"),
        ..spec(image)
    }
}

fn user(access: &Access) -> &str {
    match &access.access.login {
        RegistryLogin::Basic { username, .. } => username,
        RegistryLogin::Anonymous => "nobody",
        _ => "token",
    }
}

/// The user that a Secret with one entry for each key gives for `image`; users are called by their keys.
fn chosen(keys: &[&str], image: &str) -> String {
    let auths: serde_json::Map<String, serde_json::Value> = keys
        .iter()
        .map(|key| {
            (
                (*key).to_owned(),
                serde_json::json!({"username": key, "password": "p"}),
            )
        })
        .collect();
    let cluster = Cluster::default()
        .with_pull_secret("pull", &serde_json::json!({ "auths": auths }).to_string());
    user(&cluster.access(with_secret(image)).unwrap()).to_owned()
}

#[test]
fn keys_match_as_the_kubelets_do() {
    for (key, image, expected) in [
        ("ghcr.io", "ghcr.io/org/app", true),
        ("https://ghcr.io", "ghcr.io/org/app", true),
        ("http://ghcr.io/", "ghcr.io/org/app", true),
        ("ghcr.io/v2/", "ghcr.io/org/app", true),
        ("ghcr.io/v1/org", "ghcr.io/org/app", true),
        ("ghcr.io/v2", "ghcr.io/org/app", false),
        ("ghcr.io/v3/", "ghcr.io/org/app", false),
        ("ghcr.io/org", "ghcr.io/organisation/app", true),
        ("ghcr.io/org/app/", "ghcr.io/org/app", false),
        ("*.example.com", "registry.example.com/app", true),
        ("r*.example.*", "registry.example.com/app", true),
        ("*.example.com", "a.registry.example.com/app", false),
        ("*", "registry.example.com/app", false),
        ("*.com", "registry.example.com/app", false),
        (
            "registry.example.com",
            "registry.example.com:5000/app",
            false,
        ),
        (
            "registry.example.com:5000",
            "registry.example.com:5000/app",
            true,
        ),
        ("*.example.com:5000", "registry.example.com:5000/app", true),
        (
            "registry.example.com:443",
            "registry.example.com/app",
            false,
        ),
        ("GHCR.io", "ghcr.io/org/app", false),
        ("https://index.docker.io/v1/", "alpine", true),
        ("https://index.docker.io/v1", "alpine", false),
        ("index.docker.io", "docker.io/library/alpine", true),
        ("docker.io", "alpine", false),
        ("registry-1.docker.io", "alpine", false),
        ("index.docker.io/library", "alpine", true),
        ("*.docker.io", "alpine", true),
        ("[::1]:5000", "[::1]:5000/app", true),
        ("[::1]", "[::1]/app", false),
    ] {
        let found = chosen(&[key], image);
        assert_eq!(found == key, expected, "{key} for {image}: {found}");
    }
}

#[test]
fn of_several_keys_the_last_in_byte_order_counts() {
    let image = "registry.example.com/team/app";
    assert_eq!(
        chosen(&["*.example.com/team", "registry.example.com"], image),
        "registry.example.com"
    );
    assert_eq!(
        chosen(
            &["registry.example.com", "registry.example.com/team"],
            image
        ),
        "registry.example.com/team"
    );
    assert_eq!(
        chosen(
            &["https://registry.example.com/a", "registry.example.*"],
            image
        ),
        "registry.example.*"
    );
}

#[test]
fn the_first_secret_wins_for_the_same_key_only() {
    let cluster = Cluster::default()
        .with_pull_secret(
            "pull",
            r#"{"auths": {"ghcr.io": {"username": "one", "password": "p"}}}"#,
        )
        .with_pull_secret(
            "same",
            r#"{"auths": {"ghcr.io": {"username": "two", "password": "p"}}}"#,
        )
        .with_pull_secret(
            "longer",
            r#"{"auths": {"ghcr.io/org": {"username": "three", "password": "p"}}}"#,
        )
        .with_account("builder", &["same"])
        .with_account("other", &["same", "longer"]);
    let by = |account: &str| ImageRepositorySpec {
        service_account_name: Some(account.into()),
        ..with_secret("ghcr.io/org/app")
    };
    let access = cluster.access(by("builder")).unwrap();
    assert_eq!(user(&access), "one");
    let access = cluster.access(by("other")).unwrap();
    assert_eq!(user(&access), "three");
    assert_eq!(
        access.login_from,
        Some(LoginSource {
            secret: ObjectKey::new(NAMESPACE, "longer"),
            entry: "ghcr.io/org".into(),
            rivals: Vec::new(),
        })
    );
    assert!(access.without_entry.is_empty());
}

#[test]
fn two_spellings_of_one_key_are_rivals() {
    let cluster = Cluster::default().with_pull_secret(
        "pull",
        r#"{"auths": {"ghcr.io": {"username": "a", "password": "p"},
                      "https://ghcr.io": {"username": "b", "password": "p"},
                      "ghcr.io/v2/": {"username": "a", "password": "p"}}}"#,
    );
    let access = cluster.access(with_secret("ghcr.io/org/app")).unwrap();
    assert_eq!(access.login_from.unwrap().rivals, ["https://ghcr.io"]);
}

#[test]
fn entries_hold_logins_of_several_kinds() {
    let login = |entry: &str| {
        let json = format!(r#"{{"auths": {{"ghcr.io": {entry}}}}}"#);
        let cluster = Cluster::default().with_pull_secret("pull", &json);
        cluster
            .access(with_secret("ghcr.io/org/app"))
            .unwrap()
            .access
            .login
    };
    let basic = |username: &str, password: &str| RegistryLogin::Basic {
        username: username.into(),
        password: password.into(),
    };
    // user:pa:ss and user:p
    assert_eq!(
        login(r#"{"auth": "dXNlcjpwYTpzcw=="}"#),
        basic("user", "pa:ss")
    );
    assert_eq!(login(r#"{"auth": "dXNlcjpw"}"#), basic("user", "p"));
    assert_eq!(
        login(r#"{"Auth": "dXNlcjpw", "username": "x", "password": "y"}"#),
        basic("user", "p")
    );
    assert_eq!(
        login(r#"{"username": "x", "password": "y", "email": 1}"#),
        basic("x", "y")
    );
    assert_eq!(login(r#"{"username": "x"}"#), RegistryLogin::Anonymous);
    assert_eq!(login("null"), RegistryLogin::Anonymous);
    assert_eq!(
        login(r#"{"registrytoken": "t", "identitytoken": "i", "auth": "dXNlcjpw"}"#),
        RegistryLogin::RegistryToken("t".into())
    );
    assert_eq!(
        login(r#"{"identitytoken": "i", "auth": "dXNlcjpw"}"#),
        RegistryLogin::IdentityToken {
            token: "i".into(),
            basic: Some(("user".into(), "p".into())),
        }
    );
    assert_eq!(
        login(r#"{"identitytoken": "i", "auth": "dXNlcjo="}"#),
        RegistryLogin::IdentityToken {
            token: "i".into(),
            basic: None,
        }
    );
}

#[test]
fn old_secrets_hold_the_entries_themselves() {
    let cluster = Cluster::default().with(
        "pull",
        "kubernetes.io/dockercfg",
        &[(
            ".dockercfg",
            r#"{"https://ghcr.io": {"auth": "dXNlcjpw", "email": "x"}}"#,
        )],
    );
    let access = cluster.access(with_secret("ghcr.io/org/app")).unwrap();
    assert_eq!(user(&access), "user");
}

#[test]
fn secrets_without_an_entry_are_told_with_what_they_have() {
    let json = r#"{"auths": {"quay.io": {}, "docker.io": {"auth": "dXNlcjpw"}}}"#;
    let cluster = Cluster::default()
        .with_pull_secret("pull", json)
        .with("opaque", "Opaque", &[(".dockerconfigjson", json)])
        .with(
            "empty",
            "kubernetes.io/dockerconfigjson",
            &[("other", json)],
        )
        .with_account("builder", &["opaque", "empty"]);
    let access = cluster
        .access(ImageRepositorySpec {
            service_account_name: Some("builder".into()),
            ..with_secret("alpine")
        })
        .unwrap();
    assert_eq!(user(&access), "nobody");
    assert_eq!(access.login_from, None);
    let offered = |name: &str, why| OfferedSecret {
        secret: ObjectKey::new(NAMESPACE, name),
        why,
    };
    assert_eq!(
        access.without_entry,
        [
            offered(
                "pull",
                WithoutEntry::OtherHosts(vec!["docker.io".into(), "quay.io".into()])
            ),
            offered("opaque", WithoutEntry::Type("Opaque".into())),
            offered("empty", WithoutEntry::NoData),
        ]
    );
}

#[test]
fn malformed_pull_secrets_are_errors() {
    for (json, expected) in [
        ("{", "unexpected end of JSON input"),
        (
            "auths:",
            "invalid character 'a' looking for beginning of value",
        ),
        (
            "[]",
            "json: cannot unmarshal array into Go value of type kubernetes.dockerConfigJSON",
        ),
        (
            r#"{"auths": "x"}"#,
            "json: cannot unmarshal string into Go struct field dockerConfigJSON.Auths of type map[string]authn.AuthConfig",
        ),
        (
            r#"{"auths": {"h.io": "x"}}"#,
            "json: cannot unmarshal string into Go struct field dockerConfigJSON.Auths of type authn.authConfig",
        ),
        (
            r#"{"auths": {"h.io": {"password": 1, "username": true}}}"#,
            "json: cannot unmarshal number into Go struct field dockerConfigJSON.Auths.password of type string",
        ),
        (
            r#"{"auths": {"h.io": {"auth": "not base64!="}}}"#,
            "unable to decode auth field: illegal base64 data at input byte 3",
        ),
        (
            r#"{"auths": {"h.io": {"auth": "dXNlcg=="}}}"#,
            "unable to decode auth field: must be formatted as base64(username:password)",
        ),
        (
            r#"{"auths": {"a b": {}}}"#,
            r#"Entry "https://a b" in dockercfg invalid (parse "https://a b": invalid character " " in host name)"#,
        ),
    ] {
        let cluster = Cluster::default().with_pull_secret("pull", json);
        assert_eq!(cluster.failure(with_secret("ghcr.io/org/app")), expected);
    }
    let cluster = Cluster::default().with(
        "pull",
        "kubernetes.io/dockercfg",
        &[(".dockercfg", r#"{"h.io": {"username": 1}}"#)],
    );
    assert_eq!(
        cluster.failure(with_secret("ghcr.io/org/app")),
        "json: cannot unmarshal number into Go struct field authConfig.username of type string"
    );
}

#[test]
fn missing_objects_are_errors() {
    let cluster = Cluster::default().with_account("builder", &["gone"]);
    assert_eq!(
        cluster.failure(with_secret("ghcr.io/org/app")),
        "secrets \"pull\" not found"
    );
    let with = |change: fn(&mut ImageRepositorySpec)| {
        let mut spec = spec("ghcr.io/org/app");
        change(&mut spec);
        cluster.failure(spec)
    };
    assert_eq!(
        with(|spec| spec.cert_secret_ref = named("certs")),
        "secrets \"certs\" not found"
    );
    assert_eq!(
        with(|spec| spec.proxy_secret_ref = named("proxy")),
        "secret 'apps/proxy' not found"
    );
    assert_eq!(
        with(|spec| spec.service_account_name = Some("nobody".into())),
        "serviceaccount 'apps/nobody' not found"
    );
    assert_eq!(
        with(|spec| spec.service_account_name = Some("builder".into())),
        "failed to get image pull secret for serviceaccount 'apps/builder': secret 'apps/gone' not found"
    );
    assert_eq!(
        with(|spec| spec.secret_ref = named("")),
        "resource name may not be empty"
    );
    assert_eq!(
        with(|spec| spec.provider = Some("hetzner".into())),
        "provider 'hetzner' not implemented"
    );
}

#[test]
fn one_secret_for_certificates_and_login_is_the_controllers_defect() {
    let cluster = Cluster::default().with_pull_secret("pull", "{}");
    let spec = ImageRepositorySpec {
        cert_secret_ref: named("pull"),
        ..with_secret("ghcr.io/org/app")
    };
    assert_eq!(needed(&repository(spec.clone())), Needed::default());
    assert_eq!(
        cluster.failure(spec),
        "failed to get secret '/': resource name may not be empty"
    );
}

#[test]
fn proxies_are_read_from_their_secret() {
    let proxy = |data: &[(&str, &str)]| {
        let cluster = Cluster::default().with("proxy", "Opaque", data);
        cluster
            .access(ImageRepositorySpec {
                proxy_secret_ref: named("proxy"),
                ..spec("ghcr.io/org/app")
            })
            .map(|access| access.access.proxy.unwrap())
            .map_err(|failure| failure.message)
    };
    let expected = |username: &str, password: &str| {
        Ok(Proxy {
            address: "http://proxy.example.com:3128".into(),
            username: username.into(),
            password: password.into(),
        })
    };
    let address = ("address", "http://proxy.example.com:3128");
    assert_eq!(proxy(&[address]), expected("", ""));
    assert_eq!(proxy(&[address, ("password", "p")]), expected("", ""));
    assert_eq!(proxy(&[address, ("username", "u")]), expected("u", ""));
    assert_eq!(
        proxy(&[address, ("username", "u"), ("password", "p")]),
        expected("u", "p")
    );
    assert_eq!(
        proxy(&[("address", "http://u:p%40@proxy.example.com:3128")]),
        expected("u", "p@")
    );
    let refused = |address: &str| {
        let message = proxy(&[("address", address)]).unwrap_err();
        let prefix = "failed to configure authentication options: secret 'apps/proxy': ";
        message.strip_prefix(prefix).unwrap().to_owned()
    };
    assert_eq!(refused(""), "proxy address is empty");
    assert_eq!(
        refused("ftp://proxy"),
        "proxy URL must use one of the supported schemes (http, https, socks5), got 'ftp'"
    );
    assert_eq!(
        refused("proxy.example.com"),
        "proxy URL must use one of the supported schemes (http, https, socks5), got ''"
    );
    assert_eq!(
        refused("proxy.example.com:3128"),
        "proxy URL must use one of the supported schemes (http, https, socks5), got 'proxy.example.com'"
    );
    assert_eq!(
        refused("http://user:pa ss@proxy"),
        "failed to parse proxy address 'http://REDACTED@proxy': parse \"http://REDACTED@proxy\": net/url: invalid userinfo"
    );
    assert_eq!(
        refused(&format!("http://{}", "x".repeat(2048))),
        "proxy URL exceeds maximum length of 2048 characters"
    );
    assert_eq!(
        proxy(&[("username", "u")]).unwrap_err(),
        "failed to configure authentication options: secret 'apps/proxy': key 'address' not found"
    );
}

#[test]
fn certificates_are_read_from_their_secret() {
    let made = rcgen::generate_simple_self_signed(["registry.example.com".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let (certificate, key) = (certificate.as_str(), key.as_str());
    let certificates = |data: &[(&str, &str)]| {
        let cluster = Cluster::default().with("certs", "Opaque", data);
        cluster
            .access(ImageRepositorySpec {
                cert_secret_ref: named("certs"),
                ..spec("ghcr.io/org/app")
            })
            .map(|access| access.access.tls)
            .map_err(|failure| failure.message)
    };
    let tls = certificates(&[
        ("ca.crt", certificate),
        ("tls.crt", certificate),
        ("tls.key", key),
    ])
    .unwrap();
    assert_eq!(tls.authorities.as_deref(), Some(certificate.as_bytes()));
    assert!(tls.identity.is_some());
    let old = certificates(&[
        ("caFile", certificate),
        ("certFile", certificate),
        ("keyFile", key),
    ]);
    assert_eq!(old, Ok(tls));
    let refused = |data: &[(&str, &str)]| {
        let message = certificates(data).unwrap_err();
        let prefix = "failed to configure authentication options: ";
        message.strip_prefix(prefix).unwrap().to_owned()
    };
    assert_eq!(
        refused(&[]),
        "secret 'apps/certs' must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'"
    );
    assert_eq!(
        refused(&[("ca.crt", ""), ("caFile", certificate)]),
        "secret 'apps/certs' must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'"
    );
    assert_eq!(
        refused(&[("tls.crt", certificate)]),
        "secret 'apps/certs' contains 'tls.crt' but missing 'tls.key'"
    );
    assert_eq!(
        refused(&[("tls.key", key), ("ca.crt", certificate)]),
        "secret 'apps/certs' contains 'tls.key' but missing 'tls.crt'"
    );
    assert_eq!(
        refused(&[("ca.crt", "x")]),
        "failed to parse CA certificate"
    );
    assert_eq!(
        refused(&[("tls.crt", "x"), ("tls.key", key)]),
        "failed to parse TLS certificate and key: tls: failed to find any PEM data in certificate input"
    );
}

#[test]
fn hidden_parts_are_named_and_the_rest_is_given() {
    let json = r#"{"auths": {"ghcr.io": {"auth": "dXNlcjpw"}}}"#;
    let cluster = Cluster::default()
        .with_hidden("pull")
        .with_pull_secret("seen", json)
        .with("proxy", "Opaque", &[("address", "socks5://proxy:1080")])
        .with_account("builder", &["seen"]);
    let access = cluster
        .access(ImageRepositorySpec {
            proxy_secret_ref: named("proxy"),
            service_account_name: Some("builder".into()),
            insecure: true,
            ..with_secret("ghcr.io/org/app")
        })
        .unwrap();
    assert_eq!(
        access.hidden(Part::Login),
        Some("Secret apps/pull can't be read")
    );
    // The hidden Secret might have had a key that counts before.
    assert_eq!(user(&access), "nobody");
    assert!(access.access.proxy.is_some() && access.access.insecure);

    let mut cluster = Cluster::default().with_hidden("proxy");
    cluster.secrets.insert(
        "certs".into(),
        Seen::Found(Secret::Closed(crate::facts::cluster::Closed::Encrypted)),
    );
    let access = cluster
        .access(ImageRepositorySpec {
            proxy_secret_ref: named("proxy"),
            cert_secret_ref: named("certs"),
            provider: Some("aws".into()),
            ..with_secret("ghcr.io/org/app")
        })
        .unwrap();
    let parts: Vec<Part> = access.hidden.iter().map(|hidden| hidden.part).collect();
    assert_eq!(parts, [Part::Proxy, Part::Certificates, Part::Login]);
    assert_eq!(
        access.hidden(Part::Certificates),
        Some("Secret apps/certs is encrypted")
    );
    assert!(
        access
            .hidden(Part::Login)
            .unwrap()
            .starts_with("provider aws: ")
    );
}

#[test]
fn only_what_the_controller_reads_is_needed() {
    let everything = ImageRepositorySpec {
        proxy_secret_ref: named("proxy"),
        cert_secret_ref: named("certs"),
        service_account_name: Some("builder".into()),
        ..with_secret("ghcr.io/org/app")
    };
    let names = |spec: ImageRepositorySpec| -> (Vec<String>, bool) {
        let needed = needed(&repository(spec));
        let names = needed.secrets.into_iter().map(|key| key.name);
        (names.collect(), needed.service_account.is_some())
    };
    assert_eq!(
        names(everything.clone()),
        (vec!["proxy".into(), "certs".into(), "pull".into()], true)
    );
    assert_eq!(
        names(ImageRepositorySpec {
            provider: Some("gcp".into()),
            ..everything.clone()
        }),
        (vec!["proxy".into(), "certs".into()], false)
    );
    assert_eq!(
        names(ImageRepositorySpec {
            suspend: true,
            ..everything.clone()
        }),
        (Vec::new(), false)
    );
    let account = ServiceAccount {
        image_pull_secrets: vec!["a".into(), "b".into(), "a".into()],
    };
    assert_eq!(
        pull_secrets(&repository(everything.clone()), &account),
        [
            ObjectKey::new(NAMESPACE, "a"),
            ObjectKey::new(NAMESPACE, "b")
        ]
    );

    let json = "{}";
    let cluster = Cluster::default()
        .with("proxy", "Opaque", &[("address", "http://proxy")])
        .with_hidden("certs")
        .with_pull_secret("pull", json)
        .with_pull_secret("a", json)
        .with_account("builder", &["a"]);
    cluster.access(everything).unwrap();
    assert_eq!(*cluster.asked.borrow(), ["proxy", "certs", "pull", "a"]);
}

#[test]
fn nothing_secret_leaves_by_debug_output() {
    let json = r#"{"auths": {"ghcr.io": {"username": "u", "password": "swordfish"}}}"#;
    let cluster = Cluster::default().with_pull_secret("pull", json).with(
        "proxy",
        "Opaque",
        &[
            ("address", "http://proxy"),
            ("username", "u"),
            ("password", "swordfish"),
        ],
    );
    let access = cluster
        .access(ImageRepositorySpec {
            proxy_secret_ref: named("proxy"),
            ..with_secret("ghcr.io/org/app")
        })
        .unwrap();
    assert!(!format!("{access:?}").contains("swordfish"));
}
