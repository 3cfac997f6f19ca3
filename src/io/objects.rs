//! Kubernetes objects as JSON to facts: the one place where what the cluster sent and what stands in manifests meet.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::controllers::flux::{self, ObjectKey};
use crate::facts::cluster::{Closed, Container, Kind, Objects, Secret, ServiceAccount, Workload};

/// The part of `metadata` that is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) generation: Option<i64>,
    pub(super) deletion_timestamp: Option<String>,
}

/// Reads `metadata`, which must be there with a name that Kubernetes accepts.
pub(super) fn metadata(value: &Value) -> Result<Metadata, String> {
    let metadata: Metadata = match value.get("metadata") {
        Some(metadata) => read_part(metadata, "metadata")?,
        None => return Err("metadata is missing".into()),
    };
    check_name(&metadata.name, "metadata.name")?;
    Ok(metadata)
}

/// Adds an object that the cluster sent; it has a namespace if its kind has.
///
/// # Errors
///
/// The object has another shape than its kind; the text says which field.
pub fn add(objects: &mut Objects, kind: Kind, value: &Value) -> Result<(), String> {
    let metadata = metadata(value)?;
    let key = ObjectKey::new(&metadata.namespace, &metadata.name);
    store(objects, kind, &key, &metadata, value)
}

/// Adds an object under `key`.
///
/// # Errors
///
/// The object has another shape than its kind; the text says which field.
pub(super) fn store(
    objects: &mut Objects,
    kind: Kind,
    key: &ObjectKey,
    metadata: &Metadata,
    value: &Value,
) -> Result<(), String> {
    match kind {
        Kind::ImageRepository => {
            let object = typed(key, metadata, value)?;
            objects.repositories.insert(key.clone(), object);
        }
        Kind::ImagePolicy => {
            let object = typed(key, metadata, value)?;
            objects.policies.insert(key.clone(), object);
        }
        Kind::ImageUpdateAutomation => {
            let object = typed(key, metadata, value)?;
            objects.automations.insert(key.clone(), object);
        }
        Kind::GitRepository => {
            let object = typed(key, metadata, value)?;
            objects.git_repositories.insert(key.clone(), object);
        }
        Kind::Secret => {
            objects.secrets.insert(key.clone(), secret(value)?);
        }
        Kind::ServiceAccount => {
            let account = service_account(value)?;
            objects.service_accounts.insert(key.clone(), account);
        }
        Kind::Kustomization => {
            let object = typed(key, metadata, value)?;
            objects.kustomizations.insert(key.clone(), object);
        }
        Kind::HelmRelease => {
            let object = typed(key, metadata, value)?;
            objects.helm_releases.insert(key.clone(), object);
        }
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet | Kind::CronJob => {
            let workload = workload(kind, metadata, value);
            objects.workloads.insert((kind, key.clone()), workload);
        }
        Kind::Namespace => {
            let labels = metadata.labels.clone();
            objects.namespaces.insert(metadata.name.clone(), labels);
        }
    }
    Ok(())
}

/// Whether objects of `kind` are read in this API version; the text says which ones are.
pub(super) fn check_version(kind: Kind, api_version: &str) -> Result<(), String> {
    let version = api_version.rsplit('/').next().unwrap_or_default();
    if kind.versions().contains(&version) {
        return Ok(());
    }
    Err(format!(
        "apiVersion {api_version} is not read, only {}: migrate it (flux migrate -f)",
        kind.versions().join(", ")
    ))
}

fn typed<Spec, Status>(
    key: &ObjectKey,
    metadata: &Metadata,
    value: &Value,
) -> Result<flux::Object<Spec, Status>, String>
where
    Spec: for<'de> Deserialize<'de> + Default,
    Status: for<'de> Deserialize<'de> + Default,
{
    Ok(flux::Object {
        api_version: text_at(value, "apiVersion").to_owned(),
        key: key.clone(),
        labels: metadata.labels.clone(),
        annotations: metadata.annotations.clone(),
        generation: metadata.generation,
        deleted: metadata.deletion_timestamp.is_some(),
        spec: value
            .get("spec")
            .map(|spec| read_part(spec, "spec"))
            .transpose()?
            .unwrap_or_default(),
        status: value
            .get("status")
            .map(|status| read_part(status, "status"))
            .transpose()?
            .unwrap_or_default(),
    })
}

pub(super) fn read_part<Part: for<'de> Deserialize<'de>>(
    value: &Value,
    name: &str,
) -> Result<Part, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        if path == "." {
            format!("{name}: {}", error.inner())
        } else {
            format!("{name}.{path}: {}", error.inner())
        }
    })
}

