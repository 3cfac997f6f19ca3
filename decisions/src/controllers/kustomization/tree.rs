//! Mirrors what is left of a repository in an artifact of source-controller 1.9 (`fluxcd/pkg/artifact/storage`): regular
//! files that nothing excludes, and no links.

use std::collections::BTreeSet;

use crate::facts::git::WorkTree;

use super::source_ignore::SourceIgnore;

/// The names of a kustomization file, in the order in which they are looked for.
pub const KUSTOMIZATION_FILES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The files of an artifact, by path from its top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArtifactTree {
    files: BTreeSet<String>,
}

impl ArtifactTree {
    /// What is left of a tree, with `added` files besides.
    pub fn new<'a>(
        tree: &'a WorkTree,
        added: impl IntoIterator<Item = &'a str>,
        ignore: &SourceIgnore,
    ) -> Self {
        let added = added.into_iter().map(str::to_owned);
        let files = tree.entries.files().chain(added);
        Self {
            files: files.filter(|path| !ignore.excludes(path)).collect(),
        }
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// Whether a file is there.
    pub fn is_file(&self, path: &str) -> bool {
        self.files.contains(path)
    }

    /// Whether a folder is there; the top always is.
    pub fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || self.below(path).next().is_some()
    }

    /// The files below a folder.
    pub fn below(&self, folder: &str) -> impl Iterator<Item = &str> {
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        self.files
            .range(prefix.clone()..)
            .map(String::as_str)
            .take_while(move |path| path.starts_with(&prefix))
    }

    /// The kustomization file of a folder: the first that is there.
    pub fn kustomization_in(&self, folder: &str) -> Option<String> {
        let mut paths = KUSTOMIZATION_FILES.iter().map(|name| joined(folder, name));
        paths.find(|path| self.is_file(path))
    }
}

/// Whether a path is that of a kustomization file.
pub fn is_kustomization_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    KUSTOMIZATION_FILES.contains(&name)
}

/// The folder of a path; the top is empty.
pub fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path below a folder, as they stand.
pub fn joined(folder: &str, path: &str) -> String {
    if folder.is_empty() {
        path.to_owned()
    } else {
        format!("{folder}/{path}")
    }
}

/// Where a relative reference leads from a folder; `None`: out of the tree.
pub fn resolved(folder: &str, reference: &str) -> Option<String> {
    if reference.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in reference.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The folder that `spec.path` names; it can't leave the tree.
pub fn secured(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_followed_within_the_tree() {
        for (folder, reference, expected) in [
            ("a/b", "../c/./x.yaml", Some("a/c/x.yaml")),
            ("a", "..", Some("")),
            ("", "./a//b/", Some("a/b")),
            ("a", "../../x", None),
            ("a", "/etc/passwd", None),
        ] {
            assert_eq!(
                resolved(folder, reference).as_deref(),
                expected,
                "{reference}"
            );
        }
        assert_eq!(secured("./clusters/prod/"), "clusters/prod");
        assert_eq!(secured("../../a/../b"), "b");
        assert_eq!(secured("/"), "");
    }
}
