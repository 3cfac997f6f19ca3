//! The stage on which predictions are judged: one repository of many folders, a Kustomization for each, and the real
//! controllers that apply them.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::ControlPlane;
use crate::cluster::api::{path, wait_for};
use crate::cluster::clusters::{ADMINISTRATOR, Cluster};
use crate::cluster::command_line::{Home, OURS, Ran, run};
use crate::cluster::objects::{automation, git_repository, settled_policy, verdict};
use crate::cluster::programs::go_program;
use crate::cluster::repository::Repository;

/// The image whose tag the update changes from `1.0.0` to `2.0.0`.
pub const IMAGE: &str = "registry.example.com/app";

/// A repository with its source, its policy and its automation in a namespace of the delivery cluster.
pub struct Stage<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The namespace of the Flux objects.
    pub namespace: String,
    repository: Repository,
    files: BTreeMap<String, String>,
    home: Home,
    tools: TempDir,
}

impl<'a> Stage<'a> {
    /// Makes the namespace, the repository with `files`, and everything that updates it.
    pub fn new(
        plane: &'a ControlPlane,
        cluster: &'a Cluster,
        namespace: &str,
        files: BTreeMap<String, String>,
    ) -> Self {
        cluster.create_namespace(namespace);
        let bytes = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_bytes()));
        let repository = Repository::create(plane, &format!("dry-run-{namespace}"), bytes);
        let stage = Self {
            cluster,
            namespace: namespace.to_owned(),
            repository,
            files,
            home: Home::new(),
            tools: tempfile::tempdir().expect("a temporary folder can be made"),
        };
        let login = &plane.addresses.git;
        let policy = settled_policy(namespace, "app", IMAGE, "2.0.0", "");
        let mut bare = policy.clone();
        bare.as_object_mut()
            .expect("it is an object")
            .remove("status");
        stage.apply(&[
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": "git"},
                "stringData": {"username": login.user, "password": login.password},
            }),
            git_repository(namespace, "source", &stage.repository.url),
            bare,
            automation(namespace, "update", "source", &json!({}), "main"),
        ]);
        cluster
            .api
            .write_status(&policy)
            .unwrap_or_else(|refusal| panic!("{refusal:?}"));
        stage
    }

    /// Applies objects as the administrator.
    pub fn apply(&self, objects: &[Value]) {
        for object in objects {
            self.cluster
                .api
                .apply(object)
                .unwrap_or_else(|refusal| panic!("{object}: {refusal:?}"));
        }
    }

    /// A Kustomization of the stage that builds `path`; `spec` is put over the usual.
    pub fn kustomization(&self, name: &str, path: &str, spec: &Value) -> Value {
        let mut object = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"namespace": self.namespace, "name": name},
            "spec": {
                "interval": "24h", "retryInterval": "24h", "timeout": "30s", "prune": true, "path": path,
                "sourceRef": {"kind": "GitRepository", "name": "source"},
            },
        });
        for (key, value) in spec.as_object().into_iter().flatten() {
            object["spec"][key] = value.clone();
        }
        object
    }

    /// Waits until every Kustomization of the stage has been tried with the revision of `main`, and gives them by name.
    pub fn settled(&self) -> BTreeMap<String, Value> {
        let head = self.head();
        let revision = format!("main@sha1:{head}");
        let collection = format!(
            "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{}/kustomizations",
            self.namespace
        );
        wait_for(
            "the Kustomizations to be tried",
            Duration::from_secs(120),
            || {
                let listed = self.cluster.api.list(&collection);
                let tried = |object: &Value| {
                    object["spec"]["suspend"] == true
                        || object["status"]["lastAttemptedRevision"] == revision.as_str()
                            && verdict(object).is_some()
                };
                listed.iter().all(tried).then(|| {
                    let named = listed.into_iter().map(|object| {
                        let name = object["metadata"]["name"].as_str().unwrap_or_default();
                        (name.to_owned(), object.clone())
                    });
                    named.collect()
                })
            },
        )
    }

    /// Runs a command in the namespace of the stage, with the status' tags and a kubectl that builds as the controller does.
    pub fn run(&self, user: &str, arguments: &[&str]) -> Ran {
        run(&mut self.command(user, arguments))
    }

    /// The same, not started yet.
    pub fn command(&self, user: &str, arguments: &[&str]) -> Command {
        let kubectl = go_program("kubectl").expect("Go is there");
        let link = self.tools.path().join("kubectl");
        if !link.exists() {
            std::os::unix::fs::symlink(kubectl, link).expect("the folder is ours");
        }
        let mut command = self.home.command(OURS, self.cluster, user);
        command
            .args(arguments)
            .args(["-n", &self.namespace, "--tags-from", "status"])
            .env("PATH", with_first(self.tools.path()));
        command
    }

    /// The prediction's document, as the administrator.
    pub fn predicted(&self) -> Value {
        let ran = self.run(ADMINISTRATOR, &["diff", "--dry-run=server", "-o", "json"]);
        let document: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        document["automations"][0].clone()
    }

    /// Pushes the update, and has the source fetched.
    pub fn push(&mut self) {
        for text in self.files.values_mut() {
            *text = updated(text);
        }
        let bytes = self
            .files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_bytes()));
        self.repository.commit_files("main", "Update", bytes);
        self.fetch();
    }

    /// The files as they were before the update, in a folder under git.
    pub fn work_tree(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for (path, text) in &self.files {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().expect("it is in the folder"))
                .and_then(|()| fs::write(&file, text))
                .expect("the folder is ours");
        }
        let init = Command::new("git")
            .args(["init", "-q"])
            .current_dir(folder.path())
            .status();
        assert!(init.is_ok_and(|status| status.success()));
        folder
    }

    /// The commit that `main` is at.
    pub fn head(&self) -> String {
        self.repository.head("main").expect("main has a commit")
    }

    fn fetch(&self) {
        let path = format!(
            "/apis/source.toolkit.fluxcd.io/v1/namespaces/{}/gitrepositories/source",
            self.namespace
        );
        let head = self.repository.head("main");
        self.cluster
            .api
            .merge(
                &path,
                &json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": head}}}),
            )
            .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }

    /// The object that a row is about; `None`: it isn't there.
    pub fn live(&self, object: &Value) -> Option<Value> {
        let mut shaped = json!({
            "apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": {"name": object["name"]},
        });
        if object["namespace"]
            .as_str()
            .is_some_and(|name| !name.is_empty())
        {
            shaped["metadata"]["namespace"] = object["namespace"].clone();
        }
        self.cluster.api.get(&path(&shaped)).ok()
    }

    /// The objects that rows are about, as they are now.
    pub fn live_objects(&self, rows: &[Value]) -> BTreeMap<String, Value> {
        let checked = rows.iter().filter(|row| row["outcome"] != "notChecked");
        let live = checked.filter_map(|row| {
            let object = &row["object"];
            Some((object.to_string(), self.live(object)?))
        });
        live.collect()
    }

    /// Installs a definition and waits until it is served.
    pub fn define(&self, definition: &Value, collection: &str) {
        self.apply(std::slice::from_ref(definition));
        wait_for("the kind to be served", Duration::from_secs(60), || {
            self.cluster.api.get(collection).ok()
        });
    }

    /// Waits until the admission policies have an effect in these namespaces.
    pub fn wait_for_policies(&self, denied: &str, stamped: &str) {
        let probe = |namespace: &str| {
            let object = json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": namespace, "name": "probe"},
                "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"containers": [{"name": "a", "image": "a:2.0.0"}]},
                }},
            });
            let path = format!("{}?dryRun=All", crate::cluster::api::collection(&object));
            self.cluster.api.post(&path, &object)
        };
        wait_for(
            "the policies to be in force",
            Duration::from_secs(60),
            || {
                let stamp = probe(stamped).ok()?["metadata"]["annotations"]["stamp"].clone();
                (probe(denied).is_err() && stamp == "a:2.0.0").then_some(())
            },
        );
    }

    /// Resumes a Kustomization for the next revision.
    pub fn resume(&self, name: &str) {
        let path = format!(
            "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{}/kustomizations/{name}",
            self.namespace
        );
        self.cluster
            .api
            .merge(&path, &json!({"spec": {"suspend": false}}))
            .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }

    /// Everything that the cluster holds, as far as a dry-run might touch it: objects with their versions and managed fields,
    /// and events.
    pub fn everything(&self) -> BTreeMap<String, Value> {
        let collections = [
            "/api/v1/configmaps",
            "/api/v1/secrets",
            "/api/v1/services",
            "/api/v1/namespaces",
            "/api/v1/serviceaccounts",
            "/api/v1/resourcequotas",
            "/api/v1/events",
            "/apis/events.k8s.io/v1/events",
            "/apis/apps/v1/deployments",
            "/apis/apps/v1/statefulsets",
            "/apis/batch/v1/jobs",
            "/apis/batch/v1/cronjobs",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            "/apis/test.example.com/v1/widgets",
            "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations",
            "/apis/helm.toolkit.fluxcd.io/v2/helmreleases",
        ];
        let listed = collections.iter().flat_map(|collection| {
            let listed = self.cluster.api.get(collection).unwrap_or_default();
            let items = listed["items"].as_array().cloned().unwrap_or_default();
            items.into_iter().map(move |object| {
                let metadata = &object["metadata"];
                (
                    format!(
                        "{collection} {} {}",
                        metadata["namespace"], metadata["name"]
                    ),
                    object,
                )
            })
        });
        listed.collect()
    }
}

