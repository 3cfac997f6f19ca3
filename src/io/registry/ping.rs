//! `GET /v2/`: whether there is a registry, which scheme it speaks and what login it wants.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use super::challenge::{Challenge, choose};
use super::error::RegistryError;
use super::exchange::{Redirects, SHORT_BODY, Trail};
use super::scan::Scan;
use super::wire::{Request, locked};
use crate::facts::network::{ClientTls, Proxy};
use crate::facts::registry::RegistryErrorKind;
use crate::go::url::Url;

/// How long https may take before http is tried beside it.
const FALLBACK_DELAY: Duration = Duration::from_millis(300);

/// What a registry answered to a ping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ping {
    /// `https` or `http`.
    pub scheme: &'static str,
    pub challenge: Challenge,
}

/// The registries that were pinged in this run, each once at a time.
#[derive(Default)]
pub(super) struct Pings(Mutex<HashMap<PingKey, Arc<AsyncMutex<Option<Known>>>>>);

type PingKey = (String, bool, ClientTls, Option<Proxy>);

/// What came of a ping.
struct Known {
    outcome: Result<Ping, RegistryError>,
    /// How long the scan that sent it had.
    within: Duration,
    /// What the controller would have given up with.
    outlasted: Option<RegistryError>,
}

impl Pings {
    /// Forgets all that is known; whoever pings at the moment isn't disturbed.
    pub fn forget(&self) {
        locked(&self.0).clear();
    }
}

impl Scan<'_> {
    /// Pings the registry, unless that was done before in the same way: a host that is dead for one scan is dead for the
    /// others.
    pub async fn ping(&self) -> Result<Ping, RegistryError> {
        let key = (
            self.registry.clone(),
            self.allows_http,
            self.access.tls.clone(),
            self.access.proxy.clone(),
        );
        let known = Arc::clone(locked(&self.wire.pings.0).entry(key).or_default());
        let asked = Instant::now();
        let mut known = known.lock().await;
        self.waited_for_others(asked.elapsed());
        if let Some(known) = &*known
            && !known.might_end_otherwise(self.timeout)
        {
            if let Some(error) = known.outlasted.clone() {
                self.is_outlasted(error);
            }
            return known.outcome.clone();
        }
        let outcome = if self.allows_http {
            self.ping_both().await
        } else {
            self.ping_by("https").await
        };
        *known = Some(Known {
            outcome: outcome.clone(),
            within: self.timeout,
            outlasted: self.outlasted(),
        });
        outcome
    }

    /// https first, http beside it when that fails or takes its time; the first that answers counts.
    async fn ping_both(&self) -> Result<Ping, RegistryError> {
        let mut primary = pin!(self.ping_by("https"));
        match timeout(FALLBACK_DELAY, &mut primary).await {
            Ok(Ok(ping)) => return Ok(ping),
            Ok(Err(first)) => {
                let second = self.ping_by("http").await;
                self.outlasted_behind(|outlasted| both(first.clone(), outlasted));
                return second.map_err(|second| both(first, second));
            }
            Err(_) => {}
        }
        let mut fallback = pin!(self.ping_by("http"));
        tokio::select! {
            first = &mut primary => match first {
                Ok(ping) => Ok(ping),
                Err(first) => fallback.await.map_err(|second| both(first, second)),
            },
            second = &mut fallback => match second {
                Ok(ping) => Ok(ping),
                Err(second) => primary.await.map_err(|first| both(first, second)),
            },
        }
    }

    async fn ping_by(&self, scheme: &str) -> Result<Ping, RegistryError> {
        let url = format!("{scheme}://{}/v2/", self.registry);
        let request = Request {
            method: Method::GET,
            url: Url::parse(&url).map_err(|error| RegistryError::bad_answer(error.to_string()))?,
            headers: HeaderMap::new(),
            body: None,
            most: SHORT_BODY,
        };
        let mut trail = Trail::start(request, Redirects::Any)?;
        let fetched = loop {
            let answer = self.round_trip(&trail.request).await;
            let answer = answer.map_err(|broken| trail.named(broken))?;
            if let Some(fetched) = trail.take(answer)? {
                break fetched;
            }
        };
        let scheme = match fetched.url.scheme.as_str() {
            "http" => "http",
            _ => "https",
        };
        match fetched.answer.status {
            200 => Ok(Ping {
                scheme,
                challenge: Challenge::default(),
            }),
            401 => Ok(Ping {
                scheme,
                challenge: choose(&fetched.answer.headers),
            }),
            _ => Err(fetched.refused()),
        }
    }
}

impl Known {
    /// Whether a scan with this much time may see another end.
    fn might_end_otherwise(&self, timeout: Duration) -> bool {
        let is_timed_out = |error: &RegistryError| error.kind() == RegistryErrorKind::TimedOut;
        self.outcome.as_ref().is_err_and(is_timed_out) && timeout > self.within
    }
}

/// The errors of https and http as one; its kind is that of the one that tells more.
fn both(first: RegistryError, second: RegistryError) -> RegistryError {
    use RegistryErrorKind::{BadAnswer, RateLimited, Refused};
    let kind = match (first.kind(), second.kind()) {
        (kind @ (Refused { .. } | RateLimited), _) | (_, kind @ (Refused { .. } | RateLimited)) => {
            kind
        }
        // Not even http is spoken: what https met counts.
        (kind, BadAnswer) => kind,
        (_, kind) => kind,
    };
    match (first.controller_text(), second.controller_text()) {
        (Some(first), Some(second)) => RegistryError::new(kind, format!("{first}; {second}")),
        _ => RegistryError::our_limit(format!("{first}; {second}")),
    }
}
