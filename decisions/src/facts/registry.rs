//! Tag lists, recorded or just listed, and what a client needs to ask a registry for them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::network::{ClientTls, Proxy};
use crate::controllers::flux::ObjectKey;

/// The tags of one image when they were listed, before any exclusion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedTags {
    /// The tags as listed.
    pub tags: Vec<String>,
    /// Tag to digest, where it was recorded.
    pub digests: BTreeMap<String, String>,
}

/// One entry of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedList {
    /// The ImageRepository that was listed, where the recording names one.
    pub repository: Option<ObjectKey>,
    /// The tags, or why there are none.
    pub outcome: Result<RecordedTags, RecordedFailure>,
}

/// Why a recording has no tags of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedFailure {
    /// The reason of the controller's condition, or one of ours.
    pub reason: String,
    /// The controller's message, or ours.
    pub message: String,
}

/// Recordings by canonical image name (`index.docker.io/library/alpine`); of one image there may be several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagRecording {
    /// The entries of each image, in the order of the file.
    pub images: BTreeMap<String, Vec<RecordedList>>,
}

impl TagRecording {
    /// The entry for an ImageRepository of this image: its own, else the first that has tags, else the first.
    pub fn find(&self, image: &str, repository: &ObjectKey) -> Option<&RecordedList> {
        let entries = self.images.get(image)?;
        entries
            .iter()
            .find(|entry| entry.repository.as_ref() == Some(repository))
            .or_else(|| entries.iter().find(|entry| entry.outcome.is_ok()))
            .or_else(|| entries.first())
    }
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

/// What an answer said about how often one may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    /// `Retry-After`: when to come again, from the moment of the answer.
    pub retry_after: Option<Duration>,
    /// The headers about limits, as they are written: `ratelimit-limit: 100;w=21600`.
    pub limits: Vec<String>,
}

impl fmt::Display for Throttling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retry_after = self
            .retry_after
            .map(|wait| format!("retry-after: {}s", wait.as_secs()));
        let said: Vec<String> = retry_after.into_iter().chain(self.limits.clone()).collect();
        formatter.write_str(&said.join(", "))
    }
}

/// Why a registry gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryErrorKind {
    /// The registry, or its token server, answered with a status that isn't success.
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// It answered that there were too many requests.
    RateLimited,
    /// It lists fewer tags at a time than are asked for, and refuses instead of making pages of them.
    PageTooLong,
    /// There are more tags than a bound of ours allows.
    TooManyTags,
    /// There is no connection: no such name, nobody listens, certificates don't fit, a proxy refuses.
    Unreachable,
    /// It took longer than the repository allows.
    TimedOut,
    /// What it answered can't be read.
    BadAnswer,
    /// A bound of ours, where the controller has none: it may well succeed.
    OurLimit,
}
