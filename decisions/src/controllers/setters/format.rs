//! Mirrors image-automation-controller 1.2 `internal/update/filter.go` for a file in which no value changes: the form that a run
//! would give it.

use super::losses;
use super::outcome::{Loss, ProblemFile, SourceFile};
use super::package::{Failed, Forms, NoteForms, Step, prepare, reconcile};
use crate::yaml::{Documents, FileWriter, ReadError, SplitText, clear_notes, normalize};

/// What writing a file again comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formatted {
    /// The file in the controller's form.
    Written {
        /// Its bytes.
        bytes: Vec<u8>,
        /// What else becomes of the file, in line order.
        losses: Vec<Loss>,
    },
    /// The items of a `List` become files of their own, and the file stays as it is.
    List,
    /// The controller can't read the file, and passes over it.
    Unreadable(ProblemFile),
    /// A run that reads the file fails, with this text.
    Fails(String),
}

/// Gives a file the form in which a run writes it.
pub fn format(file: &SourceFile<'_>) -> Formatted {
    let text = normalize(file.bytes);
    let unreadable = |error: ReadError| {
        Formatted::Unreadable(ProblemFile {
            path: file.path.to_owned(),
            line: error.line,
            reason: error.problem,
        })
    };
    let split = match SplitText::new(&text) {
        Ok(split) => split,
        Err(error) => return unreadable(error),
    };
    let read = match split.read(Some(file.path)) {
        Ok(read) => read,
        Err(error) => return unreadable(error),
    };
    if read.documents.is_empty() {
        return Formatted::Written {
            bytes: file.bytes.to_vec(),
            losses: Vec::new(),
        };
    }
    if read.documents.iter().any(|document| document.is_list_item) {
        return Formatted::List;
    }
    match written(&read, file.bytes.len()) {
        Ok((bytes, losses)) => Formatted::Written { bytes, losses },
        Err(failed) if failed.step == Step::Read => Formatted::Unreadable(ProblemFile {
            path: file.path.to_owned(),
            line: 1,
            reason: failed.failure.message,
        }),
        Err(failed) => Formatted::Fails(failed.failure.message),
    }
}

fn written(read: &Documents<'_>, size: usize) -> Result<(Vec<u8>, Vec<Loss>), Failed> {
    let mut forms = Forms::default();
    let mut odd = Vec::new();
    for (at, document) in read.documents.iter().enumerate() {
        if !document.is_odd {
            forms.add(NoteForms::ORDINARY);
            continue;
        }
        let prepared = prepare(read, at)?;
        forms.add(prepared.forms);
        odd.push(prepared);
    }
    let kept = forms.kept()?;
    let mut odd = odd.into_iter();
    let mut writer = FileWriter::new(size);
    for document in &read.documents {
        match document.is_odd.then(|| odd.next()).flatten() {
            None => writer.document(read.view(document), read.sequence_indent(document)),
            Some(prepared) => {
                let mut object = reconcile(prepared, kept)?;
                let indent = clear_notes(&mut object).map_err(Failed::at(Step::Write))?;
                writer = writer.object(&object, indent);
            }
        }
    }
    let (bytes, comments) = writer.finish();
    let all: Vec<usize> = (0..read.documents.len()).collect();
    let losses = losses::of_file(read, &all, &comments, &[]);
    Ok((bytes, losses))
}

#[cfg(test)]
mod tests {
    use super::{Formatted, SourceFile, format};

    fn formatted(text: &str) -> Formatted {
        let bytes = text.as_bytes();
        format(&SourceFile {
            path: "a.yaml",
            bytes,
        })
    }

    #[test]
    fn what_is_passed_over_is_not_what_a_run_fails_on() {
        assert!(matches!(
            formatted("a:   1"),
            Formatted::Written { bytes, .. } if bytes == b"a: 1\n"
        ));
        assert!(matches!(formatted("a: ["), Formatted::Unreadable(_)));
        assert!(matches!(
            formatted("metadata: a\n"),
            Formatted::Unreadable(problem) if problem.line == 1
        ));
        assert_eq!(
            formatted("metadata:\nmetadata:\n---\na:"),
            Formatted::Fails(
                "the annotation formatting in the input resources is not consistent".into()
            )
        );
    }
}