fn secret(value: &Value) -> Result<Secret, String> {
    if value.get("sops").is_some() {
        return Ok(Secret::Closed(Closed::Encrypted));
    }
    let mut data = BTreeMap::new();
    for (key, encoded) in members(value, "data") {
        let text = encoded
            .as_str()
            .ok_or_else(|| format!("data.{key} is not a string"))?;
        match decode_base64(text) {
            Some(bytes) => data.insert(key.clone(), bytes),
            None if text.contains("${") => return Ok(Secret::Closed(Closed::Variables)),
            None => return Err(format!("data.{key} is not base64")),
        };
    }
    for (key, text) in members(value, "stringData") {
        let text = text
            .as_str()
            .ok_or_else(|| format!("stringData.{key} is not a string"))?;
        data.insert(key.clone(), text.as_bytes().to_vec());
    }
    let kind = text_at(value, "type");
    Ok(Secret::Readable {
        kind: if kind.is_empty() {
            "Opaque".into()
        } else {
            kind.to_owned()
        },
        data,
    })
}

fn members<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value
        .get(name)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    let compact: String = text
        .chars()
        .filter(|character| !matches!(character, '\n' | '\r'))
        .collect();
    base64::engine::general_purpose::STANDARD
        .decode(compact)
        .ok()
}

pub(super) fn text_at<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The API server drops nulls before it fills in defaults.
pub(super) fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

/// The object's content with its namespace filled in.
pub(super) fn comparable(value: &Value, key: &ObjectKey) -> Value {
    let mut content = value.clone();
    if let Some(metadata) = content.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("namespace".into(), Value::from(key.namespace.clone()));
    }
    content
}

/// Names as the API server lets them in (RFC 1123 subdomains): nothing else may reach a path, a message or git.
pub(super) fn check_name(name: &str, field: &str) -> Result<(), String> {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty()
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.is_empty() {
        return Err(format!("{field} is missing"));
    }
    if name.len() > 253 || !name.split('.').all(label) {
        return Err(format!(
            "{field} {name:?} is not a name that Kubernetes accepts (lower-case letters, digits, '-' and '.')"
        ));
    }
    Ok(())
}

/// What a workload runs, as its template says, and how far it is.
fn workload(kind: Kind, metadata: &Metadata, value: &Value) -> Workload {
    let template = match kind {
        Kind::CronJob => "/spec/jobTemplate/spec/template/spec",
        _ => "/spec/template/spec",
    };
    let of = |list: &str| {
        let found = value.pointer(&format!("{template}/{list}"));
        let found = found.and_then(Value::as_array);
        found.into_iter().flatten().map(|container| Container {
            name: text_at(container, "name").to_owned(),
            image: text_at(container, "image").to_owned(),
        })
    };
    let count = |pointer: &str| value.pointer(pointer).and_then(Value::as_u64);
    let pods = match kind {
        Kind::CronJob => None,
        Kind::DaemonSet => Some((
            count("/status/numberReady").unwrap_or(0),
            count("/status/desiredNumberScheduled").unwrap_or(0),
        )),
        _ => Some((
            count("/status/readyReplicas").unwrap_or(0),
            count("/spec/replicas").unwrap_or(1),
        )),
    };
    let conditions = value
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let progressing = conditions
        .into_iter()
        .flatten()
        .find(|condition| text_at(condition, "type") == "Progressing");
    Workload {
        labels: metadata.labels.clone(),
        containers: of("initContainers").chain(of("containers")).collect(),
        pods,
        since: progressing.map(|condition| text_at(condition, "lastUpdateTime").to_owned()),
    }
}

fn service_account(value: &Value) -> Result<ServiceAccount, String> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Account {
        image_pull_secrets: Vec<flux::LocalReference>,
    }
    let account: Account = read_part(value, "ServiceAccount")?;
    let names = account.image_pull_secrets.into_iter();
    Ok(ServiceAccount {
        image_pull_secrets: names.map(|reference| reference.name).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubernetes() {
        for name in ["a", "a-b.c", "1"] {
            assert_eq!(check_name(name, "metadata.name"), Ok(()), "{name}");
        }
        for name in ["", "A", "a/b", "..", "-a", "a-", "a\n", &"a".repeat(254)] {
            assert!(check_name(name, "metadata.name").is_err(), "{name}");
        }
    }

    #[test]
    fn an_encrypted_secret_is_unreadable_and_others_are_decoded() {
        let encrypted =
            serde_json::json!({"sops": {}, "data": {"password": "ENC[AES256_GCM,data:x]"}});
        assert_eq!(secret(&encrypted), Ok(Secret::Closed(Closed::Encrypted)));
        let filled_in = serde_json::json!({"kind": "Secret", "data": {".dockerconfigjson": "${DOCKER_CONFIG}"}});
        assert_eq!(secret(&filled_in), Ok(Secret::Closed(Closed::Variables)));
        let readable = serde_json::json!({"data": {"a": "eA=="}, "stringData": {"b": "y"}});
        let Ok(Secret::Readable { kind, data }) = secret(&readable) else {
            panic!("not readable")
        };
        assert_eq!(
            (kind.as_str(), data["a"].as_slice(), data["b"].as_slice()),
            ("Opaque", &b"x"[..], &b"y"[..])
        );
    }
}
