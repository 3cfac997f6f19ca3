//! Which files of a folder are manifests: ordinary files, and links to some that stay in the folder or its work tree.

use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

use crate::io::{error_text, git};

use super::is_manifest_name;

/// A file to read; or a folder that can't be listed, and why.
pub(super) type Listed = Result<PathBuf, (PathBuf, String)>;

/// What has the name of a manifest and is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Its path.
    pub path: PathBuf,
    /// What it is, in a few words.
    pub why: &'static str,
}

/// The manifests in a folder, sorted; with `recursive` those below it too. Links lead no further than `top`: by default the top of the
/// work tree, or the folder where there is none.
pub(super) fn list(
    folder: &Path,
    top: Option<&Path>,
    recursive: bool,
) -> (Vec<Listed>, Vec<PassedOver>) {
    let mut walk = Walk {
        folder,
        top: top.and_then(|top| top.canonicalize().ok()),
        recursive,
        listed: Vec::new(),
        passed_over: Vec::new(),
    };
    walk.enter(folder);
    (walk.listed, walk.passed_over)
}

/// Why a file that is named is not read where links lead no further than `top`.
pub(super) fn obstacle_to(path: &Path, top: &Path) -> Option<PassedOver> {
    let mut walk = Walk {
        folder: top,
        top: top.canonicalize().ok(),
        recursive: false,
        listed: Vec::new(),
        passed_over: Vec::new(),
    };
    let kind = fs::symlink_metadata(path).ok()?.file_type();
    let why = walk.obstacle(path, kind)?;
    Some(PassedOver {
        path: path.to_owned(),
        why,
    })
}

struct Walk<'a> {
    folder: &'a Path,
    /// Known once a link is met.
    top: Option<PathBuf>,
    recursive: bool,
    listed: Vec<Listed>,
    passed_over: Vec<PassedOver>,
}

impl Walk<'_> {
    fn enter(&mut self, folder: &Path) {
        let listing = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match listing {
            Ok(entries) => entries,
            Err(error) => {
                let unlisted = (folder.to_owned(), error_text(&error));
                return self.listed.push(Err(unlisted));
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    if self.recursive && entry.file_name() != ".git" {
                        self.enter(&path);
                    }
                }
                _ if !is_manifest_name(&path) => {}
                Ok(kind) => match self.obstacle(&path, kind) {
                    None => self.listed.push(Ok(path)),
                    Some("") => {}
                    Some(why) => self.passed_over.push(PassedOver { path, why }),
                },
                // Reading it tells why.
                Err(_) => self.listed.push(Ok(path)),
            }
        }
    }

    /// Why a path isn't read, if it isn't; empty: it is a link to a folder, of which nobody expects that.
    fn obstacle(&mut self, path: &Path, kind: FileType) -> Option<&'static str> {
        if kind.is_file() {
            return None;
        }
        if !kind.is_symlink() {
            return Some("no ordinary file");
        }
        let target = path.canonicalize().ok();
        match target.and_then(|target| Some((fs::metadata(&target).ok()?, target))) {
            None => Some("a link that leads to nothing"),
            Some((metadata, _)) if metadata.is_dir() => Some(""),
            Some((_, target)) if !target.starts_with(self.top()) => {
                Some("a link that leads out of the folder")
            }
            Some((metadata, _)) if !metadata.is_file() => Some("a link to no ordinary file"),
            Some(_) => None,
        }
    }

    fn top(&mut self) -> &Path {
        let folder = self.folder;
        self.top.get_or_insert_with(|| {
            let top = git::top_of(folder).ok().flatten();
            let top = top.unwrap_or_else(|| folder.to_owned());
            top.canonicalize().unwrap_or(top)
        })
    }
}
