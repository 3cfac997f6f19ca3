//! The article's case as it stands: objects of API versions that no cluster serves any more, against an expectation made
//! from the documented data types of the controllers of that age. No such controller runs in the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/article")
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder can be made");
    for entry in fs::read_dir(from).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).expect("the file can be copied");
        }
    }
}

#[test]
fn the_article_as_it_stands_gives_its_patch_message_and_warnings() {
    let clone = tempfile::tempdir().expect("a temporary folder can be made");
    copy_folder(&testdata().join("repository"), clone.path());
    let git = Command::new("git")
        .args(["init", "--quiet"])
        .arg(clone.path())
        .status()
        .expect("git can be run");
    assert!(git.success());
    let run = Command::new(env!("CARGO_BIN_EXE_kubectl-imageauto"))
        .args(["diff", "-o", "json", "-f"])
        .arg(testdata().join("as-it-stands"))
        .arg("--tags-from")
        .arg(testdata().join("tags.json"))
        .arg("--worktree")
        .arg(clone.path())
        .output()
        .expect("the program can be run");
    let notes = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{notes}");
    assert!(notes.contains("v1beta1 or v1beta2"), "{notes}");

    let report: Value = serde_json::from_slice(&run.stdout).expect("diff -o json gives JSON");
    let automation = &report["automations"][0];
    let message = fs::read_to_string(testdata().join("as-it-stands/commit-message.txt"))
        .expect("the expected message is there");
    assert_eq!(automation["message"], message);
    assert_eq!(automation["error"], Value::Null);
    assert_eq!(automation["pushBranch"], "main");
    let all = |list: &str, field: &str| -> Vec<String> {
        let rows = automation[list].as_array().expect("it is a list");
        rows.iter()
            .map(|row| row[field].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(all("policies", "tag"), ["1.4.0", "2026.06.01-abc1234"]);
    assert_eq!(
        all("files", "path"),
        ["clusters/prod/checkout.yaml", "clusters/prod/worker.yaml"]
    );
    let findings = all("findings", "id");
    for id in ["extract-collision", "template-removed-field"] {
        assert!(findings.iter().any(|finding| finding == id), "{findings:?}");
    }
}
