//! Logins on the wire: Basic as it is, Bearer by way of a token server.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};

use super::answers;
use super::challenge::{Challenge, challenges};
use super::error::RegistryError;
use super::exchange::{Redirects, SHORT_BODY, Trail, check_realm};
use super::scan::Scan;
use super::wire::{Answer, Request, locked};
use crate::facts::registry::RegistryErrorKind;
use crate::facts::registry::{RegistryAccess, RegistryLogin};
use crate::go::url::{Url, encoded_query};

/// What the controller calls itself towards token servers.
const CLIENT_ID: &str = "go-containerregistry";
/// How long a token lasts where its server doesn't say.
const USUAL_LIFE: Duration = Duration::from_secs(60);
/// A token that ends so soon isn't taken from the store.
const SAFETY: Duration = Duration::from_secs(10);

/// The tokens of a run, so that a digest needs no second exchange after the tags.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<TokenKey, (String, Instant)>>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct TokenKey {
    registry: String,
    realm: String,
    service: String,
    scopes: Vec<String>,
    access: RegistryAccess,
}

/// A registry that was pinged, and how requests to it are authorized.
pub(super) struct Session {
    scheme: &'static str,
    bearer: Option<Bearer>,
}

struct Bearer {
    realm: String,
    service: String,
    scopes: Vec<String>,
    /// What tokens are asked for with: the object's login, or a refresh token that a server gave for it.
    login: RegistryLogin,
    token: String,
}

impl Scan<'_> {
    /// Pings the registry and gets a token where it wants one.
    pub async fn open(&self) -> Result<Session, RegistryError> {
        let ping = self.ping().await?;
        let mut session = Session {
            scheme: ping.scheme,
            bearer: None,
        };
        if ping.challenge.scheme == "bearer" {
            let mut bearer = Bearer::new(self, &ping.challenge, ping.scheme == "http")?;
            let key = bearer.key(self);
            match self.wire.tokens.get(&key) {
                Some(token) => bearer.token = token,
                None => bearer.refresh(self, ping.scheme).await?,
            }
            session.bearer = Some(bearer);
        }
        Ok(session)
    }
}

impl Session {
    /// Whether requests go with a token of a token server.
    pub fn with_token(&self) -> bool {
        self.bearer.is_some()
    }

    /// Sends a request of this registry's; the credentials go only to its own host and port.
    pub async fn send(
        &mut self,
        scan: &Scan<'_>,
        request: &mut Request,
    ) -> Result<Answer, RegistryError> {
        let own = is_host(&scan.registry, &request.url, self.scheme);
        if own {
            self.scheme.clone_into(&mut request.url.scheme);
        }
        let Some(bearer) = &mut self.bearer else {
            // Basic goes by the host as it is written.
            if request.url.authority() == scan.registry {
                add_login(&mut request.headers, &scan.access.login)?;
            }
            return Ok(scan.round_trip(request).await?);
        };
        if own {
            add(&mut request.headers, &format!("Bearer {}", bearer.token))?;
        }
        let answer = scan.round_trip(request).await?;
        let wanted = match answer.status {
            401 => challenges(&answer.headers),
            _ => Vec::new(),
        };
        if wanted.is_empty() {
            return Ok(answer);
        }
        // The token has expired, or is for too little.
        bearer.widen(&wanted);
        bearer.refresh(scan, self.scheme).await?;
        if own {
            add(&mut request.headers, &format!("Bearer {}", bearer.token))?;
        }
        Ok(scan.round_trip(request).await?)
    }
}

