//! `GET /v2/`: whether there is a registry, which scheme it speaks and what login it wants.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use http::{HeaderMap, Method};
use tokio::time::timeout;

use super::challenge::{Challenge, choose};
use super::error::{RegistryError, RegistryErrorKind};
use super::exchange::{Redirects, SHORT_BODY, Trail};
use super::scan::Scan;
use super::wire::{Request, locked};
use crate::facts::network::{ClientTls, Proxy};
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

/// The registries that have answered in this run.
#[derive(Default)]
pub(super) struct Pings(Mutex<HashMap<PingKey, Ping>>);

type PingKey = (String, bool, ClientTls, Option<Proxy>);

impl Scan<'_> {
    /// Pings the registry, unless that was done before in the same way.
    pub async fn ping(&self) -> Result<Ping, RegistryError> {
        let key = (
            self.registry.clone(),
            self.allows_http,
            self.access.tls.clone(),
            self.access.proxy.clone(),
        );
        if let Some(ping) = locked(&self.wire.pings.0).get(&key) {
            return Ok(ping.clone());
        }
        let ping = if self.allows_http {
            self.ping_both().await?
        } else {
            self.ping_by("https").await?
        };
        locked(&self.wire.pings.0).insert(key, ping.clone());
        Ok(ping)
    }

    /// https first, http beside it when that fails or takes its time; the first that answers counts.
    async fn ping_both(&self) -> Result<Ping, RegistryError> {
        let mut primary = pin!(self.ping_by("https"));
        match timeout(FALLBACK_DELAY, &mut primary).await {
            Ok(Ok(ping)) => return Ok(ping),
            Ok(Err(first)) => {
                let second = self.ping_by("http").await;
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
