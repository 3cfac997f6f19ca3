//! Mirrors image-automation-controller 1.2 `internal/update/setters.go`: what one automation run does to the files under its path.
//!
//! The controller reads all files, sets the values in all, and writes. Here each file is rewritten on its own ([`rewrite_file`]), so
//! that files can be taken side by side and forgotten, and [`conclude`] puts the results together: a failure in one of them fails the
//! run, and the few files whose objects don't go back where they came from are written together.

pub mod changes;
pub mod discovery;
pub mod following;
mod format;
#[cfg(test)]
mod hostile;
pub mod images;
mod losses;
mod markers;
mod minimal;
mod occurrences;
mod outcome;
mod package;
mod rewrite;
mod schema;
mod values;
mod visit;

use std::collections::{HashMap, HashSet};

use changes::{Change, FileChanges, ObjectChanges};
pub use format::{Formatted, format};
pub use markers::{MARKER_KEY, SCREENING_TOKEN, Setters};
pub use outcome::{
    Altered, Ignored, LocatedChange, Loss, LossKind, Marker, MarkerOutcome, ProblemFile,
    RunFailure, SetterPolicy, SourceFile, Unplaced, Update, WrittenFile,
};
pub use package::PACKAGE;
use package::{Failed, Forms, Step};
pub use rewrite::{Rewritten, Wanted, rewrite_file};

/// What stands at a path below `spec.update.path` before the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing; with the path at which a file would be made, where links to it are followed.
    Nothing(String),
    /// A file, or a link to one; with the path of the file.
    File(String),
    /// A folder, or a link to one.
    Folder,
    /// Nothing, and its folder can't be made: the operating system's words.
    NoFolder(String),
    /// Nothing, and it can't be made: the operating system's words.
    NoFile(String),
}

/// The surroundings of a run: what [`conclude`] asks for where files are written together.
pub struct Surroundings<'s> {
    /// The bytes of one of the rewritten files, again.
    pub bytes: &'s dyn Fn(&str) -> Option<Vec<u8>>,
    /// What stands at a path when the folders of these files were made besides, whose paths are those behind links.
    pub standing: &'s dyn Fn(&str, &[String]) -> Standing,
}

