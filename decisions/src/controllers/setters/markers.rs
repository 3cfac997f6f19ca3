//! Mirrors kyaml 0.21.1 `fieldmeta/fieldmeta.go`, as used by image-automation-controller 1.2: which setter a comment asks for.

use std::borrow::Cow;
use std::collections::HashMap;

use super::outcome::{RunFailure, SetterPolicy};
use super::schema::{Schema, Target};
use crate::go::json::{self, Json};
use crate::go::reference::Reference;
use crate::go::text::quote;

/// The member of the JSON object that makes a comment a marker.
pub const MARKER_KEY: &str = "$imagepolicy";
/// The bytes that a file must hold to be looked at.
pub const SCREENING_TOKEN: &str = "\"$imagepolicy\"";

/// What the values of the policies are, by setter.
#[derive(Clone, Debug, Default)]
pub struct Setters {
    values: HashMap<String, String>,
}

/// How a value is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueType {
    String,
    Integer,
    Number,
    Boolean,
}

/// A value that a comment asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) setter: String,
    pub(super) value: String,
    pub(super) value_type: Option<ValueType>,
}

impl Setters {
    /// The setters of these policies: `ns:name`, and the same with `:tag`, `:name` and `:digest` behind it.
    ///
    /// # Errors
    ///
    /// One image that doesn't parse fails the whole run: `encountered invalid image ref "...": ...`.
    pub fn new(policies: &[SetterPolicy]) -> Result<Self, RunFailure> {
        let mut values = HashMap::with_capacity(policies.len() * 4);
        for policy in policies {
            let mut image = format!("{}:{}", policy.image, policy.tag);
            if !policy.digest.is_empty() {
                image = format!("{image}@{}", policy.digest);
            }
            if let Err(error) = Reference::parse(&image) {
                let message = format!("encountered invalid image ref {}: {error}", quote(&image));
                return Err(RunFailure::predicted(message));
            }
            let setter = format!("{}:{}", policy.namespace, policy.name);
            values.insert(format!("{setter}:tag"), policy.tag.clone());
            values.insert(format!("{setter}:name"), policy.image.clone());
            values.insert(format!("{setter}:digest"), policy.digest.clone());
            values.insert(setter, image);
        }
        Ok(Self { values })
    }

    /// Whether a policy gives a value to this setter.
    pub fn is_known(&self, setter: &str) -> bool {
        self.values.contains_key(setter)
    }

    fn setting(&self, setter: &str) -> Option<Setting> {
        let value = self.values.get(setter)?.clone();
        Some(Setting {
            setter: setter.to_owned(),
            value,
            value_type: Some(ValueType::String),
        })
    }

    /// What a comment, with its `#`, asks for.
    ///
    /// # Errors
    ///
    /// A schema holds a setter that can't be read: the run fails.
    pub(super) fn requested_by(&self, comment: &str) -> Result<Option<Setting>, RunFailure> {
        // All forms are JSON objects.
        if memchr::memchr(b'{', comment.as_bytes()).is_none() {
            return Ok(None);
        }
        let text = comment.trim_start_matches('#');
        if let Some(name) = marker_name(text)
            && let Some(setting) = self.resolve(&name)
        {
            return Ok(Some(setting));
        }
        // An escape may hide either word.
        if text.contains("$ref") || text.contains("x-k8s-cli") || text.contains("\\u") {
            return self.requested_by_schema(text);
        }
        Ok(None)
    }

    /// The setter that a name in a marker stands for: the name is the end of a URL fragment and a JSON pointer.
    fn resolve(&self, name: &str) -> Option<Setting> {
        let name = percent_decode(name)?;
        if name.contains(['/', '~']) {
            return None;
        }
        self.setting(&name)
    }

    /// The older forms: an OpenAPI schema that refers to a setter or holds one.
    fn requested_by_schema(&self, text: &str) -> Result<Option<Setting>, RunFailure> {
        let Some(schema) = Schema::read(text) else {
            return Ok(None);
        };
        match schema.reference {
            Some(Target::Root) => Ok(None),
            Some(Target::Definition(name)) if self.is_known(&name) => Ok(self.setting(&name)),
            _ => schema.own,
        }
    }
}

