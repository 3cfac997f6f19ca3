//! Mirrors kyaml 0.21.1 `yaml/compatibility.go`, as used by image-automation-controller 1.2: how a new value is written into a field.

use std::borrow::Cow;

use super::markers::{Setting, ValueType};
use super::outcome::RunFailure;
use crate::yaml::{Node, NodeKind, ScalarStyle, is_non_string_in_yaml_1_1};

/// Gives a scalar its new text, and quotes where an old YAML reader would take the text for something else than a string.
/// Gives the old text.
///
/// # Errors
///
/// When it can't be told what an old reader would make of the text.
pub(super) fn set_value(node: &mut Node<'_>, setting: &Setting) -> Result<String, RunFailure> {
    let NodeKind::Scalar { value, style } = &mut node.kind else {
        return Ok(String::new());
    };
    let old = std::mem::replace(value, Cow::Owned(setting.value.clone())).into_owned();
    let Some(value_type) = setting.value_type else {
        return Ok(old);
    };
    let Some(is_non_string) = is_non_string_in_yaml_1_1(&setting.value) else {
        return Err(RunFailure::unsupported(format!(
            "the value {:?}, whose YAML type can't be told",
            setting.value
        )));
    };
    if !is_non_string {
        return Ok(old);
    }
    let is_quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
    let wants_quotes = value_type == ValueType::String;
    if is_quoted != wants_quotes {
        *style = if wants_quotes {
            ScalarStyle::DoubleQuoted
        } else {
            ScalarStyle::Plain
        };
        node.explicit_tag = false;
    }
    if *node.tag == *b"!!null" {
        *style = ScalarStyle::Plain;
        node.explicit_tag = false;
        return Ok(old);
    }
    node.tag = Cow::Borrowed(match value_type {
        ValueType::String => b"!!str",
        ValueType::Integer => b"!!int",
        ValueType::Number => b"!!float",
        ValueType::Boolean => b"!!bool",
    });
    Ok(old)
}
