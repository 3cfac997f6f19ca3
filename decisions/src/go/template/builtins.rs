//! The functions that every template has.

use std::cmp::Ordering;

use super::characters::{self, is_print};
use super::format;
use super::function::{Body, Fault, Function, Outcome, fixed, variadic};
use super::limits::{Bound, Limits};
use super::value::{Kind, Type, Value};

/// The builtins; `slice` is left to the function of the same name that hides it.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "and",
        parameters: &[Type::Reflect],
        variadic: Some(Type::Reflect),
        result: Type::Reflect,
        body: Body::ShortCircuit(false),
    },
    Function {
        name: "or",
        parameters: &[Type::Reflect],
        variadic: Some(Type::Reflect),
        result: Type::Reflect,
        body: Body::ShortCircuit(true),
    },
    Function {
        name: "call",
        parameters: &[Type::Reflect],
        variadic: Some(Type::Reflect),
        result: Type::Reflect,
        body: Body::CallValue,
    },
    fixed("not", &[Type::Reflect], Type::Bool, |_, values| {
        Ok(Value::Bool(!values[0].clone().unwrapped().truth()))
    }),
    variadic("html", &[], Type::Any, Type::String, |limits, values| {
        Ok(Value::text(escaped_html(&joined(limits, values)?)))
    }),
    variadic("js", &[], Type::Any, Type::String, |limits, values| {
        Ok(Value::text(escaped_javascript(&joined(limits, values)?)))
    }),
    variadic(
        "urlquery",
        &[],
        Type::Any,
        Type::String,
        |limits, values| Ok(Value::text(query_escaped(&joined(limits, values)?))),
    ),
    variadic(
        "index",
        &[Type::Reflect],
        Type::Reflect,
        Type::Reflect,
        index,
    ),
    fixed("len", &[Type::Reflect], Type::Int, |_, values| {
        length(&values[0])
    }),
    variadic("print", &[], Type::Any, Type::String, |limits, values| {
        Ok(Value::text(format::print(limits, &values)?))
    }),
    variadic("println", &[], Type::Any, Type::String, |limits, values| {
        Ok(Value::text(format::println(limits, &values)?))
    }),
    variadic(
        "printf",
        &[Type::String],
        Type::Any,
        Type::String,
        |limits, values| match values.split_first() {
            Some((Value::String(text), rest)) => {
                Ok(Value::text(format::printf(limits, text, rest)?))
            }
            _ => Ok(Value::text("")),
        },
    ),
    variadic(
        "eq",
        &[Type::Reflect],
        Type::Reflect,
        Type::Bool,
        |limits, values| Ok(Value::Bool(equal(limits, &values)?)),
    ),
    fixed("ne", &[Type::Reflect; 2], Type::Bool, |limits, values| {
        Ok(Value::Bool(!equal(limits, &values)?))
    }),
    fixed("lt", &[Type::Reflect; 2], Type::Bool, |_, values| {
        Ok(Value::Bool(less(&values[0], &values[1])?))
    }),
    fixed("le", &[Type::Reflect; 2], Type::Bool, |limits, values| {
        Ok(Value::Bool(less_or_equal(limits, &values)?))
    }),
    fixed("gt", &[Type::Reflect; 2], Type::Bool, |limits, values| {
        Ok(Value::Bool(!less_or_equal(limits, &values)?))
    }),
    fixed("ge", &[Type::Reflect; 2], Type::Bool, |_, values| {
        Ok(Value::Bool(!less(&values[0], &values[1])?))
    }),
];

