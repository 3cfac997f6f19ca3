//! Mirrors image-automation-controller 1.2 `internal/update/filter.go` and `filereader.go`, one file at a time: reading it, setting the
//! values in its objects, and writing it.

use std::collections::HashSet;

use super::changes::ObjectIdentifier;
use super::markers::Setting;
use super::minimal::{self, Edit};
use super::outcome::{
    LocatedChange, Loss, LossKind, Marker, ProblemFile, RunFailure, SourceFile, Unplaced,
    WrittenFile,
};
use super::package::{
    self, Failed, Forms, Member, NoteForms, OutputFile, PACKAGE, Prepared, Step, file_of,
};
use super::{Setters, Standing, Surroundings, losses, occurrences, values, visit};
use crate::yaml::resource::Identity;
use crate::yaml::{
    CommentSlot, Documents, FileWriter, NodeId, ReadError, SplitText, Tag, View, added_tag,
    normalize,
};

/// What is wanted of a rewritten file beside the fields that change.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Its new bytes, and what commit messages tell of its changes.
    pub bytes: bool,
    /// What becomes of each marker, and which values no longer fit their tags.
    pub findings: bool,
    /// What else is lost; for that a file must be written, even if its bytes aren't wanted.
    pub losses: bool,
    /// Files in which nothing but the values is changed, instead of the controller's.
    pub minimal: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            bytes: true,
            findings: true,
            losses: true,
            minimal: false,
        }
    }
}

/// What became of one file.
#[derive(Clone, Debug, Default)]
pub struct Rewritten {
    /// The path relative to `spec.update.path`.
    pub(super) path: String,
    pub(super) problem: Option<ProblemFile>,
    pub(super) failed: Option<Failed>,
    pub(super) forms: Forms,
    /// Whether a value changes in an object that is noted to be from this file.
    pub(super) changes: bool,
    /// The other files that objects are noted to be from in which a value changes.
    pub(super) others_changed: HashSet<String>,
    /// The changes that are told, with the file noted in the object where it isn't this one.
    pub(super) reported: Vec<(Option<String>, LocatedChange)>,
    pub(super) markers: Vec<Marker>,
    /// The file as it is written, where its objects go back to it.
    pub(super) written: Option<WrittenFile>,
    /// The file with nothing but its values changed, where that is wanted.
    pub(super) minimal: Option<WrittenFile>,
    /// Why there is none though a value changes.
    pub(super) unplaced: Option<Unplaced>,
    /// An object of the file goes elsewhere.
    pub(super) is_entangled: bool,
}

impl Rewritten {
    /// What becomes of each marker, where that is wanted.
    pub fn markers(&self) -> &[Marker] {
        &self.markers
    }

    /// Why the file can't be read.
    pub fn problem(&self) -> Option<&ProblemFile> {
        self.problem.as_ref()
    }

    /// Whether the file is written, as far as it is known without the others.
    pub fn is_written(&self) -> bool {
        self.written.is_some() || self.minimal.is_some()
    }

    /// Whether a value changes.
    pub(super) fn has_changes(&self) -> bool {
        self.changes || !self.others_changed.is_empty()
    }

    /// The files, as noted in the objects, in which a value changes.
    pub(super) fn noted_changes(&self) -> impl Iterator<Item = &str> {
        let own = self.changes.then_some(self.path.as_str());
        own.into_iter()
            .chain(self.others_changed.iter().map(String::as_str))
    }

    /// Whether nothing at all came of the file.
    pub fn is_void(&self) -> bool {
        self.problem.is_none()
            && self.failed.is_none()
            && !self.has_changes()
            && self.markers.is_empty()
            && self.forms == Forms::default()
    }
}

/// Rewrites one file as a run does.
pub fn rewrite_file(file: &SourceFile<'_>, setters: &Setters, wanted: Wanted) -> Rewritten {
    let mut rewritten = Rewritten {
        path: file.path.to_owned(),
        ..Rewritten::default()
    };
    if !super::is_screened(file.bytes) {
        if wanted.findings {
            rewritten.markers = occurrences::in_unscreened(file);
        }
        return rewritten;
    }
    let text = normalize(file.bytes);
    let split = SplitText::new(&text);
    match &split {
        Ok(split) => match split.read(Some(file.path)) {
            Ok(read) => fill(file, read, setters, wanted, &mut rewritten),
            Err(error) => unreadable(file, &text, Some(split), error, wanted, &mut rewritten),
        },
        Err(error) => unreadable(file, &text, None, error.clone(), wanted, &mut rewritten),
    }
    rewritten
}