/// What became of predictions.
pub struct Verdicts<'a> {
    /// The stage.
    pub stage: &'a Stage<'a>,
    /// The objects before the update, by their identity in rows.
    pub live: &'a BTreeMap<String, Value>,
    /// The Kustomizations after it.
    pub settled: &'a BTreeMap<String, Value>,
}

impl Verdicts<'_> {
    /// What is wrong with rows.
    pub fn of_rows(&self, rows: &[Value]) -> Vec<String> {
        let mut by_kustomization: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for row in rows {
            // Nobody applies what no Kustomization does.
            if let Some(name) = row["kustomization"]["name"].as_str() {
                by_kustomization.entry(name).or_default().push(row);
            }
        }
        let mut wrong = Vec::new();
        for (name, mut rows) in by_kustomization {
            // What was not checked is no prediction.
            rows.retain(|row| row["outcome"] != "notChecked" || fails(row));
            if rows.is_empty() {
                continue;
            }
            let Some(kustomization) = self.settled.get(name) else {
                wrong.push(format!("{name}: there is no such Kustomization"));
                continue;
            };
            let verdict = verdict(kustomization).expect("it is settled");
            let failing: Vec<&&Value> = rows.iter().filter(|row| fails(row)).collect();
            if failing.is_empty() && !verdict.ready {
                wrong.push(format!("{name}: {} was not predicted", verdict.message));
                continue;
            }
            if failing.is_empty() {
                let found = rows.iter().filter_map(|row| self.of_row(row));
                wrong.extend(found.map(|what| format!("{name}: {what}")));
                continue;
            }
            if verdict.ready {
                wrong.push(format!("{name}: applied, against {failing:?}"));
            }
            // One of several refusals is what the controller tells.
            let told = failing.iter().any(|row| {
                let message = row["message"].as_str().unwrap_or_default();
                says(message, &verdict.message)
            });
            if !told {
                wrong.push(format!(
                    "{name}: {:?} is not in {failing:?}",
                    verdict.message
                ));
            }
        }
        wrong
    }

    fn of_row(&self, row: &Value) -> Option<String> {
        let object = &row["object"];
        let before = self.live.get(&object.to_string());
        let after = self.stage.live(object);
        let outcome = row["outcome"].as_str().unwrap_or_default();
        let uid = |object: &Value| object["metadata"]["uid"].clone();
        let is_right = match (outcome, before, &after) {
            ("created" | "namespaceMissing" | "unknownKind", None, Some(_))
            | ("pruned", Some(_), None) => true,
            ("unchanged", None, None) => true,
            ("unchanged", Some(before), Some(after)) => {
                before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
            }
            ("recreated", Some(before), Some(after)) => uid(before) != uid(after),
            ("changed" | "drifted", Some(before), Some(after)) => {
                let masked = row["fields"].to_string().contains("***");
                let predicted = with_fields(before, &row["fields"]);
                let found = bare(after);
                if !masked && predicted != found {
                    return Some(format!(
                        "predicted {predicted}
  found {found}
  by {}",
                        row["fields"]
                    ));
                }
                uid(before) == uid(after)
            }
            _ => false,
        };
        (!is_right).then(|| {
            format!(
                "{row}
  before {}
  after {}",
                before.is_some(),
                after.map_or(Value::Null, |after| bare(&after))
            )
        })
    }
}

