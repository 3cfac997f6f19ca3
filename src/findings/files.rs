//! Findings about files and the markers in them.

use crate::controllers::flux::ObjectKey;
use crate::controllers::setters::{Altered, Ignored, Loss, LossKind};

use super::{Finding, Severity, Subject};

/// What is known of the policies when a marker names a setter that no policy in scope gives.
#[derive(Clone, Copy)]
pub struct SetterScope<'a> {
    /// The automation.
    pub automation: &'a ObjectKey,
    /// Every policy of the input.
    pub known: &'a dyn Fn(&ObjectKey) -> bool,
    /// The policies that `policySelector` takes.
    pub selected: &'a dyn Fn(&ObjectKey) -> bool,
}

/// Why a marker does nothing whatever policies and automations there are: a finding id and the reason in a few words; none
/// where that depends on them.
pub fn ignored_anyway(ignored: &Ignored, setter: Option<&str>) -> Option<(&'static str, String)> {
    Some(match ignored {
        Ignored::UnknownSetter => ("marker-malformed", malformed_name(setter?)?),
        Ignored::Malformed => (
            "marker-malformed",
            "the comment is not exactly one JSON object of strings".into(),
        ),
        Ignored::Position(attached) => (
            "marker-position-ignored",
            format!("the comment belongs to {attached}, not to a value"),
        ),
        Ignored::Shadowed(why) => ("marker-position-ignored", (*why).to_owned()),
        Ignored::ListFile => (
            "list-file",
            "the file's top level is a list, and the controller changes nothing in such files"
                .into(),
        ),
        Ignored::ProblemFile => (
            "problem-file",
            "the controller can't read the file and passes over it".into(),
        ),
    })
}

/// What is wrong with a setter that could never be a policy's.
fn malformed_name(name: &str) -> Option<String> {
    let mut parts = name.splitn(3, ':').skip(1);
    if parts.next().is_none() {
        return Some(format!("{name:?} is not NAMESPACE:POLICY"));
    }
    let suffix = parts.next()?;
    (!matches!(suffix, "tag" | "name" | "digest"))
        .then(|| format!("the suffix {suffix:?} is none of tag, name and digest"))
}

/// Why the setter `name` is not one of the automation's: a finding id and the reason in a few words.
pub fn unknown_setter(name: &str, scope: SetterScope<'_>) -> (&'static str, String) {
    if let Some(why) = malformed_name(name) {
        return ("marker-malformed", why);
    }
    let mut parts = name.split(':');
    let namespace = parts.next().unwrap_or_default();
    let policy = parts.next().unwrap_or_default();
    let key = ObjectKey::new(namespace, policy);
    if namespace != scope.automation.namespace {
        let seen = if (scope.known)(&key) {
            ""
        } else {
            ", and there is no such policy"
        };
        return (
            "marker-other-namespace",
            format!(
                "{} only sees policies of its own namespace{seen}",
                scope.automation
            ),
        );
    }
    if !(scope.known)(&key) {
        return ("marker-dangling", format!("there is no ImagePolicy {key}"));
    }
    if !(scope.selected)(&key) {
        return (
            "marker-not-selected",
            format!(
                "the policySelector of {} does not take ImagePolicy {key}",
                scope.automation
            ),
        );
    }
    (
        "policy-without-latest",
        format!("ImagePolicy {key} has no latest image"),
    )
}

/// A finding for a marker that receives nothing.
pub fn ignored_marker(
    id: &'static str,
    path: &str,
    line: usize,
    column: usize,
    reason: &str,
) -> Finding {
    let remedy = match id {
        "marker-dangling" => "create the policy, or correct the marker's name",
        "marker-other-namespace" => {
            "move the policy into the automation's namespace, or add an automation where the policy is"
        }
        "marker-not-selected" => "give the policy the labels that the policySelector asks for",
        "marker-malformed" => {
            "write it as # {\"$imagepolicy\": \"NAMESPACE:POLICY[:tag|:name|:digest]\"}"
        }
        "list-file" => {
            "move the value out of the list file, for example into kustomization.yaml's images[].newTag"
        }
        "problem-file" => "mend the file's YAML",
        "policy-without-latest" => "see why the policy has no latest image",
        _ => "put the marker on the line of the value itself, behind it",
    };
    Finding {
        id,
        severity: Severity::of(id),
        subject: Subject::Place {
            path: path.to_owned(),
            line: Some(line),
            column: Some(column),
        },
        message: format!("the marker receives nothing: {reason}"),
        evidence: format!("{path}:{line}:{column}"),
        remedy: remedy.into(),
    }
}

