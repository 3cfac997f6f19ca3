//! Manifests as people write them: Deployments, CronJobs, HelmReleases, kustomizations, ConfigMaps, with markers in every position.

use imageauto::controllers::setters::SetterPolicy;

use super::schemas::schema_comment;
use crate::oracle::generator::Generator;

/// The namespace that the markers name.
pub const NAMESPACE: &str = "imageauto-test";

/// The policies that the markers of the generated files name.
pub fn policies() -> Vec<SetterPolicy> {
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let policy = |name: &str, image: &str, tag: &str, digest: &str| SetterPolicy {
        namespace: NAMESPACE.to_owned(),
        name: name.to_owned(),
        image: image.to_owned(),
        tag: tag.to_owned(),
        digest: digest.to_owned(),
    };
    vec![
        policy("app", "ghcr.io/acme/app", "1.4.2", ""),
        policy("web", "nginx", "1.27", ""),
        policy(
            "build",
            "registry.example.com:5000/team/build",
            "20240607",
            "",
        ),
        policy("day", "acme/day", "2024-06-07", ""),
        policy("pinned", "ghcr.io/acme/pinned", "v3", &digest),
        policy("octal", "acme/octal", "0755", ""),
        policy("yes", "acme/yes", "on", ""),
        policy("exp", "acme/exp", "1e3", ""),
    ]
}

fn setter(g: &mut Generator) -> String {
    let name = g.pick(&[
        "app", "web", "build", "day", "pinned", "octal", "yes", "exp",
    ]);
    let suffix = g.pick(&["", "", "", ":tag", ":tag", ":name", ":digest"]);
    if g.chance(3) {
        return format!("{NAMESPACE}:unknown{suffix}");
    }
    if g.chance(2) {
        return format!("other:{name}{suffix}");
    }
    format!("{NAMESPACE}:{name}{suffix}")
}

/// A marker as people write it, now and then with a mistake.
pub fn marker(g: &mut Generator) -> String {
    if g.chance(3) {
        return schema_comment(g);
    }
    let setter = setter(g);
    match g.below(40) {
        0 => format!("#{{\"$imagepolicy\":\"{setter}\"}}"),
        1 => format!("## {{\"$imagepolicy\": \"{setter}\"}}"),
        2 => format!("# {{\"$imagepolicy\": \"{setter}\",}}"),
        3 => format!("# note {{\"$imagepolicy\": \"{setter}\"}}"),
        4 => format!("# {{ \"$imagepolicy\" : \"{setter}\" }} "),
        5 => format!(
            "# {{\"$imagepolicy\": \"{}\"}}",
            setter.replacen(':', "%3A", 1)
        ),
        6 => format!("# {{\"$imagepolicy\": \"{setter}\", \"a\": \"b\"}}"),
        _ => format!("# {{\"$imagepolicy\": \"{setter}\"}}"),
    }
}

