//! `get`: objects as tables, as names, and as the lists that kubectl gives.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::controllers::conditions::{Readiness, readiness};
use crate::controllers::flux::{
    Condition, ImagePolicy, ImageRef, ImageRepository, ImageUpdateAutomation,
};
use crate::controllers::schedule::{self, NextScan, moment};
use crate::facts::cluster::Kind;
use crate::pipeline::stages::{Survey, Surveyed};

use super::table::Table;
use crate::go::age;

/// How tables are shown.
#[derive(Clone, Copy, Debug)]
pub struct TableSettings {
    /// A CONTEXT column.
    pub contexts: bool,
    /// A NAMESPACE column.
    pub namespaces: bool,
    /// The columns of `-o wide`.
    pub wide: bool,
    /// The line of headers.
    pub headers: bool,
    /// A LABELS column.
    pub labels: bool,
    /// The moment from which ages are counted.
    pub now: Timestamp,
}

/// One table for each kind, with a blank line between; names carry their kind where there are several.
pub fn tables(surveys: &[Survey], settings: TableSettings) -> Vec<u8> {
    let objects = surveys.iter().flat_map(|survey| &survey.objects);
    let mut kinds: Vec<Kind> = objects.map(|surveyed| surveyed.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let tables = kinds.iter().map(|kind| {
        let table = table(surveys, *kind, kinds.len() > 1, settings);
        table.render(settings.headers)
    });
    tables.collect::<Vec<_>>().join("\n").into_bytes()
}

fn table(surveys: &[Survey], kind: Kind, prefixed: bool, settings: TableSettings) -> Table {
    let mut table = Table::new(headers(kind, settings));
    for survey in surveys {
        for surveyed in survey.objects.iter().filter(|one| one.kind == kind) {
            table.row(row(survey, surveyed, prefixed, settings));
        }
    }
    table
}

/// A table that goes on: its headers come once, and its columns never get narrower.
#[derive(Clone, Debug, Default)]
pub struct WatchedTable {
    widths: Vec<usize>,
    begun: bool,
}

impl WatchedTable {
    /// The next rows, of one kind; nothing where there are none.
    pub fn rows(&mut self, survey: &Survey, settings: TableSettings) -> Vec<u8> {
        let Some(first) = survey.objects.first() else {
            return Vec::new();
        };
        let with_headers = settings.headers && !self.begun;
        self.begun = true;
        let table = table(std::slice::from_ref(survey), first.kind, false, settings);
        table
            .render_below(with_headers, &mut self.widths)
            .into_bytes()
    }
}

/// Each object as a document of its own, one after the other: JSON, or YAML behind `---`.
pub fn documents(survey: &Survey, as_yaml: bool) -> Vec<u8> {
    let each = survey.objects.iter().map(|surveyed| Survey {
        objects: vec![surveyed.clone()],
        ..Survey::default()
    });
    let each = each.flat_map(|one| {
        let one = std::slice::from_ref(&one);
        if as_yaml {
            [b"---\n".to_vec(), yaml(one, true, false)].concat()
        } else {
            json(one, true, false)
        }
    });
    each.collect()
}

fn headers(kind: Kind, settings: TableSettings) -> Vec<&'static str> {
    let mut headers = Vec::new();
    if settings.contexts {
        headers.push("CONTEXT");
    }
    if settings.namespaces {
        headers.push("NAMESPACE");
    }
    headers.push("NAME");
    let (own, wide): (&[&str], &[&str]) = match kind {
        Kind::ImageRepository => (
            &["IMAGE", "TAGS", "LAST-SCAN", "NEXT-SCAN"],
            &["INTERVAL", "REVISION"],
        ),
        Kind::ImagePolicy => (
            &["IMAGE", "TAG", "DIGEST", "AGE"],
            &["REPOSITORY", "POLICY", "PREVIOUS"],
        ),
        _ => (
            &["LAST-RUN", "LAST-PUSH"],
            &["NEXT-RUN", "SOURCE", "PATH", "COMMIT"],
        ),
    };
    headers.extend(own);
    if settings.wide {
        headers.extend(wide);
    }
    headers.extend(["SUSPENDED", "READY", "MESSAGE"]);
    if settings.labels {
        headers.push("LABELS");
    }
    headers
}

