//! Asks the running image-automation-controller what it makes of many files.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::generator::Generator;
use super::judgement::{Tally, judge_rewrite};
use super::manifests_as_written::{manifest_as_written, scope_of_manifests};
use super::recorder::record_or_compare;
use super::recording::{ReportedChange, RewriteRecord, Rewritten, Scope, Text};
use crate::cluster::api::wait_for;
use crate::cluster::objects::{
    Condition, automation, git_repository, image_collection, settled_policy, verdict,
};
use crate::cluster::repository::Repository;
use crate::cluster::{ControlPlane, in_parallel, tell};

/// Files of one repository; several of these are under way at a time.
const BATCH: usize = 200;

/// One line of JSON for each change.
pub const CHANGES_TEMPLATE: &str = "{{range $f, $o := .Changed.FileChanges}}{{range $id, $cs := $o}}{{range $cs}}\
    {{dict \"file\" $f \"object\" (list $id.APIVersion $id.Kind $id.Name $id.Namespace) \
    \"setter\" .Setter \"old\" .OldValue \"new\" .NewValue | toJson}}{{\"\\n\"}}{{end}}{{end}}{{end}}";

#[derive(Deserialize)]
struct ReportedLine {
    file: String,
    #[serde(flatten)]
    change: ReportedChange,
}

/// What one run over a batch gave.
enum BatchResult {
    Rewritten(Vec<Rewritten>),
    /// The files can't be told apart: the run failed, or made files that could be anyone's.
    Mixed(Rewritten),
}

/// Has the controller rewrite `files`, each on its own, with the policies of `scope`.
///
/// The namespace is used by no other question. A file that makes a run fail is found by halving its batch.
pub fn rewrites_in_bulk(plane: &ControlPlane, scope: &Scope, files: &[Vec<u8>]) -> Vec<Rewritten> {
    settle_policies(plane, scope);
    let numbers: Vec<usize> = (0..files.len()).collect();
    let mut open: Vec<Vec<usize>> = numbers.chunks(BATCH).map(<[usize]>::to_vec).collect();
    let mut answers: Vec<Option<Rewritten>> = vec![None; files.len()];
    let mut round = 0;
    while !open.is_empty() {
        let results = run_batches(plane, &scope.namespace, round, &open, files);
        let mut halves = Vec::new();
        for (batch, result) in open.into_iter().zip(results) {
            match result {
                BatchResult::Rewritten(rewritten) => {
                    for (number, answer) in batch.into_iter().zip(rewritten) {
                        answers[number] = Some(answer);
                    }
                }
                BatchResult::Mixed(answer) if batch.len() == 1 => answers[batch[0]] = Some(answer),
                BatchResult::Mixed(_) => {
                    let (first, second) = batch.split_at(batch.len() / 2);
                    halves.extend([first.to_vec(), second.to_vec()]);
                }
            }
        }
        open = halves;
        round += 1;
    }
    plane.api.delete_all(&image_collection(
        &scope.namespace,
        "imageupdateautomations",
    ));
    answers
        .into_iter()
        .map(|answer| answer.expect("every file is in a batch"))
        .collect()
}

/// Makes a namespace with policies that the reflector leaves alone, at these images.
pub fn settle_policies(plane: &ControlPlane, scope: &Scope) {
    plane.create_namespace(&scope.namespace);
    in_parallel(&scope.latest, |latest| {
        let policy = settled_policy(
            &scope.namespace,
            &latest.policy,
            &latest.image,
            &latest.tag,
            &latest.digest,
        );
        plane
            .api
            .create(&policy)
            .unwrap_or_else(|refusal| panic!("{}: {refusal:?}", latest.policy));
        plane
            .api
            .write_status(&policy)
            .unwrap_or_else(|refusal| panic!("{}: {refusal:?}", latest.policy));
    });
}

