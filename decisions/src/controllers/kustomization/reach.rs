//! Mirrors how kustomize 5.8 and fluxcd/pkg/kustomize 1.35 (`scanManifests`) get from a folder to files: which files of a
//! source a Kustomization reads, and what it names that is not there to be read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::yaml::json::stream_to_json;

use super::file::{self, Reference};
use super::remote;
use super::tree::{ArtifactTree, folder_of, joined, resolved};

/// What a Kustomization reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The files.
    pub files: BTreeSet<String>,
    /// What the controller would fetch, each with the file that names it.
    pub remote: BTreeSet<(String, String)>,
    /// What leads out of the source, each with the file that names it.
    pub outside: BTreeSet<(String, String)>,
    /// Files of Secret generators and patches, which the controller decrypts where it can.
    pub decrypted: BTreeSet<String>,
    /// Files whose text has to be known to go on, and isn't.
    pub unread: BTreeSet<String>,
}

/// Texts of a tree by path, as far as they are known.
pub type Texts = BTreeMap<String, Vec<u8>>;

/// What is read from `folder`, with Components that the Kustomization itself adds to it.
pub fn reach(tree: &ArtifactTree, texts: &Texts, folder: &str, components: &[String]) -> Reach {
    let mut walk = Walk {
        tree,
        texts,
        reach: Reach::default(),
        seen: BTreeSet::new(),
    };
    match tree.kustomization_in(folder) {
        Some(_) => walk.folder(folder),
        None => {
            for path in generated_resources(tree, folder) {
                walk.resource(&path, folder, &Reference::Resource(path.clone()));
            }
        }
    }
    for component in components {
        let from = joined(folder, "kustomization.yaml");
        walk.follow(&from, folder, &Reference::Component(component.clone()));
    }
    walk.reach
}

/// The resources of a folder without a kustomization file, in the order in which they are found: YAML files at any depth,
/// and folders that have such a file.
pub fn generated_resources(tree: &ArtifactTree, folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    scan(tree, folder, &mut found);
    found
}

fn scan(tree: &ArtifactTree, folder: &str, found: &mut Vec<String>) {
    // By the names in each folder, as a walk goes; a path's own order would take `a-b` before `a/c`.
    let mut names: BTreeMap<&str, bool> = BTreeMap::new();
    let skipped = if folder.is_empty() {
        0
    } else {
        folder.len() + 1
    };
    for path in tree.below(folder) {
        match path[skipped..].split_once('/') {
            Some((name, _)) => drop(names.insert(name, true)),
            None => drop(names.insert(&path[skipped..], false)),
        }
    }
    for (name, is_folder) in names {
        let path = joined(folder, name);
        if !is_folder {
            if path.ends_with(".yaml") || path.ends_with(".yml") {
                found.push(path);
            }
        } else if tree.kustomization_in(&path).is_some() {
            found.push(path);
        } else {
            scan(tree, &path, found);
        }
    }
}

struct Walk<'a> {
    tree: &'a ArtifactTree,
    texts: &'a Texts,
    reach: Reach,
    seen: BTreeSet<String>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &str) {
        if !self.seen.insert(folder.to_owned()) {
            return;
        }
        let Some(path) = self.tree.kustomization_in(folder) else {
            return;
        };
        let Some(kustomization) = self.known(&path).and_then(|bytes| file::read(bytes).ok()) else {
            return;
        };
        for reference in file::references(&kustomization) {
            self.follow(&path, folder, &reference);
        }
        self.decrypted(&kustomization, folder);
    }

    /// The text of a file, noting that it is read.
    fn known(&mut self, path: &str) -> Option<&Vec<u8>> {
        self.reach.files.insert(path.to_owned());
        let text = self.texts.get(path);
        if text.is_none() {
            self.reach.unread.insert(path.to_owned());
        }
        text
    }

    fn decrypted(&mut self, kustomization: &Value, folder: &str) {
        let generators = kustomization["secretGenerator"].as_array();
        let only =
            serde_json::json!({"secretGenerator": generators, "patches": kustomization["patches"]});
        for reference in file::references(&only) {
            if let Reference::File(path) = reference
                && let Some(path) = resolved(folder, &path)
                && self.tree.is_file(&path)
            {
                self.reach.decrypted.insert(path);
            }
        }
    }

    fn follow(&mut self, from: &str, folder: &str, reference: &Reference) {
        let (text, may_be_folder) = match reference {
            Reference::Resource(text) | Reference::Plugin(text) | Reference::Component(text) => {
                (text, true)
            }
            Reference::File(text) => (text, false),
            Reference::FileOrPatch(text) if text.contains('\n') => return,
            Reference::FileOrPatch(text) => (text, false),
        };
        let named = || (from.to_owned(), text.clone());
        if remote::is_remote_file(text) {
            self.reach.remote.insert(named());
            return;
        }
        let path = resolved(folder, text);
        let is_file = path.as_deref().is_some_and(|path| self.tree.is_file(path));
        if may_be_folder && !is_file && remote::is_repository(text) {
            self.reach.remote.insert(named());
            return;
        }
        match path {
            Some(path) => self.resource(&path, folder, reference),
            None if matches!(reference, Reference::FileOrPatch(_)) && is_inline(text) => {}
            None => drop(self.reach.outside.insert(named())),
        }
    }

    fn resource(&mut self, path: &str, folder: &str, reference: &Reference) {
        if !self.tree.is_file(path) {
            if !matches!(reference, Reference::File(_) | Reference::FileOrPatch(_)) {
                self.folder(path);
            }
            return;
        }
        self.reach.files.insert(path.to_owned());
        if !matches!(reference, Reference::Plugin(_)) || !self.seen.insert(path.to_owned()) {
            return;
        }
        // What a plugin names counts from the folder of the kustomization that names the plugin.
        let text = self
            .known(path)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let configurations = text.and_then(|text| stream_to_json(&text).ok());
        for configuration in configurations.unwrap_or_default() {
            for reference in file::plugin_references(&configuration) {
                self.follow(path, folder, &reference);
            }
        }
    }
}

