//! `fmt`: files in the form that the controller would give them.

use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;

use crate::exit_code;
use crate::failure::{Failure, FailureKind};
use crate::findings::Severity;
use crate::pipeline::reformat::{ReformatRequest, reformat, reformat_text};
use crate::render::console::{Talk, Tone};
use crate::render::diff_report::finding_line;

use super::input::GlobalArgs;
use super::invocation::Invocation;
use super::terminal::Terminal;

/// Rewrite files that hold markers into the form that the controller gives them
///
/// The controller writes a file anew when it sets a value in it: indentation, blank lines and the like become its own. Files that have its
/// form already only change in the lines of the markers. Without PATH: the current folder. Files that git ignores are left out.
///
/// A file in which something would be lost or changed (a comment, text behind `...`, a template) is left as it is and named, unless
/// --allow-loss is given; so is one that the controller can't read. With - any YAML goes from standard input to standard output.
///
/// Exit status: 0 all is in the controller's form, 1 with --check a file is not, or a file was left, 2 usage, 6 a file can't be read as
/// YAML.
#[derive(Debug, Args)]
pub struct FmtArgs {
    /// Files and folders; - for standard input
    #[arg(value_name = "PATH|-")]
    paths: Vec<PathBuf>,

    /// All YAML files, with markers or without
    #[arg(long, help_heading = "Formatting")]
    all: bool,

    /// Change nothing; name the files that would be changed and exit with 1 if there are any
    #[arg(long, help_heading = "Formatting")]
    check: bool,

    /// Rewrite files too that lose something
    #[arg(long, help_heading = "Formatting")]
    allow_loss: bool,
}

/// Examples for the help, in the caller's dialect.
pub fn examples(invocation: Invocation) -> String {
    let caller = invocation.caller();
    format!(
        "Examples:
  # once, before image automation is set up
  {caller} fmt clusters/

  # in the checks of a pull request
  {caller} fmt --check

  # what the controller would make of a file
  {caller} fmt - < apps/web.yaml | diff apps/web.yaml -"
    )
}

/// Formats.
pub fn run(global: &GlobalArgs, args: FmtArgs, terminal: &mut Terminal) -> Result<u8, Failure> {
    global.fits("fmt")?;
    if args.paths.iter().any(|path| path.as_os_str() == "-") {
        return from_stdin(&args, terminal);
    }
    let request = ReformatRequest {
        paths: if args.paths.is_empty() {
            vec![PathBuf::from(".")]
        } else {
            args.paths
        },
        all: args.all,
        check: args.check,
        allow_loss: args.allow_loss,
    };
    let done = reformat(&request)?;
    let mut names = done.changed.join("\n");
    if !names.is_empty() {
        names.push('\n');
    }
    terminal.result(names.as_bytes());
    for finding in &done.findings {
        if finding.severity > Severity::Note || done.has_left {
            terminal.say(&finding_line(finding));
        }
    }
    let marked = if args.all { "" } else { " with markers" };
    let files = |count: usize| format!("{count} file{}", if count == 1 { "" } else { "s" });
    let verb = if args.check {
        "would change"
    } else {
        "rewritten"
    };
    let left = if done.has_left {
        "; files that would lose something were left as they are (--allow-loss)"
    } else {
        ""
    };
    terminal.say(&Talk::new(
        Tone::Success,
        format!(
            "{}{marked} looked at, {} {verb}{left}",
            files(done.looked_at),
            done.changed.len()
        ),
    ));
    let differs = done.has_left || args.check && !done.changed.is_empty();
    Ok(match (done.has_unreadable, differs) {
        (true, _) => FailureKind::InvalidInput.exit_code(),
        (false, true) => exit_code::DIFFERENCES,
        (false, false) => exit_code::FINE,
    })
}

fn from_stdin(args: &FmtArgs, terminal: &mut Terminal) -> Result<u8, Failure> {
    if args.paths.len() > 1 {
        return Err(Failure::usage(
            "fmt: - stands alone: name files or standard input, not both",
        ));
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|error| {
        Failure::invalid_input(format!("-: standard input can't be read: {error}"))
    })?;
    let (written, findings) = reformat_text(&bytes)?;
    for finding in &findings {
        terminal.say(&finding_line(finding));
    }
    if args.check {
        return Ok(if written == bytes {
            exit_code::FINE
        } else {
            exit_code::DIFFERENCES
        });
    }
    terminal.result(&written);
    Ok(exit_code::FINE)
}
