//! What the scanner makes of a text.

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

/// The value of a scalar: a piece of the text as long as nothing was folded or unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// From here to there, in bytes.
    Piece { start: u32, end: u32 },
    /// Something else.
    Built(String),
}

impl Value {
    /// The empty value at an offset.
    pub(super) fn empty(at: u32) -> Self {
        Self::Piece { start: at, end: at }
    }
}

/// A piece of the text: where it starts and how long it is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) start: u32,
    pub(super) length: u32,
}

/// The two halves of a tag or of a `%TAG` directive.
#[derive(Debug)]
pub(super) struct TagParts {
    pub(super) handle: Vec<u8>,
    /// The suffix, or the prefix that the handle stands for.
    pub(super) rest: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum TokenKind {
    StreamStart,
    StreamEnd,
    VersionDirective { major: u8, minor: u8 },
    TagDirective(Box<TagParts>),
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
    Alias(Name),
    Anchor(Name),
    Tag(Box<TagParts>),
    Scalar { value: Value, style: ScalarStyle },
}

/// A piece of the text with its place. Tokens that have no text (such as block starts) have the place of what they introduce.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

impl Token {
    pub(super) fn new(kind: TokenKind, start: Mark, end: Mark) -> Self {
        Self { kind, start, end }
    }
}
