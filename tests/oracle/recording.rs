//! Questions to the running controllers with their answers, and how they are kept in `testdata/recordings/`: a line with
//! what holds for all, then one line for each question, all in JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// The policies of the automation's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The namespace of automation and policies.
    pub namespace: String,
    /// Each policy once.
    pub latest: Vec<Latest>,
}

/// What the controller made of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Rewritten {
    /// The run went through.
    File {
        /// The file as it stands in the commit; as it was, where nothing changed.
        text: Text,
        /// In the order in which a template sees them.
        changes: Vec<ReportedChange>,
        /// Files that weren't there before: path and bytes.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        created: Vec<(String, Text)>,
    },
    /// The file makes the whole run fail.
    Failed {
        /// The condition's reason.
        reason: String,
        /// The condition's message.
        message: String,
    },
}

/// Bytes, kept as text where they are UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// UTF-8.
    Utf8(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

/// A change, as the commit message template of the question reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedChange {
    /// apiVersion, kind, name and namespace of the object.
    pub object: [String; 4],
    /// The setter, `ns:name` and so on.
    pub setter: String,
    /// The value before.
    pub old: String,
    /// The value after.
    pub new: String,
}

/// A file with what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewriteRecord {
    /// The file as it was.
    pub input: Text,
    /// The controller's answer.
    pub answer: Rewritten,
}

/// An ImagePolicy over a list of tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyQuestion {
    /// The tags, as the registry lists them.
    pub tags: Vec<String>,
    /// `spec.exclusionList` of the ImageRepository; empty: not set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusion_list: Vec<String>,
    /// `spec` of the ImagePolicy without `imageRepositoryRef`: `policy`, and where wanted `filterTags`.
    pub spec: Value,
}

/// What became of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PolicyAnswer {
    /// `status.latestRef.tag`; one of several possible ones where the choice isn't deterministic.
    Tag(String),
    /// Reason and message of Stalled, otherwise of Ready.
    Failure(String, String),
    /// The API server's message where its validation doesn't let the object in.
    Refused(String),
}

/// A policy with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// The question.
    pub question: PolicyQuestion,
    /// The reflector's answer.
    pub answer: PolicyAnswer,
}

/// The update that all messages are about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageScope {
    /// The policies.
    pub scope: Scope,
    /// The files of the repository, path to text.
    pub files: Vec<(String, String)>,
    /// What the controller changes in them: path and change, in the order in which a template sees them.
    pub changed: Vec<(String, ReportedChange)>,
}

/// A commit message template with its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageQuestion {
    /// The automation's name, which templates can see.
    pub automation: String,
    /// `spec.git.commit.messageTemplate`.
    pub template: String,
    /// `spec.git.commit.messageTemplateValues`, in any order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<(String, String)>,
}

/// What became of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MessageAnswer {
    /// The commit's message.
    Message(String),
    /// Reason and message of Stalled, otherwise of Ready.
    Failure(String, String),
    /// The API server's message where it doesn't let the object in.
    Refused(String),
}

/// A template with what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRecord {
    /// The question.
    pub question: MessageQuestion,
    /// The automation controller's answer.
    pub answer: MessageAnswer,
}

/// The first line of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header<Scope> {
    /// Program to version: who answered.
    pub versions: BTreeMap<String, String>,
    /// What holds for all questions.
    pub scope: Scope,
}

/// A whole recording.
#[derive(Clone, Debug)]
pub struct Recording<Scope, Record> {
    /// The first line.
    pub header: Header<Scope>,
    /// The others.
    pub records: Vec<Record>,
}

impl<Scope: DeserializeOwned, Record: DeserializeOwned> Recording<Scope, Record> {
    /// Reads `testdata/recordings/NAME.jsonl`.
    pub fn read(name: &str) -> Self {
        let path = recording_path(name);
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (header, records) = text.split_once('\n').expect("the first line is the header");
        Self {
            header: serde_json::from_str(header)
                .unwrap_or_else(|error| panic!("{}:1: {error}", path.display())),
            records: records
                .lines()
                .enumerate()
                .map(|(index, line)| {
                    serde_json::from_str(line)
                        .unwrap_or_else(|error| panic!("{}:{}: {error}", path.display(), index + 2))
                })
                .collect(),
        }
    }
}

/// `testdata/recordings/NAME.jsonl`
pub fn recording_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/recordings")
        .join(format!("{name}.jsonl"))
}

impl Text {
    /// The bytes themselves.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Utf8(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Utf8)
    }
}
