//! `reconcile` over every way to a repository: the plain git server with all of its doors, and the forge, which has accounts, deploy keys
//! and protected branches; beside what the running automation pushes the same way.

use std::fs;

use serde_json::{Value, json};

use super::{NAMESPACE, Run, deployment, prepare_namespace};
use crate::cluster::clones::{Doors, about};
use crate::cluster::command_line::{Home, Ran};
use crate::cluster::control_plane::Login;
use crate::cluster::forge::{Access, Forge};
use crate::cluster::objects::{automation, git_repository};
use crate::cluster::repository::Repository;
use crate::cluster::socks::{self, Socks};
use crate::cluster::ssh::KeyPair;
use crate::cluster::{ControlPlane, control_plane, in_parallel, tell};

/// A way to a repository: its URL, what the GitRepository says besides, and the data of its Secret (null: it has none).
struct Way {
    name: &'static str,
    url: String,
    spec: Value,
    secret: Value,
}

impl Way {
    fn new(name: &'static str, url: String, secret: Value) -> Self {
        Self {
            name,
            url,
            spec: json!({}),
            secret,
        }
    }

    /// Its objects in the cluster, the automation suspended.
    fn run<'a>(&self, plane: &'a ControlPlane, repository: Repository) -> Run<'a> {
        let name = format!("way-{}", self.name);
        let mut source = git_repository(NAMESPACE, &name, &self.url);
        source["spec"]["secretRef"] = if self.secret.is_null() {
            Value::Null
        } else {
            json!({"name": name})
        };
        super::merge(&mut source["spec"], &self.spec);
        let mut automation = automation(NAMESPACE, &name, &name, &json!({}), "main");
        automation["spec"]["suspend"] = json!(true);
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NAMESPACE, "name": name},
            "stringData": self.secret,
        });
        let secret = (!self.secret.is_null()).then_some(&secret);
        for object in secret.into_iter().chain([&source, &automation]) {
            let created = plane.api.create(object);
            created.unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        }
        Run {
            plane,
            start: repository.refs(),
            name,
            repository,
        }
    }
}

fn login(login: &Login) -> Value {
    json!({"username": login.user, "password": login.password})
}

/// Both turns over each way; both must push, and the same.
fn compare_ways(
    plane: &ControlPlane,
    what: &str,
    ways: &[Way],
    repository: impl Fn(&Way) -> Repository + Sync,
) {
    let compared = in_parallel(ways, |way| {
        match way.run(plane, repository(way)).compare() {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("{}: neither pushes", way.name)),
            Err(why) => Err(why),
        }
    });
    let disagreements: Vec<String> = compared.into_iter().filter_map(Result::err).collect();
    tell(&format!(
        "pushes, {what}: {} of {} equal to the automation's",
        ways.len() - disagreements.len(),
        ways.len()
    ));
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

#[test]
fn the_doors_of_a_plain_server_are_pushed_through_as_by_the_automation() {
    let Some(plane) = control_plane() else { return };
    prepare_namespace(plane);
    let git = &plane.addresses.git;
    let doors: Doors = about(plane, "_doors");
    let plain = |door: &str, name: &str| format!("http://{}{door}/way-{name}.git", git.address);
    let tls = |address: &str, name: &str| format!("https://{address}/way-{name}.git");
    let with = |more: Value| {
        let mut data = login(git);
        super::merge(&mut data, &more);
        data
    };
    let client =
        json!({"ca.crt": doors.authority, "tls.crt": doors.certificate, "tls.key": doors.key});
    let app = json!({
        "githubAppID": "5", "githubAppInstallationOwner": "team", "githubAppPrivateKey": doors.app_key,
        "githubAppBaseURL": format!("http://{}/github", git.address),
    });
    let mut ways = vec![
        Way::new("basic", plain("", "basic"), with(json!({}))),
        Way::new(
            "bearer",
            plain("/bearer", "bearer"),
            json!({"bearerToken": git.password}),
        ),
        Way::new(
            "url",
            plain("", "url").replace("://", &format!("://{}:{}@", git.user, git.password)),
            Value::Null,
        ),
        Way::new(
            "tls",
            tls(&doors.https, "tls"),
            with(json!({"ca.crt": doors.authority})),
        ),
        Way::new("client", tls(&doors.mutual, "client"), with(client)),
        Way::new("app", plain("", "app"), app),
    ];
    for way in &mut ways {
        if way.name == "app" {
            way.spec = json!({"provider": "github"});
        }
    }
    compare_ways(plane, "doors", &ways, |way| {
        let text = deployment("1.0.0");
        let name = format!("way-{}", way.name);
        Repository::create(plane, &name, [("app.yaml", text.as_bytes())])
    });
}

