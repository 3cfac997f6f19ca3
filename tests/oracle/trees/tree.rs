//! A folder of files and links, as a clone has them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file and its bytes.
    File(Vec<u8>),
    /// A link and where it leads.
    Link(Vec<u8>),
}

/// A folder, and the `spec.update.path` of the automation that looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// `spec.update.path`.
    pub below: String,
    /// By path; no folder is empty.
    pub entries: BTreeMap<Vec<u8>, Entry>,
}

impl Tree {
    /// Whether there are links in it.
    pub fn has_links(&self) -> bool {
        let mut entries = self.entries.values();
        entries.any(|entry| matches!(entry, Entry::Link(_)))
    }

    /// How often the files that the controller reads name the marker.
    pub fn count_markers(&self) -> usize {
        let is_read = |path: &[u8]| {
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
            name == b"Kustomization" || name.ends_with(b".yaml") || name.ends_with(b".yml")
        };
        let files = self.entries.iter().filter(|(path, _)| is_read(path));
        let counts = files.map(|(_, entry)| match entry {
            Entry::File(bytes) => memchr::memmem::find_iter(bytes, b"$imagepolicy").count(),
            Entry::Link(_) => 0,
        });
        counts.sum()
    }

    /// Whether no name holds a control character.
    pub fn has_plain_names(&self) -> bool {
        !self.entries.keys().flatten().any(u8::is_ascii_control)
    }

    /// Whether `path` can be added: nothing stands there, and no part of it is a file or a link.
    pub fn has_room_for(&self, path: &[u8]) -> bool {
        let inside = [path, b"/"].concat();
        let parts = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut parents = parts.map(|(at, _)| &path[..at]);
        !self.entries.contains_key(path)
            && !self.entries.keys().any(|other| other.starts_with(&inside))
            && !parents.any(|parent| self.entries.contains_key(parent))
    }

    /// Makes it in an empty folder.
    pub fn write(&self, folder: &Path) {
        for (path, entry) in &self.entries {
            let path = folder.join(OsStr::from_bytes(path));
            let parent = path.parent().expect("it is in the folder");
            fs::create_dir_all(parent).expect("a folder can be made");
            match entry {
                Entry::File(bytes) => fs::write(&path, bytes).expect("a file can be written"),
                Entry::Link(target) => {
                    symlink(OsStr::from_bytes(target), &path).expect("a link can be made");
                }
            }
        }
    }

    /// The folder as it is now.
    pub fn read(&self, folder: &Path) -> Self {
        let mut read = Self {
            below: self.below.clone(),
            entries: BTreeMap::new(),
        };
        read_into(folder, b"", &mut read.entries);
        read
    }
}

fn read_into(folder: &Path, prefix: &[u8], entries: &mut BTreeMap<Vec<u8>, Entry>) {
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let entry = entry.expect("the folder can be listed");
        let path = [prefix, entry.file_name().as_bytes()].concat();
        let kind = entry.file_type().expect("it is there");
        if entry.file_name() == ".git" {
            // What is git's own is in no commit.
        } else if kind.is_dir() {
            read_into(&entry.path(), &[&path[..], b"/"].concat(), entries);
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path()).expect("it is a link");
            entries.insert(path, Entry::Link(target.as_os_str().as_bytes().to_vec()));
        } else {
            let bytes = fs::read(entry.path()).expect("it is a file of ours");
            entries.insert(path, Entry::File(bytes));
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "below {:?}:", self.below)?;
        for (path, entry) in &self.entries {
            let path = String::from_utf8_lossy(path);
            match entry {
                Entry::File(bytes) => {
                    let text = String::from_utf8_lossy(bytes);
                    writeln!(formatter, "  {path:?} is {text:?}")?;
                }
                Entry::Link(target) => {
                    let target = String::from_utf8_lossy(target);
                    writeln!(formatter, "  {path:?} leads to {target:?}")?;
                }
            }
        }
        Ok(())
    }
}
