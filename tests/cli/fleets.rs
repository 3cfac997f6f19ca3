//! Repositories as people have them: what `lint` finds in each, word for word.
//!
//! A fleet is a folder of `testdata/fleets`; what is found in it stands in `testdata/fleets/NAME.txt`, which
//! `UPDATE=1 cargo test --test cli fleets` accepts.

use std::fs;
use std::path::Path;

use crate::environment::Environment;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn each_fleet_has_its_findings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fleets");
    let mut fleets: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    fleets.sort();
    assert!(fleets.len() >= 6, "only {} fleets", fleets.len());
    let mut wrong = Vec::new();
    for fleet in fleets {
        let environment = Environment::new();
        copy(&fleet, &environment.path().join("repo"));
        environment.commit("repo");
        let ran = environment.run(&["lint", "repo", "--flux-version", "2.9"]);
        let now = format!(
            "$ kubectl imageauto lint\n{}{}[exit {}]\n",
            ran.stdout, ran.stderr, ran.status
        );
        let golden = fleet.with_extension("txt");
        if now == fs::read_to_string(&golden).unwrap_or_default() {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&golden, now).unwrap();
        } else {
            wrong.push(format!("{}:\n{now}", golden.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "UPDATE=1 accepts these:\n{}",
        wrong.join("\n")
    );
}
