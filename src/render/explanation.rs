//! What `explain` shows on stdout: a headline for each chain, a line for each step, and below it the place and the remedy.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use crate::findings::Severity;
use crate::pipeline::explain::{
    AutomationChain, ExplainedTag, Explanation, PolicyChain, Snippet, Step, StepKind, StepVerdict,
};

use super::console::{Glyphs, harmless};
use super::ladder::ladder;
use super::table::Table;

/// How a text is shown.
#[derive(Clone, Copy, Debug)]
pub struct TextSettings {
    /// The signs in front of a step.
    pub glyphs: Glyphs,
    /// Whether it is coloured.
    pub color: bool,
}

/// All chains, each a paragraph of its own.
pub fn text(explanation: &Explanation, settings: TextSettings) -> Vec<u8> {
    let policies = explanation
        .policies
        .iter()
        .map(|chain| policy(chain, settings));
    let automations = explanation
        .automations
        .iter()
        .map(|chain| automation(chain, settings));
    let paragraphs: Vec<String> = policies.chain(automations).collect();
    paragraphs.join("\n").into_bytes()
}

/// The lines of a single step.
pub fn step(step: &Step, settings: TextSettings) -> String {
    line(step, step.kind.word(), settings)
}

fn policy(chain: &PolicyChain, settings: TextSettings) -> String {
    let mut text = headline(&chain.steps, &policy_state(chain), true, settings);
    text.push_str(&steps(&chain.steps, settings));
    text.push_str(&ladder(&chain.ladder, settings));
    text.push_str(&tags(&chain.tags));
    if let [tag] = &chain.tags[..] {
        text.push_str(&pointed(&tag.places, settings));
    }
    text
}

fn automation(chain: &AutomationChain, settings: TextSettings) -> String {
    let state = format!("automation {}", chain.key);
    let mut text = headline(&chain.steps, &state, false, settings);
    text.push_str(&steps(&chain.steps, settings));
    text
}

/// What the policy's choice is, in a few words.
fn policy_state(chain: &PolicyChain) -> String {
    let key = &chain.key;
    match &chain.latest {
        Some((image, origin)) => {
            let tag = if image.tag.is_empty() {
                &image.digest
            } else {
                &image.tag
            };
            match origin.word() {
                "status" => format!("policy {key} keeps {tag}"),
                "assumed" => format!("policy {key}, assumed to have chosen {tag}"),
                _ => format!("policy {key} chose {tag}"),
            }
        }
        None if !chain.is_deterministic() => format!("policy {key} has no one choice"),
        None if chooses_unseen(chain) => format!("what policy {key} chooses is not known"),
        None => format!("policy {key} has no latest image"),
    }
}

/// Whether a step before the policy's own could not be seen.
fn chooses_unseen(chain: &PolicyChain) -> bool {
    let mut before = chain
        .steps
        .iter()
        .filter(|step| step.kind < StepKind::Policy);
    before.any(|step| step.verdict == StepVerdict::Unknown)
}

/// How a chain stands as a whole: what is stuck counts first, then what waits, then what can't be seen.
enum Standing<'a> {
    Decided(&'a Step),
    /// The last step that was seen, before those that can't be.
    UpTo(&'a Step),
    Fine,
}

fn standing(steps: &[Step]) -> Standing<'_> {
    let of = |verdict: StepVerdict| steps.iter().find(move |step| step.verdict == verdict);
    if let Some(step) = of(StepVerdict::Stuck).or_else(|| of(StepVerdict::Waiting)) {
        return Standing::Decided(step);
    }
    let is_unknown = |step: &Step| step.verdict == StepVerdict::Unknown;
    let Some(first) = steps.iter().position(is_unknown) else {
        return Standing::Fine;
    };
    let (seen, unseen) = steps.split_at(first);
    match seen.last() {
        Some(last) if unseen.iter().all(is_unknown) => Standing::UpTo(last),
        _ => Standing::Decided(&steps[first]),
    }
}

fn headline(steps: &[Step], state: &str, consequences: bool, settings: TextSettings) -> String {
    let (word, color, tail) = match standing(steps) {
        Standing::Decided(step) => {
            let (word, color) = match step.verdict {
                StepVerdict::Stuck => ("STUCK", AnsiColor::Red),
                StepVerdict::Waiting => ("WAITING", AnsiColor::Yellow),
                _ => ("UNKNOWN", AnsiColor::Yellow),
            };
            let tail = match step.verdict {
                StepVerdict::Stuck if consequences => consequence(step.kind),
                _ => "",
            };
            (format!("{word} at {}", step.kind.word()), color, tail)
        }
        Standing::UpTo(step) => (
            format!("OK up to {}", step.kind.word()),
            AnsiColor::Green,
            "",
        ),
        Standing::Fine => ("OK".to_owned(), AnsiColor::Green, ""),
    };
    let style = color.on_default().bold();
    let word = painted(&word, style, settings.color);
    format!("{word}: {}{tail}\n", harmless(state))
}

