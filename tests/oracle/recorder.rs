//! Fresh answers against recorded ones: compared, or written anew where `IMAGEAUTO_RECORD=1` asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::{env, fs};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::recording::{Header, Recording, recording_path};
use crate::cluster::programs::module_version;
use crate::cluster::tell;

/// Keeps the first `limit` records as `testdata/recordings/NAME.jsonl`, if recordings are asked for. Otherwise the
/// questions that stand in that file too must have the answers that stand there, where `is_certain` says that the
/// controller has only one.
pub fn record_or_compare<Scope, Record, Question>(
    name: &str,
    scope: Scope,
    records: &[Record],
    limit: usize,
    question: impl Fn(&Record) -> &Question,
    is_certain: impl Fn(&Record) -> bool,
) where
    Scope: Serialize + DeserializeOwned + PartialEq + Debug,
    Record: Serialize + DeserializeOwned + PartialEq + Debug,
    Question: Serialize,
{
    let header = Header {
        versions: versions(),
        scope,
    };
    if env::var("IMAGEAUTO_RECORD").as_deref() == Ok("1") {
        write(name, &header, &records[..limit.min(records.len())]);
        return;
    }
    let refresh = "record anew with IMAGEAUTO_RECORD=1";
    let recording: Recording<Scope, Record> = Recording::read(name);
    assert_eq!(recording.header, header, "{name}: {refresh}");
    let key = |record: &Record| serde_json::to_string(question(record)).expect("it is JSON");
    let recorded: BTreeMap<String, &Record> = recording
        .records
        .iter()
        .map(|record| (key(record), record))
        .collect();
    let mut compared = BTreeSet::new();
    for fresh in records {
        let key = key(fresh);
        let Some(recorded) = recorded.get(&key) else {
            continue;
        };
        compared.insert(key);
        if is_certain(fresh) {
            assert_eq!(fresh, *recorded, "{name}: the recorded answer is another");
        }
    }
    assert!(
        compared.len() >= recorded.len() / 2,
        "{name}: the questions have changed; {refresh}"
    );
    tell(&format!(
        "{name}: {} of {} recorded answers asked again, all hold",
        compared.len(),
        recorded.len()
    ));
}

fn write<Scope: Serialize, Record: Serialize>(
    name: &str,
    header: &Header<Scope>,
    records: &[Record],
) {
    let mut text = serde_json::to_string(header).expect("a header is JSON") + "\n";
    for record in records {
        text += &serde_json::to_string(record).expect("a record is JSON");
        text.push('\n');
    }
    let path = recording_path(name);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("it can be made");
    fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    tell(&format!(
        "{name}: {} answers recorded in {}",
        records.len(),
        path.display()
    ));
}

/// Who answers.
fn versions() -> BTreeMap<String, String> {
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
