//! `get`: objects and their recorded state at a glance.

use clap::Args;

use crate::exit_code;
use crate::facts::cluster::Kind;
use crate::failure::Failure;
use crate::pipeline::request::{Named, NamespaceScope, ObjectRequest};
use crate::pipeline::session::Session;
use crate::pipeline::stages::Survey;
use crate::pipeline::survey;
use crate::pipeline::watch::{self, News};
use crate::render::console::{Talk, Tone};
use crate::render::json_path::{self, FieldPath};
use crate::render::objects::{self, TableSettings, WatchedTable};

use super::contexts::{self, ContextsArgs, NamedInput};
use super::get_standing;
use super::input::{GlobalArgs, OutputFormat};
use super::invocation::Invocation;
use super::selection;
use super::terminal::Terminal;

/// Show image repositories, policies and updates with their recorded state
///
/// Without arguments all three; TYPE is one of repositories, policies and updates, or the kinds' own names. Nothing but
/// the cluster (or the manifests of -f) is read.
///
/// TYPE markers shows what every marker in git holds, what its policy chooses, and what runs; TYPE images what every policy chooses,
/// and what its range keeps out. Registries and git are asked for them as diff does; NAME is then an ImagePolicy's, and -l is about
/// ImagePolicies.
///
/// Exit status: 0, also where objects are not ready; above that an error (2 usage, 3 cluster, 4 registry, 5 git, 6 invalid input).
#[derive(Debug, Args)]
pub struct GetArgs {
    /// all, TYPE, TYPE NAME..., TYPE/NAME, or NAME; markers or images, with the names of policies
    #[arg(value_name = "TYPE|NAME")]
    objects: Vec<String>,

    /// Only markers that don't hold what their policy chooses; only images of which git holds something else, or of which there is
    /// a newer version outside the range
    #[arg(long, help_heading = "Output")]
    pub(super) outdated: bool,

    /// After the list, a row for every change, until it is interrupted (or --timeout ends); one type, or TYPE NAME
    #[arg(
        short = 'w',
        long,
        conflicts_with = "outdated",
        help_heading = "Output"
    )]
    watch: bool,

    #[command(flatten)]
    pub(super) contexts: ContextsArgs,
}

/// Examples for the help, in the caller's dialect.
pub fn examples(invocation: Invocation) -> String {
    let caller = invocation.caller();
    format!(
        "Examples:
  # all of a namespace
  {caller} get -n flux-system

  # the policies of all namespaces with their digests and ranges
  {caller} get policies -A -o wide

  # the repositories with the most tags last
  {caller} get repositories --sort-by .status.lastScanResult.tagCount

  # one policy as the cluster has it
  {caller} get policy checkout -o yaml

  # the policies, and every change of them from now on
  {caller} get policies -w

  # what stands in git, what is the latest, and what runs
  {caller} get markers -A

  # what the ranges of the policies keep out
  {caller} get images --outdated"
    )
}

/// Reads the objects and prints them.
pub fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: &GetArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    global.fits("get")?;
    if let Some(standing) = get_standing::subject(&args.objects) {
        if args.watch {
            return Err(Failure::usage(
                "-w does not fit get markers and get images: it watches objects",
            ));
        }
        return get_standing::run(invocation, global, args, standing, terminal);
    }
    if args.outdated {
        return Err(Failure::usage(
            "--outdated is about markers and images: get markers --outdated",
        ));
    }
    let sort_by = sort_field(global)?;
    let named = named(args)?;
    let inputs = contexts::inputs(global, &args.contexts.contexts)?;
    if args.watch {
        global.asks_more_than_a_snapshot("-w")?;
        let [NamedInput { global, .. }] = inputs.as_slice() else {
            return Err(Failure::usage(
                "-w watches one cluster: leave out --contexts",
            ));
        };
        let mut ground = global.ground(*invocation)?;
        global.waits(&mut ground);
        let session = global.session(&ground, terminal)?;
        return run_watch(global, &ground.objects, &named, &session, terminal);
    }
    let shared = &*terminal;
    let asked = contexts::side_by_side(&inputs, terminal, |input| {
        let ground = input.global.ground(*invocation)?;
        let session = input.global.session(&ground, shared)?;
        let mut found = survey(&ground.objects, &named, &session)?;
        if let Some(field) = &sort_by {
            sort(&mut found, field);
        }
        found.context = input.name.clone().or(found.context);
        Ok(((ground.objects, ground.now), found))
    })?;
    let (requests, surveys): (Vec<_>, Vec<_>) = asked.answers.into_iter().unzip();
    for ((request, _), found) in requests.iter().zip(&surveys) {
        talk(request, &named, found, terminal);
    }
    let named_inputs = contexts::are_named(&inputs);
    if let Some((request, now)) = requests.first() {
        let settings = TableSettings {
            contexts: named_inputs,
            ..settings(global, request, *now)
        };
        let single = matches!(named.as_slice(), [Named::One(..)]) && inputs.len() == 1;
        print(global, &surveys, single, settings, terminal);
    }
    let failures = surveys.iter().flat_map(|found| &found.failures);
    Ok(failures.map(Failure::exit_code).fold(asked.code, u8::max))
}

