//! Mirrors `AuthMethodsFromSecret` of fluxcd/pkg's `runtime/secrets` (runtime 0.110) and `auth/githubapp/client.go` (auth 0.54): what
//! the controller finds wrong with a GitHub App before it asks GitHub for a token, and whom it asks.

use super::{Data, Stop, bad_options, fails, invalid_source};
use crate::controllers::automation::AutomationFailure;
use crate::controllers::flux::ObjectKey;
use crate::facts::git::{AppInstallation, GitHubApp};
use crate::go::pem;

/// The key of a Secret that makes it one of a GitHub App.
pub(super) const ID: &str = "githubAppID";
const OWNER: &str = "githubAppInstallationOwner";
const INSTALLATION: &str = "githubAppInstallationID";
const PRIVATE_KEY: &str = "githubAppPrivateKey";

const BASE_URL: &str = "githubAppBaseURL";

/// The user that a token of an app goes with.
pub const USERNAME: &str = "x-access-token";

/// The app of a Secret, with `provider: github`.
pub(super) fn app(key: Option<&ObjectKey>, data: &Data) -> Result<GitHubApp, Stop> {
    let key = key.ok_or_else(no_app)?;
    if let Some(stop) = fault(key, data) {
        return Err(stop);
    }
    let text = |name: &str| {
        let value = data.get(name).map(|value| super::text_of(value, Some(key)));
        value.transpose().map(Option::unwrap_or_default)
    };
    let owner = text(OWNER)?;
    let installation = if owner.is_empty() {
        AppInstallation::Id(number(text(INSTALLATION)?.as_bytes()))
    } else {
        AppInstallation::Owner(owner)
    };
    Ok(GitHubApp {
        api: text(BASE_URL)?,
        id: number(text(ID)?.as_bytes()),
        installation,
        private_key: data.get(PRIVATE_KEY).cloned().unwrap_or_default(),
    })
}

/// What the controller says when it gets no token, `cause` being the library's words.
pub fn no_token(cause: &str) -> AutomationFailure {
    AutomationFailure::source_manager(format!(
        "failed to configure authentication options: {cause}"
    ))
}

fn no_app() -> Stop {
    invalid_source(
        "secretRef with github app data must be specified when provider is set to github",
    )
}

fn fault(key: &ObjectKey, data: &Data) -> Option<Stop> {
    let has = |name: &str| data.contains_key(name);
    for (present, missing) in [("username", "password"), ("password", "username")] {
        if has(present) && !has(missing) {
            return Some(fails(format!(
                "secret '{key}': malformed basic auth - has '{present}' but missing '{missing}'"
            )));
        }
    }
    let complete = has(ID) && has(PRIVATE_KEY);
    if complete && has(OWNER) == has(INSTALLATION) {
        return Some(fails(format!(
            "secret '{key}' must contain exactly one of '{OWNER}' or '{INSTALLATION}'"
        )));
    }
    if let Some(cause) = tls_fault(data) {
        return Some(fails(cause));
    }
    if !complete {
        return Some(no_app());
    }
    app_fault(data).map(bad_options)
}

fn tls_fault(data: &Data) -> Option<String> {
    let value = |name: &str, legacy: &str| {
        let value = data.get(name).or_else(|| data.get(legacy));
        value.filter(|value| !value.is_empty())
    };
    let certificate = value("tls.crt", "certFile");
    let key = value("tls.key", "keyFile");
    if certificate.is_some() != key.is_some() {
        return None;
    }
    if let Some((certificate, key)) = certificate.zip(key)
        && let Some(cause) = super::fault::key_pair(certificate, key)
    {
        return Some(format!("failed to parse TLS certificate and key: {cause}"));
    }
    let authorities = value("ca.crt", "caFile")?;
    let any = pem::blocks(authorities).any(|block| block.kind == "CERTIFICATE");
    (!any).then(|| "failed to parse CA certificate".into())
}

fn app_fault(data: &Data) -> Option<String> {
    let value = |name: &str| data.get(name).map_or(&[][..], Vec::as_slice);
    if number(value(ID)) == 0 {
        return Some("app ID must be provided to use github app authentication".into());
    }
    if value(OWNER).is_empty() && number(value(INSTALLATION)) == 0 {
        return Some(
            "app installation owner or ID must be provided to use github app authentication".into(),
        );
    }
    if value(PRIVATE_KEY).is_empty() {
        return Some("private key must be provided to use github app authentication".into());
    }
    pem::blocks(value(PRIVATE_KEY)).next().is_none().then(|| {
        "could not parse private key: invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key"
            .into()
    })
}

/// As Go's `ParseInt` whose error is passed over: what is no number is 0, what is too large the largest.
fn number(text: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(text);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    text.parse().unwrap_or(i64::MAX)
}
