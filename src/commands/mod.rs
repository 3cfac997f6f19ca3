//! Flags to typed settings to pipeline to render: one file per command, dispatch of one line per arm.

mod completion;
mod connection;
mod contexts;
mod diff;
mod doctor;
mod explain;
mod fail_on;
mod fmt;
mod forms;
mod get;
mod get_standing;
mod input;
mod interruption;
mod invocation;
mod lint;
mod mark;
mod overview;
mod pasted;
mod reconcile;
mod selection;
mod snapshot;
mod tags;
mod terminal;
mod trigger;
mod version;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::exit_code;
use crate::failure::Failure;
use crate::pipeline::{local, relay};

use input::GlobalArgs;
use invocation::Invocation;
use terminal::Terminal;

/// Preview and explain what Flux image automation does
///
/// Reads ImageRepository, ImagePolicy and ImageUpdateAutomation objects, repeats what the image controllers decide, and shows the
/// change that they would push.
#[derive(Debug, Parser)]
#[command(disable_version_flag = true, max_term_width = 120)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Get(get::GetArgs),
    #[command(visible_alias = "why")]
    Explain(explain::ExplainArgs),
    Tags(tags::TagsArgs),
    Diff(diff::DiffArgs),
    #[command(visible_alias = "check")]
    Doctor(doctor::DoctorArgs),
    Lint(lint::LintArgs),
    Fmt(fmt::FmtArgs),
    Mark(mark::MarkArgs),
    Reconcile(reconcile::ReconcileArgs),
    Trigger(trigger::TriggerArgs),
    Snapshot(snapshot::SnapshotArgs),
    Completion(completion::CompletionArgs),
    Version(version::VersionArgs),
}

impl Command {
    /// Whether `--snapshot` can stand for everything that the command asks.
    fn answers_from_snapshots(&self) -> bool {
        matches!(
            self,
            Self::Get(_)
                | Self::Explain(_)
                | Self::Tags(_)
                | Self::Diff(_)
                | Self::Doctor(_)
                | Self::Version(_)
        )
    }

    /// The command's name behind a blank.
    fn name(&self) -> &'static str {
        match self {
            Self::Get(_) => " get",
            Self::Explain(_) => " explain",
            Self::Tags(_) => " tags",
            Self::Diff(_) => " diff",
            Self::Doctor(_) => " doctor",
            Self::Lint(_) => " lint",
            Self::Fmt(_) => " fmt",
            Self::Mark(_) => " mark",
            Self::Reconcile(_) => " reconcile",
            Self::Trigger(_) => " trigger",
            Self::Snapshot(_) => " snapshot",
            Self::Completion(_) => " completion",
            Self::Version(_) => " version",
        }
    }
}

/// Runs the command line `args` (argv, program name first) and gives the process's exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if let [_, word, folder] = args.as_slice()
        && word == local::FINISH
    {
        return ExitCode::from(hidden(local::finish(Path::new(folder))));
    }
    if let [_, word, proxy, host, port] = args.as_slice()
        && word == relay::RELAY
        && let (Some(proxy), Some(host), Some(port)) =
            (proxy.to_str(), host.to_str(), port.to_str())
    {
        return ExitCode::from(hidden(relay::relay(proxy, host, port)));
    }
    let invocation = Invocation::from_program(args.first());
    if let Some(words) = completion::asked(&args) {
        let answer = completion::complete(invocation, words);
        return ExitCode::from(terminal::write_bare(exit_code::FINE, |out| {
            out.write_all(answer.as_bytes())
        }));
    }
    ExitCode::from(dispatch(&invocation, args))
}

