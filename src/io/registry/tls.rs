//! TLS as the controller has it: the system's authorities with those of the object, and the object's client certificate.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use crate::facts::network::{ClientIdentity, ClientTls};

/// The configuration of a client; the error says what of ours can't use the certificates.
pub(super) fn configuration(tls: &ClientTls) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let authorities = authorities(tls.authorities.as_deref().unwrap_or_default());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match verifier(authorities.clone(), provider) {
        Some(usual) => {
            let verifier = AsInGo { usual, authorities };
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
        }
        // Without any authority no certificate can be trusted, which shows when there is one.
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    let mut config = match &tls.identity {
        Some(identity) => {
            let (chain, key) = parsed_identity(identity)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("the client certificate can't be used: {error}"))?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates of a PEM text that can be read; the others are passed over, as in Go.
fn authorities(text: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(text)
        .filter_map(Result::ok)
        .filter(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok())
        .collect()
}

fn verifier(
    authorities: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Option<Arc<dyn ServerCertVerifier>> {
    if let Ok(verifier) = Verifier::new_with_extra_roots(authorities.clone(), provider.clone()) {
        return Some(Arc::new(verifier));
    }
    // A system without authorities of its own.
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities);
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier
        .ok()
        .map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
}

fn parsed_identity(
    identity: &ClientIdentity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = CertificateDer::pem_slice_iter(&identity.certificate)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("the client certificate can't be read: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(&identity.key)
        .map_err(|_| "the client certificate's key is of a kind that isn't supported".to_owned())?;
    Ok((chain, key))
}

/// Whether nobody who is trusted signed the certificate: for an authority that serves itself there is an error of its own.
pub(super) fn is_unknown_issuer(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => {
            matches!(other.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    }
}

/// Looks at the certificate's names before it looks at who signed it, which is the order in which Go complains; and takes
/// a certificate that is itself among the authorities, as those are that registries sign for themselves.
#[derive(Debug)]
struct AsInGo {
    usual: Arc<dyn ServerCertVerifier>,
    authorities: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for AsInGo {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        let usual = self.usual.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match usual {
            // These come after the look at the certificate's own dates.
            Err(error) if is_unknown_issuer(&error) && self.authorities.contains(end_entity) => {
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}
