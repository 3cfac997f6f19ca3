//! Checkouts and signers, recorded and given again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::controllers::automation::AutomationFailure;
use crate::controllers::conditions;
use crate::controllers::flux::ObjectKey;
use crate::facts::git::{TreeEntry, WorkTree};
use crate::facts::snapshot::{
    RecordedCheckout, RecordedCondition, RecordedSigner, RecordedSource, RecordedStop,
};
use crate::failure::Failure;
use crate::io::git::TreeFiles;
use crate::io::local_file::LocalFile;
use crate::pipeline::checkout::{Checkout, CheckoutFailure, Checkouts};
use crate::pipeline::session::Session;
use crate::pipeline::signer::Signer;
use crate::pipeline::stages::{Inputs, Preview};

use super::Replay;

impl Replay {
    /// The files of the automations of a run, as they were.
    pub(in crate::pipeline) fn checkouts(&self, inputs: &Inputs) -> Checkouts {
        let known = inputs
            .automations
            .iter()
            .filter_map(|key| Some((key.clone(), self.checkouts.get(key)?.clone())));
        let signers = inputs
            .automations
            .iter()
            .filter_map(|key| Some((key.clone(), self.signers.get(key)?.clone())));
        Checkouts::new(known.collect(), signers.collect())
    }
}

/// Why the files of an automation could not be had, as its preview tells.
fn stop(preview: &Preview) -> RecordedStop {
    RecordedStop {
        predicted: preview.error.as_ref().map(recorded_condition),
        ours: preview
            .unknown
            .as_ref()
            .or(preview.troubles.first())
            .map(|failure| failure.message.clone()),
    }
}

/// Records where the files of an automation come from; `None`: it doesn't get so far. The files themselves are listed elsewhere.
pub(in crate::pipeline) fn recorded_source(
    checkouts: &Checkouts,
    preview: &Preview,
) -> Option<RecordedSource> {
    let key = &preview.key;
    let mut recorded = RecordedSource {
        automations: vec![key.to_string()],
        ..RecordedSource::default()
    };
    match checkouts.of(key)? {
        Ok(checkout) => {
            recorded.checkout = Some(RecordedCheckout {
                heads: checkout.heads(),
                commit: checkout.tree.commit.clone(),
                branch: checkout.tree.branch.clone(),
                unreadable_paths: checkout.tree.unreadable_paths.clone(),
                users_own: checkout.users_own.clone(),
                ..RecordedCheckout::default()
            });
        }
        Err(_) => recorded.failure = Some(stop(preview)),
    }
    Some(recorded)
}

/// Records what signs an automation's commits; `None`: nothing.
pub(in crate::pipeline) fn recorded_signer(signer: &Signer) -> Option<RecordedSigner> {
    match signer {
        Signer::Nobody => None,
        Signer::Key(_) | Signer::Withheld => Some(RecordedSigner::Works),
        Signer::Fails(failure) => Some(RecordedSigner::Fails(recorded_condition(failure))),
        Signer::FailsToSign(failure) => {
            Some(RecordedSigner::FailsToSign(recorded_condition(failure)))
        }
        Signer::Hidden(why) => Some(RecordedSigner::Hidden(why.clone())),
    }
}

fn recorded_condition(failure: &AutomationFailure) -> RecordedCondition {
    RecordedCondition {
        reason: failure.reason.to_owned(),
        message: failure.message.clone(),
        stalled: failure.stalled,
    }
}

/// Every reason that a failure of an automation can have before its files are read.
const REASONS: [&str; 9] = [
    "SourceManagerFailed",
    "GitOperationFailed",
    "InvalidSourceConfiguration",
    "UpdateFailed",
    "InvalidPolicySelector",
    "InvalidUpdateStrategy",
    "RemovedTemplateField",
    conditions::ACCESS_DENIED,
    conditions::FEATURE_GATE_DISABLED,
];

