//! Which proxy stands between us and a URL, by the environment and Go's rules (`golang.org/x/net/http/httpproxy`), which
//! kubectl follows. kube compares `NO_PROXY` with the proxy's own address instead of the server's, so that it is done here.

use std::net::IpAddr;

use http::Uri;

/// The proxy variables; the upper-case name counts before the lower-case one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProxyEnvironment {
    http: String,
    https: String,
    excluded: String,
}

impl ProxyEnvironment {
    /// As the process's environment says.
    pub(crate) fn read() -> Self {
        let variable = |names: [&str; 2]| {
            names
                .iter()
                .filter_map(|name| std::env::var(name).ok())
                .find(|value| !value.is_empty())
                .unwrap_or_default()
        };
        Self {
            http: variable(["HTTP_PROXY", "http_proxy"]),
            https: variable(["HTTPS_PROXY", "https_proxy"]),
            excluded: variable(["NO_PROXY", "no_proxy"]),
        }
    }

    /// The proxy for `url`, as the environment writes it, or none.
    pub(crate) fn proxy_for(&self, url: &Uri) -> Option<String> {
        let https = url.scheme_str() == Some("https");
        let proxy = if https { &self.https } else { &self.http };
        let host = url.host()?.trim_matches(['[', ']']).to_ascii_lowercase();
        let port = url.port_u16().unwrap_or(if https { 443 } else { 80 });
        if proxy.is_empty() || self.excludes(&host, port) {
            return None;
        }
        Some(if proxy.contains("://") {
            proxy.clone()
        } else {
            format!("http://{proxy}")
        })
    }

    fn excludes(&self, host: &str, port: u16) -> bool {
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        self.excluded
            .split(',')
            .map(|entry| entry.trim().to_ascii_lowercase())
            .filter(|entry| !entry.is_empty())
            .any(|entry| entry_matches(&entry, host, address, port))
    }
}

fn entry_matches(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, bits)) = entry.split_once('/')
        && let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>())
    {
        return address.is_some_and(|address| in_network(address, network, bits));
    }
    let (name, wanted_port) = with_port(entry);
    if wanted_port.is_some_and(|wanted| wanted != port) {
        return false;
    }
    if let Ok(excluded) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        return address == Some(excluded);
    }
    // `example.com` takes the host and all below it, `.example.com` and `*.example.com` only what is below.
    let below = name.strip_prefix('*').unwrap_or(name);
    match below.strip_prefix('.') {
        Some(domain) => host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.')),
        None => {
            host == below
                || host
                    .strip_suffix(below)
                    .is_some_and(|rest| rest.ends_with('.'))
        }
    }
}

/// `host:port` in its parts; an IPv6 address has its port behind a bracket.
fn with_port(entry: &str) -> (&str, Option<u16>) {
    let split = if entry.starts_with('[') {
        entry.split_once("]:")
    } else {
        entry
            .rsplit_once(':')
            .filter(|(host, _)| !host.contains(':'))
    };
    match split.map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) => (host, Some(port)),
        _ => (entry, None),
    }
}

fn in_network(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let same = |one: u128, other: u128, width: u32| {
        bits <= width && (bits == 0 || (one ^ other) >> (width - bits) == 0)
    };
    match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            same(one.to_bits().into(), other.to_bits().into(), 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => same(one.to_bits(), other.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(excluded: &str, url: &str) -> Option<String> {
        let environment = ProxyEnvironment {
            http: String::new(),
            https: "proxy.example.com:3128".into(),
            excluded: excluded.into(),
        };
        environment.proxy_for(&url.parse().unwrap())
    }

    #[test]
    fn the_servers_own_address_decides() {
        let through = Some("http://proxy.example.com:3128".to_owned());
        assert_eq!(proxy("", "https://api.example.com:6443"), through);
        assert_eq!(proxy("", "http://api.example.com"), None);
        for excluded in [
            "*",
            "api.example.com",
            "example.com",
            ".example.com",
            "*.example.com",
            "x, API.example.com:6443",
        ] {
            assert_eq!(
                proxy(excluded, "https://api.example.com:6443"),
                None,
                "{excluded}"
            );
        }
        for excluded in [
            "proxy.example.com",
            "ample.com",
            ".api.example.com",
            "api.example.com:443",
        ] {
            assert_eq!(
                proxy(excluded, "https://api.example.com:6443"),
                through,
                "{excluded}"
            );
        }
    }

    #[test]
    fn addresses_are_compared_as_addresses() {
        let through = Some("http://proxy.example.com:3128".to_owned());
        assert_eq!(proxy("10.0.0.0/8", "https://10.1.2.3:6443"), None);
        assert_eq!(proxy("10.0.0.0/16", "https://10.1.2.3:6443"), through);
        assert_eq!(proxy("10.1.2.3", "https://10.1.2.3:6443"), None);
        assert_eq!(proxy("fd00::/8", "https://[fd00::1]:6443"), None);
        assert_eq!(proxy("[fd00::1]:6443", "https://[fd00::1]:6443"), None);
        assert_eq!(proxy("", "https://127.0.0.1:6443"), None);
        assert_eq!(proxy("", "https://localhost:6443"), None);
    }
}
