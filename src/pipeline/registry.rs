//! Scanning registries: what the controller would connect with, and what comes of it.

use std::collections::BTreeMap;

use crate::controllers::flux::{ImageRepository, ObjectKey};
use crate::failure::Failure;

use super::session::Session;
use super::stages::{DigestAnswer, Inputs, Scans, WantedDigest};

/// Lists the tags of repositories.
pub(super) fn scan(
    _wanted: BTreeMap<ObjectKey, &ImageRepository>,
    _inputs: &Inputs,
    _session: &Session,
) -> Result<Scans, Failure> {
    Err(Failure::usage(
        "listing tags from a registry is not supported yet: use --tags-from FILE or --tags-from status",
    ))
}

/// Looks up digests.
pub(super) fn digests(
    _wanted: Vec<WantedDigest>,
    _scans: &Scans,
    _session: &Session,
) -> Result<BTreeMap<WantedDigest, DigestAnswer>, Failure> {
    Ok(BTreeMap::new())
}
