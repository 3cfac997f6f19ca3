//! A file as a row of documents: taking it apart and putting it together.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::ReadError;
use super::characters::count_characters;
use super::composer::compose;
use super::emitter::Emitter;
use super::resource::{Object, ObjectError, Shape};
use super::sequence_indent::SequenceIndent;
use super::text::{Source, check, clean, holds_latin_control};
use super::tree::{Document, Kind, NodeId, Tree, View};

/// Larger files are not read: places in a file are kept in 32 bits, and some room is needed to keep apart what isn't in it.
pub const MAX_SIZE: usize = (1 << 31) - 1;

/// The text of a file with LF line ends.
pub fn normalize(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut found =
        memchr::memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) == Some(&b'\n'));
    let Some(first) = found.next() else {
        return Cow::Borrowed(bytes);
    };
    let mut text = Vec::with_capacity(bytes.len());
    text.extend_from_slice(&bytes[..first]);
    let mut copied = first + 1;
    for at in found {
        text.extend_from_slice(&bytes[copied..at]);
        copied = at + 1;
    }
    text.extend_from_slice(&bytes[copied..]);
    Cow::Owned(text)
}

/// A normalized text, cut at its separators.
#[derive(Debug)]
pub struct SplitText<'b> {
    text: &'b [u8],
    /// The whole text, if nothing in it needs a closer look.
    clean: Option<&'b str>,
    /// Start and end of the pieces.
    chunks: Vec<(u32, u32)>,
    /// The pieces that are not simply UTF-8, by their numbers.
    odd: Vec<(u32, Source<'b>)>,
    places: OnceCell<Vec<Place>>,
}

/// Line and column of a place, both from 0, the column in characters.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    line: u32,
    column: u32,
}

/// How far the places that are counted once are from each other, in bytes.
const STEP: usize = 4096;

impl Place {
    fn advanced(self, text: &[u8]) -> Self {
        match memchr::memrchr(b'\n', text) {
            None => Self {
                column: self.column + count_characters(text) as u32,
                ..self
            },
            Some(last) => Self {
                line: self.line + memchr::memchr_iter(b'\n', text).count() as u32,
                column: count_characters(&text[last + 1..]) as u32,
            },
        }
    }
}

impl<'b> SplitText<'b> {
    /// Cuts a normalized text at the lines that start with `---`, whatever they are inside of.
    ///
    /// # Errors
    ///
    /// A separator line may hold nothing else but a comment.
    pub fn new(text: &'b [u8]) -> Result<Self, ReadError> {
        let mut split = Self::uncut(text);
        if text.len() > MAX_SIZE {
            return Err(ReadError::malformed(
                "files of 2 GiB and more are not read",
                1,
            ));
        }
        let separator_at = memchr::memmem::Finder::new(b"\n---");
        let mut start = 0;
        while let Some(found) = separator_at.find(&text[start..]) {
            let separator = start + found;
            let Some(length) = memchr::memchr(b'\n', &text[separator + 1..]) else {
                break;
            };
            let end = separator + 1 + length;
            if end > separator + 4 {
                let rest = String::from_utf8_lossy(&text[separator + 4..end]);
                let rest = rest.trim();
                if !rest.is_empty() && !rest.starts_with('#') {
                    let line = split.place(separator + 1).0;
                    return Err(ReadError::malformed("invalid document separator", line));
                }
            }
            split.push(start, separator + 1);
            start = end + 1;
        }
        if !text.is_empty() {
            split.push(start, text.len());
        }
        split.chunks.shrink_to_fit();
        Ok(split)
    }

    /// A text whose places are of interest but not its documents.
    pub fn uncut(text: &'b [u8]) -> Self {
        Self {
            text,
            clean: clean(text).filter(|_| !holds_latin_control(text)),
            chunks: Vec::new(),
            odd: Vec::new(),
            places: OnceCell::new(),
        }
    }

    fn push(&mut self, start: usize, end: usize) {
        if self.clean.is_none() {
            let source = check(&self.text[start..end]);
            let is_simple = source.start == 0
                && source.window.is_none()
                && matches!(source.text, Cow::Borrowed(_));
            if !is_simple {
                self.odd.push((self.chunks.len() as u32, source));
            }
        }
        self.chunks.push((start as u32, end as u32));
    }

