//! Having the controllers do it: what is asked of which objects in which order, and what they then did, beside the prediction taken
//! before.

use std::collections::BTreeSet;

use crate::controllers::automation;
use crate::controllers::flux::{ImageRef, ObjectKey};
use crate::controllers::repository;
use crate::controllers::requests::Handled;
use crate::facts::cluster::Kind;
use crate::failure::Failure;
use crate::findings::{self, Finding};
use crate::io::git::History;

use super::checkout::Checkouts;
use super::request::{Named, NamespaceScope, Request};
use super::session::Session;
use super::stages::{Decisions, Inputs, Preview, Recomputed, Scan, Scans};
use super::{decide, fetch, load, preview};

mod compare;
mod wave;

pub use compare::{Deed, Difference, PushFacts};
pub use wave::Waited;

/// What a run is about, and what the controllers are expected to do.
#[derive(Debug)]
pub struct Expectation {
    /// What was loaded.
    pub inputs: Inputs,
    /// The repositories to ask first.
    pub repositories: Vec<ObjectKey>,
    /// The policies to ask then.
    pub policies: Vec<ObjectKey>,
    /// What each automation, asked last, would do.
    pub previews: Vec<Preview>,
    /// Remarks for the user.
    pub notes: Vec<String>,
    scans: Scans,
    decisions: Decisions,
    checkouts: Checkouts,
}

/// How an object's turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The controller did what was predicted.
    AsPredicted,
    /// It did something else.
    Different,
    /// It does nothing with the object as it stands, and was not asked.
    Skipped,
    /// It did not answer in time.
    TimedOut,
    /// It was not asked, since one before it did not come to its end.
    NotAsked,
    /// What it did, or would do, can't be known from here.
    Unknown,
}

impl Verdict {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::AsPredicted => "asPredicted",
            Self::Different => "different",
            Self::Skipped => "skipped",
            Self::TimedOut => "timedOut",
            Self::NotAsked => "notAsked",
            Self::Unknown => "unknown",
        }
    }
}

/// One object's turn.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Its kind.
    pub kind: Kind,
    /// Namespace and name.
    pub key: ObjectKey,
    /// How it ended.
    pub verdict: Verdict,
    /// How long the controller took, where it answered.
    pub took: Option<std::time::Duration>,
    /// What the controller says.
    pub said: Option<Handled>,
    /// What was predicted, and what was done.
    pub predicted: Fact,
    /// What was done.
    pub actual: Fact,
    /// Where the two differ.
    pub differences: Vec<Difference>,
    /// What there is to say, in a few words.
    pub text: String,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Our failure to find out.
    pub failure: Option<Failure>,
}

/// What is predicted of an object, or what was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fact {
    /// Nothing is known.
    #[default]
    Unknown,
    /// A scan: how many tags, with which checksum.
    Scan {
        /// After exclusion.
        tags: u64,
        /// Of the tags.
        revision: String,
    },
    /// A policy's latest image.
    Latest(Option<ImageRef>),
    /// What became of an automation's run.
    Run(Deed),
}

/// Settles what is asked for, and predicts it.
///
/// # Errors
///
/// The cluster can't be asked, or doesn't have what is named.
pub fn expect(
    request: &Request,
    named: &[Named],
    session: &Session,
) -> Result<Expectation, Failure> {
    session.cluster()?;
    let mut inputs = load(request, session)?;
    let chosen = Chosen::of(&inputs, named, &request.objects.scope)?;
    inputs.recomputed = Recomputed::Only(chosen.recomputed(&inputs));
    inputs.automations = chosen.automations;
    let (scans, checkouts) = fetch(request, &inputs, session)?;
    let decisions = decide(request, &inputs, &scans, session)?;
    let previews = preview(request, &inputs, &decisions, &checkouts)?;
    Ok(Expectation {
        repositories: chosen.repositories.into_iter().collect(),
        policies: chosen.policies.into_iter().collect(),
        previews,
        notes: scans.notes.clone(),
        inputs,
        scans,
        decisions,
        checkouts,
    })
}

