//! The documents of a file as one flat list of nodes, each before its children, with what few nodes have kept beside it.
//!
//! A node takes eight bytes and mostly refers to the text: a file of nothing but `[a,a,a]` has one for every two bytes.

use super::cursor::Mark;
use super::new_scalar::NewScalar;
use super::overlay::Overlay;
use super::token::{Name, ScalarStyle, Value};

/// The place of a node in the tree of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) u32);

/// From this number on nodes are those of an [`Overlay`].
const ADDED: u32 = 1 << 31;

impl NodeId {
    /// The node that an overlay added as its `number`th.
    pub(super) fn added(number: usize) -> Self {
        Self(ADDED | number as u32)
    }

    /// Which of the nodes of an overlay this is.
    pub(super) fn number_added(self) -> usize {
        (self.0 & !ADDED) as usize
    }

    /// Whether the node isn't in the source.
    #[inline]
    pub fn is_added(self) -> bool {
        self.0 & ADDED != 0
    }
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Scalar,
    /// A reference to an anchor, by name.
    Alias,
    /// A list.
    Sequence,
    /// Keys and values; keys may repeat.
    Mapping,
}

/// Which of a node's comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommentSlot {
    /// Above.
    Head,
    /// Behind.
    Line,
    /// Below.
    Foot,
}

/// A comment with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comment<'a> {
    /// Lines joined by `\n`, each with its `#`.
    pub text: &'a str,
    /// Where the first line starts, in bytes from the start of the document's text.
    pub start: u32,
    /// Where the last line ends.
    pub end: u32,
}

/// `at`: of a scalar the start of its value in the text or the number of its own text, of an alias the start of its name, of a
/// collection the number of the node behind it. `word`: kind, style, flags, and the length of a value or name.
#[derive(Clone, Copy, Debug)]
struct Node {
    at: u32,
    word: u32,
}

const KIND: u32 = 0b11;
const STYLE: u32 = 0b111 << 2;
const FLOW: u32 = 1 << 2;
/// The value isn't a piece of the text.
const OWN_TEXT: u32 = 1 << 5;
const HAS_PROPERTIES: u32 = 1 << 6;
const HAS_COMMENTS: u32 = 1 << 7;
/// The scalar has a new value.
const IS_CHANGED: u32 = 1 << 8;
/// Of a key: the field is removed.
const IS_REMOVED: u32 = 1 << 9;
const LENGTH: u32 = 10;

/// The longest value that is kept as a piece of the text.
const MAX_PIECE: u32 = (1 << (32 - LENGTH)) - 1;

impl Node {
    fn kind(self) -> Kind {
        match self.word & KIND {
            0 => Kind::Scalar,
            1 => Kind::Alias,
            2 => Kind::Sequence,
            _ => Kind::Mapping,
        }
    }

    fn has(self, flag: u32) -> bool {
        self.word & flag != 0
    }

    fn length(self) -> u32 {
        self.word >> LENGTH
    }

    fn style(self) -> ScalarStyle {
        match (self.word & STYLE) >> 2 {
            0 => ScalarStyle::Plain,
            1 => ScalarStyle::SingleQuoted,
            2 => ScalarStyle::DoubleQuoted,
            3 => ScalarStyle::Literal,
            _ => ScalarStyle::Folded,
        }
    }
}

/// The text of a scalar that isn't a piece of the source, and where the scalar starts.
#[derive(Clone, Debug)]
struct OwnText {
    start: u32,
    text: String,
}

/// Anchor and tag as they are written; the tag in its short form, empty where there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeProperties {
    pub(super) anchor: Option<Name>,
    pub(super) tag: Box<[u8]>,
}

#[derive(Clone, Debug)]
struct NodeComment {
    node: u32,
    start: u32,
    end: u32,
    /// The slot in the lowest two bits, above them the number of the text in `comment_texts`, from 1.
    word: u32,
}

