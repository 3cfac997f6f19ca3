//! Go's `strconv.Quote` and `strings.ToUpper`, for valid UTF-8.

use super::template::{characters, quote as quoting};

/// The text in double quotes, with Go's escapes; what isn't printable is escaped.
pub fn quote(text: &str) -> String {
    String::from_utf8_lossy(&quoting::quote(text.as_bytes(), false)).into_owned()
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
