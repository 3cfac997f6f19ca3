//! `tags` against real registries of every kind, and with every fault on the way, beside the reflector on the same
//! repositories.

mod faults;
mod layout;
mod tokens;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use self::faults::{Fault, Proxy};
use self::layout::write_tags;
use self::tokens::{PASSWORD, REFRESH_TOKEN, TokenServer};
use super::api::wait_for;
use super::clusters::ADMINISTRATOR;
use super::command_line::{Home, OURS, Ran, run};
use super::objects::{Condition, image_collection, verdict};
use super::registry::push_tags;
use super::scans::fake::Authority;
use super::{ControlPlane, control_plane, tell};

/// A registry besides the usual one.
#[derive(Deserialize)]
struct Registry {
    address: String,
    data: PathBuf,
}

impl Registry {
    /// Starts one with parts of a configuration and files for it.
    fn start(plane: &ControlPlane, name: &str, config: &Value, files: &Value) -> Self {
        let question = json!({"config": config, "files": files});
        plane.ask_supervisor(&format!("registries/{name}/start"), &question)
    }
}

/// Repositories that both list, in a namespace of their own.
struct Listed<'p> {
    plane: &'p ControlPlane,
    namespace: &'static str,
    names: Vec<String>,
}

impl<'p> Listed<'p> {
    fn new(plane: &'p ControlPlane, namespace: &'static str) -> Self {
        plane.create_namespace(namespace);
        Self {
            plane,
            namespace,
            names: Vec::new(),
        }
    }

    fn apply(&self, mut object: Value) {
        object["metadata"]["namespace"] = json!(self.namespace);
        self.plane
            .api
            .apply(&object)
            .unwrap_or_else(|refusal| panic!("{object}: {refusal:?}"));
    }

    fn repository(&mut self, name: &str, image: String, more: &Value) {
        let mut spec = json!({"image": image, "interval": "24h", "timeout": "20s"});
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        self.names.push(name.to_owned());
        self.apply(json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageRepository",
            "metadata": {"name": name}, "spec": spec,
        }));
    }

    fn pull_secret(&self, name: &str, host: &str, entry: &Value) {
        self.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": name},
            "stringData": {".dockerconfigjson": json!({"auths": {host: entry}}).to_string()},
        }));
    }

    /// What the reflector says of each, once it has said something of all.
    fn verdicts(&self) -> BTreeMap<String, Condition> {
        let of = |name: &String| {
            let collection = image_collection(self.namespace, "imagerepositories");
            let path = format!("{collection}/{name}");
            let found = wait_for(&path, Duration::from_secs(90), || {
                verdict(&self.plane.api.get(&path).ok()?)
            });
            (name.clone(), found)
        };
        self.names.iter().map(of).collect()
    }

    /// `tags` with these arguments behind it.
    fn tags(&self, home: &Home, user: &str, more: &[&str]) -> Ran {
        let mut command = home.command(OURS, &self.plane.cluster, user);
        command.args(["tags", "-n", self.namespace]).args(more);
        run(&mut command)
    }
}

/// The rows of `tags -o json` by name.
#[track_caller]
fn rows(ran: &Ran) -> BTreeMap<String, Value> {
    let document: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let rows = document["repositories"].as_array().cloned();
    let rows = rows.unwrap_or_default().into_iter();
    rows.map(|row| (row["name"].as_str().unwrap_or_default().to_owned(), row))
        .collect()
}

#[track_caller]
fn hides_secrets(ran: &Ran, secrets: &[&str]) {
    for secret in secrets {
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(secret), "{secret} is told");
        }
    }
}

fn named(name: &str) -> Value {
    json!({ "name": name })
}

/// 25,000 names, in no order.
fn many_tags() -> impl Iterator<Item = String> {
    (0..25_000).map(|number| format!("{}.{}.{}", number % 7, number % 1000, number / 7))
}