/// The tag of a scalar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tag<'a> {
    /// Written in the source, in its short form (`!!str`, `!local`).
    Explicit(&'a [u8]),
    /// Not written. For a scalar: what its text, before it was changed, resolves to.
    Implied(&'static str),
}

/// One document of a file.
#[derive(Clone, Copy, Debug)]
pub struct Document {
    /// The number of its piece of the file.
    pub chunk: u32,
    /// The node that holds all others.
    pub root: NodeId,
    /// The number of the node behind the last that comes from the source.
    pub(super) end: u32,
    /// Where text starts that isn't part of the document, in bytes from the start of its text.
    pub rest: u32,
    /// Where its comments start in the list of those met, and end.
    pub(super) met: (u32, u32),
    /// Its `metadata` or its annotations aren't as they mostly are: see `resource.rs`.
    pub is_odd: bool,
    /// It is an item of a `List`, which was taken apart; no path is noted in it.
    pub is_list_item: bool,
}

/// The nodes of all documents of a file.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    texts: Vec<OwnText>,
    properties: Vec<(u32, NodeProperties)>,
    comments: Vec<NodeComment>,
    comment_texts: Vec<String>,
    /// Comments of whole documents, by the node of the root.
    outer_comments: Vec<NodeComment>,
    /// Start and end of all comments met, document by document.
    pub(super) met: Vec<(u32, u32)>,
    changes: Vec<(u32, NewScalar)>,
    /// Keys of the source that were removed because they had no content.
    removed: Vec<NodeId>,
}

impl Tree {
    fn node(&self, id: NodeId) -> Node {
        self.nodes[id.0 as usize]
    }