/// `digest-marker-without-digest`: the marker's policy reflects no digest, and the value becomes empty.
pub fn digest_marker_without_digest(path: &str, line: usize, column: usize, old: &str) -> Finding {
    Finding {
        id: "digest-marker-without-digest",
        severity: Severity::of("digest-marker-without-digest"),
        subject: Subject::Place {
            path: path.to_owned(),
            line: Some(line),
            column: Some(column),
        },
        message: if old.is_empty() {
            "the value stays empty: the policy reflects no digest".into()
        } else {
            format!("the value {old} becomes empty: the policy reflects no digest")
        },
        evidence: format!("{path}:{line}:{column}"),
        remedy: "set spec.digestReflectionPolicy of the policy, or drop the :digest marker".into(),
    }
}

/// Line, column of the `#` (both from 1) and setter of everything in a text that reads like a marker.
pub fn markers_of_text(text: &str) -> Vec<(usize, usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some(at) = line.find("$imagepolicy") else {
            continue;
        };
        let Some(hash) = line[..at].rfind('#') else {
            continue;
        };
        let comment = line[hash + 1..].trim();
        let Some(setter) = serde_json::from_str::<serde_json::Value>(comment)
            .ok()
            .and_then(|value| value["$imagepolicy"].as_str().map(str::to_owned))
        else {
            continue;
        };
        let column = line[..hash].chars().count() + 1;
        found.push((number + 1, column, setter));
    }
    found
}

/// What the controller's reason has of a file's contents is told as far as it helps to find the place.
const MOST_CONTENTS: usize = 200;

/// The controller's reason for passing over a file, without the whole of a node that it quotes.
pub fn reason_to_tell(reason: &str) -> String {
    let Some((words, contents)) = reason.split_once("node contents:") else {
        return reason.to_owned();
    };
    // One character more tells whether there is more.
    let mut told = String::new();
    let mut left = MOST_CONTENTS + 1;
    for word in contents.split_whitespace() {
        told.push(' ');
        told.extend(word.chars().take(left));
        left = left.saturating_sub(word.chars().take(left).count() + 1);
        if left == 0 {
            break;
        }
    }
    if let Some((end, _)) = told.char_indices().nth(MOST_CONTENTS + 1) {
        told.truncate(end);
        told.push('…');
    }
    format!("{words}node contents:{told}")
}

/// `problem-file`: the controller can't read the file and passes over it without a word.
pub fn problem_file(path: &str, line: Option<usize>, reason: &str) -> Finding {
    let reason = reason_to_tell(reason);
    Finding {
        id: "problem-file",
        severity: Severity::of("problem-file"),
        subject: Subject::Place {
            path: path.to_owned(),
            line,
            column: None,
        },
        message: format!("the controller passes over the whole file without a word: {reason}"),
        evidence: reason,
        remedy: "mend the file's YAML".into(),
    }
}

/// `update-fails`: the run of every automation that reads the file fails.
pub fn run_fails(path: &str, message: &str) -> Finding {
    Finding {
        id: "update-fails",
        severity: Severity::of("update-fails"),
        subject: Subject::Place {
            path: path.to_owned(),
            line: None,
            column: None,
        },
        message: format!("the controller's run fails on this file: {message}"),
        evidence: message.to_owned(),
        remedy: "mend the file's YAML".into(),
    }
}

/// What a rewrite does to a file beside setting values: `value-type-changes`, `reformatting-loses-data` or `reformatting`.
pub fn loss(path: &str, loss: &Loss) -> Finding {
    let (id, message, remedy) = match &loss.kind {
        LossKind::Retyped { tag } => (
            "value-type-changes",
            format!(
                "the controller writes the new value with the tag {tag} of the old one, and the file no longer applies"
            ),
            "put quotes around the old value first",
        ),
        LossKind::DroppedText => (
            "reformatting-loses-data",
            "what follows the first YAML document here is dropped from the file".into(),
            "separate the documents by a line of ---",
        ),
        LossKind::LostComment { text } => (
            "reformatting-loses-data",
            format!("the comment {text} is dropped"),
            "move the comment to a line of its own above the value",
        ),
        LossKind::UnwrappedItem {
            list,
            replaces,
            as_json,
        } => {
            return unwrapped(list, loss.line, path, *replaces, *as_json);
        }
        LossKind::DroppedAnnotation { key } => (
            "reformatting-loses-data",
            format!(
                "the annotation {key} is dropped: the controller keeps a note of its own there"
            ),
            "remove the annotation, which only tools that read manifests from files look at",
        ),
        LossKind::Altered(Altered::Template) => (
            "reformatting-loses-data",
            "the template's braces are read as YAML: {{ x }} becomes {? {x: ''} : ''}".into(),
            "put quotes around the template, or keep the marker out of files that are templates",
        ),
        LossKind::Altered(Altered::EmptyValue) => (
            "reformatting-loses-data",
            "the empty value between brackets becomes an empty text, ''".into(),
            "write null, or \"\", in its place",
        ),
        LossKind::Altered(Altered::Folded) => (
            "reformatting-loses-data",
            "the lines of the folded text become others, each time that the file is written".into(),
            "write the text with | in the place of >",
        ),
        LossKind::DroppedDocument => (
            "reformatting",
            "a document without content is dropped, with its comments".into(),
            "remove the empty document",
        ),
        LossKind::RemovedEmptyField { key } => (
            "reformatting",
            format!("the empty field {key} is removed"),
            "remove the field",
        ),
    };
    Finding {
        id,
        severity: Severity::of(id),
        subject: Subject::Place {
            path: path.to_owned(),
            line: Some(loss.line),
            column: None,
        },
        message: message + &and_more(loss.more),
        evidence: format!("{path}:{}", loss.line),
        remedy: remedy.into(),
    }
}

