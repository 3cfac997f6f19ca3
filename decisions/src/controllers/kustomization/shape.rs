//! Mirrors the types of kustomize 5.8 (`api/types`) as `sigs.k8s.io/yaml` reads YAML into them: fields that are not known
//! are dropped, and some numbers become texts.
//!
//! Only the file that a Kustomization's path names is read this way; kustomize itself is strict with all others.

use serde_json::{Map, Value};

/// What stands at a place.
enum Shape {
    /// A text; numbers and booleans are taken for one.
    Text,
    /// A text and nothing else.
    OnlyText,
    /// A boolean.
    Bool,
    /// An integer.
    Integer,
    /// Anything.
    Any,
    /// A list.
    List(&'static Shape),
    /// Texts by key.
    Texts,
    /// Texts by key and nothing else.
    OnlyTexts,
    /// Known fields.
    Fields(&'static [(&'static str, Shape)]),
}

use Shape::{Any, Bool, Fields, Integer, List, OnlyText, OnlyTexts, Text, Texts};

const SELECTOR: Shape = Fields(&[
    ("group", OnlyText),
    ("version", OnlyText),
    ("kind", OnlyText),
    ("name", OnlyText),
    ("namespace", OnlyText),
    ("annotationSelector", Text),
    ("labelSelector", Text),
]);

const PATCH: Shape = Fields(&[
    ("path", Text),
    ("patch", Text),
    ("target", SELECTOR),
    (
        "options",
        Fields(&[("allowNameChange", Bool), ("allowKindChange", Bool)]),
    ),
]);

const IMAGE: Shape = Fields(&[
    ("name", Text),
    ("newName", Text),
    ("tagSuffix", Text),
    ("newTag", Text),
    ("digest", Text),
]);

const FIELD_OPTIONS: Shape = Fields(&[
    ("delimiter", Text),
    ("index", Integer),
    ("encoding", Text),
    ("create", Bool),
]);

const REPLACEMENT: Shape = Fields(&[
    (
        "source",
        Fields(&[
            ("group", OnlyText),
            ("version", OnlyText),
            ("kind", OnlyText),
            ("name", OnlyText),
            ("namespace", OnlyText),
            ("fieldPath", OnlyText),
            ("options", FIELD_OPTIONS),
        ]),
    ),
    (
        "targets",
        List(&Fields(&[
            ("select", SELECTOR),
            ("reject", List(&SELECTOR)),
            ("fieldPaths", List(&OnlyText)),
            ("options", FIELD_OPTIONS),
        ])),
    ),
    ("sourceValue", OnlyText),
    ("path", Text),
]);

const GENERATOR_OPTIONS: Shape = Fields(&[
    ("labels", OnlyTexts),
    ("annotations", OnlyTexts),
    ("disableNameSuffixHash", Bool),
    ("immutable", Bool),
]);

const GENERATOR: Shape = Fields(&[
    ("namespace", OnlyText),
    ("name", OnlyText),
    ("behavior", OnlyText),
    ("literals", List(&OnlyText)),
    ("files", List(&OnlyText)),
    ("envs", List(&OnlyText)),
    ("env", OnlyText),
    ("options", GENERATOR_OPTIONS),
    ("type", Text),
]);

const VARIABLE: Shape = Fields(&[
    ("name", Text),
    (
        "objref",
        Fields(&[
            ("apiVersion", Text),
            ("group", OnlyText),
            ("version", OnlyText),
            ("kind", OnlyText),
            ("name", Text),
            ("namespace", Text),
        ]),
    ),
    ("fieldref", Fields(&[("fieldPath", Text)])),
]);

const LABEL: Shape = Fields(&[
    ("pairs", Texts),
    ("includeSelectors", Bool),
    ("includeTemplates", Bool),
    (
        "fields",
        List(&Fields(&[
            ("group", OnlyText),
            ("version", OnlyText),
            ("kind", OnlyText),
            ("path", Text),
            ("create", Bool),
        ])),
    ),
]);

const METADATA: Shape = Fields(&[
    ("name", Text),
    ("namespace", Text),
    ("labels", Texts),
    ("annotations", Texts),
]);

const SORT_OPTIONS: Shape = Fields(&[
    ("order", Text),
    (
        "legacySortOptions",
        Fields(&[("orderFirst", List(&Text)), ("orderLast", List(&Text))]),
    ),
]);

