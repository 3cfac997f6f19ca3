//! Manifests as people write them: the usual kinds, in the usual layouts, with markers where markers work.

use super::generator::Generator;
use super::recording::{Latest, Scope};

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// The policies that the manifests of [`manifest_as_written`] name, and one that none names.
pub fn scope_of_manifests(namespace: &str) -> Scope {
    let latest = |policy: &str, image: &str, tag: &str, digest: &str| Latest {
        policy: policy.to_owned(),
        image: image.to_owned(),
        tag: tag.to_owned(),
        digest: digest.to_owned(),
    };
    Scope {
        namespace: namespace.to_owned(),
        latest: vec![
            latest(
                "checkout",
                "registry.example.com/team/checkout",
                "1.4.0",
                "",
            ),
            latest(
                "worker",
                "ghcr.io/team/worker",
                "2026.06.01-abc1234",
                DIGEST,
            ),
            latest("proxy", "localhost:5000/proxy", "20260601", ""),
            latest("quiet", "docker.io/library/quiet", "v1", ""),
        ],
    }
}

/// One manifest of one to three documents.
pub fn manifest_as_written(g: &mut Generator, namespace: &str) -> String {
    let mut text = String::new();
    if g.chance(15) {
        text += g.pick(&[
            "---\n",
            "# Managed by the platform team.\n",
            "# yaml-language-server: $schema=x.json\n---\n",
            "\n",
        ]);
    }
    let documents = [1, 1, 1, 2, 3][g.below(5)];
    for number in 0..documents {
        if number > 0 {
            text += g.pick(&["---\n", "---\n# The next one.\n", "\n---\n\n"]);
        }
        let mut document = Document {
            marker: Marker {
                namespace,
                indented: g.chance(50),
                spaced: g.chance(90),
            },
            name: g.pick(&["checkout", "worker", "shop-front"]).to_owned(),
            text: String::new(),
        };
        match g.below(8) {
            0 => document.cron_job(g),
            1 => document.helm_release(g),
            2 => document.kustomization(g),
            3 => document.config_map(g),
            4 => document.custom(g),
            5 => document.service(),
            _ => document.deployment(g),
        }
        text += &document.text;
    }
    if g.chance(10) {
        text += g.pick(&["# The end.\n", "\n\n"]);
    }
    if g.chance(5) {
        text.truncate(text.trim_end().len());
    }
    text
}

struct Document<'a> {
    marker: Marker<'a>,
    name: String,
    text: String,
}

/// Habits that a person keeps through a file.
struct Marker<'a> {
    namespace: &'a str,
    /// Sequences are indented below their key.
    indented: bool,
    /// `{"$imagepolicy": "..."}` rather than `{"$imagepolicy":"..."}`.
    spaced: bool,
}

impl Marker<'_> {
    fn of(&self, policy: &str, part: &str) -> String {
        let blank = if self.spaced { " " } else { "" };
        format!(
            "# {{\"$imagepolicy\":{blank}\"{}:{policy}{part}\"}}",
            self.namespace
        )
    }
}

