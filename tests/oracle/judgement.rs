//! The library's prediction held against a controller's recorded or fresh answer.

use std::collections::BTreeMap;

use imageauto::controllers::message::{self, MessageError, MessageInput, Rules};
use imageauto::controllers::setters::changes::{
    Change, FileChanges, ObjectChanges, ObjectIdentifier,
};

use super::recording::{MessageAnswer, MessageRecord, MessageScope, ReportedChange};

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
            tally.asked += 1;
            match judgement {
                Judgement::Agrees => tally.agreed += 1,
                Judgement::Refused(why) => tally.refused.push(why),
                Judgement::NotAdmitted => tally.not_admitted += 1,
                Judgement::Differs(how) => tally.differences.push(how),
            }
        }
        tally
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

/// Judges a commit message; the changes are those that the controller itself reported.
pub fn judge_message(update: &MessageScope, record: &MessageRecord) -> Judgement {
    let question = &record.question;
    let values: BTreeMap<String, String> = question.values.iter().cloned().collect();
    let rendered = message::render(&MessageInput {
        template: &question.template,
        namespace: &update.scope.namespace,
        name: &question.automation,
        values: &values,
        changed: &file_changes(&update.changed),
        updated_images: &[],
        rules: Rules::Current,
    });
    let failure = |reason: &str, message: String| MessageAnswer::Failure(reason.into(), message);
    let predicted = match rendered {
        Ok(message) if message.not_deterministic.is_some() => {
            return Judgement::Refused(format!("{question:?} isn't deterministic"));
        }
        Ok(message) => MessageAnswer::Message(String::from_utf8_lossy(&message.text).into_owned()),
        Err(MessageError::Removed { message, .. }) => failure("RemovedTemplateField", message),
        Err(MessageError::Failed { message }) => failure("GitOperationFailed", message),
        Err(error) => return Judgement::Refused(error.to_string()),
    };
    compare(question, &predicted, &record.answer)
}

fn compare<Question: std::fmt::Debug, Answer: std::fmt::Debug + PartialEq>(
    question: &Question,
    predicted: &Answer,
    answer: &Answer,
) -> Judgement {
    if predicted == answer {
        return Judgement::Agrees;
    }
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
