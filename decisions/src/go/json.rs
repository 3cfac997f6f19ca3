//! JSON as Go's `encoding/json` reads it, and as the bytes that it writes.

mod reader;
pub mod strict;

use std::fmt::Write as _;

pub use reader::{Json, SyntaxError, mismatch, read, read_first, read_to_depth};

/// A string with its quotes, escaped as Go's encoder does by default: what HTML could misread is escaped too.
pub fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_string(&mut out, text);
    out
}

/// A list of strings.
pub fn strings<S: AsRef<str>>(texts: &[S]) -> String {
    let mut out = String::from("[");
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_string(&mut out, text.as_ref());
    }
    out.push(']');
    out
}

fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        push_character(out, character);
    }
    out.push('"');
}

/// Adds a string of any bytes with its quotes, escaped as [`string`] does; for each byte that is no UTF-8 stands an escaped U+FFFD.
pub fn push_bytes(out: &mut String, text: &[u8]) {
    out.push('"');
    for piece in text.utf8_chunks() {
        for character in piece.valid().chars() {
            push_character(out, character);
        }
        for _ in piece.invalid() {
            out.push_str("\\ufffd");
        }
    }
    out.push('"');
}

fn push_character(out: &mut String, character: char) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
            // Writing to a String can't fail.
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        }
        other => out.push(other),
    }
}

/// A float with the fewest digits that tell it.
///
/// # Errors
///
/// What JSON has no number for: `NaN`, `+Inf` or `-Inf`.
pub fn float(number: f64) -> Result<String, &'static str> {
    if number.is_nan() {
        return Err("NaN");
    }
    if number.is_infinite() {
        return Err(if number > 0.0 { "+Inf" } else { "-Inf" });
    }
    let magnitude = number.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return Ok(number.to_string());
    }
    let text = format!("{number:e}");
    Ok(if magnitude >= 1.0 {
        text.replace('e', "e+")
    } else {
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_go_does() {
        assert_eq!(
            string("a\"b\\c\u{8}\u{c}\n\r\t\u{1}\u{7f}<>&\u{2028}\u{2029}\u{e9}"),
            "\"a\\\"b\\\\c\\b\\f\\n\\r\\t\\u0001\u{7f}\\u003c\\u003e\\u0026\\u2028\\u2029\u{e9}\""
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut out = String::new();
        push_bytes(&mut out, b"a\xff\xe2\x82<\xef\xbf\xbd");
        assert_eq!(out, "\"a\\ufffd\\ufffd\\ufffd\\u003c\u{fffd}\"");
    }

    #[test]
    fn floats_have_exponents_where_they_are_long() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.25e-7, "1.25e-7"),
            (0.000_001, "0.000001"),
            (1e300, "1e+300"),
        ] {
            assert_eq!(float(number).as_deref(), Ok(text));
        }
        assert_eq!(float(f64::NEG_INFINITY), Err("-Inf"));
        assert_eq!(float(f64::NAN), Err("NaN"));
    }

    #[test]
    fn lists_have_no_blanks() {
        assert_eq!(strings::<&str>(&[]), "[]");
        assert_eq!(strings(&["b", "a"]), "[\"b\",\"a\"]");
    }
}
