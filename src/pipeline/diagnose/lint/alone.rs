//! Files with markers that no automation of the input comes to: what is wrong with them whoever does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::controllers::setters::{
    Ignored, MarkerOutcome, ProblemFile, Setters, SourceFile, Wanted, discovery, rewrite_file,
};
use crate::findings::{Finding, Subject, files};
use crate::pipeline::diagnose::{Diagnosed, Diagnosis};
use crate::pipeline::files::NamedFiles;

use super::ignores::Ignores;

/// What is wrong with a marker whatever there is in a cluster.
const OF_THE_FILE: [&str; 4] = [
    "marker-malformed",
    "marker-position-ignored",
    "list-file",
    "problem-file",
];

/// A file that holds a marker.
struct Marked {
    path: String,
    text: String,
    findings: Vec<Finding>,
}

/// Looks at the files below `paths` that none of the `others` have come to.
pub(super) fn look_at(top: &Path, paths: &[PathBuf], others: &[Diagnosis]) -> Diagnosis {
    let covered: BTreeSet<&str> = others
        .iter()
        .flat_map(|other| other.markers.keys())
        .map(|(path, _)| path.as_str())
        .collect();
    let outside: BTreeSet<&str> = others
        .iter()
        .flat_map(|other| &other.findings)
        .filter_map(|found| match &found.finding.subject {
            Subject::Place { path, .. } if found.finding.id == "marker-outside-path" => {
                Some(path.as_str())
            }
            _ => None,
        })
        .collect();
    let mut marked: BTreeMap<String, Marked> = BTreeMap::new();
    for path in paths {
        // What the controller would not read is nothing to be judged.
        let Ok(named) = NamedFiles::find(path) else {
            continue;
        };
        let seen = named.look(|path, bytes| {
            let looks = !covered.contains(path) && discovery::may_hold_marker(bytes);
            looks.then(|| judge(path, bytes))
        });
        marked.extend(
            seen.into_iter()
                .flatten()
                .map(|one| (one.path.clone(), one)),
        );
    }
    let mut diagnosis = Diagnosis::default();
    let unseen = marked
        .keys()
        .filter(|path| !outside.contains(path.as_str()));
    match unseen.count() {
        0 => {}
        1 => diagnosis.notes.push(
            "no automation of the input comes to 1 file with markers: it is judged by itself, not by what its policies are".into(),
        ),
        more => diagnosis.notes.push(format!(
            "no automation of the input comes to {more} files with markers: they are judged by themselves, not by what their policies are"
        )),
    }
    let mut texts = BTreeMap::new();
    for Marked {
        path,
        text,
        findings,
    } in marked.into_values()
    {
        if findings.is_empty() {
            continue;
        }
        texts.insert(path, text);
        diagnosis
            .findings
            .extend(findings.into_iter().map(|finding| Diagnosed {
                context: None,
                finding,
                causes: Vec::new(),
            }));
    }
    diagnosis.add_lines(&texts);
    diagnosis.drop_ignored(&Ignores::of(&texts, &BTreeMap::new(), top));
    diagnosis
}

/// Leaves one verdict to each marker: where it could do nothing anywhere, the path it stands in doesn't matter.
pub(super) fn once(diagnosis: &mut Diagnosis) {
    let told: BTreeSet<(String, usize)> = diagnosis
        .findings
        .iter()
        .filter(|found| OF_THE_FILE.contains(&found.finding.id))
        .filter_map(|found| place(&found.finding))
        .collect();
    diagnosis.retain(|finding| {
        finding.id != "marker-outside-path"
            || place(finding).is_none_or(|place| !told.contains(&place))
    });
}

fn place(finding: &Finding) -> Option<(String, usize)> {
    match &finding.subject {
        Subject::Place {
            path,
            line: Some(line),
            ..
        } => Some((path.clone(), *line)),
        _ => None,
    }
}

fn judge(path: &str, bytes: &[u8]) -> Marked {
    let wanted = Wanted {
        bytes: false,
        findings: true,
        losses: false,
        minimal: false,
    };
    let rewritten = rewrite_file(&SourceFile { path, bytes }, &Setters::default(), wanted);
    let mut findings = Vec::new();
    let mut is_list = false;
    for marker in rewritten.markers() {
        let MarkerOutcome::Ignored(ignored) = &marker.outcome else {
            continue;
        };
        is_list |= *ignored == Ignored::ListFile;
        let Some((id, reason)) = files::ignored_anyway(ignored, marker.setter.as_deref()) else {
            continue;
        };
        let reason = reason + &files::and_more(marker.more);
        let (line, column) = (marker.line, marker.column);
        findings.push(files::ignored_marker(id, path, line, column, &reason));
    }
    if let Some(ProblemFile { line, reason, .. }) = rewritten.problem().filter(|_| !is_list) {
        findings.push(files::problem_file(path, Some(*line), reason));
    }
    Marked {
        path: path.to_owned(),
        text: String::from_utf8_lossy(bytes).into_owned(),
        findings,
    }
}
