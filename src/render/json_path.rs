//! The fields by which `--sort-by` sorts: the part of kubectl's JSONPath that names one field.

use std::cmp::Ordering;

use serde_json::Value;

/// A path such as `.status.lastScanResult.tagCount` or `{.metadata.labels['app']}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
}

impl FieldPath {
    /// Reads a path; the text says what can't be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let inner = text
            .strip_prefix('{')
            .map_or(Some(text), |rest| rest.strip_suffix('}'));
        let mut rest = inner.ok_or("a brace is not closed")?;
        let mut steps = Vec::new();
        if !rest.starts_with(['.', '[']) {
            let (name, after) = member(rest);
            steps.push(Step::Member(name));
            rest = after;
        }
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let (inside, after) = after.split_once(']').ok_or("a bracket is not closed")?;
                steps.push(item(inside)?);
                rest = after;
            } else if let Some(after) = rest.strip_prefix('.') {
                let (name, after) = member(after);
                steps.push(Step::Member(name));
                rest = after;
            } else {
                return Err(format!("{rest:?} is no field"));
            }
        }
        if steps.is_empty() || steps.contains(&Step::Member(String::new())) {
            return Err("a field's name is empty".into());
        }
        Ok(Self(steps))
    }

    /// The field, if the object has it.
    pub fn find<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(object, |value, step| match step {
            Step::Member(name) => value.get(name),
            Step::Item(index) => value.get(index),
        })
    }
}

/// A name up to the next dot or bracket; `\.` is a dot of the name.
fn member(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
            '.' | '[' => return (name, &text[index..]),
            other => name.push(other),
        }
    }
    (name, "")
}

fn item(inside: &str) -> Result<Step, String> {
    let unquoted = ['\'', '"']
        .iter()
        .find_map(|quote| inside.strip_prefix(*quote)?.strip_suffix(*quote));
    if let Some(name) = unquoted {
        return Ok(Step::Member(name.to_owned()));
    }
    inside
        .parse()
        .map(Step::Item)
        .map_err(|_| format!("[{inside}] is neither an index nor a quoted name"))
}

/// The order of two fields: absent ones first, numbers by value, texts as people count (`a2` before `a10`).
pub fn order(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    match (one, other) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(one), Some(other)) => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            _ => natural(&text(one), &text(other)),
        },
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn natural(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let (run, rest) = run(one);
        let (other_run, other_rest) = self::run(other);
        let numbers = run.parse::<u128>().ok().zip(other_run.parse::<u128>().ok());
        let ordering = match numbers {
            Some((number, other_number)) => number.cmp(&other_number),
            None => run.cmp(other_run),
        };
        if ordering != Ordering::Equal || (rest.is_empty() && other_rest.is_empty()) {
            return ordering;
        }
        (one, other) = (rest, other_rest);
    }
}

/// The digits, or the text without digits, that `text` starts with; and what follows.
fn run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|character: char| character.is_ascii_digit());
    let end = text
        .find(|character: char| character.is_ascii_digit() != digits)
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_names_one_field() {
        let object = json!({"metadata": {"labels": {"a.b/c": "x"}}, "items": [{"n": 1}]});
        let find = |path: &str| FieldPath::parse(path).unwrap().find(&object).cloned();
        assert_eq!(find(".items[0].n"), Some(json!(1)));
        assert_eq!(find("{.metadata.labels['a.b/c']}"), Some(json!("x")));
        assert_eq!(find(r"metadata.labels.a\.b/c"), Some(json!("x")));
        assert_eq!(find(".status"), None);
        for wrong in ["", "{.a", ".", ".a[", ".a[x]", ".a..b"] {
            assert!(FieldPath::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn texts_are_ordered_as_people_count() {
        let order = |one: Value, other: Value| order(Some(&one), Some(&other));
        assert_eq!(order(json!("a2"), json!("a10")), Ordering::Less);
        assert_eq!(order(json!(2), json!(10)), Ordering::Less);
        assert_eq!(order(json!("a"), json!("a1")), Ordering::Less);
        assert_eq!(super::order(None, Some(&json!(0))), Ordering::Less);
    }
}
