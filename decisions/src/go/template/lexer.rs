//! Template text to items. Items are made one by one, so that a mistake counts only when the parser gets there.

use super::characters::{self, is_digit, is_letter, is_print};
use super::quote;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

/// One item, or the lexer's complaint.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub kind: Kind,
    /// Where it starts, in bytes.
    pub position: usize,
    /// Its text, or the error's.
    pub text: String,
    /// The line that it starts on, from 1.
    pub line: usize,
}

impl Item {
    /// The item as error messages show it.
    pub fn shown(&self) -> String {
        match self.kind {
            Kind::Eof => "EOF".to_string(),
            Kind::Error => self.text.clone(),
            kind if kind.is_keyword() => format!("<{}>", self.text),
            _ if self.text.len() > 10 => {
                let head: String = self.text.chars().take(10).collect();
                format!("{}...", quoted(&head))
            }
            _ => quoted(&self.text),
        }
    }
}

fn quoted(text: &str) -> String {
    characters::lossy(&quote::quote(text.as_bytes(), false))
}

impl Kind {
    fn is_keyword(self) -> bool {
        use Kind::{
            Block, Break, Continue, Define, Dot, Else, End, If, Nil, Range, Template, With,
        };
        matches!(
            self,
            Block
                | Break
                | Continue
                | Dot
                | Define
                | Else
                | End
                | If
                | Nil
                | Range
                | Template
                | With
        )
    }

    fn of_keyword(word: &str) -> Option<Kind> {
        Some(match word {
            "block" => Kind::Block,
            "break" => Kind::Break,
            "continue" => Kind::Continue,
            "define" => Kind::Define,
            "else" => Kind::Else,
            "end" => Kind::End,
            "if" => Kind::If,
            "range" => Kind::Range,
            "nil" => Kind::Nil,
            "template" => Kind::Template,
            "with" => Kind::With,
            _ => return None,
        })
    }
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";

/// Reads items off a template's text.
pub(super) struct Lexer<'t> {
    input: &'t str,
    position: usize,
    start: usize,
    line: usize,
    start_line: usize,
    parentheses: i32,
    inside_action: bool,
}

/// What a step of the lexer leads to.
enum Step {
    Item(Item),
    Text,
    Inside,
    RightDelim,
}

impl<'t> Lexer<'t> {
    pub fn new(input: &'t str) -> Self {
        Lexer {
            input,
            position: 0,
            start: 0,
            line: 1,
            start_line: 1,
            parentheses: 0,
            inside_action: false,
        }
    }

    /// The next item; after the end it is [`Kind::Eof`] again and again.
    pub fn next_item(&mut self) -> Item {
        let mut step = if self.inside_action {
            Step::Inside
        } else {
            Step::Text
        };
        loop {
            step = match step {
                Step::Item(item) => return item,
                Step::Text => self.text(),
                Step::Inside => self.inside(),
                Step::RightDelim => self.right_delim(),
            };
        }
    }

    fn rest(&self) -> &'t str {
        &self.input[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.position += character.len_utf8();
        if character == '\n' {
            self.line += 1;
        }
        Some(character)
    }

    /// Moves on by `count` bytes without counting lines.
    fn skip(&mut self, count: usize) {
        self.position += count;
    }

    fn count_lines(&mut self) {
        self.line += self.input[self.start..self.position].matches('\n').count();
    }

    fn item(&mut self, kind: Kind) -> Item {
        let item = Item {
            kind,
            position: self.start,
            text: self.input[self.start..self.position].to_string(),
            line: self.start_line,
        };
        self.start = self.position;
        self.start_line = self.line;
        item
    }

    fn emit(&mut self, kind: Kind) -> Step {
        Step::Item(self.item(kind))
    }

    fn ignore(&mut self) {
        self.count_lines();
        self.start = self.position;
        self.start_line = self.line;
    }

    fn error(&mut self, message: impl Into<String>) -> Step {
        let item = Item {
            kind: Kind::Error,
            position: self.start,
            text: message.into(),
            line: self.start_line,
        };
        self.input = "";
        self.position = 0;
        self.start = 0;
        Step::Item(item)
    }

    fn text(&mut self) -> Step {
        let Some(found) = self.rest().find(LEFT) else {
            self.position = self.input.len();
            if self.position > self.start {
                self.count_lines();
                return self.emit(Kind::Text);
            }
            return self.emit(Kind::Eof);
        };
        if found > 0 {
            self.skip(found);
            let mut trimmed = 0;
            if has_left_trim_marker(&self.input[self.position + LEFT.len()..]) {
                let text = &self.input[self.start..self.position];
                trimmed = text.len() - text.trim_end_matches(is_space).len();
            }
            self.position -= trimmed;
            self.count_lines();
            let item = self.item(Kind::Text);
            self.skip(trimmed);
            self.ignore();
            if !item.text.is_empty() {
                return Step::Item(item);
            }
        }
        self.left_delim()
    }

    fn left_delim(&mut self) -> Step {
        self.skip(LEFT.len());
        let marker = if has_left_trim_marker(self.rest()) {
            2
        } else {
            0
        };
        if self.rest()[marker..].starts_with("/*") {
            self.skip(marker);
            self.ignore();
            return self.comment();
        }
        let item = self.item(Kind::LeftDelim);
        self.inside_action = true;
        self.skip(marker);
        self.ignore();
        self.parentheses = 0;
        Step::Item(item)
    }

    fn comment(&mut self) -> Step {
        self.skip(2);
        let Some(end) = self.rest().find("*/") else {
            return self.error("unclosed comment");
        };
        self.skip(end + 2);
        let Some(trims) = self.at_right_delim() else {
            return self.error("comment ends before closing delimiter");
        };
        self.skip(if trims { 2 } else { 0 } + RIGHT.len());
        if trims {
            self.skip_spaces();
        }
        self.ignore();
        Step::Text
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.skip(rest.len() - rest.trim_start_matches(is_space).len());
    }

