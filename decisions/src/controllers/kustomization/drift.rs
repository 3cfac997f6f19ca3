//! Mirrors what `manager_diff.go` of fluxcd/pkg/ssa 0.76 compares: a live object with what an apply makes of it, field by
//! field, and tells what each difference comes from.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::IgnoreRule;
use super::managed_fields::{KnownLists, ListKeys, below_path};
use crate::facts::dry_run::{Cause, FieldChange};

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// The object in the cluster.
    pub live: &'a Value,
    /// What the server makes of it.
    pub applied: &'a Value,
    /// What is sent.
    pub desired: &'a Value,
    /// What would have been sent without the update; null: nothing.
    pub before: &'a Value,
    /// Fields that are left alone.
    pub ignored: &'a [IgnoreRule],
}

/// The fields that differ, in the order of the object.
///
/// # Errors
///
/// A rule of what is left alone can't be read.
pub fn changes(comparison: Comparison<'_>) -> Result<Vec<FieldChange>, String> {
    let mut live = comparable(comparison.live);
    let mut applied = comparable(comparison.applied);
    for pointer in ignored_pointers(comparison.ignored, comparison.applied)? {
        remove_pointer(&mut live, pointer);
        remove_pointer(&mut applied, pointer);
    }
    let mut lists = KnownLists::default();
    lists.learn(comparison.live);
    lists.learn(comparison.applied);
    let mut comparing = Comparing {
        lists,
        desired: comparison.desired,
        before: comparison.before,
        found: Vec::new(),
    };
    comparing.compare(&Place::default(), Some(&live), Some(&applied));
    Ok(comparing.found)
}

/// The pointers of the rules that are about an object.
fn ignored_pointers<'a>(rules: &'a [IgnoreRule], object: &Value) -> Result<Vec<&'a str>, String> {
    let mut pointers = Vec::new();
    for rule in rules {
        let is_meant = match &rule.target {
            Some(target) => target.matches(object)?,
            None => true,
        };
        if is_meant {
            pointers.extend(rule.paths.iter().map(String::as_str));
        }
    }
    Ok(pointers)
}

/// Whether an update and what was there before it differ for the controller: in anything but what the server writes.
pub fn differs(old: &Value, new: &Value) -> bool {
    comparable(old) != comparable(new)
}

/// An object without what the server writes into it.
fn comparable(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            for name in [
                "managedFields",
                "resourceVersion",
                "generation",
                "uid",
                "creationTimestamp",
                "selfLink",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
            ] {
                metadata.remove(name);
            }
            // No label and an empty map of labels are the same.
            for name in ["labels", "annotations"] {
                if metadata
                    .get(name)
                    .is_some_and(|texts| texts.is_null() || *texts == Value::Object(Map::new()))
                {
                    metadata.remove(name);
                }
            }
        }
    }
    object
}

fn remove_pointer(object: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    let last = last.replace("~1", "/").replace("~0", "~");
    match object.pointer_mut(parent) {
        Some(Value::Object(fields)) => drop(fields.shift_remove(&last)),
        Some(Value::Array(items)) => {
            if let Ok(index) = last.parse::<usize>()
                && index < items.len()
            {
                items.remove(index);
            }
        }
        _ => {}
    }
}

/// One step down.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    /// The item that has these keys.
    Item(Vec<(String, Value)>),
    /// The item that is this value.
    Member(Value),
    Index(usize),
}

/// A place in an object.
#[derive(Clone, Debug, Default)]
struct Place {
    steps: Vec<Step>,
    /// The names of the fields alone.
    names: String,
}

impl Place {
    fn below(&self, step: Step) -> Self {
        let mut steps = self.steps.clone();
        let names = match &step {
            Step::Field(name) => below_path(&self.names, name),
            _ => self.names.clone(),
        };
        steps.push(step);
        Self { steps, names }
    }

