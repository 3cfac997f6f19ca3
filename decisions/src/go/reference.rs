//! Image references as go-containerregistry's `pkg/name` reads them with its weak validation.

use core::net::Ipv6Addr;
use std::fmt;

const DEFAULT_REGISTRY: &str = "index.docker.io";
const DEFAULT_REGISTRY_ALIAS: &str = "docker.io";
const DEFAULT_TAG: &str = "latest";
const REPOSITORY_CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-./";
const TAG_CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-.ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Why a text is no reference; the text of the Go library.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReferenceError(String);

/// A repository on a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

impl Repository {
    /// Reads `registry/path`, or a `path` on Docker Hub.
    ///
    /// # Errors
    ///
    /// The path or the registry has a form that the Go library refuses.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError("a repository name must be specified".into()));
        }
        let (registry, path) = match text.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) => (first, rest),
            _ => ("", text),
        };
        check_element("repository", path, REPOSITORY_CHARACTERS, 2, 255)?;
        if !is_authority(registry) {
            return Err(ReferenceError(format!(
                "registries must be valid RFC 3986 URI authorities: {registry}"
            )));
        }
        let registry = match registry {
            "" | DEFAULT_REGISTRY_ALIAS => DEFAULT_REGISTRY,
            named => named,
        };
        Ok(Self {
            registry: registry.into(),
            path: path.into(),
        })
    }

    /// The registry's host and port; `index.docker.io` for Docker Hub.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path on the registry, with the `library/` that Docker Hub implies.
    pub fn path(&self) -> String {
        if self.registry == DEFAULT_REGISTRY && !self.path.contains('/') {
            format!("library/{}", self.path)
        } else {
            self.path.clone()
        }
    }

    /// Whether the Go library would speak plain http to the registry without being told to.
    pub fn is_plain_http(&self) -> bool {
        let name = self.registry.as_str();
        is_private_ipv4(name.split(':').next().unwrap_or_default())
            || name.starts_with("localhost:")
            || is_below_localhost(name)
            || name.contains("127.0.0.1")
            || name.contains("::1")
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.path())
    }
}

/// What a reference points to in its repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// A tag; `latest` when the reference has none.
    Tag(String),
    /// `sha256:` and 64 hexadecimal digits.
    Digest(String),
}

/// A tag or a digest in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The repository.
    pub repository: Repository,
    /// What is referred to in it.
    pub identifier: Identifier,
}

impl Reference {
    /// Reads a tag reference, or else a digest reference.
    ///
    /// # Errors
    ///
    /// The text is neither.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        Self::parse_tag(text)
            .or_else(|_| Self::parse_digest(text))
            .map_err(|_| ReferenceError(format!("could not parse reference: {text}")))
    }

    /// Reads `repository` or `repository:tag`.
    ///
    /// # Errors
    ///
    /// The tag, the repository or the registry has a form that the Go library refuses.
    pub fn parse_tag(text: &str) -> Result<Self, ReferenceError> {
        // A colon before a slash belongs to the registry's port.
        let (base, tag) = match text.rsplit_once(':') {
            Some((base, tag)) if !tag.contains('/') => (base, Some(tag)),
            _ => (text, None),
        };
        match tag {
            Some("") => {
                return Err(ReferenceError(format!(
                    "{text} must specify a tag name after the colon"
                )));
            }
            Some(tag) => check_element("tag", tag, TAG_CHARACTERS, 1, 128)?,
            None => {}
        }
        Ok(Self {
            repository: Repository::parse(base)?,
            identifier: Identifier::Tag(tag.unwrap_or(DEFAULT_TAG).into()),
        })
    }

    /// Reads `repository@sha256:...`; a tag before the `@` is dropped.
    ///
    /// # Errors
    ///
    /// The digest, the repository or the registry has a form that the Go library refuses.
    pub fn parse_digest(text: &str) -> Result<Self, ReferenceError> {
        let (base, digest) = match text.split_once('@') {
            Some((base, digest)) if !digest.contains('@') => (base, digest),
            _ => {
                return Err(ReferenceError(format!(
                    "a digest must contain exactly one '@' separator (e.g. registry/repository@digest) saw: {text}"
                )));
            }
        };
        let Some(hexadecimal) = digest.strip_prefix("sha256:") else {
            return Err(ReferenceError(format!(
                "unsupported digest algorithm: {digest}"
            )));
        };
        if hexadecimal.len() != 64 {
            return Err(ReferenceError("invalid checksum digest length".into()));
        }
        if !hexadecimal
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Err(ReferenceError("invalid checksum digest format".into()));
        }
        // The implied namespace counts against the length where a tag can be read: the name is checked again.
        let named = Self::parse_tag(base).map(|tagged| tagged.repository.to_string());
        Ok(Self {
            repository: Repository::parse(named.as_deref().unwrap_or(base))?,
            identifier: Identifier::Digest(digest.into()),
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.identifier {
            Identifier::Tag(tag) => write!(formatter, "{}:{tag}", self.repository),
            Identifier::Digest(digest) => write!(formatter, "{}@{digest}", self.repository),
        }
    }
}

