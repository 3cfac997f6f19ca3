//! Findings as workflow commands of GitHub Actions, which become annotations of the changed files.

use crate::findings::{Finding, Severity, Subject};
use crate::pipeline::diagnose::Diagnosis;

/// One command a line.
pub fn annotations(diagnosis: &Diagnosis) -> Vec<u8> {
    let lines = diagnosis
        .findings
        .iter()
        .map(|found| annotation(&found.finding));
    lines.collect::<String>().into_bytes()
}

fn annotation(finding: &Finding) -> String {
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = vec![];
    let mut about = String::new();
    match &finding.subject {
        Subject::Place { path, line, column } => {
            properties.push(format!("file={}", property(path)));
            properties.extend(line.map(|line| format!("line={line}")));
            properties.extend(column.map(|column| format!("col={column}")));
        }
        Subject::Object { .. } => about = format!("{}: ", finding.subject),
    }
    properties.push(format!("title={}", property(finding.id)));
    let text = format!("{about}{}\nhelp: {}", finding.message, finding.remedy);
    format!("::{command} {}::{}\n", properties.join(","), data(&text))
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        let finding = Finding {
            id: "list-file",
            severity: Severity::Warning,
            subject: Subject::Place {
                path: "a,b.yaml".into(),
                line: Some(2),
                column: None,
            },
            message: "100%\nof it".into(),
            evidence: String::new(),
            remedy: "mend".into(),
        };
        assert_eq!(
            annotation(&finding),
            "::warning file=a%2Cb.yaml,line=2,title=list-file::100%25%0Aof it%0Ahelp: mend\n"
        );
    }
}
