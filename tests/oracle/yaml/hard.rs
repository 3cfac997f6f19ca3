//! YAML of every kind that the language allows, and much that it doesn't.

use super::ordinary::{file, marker, ordinary_manifest};
use crate::oracle::generator::Generator;

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
            2 => lines[at].insert_str(0, g.pick(&[" ", "  ", "    ", "- ", "\t"])),
            3 => {
                let cut = lines[at].trim_start().to_owned();
                lines[at] = cut;
            }
            4 => lines[at].push_str(g.pick(&[
                " # c", "#", ":", " |", " >", ",", " &a", " !t", "\t", " ", " *a", "]",
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
            text.push_str(g.pick(&[" ", "  ", "\t"]));
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
            if g.chance(40) {
                marker(g)
            } else {
                "# comment".to_owned()
            }
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
        body.push_str(g.pick(&[
            "a",
            "b",
            " ",
            "  ",
            ":",
            ": ",
            "#",
            " #",
            "-",
            "'",
            "\"",
            "\\n",
            "\t",
            "\n  ",
            "\n\n  ",
            ",",
            "[",
            "]",
            "{",
            "}",
            "?",
            "!",
            "&",
            "*",
            "|",
            ">",
            "%",
            "@",
            "\u{e9}",
            "\u{1F600}",
            "\u{A0}",
            "\u{2028}",
            "0",
            ".",
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
                text.push_str(g.pick(&[": ", ": ", ": ", ":", " : "]));
            }
        }
        if depth > 0 && g.chance(25) {
            let inner = flow(g, depth - 1);
            text.push_str(&inner);
        } else {
            text.push_str(g.pick(&[
                "x", "y z", "\"q\"", "'s'", "1", "", "null", "http://h", "foo:v1", "!t v", "&x v",
                "*x", "|", "-", "- x", "a\n  b", "x:",
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
