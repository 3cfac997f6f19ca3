//! The running controller on trees, each a branch of one repository, beside what we say of a clone of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::answer::Answer;
use super::ours;
use super::tree::{Entry, Tree};
use crate::cluster::clusters::ADMINISTRATOR;
use crate::cluster::command_line::{Home, OURS, run};
use crate::cluster::objects::{automation, git_repository};
use crate::cluster::repository::Repository;
use crate::cluster::{ControlPlane, in_parallel};
use crate::oracle::recording::{Latest, Scope};
use crate::oracle::rewrites_in_bulk::{settle_policies, wait_for_automations};
use crate::oracle::yaml::policies;

/// A namespace that no other suite uses.
const NAMESPACE: &str = "trees";

/// What we say of each tree, and what the controller then does.
pub fn ask(plane: &ControlPlane, trees: &[Tree]) -> Vec<(Answer, Answer)> {
    settle_policies(plane, &scope());
    let repository = Repository::create(plane, NAMESPACE, []);
    repository.run(&["fast-import", "--quiet"], &stream(trees));
    let source = git_repository(NAMESPACE, NAMESPACE, &repository.url);
    plane.api.create(&source).expect("it is new");
    let numbers: Vec<usize> = (0..trees.len()).collect();
    in_parallel(&numbers, |number| {
        let object = suspended(*number, &trees[*number]);
        plane.api.create(&object).expect("it is new");
    });
    let foretold = foretold(plane, trees);
    // The controller comes to no verdict on what it panics on.
    let panics =
        |answer: &Answer| matches!(answer, Answer::Failed(why) if why.starts_with("panic"));
    let judged: Vec<usize> = numbers
        .into_iter()
        .filter(|number| !panics(&foretold[*number]))
        .collect();
    in_parallel(&judged, |number| {
        let path = format!(
            "/apis/image.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/imageupdateautomations/{}",
            name(*number)
        );
        let resumed = json!({"spec": {"suspend": false}});
        plane.api.merge(&path, &resumed).expect("it is there");
    });
    let names: Vec<String> = judged.iter().map(|number| name(*number)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let verdicts = wait_for_automations(plane, NAMESPACE, &names);
    judged
        .into_iter()
        .zip(names)
        .map(|(number, name)| {
            let verdict = &verdicts[name];
            let done = if verdict.ready {
                committed(&repository, name, &trees[number], &foretold[number])
            } else {
                Answer::Failed(ours::bare(&anonymous(&verdict.message)))
            };
            (foretold[number].clone(), done)
        })
        .collect()
}

fn name(number: usize) -> String {
    format!("tree-{number:03}")
}

fn scope() -> Scope {
    let latest = policies().into_iter().map(|policy| Latest {
        policy: policy.name,
        image: policy.image,
        tag: policy.tag,
        digest: policy.digest,
    });
    Scope {
        namespace: NAMESPACE.to_owned(),
        latest: latest.collect(),
    }
}

/// The trees with markers of this namespace.
pub fn moved(mut tree: Tree) -> Tree {
    let old = policies().remove(0).namespace;
    for entry in tree.entries.values_mut() {
        if let Entry::File(bytes) = entry
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            *bytes = text.replace(&old, NAMESPACE).into_bytes();
        }
    }
    tree
}

/// What makes a branch of each tree.
fn stream(trees: &[Tree]) -> Vec<u8> {
    let mut stream = Vec::new();
    for (number, tree) in trees.iter().enumerate() {
        let name = name(number);
        stream.extend(
            format!("commit refs/heads/{name}\ncommitter Someone <someone@example.com> 1700000000 +0000\ndata 0\n")
                .bytes(),
        );
        for (path, entry) in &tree.entries {
            let (mode, bytes) = match entry {
                Entry::File(bytes) => ("100644", bytes),
                Entry::Link(target) => ("120000", target),
            };
            let path = quoted(path);
            stream.extend(format!("M {mode} inline {path}\ndata {}\n", bytes.len()).bytes());
            stream.extend(bytes);
            stream.push(b'\n');
        }
    }
    stream
}

/// A path as git quotes it.
fn quoted(path: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for byte in path {
        write!(quoted, "\\{byte:03o}").expect("a text can be written");
    }
    quoted + "\""
}

fn suspended(number: usize, tree: &Tree) -> Value {
    let name = name(number);
    let mut object = automation(NAMESPACE, &name, NAMESPACE, &json!({}), &name);
    object["spec"]["suspend"] = json!(true);
    object["spec"]["git"]["checkout"] = json!({"ref": {"branch": name}});
    object["spec"]["update"]["path"] = json!(tree.below);
    object
}

/// What we say of clones of the repository.
fn foretold(plane: &ControlPlane, trees: &[Tree]) -> Vec<Answer> {
    let home = Home::new();
    let mut command = home.command(OURS, &plane.cluster, ADMINISTRATOR);
    command.args([
        "diff",
        "-n",
        NAMESPACE,
        "--tags-from",
        "status",
        "-q",
        "-o",
        "json",
    ]);
    let ran = run(&mut command);
    let printed: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    let rows: BTreeMap<&str, &Value> = printed["automations"]
        .as_array()
        .expect("rows")
        .iter()
        .filter_map(|row| Some((row["name"].as_str()?, row)))
        .collect();
    let each = trees.iter().enumerate();
    each.map(|(number, tree)| ours::answer(rows[name(number).as_str()], tree))
        .collect()
}

/// What the controller has committed. It says nowhere how many files it couldn't read.
fn committed(repository: &Repository, branch: &str, tree: &Tree, foretold: &Answer) -> Answer {
    let files = repository.files(branch);
    let entries = files.into_iter().map(|(path, (mode, bytes))| {
        let entry = match mode.as_str() {
            "120000" => Entry::Link(bytes),
            _ => Entry::File(bytes),
        };
        (path.into_bytes(), entry)
    });
    Answer::Done {
        tree: Tree {
            below: tree.below.clone(),
            entries: entries.collect(),
        },
        problems: match foretold {
            Answer::Done { problems, .. } => *problems,
            Answer::Failed(_) => 0,
        },
    }
}

/// A message without the folder of the controller's clone, which is named for the GitRepository.
fn anonymous(message: &str) -> String {
    let mut told = message.to_owned();
    while let Some(at) = told.find(&format!("/{NAMESPACE}-{NAMESPACE}")) {
        let start = told[..at].rfind([' ', '"']).map_or(0, |space| space + 1);
        let behind = &told[at + 1..];
        let end = behind.find(['/', ' ', ':']).unwrap_or(behind.len());
        told.replace_range(start..at + 1 + end, "<clone>");
    }
    told
}
