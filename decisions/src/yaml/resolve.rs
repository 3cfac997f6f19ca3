//! Which type an unquoted text has.

use crate::go::number::parse_float;

/// The types of scalars that unquoted text can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    String,
}

impl Resolved {
    /// The tag in its short form.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool => "!!bool",
            Self::Int => "!!int",
            Self::Float => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::String => "!!str",
        }
    }
}

/// The type of an unquoted text as the dialect reads it.
pub(super) fn resolve(text: &str) -> Resolved {
    match text.as_bytes().first() {
        None => Resolved::Null,
        Some(b'~' | b't' | b'T' | b'f' | b'F' | b'n' | b'N') => match text {
            "~" | "null" | "Null" | "NULL" => Resolved::Null,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Resolved::Bool,
            _ => Resolved::String,
        },
        Some(b'.') => {
            // Here Go's own notation counts, in which digits may be parted by `_`.
            if is_special_float(text) || parse_float(text).is_ok() {
                Resolved::Float
            } else {
                Resolved::String
            }
        }
        Some(b'+' | b'-' | b'0'..=b'9') => resolve_number(text),
        _ => Resolved::String,
    }
}

fn resolve_number(text: &str) -> Resolved {
    if is_special_float(text) {
        return Resolved::Float;
    }
    if is_timestamp(text) {
        return Resolved::Timestamp;
    }
    let digits = text.replace('_', "");
    if is_integer(&digits) || is_prefixed_integer(&digits) {
        return Resolved::Int;
    }
    if is_finite_decimal(&digits) {
        return Resolved::Float;
    }
    Resolved::String
}

/// Whether a YAML 1.1 reader would take a text for something else than a string.
pub fn is_non_string_in_yaml_1_1(text: &str) -> bool {
    is_non_string_word(text).unwrap_or(false)
}

/// Whether a YAML 1.1 reader would take a single word for something else than a string.
fn is_non_string_word(text: &str) -> Option<bool> {
    if text.is_empty() || text.contains('\n') {
        return Some(false);
    }
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:@+-~[]".contains(&byte);
    if !text.bytes().all(is_word) || text.len() > MAX_WORD {
        return None;
    }
    if text.starts_with(['@', ']']) {
        // Not a document at all.
        return Some(false);
    }
    if text.starts_with('[') {
        // A list, if it ends.
        return Some(text.contains(']'));
    }
    if text == "-" || text == "---" || text.ends_with(':') {
        // A list, an empty document, a mapping.
        return Some(true);
    }
    if text == "..." {
        // Not a document at all.
        return Some(false);
    }
    let lower = text.to_ascii_lowercase();
    let is_cased = text == lower
        || text == text.to_ascii_uppercase()
        || text[1..] == lower[1..] && text.as_bytes()[0].is_ascii_uppercase();
    let is_switch = matches!(lower.as_str(), "y" | "yes" | "on" | "n" | "no" | "off");
    if is_cased && is_switch {
        return Some(true);
    }
    Some(match text.as_bytes().first() {
        Some(b'+' | b'-' | b'0'..=b'9') => {
            let digits = text.replace('_', "");
            is_special_float(text)
                || is_integer(&digits)
                || is_finite_decimal(&digits)
                || is_binary_integer(&digits)
        }
        _ => resolve(text) != Resolved::String,
    })
}

/// The longest text that a key without `?` can have; a longer one may read differently.
const MAX_WORD: usize = 1000;

fn is_special_float(text: &str) -> bool {
    matches!(
        text,
        ".nan"
            | ".NaN"
            | ".NAN"
            | ".inf"
            | ".Inf"
            | ".INF"
            | "+.inf"
            | "+.Inf"
            | "+.INF"
            | "-.inf"
            | "-.Inf"
            | "-.INF"
    )
}

/// An integer of at most 64 bits; the base is told by `0x`, `0o`, `0b` or a leading 0.
pub(super) fn is_integer(text: &str) -> bool {
    let (signed, digits) = match text.as_bytes().first() {
        Some(b'+' | b'-') => (true, &text[1..]),
        _ => (false, text),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let limit = match (signed, text.starts_with('-')) {
        (true, true) => 1 << 63,
        (true, false) => (1 << 63) - 1,
        _ => u64::MAX,
    };
    // No second sign: the parser of the standard library would take one.
    digits.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && u64::from_str_radix(digits, base).is_ok_and(|value| value <= limit)
}

/// The spellings `-0b-...` that fall out of how the prefix is cut off.
fn is_prefixed_integer(text: &str) -> bool {
    for (prefix, base) in [("0b", 2), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return i64::from_str_radix(digits, base).is_ok()
                || !digits.starts_with('+') && u64::from_str_radix(digits, base).is_ok();
        }
        if let Some(digits) = text
            .strip_prefix('-')
            .and_then(|rest| rest.strip_prefix(prefix))
        {
            return !digits.starts_with(['+', '-'])
                && i64::from_str_radix(&format!("-{digits}"), base).is_ok();
        }
    }
    false
}

