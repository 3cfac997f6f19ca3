//! Rewrites files as the libraries do that the controller is built from: generated manifests and generated YAML of every kind.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use imageauto::controllers::setters::{SetterPolicy, Setters, SourceFile, update};
use imageauto::yaml::round_trip;
use serde_json::{Value, json};

use crate::cluster::programs::go_program;
use crate::oracle::generator::Generator;

const NAMESPACE: &str = "imageauto-test";

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
fn marker(g: &mut Generator) -> String {
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
        &"@daily",
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

fn file(g: &mut Generator, oddness: usize) -> String {
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

/// YAML that nobody writes: odd layouts, broken lines, and heaps of what the language allows.
pub fn hard_yaml(g: &mut Generator) -> String {
    match g.below(5) {
        0 => {
            let oddness = 30 + g.below(60);
            file(g, oddness)
        }
        1 => {
            let file = ordinary_manifest(g);
            damaged(g, &file)
        }
        2 => {
            let file = soup(g);
            damaged(g, &file)
        }
        3 => flow_document(g),
        _ => soup(g),
    }
}

/// The text with some lines moved, repeated, cut or changed.
fn damaged(g: &mut Generator, text: &str) -> String {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for _ in 0..1 + g.below(6) {
        let at = g.below(lines.len());
        match g.below(9) {
            0 => {
                lines.remove(at);
            }
            1 => {
                let copy = lines[at].clone();
                lines.insert(at, copy);
            }
            2 => lines[at].insert_str(0, *g.pick(&[&" ", &"  ", &"    ", &"- ", &"\t"])),
            3 => {
                let cut = lines[at].trim_start().to_owned();
                lines[at] = cut;
            }
            4 => lines[at].push_str(*g.pick(&[
                &" # c", &"#", &":", &" |", &" >", &",", &" &a", &" !t", &"\t", &" ", &" *a", &"]",
            ])),
            5 => {
                let piece = fragment(g);
                lines[at].push_str(&piece);
            }
            6 => {
                let column = g.below(8);
                let piece = fragment(g);
                lines.insert(at, format!("{}{piece}", " ".repeat(column)));
            }
            7 => lines.insert(at, String::new()),
            _ => {
                let column = g.below(8);
                let comment = if g.chance(30) {
                    marker(g)
                } else {
                    "# c".to_owned()
                };
                lines.insert(at, format!("{}{comment}", " ".repeat(column)));
            }
        }
        if lines.is_empty() {
            lines.push(String::new());
        }
    }
    lines.join("\n")
}

/// Lines of every kind at columns that mostly fit.
fn soup(g: &mut Generator) -> String {
    let mut text = (*g.pick(&[
        &"",
        &"",
        &"",
        &"",
        &"---\n",
        &"\u{FEFF}",
        &"# top\n\n",
        &"%YAML 1.1\n---\n",
    ]))
    .to_owned();
    let mut column = 0;
    for number in 0..2 + g.below(14) {
        let indent = if g.chance(12) { g.below(7) } else { column };
        let piece = if number == 0 {
            format!("k{}:", g.below(9))
        } else {
            fragment(g)
        };
        text.push_str(&" ".repeat(if number == 0 { 0 } else { indent }));
        text.push_str(&piece);
        if g.chance(15) {
            let comment = if g.chance(60) {
                marker(g)
            } else {
                "# c".to_owned()
            };
            text.push_str(*g.pick(&[&" ", &"  ", &"\t"]));
            text.push_str(&comment);
        }
        text.push_str(match g.below(40) {
            0 => "\r\n",
            1 => "\r",
            2 => "\n\n\n",
            3 => "\u{2028}",
            4 => "\u{85}",
            5..8 => "\n\n",
            _ => "\n",
        });
        let opens = piece.ends_with(':') || piece.ends_with('-') || piece.ends_with('?');
        if number == 0 || opens && g.chance(80) {
            column += if number == 0 && !g.chance(80) { 0 } else { 2 };
        } else if g.chance(25) {
            column = column.saturating_sub(2);
        }
    }
    text
}

/// A line, or a part of one.
fn fragment(g: &mut Generator) -> String {
    let key = *g.pick(&[
        &"a", &"b", &"\"q\"", &"'s'", &"metadata", &"annotations", &"<<", &"*x", &"&y c", &"!t d", &"? e", &"kind",
        &"[f]", &"a b", &"1", &"true", &"null", &"~", &"caf\u{e9}", &"\"\\n\"", &"items", &"spec", &"{g: 1}",
        &"a-very-long-key-that-is-longer-than-the-hundred-and-twenty-eight-bytes-that-a-key-may-have-when-it-stands-without-a-question-mark-x",
    ]);
    match g.below(12) {
        0..4 => format!("{key}: {}", scalar(g)),
        4 | 5 => format!("{key}:"),
        6 => format!("- {}", scalar(g)),
        7 => format!("- {key}: {}", scalar(g)),
        8 => {
            let comment = if g.chance(40) {
                marker(g)
            } else {
                "# comment".to_owned()
            };
            comment
        }
        9 => scalar(g),
        10 => format!("- - {}", scalar(g)),
        _ => (*g.pick(&[
            &"-",
            &"- #c",
            &"? a",
            &": b",
            &"- ? x",
            &"...",
            &"---",
            &"--- # c",
            &"",
            &"#",
            &"- &x",
            &"- !t",
            &"? - a",
            &": - b",
            &"? |",
            &"- |",
            &"{{ if .x }}",
            &"- [",
            &"]",
            &"}",
            &"a: {",
            &"a: [",
            &",",
        ]))
        .to_owned(),
    }
}

fn scalar(g: &mut Generator) -> String {
    if g.chance(15) {
        return flow(g, 3);
    }
    if g.chance(15) {
        return text_of_characters(g);
    }
    let value = *g.pick(&[
        &"v",
        &"two words",
        &"\"d\"",
        &"'s'",
        &"\"a\\tb\"",
        &"\"\\u263a \\U0001F600 \\x41\"",
        &"'it''s'",
        &"|",
        &">",
        &"|-",
        &">-",
        &"|+",
        &">+",
        &"|2",
        &">1",
        &"|-3",
        &"|\n  x\n\n  y\n",
        &">\n  p q\n\n  r\n    s\n  t\n",
        &"|+\n  k\n\n",
        &"null",
        &"~",
        &"",
        &"1",
        &"1.5",
        &"0x1f",
        &"1e400",
        &"2024-01-01",
        &"2024-1-2 3:4:5.6",
        &"yes",
        &"<<",
        &"&x v",
        &"*x",
        &"!t v",
        &"!!str 5",
        &"!!int \"5\"",
        &"!<tag:x,2000:y> z",
        &"! w",
        &"&x !t v",
        &"!t &x v",
        &"!!null",
        &"!!map",
        &"a: b",
        &"a:b",
        &"a #b",
        &"a# b",
        &"-",
        &"- x",
        &"-x",
        &"?x",
        &":x",
        &"@x",
        &"`x",
        &"%x",
        &"x\ty",
        &"\u{1F600}",
        &"\"x\n  y\"",
        &"'x\n\n  y'",
        &"x\n    y",
        &"x\n\n    y",
        &"\"x\\\n  y\"",
        &"\"\\/\"",
        &"\"unended",
        &"{{ x }}",
        &"\u{FEFF}x",
        &"\"\\uFEFFx\"",
        &"a\u{2028}b",
        &"\"a\u{85}b\"",
        &"\"\\0\\a\\b\\e\\f\\n\\r\\t\\v\\N\\_\\L\\P\\\\\\\"\"",
        &"&a",
        &"!t",
        &"!!seq []",
        &"x ",
        &"\" x\"",
    ]);
    (*value).to_owned()
}

/// Quoted, plain or block text of random characters.
fn text_of_characters(g: &mut Generator) -> String {
    let mut body = String::new();
    for _ in 0..1 + g.below(8) {
        body.push_str(*g.pick(&[
            &"a",
            &"b",
            &" ",
            &"  ",
            &":",
            &": ",
            &"#",
            &" #",
            &"-",
            &"'",
            &"\"",
            &"\\n",
            &"\t",
            &"\n  ",
            &"\n\n  ",
            &",",
            &"[",
            &"]",
            &"{",
            &"}",
            &"?",
            &"!",
            &"&",
            &"*",
            &"|",
            &">",
            &"%",
            &"@",
            &"\u{e9}",
            &"\u{1F600}",
            &"\u{A0}",
            &"\u{2028}",
            &"0",
            &".",
        ]));
    }
    match g.below(4) {
        0 => format!("\"{}\"", body.replace('"', "\\\"")),
        1 => format!("'{}'", body.replace('\'', "''")),
        2 => format!(
            "{}\n      {body}\n",
            g.pick(&["|", ">", "|+", ">-", "|2", ">+"])
        ),
        _ => body,
    }
}

fn flow_document(g: &mut Generator) -> String {
    let mut text = String::from(*g.pick(&[&"a: ", &"a:\n  ", &"", &"- ", &"a: # c\n  "]));
    text.push_str(&flow(g, 4));
    if g.chance(30) {
        text.push_str(" # after");
    }
    text.push('\n');
    if g.chance(50) {
        let piece = fragment(g);
        text.push_str(&piece);
        text.push('\n');
    }
    text
}

fn flow(g: &mut Generator, depth: usize) -> String {
    let (open, close) = if g.chance(50) { ("[", "]") } else { ("{", "}") };
    let mut text = String::from(open);
    let count = g.below(4);
    for number in 0..count {
        gap(g, &mut text);
        if open == "{" || g.chance(15) {
            let key = *g.pick(&[
                &"a", &"\"b\"", &"c d", &"? e", &"'f'", &"*x", &"&x g", &"[h]", &"",
            ]);
            text.push_str(key);
            if g.chance(85) {
                text.push_str(*g.pick(&[&": ", &": ", &": ", &":", &" : "]));
            }
        }
        if depth > 0 && g.chance(25) {
            let inner = flow(g, depth - 1);
            text.push_str(&inner);
        } else {
            text.push_str(*g.pick(&[
                &"x",
                &"y z",
                &"\"q\"",
                &"'s'",
                &"1",
                &"",
                &"null",
                &"http://h",
                &"foo:v1",
                &"!t v",
                &"&x v",
                &"*x",
                &"|",
                &"-",
                &"- x",
                &"a\n  b",
                &"x:",
            ]));
        }
        gap(g, &mut text);
        if number + 1 < count || g.chance(20) {
            text.push(',');
            if g.chance(20) {
                let comment = if g.chance(60) {
                    marker(g)
                } else {
                    "# c".to_owned()
                };
                text.push_str(&format!(" {comment}\n  "));
            }
        }
    }
    gap(g, &mut text);
    text.push_str(close);
    text
}

/// Blanks, breaks or a comment inside brackets.
fn gap(g: &mut Generator, text: &mut String) {
    match g.below(14) {
        0 => text.push_str("\n  "),
        1 => {
            let comment = if g.chance(60) {
                marker(g)
            } else {
                "# c".to_owned()
            };
            text.push_str(&format!(" {comment}\n  "));
        }
        2 => text.push_str("\n\n  # own\n  "),
        3 => text.push_str("\n  # own\n\n  "),
        4 => text.push_str("  "),
        5..8 => text.push(' '),
        _ => {}
    }
}

/// The program that answers with the original libraries.
struct Original {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Original {
    fn start() -> Option<Self> {
        let mut child = Command::new(go_program("yaml")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("the program answers"));
        Some(Self {
            child,
            questions,
            answers,
        })
    }

    fn ask(&mut self, operation: &str, input: &str) -> Answer {
        let policies: Vec<Value> = policies()
            .into_iter()
            .map(|policy| {
                json!({"namespace": policy.namespace, "name": policy.name, "image": policy.image,
                       "tag": policy.tag, "digest": policy.digest})
            })
            .collect();
        let policies = if operation == "set" {
            policies
        } else {
            Vec::new()
        };
        let question = json!({"op": operation, "input": input, "policies": policies});
        let stdin = self.questions.as_mut().expect("the program reads");
        writeln!(stdin, "{question}").expect("the program reads every question");
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .expect("the program answers every question");
        let answer: Value = serde_json::from_str(&line).expect("an answer is JSON");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let changes = answer["changes"].as_array().cloned().unwrap_or_default();
        Answer {
            output: text(&answer["output"]),
            error: answer["error"].as_str().map(str::to_owned),
            changes: changes
                .iter()
                .map(|change| [text(&change[0]), text(&change[1]), text(&change[2])])
                .collect(),
        }
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.child.wait();
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    output: String,
    changes: Vec<[String; 3]>,
    error: Option<String>,
}

fn our_round_trip(input: &str) -> Answer {
    let written = round_trip(input.as_bytes());
    Answer {
        error: written.as_ref().err().map(ToString::to_string),
        output: written.map_or_else(|_| String::new(), utf8),
        changes: Vec::new(),
    }
}

fn our_update(setters: &Setters, input: &str) -> Answer {
    let files = [SourceFile {
        path: "f.yaml",
        bytes: input.as_bytes(),
    }];
    match update(&files, setters) {
        Err(failure) => Answer {
            output: String::new(),
            changes: Vec::new(),
            error: Some(failure.message),
        },
        Ok(updated) => {
            let written = updated
                .written
                .into_iter()
                .find(|file| file.path == "f.yaml");
            Answer {
                output: written.map_or_else(|| input.to_owned(), |file| utf8(file.bytes)),
                error: None,
                changes: updated
                    .located
                    .into_iter()
                    .map(|change| [change.setter, change.old, change.new])
                    .collect(),
            }
        }
    }
}

fn utf8(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("what is written from UTF-8 is UTF-8")
}

/// What came out of a comparison.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Files asked about.
    pub files: usize,
    /// Files that both refuse to read.
    pub refused: usize,
    /// Files with at least one new value.
    pub changed: usize,
    /// Files that make the original crash.
    pub crashed: usize,
    /// Files that differ, made as small as possible.
    pub differences: Vec<String>,
}

/// Compares files, and shows the first differences.
pub fn compare(files: impl Iterator<Item = String>, most: usize) -> Option<Comparison> {
    let mut original = Original::start()?;
    let setters = Setters::new(&policies()).expect("the policies are valid");
    let mut comparison = Comparison::default();
    for file in files {
        comparison.files += 1;
        match differ(&mut original, &setters, &file) {
            Outcome::Same { refused, changed } => {
                comparison.refused += usize::from(refused);
                comparison.changed += usize::from(changed);
            }
            Outcome::Crash => comparison.crashed += 1,
            Outcome::Different => {
                let small = shrink(&mut original, &setters, file);
                let difference = describe(&mut original, &setters, &small);
                comparison.differences.push(difference);
                if comparison.differences.len() >= most {
                    break;
                }
            }
        }
    }
    Some(comparison)
}

#[derive(PartialEq, Eq)]
enum Outcome {
    Same { refused: bool, changed: bool },
    Crash,
    Different,
}

fn differ(original: &mut Original, setters: &Setters, input: &str) -> Outcome {
    let theirs = original.ask("rt", input);
    if theirs
        .error
        .as_deref()
        .is_some_and(|error| error.starts_with("panic"))
    {
        return Outcome::Crash;
    }
    let ours = our_round_trip(input);
    let refused = theirs.error.is_some();
    if refused != ours.error.is_some() || !refused && theirs.output != ours.output {
        return Outcome::Different;
    }
    if !input.contains("\"$imagepolicy\"") {
        return Outcome::Same {
            refused,
            changed: false,
        };
    }
    let theirs = original.ask("set", input);
    if theirs
        .error
        .as_deref()
        .is_some_and(|error| error.starts_with("panic"))
    {
        return Outcome::Crash;
    }
    let ours = our_update(setters, input);
    if theirs.error != ours.error || theirs.error.is_none() && theirs != ours {
        return Outcome::Different;
    }
    Outcome::Same {
        refused,
        changed: !theirs.changes.is_empty(),
    }
}

/// Takes lines and then characters away as long as the difference stays.
fn shrink(original: &mut Original, setters: &Setters, mut file: String) -> String {
    for by_line in [true, false] {
        let mut at = 0;
        loop {
            let pieces: Vec<&str> = if by_line {
                file.split_inclusive('\n').collect()
            } else {
                file.split_inclusive(|_| true).collect()
            };
            if at >= pieces.len() || !by_line && pieces.len() > 200 {
                break;
            }
            let smaller = [&pieces[..at], &pieces[at + 1..]].concat().concat();
            if differ(original, setters, &smaller) == Outcome::Different {
                file = smaller;
            } else {
                at += 1;
            }
        }
    }
    file
}

fn describe(original: &mut Original, setters: &Setters, input: &str) -> String {
    format!(
        "{input:?}\n  round trip theirs {:?}\n  round trip ours   {:?}\n  set theirs {:?}\n  set ours   {:?}",
        original.ask("rt", input),
        our_round_trip(input),
        original.ask("set", input),
        our_update(setters, input),
    )
}

fn check(name: &str, files: impl Iterator<Item = String>) {
    let Some(comparison) = compare(files, 10) else {
        return;
    };
    assert!(
        comparison.differences.is_empty(),
        "{name}: {} of {} files differ:\n{}",
        comparison.differences.len(),
        comparison.files,
        comparison.differences.join("\n")
    );
    assert!(comparison.changed > 0, "{name}: no value was set");
}

#[test]
fn ordinary_manifests_are_rewritten_alike() {
    let mut g = Generator::new(1);
    check("ordinary", (0..3000).map(|_| ordinary_manifest(&mut g)));
}

#[test]
fn hard_yaml_is_rewritten_alike() {
    let mut g = Generator::new(2);
    check("hard", (0..6000).map(|_| hard_yaml(&mut g)));
}
