//! `diff`: the exact change that each automation would push.

use clap::{Args, ValueEnum};

use crate::exit_code;
use crate::facts::cluster::Kind;
use crate::failure::{Failure, FailureKind};
use crate::pipeline::forecast::{Forecast, Prediction, forecast};
use crate::pipeline::request::{Named, ObjectRequest, Request, TagSource};
use crate::pipeline::session::Session;
use crate::pipeline::stages::{Inputs, Preview};
use crate::pipeline::{DryRun, decide, dry_run, fetch, load, preview};
use crate::render::console::{Talk, Tone};
use crate::render::json_v1::DiffPart;
use crate::render::{self, diff_report, json_v1, markdown_diff, mbox};

use super::contexts::{self, ContextsArgs};
use super::input::{GlobalArgs, OutputFormat};
use super::invocation::Invocation;
use super::selection;
use super::terminal::Terminal;

/// Show the exact change that the automation would push: a unified diff, the branch and the commit message
///
/// Objects come from the cluster, tags from the registries, files from a clone of each GitRepository, with the credentials that the
/// controllers use; nothing is pushed. Without UPDATE every ImageUpdateAutomation of the namespace counts. The diff goes to stdout and
/// can be piped into `git apply`; what else there is to say goes to stderr. With -o mbox each automation's commit is a mail that
/// `git am` takes, with author and message (--keep-non-patch keeps a message that begins with a bracket, --keep-cr files with CR).
///
/// With --dry-run=server the objects that would be applied because of the change are sent to the API server as server-side apply with
/// dryRun=All, as kustomize-controller would send them; nothing is persisted. Kustomizations are built with kustomize or kubectl, one
/// of which has to be on PATH.
///
/// With --base REF the objects of -f and the files of their work tree are predicted twice, as they stand at REF and as they stand
/// now, and what is shown is what merging brings about. Nothing but the registries is asked, and with --tags-from FILE nobody.
///
/// Exit status: 0 no change, 1 changes or a predicted failure of the controller, above that an error (2 usage, 3 cluster, 4 registry,
/// 5 git, 6 invalid input, 8 the API server rejects the change); the largest wins.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Automations by name, as NAME or TYPE/NAME
    #[arg(value_name = "UPDATE")]
    updates: Vec<String>,

    /// Lines of context around each change
    #[arg(
        short = 'U',
        long = "unified",
        value_name = "LINES",
        default_value_t = 3,
        help_heading = "Output"
    )]
    unified: usize,

    /// How files are changed: `exact` as the controller does, byte for byte; `minimal` touches nothing but the marked values
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value_t = Rewrite::Exact,
        hide_possible_values = true,
        help_heading = "Output"
    )]
    rewrite: Rewrite,

    /// Print one line for each file with the count of its changed lines, instead of the diff
    #[arg(long, conflicts_with = "output", help_heading = "Output")]
    stat: bool,

    /// Also ask the API server what it would say of the changed objects; with -f it is asked all the same
    #[arg(
        long,
        value_enum,
        value_name = "none|server",
        default_value = "none",
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = "Input"
    )]
    dry_run: DryRunMode,

    /// Tell what merging moves: predict with the policies and files of this commit too, and compare
    #[arg(
        long,
        value_name = "REF",
        conflicts_with_all = ["stat", "dry_run"],
        help_heading = "Input"
    )]
    base: Option<String>,

    #[command(flatten)]
    contexts: ContextsArgs,

    /// With `never`, exit with 0 where changes or a predicted failure would give 1
    #[arg(long, value_enum, value_name = "WHEN", help_heading = "Output")]
    fail_on: Option<FailOn>,
}

/// `--rewrite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Rewrite {
    /// The controller's bytes.
    Exact,
    /// The marked values alone.
    Minimal,
}

/// `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Changes are no failure.
    Never,
}

/// `--dry-run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DryRunMode {
    /// Ask nothing.
    None,
    /// Ask the API server.
    Server,
}

