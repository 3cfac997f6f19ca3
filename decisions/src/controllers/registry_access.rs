//! Mirrors `internal/registry/options.go` of image-reflector-controller 1.2 with `runtime/secrets` of fluxcd/pkg: what the
//! controller would connect to a registry with.
//!
//! The controller reads, in this order, the proxy's Secret, the certificates' Secret, the pull Secret, the ServiceAccount
//! and its pull Secrets, and stops at the first that is missing or malformed. What can't be seen from here is left out of
//! the answer and named in it, so that the rest can still be used.

mod connection;
mod keyring;
#[cfg(test)]
mod tests;

use super::conditions::{AUTHENTICATION_FAILED, READ_OPERATION_FAILED};
use super::flux::{ImageRepository, LocalReference, ObjectKey};
use crate::facts::cluster::{Secret, Seen, ServiceAccount};
use crate::facts::network::{ClientTls, Proxy};
use crate::facts::registry::{RegistryAccess, RegistryLogin};
use crate::go::reference::Repository;

pub use keyring::{LoginSource, OfferedSecret, WithoutEntry};

/// A failure that the controller would write into the repository's Ready condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The condition's reason.
    pub reason: &'static str,
    /// The condition's message.
    pub message: String,
}

impl Failure {
    fn authentication(why: impl std::fmt::Display) -> Self {
        Self {
            reason: AUTHENTICATION_FAILED,
            message: format!("failed to configure authentication options: {why}"),
        }
    }

    /// The scan itself failed: the registry refused or can't be reached, or a pattern of the exclusion list is bad.
    pub fn scan(why: impl std::fmt::Display) -> Self {
        Self {
            reason: READ_OPERATION_FAILED,
            message: format!("scan failed: {why}"),
        }
    }
}

/// The objects that the controller would read for a repository; the pull Secrets of the ServiceAccount come on top, see
/// [`pull_secrets`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// Secrets, each once.
    pub secrets: Vec<ObjectKey>,
    /// The ServiceAccount whose `imagePullSecrets` count.
    pub service_account: Option<ObjectKey>,
}

/// A part of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The proxy.
    Proxy,
    /// The certificates.
    Certificates,
    /// The login.
    Login,
}

/// A part of the connection that can't be seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Which part.
    pub part: Part,
    /// Why, as a sentence without a full stop.
    pub why: String,
}

/// What the controller would connect with, as far as it can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// What a client needs; parts that are hidden are as if the object didn't ask for them.
    pub access: RegistryAccess,
    /// Where the login comes from; `None`: no pull Secret has an entry for this image, or the login is hidden.
    pub login_from: Option<LoginSource>,
    /// The pull Secrets that were read and have no entry for this image, in the order in which they count.
    pub without_entry: Vec<OfferedSecret>,
    /// The parts that can't be seen.
    pub hidden: Vec<Hidden>,
}

impl Access {
    /// Why `part` can't be seen, where that is so.
    pub fn hidden(&self, part: Part) -> Option<&str> {
        let hidden = self.hidden.iter().find(|hidden| hidden.part == part);
        hidden.map(|hidden| hidden.why.as_str())
    }
}

/// What the controller would read for `repository`: nothing where it is suspended, no pull Secrets where it logs in to a
/// cloud.
pub fn needed(repository: &ImageRepository) -> Needed {
    let spec = &repository.spec;
    if spec.suspend {
        return Needed::default();
    }
    let mut secrets: Vec<ObjectKey> = Vec::new();
    let mut add = |reference: &Option<LocalReference>| {
        if let Some(key) = key_of(repository, reference)
            && !key.name.is_empty()
            && !secrets.contains(&key)
        {
            secrets.push(key);
        }
    };
    add(&spec.proxy_secret_ref);
    if certificates_and_login_share_a_secret(repository) {
        return Needed {
            secrets,
            service_account: None,
        };
    }
    add(&spec.cert_secret_ref);
    if cloud_provider(repository).is_some() {
        return Needed {
            secrets,
            service_account: None,
        };
    }
    add(&spec.secret_ref);
    Needed {
        secrets,
        service_account: service_account_key(repository),
    }
}

