//! Texts.

use super::arguments::{STRING_LIST, STRING_MAP, int, strings, text};
use super::letters;
use super::wrapping;
use crate::go::template::characters::{self, is_space};
use crate::go::template::format;
use crate::go::template::function::{Fault, Function, Outcome, fixed, variadic};
use crate::go::template::limits::{Bound, Limits};
use crate::go::template::quote::quote;
use crate::go::template::value::{self, Type, Value};
use memchr::memmem;

const INT: Type = Type::Int;
const TEXT: Type = Type::String;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("hello", &[], TEXT, |_, _| Ok(Value::text("Hello!"))),
    fixed("abbrev", &[INT, TEXT], TEXT, |_, values| {
        let width = int(&values, 0);
        let text = text(&values, 1);
        Ok(match width {
            ..4 => Value::String(text),
            _ => Value::text(wrapping::abbreviated(&text, 0, width)),
        })
    }),
    fixed("abbrevboth", &[INT, INT, TEXT], TEXT, |_, values| {
        let (left, right) = (int(&values, 0), int(&values, 1));
        let text = text(&values, 2);
        Ok(match right {
            ..4 => Value::String(text),
            ..7 if left > 0 => Value::String(text),
            _ => Value::text(wrapping::abbreviated(&text, left, right)),
        })
    }),
    fixed("trunc", &[INT, TEXT], TEXT, |_, values| {
        let text = text(&values, 1);
        let (count, length) = (int(&values, 0), text.len() as i64);
        Ok(Value::text(match count {
            ..0 if length.saturating_add(count) > 0 => &text[(length + count) as usize..],
            0.. if length > count => &text[..count as usize],
            _ => &text[..],
        }))
    }),
    fixed("trim", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(trimmed(&text(&values, 0), is_space)))
    }),
    fixed("upper", &[TEXT], TEXT, |limits, values| {
        mapped(limits, &text(&values, 0), characters::to_upper)
    }),
    fixed("lower", &[TEXT], TEXT, |limits, values| {
        mapped(limits, &text(&values, 0), characters::to_lower)
    }),
    fixed("title", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(letters::title(&text(&values, 0))))
    }),
    fixed("untitle", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(letters::untitle(&text(&values, 0))))
    }),
    fixed("swapcase", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(letters::swap_case(&text(&values, 0))))
    }),
    fixed("camelcase", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(letters::pascal_case(&text(&values, 0))))
    }),
    fixed("snakecase", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(letters::joined_case(&text(&values, 0), '_')))
    }),
    fixed("kebabcase", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(letters::joined_case(&text(&values, 0), '-')))
    }),
    fixed("nospace", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(letters::without_spaces(&text(&values, 0))))
    }),
    fixed("initials", &[TEXT], TEXT, |_, values| {
        Ok(Value::text(letters::initials(&text(&values, 0))))
    }),
    fixed("shuffle", &[TEXT], TEXT, |limits, values| {
        let text = text(&values, 0);
        let mut shuffled: Vec<char> = characters::characters(&text)
            .map(|(character, _)| character)
            .collect();
        limits.arrange("shuffle", &mut shuffled);
        Ok(Value::text(shuffled.into_iter().collect::<String>()))
    }),
    fixed("substr", &[INT, INT, TEXT], TEXT, |_, values| {
        substring(int(&values, 0), int(&values, 1), &text(&values, 2))
    }),
    fixed("repeat", &[INT, TEXT], TEXT, |limits, values| {
        repeated(limits, &text(&values, 1), int(&values, 0)).map(Value::text)
    }),
    fixed("trimAll", &[TEXT, TEXT], TEXT, trim_set),
    fixed("trimall", &[TEXT, TEXT], TEXT, trim_set),
    fixed("trimSuffix", &[TEXT, TEXT], TEXT, |_, values| {
        let (suffix, text) = (text(&values, 0), text(&values, 1));
        let rest = text.strip_suffix(&suffix[..]).unwrap_or(&text);
        Ok(Value::text(rest))
    }),
    fixed("trimPrefix", &[TEXT, TEXT], TEXT, |_, values| {
        let (prefix, text) = (text(&values, 0), text(&values, 1));
        let rest = text.strip_prefix(&prefix[..]).unwrap_or(&text);
        Ok(Value::text(rest))
    }),
    fixed("contains", &[TEXT, TEXT], Type::Bool, |_, values| {
        let found = memmem::find(&text(&values, 1), &text(&values, 0));
        Ok(Value::Bool(found.is_some()))
    }),
    fixed("hasPrefix", &[TEXT, TEXT], Type::Bool, |_, values| {
        let (prefix, text) = (text(&values, 0), text(&values, 1));
        Ok(Value::Bool(text.starts_with(&prefix)))
    }),
    fixed("hasSuffix", &[TEXT, TEXT], Type::Bool, |_, values| {
        let (suffix, text) = (text(&values, 0), text(&values, 1));
        Ok(Value::Bool(text.ends_with(&suffix)))
    }),
    variadic("quote", &[], Type::Any, TEXT, |limits, values| {
        let quoted = each_text(limits, values, |limits, value| {
            Ok(quote(&to_text(limits, value)?, false))
        })?;
        Ok(Value::text(quoted.join(&b" "[..])))
    }),
    variadic("squote", &[], Type::Any, TEXT, |limits, values| {
        let quoted = each_text(limits, values, |limits, value| {
            let text = format::verb(limits, value, 'v')?;
            Ok([b"'", &text[..], b"'"].concat())
        })?;
        Ok(Value::text(quoted.join(&b" "[..])))
    }),
    variadic("cat", &[], Type::Any, TEXT, |limits, values| {
        let texts = each_text(limits, values, |limits, value| {
            format::verb(limits, value, 'v')
        })?;
        Ok(Value::text(texts.join(&b" "[..])))
    }),
    fixed("indent", &[INT, TEXT], TEXT, |limits, values| {
        indented(limits, int(&values, 0), &text(&values, 1)).map(Value::text)
    }),
    fixed("nindent", &[INT, TEXT], TEXT, |limits, values| {
        let indented = indented(limits, int(&values, 0), &text(&values, 1))?;
        Ok(Value::text([b"\n", &indented[..]].concat()))
    }),
    fixed("replace", &[TEXT, TEXT, TEXT], TEXT, |limits, values| {
        let (old, new, source) = (text(&values, 0), text(&values, 1), text(&values, 2));
        Ok(Value::text(replaced(limits, &source, &old, &new)?))
    }),
    fixed("plural", &[TEXT, TEXT, INT], TEXT, |_, values| {
        let choice = usize::from(int(&values, 2) != 1);
        Ok(values[choice].clone())
    }),
    fixed("wrap", &[INT, TEXT], TEXT, |limits, values| {
        wrapping::wrapped(limits, &text(&values, 1), int(&values, 0), b"", false)
    }),
    fixed("wrapWith", &[INT, TEXT, TEXT], TEXT, |limits, values| {
        let separator = text(&values, 1);
        wrapping::wrapped(limits, &text(&values, 2), int(&values, 0), &separator, true)
    }),
    fixed("toString", &[Type::Any], TEXT, |limits, values| {
        Ok(Value::text(to_text(limits, &values[0])?))
    }),
    fixed("toStrings", &[Type::Any], STRING_LIST, |limits, values| {
        to_texts(limits, &values[0])
    }),
    fixed("join", &[TEXT, Type::Any], TEXT, |limits, values| {
        let separator = text(&values, 0);
        let texts = texts_of(&to_texts(limits, &values[1])?);
        let length: usize = texts.iter().map(|text| text.len() + separator.len()).sum();
        limits.text(Some(length))?;
        Ok(Value::text(texts.join(&separator[..])))
    }),
    fixed(
        "sortAlpha",
        &[Type::Any],
        STRING_LIST,
        |limits, values| match &values[0] {
            Value::List(_) => Ok(sorted(to_texts(limits, &values[0])?)),
            other => Ok(strings([to_text(limits, other)?])),
        },
    ),
    fixed("splitList", &[TEXT, TEXT], STRING_LIST, |limits, values| {
        let parts = split(limits, &text(&values, 1), &text(&values, 0), -1)?;
        Ok(strings(parts))
    }),
    fixed("split", &[TEXT, TEXT], STRING_MAP, |limits, values| {
        let parts = split(limits, &text(&values, 1), &text(&values, 0), -1)?;
        Ok(numbered(parts))
    }),
    fixed(
        "splitn",
        &[TEXT, INT, TEXT],
        STRING_MAP,
        |limits, values| {
            let count = int(&values, 1);
            let parts = split(limits, &text(&values, 2), &text(&values, 0), count)?;
            Ok(numbered(parts))
        },
    ),
    fixed("regexQuoteMeta", &[TEXT], TEXT, |_, values| {
        let text = text(&values, 0);
        let mut out = Vec::with_capacity(text.len());
        for byte in text.iter() {
            if b"\\.+*?()|[]{}^$".contains(byte) {
                out.push(b'\\');
            }
            out.push(*byte);
        }
        Ok(Value::text(out))
    }),
    fixed("fail", &[TEXT], TEXT, |_, values| {
        Err(characters::lossy(&text(&values, 0)).into())
    }),
];

