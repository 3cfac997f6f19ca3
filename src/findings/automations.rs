//! Findings about automations: branches, templates, sources.

use crate::controllers::automation::AutomationFailure;
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
        severity: Severity::of("push-branch-unknown"),
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
        severity: Severity::of("push-detached-head"),
        subject: automation(key),
        message: "the commit is on no branch, and its push fails".into(),
        evidence: "the checkout ref is a tag, a semver range or a commit, and spec.git.push names no branch".into(),
        remedy: "name a branch in spec.git.push.branch".into(),
    }
}

/// `signing-key-invalid`: the automation's key doesn't sign, and with it nothing is pushed.
pub fn signing_key_invalid(key: &ObjectKey, failure: &AutomationFailure) -> Finding {
    Finding {
        id: "signing-key-invalid",
        severity: Severity::of("signing-key-invalid"),
        subject: automation(key),
        message: "the signing key can't be used, and no commit is made".into(),
        evidence: failure.message.clone(),
        remedy: "put a key that is made for signing, and its passphrase, into the Secret that spec.git.commit.signingKey names".into(),
    }
}

/// `push-credential-read-only`: the login may fetch and not push.
pub fn push_credential_read_only(key: &ObjectKey, words: &str) -> Finding {
    Finding {
        id: "push-credential-read-only",
        severity: Severity::of("push-credential-read-only"),
        subject: automation(key),
        message: "the git server lets this login fetch, but not push".into(),
        evidence: words.to_owned(),
        remedy:
            "give the key or account of the GitRepository's Secret write access to the repository"
                .into(),
    }
}

/// `push-rejected`: the server refuses the push to this branch.
pub fn push_rejected(key: &ObjectKey, branch: &str, words: &str) -> Finding {
    Finding {
        id: "push-rejected",
        severity: Severity::of("push-rejected"),
        subject: automation(key),
        message: format!("the git server refuses the push to {branch}"),
        evidence: words.to_owned(),
        remedy: format!(
            "let the account push to {branch}, or push to another branch with spec.git.push.branch and merge from there"
        ),
    }
}

/// `push-branch-diverged`: the push replaces commits of the push branch.
pub fn push_branch_diverged(key: &ObjectKey, branch: &str, head: &str) -> Finding {
    Finding {
        id: "push-branch-diverged",
        severity: Severity::of("push-branch-diverged"),
        subject: automation(key),
        message: format!(
            "the push replaces what {branch} has (now {head}): the commit starts from the checkout ref, not from there"
        ),
        evidence: format!("{branch} is at {head}"),
        remedy: format!(
            "merge {branch} before the next run, or check out a branch instead of a tag"
        ),
    }
}

/// `refspec-unusable`: the second push fails after the first has gone through.
pub fn refspec_unusable(key: &ObjectKey, refspec: &str, why: &str) -> Finding {
    Finding {
        id: "refspec-unusable",
        severity: Severity::of("refspec-unusable"),
        subject: automation(key),
        message: format!(
            "the push with refspec {refspec} fails after the branch was pushed, and the push is not recorded: {why}"
        ),
        evidence: format!("spec.git.push.refspec is {refspec}"),
        remedy: "write full ref names on both sides, such as refs/heads/main:refs/heads/auto"
            .into(),
    }
}

/// `downgrade`: a marker would move to a lower version.
pub fn downgrade(path: &str, line: usize, old: &str, new: &str, policy: &ObjectKey) -> Finding {
    Finding {
        id: "downgrade",
        severity: Severity::of("downgrade"),
        subject: Subject::Place {
            path: path.to_owned(),
            line: Some(line),
            column: None,
        },
        message: format!("{old} is above {new} by the order of policy {policy}"),
        evidence: format!("the marker's value {old} becomes {new}"),
        remedy: format!(
            "look why {old} is no longer chosen: kubectl imageauto get policy {} -n {}",
            policy.name, policy.namespace
        ),
    }
}

/// `update-skipped`: the controller ends its run before the update.
pub fn update_skipped(key: &ObjectKey, cause: &str) -> Finding {
    Finding {
        id: "update-skipped",
        severity: Severity::of("update-skipped"),
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
        severity: Severity::of("template-removed-field"),
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
        severity: Severity::of("template-not-deterministic"),
        subject: automation(key),
        message: format!(
            "the commit message is one of several that the controller may give: {why}"
        ),
        evidence: why.to_owned(),
        remedy: fixed_order(why).into(),
    }
}

/// What to use in place of what hangs on chance.
fn fixed_order(why: &str) -> &'static str {
    match why {
        _ if why.contains(".Changed.Objects") => {
            "range over .Changed.FileChanges, whose order is fixed"
        }
        _ if why.contains(".Changed.Changes") => {
            "range over .Changed.FileChanges or .Changed.Objects, whose order is fixed"
        }
        _ if why.contains(".Updated") => "range over .Updated.Files, whose order is fixed",
        _ if why.contains("keys") || why.contains("values") => {
            "range over the dict itself, whose order is fixed, or sort the list with sortAlpha"
        }
        _ if why.contains("address") => "print the fields of the value instead of its address",
        _ => "leave the function out of the template",
    }
}

/// `update-fails`: the controller's last run failed, with its words.
pub fn last_run_failed(key: &ObjectKey, words: &str) -> Finding {
    Finding {
        id: "update-fails",
        severity: Severity::of("update-fails"),
        subject: automation(key),
        message: "the controller's last run failed; as far as can be told from here, the next one goes well".into(),
        evidence: words.to_owned(),
        remedy: format!(
            "flux reconcile image update {} -n {}",
            key.name, key.namespace
        ),
    }
}

/// `source-not-given`: the GitRepository is not in the input.
pub fn source_missing(key: &ObjectKey, source: &ObjectKey) -> Finding {
    Finding {
        id: "source-not-given",
        severity: Severity::of("source-not-given"),
        subject: automation(key),
        message: format!(
            "GitRepository {source} is not in the input: its ref and URL are not known"
        ),
        evidence: format!("spec.sourceRef names {source}"),
        remedy: "add its manifest with -f".into(),
    }
}
