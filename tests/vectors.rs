//! Replays the recorded rewrites of `testdata/vectors/`: the bytes and the changes must be those of the controller.

use imageauto::yaml;
use serde::Deserialize;

#[derive(Deserialize)]
struct Record {
    op: String,
    name: String,
    input: String,
    output: Option<String>,
    error: Option<serde_json::Value>,
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
    let recorded = std::fs::read_to_string(path).unwrap();
    let mut tally = Tally::default();
    for line in recorded.lines() {
        let record: Record = serde_json::from_str(line).unwrap();
        if record.op == "rt" {
            check_round_trip(&record, &mut tally);
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
