//! A position in a text and the ways to move it.

use super::characters::{
    byte_at, character_width, count_characters, is_blank, is_break, is_break_or_end,
    is_space_or_end,
};
use super::text::Source;
use super::window::Window;

/// Bytes at which the fast way through a value in quotes stops: the quote, what may be a break, and what escapes.
const fn ends_of_value(quote: u8, escape: u8) -> [bool; 256] {
    let mut ends = [false; 256];
    let all = [quote, escape, b'\n', b'\r', 0xC2, 0xE2];
    let mut at = 0;
    while at < all.len() {
        ends[all[at] as usize] = true;
        at += 1;
    }
    ends
}

const ENDS_OF_DOUBLE_QUOTES: [bool; 256] = ends_of_value(b'"', b'\\');
const ENDS_OF_SINGLE_QUOTES: [bool; 256] = ends_of_value(b'\'', b'\'');

/// A place in the text of one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Bytes from the start of the text.
    pub offset: u32,
    /// Line breaks before the place.
    pub line: u32,
    /// Characters between the last line break and the place.
    pub column: u32,
}

/// Reads a text from start to end.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    /// Where the cursor is.
    pub(super) mark: Mark,
    /// Line breaks since the last character that isn't blank.
    pub(super) breaks: u32,
    window: Option<Window>,
    /// What is wrong with the text, once the reader has come to it.
    pub(super) failure: Option<&'static str>,
}

impl<'t> Cursor<'t> {
    /// A cursor at the start of a text, which counts as column 0 of line 0.
    pub(super) fn new(source: &'t Source<'_>) -> Self {
        let mark = Mark {
            offset: source.start as u32,
            ..Mark::default()
        };
        Self {
            text: &source.text,
            mark,
            breaks: 0,
            window: source.window.clone(),
            failure: None,
        }
    }

    /// Has the reader decode so many characters from here; whether it could.
    #[inline]
    pub(super) fn look(&mut self, characters: usize) -> bool {
        self.window.is_none() || self.look_in_window(characters)
    }

    #[cold]
    fn look_in_window(&mut self, characters: usize) -> bool {
        if let Some(window) = &mut self.window
            && let Err(problem) = window.look(self.mark.offset as usize, characters)
        {
            self.failure = Some(problem);
        }
        self.failure.is_none()
    }

    /// Whether the reader's buffer starts with a byte order mark, wherever the cursor is in it.
    pub(super) fn buffer_starts_with_mark(&self) -> bool {
        let start = self.window.as_ref().map(Window::start);
        start.is_some_and(|start| self.text[start..].starts_with('\u{FEFF}'))
    }

    /// The whole text.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// Where the cursor is, in bytes.
    #[inline]
    pub(super) fn offset(&self) -> usize {
        self.mark.offset as usize
    }

