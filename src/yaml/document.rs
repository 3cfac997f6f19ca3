//! One document as a tree of nodes with comments.

use std::borrow::Cow;
use std::collections::HashMap;

use super::comments::Comment;
use super::emitter::written_tag;
use super::token::ScalarStyle;

/// The place of a node in its document's list of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) usize);

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind<'t> {
    /// A text.
    Scalar {
        /// The text without quotes, escapes and indentation.
        value: Cow<'t, str>,
        /// How it is written.
        style: ScalarStyle,
    },
    /// A list.
    Sequence {
        /// The items, in order.
        items: Vec<NodeId>,
        /// Whether it is written in brackets.
        flow: bool,
    },
    /// Keys and values.
    Mapping {
        /// The fields, in order; keys may repeat.
        fields: Vec<(NodeId, NodeId)>,
        /// Whether it is written in braces.
        flow: bool,
    },
    /// A reference to an anchor, by name.
    Alias(&'t str),
}

/// A node with its properties and comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node<'t> {
    /// What it is.
    pub kind: NodeKind<'t>,
    /// The type, in its short form (`!!str`, `!local`); worked out from the text when it isn't written.
    pub tag: Cow<'static, [u8]>,
    /// Whether the tag is written in the source.
    pub explicit_tag: bool,
    /// The name that aliases refer to.
    pub anchor: Option<&'t str>,
    /// Where the node, or its first property, starts, in bytes from the start of the document's text.
    pub start: usize,
    /// Where the node starts behind its properties.
    pub content_start: usize,
    /// What is said about it.
    pub comments: NodeComments,
}

/// The comments of a node. Most nodes have none, so they take no room then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeComments(Option<Box<[Comment; 3]>>);

static NO_COMMENT: Comment = Comment {
    text: String::new(),
    start: 0,
    end: 0,
};

impl NodeComments {
    pub(super) fn new(head: Comment, line: Comment, foot: Comment) -> Self {
        if head.is_empty() && line.is_empty() && foot.is_empty() {
            return Self(None);
        }
        Self(Some(Box::new([head, line, foot])))
    }

    /// The comment of this slot; empty if there is none.
    pub fn get(&self, slot: CommentSlot) -> &Comment {
        self.0
            .as_ref()
            .map_or(&NO_COMMENT, |comments| &comments[slot as usize])
    }

    /// The comment above.
    pub fn head(&self) -> &Comment {
        self.get(CommentSlot::Head)
    }

    /// The comment behind.
    pub fn line(&self) -> &Comment {
        self.get(CommentSlot::Line)
    }

    /// The comment below.
    pub fn foot(&self) -> &Comment {
        self.get(CommentSlot::Foot)
    }

    pub(super) fn set(&mut self, slot: CommentSlot, comment: Comment) {
        if self.0.is_some() || !comment.is_empty() {
            self.0.get_or_insert_default()[slot as usize] = comment;
        }
    }

    pub(super) fn take_foot(&mut self) -> Comment {
        self.0
            .as_mut()
            .map(|comments| comments[CommentSlot::Foot as usize].take())
            .unwrap_or_default()
    }
}

impl Node<'_> {
    /// The text of a scalar.
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }

    /// The text that a key is looked up by: of a scalar, or the name of an alias; empty for collections.
    pub fn key_text(&self) -> &str {
        match &self.kind {
            NodeKind::Scalar { value, .. } => value,
            NodeKind::Alias(name) => name,
            _ => "",
        }
    }

    /// The comment behind, or else the one above.
    pub fn comment_for_readers(&self) -> &Comment {
        if self.comments.line().is_empty() {
            self.comments.head()
        } else {
            self.comments.line()
        }
    }

    /// The tag that is written in front of the text though the source has none.
    pub fn added_tag(&self) -> Option<String> {
        if self.explicit_tag {
            return None;
        }
        written_tag(self)
            .0
            .map(|tag| format!("{}{}", tag.handle, String::from_utf8_lossy(&tag.suffix)))
    }

    /// Whether the node is null.
    pub fn is_null(&self) -> bool {
        self.tag == b"!!null".as_slice()
    }
}

/// Which of a node's comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommentSlot {
    /// Above.
    Head,
    /// Behind.
    Line,
    /// Below.
    Foot,
}

/// The first document of a text.
#[derive(Clone, Debug)]
pub struct Document<'t> {
    pub(super) nodes: Vec<Node<'t>>,
    /// The node that holds all others.
    pub root: NodeId,
    /// The comment above the document, set apart by an empty line.
    pub head: Comment,
    /// The comment below everything.
    pub foot: Comment,
    /// Start and end of all comments that were met, in order.
    pub(super) comments: Vec<(usize, usize)>,
    /// Where text starts that isn't part of the document, in bytes; the end of the text if there is none.
    pub rest: usize,
    /// How many nodes come from the source.
    pub(super) source_nodes: usize,
    /// Keys of the source that were removed because they had no content.
    pub(super) removed: Vec<NodeId>,
}

