//! Which files a work tree gives: what a clone of it would hold.

use std::fs;

use crate::environment::{Environment, OFFLINE, automation, deployment, git_repository};

fn changed(environment: &Environment) -> Vec<String> {
    environment
        .diff(&["-o", "name"])
        .stdout
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn uncommitted_and_untracked_files_count_and_ignored_ones_do_not() {
    let environment = Environment::shop();
    environment.write("gitops/apps/app.yaml", &deployment("app", "1.1.0"));
    environment.write("gitops/apps/new.yaml", &deployment("app", "1.0.0"));
    environment.write("gitops/apps/ignored.yaml", &deployment("app", "1.0.0"));
    environment.write("gitops/.gitignore", "ignored.yaml\n");
    assert_eq!(changed(&environment), ["apps/app.yaml", "apps/new.yaml"]);
    assert!(
        environment
            .diff(&[])
            .expect(1)
            .stdout
            .contains("-          image: registry.example.com/team/app:1.1.0")
    );
}

#[test]
fn a_tracked_file_counts_even_when_it_is_ignored() {
    let environment = Environment::shop();
    environment.write("gitops/.gitignore", "app.yaml\n");
    assert_eq!(changed(&environment), ["apps/app.yaml"]);
}

#[test]
fn a_deleted_file_and_one_outside_the_path_are_not_read() {
    let environment = Environment::shop();
    environment.write("gitops/other/app.yaml", &deployment("app", "1.0.0"));
    fs::rename(
        environment.path().join("gitops/apps/app.yaml"),
        environment.path().join("gitops/apps/app.txt"),
    )
    .unwrap();
    environment.write("gitops/apps/k.yml", &deployment("app", "1.0.0"));
    assert_eq!(changed(&environment), ["apps/k.yml"]);
}

#[test]
fn a_folder_below_the_top_stands_for_the_top() {
    let environment = Environment::shop();
    let arguments = [
        "diff",
        "-f",
        "objects",
        "--tags-from",
        "tags.json",
        "--worktree",
        "gitops/apps",
        "-o",
        "name",
    ];
    assert_eq!(
        environment.run(&arguments).expect(1).stdout,
        "apps/app.yaml\n"
    );
}

#[test]
fn a_folder_that_is_no_repository_has_no_commit() {
    let environment = Environment::shop();
    fs::remove_dir_all(environment.path().join("gitops/.git")).unwrap();
    let json = environment.diff(&["-o", "json"]).expect(1).json();
    assert_eq!(
        json["automations"][0]["source"]["commit"],
        serde_json::Value::Null
    );
    assert_eq!(json["automations"][0]["files"][0]["path"], "apps/app.yaml");
}

#[test]
fn a_repository_without_a_commit_has_none() {
    let environment = Environment::shop();
    fs::remove_dir_all(environment.path().join("gitops/.git")).unwrap();
    environment.git("gitops", &["init", "--quiet"]);
    let json = environment.diff(&["-o", "json"]).expect(1).json();
    assert_eq!(
        json["automations"][0]["source"]["commit"],
        serde_json::Value::Null
    );
}

#[test]
fn a_repository_inside_is_left_out() {
    let environment = Environment::shop();
    environment.write("gitops/apps/inner/app.yaml", &deployment("app", "1.0.0"));
    environment.commit("gitops/apps/inner");
    assert_eq!(changed(&environment), ["apps/app.yaml"]);
}

#[test]
fn without_a_git_repository_in_the_input_the_current_work_tree_is_read() {
    let environment = Environment::shop();
    fs::remove_file(environment.path().join("objects/source.yaml")).unwrap();
    let arguments = [
        "diff",
        "-f",
        "../../objects",
        "--tags-from",
        "../../tags.json",
    ];
    let output = environment
        .imageauto()
        .current_dir(environment.path().join("gitops/apps"))
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).starts_with(
        "# ImageUpdateAutomation flux-system/images: main of GitRepository flux-system/gitops\n"
    ));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("GitRepository flux-system/gitops is not in the input")
    );
}

#[test]
fn several_sources_need_a_name_each() {
    let environment = Environment::shop();
    environment.write(
        "objects/second.yaml",
        &format!(
            "{}---\n{}",
            git_repository("second"),
            automation("second", "main", "./apps").replace("name: gitops", "name: second")
        ),
    );
    environment.write("second/apps/two.yaml", &deployment("app", "1.0.0"));
    environment.commit("second");
    let ran = environment.diff(&[]).expect(2);
    assert!(
        ran.stderr.contains("--worktree NAMESPACE/NAME=DIR"),
        "{}",
        ran.stderr
    );
    let arguments = [
        "diff",
        "-f",
        "objects",
        "--tags-from",
        "tags.json",
        "-o",
        "name",
        "--worktree",
        "flux-system/gitops=gitops",
        "--worktree",
        "flux-system/second=second",
    ];
    assert_eq!(
        environment.run(&arguments).expect(1).stdout,
        "apps/app.yaml\napps/two.yaml\n"
    );
}

