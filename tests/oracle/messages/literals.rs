//! Constants of templates: numbers and texts in all of Go's spellings, and texts that the functions read.

use crate::oracle::generator::Generator;

const WORDS: &[&str] = &[
    "hello world",
    "",
    "a,b,c",
    "FooBar_baz-qux",
    "caf\u{e9} \u{c9}T\u{c9}",
    "raw \\n",
    "-",
    ",",
    " ",
    "a",
    "b",
    "line\nline two",
    "1.2.3",
    "42",
    "0x1f",
    "3.14",
    "The quick brown fox jumps over the lazy dog",
    "HTTPServer2Go",
    "<a href='x'>&\"",
    "\u{4e16}\u{754c}",
    "  padded\t",
    "nan",
    "5.00",
    "-7",
    "abcABC123",
    "\u{1c4}\u{1c5}\u{1f3}",
    "\u{df}\u{130}\u{131}\u{17f}",
    "e\u{301}\u{1f600}\u{200b}",
    "a\r\nb\n\nc",
    "\u{a0}\u{2003}x\u{3000}",
    "\u{10d0}\u{10fd0}\u{1e922}",
    "$1 ${x}",
    "{{.}}",
    "%d%%",
    "true",
    "string",
    "map[string]interface {}",
    "slice",
    "flux-system:checkout",
    "registry.example.com/team/app:1.2.3@sha256:00",
];

/// A text as a constant: quoted with escapes, or raw.
pub(super) fn text(g: &mut Generator) -> String {
    let mut value: Vec<u8> = g.pick(WORDS).as_bytes().to_vec();
    while g.chance(15) {
        value.extend_from_slice(g.pick(WORDS).as_bytes());
    }
    if g.chance(4) {
        let odd: [&[u8]; 7] = [
            b"\xff\xfe",
            b"\xc3",
            b"\0",
            b"\x07\x1b",
            "\u{fffd}".as_bytes(),
            "\u{2028}".as_bytes(),
            "\u{feff}".as_bytes(),
        ];
        value.extend_from_slice(odd[g.below(odd.len())]);
    }
    if g.chance(10) {
        let place = g.below(value.len() + 1);
        value.truncate(place);
    }
    quoted(g, &value)
}

/// The bytes as a constant of Go's.
pub(super) fn quoted(g: &mut Generator, value: &[u8]) -> String {
    let plain = std::str::from_utf8(value).ok();
    if let Some(plain) = plain
        && !plain.contains(['`', '\r', '\0'])
        && g.chance(20)
    {
        return format!("`{plain}`");
    }
    let mut out = String::from("\"");
    let mut rest = value;
    while let Some(first) = rest.first() {
        let valid = match std::str::from_utf8(rest) {
            Ok(valid) => valid,
            Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or(""),
        };
        let Some(character) = valid.chars().next() else {
            out.push_str(&match g.chance(50) {
                true => format!("\\x{first:02x}"),
                false => format!("\\{first:03o}"),
            });
            rest = &rest[1..];
            continue;
        };
        out.push_str(&escaped(g, character));
        rest = &rest[character.len_utf8()..];
    }
    out.push('"');
    out
}

fn escaped(g: &mut Generator, character: char) -> String {
    let code = character as u32;
    match character {
        '"' => "\\\"".into(),
        '\\' => "\\\\".into(),
        '\n' => "\\n".into(),
        '\t' if g.chance(50) => "\\t".into(),
        '\r' => "\\r".into(),
        '\0' => "\\x00".into(),
        '\u{7}' => "\\a".into(),
        _ if code < 0x80 && g.chance(2) => format!("\\{code:03o}"),
        _ if code < 0x80 && g.chance(2) => format!("\\x{code:02X}"),
        _ if code < 0x10000 && g.chance(2) => format!("\\u{code:04x}"),
        _ if g.chance(1) => format!("\\U{code:08X}"),
        _ => character.to_string(),
    }
}

