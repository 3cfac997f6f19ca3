//! From kubeconfig and flags to a connection: kubectl's merge, overrides and fallbacks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use http::{HeaderValue, Uri, header::USER_AGENT};
use kube::config::{AuthInfo, Cluster, Config, Context, ExecAuthCluster, Kubeconfig};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::SecretString;

use crate::io::error_text;

use super::error::ClusterError;
use super::proxy::ProxyEnvironment;

/// kubectl's connection flags; an absent one leaves the kubeconfig's word.
#[derive(Clone, Debug, Default)]
pub struct ConnectionSettings {
    /// `--kubeconfig`
    pub kubeconfig: Option<PathBuf>,
    /// `--context`
    pub context: Option<String>,
    /// `--cluster`
    pub cluster: Option<String>,
    /// `--user`
    pub user: Option<String>,
    /// `--server`
    pub server: Option<String>,
    /// `--token`
    pub token: Option<SecretString>,
    /// `--client-certificate`
    pub client_certificate: Option<String>,
    /// `--client-key`
    pub client_key: Option<String>,
    /// `--certificate-authority`
    pub certificate_authority: Option<String>,
    /// `--insecure-skip-tls-verify`
    pub insecure_skip_tls_verify: bool,
    /// `--tls-server-name`
    pub tls_server_name: Option<String>,
    /// `--disable-compression`
    pub disable_compression: bool,
    /// `--request-timeout`; none: no limit.
    pub request_timeout: Option<Duration>,
    /// `--as`
    pub impersonate: Option<String>,
    /// `--as-group`
    pub impersonate_groups: Vec<String>,
    /// `--as-uid`
    pub impersonate_uid: Option<String>,
    /// `--as-user-extra`, as key and value.
    pub impersonate_extra: Vec<(String, String)>,
}

/// A connection that is settled but not yet opened.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(super) config: Config,
    /// The context's name; none where there is no kubeconfig.
    pub context: Option<String>,
    /// Who we are by the kubeconfig, for messages.
    pub(super) user: String,
    /// The namespace of the context; `default` where it names none.
    pub namespace: String,
    pub(super) request_timeout: Option<Duration>,
}

/// Settles the connection that kubectl would use with these flags. Reads files; asks nobody.
///
/// # Errors
///
/// There is no kubeconfig, it can't be read, or it doesn't hold what is named.
pub fn settle(settings: &ConnectionSettings) -> Result<Connection, ClusterError> {
    check(settings)?;
    let kubeconfig = read(settings)?;
    let is_empty = kubeconfig.clusters.is_empty() && settings.server.is_none();
    let current = kubeconfig.current_context.as_deref().unwrap_or_default();
    if is_empty && settings.context.is_none() && !current.is_empty() {
        // It names what isn't there, which is another mistake than to have no kubeconfig.
        return from_kubeconfig(kubeconfig, settings);
    }
    if is_empty
        && settings.context.is_none()
        && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
    {
        return in_cluster(settings);
    }
    if is_empty {
        return Err(ClusterError::Configuration(no_kubeconfig(settings)));
    }
    from_kubeconfig(kubeconfig, settings)
}

/// The names of the kubeconfig's contexts, sorted. Reads files; asks nobody.
///
/// # Errors
///
/// The kubeconfig can't be read.
pub fn contexts(settings: &ConnectionSettings) -> Result<Vec<String>, ClusterError> {
    let mut names: Vec<String> = read(settings)?
        .contexts
        .into_iter()
        .map(|context| context.name)
        .collect();
    names.sort();
    Ok(names)
}

fn check(settings: &ConnectionSettings) -> Result<(), ClusterError> {
    let wrong = |text: &str| Err(ClusterError::Configuration(text.into()));
    if settings.insecure_skip_tls_verify && settings.certificate_authority.is_some() {
        return wrong(
            "--certificate-authority and --insecure-skip-tls-verify contradict each other: use one of them",
        );
    }
    let impersonates = settings.impersonate.is_some();
    let more = !settings.impersonate_groups.is_empty()
        || settings.impersonate_uid.is_some()
        || !settings.impersonate_extra.is_empty();
    if more && !impersonates {
        return wrong("--as-group, --as-uid and --as-user-extra need --as");
    }
    Ok(())
}

