//! Asks the running image-automation-controller what many commit message templates make of one update.

use serde_json::{Map, Value, json};

use super::recording::{MessageAnswer, MessageQuestion, MessageScope};
use super::rewrites_in_bulk::{settle_policies, wait_for_automations};
use crate::cluster::objects::{automation, git_repository, image_collection};
use crate::cluster::repository::Repository;
use crate::cluster::{ControlPlane, in_parallel};

/// Has the controller commit one update with each template: `spec.update.path` is the repository's top, and each
/// automation pushes to a branch of its own name. The namespace is used by no other question.
pub fn messages_in_bulk(
    plane: &ControlPlane,
    update: &MessageScope,
    questions: &[MessageQuestion],
) -> Vec<MessageAnswer> {
    let namespace = update.scope.namespace.as_str();
    settle_policies(plane, &update.scope);
    let files = update
        .files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_bytes()));
    let repository = Repository::create(plane, namespace, files);
    let source = git_repository(namespace, "source", &repository.url);
    plane
        .api
        .create(&source)
        .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let refusals = in_parallel(questions, |question| {
        let name = question.automation.as_str();
        let values: Map<String, Value> = question
            .values
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        let commit = json!({"messageTemplate": question.template, "messageTemplateValues": values});
        let object = automation(namespace, name, "source", &commit, name);
        plane
            .api
            .create(&object)
            .err()
            .map(|refusal| refusal.message)
    });
    let admitted: Vec<&str> = questions
        .iter()
        .zip(&refusals)
        .filter(|(_, refused)| refused.is_none())
        .map(|(question, _)| question.automation.as_str())
        .collect();
    let verdicts = wait_for_automations(plane, namespace, &admitted);
    plane
        .api
        .delete_all(&image_collection(namespace, "imageupdateautomations"));
    let heads = repository.heads();
    questions
        .iter()
        .zip(refusals)
        .map(|(question, refused)| {
            let name = question.automation.as_str();
            if let Some(message) = refused {
                return MessageAnswer::Refused(message);
            }
            let verdict = &verdicts[name];
            if !verdict.ready {
                return MessageAnswer::Failure(verdict.reason.clone(), verdict.message.clone());
            }
            let head = heads
                .get(name)
                .unwrap_or_else(|| panic!("{name} pushed nothing: {verdict:?}"));
            MessageAnswer::Message(repository.commit(head).message)
        })
        .collect()
}

#[test]
fn messages_are_rendered_or_fail() {
    use super::recording::{Latest, Scope};
    let Some(plane) = crate::cluster::control_plane() else {
        return;
    };
    let update = MessageScope {
        scope: Scope {
            namespace: "messages-smoke".into(),
            latest: vec![Latest {
                policy: "app".into(),
                image: "registry.example.com/app".into(),
                tag: "2.0.0".into(),
                digest: String::new(),
            }],
        },
        files: vec![(
            "pod.yaml".into(),
            "kind: Pod\nspec:\n  image: app:1 # {\"$imagepolicy\": \"messages-smoke:app\"}\n"
                .into(),
        )],
    };
    let question = |number: usize, template: &str| MessageQuestion {
        automation: format!("m{number}"),
        template: template.to_owned(),
        values: vec![("team".to_owned(), "shop".to_owned())],
    };
    let answers = messages_in_bulk(
        plane,
        &update,
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
    assert_eq!(
        answers[0],
        MessageAnswer::Message("Update from image update automation".to_owned())
    );
    assert_eq!(
        answers[1],
        MessageAnswer::Message("messages-smoke/m1 for shop\napp:1\n\n".to_owned())
    );
    let MessageAnswer::Failure(reason, message) = &answers[2] else {
        panic!("{:?}", answers[2])
    };
    assert_eq!(reason, "GitOperationFailed");
    assert!(
        message.ends_with("function \"now\" not defined"),
        "{message}"
    );
    let MessageAnswer::Failure(reason, _) = &answers[3] else {
        panic!("{:?}", answers[3])
    };
    assert_eq!(reason, "RemovedTemplateField");
}