/// The value of `$imagepolicy` in a text that is one JSON object of strings; `None` if it isn't or the value is empty.
pub(super) fn marker_name(text: &str) -> Option<Cow<'_, str>> {
    if let Some(name) = plain_marker(text) {
        return Some(Cow::Borrowed(name));
    }
    if !text.contains(MARKER_KEY) && !text.contains("\\u") {
        return None;
    }
    let Json::Object(members) = json::read(text.as_bytes()).ok()? else {
        return None;
    };
    let mut name = None;
    for (key, value) in members {
        let value = match value {
            Json::String(text) => text,
            Json::Null => String::new(),
            _ => return None,
        };
        if key == MARKER_KEY {
            name = Some(value);
        }
    }
    name.filter(|name| !name.is_empty()).map(Cow::Owned)
}

/// The name in ` {"$imagepolicy": "NAME"}`, as most markers are written.
fn plain_marker(text: &str) -> Option<&str> {
    let inside = text
        .trim_matches(' ')
        .strip_prefix('{')?
        .strip_suffix('}')?;
    let key = inside.trim_matches(' ').strip_prefix(SCREENING_TOKEN)?;
    let value = key.trim_start_matches(' ').strip_prefix(':')?;
    let name = value
        .trim_matches(' ')
        .strip_prefix('"')?
        .strip_suffix('"')?;
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    (!name.is_empty() && name.bytes().all(is_plain)).then_some(name)
}

/// A URL fragment without its percent escapes; `None` if one is malformed or the text isn't UTF-8.
fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    let bytes = text.as_bytes();
    if memchr::memchr(b'%', bytes).is_none() {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let digits = text.get(at + 1..at + 3)?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::{Setters, marker_name};
    use crate::controllers::setters::SetterPolicy;

    fn policy(image: &str, tag: &str, digest: &str) -> SetterPolicy {
        SetterPolicy {
            namespace: "ns".to_owned(),
            name: "p".to_owned(),
            image: image.to_owned(),
            tag: tag.to_owned(),
            digest: digest.to_owned(),
        }
    }

    #[test]
    fn a_marker_is_one_object_of_strings() {
        for (text, name) in [
            (r#" {"$imagepolicy":"ns:p"} "#, Some("ns:p")),
            (r#"{"$imagepolicy":"a","$imagepolicy":"b"}"#, Some("b")),
            (r#"{"$imagepolicy":"a","x":null}"#, Some("a")),
            (r#"{"\u0024imagepolicy":"a"}"#, Some("a")),
            (r#"{"$imagepolicy":""}"#, None),
            (r#"{"$imagepolicy":null}"#, None),
            (r#"{"$imagepolicy":"a"} x"#, None),
            (r#"{"$imagepolicy":"a","x":1}"#, None),
            (r#"["$imagepolicy"]"#, None),
            (r#"{"$imagepolicy":"a\ud800"}"#, Some("a\u{FFFD}")),
        ] {
            assert_eq!(marker_name(text).as_deref(), name, "{text}");
        }
    }

    #[test]
    fn one_invalid_image_fails_the_run() {
        let error = Setters::new(&[policy("Foo", "v1", "")]).unwrap_err();
        let expected =
            "encountered invalid image ref \"Foo:v1\": could not parse reference: Foo:v1";
        assert_eq!(error.message, expected);
        assert!(Setters::new(&[policy("foo", "", "")]).is_err());
        assert!(Setters::new(&[policy("foo", "v1", "sha256:00")]).is_err());
    }

    #[test]
    fn each_policy_gives_four_setters() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let setters = Setters::new(&[policy("foo/bar", "v1", &digest)]).unwrap();
        let value = |comment: &str| {
            let setting = setters.requested_by(comment).unwrap();
            setting.map(|setting| setting.value)
        };
        let marker = |setter: &str| value(&format!(r##"# {{"$imagepolicy": "{setter}"}}"##));
        assert_eq!(marker("ns:p"), Some(format!("foo/bar:v1@{digest}")));
        assert_eq!(marker("ns:p:tag").as_deref(), Some("v1"));
        assert_eq!(marker("ns:p:name").as_deref(), Some("foo/bar"));
        assert_eq!(marker("ns:p:digest"), Some(digest));
        assert_eq!(marker("ns%3Ap:tag").as_deref(), Some("v1"));
        assert_eq!(marker("ns%3:p"), None);
        assert_eq!(marker("ns/p"), None);
        assert_eq!(marker(" ns:p"), None);
        assert_eq!(value("#!# {}"), None);
    }
}