fn is_inline(text: &str) -> bool {
    text.contains(": ") || text.starts_with('{')
}

/// The folders of the files that are read: what has to be there for the build to find them.
pub fn folders(reach: &Reach) -> BTreeSet<&str> {
    reach.files.iter().map(|path| folder_of(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::kustomization::source_ignore::SourceIgnore;
    use crate::facts::git::WorkTree;

    fn tree(files: &[(&str, &str)]) -> (ArtifactTree, Texts) {
        let entries: Vec<_> = files.iter().map(|(path, _)| (*path, None)).collect();
        let tree = WorkTree::of(&entries);
        let texts = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        (
            ArtifactTree::new(&tree, [], &SourceIgnore::default()),
            texts.collect(),
        )
    }

    fn reached(files: &[(&str, &str)], folder: &str, components: &[&str]) -> Reach {
        let (tree, texts) = tree(files);
        let components: Vec<String> = components.iter().map(|text| (*text).to_owned()).collect();
        reach(&tree, &texts, folder, &components)
    }

    #[test]
    fn other_folders_are_reached_through_references() {
        let found = reached(
            &[
                (
                    "apps/prod/kustomization.yaml",
                    "resources: [../base, https://example.com/a/b/c]\npatches: [{path: patch.yaml}]\n",
                ),
                ("apps/prod/patch.yaml", ""),
                ("apps/prod/unused.yaml", ""),
                (
                    "apps/base/Kustomization",
                    "resources: [app.yaml, ../prod]\nconfigMapGenerator: [{files: [../../../etc/passwd]}]\nsecretGenerator: [{envs: [s.env]}]\n",
                ),
                ("apps/base/app.yaml", ""),
                ("apps/base/s.env", ""),
                ("more/kustomization.yml", "transformers: [t.yaml]\n"),
                (
                    "more/t.yaml",
                    "kind: PatchTransformer\npath: p.yaml\n---\nkind: X\nfiles: [/etc/hosts]\n",
                ),
                ("more/p.yaml", ""),
            ],
            "apps/prod",
            &["../../more"],
        );
        let files: Vec<&str> = found.files.iter().map(String::as_str).collect();
        assert_eq!(
            files,
            [
                "apps/base/Kustomization",
                "apps/base/app.yaml",
                "apps/base/s.env",
                "apps/prod/kustomization.yaml",
                "apps/prod/patch.yaml",
                "more/kustomization.yml",
                "more/p.yaml",
                "more/t.yaml"
            ]
        );
        assert_eq!(found.remote.len(), 1);
        let outside: Vec<&str> = found
            .outside
            .iter()
            .map(|(_, text)| text.as_str())
            .collect();
        assert_eq!(outside, ["../../../etc/passwd", "/etc/hosts"]);
        assert!(found.decrypted.contains("apps/base/s.env"));
        assert!(found.unread.is_empty());
    }

    #[test]
    fn a_folder_without_a_kustomization_is_scanned_in_the_order_of_a_walk() {
        let (tree, _) = tree(&[
            ("a/c.yaml", ""),
            ("a-b.yaml", ""),
            ("b/kustomization.yaml", "resources: [x.yaml]"),
            ("b/x.yaml", ""),
            ("b/y.yaml", ""),
            ("c.json", ""),
            ("d.yml", ""),
        ]);
        assert_eq!(
            generated_resources(&tree, ""),
            ["a/c.yaml", "a-b.yaml", "b", "d.yml"]
        );
        assert_eq!(generated_resources(&tree, "none"), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_known_is_asked_for() {
        let (tree, _) = tree(&[("a/kustomization.yaml", "")]);
        let found = reach(&tree, &Texts::new(), "a", &[]);
        assert_eq!(found.unread.len(), 1);
    }
}