/// Whether a row says that its Kustomization is not applied.
fn fails(row: &Value) -> bool {
    let outcome = row["outcome"].as_str().unwrap_or_default();
    let message = row["message"].as_str().unwrap_or_default();
    let follows = message.contains("the same Kustomization");
    match outcome {
        "rejected" | "forbidden" => true,
        "unknownKind" | "namespaceMissing" => !follows,
        "notChecked" => message.starts_with("kustomize-controller fails"),
        _ => false,
    }
}

/// Whether the controller's words are in ours, but for what differs from run to run.
fn says(ours: &str, controllers: &str) -> bool {
    let ours = ours
        .strip_prefix("kustomize-controller fails before it applies anything: ")
        .unwrap_or(ours);
    // Here nothing is built that would leave the tree.
    if ours.contains("leads out of the source") {
        return controllers.starts_with("kustomize build failed: ");
    }
    let ours = ours.split("; ").next().unwrap_or_default();
    let first = |text: &str| text.lines().next().unwrap_or_default().trim().to_owned();
    let (ours, theirs) = (first(ours), first(controllers));
    theirs.contains(&ours) || ours.contains(&theirs) || ends_alike(&ours, &theirs)
}

/// The tool's words and the controller's differ in the path of the copy.
fn ends_alike(ours: &str, theirs: &str) -> bool {
    let end = |text: &str| text.rsplit(": ").next().unwrap_or_default().to_owned();
    let start = |text: &str| text.split(": ").next().unwrap_or_default().to_owned();
    start(ours) == start(theirs) && end(ours) == end(theirs)
}

