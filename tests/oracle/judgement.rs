//! The library's prediction held against a controller's recorded or fresh answer.

use std::collections::BTreeMap;
use std::fmt;

use imageauto::controllers::conditions;
use imageauto::controllers::flux::ImagePolicySpec;
use imageauto::controllers::message::{
    self, MessageError, MessageInput, Possible, Rendered, Rules,
};
use imageauto::controllers::policy::{Outcome, PolicySpec, decide};
use imageauto::controllers::repository::stored_tags;
use imageauto::controllers::setters::changes::{
    Change, FileChanges, ObjectChanges, ObjectIdentifier,
};
use imageauto::controllers::setters::{
    RunFailure, SetterPolicy, Setters, SourceFile, Update, update,
};

use super::recording::{
    MessageAnswer, MessageQuestion, MessageRecord, MessageScope, PolicyAnswer, PolicyRecord,
    ReportedChange, RewriteRecord, Rewritten, Scope, Text,
};

/// How a prediction and an answer stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// They are equal, or the answer is one of those that the prediction names as possible.
    Agrees,
    /// The library says that it doesn't know.
    Refused(String),
    /// The API server doesn't let the object in: there is nothing to predict.
    NotAdmitted,
    /// They differ: what was asked, predicted and answered.
    Differs(String),
}

/// How many questions came to which judgement.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    asked: usize,
    agreed: usize,
    refused: Vec<String>,
    not_admitted: usize,
    differences: Vec<String>,
}

impl Tally {
    /// Counts judgements.
    pub fn of(judgements: impl IntoIterator<Item = Judgement>) -> Self {
        let mut tally = Self::default();
        for judgement in judgements {
            tally.count(judgement);
        }
        tally
    }

    /// Counts one more.
    pub fn count(&mut self, judgement: Judgement) {
        self.asked += 1;
        match judgement {
            Judgement::Agrees => self.agreed += 1,
            Judgement::Refused(why) => self.refused.push(why),
            Judgement::NotAdmitted => self.not_admitted += 1,
            Judgement::Differs(how) => self.differences.push(how),
        }
    }

    /// `rewrites: 2000 asked, 2000 agree, 0 refused`
    pub fn line(&self, name: &str) -> String {
        let refused = self.refused.len();
        let mut line = format!(
            "{name}: {} asked, {} agree, {refused} refused",
            self.asked, self.agreed
        );
        if self.not_admitted > 0 {
            line += &format!(", {} not admitted by the API server", self.not_admitted);
        }
        line
    }

    /// Panics unless every question that the API server admitted was answered as predicted.
    pub fn assert_all_agree(&self, name: &str) {
        let few: Vec<&str> = self
            .differences
            .iter()
            .chain(&self.refused)
            .take(5)
            .map(String::as_str)
            .collect();
        assert!(self.asked > self.not_admitted, "{name}: nothing was asked");
        assert_eq!(
            self.agreed + self.not_admitted,
            self.asked,
            "{}, {} differ\n{}",
            self.line(name),
            self.differences.len(),
            few.join("\n\n")
        );
    }
}

/// Judges what a run makes of one file.
pub fn judge_rewrite(scope: &Scope, record: &RewriteRecord) -> Judgement {
    let RewriteRecord { input, answer } = record;
    let input_shown = String::from_utf8_lossy(input.bytes());
    match (rewrite(scope, input), answer) {
        (Ok(predicted), answer) => compare(&input_shown, &predicted, answer),
        // The controller puts where it failed before this one.
        (Err(failure), Rewritten::Failed { message, .. })
            if message.ends_with(&failure.message) =>
        {
            Judgement::Agrees
        }
        (Err(failure), answer) => differs(&input_shown, &failure, answer),
    }
}

