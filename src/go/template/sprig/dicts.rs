//! Maps with texts as keys.

use super::arguments::{DICT, is_empty, map, text};
use super::strings::to_text;
use crate::go::template::function::{Fault, Function, Outcome, fixed, variadic};
use crate::go::template::limits::{Bound, Limits};
use crate::go::template::value::{self, Key, List, Map, Type, Value};

use super::arguments::{ANY_LIST, STRING_LIST, appended, strings};

const ANY: Type = Type::Any;
const TEXT: Type = Type::String;

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("dict", &[], ANY, DICT, |limits, values| {
        let mut entries = Vec::new();
        for pair in values.chunks(2) {
            let key = Value::text(to_text(limits, &pair[0])?);
            let value = pair.get(1).cloned();
            entries.push((key, value.unwrap_or_else(|| Value::text(""))));
        }
        Ok(Value::map(&value::DICT, entries))
    }),
    fixed("get", &[DICT, TEXT], ANY, |_, values| {
        let found = map(&values, 0)?.get(&values[1]);
        Ok(found.unwrap_or_else(|| Value::text("")))
    }),
    fixed("set", &[DICT, TEXT, ANY], DICT, |_, values| {
        let dict = map(&values, 0)?;
        if !dict.set(values[1].clone(), values[2].clone()) {
            return Err("assignment to entry in nil map".into());
        }
        Ok(Value::Map(dict))
    }),
    fixed("unset", &[DICT, TEXT], DICT, |_, values| {
        let dict = map(&values, 0)?;
        if let Some(entries) = &dict.entries {
            entries.borrow_mut().remove(&Key(values[1].clone()));
        }
        Ok(Value::Map(dict))
    }),
    fixed("hasKey", &[DICT, TEXT], Type::Bool, |_, values| {
        let found = map(&values, 0)?.get(&values[1]);
        Ok(Value::Bool(found.is_some()))
    }),
    variadic("pluck", &[TEXT], DICT, ANY_LIST, |_, values| {
        let mut plucked = Vec::new();
        for index in 1..values.len() {
            plucked.extend(map(&values, index)?.get(&values[0]).map(Value::unwrapped));
        }
        Ok(appended(&value::ANY_LIST, plucked))
    }),
    variadic("keys", &[], DICT, STRING_LIST, |limits, values| {
        let mut keys = Vec::new();
        for index in 0..values.len() {
            let entries = map(&values, index)?.snapshot();
            limits.spend(entries.len())?;
            let mut own: Vec<Value> = entries.into_iter().map(|(key, _)| key).collect();
            limits.arrange("keys", &mut own);
            keys.extend(own);
        }
        Ok(strings(keys.iter().map(|key| match key {
            Value::String(text) => &text[..],
            _ => b"",
        })))
    }),
    fixed("values", &[DICT], ANY_LIST, |limits, values| {
        let entries = map(&values, 0)?.snapshot();
        let mut own: Vec<Value> = entries.into_iter().map(|(_, value)| value).collect();
        limits.arrange("values", &mut own);
        Ok(appended(&value::ANY_LIST, own))
    }),
    variadic("pick", &[DICT], TEXT, DICT, |_, values| {
        let dict = map(&values, 0)?;
        let picked = values[1..]
            .iter()
            .filter_map(|key| Some((key.clone(), dict.get(key)?.unwrapped())));
        Ok(Value::map(&value::DICT, picked))
    }),
    variadic("omit", &[DICT], TEXT, DICT, |_, values| {
        let omitted: Vec<_> = (1..values.len())
            .map(|index| text(&values, index))
            .collect();
        let kept = map(&values, 0)?
            .snapshot()
            .into_iter()
            .filter(|(key, _)| !matches!(key, Value::String(key) if omitted.contains(key)));
        Ok(Value::map(&value::DICT, kept))
    }),
    variadic("merge", &[DICT], DICT, ANY, |limits, values| {
        merged(limits, values, false)
    }),
    variadic("mustMerge", &[DICT], DICT, ANY, |limits, values| {
        merged(limits, values, false)
    }),
    variadic("mergeOverwrite", &[DICT], DICT, ANY, |limits, values| {
        merged(limits, values, true)
    }),
    variadic(
        "mustMergeOverwrite",
        &[DICT],
        DICT,
        ANY,
        |limits, values| merged(limits, values, true),
    ),
    fixed("deepCopy", &[ANY], ANY, |limits, values| {
        deep_copy(limits, &values[0], 0)
    }),
    fixed("mustDeepCopy", &[ANY], ANY, |limits, values| {
        deep_copy(limits, &values[0], 0)
    }),
    variadic("dig", &[], ANY, ANY, dig),
];