/// Tells that not all of a kind are listed.
pub fn and_more(more: usize) -> String {
    match more {
        0 => String::new(),
        more => format!(" (and {more} more in this file)"),
    }
}

/// `reformatting-loses-data`: an item of a `List` becomes a file of its own.
pub fn unwrapped(list: &str, line: usize, to: &str, replaces: bool, as_json: bool) -> Finding {
    let form = if as_json {
        " as JSON, without its comments and markers"
    } else {
        ""
    };
    let replaced = if replaces {
        ", in the place of what stands there"
    } else {
        ""
    };
    Finding {
        message: format!(
            "the item is written to {to}{form}{replaced}, and the List stays as it is"
        ),
        evidence: to.to_owned(),
        ..list_at(list, line)
    }
}

/// `reformatting-loses-data`: a `List` is never written back.
pub fn list(path: &str) -> Finding {
    list_at(path, 1)
}

fn list_at(path: &str, line: usize) -> Finding {
    Finding {
        id: "reformatting-loses-data",
        severity: Severity::of("reformatting-loses-data"),
        subject: Subject::Place {
            path: path.to_owned(),
            line: Some(line),
            column: None,
        },
        message: "the items of the List are written to new files, and the List stays as it is"
            .into(),
        evidence: format!("{path}:{line}"),
        remedy: "split the List into documents separated by ---".into(),
    }
}

/// `symlink-skipped`: a link with the name of a manifest that leads to no file of the repository.
pub fn symlink_skipped(path: &str) -> Finding {
    Finding {
        id: "symlink-skipped",
        severity: Severity::of("symlink-skipped"),
        subject: Subject::Place {
            path: path.to_owned(),
            line: None,
            column: None,
        },
        message: "the link leads to no file of the repository: it is passed over".into(),
        evidence: path.to_owned(),
        remedy: "replace the link by the file".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_quotes_no_more_than_a_part_of_the_file() {
        let reason = |contents: &str| format!("expected X: node contents:\n{contents}");
        assert_eq!(reason_to_tell("yaml: line 2"), "yaml: line 2");
        assert_eq!(
            reason_to_tell(&reason("- a: b\n  c: d\n")),
            "expected X: node contents: - a: b c: d"
        );
        let fits = "ä".repeat(MOST_CONTENTS);
        assert_eq!(
            reason_to_tell(&reason(&fits)),
            format!("expected X: node contents: {fits}")
        );
        for long in ["ä".repeat(1000), "- a\n".repeat(1000)] {
            let told = reason_to_tell(&reason(&long));
            let (_, quoted) = told.split_once("contents: ").unwrap();
            assert_eq!(quoted.chars().count(), MOST_CONTENTS + 1);
            assert!(quoted.ends_with('…'));
        }
    }

    #[test]
    fn markers_are_found_in_a_text() {
        let text =
            "a: 1\nimage: b:1 # {\"$imagepolicy\": \"ns:app:tag\"}\n# {\"$imagepolicy\": 1}\n";
        assert_eq!(markers_of_text(text), [(2, 12, "ns:app:tag".to_owned())]);
    }

    #[test]
    fn an_unknown_setter_has_the_nearest_reason() {
        let automation = ObjectKey::new("flux-system", "images");
        let known = |key: &ObjectKey| ["app", "unselected", "empty"].contains(&key.name.as_str());
        let selected = |key: &ObjectKey| key.name != "unselected";
        let scope = SetterScope {
            automation: &automation,
            known: &known,
            selected: &selected,
        };
        let id = |name| unknown_setter(name, scope).0;
        assert_eq!(id("flux-system:gone"), "marker-dangling");
        assert_eq!(id("shop:app"), "marker-other-namespace");
        assert_eq!(id("flux-system:unselected:tag"), "marker-not-selected");
        assert_eq!(id("flux-system:app:version"), "marker-malformed");
        assert_eq!(id("app"), "marker-malformed");
        assert_eq!(id("flux-system:empty"), "policy-without-latest");
    }
}