/// A manifest being written.
enum Tree {
    /// Text that stands on the line of its key.
    Line(String),
    /// A header such as `|-` and the lines below it.
    Block(&'static str, Vec<String>),
    Fields(Vec<(String, Tree)>),
    Items(Vec<Tree>),
}

/// How a manifest is laid out.
struct Layout {
    /// Columns by which lists stand in from their key.
    list_indent: usize,
    step: usize,
    /// Of 100 lines, how many get something that a formatter would not write.
    oddness: usize,
}

fn fields<const N: usize>(fields: [(&str, Tree); N]) -> Tree {
    Tree::Fields(
        fields
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

fn line(text: impl Into<String>) -> Tree {
    Tree::Line(text.into())
}

/// A value that a marker may stand behind.
fn image(g: &mut Generator) -> Tree {
    let text = *g.pick(&[
        &"ghcr.io/acme/app:1.4.1",
        &"\"nginx:1.25\"",
        &"'acme/day:2024-06-06'",
        &"registry.example.com:5000/team/build:20240606",
        &"ghcr.io/acme/pinned:v2@sha256:00",
        &"nginx:1.27",
    ]);
    let marker = marker(g);
    line(format!("{text} {marker}"))
}

fn tag(g: &mut Generator) -> Tree {
    let text = *g.pick(&[
        &"1.4.1",
        &"\"1.25\"",
        &"1.25",
        &"'20240606'",
        &"20240606",
        &"v2",
        &"2024-06-06",
        &"\"\"",
        &"null",
        &"true",
        &"latest",
    ]);
    let marker = marker(g);
    line(format!("{text} {marker}"))
}

fn word(g: &mut Generator) -> String {
    (*g.pick(&[
        &"podinfo",
        &"web",
        &"api",
        &"worker",
        &"redis",
        &"frontend",
        &"backend-v2",
        &"job",
    ]))
    .to_owned()
}

fn text(g: &mut Generator) -> Tree {
    if g.chance(20) {
        let header = *g.pick(&[&"|", &"|-", &"|+", &">", &">-", &">+", &"|2", &"| # script"]);
        let count = 1 + g.below(5);
        let lines = (0..count)
            .map(|_| {
                (*g.pick(&[
                    &"#!/bin/sh",
                    &"set -eu",
                    &"echo \"hello\"",
                    &"",
                    &"  indented: yes",
                    &"key: value",
                    &"# not a comment",
                    &"- item",
                    &"a long line of text that a formatter with a width of eighty columns would surely have folded",
                ]))
                .to_owned()
            })
            .collect();
        return Tree::Block(header, lines);
    }
    line(*g.pick(&[
        &"plain",
        &"two words",
        &"\"double quoted\"",
        &"'single quoted'",
        &"8080",
        &"\"8080\"",
        &"true",
        &"\"true\"",
        &"null",
        &"~",
        &"",
        &"1.5",
        &"100m",
        &"$(VAR)",
        &"http://example.com:80/a?b=c#d",
        &"[]",
        &"{}",
        &"[a, b, c]",
        &"[ \"sh\", \"-c\", \"sleep 1\" ]",
        &"{cpu: 100m, memory: 64Mi}",
        &"{ \"a\": 1, \"b\": [2, 3] }",
        &"\"caf\u{e9} \\u263a\"",
        &"caf\u{e9}",
        &"'it''s'",
        &"2024-06-07T08:09:10Z",
        &"0x1F",
        &"1e3",
        &"'*/5 * * * *'",
        &"\"a\\nb\"",
        &"yes",
    ]))
}

fn metadata(g: &mut Generator) -> Tree {
    let mut of = vec![("name".to_owned(), line(word(g)))];
    if g.chance(60) {
        of.push(("namespace".to_owned(), line(word(g))));
    }
    if g.chance(50) {
        of.push((
            "labels".to_owned(),
            Tree::Fields(vec![
                ("app.kubernetes.io/name".to_owned(), line(word(g))),
                ("version".to_owned(), text(g)),
            ]),
        ));
    }
    if g.chance(30) {
        let annotations = match g.below(4) {
            0 => line("{}"),
            1 => line(""),
            _ => Tree::Fields(vec![("example.com/note".to_owned(), text(g))]),
        };
        of.push(("annotations".to_owned(), annotations));
    }
    Tree::Fields(of)
}

fn container(g: &mut Generator) -> Tree {
    let mut of = vec![
        ("name".to_owned(), line(word(g))),
        ("image".to_owned(), image(g)),
    ];
    if g.chance(30) {
        of.swap(0, 1);
    }
    if g.chance(40) {
        let count = 1 + g.below(3);
        let env = (0..count)
            .map(|_| fields([("name", line("VAR")), ("value", text(g))]))
            .collect();
        of.push(("env".to_owned(), Tree::Items(env)));
    }
    if g.chance(40) {
        let args = (0..1 + g.below(3)).map(|_| text(g)).collect();
        of.push(("args".to_owned(), Tree::Items(args)));
    }
    if g.chance(30) {
        let ports = vec![fields([("containerPort", line("8080"))])];
        of.push(("ports".to_owned(), Tree::Items(ports)));
    }
    if g.chance(30) {
        let limits = fields([("cpu", line("100m")), ("memory", line("\"64Mi\""))]);
        of.push(("resources".to_owned(), fields([("limits", limits)])));
    }
    Tree::Fields(of)
}

fn pod(g: &mut Generator) -> Tree {
    let count = 1 + g.below(2);
    let containers = (0..count).map(|_| container(g)).collect();
    fields([("containers", Tree::Items(containers))])
}

fn object(g: &mut Generator) -> Tree {
    match g.below(7) {
        0 | 1 => {
            let template = fields([("metadata", metadata(g)), ("spec", pod(g))]);
            fields([
                ("apiVersion", line("apps/v1")),
                ("kind", line("Deployment")),
                ("metadata", metadata(g)),
                (
                    "spec",
                    fields([("replicas", line("2")), ("template", template)]),
                ),
            ])
        }
        2 => {
            let job = fields([("spec", fields([("template", fields([("spec", pod(g))]))]))]);
            fields([
                ("apiVersion", line("batch/v1")),
                ("kind", line("CronJob")),
                ("metadata", metadata(g)),
                (
                    "spec",
                    fields([("schedule", line("\"*/5 * * * *\"")), ("jobTemplate", job)]),
                ),
            ])
        }
        3 => {
            let of_image = fields([("repository", image(g)), ("tag", tag(g))]);
            let values = fields([("image", of_image), ("note", text(g)), ("extra", text(g))]);
            fields([
                ("apiVersion", line("helm.toolkit.fluxcd.io/v2")),
                ("kind", line("HelmRelease")),
                ("metadata", metadata(g)),
                (
                    "spec",
                    fields([("interval", line("5m")), ("values", values)]),
                ),
            ])
        }
        4 => {
            let entry = fields([
                ("name", line("ghcr.io/acme/app")),
                ("newName", image(g)),
                ("newTag", tag(g)),
                ("digest", tag(g)),
            ]);
            let resources = vec![line("deployment.yaml"), line("service.yaml")];
            fields([
                ("apiVersion", line("kustomize.config.k8s.io/v1beta1")),
                ("kind", line("Kustomization")),
                ("resources", Tree::Items(resources)),
                ("images", Tree::Items(vec![entry])),
            ])
        }
        5 => {
            let count = 1 + g.below(4);
            let data = (0..count)
                .map(|number| {
                    let value = if g.chance(50) { tag(g) } else { text(g) };
                    (format!("key{number}"), value)
                })
                .collect();
            fields([
                ("apiVersion", line("v1")),
                ("kind", line("ConfigMap")),
                ("metadata", metadata(g)),
                ("data", Tree::Fields(data)),
            ])
        }
        _ => {
            let images = (0..1 + g.below(3)).map(|_| image(g)).collect();
            fields([
                ("kind", line("Values")),
                ("images", Tree::Items(images)),
                ("more", fields([("image", image(g)), ("text", text(g))])),
            ])
        }
    }
}

/// Writes lines, with comments and empty lines between them.
struct Writer<'g> {
    g: &'g mut Generator,
    layout: Layout,
    lines: Vec<String>,
}

impl Writer<'_> {
    /// Comments and empty lines that people put between fields.
    fn between(&mut self, column: usize) {
        let oddness = self.layout.oddness;
        if self.g.chance(4 + oddness / 4) {
            self.lines.push(String::new());
        }
        if self.g.chance(6 + oddness / 2) {
            let count = 1 + self.g.below(2);
            for _ in 0..count {
                let at = if self.g.chance(oddness) {
                    self.g.below(10)
                } else {
                    column
                };
                let comment = self.comment();
                self.lines.push(format!("{}{comment}", " ".repeat(at)));
                if self.g.chance(oddness / 3) {
                    self.lines.push(String::new());
                }
            }
            if self.g.chance(15) {
                self.lines.push(String::new());
            }
        }
    }

    fn comment(&mut self) -> String {
        if self.g.chance(12) {
            return marker(self.g);
        }
        (*self.g.pick(&[
            &"# a comment",
            &"#comment",
            &"# image: old:v1",
            &"#",
            &"# caf\u{e9}  two  blanks ",
            &"## heading ##",
        ]))
        .to_owned()
    }

    /// What stands behind a key or `-` without a value on its line.
    fn behind(&mut self) -> String {
        if self.g.chance(3 + self.layout.oddness / 3) {
            let comment = self.comment();
            return format!(" {comment}");
        }
        String::new()
    }

    fn write(&mut self, tree: &Tree, column: usize, prefix: String) {
        match tree {
            Tree::Line(text) => self.write_line(text, prefix),
            Tree::Block(header, lines) => {
                self.lines.push(format!("{prefix} {header}"));
                let indent = column
                    + if header.contains('2') {
                        2
                    } else {
                        self.layout.step
                    };
                for line in lines {
                    if line.is_empty() {
                        self.lines.push(String::new());
                    } else {
                        self.lines.push(format!("{}{line}", " ".repeat(indent)));
                    }
                }
            }
            Tree::Fields(of) => {
                let behind = self.behind();
                self.lines.push(format!("{prefix}{behind}"));
                self.write_fields(of, column + self.layout.step);
            }
            Tree::Items(items) => {
                let behind = self.behind();
                self.lines.push(format!("{prefix}{behind}"));
                self.write_items(items, column + self.layout.list_indent);
            }
        }
    }

    fn write_line(&mut self, text: &str, prefix: String) {
        let oddness = self.layout.oddness;
        let is_bare = !text.contains('#') && !text.is_empty();
        if is_bare && self.g.chance(5 + oddness / 2) {
            let comment = self.comment();
            let gap = " ".repeat(1 + self.g.below(3));
            self.lines.push(format!("{prefix} {text}{gap}{comment}"));
        } else if text.is_empty() {
            let behind = self.behind();
            self.lines.push(format!("{prefix}{behind}"));
        } else {
            self.lines.push(format!("{prefix} {text}"));
        }
    }

    fn write_fields(&mut self, of: &[(String, Tree)], column: usize) {
        for (key, value) in of {
            self.between(column);
            let prefix = format!("{}{key}:", " ".repeat(column));
            self.write(value, column, prefix);
        }
        if self.g.chance(3 + self.layout.oddness / 3) {
            self.between(column);
        }
    }

    fn write_items(&mut self, items: &[Tree], column: usize) {
        let dash = format!("{}-", " ".repeat(column));
        for item in items {
            self.between(column);
            let Tree::Fields(of) = item else {
                self.write(item, column, dash.clone());
                continue;
            };
            let start = self.lines.len();
            self.write_fields(of, column + 2);
            // The first field stands on the line of the dash, unless a comment is above it.
            let first = self
                .lines
                .get(start)
                .filter(|line| line.trim_start().len() > 1);
            if let Some(first) = first.cloned()
                && !first.trim_start().starts_with('#')
            {
                self.lines[start] = format!("{dash} {}", first.trim_start());
            } else {
                self.lines.insert(start, dash.clone());
            }
        }
    }
}

fn write_document(g: &mut Generator, tree: &Tree, oddness: usize) -> String {
    let layout = Layout {
        list_indent: *g.pick(&[&0, &2, &2]),
        step: if g.chance(oddness) { 1 + g.below(5) } else { 2 },
        oddness,
    };
    let mut writer = Writer {
        g,
        layout,
        lines: Vec::new(),
    };
    if let Tree::Fields(of) = tree {
        writer.write_fields(of, 0);
    }
    let mut text = writer.lines.join("\n");
    text.push('\n');
    text
}

/// One or more objects; of 100 lines, `oddness` get something that a formatter would not write.
pub fn file(g: &mut Generator, oddness: usize) -> String {
    let count = if g.chance(70) { 1 } else { 2 + g.below(3) };
    let mut text = String::new();
    if g.chance(30) {
        text.push_str("---\n");
    }
    for number in 0..count {
        if number > 0 {
            text.push_str(match g.below(12) {
                0 => "---  # next\n",
                1 => "---\n\n",
                2 => "---\n---\n",
                _ => "---\n",
            });
        }
        if g.chance(10) {
            text.push_str("# top of the document\n\n");
        }
        let object = object(g);
        text.push_str(&write_document(g, &object, oddness));
    }
    match g.below(30) {
        0 => text.push_str("# the end\n"),
        1 => text.push_str("\n# the end\n\n"),
        2 => text.push_str("---\n"),
        3 => text = text.trim_end_matches('\n').to_owned(),
        4 => text = text.replace('\n', "\r\n"),
        5 => text.push_str("\n\n"),
        _ => {}
    }
    text
}

/// A file as it is found in repositories: one or more Kubernetes objects with markers.
pub fn ordinary_manifest(g: &mut Generator) -> String {
    let oddness = g.below(20);
    file(g, oddness)
}
