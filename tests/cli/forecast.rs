//! `diff --base` and `diff -o markdown`: what merging a pull request brings about.

use crate::environment::{self, Environment, Ran};
use crate::schema;

/// A repository with its objects in `clusters/` and three marked files, committed on `main`; the range keeps 2.x out.
fn repository() -> Environment {
    let environment = Environment::new();
    environment.write(
        "gitops/clusters/source.yaml",
        &environment::git_repository("gitops"),
    );
    environment.write(
        "gitops/clusters/app.yaml",
        &format!(
            "{}---\n{}",
            environment::image_repository("app"),
            environment::semver_policy("app", "1.x")
        ),
    );
    let automation = environment::automation("images", "main", "./apps");
    environment.write(
        "gitops/clusters/automation.yaml",
        &automation.replace("interval: 1m", "interval: 5m"),
    );
    for name in ["a", "b", "c"] {
        environment.write(
            &format!("gitops/apps/{name}.yaml"),
            &environment::deployment("app", "1.9.3"),
        );
    }
    environment.write(
        "tags.json",
        r#"{"registry.example.com/team/app": ["1.9.2", "1.9.3", "2.1.0"]}"#,
    );
    environment.commit("gitops");
    environment
}

fn widen(environment: &Environment) {
    let path = "gitops/clusters/app.yaml";
    let text = environment.read(path).replace("'1.x'", "'>=1.0.0'");
    environment.write(path, &text);
}

fn forecast(environment: &Environment, more: &[&str]) -> Ran {
    let usual = [
        "diff",
        "-f",
        "gitops/clusters",
        "--tags-from",
        "tags.json",
        "--base",
        "main",
    ];
    environment.run(&[&usual, more].concat())
}

#[test]
fn a_wider_range_moves_what_it_lets_in() {
    let environment = repository();
    widen(&environment);
    let before = environment.git("gitops", &["status", "--porcelain"]);
    let ran = forecast(&environment, &[]).expect(1);
    assert_eq!(ran.stdout, "app 1.9.3 -> 2.1.0 in 3 files, due within 6m\n");
    assert!(
        ran.stderr
            .contains("\u{25ba} merging moves 1 image: compared with main@"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        environment.git("gitops", &["status", "--porcelain"]),
        before
    );
    assert_eq!(environment.left_behind(), Vec::<String>::new());
    let ran = forecast(&environment, &["--fail-on", "never"]).expect(0);
    assert!(ran.stdout.contains("2.1.0"), "{}", ran.stdout);
}

#[test]
fn a_pull_request_that_changes_nothing_moves_nothing() {
    let environment = repository();
    environment.write("gitops/README.md", "More.\n");
    let ran = forecast(&environment, &[]).expect(0);
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr.contains("\u{2714} merging moves nothing"),
        "{}",
        ran.stderr
    );
    environment.write(
        "gitops/apps/a.yaml",
        &environment::deployment("app", "1.9.2"),
    );
    environment.git(
        "gitops",
        &["commit", "--all", "--quiet", "--message", "Older"],
    );
    let ran = forecast(&environment, &[]).expect(0);
    assert_eq!(
        ran.stdout,
        "app 1.9.2 -> 1.9.3 in 1 file, due within 5m (with or without it)\n"
    );
}

#[test]
fn files_alone_wait_for_the_next_run_only() {
    let environment = repository();
    environment.write(
        "gitops/apps/d.yaml",
        &environment::deployment("app", "1.9.2"),
    );
    let ran = forecast(&environment, &[]).expect(1);
    assert_eq!(ran.stdout, "app 1.9.2 -> 1.9.3 in 1 file, due within 5m\n");
}

