//! A document as a configuration object: its name, and the notes that the library keeps in its annotations while it works on it.
//!
//! Writing the notes and removing them again isn't without traces: empty `metadata` and `annotations` go with them, notes that are
//! in the source are lost, and objects whose `metadata` is no mapping can't be read at all. For documents as they mostly are these
//! traces are known beforehand ([`Shape::Ordinary`]); for all others the notes are really written, into an [`Overlay`].

use std::fmt;

use super::overlay::Overlay;
use super::sequence_indent::SequenceIndent;
use super::token::ScalarStyle;
use super::tree::{Document, Kind, NodeId, Tag, Tree, View};

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
/// The key under which a document that is no mapping is wrapped.
const WRAPPING_KEY: &str = "bareSeqNodeWrappingKey";

/// Why an object can't have its notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectError {
    /// The library's text.
    pub message: String,
    /// Where the trouble is, in bytes from the start of the document's text.
    pub offset: u32,
    /// The library doesn't report this, but crashes.
    pub is_crash: bool,
}

impl fmt::Display for ObjectError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ObjectError {}

/// What names an object; each part may be empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity<'a> {
    /// `apiVersion`.
    pub api_version: &'a str,
    /// `kind`.
    pub kind: &'a str,
    /// `metadata.name`.
    pub name: &'a str,
    /// `metadata.namespace`.
    pub namespace: &'a str,
}

/// How much of a document's `metadata` is as it mostly is.
pub(super) enum Shape {
    /// At most one `metadata` that is a mapping or empty, in it at most one `annotations`, and none of the library's own notes. All
    /// that remains of the notes is that these keys are removed.
    Ordinary(Vec<NodeId>),
    /// Anything else.
    Odd,
}

impl Shape {
    pub(super) fn of(view: View<'_>) -> Self {
        Self::ordinary(view).map_or(Self::Odd, Self::Ordinary)
    }

    fn ordinary(view: View<'_>) -> Option<Vec<NodeId>> {
        if view.kind(view.root()) != Kind::Mapping || view.properties(view.root()).is_some() {
            return None;
        }
        let mut metadata = None;
        for (key, value) in view.fields(view.root()) {
            match view.value(key) {
                METADATA if metadata.is_none() => metadata = Some((key, value)),
                METADATA | WRAPPING_KEY => return None,
                _ => {}
            }
        }
        let Some((metadata_key, metadata)) = metadata else {
            return Some(Vec::new());
        };
        if view.properties(metadata).is_some() || view.properties(metadata_key).is_some() {
            return None;
        }
        match view.kind(metadata) {
            Kind::Mapping => {}
            Kind::Scalar if view.is_null(metadata) => return Some(vec![metadata_key]),
            _ => return None,
        }
        let mut annotations = None;
        let mut fields = 0;
        for (key, value) in view.fields(metadata) {
            fields += 1;
            if view.value(key) == ANNOTATIONS {
                if annotations.is_some() || view.properties(key).is_some() {
                    return None;
                }
                annotations = Some((key, value));
            }
        }
        let mut removed = Vec::new();
        if let Some((key, value)) = annotations {
            if view.properties(value).is_some() {
                return None;
            }
            if view.is_childless(value) {
                removed.push(key);
                fields -= 1;
            } else if view.kind(value) != Kind::Mapping || holds_notes(view, value) {
                return None;
            }
        }
        if fields == 0 {
            removed.insert(0, metadata_key);
        }
        Some(removed)
    }
}

fn holds_notes(view: View<'_>, annotations: NodeId) -> bool {
    view.fields(annotations).any(|(key, _)| {
        let key = view.value(key);
        key.starts_with("config.k") || key.starts_with("internal.config.")
    })
}

