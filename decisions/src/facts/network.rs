//! What connections need besides an address.

use std::fmt;

/// Certificates of a client, PEM; the key never leaves by `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct ClientTls {
    /// Authorities that are trusted besides the system's.
    pub authorities: Option<Vec<u8>>,
    /// The client's certificate and key.
    pub identity: Option<ClientIdentity>,
}

/// A client's certificate and its key, PEM.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientIdentity {
    /// The certificate, with its chain.
    pub certificate: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientTls")
            .field("authorities", &self.authorities.is_some())
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientIdentity")
    }
}

/// A proxy that an object names; its password never leaves by `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proxy {
    /// `http://`, `https://` or `socks5://` with host and port.
    pub address: String,
    /// The user, or empty.
    pub username: String,
    /// The password, or empty.
    pub password: String,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Proxy")
            .field("address", &self.address)
            .field("login", &!self.username.is_empty())
            .finish()
    }
}
