//! Addresses taken apart and put together.

use super::arguments::{DICT, map, text};
use crate::go::template::characters::{lossy, marked, unmarked};
use crate::go::template::function::{Fault, Function, Outcome, fixed};
use crate::go::template::limits::Limits;
use crate::go::template::quoted;
use crate::go::template::value::{self, Map, Type, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("urlParse", &[Type::String], DICT, url_parse),
    fixed("urlJoin", &[DICT], Type::String, url_join),
];

/// The parts of an address, unescaped where Go keeps them so.
#[derive(Default)]
struct Address {
    scheme: String,
    opaque: String,
    user: Option<(Vec<u8>, Option<Vec<u8>>)>,
    host: Vec<u8>,
    path: Vec<u8>,
    query: String,
    fragment: Vec<u8>,
}

/// The part of an address that a character stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    User,
    Host,
    Zone,
    Path,
    Fragment,
}

fn stays(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return true;
    }
    match part {
        Part::Host | Part::Zone => b"!$&'()*+,;=:[]<>\"".contains(&byte),
        Part::Path => b"$&+,/:;=@".contains(&byte),
        Part::User => b"$&+,;=".contains(&byte),
        Part::Fragment => b"$&+,/:;=?@!()*".contains(&byte),
    }
}

fn escaped(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in text {
        if stays(*byte, part) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

fn unescaped(text: &str, part: Part) -> Result<Vec<u8>, String> {
    let bytes = &unmarked(text)[..];
    let mut out = Vec::new();
    let mut place = 0;
    while place < bytes.len() {
        let byte = bytes[place];
        if byte == b'%' {
            let shown = || {
                let end = (place + 3).min(bytes.len());
                quoted(&lossy(&bytes[place..end]))
            };
            let code = bytes
                .get(place + 1..place + 3)
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .ok_or_else(|| format!("invalid URL escape {}", shown()))?;
            let refused = match part {
                Part::Host => code < 0x80 && code != b'%',
                Part::Zone => code != b'%' && code != b' ' && !stays(code, Part::Host),
                _ => false,
            };
            if refused {
                return Err(format!("invalid URL escape {}", shown()));
            }
            out.push(code);
            place += 3;
            continue;
        }
        if matches!(part, Part::Host | Part::Zone) && byte < 0x80 && !stays(byte, part) {
            let character = char::from(byte).to_string();
            return Err(format!(
                "invalid character {} in host name",
                quoted(&character)
            ));
        }
        out.push(byte);
        place += 1;
    }
    Ok(out)
}

fn parse(address: &str) -> Result<Address, String> {
    let (body, fragment) = address.split_once('#').unwrap_or((address, ""));
    let wrapped = |shown: &str, error: String| format!("parse {}: {error}", quoted(shown));
    let mut parsed = parse_body(body).map_err(|error| wrapped(body, error))?;
    parsed.fragment =
        unescaped(fragment, Part::Fragment).map_err(|error| wrapped(address, error))?;
    Ok(parsed)
}

fn parse_body(text: &str) -> Result<Address, String> {
    let mut address = Address::default();
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_string());
    }
    if text == "*" {
        address.path = b"*".to_vec();
        return Ok(address);
    }
    let (scheme, rest) = split_scheme(text)?;
    address.scheme = scheme.to_ascii_lowercase();
    let (mut rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    address.query = query.to_string();
    if !rest.starts_with('/') {
        if !address.scheme.is_empty() {
            address.opaque = rest.to_string();
            return Ok(address);
        }
        if rest
            .split('/')
            .next()
            .is_some_and(|first| first.contains(':'))
        {
            return Err("first path segment in URL cannot contain colon".to_string());
        }
    }
    let has_authority = !address.scheme.is_empty() || !rest.starts_with("///");
    if let Some(after) = rest.strip_prefix("//").filter(|_| has_authority) {
        let slash = after.find('/').unwrap_or(after.len());
        parse_authority(&mut address, &after[..slash])?;
        rest = &after[slash..];
    }
    address.path = unescaped(rest, Part::Path)?;
    Ok(address)
}

fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if place > 0 => {}
            b':' if place == 0 => return Err("missing protocol scheme".to_string()),
            b':' => return Ok((&text[..place], &text[place + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn parse_authority(address: &mut Address, authority: &str) -> Result<(), String> {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    address.host = parse_host(&address.scheme, host)?;
    if let Some(user) = user {
        let valid =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
        if !user.bytes().all(valid) {
            return Err("net/url: invalid userinfo".to_string());
        }
        let (name, password) = match user.split_once(':') {
            Some((name, password)) => (name, Some(password)),
            None => (user, None),
        };
        let name = unescaped(name, Part::User)?;
        let password = password.map(|password| unescaped(password, Part::User));
        address.user = Some((name, password.transpose()?));
    }
    Ok(())
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|digit| digit.is_ascii_digit()))
}

fn checked_port(text: &str) -> Result<(), String> {
    if is_port(text) {
        return Ok(());
    }
    Err(format!("invalid port {} after host", quoted(text)))
}

fn parse_host(scheme: &str, host: &str) -> Result<Vec<u8>, String> {
    match host.rfind('[') {
        Some(0) => return parse_literal(host),
        Some(_) => return Err("invalid IP-literal".to_string()),
        None => {}
    }
    if let (Some(first), Some(last)) = (host.find(':'), host.rfind(':')) {
        let strict = matches!(scheme, "http" | "https");
        checked_port(&host[if strict { first } else { last }..])?;
    }
    unescaped(host, Part::Host)
}

/// An IPv6 address in brackets.
fn parse_literal(host: &str) -> Result<Vec<u8>, String> {
    let Some(close) = host.rfind(']') else {
        return Err("missing ']' in host".to_string());
    };
    let port = &host[close + 1..];
    checked_port(port)?;
    let name = &host[1..close];
    let (address, zone) = name.split_at(name.find("%25").unwrap_or(name.len()));
    let mut out = unescaped(address, Part::Host)?;
    let plain = lossy(&out);
    out.extend(unescaped(zone, Part::Zone)?);
    if is_ipv4(&plain) {
        return Err("invalid IP-literal".to_string());
    }
    if !is_ipv6(&plain) {
        let shown = quoted(&lossy(&out));
        return Err(format!(
            "invalid host: ParseAddr({shown}): unable to parse IP"
        ));
    }
    Ok([b"[", &out[..], b"]", port.as_bytes()].concat())
}

fn is_ipv4(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_byte = |part: &&str| {
        let digits = part.len() <= 3 && part.bytes().all(|digit| digit.is_ascii_digit());
        let padded = part.len() > 1 && part.starts_with('0');
        digits && !padded && part.parse::<u8>().is_ok()
    };
    parts.len() == 4 && parts.iter().all(is_byte)
}

fn is_ipv6(text: &str) -> bool {
    let Some((before, after)) = text.split_once("::") else {
        return groups(text) == Some(8);
    };
    let count = |side: &str| match side {
        "" => Some(0),
        side => groups(side),
    };
    // The part before the gap can't end with an IPv4 address.
    let before = count(before).filter(|_| !before.contains('.'));
    before
        .zip(count(after))
        .is_some_and(|(before, after)| before + after < 8)
}

/// How many groups of 16 bits the text has; none when one is malformed.
fn groups(text: &str) -> Option<usize> {
    let parts: Vec<&str> = text.split(':').collect();
    let (last, others) = parts.split_last()?;
    let is_group = |part: &str| {
        (1..=4).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    if !others.iter().all(|part| is_group(part)) {
        return None;
    }
    match () {
        () if is_group(last) => Some(parts.len()),
        () if is_ipv4(last) => Some(parts.len() + 1),
        () => None,
    }
}

/// The host without its port and brackets.
fn host_name(host: &[u8]) -> &[u8] {
    let mut name = host;
    if let Some(colon) = memchr::memrchr(b':', host)
        && is_port(&lossy(&host[colon..]))
    {
        name = &host[..colon];
    }
    name.strip_prefix(b"[")
        .and_then(|name| name.strip_suffix(b"]"))
        .unwrap_or(name)
}

fn user_text(user: &(Vec<u8>, Option<Vec<u8>>)) -> Vec<u8> {
    let mut out = escaped(&user.0, Part::User);
    if let Some(password) = &user.1 {
        out.push(b':');
        out.extend(escaped(password, Part::User));
    }
    out
}

fn url_parse(_: &mut Limits, values: Vec<Value>) -> Outcome {
    let address = parse(&marked(&text(&values, 0)))
        .map_err(|error| format!("unable to parse url: {error}"))?;
    let user = address.user.as_ref().map(user_text).unwrap_or_default();
    let entries = [
        ("scheme", address.scheme.as_bytes()),
        ("host", &address.host),
        ("hostname", host_name(&address.host)),
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
            out.extend(user_text(user));
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

type User = (Vec<u8>, Option<Vec<u8>>);

fn user_of(info: &[u8]) -> Result<Option<User>, Fault> {
    if info.is_empty() {
        return Ok(None);
    }
    let address = format!("proto://{}@host", marked(info));
    match parse(&address) {
        Ok(address) => Ok(address.user),
        Err(error) => Err(format!("unable to parse userinfo in dict: {error}").into()),
    }
}
