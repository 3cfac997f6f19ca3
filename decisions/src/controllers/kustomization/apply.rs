//! Mirrors `apply` of kustomize-controller 1.9, and `manager_apply.go` and `utils/meta.go` of fluxcd/pkg/ssa 0.76: what is
//! done to a built object before it is sent, and which objects are not sent at all.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{GROUP, KustomizationSpec, normalize};
use crate::controllers::flux::ObjectKey;

/// The field manager of the controller.
pub const MANAGER: &str = "kustomize-controller";

/// The annotations that are taken from live objects.
pub const STALE_ANNOTATIONS: [&str; 3] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/checksum",
    "fluxcd.io/sync-checksum",
];

/// The labels that are taken from live objects.
pub const STALE_LABELS: [&str; 1] = ["fluxcd.io/sync-gc-mark"];

/// Makes of a built object what the controller sends: the owner's labels, the normal form, the common metadata.
pub fn prepared(object: &Value, owner: &ObjectKey, spec: &KustomizationSpec) -> Value {
    let mut object = object.clone();
    put(
        &mut object,
        "labels",
        [
            (format!("{GROUP}/name"), owner.name.clone()),
            (format!("{GROUP}/namespace"), owner.namespace.clone()),
        ],
    );
    normalize::normalize(&mut object);
    if let Some(common) = &spec.common_metadata {
        put(&mut object, "labels", common.labels.clone());
        put(&mut object, "annotations", common.annotations.clone());
    }
    remove_ca_bundle(&mut object);
    object
}

