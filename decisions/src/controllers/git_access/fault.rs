//! Mirrors `plumbing/transport` of go-git 5.19 and the parts of Go's `crypto/tls`, `net/http` and `x/crypto/ssh` behind it: what is wrong
//! with a login before anything is sent.

use crate::controllers::checkout::{Said, Target};
use crate::facts::git::{GitAccess, GitLogin, without_secrets};
use crate::go::pem;

/// The address that a client of git over http asks first.
pub(crate) fn info_refs(url: &str) -> String {
    format!("{}/info/refs?service=git-upload-pack", without_secrets(url))
}

/// What the controller says of a login that can't be used, whatever the server is like; `None` where it can be tried.
///
/// `listed_first`: see [`lists_first`](crate::controllers::automation::lists_first).
pub fn fault(access: &GitAccess, url: &str, target: &Target, listed_first: bool) -> Option<Said> {
    let of_transport = |cause| Some(Said::of_transport(target, listed_first, cause));
    match &access.login {
        GitLogin::Key { identity, .. } => {
            if let Some(cause) = key_fault(identity) {
                return Some(Said::unusable_key(&cause));
            }
            let proxy = access.proxy.as_ref()?;
            let (scheme, _) = proxy.address.split_once("://")?;
            (scheme != "socks5")
                .then(|| of_transport(format!("proxy: unknown scheme: {scheme}")))?
        }
        GitLogin::UserOwn => None,
        login => {
            let identity = access.tls.identity.as_ref();
            let pair = identity.and_then(|pair| key_pair(&pair.certificate, &pair.key));
            if let Some(cause) = pair {
                return of_transport(cause);
            }
            match login {
                GitLogin::Bearer(token) if token.bytes().any(is_no_header) => {
                    of_transport(format!(
                        "Get \"{}\": net/http: invalid header field value for \"Authorization\"",
                        info_refs(url)
                    ))
                }
                _ => None,
            }
        }
    }
}

fn is_no_header(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

fn key_fault(identity: &[u8]) -> Option<String> {
    const READ: [&str; 5] = [
        "RSA PRIVATE KEY",
        "PRIVATE KEY",
        "EC PRIVATE KEY",
        "DSA PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
    ];
    let Some(block) = pem::blocks(identity).next() else {
        return Some("ssh: no key found".into());
    };
    let known = READ.contains(&block.kind.as_str());
    (!known).then(|| {
        let kind = crate::go::text::quote(&block.kind);
        format!("ssh: unsupported key type {kind}")
    })
}

/// What is wrong with the form of a client's certificate and key.
pub(super) fn key_pair(certificate: &[u8], key: &[u8]) -> Option<String> {
    let kinds = |bytes: &[u8]| {
        pem::blocks(bytes)
            .map(|block| block.kind)
            .collect::<Vec<_>>()
    };
    let is_key = |kind: &String| kind == "PRIVATE KEY" || kind.ends_with(" PRIVATE KEY");
    let (certificates, keys) = (kinds(certificate), kinds(key));
    if certificates.is_empty() {
        return Some("tls: failed to find any PEM data in certificate input".into());
    }
    if !certificates.iter().any(|kind| kind == "CERTIFICATE") {
        return Some(
            if certificates.len() == 1 && certificates[0].ends_with("PRIVATE KEY") {
                "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched".into()
            } else {
                format!(
                    "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the following types: [{}]",
                    certificates.join(" ")
                )
            },
        );
    }
    if keys.is_empty() {
        return Some("tls: failed to find any PEM data in key input".into());
    }
    if keys.iter().any(is_key) {
        return None;
    }
    Some(if keys.len() == 1 && keys[0] == "CERTIFICATE" {
        "tls: found a certificate rather than a key in the PEM for the private key".into()
    } else {
        format!(
            "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM blocks of the following types: [{}]",
            keys.join(" ")
        )
    })
}
