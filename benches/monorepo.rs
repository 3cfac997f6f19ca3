//! A repository of 10,000 manifests of 3 kB, for benches.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The tag that its policy chooses.
pub const NEW: &str = "2.0.0";

/// A Deployment of about 3 kB; with the marker's image where there is one.
pub fn manifest(number: usize, image: Option<&str>) -> String {
    let mut text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{number}\n  namespace: team-{}\n  labels:\n    app.kubernetes.io/name: app-{number}\nspec:\n  replicas: 3\n  template:\n    spec:\n      containers:\n        - name: main\n",
        number % 50
    );
    match image {
        Some(tag) => writeln!(
            text,
            "          image: registry.example.com/team/app:{tag} # {{\"$imagepolicy\": \"flux-system:app\"}}"
        ),
        None => writeln!(text, "          image: registry.example.com/team/other:1.0.0"),
    }
    .expect("a text can be written");
    text += "          env:\n";
    let mut at = 0;
    while text.len() < 3000 {
        writeln!(
            text,
            "            - name: SETTING_{at}\n              value: \"value {at} of app {number}\" # what it is for"
        )
        .expect("a text can be written");
        at += 1;
    }
    text
}

/// Fills `tree` with 10,000 of them, `marked` with a marker, and `changing` of those with another tag than [`NEW`].
pub fn monorepo(tree: &Path, marked: usize, changing: usize) {
    for number in 0..10_000 {
        let folder = tree.join(format!(
            "team-{:02}/service-{:02}",
            number / 200,
            number / 10 % 20
        ));
        if number % 10 == 0 {
            fs::create_dir_all(&folder).expect("a folder can be made");
        }
        // Spread evenly.
        let is_marked = marked > 0 && number % (10_000 / marked) == 0;
        let is_changing = changing > 0 && number % (10_000 / changing) == 0;
        let image = match (is_marked, is_changing) {
            (false, _) => None,
            (true, true) => Some("1.0.0"),
            (true, false) => Some(NEW),
        };
        write(
            &folder.join(format!("app-{number}.yaml")),
            &manifest(number, image),
        );
    }
}

/// The manifests of its ImageRepository, ImagePolicy and ImageUpdateAutomation.
pub fn objects() -> String {
    format!(
        "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {{name: app, namespace: flux-system}}\nspec: {{image: registry.example.com/team/app, interval: 5m}}\n---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {{name: app, namespace: flux-system}}\nspec:\n  imageRepositoryRef: {{name: app}}\n  policy: {{semver: {{range: '*'}}}}\nstatus:\n  latestRef: {{name: registry.example.com/team/app, tag: {NEW}}}\n---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata: {{name: all, namespace: flux-system}}\nspec:\n  interval: 5m\n  sourceRef: {{kind: GitRepository, name: all}}\n  git:\n    checkout: {{ref: {{branch: main}}}}\n    commit: {{author: {{email: bot@example.com}}}}\n    push: {{branch: main}}\n  update: {{path: ./, strategy: Setters}}\n"
    )
}

/// Writes a file.
pub fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a file can be written");
}

/// Makes a repository with one commit of all that is in `tree`.
pub fn make_repository(tree: &Path) {
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "--all"],
        &[
            "-c",
            "user.name=bench",
            "-c",
            "user.email=bench@example.com",
            "-c",
            "gc.auto=0",
            "commit",
            "--quiet",
            "-m",
            "all",
        ],
    ] {
        let status = Command::new("git")
            .arg("-C")
            .arg(tree)
            .args(arguments)
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "git {arguments:?}"
        );
    }
}
