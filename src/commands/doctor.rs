//! `doctor`: everything that is or will be wrong, in cluster, registry, git and files together.

use clap::Args;

use crate::exit_code;
use crate::failure::{Failure, FailureKind};
use crate::findings::catalogue;
use crate::pipeline::diagnose::{Diagnosis, diagnose};
use crate::pipeline::request::{NamespaceScope, Request};
use crate::render::console::{Talk, Tone};
use crate::render::explanation::TextSettings;
use crate::render::{findings, github, json_v1_findings, junit, markdown, prometheus, sarif};

use super::contexts::{self, ContextsArgs, NamedInput};
use super::fail_on::FailOn;
use super::input::{GlobalArgs, OutputFormat};
use super::invocation::Invocation;
use super::terminal::Terminal;

/// Find everything that is or will be wrong, with what comes from it and how to mend it
///
/// Looks at the controllers, objects, registries, git servers and files together, in every namespace that may be listed (-n: one).
/// Rights to read are enough; what may not be read is named with the rule that is missing. Nothing is changed.
///
/// Exit status: 0 nothing is wrong, 1 something is (see --fail-on), above that an error (2 usage, 3 cluster, 4 registry, 5 git,
/// 6 invalid input); the largest wins.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print what a finding means and how to mend it, instead of looking for any
    #[arg(long, value_name = "ID", help_heading = "Output")]
    explain: Option<String>,

    #[command(flatten)]
    contexts: ContextsArgs,

    /// The least severity that gives exit status 1
    #[arg(
        long,
        value_enum,
        value_name = "SEVERITY",
        default_value = "warning",
        help_heading = "Output"
    )]
    fail_on: FailOn,
}

/// Examples for the help, in the caller's dialect.
pub fn examples(invocation: Invocation) -> String {
    let caller = invocation.caller();
    format!(
        "Examples:
  # the whole cluster, as far as it may be read
  {caller} doctor

  # one namespace, for a script
  {caller} doctor -n flux-system -o json

  # all clusters of a fleet, and automations that undo each other's commits
  {caller} doctor --contexts '/^prod-/'

  # what a finding means
  {caller} doctor --explain scan-stale

  # metrics for node-exporter's textfile collector
  {caller} doctor -o prometheus --fail-on never > imageauto.prom

  # manifests on disk, tags from a recording
  {caller} doctor -f clusters/ -R --tags-from tags.json --worktree ."
    )
}

/// Looks and prints.
pub fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: &DoctorArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    if let Some(id) = &args.explain {
        return explain(invocation, id, terminal);
    }
    global.fits("doctor")?;
    let inputs = contexts::inputs(global, &args.contexts.contexts)?;
    let shared = &*terminal;
    let found = contexts::each(&inputs, |input| examine(invocation, input, shared));
    let several = inputs.len() > 1;
    let mut diagnoses = Vec::new();
    for (input, found) in inputs.iter().zip(found) {
        match (found, &input.name) {
            (Ok(diagnosis), _) => diagnoses.push(diagnosis),
            // A cluster that can't be asked is a finding beside the others'.
            (Err(failure), Some(name)) if several && failure.kind == FailureKind::Cluster => {
                diagnoses.push(Diagnosis::unreachable(name, &failure));
            }
            (Err(failure), _) => return Err(failure),
        }
    }
    let diagnosis = Diagnosis::together(diagnoses);
    Ok(report(
        &diagnosis,
        args.fail_on,
        invocation,
        global,
        terminal,
    ))
}

fn examine(
    invocation: &Invocation,
    input: &NamedInput,
    terminal: &Terminal,
) -> Result<Diagnosis, Failure> {
    let global = &input.global;
    let mut ground = global.ground(*invocation)?;
    if global.namespace.is_none() {
        ground.objects.scope = NamespaceScope::All;
    }
    let request = Request {
        tags: global.tags()?,
        worktrees: global.worktrees()?,
        assumptions: global.assumptions()?,
        ..Request::of_everything(ground.objects.clone())
    };
    let session = global.session(&ground, terminal)?;
    diagnose(&request, input.name.as_deref(), &session)
}

/// Prints what was found and gives the exit code.
pub fn report(
    diagnosis: &Diagnosis,
    fail_on: FailOn,
    invocation: &Invocation,
    global: &GlobalArgs,
    terminal: &mut Terminal,
) -> u8 {
    let diagnosis = &diagnosis.in_dialect(invocation.caller());
    for note in &diagnosis.notes {
        terminal.say(&Talk::new(Tone::Note, note.clone()));
    }
    let bytes = match global.output {
        Some(OutputFormat::Json) => json_v1_findings::findings(diagnosis),
        Some(OutputFormat::Sarif) => sarif::document(diagnosis),
        Some(OutputFormat::Junit) => junit::document(diagnosis),
        Some(OutputFormat::Github) => github::annotations(diagnosis),
        Some(OutputFormat::Markdown) => markdown::findings(diagnosis),
        Some(OutputFormat::Prometheus) => prometheus::metrics(diagnosis),
        _ => {
            let settings = TextSettings {
                glyphs: terminal.glyphs(),
                color: terminal.colors_results(),
            };
            findings::text(diagnosis, &diagnosis.lines, settings)
        }
    };
    terminal.result(&bytes);
    for failure in &diagnosis.failures {
        terminal.failure(&failure.message);
    }
    let tone = if diagnosis.findings.is_empty() && diagnosis.failures.is_empty() {
        Tone::Success
    } else {
        Tone::Note
    };
    terminal.say(&Talk::new(tone, findings::summary(diagnosis)));
    let found = diagnosis
        .worst()
        .is_some_and(|worst| fail_on.includes(worst));
    if let Some(first) = findings::worst_id(diagnosis).filter(|_| global.output.is_none()) {
        terminal.hint(&format!(
            "{} doctor --explain {}",
            invocation.caller(),
            first
        ));
    }
    let codes = diagnosis.failures.iter().map(Failure::exit_code);
    let code = if found {
        exit_code::DIFFERENCES
    } else {
        exit_code::FINE
    };
    codes.fold(code, u8::max)
}

/// `--explain`: the page of a finding.
fn explain(invocation: &Invocation, id: &str, terminal: &mut Terminal) -> Result<u8, Failure> {
    let page = catalogue::page(id).ok_or_else(|| {
        let near = catalogue::near(id);
        let rest = match near.as_slice() {
            [] => format!("{} doctor --explain list shows all", invocation.caller()),
            near => format!("there is {}", near.join(", ")),
        };
        Failure::usage(format!("--explain {id}: there is no such finding; {rest}"))
    })?;
    terminal.result(page.as_bytes());
    Ok(exit_code::FINE)
}
