//! Tokens to events: where collections start and end, and which comments each event takes.

use std::collections::HashMap;

use super::ReadError;
use super::comments::{Comment, CommentKind};
use super::cursor::Mark;
use super::scanner::Scanner;
use super::text::Source;
use super::token::{Name, ScalarStyle, TagParts, Token, TokenKind, Value};

/// The comments that an event takes.
#[derive(Debug, Default)]
pub(super) struct EventComments {
    pub(super) head: Comment,
    pub(super) line: Comment,
    pub(super) foot: Comment,
}

/// Anchor and tag of a node; the tag is in its long form, empty where there is none.
#[derive(Debug, Default)]
pub(super) struct Properties {
    pub(super) anchor: Option<Name>,
    pub(super) tag: Vec<u8>,
    /// The line of the first of them, from 0.
    pub(super) line: u32,
}

/// What is written in front of a node; mostly nothing.
pub(super) type Written = Option<Box<Properties>>;

#[derive(Debug)]
pub(super) enum EventKind {
    StreamEnd,
    DocumentStart,
    DocumentEnd {
        /// Where text starts that isn't read, after the end of the document.
        rest: u32,
    },
    Alias(Name),
    Scalar {
        properties: Written,
        value: Value,
        style: ScalarStyle,
    },
    SequenceStart {
        properties: Written,
        flow: bool,
    },
    SequenceEnd,
    MappingStart {
        properties: Written,
        flow: bool,
    },
    MappingEnd,
}

#[derive(Debug)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    /// Where the node starts behind anchor and tag.
    pub(super) start: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    StreamStart,
    DocumentStart { first: bool },
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceEntry { first: bool },
    IndentlessSequenceEntry,
    BlockMappingKey { first: bool },
    BlockMappingValue,
    FlowSequenceEntry { first: bool },
    PairKey,
    PairValue,
    PairEnd,
    FlowMappingKey { first: bool },
    FlowMappingValue { absent: bool },
    End,
}

/// Which nodes may start at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Flow,
    Block,
    BlockOrIndentlessSequence,
}

#[derive(Debug)]
pub(super) struct Parser<'t> {
    scanner: Scanner<'t>,
    state: State,
    states: Vec<State>,
    pending: EventComments,
    has_pending: bool,
    /// The event that was made last: to hand it on from function to function would take longer than to make it.
    event: Event,
    /// Its comments.
    given: EventComments,
    has_given: bool,
    /// The comment of a collection that starts behind a `-`.
    stem: Comment,
    tag_directives: HashMap<Vec<u8>, Vec<u8>>,
}

impl<'t> Parser<'t> {
    pub(super) fn new(source: &'t Source<'_>) -> Self {
        Self {
            scanner: Scanner::new(source),
            state: State::StreamStart,
            states: Vec::with_capacity(16),
            pending: EventComments::default(),
            has_pending: false,
            event: Event {
                kind: EventKind::StreamEnd,
                start: Mark::default(),
            },
            given: EventComments::default(),
            has_given: false,
            stem: Comment::default(),
            tag_directives: HashMap::new(),
        }
    }

    /// The next event; its comments are [`Self::comments`].
    pub(super) fn next_event(&mut self) -> Result<&Event, ReadError> {
        if self.has_given {
            self.has_given = false;
            self.given = EventComments::default();
        }
        self.make_event()?;
        // While it looked for comments the scanner may have come to what can't be read.
        self.scanner.check_readable()?;
        Ok(&self.event)
    }

    /// Makes the next event.
    fn made(&mut self, kind: EventKind, start: Mark) -> Result<(), ReadError> {
        self.event = Event { kind, start };
        Ok(())
    }

    fn made_empty_scalar(&mut self, mark: Mark) -> Result<(), ReadError> {
        let kind = EventKind::Scalar {
            properties: None,
            value: Value::empty(mark.offset),
            style: ScalarStyle::Plain,
        };
        self.made(kind, mark)
    }