/// Examples for the help, in the caller's dialect.
pub fn examples(invocation: Invocation) -> String {
    let caller = invocation.caller();
    format!(
        "Examples:
  # what the automations of a namespace would push now
  {caller} diff -n flux-system

  # the same for one of them, in the files of a checkout that has not been pushed
  {caller} diff flux-images --worktree .

  # what a pull request changes, with recorded tags and no network
  {caller} diff -f clusters/ -R --tags-from tags.json --worktree .

  # what merging this branch will move, as a comment for its pull request
  {caller} diff -f clusters/ -R --tags-from tags.json --base origin/main -o markdown

  # what the automation would do this second, by the policies' status
  {caller} diff -f objects.yaml --tags-from status --worktree .

  # whether the API server would accept what follows from it
  {caller} diff flux-images --dry-run=server

  # as if the policy had chosen another tag
  {caller} diff -f clusters/ -R --tags-from status --assume flux-system/checkout=1.9.0"
    )
}

/// Previews the automations and prints them.
pub fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: DiffArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    global.fits("diff")?;
    let inputs = contexts::inputs(global, &args.contexts.contexts)?;
    let named = contexts::are_named(&inputs);
    if args.dry_run == DryRunMode::Server {
        global.asks_more_than_a_snapshot("--dry-run=server")?;
    }
    if let Some(base) = &args.base {
        global.asks_more_than_a_snapshot("--base")?;
        if named {
            return Err(Failure::usage(
                "--base compares one set of files: leave out --contexts and the names of -f",
            ));
        }
        let ground = global.ground(*invocation)?;
        let request = request(ground.objects.clone(), global, &args)?;
        let session = global.session(&ground, terminal)?;
        return run_forecast(&request, base, global, &args, &session, terminal);
    }
    let shared = &*terminal;
    let asked = contexts::side_by_side(&inputs, terminal, |input| {
        let mut predicted = predict(invocation, &input.global, &args, shared)?;
        predicted.cluster = input.name.clone().or(predicted.cluster);
        Ok(predicted)
    })?;
    let mut code = asked.code;
    for predicted in &asked.answers {
        talk_about_inputs(&predicted.inputs, terminal);
        if predicted.inputs.automations.is_empty() {
            say_nothing_matches(&predicted.request, &predicted.inputs, terminal);
        }
        talk_about(&predicted.notes, terminal);
        print(global, &args, predicted, named, terminal);
        let checks = predicted.dry_runs.iter().flatten().map(DryRun::exit_code);
        let own = exit_code_of(&predicted.inputs, &predicted.previews);
        code = checks.fold(own, u8::max).max(code);
    }
    let parts: Vec<DiffPart<'_>> = asked.answers.iter().map(Predicted::part).collect();
    print_document(global, &args, &parts, None, terminal);
    Ok(args.judged(code))
}

/// What one input comes to.
struct Predicted {
    request: Request,
    inputs: Inputs,
    notes: Vec<String>,
    previews: Vec<Preview>,
    dry_runs: Option<Vec<DryRun>>,
    cluster: Option<String>,
}

impl Predicted {
    fn part(&self) -> DiffPart<'_> {
        DiffPart {
            previews: &self.previews,
            dry_runs: self.dry_runs.as_deref(),
            cluster: self.cluster.as_deref(),
        }
    }
}

fn predict(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: &DiffArgs,
    terminal: &Terminal,
) -> Result<Predicted, Failure> {
    let mut ground = global.ground(*invocation)?;
    if args.dry_run == DryRunMode::Server {
        global.add_cluster(&mut ground)?;
    }
    let request = request(ground.objects.clone(), global, args)?;
    let session = global.session(&ground, terminal)?;
    let inputs = load(&request, &session)?;
    let (scans, checkouts) = fetch(&request, &inputs, &session)?;
    let decisions = decide(&request, &inputs, &scans, &session)?;
    let previews = preview(&request, &inputs, &decisions, &checkouts)?;
    let dry_runs = match args.dry_run {
        DryRunMode::None => None,
        DryRunMode::Server => {
            let namespace = ground.cluster_namespace();
            Some(dry_run(
                &inputs, &checkouts, &previews, namespace, &session,
            )?)
        }
    };
    Ok(Predicted {
        request,
        inputs,
        notes: scans.notes,
        previews,
        dry_runs,
        cluster: session.context().map(str::to_owned),
    })
}

