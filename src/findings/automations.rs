//! Findings about automations: branches, templates, sources.

use crate::controllers::flux::ObjectKey;

use super::{Finding, Severity, Subject};

fn automation(key: &ObjectKey) -> Subject {
    Subject::Object {
        kind: "ImageUpdateAutomation",
        key: key.clone(),
    }
}

/// `push-branch-unknown`: updates pile up on another branch, whose state was not seen.
pub fn push_branch_unknown(key: &ObjectKey, push_branch: &str) -> Finding {
    Finding {
        id: "push-branch-unknown",
        severity: Severity::Note,
        subject: automation(key),
        message: format!(
            "the automation goes on from the head of {push_branch} if that exists; its state was not seen, the work tree was used as it is"
        ),
        evidence: format!("push branch {push_branch} differs from the checkout branch"),
        remedy: format!("check out {push_branch} in the work tree to see the change against it"),
    }
}

/// `push-detached-head`: what is checked out is no branch, and none is named to push to.
pub fn push_detached_head(key: &ObjectKey) -> Finding {
    Finding {
        id: "push-detached-head",
        severity: Severity::Error,
        subject: automation(key),
        message: "the commit is on no branch, and its push fails".into(),
        evidence: "the checkout ref is a tag, a semver range or a commit, and spec.git.push names no branch".into(),
        remedy: "name a branch in spec.git.push.branch".into(),
    }
}

/// `update-skipped`: the controller ends its run before the update.
pub fn update_skipped(key: &ObjectKey, cause: &str) -> Finding {
    Finding {
        id: "update-skipped",
        severity: Severity::Note,
        subject: automation(key),
        message: format!(
            "the controller skips its run ({cause}): the change comes when a policy or the remote head moves"
        ),
        evidence:
            "status.observedPolicies and status.observedSourceRevision are what they would be again"
                .into(),
        remedy: "push a commit, or wait for the next image".into(),
    }
}

/// `template-removed-field`: the message template works here and fails with Flux 2.7 and later.
pub fn template_removed_field(key: &ObjectKey, message: &str) -> Finding {
    Finding {
        id: "template-removed-field",
        severity: Severity::Warning,
        subject: automation(key),
        message: format!(
            "with Flux 2.7 and later this automation is Stalled, RemovedTemplateField: {message}"
        ),
        evidence: message.to_owned(),
        remedy: "use .Changed in spec.git.commit.messageTemplate".into(),
    }
}

/// `template-not-deterministic`: the message changes from run to run.
pub fn template_not_deterministic(key: &ObjectKey, why: &str) -> Finding {
    Finding {
        id: "template-not-deterministic",
        severity: Severity::Note,
        subject: automation(key),
        message: format!(
            "the commit message is one of several that the controller may give: {why}"
        ),
        evidence: why.to_owned(),
        remedy: "range over .Changed.Objects or .Changed.FileChanges, whose order is fixed".into(),
    }
}

/// `source-missing`: the GitRepository is not there.
pub fn source_missing(key: &ObjectKey, source: &ObjectKey) -> Finding {
    Finding {
        id: "source-missing",
        severity: Severity::Note,
        subject: automation(key),
        message: format!(
            "GitRepository {source} is not in the input: its ref and URL are not known"
        ),
        evidence: format!("spec.sourceRef names {source}"),
        remedy: "add its manifest with -f".into(),
    }
}