    fn holds_texts(&self) -> bool {
        matches!(
            self.names.as_str(),
            "metadata.labels" | "metadata.annotations"
        )
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            // Writing to a string can't fail.
            let _ = match step {
                Step::Field(name) => write!(text, ".{name}"),
                Step::Item(keys) => {
                    let keys: Vec<String> = keys
                        .iter()
                        .map(|(name, value)| format!("{name}={}", bare(value)))
                        .collect();
                    write!(text, "[{}]", keys.join(","))
                }
                Step::Member(value) => write!(text, "[={}]", bare(value)),
                Step::Index(index) => write!(text, "[{index}]"),
            };
        }
        text
    }

    fn value_in<'v>(&self, object: &'v Value) -> Option<&'v Value> {
        let mut value = object;
        for step in &self.steps {
            value = match (step, value) {
                (Step::Field(name), Value::Object(fields)) => fields.get(name)?,
                (Step::Item(keys), Value::Array(items)) => {
                    items.iter().find(|item| fits(item, keys))?
                }
                (Step::Member(member), Value::Array(items)) => {
                    items.iter().find(|item| *item == member)?
                }
                (Step::Index(index), Value::Array(items)) => items.get(*index)?,
                _ => return None,
            };
        }
        Some(value)
    }
}

fn bare(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether an item has the keys, as far as it names them: defaults need not stand in what is sent.
fn fits(item: &Value, keys: &[(String, Value)]) -> bool {
    let named = |(name, value): &(String, Value)| match item.get(name) {
        Some(found) => found == value,
        None => false,
    };
    let absent = |(name, _): &(String, Value)| item.get(name).is_none();
    keys.iter().any(named) && keys.iter().all(|key| named(key) || absent(key))
}

struct Comparing<'a> {
    lists: KnownLists,
    desired: &'a Value,
    before: &'a Value,
    found: Vec<FieldChange>,
}

impl Comparing<'_> {
    fn compare(&mut self, place: &Place, live: Option<&Value>, applied: Option<&Value>) {
        match (live, applied) {
            (Some(live), Some(applied)) if live == applied => {}
            (Some(Value::Object(live)), Some(Value::Object(applied))) => {
                let added = applied.keys().filter(|name| !live.contains_key(*name));
                for name in live.keys().chain(added) {
                    let place = place.below(Step::Field(name.clone()));
                    self.compare(&place, live.get(name), applied.get(name));
                }
            }
            (Some(Value::Array(live)), Some(Value::Array(applied))) => {
                self.compare_lists(place, live, applied);
            }
            // The first label is a label like others.
            (None, Some(Value::Object(_))) if place.holds_texts() => {
                self.compare(place, Some(&Value::Object(Map::new())), applied);
            }
            (Some(Value::Object(_)), None) if place.holds_texts() => {
                self.compare(place, live, Some(&Value::Object(Map::new())));
            }
            (live, applied) => self.note(place, live, applied),
        }
    }

    fn compare_lists(&mut self, place: &Place, live: &[Value], applied: &[Value]) {
        let keys = match self.lists.keys(&place.names) {
            Some(keys) => Some(keys.clone()),
            None => guessed_keys(live, applied),
        };
        match keys {
            Some(ListKeys::Fields(names)) => self.compare_items(place, live, applied, &names),
            Some(ListKeys::Values) => {
                for member in live.iter().filter(|member| !applied.contains(member)) {
                    self.note(
                        &place.below(Step::Member(member.clone())),
                        Some(member),
                        None,
                    );
                }
                for member in applied.iter().filter(|member| !live.contains(member)) {
                    self.note(
                        &place.below(Step::Member(member.clone())),
                        None,
                        Some(member),
                    );
                }
            }
            None if live.len() == applied.len()
                && live.iter().chain(applied).all(Value::is_object) =>
            {
                for (index, (live, applied)) in live.iter().zip(applied).enumerate() {
                    self.compare(&place.below(Step::Index(index)), Some(live), Some(applied));
                }
            }
            None => self.note(
                place,
                Some(&Value::Array(live.to_vec())),
                Some(&Value::Array(applied.to_vec())),
            ),
        }
    }

    fn compare_items(
        &mut self,
        place: &Place,
        live: &[Value],
        applied: &[Value],
        names: &[String],
    ) {
        let keys = |item: &Value| -> Vec<(String, Value)> {
            let named = names.iter();
            named
                .filter_map(|name| Some((name.clone(), item.get(name)?.clone())))
                .collect()
        };
        let of = |items: &[Value], wanted: &[(String, Value)]| {
            items.iter().find(|item| keys(item) == wanted).cloned()
        };
        for item in live {
            let keys = keys(item);
            let other = of(applied, &keys);
            self.compare(&place.below(Step::Item(keys)), Some(item), other.as_ref());
        }
        for item in applied {
            let keys = keys(item);
            if of(live, &keys).is_none() {
                self.compare(&place.below(Step::Item(keys)), None, Some(item));
            }
        }
    }

    fn note(&mut self, place: &Place, live: Option<&Value>, applied: Option<&Value>) {
        let wanted = place.value_in(self.desired);
        let before = place.value_in(self.before);
        let cause = if wanted != before {
            Cause::Update
        } else if wanted.is_some() || applied.is_none() {
            Cause::Drift
        } else {
            Cause::Default
        };
        self.found.push(FieldChange {
            field: place.text(),
            live: live.cloned().unwrap_or(Value::Null),
            applied: applied.cloned().unwrap_or(Value::Null),
            cause,
        });
    }
}