impl DiffArgs {
    /// The exit code that `--fail-on` makes of one.
    fn judged(&self, code: u8) -> u8 {
        if self.fail_on == Some(FailOn::Never) && code == exit_code::DIFFERENCES {
            exit_code::FINE
        } else {
            code
        }
    }
}

/// `--base`: what merging brings about.
fn run_forecast(
    request: &Request,
    base: &str,
    global: &GlobalArgs,
    args: &DiffArgs,
    session: &Session,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    if let Some(form @ (OutputFormat::Name | OutputFormat::Mbox)) = global.output {
        return Err(Failure::usage(format!(
            "-o {} does not fit --base: use json, markdown or none",
            form.word()
        )));
    }
    if request.tags == TagSource::Status {
        terminal.say(&Talk::new(
            Tone::Warning,
            "--tags-from status: what a changed policy will choose is not seen; use a recording (tags -o json) or the registry",
        ));
    }
    let (here, forecast) = forecast(request, base, session)?;
    let Prediction {
        inputs,
        previews,
        notes,
    } = &here;
    talk_about_inputs(inputs, terminal);
    talk_about(notes, terminal);
    if inputs.automations.is_empty() {
        say_nothing_matches(request, inputs, terminal);
    }
    let failures = previews.iter().flat_map(|preview| {
        let unknown = preview.unknown.iter();
        unknown.map(|unknown| format!("{}: {}", preview.key, unknown.message))
    });
    failures.for_each(|message| terminal.failure(&message));
    for failure in &forecast.failures {
        terminal.failure(&failure.message);
    }
    for talk in render::forecast::talk(&forecast) {
        terminal.say(&talk);
    }
    let part = DiffPart {
        previews,
        dry_runs: None,
        cluster: None,
    };
    match global.output {
        Some(_) => print_document(global, args, &[part], Some(&forecast), terminal),
        None => terminal.result(&render::forecast::text(&forecast)),
    }
    let codes = forecast.failures.iter().map(Failure::exit_code);
    let unknown = previews
        .iter()
        .flat_map(|preview| preview.unknown.iter().chain(&preview.troubles));
    let codes = codes.chain(unknown.map(Failure::exit_code));
    let problems = inputs
        .problems
        .iter()
        .map(|_| FailureKind::InvalidInput.exit_code());
    let differs = if forecast.differs() {
        exit_code::DIFFERENCES
    } else {
        exit_code::FINE
    };
    Ok(args.judged(codes.chain(problems).fold(differs, u8::max)))
}

fn request(
    objects: ObjectRequest,
    global: &GlobalArgs,
    args: &DiffArgs,
) -> Result<Request, Failure> {
    Ok(Request {
        objects,
        tags: global.tags()?,
        worktrees: global.worktrees()?,
        assumptions: global.assumptions()?,
        updates: update_names("diff", &args.updates)?,
        needs_files: true,
        forgives: false,
        messages: global.output != Some(OutputFormat::Name) || args.dry_run == DryRunMode::Server,
        losses: global.output != Some(OutputFormat::Name) || !global.quiet,
        minimal: args.rewrite == Rewrite::Minimal,
    })
}

/// The automations that are named, by name alone or as `update/NAME`.
pub(super) fn update_names(command: &str, arguments: &[String]) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for named in selection::parse(arguments)? {
        match named {
            Named::All(Kind::ImageUpdateAutomation) => {}
            Named::One(Kind::ImageUpdateAutomation, name) | Named::Any(name) => names.push(name),
            Named::All(kind) | Named::One(kind, _) => {
                return Err(Failure::usage(format!(
                    "{command} takes ImageUpdateAutomations, as NAME or update/NAME, not an {kind}"
                )));
            }
        }
    }
    Ok(names)
}

pub(super) fn talk_about(notes: &[String], terminal: &Terminal) {
    for note in notes {
        terminal.say(&Talk::new(Tone::Note, note.clone()));
    }
}

pub(super) fn talk_about_inputs(inputs: &Inputs, terminal: &Terminal) {
    talk_about(&inputs.notes, terminal);
    for problem in &inputs.problems {
        terminal.failure(&problem.to_string());
    }
}

