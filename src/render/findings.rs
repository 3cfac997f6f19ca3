//! What `doctor` and `lint` show on stdout: each problem with what comes from it as a tree, and how to mend it.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::{AnsiColor, Style};

use crate::facts::cluster::Kind;
use crate::findings::{Finding, Severity, Subject};
use crate::pipeline::diagnose::{Diagnosed, Diagnosis};

use super::console::harmless;
use super::explanation::TextSettings;

/// Consequences that are named one by one; beyond this they are counted.
const NAMED: usize = 4;

/// All problems, the worst first, each a paragraph; `lines` gives the text of lines of files where it is known.
pub fn text(diagnosis: &Diagnosis, lines: &Lines, settings: TextSettings) -> Vec<u8> {
    let paragraphs: Vec<String> = groups(diagnosis)
        .iter()
        .map(|group| paragraph(diagnosis, group, lines, settings))
        .collect();
    paragraphs.concat().into_bytes()
}

/// Lines of files by path and number from 1.
pub type Lines = BTreeMap<(String, usize), String>;

/// How many problems there are, what was fine, in one line.
pub fn summary(diagnosis: &Diagnosis) -> String {
    let groups = groups(diagnosis);
    let (objects, wrong) = diagnosis.objects;
    let fine = count(objects - wrong.min(objects), "object", "objects");
    if groups.is_empty() {
        let unseen = if diagnosis.failures.is_empty() {
            ""
        } else {
            "; what could not be checked is said above"
        };
        return format!("nothing is wrong, {fine} looked at{unseen}");
    }
    let is_note =
        |group: &&Group| diagnosis.findings[group.roots[0]].finding.severity == Severity::Note;
    let notes = groups.iter().filter(is_note).count();
    let problems = match (groups.len() - notes, notes) {
        (0, notes) => format!("no problem, {}", count(notes, "note", "notes")),
        (problems, 0) => count(problems, "problem", "problems"),
        (problems, notes) => format!(
            "{} and {}",
            count(problems, "problem", "problems"),
            count(notes, "note", "notes")
        ),
    };
    let findings = count(diagnosis.findings.len(), "finding", "findings");
    format!(
        "{problems} ({findings}), {fine} fine{}",
        unchecked(diagnosis)
    )
}

/// What may not be read, in a few words.
fn unchecked(diagnosis: &Diagnosis) -> String {
    let hidden = diagnosis
        .findings
        .iter()
        .filter(|found| matches!(found.finding.id, "permission-missing" | "not-checked"));
    let places: BTreeSet<String> = hidden
        .filter_map(|found| match &found.finding.subject {
            Subject::Object { kind, key } if *kind == "Namespace" && !key.namespace.is_empty() => {
                Some(format!("{} in {}", key.name, key.namespace))
            }
            Subject::Object { kind, key } => {
                let mut kinds = Kind::ALL.into_iter();
                let plural = kinds.find(|known| known.name() == *kind).map(Kind::plural);
                Some(match (plural.unwrap_or(kind), key.namespace.as_str()) {
                    (plural, "*") => format!("{plural} in all namespaces"),
                    (plural, namespace) => format!("{plural} in {namespace}"),
                })
            }
            Subject::Place { .. } => None,
        })
        .collect();
    if places.is_empty() {
        return String::new();
    }
    let places: Vec<String> = places.into_iter().collect();
    let is_missing = |found: &Diagnosed| found.finding.id == "permission-missing";
    let id = match diagnosis.findings.iter().any(is_missing) {
        true => "permission-missing",
        false => "not-checked",
    };
    format!(". Not checked: {} ({id})", places.join(", "))
}

/// The id of the worst problem; none where nothing was found.
pub fn worst_id(diagnosis: &Diagnosis) -> Option<&'static str> {
    let groups = groups(diagnosis);
    let first = groups.first()?;
    Some(diagnosis.findings[first.roots[0]].finding.id)
}

fn count(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// Roots of one id and remedy: they are told as one problem.
struct Group {
    roots: Vec<usize>,
}

fn groups(diagnosis: &Diagnosis) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: BTreeMap<(Option<&str>, &str, &str), usize> = BTreeMap::new();
    for root in diagnosis.roots() {
        let found = &diagnosis.findings[root];
        let key = (
            found.context.as_deref(),
            found.finding.id,
            found.finding.remedy.as_str(),
        );
        // Places have their own snippets.
        let alone = matches!(found.finding.subject, Subject::Place { .. });
        match places.get(&key) {
            Some(place) if !alone => groups[*place].roots.push(root),
            _ => {
                places.insert(key, groups.len());
                groups.push(Group { roots: vec![root] });
            }
        }
    }
    groups.sort_by_key(|group| {
        std::cmp::Reverse(diagnosis.findings[group.roots[0]].finding.severity)
    });
    groups
}

