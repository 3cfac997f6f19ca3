//! The way through a SOCKS5 proxy that ssh is given: this program again.

use crate::failure::Failure;
use crate::io::git;

/// The hidden command by which this program is that way: behind it the proxy's address, and host and port to go to.
pub const RELAY: &str = git::RELAY;

/// Connects standard input and output to `host` and `port` through the proxy, until the other side hangs up.
///
/// # Errors
///
/// There is no way through: in words that the one who speaks to ssh reads.
pub fn relay(proxy: &str, host: &str, port: &str) -> Result<(), Failure> {
    git::relay(proxy, host, port)
        .map_err(|cause| Failure::git(format!("{}{cause}\n", git::COMPLAINT)))
}
