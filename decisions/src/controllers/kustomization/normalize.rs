//! Mirrors `normalize/normalize.go` of fluxcd/pkg/ssa 0.76: what is left of an object of a kind that Kubernetes itself
//! defines once it has been through the kind's Go type.

use serde_json::{Value, json};

use super::zero_values;

/// Gives an object the form in which the controller sends it.
pub fn normalize(object: &mut Value) {
    let (version, kind) = (text(object, "apiVersion"), text(object, "kind"));
    if version == "rbac.authorization.k8s.io/v1" && matches!(kind.as_str(), "Role" | "ClusterRole")
    {
        return;
    }
    let pods = match (version.as_str(), kind.as_str()) {
        ("v1", "Pod") => Some("/spec"),
        ("apps/v1", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch/v1", "Job") => Some("/spec/template/spec"),
        ("batch/v1", "CronJob") => Some("/spec/jobTemplate/spec/template/spec"),
        ("v1", "Service") => {
            fill_protocols(object.pointer_mut("/spec/ports"));
            None
        }
        ("v1", "Secret") => {
            encode_texts(object);
            None
        }
        _ => None,
    };
    if let Some(containers) = pods
        .map(|pods| format!("{pods}/containers"))
        .and_then(|pointer| object.pointer_mut(&pointer))
        .and_then(Value::as_array_mut)
    {
        for container in containers {
            fill_protocols(container.get_mut("ports"));
        }
    }
    zero_values::leave_out(object, &version, &kind, pods);
    let is_definition =
        kind == "CustomResourceDefinition" && version.starts_with("apiextensions.k8s.io/");
    if let Some(fields) = object.as_object_mut() {
        if !is_definition {
            fields.remove("status");
        }
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("creationTimestamp");
        }
    }
}

fn text(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap_or_default().to_owned()
}

fn fill_protocols(ports: Option<&mut Value>) {
    let ports = ports.and_then(Value::as_array_mut).into_iter().flatten();
    for port in ports.filter_map(Value::as_object_mut) {
        let protocol = port.entry("protocol").or_insert_with(|| json!("TCP"));
        if protocol.as_str().is_none_or(str::is_empty) {
            *protocol = json!("TCP");
        }
    }
}

/// A Secret's `stringData` as `data`.
fn encode_texts(secret: &mut Value) {
    use base64::Engine as _;
    let Some(fields) = secret.as_object_mut() else {
        return;
    };
    let texts = match fields.get("stringData") {
        Some(Value::Object(texts)) if texts.values().all(Value::is_string) => texts.clone(),
        Some(Value::Null) => {
            fields.remove("stringData");
            return;
        }
        _ => return,
    };
    let data = fields.entry("data").or_insert_with(|| json!({}));
    if data.is_null() {
        *data = json!({});
    }
    let Some(data) = data.as_object_mut() else {
        return;
    };
    for (key, text) in texts {
        let text = text.as_str().unwrap_or_default();
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        data.insert(key, encoded.into());
    }
    fields.remove("stringData");
}

/// Whether a kind is one that Kubernetes itself defines and the controller therefore sends through its Go type: fields that
/// the type doesn't have are lost on the way.
pub fn is_typed(object: &Value) -> bool {
    const GROUPS: &[&str] = &[
        "",
        "admissionregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    ];
    let version = text(object, "apiVersion");
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let is_role = group == "rbac.authorization.k8s.io"
        && matches!(object["kind"].as_str(), Some("Role" | "ClusterRole"));
    GROUPS.contains(&group) && !is_role
}

/// Takes fields away, given as the API server names them: `.spec.template.spec.containers[name="app"].imagee`.
///
/// Gives whether all of them were found.
pub fn without_fields(object: &mut Value, fields: &[String]) -> bool {
    fields.iter().all(|field| remove(object, field))
}

fn remove(value: &mut Value, path: &str) -> bool {
    if let Some(rest) = path.strip_prefix('[') {
        let Some((item, rest)) = split_item(rest) else {
            return false;
        };
        let Some(items) = value.as_array_mut() else {
            return false;
        };
        let found = match item.parse::<usize>() {
            Ok(index) => (index < items.len()).then_some(index),
            Err(_) => items.iter().position(|candidate| has_keys(candidate, item)),
        };
        return match found {
            Some(index) if rest.is_empty() => {
                items.remove(index);
                true
            }
            Some(index) => remove(&mut items[index], rest),
            None => false,
        };
    }
    let Some(path) = path.strip_prefix('.') else {
        return false;
    };
    let Some(fields) = value.as_object_mut() else {
        return false;
    };
    // Names may hold dots themselves: the longest that is there counts.
    let ends = path
        .char_indices()
        .filter(|(_, character)| matches!(character, '.' | '['))
        .map(|(at, _)| at)
        .chain([path.len()]);
    let mut ends: Vec<usize> = ends.collect();
    ends.reverse();
    for end in ends {
        let (name, rest) = path.split_at(end);
        if !fields.contains_key(name) {
            continue;
        }
        return if rest.is_empty() {
            fields.remove(name).is_some()
        } else {
            fields
                .get_mut(name)
                .is_some_and(|value| remove(value, rest))
        };
    }
    false
}

/// The text up to the closing bracket, and what is behind it.
fn split_item(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

/// Whether an item has the keys `name="app",port=80`.
fn has_keys(item: &Value, keys: &str) -> bool {
    keys.split(',').all(|key| {
        let Some((name, value)) = key.split_once('=') else {
            return false;
        };
        serde_json::from_str::<Value>(value).is_ok_and(|value| item.get(name) == Some(&value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_encoded_and_protocols_filled_in() {
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "eA=="}, "stringData": {"b": "y"}});
        normalize(&mut secret);
        assert_eq!(secret["data"], json!({"a": "eA==", "b": "eQ=="}));
        assert!(secret.get("stringData").is_none());
        let mut deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "status": {}, "spec": {"template": {"spec": {"containers": [{"ports": [{"containerPort": 1}, {"containerPort": 1, "protocol": "UDP"}]}]}}}});
        normalize(&mut deployment);
        assert_eq!(
            deployment["spec"]["template"]["spec"]["containers"][0]["ports"],
            json!([{"containerPort": 1, "protocol": "TCP"}, {"containerPort": 1, "protocol": "UDP"}])
        );
        assert!(deployment.get("status").is_none());
    }

    #[test]
    fn fields_are_taken_away_by_the_servers_names() {
        let mut object = json!({"spec": {"a": 1, "items": [{"name": "x", "b": 2}, {"name": "y,z", "b": 3}]}, "metadata": {"annotations": {"a.b/c": "d"}}});
        assert!(without_fields(
            &mut object,
            &[
                ".spec.a".into(),
                ".spec.items[name=\"x\"].b".into(),
                ".metadata.annotations.a.b/c".into(),
                ".spec.items[1].b".into(),
            ]
        ));
        assert_eq!(
            object,
            json!({"spec": {"items": [{"name": "x"}, {"name": "y,z"}]}, "metadata": {"annotations": {}}})
        );
        assert!(!without_fields(&mut object, &[".spec.none".into()]));
    }

    #[test]
    fn only_kinds_of_kubernetes_itself_are_typed() {
        assert!(is_typed(
            &json!({"apiVersion": "apps/v1", "kind": "Deployment"})
        ));
        assert!(is_typed(&json!({"apiVersion": "v1", "kind": "Service"})));
        assert!(!is_typed(
            &json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"})
        ));
        assert!(!is_typed(
            &json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"})
        ));
        assert!(!is_typed(
            &json!({"apiVersion": "example.com/v1", "kind": "Deployment"})
        ));
    }
}
