//! Custom resource definitions, as the controllers of several Flux versions have them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::api::{Api, path, wait_for};
use super::programs::{module_folder, module_folder_at};

const IMAGE_GROUP: &str = "image.toolkit.fluxcd.io";

/// The versions of the image objects that an API server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// `v1`: Flux 2.9.
    V1,
    /// `v1` and `v1beta2`: Flux 2.8.
    V1AndV1beta2,
    /// `v1beta2`: the definitions of Flux 2.8 with `v1` switched off.
    V1beta2,
    /// `v1beta1`, without a schema.
    V1beta1,
    /// Nothing of Flux.
    Nothing,
}

/// A custom resource definition.
pub struct Definition(Value);

/// What an API server of this kind has: the three image objects, and GitRepository in `v1`.
pub fn definitions(served: Served) -> Vec<Definition> {
    let mut definitions = match served {
        Served::V1 => of_modules(
            &module_folder("irc", "github.com/fluxcd/image-reflector-controller"),
            &module_folder("iac", "github.com/fluxcd/image-automation-controller"),
        ),
        Served::V1AndV1beta2 => flux_2_8(),
        Served::V1beta2 => flux_2_8()
            .into_iter()
            .map(|definition| definition.serving_only("v1beta2"))
            .collect(),
        Served::V1beta1 => without_schema("v1beta1"),
        Served::Nothing => return Vec::new(),
    };
    definitions.push(git_repository());
    definitions
}

/// The image objects' definitions of Flux 2.8.
fn flux_2_8() -> Vec<Definition> {
    of_modules(
        &module_folder_at(
            "github.com/fluxcd/image-reflector-controller",
            "v1.1.1",
            "h1:x76ne/gPXys0z14N3qms/6gumJmYEZ5s+HoVjf0OxVU=",
        ),
        &module_folder_at(
            "github.com/fluxcd/image-automation-controller",
            "v1.1.2",
            "h1:zPptZCByqjLsZ5zeNk22kWQXtXo9MxpdB7wlHeffC/s=",
        ),
    )
}

fn of_modules(reflector: &Path, automation: &Path) -> Vec<Definition> {
    vec![
        Definition::read(reflector, IMAGE_GROUP, "imagerepositories"),
        Definition::read(reflector, IMAGE_GROUP, "imagepolicies"),
        Definition::read(automation, IMAGE_GROUP, "imageupdateautomations"),
    ]
}

/// The automation controller needs only the definition; source-controller itself doesn't run.
fn git_repository() -> Definition {
    let module = module_folder_at(
        "github.com/fluxcd/source-controller",
        "v1.9.3",
        "h1:Zj1gfvK/2MFIm/K3vh5fSHoJBoggLKMuLWf5ZEmaF0w=",
    );
    Definition::read(&module, "source.toolkit.fluxcd.io", "gitrepositories")
}

/// What source-controller and kustomize-controller need besides: all kinds that they watch.
pub fn delivery_definitions() -> Vec<Definition> {
    let source = module_folder("source", "github.com/fluxcd/source-controller");
    let kustomize = module_folder("kustomize", "github.com/fluxcd/kustomize-controller");
    let of_source = [
        "buckets",
        "externalartifacts",
        "helmcharts",
        "helmrepositories",
        "ocirepositories",
    ];
    let mut definitions: Vec<Definition> = of_source
        .iter()
        .map(|plural| Definition::read(&source, "source.toolkit.fluxcd.io", plural))
        .collect();
    let group = "kustomize.toolkit.fluxcd.io";
    definitions.push(Definition::read(&kustomize, group, "kustomizations"));
    definitions
}

fn without_schema(version: &str) -> Vec<Definition> {
    [
        ("imagerepositories", "ImageRepository"),
        ("imagepolicies", "ImagePolicy"),
        ("imageupdateautomations", "ImageUpdateAutomation"),
    ]
    .iter()
    .map(|(plural, kind)| {
        Definition(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{IMAGE_GROUP}")},
            "spec": {
                "group": IMAGE_GROUP, "scope": "Namespaced",
                "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase()},
                "versions": [{
                    "name": version, "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }],
            },
        }))
    })
    .collect()
}

impl Definition {
    fn read(module: &Path, group: &str, plural: &str) -> Self {
        let file: PathBuf = module
            .join("config/crd/bases")
            .join(format!("{group}_{plural}.yaml"));
        let text =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self(
            serde_saphyr::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display())),
        )
    }

    fn serving_only(mut self, version: &str) -> Self {
        for found in self.0["spec"]["versions"]
            .as_array_mut()
            .into_iter()
            .flatten()
        {
            found["served"] = json!(found["name"] == version);
        }
        self
    }

    /// Applies it and waits until all its versions are served.
    pub fn install(&self, api: &Api) {
        api.apply_text(&path(&self.0), &self.0.to_string())
            .unwrap_or_else(|refusal| panic!("{}: {refusal:?}", self.0["metadata"]["name"]));
        let spec = &self.0["spec"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (group, plural) = (text(&spec["group"]), text(&spec["names"]["plural"]));
        for version in spec["versions"].as_array().into_iter().flatten() {
            if version["served"] != true {
                continue;
            }
            let collection = format!("/apis/{group}/{}/{plural}", text(&version["name"]));
            wait_for(
                &format!("{collection} to be served"),
                Duration::from_secs(60),
                || api.get(&collection).ok(),
            );
        }
    }
}
