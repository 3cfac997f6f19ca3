//! How long a choice among 100,000 tags takes, beside the Go program on the controllers' libraries, in turn; and through
//! the whole program. The goals are printed with the ratios, not asserted: a busy machine is no defect.
//!
//! Needs Go for the Go program; says so and measures only ours where that isn't there.

#[path = "../tests/cluster/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "of the tests' control plane only the Go programs are used"
)]
mod cluster;

use std::fs;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cluster::programs::go_program;
use cluster::tell;
use imageauto::controllers::flux::{ImagePolicyChoice, OrderedPolicy, SemVerPolicy, TagFilter};
use imageauto::controllers::policy::{Outcome, PolicySpec, decide};
use imageauto::controllers::repository::stored_tags;
use serde_json::json;

const TAGS: usize = 100_000;
/// One program after the other, each deciding many times: the first choices after a turn of the other find none of their
/// tags in the caches, and it takes some milliseconds until a process that slept has its second core.
const TURNS: usize = 5;
const RUNS_IN_A_TURN: usize = 25;
/// Runs of the whole program.
const RUNS: usize = 15;
const REST: Duration = Duration::from_millis(50);

fn main() {
    let mut go = go_program("policies").map(|program| GoProgram::start(&program));
    for workload in workloads() {
        let stored = stored_tags(&workload.tags, &[]).expect("the default compiles");
        let question = question(&workload.spec, &stored);
        let mut ours = Vec::new();
        let mut theirs = Vec::new();
        for _ in 0..TURNS {
            // Go's collector works on for a moment after an answer, on both cores.
            thread::sleep(REST);
            ours.extend((0..RUNS_IN_A_TURN).map(|_| {
                time(|| {
                    let decision = decide(&workload.spec, &stored);
                    assert!(matches!(
                        black_box(decision.outcome),
                        Outcome::Latest { .. }
                    ));
                })
            }));
            if let Some(go) = &mut go {
                theirs.extend(go.times(&question));
            }
        }
        let theirs = (!theirs.is_empty()).then(|| median(theirs));
        report("", &workload, TURNS * RUNS_IN_A_TURN, median(ours), theirs);
        through_the_product(&workload, theirs);
    }
}

struct Workload {
    name: &'static str,
    goal: u32,
    tags: Vec<String>,
    spec: PolicySpec,
}

fn workloads() -> [Workload; 3] {
    let versions = versions();
    let semver = ImagePolicyChoice {
        semver: Some(SemVerPolicy {
            range: ">=1.0.0 <20.0.0".into(),
        }),
        ..ImagePolicyChoice::default()
    };
    let filter = |pattern: &str, extract: &str| {
        Some(TagFilter {
            pattern: pattern.into(),
            extract: extract.into(),
        })
    };
    [
        Workload {
            name: "semver",
            goal: 20,
            tags: versions.clone(),
            spec: PolicySpec {
                choice: semver.clone(),
                filter: None,
            },
        },
        Workload {
            name: "semver through a filter",
            goal: 5,
            tags: versions,
            spec: PolicySpec {
                choice: semver,
                filter: filter(r"^(?P<v>\d+\.\d+\.\d+)-alpine$", "$v"),
            },
        },
        Workload {
            name: "numerical through a filter",
            goal: 10,
            tags: builds(),
            spec: PolicySpec {
                choice: ImagePolicyChoice {
                    numerical: Some(OrderedPolicy::default()),
                    ..ImagePolicyChoice::default()
                },
                filter: filter("^main-[a-f0-9]+-(?P<ts>[0-9]+)$", "$ts"),
            },
        },
    ]
}

fn versions() -> Vec<String> {
    let mut chance = Chance(6);
    let mut version = || {
        let (major, minor, patch) = (chance.below(41), chance.below(100), chance.below(100));
        let suffix = ["", "-rc.1", "-alpine"][chance.below(3) as usize];
        format!("{major}.{minor}.{patch}{suffix}")
    };
    (0..TAGS).map(|_| version()).collect()
}

fn builds() -> Vec<String> {
    let mut chance = Chance(7);
    let mut tag = |number| {
        format!(
            "main-{:07x}-{}",
            chance.below(1 << 28),
            1_600_000_000 + number
        )
    };
    (0..TAGS).map(&mut tag).collect()
}

/// A splitmix64 sequence.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % bound
    }
}

