//! Scans and digests, recorded and given again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::controllers::conditions;
use crate::controllers::flux::{ImageRepository, ObjectKey};
use crate::controllers::registry_access::{LoginSource, OfferedSecret, WithoutEntry};
use crate::controllers::repository;
use crate::facts::registry::{RegistryAccess, RegistryErrorKind, Throttling};
use crate::facts::snapshot::{
    RecordedConnection, RecordedCost, RecordedError, RecordedLogin, RecordedOffer, RecordedScan,
    RecordedTrouble,
};
use crate::failure::Failure;
use crate::io::registry::{ScanCost, TagListing};
use crate::pipeline::registry::Asked;
use crate::pipeline::scan::image_name;
use crate::pipeline::stages::{
    DigestAnswer, RegistryConnection, RegistryTrouble, Scan, ScanFailure, WantedDigest,
};
use crate::pipeline::tags::{REFUSED_TO_US, UNKNOWN};

use super::Replay;

impl Replay {
    /// What asking for the tags of these repositories gave.
    pub(in crate::pipeline) fn list(
        &self,
        wanted: &BTreeMap<ObjectKey, &ImageRepository>,
    ) -> BTreeMap<ObjectKey, Asked> {
        let asked = wanted
            .iter()
            .map(|(key, repository)| (key.clone(), self.asked(repository)));
        asked.collect()
    }

    fn asked(&self, repository: &ImageRepository) -> Asked {
        if let Err(scan) = image_name(repository) {
            return Asked {
                outcome: Err(scan),
                connection: None,
                notes: Vec::new(),
            };
        }
        let Some(scan) = self.scans.get(&repository.key) else {
            return Asked {
                outcome: Err(Box::new(Scan::Unknown(Failure::invalid_input(format!(
                    "ImageRepository {}: the snapshot holds no tags of it",
                    repository.key
                ))))),
                connection: None,
                notes: Vec::new(),
            };
        };
        let outcome = match &scan.error {
            Some(error) => Err(Box::new(failed(error))),
            None => Ok(TagListing {
                tags: scan.tags.clone(),
                cost: scan.cost.as_ref().map(cost).unwrap_or_default(),
                ..TagListing::default()
            }),
        };
        Asked {
            outcome,
            connection: scan.connection.as_ref().map(connection),
            notes: scan.notes.clone(),
        }
    }

    /// What looking up a digest gave.
    pub(in crate::pipeline) fn digest(&self, wanted: &WantedDigest) -> DigestAnswer {
        let scan = self.scans.get(&wanted.repository);
        let digest = scan.and_then(|scan| scan.digests.get(&wanted.tag));
        if let Some(digest) = digest {
            return DigestAnswer::Found(digest.clone());
        }
        match scan.and_then(|scan| scan.digest_errors.get(&wanted.tag)) {
            Some(error) => match failed(error) {
                Scan::Failed(failure) => DigestAnswer::Failed(failure),
                Scan::RefusedToUs(failure) => DigestAnswer::RefusedToUs(failure),
                Scan::Unknown(failure) => DigestAnswer::Unknown(failure),
                Scan::Tags { .. } | Scan::Suspended => DigestAnswer::Unknown(absent(wanted)),
            },
            None => DigestAnswer::Unknown(absent(wanted)),
        }
    }
}

fn absent(wanted: &WantedDigest) -> Failure {
    Failure::invalid_input(format!(
        "the snapshot does not hold the digest of {}:{}",
        wanted.name, wanted.tag
    ))
}

