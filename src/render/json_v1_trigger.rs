//! The document of `trigger -o json`.

use serde::Serialize;

use crate::controllers::flux::ImageRef;
use crate::facts::cluster::Kind;
use crate::pipeline::trigger::{Deed, Fact, Turn};

use super::json_v1::{self, FindingRow};

/// The document, ended by LF; `cluster` is the kubeconfig's context.
pub fn trigger(turns: &[Turn], cluster: Option<&str>) -> Vec<u8> {
    let of = |kind: Kind| {
        turns
            .iter()
            .filter(|turn| turn.kind == kind)
            .map(|turn| row(turn, cluster))
            .collect()
    };
    json_v1::document(&Document {
        schema_version: 1,
        repositories: of(Kind::ImageRepository),
        policies: of(Kind::ImagePolicy),
        automations: of(Kind::ImageUpdateAutomation),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    repositories: Vec<Row>,
    policies: Vec<Row>,
    automations: Vec<Row>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    context: Option<String>,
    namespace: String,
    name: String,
    verdict: &'static str,
    text: String,
    milliseconds: Option<u64>,
    ready: Option<bool>,
    reason: Option<String>,
    message: Option<String>,
    predicted: Option<FactRow>,
    actual: Option<FactRow>,
    differences: Vec<DifferenceRow>,
    findings: Vec<FindingRow>,
    failure: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", untagged)]
enum FactRow {
    #[serde(rename_all = "camelCase")]
    Scan { tags: u64, revision: String },
    #[serde(rename_all = "camelCase")]
    Latest { latest: Option<Image> },
    #[serde(rename_all = "camelCase")]
    Run {
        pushed: bool,
        error: Option<Error>,
        push: Option<Push>,
    },
}

#[derive(Serialize)]
struct Image {
    image: String,
    tag: String,
    digest: Option<String>,
}

#[derive(Serialize)]
struct Error {
    reason: String,
    message: String,
}

#[derive(Serialize)]
struct Push {
    commit: Option<String>,
    commits: usize,
    branch: String,
    parent: Option<String>,
    author: String,
    committer: String,
    message: String,
    files: Vec<File>,
}

#[derive(Serialize)]
struct File {
    path: String,
    blob: Option<String>,
}

#[derive(Serialize)]
struct DifferenceRow {
    field: &'static str,
    predicted: String,
    actual: String,
}

fn row(turn: &Turn, cluster: Option<&str>) -> Row {
    let took = turn.took.map(|took| took.as_millis());
    let differences = turn.differences.iter().map(|difference| DifferenceRow {
        field: difference.field,
        predicted: difference.predicted.clone(),
        actual: difference.actual.clone(),
    });
    let findings = turn.findings.iter();
    Row {
        context: cluster.map(str::to_owned),
        namespace: turn.key.namespace.clone(),
        name: turn.key.name.clone(),
        verdict: turn.verdict.word(),
        text: turn.text.clone(),
        milliseconds: took.map(|took| u64::try_from(took).unwrap_or(u64::MAX)),
        ready: turn.said.as_ref().map(|said| said.ready),
        reason: turn.said.as_ref().map(|said| said.reason.clone()),
        message: turn.said.as_ref().map(|said| said.message.clone()),
        predicted: fact(&turn.predicted),
        actual: fact(&turn.actual),
        differences: differences.collect(),
        findings: findings
            .map(|found| json_v1::finding(found, cluster))
            .collect(),
        failure: turn.failure.as_ref().map(|failure| failure.message.clone()),
    }
}

fn fact(fact: &Fact) -> Option<FactRow> {
    match fact {
        Fact::Unknown => None,
        Fact::Scan { tags, revision } => Some(FactRow::Scan {
            tags: *tags,
            revision: revision.clone(),
        }),
        Fact::Latest(latest) => Some(FactRow::Latest {
            latest: latest.as_ref().map(image),
        }),
        Fact::Run(deed) => Some(run(deed)),
    }
}

fn image(image: &ImageRef) -> Image {
    Image {
        image: image.name.clone(),
        tag: image.tag.clone(),
        digest: (!image.digest.is_empty()).then(|| image.digest.clone()),
    }
}

fn run(deed: &Deed) -> FactRow {
    match deed {
        Deed::Nothing => FactRow::Run {
            pushed: false,
            error: None,
            push: None,
        },
        Deed::Failed { reason, message } => FactRow::Run {
            pushed: false,
            error: Some(Error {
                reason: reason.clone(),
                message: message.clone(),
            }),
            push: None,
        },
        Deed::Pushed(push) => {
            let files = push.files.iter().map(|(path, blob)| File {
                path: path.clone(),
                blob: blob.clone(),
            });
            FactRow::Run {
                pushed: true,
                error: None,
                push: Some(Push {
                    commit: push.commit.clone(),
                    commits: push.commits,
                    branch: push.branch.clone(),
                    parent: push.parent.clone(),
                    author: push.author.clone(),
                    committer: push.committer.clone(),
                    message: String::from_utf8_lossy(&push.message).into_owned(),
                    files: files.collect(),
                }),
            }
        }
    }
}