/// The Go program, which answers a line with a line.
struct GoProgram {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl GoProgram {
    fn start(program: &Path) -> Self {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program can be run");
        let answers = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        Self { child, answers }
    }

    /// How long it takes for each choice of a turn, without reading the question.
    fn times(&mut self, question: &str) -> Vec<Duration> {
        let input = self.child.stdin.as_mut().expect("its input is a pipe");
        input.write_all(question.as_bytes()).expect("it reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        let times: Vec<u64> = serde_json::from_str(&answer).expect("it answers in JSON");
        times.into_iter().map(Duration::from_nanos).collect()
    }
}

/// What the Go program is asked in each turn, as a line.
fn question(spec: &PolicySpec, stored: &[String]) -> String {
    let filter = spec
        .filter
        .as_ref()
        .map(|filter| json!({"pattern": filter.pattern, "extract": filter.extract}));
    let question = json!({
        "op": "time", "runs": RUNS_IN_A_TURN, "tags": stored, "filter": filter,
        "semver": spec.choice.semver.as_ref().map(|policy| &policy.range),
        "numerical": spec.choice.numerical.as_ref().map(|policy| &policy.order),
    });
    format!("{question}\n")
}

fn time(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn report(what: &str, workload: &Workload, runs: usize, ours: Duration, theirs: Option<Duration>) {
    let ours_ms = ours.as_secs_f64() * 1e3;
    let beside = theirs.map_or_else(
        || "Go not measured".to_owned(),
        |theirs| {
            format!(
                "Go {:.1} ms, ratio {:.1} (goal {})",
                theirs.as_secs_f64() * 1e3,
                theirs.as_secs_f64() / ours.as_secs_f64(),
                workload.goal
            )
        },
    );
    tell(&format!(
        "{what}{} of {TAGS} tags: median {ours_ms:.2} ms of {runs} runs, {beside}",
        workload.name
    ));
}

/// What one more policy costs in `explain policies -o json`, all of them over one recording.
fn through_the_product(workload: &Workload, theirs: Option<Duration>) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let tags = folder.path().join("tags.json");
    fs::write(&tags, json!({ IMAGE: workload.tags }).to_string()).expect("it can be written");
    let explain = |policies: usize| {
        let objects = folder.path().join(format!("{policies}.json"));
        fs::write(&objects, objects_of(workload, policies)).expect("it can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-imageauto"));
        command.args(["explain", "policies", "-o", "json", "-f"]);
        command.arg(objects).arg("--tags-from").arg(&tags);
        command
    };
    let (mut one, mut eleven) = (explain(1), explain(11));
    let output = eleven.output().expect("it can be run");
    let latest = String::from_utf8_lossy(&output.stdout)
        .matches("\"deterministic\": true")
        .count();
    assert_eq!(latest, 11, "{}", String::from_utf8_lossy(&output.stderr));
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let run = |command: &mut Command| {
            time(|| {
                black_box(command.output().expect("it can be run"));
            })
        };
        let (fewer, more) = (run(&mut one), run(&mut eleven));
        times.push(more.saturating_sub(fewer) / 10);
    }
    report(
        "explain, each policy more: ",
        workload,
        RUNS,
        median(times),
        theirs,
    );
}

const IMAGE: &str = "registry.example.com/team/app";

fn objects_of(workload: &Workload, policies: usize) -> String {
    let object = |kind: &str, name: &str, spec: serde_json::Value| {
        let object = json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": kind,
            "metadata": {"namespace": "flux-system", "name": name}, "spec": spec,
        });
        format!("---\n{object}\n")
    };
    let spec = &workload.spec;
    let mut policy = json!({
        "imageRepositoryRef": {"name": "app"},
        "policy": match &spec.choice.semver {
            Some(semver) => json!({"semver": {"range": semver.range}}),
            None => json!({"numerical": {"order": "asc"}}),
        },
    });
    if let Some(filter) = &spec.filter {
        policy["filterTags"] = json!({"pattern": filter.pattern, "extract": filter.extract});
    }
    let repository = object(
        "ImageRepository",
        "app",
        json!({"image": IMAGE, "interval": "5m"}),
    );
    let policies =
        (0..policies).map(|number| object("ImagePolicy", &format!("app-{number}"), policy.clone()));
    repository + &policies.collect::<String>()
}
