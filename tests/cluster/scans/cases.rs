//! The repositories that both scan.

use std::time::Duration;

use serde_json::{Value, json};

use super::fake::{Fake, Reply};
use super::secrets::{PULL_SECRETS, named};
use super::servers::{Servers, image};
use crate::cluster::ControlPlane;

/// Enough for three tries.
const TIMEOUT: &str = "20s";
const LIST: &str = "/v2/team/app/tags/list?n=1000";
/// A repository that the reflector scans and that we scan.
pub struct Case {
    /// Its name.
    pub name: String,
    /// Its spec.
    pub spec: Value,
    /// The controller's message goes on after this text with bytes or addresses that only it can know.
    pub known_up_to: Option<&'static str>,
}

impl Case {
    /// A repository without Secrets, but for what `more` says.
    pub fn new(name: &str, image: impl Into<String>, more: Value) -> Self {
        let mut spec = json!({"image": image.into(), "interval": "24h", "timeout": TIMEOUT});
        merge(&mut spec, more);
        Self {
            name: name.to_owned(),
            spec,
            known_up_to: None,
        }
    }

    fn known_up_to(self, text: &'static str) -> Self {
        Self {
            known_up_to: Some(text),
            ..self
        }
    }

    /// The object itself.
    pub fn object(&self, namespace: &str) -> Value {
        json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageRepository",
            "metadata": {"namespace": namespace, "name": self.name},
            "spec": self.spec,
        })
    }
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// The logins that are right, wrong, somewhere else or unreadable, on the real registry.
pub fn logins(plane: &ControlPlane) -> Vec<Case> {
    let image = format!("{}/team/app", plane.addresses.registry.address);
    let mut cases: Vec<Case> = PULL_SECRETS
        .iter()
        .map(|secret| Case::new(secret, &image, json!({"secretRef": named(secret)})))
        .collect();
    let mut add = |name: &str, spec: Value| cases.push(Case::new(name, &image, spec));
    add("anonymous", json!({}));
    add("nobodys-secret", json!({"secretRef": named("gone")}));
    add("by-account", json!({"serviceAccountName": "puller"}));
    add(
        "by-both",
        json!({"secretRef": named("other-host"), "serviceAccountName": "puller"}),
    );
    add(
        "first-secret-wins",
        json!({"secretRef": named("wrong"), "serviceAccountName": "puller"}),
    );
    add("nobodys-account", json!({"serviceAccountName": "gone"}));
    add(
        "account-without-secret",
        json!({"serviceAccountName": "broken"}),
    );
    add(
        "nobodys-certificates",
        json!({"certSecretRef": named("gone")}),
    );
    add(
        "certificates-in-pull-secret",
        json!({"certSecretRef": named("right"), "secretRef": named("right")}),
    );
    add(
        "no-certificates",
        json!({"certSecretRef": named("no-proxy"), "secretRef": named("right")}),
    );
    add(
        "bad-authority",
        json!({"certSecretRef": named("bad-authority"), "secretRef": named("right")}),
    );
    add(
        "half-a-pair",
        json!({"certSecretRef": named("half-a-pair")}),
    );
    add("bad-pair", json!({"certSecretRef": named("bad-pair")}));
    add(
        "swapped-pair",
        json!({"certSecretRef": named("swapped-pair")}),
    );
    add(
        "strange-pair",
        json!({"certSecretRef": named("strange-pair")}),
    );
    add("nobodys-proxy", json!({"proxySecretRef": named("gone")}));
    for proxy in [
        "no-proxy",
        "empty-proxy",
        "ftp-proxy",
        "bad-proxy",
        "dead-proxy",
        "dead-socks",
    ] {
        add(
            proxy,
            json!({"proxySecretRef": named(proxy), "secretRef": named("right")}),
        );
    }
    add(
        "bad-exclusion",
        json!({"secretRef": named("right"), "exclusionList": ["^v", "("]}),
    );
    add(
        "exclusion",
        json!({"secretRef": named("right"), "exclusionList": ["^1\\.0", "sig$"]}),
    );
    cases.push(Case::new(
        "unknown-repository",
        format!("{}/team/nothing", plane.addresses.registry.address),
        json!({"secretRef": named("right")}),
    ));
    cases
}

