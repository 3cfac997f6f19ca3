//! Where a server sends its clients: git would take the credentials along, so it is not git that follows.

use std::net::IpAddr;

use url::{Host, Url};

/// What to do about a redirect of the first request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// Ask there.
    Follow {
        /// The repository's address.
        url: String,
        /// The same scheme, host and port: the credentials are for it too.
        same_server: bool,
    },
    /// The controller fails with this cause.
    Fails(String),
    /// We don't follow where the controller would, and why.
    Refused(String),
}

const INFO_REFS: &str = "/info/refs";

/// Judges the redirect of the repository at `url` to `location`, the `hop`th in a row.
pub(super) fn judge(url: &str, location: &str, hop: usize) -> Redirect {
    const MOST: usize = 10;
    let asked = format!("{url}{INFO_REFS}");
    let failed = |why: &str| Redirect::Fails(format!("Get \"{location}\": http redirect: {why}"));
    let Some((from, to)) = Url::parse(&asked)
        .ok()
        .and_then(|from| from.join(location).ok().map(|to| (from, to)))
    else {
        return Redirect::Fails(format!(
            "Get \"{asked}?service=git-upload-pack\": failed to parse Location header \"{location}\""
        ));
    };
    if !["http", "https"].contains(&to.scheme()) {
        return failed(&format!("unsupported scheme \"{}\"", to.scheme()));
    }
    if hop >= MOST {
        return failed("too many redirects");
    }
    let Some(path) = to.path().strip_suffix(INFO_REFS) else {
        return Redirect::Fails(format!(
            "http redirect: target \"{}\" does not end with {INFO_REFS}",
            to.path()
        ));
    };
    if from.scheme() == "https" && to.scheme() == "http" {
        return Redirect::Fails("http redirect: changes scheme from \"https\" to \"http\"".into());
    }
    let host = to.host_str().unwrap_or_default();
    if !is_private(&from) && is_private(&to) {
        return Redirect::Refused(format!(
            "it redirects to {host}, an address of a private network, which is not followed from a public one"
        ));
    }
    let port = to.port().map(|port| format!(":{port}")).unwrap_or_default();
    Redirect::Follow {
        url: format!("{}://{host}{port}{path}", to.scheme()),
        same_server: from.scheme() == to.scheme()
            && from.host() == to.host()
            && from.port_or_known_default() == to.port_or_known_default(),
    }
}

/// An address that only machines nearby can reach.
fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_nearby(address.into()),
        Some(Host::Ipv6(address)) => is_nearby(address.into()),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => true,
    }
}

fn is_nearby(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
        }
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_nearby(mapped.into()),
            None => {
                address.is_loopback()
                    || address.is_unspecified()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://git.example.com/team/gitops";

    fn followed(url: &str, location: &str) -> (String, bool) {
        match judge(url, location, 1) {
            Redirect::Follow { url, same_server } => (url, same_server),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_credentials_go_along_on_the_same_server_only() {
        for (location, url, same_server) in [
            (
                "/team/gitops.git/info/refs?service=git-upload-pack",
                "https://git.example.com/team/gitops.git",
                true,
            ),
            (
                "https://git.example.com:443/x/info/refs",
                "https://git.example.com/x",
                true,
            ),
            (
                "https://git.example.com:8443/x/info/refs",
                "https://git.example.com:8443/x",
                false,
            ),
            (
                "https://evil.example.com/x/info/refs",
                "https://evil.example.com/x",
                false,
            ),
            (
                "https://user:pass@git.example.com/x/info/refs",
                "https://git.example.com/x",
                true,
            ),
        ] {
            assert_eq!(followed(URL, location), (url.to_owned(), same_server));
        }
        assert!(
            !followed(
                "http://git.example.com/x",
                "https://git.example.com/x/info/refs"
            )
            .1
        );
    }

    #[test]
    fn what_the_controller_refuses_is_told_in_its_words() {
        let told = |location: &str, hop| match judge(URL, location, hop) {
            Redirect::Fails(cause) => cause,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            told("/users/sign_in", 1),
            "http redirect: target \"/users/sign_in\" does not end with /info/refs"
        );
        assert_eq!(
            told("http://git.example.com/x/info/refs", 1),
            "http redirect: changes scheme from \"https\" to \"http\""
        );
        assert_eq!(
            told("ftp://x/info/refs", 1),
            "Get \"ftp://x/info/refs\": http redirect: unsupported scheme \"ftp\""
        );
        assert_eq!(
            told("/x/info/refs", 10),
            "Get \"/x/info/refs\": http redirect: too many redirects"
        );
    }

    #[test]
    fn no_public_server_sends_us_into_a_private_network() {
        for host in [
            "127.0.0.1",
            "10.1.2.3:80",
            "169.254.169.254",
            "[::1]",
            "[::ffff:10.0.0.1]",
            "[fd00::1]",
            "localhost",
        ] {
            let location = format!("https://{host}/x/info/refs");
            assert!(
                matches!(judge(URL, &location, 1), Redirect::Refused(_)),
                "{host}"
            );
        }
        assert!(!followed("http://127.0.0.1:1/x", "http://127.0.0.1:2/x/info/refs").1);
    }
}
