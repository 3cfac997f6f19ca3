//! Tree to text.
//!
//! Comments don't sit in the text where they sit in the tree: each node hands its comments over when its turn comes, and they wait until
//! the layout comes to a place where a comment of their kind can be written. One that is handed over too early is replaced.

use std::borrow::Cow;

use super::characters::is_break_character;
use super::scalar::Analysis;
use super::sequence_indent::SequenceIndent;
use super::token::ScalarStyle;
use super::tree::{Children, Comment, CommentSlot, Kind, NodeId, View};
use super::written_tag::{WrittenTag, written_tag};

/// Columns for each level.
const INDENT: isize = 2;
/// The longest key that is written without `?`, in bytes with its anchor and tag.
const MAX_SIMPLE_KEY: usize = 128;

/// A comment of one of the documents.
#[derive(Clone, Debug)]
pub(super) struct Pending<'d> {
    text: Cow<'d, str>,
    /// The number of the document and where the comment starts in it.
    origin: (u32, u32),
}

impl Pending<'_> {
    fn detached<'e>(self) -> Pending<'e> {
        Pending {
            text: Cow::Owned(self.text.into_owned()),
            origin: self.origin,
        }
    }
}

/// Comments handed over and not written yet.
#[derive(Debug, Default)]
struct Waiting<'d> {
    head: Option<Pending<'d>>,
    line: Option<Pending<'d>>,
    foot: Option<Pending<'d>>,
    /// The foot comment of the field before.
    tail: Option<Pending<'d>>,
    /// The line comment of a key, which goes behind the value.
    key_line: Option<Pending<'d>>,
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
    is_mapping: bool,
    flow: bool,
    turn: Turn,
    outer_indent: isize,
    tail: Option<Pending<'d>>,
    /// It is the key of a field.
    is_key: bool,
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
    /// The number of the document that is written.
    document: u32,
    /// The comments written: document and start.
    written: Vec<(u32, u32)>,
}

impl<'d> Emitter<'d> {
    /// A writer of some `size` bytes.
    pub(super) fn new(size: usize) -> Self {
        Self {
            output: String::with_capacity(size),
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
            document: 0,
            written: Vec::new(),
        }
    }

    /// The same writer, which refers to no document any more.
    pub(super) fn detached<'e>(self) -> Emitter<'e> {
        let waiting = self.waiting;
        let own = |pending: Option<Pending<'d>>| pending.map(Pending::detached);
        Emitter {
            waiting: Waiting {
                head: own(waiting.head),
                line: own(waiting.line),
                foot: own(waiting.foot),
                tail: own(waiting.tail),
                key_line: own(waiting.key_line),
            },
            open: Vec::new(),
            output: self.output,
            column: self.column,
            whitespace: self.whitespace,
            indention: self.indention,
            indent: self.indent,
            foot_indent: self.foot_indent,
            flow_level: self.flow_level,
            compact: self.compact,
            is_first_document: self.is_first_document,
            in_mapping: self.in_mapping,
            is_simple_key: self.is_simple_key,
            document: self.document,
            written: self.written,
        }
    }

    /// The text written, and the comments in it: number of the document, from 0, and start, in order.
    pub(super) fn finish(mut self) -> (String, Vec<(u32, u32)>) {
        self.written.sort_unstable();
        (self.output, self.written)
    }

    /// Writes a document behind those before: the node `root` of it. The comments of the whole document count only if it is the
    /// root of the document.
    pub(super) fn document(
        &mut self,
        view: View<'d>,
        root: NodeId,
        whole: bool,
        indent: SequenceIndent,
    ) {
        self.compact = indent == SequenceIndent::Compact;
        let outer = |slot| view.outer_comment(slot).filter(|_| whole);
        self.replace(|waiting| &mut waiting.head, outer(CommentSlot::Head));
        if !self.is_first_document {
            self.write_indent();
            self.indicator("---", true, false, false);
            self.write_indent();
        }
        self.is_first_document = false;
        if self.waiting.head.is_some() {
            self.write_head();
            self.put_break();
        }
        self.hand_over_start(view, root, None);
        if !whole {
            self.hand_over_foot(view, root);
        }
        self.write_head();
        self.in_mapping = false;
        self.node(view, root, false);
        self.write_line();
        self.write_foot();
        while !self.open.is_empty() {
            self.step(view);
        }
        self.replace(|waiting| &mut waiting.foot, outer(CommentSlot::Foot));
        self.foot_indent = 0;
        self.write_foot();
        self.foot_indent = -1;
        self.write_indent();
        self.document += 1;
    }

