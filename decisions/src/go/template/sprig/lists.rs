//! Lists.

use super::arguments::is_empty;
use super::arguments::{ANY_LIST, appended, grown_capacity, int, list, to_int64};
use super::equality::deeply_equal;
use crate::go::template::function::{Fault, Function, Outcome, fixed, variadic};
use crate::go::template::limits::Limits;
use crate::go::template::value::{self, List, Type, Value};

const ANY: Type = Type::Any;
const LISTS: Type = Type::List(&value::ANY_LISTS);

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("list", &[], ANY, ANY_LIST, |_, values| Ok(new(values))),
    variadic("tuple", &[], ANY, ANY_LIST, |_, values| Ok(new(values))),
    fixed("first", &[ANY], ANY, first),
    fixed("mustFirst", &[ANY], ANY, first),
    fixed("last", &[ANY], ANY, last),
    fixed("mustLast", &[ANY], ANY, last),
    fixed("rest", &[ANY], ANY_LIST, rest),
    fixed("mustRest", &[ANY], ANY_LIST, rest),
    fixed("initial", &[ANY], ANY_LIST, initial),
    fixed("mustInitial", &[ANY], ANY_LIST, initial),
    fixed("append", &[ANY, ANY], ANY_LIST, push),
    fixed("mustAppend", &[ANY, ANY], ANY_LIST, push),
    fixed("push", &[ANY, ANY], ANY_LIST, push),
    fixed("mustPush", &[ANY, ANY], ANY_LIST, push),
    fixed("prepend", &[ANY, ANY], ANY_LIST, prepend),
    fixed("mustPrepend", &[ANY, ANY], ANY_LIST, prepend),
    fixed("reverse", &[ANY], ANY_LIST, reverse),
    fixed("mustReverse", &[ANY], ANY_LIST, reverse),
    fixed("uniq", &[ANY], ANY_LIST, unique),
    fixed("mustUniq", &[ANY], ANY_LIST, unique),
    fixed("compact", &[ANY], ANY_LIST, compact),
    fixed("mustCompact", &[ANY], ANY_LIST, compact),
    variadic("without", &[ANY], ANY, ANY_LIST, without),
    variadic("mustWithout", &[ANY], ANY, ANY_LIST, without),
    fixed("has", &[ANY, ANY], Type::Bool, has),
    fixed("mustHas", &[ANY, ANY], Type::Bool, has),
    variadic("slice", &[ANY], ANY, ANY, slice),
    variadic("mustSlice", &[ANY], ANY, ANY, slice),
    variadic("concat", &[], ANY, ANY, |limits, values| {
        let mut items = Vec::new();
        for value in &values {
            items.extend(match value {
                Value::List(list) => list.snapshot(),
                Value::Invalid => return Err(super::arguments::NIL_POINTER.into()),
                other => {
                    let kind = other.kind().name();
                    return Err(format!("Cannot concat type {kind} as list").into());
                }
            });
            limits.spend(items.len())?;
        }
        match items.is_empty() {
            true => Ok(nothing()),
            false => Ok(appended(&value::ANY_LIST, items)),
        }
    }),
    fixed("chunk", &[Type::Int, ANY], LISTS, chunk),
    fixed("mustChunk", &[Type::Int, ANY], LISTS, chunk),
];

fn new(items: Vec<Value>) -> Value {
    Value::list(&value::ANY_LIST, items)
}

/// Go's nil list.
fn nothing() -> Value {
    ANY_LIST.zero()
}

fn items(limits: &mut Limits, value: &Value, otherwise: &str) -> Result<Vec<Value>, Fault> {
    let list = list(value, otherwise)?;
    limits.spend(list.length * 16)?;
    Ok(list.snapshot())
}

fn first(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let items = items(limits, &values[0], "Cannot find first on type")?;
    Ok(items.into_iter().next().unwrap_or(Value::Invalid))
}

fn last(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let items = items(limits, &values[0], "Cannot find last on type")?;
    Ok(items.into_iter().next_back().unwrap_or(Value::Invalid))
}

fn rest(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let mut items = items(limits, &values[0], "Cannot find rest on type")?;
    if items.is_empty() {
        return Ok(nothing());
    }
    items.remove(0);
    Ok(new(items))
}

