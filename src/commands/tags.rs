//! `tags`: which tags the registries have, and whether the controller knows them.

use std::collections::BTreeSet;

use clap::Args;

use crate::exit_code;
use crate::facts::cluster::Kind;
use crate::failure::Failure;
use crate::findings::{Finding, Severity};
use crate::go::age;
use crate::pipeline::request::{Named, NamespaceScope};
use crate::pipeline::session::Session;
use crate::pipeline::tags::{Awaited, DigestChoice, RepositoryInputs, RepositoryTags, TagsRequest};
use crate::pipeline::{await_tags, list_tags, load_repositories};
use crate::render::console::{Talk, Tone};
use crate::render::json_v1_tags;
use crate::render::tags::{self, Line, TagSettings};

use super::contexts::{self, ContextsArgs, NamedInput};
use super::input::{GlobalArgs, OutputFormat};
use super::invocation::Invocation;
use super::selection;
use super::terminal::Terminal;

/// Show the tags that registries have, what exclusion lists hide of them, and whether the controller knows them
///
/// Registries are asked as the controller asks them, with the credentials of the ImageRepository, or your own where those can't be seen;
/// it is told which. Without REPOSITORY every ImageRepository of the namespace counts. `-o json` is a recording that --tags-from
/// reads; `-o name` lists the tags, one a line, the newest first, and behind the image's name unless exactly one repository is named.
///
/// Exit status: 0, also where the controller's view is stale; 1 a failure that the controller has by the objects alone; above that an
/// error (2 usage, 3 cluster, 4 registry, 6 invalid input); the largest wins.
#[derive(Debug, Args)]
pub struct TagsArgs {
    /// ImageRepositories by name, as NAME or TYPE/NAME
    #[arg(value_name = "REPOSITORY")]
    repositories: Vec<String>,

    /// Look up digests too: of the tags that `policies` choose and want the digests of, or of `all` tags [default: policies]
    #[arg(
        long,
        value_enum,
        value_name = "WHICH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "policies",
        help_heading = "Input"
    )]
    digests: Option<Digests>,

    /// Look up the digest of this tag too (repeatable)
    #[arg(long, value_name = "TAG", help_heading = "Input")]
    digest: Vec<String>,

    /// Wait until a new tag appears that the exclusion list doesn't hide, or TAG, and tell it
    #[arg(
        short = 'w',
        long,
        value_name = "TAG",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        help_heading = "Output"
    )]
    watch: Option<String>,

    #[command(flatten)]
    contexts: ContextsArgs,
}

/// `--digests`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Digests {
    /// Of the tags that policies choose.
    Policies,
    /// Of all tags.
    All,
}

/// Examples for the help, in the caller's dialect.
pub fn examples(invocation: Invocation) -> String {
    let caller = invocation.caller();
    format!(
        "Examples:
  # the tags of one image, and whether the controller has seen the newest
  {caller} tags checkout -n flux-system

  # one line for each repository of all namespaces
  {caller} tags -A -o wide

  # the digest behind a tag
  {caller} tags checkout --digest 1.9.0

  # wait for a release to arrive in the registry
  {caller} tags checkout --watch=1.9.0 --timeout 10m

  # record tags and digests, then see offline what a pull request changes
  {caller} tags -f clusters/ -R -o json --digests > tags.json
  {caller} diff -f clusters/ -R --tags-from tags.json --worktree ."
    )
}

