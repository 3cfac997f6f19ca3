//! Tag lists, recorded or just listed, and what a client needs to ask a registry for them.

use std::collections::BTreeMap;
use std::fmt;

use super::network::{ClientTls, Proxy};

/// The tags of one image when they were listed, before any exclusion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedTags {
    /// The tags as listed.
    pub tags: Vec<String>,
    /// Tag to digest, where it was recorded.
    pub digests: BTreeMap<String, String>,
}

/// Recordings by canonical image name (`index.docker.io/library/alpine`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagRecording {
    /// One entry for each image.
    pub images: BTreeMap<String, RecordedTags>,
}

/// How to log in to a registry; what is secret in it never leaves by `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub enum RegistryLogin {
    /// Without credentials.
    #[default]
    Anonymous,
    /// A user and a password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: String,
    },
    /// An OAuth2 refresh token (`identitytoken` in Docker's words).
    IdentityToken {
        /// The token.
        token: String,
        /// The user and the password that stood beside it: for a Basic challenge, and for token servers that know no
        /// refresh tokens.
        basic: Option<(String, String)>,
    },
    /// A bearer token that is sent as it is (`registrytoken` in Docker's words).
    RegistryToken(String),
}

impl fmt::Debug for RegistryLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Basic { .. } => "Basic",
            Self::IdentityToken { .. } => "IdentityToken",
            Self::RegistryToken(_) => "RegistryToken",
        })
    }
}

/// Everything that a client needs to talk to a registry as the controller would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RegistryAccess {
    /// Who we are.
    pub login: RegistryLogin,
    /// Certificates.
    pub tls: ClientTls,
    /// The proxy of the object, not of the environment.
    pub proxy: Option<Proxy>,
    /// `spec.insecure`: plain http is allowed.
    pub insecure: bool,
}
