//! `get all` and `diff` on the article's cluster, beside `flux get images all` on the same: time and memory, whole
//! processes in turn. The goal is a third of flux's for both. It is printed, not asserted: a busy machine is no defect.
//!
//! Starts the control plane of the tests (Go); says so and measures nothing where that isn't there.

#[path = "../tests/cluster/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "most of the tests' control plane is for tests"
)]
mod cluster;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cluster::article::{Case, Digests, create_secrets};
use cluster::clusters::ADMINISTRATOR;
use cluster::command_line::{Home, OURS, flux};
use cluster::{ControlPlane, control_plane, tell};

const RUNS: usize = 15;

fn main() {
    let Some(plane) = control_plane() else { return };
    let Some(flux) = flux() else { return };
    let article = settled(plane);
    let home = Home::new();
    let ours = |arguments: &[&str]| {
        let mut command = home.command(OURS, &plane.cluster, ADMINISTRATOR);
        command.args(arguments);
        command
    };
    let theirs = || {
        let mut command = home.command(&flux, &plane.cluster, ADMINISTRATOR);
        command.args(["get", "images", "all", "-n", "flux-system"]);
        command
    };
    let mut rows = [
        Row::new("flux get images all", Box::new(theirs)),
        Row::new(
            "kubectl-imageauto get all",
            Box::new(|| ours(&["get", "all"])),
        ),
        Row::new("kubectl-imageauto diff", Box::new(|| ours(&["diff"]))),
    ];
    for _ in 0..RUNS {
        for row in &mut rows {
            row.times.push(time(&mut (row.command)()));
        }
    }
    let peer = rows[0].median();
    let peer_memory = peak_kib(&(rows[0].command)());
    for row in &rows {
        let memory = peak_kib(&(row.command)());
        let part = memory.zip(peer_memory).map_or_else(
            || "memory not measured".to_owned(),
            |(own, peer)| {
                format!(
                    "{:.1} MB peak, {:.2} of flux's",
                    own as f64 / 1024.0,
                    own as f64 / peer as f64
                )
            },
        );
        tell(&format!(
            "{}: median {:.1} ms of {RUNS} runs, {:.2} of flux's; {part}",
            row.name,
            row.median().as_secs_f64() * 1e3,
            row.median().as_secs_f64() / peer.as_secs_f64(),
        ));
    }
    article.delete();
}

/// The article's case with every policy ready and the automation suspended.
fn settled(plane: &ControlPlane) -> Case<'_> {
    create_secrets(plane);
    // kubectl is not called.
    let case = Case::new(plane, "main", Digests::Left, "kubectl".into());
    case.push_recorded_tags("tags.json");
    case.apply("policies.yaml");
    case.apply("automation.yaml");
    case.wait_for_policies(&[("checkout", "1.4.0"), ("worker", "2026.06.01-abc1234")]);
    case
}

struct Row<'a> {
    name: &'static str,
    command: Box<dyn Fn() -> Command + 'a>,
    times: Vec<Duration>,
}

impl<'a> Row<'a> {
    fn new(name: &'static str, command: Box<dyn Fn() -> Command + 'a>) -> Self {
        Self {
            name,
            command,
            times: Vec::new(),
        }
    }

    fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[times.len() / 2]
    }
}

fn time(command: &mut Command) -> Duration {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status().expect("the program can be run");
    assert!(
        matches!(status.code(), Some(0 | 1)),
        "{command:?}: {status}"
    );
    started.elapsed()
}

/// The peak of resident memory, as GNU time tells it; `None` where that program is not there.
fn peak_kib(command: &Command) -> Option<u64> {
    let mut timed = Command::new("/usr/bin/time");
    timed
        .args(["-f", "%M"])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .stdout(Stdio::null());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(name, value);
        }
    }
    let output = timed.output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().last()?.trim().parse().ok()
}
