//! From the bytes of one document to checked text: byte order marks, UTF-8, UTF-16 and forbidden characters.
//!
//! The reader that is mirrored decodes pieces of 512 bytes when the scanner asks for them. A bad byte is therefore only noticed
//! when the scanner comes to the piece that holds it, which it may never do: only the first document of a text is read. And it
//! looks for byte order marks at the start of its buffer, wherever that is in the text. Texts to which neither matters, almost
//! all, are [`Source`]s without a [`Window`].

use std::borrow::Cow;

use super::characters::character_width;
use super::window::Window;

/// The bytes that the reader decodes at a time.
const PIECE: usize = 512;

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// The readable part of a text.
#[derive(Clone, Debug)]
pub(super) struct Source<'t> {
    /// The text up to the piece that can't be decoded.
    pub(super) text: Cow<'t, str>,
    /// Where scanning starts: after the byte order mark.
    pub(super) start: usize,
    /// The state of the reader, where it matters.
    pub(super) window: Option<Window>,
}

impl<'t> Source<'t> {
    /// A text of which it is known that it holds nothing odd.
    pub(super) fn clean(text: &'t str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            start: 0,
            window: None,
        }
    }
}

/// The text, if nothing in it needs a closer look: it is UTF-8 without forbidden characters and byte order marks.
pub(super) fn clean(bytes: &[u8]) -> Option<&str> {
    if bytes.starts_with(b"\xFF\xFE")
        || bytes.starts_with(b"\xFE\xFF")
        || bytes.chunks(256).any(holds_suspicious)
    {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

/// Looks at all bytes: a look at a table for each costs less than stopping at the first.
fn holds_suspicious(bytes: &[u8]) -> bool {
    const SUSPICIOUS: [bool; 256] = suspicious();
    let any = |bytes: &[u8]| {
        let looks = bytes.iter().map(|byte| SUSPICIOUS[usize::from(*byte)]);
        looks.fold(false, |any, this| any | this)
    };
    let (eights, rest) = bytes.as_chunks::<8>();
    eights
        .iter()
        .fold(any(rest), |found, eight| found | any(eight))
}

const fn suspicious() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_suspicious(byte as u8);
        byte += 1;
    }
    table
}

/// Whether a byte is, or may start, a character that must not occur; or may start a byte order mark. U+FFFE and U+FFFF start with
/// the same byte as the mark does, the controls of Latin-1 with the same as accented letters.
const fn is_suspicious(byte: u8) -> bool {
    match byte {
        b'\t' | b'\n' | b'\r' => false,
        0x00..=0x1F | 0x7F | 0xEF => true,
        _ => false,
    }
}

/// Checks the bytes of one text.
pub(super) fn check(bytes: &[u8]) -> Source<'_> {
    if let Some(text) = clean(bytes)
        && !holds_latin_control(bytes)
    {
        return Source::clean(text);
    }
    if bytes.starts_with(b"\xFF\xFE") {
        return from_utf16(bytes, u16::from_le_bytes);
    }
    if bytes.starts_with(b"\xFE\xFF") {
        return from_utf16(bytes, u16::from_be_bytes);
    }
    from_utf8(bytes)
}

/// Whether U+0080 to U+009F occur, save NEL.
pub(super) fn holds_latin_control(bytes: &[u8]) -> bool {
    memchr::memchr_iter(0xC2, bytes)
        .any(|at| matches!(bytes.get(at + 1), Some(0x80..=0x84 | 0x86..=0x9F)))
}

fn from_utf8(bytes: &[u8]) -> Source<'_> {
    let start = if bytes.starts_with(MARK) {
        MARK.len()
    } else {
        0
    };
    let mut pieces = Vec::new();
    let mut at = start;
    let mut end = bytes.len().min(PIECE);
    let mut problem = None;
    'pieces: loop {
        let from = at;
        let mut characters = 0;
        while at < end {
            let width = character_width(bytes[at]);
            if width == 0 {
                problem = Some("invalid leading UTF-8 octet");
                at = from;
                break 'pieces;
            }
            if at + width > end {
                break;
            }
            if let Some(found) = problem_of(&bytes[at..at + width]) {
                problem = Some(found);
                at = from;
                break 'pieces;
            }
            at += width;
            characters += 1;
        }
        if at == from && end == bytes.len() {
            if at < end {
                problem = Some("incomplete UTF-8 octet sequence");
            }
            break;
        }
        pieces.push(characters);
        end = bytes.len().min(at + PIECE);
    }
    let text = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
    let needs_window = problem.is_some() || memchr::memmem::find(&bytes[start..at], MARK).is_some();
    Source {
        start: start.min(at),
        window: needs_window.then(|| Window::new(pieces, problem)),
        text: Cow::Borrowed(text),
    }
}

