//! OpenPGP keys: which part of one signs, as the controller's library chooses it, and the signature.

use pgp::composed::{ArmorOptions, DetachedSignature, SignedSecretKey, SignedSecretSubKey};
use pgp::composed::{Deserializable as _, SignedPublicKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails as _, Password};
use ssh_key::rand_core::OsRng;

use super::KeyProblem;

/// A key and the part of it that signs.
pub(super) struct Key {
    key: SignedSecretKey,
    password: Password,
    signer: Result<Signer, &'static str>,
}

/// Which part of a key signs.
#[derive(Clone, Copy)]
enum Signer {
    Primary,
    /// By its place among the subkeys.
    Subkey(usize),
}

const NO_SIGNING_KEY: &str = "openpgp: invalid argument: no valid signing keys";
const IS_ENCRYPTED: &str = "openpgp: invalid argument: signing key is encrypted";
const NO_PRIVATE_KEY: &str = "openpgp: invalid argument: signing key doesn't have a private key";

impl Key {
    pub fn read(armored: &[u8], passphrase: Option<&[u8]>, now: i64) -> Result<Self, KeyProblem> {
        let key = first(armored)?;
        let locked = key.primary_key.secret_params().is_encrypted();
        let password = match (locked, passphrase) {
            (false, _) => Password::empty(),
            (true, None) => return Err(KeyProblem::NeedsPassphrase),
            (true, Some(passphrase)) => Password::from(passphrase),
        };
        let unlocked = key.primary_key.unlock(&password, |_, _| Ok(()));
        if !matches!(unlocked, Ok(Ok(()))) {
            // The library says either, by the way the key was locked.
            return Err(KeyProblem::WrongPassphrase(
                "openpgp: invalid data: private key checksum failure".into(),
            ));
        }
        let signer = signer(&key, now);
        Ok(Self {
            key,
            password,
            signer,
        })
    }

    pub fn id(&self) -> String {
        let id = match self.signer {
            Ok(Signer::Subkey(index)) => self.key.secret_subkeys[index].key.legacy_key_id(),
            _ => self.key.primary_key.legacy_key_id(),
        };
        id.to_string().to_uppercase()
    }

    pub fn sign(&self, payload: &[u8]) -> Result<String, KeyProblem> {
        let signer = self
            .signer
            .map_err(|why| KeyProblem::CannotSign(why.into()))?;
        let signature = match signer {
            Signer::Primary => DetachedSignature::sign_binary_data(
                OsRng,
                &self.key.primary_key,
                &self.password,
                HashAlgorithm::Sha256,
                payload,
            ),
            Signer::Subkey(index) => DetachedSignature::sign_binary_data(
                OsRng,
                &self.key.secret_subkeys[index].key,
                &Password::empty(),
                HashAlgorithm::Sha256,
                payload,
            ),
        };
        let armored =
            signature.and_then(|signature| signature.to_armored_string(ArmorOptions::default()));
        armored.map_err(|error| {
            KeyProblem::Unsupported(format!(
                "the GPG key can't sign here ({error}): sign with --sign user or --sign none"
            ))
        })
    }
}

/// The one key of an armored block.
fn first(armored: &[u8]) -> Result<SignedSecretKey, KeyProblem> {
    let unreadable = |cause: &str| KeyProblem::Unreadable(format!("openpgp: {cause}"));
    let text = String::from_utf8_lossy(armored);
    let Some((_, begin)) = text.split_once("-----BEGIN ") else {
        return Err(unreadable("invalid argument: no armored data found"));
    };
    let kind = begin.split_once("-----").map_or("", |(kind, _)| kind);
    match kind {
        "PGP PRIVATE KEY BLOCK" => {}
        "PGP PUBLIC KEY BLOCK" => {
            let readable = SignedPublicKey::from_armor_single(armored).is_ok();
            return Err(if readable {
                KeyProblem::CannotSign(NO_PRIVATE_KEY.into())
            } else {
                unreadable("invalid data: the public key can't be read")
            });
        }
        other => {
            return Err(unreadable(&format!(
                "invalid argument: expected public or private key block, got: {other}"
            )));
        }
    }
    let read = SignedSecretKey::from_armor_many(armored);
    let (keys, _) = read.map_err(|error| unreadable(&format!("invalid data: {error}")))?;
    let mut found = Vec::new();
    for key in keys {
        found.push(key.map_err(|error| unreadable(&format!("invalid data: {error}")))?);
    }
    if found.len() > 1 {
        return Err(KeyProblem::Several);
    }
    found
        .pop()
        .ok_or_else(|| unreadable("invalid data: there is no key in it"))
}

