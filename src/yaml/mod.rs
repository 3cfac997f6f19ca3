//! The YAML dialect of kyaml 0.21.1 and go-yaml 3.0.4: bytes to documents with comments to bytes.
//!
//! Writing a document again gives the very bytes that these libraries give, good or bad: what they lose is lost here too.

mod characters;
mod comments;
mod composer;
mod cursor;
mod document;
mod emitter;
mod file;
pub mod json;
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

use std::fmt;

pub use comments::Comment;
pub use document::{CommentSlot, Document, Node, NodeComments, NodeId, NodeKind};
pub use file::{Chunk, Read, SplitText, normalize, round_trip, write_documents};
pub use resolve::is_non_string_in_yaml_1_1;
pub use sequence_indent::SequenceIndent;
pub use token::ScalarStyle;

/// Why a text can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// What is wrong.
    pub problem: String,
    /// The line, from 1, as far as it is known.
    pub line: usize,
    /// The text may well be readable for the original; it just can't be read here.
    pub is_unsupported: bool,
}

impl ReadError {
    pub(crate) fn malformed(problem: &str, line: usize) -> Self {
        Self {
            problem: problem.to_owned(),
            line,
            is_unsupported: false,
        }
    }

    pub(crate) fn unsupported(problem: &str, line: usize) -> Self {
        Self {
            is_unsupported: true,
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
