//! Tree to text.
//!
//! Comments don't sit in the text where they sit in the tree: each node hands its comments over when its turn comes, and they wait until
//! the layout comes to a place where a comment of their kind can be written. One that is handed over too early is replaced.

use super::composer::long_tag;
use super::document::{Document, Node, NodeId, NodeKind};
use super::scalar::{Analysis, write_style};
use super::sequence_indent::SequenceIndent;
use super::token::ScalarStyle;

/// Columns for each level.
const INDENT: isize = 2;
/// The longest key that is written without `?`, in bytes with its anchor and tag.
const MAX_SIMPLE_KEY: usize = 128;

/// Comments handed over and not written yet.
#[derive(Debug, Default)]
struct Waiting<'d> {
    head: &'d str,
    line: &'d str,
    foot: &'d str,
    /// The foot comment of the field before.
    tail: &'d str,
    /// The line comment of a key, which goes behind the value.
    key_line: &'d str,
}

/// What comes next in a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    First,
    Next,
    /// Behind a comma that is already written.
    AfterComma,
    Value {
        simple: bool,
    },
}

/// A collection being written.
#[derive(Debug)]
struct Open<'d> {
    id: NodeId,
    children: Children<'d>,
    flow: bool,
    turn: Turn,
    at: usize,
    outer_indent: isize,
    tail: &'d str,
    /// It is the key of a field.
    is_key: bool,
}

#[derive(Clone, Copy, Debug)]
enum Children<'d> {
    Items(&'d [NodeId]),
    Fields(&'d [(NodeId, NodeId)]),
}

/// How a tag is written: a short form, or the whole between `!<` and `>`.
pub(super) struct WrittenTag {
    pub(super) handle: &'static str,
    pub(super) suffix: Vec<u8>,
}

/// Writes documents, one after the other.
#[derive(Debug)]
pub(super) struct Emitter<'d> {
    pub(super) output: String,
    pub(super) column: usize,
    /// The last thing written was a blank, or needs none behind it.
    pub(super) whitespace: bool,
    /// Only blanks and indicators are on the line so far.
    pub(super) indention: bool,
    pub(super) indent: isize,
    foot_indent: isize,
    pub(super) flow_level: usize,
    compact: bool,
    is_first_document: bool,
    in_mapping: bool,
    pub(super) is_simple_key: bool,
    waiting: Waiting<'d>,
    open: Vec<Open<'d>>,
}

impl<'d> Emitter<'d> {
    pub(super) fn new() -> Self {
        Self {
            output: String::new(),
            column: 0,
            whitespace: true,
            indention: true,
            indent: -1,
            foot_indent: -1,
            flow_level: 0,
            compact: true,
            is_first_document: true,
            in_mapping: false,
            is_simple_key: false,
            waiting: Waiting::default(),
            open: Vec::new(),
        }
    }

    /// The text written.
    pub(super) fn finish(self) -> String {
        self.output
    }

    /// Writes a document behind those before.
    pub(super) fn document(&mut self, document: &'d Document<'_>, indent: SequenceIndent) {
        self.compact = indent == SequenceIndent::Compact;
        replace(&mut self.waiting.head, &document.head.text);
        if !self.is_first_document {
            self.write_indent();
            self.indicator("---", true, false, false);
            self.write_indent();
        }
        self.is_first_document = false;
        if !self.waiting.head.is_empty() {
            self.write_head();
            self.put_break();
        }
        let root = document.node(document.root);
        self.hand_over_start(root, "");
        self.write_head();
        self.in_mapping = false;
        self.node(document, document.root, false);
        self.write_line();
        self.write_foot();
        while !self.open.is_empty() {
            self.step(document);
        }
        replace(&mut self.waiting.foot, &document.foot.text);
        self.foot_indent = 0;
        self.write_foot();
        self.foot_indent = -1;
        self.write_indent();
    }

    /// Takes the comments that come with the start of a node.
    fn hand_over_start(&mut self, node: &'d Node<'_>, tail: &'d str) {
        replace(&mut self.waiting.head, &node.comments.head().text);
        match node.kind {
            NodeKind::Sequence { .. } => {}
            NodeKind::Mapping { .. } => replace(&mut self.waiting.tail, tail),
            NodeKind::Scalar { .. } | NodeKind::Alias(_) => {
                replace(&mut self.waiting.line, &node.comments.line().text);
                if !matches!(node.kind, NodeKind::Alias(_)) {
                    replace(&mut self.waiting.tail, tail);
                }
            }
        }
    }

