//! `diff -o mbox`: what automations would commit, as mails that `git am` takes.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::controllers::flux::CommitUser;
use crate::pipeline::stages::Preview;

use super::diff_report;

/// A mail for each automation that changes something, dated `now`, with `context` lines around each change.
pub fn mails<'a>(
    previews: impl Iterator<Item = &'a Preview>,
    context: usize,
    now: Timestamp,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    for preview in previews.filter(|preview| !preview.files.is_empty()) {
        bytes.extend(head(preview, now).into_bytes());
        bytes.extend(diff_report::patch(preview, context, false));
        let version = env!("CARGO_PKG_VERSION");
        bytes.extend(format!("-- \nkubectl-imageauto {version}\n\n").into_bytes());
    }
    bytes
}

/// The envelope with the date that git itself writes there, the headers, and the message up to the line before the patch.
fn head(preview: &Preview, now: Timestamp) -> String {
    let message = preview.message.as_deref().unwrap_or_default();
    let message = String::from_utf8_lossy(message);
    let (subject, body) = message.split_once('\n').unwrap_or((&message, ""));
    let date = DateTimePrinter::new().timestamp_to_string(&now);
    let body: String = body.trim_matches('\n').lines().map(line).collect();
    format!(
        "From {} Mon Sep 17 00:00:00 2001\nFrom: {}\nDate: {}\nSubject: [PATCH] {}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n{body}---\n",
        "0".repeat(40),
        address(&preview.author),
        date.unwrap_or_default(),
        one_line(subject)
    )
}

/// A line of the message, kept from ending it.
fn line(text: &str) -> String {
    let ends = ["---", "diff -", "Index: ", "From "];
    let is_end = ends.iter().any(|start| text.starts_with(start));
    format!("{}{text}\n", if is_end { " " } else { "" })
}

fn address(author: &CommitUser) -> String {
    let name = one_line(&author.name).replace(['"', '\\'], "");
    format!("\"{name}\" <{}>", one_line(&author.email))
}

/// A text that stays one header.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_one() {
        assert_eq!(line("--- a"), " --- a\n");
        assert_eq!(line("- a"), "- a\n");
        let author = CommitUser {
            name: "A \"B\"\nC".into(),
            email: "a@b\n".into(),
        };
        assert_eq!(address(&author), "\"A B C\" <a@b>");
    }
}
