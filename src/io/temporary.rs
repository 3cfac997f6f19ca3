//! Folders that go with the run, however it ends short of a kill: by their owner's drop, or by [`remove_all`] when it is
//! interrupted.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static LIVE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A folder that only its owner may enter, removed with all that is in it.
#[derive(Debug)]
pub struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    /// Makes an empty folder below the system's place for temporary files.
    ///
    /// # Errors
    ///
    /// The folder can't be made.
    pub fn create() -> io::Result<Self> {
        Self::create_in(&std::env::temp_dir())
    }

    /// Makes an empty folder in another place.
    ///
    /// # Errors
    ///
    /// The folder can't be made.
    pub fn create_in(parent: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.prefix("kubectl-imageauto-").tempdir_in(parent)?;
        let path = folder.keep();
        live().insert(path.clone());
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        live().remove(&self.path);
        // What can't be removed is left to the system's own cleaning.
        drop(std::fs::remove_dir_all(&self.path));
    }
}

/// Removes every folder that is still there; for the moment before an interrupted process ends.
pub fn remove_all() {
    for path in std::mem::take(&mut *live()) {
        drop(std::fs::remove_dir_all(path));
    }
}

fn live() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner() {
        let folder = TemporaryFolder::create().unwrap();
        let path = folder.path().to_owned();
        std::fs::write(path.join("file"), "text").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o700
            );
        }
        drop(folder);
        assert!(!path.exists());
    }
}
