//! Mirrors kyaml 0.21.1 `kio/kio.go` and `kio/pkgio_writer.go`, as used by image-automation-controller 1.2: the notes about files that
//! travel with each object, and the files that come out.
//!
//! Objects that are as they mostly are need none of this: their notes leave no trace, and their file gets its own name. For the others
//! the notes are written anew for each look at them, so that never more than one object has them at a time.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use super::outcome::RunFailure;
use crate::yaml::resource::{
    ID, INDEX, LEGACY_ID, LEGACY_INDEX, LEGACY_PATH, MIGRATION_ID, Object, ObjectError, PATH,
};
use crate::yaml::{Documents, FileWriter, View, clear_notes};

/// The steps of a run, in the order in which they are carried out for all objects. The first failure of the earliest step is the one
/// that is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Read,
    Prepare,
    Set,
    Reconcile,
    NamePath,
    NameIndex,
    Require,
    PlacePath,
    Sort,
    Write,
}

/// A failure and the step in which it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) step: Step,
    pub(super) failure: RunFailure,
}

impl Failed {
    pub(super) fn at(step: Step) -> impl Fn(ObjectError) -> Self {
        move |error| Self {
            step,
            failure: error.into(),
        }
    }

    fn new(step: Step, message: impl Into<String>) -> Self {
        Self {
            step,
            failure: RunFailure::predicted(message),
        }
    }
}

impl From<ObjectError> for RunFailure {
    fn from(error: ObjectError) -> Self {
        if error.is_crash {
            Self::crash(error.message)
        } else {
            Self::predicted(error.message)
        }
    }
}

/// Which forms of the notes the objects of a run have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forms {
    /// One bit for each of: new only, legacy only, both.
    seen: u8,
    objects: bool,
}

/// The forms of the notes of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoteForms {
    new: bool,
    legacy: bool,
}

impl NoteForms {
    /// What the reader of files leaves in an object.
    pub(super) const ORDINARY: Self = Self {
        new: true,
        legacy: true,
    };
}

impl Forms {
    pub(super) fn add(&mut self, forms: NoteForms) {
        self.objects = true;
        self.seen |= match (forms.new, forms.legacy) {
            (false, false) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (true, true) => 4,
        };
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.seen |= other.seen;
        self.objects |= other.objects;
    }

    /// The forms that are kept.
    pub(super) fn kept(self) -> Result<NoteForms, Failed> {
        let (new, legacy) = match self.seen {
            0 => (!self.objects, !self.objects),
            1 => (true, false),
            2 => (false, true),
            4 => (true, true),
            _ => {
                return Err(Failed::new(
                    Step::Reconcile,
                    "the annotation formatting in the input resources is not consistent",
                ));
            }
        };
        Ok(NoteForms { new, legacy })
    }
}

/// The pairs of notes that say the same under a new and an old name, and what they are called in messages.
const PAIRS: [(&str, &str, &str); 3] = [
    ("path", PATH, LEGACY_PATH),
    ("index", INDEX, LEGACY_INDEX),
    ("id", ID, LEGACY_ID),
];

/// The file that an object is noted to be from; empty for items of a `List`.
pub(super) fn file_of<'a>(view: View<'a>) -> &'a str {
    view.annotation(PATH)
        .unwrap_or_else(|| view.annotation_or_empty(LEGACY_PATH))
}

/// An object ready for its values, and what its notes were then.
pub(super) struct Prepared<'a> {
    pub(super) object: Object<'a>,
    pub(super) forms: NoteForms,
    originals: [String; 3],
}

/// Before the values are set: numbers the object and completes its notes. `at` is its number in its file.
pub(super) fn prepare<'a>(read: &'a Documents<'_>, at: usize) -> Result<Prepared<'a>, Failed> {
    // All this happened before any value was set.
    let mut object = read
        .read_object(&read.documents[at], at)
        .map_err(Failed::at(Step::Read))?;
    let failed = Failed::at(Step::Prepare);
    // The number is that of the object in the run; nothing hangs on which it is.
    object.set_annotation(MIGRATION_ID, "0").map_err(&failed)?;
    let view = object.view();
    let has = |keys: [&str; 3]| keys.iter().any(|key| view.annotation(key).is_some());
    let forms = NoteForms {
        new: has([PATH, INDEX, ID]),
        legacy: has([LEGACY_PATH, LEGACY_INDEX, LEGACY_ID]),
    };
    let originals = PAIRS.map(|(_, new, legacy)| {
        let noted = view.annotation(new);
        noted
            .unwrap_or_else(|| view.annotation_or_empty(legacy))
            .to_owned()
    });
    object.copy_legacy_annotations().map_err(&failed)?;
    check_mismatch(object.view(), Step::Prepare)?;
    object.show_changes();
    Ok(Prepared {
        object,
        forms,
        originals,
    })
}