impl Bearer {
    fn new(scan: &Scan<'_>, challenge: &Challenge, plain: bool) -> Result<Self, RegistryError> {
        let parameter = |name: &str| challenge.parameters.get(name).cloned();
        let Some(realm) = parameter("realm") else {
            let pairs = challenge.parameters.iter();
            let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}:{value}")).collect();
            return Err(RegistryError::bad_answer(format!(
                "malformed www-authenticate, missing realm: map[{}]",
                pairs.join(" ")
            )));
        };
        check_realm(&realm, &scan.registry, plain).map_err(|why| {
            RegistryError::bad_answer(format!("invalid realm in www-authenticate: {why}"))
        })?;
        Ok(Self {
            realm,
            service: parameter("service").unwrap_or_default(),
            scopes: vec![format!("repository:{}:pull", scan.path)],
            login: scan.access.login.clone(),
            token: String::new(),
        })
    }

    fn key(&self, scan: &Scan<'_>) -> TokenKey {
        TokenKey {
            registry: scan.registry.clone(),
            realm: self.realm.clone(),
            service: self.service.clone(),
            scopes: self.scopes.clone(),
            access: scan.access.clone(),
        }
    }

    /// Asks for the scopes of the challenges too, before those that are asked for already.
    fn widen(&mut self, wanted: &[Challenge]) {
        let new = wanted
            .iter()
            .filter_map(|challenge| challenge.parameters.get("scope"))
            .filter(|scope| !self.scopes.contains(scope));
        let new: Vec<String> = new.cloned().collect();
        self.scopes.splice(0..0, new);
    }

    async fn refresh(&mut self, scan: &Scan<'_>, scheme: &str) -> Result<(), RegistryError> {
        if let RegistryLogin::RegistryToken(token) = &self.login {
            self.token.clone_from(token);
            return Ok(());
        }
        let body = match &self.login {
            RegistryLogin::IdentityToken { token, .. } => {
                match self.by_refresh_token(scan, scheme, token).await {
                    // Not every token server knows the grant.
                    Err(error) if error.kind() == (RegistryErrorKind::Refused { status: 404 }) => {
                        self.by_password(scan, scheme).await?
                    }
                    other => other?,
                }
            }
            _ => self.by_password(scan, scheme).await?,
        };
        let answer = answers::token(&body).map_err(RegistryError::bad_answer)?;
        let life = u64::try_from(answer.expires_in)
            .ok()
            .filter(|seconds| *seconds > 0)
            .map_or(USUAL_LIFE, Duration::from_secs);
        scan.wire.tokens.put(self.key(scan), &answer.token, life);
        self.token = answer.token;
        if !answer.refresh_token.is_empty() {
            self.login = RegistryLogin::IdentityToken {
                token: answer.refresh_token,
                basic: None,
            };
        }
        Ok(())
    }

    async fn by_password(&self, scan: &Scan<'_>, scheme: &str) -> Result<Vec<u8>, RegistryError> {
        let mut url = self.url()?;
        let replaced = |name: &str| name == "scope" || name == "service";
        let mut pairs = url.query_pairs();
        pairs.retain(|(name, _)| !replaced(name));
        let scopes = self.scopes.iter();
        pairs.extend(scopes.map(|scope| ("scope".to_owned(), scope.clone())));
        pairs.push(("service".to_owned(), self.service.clone()));
        url.query = encoded_query(&pairs);
        let realm_host = url.authority();
        let request = Request {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: None,
            most: SHORT_BODY,
        };
        self.ask(scan, scheme, request, Some(&realm_host)).await
    }

    async fn by_refresh_token(
        &self,
        scan: &Scan<'_>,
        scheme: &str,
        token: &str,
    ) -> Result<Vec<u8>, RegistryError> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut pairs = vec![
            pair("client_id", CLIENT_ID),
            pair("grant_type", "refresh_token"),
            pair("refresh_token", token),
            pair("scope", &self.scopes.join(" ")),
        ];
        if !self.service.is_empty() {
            pairs.push(pair("service", &self.service));
        }
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        let request = Request {
            method: Method::POST,
            url: self.url()?,
            headers,
            body: Some(encoded_query(&pairs)),
            most: SHORT_BODY,
        };
        self.ask(scan, scheme, request, None).await
    }

    /// Sends a request for a token; user and password go to `login_host` only.
    async fn ask(
        &self,
        scan: &Scan<'_>,
        scheme: &str,
        request: Request,
        login_host: Option<&str>,
    ) -> Result<Vec<u8>, RegistryError> {
        let redirects = Redirects::Realms {
            registry: &scan.registry,
            plain: scheme == "http",
        };
        let mut trail = Trail::start(request, redirects)?;
        let fetched = loop {
            let request = &mut trail.request;
            if login_host.is_some_and(|host| request.url.authority() == host) {
                add_login(&mut request.headers, &self.login)?;
            }
            if is_host(&scan.registry, &request.url, scheme) {
                scheme.clone_into(&mut request.url.scheme);
            }
            let answer = scan.round_trip(request).await;
            let answer = answer.map_err(|broken| trail.named(broken))?;
            if let Some(fetched) = trail.take(answer)? {
                break fetched.accepted()?;
            }
        };
        match fetched.answer.broken {
            Some(broken) => Err(broken.into()),
            None => Ok(fetched.answer.body),
        }
    }

    fn url(&self) -> Result<Url, RegistryError> {
        Url::parse(&self.realm).map_err(|error| RegistryError::bad_answer(error.to_string()))
    }
}