fn merged(limits: &mut Limits, values: Vec<Value>, overwrite: bool) -> Outcome {
    let mut target = map(&values, 0)?;
    for index in 1..values.len() {
        let source = map(&values, index)?;
        if target.entries.is_none()
            && source.entries.is_some()
            && let Value::Map(fresh) = Value::map(&value::DICT, [])
        {
            target = fresh;
        }
        merge(limits, &target, &source, overwrite, 0)?;
    }
    Ok(Value::Map(target))
}

/// Adds the source's entries to the target; with `overwrite` they win, else those that aren't empty stay.
fn merge(
    limits: &mut Limits,
    target: &Map,
    source: &Map,
    overwrite: bool,
    depth: usize,
) -> Result<(), Fault> {
    if depth > limits.depth {
        return Err(Bound::Depth.into());
    }
    for (key, value) in source.snapshot() {
        limits.spend(1)?;
        if matches!(value, Value::Invalid) {
            if overwrite {
                target.set(key, value);
            }
            continue;
        }
        let current = target.get(&key).map(Value::unwrapped);
        if let (Value::Map(value), Some(Value::Map(current))) = (&value, &current) {
            merge(limits, current, value, overwrite, depth + 1)?;
        }
        let keeps = match &current {
            Some(current) if !is_blank(current) => {
                !overwrite
                    || matches!(value, Value::List(_))
                    || matches!((&value, current), (Value::Map(_), Value::Map(_)))
            }
            _ => false,
        };
        if !keeps || (overwrite && matches!(value, Value::List(_))) {
            target.set(key, value);
        }
    }
    Ok(())
}

fn is_blank(value: &Value) -> bool {
    match value {
        // Numbers that are complex count as present.
        Value::Complex128(..) => false,
        other => is_empty(other),
    }
}

fn deep_copy(limits: &mut Limits, value: &Value, depth: usize) -> Outcome {
    if depth > limits.depth {
        return Err(Bound::Depth.into());
    }
    limits.spend(1)?;
    Ok(match value {
        Value::List(list) if list.items.is_some() => {
            let items = list
                .snapshot()
                .iter()
                .map(|item| deep_copy(limits, item, depth + 1))
                .collect::<Result<Vec<_>, _>>()?;
            Value::List(List::new(list.kind, items))
        }
        Value::Map(map) if map.entries.is_some() => {
            let entries = map
                .snapshot()
                .into_iter()
                .map(|(key, value)| Ok((key, deep_copy(limits, &value, depth + 1)?)))
                .collect::<Result<Vec<_>, Fault>>()?;
            Value::map(map.kind, entries)
        }
        other => other.clone(),
    })
}

fn dig(_: &mut Limits, values: Vec<Value>) -> Outcome {
    let [names @ .., otherwise, dict] = &values[..] else {
        return Err("dig needs at least three arguments".into());
    };
    if names.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let mut step = as_dict(dict)?;
    for name in names {
        if !matches!(name, Value::String(_)) {
            return Err(wrong_type(name, "string"));
        }
    }
    for (index, name) in names.iter().enumerate() {
        let Some(found) = step.get(name).map(Value::unwrapped) else {
            return Ok(otherwise.clone());
        };
        if index + 1 == names.len() {
            return Ok(found);
        }
        step = as_dict(&found)?;
    }
    Ok(otherwise.clone())
}

fn as_dict(value: &Value) -> Result<Map, Fault> {
    match value {
        Value::Map(map) if map.kind.name == value::DICT.name => Ok(map.clone()),
        other => Err(wrong_type(other, value::DICT.name)),
    }
}

/// What Go says about an interface that holds another type.
fn wrong_type(value: &Value, wanted: &str) -> Fault {
    let held = match value {
        Value::Invalid => "nil".to_string(),
        other => other.type_name(),
    };
    format!("interface conversion: interface {{}} is {held}, not {wanted}").into()
}
