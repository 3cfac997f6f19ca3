//! Mirrors kyaml 0.21.1 `kio/kio.go` and `kio/pkgio_writer.go`, as used by image-automation-controller 1.2: the notes about files that
//! travel with each object, and the files that come out.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::outcome::RunFailure;
use crate::yaml::resource::{
    ID, INDEX, LEGACY_ID, LEGACY_INDEX, LEGACY_PATH, MIGRATION_ID, PATH, WrongKind,
};
use crate::yaml::{Document, write_documents};

/// An object of a run.
#[derive(Clone, Debug)]
pub(super) struct Resource<'t> {
    pub(super) document: Document<'t>,
    /// The number of the candidate file.
    pub(super) file: usize,
    /// The number of the piece of the file between separators.
    pub(super) chunk: usize,
}

/// A file that comes out.
pub(super) struct OutputFile {
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
}

/// Which forms of the notes an object had before the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoteForms {
    new: bool,
    legacy: bool,
}

impl From<WrongKind> for RunFailure {
    fn from(error: WrongKind) -> Self {
        Self::predicted(error.message)
    }
}

fn failure(message: impl Into<String>) -> RunFailure {
    RunFailure::predicted(message)
}

/// The file that an object is noted to be from; empty for items of a `List`.
pub(super) fn file_of<'d>(document: &'d Document<'_>) -> &'d str {
    document
        .annotation(PATH)
        .unwrap_or_else(|| document.annotation_or_empty(LEGACY_PATH))
}

