//! Mirrors image-automation-controller 1.2 `internal/policy/applier.go` and `internal/update/filereader.go`: which files of a clone
//! a run reads. The path is resolved as `cyphar/filepath-securejoin` does, the walk is that of Go's `filepath.Walk`.

use std::collections::BTreeMap;

use super::PACKAGE;
use super::following::{Followed, follow, parts_reversed};
use crate::facts::git::{Entries, Lookup, TreeEntry, WorkTree};

/// Links followed in an update path before it counts as a loop; securejoin's own bound.
const MAX_LINKS: usize = 255;

/// The files that a run reads, in the order of its walk.
#[derive(Clone, Debug)]
pub struct Discovery<'t> {
    /// The folder that the paths of the files start at: the update path relative to the repository's top, links resolved, or the
    /// folder of the file that it names; empty: the top.
    pub root: String,
    entries: &'t Entries,
    /// The entries where the walk met each file.
    met: Vec<u32>,
    /// The files behind those that are links.
    targets: BTreeMap<usize, String>,
    /// Links with a fitting name that lead to no file of the repository: they are passed over.
    pub skipped_links: Vec<String>,
}

impl Discovery<'_> {
    /// How many files there are.
    pub fn len(&self) -> usize {
        self.met.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.met.is_empty()
    }

    /// The path of a file's bytes relative to the repository's top: for a link, that of its target.
    pub fn path(&self, at: usize) -> String {
        let target = self.targets.get(&at);
        target.cloned().unwrap_or_else(|| self.place(at))
    }

    /// The paths of all files' bytes.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        (0..self.len()).map(|at| self.path(at))
    }

    /// The path of a file relative to the update path, as the controller and its templates see it.
    pub fn relative(&self, at: usize) -> String {
        let mut met = self.place(at);
        if !self.root.is_empty() {
            met.drain(..=self.root.len());
        }
        met
    }

    /// The files to which a link led: their relative paths, and the paths of the bytes.
    pub fn linked(&self) -> impl Iterator<Item = (String, &str)> {
        let targets = self.targets.iter();
        targets.map(|(at, target)| (self.relative(*at), target.as_str()))
    }

    /// Where the walk met a file.
    fn place(&self, at: usize) -> String {
        self.entries.path(self.met[at] as usize)
    }
}

/// Finds the candidates of `tree` under `update_path`; the error is the controller's, after `failed to apply policies: `.
///
/// The temporary clone's own path reads `<clone>` in the error.
pub fn discover<'t>(tree: &'t WorkTree, update_path: &str) -> Result<Discovery<'t>, String> {
    let root = resolve_in_root(tree, update_path)?;
    match tree.look_up(&root) {
        Lookup::Missing => Err(missing_root(tree, &root)),
        Lookup::Folder => Ok(walk(tree, root)),
        Lookup::Entry(_) => Ok(single_file(tree, &root)),
    }
}

fn missing_root(tree: &WorkTree, root: &str) -> String {
    let slashes = root.bytes().enumerate().filter(|(_, byte)| *byte == b'/');
    let mut parents = slashes.map(|(at, _)| &root[..at]);
    let is_below_file = parents.any(|parent| matches!(tree.look_up(parent), Lookup::Entry(_)));
    let why = if is_below_file {
        "not a directory"
    } else {
        "no such file or directory"
    };
    format!("walking path for files: lstat {PACKAGE}/{root}: {why}")
}

fn single_file<'t>(tree: &'t WorkTree, path: &str) -> Discovery<'t> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    gather(tree, folder.to_owned(), tree.entries.find(path))
}

fn walk(tree: &WorkTree, root: String) -> Discovery<'_> {
    // Their order is that of the walk.
    let below = tree.entries.below(&root);
    gather(tree, root, below)
}

fn gather(
    tree: &WorkTree,
    root: String,
    numbers: impl IntoIterator<Item = usize>,
) -> Discovery<'_> {
    let entries = &tree.entries;
    let mut discovery = Discovery {
        root,
        entries,
        met: Vec::new(),
        targets: BTreeMap::new(),
        skipped_links: Vec::new(),
    };
    for number in numbers {
        if !has_fitting_name(entries.name(number)) {
            continue;
        }
        match entries.entry(number) {
            TreeEntry::File => {}
            TreeEntry::Link(_) => {
                let path = entries.path(number);
                let Followed::File(target) = follow(tree, &path) else {
                    discovery.skipped_links.push(path);
                    continue;
                };
                discovery.targets.insert(discovery.met.len(), target);
            }
            TreeEntry::Submodule => continue,
        }
        // No tree has more entries.
        discovery.met.extend(u32::try_from(number));
    }
    discovery
}

/// Whether a file may hold a marker in any spelling; the controller's own screen asks for the double quotes as well.
pub fn may_hold_marker(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"$imagepolicy").is_some()
}

/// `.yaml` or `.yml` after the last dot of the name, or exactly `Kustomization`; case counts.
pub fn has_fitting_name(path: &str) -> bool {
    let name = base_name(path);
    name == "Kustomization" || matches!(name.rsplit_once('.'), Some((_, "yaml" | "yml")))
}