fn check_element(
    what: &str,
    element: &str,
    allowed: &str,
    least: usize,
    most: usize,
) -> Result<(), ReferenceError> {
    let count = element.chars().count();
    if count < least || count > most {
        return Err(ReferenceError(format!(
            "{what} must be between {least} and {most} characters in length: {element}"
        )));
    }
    if !element.chars().all(|character| allowed.contains(character)) {
        return Err(ReferenceError(format!(
            "{what} can only contain the characters `{allowed}`: {element}"
        )));
    }
    Ok(())
}

/// Whether Go's `net/url` takes all of `name`, unchanged, for the host of a URL without a scheme.
fn is_authority(name: &str) -> bool {
    let is_host_byte = |byte: u8| {
        byte >= 0x80 || byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
    };
    if !name.bytes().all(is_host_byte) {
        return false;
    }
    match name.rfind('[') {
        Some(0) => name[1..].rsplit_once(']').is_some_and(|(address, port)| {
            address.parse::<Ipv6Addr>().is_ok() && is_optional_port(port)
        }),
        Some(_) => false,
        None => name
            .rfind(':')
            .is_none_or(|colon| is_optional_port(&name[colon..])),
    }
}

fn is_optional_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_private_ipv4(host: &str) -> bool {
    host.parse::<core::net::Ipv4Addr>()
        .is_ok_and(|address| address.is_private())
}

fn is_below_localhost(name: &str) -> bool {
    let host = match name.rsplit_once(':') {
        Some((host, port))
            if (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            host
        }
        _ => name,
    };
    host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        match Reference::parse(text) {
            Ok(reference) => reference.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn names_are_completed_as_docker_hub_wants_them() {
        assert_eq!(canonical("alpine"), "index.docker.io/library/alpine:latest");
        assert_eq!(
            canonical("docker.io/org/app:1"),
            "index.docker.io/org/app:1"
        );
        assert_eq!(
            canonical("localhost/foo"),
            "index.docker.io/localhost/foo:latest"
        );
        assert_eq!(canonical("localhost:5000/foo"), "localhost:5000/foo:latest");
        assert_eq!(canonical("ghcr.io/a_/b..c-"), "ghcr.io/a_/b..c-:latest");
        assert_eq!(canonical("[::1]:5000/app"), "[::1]:5000/app:latest");
    }

    #[test]
    fn digests_drop_the_tag() {
        let hexadecimal = "0".repeat(64);
        assert_eq!(
            canonical(&format!("app:1.0@sha256:{hexadecimal}")),
            format!("index.docker.io/library/app@sha256:{hexadecimal}")
        );

        let long = format!("{}@sha256:{}", "x".repeat(255), "0".repeat(64));
        assert!(Reference::parse(&long).is_err());
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "a",
            "App",
            "app:",
            "app:a b",
            "ex ample.com/app",
            "h.io:x/app",
            "app@sha256:00",
            "a@b@c",
            "[::1/app",
            "[1.2.3.4]:1/app",
            "x.io%25/app",
            "u@h.io/app",
        ] {
            assert_eq!(
                canonical(text),
                format!("could not parse reference: {text}")
            );
        }
    }

    #[test]
    fn local_registries_are_spoken_to_without_tls() {
        let plain = |text: &str| Repository::parse(text).unwrap().is_plain_http();
        assert!(plain("10.1.2.3:5000/app"));
        assert!(plain("localhost:5000/app"));
        assert!(plain("registry.localhost/app"));
        assert!(plain("registry.localhost:80/app"));
        assert!(plain("127.0.0.1:80/app"));
        assert!(plain("[::1]:80/app"));
        assert!(!plain("11.1.2.3:5000/app"));
        assert!(!plain("app"));
    }
}