/// What being stuck at a step means for the image.
fn consequence(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Repository | StepKind::Scan => ", and nothing new will be seen",
        StepKind::Exclusion | StepKind::Filter | StepKind::Order | StepKind::Digest => "",
        StepKind::Policy => ", and its status does not follow",
        StepKind::Automation => ", but no file will receive it",
        StepKind::Marker => ", but a marker will not receive it",
        StepKind::Commit => ", but no commit is made now",
        StepKind::Source => ", but the cluster does not fetch it",
        StepKind::Applied => ", but it is not applied",
        StepKind::Running => ", but it does not run",
    }
}

pub(super) fn painted(text: &str, style: Style, color: bool) -> String {
    if color {
        format!("{style}{text}{style:#}")
    } else {
        text.to_owned()
    }
}

/// A line for each step; what can't be seen at the end of a chain for one and the same reason is one line.
fn steps(steps: &[Step], settings: TextSettings) -> String {
    let mut text = String::new();
    let mut rest = steps;
    while let [first, ..] = rest {
        let alike = rest
            .iter()
            .take_while(|step| {
                first.verdict == StepVerdict::Unknown
                    && step.verdict == first.verdict
                    && step.text == first.text
            })
            .count()
            .max(1);
        let words: Vec<&str> = rest[..alike].iter().map(|step| step.kind.word()).collect();
        text.push_str(&line(first, &words.join(", "), settings));
        rest = &rest[alike..];
    }
    text
}

/// The width of the column of step names: the longest is `repository`.
const NAMES: usize = 11;

fn line(step: &Step, name: &str, settings: TextSettings) -> String {
    let (sign, style) = match step.verdict {
        StepVerdict::Ok => (settings.glyphs.success(), AnsiColor::Green.on_default()),
        StepVerdict::Stuck => (settings.glyphs.failure(), AnsiColor::Red.on_default()),
        StepVerdict::Waiting => (settings.glyphs.waiting(), AnsiColor::Yellow.on_default()),
        StepVerdict::Skipped | StepVerdict::Unknown => {
            (settings.glyphs.nothing(), Style::new().dimmed())
        }
    };
    let finding = step.finding.map_or_else(String::new, |(id, severity)| {
        let style = match severity {
            Severity::Error => AnsiColor::Red.on_default(),
            Severity::Warning => AnsiColor::Yellow.on_default(),
            Severity::Note => Style::new(),
        };
        let label = format!("{severity}[{id}]");
        format!("{}: ", painted(&label, style.bold(), settings.color))
    });
    let mut text = format!(
        " {} {name:NAMES$} {finding}{}\n",
        painted(sign, style, settings.color),
        harmless(&step.text).replace('\n', "\n               ")
    );
    if let Some(shown) = &step.snippet {
        text.push_str(&snippet(shown, settings));
    }
    if let Some(remedy) = &step.remedy {
        text.push_str(&format!("   help: {}\n", harmless(remedy)));
    }
    text
}

fn snippet(snippet: &Snippet, settings: TextSettings) -> String {
    let number = snippet
        .line
        .map(|line| line.to_string())
        .unwrap_or_default();
    let gutter = " ".repeat(number.len());
    // What is underlined stays below its text: a tab takes one column here.
    let shown = harmless(&snippet.text).replace('\t', " ");
    let underline = underline(&shown, std::slice::from_ref(snippet));
    let style = AnsiColor::Red.on_default().bold();
    format!(
        "   {number} | {shown}\n   {gutter} | {}\n",
        painted(&underline, style, settings.color)
    )
}

/// The line below a text, with a `^` below each column of the parts, which are in their order.
fn underline(shown: &str, parts: &[Snippet]) -> String {
    let width = |skipped: usize, length: usize| -> usize {
        let part: String = shown.chars().skip(skipped).take(length).collect();
        part.width()
    };
    let mut line = String::new();
    for part in parts {
        let start = part.column.saturating_sub(1);
        let blanks = width(0, start).saturating_sub(line.len());
        line.push_str(&" ".repeat(blanks));
        line.push_str(&"^".repeat(width(start, part.length).max(1)));
    }
    line
}

/// The text of the policy that decided about a tag, with the parts that did underlined.
fn pointed(parts: &[Snippet], settings: TextSettings) -> String {
    let Some(first) = parts.first() else {
        return String::new();
    };
    let shown = first.text.replace(['\t', '\n', '\r'], " ");
    let shown = harmless(&shown);
    let style = AnsiColor::Red.on_default().bold();
    format!(
        "     {shown}\n     {}\n",
        painted(&underline(&shown, parts), style, settings.color)
    )
}

/// The tags that were asked about, as a table.
fn tags(tags: &[ExplainedTag]) -> String {
    if tags.is_empty() {
        return String::new();
    }
    let mut table = Table::new(vec!["TAG", "VERDICT", "KEY", "DETAIL"]);
    for tag in tags {
        let key = tag.key.as_deref().filter(|key| *key != tag.tag);
        table.row(vec![
            tag.tag.clone(),
            tag.verdict.to_owned(),
            key.unwrap_or_default().to_owned(),
            tag.detail.clone(),
        ]);
    }
    let shown = table.render(true);
    shown
        .lines()
        .map(|line| format!("   {}\n", line.trim_end()))
        .collect()
}
