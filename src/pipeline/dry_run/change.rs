//! What an update changes in a source, and which Kustomizations read it: the trees before and after, and what each reads.

use std::collections::{BTreeMap, BTreeSet};

use crate::controllers::flux::{GitRepository, ObjectKey};
use crate::controllers::kustomization::KustomizationSpec;
use crate::controllers::kustomization::generate::{Generated, generate};
use crate::controllers::kustomization::reach::{Reach, Texts, reach};
use crate::controllers::kustomization::source_ignore::{self, SourceIgnore};
use crate::controllers::kustomization::tree::{
    ArtifactTree, folder_of, is_kustomization_file, secured,
};
use crate::pipeline::checkout::Checkout;
use crate::pipeline::stages::{Preview, PreviewedFile};

/// One state of a source: before the update, or after it.
pub(super) struct State {
    tree: ArtifactTree,
    texts: Texts,
}

/// A source before and after.
pub(super) struct Change<'a> {
    checkout: &'a Checkout,
    preview: &'a Preview,
    pub before: State,
    pub after: State,
}

/// What a Kustomization reads, before and after.
pub(super) struct Reached {
    /// The folder that is built.
    pub folder: String,
    pub before: Reach,
    pub after: Reach,
}

impl<'a> Change<'a> {
    /// The states of the artifact that `source` makes of the update.
    pub fn new(
        preview: &'a Preview,
        checkout: &'a Checkout,
        source: Option<&GitRepository>,
    ) -> Self {
        let files = checkout.tree.entries.files();
        let wanted: Vec<String> = files
            .filter(|path| is_kustomization_file(path) || is_ignore_file(path))
            .collect();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let read = read(checkout, &wanted);
        let ignore = ignore(&read, source);
        let new = preview.files.iter().filter(|file| file.old.is_none());
        let added: Vec<&str> = new.map(|file| file.path.as_str()).collect();
        let mut before = State {
            tree: ArtifactTree::new(&checkout.tree, [], &ignore),
            texts: read.clone(),
        };
        let mut after = State {
            tree: ArtifactTree::new(&checkout.tree, added, &ignore),
            texts: read,
        };
        for file in &preview.files {
            after.texts.insert(file.path.clone(), file.new.clone());
            if let Some(old) = &file.old {
                before.texts.insert(file.path.clone(), old.clone());
            }
        }
        Self {
            checkout,
            preview,
            before,
            after,
        }
    }

    /// Where the files are.
    pub fn checkout(&self) -> &'a Checkout {
        self.checkout
    }

    /// What a Kustomization with this spec before and after reads; `None`: its folder isn't there.
    pub fn reached(
        &mut self,
        before: &KustomizationSpec,
        after: &KustomizationSpec,
    ) -> Option<Reached> {
        let folder = secured(&after.path);
        if !self.after.tree.is_folder(&folder) {
            return None;
        }
        let before_folder = secured(&before.path);
        let checkout = self.checkout;
        Some(Reached {
            before: self
                .before
                .reach(checkout, &before_folder, &before.components),
            after: self.after.reach(checkout, &folder, &after.components),
            folder,
        })
    }

    /// The changed file at a path.
    pub fn file(&self, path: &str) -> Option<&'a PreviewedFile> {
        self.preview.files.iter().find(|file| file.path == path)
    }

    /// The changed files among those that are read.
    pub fn touched(&self, reached: &Reached) -> Vec<&'a PreviewedFile> {
        let files = self.preview.files.iter();
        files
            .filter(|file| {
                reached.before.files.contains(&file.path)
                    || reached.after.files.contains(&file.path)
            })
            .collect()
    }
}

impl State {
    fn reach(&mut self, checkout: &Checkout, folder: &str, components: &[String]) -> Reach {
        // Each turn reads what plugins name; a plugin that can't be read isn't asked for again.
        for _ in 0..16 {
            let found = reach(&self.tree, &self.texts, folder, components);
            let unread: Vec<&str> = found.unread.iter().map(String::as_str).collect();
            if unread.is_empty() {
                return found;
            }
            let mut read = read(checkout, &unread);
            for path in &found.unread {
                let text = read.remove(path).unwrap_or_default();
                self.texts.insert(path.clone(), text);
            }
        }
        reach(&self.tree, &self.texts, folder, components)
    }