    /// Takes the foot comment of a node that is no key.
    fn hand_over_foot(&mut self, node: &'d Node<'_>) {
        if matches!(node.kind, NodeKind::Scalar { .. } | NodeKind::Alias(_)) {
            replace(&mut self.waiting.foot, &node.comments.foot().text);
        }
    }

    /// Takes the comments that come with the end of the innermost open collection. The foot comment of a key
    /// isn't among them: it is written below the value.
    fn hand_over_end(&mut self, document: &'d Document<'_>, tail: &'d str) {
        let Some(open) = self.open.last() else {
            return;
        };
        let node = document.node(open.id);
        replace(&mut self.waiting.tail, tail);
        replace(&mut self.waiting.line, &node.comments.line().text);
        if !open.is_key {
            replace(&mut self.waiting.foot, &node.comments.foot().text);
        }
    }

    /// Writes a scalar or alias, or opens a collection.
    fn node(&mut self, document: &'d Document<'_>, id: NodeId, is_simple_key: bool) {
        self.is_simple_key = is_simple_key;
        let node = document.node(id);
        if let NodeKind::Alias(name) = node.kind {
            self.indicator("*", true, false, false);
            self.put_word(name);
            return;
        }
        if let NodeKind::Scalar { value, style } = &node.kind {
            self.scalar(node, value, *style);
            return;
        }
        self.anchor_and_tag(node, written_tag(node).0);
        let (children, flow) = match &node.kind {
            NodeKind::Sequence { items, flow } => {
                (Children::Items(items), *flow || items.is_empty())
            }
            NodeKind::Mapping { fields, flow } => {
                (Children::Fields(fields), *flow || fields.is_empty())
            }
            _ => return,
        };
        self.open.push(Open {
            id,
            children,
            flow: flow || self.flow_level > 0,
            turn: Turn::First,
            at: 0,
            outer_indent: self.indent,
            tail: "",
            is_key: self.is_next_a_value(),
        });
    }

    fn anchor_and_tag(&mut self, node: &Node<'_>, tag: Option<WrittenTag>) {
        if let Some(anchor) = node.anchor {
            self.indicator("&", true, false, false);
            self.put_word(anchor);
        }
        let Some(tag) = tag else {
            return;
        };
        if tag.handle.is_empty() {
            self.indicator("!<", true, false, false);
            self.put_tag_content(&tag.suffix);
            self.indicator(">", false, false, false);
            return;
        }
        if !self.whitespace {
            self.put(" ");
        }
        self.put_word(tag.handle);
        if !tag.suffix.is_empty() {
            self.put_tag_content(&tag.suffix);
        }
    }

    fn scalar(&mut self, node: &'d Node<'_>, value: &'d str, style: ScalarStyle) {
        let (tag, wanted) = written_tag(node);
        let style = self.choose_style(&Analysis::of(value), wanted.unwrap_or(style), value);
        self.anchor_and_tag(node, tag);
        let outer = self.indent;
        let in_block_sequence = self.open.last().is_some_and(is_block_sequence);
        self.increase_indent(true, in_block_sequence, false);
        self.write_scalar(value, style);
        self.indent = outer;
    }

    /// Chooses a style that the value can have here.
    fn choose_style(&self, analysis: &Analysis, wanted: ScalarStyle, value: &str) -> ScalarStyle {
        let in_flow = self.flow_level > 0;
        let mut style = wanted;
        if self.is_simple_key && analysis.multiline {
            style = ScalarStyle::DoubleQuoted;
        }
        if style == ScalarStyle::Plain {
            let allowed = if in_flow {
                analysis.flow_plain
            } else {
                analysis.block_plain
            };
            if !allowed || value.is_empty() && (in_flow || self.is_simple_key) {
                style = ScalarStyle::SingleQuoted;
            }
        }
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if style == ScalarStyle::SingleQuoted && !analysis.single_quoted
            || is_block && (!analysis.block || in_flow || self.is_simple_key)
        {
            style = ScalarStyle::DoubleQuoted;
        }
        style
    }

