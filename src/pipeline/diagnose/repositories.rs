//! What there is to say about ImageRepositories.

use jiff::Timestamp;

use super::Findings;
use crate::controllers::conditions::{self, readiness};
use crate::controllers::flux::ImageRepository;
use crate::controllers::schedule::{self, NextScan, moment};
use crate::controllers::view;
use crate::findings::{Finding, installation, policies, scans};
use crate::go::age;
use crate::pipeline::stages::{Inputs, Scan, ScanFailure, Scans};
use crate::pipeline::tags::findings::{Surroundings, of_failure};

/// All of a run, looked at one by one.
pub(super) struct Repositories<'a> {
    inputs: &'a Inputs,
    scans: &'a Scans,
    surroundings: Surroundings<'a>,
    now: Timestamp,
}

impl<'a> Repositories<'a> {
    pub(super) fn new(inputs: &'a Inputs, scans: &'a Scans, now: Timestamp) -> Self {
        Self {
            inputs,
            scans,
            surroundings: Surroundings::of(inputs),
            now,
        }
    }

    pub(super) fn look_at(&self, repository: &ImageRepository, findings: &mut Findings) {
        let Findings { found, failures } = findings;
        let key = &repository.key;
        let connection = self.scans.access.get(key);
        found.extend(self.surroundings.of_object(repository, connection));
        if repository.spec.suspend {
            found.push(policies::suspended("ImageRepository", key));
        }
        match self.scans.repositories.get(key) {
            Some(Scan::Failed(failure)) => {
                found.extend(of_failure(repository, connection, failure));
                found.extend(self.fails(repository, failure));
            }
            Some(Scan::RefusedToUs(failure) | Scan::Unknown(failure)) => {
                failures.push(failure.clone());
            }
            Some(Scan::Tags { stored, .. }) if self.inputs.live => {
                found.extend(self.view(repository, stored));
                found.extend(self.failed_last_time(repository));
            }
            _ => {}
        }
        if self.inputs.live && !repository.spec.suspend {
            found.extend(self.overdue(repository));
        }
    }

    fn last_scan(&self, repository: &ImageRepository) -> Option<String> {
        let scan = repository.status.last_scan_result.as_ref()?;
        let moment = moment(scan.scan_time.as_deref()?)?;
        Some(age::since(moment, self.now))
    }

    /// A scan as it would be now fails.
    fn fails(&self, repository: &ImageRepository, failure: &ScanFailure) -> Vec<Finding> {
        let key = &repository.key;
        let ScanFailure {
            reason, message, ..
        } = failure;
        let last = self.last_scan(repository);
        let mut found = Vec::new();
        if *reason == conditions::FEATURE_GATE_DISABLED {
            let gate = "ObjectLevelWorkloadIdentity";
            found.push(installation::feature_gate_needed(key, gate, message));
        }
        found.push(scans::scan_fails(key, reason, message, last.as_deref()));
        let state = readiness(&repository.status.conditions);
        if self.inputs.live && state.ready == "True" {
            found.push(scans::ready_after_failed_scan(key, state.message, message));
        }
        found
    }

    /// A scan from here goes well, and the controller's last one did not.
    fn failed_last_time(&self, repository: &ImageRepository) -> Option<Finding> {
        let state = readiness(&repository.status.conditions);
        let fails = state.ready == "False" && !state.reason.is_empty();
        fails.then(|| {
            scans::scan_failed(
                &repository.key,
                state.reason,
                state.message,
                self.last_scan(repository).as_deref(),
            )
        })
    }

    /// Whether the controller saw what there is now.
    fn view(&self, repository: &ImageRepository, stored: &[String]) -> Option<Finding> {
        let view = view::view(repository, Some(stored))?;
        let next = match schedule::next_scan(repository, self.now) {
            NextScan::At(next) => format!("next scan in {}", age::until(next, self.now)),
            NextScan::Due { reason, .. } => format!("a scan is due ({reason})"),
            NextScan::Unknown => "when it scans next is not known".into(),
        };
        scans::tag_set_differs(&repository.key, &view, &next)
    }

    fn overdue(&self, repository: &ImageRepository) -> Option<Finding> {
        let NextScan::Due {
            since: Some(due), ..
        } = schedule::next_scan(repository, self.now)
        else {
            return None;
        };
        let interval = schedule::interval(repository.spec.interval.as_deref())?;
        schedule::overdue(due, interval, self.now)?;
        let last = self.last_scan(repository)?;
        Some(scans::scan_overdue(
            &repository.key,
            &age::since(due, self.now),
            &last,
        ))
    }
}
