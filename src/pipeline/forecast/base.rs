//! The same run over the files of another commit.

use std::path::{Path, PathBuf};

use crate::controllers::setters::discovery::has_fitting_name;
use crate::failure::Failure;
use crate::io::git::{self, Revision};
use crate::io::manifests::{ManifestSource, is_manifest_name};
use crate::pipeline::request::{ObjectRequest, ObjectSource, Request, WorktreeSetting};
use crate::pipeline::stages::Inputs;

use super::Prediction;

/// A commit of the work tree that holds the objects' files.
pub(super) struct Base {
    top: PathBuf,
    /// The paths that were named, from the top.
    sources: Vec<PathBuf>,
    revision: Revision,
    reference: String,
}

impl Base {
    /// # Errors
    ///
    /// The objects aren't files of one work tree, or it has no such commit.
    pub(super) fn of(request: &Request, reference: &str) -> Result<Self, Failure> {
        let ObjectSource::Manifests { sources, .. } = &request.objects.source else {
            return Err(Failure::usage(
                "--base compares files: name those of the objects with -f FILE|DIR",
            ));
        };
        if reference.is_empty() {
            return Err(Failure::usage("--base: the name of the commit is empty"));
        }
        let mut top: Option<PathBuf> = None;
        let mut inside = Vec::new();
        for source in sources {
            let ManifestSource::Path(path) = source else {
                return Err(Failure::usage(
                    "--base compares files of a commit: standard input (-f -) is in none",
                ));
            };
            let named = path.display();
            let outside = || {
                Failure::usage(format!(
                    "--base: {named} is in no git work tree, so there is no other commit of it"
                ))
            };
            // What isn't there is told by the run over the files at hand.
            let Ok(real) = path.canonicalize() else {
                continue;
            };
            let folder = if real.is_dir() {
                Some(real.as_path())
            } else {
                real.parent()
            };
            let its_top = git::top_of(folder.ok_or_else(outside)?)?.ok_or_else(outside)?;
            let its_top = its_top.canonicalize().map_err(|_| outside())?;
            if top.as_ref().is_some_and(|top| *top != its_top) {
                return Err(Failure::usage(format!(
                    "--base: {named} is in another work tree than what was named before it"
                )));
            }
            inside.push(
                real.strip_prefix(&its_top)
                    .map_err(|_| outside())?
                    .to_owned(),
            );
            top = Some(its_top);
        }
        let Some(top) = top else {
            return Err(Failure::invalid_input(
                "--base: nothing that -f names is there",
            ));
        };
        let named: Vec<String> = inside.iter().map(|path| slashed(path)).collect();
        let wanted = |path: &str| {
            has_fitting_name(path)
                || is_manifest_name(Path::new(path))
                || named.iter().any(|named| named == path)
        };
        Ok(Self {
            revision: Revision::lay_out(&top, reference, &wanted)?,
            top,
            sources: inside,
            reference: reference.to_owned(),
        })
    }

    pub(super) fn commit(&self) -> &str {
        &self.revision.commit
    }

    /// The run over the files at hand: the work tree that holds the objects is what a pull request changes.
    pub(super) fn with_work_tree(&self, request: &Request) -> Request {
        let mut request = request.clone();
        if request.worktrees.is_empty() {
            request.worktrees.push(WorktreeSetting {
                source: None,
                folder: self.top.clone(),
            });
        }
        request
    }

    /// The same run over the commit's files.
    pub(super) fn request(&self, request: &Request, here: &Inputs) -> Result<Request, Failure> {
        let mut other = self.with_work_tree(request);
        for setting in &mut other.worktrees {
            let top = if setting.folder.is_dir() {
                git::top_of(&setting.folder)?
            } else {
                None
            };
            let is_it = top.is_some_and(|top| top.canonicalize().is_ok_and(|top| top == self.top));
            if is_it {
                setting.folder = self.revision.path().to_owned();
            }
        }
        let recursive = match &request.objects.source {
            ObjectSource::Manifests { recursive, .. } => *recursive,
            ObjectSource::Cluster => false,
        };
        let there = self
            .sources
            .iter()
            .map(|path| self.revision.path().join(path));
        let sources = there
            .filter(|path| path.exists())
            .map(|path| ManifestSource::Within {
                top: self.revision.path().to_owned(),
                path,
            });
        other.objects = ObjectRequest {
            source: ObjectSource::Manifests {
                sources: sources.collect(),
                recursive,
            },
            // Both are judged by the same rules.
            flux_version: request.objects.flux_version.or_else(|| {
                here.installation
                    .reflectors
                    .first()
                    .map(|known| known.release)
            }),
            ..other.objects
        };
        // What is named here need not be there.
        other.updates = Vec::new();
        other.assumptions = Vec::new();
        other.messages = false;
        Ok(other)
    }

    /// What could not be found out about the commit's files, under their names there.
    pub(super) fn failures(&self, there: &Prediction) -> Vec<Failure> {
        let folder = format!("{}/", self.revision.path().display());
        let prefix = format!("{}:", self.reference);
        let problems = there.inputs.problems.iter();
        let problems = problems.map(|problem| Failure::invalid_input(problem.to_string()));
        let unknown = there.previews.iter().filter_map(|preview| {
            let unknown = preview.unknown.as_ref()?;
            Some(Failure {
                message: format!("{} at {}: {}", preview.key, self.reference, unknown.message),
                ..unknown.clone()
            })
        });
        let all = problems.chain(unknown).map(|failure| Failure {
            message: failure.message.replace(&folder, &prefix),
            ..failure
        });
        all.collect()
    }
}

fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}
