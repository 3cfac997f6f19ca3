//! Addresses taken apart and put together.

use super::arguments::{DICT, map, text};
use crate::go::template::characters::{marked, unmarked};
use crate::go::template::function::{Fault, Function, Outcome, fixed};
use crate::go::template::limits::Limits;
use crate::go::template::value::{self, Map, Type, Value};
use crate::go::url::{Part, Url, User, escaped};

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("urlParse", &[Type::String], DICT, url_parse),
    fixed("urlJoin", &[DICT], Type::String, url_join),
];

fn url_parse(_: &mut Limits, values: Vec<Value>) -> Outcome {
    let address = Url::parse(&marked(&text(&values, 0)))
        .map_err(|error| format!("unable to parse url: {error}"))?;
    let user = address.user.as_ref().map(User::text).unwrap_or_default();
    let entries = [
        ("scheme", address.scheme.as_bytes()),
        ("host", &address.host),
        ("hostname", address.host_name()),
        ("path", &address.path),
        ("query", &unmarked(&address.query)),
        ("opaque", &unmarked(&address.opaque)),
        ("fragment", &address.fragment),
        ("userinfo", &user),
    ];
    let entries = entries.map(|(key, value)| (Value::text(key), Value::text(value)));
    Ok(Value::map(&value::DICT, entries))
}

fn part_of(dict: &Map, key: &str) -> Result<Vec<u8>, Fault> {
    match dict.get(&Value::text(key)).map(Value::unwrapped) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.to_vec()),
        Some(Value::Invalid) => Err(super::arguments::NIL_POINTER.into()),
        Some(other) => Err(format!(
            "unable to parse {key} key, must be of type string, but {} found",
            other.kind().name()
        )
        .into()),
    }
}

fn url_join(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let dict = map(&values, 0)?;
    let [scheme, host, path, query, opaque, fragment] =
        ["scheme", "host", "path", "query", "opaque", "fragment"].map(|key| part_of(&dict, key));
    let (scheme, host, path) = (scheme?, host?, path?);
    let (query, opaque, fragment) = (query?, opaque?, fragment?);
    let user = user_of(&part_of(&dict, "userinfo")?)?;
    let mut out = Vec::new();
    if !scheme.is_empty() {
        out.extend_from_slice(&scheme);
        out.push(b':');
    }
    if !opaque.is_empty() {
        out.extend_from_slice(&opaque);
    } else {
        let has_authority = !host.is_empty() || user.is_some();
        if has_authority || (!scheme.is_empty() && !path.is_empty()) {
            out.extend_from_slice(b"//");
        }
        if let Some(user) = &user {
            out.extend(user.text());
            out.push(b'@');
        }
        out.extend(escaped(&host, Part::Host));
        let path = match &path[..] {
            b"*" => path,
            _ => escaped(&path, Part::Path),
        };
        if !path.is_empty() && !path.starts_with(b"/") && !host.is_empty() {
            out.push(b'/');
        }
        let first = path.split(|byte| *byte == b'/').next().unwrap_or_default();
        if out.is_empty() && first.contains(&b':') {
            out.extend_from_slice(b"./");
        }
        out.extend_from_slice(&path);
    }
    if !query.is_empty() {
        out.push(b'?');
        out.extend_from_slice(&query);
    }
    if !fragment.is_empty() {
        out.push(b'#');
        out.extend(escaped(&fragment, Part::Fragment));
    }
    limits.text(Some(out.len()))?;
    Ok(Value::text(out))
}

fn user_of(info: &[u8]) -> Result<Option<User>, Fault> {
    if info.is_empty() {
        return Ok(None);
    }
    let address = format!("proto://{}@host", marked(info));
    match Url::parse(&address) {
        Ok(address) => Ok(address.user),
        Err(error) => Err(format!("unable to parse userinfo in dict: {error}").into()),
    }
}
