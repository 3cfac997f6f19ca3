//! The public JSON of schema version 1: structs of its own, which only grow. The schemas stand under `schemas/`.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::controllers::flux::ObjectKey;
use crate::findings::{Finding, Subject};
use crate::pipeline::DryRun;
use crate::pipeline::forecast::Forecast;
use crate::pipeline::stages::{Preview, PreviewedFile};

use super::unified_diff::Patch;
use super::{diff_report, json_v1_dry_run, json_v1_forecast};

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

/// Writes the document of `diff -o json`, ended by LF; the patches have `context` unchanged lines around each change. What is told of
/// one automation is made when it is written, so that a large document takes no more room than its largest part.
///
/// # Errors
///
/// Those of the writer.
pub fn diff(
    out: &mut dyn Write,
    parts: &[DiffPart<'_>],
    forecast: Option<&Forecast>,
    context: usize,
) -> io::Result<()> {
    let document = DiffDocument {
        schema_version: 1,
        automations: Automations { parts, context },
        forecast: forecast.map(json_v1_forecast::row),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

pub(super) fn document<Document: Serialize>(document: &Document) -> Vec<u8> {
    // Strings, numbers, lists and structs always have a JSON form.
    let mut bytes = serde_json::to_vec_pretty(document).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The automations of all parts, each made into a row when it is its turn.
struct Automations<'a> {
    parts: &'a [DiffPart<'a>],
    context: usize,
}

impl Serialize for Automations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.parts.iter().flat_map(|part| {
            let previews = part.previews.iter().enumerate();
            previews.map(|(index, preview)| {
                let dry_run = part.dry_runs.and_then(|dry_runs| dry_runs.get(index));
                automation(preview, dry_run, part.cluster, self.context)
            })
        }))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DiffDocument<'a> {
    schema_version: u32,
    automations: Automations<'a>,
    forecast: Option<json_v1_forecast::Row>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Automation<'a> {
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
    files: Vec<File<'a>>,
    lines_spared: Option<usize>,
    markers: Markers<'a>,
    problem_files: Vec<ProblemFile<'a>>,
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
struct File<'a> {
    path: &'a str,
    #[serde(serialize_with = "as_text")]
    patch: Patch<'a>,
    changes: Vec<Change<'a>>,
}

fn as_text<S: Serializer>(patch: &Patch<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(patch)
}

#[derive(Serialize)]
struct Change<'a> {
    object: Object<'a>,
    setter: &'a str,
    line: usize,
    old: &'a str,
    new: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    api_version: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Markers<'a> {
    applied: usize,
    up_to_date: usize,
    ignored: Vec<Ignored<'a>>,
}

#[derive(Serialize)]
struct Ignored<'a> {
    path: &'a str,
    line: usize,
    column: usize,
    setter: Option<&'a str>,
    id: &'static str,
    reason: &'a str,
}

#[derive(Serialize)]
struct ProblemFile<'a> {
    path: &'a str,
    line: Option<usize>,
    reason: &'a str,
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

pub(super) fn automation<'a>(
    preview: &'a Preview,
    dry_run: Option<&DryRun>,
    cluster: Option<&str>,
    context: usize,
) -> Automation<'a> {
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
                path: &problem.path,
                line: problem.line,
                reason: &problem.reason,
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

fn file(file: &PreviewedFile, context: usize) -> File<'_> {
    let changes = file.changes.iter().map(|change| Change {
        object: Object {
            api_version: &change.object.api_version,
            kind: &change.object.kind,
            namespace: &change.object.namespace,
            name: &change.object.name,
        },
        setter: &change.setter,
        line: change.line,
        old: &change.old,
        new: &change.new,
    });
    File {
        path: &file.path,
        patch: Patch {
            pair: diff_report::pair(file),
            context,
        },
        changes: changes.collect(),
    }
}

fn markers(preview: &Preview) -> Markers<'_> {
    let ignored = preview.markers.ignored.iter().map(|marker| Ignored {
        path: &marker.path,
        line: marker.line,
        column: marker.column,
        setter: marker.setter.as_deref(),
        id: marker.id,
        reason: &marker.reason,
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
