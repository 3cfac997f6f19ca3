//! From the bytes of one document to checked text: byte order marks, UTF-8, UTF-16 and forbidden characters.
//!
//! The reader that is mirrored decodes pieces of 512 bytes when the scanner asks for them. A bad byte is therefore only noticed
//! when the scanner comes to the piece that holds it, which it may never do: only the first document of a text is read.

use std::borrow::Cow;

use super::ReadError;
use super::characters::character_width;

const PIECE: usize = 512;

/// The readable part of a text and what is wrong with the rest.
#[derive(Debug)]
pub(super) struct CheckedText<'t> {
    /// The text up to the piece that can't be decoded. May start with a byte order mark, see `start`.
    pub(super) text: Cow<'t, str>,
    /// Where scanning starts: after the byte order mark.
    pub(super) start: usize,
    /// Why the text ends before the bytes do.
    pub(super) failure: Option<&'static str>,
}

/// Checks the bytes of one text.
pub(super) fn check(bytes: &[u8]) -> Result<CheckedText<'_>, ReadError> {
    if bytes.starts_with(b"\xFF\xFE") {
        return Ok(from_utf16(&bytes[2..], u16::from_le_bytes));
    }
    if bytes.starts_with(b"\xFE\xFF") {
        return Ok(from_utf16(&bytes[2..], u16::from_be_bytes));
    }
    let start = if bytes.starts_with(b"\xEF\xBB\xBF") {
        3
    } else {
        0
    };
    if bytes[start..].starts_with(b"\xEF\xBB\xBF") && start > 0 {
        return Err(ReadError::unsupported("two byte order marks in a row", 1));
    }
    let (text, mut failure) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let valid = &bytes[..error.valid_up_to()];
            let text = std::str::from_utf8(valid).unwrap_or_default();
            (text, Some("invalid UTF-8"))
        }
    };
    let mut bad = text.len();
    if let Some(at) = find_forbidden(&text[start..]) {
        bad = start + at;
        failure = Some("control characters are not allowed");
    }
    let end = if failure.is_some() {
        readable_end(bytes, bad)
    } else {
        bytes.len()
    };
    Ok(CheckedText {
        text: Cow::Borrowed(&text[..end]),
        start: start.min(end),
        failure,
    })
}

/// The start of the piece that holds the bad character at `bad`. One that seems to go on behind a piece is left to the next.
fn readable_end(bytes: &[u8], bad: usize) -> usize {
    let mut start = 0;
    loop {
        let mut end = bytes.len().min(start + PIECE);
        if bad < end {
            let seems_to_end = bad + character_width(bytes[bad]);
            return if seems_to_end > end { bad } else { start };
        }
        while end > start && end < bytes.len() && bytes[end] & 0xC0 == 0x80 {
            end -= 1;
        }
        start = end;
    }
}

/// The offset of the first character that must not occur in a text.
fn find_forbidden(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let forbidden = match bytes[at] {
            b'\t' | b'\n' | b'\r' => false,
            0x00..=0x1F | 0x7F => true,
            0xC2 => matches!(bytes[at + 1], 0x80..=0x9F) && bytes[at + 1] != 0x85,
            0xEF => bytes[at + 1] == 0xBF && matches!(bytes[at + 2], 0xBE | 0xBF),
            _ => false,
        };
        if forbidden {
            return Some(at);
        }
        at += 1;
    }
    None
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> CheckedText<'_> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let mut text = String::with_capacity(bytes.len());
    let mut failure = None;
    for decoded in char::decode_utf16(units) {
        match decoded {
            Ok(character) => text.push(character),
            Err(_) => {
                failure = Some("invalid UTF-16");
                break;
            }
        }
    }
    if failure.is_none() && bytes.len() % 2 == 1 {
        failure = Some("incomplete UTF-16 character");
    }
    if let Some(at) = find_forbidden(&text) {
        text.truncate(at);
        failure = Some("control characters are not allowed");
    }
    if failure.is_some() {
        // The pieces are counted in bytes of UTF-16; a text that breaks off is refused as a whole.
        text.clear();
    }
    CheckedText {
        text: Cow::Owned(text),
        start: 0,
        failure,
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
        let checked = check(&bytes).unwrap();
        assert_eq!(checked.text.len(), 1024);
        assert!(checked.failure.is_some());
        bytes[1500] = 7;
        assert_eq!(check(&bytes).unwrap().text.len(), 1024);
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
        assert!(round_trip("\u{FEFF}\u{FEFF}a: 1".as_bytes()).is_err());
    }
}
