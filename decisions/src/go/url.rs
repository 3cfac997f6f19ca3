//! URLs as Go's `net/url` reads, resolves and writes them.

use std::fmt;

use super::template::characters::{lossy, unmarked};
use super::text::quote;

/// The parts of a URL, unescaped where Go keeps them so; displays as Go's `String`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Url {
    /// In lower case, without its colon.
    pub scheme: String,
    /// What follows the scheme of a URL without slashes.
    pub opaque: String,
    /// User and password.
    pub user: Option<User>,
    /// Host and port.
    pub host: Vec<u8>,
    /// The path.
    pub path: Vec<u8>,
    /// The path as it was written.
    written_path: String,
    /// The query as it was written, without its question mark.
    pub query: String,
    /// There is a question mark, but no query.
    empty_query: bool,
    /// The fragment.
    pub fragment: Vec<u8>,
}

/// The parts of a URL that a client connects by, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The scheme in lower case; empty without one.
    pub scheme: String,
    /// The user, unescaped; empty without one.
    pub user: String,
    /// The password, unescaped, where one is given.
    pub password: Option<String>,
    /// The host with its port, IPv6 addresses in brackets.
    pub host: String,
}

impl Address {
    /// Takes a URL apart.
    ///
    /// # Errors
    ///
    /// Go can't read it.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let url = Url::parse(text)?;
        let (user, password) = url
            .user
            .as_ref()
            .map(|user| (lossy(&user.name), user.password.as_deref().map(lossy)))
            .unwrap_or_default();
        Ok(Self {
            host: url.authority(),
            scheme: url.scheme,
            user,
            password,
        })
    }

    /// The host without its port and brackets.
    pub fn host_name(&self) -> String {
        lossy(host_name(self.host.as_bytes()))
    }

    /// The port, where one is given.
    pub fn port(&self) -> Option<&str> {
        let (_, port) = self.host.rsplit_once(':')?;
        (!port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())).then_some(port)
    }
}

fn host_name(host: &[u8]) -> &[u8] {
    let mut name = host;
    if let Some(colon) = memchr::memrchr(b':', name)
        && is_port(&lossy(&name[colon..]))
    {
        name = &name[..colon];
    }
    name.strip_prefix(b"[")
        .and_then(|name| name.strip_suffix(b"]"))
        .unwrap_or(name)
}

/// The user information of a URL.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub name: Vec<u8>,
    /// The password, where there is a colon.
    pub password: Option<Vec<u8>>,
}

