//! Replays the recorded rewrites of `testdata/vectors/`, and the cases of `testdata/setters/`: files before, files after, and what is said
//! about them. `UPDATE=1` accepts what comes out of the latter.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the tally is for the reader of the test's output"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use imageauto::controllers::setters::{SetterPolicy, Setters, SourceFile, update};
use imageauto::yaml;
use serde::Deserialize;

#[derive(Deserialize)]
struct Record {
    op: String,
    name: String,
    input: String,
    output: Option<String>,
    error: Option<serde_json::Value>,
    #[serde(default)]
    policies: Vec<String>,
    #[serde(default)]
    changes: Vec<(String, String, String)>,
}

#[derive(Default)]
struct Tally {
    agree: usize,
    refused: usize,
    failures: Vec<String>,
}

#[test]
fn every_recorded_rewrite_is_repeated() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/testdata/vectors/yaml-rewrite.jsonl"
    );
    let recorded = fs::read_to_string(path).unwrap();
    let mut tally = Tally::default();
    for line in recorded.lines() {
        let record: Record = serde_json::from_str(line).unwrap();
        match record.op.as_str() {
            "rt" => check_round_trip(&record, &mut tally),
            "set" => check_update(&record, &mut tally),
            other => panic!("unknown operation {other}"),
        }
    }
    for failure in tally.failures.iter().take(15) {
        println!("{failure}");
    }
    println!(
        "{} agree (of these {} refused by both), {} differ",
        tally.agree,
        tally.refused,
        tally.failures.len()
    );
    assert!(tally.failures.is_empty());
}

fn check_round_trip(record: &Record, tally: &mut Tally) {
    let written = yaml::round_trip(record.input.as_bytes());
    match (&record.error, written) {
        (Some(_), Err(_)) => {
            tally.agree += 1;
            tally.refused += 1;
        }
        (None, Ok(bytes))
            if Some(bytes.as_slice()) == record.output.as_deref().map(str::as_bytes) =>
        {
            tally.agree += 1;
        }
        (_, written) => {
            let ours = written.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            tally.failures.push(format!(
                "--- {}\n{}\n--- expected (error {:?})\n{}\n--- ours\n{}",
                record.name,
                record.input,
                record.error,
                record.output.as_deref().unwrap_or_default(),
                ours.unwrap_or_else(|error| format!("error: {error}")),
            ));
        }
    }
}

/// `NAMESPACE/NAME=IMAGE:TAG[@DIGEST]`; the last `:` before the digest is the tag's.
fn policy(text: &str) -> SetterPolicy {
    let (object, reference) = text.split_once('=').expect("a policy");
    let (namespace, name) = object.split_once('/').expect("a namespace");
    let (tagged, digest) = reference.split_once('@').unwrap_or((reference, ""));
    let (image, tag) = tagged.rsplit_once(':').expect("a tag");
    SetterPolicy {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        image: image.to_owned(),
        tag: tag.to_owned(),
        digest: digest.to_owned(),
    }
}

fn check_update(record: &Record, tally: &mut Tally) {
    let policies: Vec<SetterPolicy> = record.policies.iter().map(|text| policy(text)).collect();
    let files = [SourceFile {
        path: "f.yaml",
        bytes: record.input.as_bytes(),
    }];
    let updated = Setters::new(&policies).and_then(|setters| update(&files, &setters));
    let updated = match (&record.error, updated) {
        (None, Ok(updated)) => updated,
        (Some(expected), Err(failure)) => {
            let expected = expected["message"].as_str().expect("a message");
            if expected == failure.message {
                tally.agree += 1;
                tally.refused += 1;
            } else {
                let name = &record.name;
                tally
                    .failures
                    .push(format!("--- {name}: {expected}\n--- ours: {failure}"));
            }
            return;
        }
        (expected, updated) => {
            let name = &record.name;
            tally
                .failures
                .push(format!("--- {name}: {expected:?}\n--- ours: {updated:?}"));
            return;
        }
    };
    let written = updated.written.iter().find(|file| file.path == "f.yaml");
    let bytes = written.map_or(record.input.as_bytes(), |file| &file.bytes);
    let mut seen = std::collections::HashSet::new();
    let changes: Vec<(String, String, String)> = updated
        .changed
        .iter()
        .flat_map(|file| &file.objects)
        .flat_map(|object| &object.changes)
        .map(|change| {
            (
                change.setter.clone(),
                change.old.clone(),
                change.new.clone(),
            )
        })
        // The recorder asked for the changes without repetitions.
        .filter(|change| seen.insert(change.clone()))
        .collect();
    let expected = record.output.as_deref().unwrap_or_default();
    if bytes == expected.as_bytes() && changes == record.changes {
        tally.agree += 1;
        return;
    }
    tally.failures.push(format!(
        "--- {}\n{}\n--- expected {:?}\n{expected}\n--- ours {changes:?}\n{}\n{:?}",
        record.name,
        record.input,
        record.changes,
        String::from_utf8_lossy(bytes),
        updated.markers,
    ));
}

#[test]
fn every_case_of_the_setters_comes_out_as_before() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/setters"));
    let policies = fs::read_to_string(folder.join("policies.txt")).unwrap();
    let policies: Vec<SetterPolicy> = policies.lines().map(policy).collect();
    let setters = Setters::new(&policies).unwrap();
    let mut cases: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(cases.len() > 10);
    let mut wrong = Vec::new();
    for case in cases {
        let report = report_of(&case.join("before"), &setters);
        let expected = case.join("after.txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&expected, &report).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != report {
            wrong.push(format!("{}\n{report}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The written files and all that is said about a run, as text.
fn report_of(folder: &Path, setters: &Setters) -> String {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let contents: Vec<Vec<u8>> = names
        .iter()
        .map(|name| fs::read(folder.join(name)).unwrap())
        .collect();
    let files: Vec<SourceFile<'_>> = names
        .iter()
        .zip(&contents)
        .map(|(path, bytes)| SourceFile { path, bytes })
        .collect();
    let mut report = String::new();
    let updated = match update(&files, setters) {
        Ok(updated) => updated,
        Err(failure) => return format!("failed: {failure}\n"),
    };
    for file in &updated.written {
        let how = if file.created { "created" } else { "written" };
        let text = String::from_utf8_lossy(&file.bytes);
        writeln!(report, "== {how} {}\n{text}", file.path).unwrap();
        for loss in &file.losses {
            writeln!(report, "loss in line {}: {:?}", loss.line, loss.kind).unwrap();
        }
    }
    for file in &updated.changed {
        for object in &file.objects {
            writeln!(
                report,
                "{:?} {:?}: {:?}",
                file.path, object.object, object.changes
            )
            .unwrap();
        }
    }
    for change in &updated.located {
        let (path, line, column) = (&change.path, change.line, change.column);
        writeln!(
            report,
            "{path}:{line}:{column} {} -> {}",
            change.old, change.new
        )
        .unwrap();
    }
    for marker in &updated.markers {
        let (path, line, column) = (&marker.path, marker.line, marker.column);
        let setter = marker.setter.as_deref().unwrap_or("?");
        writeln!(
            report,
            "{path}:{line}:{column} {setter}: {:?}",
            marker.outcome
        )
        .unwrap();
    }
    for problem in &updated.problem_files {
        let reason = problem.reason.replace('\n', "\n  ");
        writeln!(report, "{}:{} {reason}", problem.path, problem.line).unwrap();
    }
    report
}
