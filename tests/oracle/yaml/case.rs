//! A question about rewriting, and what each side answers.

use std::collections::BTreeMap;
use std::fmt;

use imageauto::controllers::setters::{Formatted, PACKAGE, Setters, SourceFile, format, update};
use imageauto::yaml::round_trip;

/// What is done with the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The one file is read and written.
    RoundTrip,
    /// A whole run, as over a folder with these files.
    Run,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What is asked.
    pub operation: Operation,
    /// Path and bytes, in the order of the walk.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Case {
    /// A run over one file.
    pub fn run(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            operation: Operation::Run,
            files: vec![("f.yaml".to_owned(), bytes.into())],
        }
    }

    /// Reading and writing of one file.
    pub fn round_trip(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            operation: Operation::RoundTrip,
            ..Self::run(bytes)
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It went through.
    Done {
        /// The files written, by path.
        files: Vec<(String, Vec<u8>)>,
        /// File, apiVersion, kind, namespace, name, setter, old value, new value.
        changes: Vec<[String; 8]>,
        /// The files that can't be read.
        problems: Vec<String>,
    },
    /// It failed, and why.
    Failed(String),
    /// It crashed.
    Panic(String),
}

impl Answer {
    /// Whether two answers say the same. Reading may be refused with other words; runs may not.
    pub fn agrees(&self, other: &Self, operation: Operation) -> bool {
        match (self, other) {
            (Self::Failed(_), Self::Failed(_)) if operation == Operation::RoundTrip => true,
            (
                Self::Done {
                    files,
                    changes,
                    problems,
                },
                Self::Done {
                    files: other_files,
                    changes: other_changes,
                    problems: other_problems,
                },
            ) => {
                files == other_files
                    && problems == other_problems
                    && by_object(changes) == by_object(other_changes)
            }
            (one, other) => one == other,
        }
    }
}

/// File and object to setter, old value, new value.
type Reported<'c> = BTreeMap<&'c [String], Vec<&'c [String]>>;

/// The controller keeps the changes of each object of each file in order, but not the objects.
fn by_object(changes: &[[String; 8]]) -> Reported<'_> {
    let mut sorted: Reported<'_> = BTreeMap::new();
    for change in changes {
        sorted.entry(&change[..5]).or_default().push(&change[5..]);
    }
    sorted
}

/// What this program answers. A panic of its own is an answer that never agrees.
pub fn ours(case: &Case, setters: &Setters) -> Answer {
    let answered = std::panic::catch_unwind(|| match case.operation {
        Operation::RoundTrip => our_round_trip(case),
        Operation::Run => our_run(case, setters),
    });
    answered.unwrap_or_else(|_| Answer::Panic("OURS".to_owned()))
}

/// `fmt`; of a `List`, which that leaves alone, its items one behind the other.
fn our_round_trip(case: &Case) -> Answer {
    let (path, bytes) = &case.files[0];
    let done = |written| Answer::Done {
        files: vec![(path.clone(), written)],
        changes: Vec::new(),
        problems: Vec::new(),
    };
    let refused = match format(&SourceFile { path, bytes }) {
        Formatted::Written { bytes, .. } => return done(bytes),
        Formatted::Unreadable(problem) => Some(problem.reason),
        Formatted::Fails(message) => Some(message),
        Formatted::List => None,
    };
    match (round_trip(bytes), refused) {
        (Err(error), _) if error.is_crash => Answer::Panic(error.problem),
        (Err(error), _) => Answer::Failed(error.to_string()),
        (Ok(_), Some(reason)) => Answer::Failed(reason),
        (Ok(written), None) => done(written),
    }
}

fn our_run(case: &Case, setters: &Setters) -> Answer {
    let files: Vec<SourceFile<'_>> = case
        .files
        .iter()
        .map(|(path, bytes)| SourceFile { path, bytes })
        .collect();
    let updated = match update(&files, setters) {
        Ok(updated) => updated,
        Err(failure) if failure.is_crash => return Answer::Panic(failure.message),
        Err(failure) => {
            return Answer::Failed(failure.message.replace(PACKAGE, "/clone"));
        }
    };
    let mut files: Vec<(String, Vec<u8>)> = updated
        .written
        .into_iter()
        .map(|file| (file.path, file.bytes))
        .collect();
    files.sort();
    let mut changes = Vec::new();
    for file in updated.changed {
        for object in file.objects {
            let id = object.object;
            for change in object.changes {
                changes.push([
                    file.path.clone(),
                    id.api_version.clone(),
                    id.kind.clone(),
                    id.namespace.clone(),
                    id.name.clone(),
                    change.setter,
                    change.old,
                    change.new,
                ]);
            }
        }
    }
    let problems = updated.problem_files.into_iter().map(|file| file.path);
    Answer::Done {
        files,
        changes,
        problems: problems.collect(),
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.operation)?;
        for (path, bytes) in &self.files {
            write!(formatter, " {path} \"{}\"", bytes.escape_ascii())?;
        }
        Ok(())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done {
                files,
                changes,
                problems,
            } => {
                for (path, bytes) in files {
                    write!(formatter, "{path} \"{}\" ", bytes.escape_ascii())?;
                }
                write!(formatter, "{changes:?} {problems:?}")
            }
            Self::Failed(error) => write!(formatter, "failed: {error}"),
            Self::Panic(panic) => write!(formatter, "panic: {panic}"),
        }
    }
}