fn length(value: &Value) -> Outcome {
    let (value, is_nil) = value.clone().indirect();
    if is_nil {
        return Err("len of nil pointer".into());
    }
    if matches!(value, Value::Invalid) {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    let length = match &value {
        Value::String(text) => text.len(),
        Value::List(list) => list.length,
        Value::Map(map) => map.len(),
        other => return Err(format!("len of type {}", other.type_name()).into()),
    };
    Ok(Value::Int(length as i64))
}

fn index(_: &mut Limits, values: Vec<Value>) -> Outcome {
    let mut values = values.into_iter().map(Value::unwrapped);
    let mut item = values.next().unwrap_or(Value::Invalid);
    if matches!(item, Value::Invalid) {
        return Err("index of untyped nil".into());
    }
    for index in values {
        let (target, is_nil) = item.indirect();
        if is_nil {
            return Err("index of nil pointer".into());
        }
        item = match &target {
            Value::String(text) => {
                let position = position(&index, text.len())?;
                let byte = text.get(position).copied();
                Value::Uint8(byte.ok_or("reflect: string index out of range")?)
            }
            Value::List(list) => {
                let position = position(&index, list.length)?;
                let element = list.at(position);
                element.ok_or("reflect: slice index out of range")?
            }
            Value::Map(map) => {
                let Some(kind) = index.kind_of_type() else {
                    return Err(
                        format!("value is nil; should be of type {}", map.kind.key.name()).into(),
                    );
                };
                if !kind.assignable_to(&map.kind.key) {
                    return Err(format!(
                        "value has type {}; should be {}",
                        kind.name(),
                        map.kind.key.name()
                    )
                    .into());
                }
                map.get(&index).unwrap_or_else(|| map.kind.element.zero())
            }
            other => {
                return Err(format!("can't index item of type {}", other.type_name()).into());
            }
        };
    }
    Ok(item)
}

fn position(index: &Value, length: usize) -> Result<usize, Fault> {
    let position = match (index.signed(), index.unsigned()) {
        (Some(position), _) => position,
        (None, Some(position)) => position as i64,
        (None, None) if matches!(index, Value::Invalid) => {
            return Err("cannot index slice/array with nil".into());
        }
        (None, None) => {
            return Err(format!("cannot index slice/array with type {}", index.type_name()).into());
        }
    };
    match usize::try_from(position) {
        Ok(place) if place <= length => Ok(place),
        _ => Err(format!("index out of range: {position}").into()),
    }
}

/// The kinds that `eq` and its like tell apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Basic {
    Bool,
    Complex,
    Int,
    Float,
    String,
    Uint,
}

fn basic(value: &Value) -> Option<Basic> {
    Some(match value.kind() {
        Kind::Bool => Basic::Bool,
        Kind::Int | Kind::Int64 => Basic::Int,
        Kind::Uint8 | Kind::Uint32 | Kind::Uint64 => Basic::Uint,
        Kind::Float64 => Basic::Float,
        Kind::Complex128 => Basic::Complex,
        Kind::String => Basic::String,
        _ => return None,
    })
}

fn incompatible(one: &Value, two: &Value) -> Fault {
    format!(
        "incompatible types for comparison: {} and {}",
        one.type_name(),
        two.type_name()
    )
    .into()
}

fn equal(limits: &mut Limits, values: &[Value]) -> Result<bool, Fault> {
    let values: Vec<Value> = values.iter().cloned().map(Value::unwrapped).collect();
    let Some((first, others)) = values.split_first() else {
        return Ok(false);
    };
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if equal_pair(limits, first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal_pair(limits: &mut Limits, one: &Value, two: &Value) -> Result<bool, Fault> {
    let (basic_one, basic_two) = (basic(one), basic(two));
    let Some(kind) = basic_one.filter(|_| basic_one == basic_two) else {
        return match (one, two) {
            _ if basic_one == basic_two => equal_composite(limits, one, two),
            (Value::Invalid, _) | (_, Value::Invalid) => Ok(false),
            _ => match (one.signed(), two.signed(), one.unsigned(), two.unsigned()) {
                (Some(signed), _, _, Some(unsigned)) | (_, Some(signed), Some(unsigned), _) => {
                    Ok(u64::try_from(signed) == Ok(unsigned))
                }
                _ => Err(incompatible(one, two)),
            },
        };
    };
    Ok(match (kind, one, two) {
        (Basic::Complex, Value::Complex128(a, b), Value::Complex128(c, d)) => a == c && b == d,
        (Basic::Bool, Value::Bool(one), Value::Bool(two)) => one == two,
        _ => order(kind, one, two) == Some(Ordering::Equal),
    })
}

fn order(kind: Basic, one: &Value, two: &Value) -> Option<Ordering> {
    match (kind, one, two) {
        (Basic::Float, Value::Float64(one), Value::Float64(two)) => one.partial_cmp(two),
        (Basic::String, Value::String(one), Value::String(two)) => Some(one.cmp(two)),
        (Basic::Int, one, two) => Some(one.signed()?.cmp(&two.signed()?)),
        (Basic::Uint, one, two) => Some(one.unsigned()?.cmp(&two.unsigned()?)),
        _ => None,
    }
}

fn equal_composite(limits: &mut Limits, one: &Value, two: &Value) -> Result<bool, Fault> {
    let (kind_one, kind_two) = (one.kind(), two.kind());
    if kind_one != kind_two && kind_one != Kind::Invalid && kind_two != Kind::Invalid {
        return Err(format!(
            "non-comparable types {}: {}, {}: {}",
            text_for_error(limits, one, 's')?,
            one.type_name(),
            two.type_name(),
            text_for_error(limits, two, 'v')?
        )
        .into());
    }
    if one.is_nil() || two.is_nil() {
        return Ok(one.is_nil() == two.is_nil());
    }
    if !two.kind_of_type().is_some_and(|kind| comparable(&kind)) {
        return Err(format!(
            "non-comparable type {}: {}",
            text_for_error(limits, two, 's')?,
            two.type_name()
        )
        .into());
    }
    Ok(identical(one, two))
}

fn text_for_error(limits: &mut Limits, value: &Value, verb: char) -> Result<String, Bound> {
    let text = format::verb(limits, value, verb)?;
    Ok(characters::lossy(&text))
}

fn comparable(kind: &Type) -> bool {
    match kind {
        Type::List(_) | Type::Map(_) => false,
        Type::Struct(kind) => kind.fields.iter().all(|field| comparable(&field.kind)),
        _ => true,
    }
}

/// Go's `==` on two interfaces that hold comparable values.
fn identical(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Struct(one), Value::Struct(two)) => {
            one.kind.name == two.kind.name
                && one
                    .fields
                    .iter()
                    .zip(&two.fields)
                    .take(one.kind.fields.len())
                    .all(|(one, two)| identical(one, two))
        }
        (Value::Pointer(_, Some(one)), Value::Pointer(_, Some(two))) => {
            std::rc::Rc::ptr_eq(one, two)
        }
        _ => {
            one.type_name() == two.type_name()
                && match basic(one) {
                    Some(Basic::Bool) => one.truth() == two.truth(),
                    Some(kind) => order(kind, one, two) == Some(Ordering::Equal),
                    None => one.is_nil() && two.is_nil(),
                }
        }
    }
}

