//! `fmt`: files in the controller's form.

use crate::environment::Environment;

const MARKED: &str = "image: a:1 # {\"$imagepolicy\": \"flux-system:app\"}";

fn untidy() -> String {
    format!("---\nspec:\n    {MARKED}\n\n    list:\n        -   a\n")
}

fn tidy() -> String {
    format!("spec:\n  {MARKED}\n  list:\n  - a\n")
}

#[test]
fn files_with_markers_get_the_controllers_form_and_others_stay() {
    let environment = Environment::new();
    let plain = "a:   1\n\n\nb: 2\n";
    environment.write("tree/untidy.yaml", &untidy());
    environment.write("tree/plain.yaml", plain);
    environment.write("tree/untidy.txt", &untidy());
    let checked = environment.run(&["fmt", "--check", "tree"]).expect(1);
    assert_eq!(checked.stdout, "untidy.yaml\n");
    assert_eq!(environment.read("tree/untidy.yaml"), untidy());
    drop(environment.run(&["fmt", "tree"]).expect(0));
    assert_eq!(environment.read("tree/untidy.yaml"), tidy());
    assert_eq!(environment.read("tree/plain.yaml"), plain);
    assert_eq!(environment.read("tree/untidy.txt"), untidy());
    drop(environment.run(&["fmt", "--check", "tree"]).expect(0));
    drop(
        environment
            .run(&["fmt", "--all", "tree/plain.yaml"])
            .expect(0),
    );
    assert_eq!(environment.read("tree/plain.yaml"), "a: 1\nb: 2\n");
}

#[test]
fn the_file_behind_a_link_is_written_and_the_link_stays() {
    let environment = Environment::new();
    environment.write("tree/real.yaml", &untidy());
    std::os::unix::fs::symlink("real.yaml", environment.path().join("tree/link.yaml")).unwrap();
    drop(environment.run(&["fmt", "tree"]).expect(0));
    assert_eq!(environment.read("tree/real.yaml"), tidy());
    let link = std::fs::symlink_metadata(environment.path().join("tree/link.yaml"));
    assert!(link.unwrap().is_symlink());
}

#[test]
fn a_file_that_would_lose_something_stays_until_that_is_allowed() {
    let environment = Environment::new();
    let text = format!("{MARKED}\n...\nlost: 1\n");
    environment.write("tree/a.yaml", &text);
    let ran = environment.run(&["fmt", "tree"]).expect(1);
    assert!(
        ran.stderr.contains("reformatting-loses-data"),
        "{}",
        ran.stderr
    );
    assert_eq!(environment.read("tree/a.yaml"), text);
    drop(environment.run(&["fmt", "--allow-loss", "tree"]).expect(0));
    assert_eq!(environment.read("tree/a.yaml"), format!("{MARKED}\n"));
}

#[test]
fn what_can_not_be_read_is_named_and_the_others_are_still_written() {
    let environment = Environment::new();
    environment.write("tree/bad.yaml", &format!("a: [\n{MARKED}\n"));
    environment.write(
        "tree/list.yaml",
        &format!("kind: List\nitems:\n- {MARKED}\n"),
    );
    environment.write("tree/untidy.yaml", &untidy());
    let ran = environment.run(&["fmt", "tree"]).expect(6);
    assert!(ran.stderr.contains("problem-file"), "{}", ran.stderr);
    assert!(ran.stderr.contains("list.yaml"), "{}", ran.stderr);
    assert_eq!(environment.read("tree/untidy.yaml"), tidy());
}

#[test]
fn a_dash_goes_from_stdin_to_stdout() {
    let environment = Environment::new();
    let ran = environment
        .run_with_input(&["fmt", "-"], "a:   1\n...\nb: 2\n")
        .expect(0);
    assert_eq!(ran.stdout, "a: 1\n");
    assert!(
        ran.stderr.contains("reformatting-loses-data"),
        "{}",
        ran.stderr
    );
    let ran = environment
        .run_with_input(&["fmt", "-"], "a: [\n")
        .expect(6);
    assert_eq!(ran.stdout, "");
    drop(environment.run(&["fmt", "nothing"]).expect(2));
    environment.write("x.txt", "a: 1\n");
    let ran = environment.run(&["fmt", "x.txt"]).expect(2);
    assert!(ran.stderr.contains("Kustomization"), "{}", ran.stderr);
}

#[test]
fn what_can_not_be_read_is_not_quoted_as_a_whole() {
    let environment = Environment::new();
    let text = format!("- {MARKED}\n").repeat(3_000);
    environment.write("tree/list.yaml", &text);
    let checked = environment.run(&["fmt", "--check", "tree"]).expect(6);
    let piped = environment.run_with_input(&["fmt", "-"], &text).expect(6);
    for told in [checked.stderr, piped.stderr] {
        assert!(told.contains("node contents: - image: a:1"), "{told}");
        assert!(told.contains('…') && told.len() < 600, "{told}");
    }
}