/// Why a text is no URL, as Go says it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parse {}: {why}", quote(.text))]
pub struct ParseError {
    /// The text, up to its fragment.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl Url {
    /// Reads a URL or a reference.
    ///
    /// # Errors
    ///
    /// Go can't read it.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let (body, fragment) = text.split_once('#').unwrap_or((text, ""));
        let named = |text: &str, why: String| ParseError {
            text: text.into(),
            why,
        };
        let mut parsed = parse_body(body).map_err(|why| named(body, why))?;
        parsed.fragment = unescaped(fragment, Part::Fragment).map_err(|why| named(text, why))?;
        Ok(parsed)
    }

    /// `reference` as seen from this URL, dot segments taken out.
    pub fn resolve(&self, reference: &Self) -> Self {
        let mut out = reference.clone();
        if reference.scheme.is_empty() {
            out.scheme.clone_from(&self.scheme);
        }
        let has_authority = !reference.host.is_empty() || reference.user.is_some();
        if !reference.scheme.is_empty() || has_authority {
            out.set_path(resolved_path(&reference.escaped_path(), ""));
            return out;
        }
        if !reference.opaque.is_empty() {
            return out;
        }
        if reference.path.is_empty() && !reference.empty_query && reference.query.is_empty() {
            out.query.clone_from(&self.query);
            if reference.fragment.is_empty() {
                out.fragment.clone_from(&self.fragment);
            }
        }
        out.host.clone_from(&self.host);
        out.user.clone_from(&self.user);
        out.set_path(resolved_path(
            &self.escaped_path(),
            &reference.escaped_path(),
        ));
        out
    }

    /// Host and port as text.
    pub fn authority(&self) -> String {
        lossy(&self.host)
    }

    /// The host without its port and brackets.
    pub fn host_name(&self) -> &[u8] {
        host_name(&self.host)
    }

    /// The names and values of the query in their order; what can't be unescaped is left out.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .filter(|pair| !pair.contains(';'))
            .filter_map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let read = |text: &str| unescaped(&text.replace('+', " "), Part::Query).ok();
                Some((lossy(&read(name)?), lossy(&read(value)?)))
            })
            .collect()
    }

    fn set_path(&mut self, written: String) {
        // It is made of escaped paths, so it can be unescaped.
        self.path = unescaped(&written, Part::Path).unwrap_or_default();
        self.written_path = written;
    }

    fn escaped_path(&self) -> String {
        let as_written = |byte: u8| b"!$&'()*+,;=:@[]%".contains(&byte) || stays(byte, Part::Path);
        if self.written_path.bytes().all(as_written) {
            return self.written_path.clone();
        }
        if self.path == b"*" {
            return "*".into();
        }
        lossy(&escaped(&self.path, Part::Path))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(formatter, "{}:", self.scheme)?;
        }
        if self.opaque.is_empty() {
            if !self.host.is_empty() || self.user.is_some() {
                formatter.write_str("//")?;
            }
            if let Some(user) = &self.user {
                write!(formatter, "{}@", lossy(&user.text()))?;
            }
            formatter.write_str(&lossy(&escaped(&self.host, Part::Host)))?;
            formatter.write_str(&self.escaped_path())?;
        } else {
            formatter.write_str(&self.opaque)?;
        }
        if self.empty_query || !self.query.is_empty() {
            write!(formatter, "?{}", self.query)?;
        }
        if !self.fragment.is_empty() {
            write!(
                formatter,
                "#{}",
                lossy(&escaped(&self.fragment, Part::Fragment))
            )?;
        }
        Ok(())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let without_user = Self {
            user: None,
            ..self.clone()
        };
        write!(formatter, "Url({without_user})")
    }
}

impl User {
    /// `user` or `user:password`, escaped.
    pub fn text(&self) -> Vec<u8> {
        let mut out = escaped(&self.name, Part::User);
        if let Some(password) = &self.password {
            out.push(b':');
            out.extend(escaped(password, Part::User));
        }
        out
    }
}

/// Names and values as a query, sorted by name as Go's `Values.Encode` does.
pub fn encoded_query(pairs: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = pairs.iter().collect();
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    let escape = |text: &str| lossy(&escaped(text.as_bytes(), Part::Query)).replace("%20", "+");
    let encoded = sorted
        .into_iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)));
    encoded.collect::<Vec<_>>().join("&")
}

fn resolved_path(base: &str, reference: &str) -> String {
    let full = match reference {
        "" => base.to_owned(),
        rooted if rooted.starts_with('/') => rooted.to_owned(),
        relative => format!(
            "{}{relative}",
            &base[..base.rfind('/').map_or(0, |slash| slash + 1)]
        ),
    };
    if full.is_empty() {
        return full;
    }
    let mut out = String::from("/");
    let mut first = true;
    let mut last = "";
    for element in full.split('/') {
        last = element;
        match element {
            "." => first = false,
            ".." => {
                let kept = out[1..].rfind('/').map_or(1, |slash| slash + 1);
                out.truncate(kept);
                first = out.len() == 1;
            }
            element => {
                if !first {
                    out.push('/');
                }
                out.push_str(element);
                first = false;
            }
        }
    }
    if matches!(last, "." | "..") {
        out.push('/');
    }
    match out.strip_prefix("//") {
        Some(rest) => format!("/{rest}"),
        None => out,
    }
}

