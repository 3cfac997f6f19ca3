//! Without a command: how things stand.

use crate::exit_code;
use crate::failure::Failure;
use crate::pipeline::request::{Named, NamespaceScope};
use crate::pipeline::survey;
use crate::render::console::{Talk, Tone};
use crate::render::overview;

use super::input::GlobalArgs;
use super::invocation::Invocation;
use super::pasted::{Scope, command};
use super::terminal::Terminal;

/// Prints the overview.
pub fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    global.fits("the overview")?;
    let ground = global.ground(*invocation)?;
    let session = global.session(&ground, terminal)?;
    let all = Named::IMAGE_KINDS.map(Named::All);
    let found = survey(&ground.objects, &all, &session)?;
    for note in &found.notes {
        terminal.say(&Talk::new(Tone::Note, note.clone()));
    }
    for failure in &found.failures {
        terminal.failure(&failure.message);
    }
    let scope = match &ground.objects.scope {
        NamespaceScope::One(namespace) => format!("namespace {namespace}"),
        NamespaceScope::All => "all namespaces".into(),
    };
    let (lines, more) = overview::lines(&found, &scope, session.now);
    for line in lines {
        terminal.result_line(&line);
    }
    let pasted = |words: &str, scope: Scope| command(*invocation, global, words, scope);
    if !found.namespaces_elsewhere.is_empty() && found.objects.is_empty() {
        let elsewhere = found.namespaces_elsewhere.join(", ");
        let meant = if global.selector.is_some() {
            ", which -l may leave out"
        } else {
            ""
        };
        terminal.hint(&format!(
            "there are some in {elsewhere}{meant}: {}",
            pasted("", Scope::Everything)
        ));
    } else if more > 0 {
        terminal.hint(&format!("{more} more: {}", pasted("doctor", Scope::Same)));
    } else {
        terminal.hint(&format!("{}, or --help", pasted("get", Scope::Same)));
    }
    let codes = found.failures.iter().map(Failure::exit_code);
    Ok(codes.max().unwrap_or(exit_code::FINE))
}
