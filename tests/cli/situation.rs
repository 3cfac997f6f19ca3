//! A situation that users suffer from: a file of `testdata/explanations` or `testdata/diagnoses`, as a shop to run commands in.
//!
//! It is the case's story, then parts headed by `-- NAME --`. `arguments` is the command; a part named like a file stands in for
//! that file of the usual shop, or removes it where it is empty; with a part `cluster` all objects are a cluster's, together with
//! those of that part. `{{now-65m}}` is a moment, `{{head}}` the commit of the files.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use crate::cluster::FakeCluster;
use crate::environment::{self, Environment, Ran};

/// The files of situations in a folder of `testdata`, sorted.
pub fn situations(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .collect();
    files.sort();
    files
}

/// The parts of a situation in their order; the first, without a name, is its story.
pub fn parts(text: &str) -> Vec<(String, String)> {
    let mut parts = vec![(String::new(), String::new())];
    for line in text.lines() {
        let name = line
            .strip_prefix("-- ")
            .and_then(|rest| rest.strip_suffix(" --"));
        match name {
            Some(name) => parts.push((name.to_owned(), String::new())),
            None => {
                let (_, body) = parts.last_mut().unwrap();
                body.push_str(line);
                body.push('\n');
            }
        }
    }
    parts
}

/// `{{now-65m}}` and the like as moments.
fn with_moments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{now-") {
        let (age, after) = after.split_once("}}").unwrap();
        let age: SignedDuration = age.parse().unwrap();
        let moment = Timestamp::now().checked_sub(age).unwrap();
        let second = moment.round(jiff::Unit::Second).unwrap();
        write!(out, "{before}{second}").unwrap();
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A set-up shop, and the command that is asked.
pub struct Situation {
    pub environment: Environment,
    pub head: String,
    pub cluster: Option<FakeCluster>,
    pub command: Vec<String>,
}

/// Sets a situation up.
pub fn set_up(parts: &[(String, String)]) -> Situation {
    let part = |name: &str| parts.iter().find(|(part, _)| part == name);
    let environment = Environment::new();
    let mut files: Vec<(String, String)> = vec![
        (
            "objects/source.yaml".into(),
            environment::git_repository("gitops"),
        ),
        (
            "objects/app.yaml".into(),
            format!(
                "{}---\n{}",
                environment::image_repository("app"),
                environment::semver_policy("app", ">=1.0.0")
            ),
        ),
        (
            "objects/automation.yaml".into(),
            environment::automation("images", "main", "./apps"),
        ),
        (
            "tags.json".into(),
            r#"{"registry.example.com/team/app": ["1.0.0", "1.2.0", "latest"]}"#.into(),
        ),
        (
            "gitops/apps/app.yaml".into(),
            environment::deployment("app", "1.0.0"),
        ),
    ];
    for (name, body) in parts {
        if !name.contains('.') || name.starts_with(' ') {
            continue;
        }
        files.retain(|(file, _)| file != name);
        if !body.trim().is_empty() {
            files.push((name.clone(), with_moments(body)));
        }
    }
    for (name, body) in &files {
        environment.write(name, body);
    }
    if let Some((_, links)) = part("links") {
        for link in links.lines() {
            let (from, to) = link.split_once(" -> ").unwrap();
            #[cfg(unix)]
            std::os::unix::fs::symlink(to, environment.path().join(from)).unwrap();
        }
    }
    environment.commit("gitops");
    let head = environment.git("gitops", &["rev-parse", "HEAD"]);
    let arguments = part("arguments").map_or("doctor", |(_, arguments)| arguments.trim());
    let arguments = arguments.split_whitespace().map(str::to_owned);
    let mut command: Vec<String> = arguments.collect();
    let cluster = part("cluster").map(|(_, more)| {
        let cluster = FakeCluster::start();
        for (name, body) in &files {
            if name.starts_with("objects/") {
                cluster.add(&body.replace("{{head}}", &head));
            }
        }
        cluster.add(&with_moments(&more.replace("{{head}}", &head)));
        environment.write(".kube/config", &cluster.kubeconfig());
        cluster
    });
    if cluster.is_none() {
        command.extend(["-f".into(), "objects".into()]);
    }
    let usual = ["--tags-from", "tags.json", "--worktree", "gitops"];
    for pair in usual.chunks(2) {
        if !command.iter().any(|argument| argument == pair[0]) {
            command.extend(pair.iter().map(|word| (*word).to_owned()));
        }
    }
    Situation {
        environment,
        head,
        cluster,
        command,
    }
}

/// What a run printed, without what changes from run to run.
pub fn told(arguments: &str, ran: &Ran, situation: &Situation) -> String {
    let folder = situation.environment.path().to_str().unwrap().to_owned();
    let mut text = format!("$ kubectl imageauto {arguments}\n{}", ran.stdout);
    for line in ran.stderr.lines() {
        writeln!(text, "stderr: {line}").unwrap();
    }
    writeln!(text, "[exit {}]", ran.status).unwrap();
    let address = situation
        .cluster
        .as_ref()
        .map(|cluster| &cluster.server.address);
    let text = text
        .replace(&folder, "")
        .replace(&situation.head[..7], "<head>");
    match address {
        Some(address) => text.replace(address.as_str(), "<cluster>"),
        None => text,
    }
}
