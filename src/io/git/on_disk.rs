//! What of git's list stands on disk, and what stands there besides.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType};
use std::ops::Range;
use std::path::Path;

use foldhash::fast::RandomState;

use crate::facts::git::{Entries, TreeEntry};
use crate::io::files::side_by_side;

/// The entries of git's list as they stand below `top`, and the paths of files and folders beside them that git doesn't list.
///
/// No link is followed: a tracked file below a folder that has become a link is gone, as it is for git. Each folder is listed once,
/// which costs less than asking for each of its files.
pub(super) fn compare(top: &Path, mut tracked: Entries) -> (Entries, Vec<OsString>) {
    let found = {
        let folders = folders(&tracked);
        let comparison = Comparison {
            top,
            tracked: &tracked,
            folders: &folders,
        };
        let all: Vec<&Folder<'_>> = folders.values().collect();
        let found = side_by_side(all.len(), |room, at| comparison.look_at(all[at], room));
        let mut together = Differences::default();
        for (_, differences) in found {
            together.add(differences);
        }
        together
    };
    for (number, target) in found.links {
        tracked.replace(number, TreeEntry::Link(target));
    }
    let mut gone = found.gone;
    for folder in found.no_folders {
        gone.push(tracked.below(&folder));
    }
    take_out(&mut tracked, gone);
    (tracked, found.unlisted)
}

fn take_out(entries: &mut Entries, mut gone: Vec<Range<usize>>) {
    if gone.is_empty() {
        return;
    }
    gone.sort_by_key(|numbers| numbers.start);
    let mut gone = gone.into_iter().peekable();
    entries.retain(|number| {
        while gone.next_if(|numbers| numbers.end <= number).is_some() {}
        gone.peek().is_none_or(|numbers| number < numbers.start)
    });
}

/// What stands at a path on disk, without following a link at its end; `None` for nothing, for folders and for devices.
pub(super) fn entry(top: &Path, path: &str) -> Option<TreeEntry> {
    let path = top.join(path);
    entry_of(fs::symlink_metadata(&path).ok()?.file_type(), &path)
}

/// The same for what is known to be of a kind.
pub(super) fn entry_of(kind: FileType, path: &Path) -> Option<TreeEntry> {
    if kind.is_symlink() {
        let target = fs::read_link(path).ok()?;
        return Some(TreeEntry::Link(target.to_string_lossy().into_owned()));
    }
    kind.is_file().then_some(TreeEntry::File)
}

/// A folder that git has files below.
#[derive(Default)]
struct Folder<'t> {
    path: &'t str,
    /// The numbers of the entries in the folder itself: those of its folders stand between them.
    runs: Vec<Range<usize>>,
}

/// The folders of all entries, and those that they stand in.
fn folders(tracked: &Entries) -> HashMap<&str, Folder<'_>, RandomState> {
    let mut folders: HashMap<&str, Folder<'_>, RandomState> = HashMap::default();
    folders.insert("", Folder::default());
    let mut current = "";
    let mut run = 0..0;
    for number in 0..tracked.len() {
        let folder = tracked.folder(number);
        if folder != current {
            add_run(&mut folders, current, std::mem::take(&mut run));
            current = folder;
            run.start = number;
        }
        run.end = number + 1;
    }
    add_run(&mut folders, current, run);
    folders
}

