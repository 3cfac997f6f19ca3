//! Asks the running image-reflector-controller which tags many policies choose.

use std::collections::BTreeMap;
use std::time::Duration;

use imageauto::controllers::conditions::resolved_message;
use imageauto::controllers::flux::{ImagePolicySpec, ImageRef};
use imageauto::controllers::policy::{Outcome, PolicySpec, decide};
use imageauto::controllers::repository::stored_tags;
use serde_json::{Map, Value, json};

use super::generator::Generator;
use super::judgement::{Tally, judge_policy};
use super::policies::policy_case;
use super::policies_as_written::policy_as_written;
use super::recorder::record_or_compare;
use super::recording::{PolicyAnswer, PolicyQuestion, PolicyRecord};
use crate::cluster::api::wait_for;
use crate::cluster::objects::{Condition, image_collection, verdict};
use crate::cluster::{ControlPlane, in_parallel, tell};

/// Has the reflector scan a made-up repository for each question and decide its policy.
///
/// `namespace` is used by no other question.
pub fn policies_in_bulk(
    plane: &ControlPlane,
    namespace: &str,
    questions: &[PolicyQuestion],
) -> Vec<PolicyAnswer> {
    plane.create_namespace(namespace);
    let lists: Map<String, Value> = questions
        .iter()
        .enumerate()
        .map(|(number, question)| (format!("{namespace}/c{number}"), json!(question.tags)))
        .collect();
    plane.add_tag_lists(&Value::Object(lists));
    let numbered: Vec<(usize, &PolicyQuestion)> = questions.iter().enumerate().collect();
    in_parallel(&numbered, |(number, question)| {
        let mut object = json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageRepository",
            "metadata": {"namespace": namespace, "name": format!("c{number}")},
            "spec": {"image": format!("{}/{namespace}/c{number}", plane.addresses.tag_lists), "interval": "24h"},
        });
        if !question.exclusion_list.is_empty() {
            object["spec"]["exclusionList"] = json!(question.exclusion_list);
        }
        plane
            .api
            .create(&object)
            .unwrap_or_else(|refusal| panic!("repository c{number}: {refusal:?}"));
    });
    let everything: Vec<usize> = (0..questions.len()).collect();
    wait_for_verdicts(plane, namespace, "imagerepositories", &everything);

    let refusals = in_parallel(&numbered, |(number, question)| {
        let mut spec = question.spec.clone();
        spec["imageRepositoryRef"] = json!({"name": format!("c{number}")});
        let object = json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy",
            "metadata": {"namespace": namespace, "name": format!("c{number}")}, "spec": spec,
        });
        plane
            .api
            .create(&object)
            .err()
            .map(|refusal| refusal.message)
    });
    let admitted: Vec<usize> = everything
        .into_iter()
        .filter(|number| refusals[*number].is_none())
        .collect();
    let mut answers = wait_for_verdicts(plane, namespace, "imagepolicies", &admitted);
    // Those that fail would be tried again and again; the repositories rest for a day.
    plane
        .api
        .delete_all(&image_collection(namespace, "imagepolicies"));
    refusals
        .into_iter()
        .enumerate()
        .map(|(number, refused)| match refused {
            Some(message) => PolicyAnswer::Refused(message),
            None => answers
                .remove(&number)
                .expect("every admitted policy has a verdict"),
        })
        .collect()
}

/// Waits until the reflector has come to a verdict on each of these objects; those that it retries are asked once.
fn wait_for_verdicts(
    plane: &ControlPlane,
    namespace: &str,
    plural: &str,
    numbers: &[usize],
) -> BTreeMap<usize, PolicyAnswer> {
    let collection = image_collection(namespace, plural);
    wait_for(
        &format!("{} {plural} in {namespace}", numbers.len()),
        Duration::from_secs(300),
        || {
            let objects = plane.api.list(&collection);
            let answers: BTreeMap<usize, PolicyAnswer> = objects
                .iter()
                .filter_map(|object| {
                    let number = object["metadata"]["name"]
                        .as_str()?
                        .strip_prefix('c')?
                        .parse()
                        .ok()?;
                    let verdict = verdict(object)?;
                    let tag = object["status"]["latestRef"]["tag"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned();
                    let answer = if verdict.ready {
                        if plural == "imagepolicies" {
                            // Both parts of the status come one after the other.
                            object["status"].get("latestRef")?;
                            assert_resolved(object, &verdict, namespace, number);
                        }
                        PolicyAnswer::Tag(tag)
                    } else {
                        PolicyAnswer::Failure(verdict.reason, verdict.message)
                    };
                    Some((number, answer))
                })
                .collect();
            (answers.len() == numbers.len()).then_some(answers)
        },
    )
}

/// Of a policy that is Ready, the rest of what it says follows from the tag.
fn assert_resolved(object: &Value, verdict: &Condition, namespace: &str, number: usize) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let reference = |value: &Value| ImageRef {
        name: text(&value["name"]),
        tag: text(&value["tag"]),
        digest: text(&value["digest"]),
    };
    let latest = reference(&object["status"]["latestRef"]);
    let previous = object["status"].get("observedPreviousRef").map(reference);
    assert!(
        latest.name.ends_with(&format!("/{namespace}/c{number}")),
        "{latest}"
    );
    assert_eq!(latest.digest, "", "{latest}");
    let message = resolved_message(&latest, previous.as_ref());
    assert_eq!(
        (verdict.reason.as_str(), &verdict.message),
        ("Succeeded", &message)
    );
}

