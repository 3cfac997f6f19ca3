//! Finished values and a writer in, bytes out.

pub mod console;
pub mod diff_report;
pub mod dry_run;
pub mod explanation;
pub mod findings;
pub mod forecast;
pub mod github;
pub mod json_path;
pub mod json_v1;
mod json_v1_dry_run;
pub mod json_v1_explain;
pub mod json_v1_findings;
mod json_v1_forecast;
pub mod json_v1_reconcile;
pub mod json_v1_standing;
pub mod json_v1_tags;
pub mod json_v1_trigger;
pub mod junit;
pub mod ladder;
pub mod live_versions;
pub mod markdown;
pub mod markdown_diff;
pub mod mbox;
pub mod objects;
pub mod overview;
pub mod prometheus;
pub mod reconcile_report;
pub mod sarif;
pub mod standing;
pub mod table;
pub mod tags;
pub mod trigger_report;
pub mod unified_diff;

/// Text that stays on its line: line breaks become blanks, and what a terminal would obey U+FFFD.
pub(crate) fn on_one_line(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' | '\r' | '\t' => ' ',
        other if other.is_control() => '\u{fffd}',
        other => other,
    };
    text.trim().chars().map(shown).collect()
}
