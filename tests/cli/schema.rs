//! `-o json` keeps to the schema that is committed under `schemas/`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::environment::{Environment, automation};
pub use crate::json_schema::{violations, violations_of};

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
