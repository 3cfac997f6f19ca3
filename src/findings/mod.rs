//! What is wrong or surprising, each with evidence and remedy. Pure: facts and decisions in, findings out.

use std::fmt;

use crate::controllers::flux::ObjectKey;

pub mod apply;
pub mod automations;
pub mod catalogue;
pub mod choices;
pub mod delivery;
pub mod files;
pub mod installation;
pub mod policies;
pub mod references;
pub mod registries;
pub mod scan_budget;
pub mod scans;
mod severity;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Probably not what was meant.
    Warning,
    /// Something does not work.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An object.
    Object {
        /// `ImagePolicy` and the like.
        kind: &'static str,
        /// Namespace and name.
        key: ObjectKey,
    },
    /// A place in a file; line and column count from 1.
    Place {
        /// The path relative to the repository's top.
        path: String,
        /// The line, where one is meant.
        line: Option<usize>,
        /// The column, where one is meant.
        column: Option<usize>,
    },
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { kind, key } if key.namespace.is_empty() => {
                write!(formatter, "{kind} {}", key.name)
            }
            Self::Object { kind, key } => write!(formatter, "{kind} {key}"),
            Self::Place {
                path,
                line: Some(line),
                ..
            } => write!(formatter, "{path}:{line}"),
            Self::Place {
                path, line: None, ..
            } => formatter.write_str(path),
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its stable kebab-case id.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// What is so, in one sentence.
    pub message: String,
    /// What shows it.
    pub evidence: String,
    /// What to do about it; a complete command where it is one.
    pub remedy: String,
}
