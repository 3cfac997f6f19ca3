//! Tokens of scalars: plain, quoted and block.

use super::ReadError;
use super::characters::is_blank;
use super::cursor::{Cursor, Mark};
use super::scanner::Scanner;
use super::token::{ScalarStyle, TokenKind, Value};

/// Bytes at which the fast way through a text stops: blanks, breaks, what may start one, and those given.
const fn stops(others: &[u8]) -> [bool; 256] {
    let mut stops = [false; 256];
    let always = [b' ', b'\t', b'\n', b'\r', 0xC2, 0xE2];
    let mut at = 0;
    while at < always.len() {
        stops[always[at] as usize] = true;
        at += 1;
    }
    at = 0;
    while at < others.len() {
        stops[others[at] as usize] = true;
        at += 1;
    }
    stops
}

const ENDS_OF_BLOCK_WORDS: [bool; 256] = stops(b":");
const ENDS_OF_FLOW_WORDS: [bool; 256] = stops(b":,?[]{}");
const ENDS_OF_QUOTED_WORDS: [bool; 256] = stops(b"\"'\\");

/// A value being read.
struct Reading {
    value: Option<Value>,
}

impl Reading {
    fn new() -> Self {
        Self { value: None }
    }

    /// Adds the text from `start` to `end`.
    fn push_text(&mut self, cursor: &Cursor<'_>, start: u32, end: u32) {
        match &mut self.value {
            None => self.value = Some(Value::Piece { start, end }),
            Some(Value::Piece { end: to, .. }) if *to == start => *to = end,
            _ => self.push_str(cursor, cursor.slice(start, end)),
        }
    }

    fn push_str(&mut self, cursor: &Cursor<'_>, text: &str) {
        if text.is_empty() {
            return;
        }
        match &mut self.value {
            Some(Value::Built(value)) => value.push_str(text),
            Some(Value::Piece { start, end }) => {
                self.value = Some(Value::Built([cursor.slice(*start, *end), text].concat()));
            }
            None => self.value = Some(Value::Built(text.to_owned())),
        }
    }

    /// The value; an empty one stands at `start`.
    fn finish(self, start: u32) -> Value {
        self.value.unwrap_or(Value::empty(start))
    }
}

/// What was passed over between two words of a plain or quoted scalar.
#[derive(Default)]
struct Gap {
    /// There was a line break; the blanks around it don't count.
    broken: bool,
    /// Where blanks on one line start and end.
    blanks: Option<(u32, u32)>,
    first_break: &'static str,
    more_breaks: String,
}

impl Gap {
    fn take_into(&mut self, value: &mut Reading, cursor: &Cursor<'_>) {
        if !self.broken {
            if let Some((start, end)) = self.blanks.take() {
                value.push_text(cursor, start, end);
            }
            return;
        }
        self.blanks = None;
        if self.first_break == "\n" {
            if self.more_breaks.is_empty() {
                value.push_str(cursor, " ");
            }
        } else {
            value.push_str(cursor, self.first_break);
        }
        value.push_str(cursor, &self.more_breaks);
        self.first_break = "";
        self.more_breaks.clear();
    }

    /// Moves over one blank.
    fn pass_blank(&mut self, cursor: &mut Cursor<'_>) {
        let start = cursor.mark.offset;
        cursor.advance();
        if !self.broken {
            let from = self.blanks.map_or(start, |(from, _)| from);
            self.blanks = Some((from, cursor.mark.offset));
        }
    }

