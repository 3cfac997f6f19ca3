//! Mirrors no file of image-automation-controller 1.2: it tells, for each `$imagepolicy` in a file, why it does or doesn't work, which the
//! controller doesn't.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::markers::{MARKER_KEY, marker_name};
use super::outcome::{Ignored, Marker, MarkerOutcome, SourceFile};
use super::package;
use super::rewrite::SetField;
use super::visit;
use crate::yaml::{Comment, CommentSlot, Documents, Kind, NodeId, SplitText, View};

type Found = (Option<String>, MarkerOutcome);

fn ignored(setter: Option<String>, reason: Ignored) -> Found {
    (setter, MarkerOutcome::Ignored(reason))
}

/// All occurrences in a file that isn't looked at, because none is between double quotes.
pub(super) fn in_unscreened(file: &SourceFile<'_>) -> Vec<Marker> {
    let split = SplitText::uncut(file.bytes);
    each(file.path, file.bytes, &split, |_| {
        ignored(None, Ignored::Malformed)
    })
}

/// All occurrences in a file that can't be read.
pub(super) fn in_unreadable(path: &str, text: &[u8], is_list: bool) -> Vec<Marker> {
    let split = SplitText::uncut(text);
    each(path, text, &split, |offset| {
        let reason = if is_list {
            Ignored::ListFile
        } else {
            Ignored::ProblemFile
        };
        ignored(name_near(text, offset), reason)
    })
}

/// All occurrences in a file whose values are set.
pub(super) fn in_read(path: &str, read: &Documents<'_>, fields: &[SetField]) -> Vec<Marker> {
    let text = read.split.text();
    let mut judge = Judge {
        read,
        text,
        fields: fields
            .iter()
            .map(|field| ((field.document, field.node), field))
            .collect(),
        indexed: None,
    };
    each(path, text, read.split, |offset| judge.judge(offset))
}

/// So many markers of a file that do nothing are listed; files of people have a few.
const MOST_IGNORED: usize = 1000;

fn each(
    path: &str,
    text: &[u8],
    split: &SplitText<'_>,
    mut judge: impl FnMut(usize) -> Found,
) -> Vec<Marker> {
    let finder = memchr::memmem::Finder::new(MARKER_KEY);
    let several = finder.find_iter(text).take(8).count();
    let mut found: Vec<Marker> = Vec::with_capacity(several);
    let (mut ignored, mut last_ignored, mut more) = (0, 0, 0);
    for offset in finder.find_iter(text) {
        let (setter, outcome) = judge(offset);
        if matches!(outcome, MarkerOutcome::Ignored(_)) {
            if ignored == MOST_IGNORED {
                more += 1;
                continue;
            }
            ignored += 1;
            last_ignored = found.len();
        }
        let (line, column) = split.place(offset);
        found.push(Marker {
            path: path.to_owned(),
            line,
            column,
            setter,
            outcome,
            more: 0,
        });
    }
    if let Some(last) = found.get_mut(last_ignored) {
        last.more = more;
    }
    found
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
    marker_name(line.strip_prefix('#')?).map(Cow::into_owned)
}

/// Tells what the occurrences in one file do.
struct Judge<'r> {
    read: &'r Documents<'r>,
    text: &'r [u8],
    fields: HashMap<(usize, NodeId), &'r SetField>,
    /// What is known of the documents of the piece that was looked at last.
    indexed: Option<(u32, Vec<Indexed<'r>>)>,
}

/// A document with the comments that name the marker.
struct Indexed<'r> {
    at: usize,
    view: View<'r>,
    /// In the order of their starts.
    comments: Vec<(NodeId, CommentSlot, Comment<'r>)>,
    /// What its nodes are to a marker, once that matters.
    roles: Option<Roles>,
}

struct Roles {
    settable: HashSet<NodeId>,
    keys: HashSet<NodeId>,
    reachable: HashSet<NodeId>,
}

impl<'r> Indexed<'r> {
    fn new(read: &'r Documents<'r>, at: usize) -> Self {
        let view = read.view(&read.documents[at]);
        let mut comments: Vec<_> = view
            .comments()
            .filter(|(_, _, comment)| comment.text.contains(MARKER_KEY))
            .collect();
        comments.sort_by_key(|(_, _, comment)| comment.start);
        Self {
            at,
            view,
            comments,
            roles: None,
        }
    }

    /// The narrowest comment that covers an offset.
    fn comment_at(&self, offset: u32) -> Option<(NodeId, CommentSlot, Comment<'r>)> {
        let before = self
            .comments
            .partition_point(|(_, _, comment)| comment.start <= offset);
        self.comments[..before]
            .iter()
            .rev()
            .take(8)
            .find(|(_, _, comment)| offset < comment.end)
            .copied()
    }
}

