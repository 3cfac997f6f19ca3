//! Mirrors `internal/source/signing.go` of image-automation-controller 1.2: which key signs an automation's commits, and what is said
//! of one that can't.

use std::fmt;

use super::automation::AutomationFailure;
use super::flux::{FluxVersion, ImageUpdateAutomation, ObjectKey, SigningKey};
use crate::facts::cluster::{Secret, Seen};

/// The key that an automation signs with, as far as its Secret tells.
#[derive(Clone, PartialEq, Eq)]
pub enum Signing {
    /// It doesn't sign.
    None,
    /// With this key.
    Key(KeyMaterial),
    /// The controller fails.
    Fails(AutomationFailure),
    /// The key can't be seen from here.
    Hidden {
        /// Why, as a sentence without a full stop.
        why: String,
    },
}

/// A key as it stands in its Secret; nothing of it leaves by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyMaterial {
    /// The Secret.
    pub secret: ObjectKey,
    /// Its format.
    pub format: KeyFormat,
    /// The key itself.
    pub key: Vec<u8>,
    /// Its passphrase; `None`: the Secret has none.
    pub passphrase: Option<Vec<u8>>,
}

/// The format of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFormat {
    /// OpenPGP, armored.
    Gpg,
    /// ssh, PEM.
    Ssh,
}

impl KeyFormat {
    /// The fields of a Secret that hold key and passphrase.
    fn fields(self) -> (&'static str, &'static str) {
        match self {
            Self::Gpg => ("git.asc", "passphrase"),
            Self::Ssh => ("identity", "password"),
        }
    }
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyMaterial")
            .field("secret", &self.secret)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Signing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("None"),
            Self::Key(key) => key.fmt(formatter),
            Self::Fails(failure) => failure.fmt(formatter),
            Self::Hidden { why } => why.fmt(formatter),
        }
    }
}

fn setting(automation: &ImageUpdateAutomation) -> Option<&SigningKey> {
    automation.spec.git.as_ref()?.commit.signing_key.as_ref()
}

/// The Secret of the key, where the automation signs.
pub fn needed(automation: &ImageUpdateAutomation) -> Option<ObjectKey> {
    let named = &setting(automation)?.secret_ref.name;
    Some(ObjectKey::new(&automation.key.namespace, named))
}

/// The key of an automation, by what its Secret holds.
pub fn signing(
    automation: &ImageUpdateAutomation,
    rules: FluxVersion,
    secret: impl Fn(&ObjectKey) -> Seen<Secret>,
) -> Signing {
    let (Some(setting), Some(key)) = (setting(automation), needed(automation)) else {
        return Signing::None;
    };
    let fails = |cause: String| Signing::Fails(AutomationFailure::source_manager(cause));
    let name = &key.name;
    let data = match secret(&key) {
        Seen::Found(Secret::Readable { data, .. }) => data,
        Seen::Found(Secret::Closed(why)) => {
            return Signing::Hidden {
                why: why.says(&key),
            };
        }
        Seen::Hidden { why } => return Signing::Hidden { why },
        Seen::Missing => {
            return fails(format!(
                "could not find signing key secret '{name}': secrets \"{name}\" not found"
            ));
        }
    };
    // Controllers before 1.2 know no other kind.
    let kind = setting.kind.as_deref().unwrap_or_default();
    let format = match kind {
        _ if rules < FluxVersion::V2_9 => KeyFormat::Gpg,
        "" | "gpg" => KeyFormat::Gpg,
        "ssh" => KeyFormat::Ssh,
        other => return fails(format!("unknown signing key type \"{other}\"")),
    };
    let (key_field, passphrase_field) = format.fields();
    match data.get(key_field) {
        Some(bytes) => Signing::Key(KeyMaterial {
            format,
            key: bytes.clone(),
            passphrase: data.get(passphrase_field).cloned(),
            secret: key,
        }),
        None => {
            let article = if format == KeyFormat::Gpg { "a" } else { "an" };
            fails(format!(
                "signing key secret '{name}' does not contain {article} '{key_field}' key"
            ))
        }
    }
}

