//! `strconv.Quote` for valid UTF-8.

use super::template::quote;

/// The text in double quotes, with Go's escapes; what isn't printable is escaped.
pub(super) fn quote(text: &str) -> String {
    String::from_utf8_lossy(&quote::quote(text.as_bytes(), false)).into_owned()
}
