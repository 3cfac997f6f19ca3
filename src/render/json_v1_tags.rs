//! The document of `tags -o json`, schema version 1, which `--tags-from` reads again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::controllers::schedule::NextScan;
use crate::controllers::view::Currency;
use crate::pipeline::tags::{CredentialsUsed, RepositoryTags};

use super::json_v1::{FindingRow, document, finding};

/// The document, ended by LF: the repositories of each kubeconfig's context.
pub fn tags(parts: &[(Option<&str>, &[RepositoryTags])]) -> Vec<u8> {
    let rows = parts
        .iter()
        .flat_map(|(cluster, rows)| rows.iter().map(|row| repository(row, *cluster)));
    document(&TagsDocument {
        schema_version: 1,
        repositories: rows.collect(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TagsDocument<'r> {
    schema_version: u32,
    repositories: Vec<Repository<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Repository<'r> {
    context: Option<&'r str>,
    namespace: &'r str,
    name: &'r str,
    image: &'r str,
    canonical_name: Option<&'r str>,
    recorded_at: String,
    tags: &'r [String],
    excluded: Vec<Excluded<'r>>,
    digests: &'r BTreeMap<String, String>,
    credentials: Option<Credentials<'r>>,
    controller_view: Option<ControllerView<'r>>,
    error: Option<Error<'r>>,
    findings: Vec<FindingRow>,
}

#[derive(Serialize)]
struct Excluded<'r> {
    tag: &'r str,
    pattern: &'r str,
}

#[derive(Serialize)]
struct Credentials<'r> {
    from: &'static str,
    secret: Option<Secret<'r>>,
    text: String,
}

#[derive(Serialize)]
struct Secret<'r> {
    namespace: &'r str,
    name: &'r str,
    entry: &'r str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ControllerView<'r> {
    revision: Option<&'r str>,
    revision_now: Option<&'r str>,
    current: Option<bool>,
    tag_count: u64,
    appeared: &'r [String],
    disappeared: &'r [String],
    last_scan: Option<String>,
    next_scan: Option<String>,
    due: Option<&'static str>,
}

#[derive(Serialize)]
struct Error<'r> {
    reason: &'r str,
    message: &'r str,
}

fn repository<'r>(row: &'r RepositoryTags, cluster: Option<&'r str>) -> Repository<'r> {
    let key = &row.repository.key;
    let excluded = row.excluded().iter().map(|excluded| Excluded {
        tag: &excluded.tag,
        pattern: &excluded.pattern,
    });
    Repository {
        context: cluster,
        namespace: &key.namespace,
        name: &key.name,
        image: &row.repository.spec.image,
        canonical_name: row.canonical_name.as_deref(),
        recorded_at: to_the_second(row.recorded_at),
        tags: &row.listed,
        excluded: excluded.collect(),
        digests: &row.digests,
        credentials: row.credentials.as_ref().map(credentials),
        controller_view: controller_view(row),
        error: row
            .error
            .as_ref()
            .map(|(reason, message)| Error { reason, message }),
        findings: row
            .findings
            .iter()
            .map(|found| finding(found, cluster))
            .collect(),
    }
}

fn credentials(used: &CredentialsUsed) -> Credentials<'_> {
    let (from, secret, text) = match used {
        CredentialsUsed::Secret(source) => {
            let secret = Secret {
                namespace: &source.secret.namespace,
                name: &source.secret.name,
                entry: &source.entry,
            };
            ("object", Some(secret), format!("Secret {}", source.secret))
        }
        CredentialsUsed::Users(whose) => ("user", None, whose.clone()),
        CredentialsUsed::Nobody => ("nobody", None, "none".into()),
    };
    Credentials { from, secret, text }
}

fn controller_view(row: &RepositoryTags) -> Option<ControllerView<'_>> {
    let view = row.view.as_ref()?;
    let (appeared, disappeared) = match &view.currency {
        Currency::Stale(changes) => (&changes.appeared[..], &changes.disappeared[..]),
        Currency::Current | Currency::Unknown(_) => (&[][..], &[][..]),
    };
    let (next_scan, due) = match &row.next_scan {
        Some(NextScan::At(next)) => (Some(next.to_string()), None),
        Some(NextScan::Due { reason, since }) => {
            (since.map(|since| since.to_string()), Some(*reason))
        }
        Some(NextScan::Unknown) | None => (None, None),
    };
    Some(ControllerView {
        revision: view.revision.as_deref(),
        revision_now: view.revision_now.as_deref(),
        current: view.is_current(),
        tag_count: view.tag_count,
        appeared,
        disappeared,
        last_scan: row.last_scan.map(|last| last.to_string()),
        next_scan,
        due,
    })
}

/// As the API server writes moments.
fn to_the_second(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second())
        .map_or_else(|_| moment.to_string(), |moment| moment.to_string())
}
