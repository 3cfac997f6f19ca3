//! Mirrors image-automation-controller 1.2 `internal/update/setters.go`: what one automation run does to the files under its path.

pub mod changes;
pub mod discovery;
mod losses;
mod markers;
mod occurrences;
mod outcome;
mod package;
mod values;
mod visit;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use changes::{Change, FileChanges, ObjectChanges, ObjectIdentifier};
pub use markers::{MARKER_KEY, SCREENING_TOKEN, Setters};
pub use outcome::{
    Ignored, LocatedChange, Loss, LossKind, Marker, MarkerOutcome, ProblemFile, RunFailure,
    SetterPolicy, SourceFile, Update, WrittenFile,
};
pub use package::PACKAGE;
use package::{NoteForms, Resource, file_of};

use crate::yaml::{Document, NodeId, Read, ReadError, SplitText, normalize};

/// A candidate file that holds the name of the marker between double quotes.
struct Screened<'f> {
    path: &'f str,
    text: Cow<'f, [u8]>,
}

/// A screened file, cut into pieces if its separators allow.
type Split<'t> = Result<SplitText<'t>, ReadError>;

/// What became of a field with a marker.
#[derive(Clone, Debug)]
struct Visited {
    setter: String,
    old: String,
    new: String,
}

/// A run in progress.
struct Run<'a> {
    setters: &'a Setters,
    screened: &'a [Screened<'a>],
    split: &'a [Split<'a>],
    update: Update,
    /// Files, as noted in their objects, with at least one new value.
    changed_files: HashSet<String>,
    /// Where the files of `update.changed` are, by their paths.
    reported_files: HashMap<String, usize>,
    /// The numbers of the screened files that can't be read.
    unreadable: HashSet<usize>,
    /// The fields that were set, by the number of their object and their node.
    visited: HashMap<(usize, NodeId), Visited>,
    /// Explicit tags that were added, by the number of the screened file.
    retyped: Vec<(usize, Loss)>,
}