#[test]
fn what_would_have_come_otherwise_is_named() {
    let environment = repository();
    for name in ["a", "b"] {
        environment.write(
            &format!("gitops/apps/{name}.yaml"),
            &environment::deployment("app", "1.9.2"),
        );
    }
    environment.git(
        "gitops",
        &["commit", "--all", "--quiet", "--message", "Older"],
    );
    widen(&environment);
    let ran = forecast(&environment, &[]).expect(1);
    assert_eq!(
        ran.stdout,
        "app 1.9.2 -> 2.1.0 in 2 files, due within 6m (instead of 1.9.3)\napp 1.9.3 -> 2.1.0 in 1 file, due within 6m\n"
    );
    // The other way round: what was pending comes no more.
    environment.git(
        "gitops",
        &["commit", "--all", "--quiet", "--message", "Wider"],
    );
    for name in ["a", "b", "c"] {
        environment.write(&format!("gitops/apps/{name}.yaml"), "kind: Nothing\n");
    }
    let ran = forecast(&environment, &[]).expect(1);
    assert_eq!(
        ran.stdout,
        "no more: app 1.9.2 -> 2.1.0 in 2 files\nno more: app 1.9.3 -> 2.1.0 in 1 file\n"
    );
}

#[test]
fn a_suspended_automation_is_not_due_and_another_branch_is_named() {
    let environment = repository();
    widen(&environment);
    let path = "gitops/clusters/automation.yaml";
    let text = environment.read(path);
    environment.write(
        path,
        &text.replace("  update:\n", "  suspend: true\n  update:\n"),
    );
    let ran = forecast(&environment, &[]).expect(1);
    assert_eq!(
        ran.stdout,
        "app 1.9.3 -> 2.1.0 in 3 files, not due: the automation is suspended\n"
    );
    environment.write(
        path,
        &text.replace(
            "      branch: main\n  update",
            "      branch: updates\n  update",
        ),
    );
    let ran = forecast(&environment, &[]).expect(1);
    assert_eq!(
        ran.stdout,
        "app 1.9.3 -> 2.1.0 in 3 files, due within 6m on updates\n"
    );
}

#[test]
fn an_automation_that_breaks_is_told() {
    let environment = repository();
    let path = "gitops/clusters/automation.yaml";
    let good = environment.read(path);
    environment.write(path, &good.replace("path: ./apps", "path: ./none"));
    let ran = forecast(&environment, &[]).expect(1);
    assert!(
        ran.stdout.starts_with("update/images fails: "),
        "{}",
        ran.stdout
    );
    environment.git(
        "gitops",
        &["commit", "--all", "--quiet", "--message", "Broken"],
    );
    environment.write(path, &good);
    let ran = forecast(&environment, &[]).expect(1);
    assert_eq!(ran.stdout, "update/images fails no more\n");
}

