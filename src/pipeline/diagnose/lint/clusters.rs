//! A repository with many clusters: each folder of one holds objects of its own, and all share what is in no such folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::io::manifests::ManifestSource;

/// The manifests of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClusterInput {
    pub(super) sources: Vec<ManifestSource>,
}

/// The text of each YAML manifest that names something of Flux, by its path from the top.
pub(super) fn texts(files: &[PathBuf], top: &Path) -> BTreeMap<String, String> {
    let is_yaml = |path: &&PathBuf| {
        path.extension()
            .is_some_and(|ending| ending == "yaml" || ending == "yml")
    };
    files
        .iter()
        .filter(is_yaml)
        .filter_map(|path| Some((relative(path, top), fs::read_to_string(path).ok()?)))
        .collect()
}

/// A path from the top, with `/` between its parts.
pub(super) fn relative(path: &Path, top: &Path) -> String {
    let absolute = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (real, top) = (absolute(path), absolute(top));
    let path = if real.starts_with(&top) {
        real
    } else {
        beside(path)
    };
    let path = path.strip_prefix(&top).unwrap_or(&path);
    let parts: Vec<String> = path
        .components()
        .filter(|part| !matches!(part, Component::RootDir))
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    parts.join("/")
}

/// Where a link itself stands.
fn beside(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match (fs::canonicalize(folder), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// One input for each folder of a cluster, with what is shared; one for all where there are none.
pub(super) fn inputs(top: &Path, paths: &[PathBuf], glob: &str) -> Vec<ClusterInput> {
    let folders = folders(top, glob);
    let inside: Vec<&PathBuf> = folders
        .iter()
        .filter(|folder| paths.iter().any(|path| touches(path, folder)))
        .collect();
    if inside.is_empty() {
        return vec![ClusterInput {
            sources: paths.iter().cloned().map(ManifestSource::Path).collect(),
        }];
    }
    let shared: Vec<PathBuf> = paths
        .iter()
        .flat_map(|path| without(path, &folders))
        .collect();
    inside
        .iter()
        .map(|folder| {
            let own = paths.iter().filter_map(|path| {
                if is_below(folder, path) {
                    Some((*folder).clone())
                } else {
                    is_below(path, folder).then(|| path.clone())
                }
            });
            ClusterInput {
                sources: own
                    .chain(shared.iter().cloned())
                    .map(ManifestSource::Path)
                    .collect(),
            }
        })
        .collect()
}

fn touches(path: &Path, folder: &Path) -> bool {
    is_below(folder, path) || is_below(path, folder)
}

fn is_below(path: &Path, folder: &Path) -> bool {
    let absolute = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    absolute(path).starts_with(absolute(folder))
}

/// What is left of a path when some folders below it are taken out: itself, or parts of it.
fn without(path: &Path, folders: &[PathBuf]) -> Vec<PathBuf> {
    if folders.iter().any(|folder| is_below(path, folder)) {
        return Vec::new();
    }
    if !path.is_dir() || !folders.iter().any(|folder| is_below(folder, path)) {
        return vec![path.to_owned()];
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|entry| entry.is_dir() || entry.is_file() && is_manifest(entry))
        .filter(|entry| entry.file_name().is_none_or(|name| name != ".git"))
        .filter(|entry| !fs::symlink_metadata(entry).is_ok_and(|data| data.is_symlink()))
        .collect();
    entries.sort();
    entries
        .iter()
        .flat_map(|entry| without(entry, folders))
        .collect()
}

fn is_manifest(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending == "yaml" || ending == "yml" || ending == "json")
}

/// The folders below `top` that a glob of `*` means, sorted.
fn folders(top: &Path, glob: &str) -> Vec<PathBuf> {
    let mut found = vec![top.to_owned()];
    let parts = glob
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".");
    for part in parts {
        let mut next = Vec::new();
        for folder in found {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let fits = name.to_str().is_some_and(|name| fits(part, name));
                if fits && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    next.push(entry.path());
                }
            }
        }
        next.sort();
        found = next;
    }
    if glob.is_empty() { Vec::new() } else { found }
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(rest) = name.strip_prefix(before) else {
        return false;
    };
    (0..=rest.len())
        .filter(|start| rest.is_char_boundary(*start))
        .any(|start| fits(after, &rest[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(fits("*", "prod"));
        assert!(fits("prod-*", "prod-eu"));
        assert!(fits("*-eu", "prod-eu"));
        assert!(!fits("prod-*", "staging"));
        assert!(!fits("prod", "prod-eu"));
    }
}