fn unreadable(
    file: &SourceFile<'_>,
    text: &[u8],
    split: Option<&SplitText<'_>>,
    error: ReadError,
    wanted: Wanted,
    rewritten: &mut Rewritten,
) {
    if error.is_crash {
        rewritten.failed = Some(Failed {
            step: Step::Read,
            failure: RunFailure::crash(error.problem),
        });
        return;
    }
    if wanted.findings {
        let is_list = split.is_some_and(SplitText::has_list_at_root);
        rewritten.markers = occurrences::in_unreadable(file.path, text, is_list);
    }
    rewritten.problem = Some(ProblemFile {
        path: file.path.to_owned(),
        line: error.line,
        reason: error.problem,
    });
}

/// A field that was set.
pub(super) struct SetField {
    pub(super) document: usize,
    pub(super) node: NodeId,
    pub(super) setter: String,
    pub(super) old: String,
    pub(super) new: String,
    /// How the text is changed where nothing else is to be.
    pub(super) edits: Vec<Edit>,
}

fn fill(
    file: &SourceFile<'_>,
    mut read: Documents<'_>,
    setters: &Setters,
    wanted: Wanted,
    rewritten: &mut Rewritten,
) {
    let mut fields = Vec::new();
    let mut written = Vec::new();
    for at in 0..read.documents.len() {
        match set_document(&mut read, at, setters, wanted, &mut fields, rewritten) {
            Ok(None) => written.push(at),
            Ok(Some(_)) => rewritten.is_entangled = true,
            Err(failed) => {
                if rewritten
                    .failed
                    .as_ref()
                    .is_none_or(|first| failed.step < first.step)
                {
                    rewritten.failed = Some(failed);
                }
            }
        }
    }
    if wanted.findings {
        rewritten.markers = occurrences::in_read(file.path, &read, &fields);
    }
    if wanted.minimal && rewritten.failed.is_none() && rewritten.has_changes() {
        rewritten.minimal = minimally_written(file, &read, &fields, setters);
        if rewritten.minimal.is_none() {
            rewritten.unplaced = unplaced(file.path, &read, &fields);
        }
    }
    if rewritten.failed.is_some() || rewritten.is_entangled || !rewritten.changes {
        return;
    }
    if written.iter().any(|at| read.documents[*at].is_odd) {
        // How its notes are to look hangs on all the objects of the run.
        rewritten.is_entangled = true;
        return;
    }
    if let Err(failed) = package::check_path(file.path) {
        rewritten.failed = Some(failed);
        return;
    }
    let mut output = WrittenFile {
        path: file.path.to_owned(),
        bytes: Vec::new(),
        exact: None,
        created: false,
        losses: Vec::new(),
    };
    if wanted.bytes || wanted.losses || rewritten.minimal.is_some() {
        let (bytes, comments) = write(&read, &written, file.bytes.len());
        if let Some(minimal) = &mut rewritten.minimal {
            minimal.exact = Some(bytes);
            return;
        }
        if wanted.bytes {
            output.bytes = bytes;
        }
        if wanted.findings && wanted.losses {
            output.losses = losses::of_file(&read, &written, &comments, &fields);
        }
    }
    if wanted.findings && !wanted.losses {
        output.losses = losses::of_values(&read, &written, &fields);
    }
    rewritten.minimal = None;
    rewritten.written = Some(output);
}

/// Some documents as they are written, `length` bytes about, and the comments among them.
fn write(read: &Documents<'_>, written: &[usize], length: usize) -> (Vec<u8>, Vec<(u32, u32)>) {
    let mut writer = FileWriter::new(length + length / 16);
    for at in written {
        let document = &read.documents[*at];
        writer.document(read.view(document), read.sequence_indent(document));
    }
    writer.finish()
}