impl Tokens {
    fn get(&self, key: &TokenKey) -> Option<String> {
        let tokens = locked(&self.0);
        let (token, ends) = tokens.get(key)?;
        (*ends > Instant::now() + SAFETY).then(|| token.clone())
    }

    fn put(&self, key: TokenKey, token: &str, life: Duration) {
        if let Some(ends) = Instant::now().checked_add(life) {
            locked(&self.0).insert(key, (token.to_owned(), ends));
        }
    }
}

fn add_login(headers: &mut HeaderMap, login: &RegistryLogin) -> Result<(), RegistryError> {
    match login {
        RegistryLogin::RegistryToken(token) => add(headers, &format!("Bearer {token}")),
        RegistryLogin::Basic { username, password }
        | RegistryLogin::IdentityToken {
            basic: Some((username, password)),
            ..
        } if !username.is_empty() && !password.is_empty() => {
            let login = STANDARD.encode(format!("{username}:{password}"));
            add(headers, &format!("Basic {login}"))
        }
        _ => Ok(()),
    }
}

fn add(headers: &mut HeaderMap, authorization: &str) -> Result<(), RegistryError> {
    let mut value = HeaderValue::from_str(authorization).map_err(|_| {
        RegistryError::bad_answer("net/http: invalid header field value for \"Authorization\"")
    })?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(())
}

/// Whether the URL is the registry's, the default port of the scheme that it speaks being the same as none.
fn is_host(registry: &str, url: &Url, scheme: &str) -> bool {
    canonical(registry, scheme) == canonical(&url.authority(), scheme)
}

fn canonical(authority: &str, scheme: &str) -> String {
    let usual = if scheme == "http" { "80" } else { "443" };
    let has_port = authority.matches(':').count() == 1 || authority.contains("]:");
    match authority.rsplit_once(':') {
        Some((host, "")) if has_port => format!("{host}:{usual}"),
        Some(_) if has_port => authority.to_owned(),
        _ => format!("{authority}:{usual}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_ports_are_the_same_as_none() {
        let same = |registry: &str, url: &str, scheme: &str| {
            is_host(registry, &Url::parse(url).unwrap(), scheme)
        };
        assert!(same("h.io", "https://h.io:443/", "https"));
        assert!(same("h.io:443", "https://h.io/", "https"));
        assert!(same("h.io", "http://h.io/", "https"));
        assert!(!same("h.io", "http://h.io:80/", "https"));
        assert!(same("h.io", "http://h.io:80/", "http"));
        assert!(same("[::1]:5000", "http://[::1]:5000/", "http"));
        assert!(!same("h.io:5000", "https://h.io:5001/", "https"));
        assert!(!same("h.io", "https://evil.io/", "https"));
    }

    #[test]
    fn half_a_login_is_not_sent() {
        let mut headers = HeaderMap::new();
        let login = RegistryLogin::Basic {
            username: "user".into(),
            password: String::new(),
        };
        add_login(&mut headers, &login).unwrap();
        assert!(headers.is_empty());
    }
}