fn put(object: &mut Value, place: &str, texts: impl IntoIterator<Item = (String, String)>) {
    let mut texts = texts.into_iter().peekable();
    if texts.peek().is_none() {
        return;
    }
    let Some(metadata) = object
        .as_object_mut()
        .map(|object| object.entry("metadata").or_insert_with(empty))
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    let there = metadata.entry(place).or_insert_with(empty);
    if !there.is_object() {
        *there = empty();
    }
    if let Value::Object(there) = there {
        there.extend(texts.map(|(key, text)| (key, Value::String(text))));
    }
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// A CRD whose conversion webhook names no valid authority would be refused; the controller leaves such a bundle out.
fn remove_ca_bundle(object: &mut Value) {
    let is_crd = object["kind"] == "CustomResourceDefinition";
    let pointer = "/spec/conversion/webhook/clientConfig";
    if let Some(config) = object.pointer_mut(pointer).filter(|_| is_crd)
        && let Some(config) = config.as_object_mut()
        && !config
            .get("caBundle")
            .and_then(Value::as_str)
            .is_none_or(|bundle| bundle.is_empty() || holds_certificate(bundle))
    {
        config.remove("caBundle");
    }
}

fn holds_certificate(bundle: &str) -> bool {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(bundle);
    decoded.is_ok_and(|bytes| {
        let text = String::from_utf8_lossy(&bytes);
        text.contains("-----BEGIN CERTIFICATE-----") && text.contains("-----END CERTIFICATE-----")
    })
}

/// Texts of `metadata`: its labels or annotations.
pub fn texts_at(object: &Value, place: &str) -> BTreeMap<String, String> {
    let texts = object["metadata"][place].as_object().into_iter().flatten();
    texts
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Whether a label or annotation says so, in whatever case.
fn says(object: &Value, key: &str, value: &str) -> bool {
    ["labels", "annotations"].iter().any(|place| {
        let found = object["metadata"][*place][key].as_str();
        found.is_some_and(|found| found.eq_ignore_ascii_case(value))
    })
}

fn key(name: &str) -> String {
    format!("{GROUP}/{name}")
}

/// Why an object is left alone, as `key: value` of what says so; `None`: it is applied.
pub fn left_alone(desired: &Value, live: Option<&Value>) -> Option<String> {
    for (name, value) in [("reconcile", "disabled"), ("ssa", "Ignore")] {
        if says(desired, &key(name), value)
            || live.is_some_and(|live| says(live, &key(name), value))
        {
            return Some(format!("{}: {value}", key(name)));
        }
    }
    let once = live.is_some() && says(desired, &key("ssa"), "IfNotPresent");
    once.then(|| format!("{}: IfNotPresent", key("ssa")))
}

/// Whether fields that others own are kept.
pub fn merges(desired: &Value, live: Option<&Value>) -> bool {
    let merge = |object: &Value| says(object, &key("ssa"), "Merge");
    merge(desired) || live.is_some_and(merge)
}

/// Whether an object is made anew where it can't be changed.
pub fn is_forced(spec: &KustomizationSpec, desired: &Value, live: Option<&Value>) -> bool {
    let force = |object: &Value| says(object, &key("force"), "enabled");
    spec.force || force(desired) || live.is_some_and(force)
}

/// Why a live object that is no longer built stays.
pub fn is_kept(live: &Value) -> Option<String> {
    for (name, value) in [
        ("prune", "disabled"),
        ("reconcile", "disabled"),
        ("ssa", "Ignore"),
    ] {
        if says(live, &key(name), value) {
            return Some(format!("{}: {value}", key(name)));
        }
    }
    None
}

/// Whether a live object is this Kustomization's to delete.
pub fn is_owned(live: &Value, owner: &ObjectKey) -> bool {
    let label = |name: &str| live["metadata"]["labels"][key(name)].as_str();
    label("name") == Some(owner.name.as_str())
        && label("namespace") == Some(owner.namespace.as_str())
}

/// Whether an object is a Secret that SOPS encrypted and the controller refuses to apply as it is.
pub fn is_encrypted_secret(object: &Value) -> bool {
    let is_secret = object["kind"] == "Secret" && object["apiVersion"] == "v1";
    let annotation = object["metadata"]["annotations"][key("decrypt")].as_str();
    let is_disabled = annotation.is_some_and(|value| value.eq_ignore_ascii_case("disabled"));
    is_secret && object.get("sops").is_some() && !is_disabled
}

/// Whether an object holds values that only its key's owner can read.
pub fn is_encrypted(object: &Value) -> bool {
    if object
        .get("sops")
        .is_some_and(|sops| sops.get("mac").is_some())
    {
        return true;
    }
    if object["kind"] != "Secret" {
        return false;
    }
    let values = object["data"].as_object().into_iter().flatten();
    values
        .filter_map(|(_, value)| value.as_str())
        .any(holds_encrypted_value)
}

/// Whether a Secret's value is a file that SOPS encrypted.
fn holds_encrypted_value(value: &str) -> bool {
    use base64::Engine as _;
    let compact: String = value.split_ascii_whitespace().collect();
    let decoded = base64::engine::general_purpose::STANDARD.decode(compact);
    decoded.is_ok_and(|bytes| is_encrypted_file(&bytes))
}

/// Whether a file was encrypted by SOPS, in whichever of its formats.
pub fn is_encrypted_file(bytes: &[u8]) -> bool {
    let holds = |text: &[u8]| memchr::memmem::find(bytes, text).is_some();
    holds(b"ENC[AES256_GCM,data:") && (holds(b"sops") || holds(b"sops_mac"))
}

/// The order in which the controller sends kinds: namespaces, definitions and classes before what needs them.
pub fn stage(object: &Value) -> u8 {
    let kind = object["kind"].as_str().unwrap_or_default();
    match kind {
        "CustomResourceDefinition" | "Namespace" | "ClusterRole" => 0,
        kind if kind.ends_with("Class") => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn annotated(name: &str, value: &str) -> Value {
        json!({"metadata": {"annotations": {key(name): value}}})
    }

    #[test]
    fn annotations_and_labels_decide() {
        let plain = json!({});
        assert_eq!(left_alone(&plain, Some(&plain)), None);
        assert!(left_alone(&annotated("ssa", "ignore"), None).is_some());
        assert!(left_alone(&plain, Some(&annotated("reconcile", "Disabled"))).is_some());
        assert_eq!(left_alone(&annotated("ssa", "IfNotPresent"), None), None);
        assert!(left_alone(&annotated("ssa", "IfNotPresent"), Some(&plain)).is_some());
        assert_eq!(
            left_alone(&plain, Some(&annotated("ssa", "IfNotPresent"))),
            None
        );
        assert!(merges(&plain, Some(&annotated("ssa", "Merge"))));
        assert!(is_forced(
            &KustomizationSpec::default(),
            &annotated("force", "enabled"),
            None
        ));
        assert!(!is_forced(
            &KustomizationSpec::default(),
            &annotated("force", "true"),
            None
        ));
        assert!(is_kept(&annotated("prune", "disabled")).is_some());
        let labelled = json!({"metadata": {"labels": {key("ssa"): "Ignore"}}});
        assert!(left_alone(&labelled, None).is_some());
    }

    #[test]
    fn owner_and_common_metadata_are_put_in() {
        let spec = KustomizationSpec {
            common_metadata: Some(super::super::CommonMetadata {
                labels: BTreeMap::from([("team".into(), "a".into())]),
                annotations: BTreeMap::new(),
            }),
            ..KustomizationSpec::default()
        };
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "labels": {"team": "b"}}, "status": {}});
        let prepared = prepared(&object, &ObjectKey::new("flux-system", "apps"), &spec);
        assert_eq!(
            prepared["metadata"]["labels"],
            json!({"team": "a", "kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"})
        );
        assert!(prepared.get("status").is_none());
        assert!(is_owned(&prepared, &ObjectKey::new("flux-system", "apps")));
    }

    #[test]
    fn encrypted_values_are_recognized() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "eyJzb3BzIjp7fSwiYSI6IkVOQ1tBRVMyNTZfR0NNLGRhdGE6eCJ9"}});
        assert!(is_encrypted(&secret));
        assert!(!is_encrypted_secret(&secret));
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "sops": {"mac": "x"}});
        assert!(is_encrypted(&secret) && is_encrypted_secret(&secret));
    }
}
