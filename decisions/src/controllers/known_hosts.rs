//! Mirrors `knownhosts/knownhosts.go` of fluxcd/pkg (ssh 0.25): which host keys a Secret's `known_hosts` trusts for a server.
//!
//! It is stricter than OpenSSH: one bad line spoils the file, a name without a port means port 22 only, and of several keys
//! of one type the first counts.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// What is trusted for one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedKeys {
    /// The same as a `known_hosts` file of OpenSSH's.
    pub file: String,
    /// The types of all keys in the Secret, whatever server they are for: the client offers no others.
    pub key_types: Vec<String>,
}

/// Reads `known_hosts` for the server at `host` and `port`.
///
/// # Errors
///
/// The library's text for the first line that can't be read.
pub fn trusted_keys(known_hosts: &[u8], host: &str, port: u16) -> Result<TrustedKeys, String> {
    let text = String::from_utf8_lossy(known_hosts);
    let mut trusted = TrustedKeys::default();
    let mut types = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let place = normalized(host, port);
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = |cause: String| format!("knownhosts: {cause}");
        let entry = Entry::parse(line).map_err(bad)?;
        let Entry { key_type, blob, .. } = &entry;
        if entry.revoked {
            trusted.file += &format!("@revoked * {key_type} {blob}\n");
            continue;
        }
        types.insert(key_type.clone());
        if entry.matches(host, port).map_err(bad)? && seen.insert(key_type.clone()) {
            trusted.file += &format!("{place} {key_type} {blob}\n");
        }
    }
    trusted.key_types = types.into_iter().collect();
    Ok(trusted)
}

struct Entry {
    revoked: bool,
    pattern: String,
    /// As the key says it; the word before it in the file is not read.
    key_type: String,
    /// The key, base64.
    blob: String,
}

impl Entry {
    fn parse(line: &str) -> Result<Self, String> {
        let (first, after) = next_word(line);
        let marked = first == "@cert-authority" || first == "@revoked";
        let (pattern, rest) = next_word(if marked { after } else { line });
        if rest.is_empty() {
            return Err("knownhosts: missing host pattern".into());
        }
        let (_, rest) = next_word(rest);
        if rest.is_empty() {
            return Err("knownhosts: missing key type pattern".into());
        }
        let (blob, _) = next_word(rest);
        let key_type = key_type(&decoded(blob)?)?;
        let entry = Self {
            revoked: first == "@revoked",
            pattern: pattern.into(),
            key_type,
            blob: blob.into(),
        };
        // The pattern is read whether or not it is for this server.
        if !entry.revoked {
            entry.matches("", 0)?;
        }
        Ok(entry)
    }

    fn matches(&self, host: &str, port: u16) -> Result<bool, String> {
        if self.pattern.starts_with('|') {
            hashed_match(&self.pattern, host, port)
        } else {
            pattern_match(&self.pattern, host, port)
        }
    }
}

fn next_word(line: &str) -> (&str, &str) {
    match line.find(['\t', ' ']) {
        Some(end) => (&line[..end], line[end..].trim()),
        None => (line, ""),
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|_| {
        let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        let bad = text.bytes().position(|byte| !alphabet(byte));
        let at = bad.unwrap_or(text.len() / 4 * 4);
        format!("illegal base64 data at input byte {at}")
    })
}

fn key_type(blob: &[u8]) -> Result<String, String> {
    const KNOWN: [&str; 8] = [
        "ssh-rsa",
        "ssh-dss",
        "ssh-ed25519",
        "sk-ssh-ed25519@openssh.com",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    ];
    let short = || "ssh: short read".to_owned();
    let length = blob.first_chunk::<4>().ok_or_else(short)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| short())?;
    let name = blob.get(4..).and_then(|rest| rest.get(..length));
    let name = String::from_utf8_lossy(name.ok_or_else(short)?).into_owned();
    let certificate = name.ends_with("-cert-v01@openssh.com");
    if certificate || KNOWN.contains(&name.as_str()) {
        Ok(name)
    } else {
        Err(format!("ssh: unknown key algorithm: {name}"))
    }
}

/// The name of a server in a file: `host`, or `[host]:port` where the port is not 22.
fn normalized(host: &str, port: u16) -> String {
    if port == 22 {
        host.to_owned()
    } else {
        format!("[{host}]:{port}")
    }
}

fn hashed_match(pattern: &str, host: &str, port: u16) -> Result<bool, String> {
    let parts: Vec<&str> = pattern.split('|').collect();
    let [_, kind, salt, hash] = parts[..] else {
        return Err(format!(
            "knownhosts: got {} components, want 3",
            parts.len()
        ));
    };
    let (salt, hash) = (decoded(salt)?, decoded(hash)?);
    if kind != "1" {
        return Err(format!("knownhosts: got hash type {kind}, must be '1'"));
    }
    Ok(keyed_hash(&salt, normalized(host, port).as_bytes()) == hash)
}

/// HMAC-SHA1.
fn keyed_hash(key: &[u8], message: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 64;
    let mut padded = if key.len() > BLOCK {
        Sha1::digest(key).to_vec()
    } else {
        key.to_vec()
    };
    padded.resize(BLOCK, 0);
    let with = |byte: u8| {
        padded
            .iter()
            .map(move |other| other ^ byte)
            .collect::<Vec<u8>>()
    };
    let inner = Sha1::new()
        .chain_update(with(0x36))
        .chain_update(message)
        .finalize();
    let outer = Sha1::new()
        .chain_update(with(0x5c))
        .chain_update(inner)
        .finalize();
    outer.to_vec()
}

