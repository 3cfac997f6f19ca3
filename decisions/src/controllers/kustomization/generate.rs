//! Mirrors `kustomize_generator.go` of fluxcd/pkg/kustomize 1.35: the kustomization file that the controller builds from.

use serde_json::{Map, Value, json};

use super::KustomizationSpec;
use super::file;
use super::reach::{Texts, generated_resources};
use super::remote::is_local_component;
use super::shape;
use super::tree::{ArtifactTree, joined, resolved};

/// A kustomization file to be written over what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Its path from the top.
    pub path: String,
    /// Its content, in the JSON form of YAML.
    pub bytes: Vec<u8>,
}

/// Makes the file for `folder`.
///
/// # Errors
///
/// The controller fails at it; the text is what it says.
pub fn generate(
    spec: &KustomizationSpec,
    tree: &ArtifactTree,
    texts: &Texts,
    folder: &str,
) -> Result<Generated, String> {
    let (path, mut fields) = match tree.kustomization_in(folder) {
        Some(path) => {
            let fields = existing(texts.get(&path).map(Vec::as_slice).unwrap_or_default())?;
            (path, fields)
        }
        None => (joined(folder, "kustomization.yaml"), made(tree, folder)),
    };
    for (name, value) in [
        ("namespace", &spec.target_namespace),
        ("namePrefix", &spec.name_prefix),
        ("nameSuffix", &spec.name_suffix),
    ] {
        if !value.is_empty() {
            fields.insert(name.into(), value.as_str().into());
        }
    }
    for patch in &spec.patches {
        push(&mut fields, "patches", adapted(patch));
    }
    add_components(spec, tree, folder, &mut fields)?;
    for image in &spec.images {
        add_image(image, &mut fields);
    }
    if !spec.build_metadata.is_empty() {
        fields.insert("buildMetadata".into(), json!(spec.build_metadata));
    }
    Ok(Generated {
        path,
        bytes: Value::Object(fields).to_string().into_bytes(),
    })
}

const VERSION: &str = "kustomize.config.k8s.io/v1beta1";
const KIND: &str = "Kustomization";

fn existing(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let mut fields = shape::typed(&file::read(bytes)?)?;
    for (name, default) in [("apiVersion", VERSION), ("kind", KIND)] {
        fields
            .entry(name)
            .or_insert_with(|| Value::String(default.into()));
    }
    let resources = fields.get("resources").and_then(Value::as_array);
    if resources.is_none_or(Vec::is_empty) {
        // An empty file would be an error.
        fields.insert("buildMetadata".into(), json!(["originAnnotations"]));
    }
    Ok(fields)
}

fn made(tree: &ArtifactTree, folder: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("apiVersion".into(), VERSION.into());
    fields.insert("kind".into(), KIND.into());
    let skipped = if folder.is_empty() {
        0
    } else {
        folder.len() + 1
    };
    let resources: Vec<String> = generated_resources(tree, folder)
        .iter()
        .map(|path| format!("./{}", &path[skipped..]))
        .collect();
    if resources.is_empty() {
        fields.insert("namespace".into(), "_placeholder".into());
    } else {
        fields.insert("resources".into(), json!(resources));
    }
    fields
}

fn push(fields: &mut Map<String, Value>, name: &str, value: Value) {
    let list = fields
        .entry(name)
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(items) = list {
        items.push(value);
    }
}

/// A patch with the fields of its target that Flux hands on.
fn adapted(patch: &Value) -> Value {
    let mut adapted = Map::new();
    adapted.insert(
        "patch".into(),
        patch["patch"].as_str().unwrap_or_default().into(),
    );
    if let Some(target) = patch.get("target").filter(|target| !target.is_null()) {
        let known = [
            "group",
            "version",
            "kind",
            "name",
            "namespace",
            "labelSelector",
            "annotationSelector",
        ];
        let kept = known
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), target.get(*name)?.clone())));
        adapted.insert("target".into(), Value::Object(kept.collect()));
    }
    Value::Object(adapted)
}