/// A repository of the forge with the marker on `main`, and its http and ssh addresses.
struct Hosted<'a> {
    forge: &'a Forge,
    repository: crate::cluster::forge::ForgeRepository<'a>,
}

impl<'a> Hosted<'a> {
    fn new(forge: &'a Forge, name: &str) -> Self {
        let text = deployment("1.0.0");
        Self {
            forge,
            repository: forge.create_repository(name, [("app.yaml", text.as_bytes())]),
        }
    }

    fn stored(&self) -> Repository {
        let stored = &self.repository.stored;
        Repository::at(stored.folder().to_owned(), stored.url.clone())
    }

    fn over_http(&self, name: &'static str, user: &Login) -> Way {
        Way::new(name, self.repository.stored.url.clone(), login(user))
    }

    fn over_ssh(&self, name: &'static str, key: &KeyPair, passphrase: &str) -> Way {
        let private = fs::read_to_string(key.private()).expect("it was made");
        let mut data = json!({"identity": private, "known_hosts": self.forge.known_hosts()});
        if !passphrase.is_empty() {
            data["password"] = json!(passphrase);
        }
        Way::new(name, self.repository.ssh_url.clone(), data)
    }
}

fn hosted(name: &str) -> Option<(&'static ControlPlane, Hosted<'static>)> {
    let plane = control_plane()?;
    let forge = plane.forge()?;
    prepare_namespace(plane);
    Some((plane, Hosted::new(forge, name)))
}

#[test]
fn the_forge_is_pushed_to_over_http_and_ssh_as_by_the_automation() {
    let Some(plane) = control_plane() else { return };
    let Some(forge) = plane.forge() else { return };
    prepare_namespace(plane);
    let mut ways = Vec::new();
    let mut repositories = std::collections::BTreeMap::new();
    let over_http = Hosted::new(forge, "way-forge-http");
    ways.push(over_http.over_http("forge-http", &forge.user));
    repositories.insert("forge-http", over_http);
    for (name, kind, passphrase) in [
        ("forge-ed25519", "ed25519", ""),
        ("forge-ecdsa", "ecdsa", ""),
        ("forge-rsa", "rsa", ""),
        ("forge-locked", "ed25519", "a passphrase"),
    ] {
        let Some(key) = KeyPair::generate(kind, passphrase) else {
            return;
        };
        let hosted = Hosted::new(forge, &format!("way-{name}"));
        hosted.repository.add_deploy_key(&key, Access::Write);
        ways.push(hosted.over_ssh(name, &key, passphrase));
        repositories.insert(name, hosted);
    }
    compare_ways(plane, "forge", &ways, |way| repositories[way.name].stored());
}

/// A way over which neither pushes: what we say, and what the controller says.
fn refused(run: &Run<'_>) -> (Ran, String) {
    let ran = run.reconcile(&Home::new(), &["-v"]);
    assert_eq!(run.repository.refs(), run.start, "{ran:?}");
    assert_eq!(ran.code, Some(5), "{ran:?}");
    let failed = run.resume();
    assert_eq!(run.repository.refs(), run.start);
    (ran, failed.expect("the controller fails too"))
}

#[test]
fn a_protected_branch_is_told_with_the_forges_words() {
    let Some((plane, hosted)) = hosted("way-protected") else {
        return;
    };
    hosted.repository.protect("main");
    let way = hosted.over_http("protected", &hosted.forge.user);
    let run = way.run(plane, hosted.stored());
    let (ran, failed) = refused(&run);
    let words = "Not allowed to push to protected branch main";
    assert!(
        ran.stderr.contains("push-rejected")
            && ran.stderr.contains(words)
            && ran.stderr.contains("--push-branch"),
        "{ran:?}"
    );
    assert!(failed.contains("failed to push to remote"), "{failed}");
    // The way out that is told works.
    let elsewhere = run.reconcile(&Home::new(), &["--push-branch", "updates"]);
    assert_eq!(elsewhere.code, Some(0), "{elsewhere:?}");
    assert_eq!(
        run.repository
            .head("updates")
            .map(|head| run.repository.commit(&head).parents),
        run.repository.head("main").map(|head| vec![head])
    );
}

