//! `fmt`: files in the form that the controller gives them.

use std::path::PathBuf;

use crate::controllers::setters::{self, Formatted, Loss, LossKind, SourceFile, discovery};
use crate::failure::Failure;
use crate::findings::{self, Finding};

use super::files::NamedFiles;

/// What `fmt` is asked to do.
#[derive(Clone, Debug)]
pub struct ReformatRequest {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Files without a marker too.
    pub all: bool,
    /// Only tell.
    pub check: bool,
    /// Files that lose something too.
    pub allow_loss: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Reformatted {
    /// The files that were changed, or would be.
    pub changed: Vec<String>,
    /// How many files were looked at.
    pub looked_at: usize,
    /// Files left as they are, and what would be lost; and what was lost where that was allowed.
    pub findings: Vec<Finding>,
    /// Whether a file can't be read.
    pub has_unreadable: bool,
    /// Whether a file was left because it would lose something.
    pub has_left: bool,
}

enum Seen {
    AsItIs,
    Changes {
        path: String,
        old: Vec<u8>,
        new: Vec<u8>,
        losses: Vec<Loss>,
    },
    Left(Vec<Finding>),
    Unreadable(Finding),
}

/// Whether rewriting takes something away, or changes a value, rather than only the layout.
fn loses_data(loss: &Loss) -> bool {
    !matches!(
        loss.kind,
        LossKind::RemovedEmptyField { .. } | LossKind::DroppedDocument
    )
}

/// Reformats files on disk.
///
/// # Errors
///
/// A path leads nowhere, a file can't be read or written.
pub fn reformat(request: &ReformatRequest) -> Result<Reformatted, Failure> {
    let mut done = Reformatted::default();
    for path in &request.paths {
        let named = NamedFiles::find(path)?;
        let seen = named.look(|path, bytes| {
            (request.all || discovery::may_hold_marker(bytes)).then(|| look(path, bytes))
        })?;
        let mut changes = Vec::new();
        done.looked_at += seen.len();
        for seen in seen {
            match seen {
                Seen::AsItIs => {}
                Seen::Unreadable(finding) => {
                    done.has_unreadable = true;
                    done.findings.push(finding);
                }
                Seen::Left(findings) => {
                    done.has_left = true;
                    done.findings.extend(findings);
                }
                Seen::Changes {
                    path,
                    old,
                    new,
                    losses,
                } => {
                    let of_path = losses.iter().map(|loss| findings::files::loss(&path, loss));
                    done.findings.extend(of_path);
                    if losses.iter().any(loses_data) && !request.allow_loss {
                        done.has_left = true;
                        continue;
                    }
                    done.changed.push(path.clone());
                    changes.push((path, old, new));
                }
            }
        }
        if !request.check {
            named.write(&changes)?;
        }
    }
    Ok(done)
}

fn look(path: &str, bytes: &[u8]) -> Seen {
    match setters::format(&SourceFile { path, bytes }) {
        Formatted::Written { bytes: new, losses } if new != bytes => Seen::Changes {
            path: path.to_owned(),
            old: bytes.to_vec(),
            new,
            losses,
        },
        Formatted::Written { .. } => Seen::AsItIs,
        Formatted::List => Seen::Left(vec![findings::files::list(path)]),
        Formatted::Unreadable(problem) => Seen::Unreadable(findings::files::problem_file(
            path,
            Some(problem.line),
            &problem.reason,
        )),
        Formatted::Fails(message) => Seen::Unreadable(findings::files::run_fails(path, &message)),
    }
}

/// Reformats one text; with what is lost.
///
/// # Errors
///
/// The controller can't read it, or takes it apart.
pub fn reformat_text(bytes: &[u8]) -> Result<(Vec<u8>, Vec<Finding>), Failure> {
    match setters::format(&SourceFile { path: "-", bytes }) {
        Formatted::Written { bytes, losses } => {
            let losses = losses.iter().map(|loss| findings::files::loss("-", loss));
            Ok((bytes, losses.collect()))
        }
        Formatted::List => Err(Failure::invalid_input(
            "-: the controller writes the items of a List to files of their own: separate them by --- instead",
        )),
        Formatted::Unreadable(problem) => Err(Failure::invalid_input(format!(
            "-:{}: the controller can't read this: {}: mend the YAML",
            problem.line,
            findings::files::reason_to_tell(&problem.reason)
        ))),
        Formatted::Fails(message) => Err(Failure::invalid_input(format!(
            "-: a run of the controller fails on this: {message}: mend the YAML"
        ))),
    }
}
