//! YAML as `sigs.k8s.io/yaml` 1.6 turns it into JSON, by way of go-yaml 2.4: the types of YAML 1.1, with `yes` a boolean
//! and `010` an eight.

use std::collections::HashMap;

use base64::Engine as _;
use serde_json::{Map, Number, Value};

use super::ReadError;
use super::composer::compose;
use super::resolve::{is_binary_integer, is_finite_decimal, is_integer, is_timestamp};
use super::text::check;
use super::token::ScalarStyle;
use super::tree::{Kind, NodeId, Tag, Tree, View};

/// A text with more than this many values after its aliases are followed is refused.
const MOST_VALUES: usize = 4_000_000;

/// The first document of a text; `null` where there is none.
///
/// # Errors
///
/// It can't be read, or has no form in JSON.
pub fn to_json(text: &[u8]) -> Result<Value, ReadError> {
    let source = check(text);
    let mut tree = Tree::default();
    let Some(document) = compose(&source, 0, &mut tree)? else {
        return Ok(Value::Null);
    };
    let view = tree.view(&document, &source.text);
    Reading::new(view).value(view.root())
}

/// All documents of a text, cut at the lines that start with `---` as Kubernetes' own readers cut them; empty ones are
/// left out.
///
/// # Errors
///
/// One of them can't be read, or has no form in JSON.
pub fn stream_to_json(text: &str) -> Result<Vec<Value>, ReadError> {
    let mut values = Vec::new();
    for (line, document) in cut(text) {
        let value = to_json(document.as_bytes()).map_err(|mut error| {
            error.line += line;
            error
        })?;
        if !value.is_null() {
            values.push(value);
        }
    }
    Ok(values)
}

/// The documents with the number of lines before each.
fn cut(text: &str) -> Vec<(usize, &str)> {
    let (mut found, mut start, mut first, mut offset) = (Vec::new(), 0, 0, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if line.starts_with("---") {
            found.push((first, &text[start..offset]));
            // What stands behind the marker on its line is content only behind a space.
            let rest = line.trim_end();
            start = if rest.len() > 3 && !rest[3..].trim_start().starts_with('#') {
                offset
            } else {
                offset + line.len()
            };
            first = if start == offset { index } else { index + 1 };
        }
        offset += line.len();
    }
    found.push((first, &text[start..]));
    found
}

struct Reading<'t> {
    view: View<'t>,
    anchors: HashMap<&'t str, Vec<NodeId>>,
    /// Anchors whose node is being read: an alias inside of it would never end.
    open: Vec<NodeId>,
    values: usize,
}

impl<'t> Reading<'t> {
    fn new(view: View<'t>) -> Self {
        let mut anchors: HashMap<&'t str, Vec<NodeId>> = HashMap::new();
        for id in view.source_nodes() {
            let name = view.anchor(id);
            if !name.is_empty() {
                anchors.entry(name).or_default().push(id);
            }
        }
        Self {
            view,
            anchors,
            open: Vec::new(),
            values: 0,
        }
    }

    fn fault(&self, problem: &str) -> ReadError {
        ReadError::malformed(problem, 0)
    }

    fn value(&mut self, id: NodeId) -> Result<Value, ReadError> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(self.fault("document contains excessive aliasing"));
        }
        let view = self.view;
        match view.kind(id) {
            Kind::Scalar => scalar(view, id),
            Kind::Sequence => {
                let items = view.children(id).map(|item| self.value(item));
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
            Kind::Mapping => {
                let mut map = Map::new();
                self.fill(id, &mut map)?;
                Ok(Value::Object(map))
            }
            Kind::Alias => self.followed(id, view.value(id), Self::value),
        }
    }

    /// What an alias stands for: the last node before it with that anchor.
    fn followed<T>(
        &mut self,
        id: NodeId,
        name: &str,
        read: impl FnOnce(&mut Self, NodeId) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let all = self.anchors.get(name).map_or(&[][..], Vec::as_slice);
        let Some(target) = all.iter().rev().find(|anchor| **anchor < id).copied() else {
            return Err(self.fault("unknown anchor referenced"));
        };
        if self.open.contains(&target) {
            return Err(self.fault("an anchor's value contains itself"));
        }
        self.open.push(target);
        let read = read(self, target);
        self.open.pop();
        read
    }

    /// Adds a mapping's fields in order: a later one counts, merged ones included.
    fn fill(&mut self, id: NodeId, map: &mut Map<String, Value>) -> Result<(), ReadError> {
        for (key, value) in self.view.fields(id) {
            let is_merge = match self.view.tag(key) {
                Tag::Explicit(tag) => tag == b"!!merge",
                Tag::Implied(tag) => tag == "!!merge",
            };
            if is_merge {
                self.merge(value, map)?;
                continue;
            }
            let key = self.value(key)?;
            let key = key_text(key).ok_or_else(|| self.fault("a key has no form in JSON"))?;
            let value = self.value(value)?;
            map.insert(key, value);
        }
        Ok(())
    }

    fn merge(&mut self, id: NodeId, map: &mut Map<String, Value>) -> Result<(), ReadError> {
        let wrong = "map merge requires map or sequence of maps as the value";
        let view = self.view;
        match view.kind(id) {
            Kind::Mapping => self.fill(id, map),
            Kind::Alias => self.followed(id, view.value(id), |reading, target| {
                match reading.view.kind(target) {
                    Kind::Mapping => reading.fill(target, map),
                    _ => Err(reading.fault(wrong)),
                }
            }),
            Kind::Sequence => {
                // Earlier ones win, so that they come last.
                let items: Vec<NodeId> = view.children(id).collect();
                for item in items.into_iter().rev() {
                    if view.kind(item) == Kind::Sequence {
                        return Err(self.fault(wrong));
                    }
                    self.merge(item, map)?;
                }
                Ok(())
            }
            Kind::Scalar => Err(self.fault(wrong)),
        }
    }
}