/// A whole number as a constant.
pub(super) fn int(g: &mut Generator) -> String {
    if g.chance(60) {
        return g
            .pick(&[
                "0", "1", "2", "3", "4", "5", "7", "10", "12", "-1", "-2", "-3", "100",
            ])
            .into();
    }
    g.pick(&[
        "0x1F",
        "'a'",
        "0b101",
        "0o17",
        "1_000",
        "1e2",
        "017",
        "+3",
        "-0x8",
        "'\\n'",
        "'\\''",
        "'\\u00e9'",
        "'\u{e9}'",
        "'\\377'",
        "0_7",
        "0X_ff",
        "1e3",
        "2.0",
        "0x1p4",
        "3+0i",
        "4i",
        "9223372036854775807",
        "-9223372036854775808",
        "2147483648",
        "65536",
        "1000000",
        "-0",
        "00",
        "0B1",
        "0O7",
        "0x7fffffffffffffff",
        "1E1",
        "10000",
        "9007199254740993",
    ])
    .into()
}

/// A number with a fraction as a constant.
pub(super) fn float(g: &mut Generator) -> String {
    g.pick(&[
        "0.1",
        "1.5",
        "-2.75",
        "3.0",
        "1e3",
        "1e-7",
        "12345.125",
        "1e21",
        "0.5",
        "2.5",
        "100.0",
        "1.0e100",
        "0x1p4",
        "2",
        "1e4",
        ".5",
        "5.",
        "-.25e-3",
        "1_0.2_5",
        "0x.8p1",
        "0x1.8p-2",
        "1e20",
        "1e-6",
        "1e-5",
        "123456789.0",
        "2.675",
        "1.005",
        "-0.0",
        "1e308",
        "4.9e-324",
        "0.30000000000000004",
        "33.333333333333336",
        "1E+2",
        "-1.5",
        "99999.5",
        "0.05",
        "7",
        "1e15",
        "123456789012345680.0",
    ])
    .into()
}

/// A regular expression, mostly a valid one.
pub(super) fn pattern(g: &mut Generator) -> String {
    let value = match g.below(10) {
        0 => g
            .pick(&[
                "a(b",
                "a**",
                "[z-a]",
                "\\",
                "(?P<n",
                "x{1001}",
                "*",
                "[a",
                "(?i",
                "a{2,1}",
                "\\pX",
                "(?<n>a)(?<n>b)",
            ])
            .to_string(),
        _ => alternation(g, 0),
    };
    quoted(g, value.as_bytes())
}

fn alternation(g: &mut Generator, depth: usize) -> String {
    let mut out = String::new();
    for index in 0..1 + usize::from(g.chance(20)) {
        if index > 0 {
            out.push('|');
        }
        for _ in 0..1 + g.below(3) {
            out.push_str(&match g.below(12) {
                0 | 1 if depth < 2 => {
                    let opening = g
                        .pick(&["(", "(", "(?:", "(?P<n>", "(?i:", "(?s)("])
                        .to_string();
                    opening + &alternation(g, depth + 1) + ")"
                }
                2 => g
                    .pick(&[
                        "[a-z]",
                        "[^ ]",
                        "[A-Z0-9_]",
                        "[[:alpha:]]",
                        "[\u{e0}-\u{ff}]",
                        "[-.]",
                    ])
                    .into(),
                3 => g
                    .pick(&[
                        "\\w", "\\d", "\\s", "\\b", "\\pL", "\\S", "\\.", "\\B", "\\A", "\\z",
                    ])
                    .into(),
                4 => g.pick(&["^", "$", ".", ".", "(?m)^", "(?m)$"]).into(),
                _ => g
                    .pick(&["a", "o", " ", "e", "\u{e9}", "1", "-", "l", "x", "ab", ","])
                    .to_string(),
            });
            out.push_str(g.pick(&["", "", "", "*", "+", "?", "{2}", "{1,3}", "*?", "+?"]));
        }
    }
    // What begins with a repetition, or doubles one, is no expression; a few of those come from above already.
    match out.starts_with(['*', '+', '?', '{']) {
        true => format!("a{out}"),
        false => out,
    }
}

