//! What a clone holds: entries, bytes, and what it would ignore.

use std::collections::BTreeMap;
use std::sync::Arc;

use imageauto::facts::git::TreeEntry;
use imageauto::io::git::TreeFiles;

use super::repository::Repository;
use super::{cloned, request, text};

fn everything(_: &[u8]) -> bool {
    true
}

/// Adds a commit to `main` whose tree has these entries (`mode type id TAB path` as of `git mktree`) besides its own.
fn add_entries(repository: &Repository, entries: &[String]) {
    let mut listing = repository.run(&["ls-tree", "main"], b"");
    for entry in entries {
        listing += &format!("\n{entry}");
    }
    let tree = repository.run(&["mktree", "--missing"], format!("{listing}\n").as_bytes());
    let commit = repository.run(&["commit-tree", "-m", "entries", "-p", "main", &tree], b"");
    repository.run(&["update-ref", "refs/heads/main", &commit], b"");
}

#[test]
fn entries_are_those_of_the_commit_and_bytes_those_of_the_blobs() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::standard(folder.path(), "r.git");
    repository.commit(
        "main",
        "attributes",
        &[
            (
                ".gitattributes",
                "* text eol=crlf filter=lfs\n*.yaml working-tree-encoding=UTF-16\n",
            ),
            (".lfsconfig", "[lfs]\nurl = http://127.0.0.1:9\n"),
            (
                ".gitmodules",
                "[submodule \"s\"]\npath = s\nurl = http://127.0.0.1:9/s\nupdate = !touch pwned\n",
            ),
            ("mixed.yaml", "a: 1\r\nb: 2\n"),
        ],
    );
    let blob = |text: &str| repository.run(&["hash-object", "-w", "--stdin"], text.as_bytes());
    let (link, program) = (blob("../apps/a.yaml"), blob("#!/bin/sh\n"));
    let head = repository.id("main");
    add_entries(
        &repository,
        &[
            format!("120000 blob {link}\tlink"),
            format!("100755 blob {program}\trun"),
            format!("160000 commit {head}\tsub"),
        ],
    );
    let clone = cloned(&request(&repository.url()));
    let tree = clone.tree().unwrap();
    assert_eq!(tree.commit.as_deref(), Some(repository.id("main").as_str()));
    assert_eq!(tree.branch.as_deref(), Some("main"));
    assert_eq!(
        tree.entries.get("link"),
        Some(&TreeEntry::Link("../apps/a.yaml".into()))
    );
    assert_eq!(tree.entries.get("sub"), Some(&TreeEntry::Submodule));
    assert_eq!(tree.entries.get("run"), Some(&TreeEntry::File));
    assert_eq!(tree.entries.len(), 9, "{:?}", tree.entries);
    let read = clone.read_files(&["mixed.yaml", "apps/a.yaml", "link", "nope"], everything);
    assert_eq!(read["mixed.yaml"], Ok(b"a: 1\r\nb: 2\n".to_vec()));
    assert_eq!(read["apps/a.yaml"], Ok(b"kind: A\n".to_vec()));
    for path in ["link", "nope"] {
        assert_eq!(read[path], Err("no such file or directory".into()));
    }
}

#[test]
fn only_wanted_files_are_kept_and_thousands_are_no_matter() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::empty(folder.path(), "r.git");
    let names: Vec<String> = (0..3000)
        .map(|number| format!("d{}/f{number}.yaml", number % 50))
        .collect();
    let texts: Vec<String> = (0..3000).map(|number| format!("n: {number}\n")).collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .map(String::as_str)
        .zip(texts.iter().map(String::as_str))
        .collect();
    repository.commit("main", "many", &files);
    let clone = cloned(&request(&repository.url()));
    let paths: Vec<&str> = names.iter().map(String::as_str).collect();
    let read = clone.read_files(&paths, |bytes| bytes.ends_with(b"7\n"));
    assert_eq!(read.len(), 300);
    assert_eq!(read["d7/f2007.yaml"], Ok(b"n: 2007\n".to_vec()));
    let all: BTreeMap<String, Result<Vec<u8>, String>> = clone.read_files(&paths, everything);
    let expected = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Ok(text.as_bytes().to_vec())));
    assert_eq!(all, expected.collect());
}

#[test]
fn new_files_are_ignored_by_the_patterns_of_the_clone() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::standard(folder.path(), "r.git");
    repository.commit(
        "main",
        "ignore",
        &[
            (".gitignore", "*.tmp\n/apps/made.yaml\n"),
            ("apps/.gitignore", "!kept.tmp\nother.yaml\n"),
            ("apps/other.yaml", "x"),
        ],
    );
    let files = TreeFiles::Clone(Arc::new(cloned(&request(&repository.url()))));
    let paths = [
        "a.tmp",
        "apps/made.yaml",
        "apps/kept.tmp",
        "apps/other.yaml",
        "apps/deep/other.yaml",
        "b.yaml",
    ];
    let ignored = files.ignored(&paths.map(str::to_owned)).unwrap();
    // A file that is there already is not new.
    assert_eq!(ignored, ["a.tmp", "apps/made.yaml", "apps/deep/other.yaml"]);
    assert_eq!(files.ignored(&[]).unwrap(), Vec::<String>::new());
}

#[test]
fn a_folder_and_a_clone_of_it_read_alike() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::standard(folder.path(), "r.git");
    let local = folder.path().join("w");
    let (from, to) = (repository.url(), local.display().to_string());
    repository.run(&["clone", "--quiet", &from, &to], b"");
    let (here, tree) = TreeFiles::local(&local).unwrap();
    let clone = Arc::new(cloned(&request(&from)));
    assert_eq!(tree, clone.tree().unwrap());
    let there = TreeFiles::Clone(clone);
    let paths = ["note", "apps/a.yaml"];
    assert_eq!(
        here.read_files(&paths, everything),
        there.read_files(&paths, everything)
    );
}

#[test]
fn paths_that_the_controller_cannot_check_out_fail_the_clone() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::standard(folder.path(), "r.git");
    let url = repository.url();
    repository.commit("main", "device", &[("apps/aux.yaml", "x")]);
    assert_eq!(
        text(&request(&url)),
        format!("unable to clone '{url}': openfile: invalid path: \"apps/aux.yaml\"")
    );
}

#[test]
fn a_clone_leaves_nothing_behind_and_runs_nothing_of_the_repository() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::standard(folder.path(), "r.git");
    let hook = repository.folder.join("hooks/post-checkout");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\ntouch pwned\n").unwrap();
    let clone = cloned(&request(&repository.url()));
    let debug = format!("{clone:?}");
    let place = debug
        .split("path: \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap();
    let place = std::path::PathBuf::from(place);
    assert!(place.join("repository/HEAD").exists());
    assert!(!place.join("repository/hooks").exists());
    drop(clone);
    assert!(!place.exists());
}
