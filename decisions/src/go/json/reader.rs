//! Reading JSON as Go's `encoding/json` does: its complaints, its patience with duplicates, its look at struct fields.

use std::collections::BTreeMap;

use crate::go::template::{characters, number, quote};

/// A JSON value; the members of an object are in the text's order, duplicates among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A string; what isn't UTF-8 in it is `U+FFFD`.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

/// Why a text is no JSON; displays as Go's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// A character stands where it can't.
    #[error("{0}")]
    Unexpected(String),
    /// The text ends too early.
    #[error("unexpected end of JSON input")]
    End,
    /// Values stand in values, deeper than is read here. (Go's own bound is 10000.)
    #[error("exceeded max depth")]
    Depth,
}

/// How deep values may be nested where the caller has no bound of its own.
const DEEPEST: usize = 500;

/// Reads a text that is one value, as `json.Unmarshal` does.
///
/// # Errors
///
/// The text is no JSON, or more than one value.
pub fn read(text: &[u8]) -> Result<Json, SyntaxError> {
    read_to_depth(text, DEEPEST)
}

/// As [`read`], with a bound for how deep values may be nested.
///
/// # Errors
///
/// The text is no JSON, more than one value, or nested too deep.
pub fn read_to_depth(text: &[u8], deepest: usize) -> Result<Json, SyntaxError> {
    let mut reader = Reader::new(text, deepest);
    let value = reader.value()?;
    reader.skip_spaces();
    match reader.peek() {
        None => Ok(value),
        Some(_) => reader.unexpected("after top-level value"),
    }
}

/// Reads the value that the text starts with, whatever follows it, as `json.Decoder` does with a stream.
///
/// # Errors
///
/// The text starts with no JSON value.
pub fn read_first(text: &[u8]) -> Result<Json, SyntaxError> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    Reader::new(text, DEEPEST)
        .value()
        .map_err(|error| match error {
            SyntaxError::End if text.iter().all(blank) => SyntaxError::Unexpected("EOF".into()),
            SyntaxError::End => SyntaxError::Unexpected("unexpected EOF".into()),
            other => other,
        })
}

impl Json {
    /// The members of an object by which Go fills a struct's field called `name`: letter case doesn't matter.
    pub fn members<'j>(&'j self, name: &'j str) -> impl Iterator<Item = &'j Json> {
        let members: &[(String, Json)] = match self {
            Json::Object(members) => members,
            _ => &[],
        };
        members
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// What `fmt` prints for the value once it is decoded into an `any`: `map[b:[1 x] c:<nil>]`.
    pub fn printed(&self) -> String {
        match self {
            Json::Null => "<nil>".into(),
            Json::Bool(truth) => truth.to_string(),
            Json::Number(text) => number::parse_float(text).map_or_else(
                || text.clone(),
                |value| number::format_float(value, 'g', None),
            ),
            Json::String(text) => text.clone(),
            Json::Array(items) => {
                let items: Vec<String> = items.iter().map(Json::printed).collect();
                format!("[{}]", items.join(" "))
            }
            Json::Object(members) => {
                let members: BTreeMap<&str, String> = members
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.printed()))
                    .collect();
                let members: Vec<String> = members
                    .iter()
                    .map(|(key, value)| format!("{key}:{value}"))
                    .collect();
                format!("map[{}]", members.join(" "))
            }
        }
    }

    /// The kind's name in Go's complaints.
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "bool",
            Json::Number(_) => "number",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }
}

/// Go's complaint about a value that doesn't fit `place` (`Struct.field`, or nothing for the value as a whole) of a Go type.
pub fn mismatch(value: &str, place: &str, go_type: &str) -> String {
    if place.is_empty() {
        format!("json: cannot unmarshal {value} into Go value of type {go_type}")
    } else {
        format!("json: cannot unmarshal {value} into Go struct field {place} of type {go_type}")
    }
}

struct Reader<'t> {
    text: &'t [u8],
    position: usize,
    depth: usize,
    deepest: usize,
}

