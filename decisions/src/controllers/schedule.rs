//! Mirrors `shouldScan` of `internal/controller/imagerepository_controller.go` of image-reflector-controller 1.2, and the
//! interval of image-automation-controller 1.2: when something happens next.

use std::time::Duration;

use jiff::Timestamp;

use super::flux::{ImageRepository, ImageUpdateAutomation};
use super::repository::{self, DEFAULT_EXCLUSION};
use crate::go::number::parse_duration;

/// The annotation by which a reconcile is requested.
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

/// When an ImageRepository is scanned next, unless it is suspended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextScan {
    /// At its next reconcile.
    Due {
        /// The controller's own words for why.
        reason: &'static str,
        /// Since when the interval has been over, where that is why.
        since: Option<Timestamp>,
    },
    /// At this moment.
    At(Timestamp),
    /// Its interval or the time of its last scan can't be read.
    Unknown,
}

/// When `repository` is scanned next, seen from `now`.
///
/// A controller that was restarted scans at once too (`no tags in database`); that shows in no field.
pub fn next_scan(repository: &ImageRepository, now: Timestamp) -> NextScan {
    let status = &repository.status;
    let due = |reason| NextScan::Due {
        reason,
        since: None,
    };
    let Some(last) = status.last_scan_result.as_ref() else {
        return due("first scan");
    };
    let Some(scanned) = last.scan_time.as_deref().and_then(moment) else {
        return due("first scan");
    };
    if let Some(requested) = repository.annotations.get(REQUESTED_AT)
        && *requested != status.last_handled_reconcile_at
    {
        return due("reconcile requested");
    }
    let name = repository::canonical_image_name(&repository.spec.image);
    if name.is_ok_and(|name| name != status.canonical_image_name) {
        return due("new image name");
    }
    if exclusion_list_changed(repository) {
        return due("updated exclusion list");
    }
    let Some(interval) = interval(repository.spec.interval.as_deref()) else {
        return NextScan::Unknown;
    };
    let Some(next) = after(scanned, interval) else {
        return NextScan::Unknown;
    };
    // Less than a second ahead counts as over.
    if next.duration_since(now).as_secs() < 1 {
        return NextScan::Due {
            reason: "triggered by interval",
            since: Some(next),
        };
    }
    NextScan::At(next)
}

fn exclusion_list_changed(repository: &ImageRepository) -> bool {
    let observed = &repository.status.observed_exclusion_list;
    let default = [DEFAULT_EXCLUSION.to_owned()];
    let wanted = match repository.spec.exclusion_list.as_deref() {
        None | Some([]) => &default[..],
        Some(list) => list,
    };
    wanted.len() != observed.len() || wanted.iter().any(|pattern| !observed.contains(pattern))
}

/// When an automation runs next by its interval; `None`: it never ran, or a field can't be read.
pub fn next_run(automation: &ImageUpdateAutomation) -> Option<Timestamp> {
    let last = automation.status.last_automation_run_time.as_deref()?;
    let interval = interval(automation.spec.interval.as_deref())?;
    after(moment(last)?, interval)
}

/// How late something is at `now`, if it is later than can be explained by one more round of its own interval.
pub fn overdue(next: Timestamp, interval: Duration, now: Timestamp) -> Option<Duration> {
    let late = Duration::try_from(now.duration_since(next)).ok()?;
    (late > interval.max(Duration::from_secs(60))).then_some(late)
}

/// The limit of one scan: `spec.timeout`, else the interval, never under a second.
pub fn scan_timeout(repository: &ImageRepository) -> Duration {
    let spec = &repository.spec;
    let limit = interval(spec.timeout.as_deref()).or_else(|| interval(spec.interval.as_deref()));
    limit.unwrap_or_default().max(Duration::from_secs(1))
}

/// A duration that is not negative.
pub fn interval(text: Option<&str>) -> Option<Duration> {
    let nanoseconds = parse_duration(text?).ok()?;
    u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
}

/// A moment as Kubernetes writes it.
pub fn moment(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn after(moment: Timestamp, interval: Duration) -> Option<Timestamp> {
    moment.checked_add(interval).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::flux::{
        ImageRepositorySpec, ImageRepositoryStatus, Object, ObjectKey, ScanResult,
    };

    const NOW: &str = "2026-06-01T12:00:00Z";

    fn scanned(at: &str) -> ImageRepository {
        Object {
            api_version: "image.toolkit.fluxcd.io/v1".into(),
            key: ObjectKey::new("flux-system", "app"),
            spec: ImageRepositorySpec {
                image: "registry.example.com/app".into(),
                interval: Some("5m".into()),
                ..Default::default()
            },
            status: ImageRepositoryStatus {
                canonical_image_name: "registry.example.com/app".into(),
                observed_exclusion_list: vec![DEFAULT_EXCLUSION.into()],
                last_scan_result: Some(ScanResult {
                    scan_time: Some(at.into()),
                    ..Default::default()
                }),
                ..Default::default()
            },
            ..Default::default()
        }
    }

    fn next(repository: &ImageRepository) -> NextScan {
        next_scan(repository, NOW.parse().unwrap())
    }

    fn reason(repository: &ImageRepository) -> &'static str {
        match next(repository) {
            NextScan::Due { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_interval_counts_from_the_last_scan() {
        assert_eq!(
            next(&scanned("2026-06-01T11:57:00Z")),
            NextScan::At("2026-06-01T12:02:00Z".parse().unwrap())
        );
        assert_eq!(
            reason(&scanned("2026-06-01T11:55:00Z")),
            "triggered by interval"
        );
        assert_eq!(
            reason(&scanned("2026-06-01T11:00:00Z")),
            "triggered by interval"
        );
    }

    #[test]
    fn other_reasons_come_before_the_interval() {
        let mut repository = scanned("2026-06-01T11:59:00Z");
        repository.spec.exclusion_list = Some(vec!["^a$".into()]);
        assert_eq!(reason(&repository), "updated exclusion list");
        repository.spec.image = "registry.example.com/other".into();
        assert_eq!(reason(&repository), "new image name");
        repository
            .annotations
            .insert(REQUESTED_AT.into(), "now".into());
        assert_eq!(reason(&repository), "reconcile requested");
        repository.status.last_scan_result = None;
        assert_eq!(reason(&repository), "first scan");
    }

    #[test]
    fn what_is_late_is_late_by_more_than_a_round() {
        let now: Timestamp = NOW.parse().unwrap();
        let late = |at: &str, interval: u64| {
            overdue(at.parse().unwrap(), Duration::from_secs(interval), now)
        };
        assert_eq!(late("2026-06-01T11:59:30Z", 10), None);
        assert_eq!(late("2026-06-01T11:58:00Z", 300), None);
        assert_eq!(
            late("2026-06-01T11:54:00Z", 300),
            Some(Duration::from_secs(360))
        );
        assert_eq!(late("2026-06-01T12:04:00Z", 300), None);
    }

    #[test]
    fn a_scan_has_a_limit() {
        let mut repository = scanned(NOW);
        assert_eq!(scan_timeout(&repository), Duration::from_secs(300));
        repository.spec.timeout = Some("10s".into());
        assert_eq!(scan_timeout(&repository), Duration::from_secs(10));
        repository.spec.timeout = Some("1ms".into());
        assert_eq!(scan_timeout(&repository), Duration::from_secs(1));
    }
}
