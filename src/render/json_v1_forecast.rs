//! `forecast` of the JSON of `diff`, schema version 1.

use serde::Serialize;

use crate::pipeline::forecast::{Due, Forecast, Move};

use super::json_v1::{self, FindingRow};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    base: Base,
    moves: Vec<MoveRow>,
    breaks: Vec<Break>,
    mended: Vec<Named>,
    findings: Vec<FindingRow>,
}

#[derive(Serialize)]
struct Base {
    #[serde(rename = "ref")]
    reference: String,
    commit: String,
}

#[derive(Serialize)]
struct Named {
    namespace: String,
    name: String,
}

#[derive(Serialize)]
struct Break {
    automation: Named,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MoveRow {
    automation: Named,
    policy: Named,
    from: String,
    to: String,
    instead_of: Option<String>,
    files: Vec<String>,
    markers: usize,
    change: &'static str,
    due_within_seconds: Option<u64>,
    due: String,
    branch: Option<String>,
}

fn named(key: &crate::controllers::flux::ObjectKey) -> Named {
    Named {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    }
}

pub(super) fn row(forecast: &Forecast) -> Row {
    Row {
        base: Base {
            reference: forecast.reference.clone(),
            commit: forecast.commit.clone(),
        },
        moves: forecast.moves.iter().map(one).collect(),
        breaks: forecast
            .breaks
            .iter()
            .map(|(key, message)| Break {
                automation: named(key),
                message: message.clone(),
            })
            .collect(),
        mended: forecast.mended.iter().map(named).collect(),
        findings: forecast
            .findings
            .iter()
            .map(|(_, finding)| json_v1::finding(finding, None))
            .collect(),
    }
}

fn one(one: &Move) -> MoveRow {
    MoveRow {
        automation: named(&one.automation),
        policy: named(&one.policy),
        from: one.from.clone(),
        to: one.to.clone(),
        instead_of: one.instead_of.clone(),
        files: one.files.clone(),
        markers: one.markers,
        change: one.change.word(),
        due_within_seconds: match one.due {
            Due::Within(length) => Some(length.as_secs()),
            _ => None,
        },
        due: super::forecast::due(one),
        branch: one.branch.clone(),
    }
}
