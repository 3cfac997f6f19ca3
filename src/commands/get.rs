//! `get`: objects and their recorded state at a glance.

use clap::Args;

use crate::exit_code;
use crate::facts::cluster::Kind;
use crate::failure::Failure;
use crate::pipeline::request::{Named, NamespaceScope, ObjectRequest};
use crate::pipeline::stages::Survey;
use crate::pipeline::survey;
use crate::render::console::{Talk, Tone};
use crate::render::json_path::{self, FieldPath};
use crate::render::objects::{self, TableSettings};

use super::input::{GlobalArgs, OutputFormat};
use super::invocation::Invocation;
use super::selection;
use super::terminal::Terminal;

/// Show image repositories, policies and updates with their recorded state
///
/// Without arguments all three; TYPE is one of repositories, policies and updates, or the kinds' own names. Nothing but
/// the cluster (or the manifests of -f) is read.
///
/// Exit status: 0, also where objects are not ready; above that an error (2 usage, 3 cluster, 6 invalid input).
#[derive(Debug, Args)]
pub struct GetArgs {
    /// all, TYPE, TYPE NAME..., TYPE/NAME, or NAME
    #[arg(value_name = "TYPE|NAME")]
    objects: Vec<String>,
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
  {caller} get policy checkout -o yaml"
    )
}

/// Reads the objects and prints them.
pub fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: &GetArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let forms = [
        OutputFormat::Wide,
        OutputFormat::Json,
        OutputFormat::Yaml,
        OutputFormat::Name,
    ];
    global.fits("get", &forms)?;
    let sort_by = sort_field(global)?;
    let named = named(args)?;
    let ground = global.ground(*invocation)?;
    let session = global.session(&ground, terminal)?;
    let mut found = survey(&ground.objects, &named, &session)?;
    if let Some(field) = sort_by {
        sort(&mut found, &field);
    }
    talk(&ground.objects, &named, &found, terminal);
    let single = matches!(named.as_slice(), [Named::One(..)]);
    print(
        global,
        &ground.objects,
        &found,
        single,
        session.now,
        terminal,
    );
    let codes = found.failures.iter().map(Failure::exit_code);
    Ok(codes.max().unwrap_or(exit_code::FINE))
}

fn named(args: &GetArgs) -> Result<Vec<Named>, Failure> {
    let named = selection::parse(&args.objects)?;
    Ok(if named.is_empty() {
        Named::IMAGE_KINDS.map(Named::All).into()
    } else {
        named
    })
}

fn sort_field(global: &GlobalArgs) -> Result<Option<FieldPath>, Failure> {
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

fn print(
    global: &GlobalArgs,
    request: &ObjectRequest,
    survey: &Survey,
    single: bool,
    now: jiff::Timestamp,
    terminal: &mut Terminal,
) {
    let settings = TableSettings {
        namespaces: request.scope == NamespaceScope::All,
        wide: global.output == Some(OutputFormat::Wide),
        headers: !global.no_headers,
        labels: global.show_labels,
        now,
    };
    let bytes = match global.output {
        Some(OutputFormat::Json) => objects::json(survey, single),
        Some(OutputFormat::Yaml) => objects::yaml(survey, single),
        Some(OutputFormat::Name) => objects::names(survey),
        _ => objects::tables(survey, settings),
    };
    terminal.result(&bytes);
}
