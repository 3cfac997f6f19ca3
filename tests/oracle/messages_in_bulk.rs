//! Asks the running image-automation-controller what many commit message templates make of one update.

use std::collections::BTreeMap;

use imageauto::controllers::message::{MessageError, MessageInput, Rules, possible};
use imageauto::controllers::setters::SourceFile;
use imageauto::controllers::setters::changes::FileChanges;
use serde_json::{Map, Value, json};

use super::generator::Generator;
use super::judgement::{Tally, judge_message, message_is_certain, update_of};
use super::messages::{message_case, plain_message_case};
use super::recorder::record_or_compare;
use super::recording::{
    Latest, MessageAnswer, MessageQuestion, MessageRecord, MessageScope, Scope,
};
use super::rewrites_in_bulk::{
    CHANGES_TEMPLATE, reported_changes, settle_policies, wait_for_automations,
};
use crate::cluster::objects::{automation, git_repository, image_collection};
use crate::cluster::repository::Repository;
use crate::cluster::{ControlPlane, in_parallel, tell};

/// Templates for each repository: every run fetches the branches of all the others.
const TEMPLATES_OF_ONE_REPOSITORY: usize = 20;

/// Has the controller commit one update of `files` with each template: `spec.update.path` is the repository's top, and
/// each automation pushes to a branch of its own name. The namespace is used by no other question.
pub fn messages_in_bulk(
    plane: &ControlPlane,
    scope: Scope,
    files: Vec<(String, String)>,
    questions: &[MessageQuestion],
) -> (MessageScope, Vec<MessageRecord>) {
    let namespace = scope.namespace.as_str();
    settle_policies(plane, &scope);
    // One question more: what there is to tell.
    let mut asked = questions.to_vec();
    asked.push(MessageQuestion {
        automation: "changes".to_owned(),
        template: CHANGES_TEMPLATE.to_owned(),
        values: Vec::new(),
    });
    let parts: Vec<_> = asked
        .chunks(TEMPLATES_OF_ONE_REPOSITORY)
        .enumerate()
        .collect();
    let begun = in_parallel(&parts, |(number, part)| {
        let source = format!("{namespace}-{number}");
        let start = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_bytes()));
        let repository = Repository::create(plane, &source, start);
        plane
            .api
            .create(&git_repository(namespace, &source, &repository.url))
            .unwrap_or_else(|refusal| panic!("{refusal:?}"));
        let refusals: Vec<Option<String>> = part
            .iter()
            .map(|question| begin(plane, namespace, &source, question))
            .collect();
        (repository, refusals)
    });
    let refusals: Vec<Option<String>> = begun
        .iter()
        .flat_map(|(_, refusals)| refusals.clone())
        .collect();
    let admitted: Vec<&str> = asked
        .iter()
        .zip(&refusals)
        .filter(|(_, refused)| refused.is_none())
        .map(|(question, _)| question.automation.as_str())
        .collect();
    let verdicts = wait_for_automations(plane, namespace, &admitted);
    plane
        .api
        .delete_all(&image_collection(namespace, "imageupdateautomations"));
    let messages = in_parallel(&begun, |(repository, _)| {
        let pushed = repository
            .heads()
            .into_iter()
            .filter(|(branch, _)| branch != "main");
        pushed
            .map(|(branch, head)| (branch, repository.commit(&head).message))
            .collect::<Vec<_>>()
    });
    let messages: BTreeMap<String, String> = messages.into_iter().flatten().collect();
    let message = |name: &str| {
        let message = messages.get(name);
        message
            .unwrap_or_else(|| panic!("{name} pushed nothing"))
            .clone()
    };
    let changed = reported_changes(&message("changes"));
    let records = questions
        .iter()
        .zip(refusals)
        .map(|(question, refused)| {
            let answer = match (refused, verdicts.get(question.automation.as_str())) {
                (Some(refusal), _) => MessageAnswer::Refused(refusal),
                (None, Some(verdict)) if !verdict.ready => {
                    MessageAnswer::Failure(verdict.reason.clone(), verdict.message.clone())
                }
                _ => MessageAnswer::Message(message(&question.automation)),
            };
            MessageRecord {
                question: question.clone(),
                answer,
            }
        })
        .collect();
    let update = MessageScope {
        scope,
        files,
        changed,
    };
    (update, records)
}

/// Creates the automation of a question; gives the API server's refusal, if it is one.
fn begin(
    plane: &ControlPlane,
    namespace: &str,
    source: &str,
    question: &MessageQuestion,
) -> Option<String> {
    let name = question.automation.as_str();
    let values: Map<String, Value> = question
        .values
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    let commit = json!({"messageTemplate": question.template, "messageTemplateValues": values});
    let object = automation(namespace, name, source, &commit, name);
    plane
        .api
        .create(&object)
        .err()
        .map(|refusal| refusal.message)
}

const POD: &str = "apiVersion: v1
kind: Pod
metadata:
  name: checkout
  namespace: shop
spec:
  containers:
    - name: checkout
      image: registry.example.com/team/checkout:1.2.3 # {\"$imagepolicy\": \"NS:checkout\"}
    - name: worker
      image: registry.example.com/team/worker:v1 # {\"$imagepolicy\": \"NS:worker\"}
";

const KUSTOMIZATION: &str = "kind: Kustomization
images:
  - name: checkout
    newName: checkout # {\"$imagepolicy\": \"NS:checkout:name\"}
    newTag: 1.0.0 # {\"$imagepolicy\": \"NS:checkout:tag\"}
