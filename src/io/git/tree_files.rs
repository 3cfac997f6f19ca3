//! The files of a source, wherever they are: a local work tree or a clone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::GitError;
use super::clone::Clone;
use super::work_tree::{self, top_of};
use crate::facts::git::WorkTree;

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
}

impl TreeFiles {
    /// The work tree that holds `folder`, or the folder itself where none does.
    ///
    /// # Errors
    ///
    /// Git can't read it.
    pub fn local(folder: &Path) -> Result<Self, GitError> {
        let top = top_of(folder)?;
        Ok(Self::Folder {
            repository: top.is_some(),
            top: top.unwrap_or_else(|| folder.to_owned()),
        })
    }

    /// Every entry, and where they come from.
    ///
    /// # Errors
    ///
    /// Git or the folder can't be read.
    pub fn tree(&self) -> Result<WorkTree, GitError> {
        match self {
            Self::Folder { top, repository } => work_tree::work_tree(top, *repository),
            Self::Clone(clone) => clone.tree(),
        }
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
        }
    }

    /// Looks at the files `paths`, several side by side, and keeps what `look` makes of each, with its number in `paths`, in order.
    ///
    /// The bytes are in memory only while they are looked at.
    pub fn visit_files<T: Send>(
        &self,
        paths: &[&str],
        look: &(impl Fn(usize, Result<&[u8], String>) -> Option<T> + Sync),
    ) -> Vec<(usize, T)> {
        match self {
            Self::Folder { top, .. } => work_tree::visit_files(top, paths, look),
            Self::Clone(clone) => clone.visit_files(paths, look),
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
        }
    }
}