    /// The files that a build needs, with the kustomization file that the controller makes.
    ///
    /// # Errors
    ///
    /// The controller fails at it.
    pub fn files(
        &mut self,
        checkout: &Checkout,
        spec: &KustomizationSpec,
        folder: &str,
        reached: &Reach,
    ) -> Result<(BTreeMap<String, Vec<u8>>, Generated), String> {
        let missing: Vec<&str> = reached
            .files
            .iter()
            .map(String::as_str)
            .filter(|path| !self.texts.contains_key(*path))
            .collect();
        self.texts.extend(read(checkout, &missing));
        let generated = generate(spec, &self.tree, &self.texts, folder)?;
        let mut files: BTreeMap<String, Vec<u8>> = reached
            .files
            .iter()
            .filter_map(|path| Some((path.clone(), self.texts.get(path)?.clone())))
            .collect();
        // All of a folder's kustomization files: several are an error that the tool should see.
        let folders: BTreeSet<&str> = reached.files.iter().map(|path| folder_of(path)).collect();
        for (path, text) in &self.texts {
            if is_kustomization_file(path)
                && self.tree.is_file(path)
                && folders.contains(folder_of(path))
            {
                files.insert(path.clone(), text.clone());
            }
        }
        files.insert(generated.path.clone(), generated.bytes.clone());
        Ok((files, generated))
    }

    /// Whether one of the files that the controller decrypts is encrypted.
    pub fn has_encrypted_sources(&self, reached: &Reach) -> bool {
        reached.decrypted.iter().any(|path| {
            let text = self.texts.get(path);
            text.is_some_and(|text| {
                crate::controllers::kustomization::apply::is_encrypted_file(text)
            })
        })
    }
}

fn is_ignore_file(path: &str) -> bool {
    path.rsplit('/').next() == Some(source_ignore::FILE_NAME)
}

/// The texts of files; one that can't be read is as if it were not there.
fn read(checkout: &Checkout, paths: &[&str]) -> Texts {
    if paths.is_empty() {
        return Texts::new();
    }
    let read = checkout.files.read_files(paths, |_| true);
    let read = read.into_iter();
    read.filter_map(|(path, text)| Some((path, text.ok()?)))
        .collect()
}

fn ignore(texts: &Texts, source: Option<&GitRepository>) -> SourceIgnore {
    let mut ignore = SourceIgnore::default();
    let mut files: Vec<(&String, &Vec<u8>)> = texts
        .iter()
        .filter(|(path, _)| is_ignore_file(path))
        .collect();
    // A folder's patterns count after those of the folders above.
    files.sort_by_key(|(path, _)| path.matches('/').count());
    for (path, text) in files {
        ignore.read(&String::from_utf8_lossy(text), folder_of(path));
    }
    if let Some(patterns) = source.and_then(|source| source.spec.ignore.as_deref()) {
        ignore.read(patterns, "");
    }
    ignore
}

/// The changed file that most probably makes an object differ.
pub(super) fn file_of<'a>(
    files: &[&'a PreviewedFile],
    kind: &str,
    name: &str,
) -> Option<&'a PreviewedFile> {
    let is_changed = |file: &&&PreviewedFile| {
        file.changes
            .iter()
            .any(|change| change.object.kind == kind && name.contains(&change.object.name))
    };
    files
        .iter()
        .find(is_changed)
        .or_else(|| files.first())
        .copied()
}

/// The first changed line of a file, where one is known.
pub(super) fn first_line(file: &PreviewedFile) -> Option<usize> {
    file.changes.iter().map(|change| change.line).min()
}

/// What is known of a source of Kustomizations besides its files.
pub(super) fn remarks(key: &ObjectKey, source: &GitRepository, preview: &Preview) -> Vec<String> {
    let mut notes = Vec::new();
    let spec = &source.spec;
    let pushed = preview.branches.as_ref();
    let followed = spec.reference.as_ref();
    if let (Some(pushed), Some(followed)) = (pushed, followed)
        && !followed.branch.is_empty()
        && followed.name.is_empty()
        && followed.branch != pushed.push_branch
    {
        notes.push(format!(
            "GitRepository {key} follows {}: what is checked comes once the change of {} is there",
            followed.branch, pushed.push_branch
        ));
    }
    for (is_set, what) in [
        (!spec.include.is_empty(), "spec.include"),
        (spec.recurse_submodules, "spec.recurseSubmodules"),
        (!spec.sparse_checkout.is_empty(), "spec.sparseCheckout"),
    ] {
        if is_set {
            notes.push(format!(
                "GitRepository {key} has {what}, which is not repeated: its artifact may hold other files than what is checked"
            ));
        }
    }
    notes
}
