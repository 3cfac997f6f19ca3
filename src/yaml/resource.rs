//! A document as a configuration object: its name, and the notes that the library keeps in its annotations while it works on it.
//!
//! The notes are really written into the tree and removed again, because that isn't without traces: empty `metadata` and
//! `annotations` go with them, and objects whose `metadata` is no mapping can't be read at all.

use std::fmt;

use super::document::{Document, NodeId, NodeKind};
use super::emitter::Emitter;
use super::sequence_indent::SequenceIndent;
use super::token::ScalarStyle;

/// Number of the object in its file.
pub const INDEX: &str = "internal.config.kubernetes.io/index";
/// The older name of [`INDEX`].
pub const LEGACY_INDEX: &str = "config.kubernetes.io/index";
/// The object's file.
pub const PATH: &str = "internal.config.kubernetes.io/path";
/// The older name of [`PATH`].
pub const LEGACY_PATH: &str = "config.kubernetes.io/path";
/// The identity of the object for functions.
pub const ID: &str = "internal.config.kubernetes.io/id";
/// The older name of [`ID`].
pub const LEGACY_ID: &str = "config.k8s.io/id";
/// How lists are written, `wide` or `compact`.
pub const SEQUENCE_INDENT: &str = "internal.config.kubernetes.io/seqindent";
/// Number of the object in the run.
pub const MIGRATION_ID: &str = "internal.config.kubernetes.io/annotations-migration-resource-id";

const METADATA: &str = "metadata";
const ANNOTATIONS: &str = "annotations";

/// A node is of another kind than it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongKind {
    /// The library's text.
    pub message: String,
    /// Where the node starts, in bytes from the start of the document's text.
    pub offset: usize,
}

impl fmt::Display for WrongKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for WrongKind {}

/// What names an object; each part may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
}