impl<'t> Document<'t> {
    /// The node with this id.
    pub fn node(&self, id: NodeId) -> &Node<'t> {
        &self.nodes[id.0]
    }

    /// The node with this id, to be changed.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node<'t> {
        &mut self.nodes[id.0]
    }

    /// All nodes, each before its children.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node<'t>)> {
        self.nodes
            .iter()
            .enumerate()
            .map(|(index, node)| (NodeId(index), node))
    }

    /// The fields of a mapping; none for other nodes.
    pub fn fields(&self, id: NodeId) -> &[(NodeId, NodeId)] {
        match &self.node(id).kind {
            NodeKind::Mapping { fields, .. } => fields,
            _ => &[],
        }
    }

    /// The value of the first field with this key.
    pub fn field(&self, id: NodeId, key: &str) -> Option<NodeId> {
        self.fields(id)
            .iter()
            .find(|(of, _)| self.node(*of).key_text() == key)
            .map(|(_, value)| *value)
    }

    /// Whether the node was read, not added.
    pub fn is_in_source(&self, id: NodeId) -> bool {
        id.0 < self.source_nodes
    }

    /// The keys `metadata` and `annotations` that were removed because they had no content.
    pub fn removed_keys(&self) -> &[NodeId] {
        &self.removed
    }

    /// Adds a string.
    pub(super) fn add_scalar(&mut self, value: String, style: ScalarStyle) -> NodeId {
        let value = Cow::Owned(value);
        self.add(NodeKind::Scalar { value, style }, b"!!str")
    }

    /// Adds an empty mapping.
    pub(super) fn add_mapping(&mut self) -> NodeId {
        let fields = Vec::new();
        let flow = false;
        self.add(NodeKind::Mapping { fields, flow }, b"!!map")
    }

    fn add(&mut self, kind: NodeKind<'t>, tag: &'static [u8]) -> NodeId {
        self.nodes.push(Node {
            kind,
            tag: Cow::Borrowed(tag),
            explicit_tag: false,
            anchor: None,
            start: 0,
            content_start: 0,
            comments: NodeComments::default(),
        });
        NodeId(self.nodes.len() - 1)
    }

    /// All comments that nodes have.
    pub fn comments(&self) -> impl Iterator<Item = (NodeId, CommentSlot, &Comment)> {
        let all = self.nodes.iter().enumerate().flat_map(|(index, node)| {
            [
                (NodeId(index), CommentSlot::Head, node.comments.head()),
                (NodeId(index), CommentSlot::Line, node.comments.line()),
                (NodeId(index), CommentSlot::Foot, node.comments.foot()),
            ]
        });
        all.filter(|(_, _, comment)| !comment.is_empty())
    }

    /// Whether an offset is in a comment above or below the whole document.
    pub fn is_in_outer_comment(&self, offset: usize) -> bool {
        [&self.head, &self.foot]
            .iter()
            .any(|comment| !comment.is_empty() && (comment.start..comment.end).contains(&offset))
    }

    /// Whether an offset is in any comment that was met.
    pub fn is_in_comment(&self, offset: usize) -> bool {
        let before = self.comments.partition_point(|(start, _)| *start <= offset);
        self.comments[..before]
            .last()
            .is_some_and(|(_, end)| offset < *end)
    }

    /// Start and end of the comments that no node has.
    pub fn lost_comments(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut covered: Vec<(usize, usize)> = self
            .comments()
            .map(|(_, _, comment)| comment)
            .chain([&self.head, &self.foot])
            .filter(|comment| !comment.is_empty())
            .map(|comment| (comment.start, comment.end))
            .collect();
        covered.sort_unstable();
        let rest = self.rest;
        self.comments.iter().copied().filter(move |(start, end)| {
            let before = covered.partition_point(|(from, _)| from <= start);
            let is_covered = covered[..before]
                .iter()
                .rev()
                .take(8)
                .any(|(_, to)| to >= end);
            *start < rest && !is_covered
        })
    }

    /// The root and all below it, each before its children.
    pub fn reachable(&self) -> Vec<NodeId> {
        self.below(self.root)
    }

    fn below(&self, root: NodeId) -> Vec<NodeId> {
        let mut ids = Vec::new();
        let mut stack = vec![root];
        while let Some(id) = stack.pop() {
            ids.push(id);
            self.push_children(id, &mut stack);
        }
        ids
    }

    fn push_children(&self, id: NodeId, stack: &mut Vec<NodeId>) {
        match &self.node(id).kind {
            NodeKind::Sequence { items, .. } => stack.extend(items.iter().rev()),
            NodeKind::Mapping { fields, .. } => {
                stack.extend(fields.iter().rev().flat_map(|(key, value)| [*value, *key]));
            }
            _ => {}
        }
    }

    /// A node with all that is below it, as a document of its own.
    pub fn part(&self, root: NodeId) -> Self {
        let ids = self.below(root);
        let numbers: HashMap<NodeId, NodeId> = ids
            .iter()
            .enumerate()
            .map(|(number, id)| (*id, NodeId(number)))
            .collect();
        let mut nodes: Vec<Node<'t>> = ids.iter().map(|id| self.node(*id).clone()).collect();
        for node in &mut nodes {
            match &mut node.kind {
                NodeKind::Sequence { items, .. } => {
                    for item in items {
                        *item = numbers[item];
                    }
                }
                NodeKind::Mapping { fields, .. } => {
                    for (key, value) in fields {
                        (*key, *value) = (numbers[key], numbers[value]);
                    }
                }
                _ => {}
            }
        }
        Self {
            source_nodes: nodes.len(),
            nodes,
            root: NodeId(0),
            head: Comment::default(),
            foot: Comment::default(),
            comments: Vec::new(),
            rest: usize::MAX,
            removed: Vec::new(),
        }
    }
}
