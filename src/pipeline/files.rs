//! Files that are named on the command line, found as the controller finds them below an update path, and changed in place.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::controllers::setters::discovery;
use crate::failure::Failure;
use crate::io::git::{self, LocalFile, LocalFolder, TreeFiles};

/// A folder, or one file, that is named; with what the controller would read there.
#[derive(Debug)]
pub struct NamedFiles {
    /// Where they are.
    pub files: TreeFiles,
    /// The folder that paths are relative to: the top of the work tree.
    pub top: PathBuf,
    /// The paths of what is read, each file once, in the order of the walk.
    pub paths: Vec<String>,
}

/// Refuses a path on which a link leads out of the work tree that it stands in: what is behind it is not of the repository.
fn check_links(path: &Path) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::usage(format!("{}: can't be read: {error}", path.display()))
    };
    let mut place = PathBuf::new();
    for part in path.components() {
        let folder = if place.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            place.clone()
        };
        place.push(part);
        if !std::fs::symlink_metadata(&place).is_ok_and(|data| data.is_symlink()) {
            continue;
        }
        let Some(top) = git::top_of(&folder)? else {
            // It leads to another path, on which there may be links of a work tree.
            let target = std::fs::read_link(&place).map_err(unreadable)?;
            check_links(&folder.join(target))?;
            continue;
        };
        let top = top.canonicalize().map_err(unreadable)?;
        let target = place.canonicalize().map_err(unreadable)?;
        let inside = target.strip_prefix(&top);
        if inside.is_ok_and(|inside| inside.iter().all(|name| name != ".git")) {
            continue;
        }
        return Err(Failure::invalid_input(format!(
            "{}: the link {} leads out of the work tree {} to {}, and only what is in it is rewritten: name the file or folder itself",
            path.display(),
            place.display(),
            top.display(),
            target.display()
        )));
    }
    Ok(())
}

impl NamedFiles {
    /// Finds the files at or below `path`.
    ///
    /// # Errors
    ///
    /// There is nothing, or only a file of a kind that the controller doesn't read; it lies behind a link out of the work tree; or git
    /// can't tell.
    pub fn find(path: &Path) -> Result<Self, Failure> {
        let named = path.display();
        let missing =
            |error: std::io::Error| Failure::usage(format!("{named}: can't be read: {error}"));
        let real = std::fs::canonicalize(path).map_err(missing)?;
        check_links(path)?;
        if !real.is_dir() && !real.is_file() {
            return Err(Failure::invalid_input(format!(
                "{named}: is neither a file nor a folder, but a pipe or a device, and can't be rewritten: name files, or - for standard input of fmt"
            )));
        }
        let folder = if real.is_dir() {
            real.as_path()
        } else {
            real.parent().unwrap_or(Path::new("/"))
        };
        let (files, tree) = TreeFiles::local(folder)?;
        let TreeFiles::Folder { top, .. } = &files else {
            return Err(Failure::usage(format!("{named}: is not a local folder")));
        };
        let top = std::fs::canonicalize(top).map_err(missing)?;
        let below = real.strip_prefix(&top).unwrap_or(&real);
        let Some(below) = below.to_str() else {
            return Err(Failure::usage(format!(
                "{named}: the name is not UTF-8, and the controller can't write such files"
            )));
        };
        let below = below.replace('\\', "/");
        let found = discovery::discover(&tree, &below).map_err(|_| {
            Failure::usage(format!(
                "{named}: a clone of the repository doesn't have it, since git ignores it: name files that git knows"
            ))
        })?;
        if real.is_file() && found.is_empty() {
            return Err(Failure::usage(format!(
                "{named}: the controller reads only files named *.yaml, *.yml or Kustomization"
            )));
        }
        let mut seen = BTreeSet::new();
        let paths = found.paths().filter(|path| seen.insert(path.clone()));
        Ok(Self {
            paths: paths.collect(),
            files,
            top,
        })
    }

    /// Looks at each file, several side by side, and keeps what `look` makes of it, in the order of the walk.
    ///
    /// # Errors
    ///
    /// A file can't be read.
    pub fn look<T: Send>(
        &self,
        look: impl Fn(&str, &[u8]) -> Option<T> + Sync,
    ) -> Result<Vec<T>, Failure> {
        let paths = &self.paths;
        let path = |at: usize| Cow::Borrowed(paths[at].as_str());
        let seen = self.files.visit_files(
            paths.len(),
            &path,
            &|at, read: Result<&[u8], String>| match read {
                Ok(bytes) => look(&paths[at], bytes).map(Ok),
                Err(error) => Some(Err(Failure::invalid_input(format!(
                    "{}: can't be read: {error}",
                    paths[at]
                )))),
            },
        );
        seen.into_iter().map(|(_, made)| made).collect()
    }

    /// Writes files: path below the top, bytes before and after. All of them, or none.
    ///
    /// # Errors
    ///
    /// Nothing was changed.
    pub fn write(&self, changes: &[(String, Vec<u8>, Vec<u8>)]) -> Result<(), Failure> {
        if changes.is_empty() {
            return Ok(());
        }
        let files: Vec<LocalFile<'_>> = changes
            .iter()
            .map(|(path, old, new)| LocalFile {
                path,
                old: Some(old),
                new,
            })
            .collect();
        let is_work_tree = git::top_of(&self.top)?.is_some();
        let folder = LocalFolder::open(&self.top, is_work_tree)?;
        folder.recover()?;
        folder.change(&files, None)?;
        Ok(())
    }
}
