//! Mirrors no file of image-automation-controller 1.2: the new values put into the text as it stands, with nothing else touched, which
//! the controller doesn't do.

use crate::yaml::{NodeId, View, is_non_string_in_yaml_1_1};

/// A piece of a normalized text and what replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    start: usize,
    end: usize,
    text: String,
}

impl Edit {
    fn new(start: usize, end: usize, text: impl Into<String>) -> Self {
        Self {
            start,
            end,
            text: text.into(),
        }
    }
}

/// What writes `new` in the place of a scalar, whose document starts at `chunk_start`; nothing where it has no place.
pub(super) fn edits(view: View<'_>, chunk_start: usize, node: NodeId, new: &str) -> Vec<Edit> {
    let text = view.source_text().as_bytes();
    let start = view.start(node) as usize;
    let found = match text.get(start) {
        Some(b'\'') => quoted(text, start, b'\'').map(|end| {
            let inner = new.replace('\'', "''");
            vec![Edit::new(start, end, format!("'{inner}'"))]
        }),
        Some(b'"') => quoted(text, start, b'"').map(|end| vec![Edit::new(start, end, double(new))]),
        Some(b'|' | b'>') => block(text, start, view.value(node), new),
        Some(_) => plain_end(text, start, view.value(node))
            .map(|end| vec![Edit::new(start, end, bare(new))]),
        None => None,
    };
    let mut found = found.unwrap_or_default();
    for edit in &mut found {
        edit.start += chunk_start;
        edit.end += chunk_start;
    }
    found
}

/// The end of a scalar that is written on one line, and not as a block.
pub(super) fn end(view: View<'_>, node: NodeId) -> Option<usize> {
    let text = view.source_text().as_bytes();
    let start = view.start(node) as usize;
    let end = match text.get(start)? {
        b'|' | b'>' => None,
        quote @ (b'\'' | b'"') => quoted(text, start, *quote),
        _ => plain_end(text, start, view.value(node)),
    }?;
    memchr::memchr(b'\n', &text[start..end])
        .is_none()
        .then_some(end)
}

/// Where an offset of a text with LF line ends is in the file.
pub(super) fn file_offset(bytes: &[u8], text: &[u8], offset: usize) -> usize {
    let mut places = Places {
        bytes,
        text,
        at: (0, 0),
    };
    places.of(offset)
}

/// A value on its own: without quotes where it may stand so.
fn bare(new: &str) -> String {
    if is_plain(new) {
        new.to_owned()
    } else {
        double(new)
    }
}

fn double(new: &str) -> String {
    format!("\"{}\"", new.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether a value may stand without quotes and stays a string for old and new readers.
fn is_plain(new: &str) -> bool {
    let is_ordinary = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_' | '/' | ':' | '@')
    };
    let has_date = new.len() >= 8 && new.bytes().take(4).all(|byte| byte.is_ascii_digit());
    new.chars().all(is_ordinary)
        && new.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !new.ends_with(':')
        && !is_non_string_in_yaml_1_1(new)
        && !(has_date && new.as_bytes().get(4) == Some(&b'-'))
}

/// The end of a scalar in quotes.
fn quoted(text: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut at = start + 1;
    loop {
        let byte = *text.get(at)?;
        let doubled = quote == b'\'' && byte == quote && text.get(at + 1) == Some(&quote);
        if doubled || quote == b'"' && byte == b'\\' {
            at += 2;
        } else if byte == quote {
            return Some(at + 1);
        } else {
            at += 1;
        }
    }
}

/// The end of a scalar without quotes: it may be broken into lines.
fn plain_end(text: &[u8], start: usize, value: &str) -> Option<usize> {
    let mut at = start;
    for byte in value.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        while text.get(at)?.is_ascii_whitespace() {
            at += 1;
        }
        if text[at] != byte {
            return None;
        }
        at += 1;
    }
    Some(at)
}

/// A block scalar keeps its place and style; its lines become one, without the line breaks around it that the value doesn't have.
fn block(text: &[u8], start: usize, value: &str, new: &str) -> Option<Vec<Edit>> {
    let mut header = start + 1;
    while text
        .get(header)
        .is_some_and(|byte| matches!(byte, b'-' | b'+' | b'0'..=b'9'))
    {
        header += 1;
    }
    let lines = memchr::memchr(b'\n', &text[header..]).map(|at| header + at + 1);
    let Some(lines) = lines.filter(|_| !value.trim_ascii().is_empty()) else {
        // Without a line there is no place below the header.
        return Some(vec![Edit::new(start, header, bare(new))]);
    };
    let first = lines
        + text[lines..]
            .iter()
            .position(|byte| !byte.is_ascii_whitespace())?;
    let last = plain_end(text, first, value)?;
    let end = memchr::memchr(b'\n', &text[last..]).map_or(text.len(), |at| last + at);
    let line = memchr::memrchr(b'\n', &text[..first]).map_or(0, |at| at + 1);
    // The line is now as deep as a reader finds it to be, whatever the header said.
    let indent = std::str::from_utf8(&text[line..first]).ok()?;
    Some(vec![
        Edit::new(start, header, format!("{}-", text[start] as char)),
        Edit::new(lines, end, format!("{indent}{new}")),
    ])
}

