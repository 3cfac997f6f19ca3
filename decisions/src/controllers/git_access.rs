//! Mirrors `getAuthOpts` of image-automation-controller 1.2 `internal/source/git.go`, and behind it fluxcd/pkg's `git/options.go`
//! and `git/gogit/transport.go` (git 0.52) and `runtime/secrets` (runtime 0.110): how the controller logs in to a git server.

use std::collections::BTreeMap;
use std::fmt;

use super::automation::AutomationFailure;
use super::flux::{GitRepository, LocalReference, ObjectKey};
use crate::facts::cluster::{Secret, Seen};
use crate::facts::git::{GitAccess, GitHubApp, GitLogin, without_user_info};
use crate::facts::network::{ClientIdentity, ClientTls, Proxy};
use crate::go::url::Address;

mod fault;
mod github_app;

pub use fault::fault;
pub use github_app::{USERNAME as APP_USERNAME, no_token};

/// How to log in to the server of a GitRepository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// As the controller does.
    Known(GitAccess),
    /// As the controller does, by a token of a GitHub App: the user [`APP_USERNAME`] with the token for a password.
    App {
        /// Whom to ask for the token, with the certificates and the proxy of `access`.
        app: Box<GitHubApp>,
        /// Everything but the login.
        access: GitAccess,
    },
    /// Not at all: the controller fails.
    Fails(AutomationFailure),
    /// As the controller does, but how can't be seen from here.
    Hidden {
        /// Why, as a sentence without a full stop.
        why: String,
    },
}

/// The Secrets that the controller reads to log in, in its order.
pub fn needed(repository: &GitRepository) -> Vec<ObjectKey> {
    let spec = &repository.spec;
    let references = [&spec.proxy_secret_ref, &spec.secret_ref];
    let named = references.into_iter().flatten();
    named
        .map(|reference| key_of(repository, reference))
        .collect()
}

/// Finds out how the controller logs in.
///
/// `secret` looks a Secret up, `object_identity` is the controller's feature gate `ObjectLevelWorkloadIdentity`.
pub fn access(
    repository: &GitRepository,
    object_identity: bool,
    secret: impl Fn(&ObjectKey) -> Seen<Secret>,
) -> Access {
    match known_access(repository, object_identity, &secret) {
        Ok(access) => access,
        Err(Stop::Fails(failure)) => Access::Fails(failure),
        Err(Stop::Hidden(why)) => Access::Hidden { why },
    }
}

type Data = BTreeMap<String, Vec<u8>>;

/// Why there is no known way to log in.
enum Stop {
    Fails(AutomationFailure),
    Hidden(String),
}

fn fails(cause: impl fmt::Display) -> Stop {
    Stop::Fails(AutomationFailure::source_manager(cause))
}

fn bad_options(cause: impl fmt::Display) -> Stop {
    fails(format!(
        "failed to configure authentication options: {cause}"
    ))
}

fn invalid_source(why: &str) -> Stop {
    Stop::Fails(AutomationFailure::stalled(
        "InvalidSourceConfiguration",
        format!("{why}: invalid source configuration"),
    ))
}

fn key_of(repository: &GitRepository, reference: &LocalReference) -> ObjectKey {
    ObjectKey::new(&repository.key.namespace, &reference.name)
}

fn known_access(
    repository: &GitRepository,
    object_identity: bool,
    secret: &dyn Fn(&ObjectKey) -> Seen<Secret>,
) -> Result<Access, Stop> {
    let spec = &repository.spec;
    let proxy_key = spec.proxy_secret_ref.as_ref();
    let proxy = proxy_key.map(|reference| proxy(&key_of(repository, reference), secret));
    let proxy = proxy.transpose()?;
    let key = spec
        .secret_ref
        .as_ref()
        .map(|reference| key_of(repository, reference));
    let data = key.as_ref().map(|key| login_data(key, secret));
    let data = data.transpose()?.unwrap_or_default();
    let url =
        Address::parse(&spec.url).map_err(|error| unparsable_url(&spec.url, &error.to_string()))?;
    let options = Options::new(&url, &data).map_err(bad_options)?;
    match spec.provider.as_deref() {
        Some(provider @ ("azure" | "aws")) => {
            let named = spec.service_account_name.as_deref();
            return Err(cloud_identity(provider, named, object_identity));
        }
        Some("github") => {
            let app = github_app::app(key.as_ref(), &data)?;
            return options.with_app(app, proxy);
        }
        _ => {}
    }
    if let Some(key) = &key
        && data.get(github_app::ID).is_some_and(|id| !id.is_empty())
    {
        return Err(invalid_source(&format!(
            "secretRef '{key}' has github app data but provider is not set to github"
        )));
    }
    Ok(Access::Known(GitAccess {
        tls: options.tls(),
        login: options.login(key.as_ref())?,
        proxy,
    }))
}