/// The merged files; those of the environment that don't exist count for nothing, as for kubectl.
fn read(settings: &ConnectionSettings) -> Result<Kubeconfig, ClusterError> {
    let named = |path: &Path| {
        Kubeconfig::read_from(path).map_err(|error| {
            ClusterError::Configuration(format!("kubeconfig {}: {}", path.display(), cause(&error)))
        })
    };
    if let Some(path) = &settings.kubeconfig {
        return named(path);
    }
    let mut merged = Kubeconfig::default();
    for path in default_paths().into_iter().filter(|path| path.exists()) {
        merged = merged
            .merge(named(&path)?)
            .map_err(|error| ClusterError::Configuration(error.to_string()))?;
    }
    Ok(merged)
}

fn cause(error: &dyn std::error::Error) -> String {
    let whole = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    // The reader's errors go on with a drawing of the place.
    whole.lines().next().unwrap_or_default().to_owned()
}

/// `$KUBECONFIG`, else the file in the home folder.
fn default_paths() -> Vec<PathBuf> {
    let variable = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    if let Some(value) = variable {
        return std::env::split_paths(&value)
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
    }
    let home = std::env::home_dir();
    home.into_iter()
        .map(|home| home.join(".kube").join("config"))
        .collect()
}

fn no_kubeconfig(settings: &ConnectionSettings) -> String {
    let looked = match &settings.kubeconfig {
        Some(path) => vec![path.clone()],
        None => default_paths(),
    };
    let looked: Vec<String> = looked
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    format!(
        "no cluster is configured ({} names none): set KUBECONFIG or --kubeconfig, or read manifests with -f",
        looked.join(", ")
    )
}

fn from_kubeconfig(
    kubeconfig: Kubeconfig,
    settings: &ConnectionSettings,
) -> Result<Connection, ClusterError> {
    let context_name = settings
        .context
        .clone()
        .or(kubeconfig.current_context.clone())
        .filter(|name| !name.is_empty());
    let context = match &context_name {
        Some(name) => {
            let found = kubeconfig.contexts.iter().find(|known| known.name == *name);
            let context = found.and_then(|known| known.context.clone());
            context.ok_or_else(|| {
                unknown(
                    "context",
                    name,
                    kubeconfig.contexts.iter().map(|known| &known.name),
                )
            })?
        }
        None => Context::default(),
    };
    let cluster_name = settings
        .cluster
        .clone()
        .unwrap_or_else(|| context.cluster.clone());
    let user_name = settings
        .user
        .clone()
        .or(context.user.clone())
        .unwrap_or_default();
    let cluster = cluster(&kubeconfig, &cluster_name, settings)?;
    let user = user(&kubeconfig, &user_name, settings)?;
    finish(
        config(&cluster_name, &cluster, user)?,
        cluster.proxy_url.as_deref(),
        settings,
        Connected {
            context: context_name,
            user: user_of(&user_name, settings),
            namespace: context.namespace.filter(|name| !name.is_empty()),
        },
    )
}

/// kube's own loader would mix in the environment's proxy by rules that aren't kubectl's.
fn config(name: &str, cluster: &Cluster, mut user: AuthInfo) -> Result<Config, ClusterError> {
    let server = cluster
        .server
        .as_deref()
        .filter(|server| !server.is_empty());
    let server = server.ok_or_else(|| {
        ClusterError::Configuration(format!(
            "the kubeconfig's cluster {name:?} has no server: set it, or use --server"
        ))
    })?;
    let mut config = Config::new(server_url(server)?);
    config.root_cert = authorities(cluster)?;
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.tls_server_name = cluster
        .tls_server_name
        .clone()
        .filter(|name| !name.is_empty());
    config.disable_compression = cluster.disable_compression.unwrap_or(false);
    if let Some(exec) = &mut user.exec
        && exec.provide_cluster_info
    {
        let information = ExecAuthCluster::try_from(cluster)
            .map_err(|error| ClusterError::Configuration(format!("kubeconfig: {error}")))?;
        exec.cluster = Some(information);
    }
    config.auth_info = user;
    Ok(config)
}

