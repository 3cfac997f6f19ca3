//! Mirrors kube-openapi 865597e `pkg/validation/spec/schema.go` and kyaml 0.21.1 `fieldmeta/fieldmeta.go`, as used by
//! image-automation-controller 1.2: a comment that is an OpenAPI schema, which is how setters were first written.

use super::markers::{Setting, ValueType};
use super::outcome::RunFailure;
use crate::go::json::mismatch;
use crate::go::json::strict::{Document, Kind, Value};
use crate::go::url::Url;

/// What a schema refers to with `$ref`.
pub(super) enum Target {
    /// A definition of the setters, by its name.
    Definition(String),
    /// The schema of all setters, which sets nothing itself.
    Root,
    /// Nothing that is there.
    Unknown,
}

/// A comment that could be read as a schema.
pub(super) struct Schema {
    pub(super) reference: Option<Target>,
    /// The setter that it holds itself; or why the run fails when it is looked at.
    pub(super) own: Result<Option<Setting>, RunFailure>,
}

/// What the names of definitions of setters start with.
const DEFINITIONS: &[u8] = b"/definitions/io.k8s.cli.setters.";

impl Schema {
    /// Reads a comment without its `#`; `None` if it is no schema. What stands behind the schema doesn't count.
    pub(super) fn read(text: &str) -> Option<Self> {
        let document = Document::read_first(text)?;
        let root = document.root();
        if !fits_schema(root) {
            return None;
        }
        // With something behind the schema it counts as none, but what was read stays.
        let older = root.member("x-kustomize").filter(|_| document.is_whole());
        if older.is_some_and(|older| !fits_older_setters(older)) {
            return None;
        }
        let reference = root
            .member("$ref")
            .and_then(|reference| reference.string())
            .filter(|reference| !matches!(reference.as_str(), "" | "#"))
            .and_then(|reference| Url::parse(&reference).ok())
            .map(|url| point(&url.fragment));
        Some(Self {
            reference,
            own: own_setter(root),
        })
    }
}

/// What a URL's fragment points at in the schema of all setters.
fn point(fragment: &[u8]) -> Target {
    if !fragment.starts_with(b"/") {
        return Target::Root;
    }
    let name = fragment
        .strip_prefix(DEFINITIONS)
        .and_then(|name| std::str::from_utf8(name).ok())
        .filter(|name| !name.contains('/'));
    match name {
        // `~1` is a `/`, which no name holds.
        Some(name) => Target::Definition(name.replace("~1", "/").replace("~0", "~")),
        None => Target::Unknown,
    }
}

/// What a part of a schema must be.
#[derive(Clone, Copy)]
enum Shape {
    Any,
    Text,
    Bool,
    Float,
    Integer,
    List,
    Texts,
    Schema,
    Schemas,
    NamedSchemas,
    SchemaOrSchemas,
    SchemaOrBool,
    /// Each a schema or a list of texts.
    Dependencies,
    TextOrTexts,
    /// An object whose `description` and `url` are texts.
    Documentation,
}

/// The members of a schema; others may be anything.
fn shape_of(member: &str) -> Shape {
    match member {
        "id" | "description" | "format" | "title" | "pattern" | "discriminator" => Shape::Text,
        "nullable" | "exclusiveMaximum" | "exclusiveMinimum" | "uniqueItems" | "readOnly" => {
            Shape::Bool
        }
        "maximum" | "minimum" | "multipleOf" => Shape::Float,
        "maxLength" | "minLength" | "maxItems" | "minItems" | "maxProperties" | "minProperties" => {
            Shape::Integer
        }
        "type" => Shape::TextOrTexts,
        "enum" => Shape::List,
        "required" => Shape::Texts,
        "items" => Shape::SchemaOrSchemas,
        "allOf" | "oneOf" | "anyOf" => Shape::Schemas,
        "not" => Shape::Schema,
        "properties" | "patternProperties" | "definitions" => Shape::NamedSchemas,
        "additionalProperties" | "additionalItems" => Shape::SchemaOrBool,
        "dependencies" => Shape::Dependencies,
        "externalDocs" => Shape::Documentation,
        _ => Shape::Any,
    }
}

