//! Right, wrong, missing and malformed logins.

use std::process::Command;

use serde_json::{Value, json};

use super::{Case, Doors, about, case, compare, control_plane, proxies};

#[test]
fn each_login_is_used_or_refused_as_by_the_controller() {
    let Some(plane) = control_plane() else { return };
    const NAMESPACE: &str = "clone-logins";
    plane.create_namespace(NAMESPACE);
    for proxy in proxies(NAMESPACE) {
        plane
            .api
            .apply(&proxy)
            .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }
    let login = &plane.addresses.git;
    let doors: Doors = about(plane, "_doors");
    let cases = [
        passwords(&login.user, &login.password),
        certificates(&doors, &login.user, &login.password),
        by_proxy(),
        by_provider(),
        by_app(&doors, &login.address),
        keys(&doors.authority, &login.address),
    ];
    let cases: Vec<Case> = cases.into_iter().flatten().collect();
    compare(plane, NAMESPACE, &cases);
}

fn passwords(user: &str, password: &str) -> Vec<Case> {
    let at = |place: &str| json!({"url": format!("http://{place}@{{git}}/{{repository}}")});
    let at_without_secret = |place: &str| {
        let mut spec = at(place);
        spec["secretRef"] = Value::Null;
        spec
    };
    vec![
        case("right"),
        case("wrong").secret(json!({"username": user, "password": "wrong"})),
        case("no-secret").source(json!({"secretRef": null})),
        case("secret-absent").source(json!({"secretRef": {"name": "absent"}})),
        case("secret-no-name").source(json!({"secretRef": {"name": ""}})),
        case("secret-empty").secret(json!({})),
        case("password-only").secret(json!({"password": "wrong"})),
        case("username-only").secret(json!({"username": user})),
        case("open")
            .source(json!({"secretRef": null}))
            .door("/open"),
        case("open-wrong")
            .secret(json!({"username": user, "password": "wrong"}))
            .door("/open"),
        case("bearer")
            .secret(json!({"bearerToken": password}))
            .door("/bearer"),
        case("bearer-wrong")
            .secret(json!({"bearerToken": "nope"}))
            .door("/bearer"),
        case("bearer-line")
            .secret(json!({"bearerToken": format!("{password}\n")}))
            .door("/bearer"),
        case("bearer-empty")
            .secret(json!({"bearerToken": ""}))
            .door("/bearer"),
        case("bearer-and-basic")
            .secret(json!({"bearerToken": password, "username": user, "password": "x"}))
            .door("/bearer"),
        case("bearer-and-url")
            .source(at("u:p"))
            .secret(json!({"bearerToken": "x"})),
        case("url").source(at_without_secret(&format!("{user}:{password}"))),
        case("url-user")
            .source(at(user))
            .secret(json!({"password": password})),
        case("url-wrong").source(at_without_secret("bob:hush")),
    ]
}

fn certificates(doors: &Doors, user: &str, password: &str) -> Vec<Case> {
    let secret = |more: Value| {
        let mut data = json!({"username": user, "password": password});
        for (key, value) in more.as_object().into_iter().flatten() {
            data[key] = value.clone();
        }
        data
    };
    let at = |name: &str, address: &str, data: Value| {
        case(name)
            .source(json!({"url": format!("https://{address}/{{repository}}")}))
            .secret(secret(data))
    };
    // Whether the alert or the end of the connection comes first varies.
    let loosely = |case: Case| case.loosely_from("\": ");
    let (authority, certificate, key) = (&doors.authority, &doors.certificate, &doors.key);
    vec![
        at("tls", &doors.https, json!({"ca.crt": authority})),
        at("tls-old-name", &doors.https, json!({"caFile": authority})),
        at(
            "tls-both-names",
            &doors.https,
            json!({"ca.crt": authority, "caFile": "junk"}),
        ),
        at("tls-none", &doors.https, json!({})),
        at("tls-junk", &doors.https, json!({"ca.crt": "junk"})),
        at("tls-other-host", &doors.wrong, json!({"ca.crt": authority})),
        at(
            "tls-client",
            &doors.mutual,
            json!({"ca.crt": authority, "tls.crt": certificate, "tls.key": key}),
        ),
        loosely(at(
            "tls-client-none",
            &doors.mutual,
            json!({"ca.crt": authority}),
        )),
        loosely(at(
            "tls-client-half",
            &doors.mutual,
            json!({"ca.crt": authority, "tls.crt": certificate}),
        )),
        loosely(at(
            "tls-client-old-names",
            &doors.mutual,
            json!({"ca.crt": authority, "certFile": certificate, "keyFile": key}),
        )),
        at(
            "tls-client-junk",
            &doors.mutual,
            json!({"ca.crt": authority, "tls.crt": certificate, "tls.key": "junk"}),
        ),
        at(
            "tls-client-switched",
            &doors.mutual,
            json!({"ca.crt": authority, "tls.crt": key, "tls.key": certificate}),
        ),
        at(
            "tls-client-certificates",
            &doors.mutual,
            json!({"ca.crt": authority, "tls.crt": certificate, "tls.key": certificate}),
        ),
        at("tls-at-plain", "{git}", json!({"ca.crt": authority})),
        case("plain-at-tls")
            .source(json!({"url": format!("http://{}/{{repository}}", doors.https)})),
    ]
}