/// The objects of a run, those that others lean on included.
#[derive(Default)]
struct Chosen {
    repositories: BTreeSet<ObjectKey>,
    policies: BTreeSet<ObjectKey>,
    automations: Vec<ObjectKey>,
}

impl Chosen {
    fn of(inputs: &Inputs, named: &[Named], scope: &NamespaceScope) -> Result<Self, Failure> {
        let objects = &inputs.objects;
        let all = [Named::All(Kind::ImageUpdateAutomation)];
        let named = if named.is_empty() { &all[..] } else { named };
        let mut chosen = Self::default();
        for name in named {
            let before = chosen.count();
            let wanted = |kind: Kind, key: &&ObjectKey| {
                scope.includes(&key.namespace) && name.means(kind, &key.name)
            };
            let kind = Kind::ImageUpdateAutomation;
            let found = objects.automations.keys().filter(|key| wanted(kind, key));
            for key in found
                .filter(|key| !chosen.automations.contains(key))
                .cloned()
                .collect::<Vec<_>>()
            {
                chosen.automations.push(key);
            }
            let kind = Kind::ImagePolicy;
            let found = objects.policies.keys().filter(|key| wanted(kind, key));
            chosen.policies.extend(found.cloned());
            let kind = Kind::ImageRepository;
            let found = objects.repositories.keys().filter(|key| wanted(kind, key));
            chosen.repositories.extend(found.cloned());
            if chosen.count() == before && !matches!(name, Named::All(_)) {
                return Err(Failure::cluster(format!(
                    "there is no {name} in the cluster"
                )));
            }
        }
        chosen.lean(inputs);
        Ok(chosen)
    }

    fn count(&self) -> usize {
        self.repositories.len() + self.policies.len() + self.automations.len()
    }

    /// The policies to predict: those that are asked, and those by which the tags of a repository are looked at.
    fn recomputed(&self, inputs: &Inputs) -> BTreeSet<ObjectKey> {
        let policies = inputs.objects.policies.values();
        let looking = policies.filter(|policy| {
            let reference = &policy.spec.image_repository_ref;
            let repository = reference.key_from(&policy.key.namespace);
            self.repositories.contains(&repository)
        });
        let looking = looking.map(|policy| policy.key.clone());
        self.policies.iter().cloned().chain(looking).collect()
    }

    /// Adds the policies of the automations and the repositories of the policies.
    fn lean(&mut self, inputs: &Inputs) {
        let objects = &inputs.objects;
        for key in &self.automations {
            let Some(automation) = objects.automations.get(key) else {
                continue;
            };
            let selector = automation.spec.policy_selector.as_ref();
            let selected = objects.policies.values().filter(|policy| {
                policy.key.namespace == key.namespace
                    && automation::selector_matches(selector, &policy.labels) == Ok(true)
            });
            self.policies
                .extend(selected.map(|policy| policy.key.clone()));
        }
        for key in &self.policies {
            let Some(policy) = objects.policies.get(key) else {
                continue;
            };
            let repository = policy.spec.image_repository_ref.key_from(&key.namespace);
            if objects.repositories.contains_key(&repository) {
                self.repositories.insert(repository);
            }
        }
    }
}

impl Expectation {
    /// Asks for a scan of every repository, and waits.
    ///
    /// # Errors
    ///
    /// The cluster can't be asked, or forbids to annotate.
    pub fn scan(&self, session: &Session) -> Result<Vec<Turn>, Failure> {
        let kind = Kind::ImageRepository;
        let (asked, mut turns) = self.split(kind, &self.repositories);
        for waited in wave::wave(kind, &asked, session)? {
            let key = waited.key.clone();
            let mut turn = turn(kind, key.clone());
            turn.predicted = match self.scans.repositories.get(&key) {
                Some(Scan::Tags { stored, .. }) => Fact::Scan {
                    tags: u64::try_from(stored.len()).unwrap_or(u64::MAX),
                    revision: repository::revision(stored),
                },
                _ => Fact::Unknown,
            };
            let before = self.inputs.objects.repositories.get(&key);
            let before = before.and_then(|before| before.status.last_scan_result.clone());
            wave::judge_scan(&waited, before.as_ref(), self.failing_scan(&key), &mut turn);
            turns.push(turn);
        }
        Ok(turns)
    }

