//! `diff -o name` over large trees, beside a Go program that does the same with the controller's libraries file by file, and `grep -rl`
//! for the marker: whole processes in turn, warm page cache, median. Wanted: a twelfth of the Go program's time, memory that does not
//! grow with the number of files, and at most 1.2 times grep's time where nothing is marked. Printed, not asserted: a busy machine is
//! no defect.
//!
//! Makes its data itself. The Go program needs Go; without it the rest is measured.

#[path = "../tests/cluster/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "only the building of Go programs is needed here"
)]
mod cluster;
mod monorepo;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cluster::programs::go_program;
use cluster::tell;
use monorepo::{NEW, make_repository, manifest, monorepo, objects, write};

const RUNS: usize = 5;
/// Fills a folder.
type Make = fn(&Path);

/// The release program, where the bench is built without optimization.
const OURS: &str = match option_env!("IMAGEAUTO_PROGRAM") {
    Some(program) => program,
    None => env!("CARGO_BIN_EXE_kubectl-imageauto"),
};

fn main() {
    let go = go_program("yaml");
    let room = tempfile::tempdir().expect("a temporary folder can be made");
    write_objects(room.path());
    let cases: [(&str, Make); 5] = [
        ("10,000 files of 3 kB, 2,000 changing", |tree| {
            monorepo(tree, 2000, 2000);
        }),
        ("10,000 files of 3 kB, 500 of 2,000 changing", |tree| {
            monorepo(tree, 2000, 500);
        }),
        ("10,000 files of 3 kB, nothing marked", |tree| {
            monorepo(tree, 0, 0);
        }),
        ("one file of 20 MB, all changing", one_file),
        ("100,000 small files, 10 marked", small_files),
    ];
    for (name, make) in cases {
        let tree = room.path().join("tree");
        fs::create_dir(&tree).expect("a folder can be made");
        make(&tree);
        make_repository(&tree);
        compare(name, room.path(), go.as_deref());
        fs::remove_dir_all(&tree).expect("the tree can be removed");
    }
}

fn one_file(tree: &Path) {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < 20_000_000 {
        text += "---\n";
        text += &manifest(number, Some("1.0.0"));
        number += 1;
    }
    write(&tree.join("all.yaml"), &text);
}

fn small_files(tree: &Path) {
    for number in 0..100_000 {
        let folder = tree.join(format!("part-{:03}", number / 500));
        if number % 500 == 0 {
            fs::create_dir_all(&folder).expect("a folder can be made");
        }
        let text = if number % 10_000 == 0 {
            manifest(number, Some("1.0.0"))
        } else {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c-{number}\ndata:\n  a: b\n"
            )
        };
        write(&folder.join(format!("c-{number}.yaml")), &text);
    }
}

fn write_objects(room: &Path) {
    write(&room.join("objects.yaml"), &objects());
    let policies = format!(
        "[{{\"Namespace\": \"flux-system\", \"Name\": \"app\", \"Image\": \"registry.example.com/team/app\", \"Tag\": \"{NEW}\"}}]"
    );
    write(&room.join("policies.json"), &policies);
}

/// A program to measure, the exit codes that it may end with, and its times.
struct Row {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    times: Vec<Duration>,
}

impl Row {
    fn new(name: &'static str, program: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        Self {
            name,
            program: program.into(),
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            times: Vec::new(),
        }
    }

    fn run(&self, room: &Path) -> usize {
        let output = Command::new(&self.program)
            .args(&self.arguments)
            .current_dir(room)
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{}: {}",
            self.name,
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout.iter().filter(|byte| **byte == b'\n').count()
    }

    fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[times.len() / 2]
    }

    /// The peak of the program's own memory.
    fn own_peak_kib(&self, room: &Path) -> Option<u64> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .current_dir(room)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let status = format!("/proc/{}/status", child.id());
        let mut peak = None;
        // Linux tells the peak so far, as long as the process is there.
        while child.try_wait().ok()?.is_none() {
            let told = fs::read_to_string(&status).unwrap_or_default();
            let line = told.lines().find(|line| line.starts_with("VmHWM:"));
            let number = line.and_then(|line| line.split_ascii_whitespace().nth(1)?.parse().ok());
            peak = peak.max(number);
            std::thread::sleep(Duration::from_micros(500));
        }
        peak
    }

    /// The same, or that of a program that it starts, whichever is more.
    fn peak_kib(&self, room: &Path) -> Option<u64> {
        let output = Command::new("/usr/bin/time")
            .args(["-f", "%M"])
            .arg(&self.program)
            .args(&self.arguments)
            .current_dir(room)
            .output()
            .ok()?;
        let told = String::from_utf8_lossy(&output.stderr);
        told.lines().last()?.trim().parse().ok()
    }
}

fn compare(name: &str, room: &Path, go: Option<&Path>) {
    let mut rows = vec![
        Row::new(
            "kubectl-imageauto diff -o name",
            OURS,
            &[
                "diff",
                "-o",
                "name",
                "-q",
                "-f",
                "objects.yaml",
                "--tags-from",
                "status",
                "--worktree",
                "tree",
            ],
        ),
        Row::new(
            "grep -rl",
            "grep",
            &["-rlF", "--exclude-dir=.git", "\"$imagepolicy\"", "tree"],
        ),
    ];
    rows.extend(go.map(|program| Row::new("Go program", program, &["tree", "policies.json"])));
    let printed: Vec<usize> = rows.iter().map(|row| row.run(room)).collect();
    for _ in 0..RUNS {
        for row in &mut rows {
            let start = Instant::now();
            row.run(room);
            row.times.push(start.elapsed());
        }
    }
    tell(&format!("{name}:"));
    let own = rows[0].median().as_secs_f64();
    for (row, printed) in rows.iter().zip(printed) {
        let told = |kib: u64| format!("{:.1} MB", kib as f64 / 1024.0);
        let memory = match (row.own_peak_kib(room), row.peak_kib(room)) {
            (Some(own), Some(all)) if all > own + own / 8 => {
                format!("{} peak ({} with git)", told(own), told(all))
            }
            (Some(own), _) | (None, Some(own)) => format!("{} peak", told(own)),
            (None, None) => "memory not measured".to_owned(),
        };
        let median = row.median().as_secs_f64();
        tell(&format!(
            "  {:<31} median {:>8.1} ms ({:.2} times ours), {memory}, {printed} files",
            row.name,
            median * 1000.0,
            median / own
        ));
    }
}
