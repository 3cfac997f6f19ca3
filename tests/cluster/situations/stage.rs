//! The cluster of the situations: what is made there, what `doctor` must find, and the comparison with the real conditions.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::api::{Api, wait_for};
use crate::cluster::clusters::{ADMINISTRATOR, Cluster};
use crate::cluster::command_line::{Home, OURS, Ran, run};
use crate::cluster::definitions::Served;
use crate::cluster::objects::{Condition, verdict};
use crate::cluster::programs::go_programs;
use crate::cluster::{ControlPlane, tell};

/// The three kinds, and their plurals.
pub const KINDS: [(&str, &str); 3] = [
    ("ImageRepository", "imagerepositories"),
    ("ImagePolicy", "imagepolicies"),
    ("ImageUpdateAutomation", "imageupdateautomations"),
];

/// Flags for many failing objects at a time.
const FLAGS: [&str; 3] = [
    "--concurrent=16",
    "--kube-api-qps=2000",
    "--kube-api-burst=4000",
];

/// A finding that must be there.
#[derive(Clone, Debug)]
struct Expected {
    id: &'static str,
    /// `KIND NAMESPACE/NAME` or `PATH:LINE`.
    subject: String,
    /// The id of one of its causes.
    from: Option<&'static str>,
}

/// The cluster, and what is expected of it.
pub struct Stage<'p> {
    /// Where registry, git servers and the forge are.
    pub plane: &'p ControlPlane,
    /// The cluster of the situations.
    pub cluster: Cluster,
    /// A user's home.
    pub home: Home,
    programs: [PathBuf; 2],
    storage: tempfile::TempDir,
    starts: AtomicUsize,
    expected: Vec<Expected>,
    seen: BTreeSet<String>,
    reasons: BTreeSet<(&'static str, String)>,
    differences: Vec<String>,
    started: Instant,
}

impl<'p> Stage<'p> {
    /// Starts an API server for the situations.
    pub fn new(plane: &'p ControlPlane) -> Self {
        let started = Instant::now();
        let addresses = plane.ask_supervisor("clusters/situations/start", &json!({}));
        let cluster = Cluster::prepare(addresses, Served::V1);
        let programs = go_programs(&["irc", "iac"]).expect("the control plane runs them");
        Self {
            plane,
            cluster,
            home: Home::new(),
            programs: programs.try_into().expect("two were asked for"),
            storage: tempfile::tempdir().expect("a temporary folder can be made"),
            starts: AtomicUsize::new(0),
            expected: Vec::new(),
            seen: BTreeSet::new(),
            reasons: BTreeSet::new(),
            differences: Vec::new(),
            started,
        }
    }

    /// Its API.
    pub fn api(&self) -> &Api {
        &self.cluster.api
    }

    /// Starts both controllers, or starts them anew with other flags and without tags; their Deployments say so.
    pub fn start_controllers(&self, flags: &[&str]) {
        let start = self.starts.fetch_add(1, Ordering::SeqCst);
        let storage = self.storage.path().join(start.to_string());
        std::fs::create_dir(&storage).expect("the folder is new");
        for (index, program) in self.programs.iter().enumerate() {
            let mut all: Vec<String> = FLAGS
                .iter()
                .chain(flags)
                .map(|flag| (*flag).to_owned())
                .collect();
            if index == 0 {
                all.push("--requeue-dependency=2s".into());
                all.push(format!("--storage-path={}", storage.display()));
            }
            let question = json!({
                "flags": all, "program": program, "kubeconfig": self.cluster.kubeconfig(ADMINISTRATOR),
            });
            let path = format!("{}/start", CONTROLLERS[index].1);
            self.plane.ask_supervisor::<Value>(&path, &question);
            self.deploy(index, flags, (1, 1));
        }
    }

    /// Ends both controllers.
    pub fn stop_controllers(&self) {
        for (_, name) in CONTROLLERS {
            let path = format!("{name}/stop");
            self.plane.ask_supervisor::<Value>(&path, &json!({}));
        }
    }

    /// The Deployment of a controller, as Flux's manifests have it.
    pub fn deploy(&self, index: usize, flags: &[&str], pods: (u64, u64)) {
        self.deploy_version(index, "v1.2.3", flags, pods);
    }

