//! `get markers` and `get images`: where every marker and every image stands.

use serde_json::Value;

use crate::failure::Failure;
use crate::pipeline::request::{NamespaceScope, Request};
use crate::pipeline::standing::{Standing, Subject, standing};
use crate::render::console::{Talk, Tone};
use crate::render::json_path::{self, FieldPath};
use crate::render::json_v1_standing::{self as json, Form};
use crate::render::objects::TableSettings;
use crate::render::standing as tables;

use super::contexts;
use super::get::{GetArgs, sort_field};
use super::input::{GlobalArgs, OutputFormat};
use super::invocation::Invocation;
use super::selection;
use super::terminal::Terminal;

/// What a command line is about, if it is about markers or images, and the policies that it names.
pub(super) fn subject(objects: &[String]) -> Option<(Subject, &[String])> {
    let (first, names) = objects.split_first()?;
    match first.as_str() {
        "marker" | "markers" => Some((Subject::Markers, names)),
        // `image policies` and `images all` are flux's own words for something else.
        "image" | "images" if !names.first().is_some_and(|next| selection::is_type(next)) => {
            Some((Subject::Images, names))
        }
        _ => None,
    }
}

/// Reads, decides and prints.
pub(super) fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: &GetArgs,
    (subject, names): (Subject, &[String]),
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    if global.show_labels {
        return Err(Failure::usage(
            "--show-labels does not fit get markers and get images: their rows are no objects",
        ));
    }
    if let Some(name) = names
        .iter()
        .find(|name| name.is_empty() || name.contains('/'))
    {
        return Err(Failure::usage(format!(
            "{name:?}: behind markers and images come the bare names of ImagePolicies"
        )));
    }
    let sort_by = sort_field(global)?;
    let inputs = contexts::inputs(global, &args.contexts.contexts)?;
    let shared = &*terminal;
    let asked = contexts::side_by_side(&inputs, terminal, |input| {
        let (scope, mut found) = look(invocation, &input.global, (subject, names), shared)?;
        if args.outdated {
            found.markers.retain(|row| row.is_outdated());
            found.images.retain(|row| row.is_outdated());
        }
        if let Some(field) = &sort_by {
            sort(&mut found, field);
        }
        found.context = input.name.clone().or(found.context);
        Ok((scope, found))
    })?;
    let (scopes, all): (Vec<_>, Vec<Standing>) = asked.answers.into_iter().unzip();
    for ((scope, _), found) in scopes.iter().zip(&all) {
        talk(scope, subject, args, found, terminal);
    }
    let settings = TableSettings {
        contexts: contexts::are_named(&inputs),
        namespaces: matches!(scopes.first(), Some((NamespaceScope::All, _))),
        wide: global.output == Some(OutputFormat::Wide),
        headers: !global.no_headers,
        labels: false,
        now: scopes
            .first()
            .map_or_else(jiff::Timestamp::now, |(_, now)| *now),
    };
    terminal.result(&printed(global.output, subject, &all, settings));
    let failures = all.iter().flat_map(|found| &found.failures);
    Ok(failures.map(Failure::exit_code).fold(asked.code, u8::max))
}

fn look(
    invocation: &Invocation,
    global: &GlobalArgs,
    (subject, names): (Subject, &[String]),
    terminal: &Terminal,
) -> Result<((NamespaceScope, jiff::Timestamp), Standing), Failure> {
    let ground = global.ground(*invocation)?;
    let request = Request {
        objects: ground.objects.clone(),
        tags: global.tags()?,
        worktrees: global.worktrees()?,
        assumptions: global.assumptions()?,
        updates: Vec::new(),
        messages: false,
        losses: false,
        needs_files: subject == Subject::Markers,
        forgives: false,
        minimal: false,
    };
    let session = global.session(&ground, terminal)?;
    let found = standing(&request, subject, names, &session)?;
    Ok(((request.objects.scope, session.now), found))
}

fn sort(found: &mut Standing, field: &FieldPath) {
    let by = |one: &Value, other: &Value| json_path::order(field.find(one), field.find(other));
    found.markers.sort_by(|one, other| {
        by(
            &json::marker_value(one, None),
            &json::marker_value(other, None),
        )
    });
    found.images.sort_by(|one, other| {
        by(
            &json::image_value(one, None),
            &json::image_value(other, None),
        )
    });
}

fn talk(
    scope: &NamespaceScope,
    subject: Subject,
    args: &GetArgs,
    found: &Standing,
    terminal: &Terminal,
) {
    for note in &found.notes {
        terminal.say(&Talk::new(Tone::Note, note.clone()));
    }
    for trouble in &found.troubles {
        terminal.say(&Talk::new(Tone::Warning, trouble.clone()));
    }
    for failure in &found.failures {
        terminal.failure(&failure.message);
    }
    if subject == Subject::Markers && !found.unseen.is_empty() {
        let names: Vec<String> = found.unseen.iter().map(ToString::to_string).collect();
        let message = format!(
            "what markers there are for {} is unknown: the files were not seen (--worktree DIR reads them from a local checkout)",
            names.join(", ")
        );
        terminal.say(&Talk::new(Tone::Note, message));
        return;
    }
    let is_empty = found.markers.is_empty() && found.images.is_empty();
    if is_empty && found.failures.is_empty() {
        let what = match (subject, args.outdated) {
            (Subject::Markers, true) => "no outdated marker",
            (Subject::Markers, false) => "no marker of an ImageUpdateAutomation",
            (Subject::Images, true) => "no outdated image",
            (Subject::Images, false) => "no ImagePolicy",
        };
        let place = selection::place(scope);
        terminal.say(&Talk::new(Tone::Note, format!("{what} {place}")));
    }
}

fn printed(
    output: Option<OutputFormat>,
    subject: Subject,
    all: &[Standing],
    settings: TableSettings,
) -> Vec<u8> {
    match (subject, output) {
        (Subject::Markers, Some(OutputFormat::Json)) => json::markers(all, Form::Json),
        (Subject::Markers, Some(OutputFormat::Yaml)) => json::markers(all, Form::Yaml),
        (Subject::Markers, Some(OutputFormat::Name)) => tables::marker_names(all),
        (Subject::Markers, _) => tables::markers(all, settings),
        (Subject::Images, Some(OutputFormat::Json)) => json::images(all, Form::Json),
        (Subject::Images, Some(OutputFormat::Yaml)) => json::images(all, Form::Yaml),
        (Subject::Images, Some(OutputFormat::Name)) => tables::image_names(all),
        (Subject::Images, _) => tables::images(all, settings),
    }
}
