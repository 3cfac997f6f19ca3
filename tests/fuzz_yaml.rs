//! Asks the libraries that the controller is built from about new cases, from a new seed, for as long as one likes:
//! `cargo test --test fuzz-yaml -- MINUTES [SEED]`. What disagrees is made small and saved in `testdata/disagreements/`, where the suites
//! on the control plane ask it again.

#[path = "cluster/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "only the building of Go programs is needed here"
)]
mod cluster;

mod oracle {
    pub mod generator;
    #[expect(dead_code, reason = "the suites ask with fixed seeds")]
    pub mod yaml;
}

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cluster::tell;
use oracle::generator::Generator;
use oracle::yaml::case::{Case, Operation};
use oracle::yaml::{any_case, compare, smallest};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let Some(minutes) = numbers.first() else {
        tell("usage: cargo test --test fuzz-yaml -- MINUTES [SEED]");
        return ExitCode::from(2);
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = numbers
        .get(1)
        .copied()
        .unwrap_or_else(|| now.map_or(1, |now| now.as_secs()));
    tell(&format!("seed {seed}"));
    match fuzz(seed, Duration::from_secs(60 * minutes)) {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Asks until the time is up, from a seed; each case that differs is made small, saved and told. Gives their number.
fn fuzz(seed: u64, time: Duration) -> usize {
    let end = Instant::now() + time;
    let mut g = Generator::new(seed);
    let mut asked = 0;
    let mut found = 0;
    while Instant::now() < end {
        let mut round: Vec<Case> = Vec::new();
        while round.len() < 2000 {
            round.extend(any_case(&mut g));
        }
        let Some(comparison) = compare(round.into_iter(), 5) else {
            return found;
        };
        asked += comparison.asked;
        for case in comparison.differing {
            found += 1;
            let (small, told) = smallest(case);
            let file = save(&format!("yaml-{seed}-{found}"), &small);
            tell(&format!("{}\n{told}", file.display()));
        }
        tell(&format!("{asked} asked, {found} differ"));
    }
    found
}

/// Saves a case under a name; gives the file.
fn save(name: &str, case: &Case) -> PathBuf {
    let files: Vec<Value> = case
        .files
        .iter()
        .map(|(path, bytes)| {
            let shown = String::from_utf8_lossy(bytes);
            json!({"path": path, "bytes": STANDARD.encode(bytes), "shown": shown})
        })
        .collect();
    let saved = json!({"round_trip": case.operation == Operation::RoundTrip, "files": files});
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/disagreements");
    let file = folder.join(format!("{name}.json"));
    fs::create_dir_all(&folder).expect("testdata can be written");
    fs::write(&file, format!("{saved:#}\n")).expect("testdata can be written");
    file
}
