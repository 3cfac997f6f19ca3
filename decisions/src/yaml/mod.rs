//! The YAML dialect of kyaml 0.21.1 and go-yaml 3.0.4: bytes to documents with comments to bytes.
//!
//! Writing a document again gives the very bytes that these libraries give, good or bad: what they lose is lost here too.

mod altered;
mod characters;
mod comments;
mod composer;
mod cursor;
mod emitter;
mod file;
pub mod json;
mod marshal;
mod new_scalar;
mod overlay;
mod parser;
mod resolve;
pub mod resource;
mod scalar;
mod scan_property;
mod scan_scalar;
mod scanner;
mod sequence_indent;
mod text;
mod token;
mod tree;
mod values;
mod window;
mod written_tag;

use std::fmt;

pub use altered::{Altered, altered};
pub use file::{Documents, FileWriter, MAX_SIZE, SplitText, clear_notes, normalize, round_trip};
pub use new_scalar::NewScalar;
pub use resolve::is_non_string_in_yaml_1_1;
pub use sequence_indent::SequenceIndent;
pub use token::ScalarStyle;
pub use tree::{Children, Comment, CommentSlot, Document, Kind, NodeId, Tag, Tree, View};
pub use written_tag::added_tag;

/// Why a text can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// What is wrong.
    pub problem: String,
    /// The line, from 1, as far as it is known.
    pub line: usize,
    /// The original doesn't refuse the text: it crashes on it.
    pub is_crash: bool,
}

impl ReadError {
    pub(crate) fn malformed(problem: &str, line: usize) -> Self {
        Self {
            problem: problem.to_owned(),
            line,
            is_crash: false,
        }
    }

    pub(crate) fn crash(problem: &str, line: usize) -> Self {
        Self {
            is_crash: true,
            ..Self::malformed(problem, line)
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for ReadError {}
