//! What `trigger` shows: a line for each object's turn, and what differs below it.

use std::time::Duration;

use crate::facts::cluster::Kind;
use crate::findings::Severity;
use crate::pipeline::trigger::{Turn, Verdict};

use super::console::{Talk, Tone};

/// `repository/checkout` and the like, as flux names kinds.
pub fn name(kind: Kind, key: &crate::controllers::flux::ObjectKey) -> String {
    let word = match kind {
        Kind::ImageRepository => "repository",
        Kind::ImagePolicy => "policy",
        _ => "update",
    };
    format!("{word}/{} ({})", key.name, key.namespace)
}

/// The line of a turn and those below it.
pub fn lines(turn: &Turn) -> Vec<Talk> {
    let took = turn.took.map_or(String::new(), |took| seconds(took) + "  ");
    let (tone, tail) = match turn.verdict {
        Verdict::AsPredicted => (Tone::Success, ", as predicted"),
        Verdict::Different | Verdict::TimedOut => (Tone::Error, ""),
        Verdict::Skipped | Verdict::NotAsked => (Tone::Warning, ""),
        Verdict::Unknown => (Tone::Warning, ", which was not predicted"),
    };
    let mut lines = vec![Talk::new(
        tone,
        format!("{}  {took}{}{tail}", name(turn.kind, &turn.key), turn.text),
    )];
    if turn.said.as_ref().is_some_and(|said| said.stalled) {
        lines.push(Talk::new(
            Tone::Detail,
            "it is stalled: its controller does not try again by itself until the object is changed",
        ));
    }
    for difference in &turn.differences {
        lines.push(Talk::new(
            Tone::Detail,
            format!(
                "{}: predicted {}, done {}",
                difference.field,
                in_one_line(&difference.predicted),
                in_one_line(&difference.actual)
            ),
        ));
    }
    lines
}

/// What was found on the way, and what could not be found out.
pub fn remarks(turn: &Turn) -> Vec<Talk> {
    let grave = turn.findings.iter();
    let grave = grave.filter(|finding| finding.severity > Severity::Note);
    let mut talk: Vec<Talk> = grave
        .map(|finding| {
            let tone = if finding.severity == Severity::Error {
                Tone::Error
            } else {
                Tone::Warning
            };
            Talk::new(
                tone,
                format!(
                    "{}[{}]: {}: {}: {}",
                    finding.severity, finding.id, finding.subject, finding.message, finding.remedy
                ),
            )
        })
        .collect();
    let failure = turn.failure.iter();
    talk.extend(failure.map(|failure| Talk::new(Tone::Error, failure.message.clone())));
    talk
}

fn seconds(took: Duration) -> String {
    format!("{:.1}s", took.as_secs_f64())
}

fn in_one_line(text: &str) -> String {
    if text.contains('\n') {
        format!("{text:?}")
    } else {
        text.to_owned()
    }
}