fn key_text(key: Value) -> Option<String> {
    match key {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn scalar(view: View<'_>, id: NodeId) -> Result<Value, ReadError> {
    let text = view.value(id);
    let tag = match view.tag(id) {
        Tag::Explicit(tag) => Some(tag),
        Tag::Implied(_) => None,
    };
    let plain = view.style(id) == ScalarStyle::Plain;
    match tag {
        None if !plain => Ok(text.into()),
        None => resolved(text),
        Some(b"!!str" | b"!") => Ok(text.into()),
        Some(b"!!binary") => decoded(text),
        Some(b"!!int" | b"!!bool" | b"!!null" | b"!!float" | b"!!timestamp") => resolved(text),
        // Local tags are passed over.
        Some(_) => Ok(text.into()),
    }
}

fn decoded(text: &str) -> Result<Value, ReadError> {
    let compact: String = text.split_ascii_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(compact);
    let bytes = bytes
        .map_err(|_| ReadError::malformed("!!binary value contains invalid base64 data", 0))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned().into())
}

/// The value of an unquoted text by YAML 1.1.
fn resolved(text: &str) -> Result<Value, ReadError> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            true.into()
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            false.into()
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => {
            return Err(ReadError::malformed("the number has no form in JSON", 0));
        }
        _ => match text.as_bytes().first() {
            Some(b'+' | b'-' | b'0'..=b'9' | b'.') => number(text).unwrap_or_else(|| text.into()),
            _ => text.into(),
        },
    })
}

fn number(text: &str) -> Option<Value> {
    if is_timestamp(text) {
        return None;
    }
    if text.starts_with('.') {
        return is_finite_decimal(text).then(|| float(text)).flatten();
    }
    let digits = text.replace('_', "");
    if is_integer(&digits) || is_binary_integer(&digits) {
        return integer(&digits);
    }
    is_finite_decimal(&digits).then(|| float(&digits)).flatten()
}

fn integer(digits: &str) -> Option<Value> {
    let (negative, bare) = match digits.as_bytes().first()? {
        b'-' => (true, &digits[1..]),
        b'+' => (false, &digits[1..]),
        _ => (false, digits),
    };
    let (base, bare) = match bare.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &bare[2..]),
        [b'0', b'o' | b'O', ..] => (8, &bare[2..]),
        [b'0', b'b' | b'B', ..] => (2, &bare[2..]),
        [b'0', _, ..] => (8, &bare[1..]),
        _ => (10, bare),
    };
    let value = i128::from(u64::from_str_radix(bare, base).ok()?);
    let value = if negative { -value } else { value };
    i64::try_from(value)
        .map(Number::from)
        .or_else(|_| u64::try_from(value).map(Number::from))
        .ok()
        .map(Value::Number)
}

/// A whole number is written without a point, so that its reader takes it for an integer.
fn float(text: &str) -> Option<Value> {
    let value: f64 = text.parse().ok()?;
    let whole = value.fract() == 0.0 && value.abs() < 9.0e15;
    if whole {
        // Below 2^53 nothing is lost.
        return format!("{value:.0}").parse::<i64>().ok().map(Value::from);
    }
    Number::from_f64(value).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        to_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn unquoted_words_have_the_types_of_yaml_1_1() {
        let text = "a: yes\nb: 'yes'\nc: 010\nd: 1_000\ne: 1e3\nf: 1.50\ng: 2024-01-01\nh: 0x10\ni: ~\nj: 1:30\nk: -0\nl: 18446744073709551615\nm: !!str 1\nx: 0b11\no: 08\n";
        assert_eq!(
            read(text),
            json!({"a": true, "b": "yes", "c": 8, "d": 1000, "e": 1000, "f": 1.5, "g": "2024-01-01", "h": 16, "i": null,
                "j": "1:30", "k": 0, "l": 18_446_744_073_709_551_615_u64, "m": "1", "x": 3, "o": 8})
        );
    }

    #[test]
    fn aliases_and_merges_are_followed() {
        let text = "a: &x {b: 1, c: 2}\nd: *x\ne:\n  b: 3\n  <<: *x\nf:\n  <<: [*x, {b: 9, z: 1}]\n  c: 4\n";
        assert_eq!(
            read(text),
            json!({"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 2}, "e": {"b": 1, "c": 2}, "f": {"b": 1, "c": 4, "z": 1}})
        );
        assert!(to_json(b"a: &x [*x]\n").is_err());
    }

    #[test]
    fn keys_become_texts() {
        assert_eq!(read("1: a\ntrue: b\n"), json!({"1": "a", "true": "b"}));
        assert!(to_json(b"[1]: a\n").is_err());
    }

    #[test]
    fn texts_are_cut_at_their_separators() {
        let text = "a: 1\n---\n# nothing\n---\nb: |\n  x\n  ---\n--- # c\nc: 1\n";
        assert_eq!(
            stream_to_json(text).unwrap(),
            [json!({"a": 1}), json!({"b": "x\n---\n"}), json!({"c": 1})]
        );
        assert_eq!(stream_to_json("").unwrap(), Vec::<Value>::new());
    }
}
