//! Tokens to events: where collections start and end, and which comments each event takes.

use std::borrow::Cow;

use super::ReadError;
use super::comments::{Comment, CommentKind};
use super::cursor::Mark;
use super::scanner::Scanner;
use super::text::CheckedText;
use super::token::{ScalarStyle, Token, TokenKind};

/// The comments that an event takes.
#[derive(Debug, Default)]
pub(super) struct EventComments {
    pub(super) head: Comment,
    pub(super) line: Comment,
    pub(super) foot: Comment,
}

/// Anchor and tag of a node; the tag is in its long form.
#[derive(Debug, Default)]
pub(super) struct Properties<'t> {
    pub(super) anchor: Option<&'t str>,
    pub(super) tag: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum EventKind<'t> {
    StreamEnd,
    DocumentStart,
    DocumentEnd {
        /// Where text starts that isn't read, after the end of the document.
        rest: usize,
    },
    Alias(&'t str),
    Scalar {
        properties: Properties<'t>,
        value: Cow<'t, str>,
        style: ScalarStyle,
    },
    SequenceStart {
        properties: Properties<'t>,
        flow: bool,
    },
    SequenceEnd,
    MappingStart {
        properties: Properties<'t>,
        flow: bool,
    },
    MappingEnd,
}

#[derive(Debug)]
pub(super) struct Event<'t> {
    pub(super) kind: EventKind<'t>,
    pub(super) start: Mark,
    /// Where the node starts behind anchor and tag.
    pub(super) content_start: Mark,
    pub(super) comments: EventComments,
}

impl<'t> Event<'t> {
    fn new(kind: EventKind<'t>, start: Mark) -> Self {
        let comments = EventComments::default();
        Self {
            kind,
            start,
            content_start: start,
            comments,
        }
    }

