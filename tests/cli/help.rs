//! Help: complete, in the caller's words, and the same as in the documentation.

use std::fs;
use std::path::{Path, PathBuf};

use crate::environment::Environment;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_reference_in_the_documentation_is_the_help() {
    let environment = Environment::new();
    let mut reference = String::from(
        "# Command reference\n\nWritten from the program's own help; `UPDATE=1 cargo test --test cli help` renews it.\n",
    );
    for arguments in [
        &["--help"][..],
        &["diff", "--help"],
        &["completion", "--help"],
        &["version", "--help"],
    ] {
        let help = environment.run(arguments).expect(0).stdout;
        let command = arguments[..arguments.len() - 1].join(" ");
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        reference.push_str(&format!(
            "\n## kubectl imageauto {command}\n\n```\n{}\n```\n",
            lines.join("\n").trim_end()
        ));
    }
    let reference = reference.replace("## kubectl imageauto \n", "## kubectl imageauto\n");
    let file = project("docs/reference.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &reference).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&file).unwrap_or_default(),
        reference,
        "run UPDATE=1 cargo test --test cli help"
    );
}

#[cfg(unix)]
#[test]
fn the_name_of_the_call_decides_the_words() {
    use std::os::unix::process::CommandExt;
    let environment = Environment::new();
    let help = |name: &str| {
        let output = environment
            .imageauto()
            .arg0(name)
            .args(["diff", "--help"])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let flux = help("/opt/plugins/flux-imageauto");
    assert!(flux.contains("Usage: flux imageauto diff"), "{flux}");
    assert!(!flux.contains("kubectl imageauto"), "{flux}");
    let kubectl = help("kubectl-imageauto");
    assert!(
        kubectl.contains("Usage: kubectl imageauto diff"),
        "{kubectl}"
    );
    assert!(!kubectl.contains("flux imageauto"), "{kubectl}");
}

#[cfg(unix)]
#[test]
fn the_flux_plugin_has_fluxs_namespace() {
    use std::os::unix::process::CommandExt;
    let environment = Environment::shop();
    environment.write("objects/bare.yaml", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: x\n---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata:\n  name: bare\nspec:\n  image: a/b\n  interval: 1m\n");
    let arguments = [
        "diff",
        "-f",
        "objects",
        "--tags-from",
        "tags.json",
        "--worktree",
        "gitops",
    ];
    let output = environment
        .imageauto()
        .arg0("flux-imageauto")
        .args(arguments)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("ImageRepository bare names no namespace: flux-system is taken"),
        "{stderr}"
    );
}
