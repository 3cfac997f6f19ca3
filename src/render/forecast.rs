//! `diff --base`: what merging brings about, as text and as what is said besides.

use crate::go::age;
use crate::pipeline::forecast::{Change, Due, Forecast, Move};

use super::console::{Talk, Tone};
use super::diff_report::finding_talk;
use super::on_one_line;

/// One line for each move: `checkout 1.9.3 -> 2.1.0 in 3 files, due within 6m`.
pub fn text(forecast: &Forecast) -> Vec<u8> {
    let mut lines = String::new();
    for one in &forecast.moves {
        lines.push_str(&on_one_line(&line(one)));
        lines.push('\n');
    }
    for (key, error) in &forecast.breaks {
        lines.push_str(&on_one_line(&format!("update/{} fails: {error}", key.name)));
        lines.push('\n');
    }
    for key in &forecast.mended {
        lines.push_str(&on_one_line(&format!("update/{} fails no more", key.name)));
        lines.push('\n');
    }
    lines.into_bytes()
}

fn line(one: &Move) -> String {
    let what = format!(
        "{} {} -> {} in {}",
        one.policy.name,
        one.from,
        one.to,
        files(one)
    );
    match one.change {
        Change::Gone => format!("no more: {what}"),
        Change::Anyway => format!("{what}, {} (with or without it)", due(one)),
        Change::New => format!("{what}, {}{}", due(one), instead(one)),
    }
}

/// `3 files`.
pub(super) fn files(one: &Move) -> String {
    match one.files.len() {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    }
}

fn instead(one: &Move) -> String {
    match &one.instead_of {
        Some(other) => format!(" (instead of {other})"),
        None => String::new(),
    }
}

/// When, and onto which branch.
pub(super) fn due(one: &Move) -> String {
    let when = match &one.due {
        Due::Within(length) => format!("due within {}", age::length(*length)),
        Due::AfterApply(length) => format!(
            "due within {} of the changed objects being applied",
            age::length(*length)
        ),
        Due::Never(why) => format!("not due: {why}"),
        Due::Unknown => "due at a time that can't be told".to_owned(),
    };
    match &one.branch {
        Some(branch) => format!("{when} on {branch}"),
        None => when,
    }
}

/// What is said besides: what is compared, what is new to be wrong, and what could not be found out.
pub fn talk(forecast: &Forecast) -> Vec<Talk> {
    let commit = forecast.commit.get(..7).unwrap_or(&forecast.commit);
    let mut talk = vec![Talk::new(
        if forecast.differs() {
            Tone::Action
        } else {
            Tone::Success
        },
        format!(
            "{}: compared with {}@{commit}",
            summary(forecast),
            forecast.reference
        ),
    )];
    talk.extend(
        forecast
            .findings
            .iter()
            .filter_map(|(_, finding)| finding_talk(finding)),
    );
    talk
}

/// What merging means in a few words.
pub(super) fn summary(forecast: &Forecast) -> String {
    let new = forecast
        .moves
        .iter()
        .filter(|one| one.change == Change::New)
        .count();
    match (new, forecast.differs()) {
        (0, false) => "merging moves nothing".to_owned(),
        (0, true) => "merging changes what the automations do".to_owned(),
        (1, _) => "merging moves 1 image".to_owned(),
        (count, _) => format!("merging moves {count} images"),
    }
}