---
kind: Deployment
metadata: {name: worker}
spec: {image: \"worker:1\"} # {\"$imagepolicy\": \"NS:worker\"}
";

/// A question whose message the controller can be asked for: every second template is from the whole grammar.
fn question(
    generator: &mut Generator,
    number: usize,
    namespace: &str,
    changed: &[FileChanges],
) -> MessageQuestion {
    loop {
        let case = match number % 2 {
            0 => message_case(generator),
            _ => plain_message_case(generator),
        };
        let automation = format!("m{number}");
        let input = MessageInput {
            namespace,
            name: &automation,
            changed,
            rules: Rules::Current,
            ..case.input()
        };
        let possible = possible(&input, 1000);
        // What takes too much here would take all of the controller there; a commit's message ends at a null byte; a
        // recording is to stay small.
        let can_be_asked = |outcome: &Result<Vec<u8>, MessageError>| match outcome {
            Ok(text) => text.len() < 10_000 && !text.contains(&0),
            Err(error) => !matches!(
                error,
                MessageError::TooLarge { .. } | MessageError::Unsupported { .. }
            ),
        };
        if possible.all && possible.outcomes.iter().all(can_be_asked) {
            return MessageQuestion {
                automation,
                template: case.template,
                values: case.values.into_iter().collect(),
            };
        }
    }
}

fn source_file((path, text): &(String, String)) -> SourceFile<'_> {
    SourceFile {
        path,
        bytes: text.as_bytes(),
    }
}

/// Half of the templates see the changes of one object, whose order is certain; the others those of several files.
#[test]
fn generated_messages_are_as_the_running_controller_commits_them() {
    let Some(plane) = crate::cluster::control_plane() else {
        return;
    };
    let updates: [(&str, &[(&str, &str)]); 2] = [
        ("messages-one-object", &[("pod.yaml", POD)]),
        (
            "messages-several-files",
            &[
                ("apps/pod.yaml", POD),
                ("kustomization.yaml", KUSTOMIZATION),
                ("z/\u{e9}.yml", POD),
            ],
        ),
    ];
    let mut tally = Tally::default();
    for (seed, (namespace, files)) in (1..).zip(updates) {
        let mut generator = Generator::new(seed);
        let files: Vec<(String, String)> = files
            .iter()
            .map(|(path, text)| {
                (
                    (*path).to_owned(),
                    text.replace("NS:", &format!("{namespace}:")),
                )
            })
            .collect();
        let latest = |policy: &str, tag: &str| Latest {
            policy: policy.to_owned(),
            image: format!("registry.example.com/team/{policy}"),
            tag: tag.to_owned(),
            digest: String::new(),
        };
        let scope = Scope {
            namespace: namespace.to_owned(),
            latest: vec![
                latest("checkout", "1.4.0"),
                latest("worker", "2026.06.01-abc1234"),
            ],
        };
        let sources: Vec<SourceFile<'_>> = files.iter().map(source_file).collect();
        let changed = update_of(&scope, &sources)
            .expect("the files can be read")
            .changed;
        let questions: Vec<MessageQuestion> = (0..150)
            .map(|number| question(&mut generator, number, namespace, &changed))
            .collect();
        let (update, records) = messages_in_bulk(plane, scope, files, &questions);
        for record in &records {
            tally.count(judge_message(&update, record));
        }
        record_or_compare(
            namespace,
            update.clone(),
            &records,
            150,
            |record| &record.question,
            |record| message_is_certain(&update, &record.question),
        );
    }
    tell(&tally.line("messages"));
    tally.assert_all_agree("messages");
}

#[test]
fn messages_are_rendered_or_fail() {
    let Some(plane) = crate::cluster::control_plane() else {
        return;
    };
    let scope = Scope {
        namespace: "messages-smoke".into(),
        latest: vec![Latest {
            policy: "app".into(),
            image: "registry.example.com/app".into(),
            tag: "2.0.0".into(),
            digest: String::new(),
        }],
    };
    let pod = "kind: Pod\nspec:\n  image: app:1 # {\"$imagepolicy\": \"messages-smoke:app\"}\n";
    let question = |number: usize, template: &str| MessageQuestion {
        automation: format!("m{number}"),
        template: template.to_owned(),
        values: vec![("team".to_owned(), "shop".to_owned())],
    };
    let (update, records) = messages_in_bulk(
        plane,
        scope,
        vec![("pod.yaml".into(), pod.into())],
        &[
            question(0, ""),
            question(
                1,
                "{{.AutomationObject}} for {{.Values.team}}\n{{range .Changed.Changes}}{{.OldValue}}{{end}}\n\n",
            ),
            question(2, "{{now}}"),
            question(3, "{{.Updated.Images}}"),
        ],
    );
    assert_eq!(update.changed.len(), 1);
    let answer = |number: usize| &records[number].answer;
    let message = |text: &str| MessageAnswer::Message(text.to_owned());
    assert_eq!(*answer(0), message("Update from image update automation"));
    assert_eq!(*answer(1), message("messages-smoke/m1 for shop\napp:1\n\n"));
    let MessageAnswer::Failure(reason, text) = answer(2) else {
        panic!("{:?}", answer(2))
    };
    assert_eq!(reason, "GitOperationFailed");
    assert!(text.ends_with("function \"now\" not defined"), "{text}");
    let MessageAnswer::Failure(reason, _) = answer(3) else {
        panic!("{:?}", answer(3))
    };
    assert_eq!(reason, "RemovedTemplateField");
    Tally::of(records.iter().map(|record| judge_message(&update, record)))
        .assert_all_agree("four messages");
}