    /// Asks every policy to choose anew, and waits.
    ///
    /// # Errors
    ///
    /// The cluster can't be asked, or forbids to annotate.
    pub fn choose(&self, session: &Session) -> Result<Vec<Turn>, Failure> {
        let kind = Kind::ImagePolicy;
        let (asked, mut turns) = self.split(kind, &self.policies);
        for waited in wave::wave(kind, &asked, session)? {
            let key = waited.key.clone();
            let mut turn = turn(kind, key.clone());
            let decision = self.decisions.policies.get(&key);
            if let Some(decision) = decision.filter(|decision| decision.unknown.is_none()) {
                let latest = decision.latest.as_ref().map(|(image, _)| image.clone());
                turn.predicted = Fact::Latest(latest);
            }
            let failure = decision.and_then(|decision| decision.failure.clone());
            let live = decision.and_then(|decision| decision.live.clone());
            wave::judge_choice(&waited, live.as_ref(), failure, &mut turn);
            turns.push(turn);
        }
        Ok(turns)
    }

    /// Asks every automation to run, waits, and reads what was pushed.
    ///
    /// # Errors
    ///
    /// The cluster can't be asked, or forbids to annotate.
    pub fn run(&self, session: &Session) -> Result<Vec<Turn>, Failure> {
        let kind = Kind::ImageUpdateAutomation;
        let keys: Vec<ObjectKey> = self
            .previews
            .iter()
            .map(|preview| preview.key.clone())
            .collect();
        let (asked, mut turns) = self.split(kind, &keys);
        for waited in wave::wave(kind, &asked, session)? {
            let mut turn = turn(kind, waited.key.clone());
            let preview = self
                .previews
                .iter()
                .find(|preview| preview.key == waited.key);
            if let Some(preview) = preview {
                self.judge_run(preview, &waited, session, &mut turn);
            }
            turns.push(turn);
        }
        Ok(turns)
    }

    /// Those of `keys` that their controller acts on, and the turns of the others.
    fn split(&self, kind: Kind, keys: &[ObjectKey]) -> (Vec<ObjectKey>, Vec<Turn>) {
        let mut asked = Vec::new();
        let mut turns = Vec::new();
        for key in keys {
            match self.left_alone(kind, key) {
                None => asked.push(key.clone()),
                Some((text, finding)) => {
                    let mut turn = turn(kind, key.clone());
                    turn.verdict = Verdict::Skipped;
                    turn.text = text;
                    turn.findings.extend(finding);
                    turns.push(turn);
                }
            }
        }
        (asked, turns)
    }

    /// Why a controller does nothing with an object as it stands.
    fn left_alone(&self, kind: Kind, key: &ObjectKey) -> Option<(String, Option<Finding>)> {
        let objects = &self.inputs.objects;
        let installation = &self.inputs.installation;
        let (suspended, deleted, watched, word) = match kind {
            Kind::ImageRepository => {
                let object = objects.repositories.get(key)?;
                let watched = installation
                    .reflector(&key.namespace, &object.labels)
                    .is_some();
                (object.spec.suspend, object.deleted, watched, "repository")
            }
            Kind::ImagePolicy => {
                let object = objects.policies.get(key)?;
                let watched = installation
                    .reflector(&key.namespace, &object.labels)
                    .is_some();
                (object.spec.suspend, object.deleted, watched, "policy")
            }
            _ => {
                let object = objects.automations.get(key)?;
                let watched = installation
                    .automation(&key.namespace, &object.labels)
                    .is_some();
                (object.spec.suspend, object.deleted, watched, "update")
            }
        };
        if suspended {
            let text = format!(
                "suspended, so that its controller does nothing: flux resume image {word} {} -n {}",
                key.name, key.namespace
            );
            return Some((text, Some(findings::policies::suspended(kind.name(), key))));
        }
        if deleted {
            return Some((
                "is being deleted, and its controller does nothing with it".into(),
                None,
            ));
        }
        (!watched).then(|| {
            (
                "no controller watches it (--watch-label-selector)".into(),
                None,
            )
        })
    }