/// Records what came of asking for the tags of a repository.
pub(in crate::pipeline) fn record(
    repository: &ImageRepository,
    asked: &Asked,
    moment: &str,
) -> RecordedScan {
    let mut recorded = RecordedScan {
        namespace: repository.key.namespace.clone(),
        name: repository.key.name.clone(),
        image: repository.spec.image.clone(),
        canonical_name: repository::canonical_image_name(&repository.spec.image).ok(),
        recorded_at: moment.to_owned(),
        connection: asked.connection.as_ref().map(recorded_connection),
        notes: asked.notes.clone(),
        ..RecordedScan::default()
    };
    match &asked.outcome {
        Ok(listing) => {
            recorded.tags.clone_from(&listing.tags);
            recorded.cost = Some(RecordedCost {
                pages: listing.cost.pages,
                with_token: listing.cost.with_token,
                limit: listing
                    .cost
                    .limit
                    .map(|(requests, window)| (requests, window.as_secs())),
            });
        }
        Err(scan) => recorded.error = error_of(scan),
    }
    recorded
}

fn error_of(scan: &Scan) -> Option<RecordedError> {
    let plain = |reason: &str, failure: &Failure| RecordedError {
        reason: reason.to_owned(),
        message: failure.message.clone(),
        ..RecordedError::default()
    };
    match scan {
        Scan::Failed(failure) => Some(recorded_failure(failure)),
        Scan::RefusedToUs(failure) => Some(plain(REFUSED_TO_US, failure)),
        Scan::Unknown(failure) => Some(plain(UNKNOWN, failure)),
        Scan::Suspended | Scan::Tags { .. } => None,
    }
}

fn recorded_failure(failure: &ScanFailure) -> RecordedError {
    RecordedError {
        reason: failure.reason.to_owned(),
        message: failure.message.clone(),
        ours: failure.ours.as_ref().map(|ours| ours.message.clone()),
        trouble: failure.cause.as_ref().map(recorded_trouble),
    }
}

/// Records why a digest could not be had; `None`: it could.
pub(in crate::pipeline) fn digest_error(answer: &DigestAnswer) -> Option<RecordedError> {
    match answer {
        DigestAnswer::Found(_) => None,
        DigestAnswer::Failed(failure) => Some(recorded_failure(failure)),
        DigestAnswer::RefusedToUs(failure) => error_of(&Scan::RefusedToUs(failure.clone())),
        DigestAnswer::Unknown(failure) => error_of(&Scan::Unknown(failure.clone())),
    }
}

fn failed(error: &RecordedError) -> Scan {
    let ours = || Failure::registry(error.message.clone());
    let reasons = [
        conditions::IMAGE_URL_INVALID,
        conditions::AUTHENTICATION_FAILED,
        conditions::READ_OPERATION_FAILED,
        conditions::FEATURE_GATE_DISABLED,
        conditions::FAILED,
    ];
    match reasons.into_iter().find(|reason| *reason == error.reason) {
        Some(reason) => Scan::Failed(ScanFailure {
            reason,
            message: error.message.clone(),
            ours: error.ours.clone().map(Failure::registry),
            cause: error.trouble.as_ref().and_then(trouble),
        }),
        None if error.reason == REFUSED_TO_US => Scan::RefusedToUs(ours()),
        None => Scan::Unknown(ours()),
    }
}

fn cost(recorded: &RecordedCost) -> ScanCost {
    ScanCost {
        pages: recorded.pages,
        with_token: recorded.with_token,
        limit: recorded
            .limit
            .map(|(requests, seconds)| (requests, Duration::from_secs(seconds))),
    }
}

fn recorded_connection(connection: &RegistryConnection) -> RecordedConnection {
    RecordedConnection {
        users_own: connection.users_own.clone(),
        login_from: connection.login_from.as_ref().map(|source| RecordedLogin {
            namespace: source.secret.namespace.clone(),
            name: source.secret.name.clone(),
            entry: source.entry.clone(),
            rivals: source.rivals.clone(),
        }),
        without_entry: connection
            .without_entry
            .iter()
            .map(recorded_offer)
            .collect(),
    }
}

fn recorded_offer(offered: &OfferedSecret) -> RecordedOffer {
    let (hosts, unread_type) = match &offered.why {
        WithoutEntry::OtherHosts(hosts) => (Some(hosts.clone()), None),
        WithoutEntry::Type(kind) => (None, Some(kind.clone())),
        WithoutEntry::NoData => (None, None),
    };
    RecordedOffer {
        namespace: offered.secret.namespace.clone(),
        name: offered.secret.name.clone(),
        hosts,
        unread_type,
    }
}

