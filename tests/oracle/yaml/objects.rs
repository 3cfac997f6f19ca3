//! Objects whose `metadata` is anything but ordinary, and lists of objects.

use super::hard::hard_yaml;
use super::items::json_items;
use super::ordinary::{NAMESPACE, marker, ordinary_manifest};
use crate::oracle::generator::Generator;

/// A file of objects that are odd where the library keeps its notes.
pub fn odd_objects(g: &mut Generator) -> String {
    let mut text = String::new();
    let count = 1 + g.below(3);
    for number in 0..count {
        if number > 0 {
            text += g.pick(&["---\n", "---\n", "--- # c\n", "---\n---\n"]);
        }
        if g.chance(15) {
            text += &ordinary_manifest(g);
            if !text.ends_with('\n') {
                text.push('\n');
            }
            continue;
        }
        text += &object(g, 0);
    }
    if g.chance(5) {
        text.push_str("---\n");
    }
    text
}

/// A `List` of objects, or something like one.
pub fn list(g: &mut Generator) -> String {
    let mut text = String::new();
    if g.chance(90) {
        text += "apiVersion: v1\n";
    }
    text += &format!(
        "kind: {}\n",
        g.pick(&[
            "List",
            "List",
            "List",
            "List",
            "ResourceList",
            "PodList",
            "\"List\"",
            "list"
        ])
    );
    if g.chance(20) {
        text += &metadata(g, 0);
    }
    text += g.pick(&[
        "items:\n",
        "items:\n",
        "items:\n",
        "items:\n",
        "items: # c\n",
        "functionConfig:\n",
        "items: !!null\n",
        "Items:\n",
    ]);
    let column = 2 * g.below(2);
    for _ in 0..g.below(5) {
        let item = match g.below(10) {
            0 => g
                .pick(&[
                    "x\n",
                    "[a]\n",
                    "null\n",
                    "{}\n",
                    "~ # c\n",
                    "!!null [a]\n",
                    "[[b]]\n",
                    "*x\n",
                ])
                .to_owned(),
            1 => format!("image: a:v1 {}\n", marker(g)),
            _ => object(g, 0),
        };
        let mut first = true;
        for line in item.lines() {
            text += &" ".repeat(column);
            text += if first { "- " } else { "  " };
            first = false;
            text += line;
            text.push('\n');
        }
    }
    if g.chance(6) {
        text.push_str("---\n");
    }
    if g.chance(4) {
        text.push_str(&hard_yaml(g));
    }
    text
}

/// One object; without text before it.
fn object(g: &mut Generator, column: usize) -> String {
    let pad = " ".repeat(column);
    let mut parts: Vec<String> = Vec::new();
    if g.chance(80) {
        parts.push(format!(
            "{pad}apiVersion: {}\n",
            g.pick(&["v1", "apps/v1", "\"\"", "~", "[a]"])
        ));
    }
    if g.chance(80) {
        parts.push(format!(
            "{pad}kind: {}\n",
            g.pick(&["Pod", "Deployment", "\u{130}X", "", "{a: b}", "\"x/y\""])
        ));
    }
    parts.push(metadata(g, column));
    if g.chance(12) {
        parts.push(metadata(g, column));
    }
    let value = g.pick(&["a:v1", "\"1\"", "1", "~", "'x'"]);
    parts.push(format!("{pad}image: {value} {}\n", marker(g)));
    if g.chance(10) {
        let wrapped = g.pick(&[
            "\n  - a # c\n  - b\n",
            " [x]\n",
            "\n",
            " {}\n",
            " x\n",
            "\n  # c\n  a: b\n",
        ]);
        parts.push(format!("{pad}bareSeqNodeWrappingKey:{wrapped}"));
    }
    if g.chance(30) {
        let at = g.below(parts.len());
        let part = parts.remove(at);
        parts.push(part);
    }
    if g.chance(10) {
        parts.insert(g.below(parts.len()), format!("{pad}# c\n"));
    }
    let root = if g.chance(3) { "!!null\n" } else { "" };
    root.to_owned() + &parts.concat()
}

