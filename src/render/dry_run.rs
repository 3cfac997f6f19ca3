//! What is said of a dry-run on stderr: how many objects there are of each outcome, and what becomes of each.

use crate::facts::dry_run::{DryRunRow, Outcome};
use crate::findings::apply::short;
use crate::pipeline::DryRun;
use crate::pipeline::stages::Preview;

use super::console::{Talk, Tone};
use super::diff_report::finding_talk;

/// Rows that are told one by one; there is always `-o json` for all.
const MOST_ROWS: usize = 40;

/// What is said of the dry-run of a preview: nothing where nothing changes.
pub fn talk(preview: &Preview, dry_run: &DryRun) -> Vec<Talk> {
    if preview.files.is_empty() {
        return Vec::new();
    }
    summary(dry_run)
}

fn summary(dry_run: &DryRun) -> Vec<Talk> {
    let mut talk: Vec<Talk> = dry_run
        .notes
        .iter()
        .map(|note| Talk::new(Tone::Note, note.clone()))
        .collect();
    talk.extend(
        dry_run
            .warnings
            .iter()
            .map(|warning| Talk::new(Tone::Warning, warning.clone())),
    );
    talk.push(Talk::new(tone(dry_run), counts(dry_run)));
    talk.extend(dry_run.findings.iter().filter_map(finding_talk));
    talk.extend(
        dry_run
            .troubles
            .iter()
            .map(|trouble| Talk::new(Tone::Error, trouble.message.clone())),
    );
    talk
}

fn tone(dry_run: &DryRun) -> Tone {
    let bad = |row: &DryRunRow| {
        row.fails
            || matches!(
                row.outcome,
                Outcome::Rejected | Outcome::Conflict | Outcome::Forbidden
            )
    };
    if dry_run.rows.iter().any(bad) {
        Tone::Error
    } else if dry_run.count(Outcome::NotChecked) > 0 || dry_run.count(Outcome::Drifted) > 0 {
        Tone::Warning
    } else {
        Tone::Success
    }
}

fn counts(dry_run: &DryRun) -> String {
    let counted: Vec<String> = Outcome::ALL
        .iter()
        .map(|outcome| (dry_run.count(*outcome), words(*outcome)))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    let counted = if counted.is_empty() {
        "no object would change".to_owned()
    } else {
        counted.join(", ")
    };
    let tool = dry_run.tool.as_ref().map(|tool| {
        let version = match tool.version.as_str() {
            "" => "unknown",
            version => version,
        };
        format!(" (built with {}, kustomize {version})", tool.name)
    });
    let mut text = format!("dry-run: {counted}{}", tool.unwrap_or_default());
    for row in dry_run.rows.iter().take(MOST_ROWS) {
        text.push('\n');
        text.push_str(&line(row));
    }
    if dry_run.rows.len() > MOST_ROWS {
        let more = dry_run.rows.len() - MOST_ROWS;
        text.push_str(&format!("\n{more} more (-o json tells all)"));
    }
    text
}

/// An outcome as people read it.
fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::UnknownKind => "of unknown kind",
        Outcome::NamespaceMissing => "without namespace",
        Outcome::NotChecked => "not checked",
        Outcome::Conflict => "in conflict",
        other => other.word(),
    }
}

/// `changed  Deployment shop/web  .spec.replicas 3 -> 1`
fn line(row: &DryRunRow) -> String {
    let object = if row.object.name.is_empty() {
        row.path.clone()
    } else {
        row.object.to_string()
    };
    let by = row
        .by
        .map(|by| format!(" by {}", by.word()))
        .unwrap_or_default();
    let applier = match &row.kustomization {
        Some(key) => format!(" (Kustomization {key})"),
        None => String::new(),
    };
    // What is bad is told by its finding.
    let is_told = row.fails
        || matches!(
            row.outcome,
            Outcome::Rejected | Outcome::Conflict | Outcome::Forbidden
        );
    let rest = if !row.message.is_empty() && !is_told {
        format!(": {}", row.message)
    } else if matches!(row.outcome, Outcome::Changed | Outcome::Drifted) {
        changes(row)
    } else {
        String::new()
    };
    format!("{}{by} {object}{applier}{rest}", words(row.outcome))
}

fn changes(row: &DryRunRow) -> String {
    match row.fields.as_slice() {
        [] => String::new(),
        [only] => format!(
            ": {} {} -> {}",
            only.field,
            short(&only.live),
            short(&only.applied)
        ),
        several => format!(": {} fields", several.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::dry_run::{BuildTool, Cause, FieldChange, ObjectIdentity};

    #[test]
    fn a_summary_counts_and_names() {
        let row = DryRunRow {
            object: ObjectIdentity {
                api_version: "apps/v1".into(),
                kind: "Deployment".into(),
                namespace: "shop".into(),
                name: "web".into(),
            },
            path: "a.yaml".into(),
            line: None,
            kustomization: None,
            outcome: Outcome::Changed,
            by: None,
            message: String::new(),
            fields: vec![FieldChange {
                field: ".spec.image".into(),
                live: "a:1".into(),
                applied: "a:2".into(),
                cause: Cause::Update,
            }],
            fails: false,
        };
        let dry_run = DryRun {
            rows: vec![row],
            tool: Some(BuildTool {
                name: "kustomize",
                version: "5.8.1".into(),
            }),
            ..DryRun::default()
        };
        let talk = summary(&dry_run);
        assert_eq!(
            talk,
            [Talk::new(
                Tone::Success,
                "dry-run: 1 changed (built with kustomize, kustomize 5.8.1)\nchanged Deployment shop/web: .spec.image \"a:1\" -> \"a:2\""
            )]
        );
        assert_eq!(
            summary(&DryRun::default())[0].text,
            "dry-run: no object would change"
        );
    }
}
