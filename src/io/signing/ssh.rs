//! ssh keys, and the signatures that git calls `ssh`: namespace `git`, SHA-512.

use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs1v15::SigningKey as RsaSigner;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::sha2::Sha512;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, RsaPrivateKey};
use ssh_key::private::{KeypairData, RsaKeypair};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, Signature, SshSig};

use super::KeyProblem;
use crate::go::pem;

/// A key that signs.
pub(super) struct Key(PrivateKey);

const NAMESPACE: &str = "git";

fn unreadable(cause: impl std::fmt::Display) -> KeyProblem {
    KeyProblem::Unreadable(format!("could not parse SSH signing key: {cause}"))
}

impl Key {
    pub fn read(bytes: &[u8], passphrase: &[u8]) -> Result<Self, KeyProblem> {
        let Some(block) = pem::blocks(bytes).next() else {
            return Err(unreadable("ssh: no key found"));
        };
        let text = block.text.replace('\r', "");
        let key = match block.kind.as_str() {
            "OPENSSH PRIVATE KEY" => openssh(&text, passphrase)?,
            "RSA PRIVATE KEY" if text.contains("ENCRYPTED") => return Err(old_lock()),
            "EC PRIVATE KEY" if text.contains("ENCRYPTED") => return Err(old_lock()),
            "RSA PRIVATE KEY" => of_rsa(RsaPrivateKey::from_pkcs1_pem(&text).map_err(unreadable)?)?,
            "PRIVATE KEY" => of_pkcs8(&text)?,
            "EC PRIVATE KEY" => {
                return Err(KeyProblem::Unsupported(
                    "its key is in an old format: convert it with ssh-keygen -p -f FILE".into(),
                ));
            }
            other => return Err(unreadable(format!("ssh: unsupported key type \"{other}\""))),
        };
        check(&key)?;
        Ok(Self(key))
    }

    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    pub fn sign(&self, payload: &[u8]) -> Result<String, KeyProblem> {
        let signed = match self.0.key_data() {
            KeypairData::Rsa(pair) => rsa_signature(&self.0, pair, payload),
            _ => self.0.sign(NAMESPACE, HashAlg::Sha512, payload),
        };
        let armored = signed.and_then(|signed| signed.to_pem(LineEnding::LF));
        armored.map_err(|error| {
            KeyProblem::Unsupported(format!(
                "the ssh key can't sign here ({error}): sign with --sign user or --sign none"
            ))
        })
    }
}

fn openssh(text: &str, passphrase: &[u8]) -> Result<PrivateKey, KeyProblem> {
    let key = PrivateKey::from_openssh(text).map_err(|error| match error {
        ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. } => {
            unreadable("ssh: unhandled key type")
        }
        _ => unreadable("ssh: invalid openssh private key format"),
    })?;
    if !key.is_encrypted() {
        return Ok(key);
    }
    if passphrase.is_empty() {
        return Err(KeyProblem::NeedsPassphrase);
    }
    key.decrypt(passphrase).map_err(|_| {
        KeyProblem::WrongPassphrase(
            "could not parse SSH signing key: x509: decryption password incorrect".into(),
        )
    })
}

fn old_lock() -> KeyProblem {
    KeyProblem::Unsupported(
        "its key is locked in an old way: convert it with ssh-keygen -p -f FILE".into(),
    )
}

fn of_rsa(key: RsaPrivateKey) -> Result<PrivateKey, KeyProblem> {
    let bits = key.size() * 8;
    let pair = RsaKeypair::try_from(key).map_err(|_| too_small(bits))?;
    PrivateKey::new(KeypairData::Rsa(pair), "").map_err(unreadable)
}

fn of_pkcs8(text: &str) -> Result<PrivateKey, KeyProblem> {
    if let Ok(key) = RsaPrivateKey::from_pkcs8_pem(text) {
        return of_rsa(key);
    }
    Err(KeyProblem::Unsupported(
        "its key is in the PKCS#8 format: convert it with ssh-keygen -p -f FILE".into(),
    ))
}

fn too_small(bits: usize) -> KeyProblem {
    KeyProblem::Unreadable(format!(
        "RSA key size {bits} bits is below the minimum supported by NewSSHSigner; must be at least 2048"
    ))
}

/// The kinds of key that the controller takes.
fn check(key: &PrivateKey) -> Result<(), KeyProblem> {
    match key.key_data() {
        KeypairData::Ed25519(_) | KeypairData::Ecdsa(_) => Ok(()),
        KeypairData::Rsa(pair) => {
            let modulus = BigUint::try_from(&pair.public.n).map_err(unreadable)?;
            // Whole bytes, as the controller counts.
            let bits = modulus.bits().div_ceil(8) * 8;
            if bits < 2048 {
                return Err(too_small(bits));
            }
            Ok(())
        }
        _ => Err(KeyProblem::Unreadable(format!(
            "unsupported SSH signing key algorithm: {}",
            key.algorithm()
        ))),
    }
}

fn rsa_signature(key: &PrivateKey, pair: &RsaKeypair, payload: &[u8]) -> ssh_key::Result<SshSig> {
    let number = |part: &ssh_key::Mpint| BigUint::try_from(part);
    let private = RsaPrivateKey::from_components(
        number(&pair.public.n)?,
        number(&pair.public.e)?,
        number(&pair.private.d)?,
        vec![number(&pair.private.p)?, number(&pair.private.q)?],
    )
    .map_err(|_| ssh_key::Error::Crypto)?;
    let data = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, payload)?;
    let signature = RsaSigner::<Sha512>::new(private).try_sign(&data);
    let signature = signature.map_err(|_| ssh_key::Error::Crypto)?;
    let algorithm = Algorithm::Rsa {
        hash: Some(HashAlg::Sha512),
    };
    SshSig::new(
        key.public_key().key_data().clone(),
        NAMESPACE,
        HashAlg::Sha512,
        Signature::new(algorithm, signature.to_vec())?,
    )
}