    /// Makes room for the nodes that a text of so many bytes mostly has.
    pub(super) fn reserve(&mut self, bytes: usize) {
        if self.nodes.is_empty() {
            self.nodes.reserve(bytes / 16);
            self.comments.reserve(bytes / 64);
        }
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> u32 {
        self.nodes.len() as u32
    }

    /// The number of the node behind a node and all below it.
    pub(super) fn end_of(&self, id: NodeId) -> u32 {
        let node = self.node(id);
        match node.kind() {
            Kind::Scalar | Kind::Alias => id.0 + 1,
            Kind::Sequence | Kind::Mapping => node.at,
        }
    }

    /// Forgets all nodes from a number on, which hold no document.
    pub(super) fn truncate(&mut self, length: u32, met: u32) {
        self.nodes.truncate(length as usize);
        self.met.truncate(met as usize);
        self.properties
            .truncate(self.properties.partition_point(|of| of.0 < length));
        self.comments
            .truncate(self.comments.partition_point(|of| of.node < length));
        self.outer_comments
            .truncate(self.outer_comments.partition_point(|of| of.node < length));
    }

    fn push(&mut self, at: u32, word: u32, properties: Option<NodeProperties>) -> NodeId {
        let id = self.len();
        let flag = if let Some(properties) = properties {
            self.properties.push((id, properties));
            HAS_PROPERTIES
        } else {
            0
        };
        self.nodes.push(Node {
            at,
            word: word | flag,
        });
        NodeId(id)
    }

    /// Adds a scalar that starts at `start`.
    pub(super) fn push_scalar(
        &mut self,
        value: Value,
        style: ScalarStyle,
        properties: Option<NodeProperties>,
        start: Mark,
        source: &str,
    ) -> NodeId {
        let style = (style as u32) << 2;
        match value {
            Value::Piece { start, end } if end - start <= MAX_PIECE => {
                self.push(start, style | (end - start) << LENGTH, properties)
            }
            Value::Piece { start: from, end } => {
                let text = source[from as usize..end as usize].to_owned();
                self.push_own(text, style, properties, start.offset)
            }
            Value::Built(text) => self.push_own(text, style, properties, start.offset),
        }
    }

    fn push_own(
        &mut self,
        text: String,
        style: u32,
        properties: Option<NodeProperties>,
        start: u32,
    ) -> NodeId {
        self.texts.push(OwnText { start, text });
        let at = self.texts.len() as u32 - 1;
        self.push(at, style | OWN_TEXT, properties)
    }

    /// Adds a reference to an anchor.
    pub(super) fn push_alias(&mut self, name: Name, source: &str) -> NodeId {
        if name.length > MAX_PIECE {
            let text = &source[name.start as usize..(name.start + name.length) as usize];
            return self.push_own(text.to_owned(), 1, None, name.start);
        }
        self.push(name.start, 1 | name.length << LENGTH, None)
    }

    /// Adds a collection, whose children are to follow.
    pub(super) fn push_collection(
        &mut self,
        is_mapping: bool,
        flow: bool,
        properties: Option<NodeProperties>,
    ) -> NodeId {
        let kind = if is_mapping { 3 } else { 2 };
        self.push(0, kind | if flow { FLOW } else { 0 }, properties)
    }

    /// The children of a collection are complete.
    pub(super) fn close_collection(&mut self, id: NodeId) {
        self.nodes[id.0 as usize].at = self.len();
    }

    /// Gives a node a comment.
    pub(super) fn add_comment(
        &mut self,
        id: NodeId,
        slot: CommentSlot,
        comment: super::comments::Comment,
    ) {
        self.nodes[id.0 as usize].word |= HAS_COMMENTS;
        let comment = self.stored(id, slot, comment);
        self.comments.push(comment);
    }

    /// Gives a document a comment, above (`Head`) or below (`Foot`) everything.
    pub(super) fn add_outer_comment(
        &mut self,
        root: NodeId,
        slot: CommentSlot,
        comment: super::comments::Comment,
    ) {
        let comment = self.stored(root, slot, comment);
        self.outer_comments.push(comment);
    }

    fn stored(
        &mut self,
        id: NodeId,
        slot: CommentSlot,
        comment: super::comments::Comment,
    ) -> NodeComment {
        let mut word = slot as u32;
        if let Some(mut text) = comment.text {
            text.shrink_to_fit();
            self.comment_texts.push(text);
            word |= (self.comment_texts.len() as u32) << 2;
        }
        NodeComment {
            node: id.0,
            start: comment.start,
            end: comment.end,
            word,
        }
    }

    /// Brings the comments of the nodes from a number on into the order of the nodes.
    pub(super) fn sort_comments(&mut self, from: u32) {
        let start = self
            .comments
            .iter()
            .rposition(|comment| comment.node < from)
            .map_or(0, |last| last + 1);
        self.comments[start..].sort_unstable_by_key(|comment| (comment.node, comment.word & 0b11));
    }

    /// Removes the field with this key.
    pub(super) fn remove_field(&mut self, key: NodeId) {
        self.nodes[key.0 as usize].word |= IS_REMOVED;
        self.removed.push(key);
    }

    /// Gives a scalar a new value. Scalars are changed in the order of their numbers.
    pub fn change(&mut self, id: NodeId, new: NewScalar) {
        self.nodes[id.0 as usize].word |= IS_CHANGED;
        match self.changes.last_mut() {
            Some((last, of)) if *last == id.0 => *of = new,
            Some((last, _)) if *last > id.0 => {
                match self.changes.binary_search_by_key(&id.0, |of| of.0) {
                    Ok(at) => self.changes[at].1 = new,
                    Err(at) => self.changes.insert(at, (id.0, new)),
                }
            }
            _ => self.changes.push((id.0, new)),
        }
    }

    /// A document of the tree. `text` is the one that it was read from.
    pub fn view<'a>(&'a self, document: &'a Document, text: &'a str) -> View<'a> {
        View {
            tree: self,
            document,
            text,
            overlay: None,
            changes: true,
        }
    }
}

/// A document together with its text.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(super) tree: &'a Tree,
    pub(super) document: &'a Document,
    pub(super) text: &'a str,
    pub(super) overlay: Option<&'a Overlay>,
    /// Whether new values of scalars are seen.
    pub(super) changes: bool,
}

impl<'a> View<'a> {
    /// The node that holds all others.
    pub fn root(&self) -> NodeId {
        self.document.root
    }

    fn node(&self, id: NodeId) -> Node {
        match self.overlay {
            Some(overlay) if id.is_added() => Node {
                at: 0,
                word: overlay
                    .string(id)
                    .map_or(3, |added| (added.style as u32) << 2),
            },
            _ => self.tree.node(id),
        }
    }

    /// What a node is.
    #[inline]
    pub fn kind(&self, id: NodeId) -> Kind {
        self.node(id).kind()
    }

    /// Whether a collection is written in brackets or braces in the source.
    pub(super) fn is_flow(&self, id: NodeId) -> bool {
        self.node(id).has(FLOW)
    }

