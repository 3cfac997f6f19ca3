//! Quoted strings in Go's syntax, written and read.

use super::characters::{self, is_print};

/// The text in double quotes; with `ascii` everything beyond ASCII is escaped.
pub(in crate::go) fn quote(text: &[u8], ascii: bool) -> Vec<u8> {
    let mut out = vec![b'"'];
    let mut rest = text;
    while let Some((character, width)) = characters::decode(rest) {
        if width == 1 && rest[0] >= 0x80 {
            out.extend_from_slice(format!("\\x{:02x}", rest[0]).as_bytes());
        } else {
            escape(&mut out, character, '"', ascii);
        }
        rest = &rest[width..];
    }
    out.push(b'"');
    out
}

/// The character in single quotes.
pub(super) fn quote_character(character: char, ascii: bool) -> Vec<u8> {
    let mut out = vec![b'\''];
    escape(&mut out, character, '\'', ascii);
    out.push(b'\'');
    out
}

/// Whether the text can stand between backquotes.
pub(super) fn can_backquote(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some((character, width)) = characters::decode(rest) {
        let invalid = width == 1 && rest[0] >= 0x80;
        let control = (character < ' ' && character != '\t') || character == '\u{7f}';
        if invalid || control || character == '`' || character == '\u{feff}' {
            return false;
        }
        rest = &rest[width..];
    }
    true
}

fn escape(out: &mut Vec<u8>, character: char, quote: char, ascii: bool) {
    if character == quote || character == '\\' {
        out.push(b'\\');
        characters::push(out, character);
        return;
    }
    if is_print(character) && (character.is_ascii() || !ascii) {
        characters::push(out, character);
        return;
    }
    let short = match character {
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\u{c}' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\u{b}' => "\\v",
        _ => "",
    };
    let escaped = match character as u32 {
        _ if !short.is_empty() => short.to_string(),
        code if code < 0x20 || code == 0x7f => format!("\\x{code:02x}"),
        code if code < 0x10000 => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    };
    out.extend_from_slice(escaped.as_bytes());
}

/// Reads a string constant in double quotes or backquotes; none for a syntax error.
pub(super) fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let (&quote, rest) = text.split_first()?;
    let (&last, body) = rest.split_last()?;
    if quote != last {
        return None;
    }
    if quote == b'`' {
        if body.contains(&b'`') {
            return None;
        }
        return Some(body.iter().copied().filter(|byte| *byte != b'\r').collect());
    }
    if quote != b'"' || body.contains(&b'\n') {
        return None;
    }
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while !rest.is_empty() {
        let (unit, after) = unquote_unit(rest, b'"')?;
        unit.push_to(&mut out);
        rest = after;
    }
    Some(out)
}

/// Reads a character constant with its quotes: its code; `Err` is Go's error text.
pub(super) fn unquote_character(text: &[u8]) -> Result<u32, String> {
    let syntax = || "invalid syntax".to_string();
    let body = text.get(1..).unwrap_or_default();
    let (unit, rest) = unquote_unit(body, b'\'').ok_or_else(syntax)?;
    if rest != b"'" {
        return Err(format!(
            "malformed character constant: {}",
            characters::lossy(text)
        ));
    }
    Ok(match unit {
        Unit::Byte(byte) => u32::from(byte),
        Unit::Character(character) => character as u32,
    })
}

/// What one escape or character stands for.
enum Unit {
    Byte(u8),
    Character(char),
}

impl Unit {
    fn push_to(&self, out: &mut Vec<u8>) {
        match self {
            Unit::Byte(byte) => out.push(*byte),
            Unit::Character(character) => characters::push(out, *character),
        }
    }
}

fn unquote_unit(text: &[u8], quote: u8) -> Option<(Unit, &[u8])> {
    let (&first, rest) = text.split_first()?;
    if first == quote {
        return None;
    }
    if first != b'\\' {
        let (character, width) = characters::decode(text)?;
        let unit = if width == 1 && first >= 0x80 && quote == b'"' {
            // Bytes that aren't UTF-8 become the replacement character, as in Go.
            Unit::Character(char::REPLACEMENT_CHARACTER)
        } else {
            Unit::Character(character)
        };
        return Some((unit, &text[width..]));
    }
    let (&escape, rest) = rest.split_first()?;
    let character = match escape {
        b'a' => '\u{7}',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'v' => '\u{b}',
        b'\\' => '\\',
        b'\'' | b'"' if escape == quote => char::from(escape),
        b'x' => {
            let (code, rest) = digits(rest, 2, 16)?;
            return Some((Unit::Byte(u8::try_from(code).ok()?), rest));
        }
        b'u' | b'U' => {
            let (code, rest) = digits(rest, if escape == b'u' { 4 } else { 8 }, 16)?;
            return Some((Unit::Character(char::from_u32(code)?), rest));
        }
        b'0'..=b'7' => {
            let (code, rest) = digits(&text[1..], 3, 8)?;
            return Some((Unit::Byte(u8::try_from(code).ok()?), rest));
        }
        _ => return None,
    };
    Some((Unit::Character(character), rest))
}

fn digits(text: &[u8], count: usize, base: u32) -> Option<(u32, &[u8])> {
    let (head, rest) = text.split_at_checked(count)?;
    let head = std::str::from_utf8(head).ok()?;
    if head.starts_with('+') {
        return None;
    }
    Some((u32::from_str_radix(head, base).ok()?, rest))
}
