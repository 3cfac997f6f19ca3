//! Mirrors `patch.go` of fluxcd/pkg/ssa 0.76 and the pruning of structured-merge-diff: what an apply takes away once the
//! controller has made the fields of kubectl and its kin its own.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::apply::{MANAGER, STALE_ANNOTATIONS, STALE_LABELS, texts_at};

/// Fields, as `managedFields` writes them: a tree whose keys are `f:name`, `k:{…}`, `v:…`, `i:…` and `.`.
type FieldSet = Map<String, Value>;

/// One entry of `metadata.managedFields`.
struct Entry<'a> {
    manager: &'a str,
    operation: &'a str,
    subresource: &'a str,
    fields: FieldSet,
}

fn entries(object: &Value) -> Vec<Entry<'_>> {
    let managed = object["metadata"]["managedFields"].as_array();
    let mut found = Vec::new();
    for entry in managed.into_iter().flatten() {
        found.push(Entry {
            manager: text(entry, "manager"),
            operation: text(entry, "operation"),
            subresource: text(entry, "subresource"),
            fields: entry["fieldsV1"].as_object().cloned().unwrap_or_default(),
        });
    }
    found
}

fn text<'a>(entry: &'a Value, name: &str) -> &'a str {
    entry[name].as_str().unwrap_or_default()
}

/// Whether a manager has ever applied the object.
pub fn is_applied_by(object: &Value, manager: &str) -> bool {
    let mut entries = entries(object).into_iter();
    entries.any(|entry| entry.manager == manager && entry.operation == "Apply")
}

/// Whether the controller takes an entry's fields over; `disallowed` are the managers of its flag `--override-manager`.
fn is_taken_over(entry: &Entry<'_>, disallowed: &[String]) -> bool {
    let starts = |name: &str| entry.manager.starts_with(name);
    if !entry.subresource.is_empty() {
        return false;
    }
    match entry.operation {
        "Apply" => starts("kubectl") || disallowed.iter().any(|name| starts(name)),
        "Update" => {
            starts("kubectl")
                || starts("before-first-apply")
                || starts(MANAGER)
                || disallowed.iter().any(|name| starts(name))
        }
        _ => false,
    }
}

/// What the real apply takes from an object besides what a dry-run takes: gives the object without it, or `None` where that
/// is nothing. `applied` is the dry-run's answer, `desired` what was sent.
pub fn taken_over(
    live: &Value,
    applied: &Value,
    desired: &Value,
    disallowed: &[String],
) -> Option<Value> {
    let live_entries = entries(live);
    let mut previous = FieldSet::new();
    let mut others = FieldSet::new();
    for entry in &live_entries {
        if is_taken_over(entry, disallowed) {
            unite(&mut previous, &entry.fields);
        }
    }
    let is_any = !previous.is_empty();
    for entry in entries(applied) {
        let is_own = entry.manager == MANAGER && entry.operation == "Apply";
        if is_own || !is_taken_over(&entry, disallowed) {
            unite(&mut others, &entry.fields);
        }
    }
    if is_any {
        for entry in &live_entries {
            if entry.manager == MANAGER && entry.operation == "Apply" {
                unite(&mut previous, &entry.fields);
            }
        }
    }
    let mut object = applied.clone();
    let mut changed = prune(&mut object, &previous, Some(&others));
    for (place, stale) in [
        ("annotations", &STALE_ANNOTATIONS[..]),
        ("labels", &STALE_LABELS[..]),
    ] {
        let wanted: BTreeSet<String> = texts_at(desired, place).into_keys().collect();
        for key in stale.iter().filter(|key| !wanted.contains(**key)) {
            let texts = object
                .pointer_mut(&format!("/metadata/{place}"))
                .and_then(Value::as_object_mut);
            changed |= texts.is_some_and(|texts| texts.remove(*key).is_some());
        }
    }
    changed.then_some(object)
}

fn unite(into: &mut FieldSet, fields: &FieldSet) {
    for (key, below) in fields {
        let Some(there) = into.get_mut(key) else {
            into.insert(key.clone(), below.clone());
            continue;
        };
        if let (Value::Object(there), Value::Object(below)) = (there, below) {
            // A leaf stays a member once it gets fields below it.
            if below.is_empty() != there.is_empty() {
                there.insert(".".into(), Value::Object(FieldSet::new()));
            }
            unite(there, below);
        }
    }
}

/// Takes away the members of `owned` that `kept` doesn't hold; gives whether anything was.
fn prune(value: &mut Value, owned: &FieldSet, kept: Option<&FieldSet>) -> bool {
    let mut changed = false;
    for (key, below) in owned {
        let Some(below) = below.as_object().filter(|_| key != ".") else {
            continue;
        };
        let kept_below = kept
            .and_then(|kept| kept.get(key))
            .and_then(Value::as_object);
        let is_member = below.is_empty() || below.contains_key(".");
        if kept_below.is_none() && is_member {
            changed |= remove(value, key);
        } else if let Some(value) = child(value, key) {
            changed |= prune(value, below, kept_below);
        }
    }
    changed
}

fn child<'v>(value: &'v mut Value, key: &str) -> Option<&'v mut Value> {
    let (kind, name) = key.split_once(':')?;
    match (kind, value) {
        ("f", Value::Object(fields)) => fields.get_mut(name),
        ("k", Value::Array(items)) => {
            let at = position(items, name)?;
            items.get_mut(at)
        }
        ("i", Value::Array(items)) => items.get_mut(name.parse::<usize>().ok()?),
        _ => None,
    }
}

