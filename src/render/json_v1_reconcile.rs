//! The document of `reconcile -o json`: that of `diff`, and what was done.

use serde::Serialize;

use crate::failure::{Failure, FailureKind};
use crate::pipeline::DryRun;
use crate::pipeline::stages::{CommitReceipt, Preview};

use super::json_v1::{self, Automation, Error};

/// One automation as it was carried out.
#[derive(Clone, Debug)]
pub struct Reconciled {
    /// What it would do, at the last attempt.
    pub preview: Preview,
    /// What was done of it.
    pub receipt: CommitReceipt,
    /// How often it was tried; 0: nothing was to be done, or it was not tried.
    pub attempts: u32,
    /// Why not everything was done.
    pub failure: Option<Failure>,
    /// What the API server says of it, where it was asked.
    pub dry_run: Option<DryRun>,
}

/// The document, ended by LF; `cluster` is the kubeconfig's context.
pub fn reconcile(rows: &[Reconciled], cluster: Option<&str>) -> Vec<u8> {
    const CONTEXT: usize = 3;
    let automations = rows.iter().map(|row| {
        let mut automation =
            json_v1::automation(&row.preview, row.dry_run.as_ref(), cluster, CONTEXT);
        if let Some(failure) = &row.failure {
            automation.error.get_or_insert_with(|| Error {
                reason: match failure.kind {
                    FailureKind::Refused => "Refused".into(),
                    _ => "PushFailed".into(),
                },
                message: failure.message.clone(),
            });
        }
        Row {
            automation,
            commit: row.receipt.commit.clone(),
            pushed: row.receipt.pushed,
            refspec_pushed: row.receipt.refspec_pushed,
            attempts: row.attempts,
            signed_by: row.receipt.signed_by.clone(),
        }
    });
    json_v1::document(&Document {
        schema_version: 1,
        automations: automations.collect(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    automations: Vec<Row<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(flatten)]
    automation: Automation<'a>,
    commit: Option<String>,
    pushed: bool,
    refspec_pushed: bool,
    attempts: u32,
    signed_by: Option<String>,
}
