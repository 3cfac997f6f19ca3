//! Where an automation's files come from: its source, its branches, its commits.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::controllers::automation::{self, AutomationFailure};
use crate::controllers::flux::{ImageRef, ImageUpdateAutomation};
use crate::controllers::refspec::Unusable;
use crate::facts::cluster::Kind;
use crate::facts::git::without_user_info;
use crate::failure::Failure;
use crate::findings;
use crate::io::git::{CloneError, CloneErrorKind};

use super::{Previewing, Stop};
use crate::pipeline::checkout::{Checkout, CheckoutFailure};
use crate::pipeline::commit;
use crate::pipeline::signer::Signer;
use crate::pipeline::stages::Preview;

impl Previewing<'_> {
    /// Tells where the files come from and which branches are read and written.
    pub(super) fn fill_source(
        &self,
        automation: &ImageUpdateAutomation,
        preview: &mut Preview,
    ) -> Result<(), Stop> {
        let inputs = self.inputs;
        let key = automation::source_key(automation)?;
        let blocked = inputs
            .automation_controller(automation)
            .is_some_and(|controller| controller.no_cross_namespace_refs);
        if blocked && key.namespace != automation.key.namespace {
            return Err(automation::source_access_denied(&key).into());
        }
        let source = inputs.objects.git_repositories.get(&key);
        if source.is_none() {
            if let Some(why) = inputs.objects.hidden(Kind::GitRepository, &key) {
                return Err(Failure::cluster(why).into());
            }
            if inputs.live {
                return Err(automation::source_missing(&key.name).into());
            }
            preview.notes.push(format!(
                "GitRepository {key} is not in the input: its ref and URL are not known"
            ));
            preview
                .findings
                .push(findings::automations::source_missing(&automation.key, &key));
        }
        preview.source.url = source.map(|source| without_user_info(&source.spec.url));
        let branches =
            automation::branches(automation, source, inputs.automation_rules(automation));
        // Without the GitRepository its ref may be what the automation leans on: that is not known, not a failure.
        let branches = match branches {
            Err(_) if source.is_none() => None,
            other => Some(other?),
        };
        preview.branches = branches;
        Ok(())
    }

    /// The files, or why there are none.
    pub(super) fn checkout(
        &self,
        automation: &ImageUpdateAutomation,
        preview: &mut Preview,
    ) -> Result<Arc<Checkout>, Stop> {
        let found = self.checkouts.of(&automation.key);
        // The controller reads the key before it clones, and after all other Secrets.
        if let Signer::Fails(failure) = self.checkouts.signer_of(&automation.key)
            && !matches!(
                found,
                Some(Err(
                    CheckoutFailure::Controllers(_) | CheckoutFailure::NoToken { .. }
                ))
            )
        {
            let finding = findings::automations::signing_key_invalid(&automation.key, failure);
            preview.findings.push(finding);
            return Err(failure.clone().into());
        }
        let checkout = match found {
            Some(Ok(checkout)) => Arc::clone(checkout),
            Some(Err(failure)) => return Err(stop(failure, automation, preview)),
            None => {
                let message = format!("the files of {} can't be had", preview.source.key);
                return Err(Failure::git(message).into());
            }
        };
        if let Some(why) = &checkout.users_own {
            preview.notes.push(format!(
                "GitRepository {}: {why}; it is cloned with your own git configuration",
                preview.source.key
            ));
        }
        if !checkout.tree.unreadable_paths.is_empty() {
            let paths = checkout.tree.unreadable_paths.join(", ");
            preview
                .notes
                .push(format!("paths that are not UTF-8 are not read: {paths}"));
        }
        Ok(checkout)
    }
}

fn stop(
    failure: &CheckoutFailure,
    automation: &ImageUpdateAutomation,
    preview: &mut Preview,
) -> Stop {
    match failure {
        CheckoutFailure::Controllers(failure) => failure.clone().into(),
        CheckoutFailure::Ours(failure) => failure.clone().into(),
        CheckoutFailure::Recorded {
            predicted: Some(failure),
            ours,
        } => {
            preview.troubles.extend(ours.clone());
            failure.clone().into()
        }
        CheckoutFailure::Recorded {
            predicted: None,
            ours,
        } => ours
            .clone()
            .unwrap_or_else(|| {
                let source = &preview.source.key;
                Failure::git(format!("the files of {source} could not be had"))
            })
            .into(),
        CheckoutFailure::NoToken {
            controllers,
            by_server,
            ours,
        } => {
            let ours = Failure {
                message: format!("GitRepository {}: {ours}", preview.source.key),
                ..ours.clone()
            };
            let Some(failure) = controllers else {
                return ours.into();
            };
            if *by_server {
                preview.troubles.push(ours);
            }
            failure.clone().into()
        }
        CheckoutFailure::Clone { error, users_own } => {
            clone_stop(error, users_own.as_deref(), automation, preview)
        }
    }
}

