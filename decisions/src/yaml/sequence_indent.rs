//! Whether the lists of a document are written at the column of their key or two further, told from the first list that shows it.

/// Where the `-` of a list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceIndent {
    /// Under the first letter of the key.
    Compact,
    /// Two columns further.
    Wide,
}

impl SequenceIndent {
    /// The word by which it is noted in an object.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Wide => "wide",
        }
    }

    /// What a word means that is noted in an object.
    pub(super) fn of_word(word: &str) -> Self {
        if word == "wide" {
            Self::Wide
        } else {
            Self::Compact
        }
    }

    /// Looks at the lines of a document, those inside of block scalars too.
    pub fn of(text: &[u8]) -> Self {
        let mut key_line: &[u8] = b"";
        let mut rest = text;
        loop {
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..length];
            let indent = spaces(line);
            match line.get(indent..).unwrap_or_default() {
                [b'-', b' ', ..] => {
                    if let Some(found) = Self::shown_by(indent, key_line) {
                        return found;
                    }
                    key_line = line;
                }
                [b'#', ..] => {}
                _ => key_line = line,
            }
            if length == rest.len() {
                return Self::Compact;
            }
            rest = &rest[length + 1..];
        }
    }

    /// What an item with this indentation shows, whose nearest line above that isn't a comment is `key_line`.
    fn shown_by(indent: usize, key_line: &[u8]) -> Option<Self> {
        let end = memchr::memchr(b'#', key_line).unwrap_or(key_line.len());
        let key_indent = spaces(key_line);
        let key = &key_line[key_indent.min(end)..end];
        let key = &key[..key.len() - key.iter().rev().take_while(|byte| **byte == b' ').count()];
        if memchr::memchr(b':', key)? + 1 != key.len() {
            return None;
        }
        match indent.checked_sub(key_indent) {
            Some(0) => Some(Self::Compact),
            Some(2) => Some(Self::Wide),
            _ => None,
        }
    }
}

fn spaces(line: &[u8]) -> usize {
    line.iter().take_while(|byte| **byte == b' ').count()
}

#[cfg(test)]
mod tests {
    use super::SequenceIndent::{self, Compact, Wide};

    #[test]
    fn the_first_list_that_shows_it_decides() {
        for (text, expected) in [
            ("a:\n- b\n", Compact),
            ("a:\n  - b\n", Wide),
            ("a:\n  - b\nc:\n- d\n", Wide),
            ("a:\n    - b\nc:\n  - d\n", Wide),
            ("a:\n\n  - b\n", Compact),
            ("a: # c\n  # d\n  - b\n", Wide),
            ("a: &x\n  - b\n", Compact),
            ("\"a:b\":\n  - b\n", Compact),
            ("a: |\n  x:\n    - y\n", Wide),
            ("a:\n  -\n", Compact),
            ("", Compact),
        ] {
            assert_eq!(SequenceIndent::of(text.as_bytes()), expected, "{text:?}");
        }
    }
}