    /// The whole text.
    pub fn text(&self) -> &'b [u8] {
        self.text
    }

    /// How many pieces there are; none for an empty file.
    pub fn chunk_count(&self) -> u32 {
        self.chunks.len() as u32
    }

    /// Where a piece starts in the normalized text.
    pub fn chunk_start(&self, chunk: u32) -> usize {
        self.chunks[chunk as usize].0 as usize
    }

    /// A piece.
    pub fn chunk(&self, chunk: u32) -> &'b [u8] {
        let (start, end) = self.chunks[chunk as usize];
        &self.text[start as usize..end as usize]
    }

    /// The number of the piece that holds an offset, or is the last before it.
    pub fn chunk_at(&self, offset: usize) -> u32 {
        let behind = self
            .chunks
            .partition_point(|(start, _)| *start as usize <= offset);
        behind.saturating_sub(1) as u32
    }

    fn odd_source(&self, chunk: u32) -> Option<&Source<'b>> {
        let at = self.odd.binary_search_by_key(&chunk, |of| of.0).ok()?;
        Some(&self.odd[at].1)
    }

    /// The decoded text of a piece, as far as it can be decoded.
    pub fn chunk_text(&self, chunk: u32) -> &str {
        if let Some(clean) = self.clean {
            let (start, end) = self.chunks[chunk as usize];
            return &clean[start as usize..end as usize];
        }
        match self.odd_source(chunk) {
            Some(source) => &source.text,
            None => std::str::from_utf8(self.chunk(chunk)).unwrap_or_default(),
        }
    }

    fn compose(&self, chunk: u32, tree: &mut Tree) -> Result<Option<Document>, ReadError> {
        match self.odd_source(chunk) {
            Some(source) => compose(source, chunk, tree),
            None => compose(&Source::clean(self.chunk_text(chunk)), chunk, tree),
        }
    }

    /// Line and column of an offset in the text, both from 1, the column in characters.
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let places = self.places.get_or_init(|| {
            let mut place = Place::default();
            let counted = self.text.chunks(STEP).map(|piece| {
                let here = place;
                place = place.advanced(piece);
                here
            });
            counted.collect()
        });
        let offset = offset.min(self.text.len());
        let near = (offset / STEP).min(places.len().saturating_sub(1));
        let counted = places.get(near).copied().unwrap_or_default();
        let place = counted.advanced(&self.text[near * STEP..offset]);
        (place.line as usize + 1, place.column as usize + 1)
    }

    /// Line and column of an offset in the text of a document.
    pub fn place_in(&self, document: &Document, offset: u32) -> (usize, usize) {
        self.place(self.chunk_start(document.chunk) + offset as usize)
    }

    /// Whether one of the documents is a list.
    pub fn has_list_at_root(&self) -> bool {
        (0..self.chunk_count()).any(|chunk| {
            let mut tree = Tree::default();
            let document = self.compose(chunk, &mut tree).ok().flatten();
            document.is_some_and(|document| {
                tree.view(&document, self.chunk_text(chunk))
                    .kind(document.root)
                    == Kind::Sequence
            })
        })
    }

    /// Reads all documents as configuration objects. `path` is noted in each.
    ///
    /// # Errors
    ///
    /// One document that can't be read condemns the file.
    pub fn read(&self, path: Option<&str>) -> Result<Documents<'_>, ReadError> {
        let mut read = Documents {
            split: self,
            tree: Tree::default(),
            documents: Vec::with_capacity(self.chunks.len()),
            path: path.map(str::to_owned),
        };
        for chunk in 0..self.chunk_count() {
            let composed = self.compose(chunk, &mut read.tree);
            let document = composed.map_err(|mut error| {
                error.line += self.place(self.chunk_start(chunk)).0 - 1;
                error
            })?;
            if let Some(document) = document {
                read.take(document)?;
            }
        }
        Ok(read)
    }
}

/// The documents of a file.
#[derive(Debug)]
pub struct Documents<'t> {
    /// The file's text.
    pub split: &'t SplitText<'t>,
    /// Their nodes.
    pub tree: Tree,
    /// The documents, in order. Those without content are not among them.
    pub documents: Vec<Document>,
    path: Option<String>,
}

impl Documents<'_> {
    /// The document with this number.
    pub fn view<'a>(&'a self, document: &'a Document) -> View<'a> {
        self.tree
            .view(document, self.split.chunk_text(document.chunk))
    }

    fn take(&mut self, mut document: Document) -> Result<(), ReadError> {
        let view = self.view(&document);
        if view.is_null(document.root) {
            let (root, met) = (document.root.0, document.met.0);
            self.tree.truncate(root, met);
            return Ok(());
        }
        match Shape::of(view) {
            Shape::Ordinary(removed) => {
                for key in removed {
                    self.tree.remove_field(key);
                }
            }
            Shape::Odd => {
                document.is_odd = true;
                self.read_object(&document, self.documents.len())
                    .map_err(|error| self.at_its_place(error, &document))?;
            }
        }
        let items = if self.split.chunk_count() == 1 {
            list_items(self.view(&document))
        } else {
            None
        };
        match items {
            None => self.documents.push(document),
            Some(items) => self
                .documents
                .extend(items.into_iter().map(|root| Document {
                    root,
                    end: self.tree.end_of(root),
                    is_odd: true,
                    is_list_item: true,
                    ..document
                })),
        }
        Ok(())
    }

    /// A document that is odd with the notes that were written when it was read; `index` is its number in the file.
    ///
    /// # Errors
    ///
    /// When its `metadata` isn't what it must be.
    pub fn read_object<'a>(
        &'a self,
        document: &'a Document,
        index: usize,
    ) -> Result<Object<'a>, ObjectError> {
        let mut object = Object::new(self.view(document));
        if !document.is_list_item {
            let text = self.split.chunk(document.chunk);
            object.note_reading(text, index, self.path.as_deref())?;
        }
        Ok(object)
    }

    fn at_its_place(&self, error: ObjectError, document: &Document) -> ReadError {
        let line = self.split.place_in(document, error.offset).0;
        if error.is_crash {
            return ReadError::crash(&error.message, line);
        }
        ReadError::malformed(&error.message, line)
    }

    /// How the lists of an ordinary document are written.
    pub fn sequence_indent(&self, document: &Document) -> SequenceIndent {
        SequenceIndent::of(self.split.chunk(document.chunk))
    }
}

