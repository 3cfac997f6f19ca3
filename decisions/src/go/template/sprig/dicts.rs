//! Maps with texts as keys.

use std::rc::Rc;

use super::arguments::{DICT, is_empty, map, text};
use super::strings::to_text;
use crate::go::template::function::{Fault, Function, Outcome, fixed, variadic};
use crate::go::template::limits::{Bound, Limits};
use crate::go::template::value::{self, Key, List, Map, Struct, Type, Value};

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
        or_nothing(merged(limits, values, false))
    }),
    variadic("mustMerge", &[DICT], DICT, ANY, |limits, values| {
        Ok(merged(limits, values, false)?)
    }),
    variadic("mergeOverwrite", &[DICT], DICT, ANY, |limits, values| {
        or_nothing(merged(limits, values, true))
    }),
    variadic(
        "mustMergeOverwrite",
        &[DICT],
        DICT,
        ANY,
        |limits, values| Ok(merged(limits, values, true)?),
    ),
    fixed("deepCopy", &[ANY], ANY, copied),
    fixed("mustDeepCopy", &[ANY], ANY, copied),
    variadic("dig", &[], ANY, ANY, dig),
];

/// What ends a merge.
enum MergeFault {
    /// Values that can't be merged: an error that only the functions with `must` tell.
    Differs,
    Fault(Fault),
}

impl From<Fault> for MergeFault {
    fn from(fault: Fault) -> Self {
        MergeFault::Fault(fault)
    }
}

impl From<Bound> for MergeFault {
    fn from(bound: Bound) -> Self {
        MergeFault::Fault(bound.into())
    }
}

impl From<String> for MergeFault {
    fn from(message: String) -> Self {
        MergeFault::Fault(message.into())
    }
}

impl From<MergeFault> for Fault {
    fn from(fault: MergeFault) -> Self {
        match fault {
            MergeFault::Differs => "src and dst must be of same type".into(),
            MergeFault::Fault(fault) => fault,
        }
    }
}

/// An empty text where values can't be merged.
fn or_nothing(merged: Result<Value, MergeFault>) -> Outcome {
    match merged {
        Err(MergeFault::Differs) => Ok(Value::text("")),
        merged => Ok(merged?),
    }
}

fn merged(limits: &mut Limits, values: Vec<Value>, overwrite: bool) -> Result<Value, MergeFault> {
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
) -> Result<(), MergeFault> {
    if depth > limits.depth {
        return Err(Bound::Depth.into());
    }
    let mut entries = source.snapshot();
    let current = |key: &Value| target.get(key).map_or(Value::Invalid, Value::unwrapped);
    if !overwrite
        && entries
            .iter()
            .any(|(key, value)| ends_merge(&current(key), value))
    {
        // What was merged before the end stays.
        limits.arrange(
            "what a merge that can't be done leaves behind",
            &mut entries,
        );
    }
    for (key, value) in entries {
        limits.spend(1)?;
        let current = current(&key);
        if value.is_nil() {
            if overwrite {
                put(target, key, value)?;
            }
            continue;
        }
        if matches!(value, Value::Map(_) | Value::Struct(_) | Value::Pointer(..)) {
            merge_element(limits, &current, &value, overwrite, depth + 1)?;
        }
        let keeps = !is_blank(&current)
            && (!overwrite
                || matches!(value, Value::List(_))
                || matches!((&value, &current), (Value::Map(_), Value::Map(_))));
        if !keeps || (overwrite && matches!(value, Value::List(_))) {
            put(target, key, value)?;
        }
    }
    Ok(())
}

/// Merges into what an entry holds, which itself can't be replaced here.
fn merge_element(
    limits: &mut Limits,
    target: &Value,
    source: &Value,
    overwrite: bool,
    depth: usize,
) -> Result<(), MergeFault> {
    match (target, source) {
        (Value::Map(target), Value::Map(source)) => {
            // A nil map can't be filled in place.
            match target.entries.is_none() && source.entries.is_some() {
                true => Ok(()),
                false => merge(limits, target, source, overwrite, depth),
            }
        }
        (Value::Map(target), Value::Struct(_)) if target.entries.is_none() => {
            Err(Fault::from("reflect: call of reflect.Value.IsNil on struct Value").into())
        }
        (Value::Struct(target), _) if target.kind.fields.iter().any(is_exported) => {
            let Value::Struct(source) = source else {
                let kind = source.kind().name();
                return Err(format!("reflect: call of reflect.Value.Field on {kind} Value").into());
            };
            for (index, field) in target.fields.iter().enumerate() {
                if index == target.kind.fields.len() {
                    break;
                }
                if index >= source.kind.fields.len() {
                    return Err(Fault::from("reflect: Field index out of range").into());
                }
                merge_element(limits, field, &source.fields[index], overwrite, depth + 1)?;
            }
            Ok(())
        }
        _ if !overwrite && ends_merge(target, source) => Err(MergeFault::Differs),
        _ => Ok(()),
    }
}

/// Whether a value can't be merged into what a pointer points to.
fn ends_merge(target: &Value, source: &Value) -> bool {
    match (target, source) {
        (Value::Pointer(pointed, Some(_)), Value::Struct(source)) => {
            pointed.name != source.kind.name
        }
        (Value::Pointer(_, Some(_)), Value::Map(source)) => source.entries.is_some(),
        (Value::Map(target), Value::Map(source)) => {
            let entries = source.snapshot();
            entries.iter().any(|(key, value)| {
                let current = target.get(key).map_or(Value::Invalid, Value::unwrapped);
                matches!(current, Value::Pointer(..)) && ends_merge(&current, value)
            })
        }
        _ => false,
    }
}

/// Sets an entry, of a map of texts too.
fn put(target: &Map, key: Value, value: Value) -> Result<(), Fault> {
    let element = target.kind.element;
    let fits = value
        .kind_of_type()
        .is_none_or(|kind| kind.assignable_to(&element));
    if !fits {
        return Err(format!(
            "reflect.Value.SetMapIndex: value of type interface {{}} is not assignable to type {}",
            element.name()
        )
        .into());
    }
    target.set(key, value);
    Ok(())
}

fn is_exported(field: &value::Field) -> bool {
    field.name.starts_with(char::is_uppercase)
}

fn is_blank(value: &Value) -> bool {
    match value {
        // Numbers that are complex count as present.
        Value::Complex128(..) => false,
        other => is_empty(other),
    }
}

fn copied(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    match &values[0] {
        Value::Invalid => Err("reflect: call of reflect.Value.Type on zero Value".into()),
        value => deep_copy(limits, value, 0),
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
        Value::Struct(structure) if structure.kind.name != "time.Time" => {
            Value::Struct(Rc::new(copied_structure(limits, structure, depth)?))
        }
        Value::Pointer(kind, Some(target)) => {
            let target = copied_structure(limits, target, depth)?;
            Value::Pointer(kind, Some(Rc::new(target)))
        }
        other => other.clone(),
    })
}

/// A copy has the exported fields only.
fn copied_structure(
    limits: &mut Limits,
    structure: &Struct,
    depth: usize,
) -> Result<Struct, Fault> {
    let mut fields = structure.fields.clone();
    for (field, value) in structure.kind.fields.iter().zip(&mut fields) {
        *value = match is_exported(field) {
            true => deep_copy(limits, value, depth + 1)?,
            false => field.kind.zero(),
        };
    }
    Ok(Struct {
        kind: structure.kind,
        fields,
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
