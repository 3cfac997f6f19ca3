//! The whole chain from an image to the pods that run it, with a verdict at every step: the pipeline's stages, retold.

mod automation;
mod chain;
mod delivery;
mod follow;
mod ladder;
pub(super) mod observe;
mod policy;
pub(super) mod running;
mod step;
mod subject;
mod tags;

use std::collections::BTreeSet;

use crate::controllers::automation::AutomationFailure;
use crate::controllers::flux::{ImageRef, ObjectKey};
use crate::controllers::policy::Counts;
use crate::facts::cluster::Objects;
use crate::failure::Failure;

use super::checkout::Checkouts;
use super::request::Request;
use super::session::Session;
use super::stages::{Decisions, ImageOrigin, Inputs, Preview, Recomputed, Scans};
use super::{decide, fetch, load, preview};
use chain::Chains;
use observe::Delivered;
use subject::Aim;

pub use follow::{Followed, follow};
pub use ladder::Rung;
pub use step::{Snippet, Step, StepKind, StepVerdict};
pub use subject::Subject;
pub use tags::ExplainedTag;

/// What is to be explained, and how far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainRequest {
    /// What the user named; empty: everything in scope.
    pub subjects: Vec<Subject>,
    /// One tag that is asked about.
    pub tag: Option<String>,
    /// Whether every tag is asked about.
    pub all_tags: bool,
    /// Whether the ladder of the tags is wanted, where one policy is explained.
    pub ladder: bool,
}

/// What there is to say of everything that was named.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// The kubeconfig's context; none offline.
    pub context: Option<String>,
    /// A chain for each policy, by key.
    pub policies: Vec<PolicyChain>,
    /// A chain for each automation that was named, by key.
    pub automations: Vec<AutomationChain>,
    /// What was named and isn't there, and what we could not find out.
    pub failures: Vec<Failure>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// The chain of one policy.
#[derive(Clone, Debug)]
pub struct PolicyChain {
    /// The policy.
    pub key: ObjectKey,
    /// Its ImageRepository, which may not be there.
    pub repository: RepositoryNames,
    /// What is recomputed; none also where it is not deterministic.
    pub latest: Option<(ImageRef, ImageOrigin)>,
    /// Every tag that can win, sorted.
    pub candidates: Vec<String>,
    /// The controller's failure, as reason and message.
    pub error: Option<(String, String)>,
    /// How many tags the registry lists and how many of them are excluded, where that is known.
    pub listed: Option<(usize, usize)>,
    /// How many tags are left after the filter and in the order.
    pub counts: Option<Counts>,
    /// The checksum of the tags as the controller would give it.
    pub revision: Option<String>,
    /// What the status says; none offline.
    pub live: Option<LivePolicy>,
    /// The steps, in the order of the chain; several of a kind where automations or markers are several.
    pub steps: Vec<Step>,
    /// The tags that were asked about.
    pub tags: Vec<ExplainedTag>,
    /// The tags that matter in the policy's order, where that is wanted and the policy gets so far.
    pub ladder: Vec<Rung>,
}

impl PolicyChain {
    /// Whether no run of the controller would choose differently.
    pub fn is_deterministic(&self) -> bool {
        self.candidates.len() <= 1
    }
}

/// What an ImageRepository is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryNames {
    /// Namespace and name.
    pub key: ObjectKey,
    /// `spec.image`.
    pub image: Option<String>,
    /// The canonical image name.
    pub canonical: Option<String>,
}

/// What a policy's status says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivePolicy {
    /// `status.latestRef`
    pub latest: Option<ImageRef>,
    /// `True`, `False`, `Unknown`, or empty.
    pub ready: String,
    /// The condition's reason.
    pub reason: String,
    /// The condition's message.
    pub message: String,
}

/// The chain of one automation, with all its policies.
#[derive(Clone, Debug)]
pub struct AutomationChain {
    /// The automation.
    pub key: ObjectKey,
    /// The steps, from the automation on.
    pub steps: Vec<Step>,
    /// The policies that it reads.
    pub policies: Vec<ObjectKey>,
    /// The controller's failure.
    pub error: Option<AutomationFailure>,
}

