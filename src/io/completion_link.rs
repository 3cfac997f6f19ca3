//! `kubectl_complete-imageauto`, which kubectl runs to complete the plugin: a link beside the plugin, or a script on Windows.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// How the names of such programs begin.
pub const PREFIX: &str = "kubectl_complete-";

/// What stood in the folder before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Ours.
    There,
    /// Nothing.
    Absent,
}

#[cfg(windows)]
mod platform {
    pub(super) const PLUGIN: &str = "kubectl-imageauto.exe";
    pub(super) const FILE: &str = "kubectl_complete-imageauto.cmd";
    const SCRIPT: &str = "@\"%~dp0kubectl-imageauto.exe\" __complete %*\r\n";

    pub(super) fn is_ours(file: &std::path::Path) -> bool {
        std::fs::read_to_string(file).is_ok_and(|text| text == SCRIPT)
    }

    pub(super) fn write(file: &std::path::Path) -> std::io::Result<()> {
        std::fs::write(file, SCRIPT)
    }
}

#[cfg(not(windows))]
mod platform {
    pub(super) const PLUGIN: &str = "kubectl-imageauto";
    pub(super) const FILE: &str = "kubectl_complete-imageauto";

    pub(super) fn is_ours(file: &std::path::Path) -> bool {
        std::fs::read_link(file).is_ok_and(|target| target.as_os_str() == PLUGIN)
    }

    pub(super) fn write(file: &std::path::Path) -> std::io::Result<()> {
        // Relative, so that an upgrade that replaces the plugin keeps it.
        std::os::unix::fs::symlink(PLUGIN, file)
    }
}

/// The first folder of `path` (as `$PATH` is written) that holds the plugin, as kubectl looks for it.
pub fn folder(path: &OsStr) -> Option<PathBuf> {
    env::split_paths(path).find(|folder| folder.join(platform::PLUGIN).is_file())
}

/// Writes the link into `folder`, unless it is there; gives what was there and the file's path.
///
/// # Errors
///
/// The plugin isn't in the folder, something else has the name, or the folder can't be written; the text says which.
pub fn write(folder: &Path) -> Result<(Link, PathBuf), String> {
    let file = folder.join(platform::FILE);
    if !folder.join(platform::PLUGIN).is_file() {
        return Err(format!(
            "{} holds no {}, which completion would run: name the folder that does with --dir",
            folder.display(),
            platform::PLUGIN
        ));
    }
    let before = before(&file)?;
    if before == Link::Absent {
        platform::write(&file).map_err(|error| unwritable(&file, "written", &error))?;
    }
    Ok((before, file))
}

/// Removes the link from `folder`; gives what was there and the file's path.
///
/// # Errors
///
/// Something else has the name, or the folder can't be written; the text says which.
pub fn remove(folder: &Path) -> Result<(Link, PathBuf), String> {
    let file = folder.join(platform::FILE);
    let before = before(&file)?;
    if before == Link::There {
        fs::remove_file(&file).map_err(|error| unwritable(&file, "removed", &error))?;
    }
    Ok((before, file))
}

fn before(file: &Path) -> Result<Link, String> {
    match fs::symlink_metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Link::Absent),
        Err(error) => Err(unwritable(file, "looked at", &error)),
        Ok(_) if platform::is_ours(file) => Ok(Link::There),
        Ok(_) => Err(format!(
            "{} is there and not from here: it is left alone; remove it yourself if it isn't needed",
            file.display()
        )),
    }
}

fn unwritable(file: &Path, what: &str, error: &io::Error) -> String {
    format!(
        "{} can't be {what}: {error}: run this as the folder's owner, or name another folder of PATH with --dir",
        file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(write(folder).unwrap_err().contains("holds no"));
        fs::write(folder.join(platform::PLUGIN), "").unwrap();
        assert_eq!(write(folder).unwrap().0, Link::Absent);
        assert_eq!(write(folder).unwrap().0, Link::There);
        assert_eq!(remove(folder).unwrap().0, Link::There);
        assert_eq!(remove(folder).unwrap().0, Link::Absent);
        let own = folder.join(platform::FILE);
        fs::write(&own, "somebody's").unwrap();
        assert!(write(folder).unwrap_err().contains("left alone"));
        assert!(remove(folder).unwrap_err().contains("left alone"));
        assert_eq!(fs::read_to_string(&own).unwrap(), "somebody's");
    }

    #[test]
    fn the_first_folder_with_the_plugin_counts() {
        let folder = tempfile::tempdir().unwrap();
        let holds = folder.path().join("b");
        fs::create_dir(&holds).unwrap();
        fs::write(holds.join(platform::PLUGIN), "").unwrap();
        let path = env::join_paths([folder.path().join("a"), holds.clone()]).unwrap();
        assert_eq!(super::folder(&path), Some(holds));
        assert_eq!(super::folder(OsStr::new("")), None);
    }
}
