//! Findings about objects that the API server was asked about: what it refuses, what others own, what may not be asked, what
//! changes besides the update.

use crate::facts::dry_run::{Cause, DryRunRow, FieldChange, Outcome, RefusedBy};

use super::{Finding, Severity, Subject};

/// The findings of a dry-run, in the order of its rows.
pub fn of_rows(rows: &[DryRunRow]) -> Vec<Finding> {
    rows.iter().filter_map(of_row).collect()
}

fn of_row(row: &DryRunRow) -> Option<Finding> {
    match row.outcome {
        Outcome::Rejected => Some(apply_rejected(row)),
        Outcome::Conflict => Some(apply_conflict(row)),
        Outcome::Forbidden => Some(apply_forbidden(row)),
        Outcome::Drifted => Some(apply_drift(row)),
        _ if row.fails => Some(apply_rejected(row)),
        _ => None,
    }
}

fn subject(row: &DryRunRow) -> Subject {
    Subject::Place {
        path: row.path.clone(),
        line: row.line,
        column: None,
    }
}

/// Who applies the object.
fn applier(row: &DryRunRow) -> String {
    match &row.kustomization {
        Some(key) => format!("Kustomization {key}"),
        None => "no Kustomization".into(),
    }
}

fn named(row: &DryRunRow) -> String {
    if row.object.name.is_empty() {
        "what the file leads to".into()
    } else {
        row.object.to_string()
    }
}

/// `apply-rejected`: the API server, or the controller before it, refuses an object of the update.
pub fn apply_rejected(row: &DryRunRow) -> Finding {
    let (by, remedy) = match (row.outcome, row.by) {
        (Outcome::UnknownKind, _) => (
            "no API serves its kind",
            "install its CustomResourceDefinition, or correct apiVersion and kind",
        ),
        (Outcome::NamespaceMissing, _) => (
            "its namespace isn't there",
            "create the namespace, or add it to the Kustomization",
        ),
        (Outcome::Forbidden, _) => (
            "the account that applies it may not",
            "grant the account the rule that the message names",
        ),
        (Outcome::NotChecked, _) => (
            "kustomize-controller fails at it",
            "correct the kustomization, then ask again with kustomize build or flux build kustomization",
        ),
        (_, Some(RefusedBy::Immutable)) => (
            "a field of it can't change",
            "set spec.force on the Kustomization, or kustomize.toolkit.fluxcd.io/force: enabled on the object, to have it made anew",
        ),
        (_, Some(RefusedBy::Admission)) => (
            "an admission rule refuses it",
            "satisfy the rule that the message names, or choose another image",
        ),
        (_, Some(RefusedBy::Quota)) => (
            "a ResourceQuota refuses it",
            "raise the quota, or ask for less",
        ),
        _ => (
            "the API server refuses it",
            "correct the field that the message names",
        ),
    };
    Finding {
        id: "apply-rejected",
        severity: Severity::of("apply-rejected"),
        subject: subject(row),
        message: format!("{} ({}): {by}: {}", named(row), applier(row), row.message),
        evidence: row.message.clone(),
        remedy: remedy.into(),
    }
}

/// `apply-conflict`: another manager owns a field with another value.
pub fn apply_conflict(row: &DryRunRow) -> Finding {
    Finding {
        id: "apply-conflict",
        severity: Severity::of("apply-conflict"),
        subject: subject(row),
        message: format!("{}: {}", named(row), row.message),
        evidence: fields(&row.fields),
        remedy: format!(
            "take the field out of the file, or take it from its owner: kubectl apply --server-side --force-conflicts -f {}",
            row.path
        ),
    }
}

/// `apply-forbidden`: a permission is missing, ours or that of the account that applies.
pub fn apply_forbidden(row: &DryRunRow) -> Finding {
    Finding {
        id: "apply-forbidden",
        severity: Severity::of("apply-forbidden"),
        subject: subject(row),
        message: format!("{} ({}): {}", named(row), applier(row), row.message),
        evidence: row.message.clone(),
        remedy: "grant the rule that the message names".into(),
    }
}

/// `apply-drift`: the apply changes more than the update does.
pub fn apply_drift(row: &DryRunRow) -> Finding {
    let besides: Vec<FieldChange> = row
        .fields
        .iter()
        .filter(|field| field.cause != Cause::Update)
        .cloned()
        .collect();
    let what = match besides.len() {
        1 => "1 field besides the update changes".to_owned(),
        count => format!("{count} fields besides the update change"),
    };
    Finding {
        id: "apply-drift",
        severity: Severity::of("apply-drift"),
        subject: subject(row),
        message: format!("{} ({}): {what}: {}", named(row), applier(row), fields(&besides)),
        evidence: fields(&besides),
        remedy: "put into the repository what was changed in the cluster, or keep it with kustomize.toolkit.fluxcd.io/ssa: Merge".into(),
    }
}

/// `.spec.replicas 3 -> 1 (drift)`, for as many as one can read.
fn fields(fields: &[FieldChange]) -> String {
    const MOST: usize = 5;
    let mut told: Vec<String> = fields
        .iter()
        .take(MOST)
        .map(|change| {
            format!(
                "{} {} -> {} ({})",
                change.field,
                short(&change.live),
                short(&change.applied),
                change.cause.word()
            )
        })
        .collect();
    if fields.len() > MOST {
        told.push(format!("{} more", fields.len() - MOST));
    }
    told.join(", ")
}

/// A value in a few characters.
pub fn short(value: &serde_json::Value) -> String {
    const MOST: usize = 60;
    let text = match value {
        serde_json::Value::String(text) => format!("{text:?}"),
        serde_json::Value::Null => "none".into(),
        other => other.to_string(),
    };
    if text.chars().count() <= MOST {
        return text;
    }
    let start: String = text.chars().take(MOST - 1).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::dry_run::ObjectIdentity;

    fn row(outcome: Outcome) -> DryRunRow {
        DryRunRow {
            object: ObjectIdentity {
                api_version: "apps/v1".into(),
                kind: "Deployment".into(),
                namespace: "shop".into(),
                name: "web".into(),
            },
            path: "a.yaml".into(),
            line: Some(3),
            kustomization: None,
            outcome,
            by: None,
            message: "no".into(),
            fields: vec![FieldChange {
                field: ".spec.replicas".into(),
                live: 3.into(),
                applied: 1.into(),
                cause: Cause::Drift,
            }],
            fails: false,
        }
    }

    #[test]
    fn only_bad_outcomes_are_findings() {
        let ids: Vec<Option<&str>> = Outcome::ALL
            .iter()
            .map(|outcome| of_row(&row(*outcome)).map(|finding| finding.id))
            .collect();
        assert_eq!(
            ids,
            [
                None,
                None,
                None,
                Some("apply-drift"),
                None,
                None,
                Some("apply-rejected"),
                Some("apply-conflict"),
                Some("apply-forbidden"),
                None,
                None,
                None
            ]
        );
        let mut failing = row(Outcome::UnknownKind);
        failing.fails = true;
        assert_eq!(of_row(&failing).unwrap().id, "apply-rejected");
    }

    #[test]
    fn a_drift_names_its_fields() {
        let finding = apply_drift(&row(Outcome::Drifted));
        assert_eq!(
            finding.message,
            "Deployment shop/web (no Kustomization): 1 field besides the update changes: .spec.replicas 3 -> 1 (drift)"
        );
        assert_eq!(finding.subject.to_string(), "a.yaml:3");
    }
}