impl<'t> Reader<'t> {
    fn new(text: &'t [u8], deepest: usize) -> Self {
        Self {
            text,
            position: 0,
            depth: 0,
            deepest,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    fn unexpected<T>(&self, context: &str) -> Result<T, SyntaxError> {
        // Go tries a space at the end: where one can't stand it is the space that is wrong.
        let byte = self.peek().or_else(|| {
            let takes_space = context.contains("beginning")
                || context.starts_with("after object")
                || context.starts_with("after array")
                || context == "in string literal";
            (!takes_space).then_some(b' ')
        });
        Err(match byte {
            None => SyntaxError::End,
            Some(byte) => SyntaxError::Unexpected(format!(
                "invalid character {} {context}",
                quoted_byte(byte)
            )),
        })
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

    fn value(&mut self) -> Result<Json, SyntaxError> {
        self.skip_spaces();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => {
                self.position += 1;
                Ok(Json::String(self.string()?))
            }
            Some(b't') => self.literal("true", Json::Bool(true)),
            Some(b'f') => self.literal("false", Json::Bool(false)),
            Some(b'n') => self.literal("null", Json::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.unexpected("looking for beginning of value"),
        }
    }

    fn nested(
        &mut self,
        read: fn(&mut Self) -> Result<Json, SyntaxError>,
    ) -> Result<Json, SyntaxError> {
        self.depth += 1;
        if self.depth > self.deepest {
            return Err(SyntaxError::Depth);
        }
        self.position += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Result<Json, SyntaxError> {
        let mut members = Vec::new();
        self.skip_spaces();
        if self.accept(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_spaces();
            if !self.accept(b'"') {
                return self.unexpected("looking for beginning of object key string");
            }
            let key = self.string()?;
            self.skip_spaces();
            if !self.accept(b':') {
                return self.unexpected("after object key");
            }
            members.push((key, self.value()?));
            self.skip_spaces();
            if self.accept(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.accept(b',') {
                return self.unexpected("after object key:value pair");
            }
        }
    }

    fn array(&mut self) -> Result<Json, SyntaxError> {
        let mut items = Vec::new();
        self.skip_spaces();
        if self.accept(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.skip_spaces();
            if self.accept(b']') {
                return Ok(Json::Array(items));
            }
            if !self.accept(b',') {
                return self.unexpected("after array element");
            }
        }
    }

    fn literal(&mut self, word: &str, value: Json) -> Result<Json, SyntaxError> {
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

    fn number(&mut self) -> Result<Json, SyntaxError> {
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
        Ok(Json::Number(characters::lossy(
            &self.text[start..self.position],
        )))
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        let mut out = String::new();
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
                    out.push(self.escape()?);
                }
                Some((character, width)) => {
                    self.position += width;
                    out.push(character);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
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

    fn unicode_escape(&mut self) -> Result<char, SyntaxError> {
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

    fn hexadecimal(&mut self) -> Result<u32, SyntaxError> {
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

/// The text as Go shows a byte in JSON's error messages.
fn quoted_byte(byte: u8) -> String {
    match byte {
        b'\'' => "'\\''".to_string(),
        b'"' => "'\"'".to_string(),
        other => {
            let text = char::from(other).to_string();
            let quoted = characters::lossy(&quote::quote(text.as_bytes(), false));
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        read(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn complaints_are_gos() {
        assert_eq!(complaint(""), "unexpected end of JSON input");
        assert_eq!(complaint("{\"a\": "), "unexpected end of JSON input");
        assert_eq!(
            complaint("<html>"),
            "invalid character '<' looking for beginning of value"
        );
        assert_eq!(
            complaint("{} x"),
            "invalid character 'x' after top-level value"
        );
        assert_eq!(
            complaint("{\"a\" 1}"),
            "invalid character '1' after object key"
        );
        assert_eq!(complaint(&"[".repeat(501)), "exceeded max depth");
    }

    #[test]
    fn a_stream_gives_its_first_value() {
        let first = |text: &str| read_first(text.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(first(" [] x"), Ok(Json::Array(Vec::new())));
        assert_eq!(first(" \n"), Err("EOF".into()));
        assert_eq!(first("{\"tags\": [\"1"), Err("unexpected EOF".into()));
    }

    #[test]
    fn members_are_found_in_any_case_and_all_of_them() {
        let object = read(br#"{"Tags": 1, "TAGS": null, "tag": 2}"#).unwrap();
        assert_eq!(
            object.members("tags").collect::<Vec<_>>(),
            [&Json::Number("1".into()), &Json::Null]
        );
    }

    #[test]
    fn values_are_printed_as_fmt_does() {
        let value = read(
            br#"{"b": [1, 2.50, 1000000, "x y"], "a": null, "b": {"d": true}, "c": [1e21, {}]}"#,
        );
        assert_eq!(
            value.unwrap().printed(),
            "map[a:<nil> b:map[d:true] c:[1e+21 map[]]]"
        );
        assert_eq!(read(b"[1000000, 2.50]").unwrap().printed(), "[1e+06 2.5]");
    }

    #[test]
    fn strings_are_unescaped() {
        assert_eq!(
            read(br#""\u0041\ud83d\ude00\ud800\n""#).unwrap(),
            Json::String("A\u{1f600}\u{fffd}\n".into())
        );
    }
}
