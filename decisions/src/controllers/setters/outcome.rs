//! Mirrors image-automation-controller 1.2 `internal/update/result.go`: what goes into a run over the files and what comes out of it.

use std::fmt;

use super::changes::{FileChanges, ObjectIdentifier};
pub use crate::yaml::Altered;

/// One policy in scope that has a latest image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetterPolicy {
    /// The policy's namespace.
    pub namespace: String,
    /// The policy's name.
    pub name: String,
    /// The image without tag, as the ImageRepository spells it.
    pub image: String,
    /// The latest tag.
    pub tag: String,
    /// The digest of the tag, `sha256:...`; empty when none is reflected.
    pub digest: String,
}

/// One candidate file, already found and read.
#[derive(Clone, Copy, Debug)]
pub struct SourceFile<'a> {
    /// Relative to `spec.update.path`, with `/` between its parts.
    pub path: &'a str,
    /// The bytes in the work tree.
    pub bytes: &'a [u8],
}

/// What one run does to the candidate files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// The files that get new bytes, in the order of the candidates; files made from a `List` come last.
    pub written: Vec<WrittenFile>,
    /// What the commit message sees. The path is empty for the items of an unwrapped `List`.
    pub changed: Vec<FileChanges>,
    /// Every changed field with its place in the old file.
    pub located: Vec<LocatedChange>,
    /// Every occurrence of `$imagepolicy` in the candidate files, in file and line order.
    pub markers: Vec<Marker>,
    /// Candidates that hold a marker and can't be read; the run skips them silently.
    pub problem_files: Vec<ProblemFile>,
    /// Files that change and can't be written with nothing but their values changed, where that is wanted. They are not in `written`.
    pub unplaced: Vec<Unplaced>,
}

/// A new value that can't be put in the place of the old one with nothing else changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplaced {
    /// Relative to `spec.update.path`.
    pub path: String,
    /// The line of the old value, from 1.
    pub line: usize,
}

/// A file after the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Relative to `spec.update.path`.
    pub path: String,
    /// The new bytes.
    pub bytes: Vec<u8>,
    /// True when the file didn't exist before (it comes out of an unwrapped `List`).
    pub created: bool,
    /// What the controller would write, where only the values were changed.
    pub exact: Option<Vec<u8>>,
    /// What rewriting did to the file beside setting values.
    pub losses: Vec<Loss>,
}

/// One thing that a rewrite changed although nobody asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The line in the old file, from 1.
    pub line: usize,
    /// What happened there.
    pub kind: LossKind,
    /// How many more of the kind the file has that are not listed.
    pub more: usize,
}

/// The kinds of damage that a rewrite can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LossKind {
    /// A value was given an explicit tag that contradicts it (`!!int v2`): the old text wasn't a string.
    Retyped {
        /// The tag written, such as `!!int`.
        tag: String,
    },
    /// Text after the first YAML document of a chunk (after `...` or a complete root collection) is gone.
    DroppedText,
    /// A document without content is gone, with its comments.
    DroppedDocument,
    /// `metadata` or `metadata.annotations` had no content and was removed; the key is given.
    RemovedEmptyField {
        /// `metadata` or `annotations`.
        key: String,
    },
    /// A comment is gone; its text is given.
    LostComment {
        /// The comment with its `#`.
        text: String,
    },
    /// An item of a `List` was written to a file of its own, and the `List` itself was left alone.
    UnwrappedItem {
        /// The file of the `List`, relative to `spec.update.path`.
        list: String,
        /// Whether it takes the place of what stood in the file.
        replaces: bool,
        /// Whether it is written as JSON, which has no comments.
        as_json: bool,
    },
    /// An annotation that the libraries keep their notes under is gone.
    DroppedAnnotation {
        /// Its key.
        key: String,
    },
    /// A value is another though nobody set it.
    Altered(Altered),
}

/// A changed field and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocatedChange {
    /// The file that holds the marker, relative to `spec.update.path`.
    pub path: String,
    /// The object that holds the field.
    pub object: ObjectIdentifier,
    /// The setter of the marker.
    pub setter: String,
    /// The line of the value in the old file, from 1.
    pub line: usize,
    /// The column of the value in characters, from 1.
    pub column: usize,
    /// The text before.
    pub old: String,
    /// The text after.
    pub new: String,
}

/// One `$imagepolicy` in a candidate file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The file, relative to `spec.update.path`.
    pub path: String,
    /// The line of the text `$imagepolicy`, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    /// The setter that the marker names, if it can be read.
    pub setter: Option<String>,
    /// What the run does about it.
    pub outcome: MarkerOutcome,
    /// How many more of the file do nothing and are not listed.
    pub more: usize,
}

/// What a run does about a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkerOutcome {
    /// The field gets a new value.
    Applied {
        /// The text before.
        old: String,
        /// The text after.
        new: String,
    },
    /// The field has the right value already.
    UpToDate {
        /// The text of the field.
        value: String,
    },
    /// The marker does nothing.
    Ignored(Ignored),
}

/// Why a marker does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Well formed and in the right place, but no policy in scope has this name (or the suffix is wrong).
    UnknownSetter,
    /// Names `$imagepolicy` but isn't one strict JSON object of strings with a value for `$imagepolicy`; or the file holds no
    /// `"$imagepolicy"` in double quotes at all and isn't looked at.
    Malformed,
    /// Well formed, but attached to something else than a scalar value; what it is attached to.
    Position(&'static str),
    /// In the right place, but something else hides it: another comment of the same value, or an earlier key of the same name.
    Shadowed(&'static str),
    /// The file is a list at its root, which the controller doesn't read.
    ListFile,
    /// The file can't be read.
    ProblemFile,
}

/// A candidate that holds a marker but can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemFile {
    /// The file, relative to `spec.update.path`.
    pub path: String,
    /// The line, from 1, as far as it is known.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// The whole run fails and nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFailure {
    /// The controller's text after `failed to apply policies: `. Where the controller names the folder of its work tree,
    /// [`PACKAGE`](super::PACKAGE) stands for it.
    pub message: String,
    /// The controller doesn't report this: it panics, is caught, and tries again, and its Ready condition stays Unknown. The
    /// message is that of the panic.
    pub is_crash: bool,
    /// The file that causes it, relative to `spec.update.path`, where one alone does.
    pub path: Option<String>,
}

impl RunFailure {
    /// The controller fails with `message`.
    pub fn predicted(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_crash: false,
            path: None,
        }
    }

    /// The controller panics.
    pub fn crash(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_crash: true,
            path: None,
        }
    }
}

impl fmt::Display for RunFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for RunFailure {}
