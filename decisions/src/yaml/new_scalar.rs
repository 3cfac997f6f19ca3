//! What the setters write: the new text of a scalar, and how it is to be written.

use super::token::ScalarStyle;

/// What a scalar is changed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewScalar {
    /// The new text.
    pub text: String,
    /// The new style.
    pub style: ScalarStyle,
    /// The tag that the node has now, unless it is the one that it had.
    pub tag: Option<&'static str>,
    /// Whether a tag is still written if one was.
    pub keeps_written_tag: bool,
}