/// One whole run over the candidate files, given in the order of the walk.
///
/// Files that can't be read are skipped. Only files in which a value changes are written.
///
/// # Errors
///
/// The run fails as a whole, and nothing is written, when an object names another file than its own, the path of a changed file
/// holds `..`, or an item of a `List` is no mapping.
pub fn update(files: &[SourceFile<'_>], setters: &Setters) -> Result<Update, RunFailure> {
    let token = memchr::memmem::Finder::new(SCREENING_TOKEN);
    let screened: Vec<Screened<'_>> = files
        .iter()
        .filter(|file| token.find(file.bytes).is_some())
        .map(|file| Screened {
            path: file.path,
            text: normalize(file.bytes),
        })
        .collect();
    let split: Vec<Split<'_>> = screened
        .iter()
        .map(|screened| SplitText::new(&screened.text))
        .collect();
    let mut run = Run {
        setters,
        screened: &screened,
        split: &split,
        update: Update::default(),
        changed_files: HashSet::new(),
        reported_files: HashMap::new(),
        unreadable: HashSet::new(),
        visited: HashMap::new(),
        retyped: Vec::new(),
    };
    let mut resources = run.read()?;
    let forms = package::prepare(&mut resources)?;
    for (number, resource) in resources.iter_mut().enumerate() {
        for field in visit::scalars(&resource.document) {
            run.set(number, resource, field)?;
        }
    }
    run.update.markers = occurrences::find(files, &run, &resources);
    run.write(files, resources, &forms)?;
    Ok(run.update)
}

impl<'a> Run<'a> {
    /// Reads all screened files; those that can't be read become problem files.
    fn read(&mut self) -> Result<Vec<Resource<'a>>, RunFailure> {
        let mut resources = Vec::new();
        for (file, (screened, split)) in self.screened.iter().zip(self.split).enumerate() {
            let path = screened.path;
            let read = split
                .as_ref()
                .map_err(Clone::clone)
                .and_then(|split| split.read(Some(path)));
            match read {
                Ok(read) => resources.extend(read.into_iter().map(
                    |Read {
                         chunk, document, ..
                     }| Resource {
                        document,
                        file,
                        chunk,
                    },
                )),
                Err(error) if error.is_unsupported => {
                    return Err(RunFailure::unsupported(format!("{path}: {error}")));
                }
                Err(error) => {
                    self.unreadable.insert(file);
                    self.update.problem_files.push(ProblemFile {
                        path: path.to_owned(),
                        line: error.line,
                        reason: error.problem,
                    });
                }
            }
        }
        Ok(resources)
    }

    /// Line and column of an offset in an object.
    fn place(&self, resource: &Resource<'_>, offset: usize) -> (usize, usize) {
        self.split[resource.file].as_ref().map_or((0, 0), |split| {
            split.place(split.chunks[resource.chunk].start + offset)
        })
    }

    /// Sets one field, if its comment asks for it.
    fn set(
        &mut self,
        number: usize,
        resource: &mut Resource<'_>,
        field: NodeId,
    ) -> Result<(), RunFailure> {
        let node = resource.document.node(field);
        let comment = node.comment_for_readers();
        if comment.is_empty() {
            return Ok(());
        }
        let Some(setting) = self.setters.requested_by(&comment.text)? else {
            return Ok(());
        };
        let (line, column) = self.place(resource, node.content_start);
        // The file is looked up before the value is set, the object after: the marker may stand on its name.
        let noted_file = file_of(&resource.document).to_owned();
        let node = resource.document.node_mut(field);
        let old = values::set_value(node, &setting)?;
        if let Some(tag) = node.added_tag() {
            let kind = LossKind::Retyped { tag };
            self.retyped.push((resource.file, Loss { line, kind }));
        }
        if old != setting.value {
            self.changed_files.insert(noted_file.clone());
            if self.setters.is_known(&setting.setter) {
                let change = LocatedChange {
                    path: self.screened[resource.file].path.to_owned(),
                    object: identify(&resource.document),
                    setter: setting.setter.clone(),
                    line,
                    column,
                    old: old.clone(),
                    new: setting.value.clone(),
                };
                self.record(noted_file, change);
            }
        }
        let visited = Visited {
            setter: setting.setter,
            old,
            new: setting.value,
        };
        self.visited.insert((number, field), visited);
        Ok(())
    }

    fn record(&mut self, noted_file: String, located: LocatedChange) {
        let change = Change {
            old: located.old.clone(),
            new: located.new.clone(),
            setter: located.setter.clone(),
        };
        let changed = &mut self.update.changed;
        let file = *self
            .reported_files
            .entry(noted_file)
            .or_insert_with_key(|path| {
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
        self.update.located.push(located);
    }

    /// Writes the objects of all files with a new value.
    fn write(
        &mut self,
        files: &[SourceFile<'_>],
        resources: Vec<Resource<'_>>,
        forms: &[NoteForms],
    ) -> Result<(), RunFailure> {
        let mut changed: Vec<Resource<'_>> = resources
            .into_iter()
            .filter(|resource| self.changed_files.contains(file_of(&resource.document)))
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        package::reconcile(&mut changed, forms)?;
        let mut losses = losses::of(self, &changed);
        let known: HashSet<&str> = files.iter().map(|file| file.path).collect();
        let mut created = Vec::new();
        for output in package::write(changed)? {
            let is_known = known.contains(output.path.as_str());
            let mut file = WrittenFile {
                losses: losses.remove(&output.path).unwrap_or_default(),
                path: output.path,
                bytes: output.bytes,
                created: !is_known,
            };
            if is_known {
                self.update.written.push(file);
            } else {
                let kind = LossKind::UnwrappedList;
                file.losses.push(Loss { line: 1, kind });
                created.push(file);
            }
        }
        self.update.written.append(&mut created);
        Ok(())
    }
}

/// What the object of a change is called.
fn identify(document: &Document<'_>) -> ObjectIdentifier {
    let identity = document.identity().unwrap_or_default();
    ObjectIdentifier {
        api_version: identity.api_version,
        kind: identity.kind,
        name: identity.name,
        namespace: identity.namespace,
    }
}
