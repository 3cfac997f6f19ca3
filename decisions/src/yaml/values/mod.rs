//! A document as the values that go-yaml 3.0.4 decodes it into where nothing is known of their types: `decode.go`.
//!
//! Lists and mappings stand in lists of their own, so that however deep they are nested, nothing here goes down with them.

mod decoder;
mod scalar;
mod shown;

use super::tree::{NodeId, View};
use crate::go::time::Time;

/// The values of a document.
#[derive(Debug)]
pub(super) struct Values<'t> {
    view: View<'t>,
    /// The items of all lists, those of each together.
    items: Vec<Value>,
    /// Where the items of each list start and end.
    lists: Vec<(u32, u32)>,
    maps: Vec<Map>,
    times: Vec<Time>,
    binaries: Vec<Vec<u8>>,
}

/// A value; what doesn't fit is kept beside it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// An `int`.
    Int(i64),
    /// A `uint64`: what is too large for an `int`.
    Uint(u64),
    Float(f64),
    /// The text of a scalar.
    Text(NodeId),
    /// A string that was decoded from `!!binary`, and may be any bytes.
    Binary(u32),
    Time(u32),
    List(u32),
    Map(u32),
}

/// A mapping.
#[derive(Debug)]
pub(super) struct Map {
    /// Whether it is a `map[string]interface{}`, and not a `map[interface{}]interface{}`.
    pub(super) has_only_texts: bool,
    /// The fields in the order in which they were set. Where a key repeats, the last counts.
    pub(super) fields: Vec<(Value, Value)>,
}

impl<'t> Values<'t> {
    /// The root as a `map[string]interface{}`, which is the first mapping.
    ///
    /// # Errors
    ///
    /// The library's text, which starts with `yaml: `.
    pub(super) fn of_root(view: View<'t>) -> Result<Self, String> {
        decoder::decode(view)
    }

    /// The root.
    pub(super) fn root(&self) -> Value {
        Value::Map(0)
    }

    /// The items of a list.
    pub(super) fn list(&self, number: u32) -> &[Value] {
        let (start, end) = self.lists[number as usize];
        &self.items[start as usize..end as usize]
    }

    /// A mapping.
    pub(super) fn map(&self, number: u32) -> &Map {
        &self.maps[number as usize]
    }

    /// A time.
    pub(super) fn time(&self, number: u32) -> &Time {
        &self.times[number as usize]
    }

    /// The bytes of a string; of other values none.
    pub(super) fn text(&self, value: Value) -> &[u8] {
        match value {
            Value::Text(node) => self.view.value(node).as_bytes(),
            Value::Binary(number) => &self.binaries[number as usize],
            _ => &[],
        }
    }

    /// The fields of a mapping as Go's libraries sort them where all keys are strings, each key once.
    ///
    /// What is given are their numbers.
    pub(super) fn in_order(&self, map: &Map) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..map.fields.len() as u32).collect();
        if map.has_only_texts {
            let key = |number: &u32| self.text(map.fields[*number as usize].0);
            // The last of several comes first, and stays.
            numbers.sort_unstable_by(|left, right| {
                key(left).cmp(key(right)).then_with(|| right.cmp(left))
            });
            numbers.dedup_by(|later, first| key(later) == key(first));
        }
        numbers
    }
}