fn add_run<'t>(
    folders: &mut HashMap<&'t str, Folder<'t>, RandomState>,
    path: &'t str,
    run: Range<usize>,
) {
    let is_new = !folders.contains_key(path);
    let folder = folders.entry(path).or_insert_with(|| Folder {
        path,
        runs: Vec::new(),
    });
    folder.runs.push(run);
    let mut above = path;
    while is_new && !above.is_empty() {
        above = folder_of(above);
        folders.entry(above).or_insert_with(|| Folder {
            path: above,
            runs: Vec::new(),
        });
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// How the disk differs from git's list.
#[derive(Debug, Default)]
struct Differences {
    /// The numbers of entries that are not there.
    gone: Vec<Range<usize>>,
    /// The numbers of entries that are links, and their targets.
    links: Vec<(usize, String)>,
    /// Folders of git's that are none on disk.
    no_folders: Vec<String>,
    /// What git doesn't list.
    unlisted: Vec<OsString>,
}

impl Differences {
    fn add(&mut self, mut more: Self) {
        self.gone.append(&mut more.gone);
        self.links.append(&mut more.links);
        self.no_folders.append(&mut more.no_folders);
        self.unlisted.append(&mut more.unlisted);
    }

    fn is_empty(&self) -> bool {
        self.gone.is_empty()
            && self.links.is_empty()
            && self.no_folders.is_empty()
            && self.unlisted.is_empty()
    }
}

struct Comparison<'a> {
    top: &'a Path,
    tracked: &'a Entries,
    folders: &'a HashMap<&'a str, Folder<'a>, RandomState>,
}

impl Comparison<'_> {
    fn look_at(
        &self,
        folder: &Folder<'_>,
        room: &mut Vec<(OsString, FileType)>,
    ) -> Option<Differences> {
        list(&self.top.join(folder.path), room);
        let numbers = folder.runs.iter().cloned().flatten();
        let mut numbers = numbers.peekable();
        let mut found = Differences::default();
        for (name, kind) in room.iter() {
            // Both are in the order of their bytes.
            let mut is_tracked = false;
            while let Some(number) = numbers.peek() {
                let tracked = self.tracked.name(*number).as_bytes();
                match tracked.cmp(name.as_encoded_bytes()) {
                    Ordering::Greater => break,
                    Ordering::Less => self.not_listed(*number, &mut found),
                    Ordering::Equal => {
                        self.listed(*number, *kind, &mut found);
                        is_tracked = true;
                    }
                }
                numbers.next();
            }
            if !is_tracked && name != ".git" {
                self.besides(folder.path, name, *kind, &mut found);
            }
        }
        for number in numbers {
            self.not_listed(number, &mut found);
        }
        (!found.is_empty()).then_some(found)
    }

    /// A tracked entry, of which its folder says what it is.
    fn listed(&self, number: usize, kind: FileType, found: &mut Differences) {
        let is_submodule = *self.tracked.entry(number) == TreeEntry::Submodule;
        if kind.is_file() && !is_submodule {
            return;
        }
        let path = self.tracked.path(number);
        // A clone has an empty folder for a submodule, whatever is here.
        if is_submodule {
            if !kind.is_dir() {
                found.unlisted.push(path.into());
            }
            return;
        }
        match entry_of(kind, &self.top.join(&path)) {
            Some(TreeEntry::Link(target)) => found.links.push((number, target)),
            Some(_) => {}
            None => found.gone.push(number..number + 1),
        }
        if kind.is_dir() {
            found.unlisted.push(path.into());
        }
    }

    /// A tracked entry that its folder doesn't list by this name, or whose folder can't be listed.
    fn not_listed(&self, number: usize, found: &mut Differences) {
        if *self.tracked.entry(number) == TreeEntry::Submodule {
            return;
        }
        // A file system may know a name that it lists in another case or normal form.
        match fs::symlink_metadata(self.top.join(self.tracked.path(number))) {
            Ok(data) => self.listed(number, data.file_type(), found),
            Err(_) => found.gone.push(number..number + 1),
        }
    }

    /// What stands in a folder and is no tracked entry: a folder of some, or unknown to git.
    fn besides(&self, folder: &str, name: &OsStr, kind: FileType, found: &mut Differences) {
        let mut path = OsString::from(folder);
        if !folder.is_empty() {
            path.push("/");
        }
        path.push(name);
        let is_folder = path
            .to_str()
            .is_some_and(|path| self.folders.contains_key(path));
        match path.into_string() {
            Ok(_) if is_folder && kind.is_dir() => {}
            Ok(path) => {
                if is_folder {
                    found.no_folders.push(path.clone());
                }
                found.unlisted.push(path.into());
            }
            Err(path) => found.unlisted.push(path),
        }
    }
}

/// What is in a folder, links as such, in the order of the names; nothing where it can't be listed.
fn list(folder: &Path, room: &mut Vec<(OsString, FileType)>) {
    room.clear();
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let entries = entries.flatten();
    room.extend(entries.filter_map(|entry| Some((entry.file_name(), entry.file_type().ok()?))));
    room.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
}
