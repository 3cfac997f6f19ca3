//! How long the program takes to start and how much memory it takes, beside `flux` where that is installed.
//!
//! The goal is 10 ms and 15 MB for `version` on two cores. It is printed, not asserted: a busy machine is no defect.

use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 50;

/// The release program, where the bench is built without optimization.
const OURS: &str = match option_env!("IMAGEAUTO_PROGRAM") {
    Some(program) => program,
    None => env!("CARGO_BIN_EXE_kubectl-imageauto"),
};

fn main() {
    let ours = measure(&OsString::from(OURS), &["version"]);
    say("kubectl-imageauto version", ours.as_ref());
    let flux = measure(&OsString::from("flux"), &["--version"]);
    say("flux --version", flux.as_ref());
    if let (Some(ours), Some(flux)) = (ours, flux) {
        let ratio = flux.median.as_secs_f64() / ours.median.as_secs_f64();
        tell(&format!("ratio: flux takes {ratio:.1} times as long"));
    }
}

struct Measured {
    median: Duration,
    worst: Duration,
    peak_kib: Option<u64>,
}

fn measure(program: &OsString, arguments: &[&str]) -> Option<Measured> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let status = Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .ok()?;
        times.push(start.elapsed());
        if !status.success() {
            return None;
        }
    }
    times.sort_unstable();
    Some(Measured {
        median: times[RUNS / 2],
        worst: times[RUNS - 1],
        peak_kib: peak_kib(program, arguments),
    })
}

/// The peak of resident memory, as the shell's `time` of GNU tells it; `None` where that program is not there.
fn peak_kib(program: &OsString, arguments: &[&str]) -> Option<u64> {
    let output = Command::new("/usr/bin/time")
        .arg("-f")
        .arg("%M")
        .arg(program)
        .args(arguments)
        .output()
        .ok()?;
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .last()?
        .trim()
        .parse()
        .ok()
}

fn say(name: &str, measured: Option<&Measured>) {
    match measured {
        Some(measured) => {
            let memory = measured.peak_kib.map_or_else(
                || "memory not measured".to_owned(),
                |kib| format!("{:.1} MB peak", kib as f64 / 1024.0),
            );
            tell(&format!(
                "{name}: median {:.2} ms, worst {:.2} ms of {RUNS} runs, {memory}",
                measured.median.as_secs_f64() * 1e3,
                measured.worst.as_secs_f64() * 1e3
            ));
        }
        None => tell(&format!("{name}: not installed, not measured")),
    }
}

fn tell(line: &str) {
    // The reader of a closed pipe has seen enough.
    let _ = writeln!(std::io::stdout(), "{line}");
}
