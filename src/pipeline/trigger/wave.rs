//! One wave of requests: all objects of a kind are annotated, and then looked at until their controller has handled the request.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::Value;

use crate::controllers::flux::{ImageRef, ObjectKey, ScanResult};
use crate::controllers::requests::{self, Handled};
use crate::controllers::schedule::{self, REQUESTED_AT};
use crate::facts::cluster::Kind;
use crate::failure::{Failure, FailureKind};
use crate::io::cluster::{Cluster, ClusterError};
use crate::io::observer::Event;
use crate::pipeline::session::Session;

use super::{Difference, Fact, Turn, Verdict};

/// An object after its turn.
#[derive(Clone, Debug)]
pub struct Waited {
    /// Namespace and name.
    pub key: ObjectKey,
    /// The object as it was last seen.
    pub object: Value,
    /// What the controller says; `None`: it did not answer in time.
    pub said: Option<Handled>,
    /// When it was asked.
    pub asked: Timestamp,
    /// How long that took.
    pub took: Duration,
}

/// Kept for what comes after the last wave: reading what was pushed.
const REST: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(150);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Annotates the objects and waits until each request is handled, or the time of the run is up.
pub(super) fn wave(
    kind: Kind,
    keys: &[ObjectKey],
    session: &Session,
) -> Result<Vec<Waited>, Failure> {
    let cluster = session.cluster()?;
    let deadline = Instant::now() + session.left().saturating_sub(REST);
    let asked = Timestamp::now();
    let done = std::sync::atomic::AtomicUsize::new(0);
    let turns = keys.iter().map(|key| {
        let done = &done;
        async move {
            let waited = one(cluster, kind, key, asked, deadline).await;
            let done = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            session.observer.tell(Event::Progress {
                what: "objects handled",
                done,
                total: keys.len(),
            });
            waited
        }
    });
    let waited = session.wait(
        FailureKind::Cluster,
        "waiting for the controllers",
        join_all(turns),
    )?;
    let waited: Result<Vec<Waited>, ClusterError> = waited.into_iter().collect();
    Ok(waited?)
}

async fn one(
    cluster: &Cluster,
    kind: Kind,
    key: &ObjectKey,
    asked: Timestamp,
    deadline: Instant,
) -> Result<Waited, ClusterError> {
    let started = Instant::now();
    let token = asked.to_string();
    let gone = || ClusterError::Configuration(format!("{kind} {key} has gone meanwhile"));
    let mut object = cluster
        .annotate(kind, key, REQUESTED_AT, &token)
        .await?
        .ok_or_else(gone)?;
    let mut pause = FIRST_PAUSE;
    loop {
        let said = requests::handled(&object, &token);
        if said.is_some() || Instant::now() + pause > deadline {
            return Ok(Waited {
                key: key.clone(),
                object,
                said,
                asked,
                took: started.elapsed(),
            });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        object = cluster.get(kind, key).await?.ok_or_else(gone)?;
    }
}

/// What the controller says, noted in the turn; `None` where it did not answer.
pub(super) fn handled<'a>(waited: &'a Waited, turn: &mut Turn) -> Option<&'a Handled> {
    let Some(said) = &waited.said else {
        turn.verdict = Verdict::TimedOut;
        let controller = match turn.kind {
            Kind::ImageUpdateAutomation => "image-automation-controller",
            _ => "image-reflector-controller",
        };
        turn.text = format!(
            "{controller} has not answered within {:.0?}: look whether it runs (kubectl -n flux-system get deployment {controller}), or wait longer with --timeout",
            waited.took
        );
        return None;
    };
    turn.said = Some(said.clone());
    turn.took = Some(waited.took);
    Some(said)
}

