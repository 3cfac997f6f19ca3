//! `-o sarif` keeps to the schema that OASIS publishes.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::situation::{parts, set_up, situations};

/// A JSON Schema of draft 7, as far as the published one uses it.
struct Schema {
    root: Value,
}

impl Schema {
    fn published(name: &str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/schemas");
        let text = fs::read_to_string(file.join(name)).unwrap();
        Self {
            root: serde_json::from_str(&text).unwrap(),
        }
    }

    fn violations(&self, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.check(&self.root, value, "$", &mut found);
        found
    }

    fn check(&self, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.strip_prefix("#/definitions/").unwrap();
            return self.check(&self.root["definitions"][name], value, path, found);
        }
        self.check_value(schema, value, path, found);
        for (words, least) in [("anyOf", true), ("oneOf", false)] {
            let Some(choices) = schema[words].as_array() else {
                continue;
            };
            let fitting = choices.iter().filter(|choice| self.fits(choice, value));
            let count = fitting.count();
            if count == 0 || (!least && count > 1) {
                found.push(format!("{path} fits {count} of {words}"));
            }
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            self.check(&schema["items"], item, &format!("{path}[{index}]"), found);
        }
        if let Some(members) = value.as_object() {
            self.check_members(schema, members, path, found);
        }
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let mut found = Vec::new();
        self.check(schema, value, "$", &mut found);
        found.is_empty()
    }

    fn check_value(&self, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
        let is = |kind: &str| match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "null" => value.is_null(),
            other => panic!("{other} is no type"),
        };
        let mut wrong = Vec::new();
        if schema["type"].as_str().is_some_and(|kind| !is(kind)) {
            wrong.push("type");
        }
        if schema["enum"]
            .as_array()
            .is_some_and(|choices| !choices.contains(value))
        {
            wrong.push("enum");
        }
        if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
            && !regex::Regex::new(pattern).unwrap().is_match(text)
        {
            wrong.push("pattern");
        }
        if let Some(number) = value.as_f64() {
            if schema["minimum"]
                .as_f64()
                .is_some_and(|least| number < least)
            {
                wrong.push("minimum");
            }
            if schema["maximum"].as_f64().is_some_and(|most| number > most) {
                wrong.push("maximum");
            }
        }
        if let Some(items) = value.as_array() {
            let least = schema["minItems"].as_u64().unwrap_or_default();
            if u64::try_from(items.len()).unwrap() < least {
                wrong.push("minItems");
            }
            let twice = (1..items.len()).any(|index| items[..index].contains(&items[index]));
            if schema["uniqueItems"] == true && twice {
                wrong.push("uniqueItems");
            }
        }
        found.extend(
            wrong
                .iter()
                .map(|word| format!("{path} breaks {word}: {value}")),
        );
    }

    fn check_members(
        &self,
        schema: &Value,
        members: &serde_json::Map<String, Value>,
        path: &str,
        found: &mut Vec<String>,
    ) {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !members.contains_key(name.as_str().unwrap()) {
                found.push(format!("{path} lacks {name}"));
            }
        }
        for (name, member) in members {
            let at = format!("{path}.{name}");
            match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => found.push(format!("{at} is not known")),
                (Value::Null, Value::Object(_)) => {
                    self.check(&schema["additionalProperties"], member, &at, found);
                }
                (Value::Null, _) => {}
                (property, _) => self.check(property, member, &at, found),
            }
        }
    }
}

#[test]
fn findings_are_sarif_by_its_published_schema() {
    let schema = Schema::published("sarif-schema-2.1.0.json");
    let mut results = 0;
    for file in situations("situations") {
        let situation = set_up(&parts(&fs::read_to_string(&file).unwrap()));
        let mut arguments: Vec<&str> = situation.command.iter().map(String::as_str).collect();
        arguments.extend(["-o", "sarif"]);
        let document = situation.environment.run(&arguments).json();
        let found = schema.violations(&document);
        assert_eq!(found, Vec::<String>::new(), "{}", file.display());
        results += document["runs"][0]["results"].as_array().unwrap().len();
    }
    assert!(results > 20, "only {results} results");
}

#[test]
fn the_check_can_fail() {
    let schema = Schema::published("sarif-schema-2.1.0.json");
    for wrong in [
        serde_json::json!({"version": "2.1.0"}),
        serde_json::json!({"version": "2.0.0", "runs": []}),
        serde_json::json!({"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]}),
        serde_json::json!({"version": "2.1.0", "runs": [], "more": 1}),
    ] {
        assert_ne!(schema.violations(&wrong), Vec::<String>::new(), "{wrong}");
    }
}
