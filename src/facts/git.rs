//! A work tree: what a clone of it would hold.

use std::collections::BTreeMap;

/// What stands at a path of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeEntry {
    /// An ordinary file.
    File,
    /// A symbolic link and where it points, as written in it.
    Link(String),
    /// Another repository; a clone leaves its folder empty.
    Submodule,
}

/// The files of a repository by path (relative to its top, `/` between parts), and where they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkTree {
    /// Every entry; folders are implied.
    pub entries: BTreeMap<String, TreeEntry>,
    /// The commit that is checked out; `None` outside a repository and before its first commit.
    pub commit: Option<String>,
    /// The branch that is checked out, if one is.
    pub branch: Option<String>,
    /// Paths that aren't UTF-8, as text with U+FFFD: they are not read.
    pub unreadable_paths: Vec<String>,
}

/// What a path of a tree leads to when no link is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// A folder.
    Folder,
    /// An entry of its own.
    Entry(&'a TreeEntry),
    /// Nothing.
    Missing,
}

impl WorkTree {
    /// What stands at `path`; the empty path is the top.
    pub fn look_up(&self, path: &str) -> Lookup<'_> {
        if path.is_empty() {
            return Lookup::Folder;
        }
        if let Some(entry) = self.entries.get(path) {
            return if *entry == TreeEntry::Submodule {
                Lookup::Folder
            } else {
                Lookup::Entry(entry)
            };
        }
        let prefix = format!("{path}/");
        match self.entries.range(prefix.clone()..).next() {
            Some((first, _)) if first.starts_with(&prefix) => Lookup::Folder,
            _ => Lookup::Missing,
        }
    }
}
