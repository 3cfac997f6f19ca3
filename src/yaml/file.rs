//! A file as a row of documents: taking it apart and putting it together.

use std::borrow::Cow;

use super::ReadError;
use super::composer::compose;
use super::document::{Document, NodeId, NodeKind};
use super::emitter::Emitter;
use super::resource::{INDEX, LEGACY_INDEX, LEGACY_PATH, PATH, SEQUENCE_INDENT, WrongKind};
use super::sequence_indent::SequenceIndent;
use super::text::{CheckedText, check};

/// The text of a file with LF line ends.
pub fn normalize(bytes: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(bytes, b"\r\n").is_none() {
        return Cow::Borrowed(bytes);
    }
    let mut text = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    for at in memchr::memmem::find_iter(bytes, b"\r\n") {
        text.extend_from_slice(&bytes[copied..at]);
        copied = at + 1;
    }
    text.extend_from_slice(&bytes[copied..]);
    Cow::Owned(text)
}

/// A piece of a file between separators. At most its first document is read.
#[derive(Debug)]
pub struct Chunk<'b> {
    /// Where the piece starts in the normalized text.
    pub start: usize,
    /// The piece.
    pub bytes: &'b [u8],
    checked: Result<CheckedText<'b>, ReadError>,
}

/// A normalized text, cut at its separators.
#[derive(Debug)]
pub struct SplitText<'b> {
    /// The pieces, in order; none for an empty file.
    pub chunks: Vec<Chunk<'b>>,
    text: &'b [u8],
    line_ends: Vec<usize>,
}

impl<'b> SplitText<'b> {
    /// Cuts a normalized text at the lines that start with `---`, whatever they are inside of.
    ///
    /// # Errors
    ///
    /// A separator line may hold nothing else but a comment.
    pub fn new(text: &'b [u8]) -> Result<Self, ReadError> {
        let mut split = Self::uncut(text);
        let mut start = 0;
        while let Some(found) = memchr::memmem::find(&text[start..], b"\n---") {
            let separator = start + found;
            let Some(length) = memchr::memchr(b'\n', &text[separator + 1..]) else {
                break;
            };
            let end = separator + 1 + length;
            let rest = String::from_utf8_lossy(&text[separator + 4..end]);
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                let line = split.place(separator + 1).0;
                return Err(ReadError::malformed("invalid document separator", line));
            }
            split.push(&text[start..=separator], start);
            start = end + 1;
        }
        if !text.is_empty() {
            split.push(&text[start..], start);
        }
        Ok(split)
    }

    /// A text whose places are of interest but not its documents.
    pub fn uncut(text: &'b [u8]) -> Self {
        Self {
            chunks: Vec::new(),
            text,
            line_ends: memchr::memchr_iter(b'\n', text).collect(),
        }
    }

    fn push(&mut self, bytes: &'b [u8], start: usize) {
        let checked = check(bytes);
        self.chunks.push(Chunk {
            start,
            bytes,
            checked,
        });
    }

    /// Line and column of an offset in the text, both from 1, the column in characters.
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.line_ends.partition_point(|end| *end < offset);
        let start = before.checked_sub(1).map_or(0, |at| self.line_ends[at] + 1);
        (before + 1, 1 + count_characters(&self.text[start..offset]))
    }

    /// Whether one of the documents is a list.
    pub fn has_list_at_root(&self) -> bool {
        let checked = self
            .chunks
            .iter()
            .filter_map(|chunk| chunk.checked.as_ref().ok());
        checked
            .filter_map(|checked| compose(checked).ok().flatten())
            .any(|document| matches!(document.node(document.root).kind, NodeKind::Sequence { .. }))
    }

    /// Reads all documents as configuration objects. `path` is noted in each.
    ///
    /// # Errors
    ///
    /// One document that can't be read condemns the file.
    pub fn read<'t>(&'t self, path: Option<&str>) -> Result<Vec<Read<'t>>, ReadError> {
        let mut all = Vec::new();
        for (number, chunk) in self.chunks.iter().enumerate() {
            let first_line = self.place(chunk.start).0;
            let at_line = |mut error: ReadError| {
                error.line += first_line - 1;
                error
            };
            let wrong_kind = |error: WrongKind| {
                let line = self.place(chunk.start + error.offset).0;
                ReadError::malformed(&error.message, line)
            };
            let checked = chunk
                .checked
                .as_ref()
                .map_err(|error| at_line(error.clone()))?;
            let Some(mut document) = compose(checked).map_err(at_line)? else {
                continue;
            };
            if document.node(document.root).is_null() {
                continue;
            }
            annotate(&mut document, chunk.bytes, all.len(), path).map_err(wrong_kind)?;
            if self.chunks.len() == 1
                && let Some(items) = list_items(&document)
            {
                for item in items {
                    let part = document.part(item);
                    all.push(Read {
                        chunk: number,
                        document: part,
                        is_list_item: true,
                    });
                }
                continue;
            }
            all.push(Read {
                chunk: number,
                document,
                is_list_item: false,
            });
        }
        Ok(all)
    }
}

fn count_characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| *byte & 0xC0 != 0x80).count()
}

/// A document that was read.
#[derive(Clone, Debug)]
pub struct Read<'t> {
    /// The number of its piece.
    pub chunk: usize,
    /// The document, with the notes of the library in its annotations.
    pub document: Document<'t>,
    /// It is an item of a `List`, which was taken apart; no path is noted in it.
    pub is_list_item: bool,
}

