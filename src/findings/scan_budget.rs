//! `scan-budget`: what the intervals, pages and digests of all repositories cost a registry host, before it says 429.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::controllers::flux::ObjectKey;
use crate::go::age;

use super::registries::repository;
use super::{Finding, Severity};

const HOUR: Duration = Duration::from_secs(60 * 60);
/// Docker Hub's limits in six hours: of those who don't log in, and of free accounts.
const DOCKER_HUB: &str = "index.docker.io";
const DOCKER_HUB_ANONYMOUS: u64 = 100;
const DOCKER_HUB_FREE: u64 = 200;
const DOCKER_HUB_WINDOW: Duration = Duration::from_secs(6 * 60 * 60);
/// Where no limit is known, more than one request a second is a lot.
const USUAL: u64 = 3600;

/// What one ImageRepository costs its host, with the digests of its policies.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The repository.
    pub key: ObjectKey,
    /// Host and port of the registry.
    pub host: String,
    /// How often it is scanned.
    pub interval: Duration,
    /// Requests a scan.
    pub requests: usize,
    /// For each policy that always looks its digest up: how often, and with how many requests.
    pub digests: Vec<(Duration, usize)>,
    /// Whether the controller logs in, as far as that can be seen.
    pub logs_in: bool,
    /// The limit that the host tells: requests in a window of time.
    pub limit: Option<(u64, Duration)>,
}

impl Cost {
    fn an_hour(&self) -> f64 {
        let digests = self.digests.iter();
        digests
            .map(|(interval, requests)| an_hour(*interval, *requests))
            .fold(an_hour(self.interval, self.requests), |sum, part| {
                sum + part
            })
    }
}

fn an_hour(interval: Duration, requests: usize) -> f64 {
    // An interval of nothing isn't carried out as such.
    let times = HOUR.as_secs_f64() / interval.as_secs_f64().max(1.0);
    times * u32::try_from(requests).map_or(f64::MAX, f64::from)
}

/// The hosts that are asked more often than they allow; the finding is about the repository that costs most.
pub fn scan_budget(costs: &[Cost]) -> Vec<Finding> {
    let mut hosts: BTreeMap<&str, Vec<&Cost>> = BTreeMap::new();
    for cost in costs {
        hosts.entry(&cost.host).or_default().push(cost);
    }
    hosts
        .into_iter()
        .filter_map(|(host, costs)| of_host(host, &costs))
        .collect()
}

fn of_host(host: &str, costs: &[&Cost]) -> Option<Finding> {
    let total: f64 = costs.iter().map(|cost| cost.an_hour()).sum();
    let told = costs.iter().filter_map(|cost| cost.limit).min();
    let anonymous = costs.iter().any(|cost| !cost.logs_in);
    let (allowed, window, whose) = match told {
        Some((allowed, window)) => (allowed, window, "which it says it allows"),
        None if host == DOCKER_HUB && anonymous => (
            DOCKER_HUB_ANONYMOUS,
            DOCKER_HUB_WINDOW,
            "which it allows those who don't log in",
        ),
        None if host == DOCKER_HUB => (
            DOCKER_HUB_FREE,
            DOCKER_HUB_WINDOW,
            "which it allows free accounts",
        ),
        None => (USUAL, HOUR, "which is one a second"),
    };
    let budget = u32::try_from(allowed).map_or(f64::MAX, f64::from) * HOUR.as_secs_f64()
        / window.as_secs_f64().max(1.0);
    if total <= budget {
        return None;
    }
    let busiest = costs
        .iter()
        .max_by(|one, other| one.an_hour().total_cmp(&other.an_hour()))?;
    let enough = (total / budget * busiest.interval.as_secs_f64() / 60.0).ceil() * 60.0;
    let enough = Duration::try_from_secs_f64(enough).unwrap_or(HOUR);
    let log_in = if anonymous && host == DOCKER_HUB {
        "add a secretRef, or "
    } else {
        ""
    };
    Some(Finding {
        id: "scan-budget",
        severity: Severity::of("scan-budget"),
        subject: repository(&busiest.key),
        message: format!(
            "{} of {host} cost it {total:.0} requests an hour, more than the {allowed} in {} {whose}",
            match costs.len() {
                1 => "the scans of 1 repository".to_owned(),
                several => format!("the scans of {several} repositories"),
            },
            age::length(window)
        ),
        evidence: format!(
            "{} is scanned every {} with {} requests",
            busiest.key,
            age::length(busiest.interval),
            busiest.requests
        ),
        remedy: format!(
            "{log_in}set spec.interval to {} or more",
            age::length(enough)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(host: &str, name: &str, seconds: u64, requests: usize) -> Cost {
        Cost {
            key: ObjectKey::new("ns", name),
            host: host.into(),
            interval: Duration::from_secs(seconds),
            requests,
            digests: Vec::new(),
            logs_in: false,
            limit: None,
        }
    }

    #[test]
    fn hosts_have_their_limits() {
        // 60 scans an hour of two requests are fine, but not on Docker Hub.
        assert_eq!(scan_budget(&[cost("quay.io", "a", 60, 2)]), []);
        let found = scan_budget(&[cost("index.docker.io", "a", 60, 2)]);
        assert_eq!(
            found[0].message,
            "the scans of 1 repository of index.docker.io cost it 120 requests an hour, more than the 100 in 6h which it allows those who don't log in"
        );
        assert_eq!(
            found[0].remedy,
            "add a secretRef, or set spec.interval to 8m or more"
        );
        let slow = cost("index.docker.io", "a", 30 * 60, 2);
        assert_eq!(scan_budget(&[slow]), []);
    }

    #[test]
    fn what_the_host_says_counts() {
        let told = Cost {
            limit: Some((10, HOUR)),
            ..cost("quay.io", "a", 600, 2)
        };
        let found = scan_budget(&[told, cost("quay.io", "b", 60, 1)]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].subject, repository(&ObjectKey::new("ns", "b")));
        assert!(
            found[0]
                .message
                .contains("72 requests an hour, more than the 10 in 60m")
        );
    }

    #[test]
    fn pages_and_digests_add_up() {
        let many = Cost {
            digests: vec![(Duration::from_secs(60), 3)],
            ..cost("quay.io", "a", 1, 1)
        };
        let found = scan_budget(&[many]);
        assert!(
            found[0].message.contains("cost it 3780 requests"),
            "{found:?}"
        );
        assert_eq!(scan_budget(&[cost("quay.io", "a", 0, 1)]), []);
    }
}
