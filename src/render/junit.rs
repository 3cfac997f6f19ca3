//! Findings as JUnit test cases: one suite an id, one case a subject; notes are passed cases with their text as output.

use std::collections::BTreeMap;

use crate::findings::{Finding, Severity};
use crate::pipeline::diagnose::Diagnosis;

/// The document.
pub fn document(diagnosis: &Diagnosis) -> Vec<u8> {
    let mut suites: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for found in &diagnosis.findings {
        suites
            .entry(found.finding.id)
            .or_default()
            .push(&found.finding);
    }
    let failures = diagnosis
        .findings
        .iter()
        .filter(|found| fails(&found.finding))
        .count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"imageauto\" tests=\"{}\" failures=\"{failures}\">\n",
        diagnosis.findings.len()
    );
    for (id, findings) in &suites {
        let failures = findings.iter().filter(|finding| fails(finding)).count();
        text.push_str(&format!(
            "  <testsuite name=\"{id}\" tests=\"{}\" failures=\"{failures}\">\n",
            findings.len()
        ));
        for finding in findings {
            text.push_str(&case(finding));
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text.into_bytes()
}

fn fails(finding: &Finding) -> bool {
    finding.severity > Severity::Note
}

fn case(finding: &Finding) -> String {
    let name = escaped(&finding.subject.to_string());
    let body = escaped(&format!(
        "{}\nevidence: {}\nhelp: {}",
        finding.message, finding.evidence, finding.remedy
    ));
    let inner = if fails(finding) {
        format!(
            "<failure type=\"{}\" message=\"{}\">{body}</failure>",
            finding.severity,
            escaped(&finding.message)
        )
    } else {
        format!("<system-out>{body}</system-out>")
    };
    format!(
        "    <testcase classname=\"{}\" name=\"{name}\">{inner}</testcase>\n",
        finding.id
    )
}

/// XML text without the characters that XML has no form for.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            character if character.is_control() => escaped.push('\u{fffd}'),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn text_cant_leave_its_place() {
        assert_eq!(
            escaped("a<b & \"c\"\u{1b}"),
            "a&lt;b &amp; &quot;c&quot;\u{fffd}"
        );
    }
}
