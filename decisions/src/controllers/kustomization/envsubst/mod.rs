//! Mirrors `eval.go` and `template.go` of fluxcd/pkg/envsubst 1.7: variables in the manner of a shell, by Flux's rules.
//!
//! Only `${…}` is a variable; `$$` in front of a brace, or anywhere outside of one, is a dollar.

mod functions;
mod scanner;
mod syntax;

use std::fmt;

use syntax::Part;

/// Why a text can't be evaluated; displays in the library's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvalError {
    /// The text is no template.
    Syntax(&'static str),
    /// A variable is not set, and that matters.
    NotSet(String),
    /// A part of a character was cut out of a value.
    NotText,
}

impl fmt::Display for EvalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(problem) => formatter.write_str(problem),
            Self::NotSet(name) => write!(formatter, "variable not set (strict mode): {name:?}"),
            Self::NotText => formatter.write_str("the result is not UTF-8"),
        }
    }
}

impl std::error::Error for EvalError {}

/// Replaces the variables of `text`; `value` gives `None` for one that is not set where that is an error.
///
/// # Errors
///
/// The text is no template, or a variable without a default is not set.
pub fn evaluate<'v>(
    text: &str,
    value: &dyn Fn(&str) -> Option<&'v str>,
) -> Result<String, EvalError> {
    let parts = syntax::parse(text).map_err(EvalError::Syntax)?;
    let mut output = Vec::with_capacity(text.len());
    for part in &parts {
        write(part, value, &mut output)?;
    }
    String::from_utf8(output).map_err(|_| EvalError::NotText)
}

fn write<'v>(
    part: &Part,
    value: &dyn Fn(&str) -> Option<&'v str>,
    output: &mut Vec<u8>,
) -> Result<(), EvalError> {
    let function = match part {
        Part::Text(text) => {
            output.extend_from_slice(text);
            return Ok(());
        }
        Part::Function(function) => function,
    };
    let mut arguments = Vec::new();
    for argument in &function.arguments {
        let mut written = Vec::new();
        write(argument, value, &mut written)?;
        arguments.push(written);
    }
    let found = value(&function.variable);
    if found.is_none() && !has_default(&function.name) {
        return Err(EvalError::NotSet(function.variable.clone()));
    }
    let found = found.unwrap_or_default().as_bytes();
    output.extend(functions::call(&function.name, found, &arguments));
    Ok(())
}

/// Whether an operator takes a variable that is not set.
fn has_default(operator: &str) -> bool {
    matches!(operator, "-" | "+" | "=" | "?" | ":-" | ":+" | ":=" | ":?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lenient(text: &str) -> Result<String, EvalError> {
        evaluate(text, &|name| {
            Some(match name {
                "a" => "value",
                "path" => "/usr/local/lib/x.tar.gz",
                "é" => "accent",
                _ => "",
            })
        })
    }

    #[test]
    fn variables_are_replaced() {
        for (text, expected) in [
            ("${a}", "value"),
            ("x${a}y${a}z", "xvalueyvaluez"),
            ("$a $${a} $$$a ${}", "unable to parse variable name"),
            ("$a $${a} $$$a", "$a ${a} $$a"),
            ("${none}", ""),
            ("${none:-b c}", "b c"),
            ("${none:=${a}!}", "value!"),
            ("${none=b}", "b"),
            ("${a:=b}", "value"),
            ("${a:+b}", "value"),
            ("${#a}", "5"),
            ("${a^}", "Value"),
            ("${a^^}", "VALUE"),
            ("${a:1:2}", "al"),
            ("${a:1}", "alue"),
            ("${a: -2}", "value"),
            ("${a:1:-1}", "alu"),
            ("${path##*/}", "x.tar.gz"),
            ("${path#*/}", "usr/local/lib/x.tar.gz"),
            ("${path%.*}", "/usr/local/lib/x.tar"),
            ("${path%%.*}", "/usr/local/lib/x"),
            ("${path//\\//_}", "_usr_local_lib_x.tar.gz"),
            ("${a/l/L}", "vaLue"),
            ("${a/#va/x}", "xlue"),
            ("${a/%ue/x}", "valx"),
            ("${a/l/}", "vaue"),
            ("${é}", "accent"),
            ("${a", "missing closing brace"),
            ("${a:}", "unable to parse substitution within function"),
            ("${a-b}", "missing closing brace"),
        ] {
            let found = lenient(text).unwrap_or_else(|error| error.to_string());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_variable_that_is_not_set_may_be_an_error() {
        let strict = |text: &str| evaluate(text, &|name| (name == "a").then_some("1"));
        assert_eq!(strict("${a}").unwrap(), "1");
        assert_eq!(strict("${b:=2}").unwrap(), "2");
        for text in ["${b}", "${#b}", "${b^^}", "${b/x/y}", "${a:=${b}}"] {
            let error = strict(text).unwrap_err().to_string();
            assert_eq!(error, "variable not set (strict mode): \"b\"", "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_long_texts_are_not() {
        let deep = "${a:-".repeat(100_000);
        assert!(lenient(&deep).is_err());
        let long = "${a}".repeat(100_000);
        assert_eq!(lenient(&long).unwrap().len(), 500_000);
    }
}