fn remove(value: &mut Value, key: &str) -> bool {
    let Some((kind, name)) = key.split_once(':') else {
        return false;
    };
    match (kind, value) {
        ("f", Value::Object(fields)) => fields.shift_remove(name).is_some(),
        ("k", Value::Array(items)) => match position(items, name) {
            Some(at) => {
                items.remove(at);
                true
            }
            None => false,
        },
        ("v", Value::Array(items)) => {
            let before = items.len();
            let member: Option<Value> = serde_json::from_str(name).ok();
            items.retain(|item| Some(item) != member.as_ref());
            items.len() < before
        }
        _ => false,
    }
}

/// The item of a list that has these keys, given as JSON.
fn position(items: &[Value], keys: &str) -> Option<usize> {
    let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
    items.iter().position(|item| {
        keys.iter()
            .all(|(name, value)| item.get(name) == Some(value))
    })
}

/// How the items of a list are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListKeys {
    /// By these fields.
    Fields(Vec<String>),
    /// By their value: the order doesn't count.
    Values,
}

/// Which fields tell the items of lists apart, by the path of field names: `spec.template.spec.containers`.
#[derive(Clone, Debug, Default)]
pub struct KnownLists(std::collections::BTreeMap<String, ListKeys>);

impl KnownLists {
    /// Learns from the managed fields of an object.
    pub fn learn(&mut self, object: &Value) {
        for entry in entries(object) {
            self.learn_from(&entry.fields, "");
        }
    }

    fn learn_from(&mut self, fields: &FieldSet, path: &str) {
        for (key, below) in fields {
            let Some((kind, name)) = key.split_once(':') else {
                continue;
            };
            let below = below.as_object();
            match kind {
                "f" => {
                    let path = below_path(path, name);
                    if let Some(below) = below {
                        self.learn_from(below, &path);
                    }
                }
                "k" => {
                    if let Ok(keys) = serde_json::from_str::<Map<String, Value>>(name) {
                        let names = keys.into_iter().map(|(name, _)| name).collect();
                        self.0.insert(path.to_owned(), ListKeys::Fields(names));
                    }
                    if let Some(below) = below {
                        self.learn_from(below, path);
                    }
                }
                "v" => drop(self.0.insert(path.to_owned(), ListKeys::Values)),
                _ => {}
            }
        }
    }

    /// How the items at a path are told apart, where that is known.
    pub fn keys(&self, path: &str) -> Option<&ListKeys> {
        self.0.get(path)
    }
}

/// The path of a field below another.
pub fn below_path(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    #[test]
    fn what_kubectl_alone_set_goes() {
        let ours = json!({"f:data": {"f:a": {}}});
        let live = json!({"data": {"a": "1", "b": "2", "c": "3", "d": "4"}, "metadata": {
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "x": "y"},
        "managedFields": [
            entry(MANAGER, "Apply", ours.clone()),
            entry("kubectl-edit", "Update", json!({"f:data": {"f:b": {}, "f:c": {}}})),
            entry("other", "Update", json!({"f:data": {"f:c": {}, "f:d": {}}})),
        ]}});
        let mut applied = live.clone();
        applied["data"]["a"] = json!("9");
        let found = taken_over(&live, &applied, &json!({}), &[]).unwrap();
        assert_eq!(found["data"], json!({"a": "9", "c": "3", "d": "4"}));
        assert_eq!(found["metadata"]["annotations"], json!({"x": "y"}));
        let found = taken_over(&live, &applied, &json!({}), &["other".to_owned()]).unwrap();
        assert_eq!(found["data"], json!({"a": "9"}));
    }

    #[test]
    fn items_go_whole_and_parents_only_where_they_are_owned() {
        let live = json!({"spec": {"list": [{"name": "a", "image": "1"}, {"name": "b", "image": "2", "default": true}], "map": {"x": 1, "y": 2}, "set": ["p", "q"]},
        "metadata": {"managedFields": [
            entry(MANAGER, "Apply", json!({"f:spec": {"f:list": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}, "f:image": {}}}}})),
            entry("kubectl-client-side-apply", "Update", json!({"f:spec": {
                "f:list": {".": {}, "k:{\"name\":\"b\"}": {".": {}, "f:name": {}, "f:image": {}}},
                "f:map": {"f:x": {}}, "f:set": {"v:\"p\"": {}}}})),
        ]}});
        let found = taken_over(&live, &live.clone(), &json!({}), &[]).unwrap();
        assert_eq!(
            found["spec"],
            json!({"list": [{"name": "a", "image": "1"}], "map": {"y": 2}, "set": ["q"]})
        );
    }

    #[test]
    fn nothing_to_take_is_nothing() {
        let live = json!({"data": {"a": "1"}, "metadata": {"managedFields": [entry("other", "Update", json!({"f:data": {"f:a": {}}}))]}});
        assert_eq!(taken_over(&live, &live.clone(), &json!({}), &[]), None);
    }

    #[test]
    fn lists_tell_their_keys() {
        let mut lists = KnownLists::default();
        lists.learn(&json!({"metadata": {"managedFields": [entry("a", "Apply", json!({"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {"f:x": {"v:1": {}}}}}}))]}}));
        assert_eq!(
            lists.keys("spec.ports"),
            Some(&ListKeys::Fields(vec!["port".into(), "protocol".into()]))
        );
        assert_eq!(lists.keys("spec.ports.x"), Some(&ListKeys::Values));
        assert!(is_applied_by(
            &json!({"metadata": {"managedFields": [entry("a", "Apply", json!({}))]}}),
            "a"
        ));
    }
}