/// Before the values are set: numbers the objects and completes the notes.
pub(super) fn prepare(resources: &mut [Resource<'_>]) -> Result<Vec<NoteForms>, RunFailure> {
    let mut forms = Vec::with_capacity(resources.len());
    for (number, resource) in resources.iter_mut().enumerate() {
        let document = &mut resource.document;
        document.set_annotation(MIGRATION_ID, &number.to_string())?;
        let has = |keys: [&str; 3]| keys.iter().any(|key| document.annotation(key).is_some());
        forms.push(NoteForms {
            new: has([PATH, INDEX, ID]),
            legacy: has([LEGACY_PATH, LEGACY_INDEX, LEGACY_ID]),
        });
        document.copy_legacy_annotations()?;
        check_mismatch(document)?;
    }
    Ok(forms)
}

fn check_mismatch(document: &Document<'_>) -> Result<(), RunFailure> {
    for (what, new, legacy) in [
        ("path", PATH, LEGACY_PATH),
        ("index", INDEX, LEGACY_INDEX),
        ("id", ID, LEGACY_ID),
    ] {
        let new = document.annotation_or_empty(new);
        let legacy = document.annotation_or_empty(legacy);
        if !new.is_empty() && !legacy.is_empty() && new != legacy {
            return Err(failure(format!(
                "resource input to function has mismatched legacy and internal {what} annotations"
            )));
        }
    }
    Ok(())
}

/// After the values are set: brings the notes of the objects to be written into the form that they had.
pub(super) fn reconcile(
    resources: &mut [Resource<'_>],
    forms: &[NoteForms],
) -> Result<(), RunFailure> {
    let mut noted = forms.iter().filter(|form| form.new || form.legacy);
    let first = noted.next().copied();
    let first = first.unwrap_or(NoteForms {
        new: forms.is_empty(),
        legacy: forms.is_empty(),
    });
    if noted.any(|form| form.new != first.new || form.legacy != first.legacy) {
        return Err(failure(
            "the annotation formatting in the input resources is not consistent",
        ));
    }
    for resource in resources {
        let document = &mut resource.document;
        for (new, legacy) in [(PATH, LEGACY_PATH), (INDEX, LEGACY_INDEX), (ID, LEGACY_ID)] {
            let new_value = document.annotation_or_empty(new).to_owned();
            let legacy_value = document.annotation_or_empty(legacy).to_owned();
            match (new_value.is_empty(), legacy_value.is_empty()) {
                (true, false) => document.set_annotation(new, &legacy_value)?,
                (false, true) => document.set_annotation(legacy, &new_value)?,
                _ => {}
            }
        }
        if !first.new {
            for key in [ID, PATH, INDEX] {
                document.clear_annotation(key)?;
            }
        }
        if !first.legacy {
            for key in [LEGACY_ID, LEGACY_PATH, LEGACY_INDEX] {
                document.clear_annotation(key)?;
            }
        }
        check_mismatch(document)?;
        document.clear_annotation(MIGRATION_ID)?;
    }
    Ok(())
}

/// The files that these objects make, in the order of their first objects.
pub(super) fn write(mut resources: Vec<Resource<'_>>) -> Result<Vec<OutputFile>, RunFailure> {
    name_files(&mut resources)?;
    for resource in &resources {
        for key in [INDEX, PATH] {
            if resource.document.annotation_or_empty(key).is_empty() {
                return Err(failure(format!(
                    "resources must be annotated with {key} to be written to files"
                )));
            }
        }
    }
    let mut files: Vec<(String, Vec<Document<'_>>)> = Vec::new();
    let mut numbers = HashMap::new();
    for resource in resources {
        let path = resource.document.annotation_or_empty(PATH).to_owned();
        check_path(&path)?;
        let number = *numbers.entry(path.clone()).or_insert_with(|| {
            files.push((path, Vec::new()));
            files.len() - 1
        });
        files[number].1.push(resource.document);
    }
    let mut output = Vec::with_capacity(files.len());
    for (path, mut documents) in files {
        sort_by_index(&mut documents)?;
        if documents.len() == 1 && path.ends_with(".json") {
            return Err(failure(format!("writing JSON is not supported: {path}")));
        }
        output.push(OutputFile {
            path: clean_path(&path),
            bytes: write_documents(documents)?,
        });
    }
    Ok(output)
}

/// Notes a file and a number for each object that has none.
fn name_files(resources: &mut [Resource<'_>]) -> Result<(), RunFailure> {
    let mut counts: HashMap<String, i64> = HashMap::new();
    for resource in resources.iter_mut() {
        let document = &mut resource.document;
        document.copy_legacy_annotations()?;
        let Some(identity) = document.identity() else {
            return Err(failure("missing Resource metadata"));
        };
        if let Some(path) = document.annotation(PATH) {
            let index = document.annotation_or_empty(INDEX).parse().unwrap_or(0);
            let count = counts.entry(path.to_owned()).or_default();
            *count = index.max(*count);
            continue;
        }
        let file = format!("{}_{}.yaml", identity.kind.to_lowercase(), identity.name);
        let path = if identity.namespace.is_empty() {
            clean_path(&file)
        } else {
            clean_path(&format!("{}/{file}", identity.namespace))
        };
        document.set_annotation(PATH, &path)?;
        document.set_annotation(LEGACY_PATH, &path)?;
    }
    for resource in resources {
        let document = &mut resource.document;
        if document.annotation(INDEX).is_some() {
            continue;
        }
        let count = counts
            .entry(document.annotation_or_empty(PATH).to_owned())
            .or_default();
        let index = count.to_string();
        *count += 1;
        document.set_annotation(INDEX, &index)?;
        document.set_annotation(LEGACY_INDEX, &index)?;
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), RunFailure> {
    if path.starts_with('/') {
        return Err(failure("package paths may not be absolute paths"));
    }
    let clean = clean_path(path);
    if clean.contains("..") {
        return Err(failure(format!(
            "resource must be written under package {PACKAGE}: {clean}"
        )));
    }
    Ok(())
}

/// Stands in messages for the folder of the controller's work tree, whose name is new in each run.
pub const PACKAGE: &str = "<clone>";

fn sort_by_index(documents: &mut [Document<'_>]) -> Result<(), RunFailure> {
    let mut wrong = None;
    documents.sort_by(|left, right| {
        let left = left.annotation_or_empty(INDEX);
        let right = right.annotation_or_empty(INDEX);
        let mut number = |text: &str| {
            text.parse::<i64>().unwrap_or_else(|_| {
                wrong.get_or_insert_with(|| text.to_owned());
                0
            })
        };
        match left {
            _ if left == right => Ordering::Equal,
            _ => number(left).cmp(&number(right)),
        }
    });
    match wrong {
        None => Ok(()),
        Some(text) => Err(failure(format!(
            "unable to parse config.kubernetes.io/index {text} :strconv.Atoi: parsing {text:?}: invalid syntax"
        ))),
    }
}

/// A path without `.`, empty parts and `x/..`.
fn clean_path(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if path.starts_with('/') => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (path.starts_with('/'), joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}
