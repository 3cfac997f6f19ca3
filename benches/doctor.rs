//! `doctor` on a cluster of 2,000 image objects, and `lint` over the 10,000 files of the rewrite bench: whole processes, median time
//! and peak memory, and how often the API server is asked. Wanted: under 3 seconds and 150 MB for `doctor`, and no request for an
//! object where a list will do; under half a second for `lint`. Printed, not asserted: a busy machine is no defect.
//!
//! Makes its data itself. The cluster needs the control plane of the tests (Go); without it only `lint` is measured.

#[path = "../tests/cluster/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "most of the tests' control plane is for tests"
)]
mod cluster;
mod monorepo;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use cluster::clusters::{ADMINISTRATOR, Cluster};
use cluster::command_line::{Home, OURS};
use cluster::definitions::Served;
use cluster::objects::{automation, git_repository};
use cluster::repository::Repository;
use cluster::{ControlPlane, control_plane, in_parallel, tell};
use serde_json::{Value, json};

const RUNS: usize = 7;
/// 20 namespaces with 49 repositories, 49 policies and 2 automations each: 2,000 objects.
const NAMESPACES: usize = 20;
const POLICIES: usize = 49;
const AUTOMATIONS: usize = 2;

fn main() {
    lint();
    if let Some(plane) = control_plane() {
        doctor(plane);
    }
}

fn lint() {
    let room = tempfile::tempdir().expect("a temporary folder can be made");
    let tree = room.path().join("tree");
    for (name, marked) in [("2,000 marked", 2000), ("nothing marked", 0)] {
        fs::create_dir(&tree).expect("a folder can be made");
        monorepo::monorepo(&tree, marked, 0);
        monorepo::write(&tree.join("objects.yaml"), &monorepo::objects());
        monorepo::make_repository(&tree);
        let command = || {
            let mut command = Command::new(OURS);
            command.args(["lint", "-q"]).current_dir(&tree);
            command
        };
        measure(&format!("lint, 10,000 files of 3 kB, {name}"), command);
        fs::remove_dir_all(&tree).expect("the tree can be removed");
    }
}

fn doctor(plane: &ControlPlane) {
    // A cluster without controllers: what they would do at the same time would count too.
    let cluster = plane.cluster_serving(Served::V1AndV1beta2);
    let started = Instant::now();
    let namespaces: Vec<String> = (0..NAMESPACES)
        .map(|number| format!("team-{number:02}"))
        .collect();
    in_parallel(&namespaces, |namespace| fill(plane, cluster, namespace));
    tell(&format!(
        "{} image objects in {NAMESPACES} namespaces made after {:.1?}",
        NAMESPACES * (2 * POLICIES + AUTOMATIONS),
        started.elapsed()
    ));
    let home = Home::new();
    for (name, more) in [
        ("doctor", &[][..]),
        ("doctor --tags-from status", &["--tags-from", "status"]),
    ] {
        let command = |flags: &[&str]| {
            let mut command = home.command(OURS, cluster, ADMINISTRATOR);
            command.arg("doctor").args(more).args(flags);
            command
        };
        measure(&format!("{name}, 2,000 image objects"), || command(&["-q"]));
        let output = run(&mut command(&["-v", "-o", "json"]));
        tell(&format!("  {}", requests(&output)));
    }
}

