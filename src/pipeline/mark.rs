//! `mark`: markers for images that policies track.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::controllers::flux::ObjectKey;
use crate::controllers::repository::canonical_image_name;
use crate::controllers::setters::images::{
    CustomField, ImageField, MarkerPlace, image_fields, insert, marker_comment,
};
use crate::controllers::setters::{
    MarkerOutcome, SetterPolicy, Setters, SourceFile, Wanted, rewrite_file,
};
use crate::failure::Failure;

use super::files::NamedFiles;
use super::request::NamespaceScope;
use super::stages::Inputs;

/// What `mark` is asked to do.
#[derive(Clone, Debug)]
pub struct MarkRequest {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Fields of other kinds.
    pub fields: Vec<CustomField>,
    /// Only tell.
    pub check: bool,
}

/// A file with new markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedFile {
    /// The path from the top of the work tree.
    pub path: String,
    /// The bytes before.
    pub old: Vec<u8>,
    /// The bytes after.
    pub new: Vec<u8>,
    /// How many markers came in.
    pub inserted: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Marked {
    /// The files that were changed, or would be.
    pub files: Vec<MarkedFile>,
    /// Image fields that have a marker already.
    pub marked_before: usize,
    /// Image fields that no policy tracks.
    pub untracked: usize,
    /// Fields that got no marker though a policy tracks their image: path, line, and why.
    pub left: Vec<(String, usize, String)>,
}

/// Canonical image name to the policies that track it.
type Tracking = BTreeMap<String, Vec<ObjectKey>>;

fn tracking(inputs: &Inputs, scope: &NamespaceScope) -> Tracking {
    let mut tracking = Tracking::new();
    for policy in inputs.objects.policies.values() {
        if !scope.includes(&policy.key.namespace) {
            continue;
        }
        let repository = policy
            .spec
            .image_repository_ref
            .key_from(&policy.key.namespace);
        let Some(repository) = inputs.objects.repositories.get(&repository) else {
            continue;
        };
        if let Ok(name) = canonical_image_name(&repository.spec.image) {
            tracking.entry(name).or_default().push(policy.key.clone());
        }
    }
    tracking
}

/// Puts markers behind the images that the policies of `inputs` track.
///
/// # Errors
///
/// A path leads nowhere, a file can't be read or written.
pub fn mark(
    request: &MarkRequest,
    scope: &NamespaceScope,
    inputs: &Inputs,
) -> Result<Marked, Failure> {
    let tracking = tracking(inputs, scope);
    let mut done = Marked::default();
    for path in &request.paths {
        let named = NamedFiles::find(path)?;
        let seen = named.look(|path, bytes| {
            let file = SourceFile { path, bytes };
            let fields = image_fields(&file, &request.fields);
            (!fields.is_empty()).then(|| mark_file(&file, &fields, &tracking))
        })?;
        for (file, part) in seen {
            done.marked_before += part.marked_before;
            done.untracked += part.untracked;
            done.left.extend(part.left);
            done.files.extend(file);
        }
        if !request.check {
            let changes: Vec<(String, Vec<u8>, Vec<u8>)> = done
                .files
                .iter()
                .filter(|file| named.paths.contains(&file.path))
                .map(|file| (file.path.clone(), file.old.clone(), file.new.clone()))
                .collect();
            named.write(&changes)?;
        }
    }
    Ok(done)
}

fn mark_file(
    file: &SourceFile<'_>,
    fields: &[ImageField],
    tracking: &Tracking,
) -> (Option<MarkedFile>, Marked) {
    let mut part = Marked::default();
    let mut texts: Vec<(usize, usize, String)> = Vec::new();
    for field in fields {
        let mut leave = |why: String| part.left.push((file.path.to_owned(), field.line, why));
        let policies = canonical_image_name(&field.image)
            .ok()
            .and_then(|name| tracking.get(&name));
        match (policies.map(Vec::as_slice), &field.place) {
            (_, MarkerPlace::Marked) => part.marked_before += 1,
            (None | Some([]), _) => part.untracked += 1,
            (Some([policy]), MarkerPlace::At(at)) => {
                let name = format!("{}:{}", policy.namespace, policy.name);
                texts.push((*at, field.line, marker_comment(&name, field.part)));
            }
            (Some(_), MarkerPlace::Nowhere(why)) => leave((*why).to_owned()),
            (Some(several), MarkerPlace::At(_)) => {
                let names: Vec<String> = several.iter().map(ToString::to_string).collect();
                leave(format!(
                    "the policies {} all track {}: write the marker of one of them yourself, or name a namespace with -n",
                    names.join(", "),
                    field.image
                ));
            }
        }
    }
    texts.sort();
    texts.dedup_by_key(|(at, ..)| *at);
    let working = working_lines(file, &texts, tracking);
    texts.retain(|(_, line, _)| {
        let works = working.contains(line);
        if !works {
            part.left.push((
                file.path.to_owned(),
                *line,
                "a marker behind the value would not count: write the value on a line of its own"
                    .into(),
            ));
        }
        works
    });
    if texts.is_empty() {
        return (None, part);
    }
    let made = MarkedFile {
        path: file.path.to_owned(),
        old: file.bytes.to_vec(),
        new: inserted(file.bytes, &texts),
        inserted: texts.len(),
    };
    (Some(made), part)
}

fn inserted(bytes: &[u8], texts: &[(usize, usize, String)]) -> Vec<u8> {
    let texts: Vec<(usize, String)> = texts
        .iter()
        .map(|(at, _, text)| (*at, text.clone()))
        .collect();
    insert(bytes, &texts)
}

/// The lines on which the markers, once they stand there, are read by the controller.
fn working_lines(
    file: &SourceFile<'_>,
    texts: &[(usize, usize, String)],
    tracking: &Tracking,
) -> Vec<usize> {
    let policies: Vec<SetterPolicy> = tracking
        .values()
        .flatten()
        .map(|key| SetterPolicy {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            image: "registry.example.com/any".into(),
            tag: "any".into(),
            digest: String::new(),
        })
        .collect();
    let Ok(setters) = Setters::new(&policies) else {
        return Vec::new();
    };
    let bytes = inserted(file.bytes, texts);
    let again = SourceFile {
        path: file.path,
        bytes: &bytes,
    };
    let wanted = Wanted {
        bytes: false,
        findings: true,
        losses: false,
        minimal: false,
    };
    let rewritten = rewrite_file(&again, &setters, wanted);
    rewritten
        .markers()
        .iter()
        .filter(|marker| !matches!(marker.outcome, MarkerOutcome::Ignored(_)))
        .map(|marker| marker.line)
        .collect()
}