/// The items of a `List` or `ResourceList`, which become objects of their own; `None` for everything else.
fn list_items(view: View<'_>) -> Option<Vec<NodeId>> {
    let identity = view.identity()?;
    if identity.kind != "List" && identity.kind != "ResourceList" {
        return None;
    }
    let Some(items) = view.field(view.root(), "items") else {
        view.field(view.root(), "functionConfig")?;
        return Some(Vec::new());
    };
    Some(view.children(items).collect())
}

/// Writes documents as one file, without the notes of the library.
#[derive(Debug)]
pub struct FileWriter<'d> {
    emitter: Emitter<'d>,
}

impl<'d> FileWriter<'d> {
    /// A writer of a file of about `size` bytes.
    pub fn new(size: usize) -> Self {
        Self {
            emitter: Emitter::new(size),
        }
    }

    /// Writes an ordinary document behind those before.
    pub fn document(&mut self, view: View<'d>, indent: SequenceIndent) {
        self.emitter.document(view, view.root(), true, indent);
    }

    /// Writes an object without its notes behind the documents before.
    pub fn object(self, object: &Object<'_>, indent: SequenceIndent) -> Self {
        let mut emitter = self.emitter.detached();
        let (node, is_wrapped) = object.unwrapped();
        let whole = !is_wrapped && !object.is_list_item();
        emitter.document(object.view(), node, whole, indent);
        Self {
            emitter: emitter.detached(),
        }
    }

    /// The file, and the comments in it: number of the document, from 0, and start in its text, in order.
    pub fn finish(self) -> (Vec<u8>, Vec<(u32, u32)>) {
        let (text, written) = self.emitter.finish();
        (text.into_bytes(), written)
    }
}

/// Removes the notes that the writer of a file removes, and tells how the lists of the object are written.
///
/// # Errors
///
/// When its `metadata` isn't what it must be.
pub fn clear_notes(object: &mut Object<'_>) -> Result<SequenceIndent, ObjectError> {
    use super::resource::{INDEX, LEGACY_INDEX, LEGACY_PATH, PATH, SEQUENCE_INDENT};
    object.check_is_mapping()?;
    let indent = object.noted_sequence_indent()?;
    for key in [INDEX, LEGACY_INDEX, SEQUENCE_INDENT, PATH, LEGACY_PATH] {
        object.clear_annotation(key)?;
    }
    object.clear_empty_annotations()?;
    Ok(indent)
}

/// The file with all its documents read and written again. A file without any document is left as it is.
///
/// # Errors
///
/// When the file can't be read.
pub fn round_trip(bytes: &[u8]) -> Result<Vec<u8>, ReadError> {
    let text = normalize(bytes);
    let split = SplitText::new(&text)?;
    let read = split.read(None)?;
    if read.documents.is_empty() {
        return Ok(bytes.to_vec());
    }
    let mut writer = FileWriter::new(text.len());
    for (index, document) in read.documents.iter().enumerate() {
        if !document.is_odd {
            writer.document(read.view(document), read.sequence_indent(document));
            continue;
        }
        let at_its_place = |error| read.at_its_place(error, document);
        let mut object = read.read_object(document, index).map_err(at_its_place)?;
        let indent = clear_notes(&mut object).map_err(at_its_place)?;
        writer = writer.object(&object, indent);
    }
    Ok(writer.finish().0)
}

#[cfg(test)]
mod tests {
    use super::{SplitText, normalize, round_trip};

    fn chunks(text: &str) -> Vec<String> {
        let text = normalize(text.as_bytes());
        let split = SplitText::new(&text).unwrap();
        (0..split.chunk_count())
            .map(|chunk| String::from_utf8_lossy(split.chunk(chunk)).into_owned())
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
        let long = format!("{}\n{}x", "a".repeat(5000), "\u{e9}".repeat(5000));
        let split = SplitText::new(long.as_bytes()).unwrap();
        assert_eq!(split.place(5000), (1, 5001));
        assert_eq!(split.place(15001), (2, 5001));
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
