//! A snapshot's folder as something that answers.

use std::path::Path;
use std::sync::Arc;

use crate::controllers::flux::ObjectKey;
use crate::failure::Failure;
use crate::io::cluster::RecordedCluster;
use crate::io::snapshot;

use super::{Replay, checkouts};

pub(super) fn read(folder: &Path) -> Result<Replay, Failure> {
    let invalid = |why: String| Failure::invalid_input(format!("--snapshot {why}"));
    let contents = snapshot::read(folder).map_err(invalid)?;
    let facts = contents.facts;
    let now = facts.taken_at.parse().map_err(|_| {
        invalid(format!(
            "{}: snapshot.json: takenAt {:?} is no moment",
            folder.display(),
            facts.taken_at
        ))
    })?;
    let (checkouts, signers) = checkouts::of_sources(folder, &facts.sources);
    let scans = contents.scans.repositories.into_iter();
    let cluster = RecordedCluster::new(
        facts.server.clone(),
        facts.context.clone(),
        facts.answers.clone(),
        contents.objects,
    );
    Ok(Replay {
        now: Some(now),
        cluster: Some(Arc::new(cluster)),
        scans: scans
            .map(|scan| (ObjectKey::new(&scan.namespace, &scan.name), scan))
            .collect(),
        checkouts,
        signers,
        facts,
    })
}
