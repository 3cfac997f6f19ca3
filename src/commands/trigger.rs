//! `trigger`: have the controllers do it, and compare.

use clap::Args;

use crate::exit_code;
use crate::facts::cluster::Kind;
use crate::failure::Failure;
use crate::pipeline::request::{Request, TagSource};
use crate::pipeline::trigger::{self, Expectation, Turn, Verdict};
use crate::render::console::{Talk, Tone};
use crate::render::{json_v1_trigger, trigger_report};

use super::diff::{talk_about, talk_about_inputs};
use super::input::{GlobalArgs, OutputFormat};
use super::invocation::Invocation;
use super::selection;
use super::terminal::Terminal;

/// Have the controllers do it: ask repositories, policies and automations in this order, wait, and compare with a prediction
///
/// Predicts first, as `diff` does. Then each object is annotated (reconcile.fluxcd.io/requestedAt), repositories before policies before
/// automations, and what its controller did is compared with the prediction, field by field: tags, the latest image, and of the commit
/// branch, parent, author, message and files. An automation brings its policies along, a policy its repository. Suspended objects are
/// left alone, and said so.
///
/// Exit status: 0 as predicted, 1 not, above that an error (2 usage, 3 cluster, 4 registry, 5 git); the largest wins.
#[derive(Debug, Args)]
pub struct TriggerArgs {
    /// Objects, as TYPE/NAME, TYPE NAME or NAME [default: the automations of the namespace]
    #[arg(value_name = "TYPE/NAME")]
    names: Vec<String>,
}

/// Examples for the help, in the caller's dialect.
pub fn examples(invocation: Invocation) -> String {
    let caller = invocation.caller();
    format!(
        "Examples:
  # scan, choose and push now, and say whether all went as predicted
  {caller} trigger update/flux-images

  # only the repository and the policy
  {caller} trigger policy/checkout --timeout 1m"
    )
}

/// Asks the controllers, wave by wave.
pub fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: &TriggerArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    global.fits("trigger")?;
    refuse_inputs(global)?;
    let named = selection::parse(&args.names)?;
    let ground = global.ground(*invocation)?;
    let request = Request {
        objects: ground.objects.clone(),
        tags: TagSource::Registry,
        worktrees: Vec::new(),
        assumptions: Vec::new(),
        updates: Vec::new(),
        needs_files: true,
        forgives: false,
        messages: true,
        losses: true,
        minimal: false,
    };
    let session = global.session(&ground, terminal)?;
    let expectation = trigger::expect(&request, &named, &session)?;
    talk_about_inputs(&expectation.inputs, terminal);
    talk_about(&expectation.notes, terminal);
    say_if_nothing(&expectation, terminal);
    let mut turns: Vec<Turn> = Vec::new();
    let mut stopped = false;
    let shows = global.output.is_none();
    for kind in [
        Kind::ImageRepository,
        Kind::ImagePolicy,
        Kind::ImageUpdateAutomation,
    ] {
        let keys = keys(&expectation, kind);
        if keys.is_empty() {
            continue;
        }
        let done = if stopped {
            trigger::not_asked(kind, keys)
        } else {
            for key in &keys {
                let name = trigger_report::name(kind, key);
                terminal.say(&Talk::new(Tone::Action, format!("asking {name}")));
            }
            match kind {
                Kind::ImageRepository => expectation.scan(&session)?,
                Kind::ImagePolicy => expectation.choose(&session)?,
                _ => expectation.run(&session)?,
            }
        };
        for turn in &done {
            if shows {
                for line in trigger_report::lines(turn) {
                    terminal.result_line(&line);
                }
            }
            for talk in trigger_report::remarks(turn) {
                terminal.say(&talk);
            }
        }
        stopped |= done.iter().any(|turn| turn.verdict == Verdict::TimedOut);
        turns.extend(done);
    }
    if global.output == Some(OutputFormat::Json) {
        terminal.result(&json_v1_trigger::trigger(&turns, session.context()));
    }
    Ok(code(&expectation, &turns))
}

/// What is asked of the controllers comes from the cluster and nowhere else.
fn refuse_inputs(global: &GlobalArgs) -> Result<(), Failure> {
    let given = [
        (!global.filename.is_empty(), "-f"),
        (global.tags_from.is_some(), "--tags-from"),
        (!global.worktree.is_empty(), "--worktree"),
        (!global.assume.is_empty(), "--assume"),
    ];
    match given.iter().find(|(given, _)| *given) {
        Some((_, flag)) => Err(Failure::usage(format!(
            "{flag} does not fit trigger: the controllers work on the cluster's objects, the registries and the git servers"
        ))),
        None => Ok(()),
    }
}

fn keys(expectation: &Expectation, kind: Kind) -> Vec<crate::controllers::flux::ObjectKey> {
    match kind {
        Kind::ImageRepository => expectation.repositories.clone(),
        Kind::ImagePolicy => expectation.policies.clone(),
        _ => {
            let previews = expectation.previews.iter();
            previews.map(|preview| preview.key.clone()).collect()
        }
    }
}

fn say_if_nothing(expectation: &Expectation, terminal: &Terminal) {
    let kinds = [
        Kind::ImageRepository,
        Kind::ImagePolicy,
        Kind::ImageUpdateAutomation,
    ];
    if kinds
        .into_iter()
        .all(|kind| keys(expectation, kind).is_empty())
    {
        terminal.say(&Talk::new(
            Tone::Note,
            "there is nothing of that to ask for: name objects as TYPE/NAME, or a namespace with -n",
        ));
    }
}

fn code(expectation: &Expectation, turns: &[Turn]) -> u8 {
    let of = |turn: &Turn| {
        let verdict = if turn.verdict == Verdict::AsPredicted {
            exit_code::FINE
        } else {
            exit_code::DIFFERENCES
        };
        turn.failure
            .as_ref()
            .map_or(verdict, |failure| failure.exit_code().max(verdict))
    };
    let unknown = expectation.previews.iter();
    let unknown = unknown.filter_map(|preview| preview.unknown.as_ref());
    let unknown = unknown.map(Failure::exit_code);
    turns
        .iter()
        .map(of)
        .chain(unknown)
        .fold(exit_code::FINE, u8::max)
}
