//! Findings about what refers to what: policies that nothing takes, markers that nothing reaches, two that write one marker.

use std::collections::BTreeMap;

use crate::controllers::automation::AutomationFailure;
use crate::controllers::flux::ObjectKey;

use super::{Finding, Severity, Subject};

fn automation(key: &ObjectKey) -> Subject {
    Subject::Object {
        kind: "ImageUpdateAutomation",
        key: key.clone(),
    }
}

fn policy(key: &ObjectKey) -> Subject {
    Subject::Object {
        kind: "ImagePolicy",
        key: key.clone(),
    }
}

/// `policy-not-selected`: the automations of the namespace leave the policy out.
pub fn policy_not_selected(key: &ObjectKey, automations: &[&str]) -> Finding {
    let names = automations.join(", ");
    Finding {
        id: "policy-not-selected",
        severity: Severity::of("policy-not-selected"),
        subject: policy(key),
        message: format!("the policySelector of {names} does not take the policy"),
        evidence: format!(
            "{} of namespace {}, and none takes it",
            if automations.len() == 1 {
                "1 automation".to_owned()
            } else {
                format!("{} automations", automations.len())
            },
            key.namespace
        ),
        remedy: format!("give ImagePolicy {key} the labels that spec.policySelector asks for"),
    }
}

/// `policy-unused`: no automation sees the policy.
pub fn policy_unused(key: &ObjectKey) -> Finding {
    Finding {
        id: "policy-unused",
        severity: Severity::of("policy-unused"),
        subject: policy(key),
        message: format!(
            "there is no ImageUpdateAutomation in namespace {}, and those of other namespaces don't see the policy",
            key.namespace
        ),
        evidence: "an automation reads the policies of its own namespace only".into(),
        remedy: "add an automation in the policy's namespace, or remove the policy".into(),
    }
}

/// `marker-missing`: no marker of the files that are updated names the policy.
pub fn marker_missing(key: &ObjectKey, path: &str) -> Finding {
    let below = match path {
        "" => "the repository",
        path => path,
    };
    Finding {
        id: "marker-missing",
        severity: Severity::of("marker-missing"),
        subject: policy(key),
        message: format!(
            "no marker below {below} names {}:{}",
            key.namespace, key.name
        ),
        evidence: "every file with a marker was read".into(),
        remedy: format!(
            "put # {{\"$imagepolicy\": \"{}:{}\"}} behind the image",
            key.namespace, key.name
        ),
    }
}

/// `marker-outside-path`: the marker stands in a file that no automation of the repository updates.
pub fn marker_outside_path(
    path: &str,
    line: usize,
    column: usize,
    setter: &str,
    paths: &[&str],
) -> Finding {
    Finding {
        id: "marker-outside-path",
        severity: Severity::of("marker-outside-path"),
        subject: Subject::Place {
            path: path.to_owned(),
            line: Some(line),
            column: Some(column),
        },
        message: format!(
            "the marker for {setter} is outside of what is updated ({})",
            paths.join(", ")
        ),
        evidence: format!("spec.update.path: {}", paths.join(", ")),
        remedy: "move the file below that path, or widen spec.update.path".into(),
    }
}

/// `manifest-unusable`: a manifest that names objects of Flux can't be read, or contradicts another.
pub fn manifest_unusable(path: &str, line: Option<usize>, why: &str) -> Finding {
    Finding {
        id: "manifest-unusable",
        severity: Severity::of("manifest-unusable"),
        subject: Subject::Place {
            path: path.to_owned(),
            line,
            column: None,
        },
        message: why.to_owned(),
        evidence: "the objects in it are not looked at".into(),
        remedy: "mend the manifest".into(),
    }
}

/// `sourceignore-not-honoured`: a `.sourceignore` leaves files out that are updated all the same.
pub fn sourceignore_not_honoured(path: &str, marked: &str) -> Finding {
    Finding {
        id: "sourceignore-not-honoured",
        severity: Severity::of("sourceignore-not-honoured"),
        subject: Subject::Place {
            path: path.to_owned(),
            line: None,
            column: None,
        },
        message: format!(
            "image automation doesn't read {path}: it updates {marked} although source-controller leaves files out by it"
        ),
        evidence: format!("{path} and the marked file {marked} lie below one folder"),
        remedy: "keep files that must not change outside of spec.update.path".into(),
    }
}

/// The controller's failure of an automation, under the id of what is wrong.
pub fn automation_fails(key: &ObjectKey, failure: &AutomationFailure) -> Finding {
    let id = failure_id(failure);
    let remedy = match id {
        "template-removed-field" => "use .Changed in spec.git.commit.messageTemplate".to_owned(),
        "source-missing" => "create the GitRepository, or correct spec.sourceRef".into(),
        "push-detached-head" => "name a branch in spec.git.push.branch".into(),
        "template-error" => "correct spec.git.commit.messageTemplate".into(),
        "path-missing" => "correct spec.update.path: it is relative to the repository's top".into(),
        _ => format!(
            "mend what the message names; kubectl imageauto explain update/{} -n {}",
            key.name, key.namespace
        ),
    };
    Finding {
        id,
        severity: Severity::of(id),
        subject: automation(key),
        message: if failure.stalled {
            "the controller is stalled: it does nothing before the object changes".into()
        } else {
            "the controller's run fails, and nothing is pushed".to_owned()
        },
        evidence: format!("{}: {}", failure.reason, failure.message),
        remedy,
    }
}