/// Whether a value can be decoded as a schema. Every part may be null, with few exceptions.
fn fits_schema(root: Value<'_>) -> bool {
    let mut open = vec![(root, Shape::Schema)];
    while let Some((value, shape)) = open.pop() {
        let kind = value.kind();
        let is_null = kind == Kind::Null;
        let fits = match shape {
            Shape::Any => value.is_finite(),
            Shape::Text => is_null || kind == Kind::String,
            Shape::Bool => is_null || matches!(kind, Kind::True | Kind::False),
            Shape::Float => is_null || kind == Kind::Number && value.is_finite(),
            Shape::Integer => is_null || kind == Kind::Number && is_integer(value.number()),
            Shape::List => is_null || kind == Kind::Array && value.is_finite(),
            Shape::Texts => is_null || kind == Kind::Array && holds(value, &mut open, Shape::Text),
            Shape::Schema => is_null || kind == Kind::Object && holds_members(value, &mut open),
            Shape::Schemas => {
                is_null || kind == Kind::Array && holds(value, &mut open, Shape::Schema)
            }
            Shape::NamedSchemas => {
                is_null || kind == Kind::Object && holds(value, &mut open, Shape::Schema)
            }
            Shape::SchemaOrSchemas => match kind {
                Kind::Object => holds_members(value, &mut open),
                Kind::Array => holds(value, &mut open, Shape::Schema),
                // Read, but not decoded.
                _ => true,
            },
            Shape::SchemaOrBool => match kind {
                Kind::Object => holds_members(value, &mut open),
                _ => is_null || matches!(kind, Kind::True | Kind::False),
            },
            Shape::Dependencies => {
                is_null || kind == Kind::Object && add_dependencies(value, &mut open)
            }
            Shape::TextOrTexts => match kind {
                Kind::Array => holds(value, &mut open, Shape::Text),
                _ => is_null || kind == Kind::String,
            },
            Shape::Documentation => {
                let texts = ["description", "url"].map(|name| value.member(name));
                open.extend(texts.into_iter().flatten().map(|text| (text, Shape::Text)));
                is_null || kind == Kind::Object
            }
        };
        if !fits {
            return false;
        }
    }
    true
}

/// Whether what is inside a value fits is looked at later.
fn holds<'d>(value: Value<'d>, open: &mut Vec<(Value<'d>, Shape)>, shape: Shape) -> bool {
    open.extend(value.children().map(|child| (child, shape)));
    true
}

fn add_dependencies<'d>(value: Value<'d>, open: &mut Vec<(Value<'d>, Shape)>) -> bool {
    for child in value.children() {
        match child.kind() {
            Kind::Object => open.push((child, Shape::Schema)),
            Kind::Array => open.push((child, Shape::Texts)),
            _ => {}
        }
    }
    true
}

/// The members of a schema are looked at later, save those that are URLs.
fn holds_members<'d>(value: Value<'d>, open: &mut Vec<(Value<'d>, Shape)>) -> bool {
    open.extend(
        value
            .children()
            .map(|child| (child, shape_of(child.name()))),
    );
    ["$ref", "$schema"].iter().all(|name| {
        let url = value.member(name).and_then(|url| url.string());
        url.is_none_or(|url| Url::parse(&url).is_ok())
    })
}

/// Whether a number is written as an integer of 64 bits.
fn is_integer(number: &str) -> bool {
    number.parse::<i64>().is_ok()
}

/// The setter in the extension `x-k8s-cli` of a schema, and the type that the schema gives to its value.
fn own_setter(schema: Value<'_>) -> Result<Option<Setting>, RunFailure> {
    let Some(extension) = schema
        .member("x-k8s-cli")
        .filter(|value| value.kind() != Kind::Null)
    else {
        return Ok(None);
    };
    let Some(setter) = decode_extension(extension).map_err(RunFailure::predicted)? else {
        return Ok(None);
    };
    Ok(Some(Setting {
        setter: setter.name,
        value: setter.value,
        value_type: value_type(schema),
    }))
}