fn metadata(g: &mut Generator, column: usize) -> String {
    let pad = " ".repeat(column);
    let key = g.pick(&[
        "metadata",
        "metadata",
        "metadata",
        "metadata",
        "\"metadata\"",
        "&m metadata",
        "!!str metadata",
        "*metadata ",
        "!!null metadata",
    ]);
    match g.below(12) {
        0 => {
            let value = g.pick(&[
                "",
                " {}",
                " null",
                " ~ # c",
                " x",
                " \"\"",
                " [a]",
                " []",
                " *x",
                " !!null",
                " !!null x",
                " !!null {a: b}",
                " !!null {annotations: {}}",
                " !!null [annotations, {}]",
                " !!null [a, b, c]",
                " !!null [metadata]",
                " !!map",
                " |\n  x",
                " &x",
                " !!null {annotations: {config.kubernetes.io/path: x}}",
            ]);
            format!("{pad}{key}:{value}\n")
        }
        1 => format!("{pad}{key}:\n{pad}  # only a comment\n"),
        _ => {
            let mut text = format!(
                "{pad}{key}:{}\n",
                g.pick(&["", "", "", " # c", " &m", " !!map"])
            );
            let mut parts = Vec::new();
            if g.chance(60) {
                let name = g.pick(&[
                    "web", "\"\"", "~", "[a]", "a/b", "..", "x..y", "../up", "*n", "1",
                ]);
                let comment = if g.chance(10) {
                    marker(g)
                } else {
                    String::new()
                };
                parts.push(format!("{pad}  name: {name} {comment}\n"));
            }
            if g.chance(40) {
                parts.push(format!(
                    "{pad}  namespace: {}\n",
                    g.pick(&["shop", "", "..", "a/b", "/abs", "null"])
                ));
            }
            if g.chance(15) {
                parts.push(format!(
                    "{pad}  labels: {}\n",
                    g.pick(&["{}", "{a: b}", "x", "[]", "~"])
                ));
            }
            if g.chance(70) {
                parts.push(annotations(g, column + 2));
            }
            if g.chance(8) {
                parts.push(annotations(g, column + 2));
            }
            if parts.is_empty() {
                parts.push(format!("{pad}  name: web\n"));
            }
            if g.chance(30) {
                parts.reverse();
            }
            text += &parts.concat();
            text
        }
    }
}

fn annotations(g: &mut Generator, column: usize) -> String {
    let pad = " ".repeat(column);
    let key = g.pick(&[
        "annotations",
        "annotations",
        "annotations",
        "annotations",
        "'annotations'",
        "&n annotations",
        "? annotations\n    ",
    ]);
    if g.chance(25) {
        let value = g.pick(&[
            "",
            " {}",
            " null",
            " x",
            " []",
            " [a]",
            " *x",
            " !!null",
            " !!null {a: b}",
            " !!null [a]",
            " !!null [a, b]",
            " # c",
            " !!map {}",
            " !!null {config.kubernetes.io/index: '3'}",
        ]);
        return format!("{pad}{key}:{value}\n");
    }
    let mut text = format!("{pad}{key}:\n");
    for _ in 0..1 + g.below(4) {
        let key = g.pick(&[
            "note",
            "config.kubernetes.io/path",
            "config.kubernetes.io/path",
            "internal.config.kubernetes.io/path",
            "config.kubernetes.io/index",
            "internal.config.kubernetes.io/index",
            "config.k8s.io/id",
            "internal.config.kubernetes.io/id",
            "internal.config.kubernetes.io/seqindent",
            "internal.config.kubernetes.io/annotations-migration-resource-id",
            "'config.k8s.io/id'",
            "!!null config.k8s.io/id",
            "&k config.kubernetes.io/index",
            "internal.config.kubernetes.io/other",
            "config.kubernetes.io/local-config",
        ]);
        let value = g.pick(&[
            "f.yaml",
            "f.yaml",
            "'f.yaml'",
            "\"g.yaml\"",
            "other.yaml",
            "a/b.yaml",
            "0",
            "'1'",
            "-1",
            "x",
            "99999999999999999999",
            "",
            "~",
            "''",
            "wide",
            "compact",
            "[a]",
            "{a: b}",
            "!foo \"\"",
            "!!str",
            "*x",
            "&y z",
            "!!null x",
            "../x.yaml",
            "/abs.yaml",
            "d",
            "|-\n        f.yaml",
            "./f.yaml",
            "d/../f.yaml",
            "x.json",
            "x.json",
        ]);
        let comment = if g.chance(25) {
            marker(g)
        } else {
            (*g.pick(&[&"", &"", &"# c"])).to_owned()
        };
        text += &format!("{pad}  {key}: {value} {comment}\n");
    }
    text
}

/// The files of a whole run, most of them with a marker.
pub fn run_files(g: &mut Generator) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<&str> = vec![
        "a/b.yaml",
        "a.yaml",
        "f.yaml",
        "g.yaml",
        "other.yaml",
        "shop/pod_web.yaml",
        "shop/deployment_web.yaml",
        "pod_web.yaml",
        "d/x.yaml",
        "a..b.yaml",
        "Kustomization",
        "z.yml",
    ];
    while paths.len() > 4 {
        paths.remove(g.below(paths.len()));
    }
    while paths.len() > 1 && g.chance(35) {
        paths.remove(g.below(paths.len()));
    }
    // The order of the walk: folder by folder.
    paths.sort_by(|left, right| left.split('/').cmp(right.split('/')));
    let mut files = Vec::new();
    for path in paths {
        let text = match g.below(9) {
            8 => json_items(g, true),
            0 => ordinary_manifest(g),
            1 => format!(
                "kind: Pod\nmetadata:\n  name: web\nspec: x # {{\"$imagepolicy\": \"{NAMESPACE}:app\"}}\n"
            ),
            2 | 3 => odd_objects(g),
            4 => hard_yaml(g),
            _ => list(g),
        };
        files.push((path.to_owned(), text.into_bytes()));
    }
    files
}