    /// The same with another version.
    pub fn deploy_version(
        &self,
        index: usize,
        version: &str,
        flags: &[&str],
        (ready, wanted): (u64, u64),
    ) {
        let (name, _) = CONTROLLERS[index];
        let labels = json!({"app": name, "app.kubernetes.io/component": name, "app.kubernetes.io/version": "v2.9.5"});
        let arguments = [&["--watch-all-namespaces=true"], flags].concat();
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": "flux-system", "name": name, "labels": labels},
            "spec": {
                "replicas": wanted, "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{
                        "name": "manager", "image": format!("ghcr.io/fluxcd/{name}:{version}"), "args": arguments,
                    }]},
                },
            },
        });
        self.apply(&deployment);
        let status = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "flux-system", "name": name},
            "status": {"replicas": wanted.max(ready), "readyReplicas": ready, "availableReplicas": ready},
        });
        let written = self.api().write_status(&status);
        written.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }

    /// Applies an object.
    pub fn apply(&self, object: &Value) {
        let applied = self.api().apply(object);
        applied.unwrap_or_else(|refusal| panic!("{object}: {refusal:?}"));
    }

    /// Changes an object.
    pub fn change(&self, kind: &str, namespace: &str, name: &str, part: &Value) {
        let changed = self.api().merge(&image_path(kind, namespace, name), part);
        changed.unwrap_or_else(|refusal| panic!("{kind} {namespace}/{name}: {refusal:?}"));
    }

    /// Deletes an object.
    pub fn delete(&self, path: &str) {
        self.api().delete_all(path);
    }

    /// A namespace with the Secrets `git` and `pull`.
    pub fn namespace(&self, name: &str) {
        self.cluster.create_namespace(name);
        let git = &self.plane.addresses.git;
        self.secret(
            name,
            "git",
            &json!({"username": git.user, "password": git.password}),
        );
        let registry = &self.plane.addresses.registry;
        let entry = json!({"auth": registry.basic()});
        self.pull_secret(name, "pull", &registry.address, &entry);
    }

    /// An opaque Secret.
    pub fn secret(&self, namespace: &str, name: &str, data: &Value) {
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": name}, "stringData": data,
        }));
    }

    /// A pull Secret with one entry.
    pub fn pull_secret(&self, namespace: &str, name: &str, host: &str, entry: &Value) {
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"namespace": namespace, "name": name},
            "stringData": {".dockerconfigjson": json!({"auths": {host: entry}}).to_string()},
        }));
    }

    /// An ImageRepository that is scanned once a day, but for what `more` says.
    pub fn repository(&self, namespace: &str, name: &str, image: &str, more: &Value) {
        let mut spec = json!({"image": image, "interval": "24h", "timeout": "20s"});
        extend(&mut spec, more);
        self.apply(&json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageRepository",
            "metadata": {"namespace": namespace, "name": name}, "spec": spec,
        }));
    }

    /// An ImageRepository on the server of made-up tag lists.
    pub fn listed(&self, namespace: &str, name: &str, tags: &[&str], more: &Value) {
        let path = format!("situations/{namespace}/{name}");
        self.plane.add_tag_lists(&json!({ &path: tags }));
        let image = format!("{}/{path}", self.plane.addresses.tag_lists);
        self.repository(namespace, name, &image, more);
    }

    /// An ImagePolicy.
    pub fn policy(&self, namespace: &str, name: &str, repository: &str, spec: &Value) {
        let mut all = json!({"imageRepositoryRef": {"name": repository}});
        extend(&mut all, spec);
        self.apply(&json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy",
            "metadata": {"namespace": namespace, "name": name, "labels": spec["labels"]},
            "spec": without(&all, "labels"),
        }));
    }

    /// Tells how far it is.
    pub fn reached(&self, what: &str) {
        tell(&format!(
            "situations: {what} after {:.1?}",
            self.started.elapsed()
        ));
    }

    /// Waits until the controllers have a verdict on every object of these plurals that is not suspended.
    pub fn settle(&self, plurals: &[&str]) {
        for plural in plurals {
            let path = format!("/apis/image.toolkit.fluxcd.io/v1/{plural}");
            wait_for(
                &format!("verdicts on all {plural}"),
                Duration::from_secs(90),
                || {
                    let objects = self.api().list(&path);
                    let mut counting = objects.iter().filter(|object| !is_left_alone(object));
                    counting
                        .all(|object| verdict(object).is_some())
                        .then_some(())
                },
            );
        }
    }

    /// What a controller says of an object now, once `wanted` holds.
    pub fn until(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        wanted: impl Fn(&Condition, &Value) -> bool,
    ) -> Value {
        let path = image_path(kind, namespace, name);
        let what = format!("{kind} {namespace}/{name}");
        wait_for(&what, Duration::from_secs(60), || {
            let object = self.api().get(&path).ok()?;
            verdict(&object)
                .is_some_and(|condition| wanted(&condition, &object))
                .then_some(object)
        })
    }

    /// `doctor` must find `id` about this subject.
    pub fn expect(&mut self, id: &'static str, subject: impl Into<String>) {
        self.expected.push(Expected {
            id,
            subject: subject.into(),
            from: None,
        });
    }

    /// `doctor` must find `id` about this subject, and say that it comes from `cause`.
    pub fn expect_from(
        &mut self,
        id: &'static str,
        subject: impl Into<String>,
        cause: &'static str,
    ) {
        self.expected.push(Expected {
            id,
            subject: subject.into(),
            from: Some(cause),
        });
    }

    /// `doctor` as a user, with these arguments.
    pub fn doctor(&self, user: &str, arguments: &[&str]) -> Ran {
        let mut command = self.home.command(OURS, &self.cluster, user);
        run(command.args(["doctor", "-o", "json"]).args(arguments))
    }

    /// Asks `doctor` about the whole cluster and compares it with what is expected and with the conditions of all objects.
    pub fn look(&mut self, when: &str) -> Vec<Value> {
        let asked = Instant::now();
        let ran = self.doctor(ADMINISTRATOR, &[]);
        let took = asked.elapsed();
        let findings = self.compare(when, &ran);
        let mut differences = Vec::new();
        let mut compared = 0;
        for (kind, plural) in KINDS {
            let path = format!("/apis/image.toolkit.fluxcd.io/v1/{plural}");
            for object in self.api().list(&path) {
                let failing = verdict(&object).filter(|condition| !condition.ready);
                let Some(condition) = failing.filter(|_| !is_left_alone(&object)) else {
                    continue;
                };
                compared += 1;
                self.reasons.insert((kind, condition.reason.clone()));
                differences.extend(unquoted(when, &findings, kind, &object, &condition));
            }
        }
        for finding in &findings {
            if subject_of(finding).contains(" fine/") {
                differences.push(format!("{when}: nothing is wrong in `fine`, but {finding}"));
            }
        }
        self.differences.extend(differences);
        tell(&format!(
            "situations, {when}: {} findings after {took:.1?}, {compared} failing objects quoted, {:.1?} since the start",
            findings.len(),
            self.started.elapsed(),
        ));
        findings
    }

    /// Compares the findings of a run with what is expected, which is then forgotten. `IMAGEAUTO_FINDINGS=DIR` has them written to
    /// files, to be read.
    pub fn compare(&mut self, when: &str, ran: &Ran) -> Vec<Value> {
        let document: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let findings = document["findings"].as_array().cloned().unwrap_or_default();
        if let Some(folder) = std::env::var_os("IMAGEAUTO_FINDINGS") {
            let text = findings.iter().fold(String::new(), |mut text, finding| {
                writeln!(text, "{finding}").expect("a text can be written");
                text
            });
            let file = PathBuf::from(folder).join(format!("{}.jsonl", when.replace(' ', "-")));
            std::fs::write(file, text + &ran.stderr).expect("the folder is there");
        }
        for expected in std::mem::take(&mut self.expected) {
            let is_it = |finding: &&Value| {
                finding["id"] == expected.id && subject_of(finding) == expected.subject
            };
            match findings.iter().find(is_it) {
                Some(finding) => {
                    self.seen.insert(expected.id.to_owned());
                    let causes = finding["causes"].as_array().into_iter().flatten();
                    let causes: Vec<&str> = causes
                        .filter_map(|cause| usize::try_from(cause.as_u64()?).ok())
                        .filter_map(|cause| findings.get(cause)?["id"].as_str())
                        .collect();
                    if expected.from.is_some_and(|cause| !causes.contains(&cause)) {
                        self.differences.push(format!(
                            "{when}: {expected:?} comes from {causes:?}: {finding}"
                        ));
                    }
                }
                None => {
                    let of_subject: Vec<&Value> = findings
                        .iter()
                        .filter(|finding| subject_of(finding) == expected.subject)
                        .collect();
                    self.differences
                        .push(format!("{when}: not found: {expected:?}; {of_subject:?}"));
                }
            }
        }
        findings
    }

    /// The ids that were found where they are expected.
    pub fn seen(&self) -> &BTreeSet<String> {
        &self.seen
    }

    /// The kinds of the failing objects whose conditions were compared, with the reasons.
    pub fn reasons(&self) -> &BTreeSet<(&'static str, String)> {
        &self.reasons
    }

    /// What differed so far.
    pub fn differences(&self) -> &[String] {
        &self.differences
    }

    /// Adds something that is not as it should be.
    pub fn differs(&mut self, how: String) {
        self.differences.push(how);
    }
}

