//! Mirrors image-automation-controller 1.2 `internal/source/source.go`: the commit message of an automation.

mod data;
mod legacy;

use std::collections::{BTreeMap, BTreeSet};

use crate::controllers::setters::changes::{FileChanges, ObjectIdentifier};
use crate::go::template::{Bound, Error, Limits, Template};

/// The message of an automation without a template.
pub const DEFAULT_MESSAGE: &str = "Update from image update automation";

/// The template's name in its error texts.
const TEMPLATE_NAME: &str = "commit message";

/// How many of the orders that Go leaves to chance are played before a text counts as certain.
const ORDERS: u64 = 24;

/// Which controller's data a template sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Flux 2.7 and later: `.Changed`; `.Updated` is gone.
    Current,
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

/// A commit message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The message's bytes, which need not be UTF-8: a template can cut a character in two.
    pub text: Vec<u8>,
    /// Why the controller may come to another text, when it may: the functions or fields at fault.
    pub not_deterministic: Option<String>,
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
    #[error("the commit message template calls {function}, which isn't supported")]
    Unsupported {
        /// The function's name.
        function: &'static str,
    },
    /// The template takes more than a preview allows.
    #[error("the commit message template can't be previewed: {bound}")]
    TooLarge {
        /// The bound that it ran into.
        bound: Bound,
    },
}

/// The commit message that the controller gives.
///
/// # Errors
///
/// See [`MessageError`].
pub fn render(input: &MessageInput<'_>) -> Result<Message, MessageError> {
    let text = if input.template.is_empty() {
        DEFAULT_MESSAGE
    } else {
        input.template
    };
    let template = Template::parse(TEMPLATE_NAME, text).map_err(|error| {
        failure(error, |message| {
            format!("unable to create commit message template from spec: {message}")
        })
    })?;
    let (first, mut unordered) = run(&template, input, 0);
    let mut certain = true;
    for order in 1..ORDERS {
        // Without chance in play every run gives the first one's text.
        if unordered.is_empty() {
            break;
        }
        let (other, more) = run(&template, input, order);
        certain &= first == other;
        unordered.extend(more);
    }
    let text = first.map_err(run_failure)?;
    let reasons = || unordered.into_iter().collect::<Vec<_>>().join(", ");
    Ok(Message {
        text,
        not_deterministic: (!certain).then(reasons),
    })
}

fn run(
    template: &Template,
    input: &MessageInput<'_>,
    order: u64,
) -> (Result<Vec<u8>, Error>, BTreeSet<&'static str>) {
    let mut limits = Limits::new(order);
    let data = data::template_data(input, order);
    let result = template.execute(&data, &mut limits);
    (result, limits.unordered)
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

fn run_failure(error: Error) -> MessageError {
    if let Error::Failed(message) = &error {
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
