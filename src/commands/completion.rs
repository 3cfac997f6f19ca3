//! `completion`: the script that completes commands and flags in a shell.

use clap::Args;
use clap_complete::Shell;

use crate::exit_code;
use crate::failure::Failure;

use super::invocation::Invocation;
use super::terminal::Terminal;

/// Print the completion script of a shell
///
/// The script completes the program's own name; `source` it, or store it where the shell looks for completions.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub fn run(
    invocation: &Invocation,
    args: CompletionArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut super::command(invocation),
        invocation.program_name(),
        &mut script,
    );
    terminal.result(&script);
    Ok(exit_code::FINE)
}