impl Document<'_> {
    fn line(&mut self, indent: usize, text: &str) {
        self.text += &" ".repeat(indent);
        self.text += text;
        self.text.push('\n');
    }

    fn head(&mut self, g: &mut Generator, api_version: &str, kind: &str) {
        self.line(0, &format!("apiVersion: {api_version}"));
        self.line(0, &format!("kind: {kind}"));
        self.line(0, "metadata:");
        let name = self.name.clone();
        self.line(2, &format!("name: {name}"));
        if g.chance(60) {
            self.line(2, "namespace: shop");
        }
        if g.chance(30) {
            self.line(2, "labels: {app: shop, tier: \"backend\"}");
        }
        if g.chance(20) {
            self.line(2, "annotations:");
            self.line(
                4,
                g.pick(&[
                    "note: 'it''s here'",
                    "example.com/on: \"true\"",
                    "empty: \"\"",
                    "text: |-\n      two\n      lines",
                ]),
            );
        }
    }

    /// A value with a marker behind it, now and then quoted, up to date or with a marker that does nothing.
    fn marked(&self, g: &mut Generator, key: &str) -> String {
        let (policy, image, tag) = match g.below(3) {
            0 => ("checkout", "registry.example.com/team/checkout", "1.4.0"),
            1 => ("worker", "ghcr.io/team/worker", "2026.06.01-abc1234"),
            _ => ("proxy", "localhost:5000/proxy", "20260601"),
        };
        let old = g
            .pick(&["1.2.3", "v0.9", "20260101", tag, "latest", "1.10"])
            .to_owned();
        let value = match key {
            "image" => format!("{image}:{old}"),
            "tag" | "newTag" => old,
            "digest" => "sha256:0000".to_owned(),
            _ => image.to_owned(),
        };
        let part = match key {
            "image" => "",
            "tag" | "newTag" => ":tag",
            "digest" => ":digest",
            _ => ":name",
        };
        let value = match g.below(6) {
            0 => format!("\"{value}\""),
            1 => format!("'{value}'"),
            _ => value,
        };
        let marker = match g.below(14) {
            0 => String::new(),
            1 => " # pinned".to_owned(),
            2 => format!(" {}", self.marker.of("missing", part)),
            _ => format!(
                "{}{}",
                g.pick(&[" ", " ", "  "]),
                self.marker.of(policy, part)
            ),
        };
        format!("{key}: {value}{marker}")
    }

    fn containers(&mut self, g: &mut Generator, key: &str, indent: usize) {
        self.line(indent, &format!("{key}:"));
        let item = if self.marker.indented {
            indent + 2
        } else {
            indent
        };
        for number in 0..1 + g.below(2) {
            if g.chance(20) {
                self.line(item, "# What answers.");
            }
            let image = self.marked(g, "image");
            if g.chance(80) {
                self.line(item, &format!("- name: c{number}"));
                self.line(item + 2, &image);
            } else {
                self.line(item, &format!("- {image}"));
                self.line(item + 2, &format!("name: c{number}"));
            }
            self.container(g, item + 2);
        }
    }

    fn container(&mut self, g: &mut Generator, indent: usize) {
        let sequence = if self.marker.indented {
            indent + 2
        } else {
            indent
        };
        if g.chance(30) {
            self.line(indent, "args: [\"--port=8080\", '-v', --level=info]");
        }
        if g.chance(30) {
            self.line(indent, "env:");
            self.line(sequence, "- name: MODE");
            self.line(
                sequence + 2,
                g.pick(&[
                    "value: \"on\"",
                    "value: 'yes'",
                    "value: \"8080\"",
                    "value: plain # why",
                ]),
            );
        }
        if g.chance(30) {
            self.line(indent, "resources:");
            self.line(indent + 2, "limits: {cpu: 500m, memory: 128Mi}");
            self.line(indent + 2, "requests:");
            self.line(indent + 4, "cpu: 0.5");
            self.line(indent + 4, "memory: 64Mi");
        }
        if g.chance(20) {
            self.line(indent, "command:");
            self.line(sequence, "- sh");
            self.line(sequence, "- -c");
            self.line(sequence, "- |");
            self.line(sequence + 2, "set -e");
            self.line(sequence + 2, "exec /bin/app  # not a comment");
        }
        if g.chance(20) {
            self.line(indent, "ports:");
            self.line(sequence, "- containerPort: 8080");
            self.line(sequence, "- {containerPort: 9090, name: metrics}");
        }
    }

    fn deployment(&mut self, g: &mut Generator) {
        let kind = g.pick(&["Deployment", "StatefulSet", "DaemonSet"]);
        self.head(g, "apps/v1", kind);
        self.line(0, "spec:");
        if g.chance(50) {
            self.line(
                2,
                g.pick(&[
                    "replicas: 3",
                    "replicas: 0x3",
                    "replicas: 3 # for now",
                    "paused: no",
                ]),
            );
        }
        if g.chance(30) {
            self.text.push('\n');
        }
        self.line(2, "template:");
        self.line(4, "spec:");
        if g.chance(20) {
            self.containers(g, "initContainers", 6);
        }
        self.containers(g, "containers", 6);
    }

    fn cron_job(&mut self, g: &mut Generator) {
        self.head(g, "batch/v1", "CronJob");
        self.line(0, "spec:");
        self.line(
            2,
            g.pick(&[
                "schedule: \"*/5 * * * *\"",
                "schedule: '@daily'",
                "schedule: 0 3 * * *",
            ]),
        );
        self.line(2, "jobTemplate:");
        self.line(4, "spec:");
        self.line(6, "template:");
        self.line(8, "spec:");
        self.line(10, "restartPolicy: Never");
        self.containers(g, "containers", 10);
    }

    fn helm_release(&mut self, g: &mut Generator) {
        self.head(g, "helm.toolkit.fluxcd.io/v2", "HelmRelease");
        self.line(0, "spec:");
        self.line(2, "interval: 10m");
        self.line(2, "values:");
        self.line(4, "image:");
        for key in ["repository", "tag", "digest"] {
            if g.chance(75) {
                let line = self.marked(g, key);
                self.line(6, &line);
            }
        }
        self.line(6, "pullPolicy: IfNotPresent");
        if g.chance(40) {
            self.line(4, "extra: >-");
            self.line(6, "one folded");
            self.line(6, "text");
        }
        if g.chance(30) {
            self.line(4, "hosts: []");
            self.line(4, "nodeSelector: {}");
        }
    }

    fn kustomization(&mut self, g: &mut Generator) {
        self.line(0, "apiVersion: kustomize.config.k8s.io/v1beta1");
        self.line(0, "kind: Kustomization");
        self.line(0, "resources:");
        let item = if self.marker.indented { 2 } else { 0 };
        self.line(item, "- deployment.yaml");
        self.line(item, "- ../base # shared");
        self.line(0, "images:");
        for _ in 0..1 + g.below(2) {
            self.line(item, "- name: app");
            for key in ["newName", "newTag", "digest"] {
                if g.chance(60) {
                    let line = self.marked(g, key);
                    self.line(item + 2, &line);
                }
            }
        }
    }

    fn config_map(&mut self, g: &mut Generator) {
        self.head(g, "v1", "ConfigMap");
        self.line(0, "data:");
        let line = self.marked(g, "image");
        self.line(2, &line);
        if g.chance(50) {
            self.line(2, "app.conf: |");
            self.line(4, "[server]");
            self.line(4, "listen = 0.0.0.0:80");
            self.text.push('\n');
            self.line(4, "# kept as it is");
        }
        if g.chance(40) {
            self.line(2, "long: \"a text that is rather long, longer than eighty columns, and that nobody has broken into lines\"");
        }
        if g.chance(40) {
            let line = self.marked(g, "tag");
            self.line(2, &line);
        }
    }

    /// An object of no known kind: the marker counts wherever a scalar stands.
    fn custom(&mut self, g: &mut Generator) {
        self.head(g, "example.com/v1alpha1", "Fleet");
        self.line(0, "spec:");
        let item = if self.marker.indented { 4 } else { 2 };
        let marker = self.marker.of("checkout", "");
        self.line(2, "images:");
        self.line(
            item,
            &format!("- registry.example.com/team/checkout:1.0.0 {marker}"),
        );
        self.line(item, "- other:1");
        if g.chance(50) {
            let line = self.marked(g, "image");
            self.line(2, "nested:");
            self.line(4, "deep:");
            self.line(6, &line);
        }
        if g.chance(30) {
            self.line(2, "anchored: &tag \"1\"");
            self.line(2, "again: *tag");
        }
    }

    fn service(&mut self) {
        let name = self.name.clone();
        self.line(0, "apiVersion: v1");
        self.line(0, "kind: Service");
        self.line(0, &format!("metadata: {{name: {name}}}"));
        self.line(0, "spec:");
        self.line(2, "ports:");
        self.line(2, "- port: 80");
        self.line(4, "targetPort: http");
    }
}