fn annotate(
    document: &mut Document<'_>,
    text: &[u8],
    index: usize,
    path: Option<&str>,
) -> Result<(), WrongKind> {
    document.copy_legacy_annotations()?;
    let index = index.to_string();
    document.set_annotation(LEGACY_INDEX, &index)?;
    document.set_annotation(INDEX, &index)?;
    if let Some(path) = path {
        document.set_annotation(PATH, path)?;
    }
    let text = String::from_utf8_lossy(text);
    let indent = match SequenceIndent::of(&text) {
        SequenceIndent::Compact => "compact",
        SequenceIndent::Wide => "wide",
    };
    document.set_annotation(SEQUENCE_INDENT, indent)
}

/// The items of a `List` or `ResourceList`, which become objects of their own; `None` for everything else.
fn list_items(document: &Document<'_>) -> Option<Vec<NodeId>> {
    let identity = document.identity()?;
    if identity.kind != "List" && identity.kind != "ResourceList" {
        return None;
    }
    let Some(items) = document.field(document.root, "items") else {
        document.field(document.root, "functionConfig")?;
        return Some(Vec::new());
    };
    Some(match &document.node(items).kind {
        NodeKind::Sequence { items, .. } => items.clone(),
        NodeKind::Mapping { fields, .. } => fields
            .iter()
            .flat_map(|(key, value)| [*key, *value])
            .collect(),
        _ => Vec::new(),
    })
}

/// The text of these documents as one file, without the notes of the library.
///
/// # Errors
///
/// When the `metadata` of one is no mapping; such a document can't come from [`SplitText::read`].
pub fn write_documents(mut documents: Vec<Document<'_>>) -> Result<Vec<u8>, WrongKind> {
    let mut indents = Vec::with_capacity(documents.len());
    for document in &mut documents {
        indents.push(if document.annotation_or_empty(SEQUENCE_INDENT) == "wide" {
            SequenceIndent::Wide
        } else {
            SequenceIndent::Compact
        });
        for key in [INDEX, LEGACY_INDEX, SEQUENCE_INDENT, PATH, LEGACY_PATH] {
            document.clear_annotation(key)?;
        }
        document.clear_empty_annotations()?;
        unwrap_bare_sequence(document);
    }
    let mut emitter = Emitter::new();
    for (document, indent) in documents.iter().zip(indents) {
        emitter.document(document, indent);
    }
    Ok(emitter.finish().into_bytes())
}

/// A document that is nothing but a wrapped value is written as this value.
fn unwrap_bare_sequence(document: &mut Document<'_>) {
    let wrapped = document
        .fields(document.root)
        .iter()
        .find(|(key, _)| document.node(*key).key_text() == "bareSeqNodeWrappingKey");
    if let Some((_, value)) = wrapped {
        let value = *value;
        if !document.is_empty(value) {
            document.root = value;
            document.head = super::Comment::default();
            document.foot = super::Comment::default();
        }
    }
}

/// The file with all its documents read and written again. A file without any document is left as it is.
///
/// # Errors
///
/// When the file can't be read.
pub fn round_trip(bytes: &[u8]) -> Result<Vec<u8>, ReadError> {
    let text = normalize(bytes);
    let split = SplitText::new(&text)?;
    let documents = split.read(None)?;
    if documents.is_empty() {
        return Ok(bytes.to_vec());
    }
    let documents = documents.into_iter().map(|read| read.document).collect();
    write_documents(documents).map_err(|error| ReadError::malformed(&error.message, 1))
}

#[cfg(test)]
mod tests {
    use super::{SplitText, normalize, round_trip};

    fn chunks(text: &str) -> Vec<String> {
        let text = normalize(text.as_bytes());
        let split = SplitText::new(&text).unwrap();
        let chunks = split.chunks.iter();
        chunks
            .map(|chunk| String::from_utf8_lossy(chunk.bytes).into_owned())
            .collect()
    }

    #[test]
    fn separators_cut_the_text() {
        assert_eq!(chunks(""), Vec::<String>::new());
        assert_eq!(chunks("---\na\n"), ["---\na\n"]);
        assert_eq!(chunks("a\r\n--- # c\r\nb\r\n"), ["a\n", "b\n"]);
        assert_eq!(chunks("a\n---"), ["a\n---"]);
        assert_eq!(chunks("a\n---\n---\nb\n"), ["a\n", "---\nb\n"]);
        assert_eq!(chunks("a: |\n  x\n---\n"), ["a: |\n  x\n", ""]);
        assert!(SplitText::new(b"a\n--- b\nc\n").is_err());
        assert!(SplitText::new(b"a\n----\nc\n").is_err());
    }

    #[test]
    fn places_are_lines_and_characters() {
        let text = "\u{e9}a\n\u{1F600}b\n".as_bytes();
        let split = SplitText::new(text).unwrap();
        assert_eq!(split.place(0), (1, 1));
        assert_eq!(split.place(2), (1, 2));
        assert_eq!(split.place(4), (2, 1));
        assert_eq!(split.place(8), (2, 2));
    }

    #[test]
    fn depth_costs_no_stack_and_has_a_limit() {
        let run = || {
            for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", "")] {
                let nested = |depth: usize| {
                    let text = format!("a:\n {}x{}\n", open.repeat(depth), close.repeat(depth));
                    round_trip(text.as_bytes())
                };
                assert!(nested(9_000).is_ok(), "{open}");
                let refused = nested(200_000).unwrap_err();
                assert_eq!(refused.problem, "exceeded max depth of 10000");
            }
        };
        let small = std::thread::Builder::new().stack_size(256 * 1024);
        small.spawn(run).unwrap().join().unwrap();
    }

    #[test]
    fn what_holds_no_document_stays() {
        for text in ["", "# c\n", "---\n", "~\n", "null # c\n---\n# d\n"] {
            assert_eq!(round_trip(text.as_bytes()).unwrap(), text.as_bytes());
        }
    }
}
