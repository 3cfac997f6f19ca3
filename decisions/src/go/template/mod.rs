//! Go's text/template with Sprig's hermetic functions, over values that carry Go's types.
//!
//! A template comes from someone else: its output, its nesting and its work are bounded.

mod builtins;
mod chance;
pub(super) mod characters;
mod exec;
mod format;
mod function;
mod lexer;
mod limits;
mod node;
pub(super) mod number;
mod parser;
pub(super) mod quote;
mod sprig;
mod value;

use std::collections::BTreeMap;

pub use chance::Chance;
pub use function::{Fault, Outcome};
pub use limits::{Bound, Limits, STEPS};
pub use value::{
    ANY_LIST, ANY_LISTS, DICT, Field, INT_LIST, Key, Kind, List, ListType, Map, MapType, Method,
    NamedMethod, NamedType, STRING_LIST, STRING_MAP, Struct, StructType, Text, Type, Value,
};

use function::Function;

/// A parsed template and those that it defines.
#[derive(Debug)]
pub struct Template {
    name: String,
    text: String,
    templates: BTreeMap<String, node::List>,
}

/// Why a template gives no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Go's error text.
    #[error("{0}")]
    Failed(String),
    /// The template calls a function that is known by name only.
    #[error("the function {0} isn't supported")]
    Unsupported(&'static str),
    /// The template takes more than it may.
    #[error("{0}")]
    TooLarge(Bound),
}

impl From<Bound> for Error {
    fn from(bound: Bound) -> Self {
        Error::TooLarge(bound)
    }
}

impl Template {
    /// Parses `text`, the template called `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] with Go's text, or [`Error::TooLarge`] when it is nested too deeply.
    pub fn parse(name: &str, text: &str) -> Result<Template, Error> {
        let known = |name: &str| find_function(name).is_some();
        match parser::parse(name, text, &known) {
            Ok(templates) => Ok(Template {
                name: name.to_string(),
                text: text.to_string(),
                templates,
            }),
            Err(parser::Failure::Syntax(message)) => Err(Error::Failed(message)),
            Err(parser::Failure::TooDeep) => Err(Error::TooLarge(Bound::Depth)),
        }
    }

    /// Whether the function, one of those that are known by name only, gives another result at each call.
    pub fn is_random(function: &str) -> bool {
        sprig::is_random(function)
    }

    /// Runs the template over `data` within `limits`.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] with Go's text, or what the limits or a function that isn't supported say.
    pub fn execute(&self, data: &Value, limits: &mut Limits) -> Result<Vec<u8>, Error> {
        let program = exec::Program {
            name: &self.name,
            text: &self.text,
            templates: &self.templates,
            functions: &find_function,
        };
        exec::run(&program, data, limits)
    }
}

fn find_function(name: &str) -> Option<&'static Function> {
    sprig::find(name).or_else(|| {
        builtins::FUNCTIONS
            .iter()
            .find(|function| function.name == name)
    })
}

/// The text in Go's double quotes.
fn quoted(text: &str) -> String {
    characters::lossy(&quote::quote(text.as_bytes(), false))
}
