//! `explain`: the whole chain from an image to the pods, with a verdict and its cause at every step.

use clap::{Args, ValueEnum};

use crate::controllers::flux::ImageRef;
use crate::exit_code;
use crate::failure::Failure;
use crate::pipeline::explain::{self, ExplainRequest, Explanation, Followed, Step, StepVerdict};
use crate::pipeline::request::{ObjectRequest, Request};
use crate::pipeline::session::Session;
use crate::render::console::{Talk, Tone};
use crate::render::explanation::{self, TextSettings};
use crate::render::json_v1_explain;

use super::contexts::{self, ContextsArgs};
use super::fail_on::FailOn;
use super::input::{GlobalArgs, OutputFormat};
use super::invocation::Invocation;
use super::selection;
use super::terminal::Terminal;

/// Explain why an image is updated or not: the whole chain from the registry to the pods, with a verdict at every step
///
/// WHAT is a policy, update or repository (TYPE/NAME, TYPE NAME, a type, or a bare name), a file or a line of it (FILE:LINE: the
/// chain of that marker), a workload (deploy/NAME: the markers behind its containers), or an image (IMAGE or IMAGE:TAG: every
/// policy on it); ./x is always a file. Without WHAT: everything of the namespace. Nothing is changed.
///
/// Exit status: 0 nothing is stuck, 1 something is stuck (see --fail-on) or the tag is not as expected, above that an error
/// (2 usage, 3 cluster, 4 registry, 5 git, 6 invalid input); the largest wins. With -f, 1 only where a policy has no choice or
/// more than one, or where an automation would fail.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// What is to be explained
    #[arg(value_name = "WHAT")]
    subjects: Vec<String>,

    #[command(flatten)]
    contexts: ContextsArgs,

    /// Why this tag, or why not; it need not exist yet
    #[arg(long, value_name = "TAG", help_heading = "Tags")]
    tag: Option<String>,

    /// Exit with 1 unless the tag is as expected, whatever else is stuck
    #[arg(
        long,
        value_enum,
        value_name = "VERDICT",
        requires = "tag",
        help_heading = "Tags"
    )]
    expect: Option<Expected>,

    /// A table of all tags with what became of each
    #[arg(long, conflicts_with = "tag", help_heading = "Tags")]
    all_tags: bool,

    /// Follow the policy's tag until it runs, telling each step as it is taken; --timeout ends it with 1
    #[arg(short = 'w', long, help_heading = "Output")]
    watch: bool,

    /// The least severity of what is stuck that gives exit status 1
    #[arg(
        long,
        value_enum,
        value_name = "SEVERITY",
        default_value = "warning",
        help_heading = "Output"
    )]
    fail_on: FailOn,
}

/// `--expect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Expected {
    /// It is the latest.
    Selected,
    /// It is the latest, or could be if the later ones went away.
    Eligible,
    /// Anything else.
    Ignored,
}

/// Examples for the help, in the caller's dialect.
pub fn examples(invocation: Invocation) -> String {
    let caller = invocation.caller();
    format!(
        "Examples:
  # why a policy's image does not arrive
  {caller} explain policy/checkout -n flux-system

  # why this line of a manifest is not updated
  {caller} why clusters/prod/checkout.yaml:17

  # why a Deployment still runs the old image
  {caller} why deploy/checkout -n shop

  # follow the policy's tag to the pods
  {caller} why policy/checkout -w --timeout 10m

  # why a tag is not the latest, and what each of the others is
  {caller} explain policy/checkout --tag 1.9.0-rc.1
  {caller} explain policy/checkout --all-tags

  # a gate for a pull request: the policy must choose this tag
  {caller} explain policy/checkout -f clusters/ -R --tags-from tags.json --tag 1.9.0 --expect selected"
    )
}

