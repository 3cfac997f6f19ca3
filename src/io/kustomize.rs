//! Building kustomizations with the program that the user has: `kustomize`, or `kubectl kustomize`.
//!
//! It runs over a private copy of the files that are needed, which holds no links, and without a way to the network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::io::error_text;
use crate::io::observer::{Event, Observer};
use crate::io::program::{self, Limits, Output, Stopped};
use crate::io::temporary::TemporaryFolder;

/// The program that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kustomize {
    program: PathBuf,
    is_kubectl: bool,
    /// Its version of kustomize without `v`: `5.8.1`; empty where it doesn't tell.
    pub version: String,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// The kustomization can't be built; the tool's words, in which the copy is called `<source>`.
    Refused(String),
    /// It took too long, said too much, or could not be run.
    NotRun(String),
}

/// No build that is worth anything prints more.
const MOST_OUTPUT: usize = 64 << 20;

/// No build takes longer, whatever time there is.
const LONGEST: Duration = Duration::from_secs(120);

/// Looks for the program on `PATH` and asks for its version; `None`: there is none that can be run.
pub fn find(observer: &Observer) -> Option<Kustomize> {
    [("kustomize", false), ("kubectl", true)]
        .iter()
        .filter_map(|(name, is_kubectl)| Some((on_path(name)?, *is_kubectl)))
        .find_map(|(program, is_kubectl)| identified(program, is_kubectl, observer))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(&file))
        .find(|path| path.is_file())
}

fn identified(program: PathBuf, is_kubectl: bool, observer: &Observer) -> Option<Kustomize> {
    let arguments: &[&str] = if is_kubectl {
        &["version", "--client", "-o", "json"]
    } else {
        &["version"]
    };
    let mut command = Command::new(&program);
    command.args(arguments);
    keep_in(&mut command);
    let limits = Limits {
        deadline: Some(Instant::now() + Duration::from_secs(20)),
        output: 1 << 20,
    };
    let output = run(&mut command, limits, observer).ok()?;
    if !output.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = if is_kubectl {
        let told: Option<serde_json::Value> = serde_json::from_str(&text).ok();
        told.and_then(|told| told["kustomizeVersion"].as_str().map(str::to_owned))
            .unwrap_or_default()
    } else {
        text
    };
    Some(Kustomize {
        program,
        is_kubectl,
        version: version_in(&told).unwrap_or_default(),
    })
}

/// The first `1.2.3` of a text, with what hangs on it.
fn version_in(text: &str) -> Option<String> {
    text.split(|character: char| {
        !(character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '+'))
    })
    .map(|word| word.trim_start_matches('v'))
    .find(|word| {
        let mut parts = word.split('.');
        let number = |part: Option<&str>| {
            part.is_some_and(|part| part.starts_with(|first: char| first.is_ascii_digit()))
        };
        number(parts.next()) && number(parts.next()) && number(parts.next())
    })
    .map(str::to_owned)
}

/// Settings for the program that keep it to the files: no network, no git, nothing that changes what it prints.
fn keep_in(command: &mut Command) {
    // Nothing listens on this port, and no program may.
    let nowhere = "http://127.0.0.1:9";
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        command.env(name, nowhere);
    }
    for name in [
        "NO_PROXY",
        "no_proxy",
        "KUSTOMIZE_ENABLE_MANAGEDBY_LABEL",
        "KUSTOMIZE_PLUGIN_HOME",
    ] {
        command.env_remove(name);
    }
    command
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env(
            "KUBECONFIG",
            if cfg!(windows) { "NUL" } else { "/dev/null" },
        );
}

fn run(command: &mut Command, limits: Limits, observer: &Observer) -> Result<Output, Stopped> {
    let started = Instant::now();
    let ended = program::run(command, None, limits);
    observer.tell(Event::Program {
        command: told(command),
        outcome: match &ended {
            Ok(output) => match output.code {
                Some(code) => format!("exit status {code}"),
                None => "ended by a signal".into(),
            },
            Err(Stopped::NotStarted(error)) => error_text(error),
            Err(Stopped::TimedOut(_)) => "took too long".into(),
            Err(Stopped::TooMuch) => "said too much".into(),
        },
        took: started.elapsed(),
    });
    ended
}