    /// How a scalar is to be written.
    pub fn style(&self, id: NodeId) -> ScalarStyle {
        match self.change(id) {
            Some(new) => new.style,
            None => self.node(id).style(),
        }
    }

    /// The text of the whole document.
    pub fn source_text(&self) -> &'a str {
        self.text
    }

    /// What a scalar was changed to.
    pub fn change(&self, id: NodeId) -> Option<&'a NewScalar> {
        if !self.changes || !self.node(id).has(IS_CHANGED) {
            return None;
        }
        let changes = &self.tree.changes;
        let found = changes.binary_search_by_key(&id.0, |of| of.0).ok()?;
        Some(&changes[found].1)
    }

    /// The text of a scalar or the name of an alias, without quotes, escapes and indentation; empty for collections.
    pub fn value(&self, id: NodeId) -> &'a str {
        match self.change(id) {
            Some(new) => &new.text,
            None => self.source_value(id),
        }
    }

    /// As [`Self::value`], but as it was read.
    #[inline]
    pub fn source_value(&self, id: NodeId) -> &'a str {
        if id.is_added() {
            let added = self.overlay.and_then(|overlay| overlay.string(id));
            return added.map_or("", |added| &added.text);
        }
        let node = self.tree.node(id);
        match node.kind() {
            Kind::Scalar | Kind::Alias if node.has(OWN_TEXT) => {
                &self.tree.texts[node.at as usize].text
            }
            // Where nothing is written, the place may be inside a line break of several bytes.
            Kind::Scalar | Kind::Alias if node.length() == 0 => "",
            Kind::Scalar | Kind::Alias => {
                &self.text[node.at as usize..(node.at + node.length()) as usize]
            }
            Kind::Sequence | Kind::Mapping => "",
        }
    }

    /// Where a scalar of the source starts, in bytes from the start of the document's text.
    pub fn start(&self, id: NodeId) -> u32 {
        let node = self.node(id);
        match node.kind() {
            Kind::Scalar if node.has(OWN_TEXT) => self.tree.texts[node.at as usize].start,
            // The quote stands right before the value.
            Kind::Scalar if node.style() != ScalarStyle::Plain => node.at - 1,
            _ => node.at,
        }
    }

    /// Where the first scalar at or below a node starts.
    pub fn first_start(&self, mut id: NodeId) -> u32 {
        while let Some(child) = self.children(id).next() {
            id = child;
        }
        self.start(id)
    }

    pub(super) fn properties(&self, id: NodeId) -> Option<&'a NodeProperties> {
        if !self.node(id).has(HAS_PROPERTIES) {
            return None;
        }
        let properties = &self.tree.properties;
        let found = properties.binary_search_by_key(&id.0, |of| of.0).ok()?;
        Some(&properties[found].1)
    }

    /// The name that aliases refer to; empty where there is none.
    pub(super) fn anchor(&self, id: NodeId) -> &'a str {
        let anchor = self.properties(id).and_then(|properties| properties.anchor);
        anchor.map_or("", |name| {
            &self.text[name.start as usize..(name.start + name.length) as usize]
        })
    }

    /// The tag of a node.
    pub fn tag(&self, id: NodeId) -> Tag<'a> {
        if let Some(tag) = self.change(id).and_then(|new| new.tag) {
            return Tag::Implied(tag);
        }
        self.source_tag(id)
    }

    /// As [`Self::tag`], but as it was read.
    pub fn source_tag(&self, id: NodeId) -> Tag<'a> {
        if id.is_added() {
            let added = self.overlay.and_then(|overlay| overlay.string(id));
            return match added {
                Some(added) if added.tagged => Tag::Explicit(b"!!str"),
                Some(_) => Tag::Implied("!!str"),
                None => Tag::Implied("!!map"),
            };
        }
        let written = self.properties(id).map(|properties| &*properties.tag);
        if let Some(tag) = written.filter(|tag| !tag.is_empty()) {
            return Tag::Explicit(tag);
        }
        let node = self.node(id);
        Tag::Implied(match node.kind() {
            Kind::Alias => "",
            Kind::Sequence => "!!seq",
            Kind::Mapping => "!!map",
            Kind::Scalar if node.style() != ScalarStyle::Plain => "!!str",
            Kind::Scalar => match self.source_value(id) {
                "<<" => "!!merge",
                value => super::resolve::resolve(value).tag(),
            },
        })
    }

    /// Whether a node is null; collections are where a tag says so.
    pub fn is_null(&self, id: NodeId) -> bool {
        match self.tag(id) {
            Tag::Explicit(tag) => tag == b"!!null",
            Tag::Implied(tag) => tag == "!!null",
        }
    }

    /// The children of a collection; of a mapping keys and values by turns.
    pub fn children(&self, id: NodeId) -> Children<'a> {
        let mut children = if id.is_added() {
            Children::none(self.tree)
        } else {
            Children::of(self.tree, id)
        };
        if let Some(overlay) = self.overlay {
            children.listed = overlay.children(id).map(<[NodeId]>::iter);
        }
        children
    }

    /// Whether a collection has no children.
    pub fn is_childless(&self, id: NodeId) -> bool {
        self.children(id).next().is_none()
    }

    /// Keys and values of a mapping; of other nodes none.
    pub fn fields(&self, id: NodeId) -> impl Iterator<Item = (NodeId, NodeId)> + use<'a> {
        let mut children = match self.kind(id) {
            Kind::Mapping => self.children(id),
            _ => Children::none(self.tree),
        };
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// The value of the first field with this key.
    pub fn field(&self, id: NodeId, key: &str) -> Option<NodeId> {
        self.fields(id)
            .find(|(name, _)| self.value(*name) == key)
            .map(|(_, value)| value)
    }

    /// The keys `metadata` and `annotations` that were removed because they had no content.
    pub fn removed_keys(&self) -> &'a [NodeId] {
        if let Some(overlay) = self.overlay {
            return overlay.removed();
        }
        let removed = &self.tree.removed;
        let from = removed.partition_point(|key| *key < self.document.root);
        let to = removed.partition_point(|key| key.0 < self.document.end);
        &removed[from..to]
    }

    /// Whether a node has any comment.
    #[inline]
    pub(super) fn has_comments(&self, id: NodeId) -> bool {
        self.node(id).has(HAS_COMMENTS)
    }

    /// Whether a node is in the source, and nothing but its text: without properties and not changed.
    #[inline]
    pub(super) fn is_as_read(&self, id: NodeId) -> bool {
        !id.is_added() && !self.tree.node(id).has(HAS_PROPERTIES | IS_CHANGED)
    }

    /// Whether a changed scalar keeps the tag of the source as a written one, whatever it is now.
    pub(super) fn is_tag_written(&self, id: NodeId) -> bool {
        self.change(id).is_some_and(|new| new.keeps_written_tag)
            && matches!(self.source_tag(id), Tag::Explicit(_))
    }

    /// A comment of a node.
    pub fn comment(&self, id: NodeId, slot: CommentSlot) -> Option<Comment<'a>> {
        if !self.node(id).has(HAS_COMMENTS) {
            return None;
        }
        let wanted = (id.0, slot as u32);
        let comments = &self.tree.comments;
        let found = comments
            .binary_search_by_key(&wanted, |comment| (comment.node, comment.word & 0b11))
            .ok()?;
        Some(self.shown(&comments[found]))
    }

    /// The comment above (`Head`) or below (`Foot`) the whole document.
    pub fn outer_comment(&self, slot: CommentSlot) -> Option<Comment<'a>> {
        let root = self.document.root.0;
        let comments = &self.tree.outer_comments;
        let from = comments.partition_point(|comment| comment.node < root);
        comments[from..]
            .iter()
            .take_while(|comment| comment.node == root)
            .find(|comment| comment.word & 0b11 == slot as u32)
            .map(|comment| self.shown(comment))
    }

    fn shown(&self, comment: &NodeComment) -> Comment<'a> {
        let text = match (comment.word >> 2).checked_sub(1) {
            Some(number) => &self.tree.comment_texts[number as usize],
            None => &self.text[comment.start as usize..comment.end as usize],
        };
        Comment {
            text,
            start: comment.start,
            end: comment.end,
        }
    }

    /// The comment behind a scalar, or else the one above: what a reader of markers looks at.
    pub fn comment_for_readers(&self, id: NodeId) -> Option<Comment<'a>> {
        if !self.node(id).has(HAS_COMMENTS) {
            return None;
        }
        self.comment(id, CommentSlot::Line)
            .or_else(|| self.comment(id, CommentSlot::Head))
    }

    /// All comments of nodes of the source, in the order of the nodes.
    pub fn comments(
        &self,
    ) -> impl Iterator<Item = (NodeId, CommentSlot, Comment<'a>)> + use<'a, '_> {
        let comments = &self.tree.comments;
        let from = comments.partition_point(|comment| comment.node < self.document.root.0);
        let to = comments.partition_point(|comment| comment.node < self.document.end);
        comments[from..to.max(from)].iter().map(|comment| {
            let slot = match comment.word & 0b11 {
                0 => CommentSlot::Head,
                1 => CommentSlot::Line,
                _ => CommentSlot::Foot,
            };
            (NodeId(comment.node), slot, self.shown(comment))
        })
    }

    /// Start and end of the comments that were met while the document was read, in order.
    pub(super) fn comments_met(&self) -> &'a [(u32, u32)] {
        let (from, to) = self.document.met;
        &self.tree.met[from as usize..to as usize]
    }

    /// The number of the node behind a node of the source and all below it.
    pub fn end_of(&self, id: NodeId) -> NodeId {
        NodeId(self.tree.end_of(id))
    }

    /// Whether an offset is in any comment that was met.
    pub fn is_in_comment(&self, offset: u32) -> bool {
        let met = self.comments_met();
        let before = met.partition_point(|(start, _)| *start <= offset);
        met[..before].last().is_some_and(|(_, end)| offset < *end)
    }

    /// Start and end of all comments that were met while the document was read, in order.
    pub fn all_comments(&self) -> &'a [(u32, u32)] {
        self.comments_met()
    }

    /// The root and all below it that comes from the source, each before its children; what was removed is among it.
    pub fn source_nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (self.document.root.0..self.document.end).map(NodeId)
    }
}