/// One namespace: its objects with the statuses that controllers would have given them.
fn fill(plane: &ControlPlane, cluster: &Cluster, namespace: &str) {
    cluster.create_namespace(namespace);
    let git = &plane.addresses.git;
    let apply = |object: &Value| {
        let applied = cluster.api.apply(object);
        applied.unwrap_or_else(|refusal| panic!("{object}: {refusal:?}"));
    };
    let with_status = |object: &Value| {
        let mut bare = object.clone();
        bare.as_object_mut()
            .expect("it is an object")
            .remove("status");
        apply(&bare);
        let written = cluster.api.write_status(object);
        written.unwrap_or_else(|refusal| panic!("{object}: {refusal:?}"));
    };
    apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": "git"},
        "stringData": {"username": git.user, "password": git.password},
    }));
    let mut files: Vec<(String, String)> = Vec::new();
    for number in 0..POLICIES {
        let name = format!("app-{number:02}");
        let path = format!("bench/{namespace}/{name}");
        let image = format!("{}/{path}", plane.addresses.tag_lists);
        plane.add_tag_lists(&json!({ &path: ["1.0.0", "1.1.0", "1.2.0", "latest"] }));
        let ready = |message: &str| {
            json!([{
                "type": "Ready", "status": "True", "reason": "Succeeded", "message": message,
                "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
            }])
        };
        with_status(&json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageRepository",
            "metadata": {"namespace": namespace, "name": name}, "spec": {"image": image, "interval": "24h"},
            "status": {
                "observedGeneration": 1, "canonicalImageName": image, "observedExclusionList": ["^.*\\.sig$"],
                "lastScanResult": {
                    "tagCount": 4, "revision": "1", "scanTime": jiff::Timestamp::now().to_string(),
                    "latestTags": ["latest", "1.2.0", "1.1.0", "1.0.0"],
                },
                "conditions": ready("successful scan: found 4 tags with checksum 1"),
            },
        }));
        with_status(&json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy",
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"imageRepositoryRef": {"name": name}, "policy": {"semver": {"range": "1.x"}}},
            "status": {
                "observedGeneration": 1, "latestRef": {"name": image, "tag": "1.1.0"},
                "conditions": ready(&format!("Latest image tag for {image} resolved to 1.1.0")),
            },
        }));
        let mut text = String::new();
        write!(
            text,
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n      containers:\n        - name: app\n          image: {image}:1.1.0 # {{\"$imagepolicy\": \"{namespace}:{name}\"}}\n"
        )
        .expect("a text can be written");
        files.push((format!("part-{}/{name}.yaml", number % AUTOMATIONS), text));
    }
    let files = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_bytes()));
    let repository = Repository::create(plane, &format!("bench-{namespace}"), files);
    apply(&git_repository(namespace, "gitops", &repository.url));
    for number in 0..AUTOMATIONS {
        let name = format!("part-{number}");
        let mut update = automation(namespace, &name, "gitops", &json!({}), "main");
        update["spec"]["update"]["path"] = json!(format!("./{name}"));
        apply(&update);
    }
}

/// How often the API server was asked, by `-v`, for each resource.
fn requests(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in told.lines() {
        let mut words = line.split_whitespace().skip_while(|word| *word != "GET");
        let Some(path) = words.nth(1) else { continue };
        let Some(at) = path.find("/api") else {
            continue;
        };
        let path = path[at..].split('?').next().unwrap_or_default();
        let resource = match path.split_once("/namespaces/") {
            Some((_, rest)) => rest.split('/').nth(1).unwrap_or("namespaces"),
            None => path.rsplit('/').next().unwrap_or_default(),
        };
        *counts.entry(resource).or_default() += 1;
    }
    let total: usize = counts.values().sum();
    let each: Vec<String> = counts
        .iter()
        .map(|(resource, count)| format!("{resource} {count}"))
        .collect();
    format!("{total} requests to the API server: {}", each.join(", "))
}

fn run(command: &mut Command) -> Output {
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("the program can be run");
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn measure(name: &str, command: impl Fn() -> Command) {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            run(&mut command());
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    let memory = peak_kib(&command()).map_or_else(
        || "memory not measured".to_owned(),
        |kib| format!("{:.1} MB peak", kib as f64 / 1024.0),
    );
    tell(&format!(
        "{name}: median {:.0} ms of {RUNS} runs ({:.0} to {:.0}), {memory}",
        times[RUNS / 2].as_secs_f64() * 1e3,
        times[0].as_secs_f64() * 1e3,
        times[RUNS - 1].as_secs_f64() * 1e3,
    ));
}

/// The peak of resident memory, as GNU time tells it; `None` where that program is not there.
fn peak_kib(command: &Command) -> Option<u64> {
    let mut timed = Command::new("/usr/bin/time");
    timed
        .args(["-f", "%M"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdout(Stdio::null());
    if let Some(folder) = command.get_current_dir() {
        timed.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(name, value);
        }
    }
    let output = timed.output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().last()?.trim().parse().ok()
}
