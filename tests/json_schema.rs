//! The schemas that are committed under `schemas/`, and what breaks them.

use std::fs;
use std::path::Path;

use serde_json::Value;

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
    let text = fs::read_to_string(file).expect("the schema is committed");
    let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
    violations(&schema, value, "$")
}
