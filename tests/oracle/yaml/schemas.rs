//! Comments that are, or nearly are, OpenAPI schemas: the older way to write a setter.

use super::ordinary::NAMESPACE;
use crate::oracle::generator::Generator;

/// A comment in one of the older forms.
pub fn schema_comment(g: &mut Generator) -> String {
    let mut members: Vec<String> = Vec::new();
    if g.chance(60) {
        members.push(format!("{}: {}", name(g, "$ref"), reference(g)));
    }
    if g.chance(60) {
        members.push(format!("{}: {}", name(g, "x-k8s-cli"), extension(g)));
    }
    for _ in 0..g.below(3) {
        members.push(member(g));
    }
    if g.chance(8) {
        let older = g.pick(&[
            "{\"setBy\": 1}",
            "{\"setBy\": \"a\"}",
            "{\"SETBY\": null, \"partialSetters\": [{\"name\": \"a\"}, null]}",
            "{\"partialSetters\": [{\"value\": 1}]}",
            "{\"partialsetters\": {}}",
            "{\"setter\": {\"name\": \"a\", \"x\": 1}}",
            "{\"setter\": 1}",
            "5",
            "null",
        ]);
        members.push(format!("\"x-kustomize\": {older}"));
    }
    if members.len() > 1 && g.chance(20) {
        members.swap(0, 1);
    }
    let separator = g.pick(&[", ", ",", " , "]);
    let mut text = format!("{{{}}}", members.join(separator));
    if g.chance(5) {
        let length = g.below(text.chars().count());
        text = text.chars().take(length).collect();
    }
    let behind = g.pick(&["", "", "", "", " junk", "}", " {}", " "]);
    format!("# {text}{behind}")
}

fn name(g: &mut Generator, name: &str) -> String {
    match g.below(20) {
        0 => format!("\"{}\"", name.to_uppercase()),
        1 => format!("\"{}\"", name.replacen(['x', '$'], "\\u0078", 1)),
        2 => format!("\"{name}x\""),
        _ => format!("\"{name}\""),
    }
}

fn reference(g: &mut Generator) -> String {
    let setter = g.pick(&[
        "app",
        "web:tag",
        "day:tag",
        "build",
        "exp:tag",
        "octal:tag",
        "pinned:digest",
        "gone",
    ]);
    let prefix = "/definitions/io.k8s.cli.setters.";
    let target = match g.below(16) {
        0 => String::new(),
        1 => "#".to_owned(),
        2 => "#/".to_owned(),
        3 => "#/definitions".to_owned(),
        4 => format!("#{prefix}{NAMESPACE}:{setter}/x-k8s-cli"),
        5 => format!("#{prefix}{NAMESPACE}:{setter}/type"),
        6 => format!("http://h/p#{prefix}{NAMESPACE}:{setter}"),
        7 => format!("{prefix}{NAMESPACE}:{setter}"),
        8 => format!(
            "#{}",
            format!("{prefix}{NAMESPACE}:{setter}").replace(':', "%3A")
        ),
        9 => format!("#{prefix}{NAMESPACE}%zz:{setter}"),
        10 => "#/definitions/io.k8s.cli.substitutions.x".to_owned(),
        11 => "#x".to_owned(),
        12 => format!("#{prefix}{NAMESPACE}:{setter}~0"),
        _ => format!("#{prefix}{NAMESPACE}:{setter}"),
    };
    match g.below(20) {
        0 => "5".to_owned(),
        1 => "null".to_owned(),
        2 => "\"http://[\"".to_owned(),
        _ => format!("\"{target}\""),
    }
}

