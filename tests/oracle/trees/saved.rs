//! Trees that came out differently once, each with the answer of the original, one JSON file each in `testdata/trees/`.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answer::Answer;
use super::tree::{Entry, Tree};

/// The names of the files, the trees in them, and the original's answers.
pub fn saved() -> (Vec<String>, Vec<Tree>, Vec<Answer>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/trees");
    let listing = fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> = listing.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == "json"));
    paths.sort();
    let (mut names, mut trees, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for path in paths {
        let text = fs::read_to_string(&path).expect("a saved tree can be read");
        let saved: Value = serde_json::from_str(&text).expect("a saved tree is JSON");
        let (tree, answer) = from_json(&saved);
        names.push(path.display().to_string());
        trees.push(tree);
        answers.push(answer);
    }
    (names, trees, answers)
}

/// A tree and the answer to it, as it is saved.
pub fn to_json(tree: &Tree, answer: &Answer) -> Value {
    let mut saved = json!({"below": tree.below, "entries": entries_to_json(tree.entries.iter())});
    match answer {
        Answer::Failed(message) => saved["fails"] = json!(message),
        Answer::Done { problems, .. } => {
            saved["changes"] = entries_to_json(answer.changed(tree).into_iter());
            saved["problemFiles"] = json!(problems);
        }
    }
    saved
}

fn from_json(saved: &Value) -> (Tree, Answer) {
    let tree = Tree {
        below: text(&saved["below"]),
        entries: entries(&saved["entries"]).collect(),
    };
    if let Some(message) = saved["fails"].as_str() {
        return (tree, Answer::Failed(message.to_owned()));
    }
    let mut after = tree.clone();
    after.entries.extend(entries(&saved["changes"]));
    let problems = saved["problemFiles"].as_u64().expect("a number");
    let problems = usize::try_from(problems).expect("a small number");
    (
        tree,
        Answer::Done {
            tree: after,
            problems,
        },
    )
}

fn entries_to_json<'a>(entries: impl Iterator<Item = (&'a Vec<u8>, &'a Entry)>) -> Value {
    entries
        .map(|(path, entry)| {
            let path = bytes_to_json(path);
            match entry {
                Entry::File(bytes) => json!({"path": path, "file": bytes_to_json(bytes)}),
                Entry::Link(target) => json!({"path": path, "link": bytes_to_json(target)}),
            }
        })
        .collect()
}

fn entries(saved: &Value) -> impl Iterator<Item = (Vec<u8>, Entry)> {
    let saved = saved.as_array().expect("a list of entries");
    saved.iter().map(|entry| {
        let made = match &entry["link"] {
            Value::Null => Entry::File(bytes(&entry["file"])),
            target => Entry::Link(bytes(target)),
        };
        (bytes(&entry["path"]), made)
    })
}

/// Text as it is, other bytes as base64.
fn bytes_to_json(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({"base64": STANDARD.encode(bytes)}),
    }
}

fn bytes(saved: &Value) -> Vec<u8> {
    match &saved["base64"] {
        Value::Null => text(saved).into_bytes(),
        encoded => STANDARD.decode(text(encoded)).expect("bytes are base64"),
    }
}

fn text(saved: &Value) -> String {
    saved.as_str().expect("a text").to_owned()
}