fn unparsable_url(url: &str, error: &str) -> Stop {
    let shown = without_user_info(url);
    let error = error.replace(
        &crate::go::text::quote(url),
        &crate::go::text::quote(&shown),
    );
    fails(format!("failed to parse URL '{shown}': {error}"))
}

fn login_data(key: &ObjectKey, secret: &dyn Fn(&ObjectKey) -> Seen<Secret>) -> Result<Data, Stop> {
    let failed = |why: String| fails(format!("failed to get auth secret '{key}': {why}"));
    if key.name.is_empty() {
        return Err(failed(NO_NAME.into()));
    }
    match read(key, secret)? {
        Some(data) => Ok(data),
        None => Err(failed(format!("secrets \"{}\" not found", key.name))),
    }
}

const NO_NAME: &str = "resource name may not be empty";

/// The data of a Secret; `None` where it isn't there.
fn read(
    key: &ObjectKey,
    secret: &dyn Fn(&ObjectKey) -> Seen<Secret>,
) -> Result<Option<Data>, Stop> {
    match secret(key) {
        Seen::Found(Secret::Readable { data, .. }) => Ok(Some(data)),
        Seen::Found(Secret::Closed(why)) => Err(Stop::Hidden(why.says(key))),
        Seen::Missing => Ok(None),
        Seen::Hidden { why } => Err(Stop::Hidden(why)),
    }
}

fn text_of(bytes: &[u8], key: Option<&ObjectKey>) -> Result<String, Stop> {
    String::from_utf8(bytes.to_vec()).map_err(|_| {
        let named = key.map(ToString::to_string).unwrap_or_default();
        Stop::Hidden(format!("a login in Secret {named} is no UTF-8 text"))
    })
}

fn proxy(key: &ObjectKey, secret: &dyn Fn(&ObjectKey) -> Seen<Secret>) -> Result<Proxy, Stop> {
    if key.name.is_empty() {
        return Err(fails(format!("failed to get secret '{key}': {NO_NAME}")));
    }
    let data = read(key, secret)?.ok_or_else(|| fails(format!("secret '{key}' not found")))?;
    let bad = |why: String| fails(format!("secret '{key}': {why}"));
    let address = data
        .get("address")
        .ok_or_else(|| bad("key 'address' not found".into()))?;
    let address = String::from_utf8_lossy(address);
    let url = proxy_url(&address).map_err(bad)?;
    let mut proxy = Proxy {
        address: format!("{}://{}", url.scheme, url.host),
        username: url.user.clone(),
        password: url.password.clone().unwrap_or_default(),
    };
    if let Some(username) = data.get("username") {
        proxy.username = text_of(username, Some(key))?;
        let password = data
            .get("password")
            .map(|password| text_of(password, Some(key)));
        proxy.password = password.transpose()?.unwrap_or_default();
    }
    Ok(proxy)
}

fn proxy_url(address: &str) -> Result<Address, String> {
    const LONGEST: usize = 2048;
    if address.is_empty() {
        return Err("proxy address is empty".into());
    }
    if address.len() > LONGEST {
        return Err(format!(
            "proxy URL exceeds maximum length of {LONGEST} characters"
        ));
    }
    let url = Address::parse(address).map_err(|error| {
        let shown = without_user_info(address);
        let error = error.to_string().replace(
            &crate::go::text::quote(address),
            &crate::go::text::quote(&shown),
        );
        format!("failed to parse proxy address '{shown}': {error}")
    })?;
    if !["http", "https", "socks5"].contains(&url.scheme.as_str()) {
        return Err(format!(
            "proxy URL must use one of the supported schemes (http, https, socks5), got '{}'",
            url.scheme
        ));
    }
    Ok(url)
}

fn cloud_identity(provider: &str, service_account: Option<&str>, object_identity: bool) -> Stop {
    if service_account.is_some_and(|name| !name.is_empty()) && !object_identity {
        return Stop::Fails(AutomationFailure::stalled(
            "FeatureGateDisabled",
            "to use spec.serviceAccountName for provider authentication please enable the ObjectLevelWorkloadIdentity feature gate in the controller",
        ));
    }
    Stop::Hidden(format!(
        "provider {provider} means the workload identity of the controller"
    ))
}