impl<'r> Judge<'r> {
    fn judge(&mut self, offset: usize) -> Found {
        let named = name_near(self.text, offset);
        let position = |what| ignored(named.clone(), Ignored::Position(what));
        let split = self.read.split;
        let chunk = split.chunk_at(offset);
        let local = offset - split.chunk_start(chunk);
        if local >= split.chunk(chunk).len() {
            return position("a document separator");
        }
        let local = local as u32;
        let read = self.read;
        if self.indexed.as_ref().is_none_or(|(of, _)| *of != chunk) {
            let documents = &read.documents;
            let from = documents.partition_point(|document| document.chunk < chunk);
            let to = documents.partition_point(|document| document.chunk <= chunk);
            let indexed = (from..to).map(|at| Indexed::new(read, at));
            self.indexed = Some((chunk, indexed.collect()));
        }
        let Some((_, here)) = &mut self.indexed else {
            return position("a document without content");
        };
        if here.is_empty() {
            return position("a document without content");
        }
        let mut is_behind = false;
        let mut is_dropped = false;
        for document in here {
            let view = document.view;
            is_behind |= local >= read.documents[document.at].rest;
            is_dropped |= view.is_in_comment(local);
            if let Some((id, slot, comment)) = document.comment_at(local) {
                let field = self.fields.get(&(document.at, id)).copied();
                return of_comment(read, document, field, (id, slot, comment), named);
            }
            let outer = [CommentSlot::Head, CommentSlot::Foot]
                .into_iter()
                .filter_map(|slot| view.outer_comment(slot));
            if outer
                .into_iter()
                .any(|comment| (comment.start..comment.end).contains(&local))
            {
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

fn of_comment(
    read: &Documents<'_>,
    document: &mut Indexed<'_>,
    field: Option<&SetField>,
    (id, slot, comment): (NodeId, CommentSlot, Comment<'_>),
    named: Option<String>,
) -> Found {
    let whole = marker_name(comment.text.trim_start_matches('#'));
    let is_read = match slot {
        CommentSlot::Line => true,
        CommentSlot::Head => document.view.comment(id, CommentSlot::Line).is_none(),
        CommentSlot::Foot => false,
    };
    if is_read && let Some(field) = field {
        let outcome = if field.old == field.new {
            MarkerOutcome::UpToDate {
                value: field.new.clone(),
            }
        } else {
            MarkerOutcome::Applied {
                old: field.old.clone(),
                new: field.new.clone(),
            }
        };
        return (Some(field.setter.clone()), outcome);
    }
    if named.is_none() && whole.is_none() {
        return ignored(None, Ignored::Malformed);
    }
    let roles = document
        .roles
        .get_or_insert_with(|| Roles::of(read, document.at, &document.comments));
    let reason = if !roles.settable.contains(&id) {
        roles.why_not(document.view, id)
    } else if slot == CommentSlot::Foot {
        Ignored::Position("what stands above it")
    } else if !is_read {
        Ignored::Shadowed("another comment stands behind the same value")
    } else if whole.is_none() {
        Ignored::Position("a comment of several lines")
    } else {
        Ignored::UnknownSetter
    };
    ignored(whole.map(Cow::into_owned).or(named), reason)
}

impl Roles {
    fn of(
        read: &Documents<'_>,
        at: usize,
        comments: &[(NodeId, CommentSlot, Comment<'_>)],
    ) -> Self {
        let mut wanted: Vec<NodeId> = comments.iter().map(|(id, ..)| *id).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let document = &read.documents[at];
        let found = |view: View<'_>| {
            let mut roles = Self {
                settable: visit::settable(view, &wanted).into_iter().collect(),
                keys: HashSet::new(),
                reachable: HashSet::new(),
            };
            let mut stack = vec![view.root()];
            while let Some(id) = stack.pop() {
                roles.reachable.insert(id);
                roles.keys.extend(view.fields(id).map(|(key, _)| key));
                stack.extend(view.children(id));
            }
            roles
        };
        match package::prepare(read, at) {
            Ok(prepared) if document.is_odd => found(prepared.object.view()),
            _ => found(read.view(document)),
        }
    }

    /// What a comment is attached to that isn't on a value.
    fn why_not(&self, view: View<'_>, id: NodeId) -> Ignored {
        match view.kind(id) {
            Kind::Alias => Ignored::Position("an alias"),
            Kind::Sequence => Ignored::Position("a list"),
            Kind::Mapping => Ignored::Position("a mapping"),
            Kind::Scalar if self.keys.contains(&id) => Ignored::Position("a key"),
            Kind::Scalar if self.reachable.contains(&id) => {
                Ignored::Shadowed("the same key stands above it in the same mapping")
            }
            Kind::Scalar => Ignored::Position("an empty field that is removed"),
        }
    }
}