/// What a run with the scope's policies makes of the files.
pub fn update_of(scope: &Scope, files: &[SourceFile<'_>]) -> Result<Update, RunFailure> {
    let policies: Vec<SetterPolicy> = scope
        .latest
        .iter()
        .map(|latest| SetterPolicy {
            namespace: scope.namespace.clone(),
            name: latest.policy.clone(),
            image: latest.image.clone(),
            tag: latest.tag.clone(),
            digest: latest.digest.clone(),
        })
        .collect();
    update(files, &Setters::new(&policies)?)
}

fn rewrite(scope: &Scope, input: &Text) -> Result<Rewritten, RunFailure> {
    const PATH: &str = "file.yaml";
    let file = SourceFile {
        path: PATH,
        bytes: input.bytes(),
    };
    let update = update_of(scope, &[file])?;
    let mut text = input.clone();
    let mut created = Vec::new();
    for written in update.written {
        if written.created {
            created.push((written.path, Text::from(written.bytes)));
        } else {
            text = Text::from(written.bytes);
        }
    }
    // A template ranges over the objects in their own order.
    let mut objects: Vec<ObjectChanges> = update
        .changed
        .into_iter()
        .flat_map(|file| file.objects)
        .collect();
    objects.sort_by(|one, other| one.object.cmp(&other.object));
    let changes = objects
        .into_iter()
        .flat_map(|ObjectChanges { object, changes }| {
            changes.into_iter().map(move |change| ReportedChange {
                object: [
                    object.api_version.clone(),
                    object.kind.clone(),
                    object.name.clone(),
                    object.namespace.clone(),
                ],
                setter: change.setter,
                old: change.old,
                new: change.new,
            })
        })
        .collect();
    Ok(Rewritten::File {
        text,
        changes,
        created,
    })
}

/// Judges a policy's choice.
pub fn judge_policy(record: &PolicyRecord) -> Judgement {
    let PolicyRecord { question, answer } = record;
    if matches!(answer, PolicyAnswer::Refused(_)) {
        return Judgement::NotAdmitted;
    }
    let spec: ImagePolicySpec = match serde_json::from_value(question.spec.clone()) {
        Ok(spec) => spec,
        Err(error) => return Judgement::Refused(format!("{question:?}: {error}")),
    };
    let stored = match stored_tags(&question.tags, &question.exclusion_list) {
        Ok(stored) => stored,
        Err(error) => return Judgement::Refused(format!("{question:?}: {error:?}")),
    };
    let decision = decide(&PolicySpec::from(&spec), &stored);
    let possible = match (&decision.outcome, answer) {
        (Outcome::Latest { tag }, PolicyAnswer::Tag(answered)) => tag == answered,
        (Outcome::NotDeterministic { candidates }, PolicyAnswer::Tag(answered)) => {
            candidates.contains(answered)
        }
        (Outcome::Failed(failure), PolicyAnswer::Failure(reason, message)) => {
            // The controller puts before this one when it tries again.
            let waits = failure.reason == conditions::DEPENDENCY_NOT_READY;
            failure.reason == *reason
                && (decision.messages.contains(message)
                    || waits && message.ends_with(&failure.message))
        }
        _ => false,
    };
    if possible {
        return Judgement::Agrees;
    }
    differs(question, &decision, answer)
}

/// Whether the controller comes to the same message each time.
pub fn message_is_certain(update: &MessageScope, question: &MessageQuestion) -> bool {
    let (rendered, _) = predicted_messages(update, question);
    rendered.not_deterministic.is_none()
}

/// Judges a commit message; the changes are those that the controller itself reported.
pub fn judge_message(update: &MessageScope, record: &MessageRecord) -> Judgement {
    let question = &record.question;
    if matches!(record.answer, MessageAnswer::Refused(_)) {
        return Judgement::NotAdmitted;
    }
    let (rendered, possible) = predicted_messages(update, question);
    let certain = rendered.not_deterministic.is_none();
    let refused = possible.outcomes.iter().find_map(|outcome| match outcome {
        Err(error @ (MessageError::Unsupported { .. } | MessageError::TooLarge { .. })) => {
            Some(error.to_string())
        }
        _ => None,
    });
    if let Some(refused) = refused {
        return Judgement::Refused(refused);
    }
    let predicted: Vec<MessageAnswer> = possible.outcomes.into_iter().map(foretold).collect();
    let tells = match predicted.len() {
        1 => certain || !possible.all,
        _ => !certain,
    };
    if !tells {
        return differs(question, &rendered, &predicted);
    }
    match predicted.contains(&record.answer) {
        true => Judgement::Agrees,
        false if !possible.all && !certain => {
            Judgement::Refused(format!("{question:?} has too many outcomes"))
        }
        false => differs(question, &predicted, &record.answer),
    }
}

fn predicted_messages(update: &MessageScope, question: &MessageQuestion) -> (Rendered, Possible) {
    /// How many runs look for the messages that the controller may come to.
    const MOST: usize = 1000;
    let values: BTreeMap<String, String> = question.values.iter().cloned().collect();
    let changed = file_changes(&update.changed);
    let input = MessageInput {
        template: &question.template,
        namespace: &update.scope.namespace,
        name: &question.automation,
        values: &values,
        changed: &changed,
        updated_images: &[],
        rules: Rules::Current,
    };
    (message::render(&input), message::possible(&input, MOST))
}

/// The message as the commit's reader sees it, or the automation's reason and message.
fn foretold(outcome: Result<Vec<u8>, MessageError>) -> MessageAnswer {
    let failure = |reason: &str, message: String| MessageAnswer::Failure(reason.into(), message);
    match outcome {
        Ok(text) => MessageAnswer::Message(String::from_utf8_lossy(&text).into_owned()),
        Err(MessageError::Removed { message, .. }) => failure("RemovedTemplateField", message),
        Err(error) => failure("GitOperationFailed", error.to_string()),
    }
}

fn compare<Answer: fmt::Debug + PartialEq>(
    question: &dyn fmt::Debug,
    predicted: &Answer,
    answer: &Answer,
) -> Judgement {
    if predicted == answer {
        return Judgement::Agrees;
    }
    differs(question, predicted, answer)
}

fn differs(
    question: &dyn fmt::Debug,
    predicted: &dyn fmt::Debug,
    answer: &dyn fmt::Debug,
) -> Judgement {
    Judgement::Differs(format!(
        "asked     {question:?}\npredicted {predicted:?}\nanswered  {answer:?}"
    ))
}

/// The changes of an update, from the reports of a template that ranges over `.Changed.FileChanges`.
fn file_changes(reported: &[(String, ReportedChange)]) -> Vec<FileChanges> {
    let mut files: Vec<FileChanges> = Vec::new();
    for (path, report) in reported {
        if files.last().is_none_or(|file| file.path != *path) {
            files.push(FileChanges {
                path: path.clone(),
                objects: Vec::new(),
            });
        }
        let Some(file) = files.last_mut() else {
            continue;
        };
        let [api_version, kind, name, namespace] = report.object.clone();
        let object = ObjectIdentifier {
            api_version,
            kind,
            name,
            namespace,
        };
        if file.objects.last().is_none_or(|last| last.object != object) {
            file.objects.push(ObjectChanges {
                object,
                changes: Vec::new(),
            });
        }
        if let Some(last) = file.objects.last_mut() {
            last.changes.push(Change {
                old: report.old.clone(),
                new: report.new.clone(),
                setter: report.setter.clone(),
            });
        }
    }
    files
}