fn mapped(limits: &mut Limits, text: &[u8], change: fn(char) -> char) -> Outcome {
    limits.text(Some(text.len()))?;
    Ok(Value::text(characters::map(text, change)))
}

/// The value as a text, as Sprig makes it.
pub(super) fn to_text(limits: &mut Limits, value: &Value) -> Result<Vec<u8>, Bound> {
    match value {
        Value::String(text) => Ok(text.to_vec()),
        other => match other.as_bytes().or_else(|| other.stringer()) {
            Some(text) => Ok(text),
            None => format::verb(limits, other, 'v'),
        },
    }
}

/// The value as a list of texts; a list of texts is given as it is.
fn to_texts(limits: &mut Limits, value: &Value) -> Outcome {
    match value {
        Value::Invalid => Ok(strings::<&[u8]>([])),
        Value::List(list) if list.kind.name == "[]string" => Ok(value.clone()),
        Value::List(list) => Ok(strings(each_text(limits, list.snapshot(), to_text)?)),
        other => Ok(strings([to_text(limits, other)?])),
    }
}

fn texts_of(value: &Value) -> Vec<Vec<u8>> {
    match value {
        Value::List(list) => list
            .snapshot()
            .iter()
            .map(|item| match item {
                Value::String(text) => text.to_vec(),
                _ => Vec::new(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Sorts in place, as Go does: who else holds the list sees it sorted.
fn sorted(value: Value) -> Value {
    if let Value::List(value::List {
        items: Some(items),
        start,
        length,
        ..
    }) = &value
    {
        items.borrow_mut()[*start..start + length].sort_by_key(|item| value::Key(item.clone()));
    }
    value
}

fn each_text(
    limits: &mut Limits,
    values: Vec<Value>,
    text: impl Fn(&mut Limits, &Value) -> Result<Vec<u8>, Bound>,
) -> Result<Vec<Vec<u8>>, Fault> {
    let mut texts = Vec::new();
    let mut total = 0;
    for value in values {
        if !matches!(value, Value::Invalid) {
            let text = text(limits, &value)?;
            total += text.len() + 1;
            limits.text(Some(total))?;
            texts.push(text);
        }
    }
    Ok(texts)
}

pub(super) fn trimmed(text: &[u8], drop: impl Fn(char) -> bool) -> &[u8] {
    let mut rest = text;
    while let Some((character, width)) = characters::decode(rest)
        && drop(character)
    {
        rest = &rest[width..];
    }
    let mut end = 0;
    let mut position = 0;
    for (character, width) in characters::characters(rest) {
        position += width;
        if !drop(character) {
            end = position;
        }
    }
    &rest[..end]
}

fn trim_set(_: &mut Limits, values: Vec<Value>) -> Outcome {
    let set: Vec<char> = characters::characters(&text(&values, 0))
        .map(|(character, _)| character)
        .collect();
    let text = text(&values, 1);
    Ok(Value::text(trimmed(&text, |character| {
        set.contains(&character)
    })))
}

fn substring(start: i64, end: i64, text: &[u8]) -> Outcome {
    let length = text.len() as i64;
    let out_of_range =
        |detail: String| Err(format!("runtime error: slice bounds out of range [{detail}").into());
    if start < 0 {
        return match end {
            ..0 => out_of_range(format!(":{end}]")),
            _ if end > length => out_of_range(format!(":{end}] with length {length}")),
            _ => Ok(Value::text(&text[..end as usize])),
        };
    }
    if end < 0 || end > length {
        return match start {
            _ if start > length => out_of_range(format!("{start}:{length}]")),
            _ => Ok(Value::text(&text[start as usize..])),
        };
    }
    if start > end {
        return out_of_range(format!("{start}:{end}]"));
    }
    Ok(Value::text(&text[start as usize..end as usize]))
}

fn repeated(limits: &mut Limits, text: &[u8], count: i64) -> Result<Vec<u8>, Fault> {
    let Ok(count) = usize::try_from(count) else {
        return Err("strings: negative Repeat count".into());
    };
    limits.text(text.len().checked_mul(count))?;
    Ok(if text.is_empty() {
        Vec::new()
    } else {
        text.repeat(count)
    })
}

fn indented(limits: &mut Limits, spaces: i64, text: &[u8]) -> Result<Vec<u8>, Fault> {
    let pad = repeated(limits, b" ", spaces)?;
    let lines = memchr::memchr_iter(b'\n', text).count() + 1;
    let length = pad.len().checked_mul(lines);
    limits.text(length.map(|length| length + text.len()))?;
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let separator = [b"\n", &pad[..]].concat();
    Ok([pad, lines.join(&separator[..])].concat())
}

fn replaced(limits: &mut Limits, source: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>, Fault> {
    if old == new {
        return Ok(source.to_vec());
    }
    if old.is_empty() {
        limits.text((source.len() + 1).checked_mul(new.len() + 4))?;
        let mut out = new.to_vec();
        let mut rest = source;
        while let Some((_, width)) = characters::decode(rest) {
            out.extend_from_slice(&rest[..width]);
            out.extend_from_slice(new);
            rest = &rest[width..];
        }
        return Ok(out);
    }
    let found: Vec<usize> = memmem::find_iter(source, old).collect();
    let added = found.len().checked_mul(new.len());
    limits.text(added.map(|added| added + source.len()))?;
    let mut out = Vec::new();
    let mut start = 0;
    for place in found {
        out.extend_from_slice(&source[start..place]);
        out.extend_from_slice(new);
        start = place + old.len();
    }
    out.extend_from_slice(&source[start..]);
    Ok(out)
}

/// `strings.SplitN`; a negative count means all parts.
pub(super) fn split(
    limits: &mut Limits,
    text: &[u8],
    separator: &[u8],
    count: i64,
) -> Result<Vec<Vec<u8>>, Fault> {
    limits.text(text.len().checked_mul(16).or(None))?;
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    if most == 0 {
        return Ok(Vec::new());
    }
    let mut parts = Vec::new();
    let mut rest = text;
    if separator.is_empty() {
        while let Some((_, width)) = characters::decode(rest) {
            let width = if parts.len() + 1 == most {
                rest.len()
            } else {
                width
            };
            parts.push(rest[..width].to_vec());
            rest = &rest[width..];
        }
        return Ok(parts);
    }
    while parts.len() + 1 < most {
        let Some(place) = memmem::find(rest, separator) else {
            break;
        };
        parts.push(rest[..place].to_vec());
        rest = &rest[place + separator.len()..];
    }
    parts.push(rest.to_vec());
    Ok(parts)
}

/// `_0`, `_1` and so on.
fn numbered(parts: Vec<Vec<u8>>) -> Value {
    let entries = parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| (Value::text(format!("_{index}")), Value::text(part)));
    Value::map(&value::STRING_MAP, entries)
}