    fn failing_scan(&self, key: &ObjectKey) -> Option<&str> {
        match self.scans.repositories.get(key) {
            Some(Scan::Failed(failure)) => Some(&failure.message),
            _ => None,
        }
    }

    fn judge_run(&self, preview: &Preview, waited: &Waited, session: &Session, turn: &mut Turn) {
        turn.predicted = predicted_run(preview);
        let Some(said) = wave::handled(waited, turn) else {
            return;
        };
        let before = self.inputs.objects.automations.get(&preview.key);
        let before = before.map(|before| before.status.last_push_commit.clone());
        let pushed = waited.object["status"]["lastPushCommit"].as_str();
        let pushed = pushed.filter(|pushed| Some(*pushed) != before.as_deref());
        turn.actual = match pushed {
            Some(commit) => match self.pushed(preview, commit, session) {
                Ok(facts) => Fact::Run(Deed::Pushed(Box::new(facts))),
                Err(failure) => {
                    turn.failure = Some(failure);
                    Fact::Unknown
                }
            },
            None if said.ready => Fact::Run(Deed::Nothing),
            None => Fact::Run(Deed::Failed {
                reason: said.reason.clone(),
                message: said.message.clone(),
            }),
        };
        compare::judge(preview, turn);
    }

    /// What the controller pushed, read from the server.
    fn pushed(
        &self,
        preview: &Preview,
        commit: &str,
        session: &Session,
    ) -> Result<PushFacts, Failure> {
        let unseen = || {
            Failure::git(format!(
                "{}: commit {commit} was pushed, and can't be read from here",
                preview.key
            ))
        };
        let Some(Ok(checkout)) = self.checkouts.of(&preview.key) else {
            return Err(unseen());
        };
        let (Some(request), Some(clone)) = (&checkout.request, &checkout.clone) else {
            return Err(unseen());
        };
        let branch = clone.branch.as_deref().ok_or_else(unseen)?;
        let history = History::fetch(request, branch, &session.observer);
        let history = history.map_err(|error| Failure::git(error.to_string()))?;
        compare::read(&history, branch, commit, preview.parent.as_deref()).ok_or_else(unseen)
    }
}

fn predicted_run(preview: &Preview) -> Fact {
    if let Some(error) = &preview.error {
        return Fact::Run(Deed::Failed {
            reason: error.reason.to_owned(),
            message: error.message.clone(),
        });
    }
    if preview.unknown.is_some() {
        return Fact::Unknown;
    }
    if preview.files.is_empty() || preview.skipped.is_some() {
        return Fact::Run(Deed::Nothing);
    }
    Fact::Run(Deed::Pushed(Box::new(compare::predicted(preview))))
}

fn turn(kind: Kind, key: ObjectKey) -> Turn {
    Turn {
        kind,
        key,
        verdict: Verdict::Unknown,
        took: None,
        said: None,
        predicted: Fact::Unknown,
        actual: Fact::Unknown,
        differences: Vec::new(),
        text: String::new(),
        findings: Vec::new(),
        failure: None,
    }
}

/// The turns of objects whose turn does not come, since one before them did not come to its end.
pub fn not_asked(kind: Kind, keys: impl IntoIterator<Item = ObjectKey>) -> Vec<Turn> {
    keys.into_iter()
        .map(|key| Turn {
            verdict: Verdict::NotAsked,
            text: "not asked, since what it leans on was not done".into(),
            ..turn(kind, key)
        })
        .collect()
}
