//! Mirrors which files a kustomization of kustomize 5.8 names (`api/internal/target/kusttarget.go`, `api/types`).

use serde_json::Value;

use crate::yaml::json::to_json;

/// A place that a kustomization names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// A file of objects, a folder with a kustomization, or something remote.
    Resource(String),
    /// A folder with a Component.
    Component(String),
    /// A file, or something remote.
    File(String),
    /// A file if there is one, and otherwise a patch as it stands.
    FileOrPatch(String),
    /// A file or folder that configures a generator, transformer or validator.
    Plugin(String),
}

/// Reads a kustomization file; an empty one is `null`.
///
/// # Errors
///
/// It is no YAML that kustomize can read.
pub fn read(bytes: &[u8]) -> Result<Value, String> {
    to_json(bytes).map_err(|error| error.to_string())
}

/// The places that a kustomization names, in no order that matters.
pub fn references(kustomization: &Value) -> Vec<Reference> {
    let mut found = Vec::new();
    for name in ["resources", "bases"] {
        found.extend(texts(field(kustomization, name)).map(Reference::Resource));
    }
    found.extend(texts(field(kustomization, "components")).map(Reference::Component));
    for name in ["configurations", "crds"] {
        found.extend(texts(field(kustomization, name)).map(Reference::File));
    }
    let path = field(kustomization, "openapi").and_then(|openapi| openapi["path"].as_str());
    found.extend(path.map(|path| Reference::File(path.to_owned())));
    for name in ["patches", "patchesJson6902", "replacements"] {
        let paths = items(field(kustomization, name)).filter_map(|item| item["path"].as_str());
        let paths = paths.filter(|path| !path.is_empty());
        found.extend(paths.map(|path| Reference::File(path.to_owned())));
    }
    found.extend(texts(field(kustomization, "patchesStrategicMerge")).map(Reference::FileOrPatch));
    for name in ["configMapGenerator", "secretGenerator"] {
        for generator in items(field(kustomization, name)) {
            found.extend(generator_files(generator));
        }
    }
    for chart in items(field(kustomization, "helmCharts")) {
        found.extend(chart["valuesFile"].as_str().map(file));
        found.extend(texts(chart.get("additionalValuesFiles")).map(Reference::File));
    }
    for name in ["generators", "transformers", "validators"] {
        for text in texts(field(kustomization, name)) {
            match to_json(text.as_bytes()) {
                Ok(inline @ Value::Object(_)) => found.extend(plugin_references(&inline)),
                _ => found.push(Reference::Plugin(text)),
            }
        }
    }
    found
}

/// The places that the configuration of a generator, transformer or validator names: in fields of these names, at any
/// depth, as those of kustomize's own plugins are called.
pub fn plugin_references(configuration: &Value) -> Vec<Reference> {
    let mut found = Vec::new();
    match configuration {
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    "path" | "env" | "valuesFile" | "chartHome" | "configHome" => {
                        found.extend(value.as_str().map(file));
                    }
                    "files" | "envs" | "additionalValuesFiles" => {
                        found.extend(texts(Some(value)).map(|text| keyed_file(&text)));
                    }
                    "paths" => found.extend(texts(Some(value)).map(Reference::FileOrPatch)),
                    _ => {}
                }
                found.extend(plugin_references(value));
            }
        }
        Value::Array(values) => found.extend(values.iter().flat_map(plugin_references)),
        _ => {}
    }
    found
}

fn generator_files(generator: &Value) -> Vec<Reference> {
    let mut found: Vec<Reference> = texts(generator.get("files"))
        .map(|text| keyed_file(&text))
        .collect();
    found.extend(texts(generator.get("envs")).map(Reference::File));
    found.extend(generator["env"].as_str().map(file));
    found
}

/// `[key=]path`
fn keyed_file(text: &str) -> Reference {
    file(text.split_once('=').map_or(text, |(_, path)| path))
}

fn file(path: &str) -> Reference {
    Reference::File(path.to_owned())
}

/// A field by its name in any case, as Go's JSON reader finds it.
fn field<'a>(kustomization: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = kustomization.as_object()?;
    fields.get(name).or_else(|| {
        fields
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

fn texts(list: Option<&Value>) -> impl Iterator<Item = String> + '_ {
    items(list).filter_map(|item| match item {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_places_are_found() {
        let text = r#"
resources: [a.yaml, ../base]
bases: [../old]
components: [../c]
patches: [{path: p.yaml}, {patch: "x: y"}]
patchesStrategicMerge: [s.yaml]
replacements: [{path: r.yaml}, {source: {}}]
configMapGenerator: [{files: [k=f.txt, g.txt], envs: [e.env], env: o.env, literals: [a=b]}]
secretGenerator: [{files: [t.key]}]
configurations: [n.yaml]
crds: [crd.yaml]
openapi: {path: schema.json}
transformers:
  - t.yaml
  - |
    apiVersion: builtin
    kind: PatchTransformer
    metadata: {name: x}
    path: inline.yaml
"#;
        let mut found: Vec<String> = references(&read(text.as_bytes()).unwrap())
            .into_iter()
            .map(|reference| match reference {
                Reference::Resource(path) => format!("resource {path}"),
                Reference::Component(path) => format!("component {path}"),
                Reference::File(path) => format!("file {path}"),
                Reference::FileOrPatch(path) => format!("patch {path}"),
                Reference::Plugin(path) => format!("plugin {path}"),
            })
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                "component ../c",
                "file crd.yaml",
                "file e.env",
                "file f.txt",
                "file g.txt",
                "file inline.yaml",
                "file n.yaml",
                "file o.env",
                "file p.yaml",
                "file r.yaml",
                "file schema.json",
                "file t.key",
                "patch s.yaml",
                "plugin t.yaml",
                "resource ../base",
                "resource ../old",
                "resource a.yaml"
            ]
        );
    }
}