fn pattern_match(pattern: &str, host: &str, port: u16) -> Result<bool, String> {
    let mut matched = false;
    let mut negated = false;
    for part in pattern.split(',').filter(|part| !part.is_empty()) {
        let name = part.strip_prefix('!').unwrap_or(part);
        if name.is_empty() {
            return Err("knownhosts: negation without following hostname".into());
        }
        let (wanted, wanted_port) = match host_and_port(name) {
            Some(found) => found,
            None if name.starts_with('[') => {
                return Err(format!("address {name}: missing port in address"));
            }
            None => (name, "22"),
        };
        if wanted_port == port.to_string() && wildcard_match(wanted.as_bytes(), host.as_bytes()) {
            negated |= part.starts_with('!');
            matched = true;
        }
    }
    Ok(matched && !negated)
}

/// `host:port` or `[host]:port` taken apart.
fn host_and_port(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once("]:");
    }
    let (host, port) = text.rsplit_once(':')?;
    (!host.contains(':')).then_some((host, port))
}

/// Whether `text` matches a pattern of `*`, `?` and plain characters.
fn wildcard_match(pattern: &[u8], text: &[u8]) -> bool {
    let (mut place, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(place) {
            Some(b'*') => {
                star = Some((place, at));
                place += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[at] => {
                place += 1;
                at += 1;
            }
            _ => {
                let Some((starred, taken)) = star else {
                    return false;
                };
                star = Some((starred, taken + 1));
                place = starred + 1;
                at = taken + 1;
            }
        }
    }
    pattern[place..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const OTHER: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBQLRZPIcnFFh2eKo9MA2RVpOCzEYyOtPIKNsG6CHbBs";

    fn file(known_hosts: &str, host: &str, port: u16) -> String {
        trusted_keys(known_hosts.as_bytes(), host, port)
            .unwrap()
            .file
    }

    fn refusal(known_hosts: &str) -> String {
        trusted_keys(known_hosts.as_bytes(), "host", 22).unwrap_err()
    }

    #[test]
    fn a_name_without_a_port_means_port_22() {
        let line = format!("git.example.com {KEY} comment\n");
        assert_eq!(
            file(&line, "git.example.com", 22),
            format!("git.example.com {KEY}\n")
        );
        assert_eq!(file(&line, "git.example.com", 2222), "");
        assert_eq!(file(&format!("* {KEY}"), "git.example.com", 2222), "");
        for pattern in [
            "[git.example.com]:2222",
            "git.example.com:2222",
            "[git.*]:2222,x",
        ] {
            assert_eq!(
                file(&format!("{pattern} {KEY}"), "git.example.com", 2222),
                format!("[git.example.com]:2222 {KEY}\n")
            );
        }
    }

    #[test]
    fn the_first_key_of_a_type_counts() {
        let lines = format!("# both\n\ngit {KEY}\r\ngit {OTHER}\n@revoked x {OTHER}\n");
        let type_and_key = OTHER;
        assert_eq!(
            file(&lines, "git", 22),
            format!("git {KEY}\n@revoked * {type_and_key}\n")
        );
        assert_eq!(
            trusted_keys(lines.as_bytes(), "elsewhere", 22)
                .unwrap()
                .key_types,
            ["ssh-ed25519"]
        );
    }

    #[test]
    fn names_may_be_negated_or_hashed() {
        assert_eq!(file(&format!("git*,!gitea {KEY}"), "gitea", 22), "");
        // ssh-keygen -H of "hostname".
        let hashed = "|1|IHXZvQMvTcZTUU29+2vXFgx8Frs=|UGccIWfRVDwilMBnA3WJoRAC75Y=";
        assert_eq!(
            file(&format!("{hashed} {KEY}"), "hostname", 22),
            format!("hostname {KEY}\n")
        );
        assert_eq!(file(&format!("{hashed} {KEY}"), "other", 22), "");
    }

    #[test]
    fn one_bad_line_spoils_the_file() {
        let with = |line: &str| refusal(&format!("host {KEY}\n{line}\n"));
        assert_eq!(with("junk"), "knownhosts: knownhosts: missing host pattern");
        assert_eq!(
            with("host ssh-rsa"),
            "knownhosts: knownhosts: missing key type pattern"
        );
        assert_eq!(
            with("junk x y!"),
            "knownhosts: illegal base64 data at input byte 1"
        );
        assert_eq!(with("host ssh-rsa AAAA"), "knownhosts: ssh: short read");
        assert_eq!(
            with("host x AAAAA2Zvbw=="),
            "knownhosts: ssh: unknown key algorithm: foo"
        );
        assert_eq!(
            with(&format!("|1|x {KEY}")),
            "knownhosts: knownhosts: got 3 components, want 3"
        );
    }

    #[test]
    fn wildcards_match_any_run() {
        for (pattern, text, expected) in [
            ("a?b", "abb", true),
            ("a*b*c", "axxbxxxxxxc", true),
            ("a*b*z", "axxbxxzxxx", false),
            ("*", "", true),
            ("ab", "abc", false),
        ] {
            assert_eq!(
                wildcard_match(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }
}
