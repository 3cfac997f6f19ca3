//! What answers say about how often one may ask, and what that means for the next try.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::facts::registry::Throttling;

/// How often the controller tries a request in all.
const CONTROLLERS_TRIES: u32 = 3;
/// Its wait after the first failure; each wait is so many times the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const FACTOR: u32 = 3;
/// What it adds to a wait at most, by chance.
const CONTROLLERS_JITTER: f64 = 0.1;
/// Where the controller has long given up, waits no longer grow beyond this, give or take a quarter.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const JITTER: f64 = 0.25;
/// No wait is longer than a century; with what is said beyond that clocks can't calculate.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Reads the headers of an answer.
pub(super) fn throttling(headers: &HeaderMap) -> Throttling {
    let about_limits = |name: &str| name.contains("ratelimit") || name.contains("rate-limit");
    let mut limits: Vec<String> = headers
        .iter()
        .filter(|(name, _)| about_limits(name.as_str()))
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    limits.sort_unstable();
    let retry_after = headers.get(RETRY_AFTER).and_then(|value| {
        let text = value.to_str().ok()?.trim();
        let seconds = text.parse().map(Duration::from_secs).ok();
        Some(seconds.or_else(|| until(text))?.min(NEVER))
    });
    Throttling {
        retry_after,
        limits,
    }
}

/// How long it is until a date as HTTP writes it; one in the past is now.
fn until(date: &str) -> Option<Duration> {
    let then = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    let now = Timestamp::try_from(SystemTime::now()).ok()?;
    Some(Duration::try_from(then.duration_since(now)).unwrap_or_default())
}

/// The limit that Docker Hub and others tell: so many requests in a window of time.
pub(super) fn told_limit(limits: &[String]) -> Option<(u64, Duration)> {
    let limit = limits
        .iter()
        .find_map(|header| header.strip_prefix("ratelimit-limit: "))?;
    let (number, window) = limit.split_once(";w=")?;
    let window = window.split(';').next()?.trim().parse().ok()?;
    Some((number.trim().parse().ok()?, Duration::from_secs(window)))
}

/// The wait after so many failed tries, as the controller has it.
pub(super) fn controllers_wait(failures: u32) -> Duration {
    FIRST_WAIT * FACTOR.saturating_pow(failures.saturating_sub(1).min(CONTROLLERS_TRIES))
}

/// Whether the controller tries no more after so many failures.
pub(super) fn controller_gives_up(failures: u32) -> bool {
    failures >= CONTROLLERS_TRIES
}

/// The tries of one request by a client with more patience than the controller; beside them, when the controller would
/// try and fail.
#[derive(Debug, Default)]
pub(super) struct Tries {
    failures: u32,
    controllers: u32,
    /// When the controller tries next.
    controllers_next: Option<Instant>,
}

impl Tries {
    /// Takes note of a failure at `now`, which asks to come again after `retry_after`, and gives the wait until the next
    /// try.
    pub fn failed(&mut self, now: Instant, retry_after: Option<Duration>) -> Duration {
        self.failures += 1;
        if self.controllers_next.is_none_or(|next| now >= next) {
            self.controller_fails(now);
        }
        let asked = retry_after.unwrap_or_default();
        // The controller doesn't wait as it is told; each try before the time is one that fails.
        while let Some(next) = self.controllers_next.filter(|next| *next < now + asked) {
            if self.is_over_for_the_controller() {
                break;
            }
            self.controller_fails(next);
        }
        let growth = 2_u32.saturating_pow(self.failures.saturating_sub(CONTROLLERS_TRIES));
        let Some(asked) = retry_after else {
            return if controller_gives_up(self.failures) {
                let wait = controllers_wait(CONTROLLERS_TRIES) * growth;
                spread(wait.min(LONGEST_WAIT), JITTER)
            } else {
                controllers_wait(self.failures).mul_f64(1.0 + CONTROLLERS_JITTER * chance())
            };
        };
        // Who is told keeps to it, without a second's haste; only a registry that always says the same is asked less and
        // less often.
        let asked = asked.max(FIRST_WAIT);
        if growth == 1 {
            return asked;
        }
        let grown = asked.saturating_mul(growth).min(asked.max(LONGEST_WAIT));
        grown.mul_f64(1.0 + JITTER * chance())
    }

    /// Whether the controller's tries are used up.
    pub fn is_over_for_the_controller(&self) -> bool {
        controller_gives_up(self.controllers)
    }

