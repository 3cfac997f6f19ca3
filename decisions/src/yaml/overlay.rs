//! Changes to the fields of a document that leave its tree as it is, so that they can be made, looked at, and dropped.

use super::token::ScalarStyle;
use super::tree::NodeId;

/// A string that isn't in the source.
#[derive(Clone, Debug)]
pub(super) struct AddedString {
    pub(super) text: String,
    pub(super) style: ScalarStyle,
    /// The tag is written.
    pub(super) tagged: bool,
}

/// What a document has instead of, and beside, the nodes of its source.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// The children of nodes whose children aren't those of the source.
    edits: Vec<(NodeId, Vec<NodeId>)>,
    /// The nodes that aren't in the source: strings, and `None` for mappings.
    added: Vec<Option<AddedString>>,
    /// Keys of the source that were removed because they had no content.
    removed: Vec<NodeId>,
}

impl Overlay {
    /// Adds a string.
    pub(super) fn add_string(&mut self, text: String, style: ScalarStyle, tagged: bool) -> NodeId {
        self.added.push(Some(AddedString {
            text,
            style,
            tagged,
        }));
        NodeId::added(self.added.len() - 1)
    }

    /// Adds an empty mapping.
    pub(super) fn add_mapping(&mut self) -> NodeId {
        self.added.push(None);
        NodeId::added(self.added.len() - 1)
    }

    /// An added string; `None` for mappings.
    pub(super) fn string(&self, id: NodeId) -> Option<&AddedString> {
        self.added.get(id.number_added())?.as_ref()
    }

    /// The children of a node, where they aren't those of the source.
    pub(super) fn children(&self, id: NodeId) -> Option<&[NodeId]> {
        let found = self.edits.iter().find(|(of, _)| *of == id)?;
        Some(&found.1)
    }

    /// Gives a node other children.
    pub(super) fn set_children(&mut self, id: NodeId, children: Vec<NodeId>) {
        *self.children_mut(id) = children;
    }

    /// The children that a node was given, to be changed.
    pub(super) fn children_mut(&mut self, id: NodeId) -> &mut Vec<NodeId> {
        let at = self.edits.iter().position(|(of, _)| *of == id);
        let at = at.unwrap_or_else(|| {
            self.edits.push((id, Vec::new()));
            self.edits.len() - 1
        });
        &mut self.edits[at].1
    }

    /// Notes that a key of the source was removed because it had no content.
    pub(super) fn note_removed(&mut self, key: NodeId) {
        if !key.is_added() {
            self.removed.push(key);
        }
    }

    /// The keys of the source that were removed because they had no content.
    pub(super) fn removed(&self) -> &[NodeId] {
        &self.removed
    }
}
