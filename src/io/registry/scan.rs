//! One scan: its registry, its time, and requests that are tried again as the controller does.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::Method;

use super::answers::{redacted, status_name};
use super::broken::Broken;
use super::error::RegistryErrorKind;
use super::wire::{Answer, Request, Wire, locked};
use crate::facts::registry::RegistryAccess;
use crate::go::reference::Repository;
use crate::io::observer::Event;

/// The statuses after which a request is tried again.
const RETRIED: [u16; 8] = [408, 429, 499, 500, 502, 503, 504, 522];
const TRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Each wait is so many times the one before.
const FACTOR: u32 = 3;

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
    deadline: Mutex<Instant>,
}

impl<'s> Scan<'s> {
    pub fn new(
        wire: &'s Wire,
        image: &Repository,
        access: &'s RegistryAccess,
        insecure: bool,
        timeout: Duration,
    ) -> Self {
        let now = Instant::now();
        let far = now + Duration::from_secs(60 * 60 * 24 * 365);
        Self {
            wire,
            access,
            registry: image.registry().to_owned(),
            path: image.path(),
            allows_http: insecure || image.is_plain_http(),
            deadline: Mutex::new(now.checked_add(timeout).unwrap_or(far)),
        }
    }

    /// The scheme that the URLs of the registry are written with before it is known which one it speaks.
    pub fn nominal_scheme(&self) -> &'static str {
        if self.allows_http { "http" } else { "https" }
    }

    /// Sends a request, three times in all where the answer or a dropped connection asks for it.
    pub async fn round_trip(&self, request: &Request) -> Result<Answer, Broken> {
        let mut wait = FIRST_WAIT;
        let mut tries = 1;
        loop {
            let outcome = self.exchange(request).await;
            let again = match &outcome {
                Ok(answer) => RETRIED.contains(&answer.status),
                Err(broken) => broken.retried,
            };
            if !again || tries == TRIES {
                return outcome;
            }
            // The controller sleeps past its deadline and then fails: there is nothing to wait for.
            let until = (Instant::now() + wait).min(self.deadline());
            tokio::time::sleep_until(until.into()).await;
            // The controller doesn't get as far as a second try.
            if let (Some(body), Ok(answer)) = (&request.body, &outcome) {
                let kind = match answer.status {
                    429 => RegistryErrorKind::RateLimited,
                    status => RegistryErrorKind::Refused { status },
                };
                return Err(Broken::body_is_gone(body.len(), kind));
            }
            wait *= FACTOR;
            tries += 1;
        }
    }

    async fn exchange(&self, request: &Request) -> Result<Answer, Broken> {
        let asked = Instant::now();
        let _turn = self.wire.turn(&request.url.authority()).await;
        let started = Instant::now();
        *locked(&self.deadline) += started - asked;
        let outcome = self.wire.send(request, self.access, self.deadline()).await;
        self.wire.observer.tell(Event::Request {
            method: name(&request.method),
            url: redacted(&request.url),
            outcome: match &outcome {
                Ok(answer) => format!("{} {}", answer.status, status_name(answer.status)),
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

fn name(method: &Method) -> &'static str {
    match *method {
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "GET",
    }
}