#[test]
fn who_may_only_read_is_told_before_anything_is_pushed() {
    let Some((plane, hosted)) = hosted("way-readers") else {
        return;
    };
    let Some(key) = KeyPair::generate("ed25519", "") else {
        return;
    };
    hosted.repository.add_deploy_key(&key, Access::Read);
    let (ran, failed) = refused(
        &hosted
            .over_ssh("read-key", &key, "")
            .run(plane, hosted.stored()),
    );
    assert!(
        ran.stderr.contains("push-credential-read-only")
            && ran.stderr.contains("is not authorized to write to")
            && ran.stderr.contains("write access"),
        "{failed}: {ran:?}"
    );
    let report: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    assert_eq!(report["automations"][0]["attempts"], 0, "{ran:?}");
    // Over http this forge takes a push of everybody who may read, and refuses it once it has seen to which branch.
    let reader = hosted.forge.create_reader(&hosted.repository, "reader");
    let (ran, failed) = refused(
        &hosted
            .over_http("read-account", &reader)
            .run(plane, hosted.stored()),
    );
    assert!(
        ran.stderr.contains("push-rejected")
            && ran
                .stderr
                .contains("\"error: User permission denied for writing.\""),
        "{failed}: {ran:?}"
    );
    assert!(!ran.stderr.contains(&reader.password), "{ran:?}");
}

#[test]
fn an_unknown_host_is_refused_and_how_to_add_it_is_told() {
    let Some((plane, hosted)) = hosted("way-unknown") else {
        return;
    };
    let Some(key) = KeyPair::generate("ed25519", "") else {
        return;
    };
    hosted.repository.add_deploy_key(&key, Access::Write);
    let mut way = hosted.over_ssh("unknown-host", &key, "");
    let other = hosted.forge.known_hosts().replace("127.0.0.1", "127.0.0.9");
    way.secret["known_hosts"] = json!(other);
    let (ran, failed) = refused(&way.run(plane, hosted.stored()));
    assert!(
        ran.stderr.contains("ssh-keyscan") && ran.stderr.contains("known_hosts"),
        "{failed}: {ran:?}"
    );
    let report: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    assert_eq!(
        report["automations"][0]["error"]["message"], failed,
        "{ran:?}"
    );
}

/// A Secret that names a proxy.
fn proxy_secret(name: &str, address: &str, password: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NAMESPACE, "name": name},
        "stringData": {"address": address, "username": socks::USER, "password": password},
    })
}

#[test]
fn ssh_and_http_go_through_a_socks_proxy() {
    let Some(plane) = control_plane() else { return };
    let Some(forge) = plane.forge() else { return };
    prepare_namespace(plane);
    let proxy = Socks::start();
    let there = format!("socks5://{}", proxy.address);
    for secret in [
        proxy_secret("socks", &there, socks::PASSWORD),
        proxy_secret("socks-wrong", &there, "wrong password"),
        proxy_secret("socks-dead", "socks5://127.0.0.1:9", socks::PASSWORD),
    ] {
        let created = plane.api.create(&secret);
        created.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }
    let Some(key) = KeyPair::generate("ed25519", "") else {
        return;
    };
    let through = |way: Way, name: &str| Way {
        spec: json!({"proxySecretRef": {"name": name}}),
        ..way
    };
    let mut hosted = std::collections::BTreeMap::new();
    for name in ["socks-ssh", "socks-http", "socks-refused", "socks-nowhere"] {
        let one = Hosted::new(forge, &format!("way-{name}"));
        one.repository.add_deploy_key(&key, Access::Write);
        hosted.insert(name, one);
    }
    let ways = [
        through(hosted["socks-ssh"].over_ssh("socks-ssh", &key, ""), "socks"),
        through(
            hosted["socks-http"].over_http("socks-http", &forge.user),
            "socks",
        ),
    ];
    compare_ways(plane, "socks", &ways, |way| hosted[way.name].stored());
    assert!(proxy.through() >= 8, "{}", proxy.through());
    for (name, proxy) in [
        ("socks-refused", "socks-wrong"),
        ("socks-nowhere", "socks-dead"),
    ] {
        let way = through(hosted[name].over_ssh(name, &key, ""), proxy);
        let (ran, failed) = refused(&way.run(plane, hosted[name].stored()));
        let report: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
        assert_eq!(
            report["automations"][0]["error"]["message"], failed,
            "{ran:?}"
        );
        assert!(
            ran.stderr.contains("no way through the proxy")
                && !ran.stderr.contains("wrong password"),
            "{ran:?}"
        );
    }
}
