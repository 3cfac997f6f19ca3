//! Which files of a checkout a snapshot holds: those with markers. Of others that the controller or this program comes by, the path.

use std::collections::{BTreeMap, BTreeSet};

use crate::controllers::flux::ObjectKey;
use crate::controllers::setters::discovery;
use crate::facts::git::{TreeEntry, WorkTree};
use crate::facts::snapshot::RecordedSource;
use crate::pipeline::checkout::{Checkout, Checkouts};

/// The contents of the files, by their paths in the snapshot; fills in the lists of paths.
pub(super) fn of_checkouts(
    checkouts: &Checkouts,
    sources: &mut [RecordedSource],
) -> BTreeMap<String, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for (at, source) in sources.iter_mut().enumerate() {
        let first = source.automations.first();
        let Some((namespace, name)) = first.and_then(|first| first.split_once('/')) else {
            continue;
        };
        let found = checkouts.of(&ObjectKey::new(namespace, name));
        let (Some(Ok(checkout)), Some(recorded)) = (found, &mut source.checkout) else {
            continue;
        };
        recorded.folder = format!("files/{}", at + 1);
        let paths = paths(&checkout.tree);
        for (path, entry) in checkout.tree.entries.iter() {
            match entry {
                TreeEntry::File if paths.contains(&path) => {
                    recorded.files.push(path);
                }
                TreeEntry::File => {}
                TreeEntry::Link(target) => {
                    recorded.links.insert(path, target.clone());
                }
                TreeEntry::Submodule => recorded.submodules.push(path),
            }
        }
        for (path, bytes) in with_markers(checkout, &paths) {
            contents.insert(format!("{}/{path}", recorded.folder), bytes);
        }
    }
    contents
}

/// The ordinary files that matter: those with a name that the controller reads, whatever links lead to, lists of what is ignored, and
/// one of each folder, since an update path must be there.
fn paths(tree: &WorkTree) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut folders: BTreeSet<String> = BTreeSet::new();
    for path in tree.entries.files() {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let is_read = discovery::has_fitting_name(name) || name == ".sourceignore";
        let is_first = !folders.contains(folder) && folders.insert(folder.to_owned());
        if is_read || is_first {
            paths.insert(path);
        }
    }
    if let Ok(found) = discovery::discover(tree, "") {
        paths.extend(found.linked().map(|(_, target)| target.to_owned()));
    }
    paths
}

fn with_markers(checkout: &Checkout, paths: &BTreeSet<String>) -> Vec<(String, Vec<u8>)> {
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let read = checkout
        .files
        .read_files(&paths, discovery::may_hold_marker);
    read.into_iter()
        .filter_map(|(path, bytes)| Some((path, bytes.ok()?)))
        .collect()
}