fn mismatch(step: Step, what: &str) -> Failed {
    Failed::new(
        step,
        format!("resource input to function has mismatched legacy and internal {what} annotations"),
    )
}

fn check_mismatch(view: View<'_>, step: Step) -> Result<(), Failed> {
    for (what, new, legacy) in PAIRS {
        let new = view.annotation_or_empty(new);
        let legacy = view.annotation_or_empty(legacy);
        if !new.is_empty() && !legacy.is_empty() && new != legacy {
            return Err(mismatch(step, what));
        }
    }
    Ok(())
}

/// After the values are set: brings the notes of an object to be written into the form that they had.
pub(super) fn reconcile<'a>(prepared: Prepared<'a>, kept: NoteForms) -> Result<Object<'a>, Failed> {
    let Prepared {
        mut object,
        originals,
        ..
    } = prepared;
    let failed = Failed::at(Step::Reconcile);
    for (_, new, legacy) in PAIRS {
        let new_value = object.view().annotation_or_empty(new).to_owned();
        let legacy_value = object.view().annotation_or_empty(legacy).to_owned();
        match (new_value.is_empty(), legacy_value.is_empty()) {
            (true, false) => object.set_annotation(new, &legacy_value).map_err(&failed)?,
            (false, true) => object.set_annotation(legacy, &new_value).map_err(&failed)?,
            _ => {}
        }
    }
    follow_changes(&mut object, &originals)?;
    let dropped = [
        (kept.new, [ID, PATH, INDEX]),
        (kept.legacy, [LEGACY_ID, LEGACY_PATH, LEGACY_INDEX]),
    ];
    for (is_kept, keys) in dropped {
        for key in keys {
            if !is_kept {
                object.clear_annotation(key).map_err(&failed)?;
            }
        }
    }
    check_mismatch(object.view(), Step::Reconcile)?;
    object.clear_annotation(MIGRATION_ID).map_err(&failed)?;
    Ok(object)
}

/// A note that was changed under one of its names (a marker stood on it) is changed under the other too.
fn follow_changes(object: &mut Object<'_>, originals: &[String; 3]) -> Result<(), Failed> {
    let view = object.view();
    if view.annotation(MIGRATION_ID).is_none() {
        return Ok(());
    }
    let now = PAIRS
        .map(|(_, new, legacy)| [new, legacy].map(|key| view.annotation_or_empty(key).to_owned()));
    // The third pair, the identity, isn't looked at.
    for ((original, [new, legacy]), (what, new_key, legacy_key)) in
        originals.iter().zip(now).zip(PAIRS).take(2)
    {
        let set = |object: &mut Object<'_>, key, value: &str| {
            object
                .set_annotation(key, value)
                .map_err(Failed::at(Step::Reconcile))
        };
        if original.is_empty() {
            continue;
        }
        if *original != new && *original != legacy && new != legacy {
            return Err(mismatch(Step::Reconcile, what));
        } else if *original != new {
            set(object, legacy_key, &new)?;
        } else if *original != legacy {
            set(object, new_key, &legacy)?;
        }
    }
    Ok(())
}

/// A file whose objects are written together with those of others. The values of its objects are set.
pub(super) struct Member<'a> {
    /// The file's path.
    pub(super) path: &'a str,
    pub(super) read: &'a Documents<'a>,
    /// Which of its objects are written.
    pub(super) written: Vec<usize>,
}

/// A file that comes out.
pub(super) struct OutputFile {
    pub(super) path: String,
    /// The path as the objects name it.
    pub(super) noted: String,
    pub(super) bytes: Vec<u8>,
    /// The objects in it, in order: member and object; and the comments written: number of the object, and start.
    pub(super) objects: Vec<(usize, usize)>,
    pub(super) comments: Vec<(u32, u32)>,
    /// It is the JSON of one object.
    pub(super) is_json: bool,
}

/// Where an object goes.
struct Settled {
    member: usize,
    at: usize,
    /// The path as it counts the objects of a file.
    counted: String,
    /// The path as it names a file: a null isn't empty there.
    path: String,
    index: String,
    /// Path and index are given to it by the writer.
    given: (bool, bool),
}

