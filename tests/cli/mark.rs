//! `mark`: markers come in, and nothing else changes.

use crate::environment::{Environment, image_repository, semver_policy};

#[test]
fn images_that_a_policy_tracks_get_a_marker() {
    let environment = Environment::shop();
    let text = "# head\r\nkind: Deployment\r\nspec:\r\n    template:\r\n        spec:\r\n            containers:\r\n            -   image:   'registry.example.com/team/app:1.0.0'\r\n            -   image: other:1\r\n";
    environment.write("gitops/apps/odd.yaml", text);
    let shown = environment
        .run(&["mark", "-f", "objects", "--dry-run", "gitops"])
        .expect(0);
    assert!(shown.stdout.contains("+            -   image:   'registry.example.com/team/app:1.0.0' # {\"$imagepolicy\": \"flux-system:app\"}"), "{}", shown.stdout);
    assert_eq!(environment.read("gitops/apps/odd.yaml"), text);
    let ran = environment
        .run(&["mark", "-f", "objects", "gitops"])
        .expect(0);
    assert_eq!(ran.stdout, "apps/odd.yaml\n");
    assert_eq!(
        environment.read("gitops/apps/odd.yaml"),
        text.replace("1.0.0'", "1.0.0' # {\"$imagepolicy\": \"flux-system:app\"}")
    );
    assert!(
        ran.stderr
            .contains("1 image marked before, 1 image that no policy tracks"),
        "{}",
        ran.stderr
    );
    let again = environment
        .run(&["mark", "-f", "objects", "gitops"])
        .expect(0);
    assert_eq!(again.stdout, "");
}

#[test]
fn fields_that_can_not_have_one_are_told() {
    let environment = Environment::shop();
    let image = "registry.example.com/team/app:1.0.0";
    environment.write(
        "gitops/apps/odd.yaml",
        &format!("kind: Pod\nspec:\n  containers: [{{image: '{image}'}}]\n  initContainers:\n  - image: {image} # why\n"),
    );
    let ran = environment
        .run(&["mark", "-f", "objects", "gitops/apps/odd.yaml"])
        .expect(0);
    assert!(
        ran.stderr
            .contains("odd.yaml:3: no marker: the value is inside of braces"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr
            .contains("odd.yaml:5: no marker: another comment"),
        "{}",
        ran.stderr
    );
    let second = format!(
        "{}---\n{}",
        image_repository("app"),
        semver_policy("second", ">=1.0.0")
    )
    .replace("name: second\n  namespace", "name: second\n  namespace");
    let second = second.replace(
        "imageRepositoryRef:\n    name: second",
        "imageRepositoryRef:\n    name: app",
    );
    environment.write("more.yaml", second.split("---\n").nth(1).unwrap());
    environment.write(
        "gitops/apps/odd.yaml",
        &format!("kind: Pod\nspec:\n  containers:\n  - image: {image}\n"),
    );
    let ran = environment
        .run(&[
            "mark",
            "-f",
            "objects",
            "-f",
            "more.yaml",
            "gitops/apps/odd.yaml",
        ])
        .expect(0);
    assert!(
        ran.stderr
            .contains("flux-system/app, flux-system/second all track"),
        "{}",
        ran.stderr
    );
}

#[test]
fn fields_of_other_kinds_are_named() {
    let environment = Environment::shop();
    environment.write(
        "gitops/apps/odd.yaml",
        "kind: Rollout\nspec:\n  parts:\n  - picture: registry.example.com/team/app:1.0.0\n",
    );
    let field = "Rollout=spec.parts[*].picture";
    drop(
        environment
            .run(&["mark", "-f", "objects", "--field", field, "gitops"])
            .expect(0),
    );
    assert!(
        environment
            .read("gitops/apps/odd.yaml")
            .contains("flux-system:app")
    );
    let ran = environment
        .run(&["mark", "-f", "objects", "--field", "Rollout", "gitops"])
        .expect(2);
    assert!(ran.stderr.contains("is not KIND=FIELD"), "{}", ran.stderr);
}