    fn empty_scalar(mark: Mark) -> Self {
        let kind = EventKind::Scalar {
            properties: Properties::default(),
            value: Cow::Borrowed(""),
            style: ScalarStyle::Plain,
        };
        Self::new(kind, mark)
    }
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
    comments_taken: usize,
    pending: EventComments,
    /// The comment of a collection that starts behind a `-`.
    stem: Comment,
    tag_directives: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'t> Parser<'t> {
    pub(super) fn new(source: &'t CheckedText<'_>) -> Self {
        Self {
            scanner: Scanner::new(source),
            state: State::StreamStart,
            states: Vec::new(),
            comments_taken: 0,
            pending: EventComments::default(),
            stem: Comment::default(),
            tag_directives: Vec::new(),
        }
    }

    /// The next event.
    pub(super) fn next_event(&mut self) -> Result<Event<'t>, ReadError> {
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
                    return Ok(Event::new(EventKind::MappingEnd, mark));
                }
                State::FlowMappingKey { first } => return self.flow_mapping_key(first),
                State::FlowMappingValue { absent } => return self.flow_mapping_value(absent),
                State::End => return Err(self.scanner.error("read past the end of the text")),
            }
        }
    }

    /// The next token; the comments before it become pending.
    fn peek(&mut self) -> Result<&Token<'t>, ReadError> {
        let token = self.scanner.peek()?;
        let start = token.start.offset;
        let ends_block = matches!(token.kind, TokenKind::BlockEnd);
        self.gather_comments(start, ends_block);
        self.scanner.peek()
    }

    fn gather_comments(&mut self, start: usize, ends_block: bool) {
        while let Some(found) = self.scanner.comments.get_mut(self.comments_taken) {
            // What ends a block has no head; the comment waits for the next token.
            if found.belongs_to > start || ends_block && found.kind == CommentKind::Head {
                return;
            }
            let comment = found.comment.take();
            found.scanned_to = None;
            self.comments_taken += 1;
            if comment.is_empty() {
                continue;
            }
            match found.kind {
                CommentKind::Head => self.pending.head.append(comment),
                CommentKind::Line => self.pending.line.append(comment),
                CommentKind::Foot => self.pending.foot.append(comment),
            }
        }
    }

    /// Start and end of all comments met so far.
    pub(super) fn comments_met(&self) -> Vec<(usize, usize)> {
        self.scanner
            .comments
            .iter()
            .map(|found| found.span)
            .collect()
    }

    fn take_comments(&mut self) -> EventComments {
        self.stem.take();
        std::mem::take(&mut self.pending)
    }

    fn pop_state(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    fn error(&self, problem: &'static str, mark: Mark) -> ReadError {
        self.scanner.error_at(problem, mark)
    }

    fn document_start(&mut self, first: bool) -> Result<Event<'t>, ReadError> {
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
                | TokenKind::TagDirective { .. }
                | TokenKind::DocumentStart
        );
        if matches!(token.kind, TokenKind::StreamEnd) {
            self.scanner.take();
            self.state = State::End;
            return Ok(Event::new(EventKind::StreamEnd, start));
        }
        self.directives()?;
        let mut event = Event::new(EventKind::DocumentStart, start);
        self.states.push(State::DocumentEnd);
        if first && !explicit {
            self.state = State::BlockNode;
            event.comments.head = self.split_document_head();
            return Ok(event);
        }
        let token = self.peek()?;
        let mark = token.start;
        if !matches!(token.kind, TokenKind::DocumentStart) {
            return Err(self.error("did not find expected <document start>", mark));
        }
        self.scanner.take();
        self.state = State::DocumentContent;
        Ok(event)
    }

    /// Takes the part before the last empty line off the pending head: it belongs to the document.
    fn split_document_head(&mut self) -> Comment {
        let head = &mut self.pending.head;
        let bytes = head.text.as_bytes();
        let last = bytes.len().saturating_sub(1);
        let split = (1..bytes.len())
            .rev()
            .find(|&at| bytes[at] == b'\n' && (at == last || bytes[at - 1] == b'\n'));
        let Some(at) = split else {
            return Comment::default();
        };
        let end = if at == last { at } else { at - 1 };
        let document = Comment {
            text: head.text[..end].to_owned(),
            ..*head
        };
        head.text.drain(..=at);
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
                TokenKind::TagDirective { handle, prefix } => {
                    let directive = (handle.clone(), prefix.clone());
                    if self.tag_prefix(&directive.0).is_some() {
                        return Err(self.error("found duplicate %TAG directive", mark));
                    }
                    self.tag_directives.push(directive);
                }
                _ => break,
            }
            self.scanner.take();
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if self.tag_prefix(handle.as_bytes()).is_none() {
                self.tag_directives.push((handle.into(), prefix.into()));
            }
        }
        Ok(())
    }

    fn tag_prefix(&self, handle: &[u8]) -> Option<&[u8]> {
        self.tag_directives
            .iter()
            .find(|(known, _)| known == handle)
            .map(|(_, prefix)| prefix.as_slice())
    }

    fn document_content(&mut self) -> Result<Event<'t>, ReadError> {
        let token = self.peek()?;
        let mark = token.start;
        if matches!(
            token.kind,
            TokenKind::VersionDirective { .. }
                | TokenKind::TagDirective { .. }
                | TokenKind::DocumentStart
                | TokenKind::DocumentEnd
                | TokenKind::StreamEnd
        ) {
            self.pop_state();
            return Ok(Event::empty_scalar(mark));
        }
        self.node(Allowed::Block)
    }

    fn document_end(&mut self) -> Result<Event<'t>, ReadError> {
        let token = self.peek()?;
        let start = token.start;
        let mut rest = start.offset;
        if matches!(token.kind, TokenKind::DocumentEnd) {
            rest = token.end.offset;
            self.scanner.take();
        }
        self.tag_directives.clear();
        self.state = State::DocumentStart { first: false };
        let mut event = Event::new(EventKind::DocumentEnd { rest }, start);
        event.comments = self.take_comments();
        if event.comments.foot.is_empty() {
            event.comments.foot = event.comments.head.take();
        }
        Ok(event)
    }

    fn node(&mut self, allowed: Allowed) -> Result<Event<'t>, ReadError> {
        let token = self.peek()?;
        let start = token.start;
        if let TokenKind::Alias(name) = token.kind {
            self.pop_state();
            let mut event = Event::new(EventKind::Alias(name), start);
            event.comments = self.take_comments();
            self.scanner.take();
            return Ok(event);
        }
        let properties = self.properties()?;
        let token = self.peek()?;
        let mark = token.start;
        let block = allowed != Allowed::Flow;
        let (state, flow) = match &token.kind {
            TokenKind::BlockEntry if allowed == Allowed::BlockOrIndentlessSequence => {
                (State::IndentlessSequenceEntry, false)
            }
            TokenKind::Scalar { .. } => {
                let mut event = self.scalar(properties, start);
                event.content_start = mark;
                return Ok(event);
            }
            TokenKind::FlowSequenceStart => (State::FlowSequenceEntry { first: true }, true),
            TokenKind::FlowMappingStart => (State::FlowMappingKey { first: true }, true),
            TokenKind::BlockSequenceStart if block => {
                (State::BlockSequenceEntry { first: true }, false)
            }
            TokenKind::BlockMappingStart if block => {
                (State::BlockMappingKey { first: true }, false)
            }
            _ if properties.anchor.is_some() || !properties.tag.is_empty() => {
                self.pop_state();
                let mut event = Event::empty_scalar(start);
                if let EventKind::Scalar { properties: of, .. } = &mut event.kind {
                    *of = properties;
                }
                return Ok(event);
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
        let mut event = Event::new(kind, start);
        if flow {
            event.comments = self.take_comments();
        } else if state != State::IndentlessSequenceEntry {
            event.comments.head = self.stem.take();
        }
        Ok(event)
    }

    fn scalar(&mut self, properties: Properties<'t>, start: Mark) -> Event<'t> {
        self.pop_state();
        let mut event = Event::empty_scalar(start);
        event.comments = self.take_comments();
        if let Some(Token {
            kind: TokenKind::Scalar { value, style },
            ..
        }) = self.scanner.take()
        {
            event.kind = EventKind::Scalar {
                properties,
                value,
                style,
            };
        }
        event
    }

    /// An anchor and a tag, in either order, each at most once.
    fn properties(&mut self) -> Result<Properties<'t>, ReadError> {
        let mut properties = Properties::default();
        let mut tag_seen = false;
        loop {
            let token = self.peek()?;
            let mark = token.start;
            match &token.kind {
                TokenKind::Anchor(name) if properties.anchor.is_none() => {
                    properties.anchor = Some(name);
                    self.scanner.take();
                }
                TokenKind::Tag { handle, suffix } if !tag_seen => {
                    tag_seen = true;
                    let (handle, suffix) = (handle.clone(), suffix.clone());
                    self.scanner.take();
                    // The token behind a tag is looked at before the tag is.
                    self.peek()?;
                    properties.tag = self.resolve_tag(&handle, &suffix, mark)?;
                }
                _ => return Ok(properties),
            }
        }
    }

    fn resolve_tag(&self, handle: &[u8], suffix: &[u8], mark: Mark) -> Result<Vec<u8>, ReadError> {
        if handle.is_empty() {
            return Ok(suffix.to_vec());
        }
        let Some(prefix) = self.tag_prefix(handle) else {
            return Err(self.error("found undefined tag handle", mark));
        };
        let tag = [prefix, suffix].concat();
        if tag.is_empty() {
            return Err(self.error("found undefined tag handle", mark));
        }
        Ok(tag)
    }

    fn block_sequence_entry(&mut self, first: bool) -> Result<Event<'t>, ReadError> {
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
                    return Ok(Event::empty_scalar(end));
                }
                self.states.push(State::BlockSequenceEntry { first: false });
                self.node(Allowed::Block)
            }
            TokenKind::BlockEnd => {
                self.pop_state();
                self.scanner.take();
                Ok(Event::new(EventKind::SequenceEnd, start))
            }
            _ => Err(self.error("did not find expected '-' indicator", start)),
        }
    }

    fn indentless_sequence_entry(&mut self) -> Result<Event<'t>, ReadError> {
        let token = self.peek()?;
        let (start, end) = (token.start, token.end);
        if !matches!(token.kind, TokenKind::BlockEntry) {
            self.pop_state();
            return Ok(Event::new(EventKind::SequenceEnd, start));
        }
        self.take_entry()?;
        let next = &self.peek()?.kind;
        if matches!(
            next,
            TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd
        ) {
            self.state = State::IndentlessSequenceEntry;
            return Ok(Event::empty_scalar(end));
        }
        self.states.push(State::IndentlessSequenceEntry);
        self.node(Allowed::Block)
    }

    /// Takes a `-`. If a block collection follows, the head comment so far is the collection's, not its first entry's.
    fn take_entry(&mut self) -> Result<(), ReadError> {
        let length = self.pending.head.text.len();
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
        self.stem = Comment {
            text: head.text[..length].to_owned(),
            start: head.start,
            end,
        };
        if head.text.len() == length {
            head.take();
        } else {
            head.text.drain(..=length);
            head.start = end;
        }
        Ok(())
    }

    fn block_mapping_key(&mut self, first: bool) -> Result<Event<'t>, ReadError> {
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
                let mut event = Event::new(EventKind::MappingEnd, start);
                event.comments = self.take_comments();
                self.scanner.take();
                Ok(event)
            }
            _ => Err(self.error("did not find expected key", start)),
        }
    }

    fn block_mapping_value(&mut self) -> Result<Event<'t>, ReadError> {
        let token = self.peek()?;
        let (start, end) = (token.start, token.end);
        if matches!(token.kind, TokenKind::Value) {
            self.scanner.take();
            return self.key_or_value(State::BlockMappingKey { first: false }, end);
        }
        self.state = State::BlockMappingKey { first: false };
        Ok(Event::empty_scalar(start))
    }

    /// What is behind a `?` or `:` in a block mapping.
    fn key_or_value(&mut self, then: State, indicator_end: Mark) -> Result<Event<'t>, ReadError> {
        let next = &self.peek()?.kind;
        if matches!(
            next,
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd
        ) {
            self.state = then;
            return Ok(Event::empty_scalar(indicator_end));
        }
        self.states.push(then);
        self.node(Allowed::BlockOrIndentlessSequence)
    }

    fn flow_sequence_entry(&mut self, first: bool) -> Result<Event<'t>, ReadError> {
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
                    let properties = Properties::default();
                    let flow = true;
                    return Ok(Event::new(
                        EventKind::MappingStart { properties, flow },
                        start,
                    ));
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

    fn end_flow(&mut self, kind: EventKind<'t>) -> Result<Event<'t>, ReadError> {
        let start = self.peek()?.start;
        self.pop_state();
        let mut event = Event::new(kind, start);
        event.comments = self.take_comments();
        self.scanner.take();
        Ok(event)
    }

    fn pair_key(&mut self) -> Result<Event<'t>, ReadError> {
        let token = self.peek()?;
        let end = token.end;
        if matches!(
            token.kind,
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd
        ) {
            // The token is lost: `[? : a]` is a mistake to this parser.
            self.scanner.take();
            self.state = State::PairValue;
            return Ok(Event::empty_scalar(end));
        }
        self.states.push(State::PairValue);
        self.node(Allowed::Flow)
    }

    fn pair_value(&mut self) -> Result<Event<'t>, ReadError> {
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
        Ok(Event::empty_scalar(start))
    }

    fn flow_mapping_key(&mut self, first: bool) -> Result<Event<'t>, ReadError> {
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
                        return Ok(Event::empty_scalar(start));
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

    fn flow_mapping_value(&mut self, absent: bool) -> Result<Event<'t>, ReadError> {
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
        Ok(Event::empty_scalar(start))
    }
}
