//! Several inputs side by side: the contexts of a kubeconfig (`--contexts`), or manifests under names (`-f NAME=PATH`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::exit_code;
use crate::failure::{Failure, FailureKind};
use crate::go::regexp::Regexp;
use crate::pipeline::session::contexts;

use super::input::GlobalArgs;
use super::terminal::Terminal;

/// `--contexts`.
#[derive(Clone, Debug, Default, Args)]
pub struct ContextsArgs {
    /// Ask several clusters side by side: contexts of the kubeconfig by name or /REGEX/ (repeatable); with -f, give the inputs
    /// names instead: -f NAME=PATH
    #[arg(long, value_name = "NAME|/REGEX/", help_heading = "Input")]
    pub contexts: Vec<String>,
}

/// What came of asking every input.
pub struct Answers<T> {
    /// The answers, in the order of the inputs.
    pub answers: Vec<T>,
    /// The exit code for those that could not be asked.
    pub code: u8,
}

/// What every input answers, side by side, in their order.
pub fn each<T: Send>(
    inputs: &[NamedInput],
    ask: impl Fn(&NamedInput) -> Result<T, Failure> + Sync,
) -> Vec<Result<T, Failure>> {
    std::thread::scope(|scope| {
        let asking: Vec<_> = inputs
            .iter()
            .map(|input| scope.spawn(|| ask(input)))
            .collect();
        let answers = asking.into_iter().map(|one| {
            one.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        answers.collect()
    })
}

/// Asks every input, side by side. A cluster that can't be asked is told, and the others are shown.
///
/// # Errors
///
/// The only input fails, or one fails by something else than its cluster.
pub fn side_by_side<T: Send>(
    inputs: &[NamedInput],
    terminal: &Terminal,
    ask: impl Fn(&NamedInput) -> Result<T, Failure> + Sync,
) -> Result<Answers<T>, Failure> {
    let asked = each(inputs, ask);
    let mut all = Answers {
        answers: Vec::new(),
        code: exit_code::FINE,
    };
    for (input, asked) in inputs.iter().zip(asked) {
        match (asked, &input.name) {
            (Ok(answer), _) => all.answers.push(answer),
            (Err(failure), Some(name))
                if inputs.len() > 1 && failure.kind == FailureKind::Cluster =>
            {
                terminal.failure(&format!("context {name}: {failure}"));
                all.code = all.code.max(failure.exit_code());
            }
            (Err(failure), _) => return Err(failure),
        }
    }
    Ok(all)
}

/// Whether inputs have names, which are shown.
pub fn are_named(inputs: &[NamedInput]) -> bool {
    inputs.iter().any(|input| input.name.is_some())
}

/// One of several inputs.
#[derive(Clone, Debug)]
pub struct NamedInput {
    /// What it is called; none: it is the only one.
    pub name: Option<String>,
    /// The flags as if they were given for it alone.
    pub global: GlobalArgs,
}

/// The inputs that the flags mean, in the order of their names.
///
/// # Errors
///
/// A context isn't in the kubeconfig, a pattern is none, or named and nameless manifests are mixed.
pub fn inputs(global: &GlobalArgs, wanted: &[String]) -> Result<Vec<NamedInput>, Failure> {
    let named = named_manifests(&global.filename)?;
    if !wanted.is_empty() {
        if !global.filename.is_empty() {
            return Err(Failure::usage(
                "--contexts asks clusters, and -f none: leave one of them out",
            ));
        }
        if global.snapshot.is_some() {
            return Err(Failure::usage(
                "--contexts asks clusters, and --snapshot none: leave one of them out",
            ));
        }
        return of_contexts(global, wanted);
    }
    if named.is_empty() {
        return Ok(vec![NamedInput {
            name: None,
            global: global.clone(),
        }]);
    }
    Ok(named
        .into_iter()
        .map(|(name, filename)| NamedInput {
            name: Some(name),
            global: GlobalArgs {
                filename,
                ..global.clone()
            },
        })
        .collect())
}

fn of_contexts(global: &GlobalArgs, wanted: &[String]) -> Result<Vec<NamedInput>, Failure> {
    let known = contexts(&global.connection.settings()?)?;
    let mut names: Vec<String> = Vec::new();
    for text in wanted {
        let pattern = text
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix('/'));
        let found: Vec<&String> = match pattern {
            Some(pattern) => {
                let pattern = Regexp::compile(pattern).map_err(|error| {
                    Failure::usage(format!("--contexts {text}: is no pattern: {error}"))
                })?;
                let matches = |name: &&String| pattern.is_match(name).unwrap_or(false);
                known.iter().filter(matches).collect()
            }
            None => known.iter().filter(|name| *name == text).collect(),
        };
        if found.is_empty() {
            let there = match known[..] {
                [] => "it has none".to_owned(),
                _ => format!("it has {}", known.join(", ")),
            };
            return Err(Failure::usage(format!(
                "--contexts {text}: the kubeconfig has no such context; {there}"
            )));
        }
        names.extend(found.into_iter().cloned());
    }
    names.sort();
    names.dedup();
    Ok(names
        .into_iter()
        .map(|name| NamedInput {
            global: GlobalArgs {
                connection: global.connection.in_context(&name),
                ..global.clone()
            },
            name: Some(name),
        })
        .collect())
}

/// `NAME=PATH` by name; a path that exists as it is written has no name.
fn named_manifests(paths: &[PathBuf]) -> Result<BTreeMap<String, Vec<PathBuf>>, Failure> {
    let mut named: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        if let Some((name, rest)) = name_of(path) {
            named.entry(name).or_default().push(rest);
        }
    }
    let all: usize = named.values().map(Vec::len).sum();
    if all > 0 && all < paths.len() {
        return Err(Failure::usage(
            "-f: give all inputs a name (-f NAME=PATH), or none",
        ));
    }
    Ok(named)
}

fn name_of(path: &Path) -> Option<(String, PathBuf)> {
    if path.exists() {
        return None;
    }
    let (name, rest) = path.to_str()?.split_once('=')?;
    let plain = !name.is_empty()
        && name
            .chars()
            .all(|character| character.is_alphanumeric() || "-_.@:".contains(character));
    plain.then(|| (name.to_owned(), PathBuf::from(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_have_names_or_none_has() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let named = named_manifests(&paths(&["a=x", "b=y", "a=z"])).unwrap();
        assert_eq!(named["a"], paths(&["x", "z"]));
        assert_eq!(named["b"], paths(&["y"]));
        assert!(named_manifests(&paths(&["x", "y"])).unwrap().is_empty());
        assert!(named_manifests(&paths(&["a=x", "y"])).is_err());
        // A folder's name is no name of an input.
        assert!(named_manifests(&paths(&["a/b=c"])).unwrap().is_empty());
    }
}
