//! The binary: one sentence that hands the process over to [`imageauto::run`].

fn main() -> std::process::ExitCode {
    imageauto::run(std::env::args_os())
}
