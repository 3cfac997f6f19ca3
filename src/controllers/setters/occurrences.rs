//! Mirrors no file of image-automation-controller 1.2: it tells, for each `$imagepolicy` in the files, why it does or doesn't work, which the
//! controller doesn't.

use std::collections::{HashMap, HashSet};

use super::markers::{MARKER_KEY, marker_name};
use super::outcome::{Ignored, Marker, MarkerOutcome};
use super::package::Resource;
use super::{Run, SourceFile, visit};
use crate::yaml::{Comment, CommentSlot, NodeId, NodeKind, SplitText};

/// An object with what its nodes are to a marker.
struct Indexed<'r, 't> {
    number: usize,
    resource: &'r Resource<'t>,
    /// The scalars that could take a value.
    candidates: HashSet<NodeId>,
    keys: HashSet<NodeId>,
    reachable: HashSet<NodeId>,
    /// The comments that name the marker, in the order of their starts.
    comments: Vec<(NodeId, CommentSlot, &'r Comment)>,
}

impl<'r, 't> Indexed<'r, 't> {
    fn new(number: usize, resource: &'r Resource<'t>) -> Self {
        let document = &resource.document;
        let mut comments: Vec<_> = document
            .comments()
            .filter(|(_, _, comment)| comment.text.contains(MARKER_KEY))
            .collect();
        comments.sort_by_key(|(_, _, comment)| comment.start);
        let keys = document
            .nodes()
            .flat_map(|(mapping, _)| document.fields(mapping))
            .map(|(key, _)| *key)
            .collect();
        Self {
            number,
            resource,
            candidates: visit::scalars(document).into_iter().collect(),
            keys,
            reachable: document.reachable().into_iter().collect(),
            comments,
        }
    }

