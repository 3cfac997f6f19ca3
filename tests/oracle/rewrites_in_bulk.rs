//! Asks the running image-automation-controller what it makes of many files.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cluster::api::wait_for;
use crate::cluster::objects::{Condition, automation, git_repository, image_collection, settled_policy, verdict};
use crate::cluster::repository::Repository;
use crate::cluster::{ControlPlane, in_parallel};

/// A policy's latest image, in force for all files of one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// The policy's name.
    pub policy: String,
    /// `status.latestRef.name`.
    pub image: String,
    /// `status.latestRef.tag`.
    pub tag: String,
    /// `status.latestRef.digest`, which may be empty.
    pub digest: String,
}

/// What the controller made of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewritten {
    /// The file as it stands in the commit (as it was, where nothing changed), and the changes in the order in which a
    /// template sees them.
    File { bytes: Vec<u8>, changes: Vec<ReportedChange> },
    /// The file makes the whole run fail.
    Failed { reason: String, message: String },
}

/// A change, as the commit message template of the question reports it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReportedChange {
    #[serde(rename = "f")]
    file: String,
    /// `apiVersion`, kind, name and namespace of the object.
    #[serde(rename = "i")]
    pub object: [String; 4],
    /// The setter, `ns:name` and so on.
    #[serde(rename = "s")]
    pub setter: String,
    /// The value before.
    #[serde(rename = "o")]
    pub old: String,
    /// The value after.
    #[serde(rename = "n")]
    pub new: String,
}

/// Files of one repository; several of these are under way at a time.
const BATCH: usize = 200;

/// One line of JSON for each change.
const TEMPLATE: &str = "{{range $f, $o := .Changed.FileChanges}}{{range $id, $cs := $o}}{{range $cs}}\
    {{dict \"f\" $f \"i\" (list $id.APIVersion $id.Kind $id.Name $id.Namespace) \"s\" .Setter \"o\" .OldValue \"n\" .NewValue | toJson}}\
    {{\"\\n\"}}{{end}}{{end}}{{end}}";

/// Has the controller rewrite `files`, each on its own, with the policies of `namespace` at these images.
///
/// `namespace` is used by no other question. A file that makes a run fail is found by halving its batch.
pub fn rewrites_in_bulk(
    plane: &ControlPlane,
    namespace: &str,
    latest: &[Latest],
    files: &[Vec<u8>],
) -> Vec<Rewritten> {
    settle_policies(plane, namespace, latest);
    let numbers: Vec<usize> = (0..files.len()).collect();
    let mut open: Vec<Vec<usize>> = numbers.chunks(BATCH).map(<[usize]>::to_vec).collect();
    let mut answers: Vec<Option<Rewritten>> = vec![None; files.len()];
    for round in 0.. {
        if open.is_empty() {
            break;
        }
        let results = run_batches(plane, namespace, round, &open, files);
        let mut halves = Vec::new();
        for (batch, result) in open.into_iter().zip(results) {
            match result {
                Ok(rewritten) => {
                    for (number, answer) in batch.into_iter().zip(rewritten) {
                        answers[number] = Some(answer);
                    }
                }
                Err(failure) if batch.len() == 1 => {
                    answers[batch[0]] = Some(Rewritten::Failed { reason: failure.reason, message: failure.message });
                }
                Err(_) => {
                    let (first, second) = batch.split_at(batch.len() / 2);
                    halves.extend([first.to_vec(), second.to_vec()]);
                }
            }
        }
        open = halves;
    }
    plane.api.delete_all(&image_collection(namespace, "imageupdateautomations"));
    answers.into_iter().map(|answer| answer.expect("every file is in a batch")).collect()
}

/// Makes a namespace with policies that the reflector leaves alone, at these images.
pub fn settle_policies(plane: &ControlPlane, namespace: &str, latest: &[Latest]) {
    plane.create_namespace(namespace);
    in_parallel(latest, |latest| {
        let policy = settled_policy(namespace, &latest.policy, &latest.image, &latest.tag, &latest.digest);
        plane.api.create(&policy).unwrap_or_else(|refusal| panic!("{}: {refusal:?}", latest.policy));
        plane.api.write_status(&policy).unwrap_or_else(|refusal| panic!("{}: {refusal:?}", latest.policy));
    });
}