/// What is wrong with the bytes of one character.
fn problem_of(bytes: &[u8]) -> Option<&'static str> {
    let Some(character) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.chars().next())
    else {
        return Some("invalid UTF-8");
    };
    is_forbidden(character).then_some("control characters are not allowed")
}

fn is_forbidden(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{FFFE}' | '\u{FFFF}' => true,
        _ => false,
    }
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Source<'static> {
    let unit_at = |at: usize| unit([bytes[at], bytes[at + 1]]);
    let mut text = String::with_capacity(bytes.len());
    let mut pieces = Vec::new();
    let mut at = 2;
    let mut end = bytes.len().min(PIECE);
    let mut problem = None;
    'pieces: loop {
        let from = at;
        let length = text.len();
        let mut characters = 0;
        while at < end {
            if at + 2 > end {
                break;
            }
            let first = unit_at(at);
            let width = if first & 0xFC00 == 0xD800 { 4 } else { 2 };
            if at + width > end {
                break;
            }
            let units = [first, if width == 4 { unit_at(at + 2) } else { 0 }];
            let decoded = char::decode_utf16(units[..width / 2].iter().copied()).next();
            match decoded {
                Some(Ok(character)) if !is_forbidden(character) => text.push(character),
                Some(Ok(_)) => problem = Some("control characters are not allowed"),
                _ => problem = Some("unexpected surrogate"),
            }
            if problem.is_some() {
                text.truncate(length);
                break 'pieces;
            }
            at += width;
            characters += 1;
        }
        if at == from && end == bytes.len() {
            if at < end {
                problem = Some("incomplete UTF-16 character");
            }
            break;
        }
        pieces.push(characters);
        end = bytes.len().min(at + PIECE);
    }
    let needs_window = problem.is_some() || text.contains('\u{FEFF}');
    Source {
        text: Cow::Owned(text),
        start: 0,
        window: needs_window.then(|| Window::new(pieces, problem)),
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::yaml::round_trip;

    #[test]
    fn a_bad_byte_ends_the_text_at_the_piece_that_holds_it() {
        let mut bytes = vec![b'a'; 2000];
        bytes[1500] = 0xFF;
        let checked = check(&bytes);
        assert_eq!(checked.text.len(), 1024);
        assert!(checked.window.is_some());
        bytes[1500] = 7;
        assert_eq!(check(&bytes).text.len(), 1024);
    }

    #[test]
    fn a_bad_byte_far_behind_the_document_is_not_met() {
        let mut text = b"a: 1\n...\n".to_vec();
        text.extend(b"b: 1\n".repeat(400));
        text.push(0xFF);
        assert_eq!(round_trip(&text).unwrap(), b"a: 1\n");
        assert!(round_trip(b"a: 1\n...\nb\xFF").is_err());
    }

    #[test]
    fn byte_order_marks_tell_the_encoding() {
        let utf16: Vec<u8> = "\u{FEFF}a: \u{e9}\n"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert_eq!(round_trip(&utf16).unwrap(), "a: \u{e9}\n".as_bytes());
        assert_eq!(round_trip("\u{FEFF}a: 1".as_bytes()).unwrap(), b"a: 1\n");
    }

    #[test]
    fn a_byte_order_mark_at_the_start_of_the_buffer_eats_the_first_letter_of_each_line() {
        let text = "\u{FEFF}\u{FEFF}a:\nxb: 2\n";
        assert_eq!(round_trip(text.as_bytes()).unwrap(), b"a:\nb: 2\n");
    }
}
