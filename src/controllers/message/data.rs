//! Mirrors image-automation-controller 1.2 `internal/update/result.go`: what a template sees of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{MessageInput, Rules, legacy};
use crate::controllers::setters::changes::{Change, ObjectIdentifier};
use crate::go::template::{
    Chance, Field, ListType, MapType, Method, STRING_MAP, Struct, StructType, Type, Value,
};

/// The data of a template; `order` is which of Go's possible map orders to play.
pub(super) fn template_data(input: &MessageInput<'_>, order: u64) -> Value {
    let chance = &mut Chance::new(order);
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
    match input.rules {
        Rules::Current => {
            let changed = result(&RESULT, Vec::new(), input, chance);
            Value::structure(&TEMPLATE_DATA, vec![automation, changed, values])
        }
        Rules::Flux2_6 => {
            let updated = legacy::result(input.updated_images, chance);
            let changed = result(&legacy::RESULT_V2, vec![updated.clone()], input, chance);
            let fields = vec![automation, updated, changed, values];
            Value::structure(&legacy::TEMPLATE_DATA, fields)
        }
    }
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
        unordered: None,
        call: marshal_log,
    }],
    text: Some(|name| [text_of(&name.fields[0]), b"/", text_of(&name.fields[1])].concat()),
    json: None,
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
};

fn marshal_log(name: &Rc<Struct>, _: &[Value]) -> Result<Value, String> {
    let fields = vec![name.fields[1].clone(), name.fields[0].clone()];
    Ok(Value::structure(&LOGGED_NAME, fields))
}

static RESULT: StructType = StructType {
    name: "update.Result",
    interface: None,
    fields: &[field("FileChanges", Type::Map(&FILE_CHANGES))],
    methods: &RESULT_METHODS,
    text: None,
    json: None,
};

pub(super) static RESULT_METHODS: [Method; 2] = [
    Method {
        name: "Changes",
        parameters: &[],
        result: Type::List(&CHANGES),
        unordered: Some("the order of .Changed.Changes"),
        call: |result, _| hidden(result, 0),
    },
    Method {
        name: "Objects",
        parameters: &[],
        result: Type::Map(&OBJECT_CHANGES),
        unordered: Some(
            "the order of the changes of an object in several files in .Changed.Objects",
        ),
        call: |result, _| hidden(result, 1),
    },
];

/// What a method gives is kept behind the fields.
pub(super) fn hidden(structure: &Rc<Struct>, index: usize) -> Result<Value, String> {
    let place = structure.kind.fields.len() + index;
    Ok(structure
        .fields
        .get(place)
        .cloned()
        .unwrap_or(Value::Invalid))
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
};

static TYPE_META: StructType = StructType {
    name: "yaml.TypeMeta",
    interface: None,
    fields: &[tagged("APIVersion", "apiVersion"), tagged("Kind", "kind")],
    methods: &[],
    text: None,
    json: None,
};

static NAME_META: StructType = StructType {
    name: "yaml.NameMeta",
    interface: None,
    fields: &[tagged("Name", "name"), tagged("Namespace", "namespace")],
    methods: &[],
    text: None,
    json: None,
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

fn change_list<'c>(changes: impl IntoIterator<Item = &'c Change>) -> Value {
    Value::list(&CHANGES, changes.into_iter().map(change).collect())
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

/// The result with its fields: `first_fields`, then the changes by file.
fn result(
    kind: &'static StructType,
    first_fields: Vec<Value>,
    input: &MessageInput<'_>,
    chance: &mut Chance,
) -> Value {
    let mut files = grouped(input);
    let by_file = files.iter().map(|(path, objects)| {
        let objects = objects.iter();
        let objects = objects.map(|(object, changes)| {
            (
                object_identifier(object),
                change_list(changes.iter().copied()),
            )
        });
        (Value::text(path), Value::map(&OBJECT_CHANGES, objects))
    });
    let by_file = match files.is_empty() {
        true => Type::Map(&FILE_CHANGES).zero(),
        false => Value::map(&FILE_CHANGES, by_file),
    };
    chance.arrange(&mut files);
    let all = all_changes(&files, chance);
    let by_object = changes_by_object(&files);
    let mut fields = first_fields;
    fields.extend([by_file, all, by_object]);
    Value::structure(kind, fields)
}

fn all_changes(files: &Grouped<'_>, chance: &mut Chance) -> Value {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for (_, objects) in files {
        let mut objects: Vec<_> = objects.iter().collect();
        chance.arrange(&mut objects);
        let changes = objects.into_iter().flat_map(|(_, changes)| changes);
        all.extend(changes.copied().filter(|change| seen.insert(*change)));
    }
    if all.is_empty() {
        return Type::List(&CHANGES).zero();
    }
    change_list(all)
}

fn changes_by_object(files: &Grouped<'_>) -> Value {
    let mut by_object: BTreeMap<&ObjectIdentifier, Vec<&Change>> = BTreeMap::new();
    for (object, changes) in files.iter().flat_map(|(_, objects)| objects) {
        by_object.entry(*object).or_default().extend(changes);
    }
    let by_object = by_object.into_iter();
    Value::map(
        &OBJECT_CHANGES,
        by_object.map(|(object, changes)| (object_identifier(object), change_list(changes))),
    )
}