const KUSTOMIZATION: &[(&str, Shape)] = &[
    ("kind", OnlyText),
    ("apiVersion", OnlyText),
    ("metadata", METADATA),
    ("openapi", Texts),
    ("namePrefix", Text),
    ("nameSuffix", Text),
    ("namespace", Text),
    ("commonLabels", Texts),
    ("labels", List(&LABEL)),
    ("commonAnnotations", Texts),
    ("patchesStrategicMerge", List(&Text)),
    ("patchesJson6902", List(&PATCH)),
    ("patches", List(&PATCH)),
    ("images", List(&IMAGE)),
    ("imageTags", List(&IMAGE)),
    ("replacements", List(&REPLACEMENT)),
    (
        "replicas",
        List(&Fields(&[("name", Text), ("count", Integer)])),
    ),
    ("vars", List(&VARIABLE)),
    ("sortOptions", SORT_OPTIONS),
    ("resources", List(&Text)),
    ("components", List(&Text)),
    ("crds", List(&Text)),
    ("bases", List(&Text)),
    ("configMapGenerator", List(&GENERATOR)),
    ("secretGenerator", List(&GENERATOR)),
    ("helmGlobals", Any),
    ("helmCharts", Any),
    ("helmChartInflationGenerator", Any),
    ("generatorOptions", GENERATOR_OPTIONS),
    ("configurations", List(&Text)),
    ("generators", List(&Text)),
    ("transformers", List(&Text)),
    ("validators", List(&Text)),
    ("buildMetadata", List(&Text)),
];

/// A kustomization file's fields as kustomize's types hold them.
///
/// # Errors
///
/// Something of another shape stands in a field; the text is what the controller's reader says, in short.
pub fn typed(value: &Value) -> Result<Map<String, Value>, String> {
    match value {
        Value::Null => Ok(Map::new()),
        Value::Object(fields) => known_fields(fields, KUSTOMIZATION, "Kustomization"),
        other => Err(wrong(other, "Kustomization", "Kustomization")),
    }
}

fn known_fields(
    fields: &Map<String, Value>,
    known: &'static [(&'static str, Shape)],
    place: &str,
) -> Result<Map<String, Value>, String> {
    let mut kept = Map::new();
    for (key, value) in fields {
        // As Go's reader: an exact name before one that differs in case.
        let exact = known.iter().find(|(name, _)| name == key);
        let found = exact.or_else(|| {
            known
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key))
        });
        let Some((name, shape)) = found.filter(|_| !value.is_null()) else {
            continue;
        };
        kept.insert(
            (*name).to_owned(),
            shaped(value, shape, &format!("{place}.{name}"))?,
        );
    }
    Ok(kept)
}

fn shaped(value: &Value, shape: &'static Shape, place: &str) -> Result<Value, String> {
    match (shape, value) {
        (Any, value) => Ok(value.clone()),
        (Text | OnlyText, Value::Null) => Ok("".into()),
        (Text | OnlyText, Value::String(_)) | (Bool, Value::Bool(_)) => Ok(value.clone()),
        (Text, Value::Bool(_) | Value::Number(_)) => Ok(as_text(value).into()),
        (Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(value.clone()),
        (List(_), Value::Null) => Ok(Value::Array(Vec::new())),
        (List(item), Value::Array(items)) => {
            let items = items.iter().map(|value| shaped(value, item, place));
            Ok(Value::Array(items.collect::<Result<_, _>>()?))
        }
        (Texts, Value::Object(fields)) => each(fields, &Text, place),
        (OnlyTexts, Value::Object(fields)) => each(fields, &OnlyText, place),
        (Fields(known), Value::Object(fields)) => {
            known_fields(fields, known, place).map(Value::Object)
        }
        (Bool, Value::Null) => Ok(false.into()),
        (Integer, Value::Null) => Ok(0.into()),
        (_, Value::Null) => Ok(Value::Object(Map::new())),
        (shape, other) => Err(wrong(other, place, kind_of(shape))),
    }
}

fn each(fields: &Map<String, Value>, shape: &'static Shape, place: &str) -> Result<Value, String> {
    let mut kept = Map::new();
    for (key, value) in fields {
        kept.insert(key.clone(), shaped(value, shape, place)?);
    }
    Ok(Value::Object(kept))
}

/// A number or boolean as Go writes it: of `1.10` the `1.1` is left.
fn as_text(value: &Value) -> String {
    value.to_string()
}

fn kind_of(shape: &Shape) -> &'static str {
    match shape {
        Text | OnlyText => "string",
        Bool => "bool",
        Integer => "int64",
        List(_) => "[]string",
        Texts | OnlyTexts => "map[string]string",
        Any | Fields(_) => "struct",
    }
}

fn wrong(value: &Value, place: &str, kind: &str) -> String {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!(
        "error unmarshaling JSON: json: cannot unmarshal {found} into Go struct field {place} of type {kind}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_fields_are_dropped_and_numbers_become_texts() {
        let read = typed(&json!({
            "Resources": ["a.yaml"], "made": {"up": 1}, "images": [{"name": "a", "newTag": 1.1, "x": 2}],
            "commonLabels": {"a": true}, "patches": null, "namePrefix": 3,
        }));
        assert_eq!(
            Value::Object(read.unwrap()),
            json!({"resources": ["a.yaml"], "images": [{"name": "a", "newTag": "1.1"}], "commonLabels": {"a": "true"}, "namePrefix": "3"})
        );
    }

    #[test]
    fn other_shapes_are_errors() {
        for value in [
            json!({"resources": "a.yaml"}),
            json!({"configMapGenerator": [{"name": 1}]}),
            json!({"labels": {"a": "b"}}),
            json!([]),
            json!("text"),
        ] {
            assert!(typed(&value).is_err(), "{value}");
        }
        assert!(typed(&Value::Null).unwrap().is_empty());
    }
}