/// What is wrong with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault<'a> {
    /// It can't be read: the library's words.
    Unreadable(&'a str),
    /// There is no passphrase for it.
    NeedsPassphrase,
    /// There is another passphrase for it: the library's words.
    WrongPassphrase(&'a str),
    /// There are several.
    Several,
    /// It doesn't sign: the library's words.
    CannotSign(&'a str),
}

/// What the controller says of a key that can't be used.
pub fn failure(material: &KeyMaterial, fault: KeyFault<'_>) -> AutomationFailure {
    let name = &material.secret.name;
    let (_, field) = material.format.fields();
    let is_gpg = material.format == KeyFormat::Gpg;
    let cause = match fault {
        KeyFault::CannotSign(cause) => {
            return AutomationFailure::git_operation_failed(format!(
                "failed to update source: {cause}"
            ));
        }
        KeyFault::NeedsPassphrase => format!(
            "can not use passphrase protected signing key without '{field}' field present in secret {name}"
        ),
        KeyFault::Several => format!(
            "multiple entities read from secret '{name}', could not determine which signing key to use"
        ),
        KeyFault::Unreadable(cause) if is_gpg => {
            format!("could not read signing key from secret '{name}': {cause}")
        }
        KeyFault::WrongPassphrase(cause) if is_gpg => format!(
            "could not decrypt private key of the signing key present in secret {name}: {cause}"
        ),
        KeyFault::Unreadable(cause) | KeyFault::WrongPassphrase(cause) => {
            format!("could not parse SSH signing key from secret '{name}': {cause}")
        }
    };
    AutomationFailure::source_manager(cause)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::controllers::flux::{CommitSpec, GitSpec, LocalReference};

    fn automation(kind: Option<&str>) -> ImageUpdateAutomation {
        let signing_key = SigningKey {
            secret_ref: LocalReference { name: "key".into() },
            kind: kind.map(str::to_owned),
        };
        let mut automation = ImageUpdateAutomation {
            key: ObjectKey::new("flux-system", "images"),
            ..Default::default()
        };
        automation.spec.git = Some(GitSpec {
            commit: CommitSpec {
                signing_key: Some(signing_key),
                ..Default::default()
            },
            ..Default::default()
        });
        automation
    }

    fn of(kind: Option<&str>, rules: FluxVersion, field: &str) -> Signing {
        let data = BTreeMap::from([(field.to_owned(), b"x".to_vec())]);
        let secret = Secret::Readable {
            kind: "Opaque".into(),
            data,
        };
        signing(&automation(kind), rules, |_| Seen::Found(secret.clone()))
    }

    fn said(signing: &Signing) -> &str {
        match signing {
            Signing::Fails(failure) => &failure.message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_kind_says_which_field_holds_the_key() {
        let format = |found: Signing| match found {
            Signing::Key(key) => key.format,
            other => panic!("{other:?}"),
        };
        let now = FluxVersion::V2_9;
        assert_eq!(format(of(None, now, "git.asc")), KeyFormat::Gpg);
        assert_eq!(format(of(Some("ssh"), now, "identity")), KeyFormat::Ssh);
        assert_eq!(
            said(&of(Some("ssh"), now, "git.asc")),
            "failed configuring source manager: signing key secret 'key' does not contain an 'identity' key"
        );
        assert_eq!(
            said(&of(Some("ssh"), FluxVersion::V2_8, "identity")),
            "failed configuring source manager: signing key secret 'key' does not contain a 'git.asc' key"
        );
    }

    #[test]
    fn a_key_never_leaves_by_debug() {
        let text = format!("{:?}", of(None, FluxVersion::V2_9, "git.asc"));
        assert!(!text.contains("120") && !text.contains("\"x\""), "{text}");
    }

    #[test]
    fn a_missing_secret_is_the_controllers_failure() {
        let missing = signing(&automation(None), FluxVersion::V2_9, |_| Seen::Missing);
        assert!(
            said(&missing)
                .ends_with("could not find signing key secret 'key': secrets \"key\" not found")
        );
    }
}