/// Lists the tags and prints them.
pub fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: &TagsArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    global.fits("tags")?;
    global.decides_nothing("tags")?;
    let names = repository_names(&args.repositories)?;
    let digests = DigestChoice {
        of_policies: args.digests == Some(Digests::Policies),
        all: args.digests == Some(Digests::All),
        tags: args.digest.clone(),
    };
    let inputs = contexts::inputs(global, &args.contexts.contexts)?;
    if let Some(tag) = &args.watch {
        global.asks_more_than_a_snapshot("--watch")?;
        let [NamedInput { global, .. }] = inputs.as_slice() else {
            return Err(Failure::usage(
                "--watch waits for a tag of one cluster's repositories: leave out --contexts",
            ));
        };
        let mut ground = global.ground(*invocation)?;
        global.waits(&mut ground);
        let request = TagsRequest {
            objects: ground.objects.clone(),
            names,
            digests,
        };
        let mut session = global.session(&ground, terminal)?;
        return watch(global, &request, tag, &mut session, terminal);
    }
    let shared = &*terminal;
    let asked = contexts::side_by_side(&inputs, terminal, |input| {
        let ground = input.global.ground(*invocation)?;
        let session = input.global.session(&ground, shared)?;
        let request = TagsRequest {
            objects: ground.objects,
            names: names.clone(),
            digests: digests.clone(),
        };
        let loaded = load_repositories(&request, &session)?;
        talk_about_inputs(&request, &loaded, shared);
        let rows = list_tags(&request, &loaded, &session)?;
        Ok(Listing {
            context: input.name.clone().or(session.context().map(str::to_owned)),
            now: session.now,
            request,
            loaded,
            rows,
        })
    })?;
    report(
        global,
        &asked.answers,
        contexts::are_named(&inputs),
        terminal,
    );
    let codes = asked
        .answers
        .iter()
        .map(|listing| exit_code_of(&listing.loaded, &listing.rows));
    Ok(codes.fold(asked.code, u8::max))
}

/// The tags of one input.
struct Listing {
    context: Option<String>,
    now: jiff::Timestamp,
    request: TagsRequest,
    loaded: RepositoryInputs,
    rows: Vec<RepositoryTags>,
}

/// Waits for a tag, then tells it and the rest.
fn watch(
    global: &GlobalArgs,
    request: &TagsRequest,
    tag: &str,
    session: &mut Session,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let awaited = match tag {
        "" => Awaited::Any,
        tag => Awaited::Tag(tag.to_owned()),
    };
    let began = session.now;
    let mut told = BTreeSet::new();
    let mut waits = false;
    let mut appeared = await_tags(request, session, &awaited, |round| {
        let troubles: Vec<&Failure> = match round {
            Ok(rows) => rows.iter().flat_map(|row| &row.failures).collect(),
            Err(failure) => vec![failure],
        };
        for trouble in troubles {
            if told.insert(trouble.message.clone()) {
                let text = format!("{}; it is tried again", trouble.message);
                terminal.say(&Talk::new(Tone::Warning, text));
            }
        }
        if !waits && let Ok(rows) = round {
            waits = true;
            terminal.say(&Talk::new(Tone::Note, waiting(&awaited, rows)));
        }
    })?;
    for (key, tags) in &appeared.tags {
        let since = age::since(began, session.now);
        let text = format!("{key}: {} after {since}", tags.join(", "));
        terminal.say(&Talk::new(Tone::Success, text));
    }
    if global.output == Some(OutputFormat::Name) {
        let found = std::mem::take(&mut appeared.tags);
        appeared
            .rows
            .retain(|row| found.contains_key(&row.repository.key));
        let bare = request.names.len() == 1 && appeared.rows.len() < 2;
        terminal.result(&tags::names_of(&appeared.rows, &found, !bare));
        return Ok(exit_code_of(&appeared.loaded, &appeared.rows));
    }
    talk_about_inputs(request, &appeared.loaded, terminal);
    let listing = Listing {
        context: session.context().map(str::to_owned),
        now: session.now,
        request: request.clone(),
        loaded: appeared.loaded,
        rows: appeared.rows,
    };
    let code = exit_code_of(&listing.loaded, &listing.rows);
    report(global, &[listing], false, terminal);
    Ok(code)
}