/// What a match is replaced with.
pub(super) fn replacement(g: &mut Generator) -> String {
    g.pick(&[
        "\"$2 ${1}x\"",
        "\"<$0>\"",
        "\"${n}-\"",
        "\"$$\"",
        "\"$1x\"",
        "\"-\"",
        "\"\"",
        "\"${\"",
        "\"$\"",
    ])
    .into()
}

/// A version, mostly a valid one.
pub(super) fn version(g: &mut Generator) -> String {
    let value = g
        .pick(&[
            "1.2.3",
            "v1.2.3",
            "1.2",
            "v3",
            "0.0.0",
            "1.2.3-rc.1",
            "v1.2.3-rc.1+meta",
            "2.0.0-alpha",
            "10.20.30",
            "1.2.3+build.5",
            "01.2.3",
            "1.2.3.4",
            "x",
            "",
            "1.2.3-",
            "latest",
            "1.2.3-01",
            "18446744073709551615.0.0",
            "99999999999999999999.0.0",
            " 1.2.3",
            "v01.2",
        ])
        .to_string();
    quoted(g, value.as_bytes())
}

/// A range of versions, mostly a valid one.
pub(super) fn range(g: &mut Generator) -> String {
    let value = g
        .pick(&[
            ">=1.0.0 <2.0.0",
            "~1.2 || ^3",
            "^1.2",
            "*",
            "1.x",
            "1.2 - 2.0",
            ">=1.2.3-0",
            "!=1.2.3",
            "=1.2.3",
            "~1",
            "",
            "bad range",
            ">1, <3",
            ">>1",
            "1.2.3 || ",
            "x",
            "^0.0.0",
            "<=v1.2.3",
        ])
        .to_string();
    quoted(g, value.as_bytes())
}

/// An address, mostly a valid one.
pub(super) fn address(g: &mut Generator) -> String {
    let value = g
        .pick(&[
            "https://user:p%40ss@example.com:8080/a%20b?q=1#frag",
            "//host/path",
            "mailto:x@y.z",
            "http://[::1]:80/x",
            ":bad",
            "%zz",
            "http://a b",
            "/a?b=c&d",
            "https://example.com",
            "#f",
            "ftp://u@h",
            "http://h:x/",
            "a:b:c",
            "http://ex\u{e4}mple.com/\u{fc}?\u{e9}",
            "?",
            "",
            "http://[fe80::1%25en0]/",
            "HTTP://HOST/%41",
            "http://h/a;b?c;d",
            "//u:p@/x",
        ])
        .to_string();
    quoted(g, value.as_bytes())
}

/// A span of time.
pub(super) fn span(g: &mut Generator) -> String {
    g.pick(&[
        "\"1h30m\"",
        "\"95\"",
        "\"9000h\"",
        "\"-1.5h\"",
        "\"300ms\"",
        "\"1d\"",
        "\"\"",
        "\"2h45m30.5s\"",
        "\"400h\"",
        "\"1ns\"",
        "\"9999999h\"",
        "\"-90s\"",
        "\"0\"",
        "\"87600h\"",
        "\"1us1\u{b5}s\"",
    ])
    .into()
}

/// A path.
pub(super) fn path(g: &mut Generator) -> String {
    g.pick(&[
        "\"/a/b/../c.txt\"",
        "\"a/./b//c\"",
        "\"../..\"",
        "\"\"",
        "\"/\"",
        "\"/..\"",
        "\".tar.gz\"",
        "\"a.b/c\"",
        "\"/a/b/\"",
        "\"clusters/prod/app.yaml\"",
        "\"a/../../b\"",
        "\"//x//\"",
        "\".\"",
        "\"x.\"",
    ])
    .into()
}

/// Letters that a decoder reads.
pub(super) fn encoded(g: &mut Generator) -> String {
    g.pick(&[
        "\"aGVsbG8=\"",
        "\"NBSWY3DP\"",
        "\"aGVs\\nbG8=\"",
        "\"aGVsbG8\"",
        "\"!!\"",
        "\"NBSWY3A=\"",
        "\"NBSWY===\"",
        "\"=\"",
        "\"YQ==\"",
        "\"ME======\"",
        "\"nbswy3dp\"",
        "\"YQ=\"",
        "\"YR==\"",
        "\"NBSWY3DPNBSWY3DPF\"",
    ])
    .into()
}