/// What a URL and a Secret say of the login, as bytes.
#[derive(Default)]
struct Options<'a> {
    is_ssh: bool,
    username: Vec<u8>,
    password: Vec<u8>,
    bearer_token: &'a [u8],
    identity: &'a [u8],
    known_hosts: &'a [u8],
    certificate: &'a [u8],
    key: &'a [u8],
    authorities: &'a [u8],
}

impl<'a> Options<'a> {
    fn new(url: &Address, data: &'a Data) -> Result<Self, String> {
        let mut options = Self {
            is_ssh: url.scheme == "ssh",
            ..Self::default()
        };
        if !data.is_empty() {
            options.read(url, data);
        }
        if !options.is_ssh {
            if options.username.is_empty() {
                options.username = url.user.clone().into_bytes();
            }
            if options.password.is_empty() {
                options.password = url.password.clone().unwrap_or_default().into_bytes();
            }
        }
        options.check(url).map(|()| options)
    }

    fn read(&mut self, url: &Address, data: &'a Data) {
        let value = |key: &str| data.get(key).map_or(&[][..], Vec::as_slice);
        if self.is_ssh {
            self.identity = value("identity");
            self.known_hosts = value("known_hosts");
            self.password = value("password").to_vec();
            let user = if url.user.is_empty() {
                "git"
            } else {
                &url.user
            };
            self.username = user.as_bytes().to_vec();
            return;
        }
        self.certificate = value("tls.crt");
        self.key = value("tls.key");
        self.authorities = value("ca.crt");
        if self.authorities.is_empty() {
            self.authorities = value("caFile");
        }
        if let Some(token) = data.get("bearerToken") {
            self.bearer_token = token;
        } else {
            self.username = value("username").to_vec();
            self.password = value("password").to_vec();
        }
    }

    fn check(&self, url: &Address) -> Result<(), String> {
        let required = |what: &str| Err(format!("invalid 'ssh' auth option: '{what}' is required"));
        match url.scheme.as_str() {
            scheme @ ("http" | "https")
                if self.username.is_empty() && !self.password.is_empty() =>
            {
                Err(format!(
                    "invalid '{scheme}' auth option: 'password' requires 'username' to be set"
                ))
            }
            "http" | "https" => Ok(()),
            "ssh" if url.host.is_empty() => required("host"),
            "ssh" if self.identity.is_empty() => required("identity"),
            "ssh" if self.known_hosts.is_empty() => required("known_hosts"),
            "ssh" => Ok(()),
            "" => Err("no transport type set".into()),
            other => Err(format!("unknown transport '{other}'")),
        }
    }

    fn tls(&self) -> ClientTls {
        let set = |bytes: &[u8]| (!bytes.is_empty()).then(|| bytes.to_vec());
        let identity = set(self.certificate).zip(set(self.key));
        ClientTls {
            authorities: set(self.authorities),
            identity: identity.map(|(certificate, key)| ClientIdentity { certificate, key }),
        }
    }

    fn with_app(&self, app: GitHubApp, proxy: Option<Proxy>) -> Result<Access, Stop> {
        if self.is_ssh {
            return Err(Stop::Hidden(
                "a token of a GitHub App is no login for ssh: give the GitRepository an https URL"
                    .into(),
            ));
        }
        Ok(Access::App {
            app: Box::new(app),
            access: GitAccess {
                tls: self.tls(),
                login: GitLogin::Anonymous,
                proxy,
            },
        })
    }

    fn login(&self, key: Option<&ObjectKey>) -> Result<GitLogin, Stop> {
        let text = |bytes: &[u8]| text_of(bytes, key);
        if self.is_ssh {
            return Ok(GitLogin::Key {
                user: text(&self.username)?,
                identity: self.identity.to_vec(),
                passphrase: text(&self.password)?,
                known_hosts: self.known_hosts.to_vec(),
            });
        }
        let basic = !self.username.is_empty() || !self.password.is_empty();
        match (basic, self.bearer_token.is_empty()) {
            (true, false) => Err(Stop::Fails(AutomationFailure::checkout_failed(
                "basic auth and bearer token cannot be set at the same time",
            ))),
            (true, true) => Ok(GitLogin::Basic {
                username: text(&self.username)?,
                password: text(&self.password)?,
            }),
            (false, false) => Ok(GitLogin::Bearer(text(self.bearer_token)?)),
            (false, true) => Ok(GitLogin::Anonymous),
        }
    }
}

#[cfg(test)]
mod tests;
