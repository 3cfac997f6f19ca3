//! Names that the kubeconfig, the cluster or the manifests know, within a moment: whoever types does not wait.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::FromArgMatches;

use crate::facts::cluster::Kind;
use crate::failure::Failure;
use crate::pipeline::request::{Named, NamespaceScope};
use crate::pipeline::session::contexts;
use crate::pipeline::survey;

use super::super::input::GlobalArgs;
use super::super::invocation::Invocation;
use super::super::terminal::Terminal;
use super::super::{Cli, command, selection};
use super::candidates::{Candidate, Names, NamesOf};

/// How long a shell is kept waiting.
const MOMENT: Duration = Duration::from_secs(2);

/// The names; none where they can't be had in time, for there is nobody to tell why.
pub(super) fn names(wanted: &Names, invocation: Invocation) -> Vec<Candidate> {
    let (sender, receiver) = mpsc::channel();
    let wanted = wanted.clone();
    // A login program that hangs is left behind: the process ends with the answer.
    thread::spawn(move || {
        // Nobody listens any more when the time is up.
        drop(sender.send(find(&wanted, invocation).unwrap_or_default()));
    });
    receiver.recv_timeout(MOMENT).unwrap_or_default()
}

/// The kind that a word of the command line means.
pub(super) fn kind_of(word: &str) -> Option<Kind> {
    selection::kind_of(word).or_else(|| selection::workload_kind(word))
}

fn find(wanted: &Names, invocation: Invocation) -> Result<Vec<Candidate>, Failure> {
    let mut global = flags(&wanted.flags, invocation)?;
    global.quiet = true;
    global.timeout = Some(format!("{}s", MOMENT.as_secs()));
    let candidates = |names: BTreeSet<String>| {
        let names = names.into_iter();
        names.map(|name| Candidate::new(name, "")).collect()
    };
    match &wanted.of {
        NamesOf::Contexts => {
            let known = contexts(&global.connection.settings()?)?;
            Ok(candidates(known.into_iter().collect()))
        }
        NamesOf::Namespaces => {
            global.all_namespaces = true;
            global.namespace = None;
            let found = if global.filename.is_empty() {
                let found = objects(&global, invocation, &[Kind::Namespace])?;
                found.into_iter().map(|(_, _, name)| name).collect()
            } else {
                let found = objects(&global, invocation, &Named::IMAGE_KINDS)?;
                found
                    .into_iter()
                    .map(|(_, namespace, _)| namespace)
                    .collect()
            };
            Ok(candidates(found))
        }
        NamesOf::Objects { word, before } => {
            let Some(kind) = kind_of(word) else {
                return Ok(Vec::new());
            };
            let found = objects(&global, invocation, &[kind])?;
            let names = found
                .into_iter()
                .map(|(_, _, name)| format!("{before}{name}"));
            Ok(candidates(names.collect()))
        }
        NamesOf::ImageObjects => {
            let found = objects(&global, invocation, &Named::IMAGE_KINDS)?;
            let mut seen = BTreeSet::new();
            let first = found
                .into_iter()
                .filter(|(_, _, name)| seen.insert(name.clone()));
            Ok(first
                .map(|(kind, _, name)| Candidate::new(name, kind.name()))
                .collect())
        }
    }
}

/// The flags that all commands share, as they stand before the cursor.
fn flags(words: &[String], invocation: Invocation) -> Result<GlobalArgs, Failure> {
    let line = std::iter::once(invocation.program_name().to_owned()).chain(words.iter().cloned());
    let parsed = command(&invocation)
        .try_get_matches_from(line)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    parsed
        .map(|cli| cli.global)
        .map_err(|error| Failure::usage(error.to_string()))
}

/// Kind, namespace and name of all objects in scope.
fn objects(
    global: &GlobalArgs,
    invocation: Invocation,
    kinds: &[Kind],
) -> Result<Vec<(Kind, String, String)>, Failure> {
    let terminal = Terminal::new(global);
    let mut ground = global.ground(invocation)?;
    if kinds == [Kind::Namespace] {
        ground.objects.scope = NamespaceScope::All;
    }
    // Standard input belongs to the shell.
    if global.filename.iter().any(|path| path.as_os_str() == "-") {
        return Ok(Vec::new());
    }
    let session = global.session(&ground, &terminal)?;
    let named: Vec<Named> = kinds.iter().copied().map(Named::All).collect();
    let found = survey(&ground.objects, &named, &session)?;
    let objects = found.objects.into_iter();
    Ok(objects
        .map(|one| (one.kind, one.key.namespace, one.key.name))
        .collect())
}