    /// The byte `ahead` bytes further, 0 past the end.
    #[inline]
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        byte_at(self.text.as_bytes(), self.offset() + ahead)
    }

    #[inline]
    pub(super) fn is_break(&self, ahead: usize) -> bool {
        is_break(self.text.as_bytes(), self.offset() + ahead)
    }

    #[inline]
    pub(super) fn is_break_or_end(&self, ahead: usize) -> bool {
        is_break_or_end(self.text.as_bytes(), self.offset() + ahead)
    }

    #[inline]
    pub(super) fn is_space_or_end(&self, ahead: usize) -> bool {
        is_space_or_end(self.text.as_bytes(), self.offset() + ahead)
    }

    /// Whether the cursor is past the last character.
    #[inline]
    pub(super) fn at_end(&self) -> bool {
        self.offset() >= self.text.len()
    }

    /// The text between `start` and the cursor.
    pub(super) fn since(&self, start: u32) -> &'t str {
        &self.text[start as usize..self.offset()]
    }

    /// The text between two offsets.
    pub(super) fn slice(&self, start: u32, end: u32) -> &'t str {
        &self.text[start as usize..end as usize]
    }

    /// Whether a line that starts here begins a document (`---`) or ends one (`...`).
    #[inline]
    pub(super) fn at_document_indicator(&self) -> bool {
        self.mark.column == 0
            && matches!(self.byte(0), b'-' | b'.')
            && matches!(
                (self.byte(0), self.byte(1), self.byte(2)),
                (b'-', b'-', b'-') | (b'.', b'.', b'.')
            )
            && self.is_space_or_end(3)
    }

    /// Moves over one character.
    #[inline]
    pub(super) fn advance(&mut self) {
        let byte = self.byte(0);
        if !is_blank(byte) {
            self.breaks = 0;
        }
        let width = character_width(byte).max(1);
        let end = (self.offset() + width).min(self.text.len());
        self.mark.offset = end as u32;
        self.mark.column += 1;
        if let Some(window) = &mut self.window {
            window.pass(1);
        }
    }

    /// Moves over one character `count` times.
    pub(super) fn advance_by(&mut self, count: usize) {
        for _ in 0..count {
            self.advance();
        }
    }

    /// Moves over spaces; false where the text can't be decoded.
    #[inline]
    pub(super) fn skip_spaces(&mut self, most: u32) -> bool {
        if self.window.is_some() {
            while self.mark.column < most && self.byte(0) == b' ' {
                self.advance();
                if !self.look(1) {
                    return false;
                }
            }
            return true;
        }
        let rest = &self.text.as_bytes()[self.offset()..];
        let most = most.saturating_sub(self.mark.column) as usize;
        let count = rest
            .iter()
            .take(most)
            .take_while(|byte| **byte == b' ')
            .count() as u32;
        self.mark.offset += count;
        self.mark.column += count;
        true
    }

    /// Moves over spaces and tabs; false where the text can't be decoded.
    pub(super) fn skip_blanks(&mut self) -> bool {
        loop {
            if !self.look(1) {
                return false;
            }
            if !is_blank(self.byte(0)) {
                return true;
            }
            self.advance();
        }
    }

    /// Moves over the characters here up to the first byte that `stops` names, and every byte that may start a line break other
    /// than LF and CR counts as named. For texts that hold nothing odd; elsewhere it moves over nothing.
    #[inline]
    pub(super) fn skip_run(&mut self, stops: &[bool; 256]) {
        if self.window.is_some() {
            return;
        }
        let rest = &self.text.as_bytes()[self.offset()..];
        let length = rest
            .iter()
            .take_while(|byte| !stops[**byte as usize])
            .count();
        if length > 0 {
            self.mark.offset += length as u32;
            self.mark.column += count_characters(&rest[..length]) as u32;
            self.breaks = 0;
        }
    }

    /// Moves to the quote that ends a value on this line, if the value is what stands between the quotes: nothing in it is escaped
    /// or may be a break. For texts that hold nothing odd.
    #[inline]
    pub(super) fn end_of_plain_quote(&mut self, quote: u8) -> Option<u32> {
        if self.window.is_some() {
            return None;
        }
        let rest = &self.text.as_bytes()[self.offset()..];
        let stops = if quote == b'"' {
            &ENDS_OF_DOUBLE_QUOTES
        } else {
            &ENDS_OF_SINGLE_QUOTES
        };
        let length = rest.iter().position(|byte| stops[usize::from(*byte)])?;
        let is_end =
            rest[length] == quote && (quote == b'"' || rest.get(length + 1) != Some(&quote));
        if !is_end {
            return None;
        }
        self.mark.offset += length as u32;
        self.mark.column += count_characters(&rest[..length]) as u32;
        Some(self.mark.offset)
    }

    /// Moves to the end of the line; false where the text can't be decoded.
    pub(super) fn skip_line(&mut self) -> bool {
        if self.window.is_none() {
            let rest = &self.text.as_bytes()[self.offset()..];
            let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let line = &rest[..length];
            if !holds_long_break(line) {
                self.mark.offset += length as u32;
                self.mark.column += count_characters(line) as u32;
                if line.iter().any(|byte| !is_blank(*byte)) {
                    self.breaks = 0;
                }
                return true;
            }
        }
        loop {
            if !self.look(1) {
                return false;
            }
            if self.is_break_or_end(0) {
                return true;
            }
            self.advance();
        }
    }

    /// Moves over the line break here and gives it as it counts in a scalar: LF, but LS and PS as they are.
    #[inline]
    pub(super) fn take_break(&mut self) -> &'static str {
        let (width, characters, text) = match self.byte(0) {
            b'\r' if self.byte(1) == b'\n' => (2, 2, "\n"),
            b'\r' | b'\n' => (1, 1, "\n"),
            0xC2 => (2, 1, "\n"),
            _ if self.byte(2) == 0xA8 => (3, 1, "\u{2028}"),
            _ => (3, 1, "\u{2029}"),
        };
        self.mark.offset += width;
        self.mark.column = 0;
        self.mark.line += 1;
        self.breaks += 1;
        if let Some(window) = &mut self.window {
            window.pass(characters);
        }
        text
    }

    /// Counts the end of the text as the end of a line.
    pub(super) fn end_last_line(&mut self) {
        if self.mark.column != 0 {
            self.mark.column = 0;
            self.mark.line += 1;
        }
    }
}

/// Whether NEL, LS or PS occur.
fn holds_long_break(line: &[u8]) -> bool {
    !line.is_ascii() && memchr::memchr2_iter(0xC2, 0xE2, line).any(|at| is_break(line, at))
}
