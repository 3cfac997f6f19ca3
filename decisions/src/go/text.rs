//! Go's `strconv.Quote` and `strings.ToUpper`.

use super::template::{characters, quote as quoting};

/// The text in double quotes, with Go's escapes; what isn't printable is escaped.
pub fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes())
}

/// As [`quote`]: bytes that aren't UTF-8 are escaped too.
pub fn quote_bytes(text: &[u8]) -> String {
    String::from_utf8_lossy(&quoting::quote(text, false)).into_owned()
}

/// The text in upper case, each character by itself: none becomes two.
pub fn to_upper(text: &str) -> String {
    text.chars().map(characters::to_upper).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_escape_what_is_not_printable() {
        assert_eq!(
            quote("a\"\\\t\u{1}\u{e9}\u{ad}"),
            "\"a\\\"\\\\\\t\\x01\u{e9}\\u00ad\""
        );
    }

    #[test]
    fn no_character_becomes_two() {
        assert_eq!(to_upper("asc\u{df}\u{e9}"), "ASC\u{df}\u{c9}");
    }
}