pub(super) fn is_binary_integer(text: &str) -> bool {
    let is_binary = text.starts_with("0b") || text.starts_with("-0b");
    is_binary && is_prefixed_integer(text)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, not above what a 64-bit float holds.
pub(super) fn is_finite_decimal(text: &str) -> bool {
    let bytes = text.as_bytes();
    let count_digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = count_digits(at);
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = count_digits(at + 1);
        if whole + fraction == 0 {
            return false;
        }
        at += 1 + fraction;
    } else if whole == 0 {
        return false;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        let exponent = count_digits(at);
        if exponent == 0 {
            return false;
        }
        at += exponent;
    }
    at == bytes.len() && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// A date, or a date and a time, with one or two digits for each part but the year.
pub(super) fn is_timestamp(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits != 4 {
        return false;
    }
    parse_timestamp(text).is_some()
}

fn parse_timestamp(text: &str) -> Option<()> {
    let year: u32 = text[..4].parse().ok()?;
    let rest = text[4..].strip_prefix('-')?;
    let (month, rest) = short_number(rest)?;
    let rest = rest.strip_prefix('-')?;
    let (day, rest) = short_number(rest)?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    if rest.is_empty() {
        return Some(());
    }
    if let Some(time) = rest.strip_prefix(['T', 't']) {
        return is_zone(parse_time(time)?).then_some(());
    }
    let time = rest.strip_prefix(' ')?.trim_start_matches(' ');
    parse_time(time)?.is_empty().then_some(())
}

/// `hours:minutes:seconds` with a fraction; gives what is left.
fn parse_time(text: &str) -> Option<&str> {
    let (hours, rest) = short_number(text)?;
    let (minutes, rest) = short_number(rest.strip_prefix(':')?)?;
    let (seconds, rest) = short_number(rest.strip_prefix(':')?)?;
    if hours >= 24 || minutes >= 60 || seconds >= 60 {
        return None;
    }
    if let Some(fraction) = rest.strip_prefix(['.', ','])
        && fraction.starts_with(|first: char| first.is_ascii_digit())
    {
        return Some(fraction.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    }
    Some(rest)
}

fn is_zone(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let bytes = text.as_bytes();
    let [b'+' | b'-', h1, h2, b':', m1, m2] = bytes else {
        return false;
    };
    if ![h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    (h1 - b'0') * 10 + (h2 - b'0') <= 24 && (m1 - b'0') * 10 + (m2 - b'0') <= 60
}

/// A number of one or two digits and what is behind it.
fn short_number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let number = text[..digits].parse().ok()?;
    Some((number, &text[digits..]))
}

fn days_in_month(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_non_string_in_yaml_1_1, resolve};

    #[test]
    fn unquoted_text_has_a_type() {
        for (tag, texts) in [
            ("!!null", ["", "~", "null", "Null", "NULL", "null"]),
            (
                "!!bool",
                ["true", "True", "TRUE", "false", "False", "FALSE"],
            ),
            ("!!int", ["0", "-1", "0x1F", "0o17", "017", "1_000"]),
            ("!!float", ["1.5", ".5_0", "-.inf", ".NaN", "08", "1e3"]),
            (
                "!!timestamp",
                [
                    "2024-01-01",
                    "2024-1-2",
                    "2024-02-29T1:2:3Z",
                    "2024-01-01t01:02:03.5+01:00",
                    "2024-01-01  1:2:3,25",
                    "2024-12-31 23:59:59",
                ],
            ),
            (
                "!!str",
                ["yes", "y", "nUll", "1.2.3", "1e400", "2023-02-29"],
            ),
            (
                "!!str",
                ["<<", "0x", "._1", "--1", "0x+1", "2024-01-01T24:00:00Z"],
            ),
        ] {
            for text in texts {
                assert_eq!(resolve(text).tag(), tag, "{text:?}");
            }
        }
    }

    #[test]
    fn old_readers_see_more_than_strings() {
        for text in [
            "y", "NO", "Off", "on", "1", "08", "1.25", "0x1f", "null", "~", ".inf", "-", "---",
            "a:", "[a]",
        ] {
            assert!(is_non_string_in_yaml_1_1(text), "{text:?}");
        }
        for text in [
            "v1",
            "yEs",
            "1.2.3",
            "2024-01-01",
            "1e400",
            "ghcr.io/a/b:v1",
            "sha256:00",
            "...",
            "0o8",
            "@a",
        ] {
            assert!(!is_non_string_in_yaml_1_1(text), "{text:?}");
        }
    }
}