fn paragraph(
    diagnosis: &Diagnosis,
    group: &Group,
    lines: &Lines,
    settings: TextSettings,
) -> String {
    let first = &diagnosis.findings[group.roots[0]];
    let finding = &first.finding;
    let title = format!("{}[{}]", finding.severity, finding.id);
    let style = color(finding.severity).on_default().bold();
    let mut text = format!(
        "{}: {}{}\n",
        painted(&title, style, settings.color),
        context(first),
        indented(&about(finding))
    );
    if finding.evidence != finding.message && !finding.evidence.is_empty() {
        text.push_str(&snippet_or_evidence(finding, lines, settings));
    }
    text.push_str(&branches(diagnosis, group, settings));
    if !finding.remedy.is_empty() {
        text.push_str(&format!("  help: {}\n", harmless(&finding.remedy)));
    }
    text
}

/// Subject and message, the subject once.
fn about(finding: &Finding) -> String {
    let subject = finding.subject.to_string();
    if finding.message.starts_with(&subject) {
        finding.message.clone()
    } else {
        format!("{subject}: {}", finding.message)
    }
}

/// A text of several lines with the further ones indented.
fn indented(text: &str) -> String {
    harmless(text.trim_end()).replace('\n', "\n    ")
}

fn context(found: &Diagnosed) -> String {
    found
        .context
        .as_ref()
        .map(|context| format!("{}: ", harmless(context)))
        .unwrap_or_default()
}

/// The line of a file with what it is about underlined, or the evidence.
fn snippet_or_evidence(finding: &Finding, lines: &Lines, settings: TextSettings) -> String {
    let Subject::Place {
        path,
        line: Some(line),
        column,
    } = &finding.subject
    else {
        return format!("  {}\n", indented(&finding.evidence));
    };
    let Some(text) = lines.get(&(path.clone(), *line)) else {
        return String::new();
    };
    let text = harmless(text.trim_end()).replace('\t', " ");
    let number = line.to_string();
    let mut shown = format!("  {number} | {text}\n");
    if let Some(column) = column {
        let characters: Vec<char> = text.chars().collect();
        let at = column.saturating_sub(1).min(characters.len());
        // From the comment's # on, where the column is inside of one.
        let start = characters[..at]
            .iter()
            .rposition(|character| *character == '#')
            .unwrap_or(at);
        let length = characters.len().saturating_sub(start).max(1);
        let style = color(finding.severity).on_default().bold();
        let line = painted(&"^".repeat(length), style, settings.color);
        let gap = " ".repeat(number.len());
        shown.push_str(&format!("  {gap} | {}{line}\n", " ".repeat(start)));
    }
    shown
}

/// The consequences of a problem as a tree, and the other roots that it stands for.
fn branches(diagnosis: &Diagnosis, group: &Group, settings: TextSettings) -> String {
    let mut branches: Vec<(String, String)> = Vec::new();
    let others = &group.roots[1..];
    for other in others.iter().take(NAMED) {
        let found = &diagnosis.findings[*other].finding;
        branches.push((found.id.to_owned(), about(found)));
    }
    if others.len() > NAMED {
        branches.push((
            diagnosis.findings[group.roots[0]].finding.id.to_owned(),
            format!("{} more", others.len() - NAMED),
        ));
    }
    for (id, places) in consequences(diagnosis, &group.roots) {
        let first = &diagnosis.findings[places[0]].finding;
        let rest = match places.len() - 1 {
            0 => String::new(),
            1 => " (and 1 more)".to_owned(),
            more => format!(" (and {more} more)"),
        };
        branches.push((id.to_owned(), format!("{}{rest}", about(first))));
    }
    let width = branches
        .iter()
        .map(|(id, _)| id.len())
        .max()
        .unwrap_or_default();
    let (fork, end) = if settings.glyphs == super::console::Glyphs::ASCII {
        ("|-", "`-")
    } else {
        ("\u{251c}\u{2500}", "\u{2514}\u{2500}")
    };
    let last = branches.len().saturating_sub(1);
    let told = branches.iter().enumerate().map(|(index, (id, text))| {
        let sign = if index == last { end } else { fork };
        format!("  {sign} {id:width$}  {}\n", indented(text))
    });
    told.collect()
}

/// Everything that comes from `roots`, by id, in the order of the chain.
fn consequences(diagnosis: &Diagnosis, roots: &[usize]) -> Vec<(&'static str, Vec<usize>)> {
    let mut seen: BTreeSet<usize> = roots.iter().copied().collect();
    let mut open: Vec<usize> = roots.to_vec();
    let mut by_id: Vec<(&'static str, Vec<usize>)> = Vec::new();
    while !open.is_empty() {
        let mut next = Vec::new();
        for place in open {
            next.extend(
                diagnosis
                    .consequences(place)
                    .filter(|found| seen.insert(*found)),
            );
        }
        for place in &next {
            let id = diagnosis.findings[*place].finding.id;
            match by_id.iter_mut().find(|(known, _)| *known == id) {
                Some((_, places)) => places.push(*place),
                None => by_id.push((id, vec![*place])),
            }
        }
        open = next;
    }
    by_id
}

fn color(severity: Severity) -> AnsiColor {
    match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Note => AnsiColor::Cyan,
    }
}

fn painted(text: &str, style: Style, color: bool) -> String {
    if color {
        format!("{style}{text}{style:#}")
    } else {
        text.to_owned()
    }
}
