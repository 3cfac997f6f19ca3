//! Help: complete, in the caller's words, and the same as in the documentation.

use std::fs;
use std::path::{Path, PathBuf};

use crate::environment::{Environment, OFFLINE};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_reference_in_the_documentation_is_the_help() {
    let environment = Environment::new();
    let mut reference = String::from(
        "# Command reference\n\nWritten from the program's own help; `UPDATE=1 cargo test --test cli help` renews it.\n",
    );
    reference.push_str(
        "\nThe flags under the first heading stand before or after every command; the others' own flags follow.\n",
    );
    let shared = paragraphs(&environment.run(&["--help"]).expect(0).stdout);
    for arguments in [
        &["--help"][..],
        &["get", "--help"],
        &["explain", "--help"],
        &["tags", "--help"],
        &["diff", "--help"],
        &["doctor", "--help"],
        &["lint", "--help"],
        &["fmt", "--help"],
        &["mark", "--help"],
        &["reconcile", "--help"],
        &["trigger", "--help"],
        &["snapshot", "--help"],
        &["completion", "--help"],
        &["version", "--help"],
    ] {
        let help = environment.run(arguments).expect(0).stdout;
        let command = arguments[..arguments.len() - 1].join(" ");
        let own = paragraphs(&help)
            .into_iter()
            .filter(|paragraph| command.is_empty() || !shared.contains(paragraph));
        let text = own.collect::<Vec<_>>().join("\n\n");
        reference.push_str(&format!(
            "\n## kubectl imageauto {command}\n\n```text\n{}\n```\n",
            text.trim_end()
        ));
    }
    let reference = reference.replace("## kubectl imageauto \n", "## kubectl imageauto\n");
    let file = project("docs/reference.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &reference).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    let different = reference
        .lines()
        .zip(written.lines().chain(std::iter::repeat("")))
        .find(|(help, written)| help != written);
    assert!(
        different.is_none() && reference.len() == written.len(),
        "run UPDATE=1 cargo test --test cli help: {different:?}"
    );
}

#[test]
fn the_help_of_a_command_names_its_own_forms_of_output() {
    let environment = Environment::new();
    for (command, forms) in [
        ("get", "[possible values: json, yaml, name, wide]"),
        ("diff", "[possible values: json, name, markdown, mbox]"),
        ("trigger", "[possible values: json]"),
    ] {
        let help = environment.run(&[command, "-h"]).expect(0).stdout;
        let words: Vec<&str> = help.split_whitespace().collect();
        assert!(words.join(" ").contains(forms), "{command}: {help}");
        let refused = environment.run(&[command, "-o", "sarif"]).expect(2).stderr;
        assert!(refused.contains("-o sarif does not fit"), "{refused}");
    }
    let help = environment.run(&["snapshot", "-h"]).expect(0).stdout;
    assert!(!help.contains("--output"), "{help}");
}

/// A help text cut at its blank lines, so that what all commands share is told once.
fn paragraphs(help: &str) -> Vec<String> {
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let mut paragraphs: Vec<String> = Vec::new();
    for paragraph in lines.join("\n").split("\n\n") {
        // Defaults and possible values belong to the flag above them, and a heading to the flag below it.
        match paragraphs.last_mut() {
            Some(last) if paragraph.starts_with("          ") => {
                last.push_str(&format!("\n\n{paragraph}"));
            }
            _ => paragraphs.push(paragraph.to_owned()),
        }
    }
    paragraphs
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
    let arguments = [&["diff"][..], &OFFLINE].concat();
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
