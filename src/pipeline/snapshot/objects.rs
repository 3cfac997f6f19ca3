//! What is kept of what a cluster answered: of each kind the fields that are read here, and of Secrets no data.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use crate::facts::cluster::Kind;
use crate::facts::snapshot::{AskedList, ClusterAnswers, Forbidden, NamedSecret};
use crate::io::cluster::{Exchange, Heard};

/// What a cluster answered, without what may be secret.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Each object once, by kind, namespace and name.
    pub(super) objects: Vec<Value>,
    pub(super) answers: ClusterAnswers,
    pub(super) secrets: Vec<NamedSecret>,
    /// Texts of the data of Secrets, which may stand in messages.
    pub(super) secret_texts: BTreeSet<String>,
}

/// Goes through everything that was heard.
pub(super) fn keep(exchanges: &[Exchange]) -> Kept {
    let mut kept = Kept::default();
    let mut objects: BTreeMap<(String, String, String), Value> = BTreeMap::new();
    let mut lists: BTreeSet<AskedList> = BTreeSet::new();
    let mut forbidden: BTreeMap<String, String> = BTreeMap::new();
    let mut absent: BTreeSet<String> = BTreeSet::new();
    let mut unserved: BTreeSet<String> = BTreeSet::new();
    for exchange in exchanges {
        let path = exchange.asked_list().path;
        match &exchange.heard {
            Heard::Json(value) => match (exchange.resource(), value["items"].as_array()) {
                (Some((version, plural)), Some(items)) => {
                    lists.insert(exchange.asked_list());
                    for item in items {
                        kept.object(&version, &plural, item, &mut objects);
                    }
                }
                (Some((version, plural)), None) => {
                    kept.object(&version, &plural, value, &mut objects);
                }
                (None, _) => {
                    kept.answers.documents.insert(path, document(value));
                }
            },
            Heard::NoSuchObject => {
                absent.insert(path);
            }
            Heard::NoSuchPath => {
                unserved.insert(path);
            }
            Heard::Forbidden(message) => {
                forbidden.insert(path, message.clone());
            }
        }
    }
    kept.answers.lists = lists.into_iter().collect();
    kept.answers.absent = absent.into_iter().collect();
    kept.answers.unserved = unserved.into_iter().collect();
    let forbidden = forbidden.into_iter();
    kept.answers.forbidden = forbidden
        .map(|(path, message)| Forbidden { path, message })
        .collect();
    kept.objects = objects.into_values().collect();
    // What objects are called is known to all, whatever Secret says it too.
    let public = kept.objects.iter().map(public_text).collect::<String>();
    kept.secret_texts
        .retain(|text| text.len() >= SHORTEST && !public.contains(text.as_str()));
    kept.secrets.sort();
    kept.secrets.dedup();
    kept
}

