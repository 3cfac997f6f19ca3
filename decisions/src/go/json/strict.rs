//! Reading JSON as Go's `encoding/json/v2` does: duplicate names and lone surrogates are errors, and so are numbers beyond a float
//! where they are decoded ([`Value::is_finite`]).
//!
//! What is read is a flat list of values, each before those inside it, so that depth costs no stack.

use std::collections::HashSet;

use crate::go::number::parse_float;

/// How deep values may be nested; the original's own bound.
const MAX_DEPTH: usize = 10_000;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

#[derive(Clone, Debug)]
struct Item {
    kind: Kind,
    /// The name under which it is a member of an object.
    name: Option<String>,
    /// Where it is in the text.
    start: usize,
    end: usize,
    /// The number of the item behind it and all inside it.
    after: usize,
}

/// The value that a text starts with.
#[derive(Clone, Debug)]
pub struct Document<'t> {
    text: &'t str,
    items: Vec<Item>,
    is_whole: bool,
}

/// A value in a document.
#[derive(Clone, Copy, Debug)]
pub struct Value<'d> {
    document: &'d Document<'d>,
    at: usize,
}

impl<'t> Document<'t> {
    /// Reads the value that a text starts with, whatever follows it; `None` if it isn't one that can be decoded.
    pub fn read_first(text: &'t str) -> Option<Self> {
        let mut reader = Reader {
            text,
            at: 0,
            items: Vec::new(),
            open: Vec::new(),
        };
        reader.read()?;
        reader.skip_spaces();
        Some(Self {
            text,
            is_whole: reader.at == text.len(),
            items: reader.items,
        })
    }

    /// Whether nothing follows the value.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The value.
    pub fn root(&self) -> Value<'_> {
        Value {
            document: self,
            at: 0,
        }
    }
}

impl<'d> Value<'d> {
    fn item(&self) -> &'d Item {
        &self.document.items[self.at]
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.item().kind
    }

    /// The name under which it is a member of an object; empty elsewhere.
    pub fn name(&self) -> &'d str {
        self.item().name.as_deref().unwrap_or_default()
    }

    /// A number as it is written.
    pub fn number(&self) -> &'d str {
        let item = self.item();
        &self.document.text[item.start..item.end]
    }

    /// Whether all numbers in it are within what a float holds: where it is decoded, others are errors.
    pub fn is_finite(&self) -> bool {
        let items = &self.document.items[self.at..self.item().after];
        let mut numbers = items.iter().filter(|item| item.kind == Kind::Number);
        numbers.all(|item| parse_float(&self.document.text[item.start..item.end]).is_ok())
    }

    /// The text of a string; `None` for other values.
    pub fn string(&self) -> Option<String> {
        let item = self.item();
        if item.kind != Kind::String {
            return None;
        }
        let mut at = item.start;
        read_string(self.document.text, &mut at)
    }

    /// The items of an array or the members of an object.
    pub fn children(&self) -> impl Iterator<Item = Value<'d>> + use<'d> {
        let document = self.document;
        let end = self.item().after;
        let mut next = self.at + 1;
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let at = next;
            next = document.items[at].after;
            Some(Value { document, at })
        })
    }

    /// The member of an object with this name.
    pub fn member(&self, name: &str) -> Option<Value<'d>> {
        if self.kind() != Kind::Object {
            return None;
        }
        self.children().find(|child| child.name() == name)
    }
}

/// An object or array that isn't complete.
struct Open {
    item: usize,
    names: Option<HashSet<String>>,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    items: Vec<Item>,
    open: Vec<Open>,
}

