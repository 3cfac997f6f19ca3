//! Flags to typed settings to pipeline to render.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command line `args` (argv, program name first) and gives the process's exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let _ = args.into_iter().count();
    ExitCode::SUCCESS
}
