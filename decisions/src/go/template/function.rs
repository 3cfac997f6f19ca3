//! What a template can call, and how calls go wrong.

use super::limits::{Bound, Limits};
use super::value::{Type, Value};

/// How a call goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Go's error text.
    Error(String),
    /// The call takes more than a template may.
    Bound(Bound),
    /// What is called is known by name only.
    Unsupported(&'static str),
}

impl From<Bound> for Fault {
    fn from(bound: Bound) -> Self {
        Fault::Bound(bound)
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Fault::Error(message)
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        Fault::Error(message.to_string())
    }
}

/// The result of a call.
pub type Outcome = Result<Value, Fault>;

/// A function's code.
pub(super) type Code = fn(&mut Limits, Vec<Value>) -> Outcome;

/// What a function does with its arguments.
#[derive(Clone, Copy)]
pub(super) enum Body {
    /// Stops at the first argument whose truth is the given one.
    ShortCircuit(bool),
    /// Calls its first argument.
    CallValue,
    /// Works on the arguments, which have the parameters' types; those of interface type are bare.
    Plain(Code),
    /// Known by name, with its checks, but not carried out.
    Unsupported,
}

/// A function with its Go signature.
#[derive(Clone, Copy)]
pub(super) struct Function {
    pub name: &'static str,
    /// The fixed parameters.
    pub parameters: &'static [Type],
    /// The type of the arguments beyond the fixed ones, when there may be any.
    pub variadic: Option<Type>,
    pub result: Type,
    pub body: Body,
}

/// A function that takes a fixed number of arguments.
pub(super) const fn fixed(
    name: &'static str,
    parameters: &'static [Type],
    result: Type,
    code: Code,
) -> Function {
    Function {
        name,
        parameters,
        variadic: None,
        result,
        body: Body::Plain(code),
    }
}

/// A function that takes any number of arguments of type `rest` after the fixed ones.
pub(super) const fn variadic(
    name: &'static str,
    parameters: &'static [Type],
    rest: Type,
    result: Type,
    code: Code,
) -> Function {
    Function {
        name,
        parameters,
        variadic: Some(rest),
        result,
        body: Body::Plain(code),
    }
}