    fn increase_indent(&mut self, flow: bool, in_block_sequence: bool, compact: bool) {
        if self.indent < 0 {
            self.indent = if flow { INDENT } else { 0 };
        } else if in_block_sequence {
            // Behind the `- `.
            self.indent += 2;
        } else {
            self.indent = INDENT * ((self.indent + INDENT) / INDENT);
            if compact {
                self.indent -= 2;
            }
        }
    }

    /// Writes the next child of the innermost open collection, or its end.
    fn step(&mut self, document: &'d Document<'_>) {
        let Some(open) = self.open.last() else {
            return;
        };
        match (open.children, open.flow) {
            (Children::Items(items), false) => self.block_item(document, items),
            (Children::Items(items), true) => self.flow_item(document, items),
            (Children::Fields(fields), false) => self.block_field(document, fields),
            (Children::Fields(fields), true) => self.flow_field(document, fields),
        }
    }

    /// Whether the innermost open collection goes on with a value: what is written now is its key.
    fn is_next_a_value(&self) -> bool {
        self.open
            .last()
            .is_some_and(|open| matches!(open.turn, Turn::Value { .. }))
    }

    /// Changes the innermost open collection.
    fn update_open(&mut self, change: impl FnOnce(&mut Open<'d>)) {
        if let Some(open) = self.open.last_mut() {
            change(open);
        }
    }

    /// The next child's index and what is to be done, and the foot comment of the field before.
    fn turn(&self) -> (usize, Turn, &'d str) {
        self.open
            .last()
            .map_or((0, Turn::Next, ""), |open| (open.at, open.turn, open.tail))
    }

    /// Whether the innermost open collection is an item of a block sequence.
    fn is_item_of_block_sequence(&self) -> bool {
        self.open.iter().rev().nth(1).is_some_and(is_block_sequence)
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.indent = open.outer_indent;
        }
    }

    fn block_item(&mut self, document: &'d Document<'_>, items: &'d [NodeId]) {
        let (at, turn, _) = self.turn();
        let Some(&item) = items.get(at) else {
            self.hand_over_end(document, "");
            self.close();
            return;
        };
        let node = document.node(item);
        self.hand_over_start(node, "");
        self.hand_over_foot(node);
        if turn == Turn::First {
            let compact = self.in_mapping && (self.column == 0 || !self.indention) && self.compact;
            self.increase_indent(false, self.is_item_of_block_sequence(), compact);
        }
        self.update_open(|open| {
            open.at += 1;
            open.turn = Turn::Next;
        });
        self.write_head();
        self.write_indent();
        self.indicator("-", true, false, true);
        self.in_mapping = false;
        self.node(document, item, false);
        self.write_line();
        self.write_foot();
    }

    fn block_field(&mut self, document: &'d Document<'_>, fields: &'d [(NodeId, NodeId)]) {
        let (at, turn, tail) = self.turn();
        if let Turn::Value { simple } = turn {
            self.block_value(document, fields[at].1, simple);
            return;
        }
        let key = fields.get(at).map(|(key, _)| *key);
        match key {
            Some(key) => self.hand_over_start(document.node(key), tail),
            None => self.hand_over_end(document, tail),
        }
        if turn == Turn::First {
            self.increase_indent(false, self.is_item_of_block_sequence(), false);
        }
        self.write_head();
        let Some(key) = key else {
            self.close();
            return;
        };
        self.write_indent();
        if !self.waiting.line.is_empty() {
            self.waiting.key_line = std::mem::take(&mut self.waiting.line);
        }
        let simple = is_simple_key(document, key);
        let foot = document.node(key).comments.foot().text.as_str();
        self.update_open(|open| {
            open.turn = Turn::Value { simple };
            open.tail = foot;
        });
        if !simple {
            self.indicator("?", true, false, true);
        }
        self.in_mapping = true;
        self.node(document, key, simple);
    }

    fn block_value(&mut self, document: &'d Document<'_>, value: NodeId, simple: bool) {
        let node = document.node(value);
        self.hand_over_start(node, "");
        self.hand_over_foot(node);
        if simple {
            self.indicator(":", false, false, false);
        } else {
            self.write_indent();
            self.indicator(":", true, false, true);
        }
        if !self.waiting.key_line.is_empty() {
            match node.kind {
                NodeKind::Scalar { .. } if self.waiting.line.is_empty() => {
                    self.waiting.line = std::mem::take(&mut self.waiting.key_line);
                }
                NodeKind::Sequence { flow: false, .. } | NodeKind::Mapping { flow: false, .. } => {
                    let waiting = &mut self.waiting;
                    std::mem::swap(&mut waiting.line, &mut waiting.key_line);
                    self.write_line();
                    let waiting = &mut self.waiting;
                    std::mem::swap(&mut waiting.line, &mut waiting.key_line);
                }
                _ => {}
            }
        }
        self.update_open(|open| {
            open.at += 1;
            open.turn = Turn::Next;
        });
        self.in_mapping = true;
        self.node(document, value, false);
        self.write_line();
        self.write_foot();
    }

