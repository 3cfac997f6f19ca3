//! `get` and the overview, from a cluster and from manifests.

use serde_json::json;

use crate::cluster::FakeCluster;
use crate::environment::{self, Environment};

/// Two repositories, two policies and an automation in flux-system, one policy elsewhere.
fn shop() -> FakeCluster {
    let cluster = FakeCluster::start();
    cluster
        .add(&environment::image_repository("app"))
        .add(&environment::image_repository("web"))
        .add(&environment::semver_policy("app", ">=1.0.0"))
        .add(&environment::semver_policy("web", ">=1.0.0"))
        .add(&environment::automation("images", "main", "./apps"))
        .add(&environment::git_repository("gitops"))
        .add(&environment::semver_policy("db", "1.x").replace("flux-system", "data"));
    let ready = |message: &str| json!({"conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": message}]});
    let mut status = ready("successful scan: found 3 tags with checksum 1");
    status["canonicalImageName"] = json!("registry.example.com/team/app");
    status["observedExclusionList"] = json!(["^.*\\.sig$"]);
    status["lastScanResult"] = json!({"tagCount": 3, "scanTime": "2026-01-01T00:00:00Z"});
    cluster.merge("ImageRepository", "app", &json!({"status": status}));
    let mut status = ready("Latest image tag for registry.example.com/team/app resolved to 1.2.0");
    status["latestRef"] = json!({"name": "registry.example.com/team/app", "tag": "1.2.0", "digest": format!("sha256:{}", "a".repeat(64))});
    cluster.merge(
        "ImagePolicy",
        "app",
        &json!({"status": status, "metadata": {"labels": {"tier": "front"}, "managedFields": [{}]}}),
    );
    cluster.merge("ImagePolicy", "web", &json!({"spec": {"suspend": true}}));
    cluster
}

