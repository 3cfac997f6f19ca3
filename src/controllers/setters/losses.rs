//! Mirrors no file of image-automation-controller 1.2: it tells what rewriting does to a file beside setting values, which the controller doesn't.

use std::collections::HashSet;

use super::rewrite::{SetField, retyped};
use super::{Loss, LossKind};
use crate::yaml::Documents;

/// What is lost from a file of which these documents are written back to it, in line order. `comments` are those written: number of
/// the document among those written, and start.
pub(super) fn of_file(
    read: &Documents<'_>,
    written: &[usize],
    comments: &[(u32, u32)],
    fields: &[SetField],
) -> Vec<Loss> {
    let mut losses = Vec::new();
    let mut kept: HashSet<u32> = HashSet::new();
    for (number, at) in written.iter().enumerate() {
        kept.insert(read.documents[*at].chunk);
        let from = comments.partition_point(|(of, _)| (*of as usize) < number);
        let to = comments.partition_point(|(of, _)| *of as usize <= number);
        of_document(read, *at, &comments[from..to], &mut losses);
    }
    for field in fields
        .iter()
        .filter(|field| written.contains(&field.document))
    {
        let document = &read.documents[field.document];
        let view = read.view(document);
        if let Some(tag) = retyped(view, field) {
            losses.push(Loss {
                line: read.split.place_in(document, view.start(field.node)).0,
                kind: LossKind::Retyped { tag },
            });
        }
    }
    losses.extend(dropped_documents(read, &kept));
    losses.sort_by_key(|loss| loss.line);
    losses
}

fn of_document(read: &Documents<'_>, at: usize, written: &[(u32, u32)], losses: &mut Vec<Loss>) {
    let document = &read.documents[at];
    let view = read.view(document);
    let mut add = |offset, kind| {
        let line = read.split.place_in(document, offset).0;
        losses.push(Loss { line, kind });
    };
    for key in view.removed_keys() {
        let removed = view.value(*key).to_owned();
        add(
            view.start(*key),
            LossKind::RemovedEmptyField { key: removed },
        );
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

/// The pieces of a file that hold something but no document.
fn dropped_documents(read: &Documents<'_>, kept: &HashSet<u32>) -> Vec<Loss> {
    let chunks = 0..read.split.chunk_count();
    chunks
        .filter(|chunk| !kept.contains(chunk))
        .filter_map(|chunk| {
            let at = first_visible(read.split.chunk(chunk))?;
            Some(Loss {
                line: read.split.place(read.split.chunk_start(chunk) + at).0,
                kind: LossKind::DroppedDocument,
            })
        })
        .collect()
}

fn first_visible(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| !byte.is_ascii_whitespace())
}
