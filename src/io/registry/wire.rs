//! The HTTP client: one set of connections for each combination of certificates and proxy, and a bound of requests for each
//! host. It sends what it is told, once, and follows nothing.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::RegistrySettings;
use super::authorization::Tokens;
use super::broken::{Broken, Target, UnknownHost, host_name};
use super::ping::Pings;
use super::tls;
use crate::facts::network::{ClientTls, Proxy};
use crate::facts::registry::RegistryAccess;
use crate::go::url::Url;
use crate::io::observer::Observer;

/// How long a connection may take to be made, as in Go's default transport.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
const USER_AGENT: &str = concat!("kubectl-imageauto/", env!("CARGO_PKG_VERSION"));

/// What is shared by the scans of a run.
pub(in crate::io) struct Wire {
    pub observer: Observer,
    pub(super) pings: Pings,
    pub(super) tokens: Tokens,
    max_requests: usize,
    permits: Mutex<HashMap<String, Arc<Semaphore>>>,
    clients: Mutex<HashMap<ClientKey, reqwest::Client>>,
    names: Arc<Names>,
    /// The proxies that the clients take from the environment, for the texts of errors.
    environment: Matcher,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Wire")
            .field("max_requests", &self.max_requests)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct ClientKey {
    tls: ClientTls,
    proxy: Option<Proxy>,
    /// The environment's proxies are not used.
    direct: bool,
}

/// A request; it is sent to exactly this URL.
#[derive(Clone, Debug)]
pub(in crate::io) struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<String>,
    /// How much of the answer's body is read.
    pub most: usize,
}

/// An answer of whatever status.
#[derive(Clone, Debug)]
pub(in crate::io) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// As much of the body as came, and as was asked for.
    pub body: Vec<u8>,
    /// Why the body isn't whole.
    pub broken: Option<Broken>,
    /// There was more than was asked for.
    pub cut: bool,
}

impl Answer {
    /// A header's first value as text.
    pub fn header(&self, name: &http::HeaderName) -> Option<String> {
        let value = self.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }
}

impl Wire {
    pub fn new(settings: &RegistrySettings, observer: Observer) -> Self {
        Self {
            observer,
            pings: Pings::default(),
            tokens: Tokens::default(),
            max_requests: settings.max_requests_per_host.max(1),
            permits: Mutex::default(),
            clients: Mutex::default(),
            names: Arc::default(),
            environment: Matcher::from_system(),
        }
    }

    /// Waits for the turn of a request to `host`.
    pub async fn turn(&self, host: &str) -> Option<OwnedSemaphorePermit> {
        let permits = {
            let mut hosts = locked(&self.permits);
            hosts
                .entry(host.to_owned())
                .or_insert_with(|| Arc::new(Semaphore::new(self.max_requests)))
                .clone()
        };
        // It is closed by nobody.
        permits.acquire_owned().await.ok()
    }

    /// Sends a request and reads the answer; both end at `deadline`.
    pub async fn send(
        &self,
        request: &Request,
        access: &RegistryAccess,
        deadline: Instant,
    ) -> Result<Answer, Broken> {
        if Instant::now() >= deadline {
            return Err(Broken::deadline());
        }
        let host = request.url.authority();
        let client = self.client(access, &host)?;
        let prepared = prepared(&client, request)?;
        let answer = match within(deadline, client.execute(prepared)).await {
            None => return Err(Broken::deadline()),
            Some(Ok(answer)) => answer,
            Some(Err(error)) => {
                let proxy = self.proxy_for(&request.url, access);
                let target = Target {
                    host: &host,
                    address: &self.address_of(proxy.as_ref().unwrap_or(&request.url)),
                    through_proxy: proxy.is_some(),
                };
                return Err(Broken::of(&error, target));
            }
        };
        Ok(read(answer, request.most, deadline).await)
    }

    /// The addresses that a host name stands for; none where it can't be resolved.
    pub async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        match host.parse() {
            Ok(address) => vec![address],
            Err(_) => self.names.look_up(host).await.unwrap_or_default(),
        }
    }

    fn client(&self, access: &RegistryAccess, host: &str) -> Result<reqwest::Client, Broken> {
        let key = ClientKey {
            tls: access.tls.clone(),
            proxy: access.proxy.clone(),
            // Go sends nothing for this machine through the environment's proxies.
            direct: access.proxy.is_some() || is_this_machine(host_name(host)),
        };
        let mut clients = locked(&self.clients);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = build(&key, self.names.clone()).map_err(Broken::ours)?;
        clients.insert(key, client.clone());
        Ok(client)
    }

    /// The proxy that a request goes through: the object's, else the environment's.
    fn proxy_for(&self, url: &Url, access: &RegistryAccess) -> Option<Url> {
        if let Some(proxy) = &access.proxy {
            return Url::parse(&proxy.address).ok();
        }
        if is_this_machine(host_name(&url.authority())) {
            return None;
        }
        let proxy = self.environment.intercept(&url.to_string().parse().ok()?)?;
        Url::parse(&proxy.uri().to_string()).ok()
    }

    /// IP address and port of the URL's host; empty where the address isn't known.
    fn address_of(&self, url: &Url) -> String {
        let authority = url.authority();
        let host = host_name(&authority);
        let address = match host.parse() {
            Ok(address) => Some(address),
            Err(_) => self.names.known(host),
        };
        address.map_or_else(String::new, |address| {
            SocketAddr::new(address, port_of(url)).to_string()
        })
    }
}

