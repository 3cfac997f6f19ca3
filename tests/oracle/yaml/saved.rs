//! Disagreements that were found once, one JSON case a file: what `just fuzz-yaml` saves, and what every later run asks again.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::case::{Case, Operation};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/disagreements")
}

/// All saved cases, by the names of their files.
pub fn saved() -> Vec<Case> {
    let Ok(listing) = fs::read_dir(folder()) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = listing.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Case {
    let text = fs::read_to_string(path).expect("a saved case can be read");
    let saved: Value = serde_json::from_str(&text).expect("a saved case is JSON");
    let text_of = |value: &Value| value.as_str().expect("a text").to_owned();
    let files = saved["files"].as_array().expect("the case has files");
    Case {
        operation: if saved["round_trip"] == true {
            Operation::RoundTrip
        } else {
            Operation::Run
        },
        files: files
            .iter()
            .map(|file| {
                let bytes = STANDARD.decode(text_of(&file["bytes"]));
                (text_of(&file["path"]), bytes.expect("bytes are base64"))
            })
            .collect(),
    }
}
