//! `explain`: what it says in the situations that users suffer from, word for word, and how it is asked.
//!
//! A situation's part `expected` is what the run printed; `UPDATE=1 cargo test --test cli explain` accepts what it prints now.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::environment::{self, Environment, Ran};
use crate::schema::violations_of;
use crate::situation::{parts, set_up, situations, told};

#[test]
fn every_situation_is_explained_in_the_words_that_were_accepted() {
    let update = std::env::var_os("UPDATE").is_some();
    let files = situations("explanations");
    assert!(files.len() >= 30, "only {} situations", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let parts = parts(&text);
        let situation = set_up(&parts);
        let arguments: Vec<&str> = situation.command.iter().map(String::as_str).collect();
        let ran = situation.environment.run(&arguments);
        let shown = parts
            .iter()
            .find(|(name, _)| name == "arguments")
            .unwrap()
            .1
            .trim();
        let now = told(shown, &ran, &situation);
        let (head, expected) = text
            .split_once("-- expected --\n")
            .unwrap_or((text.as_str(), ""));
        if now == expected {
            continue;
        }
        if update {
            fs::write(&file, format!("{head}-- expected --\n{now}")).unwrap();
        } else {
            wrong.push(format!("{}:\n{now}", file.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "UPDATE=1 accepts these:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_situation_is_a_document_of_the_schema() {
    for file in situations("explanations") {
        let situation = set_up(&parts(&fs::read_to_string(&file).unwrap()));
        let mut arguments: Vec<&str> = situation.command.iter().map(String::as_str).collect();
        arguments.extend(["-o", "json"]);
        let document = situation.environment.run(&arguments).json();
        let found = violations_of("explain-v1", &document);
        assert_eq!(found, Vec::<String>::new(), "{}", file.display());
    }
}

/// The usual shop, asked offline.
fn explain(environment: &Environment, more: &[&str]) -> Ran {
    environment.offline("explain", more)
}

#[test]
fn an_assumed_tag_is_no_prediction() {
    let environment = Environment::shop();
    let assumed = "flux-system/app=9.9.9";
    let more = ["policy/app", "-n", "flux-system", "--assume", assumed];
    let ran = explain(&environment, &more).expect(0);
    let line = ran.stdout.lines().find(|line| line.contains(" policy  "));
    let line = line.unwrap_or_default();
    assert!(
        line.contains(":9.9.9 is assumed (--assume), not decided"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("next scan"), "{}", ran.stdout);
}

#[test]
fn what_a_recording_does_not_hold_is_unknown_and_not_missing() {
    let environment = Environment::shop();
    environment.write("other.json", r#"{"x": ["1.0.0"]}"#);
    let offline = [
        "-f",
        "objects",
        "--tags-from",
        "other.json",
        "--worktree",
        "gitops",
    ];
    let run = |command: &[&str]| environment.run(&[command, &offline].concat()).expect(6);
    for command in [
        &["diff"][..],
        &["get", "markers"],
        &["explain", "gitops/apps/app.yaml"],
        &["explain", "policy/app"],
        &["doctor"],
    ] {
        let ran = run(command);
        let said = ran.stdout + &ran.stderr;
        for wrong in ["has no latest image", "policy-without-latest"] {
            assert!(!said.contains(wrong), "{command:?}: {said}");
        }
        assert!(
            said.contains("team/app is not in the recording of --tags-from"),
            "{command:?}: {said}"
        );
    }
    let rows = run(&["get", "markers", "-o", "json"]).json();
    assert_eq!(violations_of("markers-v1", &rows), Vec::<String>::new());
    assert_eq!(rows["markers"][0]["verdict"], "unknown", "{rows}");
}

#[test]
fn a_tag_can_be_expected() {
    let environment = Environment::shop();
    for (tag, expected, status) in [
        ("1.2.0", "selected", 0),
        ("1.2.0", "eligible", 0),
        ("1.2.0", "ignored", 1),
        ("1.0.0", "selected", 1),
        ("1.0.0", "eligible", 0),
        ("latest", "eligible", 1),
        ("latest", "ignored", 0),
        ("9.9.9", "ignored", 0),
        ("9.9.9", "selected", 1),
    ] {
        let arguments = ["policy/app", "--tag", tag, "--expect", expected];
        drop(explain(&environment, &arguments).expect(status));
    }
    let ran = explain(&environment, &["policy/app", "--expect", "selected"]).expect(2);
    assert!(ran.stderr.contains("--tag"), "{}", ran.stderr);
}

#[test]
fn the_verdict_of_a_tag_counts_for_every_policy_that_is_meant() {
    let environment = Environment::shop();
    environment.write(
        "objects/second.yaml",
        &environment::semver_policy("app", "<1.1.0").replacen("name: app", "name: old", 1),
    );
    let arguments = [
        "registry.example.com/team/app:1.2.0",
        "--expect",
        "selected",
        "--tag",
        "1.2.0",
    ];
    drop(explain(&environment, &arguments).expect(1));
    let document = explain(
        &environment,
        &["registry.example.com/team/app:1.2.0", "-o", "json"],
    )
    .json();
    let verdicts: Vec<&str> = document["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| policy["tags"][0]["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["selected", "outOfRange"]);
}

#[test]
fn things_are_read_in_their_order() {
    let environment = Environment::shop();
    // A file called like the policy is a file, and `./` makes sure of it.
    environment.write("app", "a: b\n");
    let ran = explain(&environment, &["app"]).expect(6);
    assert!(ran.stderr.contains("app holds no marker"), "{}", ran.stderr);
    fs::remove_file(environment.path().join("app")).unwrap();
    let ran = explain(&environment, &["app"]).expect(0);
    assert!(
        ran.stdout.contains("policy flux-system/app chose 1.2.0"),
        "{}",
        ran.stdout
    );
    let ran = explain(&environment, &["./app"]).expect(6);
    assert!(
        ran.stderr.contains("./app: there is no such file"),
        "{}",
        ran.stderr
    );
    // A bare word that is no name may be an image; with a tag it always is one.
    let ran = explain(&environment, &["app:1.2.0"]).expect(6);
    assert!(
        ran.stderr.contains("no ImagePolicy is on the image app"),
        "{}",
        ran.stderr
    );
    for same in [
        &["imagepolicies.image.toolkit.fluxcd.io/app"][..],
        &["policy", "app"],
        &["image", "policies"],
        &["registry.example.com/team/app"],
        &["imgrepo/app"],
        &["gitops/apps/app.yaml:10"],
        &["gitops/apps/app.yaml"],
        &["./gitops/apps/app.yaml"],
    ] {
        let document = explain(&environment, &[same, &["-o", "json"]].concat())
            .expect(0)
            .json();
        assert_eq!(
            document["policies"].as_array().unwrap().len(),
            1,
            "{same:?}"
        );
        assert_eq!(
            document["policies"][0]["latest"]["tag"], "1.2.0",
            "{same:?}"
        );
    }
    let ran = explain(&environment, &["gitops/apps/app.yaml:3"]).expect(6);
    assert!(
        ran.stderr.contains("the file has some on 10"),
        "{}",
        ran.stderr
    );
    let ran = explain(&environment, &["deploy/app"]).expect(2);
    assert!(ran.stderr.contains("with -f name a FILE"), "{}", ran.stderr);
    let ran = explain(&environment, &["policy/other"]).expect(6);
    assert!(
        ran.stderr.contains("there is no ImagePolicy other"),
        "{}",
        ran.stderr
    );
    let ran = explain(&environment, &["-n", "none"]).expect(0);
    assert!(
        ran.stderr
            .contains("no ImagePolicy or ImageUpdateAutomation in namespace none"),
        "{}",
        ran.stderr
    );
}

#[test]
fn without_a_work_tree_the_later_steps_are_unknown() {
    let environment = Environment::shop();
    let arguments = [
        "explain",
        "-f",
        "objects/app.yaml",
        "--tags-from",
        "tags.json",
        "-o",
        "json",
    ];
    let document = environment.run(&arguments).expect(0).json();
    let steps = document["policies"][0]["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["step"], "automation");
    assert_eq!(steps.last().unwrap()["verdict"], "unknown");
    fs::remove_file(environment.path().join("objects/source.yaml")).unwrap();
    let arguments = [
        "explain",
        "-f",
        "objects",
        "--tags-from",
        "tags.json",
        "-o",
        "json",
    ];
    let document = environment.run(&arguments).expect(0).json();
    let steps = document["policies"][0]["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["verdict"], "unknown", "{document}");
}

#[test]
fn a_tag_is_followed_until_it_runs() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/explanations/workload-waits.txt");
    let situation = set_up(&parts(&fs::read_to_string(file).unwrap()));
    let cluster = situation.cluster.as_ref().unwrap();
    let mut command = situation.environment.imageauto();
    command
        .args([
            "why",
            "policy/app",
            "-w",
            "--tags-from",
            "status",
            "--worktree",
            "gitops",
        ])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut asked = |count: usize| {
        let policies = || {
            let lines = cluster.server.lines();
            lines
                .iter()
                .filter(|line| line.ends_with("imagepolicies/app"))
                .count()
        };
        while policies() < count {
            assert!(child.try_wait().unwrap().is_none(), "it ended too early");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    // The second round begins when the first has been told.
    asked(2);
    let image = json!({"name": "registry.example.com/team/app", "tag": "1.2.0"});
    let pushed = json!({"status": {"observedPolicies": {"app": image}, "lastPushCommit": situation.head, "lastPushTime": "2026-01-01T00:00:00Z"}});
    cluster.merge("ImageUpdateAutomation", "images", &pushed);
    asked(4);
    let revision = format!("main@sha1:{}", situation.head);
    cluster.merge(
        "Kustomization",
        "apps",
        &json!({"status": {"lastAppliedRevision": revision}}),
    );
    let containers = json!([{"name": "app", "image": "registry.example.com/team/app:1.2.0"}]);
    let template = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    cluster.merge("Deployment", "app", &template);
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let (_, followed) = told.split_once(" \u{25ce} running").unwrap();
    for (before, after) in [
        (
            "automation  flux-system/images has not run with it",
            "automation  flux-system/images has run with it; it pushed",
        ),
        (
            "automation  flux-system/images has run with it",
            "applied     Kustomization flux-system/apps has applied main@90be1c4",
        ),
        (
            "has applied main@90be1c4",
            "running     1.2.0 in Deployment shop/app",
        ),
    ] {
        let position = |text: &str| {
            followed
                .find(text)
                .unwrap_or_else(|| panic!("{text} in {followed}"))
        };
        assert!(position(before) < position(after), "{followed}");
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("1.2.0: it runs"), "{said}");
}

#[test]
fn a_watch_ends_when_its_time_is_up() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/explanations/workload-waits.txt");
    let situation = set_up(&parts(&fs::read_to_string(file).unwrap()));
    let environment = &situation.environment;
    let usual = [
        "why",
        "policy/app",
        "--tags-from",
        "status",
        "--worktree",
        "gitops",
        "-w",
    ];
    let ran = environment
        .run(&[&usual[..], &["--timeout", "3s"]].concat())
        .expect(1);
    assert!(ran.stderr.contains("the time is up"), "{}", ran.stderr);
    let ran = environment
        .run(&[&usual[..], &["-o", "json"]].concat())
        .expect(2);
    assert!(ran.stderr.contains("leave out -o"), "{}", ran.stderr);
    let ran = explain(&Environment::shop(), &["-w"]).expect(2);
    assert!(ran.stderr.contains("leave out -f"), "{}", ran.stderr);
}

#[test]
fn what_workloads_make_is_asked_for_by_the_workload() {
    let ran = Environment::shop().run(&["explain", "pod/app-1", "-f", "objects"]);
    assert!(
        ran.stderr.contains("name what made it, as deploy/app-1"),
        "{}",
        ran.stderr
    );
}
