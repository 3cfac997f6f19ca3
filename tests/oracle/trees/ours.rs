//! The program as users run it, on folders of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::answer::Answer;
use super::tree::Tree;
use crate::cluster::repository::{git, output};
use crate::oracle::yaml::policies;

/// Folders of the trees, and the objects that look at them.
struct Room<'t> {
    folder: TempDir,
    trees: &'t [Tree],
}

/// What it says that it would do to each of the trees.
pub fn ask(trees: &[Tree]) -> Vec<Answer> {
    let room = Room::of(trees);
    let rows = room.rows(&["diff"]);
    let replaced = char::REPLACEMENT_CHARACTER.to_string();
    let has_bytes = |row: &Value| row["files"].to_string().contains(&replaced);
    if rows.iter().any(has_bytes) {
        // Patches in JSON hold no bytes that aren't UTF-8.
        room.apply_with_git(&room.run(&["diff"], &[]));
    } else {
        for (number, row) in rows.iter().enumerate() {
            apply(row, &room.tree(number));
        }
    }
    let answers = rows.iter().enumerate();
    answers
        .map(|(number, row)| room.read(number, row))
        .collect()
}

/// Applies the patches of a row.
fn apply(row: &Value, folder: &Path) {
    for file in row["files"].as_array().expect("files") {
        let path = folder.join(file["path"].as_str().expect("a path"));
        let before = fs::read_to_string(&path).unwrap_or_default();
        let patch = file["patch"].as_str().expect("a patch");
        let after = patched(&before, patch);
        let parent = path.parent().expect("it is in the folder");
        fs::create_dir_all(parent).expect("a folder can be made");
        fs::write(&path, after).expect("a file can be written");
    }
}

/// A text with a patch applied to it.
fn patched(before: &str, patch: &str) -> String {
    let mut left = before.split_inclusive('\n');
    let mut taken = 0;
    let mut after = String::new();
    let mut last = "";
    let hunks = patch
        .split_inclusive('\n')
        .skip_while(|line| !line.starts_with("@@ "));
    for line in hunks {
        let (sign, text) = line.split_at(1);
        match sign {
            "@" => {
                let place = text.trim_start_matches("@ -").split(' ').next();
                let (start, count) = place
                    .and_then(|place| place.split_once(','))
                    .unwrap_or((place.unwrap_or_default(), "1"));
                let start: usize = start.parse().expect("a number");
                let before = if count == "0" { start } else { start - 1 };
                while taken < before {
                    after += left.next().expect("the text is long enough");
                    taken += 1;
                }
            }
            "+" => after += text,
            "\\" => {
                if last == "+" {
                    after.pop();
                }
            }
            _ => {
                let old = left.next().expect("the text is long enough");
                assert_eq!(old.trim_end_matches('\n'), text.trim_end_matches('\n'));
                taken += 1;
                if sign == " " {
                    after += old;
                }
            }
        }
        last = sign;
    }
    after.extend(left);
    after
}

/// What it does to each of the trees as the files of a work tree.
pub fn carry_out(trees: &[Tree]) -> Vec<Answer> {
    let room = Room::of(trees);
    let rows = room.rows(&["reconcile", "--no-commit", "--yes"]);
    let answers = rows.iter().enumerate();
    answers
        .map(|(number, row)| room.read(number, row))
        .collect()
}

impl<'t> Room<'t> {
    fn of(trees: &'t [Tree]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let room = Self { folder, trees };
        for (number, tree) in trees.iter().enumerate() {
            let folder = room.tree(number);
            fs::create_dir(&folder).expect("a folder can be made");
            tree.write(&folder);
        }
        let namespace = policies().remove(0).namespace;
        let objects = objects(&namespace, trees).to_string();
        let file = room.folder.path().join("objects.json");
        fs::write(file, objects).expect("a file can be written");
        room
    }

