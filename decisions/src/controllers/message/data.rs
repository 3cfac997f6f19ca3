//! Mirrors image-automation-controller 1.2 `internal/update/result.go`: what a template sees of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{MessageInput, Rules, legacy};
use crate::controllers::setters::changes::{Change, ObjectIdentifier};
use crate::go::template::{
    ANY_LIST, Field, Key, Limits, ListType, MapType, Method, Outcome, STRING_MAP, Struct,
    StructType, Text, Type, Value,
};

/// The data of a template.
pub(super) fn template_data(input: &MessageInput<'_>) -> Value {
    let automation = namespaced_name(input.namespace, input.name);
    let values = if input.values.is_empty() {
        Type::Map(&STRING_MAP).zero()
    } else {
        let entries = input.values.iter();
        Value::map(
            &STRING_MAP,
            entries.map(|(key, value)| (Value::text(key), Value::text(value))),
        )
    };
    let kind = match input.rules {
        Rules::Current => &RESULT,
        Rules::Flux2_8 => &RESULT_OF_2_8,
        Rules::Flux2_6 => {
            let updated = legacy::result(input.updated_images);
            let changed = result(&legacy::RESULT_V2, vec![updated.clone()], input);
            let fields = vec![automation, updated, changed, values];
            return Value::structure(&legacy::TEMPLATE_DATA, fields);
        }
    };
    let changed = result(kind, Vec::new(), input);
    Value::structure(&TEMPLATE_DATA, vec![automation, changed, values])
}

/// A field without a tag.
pub(super) const fn field(name: &'static str, kind: Type) -> Field {
    Field {
        name,
        json: None,
        omit_empty: false,
        kind,
        embedded: false,
    }
}

const fn tagged(name: &'static str, json: &'static str) -> Field {
    Field {
        name,
        json: Some(json),
        omit_empty: true,
        kind: Type::String,
        embedded: false,
    }
}

const fn embedded(name: &'static str, kind: Type) -> Field {
    Field {
        name,
        json: None,
        omit_empty: false,
        kind,
        embedded: true,
    }
}

static TEMPLATE_DATA: StructType = StructType {
    name: "source.TemplateData",
    interface: None,
    fields: &[
        field("AutomationObject", Type::Struct(&NAMESPACED_NAME)),
        field("Changed", Type::Struct(&RESULT)),
        field("Values", Type::Map(&STRING_MAP)),
    ],
    methods: &[],
    text: None,
    json: None,
    go_text: None,
};

pub(super) static NAMESPACED_NAME: StructType = StructType {
    name: "types.NamespacedName",
    interface: None,
    fields: &[
        field("Namespace", Type::String),
        field("Name", Type::String),
    ],
    methods: &[Method {
        name: "MarshalLog",
        parameters: &[],
        result: Type::Any,
        by_pointer: false,
        uncallable: None,
        call: marshal_log,
    }],
    text: Some(|name| [text_of(&name.fields[0]), b"/", text_of(&name.fields[1])].concat()),
    json: None,
    go_text: None,
};

static LOGGED_NAME: StructType = StructType {
    name: "struct { Name string \"json:\\\"name\\\"\"; Namespace string \"json:\\\"namespace,omitempty\\\"\" }",
    interface: None,
    fields: &[
        Field {
            name: "Name",
            json: Some("name"),
            omit_empty: false,
            kind: Type::String,
            embedded: false,
        },
        Field {
            name: "Namespace",
            json: Some("namespace"),
            omit_empty: true,
            kind: Type::String,
            embedded: false,
        },
    ],
    methods: &[],
    text: None,
    json: None,
    go_text: None,
};

fn marshal_log(_: &mut Limits, name: &Rc<Struct>, _: &[Value]) -> Outcome {
    let fields = vec![name.fields[1].clone(), name.fields[0].clone()];
    Ok(Value::structure(&LOGGED_NAME, fields))
}

static RESULT: StructType = StructType {
    name: "update.Result",
    interface: None,
    fields: &[field("FileChanges", Type::Map(&FILE_CHANGES))],
    methods: &[CHANGES_METHOD, objects_method(objects_of_all_files)],
    text: None,
    json: None,
    go_text: None,
};

static RESULT_OF_2_8: StructType = StructType {
    methods: &EARLIER_METHODS,
    ..RESULT
};

/// The methods of the result before Flux 2.9.
pub(super) static EARLIER_METHODS: [Method; 2] =
    [CHANGES_METHOD, objects_method(objects_of_one_file)];

const CHANGES_METHOD: Method = Method {
    name: "Changes",
    parameters: &[],
    result: Type::List(&CHANGES),
    by_pointer: false,
    uncallable: None,
    call: |limits, result, _| Ok(all_changes(limits, result)),
};