/// The one type that is given, where it is one that matters.
fn value_type(schema: Value<'_>) -> Option<ValueType> {
    let given = schema.member("type")?;
    let name = match given.kind() {
        Kind::Array => {
            let mut types = given.children();
            let first = types.next()?;
            if types.next().is_some() {
                return None;
            }
            first.string()?
        }
        _ => given.string()?,
    };
    let format = schema.member("format").and_then(|format| format.string());
    match name.as_str() {
        "string" if format.as_deref() != Some("int-or-string") => Some(ValueType::String),
        "integer" => Some(ValueType::Integer),
        "number" => Some(ValueType::Number),
        "boolean" => Some(ValueType::Boolean),
        _ => None,
    }
}

/// Whether the extension of the setters before these can be decoded, which is asked for though nothing is done with it.
fn fits_older_setters(extension: Value<'_>) -> bool {
    let is_text = |value: &Value<'_>| matches!(value.kind(), Kind::Null | Kind::String);
    let is_setter = |value: Value<'_>| match value.kind() {
        Kind::Object => value
            .children()
            .filter(|part| is_field(part.name(), "name") || is_field(part.name(), "value"))
            .all(|part| is_text(&part)),
        kind => kind == Kind::Null,
    };
    let fits = |member: Value<'_>| {
        let name = member.name();
        if is_field(name, "setby") {
            is_text(&member)
        } else if is_field(name, "setter") {
            is_setter(member)
        } else if is_field(name, "partialsetters") {
            match member.kind() {
                Kind::Array => member.children().all(is_setter),
                kind => kind == Kind::Null,
            }
        } else {
            true
        }
    };
    match extension.kind() {
        Kind::Object => extension.children().all(fits),
        kind => kind == Kind::Null,
    }
}

#[derive(Default)]
struct NamedValue {
    name: String,
    value: String,
}

/// Decodes `{"setter": {"name": ..., "value": ...}}` as `encoding/json` does, which knows members in any letter case and takes the
/// first complaint.
fn decode_extension(extension: Value<'_>) -> Result<Option<NamedValue>, String> {
    let wrong =
        |value: Value<'_>, place: &str, of: &str| Err(mismatch(kind_name(value), place, of));
    if extension.kind() != Kind::Object {
        return wrong(extension, "", "update.extension");
    }
    let mut setter: Option<NamedValue> = None;
    let mut complaint = Ok(None);
    for member in sorted(extension) {
        if !is_field(member.name(), "setter") {
            continue;
        }
        match member.kind() {
            Kind::Null => setter = None,
            Kind::Object => {
                let into = setter.get_or_insert_default();
                for part in sorted(member) {
                    let (field, place) = if is_field(part.name(), "name") {
                        (&mut into.name, "setter.setter.name")
                    } else if is_field(part.name(), "value") {
                        (&mut into.value, "setter.setter.value")
                    } else {
                        continue;
                    };
                    match part.string() {
                        Some(text) => *field = text,
                        None if part.kind() == Kind::Null => {}
                        None => {
                            complaint = complaint
                                .and_then(|_: Option<NamedValue>| wrong(part, place, "string"))
                        }
                    }
                }
            }
            _ => {
                setter.get_or_insert_default();
                complaint =
                    complaint.and_then(|_| wrong(member, "extension.setter", "update.setter"));
            }
        }
    }
    complaint.map(|_| setter)
}

/// The members of an object in the order in which Go writes a map.
fn sorted(object: Value<'_>) -> Vec<Value<'_>> {
    let mut members: Vec<Value<'_>> = object.children().collect();
    members.sort_by_key(|member| member.name());
    members
}

/// Whether a member fills a field, whose name is in small letters.
fn is_field(member: &str, field: &str) -> bool {
    let fold = |letter: char| match letter {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        letter => letter.to_ascii_lowercase(),
    };
    member.chars().map(fold).eq(field.chars())
}

fn kind_name(value: Value<'_>) -> &'static str {
    match value.kind() {
        Kind::Null => "null",
        Kind::True | Kind::False => "bool",
        Kind::Number => "number",
        Kind::String => "string",
        Kind::Array => "array",
        Kind::Object => "object",
    }
}
