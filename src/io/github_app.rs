//! Tokens of GitHub Apps, asked for as `auth/githubapp` of fluxcd/pkg does (auth 0.54, go-github 87): a short proof that we hold the
//! app's key, and for it a token that logs in to git for an hour. Neither is kept anywhere.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{DecodePrivateKey as _, PrivateKeyInfo};
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use serde::Deserialize;
use serde_json::json;

use crate::facts::git::{AppInstallation, GitAccess, GitHubApp};
use crate::facts::registry::RegistryAccess;
use crate::go::pem;
use crate::go::text::quote;
use crate::go::url::Url;
use crate::io::observer::{Event, Observer};
use crate::io::registry::{Answer, Broken, RegistrySettings, Request, Wire};

/// Why there is no token. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenError {
    /// Whether it is the server that gives none: it refuses, fails, or can't be reached.
    pub by_server: bool,
    /// The controller's words, behind `failed to configure authentication options: `; `None` where it may fare otherwise, or its words
    /// aren't known.
    pub controllers: Option<String>,
    message: String,
}

impl fmt::Display for TokenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for TokenError {}

/// GitHub's own API.
const GITHUB: &str = "https://api.github.com/";
/// How much of an answer is read.
const MOST: usize = 64 << 10;

/// Asks for a token; `access` has the certificates and the proxy, `now` is the moment that the proof is made out for.
///
/// # Errors
///
/// The key can't be used, or the server gives no token within `limit`.
pub async fn token(
    app: &GitHubApp,
    access: &GitAccess,
    now: Timestamp,
    limit: Duration,
    observer: &Observer,
) -> Result<String, TokenError> {
    let proof = proof(app, now)?;
    let api = Api::new(app, access, &proof, (now, limit), observer)?;
    let installation = match &app.installation {
        AppInstallation::Id(id) => *id,
        AppInstallation::Owner(owner) => api.installation_of(owner).await?,
    };
    let path = format!("app/installations/{installation}/access_tokens");
    let answer: Token = api.ask(Method::POST, &path).await?;
    if answer.token.is_empty() {
        return Err(api.odd("has no token in its answer"));
    }
    Ok(answer.token)
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
struct InstallationFound {
    id: i64,
}

/// A signed statement that we are the app, good for two minutes.
fn proof(app: &GitHubApp, now: Timestamp) -> Result<String, TokenError> {
    let key = SigningKey::<Sha256>::new(private_key(&app.private_key)?);
    // Clocks differ: it is made out a little earlier.
    let issued = now.as_second() - 30;
    let claims = json!({"iss": app.id.to_string(), "exp": issued + 120, "iat": issued});
    let encoded = |part: &str| URL_SAFE_NO_PAD.encode(part);
    let said = format!(
        "{}.{}",
        encoded(r#"{"alg":"RS256","typ":"JWT"}"#),
        encoded(&claims.to_string())
    );
    let signature = key.try_sign(said.as_bytes());
    let signature = signature.map_err(|_| {
        unusable_key(
            None,
            "it can't sign: keys of less than 2048 bits are too short",
        )
    })?;
    Ok(format!(
        "{said}.{}",
        URL_SAFE_NO_PAD.encode(signature.to_bytes())
    ))
}

fn private_key(text: &[u8]) -> Result<RsaPrivateKey, TokenError> {
    let block = pem::blocks(text)
        .next()
        .ok_or_else(|| unusable_key(None, "it is no PEM text"))?;
    if let Ok(key) = RsaPrivateKey::from_pkcs1_der(&block.bytes) {
        return Ok(key);
    }
    RsaPrivateKey::from_pkcs8_der(&block.bytes).map_err(|_| {
        let said = if block.kind == "EC PRIVATE KEY" {
            Some("x509: failed to parse private key (use ParseECPrivateKey instead for this key format)")
        } else {
            PrivateKeyInfo::try_from(block.bytes.as_slice())
                .is_ok()
                .then_some("key is not a valid RSA private key")
        };
        unusable_key(said, "it is no RSA key in PKCS #1 or PKCS #8")
    })
}

fn unusable_key(said: Option<&str>, why: &str) -> TokenError {
    TokenError {
        by_server: false,
        controllers: said.map(|said| format!("could not parse private key: {said}")),
        message: format!(
            "its githubAppPrivateKey can't be used: {why}: put the key there that GitHub gave out for the app"
        ),
    }
}

struct Api {
    wire: Wire,
    access: RegistryAccess,
    base: Url,
    headers: HeaderMap,
    now: Timestamp,
    deadline: Instant,
    observer: Observer,
}

impl Api {
    fn new(
        app: &GitHubApp,
        access: &GitAccess,
        proof: &str,
        (now, limit): (Timestamp, Duration),
        observer: &Observer,
    ) -> Result<Self, TokenError> {
        let mut text = app.api.clone();
        if text.is_empty() {
            text = GITHUB.into();
        } else if !text.ends_with('/') {
            text.push('/');
        }
        let unusable = |said: Option<String>, why: &str| TokenError {
            by_server: false,
            controllers: said.map(|said| format!("invalid API URL: {said}")),
            message: format!("its githubAppBaseURL can't be used: {why}"),
        };
        let mut base =
            Url::parse(&text).map_err(|error| unusable(Some(error.to_string()), "it is no URL"))?;
        // A login in it would be sent, and shown.
        base.user = None;
        if !matches!(base.scheme.as_str(), "http" | "https") {
            return Err(unusable(None, "it is neither http nor https"));
        }
        let mut headers = HeaderMap::new();
        let bearer = HeaderValue::from_str(&format!("Bearer {proof}"));
        let mut bearer = bearer.map_err(|_| unusable(None, "its proof is no header"))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        let accepted = HeaderValue::from_static("application/vnd.github.v3+json");
        headers.insert(ACCEPT, accepted);
        let version = HeaderName::from_static("x-github-api-version");
        headers.insert(version, HeaderValue::from_static("2022-11-28"));
        // Go sends nothing for this machine through a proxy.
        let proxy = access.proxy.clone().filter(|_| !is_this_machine(&base));
        Ok(Self {
            wire: Wire::new(&RegistrySettings::default(), observer.clone()),
            access: RegistryAccess {
                tls: access.tls.clone(),
                proxy,
                ..RegistryAccess::default()
            },
            base,
            headers,
            now,
            deadline: Instant::now() + limit,
            observer: observer.clone(),
        })
    }

    /// The installation of an organization, or else of a user.
    async fn installation_of(&self, owner: &str) -> Result<i64, TokenError> {
        let owner =
            percent_encoding::utf8_percent_encode(owner, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
                .replace("%2D", "-");
        let ask = async |kind: &str| {
            let path = format!("{kind}/{owner}/installation");
            let found: Result<InstallationFound, TokenError> = self.ask(Method::GET, &path).await;
            found.map(|found| found.id)
        };
        let first = match ask("orgs").await {
            Ok(id) => return Ok(id),
            Err(error) => error,
        };
        let second = match ask("users").await {
            Ok(id) => return Ok(id),
            Err(error) => error,
        };
        let said = first.controllers.zip(second.controllers.clone());
        Err(TokenError {
            controllers: said.map(|(first, second)| {
                format!(
                    "failed to find organization installation: {first}\nfailed to find user installation: {second}"
                )
            }),
            ..second
        })
    }

    async fn ask<T: for<'a> Deserialize<'a>>(
        &self,
        method: Method,
        path: &str,
    ) -> Result<T, TokenError> {
        let url = format!("{}{path}", self.base);
        let request = Request {
            method: method.clone(),
            url: Url::parse(&url).map_err(|_| self.odd("is at no address"))?,
            headers: self.headers.clone(),
            body: None,
            most: MOST,
        };
        let started = Instant::now();
        let outcome = self.wire.send(&request, &self.access, self.deadline).await;
        self.observer.tell(Event::Request {
            method: if method == Method::POST {
                "POST"
            } else {
                "GET"
            },
            url: url.clone(),
            outcome: match &outcome {
                Ok(answer) => answer.status.to_string(),
                Err(broken) => broken.text.clone(),
            },
            took: started.elapsed(),
        });
        match outcome {
            Ok(answer) if matches!(answer.status, 200 | 201 | 203..=299) => {
                serde_json::from_slice(&answer.body)
                    .map_err(|_| self.odd("answers with something else than what is asked for"))
            }
            Ok(answer) => Err(self.refused(&method, &url, &answer)),
            Err(broken) => Err(self.broken(&method, path, &broken)),
        }
    }

    fn server(&self) -> String {
        format!("the GitHub API at {}", self.base)
    }

    fn odd(&self, what: &str) -> TokenError {
        TokenError {
            by_server: true,
            controllers: None,
            message: format!("{} {what}", self.server()),
        }
    }

    fn refused(&self, method: &Method, url: &str, answer: &Answer) -> TokenError {
        let Answer { status, body, .. } = answer;
        let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
        let header = |name: &'static str| answer.header(&HeaderName::from_static(name));
        let limited =
            matches!(status, 403 | 429) && header("x-ratelimit-remaining").as_deref() == Some("0");
        let said = match status {
            202 => Some("job scheduled on GitHub side; try again later".into()),
            // It is followed, and what comes then isn't known.
            301..=303 | 307 | 308 => None,
            _ if limited => {
                let reset = header("x-ratelimit-reset").and_then(|text| text.parse().ok());
                let left = reset_text(reset, self.now);
                Some(format!(
                    "{method} {url}: {status} {} {left}",
                    refusal.message
                ))
            }
            // How long it lasts is told in a way of its own.
            403 | 429 if refusal.is_secondary_limit() => None,
            _ => Some(format!(
                "{method} {url}: {status} {} {}",
                refusal.message,
                refusal.errors_text()
            )),
        };
        let words = match refusal.message.as_str() {
            "" => String::new(),
            words => format!(" ({words})"),
        };
        let advice = match status {
            401 => {
                ": check that githubAppID and githubAppPrivateKey belong together, and that the clock here is right"
            }
            404 => {
                ": check githubAppInstallationID or githubAppInstallationOwner, and that the app is installed there"
            }
            403 | 429 if limited || refusal.is_secondary_limit() => ": ask again later",
            _ => "",
        };
        TokenError {
            by_server: true,
            controllers: said,
            message: format!("{} gives no token: {status}{words}{advice}", self.server()),
        }
    }

    fn broken(&self, method: &Method, path: &str, broken: &Broken) -> TokenError {
        let verb = if *method == Method::POST {
            "Post"
        } else {
            "Get"
        };
        let url = format!("{}{path}", self.library_base());
        let is_ours = broken.ours || *broken == Broken::deadline();
        TokenError {
            by_server: true,
            controllers: (!is_ours).then(|| format!("{verb} {}: {}", quote(&url), broken.text)),
            message: format!("{} can't be asked: {}", self.server(), broken.text),
        }
    }

    /// The base of the URLs that the controller's library names when there is no answer: it wants those of GitHub's enterprise server,
    /// and its requests are changed underneath.
    fn library_base(&self) -> String {
        let base = self.base.to_string();
        let host = self.base.authority();
        if host.starts_with("api.") || host.contains(".api.") || base.ends_with("/api/v3/") {
            return base;
        }
        format!("{}/api/v3/", base.trim_end_matches('/'))
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = String::from_utf8_lossy(url.host_name()).into_owned();
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

/// When a limit ends, as the controller's library tells it from the moment at which it asked.
fn reset_text(reset: Option<i64>, now: Timestamp) -> String {
    // Without a time, as long ago as its clock can tell.
    const LONG_AGO: i64 = -9_223_372_037;
    let left = reset.map_or(LONG_AGO, |reset| reset.saturating_sub(now.as_second()));
    let (minutes, seconds) = (left.unsigned_abs() / 60, left.unsigned_abs() % 60);
    let time = if minutes > 0 {
        format!("{minutes}m{seconds:02}s")
    } else {
        format!("{seconds}s")
    };
    if left < 0 {
        format!("[rate limit was reset {time} ago]")
    } else {
        format!("[rate reset in {time}]")
    }
}

/// How GitHub says no.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    message: String,
    documentation_url: String,
    errors: Vec<Detail>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    resource: String,
    field: String,
    code: String,
    message: String,
}

impl Refusal {
    /// Whether it is a limit that GitHub doesn't count in headers.
    fn is_secondary_limit(&self) -> bool {
        ["#abuse-rate-limits", "secondary-rate-limits"]
            .iter()
            .any(|end| self.documentation_url.ends_with(end))
    }

    /// As Go prints the list.
    fn errors_text(&self) -> String {
        let errors = self.errors.iter().map(|error| {
            format!(
                "{{Resource:{} Field:{} Code:{} Message:{}}}",
                error.resource, error.field, error.code, error.message
            )
        });
        format!("[{}]", errors.collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_limit_is_told() {
        let now = Timestamp::from_second(1000).unwrap();
        for (reset, text) in [
            (Some(1725), "[rate reset in 12m05s]"),
            (Some(1005), "[rate reset in 5s]"),
            (Some(940), "[rate limit was reset 1m00s ago]"),
            (None, "[rate limit was reset 153722867m17s ago]"),
        ] {
            assert_eq!(reset_text(reset, now), text);
        }
    }

    #[test]
    fn keys_of_other_kinds_are_refused_in_the_controllers_words() {
        let block = |kind: &str, bytes: &[u8]| {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
        };
        let said = |text: &str| private_key(text.as_bytes()).unwrap_err().controllers;
        let ed25519: Vec<u8> = [
            &[
                0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
            ][..],
            &[7; 32],
        ]
        .concat();
        assert_eq!(
            said(&block("PRIVATE KEY", &ed25519)).as_deref(),
            Some("could not parse private key: key is not a valid RSA private key")
        );
        assert_eq!(
            said(&block("EC PRIVATE KEY", b"x")).as_deref(),
            Some(
                "could not parse private key: x509: failed to parse private key (use ParseECPrivateKey instead for this key format)"
            )
        );
        assert_eq!(said(&block("PRIVATE KEY", b"x")), None);
    }
}