/// The controllers: the name of the Deployment, and that of the process.
pub const CONTROLLERS: [(&str, &str); 2] = [
    ("image-reflector-controller", "situations-reflector"),
    ("image-automation-controller", "situations-automation"),
];

/// The path of an image object.
pub fn image_path(kind: &str, namespace: &str, name: &str) -> String {
    let plural = KINDS
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or(kind, |(_, plural)| plural);
    format!("/apis/image.toolkit.fluxcd.io/v1/namespaces/{namespace}/{plural}/{name}")
}

/// That the object is suspended, so that no controller says anything new of it.
fn is_left_alone(object: &Value) -> bool {
    object["spec"]["suspend"] == json!(true)
}

/// What a finding is about: `KIND NAMESPACE/NAME` or `PATH:LINE`.
pub fn subject_of(finding: &Value) -> String {
    let subject = &finding["subject"];
    let text = |key: &str| subject[key].as_str().unwrap_or_default();
    match subject["line"].as_u64() {
        Some(line) => format!("{}:{line}", text("path")),
        None if subject["path"].is_string() => text("path").to_owned(),
        None => format!("{} {}/{}", text("kind"), text("namespace"), text("name")),
    }
}

/// The controller's words, without what it says of its own retries.
fn words(message: &str) -> &str {
    message
        .strip_prefix("retrying in ")
        .and_then(|rest| rest.split_once(" error: "))
        .map_or(message, |(_, words)| words)
}

