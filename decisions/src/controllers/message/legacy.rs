//! Mirrors image-automation-controller 0.41 `internal/update/result.go`: `.Updated`, before Flux 2.7 removed it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::UpdatedImage;
use super::data::{
    EARLIER_METHODS, FILE_CHANGES, NAMESPACED_NAME, OBJECT_IDENTIFIER, by_key, field, hidden,
    items, kept, namespaced_name, object_identifier, pair, text_of,
};
use crate::controllers::setters::changes::ObjectIdentifier;
use crate::go::template::{
    Limits, ListType, MapType, Method, Outcome, STRING_MAP, Struct, StructType, Type, Value,
};

pub(super) static TEMPLATE_DATA: StructType = StructType {
    name: "source.TemplateData",
    interface: None,
    fields: &[
        field("AutomationObject", Type::Struct(&NAMESPACED_NAME)),
        field("Updated", Type::Struct(&RESULT)),
        field("Changed", Type::Struct(&RESULT_V2)),
        field("Values", Type::Map(&STRING_MAP)),
    ],
    methods: &[],
    text: None,
    json: None,
    go_text: None,
};

pub(super) static RESULT_V2: StructType = StructType {
    name: "update.ResultV2",
    interface: None,
    fields: &[
        field("ImageResult", Type::Struct(&RESULT)),
        field("FileChanges", Type::Map(&FILE_CHANGES)),
    ],
    methods: &EARLIER_METHODS,
    text: None,
    json: None,
    go_text: None,
};

static RESULT: StructType = StructType {
    name: "update.Result",
    interface: None,
    fields: &[field("Files", Type::Map(&FILES))],
    methods: &[
        Method {
            name: "Images",
            parameters: &[],
            result: Type::List(&IMAGES),
            by_pointer: false,
            uncallable: None,
            call: all_images,
        },
        Method {
            name: "Objects",
            parameters: &[],
            result: Type::Map(&OBJECTS),
            by_pointer: false,
            uncallable: None,
            call: images_by_object,
        },
    ],
    text: None,
    json: None,
    go_text: None,
};

static FILES: MapType = MapType {
    name: "map[string]update.FileResult",
    key: Type::String,
    element: Type::Struct(&FILE_RESULT),
};

static FILE_RESULT: StructType = StructType {
    name: "update.FileResult",
    interface: None,
    fields: &[field("Objects", Type::Map(&OBJECTS))],
    methods: &[],
    text: None,
    json: None,
    go_text: None,
};

static OBJECTS: MapType = MapType {
    name: "map[update.ObjectIdentifier][]update.ImageRef",
    key: Type::Struct(&OBJECT_IDENTIFIER),
    element: Type::List(&IMAGES),
};

static IMAGES: ListType = ListType {
    name: "[]update.ImageRef",
    element: Type::Struct(&IMAGE_REF),
};

/// An image reference.
static IMAGE_REF: StructType = StructType {
    name: "update.imageRef",
    interface: Some("update.ImageRef"),
    fields: &[
        // The struct in it is met through an interface, so that its own fields aren't those of the image.
        field("Reference", Type::Any),
        field("policy", Type::Struct(&NAMESPACED_NAME)),
    ],
    methods: &[
        part("Identifier", |_, image, _| {
            Ok(Value::text(text_at(image, &[0, 1])))
        }),
        part("Repository", |_, image, _| {
            Ok(Value::text(full_path(image)))
        }),
        part("Registry", |_, image, _| {
            Ok(Value::text(text_at(image, &[0, 0, 0, 1])))
        }),
        part("Name", |_, image, _| Ok(Value::text(full_name(image)))),
        Method {
            name: "Policy",
            parameters: &[],
            result: Type::Struct(&NAMESPACED_NAME),
            by_pointer: false,
            uncallable: None,
            call: |_, image, _| Ok(image.fields[1].clone()),
        },
    ],
    text: Some(|image| text_at(image, &[0, 2]).into_bytes()),
    json: None,
    go_text: None,
};

const fn part(
    name: &'static str,
    call: fn(&mut Limits, &Rc<Struct>, &[Value]) -> Outcome,
) -> Method {
    Method {
        name,
        parameters: &[],
        result: Type::String,
        by_pointer: false,
        uncallable: None,
        call,
    }
}

static TAG: StructType = StructType {
    name: "name.Tag",
    interface: None,
    fields: &[
        field("Repository", Type::Struct(&PATH)),
        field("tag", Type::String),
        field("original", Type::String),
    ],
    methods: &[],
    text: Some(|reference| text_at(reference, &[2]).into_bytes()),
    json: Some(|reference| Ok(format!("\"{}\"", text_at(reference, &[2])))),
    go_text: None,
};

static DIGEST: StructType = StructType {
    name: "name.Digest",
    fields: &[
        field("Repository", Type::Struct(&PATH)),
        field("digest", Type::String),
        field("original", Type::String),
    ],
    ..TAG
};

static PATH: StructType = StructType {
    name: "name.Repository",
    interface: None,
    fields: &[
        field("Registry", Type::Struct(&HOST)),
        field("repository", Type::String),
    ],
    methods: &[],
    text: None,
    json: None,
    go_text: None,
};

static HOST: StructType = StructType {
    name: "name.Registry",
    interface: None,
    fields: &[
        field("insecure", Type::Bool),
        field("registry", Type::String),
    ],
    methods: &[],
    text: None,
    json: None,
    go_text: None,
};

