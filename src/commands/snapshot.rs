//! `snapshot`: everything that the other commands ask for, in a folder that can be handed on.

use std::path::PathBuf;

use clap::Args;

use crate::exit_code;
use crate::failure::Failure;
use crate::pipeline::request::{NamespaceScope, Request};
use crate::pipeline::snapshot::{self, SnapshotRequest, SnapshotTaken};
use crate::render::console::{Talk, Tone};

use super::input::GlobalArgs;
use super::invocation::Invocation;
use super::terminal::Terminal;

/// Record objects, tags and files without anything secret, for an issue or a look at it later
///
/// Asks the cluster, the registries and the git servers for what doctor, explain, diff, get and tags would ask for, in every
/// namespace that may be listed (-n: one), and writes to DIR: the objects without the data of Secrets, the tags, the files with
/// markers, and the versions. --snapshot DIR lets the other commands answer from it, at the moment when it was taken, with no
/// cluster, registry or git server.
///
/// What Secrets hold, what stands in URLs, headers and private keys, and what looks like a credential is taken out of messages and files
/// too. Look through DIR all the same before you hand it on: a password under a harmless name looks like any other word.
///
/// DIR is made, or is empty, or holds a snapshot, which is replaced.
///
/// Exit status: 0 written, above that an error (2 usage, 3 cluster, 7 DIR holds something else or can't be written). What only part of it
/// could be asked for is in the snapshot as it was answered.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// The folder of the snapshot
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Give hosts and names pseudonyms, the same in all objects, messages, tags, paths and files, so that the same decisions follow;
    /// words of Kubernetes, Flux and their messages stay, and so do numbers
    #[arg(long, help_heading = "Output")]
    redact: bool,
}

/// Examples for the help, in the caller's dialect.
pub fn examples(invocation: Invocation) -> String {
    let caller = invocation.caller();
    format!(
        "Examples:
  # all that may be seen, for later
  {caller} snapshot /tmp/monday

  # the same questions, answered as they were then
  {caller} doctor --snapshot /tmp/monday
  {caller} why policy/checkout --snapshot /tmp/monday

  # for an issue: one namespace, with pseudonyms
  {caller} snapshot report -n flux-system --redact && tar czf report.tar.gz report"
    )
}

/// Takes the snapshot.
pub fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: &SnapshotArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    global.fits("snapshot")?;
    global.decides_nothing("snapshot")?;
    if !global.filename.is_empty() {
        return Err(Failure::usage(
            "-f does not fit snapshot: it records what a cluster has, and manifests are on disk already",
        ));
    }
    if args.folder.as_os_str().is_empty() {
        return Err(Failure::usage("the name of DIR is empty"));
    }
    snapshot::check_target(&args.folder)?;
    let mut ground = global.ground(*invocation)?;
    if global.namespace.is_none() {
        ground.objects.scope = NamespaceScope::All;
    }
    let request = SnapshotRequest {
        run: Request::of_everything(ground.objects.clone()),
        redact: args.redact,
        client: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let shared = &*terminal;
    let taken = snapshot::take(&request, &args.folder, &|replay, recorder| {
        global.recording_session(&ground, shared, replay, recorder)
    })?;
    report(&taken, args, invocation, terminal);
    Ok(exit_code::FINE)
}

fn report(
    taken: &SnapshotTaken,
    args: &SnapshotArgs,
    invocation: &Invocation,
    terminal: &mut Terminal,
) {
    for note in &taken.notes {
        terminal.say(&Talk::new(Tone::Note, note.clone()));
    }
    for left_out in &taken.left_out {
        terminal.say(&Talk::new(Tone::Warning, format!("left out: {left_out}")));
    }
    let folder = args.folder.display();
    let counted = |number: usize, one: &str, several: &str| {
        format!("{number} {}", if number == 1 { one } else { several })
    };
    let (tags, repositories) = taken.tags;
    let summary = format!(
        "{folder}: {}, {} of {}, {}{}",
        counted(taken.objects, "object", "objects"),
        counted(tags, "tag", "tags"),
        counted(repositories, "repository", "repositories"),
        counted(taken.files, "file with markers", "files with markers"),
        if args.redact { ", with pseudonyms" } else { "" }
    );
    terminal.say(&Talk::new(Tone::Success, summary));
    terminal.hint(&format!(
        "{} doctor --snapshot {folder}",
        invocation.caller()
    ));
}