    /// Moves over one line break.
    fn pass_break(&mut self, cursor: &mut Cursor<'_>) {
        let text = cursor.take_break();
        if self.broken {
            self.more_breaks.push_str(text);
        } else {
            self.blanks = None;
            self.broken = true;
            self.first_break = text;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

fn style_of_quote(quote: u8) -> ScalarStyle {
    match quote {
        b'"' => ScalarStyle::DoubleQuoted,
        _ => ScalarStyle::SingleQuoted,
    }
}

impl Scanner<'_> {
    /// A scalar without quotes.
    pub(super) fn scan_plain_scalar(&mut self) -> Result<(), ReadError> {
        let start = self.cursor.mark;
        let mut end = start;
        let indent = self.indent + 1;
        let mut value = Reading::new();
        let mut gap = Gap::default();
        let in_flow = self.flow_level > 0;
        let stops = if in_flow {
            &ENDS_OF_FLOW_WORDS
        } else {
            &ENDS_OF_BLOCK_WORDS
        };
        loop {
            self.need(4)?;
            if self.cursor.byte(0) == b'#' || self.cursor.at_document_indicator() {
                break;
            }
            let from = self.cursor.mark.offset;
            loop {
                self.cursor.skip_run(stops);
                if self.cursor.is_space_or_end(0) || self.ends_plain_scalar() {
                    break;
                }
                self.cursor.advance();
                self.need(2)?;
            }
            if self.cursor.mark.offset > from {
                gap.take_into(&mut value, &self.cursor);
                gap.broken = false;
                value.push_text(&self.cursor, from, self.cursor.mark.offset);
                end = self.cursor.mark;
            }
            if !is_blank(self.cursor.byte(0)) && !self.cursor.is_break(0) {
                break;
            }
            self.need(1)?;
            loop {
                if is_blank(self.cursor.byte(0)) {
                    let indented = self.cursor.mark.column as i32 >= indent;
                    if gap.broken && !indented && self.cursor.byte(0) == b'\t' {
                        return Err(
                            self.error_at("found a tab character that violates indentation", start)
                        );
                    }
                    gap.pass_blank(&mut self.cursor);
                } else if self.cursor.is_break(0) {
                    self.need(2)?;
                    gap.pass_break(&mut self.cursor);
                } else {
                    break;
                }
                self.need(1)?;
            }
            if !in_flow && (self.cursor.mark.column as i32) < indent {
                break;
            }
        }
        if gap.broken {
            self.simple_key_allowed = true;
        }
        let value = value.finish(start.offset);
        self.push_scalar(value, ScalarStyle::Plain, start, end);
        Ok(())
    }

    #[inline]
    fn ends_plain_scalar(&self) -> bool {
        match self.cursor.byte(0) {
            b':' => self.cursor.is_space_or_end(1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow_level > 0,
            _ => false,
        }
    }

    fn push_scalar(&mut self, value: Value, style: ScalarStyle, start: Mark, end: Mark) {
        self.push(TokenKind::Scalar { value, style }, start);
        if let Some(token) = self.tokens.back_mut() {
            token.end = end;
        }
    }

    /// A scalar between `'` or `"`.
    pub(super) fn scan_quoted_scalar(&mut self) -> Result<(), ReadError> {
        let start = self.cursor.mark;
        let quote = self.cursor.byte(0);
        let is_double = quote == b'"';
        self.cursor.advance();
        let content = self.cursor.mark.offset;
        if let Some(end) = self.cursor.end_of_plain_quote(quote) {
            self.cursor.advance();
            let value = Value::Piece {
                start: content,
                end,
            };
            self.push_scalar(value, style_of_quote(quote), start, self.cursor.mark);
            return Ok(());
        }
        let mut value = Reading::new();
        loop {
            self.need(4)?;
            if self.cursor.at_document_indicator() {
                return Err(self.error_at("found unexpected document indicator", start));
            }
            if self.cursor.at_end() {
                return Err(self.error_at("found unexpected end of stream", start));
            }
            let mut gap = Gap::default();
            loop {
                let from = self.cursor.mark.offset;
                self.cursor.skip_run(&ENDS_OF_QUOTED_WORDS);
                if self.cursor.mark.offset > from {
                    value.push_text(&self.cursor, from, self.cursor.mark.offset);
                }
                if self.cursor.is_space_or_end(0) {
                    break;
                }
                let from = self.cursor.mark.offset;
                if self.cursor.byte(0) == quote {
                    if is_double || self.cursor.byte(1) != quote {
                        break;
                    }
                    self.cursor.advance_by(2);
                    value.push_str(&self.cursor, "'");
                } else if is_double && self.cursor.byte(0) == b'\\' {
                    if self.cursor.is_break(1) {
                        self.need(3)?;
                        self.cursor.advance();
                        self.cursor.take_break();
                        gap.broken = true;
                        break;
                    }
                    let character = self.scan_escape(start)?;
                    value.push_str(&self.cursor, character.encode_utf8(&mut [0; 4]));
                } else {
                    self.cursor.advance();
                    value.push_text(&self.cursor, from, self.cursor.mark.offset);
                }
                self.need(2)?;
            }
            self.need(1)?;
            if self.cursor.byte(0) == quote {
                break;
            }
            loop {
                if is_blank(self.cursor.byte(0)) {
                    gap.pass_blank(&mut self.cursor);
                } else if self.cursor.is_break(0) {
                    self.need(2)?;
                    gap.pass_break(&mut self.cursor);
                } else {
                    break;
                }
                self.need(1)?;
            }
            if gap.broken && gap.first_break.is_empty() {
                // After an escaped break nothing is folded.
                value.push_str(&self.cursor, &gap.more_breaks);
            } else {
                gap.take_into(&mut value, &self.cursor);
            }
        }
        self.cursor.advance();
        let value = value.finish(content);
        self.push_scalar(value, style_of_quote(quote), start, self.cursor.mark);
        Ok(())
    }

    /// A `\` sequence of a double-quoted scalar.
    fn scan_escape(&mut self, start: Mark) -> Result<char, ReadError> {
        let digits = match self.cursor.byte(1) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            letter => {
                let Some(character) = escaped_character(letter) else {
                    return Err(self.error_at("found unknown escape character", start));
                };
                self.cursor.advance_by(2);
                return Ok(character);
            }
        };
        self.cursor.advance_by(2);
        self.need(digits)?;
        let Some(code) = self.hexadecimal(0, digits) else {
            return Err(self.error_at("did not find expected hexdecimal number", start));
        };
        let character = u32::try_from(code).ok().and_then(char::from_u32);
        let Some(character) = character else {
            return Err(self.error_at("found invalid Unicode character escape code", start));
        };
        self.cursor.advance_by(digits);
        Ok(character)
    }

    /// A scalar after `|` or `>`.
    pub(super) fn scan_block_scalar(&mut self) -> Result<(), ReadError> {
        let start = self.cursor.mark;
        let literal = self.cursor.byte(0) == b'|';
        self.cursor.advance();
        let (chomping, increment) = self.scan_block_header(start)?;
        let mut end = self.cursor.mark;
        let mut indent = increment.map(|increment| self.indent_or_zero() + increment);
        let mut value = String::new();
        let mut first_break = "";
        let mut more_breaks = String::new();
        self.scan_block_breaks(&mut indent, &mut more_breaks, start, &mut end)?;
        self.need(1)?;
        let mut after_blank_line = false;
        while Some(self.cursor.mark.column) == indent && !self.cursor.at_end() {
            let starts_blank = is_blank(self.cursor.byte(0));
            let folds = !literal && !after_blank_line && !starts_blank && first_break == "\n";
            if !folds {
                value.push_str(first_break);
            } else if more_breaks.is_empty() {
                value.push(' ');
            }
            value.push_str(&more_breaks);
            more_breaks.clear();
            first_break = "";
            after_blank_line = starts_blank;
            let from = self.cursor.mark.offset;
            if !self.cursor.skip_line() {
                self.check_readable()?;
            }
            value.push_str(self.cursor.since(from));
            self.need(2)?;
            if self.cursor.is_break(0) {
                first_break = self.cursor.take_break();
            }
            self.scan_block_breaks(&mut indent, &mut more_breaks, start, &mut end)?;
        }
        if chomping != Chomping::Strip {
            value.push_str(first_break);
        }
        if chomping == Chomping::Keep {
            value.push_str(&more_breaks);
        }
        let style = if literal {
            ScalarStyle::Literal
        } else {
            ScalarStyle::Folded
        };
        value.shrink_to_fit();
        self.push_scalar(Value::Built(value), style, start, end);
        Ok(())
    }

    /// The rest of the line of a `|` or `>`: chomping, indentation, comment.
    fn scan_block_header(&mut self, start: Mark) -> Result<(Chomping, Option<u32>), ReadError> {
        self.need(1)?;
        let mut chomping = self.scan_chomping()?;
        let mut increment = None;
        if self.cursor.byte(0).is_ascii_digit() {
            if self.cursor.byte(0) == b'0' {
                return Err(self.error_at("found an indentation indicator equal to 0", start));
            }
            increment = Some(u32::from(self.cursor.byte(0) - b'0'));
            self.cursor.advance();
            if chomping.is_none() {
                self.need(1)?;
                chomping = self.scan_chomping()?;
            }
        }
        if !self.cursor.skip_blanks() {
            self.check_readable()?;
        }
        if self.cursor.byte(0) == b'#' {
            self.scan_line_comment(start.offset)?;
            if !self.cursor.skip_line() {
                self.check_readable()?;
            }
        }
        if !self.cursor.is_break_or_end(0) {
            return Err(self.error_at("did not find expected comment or line break", start));
        }
        if self.cursor.is_break(0) {
            self.need(2)?;
            self.cursor.take_break();
        }
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    fn scan_chomping(&mut self) -> Result<Option<Chomping>, ReadError> {
        let chomping = match self.cursor.byte(0) {
            b'+' => Chomping::Keep,
            b'-' => Chomping::Strip,
            _ => return Ok(None),
        };
        self.cursor.advance();
        self.need(1)?;
        Ok(Some(chomping))
    }

    /// Passes over indentation and empty lines; the first call finds the indentation if the header doesn't give it.
    fn scan_block_breaks(
        &mut self,
        indent: &mut Option<u32>,
        breaks: &mut String,
        start: Mark,
        end: &mut Mark,
    ) -> Result<(), ReadError> {
        *end = self.cursor.mark;
        let mut deepest = 0;
        loop {
            let limit = indent.unwrap_or(u32::MAX);
            self.need(1)?;
            if !self.cursor.skip_spaces(limit) {
                self.check_readable()?;
            }
            deepest = deepest.max(self.cursor.mark.column);
            if self.cursor.mark.column < limit && self.cursor.byte(0) == b'\t' {
                return Err(self.error_at(
                    "found a tab character where an indentation space is expected",
                    start,
                ));
            }
            if !self.cursor.is_break(0) {
                break;
            }
            self.need(2)?;
            breaks.push_str(self.cursor.take_break());
            *end = self.cursor.mark;
        }
        if indent.is_none() {
            let least = (self.indent + 1).max(1).unsigned_abs();
            *indent = Some(deepest.max(least));
        }
        Ok(())
    }
}

/// What the one-letter escapes stand for.
fn escaped_character(letter: u8) -> Option<char> {
    Some(match letter {
        b'0' => '\0',
        b'a' => '\u{7}',
        b'b' => '\u{8}',
        b't' | b'\t' => '\t',
        b'n' => '\n',
        b'v' => '\u{B}',
        b'f' => '\u{C}',
        b'r' => '\r',
        b'e' => '\u{1B}',
        b' ' => ' ',
        b'"' => '"',
        b'\'' => '\'',
        b'\\' => '\\',
        b'N' => '\u{85}',
        b'_' => '\u{A0}',
        b'L' => '\u{2028}',
        b'P' => '\u{2029}',
        _ => return None,
    })
}