/// The file with nothing but its values changed; `None` where one of them has no place of its own in the text.
fn minimally_written(
    file: &SourceFile<'_>,
    read: &Documents<'_>,
    fields: &[SetField],
    setters: &Setters,
) -> Option<WrittenFile> {
    if fields.iter().any(|field| is_tagged_otherwise(read, field)) {
        return None;
    }
    let edits = fields.iter().flat_map(|field| field.edits.iter().cloned());
    let bytes = minimal::apply(file.bytes, read.split.text(), edits.collect());
    let again = SourceFile {
        path: file.path,
        bytes: &bytes,
    };
    let nothing = Wanted {
        bytes: false,
        findings: false,
        losses: false,
        minimal: false,
    };
    let checked = rewrite_file(&again, setters, nothing);
    let is_right = checked.problem.is_none() && checked.failed.is_none() && !checked.has_changes();
    is_right.then(|| WrittenFile {
        path: file.path.to_owned(),
        bytes,
        exact: None,
        created: false,
        losses: Vec::new(),
    })
}

/// Whether a tag in the source makes a changed value something else than a string, whatever quotes it is given.
fn is_tagged_otherwise(read: &Documents<'_>, field: &SetField) -> bool {
    const OTHERS: [&[u8]; 6] = [
        b"!!int",
        b"!!float",
        b"!!bool",
        b"!!null",
        b"!!timestamp",
        b"!!binary",
    ];
    let tag = read
        .view(&read.documents[field.document])
        .source_tag(field.node);
    field.old != field.new && matches!(tag, Tag::Explicit(tag) if OTHERS.contains(&tag))
}

/// Where the value stands that has no place, or else the first that changes: all of them together don't come out.
fn unplaced(path: &str, read: &Documents<'_>, fields: &[SetField]) -> Option<Unplaced> {
    let mut changed = fields.iter().filter(|field| field.old != field.new);
    let blamed = changed
        .clone()
        .find(|field| field.edits.is_empty() || is_tagged_otherwise(read, field));
    let field = blamed.or_else(|| changed.next())?;
    let document = &read.documents[field.document];
    let start = read.view(document).start(field.node);
    Some(Unplaced {
        path: path.to_owned(),
        line: read.split.place_in(document, start).0,
    })
}

/// A field that a comment asks to set, or a comment that fails the run where it stands.
struct Request {
    node: NodeId,
    setting: Result<Setting, RunFailure>,
}

/// Sets the values in one document; gives the file that is noted in it afterwards, where it isn't this one.
fn set_document(
    read: &mut Documents<'_>,
    at: usize,
    setters: &Setters,
    wanted: Wanted,
    fields: &mut Vec<SetField>,
    rewritten: &mut Rewritten,
) -> Result<Option<String>, Failed> {
    let document = read.documents[at];
    let noted = if document.is_odd {
        let prepared = package::prepare(read, at)?;
        rewritten.forms.add(prepared.forms);
        elsewhere(&prepared, &rewritten.path)
    } else {
        rewritten.forms.add(NoteForms::ORDINARY);
        None
    };
    let requests = requests(read, at, setters)?;
    if requests.is_empty() {
        return Ok(noted);
    }
    let mut naming = Naming {
        is_asked_again: requests.len() > 1,
        known: None,
    };
    // Most files have one document with markers; for more of them, the lists grow as lists do.
    if fields.is_empty() {
        fields.reserve_exact(requests.len());
        rewritten.reported.reserve_exact(requests.len());
    }
    for Request { node, setting } in requests {
        let setting = setting.map_err(|failure| Failed {
            step: Step::Set,
            failure,
        })?;
        let view = read.view(&document);
        let old = view.value(node).to_owned();
        let new = values::new_scalar(view, node, &setting);
        let start = view.start(node);
        let edits = if wanted.minimal && old != setting.value {
            let chunk_start = read.split.chunk_start(document.chunk);
            minimal::edits(view, chunk_start, node, &setting.value)
        } else {
            Vec::new()
        };
        read.tree.change(node, new);
        naming.forget(node);
        if old != setting.value {
            match &noted {
                None => rewritten.changes = true,
                Some(noted) if rewritten.others_changed.contains(noted) => {}
                Some(noted) => drop(rewritten.others_changed.insert(noted.clone())),
            }
            if setters.is_known(&setting.setter) {
                let (line, column) = read.split.place_in(&document, start);
                let change = LocatedChange {
                    path: rewritten.path.clone(),
                    object: naming.of(read, at)?,
                    setter: setting.setter.clone(),
                    line,
                    column,
                    old: old.clone(),
                    new: setting.value.clone(),
                };
                rewritten.reported.push((noted.clone(), change));
            }
        }
        fields.push(SetField {
            document: at,
            node,
            setter: setting.setter,
            old,
            new: setting.value,
            edits,
        });
    }
    if document.is_odd {
        return Ok(elsewhere(&package::prepare(read, at)?, &rewritten.path));
    }
    Ok(noted)
}