/// That no finding about a failing object quotes its condition, if none does.
fn unquoted(
    when: &str,
    findings: &[Value],
    kind: &str,
    object: &Value,
    condition: &Condition,
) -> Option<String> {
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
    let subject = format!("{kind} {}/{}", text("namespace"), text("name"));
    let about: Vec<&Value> = findings
        .iter()
        .filter(|finding| subject_of(finding) == subject)
        .collect();
    let quotes = |finding: &&&Value| {
        let evidence = finding["evidence"].as_str().unwrap_or_default();
        finding["severity"] != "note" && quotes(evidence, words(&condition.message))
    };
    (!about.iter().any(|finding| quotes(&finding)))
        .then(|| format!("{when}: {condition:?} of {subject} is not quoted: {about:#?}"))
}

/// Whether a text has the controller's words; the folder of its clone is told as `<clone>`.
fn quotes(evidence: &str, words: &str) -> bool {
    let mut rest = evidence;
    let mut parts = split_at_clones(words).into_iter();
    if let Some(first) = parts.next() {
        match rest.find(first.as_str()) {
            Some(at) => rest = &rest[at + first.len()..],
            None => return false,
        }
    }
    parts.all(|part| match rest.strip_prefix(&format!("<clone>{part}")) {
        Some(after) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// The words before, between and behind the paths of the controller's clones.
fn split_at_clones(words: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut rest = words;
    while let Some(at) = rest
        .find("/tmp/")
        .map(|at| rest[..at].rfind([' ', '"']).map_or(0, |start| start + 1))
    {
        let (before, path) = rest.split_at(at);
        let end = path.find([' ', ':', '"']).unwrap_or(path.len());
        let inside: String =
            path[..end]
                .rsplit_once("/tmp/")
                .map_or(String::new(), |(_, clone)| {
                    clone
                        .split_once('/')
                        .map_or(String::new(), |(_, inside)| format!("/{inside}"))
                });
        parts.last_mut().expect("there is one").push_str(before);
        parts.push(inside);
        rest = &path[end..];
    }
    parts.last_mut().expect("there is one").push_str(rest);
    parts
}

fn extend(into: &mut Value, more: &Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more.clone());
    }
}

fn without(value: &Value, key: &str) -> Value {
    let mut value = value.clone();
    if let Some(members) = value.as_object_mut() {
        members.remove(key);
    }
    value
}
