//! The character classes of the dialect, on bytes. Byte 0 stands for the end of the text and never occurs inside it.

/// A space or a tab.
#[inline]
pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The byte at `at`, or 0 past the end.
#[inline]
pub(super) fn byte_at(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// Whether a line break starts at `at`: CR, LF, NEL, LS or PS.
#[inline]
pub(super) fn is_break(text: &[u8], at: usize) -> bool {
    match byte_at(text, at) {
        b'\n' | b'\r' => true,
        0xC2 => byte_at(text, at + 1) == 0x85,
        0xE2 => byte_at(text, at + 1) == 0x80 && matches!(byte_at(text, at + 2), 0xA8 | 0xA9),
        _ => false,
    }
}

/// Whether a line break or the end of the text is at `at`.
#[inline]
pub(super) fn is_break_or_end(text: &[u8], at: usize) -> bool {
    byte_at(text, at) == 0 || is_break(text, at)
}

/// Whether a blank, a line break or the end of the text is at `at`.
#[inline]
pub(super) fn is_space_or_end(text: &[u8], at: usize) -> bool {
    is_blank(byte_at(text, at)) || is_break_or_end(text, at)
}

/// A character of a name: of an anchor, a directive or a tag handle.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// The length in bytes of the UTF-8 character that starts with `lead`; 0 for a byte that starts none.
pub(super) fn character_width(lead: u8) -> usize {
    match lead {
        0x00..=0x7F => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF7 => 4,
        _ => 0,
    }
}

/// How many characters a piece of UTF-8 has.
#[inline]
pub(super) fn count_characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

/// Whether the writer copies this character as it is; the others force double quotes.
/// Everything above U+FFFF is among the others.
pub(super) fn is_printable(character: char) -> bool {
    matches!(character,
        '\n' | ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FEFE}' | '\u{FF00}'..='\u{FFFD}')
}

/// Whether `character` is a line break of the dialect.
pub(super) fn is_break_character(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}
