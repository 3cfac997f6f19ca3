//! What a side makes of a tree.

use std::fmt;

use super::tree::{Entry, Tree};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It went through.
    Done {
        /// The tree as it is then.
        tree: Tree,
        /// How many files hold a marker and can't be read.
        problems: usize,
    },
    /// It failed, and why.
    Failed(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { tree, problems } => {
                writeln!(formatter, "{problems} problem files, {tree}")
            }
            Self::Failed(message) => writeln!(formatter, "fails: {message}"),
        }
    }
}

impl Answer {
    /// Whether two answers say the same.
    pub fn agrees(&self, other: &Self) -> bool {
        self == other
    }

    /// What is not as it was.
    pub fn changed<'a>(&'a self, before: &'a Tree) -> Vec<(&'a Vec<u8>, &'a Entry)> {
        match self {
            Self::Done { tree, .. } => tree
                .entries
                .iter()
                .filter(|(path, entry)| before.entries.get(*path) != Some(entry))
                .collect(),
            Self::Failed(_) => Vec::new(),
        }
    }
}
