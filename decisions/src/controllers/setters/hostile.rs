//! Mirrors no file of image-automation-controller 1.2: texts made to be slow, deep or large, each of which must end in a result or a
//! refusal. The tests end only if none takes time, or stack, that grows faster than the text.

use super::{SetterPolicy, Setters, SourceFile, Wanted, format, rewrite_file};

const MARKER: &str = "# {\"$imagepolicy\": \"n:a\"}";

fn setters() -> Setters {
    let policy = SetterPolicy {
        namespace: "n".into(),
        name: "a".into(),
        image: "r.io/ab".into(),
        tag: "v2".into(),
        digest: String::new(),
    };
    Setters::new(&[policy]).unwrap()
}

/// Rewrites a text with a marker at its end and one without a place; whether it can be read.
fn ends(text: &str) -> bool {
    let setters = setters();
    let text = format!("{text}\n{MARKER}\n");
    let file = SourceFile {
        path: "f.yaml",
        bytes: text.as_bytes(),
    };
    for minimal in [false, true] {
        let wanted = Wanted {
            minimal,
            ..Wanted::default()
        };
        rewrite_file(&file, &setters, wanted);
    }
    format(&file);
    rewrite_file(&file, &setters, Wanted::default())
        .problem
        .is_none()
}

#[test]
fn deep_nesting_is_refused_or_read_without_stack() {
    for (text, is_read) in [
        ("[".repeat(300_000), false),
        ("{a: ".repeat(300_000), false),
        ("- ".repeat(300_000), false),
        ("? ".repeat(300_000), false),
        (format!("a: {}{}", "[".repeat(5000), "]".repeat(5000)), true),
        (
            (0..3000)
                .map(|depth| format!("{}a:\n", " ".repeat(depth)))
                .collect(),
            true,
        ),
    ] {
        assert_eq!(ends(&text), is_read, "{}", &text[..10]);
    }
}

#[test]
fn long_texts_of_one_thing_are_read() {
    let many = |piece: &str, count: usize| piece.repeat(count);
    for text in [
        format!("a: {}", many("x", 500_000)),
        format!("a: \"{}\"", many("\\n", 125_000)),
        format!("a: '{}'", many("x\n\n  ", 50_000)),
        format!("a: |\n{}", many("  x\n", 50_000)),
        format!("a: >\n{}", many("  x\n\n", 25_000)),
        format!("a: [{}]", many("x, ", 50_000)),
        format!("a: {{{}}}", many("? , ", 1)),
        format!("a: 1\n{}", many("# x\n", 50_000)),
        format!("a: 1\n{}", many("# x\n\n", 25_000)),
        format!("a: 1{}", many("\n", 250_000)),
        many("a: 1\n---\n", 25_000),
        many("---\n", 50_000),
        format!("a: x {MARKER}\n---\n").repeat(5_000),
        format!("a: x {MARKER}\n").repeat(5_000),
        many("metadata: {}\n", 5_000),
        many("metadata:\n  annotations: {}\n", 2_500),
        format!("a:\n{}", format!("- x {MARKER}\n").repeat(5_000)),
        format!("a: {}x", many("&a !t ", 1)),
    ] {
        ends(&text);
    }
}

#[test]
fn anchors_and_aliases_are_not_followed() {
    let chain: String = (1..20_000)
        .map(|number| {
            format!(
                "k{number}: &a{number} [*a{}, *a{}]\n",
                number - 1,
                number - 1
            )
        })
        .collect();
    assert!(ends(&format!("k0: &a0 [x]\n{chain}")));
    assert!(ends(&format!("a: &a x\nb: [{}]", "*a, ".repeat(100_000))));
    assert!(ends(&"a: &a x\n".repeat(50_000)));
}

#[test]
fn any_bytes_end_in_a_result() {
    let setters = setters();
    let mut state = 7_u64;
    for _ in 0..3000 {
        let mut bytes: Vec<u8> = Vec::new();
        for _ in 0..40 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let choices =
                b" \n:-#?[]{},&*!|>'\"%@`\\ab01\t\r\0\x7F\xC2\x85\xE2\x80\xA8\xEF\xBB\xBF\xFF";
            bytes.push(choices[(state >> 33) as usize % choices.len()]);
        }
        bytes.extend_from_slice(format!(" {MARKER}\n").as_bytes());
        let file = SourceFile {
            path: "f.yaml",
            bytes: &bytes,
        };
        let wanted = Wanted {
            minimal: true,
            ..Wanted::default()
        };
        rewrite_file(&file, &setters, wanted);
        format(&file);
    }
}