impl Reader<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.byte() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn read(&mut self) -> Option<()> {
        self.skip_spaces();
        self.value(None)?;
        while let Some(open) = self.open.last() {
            let is_object = open.names.is_some();
            let is_first = open.item + 1 == self.items.len();
            self.skip_spaces();
            if self.accept(if is_object { b'}' } else { b']' }) {
                self.close();
                continue;
            }
            if !is_first && !self.accept(b',') {
                return None;
            }
            self.skip_spaces();
            let name = if is_object {
                if self.byte() != Some(b'"') {
                    return None;
                }
                let name = read_string(self.text, &mut self.at)?;
                self.skip_spaces();
                if !self.accept(b':') {
                    return None;
                }
                self.skip_spaces();
                let names = self.open.last_mut()?.names.as_mut()?;
                if !names.insert(name.clone()) {
                    return None;
                }
                Some(name)
            } else {
                None
            };
            self.value(name)?;
        }
        Some(())
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.items[open.item].after = self.items.len();
            self.items[open.item].end = self.at;
        }
    }

    fn value(&mut self, name: Option<String>) -> Option<()> {
        let start = self.at;
        let kind = match self.byte()? {
            b'n' => self.literal("null", Kind::Null)?,
            b't' => self.literal("true", Kind::True)?,
            b'f' => self.literal("false", Kind::False)?,
            b'"' => {
                read_string(self.text, &mut self.at)?;
                Kind::String
            }
            b'[' | b'{' => {
                if self.open.len() >= MAX_DEPTH {
                    return None;
                }
                let is_object = self.byte() == Some(b'{');
                self.at += 1;
                self.open.push(Open {
                    item: self.items.len(),
                    names: is_object.then(HashSet::new),
                });
                if is_object { Kind::Object } else { Kind::Array }
            }
            _ => self.number()?,
        };
        self.items.push(Item {
            kind,
            name,
            start,
            end: self.at,
            after: self.items.len() + 1,
        });
        Some(())
    }

    fn literal(&mut self, literal: &str, kind: Kind) -> Option<Kind> {
        self.text[self.at..].strip_prefix(literal)?;
        self.at += literal.len();
        Some(kind)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<Kind> {
        self.accept(b'-');
        if !self.accept(b'0') {
            self.digits()?;
        }
        if self.accept(b'.') {
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.accept(b'+') {
                self.accept(b'-');
            }
            self.digits()?;
        }
        Some(Kind::Number)
    }
}

/// Reads the string whose `"` is at `at`, and moves behind it.
fn read_string(text: &str, at: &mut usize) -> Option<String> {
    let mut read = String::new();
    *at += 1;
    loop {
        let rest = &text[*at..];
        let length = rest.find(|character| matches!(character, '"' | '\\' | '\0'..='\u{1F}'))?;
        read.push_str(&rest[..length]);
        *at += length + 1;
        match rest.as_bytes()[length] {
            b'"' => return Some(read),
            b'\\' => read.push(escape(text, at)?),
            _ => return None,
        }
    }
}

/// Reads what follows a `\`.
fn escape(text: &str, at: &mut usize) -> Option<char> {
    let letter = *text.as_bytes().get(*at)?;
    *at += 1;
    Some(match letter {
        b'"' | b'\\' | b'/' => char::from(letter),
        b'b' => '\u{8}',
        b'f' => '\u{C}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = unit(text, at)?;
            if first & 0xFC00 != 0xD800 {
                return char::from_u32(u32::from(first));
            }
            if !text[*at..].starts_with("\\u") {
                return None;
            }
            *at += 2;
            let second = unit(text, at)?;
            return char::decode_utf16([first, second]).next()?.ok();
        }
        _ => return None,
    })
}

fn unit(text: &str, at: &mut usize) -> Option<u16> {
    let digits = text.get(*at..*at + 4)?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    *at += 4;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{Document, Kind};

    #[test]
    fn the_first_value_counts_and_must_be_decodable() {
        for text in [
            "{} x",
            " [1, {\"a\": null}]]",
            r#"{"a":"\ud83d\ude00 \u0041"}"#,
            "null",
            "-0.5e+3,",
        ] {
            assert!(Document::read_first(text).is_some(), "{text}");
        }
        for text in [
            "",
            "{\"a\":1,}",
            "[1 2]",
            "{\"a\":1,\"\\u0061\":2}",
            r#"["\ud800"]"#,
            "[01]",
            "[\"\t\"]",
            "{'a':1}",
            "+1",
        ] {
            assert!(Document::read_first(text).is_none(), "{text}");
        }
        assert!(Document::read_first(&"[".repeat(1_000_000)).is_none());
        let finite = |text| Document::read_first(text).unwrap().root().is_finite();
        assert!(finite("{\"a\": [1e300, \"1e999\"]}"));
        assert!(!finite("{\"a\": [1, 1e999]}"));
    }

    #[test]
    fn members_are_found_by_name() {
        let document = Document::read_first(r#"{"a": [1, 2], "b": {"c": "x\ty"}}"#).unwrap();
        let root = document.root();
        assert_eq!(root.children().count(), 2);
        assert_eq!(root.member("a").unwrap().children().count(), 2);
        let c = root.member("b").unwrap().member("c").unwrap();
        assert_eq!(
            (c.kind(), c.string().as_deref()),
            (Kind::String, Some("x\ty"))
        );
    }
}