#[test]
fn new_findings_are_told_and_old_ones_are_not() {
    let environment = repository();
    let dangling = "x: a:1 # {\"$imagepolicy\": \"flux-system:gone\"}\n";
    environment.write("gitops/apps/old.yaml", dangling);
    environment.git("gitops", &["add", "--all"]);
    environment.git("gitops", &["commit", "--quiet", "--message", "Dangling"]);
    environment.write("gitops/apps/old.yaml", &format!("# moved\n{dangling}"));
    let ran = forecast(&environment, &[]).expect(0);
    assert!(!ran.stderr.contains("marker-dangling"), "{}", ran.stderr);
    environment.write("gitops/apps/new.yaml", dangling);
    let ran = forecast(&environment, &[]).expect(1);
    assert!(
        ran.stderr.contains("[marker-dangling]: apps/new.yaml:1"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_document_keeps_to_its_schema() {
    let environment = repository();
    widen(&environment);
    let document = forecast(&environment, &["-o", "json"]).expect(1).json();
    assert_eq!(
        schema::violations_of("diff-v1", &document),
        Vec::<String>::new()
    );
    let one = &document["forecast"]["moves"][0];
    assert_eq!(
        (
            &one["from"],
            &one["to"],
            &one["change"],
            &one["dueWithinSeconds"]
        ),
        (&"1.9.3".into(), &"2.1.0".into(), &"new".into(), &360.into())
    );
    assert_eq!(
        document["automations"][0]["files"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn a_comment_is_a_table_with_the_patch_folded_away() {
    let environment = repository();
    widen(&environment);
    let ran = forecast(&environment, &["-o", "markdown"]).expect(1);
    for expected in [
        "**Image automation: merging moves 1 image** (compared with `main`, ",
        "| app | `1.9.3` | `2.1.0` | 3 files | due within 6m |\n",
        "<details><summary>update/images changes 3 files</summary>\n\n```diff\n# ImageUpdateAutomation flux-system/images",
        "+          image: registry.example.com/team/app:2.1.0",
    ] {
        assert!(ran.stdout.contains(expected), "{expected}: {}", ran.stdout);
    }
    let shop = Environment::shop();
    let ran = shop.diff(&["-o", "markdown"]).expect(1);
    assert!(
        ran.stdout
            .starts_with("<details><summary>update/images changes 1 file</summary>\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn only_files_of_a_commit_can_be_compared() {
    let environment = repository();
    for (arguments, expected) in [
        (
            &["diff", "--base", "main"][..],
            "name those of the objects with -f",
        ),
        (&["diff", "--base", "main", "-f", "-"], "standard input"),
        (
            &["diff", "--base", "main", "-f", "tags.json"],
            "is in no git work tree",
        ),
        (&["diff", "--base", "", "-f", "gitops/clusters"], "is empty"),
        (
            &["diff", "--base", "main", "--stat", "-f", "gitops"],
            "cannot be used with",
        ),
        (
            &[
                "diff",
                "--base",
                "main",
                "-o",
                "name",
                "-f",
                "gitops/clusters",
            ],
            "-o name does not fit --base",
        ),
    ] {
        environment.write(
            ".kube/config",
            &crate::cluster::kubeconfig("127.0.0.1:1", "x"),
        );
        let ran = environment.run(arguments).expect(2);
        assert!(
            ran.stderr.contains(expected),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
    for reference in ["gone", "--help", "main:apps"] {
        let base = format!("--base={reference}");
        let ran = environment
            .run(&[
                "diff",
                &base,
                "-f",
                "gitops/clusters",
                "--tags-from",
                "tags.json",
            ])
            .expect(5);
        assert!(ran.stderr.contains("there is no commit"), "{}", ran.stderr);
    }
}

#[test]
fn a_status_tells_nothing_of_a_changed_policy() {
    let environment = repository();
    widen(&environment);
    let arguments = [
        "diff",
        "-f",
        "gitops/clusters",
        "--tags-from",
        "status",
        "--base",
        "main",
    ];
    let ran = environment.run(&arguments).expect(0);
    assert!(
        ran.stderr
            .contains("what a changed policy will choose is not seen"),
        "{}",
        ran.stderr
    );
}

/// A filter or hook of the repository is a program that somebody else wrote.
#[cfg(unix)]
#[test]
fn the_repositorys_programs_are_not_run() {
    let environment = repository();
    environment.git(
        "gitops",
        &["config", "filter.evil.smudge", "touch evil; cat"],
    );
    environment.git("gitops", &["config", "filter.evil.clean", "cat"]);
    environment.write("gitops/.gitattributes", "*.yaml filter=evil\n");
    std::os::unix::fs::symlink("a.yaml", environment.path().join("gitops/apps/link.yaml")).unwrap();
    environment.git("gitops", &["add", "--all"]);
    environment.git("gitops", &["commit", "--quiet", "--message", "Filtered"]);
    widen(&environment);
    let ran = forecast(&environment, &[]).expect(1);
    assert!(
        ran.stdout.contains("app 1.9.3 -> 2.1.0 in 3 files"),
        "{}",
        ran.stdout
    );
    assert!(!environment.path().join("evil").exists());
    assert!(!environment.path().join("gitops/evil").exists());
}
