//! Deep equality, as Go's reflection sees it.

use std::rc::Rc;

use crate::go::template::function::{Fault, Function, fixed};
use crate::go::template::limits::{Bound, Limits};
use crate::go::template::value::{Type, Value};

pub(super) static FUNCTIONS: &[Function] = &[fixed(
    "deepEqual",
    &[Type::Any, Type::Any],
    Type::Bool,
    |limits, values| Ok(Value::Bool(deeply_equal(limits, &values[0], &values[1])?)),
)];

/// `reflect.DeepEqual`
pub(super) fn deeply_equal(limits: &mut Limits, one: &Value, two: &Value) -> Result<bool, Fault> {
    equal(limits, one, two, 0)
}

fn equal(limits: &mut Limits, one: &Value, two: &Value, depth: usize) -> Result<bool, Fault> {
    limits.spend(1)?;
    if depth > limits.depth {
        return Err(Bound::Depth.into());
    }
    if one.type_name() != two.type_name() {
        return Ok(false);
    }
    let pairs: Vec<(Value, Value)> = match (one, two) {
        (Value::List(one), Value::List(two)) => {
            let (Some(items), Some(others)) = (&one.items, &two.items) else {
                return Ok(one.items.is_none() && two.items.is_none());
            };
            if one.length != two.length {
                return Ok(false);
            }
            if Rc::ptr_eq(items, others) && one.start == two.start {
                return Ok(true);
            }
            limits.spend(one.length)?;
            one.snapshot().into_iter().zip(two.snapshot()).collect()
        }
        (Value::Map(one), Value::Map(two)) => {
            let (Some(entries), Some(others)) = (&one.entries, &two.entries) else {
                return Ok(one.entries.is_none() && two.entries.is_none());
            };
            if one.len() != two.len() {
                return Ok(false);
            }
            if Rc::ptr_eq(entries, others) {
                return Ok(true);
            }
            limits.spend(one.len())?;
            let mut pairs = Vec::new();
            for (key, value) in one.snapshot() {
                let Some(other) = two.get(&key) else {
                    return Ok(false);
                };
                pairs.push((value, other.unwrapped()));
            }
            pairs
        }
        (Value::Struct(one), Value::Struct(two)) => {
            let fields = one.kind.fields.len();
            let pairs = one.fields.iter().cloned().zip(two.fields.iter().cloned());
            pairs.take(fields).collect()
        }
        (Value::Pointer(_, Some(one)), Value::Pointer(_, Some(two))) => {
            vec![(Value::Struct(one.clone()), Value::Struct(two.clone()))]
        }
        _ => return Ok(equal_basic(one, two)),
    };
    for (one, two) in &pairs {
        if !equal(limits, one, two, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_basic(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::String(one), Value::String(two)) => one == two,
        (Value::Float64(one), Value::Float64(two)) => one == two,
        (Value::Complex128(a, b), Value::Complex128(c, d)) => a == c && b == d,
        (Value::Bool(one), Value::Bool(two)) => one == two,
        _ => {
            one.signed() == two.signed()
                && one.unsigned() == two.unsigned()
                && one.is_nil() == two.is_nil()
        }
    }
}
