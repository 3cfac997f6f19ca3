//! Lists with items that are to be written as JSON, which hold values of every kind.

use super::ordinary::marker;
use crate::oracle::generator::Generator;

/// A `List` whose items name files of JSON. Which of several files fails first is random, so that there is only one where any may.
pub fn json_items(g: &mut Generator, tame: bool) -> String {
    let mut text = "apiVersion: v1\nkind: List\nitems:\n".to_owned();
    if g.chance(10) {
        text = "apiVersion: v1\nkind: List\nshared: &out {a: 1}\nitems:\n".to_owned();
    }
    let tame = tame || g.chance(20);
    let count = if tame { 1 + g.below(3) } else { 1 };
    for _ in 0..count {
        let item = item(g, tame);
        let mut first = true;
        for line in item.lines() {
            text += if first { "- " } else { "  " };
            first = false;
            text += line;
            text.push('\n');
        }
    }
    text
}

fn item(g: &mut Generator, tame: bool) -> String {
    let odd = g.pick(&[
        "x.json",
        "x.json",
        "x.json",
        "x.json",
        "x.json",
        "x.json",
        "x.json",
        "d/x.json",
        ".json",
        "\"y.json\"",
        "x.JSON",
        "x.json.yaml",
        "./x.json",
        "x.json/",
        "x.yaml",
        "json",
        "a b.json",
    ]);
    // No file by two names.
    let path = if tame {
        g.pick(&["x.json", "y.json", "d/x.json", "x.yaml"])
    } else {
        odd
    };
    let key = g.pick(&[
        "config.kubernetes.io/path",
        "config.kubernetes.io/path",
        "internal.config.kubernetes.io/path",
    ]);
    let comment = if g.chance(3) {
        marker(g)
    } else {
        String::new()
    };
    let mut parts = vec![
        "apiVersion: v1\nkind: Pod\n".to_owned(),
        format!("metadata:\n  name: web\n  annotations:\n    {key}: {path} {comment}\n"),
    ];
    let mut wild = Wild::new(g, tame);
    let old = if wild.is_wild(g) {
        g.pick(&[
            "!!int 5",
            "!!binary aGk=",
            "!!float 1.5",
            "!!str 1",
            "!t x",
            "!!bool true",
            "2024-01-01",
        ])
    } else if tame {
        g.pick(&["a:v1", "'x'"])
    } else {
        g.pick(&["a:v1", "\"1\"", "1", "'x'", "1.0"])
    };
    parts.push(format!("image: {old} {}\n", marker(g)));
    for _ in 0..g.below(6) {
        parts.push(field(g, &mut wild, 0));
    }
    if g.chance(40) {
        let at = g.below(parts.len());
        let part = parts.remove(at);
        parts.push(part);
    }
    parts.concat()
}

/// How often something is written that may well fail, and the anchors so far.
struct Wild {
    percent: usize,
    tame: bool,
    anchors: Vec<String>,
    keys: usize,
}

impl Wild {
    fn new(g: &mut Generator, tame: bool) -> Self {
        Self {
            percent: if tame {
                0
            } else {
                *g.pick(&[&0, &0, &2, &5, &30])
            },
            tame,
            anchors: Vec::new(),
            keys: 0,
        }
    }

    fn is_wild(&self, g: &mut Generator) -> bool {
        self.percent > 0 && g.chance(self.percent)
    }
}

fn key(g: &mut Generator, wild: &mut Wild) -> String {
    wild.keys += 1;
    if wild.is_wild(g) {
        return g
            .pick(&[
                "1",
                "1",
                "true",
                "~",
                "null",
                "1.5",
                "'1'",
                "a",
                "a",
                "b",
                "? [a]\n",
                "? {a: b}\n",
                "? []\n",
                "!!str 1",
                "!!binary aGk=",
                "!t a",
                "&k c",
                "*k ",
                "2024-01-01",
                "!!null x",
                "''",
                ".nan",
                "<<",
                "'<<'",
                "!!merge a",
                "!!str <<",
                "!!int 1",
                "0x1",
                "-0.0",
                "!!binary /w==",
                "? {1: [a, .5, ~]}\n",
                "? - a\n",
                "? !t {}\n",
                "? !!str [a]\n",
                "18446744073709551615",
                "!!binary \"?\"",
                "!!float 1",
                "2024-01-01T00:00:00+00:00",
                "2024-01-01T00:00:00+01:00",
                "? |\n  x\n",
                "\"a\\nb\"",
            ])
            .to_owned();
    }
    if !wild.tame && g.chance(10) {
        return g
            .pick(&[
                "<<",
                "<",
                "&a>",
                "\u{e9}",
                "z z",
                "'q'",
                "\"\\u2028\"",
                "B",
                "a.b/c",
                "\"\\x01\"",
                "\u{1F600}",
            ])
            .replace('&', "");
    }
    format!("{}{}", g.pick(&["a", "b", "Z", "k", "_"]), wild.keys)
}

fn field(g: &mut Generator, wild: &mut Wild, depth: usize) -> String {
    let key = key(g, wild);
    let (key, colon) = match key.strip_suffix('\n') {
        Some(key) => (key.to_owned(), "\n:"),
        None => (key, ":"),
    };
    let is_merge = key == "<<";
    let value = if is_merge && !wild.is_wild(g) {
        merged(g, wild)
    } else {
        value(g, wild, depth)
    };
    let mut text = format!("{key}{colon}{value}\n");
    if g.chance(5) {
        text = format!("# above\n{text}");
    }
    if g.chance(5) {
        text += "# below\n\n";
    }
    text
}

