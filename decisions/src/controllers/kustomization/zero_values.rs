//! Mirrors the types of `k8s.io/api` 0.36 (`core/v1`, `apps/v1`) as Go writes them: what a field's type takes for empty is
//! left out (`omitempty`), and what it can't leave out is written.
//!
//! Only fields in which an empty value could be told from none are here: a live object that somebody changed there keeps
//! the change, whatever the file says.

use serde_json::{Value, json};

const METADATA: &[&str] = &["labels", "annotations", "finalizers"];

const POD: &[&str] = &[
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "serviceAccountName",
    "serviceAccount",
    "nodeName",
    "hostname",
    "subdomain",
    "schedulerName",
    "priorityClassName",
    "restartPolicy",
    "dnsPolicy",
    "nodeSelector",
    "tolerations",
    "imagePullSecrets",
    "initContainers",
    "volumes",
    "hostAliases",
    "topologySpreadConstraints",
    "readinessGates",
];

const CONTAINER: &[&str] = &[
    "stdin",
    "stdinOnce",
    "tty",
    "image",
    "workingDir",
    "command",
    "args",
    "ports",
    "env",
    "envFrom",
    "volumeMounts",
    "volumeDevices",
    "imagePullPolicy",
    "terminationMessagePath",
    "terminationMessagePolicy",
];

const PROBE: &[&str] = &[
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
];

const SERVICE: &[&str] = &[
    "publishNotReadyAddresses",
    "sessionAffinity",
    "type",
    "clusterIP",
    "clusterIPs",
    "externalName",
    "externalIPs",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "ipFamilies",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
    "ports",
    "selector",
];

/// Leaves out what the Go type of the object's kind leaves out, and adds what it always writes; `pods` is the place of its
/// pods' spec.
pub fn leave_out(object: &mut Value, version: &str, kind: &str, pods: Option<&str>) {
    drop_empty(object.get_mut("metadata"), METADATA);
    let (own, of_spec): (&[&str], &[&str]) = match (version, kind) {
        ("v1", "ConfigMap") => (&["data", "binaryData"], &[]),
        ("v1", "Secret") => (&["data", "type"], &[]),
        ("v1", "Service") => (&[], SERVICE),
        ("apps/v1", "Deployment") => (&[], &["paused", "minReadySeconds"]),
        ("apps/v1", "DaemonSet" | "ReplicaSet") => (&[], &["minReadySeconds"]),
        ("apps/v1", "StatefulSet") => (&[], &["minReadySeconds", "podManagementPolicy"]),
        _ => (&[], &[]),
    };
    drop_empty(Some(object), own);
    drop_empty(object.get_mut("spec"), of_spec);
    if (version, kind) == ("v1", "Service") {
        for port in items(object.pointer_mut("/spec/ports")) {
            drop_empty(Some(port), &["name", "nodePort"]);
            // A number or a text, and therefore never empty.
            if let Some(port) = port.as_object_mut() {
                let target = port.entry("targetPort").or_insert_with(|| json!(0));
                if target.is_null() {
                    *target = json!(0);
                }
            }
        }
    }
    let Some(pods) = pods else { return };
    if let Some(template) = pods.strip_suffix("/spec").filter(|place| !place.is_empty()) {
        let metadata = object.pointer_mut(&format!("{template}/metadata"));
        drop_empty(metadata, METADATA);
    }
    for place in ["initContainers", "containers"] {
        for container in items(object.pointer_mut(&format!("{pods}/{place}"))) {
            of_container(container);
        }
    }
    drop_empty(object.pointer_mut(pods), POD);
}

fn of_container(container: &mut Value) {
    for (place, names) in [
        ("ports", &["name", "hostPort", "hostIP"][..]),
        ("env", &["value"]),
        ("volumeMounts", &["readOnly", "subPath", "subPathExpr"]),
    ] {
        for item in items(container.get_mut(place)) {
            drop_empty(Some(item), names);
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        drop_empty(container.get_mut(probe), PROBE);
    }
    drop_empty(Some(container), CONTAINER);
}

fn items(list: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    list.and_then(Value::as_array_mut).into_iter().flatten()
}

fn drop_empty(value: Option<&mut Value>, names: &[&str]) {
    let Some(fields) = value.and_then(Value::as_object_mut) else {
        return;
    };
    for name in names {
        if fields.get(*name).is_some_and(is_empty) {
            fields.remove(*name);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is_set) => !is_set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_values_are_left_out() {
        let mut deployment = json!({
            "metadata": {"name": "a", "labels": {}},
            "spec": {"replicas": 0, "paused": false, "minReadySeconds": 0, "template": {
                "metadata": {"annotations": null},
                "spec": {"hostNetwork": false, "containers": [{
                    "name": "a", "args": [], "env": [{"name": "X", "value": ""}],
                    "livenessProbe": {"periodSeconds": 0, "timeoutSeconds": 1},
                }]},
            }},
        });
        leave_out(
            &mut deployment,
            "apps/v1",
            "Deployment",
            Some("/spec/template/spec"),
        );
        assert_eq!(
            deployment,
            json!({
                "metadata": {"name": "a"},
                "spec": {"replicas": 0, "template": {
                    "metadata": {},
                    "spec": {"containers": [{
                        "name": "a", "env": [{"name": "X"}], "livenessProbe": {"timeoutSeconds": 1},
                    }]},
                }},
            })
        );
    }

    #[test]
    fn a_services_target_port_is_always_written() {
        let mut service =
            json!({"spec": {"ports": [{"port": 80}, {"port": 81, "targetPort": "web"}]}});
        leave_out(&mut service, "v1", "Service", None);
        assert_eq!(
            service["spec"]["ports"],
            json!([{"port": 80, "targetPort": 0}, {"port": 81, "targetPort": "web"}])
        );
    }
}
