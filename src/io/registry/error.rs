//! Why a registry gave no answer, in the controller's words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::facts::registry::{RegistryErrorKind, RegistryLogin, Throttling};

/// Why a registry gave no answer; displays as what happened, without credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct RegistryError {
    kind: RegistryErrorKind,
    text: String,
    controller: Option<String>,
    throttling: Throttling,
}

impl RegistryError {
    /// What the controller would meet too, and how it would say it.
    pub(super) fn new(kind: RegistryErrorKind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            kind,
            controller: Some(text.clone()),
            text,
            throttling: Throttling::default(),
        }
    }

    pub(super) fn bad_answer(text: impl Into<String>) -> Self {
        Self::new(RegistryErrorKind::BadAnswer, text)
    }

    /// A bound of ours.
    pub(super) fn our_limit(text: impl Into<String>) -> Self {
        Self {
            kind: RegistryErrorKind::OurLimit,
            text: text.into(),
            controller: None,
            throttling: Throttling::default(),
        }
    }

    /// The bound of tags.
    pub(super) fn too_many_tags(text: impl Into<String>) -> Self {
        Self {
            kind: RegistryErrorKind::TooManyTags,
            ..Self::our_limit(text)
        }
    }

    /// What goes on for ever: we say so at once, the controller runs into its timeout.
    pub(super) fn endless(text: impl Into<String>, controller: impl Into<String>) -> Self {
        Self {
            kind: RegistryErrorKind::BadAnswer,
            text: text.into(),
            controller: Some(controller.into()),
            throttling: Throttling::default(),
        }
    }

    /// What kind of error it is.
    pub fn kind(&self) -> RegistryErrorKind {
        self.kind
    }

    /// The same error with what the answer said about limits.
    pub(super) fn with(self, throttling: Throttling) -> Self {
        Self { throttling, ..self }
    }

    /// What the answer said about how often one may ask.
    pub fn throttling(&self) -> &Throttling {
        &self.throttling
    }

    /// What the controller would print after `scan failed: `, or for a digest after `failed fetching descriptor for
    /// "<image>:<tag>": `. `None` for a bound of ours: the controller has none.
    pub fn controller_text(&self) -> Option<&str> {
        self.controller.as_deref()
    }

    /// The same error in a longer text.
    pub(super) fn within(self, wrap: impl Fn(&str) -> String) -> Self {
        Self {
            kind: self.kind,
            text: wrap(&self.text),
            controller: self.controller.map(|text| wrap(&text)),
            throttling: self.throttling,
        }
    }

    /// The same error without what is secret in `login`, should a server have echoed it.
    pub(super) fn without(self, login: &RegistryLogin) -> Self {
        let secrets = secrets(login);
        self.within(|text| {
            secrets
                .iter()
                // A password of a few letters may be a part of any word.
                .filter(|secret| secret.len() >= 6)
                .fold(text.to_owned(), |text, secret| {
                    text.replace(secret.as_str(), "REDACTED")
                })
        })
    }
}

/// What of a login may be nowhere: its passwords, plain and as they are sent, and its tokens.
fn secrets(login: &RegistryLogin) -> Vec<String> {
    let basic = |username: &str, password: &str| {
        let sent = STANDARD.encode(format!("{username}:{password}"));
        vec![sent, password.to_owned()]
    };
    match login {
        RegistryLogin::Anonymous => Vec::new(),
        RegistryLogin::Basic { username, password } => basic(username, password),
        RegistryLogin::IdentityToken { token, basic: pair } => {
            let mut secrets = pair
                .as_ref()
                .map(|(username, password)| basic(username, password))
                .unwrap_or_default();
            secrets.push(token.clone());
            secrets
        }
        RegistryLogin::RegistryToken(token) => vec![token.clone()],
    }
}