    fn open_bracket(&mut self, bracket: &str) {
        self.indicator(bracket, true, true, false);
        self.increase_indent(true, self.is_item_of_block_sequence(), false);
        self.flow_level += 1;
    }

    fn has_trailing_comments(&self) -> bool {
        let waiting = &self.waiting;
        !(waiting.line.is_empty() && waiting.foot.is_empty() && waiting.tail.is_empty())
    }

    /// Writes the comma before its comments, if there are any.
    fn end_flow_child(&mut self) {
        if self.has_trailing_comments() {
            self.indicator(",", false, false, false);
        }
        self.write_line();
        self.write_foot();
    }

    fn turn_after_flow_child(&self) -> Turn {
        if self.has_trailing_comments() {
            Turn::AfterComma
        } else {
            Turn::Next
        }
    }

    fn flow_item(&mut self, document: &'d Document<'_>, items: &'d [NodeId]) {
        let (at, turn, _) = self.turn();
        let item = items.get(at).copied();
        if let Some(item) = item {
            let node = document.node(item);
            self.hand_over_start(node, "");
            self.hand_over_foot(node);
        } else {
            self.hand_over_end(document, "");
        }
        if turn == Turn::First {
            self.open_bracket("[");
        }
        let Some(item) = item else {
            self.flow_level -= 1;
            self.close();
            if self.column == 0 {
                self.write_indent();
            }
            self.indicator("]", false, false, false);
            self.write_line();
            self.write_foot();
            return;
        };
        if turn == Turn::Next {
            self.indicator(",", false, false, false);
        }
        self.write_head();
        if self.column == 0 {
            self.write_indent();
        }
        let next = self.turn_after_flow_child();
        self.update_open(|open| {
            open.at += 1;
            open.turn = next;
        });
        self.in_mapping = false;
        self.node(document, item, false);
        self.end_flow_child();
    }

    fn flow_field(&mut self, document: &'d Document<'_>, fields: &'d [(NodeId, NodeId)]) {
        let (at, turn, tail) = self.turn();
        if let Turn::Value { simple } = turn {
            self.flow_value(document, fields[at].1, simple);
            return;
        }
        let key = fields.get(at).map(|(key, _)| *key);
        match key {
            Some(key) => self.hand_over_start(document.node(key), tail),
            None => self.hand_over_end(document, tail),
        }
        if turn == Turn::First {
            self.open_bracket("{");
        }
        let Some(key) = key else {
            self.end_flow_mapping(turn);
            return;
        };
        if turn == Turn::Next {
            self.indicator(",", false, false, false);
        }
        self.write_head();
        if self.column == 0 {
            self.write_indent();
        }
        let simple = is_simple_key(document, key);
        let foot = document.node(key).comments.foot().text.as_str();
        self.update_open(|open| {
            open.turn = Turn::Value { simple };
            open.tail = foot;
        });
        if !simple {
            self.indicator("?", true, false, false);
        }
        self.in_mapping = true;
        self.node(document, key, simple);
    }

    fn end_flow_mapping(&mut self, turn: Turn) {
        let waiting = &self.waiting;
        let none_waits =
            waiting.head.is_empty() && waiting.foot.is_empty() && waiting.tail.is_empty();
        if !none_waits && turn == Turn::Next {
            self.indicator(",", false, false, false);
        }
        self.write_head();
        self.flow_level -= 1;
        self.close();
        self.indicator("}", false, false, false);
        self.write_line();
        self.write_foot();
    }

    fn flow_value(&mut self, document: &'d Document<'_>, value: NodeId, simple: bool) {
        let node = document.node(value);
        self.hand_over_start(node, "");
        self.hand_over_foot(node);
        self.indicator(":", !simple, false, false);
        let next = self.turn_after_flow_child();
        self.update_open(|open| {
            open.at += 1;
            open.turn = next;
        });
        self.in_mapping = true;
        self.node(document, value, false);
        self.end_flow_child();
    }