/// Explains what `wanted` names.
///
/// # Errors
///
/// The cluster can't be asked, the recording can't be read, or a file, a workload or a flag makes no sense. What is named and
/// isn't there stands in the result.
pub fn explain(
    request: &Request,
    wanted: &ExplainRequest,
    session: &Session,
) -> Result<Explanation, Failure> {
    let located = subject::locate(&wanted.subjects, &request.objects, session)?;
    let request = Request {
        objects: subject::widened(&located, &request.objects),
        ..request.clone()
    };
    let loaded = load(&request, session)?;
    let aim = subject::settle(located, &loaded, &request.objects);
    let inputs = narrowed(loaded, &aim);
    let (scans, checkouts) = fetch(&request, &inputs, session)?;
    let decisions = decide(&request, &inputs, &scans, session)?;
    let previews = preview(&request, &inputs, &decisions, &checkouts)?;
    let delivered = delivered(&inputs, &aim, &previews, session)?;
    let grounds = Grounds {
        request: &request,
        wanted,
        inputs: &inputs,
        scans: &scans,
        decisions: &decisions,
        previews: &previews,
        checkouts: &checkouts,
        delivered: &delivered.objects,
        aim: &aim,
        session,
    };
    let mut explanation = Chains::new(&grounds).explanation();
    explanation.context = session.context().map(str::to_owned);
    explanation.notes.splice(..0, notes(&inputs, &scans));
    explanation.notes.extend(delivered.notes.iter().cloned());
    let problems = inputs.problems.iter();
    explanation
        .failures
        .extend(problems.map(|problem| Failure::invalid_input(problem.to_string())));
    Ok(explanation)
}

fn notes(inputs: &Inputs, scans: &Scans) -> Vec<String> {
    inputs.notes.iter().chain(&scans.notes).cloned().collect()
}

/// Everything that the chains are told from.
struct Grounds<'a> {
    request: &'a Request,
    wanted: &'a ExplainRequest,
    inputs: &'a Inputs,
    scans: &'a Scans,
    decisions: &'a Decisions,
    previews: &'a [Preview],
    checkouts: &'a Checkouts,
    delivered: &'a Objects,
    aim: &'a Aim,
    session: &'a Session,
}

/// The same objects, with the automations that matter, and no more policies recomputed than asked for: the others count with
/// what the automation controller reads this second.
fn narrowed(loaded: Inputs, aim: &Aim) -> Inputs {
    let policies: BTreeSet<ObjectKey> = aim.policies.union(&aim.candidates).cloned().collect();
    let namespaces: BTreeSet<&str> = policies.iter().map(|key| key.namespace.as_str()).collect();
    let matters = |key: &&ObjectKey| {
        aim.everything
            || !aim.files.is_empty()
            || aim.automations.contains(*key)
            || namespaces.contains(key.namespace.as_str())
    };
    let automations = loaded.automations.iter().filter(matters).cloned().collect();
    let mut recomputed = policies.clone();
    if aim.everything || !aim.automations.is_empty() {
        // What an automation that was named would push hangs on all of its policies.
        let read = |key: &&ObjectKey| {
            let mut automations = aim.automations.iter();
            automations.any(|automation| automation.namespace == key.namespace)
        };
        recomputed.extend(loaded.objects.policies.keys().filter(read).cloned());
    }
    Inputs {
        automations,
        recomputed: Recomputed::Only(recomputed),
        ..loaded
    }
}

/// What kustomize-controller and helm-controller have made of it, where a cluster can be asked and something can have got so far.
fn delivered(
    inputs: &Inputs,
    aim: &Aim,
    previews: &[Preview],
    session: &Session,
) -> Result<Delivered, Failure> {
    let sources: BTreeSet<ObjectKey> = previews
        .iter()
        .filter(|preview| !preview.markers.located.is_empty())
        .map(|preview| preview.source.key.clone())
        .collect();
    if !inputs.live || (sources.is_empty() && aim.workloads.is_empty()) {
        return Ok(Delivered::default());
    }
    observe::delivered(&sources, &aim.workloads, session)
}