fn row(
    survey: &Survey,
    surveyed: &Surveyed,
    prefixed: bool,
    settings: TableSettings,
) -> Vec<String> {
    let mut cells = Vec::new();
    if settings.contexts {
        cells.push(or_none(survey.context.as_deref()));
    }
    if settings.namespaces {
        cells.push(surveyed.key.namespace.clone());
    }
    cells.push(if prefixed {
        format!(
            "{}/{}",
            surveyed.kind.name().to_lowercase(),
            surveyed.key.name
        )
    } else {
        surveyed.key.name.clone()
    });
    let typed = &survey.typed;
    let (own, state) = match surveyed.kind {
        Kind::ImageRepository => {
            let object = typed.repositories.get(&surveyed.key);
            object.map(|object| repository(object, settings))
        }
        Kind::ImagePolicy => {
            let object = typed.policies.get(&surveyed.key);
            object.map(|object| policy(object, surveyed, settings))
        }
        _ => {
            let object = typed.automations.get(&surveyed.key);
            object.map(|object| automation(object, settings))
        }
    }
    .unwrap_or_else(|| unreadable(surveyed.kind, settings));
    cells.extend(own);
    cells.extend(state);
    if settings.labels {
        cells.push(labels(&surveyed.object));
    }
    cells
}

/// The columns of a kind, and the three that all have at the end.
type Cells = (Vec<String>, [String; 3]);

fn unreadable(kind: Kind, settings: TableSettings) -> Cells {
    let all = headers(kind, settings).len();
    let around = 4
        + usize::from(settings.contexts)
        + usize::from(settings.namespaces)
        + usize::from(settings.labels);
    (
        vec![NONE.into(); all - around],
        [
            NONE.into(),
            "Unknown".into(),
            "the object has an unknown shape".into(),
        ],
    )
}

pub(super) const NONE: &str = "-";

fn state(suspended: bool, conditions: &[Condition]) -> [String; 3] {
    let Readiness { ready, message, .. } = readiness(conditions);
    [
        if suspended { "True" } else { "False" }.into(),
        ready.to_owned(),
        message.to_owned(),
    ]
}

fn repository(object: &ImageRepository, settings: TableSettings) -> Cells {
    let scan = object.status.last_scan_result.as_ref();
    let time = scan.and_then(|scan| scan.scan_time.as_deref());
    let mut cells = vec![
        object.spec.image.clone(),
        scan.map_or(NONE.into(), |scan| scan.tag_count.to_string()),
        ago(time, settings.now),
        next_scan(object, settings.now),
    ];
    if settings.wide {
        cells.push(or_none(object.spec.interval.as_deref()));
        cells.push(or_none(scan.and_then(|scan| scan.revision.as_deref())));
    }
    (cells, state(object.spec.suspend, &object.status.conditions))
}

fn next_scan(object: &ImageRepository, now: Timestamp) -> String {
    if object.spec.suspend {
        return NONE.into();
    }
    match schedule::next_scan(object, now) {
        NextScan::At(next) => age::until(next, now),
        NextScan::Due {
            since: Some(since), ..
        } => format!("due for {}", age::since(since, now)),
        NextScan::Due { .. } => "due".into(),
        NextScan::Unknown => "unknown".into(),
    }
}

fn policy(object: &ImagePolicy, surveyed: &Surveyed, settings: TableSettings) -> Cells {
    let latest = object.status.latest().unwrap_or_default();
    let ImageRef { name, tag, digest } = &latest;
    let created = surveyed
        .object
        .pointer("/metadata/creationTimestamp")
        .and_then(Value::as_str);
    let mut cells = vec![
        or_none(Some(name)),
        or_none(Some(tag)),
        or_none(Some(shown_digest(digest, settings.wide))),
        ago(created, settings.now),
    ];
    if settings.wide {
        let reference = &object.spec.image_repository_ref;
        let repository = reference.key_from(&object.key.namespace);
        cells.push(if repository.namespace == object.key.namespace {
            repository.name
        } else {
            repository.to_string()
        });
        cells.push(choice(object));
        let previous = object.status.observed_previous_ref.as_ref();
        cells.push(or_none(previous.map(|image| image.tag.as_str())));
    }
    (cells, state(object.spec.suspend, &object.status.conditions))
}