fn condition(recorded: &RecordedCondition) -> AutomationFailure {
    let known = REASONS
        .into_iter()
        .find(|reason| *reason == recorded.reason);
    AutomationFailure {
        reason: known.unwrap_or(conditions::FAILED),
        message: recorded.message.clone(),
        stalled: recorded.stalled,
    }
}

fn signer(recorded: &RecordedSigner) -> Signer {
    match recorded {
        RecordedSigner::Works => Signer::Withheld,
        RecordedSigner::Fails(failure) => Signer::Fails(condition(failure)),
        RecordedSigner::FailsToSign(failure) => Signer::FailsToSign(condition(failure)),
        RecordedSigner::Hidden(why) => Signer::Hidden(why.clone()),
    }
}

type Found = Result<Arc<Checkout>, CheckoutFailure>;

/// The checkouts and signers of a snapshot whose folder is `top`.
pub(super) fn of_sources(
    top: &Path,
    sources: &[RecordedSource],
) -> (BTreeMap<ObjectKey, Found>, BTreeMap<ObjectKey, Signer>) {
    let mut found = BTreeMap::new();
    let mut signers = BTreeMap::new();
    for source in sources {
        let outcome = outcome(top, source);
        for name in &source.automations {
            let Some((namespace, name)) = name.split_once('/') else {
                continue;
            };
            let key = ObjectKey::new(namespace, name);
            if let Some(recorded) = source.signers.get(&key.to_string()) {
                signers.insert(key.clone(), signer(recorded));
            }
            if let Some(outcome) = &outcome {
                found.insert(key, outcome.clone());
            }
        }
    }
    (found, signers)
}

fn outcome(top: &Path, source: &RecordedSource) -> Option<Found> {
    if let Some(checkout) = &source.checkout {
        return Some(Ok(Arc::new(of_folder(top, checkout))));
    }
    let stop = source.failure.as_ref()?;
    Some(Err(CheckoutFailure::Recorded {
        predicted: stop.predicted.as_ref().map(condition),
        ours: stop.ours.clone().map(Failure::git),
    }))
}

fn of_folder(top: &Path, recorded: &RecordedCheckout) -> Checkout {
    let mut tree = WorkTree {
        commit: recorded.commit.clone(),
        branch: recorded.branch.clone(),
        unreadable_paths: recorded.unreadable_paths.clone(),
        ..WorkTree::default()
    };
    let files = recorded.files.iter().map(|path| (path, TreeEntry::File));
    let links = recorded
        .links
        .iter()
        .map(|(path, target)| (path, TreeEntry::Link(target.clone())));
    let others = recorded
        .submodules
        .iter()
        .map(|path| (path, TreeEntry::Submodule));
    tree.entries.extend(files.chain(links).chain(others));
    Checkout {
        files: TreeFiles::recorded(&top.join(&recorded.folder)),
        tree,
        clone: None,
        request: None,
        heads: recorded.heads.clone(),
        users_own: recorded.users_own.clone(),
    }
}

impl Session {
    /// Whether a snapshot answers, and nothing on disk.
    pub(in crate::pipeline) fn is_recorded(&self) -> bool {
        self.replay().is_some_and(|replay| replay.cluster.is_some())
    }

    /// A file that a snapshot has, by its path in its repository.
    pub(in crate::pipeline) fn recorded_file(&self, path: &str) -> Option<LocalFile> {
        let replay = self.replay()?;
        let path = path.trim_start_matches("./");
        let checkouts = replay
            .checkouts
            .values()
            .filter_map(|found| found.as_ref().ok());
        checkouts
            .filter(|checkout| checkout.tree.entries.has(path))
            .find_map(|checkout| {
                let mut read = checkout.files.read_files(&[path], |_| true);
                Some(LocalFile {
                    path: path.into(),
                    repository_path: path.to_owned(),
                    bytes: read.remove(path)?.ok()?,
                })
            })
    }
}