#[test]
fn a_folder_that_is_not_there_is_an_error_of_git() {
    let environment = Environment::shop();
    let ran = environment
        .run(&[
            "diff",
            "-f",
            "objects",
            "--tags-from",
            "tags.json",
            "--worktree",
            "none",
        ])
        .expect(5);
    assert!(
        ran.stderr.contains("--worktree none: is not a folder"),
        "{}",
        ran.stderr
    );
}

#[cfg(unix)]
#[test]
fn links_are_written_through_and_never_leave_the_tree() {
    use std::os::unix::fs::symlink;
    let environment = Environment::shop();
    let gitops = environment.path().join("gitops");
    environment.write("outside.yaml", &deployment("app", "1.0.0"));
    environment.write("gitops/base/app.yaml", &deployment("app", "1.0.0"));
    symlink("../base/app.yaml", gitops.join("apps/link.yaml")).unwrap();
    symlink("../../outside.yaml", gitops.join("apps/out.yaml")).unwrap();
    symlink("nothing.yaml", gitops.join("apps/dangling.yaml")).unwrap();
    assert_eq!(changed(&environment), ["apps/app.yaml", "base/app.yaml"]);
}

#[cfg(unix)]
#[test]
fn a_linked_folder_is_not_walked_but_may_be_the_path() {
    use std::os::unix::fs::symlink;
    let environment = Environment::shop();
    symlink("apps", environment.path().join("gitops/linked")).unwrap();
    environment.write(
        "objects/automation.yaml",
        &automation("images", "main", "./linked"),
    );
    assert_eq!(changed(&environment), ["apps/app.yaml"]);
    environment.write(
        "objects/automation.yaml",
        &automation("images", "main", "."),
    );
    assert_eq!(changed(&environment), ["apps/app.yaml"]);
}

#[test]
fn programs_named_by_the_repository_are_not_run() {
    let environment = Environment::shop();
    environment.git("gitops", &["config", "core.fsmonitor", "touch ran; false"]);
    drop(environment.diff(&[]).expect(1));
    assert!(
        !environment.path().join("gitops/ran").exists() && !environment.path().join("ran").exists()
    );
}

#[test]
fn variables_of_a_git_hook_do_not_lead_elsewhere() {
    let environment = Environment::shop();
    let arguments = [&["diff"][..], &OFFLINE, &["-o", "name"]].concat();
    let output = environment
        .imageauto()
        .env("GIT_DIR", environment.path().join("nowhere"))
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "apps/app.yaml\n");
}

#[cfg(unix)]
#[test]
fn a_tracked_file_below_a_folder_that_became_a_link_is_gone() {
    use std::os::unix::fs::symlink;
    let environment = Environment::shop();
    environment.write("gitops/apps/keep/app.yaml", &deployment("app", "1.0.0"));
    environment.git("gitops", &["add", "--all"]);
    environment.write("elsewhere/app.yaml", &deployment("app", "1.0.0"));
    fs::remove_dir_all(environment.path().join("gitops/apps/keep")).unwrap();
    symlink(
        environment.path().join("elsewhere"),
        environment.path().join("gitops/apps/keep"),
    )
    .unwrap();
    assert_eq!(changed(&environment), ["apps/app.yaml"]);
}

#[test]
fn a_folder_for_a_repository_that_is_not_there_is_refused() {
    let environment = Environment::shop();
    let ran = environment
        .run(&[
            "diff",
            "-f",
            "objects",
            "--tags-from",
            "tags.json",
            "--worktree",
            "nope/gitops=gitops",
        ])
        .expect(2);
    assert!(
        ran.stderr.contains(
            "--worktree nope/gitops=DIR: there is no such GitRepository in the input: there is flux-system/gitops"
        ),
        "{}",
        ran.stderr
    );
    for (twice, said) in [
        (
            ["flux-system/gitops=gitops", "flux-system/gitops=other"],
            "--worktree: flux-system/gitops is named twice",
        ),
        (
            ["gitops", "other"],
            "where there are several folders, name each as",
        ),
    ] {
        let ran = environment.run(&[
            "diff",
            "-f",
            "objects",
            "--tags-from",
            "tags.json",
            "--worktree",
            twice[0],
            "--worktree",
            twice[1],
        ]);
        assert!(ran.expect(2).stderr.contains(said));
    }
}