/// A server without a scheme is one of http, as for kubectl.
fn server_url(server: &str) -> Result<Uri, ClusterError> {
    let text = if server.contains("://") {
        server.to_owned()
    } else {
        format!("http://{server}")
    };
    let url: Option<Uri> = text.parse().ok();
    url.filter(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some())
        .ok_or_else(|| {
            ClusterError::Configuration(format!(
                "the server {server:?} is no http or https URL: correct the kubeconfig's cluster, or --server"
            ))
        })
}

fn authorities(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, ClusterError> {
    let (source, pem) = match (
        &cluster.certificate_authority_data,
        &cluster.certificate_authority,
    ) {
        (Some(data), _) if !data.is_empty() => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(data);
            let decoded = decoded.map_err(|error| {
                ClusterError::Configuration(format!(
                    "the kubeconfig's certificate-authority-data is not base64: {error}"
                ))
            })?;
            ("certificate-authority-data".to_owned(), decoded)
        }
        (_, Some(path)) if !path.is_empty() => {
            let read = std::fs::read(path).map_err(|error| {
                ClusterError::Configuration(format!(
                    "the certificate authority {path} can't be read: {}",
                    error_text(&error)
                ))
            })?;
            (path.clone(), read)
        }
        _ => return Ok(None),
    };
    let certificates: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(&pem)
        .filter_map(Result::ok)
        .map(|certificate| certificate.to_vec())
        .collect();
    if certificates.is_empty() {
        return Err(ClusterError::Configuration(format!(
            "{source} holds no PEM certificate"
        )));
    }
    Ok(Some(certificates))
}