fn by_proxy() -> Vec<Case> {
    ["dead", "socks", "empty", "none", "ftp", "junk", "absent"]
        .iter()
        .map(|name| {
            let reference = json!({"proxySecretRef": {"name": format!("proxy-{name}")}});
            case(&format!("proxy-{name}")).source(reference)
        })
        .collect()
}

fn by_provider() -> Vec<Case> {
    let github = || json!({"provider": "github"});
    let app = |more: Value| {
        let mut data = json!({"githubAppID": "1", "githubAppPrivateKey": "x"});
        for (key, value) in more.as_object().into_iter().flatten() {
            data[key] = value.clone();
        }
        data
    };
    let of = |name: &str, data: Value| {
        case(&format!("github-{name}"))
            .source(github())
            .secret(data)
    };
    vec![
        case("github-no-secret").source(json!({"provider": "github", "secretRef": null})),
        case("github-basic").source(github()),
        of("partial", json!({"githubAppID": "1"})),
        of("no-id", json!({"githubAppInstallationID": "1"})),
        of("no-installation", app(json!({}))),
        of(
            "both",
            app(json!({"githubAppInstallationID": "1", "githubAppInstallationOwner": "o"})),
        ),
        of("bad-key", app(json!({"githubAppInstallationID": "1"}))),
        of(
            "bad-id",
            app(json!({"githubAppID": "x", "githubAppInstallationID": "1"})),
        ),
        of("no-owner", app(json!({"githubAppInstallationOwner": ""}))),
        of("half-basic", json!({"username": "1"})),
        of(
            "bad-authority",
            app(json!({"ca.crt": "junk", "githubAppInstallationID": "1"})),
        ),
        of(
            "bad-pair",
            app(json!({"tls.crt": "junk", "tls.key": "junk", "githubAppInstallationID": "1"})),
        ),
        case("generic-app").secret(json!({"username": "u", "password": "p", "githubAppID": "1"})),
        case("azure").source(json!({"provider": "azure", "serviceAccountName": "x"})),
        case("aws").source(json!({"provider": "aws", "serviceAccountName": "x"})),
    ]
}

