//! Templates with something cut, doubled, put in or taken from another one.

use crate::oracle::generator::Generator;

const BITS: &[&str] = &[
    "{{",
    "}}",
    "{{end}}",
    "{{else}}",
    "\"",
    "'",
    "`",
    "(",
    ")",
    "|",
    ".",
    "$",
    "$x",
    ",",
    ":=",
    "=",
    "{{- ",
    " -}}",
    "{{/* a",
    "*/}}",
    "\n",
    "nil",
    "break",
    "{{break}}",
    "{{continue}}",
    "1e",
    "0x",
    "@",
    "\u{e9}",
    "{{template \"part\"}}",
    "{{define \"x\"}}",
    "now",
    "#",
    "1i",
    "'a'",
    "\\",
    " ",
    "{{if true}}",
    "{{range .}}",
    "{{with $y := 1}}",
    "{{else if 1}}",
    "{{block \"b\" .}}",
    "/*",
    "*/",
    "-",
    "+",
    "1.2.3",
    "..",
    ".x.",
    "$.",
    "%",
    "\t",
    "\0",
    "\u{2028}",
    "{{else with 1}}",
    "{{define `d`}}x{{end}}",
    "\\x",
    "''",
    "0b",
    "1_",
    "}}{{",
    "::",
    "! ",
    "e5",
    "{",
    "}",
];

/// The template with one thing wrong.
pub(super) fn damaged(g: &mut Generator, mut template: String) -> String {
    let mut places: Vec<usize> = template.char_indices().map(|(place, _)| place).collect();
    places.push(template.len());
    let place = places[g.below(places.len())];
    match g.below(6) {
        0 => template.truncate(place),
        1 | 2 => template.insert_str(place, g.pick(BITS)),
        3 if place < template.len() => {
            template.remove(place);
        }
        4 => {
            let end = places[g.below(places.len())];
            template.replace_range(place.min(end)..place.max(end), "");
        }
        _ => {
            let tail = template[place..].to_string();
            template.push_str(&tail);
        }
    }
    template
}

/// A template of several others: pieces of them one after the other, a few damaged.
pub(super) fn mixed(g: &mut Generator, templates: &[String]) -> String {
    let mut out = String::new();
    for _ in 0..1 + g.below(3) {
        let piece = templates[g.below(templates.len())].clone();
        out.push_str(&match g.chance(60) {
            true => damaged(g, piece),
            false => piece,
        });
    }
    out
}