impl Document<'_> {
    /// The object's names. `None` when there is nothing at all that makes it an object.
    pub fn identity(&self) -> Option<Identity> {
        if self.node(self.root).is_null() {
            return Some(Identity::default());
        }
        let text = |parent, key| {
            self.filled_field(parent, key)
                .map(|id| self.node(id).key_text().to_owned())
        };
        let api_version = text(self.root, "apiVersion");
        let kind = text(self.root, "kind");
        let mut is_object = api_version.is_some() || kind.is_some();
        let mut identity = Identity {
            api_version: api_version.unwrap_or_default(),
            kind: kind.unwrap_or_default(),
            ..Identity::default()
        };
        if let Some(metadata) = self.filled_field(self.root, METADATA) {
            is_object |= ["name", "namespace", "labels", ANNOTATIONS]
                .iter()
                .any(|key| self.filled_field(metadata, key).is_some());
            identity.name = text(metadata, "name").unwrap_or_default();
            identity.namespace = text(metadata, "namespace").unwrap_or_default();
        }
        is_object.then_some(identity)
    }

    /// The first field with this key, unless it is null or empty.
    fn filled_field(&self, parent: NodeId, key: &str) -> Option<NodeId> {
        self.field(parent, key).filter(|id| !self.is_empty(*id))
    }

    pub(super) fn is_empty(&self, id: NodeId) -> bool {
        let node = self.node(id);
        match &node.kind {
            _ if node.is_null() => true,
            NodeKind::Sequence { items, .. } => items.is_empty(),
            NodeKind::Mapping { fields, .. } => fields.is_empty(),
            _ => false,
        }
    }

    /// The text of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        let metadata = self.filled_field(self.root, METADATA)?;
        let annotations = self.filled_field(metadata, ANNOTATIONS)?;
        let value = self.node(self.field(annotations, key)?);
        if value.is_null() {
            return Some("");
        }
        Some(value.key_text())
    }

    /// The text of an annotation; empty when it is absent.
    pub fn annotation_or_empty(&self, key: &str) -> &str {
        self.annotation(key).unwrap_or_default()
    }

    /// Sets an annotation, after removing empty `metadata` and `annotations`.
    pub fn set_annotation(&mut self, key: &str, value: &str) -> Result<(), WrongKind> {
        self.clear_empty_annotations()?;
        let Some(metadata) = self.lookup_or_create(self.root, METADATA)? else {
            return Ok(());
        };
        let Some(annotations) = self.lookup_or_create(metadata, ANNOTATIONS)? else {
            return Ok(());
        };
        self.expect_mapping(annotations)?;
        let quoted = ScalarStyle::SingleQuoted;
        if let Some(field) = self.field(annotations, key) {
            // The old style and place stay, the comments go.
            let style = match self.node(field).kind {
                NodeKind::Scalar { style, .. } => style,
                _ => ScalarStyle::Plain,
            };
            let new = self.add_scalar(value.to_owned(), style);
            self.replace_field_value(annotations, key, new);
            return Ok(());
        }
        let value = self.add_scalar(value.to_owned(), quoted);
        let key = self.add_scalar(key.to_owned(), ScalarStyle::Plain);
        self.push_field(annotations, key, value);
        Ok(())
    }

    fn replace_field_value(&mut self, mapping: NodeId, key: &str, new: NodeId) {
        let at = self
            .fields(mapping)
            .iter()
            .position(|(of, _)| self.node(*of).key_text() == key);
        if let NodeKind::Mapping { fields, .. } = &mut self.node_mut(mapping).kind
            && let Some(at) = at
        {
            fields[at].1 = new;
        }
    }

    fn push_field(&mut self, mapping: NodeId, key: NodeId, value: NodeId) {
        if let NodeKind::Mapping { fields, .. } = &mut self.node_mut(mapping).kind {
            fields.push((key, value));
        }
    }

    /// Removes an annotation, if there is one.
    pub fn clear_annotation(&mut self, key: &str) -> Result<(), WrongKind> {
        let Some(metadata) = self.lookup(self.root, METADATA)? else {
            return Ok(());
        };
        match self.lookup(metadata, ANNOTATIONS)? {
            Some(annotations) => self.clear_field(annotations, key, false),
            None => Ok(()),
        }
    }

    /// Removes `annotations` and then `metadata` if they have no content. A scalar counts as no content.
    pub fn clear_empty_annotations(&mut self) -> Result<(), WrongKind> {
        if let Some(metadata) = self.lookup(self.root, METADATA)? {
            self.clear_field(metadata, ANNOTATIONS, true)?;
        }
        self.clear_field(self.root, METADATA, true)
    }

    /// The value of the first field with this key; `None` if it is null or there is none.
    fn lookup(&self, parent: NodeId, key: &str) -> Result<Option<NodeId>, WrongKind> {
        if self.node(parent).is_null() {
            return Ok(None);
        }
        self.expect_mapping(parent)?;
        let found = self.field(parent, key);
        Ok(found.filter(|id| !self.node(*id).is_null()))
    }

    /// As [`Self::lookup`], but a field that isn't there is added with an empty mapping.
    fn lookup_or_create(
        &mut self,
        parent: NodeId,
        name: &str,
    ) -> Result<Option<NodeId>, WrongKind> {
        if self.node(parent).is_null() {
            return Ok(None);
        }
        self.expect_mapping(parent)?;
        if let Some(found) = self.field(parent, name) {
            return Ok(Some(found).filter(|id| !self.node(*id).is_null()));
        }
        let key = self.add_scalar(name.to_owned(), ScalarStyle::Plain);
        let value = self.add_mapping();
        self.push_field(parent, key, value);
        Ok(Some(value))
    }

    /// Removes the first field with this key, or with `if_empty` the first such field without content.
    fn clear_field(
        &mut self,
        mapping: NodeId,
        name: &str,
        if_empty: bool,
    ) -> Result<(), WrongKind> {
        self.expect_mapping(mapping)?;
        let at = self.fields(mapping).iter().position(|(key, value)| {
            self.node(*key).key_text() == name && !(if_empty && self.has_content(*value))
        });
        let Some(at) = at else {
            return Ok(());
        };
        if let NodeKind::Mapping { fields, .. } = &mut self.node_mut(mapping).kind {
            let (key, _) = fields.remove(at);
            if if_empty && self.is_in_source(key) {
                self.removed.push(key);
            }
        }
        Ok(())
    }

    fn has_content(&self, id: NodeId) -> bool {
        match &self.node(id).kind {
            NodeKind::Sequence { items, .. } => !items.is_empty(),
            NodeKind::Mapping { fields, .. } => !fields.is_empty(),
            _ => false,
        }
    }

    /// Fails unless the node is a mapping or null.
    fn expect_mapping(&self, id: NodeId) -> Result<(), WrongKind> {
        let node = self.node(id);
        let actual = match node.kind {
            NodeKind::Mapping { .. } => return Ok(()),
            _ if node.is_null() => return Ok(()),
            NodeKind::Sequence { .. } => "SequenceNode",
            NodeKind::Scalar { .. } => "ScalarNode",
            NodeKind::Alias(_) => "AliasNode",
        };
        let part = self.part(id);
        let mut emitter = Emitter::new();
        emitter.document(&part, SequenceIndent::Compact);
        let content = emitter.finish();
        Err(WrongKind {
            message: format!(
                "wrong node kind: expected MappingNode but got {actual}: node contents:\n{content}"
            ),
            offset: node.start,
        })
    }

    /// Gives each of two annotations that say the same under an old and a new name to the other, where it lacks.
    pub fn copy_legacy_annotations(&mut self) -> Result<(), WrongKind> {
        if self.identity().is_none() {
            return Ok(());
        }
        // All names are read before the first is written.
        let pairs = [(LEGACY_PATH, PATH), (LEGACY_INDEX, INDEX), (LEGACY_ID, ID)];
        let missing: Vec<(&str, String)> = pairs
            .into_iter()
            .filter_map(|(legacy, new)| {
                let legacy_value = self.annotation_or_empty(legacy);
                let new_value = self.annotation_or_empty(new);
                match (new_value.is_empty(), legacy_value.is_empty()) {
                    (false, true) => Some((legacy, new_value.to_owned())),
                    (true, false) => Some((new, legacy_value.to_owned())),
                    _ => None,
                }
            })
            .collect();
        for (key, value) in missing {
            self.set_annotation(key, &value)?;
        }
        Ok(())
    }
}
