//! `get -w`: a list, and then what happens.

use serde_json::{Value, json};

use crate::cluster::FakeCluster;
use crate::environment::{self, Ran};
use crate::server::Response;

const NAMES: [&str; 3] = ["-o", "name", "-w"];

fn policy(name: &str, version: &str, tag: &str) -> Value {
    json!({
        "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy",
        "metadata": {"name": name, "namespace": "flux-system", "resourceVersion": version},
        "spec": {"imageRepositoryRef": {"name": name}, "policy": {"semver": {"range": "1.x"}}},
        "status": {"latestRef": {"name": format!("registry.example.com/team/{name}"), "tag": tag}},
    })
}

fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

fn too_old() -> Value {
    event(
        "ERROR",
        &json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}),
    )
}

fn shop() -> FakeCluster {
    let cluster = FakeCluster::start();
    cluster.add(&policy("app", "7", "1.0.0").to_string());
    cluster
}

/// Every case ends with a watch that is forbidden.
fn run(cluster: &FakeCluster, arguments: &[&str]) -> Ran {
    cluster
        .environment()
        .run(&[&["get"], arguments].concat())
        .expect(3)
}

fn watches(cluster: &FakeCluster) -> Vec<String> {
    let requests = cluster.server.requests();
    let watches = requests
        .iter()
        .filter(|request| request.parameter("watch").is_some());
    watches
        .map(|request| request.parameter("resourceVersion").unwrap_or_default())
        .collect()
}

#[test]
fn every_change_is_a_row_below_the_list() {
    let cluster = shop();
    cluster.then_watch(&[
        event("MODIFIED", &policy("app", "101", "1.10.0-with-a-long-tail")),
        event(
            "BOOKMARK",
            &json!({"kind": "ImagePolicy", "metadata": {"resourceVersion": "105"}}),
        ),
        event("DELETED", &policy("app", "106", "1.10.0")),
    ]);
    let ran = run(&cluster, &["policies", "-w"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ran.stdout);
    assert!(lines[0].starts_with("NAME   IMAGE"), "{}", ran.stdout);
    for (line, tag) in lines[1..]
        .iter()
        .zip(["1.0.0", "1.10.0-with-a-long-tail", "1.10.0"])
    {
        assert!(
            line.contains(&format!("   {tag}   ")),
            "{tag}: {}",
            ran.stdout
        );
    }
    // A column never gets narrower again.
    assert_eq!(
        lines[2].find("Unknown"),
        lines[3].find("Unknown"),
        "{}",
        ran.stdout
    );
    assert_eq!(watches(&cluster), ["100", "106"]);
    assert!(
        ran.stderr.contains("forbids to watch imagepolicies"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_version_that_is_too_old_costs_a_new_list_and_nothing_else() {
    for expired in [
        Response::json(
            410,
            &json!({"kind": "Status", "code": 410, "message": "too old"}),
        ),
        Response::text(200, &format!("{}\n", too_old())),
    ] {
        let cluster = shop();
        cluster.then_watch(&[event("ADDED", &policy("web", "102", "2.0.0"))]);
        cluster.then_answer_watch(expired);
        // In the new list there is no web any more, and app is as it was.
        let ran = run(&cluster, &[&["policies"], &NAMES[..]].concat());
        let name = |name: &str| format!("imagepolicy.image.toolkit.fluxcd.io/{name}\n");
        assert_eq!(ran.stdout, [name("app"), name("web"), name("web")].concat());
        assert_eq!(watches(&cluster), ["100", "102", "100"]);
    }
}

#[test]
fn a_watch_that_breaks_off_goes_on_where_it_was() {
    let cluster = shop();
    cluster.then_watch(&[event("MODIFIED", &policy("app", "101", "1.1.0"))]);
    cluster.then_answer_watch(Response::text(503, "upstream is down"));
    cluster.then_watch(&[event("MODIFIED", &policy("app", "109", "1.2.0"))]);
    let ran = run(&cluster, &[&["policies"], &NAMES[..]].concat());
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);
    assert_eq!(watches(&cluster), ["100", "101", "101", "109"]);
    assert!(
        ran.stderr
            .contains("the watch was cut off, and is tried again"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("upstream is down"), "{}", ran.stderr);
    assert!(ran.stderr.contains("the watch goes on"), "{}", ran.stderr);
}

#[test]
fn one_object_and_documents() {
    let cluster = shop();
    cluster.add(&environment::semver_policy("web", "1.x"));
    cluster.then_watch(&[event("MODIFIED", &policy("app", "101", "1.1.0"))]);
    let ran = run(&cluster, &["policy", "app", "-w", "-o", "json"]);
    let documents: Vec<Value> = serde_json::Deserializer::from_str(&ran.stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    let tags: Vec<&Value> = documents
        .iter()
        .map(|one| &one["status"]["latestRef"]["tag"])
        .collect();
    assert_eq!(tags, ["1.0.0", "1.1.0"]);
    let asked = cluster.server.requests();
    assert!(
        asked
            .iter()
            .all(|request| request.parameter("fieldSelector").as_deref()
                == Some("metadata.name=app"))
    );
    let ran = run(&cluster, &["policy", "gone", "-w"]);
    assert!(
        ran.stderr
            .contains("there is no ImagePolicy gone in namespace flux-system"),
        "{}",
        ran.stderr
    );
}

#[test]
fn an_empty_list_says_so_and_waits() {
    let cluster = FakeCluster::start();
    cluster.then_watch(&[event("ADDED", &policy("app", "101", "1.1.0"))]);
    let ran = run(&cluster, &["policies", "-w", "--no-headers"]);
    assert!(
        ran.stderr
            .contains("no ImagePolicy in namespace flux-system yet"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.starts_with("app   "), "{}", ran.stdout);
}

#[test]
fn what_is_watched_is_one_type_of_a_cluster() {
    let environment = shop().environment();
    environment.write("objects.yaml", &environment::semver_policy("app", "1.x"));
    for (arguments, expected) in [
        (&["-w"][..], "one type"),
        (&["app", "-w"], "say which app is meant"),
        (&["policies", "-w", "-f", "objects.yaml"], "leave out -f"),
        (&["policy", "app", "-w", "-A"], "across all namespaces"),
        (&["markers", "-w"], "it watches objects"),
    ] {
        let ran = environment.run(&[&["get"], arguments].concat()).expect(2);
        assert!(
            ran.stderr.contains(expected),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn a_timeout_that_is_asked_for_is_the_end() {
    let cluster = shop();
    for _ in 0..20 {
        cluster.then_watch(&[]);
    }
    let ran = cluster
        .environment()
        .run(&["get", "policies", "-w", "-o", "name", "--timeout", "1s"])
        .expect(0);
    assert_eq!(ran.stdout, "imagepolicy.image.toolkit.fluxcd.io/app\n");
}
