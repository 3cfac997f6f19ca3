//! One scan: its registry, its time, and requests that are tried again: as the controller does, or with more patience.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::Method;

use super::answers::{redacted, status_name};
use super::broken::Broken;
use super::error::RegistryError;
use super::exchange::{Fetched, named};
use super::throttling::{Tries, controller_gives_up, controllers_wait, throttling};
use super::wire::{Answer, Request, Wire, locked};
use super::{Patience, ScanLimits};
use crate::facts::registry::RegistryAccess;
use crate::facts::registry::RegistryErrorKind;
use crate::go::reference::Repository;
use crate::io::observer::Event;

/// The statuses after which a request is tried again.
const RETRIED: [u16; 8] = [408, 429, 499, 500, 502, 503, 504, 522];

/// A scan under way.
pub(super) struct Scan<'s> {
    pub wire: &'s Wire,
    pub access: &'s RegistryAccess,
    /// Host and port of the registry.
    pub registry: String,
    /// The repository's path there.
    pub path: String,
    /// Plain http may be spoken where https fails.
    pub allows_http: bool,
    /// How long it may take.
    pub timeout: Duration,
    patience: Patience,
    deadline: Mutex<Instant>,
    /// What the controller gave up with where we went on.
    outlasted: Mutex<Option<RegistryError>>,
}

impl<'s> Scan<'s> {
    pub fn new(
        wire: &'s Wire,
        image: &Repository,
        access: &'s RegistryAccess,
        insecure: bool,
        limits: ScanLimits,
    ) -> Self {
        let now = Instant::now();
        let far = now + Duration::from_secs(60 * 60 * 24 * 365);
        Self {
            wire,
            access,
            registry: image.registry().to_owned(),
            path: image.path(),
            allows_http: insecure || image.is_plain_http(),
            timeout: limits.timeout,
            patience: limits.patience,
            deadline: Mutex::new(now.checked_add(limits.timeout).unwrap_or(far)),
            outlasted: Mutex::default(),
        }
    }

    /// The scheme that the URLs of the registry are written with before it is known which one it speaks.
    pub fn nominal_scheme(&self) -> &'static str {
        if self.allows_http { "http" } else { "https" }
    }

    /// Sends a request, and again where the answer or a dropped connection asks for it.
    pub async fn round_trip(&self, request: &Request) -> Result<Answer, Broken> {
        match self.patience {
            Patience::AsController => self.three_tries(request).await,
            Patience::UntilTimeout => self.patient_tries(request).await,
        }
    }

    async fn three_tries(&self, request: &Request) -> Result<Answer, Broken> {
        let mut failures = 0;
        loop {
            let outcome = self.exchange(request).await;
            failures += 1;
            if !is_tried_again(&outcome) || controller_gives_up(failures) {
                return outcome;
            }
            // The controller sleeps past its deadline and then fails: there is nothing to wait for.
            let until = (Instant::now() + controllers_wait(failures)).min(self.deadline());
            tokio::time::sleep_until(until.into()).await;
            if let Some(broken) = second_body(request, &outcome) {
                return Err(broken);
            }
        }
    }

    /// Goes on until the scan's time is up, keeping what the controller would have given up with.
    async fn patient_tries(&self, request: &Request) -> Result<Answer, Broken> {
        let mut tries = Tries::default();
        loop {
            let outcome = self.exchange(request).await;
            if !is_tried_again(&outcome) {
                return outcome;
            }
            let said = outcome
                .as_ref()
                .ok()
                .map(|answer| throttling(&answer.headers));
            let now = Instant::now();
            let wait = tries.failed(now, said.and_then(|said| said.retry_after));
            if let Some(broken) = second_body(request, &outcome) {
                self.is_outlasted(named(
                    broken.into(),
                    &request.method,
                    &request.url.to_string(),
                ));
            } else if tries.is_over_for_the_controller() {
                self.is_outlasted(failure(request, &outcome));
            }
            if now + wait >= self.deadline() {
                return outcome;
            }
            self.wire.observer.tell(Event::Waiting {
                host: request.url.authority(),
                because: match &outcome {
                    Ok(answer) => {
                        let status = answer.status;
                        format!("{status} {}", status_name(status))
                    }
                    Err(_) => "the connection breaks".into(),
                },
                wait,
            });
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes note of what the controller ends with; only the first end counts.
    pub fn is_outlasted(&self, by: RegistryError) {
        locked(&self.outlasted).get_or_insert(by);
    }

    /// Rewrites what the controller ends with, where it does.
    pub fn outlasted_behind(&self, rewrite: impl FnOnce(RegistryError) -> RegistryError) {
        let mut outlasted = locked(&self.outlasted);
        *outlasted = outlasted.take().map(rewrite);
    }

    /// Time that was spent on waiting for other scans doesn't count.
    pub fn waited_for_others(&self, time: Duration) {
        *locked(&self.deadline) += time;
    }

    /// What the controller would have given up with, although this scan went on.
    pub fn outlasted(&self) -> Option<RegistryError> {
        locked(&self.outlasted).clone()
    }

    async fn exchange(&self, request: &Request) -> Result<Answer, Broken> {
        let asked = Instant::now();
        let _turn = self.wire.turn(&request.url.authority()).await;
        let started = Instant::now();
        self.waited_for_others(started - asked);
        let outcome = self.wire.send(request, self.access, self.deadline()).await;
        self.wire.observer.tell(Event::Request {
            method: name(&request.method),
            url: redacted(&request.url),
            outcome: match &outcome {
                Ok(answer) => described(answer),
                Err(broken) => broken.text.clone(),
            },
            took: started.elapsed(),
        });
        outcome
    }

    /// The addresses of a host, as far as they are known in time.
    pub async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let addresses = self.wire.addresses(host);
        tokio::time::timeout_at(self.deadline().into(), addresses)
            .await
            .unwrap_or_default()
    }

    fn deadline(&self) -> Instant {
        *locked(&self.deadline)
    }
}

/// The status, and what the answer says about limits.
fn described(answer: &Answer) -> String {
    let status = format!("{} {}", answer.status, status_name(answer.status));
    match throttling(&answer.headers).to_string() {
        said if said.is_empty() => status,
        said => format!("{status} ({said})"),
    }
}

fn is_tried_again(outcome: &Result<Answer, Broken>) -> bool {
    match outcome {
        Ok(answer) => RETRIED.contains(&answer.status),
        Err(broken) => broken.retried,
    }
}

/// The controller doesn't get as far as a second try where there is a body: it was sent once.
fn second_body(request: &Request, outcome: &Result<Answer, Broken>) -> Option<Broken> {
    let (body, answer) = (request.body.as_ref()?, outcome.as_ref().ok()?);
    let kind = match answer.status {
        429 => RegistryErrorKind::RateLimited,
        status => RegistryErrorKind::Refused { status },
    };
    Some(Broken::body_is_gone(body.len(), kind))
}

/// The error that an outcome is where nobody tries again.
fn failure(request: &Request, outcome: &Result<Answer, Broken>) -> RegistryError {
    match outcome {
        Ok(answer) => Fetched {
            method: request.method.clone(),
            url: request.url.clone(),
            answer: answer.clone(),
        }
        .refused(),
        Err(broken) => named(
            broken.clone().into(),
            &request.method,
            &request.url.to_string(),
        ),
    }
}

fn name(method: &Method) -> &'static str {
    match *method {
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "GET",
    }
}
