//! README and examples: what they show is what the program prints.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::environment::Environment;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The text of the first fenced block whose first line starts with `start`.
fn block<'a>(document: &'a str, start: &str) -> &'a str {
    document
        .split("```")
        .skip(1)
        .step_by(2)
        .map(|block| block.split_once('\n').map_or("", |(_, text)| text))
        .find(|text| text.starts_with(start))
        .unwrap_or_else(|| panic!("no block starts with {start:?}"))
}

/// The example in a repository of its own, so that the test doesn't hang on how this one was fetched.
fn example() -> Environment {
    let environment = Environment::new();
    for path in [
        "tags.json",
        "flux-system/source.yaml",
        "flux-system/images.yaml",
        "flux-system/automation.yaml",
        "clusters/prod/checkout.yaml",
        "clusters/prod/worker.yaml",
        "clusters/prod/kustomization.yaml",
    ] {
        environment.write(
            &format!("gitops/examples/{path}"),
            &read(&format!("examples/{path}")),
        );
    }
    environment.commit("gitops");
    environment
}

#[test]
fn the_first_output_shown_is_what_the_example_prints() {
    let environment = example();
    let arguments = [
        "diff",
        "-f",
        "examples/flux-system",
        "--tags-from",
        "examples/tags.json",
        "--worktree",
        ".",
    ];
    let mut command: Command = environment.imageauto();
    let output = command
        .current_dir(environment.path().join("gitops"))
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let commit = environment.git("gitops", &["rev-parse", "--short=7", "HEAD"]);
    let printed = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stderr).replace(&commit, "3f2c1aa"),
        String::from_utf8_lossy(&output.stdout)
    );
    let readme = read("README.md");
    let shown = block(&readme, "$ kubectl imageauto diff");
    for line in shown.lines().skip(1).filter(|line| !line.is_empty()) {
        assert!(
            printed
                .lines()
                .any(|found| found.trim_end() == line.trim_end()),
            "README shows {line:?}; printed was:\n{printed}"
        );
    }
    assert!(shown.contains("warning[extract-collision]"));
}

#[test]
fn the_readme_names_every_exit_code_and_flag() {
    let readme = read("README.md");
    for line in read("src/exit_code.rs")
        .lines()
        .filter(|line| line.starts_with("pub const"))
    {
        let code = line.rsplit_once("= ").unwrap().1.trim_end_matches(';');
        assert!(
            readme.contains(&format!("| {code} |")),
            "README lacks exit code {code}"
        );
    }
    let help = Environment::new().run(&["diff", "--help"]).expect(0).stdout;
    let flags = help
        .lines()
        .filter_map(|line| line.trim().split("--").nth(1))
        .map(|flag| flag.split([' ', '<']).next().unwrap());
    let reference = read("docs/reference.md");
    for flag in flags {
        assert!(
            reference.contains(&format!("--{flag}")),
            "docs/reference.md lacks --{flag}"
        );
    }
}

#[test]
fn the_changelog_has_this_version() {
    assert!(read("CHANGELOG.md").contains(&format!("## {}", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn every_finding_of_the_code_is_documented() {
    let documented = read("docs/findings.md");
    for file in [
        "policies",
        "files",
        "automations",
        "registries",
        "scan_budget",
    ] {
        let code = read(&format!("src/findings/{file}.rs"));
        let ids = code
            .split("id: \"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        let named = code
            .split("(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|id| id.starts_with("marker-") || *id == "policy-without-latest");
        for id in ids.chain(named) {
            assert!(
                documented.contains(&format!("## {id}\n")),
                "docs/findings.md lacks {id}"
            );
        }
    }
}
