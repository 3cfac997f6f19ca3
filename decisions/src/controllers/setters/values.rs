//! Mirrors kyaml 0.21.1 `yaml/compatibility.go`, as used by image-automation-controller 1.2: how a new value is written into a field.

use super::markers::{Setting, ValueType};
use crate::yaml::{NewScalar, NodeId, ScalarStyle, Tag, View, is_non_string_in_yaml_1_1};

/// What a scalar is changed to: the new text, in quotes where an old YAML reader would take the text for something else than a string.
pub(super) fn new_scalar(view: View<'_>, id: NodeId, setting: &Setting) -> NewScalar {
    let mut new = NewScalar {
        text: setting.value.clone(),
        style: view.style(id),
        tag: None,
        keeps_written_tag: true,
    };
    let Some(value_type) = setting.value_type else {
        return new;
    };
    if !is_non_string_in_yaml_1_1(&setting.value) {
        return new;
    }
    let is_quoted = matches!(
        new.style,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted
    );
    let wants_quotes = value_type == ValueType::String;
    if is_quoted != wants_quotes {
        new.style = if wants_quotes {
            ScalarStyle::DoubleQuoted
        } else {
            ScalarStyle::Plain
        };
        new.keeps_written_tag = false;
    }
    let is_null = match view.source_tag(id) {
        Tag::Explicit(tag) => tag == b"!!null",
        Tag::Implied(tag) => tag == "!!null",
    };
    if is_null {
        new.style = ScalarStyle::Plain;
        new.keeps_written_tag = false;
        new.tag = Some("!!null");
        return new;
    }
    new.tag = Some(match value_type {
        ValueType::String => "!!str",
        ValueType::Integer => "!!int",
        ValueType::Number => "!!float",
        ValueType::Boolean => "!!bool",
    });
    new
}
