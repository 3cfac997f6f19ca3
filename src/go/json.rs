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
    out.push('"');
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
    fn lists_have_no_blanks() {
        assert_eq!(strings::<&str>(&[]), "[]");
        assert_eq!(strings(&["b", "a"]), "[\"b\",\"a\"]");
    }
}
