//! Mirrors `parse/parse.go` of fluxcd/pkg/envsubst 1.7: a text to its parts.

use super::scanner::{Accept, CLOSE, Mode, Scanner, Token, WORD};

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// As it stands.
    Text(Vec<u8>),
    /// A variable.
    Function(Function),
}

/// A variable with what is done to its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Function {
    /// Its name.
    pub variable: String,
    /// The operator; empty: none.
    pub name: String,
    /// What stands behind the operator.
    pub arguments: Vec<Part>,
}

const BAD: &str = "bad substitution";
const NO_NAME: &str = "unable to parse variable name";
const NOT_CLOSED: &str = "missing closing brace";
const BAD_ARGUMENT: &str = "unable to parse substitution within function";
const BAD_DEFAULT: &str = "unable to parse default function";
const TOO_DEEP: &str = "variables are nested too deeply";

/// Variables in variables go no deeper.
const DEEPEST: usize = 500;

/// The parts of a text, in order.
pub(super) fn parse(text: &str) -> Result<Vec<Part>, &'static str> {
    let mut parser = Parser {
        scanner: Scanner::new(text),
        depth: 0,
    };
    let mut parts = Vec::new();
    loop {
        parser.scanner.accept = |_, _| true;
        parser.scanner.backslash = false;
        parser.scanner.mode = Mode {
            open: true,
            escape: true,
            ..WORD
        };
        match parser.scanner.scan() {
            Token::Word => parts.push(Part::Text(parser.scanner.token().to_vec())),
            Token::Open => parts.push(parser.function()?),
            Token::End => return Ok(parts),
            Token::Close | Token::Illegal => return Err(BAD),
        }
    }
}

struct Parser {
    scanner: Scanner,
    depth: usize,
}

impl Parser {
    fn function(&mut self) -> Result<Part, &'static str> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(TOO_DEEP);
        }
        let function = self.function_within()?;
        self.depth -= 1;
        Ok(Part::Function(function))
    }

    fn function_within(&mut self) -> Result<Function, &'static str> {
        self.scanner.backslash = true;
        if self.scanner.peek() == '#' {
            return self.length();
        }
        let variable = self.expect(is_name, WORD, NO_NAME)?;
        let function = |name: String| Function {
            variable: variable.clone(),
            name,
            arguments: Vec::new(),
        };
        match self.scanner.peek() {
            ':' => {
                self.scanner.read();
                let next = self.scanner.peek();
                self.scanner.unread();
                if matches!(next, '=' | '-' | '?' | '+') {
                    self.default(function)
                } else {
                    self.part_of(function)
                }
            }
            '=' => self.default(function),
            ',' | '^' => {
                let name = self.expect(is_casing, WORD, BAD)?;
                self.closed(function(name))
            }
            '/' => self.replacement(function),
            '#' => self.trimmed(function, |character, length| character == '#' && length < 3),
            '%' => self.trimmed(function, |character, length| character == '%' && length < 3),
            _ => {
                self.scanner.accept = is_name;
                self.scanner.mode = CLOSE;
                match self.scanner.scan() {
                    Token::Close => Ok(function(String::new())),
                    _ => Err(NOT_CLOSED),
                }
            }
        }
    }

    /// A word, or `fault`.
    fn expect(
        &mut self,
        accept: Accept,
        mode: Mode,
        fault: &'static str,
    ) -> Result<String, &'static str> {
        self.scanner.accept = accept;
        self.scanner.mode = mode;
        match self.scanner.scan() {
            Token::Word => Ok(String::from_utf8_lossy(self.scanner.token()).into_owned()),
            _ => Err(fault),
        }
    }

    fn closed(&mut self, function: Function) -> Result<Function, &'static str> {
        self.scanner.mode = CLOSE;
        match self.scanner.scan() {
            Token::Close => Ok(function),
            _ => Err(BAD),
        }
    }

    fn argument(&mut self, accept: Accept, escape: bool) -> Result<Part, &'static str> {
        self.scanner.accept = accept;
        self.scanner.mode = Mode {
            open: true,
            escape,
            ..WORD
        };
        match self.scanner.scan() {
            Token::Open => self.function(),
            Token::Word => Ok(Part::Text(self.scanner.token().to_vec())),
            _ => Err(BAD_ARGUMENT),
        }
    }

    /// `${#name}`
    fn length(&mut self) -> Result<Function, &'static str> {
        let first = |character: char, length: usize| character == '#' && length == 1;
        let name = self.expect(first, WORD, BAD)?;
        let variable = self.expect(is_name, WORD, BAD)?;
        self.closed(Function {
            variable,
            name,
            arguments: Vec::new(),
        })
    }

    /// `${name:-word}` and its kin.
    fn default(&mut self, function: impl Fn(String) -> Function) -> Result<Function, &'static str> {
        let accept: Accept = if self.scanner.peek() == '=' {
            |character, length| character == '=' && length == 1
        } else {
            |character, length| match length {
                1 => character == ':',
                2 => matches!(character, '=' | '-' | '?' | '+'),
                _ => false,
            }
        };
        let mut function = function(self.expect(accept, WORD, BAD_DEFAULT)?);
        while self.scanner.peek() != '}' {
            function
                .arguments
                .push(self.argument(is_not_closing, false)?);
        }
        self.closed(function)
    }

    /// `${name:offset}` and `${name:offset:length}`
    fn part_of(&mut self, function: impl Fn(String) -> Function) -> Result<Function, &'static str> {
        let colon = |character: char, length: usize| character == ':' && length == 1;
        let mut function = function(self.expect(colon, WORD, BAD)?);
        let offset = self.argument(|character, _| character != ':' && character != '}', false)?;
        function.arguments.push(offset);
        self.scanner.accept = |character, _| character == ':';
        self.scanner.mode = Mode {
            close: true,
            ..WORD
        };
        match self.scanner.scan() {
            Token::Close => return Ok(function),
            Token::Word => {}
            _ => return Err(BAD),
        }
        function
            .arguments
            .push(self.argument(is_not_closing, false)?);
        self.closed(function)
    }

    /// `${name#pattern}` and its kin.
    fn trimmed(
        &mut self,
        function: impl Fn(String) -> Function,
        accept: Accept,
    ) -> Result<Function, &'static str> {
        let mut function = function(self.expect(accept, WORD, BAD)?);
        function
            .arguments
            .push(self.argument(is_not_closing, false)?);
        self.closed(function)
    }

    /// `${name/text/other}` and its kin.
    fn replacement(
        &mut self,
        function: impl Fn(String) -> Function,
    ) -> Result<Function, &'static str> {
        let accept = |character: char, length: usize| match length {
            1 => character == '/',
            2 => matches!(character, '/' | '#' | '%'),
            _ => false,
        };
        let mut function = function(self.expect(accept, WORD, BAD)?);
        let text = self.argument(|character, _| character != '/', true)?;
        function.arguments.push(text);
        self.expect(|character, _| character == '/', WORD, BAD)?;
        if self.scanner.peek() != '}' {
            function
                .arguments
                .push(self.argument(is_not_closing, true)?);
        }
        self.closed(function)
    }
}

fn is_name(character: char, _: usize) -> bool {
    // Go's letters and decimal digits; the standard library's numeric characters are more.
    character == '_' || character.is_alphabetic() || is_decimal_digit(character)
}

fn is_decimal_digit(character: char) -> bool {
    character.is_ascii_digit() || (!character.is_ascii() && character.is_numeric())
}

fn is_casing(character: char, length: usize) -> bool {
    matches!(character, ',' | '^') && length < 3
}

fn is_not_closing(character: char, _: usize) -> bool {
    character != '}'
}