pub(super) fn say_nothing_matches(request: &Request, inputs: &Inputs, terminal: &Terminal) {
    let mut namespaces: Vec<&str> = inputs
        .objects
        .automations
        .keys()
        .map(|key| key.namespace.as_str())
        .collect();
    namespaces.dedup();
    let scope = match &request.objects.scope {
        crate::pipeline::request::NamespaceScope::One(namespace) => {
            format!(" in namespace {namespace}")
        }
        crate::pipeline::request::NamespaceScope::All => " in the input".into(),
    };
    let elsewhere = if namespaces.is_empty() {
        String::new()
    } else {
        format!("; there are some in {}", namespaces.join(", "))
    };
    terminal.say(&Talk::new(
        Tone::Note,
        format!("no ImageUpdateAutomation{scope}{elsewhere}"),
    ));
}

fn print(
    global: &GlobalArgs,
    args: &DiffArgs,
    predicted: &Predicted,
    named: bool,
    terminal: &mut Terminal,
) {
    let shows_patch = global.output.is_none() && !args.stat;
    if let Some(context) = predicted.cluster.as_ref().filter(|_| named) {
        if shows_patch {
            // git apply skips it, as the line that names an automation.
            terminal.result(format!("# context {context}\n").as_bytes());
        } else {
            terminal.say(&Talk::new(Tone::Action, format!("context {context}")));
        }
    }
    let previews = &predicted.previews;
    for (index, preview) in previews.iter().enumerate() {
        for talk in diff_report::opening(preview) {
            terminal.say(&talk);
        }
        if shows_patch {
            terminal.result(&diff_report::patch(
                preview,
                args.unified,
                terminal.colors_results(),
            ));
        }
        for talk in diff_report::closing(preview) {
            terminal.say(&talk);
        }
        let dry_runs = predicted.dry_runs.as_deref();
        let dry_run = dry_runs.and_then(|dry_runs| dry_runs.get(index));
        for talk in dry_run
            .iter()
            .flat_map(|dry_run| render::dry_run::talk(preview, dry_run))
        {
            terminal.say(&talk);
        }
    }
}

/// What goes to stdout when all automations have been told of.
fn print_document(
    global: &GlobalArgs,
    args: &DiffArgs,
    parts: &[DiffPart<'_>],
    forecast: Option<&Forecast>,
    terminal: &mut Terminal,
) {
    let previews = || parts.iter().flat_map(|part| part.previews);
    match global.output {
        Some(OutputFormat::Json) => {
            terminal.streamed_result(|out| json_v1::diff(out, parts, forecast, args.unified));
        }
        Some(OutputFormat::Name) => terminal.result(&diff_report::names(previews())),
        Some(OutputFormat::Markdown) => {
            terminal.result(&markdown_diff::document(parts, forecast, args.unified));
        }
        Some(OutputFormat::Mbox) => {
            terminal.result(&mbox::mails(
                previews(),
                args.unified,
                jiff::Timestamp::now(),
            ));
        }
        None if args.stat => terminal.result(&diff_report::stat(previews())),
        _ => {}
    }
}

fn exit_code_of(inputs: &Inputs, previews: &[Preview]) -> u8 {
    let problems = if inputs.problems.is_empty() {
        exit_code::FINE
    } else {
        FailureKind::InvalidInput.exit_code()
    };
    let of = |preview: &Preview| {
        let differs = if preview.differs() {
            exit_code::DIFFERENCES
        } else {
            exit_code::FINE
        };
        let failures = preview.unknown.iter().chain(&preview.troubles);
        failures.map(Failure::exit_code).fold(differs, u8::max)
    };
    previews.iter().map(of).fold(problems, u8::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Result<Vec<String>, Failure> {
        update_names(
            "diff",
            &arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn automations_are_named_as_kubectl_users_do() {
        assert_eq!(names(&["a", "b"]).unwrap(), ["a", "b"]);
        assert_eq!(
            names(&[
                "update/a",
                "iua/b",
                "ImageUpdateAutomations.image.toolkit.fluxcd.io/c"
            ])
            .unwrap(),
            ["a", "b", "c"]
        );
        assert_eq!(names(&["image", "update", "a"]).unwrap(), ["a"]);
        assert_eq!(names(&["updates"]).unwrap(), Vec::<String>::new());
        assert!(names(&["policy/a"]).is_err());
        assert!(names(&["imagepolicy", "a"]).is_err());
    }
}
