//! Regular expressions.

use super::arguments::{STRING_LIST, int, strings, text};
use crate::go::regexp::{Error, Regexp};
use crate::go::template::characters::{lossy, marked, unmarked};
use crate::go::template::function::{Code, Fault, Function, Outcome, fixed};
use crate::go::template::limits::{Bound, Limits};
use crate::go::template::quote::{can_backquote, quote};
use crate::go::template::value::{Type, Value};

const TEXT: Type = Type::String;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed(
        "regexMatch",
        &[TEXT, TEXT],
        Type::Bool,
        |limits, values| match compiled(limits, &values) {
            Ok(pattern) => Ok(Value::Bool(matched(pattern.is_match(&subject(&values)))?)),
            Err(Fault::Error(_)) => Ok(Value::Bool(false)),
            Err(fault) => Err(fault),
        },
    ),
    fixed(
        "mustRegexMatch",
        &[TEXT, TEXT],
        Type::Bool,
        |limits, values| {
            let pattern = compiled(limits, &values)?;
            Ok(Value::Bool(matched(pattern.is_match(&subject(&values)))?))
        },
    ),
    fixed("regexFind", &[TEXT, TEXT], TEXT, |limits, values| {
        or_panic(limits, values, find)
    }),
    fixed("mustRegexFind", &[TEXT, TEXT], TEXT, find),
    fixed(
        "regexFindAll",
        &[TEXT, TEXT, Type::Int],
        STRING_LIST,
        |limits, values| or_panic(limits, values, find_all),
    ),
    fixed(
        "mustRegexFindAll",
        &[TEXT, TEXT, Type::Int],
        STRING_LIST,
        find_all,
    ),
    fixed(
        "regexSplit",
        &[TEXT, TEXT, Type::Int],
        STRING_LIST,
        |limits, values| or_panic(limits, values, split),
    ),
    fixed(
        "mustRegexSplit",
        &[TEXT, TEXT, Type::Int],
        STRING_LIST,
        split,
    ),
    fixed("regexReplaceAll", &[TEXT; 3], TEXT, |limits, values| {
        or_panic(limits, values, replace)
    }),
    fixed("mustRegexReplaceAll", &[TEXT; 3], TEXT, replace),
    fixed(
        "regexReplaceAllLiteral",
        &[TEXT; 3],
        TEXT,
        |limits, values| or_panic(limits, values, replace_literal),
    ),
    fixed(
        "mustRegexReplaceAllLiteral",
        &[TEXT; 3],
        TEXT,
        replace_literal,
    ),
];

fn subject(values: &[Value]) -> String {
    marked(&text(values, 1))
}

/// What most patterns stay below when they are compiled, in bytes.
const ORDINARY_BYTES: usize = 256 << 10;

/// The steps that compiling an ordinary pattern costs, and another one.
const ORDINARY_STEPS: usize = 20_000;
const LARGE_STEPS: usize = 8 << 20;

/// How many steps reading a byte costs.
const STEPS_OF_A_BYTE: usize = 32;

/// The pattern, compiled once in a run; what searching the subject costs is taken off the steps.
fn compiled(limits: &mut Limits, values: &[Value]) -> Result<Regexp, Fault> {
    let bytes = text(values, 0);
    let pattern = std::str::from_utf8(&bytes).map_err(|error| {
        let rest = lossy(&bytes[error.valid_up_to()..]);
        Fault::Error(format!("error parsing regexp: invalid UTF-8: `{rest}`"))
    })?;
    // A counted part has many states, and each may be looked at for each byte.
    let repeats = if pattern.contains('{') { 8 } else { 1 };
    limits.spend(1000 + text(values, 1).len() * STEPS_OF_A_BYTE * repeats)?;
    if let Some(known) = limits.patterns.get(pattern) {
        return Ok(known.clone());
    }
    limits.spend(ORDINARY_STEPS + pattern.len() * 100)?;
    let refused = |error: Error| match error.is_own_limit() {
        true => Fault::from(Bound::Work),
        false => error.to_string().into(),
    };
    let compiled = match Regexp::compile_within(pattern, ORDINARY_BYTES) {
        Err(error) if error.is_own_limit() => {
            limits.spend(LARGE_STEPS)?;
            Regexp::compile_within(pattern, usize::MAX).map_err(refused)?
        }
        outcome => outcome.map_err(refused)?,
    };
    limits.patterns.insert(pattern.to_owned(), compiled.clone());
    Ok(compiled)
}

/// What a match gave; it fails by a bound of this program only.
fn matched<T>(outcome: Result<T, Error>) -> Result<T, Fault> {
    outcome.map_err(|_| Fault::Bound(Bound::Work))
}

/// The functions without `must` compile in a way that panics, which says more.
fn or_panic(limits: &mut Limits, values: Vec<Value>, code: Code) -> Outcome {
    let pattern = text(&values, 0);
    code(limits, values).map_err(|fault| match fault {
        Fault::Error(message) => {
            let pattern = match can_backquote(&pattern) {
                true => format!("`{}`", lossy(&pattern)),
                false => lossy(&quote(&pattern, false)),
            };
            format!("regexp: Compile({pattern}): {message}").into()
        }
        fault => fault,
    })
}

/// At most so many; a negative number means all.
fn limit(values: &[Value]) -> Option<usize> {
    usize::try_from(int(values, 2)).ok()
}

fn find(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let pattern = compiled(limits, &values)?;
    let subject = subject(&values);
    let (start, end) = matched(pattern.find(&subject))?.unwrap_or((0, 0));
    Ok(Value::text(unmarked(&subject[start..end])))
}

fn find_all(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let pattern = compiled(limits, &values)?;
    let subject = subject(&values);
    let found = match limit(&values) {
        Some(0) => Vec::new(),
        limit => matched(pattern.find_all(&subject, limit))?,
    };
    if found.is_empty() {
        return Ok(STRING_LIST.zero());
    }
    Ok(strings(
        found
            .into_iter()
            .map(|(start, end)| unmarked(&subject[start..end])),
    ))
}

fn split(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let pattern = compiled(limits, &values)?;
    let subject = subject(&values);
    match limit(&values) {
        Some(0) => Ok(STRING_LIST.zero()),
        limit => Ok(strings(
            matched(pattern.split(&subject, limit))?
                .into_iter()
                .map(unmarked),
        )),
    }
}

/// Makes sure that no replacement grows beyond the bound: each match may become as long as its text and the template's
/// groups together.
fn check_growth(limits: &mut Limits, subject: &str, template: &str) -> Result<(), Bound> {
    let groups = template.matches('$').count();
    let each = template.len() + groups.saturating_mul(subject.len());
    match (subject.len() + 1).checked_mul(each) {
        Some(length) if length <= limits.output * 64 => limits.spend(length / 64),
        _ => Err(Bound::Output),
    }
}

fn replace(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let pattern = compiled(limits, &values)?;
    let (subject, template) = (subject(&values), marked(&text(&values, 2)));
    check_growth(limits, &subject, &template)?;
    let replaced = matched(pattern.replace_all(&subject, &template))?;
    limits.text(Some(replaced.len()))?;
    Ok(Value::text(unmarked(&replaced)))
}

fn replace_literal(limits: &mut Limits, values: Vec<Value>) -> Outcome {
    let pattern = compiled(limits, &values)?;
    let (subject, replacement) = (subject(&values), marked(&text(&values, 2)));
    check_growth(limits, &subject, &replacement.replace('$', "."))?;
    let replaced = matched(pattern.replace_all_literal(&subject, &replacement))?;
    limits.text(Some(replaced.len()))?;
    Ok(Value::text(unmarked(&replaced)))
}