    fn pending(&self, comment: Option<Comment<'d>>) -> Option<Pending<'d>> {
        comment.map(|comment| Pending {
            text: Cow::Borrowed(comment.text),
            origin: (self.document, comment.start),
        })
    }

    /// Has a comment wait instead of the one that waits; none changes nothing.
    #[inline]
    fn replace(
        &mut self,
        slot: impl for<'w> FnOnce(&'w mut Waiting<'d>) -> &'w mut Option<Pending<'d>>,
        comment: Option<Comment<'d>>,
    ) {
        if comment.is_some() {
            *slot(&mut self.waiting) = self.pending(comment);
        }
    }

    /// Takes the comments that come with the start of a node.
    #[inline]
    fn hand_over_start(&mut self, view: View<'d>, id: NodeId, tail: Option<Pending<'d>>) {
        let kind = view.kind(id);
        if tail.is_some() && matches!(kind, Kind::Mapping | Kind::Scalar) {
            self.waiting.tail = tail;
        }
        if view.has_comments(id) {
            self.replace(
                |waiting| &mut waiting.head,
                view.comment(id, CommentSlot::Head),
            );
            if matches!(kind, Kind::Scalar | Kind::Alias) {
                self.replace(
                    |waiting| &mut waiting.line,
                    view.comment(id, CommentSlot::Line),
                );
            }
        }
    }

    /// Takes the foot comment of a node that is no key.
    #[inline]
    fn hand_over_foot(&mut self, view: View<'d>, id: NodeId) {
        if view.has_comments(id) && matches!(view.kind(id), Kind::Scalar | Kind::Alias) {
            self.replace(
                |waiting| &mut waiting.foot,
                view.comment(id, CommentSlot::Foot),
            );
        }
    }

    /// Takes the comments that come with the end of the innermost open collection. The foot comment of a key
    /// isn't among them: it is written below the value.
    fn hand_over_end(&mut self, view: View<'d>, tail: Option<Pending<'d>>) {
        let Some(open) = self.open.last() else {
            return;
        };
        let (id, is_key) = (open.id, open.is_key);
        if tail.is_some() {
            self.waiting.tail = tail;
        }
        self.replace(
            |waiting| &mut waiting.line,
            view.comment(id, CommentSlot::Line),
        );
        if !is_key {
            self.replace(
                |waiting| &mut waiting.foot,
                view.comment(id, CommentSlot::Foot),
            );
        }
    }

    /// Writes a scalar or alias, or opens a collection.
    fn node(&mut self, view: View<'d>, id: NodeId, is_simple_key: bool) {
        self.is_simple_key = is_simple_key;
        let kind = view.kind(id);
        match kind {
            Kind::Alias => {
                self.indicator("*", true, false, false);
                self.put_word(view.value(id));
                return;
            }
            Kind::Scalar => return self.scalar(view, id),
            Kind::Sequence | Kind::Mapping => {}
        }
        self.anchor_and_tag(view, id, written_tag(view, id).0);
        let children = view.children(id);
        let is_childless = children.clone().next().is_none();
        self.open.push(Open {
            id,
            is_mapping: kind == Kind::Mapping,
            flow: view.is_flow(id) || is_childless || self.flow_level > 0,
            turn: Turn::First,
            outer_indent: self.indent,
            tail: None,
            is_key: self.is_next_a_value(),
            children,
        });
    }

    fn anchor_and_tag(&mut self, view: View<'d>, id: NodeId, tag: Option<WrittenTag>) {
        let anchor = view.anchor(id);
        if !anchor.is_empty() {
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

    fn scalar(&mut self, view: View<'d>, id: NodeId) {
        let value = view.value(id);
        let (tag, wanted) = written_tag(view, id);
        let style = wanted.unwrap_or_else(|| view.style(id));
        let style = self.choose_style(&Analysis::of(value), style, value);
        self.anchor_and_tag(view, id, tag);
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
    fn step(&mut self, view: View<'d>) {
        let Some(open) = self.open.last() else {
            return;
        };
        match (open.is_mapping, open.flow) {
            (false, false) => self.block_item(view),
            (false, true) => self.flow_item(view),
            (true, false) => self.block_field(view),
            (true, true) => self.flow_field(view),
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

    /// What is to be done now, the next child, and the foot comment of the field before.
    fn turn(&mut self) -> (Turn, Option<NodeId>, Option<Pending<'d>>) {
        match self.open.last_mut() {
            Some(open) => (open.turn, open.children.next(), open.tail.clone()),
            None => (Turn::Next, None, None),
        }
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

    fn block_item(&mut self, view: View<'d>) {
        let (turn, item, _) = self.turn();
        let Some(item) = item else {
            self.hand_over_end(view, None);
            self.close();
            return;
        };
        self.hand_over_start(view, item, None);
        self.hand_over_foot(view, item);
        if turn == Turn::First {
            let compact = self.in_mapping && (self.column == 0 || !self.indention) && self.compact;
            self.increase_indent(false, self.is_item_of_block_sequence(), compact);
        }
        self.update_open(|open| open.turn = Turn::Next);
        self.write_head();
        self.write_indent();
        self.indicator("-", true, false, true);
        self.in_mapping = false;
        self.node(view, item, false);
        self.write_line();
        self.write_foot();
    }

    fn block_field(&mut self, view: View<'d>) {
        let (turn, child, tail) = self.turn();
        if let Turn::Value { simple } = turn {
            if let Some(value) = child {
                self.block_value(view, value, simple);
            }
            return;
        }
        match child {
            Some(key) => self.hand_over_start(view, key, tail),
            None => self.hand_over_end(view, tail),
        }
        if turn == Turn::First {
            self.increase_indent(false, self.is_item_of_block_sequence(), false);
        }
        self.write_head();
        let Some(key) = child else {
            self.close();
            return;
        };
        self.write_indent();
        if self.waiting.line.is_some() {
            self.waiting.key_line = self.waiting.line.take();
        }
        let simple = self.expect_value(view, key);
        if !simple {
            self.indicator("?", true, false, true);
        }
        self.in_mapping = true;
        self.node(view, key, simple);
    }

    /// Notes that the value of this key is next, and whether the key can do without `?`.
    fn expect_value(&mut self, view: View<'d>, key: NodeId) -> bool {
        let simple = is_simple_key(view, key);
        let foot = self.pending(view.comment(key, CommentSlot::Foot));
        self.update_open(|open| {
            open.turn = Turn::Value { simple };
            open.tail = foot;
        });
        simple
    }

    fn block_value(&mut self, view: View<'d>, value: NodeId, simple: bool) {
        self.hand_over_start(view, value, None);
        self.hand_over_foot(view, value);
        if simple {
            self.indicator(":", false, false, false);
        } else {
            self.write_indent();
            self.indicator(":", true, false, true);
        }
        if self.waiting.key_line.is_some() {
            match view.kind(value) {
                Kind::Scalar if self.waiting.line.is_none() => {
                    self.waiting.line = self.waiting.key_line.take();
                }
                Kind::Sequence | Kind::Mapping if !view.is_flow(value) => {
                    let waiting = &mut self.waiting;
                    std::mem::swap(&mut waiting.line, &mut waiting.key_line);
                    self.write_line();
                    let waiting = &mut self.waiting;
                    std::mem::swap(&mut waiting.line, &mut waiting.key_line);
                }
                _ => {}
            }
        }
        self.update_open(|open| open.turn = Turn::Next);
        self.in_mapping = true;
        self.node(view, value, false);
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
        waiting.line.is_some() || waiting.foot.is_some() || waiting.tail.is_some()
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

    fn flow_item(&mut self, view: View<'d>) {
        let (turn, item, _) = self.turn();
        if let Some(item) = item {
            self.hand_over_start(view, item, None);
            self.hand_over_foot(view, item);
        } else {
            self.hand_over_end(view, None);
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
        self.update_open(|open| open.turn = next);
        self.in_mapping = false;
        self.node(view, item, false);
        self.end_flow_child();
    }

    fn flow_field(&mut self, view: View<'d>) {
        let (turn, child, tail) = self.turn();
        if let Turn::Value { simple } = turn {
            if let Some(value) = child {
                self.flow_value(view, value, simple);
            }
            return;
        }
        match child {
            Some(key) => self.hand_over_start(view, key, tail),
            None => self.hand_over_end(view, tail),
        }
        if turn == Turn::First {
            self.open_bracket("{");
        }
        let Some(key) = child else {
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
        let simple = self.expect_value(view, key);
        if !simple {
            self.indicator("?", true, false, false);
        }
        self.in_mapping = true;
        self.node(view, key, simple);
    }

    fn end_flow_mapping(&mut self, turn: Turn) {
        let waiting = &self.waiting;
        let waits = waiting.head.is_some() || waiting.foot.is_some() || waiting.tail.is_some();
        if waits && turn == Turn::Next {
            self.indicator(",", false, false, false);
        }
        self.write_head();
        self.flow_level -= 1;
        self.close();
        self.indicator("}", false, false, false);
        self.write_line();
        self.write_foot();
    }

    fn flow_value(&mut self, view: View<'d>, value: NodeId, simple: bool) {
        self.hand_over_start(view, value, None);
        self.hand_over_foot(view, value);
        self.indicator(":", !simple, false, false);
        let next = self.turn_after_flow_child();
        self.update_open(|open| open.turn = next);
        self.in_mapping = true;
        self.node(view, value, false);
        self.end_flow_child();
    }

    /// Writes the comment below the field before, then the comment above.
    #[inline]
    fn write_head(&mut self) {
        if let Some(tail) = self.waiting.tail.take() {
            self.write_indent();
            self.write_comment(tail);
            self.foot_indent = self.indent.max(0);
        }
        if let Some(head) = self.waiting.head.take() {
            self.write_indent();
            self.write_comment(head);
        }
    }

    /// Writes the comment behind what was written; whether there was one.
    #[inline]
    pub(super) fn write_line(&mut self) -> bool {
        let Some(line) = self.waiting.line.take() else {
            return false;
        };
        if !self.whitespace {
            self.put(" ");
        }
        self.write_comment(line);
        true
    }

    #[inline]
    fn write_foot(&mut self) {
        if let Some(foot) = self.waiting.foot.take() {
            self.write_indent();
            self.write_comment(foot);
            self.foot_indent = self.indent.max(0);
        }
    }

    fn write_comment(&mut self, comment: Pending<'d>) {
        self.written.push(comment.origin);
        self.comment(&comment.text);
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
        self.put_spaces(
            indent
                .saturating_sub(self.column as isize)
                .max(0)
                .unsigned_abs(),
        );
        self.whitespace = true;
        self.foot_indent = -1;
    }
}

fn is_block_sequence(open: &Open<'_>) -> bool {
    !open.is_mapping && !open.flow
}

/// Whether a key can do without `?`.
fn is_simple_key(view: View<'_>, key: NodeId) -> bool {
    let length = match view.kind(key) {
        Kind::Alias => return view.value(key).len() <= MAX_SIMPLE_KEY,
        Kind::Scalar => {
            let value = view.value(key);
            if value.len() > MAX_SIMPLE_KEY
                || !value.is_ascii() && value.contains(is_break_character)
                || memchr::memchr2(b'\n', b'\r', value.as_bytes()).is_some()
            {
                return false;
            }
            value.len()
        }
        Kind::Sequence | Kind::Mapping if view.is_childless(key) => 0,
        Kind::Sequence | Kind::Mapping => return false,
    };
    let anchor = view.anchor(key).len();
    let tag = written_tag(view, key).0;
    let tag = tag.map_or(0, |tag| tag.handle.len() + tag.suffix.len());
    anchor + tag + length <= MAX_SIMPLE_KEY
}

/// A node and what is below it, written on its own; `whole` as in [`Emitter::document`].
pub(super) fn text_of(view: View<'_>, id: NodeId, whole: bool) -> String {
    let mut emitter = Emitter::new(0);
    emitter.document(view, id, whole, SequenceIndent::Compact);
    emitter.finish().0
}
