//! Events to a tree, with the last decisions about comments.

use std::hash::{BuildHasher, RandomState};

use super::ReadError;
use super::comments::Comment;
use super::parser::{EventKind, Parser, Written};
use super::text::Source;
use super::token::{Name, Value};
use super::tree::{CommentSlot, Document, NodeId, NodeProperties, Tree};

const LONG_TAG_PREFIX: &[u8] = b"tag:yaml.org,2002:";

/// A collection whose children are being read.
struct Open {
    id: NodeId,
    is_mapping: bool,
    flow: bool,
    /// The key whose value is read next.
    key: Option<NodeId>,
    /// The comment below it.
    below_key: Comment,
    /// The key of the field before.
    last: Option<NodeId>,
    /// The comment below that. What follows may still replace it.
    below_last: Comment,
}

struct Composer<'c> {
    tree: &'c mut Tree,
    text: &'c str,
    anchors: Anchors,
    open: Vec<Open>,
}

/// Reads the first document of a text into a tree; `None` if there is none. `chunk` is the number of the text.
pub(super) fn compose(
    source: &Source<'_>,
    chunk: u32,
    tree: &mut Tree,
) -> Result<Option<Document>, ReadError> {
    let mut parser = Parser::new(source);
    tree.reserve(source.text.len());
    if matches!(parser.next_event()?.kind, EventKind::StreamEnd) {
        return Ok(None);
    }
    let root = NodeId(tree.len());
    let met = tree.met.len() as u32;
    let head = parser.comments().map(|comments| comments.head.take());
    if let Some(head) = head.filter(|head| !head.is_empty()) {
        tree.add_outer_comment(root, CommentSlot::Head, head);
    }
    let mut composer = Composer {
        text: parser.text(),
        tree,
        anchors: Anchors::default(),
        open: Vec::new(),
    };
    loop {
        if let EventKind::DocumentEnd { rest } = parser.next_event()?.kind {
            let foot = parser.comments().map(|comments| comments.foot.take());
            if let Some(foot) = foot.filter(|foot| !foot.is_empty()) {
                composer
                    .tree
                    .add_outer_comment(root, CommentSlot::Foot, foot);
            }
            composer.tree.sort_comments(root.0);
            composer.tree.met.extend(parser.take_comments_met());
            let met = (met, composer.tree.met.len() as u32);
            return Ok(Some(Document {
                chunk,
                root,
                end: composer.tree.len(),
                rest,
                met,
                is_odd: false,
                is_list_item: false,
            }));
        }
        composer.add(&mut parser)?;
    }
}

/// The lines, from 1, on which the nodes of the first document of a text start, with what is written in front of them.
pub(super) fn lines_of_nodes(source: &Source<'_>) -> Vec<u32> {
    let mut parser = Parser::new(source);
    let mut lines = Vec::new();
    while let Ok(event) = parser.next_event() {
        let written = match &event.kind {
            EventKind::StreamEnd | EventKind::DocumentEnd { .. } => break,
            EventKind::SequenceEnd | EventKind::MappingEnd | EventKind::DocumentStart => continue,
            EventKind::Alias(_) => &None,
            EventKind::Scalar { properties, .. }
            | EventKind::SequenceStart { properties, .. }
            | EventKind::MappingStart { properties, .. } => properties,
        };
        let line = written
            .as_ref()
            .map_or(event.start.line, |properties| properties.line);
        lines.push(line + 1);
    }
    lines
}