fn user_of(name: &str, settings: &ConnectionSettings) -> String {
    match (&settings.impersonate, name) {
        (Some(other), _) => format!("the user {other} (--as)"),
        (None, _) if settings.token.is_some() => "--token".into(),
        (None, "") => "an anonymous user".into(),
        (None, name) => format!("the kubeconfig's user {name}"),
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> ClusterError {
    let mut known: Vec<&str> = known.map(String::as_str).collect();
    known.sort_unstable();
    let known = if known.is_empty() {
        "it has none".to_owned()
    } else {
        format!("it has {}", known.join(", "))
    };
    ClusterError::Configuration(format!("the kubeconfig has no {what} {name:?}; {known}"))
}

/// The cluster's entry with the flags' words in it.
fn cluster(
    kubeconfig: &Kubeconfig,
    name: &str,
    settings: &ConnectionSettings,
) -> Result<Cluster, ClusterError> {
    let known = kubeconfig.clusters.iter().find(|known| known.name == name);
    let mut cluster = match known {
        Some(known) => known.cluster.clone().unwrap_or_default(),
        None if settings.server.is_some() && settings.cluster.is_none() => Cluster::default(),
        None if name.is_empty() => {
            return Err(ClusterError::Configuration(
                "the kubeconfig has no current context: choose one with --context".into(),
            ));
        }
        None => {
            let names = kubeconfig.clusters.iter().map(|known| &known.name);
            return Err(unknown("cluster", name, names));
        }
    };
    if let Some(server) = &settings.server {
        cluster.server = Some(server.clone());
    }
    if let Some(path) = &settings.certificate_authority {
        cluster.certificate_authority = Some(path.clone());
        cluster.certificate_authority_data = None;
        cluster.insecure_skip_tls_verify = None;
    }
    if settings.insecure_skip_tls_verify {
        cluster.insecure_skip_tls_verify = Some(true);
        cluster.certificate_authority = None;
        cluster.certificate_authority_data = None;
    }
    if let Some(name) = &settings.tls_server_name {
        cluster.tls_server_name = Some(name.clone());
    }
    if settings.disable_compression {
        cluster.disable_compression = Some(true);
    }
    Ok(cluster)
}

/// The user's entry with the flags' words in it; one that isn't there is anonymous, as for kubectl, unless a flag names it.
fn user(
    kubeconfig: &Kubeconfig,
    name: &str,
    settings: &ConnectionSettings,
) -> Result<AuthInfo, ClusterError> {
    let users = &kubeconfig.auth_infos;
    let known = users.iter().find(|known| known.name == name);
    if known.is_none() && settings.user.is_some() {
        return Err(unknown("user", name, users.iter().map(|known| &known.name)));
    }
    let mut user = known
        .and_then(|known| known.auth_info.clone())
        .unwrap_or_default();
    if let Some(token) = &settings.token {
        // Else a plugin's token or a password would be sent in its place.
        user.exec = None;
        user.auth_provider = None;
        user.username = None;
        user.password = None;
        user.token_file = None;
        user.token = Some(token.clone());
    }
    if let Some(path) = &settings.client_certificate {
        user.client_certificate = Some(path.clone());
        user.client_certificate_data = None;
    }
    if let Some(path) = &settings.client_key {
        user.client_key = Some(path.clone());
        user.client_key_data = None;
    }
    let files = [
        (
            "client certificate",
            &user.client_certificate,
            user.client_certificate_data.is_some(),
        ),
        (
            "client key",
            &user.client_key,
            user.client_key_data.is_some(),
        ),
    ];
    // What is in the kubeconfig itself goes before a file that it names.
    for (what, path, is_inside) in files {
        if let Some(path) = path.as_ref().filter(|_| !is_inside) {
            let readable = std::fs::File::open(path);
            readable.map_err(|error| {
                ClusterError::Configuration(format!(
                    "the {what} {path} can't be read: {}",
                    error_text(&error)
                ))
            })?;
        }
    }
    impersonate(&mut user, settings);
    Ok(user)
}

fn impersonate(user: &mut AuthInfo, settings: &ConnectionSettings) {
    let Some(name) = &settings.impersonate else {
        return;
    };
    user.impersonate = Some(name.clone());
    user.impersonate_uid = settings.impersonate_uid.clone();
    user.impersonate_groups =
        (!settings.impersonate_groups.is_empty()).then(|| settings.impersonate_groups.clone());
    let mut extra = std::collections::HashMap::<String, Vec<String>>::new();
    for (key, value) in &settings.impersonate_extra {
        extra.entry(key.clone()).or_default().push(value.clone());
    }
    user.impersonate_user_extra = (!extra.is_empty()).then_some(extra);
}

fn in_cluster(settings: &ConnectionSettings) -> Result<Connection, ClusterError> {
    let mut config = Config::incluster().map_err(|error| {
        ClusterError::Configuration(format!(
            "no kubeconfig, and the pod's service account can't be used: {error}"
        ))
    })?;
    if let Some(token) = &settings.token {
        config.auth_info.token = Some(token.clone());
        config.auth_info.token_file = None;
    }
    impersonate(&mut config.auth_info, settings);
    let connected = Connected {
        context: None,
        user: user_of("the pod's service account", settings),
        namespace: Some(config.default_namespace.clone()),
    };
    finish(config, None, settings, connected)
}

/// What is said of a connection besides how it is made.
struct Connected {
    context: Option<String>,
    user: String,
    namespace: Option<String>,
}

fn finish(
    mut config: Config,
    own_proxy: Option<&str>,
    settings: &ConnectionSettings,
    connected: Connected,
) -> Result<Connection, ClusterError> {
    config.proxy_url = proxy(&config.cluster_url, own_proxy)?;
    config.headers.push((
        USER_AGENT,
        HeaderValue::from_static(concat!("kubectl-imageauto/", env!("CARGO_PKG_VERSION"))),
    ));
    // Waiting for minutes behind a silent retry helps nobody at a terminal.
    config.default_retry = false;
    if let Some(limit) = settings.request_timeout {
        config.connect_timeout = Some(config.connect_timeout.map_or(limit, |own| own.min(limit)));
    }
    Ok(Connection {
        config,
        context: connected.context,
        user: connected.user,
        namespace: connected.namespace.unwrap_or_else(|| "default".into()),
        request_timeout: settings.request_timeout,
    })
}

/// The kubeconfig's own proxy, else the environment's.
fn proxy(server: &Uri, own: Option<&str>) -> Result<Option<Uri>, ClusterError> {
    let own = own.filter(|proxy| !proxy.is_empty()).map(str::to_owned);
    let Some(proxy) = own.or_else(|| ProxyEnvironment::read().proxy_for(server)) else {
        return Ok(None);
    };
    // The text may hold a password: it is not shown.
    proxy.parse().map(Some).map_err(|_| {
        ClusterError::Configuration(
            "the proxy is no URL: correct proxy-url of the kubeconfig's cluster, or HTTPS_PROXY"
                .into(),
        )
    })
}
