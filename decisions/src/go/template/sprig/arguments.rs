//! Arguments as the functions read them, and the lists that they give.

use crate::go::template::function::Fault;
use crate::go::template::number::{parse_float, parse_signed};
use crate::go::template::value::{List, ListType, Map, Text, Type, Value};

/// `map[string]interface {}`
pub(super) const DICT: Type = Type::Map(&crate::go::template::value::DICT);
/// `map[string]string`
pub(super) const STRING_MAP: Type = Type::Map(&crate::go::template::value::STRING_MAP);
/// `[]interface {}`
pub(super) const ANY_LIST: Type = Type::List(&crate::go::template::value::ANY_LIST);
/// `[]string`
pub(super) const STRING_LIST: Type = Type::List(&crate::go::template::value::STRING_LIST);

/// The bytes of a string argument.
pub(super) fn text(values: &[Value], index: usize) -> Text {
    match values.get(index) {
        Some(Value::String(text)) => text.clone(),
        _ => Text::from(&b""[..]),
    }
}

/// The number of an `int` argument.
pub(super) fn int(values: &[Value], index: usize) -> i64 {
    values.get(index).and_then(Value::signed).unwrap_or(0)
}

/// A map argument.
pub(super) fn map(values: &[Value], index: usize) -> Result<Map, Fault> {
    match values.get(index) {
        Some(Value::Map(map)) => Ok(map.clone()),
        _ => Err(NIL_POINTER.into()),
    }
}

/// What Go says when it follows a nil pointer.
pub(super) const NIL_POINTER: &str =
    "runtime error: invalid memory address or nil pointer dereference";

/// The list that a function wants; `otherwise` is what it says about another kind.
pub(super) fn list(value: &Value, otherwise: &str) -> Result<List, Fault> {
    match value {
        Value::List(list) => Ok(list.clone()),
        Value::Invalid => Err(NIL_POINTER.into()),
        other => Err(format!("{otherwise} {}", other.kind().name()).into()),
    }
}

/// A list of texts.
pub(super) fn strings<T: AsRef<[u8]>>(items: impl IntoIterator<Item = T>) -> Value {
    Value::list(
        &crate::go::template::value::STRING_LIST,
        items.into_iter().map(Value::text).collect(),
    )
}

/// A list that was made by appending item after item to an empty one: Go leaves it spare room.
pub(super) fn appended(kind: &'static ListType, items: Vec<Value>) -> Value {
    let mut capacity = 0;
    while capacity < items.len() {
        capacity = grown_capacity(capacity, capacity + 1);
    }
    Value::List(List::with_capacity(kind, items, capacity))
}

/// The capacity that Go gives to a list of interfaces that outgrows `old`.
pub(super) fn grown_capacity(old: usize, needed: usize) -> usize {
    let wanted = if needed > old * 2 {
        needed
    } else if old < 256 {
        old * 2
    } else {
        let mut capacity = old;
        while capacity < needed {
            capacity += (capacity + 3 * 256) >> 2;
        }
        capacity
    };
    rounded_size(wanted * 16) / 16
}

/// The sizes in which Go's allocator hands out memory.
fn rounded_size(size: usize) -> usize {
    const CLASSES: [usize; 67] = [
        8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320,
        352, 384, 416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792,
        2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864, 5120, 5376, 6144, 6528, 6784, 6912, 8192,
        9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576,
        27264, 28672,
    ];
    let header = if size > 512 { 8 } else { 0 };
    match CLASSES.iter().find(|class| **class >= size + header) {
        Some(class) => class - header,
        None if size + header <= 32768 => 32768 - header,
        None => size.div_ceil(8192) * 8192,
    }
}

/// `cast.ToInt64`: what can't be read is 0.
pub(super) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Int(number) | Value::Int64(number) => *number,
        Value::Named(kind, number) if kind.name != "time.Duration" => *number,
        Value::Uint8(_) | Value::Uint32(_) | Value::Uint64(_) => {
            value.unsigned().unwrap_or(0) as i64
        }
        Value::Float64(number) => float_to_int(*number),
        Value::String(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| parse_signed(without_zero_decimals(text), 0))
            .unwrap_or(0),
        Value::Bool(truth) => i64::from(*truth),
        _ => 0,
    }
}

/// Go's conversion on the machines that the controllers run on: what doesn't fit is the least number.
pub(super) fn float_to_int(number: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// `1.00` counts as `1`.
fn without_zero_decimals(text: &str) -> &str {
    match text.rsplit_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|digit| digit == b'0') => {
            whole
        }
        _ => text,
    }
}

/// `cast.ToFloat64`: what can't be read is 0.
pub(super) fn to_float64(value: &Value) -> f64 {
    match value {
        Value::Float64(number) => *number,
        Value::String(text) => std::str::from_utf8(text)
            .ok()
            .and_then(parse_float)
            .unwrap_or(0.0),
        Value::Uint64(number) => *number as f64,
        other => to_int64(other) as f64,
    }
}

/// Whether Sprig takes the value for empty.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Struct(_) => false,
        other => !other.truth(),
    }
}
