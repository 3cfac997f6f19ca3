//! `-o json` keeps to the schema that is committed under `schemas/`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::environment::{Environment, automation};

/// What in `value` breaks `schema`: the words of JSON Schema that the committed schemas use, and no unknown members.
pub fn violations(schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(constant) = schema.get("const").filter(|constant| *constant != value) {
        found.push(format!("{path} is {value}, not {constant}"));
    }
    if let Some(choices) = schema["enum"]
        .as_array()
        .filter(|choices| !choices.contains(value))
    {
        found.push(format!("{path} is {value}, none of {choices:?}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.is_empty() && !types.contains(&actual) {
        found.push(format!("{path} is of type {actual}, not {types:?}"));
    }
    if let (Some(minimum), Some(number)) = (schema["minimum"].as_i64(), value.as_i64())
        && number < minimum
    {
        found.push(format!("{path} is {number}, below {minimum}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(violations(
            &schema["items"],
            item,
            &format!("{path}[{index}]"),
        ));
    }
    if let (Some(members), Some(additional)) =
        (value.as_object(), schema.get("additionalProperties"))
    {
        for (name, member) in members {
            found.extend(violations(additional, member, &format!("{path}.{name}")));
        }
    }
    if let (Some(members), Some(properties)) = (value.as_object(), schema["properties"].as_object())
    {
        let required = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        found.extend(
            required
                .filter(|name| !members.contains_key(*name))
                .map(|name| format!("{path} lacks {name}")),
        );
        for (name, member) in members {
            match properties.get(name) {
                Some(property) => {
                    found.extend(violations(property, member, &format!("{path}.{name}")))
                }
                None => found.push(format!("{path} has {name}, which the schema doesn't know")),
            }
        }
    }
    found
}

/// What in `value` breaks the committed schema of this name.
pub fn violations_of(name: &str, value: &Value) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"));
    let schema: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    violations(&schema, value, "$")
}

#[test]
fn every_document_keeps_to_the_schema() {
    let environment = Environment::shop();
    environment.write(
        "objects/broken.yaml",
        &automation("broken", "other", "./none"),
    );
    environment.write(
        "gitops/apps/odd.yaml",
        "a: x:1 # {\"$imagepolicy\": \"flux-system:gone\"}\n",
    );
    environment.write(
        "gitops/apps/problem.yaml",
        "a: b: c # {\"$imagepolicy\": \"flux-system:app\"}\n",
    );
    for more in [
        &["-o", "json"][..],
        &["-o", "json", "-n", "none"],
        &["-o", "json", "--assume", "flux-system/app=2.0.0"],
    ] {
        let document = environment.diff(more).json();
        assert_eq!(violations_of("diff-v1", &document), Vec::<String>::new());
    }
}

#[test]
fn the_version_keeps_to_its_schema() {
    let document = Environment::new().run(&["version", "-o", "json"]).json();
    assert_eq!(violations_of("version-v1", &document), Vec::<String>::new());
}

#[test]
fn reconciles_document_is_that_of_diff_and_more() {
    let read = |name: &str| -> Value {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("schemas")
            .join(name);
        serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
    };
    let (diff, reconcile) = (
        read("diff-v1.schema.json"),
        read("reconcile-v1.schema.json"),
    );
    let members =
        |schema: &Value| schema["properties"]["automations"]["items"]["properties"].clone();
    let own = members(&reconcile);
    for (name, member) in members(&diff).as_object().unwrap() {
        assert_eq!(&own[name], member, "{name}");
    }
    let shop = crate::shop::Shop::open();
    for more in [&["-o", "json"][..], &["-o", "json", "--yes"]] {
        let document = shop.reconcile(more).json();
        assert_eq!(violations(&reconcile, &document, "$"), Vec::<String>::new());
    }
}

#[test]
fn the_check_finds_what_breaks_the_schema() {
    let schema = serde_json::json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"const": 1}}, "required": ["a"]});
    assert_eq!(
        violations(&schema, &serde_json::json!({"b": 2, "c": 1}), "$").len(),
        3
    );
    assert_eq!(
        violations(&schema, &serde_json::json!({"a": "x", "b": 1}), "$"),
        Vec::<String>::new()
    );
}