/// One whole run over files at hand, given in the order of the walk.
///
/// # Errors
///
/// The run fails as a whole, and nothing is written: see [`conclude`].
pub fn update(files: &[SourceFile<'_>], setters: &Setters) -> Result<Update, RunFailure> {
    let rewritten: Vec<Rewritten> = files
        .iter()
        .map(|file| rewrite_file(file, setters, Wanted::default()))
        .collect();
    let by_path: HashMap<&str, &[u8]> = files.iter().map(|file| (file.path, file.bytes)).collect();
    let is_folder = |path: &str| {
        let inside = |file: &SourceFile<'_>| {
            file.path
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        files.iter().any(inside)
    };
    let surroundings = Surroundings {
        bytes: &|path| by_path.get(path).map(|bytes| bytes.to_vec()),
        standing: &|path, _| match by_path.contains_key(path) {
            true => Standing::File(path.to_owned()),
            false if is_folder(path) => Standing::Folder,
            false => Standing::Nothing(path.to_owned()),
        },
    };
    conclude(rewritten, setters, Wanted::default(), &surroundings)
}

/// The result of a run whose files were rewritten one by one; `files` are in the order of the walk.
///
/// Files that can't be read are skipped. Only files in which a value changes are written.
///
/// # Errors
///
/// The run fails as a whole, and nothing is written, when an object names another file than its own, the path of a changed file
/// holds `..`, or an item of a `List` is no mapping; or when the controller panics on one of the files.
pub fn conclude(
    mut files: Vec<Rewritten>,
    setters: &Setters,
    wanted: Wanted,
    surroundings: &Surroundings<'_>,
) -> Result<Update, RunFailure> {
    let mut forms = Forms::default();
    for file in &files {
        forms.merge(file.forms);
    }
    for file in &mut files {
        if let Some(failed) = &mut file.failed {
            failed.failure.path = Some(file.path.clone());
        }
    }
    let failures = files.iter().filter_map(|file| file.failed.clone());
    if let Some(failed) = first(failures.filter(|failed| failed.step <= Step::Set)) {
        return Err(failed.failure);
    }
    let mut update = Update::default();
    if files.iter().any(Rewritten::has_changes) {
        // Where nothing is left to be written, nobody looks at the forms.
        let is_written = |file: &Rewritten| file.written.is_some() || file.failed.is_some();
        if files.iter().any(is_written) {
            forms.kept().map_err(|failed| failed.failure)?;
        }
        if files.iter().any(|file| file.is_entangled) {
            update.written = write_together(&mut files, setters, wanted, forms, surroundings)
                .map_err(|failed| failed.failure)?;
        }
        let late = files.iter_mut().filter_map(|file| file.failed.take());
        if let Some(failed) = first(late) {
            return Err(failed.failure);
        }
    }
    if wanted.minimal {
        update.written.clear();
        for file in &mut files {
            file.written = file.minimal.take();
            update.unplaced.extend(file.unplaced.take());
        }
    }
    gather(files, wanted, &mut update);
    Ok(update)
}

/// The first failure of the earliest step.
fn first(failures: impl Iterator<Item = Failed>) -> Option<Failed> {
    failures.reduce(|first, other| {
        if other.step < first.step {
            other
        } else {
            first
        }
    })
}

/// Puts what was found in the files together.
fn gather(files: Vec<Rewritten>, wanted: Wanted, update: &mut Update) {
    let mut reported: HashMap<String, usize> = HashMap::new();
    let mut together = std::mem::take(&mut update.written);
    for file in files {
        for (noted, change) in file.reported {
            if wanted.bytes {
                let noted = noted.unwrap_or_else(|| change.path.clone());
                report(&mut update.changed, &mut reported, noted, &change);
            }
            update.located.push(change);
        }
        update.markers.extend(file.markers);
        update.problem_files.extend(file.problem);
        update.written.extend(file.written);
    }
    update.written.append(&mut together);
}

fn report(
    changed: &mut Vec<FileChanges>,
    reported: &mut HashMap<String, usize>,
    noted: String,
    located: &LocatedChange,
) {
    let change = Change {
        old: located.old.clone(),
        new: located.new.clone(),
        setter: located.setter.clone(),
    };
    let file = *reported.entry(noted).or_insert_with_key(|path| {
        changed.push(FileChanges {
            path: path.clone(),
            objects: Vec::new(),
        });
        changed.len() - 1
    });
    let objects = &mut changed[file].objects;
    match objects
        .iter_mut()
        .rfind(|object| object.object == located.object)
    {
        Some(object) => object.changes.push(change),
        None => objects.push(ObjectChanges {
            object: located.object.clone(),
            changes: vec![change],
        }),
    }
}

/// Writes the objects of the files whose objects go elsewhere, and of those where they go to. What these files would
/// have become on their own is taken out of `files`.
fn write_together(
    files: &mut [Rewritten],
    setters: &Setters,
    wanted: Wanted,
    forms: Forms,
    surroundings: &Surroundings<'_>,
) -> Result<Vec<WrittenFile>, Failed> {
    let changed: HashSet<String> = files
        .iter()
        .flat_map(|file| file.noted_changes().map(str::to_owned))
        .collect();
    let mut members: HashSet<usize> = (0..files.len())
        .filter(|at| {
            files[*at].is_entangled
                || changed.contains(&files[*at].path) && files[*at].written.is_none()
        })
        .collect();
    loop {
        let written = rewrite::write_members(
            files,
            &members,
            setters,
            forms,
            &changed,
            wanted,
            surroundings,
        )?;
        let more: Vec<usize> = (0..files.len())
            .filter(|at| !members.contains(at) && changed.contains(&files[*at].path))
            .filter(|at| written.iter().any(|file| file.path == files[*at].path))
            .collect();
        if more.is_empty() {
            for at in members {
                files[at].written = None;
            }
            return Ok(written);
        }
        members.extend(more);
    }
}

/// Whether a file is looked at more closely, and its text with LF line ends.
fn is_screened(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, SCREENING_TOKEN.as_bytes()).is_some()
}