/// One automation for each batch, all at a time.
fn run_batches(
    plane: &ControlPlane,
    namespace: &str,
    round: usize,
    batches: &[Vec<usize>],
    files: &[Vec<u8>],
) -> Vec<Result<Vec<Rewritten>, Condition>> {
    let names: Vec<(String, &Vec<usize>)> =
        batches.iter().enumerate().map(|(index, batch)| (format!("{namespace}-{round}-{index}"), batch)).collect();
    let repositories = in_parallel(&names, |(name, batch)| {
        let paths: Vec<(String, &[u8])> =
            batch.iter().map(|number| (file_name(*number), files[*number].as_slice())).collect();
        let repository = Repository::create(plane, name, paths.iter().map(|(path, bytes)| (path.as_str(), *bytes)));
        let commit = json!({"messageTemplate": TEMPLATE});
        for object in [
            git_repository(namespace, name, &repository.url),
            automation(namespace, name, name, &commit, "main"),
        ] {
            plane.api.create(&object).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        }
        repository
    });
    let verdicts = wait_for_automations(plane, namespace, &names.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
    repositories
        .iter()
        .zip(&names)
        .map(|(repository, (name, batch))| {
            let verdict = &verdicts[name.as_str()];
            if verdict.ready { Ok(read_batch(repository, batch)) } else { Err(verdict.clone()) }
        })
        .collect()
}

/// Waits until the controller has come to a verdict on each of these automations.
pub fn wait_for_automations<'a>(
    plane: &ControlPlane,
    namespace: &str,
    names: &[&'a str],
) -> BTreeMap<&'a str, Condition> {
    let collection = image_collection(namespace, "imageupdateautomations");
    wait_for(&format!("{} automations in {namespace}", names.len()), Duration::from_secs(300), || {
        let objects = plane.api.list(&collection);
        let by_name: BTreeMap<&str, &Value> =
            objects.iter().filter_map(|object| Some((object["metadata"]["name"].as_str()?, object))).collect();
        names.iter().map(|name| Some((*name, verdict(by_name.get(name)?)?))).collect()
    })
}

fn read_batch(repository: &Repository, batch: &[usize]) -> Vec<Rewritten> {
    let head = repository.head("main").expect("main exists");
    let commit = repository.commit(&head);
    let mut changes: BTreeMap<String, Vec<ReportedChange>> = BTreeMap::new();
    if !commit.parents.is_empty() {
        for line in commit.message.lines().filter(|line| !line.is_empty()) {
            let change: ReportedChange = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            changes.entry(change.file.clone()).or_default().push(change);
        }
    }
    let mut files = repository.files(&head);
    batch
        .iter()
        .map(|number| {
            let name = file_name(*number);
            let (_, bytes) = files.remove(&name).unwrap_or_else(|| panic!("{name} is gone"));
            Rewritten::File { bytes, changes: changes.remove(&name).unwrap_or_default() }
        })
        .collect()
}

fn file_name(number: usize) -> String {
    format!("f{number}.yaml")
}

#[test]
fn a_file_that_fails_is_found_among_those_that_do_not() {
    let Some(plane) = crate::cluster::control_plane() else { return };
    let latest = [Latest {
        policy: "app".into(),
        image: "registry.example.com/app".into(),
        tag: "2.0.0".into(),
        digest: String::new(),
    }];
    let marked = |old: &str| {
        format!("kind: Pod\nmetadata:\n  name: x\nspec:\n  image: {old} # {{\"$imagepolicy\": \"halving:app\"}}\n")
    };
    let mut files: Vec<Vec<u8>> = (0..250).map(|number| marked(&format!("app:{number}")).into_bytes()).collect();
    let foreign_path = "  annotations:\n    config.kubernetes.io/path: elsewhere.yaml\nspec:";
    files[201] = marked("app:201").replace("spec:", foreign_path).into_bytes();
    let answers = rewrites_in_bulk(plane, "halving", &latest, &files);
    for (number, answer) in answers.iter().enumerate() {
        match answer {
            Rewritten::Failed { reason, message } => {
                assert_eq!((number, reason.as_str()), (201, "UpdateFailed"), "{message}");
                assert!(message.contains("mismatched"), "{message}");
            }
            Rewritten::File { bytes, changes } => {
                assert_ne!(number, 201);
                assert_eq!(String::from_utf8_lossy(bytes), marked("registry.example.com/app:2.0.0"));
                assert_eq!(changes[0].old, format!("app:{number}"));
                assert_eq!(changes[0].setter, "halving:app");
                assert_eq!(changes[0].object, ["", "Pod", "x", ""]);
            }
        }
    }
}