/// The beginning of a digest tells it from others; the whole of it is for `-o wide`.
pub(super) fn shown_digest(digest: &str, wide: bool) -> &str {
    let is_hex = |text: &str| text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match digest.split_once(':') {
        Some((algorithm, hex)) if !wide && is_hex(hex) => &digest[..algorithm.len() + 1 + 12],
        _ => digest,
    }
}

fn choice(object: &ImagePolicy) -> String {
    let choice = &object.spec.policy;
    let ordered = |order: &str| {
        if order.is_empty() {
            "asc".to_owned()
        } else {
            order.to_lowercase()
        }
    };
    if let Some(semver) = &choice.semver {
        return format!("semver {}", semver.range);
    }
    if let Some(alphabetical) = &choice.alphabetical {
        return format!("alphabetical {}", ordered(&alphabetical.order));
    }
    match &choice.numerical {
        Some(numerical) => format!("numerical {}", ordered(&numerical.order)),
        None => NONE.into(),
    }
}

fn automation(object: &ImageUpdateAutomation, settings: TableSettings) -> Cells {
    let status = &object.status;
    let mut cells = vec![
        ago(status.last_automation_run_time.as_deref(), settings.now),
        ago(status.last_push_time.as_deref(), settings.now),
    ];
    if settings.wide {
        let next = schedule::next_run(object).filter(|_| !object.spec.suspend);
        cells.push(next.map_or(NONE.into(), |next| age::until(next, settings.now)));
        let source = object.spec.source_ref.key_from(&object.key.namespace);
        cells.push(source.to_string());
        cells.push(or_none(Some(&object.spec.update.path)));
        cells.push(or_none(status.last_push_commit.get(..7)));
    }
    (cells, state(object.spec.suspend, &status.conditions))
}

pub(super) fn or_none(text: Option<&str>) -> String {
    match text {
        None | Some("") => NONE.into(),
        Some(text) => text.to_owned(),
    }
}

fn ago(time: Option<&str>, now: Timestamp) -> String {
    time.and_then(moment)
        .map_or(NONE.into(), |moment| age::since(moment, now))
}

fn labels(object: &Value) -> String {
    let labels = object
        .pointer("/metadata/labels")
        .and_then(Value::as_object);
    let pairs = labels.into_iter().flatten();
    let mut pairs: Vec<String> = pairs
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.sort();
    if pairs.is_empty() {
        "<none>".into()
    } else {
        pairs.join(",")
    }
}

/// `imagepolicy.image.toolkit.fluxcd.io/NAME`, one a line.
pub fn names(surveys: &[Survey]) -> Vec<u8> {
    let line = |surveyed: &Surveyed| {
        format!(
            "{}.{}/{}\n",
            surveyed.kind.name().to_lowercase(),
            surveyed.kind.group(),
            surveyed.key.name
        )
    };
    surveys
        .iter()
        .flat_map(|survey| &survey.objects)
        .map(line)
        .collect::<String>()
        .into_bytes()
}

/// The objects as JSON: one that was named as itself, all else as a List.
pub fn json(surveys: &[Survey], single: bool, contexts: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // A JSON value always has a JSON form.
    drop(serde::Serialize::serialize(
        &document(surveys, single, contexts),
        &mut serializer,
    ));
    bytes.push(b'\n');
    bytes
}

/// The same as YAML.
pub fn yaml(surveys: &[Survey], single: bool, contexts: bool) -> Vec<u8> {
    let text = serde_saphyr::to_string(&document(surveys, single, contexts)).unwrap_or_default();
    text.into_bytes()
}

fn document(surveys: &[Survey], single: bool, contexts: bool) -> Value {
    let objects = surveys
        .iter()
        .flat_map(|survey| survey.objects.iter().map(move |one| (survey, one)));
    let mut items: Vec<Value> = objects
        .map(|(survey, surveyed)| {
            let mut item = shown(&surveyed.object);
            if contexts {
                item["context"] = survey.context.clone().into();
            }
            item
        })
        .collect();
    if single && items.len() == 1 {
        return items.remove(0);
    }
    json!({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})
}

/// The object with its keys in order and, as kubectl shows it, without the record of who manages which field.
fn shown(object: &Value) -> Value {
    let mut object = sorted(object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
    object
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut pairs: Vec<(&String, &Value)> = members.iter().collect();
            pairs.sort_by_key(|(key, _)| *key);
            let pairs = pairs
                .into_iter()
                .map(|(key, member)| (key.clone(), sorted(member)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
