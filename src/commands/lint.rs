//! `lint`: what is or will be wrong in files alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use crate::failure::Failure;
use crate::findings::{Finding, Subject};
use crate::go::regexp::Regexp;
use crate::io::local_file;
use crate::pipeline::diagnose::{LintRequest, lint};
use crate::pipeline::request::{NamespaceScope, Request, TagSource};

use super::doctor::report;
use super::fail_on::FailOn;
use super::input::GlobalArgs;
use super::invocation::Invocation;
use super::terminal::Terminal;

/// Find what is or will be wrong in files alone: markers, policies, templates, API versions, reformatting
///
/// PATH is a file or a folder of a work tree, read with all that is below it. No cluster, registry or git server is asked. A comment
/// # imageauto-ignore: ID on the line or above it, or in an object's document, accepts a finding; # imageauto-test: TAG... => TAG in
/// the document of an ImagePolicy says what it must choose.
///
/// Exit status: 0 nothing is wrong, 1 something is (see --fail-on), above that an error (2 usage, 5 git, 6 invalid input).
#[derive(Debug, Args)]
pub struct LintArgs {
    /// Files and folders [default: .]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Folders of which each holds the objects of one cluster; the same object in two of them is no error
    #[arg(
        long,
        value_name = "GLOB",
        default_value = "clusters/*",
        help_heading = "Input"
    )]
    clusters: String,

    /// Findings that are accepted: what lint -o json printed
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    baseline: Option<PathBuf>,

    /// What spec.filterTags.pattern of every policy must match
    #[arg(long, value_name = "REGEX", help_heading = "Input")]
    require_pattern: Option<String>,

    /// The least severity that gives exit status 1
    #[arg(
        long,
        value_enum,
        value_name = "SEVERITY",
        default_value = "warning",
        help_heading = "Output"
    )]
    fail_on: FailOn,
}

/// Examples for the help, in the caller's dialect.
pub fn examples(invocation: Invocation) -> String {
    let caller = invocation.caller();
    format!(
        "Examples:
  # the work tree
  {caller} lint

  # annotations of a pull request
  {caller} lint -o github

  # only what is new since the baseline was taken
  {caller} lint -o json --fail-on never > accepted.json
  {caller} lint --baseline accepted.json

  # every policy of production must follow a convention
  {caller} lint clusters/prod --require-pattern '^\\^prod-'"
    )
}

/// Looks and prints.
pub fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: &LintArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    global.fits("lint")?;
    global.decides_nothing("lint")?;
    if !global.filename.is_empty() {
        return Err(Failure::usage(
            "-f does not fit lint: name the files as PATH",
        ));
    }
    let paths = if args.paths.is_empty() {
        vec![PathBuf::from(".")]
    } else {
        args.paths.clone()
    };
    // The ground of a run over manifests, whatever these are: nothing is asked.
    let offline = GlobalArgs {
        filename: paths.clone(),
        ..global.clone()
    };
    let mut ground = offline.ground(*invocation)?;
    if global.namespace.is_none() {
        ground.objects.scope = NamespaceScope::All;
    }
    let required_pattern = args.require_pattern.as_deref().map(pattern).transpose()?;
    let accepted = args.baseline.as_deref().map(baseline).transpose()?;
    let request = LintRequest {
        paths,
        clusters: args.clusters.clone(),
        required_pattern,
        request: Request {
            tags: TagSource::Status,
            ..Request::of_everything(ground.objects.clone())
        },
    };
    let session = global.session(&ground, terminal)?;
    let mut diagnosis = lint(&request, &session)?;
    if let Some(accepted) = accepted {
        diagnosis.retain(|finding| !accepted.contains(&identity(finding)));
    }
    Ok(report(
        &diagnosis,
        args.fail_on,
        invocation,
        global,
        terminal,
    ))
}

fn pattern(text: &str) -> Result<Regexp, Failure> {
    Regexp::compile(text).map_err(|error| {
        Failure::usage(format!("--require-pattern {text}: is no pattern: {error}"))
    })
}

/// What a finding is known by in a baseline: lines move, so they don't count.
type Identity = (String, String, String);

fn identity(finding: &Finding) -> Identity {
    let subject = match &finding.subject {
        Subject::Object { kind, key } => format!("{kind} {key}"),
        Subject::Place { path, .. } => path.clone(),
    };
    (finding.id.to_owned(), subject, finding.message.clone())
}

fn baseline(path: &Path) -> Result<BTreeSet<Identity>, Failure> {
    let wrong = |why: String| {
        Failure::invalid_input(format!(
            "--baseline {}: {why}: write it by lint -o json",
            path.display()
        ))
    };
    let file = local_file::read(path)
        .map_err(wrong)?
        .ok_or_else(|| wrong("there is no such file".into()))?;
    let document: Value = serde_json::from_slice(&file.bytes)
        .map_err(|error| wrong(format!("is no JSON: {error}")))?;
    let findings = document["findings"]
        .as_array()
        .ok_or_else(|| wrong("holds no findings".into()))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let accepted = findings.iter().map(|finding| {
        let subject = &finding["subject"];
        let subject = match subject["path"].as_str() {
            Some(path) => path.to_owned(),
            None => format!(
                "{} {}/{}",
                text(&subject["kind"]),
                text(&subject["namespace"]),
                text(&subject["name"])
            ),
        };
        (text(&finding["id"]), subject, text(&finding["message"]))
    });
    Ok(accepted.collect())
}
