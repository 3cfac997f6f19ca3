//! The Secrets and ServiceAccounts of the cases.

use serde_json::{Value, json};

use super::Cluster;
use super::servers::Servers;

/// Pull Secrets, each of which is a case of its own.
pub const PULL_SECRETS: [&str; 15] = [
    "right",
    "wrong",
    "other-host",
    "other-port",
    "opaque",
    "globs",
    "with-scheme",
    "path",
    "other-path",
    "old-form",
    "bad-types",
    "bad-base64",
    "no-colon",
    "bad-host",
    "half-a-login",
];

/// Creates the Secrets and ServiceAccounts that the cases name.
pub fn create(cluster: &Cluster<'_>, servers: &Servers) {
    let login = &cluster.plane.addresses.registry;
    let registry = login.address.as_str();
    let right = json!({"auth": login.basic()});
    let auths = |host: &str| json!({"auths": {host: right}});
    let port = registry.rsplit_once(':').map_or("", |(_, port)| port);
    let tokens = servers.tokens.host();
    let dead = "127.0.0.1:1";
    let secrets = [
        pull_secret("right", &auths(registry)),
        pull_secret(
            "wrong",
            &json!({"auths": {registry: {"username": "puller", "password": "swordfish"}}}),
        ),
        pull_secret("other-host", &auths("ghcr.io")),
        pull_secret("other-port", &auths("127.0.0.1:1")),
        opaque_secret(
            "opaque",
            json!({".dockerconfigjson": auths(registry).to_string()}),
        ),
        pull_secret(
            "globs",
            &json!({"auths": {format!("127.*.0.1:{port}"): right, "*": {"auth": "eDp5"}}}),
        ),
        pull_secret("with-scheme", &auths(&format!("https://{registry}/v1/"))),
        pull_secret(
            "path",
            &json!({"auths": {format!("{registry}/te"): right, registry: {"auth": "eDp5"}}}),
        ),
        pull_secret("other-path", &auths(&format!("{registry}/other"))),
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockercfg",
            "metadata": {"name": "old-form"},
            "stringData": {".dockercfg": json!({registry: right}).to_string()},
        }),
        pull_secret("bad-types", &json!({"auths": {registry: {"username": 1}}})),
        pull_secret(
            "bad-base64",
            &json!({"auths": {registry: {"auth": "not base64!="}}}),
        ),
        pull_secret(
            "no-colon",
            &json!({"auths": {registry: {"auth": "bm9jb2xvbg=="}}}),
        ),
        pull_secret("bad-host", &auths("a b")),
        pull_secret(
            "half-a-login",
            &json!({"auths": {registry: {"username": "puller"}}}),
        ),
        pull_secret(
            "token-user",
            &json!({"auths": {&tokens: {"username": "user", "password": "swordfish"}}}),
        ),
        pull_secret(
            "token-wrong",
            &json!({"auths": {&tokens: {"username": "user", "password": "wrongfish"}}}),
        ),
        pull_secret(
            "token-identity",
            &json!({"auths": {&tokens: {"identitytoken": "refresh-me"}}}),
        ),
        pull_secret(
            "token-revoked",
            &json!({"auths": {&tokens: {"identitytoken": "refused"}}}),
        ),
        pull_secret(
            "token-later",
            &json!({"auths": {&tokens: {"identitytoken": "later"}}}),
        ),
        pull_secret(
            "token-registry",
            &json!({"auths": {&tokens: {"registrytoken": "good"}}}),
        ),
        opaque_secret("bad-authority", json!({"ca.crt": "x"})),
        opaque_secret(
            "half-a-pair",
            json!({"tls.crt": servers.authority.client.0}),
        ),
        opaque_secret("bad-pair", json!({"tls.crt": "x", "tls.key": "y"})),
        opaque_secret(
            "swapped-pair",
            json!({"tls.crt": servers.authority.client.1, "tls.key": servers.authority.client.0}),
        ),
        opaque_secret(
            "strange-pair",
            json!({"tls.crt": servers.authority.client.0, "tls.key": servers.stranger.client.1}),
        ),
        opaque_secret(
            "authority",
            json!({"ca.crt": servers.authority.certificate}),
        ),
        opaque_secret(
            "old-authority",
            json!({"caFile": servers.authority.certificate}),
        ),
        opaque_secret("itself", json!({"ca.crt": servers.itself.0.certificate})),
        opaque_secret("stranger", json!({"ca.crt": servers.stranger.certificate})),
        opaque_secret(
            "client",
            json!({
                "ca.crt": servers.authority.certificate,
                "tls.crt": servers.authority.client.0, "tls.key": servers.authority.client.1,
            }),
        ),
        opaque_secret(
            "proxy",
            json!({
                "address": format!("http://{}", servers.proxy.host()), "username": "u", "password": "p",
            }),
        ),
        opaque_secret("no-proxy", json!({"username": "u"})),
        opaque_secret("empty-proxy", json!({"address": ""})),
        opaque_secret("ftp-proxy", json!({"address": "ftp://proxy"})),
        opaque_secret("bad-proxy", json!({"address": "http://[::1"})),
        opaque_secret("dead-proxy", json!({"address": format!("http://{dead}")})),
        opaque_secret("dead-socks", json!({"address": format!("socks5://{dead}")})),
    ];
    for secret in &secrets {
        cluster.create(secret);
    }
    for (name, secrets) in [
        ("puller", ["other-host", "right"]),
        ("broken", ["right", "gone"]),
    ] {
        cluster.create(&json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name},
            "imagePullSecrets": secrets.map(named),
        }));
    }
}

fn pull_secret(name: &str, config: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": name},
        "stringData": {".dockerconfigjson": config.to_string()},
    })
}

fn opaque_secret(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data})
}

/// A reference to an object by its name.
pub fn named(name: &str) -> Value {
    json!({ "name": name })
}
