//! Tag lists recorded on disk, for `--tags-from FILE`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::controllers::flux::ObjectKey;
use crate::facts::registry::{RecordedFailure, RecordedList, RecordedTags};
use crate::io::error_text;
use crate::io::files::read_up_to;

/// A hundred thousand tags of a hundred images are shorter.
const LONGEST: usize = 512 << 20;

/// Reads a recording: what `tags -o json` printed, or an object from image to a list of tags.
///
/// The images are as the file names them. The error names the file and what is wrong with it.
pub fn read(path: &Path) -> Result<Vec<(String, RecordedList)>, String> {
    let named = |message: String| format!("{}: {message}", path.display());
    let bytes = fs::File::open(path)
        .and_then(|file| read_up_to(LONGEST, file))
        .map_err(|error| named(format!("can't be read: {}", error_text(&error))))?;
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|error| named(format!("is not JSON: {error}")))?;
    let Value::Object(members) = value else {
        return Err(named(
            "is neither a recording of `tags -o json` nor an object from image to tags".into(),
        ));
    };
    if members.contains_key("schemaVersion") {
        recorded(members.into())
    } else {
        plain(members)
    }
    .map_err(named)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recording {
    schema_version: u64,
    repositories: Vec<RecordedRepository>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedRepository {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    image: String,
    canonical_name: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    digests: BTreeMap<String, String>,
    error: Option<RecordedError>,
}

#[derive(Deserialize)]
struct RecordedError {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

fn recorded(value: Value) -> Result<Vec<(String, RecordedList)>, String> {
    let recording: Recording =
        serde_path_to_error::deserialize(value).map_err(|error| error.to_string())?;
    if recording.schema_version != 1 {
        return Err(format!(
            "has schemaVersion {}, only 1 is read",
            recording.schema_version
        ));
    }
    let entries = recording.repositories.into_iter().map(entry);
    Ok(entries.collect())
}

fn entry(recorded: RecordedRepository) -> (String, RecordedList) {
    let image = recorded.canonical_name.unwrap_or(recorded.image);
    let repository =
        (!recorded.name.is_empty()).then(|| ObjectKey::new(&recorded.namespace, &recorded.name));
    let outcome = match recorded.error {
        // What stopped the controller after the listing stops it again.
        Some(error) if recorded.tags.is_empty() => Err(RecordedFailure {
            reason: error.reason,
            message: error.message,
        }),
        _ => Ok(RecordedTags {
            tags: recorded.tags,
            digests: recorded.digests,
        }),
    };
    (
        image,
        RecordedList {
            repository,
            outcome,
        },
    )
}

fn plain(members: serde_json::Map<String, Value>) -> Result<Vec<(String, RecordedList)>, String> {
    members
        .into_iter()
        .map(|(image, tags)| {
            let tags = serde_json::from_value(tags)
                .map_err(|_| format!("image {image}: is not a list of tags"))?;
            let outcome = Ok(RecordedTags {
                tags,
                digests: BTreeMap::new(),
            });
            Ok((
                image,
                RecordedList {
                    repository: None,
                    outcome,
                },
            ))
        })
        .collect()
}