fn told(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    let arguments = command.get_args();
    words.extend(arguments.map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

impl Kustomize {
    /// How it is called.
    pub fn name(&self) -> &'static str {
        if self.is_kubectl {
            "kubectl kustomize"
        } else {
            "kustomize"
        }
    }

    /// Builds `folder` of a copy that holds `files` (path from the top to bytes), within `limit`.
    ///
    /// # Errors
    ///
    /// The tool refuses, or could not be run to its end.
    pub fn build(
        &self,
        files: &BTreeMap<String, Vec<u8>>,
        folder: &str,
        limit: Duration,
        observer: &Observer,
    ) -> Result<String, BuildError> {
        let not_run = |why: String| BuildError::NotRun(format!("{}: {why}", self.name()));
        let copy = TemporaryFolder::create()
            .map_err(|error| not_run(format!("no folder for it: {}", error_text(&error))))?;
        // Its path without links: the tool's words have it.
        let top = std::fs::canonicalize(copy.path())
            .map_err(|error| not_run(error_text(&error)))?
            .join("source");
        write(&top, files).map_err(|error| not_run(format!("the copy: {error}")))?;
        let folder = top.join(folder);
        std::fs::create_dir_all(&folder).map_err(|error| not_run(error_text(&error)))?;
        let mut command = Command::new(&self.program);
        command
            .arg(if self.is_kubectl {
                "kustomize"
            } else {
                "build"
            })
            .arg("--load-restrictor=LoadRestrictionsNone")
            .arg(&folder)
            .current_dir(&top);
        keep_in(&mut command);
        let limit = limit.min(LONGEST);
        let limits = Limits {
            deadline: Some(Instant::now() + limit),
            output: MOST_OUTPUT,
        };
        match run(&mut command, limits, observer) {
            Ok(output) if output.success() => String::from_utf8(output.stdout)
                .map_err(|_| not_run("it printed something that is not UTF-8".into())),
            Ok(output) => Err(BuildError::Refused(refusal(&output.stderr, &top))),
            Err(Stopped::NotStarted(error)) => Err(not_run(error_text(&error))),
            Err(Stopped::TimedOut(_)) => Err(not_run(format!("took longer than {limit:.0?}"))),
            Err(Stopped::TooMuch) => Err(not_run(format!(
                "printed more than {} MiB",
                MOST_OUTPUT >> 20
            ))),
        }
    }
}

fn write(top: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
    std::fs::create_dir(top).map_err(|error| error_text(&error))?;
    for (path, bytes) in files {
        let parts: Vec<&str> = path.split('/').collect();
        // The paths are those of a tree, but nothing may ever be written beside the copy.
        if parts
            .iter()
            .any(|part| matches!(*part, "" | "." | "..") || part.contains(['\\', '\0']))
        {
            return Err(format!("{path:?} is no path of a file"));
        }
        let place = parts
            .iter()
            .fold(top.to_owned(), |folder, part| folder.join(part));
        let written = place
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&place, bytes));
        written.map_err(|error| format!("{path}: {}", error_text(&error)))?;
    }
    Ok(())
}

/// What the tool says, without the path of the copy and without its warnings.
fn refusal(stderr: &[u8], top: &Path) -> String {
    let text = String::from_utf8_lossy(stderr);
    let said: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("# Warning"))
        .collect();
    let said = said.join("\n");
    let said = said
        .strip_prefix("Error: ")
        .or_else(|| said.strip_prefix("error: "))
        .unwrap_or(&said);
    let said = said.replace(&top.display().to_string(), "<source>");
    said.chars().take(4000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_the_tools_say() {
        for (text, version) in [
            ("v5.8.1\n", Some("5.8.1")),
            (
                "{Version:kustomize/v4.5.7 GitCommit:56d82a8 BuildDate:2022-08-02T16:35:54Z}",
                Some("4.5.7"),
            ),
            (
                "5.0.4-0.20230601165947-6ce0bf390ce3",
                Some("5.0.4-0.20230601165947-6ce0bf390ce3"),
            ),
            ("(devel)", None),
        ] {
            assert_eq!(version_in(text).as_deref(), version, "{text}");
        }
    }

    #[test]
    fn nothing_is_written_beside_the_copy() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["../x", "a/../../x", "/x", "a//b"] {
            let files = BTreeMap::from([(path.to_owned(), Vec::new())]);
            let top = folder.path().join(format!("top{}", path.len()));
            assert!(write(&top, &files).is_err(), "{path}");
        }
    }

    #[test]
    fn the_tools_words_name_the_source() {
        let said = refusal(
            b"# Warning: 'bases' is deprecated\nError: accumulating resources: '/tmp/x/source/a' is gone\n",
            Path::new("/tmp/x/source"),
        );
        assert_eq!(said, "accumulating resources: '<source>/a' is gone");
    }
}
