//! `get markers` and `get images`.

use serde_json::{Value, json};

use crate::cluster::FakeCluster;
use crate::environment::{self, Environment, OFFLINE, Ran};
use crate::schema;

const FILES: [&str; 4] = ["--tags-from", "tags.json", "--worktree", "gitops"];

/// The usual shop with a range that keeps 2.x out, a file that is up to date, one that is a list, and a marker of nobody's.
fn shop() -> Environment {
    let environment = Environment::new();
    environment.write(
        "objects/source.yaml",
        &environment::git_repository("gitops"),
    );
    environment.write(
        "objects/app.yaml",
        &format!(
            "{}---\n{}---\n{}---\n{}",
            environment::image_repository("app"),
            environment::semver_policy("app", "1.x"),
            environment::image_repository("web"),
            environment::semver_policy("web", ">=1.0.0"),
        ),
    );
    environment.write(
        "objects/automation.yaml",
        &environment::automation("images", "main", "./apps"),
    );
    environment.write(
        "tags.json",
        r#"{"registry.example.com/team/app": ["1.0.0", "1.2.0", "2.1.0", "3.0.0-rc.1"], "registry.example.com/team/web": ["1.0.0"]}"#,
    );
    environment.write(
        "gitops/apps/app.yaml",
        &format!(
            "{}---\n{}",
            environment::deployment("web", "1.0.0"),
            environment::deployment("app", "1.0.0")
        ),
    );
    environment.write(
        "gitops/apps/patch.yaml",
        "- op: replace\n  value: registry.example.com/team/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n",
    );
    environment.write(
        "gitops/apps/old.yaml",
        "tag: '7' # {\"$imagepolicy\": \"flux-system:gone:tag\"}\n",
    );
    environment.commit("gitops");
    environment
}

fn get(environment: &Environment, more: &[&str]) -> Ran {
    let usual = [&["get"], more, &["-f", "objects"], &FILES[..]].concat();
    environment.run(&usual)
}

fn rows(ran: &Ran) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        line.split("   ")
            .map(|cell| cell.trim().to_owned())
            .filter(|cell| !cell.is_empty())
            .collect()
    };
    ran.stdout.lines().map(cells).collect()
}

#[test]
fn every_marker_has_a_row() {
    let ran = get(&shop(), &["markers", "-n", "flux-system"]).expect(0);
    assert_eq!(
        rows(&ran),
        [
            &[
                "OBJECT",
                "FILE:LINE",
                "POLICY",
                "IN-GIT",
                "LATEST",
                "RUNNING",
                "VERDICT"
            ][..],
            &[
                "deployment/web",
                "apps/app.yaml:10",
                "web",
                "1.0.0",
                "1.0.0",
                "-",
                "upToDate"
            ],
            &[
                "deployment/app",
                "apps/app.yaml:21",
                "app",
                "1.0.0",
                "1.2.0",
                "-",
                "applied"
            ],
            &[
                "-",
                "apps/old.yaml:1",
                "gone",
                "7",
                "-",
                "-",
                "ignored (marker-dangling)"
            ],
            &[
                "-",
                "apps/patch.yaml:2",
                "app",
                "1.0.0",
                "1.2.0",
                "-",
                "ignored (list-file)"
            ],
        ]
    );
    assert_eq!(ran.stderr, "");
}

#[test]
fn outdated_markers_are_those_that_hold_something_else() {
    let environment = shop();
    let ran = get(&environment, &["markers", "--outdated", "-o", "name"]).expect(0);
    assert_eq!(ran.stdout, "apps/app.yaml:21\napps/patch.yaml:2\n");
    let ran = get(&environment, &["markers", "web", "--outdated"]).expect(0);
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("", "\u{25ce} no outdated marker in any namespace\n")
    );
    let ran = get(&environment, &["markers", "gone"]).expect(6);
    assert!(
        ran.stderr
            .contains("there is no ImagePolicy gone in the input"),
        "{}",
        ran.stderr
    );
}

#[test]
fn every_policy_has_an_image() {
    let environment = shop();
    let ran = get(&environment, &["images"]).expect(0);
    assert_eq!(
        rows(&ran),
        [
            &[
                "NAMESPACE",
                "IMAGE",
                "POLICY",
                "IN-GIT",
                "LATEST",
                "NEWER-OUTSIDE-RANGE"
            ][..],
            &[
                "flux-system",
                "registry.example.com/team/app",
                "app",
                "1.0.0",
                "1.2.0",
                "2.1.0"
            ],
            &[
                "flux-system",
                "registry.example.com/team/web",
                "web",
                "1.0.0",
                "1.0.0",
                "-"
            ],
        ]
    );
    let wide = get(
        &environment,
        &["images", "-o", "wide", "--no-headers", "app"],
    )
    .expect(0);
    assert!(
        wide.stdout
            .trim_end()
            .ends_with("app          2         recording")
            || rows(&wide)[0].ends_with(&["app".into(), "2".into(), "recording".into()]),
        "{}",
        wide.stdout
    );
    let outdated = get(&environment, &["images", "--outdated", "-o", "name"]).expect(0);
    assert_eq!(outdated.stdout, "registry.example.com/team/app\n");
    let sorted = get(&environment, &["images", "-o", "name", "-n", "none"]).expect(0);
    assert_eq!(sorted.stderr, "\u{25ce} no ImagePolicy in namespace none\n");
}