#[test]
fn all_kinds_are_tables_of_their_own() {
    let environment = shop().environment();
    let ran = environment.run(&["get"]).expect(0);
    let tables: Vec<&str> = ran.stdout.split("\n\n").collect();
    assert_eq!(tables.len(), 3, "{}", ran.stdout);
    assert!(tables[0].starts_with("NAME"), "{}", ran.stdout);
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(tables[0].lines().next().unwrap()),
        [
            "NAME",
            "IMAGE",
            "TAGS",
            "LAST-SCAN",
            "NEXT-SCAN",
            "SUSPENDED",
            "READY",
            "MESSAGE"
        ]
    );
    assert_eq!(
        words(tables[1].lines().nth(1).unwrap())[..5],
        [
            "imagepolicy/app",
            "registry.example.com/team/app",
            "1.2.0",
            "sha256:aaaaaaaaaaaa",
            "-"
        ]
    );
    assert!(
        tables[1].contains("imagepolicy/web") && tables[1].contains("waiting to be reconciled"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("db"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
}

#[test]
fn one_kind_has_bare_names_and_asks_one_question() {
    let cluster = shop();
    let environment = cluster.environment();
    let ran = environment
        .run(&["get", "policies", "--no-headers", "--show-labels"])
        .expect(0);
    assert!(ran.stdout.starts_with("app   "), "{}", ran.stdout);
    assert!(
        ran.stdout.lines().next().unwrap().ends_with("tier=front"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.lines().nth(1).unwrap().ends_with("<none>"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        cluster.server.lines(),
        ["GET /apis/image.toolkit.fluxcd.io/v1/namespaces/flux-system/imagepolicies"]
    );
    let agent = cluster.server.requests()[0]
        .header("user-agent")
        .map(str::to_owned);
    assert!(agent.is_some_and(|agent| agent.starts_with("kubectl-imageauto/")));
}

#[test]
fn all_namespaces_have_a_column() {
    let environment = shop().environment();
    let ran = environment.run(&["get", "policy", "-A"]).expect(0);
    assert!(ran.stdout.starts_with("NAMESPACE"), "{}", ran.stdout);
    assert!(ran.stdout.contains("\ndata          db"), "{}", ran.stdout);
    let ran = environment.run(&["get", "policy", "app", "-A"]).expect(2);
    assert!(
        ran.stderr.contains("use -n instead of -A"),
        "{}",
        ran.stderr
    );
}

#[test]
fn objects_are_given_as_the_cluster_has_them() {
    let environment = shop().environment();
    let one = environment
        .run(&["get", "policy/app", "-o", "json"])
        .expect(0)
        .json();
    assert_eq!(one["kind"], "ImagePolicy");
    assert!(one["metadata"].get("managedFields").is_none());
    let list = environment
        .run(&["get", "policies", "-o", "json"])
        .expect(0)
        .json();
    assert_eq!(
        (
            list["kind"].as_str(),
            list["items"].as_array().map(Vec::len)
        ),
        (Some("List"), Some(2))
    );
    let yaml = environment
        .run(&["get", "policy", "app", "-o", "yaml"])
        .expect(0)
        .stdout;
    let read: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(read, one);
    let names = environment.run(&["get", "-o", "name"]).expect(0).stdout;
    assert!(
        names.contains("imagepolicy.image.toolkit.fluxcd.io/app\n"),
        "{names}"
    );
    let none = environment
        .run(&["get", "updates", "-n", "none", "-o", "json"])
        .expect(0);
    assert_eq!(none.json()["items"], json!([]));
    assert!(
        none.stderr
            .contains("no ImageUpdateAutomation in namespace none; there are some in flux-system"),
        "{}",
        none.stderr
    );
}

#[test]
fn what_is_not_there_is_named_and_the_rest_is_shown() {
    let environment = shop().environment();
    let ran = environment.run(&["get", "policy", "app", "gone"]).expect(3);
    assert!(ran.stdout.contains("app"), "{}", ran.stdout);
    assert!(
        ran.stderr
            .contains("there is no ImagePolicy gone in namespace flux-system"),
        "{}",
        ran.stderr
    );
    let ran = environment.run(&["get", "app"]).expect(0);
    assert!(
        ran.stdout.contains("imagerepository/app") && ran.stdout.contains("imagepolicy/app"),
        "{}",
        ran.stdout
    );
    let ran = environment.run(&["get", "pod/app"]).expect(2);
    assert!(
        ran.stderr
            .contains("\"pod\" is none of repository, policy and update"),
        "{}",
        ran.stderr
    );
    let ran = environment
        .run(&["get", "-o", "name", "--sort-by", "{.a"])
        .expect(2);
    assert!(
        ran.stderr.contains("a brace is not closed"),
        "{}",
        ran.stderr
    );
}

#[test]
fn tables_are_sorted_and_selected() {
    let environment = shop().environment();
    let ran = environment
        .run(&[
            "get",
            "policies",
            "-o",
            "name",
            "--sort-by",
            ".status.latestRef.tag",
        ])
        .expect(0);
    assert!(
        ran.stdout
            .starts_with("imagepolicy.image.toolkit.fluxcd.io/web\n"),
        "{}",
        ran.stdout
    );
    let ran = environment
        .run(&["get", "policies", "-o", "name", "-l", "tier=front"])
        .expect(0);
    assert_eq!(ran.stdout, "imagepolicy.image.toolkit.fluxcd.io/app\n");
    let ran = environment.run(&["get", "-l", "a in"]).expect(2);
    assert!(
        ran.stderr.contains("-l a in: is no label selector"),
        "{}",
        ran.stderr
    );
}

#[test]
fn manifests_are_shown_like_a_cluster() {
    let environment = Environment::shop();
    let ran = environment
        .run(&["get", "-f", "objects", "policies"])
        .expect(0);
    assert!(ran.stdout.contains("flux-system   app"), "{}", ran.stdout);
    let ran = environment
        .run(&["get", "-f", "objects", "policy", "gone"])
        .expect(6);
    assert!(
        ran.stderr
            .contains("there is no ImagePolicy gone in the input"),
        "{}",
        ran.stderr
    );
    let named = environment
        .run(&["get", "-f", "objects", "-o", "name"])
        .expect(0);
    assert_eq!(named.stdout.lines().count(), 3, "{}", named.stdout);
}

#[test]
fn long_lists_come_in_pages() {
    let cluster = shop();
    let environment = cluster.environment();
    let whole = environment.run(&["get", "-o", "name"]).expect(0).stdout;
    cluster.pages_of(1);
    assert_eq!(
        environment.run(&["get", "-o", "name"]).expect(0).stdout,
        whole
    );
    cluster.expire();
    assert_eq!(
        environment.run(&["get", "-o", "name"]).expect(0).stdout,
        whole
    );
}

#[test]
fn the_overview_counts_and_names_what_is_wrong() {
    let cluster = shop();
    let condition = |status: &str, reason: &str, message: &str| json!({"status": {"conditions": [{"type": "Ready", "status": status, "reason": reason, "message": message}]}});
    let ready = condition("True", "Succeeded", "repository up-to-date");
    cluster.merge("ImageUpdateAutomation", "images", &ready);
    let environment = cluster.environment();
    let ran = environment.run(&[]).expect(0);
    assert!(
        ran.stdout.starts_with(
            "► context test, namespace flux-system: 2 repositories, 2 policies, 1 update\n"
        ),
        "{}",
        ran.stdout
    );
    for expected in [
        "✗ ImageRepository flux-system/web is not ready: waiting to be reconciled",
        "✗ error[scan-stale]: ImageRepository flux-system/app is stale: its scan is overdue by",
        "◎ note[suspended]: ImagePolicy flux-system/web is suspended",
    ] {
        assert!(ran.stdout.contains(expected), "{expected}: {}", ran.stdout);
    }
    let lines: Vec<char> = ran
        .stdout
        .lines()
        .filter_map(|line| line.chars().next())
        .collect();
    let sign = |sign: char| lines.iter().rposition(|found| *found == sign);
    assert!(sign('✗') < sign('◎'), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("hint: kubectl imageauto get"),
        "{}",
        ran.stderr
    );
    // The three worst are told, and the others counted.
    let fails = condition("False", "GitOperationFailed", "no");
    cluster.merge("ImageUpdateAutomation", "images", &fails);
    let ran = environment.run(&[]).expect(0);
    let told = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with(['✗', '⚠', '◎']));
    assert_eq!(told.count(), 3, "{}", ran.stdout);
    assert!(
        ran.stdout.contains("✗ error[update-fails]: ImageUpdateAutomation flux-system/images is not ready: GitOperationFailed: no"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr
            .contains("hint: 1 more: kubectl imageauto doctor"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_overview_of_manifests_keeps_to_the_flags_and_its_hints_repeat_them() {
    let environment = Environment::new();
    let objects = [
        environment::image_repository("app"),
        environment::semver_policy("app", ">=1.0.0"),
        environment::automation("images", "main", "./apps"),
    ];
    environment.write("my objects.yaml", &objects.join("---\n"));
    let file = ["-f", "my objects.yaml"];
    let all = environment.run(&file).expect(0);
    assert!(
        all.stdout
            .starts_with("► all namespaces: 1 repository, 1 policy, 1 update\n"),
        "{}",
        all.stdout
    );
    let hint = "hint: kubectl imageauto get -f 'my objects.yaml', or --help\n";
    assert!(all.stderr.ends_with(hint), "{}", all.stderr);
    for (flags, scope) in [
        (["-n", "nope"], "namespace nope"),
        (["-l", "x=y"], "all namespaces"),
    ] {
        let ran = environment.run(&[file, flags].concat()).expect(0);
        assert_eq!(
            ran.stdout,
            format!("► {scope}: 0 repositories, 0 policies, 0 updates\n")
        );
        let hint = ": kubectl imageauto -f 'my objects.yaml' -A\n";
        assert!(ran.stderr.ends_with(hint), "{}", ran.stderr);
    }
}