/// Half of them as people write them, half such as seek out what can go wrong.
#[test]
fn policies_choose_as_the_running_reflector_does() {
    let Some(plane) = crate::cluster::control_plane() else {
        return;
    };
    let mut generator = Generator::new(20_260_601);
    let questions: Vec<PolicyQuestion> = (0..300)
        .flat_map(|_| {
            let written = policy_as_written(&mut generator);
            [written, policy_case(&mut generator).question()]
        })
        .collect();
    let answers = policies_in_bulk(plane, "policies", &questions);
    let records: Vec<PolicyRecord> = questions
        .into_iter()
        .zip(answers)
        .map(|(question, answer)| PolicyRecord { question, answer })
        .collect();
    let tally = Tally::of(records.iter().map(judge_policy));
    tell(&tally.line("policies"));
    record_or_compare(
        "policies",
        (),
        &records,
        500,
        |record| &record.question,
        is_certain,
    );
    tally.assert_all_agree("policies");
}

/// Whether the reflector comes to one answer only: its filter puts keys in random order.
fn is_certain(record: &PolicyRecord) -> bool {
    let spec: ImagePolicySpec =
        serde_json::from_value(record.question.spec.clone()).expect("it was judged before");
    let stored = stored_tags(&record.question.tags, &record.question.exclusion_list)
        .expect("it was judged before");
    let decision = decide(&PolicySpec::from(&spec), &stored);
    match decision.outcome {
        Outcome::Latest { .. } => true,
        Outcome::NotDeterministic { .. } => false,
        Outcome::Failed(_) => decision.messages.len() == 1,
    }
}

#[test]
fn policies_are_chosen_failed_and_refused() {
    let Some(plane) = crate::cluster::control_plane() else {
        return;
    };
    let question = |tags: &[&str], spec: Value| PolicyQuestion {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        exclusion_list: Vec::new(),
        spec,
    };
    let semver = |range: &str| json!({"policy": {"semver": {"range": range}}});
    let answers = policies_in_bulk(
        plane,
        "policies-smoke",
        &[
            question(
                &["1.0.0", "1.4.0", "2.0.0", "1.9.9-rc.1", "1.8.0.sig"],
                semver(">=1.0.0 <2.0.0"),
            ),
            question(&["latest"], semver("*")),
            question(&["1.0.0"], semver("==1")),
            question(&[], semver("*")),
            question(
                &["1.0.0"],
                json!({"policy": {"alphabetical": {"order": "sideways"}}}),
            ),
        ],
    );
    let failure =
        |reason: &str, message: &str| PolicyAnswer::Failure(reason.to_owned(), message.to_owned());
    assert_eq!(answers[0], PolicyAnswer::Tag("1.4.0".to_owned()));
    assert_eq!(
        answers[1],
        failure(
            "Failure",
            "unable to determine latest version from provided list"
        )
    );
    assert_eq!(
        answers[2],
        failure(
            "InvalidPolicy",
            "invalid policy: improper constraint: \"==1\""
        )
    );
    let PolicyAnswer::Failure(reason, message) = &answers[3] else {
        panic!("{:?}", answers[3])
    };
    assert_eq!(reason, "DependencyNotReady", "{message}");
    let PolicyAnswer::Refused(message) = &answers[4] else {
        panic!("{:?}", answers[4])
    };
    assert!(message.contains("sideways"), "{message}");
}
