//! One automation's template and what its run changed.

use std::collections::BTreeMap;

use imageauto::controllers::message::{MessageInput, Rules, UpdatedImage};
use imageauto::controllers::setters::changes::{
    Change, FileChanges, ObjectChanges, ObjectIdentifier,
};
use serde_json::{Value, json};

use crate::oracle::generator::Generator;

/// One automation's template and what its run changed.
#[derive(Clone, Debug)]
pub struct MessageCase {
    /// `spec.git.commit.messageTemplate`
    pub template: String,
    /// The automation's namespace.
    pub namespace: String,
    /// The automation's name.
    pub name: String,
    /// `spec.git.commit.messageTemplateValues`
    pub values: BTreeMap<String, String>,
    /// What changed.
    pub changed: Vec<FileChanges>,
    /// The images that were set, for the data of old.
    pub updated_images: Vec<UpdatedImage>,
    /// Whose data the template sees.
    pub rules: Rules,
}

impl MessageCase {
    /// The template over a generated update.
    pub(super) fn new(g: &mut Generator, template: String, rules: Rules) -> Self {
        let mut values = BTreeMap::new();
        for key in ["cluster", "env", "ticket", "empty-value"] {
            if g.chance(60) {
                let value = g.pick(&[
                    "prod",
                    "",
                    "eu-west-1",
                    "JIRA-123",
                    "Two words",
                    "a,b;c",
                    "\u{e9}t\u{e9}",
                ]);
                values.insert(key.to_string(), value.to_string());
            }
        }
        let changed = changed_files(g);
        let updated_images = match rules {
            Rules::Flux2_6 => images(g, &changed),
            _ => Vec::new(),
        };
        Self {
            template,
            namespace: g.pick(&["flux-system", "apps", "team-a"]).to_string(),
            name: g.pick(&["flux-images", "podinfo", "update"]).to_string(),
            values,
            changed,
            updated_images,
            rules,
        }
    }

    /// What the library is asked.
    pub fn input(&self) -> MessageInput<'_> {
        MessageInput {
            template: &self.template,
            namespace: &self.namespace,
            name: &self.name,
            values: &self.values,
            changed: &self.changed,
            updated_images: &self.updated_images,
            rules: self.rules,
        }
    }

    /// What the Go program is asked.
    pub(super) fn question(&self, runs: usize) -> Value {
        let files: Vec<Value> = self
            .changed
            .iter()
            .map(|file| {
                let objects: Vec<Value> = file
                    .objects
                    .iter()
                    .map(|changes| self.object(file, changes))
                    .collect();
                json!({"Path": file.path, "Objects": objects})
            })
            .collect();
        let template = match self.template.as_str() {
            "" => "Update from image update automation",
            template => template,
        };
        let flux = match self.rules {
            Rules::Flux2_6 => "2.6",
            Rules::Flux2_8 => "2.8",
            Rules::Current => "",
        };
        let mut question = json!({"Template": template, "Namespace": self.namespace, "Name": self.name,
                                  "Changed": files, "Flux": flux, "Runs": runs});
        if !self.values.is_empty() {
            question["Values"] = json!(self.values);
        }
        question
    }

    fn object(&self, file: &FileChanges, object: &ObjectChanges) -> Value {
        let id = &object.object;
        let changes: Vec<Value> = object
            .changes
            .iter()
            .map(|change| json!({"Old": change.old, "New": change.new, "Setter": change.setter}))
            .collect();
        let images: Vec<Value> = self
            .updated_images
            .iter()
            .filter(|image| image.file == file.path && image.object == *id)
            .map(|image| {
                json!({"Reference": image.reference, "PolicyNamespace": image.policy_namespace,
                       "PolicyName": image.policy_name})
            })
            .collect();
        json!({"APIVersion": id.api_version, "Kind": id.kind, "Name": id.name, "Namespace": id.namespace,
               "Changes": changes, "Images": images})
    }
}

fn images(g: &mut Generator, changed: &[FileChanges]) -> Vec<UpdatedImage> {
    let mut images = Vec::new();
    for file in changed {
        for object in &file.objects {
            for _ in 0..1 + g.below(2) {
                images.push(UpdatedImage {
                    reference: g
                        .pick(&[
                            "registry.example.com/team/checkout:1.2.3",
                            "ghcr.io/org/app:v2@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                            "nginx:1.25",
                            "org/app:main-1",
                            "localhost:5000/xy:z",
                            "docker.io/library/redis:7",
                        ])
                        .to_string(),
                    policy_namespace: "flux-system".to_string(),
                    policy_name: g.pick(&["checkout", "worker"]).to_string(),
                    file: file.path.clone(),
                    object: object.object.clone(),
                });
            }
        }
    }
    images
}

fn changed_files(g: &mut Generator) -> Vec<FileChanges> {
    let mut files = Vec::new();
    let paths = [
        "deploy.yaml",
        "apps/web.yaml",
        "kustomization.yaml",
        "z/\u{e9}.yml",
    ];
    let first = g.below(paths.len());
    let count = if g.chance(60) { 1 } else { 2 + g.below(2) };
    for index in 0..count {
        let mut objects: Vec<ObjectChanges> = Vec::new();
        for _ in 0..1 + usize::from(g.chance(30)) {
            let object = object(g);
            if objects.iter().all(|known| known.object != object) {
                let changes = (0..1 + usize::from(g.chance(30)))
                    .map(|_| change(g))
                    .collect();
                objects.push(ObjectChanges { object, changes });
            }
        }
        files.push(FileChanges {
            path: paths[(first + index) % paths.len()].to_string(),
            objects,
        });
    }
    files
}

fn object(g: &mut Generator) -> ObjectIdentifier {
    let (api_version, kind) = match g.below(4) {
        0 => ("v1", "Pod"),
        1 => ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
        2 => ("batch/v1", "CronJob"),
        _ => ("apps/v1", "Deployment"),
    };
    ObjectIdentifier {
        api_version: api_version.to_string(),
        kind: kind.to_string(),
        name: g.pick(&["checkout", "worker", ""]).to_string(),
        namespace: g.pick(&["prod", ""]).to_string(),
    }
}

fn change(g: &mut Generator) -> Change {
    Change {
        old: g.pick(&["1.2.3", "app:1.0.0", "v1", ""]).to_string(),
        new: g
            .pick(&[
                "1.9.0",
                "registry.example.com/team/checkout:1.9.0",
                "v10",
                "2026.06.01-abc1234",
            ])
            .to_string(),
        setter: g
            .pick(&[
                "flux-system:checkout",
                "flux-system:worker:tag",
                "apps:x:name",
            ])
            .to_string(),
    }
}