/// Compares a scan with what the registry had a moment before.
pub(super) fn judge_scan(
    waited: &Waited,
    before: Option<&ScanResult>,
    failing: Option<&str>,
    turn: &mut Turn,
) {
    let Some(said) = handled(waited, turn) else {
        return;
    };
    let after: Option<ScanResult> =
        serde_path_to_error::deserialize(&waited.object["status"]["lastScanResult"]).ok();
    let time = |scan: Option<&ScanResult>| scan.and_then(|scan| scan.scan_time.clone());
    // A failed scan that was asked for is hidden by the next run, which reports the old result: only the time tells, in whole seconds.
    let last = time(before).and_then(|last| schedule::moment(&last));
    let just_before = last.is_some_and(|last| waited.asked.duration_since(last).as_secs() < 2);
    let scanned = just_before || time(after.as_ref()) != time(before);
    if !said.ready || !scanned {
        let expected = failing.is_some_and(|failing| failing == said.message);
        turn.verdict = if expected {
            Verdict::AsPredicted
        } else {
            Verdict::Different
        };
        turn.text = if said.ready {
            "Ready, but nothing was scanned: the scan that was asked for failed, and the result is an old one".into()
        } else {
            format!("{}: \"{}\"", said.reason, said.message)
        };
        turn.differences.push(Difference::new(
            "scan",
            failing.unwrap_or("successful"),
            &said.message,
        ));
        return;
    }
    let after = after.unwrap_or_default();
    let old = before.map_or(&[][..], |before| &before.latest_tags);
    let new: Vec<&str> = after
        .latest_tags
        .iter()
        .filter(|tag| !old.contains(tag))
        .map(String::as_str)
        .collect();
    turn.text = match new.as_slice() {
        [] => format!("{} tags", after.tag_count),
        new => format!("{} tags (new: {})", after.tag_count, new.join(", ")),
    };
    let actual = Fact::Scan {
        tags: after.tag_count,
        revision: after.revision.unwrap_or_default(),
    };
    turn.verdict = match (&turn.predicted, &actual) {
        (Fact::Unknown, _) => Verdict::Unknown,
        (predicted, actual) if same_scan(predicted, actual) => Verdict::AsPredicted,
        (predicted, actual) => {
            let difference = Difference::new("tags", &words(predicted), &words(actual));
            turn.differences.push(difference);
            Verdict::Different
        }
    };
    turn.actual = actual;
}

/// The same tags; a checksum of another kind tells nothing.
fn same_scan(predicted: &Fact, actual: &Fact) -> bool {
    let (
        Fact::Scan { tags, revision },
        Fact::Scan {
            tags: found,
            revision: told,
        },
    ) = (predicted, actual)
    else {
        return false;
    };
    let comparable = !told.is_empty() && !told.starts_with("sha256:");
    tags == found && (!comparable || revision == told)
}

fn words(fact: &Fact) -> String {
    match fact {
        Fact::Scan { tags, revision } => format!("{tags} tags with checksum {revision}"),
        _ => "unknown".into(),
    }
}

/// Compares a policy's choice.
pub(super) fn judge_choice(
    waited: &Waited,
    before: Option<&ImageRef>,
    failure: Option<(String, String)>,
    turn: &mut Turn,
) {
    let Some(said) = handled(waited, turn) else {
        return;
    };
    let latest: Option<ImageRef> =
        serde_json::from_value(waited.object["status"]["latestRef"].clone()).ok();
    let predicted = match &turn.predicted {
        Fact::Latest(latest) => Some(latest.clone()),
        _ => None,
    };
    turn.actual = Fact::Latest(latest.clone());
    if !said.ready {
        let expected = failure.is_some_and(|(_, message)| message == said.message);
        turn.verdict = if expected {
            Verdict::AsPredicted
        } else {
            turn.differences
                .push(Difference::new("ready", "True", &said.message));
            Verdict::Different
        };
        turn.text = format!("{}: \"{}\"", said.reason, said.message);
        return;
    }
    turn.text = moved(before, latest.as_ref());
    turn.verdict = match predicted {
        None => Verdict::Unknown,
        Some(predicted) if predicted == latest => Verdict::AsPredicted,
        Some(predicted) => {
            let text = |image: &Option<ImageRef>| {
                image
                    .as_ref()
                    .map_or("none".to_owned(), ToString::to_string)
            };
            turn.differences
                .push(Difference::new("latest", &text(&predicted), &text(&latest)));
            Verdict::Different
        }
    };
}

fn moved(before: Option<&ImageRef>, after: Option<&ImageRef>) -> String {
    let short = |image: Option<&ImageRef>| match image {
        Some(image) if image.digest.is_empty() => image.tag.clone(),
        Some(image) => format!("{}@{}", image.tag, image.digest),
        None => "nothing".into(),
    };
    if before == after {
        format!("still {}", short(after))
    } else {
        format!("{} -> {}", short(before), short(after))
    }
}