/// The bytes of a file with its edits, which are places in its text with LF line ends.
pub(super) fn apply(bytes: &[u8], text: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_by_key(|edit| edit.start);
    edits.dedup();
    let mut made = Vec::with_capacity(bytes.len() + 64);
    let mut places = Places {
        bytes,
        text,
        at: (0, 0),
    };
    let mut copied = 0;
    for edit in edits {
        let start = places.of(edit.start);
        let end = places.of(edit.end);
        if start < copied {
            continue;
        }
        made.extend_from_slice(&bytes[copied..start]);
        made.extend_from_slice(edit.text.as_bytes());
        copied = end;
    }
    made.extend_from_slice(&bytes[copied..]);
    made
}

/// Goes through a file beside its text with LF line ends.
struct Places<'b> {
    bytes: &'b [u8],
    text: &'b [u8],
    at: (usize, usize),
}

impl Places<'_> {
    /// Where an offset of the text is in the file; asked for in order.
    fn of(&mut self, offset: usize) -> usize {
        if self.bytes.len() == self.text.len() {
            return offset;
        }
        let (mut inside, mut here) = self.at;
        while inside < offset {
            here += 1;
            if self.bytes.get(here - 1) == Some(&b'\r') && self.bytes.get(here) == Some(&b'\n') {
                continue;
            }
            inside += 1;
        }
        self.at = (inside, here);
        here
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SetterPolicy, Setters, SourceFile, Wanted, rewrite_file};

    fn setters() -> Setters {
        let policy = |name: &str, tag: &str| SetterPolicy {
            namespace: "n".into(),
            name: name.into(),
            image: "r.io/ab".into(),
            tag: tag.into(),
            digest: String::new(),
        };
        Setters::new(&[policy("a", "v2"), policy("n", "1.0")]).unwrap()
    }

    fn minimal(text: &str) -> String {
        let file = SourceFile {
            path: "f.yaml",
            bytes: text.as_bytes(),
        };
        let wanted = Wanted {
            minimal: true,
            ..Wanted::default()
        };
        let made = rewrite_file(&file, &setters(), wanted).minimal;
        made.map_or_else(String::new, |made| String::from_utf8(made.bytes).unwrap())
    }

    #[test]
    fn values_without_a_place_are_told() {
        let marker = "# {\"$imagepolicy\": \"n:a\"}";
        let tagged = format!("b: x\na: !!int 1 {marker}\n");
        // With the new value the object names another file than its own.
        let note = "config.kubernetes.io/path";
        let named = format!("metadata:\n  annotations:\n    {note}: f.yaml {marker}\n");
        for (text, line) in [(tagged, 2), (named, 3)] {
            let wanted = Wanted {
                minimal: true,
                ..Wanted::default()
            };
            let file = SourceFile {
                path: "f.yaml",
                bytes: text.as_bytes(),
            };
            let made = rewrite_file(&file, &setters(), wanted);
            assert_eq!(made.minimal, None);
            assert_eq!(made.unplaced.map(|unplaced| unplaced.line), Some(line));
        }
    }

    #[test]
    fn nothing_but_the_values_changes() {
        let marker = |name: &str| format!("# {{\"$imagepolicy\": \"n:{name}\"}}");
        for (old, name, new) in [
            ("x:v1", "a", "r.io/ab:v2"),
            ("'x:v1'", "a", "'r.io/ab:v2'"),
            ("\"x\\\":v1\"", "a:tag", "\"v2\""),
            ("v1", "n:tag", "\"1.0\""),
            ("1", "a:tag", "v2"),
            ("&x v1", "a:tag", "&x v2"),
            ("v1\n      v1", "a:tag", "v2"),
            ("v1", "a:digest", "\"\""),
        ] {
            let text = |value: &str| {
                format!(
                    "---\n\n# c\na:   {value}   {}\r\n\n\nb: [ 1,2 ]",
                    marker(name)
                )
            };
            assert_eq!(minimal(&text(old)), text(new), "{old}");
        }
        assert_eq!(
            minimal(&format!("a: |+ {}\n\nb:  1\n", marker("n:tag"))),
            format!("a: \"1.0\" {}\n\nb:  1\n", marker("n:tag"))
        );
        assert_eq!(
            minimal(&format!("a: | {}\n    v1\n\n\nb:  1\n", marker("a:tag"))),
            format!("a: |- {}\n    v2\n\n\nb:  1\n", marker("a:tag"))
        );
        for (block, lines) in [
            ("|2", "\n     v1\n    v1 \n"),
            ("|2+", "\n     v1\n    v1 \n"),
            (">", "\n    v1\n    v1 \n"),
            ("|", "\n\n\n    v1\n"),
        ] {
            let text = |block: &str, lines: &str| {
                format!("a:\n- x\n{}\n- {block}{lines}\n- b\n", marker("a:tag"))
            };
            let made = minimal(&text(block, lines));
            let start = text(&format!("{}-", &block[..1]), "\n");
            let (start, _) = start.split_at(start.len() - "\n- b\n".len());
            assert!(made.starts_with(start), "{block}: {made}");
            assert!(made.ends_with(" v2\n\n- b\n"), "{block}: {made}");
        }
        let above = format!("a:\n{}\n- |", marker("a:tag"));
        assert_eq!(minimal(&above), above.replace('|', "v2"));
    }
}
