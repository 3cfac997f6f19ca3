//! The second stage: the tags of each ImageRepository that a decision of the run hangs on.

use std::collections::BTreeMap;
use std::path::Path;

use crate::controllers::conditions;
use crate::controllers::flux::{ImageRepository, ObjectKey};
use crate::controllers::repository::{self, ExclusionError};
use crate::facts::registry::{RecordedFailure, RecordedList, RecordedTags, TagRecording};
use crate::failure::Failure;
use crate::go::reference::Repository;
use crate::io::recording;

use super::gate::gate;
use super::registry;
use super::request::{Request, TagSource};
use super::session::Session;
use super::stages::{Inputs, Scan, ScanFailure, Scans};
use super::tags::REFUSED_TO_US;

/// Lists the tags of every repository that a policy in the namespace of one of the run's automations chooses from.
///
/// # Errors
///
/// The recording as a whole can't be read, or the cluster can't be asked for credentials.
pub fn scan(request: &Request, inputs: &Inputs, session: &Session) -> Result<Scans, Failure> {
    let wanted = || wanted(inputs);
    match &request.tags {
        TagSource::Status => Ok(Scans::default()),
        TagSource::Recording(path) => from_recording(path, wanted()),
        TagSource::Registry => registry::scan(wanted(), inputs, session),
    }
}

/// The repositories whose tags are looked at; a policy that doesn't get so far needs none.
fn wanted(inputs: &Inputs) -> BTreeMap<ObjectKey, &ImageRepository> {
    let recomputed = inputs
        .policies_that_count()
        .filter(|policy| inputs.recomputes(&policy.key));
    let passing = recomputed.filter_map(|policy| gate(inputs, policy).ok());
    passing
        .chain(inputs.repositories_that_count())
        .map(|repository| (repository.key.clone(), repository))
        .collect()
}

fn from_recording(
    path: &Path,
    wanted: BTreeMap<ObjectKey, &ImageRepository>,
) -> Result<Scans, Failure> {
    let recording = canonical(
        recording::read(path)
            .map_err(|error| Failure::invalid_input(format!("--tags-from {error}")))?,
    );
    let scans = wanted.into_iter().map(|(key, repository)| {
        let scan = recorded(repository, &recording);
        (key, scan)
    });
    Ok(Scans {
        repositories: scans.collect(),
        ..Scans::default()
    })
}

/// Images in a recording may be named as users write them.
fn canonical(recorded: Vec<(String, RecordedList)>) -> TagRecording {
    let mut recording = TagRecording::default();
    for (image, list) in recorded {
        let name = repository::canonical_image_name(&image).unwrap_or(image);
        recording.images.entry(name).or_default().push(list);
    }
    recording
}

fn recorded(repository: &ImageRepository, recording: &TagRecording) -> Scan {
    let name = match image_name(repository) {
        Ok(name) => name.to_string(),
        Err(scan) => return *scan,
    };
    match recording
        .find(&name, &repository.key)
        .map(|list| &list.outcome)
    {
        Some(Ok(recorded)) => stored(repository, recorded.clone()),
        Some(Err(failure)) => match stored(repository, RecordedTags::default()) {
            // An empty list that met a bad pattern was a list all the same.
            Scan::Failed(now) if now.message == failure.message => Scan::Failed(now),
            _ => failed_then(repository, failure),
        },
        None => Scan::Unknown(Failure::invalid_input(format!(
            "ImageRepository {}: the image {name} is not in the recording of --tags-from; record it, or use --tags-from status",
            repository.key
        ))),
    }
}

/// What the failure that was recorded means for a policy now.
fn failed_then(repository: &ImageRepository, recorded: &RecordedFailure) -> Scan {
    let RecordedFailure { reason, message } = recorded;
    let ours = || {
        Failure::registry(format!(
            "ImageRepository {}: recorded was a failure: {message}",
            repository.key
        ))
    };
    match reason.as_str() {
        REFUSED_TO_US => Scan::RefusedToUs(ours()),
        conditions::READ_OPERATION_FAILED => Scan::Failed(ScanFailure {
            reason: conditions::READ_OPERATION_FAILED,
            message: message.clone(),
            ours: Some(ours()),
            cause: None,
        }),
        conditions::AUTHENTICATION_FAILED => Scan::Failed(ScanFailure {
            reason: conditions::AUTHENTICATION_FAILED,
            message: message.clone(),
            ours: None,
            cause: None,
        }),
        conditions::FEATURE_GATE_DISABLED => Scan::Failed(ScanFailure {
            reason: conditions::FEATURE_GATE_DISABLED,
            message: message.clone(),
            ours: None,
            cause: None,
        }),
        _ => Scan::Unknown(ours()),
    }
}

/// Where the repository's image is, or the scan that it makes impossible.
pub(super) fn image_name(repository: &ImageRepository) -> Result<Repository, Box<Scan>> {
    let spec = &repository.spec;
    if spec.suspend {
        return Err(Box::new(Scan::Suspended));
    }
    repository::canonical_image(&spec.image).map_err(|error| {
        Box::new(Scan::Failed(ScanFailure {
            reason: conditions::IMAGE_URL_INVALID,
            message: error.to_string(),
            ours: None,
            cause: None,
        }))
    })
}

/// What the controller stores of the tags that were listed.
pub(super) fn stored(repository: &ImageRepository, recorded: RecordedTags) -> Scan {
    let exclusions = repository.spec.exclusion_list.as_deref();
    match repository::stored_tags(&recorded.tags, exclusions.unwrap_or_default()) {
        Ok(stored) => Scan::Tags { stored, recorded },
        Err(error) => Scan::Failed(exclusion_failure(&error)),
    }
}

/// The scan that a pattern which can't be compiled makes impossible.
pub(super) fn exclusion_failure(error: &ExclusionError) -> ScanFailure {
    ScanFailure {
        reason: conditions::READ_OPERATION_FAILED,
        message: format!("scan failed: {error}"),
        ours: None,
        cause: None,
    }
}