/// The youngest subkey that may sign, else the primary key if it may.
fn signer(key: &SignedSecretKey, now: i64) -> Result<Signer, &'static str> {
    let primary = &key.primary_key;
    let made = primary.created_at().as_secs();
    let own = self_signature(key).ok_or(NO_SIGNING_KEY)?;
    if is_over(own, made, now) || !key.details.revocation_signatures.is_empty() {
        return Err(NO_SIGNING_KEY);
    }
    let mut youngest: Option<(u32, usize)> = None;
    for (index, subkey) in key.secret_subkeys.iter().enumerate() {
        let Some(binding) = binding(subkey, now) else {
            continue;
        };
        let age = binding.created().map_or(0, |created| created.as_secs());
        if youngest.is_none_or(|(youngest, _)| age > youngest) {
            youngest = Some((age, index));
        }
    }
    if let Some((_, index)) = youngest {
        let locked = key.secret_subkeys[index].key.secret_params().is_encrypted();
        return if locked {
            Err(IS_ENCRYPTED)
        } else {
            Ok(Signer::Subkey(index))
        };
    }
    let public_only = key.public_subkeys.iter().any(|subkey| {
        subkey
            .signatures
            .iter()
            .any(|signature| signature.key_flags().sign())
    });
    if public_only {
        return Err(NO_PRIVATE_KEY);
    }
    if own.key_flags().sign() {
        Ok(Signer::Primary)
    } else {
        Err(NO_SIGNING_KEY)
    }
}

/// The newest signature by which the key vouches for a name of its own, that of a primary name first.
fn self_signature(key: &SignedSecretKey) -> Option<&Signature> {
    let id = key.primary_key.legacy_key_id();
    let own = |signature: &&Signature| {
        let mut issuers = signature.issuer_key_id().into_iter();
        let fingerprint = key.primary_key.fingerprint();
        signature.is_certification()
            && (issuers.any(|issuer| *issuer == id)
                || signature.issuer_fingerprint().contains(&&fingerprint))
    };
    let names = key.details.users.iter();
    let newest = names.filter_map(|user| {
        let own = user.signatures.iter().filter(own);
        own.max_by_key(|signature| signature.created().map_or(0, |created| created.as_secs()))
    });
    newest.max_by_key(|signature| {
        let created = signature.created().map_or(0, |created| created.as_secs());
        (signature.is_primary(), created)
    })
}

/// The newest signature by which the primary key lets a subkey sign, if it does and is of age.
fn binding(subkey: &SignedSecretSubKey, now: i64) -> Option<&Signature> {
    let of = |kind: SignatureType| {
        let found = subkey.signatures.iter();
        found.filter(move |signature| signature.typ() == Some(kind))
    };
    if of(SignatureType::SubkeyRevocation).next().is_some() {
        return None;
    }
    let newest = of(SignatureType::SubkeyBinding)
        .max_by_key(|signature| signature.created().map_or(0, |created| created.as_secs()))?;
    let made = subkey.key.created_at().as_secs();
    (newest.key_flags().sign() && !is_over(newest, made, now)).then_some(newest)
}

/// Whether the key or the signature over it has expired.
fn is_over(signature: &Signature, key_made: u32, now: i64) -> bool {
    let over = |start: u32, span: Option<pgp::types::Duration>| {
        let seconds = span.map_or(0, |span| span.as_secs());
        seconds != 0 && i64::from(start) + i64::from(seconds) < now
    };
    let signed = signature.created().map_or(0, |created| created.as_secs());
    over(key_made, signature.key_expiration_time())
        || over(signed, signature.signature_expiration_time())
}