    /// The narrowest comment that covers an offset.
    fn comment_at(&self, offset: usize) -> Option<(NodeId, CommentSlot, &'r Comment)> {
        let before = self
            .comments
            .partition_point(|(_, _, comment)| comment.start <= offset);
        self.comments[..before]
            .iter()
            .rev()
            .find(|(_, _, comment)| offset < comment.end)
            .copied()
    }
}

/// Finds all occurrences in the candidate files.
pub(super) fn find(
    files: &[SourceFile<'_>],
    run: &Run<'_>,
    resources: &[Resource<'_>],
) -> Vec<Marker> {
    let finder = memchr::memmem::Finder::new(MARKER_KEY);
    let mut of_file: HashMap<usize, Vec<(usize, &Resource<'_>)>> = HashMap::new();
    for (number, resource) in resources.iter().enumerate() {
        let objects = of_file.entry(resource.file).or_default();
        objects.push((number, resource));
    }
    let mut screened = run.screened.iter().enumerate().peekable();
    let mut markers = Vec::new();
    for file in files {
        let number = screened
            .next_if(|(_, screened)| std::ptr::eq(screened.path, file.path))
            .map(|(number, _)| number);
        let text = number.map_or(file.bytes, |number| &run.screened[number].text);
        let mut offsets = finder.find_iter(text).peekable();
        if offsets.peek().is_none() {
            continue;
        }
        let mut place = Place::default();
        let judge = number.map(|number| {
            let objects = of_file.remove(&number).unwrap_or_default();
            FileJudge::new(run, number, objects)
        });
        for offset in offsets {
            place.move_to(text, offset);
            let (setter, outcome) = match &judge {
                Some(judge) => judge.judge(offset),
                None => ignored(Ignored::Malformed),
            };
            markers.push(Marker {
                path: file.path.to_owned(),
                line: place.line + 1,
                column: place.column + 1,
                setter,
                outcome,
            });
        }
    }
    markers
}

/// A place in a text that moves forward; line and column, in characters, from 0.
#[derive(Default)]
struct Place {
    offset: usize,
    line: usize,
    column: usize,
}

impl Place {
    fn move_to(&mut self, text: &[u8], offset: usize) {
        for byte in &text[self.offset..offset] {
            if *byte == b'\n' {
                self.line += 1;
                self.column = 0;
            } else if *byte & 0xC0 != 0x80 {
                self.column += 1;
            }
        }
        self.offset = offset;
    }
}

type Found = (Option<String>, MarkerOutcome);

fn ignored(reason: Ignored) -> Found {
    (None, MarkerOutcome::Ignored(reason))
}

/// Tells what the occurrences in one screened file do.
struct FileJudge<'r, 't> {
    run: &'r Run<'r>,
    file: usize,
    objects: Vec<Indexed<'r, 't>>,
    /// Why nothing in the file works.
    unreadable: Option<Ignored>,
}

impl<'r, 't> FileJudge<'r, 't> {
    fn new(run: &'r Run<'_>, file: usize, objects: Vec<(usize, &'r Resource<'t>)>) -> Self {
        let is_list = |split: &SplitText<'_>| split.has_list_at_root();
        let unreadable = run
            .unreadable
            .contains(&file)
            .then(|| match &run.split[file] {
                Ok(split) if is_list(split) => Ignored::ListFile,
                _ => Ignored::ProblemFile,
            });
        Self {
            run,
            file,
            objects: objects
                .into_iter()
                .map(|(number, resource)| Indexed::new(number, resource))
                .collect(),
            unreadable,
        }
    }

    fn judge(&self, offset: usize) -> Found {
        let named = name_near(&self.run.screened[self.file].text, offset);
        let outcome = |reason| (named.clone(), MarkerOutcome::Ignored(reason));
        let position = |what| outcome(Ignored::Position(what));
        let split = match (&self.unreadable, &self.run.split[self.file]) {
            (Some(reason), _) => return outcome(reason.clone()),
            (None, Err(_)) => return outcome(Ignored::ProblemFile),
            (None, Ok(split)) => split,
        };
        let chunk = split
            .chunks
            .partition_point(|chunk| chunk.start <= offset)
            .saturating_sub(1);
        let local = offset - split.chunks[chunk].start;
        if local >= split.chunks[chunk].bytes.len() {
            return position("a document separator");
        }
        let from = self
            .objects
            .partition_point(|object| object.resource.chunk < chunk);
        let to = self
            .objects
            .partition_point(|object| object.resource.chunk <= chunk);
        let here = &self.objects[from..to];
        if here.is_empty() {
            return position("a document without content");
        }
        let mut is_behind = false;
        let mut is_dropped = false;
        for object in here {
            let document = &object.resource.document;
            is_behind |= local >= document.rest;
            is_dropped |= document.is_in_comment(local);
            if let Some((id, slot, comment)) = object.comment_at(local) {
                return of_comment(self.run, object, id, slot, comment, named);
            }
            if document.is_in_outer_comment(local) {
                return position("the document");
            }
        }
        if is_behind {
            return position("text behind the end of the document");
        }
        if is_dropped {
            return position("nothing: the comment is dropped");
        }
        position("text that is no comment")
    }
}

/// How far from its key a marker is looked over for its name, in bytes.
const NEAR: usize = 4096;

/// The setter of a marker on one line, if it is well formed.
fn name_near(text: &[u8], offset: usize) -> Option<String> {
    let before = &text[offset.saturating_sub(NEAR)..offset];
    let behind = &text[offset..text.len().min(offset + NEAR)];
    let start = offset - before.len() + memchr::memrchr2(b'#', b'\n', before)?;
    let end = offset + memchr::memchr(b'\n', behind).unwrap_or(behind.len());
    let line = std::str::from_utf8(&text[start..end]).ok()?;
    marker_name(line.strip_prefix('#')?)
}

fn of_comment(
    run: &Run<'_>,
    object: &Indexed<'_, '_>,
    id: NodeId,
    slot: CommentSlot,
    comment: &Comment,
    named: Option<String>,
) -> Found {
    let node = object.resource.document.node(id);
    let whole = marker_name(comment.text.trim_start_matches('#'));
    let is_read = match slot {
        CommentSlot::Line => true,
        CommentSlot::Head => node.comments.line().is_empty(),
        CommentSlot::Foot => false,
    };
    if is_read && let Some(visited) = run.visited.get(&(object.number, id)) {
        let outcome = if visited.old == visited.new {
            MarkerOutcome::UpToDate {
                value: visited.new.clone(),
            }
        } else {
            MarkerOutcome::Applied {
                old: visited.old.clone(),
                new: visited.new.clone(),
            }
        };
        return (Some(visited.setter.clone()), outcome);
    }
    if named.is_none() && whole.is_none() {
        return ignored(Ignored::Malformed);
    }
    let reason = if !object.candidates.contains(&id) {
        not_a_value(object, id)
    } else if slot == CommentSlot::Foot {
        Ignored::Position("what stands above it")
    } else if !is_read {
        Ignored::Shadowed("another comment stands behind the same value")
    } else if whole.is_none() {
        Ignored::Position("a comment of several lines")
    } else {
        Ignored::UnknownSetter
    };
    (whole.or(named), MarkerOutcome::Ignored(reason))
}

/// What a comment is attached to that isn't on a value.
fn not_a_value(object: &Indexed<'_, '_>, id: NodeId) -> Ignored {
    match object.resource.document.node(id).kind {
        NodeKind::Alias(_) => Ignored::Position("an alias"),
        NodeKind::Sequence { .. } => Ignored::Position("a list"),
        NodeKind::Mapping { .. } => Ignored::Position("a mapping"),
        NodeKind::Scalar { .. } if object.keys.contains(&id) => Ignored::Position("a key"),
        NodeKind::Scalar { .. } if object.reachable.contains(&id) => {
            Ignored::Shadowed("the same key stands above it in the same mapping")
        }
        NodeKind::Scalar { .. } => Ignored::Position("an empty field that is removed"),
    }
}