    /// Whether the right delimiter comes next, and then whether it trims.
    fn at_right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim_marker(rest) && rest[2..].starts_with(RIGHT) {
            return Some(true);
        }
        rest.starts_with(RIGHT).then_some(false)
    }

    fn right_delim(&mut self) -> Step {
        let trims = self.at_right_delim() == Some(true);
        if trims {
            self.skip(2);
            self.ignore();
        }
        self.skip(RIGHT.len());
        let item = self.item(Kind::RightDelim);
        if trims {
            self.skip_spaces();
            self.ignore();
        }
        self.inside_action = false;
        Step::Item(item)
    }

    fn inside(&mut self) -> Step {
        if self.at_right_delim().is_some() {
            if self.parentheses == 0 {
                return Step::RightDelim;
            }
            return self.error("unclosed left paren");
        }
        let Some(character) = self.peek() else {
            return self.error("unclosed action");
        };
        if is_space(character) {
            return self.spaces();
        }
        if is_alphanumeric(character) && !character.is_ascii_digit() {
            return self.identifier();
        }
        self.advance();
        match character {
            '=' => self.emit(Kind::Assign),
            ':' => match self.advance() {
                Some('=') => self.emit(Kind::Declare),
                _ => self.error("expected :="),
            },
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => self.raw_string(),
            '$' => self.field_or_variable(Kind::Variable),
            '.' if self.peek().is_some_and(|next| !next.is_ascii_digit()) => {
                self.field_or_variable(Kind::Field)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.position -= 1;
                self.number()
            }
            '(' => {
                self.parentheses += 1;
                self.emit(Kind::LeftParen)
            }
            ')' => {
                self.parentheses -= 1;
                if self.parentheses < 0 {
                    return self.error("unexpected right paren");
                }
                self.emit(Kind::RightParen)
            }
            other if other.is_ascii() && is_print(other) => self.emit(Kind::Char),
            other => {
                let message = format!("unrecognized character in action: {}", unicode(other));
                self.error(message)
            }
        }
    }

    fn spaces(&mut self) -> Step {
        let mut count = 0;
        while self.peek().is_some_and(is_space) {
            self.advance();
            count += 1;
        }
        let before = self.position - 1;
        if has_right_trim_marker(&self.input[before..])
            && self.input[before + 2..].starts_with(RIGHT)
        {
            self.position = before;
            if self.input.as_bytes()[before] == b'\n' {
                self.line -= 1;
            }
            if count == 1 {
                return Step::RightDelim;
            }
        }
        self.emit(Kind::Space)
    }

    fn identifier(&mut self) -> Step {
        while self.peek().is_some_and(is_alphanumeric) {
            self.advance();
        }
        if !self.at_terminator() {
            return self.bad_character();
        }
        let word = &self.input[self.start..self.position];
        let kind = match word {
            "true" | "false" => Kind::Bool,
            word => Kind::of_keyword(word).unwrap_or(Kind::Identifier),
        };
        self.emit(kind)
    }

    fn field_or_variable(&mut self, kind: Kind) -> Step {
        if self.at_terminator() {
            return self.emit(if kind == Kind::Field { Kind::Dot } else { kind });
        }
        while self.peek().is_some_and(is_alphanumeric) {
            self.advance();
        }
        if !self.at_terminator() {
            return self.bad_character();
        }
        self.emit(kind)
    }

    fn bad_character(&mut self) -> Step {
        let message = format!(
            "bad character {}",
            self.peek().map_or_else(String::new, unicode)
        );
        self.error(message)
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(character) => is_space(character) || self.rest().starts_with(RIGHT),
        }
    }

    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Step {
        loop {
            match self.advance() {
                Some('\\') if self.peek().is_some_and(|next| next != '\n') => {
                    self.advance();
                }
                None | Some('\n' | '\\') => return self.error(unterminated),
                Some(character) if character == quote => return self.emit(kind),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Step {
        loop {
            match self.advance() {
                None => return self.error("unterminated raw quoted string"),
                Some('`') => return self.emit(Kind::RawString),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self) -> Step {
        if !self.scan_number() {
            return self.bad_number();
        }
        if !matches!(self.peek(), Some('+' | '-')) {
            return self.emit(Kind::Number);
        }
        if !self.scan_number() || !self.input[..self.position].ends_with('i') {
            return self.bad_number();
        }
        self.emit(Kind::Complex)
    }

    fn bad_number(&mut self) -> Step {
        let message = format!(
            "bad number syntax: {}",
            quoted(&self.input[self.start..self.position])
        );
        self.error(message)
    }

    fn accept(&mut self, valid: &str) -> bool {
        let accepted = self.peek().is_some_and(|next| valid.contains(next));
        if accepted {
            self.advance();
        }
        accepted
    }

    fn accept_run(&mut self, valid: &str) {
        while self.accept(valid) {}
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.advance();
            return false;
        }
        true
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(character: char) -> bool {
    character == '_' || is_letter(character) || is_digit(character)
}

fn has_left_trim_marker(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 2 && bytes[0] == b'-' && is_space(char::from(bytes[1]))
}

fn has_right_trim_marker(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 2 && is_space(char::from(bytes[0])) && bytes[1] == b'-'
}

/// A character as `%#U` prints it.
fn unicode(character: char) -> String {
    let code = character as u32;
    if is_print(character) {
        format!("U+{code:04X} '{character}'")
    } else {
        format!("U+{code:04X}")
    }
}