/// The files that the objects make, in the order of their first objects.
pub(super) fn write(members: &[Member<'_>], kept: NoteForms) -> Result<Vec<OutputFile>, Failed> {
    let settled = settle(members, kept)?;
    let mut files: Vec<(String, Vec<Settled>)> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for object in settled {
        check_path(&object.path)?;
        let number = *numbers.entry(object.path.clone()).or_insert_with(|| {
            files.push((object.path.clone(), Vec::new()));
            files.len() - 1
        });
        files[number].1.push(object);
    }
    for (_, objects) in &mut files {
        sort_by_index(objects)?;
    }
    let mut output = Vec::with_capacity(files.len());
    for (path, objects) in files {
        output.push(write_file(members, kept, path, &objects)?);
    }
    Ok(output)
}

fn write_file(
    members: &[Member<'_>],
    kept: NoteForms,
    path: String,
    objects: &[Settled],
) -> Result<OutputFile, Failed> {
    let failed = Failed::at(Step::Write);
    let mut writer = FileWriter::new(0);
    for settled in objects {
        let read = members[settled.member].read;
        let document = &read.documents[settled.at];
        if !document.is_odd {
            writer.document(read.view(document), read.sequence_indent(document));
            continue;
        }
        let mut object = named(members, kept, settled)?;
        if objects.len() > 1 {
            // Sorting them completes the notes once more, and tells nobody where it fails.
            let _ = object.copy_legacy_annotations();
        }
        // The path is looked at before it is cleared.
        let as_json = objects.len() == 1 && is_json(file_of(object.view()));
        let indent = clear_notes(&mut object).map_err(&failed)?;
        if as_json {
            let text = object.to_json();
            let text = text.map_err(|problem| Failed::new(Step::Write, problem))?;
            return Ok(OutputFile {
                is_json: true,
                ..output(path, text.into_bytes(), Vec::new(), objects)
            });
        }
        writer = writer.object(&object, indent);
    }
    let (bytes, comments) = writer.finish();
    Ok(output(path, bytes, comments, objects))
}

fn output(
    path: String,
    bytes: Vec<u8>,
    comments: Vec<(u32, u32)>,
    objects: &[Settled],
) -> OutputFile {
    OutputFile {
        path: clean_path(&path),
        noted: path,
        bytes,
        objects: objects
            .iter()
            .map(|object| (object.member, object.at))
            .collect(),
        comments,
        is_json: false,
    }
}

/// Whether an object that is alone in the file at this path is written as JSON.
fn is_json(path: &str) -> bool {
    let name = path.trim_end_matches('/');
    name.ends_with(".json")
}

/// An object with the path and the index that it was given.
fn named<'a>(
    members: &[Member<'a>],
    kept: NoteForms,
    settled: &Settled,
) -> Result<Object<'a>, Failed> {
    let mut object = reconcile(prepare(members[settled.member].read, settled.at)?, kept)?;
    let failed = Failed::at(Step::NamePath);
    object.copy_legacy_annotations().map_err(&failed)?;
    if settled.given.0 {
        object
            .set_annotation(PATH, &settled.path)
            .map_err(&failed)?;
        object
            .set_annotation(LEGACY_PATH, &settled.path)
            .map_err(&failed)?;
    }
    let failed = Failed::at(Step::NameIndex);
    if settled.given.1 {
        object
            .set_annotation(INDEX, &settled.index)
            .map_err(&failed)?;
        object
            .set_annotation(LEGACY_INDEX, &settled.index)
            .map_err(&failed)?;
    }
    Ok(object)
}

/// Finds a file and a number for each object.
fn settle(members: &[Member<'_>], kept: NoteForms) -> Result<Vec<Settled>, Failed> {
    let mut first_failure: Option<Failed> = None;
    let mut all = Vec::new();
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    let each = members.iter().enumerate();
    for (member, at) in
        each.flat_map(|(number, member)| member.written.iter().map(move |at| (number, *at)))
    {
        match settle_path(members, member, at, kept) {
            Ok(settled) => {
                if !settled.given.0 {
                    let count = counts.entry(settled.counted.clone()).or_default();
                    *count = settled.index.parse().unwrap_or(0).max(*count);
                }
                all.push(settled);
            }
            Err(failed) => {
                // A later object may fail in an earlier step.
                if first_failure
                    .as_ref()
                    .is_none_or(|first| failed.step < first.step)
                {
                    first_failure = Some(failed);
                }
            }
        }
    }
    if let Some(failed) = first_failure {
        return Err(failed);
    }
    for settled in &mut all {
        if settled.given.1 {
            let count = counts.entry(settled.counted.clone()).or_default();
            settled.index = count.to_string();
            *count += 1;
        }
    }
    check_required(members, kept, &all)?;
    Ok(all)
}

fn settle_path(
    members: &[Member<'_>],
    member: usize,
    at: usize,
    kept: NoteForms,
) -> Result<Settled, Failed> {
    let Member { path, read, .. } = members[member];
    if !read.documents[at].is_odd {
        return Ok(Settled {
            member,
            at,
            counted: path.to_owned(),
            path: path.to_owned(),
            index: at.to_string(),
            given: (false, false),
        });
    }
    let mut object = reconcile(prepare(read, at)?, kept)?;
    object
        .copy_legacy_annotations()
        .map_err(Failed::at(Step::NamePath))?;
    let view = object.view();
    let Some(identity) = view.identity() else {
        return Err(Failed::new(Step::NamePath, "missing Resource metadata"));
    };
    let noted = view.annotation(PATH).map(str::to_owned);
    let counted = noted.clone().unwrap_or_else(|| {
        let file = format!("{}_{}.yaml", go_lowercase(identity.kind), identity.name);
        if identity.namespace.is_empty() {
            clean_path(&file)
        } else {
            clean_path(&format!("{}/{file}", identity.namespace))
        }
    });
    let failed = Failed::at(Step::NamePath);
    let path = match &noted {
        Some(noted) => {
            let raw = object.raw_annotation(PATH).map_err(failed)?;
            raw.unwrap_or(noted).to_owned()
        }
        None => {
            // Empty annotations go with it, so that others may be the first ones when the index is looked for.
            for key in [PATH, LEGACY_PATH] {
                object.set_annotation(key, &counted).map_err(&failed)?;
            }
            counted.clone()
        }
    };
    let index = object.view().annotation(INDEX);
    Ok(Settled {
        member,
        at,
        path,
        counted,
        index: index.unwrap_or_default().to_owned(),
        given: (noted.is_none(), index.is_none()),
    })
}

/// The lower case of Go, which goes letter by letter.
fn go_lowercase(text: &str) -> String {
    let lower = |letter: char| {
        let mut lower = letter.to_lowercase();
        match (lower.next(), letter) {
            // Only here are several letters the lower case of one.
            (_, '\u{130}') => 'i',
            (Some(lower), _) => lower,
            (None, _) => letter,
        }
    };
    text.chars().map(lower).collect()
}

/// Path and index must stand where the writer looks for them.
fn check_required(members: &[Member<'_>], kept: NoteForms, all: &[Settled]) -> Result<(), Failed> {
    for settled in all {
        if !members[settled.member].read.documents[settled.at].is_odd {
            continue;
        }
        let object = named(members, kept, settled)?;
        for key in [INDEX, PATH] {
            let raw = object
                .raw_annotation(key)
                .map_err(Failed::at(Step::Require))?;
            if raw.is_none_or(str::is_empty) {
                return Err(Failed::new(
                    Step::Require,
                    format!("resources must be annotated with {key} to be written to files"),
                ));
            }
        }
    }
    Ok(())
}

/// Whether a file may be written under this path.
pub(super) fn check_path(path: &str) -> Result<(), Failed> {
    if path.starts_with('/') {
        return Err(Failed::new(
            Step::PlacePath,
            "package paths may not be absolute paths",
        ));
    }
    let clean = clean_path(path);
    if clean.contains("..") {
        return Err(Failed::new(
            Step::PlacePath,
            format!("resource must be written under package {PACKAGE}: {clean}"),
        ));
    }
    Ok(())
}

/// Stands in messages for the folder of the controller's work tree, whose name is new in each run.
pub const PACKAGE: &str = "<clone>";

fn sort_by_index(objects: &mut [Settled]) -> Result<(), Failed> {
    let mut wrong: Option<String> = None;
    objects.sort_by(|left, right| {
        let mut number = |text: &str| {
            text.parse::<i64>().unwrap_or_else(|_| {
                wrong.get_or_insert_with(|| text.to_owned());
                0
            })
        };
        match (left.index.as_str(), right.index.as_str()) {
            (left, right) if left == right => Ordering::Equal,
            ("", _) => Ordering::Less,
            (_, "") => Ordering::Greater,
            (left, right) => number(left).cmp(&number(right)),
        }
    });
    match wrong {
        None => Ok(()),
        Some(text) => {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
            let is_number =
                !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
            let why = if is_number {
                "value out of range"
            } else {
                "invalid syntax"
            };
            let quoted = crate::go::text::quote(&text);
            Err(Failed::new(
                Step::Sort,
                format!(
                    "unable to parse config.kubernetes.io/index {text} :strconv.Atoi: parsing {quoted}: {why}"
                ),
            ))
        }
    }
}

/// A path without `.`, empty parts and `x/..`.
pub(super) fn clean_path(path: &str) -> String {
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
