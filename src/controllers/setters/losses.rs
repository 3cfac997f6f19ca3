//! Mirrors no file of image-automation-controller 1.2: it tells what rewriting does to a file beside setting values, which the controller doesn't.

use std::collections::{HashMap, HashSet};

use super::package::{Resource, file_of};
use super::{Loss, LossKind, Run};

/// What is lost from each file that is rewritten in place, in line order.
pub(super) fn of(run: &Run<'_>, rewritten: &[Resource<'_>]) -> HashMap<String, Vec<Loss>> {
    let mut losses: HashMap<usize, Vec<Loss>> = HashMap::new();
    let mut kept: HashSet<(usize, usize)> = HashSet::new();
    let in_place = rewritten
        .iter()
        .filter(|resource| file_of(&resource.document) == run.screened[resource.file].path);
    for resource in in_place {
        kept.insert((resource.file, resource.chunk));
        losses
            .entry(resource.file)
            .or_default()
            .extend(of_object(run, resource));
    }
    for (file, loss) in &run.retyped {
        if let Some(losses) = losses.get_mut(file) {
            losses.push(loss.clone());
        }
    }
    losses
        .into_iter()
        .map(|(file, mut of_file)| {
            of_file.extend(dropped_documents(run, file, &kept));
            of_file.sort_by_key(|loss| loss.line);
            (run.screened[file].path.to_owned(), of_file)
        })
        .collect()
}

fn of_object(run: &Run<'_>, resource: &Resource<'_>) -> Vec<Loss> {
    let document = &resource.document;
    let line = |offset| run.place(resource, offset).0;
    let mut losses: Vec<Loss> = document
        .removed_keys()
        .iter()
        .map(|key| {
            let node = document.node(*key);
            let key = node.key_text().to_owned();
            Loss {
                line: line(node.start),
                kind: LossKind::RemovedEmptyField { key },
            }
        })
        .collect();
    let Ok(split) = &run.split[resource.file] else {
        return losses;
    };
    let chunk = split.chunks[resource.chunk].bytes;
    let rest = chunk.get(document.rest..).unwrap_or_default();
    if let Some(at) = first_visible(rest) {
        losses.push(Loss {
            line: line(document.rest + at),
            kind: LossKind::DroppedText,
        });
    }
    losses.extend(document.lost_comments().map(|(start, end)| Loss {
        line: line(start),
        kind: LossKind::LostComment {
            text: String::from_utf8_lossy(chunk.get(start..end).unwrap_or_default()).into_owned(),
        },
    }));
    losses
}

/// The pieces of a file that hold something but no document.
fn dropped_documents(run: &Run<'_>, file: usize, kept: &HashSet<(usize, usize)>) -> Vec<Loss> {
    let Ok(split) = &run.split[file] else {
        return Vec::new();
    };
    let dropped = split
        .chunks
        .iter()
        .enumerate()
        .filter(|(number, _)| !kept.contains(&(file, *number)));
    dropped
        .filter_map(|(_, chunk)| {
            let at = first_visible(chunk.bytes)?;
            Some(Loss {
                line: split.place(chunk.start + at).0,
                kind: LossKind::DroppedDocument,
            })
        })
        .collect()
}

fn first_visible(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| !byte.is_ascii_whitespace())
}