/// The file that an object is noted to be from, where it isn't this one.
fn elsewhere(prepared: &Prepared<'_>, path: &str) -> Option<String> {
    let noted = file_of(prepared.object.view());
    (noted != path).then(|| noted.to_owned())
}

/// The scalars whose comments ask for a value, in document order.
fn requests(read: &Documents<'_>, at: usize, setters: &Setters) -> Result<Vec<Request>, Failed> {
    let document = &read.documents[at];
    let view = read.view(document);
    let mut asked: Vec<Request> = Vec::new();
    for (node, slot, comment) in view.comments() {
        let is_read = match slot {
            CommentSlot::Line => true,
            CommentSlot::Head => view.comment(node, CommentSlot::Line).is_none(),
            CommentSlot::Foot => false,
        };
        if is_read && let Some(setting) = setters.requested_by(comment.text).transpose() {
            asked.push(Request { node, setting });
        }
    }
    if asked.is_empty() {
        return Ok(asked);
    }
    let nodes: Vec<NodeId> = asked.iter().map(|request| request.node).collect();
    let settable = if document.is_odd {
        visit::settable(package::prepare(read, at)?.object.view(), &nodes)
    } else {
        visit::settable(view, &nodes)
    };
    // Both are in the order of the nodes.
    let mut settable = settable.into_iter().peekable();
    asked.retain(|request| settable.next_if_eq(&request.node).is_some());
    Ok(asked)
}

/// What the object of a change is called. A marker may stand on its name.
struct Naming {
    /// Whether the document has more changes.
    is_asked_again: bool,
    known: Option<(ObjectIdentifier, Vec<NodeId>)>,
}

impl Naming {
    fn forget(&mut self, changed: NodeId) {
        if self
            .known
            .as_ref()
            .is_some_and(|(_, nodes)| nodes.contains(&changed))
        {
            self.known = None;
        }
    }

    fn of(&mut self, read: &Documents<'_>, at: usize) -> Result<ObjectIdentifier, Failed> {
        if let Some((known, _)) = &self.known {
            return Ok(known.clone());
        }
        let document = &read.documents[at];
        if document.is_odd {
            let prepared = package::prepare(read, at)?;
            // The metadata that counts may be another than the first.
            return Ok(self.read(prepared.object.view()));
        }
        Ok(self.read(read.view(document)))
    }

    fn read(&mut self, view: View<'_>) -> ObjectIdentifier {
        let identity = identify(view.identity());
        if self.is_asked_again {
            self.known = Some((identity.clone(), view.naming_nodes()));
        }
        identity
    }
}

fn identify(identity: Option<Identity<'_>>) -> ObjectIdentifier {
    let identity = identity.unwrap_or_default();
    ObjectIdentifier {
        api_version: identity.api_version.to_owned(),
        kind: identity.kind.to_owned(),
        name: identity.name.to_owned(),
        namespace: identity.namespace.to_owned(),
    }
}