/// The name of a type or a kind.
pub(super) fn type_name(g: &mut Generator) -> String {
    g.pick(&[
        "\"string\"",
        "\"int\"",
        "\"int64\"",
        "\"float64\"",
        "\"bool\"",
        "\"map\"",
        "\"slice\"",
        "\"[]interface {}\"",
        "\"map[string]interface {}\"",
        "\"invalid\"",
        "\"<nil>\"",
        "\"struct\"",
        "\"ptr\"",
        "\"semver.Version\"",
        "\"*semver.Version\"",
        "\"update.Result\"",
        "\"[]string\"",
        "\"time.Time\"",
    ])
    .into()
}

/// JSON, mostly well formed.
pub(super) fn json(g: &mut Generator) -> String {
    if g.chance(30) {
        return g
            .pick(&[
                "`{\"a\":`",
                "`nul`",
                "`12e`",
                "`\"\\u00e9\\ud83d\"`",
                "`[1 2]`",
                "`{1:2}`",
                "``",
                "`1e999`",
                "`-`",
                "`\"\t\"`",
                "`tru `",
                "`[1,]`",
                "`{\"a\" 1}`",
                "`{} x`",
                "`1.x`",
                "`\"\\q\"`",
                "`\"\\u12g\"`",
                "`01`",
                "`[`",
                "`\"a`",
                "`{\"a\":1,}`",
                "`\"\\ud83d\\ude00\"`",
                "`{\"a\":1,\"a\":2}`",
                "` [ ] `",
                "`{\"a\":1e400}`",
                "`-0`",
                "`1E+2`",
                "`\"\u{e9}\"`",
                "`[1e400,{\"b\":2}]`",
                "`.5`",
                "`+1`",
                "`NaN`",
            ])
            .into();
    }
    let value = json_value(g, 0);
    quoted(g, value.as_bytes())
}

