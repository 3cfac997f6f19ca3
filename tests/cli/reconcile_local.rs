//! `reconcile --worktree`: a commit on the branch that is checked out, or only its files.

use crate::environment::{Environment, Ran, automation, deployment};

fn reconcile(environment: &Environment, more: &[&str]) -> Ran {
    environment.offline("reconcile", more)
}

fn head(environment: &Environment) -> String {
    environment.git("gitops", &["rev-parse", "HEAD"])
}

fn status(environment: &Environment) -> String {
    environment.git("gitops", &["status", "--porcelain"])
}

/// What is left in `.git` of ours.
fn left(environment: &Environment) -> Vec<String> {
    let entries = std::fs::read_dir(environment.path().join("gitops/.git")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.contains("imageauto") || name.ends_with(".lock"))
        .collect()
}

#[test]
fn a_commit_is_made_on_the_branch_that_is_checked_out() {
    let environment = Environment::shop();
    let parent = head(&environment);
    environment.git("gitops", &["checkout", "--quiet", "-b", "work"]);
    let ran = reconcile(&environment, &["--no-push", "--yes", "-o", "json"]).expect(0);
    let row = &ran.json()["automations"][0];
    assert_eq!(row["commit"], head(&environment));
    assert_eq!(
        (&row["pushed"], &row["attempts"]),
        (&false.into(), &0.into())
    );
    assert_eq!(environment.git("gitops", &["rev-parse", "work^"]), parent);
    assert_eq!(status(&environment), "");
    assert_eq!(
        environment.git("gitops", &["log", "-1", "--format=%an <%ae>|%cn|%s"]),
        "bot <bot@example.com>|bot|Update from image update automation"
    );
    assert_eq!(
        environment.read("gitops/apps/app.yaml"),
        deployment("app", "1.2.0")
    );
    assert_eq!(left(&environment), Vec::<String>::new());
    let again = reconcile(&environment, &["--no-push", "--yes"]).expect(0);
    assert!(again.stderr.contains("nothing to push"), "{}", again.stderr);
}

#[test]
fn only_the_files_change_where_no_commit_is_wanted() {
    let environment = Environment::shop();
    let parent = head(&environment);
    let ran = reconcile(&environment, &["--no-commit", "--yes"]).expect(0);
    assert!(ran.stderr.contains("changed 1 file in "), "{}", ran.stderr);
    assert_eq!(head(&environment), parent);
    assert_eq!(status(&environment), "M apps/app.yaml");
    assert_eq!(left(&environment), Vec::<String>::new());
    // A folder that is no work tree has files too.
    environment.write("plain/apps/app.yaml", &deployment("app", "1.0.0"));
    let arguments = [
        "reconcile",
        "-f",
        "objects",
        "--tags-from",
        "tags.json",
        "--worktree",
        "plain",
        "--yes",
    ];
    let _ = environment
        .run(&[&arguments[..], &["--no-commit"]].concat())
        .expect(0);
    assert_eq!(
        environment.read("plain/apps/app.yaml"),
        deployment("app", "1.2.0")
    );
    environment.write("plain/apps/app.yaml", &deployment("app", "1.0.0"));
    let ran = environment
        .run(&[&arguments[..], &["--no-push"]].concat())
        .expect(5);
    assert!(ran.stderr.contains("--no-commit"), "{}", ran.stderr);
    assert_eq!(
        environment.read("plain/apps/app.yaml"),
        deployment("app", "1.0.0")
    );
}