fn waiting(awaited: &Awaited, rows: &[RepositoryTags]) -> String {
    let what = match awaited {
        Awaited::Any => "a new tag".to_owned(),
        Awaited::Tag(tag) => format!("tag {tag}"),
    };
    match rows {
        [row] => format!(
            "waiting for {what} of {}, which has {} (Ctrl-C ends it)",
            row.repository.key,
            row.stored().len()
        ),
        rows => format!(
            "waiting for {what} of {} repositories (Ctrl-C ends it)",
            rows.len()
        ),
    }
}

/// Says what there is to say of the repositories, and prints them; with `named` by their contexts.
fn report(global: &GlobalArgs, listings: &[Listing], named: bool, terminal: &mut Terminal) {
    for listing in listings {
        talk_about(&listing.rows, terminal);
        for tag in &listing.request.digests.tags {
            let mut rows = listing.rows.iter();
            if !listing.loaded.wanted.is_empty() && !rows.any(|row| row.listed.contains(tag)) {
                let text = format!("--digest {tag}: no repository has this tag");
                terminal.say(&Talk::new(Tone::Warning, text));
            }
        }
    }
    let parts: Vec<(Option<&str>, &[RepositoryTags])> = listings
        .iter()
        .map(|listing| (listing.context.as_deref(), listing.rows.as_slice()))
        .collect();
    match global.output {
        Some(OutputFormat::Json) => terminal.result(&json_v1_tags::tags(&parts)),
        Some(OutputFormat::Wide) => {
            let (Some(first), true) = (
                listings.first(),
                listings.iter().any(|listing| !listing.rows.is_empty()),
            ) else {
                return;
            };
            let namespaces = first.request.objects.scope == NamespaceScope::All;
            let settings = settings(first, terminal);
            terminal.result(&tags::table(&parts, named, namespaces, settings));
        }
        _ => {
            for listing in listings {
                print(global, listing, named, terminal);
            }
        }
    }
}

fn settings(listing: &Listing, terminal: &Terminal) -> TagSettings {
    TagSettings {
        named: listing.request.names.len() != 1 || listing.rows.len() != 1,
        ellipsis: terminal.glyphs().ellipsis(),
        now: listing.now,
    }
}

/// Prints what is told of one cluster after the other: names, or reports.
fn print(global: &GlobalArgs, listing: &Listing, named: bool, terminal: &mut Terminal) {
    let rows = &listing.rows;
    if global.output == Some(OutputFormat::Name) {
        let bare = listing.request.names.len() == 1 && rows.len() < 2;
        return terminal.result(&tags::names(rows, !bare));
    }
    if let Some(context) = listing.context.as_ref().filter(|_| named) {
        terminal.result(format!("# context {context}\n").as_bytes());
    }
    let settings = settings(listing, terminal);
    for line in rows.iter().flat_map(|row| tags::report(row, settings)) {
        match line {
            Line::Plain(text) => terminal.result(format!("{text}\n").as_bytes()),
            Line::Signed(talk) => terminal.result_line(&talk),
        }
    }
}

/// The repositories that are named, by name alone or as `repository/NAME`.
fn repository_names(arguments: &[String]) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for named in selection::parse(arguments)? {
        match named {
            Named::All(Kind::ImageRepository) => {}
            Named::One(Kind::ImageRepository, name) | Named::Any(name) => names.push(name),
            Named::All(kind) | Named::One(kind, _) => {
                return Err(Failure::usage(format!(
                    "tags takes ImageRepositories, as NAME or repository/NAME, not an {kind}"
                )));
            }
        }
    }
    Ok(names)
}