/// A clone that failed: the controller's failure too, unless it was our own doing or the login was not the controller's.
fn clone_stop(
    error: &CloneError,
    users_own: Option<&str>,
    automation: &ImageUpdateAutomation,
    preview: &mut Preview,
) -> Stop {
    let source = &preview.source.key;
    let listed_first = preview
        .branches
        .as_ref()
        .is_some_and(|branches| automation::lists_first(automation, branches, &images(preview)));
    if error.panics(listed_first) {
        return Failure::git(format!(
            "GitRepository {source}: {error}; the controller panics on it, is caught, and tries again: its Ready condition stays Unknown"
        ))
        .into();
    }
    let by_server = matches!(
        error.kind,
        CloneErrorKind::Refused
            | CloneErrorKind::Untrusted
            | CloneErrorKind::NoRepository
            | CloneErrorKind::ServerFailed
            | CloneErrorKind::Unreachable
            | CloneErrorKind::TimedOut
    );
    let ours = Failure::git(match users_own {
        Some(why) => format!(
            "GitRepository {source}: {error} (with your own git configuration, since {why})"
        ),
        None => format!("GitRepository {source}: {error}"),
    });
    match error.controller_text(listed_first) {
        Some(text) if !(by_server && users_own.is_some()) => {
            if by_server {
                preview.troubles.push(ours);
            }
            AutomationFailure::checkout_failed(&text).into()
        }
        _ => ours.into(),
    }
}

/// The latest images in scope by policy name.
fn images(preview: &Preview) -> BTreeMap<String, ImageRef> {
    preview
        .policies
        .iter()
        .map(|policy| (policy.key.name.clone(), policy.image.clone()))
        .collect()
}

/// Tells the commits, and whether the controller would end its run here.
pub(super) fn fill_commits(
    automation: &ImageUpdateAutomation,
    checkout: &Checkout,
    preview: &mut Preview,
) {
    let heads = checkout.heads();
    let head = match &heads {
        Some(heads) => Some(heads.checkout_commit.clone()),
        None => checkout.tree.commit.clone(),
    };
    preview.source.commit.clone_from(&head);
    preview.parent.clone_from(&checkout.tree.commit);
    preview.push_branch_exists = heads.as_ref().map(|heads| heads.push_branch_exists);
    let images = images(preview);
    let Some(branches) = &preview.branches else {
        return;
    };
    if branches.switched && heads.is_none() {
        let finding =
            findings::automations::push_branch_unknown(&automation.key, &branches.push_branch);
        preview
            .notes
            .push(format!("note[push-branch-unknown]: {}", finding.message));
        preview.findings.push(finding);
    }
    preview.skipped = automation::skipped(automation, branches, &images, head.as_deref());
    if let Some(cause) = &preview.skipped {
        let finding = findings::automations::update_skipped(&automation.key, cause);
        preview
            .notes
            .push(format!("note[update-skipped]: {}", finding.message));
        preview.findings.push(finding);
    }
}

/// A refspec that pushes nothing: the controller says so once the branch is pushed.
pub(super) fn check_refspec(
    checkout: &Checkout,
    forces: bool,
    preview: &mut Preview,
) -> Result<(), Stop> {
    let (Some(clone), Some(request), Some(branches)) =
        (&checkout.clone, &checkout.request, &preview.branches)
    else {
        return Ok(());
    };
    let Some(refspec) = branches.refspec.clone() else {
        return Ok(());
    };
    // The new commit has no id yet, and none of what is decided here hangs on it.
    match commit::refspec_pushes(branches, clone, request, forces, "new") {
        Ok(_) => Ok(()),
        Err(why) => {
            let finding = commit::refspec_finding(preview, &refspec, &why);
            preview.findings.push(finding);
            match why {
                // It fails with the next commit.
                _ if preview.files.is_empty() => Ok(()),
                Unusable::Fails(cause) => Err(automation::push_failed(&cause).into()),
                Unusable::Unknown(why) => Err(Failure::git(format!(
                    "refspec {refspec}: {why}: name one branch on its left side"
                ))
                .into()),
            }
        }
    }
}

/// A key that can be read and doesn't sign.
pub(super) fn check_signature(signer: &Signer, preview: &mut Preview) -> Result<(), Stop> {
    let Signer::FailsToSign(failure) = signer else {
        return Ok(());
    };
    let finding = findings::automations::signing_key_invalid(&preview.key, failure);
    preview.findings.push(finding);
    // Without a change nothing is signed.
    if preview.files.is_empty() {
        return Ok(());
    }
    Err(failure.clone().into())
}

/// A commit on a detached head can be made, but not pushed.
pub(super) fn check_push(checkout: &Checkout, preview: &mut Preview) -> Result<(), Stop> {
    let detached = checkout.heads().is_some_and(|heads| heads.branch.is_none());
    if !detached {
        return Ok(());
    }
    preview
        .findings
        .push(findings::automations::push_detached_head(&preview.key));
    // Without a change nothing is pushed.
    if preview.files.is_empty() {
        return Ok(());
    }
    Err(automation::push_of_detached_head().into())
}
