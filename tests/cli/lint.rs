//! `lint`: what it finds in files alone.

use serde_json::Value;

use crate::environment::{self, Environment, Ran};
use crate::schema::violations_of;

/// A work tree that holds objects and manifests.
fn repository() -> Environment {
    let environment = Environment::new();
    let objects = [
        environment::git_repository("gitops"),
        environment::image_repository("app"),
        environment::semver_policy("app", ">=1.0.0"),
        environment::automation("images", "main", "./apps"),
    ];
    environment.write("repo/flux/images.yaml", &objects.join("---\n"));
    environment.write(
        "repo/apps/app.yaml",
        &environment::deployment("app", "1.0.0"),
    );
    environment.commit("repo");
    environment
}

#[track_caller]
fn ids(ran: &Ran) -> Vec<String> {
    let document = ran.json();
    assert_eq!(
        violations_of("findings-v1", &document),
        Vec::<String>::new()
    );
    let findings = document["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["id"].as_str().unwrap().to_owned())
        .collect()
}

fn lint(environment: &Environment, more: &[&str]) -> Ran {
    environment.run(&[&["lint", "repo", "-o", "json"], more].concat())
}

#[test]
fn files_that_are_fine_have_no_findings() {
    let ran = lint(&repository(), &[]).expect(0);
    assert_eq!(ids(&ran), Vec::<String>::new());
}

#[test]
fn every_kind_of_mistake_is_found_without_a_network() {
    let environment = repository();
    let (write, read) = (
        |path: &str, text: &str| drop(environment.write(path, text)),
        |path: &str| environment.read(path),
    );
    write(
        "repo/apps/list.yaml",
        "- image: a:1 # {\"$imagepolicy\": \"flux-system:app\"}\n",
    );
    write(
        "repo/apps/number.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  tag: 10 # {\"$imagepolicy\": \"flux-system:app:tag\"}\n",
    );
    write(
        "repo/apps/gone.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\ndata:\n  image: a:1 # {\"$imagepolicy\": \"flux-system:gone\"}\n",
    );
    write(
        "repo/other/app.yaml",
        &environment::deployment("app", "1.0.0"),
    );
    write(
        "repo/flux/more.yaml",
        &format!(
            "{}---\n{}",
            environment::policy(
                "lost",
                "  filterTags:\n    pattern: '(?!a)'\n  policy:\n    alphabetical: {}\n"
            ),
            environment::image_repository("old").replace("/v1\n", "/v1beta2\n"),
        ),
    );
    let ran = lint(&environment, &["--flux-version", "2.9"]).expect(1);
    let found = ids(&ran);
    for id in [
        "list-file",
        "value-type-changes",
        "marker-dangling",
        "marker-outside-path",
        "marker-missing",
        "api-version-removed",
        "policy-stuck-on-old-tag",
    ] {
        assert!(
            found.iter().any(|one| one == id),
            "{id} is not in {found:?}"
        );
    }
    // Nothing was written.
    assert_eq!(
        read("repo/apps/app.yaml"),
        environment::deployment("app", "1.0.0")
    );
    let text = environment
        .run(&["lint", "repo", "--flux-version", "2.9"])
        .expect(1);
    assert!(
        text.stdout.contains(
            "  1 | - image: a:1 # {\"$imagepolicy\": \"flux-system:app\"}\n    |              ^^^^"
        ),
        "{}",
        text.stdout
    );
}

#[test]
fn a_finding_can_be_accepted_beside_it_or_in_a_baseline() {
    let environment = repository();
    let marked = "- image: a:1 # {\"$imagepolicy\": \"flux-system:app\"}\n";
    environment.write("repo/apps/list.yaml", marked);
    let accepted = lint(&environment, &[]).expect(1);
    environment.write("accepted.json", &accepted.stdout);
    drop(lint(&environment, &["--baseline", "accepted.json"]).expect(0));
    // Lines move, and another file is new.
    environment.write("repo/apps/list.yaml", &format!("# moved\n{marked}"));
    drop(lint(&environment, &["--baseline", "accepted.json"]).expect(0));
    environment.write("repo/apps/more.yaml", marked);
    drop(lint(&environment, &["--baseline", "accepted.json"]).expect(1));
    let ignored = format!("# imageauto-ignore: list-file\n{marked}");
    environment.write("repo/apps/list.yaml", &ignored);
    environment.write("repo/apps/more.yaml", &ignored);
    drop(lint(&environment, &[]).expect(0));
    let wrong = lint(&environment, &["--baseline", "gone.json"]).expect(6);
    assert!(wrong.stderr.contains("gone.json"), "{}", wrong.stderr);
}

#[test]
fn each_cluster_has_objects_of_its_own() {
    let environment = Environment::new();
    for (cluster, range) in [("staging", ">=1.0.0-0"), ("prod", ">=1.0.0")] {
        let objects = [
            environment::git_repository("gitops"),
            environment::image_repository("app"),
            environment::semver_policy("app", range),
            environment::automation("images", "main", &format!("./clusters/{cluster}")),
        ];
        environment.write(
            &format!("repo/clusters/{cluster}/images.yaml"),
            &objects.join("---\n"),
        );
        environment.write(
            &format!("repo/clusters/{cluster}/app.yaml"),
            &environment::deployment("app", "1.0.0"),
        );
    }
    environment.commit("repo");
    let ran = lint(&environment, &[]).expect(0);
    assert_eq!(ids(&ran), Vec::<String>::new());
    let ran = lint(&environment, &["--clusters", "none/*"]).expect(1);
    assert!(
        ids(&ran).contains(&"manifest-unusable".to_owned()),
        "{}",
        ran.stdout
    );
}

#[test]
fn policies_are_tested_beside_their_manifests() {
    let environment = repository();
    let manifest = environment.read("repo/flux/images.yaml");
    let tested = |test: &str| {
        let text = manifest.replace(
            "kind: ImagePolicy",
            &format!("# imageauto-test: {test}\nkind: ImagePolicy"),
        );
        environment.write("repo/flux/images.yaml", &text);
        lint(&environment, &[])
    };
    drop(tested("1.4.0 2.0.0 2.1.0-rc.1 => 2.0.0").expect(0));
    let ran = tested("1.4.0 2.0.0 => 1.4.0").expect(1);
    assert_eq!(ids(&ran), ["policy-test-fails"]);
    let subject: &Value = &ran.json()["findings"][0]["subject"];
    assert_eq!(subject["path"], "flux/images.yaml");
}

#[test]
fn policies_follow_a_convention_that_is_asked_for() {
    let environment = repository();
    let ran = lint(&environment, &["--require-pattern", "^\\^prod-"]).expect(1);
    assert_eq!(ids(&ran), ["policy-convention"]);
    drop(lint(&environment, &["--require-pattern", "^"]).expect(0));
    let wrong = lint(&environment, &["--require-pattern", "("]).expect(2);
    assert!(
        wrong.stderr.contains("--require-pattern"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let environment = repository();
    for wrong in [
        &["lint", "repo", "-o", "prometheus"][..],
        &["lint", "-f", "repo"],
        &["lint", "repo", "--tags-from", "status"],
    ] {
        drop(environment.run(wrong).expect(2));
    }
    let ran = environment.run(&["lint", "nowhere"]).expect(6);
    assert!(
        ran.stderr.contains("nowhere: there is no such"),
        "{}",
        ran.stderr
    );
}

/// Markers in a file, and the finding for each line that holds one; none: the value is set.
const KINDS: &[(&str, Option<&str>)] = &[
    ("apiVersion: v1", None),
    ("good: a:1 # {\"$imagepolicy\": \"flux-system:app\"}", None),
    (
        "tag: v1 # {\"$imagepolicy\": \"flux-system:app:tag\"}",
        None,
    ),
    (
        "quoted: 'a:1' # {\"$imagepolicy\": \"flux-system:app\"}",
        None,
    ),
    (
        "items: # {\"$imagepolicy\": \"flux-system:app\"}",
        Some("marker-position-ignored"),
    ),
    ("# {\"$imagepolicy\": \"flux-system:app\"}", None),
    ("- a:1", None),
    (
        "gone: a:1 # {\"$imagepolicy\": \"flux-system:gone\"}",
        Some("marker-dangling"),
    ),
    (
        "other: a:1 # {\"$imagepolicy\": \"shop:app\"}",
        Some("marker-other-namespace"),
    ),
    (
        "comma: a:1 # {\"$imagepolicy\": \"flux-system:app\",}",
        Some("marker-malformed"),
    ),
    (
        "suffix: a:1 # {\"$imagepolicy\": \"flux-system:app:version\"}",
        Some("marker-malformed"),
    ),
    (
        "# {\"$imagepolicy\": \"flux-system:app\"}",
        Some("marker-position-ignored"),
    ),
    ("above: a:1", None),
    (
        "list: [a:1] # {\"$imagepolicy\": \"flux-system:app\"}",
        Some("marker-position-ignored"),
    ),
    ("good: &x a:1", None),
    (
        "alias: *x # {\"$imagepolicy\": \"flux-system:app\"}",
        Some("marker-position-ignored"),
    ),
    (
        "good: a:1 # {\"$imagepolicy\": \"flux-system:app\"}",
        Some("marker-position-ignored"),
    ),
    ("text: |", None),
    (
        "  a:1 # {\"$imagepolicy\": \"flux-system:app\"}",
        Some("marker-position-ignored"),
    ),
    (
        "string: \"{$imagepolicy}\"",
        Some("marker-position-ignored"),
    ),
    (
        "digest: a # {\"$imagepolicy\": \"flux-system:app:digest\"}",
        Some("digest-marker-without-digest"),
    ),
    ("---", None),
    (
        "# {\"$imagepolicy\": \"flux-system:app\"}",
        Some("marker-position-ignored"),
    ),
    ("---", None),
    ("last: x", None),
    ("...", None),
    (
        "behind: a:1 # {\"$imagepolicy\": \"flux-system:app\"}",
        Some("marker-position-ignored"),
    ),
];

#[test]
fn every_marker_gets_one_verdict() {
    let environment = repository();
    let (lines, expected): (Vec<&str>, Vec<Option<&str>>) = KINDS.iter().copied().unzip();
    environment.write("repo/apps/kinds.yaml", &(lines.join("\n") + "\n"));
    let marked = "image: a:1 # {\"$imagepolicy\": \"flux-system:app\"}\n";
    let others = [
        (
            "apps/broken.yaml",
            format!("{marked}  x: [\n"),
            "problem-file",
        ),
        ("apps/list.yaml", format!("- {marked}"), "list-file"),
        (
            "apps/single.yaml",
            marked.replace('"', "'"),
            "marker-malformed",
        ),
        (
            "apps/Kustomization",
            marked.replace(":app", ":gone"),
            "marker-dangling",
        ),
        ("other/app.yaml", marked.to_owned(), "marker-outside-path"),
    ];
    let mut wanted: Vec<(String, usize, &str)> = Vec::new();
    for (number, id) in expected.iter().enumerate() {
        wanted.extend(id.map(|id| ("apps/kinds.yaml".to_owned(), number + 1, id)));
    }
    for (path, text, id) in &others {
        environment.write(&format!("repo/{path}"), text);
        wanted.push(((*path).to_owned(), 1, id));
    }
    let document = lint(&environment, &[]).expect(1).json();
    let findings = document["findings"].as_array().unwrap();
    let of_markers = |id: &str| {
        id.starts_with("marker-")
            || ["digest-marker-without-digest", "list-file", "problem-file"].contains(&id)
    };
    let mut found: Vec<(String, usize, &str)> = findings
        .iter()
        .filter(|finding| finding["subject"]["column"].is_u64())
        .filter_map(|finding| {
            let id = finding["id"].as_str().filter(|id| of_markers(id))?;
            let line = usize::try_from(finding["subject"]["line"].as_u64()?).ok()?;
            let path = finding["subject"]["path"].as_str()?.to_owned();
            Some((path, line, id))
        })
        .collect();
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted);
}

#[test]
fn files_of_no_automation_of_the_input_are_judged_by_themselves() {
    let environment = Environment::new();
    let marker = "# {\"$imagepolicy\": \"flux-system:app\"}";
    environment.write(
        "repo/apps/fine.yaml",
        &environment::deployment("app", "1.0.0"),
    );
    environment.commit("repo");
    let ran = environment
        .run(&["lint", "repo/apps", "-o", "json"])
        .expect(0);
    assert_eq!(ids(&ran), Vec::<String>::new());
    assert!(ran.stderr.contains("comes to 1 file with markers"));

    let list = format!("- value: a:1 {marker}\n");
    for (path, text, expected) in [
        (
            "cut",
            format!("image: a:1 {}\n", &marker[..30]),
            "marker-malformed",
        ),
        (
            "place",
            format!("list: {marker}\n  - a:1\n"),
            "marker-position-ignored",
        ),
        (
            "suffix",
            "image: a:1 # {\"$imagepolicy\": \"a:b:c\"}\n".to_owned(),
            "marker-malformed",
        ),
        ("list", list.clone(), "list-file"),
        (
            "bad",
            format!("a: b: c\nimage: a:1 {marker}\n"),
            "problem-file",
        ),
    ] {
        let path = format!("repo/apps/{path}.yaml");
        environment.write(&path, &text);
        let folder = ids(&environment
            .run(&["lint", "repo/apps", "-o", "json"])
            .expect(1));
        let file = ids(&environment.run(&["lint", &path, "-o", "json"]).expect(1));
        for found in [folder, file] {
            assert!(found.iter().any(|id| id == expected), "{path}: {found:?}");
        }
        std::fs::remove_file(environment.path().join(&path)).unwrap();
    }
    let accepted = format!("# imageauto-ignore: list-file\n{list}");
    environment.write("repo/apps/list.yaml", &accepted);
    assert!(
        environment
            .run(&["lint", "repo/apps"])
            .expect(0)
            .stdout
            .is_empty()
    );
}
