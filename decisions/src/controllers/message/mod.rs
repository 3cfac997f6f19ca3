//! Mirrors image-automation-controller 1.2 `internal/source/source.go`: the commit message of an automation.

mod data;
mod legacy;

use std::collections::{BTreeMap, BTreeSet};

use crate::controllers::setters::changes::{FileChanges, ObjectIdentifier};
use crate::go::template::{Bound, Chance, Error, Limits, STEPS, Template};

/// The message of an automation without a template.
pub const DEFAULT_MESSAGE: &str = "Update from image update automation";

/// The template's name in its error texts.
const TEMPLATE_NAME: &str = "commit message";

/// How many outcomes of what Go leaves to chance are played before a message counts as certain.
const PLAYED: usize = 120;

/// The steps that playing them may take together.
const PLAYED_STEPS: usize = 2 * STEPS;

/// Which controller's data a template sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Flux 2.9 and later: `.Changed`; `.Updated` is gone.
    Current,
    /// Flux 2.7 and 2.8: `.Changed.Objects` keeps the changes of one file only.
    Flux2_8,
    /// Before Flux 2.7: `.Updated` and `.Changed`.
    Flux2_6,
}

/// An image that was set, as `.Updated` of old reports it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UpdatedImage {
    /// The reference as the policy gives it: `name:tag`, perhaps with `@digest`.
    pub reference: String,
    /// The policy's namespace.
    pub policy_namespace: String,
    /// The policy's name.
    pub policy_name: String,
    /// The file, relative to `spec.update.path`.
    pub file: String,
    /// The object in the file.
    pub object: ObjectIdentifier,
}

/// What a message is made of.
#[derive(Clone, Copy, Debug)]
pub struct MessageInput<'a> {
    /// `spec.git.commit.messageTemplate`; empty when there is none.
    pub template: &'a str,
    /// The automation's namespace.
    pub namespace: &'a str,
    /// The automation's name.
    pub name: &'a str,
    /// `spec.git.commit.messageTemplateValues`.
    pub values: &'a BTreeMap<String, String>,
    /// What changed, with paths relative to `spec.update.path`.
    pub changed: &'a [FileChanges],
    /// The images that were set; read by the rules before Flux 2.7 only.
    pub updated_images: &'a [UpdatedImage],
    /// Which controller's data the template sees.
    pub rules: Rules,
}

/// What the controller makes of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The message's bytes, which need not be UTF-8, as a template can cut a character in two; or why there is none.
    pub outcome: Result<Vec<u8>, MessageError>,
    /// Why the controller may come to another outcome, when it may: the functions or fields at fault.
    pub not_deterministic: Option<String>,
}

/// What the controller may make of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Possible {
    /// The outcomes that were found, each once; the first one is [`Rendered::outcome`].
    pub outcomes: Vec<Result<Vec<u8>, MessageError>>,
    /// Whether there are no others.
    pub all: bool,
}

/// Why there is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The template uses a field that is gone: the automation is Stalled with `RemovedTemplateField`.
    #[error("{message}")]
    Removed {
        /// `.Updated` or `.Changed.ImageResult`.
        field: &'static str,
        /// The controller's text.
        message: String,
    },
    /// The template can't be parsed or run: `GitOperationFailed`.
    #[error("{message}")]
    Failed {
        /// The controller's text.
        message: String,
    },
    /// The template calls a function that only the controller carries out.
    #[error(
        "the commit message template calls {function}, which this program doesn't carry out; leave it out of the template, \
         or have the controller make the commit"
    )]
    Unsupported {
        /// The function's name.
        function: &'static str,
    },
    /// The template takes more than a preview allows.
    #[error(
        "the commit message template can't be previewed: {bound}; make it simpler, or have the controller make the commit"
    )]
    TooLarge {
        /// The bound that it ran into.
        bound: Bound,
    },
}

/// What the controller makes of a template.
///
/// Where Go leaves something to chance, the outcome is that with everything in its natural order: files by name, objects
/// as they stand in them.
pub fn render(input: &MessageInput<'_>) -> Rendered {
    let template = match parse(input) {
        Ok(template) => template,
        Err(error) => return Rendered::certain(Err(error)),
    };
    let first = Run::new(&template, input, Chance::first());
    let outcome = first.outcome.clone();
    if let Err(MessageError::Unsupported { function }) = &outcome
        && Template::is_random(function)
    {
        return Rendered {
            not_deterministic: Some((*function).to_owned()),
            outcome,
        };
    }
    if first.unordered.is_empty() {
        return Rendered::certain(outcome);
    }
    let mut unordered = first.unordered.clone();
    let mut drew_number = first.chance.drew_number();
    let mut others = Others::of(&template, input, first);
    let mut differs = false;
    for run in &mut others {
        unordered.extend(run.unordered);
        drew_number |= run.chance.drew_number();
        differs = run.outcome != outcome;
        if differs {
            break;
        }
    }
    if differs || drew_number && !others.played_all() {
        return Rendered {
            outcome,
            not_deterministic: Some(Vec::from_iter(unordered).join(", ")),
        };
    }
    Rendered::certain(outcome)
}