fn talk_about_inputs(request: &TagsRequest, loaded: &RepositoryInputs, terminal: &Terminal) {
    for note in &loaded.inputs.notes {
        terminal.say(&Talk::new(Tone::Note, note.clone()));
    }
    for problem in &loaded.inputs.problems {
        terminal.failure(&problem.to_string());
    }
    for failure in &loaded.failures {
        terminal.failure(&failure.message);
    }
    if loaded.wanted.is_empty() && loaded.failures.is_empty() {
        let place = match &request.objects.scope {
            NamespaceScope::One(namespace) => format!("in namespace {namespace}"),
            NamespaceScope::All if loaded.inputs.live => "in any namespace".into(),
            NamespaceScope::All => "in the input".into(),
        };
        let elsewhere = match loaded.namespaces_elsewhere.as_slice() {
            [] => String::new(),
            namespaces => format!("; there are some in {}", namespaces.join(", ")),
        };
        let text = format!("no ImageRepository {place}{elsewhere}");
        terminal.say(&Talk::new(Tone::Note, text));
    }
}

/// What is said on stderr of each repository: remarks, what failed, and warnings.
fn talk_about(rows: &[RepositoryTags], terminal: &Terminal) {
    for row in rows {
        for note in &row.notes {
            terminal.say(&Talk::new(Tone::Note, note.clone()));
        }
        match &row.error {
            Some((reason, message)) if row.failures.is_empty() => terminal.failure(&format!(
                "ImageRepository {}: the controller fails ({reason}): {message}",
                row.repository.key
            )),
            _ => {}
        }
        for failure in &row.failures {
            terminal.failure(&failure.message);
        }
    }
    warn(rows, terminal);
}

/// Says what was found, the same of several repositories once; what is only good to know stands in the JSON.
fn warn(rows: &[RepositoryTags], terminal: &Terminal) {
    let mut said: Vec<(&Finding, bool, usize)> = Vec::new();
    for row in rows {
        for finding in &row.findings {
            if finding.severity == Severity::Note {
                continue;
            }
            let is_same = |other: &Finding| {
                (other.id, &other.message, &other.remedy)
                    == (finding.id, &finding.message, &finding.remedy)
            };
            match said.iter_mut().find(|(other, ..)| is_same(other)) {
                Some((.., more)) => *more += 1,
                None => said.push((finding, row.error.is_some(), 0)),
            }
        }
    }
    for (finding, is_told, more) in said {
        let tone = match finding.severity {
            Severity::Note => Tone::Note,
            Severity::Warning => Tone::Warning,
            Severity::Error => Tone::Error,
        };
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        // What stopped a listing was quoted already.
        let evidence = if is_told || finding.message.contains(&finding.evidence) {
            String::new()
        } else {
            format!("\n{}", finding.evidence)
        };
        let text = format!(
            "{}[{}]: {}{more}: {}{evidence}\nhelp: {}",
            finding.severity, finding.id, finding.subject, finding.message, finding.remedy
        );
        terminal.say(&Talk::new(tone, text));
    }
}

fn exit_code_of(loaded: &RepositoryInputs, rows: &[RepositoryTags]) -> u8 {
    let problems = if loaded.inputs.problems.is_empty() {
        exit_code::FINE
    } else {
        exit_code::INVALID_INPUT
    };
    let of = |row: &RepositoryTags| {
        let fails = if row.error.is_some() {
            exit_code::DIFFERENCES
        } else {
            exit_code::FINE
        };
        let failures = row.failures.iter().map(Failure::exit_code);
        failures.fold(fails, u8::max)
    };
    let failures = loaded.failures.iter().map(Failure::exit_code);
    let rows = rows.iter().map(of);
    failures.chain(rows).fold(problems, u8::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Result<Vec<String>, Failure> {
        let owned: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        repository_names(&owned)
    }

    #[test]
    fn repositories_are_named_as_kubectl_users_do() {
        assert_eq!(names(&["a", "b"]).unwrap(), ["a", "b"]);
        assert_eq!(names(&["repository/a", "imgrepo/b"]).unwrap(), ["a", "b"]);
        assert_eq!(names(&["image", "repository", "a"]).unwrap(), ["a"]);
        assert_eq!(names(&["repositories"]).unwrap(), Vec::<String>::new());
        assert!(names(&["policy/a"]).is_err());
        assert!(names(&["updates"]).is_err());
    }
}
