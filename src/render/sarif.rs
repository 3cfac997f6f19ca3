//! Findings as SARIF 2.1.0, which code scanning tools read.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use crate::findings::{Finding, Severity, Subject};
use crate::pipeline::diagnose::Diagnosis;

use super::json_v1;

/// What can't stand in a path of a URI.
const NOT_IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b':');

/// The document, ended by LF.
pub fn document(diagnosis: &Diagnosis) -> Vec<u8> {
    let mut ids: BTreeMap<&str, usize> = diagnosis
        .findings
        .iter()
        .map(|found| (found.finding.id, 0))
        .collect();
    for (place, index) in ids.values_mut().enumerate() {
        *index = place;
    }
    let rules: Vec<Value> = ids.keys().map(|id| rule(id)).collect();
    let results: Vec<Value> = diagnosis
        .findings
        .iter()
        .map(|found| result(&found.finding, ids[found.finding.id]))
        .collect();
    json_v1::document(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "kubectl-imageauto",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    }))
}

fn rule(id: &str) -> Value {
    json!({
        "id": id,
        "helpUri": format!("{}/blob/main/docs/findings.md#{id}", env!("CARGO_PKG_REPOSITORY")),
    })
}

fn result(finding: &Finding, rule: usize) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    json!({
        "ruleId": finding.id,
        "ruleIndex": rule,
        "level": level,
        "message": {"text": format!("{}\nhelp: {}", finding.message, finding.remedy)},
        "locations": [location(&finding.subject)],
        "partialFingerprints": {"imageauto/v1": format!("{}:{}", finding.id, finding.subject)},
    })
}

fn location(subject: &Subject) -> Value {
    match subject {
        Subject::Object { kind, key } => json!({"logicalLocations": [{
            "name": key.name,
            "fullyQualifiedName": format!("{kind}/{key}"),
            "kind": "resource",
        }]}),
        Subject::Place { path, line, column } => {
            let mut physical = json!({"artifactLocation": {
                "uri": utf8_percent_encode(path, NOT_IN_PATHS).to_string(),
                "uriBaseId": "%SRCROOT%",
            }});
            if let Some(line) = line {
                physical["region"] = json!({"startLine": line});
            }
            if let (Some(_), Some(column)) = (line, column) {
                physical["region"]["startColumn"] = json!(column);
            }
            json!({"physicalLocation": physical})
        }
    }
}
