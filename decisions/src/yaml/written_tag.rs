//! Which tag stands in front of a node when it is written, and what that does to its style.

use super::composer::long_tag;
use super::scalar::write_style;
use super::token::ScalarStyle;
use super::tree::{Kind, NodeId, Tag, View};

/// How a tag is written: a short form, or the whole between `!<` and `>`.
pub(super) struct WrittenTag {
    pub(super) handle: &'static str,
    pub(super) suffix: Vec<u8>,
}

/// The tag to be written, if any, and the style if it isn't the node's own.
#[inline]
pub(super) fn written_tag(view: View<'_>, id: NodeId) -> (Option<WrittenTag>, Option<ScalarStyle>) {
    if view.kind(id) == Kind::Scalar && view.is_as_read(id) {
        // What it resolves to it resolves to again; only the merge key is a string to the writer.
        let value = view.value(id);
        let own = view.style(id);
        if own != ScalarStyle::Plain || value != "<<" {
            return (None, write_style(own, value, false));
        }
    }
    tag_and_style(view, id)
}

fn tag_and_style(view: View<'_>, id: NodeId) -> (Option<WrittenTag>, Option<ScalarStyle>) {
    let (tag, explicit) = match view.tag(id) {
        Tag::Explicit(tag) => (tag, true),
        Tag::Implied(tag) => (tag.as_bytes(), view.is_tag_written(id)),
    };
    let mut style = None;
    let mut is_written = !tag.is_empty();
    match view.kind(id) {
        Kind::Scalar => {
            let value = view.value(id);
            let own = view.style(id);
            let is_string = tag == b"!!str";
            let mut is_forced = false;
            if is_written && !explicit {
                let is_quoted = is_string && own != ScalarStyle::Plain;
                let is_implied = super::resolve::resolve(value).tag().as_bytes() == tag;
                is_forced = is_string && !is_quoted && !is_implied;
                is_written = !is_string && !is_implied;
            }
            style = write_style(own, value, is_forced);
        }
        Kind::Sequence => is_written &= explicit || tag != b"!!seq",
        Kind::Mapping => is_written &= explicit || tag != b"!!map",
        Kind::Alias => is_written = false,
    }
    let tag = is_written.then(|| split_tag(&long_tag(tag)));
    (tag, style)
}

/// The tag that is written in front of a changed scalar though the source has none.
pub fn added_tag(view: View<'_>, id: NodeId) -> Option<String> {
    if matches!(view.source_tag(id), Tag::Explicit(_)) {
        return None;
    }
    let tag = written_tag(view, id).0?;
    Some(format!(
        "{}{}",
        tag.handle,
        String::from_utf8_lossy(&tag.suffix)
    ))
}

fn split_tag(tag: &[u8]) -> WrittenTag {
    for (handle, prefix) in [("!", b"!".as_slice()), ("!!", b"tag:yaml.org,2002:")] {
        if let Some(suffix) = tag.strip_prefix(prefix) {
            let suffix = suffix.to_vec();
            return WrittenTag { handle, suffix };
        }
    }
    WrittenTag {
        handle: "",
        suffix: tag.to_vec(),
    }
}
