//! A position in a text and the ways to move it.

use super::characters::{
    byte_at, character_width, is_blank, is_break, is_break_or_end, is_space_or_end,
};

/// A place in the text of one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Bytes from the start of the text.
    pub offset: usize,
    /// Line breaks before the place.
    pub line: usize,
    /// Characters between the last line break and the place.
    pub column: usize,
}

/// Reads a text from start to end.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    /// Where the cursor is.
    pub(super) mark: Mark,
    /// Line breaks since the last character that isn't blank.
    pub(super) breaks: usize,
}

impl<'t> Cursor<'t> {
    /// A cursor at `start`, which counts as column 0 of line 0.
    pub(super) fn new(text: &'t str, start: usize) -> Self {
        let mark = Mark {
            offset: start,
            ..Mark::default()
        };
        Self {
            text,
            mark,
            breaks: 0,
        }
    }

    /// The byte `ahead` bytes further, 0 past the end.
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        byte_at(self.text.as_bytes(), self.mark.offset + ahead)
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        is_break(self.text.as_bytes(), self.mark.offset + ahead)
    }

    pub(super) fn is_break_or_end(&self, ahead: usize) -> bool {
        is_break_or_end(self.text.as_bytes(), self.mark.offset + ahead)
    }

    pub(super) fn is_space_or_end(&self, ahead: usize) -> bool {
        is_space_or_end(self.text.as_bytes(), self.mark.offset + ahead)
    }

    /// Whether the cursor is past the last character.
    pub(super) fn at_end(&self) -> bool {
        self.mark.offset >= self.text.len()
    }

    /// The text between `start` and the cursor.
    pub(super) fn since(&self, start: usize) -> &'t str {
        &self.text[start..self.mark.offset]
    }

    /// The text between two offsets.
    pub(super) fn slice(&self, start: usize, end: usize) -> &'t str {
        &self.text[start..end]
    }

    /// The length of the text in bytes.
    pub(super) fn text_length(&self) -> usize {
        self.text.len()
    }

    /// Whether a line that starts here begins a document (`---`) or ends one (`...`).
    pub(super) fn at_document_indicator(&self) -> bool {
        self.mark.column == 0
            && matches!(
                (self.byte(0), self.byte(1), self.byte(2)),
                (b'-', b'-', b'-') | (b'.', b'.', b'.')
            )
            && self.is_space_or_end(3)
    }

    /// Moves over one character.
    pub(super) fn advance(&mut self) {
        let byte = self.byte(0);
        if !is_blank(byte) {
            self.breaks = 0;
        }
        let width = character_width(byte).max(1);
        self.mark.offset = (self.mark.offset + width).min(self.text.len());
        self.mark.column += 1;
    }

    /// Moves over one character `count` times.
    pub(super) fn advance_by(&mut self, count: usize) {
        for _ in 0..count {
            self.advance();
        }
    }

    /// Moves over blanks.
    pub(super) fn skip_blanks(&mut self) {
        while is_blank(self.byte(0)) {
            self.advance();
        }
    }

    /// Moves to the end of the line and gives the text passed over.
    pub(super) fn take_line(&mut self) -> &'t str {
        let start = self.mark.offset;
        while !self.is_break_or_end(0) {
            self.advance();
        }
        self.since(start)
    }

    /// Moves over the line break here and gives it as it counts in a scalar: LF, but LS and PS as they are.
    pub(super) fn take_break(&mut self) -> &'static str {
        let (width, text) = match self.byte(0) {
            b'\r' if self.byte(1) == b'\n' => (2, "\n"),
            b'\r' | b'\n' => (1, "\n"),
            0xC2 => (2, "\n"),
            _ if self.byte(2) == 0xA8 => (3, "\u{2028}"),
            _ => (3, "\u{2029}"),
        };
        self.mark.offset += width;
        self.mark.column = 0;
        self.mark.line += 1;
        self.breaks += 1;
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
