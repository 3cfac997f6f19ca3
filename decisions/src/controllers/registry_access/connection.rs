//! Mirrors `runtime/secrets/converter.go` and `error.go` of fluxcd/pkg v0.110.1: proxies and certificates of Secrets.

use std::collections::BTreeMap;

use crate::controllers::flux::ObjectKey;
use crate::facts::network::{ClientIdentity, ClientTls, Proxy};
use crate::go::url::{ParseError, Url, User};
use crate::go::x509;

const LONGEST_PROXY_ADDRESS: usize = 2048;

/// The proxy that a Secret describes; the error is the controller's text, user information in the address left out.
pub(super) fn proxy(key: &ObjectKey, data: &BTreeMap<String, Vec<u8>>) -> Result<Proxy, String> {
    let Some(address) = data.get("address") else {
        return Err(format!("secret '{key}': key 'address' not found"));
    };
    let named = |why: String| format!("secret '{key}': {why}");
    if address.is_empty() {
        return Err(named("proxy address is empty".into()));
    }
    if address.len() > LONGEST_PROXY_ADDRESS {
        return Err(named(format!(
            "proxy URL exceeds maximum length of {LONGEST_PROXY_ADDRESS} characters"
        )));
    }
    let address = String::from_utf8_lossy(address);
    let mut url = Url::parse(&address).map_err(|error| named(unreadable(&address, &error)))?;
    if !matches!(url.scheme.as_str(), "http" | "https" | "socks5") {
        return Err(named(format!(
            "proxy URL must use one of the supported schemes (http, https, socks5), got '{}'",
            url.scheme
        )));
    }
    let own = url.user.take();
    let user = match (data.get("username"), data.get("password")) {
        (Some(name), Some(password)) => Some((name.clone(), password.clone())),
        (Some(name), None) => Some((name.clone(), Vec::new())),
        (None, _) => own.map(|User { name, password }| (name, password.unwrap_or_default())),
    };
    let (username, password) = user.unwrap_or_default();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Proxy {
        address: url.to_string(),
        username: text(username),
        password: text(password),
    })
}

fn unreadable(address: &str, error: &ParseError) -> String {
    let shown = without_user(address);
    let error = ParseError {
        text: without_user(&error.text),
        why: error.why.clone(),
    };
    format!("failed to parse proxy address '{shown}': {error}")
}

fn without_user(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            format!("{scheme}://REDACTED@{host}")
        }
        None => address.to_owned(),
    }
}

/// The certificates that a Secret holds; the error is the controller's text.
pub(super) fn certificates(
    key: &ObjectKey,
    data: &BTreeMap<String, Vec<u8>>,
) -> Result<ClientTls, String> {
    // A standard key that is there counts before its old name, though it be empty.
    let value = |name: &str, old_name: &str| -> Option<&Vec<u8>> {
        let value = data.get(name).or_else(|| data.get(old_name));
        value.filter(|value| !value.is_empty())
    };
    let certificate = value("tls.crt", "certFile");
    let private_key = value("tls.key", "keyFile");
    let authorities = value("ca.crt", "caFile");
    let identity = match (certificate, private_key) {
        (Some(certificate), Some(private_key)) => Some(ClientIdentity {
            certificate: certificate.clone(),
            key: private_key.clone(),
        }),
        (Some(_), None) => {
            return Err(format!(
                "secret '{key}' contains 'tls.crt' but missing 'tls.key'"
            ));
        }
        (None, Some(_)) => {
            return Err(format!(
                "secret '{key}' contains 'tls.key' but missing 'tls.crt'"
            ));
        }
        (None, None) if authorities.is_none() => {
            return Err(format!(
                "secret '{key}' must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'"
            ));
        }
        (None, None) => None,
    };
    if let Some(identity) = &identity {
        x509::check_key_pair(&identity.certificate, &identity.key)
            .map_err(|why| format!("failed to parse TLS certificate and key: {why}"))?;
    }
    if authorities.is_some_and(|text| !x509::has_authority(text)) {
        return Err("failed to parse CA certificate".into());
    }
    Ok(ClientTls {
        authorities: authorities.cloned(),
        identity,
    })
}
