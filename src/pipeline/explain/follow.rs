//! One tag, followed to the pods: the objects are read again and again, and what changes is told.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::controllers::automation::{self, selector_matches};
use crate::controllers::conditions::readiness;
use crate::controllers::delivery;
use crate::controllers::flux::{ImagePolicy, ImageRef, ImageUpdateAutomation, ObjectKey};
use crate::controllers::schedule::{self, NextScan, moment};
use crate::facts::cluster::{Kind, Objects};
use crate::failure::{Failure, FailureKind};
use crate::go::age;
use crate::io::cluster::{Cluster, Scope};
use crate::pipeline::live::Reading;
use crate::pipeline::session::Session;

use super::delivery::Hops;
use super::observe;
use super::step::{Step, StepKind, StepVerdict};

/// How often the cluster is asked.
const PAUSE: Duration = Duration::from_secs(1);

/// How a tag was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// It has arrived in everything that runs the image.
    Arrived,
    /// It is applied, and nothing that is seen runs the image.
    Applied,
    /// The time was up before.
    TimeUp,
}

/// Follows the image `latest` of a policy until it runs, and tells each step whenever it changes.
///
/// # Errors
///
/// The cluster can't be asked, or the policy isn't there.
pub fn follow(
    policy: &ObjectKey,
    latest: &ImageRef,
    session: &Session,
    tell: &mut dyn FnMut(&Step),
) -> Result<Followed, Failure> {
    let cluster = session.cluster()?;
    let mut told: Vec<Step> = Vec::new();
    loop {
        let now = session.moment();
        let view = session.wait(
            FailureKind::Cluster,
            "reading the cluster",
            read(policy, cluster),
        );
        let view = match view {
            Err(_) if session.left().is_zero() => return Ok(Followed::TimeUp),
            view => view??,
        };
        let steps = view.steps(policy, latest, now)?;
        for step in &steps {
            if !told.iter().any(|before| is_same(before, step)) {
                tell(step);
            }
        }
        if let Some(end) = ended(&steps) {
            return Ok(end);
        }
        told = steps;
        if !session.pause(PAUSE) {
            return Ok(Followed::TimeUp);
        }
    }
}

/// Ages change without anything having happened.
fn is_same(one: &Step, other: &Step) -> bool {
    one.kind == other.kind
        && one.verdict == other.verdict
        && one.since == other.since
        && (one.text == other.text || one.verdict != StepVerdict::Stuck)
        && one.due.is_some() == other.due.is_some()
}

fn ended(steps: &[Step]) -> Option<Followed> {
    let all = |kind: StepKind| {
        let mut of_kind = steps.iter().filter(|step| step.kind == kind).peekable();
        of_kind.peek().is_some() && of_kind.all(|step| step.verdict == StepVerdict::Ok)
    };
    if all(StepKind::Running) {
        return Some(Followed::Arrived);
    }
    let runs_somewhere = steps
        .iter()
        .any(|step| step.kind == StepKind::Running && step.verdict != StepVerdict::Unknown);
    let applied = [
        StepKind::Policy,
        StepKind::Automation,
        StepKind::Source,
        StepKind::Applied,
    ];
    (!runs_somewhere && applied.into_iter().all(all)).then_some(Followed::Applied)
}

/// What one look at the cluster gave.
struct View {
    objects: Objects,
    delivered: Objects,
}

async fn read(policy: &ObjectKey, cluster: &Cluster) -> Result<View, Failure> {
    let mut reading = Reading::default();
    let namespace = Scope::Namespace(&policy.namespace);
    let wanted = BTreeSet::from([(Kind::ImagePolicy, policy.clone())]);
    let (automations, policies) = tokio::join!(
        cluster.list(Kind::ImageUpdateAutomation, namespace, None),
        reading.get(cluster, wanted),
    );
    policies?;
    reading.list(Kind::ImageUpdateAutomation, namespace, automations)?;
    let automations = reading.objects.automations.values();
    let sources: BTreeSet<ObjectKey> = automations
        .filter_map(|automation| automation::source_key(automation).ok())
        .collect();
    let repository = reading.objects.policies.get(policy).map(|policy| {
        let reference = &policy.spec.image_repository_ref;
        let key = reference.key_from(&policy.key.namespace);
        (Kind::ImageRepository, key)
    });
    let mut wanted: BTreeSet<(Kind, ObjectKey)> = sources
        .iter()
        .map(|source| (Kind::GitRepository, source.clone()))
        .collect();
    wanted.extend(repository);
    let delivered = observe::read(&sources, &[], cluster);
    let (read, delivered) = tokio::join!(reading.get(cluster, wanted), delivered);
    read?;
    Ok(View {
        objects: reading.objects,
        delivered: delivered?.objects,
    })
}

impl View {
    fn steps(
        &self,
        key: &ObjectKey,
        latest: &ImageRef,
        now: Timestamp,
    ) -> Result<Vec<Step>, Failure> {
        let Some(policy) = self.objects.policies.get(key) else {
            return Err(Failure::cluster(
                match self.objects.hidden(Kind::ImagePolicy, key) {
                    Some(why) => why.to_owned(),
                    None => format!("there is no ImagePolicy {key} in the cluster any more"),
                },
            ));
        };
        let mut steps = vec![self.policy(policy, latest, now)];
        for automation in self.objects.automations.values() {
            let selector = automation.spec.policy_selector.as_ref();
            if selector_matches(selector, &policy.labels).unwrap_or(true) {
                steps.extend(self.automation(automation, policy, latest, now));
            }
        }
        Ok(steps)
    }