impl<'a> View<'a> {
    /// The object's names. `None` when there is nothing at all that makes it an object.
    pub fn identity(&self) -> Option<Identity<'a>> {
        if self.is_null(self.root()) {
            return Some(Identity::default());
        }
        let mut identity = Identity::default();
        let mut is_object = false;
        let mut metadata = None;
        let [mut api_version, mut kind] = [None; 2];
        for (key, value) in self.fields(self.root()) {
            let field = match self.value(key) {
                "apiVersion" => &mut api_version,
                "kind" => &mut kind,
                METADATA => &mut metadata,
                _ => continue,
            };
            field.get_or_insert(value);
        }
        let filled = |field: Option<NodeId>| field.filter(|id| !self.is_empty(*id));
        for (field, text) in [
            (api_version, &mut identity.api_version),
            (kind, &mut identity.kind),
        ] {
            if let Some(value) = filled(field) {
                *text = self.value(value);
                is_object = true;
            }
        }
        if let Some(metadata) = filled(metadata) {
            let field = |key| filled(self.field(metadata, key));
            identity.name = field("name").map_or("", |id| self.value(id));
            identity.namespace = field("namespace").map_or("", |id| self.value(id));
            is_object |= ["name", "namespace", "labels", ANNOTATIONS]
                .iter()
                .any(|key| field(key).is_some());
        }
        is_object.then_some(identity)
    }

    /// The values that the object's names are.
    pub fn naming_nodes(&self) -> Vec<NodeId> {
        let field = |parent: NodeId, key| self.field(parent, key);
        let root = self.root();
        let mut nodes: Vec<NodeId> = ["apiVersion", "kind"]
            .iter()
            .filter_map(|key| field(root, key))
            .collect();
        if let Some(metadata) = field(root, METADATA) {
            nodes.extend(
                ["name", "namespace"]
                    .iter()
                    .filter_map(|key| field(metadata, key)),
            );
        }
        nodes
    }

    /// Whether a node is null or a collection without children.
    fn is_empty(&self, id: NodeId) -> bool {
        match self.kind(id) {
            Kind::Sequence | Kind::Mapping => self.is_childless(id) || self.is_null(id),
            Kind::Scalar | Kind::Alias => self.is_null(id),
        }
    }

    /// The text of an annotation; empty where it is null.
    pub fn annotation(&self, key: &str) -> Option<&'a str> {
        if self.is_null(self.root()) {
            return None;
        }
        let filled = |parent, key| self.field(parent, key).filter(|id| !self.is_empty(*id));
        let metadata = filled(self.root(), METADATA)?;
        let annotations = filled(metadata, ANNOTATIONS)?;
        let (name, value) = self
            .fields(annotations)
            .find(|(name, _)| self.value(*name) == key)?;
        if self.is_null(name) {
            return None;
        }
        Some(if self.is_null(value) {
            ""
        } else {
            self.value(value)
        })
    }

    /// The text of an annotation; empty when it is absent.
    pub fn annotation_or_empty(&self, key: &str) -> &'a str {
        self.annotation(key).unwrap_or_default()
    }
}

/// An object with its notes really written.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    tree: &'a Tree,
    document: &'a Document,
    text: &'a str,
    overlay: Overlay,
    /// Whether new values of scalars are seen.
    changes: bool,
}

type Done = Result<(), ObjectError>;

impl<'a> Object<'a> {
    /// The object as it stands in its file, before any value was set.
    pub fn new(view: View<'a>) -> Self {
        Self {
            tree: view.tree,
            document: view.document,
            text: view.text,
            overlay: Overlay::default(),
            changes: false,
        }
    }

    /// From now on the object is seen with the values that were set.
    pub fn show_changes(&mut self) {
        self.changes = true;
    }

    /// Whether it is an item of a `List` that was taken apart.
    pub(super) fn is_list_item(&self) -> bool {
        self.document.is_list_item
    }

