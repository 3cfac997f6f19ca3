//! Bad manifests, recordings and flags: each a clear error that names the thing, the others still handled.

use crate::environment::{Environment, deployment, image_repository, policy, semver_policy};

#[test]
fn a_broken_document_is_named_by_file_and_line_and_the_rest_counts() {
    let environment = Environment::shop();
    environment.write(
        "objects/broken.yaml",
        "kind: Secret\n---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: [\n",
    );
    let ran = environment.diff(&[]).expect(6);
    assert!(
        ran.stdout
            .contains("+          image: registry.example.com/team/app:1.2.0"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr.contains("objects/broken.yaml:"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("is not readable YAML"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_wrong_type_names_the_field() {
    let environment = Environment::shop();
    environment.write(
        "objects/wrong.yaml",
        &image_repository("wrong").replace("interval: 5m", "interval: 5"),
    );
    let ran = environment.diff(&[]).expect(6);
    assert!(
        ran.stderr
            .contains("objects/wrong.yaml:1: ImageRepository wrong: spec.interval: invalid type"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_same_object_twice_is_one_and_a_different_one_an_error_naming_both() {
    let environment = Environment::shop();
    environment.write("objects/again.yaml", &image_repository("app"));
    drop(environment.diff(&[]).expect(1));
    environment.write(
        "objects/again.yaml",
        &image_repository("app").replace("5m", "6m"),
    );
    let ran = environment.diff(&[]).expect(6);
    assert!(
        ran.stderr.contains(
            "ImageRepository app: stands here and, with another content, in objects/again.yaml"
        ),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("objects/app.yaml:1"), "{}", ran.stderr);
}

#[test]
fn an_object_without_a_namespace_gets_the_default_with_a_note() {
    let environment = Environment::shop();
    let bare = image_repository("bare").replace("  namespace: flux-system\n", "");
    environment.write("objects/bare.yaml", &bare);
    let ran = environment.diff(&[]).expect(1);
    assert!(
        ran.stderr
            .contains("ImageRepository bare names no namespace: default is taken"),
        "{}",
        ran.stderr
    );
}

#[test]
fn files_of_a_folder_without_flux_objects_are_not_parsed() {
    let environment = Environment::shop();
    environment.write(
        "objects/template.yaml",
        "{{- if .Values.x }}\nkind: Deployment\n{{- end }}\n",
    );
    environment.write("objects/notes.txt", "kind: Secret toolkit.fluxcd.io [");
    drop(environment.diff(&[]).expect(1));
}

#[test]
fn folders_below_are_read_with_recursive_only() {
    let environment = Environment::shop();
    environment.write("objects/below/app.yaml", &semver_policy("app", "nonsense"));
    drop(environment.diff(&[]).expect(1));
    let ran = environment.diff(&["-R"]).expect(6);
    assert!(
        ran.stderr.contains("with another content"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_list_and_standard_input_are_read() {
    let environment = Environment::shop();
    let item = |name: &str| environment.read(&format!("objects/{name}.yaml"));
    let indented = |text: &str| {
        text.lines()
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
    };
    let app = item("app");
    let (repository, policy) = app.split_once("---\n").unwrap();
    let items = [
        item("source"),
        item("automation"),
        repository.to_owned(),
        policy.to_owned(),
    ];
    let items: String = items
        .iter()
        .map(|text| indented(text).replacen("    apiVersion", "  - apiVersion", 1))
        .collect();
    let list = format!("apiVersion: v1\nkind: List\nitems:\n{items}");
    let arguments = [
        "diff",
        "-f",
        "-",
        "--tags-from",
        "tags.json",
        "--worktree",
        "gitops",
    ];
    let ran = environment.run_with_input(&arguments, &list).expect(1);
    assert!(ran.stdout.contains("app:1.2.0"), "{}", ran.stdout);
}

#[test]
fn missing_files_are_named() {
    let environment = Environment::shop();
    let ran = environment
        .run(&[
            "diff",
            "-f",
            "nowhere",
            "--tags-from",
            "tags.json",
            "--worktree",
            "gitops",
        ])
        .expect(6);
    assert!(
        ran.stderr.contains("nowhere: can't be read"),
        "{}",
        ran.stderr
    );
    let ran = environment
        .run(&[
            "diff",
            "-f",
            "objects",
            "--tags-from",
            "none.json",
            "--worktree",
            "gitops",
        ])
        .expect(6);
    assert!(
        ran.stderr.contains("--tags-from none.json: can't be read"),
        "{}",
        ran.stderr
    );
}

#[test]
fn recordings_are_checked() {
    let environment = Environment::shop();
    for (text, message) in [
        ("[1]", "is neither a recording"),
        ("{", "is not JSON"),
        (
            "{\"schemaVersion\": 2, \"repositories\": []}",
            "has schemaVersion 2, only 1 is read",
        ),
        (
            "{\"registry.example.com/team/app\": [1]}",
            "is not a list of tags",
        ),
    ] {
        environment.write("tags.json", text);
        let ran = environment.diff(&[]).expect(6);
        assert!(ran.stderr.contains(message), "{text}: {}", ran.stderr);
    }
}

#[test]
fn an_image_that_is_not_recorded_is_an_error_of_its_policies_only() {
    let environment = Environment::shop();
    environment.write(
        "objects/other.yaml",
        &format!(
            "{}---\n{}",
            image_repository("other"),
            semver_policy("other", "*")
        ),
    );
    let ran = environment.diff(&[]).expect(6);
    assert!(ran.stdout.contains("app:1.2.0"), "{}", ran.stdout);
    assert!(
        ran.stderr
            .contains("the image registry.example.com/team/other is not in the recording"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_recording_of_the_tags_command_is_read() {
    let environment = Environment::shop();
    environment.write(
        "tags.json",
        r#"{"schemaVersion": 1, "repositories": [{"image": "registry.example.com/team/app", "canonicalName": "registry.example.com/team/app", "tags": ["1.0.0", "1.3.0"], "digests": {"1.3.0": "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"}}]}"#,
    );
    let reflecting = semver_policy("app", "*").replace(
        "  policy:",
        "  digestReflectionPolicy: IfNotPresent\n  policy:",
    );
    environment.write(
        "objects/app.yaml",
        &format!("{}---\n{reflecting}", image_repository("app")),
    );
    let ran = environment.diff(&[]).expect(1);
    assert!(
        ran.stdout.contains(
            "app:1.3.0@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
        ),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_digest_that_was_not_recorded_is_an_error_of_the_policy() {
    let environment = Environment::shop();
    let reflecting = semver_policy("app", "*").replace(
        "  policy:",
        "  digestReflectionPolicy: IfNotPresent\n  policy:",
    );
    environment.write(
        "objects/app.yaml",
        &format!("{}---\n{reflecting}", image_repository("app")),
    );
    let ran = environment.diff(&[]).expect(6);
    assert!(
        ran.stderr
            .contains("the digest of registry.example.com/team/app:1.2.0 is needed"),
        "{}",
        ran.stderr
    );
}

#[test]
fn access_that_hangs_on_an_unknown_namespace_is_unknown() {
    let environment = Environment::shop();
    let elsewhere = image_repository("app")
        .replace("namespace: flux-system", "namespace: registries")
        + "  accessFrom:\n    namespaceSelectors:\n      - matchLabels:\n          team: shop\n";
    let policy = semver_policy("app", "*").replace(
        "    name: app\n  policy",
        "    name: app\n    namespace: registries\n  policy",
    );
    environment.write("objects/app.yaml", &format!("{elsewhere}---\n{policy}"));
    let ran = environment.diff(&[]).expect(6);
    assert!(
        ran.stderr
            .contains("labels of Namespace flux-system, which is not in the input"),
        "{}",
        ran.stderr
    );
    environment.write("objects/namespace.yaml", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: flux-system\n  labels:\n    team: shop\n");
    drop(environment.diff(&[]).expect(1));
    environment.write(
        "objects/namespace.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: flux-system\n",
    );
    let ran = environment.diff(&[]).expect(0);
    assert!(
        ran.stderr
            .contains("due to ACL labels mismatch on namespace 'flux-system'"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_missing_repository_is_the_controllers_own_failure() {
    let environment = Environment::shop();
    environment.write("objects/app.yaml", &semver_policy("app", "*"));
    let ran = environment.diff(&[]).expect(0);
    let message = "referenced ImageRepository does not exist: ImageRepository.image.toolkit.fluxcd.io \"app\" not found";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
}

#[test]
fn secrets_in_manifests_are_never_printed() {
    let environment = Environment::shop();
    environment.write(
        "objects/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  namespace: flux-system\ndata:\n  password: not base64 TOPSECRET\n",
    );
    let ran = environment.diff(&[]).expect(6);
    assert!(
        ran.stderr.contains("data.password is not base64"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("TOPSECRET"), "{}", ran.stderr);
}

#[test]
fn names_that_kubernetes_refuses_are_refused() {
    let environment = Environment::shop();
    environment.write(
        "objects/evil.yaml",
        &image_repository("app").replace("name: app", "name: \"../\\u001b[2J\""),
    );
    let ran = environment.diff(&[]).expect(6);
    assert!(
        ran.stderr.contains("is not a name that Kubernetes accepts"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
}

#[test]
fn flags_that_make_no_sense_are_usage_errors() {
    let environment = Environment::shop();
    let usage = |arguments: &[&str], message: &str| {
        let ran = environment.run(arguments).expect(2);
        assert!(
            ran.stderr.contains(message),
            "{arguments:?}: {}",
            ran.stderr
        );
        assert_eq!(ran.stdout, "");
    };
    usage(
        &["diff", "-f", "-", "-f", "-", "--tags-from", "status"],
        "only once",
    );
    usage(&["diff", "--nonsense"], "unexpected argument '--nonsense'");
    usage(&["diff", "-n", ""], "-n: the namespace is empty");
    usage(
        &["diff", "-f", "objects", "-o", "wide"],
        "-o wide does not fit diff: use json, name, markdown, mbox or none",
    );
    usage(
        &["diff", "-f", "objects", "--sort-by", ".a"],
        "--sort-by does not fit diff",
    );
    usage(
        &["get", "--timeout", "soon"],
        "--timeout soon: is no duration",
    );
    usage(&["version", "--live", "--client"], "cannot be used with");
    usage(&["diff", "-o", "xml"], "invalid value 'xml'");
    usage(&["dif"], "unrecognized subcommand");
    usage(
        &[
            "diff",
            "-f",
            "objects",
            "--tags-from",
            "status",
            "--worktree",
            "",
        ],
        "--worktree: the folder is empty",
    );
}

#[test]
fn flags_may_stand_before_the_command() {
    let environment = Environment::shop();
    let ran = environment
        .run(&[
            "-n",
            "flux-system",
            "-f",
            "objects",
            "--tags-from",
            "tags.json",
            "--worktree",
            "gitops",
            "diff",
        ])
        .expect(1);
    assert!(ran.stdout.contains("app:1.2.0"), "{}", ran.stdout);
}

#[test]
fn an_invalid_image_fails_the_run_as_it_fails_the_controllers() {
    let environment = Environment::shop();
    let bad = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata:\n  name: bad\n  namespace: flux-system\nspec:\n  imageRepositoryRef:\n    name: bad\n  policy:\n    semver:\n      range: '*'\nstatus:\n  latestRef:\n    name: registry.example.com/Team/bad\n    tag: 1.0.0\n";
    environment.write("objects/bad.yaml", bad);
    environment.write("gitops/apps/bad.yaml", &deployment("bad", "0.9.0"));
    let ran = environment.diff(&[]).expect(1);
    assert!(ran.stderr.contains("UpdateFailed"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("encountered invalid image ref"),
        "{}",
        ran.stderr
    );
}

#[test]
fn files_on_which_the_controller_panics_are_told_as_such() {
    let environment = Environment::shop();
    let marked =
        "a: registry.example.com/team/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n";
    environment.write(
        "gitops/apps/marks.yaml",
        &format!("metadata: !!null [one, two, three]\n{marked}"),
    );
    let ran = environment.diff(&[]).expect(6);
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr
            .contains("the controller panics on apps/marks.yaml")
            && ran.stderr.contains("index out of range [3] with length 3"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_pattern_as_large_as_go_takes_is_matched() {
    let environment = Environment::shop();
    let pattern = format!("({}){{1000}}", "x".repeat(3300));
    let large = policy(
        "app",
        &format!("  filterTags:\n    pattern: '{pattern}'\n  policy:\n    alphabetical: {{}}\n"),
    );
    environment.write(
        "objects/app.yaml",
        &format!("{}---\n{large}", image_repository("app")),
    );
    let ran = environment.diff(&[]).expect(0);
    let words = "the controller fails (Failure: version list argument cannot be empty)";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
}

#[test]
fn a_manifest_that_is_not_text_is_named_by_line() {
    let environment = Environment::shop();
    std::fs::write(
        environment.path().join("objects/bytes.yaml"),
        b"kind: Secret\nname: \xff\xfe\n",
    )
    .unwrap();
    let ran = environment.diff(&[]).expect(6);
    assert!(ran.stdout.contains("app:1.2.0"), "{}", ran.stdout);
    assert!(
        ran.stderr
            .contains("objects/bytes.yaml:2: is not UTF-8 text"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_folder_where_a_recording_should_be_is_an_error() {
    let environment = Environment::shop();
    let arguments = [
        "diff",
        "-f",
        "objects",
        "--tags-from",
        "objects",
        "--worktree",
        "gitops",
    ];
    let ran = environment.run(&arguments).expect(6);
    assert!(
        ran.stderr
            .contains("--tags-from objects: can't be read: is a directory"),
        "{}",
        ran.stderr
    );
}