impl Kept {
    fn object(
        &mut self,
        version: &str,
        plural: &str,
        object: &Value,
        objects: &mut BTreeMap<(String, String, String), Value>,
    ) {
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let known = Kind::ALL
            .into_iter()
            .find(|kind| kind.plural() == plural && kind.group() == group);
        if known == Some(Kind::Secret) {
            return self.secret(object);
        }
        let kind = match known {
            Some(kind) => kind.name(),
            None if plural == "leases" => "Lease",
            None => return,
        };
        let text = |pointer: &str| {
            let found = object.pointer(pointer).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let key = (
            kind.to_owned(),
            text("/metadata/namespace"),
            text("/metadata/name"),
        );
        let mut whole = object.clone();
        whole["apiVersion"] = version.into();
        whole["kind"] = kind.into();
        objects.insert(key, allowed(known, &whole));
    }

    fn secret(&mut self, secret: &Value) {
        let text = |pointer: &str| {
            let found = secret.pointer(pointer).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let data = secret["data"].as_object();
        let data: Vec<(&String, &str)> = data
            .into_iter()
            .flatten()
            .map(|(key, value)| (key, value.as_str().unwrap_or_default()))
            .collect();
        self.secrets.push(NamedSecret {
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
            kind: text("/type"),
            keys: data.iter().map(|(key, _)| (*key).clone()).collect(),
        });
        for (key, encoded) in data {
            if let Ok(bytes) = BASE64.decode(encoded) {
                let decoded = String::from_utf8_lossy(&bytes);
                secret_texts(key, &decoded, &mut self.secret_texts);
            }
            self.secret_texts.insert(encoded.to_owned());
        }
    }
}

/// The names of an object, and of what it refers to.
fn public_text(object: &Value) -> String {
    let pointers = [
        "/apiVersion",
        "/kind",
        "/metadata/namespace",
        "/metadata/name",
        "/spec/image",
        "/spec/ref/branch",
        "/spec/update/path",
        "/spec/path",
    ];
    let texts = pointers
        .iter()
        .filter_map(|pointer| object.pointer(pointer)?.as_str());
    texts.flat_map(|text| [text, "\n"]).collect()
}

/// A shorter text stands in too many words to be told from them.
const SHORTEST: usize = 4;
/// From this length on a text is no common word.
const TELLING: usize = 8;

/// Keys of Secrets whose values everybody may know.
const NAMES: [&str; 10] = [
    "username",
    "user",
    "email",
    "known_hosts",
    "caFile",
    "ca.crt",
    "githubAppID",
    "githubAppInstallationID",
    "githubAppInstallationOwner",
    "githubAppBaseURL",
];

/// The texts of a Secret's entry that may be told from other words: passwords however short, and what is long.
fn secret_texts(key: &str, text: &str, found: &mut BTreeSet<String>) {
    if NAMES.contains(&key) {
        return;
    }
    if let Ok(value @ Value::Object(_)) = serde_json::from_str(text) {
        texts_of_json(&value, found);
    }
    let trimmed = text.trim();
    found.insert(trimmed.to_owned());
    // A message may quote a line of a key.
    let lines = trimmed.lines().map(str::trim);
    found.extend(
        lines
            .filter(|line| line.len() >= TELLING)
            .map(str::to_owned),
    );
}

/// The values of a Docker configuration, but for the names of users and hosts; with what `auth` encodes.
fn texts_of_json(value: &Value, found: &mut BTreeSet<String>) {
    let Value::Object(members) = value else {
        return;
    };
    for (key, member) in members {
        match member {
            Value::String(text) if key != "username" && key != "email" => {
                found.insert(text.clone());
                let decoded = BASE64.decode(text).ok().filter(|_| key == "auth");
                let pair = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
                let password = pair.as_deref().and_then(|pair| pair.split_once(':'));
                found.extend(password.map(|(_, password)| password.to_owned()));
            }
            other => texts_of_json(other, found),
        }
    }
}

/// Of a document that holds no objects, what says which versions there are.
fn document(value: &Value) -> Value {
    let mut kept = Map::new();
    for field in ["kind", "gitVersion", "name", "groupVersion", "versions"] {
        if let Some(member) = value.get(field) {
            kept.insert(field.to_owned(), member.clone());
        }
    }
    if let Some(resources) = value["resources"].as_array() {
        let names = resources.iter().map(|one| json!({"name": one["name"]}));
        kept.insert("resources".into(), names.collect());
    }
    kept.into()
}

/// The fields of an object that are read here.
fn allowed(kind: Option<Kind>, object: &Value) -> Value {
    let mut kept = json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": metadata(object)});
    let fields: &[&str] = match kind {
        Some(
            Kind::ImageRepository
            | Kind::ImagePolicy
            | Kind::ImageUpdateAutomation
            | Kind::GitRepository,
        ) => &["spec", "status"],
        Some(Kind::Kustomization) => &[
            "spec/path",
            "spec/sourceRef",
            "spec/interval",
            "spec/retryInterval",
            "spec/timeout",
            "spec/suspend",
            "spec/targetNamespace",
            "spec/prune",
            "spec/force",
            "spec/images",
            "spec/dependsOn",
            "spec/serviceAccountName",
            "status",
        ],
        Some(Kind::HelmRelease) => &[
            "spec/chart/spec/chart",
            "spec/chart/spec/version",
            "spec/chart/spec/sourceRef",
            "spec/chartRef",
            "spec/interval",
            "spec/timeout",
            "spec/suspend",
            "spec/releaseName",
            "spec/targetNamespace",
            "status/observedGeneration",
            "status/conditions",
        ],
        Some(Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet | Kind::CronJob) => {
            &["spec/replicas", "status"]
        }
        Some(Kind::ServiceAccount) => &["imagePullSecrets"],
        None => &[
            "spec/holderIdentity",
            "spec/renewTime",
            "spec/leaseDurationSeconds",
        ],
        Some(Kind::Namespace | Kind::Secret) => &[],
    };
    for field in fields {
        copy(object, &mut kept, field);
    }
    if let Some(kind) = kind.filter(|kind| Kind::WORKLOADS.contains(kind)) {
        template(kind, object, &mut kept);
    }
    kept
}

/// Copies the field at a path of members, if it is there.
fn copy(from: &Value, to: &mut Value, path: &str) {
    let Some(found) = from.pointer(&format!("/{path}")) else {
        return;
    };
    let mut place = to;
    for part in path.split('/') {
        place = &mut place[part];
    }
    *place = found.clone();
}

/// What identifies an object and how old it is; of annotations those that Flux itself reads.
fn metadata(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut kept = Map::new();
    for field in [
        "name",
        "namespace",
        "labels",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
    ] {
        if let Some(member) = metadata.get(field) {
            kept.insert(field.to_owned(), member.clone());
        }
    }
    let annotations: Map<String, Value> = metadata["annotations"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| {
            key.starts_with("reconcile.fluxcd.io/") || key.contains(".toolkit.fluxcd.io/")
        })
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !annotations.is_empty() {
        kept.insert("annotations".into(), annotations.into());
    }
    kept.into()
}

/// The images of a workload; and the arguments of Flux's own controllers, which say which rules they follow.
fn template(kind: Kind, object: &Value, kept: &mut Value) {
    let path = match kind {
        Kind::CronJob => "spec/jobTemplate/spec/template/spec",
        _ => "spec/template/spec",
    };
    let component = object.pointer("/metadata/labels/app.kubernetes.io~1component");
    let component = component.and_then(Value::as_str).unwrap_or_default();
    let is_controller = component.ends_with("-controller");
    for list in ["initContainers", "containers"] {
        let Some(containers) = object.pointer(&format!("/{path}/{list}")) else {
            continue;
        };
        let containers = containers.as_array().into_iter().flatten();
        let containers: Vec<Value> = containers
            .map(|container| {
                let mut kept = json!({"name": container["name"], "image": container["image"]});
                for part in ["command", "args"] {
                    if let Some(words) = container.get(part).filter(|_| is_controller) {
                        kept[part] = words.clone();
                    }
                }
                kept
            })
            .collect();
        let mut place = &mut *kept;
        for part in path.split('/').chain([list]) {
            place = &mut place[part];
        }
        *place = containers.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(path: &str, heard: Heard) -> Exchange {
        Exchange {
            path: path.into(),
            heard,
        }
    }

    #[test]
    fn of_a_secret_only_its_names_are_kept() {
        let secret = json!({"kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"namespace": "a", "name": "pull", "annotations": {"x": "hush"}},
            "data": {".dockerconfigjson": BASE64.encode(r#"{"auths": {"r.example": {"username": "bot", "auth": "Ym90OnNlc2FtZQ=="}}}"#)}});
        let kept = keep(&[heard(
            "/api/v1/namespaces/a/secrets/pull",
            Heard::Json(secret),
        )]);
        assert!(kept.objects.is_empty());
        assert_eq!(kept.secrets[0].keys, [".dockerconfigjson"]);
        assert!(kept.secret_texts.contains("sesame"), "{kept:?}");
        assert!(!kept.secret_texts.contains("bot"));
    }

    #[test]
    fn of_a_workload_its_images_are_kept() {
        let deployment = json!({"kind": "Deployment", "metadata": {"namespace": "a", "name": "d",
                "managedFields": [1], "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hush"}},
            "spec": {"replicas": 2, "template": {"metadata": {"annotations": {"x": "hush"}}, "spec": {"containers": [
                {"name": "c", "image": "i:1", "env": [{"name": "A", "value": "hush"}], "args": ["--password=hush"]}]}}},
            "status": {"readyReplicas": 1}});
        let list = json!({"items": [deployment]});
        let kept = keep(&[heard(
            "/apis/apps/v1/namespaces/a/deployments?limit=500",
            Heard::Json(list),
        )]);
        let text = serde_json::to_string(&kept.objects).unwrap();
        assert!(!text.contains("hush"), "{text}");
        let pointer = "/spec/template/spec/containers/0/image";
        assert_eq!(kept.objects[0].pointer(pointer), Some(&json!("i:1")));
        assert_eq!(
            kept.answers.lists[0].path,
            "/apis/apps/v1/namespaces/a/deployments"
        );
    }
}