/// One automation for each batch, all at a time.
fn run_batches(
    plane: &ControlPlane,
    namespace: &str,
    round: usize,
    batches: &[Vec<usize>],
    files: &[Vec<u8>],
) -> Vec<BatchResult> {
    let names: Vec<(String, &Vec<usize>)> = batches
        .iter()
        .enumerate()
        .map(|(index, batch)| (format!("{namespace}-{round}-{index}"), batch))
        .collect();
    let repositories = in_parallel(&names, |(name, batch)| {
        let paths: Vec<(String, &[u8])> = batch
            .iter()
            .map(|number| (file_name(*number), files[*number].as_slice()))
            .collect();
        let repository = Repository::create(
            plane,
            name,
            paths.iter().map(|(path, bytes)| (path.as_str(), *bytes)),
        );
        let commit = json!({"messageTemplate": CHANGES_TEMPLATE});
        for object in [
            git_repository(namespace, name, &repository.url),
            automation(namespace, name, name, &commit, "main"),
        ] {
            plane
                .api
                .create(&object)
                .unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        }
        repository
    });
    let all: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    let verdicts = wait_for_automations(plane, namespace, &all);
    repositories
        .iter()
        .zip(&names)
        .map(|(repository, (name, batch))| {
            let verdict = &verdicts[name.as_str()];
            if verdict.ready {
                return read_batch(repository, batch);
            }
            BatchResult::Mixed(Rewritten::Failed {
                reason: verdict.reason.clone(),
                message: verdict.message.clone(),
            })
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
    wait_for(
        &format!("{} automations in {namespace}", names.len()),
        Duration::from_secs(300),
        || {
            let objects = plane.api.list(&collection);
            let by_name: BTreeMap<&str, &Value> = objects
                .iter()
                .filter_map(|object| Some((object["metadata"]["name"].as_str()?, object)))
                .collect();
            names
                .iter()
                .map(|name| Some((*name, verdict(by_name.get(name)?)?)))
                .collect()
        },
    )
}

/// The changes that a message of [`CHANGES_TEMPLATE`] tells: the file's path and the change.
pub fn reported_changes(message: &str) -> Vec<(String, ReportedChange)> {
    message
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let reported: ReportedLine =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            (reported.file, reported.change)
        })
        .collect()
}

fn read_batch(repository: &Repository, batch: &[usize]) -> BatchResult {
    let head = repository.head("main").expect("main exists");
    let commit = repository.commit(&head);
    let mut changes: BTreeMap<String, Vec<ReportedChange>> = BTreeMap::new();
    if !commit.parents.is_empty() {
        for (file, change) in reported_changes(&commit.message) {
            changes.entry(file).or_default().push(change);
        }
    }
    let mut files: BTreeMap<String, Text> = repository
        .files(&head)
        .into_iter()
        .map(|(path, (_, bytes))| (path, Text::from(bytes)))
        .collect();
    let mut answers: Vec<Rewritten> = batch
        .iter()
        .map(|number| {
            let name = file_name(*number);
            let text = files
                .remove(&name)
                .unwrap_or_else(|| panic!("{name} is gone"));
            Rewritten::File {
                text,
                changes: changes.remove(&name).unwrap_or_default(),
                created: Vec::new(),
            }
        })
        .collect();
    if files.is_empty() && changes.is_empty() {
        return BatchResult::Rewritten(answers);
    }
    // A List was taken apart: its items are files of their own, and their changes name no file.
    let Rewritten::File {
        text, changes: own, ..
    } = answers.swap_remove(0)
    else {
        return BatchResult::Rewritten(answers);
    };
    let all = own
        .into_iter()
        .chain(changes.into_values().flatten())
        .collect();
    BatchResult::Mixed(Rewritten::File {
        text,
        changes: all,
        created: files.into_iter().collect(),
    })
}

fn file_name(number: usize) -> String {
    format!("f{number}.yaml")
}