    fn tree(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("tree-{number:03}"))
    }

    fn run(&self, command: &[&str], more: &[&str]) -> Vec<u8> {
        let namespace = policies().remove(0).namespace;
        let mut program = Command::new(env!("CARGO_BIN_EXE_kubectl-imageauto"));
        program.args(command);
        program.args(["-f", "objects.json", "--tags-from", "status", "-q"]);
        for number in 0..self.trees.len() {
            let folder = self.tree(number);
            program.arg("--worktree");
            program.arg(format!("{namespace}/tree-{number:03}={}", folder.display()));
        }
        let output = program
            .args(more)
            .current_dir(self.folder.path())
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null())
            .output()
            .expect("the program can be run");
        assert!(
            output.status.code().is_some(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// Applies a patch for all trees, which a line heads for each.
    fn apply_with_git(&self, text: &[u8]) {
        let mut patches = vec![Vec::new(); self.trees.len()];
        let mut number = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b"# ImageUpdateAutomation ") {
                let line = String::from_utf8_lossy(line);
                let (_, name) = line.split_once("/tree-").expect("it is named");
                number = name[..3].parse().expect("it ends in its number");
            } else {
                patches[number].extend(line);
            }
        }
        for (number, patch) in patches.iter().enumerate() {
            if !patch.is_empty() {
                let mut git = git();
                let apply = git.args(["apply", "--whitespace=nowarn"]);
                output(apply.current_dir(self.tree(number)), patch);
            }
        }
    }

    fn rows(&self, command: &[&str]) -> Vec<Value> {
        let printed = self.run(command, &["-o", "json"]);
        let mut printed: Value = serde_json::from_slice(&printed).expect("it prints JSON");
        let rows = printed["automations"].as_array_mut().expect("rows");
        assert_eq!(rows.len(), self.trees.len());
        std::mem::take(rows)
    }

    fn read(&self, number: usize, row: &Value) -> Answer {
        let tree = &self.trees[number];
        check_verdicts(row, tree);
        let after = tree.read(&self.tree(number));
        let Some(message) = row["error"]["message"].as_str() else {
            return Answer::Done {
                tree: after,
                problems: row["problemFiles"].as_array().map_or(0, Vec::len),
            };
        };
        assert_eq!(after, *tree, "a failed run changes nothing");
        Answer::Failed(bare(message))
    }
}

/// Every marker of every file that is read has one verdict, and one finding where it receives nothing.
fn check_verdicts(row: &Value, tree: &Tree) {
    if !row["error"].is_null()
        || tree.has_links()
        || !tree.below.trim_matches(['.', '/']).is_empty()
    {
        return;
    }
    let count = |value: &Value| value.as_u64().expect("a number");
    let markers = &row["markers"];
    let ignored = markers["ignored"].as_array().expect("a list");
    let told = count(&markers["applied"]) + count(&markers["upToDate"]) + ignored.len() as u64;
    assert_eq!(told, tree.count_markers() as u64, "{tree} {markers}");
    let findings = row["findings"].as_array().expect("a list");
    for marker in ignored {
        let is_about = |finding: &&Value| {
            ["path", "line", "column"]
                .iter()
                .all(|key| finding["subject"][key] == marker[key])
        };
        let about: Vec<&Value> = findings.iter().filter(is_about).collect();
        assert_eq!(about.len(), 1, "{tree} {marker} {about:?}");
        assert_eq!(about[0]["id"], marker["id"]);
    }
}

/// What a row of JSON says of a tree: its patches applied. They must be UTF-8.
pub fn answer(row: &Value, tree: &Tree) -> Answer {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    tree.write(folder.path());
    apply(row, folder.path());
    match row["error"]["message"].as_str() {
        Some(message) => Answer::Failed(bare(message)),
        None => Answer::Done {
            tree: tree.read(folder.path()),
            problems: row["problemFiles"].as_array().map_or(0, Vec::len),
        },
    }
}

/// A message of the controller, or one about its panic, as the Go program says it.
pub fn bare(message: &str) -> String {
    let told = message.split_once("), is caught, and tries again");
    match told.and_then(|(told, _)| told.split_once(" (runtime error: ")) {
        Some((_, panic)) => format!("panic: runtime error: {panic}"),
        None => message
            .strip_prefix("failed to apply policies: ")
            .unwrap_or(message)
            .to_owned(),
    }
}

fn objects(namespace: &str, trees: &[Tree]) -> Value {
    let object = |kind: &str, version: &str, name: &str, spec: Value| json!({"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace, "name": name}, "spec": spec});
    let mut items = Vec::new();
    for policy in policies() {
        let mut item = object(
            "ImagePolicy",
            "image.toolkit.fluxcd.io/v1",
            &policy.name,
            json!({"imageRepositoryRef": {"name": policy.name}, "policy": {"alphabetical": {}}}),
        );
        let digest = (!policy.digest.is_empty()).then_some(policy.digest);
        item["status"] =
            json!({"latestRef": {"name": policy.image, "tag": policy.tag, "digest": digest}});
        items.push(item);
    }
    for (number, tree) in trees.iter().enumerate() {
        let name = format!("tree-{number:03}");
        items.push(object(
            "ImageUpdateAutomation",
            "image.toolkit.fluxcd.io/v1",
            &name,
            json!({
                "interval": "5m",
                "sourceRef": {"kind": "GitRepository", "name": name},
                "git": {"checkout": {"ref": {"branch": "main"}}, "commit": {"author": {"email": "bot@example.com"}}},
                "update": {"strategy": "Setters", "path": tree.below},
            }),
        ));
    }
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}