/// Explains and prints.
pub fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: ExplainArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    global.fits("explain")?;
    let subjects = selection::subjects(&args.subjects)?;
    let wanted = ExplainRequest {
        subjects,
        tag: args.tag.clone(),
        all_tags: args.all_tags,
        ladder: global.output.is_none() && !args.all_tags && terminal.shows_results(),
    };
    let inputs = contexts::inputs(global, &args.contexts.contexts)?;
    if args.watch && inputs.len() > 1 {
        return Err(Failure::usage(
            "-w follows a tag in one cluster: leave out --contexts",
        ));
    }
    let shared = &*terminal;
    let asked = contexts::side_by_side(&inputs, terminal, |input| {
        let global = &input.global;
        let mut ground = global.ground(*invocation)?;
        if args.watch {
            global.asks_more_than_a_snapshot("-w")?;
            check_watch(global, ground.connection.is_some())?;
            global.waits(&mut ground);
        }
        let request = request(ground.objects.clone(), global)?;
        let session = global.session(&ground, shared)?;
        let mut explanation = explain::explain(&request, &wanted, &session)?;
        let offline = session.context().is_none() && !global.filename.is_empty();
        explanation.context = input.name.clone().or(explanation.context);
        Ok(Explained {
            objects: request.objects,
            explanation,
            session,
            offline,
        })
    })?;
    let named = contexts::are_named(&inputs);
    for explained in &asked.answers {
        tell(explained, named, global, terminal);
    }
    if global.output == Some(OutputFormat::Json) {
        let all: Vec<Explanation> = asked
            .answers
            .iter()
            .map(|explained| explained.explanation.clone())
            .collect();
        terminal.result(&json_v1_explain::explain(&all));
    }
    if let ([explained], true) = (asked.answers.as_slice(), args.watch) {
        return watch(&explained.explanation, &args, &explained.session, terminal);
    }
    let codes = asked
        .answers
        .iter()
        .map(|explained| exit_code_of(&explained.explanation, &args, explained.offline));
    Ok(codes.fold(asked.code, u8::max))
}

/// What was made of one input.
struct Explained {
    objects: ObjectRequest,
    explanation: Explanation,
    session: Session,
    offline: bool,
}

/// Tells the chains of one input; as JSON they are told together.
fn tell(explained: &Explained, named: bool, global: &GlobalArgs, terminal: &mut Terminal) {
    let explanation = &explained.explanation;
    for note in &explanation.notes {
        terminal.say(&Talk::new(Tone::Note, note.clone()));
    }
    if global.output.is_none() {
        if let Some(context) = explanation.context.as_ref().filter(|_| named) {
            terminal.result(format!("# context {context}\n").as_bytes());
        }
        let settings = TextSettings {
            glyphs: terminal.glyphs(),
            color: terminal.colors_results(),
        };
        terminal.result(&explanation::text(explanation, settings));
    }
    for failure in &explanation.failures {
        terminal.failure(&failure.message);
    }
    say_nothing_matches(&explained.objects, explanation, terminal);
}

fn check_watch(global: &GlobalArgs, live: bool) -> Result<(), Failure> {
    if !live {
        return Err(Failure::usage(
            "-w follows a tag in the cluster: leave out -f",
        ));
    }
    if global.output.is_some() {
        return Err(Failure::usage(
            "-w tells what happens as text: leave out -o",
        ));
    }
    Ok(())
}

