//! Mirrors `pkg/authn/kubernetes/keychain.go` and `pkg/authn/authn.go` of go-containerregistry v0.21.6: which entry of the
//! pull Secrets is the login for an image.

use std::collections::BTreeMap;

use crate::controllers::flux::ObjectKey;
use crate::facts::registry::RegistryLogin;
use crate::go::base64;
use crate::go::glob;
use crate::go::json::{self, Json};
use crate::go::reference::Repository;
use crate::go::text::quote;
use crate::go::url::Url;

/// A pull Secret as it was read.
pub(super) struct PullSecret {
    pub key: ObjectKey,
    pub kind: String,
    pub data: BTreeMap<String, Vec<u8>>,
}

/// Where a login comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginSource {
    /// The Secret.
    pub secret: ObjectKey,
    /// The key below `auths`, as it is written.
    pub entry: String,
    /// Other keys of that Secret which mean the same host and path, with other credentials. The controller takes any of
    /// them, differently from one time to the next.
    pub rivals: Vec<String>,
}

/// A pull Secret without an entry for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedSecret {
    /// The Secret.
    pub secret: ObjectKey,
    /// Why it has none.
    pub why: WithoutEntry,
}

/// Why a pull Secret has no entry for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WithoutEntry {
    /// It is of a type that the controller doesn't look into.
    Type(String),
    /// The key that goes with its type is absent or empty.
    NoData,
    /// Its entries are for these hosts, as they are written and sorted; perhaps none.
    OtherHosts(Vec<String>),
}

/// The login for an image, and the Secrets that had none.
pub(super) struct Choice {
    pub login: RegistryLogin,
    pub from: Option<LoginSource>,
    pub without_entry: Vec<OfferedSecret>,
}

/// One entry of `auths`.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub username: String,
    pub password: String,
    pub identity_token: String,
    pub registry_token: String,
}

/// An entry with what it is for.
struct Named {
    /// As it is written.
    written: String,
    /// Host and path, without scheme and API version.
    place: String,
    entry: Entry,
}

/// Chooses among the Secrets, which are in the order in which they count; the error is the controller's text.
pub(super) fn choose(secrets: &[PullSecret], image: &Repository) -> Result<Choice, String> {
    let image = image.to_string();
    let mut without_entry = Vec::new();
    // The place that sorts last counts first; of Secrets with the same place the first does.
    let mut best: Option<(String, LoginSource, Entry)> = None;
    for secret in secrets {
        let offered = entries(secret)?;
        let mut matching: Vec<&Named> = offered
            .iter()
            .flatten()
            .filter(|named| matches(&named.place, &image))
            .collect();
        matching.sort_by(|one, other| other.place.cmp(&one.place));
        let Some(first) = matching.first() else {
            without_entry.push(OfferedSecret {
                secret: secret.key.clone(),
                why: offered.map_or_else(
                    |why| why,
                    |named| {
                        let mut hosts: Vec<String> =
                            named.into_iter().map(|named| named.written).collect();
                        hosts.sort_unstable();
                        WithoutEntry::OtherHosts(hosts)
                    },
                ),
            });
            continue;
        };
        if best
            .as_ref()
            .is_some_and(|(place, ..)| *place >= first.place)
        {
            continue;
        }
        let rivals = matching[1..]
            .iter()
            .filter(|rival| rival.place == first.place && rival.entry != first.entry)
            .map(|rival| rival.written.clone())
            .collect();
        let source = LoginSource {
            secret: secret.key.clone(),
            entry: first.written.clone(),
            rivals,
        };
        best = Some((first.place.clone(), source, first.entry.clone()));
    }
    let (from, login) = match best {
        Some((_, source, entry)) => (Some(source), entry.into()),
        None => (None, RegistryLogin::Anonymous),
    };
    Ok(Choice {
        login,
        from,
        without_entry,
    })
}