fn extension(g: &mut Generator) -> String {
    if g.chance(12) {
        return scalar(g).to_owned();
    }
    let name_of = |g: &mut Generator, name: &str| match g.below(12) {
        0 => name.to_uppercase(),
        1 => format!("{}{}", name[..1].to_uppercase(), &name[1..]),
        2 => name.replacen('s', "\u{17f}", 1),
        _ => name.to_owned(),
    };
    let mut parts = Vec::new();
    for (field, values) in [
        (
            "name",
            [
                "\"n\"",
                "\"imageauto-test:app\"",
                "\"imageauto-test:web:tag\"",
                "\"\"",
            ],
        ),
        ("value", ["\"v2\"", "\"1.0\"", "\"\"", "\"on\""]),
    ] {
        if g.chance(90) {
            let key = name_of(g, field);
            let value = if g.chance(12) {
                scalar(g)
            } else {
                g.pick(&values.map(|value| value))
            };
            parts.push(format!("\"{key}\":{value}"));
        }
    }
    if g.chance(10) {
        parts.push("\"other\": [1, {\"a\": null}]".to_owned());
    }
    let setter = name_of(g, "setter");
    let inner = if g.chance(8) {
        scalar(g).to_owned()
    } else {
        format!("{{{}}}", parts.join(","))
    };
    let more = g.pick(&[
        "",
        "",
        "",
        ",\"enumValues\":{\"a\":\"b\"}",
        ",\"SETTER\":{\"value\":\"w\"}",
        ",\"setter\":null",
    ]);
    format!("{{\"{setter}\":{inner}{more}}}")
}

fn member(g: &mut Generator) -> String {
    let key = g.pick(&[
        "type",
        "type",
        "type",
        "format",
        "description",
        "title",
        "id",
        "pattern",
        "$schema",
        "nullable",
        "maximum",
        "exclusiveMaximum",
        "minLength",
        "maxItems",
        "uniqueItems",
        "multipleOf",
        "enum",
        "required",
        "items",
        "allOf",
        "not",
        "properties",
        "additionalProperties",
        "additionalItems",
        "patternProperties",
        "dependencies",
        "definitions",
        "discriminator",
        "readOnly",
        "externalDocs",
        "example",
        "default",
        "x-other",
        "X-k8s-cli",
        "other",
        "Type",
        "minProperties",
    ]);
    let value = match (key, g.below(10)) {
        ("type", 0..6) => g.pick(&[
            "\"string\"",
            "\"integer\"",
            "\"number\"",
            "\"boolean\"",
            "\"object\"",
            "[\"string\"]",
            "[\"string\",\"null\"]",
            "[]",
        ]),
        ("format", 0..5) => g.pick(&["\"int-or-string\"", "\"byte\""]),
        ("$schema", 0..5) => g.pick(&["\"http://json-schema.org\"", "\":\"", "\"%\""]),
        ("externalDocs", 0..5) => g.pick(&["{\"url\": \"x\"}", "{\"url\": 1}", "{\"other\": 1}"]),
        ("items" | "allOf" | "not" | "properties" | "dependencies" | "definitions", 0..6) => g
            .pick(&[
                "{\"type\": \"string\"}",
                "[{\"type\": 1}]",
                "[{}, {\"not\": {\"maximum\": \"x\"}}]",
                "{\"a\": {\"enum\": [1]}}",
                "{\"a\": [\"b\"]}",
                "{\"a\": [1]}",
                "[null]",
                "{\"a\": {\"$ref\": \"%zz\"}}",
                "{\"a\": 5}",
            ]),
        _ => scalar(g),
    };
    format!("\"{key}\": {value}")
}

fn scalar(g: &mut Generator) -> &'static str {
    g.pick(&[
        "null",
        "true",
        "false",
        "1",
        "-1",
        "1.0",
        "1e2",
        "9223372036854775808",
        "1e999",
        "\"\"",
        "\"x\"",
        "[]",
        "{}",
        "[1]",
        "[\"a\"]",
        "[null]",
        "{\"a\": 1, \"a\": 2}",
        "\"\\ud800\"",
        "\"\\u0041\"",
        "[[[[[]]]]]",
        "01",
        "nul",
        "{\"setter\": 5}",
    ])
}
