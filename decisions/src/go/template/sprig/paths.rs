//! Paths with slashes.

use super::arguments::text;
use crate::go::template::function::{Function, Outcome, fixed};
use crate::go::template::limits::Limits;
use crate::go::template::value::{Type, Value};

const TEXT: Type = Type::String;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("base", &[TEXT], TEXT, base),
    fixed("osBase", &[TEXT], TEXT, base),
    fixed("dir", &[TEXT], TEXT, dir),
    fixed("osDir", &[TEXT], TEXT, dir),
    fixed("clean", &[TEXT], TEXT, clean),
    fixed("osClean", &[TEXT], TEXT, clean),
    fixed("ext", &[TEXT], TEXT, extension),
    fixed("osExt", &[TEXT], TEXT, extension),
    fixed("isAbs", &[TEXT], Type::Bool, is_absolute),
    fixed("osIsAbs", &[TEXT], Type::Bool, is_absolute),
];

fn is_absolute(_: &mut Limits, values: Vec<Value>) -> Outcome {
    Ok(Value::Bool(text(&values, 0).starts_with(b"/")))
}

fn base(_: &mut Limits, values: Vec<Value>) -> Outcome {
    let path = text(&values, 0);
    if path.is_empty() {
        return Ok(Value::text("."));
    }
    let end = path.iter().rposition(|byte| *byte != b'/');
    let Some(end) = end else {
        return Ok(Value::text("/"));
    };
    let name = path[..=end].rsplit(|byte| *byte == b'/').next();
    Ok(Value::text(name.unwrap_or_default()))
}

fn dir(_: &mut Limits, values: Vec<Value>) -> Outcome {
    let path = text(&values, 0);
    let end = memchr::memrchr(b'/', &path).map_or(0, |slash| slash + 1);
    Ok(Value::text(cleaned(&path[..end])))
}

fn clean(_: &mut Limits, values: Vec<Value>) -> Outcome {
    Ok(Value::text(cleaned(&text(&values, 0))))
}

fn extension(_: &mut Limits, values: Vec<Value>) -> Outcome {
    let path = text(&values, 0);
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let extension = memchr::memrchr(b'.', name).map_or(&b""[..], |dot| &name[dot..]);
    Ok(Value::text(extension))
}

/// The shortest path that means the same.
fn cleaned(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if kept.last().is_some_and(|last| *last != b"..") => {
                kept.pop();
            }
            b".." if rooted => {}
            part => kept.push(part),
        }
    }
    let joined = kept.join(&b"/"[..]);
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", &joined[..]].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}