impl Composer<'_> {
    /// Adds what the event that was made last begins or ends.
    fn add(&mut self, parser: &mut Parser<'_>) -> Result<(), ReadError> {
        let event = parser.event();
        let line = event.start.line as usize + 1;
        let (id, opens) = match &mut event.kind {
            EventKind::SequenceEnd | EventKind::MappingEnd => {
                self.close(parser);
                return Ok(());
            }
            EventKind::Alias(name) => {
                if !self.anchors.is_known(self.text, *name) {
                    let name = Anchors::text(self.text, *name);
                    let problem = format!("unknown anchor '{name}' referenced");
                    return Err(ReadError::malformed(&problem, line));
                }
                (self.tree.push_alias(*name, self.text), None)
            }
            EventKind::Scalar {
                properties,
                value,
                style,
            } => {
                let properties = self.properties(properties.take());
                let value = std::mem::replace(value, Value::empty(0));
                let id = self
                    .tree
                    .push_scalar(value, *style, properties, event.start, self.text);
                (id, None)
            }
            EventKind::SequenceStart { properties, flow } => {
                let properties = self.properties(properties.take());
                let id = self.tree.push_collection(false, *flow, properties);
                (id, Some((false, *flow)))
            }
            EventKind::MappingStart { properties, flow } => {
                let properties = self.properties(properties.take());
                let id = self.tree.push_collection(true, *flow, properties);
                (id, Some((true, *flow)))
            }
            EventKind::StreamEnd | EventKind::DocumentStart | EventKind::DocumentEnd { .. } => {
                return Err(ReadError::malformed("unexpected end of the text", line));
            }
        };
        let mut foot = Comment::default();
        if let Some(comments) = parser.comments() {
            self.give(id, CommentSlot::Head, comments.head.take());
            if opens.is_none() {
                self.give(id, CommentSlot::Line, comments.line.take());
                foot = comments.foot.take();
            }
        }
        match opens {
            Some((is_mapping, flow)) => self.open.push(Open {
                id,
                is_mapping,
                flow,
                key: None,
                below_key: Comment::default(),
                last: None,
                below_last: Comment::default(),
            }),
            None => self.attach(id, foot),
        }
        Ok(())
    }

    fn properties(&mut self, written: Written) -> Option<NodeProperties> {
        let written = *written?;
        if let Some(name) = written.anchor {
            self.anchors.add(self.text, name);
        }
        let tag = if written.tag == b"!" {
            Vec::new()
        } else {
            short_tag(written.tag)
        };
        Some(NodeProperties {
            anchor: written.anchor,
            tag: tag.into_boxed_slice(),
        })
    }

    fn give(&mut self, id: NodeId, slot: CommentSlot, comment: Comment) {
        if !comment.is_empty() {
            self.tree.add_comment(id, slot, comment);
        }
    }

    /// Hands a finished node, and the comment below it, to the collection around it.
    fn attach(&mut self, id: NodeId, mut foot: Comment) {
        let Some(parent) = self.open.last_mut() else {
            self.give(id, CommentSlot::Foot, foot);
            return;
        };
        if !parent.is_mapping {
            self.give(id, CommentSlot::Foot, foot);
            return;
        }
        match parent.key.take() {
            None => {
                // Below the last field, above a key that is further to the left: the comment is the field's.
                if !parent.flow && !foot.is_empty() && parent.last.is_some() {
                    parent.below_last = foot.take();
                }
                parent.key = Some(id);
                if !foot.is_empty() {
                    parent.below_key = foot;
                }
                if let Some(last) = parent.last.take()
                    && !parent.below_last.is_empty()
                {
                    let foot = parent.below_last.take();
                    self.give(last, CommentSlot::Foot, foot);
                    // The key stays the last one until its follower has a value.
                }
            }
            Some(key) => {
                parent.last = Some(key);
                if !parent.below_key.is_empty() {
                    parent.below_last = parent.below_key.take();
                    self.give(id, CommentSlot::Foot, foot);
                } else if !foot.is_empty() {
                    parent.below_last = foot;
                }
            }
        }
    }

    fn close(&mut self, parser: &mut Parser<'_>) {
        let Some(open) = self.open.pop() else {
            return;
        };
        self.tree.close_collection(open.id);
        let mut foot = Comment::default();
        if let Some(comments) = parser.comments() {
            self.give(open.id, CommentSlot::Line, comments.line.take());
            foot = comments.foot.take();
        }
        if let Some(last) = open.last {
            let mut below_last = open.below_last;
            if !open.flow && !foot.is_empty() {
                below_last = foot.take();
            }
            self.give(last, CommentSlot::Foot, below_last);
        }
        self.attach(open.id, foot);
    }
}

fn short_tag(tag: Vec<u8>) -> Vec<u8> {
    match tag.strip_prefix(LONG_TAG_PREFIX) {
        Some(rest) => [b"!!", rest].concat(),
        None => tag,
    }
}

/// The form of a tag that the writer cuts into handle and suffix.
pub(super) fn long_tag(tag: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    match tag.strip_prefix(b"!!") {
        Some(rest) => [LONG_TAG_PREFIX, rest].concat().into(),
        None => tag.into(),
    }
}

/// The names that aliases may refer to, as a hash table over the text.
#[derive(Default)]
struct Anchors {
    names: Vec<Name>,
    /// Numbers of names, from 1; 0 is free. Their count is a power of two, or 0.
    slots: Vec<u32>,
    hasher: RandomState,
}

impl Anchors {
    fn text(source: &str, name: Name) -> &str {
        &source[name.start as usize..(name.start + name.length) as usize]
    }

    /// The slot of a name, or the free one where it belongs.
    fn slot(&self, source: &str, name: &str) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = self.hasher.hash_one(name) as usize & mask;
        while let Some(number) = self.slots[at].checked_sub(1) {
            if Self::text(source, self.names[number as usize]) == name {
                break;
            }
            at = (at + 1) & mask;
        }
        at
    }

    fn add(&mut self, source: &str, name: Name) {
        if (self.names.len() + 1) * 2 > self.slots.len() {
            self.slots = vec![0; (self.slots.len() * 2).max(16)];
            for number in 0..self.names.len() {
                let at = self.slot(source, Self::text(source, self.names[number]));
                self.slots[at] = number as u32 + 1;
            }
        }
        let at = self.slot(source, Self::text(source, name));
        if self.slots[at] == 0 {
            self.names.push(name);
            self.slots[at] = self.names.len() as u32;
        }
    }

    fn is_known(&self, source: &str, name: Name) -> bool {
        !self.slots.is_empty() && self.slots[self.slot(source, Self::text(source, name))] != 0
    }
}
