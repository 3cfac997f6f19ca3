//! What goes wrong between us and a cluster.

use std::error::Error as _;

use crate::io::error_text;

/// A cluster can't be asked, or refuses; each displays as one paragraph that names the thing and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// The kubeconfig or a connection flag.
    #[error("{0}")]
    Configuration(String),
    /// No connection, or one that broke off.
    #[error(
        "the cluster at {server} can't be reached: {cause}: check the server of the kubeconfig's context, the network and the proxy"
    )]
    Unreachable {
        /// Its URL.
        server: String,
        /// Why.
        cause: String,
    },
    /// `--request-timeout` or `--timeout` ended before the answer came.
    #[error("the cluster at {server} did not answer {request} within {limit}")]
    TimedOut {
        /// Its URL.
        server: String,
        /// Method and path.
        request: String,
        /// The limit that was reached.
        limit: String,
    },
    /// 401: credentials are missing, expired or wrong.
    #[error(
        "the cluster at {server} doesn't accept the credentials of {user} (401 {message}): log in again, or choose another user with --user or --token"
    )]
    Unauthorized {
        /// Its URL.
        server: String,
        /// Who the kubeconfig says we are.
        user: String,
        /// The server's words.
        message: String,
    },
    /// 403.
    #[error("the cluster forbids to {verb} {resource}{place}: {message}")]
    Forbidden {
        /// `get`, `list`, …
        verb: &'static str,
        /// The plural with its group: `imagepolicies.image.toolkit.fluxcd.io`.
        resource: String,
        /// ` in namespace x`, or ` in all namespaces`, or nothing.
        place: String,
        /// The server's words.
        message: String,
    },
    /// The API isn't there.
    #[error("{0}")]
    NotServed(String),
    /// Another status that is no success.
    #[error("the cluster at {server} answers {request} with {status} {message}")]
    Refused {
        /// Its URL.
        server: String,
        /// Method and path.
        request: String,
        /// The HTTP status.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// The answer is not what the API promises.
    #[error("the cluster at {server} answers {request} with something else than expected: {cause}")]
    BadAnswer {
        /// Its URL.
        server: String,
        /// Method and path.
        request: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl ClusterError {
    /// Whether other kinds of object may still be had.
    pub fn is_about_one_kind(&self) -> bool {
        matches!(self, Self::Forbidden { .. } | Self::NotServed(_))
    }
}

/// The innermost cause of a connection's failure, in the system's or the TLS library's words.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    match deepest.downcast_ref::<std::io::Error>() {
        Some(error) => match error.get_ref() {
            Some(inner) => inner.to_string(),
            None => error_text(error),
        },
        None => deepest.to_string(),
    }
}

/// The cause of kube's error, without kube's own words around it.
pub(super) fn kube_cause(error: &kube::Error) -> String {
    match error {
        kube::Error::Service(inner) => root_cause(inner.as_ref()),
        other => match other.source() {
            Some(source) => root_cause(source),
            None => other.to_string(),
        },
    }
}
