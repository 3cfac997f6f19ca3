//! `diff -o markdown`: what automations would push, and what merging brings about, for a comment of a pull request.

use crate::pipeline::forecast::{Change, Forecast, Move};
use crate::pipeline::stages::Preview;

use super::json_v1::DiffPart;
use super::markdown::{cell, code};
use super::{diff_report, forecast};

/// GitHub takes 65,536 characters a comment; a patch beyond its part of them is cut.
const PATCHES: usize = 48 * 1024;

/// The document; `context` unchanged lines stand around each change.
pub fn document(parts: &[DiffPart<'_>], forecast: Option<&Forecast>, context: usize) -> Vec<u8> {
    let mut text = match forecast {
        Some(forecast) => forecast_section(forecast),
        None => String::new(),
    };
    let mut left = PATCHES;
    for part in parts {
        if let Some(cluster) = part.cluster.filter(|_| parts.len() > 1) {
            text.push_str(&format!("**{}**\n\n", cell(cluster)));
        }
        for preview in part.previews {
            text.push_str(&automation(preview, context, &mut left));
        }
    }
    if text.is_empty() {
        text.push_str("Image automation: there is no ImageUpdateAutomation.\n");
    }
    text.into_bytes()
}

fn forecast_section(forecast: &Forecast) -> String {
    let commit = forecast.commit.get(..7).unwrap_or(&forecast.commit);
    let mut text = format!(
        "**Image automation: {}** (compared with {}, {commit})\n\n",
        forecast::summary(forecast),
        code(&forecast.reference)
    );
    if !forecast.moves.is_empty() {
        text.push_str("| image | from | to | where | when |\n| --- | --- | --- | --- | --- |\n");
        forecast
            .moves
            .iter()
            .for_each(|one| text.push_str(&row(one)));
        text.push('\n');
    }
    for (key, error) in &forecast.breaks {
        text.push_str(&format!(
            "* {} fails: {}\n",
            code(&format!("update/{}", key.name)),
            cell(error)
        ));
    }
    for key in &forecast.mended {
        text.push_str(&format!(
            "* {} fails no more\n",
            code(&format!("update/{}", key.name))
        ));
    }
    for (_, finding) in &forecast.findings {
        text.push_str(&format!(
            "* {} {}: {}: {}\n",
            finding.severity,
            code(finding.id),
            cell(&finding.subject.to_string()),
            cell(&finding.message)
        ));
    }
    if !text.ends_with("\n\n") {
        text.push('\n');
    }
    text
}

fn row(one: &Move) -> String {
    let to = match &one.instead_of {
        Some(other) => format!("{} instead of {}", code(&one.to), code(other)),
        None => code(&one.to),
    };
    let when = match one.change {
        Change::New => cell(&forecast::due(one)),
        Change::Anyway => format!("{} (with or without it)", cell(&forecast::due(one))),
        Change::Gone => "no more".to_owned(),
    };
    format!(
        "| {} | {} | {to} | {} | {when} |\n",
        cell(&one.policy.name),
        code(&one.from),
        forecast::files(one)
    )
}

fn automation(preview: &Preview, context: usize, left: &mut usize) -> String {
    let name = code(&format!("update/{}", preview.key.name));
    if let Some(error) = &preview.error {
        return format!(
            "{name} fails: {}: {}\n\n",
            code(error.reason),
            cell(&error.message)
        );
    }
    if let Some(unknown) = &preview.unknown {
        return format!("{name}: {}\n\n", cell(&unknown.message));
    }
    if preview.files.is_empty() {
        return format!("{name} changes nothing.\n\n");
    }
    let patch = diff_report::patch(preview, context, false);
    let patch = String::from_utf8_lossy(&patch).into_owned();
    let (shown, rest) = cut(&patch, *left);
    *left = left.saturating_sub(shown.len());
    let fence = fence(shown);
    let more = if rest {
        "\nThe rest of the patch is left out.\n"
    } else {
        ""
    };
    let files = match preview.files.len() {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    format!(
        "<details><summary>update/{} changes {files}</summary>\n\n{fence}diff\n{shown}{fence}\n{more}\n</details>\n\n",
        cell(&preview.key.name)
    )
}

/// As many whole lines as fit, and whether there are more.
fn cut(text: &str, limit: usize) -> (&str, bool) {
    if text.len() <= limit {
        return (text, false);
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let end = text[..end].rfind('\n').map_or(0, |at| at + 1);
    (&text[..end], true)
}

/// A fence that no line of the text can close.
fn fence(text: &str) -> String {
    let mut longest = 2;
    let mut run = 0;
    for character in text.chars() {
        run = if character == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat(longest + 1)
}

#[cfg(test)]
mod tests {
    use super::{cut, fence};

    #[test]
    fn a_patch_stays_in_its_fence() {
        assert_eq!(fence("a"), "```");
        assert_eq!(fence("+ ````\n"), "`````");
    }

    #[test]
    fn a_patch_is_cut_between_lines() {
        assert_eq!(cut("a\nb\n", 4), ("a\nb\n", false));
        assert_eq!(cut("a\nb\n", 3), ("a\n", true));
        assert_eq!(cut("äöü", 1), ("", true));
    }
}
