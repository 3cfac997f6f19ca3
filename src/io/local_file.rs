//! One file that a user names, and where it is in its repository.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::error_text;
use super::files::read_up_to;
use super::git;

/// A file on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFile {
    /// The path as it was named.
    pub path: PathBuf,
    /// Its path from the top of the work tree that holds it, with slashes; as it was named where none does.
    pub repository_path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Files beyond this are not read: no manifest is so long.
const LIMIT: usize = 64 << 20;

/// Reads the file at `path`; `None`: there is no file.
///
/// # Errors
///
/// The file can't be read; the error names it.
pub fn read(path: &Path) -> Result<Option<LocalFile>, String> {
    let unreadable = |why: String| format!("{}: can't be read: {why}", path.display());
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        // A folder has no markers, and a device has no end.
        Ok(_) => return Ok(None),
        Err(error) if is_absence(&error) => return Ok(None),
        Err(error) => return Err(unreadable(error_text(&error))),
    }
    let bytes = File::open(path)
        .and_then(|file| read_up_to(LIMIT, file))
        .map_err(|error| unreadable(error_text(&error)))?;
    Ok(Some(LocalFile {
        path: path.to_owned(),
        repository_path: in_repository(path),
        bytes,
    }))
}

fn is_absence(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    matches!(
        error.kind(),
        NotFound | NotADirectory | InvalidInput | InvalidFilename
    )
}

/// Without git there is no repository to be in.
fn in_repository(path: &Path) -> String {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let relative = git::top_of(folder).ok().flatten().and_then(|top| {
        let file = folder.canonicalize().ok()?.join(path.file_name()?);
        let top = top.canonicalize().ok()?;
        file.strip_prefix(top).ok().map(Path::to_owned)
    });
    with_slashes(relative.as_deref().unwrap_or(path))
}

/// The path as git writes it, without a leading `./`.
pub fn with_slashes(path: &Path) -> String {
    let parts: Vec<String> = path
        .components()
        .filter(|part| !matches!(part, std::path::Component::CurDir))
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    parts.join("/")
}