fn less(one: &Value, two: &Value) -> Result<bool, Fault> {
    let (one, two) = (&one.clone().unwrapped(), &two.clone().unwrapped());
    let bad = || Fault::from("invalid type for comparison");
    let kind_one = basic(one).ok_or_else(bad)?;
    let kind_two = basic(two).ok_or_else(bad)?;
    match (kind_one, kind_two) {
        (Basic::Int, Basic::Uint) => {
            let (signed, unsigned) = (one.signed(), two.unsigned());
            Ok(signed
                .zip(unsigned)
                .is_some_and(|(one, two)| u64::try_from(one).map_or(true, |one| one < two)))
        }
        (Basic::Uint, Basic::Int) => {
            let (unsigned, signed) = (one.unsigned(), two.signed());
            Ok(unsigned
                .zip(signed)
                .is_some_and(|(one, two)| u64::try_from(two).is_ok_and(|two| one < two)))
        }
        (one_kind, two_kind) if one_kind != two_kind => Err(incompatible(one, two)),
        (Basic::Bool | Basic::Complex, _) => Err(bad()),
        (kind, _) => Ok(order(kind, one, two) == Some(Ordering::Less)),
    }
}

fn less_or_equal(limits: &mut Limits, values: &[Value]) -> Result<bool, Fault> {
    Ok(less(&values[0], &values[1])? || equal(limits, values)?)
}

/// The one text, or all values printed.
fn joined(limits: &mut Limits, values: Vec<Value>) -> Result<Vec<u8>, Fault> {
    if let [Value::String(text)] = &values[..] {
        return Ok(text.to_vec());
    }
    let values: Vec<Value> = values
        .into_iter()
        .map(|value| match value {
            Value::Invalid => Value::text("<no value>"),
            Value::Pointer(_, Some(target)) => Value::Struct(target),
            other => other,
        })
        .collect();
    Ok(format::print(limits, &values)?)
}

fn escaped_html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            other => out.push(*other),
        }
    }
    out
}

fn escaped_javascript(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((character, width)) = characters::decode(rest) {
        match character {
            '\\' => out.extend_from_slice(b"\\\\"),
            '\'' => out.extend_from_slice(b"\\'"),
            '"' => out.extend_from_slice(b"\\\""),
            '<' | '>' | '&' | '=' | '\0'..='\u{1f}' => {
                out.extend_from_slice(format!("\\u{:04X}", character as u32).as_bytes());
            }
            other if other.is_ascii() || is_print(other) => out.extend_from_slice(&rest[..width]),
            other => out.extend_from_slice(format!("\\u{:04X}", other as u32).as_bytes()),
        }
        rest = &rest[width..];
    }
    out
}

fn query_escaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b' ' => out.push(b'+'),
            byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) => out.push(*byte),
            other => out.extend_from_slice(format!("%{other:02X}").as_bytes()),
        }
    }
    out
}
