//! The value of a scalar by its tag and text: `resolve.go`.

use std::borrow::Cow;

use super::Value;
use crate::go::base64;
use crate::go::number::parse_float;
use crate::go::time::Time;
use crate::yaml::resolve::{Resolved, resolve};
use crate::yaml::tree::{NodeId, Tag, View};

/// The tag of a node as it counts, in its short form. An alias has that of its target, which is not looked for here.
pub(super) fn tag_of<'t>(view: View<'t>, id: NodeId) -> Cow<'t, str> {
    match view.tag(id) {
        Tag::Explicit(tag) => String::from_utf8_lossy(tag),
        Tag::Implied(tag) => tag.into(),
    }
}

/// Whether a key merges another mapping into its own.
pub(super) fn is_merge(view: View<'_>, id: NodeId) -> bool {
    view.value(id) == "<<" && tag_of(view, id) == "!!merge"
}

/// What a scalar is, before what is large is put beside it.
pub(super) enum Found {
    Small(Value),
    Binary(Vec<u8>),
    Time(Time),
}

/// The value of a scalar.
///
/// # Errors
///
/// The text contradicts the tag: the library's text without `yaml: `.
pub(super) fn value_of(view: View<'_>, id: NodeId) -> Result<Found, String> {
    let text = view.value(id);
    let tag = tag_of(view, id);
    let wanted = match &*tag {
        "!!binary" => {
            let decoded = base64::decode(text.as_bytes(), true).map(Found::Binary);
            return decoded.map_err(|_| "!!binary value contains invalid base64 data".to_owned());
        }
        "!!bool" => Resolved::Bool,
        "!!int" => Resolved::Int,
        "!!float" => Resolved::Float,
        "!!null" => Resolved::Null,
        "!!timestamp" => Resolved::Timestamp,
        // A string, or of a type that isn't known.
        _ => return Ok(Found::Small(Value::Text(id))),
    };
    let found = match resolve(text) {
        // Only looked for where it is asked for.
        Resolved::Timestamp if wanted != Resolved::Timestamp => Resolved::String,
        found => found,
    };
    let as_text = Found::Small(Value::Text(id));
    let value = match found {
        Resolved::Null => Found::Small(Value::Null),
        Resolved::Bool => Found::Small(Value::Bool(text.starts_with(['t', 'T']))),
        Resolved::Int => integer(&text.replace('_', "")).map_or(as_text, Found::Small),
        Resolved::Float => Found::Small(Value::Float(float(text))),
        Resolved::Timestamp => time(text).map_or(as_text, Found::Time),
        Resolved::String => as_text,
    };
    match (value, wanted) {
        (Found::Small(Value::Int(number)), Resolved::Float) => {
            Ok(Found::Small(Value::Float(number as f64)))
        }
        (value, wanted) if found == wanted => Ok(value),
        _ => Err(format!("cannot decode {} `{text}` as a {tag}", found.tag())),
    }
}

/// An integer with the base that its prefix tells.
fn integer(digits: &str) -> Option<Value> {
    let (sign, bare) = match digits.as_bytes().first()? {
        b'-' => ("-", &digits[1..]),
        b'+' => ("", &digits[1..]),
        _ => ("", digits),
    };
    let (base, bare) = match bare.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &bare[2..]),
        [b'0', b'o' | b'O', ..] => (8, &bare[2..]),
        [b'0', b'b' | b'B', ..] => (2, &bare[2..]),
        [b'0', _, ..] => (8, &bare[1..]),
        _ => (10, bare),
    };
    let signed = format!("{sign}{bare}");
    let number = i64::from_str_radix(&signed, base).map(Value::Int);
    number
        .or_else(|_| u64::from_str_radix(&signed, base).map(Value::Uint))
        .ok()
}

fn float(text: &str) -> f64 {
    match text.trim_start_matches(['+', '-']) {
        ".inf" | ".Inf" | ".INF" if text.starts_with('-') => f64::NEG_INFINITY,
        ".inf" | ".Inf" | ".INF" => f64::INFINITY,
        _ => parse_float(&text.replace('_', "")).unwrap_or(f64::NAN),
    }
}

/// A time in one of the forms that are known.
fn time(text: &str) -> Option<Time> {
    const LAYOUTS: [&[u8]; 4] = [
        b"2006-1-2T15:4:5.999999999Z07:00",
        b"2006-1-2t15:4:5.999999999Z07:00",
        b"2006-1-2 15:4:5.999999999",
        b"2006-1-2",
    ];
    LAYOUTS
        .iter()
        .find_map(|layout| Time::parse(layout, text.as_bytes()).ok())
}