fn base_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Resolves `path` inside the tree: `..` stops at the top, links are followed and an absolute one starts at the top again.
fn resolve_in_root(tree: &WorkTree, path: &str) -> Result<String, String> {
    let mut resolved: Vec<String> = Vec::new();
    let mut remaining: Vec<String> = parts_reversed(path);
    let mut links = 0;
    while let Some(part) = remaining.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                resolved.pop();
                continue;
            }
            _ => resolved.push(part),
        }
        if let Some(TreeEntry::Link(target)) = tree.entries.get(&resolved.join("/")) {
            links += 1;
            if links > MAX_LINKS {
                return Err(format!(
                    "failed to secure join manifest path: SecureJoin {PACKAGE}/{path}: too many levels of symbolic links"
                ));
            }
            resolved.pop();
            if target.starts_with('/') {
                resolved.clear();
            }
            remaining.extend(parts_reversed(target));
        }
    }
    Ok(resolved.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relatives(discovery: &Discovery<'_>) -> Vec<String> {
        (0..discovery.len())
            .map(|number| discovery.relative(number))
            .collect()
    }

    #[test]
    fn the_walk_goes_folder_by_folder_and_takes_only_fitting_names() {
        let names = [
            "a/b.yaml",
            "a.yaml",
            "a/.yml",
            "b.YAML",
            "c.json",
            "k/Kustomization",
            "x.yaml/y.yaml",
            ".hidden.yaml",
            "kustomization",
        ];
        let tree = WorkTree::of(&names.map(|name| (name, None)));
        let found = discover(&tree, "").unwrap();
        assert_eq!(
            relatives(&found),
            [
                ".hidden.yaml",
                "a/.yml",
                "a/b.yaml",
                "a.yaml",
                "k/Kustomization",
                "x.yaml/y.yaml"
            ]
        );
    }

    #[test]
    fn the_path_stays_in_the_tree() {
        let tree = WorkTree::of(&[
            ("apps/a.yaml", None),
            ("link", Some("/apps")),
            ("up/link", Some("../../../apps")),
        ]);
        for path in [
            "apps",
            "./apps/",
            "../../apps",
            "link",
            "up/link",
            "apps/x/../",
        ] {
            let found = discover(&tree, path).unwrap();
            assert_eq!(
                (found.root.as_str(), relatives(&found)),
                ("apps", vec!["a.yaml".to_owned()]),
                "{path}"
            );
        }
    }

    #[test]
    fn a_path_of_too_many_links_fails_the_run() {
        let tree = WorkTree::of(&[("a", Some("a"))]);
        assert_eq!(
            discover(&tree, "./a").unwrap_err(),
            "failed to secure join manifest path: SecureJoin <clone>/./a: too many levels of symbolic links"
        );
    }

    #[test]
    fn a_missing_path_fails_the_run() {
        let error = discover(&WorkTree::of(&[("a.yaml", None)]), "./clusters/none").unwrap_err();
        assert_eq!(
            error,
            "walking path for files: lstat <clone>/clusters/none: no such file or directory"
        );
    }

    #[test]
    fn a_single_file_is_known_by_its_name() {
        let tree = WorkTree::of(&[("apps/a.yaml", None), ("apps/b.txt", None)]);
        assert_eq!(
            relatives(&discover(&tree, "apps/a.yaml").unwrap()),
            ["a.yaml"]
        );
        assert_eq!(discover(&tree, "apps/a.yaml").unwrap().root, "apps");
        assert!(discover(&tree, "apps/b.txt").unwrap().is_empty());
        assert_eq!(
            discover(&tree, "apps/a.yaml/x").unwrap_err(),
            "walking path for files: lstat <clone>/apps/a.yaml/x: not a directory"
        );
    }

    #[test]
    fn links_to_files_are_read_and_others_passed_over() {
        let tree = WorkTree::of(&[
            ("a.yaml", None),
            ("d/l.yaml", Some("../a.yaml")),
            ("dangling.yaml", Some("none.yaml")),
            ("folder.yaml", Some("d")),
            ("loop.yaml", Some("loop.yaml")),
            ("out.yaml", Some("../../etc/passwd")),
            ("root.yaml", Some("/a.yaml")),
        ]);
        let found = discover(&tree, "").unwrap();
        let read: Vec<_> = relatives(&found).into_iter().zip(found.paths()).collect();
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        let expected = [pair("a.yaml", "a.yaml"), pair("d/l.yaml", "a.yaml")];
        assert_eq!(read, expected);
        let linked = found.linked().map(|(relative, path)| pair(&relative, path));
        assert_eq!(linked.collect::<Vec<_>>(), expected[1..]);
        assert_eq!(
            found.skipped_links,
            [
                "dangling.yaml",
                "folder.yaml",
                "loop.yaml",
                "out.yaml",
                "root.yaml"
            ]
        );
    }
}