    fn policy(&self, policy: &ImagePolicy, latest: &ImageRef, now: Timestamp) -> Step {
        let kind = StepKind::Policy;
        let state = readiness(&policy.status.conditions);
        let says = match policy.status.latest() {
            Some(live) if live.tag == latest.tag => {
                return Step::ok(kind, format!("the status says {live}"))
                    .since(moment(state.since));
            }
            Some(live) => format!("the status says {live}"),
            None => "the status has no latest image".into(),
        };
        let reference = &policy.spec.image_repository_ref;
        let repository = self
            .objects
            .repositories
            .get(&reference.key_from(&policy.key.namespace));
        let next = repository.map(|repository| schedule::next_scan(repository, now));
        let (text, due) = match next {
            Some(NextScan::At(next)) => (
                format!("{says}; next scan in {}", age::until(next, now)),
                Some(next),
            ),
            _ => (says, None),
        };
        if state.ready == "False" && !state.reason.is_empty() {
            let text = format!("{text}; {}: {}", state.reason, state.message);
            return Step::stuck(kind, "policy-stuck-on-old-tag", text).since(moment(state.since));
        }
        Step::new(kind, StepVerdict::Waiting, text).due(due)
    }

    fn automation(
        &self,
        automation: &ImageUpdateAutomation,
        policy: &ImagePolicy,
        latest: &ImageRef,
        now: Timestamp,
    ) -> Vec<Step> {
        let taken = taken(automation, policy, latest, now);
        let goes_on = taken.verdict == StepVerdict::Ok;
        let mut steps = vec![taken];
        let Ok(source) = automation::source_key(automation) else {
            return steps;
        };
        let hops = Hops {
            sources: &self.objects.git_repositories,
            delivered: &self.delivered,
            named: &[],
            now,
        };
        let holding = hops.behind_image(&source, &latest.name);
        if goes_on {
            steps.push(self.fetched(automation, &source, now));
            steps.extend(hops.applied_by(&holding, &source, &latest.name));
        }
        // A tag can also arrive in another way than through this automation.
        steps.extend(hops.running_behind(&holding, latest));
        steps
    }

    /// Whether source-controller has what the automation pushed, or something newer.
    fn fetched(
        &self,
        automation: &ImageUpdateAutomation,
        source: &ObjectKey,
        now: Timestamp,
    ) -> Step {
        let kind = StepKind::Source;
        let found = self.objects.git_repositories.get(source);
        let Some(artifact) = found.and_then(|source| source.status.artifact.as_ref()) else {
            let text = format!("GitRepository {source} has no artifact that can be seen");
            return Step::new(kind, StepVerdict::Unknown, text);
        };
        let status = &automation.status;
        let pushed = moment(status.last_push_time.as_deref().unwrap_or_default());
        let fetched = moment(&artifact.last_update_time);
        let commit = delivery::commit_of(&artifact.revision).unwrap_or(&artifact.revision);
        let has = format!("{source} has {}", commit.get(..7).unwrap_or(commit));
        let is_newer = pushed
            .zip(fetched)
            .is_none_or(|(pushed, fetched)| fetched >= pushed);
        if status.last_push_commit.is_empty() || status.last_push_commit == commit || is_newer {
            return Step::ok(kind, has).since(fetched);
        }
        let waits = pushed.map_or_else(String::new, |pushed| {
            format!(" for {}", age::since(pushed, now))
        });
        let short = status.last_push_commit.get(..7).unwrap_or_default();
        let text = format!("{has}, {short} waits{waits} to be fetched, or to be merged");
        Step::new(kind, StepVerdict::Waiting, text).since(fetched)
    }
}

/// Whether an automation has run with the image.
fn taken(
    automation: &ImageUpdateAutomation,
    policy: &ImagePolicy,
    latest: &ImageRef,
    now: Timestamp,
) -> Step {
    let kind = StepKind::Automation;
    let key = &automation.key;
    let status = &automation.status;
    let state = readiness(&status.conditions);
    let observed = status.observed_policies.as_ref();
    let ran_with = observed.and_then(|observed| observed.get(&policy.key.name));
    let fails = state.ready == "False" && !state.reason.is_empty();
    if ran_with.is_some_and(|image| image.tag == latest.tag) && !fails {
        let pushed = moment(status.last_push_time.as_deref().unwrap_or_default());
        let commit = status.last_push_commit.get(..7);
        let text = match commit.zip(pushed) {
            Some((commit, _)) => format!("{key} has run with it; it pushed {commit}"),
            None => format!("{key} has run with it, and pushed nothing"),
        };
        return Step::ok(kind, text).since(pushed);
    }
    if automation.spec.suspend {
        let finding = crate::findings::policies::suspended("ImageUpdateAutomation", key);
        let text = format!("{key} is suspended");
        return Step::stuck(kind, finding.id, text).remedy(finding.remedy);
    }
    if fails {
        let text = format!("{key}: {}: {}", state.reason, state.message);
        return Step::stuck(kind, "update-fails", text).since(moment(state.since));
    }
    let due = schedule::next_run(automation).filter(|due| *due > now);
    let when = due.map_or_else(String::new, |due| {
        format!(", and runs in {} at the latest", age::until(due, now))
    });
    Step::new(
        kind,
        StepVerdict::Waiting,
        format!("{key} has not run with it{when}"),
    )
    .due(due)
}
