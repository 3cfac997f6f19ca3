//! What the scanner makes of a text.

use std::borrow::Cow;

use super::cursor::Mark;

/// How a scalar is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScalarStyle {
    /// Without quotes.
    #[default]
    Plain,
    /// Between `'`.
    SingleQuoted,
    /// Between `"`.
    DoubleQuoted,
    /// After `|`.
    Literal,
    /// After `>`.
    Folded,
}

#[derive(Debug)]
pub(super) enum TokenKind<'t> {
    StreamStart,
    StreamEnd,
    VersionDirective {
        major: u8,
        minor: u8,
    },
    TagDirective {
        handle: Vec<u8>,
        prefix: Vec<u8>,
    },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'t str),
    Anchor(&'t str),
    Tag {
        handle: Vec<u8>,
        suffix: Vec<u8>,
    },
    Scalar {
        value: Cow<'t, str>,
        style: ScalarStyle,
    },
}

/// A piece of the text with its place. Tokens that have no text (such as block starts) have the place of what they introduce.
#[derive(Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: TokenKind<'t>,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

impl<'t> Token<'t> {
    pub(super) fn new(kind: TokenKind<'t>, start: Mark, end: Mark) -> Self {
        Self { kind, start, end }
    }
}