fn image_ref(image: &UpdatedImage) -> Value {
    let (repository, separator, identifier) = split_reference(&image.reference);
    let (registry, path) = split_repository(repository);
    let host = Value::structure(&HOST, vec![Value::Bool(false), Value::text(registry)]);
    let parts = vec![
        Value::structure(&PATH, vec![host, Value::text(path)]),
        Value::text(identifier),
        Value::text(&image.reference),
    ];
    let kind = if separator == '@' { &DIGEST } else { &TAG };
    let policy = namespaced_name(&image.policy_namespace, &image.policy_name);
    Value::structure(&IMAGE_REF, vec![Value::structure(kind, parts), policy])
}

/// The text of a field of a field.
fn text_at(structure: &Struct, path: &[usize]) -> String {
    match (
        path,
        path.first().and_then(|index| structure.fields.get(*index)),
    ) {
        ([_], Some(text)) => String::from_utf8_lossy(text_of(text)).into_owned(),
        ([_, rest @ ..], Some(Value::Struct(inner))) => text_at(inner, rest),
        _ => String::new(),
    }
}

/// The path in the registry, with Docker Hub's own folder.
fn full_path(image: &Struct) -> String {
    let (registry, path) = (text_at(image, &[0, 0, 0, 1]), text_at(image, &[0, 0, 1]));
    match registry == DOCKER_HUB && !path.contains('/') {
        true => format!("library/{path}"),
        false => path,
    }
}

fn full_name(image: &Struct) -> String {
    let separator = match &image.fields[0] {
        Value::Struct(reference) if reference.kind.name == DIGEST.name => '@',
        _ => ':',
    };
    let registry = text_at(image, &[0, 0, 0, 1]);
    let slash = if registry.is_empty() { "" } else { "/" };
    let identifier = text_at(image, &[0, 1]);
    format!(
        "{registry}{slash}{}{separator}{identifier}",
        full_path(image)
    )
}

/// The registry of references without one.
const DOCKER_HUB: &str = "index.docker.io";

/// The repository, and the digest or the tag with the sign before it.
fn split_reference(reference: &str) -> (&str, char, &str) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (split_tag(name).0, '@', digest);
    }
    let (repository, tag) = split_tag(reference);
    (repository, ':', tag.unwrap_or("latest"))
}

fn split_tag(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    }
}

/// The registry and the path in it.
fn split_repository(repository: &str) -> (&str, &str) {
    match repository.split_once('/') {
        Some(("docker.io", path)) => (DOCKER_HUB, path),
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (first, path),
        _ => (DOCKER_HUB, repository),
    }
}

type ByObject<'a> = BTreeMap<&'a ObjectIdentifier, Vec<&'a UpdatedImage>>;

/// `update.Result` of old; behind its field the images by file and object, for the methods.
pub(super) fn result(images: &[UpdatedImage]) -> Value {
    let mut files: BTreeMap<&str, ByObject<'_>> = BTreeMap::new();
    for image in images {
        let objects = files.entry(&image.file).or_default();
        objects.entry(&image.object).or_default().push(image);
    }
    let files: Vec<(Value, Vec<(Value, Value)>)> = files
        .into_iter()
        .map(|(path, objects)| {
            let objects = objects.into_iter().map(|(object, images)| {
                let images = images.into_iter().map(image_ref).collect();
                (object_identifier(object), Value::list(&IMAGES, images))
            });
            (Value::text(path), objects.collect())
        })
        .collect();
    let in_order = kept(files.iter().map(|(_, objects)| {
        let pairs = objects.iter().cloned();
        kept(pairs.map(|(object, images)| kept([object, images])))
    }));
    let by_file = match files.is_empty() {
        true => Type::Map(&FILES).zero(),
        false => Value::map(
            &FILES,
            files.into_iter().map(|(path, objects)| {
                let objects = Value::map(&OBJECTS, objects);
                (path, Value::structure(&FILE_RESULT, vec![objects]))
            }),
        ),
    };
    Value::structure(&RESULT, vec![by_file, in_order])
}

/// The distinct images, with the files and their objects in the order of Go's maps.
fn all_images(limits: &mut Limits, result: &Rc<Struct>, _: &[Value]) -> Outcome {
    const WHAT: &str = "the order of .Updated.Images";
    let mut seen: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut all = Vec::new();
    let mut files = items(&hidden(result, 0));
    limits.arrange(WHAT, &mut files);
    for file in files {
        let mut objects = items(&file);
        limits.arrange(WHAT, &mut objects);
        for (_, images) in objects.iter().filter_map(pair) {
            all.extend(
                items(&images)
                    .into_iter()
                    .filter(|image| seen.insert(identity(image))),
            );
        }
    }
    Ok(match all.is_empty() {
        true => Type::List(&IMAGES).zero(),
        false => Value::list(&IMAGES, all),
    })
}

/// The reference and the policy's namespace and name.
fn identity(image: &Value) -> Vec<String> {
    match image {
        Value::Struct(image) => vec![
            text_at(image, &[0, 2]),
            text_at(image, &[1, 0]),
            text_at(image, &[1, 1]),
        ],
        _ => Vec::new(),
    }
}

fn images_by_object(limits: &mut Limits, result: &Rc<Struct>, _: &[Value]) -> Outcome {
    const WHAT: &str = "the order of the images of an object in several files in .Updated.Objects";
    let objects = by_key(limits, WHAT, &hidden(result, 0)).into_iter();
    let joined = objects.map(|(object, lists)| {
        let images = lists.iter().flat_map(items).collect();
        (object, Value::list(&IMAGES, images))
    });
    Ok(Value::map(&OBJECTS, joined))
}