/// What a registry may answer.
pub fn answers(servers: &Servers) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut listing = |name: &str, reply: Reply| {
        let fake = Fake::start(move |asked| match asked.target.as_str() {
            "/v2/" => Reply::ok(""),
            LIST => reply.clone(),
            _ => Reply::ok(r#"{"tags": ["from-the-next-page"]}"#),
        });
        cases.push(Case::new(name, image(&fake), json!({})));
    };
    listing("status-401", Reply::new(401, ""));
    listing(
        "status-403",
        Reply::new(
            403,
            r#"{"errors":[{"code":"DENIED","message":"no <access>","detail":[{"Name":"x","Action":"pull"},1.5,1000000,true,null]}]}"#,
        ),
    );
    listing("status-404", Reply::new(404, "<html>not here</html>"));
    listing(
        "status-429",
        Reply::new(
            429,
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#,
        )
        .header("Retry-After", "1"),
    );
    listing("status-500", Reply::new(500, "oops"));
    listing(
        "status-418",
        Reply::new(
            418,
            r#"{"errors":[{"code":"A","message":"b"},{"code":"C"}]}"#,
        ),
    );
    listing("status-413", Reply::new(413, ""));
    listing("no-location", Reply::new(302, ""));
    listing("html", Reply::ok("<html></html>"));
    listing("empty", Reply::ok(""));
    listing("truncated", Reply::ok(r#"{"tags": ["a""#));
    listing("cut-short", Reply::ok(r#"{"tags": ["a""#).cut_short());
    listing(
        "whole-but-cut-short",
        Reply::ok(r#"{"tags": ["a"]}"#).cut_short(),
    );
    listing("no-list", Reply::ok(r#"{"tags": {}}"#));
    listing("numbers", Reply::ok(r#"{"name": 1, "tags": ["a", 2]}"#));
    listing("nulls", Reply::ok(r#"{"tags": ["a", null, "a"]}"#));
    listing("no-tags", Reply::ok(r#"{"tags": null}"#));
    listing(
        "errors-with-200",
        Reply::ok(r#"{"errors": [{"code": "DENIED"}]}"#),
    );
    listing(
        "trailing",
        Reply::ok("{\"TAGS\": [\"\\u00e9<b\"]} and more"),
    );
    let page = || Reply::ok(r#"{"tags": ["a"]}"#);
    listing(
        "next-relative",
        page().header(
            "Link",
            "</v2/team/app/tags/list?last=a&n=1000>; rel=\"next\"",
        ),
    );
    listing("next-sibling", page().header("Link", "<list?last=a>"));
    listing(
        "next-by-body",
        Reply::ok(r#"{"tags": ["a"], "next": "/v2/x"}"#),
    );
    listing("next-bad", page().header("Link", "next"));
    listing("next-open", page().header("Link", "<next"));
    listing("next-no-url", page().header("Link", "<http://[::1>"));
    listing("next-other-scheme", page().header("Link", "<ftp://h/x>"));
    listing(
        "next-elsewhere",
        page().header("Link", format!("<http://{}/x>", servers.open.other_host())),
    );
    listing(
        "next-secured",
        page().header(
            "Link",
            format!("<http://{}/x?key=1>", servers.tokens.other_host()),
        ),
    );
    listing("moved", Reply::new(307, "").header("Location", "/v2/moved"));
    listing(
        "moved-elsewhere",
        Reply::new(302, "").header(
            "Location",
            format!("http://{}/x", servers.open.other_host()),
        ),
    );
    listing(
        "moved-inside",
        Reply::new(302, "").header("Location", "http://169.254.169.254/latest"),
    );
    listing(
        "moved-nowhere",
        Reply::new(302, "").header("Location", "http://[::1"),
    );
    listing("dropped", Reply::dropped());
    let slow = Fake::start(|asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(""),
        _ => Reply::ok("{}").late(Duration::from_secs(5)),
    });
    cases.push(Case::new("slow", image(&slow), json!({"timeout": "1s"})));
    let stopping = Fake::start(|asked| match asked.target.as_str() {
        "/v2/" => Reply::ok(""),
        _ => Reply::ok(r#"{"tags": ["a""#)
            .cut_short()
            .then_waits(Duration::from_secs(5)),
    });
    cases.push(Case::new(
        "stopping",
        image(&stopping),
        json!({"timeout": "1s"}),
    ));
    let mut ping = |name: &str, reply: Reply| {
        let fake = Fake::start(move |_| reply.clone());
        cases.push(Case::new(name, image(&fake), json!({})));
    };
    ping("ping-404", Reply::new(404, "no registry"));
    ping("ping-301", Reply::new(301, "").header("Location", "/v2/"));
    let challenged = |challenge: &str| Reply::new(401, "").header("WWW-Authenticate", challenge);
    ping("no-realm", challenged("Bearer service=\"x\""));
    ping("odd-realm", challenged("Bearer realm=\"/token\""));
    ping(
        "private-realm",
        challenged("Bearer realm=\"http://169.254.169.254/token\""),
    );
    ping("negotiate", challenged("Negotiate"));
    ping(
        "two-challenges",
        challenged("Basic realm=\"a\"").header("WWW-Authenticate", "Bearer realm=\"b\""),
    );
    let mut token = |name: &str, reply: Reply| {
        let fake = Fake::start(move |asked| match asked.target.as_str() {
            target if target.starts_with("/token") => reply.clone(),
            _ => Reply::new(401, "").header(
                "WWW-Authenticate",
                format!(
                    "Bearer realm=\"http://{}/token\",service=\"s\"",
                    asked.headers["host"]
                ),
            ),
        });
        cases.push(Case::new(name, image(&fake), json!({})));
    };
    token("token-useless", Reply::ok(r#"{"token": "bad"}"#));
    token("token-absent", Reply::ok("{}"));
    token("token-html", Reply::ok("<html>"));
    token(
        "token-odd-life",
        Reply::ok(r#"{"token": "a", "expires_in": "60"}"#),
    );
    token("token-403", Reply::new(403, ""));
    token(
        "token-moved-inside",
        Reply::new(302, "").header("Location", "http://169.254.169.254/"),
    );
    for secret in [
        "token-user",
        "token-wrong",
        "token-identity",
        "token-revoked",
        "token-later",
        "token-registry",
    ] {
        cases.push(Case::new(
            secret,
            image(&servers.tokens),
            json!({"secretRef": named(secret)}),
        ));
    }
    cases.push(Case::new(
        "token-anonymous",
        image(&servers.tokens),
        json!({}),
    ));
    cases
}

/// Certificates, proxies and nobody there.
pub fn connections(servers: &Servers) -> Vec<Case> {
    let with = |name: &str| json!({"certSecretRef": named(name)});
    vec![
        Case::new("nobody-listens", "127.0.0.1:1/team/app", json!({})),
        Case::new("nobody-listens-v6", "[::1]:1/team/app", json!({})),
        Case::new(
            "by-proxy",
            image(&servers.open),
            json!({"proxySecretRef": named("proxy")}),
        ),
        Case::new(
            "insecure-by-proxy",
            "203.0.113.7/team/app",
            json!({"proxySecretRef": named("proxy"), "insecure": true}),
        ),
        Case::new(
            "secure-by-dead-proxy",
            "203.0.113.7/team/app",
            json!({"proxySecretRef": named("dead-proxy")}),
        ),
        Case::new(
            "secure-by-dead-socks",
            "203.0.113.7:5000/team/app",
            json!({"proxySecretRef": named("dead-socks")}),
        ),
        Case::new("authority", image(&servers.secure), with("authority")),
        Case::new(
            "old-authority",
            image(&servers.secure),
            with("old-authority"),
        ),
        Case::new("client-certificate", image(&servers.mutual), with("client")),
        Case::new(
            "certificate-of-itself",
            image(&servers.itself.1),
            with("itself"),
        ),
        Case::new(
            "certificate-of-itself-unknown",
            image(&servers.itself.1),
            json!({}),
        )
        .known_up_to("; "),
        // After https comes http, which a server of TLS answers in bytes.
        Case::new(
            "no-client-certificate",
            image(&servers.mutual),
            with("authority"),
        )
        .known_up_to("; "),
        Case::new("no-authority", image(&servers.secure), json!({})).known_up_to("; "),
        Case::new("misnamed", image(&servers.misnamed), with("stranger")).known_up_to("; "),
        Case::new("misnamed-and-unknown", image(&servers.misnamed), json!({})).known_up_to("; "),
    ]
}
