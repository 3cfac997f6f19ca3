//! Asks the running image-automation-controller what many commit message templates make of one update.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::rewrites_in_bulk::{Latest, settle_policies, wait_for_automations};
use crate::cluster::objects::{automation, git_repository, image_collection};
use crate::cluster::repository::Repository;
use crate::cluster::{ControlPlane, in_parallel};

/// A template with its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageQuestion {
    /// `spec.git.commit.messageTemplate`.
    pub template: String,
    /// `spec.git.commit.messageTemplateValues`, in any order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<(String, String)>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MessageAnswer {
    /// The commit's message.
    Message(String),
    /// Reason and message of Ready, or of Stalled.
    Failure(String, String),
    /// The API server's message where it doesn't let the object in.
    Refused(String),
}

/// Has the controller commit one update of `files` with each template: `spec.update.path` is the repository's top, the
/// automations are called `m0`, `m1`, and so on. `namespace` is used by no other question.
pub fn messages_in_bulk(
    plane: &ControlPlane,
    namespace: &str,
    latest: &[Latest],
    files: &[(&str, &[u8])],
    questions: &[MessageQuestion],
) -> Vec<MessageAnswer> {
    settle_policies(plane, namespace, latest);
    let repository = Repository::create(plane, namespace, files.iter().copied());
    let source = git_repository(namespace, "source", &repository.url);
    plane.api.create(&source).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let numbered: Vec<(String, &MessageQuestion)> =
        questions.iter().enumerate().map(|(number, question)| (format!("m{number}"), question)).collect();
    let refusals = in_parallel(&numbered, |(name, question)| {
        let values: Map<String, Value> =
            question.values.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        let commit = json!({"messageTemplate": question.template, "messageTemplateValues": values});
        let object = automation(namespace, name, "source", &commit, name);
        plane.api.create(&object).err().map(|refusal| refusal.message)
    });
    let admitted: Vec<&str> = numbered
        .iter()
        .zip(&refusals)
        .filter(|(_, refused)| refused.is_none())
        .map(|((name, _), _)| name.as_str())
        .collect();
    let verdicts = wait_for_automations(plane, namespace, &admitted);
    plane.api.delete_all(&image_collection(namespace, "imageupdateautomations"));
    let heads = repository.heads();
    numbered
        .iter()
        .zip(refusals)
        .map(|((name, _), refused)| {
            if let Some(message) = refused {
                return MessageAnswer::Refused(message);
            }
            let verdict = &verdicts[name.as_str()];
            if !verdict.ready {
                return MessageAnswer::Failure(verdict.reason.clone(), verdict.message.clone());
            }
            let head = heads.get(name).unwrap_or_else(|| panic!("{name} pushed nothing: {verdict:?}"));
            MessageAnswer::Message(repository.commit(head).message)
        })
        .collect()
}

#[test]
fn messages_are_rendered_or_fail() {
    let Some(plane) = crate::cluster::control_plane() else { return };
    let latest = [Latest {
        policy: "app".into(),
        image: "registry.example.com/app".into(),
        tag: "2.0.0".into(),
        digest: String::new(),
    }];
    let file = b"kind: Pod\nspec:\n  image: app:1 # {\"$imagepolicy\": \"messages-smoke:app\"}\n";
    let question = |template: &str| MessageQuestion {
        template: template.to_owned(),
        values: vec![("team".to_owned(), "shop".to_owned())],
    };
    let answers = messages_in_bulk(
        plane,
        "messages-smoke",
        &latest,
        &[("pod.yaml", file)],
        &[
            question(""),
            question("{{.AutomationObject}} for {{.Values.team}}\n{{range .Changed.Changes}}{{.OldValue}}{{end}}\n\n"),
            question("{{now}}"),
            question("{{.Updated.Images}}"),
        ],
    );
    assert_eq!(answers[0], MessageAnswer::Message("Update from image update automation".to_owned()));
    assert_eq!(answers[1], MessageAnswer::Message("messages-smoke/m1 for shop\napp:1\n\n".to_owned()));
    let MessageAnswer::Failure(reason, message) = &answers[2] else { panic!("{:?}", answers[2]) };
    assert_eq!(reason, "GitOperationFailed");
    assert!(message.ends_with("function \"now\" not defined"), "{message}");
    let MessageAnswer::Failure(reason, _) = &answers[3] else { panic!("{:?}", answers[3]) };
    assert_eq!(reason, "RemovedTemplateField");
}
