//! Defaults, choices and questions about types.

use super::arguments::{is_empty, text};
use crate::go::template::characters::lossy;
use crate::go::template::function::{Function, fixed, variadic};
use crate::go::template::value::{Type, Value};

const ANY: Type = Type::Any;
const TEXT: Type = Type::String;

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("default", &[ANY], ANY, ANY, |_, values| {
        let given = values.get(1).filter(|given| !is_empty(given));
        Ok(given.unwrap_or(&values[0]).clone())
    }),
    fixed("empty", &[ANY], Type::Bool, |_, values| {
        Ok(Value::Bool(is_empty(&values[0])))
    }),
    variadic("coalesce", &[], ANY, ANY, |_, values| {
        let found = values.into_iter().find(|value| !is_empty(value));
        Ok(found.unwrap_or(Value::Invalid))
    }),
    variadic("all", &[], ANY, Type::Bool, |_, values| {
        Ok(Value::Bool(!values.iter().any(is_empty)))
    }),
    variadic("any", &[], ANY, Type::Bool, |_, values| {
        Ok(Value::Bool(values.iter().any(|value| !is_empty(value))))
    }),
    fixed("ternary", &[ANY, ANY, Type::Bool], ANY, |_, values| {
        Ok(values[usize::from(!values[2].truth())].clone())
    }),
    fixed("typeOf", &[ANY], TEXT, |_, values| {
        Ok(Value::text(values[0].type_name()))
    }),
    fixed("typeIs", &[TEXT, ANY], Type::Bool, |_, values| {
        let target = lossy(&text(&values, 0));
        Ok(Value::Bool(target == values[1].type_name()))
    }),
    fixed("typeIsLike", &[TEXT, ANY], Type::Bool, |_, values| {
        let target = lossy(&text(&values, 0));
        let name = values[1].type_name();
        Ok(Value::Bool(target == name || format!("*{target}") == name))
    }),
    fixed("kindOf", &[ANY], TEXT, |_, values| {
        Ok(Value::text(values[0].kind().name()))
    }),
    fixed("kindIs", &[TEXT, ANY], Type::Bool, |_, values| {
        let target = lossy(&text(&values, 0));
        Ok(Value::Bool(target == values[1].kind().name()))
    }),
];