/// `-w`: the list, and then what happens.
fn run_watch(
    global: &GlobalArgs,
    request: &ObjectRequest,
    named: &[Named],
    session: &Session,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    if global.sort_by.is_some() {
        terminal.say(&Talk::new(
            Tone::Warning,
            "--sort-by sorts no rows that come one after the other: it is ignored with -w",
        ));
    }
    let only = watch::single(named)?;
    let mut table = WatchedTable::default();
    let mut begun = false;
    let mut tell = |news: News| {
        match news {
            News::Objects(survey) => {
                if survey.objects.is_empty() && !begun {
                    let nothing = nothing_there(request, named, &survey);
                    terminal.say(&Talk::new(Tone::Note, format!("{nothing} yet")));
                }
                begun = true;
                for note in &survey.notes {
                    terminal.say(&Talk::new(Tone::Note, note.clone()));
                }
                let settings = settings(global, request, session.moment());
                let bytes = match global.output {
                    Some(OutputFormat::Json) => objects::documents(&survey, false),
                    Some(OutputFormat::Yaml) => objects::documents(&survey, true),
                    Some(OutputFormat::Name) => objects::names(std::slice::from_ref(&survey)),
                    _ => table.rows(&survey, settings),
                };
                terminal.result(&bytes);
            }
            News::CutOff(why) => terminal.say(&Talk::new(
                Tone::Warning,
                format!("the watch was cut off, and is tried again: {why}"),
            )),
            News::Back => terminal.say(&Talk::new(Tone::Success, "the watch goes on")),
        }
        !terminal.is_closed()
    };
    watch::watch(request, only, session, &mut tell)?;
    Ok(exit_code::FINE)
}

fn named(args: &GetArgs) -> Result<Vec<Named>, Failure> {
    let named = selection::parse(&args.objects)?;
    Ok(if named.is_empty() {
        Named::IMAGE_KINDS.map(Named::All).into()
    } else {
        named
    })
}

pub(super) fn sort_field(global: &GlobalArgs) -> Result<Option<FieldPath>, Failure> {
    let Some(text) = &global.sort_by else {
        return Ok(None);
    };
    FieldPath::parse(text).map(Some).map_err(|why| {
        Failure::usage(format!(
            "--sort-by {text}: {why}: name a field, such as .metadata.name"
        ))
    })
}

fn sort(survey: &mut Survey, field: &FieldPath) {
    // Kinds stay together: each has a table of its own.
    survey.objects.sort_by(|one, other| {
        let find = |object| field.find(object);
        one.kind
            .cmp(&other.kind)
            .then_with(|| json_path::order(find(&one.object), find(&other.object)))
    });
}

fn talk(request: &ObjectRequest, named: &[Named], survey: &Survey, terminal: &Terminal) {
    for note in &survey.notes {
        terminal.say(&Talk::new(Tone::Note, note.clone()));
    }
    for failure in &survey.failures {
        terminal.failure(&failure.message);
    }
    if survey.objects.is_empty() && survey.failures.is_empty() {
        terminal.say(&Talk::new(
            Tone::Note,
            nothing_there(request, named, survey),
        ));
    }
}

/// What is said when nothing matches, with the namespaces that have such objects.
fn nothing_there(request: &ObjectRequest, named: &[Named], survey: &Survey) -> String {
    let kinds: Vec<&str> = Named::IMAGE_KINDS
        .into_iter()
        .filter(|kind| named.iter().any(|name| name.means_kind(*kind)))
        .map(Kind::name)
        .collect();
    let place = match &request.scope {
        NamespaceScope::One(namespace) => format!("in namespace {namespace}"),
        NamespaceScope::All => "in any namespace".into(),
    };
    let elsewhere = match survey.namespaces_elsewhere.as_slice() {
        [] => String::new(),
        namespaces => format!("; there are some in {}", namespaces.join(", ")),
    };
    format!("no {} {place}{elsewhere}", kinds.join(", "))
}

fn settings(global: &GlobalArgs, request: &ObjectRequest, now: jiff::Timestamp) -> TableSettings {
    TableSettings {
        contexts: false,
        namespaces: request.scope == NamespaceScope::All,
        wide: global.output == Some(OutputFormat::Wide),
        headers: !global.no_headers,
        labels: global.show_labels,
        now,
    }
}

fn print(
    global: &GlobalArgs,
    surveys: &[Survey],
    single: bool,
    settings: TableSettings,
    terminal: &mut Terminal,
) {
    let bytes = match global.output {
        Some(OutputFormat::Json) => objects::json(surveys, single, settings.contexts),
        Some(OutputFormat::Yaml) => objects::yaml(surveys, single, settings.contexts),
        Some(OutputFormat::Name) => objects::names(surveys),
        _ => objects::tables(surveys, settings),
    };
    terminal.result(&bytes);
}
