//! JSON as values, with Go's complaints.

use crate::go::json::{self, Json, SyntaxError};
use crate::go::template::limits::{Bound, Limits};
use crate::go::template::number::parse_float;
use crate::go::template::value::{ANY_LIST, DICT, Value};

use super::arguments::appended;

/// The value of a JSON text, and Go's error text where there is one. A text with a syntax error has no value; a number
/// out of range is an error, and nil in its place.
pub(super) fn read(limits: &mut Limits, text: &[u8]) -> Result<(Value, Option<String>), Bound> {
    limits.spend(text.len())?;
    match json::read_to_depth(text, limits.depth) {
        Ok(json) => {
            let mut complaint = None;
            let value = value_of(json, &mut complaint);
            Ok((value, complaint))
        }
        Err(SyntaxError::Depth) => Err(Bound::Depth),
        Err(error) => Ok((Value::Invalid, Some(error.to_string()))),
    }
}

fn value_of(json: Json, complaint: &mut Option<String>) -> Value {
    match json {
        Json::Null => Value::Invalid,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(text) => parse_float(&text).map_or_else(
            || {
                let number = format!("number {text}");
                complaint.get_or_insert_with(|| json::mismatch(&number, "", "float64"));
                Value::Invalid
            },
            Value::Float64,
        ),
        Json::String(text) => Value::text(text),
        Json::Array(items) if items.is_empty() => Value::list(&ANY_LIST, Vec::new()),
        Json::Array(items) => {
            let items = items.into_iter().map(|item| value_of(item, complaint));
            appended(&ANY_LIST, items.collect())
        }
        Json::Object(members) => {
            let members = members
                .into_iter()
                .map(|(key, value)| (Value::text(key), value_of(value, complaint)));
            Value::map(&DICT, members.collect::<Vec<_>>())
        }
    }
}
