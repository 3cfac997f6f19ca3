//! README, changelog and findings: they name all that there is.

use std::fs;
use std::path::Path;

use crate::environment::Environment;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
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
