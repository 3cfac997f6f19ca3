//! Mirrors `parse/scan.go` of fluxcd/pkg/envsubst 1.7: tokens of a text, whose kind hangs on what is expected.

use crate::go::file_pattern::decode_rune;

/// What may come next; several at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mode {
    /// Words.
    pub word: bool,
    /// `${`
    pub open: bool,
    /// `}`
    pub close: bool,
    /// Escapes count.
    pub escape: bool,
}

/// A word.
pub(super) const WORD: Mode = Mode {
    word: true,
    open: false,
    close: false,
    escape: false,
};

/// A closing brace.
pub(super) const CLOSE: Mode = Mode {
    word: false,
    close: true,
    ..WORD
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Illegal,
    End,
    Word,
    Open,
    Close,
}

/// Whether a character, the one that ends `length` bytes behind the token's start, belongs to the word.
pub(super) type Accept = fn(character: char, length: usize) -> bool;

pub(super) struct Scanner {
    text: Vec<u8>,
    at: usize,
    start: usize,
    /// The bytes of the character that was read last; none at the end.
    width: usize,
    pub(super) mode: Mode,
    pub(super) accept: Accept,
    /// Whether a backslash escapes, besides a dollar.
    pub(super) backslash: bool,
}

const END: char = '\0';

impl Scanner {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.as_bytes().to_vec(),
            at: 0,
            start: 0,
            width: 0,
            mode: Mode::default(),
            accept: |_, _| true,
            backslash: false,
        }
    }

    /// The text of the last token.
    pub(super) fn token(&self) -> &[u8] {
        &self.text[self.start..self.at]
    }

    pub(super) fn read(&mut self) -> char {
        let (character, width) = decode_rune(&self.text[self.at..]);
        self.width = width;
        self.at += width;
        character
    }

    pub(super) fn unread(&mut self) {
        self.at = self.at.saturating_sub(self.width);
    }

    pub(super) fn peek(&mut self) -> char {
        let character = self.read();
        self.unread();
        character
    }

    pub(super) fn scan(&mut self) -> Token {
        self.start = self.at;
        let character = self.read();
        if character == END {
            Token::End
        } else if self.opens(character) {
            Token::Open
        } else if self.mode.close && character == '}' {
            Token::Close
        } else if self.word(character) {
            Token::Word
        } else {
            Token::Illegal
        }
    }

    fn word(&mut self, first: char) -> bool {
        if !self.mode.word {
            return false;
        }
        if self.escapes(first) {
            self.drop_last_byte();
        } else if !(self.accept)(first, self.at - self.start) {
            return false;
        }
        loop {
            let character = self.read();
            if character == END {
                self.unread();
                return true;
            }
            if self.opens(character) {
                self.unread();
                self.unread();
                return true;
            }
            if self.escapes(character) {
                self.drop_last_byte();
            } else if !(self.accept)(character, self.at.saturating_sub(self.start)) {
                self.unread();
                return true;
            }
        }
    }

    /// Whether `character`, which was just read, and the next one are `${`, which then is read too.
    fn opens(&mut self, character: char) -> bool {
        if !self.mode.open || character != '$' {
            return false;
        }
        if self.read() == '{' {
            return true;
        }
        self.unread();
        false
    }

    fn escapes(&mut self, character: char) -> bool {
        if !self.mode.escape {
            return false;
        }
        match character {
            '$' => self.peek() == '$',
            '\\' if self.backslash => matches!(self.peek(), '/' | '\\'),
            _ => false,
        }
    }

    /// Takes the escaping character out of the text; the one that it escapes counts as read.
    fn drop_last_byte(&mut self) {
        self.text.remove(self.at - 1);
    }
}