/// The pull Secrets that the repository's ServiceAccount adds to [`needed`].
pub fn pull_secrets(repository: &ImageRepository, account: &ServiceAccount) -> Vec<ObjectKey> {
    let mut keys: Vec<ObjectKey> = Vec::new();
    for name in account
        .image_pull_secrets
        .iter()
        .filter(|name| !name.is_empty())
    {
        let key = ObjectKey::new(&repository.key.namespace, name);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// What the controller would connect to the registry of `image` with, `image` being what `spec.image` means.
///
/// `secret` and `service_account` look objects up; they are asked for what [`needed`] and [`pull_secrets`] name, and for
/// nothing else. A Secret that is encrypted counts as hidden.
///
/// # Errors
///
/// The controller fails before it connects.
pub fn access(
    repository: &ImageRepository,
    image: &Repository,
    secret: impl Fn(&ObjectKey) -> Seen<Secret>,
    service_account: impl Fn(&ObjectKey) -> Seen<ServiceAccount>,
) -> Result<Access, Failure> {
    let mut out = Access::default();
    out.access.insecure = repository.spec.insecure;
    let objects = Objects {
        secret: &secret,
        service_account: &service_account,
    };
    out.access.proxy = proxy(repository, &objects, &mut out.hidden)?;
    let provider = cloud_provider(repository).map(known_provider).transpose()?;
    out.access.tls = certificates(repository, &objects, &mut out.hidden)?;
    if let Some(provider) = provider {
        out.hidden.push(Hidden {
            part: Part::Login,
            why: format!(
                "provider {provider}: the controller logs in with a cloud identity of its own"
            ),
        });
        return Ok(out);
    }
    let offered = offered_secrets(repository, &objects, &mut out.hidden)?;
    let choice = keyring::choose(&offered, image).map_err(Failure::authentication)?;
    out.without_entry = choice.without_entry;
    if out.hidden(Part::Login).is_none() {
        out.access.login = choice.login;
        out.login_from = choice.from;
    }
    Ok(out)
}

/// How objects are looked up.
struct Objects<'o> {
    secret: &'o dyn Fn(&ObjectKey) -> Seen<Secret>,
    service_account: &'o dyn Fn(&ObjectKey) -> Seen<ServiceAccount>,
}

/// The ways in which the controller says that a Secret is missing.
#[derive(Clone, Copy)]
enum Wording {
    /// The API server's own.
    Plain,
    /// Those of fluxcd/pkg.
    Flux,
}

impl Objects<'_> {
    fn secret(&self, key: &ObjectKey, wording: Wording) -> Result<Seen<Secret>, String> {
        if key.name.is_empty() {
            return Err(match wording {
                Wording::Plain => "resource name may not be empty".into(),
                Wording::Flux => {
                    format!("failed to get secret '{key}': resource name may not be empty")
                }
            });
        }
        match (self.secret)(key) {
            Seen::Missing => Err(match wording {
                Wording::Plain => format!("secrets \"{}\" not found", key.name),
                Wording::Flux => format!("secret '{key}' not found"),
            }),
            Seen::Found(Secret::Closed(why)) => Ok(Seen::Hidden { why: why.says(key) }),
            other => Ok(other),
        }
    }
}

fn proxy(
    repository: &ImageRepository,
    objects: &Objects<'_>,
    hidden: &mut Vec<Hidden>,
) -> Result<Option<Proxy>, Failure> {
    let Some(key) = key_of(repository, &repository.spec.proxy_secret_ref) else {
        return Ok(None);
    };
    let seen = objects
        .secret(&key, Wording::Flux)
        .map_err(Failure::authentication)?;
    let Some((_, data)) = readable(seen, Part::Proxy, hidden) else {
        return Ok(None);
    };
    connection::proxy(&key, &data)
        .map(Some)
        .map_err(Failure::authentication)
}

fn certificates(
    repository: &ImageRepository,
    objects: &Objects<'_>,
    hidden: &mut Vec<Hidden>,
) -> Result<ClientTls, Failure> {
    let Some(key) = key_of(repository, &repository.spec.cert_secret_ref) else {
        return Ok(ClientTls::default());
    };
    if certificates_and_login_share_a_secret(repository) {
        // The controller then looks for a Secret that it hasn't read: one without a name.
        return Err(Failure::authentication(
            "failed to get secret '/': resource name may not be empty",
        ));
    }
    let seen = objects
        .secret(&key, Wording::Plain)
        .map_err(Failure::authentication)?;
    let Some((_, data)) = readable(seen, Part::Certificates, hidden) else {
        return Ok(ClientTls::default());
    };
    connection::certificates(&key, &data).map_err(Failure::authentication)
}

