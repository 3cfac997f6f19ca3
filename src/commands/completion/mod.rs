//! `completion`: scripts for shells, the link that kubectl's own completion looks for, and the hidden protocol behind both.

mod candidates;
mod live;

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use crate::exit_code;
use crate::failure::Failure;
use crate::io::completion_link::{self, Link};
use crate::render::console::{Talk, Tone};

use super::invocation::Invocation;
use super::terminal::Terminal;

/// The word that kubectl's and flux's completion call plugins with (cobra's).
pub const WORD: &str = "__complete";

/// Completion in shells: commands, flags, and live names of objects, namespaces and contexts
///
/// kubectl completes its plugins where kubectl_complete-imageauto is on PATH; `install` puts it beside kubectl-imageauto. flux
/// needs nothing. Both need their own completion, such as `source <(kubectl completion bash)`. The scripts of `bash`,
/// `zsh`, `fish` and `powershell` are for the program under its own name.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the script for bash: source <(kubectl-imageauto completion bash)
    Bash,
    /// Print the script for zsh: source <(kubectl-imageauto completion zsh), or a file _kubectl-imageauto in $fpath
    Zsh,
    /// Print the script for fish: kubectl-imageauto completion fish | source
    Fish,
    /// Print the script for PowerShell: kubectl-imageauto completion powershell | Out-String | Invoke-Expression
    Powershell,
    /// Let kubectl complete the plugin: write kubectl_complete-imageauto beside kubectl-imageauto
    Install(LinkArgs),
    /// Remove what install wrote
    Uninstall(LinkArgs),
}

#[derive(Debug, Args)]
struct LinkArgs {
    /// A folder of PATH [default: the first that holds kubectl-imageauto]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

impl Shell {
    fn template(self) -> &'static str {
        match self {
            Self::Bash => include_str!("scripts/bash"),
            Self::Zsh => include_str!("scripts/zsh"),
            Self::Fish => include_str!("scripts/fish"),
            Self::Powershell => include_str!("scripts/powershell.ps1"),
        }
    }
}

/// Prints a script, or writes or removes the link.
pub fn run(
    invocation: &Invocation,
    args: CompletionArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let shell = match args.action {
        Action::Install(args) => return install(*invocation, args, terminal),
        Action::Uninstall(args) => return uninstall(args, terminal),
        Action::Bash => Shell::Bash,
        Action::Zsh => Shell::Zsh,
        Action::Fish => Shell::Fish,
        Action::Powershell => Shell::Powershell,
    };
    terminal.result(script(shell, *invocation).as_bytes());
    Ok(exit_code::FINE)
}

fn script(shell: Shell, invocation: Invocation) -> String {
    let name = invocation.program_name();
    let function = format!("_{}", name.replace('-', "_"));
    shell
        .template()
        .replace("FUNCTION", &function)
        .replace("PROGRAM", name)
}

fn install(invocation: Invocation, args: LinkArgs, terminal: &mut Terminal) -> Result<u8, Failure> {
    if invocation == Invocation::Flux {
        terminal.say(&Talk::new(
            Tone::Note,
            "flux asks its plugins itself: nothing is needed but its own completion (flux completion --help); this is for kubectl",
        ));
    }
    let folder = folder(args)?;
    match completion_link::write(&folder).map_err(Failure::invalid_input)? {
        (Link::There, file) => terminal.say(&Talk::new(
            Tone::Success,
            format!("{} is there already", file.display()),
        )),
        (_, file) => terminal.say(&Talk::new(
            Tone::Success,
            format!(
                "wrote {}, which kubectl's completion calls (kubectl completion --help turns that on)",
                file.display()
            ),
        )),
    }
    Ok(exit_code::FINE)
}

fn uninstall(args: LinkArgs, terminal: &mut Terminal) -> Result<u8, Failure> {
    let folder = folder(args)?;
    match completion_link::remove(&folder).map_err(Failure::invalid_input)? {
        (Link::Absent, file) => terminal.say(&Talk::new(
            Tone::Note,
            format!("{} isn't there", file.display()),
        )),
        (_, file) => terminal.say(&Talk::new(
            Tone::Success,
            format!("removed {}", file.display()),
        )),
    }
    Ok(exit_code::FINE)
}

fn folder(args: LinkArgs) -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match args.dir {
        Some(folder) => Ok(folder),
        None => completion_link::folder(&path).ok_or_else(|| {
            Failure::usage(
                "kubectl-imageauto is in no folder of PATH, so kubectl doesn't find it either: put it there first, or name a folder with --dir",
            )
        }),
    }
}

/// The words to complete, if the program was called to complete: by another name (kubectl), or with another word (flux).
pub fn asked(args: &[OsString]) -> Option<&[OsString]> {
    let (program, rest) = args.split_first()?;
    let name = Path::new(program).file_name().unwrap_or_default();
    if name
        .as_encoded_bytes()
        .starts_with(completion_link::PREFIX.as_bytes())
    {
        return Some(rest);
    }
    match rest.split_first() {
        Some((word, words)) if word == OsStr::new(WORD) => Some(words),
        _ => None,
    }
}

/// Answers in cobra's form: a candidate a line, behind a tab what it is, and at last a colon with the directive.
pub fn complete(invocation: Invocation, words: &[OsString]) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut root = super::command(&invocation);
    root.build();
    let wanted = candidates::wanted(&root, &words);
    let answer = wanted.answer(|names| live::names(names, invocation));
    let mut text = String::new();
    for candidate in answer.candidates {
        let value = one_line(&candidate.value);
        let line = match candidate.about.as_deref().map(one_line) {
            Some(about) if !about.is_empty() => writeln!(text, "{value}\t{about}"),
            _ => writeln!(text, "{value}"),
        };
        line.expect("a text takes all that is written to it");
    }
    format!("{text}:{}\n", answer.directive)
}

/// Names come from a cluster; what would end the line or move the cursor is left out.
fn one_line(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_with(words: &[&str]) -> Option<Vec<String>> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let rest = asked(&words)?;
        Some(
            rest.iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
        )
    }

    #[test]
    fn the_name_or_the_first_word_asks_for_candidates() {
        assert_eq!(
            asked_with(&["/bin/kubectl_complete-imageauto", "get", ""]),
            Some(vec!["get".into(), String::new()])
        );
        assert_eq!(
            asked_with(&["/plugins/flux-imageauto", "__complete", ""]),
            Some(vec![String::new()])
        );
        assert_eq!(
            asked_with(&["kubectl-imageauto", "get", "__complete"]),
            None
        );
    }

    #[test]
    fn scripts_name_the_program() {
        for shell in Shell::value_variants() {
            let script = script(*shell, Invocation::Flux);
            assert!(script.contains("flux-imageauto __complete"), "{script}");
            assert!(!script.contains("PROGRAM") && !script.contains("FUNCTION"));
        }
    }
}