    /// Writes the comment below the field before, then the comment above.
    fn write_head(&mut self) {
        let tail = std::mem::take(&mut self.waiting.tail);
        if !tail.is_empty() {
            self.write_indent();
            self.comment(tail);
            self.foot_indent = self.indent.max(0);
        }
        let head = std::mem::take(&mut self.waiting.head);
        if !head.is_empty() {
            self.write_indent();
            self.comment(head);
        }
    }

    /// Writes the comment behind what was written; whether there was one.
    pub(super) fn write_line(&mut self) -> bool {
        let line = std::mem::take(&mut self.waiting.line);
        if line.is_empty() {
            return false;
        }
        if !self.whitespace {
            self.put(" ");
        }
        self.comment(line);
        true
    }

    fn write_foot(&mut self) {
        let foot = std::mem::take(&mut self.waiting.foot);
        if !foot.is_empty() {
            self.write_indent();
            self.comment(foot);
            self.foot_indent = self.indent.max(0);
        }
    }

    /// Starts a line at the current indentation, unless one is started already.
    pub(super) fn write_indent(&mut self) {
        let indent = self.indent.max(0);
        let column = self.column as isize;
        if !self.indention || column > indent || column == indent && !self.whitespace {
            self.put_break();
        }
        if self.foot_indent == indent {
            self.put_break();
        }
        while (self.column as isize) < indent {
            self.put(" ");
        }
        self.whitespace = true;
        self.foot_indent = -1;
    }
}

fn replace<'d>(waiting: &mut &'d str, text: &'d str) {
    if !text.is_empty() {
        *waiting = text;
    }
}

fn is_block_sequence(open: &Open<'_>) -> bool {
    matches!(open.children, Children::Items(_)) && !open.flow
}

/// Whether a key can do without `?`.
fn is_simple_key(document: &Document<'_>, key: NodeId) -> bool {
    let node = document.node(key);
    let content = match &node.kind {
        NodeKind::Alias(name) => return name.len() <= MAX_SIMPLE_KEY,
        NodeKind::Scalar { value, .. } => {
            if value.contains(super::characters::is_break_character) {
                return false;
            }
            value.len()
        }
        NodeKind::Sequence { items, .. } if items.is_empty() => 0,
        NodeKind::Mapping { fields, .. } if fields.is_empty() => 0,
        _ => return false,
    };
    let anchor = node.anchor.map_or(0, str::len);
    let tag = written_tag(node)
        .0
        .map_or(0, |tag| tag.handle.len() + tag.suffix.len());
    anchor + tag + content <= MAX_SIMPLE_KEY
}

/// The tag to be written, if any, and the style if it isn't the node's own.
pub(super) fn written_tag(node: &Node<'_>) -> (Option<WrittenTag>, Option<ScalarStyle>) {
    let mut style = None;
    let mut is_written = !node.tag.is_empty();
    match &node.kind {
        NodeKind::Scalar { value, style: own } => {
            let is_string = node.tag == b"!!str".as_slice();
            let mut is_forced = false;
            if is_written && !node.explicit_tag {
                let is_quoted = is_string && *own != ScalarStyle::Plain;
                let is_implied = super::resolve::resolve(value).tag().as_bytes() == &*node.tag;
                is_forced = is_string && !is_quoted && !is_implied;
                is_written = !is_string && !is_implied;
            }
            style = write_style(*own, value, is_forced);
        }
        NodeKind::Sequence { .. } => is_written &= node.explicit_tag || *node.tag != *b"!!seq",
        NodeKind::Mapping { .. } => is_written &= node.explicit_tag || *node.tag != *b"!!map",
        NodeKind::Alias(_) => is_written = false,
    }
    let tag = is_written.then(|| split_tag(&long_tag(&node.tag)));
    (tag, style)
}

fn split_tag(tag: &[u8]) -> WrittenTag {
    for (handle, prefix) in [("!", b"!".as_slice()), ("!!", b"tag:yaml.org,2002:")] {
        if let Some(suffix) = tag.strip_prefix(prefix) {
            let suffix = suffix.to_vec();
            return WrittenTag { handle, suffix };
        }
    }
    WrittenTag {
        handle: "",
        suffix: tag.to_vec(),
    }
}