#[test]
fn registries_of_every_kind_are_listed_as_by_the_reflector() {
    let Some(plane) = control_plane() else { return };
    let mut listed = Listed::new(plane, "registries");
    let usual = &plane.addresses.registry;
    push_tags(plane, "team/kinds", ["1.0.0", "1.1.0", "1.1.0.sig"]);
    listed.pull_secret("htpasswd", &usual.address, &json!({"auth": usual.basic()}));
    listed.repository(
        "htpasswd",
        format!("{}/team/kinds", usual.address),
        &json!({"secretRef": named("htpasswd")}),
    );
    let server = TokenServer::start();
    with_tokens(&mut listed, &server);
    with_certificates(&mut listed);
    let many = Registry::start(plane, "many", &json!({}), &json!({}));
    let digest = write_tags(&many.data, "team/many", many_tags());
    listed.repository("many", format!("{}/team/many", many.address), &json!({}));

    let verdicts = listed.verdicts();
    let home = Home::new();
    let ran = listed.tags(
        &home,
        ADMINISTRATOR,
        &["-o", "json", "--digest", "0.0.0", "--digest", "1.1.0"],
    );
    hides_secrets(&ran, &[PASSWORD, REFRESH_TOKEN, &usual.password]);
    let rows = rows(&ran);
    for (name, verdict) in &verdicts {
        let row = &rows[name];
        if name.starts_with("refused-") {
            assert!(!verdict.ready, "{name}: {verdict:?}");
            assert_eq!(row["error"]["reason"], *verdict.reason, "{name}");
            assert_eq!(row["error"]["message"], *verdict.message, "{name}");
        } else {
            let view = &row["controllerView"];
            assert!(verdict.ready, "{name}: {verdict:?}");
            assert_eq!(row["error"], Value::Null, "{name}: {row}");
            assert_eq!(view["current"], true, "{name}: {view}");
            let stored = row["tags"].as_array().map_or(0, Vec::len)
                - row["excluded"].as_array().map_or(0, Vec::len);
            assert_eq!(view["tagCount"], stored, "{name}");
        }
        tell(&format!("{name}: {}", verdict.message));
    }
    assert_eq!(rows["many"]["tags"].as_array().map_or(0, Vec::len), 25_000);
    assert_eq!(rows["many"]["digests"]["0.0.0"], *digest);
    let pushed = &rows["htpasswd"]["digests"]["1.1.0"];
    assert!(pushed.as_str().is_some_and(|digest| digest.len() == 71));
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let logins: Vec<_> = server
        .asked()
        .iter()
        .map(|asked| (asked.method.clone(), asked.authorization().is_some()))
        .collect();
    assert!(logins.contains(&("POST".into(), false)), "{logins:?}");
    assert!(logins.contains(&("GET".into(), true)), "{logins:?}");
}

/// A registry with token authentication, and who may and may not pull from it.
fn with_tokens(listed: &mut Listed<'_>, server: &TokenServer) {
    let (config, files) = server.registry();
    let registry = Registry::start(listed.plane, "tokens", &config, &files);
    let host = &registry.address;
    for repository in ["team/app", "public/app"] {
        let tags = ["1.0.0", "2.0.0"].map(str::to_owned);
        write_tags(&registry.data, repository, tags);
    }
    let login = |user: &str, password: &str| json!({"username": user, "password": password});
    listed.pull_secret("token-user", host, &login("puller", PASSWORD));
    listed.pull_secret("token-late", host, &login("late", PASSWORD));
    listed.pull_secret("token-wrong", host, &login("puller", "guess-again"));
    listed.pull_secret(
        "token-refresh",
        host,
        &json!({"identitytoken": REFRESH_TOKEN}),
    );
    let image = |repository: &str| format!("{host}/{repository}");
    let with = |secret: &str| json!({"secretRef": named(secret)});
    listed.repository("token-user", image("team/app"), &with("token-user"));
    listed.repository("token-late", image("team/app"), &with("token-late"));
    listed.repository("token-refresh", image("team/app"), &with("token-refresh"));
    listed.repository("token-public", image("public/app"), &json!({}));
    listed.repository("refused-login", image("team/app"), &with("token-wrong"));
    listed.repository("refused-anonymous", image("team/app"), &json!({}));
}

