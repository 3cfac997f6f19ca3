//! The public JSON of a dry-run, part of `diff`'s document: structs of its own, which only grow.

use serde::Serialize;
use serde_json::Value;

use crate::facts::dry_run::DryRunRow;
use crate::pipeline::DryRun;

/// What becomes of one object.
#[derive(Serialize)]
pub(super) struct Row {
    object: Object,
    path: String,
    kustomization: Option<Kustomization>,
    outcome: &'static str,
    by: Option<&'static str>,
    message: String,
    fields: Vec<Field>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
}

#[derive(Serialize)]
struct Kustomization {
    namespace: String,
    name: String,
}

#[derive(Serialize)]
struct Field {
    field: String,
    live: Value,
    applied: Value,
    cause: &'static str,
}

/// The program that built the kustomizations.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tool {
    name: &'static str,
    kustomize_version: Option<String>,
}

pub(super) fn rows(dry_run: &DryRun) -> Vec<Row> {
    dry_run.rows.iter().map(row).collect()
}

fn row(row: &DryRunRow) -> Row {
    let object = row.object.clone();
    Row {
        object: Object {
            api_version: object.api_version,
            kind: object.kind,
            namespace: object.namespace,
            name: object.name,
        },
        path: row.path.clone(),
        kustomization: row.kustomization.as_ref().map(|key| Kustomization {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }),
        outcome: row.outcome.word(),
        by: row.by.map(|by| by.word()),
        message: row.message.clone(),
        fields: row
            .fields
            .iter()
            .map(|change| Field {
                field: change.field.clone(),
                live: change.live.clone(),
                applied: change.applied.clone(),
                cause: change.cause.word(),
            })
            .collect(),
    }
}

pub(super) fn tool(dry_run: &DryRun) -> Option<Tool> {
    dry_run.tool.as_ref().map(|tool| Tool {
        name: tool.name,
        kustomize_version: (!tool.version.is_empty()).then(|| tool.version.clone()),
    })
}
