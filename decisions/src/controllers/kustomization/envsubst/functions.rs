//! Mirrors `funcs.go` of fluxcd/pkg/envsubst 1.7: what the operators do to a value.

use memchr::memmem;

use crate::go::file_pattern::{self, decode_rune};

/// The value after the operator `name`.
pub(super) fn call(name: &str, value: &[u8], arguments: &[Vec<u8>]) -> Vec<u8> {
    let first = arguments.first().map(Vec::as_slice);
    match name {
        "," => first_changed(value, lower),
        ",," => each_changed(value, lower),
        "^" => first_changed(value, upper),
        "^^" => each_changed(value, upper),
        "#" if arguments.is_empty() => value.len().to_string().into_bytes(),
        "#" => trimmed(value, first.unwrap_or_default(), shortest),
        "##" => trimmed(value, first.unwrap_or_default(), longest),
        "%" => trimmed_at_end(value, first.unwrap_or_default(), shortest),
        "%%" => trimmed_at_end(value, first.unwrap_or_default(), longest),
        ":" => part(value, arguments),
        "/" => match arguments {
            [] => value.to_vec(),
            [old, rest @ ..] => replaced(value, old, rest.first(), 1),
        },
        "//" => match arguments {
            [] => value.to_vec(),
            [old, rest @ ..] => replaced(value, old, rest.first(), usize::MAX),
        },
        "/#" => match arguments {
            [old, new] if value.starts_with(old) => replaced(value, old, Some(new), 1),
            _ => value.to_vec(),
        },
        "/%" => match arguments {
            [old, new] if value.ends_with(old) => {
                [&value[..value.len() - old.len()], new.as_slice()].concat()
            }
            _ => value.to_vec(),
        },
        _ if value.is_empty() => arguments.concat(),
        _ => value.to_vec(),
    }
}

/// The single character that Go's tables give; one that becomes several stays as it is.
fn upper(character: char) -> char {
    let mut changed = character.to_uppercase();
    match (changed.next(), changed.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

fn lower(character: char) -> char {
    let mut changed = character.to_lowercase();
    match (changed.next(), changed.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

fn push(output: &mut Vec<u8>, character: char) {
    output.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn first_changed(value: &[u8], change: fn(char) -> char) -> Vec<u8> {
    if value.is_empty() {
        return Vec::new();
    }
    let (character, width) = decode_rune(value);
    let mut output = Vec::new();
    push(&mut output, change(character));
    output.extend_from_slice(&value[width..]);
    output
}

fn each_changed(value: &[u8], change: fn(char) -> char) -> Vec<u8> {
    let mut output = Vec::new();
    for character in characters(value) {
        push(&mut output, change(character));
    }
    output
}

fn characters(mut value: &[u8]) -> Vec<char> {
    let mut found = Vec::new();
    while !value.is_empty() {
        let (character, width) = decode_rune(value);
        found.push(character);
        value = &value[width..];
    }
    found
}

fn part(value: &[u8], arguments: &[Vec<u8>]) -> Vec<u8> {
    let number =
        |at: usize| -> Option<i64> { std::str::from_utf8(arguments.get(at)?).ok()?.parse().ok() };
    let Some(offset) = number(0) else {
        return value.to_vec();
    };
    let size = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let start = if offset < 0 {
        size.saturating_add(offset).max(0)
    } else {
        offset
    };
    let end = match arguments.len() {
        1 => size,
        _ => match number(1) {
            None => return value.to_vec(),
            Some(length) if length < 0 => size.saturating_add(length),
            Some(length) => start.saturating_add(length).min(size),
        },
    };
    let place = |at: i64| usize::try_from(at).unwrap_or_default();
    if start >= end {
        return Vec::new();
    }
    value[place(start)..place(end)].to_vec()
}

fn replaced(value: &[u8], old: &[u8], new: Option<&Vec<u8>>, most: usize) -> Vec<u8> {
    let new = new.map(Vec::as_slice).unwrap_or_default();
    let mut output = Vec::new();
    let mut rest = value;
    for _ in 0..most {
        if old.is_empty() {
            // In front of every character, and at the end.
            output.extend_from_slice(new);
            let (_, width) = decode_rune(rest);
            if width == 0 {
                return output;
            }
            output.extend_from_slice(&rest[..width]);
            rest = &rest[width..];
            continue;
        }
        let Some(at) = memmem::find(rest, old) else {
            break;
        };
        output.extend_from_slice(&rest[..at]);
        output.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    output.extend_from_slice(rest);
    output
}

/// How many bytes of the value's beginning match, if any do.
type Match = fn(value: &[u8], pattern: &[u8]) -> Option<usize>;

fn trimmed(value: &[u8], pattern: &[u8], matched: Match) -> Vec<u8> {
    value[matched(value, pattern).unwrap_or_default()..].to_vec()
}

fn trimmed_at_end(value: &[u8], pattern: &[u8], matched: Match) -> Vec<u8> {
    let turned = reversed(value);
    reversed(&trimmed(&turned, &reversed(pattern), matched))
}

fn reversed(value: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    for character in characters(value).into_iter().rev() {
        push(&mut output, character);
    }
    output
}

/// A value longer than this is not trimmed by a pattern: its time grows with the square of the length.
const LONGEST: usize = 64 * 1024;

fn shortest(value: &[u8], pattern: &[u8]) -> Option<usize> {
    let mut found = None;
    for length in lengths(value) {
        if file_pattern::matches(pattern, &value[..length])? {
            found = Some(length);
        }
    }
    found
}

fn longest(value: &[u8], pattern: &[u8]) -> Option<usize> {
    for length in lengths(value) {
        if file_pattern::matches(pattern, &value[..length])? {
            return Some(length);
        }
    }
    None
}

/// The lengths of all beginnings of a value, longest first.
fn lengths(value: &[u8]) -> impl Iterator<Item = usize> {
    let most = if value.len() > LONGEST {
        0
    } else {
        value.len()
    };
    (1..=most).rev()
}