/// Registries with certificates of a private authority; the second wants one of its clients too.
fn with_certificates(listed: &mut Listed<'_>) {
    let authority = Authority::new("127.0.0.1");
    let (certificate, key) = &authority.server;
    let files = json!({
        "server.crt": certificate, "server.key": key, "ca.crt": authority.certificate,
    });
    let tls = json!({"certificate": "{folder}/server.crt", "key": "{folder}/server.key"});
    let mut mutual = tls.clone();
    mutual["clientcas"] = json!(["{folder}/ca.crt"]);
    let (client, client_key) = &authority.client;
    for (name, data) in [
        ("authority", json!({"ca.crt": authority.certificate})),
        (
            "client",
            json!({"ca.crt": authority.certificate, "tls.crt": client, "tls.key": client_key}),
        ),
    ] {
        listed.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data,
        }));
    }
    for (name, tls, secret) in [("secure", tls, "authority"), ("mutual", mutual, "client")] {
        let config = json!({"http": {"tls": tls}});
        let registry = Registry::start(listed.plane, name, &config, &files);
        write_tags(&registry.data, "team/app", ["1.0.0".to_owned()]);
        listed.repository(
            name,
            format!("{}/team/app", registry.address),
            &json!({"certSecretRef": named(secret)}),
        );
    }
}

/// A fault, and what may differ between the reflector's words and ours behind a point.
struct Case {
    name: &'static str,
    proxy: Proxy,
    timeout: &'static str,
    /// The message goes on behind this with addresses or bytes that only the reflector can know.
    known_up_to: Option<&'static str>,
}

const LIST: &str = "GET /v2/team/app/tags/list?n=1000";

/// Proxies in front of a registry that spoil the list of tags.
fn faults(registry: &str, elsewhere: &Proxy) -> Vec<Case> {
    let case = |name, fault: Box<dyn Fn(usize) -> Fault + Send + Sync>| Case {
        name,
        proxy: Proxy::start(registry, move |passed, before| match passed.line.as_str() {
            LIST => fault(before),
            _ => Fault::None,
        }),
        timeout: "20s",
        known_up_to: None,
    };
    let always = |fault: Fault| -> Box<dyn Fn(usize) -> Fault + Send + Sync> {
        Box::new(move |_| fault.clone())
    };
    let first = |times: usize, fault: Fault| -> Box<dyn Fn(usize) -> Fault + Send + Sync> {
        Box::new(move |before| {
            if before % (times + 1) < times {
                fault.clone()
            } else {
                Fault::None
            }
        })
    };
    let answer = |status: &str, headers: &str, body: &str| {
        Fault::Instead(format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        ))
    };
    let too_many = || {
        answer(
            "429 Too Many Requests",
            "",
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#,
        )
    };
    let host = elsewhere.other_host();
    let moved = |to: &str| answer("307 Temporary Redirect", &format!("Location: {to}\r\n"), "");
    vec![
        case("latency", always(Fault::Late(Duration::from_millis(300)))),
        Case {
            known_up_to: Some("read"),
            ..case("reset-in-the-body", always(Fault::Reset(20)))
        },
        case("chunks-cut", always(Fault::ChunksCutAfter(20))),
        case("burst-of-429", first(2, too_many())),
        case("always-429", always(too_many())),
        case(
            "twice-500",
            first(2, answer("500 Internal Server Error", "", "oops")),
        ),
        case(
            "loop-of-401",
            always(answer(
                "401 Unauthorized",
                "WWW-Authenticate: Basic realm=\"again\"\r\n",
                "",
            )),
        ),
        case(
            "moved-elsewhere",
            always(moved(&format!(
                "http://{host}/v2/team/app/tags/list?n=1000"
            ))),
        ),
        case(
            "moved-inside",
            always(moved("http://169.254.169.254/latest")),
        ),
        Case {
            timeout: "2s",
            ..case(
                "slow-drip",
                always(Fault::Drip(4, Duration::from_millis(500))),
            )
        },
    ]
}

