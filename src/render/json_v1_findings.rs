//! The JSON of `doctor` and `lint`, schema version 1; see `schemas/findings-v1.schema.json`.

use serde::Serialize;

use crate::pipeline::diagnose::Diagnosis;

use super::json_v1::{self, FindingRow};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    findings: Vec<FindingRow>,
}

/// The document, ended by LF.
pub fn findings(diagnosis: &Diagnosis) -> Vec<u8> {
    let rows = diagnosis.findings.iter().map(|found| {
        json_v1::finding_with(&found.finding, found.context.as_deref(), &found.causes)
    });
    let document = Document {
        schema_version: 1,
        findings: rows.collect(),
    };
    json_v1::document(&document)
}