/// The outcomes that the controller may come to, looked for in at most `most` runs.
pub fn possible(input: &MessageInput<'_>, most: usize) -> Possible {
    let template = match parse(input) {
        Ok(template) => template,
        Err(error) => {
            return Possible {
                outcomes: vec![Err(error)],
                all: true,
            };
        }
    };
    let mut outcomes = Vec::new();
    let mut all = true;
    let mut next = Some(Chance::first());
    for _ in 0..most {
        let Some(chance) = next else { break };
        let run = Run::new(&template, input, chance);
        all &= run.chance.plays_all();
        next = run.chance.following();
        if !outcomes.contains(&run.outcome) {
            outcomes.push(run.outcome);
        }
    }
    Possible {
        outcomes,
        all: all && next.is_none(),
    }
}

impl Rendered {
    fn certain(outcome: Result<Vec<u8>, MessageError>) -> Rendered {
        Rendered {
            outcome,
            not_deterministic: None,
        }
    }
}

fn parse(input: &MessageInput<'_>) -> Result<Template, MessageError> {
    let text = if input.template.is_empty() {
        DEFAULT_MESSAGE
    } else {
        input.template
    };
    Template::parse(TEMPLATE_NAME, text).map_err(|error| {
        failure(error, |message| {
            format!("unable to create commit message template from spec: {message}")
        })
    })
}

/// One run of a template.
struct Run {
    outcome: Result<Vec<u8>, MessageError>,
    /// What was drawn.
    chance: Chance,
    /// What hung on it.
    unordered: BTreeSet<&'static str>,
    /// The steps that it took.
    steps: usize,
}

impl Run {
    fn new(template: &Template, input: &MessageInput<'_>, chance: Chance) -> Run {
        let mut limits = Limits::new(chance);
        let outcome = template
            .execute(&data::template_data(input), &mut limits)
            .map_err(|error| run_failure(error, input.rules));
        Run {
            outcome,
            steps: STEPS - limits.steps,
            chance: limits.chance,
            unordered: limits.unordered,
        }
    }
}

/// The runs after the first one that play what Go leaves to chance: everything reversed, everything shuffled a few times,
/// then one possibility after the other.
struct Others<'t> {
    template: &'t Template,
    input: &'t MessageInput<'t>,
    /// What the first run drew, or the last one of those that go through the possibilities.
    walked: Chance,
    /// Whether those that went through them left none out.
    all: bool,
    played: usize,
    steps_left: usize,
}

impl<'t> Others<'t> {
    const SHUFFLED: u64 = 24;

    fn of(template: &'t Template, input: &'t MessageInput<'t>, first: Run) -> Self {
        Self {
            template,
            input,
            all: first.chance.plays_all(),
            walked: first.chance,
            played: 0,
            steps_left: PLAYED_STEPS,
        }
    }

    /// Whether every possibility was played.
    fn played_all(&self) -> bool {
        self.all && self.walked.following().is_none()
    }
}

impl Iterator for Others<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        if self.played == PLAYED || self.steps_left == 0 {
            return None;
        }
        let number = self.played as u64;
        self.played += 1;
        let (chance, walks) = match number {
            0 => (Chance::last(), false),
            1..=Self::SHUFFLED => (Chance::any(number), false),
            _ => (self.walked.following()?, true),
        };
        let run = Run::new(self.template, self.input, chance);
        self.steps_left = self.steps_left.saturating_sub(run.steps);
        if walks {
            self.all &= run.chance.plays_all();
            self.walked = run.chance.clone();
        }
        Some(run)
    }
}

/// What marks an error as the use of a removed field; it counts wherever it stands in the text.
const REMOVED: [(&str, &str, &str); 2] = [
    (
        ".Updated",
        "can't evaluate field Updated in type source.TemplateData",
        "Please use '.Changed' instead.",
    ),
    (
        ".Changed.ImageResult",
        "can't evaluate field ImageResult in type update.Result",
        "Please use '.Changed.FileChanges' or '.Changed.Objects' instead.",
    ),
];

fn run_failure(error: Error, rules: Rules) -> MessageError {
    if rules != Rules::Flux2_6
        && let Error::Failed(message) = &error
    {
        for (field, mark, advice) in REMOVED {
            if message.contains(mark) {
                return MessageError::Removed {
                    field,
                    message: format!(
                        "template uses removed '{field}' field. {advice} See: \
                         https://fluxcd.io/flux/components/image/imageupdateautomations/#message-template"
                    ),
                };
            }
        }
    }
    failure(error, |message| {
        format!("failed to run template from spec: {message}")
    })
}

fn failure(error: Error, framed: impl FnOnce(String) -> String) -> MessageError {
    match error {
        Error::Failed(message) => MessageError::Failed {
            message: format!("failed to update source: {}", framed(message)),
        },
        Error::Unsupported(function) => MessageError::Unsupported { function },
        Error::TooLarge(bound) => MessageError::TooLarge { bound },
    }
}
