//! Without a command: how things stand.

use crate::exit_code;
use crate::failure::Failure;
use crate::pipeline::request::{Named, NamespaceScope};
use crate::pipeline::survey;
use crate::render::console::{Talk, Tone};
use crate::render::overview;

use super::input::GlobalArgs;
use super::invocation::Invocation;
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
    if !found.namespaces_elsewhere.is_empty() && found.objects.is_empty() {
        let elsewhere = found.namespaces_elsewhere.join(", ");
        terminal.hint(&format!(
            "there are some in {elsewhere}: {} -A",
            invocation.caller()
        ));
    } else if more > 0 {
        terminal.hint(&format!("{more} more: {} doctor", invocation.caller()));
    } else {
        terminal.hint(&format!("{} get, or --help", invocation.caller()));
    }
    let codes = found.failures.iter().map(Failure::exit_code);
    Ok(codes.max().unwrap_or(exit_code::FINE))
}