fn with_first(folder: &Path) -> std::ffi::OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths(std::iter::once(folder.to_owned()).chain(env::split_paths(&path)))
        .expect("PATH was one before")
}

/// A text with its markers set.
pub fn updated(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        if line.contains("\"$imagepolicy\"") {
            line.replacen("1.0.0", "2.0.0", 1)
        } else {
            line.to_owned()
        }
    });
    lines.collect()
}

/// The object without what the server writes.
pub fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for name in [
            "managedFields",
            "resourceVersion",
            "generation",
            "uid",
            "creationTimestamp",
        ] {
            metadata.remove(name);
        }
    }
    object
}

/// A live object with the fields of a prediction put in.
pub fn with_fields(live: &Value, fields: &Value) -> Value {
    let mut object = bare(live);
    for change in fields.as_array().into_iter().flatten() {
        let field = change["field"].as_str().expect("a field has a path");
        put(&mut object, field, &change["applied"]);
    }
    object
}

fn put(value: &mut Value, path: &str, applied: &Value) {
    if let Some(rest) = path.strip_prefix('[') {
        let (item, rest) = rest.split_once(']').expect("an item ends");
        let items = value.as_array_mut().expect("it is a list");
        let keys: Vec<(&str, &str)> = item
            .split(',')
            .filter_map(|key| key.split_once('='))
            .collect();
        let bare = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let fits = |item: &Value| {
            keys.iter().all(|(name, wanted)| match *name {
                "" => bare(item) == *wanted,
                name => bare(&item[name]) == *wanted,
            })
        };
        let at = match item.parse::<usize>() {
            Ok(index) => Some(index),
            Err(_) => items.iter().position(fits),
        };
        match (at, rest.is_empty()) {
            (Some(at), true) if applied.is_null() => drop(items.remove(at)),
            (Some(at), true) => items[at] = applied.clone(),
            (None, true) => items.push(applied.clone()),
            (Some(at), false) => put(&mut items[at], rest, applied),
            (None, false) => panic!("there is no item {item}"),
        }
        return;
    }
    let path = path.strip_prefix('.').unwrap_or_else(|| panic!("{path}"));
    let fields = value.as_object_mut().expect("it has fields");
    // Annotations and labels have dots in their names.
    for place in ["annotations.", "labels.", "data."] {
        if let Some(key) = path.strip_prefix(place) {
            let texts = fields
                .entry(place.trim_end_matches('.'))
                .or_insert_with(|| json!({}));
            let texts = texts.as_object_mut().expect("it holds texts");
            if applied.is_null() {
                texts.remove(key);
            } else {
                texts.insert(key.to_owned(), applied.clone());
            }
            if texts.is_empty() {
                fields.remove(place.trim_end_matches('.'));
            }
            return;
        }
    }
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    if rest.is_empty() {
        if applied.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.to_owned(), applied.clone());
        }
        return;
    }
    put(
        fields.entry(name).or_insert_with(|| json!({})),
        rest,
        applied,
    );
}
