//! A request and what it was redirected to, as Go's client follows it; and statuses that are errors.

use std::net::IpAddr;

use http::header::LOCATION;
use http::{HeaderMap, Method};

use super::answers::{is_page_too_long, is_rate_limit, refusal};
use super::broken::{Broken, host_name};
use super::error::RegistryError;
use super::throttling::throttling;
use super::wire::{Answer, Request};
use crate::facts::registry::RegistryErrorKind;
use crate::go::text::quote;
use crate::go::url::Url;

/// How much of the body of an error, a ping or a token is read.
pub(super) const SHORT_BODY: usize = 64 * 1024;
/// How often Go's client lets itself be redirected where nothing else is said.
const USUAL_REDIRECTS: usize = 10;
/// Where the controller would go on until its timeout.
const MOST_REDIRECTS: usize = 50;

/// Which redirects are followed.
#[derive(Clone, Copy)]
pub(super) enum Redirects<'r> {
    /// All, up to ten.
    Any,
    /// Those to hosts that may be asked for a token, up to ten.
    Realms {
        /// Host and port of the registry.
        registry: &'r str,
        /// Plain http is allowed.
        plain: bool,
    },
    /// All but those from one host to a private address of another.
    Guarded,
}

/// The answer at the end of the redirects.
#[derive(Debug)]
pub(super) struct Fetched {
    pub method: Method,
    pub url: Url,
    pub answer: Answer,
}

impl Fetched {
    /// The answer, unless its status isn't 200.
    pub fn accepted(self) -> Result<Self, RegistryError> {
        if self.answer.status == 200 {
            return Ok(self);
        }
        Err(self.refused())
    }

    /// The error that the answer is.
    pub fn refused(mut self) -> RegistryError {
        if let Some(broken) = self.answer.broken {
            return broken.into();
        }
        self.answer.body.truncate(SHORT_BODY);
        let Answer { status, body, .. } = &self.answer;
        let kind = if is_rate_limit(*status, body) {
            RegistryErrorKind::RateLimited
        } else if is_page_too_long(*status, body) {
            RegistryErrorKind::PageTooLong
        } else {
            RegistryErrorKind::Refused { status: *status }
        };
        let text = refusal(self.method.as_str(), &self.url, *status, body);
        RegistryError::new(kind, text).with(throttling(&self.answer.headers))
    }
}

impl From<Broken> for RegistryError {
    fn from(broken: Broken) -> Self {
        if broken.ours {
            Self::our_limit(broken.text)
        } else {
            Self::new(broken.kind, broken.text)
        }
    }
}

/// A request on its way through redirects. The one who sends it adds credentials to [`Trail::request`] at each hop; they
/// are never those of the hop before.
pub(super) struct Trail<'r> {
    pub request: Request,
    redirects: Redirects<'r>,
    /// As the request was at first: errors name its method, and hops start with its headers.
    method: Method,
    headers: HeaderMap,
    origin: Url,
    hops: usize,
}

impl<'r> Trail<'r> {
    /// A request that hasn't been sent.
    pub fn start(request: Request, redirects: Redirects<'r>) -> Result<Self, RegistryError> {
        let mut trail = Self {
            method: request.method.clone(),
            headers: request.headers.clone(),
            origin: request.url.clone(),
            hops: 0,
            request,
            redirects,
        };
        trail.check_url()?;
        Ok(trail)
    }

    /// Takes the answer of a hop: the end, or nothing where there is another hop to send.
    pub fn take(&mut self, answer: Answer) -> Result<Option<Fetched>, RegistryError> {
        let Some(location) = redirect(&answer) else {
            return Ok(Some(Fetched {
                method: self.request.method.clone(),
                url: self.request.url.clone(),
                answer,
            }));
        };
        let next = Url::parse(&location).map_err(|error| {
            let location = quote(&location);
            let text = format!("failed to parse Location header {location}: {error}");
            self.named(RegistryError::bad_answer(text))
        })?;
        let next = self.request.url.resolve(&next);
        self.hops += 1;
        self.redirects
            .check(&self.origin, &next, self.hops)
            .map_err(|error| named(error, &self.method, &location))?;
        self.request.url = next;
        self.request.headers.clone_from(&self.headers);
        if !matches!(answer.status, 307 | 308) {
            self.request.body = None;
            if self.request.method == Method::POST {
                self.request.method = Method::GET;
            }
        }
        self.check_url()?;
        Ok(None)
    }

    /// An error of this hop, as Go's client names it.
    pub fn named(&self, error: impl Into<RegistryError>) -> RegistryError {
        named(error.into(), &self.method, &self.request.url.to_string())
    }

    fn check_url(&mut self) -> Result<(), RegistryError> {
        // Logins that stand in URLs are nobody's.
        self.request.url.user = None;
        let scheme = &self.request.url.scheme;
        if matches!(scheme.as_str(), "http" | "https") {
            return Ok(());
        }
        let text = format!("unsupported protocol scheme {}", quote(scheme));
        Err(self.named(RegistryError::bad_answer(text)))
    }
}