#[test]
fn faults_on_the_way_end_as_for_the_reflector() {
    let Some(plane) = control_plane() else { return };
    let mut listed = Listed::new(plane, "faults");
    let registry = Registry::start(plane, "faulty", &json!({}), &json!({}));
    let tags = (0..50).map(|patch| format!("1.0.{patch}"));
    write_tags(&registry.data, "team/app", tags);
    let elsewhere = Proxy::start(&registry.address, |_, _| Fault::None);
    let cases = faults(&registry.address, &elsewhere);
    for case in &cases {
        let host = case.proxy.host();
        let auth = BASE64_STANDARD.encode(format!("puller:{PASSWORD}"));
        listed.pull_secret(case.name, &host, &json!({ "auth": auth }));
        listed.repository(
            case.name,
            format!("{host}/team/app"),
            &json!({"secretRef": named(case.name), "timeout": case.timeout}),
        );
    }
    let verdicts = listed.verdicts();
    let home = Home::new();
    let ran = listed.tags(&home, ADMINISTRATOR, &["-o", "json", "-v"]);
    hides_secrets(&ran, &[PASSWORD, "cHVsbGVyO"]);
    let rows = rows(&ran);
    for case in &cases {
        let (theirs, row) = (&verdicts[case.name], &rows[case.name]);
        tell(&format!("{}: {}", case.name, theirs.message));
        if theirs.ready {
            assert_eq!(row["error"], Value::Null, "{}: {row}", case.name);
            assert_eq!(row["controllerView"]["current"], true, "{}", case.name);
            continue;
        }
        let ours = row["error"]["message"].as_str().unwrap_or_default();
        let known = |text: &str| {
            let end = case.known_up_to.and_then(|known| text.find(known));
            text[..end.unwrap_or(text.len())].to_owned()
        };
        assert_eq!(known(ours), known(&theirs.message), "{}", case.name);
        assert_eq!(row["error"]["reason"], *theirs.reason, "{}", case.name);
    }
    let finding = &rows["always-429"]["findings"][0];
    assert_eq!(finding["id"], "rate-limited", "{finding}");
    assert_eq!(ran.code, Some(4));
    // Neither the reflector nor we showed the login where the list had moved to.
    let asked = elsewhere.passed();
    assert!(asked.len() >= 2, "{asked:?}");
    assert!(
        asked.iter().all(|passed| passed.authorization.is_none()),
        "{asked:?}"
    );
    let moved = cases.iter().find(|case| case.name == "moved-elsewhere");
    let shown = moved.map_or(0, |case| {
        let passed = case.proxy.passed();
        passed
            .iter()
            .filter(|passed| passed.authorization.is_some())
            .count()
    });
    assert!(shown >= 2, "{shown}");
}

#[test]
fn patience_lists_what_the_reflector_gives_up_on() {
    let Some(plane) = control_plane() else { return };
    let mut listed = Listed::new(plane, "patience");
    let registry = Registry::start(plane, "patient", &json!({}), &json!({}));
    write_tags(&registry.data, "team/app", ["1.0.0".to_owned()]);
    let refusal = "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 6\r\nratelimit-limit: 100;w=21600\r\nratelimit-remaining: 0;w=21600\r\n\r\n";
    let proxy = Proxy::start(&registry.address, move |passed, before| {
        if passed.line == LIST && (before == 0 || !passed.is_ours) {
            Fault::Instead(refusal.to_owned())
        } else {
            Fault::None
        }
    });
    listed.repository("app", format!("{}/team/app", proxy.host()), &json!({}));
    let theirs = &listed.verdicts()["app"];
    assert!(!theirs.ready, "{theirs:?}");
    let home = Home::new();
    let ran = listed.tags(&home, ADMINISTRATOR, &["-o", "json", "-v"]);
    tell(&format!("app: {}", theirs.message));
    let row = &rows(&ran)["app"];
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(row["tags"], json!(["1.0.0"]));
    assert!(
        ran.stderr.contains(
            "429 Too Many Requests (retry-after: 6s, ratelimit-limit: 100;w=21600, ratelimit-remaining: 0;w=21600)"
        ),
        "{}",
        ran.stderr
    );
    let finding = row["findings"]
        .as_array()
        .and_then(|findings| {
            findings
                .iter()
                .find(|finding| finding["id"] == "rate-limited")
        })
        .unwrap_or_else(|| panic!("{row}"));
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["evidence"], *theirs.message);
}