/// The part of a URL that a character stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    User,
    Host,
    Zone,
    Path,
    Query,
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
        Part::Query => false,
        Part::Fragment => b"$&+,/:;=?@!()*".contains(&byte),
    }
}

pub(super) fn escaped(text: &[u8], part: Part) -> Vec<u8> {
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
                quote(&lossy(&bytes[place..end]))
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
                quote(&character)
            ));
        }
        out.push(byte);
        place += 1;
    }
    Ok(out)
}

fn parse_body(text: &str) -> Result<Url, String> {
    let mut address = Url::default();
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_string());
    }
    if text == "*" {
        address.path = b"*".to_vec();
        address.written_path = text.to_string();
        return Ok(address);
    }
    let (scheme, rest) = split_scheme(text)?;
    address.scheme = scheme.to_ascii_lowercase();
    let has_query = rest.contains('?');
    let (mut rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    address.query = query.to_string();
    address.empty_query = has_query && query.is_empty();
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
    address.written_path = rest.to_string();
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

fn parse_authority(address: &mut Url, authority: &str) -> Result<(), String> {
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
        address.user = Some(User {
            name,
            password: password.transpose()?,
        });
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
    Err(format!("invalid port {} after host", quote(text)))
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
        let shown = quote(&lossy(&out));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(base: &str, reference: &str) -> String {
        let read = |text: &str| Url::parse(text).unwrap();
        read(base).resolve(&read(reference)).to_string()
    }

    #[test]
    fn urls_are_written_as_they_were_read() {
        for text in [
            "https://h.io:443/v2/a/tags/list?n=1000&last=a%20b",
            "http://[::1]:5000/v2/",
            "/v2/a?x",
            "https://h.io/a%2Fb/(c)?",
            "mailto:x@y",
        ] {
            assert_eq!(Url::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Url::parse("HTTP://h.io/a b").unwrap().to_string(),
            "http://h.io/a%20b"
        );
    }

    #[test]
    fn references_are_resolved() {
        let base = "https://h.io/v2/a/tags/list?n=1";
        assert_eq!(
            resolved(base, "/v2/a/tags/list?last=x"),
            "https://h.io/v2/a/tags/list?last=x"
        );
        assert_eq!(
            resolved(base, "list?last=x"),
            "https://h.io/v2/a/tags/list?last=x"
        );
        assert_eq!(resolved(base, "../../b/./c/.."), "https://h.io/v2/b/");
        assert_eq!(resolved(base, "//o.io/x"), "https://o.io/x");
        assert_eq!(resolved(base, "http://o.io/../x"), "http://o.io/x");
        assert_eq!(
            resolved(base, "?last=x"),
            "https://h.io/v2/a/tags/list?last=x"
        );
        assert_eq!(resolved(base, ""), base);
    }

    #[test]
    fn complaints_are_gos() {
        let complaint = |text: &str| Url::parse(text).unwrap_err().to_string();
        assert_eq!(
            complaint("https://a b"),
            "parse \"https://a b\": invalid character \" \" in host name"
        );
        assert_eq!(
            complaint("http://[::1"),
            "parse \"http://[::1\": missing ']' in host"
        );
        assert_eq!(
            complaint("http://h:x/"),
            "parse \"http://h:x/\": invalid port \":x\" after host"
        );
    }

    #[test]
    fn queries_are_sorted_and_escaped() {
        let url = Url::parse("https://h.io/?b=1+2&a=%2f&bad=%zz&c").unwrap();
        let pairs = url.query_pairs();
        assert_eq!(encoded_query(&pairs), "a=%2F&b=1+2&c=");
    }

    #[test]
    fn passwords_stay_out_of_debug_output() {
        let url = Url::parse("http://user:secret@h.io/").unwrap();
        assert!(!format!("{url:?}").contains("secret"));
    }
}
