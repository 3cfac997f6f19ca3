//! What registries and git servers answered at another moment, in the place of asking them: a snapshot, or what was just asked.

mod checkouts;
mod folder;
mod scans;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::controllers::flux::ObjectKey;
use crate::facts::cluster::{Hidden, Kind};
use crate::facts::snapshot::{RecordedScan, SnapshotFacts, UnreadableCredentials};
use crate::failure::Failure;
use crate::io::cluster::RecordedCluster;

use super::checkout::{Checkout, CheckoutFailure};
use super::signer::Signer;

pub(super) use checkouts::{recorded_signer, recorded_source};
pub(super) use scans::{digest_error, record};

/// Answers in the place of registries and git servers, and perhaps of the cluster.
#[derive(Debug, Default)]
pub struct Replay {
    /// The moment that counts as now; none: the present one.
    pub now: Option<Timestamp>,
    /// The cluster; none: it is asked.
    pub cluster: Option<Arc<RecordedCluster>>,
    /// What the snapshot says of itself.
    pub facts: SnapshotFacts,
    pub(super) scans: BTreeMap<ObjectKey, RecordedScan>,
    pub(super) checkouts: BTreeMap<ObjectKey, Result<Arc<Checkout>, CheckoutFailure>>,
    pub(super) signers: BTreeMap<ObjectKey, Signer>,
}

/// Credentials that may not be read, as they are recorded.
pub(super) fn hidden(recorded: &UnreadableCredentials) -> Option<Hidden> {
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.name() == recorded.kind)?;
    Some(Hidden {
        kind,
        namespace: Some(recorded.namespace.clone()),
        name: Some(recorded.name.clone()),
        why: recorded.why.clone(),
        forbidden: true,
    })
}

impl Replay {
    /// Reads the snapshot in a folder.
    ///
    /// # Errors
    ///
    /// The folder is no snapshot, one of another form, or lacks a part.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        folder::read(folder)
    }
}