#[test]
fn both_documents_keep_to_their_schemas() {
    let environment = shop();
    for (what, name) in [("markers", "markers-v1"), ("images", "images-v1")] {
        let document = get(&environment, &[what, "-o", "json"]).expect(0).json();
        assert_eq!(schema::violations_of(name, &document), Vec::<String>::new());
        let yaml = get(&environment, &[what, "-o", "yaml"]).expect(0).stdout;
        let read: Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(read, document);
    }
    let document = get(
        &environment,
        &["markers", "-o", "json", "--sort-by", ".line"],
    )
    .expect(0)
    .json();
    let lines: Vec<&Value> = document["markers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["line"])
        .collect();
    assert_eq!(lines, [&json!(1), &json!(2), &json!(10), &json!(21)]);
}

#[test]
fn an_image_needs_no_files() {
    let environment = shop();
    environment.write("objects/source.yaml", "");
    let ran = environment
        .run(&[
            "get",
            "images",
            "-f",
            "objects",
            "--tags-from",
            "tags.json",
            "--no-headers",
        ])
        .expect(0);
    assert_eq!(
        rows(&ran)[0][1..],
        [
            "registry.example.com/team/app",
            "app",
            "-",
            "1.2.0",
            "2.1.0"
        ]
    );
    assert!(
        ran.stderr.contains("what is in git is not known"),
        "{}",
        ran.stderr
    );
}

#[test]
fn flags_of_other_tables_are_refused() {
    let environment = shop();
    for arguments in [
        &["markers", "--show-labels"][..],
        &["images", "a/b"],
        &["policies", "--outdated"],
        &["markers", "--sort-by", "{.a"],
    ] {
        let ran = get(&environment, arguments).expect(2);
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
    // flux's own words come first.
    let ran = environment
        .run(&["get", "images", "policies", "-f", "objects", "-o", "name"])
        .expect(0);
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
}

#[test]
fn what_runs_behind_a_marker_is_told() {
    let files = shop();
    let cluster = FakeCluster::start();
    for file in ["source", "app", "automation"] {
        cluster.add(&files.read(&format!("objects/{file}.yaml")));
    }
    let workload = |name: &str, image: &str, tag: &str| {
        environment::deployment(name, tag)
            .replace(&format!("team/{name}"), &format!("team/{image}"))
            .replace("metadata:\n", "metadata:\n  namespace: shop\n")
    };
    cluster
        .add("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: apps\n  namespace: flux-system\nspec:\n  path: ./apps\n  sourceRef:\n    kind: GitRepository\n    name: gitops\nstatus:\n  inventory:\n    entries:\n      - id: shop_app_apps_Deployment\n        v: v1\n      - id: shop_worker_apps_Deployment\n        v: v1\n")
        .add(&workload("app", "app", "0.9.0"))
        .add(&workload("worker", "app", "0.8.0"));
    files.write(".kube/config", &cluster.kubeconfig());
    let ran = files
        .run(&[&["get", "markers", "app", "--no-headers"], &FILES[..]].concat())
        .expect(0);
    assert_eq!(
        rows(&ran),
        [
            &[
                "deployment/app",
                "apps/app.yaml:21",
                "app",
                "1.0.0",
                "1.2.0",
                "0.9.0",
                "applied"
            ][..],
            &[
                "-",
                "apps/patch.yaml:2",
                "app",
                "1.0.0",
                "1.2.0",
                "0.8.0,0.9.0",
                "ignored (list-file)"
            ],
        ]
    );
    cluster.forbid("kustomizations");
    let ran = files
        .run(&[&["get", "markers", "app", "--no-headers"], &FILES[..]].concat())
        .expect(0);
    assert_eq!(rows(&ran)[0][5], "-", "{}", ran.stdout);
    assert!(
        ran.stderr
            .contains("not all that runs can be seen: the cluster forbids to list kustomizations"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_digest_marker_of_a_policy_without_digest_is_outdated_until_it_is_empty() {
    let environment = Environment::shop();
    let marked = |value: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: pin\ndata:\n  pin: {value} # {{\"$imagepolicy\": \"flux-system:app:digest\"}}\n"
        )
    };
    let old = "registry.example.com/team/app:1.0.0";
    let get = |more: &[&str]| {
        let usual = [&["get", "markers"][..], &OFFLINE, more].concat();
        environment.run(&usual).expect(0)
    };
    environment.write("gitops/apps/pin.yaml", &marked(old));
    let table = get(&["--outdated", "--no-headers"]).stdout;
    let row = table.lines().find(|line| line.contains("configmap/pin"));
    let cells: Vec<&str> = row.unwrap_or_default().split_whitespace().collect();
    assert_eq!(cells[3..], ["app", old, "\"\"", "-", "applied"], "{table}");
    environment.write("gitops/apps/pin.yaml", &marked("\"\""));
    let table = get(&["--outdated", "--no-headers"]).stdout;
    assert!(!table.contains("configmap/pin"), "{table}");
    let table = get(&["--no-headers"]).stdout;
    let row: Vec<&str> = table.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(
        row[3..],
        ["app", "\"\"", "\"\"", "-", "upToDate"],
        "{table}"
    );
}

#[test]
fn markers_in_files_that_were_not_seen_are_unknown() {
    let environment = shop();
    let source = environment::git_repository("gitops");
    let spec = source.replace("spec:\n", "spec:\n  secretRef:\n    name: login\n");
    assert_ne!(source, spec);
    environment.write("objects/source.yaml", &spec);
    let ran = environment
        .run(&[
            "get",
            "markers",
            "-f",
            "objects",
            "--tags-from",
            "tags.json",
        ])
        .expect(0);
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr.contains(
            "what markers there are for flux-system/images is unknown: the files were not seen"
        ),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("no marker"), "{}", ran.stderr);
}