/// Follows the tag of the one policy that was explained.
fn watch(
    explanation: &Explanation,
    args: &ExplainArgs,
    session: &Session,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    if let [failure, ..] = explanation.failures.as_slice()
        && explanation.policies.is_empty()
    {
        return Ok(failure.exit_code());
    }
    let [chain] = explanation.policies.as_slice() else {
        return Err(Failure::usage(format!(
            "-w follows the tag of one policy, and these are {}: name one",
            explanation.policies.len()
        )));
    };
    let image = chain.repository.image.clone().unwrap_or_default();
    let latest = match (&args.tag, &chain.latest) {
        (Some(tag), _) => ImageRef {
            name: image,
            tag: tag.clone(),
            digest: String::new(),
        },
        (None, Some((latest, _))) => latest.clone(),
        (None, None) => {
            terminal.failure(&format!(
                "policy {} has no latest image to follow",
                chain.key
            ));
            return Ok(exit_code::DIFFERENCES);
        }
    };
    let following = format!("following {} to what runs it (Ctrl-C ends)", latest.tag);
    terminal.say(&Talk::new(Tone::Note, following));
    let settings = TextSettings {
        glyphs: terminal.glyphs(),
        color: terminal.colors_results(),
    };
    let mut tell = |step: &Step| {
        terminal.result(explanation::step(step, settings).as_bytes());
    };
    let followed = explain::follow(&chain.key, &latest, session, &mut tell)?;
    let (tone, text, code) = match followed {
        Followed::Arrived => (Tone::Success, "it runs", exit_code::FINE),
        Followed::Applied => (
            Tone::Success,
            "it is applied; nothing that is seen runs the image",
            exit_code::FINE,
        ),
        Followed::TimeUp => (
            Tone::Error,
            "the time is up, and it does not run everywhere yet",
            exit_code::DIFFERENCES,
        ),
    };
    terminal.say(&Talk::new(tone, format!("{}: {text}", latest.tag)));
    Ok(code)
}

fn request(objects: ObjectRequest, global: &GlobalArgs) -> Result<Request, Failure> {
    Ok(Request {
        objects,
        tags: global.tags()?,
        worktrees: global.worktrees()?,
        assumptions: global.assumptions()?,
        updates: Vec::new(),
        messages: true,
        losses: true,
        minimal: false,
        needs_files: false,
        forgives: false,
    })
}

fn say_nothing_matches(objects: &ObjectRequest, explanation: &Explanation, terminal: &Terminal) {
    let nothing = explanation.policies.is_empty()
        && explanation.automations.is_empty()
        && explanation.failures.is_empty();
    if nothing {
        let place = selection::place(&objects.scope);
        terminal.say(&Talk::new(
            Tone::Note,
            format!("no ImagePolicy or ImageUpdateAutomation {place}"),
        ));
    }
}

fn exit_code_of(explanation: &Explanation, args: &ExplainArgs, offline: bool) -> u8 {
    let failures = explanation.failures.iter().map(Failure::exit_code);
    let differs = match args.expect {
        Some(expected) => !is_as_expected(explanation, expected),
        None if offline => args.fail_on != FailOn::Never && fails_offline(explanation),
        None => is_stuck(explanation, args.fail_on),
    };
    let differs = if differs {
        exit_code::DIFFERENCES
    } else {
        exit_code::FINE
    };
    failures.fold(differs, u8::max)
}

fn is_as_expected(explanation: &Explanation, expected: Expected) -> bool {
    let all = explanation.policies.iter().all(|chain| {
        // A policy that fails before it looks at tags selects none of them.
        let selected = chain.tags.iter().any(|tag| tag.is_selected());
        let eligible = chain.tags.iter().any(|tag| tag.is_eligible());
        match expected {
            Expected::Selected => selected,
            Expected::Eligible => eligible,
            Expected::Ignored => !eligible,
        }
    });
    all && !explanation.policies.is_empty()
}

fn fails_offline(explanation: &Explanation) -> bool {
    let undecided = |chain: &explain::PolicyChain| chain.latest.is_none();
    explanation.policies.iter().any(undecided)
        || explanation
            .policies
            .iter()
            .map(|chain| &chain.steps)
            .chain(explanation.automations.iter().map(|chain| &chain.steps))
            .flatten()
            .any(Step::is_failing_automation)
}

fn is_stuck(explanation: &Explanation, fail_on: FailOn) -> bool {
    let steps = explanation
        .policies
        .iter()
        .map(|chain| &chain.steps)
        .chain(explanation.automations.iter().map(|chain| &chain.steps))
        .flatten();
    let mut stuck = steps.filter(|step| step.verdict == StepVerdict::Stuck);
    stuck.any(|step| {
        step.finding
            .is_none_or(|(_, severity)| fail_on.includes(severity))
    })
}