    /// The object as it is.
    pub fn view(&self) -> View<'_> {
        View {
            overlay: Some(&self.overlay),
            changes: self.changes,
            ..self.tree.view(self.document, self.text)
        }
    }

    /// The object as YAML, with its notes.
    pub(super) fn text(&self) -> String {
        super::emitter::text_of(self.view(), self.document.root, !self.is_list_item())
    }

    /// The object as JSON with a line end, with its notes.
    ///
    /// # Errors
    ///
    /// The libraries' text: what contradicts its tag, or has no form in JSON.
    pub fn to_json(&self) -> Result<String, String> {
        super::marshal::to_json(self)
    }

    /// Writes the notes of reading: which object of which file it is, and how its lists are written. `text` is its piece of the file.
    ///
    /// # Errors
    ///
    /// When `metadata` or `annotations` isn't what it must be.
    pub fn note_reading(&mut self, text: &[u8], index: usize, path: Option<&str>) -> Done {
        self.copy_legacy_annotations()?;
        let index = index.to_string();
        self.set_annotation(LEGACY_INDEX, &index)?;
        self.set_annotation(INDEX, &index)?;
        if let Some(path) = path {
            self.set_annotation(PATH, path)?;
        }
        self.set_annotation(SEQUENCE_INDENT, SequenceIndent::of(text).word())
    }

    /// Sets an annotation, after removing empty `metadata` and `annotations`.
    ///
    /// # Errors
    ///
    /// When `metadata` or `annotations` isn't what it must be.
    pub fn set_annotation(&mut self, key: &str, value: &str) -> Done {
        self.clear_empty_annotations()?;
        let Some(metadata) = self.find_or_create(self.document.root, METADATA)? else {
            return Ok(());
        };
        let Some(annotations) = self.find_or_create(metadata, ANNOTATIONS)? else {
            return Ok(());
        };
        let Some((at, old)) = self.find(annotations, key)? else {
            let key = self
                .overlay
                .add_string(key.to_owned(), ScalarStyle::Plain, false);
            let value = self
                .overlay
                .add_string(value.to_owned(), ScalarStyle::SingleQuoted, false);
            self.children_mut(annotations).extend([key, value]);
            return Ok(());
        };
        // The old style and place stay, the comments go.
        let view = self.view();
        let is_scalar = view.kind(old) == Kind::Scalar;
        let style = if is_scalar {
            view.style(old)
        } else {
            ScalarStyle::Plain
        };
        let tagged = matches!(view.tag(old), Tag::Explicit(_));
        let new = self.overlay.add_string(value.to_owned(), style, tagged);
        self.children_mut(annotations)[at + 1] = new;
        Ok(())
    }

    /// Removes an annotation, if there is one.
    ///
    /// # Errors
    ///
    /// When `metadata` or `annotations` isn't what it must be.
    pub fn clear_annotation(&mut self, key: &str) -> Done {
        let Some((_, metadata)) = self.find(self.document.root, METADATA)? else {
            return Ok(());
        };
        match self.find(metadata, ANNOTATIONS)? {
            Some((_, annotations)) => self.clear_field(annotations, key, false),
            None => Ok(()),
        }
    }

    /// Removes `annotations` and then `metadata` if they have no content. A scalar counts as no content.
    ///
    /// # Errors
    ///
    /// When `metadata` isn't what it must be.
    pub fn clear_empty_annotations(&mut self) -> Done {
        if let Some((_, metadata)) = self.find(self.document.root, METADATA)? {
            self.clear_field(metadata, ANNOTATIONS, true)?;
        }
        self.clear_field(self.document.root, METADATA, true)
    }

    /// Gives each of two annotations that say the same under an old and a new name to the other, where it lacks.
    ///
    /// # Errors
    ///
    /// When `metadata` or `annotations` isn't what it must be.
    pub fn copy_legacy_annotations(&mut self) -> Done {
        let view = self.view();
        if view.identity().is_none() {
            return Ok(());
        }
        // All names are read before the first is written.
        let pairs = [(LEGACY_PATH, PATH), (LEGACY_INDEX, INDEX), (LEGACY_ID, ID)];
        let missing: Vec<(&str, String)> = pairs
            .into_iter()
            .filter_map(|(legacy, new)| {
                let legacy_value = view.annotation_or_empty(legacy);
                let new_value = view.annotation_or_empty(new);
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

    /// The text of an annotation as the writer of files sees it, to which a null is a text too.
    ///
    /// # Errors
    ///
    /// When `metadata` or `annotations` isn't what it must be.
    pub fn raw_annotation(&self, key: &str) -> Result<Option<&str>, ObjectError> {
        let mut at = self.document.root;
        for name in [METADATA, ANNOTATIONS, key] {
            let Some((_, found)) = self.find(at, name)? else {
                return Ok(None);
            };
            at = found;
        }
        Ok(Some(self.view().value(at)))
    }

    /// How the lists of the object are to be written, as noted in it.
    ///
    /// # Errors
    ///
    /// When `metadata` or `annotations` isn't what it must be.
    pub fn noted_sequence_indent(&self) -> Result<SequenceIndent, ObjectError> {
        let mut noted = SequenceIndent::Compact;
        let view = self.view();
        let root = self.document.root;
        if view.is_null(root) {
            return Ok(noted);
        }
        let Some((_, metadata)) = self.find_pair(root, METADATA)? else {
            return Ok(noted);
        };
        if view.is_empty(metadata) {
            return Ok(noted);
        }
        let Some((_, annotations)) = self.find_pair(metadata, ANNOTATIONS)? else {
            return Ok(noted);
        };
        // The last one counts here.
        for (_, key, value) in self.pairs(annotations) {
            let Some(value) = value else {
                return Err(self.crash(self.content(annotations).len()));
            };
            if view.value(key) == SEQUENCE_INDENT {
                noted = SequenceIndent::of_word(view.value(value));
            }
        }
        Ok(noted)
    }

    /// The node that is written: the object, or what is wrapped in it.
    pub(super) fn unwrapped(&self) -> (NodeId, bool) {
        let view = self.view();
        let root = self.document.root;
        if view.kind(root) == Kind::Mapping && !view.is_null(root) {
            let wrapped = view.field(root, WRAPPING_KEY);
            if let Some(value) = wrapped.filter(|value| !view.is_empty(*value)) {
                return (value, true);
            }
        }
        (root, false)
    }

    fn content(&self, id: NodeId) -> Vec<NodeId> {
        self.view().children(id).collect()
    }

    /// The children by twos, whatever the node is, with their places.
    fn pairs(&self, id: NodeId) -> impl Iterator<Item = (usize, NodeId, Option<NodeId>)> + use<'_> {
        let mut children = self.view().children(id);
        let mut at = 0;
        std::iter::from_fn(move || {
            let key = children.next()?;
            at += 2;
            Some((at - 2, key, children.next()))
        })
    }

    fn children_mut(&mut self, id: NodeId) -> &mut Vec<NodeId> {
        let listed = self.overlay.children(id).is_some();
        if !listed {
            let children = self.content(id);
            self.overlay.set_children(id, children);
        }
        self.overlay.children_mut(id)
    }

    /// Place and value of the first field with this key; `None` if there is none or the node is null.
    fn find(&self, parent: NodeId, key: &str) -> Result<Option<(usize, NodeId)>, ObjectError> {
        if self.view().is_null(parent) {
            return Ok(None);
        }
        self.expect_mapping(parent)?;
        self.find_pair(parent, key)
    }

    /// As [`Self::find`], whatever the node is.
    fn find_pair(&self, parent: NodeId, key: &str) -> Result<Option<(usize, NodeId)>, ObjectError> {
        for (at, name, value) in self.pairs(parent) {
            let Some(value) = value else {
                return Err(self.crash(self.content(parent).len()));
            };
            if self.view().value(name) == key {
                return Ok(Some((at, value)));
            }
        }
        Ok(None)
    }

    /// As [`Self::find`], but a field that isn't there is added with an empty mapping.
    fn find_or_create(
        &mut self,
        parent: NodeId,
        name: &str,
    ) -> Result<Option<NodeId>, ObjectError> {
        if self.view().is_null(parent) {
            return Ok(None);
        }
        if let Some((_, found)) = self.find(parent, name)? {
            return Ok(Some(found));
        }
        let key = self
            .overlay
            .add_string(name.to_owned(), ScalarStyle::Plain, false);
        let value = self.overlay.add_mapping();
        self.children_mut(parent).extend([key, value]);
        Ok(Some(value))
    }

    /// Removes the first field with this key, or with `if_empty` the first such field without content. A null node may be any
    /// collection here.
    fn clear_field(&mut self, parent: NodeId, name: &str, if_empty: bool) -> Done {
        self.expect_mapping(parent)?;
        let mut found = None;
        for (at, key, value) in self.pairs(parent) {
            let Some(value) = value else {
                return Err(self.crash(self.content(parent).len()));
            };
            let view = self.view();
            if view.value(key) == name && (!if_empty || view.is_childless(value)) {
                found = Some((at, key));
                break;
            }
        }
        let Some((at, key)) = found else {
            return Ok(());
        };
        self.children_mut(parent).drain(at..at + 2);
        if if_empty {
            self.overlay.note_removed(key);
        }
        Ok(())
    }

    fn crash(&self, length: usize) -> ObjectError {
        ObjectError {
            message: format!("runtime error: index out of range [{length}] with length {length}"),
            offset: 0,
            is_crash: true,
        }
    }

    /// Fails unless the object is a mapping or null.
    ///
    /// # Errors
    ///
    /// It is something else.
    pub fn check_is_mapping(&self) -> Done {
        self.expect_mapping(self.document.root)
    }

    /// Fails unless the node is a mapping or null.
    fn expect_mapping(&self, id: NodeId) -> Done {
        let view = self.view();
        let actual = match view.kind(id) {
            Kind::Mapping => return Ok(()),
            _ if view.is_null(id) => return Ok(()),
            Kind::Sequence => "SequenceNode",
            Kind::Scalar => "ScalarNode",
            Kind::Alias => "AliasNode",
        };
        let content = super::emitter::text_of(view, id, false);
        Err(ObjectError {
            message: format!(
                "wrong node kind: expected MappingNode but got {actual}: node contents:\n{content}"
            ),
            offset: self.offset_of(id),
            is_crash: false,
        })
    }

    /// Where a node stands, or near it.
    fn offset_of(&self, id: NodeId) -> u32 {
        let view = self.view();
        let place_of = |id| match view.kind(id) {
            Kind::Scalar | Kind::Alias => Some(view.start(id)),
            Kind::Sequence | Kind::Mapping => None,
        };
        if let Some(start) = place_of(id) {
            return start;
        }
        let metadata = view.field(view.root(), METADATA);
        let parents = [Some(view.root()), metadata];
        let mut keys = parents
            .into_iter()
            .flatten()
            .flat_map(|parent| view.fields(parent));
        let key = keys.find(|(_, value)| *value == id).map(|(key, _)| key);
        key.and_then(place_of).unwrap_or(0)
    }
}
