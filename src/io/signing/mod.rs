//! Signing with the key of a Secret, in this process: the key is never in a file, an argument or another program's memory.

use std::fmt;

mod gpg;
mod ssh;

/// A key that signs commits; nothing of it leaves by `Debug`.
pub struct SigningKey(Kind);

enum Kind {
    Gpg(Box<gpg::Key>),
    Ssh(Box<ssh::Key>),
}

/// Why a key does not sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyProblem {
    /// It can't be read: the cause in the words of the controller's library, as far as they are known.
    Unreadable(String),
    /// It is behind a passphrase, and none is there.
    NeedsPassphrase,
    /// The passphrase is another: the library's words.
    WrongPassphrase(String),
    /// There are several.
    Several,
    /// It is read and then doesn't sign: the library's words.
    CannotSign(String),
    /// It is one that we can't use while the controller perhaps can: why, and what to do.
    Unsupported(String),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name())
    }
}

impl SigningKey {
    /// An OpenPGP key, armored; `now` in seconds since 1970 decides which of its parts are of age.
    ///
    /// # Errors
    ///
    /// It can't be read or unlocked.
    pub fn gpg(armored: &[u8], passphrase: Option<&[u8]>, now: i64) -> Result<Self, KeyProblem> {
        gpg::Key::read(armored, passphrase, now).map(|key| Self(Kind::Gpg(Box::new(key))))
    }

    /// An ssh key, PEM.
    ///
    /// # Errors
    ///
    /// It can't be read or unlocked.
    pub fn ssh(pem: &[u8], passphrase: &[u8]) -> Result<Self, KeyProblem> {
        ssh::Key::read(pem, passphrase).map(|key| Self(Kind::Ssh(Box::new(key))))
    }

    /// What the key is called: `GPG key 3299AEB0E4085BAF`, `SSH key SHA256:…`.
    pub fn name(&self) -> String {
        match &self.0 {
            Kind::Gpg(key) => format!("GPG key {}", key.id()),
            Kind::Ssh(key) => format!("SSH key {}", key.fingerprint()),
        }
    }

    /// Signs; the signature is armored text.
    ///
    /// # Errors
    ///
    /// The key is one that doesn't sign.
    pub fn sign(&self, payload: &[u8]) -> Result<String, KeyProblem> {
        match &self.0 {
            Kind::Gpg(key) => key.sign(payload),
            Kind::Ssh(key) => key.sign(payload),
        }
    }
}