/// How items are told apart that no manager owns: by a name that each of them has once.
fn guessed_keys(live: &[Value], applied: &[Value]) -> Option<ListKeys> {
    let unique = |items: &[Value], name: &str| {
        let mut seen: Vec<&Value> = Vec::new();
        items.iter().all(|item| match item.get(name) {
            Some(value) if !seen.contains(&value) => {
                seen.push(value);
                true
            }
            _ => false,
        })
    };
    let names = ["name", "containerPort", "port", "mountPath", "key", "uid"];
    let name = names
        .iter()
        .find(|name| unique(live, name) && unique(applied, name))?;
    Some(ListKeys::Fields(vec![(*name).to_owned()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(
        live: &Value,
        applied: &Value,
        desired: &Value,
        before: &Value,
    ) -> Vec<(String, &'static str)> {
        let comparison = Comparison {
            live,
            applied,
            desired,
            before,
            ignored: &[],
        };
        let changes = changes(comparison).unwrap().into_iter();
        changes
            .map(|change| (change.field, change.cause.word()))
            .collect()
    }

    #[test]
    fn each_difference_has_its_cause() {
        let live = json!({"metadata": {"name": "x", "resourceVersion": "1", "annotations": {"old": "1"}}, "spec": {"replicas": 3, "containers": [{"name": "main", "image": "a:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}, "status": {"x": 1}});
        let applied = json!({"metadata": {"name": "x", "resourceVersion": "2", "labels": {"seen": "yes"}}, "spec": {"replicas": 1, "containers": [{"name": "main", "image": "a:2", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}, "status": {"x": 2}});
        let before =
            json!({"spec": {"replicas": 1, "containers": [{"name": "main", "image": "a:1"}]}});
        let mut desired = before.clone();
        desired["spec"]["containers"][0]["image"] = json!("a:2");
        assert_eq!(
            found(&live, &applied, &desired, &before),
            [
                (".metadata.annotations.old".to_owned(), "drift"),
                (".metadata.labels.seen".to_owned(), "default"),
                (".spec.replicas".to_owned(), "drift"),
                (".spec.containers[name=main].image".to_owned(), "update"),
            ]
        );
        assert!(found(&live, &live, &desired, &before).is_empty());
    }

    #[test]
    fn lists_are_compared_by_their_keys() {
        let managed = json!([{"manager": "a", "operation": "Apply", "fieldsV1": {"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {}}, "f:set": {"v:\"a\"": {}}}}}]);
        let live = json!({"metadata": {"managedFields": managed}, "spec": {"ports": [{"port": 80, "protocol": "TCP", "x": 1}, {"port": 80, "protocol": "UDP"}], "set": ["a", "b"], "command": ["a"]}});
        let applied = json!({"metadata": {}, "spec": {"ports": [{"port": 80, "protocol": "UDP"}, {"port": 80, "protocol": "TCP", "x": 2}], "set": ["b", "c"], "command": ["a", "b"]}});
        let fields: Vec<String> = found(&live, &applied, &json!({}), &json!({}))
            .into_iter()
            .map(|(field, _)| field)
            .collect();
        assert_eq!(
            fields,
            [
                ".spec.ports[port=80,protocol=TCP].x",
                ".spec.set[=a]",
                ".spec.set[=c]",
                ".spec.command"
            ]
        );
    }

    #[test]
    fn ignored_fields_do_not_count() {
        let rules: Vec<IgnoreRule> = serde_json::from_value(
            json!([{"paths": ["/spec/replicas"], "target": {"kind": "Deployment"}}]),
        )
        .unwrap();
        let live = json!({"kind": "Deployment", "spec": {"replicas": 3}});
        let applied = json!({"kind": "Deployment", "spec": {"replicas": 1}});
        let comparison = Comparison {
            live: &live,
            applied: &applied,
            desired: &applied,
            before: &applied,
            ignored: &rules,
        };
        assert_eq!(changes(comparison), Ok(Vec::new()));
    }
}
