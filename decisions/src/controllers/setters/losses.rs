//! Mirrors no file of image-automation-controller 1.2: it tells what rewriting does to a file beside setting values, which the controller doesn't.

use std::mem::{Discriminant, discriminant};

use super::rewrite::{SetField, retyped};
use super::{Loss, LossKind};
use crate::yaml::resource::{
    INDEX, LEGACY_INDEX, LEGACY_PATH, MIGRATION_ID, PATH, SEQUENCE_INDENT,
};
use crate::yaml::{Documents, View, altered};

/// What is lost from a file of which these documents are written back to it, in line order. `comments` are those written: number of
/// the document among those written, and start.
pub(super) fn of_file(
    read: &Documents<'_>,
    written: &[usize],
    comments: &[(u32, u32)],
    fields: &[SetField],
) -> Vec<Loss> {
    let mut losses = Losses::default();
    let mut kept: Vec<u32> = Vec::with_capacity(written.len());
    for (number, at) in written.iter().enumerate() {
        kept.push(read.documents[*at].chunk);
        let from = comments.partition_point(|(of, _)| (*of as usize) < number);
        let to = comments.partition_point(|(of, _)| *of as usize <= number);
        of_document(read, *at, &comments[from..to], &mut losses);
    }
    kept.sort_unstable();
    retyped_values(read, &kept, fields, &mut losses);
    dropped_documents(read, &kept, &mut losses);
    separator_comments(read, &mut losses);
    losses.in_order()
}

/// What no longer applies of a file of which these documents are written back to it, in line order.
pub(super) fn of_values(read: &Documents<'_>, written: &[usize], fields: &[SetField]) -> Vec<Loss> {
    let chunks = written.iter().map(|at| read.documents[*at].chunk);
    let mut kept: Vec<u32> = chunks.collect();
    kept.sort_unstable();
    let mut losses = Losses::default();
    retyped_values(read, &kept, fields, &mut losses);
    losses.in_order()
}

/// The values in documents of these chunks that no longer fit their tags.
fn retyped_values(read: &Documents<'_>, kept: &[u32], fields: &[SetField], losses: &mut Losses) {
    let is_kept = |document: usize| {
        let chunk = read.documents[document].chunk;
        kept.binary_search(&chunk).is_ok()
    };
    for field in fields.iter().filter(|field| is_kept(field.document)) {
        let document = &read.documents[field.document];
        let view = read.view(document);
        if let Some(tag) = retyped(view, field) {
            losses.add(LossKind::Retyped { tag }, || {
                read.split.place_in(document, view.start(field.node)).0
            });
        }
    }
}

/// So many losses of one kind in a file are listed.
const MOST: usize = 100;

/// What is lost from a file, as far as it is listed.
#[derive(Default)]
struct Losses {
    listed: Vec<Loss>,
    /// For each kind: how many there are, and where the last of them is listed.
    kinds: Vec<(Discriminant<LossKind>, usize, usize)>,
}

impl Losses {
    fn add(&mut self, kind: LossKind, line: impl FnOnce() -> usize) {
        let of = discriminant(&kind);
        let known = self.kinds.iter_mut().find(|(known, ..)| *known == of);
        match known {
            Some((_, count, last)) if *count >= MOST => {
                *count += 1;
                self.listed[*last].more += 1;
                return;
            }
            Some((_, count, last)) => {
                *count += 1;
                *last = self.listed.len();
            }
            None => self.kinds.push((of, 1, self.listed.len())),
        }
        self.listed.push(Loss {
            line: line(),
            kind,
            more: 0,
        });
    }

    fn in_order(mut self) -> Vec<Loss> {
        self.listed.sort_by_key(|loss| loss.line);
        self.listed
    }
}

fn of_document(read: &Documents<'_>, at: usize, written: &[(u32, u32)], losses: &mut Losses) {
    let document = &read.documents[at];
    let view = read.view(document);
    let mut add = |offset, kind| losses.add(kind, || read.split.place_in(document, offset).0);
    for key in view.removed_keys() {
        let removed = view.value(*key).to_owned();
        add(
            view.start(*key),
            LossKind::RemovedEmptyField { key: removed },
        );
    }
    for (key, name) in dropped_annotations(view) {
        add(key, LossKind::DroppedAnnotation { key: name });
    }
    for (start, kind) in altered(view) {
        add(start, LossKind::Altered(kind));
    }
    let text = read.split.chunk_text(document.chunk);
    let rest = text.get(document.rest as usize..).unwrap_or_default();
    if let Some(at) = first_visible(rest.as_bytes()) {
        add(document.rest + at as u32, LossKind::DroppedText);
    }
    for (start, end) in view.all_comments() {
        let found = written.binary_search_by_key(start, |(_, start)| *start);
        if found.is_err() && *start < document.rest && !document.is_list_item {
            let text = text.get(*start as usize..*end as usize).unwrap_or_default();
            add(
                *start,
                LossKind::LostComment {
                    text: text.to_owned(),
                },
            );
        }
    }
}

/// Annotations whose keys are those of the libraries' own notes: where they start, and their keys.
fn dropped_annotations(view: View<'_>) -> Vec<(u32, String)> {
    const NOTES: [&str; 6] = [
        INDEX,
        LEGACY_INDEX,
        PATH,
        LEGACY_PATH,
        SEQUENCE_INDENT,
        MIGRATION_ID,
    ];
    let annotations = view
        .field(view.root(), "metadata")
        .and_then(|metadata| view.field(metadata, "annotations"));
    let Some(annotations) = annotations else {
        return Vec::new();
    };
    let keys = view.fields(annotations).map(|(key, _)| key);
    keys.filter(|key| NOTES.contains(&view.value(*key)))
        .map(|key| (view.start(key), view.value(key).to_owned()))
        .collect()
}

/// The comments on the lines between two pieces.
fn separator_comments(read: &Documents<'_>, losses: &mut Losses) {
    let text = read.split.text();
    for chunk in 1..read.split.chunk_count() {
        let end = read.split.chunk_start(chunk);
        let before = chunk - 1;
        let start = read.split.chunk_start(before) + read.split.chunk(before).len();
        let line = &text[start..end];
        if let Some(at) = memchr::memchr(b'#', line) {
            let text = String::from_utf8_lossy(&line[at..]).trim_end().to_owned();
            losses.add(LossKind::LostComment { text }, || read.split.place(start).0);
        }
    }
}

/// The pieces of a file that hold something but no document.
fn dropped_documents(read: &Documents<'_>, kept: &[u32], losses: &mut Losses) {
    for chunk in (0..read.split.chunk_count()).filter(|chunk| kept.binary_search(chunk).is_err()) {
        if let Some(at) = first_visible(read.split.chunk(chunk)) {
            losses.add(LossKind::DroppedDocument, || {
                read.split.place(read.split.chunk_start(chunk) + at).0
            });
        }
    }
}

fn first_visible(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| !byte.is_ascii_whitespace())
}