/// The children of a collection, in order.
#[derive(Clone, Debug)]
pub struct Children<'a> {
    tree: &'a Tree,
    next: u32,
    end: u32,
    listed: Option<std::slice::Iter<'a, NodeId>>,
    /// A removed key was met: its value is passed over too.
    of_mapping: bool,
    at_key: bool,
}

impl<'a> Children<'a> {
    fn none(tree: &'a Tree) -> Self {
        Self {
            tree,
            next: 0,
            end: 0,
            listed: None,
            of_mapping: false,
            at_key: false,
        }
    }

    #[inline]
    fn of(tree: &'a Tree, id: NodeId) -> Self {
        let node = tree.node(id);
        let mut children = Self::none(tree);
        match node.kind() {
            Kind::Sequence | Kind::Mapping => {
                children.next = id.0 + 1;
                children.end = node.at;
                children.of_mapping = node.kind() == Kind::Mapping;
                children.at_key = children.of_mapping;
            }
            Kind::Scalar | Kind::Alias => {}
        }
        children
    }

    /// The same node's children when all have been taken.
    pub(super) fn none_left(self) -> Self {
        Self::none(self.tree)
    }

    /// Moves over a node and all below it.
    #[inline]
    fn pass(&mut self) -> NodeId {
        let id = NodeId(self.next);
        let node = self.tree.node(id);
        self.next = match node.kind() {
            Kind::Scalar | Kind::Alias => self.next + 1,
            Kind::Sequence | Kind::Mapping => node.at,
        };
        id
    }
}

impl Iterator for Children<'_> {
    type Item = NodeId;

    #[inline]
    fn next(&mut self) -> Option<NodeId> {
        if let Some(listed) = &mut self.listed {
            return listed.next().copied();
        }
        while self.next < self.end {
            let id = self.pass();
            if self.at_key && self.tree.node(id).has(IS_REMOVED) {
                self.pass();
                continue;
            }
            if self.of_mapping {
                self.at_key = !self.at_key;
            }
            return Some(id);
        }
        None
    }
}