const fn objects_method(call: fn(&mut Limits, &Rc<Struct>, &[Value]) -> Outcome) -> Method {
    Method {
        name: "Objects",
        parameters: &[],
        result: Type::Map(&OBJECT_CHANGES),
        by_pointer: false,
        uncallable: None,
        call,
    }
}

/// What only methods see is kept behind the fields.
pub(super) fn hidden(structure: &Struct, index: usize) -> Value {
    let place = structure.kind.fields.len() + index;
    let found = structure.fields.get(place).cloned();
    found.unwrap_or(Value::Invalid)
}

/// The items of a list.
pub(super) fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::List(list) => list.snapshot(),
        _ => Vec::new(),
    }
}

/// A list for methods, of whatever.
pub(super) fn kept(items: impl IntoIterator<Item = Value>) -> Value {
    Value::list(&ANY_LIST, items.into_iter().collect())
}

/// The two values of a pair that was kept.
pub(super) fn pair(value: &Value) -> Option<(Value, Value)> {
    let mut items = items(value).into_iter();
    items.next().zip(items.next())
}

pub(super) static FILE_CHANGES: MapType = MapType {
    name: "map[string]update.ObjectChanges",
    key: Type::String,
    element: Type::Map(&OBJECT_CHANGES),
};

static OBJECT_CHANGES: MapType = MapType {
    name: "update.ObjectChanges",
    key: Type::Struct(&OBJECT_IDENTIFIER),
    element: Type::List(&CHANGES),
};

static CHANGES: ListType = ListType {
    name: "[]update.Change",
    element: Type::Struct(&CHANGE),
};

static CHANGE: StructType = StructType {
    name: "update.Change",
    interface: None,
    fields: &[
        field("OldValue", Type::String),
        field("NewValue", Type::String),
        field("Setter", Type::String),
    ],
    methods: &[],
    text: None,
    json: None,
    go_text: None,
};

pub(super) static OBJECT_IDENTIFIER: StructType = StructType {
    name: "update.ObjectIdentifier",
    interface: None,
    fields: &[embedded(
        "ResourceIdentifier",
        Type::Struct(&RESOURCE_IDENTIFIER),
    )],
    methods: &[],
    text: None,
    json: None,
    go_text: None,
};

static RESOURCE_IDENTIFIER: StructType = StructType {
    name: "yaml.ResourceIdentifier",
    interface: None,
    fields: &[
        embedded("TypeMeta", Type::Struct(&TYPE_META)),
        embedded("NameMeta", Type::Struct(&NAME_META)),
    ],
    methods: &[],
    text: None,
    json: None,
    go_text: None,
};

static TYPE_META: StructType = StructType {
    name: "yaml.TypeMeta",
    interface: None,
    fields: &[tagged("APIVersion", "apiVersion"), tagged("Kind", "kind")],
    methods: &[],
    text: None,
    json: None,
    go_text: None,
};

static NAME_META: StructType = StructType {
    name: "yaml.NameMeta",
    interface: None,
    fields: &[tagged("Name", "name"), tagged("Namespace", "namespace")],
    methods: &[],
    text: None,
    json: None,
    go_text: None,
};

/// The bytes of a string.
pub(super) fn text_of(value: &Value) -> &[u8] {
    match value {
        Value::String(text) => text,
        _ => b"",
    }
}

/// `types.NamespacedName`
pub(super) fn namespaced_name(namespace: &str, name: &str) -> Value {
    Value::structure(
        &NAMESPACED_NAME,
        vec![Value::text(namespace), Value::text(name)],
    )
}

/// `update.ObjectIdentifier`
pub(super) fn object_identifier(object: &ObjectIdentifier) -> Value {
    let type_meta = vec![Value::text(&object.api_version), Value::text(&object.kind)];
    let name_meta = vec![Value::text(&object.name), Value::text(&object.namespace)];
    let resource = vec![
        Value::structure(&TYPE_META, type_meta),
        Value::structure(&NAME_META, name_meta),
    ];
    let resource = Value::structure(&RESOURCE_IDENTIFIER, resource);
    Value::structure(&OBJECT_IDENTIFIER, vec![resource])
}

fn change(change: &Change) -> Value {
    Value::structure(
        &CHANGE,
        vec![
            Value::text(&change.old),
            Value::text(&change.new),
            Value::text(&change.setter),
        ],
    )
}

/// The changes by file and object, whatever files and objects come twice.
type Grouped<'a> = Vec<(&'a str, Vec<(&'a ObjectIdentifier, Vec<&'a Change>)>)>;

