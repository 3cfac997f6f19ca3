//! The JSON of `get markers` and `get images`, schema version 1; see `schemas/markers-v1.schema.json` and
//! `schemas/images-v1.schema.json`.

use serde::Serialize;
use serde_json::Value;

use crate::controllers::flux::ObjectKey;
use crate::pipeline::stages::MarkerFate;
use crate::pipeline::standing::{ImageRow, MarkerRow, Standing};

use super::json_v1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Markers {
    schema_version: u32,
    markers: Vec<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Images {
    schema_version: u32,
    images: Vec<Value>,
}

#[derive(Serialize)]
struct Named {
    namespace: String,
    name: String,
}

impl From<&ObjectKey> for Named {
    fn from(key: &ObjectKey) -> Self {
        Self {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }
    }
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
struct Marker {
    context: Option<String>,
    automation: Named,
    source: Named,
    object: Option<Object>,
    path: String,
    line: usize,
    column: usize,
    setter: Option<String>,
    policy: Option<Named>,
    in_git: Option<String>,
    latest: Option<String>,
    running: Option<Vec<String>>,
    outdated: bool,
    verdict: &'static str,
    id: Option<&'static str>,
    reason: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    context: Option<String>,
    policy: Named,
    repository: Named,
    image: Option<String>,
    in_git: Option<Vec<String>>,
    markers: usize,
    latest: Option<Latest>,
    newer_outside_range: Option<String>,
    outdated: bool,
}

#[derive(Serialize)]
struct Latest {
    image: String,
    tag: String,
    digest: Option<String>,
    from: &'static str,
}

/// The form of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON, ended by LF.
    Json,
    /// The same as YAML.
    Yaml,
}

/// The document of `get markers`.
pub fn markers(all: &[Standing], form: Form) -> Vec<u8> {
    let rows = all.iter().flat_map(|standing| {
        let context = standing.context.as_deref();
        standing
            .markers
            .iter()
            .map(move |row| marker_value(row, context))
    });
    written(
        &Markers {
            schema_version: 1,
            markers: rows.collect(),
        },
        form,
    )
}

/// The document of `get images`.
pub fn images(all: &[Standing], form: Form) -> Vec<u8> {
    let rows = all.iter().flat_map(|standing| {
        let context = standing.context.as_deref();
        standing
            .images
            .iter()
            .map(move |row| image_value(row, context))
    });
    written(
        &Images {
            schema_version: 1,
            images: rows.collect(),
        },
        form,
    )
}

fn written<Document: Serialize>(document: &Document, form: Form) -> Vec<u8> {
    match form {
        Form::Json => json_v1::document(document),
        // What has a JSON form has one in YAML.
        Form::Yaml => serde_saphyr::to_string(document)
            .unwrap_or_default()
            .into_bytes(),
    }
}

/// A marker's row as it stands in the document, for sorting too.
pub fn marker_value(row: &MarkerRow, context: Option<&str>) -> Value {
    let (verdict, id, reason) = match &row.fate {
        MarkerFate::Applied { .. } => ("applied", None, None),
        MarkerFate::UpToDate { .. } => ("upToDate", None, None),
        MarkerFate::Unknown { reason } => ("unknown", None, Some(reason.clone())),
        MarkerFate::Ignored { id, reason } => ("ignored", Some(*id), Some(reason.clone())),
    };
    value(&Marker {
        context: context.map(str::to_owned),
        automation: (&row.automation).into(),
        source: (&row.source).into(),
        object: row.object.as_ref().map(|object| Object {
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
        }),
        path: row.path.clone(),
        line: row.line,
        column: row.column,
        setter: row.setter.clone(),
        policy: row.policy.as_ref().map(Named::from),
        in_git: row.in_git.clone(),
        latest: row.latest.clone(),
        running: row.running.clone(),
        outdated: row.is_outdated(),
        verdict,
        id,
        reason,
    })
}

/// An image's row as it stands in the document, for sorting too.
pub fn image_value(row: &ImageRow, context: Option<&str>) -> Value {
    let values = |values: &Vec<crate::pipeline::standing::MarkedValue>| {
        values.iter().map(|value| value.text.clone()).collect()
    };
    value(&Image {
        context: context.map(str::to_owned),
        policy: (&row.policy).into(),
        repository: (&row.repository).into(),
        image: row.image.clone(),
        in_git: row.in_git.as_ref().map(values),
        markers: row.markers,
        latest: row.latest.as_ref().map(|(image, origin)| Latest {
            image: image.name.clone(),
            tag: image.tag.clone(),
            digest: Some(image.digest.clone()).filter(|digest| !digest.is_empty()),
            from: origin.word(),
        }),
        newer_outside_range: row.newer_outside_range.clone(),
        outdated: row.is_outdated(),
    })
}

fn value<Row: Serialize>(row: &Row) -> Value {
    // Strings, numbers, lists and structs always have a JSON form.
    serde_json::to_value(row).unwrap_or_default()
}
