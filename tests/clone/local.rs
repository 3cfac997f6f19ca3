//! What a local work tree holds, however it was changed since its last commit: git's own list, and each entry asked for by itself.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use imageauto::facts::git::TreeEntry;
use imageauto::io::git::TreeFiles;

fn git(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=A", "-c", "user.email=a@example.com"])
        .args(["-c", "init.defaultBranch=main"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output.stdout
}

/// What stands at a path to which no link leads.
fn standing(top: &Path, path: &str) -> Option<TreeEntry> {
    let mut folder = PathBuf::from(top);
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    for part in above.split('/').filter(|part| !part.is_empty()) {
        folder.push(part);
        if !fs::symlink_metadata(&folder).ok()?.is_dir() {
            return None;
        }
    }
    let path = folder.join(name);
    let data = fs::symlink_metadata(&path).ok()?;
    if data.is_symlink() {
        let target = fs::read_link(&path).unwrap();
        return Some(TreeEntry::Link(target.display().to_string()));
    }
    data.is_file().then_some(TreeEntry::File)
}

/// The entries as git lists them and the disk has them.
fn expected(top: &Path) -> BTreeMap<String, TreeEntry> {
    let mut entries = BTreeMap::new();
    let staged = git(top, &["ls-files", "-z", "--stage"]);
    for record in String::from_utf8(staged).unwrap().split_terminator('\0') {
        let (facts, path) = record.split_once('\t').unwrap();
        if facts.starts_with("160000") {
            entries.insert(path.to_owned(), TreeEntry::Submodule);
        } else {
            entries.extend(standing(top, path).map(|entry| (path.to_owned(), entry)));
        }
    }
    let others = git(top, &["ls-files", "-z", "--others", "--exclude-standard"]);
    for path in String::from_utf8(others).unwrap().split_terminator('\0') {
        if !path.ends_with('/') {
            entries.extend(standing(top, path).map(|entry| (path.to_owned(), entry)));
        }
    }
    entries
}

#[track_caller]
fn check(folder: &Path, top: &Path, what: &str) {
    let (_, tree) = TreeFiles::local(folder).unwrap();
    let found: BTreeMap<String, TreeEntry> = tree
        .entries
        .iter()
        .map(|(path, entry)| (path, entry.clone()))
        .collect();
    assert_eq!(found, expected(top), "{what}");
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % bound
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

const FILES: [&str; 10] = [
    "top.yaml",
    "a/x.yaml",
    "a/y.yaml",
    "a/b/x.yaml",
    "a/b/z.txt",
    "a.yaml",
    "c/d/e/x.yaml",
    "a-b/x.yaml",
    "é/ü.yaml",
    "ignored/kept.yaml",
];
const FOLDERS: [&str; 7] = ["a", "a/b", "c", "c/d", "new", "new/er", "ignored"];
const NAMES: [&str; 6] = ["x.yaml", "n.yaml", "n.log", "N", "b", "with space.yaml"];

/// Takes away whatever stands at a path.
fn clear(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

fn write(path: &Path) {
    // What stands in the way of its folder is left there.
    if fs::create_dir_all(path.parent().unwrap()).is_ok() && !path.is_dir() {
        drop(fs::write(path, "a: 1\n"));
    }
}

#[cfg(unix)]
fn link(target: &str, path: &Path) {
    if path.parent().unwrap().is_dir() {
        clear(path);
        std::os::unix::fs::symlink(target, path).unwrap();
    }
}

fn change(top: &Path, chance: &mut Chance) -> String {
    let file = chance.of(&FILES);
    let folder = chance.of(&FOLDERS);
    let beside = format!("{folder}/{}", chance.of(&NAMES));
    match chance.below(9) {
        0 => clear(&top.join(file)),
        1 => clear(&top.join(folder)),
        2 => link("../top.yaml", &top.join(file)),
        3 => link("a", &top.join(folder)),
        4 => {
            if top.join(file).parent().unwrap().is_dir() {
                clear(&top.join(file));
                write(&top.join(file).join("inside.yaml"));
            }
        }
        5 => {
            if top.join(folder).parent().unwrap().is_dir() {
                clear(&top.join(folder));
                write(&top.join(folder));
            }
        }
        6 => {
            if fs::create_dir_all(top.join(&beside)).is_ok() {
                git(&top.join(&beside), &["init", "--quiet"]);
                write(&top.join(&beside).join("nested.yaml"));
            }
        }
        7 => drop(git(
            top,
            &["rm", "--quiet", "--cached", "--ignore-unmatch", file],
        )),
        _ => write(&top.join(&beside)),
    }
    format!("{file} {folder} {beside}")
}

#[cfg(unix)]
#[test]
fn a_changed_work_tree_is_read_as_git_lists_it() {
    let mut chance = Chance(42);
    for round in 0..60 {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        git(&top, &["init", "--quiet"]);
        for file in FILES {
            write(&top.join(file));
        }
        fs::write(top.join(".gitignore"), "*.log\n/ignored/\n").unwrap();
        git(&top, &["add", "--force", "."]);
        let head = "0123456789012345678901234567890123456789";
        let submodule = format!("160000,{head},sub/module");
        git(&top, &["update-index", "--add", "--cacheinfo", &submodule]);
        if chance.below(3) == 0 {
            write(&top.join("sub/module/inside.yaml"));
        }
        check(&top, &top, "before the first commit");
        git(&top, &["commit", "--quiet", "-m", "first"]);
        let mut done = format!("round {round}");
        for _ in 0..4 {
            done += &format!(", {}", change(&top, &mut chance));
            check(&top, &top, &done);
        }
    }
}

#[test]
fn a_folder_of_a_work_tree_stands_for_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().canonicalize().unwrap();
    git(&top, &["init", "--quiet"]);
    for file in FILES {
        write(&top.join(file));
    }
    let (_, tree) = TreeFiles::local(&top.join("a")).unwrap();
    assert_eq!((tree.commit, tree.branch.as_deref()), (None, Some("main")));
    check(&top.join("a"), &top, "from a folder");
    git(&top, &["add", "."]);
    git(&top, &["commit", "--quiet", "-m", "first"]);
    let (_, tree) = TreeFiles::local(&top.join("a/b")).unwrap();
    let head = git(&top, &["rev-parse", "HEAD"]);
    assert_eq!(tree.commit.unwrap().as_bytes(), head.trim_ascii_end());
    assert_eq!(tree.branch.as_deref(), Some("main"));
    git(&top, &["tag", "main"]);
    git(&top, &["switch", "--quiet", "-c", "feature/x"]);
    let (_, tree) = TreeFiles::local(&top).unwrap();
    assert_eq!(tree.branch.as_deref(), Some("feature/x"));
    git(&top, &["checkout", "--quiet", "--detach"]);
    let (_, tree) = TreeFiles::local(&top).unwrap();
    assert_eq!(tree.branch, None);
}

#[test]
fn more_new_files_than_git_is_told_by_name_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().canonicalize().unwrap();
    git(&top, &["init", "--quiet"]);
    fs::write(top.join(".gitignore"), "*7.yaml\n").unwrap();
    let long = "n".repeat(100);
    for number in 0..300 {
        fs::write(top.join(format!("{long}-{number}.yaml")), "a: 1\n").unwrap();
    }
    check(&top, &top, "300 new files");
    let (_, tree) = TreeFiles::local(&top).unwrap();
    assert_eq!(tree.entries.len(), 1 + 270);
}

/// Names that git takes for patterns or for more than names are names all the same.
#[cfg(unix)]
#[test]
fn odd_names_are_names() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().canonicalize().unwrap();
    git(&top, &["init", "--quiet"]);
    for name in [
        "*.yaml",
        ":(top)x.yaml",
        "!n.yaml",
        "-z",
        "[a].yaml",
        "a\nb.yaml",
        "\t.yaml",
    ] {
        write(&top.join(name));
    }
    check(&top, &top, "new");
    use std::os::unix::ffi::OsStrExt as _;
    fs::write(top.join(OsStr::from_bytes(b"\xff.yaml")), "a: 1\n").unwrap();
    let (_, tree) = TreeFiles::local(&top).unwrap();
    assert_eq!(tree.unreadable_paths, ["\u{FFFD}.yaml"]);
    assert_eq!(tree.entries.len(), 7);
    git(&top, &["add", "."]);
    let (_, tree) = TreeFiles::local(&top).unwrap();
    assert_eq!(tree.unreadable_paths, ["\u{FFFD}.yaml"]);
    assert_eq!(tree.entries.len(), 7);
}
