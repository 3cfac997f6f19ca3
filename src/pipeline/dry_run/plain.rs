//! Changed files that no Kustomization reads: the objects that stand in them, or why there is nothing to send.

use serde_json::Value;

use super::building::Difference;
use crate::controllers::kustomization::apply::{is_encrypted, is_encrypted_file};
use crate::controllers::kustomization::drift::differs;
use crate::controllers::kustomization::tree::is_kustomization_file;
use crate::facts::dry_run::ObjectIdentity;
use crate::facts::git::WorkTree;
use crate::pipeline::stages::PreviewedFile;
use crate::yaml::json::stream_to_json;

/// What stands in a file.
pub(super) enum Plain {
    /// The objects that the update changes.
    Objects(Vec<Difference>),
    /// Nothing that could be sent, and why.
    Nothing(String),
}

/// Reads a changed file.
pub(super) fn read(file: &PreviewedFile, tree: &WorkTree) -> Plain {
    let nothing = |why: &str| Plain::Nothing(why.to_owned());
    if is_encrypted_file(&file.new) {
        return nothing("the file is encrypted (SOPS): only who has the key knows its objects");
    }
    if let Some(chart) = chart_of(&file.path, tree) {
        return Plain::Nothing(format!(
            "the file is part of the Helm chart in {chart}, which is not rendered"
        ));
    }
    let parsed = |bytes: &[u8]| stream_to_json(&String::from_utf8_lossy(bytes));
    let Ok(new) = parsed(&file.new) else {
        return nothing("the file is no YAML that the API server could read");
    };
    let old = file
        .old
        .as_deref()
        .and_then(|bytes| parsed(bytes).ok())
        .unwrap_or_default();
    let (old, new) = (objects(old), objects(new));
    if is_kustomization_file(&file.path) || new.iter().any(is_kustomization) {
        return nothing("no Kustomization in this cluster builds this kustomization");
    }
    if new.iter().any(is_template) {
        return nothing("the file is a template: its objects are known only once it is rendered");
    }
    if !new.iter().all(is_object) || new.is_empty() {
        return nothing("the file holds no Kubernetes object, and no Kustomization reads it");
    }
    if new.iter().any(is_encrypted) {
        return nothing("the file is encrypted (SOPS): only who has the key knows its objects");
    }
    let differences = new.into_iter().filter_map(|after| {
        let identity = ObjectIdentity::of(&after);
        let before = old
            .iter()
            .find(|object| ObjectIdentity::of(object).is_same_object(&identity));
        let before = before.cloned().unwrap_or_default();
        differs(&before, &after).then_some(Difference { before, after })
    });
    Plain::Objects(differences.collect())
}

fn objects(documents: Vec<Value>) -> Vec<Value> {
    let listed = |document: Value| match document.get("items") {
        Some(Value::Array(items)) => items.clone(),
        _ => vec![document],
    };
    documents.into_iter().flat_map(listed).collect()
}

fn is_object(object: &Value) -> bool {
    let identity = ObjectIdentity::of(object);
    ![&identity.api_version, &identity.kind, &identity.name]
        .iter()
        .any(|text| text.is_empty())
}

fn is_kustomization(object: &Value) -> bool {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    version.starts_with("kustomize.config.k8s.io/")
}

/// Whether what has to be plain text holds an action of a template.
fn is_template(object: &Value) -> bool {
    let names = [
        "/apiVersion",
        "/kind",
        "/metadata/name",
        "/metadata/namespace",
    ];
    let in_names = names.iter().any(|pointer| {
        let text = object.pointer(pointer).and_then(Value::as_str);
        text.is_some_and(|text| text.contains("{{"))
    });
    in_names || images(object).iter().any(|image| image.contains("{{"))
}

/// Every text in a field called `image`.
fn images(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == "image" => vec![text.as_str()],
                other => images(other),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(images).collect(),
        _ => Vec::new(),
    }
}

/// The folder of the Helm chart that a file belongs to: as one of its templates, values or sub-charts.
fn chart_of(path: &str, tree: &WorkTree) -> Option<String> {
    let mut folder = path;
    while let Some((above, _)) = folder.rsplit_once('/') {
        folder = above;
        if tree.entries.has(&format!("{folder}/Chart.yaml")) {
            return Some(folder.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::git::TreeEntry;

    fn file(path: &str, old: &str, new: &str) -> PreviewedFile {
        PreviewedFile {
            path: path.into(),
            old: Some(old.as_bytes().to_vec()),
            new: new.as_bytes().to_vec(),
            exact: None,
            changes: Vec::new(),
        }
    }

    fn said(path: &str, old: &str, new: &str) -> Result<Vec<String>, String> {
        let tree = WorkTree {
            entries: [("chart/Chart.yaml", TreeEntry::File)]
                .into_iter()
                .collect(),
            ..WorkTree::default()
        };
        match read(&file(path, old, new), &tree) {
            Plain::Objects(found) => Ok(found
                .iter()
                .map(|difference| difference.identity().name)
                .collect()),
            Plain::Nothing(why) => Err(why),
        }
    }

    #[test]
    fn the_objects_that_differ_are_sent() {
        let old = "apiVersion: v1\nkind: A\nmetadata: {name: a}\n---\napiVersion: v1\nkind: A\nmetadata: {name: b}\nx: 1\n";
        let new = old.replace("x: 1", "x: 2");
        assert_eq!(said("a.yaml", old, &new), Ok(vec!["b".to_owned()]));
    }

    #[test]
    fn what_is_no_plain_manifest_is_named() {
        for (path, text, words) in [
            ("values.yaml", "image: a", "holds no Kubernetes object"),
            (
                "k/kustomization.yaml",
                "resources: []",
                "builds this kustomization",
            ),
            ("chart/values.yaml", "image: a", "the Helm chart in chart"),
            (
                "chart/templates/a.yaml",
                "image: a",
                "the Helm chart in chart",
            ),
            (
                "a.yaml",
                "apiVersion: v1\nkind: A\nmetadata: {name: '{{ .x }}'}",
                "is a template",
            ),
            (
                "a.yaml",
                "apiVersion: v1\nkind: A\nmetadata: {name: a}\nspec: [{image: 'a:{{ .x }}'}]",
                "is a template",
            ),
            (
                "a.yaml",
                "a: ENC[AES256_GCM,data:x]\nsops: {mac: x}",
                "is encrypted",
            ),
            ("a.yaml", "a: [", "is no YAML"),
        ] {
            let why = said(path, "", text).unwrap_err();
            assert!(why.contains(words), "{path}: {why}");
        }
    }
}