/// The id of a controller's failure.
pub fn failure_id(failure: &AutomationFailure) -> &'static str {
    match failure.reason {
        "RemovedTemplateField" => "template-removed-field",
        "SourceManagerFailed"
            if failure
                .message
                .contains("referenced git repository does not exist") =>
        {
            "source-missing"
        }
        "GitOperationFailed" if failure.message.contains("funny refname") => "push-detached-head",
        "GitOperationFailed" if failure.message.contains("template") => "template-error",
        "UpdateFailed"
            if failure.message.contains("walking path for files: lstat")
                && failure.message.ends_with("no such file or directory") =>
        {
            "path-missing"
        }
        _ => "update-fails",
    }
}

/// One marker that an automation writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenMarker {
    /// The cluster's context or the input's name; none where there is one only.
    pub context: Option<String>,
    /// The automation.
    pub automation: ObjectKey,
    /// The repository's URL and the branch that is pushed to.
    pub repository: String,
    /// The file's path.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What the marker holds after the automation.
    pub value: String,
}

impl WrittenMarker {
    fn who(&self) -> String {
        match &self.context {
            Some(context) => format!("{} in {context}", self.automation),
            None => self.automation.to_string(),
        }
    }
}

/// `automations-overlap`: automations that write one marker of one branch differently, and undo each other's commits; with the
/// place of the first of the automations in `markers`.
pub fn automations_overlap(markers: &[WrittenMarker]) -> Vec<(usize, Finding)> {
    let mut places: BTreeMap<(&str, &str, usize), Vec<usize>> = BTreeMap::new();
    for (index, marker) in markers.iter().enumerate() {
        let place = (
            marker.repository.as_str(),
            marker.path.as_str(),
            marker.line,
        );
        places.entry(place).or_default().push(index);
    }
    let mut found = Vec::new();
    for ((repository, path, line), writers) in places {
        let first = &markers[writers[0]];
        let Some(other) = writers
            .iter()
            .map(|index| &markers[*index])
            .find(|marker| marker.value != first.value)
        else {
            continue;
        };
        found.push((
            writers[0],
            Finding {
                id: "automations-overlap",
                severity: Severity::of("automations-overlap"),
                subject: Subject::Place {
                    path: path.to_owned(),
                    line: Some(line),
                    column: None,
                },
                message: format!(
                    "{} writes {}, and {} writes {}: they undo each other's commits",
                    first.who(),
                    first.value,
                    other.who(),
                    other.value
                ),
                evidence: repository.to_owned(),
                remedy:
                    "give each automation a spec.update.path of its own, or let the policies agree"
                        .into(),
            },
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(context: &str, value: &str) -> WrittenMarker {
        WrittenMarker {
            context: Some(context.into()),
            automation: ObjectKey::new("ns", "images"),
            repository: "ssh://git@host/repo main".into(),
            path: "a.yaml".into(),
            line: 3,
            value: value.into(),
        }
    }

    #[test]
    fn only_different_values_of_one_place_overlap() {
        assert!(automations_overlap(&[marker("a", "1"), marker("b", "1")]).is_empty());
        let elsewhere = WrittenMarker {
            path: "b.yaml".into(),
            ..marker("b", "2")
        };
        assert!(automations_overlap(&[marker("a", "1"), elsewhere]).is_empty());
        let found = automations_overlap(&[marker("a", "1"), marker("b", "2")]);
        assert_eq!(
            found[0].1.message,
            "ns/images in a writes 1, and ns/images in b writes 2: they undo each other's commits"
        );
    }

    #[test]
    fn failures_have_the_id_of_what_is_wrong() {
        let failure = |reason: &'static str, message: &str| AutomationFailure {
            reason,
            message: message.into(),
            stalled: false,
        };
        let id = |reason, message| failure_id(&failure(reason, message));
        let path = "failed to apply policies: walking path for files: lstat <clone>/x: no such file or directory";
        assert_eq!(id("UpdateFailed", path), "path-missing");
        assert_eq!(id("UpdateFailed", "other"), "update-fails");
        let gone = "failed configuring source manager: referenced git repository does not exist: GitRepository.source.toolkit.fluxcd.io \"x\" not found";
        assert_eq!(id("SourceManagerFailed", gone), "source-missing");
        let no_secret = "failed configuring source manager: failed to get auth secret 'ns/x': secrets \"x\" not found";
        assert_eq!(id("SourceManagerFailed", no_secret), "update-fails");
    }
}