fn json_value(g: &mut Generator, depth: usize) -> String {
    match g.below(if depth < 3 { 10 } else { 6 }) {
        0 => "null".into(),
        1 => g.pick(&["true", "false"]).into(),
        2 | 3 => g
            .pick(&["1", "-2.5", "0", "1e3", "1e21", "0.1", "123456789"])
            .into(),
        4 | 5 => g
            .pick(&[
                "\"x\"",
                "\"\"",
                "\"<&>\"",
                "\"a\\nb\"",
                "\"\\u00e9\"",
                "\"caf\u{e9}\"",
            ])
            .into(),
        6 | 7 => {
            let items: Vec<String> = (0..g.below(4)).map(|_| json_value(g, depth + 1)).collect();
            format!("[{}]", items.join(g.pick(&[",", ", ", " ,\n"])))
        }
        _ => {
            let members: Vec<String> = (0..g.below(4))
                .map(|_| {
                    let key = g.pick(&["a", "b", "c", "k", "\u{e9}", "A b"]).to_string();
                    format!("\"{key}\":{}", json_value(g, depth + 1))
                })
                .collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

/// A layout of Go's and a text that mostly fits it.
pub(super) fn date(g: &mut Generator) -> (String, String) {
    const PARTS: &[(&str, &[&str])] = &[
        ("2006", &["2024", "1999", "0001", "9999", "24", "20245"]),
        ("06", &["24", "69", "68", "x"]),
        ("01", &["02", "12", "13", "2", "00"]),
        ("1", &["2", "12", "0", "31"]),
        ("Jan", &["Feb", "dec", "JAN", "Foo"]),
        ("January", &["February", "may", "Sept"]),
        ("02", &["28", "31", "01", "29", "32"]),
        ("2", &["3", "30", "0"]),
        ("_2", &[" 3", "14", "3"]),
        ("002", &["060", "366", "001", "400"]),
        ("__2", &[" 60", "  1", "365"]),
        ("Mon", &["Tue", "sun", "Xyz"]),
        ("Monday", &["Tuesday", "SUNDAY"]),
        ("15", &["23", "00", "24", "7"]),
        ("03", &["11", "12", "00", "13"]),
        ("3", &["9", "12"]),
        ("04", &["59", "00", "60"]),
        ("4", &["5", "61"]),
        ("05", &["58", "00", "60", "58.123", "58,5"]),
        ("5", &["7", "07.25"]),
        (".000", &[".123", ".12", ",123"]),
        (".999", &[".5", "", ".123456"]),
        (",000000", &[",123456"]),
        ("PM", &["AM", "PM", "am"]),
        ("pm", &["am", "pm", "PM"]),
        (
            "MST",
            &[
                "UTC", "PST", "CEST", "GMT+3", "+03", "WITA", "X", "ChST", "GMT-24", "MeST",
            ],
        ),
        ("-0700", &["+0530", "-0800", "+0000", "+2500"]),
        ("-07:00", &["+05:30", "-08:00", "0530"]),
        ("-07", &["+05", "-12"]),
        ("-070000", &["+053015"]),
        ("-07:00:00", &["+05:30:15"]),
        ("Z0700", &["Z", "+0100"]),
        ("Z07:00", &["Z", "+01:00", "-23:59"]),
        ("Z07", &["Z", "+01"]),
    ];
    if g.chance(45) {
        let (layout, texts): (&str, &[&str]) = match g.below(6) {
            0 => (
                "2006-01-02",
                &["2026-06-01", "2024-02-29", "2023-02-29", "0000-01-01"],
            ),
            1 => (
                "2006-01-02T15:04:05Z07:00",
                &["2026-06-01T12:00:00Z", "2026-06-01T12:00:00.5+02:00"],
            ),
            2 => (
                "Mon, 02 Jan 2006 15:04:05 MST",
                &[
                    "Mon, 01 Jun 2026 12:00:00 UTC",
                    "Tue, 02 Jun 2026 12:00:00 CET",
                ],
            ),
            3 => ("2006.01.02", &["2026.06.01", "2026.6.1"]),
            4 => ("15:04", &["23:59", "7:5"]),
            _ => ("20060102150405", &["20260601123000", "2026060112300"]),
        };
        let value = g.pick(texts).to_string();
        return (quoted(g, layout.as_bytes()), quoted(g, value.as_bytes()));
    }
    let (mut layout, mut value) = (String::new(), String::new());
    for index in 0..1 + g.below(6) {
        if index > 0 {
            let between = g.pick(&["-", " ", ":", "/", "", "T", "  ", ", "]);
            layout.push_str(between);
            value.push_str(if g.chance(3) { "" } else { between });
        }
        let (part, texts) = PARTS[g.below(PARTS.len())];
        layout.push_str(part);
        // The first text is the most ordinary one.
        value.push_str(if g.chance(70) {
            texts[0]
        } else {
            g.pick(texts)
        });
    }
    if g.chance(4) {
        value.push_str(g.pick(&["x", " ", "1"]));
    }
    (quoted(g, layout.as_bytes()), quoted(g, value.as_bytes()))
}

/// A layout of Go's, also of what only writing knows.
pub(super) fn layout(g: &mut Generator) -> String {
    g.pick(&[
        "\"2006-01-02\"",
        "\"Monday, January _2 2006 at 3:04pm (MST)\"",
        "\"2006-01-02T15:04:05.999999999Z07:00\"",
        "\"15h04m05s.000\"",
        "\"002 __2 2 02 _2\"",
        "\"Jan 06 Mon 1 01\"",
        "\"-0700 -07:00 -07 Z0700 Z07:00 Z07 -070000 Z070000\"",
        "\"\"",
        "\"x\"",
        "\"PM pm AM 3 03\"",
        "\".000 .999 ,00 ,9 5.0\"",
        "\"20060102\"",
        "\"_2006\"",
        "\"Janet Mondays\"",
        "\"-07:00:00 Z07:00:00\"",
        "\"05.00 04.9\"",
    ])
    .into()
}
