//! The public JSON of schema version 1: structs of its own, which only grow. The schemas stand under `schemas/`.

use serde::Serialize;

use crate::controllers::flux::ObjectKey;
use crate::findings::{Finding, Subject};
use crate::pipeline::DryRun;
use crate::pipeline::forecast::Forecast;
use crate::pipeline::stages::{Preview, PreviewedFile};

use super::{diff_report, json_v1_dry_run, json_v1_forecast, unified_diff};

/// What is told of one cluster or one set of manifests.
#[derive(Clone, Copy, Debug)]
pub struct DiffPart<'a> {
    /// The automations.
    pub previews: &'a [Preview],
    /// One for each preview, or nothing where none was asked for.
    pub dry_runs: Option<&'a [DryRun]>,
    /// The kubeconfig's context.
    pub cluster: Option<&'a str>,
}

/// The document of `diff -o json`, ended by LF; the patches have `context` unchanged lines around each change.
pub fn diff(parts: &[DiffPart<'_>], forecast: Option<&Forecast>, context: usize) -> Vec<u8> {
    let rows = parts.iter().flat_map(|part| {
        part.previews
            .iter()
            .enumerate()
            .map(move |(index, preview)| {
                let dry_run = part.dry_runs.and_then(|dry_runs| dry_runs.get(index));
                automation(preview, dry_run, part.cluster, context)
            })
    });
    let automations = rows.collect();
    document(&DiffDocument {
        schema_version: 1,
        automations,
        forecast: forecast.map(json_v1_forecast::row),
    })
}

pub(super) fn document<Document: Serialize>(document: &Document) -> Vec<u8> {
    // Strings, numbers, lists and structs always have a JSON form.
    let mut bytes = serde_json::to_vec_pretty(document).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DiffDocument {
    schema_version: u32,
    automations: Vec<Automation>,
    forecast: Option<json_v1_forecast::Row>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Automation {
    context: Option<String>,
    namespace: String,
    name: String,
    path: String,
    source: Source,
    parent: Option<String>,
    author: Author,
    checkout_branch: Option<String>,
    push_branch: Option<String>,
    refspec: Option<String>,
    policies: Vec<Policy>,
    message: Option<String>,
    pub(super) error: Option<Error>,
    skipped: Option<String>,
    files: Vec<File>,
    lines_spared: Option<usize>,
    markers: Markers,
    problem_files: Vec<ProblemFile>,
    findings: Vec<FindingRow>,
    dry_run: Option<Vec<json_v1_dry_run::Row>>,
    build_tool: Option<json_v1_dry_run::Tool>,
}

#[derive(Serialize)]
struct Author {
    name: String,
    email: String,
}

#[derive(Serialize)]
struct Source {
    kind: &'static str,
    namespace: String,
    name: String,
    url: Option<String>,
    #[serde(rename = "ref")]
    reference: Reference,
    commit: Option<String>,
}

#[derive(Serialize)]
struct Reference {
    name: Option<String>,
    commit: Option<String>,
    tag: Option<String>,
    semver: Option<String>,
    branch: Option<String>,
}

#[derive(Serialize)]
struct Policy {
    namespace: String,
    name: String,
    image: String,
    tag: String,
    digest: Option<String>,
    from: &'static str,
}

/// A failure of the controller, or ours with the reason `Unknown`.
#[derive(Serialize)]
pub(super) struct Error {
    pub(super) reason: String,
    pub(super) message: String,
}

#[derive(Serialize)]
struct File {
    path: String,
    patch: String,
    changes: Vec<Change>,
}

#[derive(Serialize)]
struct Change {
    object: Object,
    setter: String,
    line: usize,
    old: String,
    new: String,
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
#[serde(rename_all = "camelCase")]
struct Markers {
    applied: usize,
    up_to_date: usize,
    ignored: Vec<Ignored>,
}

#[derive(Serialize)]
struct Ignored {
    path: String,
    line: usize,
    column: usize,
    setter: Option<String>,
    id: &'static str,
    reason: String,
}

#[derive(Serialize)]
struct ProblemFile {
    path: String,
    line: Option<usize>,
    reason: String,
}

/// A finding, as every document has it.
#[derive(Serialize)]
pub(super) struct FindingRow {
    id: &'static str,
    severity: String,
    context: Option<String>,
    subject: SubjectRow,
    message: String,
    evidence: String,
    remedy: String,
    causes: Vec<usize>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum SubjectRow {
    Object {
        kind: &'static str,
        namespace: String,
        name: String,
    },
    Place {
        path: String,
        line: Option<usize>,
        column: Option<usize>,
    },
}

pub(super) fn automation(
    preview: &Preview,
    dry_run: Option<&DryRun>,
    cluster: Option<&str>,
    context: usize,
) -> Automation {
    let ObjectKey { namespace, name } = preview.key.clone();
    let branches = preview.branches.as_ref();
    Automation {
        context: cluster.map(str::to_owned),
        namespace,
        name,
        path: preview.update_path.clone(),
        source: source(preview),
        parent: preview.parent.clone(),
        author: Author {
            name: preview.author.name.clone(),
            email: preview.author.email.clone(),
        },
        checkout_branch: branches.and_then(|branches| branches.checkout_branch.clone()),
        push_branch: branches.map(|branches| branches.push_branch.clone()),
        refspec: branches.and_then(|branches| branches.refspec.clone()),
        policies: preview
            .policies
            .iter()
            .map(|policy| Policy {
                namespace: policy.key.namespace.clone(),
                name: policy.key.name.clone(),
                image: policy.image.name.clone(),
                tag: policy.image.tag.clone(),
                digest: filled(&policy.image.digest),
                from: policy.origin.word(),
            })
            .collect(),
        message: preview
            .message
            .as_deref()
            .map(|message| String::from_utf8_lossy(message).into_owned()),
        error: error(preview),
        skipped: preview.skipped.clone(),
        files: preview
            .files
            .iter()
            .map(|shown| file(shown, context))
            .collect(),
        lines_spared: diff_report::lines_spared(preview),
        markers: markers(preview),
        problem_files: preview
            .problem_files
            .iter()
            .map(|problem| ProblemFile {
                path: problem.path.clone(),
                line: problem.line,
                reason: problem.reason.clone(),
            })
            .collect(),
        findings: preview
            .findings
            .iter()
            .chain(dry_run.map_or(&[][..], |dry_run| &dry_run.findings))
            .map(|found| finding(found, cluster))
            .collect(),
        dry_run: dry_run.map(json_v1_dry_run::rows),
        build_tool: dry_run.and_then(json_v1_dry_run::tool),
    }
}

fn source(preview: &Preview) -> Source {
    let reference = preview
        .branches
        .as_ref()
        .map(|branches| branches.checkout.clone())
        .unwrap_or_default();
    Source {
        kind: "GitRepository",
        namespace: preview.source.key.namespace.clone(),
        name: preview.source.key.name.clone(),
        url: preview.source.url.clone(),
        reference: Reference {
            name: filled(&reference.name),
            commit: filled(&reference.commit),
            tag: filled(&reference.tag),
            semver: filled(&reference.semver),
            branch: filled(&reference.branch),
        },
        commit: preview.source.commit.clone(),
    }
}

pub(super) fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The controller's failure, or ours with the reason `Unknown`.
fn error(preview: &Preview) -> Option<Error> {
    let predicted = preview.error.as_ref().map(|error| Error {
        reason: error.reason.to_owned(),
        message: error.message.clone(),
    });
    predicted.or_else(|| {
        preview.unknown.as_ref().map(|failure| Error {
            reason: "Unknown".into(),
            message: failure.to_string(),
        })
    })
}

fn file(file: &PreviewedFile, context: usize) -> File {
    let patch = unified_diff::patch(diff_report::pair(file), context);
    let changes = file.changes.iter().map(|change| Change {
        object: Object {
            api_version: change.object.api_version.clone(),
            kind: change.object.kind.clone(),
            namespace: change.object.namespace.clone(),
            name: change.object.name.clone(),
        },
        setter: change.setter.clone(),
        line: change.line,
        old: change.old.clone(),
        new: change.new.clone(),
    });
    File {
        path: file.path.clone(),
        patch: String::from_utf8_lossy(&patch).into_owned(),
        changes: changes.collect(),
    }
}

fn markers(preview: &Preview) -> Markers {
    let ignored = preview.markers.ignored.iter().map(|marker| Ignored {
        path: marker.path.clone(),
        line: marker.line,
        column: marker.column,
        setter: marker.setter.clone(),
        id: marker.id,
        reason: marker.reason.clone(),
    });
    Markers {
        applied: preview.markers.applied,
        up_to_date: preview.markers.up_to_date,
        ignored: ignored.collect(),
    }
}

pub(super) fn finding(finding: &Finding, cluster: Option<&str>) -> FindingRow {
    finding_with(finding, cluster, &[])
}

/// A finding that comes from others of its list.
pub(super) fn finding_with(
    finding: &Finding,
    cluster: Option<&str>,
    causes: &[usize],
) -> FindingRow {
    let subject = match &finding.subject {
        Subject::Object { kind, key } => SubjectRow::Object {
            kind,
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        },
        Subject::Place { path, line, column } => SubjectRow::Place {
            path: path.clone(),
            line: *line,
            column: *column,
        },
    };
    FindingRow {
        id: finding.id,
        severity: finding.severity.to_string(),
        context: cluster.map(str::to_owned),
        subject,
        message: finding.message.clone(),
        evidence: finding.evidence.clone(),
        remedy: finding.remedy.clone(),
        causes: causes.to_vec(),
    }
}