fn connection(recorded: &RecordedConnection) -> RegistryConnection {
    let offered = recorded.without_entry.iter().map(|offer| OfferedSecret {
        secret: ObjectKey::new(&offer.namespace, &offer.name),
        why: match (&offer.hosts, &offer.unread_type) {
            (Some(hosts), _) => WithoutEntry::OtherHosts(hosts.clone()),
            (None, Some(kind)) => WithoutEntry::Type(kind.clone()),
            (None, None) => WithoutEntry::NoData,
        },
    });
    RegistryConnection {
        access: RegistryAccess::default(),
        users_own: recorded.users_own.clone(),
        login_from: recorded.login_from.as_ref().map(|login| LoginSource {
            secret: ObjectKey::new(&login.namespace, &login.name),
            entry: login.entry.clone(),
            rivals: login.rivals.clone(),
        }),
        without_entry: offered.collect(),
    }
}

/// The words for what registries do instead of answering.
const KINDS: [(&str, RegistryErrorKind); 7] = [
    ("rateLimited", RegistryErrorKind::RateLimited),
    ("pageTooLong", RegistryErrorKind::PageTooLong),
    ("tooManyTags", RegistryErrorKind::TooManyTags),
    ("unreachable", RegistryErrorKind::Unreachable),
    ("timedOut", RegistryErrorKind::TimedOut),
    ("badAnswer", RegistryErrorKind::BadAnswer),
    ("ourLimit", RegistryErrorKind::OurLimit),
];
const REFUSED: &str = "refused";

fn recorded_trouble(trouble: &RegistryTrouble) -> RecordedTrouble {
    let status = match trouble.kind {
        RegistryErrorKind::Refused { status } => Some(status),
        _ => None,
    };
    let word = KINDS.iter().find(|(_, kind)| *kind == trouble.kind);
    RecordedTrouble {
        kind: word.map_or(REFUSED, |(word, _)| word).to_owned(),
        status,
        retry_after: trouble.throttling.retry_after.map(|wait| wait.as_secs()),
        limits: trouble.throttling.limits.clone(),
    }
}

fn trouble(recorded: &RecordedTrouble) -> Option<RegistryTrouble> {
    let kind = match recorded.status {
        Some(status) if recorded.kind == REFUSED => RegistryErrorKind::Refused { status },
        _ => KINDS.iter().find(|(word, _)| *word == recorded.kind)?.1,
    };
    Some(RegistryTrouble {
        kind,
        throttling: Throttling {
            retry_after: recorded.retry_after.map(Duration::from_secs),
            limits: recorded.limits.clone(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_come_back_as_they_were() {
        let all = KINDS
            .map(|(_, kind)| kind)
            .into_iter()
            .chain([RegistryErrorKind::Refused { status: 401 }]);
        for kind in all {
            let told = RegistryTrouble {
                kind,
                throttling: Throttling {
                    retry_after: Some(Duration::from_secs(9)),
                    limits: vec!["ratelimit-limit: 100".into()],
                },
            };
            assert_eq!(trouble(&recorded_trouble(&told)), Some(told));
        }
    }

    #[test]
    fn failures_come_back_as_they_were() {
        for reason in [
            conditions::READ_OPERATION_FAILED,
            conditions::AUTHENTICATION_FAILED,
            conditions::FAILED,
        ] {
            let failure = ScanFailure {
                reason,
                message: "m".into(),
                ours: Some(Failure::registry("o")),
                cause: None,
            };
            let Scan::Failed(again) = failed(&recorded_failure(&failure)) else {
                panic!("{reason}");
            };
            assert_eq!((again.reason, again.message), (reason, "m".to_owned()));
            assert_eq!(again.ours, Some(Failure::registry("o")));
        }
        let refused = Scan::RefusedToUs(Failure::registry("no"));
        assert!(matches!(
            failed(&error_of(&refused).unwrap()),
            Scan::RefusedToUs(_)
        ));
    }
}