    fn controller_fails(&mut self, at: Instant) {
        self.controllers += 1;
        self.controllers_next = Some(at + controllers_wait(self.controllers));
    }
}

/// A wait that is longer or shorter by up to a part of it, so that many clients don't come again all at once.
fn spread(wait: Duration, part: f64) -> Duration {
    wait.mul_f64(1.0 + part * (2.0 * chance() - 1.0))
}

/// A number from 0 to 1. The standard library's hashes start with random keys.
fn chance() -> f64 {
    let bits = u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or_default();
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                (*name).parse().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        });
        pairs.collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |value: &str| throttling(&headers(&[("retry-after", value)])).retry_after;
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let wait = after("Fri, 01 Jan 2100 00:00:00 GMT").unwrap();
        assert!(wait > Duration::from_secs(60 * 60 * 24 * 365), "{wait:?}");
        assert_eq!(after("18446744073709551615"), Some(NEVER));
        for nonsense in ["-1", "soon", "1.5", ""] {
            assert_eq!(after(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn headers_about_limits_are_kept_as_they_are() {
        let told = throttling(&headers(&[
            ("ratelimit-remaining", "98;w=21600"),
            ("ratelimit-limit", "100;w=21600"),
            ("docker-ratelimit-source", "203.0.113.7"),
            ("retry-after", "3"),
            ("content-type", "x"),
        ]));
        assert_eq!(
            told.to_string(),
            "retry-after: 3s, docker-ratelimit-source: 203.0.113.7, ratelimit-limit: 100;w=21600, ratelimit-remaining: 98;w=21600"
        );
        assert_eq!(
            told_limit(&told.limits),
            Some((100, Duration::from_secs(21600)))
        );
        assert_eq!(told_limit(&["ratelimit-limit: 100".into()]), None);
    }

    /// The waits after failures that come as soon as possible, and after which the controller's tries were used up.
    fn waits(retry_after: &[Option<u64>]) -> (Vec<u64>, Option<usize>) {
        let mut tries = Tries::default();
        let mut now = Instant::now();
        let mut over = None;
        let waits = retry_after.iter().enumerate().map(|(place, asked)| {
            let wait = tries.failed(now, asked.map(Duration::from_secs));
            if tries.is_over_for_the_controller() {
                over.get_or_insert(place + 1);
            }
            now += wait;
            wait.as_secs()
        });
        let waits = waits.collect();
        (waits, over)
    }

    #[test]
    fn without_a_word_the_controller_is_followed_and_outlasted() {
        let (waits, over) = waits(&[None; 8]);
        assert_eq!(waits[..2], [1, 3]);
        assert!(
            waits[2..].iter().all(|wait| (6..=38).contains(wait)),
            "{waits:?}"
        );
        assert!(waits[5] > waits[2] || waits[5] >= 22, "{waits:?}");
        assert_eq!(over, Some(3));
    }

    #[test]
    fn who_is_told_to_wait_waits_and_the_controller_does_not() {
        // The controller comes after 1 and 4 seconds.
        assert_eq!(waits(&[Some(2)]), (vec![2], None));
        assert_eq!(waits(&[Some(4)]), (vec![4], None));
        assert_eq!(waits(&[Some(5)]), (vec![5], Some(1)));
        assert_eq!(waits(&[Some(0), Some(0)]).0, [1, 1]);
        // Two early failures leave the controller's last try, which is to come.
        assert_eq!(waits(&[Some(2), Some(1)]), (vec![2, 1], None));
        assert_eq!(waits(&[Some(2), Some(3)]).1, Some(2));
    }

    #[test]
    fn a_registry_that_says_the_same_again_and_again_is_asked_less_often() {
        let (short, over) = waits(&[Some(1); 10]);
        assert_eq!(short[..3], [1, 1, 1]);
        assert!((2..=3).contains(&short[3]), "{short:?}");
        assert!((4..=5).contains(&short[4]), "{short:?}");
        assert!((30..=37).contains(&short[9]), "{short:?}");
        assert_eq!(over, Some(5));
        let (long, _) = waits(&[Some(60); 5]);
        assert!(long.iter().all(|wait| (60..=75).contains(wait)), "{long:?}");
        let forever = NEVER.as_secs();
        assert_eq!(waits(&[Some(forever)]), (vec![forever], Some(1)));
    }
}
