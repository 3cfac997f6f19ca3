//! Go's templates for a match: `$1`, `${1}`, `$name`, `${name}` and `$$`.

use super::class::is_letter_or_digit;

/// From this on, a number in a template is taken for a name.
const GREATEST_GROUP: usize = 100_000_000;

/// Puts groups into a template. `names` are the groups' names by number; `group` is the text of a group that took part
/// in the match. What no group answers to is left out, and a `$` that nothing well-formed follows stays.
pub(super) fn expand<'t>(
    template: &str,
    names: &[String],
    group: impl Fn(usize) -> Option<&'t str>,
) -> String {
    let mut expanded = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
            continue;
        }
        let Some((name, after)) = leading_name(rest) else {
            expanded.push('$');
            continue;
        };
        rest = after;
        let found = match group_number(name) {
            Some(number) => group(number),
            None => names
                .iter()
                .enumerate()
                .filter(|(_, candidate)| *candidate == name)
                .find_map(|(number, _)| group(number)),
        };
        expanded.push_str(found.unwrap_or_default());
    }
    expanded.push_str(rest);
    expanded
}

/// The name after a `$` and what follows it; the longest one, unless it is in braces.
fn leading_name(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{');
    let text = inner.unwrap_or(text);
    let end = text
        .find(|character| character != '_' && !is_letter_or_digit(character))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return None;
    }
    match inner {
        Some(_) => rest.strip_prefix('}').map(|rest| (name, rest)),
        None => Some((name, rest)),
    }
}

/// The number that a name is, which has no leading zero.
fn group_number(name: &str) -> Option<usize> {
    if name.len() > 1 && name.starts_with('0') {
        return None;
    }
    name.bytes().try_fold(0_usize, |number, byte| {
        (byte.is_ascii_digit() && number < GREATEST_GROUP)
            .then(|| number * 10 + usize::from(byte - b'0'))
    })
}
