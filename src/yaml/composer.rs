//! Events to a tree, with the last decisions about comments.

use std::borrow::Cow;
use std::collections::HashSet;

use super::ReadError;
use super::document::{CommentSlot, Document, Node, NodeComments, NodeId, NodeKind};
use super::parser::{Event, EventKind, Parser, Properties};
use super::resolve::resolve;
use super::text::CheckedText;
use super::token::ScalarStyle;

const LONG_TAG_PREFIX: &[u8] = b"tag:yaml.org,2002:";

/// A collection whose children are being read.
struct Open {
    id: NodeId,
    key: Option<NodeId>,
}

struct Composer<'t> {
    nodes: Vec<Node<'t>>,
    anchors: HashSet<&'t str>,
    open: Vec<Open>,
}

/// Reads the first document of a text; `None` if there is none.
pub(super) fn compose<'t>(source: &'t CheckedText<'_>) -> Result<Option<Document<'t>>, ReadError> {
    let mut parser = Parser::new(source);
    let start = parser.next_event()?;
    if matches!(start.kind, EventKind::StreamEnd) {
        return Ok(None);
    }
    let mut composer = Composer {
        nodes: Vec::new(),
        anchors: HashSet::new(),
        open: Vec::new(),
    };
    loop {
        let event = parser.next_event()?;
        if let EventKind::DocumentEnd { rest } = event.kind {
            return Ok(Some(Document {
                source_nodes: composer.nodes.len(),
                removed: Vec::new(),
                comments: parser.comments_met(),
                nodes: composer.nodes,
                root: NodeId(0),
                head: start.comments.head,
                foot: event.comments.foot,
                rest,
            }));
        }
        composer.add(event)?;
    }
}

impl<'t> Composer<'t> {
    fn add(&mut self, event: Event<'t>) -> Result<(), ReadError> {
        let line = event.start.line + 1;
        match event.kind {
            EventKind::SequenceEnd | EventKind::MappingEnd => {
                self.close(event);
                return Ok(());
            }
            EventKind::Alias(name) if !self.anchors.contains(name) => {
                return Err(ReadError::malformed("unknown anchor referenced", line));
            }
            _ => {}
        }
        let opens = matches!(
            event.kind,
            EventKind::SequenceStart { .. } | EventKind::MappingStart { .. }
        );
        let Some(node) = self.make_node(event) else {
            return Err(ReadError::malformed("unexpected end of the text", line));
        };
        let id = NodeId(self.nodes.len());
        self.nodes.push(node);
        if opens {
            self.open.push(Open { id, key: None });
        } else {
            self.attach(id);
        }
        Ok(())
    }

    fn make_node(&mut self, event: Event<'t>) -> Option<Node<'t>> {
        let (kind, properties, implied) = match event.kind {
            EventKind::Alias(name) => (NodeKind::Alias(name), Properties::default(), ""),
            EventKind::Scalar {
                properties,
                value,
                style,
            } => {
                let implied = match style {
                    ScalarStyle::Plain if value == "<<" => "!!merge",
                    ScalarStyle::Plain if properties.tag.len() > 1 => "",
                    ScalarStyle::Plain => resolve(&value).tag(),
                    _ => "!!str",
                };
                (NodeKind::Scalar { value, style }, properties, implied)
            }
            EventKind::SequenceStart { properties, flow } => {
                let items = Vec::new();
                (NodeKind::Sequence { items, flow }, properties, "!!seq")
            }
            EventKind::MappingStart { properties, flow } => {
                let fields = Vec::new();
                (NodeKind::Mapping { fields, flow }, properties, "!!map")
            }
            _ => return None,
        };
        let explicit_tag = !properties.tag.is_empty() && properties.tag != b"!";
        let tag = if explicit_tag {
            Cow::Owned(short_tag(properties.tag))
        } else {
            Cow::Borrowed(implied.as_bytes())
        };
        self.anchors.extend(properties.anchor);
        let comments = event.comments;
        Some(Node {
            kind,
            tag,
            explicit_tag,
            anchor: properties.anchor,
            start: event.start.offset,
            content_start: event.content_start.offset,
            comments: NodeComments::new(comments.head, comments.line, comments.foot),
        })
    }

    /// Hands a finished node to the collection around it.
    fn attach(&mut self, id: NodeId) {
        let Some(parent) = self.open.last_mut() else {
            return;
        };
        let key = parent.key.take();
        let (before, rest) = self.nodes.split_at_mut(parent.id.0 + 1);
        let first = before.len();
        let node_at = |id: NodeId| id.0 - first;
        match &mut before[parent.id.0].kind {
            NodeKind::Sequence { items, .. } => items.push(id),
            NodeKind::Mapping { fields, flow } => match key {
                None => {
                    parent.key = Some(id);
                    // Below the last field, above a key that is further to the left: the comment is the field's.
                    if !*flow
                        && !rest[node_at(id)].comments.foot().is_empty()
                        && let Some((previous, _)) = fields.last()
                    {
                        let foot = rest[node_at(id)].comments.take_foot();
                        rest[node_at(*previous)]
                            .comments
                            .set(CommentSlot::Foot, foot);
                    }
                }
                Some(key) => {
                    fields.push((key, id));
                    if rest[node_at(key)].comments.foot().is_empty() {
                        let foot = rest[node_at(id)].comments.take_foot();
                        rest[node_at(key)].comments.set(CommentSlot::Foot, foot);
                    }
                }
            },
            _ => {}
        }
    }

    fn close(&mut self, event: Event<'t>) {
        let Some(Open { id, .. }) = self.open.pop() else {
            return;
        };
        let node = &mut self.nodes[id.0];
        let comments = &mut node.comments;
        comments.set(CommentSlot::Line, event.comments.line);
        comments.set(CommentSlot::Foot, event.comments.foot);
        if let NodeKind::Mapping {
            fields,
            flow: false,
        } = &node.kind
            && !node.comments.foot().is_empty()
            && let Some((key, _)) = fields.last()
        {
            let key = *key;
            let foot = node.comments.take_foot();
            self.nodes[key.0].comments.set(CommentSlot::Foot, foot);
        }
        self.attach(id);
    }
}

fn short_tag(tag: Vec<u8>) -> Vec<u8> {
    match tag.strip_prefix(LONG_TAG_PREFIX) {
        Some(rest) => [b"!!", rest].concat(),
        None => tag,
    }
}

/// The form of a tag that the writer cuts into handle and suffix.
pub(super) fn long_tag(tag: &[u8]) -> Cow<'_, [u8]> {
    match tag.strip_prefix(b"!!") {
        Some(rest) => Cow::Owned([LONG_TAG_PREFIX, rest].concat()),
        None => Cow::Borrowed(tag),
    }
}