/// Tokens of a GitHub App.
fn by_app(doors: &Doors, http: &str) -> Vec<Case> {
    let plain = format!("http://{http}/github");
    let of = |name: &str, more: Value| {
        let mut data = json!({
            "githubAppID": "5", "githubAppPrivateKey": doors.app_key, "githubAppBaseURL": plain,
            "githubAppInstallationID": "7",
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            data[key] = value.clone();
        }
        if data["githubAppInstallationOwner"].is_string()
            && let Some(data) = data.as_object_mut()
        {
            data.remove("githubAppInstallationID");
        }
        case(&format!("app-{name}"))
            .source(json!({"provider": "github"}))
            .secret(data)
    };
    let owner = |owner: &str| json!({"githubAppInstallationOwner": owner});
    let id = |id: &str| json!({"githubAppInstallationID": id});
    let at = |url: String| json!({"githubAppBaseURL": url});
    let over_tls = |name: &str, authority: &str| {
        let mut data = at(format!("https://{}/github", doors.https));
        if authority.is_empty() {
            // Another than in the case with an authority: the controller keeps tokens, whatever the certificates.
            data["githubAppInstallationID"] = json!("8");
        } else {
            data["ca.crt"] = json!(authority);
        }
        of(name, data).source(json!({
            "provider": "github", "url": format!("https://{}/{{repository}}", doors.https),
        }))
    };
    vec![
        of("id", json!({})),
        of("pkcs8", json!({"githubAppPrivateKey": doors.app_key_pkcs8})),
        of("team", owner("team")),
        of("user", owner("some-one")),
        of("nobody", owner("nobody")),
        of("not-installed", id("6")),
        of("details", id("9")),
        of("limited", id("10")).loosely_from("[rate"),
        of("bad-gateway", id("11")),
        of("later", id("12")),
        of(
            "other-key",
            json!({"githubAppPrivateKey": doors.other_app_key}),
        ),
        of("other-app", json!({"githubAppID": "6"})),
        of(
            "certificates-key",
            json!({"githubAppPrivateKey": doors.key}),
        ),
        of("slash", at(format!("{plain}/"))),
        of("enterprise", at(format!("{plain}/api/v3"))),
        of("nobody-there", at("http://127.0.0.1:9".into())),
        of("nobody-there-v3", at("http://127.0.0.1:9/api/v3/".into())),
        of("no-url", at("http://[::1".into())),
        over_tls("tls", &doors.authority),
        over_tls("tls-none", ""),
        of("proxy", json!({}))
            .source(json!({"provider": "github", "proxySecretRef": {"name": "proxy-dead"}})),
    ]
}

fn keys(authority: &str, http: &str) -> Vec<Case> {
    const HOSTS: &str = "[127.0.0.1]:9 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n";
    let (plain, locked) = (key(""), key("hush hush"));
    let of = |name: &str, data: Value| {
        case(&format!("ssh-{name}"))
            .source(json!({"url": "ssh://git@127.0.0.1:9/x.git"}))
            .secret(data)
    };
    let with_hosts = |name: &str, line: &str| {
        of(
            name,
            json!({"identity": plain, "known_hosts": format!("{HOSTS}{line}\n")}),
        )
    };
    vec![
        case("ssh-no-secret")
            .source(json!({"url": "ssh://git@127.0.0.1:9/x.git", "secretRef": null})),
        case("ssh-no-host")
            .source(json!({"url": "ssh:///x.git"}))
            .secret(json!({"identity": "x", "known_hosts": "x"})),
        of("no-hosts", json!({"identity": "x"})),
        of("no-key", json!({"known_hosts": "x"})),
        of("junk", json!({"identity": "junk", "known_hosts": "junk"})),
        of(
            "certificate",
            json!({"identity": authority, "known_hosts": HOSTS}),
        ),
        of(
            "garbled",
            json!({"identity": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "known_hosts": HOSTS}),
        ),
        of(
            "no-passphrase",
            json!({"identity": locked, "known_hosts": HOSTS}),
        ),
        of(
            "wrong-passphrase",
            json!({"identity": locked, "known_hosts": HOSTS, "password": "no"}),
        ),
        of(
            "passphrase",
            json!({"identity": locked, "known_hosts": HOSTS, "password": "hush hush"}),
        ),
        of(
            "needless-passphrase",
            json!({"identity": plain, "known_hosts": HOSTS, "password": "hush hush"}),
        ),
        of(
            "nobody-there",
            json!({"identity": plain, "known_hosts": HOSTS}),
        ),
        of(
            "only-a-comment",
            json!({"identity": plain, "known_hosts": "# nothing\n"}),
        ),
        with_hosts("hosts-short", "junk"),
        with_hosts("hosts-shorter", "host ssh-rsa"),
        with_hosts("hosts-junk", "junk x y!"),
        with_hosts("hosts-blob", "host ssh-rsa AAAA"),
        with_hosts("hosts-algorithm", "host x AAAAA2Zvbw=="),
        of(
            "http-proxy",
            json!({"identity": plain, "known_hosts": HOSTS}),
        )
        .source(
            json!({"url": "ssh://git@127.0.0.1:9/x.git", "proxySecretRef": {"name": "proxy-dead"}}),
        ),
        of(
            "no-ssh-server",
            json!({"identity": plain, "known_hosts": HOSTS}),
        )
        .source(json!({"url": format!("ssh://git@{http}/x.git")})),
        of("no-name", json!({"identity": plain, "known_hosts": HOSTS}))
            .source(json!({"url": "ssh://git@nohost.invalid/x.git"}))
            .loosely_from("lookup nohost.invalid"),
    ]
}

/// A new private key.
fn key(passphrase: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("key");
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", passphrase, "-f"])
        .arg(&path)
        .status()
        .expect("ssh-keygen can be run");
    assert!(status.success());
    std::fs::read_to_string(path).expect("it was written")
}