fn grouped<'a>(input: &MessageInput<'a>) -> Grouped<'a> {
    let mut files: Grouped<'a> = Vec::new();
    for file in input.changed {
        let place = files.iter().position(|(path, _)| *path == file.path);
        let place = place.unwrap_or_else(|| {
            files.push((&file.path, Vec::new()));
            files.len() - 1
        });
        let objects = &mut files[place].1;
        for object in &file.objects {
            match objects.iter_mut().find(|(id, _)| **id == object.object) {
                Some((_, changes)) => changes.extend(&object.changes),
                None => objects.push((&object.object, object.changes.iter().collect())),
            }
        }
    }
    files
}

/// The result with its fields, `first_fields`, then the changes by file; behind them the changes by file and object as
/// they were made, for the methods.
fn result(kind: &'static StructType, first_fields: Vec<Value>, input: &MessageInput<'_>) -> Value {
    let files: Vec<(Value, Vec<(Value, Value)>)> = grouped(input)
        .into_iter()
        .map(|(path, objects)| {
            let objects = objects.into_iter();
            let objects = objects.map(|(object, changes)| {
                let changes = changes.into_iter().map(change).collect();
                (object_identifier(object), Value::list(&CHANGES, changes))
            });
            (Value::text(path), objects.collect())
        })
        .collect();
    let in_order = kept(files.iter().map(|(_, objects)| {
        let pairs = objects.iter().cloned();
        kept(pairs.map(|(object, changes)| kept([object, changes])))
    }));
    let by_file = match files.is_empty() {
        true => Type::Map(&FILE_CHANGES).zero(),
        false => Value::map(
            &FILE_CHANGES,
            files
                .into_iter()
                .map(|(path, objects)| (path, Value::map(&OBJECT_CHANGES, objects))),
        ),
    };
    let mut fields = first_fields;
    fields.extend([by_file, in_order]);
    Value::structure(kind, fields)
}

/// The distinct changes, with the files and their objects in the order of Go's maps.
fn all_changes(limits: &mut Limits, result: &Struct) -> Value {
    const WHAT: &str = "the order of .Changed.Changes";
    let mut seen: BTreeSet<Vec<Text>> = BTreeSet::new();
    let mut all = Vec::new();
    let mut files = items(&hidden(result, 0));
    limits.arrange(WHAT, &mut files);
    for file in files {
        let mut objects = items(&file);
        limits.arrange(WHAT, &mut objects);
        for (_, changes) in objects.iter().filter_map(pair) {
            all.extend(items(&changes).into_iter().filter(|change| {
                let texts = match change {
                    Value::Struct(change) => change
                        .fields
                        .iter()
                        .map(|text| Text::from(text_of(text)))
                        .collect(),
                    _ => Vec::new(),
                };
                seen.insert(texts)
            }));
        }
    }
    match all.is_empty() {
        true => Type::List(&CHANGES).zero(),
        false => Value::list(&CHANGES, all),
    }
}

/// The values of each key, in the keys' order, with the files in the order of Go's maps, which shows only where a key is in several.
#[expect(
    clippy::mutable_key_type,
    reason = "keys are structs of strings, which nothing changes"
)]
pub(super) fn by_key(
    limits: &mut Limits,
    what: &'static str,
    files: &Value,
) -> Vec<(Value, Vec<Value>)> {
    let mut files: Vec<Vec<(Value, Value)>> = items(files)
        .iter()
        .map(|file| items(file).iter().filter_map(pair).collect())
        .collect();
    let mut seen = BTreeSet::new();
    let mut keys = files.iter().flatten();
    if keys.any(|(key, _)| !seen.insert(Key(key.clone()))) {
        limits.arrange(what, &mut files);
    }
    let mut found: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    for (key, value) in files.into_iter().flatten() {
        found.entry(Key(key)).or_default().push(value);
    }
    found
        .into_iter()
        .map(|(key, values)| (key.0, values))
        .collect()
}

fn objects_of_all_files(limits: &mut Limits, result: &Rc<Struct>, _: &[Value]) -> Outcome {
    const WHAT: &str = "the order of the changes of an object in several files in .Changed.Objects";
    let objects = by_key(limits, WHAT, &hidden(result, 0)).into_iter();
    let joined = objects.map(|(object, lists)| {
        let changes = lists.iter().flat_map(items).collect();
        (object, Value::list(&CHANGES, changes))
    });
    Ok(Value::map(&OBJECT_CHANGES, joined))
}

fn objects_of_one_file(limits: &mut Limits, result: &Rc<Struct>, _: &[Value]) -> Outcome {
    const WHAT: &str = "which file's changes of an object in several files are in .Changed.Objects";
    let objects = by_key(limits, WHAT, &hidden(result, 0)).into_iter();
    let last = objects.filter_map(|(object, mut lists)| Some((object, lists.pop()?)));
    Ok(Value::map(&OBJECT_CHANGES, last))
}