#[test]
fn logins_of_docker_and_podman_stand_in_for_secrets_that_may_not_be_read() {
    let Some(plane) = control_plane() else { return };
    let mut listed = Listed::new(plane, "logins");
    let usual = &plane.addresses.registry;
    push_tags(plane, "team/logins", ["1.0.0"]);
    listed.pull_secret("pull", &usual.address, &json!({"auth": usual.basic()}));
    let image = format!("{}/team/logins", usual.address);
    listed.repository("app", image, &json!({"secretRef": named("pull")}));
    assert!(listed.verdicts()["app"].ready);
    let entry = json!({"auth": usual.basic()});
    let plain = json!({"auths": {(&usual.address): entry}});
    let by_path = json!({"auths": {format!("{}/team", usual.address): entry}});
    let helper = json!({"credHelpers": {(&usual.address): "tests"}});
    let store = json!({"auths": {(&usual.address): {}}, "credsStore": "tests"});
    for (file, variable, content, whose) in [
        (".docker/config.json", None, &plain, "config.json"),
        (
            ".docker/config.json",
            None,
            &helper,
            "docker-credential-tests",
        ),
        (
            ".docker/config.json",
            None,
            &store,
            "docker-credential-tests",
        ),
        (
            "podman/auth.json",
            Some("REGISTRY_AUTH_FILE"),
            &by_path,
            "auth.json",
        ),
        (".config/containers/auth.json", None, &by_path, "auth.json"),
    ] {
        let home = Home::new();
        // A user who reads everything but Secrets.
        let mut command = home.command(OURS, &plane.cluster, "reader");
        command.args(["tags", "app", "-n", listed.namespace, "-o", "json"]);
        let path = home_file(&command, file);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
        fs::write(&path, content.to_string()).expect("it can be written");
        if let Some(variable) = variable {
            command.env(variable, &path);
        }
        let program = home_file(&command, "bin/docker-credential-tests");
        let answer = json!({"Username": usual.user, "Secret": usual.password});
        fs::write(
            &program,
            format!("#!/bin/sh\ncat >/dev/null\necho '{answer}'\n"),
        )
        .and_then(|()| fs::set_permissions(&program, fs::Permissions::from_mode(0o700)))
        .expect("it can be written");
        let ran = run(&mut command);
        hides_secrets(&ran, &[&usual.password, &usual.basic()]);
        assert_eq!(ran.code, Some(0), "{content}: {}", ran.stderr);
        let row = &rows(&ran)["app"];
        assert_eq!(row["controllerView"]["current"], true, "{content}");
        let text = row["credentials"]["text"].as_str().unwrap_or_default();
        assert!(text.starts_with("your own credentials "), "{text}");
        assert!(text.contains(whose), "{text}");
    }
    let home = Home::new();
    let nobodys = listed.tags(&home, "reader", &["app"]);
    assert_eq!(nobodys.code, Some(4), "{nobodys:?}");
    assert!(
        nobodys
            .stderr
            .contains("no credentials (you have none for it)"),
        "{nobodys:?}"
    );
}

/// A file below the home folder that a command has.
fn home_file(command: &Command, path: &str) -> PathBuf {
    let home = command.get_envs().find(|(name, _)| *name == "HOME");
    let home = home.and_then(|(_, value)| value);
    PathBuf::from(home.expect("the command has a home")).join(path)
}