/// The port, or the usual one of the scheme.
fn port_of(url: &Url) -> u16 {
    let authority = url.authority();
    let written = authority
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    written.unwrap_or(match url.scheme.as_str() {
        "http" => 80,
        "socks5" => 1080,
        _ => 443,
    })
}

fn build(key: &ClientKey, names: Arc<Names>) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::configuration(&key.tls)?)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .dns_resolver(Resolver(names));
    if key.direct {
        builder = builder.no_proxy();
    }
    if let Some(proxy) = &key.proxy {
        builder = builder.proxy(proxy_of(proxy)?);
    }
    builder
        .build()
        .map_err(|error| format!("the connection can't be prepared: {error}"))
}

fn proxy_of(proxy: &Proxy) -> Result<reqwest::Proxy, String> {
    let unusable = || "the proxy's address can't be used".to_owned();
    // As in Go, the proxy resolves the names.
    let address = match proxy.address.strip_prefix("socks5://") {
        Some(rest) => format!("socks5h://{rest}"),
        None => proxy.address.clone(),
    };
    let mut url = reqwest::Url::parse(&address).map_err(|_| unusable())?;
    if !proxy.username.is_empty() {
        url.set_username(&proxy.username).map_err(|()| unusable())?;
        url.set_password(Some(&proxy.password))
            .map_err(|()| unusable())?;
    }
    reqwest::Proxy::all(url).map_err(|_| unusable())
}

fn prepared(client: &reqwest::Client, request: &Request) -> Result<reqwest::Request, Broken> {
    let mut builder = client
        .request(request.method.clone(), request.url.to_string())
        .headers(request.headers.clone());
    if let Some(body) = &request.body {
        builder = builder.body(body.clone());
    }
    builder
        .build()
        .map_err(|_| Broken::ours("the URL can't be used".into()))
}

async fn read(mut answer: reqwest::Response, most: usize, deadline: Instant) -> Answer {
    let mut out = Answer {
        status: answer.status().as_u16(),
        headers: std::mem::take(answer.headers_mut()),
        body: Vec::new(),
        broken: None,
        cut: false,
    };
    loop {
        match within(deadline, answer.chunk()).await {
            None => {
                out.broken = Some(Broken::deadline());
                return out;
            }
            Some(Err(error)) => {
                out.broken = Some(Broken::of_body(&error));
                return out;
            }
            Some(Ok(None)) => return out,
            Some(Ok(Some(chunk))) => {
                let room = most - out.body.len();
                out.body.extend(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    out.cut = true;
                    return out;
                }
            }
        }
    }
}

async fn within<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    tokio::time::timeout_at(deadline.into(), future).await.ok()
}

/// Whether Go takes the host for this machine itself.
fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The system's resolver. What it found counts for the whole run: a host that was public when it was looked at is asked at
/// that address, whatever its name leads to a moment later.
#[derive(Debug, Default)]
struct Names {
    found: Mutex<HashMap<String, Vec<IpAddr>>>,
}

impl Names {
    async fn look_up(&self, host: &str) -> Option<Vec<IpAddr>> {
        let known = locked(&self.found).get(host).cloned();
        if known.is_some() {
            return known;
        }
        let addresses: Vec<IpAddr> = tokio::net::lookup_host((host, 0))
            .await
            .ok()?
            .map(|address| address.ip())
            .collect();
        locked(&self.found).insert(host.to_owned(), addresses.clone());
        Some(addresses)
    }

    fn known(&self, host: &str) -> Option<IpAddr> {
        locked(&self.found).get(host)?.first().copied()
    }
}

/// [`Names`] in the form that the client wants.
struct Resolver(Arc<Names>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.0.clone();
        Box::pin(async move {
            let host = name.as_str();
            match names.look_up(host).await {
                Some(addresses) => {
                    let addresses = addresses
                        .into_iter()
                        .map(|address| SocketAddr::new(address, 0));
                    Ok(Box::new(addresses) as Addrs)
                }
                None => {
                    Err(Box::new(UnknownHost(host.to_owned())) as Box<dyn StdError + Send + Sync>)
                }
            }
        })
    }
}
