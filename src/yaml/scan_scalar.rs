//! Tokens of scalars: plain, quoted and block.

use std::borrow::Cow;

use super::ReadError;
use super::characters::is_blank;
use super::cursor::{Cursor, Mark};
use super::scanner::Scanner;
use super::token::{ScalarStyle, TokenKind};

/// The value of a scalar being read: a piece of the text as long as nothing was folded or unescaped.
enum Value<'t> {
    Piece { start: usize, end: usize },
    Built(Cow<'t, str>),
}

impl<'t> Value<'t> {
    fn new() -> Self {
        Self::Piece { start: 0, end: 0 }
    }

    /// Adds the text from `start` to `end`.
    fn push_text(&mut self, cursor: &Cursor<'t>, start: usize, end: usize) {
        match self {
            Self::Piece {
                start: from,
                end: to,
            } if from == to => (*from, *to) = (start, end),
            Self::Piece { end: to, .. } if *to == start => *to = end,
            _ => self.push_str(cursor, cursor.slice(start, end)),
        }
    }

    fn push_str(&mut self, cursor: &Cursor<'t>, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Self::Piece { start, end } = *self {
            *self = Self::Built(Cow::Borrowed(cursor.slice(start, end)));
        }
        if let Self::Built(value) = self {
            value.to_mut().push_str(text);
        }
    }

    fn finish(self, cursor: &Cursor<'t>) -> Cow<'t, str> {
        match self {
            Self::Piece { start, end } => Cow::Borrowed(cursor.slice(start, end)),
            Self::Built(value) => value,
        }
    }
}

/// What was passed over between two words of a plain or quoted scalar.
#[derive(Default)]
struct Gap {
    /// There was a line break; the blanks around it don't count.
    broken: bool,
    /// Where blanks on one line start and end.
    blanks: Option<(usize, usize)>,
    first_break: &'static str,
    more_breaks: String,
}

impl Gap {
    fn take_into<'t>(&mut self, value: &mut Value<'t>, cursor: &Cursor<'t>) {
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

impl<'t> Scanner<'t> {
    /// A scalar without quotes.
    pub(super) fn scan_plain_scalar(&mut self) -> Result<(), ReadError> {
        let start = self.cursor.mark;
        let mut end = start;
        let indent = self.indent + 1;
        let mut value = Value::new();
        let mut gap = Gap::default();
        loop {
            if self.cursor.at_document_indicator() || self.cursor.byte(0) == b'#' {
                break;
            }
            let from = self.cursor.mark.offset;
            while !self.cursor.is_space_or_end(0) && !self.ends_plain_scalar() {
                self.cursor.advance();
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
            loop {
                if is_blank(self.cursor.byte(0)) {
                    let indented = self.cursor.mark.column as isize >= indent;
                    if gap.broken && !indented && self.cursor.byte(0) == b'\t' {
                        return Err(
                            self.error_at("found a tab character that violates indentation", start)
                        );
                    }
                    gap.pass_blank(&mut self.cursor);
                } else if self.cursor.is_break(0) {
                    gap.pass_break(&mut self.cursor);
                } else {
                    break;
                }
            }
            if self.flow_level == 0 && (self.cursor.mark.column as isize) < indent {
                break;
            }
        }
        if gap.broken {
            self.simple_key_allowed = true;
        }
        let value = value.finish(&self.cursor);
        self.push_scalar(value, ScalarStyle::Plain, start, end);
        Ok(())
    }

    fn ends_plain_scalar(&self) -> bool {
        match self.cursor.byte(0) {
            b':' => self.cursor.is_space_or_end(1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow_level > 0,
            _ => false,
        }
    }

    fn push_scalar(&mut self, value: Cow<'t, str>, style: ScalarStyle, start: Mark, end: Mark) {
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
        let mut value = Value::new();
        loop {
            if self.cursor.at_document_indicator() {
                return Err(self.error_at("found unexpected document indicator", start));
            }
            if self.cursor.at_end() {
                return Err(self.error_at("found unexpected end of stream", start));
            }
            let mut gap = Gap::default();
            while !self.cursor.is_space_or_end(0) {
                let from = self.cursor.mark.offset;
                if self.cursor.byte(0) == quote {
                    if is_double || self.cursor.byte(1) != quote {
                        break;
                    }
                    self.cursor.advance_by(2);
                    value.push_str(&self.cursor, "'");
                } else if is_double && self.cursor.byte(0) == b'\\' {
                    if self.cursor.is_break(1) {
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
            }
            if self.cursor.byte(0) == quote {
                break;
            }
            loop {
                if is_blank(self.cursor.byte(0)) {
                    gap.pass_blank(&mut self.cursor);
                } else if self.cursor.is_break(0) {
                    gap.pass_break(&mut self.cursor);
                } else {
                    break;
                }
            }
            if gap.broken && gap.first_break.is_empty() {
                // After an escaped break nothing is folded.
                value.push_str(&self.cursor, &gap.more_breaks);
            } else {
                gap.take_into(&mut value, &self.cursor);
            }
        }
        self.cursor.advance();
        let style = if is_double {
            ScalarStyle::DoubleQuoted
        } else {
            ScalarStyle::SingleQuoted
        };
        let value = value.finish(&self.cursor);
        self.push_scalar(value, style, start, self.cursor.mark);
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
        let Some(code) = self.hexadecimal(2, digits) else {
            return Err(self.error_at("did not find expected hexdecimal number", start));
        };
        let character = u32::try_from(code).ok().and_then(char::from_u32);
        let Some(character) = character else {
            return Err(self.error_at("found invalid Unicode character escape code", start));
        };
        self.cursor.advance_by(2 + digits);
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
            value.push_str(self.cursor.take_line());
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
        self.push_scalar(Cow::Owned(value), style, start, end);
        Ok(())
    }

    /// The rest of the line of a `|` or `>`: chomping, indentation, comment.
    fn scan_block_header(&mut self, start: Mark) -> Result<(Chomping, Option<usize>), ReadError> {
        let mut chomping = self.scan_chomping();
        let mut increment = None;
        if self.cursor.byte(0).is_ascii_digit() {
            if self.cursor.byte(0) == b'0' {
                return Err(self.error_at("found an indentation indicator equal to 0", start));
            }
            increment = Some(usize::from(self.cursor.byte(0) - b'0'));
            self.cursor.advance();
            if chomping.is_none() {
                chomping = self.scan_chomping();
            }
        }
        self.cursor.skip_blanks();
        if self.cursor.byte(0) == b'#' {
            self.scan_line_comment(start.offset);
            self.cursor.take_line();
        }
        if !self.cursor.is_break_or_end(0) {
            return Err(self.error_at("did not find expected comment or line break", start));
        }
        if self.cursor.is_break(0) {
            self.cursor.take_break();
        }
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    fn scan_chomping(&mut self) -> Option<Chomping> {
        let chomping = match self.cursor.byte(0) {
            b'+' => Chomping::Keep,
            b'-' => Chomping::Strip,
            _ => return None,
        };
        self.cursor.advance();
        Some(chomping)
    }

    /// Passes over indentation and empty lines; the first call finds the indentation if the header doesn't give it.
    fn scan_block_breaks(
        &mut self,
        indent: &mut Option<usize>,
        breaks: &mut String,
        start: Mark,
        end: &mut Mark,
    ) -> Result<(), ReadError> {
        *end = self.cursor.mark;
        let mut deepest = 0;
        loop {
            let limit = indent.unwrap_or(usize::MAX);
            while self.cursor.mark.column < limit && self.cursor.byte(0) == b' ' {
                self.cursor.advance();
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
