//! Templates with `$1` and `${name}`.

use std::sync::LazyLock;

/// A group that a template names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group<'a> {
    Number(usize),
    Name(&'a str),
}

/// Appends `template` to `expansion`, each group replaced by what `lookup` has for it.
pub(super) fn expand<'t, 'v>(
    expansion: &mut String,
    template: &'t str,
    lookup: impl Fn(Group<'t>) -> &'v str,
) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        expansion.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            expansion.push('$');
            rest = after;
        } else if let Some((group, after)) = leading_group(after) {
            expansion.push_str(lookup(group));
            rest = after;
        } else {
            expansion.push('$');
            rest = after;
        }
    }
    expansion.push_str(rest);
}

fn leading_group(text: &str) -> Option<(Group<'_>, &str)> {
    let (braced, text) = match text.strip_prefix('{') {
        Some(inner) => (true, inner),
        None => (false, text),
    };
    let (name, rest) = text.split_at(name_length(text));
    if name.is_empty() {
        return None;
    }
    let rest = if braced {
        rest.strip_prefix('}')?
    } else {
        rest
    };
    Some((group_called(name), rest))
}

/// The length in bytes of the letters, digits and underscores that `text` begins with.
fn name_length(text: &str) -> usize {
    static NAME: LazyLock<Option<regex::Regex>> =
        LazyLock::new(|| regex::Regex::new(r"\A[\p{L}\p{Nd}_]*").ok());
    let ascii = text
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        .count();
    if text[ascii..].starts_with(|next: char| next.is_ascii()) || text.len() == ascii {
        return ascii;
    }
    NAME.as_ref()
        .and_then(|name| name.find(text))
        .map_or(ascii, |found| found.end())
}

/// A number has no leading zero and at most nine digits; everything else is a name.
fn group_called(name: &str) -> Group<'_> {
    let numeric = name.bytes().all(|byte| byte.is_ascii_digit());
    if !numeric || name.len() > 9 || (name.len() > 1 && name.starts_with('0')) {
        return Group::Name(name);
    }
    name.parse().map_or(Group::Name(name), Group::Number)
}