fn merged(g: &mut Generator, wild: &mut Wild) -> String {
    match g.below(5) {
        0 => " {b1: merged, B: [1], 1: x}".to_owned(),
        1 => " [{a1: x, k2: y}, {k2: z, <<: {q: 1}}]".to_owned(),
        2 => " [[{a: b}]]".to_owned(),
        _ => match wild.anchors.len() {
            0 => " {a1: m, z: n}".to_owned(),
            count => format!(" *{}", wild.anchors[g.below(count)]),
        },
    }
}

/// A value with what stands before it.
fn value(g: &mut Generator, wild: &mut Wild, depth: usize) -> String {
    let mut before = " ".to_owned();
    if g.chance(8) {
        let name = format!("n{}", wild.anchors.len());
        before += &format!("&{name} ");
        wild.anchors.push(name);
    } else if !wild.anchors.is_empty() && !wild.tame && g.chance(15) {
        return format!(" *{}", wild.anchors[g.below(wild.anchors.len())]);
    }
    if wild.is_wild(g) && g.chance(10) {
        return g
            .pick(&[" *out", " *none", " !!map", " !!seq x", " !!seq"])
            .to_owned();
    }
    match g.below(12) {
        0 | 1 if depth < 3 => {
            let mut text = before.trim_end().to_owned();
            for _ in 0..1 + g.below(3) {
                let field = field(g, wild, depth + 1);
                text += "\n";
                text += &indented(field.trim_end_matches('\n'), "  ");
            }
            text
        }
        2 | 3 if depth < 3 => {
            let mut text = before.trim_end().to_owned();
            for _ in 0..1 + g.below(3) {
                let item = value(g, wild, depth + 1);
                text += "\n  -";
                text += &item.replace('\n', "\n  ");
            }
            text
        }
        4 => {
            before
                + g.pick(&[
                    "{}",
                    "[]",
                    "{a: 1, b: [x, ~]}",
                    "[1, [2, {c: d}]]",
                    "{? a, b: }",
                    "[a: b]",
                    "{\"a\":\"b\"}",
                    "[{<<: {a: b}, a: c}]",
                ])
        }
        5 => {
            before
                + g.pick(&[
                    "|\n    a\n    b",
                    "|-\n    <a>\n\n    & b",
                    ">\n    folded\n    text",
                    "|+\n    x\n\n",
                    ">-\n    a\n\n    b",
                    "!!str |\n    1",
                ])
        }
        _ => before + &scalar(g, wild),
    }
}

fn indented(text: &str, pad: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("{pad}{line}")).collect();
    lines.join("\n")
}

fn scalar(g: &mut Generator, wild: &Wild) -> String {
    let text = g.pick(&[
        "x",
        "''",
        "\"\"",
        "",
        "~",
        "null",
        "NULL",
        "true",
        "False",
        "yes",
        "off",
        "y",
        "0",
        "-0",
        "+5",
        "007",
        "0o17",
        "0x1F",
        "0b101",
        "-0b11",
        "1_000",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "1.0",
        "1.50",
        "-1.5e3",
        "1e21",
        "1e20",
        "1e-6",
        "1e-7",
        "1e+300",
        "5e-324",
        ".5",
        "+.5",
        "5.",
        ".1_0",
        "1_0.5",
        "123456789.125",
        "-0.0",
        "0.1",
        "08",
        "09.5",
        "1:30",
        "2024-01-01",
        "2024-1-2",
        "2024-01-01T1:2:3Z",
        "2024-01-01t01:02:03.5+01:00",
        "2024-01-01 1:2:3,25",
        "2024-01-01T00:00:00.120-07:30",
        "2024-01-01T00:00:00+00:00",
        "0000-01-01",
        "9999-12-31T23:59:59.999999999Z",
        "2024-02-30",
        "2024-01-01T00:00:00+23:60",
        "2024-01-01T00:00:00.1234567890123Z",
        "'1'",
        "\"1.5\"",
        "'a''b'",
        "\"\\u00e9\\n\\t\\\"\\\\\\/\"",
        "\"<&>\\u2028\\u2029\"",
        "\"\\x00\\x1f\\x7f\"",
        "\u{e9}\u{1F600}",
        "a b  c",
        "\"a\\\n      b\"",
        "'multi\n\n      line'",
        "a\n      b",
        "<<",
        "=",
        "0x",
        "0xFFFFFFFFFFFFFFFFF",
        "1e400",
        "0x1p4",
        "\"\\ufeff\"",
        "\"\\u0085\"",
        "\"\\ud7ff\\ufffd\"",
        "!",
        "! x",
        "! 1",
    ]);
    if !text.starts_with('!') && g.chance(8) || wild.is_wild(g) && !text.starts_with('!') {
        let tag = if wild.is_wild(g) {
            g.pick(&[
                "!!int",
                "!!float",
                "!!bool",
                "!!null",
                "!!timestamp",
                "!!binary",
                "!!str",
                "!!seq",
                "!!merge",
                "!local",
                "!!set",
                "!<tag:yaml.org,2002:int>",
                "!<x>",
            ])
        } else {
            g.pick(&["!!str", "!local", "!!foo"])
        };
        return format!("{tag} {text}");
    }
    if !wild.tame && g.chance(5) {
        return g
            .pick(&[
                "!!binary aGVsbG8=",
                "!!binary /w==",
                "!!binary \"aGVs\\nbG8=\"",
                "!!float 1",
                "!!float .inf",
                "!!float 1e5",
                "!!int \"5\"",
                "!!bool \"true\"",
                "!!null \"\"",
                "!!timestamp '2024-01-01'",
                "!!float 5",
                "!!int 0x10",
                ".nan",
                "-.inf",
                "2024-01-01T00:00:00+24:00",
                "!!float 18446744073709551615",
            ])
            .to_owned();
    }
    text.to_owned()
}
