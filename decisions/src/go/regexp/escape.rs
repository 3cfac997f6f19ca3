//! The escapes that stand for one character, in and out of classes.

use super::{Code, Error};

/// Reads the escape at the beginning of `text`, which is its backslash: the code point, and what follows.
pub(super) fn parse_escape(text: &str) -> Result<(u32, &str), Error> {
    let mut characters = text.chars();
    characters.next();
    let Some(character) = characters.next() else {
        return Err(Error::new(Code::TrailingBackslash, ""));
    };
    let rest = characters.as_str();
    let simple = match character {
        '0' => return Ok(octal(0, rest)),
        '1'..='7' if rest.starts_with(is_octal) => {
            return Ok(octal(digit(character, 8).unwrap_or_default(), rest));
        }
        'x' => return hexadecimal(text, rest),
        'a' => 0x7,
        'f' => 0xC,
        'n' => 0xA,
        'r' => 0xD,
        't' => 0x9,
        'v' => 0xB,
        _ if character.is_ascii() && !character.is_ascii_alphanumeric() => u32::from(character),
        _ => return Err(invalid(text, rest)),
    };
    Ok((simple, rest))
}

/// Up to two more octal digits.
fn octal(first: u32, text: &str) -> (u32, &str) {
    let count = text
        .chars()
        .take(2)
        .take_while(|&character| is_octal(character))
        .count();
    let (digits, rest) = text.split_at(count);
    let value = digits
        .chars()
        .filter_map(|character| digit(character, 8))
        .fold(first, |value, digit| value * 8 + digit);
    (value, rest)
}

/// What follows `\x`: two digits, or any number of them in braces.
fn hexadecimal<'t>(escape: &str, text: &'t str) -> Result<(u32, &'t str), Error> {
    let mut characters = text.chars();
    let Some(first) = characters.next() else {
        return Err(invalid(escape, text));
    };
    if first == '{' {
        return braced_hexadecimal(escape, characters.as_str());
    }
    let second = characters.next();
    let rest = characters.as_str();
    match (
        digit(first, 16),
        second.and_then(|second| digit(second, 16)),
    ) {
        (Some(high), Some(low)) => Ok((high * 16 + low, rest)),
        _ => Err(invalid(escape, rest)),
    }
}

fn braced_hexadecimal<'t>(escape: &str, text: &'t str) -> Result<(u32, &'t str), Error> {
    let mut characters = text.chars();
    let mut value = None;
    while let Some(character) = characters.next() {
        let rest = characters.as_str();
        if character == '}' {
            return value
                .map(|value| (value, rest))
                .ok_or_else(|| invalid(escape, rest));
        }
        value = digit(character, 16)
            .map(|digit| value.unwrap_or(0) * 16 + digit)
            .filter(|&value| value <= u32::from(char::MAX));
        if value.is_none() {
            return Err(invalid(escape, rest));
        }
    }
    Err(invalid(escape, ""))
}

fn digit(character: char, radix: u32) -> Option<u32> {
    character.to_digit(radix)
}

fn is_octal(character: char) -> bool {
    character.is_digit(8)
}

/// The error that names the escape as far as it was read.
fn invalid(escape: &str, rest: &str) -> Error {
    Error::new(Code::Escape, &escape[..escape.len() - rest.len()])
}
