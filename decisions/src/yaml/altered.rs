//! Values that are others once they are written and read again, though nobody set them: what the writer of go-yaml 3.0.4 makes of
//! folded texts and of empty values between brackets.

use super::scalar::{Analysis, folded_text};
use super::token::ScalarStyle;
use super::tree::{Children, Kind, NodeId, View};

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Altered {
    /// The lines of a folded text are others.
    Folded,
    /// An empty value becomes an empty text.
    EmptyValue,
    /// A template's braces are read as YAML.
    Template,
}

/// The places of all such values of a document and what becomes of them, in order.
pub fn altered(view: View<'_>) -> Vec<(u32, Altered)> {
    let is_suspicious =
        |id: NodeId| view.style(id) == ScalarStyle::Folded || is_flow_collection(view, id);
    let mut found = Vec::new();
    if !view.source_nodes().any(is_suspicious) {
        return found;
    }
    let mut open: Vec<(Children<'_>, bool)> = Vec::new();
    let mut next = Some((view.root(), false));
    while let Some((id, in_brackets)) = next {
        open.extend(enter(view, id, in_brackets, &mut found));
        next = loop {
            let Some((children, in_brackets)) = open.last_mut() else {
                break None;
            };
            match children.next() {
                Some(child) => break Some((child, *in_brackets)),
                None => open.pop(),
            };
        };
    }
    found
}

/// Judges a node; gives the children that are to be judged as well, and whether they are between brackets.
fn enter<'a>(
    view: View<'a>,
    id: NodeId,
    in_brackets: bool,
    found: &mut Vec<(u32, Altered)>,
) -> Option<(Children<'a>, bool)> {
    if view.kind(id) == Kind::Scalar {
        if !id.is_added() && view.change(id).is_none() {
            found.extend(of_scalar(view, id, in_brackets).map(|kind| (view.start(id), kind)));
        }
        return None;
    }
    let in_brackets = in_brackets || is_flow_collection(view, id);
    if in_brackets && let Some(start) = template_start(view, id) {
        found.push((start, Altered::Template));
        return None;
    }
    Some((view.children(id), in_brackets))
}

fn is_flow_collection(view: View<'_>, id: NodeId) -> bool {
    matches!(view.kind(id), Kind::Sequence | Kind::Mapping) && view.is_flow(id)
}

fn of_scalar(view: View<'_>, id: NodeId, in_brackets: bool) -> Option<Altered> {
    let value = view.value(id);
    match view.style(id) {
        ScalarStyle::Plain if in_brackets && value.is_empty() => Some(Altered::EmptyValue),
        ScalarStyle::Folded if !in_brackets && Analysis::of(value).block => {
            (read_folded(&folded_text(value)) != value).then_some(Altered::Folded)
        }
        _ => None,
    }
}

/// Where a flow collection starts with `{{`, if it holds an empty value as `{{ x }}` does.
fn template_start(view: View<'_>, id: NodeId) -> Option<u32> {
    let text = view.source_text().get(..view.first_start(id) as usize)?;
    let start = text.trim_end().strip_suffix("{{")?.len();
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        if view.kind(id) == Kind::Scalar && view.value(id).is_empty() {
            return u32::try_from(start).ok();
        }
        open.extend(view.children(id));
    }
    None
}

/// The value of a folded text whose lines have no indent, and whose header says what becomes of the breaks at its end.
fn read_folded((header, text): &(&str, String)) -> String {
    let mut value = String::new();
    let (mut first_break, mut more_breaks) = ("", 0);
    let mut was_blank = false;
    for line in text.split_inclusive('\n') {
        let content = line.strip_suffix('\n').unwrap_or(line);
        if content.is_empty() {
            more_breaks += 1;
            continue;
        }
        let is_blank = content.starts_with([' ', '\t']);
        if was_blank || is_blank || first_break.is_empty() {
            value.push_str(first_break);
        } else if more_breaks == 0 {
            value.push(' ');
        }
        value.extend(std::iter::repeat_n('\n', more_breaks));
        more_breaks = 0;
        was_blank = is_blank;
        value.push_str(content);
        first_break = &line[content.len()..];
    }
    if !header.contains('-') {
        value.push_str(first_break);
    }
    if header.contains('+') {
        value.extend(std::iter::repeat_n('\n', more_breaks));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::super::file::{SplitText, round_trip};
    use super::*;

    fn found(text: &str) -> Vec<Altered> {
        let split = SplitText::new(text.as_bytes()).unwrap();
        let read = split.read(None).unwrap();
        let found = altered(read.view(&read.documents[0]));
        found.into_iter().map(|(_, kind)| kind).collect()
    }

    #[test]
    fn empty_values_and_templates_between_brackets_are_found() {
        assert_eq!(
            found("a: {b: , c}\nd: [1, ]\ne:\n"),
            [Altered::EmptyValue; 2]
        );
        assert_eq!(
            found("a: {{ .Values.x }}\nb: {c: 1}\n"),
            [Altered::Template]
        );
        assert_eq!(found("a: {{b: 1}: 2}\n"), []);
        assert_eq!(found("a: [~, null, '', \"\"]\n"), []);
    }

    #[test]
    fn folded_texts_whose_lines_change_are_found() {
        for (text, is_altered) in [
            ("a: >\n  x\n  y\n", false),
            ("a: >\n  x\n\n  y\n", false),
            ("a: >-\n  x\n\n\n  y\n", false),
            ("a: >+\n  x\n\n", true),
            ("a: >+\n  x\n", false),
            ("a: >\n  x\n    y\n  z\n", true),
            ("a: >-\n  x\n\n    y\n  z\n", true),
            ("a: >2\n    x\n  y\n\n  z\n", true),
            ("a: [x]\n", false),
        ] {
            assert_eq!(!found(text).is_empty(), is_altered, "{text:?}");
        }
    }

    #[test]
    fn what_is_found_is_what_is_read_back() {
        let lines = ["x\n", "  y\n", "\n", "z w\n", "\tt\n"];
        for number in 0..5_usize.pow(4) {
            let picked = (0..4).map(|at| lines[number / 5_usize.pow(at) % 5]);
            let picked: Vec<&str> = picked.collect();
            for header in [">", ">-", ">+"] {
                let body: String = picked.iter().map(|line| format!("  {line}")).collect();
                let text = format!("a: {header}\n  s\n{body}");
                let value = |text: &str| {
                    let split = SplitText::new(text.as_bytes()).unwrap();
                    let read = split.read(None).unwrap();
                    let view = read.view(&read.documents[0]);
                    let field = view.field(view.root(), "a").unwrap();
                    view.value(field).to_owned()
                };
                let again = String::from_utf8(round_trip(text.as_bytes()).unwrap()).unwrap();
                let differs = value(&text) != value(&again);
                assert_eq!(!found(&text).is_empty(), differs, "{text:?} {again:?}");
            }
        }
    }
}