fn command(invocation: &Invocation) -> clap::Command {
    forms::named(Cli::command())
        .name(invocation.program_name())
        .bin_name(invocation.caller())
        .mut_subcommand("diff", |diff| diff.after_help(diff::examples(*invocation)))
        .mut_subcommand("doctor", |doctor| {
            doctor.after_help(doctor::examples(*invocation))
        })
        .mut_subcommand("fmt", |fmt| fmt.after_help(fmt::examples(*invocation)))
        .mut_subcommand("mark", |mark| mark.after_help(mark::examples(*invocation)))
        .mut_subcommand("explain", |explain| {
            explain.after_help(explain::examples(*invocation))
        })
        .mut_subcommand("lint", |lint| lint.after_help(lint::examples(*invocation)))
        .mut_subcommand("trigger", |trigger| {
            trigger.after_help(trigger::examples(*invocation))
        })
        .mut_subcommand("reconcile", |reconcile| {
            reconcile.after_help(reconcile::examples(*invocation))
        })
        .mut_subcommand("get", |get| get.after_help(get::examples(*invocation)))
        .mut_subcommand("snapshot", |snapshot| {
            snapshot.after_help(snapshot::examples(*invocation))
        })
        .mut_subcommand("tags", |tags| tags.after_help(tags::examples(*invocation)))
}

fn dispatch(invocation: &Invocation, args: Vec<OsString>) -> u8 {
    let parsed = command(invocation)
        .try_get_matches_from(args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return print_usage(&error),
    };
    let mut terminal = Terminal::new(&cli.global);
    let name = cli.command.as_ref().map_or("", Command::name);
    let unfit = cli
        .command
        .as_ref()
        .filter(|command| cli.global.snapshot.is_some() && !command.answers_from_snapshots());
    if let Some(command) = unfit {
        let failure = Failure::usage(format!(
            "--snapshot does not fit{}: a snapshot answers get, explain, tags, diff, doctor and version",
            command.name()
        ));
        return report(&failure, invocation, name, &mut terminal);
    }
    let result = match cli.command {
        Some(Command::Get(args)) => get::run(invocation, &cli.global, &args, &mut terminal),
        Some(Command::Explain(args)) => explain::run(invocation, &cli.global, args, &mut terminal),
        Some(Command::Tags(args)) => tags::run(invocation, &cli.global, &args, &mut terminal),
        Some(Command::Diff(args)) => diff::run(invocation, &cli.global, args, &mut terminal),
        Some(Command::Doctor(args)) => doctor::run(invocation, &cli.global, &args, &mut terminal),
        Some(Command::Lint(args)) => lint::run(invocation, &cli.global, &args, &mut terminal),
        Some(Command::Fmt(args)) => fmt::run(&cli.global, args, &mut terminal),
        Some(Command::Mark(args)) => mark::run(invocation, &cli.global, args, &mut terminal),
        Some(Command::Reconcile(args)) => {
            reconcile::run(invocation, &cli.global, &args, &mut terminal)
        }
        Some(Command::Trigger(args)) => trigger::run(invocation, &cli.global, &args, &mut terminal),
        Some(Command::Snapshot(args)) => {
            snapshot::run(invocation, &cli.global, &args, &mut terminal)
        }
        Some(Command::Completion(args)) => completion::run(invocation, args, &mut terminal),
        Some(Command::Version(args)) => version::run(invocation, &cli.global, &args, &mut terminal),
        None => overview::run(invocation, &cli.global, &mut terminal),
    };
    let code = match result {
        Ok(code) => code,
        Err(failure) => report(&failure, invocation, name, &mut terminal),
    };
    terminal.end(code)
}

/// Another process of this program at work for a first one: its words are for that.
fn hidden(ended: Result<(), Failure>) -> u8 {
    match ended {
        Ok(()) => exit_code::FINE,
        Err(failure) => {
            // Nobody can be told that stderr is closed.
            drop(std::io::stderr().write_all(failure.message.as_bytes()));
            failure.exit_code()
        }
    }
}

fn report(
    failure: &Failure,
    invocation: &Invocation,
    command: &str,
    terminal: &mut Terminal,
) -> u8 {
    terminal.failure(&failure.message);
    if failure.exit_code() == exit_code::USAGE {
        terminal.hint(&format!("{}{command} --help", invocation.caller()));
    }
    failure.exit_code()
}

/// Clap's own text: help on stdout, a usage error on stderr.
fn print_usage(error: &clap::Error) -> u8 {
    if error.use_stderr() {
        // Nobody can be told that stderr is closed.
        drop(error.print());
        exit_code::USAGE
    } else {
        terminal::write_bare(exit_code::FINE, |_| error.print())
    }
}