/// The pull Secrets that can be read, in the order in which they count.
fn offered_secrets(
    repository: &ImageRepository,
    objects: &Objects<'_>,
    hidden: &mut Vec<Hidden>,
) -> Result<Vec<keyring::PullSecret>, Failure> {
    let mut offered = Vec::new();
    let mut offer = |key: ObjectKey, seen: Seen<Secret>, hidden: &mut Vec<Hidden>| {
        if let Some((kind, data)) = readable(seen, Part::Login, hidden) {
            offered.push(keyring::PullSecret { key, kind, data });
        }
    };
    if let Some(key) = key_of(repository, &repository.spec.secret_ref) {
        let seen = objects
            .secret(&key, Wording::Plain)
            .map_err(Failure::authentication)?;
        offer(key, seen, hidden);
    }
    let Some(account_key) = service_account_key(repository) else {
        return Ok(offered);
    };
    let account = match (objects.service_account)(&account_key) {
        Seen::Found(account) => account,
        Seen::Missing => {
            return Err(Failure::authentication(format!(
                "serviceaccount '{account_key}' not found"
            )));
        }
        Seen::Hidden { why } => {
            hidden.push(Hidden {
                part: Part::Login,
                why,
            });
            return Ok(offered);
        }
    };
    for name in account.image_pull_secrets {
        let key = ObjectKey::new(&repository.key.namespace, name);
        let seen = objects.secret(&key, Wording::Flux).map_err(|why| {
            Failure::authentication(format!(
                "failed to get image pull secret for serviceaccount '{account_key}': {why}"
            ))
        })?;
        offer(key, seen, hidden);
    }
    Ok(offered)
}

type Data = std::collections::BTreeMap<String, Vec<u8>>;

/// Type and data of a Secret that can be seen; one that can't is added to `hidden`.
fn readable(seen: Seen<Secret>, part: Part, hidden: &mut Vec<Hidden>) -> Option<(String, Data)> {
    let why = match seen {
        Seen::Found(Secret::Readable { kind, data }) => return Some((kind, data)),
        Seen::Hidden { why } => why,
        // A missing Secret is a failure before it comes here, a closed one is hidden.
        Seen::Found(Secret::Closed(_)) | Seen::Missing => return None,
    };
    hidden.push(Hidden { part, why });
    None
}

fn key_of(repository: &ImageRepository, reference: &Option<LocalReference>) -> Option<ObjectKey> {
    let reference = reference.as_ref()?;
    Some(ObjectKey::new(&repository.key.namespace, &reference.name))
}

fn service_account_key(repository: &ImageRepository) -> Option<ObjectKey> {
    let name = repository.spec.service_account_name.as_deref()?;
    (!name.is_empty()).then(|| ObjectKey::new(&repository.key.namespace, name))
}

fn certificates_and_login_share_a_secret(repository: &ImageRepository) -> bool {
    let spec = &repository.spec;
    spec.cert_secret_ref.is_some() && spec.cert_secret_ref == spec.secret_ref
}

/// `spec.provider` where it names a cloud.
fn cloud_provider(repository: &ImageRepository) -> Option<&str> {
    let provider = repository.spec.provider.as_deref()?;
    (!matches!(provider, "" | "generic")).then_some(provider)
}

fn known_provider(provider: &str) -> Result<&str, Failure> {
    match provider {
        "aws" | "azure" | "gcp" => Ok(provider),
        other => Err(Failure::authentication(format!(
            "provider '{other}' not implemented"
        ))),
    }
}

impl From<keyring::Entry> for RegistryLogin {
    fn from(entry: keyring::Entry) -> Self {
        let keyring::Entry {
            username,
            password,
            identity_token,
            registry_token,
        } = entry;
        let basic = (!username.is_empty() && !password.is_empty()).then_some((username, password));
        if !registry_token.is_empty() {
            return Self::RegistryToken(registry_token);
        }
        if !identity_token.is_empty() {
            return Self::IdentityToken {
                token: identity_token,
                basic,
            };
        }
        // Half a login is sent by nobody.
        basic.map_or(Self::Anonymous, |(username, password)| Self::Basic {
            username,
            password,
        })
    }
}
