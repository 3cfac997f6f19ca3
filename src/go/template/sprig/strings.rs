//! Strings.

use super::super::characters::{self};
use super::super::function::{Function, fixed};
use super::super::value::{Type, Value};

pub(super) static FUNCTIONS: &[Function] = &[fixed(
    "upper",
    &[Type::String],
    Type::String,
    |_, values| match &values[0] {
        Value::String(text) => Ok(Value::text(characters::map(text, characters::to_upper))),
        _ => Ok(Value::text("")),
    },
)];
