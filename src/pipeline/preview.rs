//! The last two stages: the files as the automation would leave them, and the commit that would hold them.

mod commit;
mod rewrite;
mod source;

use crate::controllers::automation::{self, AutomationFailure};
use crate::controllers::flux::{ImageUpdateAutomation, ObjectKey};
use crate::controllers::policy::Outcome;
use crate::facts::cluster::Kind;
use crate::failure::{Failure, FailureKind};
use crate::findings;

use super::checkout::Checkouts;
use super::downgrade::downgrades;
use super::request::Request;
use super::stages::{
    Decisions, Inputs, PolicyDecision, PolicyInUse, PolicyWithoutLatest, Preview, Source,
};

/// What all previews of a run are made from.
struct Previewing<'a> {
    request: &'a Request,
    inputs: &'a Inputs,
    decisions: &'a Decisions,
    checkouts: &'a Checkouts,
}

/// Previews every automation of the run, in order.
///
/// # Errors
///
/// A flag makes no sense for one of them.
pub fn preview(
    request: &Request,
    inputs: &Inputs,
    decisions: &Decisions,
    checkouts: &Checkouts,
) -> Result<Vec<Preview>, Failure> {
    let previewing = Previewing {
        request,
        inputs,
        decisions,
        checkouts,
    };
    inputs
        .automations
        .iter()
        .map(|key| previewing.one(key))
        .collect()
}

impl Previewing<'_> {
    fn one(&self, key: &ObjectKey) -> Result<Preview, Failure> {
        let Some(automation) = self.inputs.objects.automations.get(key) else {
            return Err(Failure::invalid_input(format!(
                "ImageUpdateAutomation {key} is not in the input"
            )));
        };
        let mut preview = empty(automation);
        match self.fill(automation, &mut preview) {
            Ok(()) => {}
            Err(Stop::Predicted(failure)) => preview.error = Some(failure),
            Err(Stop::Unknown(failure)) if failure.kind == FailureKind::Usage => {
                return Err(failure);
            }
            Err(Stop::Unknown(failure)) => preview.unknown = Some(failure),
        }
        Ok(preview)
    }

    fn fill(&self, automation: &ImageUpdateAutomation, preview: &mut Preview) -> Result<(), Stop> {
        preview.notes.extend(self.left_alone(automation));
        if automation.spec.suspend {
            preview.findings.push(findings::policies::suspended(
                "ImageUpdateAutomation",
                &automation.key,
            ));
        }
        self.fill_policies(automation, preview)?;
        self.fill_source(automation, preview)?;
        let checkout = self.checkout(automation, preview)?;
        source::fill_commits(automation, &checkout, preview);
        automation::check_strategy(automation)?;
        let mut run = rewrite::run(self.request, automation, &checkout, preview)?;
        rewrite::fill_markers(self.inputs, automation, &checkout, &mut run, preview);
        commit::fill_message(self.request, self.inputs, automation, &run, preview)?;
        commit::fill_files(&checkout, run, preview)?;
        preview.findings.extend(downgrades(self.inputs, preview));
        source::check_signature(self.checkouts.signer_of(&automation.key), preview)?;
        source::check_push(&checkout, preview)?;
        let controller = self.inputs.automation_controller(automation);
        let forces =
            controller.is_none_or(|controller| controller.gate("GitForcePushBranch", true));
        source::check_refspec(&checkout, forces, preview)
    }

    /// Why the controller does nothing with the automation as it stands.
    fn left_alone(&self, automation: &ImageUpdateAutomation) -> Vec<String> {
        let key = &automation.key;
        let installation = &self.inputs.installation;
        let watched = installation.automation(&key.namespace, &automation.labels);
        let reasons = [
            (
                automation.deleted,
                "the automation is being deleted: this is what it would do if it stayed",
            ),
            (
                watched.is_none(),
                "no image-automation-controller watches the automation (--watch-label-selector): this is what one would do",
            ),
            (
                automation.spec.suspend,
                "the automation is suspended: this is what it would do if it were resumed",
            ),
            (
                watched.is_some_and(|controller| controller.gate("GitSparseCheckout", false)),
                "the controller's gate GitSparseCheckout is on, which is not repeated: it may see fewer files",
            ),
        ];
        let true_ones = reasons.iter().filter(|(holds, _)| *holds);
        true_ones.map(|(_, reason)| (*reason).to_owned()).collect()
    }

    fn fill_policies(
        &self,
        automation: &ImageUpdateAutomation,
        preview: &mut Preview,
    ) -> Result<(), Stop> {
        let inputs = self.inputs;
        let namespace = &automation.key.namespace;
        if let Some(why) = inputs.objects.hidden_in(Kind::ImagePolicy, namespace) {
            return Err(Failure::cluster(why).into());
        }
        for (key, decision) in &self.decisions.policies {
            let Some(policy) = inputs
                .objects
                .policies
                .get(key)
                .filter(|policy| policy.key.namespace == automation.key.namespace)
            else {
                continue;
            };
            if !automation::selector_matches(
                automation.spec.policy_selector.as_ref(),
                &policy.labels,
            )? {
                continue;
            }
            preview.notes.extend(decision.notes.iter().cloned());
            preview.findings.extend(decision.findings.iter().cloned());
            match &decision.latest {
                Some((image, origin)) => preview.policies.push(PolicyInUse {
                    key: key.clone(),
                    image: image.clone(),
                    origin: *origin,
                }),
                None => preview.without_latest.push(PolicyWithoutLatest {
                    key: key.clone(),
                    why: why_without(decision),
                    is_unknown: decision.unknown.is_some(),
                }),
            }
            preview.troubles.extend(decision.trouble.clone());
            if let Some(failure) = &decision.unknown {
                preview.unknown.get_or_insert_with(|| failure.clone());
            }
        }
        Ok(())
    }
}

fn empty(automation: &ImageUpdateAutomation) -> Preview {
    Preview {
        key: automation.key.clone(),
        update_path: automation.spec.update.path.clone(),
        source: Source {
            key: automation
                .spec
                .source_ref
                .key_from(&automation.key.namespace),
            url: None,
            commit: None,
        },
        author: automation::author(automation),
        parent: None,
        push_branch_exists: None,
        branches: None,
        policies: Vec::new(),
        without_latest: Vec::new(),
        message: None,
        error: None,
        unknown: None,
        troubles: Vec::new(),
        skipped: None,
        files: Vec::new(),
        markers: Default::default(),
        problem_files: Vec::new(),
        findings: Vec::new(),
        notes: Vec::new(),
    }
}

/// Why a preview ends early.
enum Stop {
    /// The controller would fail.
    Predicted(AutomationFailure),
    /// We could not find out.
    Unknown(Failure),
}

impl From<AutomationFailure> for Stop {
    fn from(failure: AutomationFailure) -> Self {
        Self::Predicted(failure)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Unknown(failure)
    }
}

fn why_without(decision: &PolicyDecision) -> String {
    if let Some(failure) = &decision.unknown {
        return failure.to_string();
    }
    if let Some((_, message)) = &decision.failure {
        return message.clone();
    }
    match &decision.decision {
        Some(decision) if matches!(decision.outcome, Outcome::NotDeterministic { .. }) => {
            "the choice is not deterministic".into()
        }
        _ => "its status has no latest image".into(),
    }
}