/// What Go's client puts before an error.
pub(super) fn named(error: RegistryError, method: &Method, url: &str) -> RegistryError {
    let operation = match *method {
        Method::HEAD => "Head",
        Method::POST => "Post",
        _ => "Get",
    };
    error.within(|text| format!("{operation} {}: {text}", quote(url)))
}

fn redirect(answer: &Answer) -> Option<String> {
    if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    answer
        .header(&LOCATION)
        .filter(|location| !location.is_empty())
}

impl Redirects<'_> {
    fn check(self, origin: &Url, next: &Url, hops: usize) -> Result<(), RegistryError> {
        match self {
            Self::Guarded => {
                let (from, to) = (origin.authority(), next.authority());
                let (from, to) = (host_name(&from), host_name(&to));
                if from != to && is_private_address(to) {
                    return Err(RegistryError::bad_answer(format!(
                        "SSRF protection: redirect from {} to private/link-local host {} denied",
                        quote(from),
                        quote(to)
                    )));
                }
                if hops > MOST_REDIRECTS {
                    return Err(RegistryError::endless(
                        format!("redirected more than {MOST_REDIRECTS} times"),
                        Broken::deadline().text,
                    ));
                }
            }
            Self::Any | Self::Realms { .. } if hops >= USUAL_REDIRECTS => {
                return Err(RegistryError::bad_answer(format!(
                    "stopped after {USUAL_REDIRECTS} redirects"
                )));
            }
            Self::Any => {}
            Self::Realms { registry, plain } => {
                check_realm(&next.to_string(), registry, plain).map_err(|why| {
                    RegistryError::bad_answer(format!(
                        "refusing token-server redirect to {}: {why}",
                        quote(&next.to_string())
                    ))
                })?;
            }
        }
        Ok(())
    }
}

/// Whether a token may be asked for at `realm`; the error is the controller's.
pub(super) fn check_realm(realm: &str, registry: &str, plain: bool) -> Result<(), String> {
    let url =
        Url::parse(realm).map_err(|error| format!("parsing realm {}: {error}", quote(realm)))?;
    let scheme = quote(&url.scheme);
    match url.scheme.as_str() {
        "https" => {}
        "http" if plain => {}
        "http" => {
            return Err(format!(
                "realm scheme {scheme} not allowed for a secure registry; use https"
            ));
        }
        _ => {
            return Err(format!(
                "realm scheme {scheme} not allowed; must be https (or http for insecure registries)"
            ));
        }
    }
    let authority = url.authority();
    let host = host_name(&authority);
    if authority != registry && is_private_address(host) {
        return Err(format!(
            "realm host {} is a private or link-local address",
            quote(host)
        ));
    }
    Ok(())
}

/// Whether a host is written as an address that isn't public.
pub(super) fn is_private_address(host: &str) -> bool {
    host.parse().is_ok_and(is_private)
}

/// Loopback, link-local, private or unspecified.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, third, _] = address.octets();
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
                || (first, second, third) == (224, 0, 0)
        }
        IpAddr::V6(address) => {
            // Link-local multicast is ff02::/16, whatever its flags.
            let link_local_multicast = address.segments()[0] & 0xff0f == 0xff02;
            address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified()
                || link_local_multicast
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realms_are_checked_as_the_controller_does() {
        let check = |realm: &str, plain| check_realm(realm, "10.0.0.1:5000", plain);
        assert_eq!(check("https://auth.io/token", false), Ok(()));
        assert_eq!(check("http://10.0.0.1:5000/token", true), Ok(()));
        assert_eq!(check("http://auth.io/token", true), Ok(()));
        assert_eq!(
            check("http://auth.io/token", false),
            Err(r#"realm scheme "http" not allowed for a secure registry; use https"#.into())
        );
        assert_eq!(
            check("ftp://auth.io/token", true),
            Err(r#"realm scheme "ftp" not allowed; must be https (or http for insecure registries)"#.into())
        );
        for host in [
            "10.0.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "[fe80::1]",
            "[::]",
            "[fd00::1]",
        ] {
            let refused = check(&format!("https://{host}/token"), false).unwrap_err();
            assert!(
                refused.ends_with("is a private or link-local address"),
                "{refused}"
            );
        }
    }

    #[test]
    fn redirects_to_private_addresses_of_others_are_refused() {
        let url = |text: &str| Url::parse(text).unwrap();
        let check = |from: &str, to: &str| Redirects::Guarded.check(&url(from), &url(to), 1);
        assert!(check("https://h.io/", "https://cdn.io/").is_ok());
        assert!(check("http://10.0.0.1:1/", "http://10.0.0.1:2/").is_ok());
        assert_eq!(
            check("https://h.io/", "http://169.254.169.254/")
                .unwrap_err()
                .controller_text(),
            Some(
                r#"SSRF protection: redirect from "h.io" to private/link-local host "169.254.169.254" denied"#
            )
        );
    }
}
