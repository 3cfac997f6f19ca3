//! JSON as values, with Go's complaints.

use super::json::quoted_byte;
use crate::go::template::characters;
use crate::go::template::limits::{Bound, Limits};
use crate::go::template::number::parse_float;
use crate::go::template::value::{ANY_LIST, DICT, Value};

use super::arguments::appended;

/// The value of a JSON text, and Go's error text where there is one. A text with a syntax error has no value; a number
/// out of range is an error, and nil in its place.
pub(super) fn read(limits: &mut Limits, text: &[u8]) -> Result<(Value, Option<String>), Bound> {
    limits.spend(text.len())?;
    let mut reader = Reader {
        text,
        position: 0,
        depth: 0,
        deepest: limits.depth,
        number_error: None,
    };
    match reader.document() {
        Ok(value) => Ok((value, reader.number_error)),
        Err(Stop::Syntax(message)) => Ok((Value::Invalid, Some(message))),
        Err(Stop::TooDeep) => Err(Bound::Depth),
    }
}

enum Stop {
    Syntax(String),
    TooDeep,
}

struct Reader<'t> {
    text: &'t [u8],
    position: usize,
    depth: usize,
    deepest: usize,
    number_error: Option<String>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    fn unexpected<T>(&self, context: &str) -> Result<T, Stop> {
        // Go tries a space at the end: where one can't stand it is the space that is wrong.
        let byte = self.peek().or_else(|| {
            let takes_space = context.contains("beginning")
                || context.starts_with("after object")
                || context.starts_with("after array")
                || context == "in string literal";
            (!takes_space).then_some(b' ')
        });
        Err(Stop::Syntax(match byte {
            None => "unexpected end of JSON input".to_string(),
            Some(byte) => format!("invalid character {} {context}", quoted_byte(byte)),
        }))
    }

    fn skip_spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.position += 1;
        }
    }

    fn accept(&mut self, byte: u8) -> bool {
        let accepted = self.peek() == Some(byte);
        self.position += usize::from(accepted);
        accepted
    }

    fn document(&mut self) -> Result<Value, Stop> {
        let value = self.value()?;
        self.skip_spaces();
        match self.peek() {
            None => Ok(value),
            Some(_) => self.unexpected("after top-level value"),
        }
    }

    fn value(&mut self) -> Result<Value, Stop> {
        self.skip_spaces();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => {
                self.position += 1;
                Ok(Value::text(self.string()?))
            }
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Invalid),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.unexpected("looking for beginning of value"),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Stop>) -> Result<Value, Stop> {
        self.depth += 1;
        if self.depth > self.deepest {
            return Err(Stop::TooDeep);
        }
        self.position += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Result<Value, Stop> {
        let mut entries = Vec::new();
        self.skip_spaces();
        if self.accept(b'}') {
            return Ok(Value::map(&DICT, []));
        }
        loop {
            self.skip_spaces();
            if !self.accept(b'"') {
                return self.unexpected("looking for beginning of object key string");
            }
            let key = Value::text(self.string()?);
            self.skip_spaces();
            if !self.accept(b':') {
                return self.unexpected("after object key");
            }
            entries.push((key, self.value()?));
            self.skip_spaces();
            if self.accept(b'}') {
                return Ok(Value::map(&DICT, entries));
            }
            if !self.accept(b',') {
                return self.unexpected("after object key:value pair");
            }
        }
    }

    fn array(&mut self) -> Result<Value, Stop> {
        let mut items = Vec::new();
        self.skip_spaces();
        if self.accept(b']') {
            return Ok(Value::list(&ANY_LIST, items));
        }
        loop {
            items.push(self.value()?);
            self.skip_spaces();
            if self.accept(b']') {
                return Ok(appended(&ANY_LIST, items));
            }
            if !self.accept(b',') {
                return self.unexpected("after array element");
            }
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, Stop> {
        for (index, expected) in word.bytes().enumerate() {
            if !self.accept(expected) {
                let expected = char::from(expected);
                debug_assert!(index > 0);
                return self.unexpected(&format!("in literal {word} (expecting '{expected}')"));
            }
        }
        Ok(value)
    }

    fn digits(&mut self) -> bool {
        let start = self.position;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.position += 1;
        }
        self.position > start
    }

    fn number(&mut self) -> Result<Value, Stop> {
        let start = self.position;
        self.accept(b'-');
        if !self.accept(b'0') && !self.digits() {
            return self.unexpected("in numeric literal");
        }
        if self.accept(b'.') && !self.digits() {
            return self.unexpected("after decimal point in numeric literal");
        }
        if self.accept(b'e') || self.accept(b'E') {
            let signed = self.accept(b'+') || self.accept(b'-');
            if !self.digits() {
                debug_assert!(signed || self.position > start);
                return self.unexpected("in exponent of numeric literal");
            }
        }
        let text = characters::lossy(&self.text[start..self.position]);
        match parse_float(&text) {
            Some(number) => Ok(Value::Float64(number)),
            None => {
                self.number_error.get_or_insert(format!(
                    "json: cannot unmarshal number {text} into Go value of type float64"
                ));
                Ok(Value::Invalid)
            }
        }
    }

    fn string(&mut self) -> Result<Vec<u8>, Stop> {
        let mut out = Vec::new();
        loop {
            let rest = &self.text[self.position..];
            match characters::decode(rest) {
                None | Some(('\0'..='\u{1f}', _)) => {
                    return self.unexpected("in string literal");
                }
                Some(('"', _)) => {
                    self.position += 1;
                    return Ok(out);
                }
                Some(('\\', _)) => {
                    self.position += 1;
                    let character = self.escape()?;
                    characters::push(&mut out, character);
                }
                Some((character, width)) => {
                    self.position += width;
                    characters::push(&mut out, character);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Stop> {
        let character = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.position += 1;
                return self.unicode_escape();
            }
            _ => return self.unexpected("in string escape code"),
        };
        self.position += 1;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char, Stop> {
        let first = self.hexadecimal()?;
        if !(0xd800..0xdc00).contains(&first) || !self.text[self.position..].starts_with(b"\\u") {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.position;
        self.position += 2;
        let second = self.hexadecimal()?;
        if (0xdc00..0xe000).contains(&second) {
            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        self.position = before;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hexadecimal(&mut self) -> Result<u32, Stop> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return self.unexpected("in \\u hexadecimal character escape");
            };
            code = code * 16 + digit;
            self.position += 1;
        }
        Ok(code)
    }
}
