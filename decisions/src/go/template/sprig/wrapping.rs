//! Shortening and wrapping, which count bytes.

use crate::go::template::function::Outcome;
use crate::go::template::limits::Limits;
use crate::go::template::value::Value;
use memchr::{memchr, memrchr};

/// At most `width` bytes of the text from around `offset`, with dots for what is left out; `width` is at least 4.
pub(super) fn abbreviated(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    const DOTS: &[u8] = b"...";
    let length = text.len() as i64;
    if length <= width {
        return text.to_vec();
    }
    let shown = width - 3;
    let mut offset = offset.min(length);
    if length - offset < shown {
        offset = length - shown;
    }
    if offset <= 4 {
        return [&text[..shown as usize], DOTS].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + shown < length {
        // A rest that is itself too narrow to be shortened is left out altogether.
        let rest = match shown {
            ..4 => Vec::new(),
            _ => abbreviated(&text[offset as usize..], 0, shown),
        };
        return [DOTS, &rest[..]].concat();
    }
    [DOTS, &text[(length - shown) as usize..]].concat()
}

/// The text with `separator`, or a newline, in place of the spaces where a line would grow beyond `width`.
pub(super) fn wrapped(
    limits: &mut Limits,
    text: &[u8],
    width: i64,
    separator: &[u8],
    breaks_words: bool,
) -> Outcome {
    let separator = if separator.is_empty() {
        b"\n"
    } else {
        separator
    };
    let width = usize::try_from(width.max(1)).unwrap_or(1);
    limits.text((text.len() / width + 1).checked_mul(separator.len()))?;
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while rest.len() > width {
        if rest[0] == b' ' {
            rest = &rest[1..];
            continue;
        }
        let space = memrchr(b' ', &rest[..=width]);
        let (line, after) = match space {
            Some(space) => (space, space + 1),
            None if breaks_words => (width, width),
            None => match memchr(b' ', &rest[width..]) {
                Some(space) => (width + space, width + space + 1),
                None => break,
            },
        };
        out.extend_from_slice(&rest[..line]);
        out.extend_from_slice(separator);
        limits.text(Some(out.len()))?;
        rest = &rest[after..];
    }
    out.extend_from_slice(rest);
    Ok(Value::text(out))
}
