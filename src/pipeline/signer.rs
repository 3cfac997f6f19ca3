//! What signs the commits of each automation.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::controllers::automation::AutomationFailure;
use crate::controllers::flux::ObjectKey;
use crate::controllers::signing::{self, KeyFault, KeyFormat, KeyMaterial, Signing};
use crate::io::signing::{KeyProblem, SigningKey};

use super::credentials::Credentials;
use super::stages::Inputs;

/// What signs an automation's commits.
#[derive(Clone, Debug)]
pub enum Signer {
    /// Nothing: it sets no key.
    Nobody,
    /// Its key.
    Key(Arc<SigningKey>),
    /// Nothing: the controller fails before it clones.
    Fails(AutomationFailure),
    /// Nothing: the controller fails when it commits.
    FailsToSign(AutomationFailure),
    /// Its key, which can't be used from here: why, as a sentence without a full stop.
    Hidden(String),
    /// Its key, which works and isn't here.
    Withheld,
}

/// The Secrets of the keys of these automations.
///
/// In manifests keys are hardly ever: where one is missing there, that tells nothing.
pub(super) fn needed<'a>(
    inputs: &'a Inputs,
    automations: impl Iterator<Item = &'a ObjectKey>,
) -> Vec<ObjectKey> {
    let automations = automations.filter_map(|key| inputs.objects.automations.get(key));
    automations.filter_map(signing::needed).collect()
}

/// The signers of the run's automations, read and unlocked.
pub(super) fn signers(
    inputs: &Inputs,
    credentials: &Credentials,
    now: Timestamp,
) -> BTreeMap<ObjectKey, Signer> {
    let automations = inputs.automations.iter();
    let automations = automations.filter_map(|key| inputs.objects.automations.get(key));
    let signers = automations.map(|automation| {
        let rules = inputs.automation_rules(automation);
        let found = signing::signing(automation, rules, |key| credentials.secret(key));
        let signer = match found {
            Signing::None => Signer::Nobody,
            Signing::Key(material) => of_key(&material, now),
            Signing::Fails(_) if !inputs.live && is_missing(inputs, automation) => {
                Signer::Hidden("the Secret of the signing key is not in the input".into())
            }
            Signing::Fails(failure) => Signer::Fails(failure),
            Signing::Hidden { why } => Signer::Hidden(why),
        };
        (automation.key.clone(), signer)
    });
    signers.collect()
}

fn is_missing(
    inputs: &Inputs,
    automation: &crate::controllers::flux::ImageUpdateAutomation,
) -> bool {
    signing::needed(automation).is_some_and(|key| !inputs.objects.secrets.contains_key(&key))
}

fn of_key(material: &KeyMaterial, now: Timestamp) -> Signer {
    let passphrase = material.passphrase.as_deref();
    let read = match material.format {
        KeyFormat::Gpg => SigningKey::gpg(&material.key, passphrase, now.as_second()),
        KeyFormat::Ssh => SigningKey::ssh(&material.key, passphrase.unwrap_or_default()),
    };
    // A key may be read and still not sign: the controller finds out when it commits.
    match read.and_then(|key| key.sign(b"").map(|_| key)) {
        Ok(key) => Signer::Key(Arc::new(key)),
        Err(problem) => of_problem(material, &problem),
    }
}

fn of_problem(material: &KeyMaterial, problem: &KeyProblem) -> Signer {
    let fault = match problem {
        KeyProblem::Unreadable(cause) => KeyFault::Unreadable(cause),
        KeyProblem::NeedsPassphrase => KeyFault::NeedsPassphrase,
        KeyProblem::WrongPassphrase(cause) => KeyFault::WrongPassphrase(cause),
        KeyProblem::Several => KeyFault::Several,
        KeyProblem::CannotSign(cause) => {
            let failure = signing::failure(material, KeyFault::CannotSign(cause));
            return Signer::FailsToSign(failure);
        }
        KeyProblem::Unsupported(why) => {
            return Signer::Hidden(format!("Secret {}: {why}", material.secret));
        }
    };
    Signer::Fails(signing::failure(material, fault))
}