/// Writes those objects of some files that are noted to be from changed ones.
pub(super) fn write_members(
    files: &[Rewritten],
    members: &HashSet<usize>,
    setters: &Setters,
    forms: Forms,
    changed: &HashSet<String>,
    wanted: Wanted,
    surroundings: &Surroundings<'_>,
) -> Result<Vec<WrittenFile>, Failed> {
    let mut order: Vec<usize> = members.iter().copied().collect();
    order.sort_unstable();
    let texts: Vec<(usize, Vec<u8>)> = order
        .into_iter()
        .filter_map(|at| Some((at, (surroundings.bytes)(&files[at].path)?)))
        .filter(|(_, bytes)| super::is_screened(bytes))
        .collect();
    let normalized: Vec<_> = texts.iter().map(|(_, bytes)| normalize(bytes)).collect();
    let splits: Vec<SplitText<'_>> = normalized
        .iter()
        .filter_map(|text| SplitText::new(text).ok())
        .collect();
    let mut reads = Vec::new();
    for ((at, _), split) in texts.iter().zip(&splits) {
        let path = files[*at].path.as_str();
        let Ok(mut read) = split.read(Some(path)) else {
            continue;
        };
        let mut again = Rewritten {
            path: path.to_owned(),
            ..Rewritten::default()
        };
        let mut fields = Vec::new();
        let mut written = Vec::new();
        for number in 0..read.documents.len() {
            let noted = set_document(&mut read, number, setters, wanted, &mut fields, &mut again)?;
            if changed.contains(noted.as_deref().unwrap_or(path)) {
                written.push(number);
            }
        }
        reads.push((path, read, written, fields));
    }
    let members: Vec<Member<'_>> = reads
        .iter()
        .map(|(path, read, written, _)| Member {
            path,
            read,
            written: written.clone(),
        })
        .collect();
    if members.iter().all(|member| member.written.is_empty()) {
        return Ok(Vec::new());
    }
    let outputs = package::write(&members, forms.kept()?)?;
    let created = check_places(&outputs, surroundings)?;
    Ok(outputs
        .into_iter()
        .zip(created)
        .map(|(output, created)| {
            let own = members.iter().position(|member| {
                member.path == output.path
                    && output
                        .objects
                        .iter()
                        .all(|(of, _)| members[*of].path == member.path)
            });
            let losses = match own.filter(|_| wanted.findings) {
                Some(own) => {
                    let written: Vec<usize> = output.objects.iter().map(|(_, at)| *at).collect();
                    losses::of_file(&reads[own].1, &written, &output.comments, &reads[own].3)
                }
                None => {
                    let items = output.objects.iter();
                    let items = items.map(|(of, at)| {
                        let read = &reads[*of].1;
                        let document = &read.documents[*at];
                        let start = read.view(document).first_start(document.root);
                        Loss {
                            line: read.split.place_in(document, start).0,
                            kind: LossKind::UnwrappedItem {
                                list: reads[*of].0.to_owned(),
                                replaces: !created,
                                as_json: output.is_json,
                            },
                            more: 0,
                        }
                    });
                    items.collect()
                }
            };
            WrittenFile {
                path: output.path,
                bytes: if wanted.bytes {
                    output.bytes
                } else {
                    Vec::new()
                },
                exact: None,
                created,
                losses,
            }
        })
        .collect())
}

/// Which of the files are new. The controller makes all folders before it writes the first file; in which order it takes the files is
/// random, and mostly this one.
fn check_places(
    outputs: &[OutputFile],
    surroundings: &Surroundings<'_>,
) -> Result<Vec<bool>, Failed> {
    let fails = |why: String| Failed {
        step: Step::Write,
        failure: RunFailure::predicted(why),
    };
    let holds = |folder: &OutputFile, other: &OutputFile| {
        let rest = other.path.strip_prefix(folder.path.as_str());
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let mut standing = Vec::with_capacity(outputs.len());
    for (at, output) in outputs.iter().enumerate() {
        let found = (surroundings.standing)(&output.path, &[]);
        let is_made = outputs[..at].iter().any(|other| holds(output, other));
        if found == Standing::Folder || is_made && matches!(found, Standing::Nothing(_)) {
            let noted = &output.noted;
            return Err(fails(format!(
                "config.kubernetes.io/path cannot be a directory: {noted}"
            )));
        }
        if let Standing::NoFolder(why) = found {
            return Err(fails(why));
        }
        standing.push(found);
    }
    let made: Vec<String> = standing
        .iter()
        .filter_map(|found| match found {
            Standing::Nothing(path) => Some(path.clone()),
            _ => None,
        })
        .collect();
    let mut created = Vec::with_capacity(outputs.len());
    for (output, mut found) in outputs.iter().zip(standing) {
        if matches!(found, Standing::NoFile(_)) {
            // A link may lead into a folder that was made for another file.
            found = (surroundings.standing)(&output.path, &made);
        }
        if let Standing::NoFile(why) = found {
            return Err(fails(why));
        }
        if outputs.iter().any(|other| holds(output, other)) {
            let path = &output.path;
            return Err(fails(format!("open {PACKAGE}/{path}: is a directory")));
        }
        created.push(matches!(found, Standing::Nothing(_)));
    }
    Ok(created)
}

/// The tag that a set field gets though it had none.
pub(super) fn retyped(view: View<'_>, field: &SetField) -> Option<String> {
    added_tag(view, field.node)
}