#[test]
fn manifests_are_rewritten_as_by_the_running_controller() {
    let Some(plane) = crate::cluster::control_plane() else {
        return;
    };
    let scope = scope_of_manifests("manifests");
    let mut generator = Generator::new(20_260_601);
    let files: Vec<Vec<u8>> = (0..2000)
        .map(|_| manifest_as_written(&mut generator, &scope.namespace).into_bytes())
        .collect();
    let answers = rewrites_in_bulk(plane, &scope, &files);
    let records: Vec<RewriteRecord> = files
        .into_iter()
        .zip(answers)
        .map(|(file, answer)| RewriteRecord {
            input: Text::from(file),
            answer,
        })
        .collect();
    let changes: usize = records
        .iter()
        .map(|record| match &record.answer {
            Rewritten::File { changes, .. } => changes.len(),
            Rewritten::Failed { .. } => 0,
        })
        .sum();
    let tally = Tally::of(records.iter().map(|record| judge_rewrite(&scope, record)));
    tell(&format!("{} ({changes} changes)", tally.line("rewrites")));
    record_or_compare(
        "rewrites",
        scope,
        &records,
        500,
        |record| &record.input,
        |_| true,
    );
    tally.assert_all_agree("rewrites");
    assert!(changes > records.len(), "most manifests hold a marker");
}

#[test]
fn hard_yaml_is_rewritten_as_by_the_running_controller() {
    let Some(plane) = crate::cluster::control_plane() else {
        return;
    };
    let policies = super::yaml::policies();
    let scope = Scope {
        namespace: policies[0].namespace.clone(),
        latest: policies
            .into_iter()
            .map(|policy| super::recording::Latest {
                policy: policy.name,
                image: policy.image,
                tag: policy.tag,
                digest: policy.digest,
            })
            .collect(),
    };
    let files = super::yaml::marked_texts(20_261_101, 2400);
    let answers = rewrites_in_bulk(plane, &scope, &files);
    let records: Vec<RewriteRecord> = files
        .into_iter()
        .zip(answers)
        .map(|(file, answer)| RewriteRecord {
            input: Text::from(file),
            answer,
        })
        .collect();
    let tally = Tally::of(records.iter().map(|record| judge_rewrite(&scope, record)));
    tell(&tally.line("hard YAML"));
    tally.assert_all_agree("hard YAML");
}

#[test]
fn a_file_that_fails_is_found_among_those_that_do_not() {
    let Some(plane) = crate::cluster::control_plane() else {
        return;
    };
    let scope = Scope {
        namespace: "halving".into(),
        latest: vec![super::recording::Latest {
            policy: "app".into(),
            image: "registry.example.com/app".into(),
            tag: "2.0.0".into(),
            digest: String::new(),
        }],
    };
    let marked = |old: &str| {
        format!(
            "kind: Pod\nmetadata:\n  name: x\nspec:\n  image: {old} # {{\"$imagepolicy\": \"halving:app\"}}\n"
        )
    };
    let mut files: Vec<Vec<u8>> = (0..250)
        .map(|number| marked(&format!("app:{number}")).into_bytes())
        .collect();
    let foreign_path = "  annotations:\n    config.kubernetes.io/path: elsewhere.yaml\nspec:";
    files[201] = marked("app:201")
        .replace("spec:", foreign_path)
        .into_bytes();
    let answers = rewrites_in_bulk(plane, &scope, &files);
    for (number, answer) in answers.iter().enumerate() {
        match answer {
            Rewritten::Failed { reason, message } => {
                assert_eq!(
                    (number, reason.as_str()),
                    (201, "UpdateFailed"),
                    "{message}"
                );
                assert!(message.contains("mismatched"), "{message}");
            }
            Rewritten::File {
                text,
                changes,
                created,
            } => {
                assert_ne!(number, 201);
                assert_eq!(*text, Text::Utf8(marked("registry.example.com/app:2.0.0")));
                let change = ReportedChange {
                    object: ["", "Pod", "x", ""].map(str::to_owned),
                    setter: "halving:app".to_owned(),
                    old: format!("app:{number}"),
                    new: "registry.example.com/app:2.0.0".to_owned(),
                };
                assert_eq!(*changes, [change]);
                assert_eq!(*created, []);
            }
        }
    }
}
