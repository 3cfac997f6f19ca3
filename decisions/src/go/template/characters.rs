//! Go's questions about characters, answered from Unicode 15 as Go 1.26 answers them.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// A set of characters as sorted ranges.
struct Ranges(Vec<(char, char)>);

impl Ranges {
    fn of(pattern: &str) -> Ranges {
        let ranges = match regex_syntax::parse(pattern).map(|hir| hir.kind().clone()) {
            Ok(HirKind::Class(Class::Unicode(class))) => class
                .ranges()
                .iter()
                .map(|range| (range.start(), range.end()))
                .collect(),
            _ => Vec::new(),
        };
        Ranges(ranges)
    }

    fn contains(&self, character: char) -> bool {
        let after = self.0.partition_point(|(start, _)| *start <= character);
        after > 0 && character <= self.0[after - 1].1
    }
}

macro_rules! property {
    ($(#[$doc:meta])* $name:ident, $pattern:literal) => {
        $(#[$doc])*
        pub(super) fn $name(character: char) -> bool {
            static RANGES: LazyLock<Ranges> = LazyLock::new(|| Ranges::of($pattern));
            RANGES.contains(character)
        }
    };
}

property!(
    /// `unicode.IsLetter`
    is_letter,
    r"[\p{L}&&\p{Age=15.0}]"
);
property!(
    /// `unicode.IsDigit`
    is_digit,
    r"[\p{Nd}&&\p{Age=15.0}]"
);
property!(
    /// `unicode.IsNumber`
    is_number,
    r"[\p{N}&&\p{Age=15.0}]"
);
property!(
    /// `unicode.IsUpper`
    is_upper,
    r"[\p{Lu}&&\p{Age=15.0}]"
);
property!(
    /// `unicode.IsLower`
    is_lower,
    r"[\p{Ll}&&\p{Age=15.0}]"
);
property!(
    /// `unicode.IsTitle`
    is_title,
    r"[\p{Lt}&&\p{Age=15.0}]"
);
property!(
    /// `unicode.IsPunct`
    is_punctuation,
    r"[\p{P}&&\p{Age=15.0}]"
);
property!(
    /// `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
    is_print,
    r"[[\p{L}\p{M}\p{N}\p{P}\p{S} ]&&\p{Age=15.0}]"
);

/// `unicode.IsSpace`
pub(super) fn is_space(character: char) -> bool {
    matches!(
        character,
        '\t'..='\r' | ' ' | '\u{85}' | '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200a}'
            | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// `unicode.ToUpper`: one character for one.
pub(in crate::go) fn to_upper(character: char) -> char {
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) if one == character || is_assigned(one) => one,
        _ => match character {
            '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
                shifted(character, 8)
            }
            '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => shifted(character, 9),
            other => other,
        },
    }
}

/// `unicode.ToLower`: one character for one.
pub(super) fn to_lower(character: char) -> char {
    let mut lower = character.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) if one == character || is_assigned(one) => one,
        (Some(_), Some(_)) if character == '\u{130}' => 'i',
        _ => character,
    }
}

/// `unicode.ToTitle`: as upper case, but for the digraphs and Georgian.
pub(super) fn to_title(character: char) -> char {
    match character {
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => character,
        other => to_upper(other),
    }
}

fn shifted(character: char, by: u32) -> char {
    char::from_u32(character as u32 + by).unwrap_or(character)
}

fn is_assigned(character: char) -> bool {
    character.is_ascii() || is_print(character)
}

/// The first character of `bytes` and its width; an invalid byte is `U+FFFD` of width 1.
pub(in crate::go) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((char::from(first), 1));
    }
    let longest = bytes.len().min(4);
    (2..=longest)
        .find_map(|width| {
            let text = std::str::from_utf8(&bytes[..width]).ok()?;
            Some((text.chars().next()?, width))
        })
        .or(Some((char::REPLACEMENT_CHARACTER, 1)))
}

/// The characters of `bytes` with their widths, invalid bytes as `U+FFFD` of width 1.
pub(super) fn characters(bytes: &[u8]) -> impl Iterator<Item = (char, usize)> + '_ {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (character, width) = decode(rest)?;
        rest = &rest[width..];
        Some((character, width))
    })
}

/// How many characters there are.
pub(super) fn count(bytes: &[u8]) -> usize {
    characters(bytes).count()
}

/// Appends a character as UTF-8.
pub(in crate::go) fn push(out: &mut Vec<u8>, character: char) {
    let mut buffer = [0; 4];
    out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
}

/// The bytes as text; each invalid byte becomes `U+FFFD`.
pub(in crate::go) fn lossy(bytes: &[u8]) -> String {
    characters(bytes).map(|(character, _)| character).collect()
}

/// Where bytes that aren't UTF-8 stand in a [`marked`] text, at the end of the last private plane.
const MARKS: u32 = 0x10_fe00;

/// The bytes as text that can be turned back: a byte that isn't UTF-8 becomes a character of its own.
pub(in crate::go) fn marked(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_string(),
        Err(_) => {
            let mut out = String::with_capacity(bytes.len());
            let mut rest = bytes;
            while let Some((character, width)) = decode(rest) {
                let invalid = width == 1 && rest[0] >= 0x80;
                let mark = char::from_u32(MARKS + u32::from(rest[0]));
                out.push(mark.filter(|_| invalid).unwrap_or(character));
                rest = &rest[width..];
            }
            out
        }
    }
}

/// The bytes of a [`marked`] text.
pub(in crate::go) fn unmarked(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for character in text.chars() {
        match (character as u32).checked_sub(MARKS).map(u8::try_from) {
            Some(Ok(byte)) => out.push(byte),
            _ => push(&mut out, character),
        }
    }
    out
}

/// Maps each character; as in Go, text that no character changes stays as it is, bytes and all.
pub(super) fn map(bytes: &[u8], change: impl Fn(char) -> char) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((character, width)) = decode(rest) {
        let changed = change(character);
        push(&mut out, changed);
        rest = &rest[width..];
    }
    out
}