#[test]
fn uncommitted_changes_are_not_written_over() {
    let environment = Environment::shop();
    environment.write("gitops/note", "mine\n");
    environment.write(
        "gitops/apps/app.yaml",
        &(deployment("app", "1.0.0") + "# mine\n"),
    );
    for how in ["--no-push", "--no-commit"] {
        let ran = reconcile(&environment, &[how, "--yes"]).expect(7);
        assert!(
            ran.stderr.contains("apps/app.yaml in ") && ran.stderr.contains("commit or stash"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(status(&environment), "M apps/app.yaml\n?? note");
    environment.git("gitops", &["checkout", "apps/app.yaml"]);
    let _ = reconcile(&environment, &["--no-push", "--yes"]).expect(0);
    assert_eq!(status(&environment), "?? note");
    let files = environment.git("gitops", &["show", "--name-only", "--format=", "HEAD"]);
    assert_eq!(files, "apps/app.yaml");
}

#[test]
fn two_automations_may_change_one_work_tree() {
    let environment = Environment::shop();
    environment.write(
        "objects/second.yaml",
        &automation("second", "main", "./more"),
    );
    environment.write("gitops/more/app.yaml", &deployment("app", "1.0.0"));
    environment.git("gitops", &["add", "--all"]);
    environment.git("gitops", &["commit", "--quiet", "--message", "More"]);
    let parent = head(&environment);
    let _ = reconcile(&environment, &["--no-push", "--yes"]).expect(0);
    let count = environment.git(
        "gitops",
        &["rev-list", "--count", &format!("{parent}..HEAD")],
    );
    assert_eq!(count, "2");
    assert_eq!(status(&environment), "");
}

#[test]
fn hooks_and_filters_of_the_work_tree_have_no_say() {
    let environment = Environment::shop();
    environment.git("gitops", &["config", "filter.loud.clean", "tr a-z A-Z"]);
    environment.git("gitops", &["config", "filter.loud.smudge", "tr A-Z a-z"]);
    for hook in [
        "pre-commit",
        "post-commit",
        "post-index-change",
        "reference-transaction",
    ] {
        let file = environment.write(
            &format!("gitops/.git/hooks/{hook}"),
            "#!/bin/sh\ntouch ../ran ran\n",
        );
        #[cfg(unix)]
        std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
    }
    let _ = reconcile(&environment, &["--no-push", "--yes"]).expect(0);
    assert!(!environment.path().join("ran").exists());
    assert!(!environment.path().join("gitops/ran").exists());
    assert_eq!(
        environment.git("gitops", &["show", "HEAD:apps/app.yaml"]),
        deployment("app", "1.2.0").trim()
    );
}

#[test]
fn a_work_tree_that_another_git_works_on_is_left_alone() {
    let environment = Environment::shop();
    environment.write("gitops/.git/index.lock", "");
    let ran = reconcile(&environment, &["--no-push", "--yes"]).expect(5);
    assert!(
        ran.stderr.contains("another git is at work"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        environment.read("gitops/apps/app.yaml"),
        deployment("app", "1.0.0")
    );
    assert_eq!(left(&environment), ["index.lock"]);
}

#[cfg(unix)]
#[test]
fn what_fails_in_the_middle_is_taken_back() {
    let environment = Environment::shop();
    let parent = head(&environment);
    // The branch can't be moved any more once the files and the index have been changed: its log is a folder.
    std::fs::remove_file(environment.path().join("gitops/.git/logs/refs/heads/main")).unwrap();
    environment.write("gitops/.git/logs/refs/heads/main/x", "");
    let ran = reconcile(&environment, &["--no-push", "--yes"]).expect(5);
    assert!(ran.stderr.contains("update-ref"), "{}", ran.stderr);
    assert_eq!(head(&environment), parent);
    assert_eq!(status(&environment), "");
    assert_eq!(
        environment.read("gitops/apps/app.yaml"),
        deployment("app", "1.0.0")
    );
    assert_eq!(left(&environment), Vec::<String>::new());
}

#[test]
fn the_flags_say_what_they_need() {
    let environment = Environment::shop();
    for (more, words) in [
        (&["--yes"][..], "needs --no-push"),
        (
            &["--no-push", "--push-branch", "x"],
            "--push-branch does not fit",
        ),
    ] {
        let ran = reconcile(&environment, more).expect(2);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    let usual = ["reconcile", "-f", "objects", "--tags-from", "tags.json"];
    for flag in ["--no-push", "--no-commit"] {
        let ran = environment.run(&[&usual[..], &[flag]].concat()).expect(2);
        assert!(
            ran.stderr.contains("needs --worktree DIR"),
            "{}",
            ran.stderr
        );
    }
    let ran = reconcile(&environment, &["--no-push"]).expect(7);
    assert!(
        ran.stderr.contains("Commit 1 file on main in ") && ran.stderr.contains(" as bot?"),
        "{}",
        ran.stderr
    );
}