fn add_components(
    spec: &KustomizationSpec,
    tree: &ArtifactTree,
    folder: &str,
    fields: &mut Map<String, Value>,
) -> Result<(), String> {
    for component in &spec.components {
        if !is_local_component(component) {
            return Err(format!(
                "component path '{component}' must be local and relative"
            ));
        }
        let there = resolved(folder, component)
            .is_some_and(|path| tree.is_file(&path) || tree.is_folder(&path));
        if there || !spec.ignore_missing_components {
            push(fields, "components", component.as_str().into());
        }
    }
    Ok(())
}

/// Changes the entry for the image, or adds one.
fn add_image(image: &super::ImageChange, fields: &mut Map<String, Value>) {
    let text = |value: &str| Value::String(value.to_owned());
    let images = fields.get_mut("images").and_then(Value::as_array_mut);
    let known = images.and_then(|images| {
        images
            .iter_mut()
            .find(|known| known["name"] == image.name.as_str())
    });
    let Some(known) = known else {
        push(
            fields,
            "images",
            json!({"name": image.name, "newName": image.new_name, "newTag": image.new_tag, "digest": image.digest}),
        );
        return;
    };
    if !image.new_name.is_empty() {
        known["newName"] = text(&image.new_name);
    }
    if !image.new_tag.is_empty() || !image.digest.is_empty() {
        known["newTag"] = text(&image.new_tag);
        known["digest"] = text(&image.digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::kustomization::ImageChange;
    use crate::controllers::kustomization::source_ignore::SourceIgnore;
    use crate::facts::git::WorkTree;

    fn generated(spec: &KustomizationSpec, files: &[(&str, &str)]) -> Result<Value, String> {
        let entries: Vec<_> = files.iter().map(|(path, _)| (*path, None)).collect();
        let tree = WorkTree::of(&entries);
        let texts = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
            .collect();
        let tree = ArtifactTree::new(&tree, [], &SourceIgnore::default());
        let generated = generate(spec, &tree, &texts, "app")?;
        assert_eq!(generated.path, "app/kustomization.yaml");
        Ok(serde_json::from_slice(&generated.bytes).unwrap())
    }

    #[test]
    fn a_folder_without_one_gets_one() {
        let spec = KustomizationSpec {
            target_namespace: "prod".into(),
            components: vec!["../none".into()],
            ignore_missing_components: true,
            ..KustomizationSpec::default()
        };
        assert_eq!(
            generated(&spec, &[("app/a.yaml", ""), ("app/b/c.yaml", "")]).unwrap(),
            json!({"apiVersion": VERSION, "kind": KIND, "resources": ["./a.yaml", "./b/c.yaml"], "namespace": "prod"})
        );
        assert_eq!(
            generated(&KustomizationSpec::default(), &[]).unwrap(),
            json!({"apiVersion": VERSION, "kind": KIND, "namespace": "_placeholder"})
        );
    }

    #[test]
    fn what_the_kustomization_says_is_put_over_what_stands_there() {
        let spec = KustomizationSpec {
            name_prefix: "p-".into(),
            patches: vec![
                json!({"patch": "x", "target": {"kind": "Deployment", "x": 1}}),
                json!({"patch": "y"}),
            ],
            images: vec![
                ImageChange {
                    name: "a".into(),
                    new_tag: "2".into(),
                    ..Default::default()
                },
                ImageChange {
                    name: "b".into(),
                    new_name: "c".into(),
                    ..Default::default()
                },
            ],
            ..KustomizationSpec::default()
        };
        let text = "namePrefix: q-\nimages: [{name: a, newName: z, digest: 'sha256:1'}]\npatches: [{path: p.yaml}]\nunknown: 1\n";
        assert_eq!(
            generated(&spec, &[("app/kustomization.yaml", text)]).unwrap(),
            json!({
                "apiVersion": VERSION, "kind": KIND, "namePrefix": "p-", "buildMetadata": ["originAnnotations"],
                "patches": [{"path": "p.yaml"}, {"patch": "x", "target": {"kind": "Deployment"}}, {"patch": "y"}],
                "images": [{"name": "a", "newName": "z", "newTag": "2", "digest": ""}, {"name": "b", "newName": "c", "newTag": "", "digest": ""}],
            })
        );
    }

    #[test]
    fn remote_components_are_refused() {
        let spec = KustomizationSpec {
            components: vec!["https://example.com/a/b".into()],
            ..KustomizationSpec::default()
        };
        assert!(generated(&spec, &[]).is_err());
    }
}
