//! Findings as Markdown for a comment of a pull request.

use crate::findings::Subject;
use crate::pipeline::diagnose::Diagnosis;

/// A table of what was found, the worst first; a sentence where nothing was.
pub fn findings(diagnosis: &Diagnosis) -> Vec<u8> {
    if diagnosis.findings.is_empty() {
        return b"Image automation: nothing is wrong.\n".to_vec();
    }
    let mut order: Vec<usize> = (0..diagnosis.findings.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(diagnosis.findings[*index].finding.severity));
    let mut text = String::from(
        "| severity | finding | subject | what is so | what to do |\n| --- | --- | --- | --- | --- |\n",
    );
    for index in order {
        let found = &diagnosis.findings[index];
        let finding = &found.finding;
        let context = found
            .context
            .as_ref()
            .map(|context| format!("{}: ", cell(context)))
            .unwrap_or_default();
        let subject = match &finding.subject {
            Subject::Object { .. } => cell(&finding.subject.to_string()),
            Subject::Place { .. } => code(&finding.subject.to_string()),
        };
        text.push_str(&format!(
            "| {} | {} | {context}{subject} | {} | {} |\n",
            finding.severity,
            code(finding.id),
            cell(&finding.message),
            cell(&finding.remedy)
        ));
    }
    text.into_bytes()
}

/// Text that stays in its cell and mentions nobody.
pub(super) fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => cell.push(' '),
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '\\' | '~' | '#' => {
                cell.push('\\');
                cell.push(character);
            }
            // A word joiner: an @ before a name would call somebody.
            '@' => cell.push_str("@\u{2060}"),
            character if character.is_control() => cell.push('\u{fffd}'),
            character => cell.push(character),
        }
    }
    cell
}

pub(super) fn code(text: &str) -> String {
    let text = text.replace(['`', '\n', '\r'], " ").replace('|', "\\|");
    format!("`{text}`")
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_holds_anything() {
        assert_eq!(cell("a|b\n<c>"), "a\\|b \\<c\\>");
    }
}
