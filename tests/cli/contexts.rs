//! `--contexts` on get, tags, explain and diff: several clusters side by side.

use serde_json::Value;

use crate::cluster::{FakeCluster, kubeconfig};
use crate::environment::{self, Environment};
use crate::schema::violations_of;

const FILES: [&str; 4] = ["--tags-from", "tags.json", "--worktree", "gitops"];

/// The contexts `prod-a`, `prod-b` and `gone`; the first two have the usual shop, in which `prod-b` is behind.
fn clusters() -> Environment {
    let environment = Environment::shop();
    let cluster = |range: &str| {
        let cluster = FakeCluster::start();
        cluster
            .add(&environment::git_repository("gitops"))
            .add(&environment::image_repository("app"))
            .add(&environment::semver_policy("app", range))
            .add(&environment::automation("images", "main", "./apps"));
        cluster
    };
    let (a, b) = (cluster(">=1.0.0"), cluster("1.0.x"));
    let mut whole = String::from("apiVersion: v1\nkind: Config\ncurrent-context: prod-a\n");
    let one = |name: &str, address: &str| {
        kubeconfig(address, "let-me-in")
            .replace("name: test\n", &format!("name: {name}\n"))
            .replace("cluster: test\n", &format!("cluster: {name}\n"))
    };
    let configs = [
        one("prod-a", &a.server.address),
        one("prod-b", &b.server.address),
        one("gone", "127.0.0.1:1"),
    ];
    for part in ["clusters:\n", "contexts:\n"] {
        whole.push_str(part);
        for config in &configs {
            let (_, rest) = config.split_once(part).unwrap();
            let lines = rest.lines().take_while(|line| line.starts_with(['-', ' ']));
            lines.for_each(|line| whole.push_str(&format!("{line}\n")));
        }
    }
    whole.push_str("users:\n- name: tester\n  user:\n    token: let-me-in\n");
    environment.write(".kube/config", &whole);
    environment
}

fn contexts_of(rows: &Value) -> Vec<&str> {
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| row["context"].as_str().unwrap())
        .collect()
}

#[test]
fn a_column_tells_the_cluster() {
    let environment = clusters();
    let ran = environment
        .run(&["get", "policies", "--contexts", "/^prod-/"])
        .expect(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.stdout);
    assert!(lines[0].starts_with("CONTEXT   NAME"), "{}", ran.stdout);
    assert!(lines[1].starts_with("prod-a    app"), "{}", ran.stdout);
    assert!(lines[2].starts_with("prod-b    app"), "{}", ran.stdout);
    let arguments = [
        "get",
        "markers",
        "--contexts",
        "prod-b",
        "--contexts",
        "prod-a",
    ];
    let ran = environment
        .run(&[&arguments[..], &FILES].concat())
        .expect(0);
    assert!(ran.stdout.starts_with("CONTEXT   OBJECT"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("1.2.0    -         applied"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("upToDate"), "{}", ran.stdout);
    let ran = environment
        .run(
            &[
                &["get", "images", "--contexts", "/prod/", "-o", "json"],
                &FILES[..],
            ]
            .concat(),
        )
        .expect(0);
    assert_eq!(contexts_of(&ran.json()["images"]), ["prod-a", "prod-b"]);
}

#[test]
fn documents_hold_all_clusters() {
    let environment = clusters();
    for (command, code, list) in [("diff", 1, "automations"), ("explain", 1, "policies")] {
        let arguments = [command, "--contexts", "/prod/", "-o", "json"];
        let ran = environment.run(&[&arguments[..], &FILES].concat());
        assert!(ran.status <= code, "{}", ran.stderr);
        assert_eq!(
            contexts_of(&ran.json()[list]),
            ["prod-a", "prod-b"],
            "{command}"
        );
    }
    let list = ["get", "policies", "-o", "json"];
    let ran = environment.run(&[&list[..], &["--contexts", "/prod/"]].concat());
    let document = ran.json();
    assert_eq!(contexts_of(&document["items"]), ["prod-a", "prod-b"]);
    assert_eq!(violations_of("get-v1", &document), [""; 0]);
    let ran = environment.run(&["get", "policies", "-o", "yaml", "--contexts", "prod-a"]);
    assert!(ran.stdout.contains("context: prod-a"), "{}", ran.stdout);
    // A single cluster's is the List that kubectl gives.
    let document = environment.run(&list).json();
    assert_eq!(document["items"][0].get("context"), None);
    assert_eq!(violations_of("get-v1", &document), [""; 0]);
    let ran = environment.run(&[
        "tags",
        "--contexts",
        "/prod/",
        "-o",
        "json",
        "--timeout",
        "20s",
    ]);
    assert_eq!(
        contexts_of(&ran.json()["repositories"]),
        ["prod-a", "prod-b"]
    );
}

#[test]
fn texts_are_headed_by_the_cluster() {
    let environment = clusters();
    let ran = environment
        .run(&[&["diff", "--contexts", "/prod/"], &FILES[..]].concat())
        .expect(1);
    assert!(
        ran.stdout
            .starts_with("# context prod-a\n# ImageUpdateAutomation flux-system/images"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.ends_with("# context prod-b\n"), "{}", ran.stdout);
    environment.write("patch", &ran.stdout);
    environment.git("gitops", &["apply", "../patch"]);
    let ran = environment.run(
        &[
            &["explain", "policy/app", "--contexts", "/prod/"],
            &FILES[..],
        ]
        .concat(),
    );
    assert!(ran.stdout.contains("# context prod-b\n"), "{}", ran.stdout);
}

#[test]
fn a_cluster_that_is_gone_does_not_hide_the_others() {
    let environment = clusters();
    let ran = environment
        .run(&["get", "policies", "--contexts", "/./"])
        .expect(3);
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);
    assert!(
        ran.stderr
            .contains("context gone: the cluster at http://127.0.0.1:1 can't be reached"),
        "{}",
        ran.stderr
    );
    let ran = environment.run(&["get", "--contexts", "nowhere"]).expect(2);
    assert!(
        ran.stderr.contains("it has gone, prod-a, prod-b"),
        "{}",
        ran.stderr
    );
    for arguments in [
        &["get", "policies", "-w", "--contexts", "/prod/"][..],
        &["tags", "--watch", "--contexts", "/prod/"],
        &["explain", "policy/app", "-w", "--contexts", "/prod/"],
        &[
            "diff",
            "--base",
            "main",
            "-f",
            "a=objects",
            "--contexts",
            "prod-a",
        ],
    ] {
        let ran = environment.run(arguments).expect(2);
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
}
