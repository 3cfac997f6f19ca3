//! Why a pattern was refused.

/// A pattern that does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Go refuses the pattern too, with this text.
    #[error("error parsing regexp: {}: `{expression}`", .reason.text())]
    Syntax {
        /// What is wrong.
        reason: Reason,
        /// The part of the pattern that is wrong.
        expression: String,
    },
    /// Go takes the pattern, but its compiled form is larger than this program allows.
    #[error("the regular expression takes more than 64 MiB when compiled")]
    TooLarge,
}

/// The reasons that Go knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    CharacterRange,
    Escape,
    NamedCapture,
    PerlSyntax,
    NestedRepetition,
    RepeatCount,
    MissingBracket,
    MissingParenthesis,
    MissingArgument,
    TrailingBackslash,
    UnexpectedParenthesis,
    NestingDepth,
    Large,
}

impl Reason {
    /// Go's words.
    pub fn text(self) -> &'static str {
        match self {
            Self::CharacterRange => "invalid character class range",
            Self::Escape => "invalid escape sequence",
            Self::NamedCapture => "invalid named capture",
            Self::PerlSyntax => "invalid or unsupported Perl syntax",
            Self::NestedRepetition => "invalid nested repetition operator",
            Self::RepeatCount => "invalid repeat count",
            Self::MissingBracket => "missing closing ]",
            Self::MissingParenthesis => "missing closing )",
            Self::MissingArgument => "missing argument to repetition operator",
            Self::TrailingBackslash => "trailing backslash at end of expression",
            Self::UnexpectedParenthesis => "unexpected )",
            Self::NestingDepth => "expression nests too deeply",
            Self::Large => "expression too large",
        }
    }
}

impl Error {
    pub(super) fn syntax(reason: Reason, expression: &str) -> Self {
        Self::Syntax {
            reason,
            expression: expression.to_owned(),
        }
    }
}
