//! Links, pipes and devices where files are expected.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::environment::{self, Environment, Ran};

/// A work tree in which names of manifests are everything but files.
fn odd_names() -> Environment {
    let environment = Environment::new();
    let objects = [
        environment::git_repository("gitops"),
        environment::image_repository("app"),
        environment::semver_policy("app", ">=1.0.0"),
        environment::automation("images", "main", "./"),
    ];
    environment.write("repo/base/images.yaml", &objects.join("---\n"));
    environment.write(
        "repo/apps/app.yaml",
        &environment::deployment("app", "1.0.0"),
    );
    environment.commit("repo");
    environment.write(
        "elsewhere/images.yaml",
        &environment::semver_policy("other", ">=1.0.0"),
    );
    let link = |to: &str, from: &str| symlink(to, environment.path().join(from)).unwrap();
    link("/dev/zero", "repo/zero.yaml");
    link("nowhere", "repo/dangling.yaml");
    link("../elsewhere/images.yaml", "repo/out.yaml");
    link("../base/images.yaml", "repo/apps/images.yaml");
    pipe(&environment, "repo/pipe.yaml");
    environment
}

fn pipe(environment: &Environment, path: &str) {
    let made = Command::new("mkfifo")
        .arg(environment.path().join(path))
        .status();
    assert!(made.unwrap().success());
}

#[track_caller]
fn names_of(ran: &Ran) -> Vec<&str> {
    ran.stdout.lines().collect()
}

#[test]
fn a_folder_is_read_as_far_as_its_files_go() {
    let environment = odd_names();
    let get = ["get", "policies", "-o", "name", "-f"];
    let whole = environment.run(&[&get[..], &["repo", "-R"]].concat());
    let whole = whole.expect(0);
    let app = "imagepolicy.image.toolkit.fluxcd.io/app";
    assert_eq!(names_of(&whole), [app]);
    for told in [
        "repo/zero.yaml is passed over: it is a link that leads out of the folder",
        "repo/out.yaml is passed over: it is a link that leads out of the folder",
        "repo/dangling.yaml is passed over: it is a link that leads to nothing",
        "repo/pipe.yaml is passed over: it is no ordinary file",
    ] {
        assert!(whole.stderr.contains(told), "{}", whole.stderr);
    }
    // A link inside the work tree is read, though it leads out of the folder that is named.
    let part = environment.run(&[&get[..], &["repo/apps"]].concat());
    assert_eq!(names_of(&part.expect(0)), [app]);
}

#[test]
fn lint_passes_over_what_is_no_file_of_the_work_tree() {
    let environment = odd_names();
    let ran = environment.run(&["lint", "repo", "-o", "json"]).expect(0);
    let document = ran.json();
    let findings = document["findings"].as_array().unwrap().iter();
    let mut told: Vec<&str> = findings
        .map(|finding| {
            assert_eq!(finding["id"], "symlink-skipped");
            finding["subject"]["path"].as_str().unwrap()
        })
        .collect();
    told.sort_unstable();
    assert_eq!(told, ["dangling.yaml", "out.yaml", "zero.yaml"]);
    let piped = environment.run(&["lint", "repo/pipe.yaml"]).expect(6);
    assert!(
        piped.stderr.contains("neither a file nor a folder"),
        "{}",
        piped.stderr
    );
}

#[test]
fn what_is_named_is_read_whatever_it_is_as_far_as_it_ends() {
    let environment = odd_names();
    let get = |path: &str| environment.run(&["get", "policies", "-o", "name", "-f", path]);
    let linked = get("repo/out.yaml").expect(0);
    assert_eq!(
        names_of(&linked),
        ["imagepolicy.image.toolkit.fluxcd.io/other"]
    );
    let endless = get("repo/zero.yaml").expect(6);
    assert!(
        endless.stderr.contains("longer than 256 MiB"),
        "{}",
        endless.stderr
    );
    let file = environment.path().join("repo/pipe.yaml");
    let writer = std::thread::spawn(move || {
        std::fs::write(file, environment::semver_policy("piped", ">=1.0.0")).unwrap();
    });
    let piped = get("repo/pipe.yaml").expect(0);
    writer.join().unwrap();
    assert_eq!(
        names_of(&piped),
        ["imagepolicy.image.toolkit.fluxcd.io/piped"]
    );
}

#[test]
fn a_link_out_of_the_work_tree_that_lint_is_pointed_at_is_named_as_it_stands() {
    let environment = odd_names();
    environment.write("elsewhere/images.yaml", "kind: [toolkit.fluxcd.io\n");
    let ran = environment.run(&["lint", "repo/out.yaml", "-o", "github"]);
    let told = ran.expect(1).stdout;
    assert!(told.contains("file=out.yaml,"), "{told}");
}

#[test]
fn nothing_is_rewritten_through_a_link_out_of_the_work_tree() {
    let environment = odd_names();
    let untidy = "spec:\n    image: registry.example.com/team/app:1 # {\"$imagepolicy\": \"flux-system:app\"}\n";
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - image: registry.example.com/team/app:1.0.0\n";
    environment.write("elsewhere/untidy.yaml", untidy);
    environment.write("elsewhere/pod.yaml", pod);
    environment.write("repo/apps/untidy.yaml", untidy);
    let link = |to: &str, from: &str| symlink(to, environment.path().join(from)).unwrap();
    link("../elsewhere/untidy.yaml", "repo/untidy.yaml");
    link("../elsewhere/pod.yaml", "repo/pod.yaml");
    link("../elsewhere", "repo/folder");
    link("repo/untidy.yaml", "link.yaml");
    link("apps/untidy.yaml", "repo/inside.yaml");
    link("repo", "tree");
    environment.git("repo", &["add", "*untidy.yaml", "pod.yaml", "folder"]);
    let mark = ["mark", "-f", "repo/base/images.yaml"];
    for (command, path) in [
        (&["fmt"][..], "repo/untidy.yaml"),
        (&["fmt"], "repo/folder"),
        (&["fmt"], "repo/folder/untidy.yaml"),
        (&["fmt"], "link.yaml"),
        (&["fmt"], "tree/untidy.yaml"),
        (&mark, "repo/pod.yaml"),
        (&mark, "repo/folder"),
    ] {
        let ran = environment.run(&[command, &[path]].concat()).expect(6);
        assert!(
            ran.stderr.contains("leads out of the work tree"),
            "{path}: {}",
            ran.stderr
        );
    }
    assert_eq!(environment.read("elsewhere/untidy.yaml"), untidy);
    assert_eq!(environment.read("elsewhere/pod.yaml"), pod);
    drop(environment.run(&["fmt", "tree/inside.yaml"]).expect(0));
    assert_ne!(environment.read("repo/apps/untidy.yaml"), untidy);
    let piped = environment.run(&["fmt", "repo/pipe.yaml"]).expect(6);
    assert!(
        piped.stderr.contains("a pipe or a device"),
        "{}",
        piped.stderr
    );
}
