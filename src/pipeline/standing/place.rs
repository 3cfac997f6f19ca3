//! What stands around a marker in its file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::controllers::setters::changes::ObjectIdentifier;
use crate::pipeline::checkout::{Checkout, CheckoutFailure};
use crate::yaml::{SplitText, normalize};

/// A file: its lines, and the objects that begin in them.
pub(super) struct Text {
    lines: Vec<String>,
    /// The first line of each document, from 1, and its object; none: a List, or nothing that can be told.
    objects: BTreeMap<usize, Option<ObjectIdentifier>>,
}

/// The files `paths` of a checkout.
pub(super) fn texts(
    paths: &BTreeSet<&str>,
    checkout: Option<&Result<Arc<Checkout>, CheckoutFailure>>,
) -> BTreeMap<String, Text> {
    let Some(Ok(checkout)) = checkout else {
        return BTreeMap::new();
    };
    let paths: Vec<&str> = paths.iter().copied().collect();
    let read = checkout.files.read_files(&paths, |_| true);
    let readable = read
        .into_iter()
        .filter_map(|(path, bytes)| Some((path, Text::new(&bytes.ok()?))));
    readable.collect()
}

impl Text {
    fn new(bytes: &[u8]) -> Self {
        let text = normalize(bytes);
        let lines = String::from_utf8_lossy(&text)
            .lines()
            .map(str::to_owned)
            .collect();
        Self {
            lines,
            objects: objects(&text).unwrap_or_default(),
        }
    }

    /// The object whose document holds a line.
    pub(super) fn object_at(&self, line: usize) -> Option<ObjectIdentifier> {
        let (_, object) = self.objects.range(..=line).next_back()?;
        object.clone().filter(|object| !object.kind.is_empty())
    }

    /// The value before the comment of a line, as far as a line tells it.
    pub(super) fn value_at(&self, line: usize) -> Option<String> {
        let line = self.lines.get(line.checked_sub(1)?)?;
        let (before, _) = line.split_once(" #")?;
        let (_, value) = before
            .rsplit_once(": ")
            .or_else(|| before.rsplit_once("- "))?;
        let value = value.trim();
        let unquoted = ['"', '\'']
            .iter()
            .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        let value = unquoted.unwrap_or(value);
        (!value.is_empty() && !value.contains(['"', '\''])).then(|| value.to_owned())
    }
}

fn objects(text: &[u8]) -> Option<BTreeMap<usize, Option<ObjectIdentifier>>> {
    let split = SplitText::new(text).ok()?;
    let read = split.read(None).ok()?;
    let mut objects = BTreeMap::new();
    for document in &read.documents {
        let (line, _) = split.place(split.chunk_start(document.chunk));
        let identity = read.view(document).identity();
        let object = identity
            .filter(|_| !document.is_list_item)
            .map(|identity| ObjectIdentifier {
                api_version: identity.api_version.to_owned(),
                kind: identity.kind.to_owned(),
                name: identity.name.to_owned(),
                namespace: identity.namespace.to_owned(),
            });
        objects.insert(line, object);
    }
    Some(objects)
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn a_line_has_its_object_and_its_value() {
        let text = Text::new(
            b"kind: A\nmetadata:\n  name: a\n---\nkind: B\nmetadata:\n  name: b\nimage: 'x:1' # {}\n",
        );
        assert_eq!(text.object_at(2).unwrap().name, "a");
        assert_eq!(text.object_at(8).unwrap().name, "b");
        assert_eq!(text.value_at(8).as_deref(), Some("x:1"));
        assert_eq!(text.value_at(7), None);
        assert_eq!(text.value_at(9), None);
    }

    #[test]
    fn a_file_that_is_no_yaml_has_lines_all_the_same() {
        let text = Text::new(b"a: b: c\nd: e # x\n");
        assert_eq!(text.object_at(1), None);
        assert_eq!(text.value_at(2).as_deref(), Some("e"));
    }
}
