//! What Go's `crypto/tls` and `crypto/x509` take from PEM texts, and how they refuse the rest.

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::pem::{Block, blocks};

/// Whether `AppendCertsFromPEM` would take any authority from the text.
pub fn has_authority(text: &[u8]) -> bool {
    let certificates = blocks(text)
        .filter(|block| block.kind == "CERTIFICATE" && !has_headers(block))
        .map(|block| CertificateDer::from(block.bytes));
    RootCertStore::empty()
        .add_parsable_certificates(certificates)
        .0
        > 0
}

/// Checks a certificate and its key as `X509KeyPair` does.
///
/// A kind of key that is unknown here passes: it is no mistake of the one who made it.
///
/// # Errors
///
/// Go's text.
pub fn check_key_pair(certificate: &[u8], key: &[u8]) -> Result<(), String> {
    let chain = certificate_blocks(certificate)?;
    let key = key_block(key)?;
    let Ok(key) = PrivateKeyDer::try_from(key) else {
        return Err("tls: failed to parse private key".into());
    };
    match CertifiedKey::from_der(chain, key, &ring::default_provider()) {
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err("tls: private key does not match public key".into())
        }
        Err(rustls::Error::InvalidCertificate(_)) => Err("x509: malformed certificate".into()),
        _ => Ok(()),
    }
}

fn certificate_blocks(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let (chain, skipped): (Vec<Block>, Vec<Block>) =
        blocks(text).partition(|block| block.kind == "CERTIFICATE");
    if !chain.is_empty() {
        let chain = chain.into_iter().map(|block| block.bytes.into());
        return Ok(chain.collect());
    }
    Err(match &skipped[..] {
        [] => "tls: failed to find any PEM data in certificate input".into(),
        [only] if only.kind.ends_with("PRIVATE KEY") => {
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched".into()
        }
        _ => format!(
            "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the following types: {}",
            kinds(&skipped)
        ),
    })
}

fn key_block(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut skipped = Vec::new();
    for block in blocks(text) {
        if block.kind == "PRIVATE KEY" || block.kind.ends_with(" PRIVATE KEY") {
            return Ok(block.bytes);
        }
        skipped.push(block);
    }
    Err(match &skipped[..] {
        [] => "tls: failed to find any PEM data in key input".into(),
        [only] if only.kind == "CERTIFICATE" => {
            "tls: found a certificate rather than a key in the PEM for the private key".into()
        }
        _ => format!(
            "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM blocks of the following types: {}",
            kinds(&skipped)
        ),
    })
}

/// A list of strings as Go prints it.
fn kinds(blocks: &[Block]) -> String {
    let kinds: Vec<&str> = blocks.iter().map(|block| block.kind.as_str()).collect();
    format!("[{}]", kinds.join(" "))
}

/// Whether there is a header line such as `Proc-Type: 4,ENCRYPTED`.
fn has_headers(block: &Block) -> bool {
    let first = block.text.lines().nth(1);
    first.is_some_and(|line| line.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate and its key, PEM.
    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["registry.example.com".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn complaint(certificate: &str, key: &str) -> String {
        check_key_pair(certificate.as_bytes(), key.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_pair_that_fits_passes() {
        let (certificate, key) = pair();
        assert_eq!(
            check_key_pair(certificate.as_bytes(), key.as_bytes()),
            Ok(())
        );
        assert!(has_authority(certificate.as_bytes()));
    }

    #[test]
    fn complaints_are_gos() {
        let (certificate, key) = pair();
        let (_, other_key) = pair();
        assert_eq!(
            complaint("", &key),
            "tls: failed to find any PEM data in certificate input"
        );
        assert_eq!(
            complaint(&key, &certificate),
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched"
        );
        assert_eq!(
            complaint(&certificate, "x"),
            "tls: failed to find any PEM data in key input"
        );
        assert_eq!(
            complaint(&certificate, &certificate),
            "tls: found a certificate rather than a key in the PEM for the private key"
        );
        assert_eq!(
            complaint(&certificate, &other_key),
            "tls: private key does not match public key"
        );
    }

    #[test]
    fn what_is_no_certificate_is_no_authority() {
        let (_, key) = pair();
        assert!(!has_authority(b"nothing"));
        assert!(!has_authority(key.as_bytes()));
        assert!(!has_authority(
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        ));
    }
}