/// The entries of a Secret, or why the controller doesn't look for any; the outer error is the controller's.
fn entries(secret: &PullSecret) -> Result<Result<Vec<Named>, WithoutEntry>, String> {
    let key = match secret.kind.as_str() {
        "kubernetes.io/dockerconfigjson" => ".dockerconfigjson",
        "kubernetes.io/dockercfg" => ".dockercfg",
        other => return Ok(Err(WithoutEntry::Type(other.to_owned()))),
    };
    let Some(text) = secret.data.get(key).filter(|text| !text.is_empty()) else {
        return Ok(Err(WithoutEntry::NoData));
    };
    let document = json::read(text).map_err(|error| error.to_string())?;
    let mut complaint = None;
    let auths = if key == ".dockercfg" {
        auths(&document, "", &mut complaint)?
    } else {
        config(&document, &mut complaint)?
    };
    if let Some(complaint) = complaint {
        return Err(complaint);
    }
    let named = auths
        .into_iter()
        .map(|(written, entry)| {
            Ok(Named {
                place: place(&written)?,
                written,
                entry,
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    Ok(Ok(named))
}

type Auths = BTreeMap<String, Entry>;

/// Mistakes of type are kept in `complaint` while reading goes on, as Go does; those within an entry end it.
fn config(document: &Json, complaint: &mut Option<String>) -> Result<Auths, String> {
    match document {
        Json::Object(_) => {
            let mut out = Auths::new();
            for member in document.members("auths") {
                match member {
                    // It empties what stood before.
                    Json::Null => out.clear(),
                    member => out.extend(auths(member, "dockerConfigJSON.Auths", complaint)?),
                }
            }
            Ok(out)
        }
        Json::Null => Ok(Auths::new()),
        other => {
            let go_type = "kubernetes.dockerConfigJSON";
            complaint.get_or_insert_with(|| json::mismatch(other.kind(), "", go_type));
            Ok(Auths::new())
        }
    }
}

fn auths(value: &Json, place: &str, complaint: &mut Option<String>) -> Result<Auths, String> {
    match value {
        Json::Object(members) => members
            .iter()
            .map(|(host, member)| Ok((host.clone(), entry(member, place)?)))
            .collect(),
        Json::Null => Ok(Auths::new()),
        other => {
            let go_type = "map[string]authn.AuthConfig";
            complaint.get_or_insert_with(|| json::mismatch(other.kind(), place, go_type));
            Ok(Auths::new())
        }
    }
}

fn entry(value: &Json, place: &str) -> Result<Entry, String> {
    if !matches!(value, Json::Object(_) | Json::Null) {
        return Err(json::mismatch(value.kind(), place, "authn.authConfig"));
    }
    let place = if place.is_empty() {
        "authConfig"
    } else {
        place
    };
    let mut complaint = None;
    let mut field = |name: &str| -> String {
        let mut out = String::new();
        for member in value.members(name) {
            match member {
                Json::String(text) => out.clone_from(text),
                Json::Null => {}
                other => {
                    let position = position_of(value, other);
                    let text = json::mismatch(other.kind(), &format!("{place}.{name}"), "string");
                    if complaint
                        .as_ref()
                        .is_none_or(|(first, _)| position < *first)
                    {
                        complaint = Some((position, text));
                    }
                }
            }
        }
        out
    };
    let mut entry = Entry {
        username: field("username"),
        password: field("password"),
        identity_token: field("identitytoken"),
        registry_token: field("registrytoken"),
    };
    let auth = field("auth");
    if let Some((_, complaint)) = complaint {
        return Err(complaint);
    }
    if !auth.is_empty() {
        (entry.username, entry.password) = user_and_password(&auth)
            .map_err(|why| format!("unable to decode auth field: {why}"))?;
    }
    Ok(entry)
}

/// Where a member stands in its object.
fn position_of(object: &Json, member: &Json) -> usize {
    let Json::Object(members) = object else {
        return 0;
    };
    let found = members
        .iter()
        .position(|(_, candidate)| std::ptr::eq(candidate, member));
    found.unwrap_or_default()
}

fn user_and_password(auth: &str) -> Result<(String, String), String> {
    let padded = auth.trim().ends_with('=');
    let decoded = base64::decode(auth.as_bytes(), padded)
        .map_err(|place| format!("illegal base64 data at input byte {place}"))?;
    let text = String::from_utf8_lossy(&decoded);
    match text.split_once(':') {
        Some((user, password)) => Ok((user.to_owned(), password.to_owned())),
        None => Err("must be formatted as base64(username:password)".into()),
    }
}

/// What a key of `auths` is for: host and path, without scheme and API version.
fn place(written: &str) -> Result<String, String> {
    let has_scheme = written.starts_with("https://") || written.starts_with("http://");
    let url = if has_scheme {
        written.to_owned()
    } else {
        format!("https://{written}")
    };
    let parsed = Url::parse(&url)
        .map_err(|error| format!("Entry {} in dockercfg invalid ({error})", quote(&url)))?;
    let path = String::from_utf8_lossy(&parsed.path).into_owned();
    let path = match path.as_bytes() {
        [b'/', b'v', b'1' | b'2', b'/', ..] => &path[3..],
        _ => path.as_str(),
    };
    let path = if path == "/" { "" } else { path };
    Ok(format!("{}{path}", parsed.authority()))
}

/// Whether a place of the keyring is that of the image.
fn matches(place: &str, image: &str) -> bool {
    let read = |text: &str| Url::parse(&format!("https://{text}")).ok();
    let (Some(place), Some(image)) = (read(place), read(image)) else {
        return false;
    };
    let (place_host, image_host) = (place.authority(), image.authority());
    let (place_host, place_port) = host_and_port(&place_host);
    let (image_host, image_port) = host_and_port(&image_host);
    let place_parts: Vec<&str> = place_host.split('.').collect();
    let image_parts: Vec<&str> = image_host.split('.').collect();
    place_port == image_port
        && place_parts.len() == image_parts.len()
        && image.path.starts_with(&place.path)
        && place_parts
            .iter()
            .zip(image_parts)
            .all(|(pattern, part)| glob::matches(pattern, part))
}

/// `net.SplitHostPort`; the whole is the host where there is no port.
fn host_and_port(authority: &str) -> (&str, &str) {
    match authority.rsplit_once(':') {
        Some((host, port)) => match host.strip_prefix('[') {
            Some(address) if address.ends_with(']') => (&address[..address.len() - 1], port),
            None if !host.contains(':') => (host, port),
            _ => (authority, ""),
        },
        None => (authority, ""),
    }
}
