//! The files of a source, wherever they are: a local work tree or a clone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::GitError;
use super::clone::Clone;
use super::work_tree;
use crate::facts::git::WorkTree;
use crate::io::visit_files;

/// A source's files.
#[derive(Clone, Debug)]
pub enum TreeFiles {
    /// A local folder.
    Folder {
        /// The top of the work tree, or the folder itself.
        top: PathBuf,
        /// Whether it is a work tree of git's.
        repository: bool,
    },
    /// A clone.
    Clone(Arc<Clone>),
    /// What is left of either: the contents of some files.
    Recorded(Arc<RecordedFiles>),
}

/// The files of a source at another moment.
#[derive(Debug)]
pub struct RecordedFiles {
    folder: PathBuf,
    /// The files whose contents are there; those of others were of no interest, and count as empty.
    held: BTreeSet<String>,
}

impl TreeFiles {
    /// The work tree that holds `folder`, or the folder itself where none does; with every entry.
    ///
    /// # Errors
    ///
    /// Git can't read it.
    pub fn local(folder: &Path) -> Result<(Self, WorkTree), GitError> {
        let found = work_tree::local_tree(folder)?;
        let files = Self::Folder {
            top: found.top,
            repository: found.repository,
        };
        Ok((files, found.tree))
    }

    /// Files of which `folder` has those that matter. Links in it are not followed.
    pub fn recorded(folder: &Path) -> Self {
        let held = work_tree::plain_tree(folder).unwrap_or_default();
        Self::Recorded(Arc::new(RecordedFiles {
            folder: folder.to_owned(),
            held: held.entries.files().collect(),
        }))
    }

    /// Reads the files `paths` and keeps those in which `wanted` is true; a file that can't be read keeps its error.
    pub fn read_files(
        &self,
        paths: &[&str],
        wanted: fn(&[u8]) -> bool,
    ) -> BTreeMap<String, Result<Vec<u8>, String>> {
        match self {
            Self::Folder { top, .. } => work_tree::read_files(top, paths, wanted),
            Self::Clone(clone) => clone.read_files(paths, wanted),
            Self::Recorded(recorded) => {
                let kept = recorded.visit(paths, &|_, read: Result<&[u8], String>| match read {
                    Ok(bytes) => wanted(bytes).then(|| Ok(bytes.to_vec())),
                    Err(error) => Some(Err(error)),
                });
                kept.into_iter()
                    .map(|(at, read)| (paths[at].to_owned(), read))
                    .collect()
            }
        }
    }

    /// Looks at `count` files, whose paths `path` gives, several side by side, and keeps what `look` makes of each, with its number, in
    /// order.
    ///
    /// The bytes are in memory only while they are looked at.
    pub fn visit_files<'p, T: Send>(
        &self,
        count: usize,
        path: &(impl Fn(usize) -> Cow<'p, str> + Sync),
        look: &(impl Fn(usize, Result<&[u8], String>) -> Option<T> + Sync),
    ) -> Vec<(usize, T)> {
        let all = || (0..count).map(path).collect::<Vec<_>>();
        match self {
            Self::Folder { top, .. } => visit_files(top, count, path, look),
            Self::Clone(clone) => clone.visit_files(&all(), look),
            Self::Recorded(recorded) => recorded.visit(&all(), look),
        }
    }

    /// Those of `paths` that git would ignore as new files; none in a folder that is no work tree.
    ///
    /// # Errors
    ///
    /// Git fails.
    pub fn ignored(&self, paths: &[String]) -> Result<Vec<String>, GitError> {
        match self {
            _ if paths.is_empty() => Ok(Vec::new()),
            Self::Folder {
                repository: false, ..
            } => Ok(Vec::new()),
            Self::Folder { top, .. } => work_tree::ignored(top, paths),
            Self::Clone(clone) => clone.ignored(paths),
            Self::Recorded(_) => Ok(Vec::new()),
        }
    }
}

impl RecordedFiles {
    fn visit<P: AsRef<str> + Sync, T: Send>(
        &self,
        paths: &[P],
        look: &(impl Fn(usize, Result<&[u8], String>) -> Option<T> + Sync),
    ) -> Vec<(usize, T)> {
        let (held, empty): (Vec<usize>, Vec<usize>) =
            (0..paths.len()).partition(|at| self.held.contains(paths[*at].as_ref()));
        let path = |at: usize| Cow::Borrowed(paths[held[at]].as_ref());
        let look_held = |at: usize, read: Result<&[u8], String>| look(held[at], read);
        let found = visit_files(&self.folder, held.len(), &path, &look_held);
        let found = found.into_iter().map(|(at, made)| (held[at], made));
        let nothing = empty
            .into_iter()
            .filter_map(|at| Some((at, look(at, Ok(&[]))?)));
        let mut all: Vec<(usize, T)> = found.chain(nothing).collect();
        all.sort_by_key(|(at, _)| *at);
        all
    }
}
