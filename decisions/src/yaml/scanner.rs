//! Text to tokens.
//!
//! Tokens wait in a queue: whether `a` is a key is only known at the `:` behind it, and comments need two tokens of look-ahead to find
//! what they belong to. Nothing is scanned before it is asked for, so an error far behind the first document stays unseen.

use std::collections::VecDeque;

use super::ReadError;
use super::comments::FoundComment;
use super::cursor::{Cursor, Mark};
use super::text::Source;
use super::token::{ScalarStyle, Token, TokenKind, Value};

/// How deep flow collections, and how deep block collections, may nest.
const MAX_DEPTH: usize = 10_000;
/// How far before its `:` a key without `?` may start, in characters.
const MAX_KEY_LENGTH: u32 = 1024;

/// A place where a key without `?` may have started, one for each flow level.
#[derive(Clone, Copy, Debug, Default)]
struct SimpleKey {
    possible: bool,
    /// A key must be here: the line starts at the indentation of the block.
    required: bool,
    /// Whether the queue waits for the decision before it hands this token out.
    awaited: bool,
    token_number: usize,
    mark: Mark,
}

#[derive(Debug)]
pub(super) struct Scanner<'t> {
    pub(super) cursor: Cursor<'t>,
    pub(super) tokens: VecDeque<Token>,
    tokens_taken: usize,
    token_ready: bool,
    started: bool,
    /// The column of the current block, -1 outside.
    pub(super) indent: i32,
    indents: Vec<i32>,
    pub(super) flow_level: usize,
    pub(super) simple_key_allowed: bool,
    simple_keys: Vec<SimpleKey>,
    /// The comments found that no token has taken yet, in order.
    pub(super) comments: VecDeque<FoundComment>,
    /// Start and end of all comments found, in order.
    pub(super) comments_met: Vec<(u32, u32)>,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(source: &'t Source<'_>) -> Self {
        Self {
            cursor: Cursor::new(source),
            // As much of each as most documents need: growing costs more than what is never used.
            tokens: VecDeque::with_capacity(16),
            tokens_taken: 0,
            token_ready: false,
            started: false,
            indent: -1,
            indents: Vec::with_capacity(16),
            flow_level: 0,
            simple_key_allowed: true,
            simple_keys: vec![SimpleKey::default()],
            comments: VecDeque::new(),
            comments_met: Vec::with_capacity((source.text.len() / 64).min(64)),
        }
    }

    /// Whether the next token is there already.
    #[inline]
    pub(super) fn is_ready(&self) -> bool {
        self.token_ready
    }

    /// Has the next token ready.
    pub(super) fn make_ready(&mut self) -> Result<(), ReadError> {
        while self.tokens.len() <= 2 || self.front_may_be_key()? {
            self.fetch()?;
        }
        self.token_ready = true;
        Ok(())
    }

    /// The next token, once it is ready; it stays in the queue.
    #[inline]
    pub(super) fn front(&self) -> Result<&Token, ReadError> {
        self.tokens
            .front()
            .ok_or_else(|| self.error("unexpected end of the text"))
    }

    /// Takes the token that was peeked at.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Token> {
        self.token_ready = false;
        self.tokens_taken += 1;
        self.tokens.pop_front()
    }

    /// Takes the token that was peeked at; its value and style if it is a scalar.
    pub(super) fn take_scalar(&mut self) -> Option<(Value, ScalarStyle)> {
        let token = self.tokens.front_mut().map(|token| &mut token.kind);
        let taken = match token {
            Some(TokenKind::Scalar { value, style }) => {
                Some((std::mem::replace(value, Value::empty(0)), *style))
            }
            _ => None,
        };
        self.take();
        taken
    }

    /// The current block's column, 0 outside.
    pub(super) fn indent_or_zero(&self) -> u32 {
        self.indent.max(0).unsigned_abs()
    }

    /// Makes the next characters available.
    #[inline]
    pub(super) fn need(&mut self, characters: usize) -> Result<(), ReadError> {
        if self.cursor.look(characters) {
            return Ok(());
        }
        self.check_readable()
    }

    /// Fails if the reader came to something that it can't decode.
    pub(super) fn check_readable(&self) -> Result<(), ReadError> {
        self.cursor
            .failure
            .map_or(Ok(()), |problem| Err(self.error(problem)))
    }

    #[cold]
    pub(super) fn error(&self, problem: &'static str) -> ReadError {
        self.error_at(problem, self.cursor.mark)
    }

    #[cold]
    pub(super) fn error_at(&self, problem: &'static str, mark: Mark) -> ReadError {
        ReadError::malformed(problem, mark.line as usize + 1)
    }

    /// Whether the token at the front may turn out to start a key.
    fn front_may_be_key(&mut self) -> Result<bool, ReadError> {
        let number = self.tokens_taken;
        let from = self
            .simple_keys
            .partition_point(|key| key.token_number < number);
        let found = self.simple_keys[from..]
            .iter()
            .take_while(|key| key.token_number == number)
            .position(|key| key.awaited);
        match found {
            Some(position) => self.is_key_still_possible(from + position),
            None => Ok(false),
        }
    }

    fn is_key_still_possible(&mut self, level: usize) -> Result<bool, ReadError> {
        let key = self.simple_keys[level];
        if !key.possible {
            return Ok(false);
        }
        let here = self.cursor.mark;
        if key.mark.line < here.line || key.mark.column + MAX_KEY_LENGTH < here.column {
            if key.required {
                return Err(self.error_at("could not find expected ':'", key.mark));
            }
            self.simple_keys[level].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    /// Adds at least one token to the queue.
    fn fetch(&mut self) -> Result<(), ReadError> {
        self.need(1)?;
        if !self.started {
            self.started = true;
            let mark = self.cursor.mark;
            self.push(TokenKind::StreamStart, mark);
            return Ok(());
        }
        let scan_start = self.cursor.mark;
        self.skip_to_token(scan_start)?;
        self.close_blocks(self.cursor.mark.column as i32, scan_start);
        self.need(4)?;
        if self.cursor.at_end() {
            return self.fetch_end();
        }
        if self.cursor.mark.column == 0 && self.cursor.byte(0) == b'%' {
            return self.fetch_directive();
        }
        if self.cursor.at_document_indicator() {
            return self.fetch_document_indicator();
        }
        let mut comment_owner = self.cursor.mark.offset;
        let follows_key = self.flow_level == 0 && self.cursor.byte(0) == b':';
        let follows_item = self.flow_level > 0 && self.cursor.byte(0) == b',';
        if let Some(newest) = self.tokens.back()
            && (follows_key || follows_item)
        {
            comment_owner = newest.start.offset;
        }
        self.fetch_content()?;
        if !matches!(
            self.tokens.back().map(|token| &token.kind),
            Some(TokenKind::BlockEntry)
        ) {
            self.scan_line_comment(comment_owner)?;
        }
        Ok(())
    }

    fn fetch_content(&mut self) -> Result<(), ReadError> {
        let byte = self.cursor.byte(0);
        let in_flow = self.flow_level > 0;
        let spaced = self.cursor.is_space_or_end(1);
        match byte {
            b'[' => self.open_flow(TokenKind::FlowSequenceStart),
            b'{' => self.open_flow(TokenKind::FlowMappingStart),
            b']' => self.close_flow(TokenKind::FlowSequenceEnd),
            b'}' => self.close_flow(TokenKind::FlowMappingEnd),
            b',' => {
                self.drop_simple_key()?;
                self.simple_key_allowed = true;
                self.push_indicator(TokenKind::FlowEntry);
                Ok(())
            }
            b'-' if spaced => self.fetch_block_entry(),
            b'?' if in_flow || spaced => self.fetch_key(),
            b':' if in_flow || spaced => self.fetch_value(),
            b'*' | b'&' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                self.scan_anchor()
            }
            b'!' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                self.scan_tag()
            }
            b'|' | b'>' if !in_flow => {
                self.drop_simple_key()?;
                self.simple_key_allowed = true;
                self.scan_block_scalar()
            }
            b'\'' | b'"' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                self.scan_quoted_scalar()
            }
            b'#' | b'|' | b'>' | b'%' | b'@' | b'`' | b' ' | b'\t' => {
                Err(self.error("found character that cannot start any token"))
            }
            _ if self.cursor.is_break(0) => {
                Err(self.error("found character that cannot start any token"))
            }
            _ => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                self.scan_plain_scalar()
            }
        }
    }

    /// Moves over blanks, line breaks and comments.
    fn skip_to_token(&mut self, scan_start: Mark) -> Result<(), ReadError> {
        loop {
            self.need(1)?;
            if self.cursor.mark.column == 0 && self.cursor.buffer_starts_with_mark() {
                // The mark is looked for at the start of the buffer, not here: any character is lost.
                self.cursor.advance();
            }
            self.need(1)?;
            if !self.cursor.skip_spaces(u32::MAX) {
                return self.check_readable();
            }
            while self.cursor.byte(0) == b' '
                || self.cursor.byte(0) == b'\t' && (self.flow_level > 0 || !self.simple_key_allowed)
            {
                self.cursor.advance();
                self.need(1)?;
            }
            self.lift_comment_of_entry();
            if self.cursor.byte(0) == b'#' {
                self.scan_comment_block(scan_start)?;
            }
            if !self.cursor.is_break(0) {
                return Ok(());
            }
            self.need(2)?;
            self.cursor.take_break();
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }

    pub(super) fn push(&mut self, kind: TokenKind, start: Mark) {
        let end = self.cursor.mark;
        self.tokens.push_back(Token::new(kind, start, end));
    }

    /// Adds the token of the one character here.
    fn push_indicator(&mut self, kind: TokenKind) {
        let start = self.cursor.mark;
        self.cursor.advance();
        self.push(kind, start);
    }

    /// Adds a token before the one with this number, or at the end if that one is gone.
    fn insert(&mut self, kind: TokenKind, number: usize, mark: Mark) {
        let token = Token::new(kind, mark, mark);
        match number.checked_sub(self.tokens_taken) {
            Some(position) if position <= self.tokens.len() => self.tokens.insert(position, token),
            _ => self.tokens.push_back(token),
        }
    }

    fn next_token_number(&self) -> usize {
        self.tokens_taken + self.tokens.len()
    }

    fn save_simple_key(&mut self) -> Result<(), ReadError> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        let mark = self.cursor.mark;
        let required = self.flow_level == 0 && self.indent == mark.column as i32;
        self.drop_simple_key()?;
        let token_number = self.next_token_number();
        if let Some(key) = self.simple_keys.last_mut() {
            *key = SimpleKey {
                possible: true,
                required,
                awaited: true,
                token_number,
                mark,
            };
        }
        Ok(())
    }

    fn drop_simple_key(&mut self) -> Result<(), ReadError> {
        let Some(key) = self.simple_keys.last_mut() else {
            return Ok(());
        };
        if !key.possible {
            return Ok(());
        }
        let mark = key.mark;
        let required = key.required;
        if required {
            return Err(self.error_at("could not find expected ':'", mark));
        }
        key.possible = false;
        key.awaited = false;
        Ok(())
    }

    fn open_flow(&mut self, kind: TokenKind) -> Result<(), ReadError> {
        self.save_simple_key()?;
        let mark = self.cursor.mark;
        self.simple_keys.push(SimpleKey {
            token_number: self.next_token_number(),
            mark,
            ..SimpleKey::default()
        });
        self.flow_level += 1;
        if self.flow_level > MAX_DEPTH {
            return Err(self.error_at("exceeded max depth of 10000", mark));
        }
        self.simple_key_allowed = true;
        self.push_indicator(kind);
        Ok(())
    }

    fn close_flow(&mut self, kind: TokenKind) -> Result<(), ReadError> {
        self.drop_simple_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            let closed = self.simple_keys.pop().map(|key| key.token_number);
            // An empty collection takes its own opening bracket off the list of tokens to wait for.
            if let Some(outer) = self.simple_keys.last_mut()
                && Some(outer.token_number) == closed
            {
                outer.awaited = false;
            }
        }
        self.simple_key_allowed = false;
        self.push_indicator(kind);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), ReadError> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return Err(self.error("block sequence entries are not allowed in this context"));
            }
            self.open_block(TokenKind::BlockSequenceStart)?;
        }
        self.drop_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(TokenKind::BlockEntry);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), ReadError> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return Err(self.error("mapping keys are not allowed in this context"));
            }
            self.open_block(TokenKind::BlockMappingStart)?;
        }
        self.drop_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.push_indicator(TokenKind::Key);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), ReadError> {
        let level = self.simple_keys.len() - 1;
        if self.is_key_still_possible(level)? {
            let key = self.simple_keys[level];
            self.insert(TokenKind::Key, key.token_number, key.mark);
            let column = key.mark.column as i32;
            if self.enter_block(column)? {
                self.insert(TokenKind::BlockMappingStart, key.token_number, key.mark);
            }
            self.simple_keys[level].possible = false;
            self.simple_keys[level].awaited = false;
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.simple_key_allowed {
                    return Err(self.error("mapping values are not allowed in this context"));
                }
                self.open_block(TokenKind::BlockMappingStart)?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.push_indicator(TokenKind::Value);
        Ok(())
    }

    /// Starts a block collection at the cursor, if it is deeper than the current one.
    fn open_block(&mut self, kind: TokenKind) -> Result<(), ReadError> {
        let mark = self.cursor.mark;
        if self.enter_block(mark.column as i32)? {
            self.push(kind, mark);
        }
        Ok(())
    }

    fn enter_block(&mut self, column: i32) -> Result<bool, ReadError> {
        if self.flow_level > 0 || self.indent >= column {
            return Ok(false);
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_DEPTH {
            return Err(self.error("exceeded max depth of 10000"));
        }
        Ok(true)
    }

    /// Ends the block collections that are deeper than `column`. Each end is put before the comments that
    /// stand at the collection's own column, so that they go to what is around it.
    pub(super) fn close_blocks(&mut self, column: i32, scan_start: Mark) {
        if self.flow_level > 0 || self.indent <= column {
            return;
        }
        let right_above = self.comments_right_above(scan_start);
        let mut mark = scan_start;
        // One less than the offset where the scan began: comments found by this scan are at or after it.
        let mut offset = scan_start.offset as i64 - 1;
        while self.indent > column {
            let column_from_1 = self.indent_or_zero() + 1;
            if let Ok(found) = right_above.binary_search_by_key(&column_from_1, |of| of.0) {
                mark = right_above[found].1;
                offset = mark.offset as i64;
            }
            let start = Mark {
                offset: offset.max(0) as u32,
                ..mark
            };
            self.tokens
                .push_back(Token::new(TokenKind::BlockEnd, start, mark));
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    /// For each column with comments in the unbroken row of comments that ends here: the column, from 1, and where the first of
    /// them starts. In order of the columns.
    fn comments_right_above(&self, scan_start: Mark) -> Vec<(u32, Mark)> {
        let mut first_of: Vec<(u32, Mark)> = Vec::new();
        let mut stop = scan_start.offset as i64 - 1;
        for found in self.comments.iter().rev() {
            let Some((scanned_from, scanned_to)) = found.scanned else {
                break;
            };
            if (scanned_to as i64) < stop {
                break;
            }
            let place = Mark {
                offset: found.comment.start,
                line: found.line,
                column: found.column,
            };
            match first_of.binary_search_by_key(&found.column, |of| of.0) {
                Ok(at) => first_of[at].1 = place,
                Err(at) => first_of.insert(at, (found.column, place)),
            }
            stop = scanned_from as i64;
        }
        first_of
    }

    fn fetch_end(&mut self) -> Result<(), ReadError> {
        self.cursor.end_last_line();
        self.close_blocks(-1, self.cursor.mark);
        self.drop_simple_key()?;
        self.simple_key_allowed = false;
        let mark = self.cursor.mark;
        self.push(TokenKind::StreamEnd, mark);
        Ok(())
    }

    fn fetch_directive(&mut self) -> Result<(), ReadError> {
        self.close_blocks(-1, self.cursor.mark);
        self.drop_simple_key()?;
        self.simple_key_allowed = false;
        self.scan_directive()
    }

    fn fetch_document_indicator(&mut self) -> Result<(), ReadError> {
        self.close_blocks(-1, self.cursor.mark);
        self.drop_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark;
        let kind = if self.cursor.byte(0) == b'-' {
            TokenKind::DocumentStart
        } else {
            TokenKind::DocumentEnd
        };
        self.cursor.advance_by(3);
        self.push(kind, start);
        Ok(())
    }
}
