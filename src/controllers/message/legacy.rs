//! Mirrors image-automation-controller 0.41 `internal/update/result.go`: `.Updated`, before Flux 2.7 removed it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::UpdatedImage;
use super::data::{
    FILE_CHANGES, NAMESPACED_NAME, OBJECT_IDENTIFIER, RESULT_METHODS, field, hidden,
    namespaced_name, object_identifier, text_of,
};
use crate::controllers::setters::changes::ObjectIdentifier;
use crate::go::template::{
    Chance, ListType, MapType, Method, STRING_MAP, Struct, StructType, Type, Value,
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
};

pub(super) static RESULT_V2: StructType = StructType {
    name: "update.ResultV2",
    interface: None,
    fields: &[
        field("ImageResult", Type::Struct(&RESULT)),
        field("FileChanges", Type::Map(&FILE_CHANGES)),
    ],
    methods: &RESULT_METHODS,
    text: None,
    json: None,
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
            unordered: Some("the order of .Updated.Images"),
            call: |result, _| hidden(result, 0),
        },
        Method {
            name: "Objects",
            parameters: &[],
            result: Type::Map(&OBJECTS),
            unordered: Some(
                "the order of the images of an object in several files in .Updated.Objects",
            ),
            call: |result, _| hidden(result, 1),
        },
    ],
    text: None,
    json: None,
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

/// An image reference; its fields aren't seen by templates, its methods read what is behind them.
static IMAGE_REF: StructType = StructType {
    name: "update.imageRef",
    interface: Some("update.ImageRef"),
    fields: &[],
    methods: &[
        part("Identifier", |image, _| hidden(image, 1)),
        part("Repository", |image, _| hidden(image, 2)),
        part("Registry", |image, _| hidden(image, 3)),
        part("Name", |image, _| hidden(image, 4)),
        Method {
            name: "Policy",
            parameters: &[],
            result: Type::Struct(&NAMESPACED_NAME),
            unordered: None,
            call: |image, _| hidden(image, 5),
        },
    ],
    text: Some(|image| text_of(&image.fields[0]).to_vec()),
    json: None,
};

const fn part(
    name: &'static str,
    call: fn(&Rc<Struct>, &[Value]) -> Result<Value, String>,
) -> Method {
    Method {
        name,
        parameters: &[],
        result: Type::String,
        unordered: None,
        call,
    }
}

fn image_ref(image: &UpdatedImage) -> Value {
    let (repository, separator, identifier) = split_reference(&image.reference);
    let (registry, repository) = split_repository(repository);
    let name = format!("{registry}/{repository}{separator}{identifier}");
    Value::structure(
        &IMAGE_REF,
        vec![
            Value::text(&image.reference),
            Value::text(identifier),
            Value::text(repository),
            Value::text(registry),
            Value::text(name),
            namespaced_name(&image.policy_namespace, &image.policy_name),
        ],
    )
}

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

/// The registry and the path in it, with Docker Hub's defaults.
fn split_repository(repository: &str) -> (&str, String) {
    let (registry, path) = match repository.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => ("index.docker.io", repository),
    };
    let registry = if registry == "docker.io" {
        "index.docker.io"
    } else {
        registry
    };
    let official = registry == "index.docker.io" && !path.contains('/');
    let path = if official {
        format!("library/{path}")
    } else {
        path.to_string()
    };
    (registry, path)
}

fn image_list(images: &[&UpdatedImage]) -> Value {
    Value::list(
        &IMAGES,
        images.iter().map(|image| image_ref(image)).collect(),
    )
}

type ByObject<'a> = BTreeMap<&'a ObjectIdentifier, Vec<&'a UpdatedImage>>;

fn objects_map(objects: &ByObject<'_>) -> Value {
    let objects = objects.iter();
    Value::map(
        &OBJECTS,
        objects.map(|(object, images)| (object_identifier(object), image_list(images))),
    )
}

/// `update.Result` of old.
pub(super) fn result(images: &[UpdatedImage], chance: &mut Chance) -> Value {
    let mut files: BTreeMap<&str, ByObject<'_>> = BTreeMap::new();
    for image in images {
        let objects = files.entry(&image.file).or_default();
        objects.entry(&image.object).or_default().push(image);
    }
    let by_file = files.iter().map(|(path, objects)| {
        let file = Value::structure(&FILE_RESULT, vec![objects_map(objects)]);
        (Value::text(path), file)
    });
    let by_file = match files.is_empty() {
        true => Type::Map(&FILES).zero(),
        false => Value::map(&FILES, by_file),
    };
    let mut in_order: Vec<&ByObject<'_>> = files.values().collect();
    chance.arrange(&mut in_order);
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    let mut by_object = ByObject::new();
    for file in in_order {
        let mut objects: Vec<_> = file.iter().collect();
        chance.arrange(&mut objects);
        for (object, images) in objects {
            by_object.entry(*object).or_default().extend(images);
            all.extend(images.iter().copied().filter(|image| {
                seen.insert((
                    &image.reference,
                    &image.policy_namespace,
                    &image.policy_name,
                ))
            }));
        }
    }
    let all = match all.is_empty() {
        true => Type::List(&IMAGES).zero(),
        false => image_list(&all),
    };
    Value::structure(&RESULT, vec![by_file, all, objects_map(&by_object)])
}
