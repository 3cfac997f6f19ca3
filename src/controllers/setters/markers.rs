//! Mirrors kyaml 0.21.1 `fieldmeta/fieldmeta.go`, as used by image-automation-controller 1.2: which setter a comment asks for.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::outcome::{RunFailure, SetterPolicy};
use crate::go::reference::Reference;
use crate::go::text::quote;

/// The member of the JSON object that makes a comment a marker.
pub const MARKER_KEY: &str = "$imagepolicy";
/// The bytes that a file must hold to be looked at.
pub const SCREENING_TOKEN: &str = "\"$imagepolicy\"";

const SETTER_REFERENCE: &str = "/definitions/io.k8s.cli.setters.";

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
    pub(super) fn requested_by(&self, comment: &str) -> Result<Option<Setting>, RunFailure> {
        let text = comment.trim_start_matches('#');
        if let Some(name) = marker_name(text)
            && let Some(setting) = self.resolve(&name)
        {
            return Ok(Some(setting));
        }
        if text.contains("$ref") || text.contains("x-k8s-cli") {
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

    /// The older forms: an OpenAPI schema that refers to a setter or holds one. What is behind it doesn't count.
    fn requested_by_schema(&self, text: &str) -> Result<Option<Setting>, RunFailure> {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let Some(Ok(Value::Object(schema))) = values.next() else {
            return Ok(None);
        };
        if let Some(reference) = schema.get("$ref") {
            let Some(reference) = reference.as_str() else {
                return Ok(None);
            };
            if !has_only_known_shapes(&schema) {
                return Err(unsupported_schema(text));
            }
            let name = reference
                .strip_prefix('#')
                .and_then(percent_decode)
                .and_then(|pointer| pointer.strip_prefix(SETTER_REFERENCE).map(str::to_owned));
            return Ok(name
                .filter(|name| !name.contains(['/', '~']))
                .and_then(|name| self.setting(&name)));
        }
        inline_setter(&schema).ok_or_else(|| unsupported_schema(text))
    }
}

fn unsupported_schema(text: &str) -> RunFailure {
    RunFailure::unsupported(format!("the OpenAPI schema in the comment {text}"))
}

/// Members of a schema whose shape decides whether the schema can be read at all.
const SHAPED_MEMBERS: [&str; 33] = [
    "$schema",
    "nullable",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "multipleOf",
    "enum",
    "maxProperties",
    "minProperties",
    "required",
    "items",
    "allOf",
    "oneOf",
    "anyOf",
    "not",
    "properties",
    "additionalProperties",
    "patternProperties",
    "dependencies",
    "additionalItems",
    "definitions",
    "discriminator",
    "readOnly",
    "externalDocs",
    "example",
    "x-kustomize",
];

/// Whether all members of a schema are of the few that are understood here, or of no meaning to a schema.
fn has_only_known_shapes(schema: &Map<String, Value>) -> bool {
    schema.iter().all(|(key, value)| match key.as_str() {
        "type" | "description" | "title" | "format" | "id" => value.is_string(),
        key => !SHAPED_MEMBERS.contains(&key),
    })
}

/// `{"x-k8s-cli": {"setter": {"name": ..., "value": ...}}}`, with or without a type. `None` if it holds anything that isn't understood.
fn inline_setter(schema: &Map<String, Value>) -> Option<Option<Setting>> {
    if !has_only_known_shapes(schema) {
        return None;
    }
    let value_type = match schema.get("type").and_then(Value::as_str) {
        None => None,
        Some("string") => Some(ValueType::String),
        Some("integer") => Some(ValueType::Integer),
        Some("number") => Some(ValueType::Number),
        Some("boolean") => Some(ValueType::Boolean),
        Some(_) => return None,
    };
    let Some(extension) = schema.get("x-k8s-cli") else {
        return Some(None);
    };
    let setter = extension.as_object()?.get("setter")?.as_object()?;
    let text = |key: &str| setter.get(key).and_then(Value::as_str).map(str::to_owned);
    (extension.as_object()?.len() == 1 && setter.len() == 2).then_some(())?;
    Some(Some(Setting {
        setter: text("name")?,
        value: text("value")?,
        value_type,
    }))
}

/// The value of `$imagepolicy` in a text that is one JSON object of strings; `None` if it isn't or the value is empty.
pub(super) fn marker_name(text: &str) -> Option<String> {
    if !text.contains(MARKER_KEY) && !text.contains("\\u") {
        return None;
    }
    let readable = if text.contains("\\u") {
        Cow::Owned(replace_lone_surrogates(text))
    } else {
        Cow::Borrowed(text)
    };
    let mut members: BTreeMap<String, Option<String>> = serde_json::from_str(&readable).ok()?;
    members
        .remove(MARKER_KEY)
        .flatten()
        .filter(|name| !name.is_empty())
}

/// Go reads an escaped half of a surrogate pair as U+FFFD where other readers refuse it.
fn replace_lone_surrogates(text: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        replaced.push_str(&rest[..at]);
        let escape = &rest[at..];
        let length = match (surrogate(escape), escape.get(6..).and_then(surrogate)) {
            (Some(true), Some(false)) => 12,
            (Some(_), _) => {
                replaced.push('\u{FFFD}');
                rest = &escape[6..];
                continue;
            }
            _ => escape
                .char_indices()
                .nth(2)
                .map_or(escape.len(), |(end, _)| end),
        };
        replaced.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    replaced.push_str(rest);
    replaced
}

/// Whether a text starts with the escape of a surrogate, and then whether it is a first half.
fn surrogate(text: &str) -> Option<bool> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xD800..=0xDBFF => Some(true),
        0xDC00..=0xDFFF => Some(false),
        _ => None,
    }
}

/// A URL fragment without its percent escapes; `None` if one is malformed or the text isn't UTF-8.
fn percent_decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
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
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::{Setters, marker_name, replace_lone_surrogates};
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
        ] {
            assert_eq!(marker_name(text).as_deref(), name, "{text}");
        }
    }

    #[test]
    fn halves_of_surrogate_pairs_are_replaced() {
        assert_eq!(
            replace_lone_surrogates(r"\ud83d\ude00 \\ud800"),
            r"\ud83d\ude00 \\ud800"
        );
        assert_eq!(
            replace_lone_surrogates(r"a\ud83dx\ude00"),
            "a\u{FFFD}x\u{FFFD}"
        );
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