    /// The event that was made last, to be taken apart.
    pub(super) fn event(&mut self) -> &mut Event {
        &mut self.event
    }

    /// The comments of the event that was made last.
    pub(super) fn comments(&mut self) -> Option<&mut EventComments> {
        self.has_given.then_some(&mut self.given)
    }

    /// The whole text.
    pub(super) fn text(&self) -> &'t str {
        self.scanner.cursor.text()
    }

    fn make_event(&mut self) -> Result<(), ReadError> {
        loop {
            match self.state {
                State::StreamStart => {
                    self.peek()?;
                    self.scanner.take();
                    self.state = State::DocumentStart { first: true };
                }
                State::DocumentStart { first } => return self.document_start(first),
                State::DocumentContent => return self.document_content(),
                State::DocumentEnd => return self.document_end(),
                State::BlockNode => return self.node(Allowed::Block),
                State::BlockSequenceEntry { first } => return self.block_sequence_entry(first),
                State::IndentlessSequenceEntry => return self.indentless_sequence_entry(),
                State::BlockMappingKey { first } => return self.block_mapping_key(first),
                State::BlockMappingValue => return self.block_mapping_value(),
                State::FlowSequenceEntry { first } => return self.flow_sequence_entry(first),
                State::PairKey => return self.pair_key(),
                State::PairValue => return self.pair_value(),
                State::PairEnd => {
                    let mark = self.peek()?.start;
                    self.state = State::FlowSequenceEntry { first: false };
                    return self.made(EventKind::MappingEnd, mark);
                }
                State::FlowMappingKey { first } => return self.flow_mapping_key(first),
                State::FlowMappingValue { absent } => return self.flow_mapping_value(absent),
                State::End => return Err(self.scanner.error("read past the end of the text")),
            }
        }
    }

    /// The next token; the comments before it become pending.
    #[inline]
    fn peek(&mut self) -> Result<&Token, ReadError> {
        if !self.scanner.is_ready() {
            self.make_ready()?;
        }
        self.scanner.front()
    }

    #[inline(never)]
    fn make_ready(&mut self) -> Result<(), ReadError> {
        self.scanner.make_ready()?;
        if !self.scanner.comments.is_empty() {
            let token = self.scanner.front()?;
            let ends_block = matches!(token.kind, TokenKind::BlockEnd);
            self.gather_comments(token.start.offset, ends_block);
        }
        Ok(())
    }

    fn gather_comments(&mut self, start: u32, ends_block: bool) {
        let text = self.text();
        while let Some(found) = self.scanner.comments.front() {
            // What ends a block has no head; the comment waits for the next token.
            if found.belongs_to > start || ends_block && found.kind == CommentKind::Head {
                return;
            }
            let Some(found) = self.scanner.comments.pop_front() else {
                return;
            };
            self.has_pending = true;
            match found.kind {
                CommentKind::Head => self.pending.head.append(found.comment, text),
                CommentKind::Line => self.pending.line.append(found.comment, text),
                CommentKind::Foot => self.pending.foot.append(found.comment, text),
            }
        }
    }

    /// Start and end of all comments met so far; they are forgotten.
    pub(super) fn take_comments_met(&mut self) -> Vec<(u32, u32)> {
        std::mem::take(&mut self.scanner.comments_met)
    }

    /// The event that is made now gets the pending comments.
    fn give_comments(&mut self) {
        if !self.stem.is_empty() {
            self.stem.take();
        }
        if self.has_pending {
            self.has_pending = false;
            self.given = std::mem::take(&mut self.pending);
            self.has_given = true;
        }
    }

    fn give_head(&mut self, head: Comment) {
        if !head.is_empty() {
            self.given.head = head;
            self.has_given = true;
        }
    }

    fn pop_state(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    fn error(&self, problem: &'static str, mark: Mark) -> ReadError {
        self.scanner.error_at(problem, mark)
    }

    fn document_start(&mut self, first: bool) -> Result<(), ReadError> {
        if !first {
            while matches!(self.peek()?.kind, TokenKind::DocumentEnd) {
                self.scanner.take();
            }
        }
        let token = self.peek()?;
        let start = token.start;
        let explicit = matches!(
            token.kind,
            TokenKind::VersionDirective { .. }
                | TokenKind::TagDirective(_)
                | TokenKind::DocumentStart
        );
        if matches!(token.kind, TokenKind::StreamEnd) {
            self.scanner.take();
            self.state = State::End;
            return self.made(EventKind::StreamEnd, start);
        }
        self.directives()?;
        self.states.push(State::DocumentEnd);
        if first && !explicit {
            self.state = State::BlockNode;
            let head = self.split_document_head();
            self.give_head(head);
            return self.made(EventKind::DocumentStart, start);
        }
        let token = self.peek()?;
        let mark = token.start;
        if !matches!(token.kind, TokenKind::DocumentStart) {
            return Err(self.error("did not find expected <document start>", mark));
        }
        self.scanner.take();
        self.state = State::DocumentContent;
        self.made(EventKind::DocumentStart, start)
    }

    /// Takes the part before the last empty line off the pending head: it belongs to the document.
    fn split_document_head(&mut self) -> Comment {
        let source = self.text();
        let head = &mut self.pending.head;
        let bytes = head.text(source).as_bytes();
        let last = bytes.len().saturating_sub(1);
        let split = (1..bytes.len())
            .rev()
            .find(|&at| bytes[at] == b'\n' && (at == last || bytes[at - 1] == b'\n'));
        let Some(at) = split else {
            return Comment::default();
        };
        let end = if at == last { at } else { at - 1 };
        let text = head.text_mut(source);
        let rest = text.split_off(at + 1);
        text.truncate(end);
        let document = head.clone();
        if rest.is_empty() {
            head.take();
        } else {
            head.text = Some(rest);
        }
        document
    }

    fn directives(&mut self) -> Result<(), ReadError> {
        let mut version_seen = false;
        loop {
            let token = self.peek()?;
            let mark = token.start;
            match &token.kind {
                TokenKind::VersionDirective { major, minor } => {
                    let supported = (*major, *minor) == (1, 1);
                    if version_seen {
                        return Err(self.error("found duplicate %YAML directive", mark));
                    }
                    if !supported {
                        return Err(self.error("found incompatible YAML document", mark));
                    }
                    version_seen = true;
                }
                TokenKind::TagDirective(parts) => {
                    let (handle, prefix) = (parts.handle.clone(), parts.rest.clone());
                    if self.tag_directives.insert(handle, prefix).is_some() {
                        return Err(self.error("found duplicate %TAG directive", mark));
                    }
                }
                _ => break,
            }
            self.scanner.take();
        }
        Ok(())
    }

    fn document_content(&mut self) -> Result<(), ReadError> {
        let token = self.peek()?;
        let mark = token.start;
        if matches!(
            token.kind,
            TokenKind::VersionDirective { .. }
                | TokenKind::TagDirective(_)
                | TokenKind::DocumentStart
                | TokenKind::DocumentEnd
                | TokenKind::StreamEnd
        ) {
            self.pop_state();
            return self.made_empty_scalar(mark);
        }
        self.node(Allowed::Block)
    }

    fn document_end(&mut self) -> Result<(), ReadError> {
        let token = self.peek()?;
        let start = token.start;
        let mut rest = start.offset;
        if matches!(token.kind, TokenKind::DocumentEnd) {
            rest = token.end.offset;
            self.scanner.take();
        }
        self.tag_directives.clear();
        self.state = State::DocumentStart { first: false };
        self.give_comments();
        if self.given.foot.is_empty() {
            self.given.foot = self.given.head.take();
        }
        self.made(EventKind::DocumentEnd { rest }, start)
    }

    fn node(&mut self, allowed: Allowed) -> Result<(), ReadError> {
        let token = self.peek()?;
        let start = token.start;
        if let TokenKind::Alias(name) = token.kind {
            self.pop_state();
            self.give_comments();
            self.scanner.take();
            return self.made(EventKind::Alias(name), start);
        }
        let properties = self.properties()?;
        let token = self.peek()?;
        let mark = token.start;
        let block = allowed != Allowed::Flow;
        let (state, flow) = match &token.kind {
            TokenKind::BlockEntry if allowed == Allowed::BlockOrIndentlessSequence => {
                (State::IndentlessSequenceEntry, false)
            }
            TokenKind::Scalar { .. } => return self.scalar(properties, mark),
            TokenKind::FlowSequenceStart => (State::FlowSequenceEntry { first: true }, true),
            TokenKind::FlowMappingStart => (State::FlowMappingKey { first: true }, true),
            TokenKind::BlockSequenceStart if block => {
                (State::BlockSequenceEntry { first: true }, false)
            }
            TokenKind::BlockMappingStart if block => {
                (State::BlockMappingKey { first: true }, false)
            }
            _ if properties.is_some() => {
                self.pop_state();
                let kind = EventKind::Scalar {
                    properties,
                    value: Value::empty(start.offset),
                    style: ScalarStyle::Plain,
                };
                return self.made(kind, start);
            }
            _ => return Err(self.error("did not find expected node content", mark)),
        };
        self.state = state;
        let kind = match state {
            State::FlowMappingKey { .. } | State::BlockMappingKey { .. } => {
                EventKind::MappingStart { properties, flow }
            }
            _ => EventKind::SequenceStart { properties, flow },
        };
        if flow {
            self.give_comments();
        } else if state != State::IndentlessSequenceEntry && !self.stem.is_empty() {
            let head = self.stem.take();
            self.give_head(head);
        }
        self.made(kind, mark)
    }

    fn scalar(&mut self, properties: Written, start: Mark) -> Result<(), ReadError> {
        self.pop_state();
        self.give_comments();
        let Some((value, style)) = self.scanner.take_scalar() else {
            return self.made_empty_scalar(start);
        };
        let kind = EventKind::Scalar {
            properties,
            value,
            style,
        };
        self.made(kind, start)
    }

    /// An anchor and a tag, in either order, each at most once.
    #[inline]
    fn properties(&mut self) -> Result<Written, ReadError> {
        if matches!(self.peek()?.kind, TokenKind::Anchor(_) | TokenKind::Tag(_)) {
            return self.written_properties();
        }
        Ok(None)
    }

    fn written_properties(&mut self) -> Result<Written, ReadError> {
        let mut properties = Box::<Properties>::default();
        properties.line = self.peek()?.start.line;
        let mut tag_seen = false;
        loop {
            let token = self.peek()?;
            let mark = token.start;
            match &token.kind {
                TokenKind::Anchor(name) if properties.anchor.is_none() => {
                    properties.anchor = Some(*name);
                    self.scanner.take();
                }
                TokenKind::Tag(_) if !tag_seen => {
                    tag_seen = true;
                    let Some(TokenKind::Tag(parts)) = self.scanner.take().map(|token| token.kind)
                    else {
                        return Ok(Some(properties));
                    };
                    // The token behind a tag is looked at before the tag is.
                    self.peek()?;
                    properties.tag = self.resolve_tag(*parts, mark)?;
                }
                _ => return Ok(Some(properties)),
            }
        }
    }

    fn resolve_tag(&self, parts: TagParts, mark: Mark) -> Result<Vec<u8>, ReadError> {
        let TagParts { handle, rest } = parts;
        if handle.is_empty() {
            return Ok(rest);
        }
        let implied: Option<&[u8]> = match handle.as_slice() {
            b"!" => Some(b"!"),
            b"!!" => Some(b"tag:yaml.org,2002:"),
            _ => None,
        };
        let directive = self.tag_directives.get(&handle).map(Vec::as_slice);
        let Some(prefix) = directive.or(implied) else {
            return Err(self.error("found undefined tag handle", mark));
        };
        let tag = [prefix, &rest].concat();
        if tag.is_empty() {
            return Err(self.error("found undefined tag handle", mark));
        }
        Ok(tag)
    }

    fn block_sequence_entry(&mut self, first: bool) -> Result<(), ReadError> {
        if first {
            self.peek()?;
            self.scanner.take();
        }
        let token = self.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            TokenKind::BlockEntry => {
                self.take_entry()?;
                let next = &self.peek()?.kind;
                if matches!(next, TokenKind::BlockEntry | TokenKind::BlockEnd) {
                    self.state = State::BlockSequenceEntry { first: false };
                    return self.made_empty_scalar(end);
                }
                self.states.push(State::BlockSequenceEntry { first: false });
                self.node(Allowed::Block)
            }
            TokenKind::BlockEnd => {
                self.pop_state();
                self.scanner.take();
                self.made(EventKind::SequenceEnd, start)
            }
            _ => Err(self.error("did not find expected '-' indicator", start)),
        }
    }

    fn indentless_sequence_entry(&mut self) -> Result<(), ReadError> {
        let token = self.peek()?;
        let (start, end) = (token.start, token.end);
        if !matches!(token.kind, TokenKind::BlockEntry) {
            self.pop_state();
            return self.made(EventKind::SequenceEnd, start);
        }
        self.take_entry()?;
        let next = &self.peek()?.kind;
        if matches!(
            next,
            TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd
        ) {
            self.state = State::IndentlessSequenceEntry;
            return self.made_empty_scalar(end);
        }
        self.states.push(State::IndentlessSequenceEntry);
        self.node(Allowed::Block)
    }

    /// Takes a `-`. If a block collection follows, the head comment so far is the collection's, not its first entry's.
    fn take_entry(&mut self) -> Result<(), ReadError> {
        let source = self.text();
        let length = self.pending.head.text(source).len();
        let end = self.pending.head.end;
        self.scanner.take();
        if length == 0 {
            return Ok(());
        }
        let next = &self.peek()?.kind;
        if !matches!(
            next,
            TokenKind::BlockSequenceStart | TokenKind::BlockMappingStart
        ) {
            return Ok(());
        }
        let head = &mut self.pending.head;
        if head.text(source).len() == length {
            self.stem = head.take();
            return Ok(());
        }
        let text = head.text_mut(source);
        let rest = text.split_off(length + 1);
        text.truncate(length);
        let later = Comment {
            start: end,
            end: head.end,
            text: Some(rest),
        };
        self.stem = std::mem::replace(head, later);
        self.stem.end = end;
        Ok(())
    }

    fn block_mapping_key(&mut self, first: bool) -> Result<(), ReadError> {
        if first {
            self.peek()?;
            self.scanner.take();
        }
        let token = self.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            TokenKind::Key => {
                self.scanner.take();
                self.key_or_value(State::BlockMappingValue, end)
            }
            TokenKind::BlockEnd => {
                self.pop_state();
                self.give_comments();
                self.scanner.take();
                self.made(EventKind::MappingEnd, start)
            }
            _ => Err(self.error("did not find expected key", start)),
        }
    }

    fn block_mapping_value(&mut self) -> Result<(), ReadError> {
        let token = self.peek()?;
        let (start, end) = (token.start, token.end);
        if matches!(token.kind, TokenKind::Value) {
            self.scanner.take();
            return self.key_or_value(State::BlockMappingKey { first: false }, end);
        }
        self.state = State::BlockMappingKey { first: false };
        self.made_empty_scalar(start)
    }

    /// What is behind a `?` or `:` in a block mapping.
    fn key_or_value(&mut self, then: State, indicator_end: Mark) -> Result<(), ReadError> {
        let next = &self.peek()?.kind;
        if matches!(
            next,
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd
        ) {
            self.state = then;
            return self.made_empty_scalar(indicator_end);
        }
        self.states.push(then);
        self.node(Allowed::BlockOrIndentlessSequence)
    }

    fn flow_sequence_entry(&mut self, first: bool) -> Result<(), ReadError> {
        if first {
            self.peek()?;
            self.scanner.take();
        }
        if !matches!(self.peek()?.kind, TokenKind::FlowSequenceEnd) {
            if !first {
                self.take_comma("did not find expected ',' or ']'")?;
            }
            let token = self.peek()?;
            let start = token.start;
            match token.kind {
                TokenKind::Key => {
                    self.scanner.take();
                    self.state = State::PairKey;
                    let properties = None;
                    let flow = true;
                    return self.made(EventKind::MappingStart { properties, flow }, start);
                }
                TokenKind::FlowSequenceEnd => {}
                _ => {
                    self.states.push(State::FlowSequenceEntry { first: false });
                    return self.node(Allowed::Flow);
                }
            }
        }
        self.end_flow(EventKind::SequenceEnd)
    }

    fn take_comma(&mut self, problem: &'static str) -> Result<(), ReadError> {
        let token = self.peek()?;
        let start = token.start;
        if !matches!(token.kind, TokenKind::FlowEntry) {
            return Err(self.error(problem, start));
        }
        self.scanner.take();
        Ok(())
    }

    fn end_flow(&mut self, kind: EventKind) -> Result<(), ReadError> {
        let start = self.peek()?.start;
        self.pop_state();
        self.give_comments();
        self.scanner.take();
        self.made(kind, start)
    }

    fn pair_key(&mut self) -> Result<(), ReadError> {
        let token = self.peek()?;
        let end = token.end;
        if matches!(
            token.kind,
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd
        ) {
            // The token is lost: `[? : a]` is a mistake to this parser.
            self.scanner.take();
            self.state = State::PairValue;
            return self.made_empty_scalar(end);
        }
        self.states.push(State::PairValue);
        self.node(Allowed::Flow)
    }

    fn pair_value(&mut self) -> Result<(), ReadError> {
        let token = self.peek()?;
        let start = token.start;
        if matches!(token.kind, TokenKind::Value) {
            self.scanner.take();
            let next = &self.peek()?.kind;
            if !matches!(next, TokenKind::FlowEntry | TokenKind::FlowSequenceEnd) {
                self.states.push(State::PairEnd);
                return self.node(Allowed::Flow);
            }
        }
        self.state = State::PairEnd;
        self.made_empty_scalar(start)
    }

    fn flow_mapping_key(&mut self, first: bool) -> Result<(), ReadError> {
        if first {
            self.peek()?;
            self.scanner.take();
        }
        if !matches!(self.peek()?.kind, TokenKind::FlowMappingEnd) {
            if !first {
                self.take_comma("did not find expected ',' or '}'")?;
            }
            match self.peek()?.kind {
                TokenKind::Key => {
                    self.scanner.take();
                    let token = self.peek()?;
                    let start = token.start;
                    if matches!(
                        token.kind,
                        TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd
                    ) {
                        self.state = State::FlowMappingValue { absent: false };
                        return self.made_empty_scalar(start);
                    }
                    self.states.push(State::FlowMappingValue { absent: false });
                    return self.node(Allowed::Flow);
                }
                TokenKind::FlowMappingEnd => {}
                _ => {
                    self.states.push(State::FlowMappingValue { absent: true });
                    return self.node(Allowed::Flow);
                }
            }
        }
        self.end_flow(EventKind::MappingEnd)
    }

    fn flow_mapping_value(&mut self, absent: bool) -> Result<(), ReadError> {
        let token = self.peek()?;
        let mut start = token.start;
        if !absent && matches!(token.kind, TokenKind::Value) {
            self.scanner.take();
            let next = self.peek()?;
            start = next.start;
            if !matches!(next.kind, TokenKind::FlowEntry | TokenKind::FlowMappingEnd) {
                self.states.push(State::FlowMappingKey { first: false });
                return self.node(Allowed::Flow);
            }
        }
        self.state = State::FlowMappingKey { first: false };
        self.made_empty_scalar(start)
    }
}
