//! Writes recordings, where `IMAGEAUTO_RECORD=1` asks for it.

use std::collections::BTreeMap;
use std::{env, fs};

use serde::Serialize;

use super::recording::{Header, recording_path};
use crate::cluster::programs::module_version;
use crate::cluster::tell;

/// Keeps the first `limit` records as `testdata/recordings/NAME.jsonl`, unless nobody asked for recordings.
pub fn record<Scope: Serialize, Record: Serialize>(
    name: &str,
    scope: Scope,
    records: &[Record],
    limit: usize,
) {
    if env::var("IMAGEAUTO_RECORD").as_deref() != Ok("1") {
        return;
    }
    let header = Header {
        versions: versions(),
        scope,
    };
    let mut text = serde_json::to_string(&header).expect("a header is JSON") + "\n";
    for record in records.iter().take(limit) {
        text += &serde_json::to_string(record).expect("a record is JSON");
        text.push('\n');
    }
    let path = recording_path(name);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("it can be made");
    fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    tell(&format!("recorded {}", path.display()));
}

/// Who answers.
pub fn versions() -> BTreeMap<String, String> {
    let controllers = [
        ("irc", "image-reflector-controller"),
        ("iac", "image-automation-controller"),
    ];
    controllers
        .into_iter()
        .map(|(program, name)| {
            let version = module_version(program, &format!("github.com/fluxcd/{name}"));
            (name.to_owned(), version)
        })
        .collect()
}