fn initial(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let mut items = items(limits, &values[0], "Cannot find initial on type")?;
    match items.pop() {
        None => Ok(nothing()),
        Some(_) => Ok(new(items)),
    }
}

fn push(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let mut items = items(limits, &values[0], "Cannot push on type")?;
    let capacity = grown_capacity(items.len(), items.len() + 1);
    items.push(values[1].clone());
    Ok(Value::List(List::with_capacity(
        &value::ANY_LIST,
        items,
        capacity,
    )))
}

fn prepend(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let mut items = items(limits, &values[0], "Cannot prepend on type")?;
    items.insert(0, values[1].clone());
    let capacity = match items.len() {
        1 => 1,
        length => grown_capacity(1, length),
    };
    Ok(Value::List(List::with_capacity(
        &value::ANY_LIST,
        items,
        capacity,
    )))
}

fn reverse(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let mut items = items(limits, &values[0], "Cannot find reverse on type")?;
    items.reverse();
    Ok(new(items))
}

fn unique(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let mut kept: Vec<Value> = Vec::new();
    for item in items(limits, &values[0], "Cannot find uniq on type")? {
        if !contains(limits, &kept, &item)? {
            kept.push(item);
        }
    }
    Ok(appended(&value::ANY_LIST, kept))
}

fn compact(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let mut items = items(limits, &values[0], "Cannot compact on type")?;
    items.retain(|item| !is_empty(item));
    Ok(appended(&value::ANY_LIST, items))
}

fn without(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let mut kept = Vec::new();
    for item in items(limits, &values[0], "Cannot find without on type")? {
        if !contains(limits, &values[1..], &item)? {
            kept.push(item);
        }
    }
    Ok(appended(&value::ANY_LIST, kept))
}

fn has(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    if matches!(values[1], Value::Invalid) {
        return Ok(Value::Bool(false));
    }
    let items = items(limits, &values[1], "Cannot find has on type")?;
    Ok(Value::Bool(contains(limits, &items, &values[0])?))
}

fn contains(limits: &mut Limits, items: &[Value], wanted: &Value) -> Result<bool, Fault> {
    for item in items {
        if deeply_equal(limits, wanted, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn slice(_: &mut Limits, values: Vec<Value>) -> Outcome {
    let list = list(&values[0], "list should be type of slice or array but")?;
    if list.length == 0 {
        return Ok(Value::Invalid);
    }
    let start = values.get(1).map_or(0, to_int64);
    let end = values.get(2).map_or(list.length as i64, to_int64);
    let window = usize::try_from(start)
        .ok()
        .zip(usize::try_from(end).ok())
        .filter(|(start, end)| start <= end && *end <= list.capacity());
    match window {
        None => Err("reflect.Value.Slice: slice index out of bounds".into()),
        Some((start, end)) => Ok(Value::List(List {
            start: list.start + start,
            length: end - start,
            ..list
        })),
    }
}

fn chunk(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let size = int(&values, 0);
    let items = items(limits, &values[1], "Cannot chunk type")?;
    let chunks = chunk_lengths(items.len(), size)?;
    let mut left = items.into_iter();
    let chunks = chunks
        .into_iter()
        .map(|length| new(left.by_ref().take(length).collect()))
        .collect();
    Ok(Value::list(&value::ANY_LISTS, chunks))
}

/// Go computes with floats here, so that a size of 0 or below fails in its own way.
fn chunk_lengths(count: usize, size: i64) -> Result<Vec<usize>, Fault> {
    let too_long = || Fault::from("runtime error: makeslice: len out of range");
    let chunks = ((count as f64 - 1.0) / size as f64).floor() + 1.0;
    if !(0.0..=count as f64 + 1.0).contains(&chunks) {
        return Err(too_long());
    }
    let chunks = chunks as usize;
    (0..chunks)
        .map(|index| {
            let rest = count as u64 % size.unsigned_abs().max(1);
            let length = match i64::try_from(rest) {
                Ok(rest) if rest != 0 && index + 1 == chunks => rest,
                _ => size,
            };
            usize::try_from(length).map_err(|_| too_long())
        })
        .collect()
}
