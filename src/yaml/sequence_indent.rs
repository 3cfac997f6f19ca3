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
    /// Looks at the lines of a document, those inside of block scalars too.
    pub fn of(text: &str) -> Self {
        let mut key_line = "";
        for line in text.split('\n') {
            if let Some(found) = Self::shown_by(line, key_line) {
                return found;
            }
            if !line.trim_matches(' ').starts_with('#') {
                key_line = line.split('#').next().unwrap_or_default();
            }
        }
        Self::Compact
    }

    /// What an item shows whose nearest line above that isn't a comment is `key_line`.
    fn shown_by(line: &str, key_line: &str) -> Option<Self> {
        let (indent, _) = line.split_once("- ")?;
        let key = key_line.trim_matches(' ');
        if !indent.trim_matches(' ').is_empty() || key.find(':')? + 1 != key.len() {
            return None;
        }
        let key_indent = key_line.len() - key_line.trim_start_matches(' ').len();
        match indent.len().checked_sub(key_indent) {
            Some(0) => Some(Self::Compact),
            Some(2) => Some(Self::Wide),
            _ => None,
        }
    }
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
            assert_eq!(SequenceIndent::of(text), expected, "{text:?}");
        }
    }
}
