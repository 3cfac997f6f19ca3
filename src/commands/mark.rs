//! `mark`: markers for images that policies track.

use std::path::PathBuf;

use clap::Args;

use crate::controllers::setters::images::CustomField;
use crate::exit_code;
use crate::failure::{Failure, FailureKind};
use crate::pipeline::load;
use crate::pipeline::mark::{MarkRequest, Marked, mark};
use crate::pipeline::request::Request;
use crate::render::console::{Talk, Tone};
use crate::render::unified_diff::{FilePair, patch};

use super::diff::{talk_about_inputs, update_names};
use super::input::GlobalArgs;
use super::invocation::Invocation;
use super::terminal::Terminal;

/// Put the missing markers behind images that a policy tracks
///
/// Looks for images in Pods and all built-in workloads (CronJobs too), in `spec.values` of HelmReleases (`image`, or `image.repository` and
/// `image.tag`), in `images` of kustomizations, and in fields named by --field; compares them with `spec.image` of the ImageRepositories;
/// and puts `# {"$imagepolicy": "NAMESPACE:POLICY"}` behind the values. Nothing else in the files changes. Policies come from the
/// cluster, or from -f. Without PATH: the current folder. Files that git ignores are left out.
///
/// Exit status: 0 done or nothing to do, 2 usage, 3 cluster, 6 invalid input.
#[derive(Debug, Args)]
pub struct MarkArgs {
    /// Files and folders
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// A field of another kind that holds an image: KIND=spec.items[*].image (repeatable)
    #[arg(long = "field", value_name = "KIND=FIELD", help_heading = "Marking")]
    fields: Vec<String>,

    /// Change nothing; show what would change as a unified diff
    #[arg(long, help_heading = "Marking")]
    dry_run: bool,
}

/// Examples for the help, in the caller's dialect.
pub fn examples(invocation: Invocation) -> String {
    let caller = invocation.caller();
    format!(
        "Examples:
  # what would be marked, with the policies of the cluster
  {caller} mark -n flux-system --dry-run clusters/

  # with policies on disk
  {caller} mark -f clusters/ -R apps/

  # images of a custom kind
  {caller} mark --field 'Rollout=spec.template.spec.containers[*].image' apps/"
    )
}

/// Marks.
pub fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: MarkArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    global.fits("mark")?;
    let fields = args
        .fields
        .iter()
        .map(|text| {
            CustomField::parse(text).ok_or_else(|| {
                Failure::usage(format!(
                    "--field {text}: is not KIND=FIELD, such as Rollout=spec.template.spec.containers[*].image"
                ))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let ground = global.ground(*invocation)?;
    let request = Request {
        objects: ground.objects.clone(),
        tags: global.tags()?,
        worktrees: Vec::new(),
        assumptions: Vec::new(),
        updates: update_names("mark", &[])?,
        needs_files: false,
        forgives: false,
        messages: false,
        losses: false,
        minimal: false,
    };
    let session = global.session(&ground, terminal)?;
    let inputs = load(&request, &session)?;
    talk_about_inputs(&inputs, terminal);
    let wanted = MarkRequest {
        paths: if args.paths.is_empty() {
            vec![PathBuf::from(".")]
        } else {
            args.paths
        },
        fields,
        check: args.dry_run,
    };
    let done = mark(&wanted, &request.objects.scope, &inputs)?;
    print(global, wanted.check, &done, terminal);
    let nothing_known = inputs.objects.policies.is_empty();
    if nothing_known {
        terminal.say(&Talk::new(
            Tone::Note,
            "there is no ImagePolicy here: name their manifests with -f, or their namespace with -n".to_owned(),
        ));
    }
    Ok(if inputs.problems.is_empty() {
        exit_code::FINE
    } else {
        FailureKind::InvalidInput.exit_code()
    })
}

fn print(global: &GlobalArgs, dry_run: bool, done: &Marked, terminal: &mut Terminal) {
    for file in &done.files {
        if dry_run && global.output.is_none() {
            let pair = FilePair {
                path: &file.path,
                old: Some(&file.old),
                new: &file.new,
            };
            terminal.result(&patch(pair, 3));
        } else {
            terminal.result(format!("{}\n", file.path).as_bytes());
        }
    }
    for (path, line, why) in &done.left {
        terminal.say(&Talk::new(
            Tone::Warning,
            format!("{path}:{line}: no marker: {why}"),
        ));
    }
    let inserted: usize = done.files.iter().map(|file| file.inserted).sum();
    let count =
        |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let verb = if dry_run {
        "would come into"
    } else {
        "put into"
    };
    terminal.say(&Talk::new(
        Tone::Success,
        format!(
            "{} {verb} {}; {} marked before, {} that no policy tracks",
            count(inserted, "marker"),
            count(done.files.len(), "file"),
            count(done.marked_before, "image"),
            count(done.untracked, "image"),
        ),
    ));
}
