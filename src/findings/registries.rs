//! Findings about what ImageRepositories name, and what registries answer to it.

use crate::controllers::flux::{ImageRepository, ObjectKey};
use crate::controllers::registry_access::{LoginSource, OfferedSecret, WithoutEntry};
use crate::facts::registry::{RegistryErrorKind, Throttling};

use super::{Finding, Severity, Subject};

pub(super) fn repository(key: &ObjectKey) -> Subject {
    Subject::Object {
        kind: "ImageRepository",
        key: key.clone(),
    }
}

/// What the controller asks a registry with.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The ImageRepository.
    pub key: &'a ObjectKey,
    /// Host and port of the registry.
    pub host: &'a str,
    /// Where its login comes from, as far as that can be seen.
    pub login: Login<'a>,
    /// Its pull Secrets that have no entry for the image.
    pub without_entry: &'a [OfferedSecret],
}

/// Where the controller's login comes from.
#[derive(Clone, Copy, Debug)]
pub enum Login<'a> {
    /// A pull Secret of the object.
    Secret(&'a LoginSource),
    /// It can't be seen.
    Hidden,
    /// There is none.
    Nobody,
}

/// `image-url-invalid`: `spec.image` is more than a name, or none.
pub fn image_url_invalid(key: &ObjectKey, message: &str) -> Finding {
    Finding {
        id: "image-url-invalid",
        severity: Severity::of("image-url-invalid"),
        subject: repository(key),
        message: "the controller does nothing with it until spec.image is corrected".into(),
        evidence: message.to_owned(),
        remedy: "set spec.image to a name without scheme, tag and digest".into(),
    }
}

/// `cert-secret-same-as-pull-secret`: a defect of the controller.
pub fn cert_secret_same_as_pull_secret(object: &ImageRepository) -> Option<Finding> {
    let spec = &object.spec;
    let shared = spec
        .secret_ref
        .as_ref()
        .filter(|secret| spec.cert_secret_ref.as_ref() == Some(secret))?;
    Some(Finding {
        id: "cert-secret-same-as-pull-secret",
        severity: Severity::of("cert-secret-same-as-pull-secret"),
        subject: repository(&object.key),
        message: format!(
            "secretRef and certSecretRef both name Secret {}, with which the controller fails, whatever is in it",
            shared.name
        ),
        evidence: "it looks for a Secret without a name: resource name may not be empty".into(),
        remedy:
            "put the certificates into a Secret of their own, and name it in spec.certSecretRef"
                .into(),
    })
}

/// `credentials-for-other-host`: there are pull Secrets, and none of them is for this image.
pub fn credentials_for_other_host(asking: Asking<'_>) -> Option<Finding> {
    let Asking {
        key,
        host,
        login: Login::Nobody,
        without_entry,
    } = asking
    else {
        return None;
    };
    let first = without_entry.first()?;
    let told: Vec<String> = without_entry
        .iter()
        .map(|offered| format!("Secret {} {}", offered.secret.name, why(&offered.why)))
        .collect();
    let name = &first.secret.name;
    let remedy = match &first.why {
        WithoutEntry::Type(_) => format!(
            "kubectl create secret docker-registry NAME -n {} --docker-server={host} --docker-username=USER --docker-password=PASSWORD, and name it in spec.secretRef",
            key.namespace
        ),
        WithoutEntry::NoData | WithoutEntry::OtherHosts(_) => {
            format!("give Secret {name} an entry below auths for {host}")
        }
    };
    Some(Finding {
        id: "credentials-for-other-host",
        severity: Severity::of("credentials-for-other-host"),
        subject: repository(key),
        message: format!("{host} is asked without credentials: {}", told.join("; ")),
        evidence: told.join("; "),
        remedy,
    })
}

fn why(why: &WithoutEntry) -> String {
    match why {
        WithoutEntry::Type(kind) => {
            format!("is of type {kind}, into which the controller doesn't look")
        }
        WithoutEntry::NoData => "holds no configuration of docker".into(),
        WithoutEntry::OtherHosts(hosts) if hosts.is_empty() => "has no entries".into(),
        WithoutEntry::OtherHosts(hosts) => format!("is for {}", hosts.join(", ")),
    }
}

/// Why the controller's scan fails, where the registry's refusal has a finding of its own: `registry-unauthorized`,
/// `rate-limited` or `too-many-tags`. `message` is the controller's.
pub fn failed_scan(
    asking: Asking<'_>,
    kind: RegistryErrorKind,
    throttling: &Throttling,
    message: &str,
) -> Option<Finding> {
    match kind {
        RegistryErrorKind::Refused { status: 401 | 403 } => Some(unauthorized(asking, message)),
        RegistryErrorKind::RateLimited => Some(rate_limited(asking, throttling, message)),
        RegistryErrorKind::PageTooLong => Some(too_many_tags(asking, message)),
        _ => None,
    }
}

fn unauthorized(asking: Asking<'_>, message: &str) -> Finding {
    let Asking {
        key,
        host,
        login,
        without_entry,
    } = asking;
    let (what, remedy) = match login {
        Login::Secret(source) => (
            format!(
                "the login of Secret {}, entry {}",
                source.secret.name, source.entry
            ),
            format!(
                "renew the login in Secret {} (entry {}), or give its account the right to pull",
                source.secret, source.entry
            ),
        ),
        Login::Hidden => (
            "the controller's login".into(),
            "give the controller's account the right to pull".into(),
        ),
        Login::Nobody if without_entry.is_empty() => (
            "anonymous users".into(),
            format!(
                "kubectl create secret docker-registry NAME -n {} --docker-server={host} --docker-username=USER --docker-password=PASSWORD, and name it in spec.secretRef",
                key.namespace
            ),
        ),
        Login::Nobody => (
            "anonymous users, and no Secret of the object is for it".into(),
            format!(
                "give Secret {} an entry below auths for {host}",
                without_entry[0].secret.name
            ),
        ),
    };
    Finding {
        id: "registry-unauthorized",
        severity: Severity::of("registry-unauthorized"),
        subject: repository(key),
        message: format!("{host} refuses {what}: the controller's scan fails"),
        evidence: message.to_owned(),
        remedy,
    }
}

/// `rate-limited`: more patience than the controller's three tries was needed. `message` is what the controller fails
/// with.
pub fn rate_limited(asking: Asking<'_>, throttling: &Throttling, message: &str) -> Finding {
    let Asking {
        key, host, login, ..
    } = asking;
    let said = throttling.to_string();
    let said = if said.is_empty() {
        String::new()
    } else {
        format!(" ({said})")
    };
    let remedy = match login {
        Login::Nobody => {
            "add a secretRef, since limits for anonymous users are the lowest, or set a longer spec.interval"
        }
        Login::Secret(_) | Login::Hidden => {
            "set a longer spec.interval for the repositories of this host"
        }
    };
    Finding {
        id: "rate-limited",
        severity: Severity::of("rate-limited"),
        subject: repository(key),
        message: format!(
            "{host} puts off who asks{said}: the controller's scan fails, since it tries three times within seconds"
        ),
        evidence: message.to_owned(),
        remedy: remedy.into(),
    }
}

fn too_many_tags(asking: Asking<'_>, message: &str) -> Finding {
    Finding {
        id: "too-many-tags",
        severity: Severity::of("too-many-tags"),
        subject: repository(asking.key),
        message: format!(
            "{} lists fewer tags at a time than the 1000 that the controller asks for, and refuses instead of sending pages: its scan fails",
            asking.host
        ),
        evidence: message.to_owned(),
        remedy: "the controller can't be told to ask for fewer: have the registry raise its limit, or mirror the image to another one".into(),
    }
}

/// `digest-ignores-insecure`: the controller looks digests up over https, whatever `spec.insecure` says.
pub fn digest_ignores_insecure(key: &ObjectKey, host: &str, policies: &[&str]) -> Option<Finding> {
    (!policies.is_empty()).then(|| Finding {
        id: "digest-ignores-insecure",
        severity: Severity::of("digest-ignores-insecure"),
        subject: repository(key),
        message: format!(
            "the controller lists the tags of {host} over plain http (spec.insecure), but looks the digests for policy {} up over https: that fails where the registry speaks none",
            policies.join(", ")
        ),
        evidence: format!("spec.insecure: true; {host} is neither local nor a private address"),
        remedy: "let the registry speak https, or set digestReflectionPolicy: Never".into(),
    })
}

/// `tags-shared` or `duplicate-repository`: several ImageRepositories have one image, and the controller one store of tags
/// for it. `others` are the others' keys, and whether their exclusion lists are the same.
pub fn same_image(key: &ObjectKey, image: &str, others: &[(&ObjectKey, bool)]) -> Option<Finding> {
    let names = |keys: &[&ObjectKey]| -> String {
        let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    let with_another_list: Vec<&ObjectKey> = others
        .iter()
        .filter(|(_, same_list)| !same_list)
        .map(|(key, _)| *key)
        .collect();
    if !with_another_list.is_empty() {
        let others = names(&with_another_list);
        return Some(Finding {
            id: "tags-shared",
            severity: Severity::of("tags-shared"),
            subject: repository(key),
            message: format!(
                "{others} has the same image and another exclusionList, and the controller stores the tags of an image once: those of the last scan count for the policies of all"
            ),
            evidence: format!("{image} in {key}, {others}"),
            remedy: "give them the same exclusionList, and exclude in the policies' filterTags; or turn on the feature gate FluxStorage".into(),
        });
    }
    let all: Vec<&ObjectKey> = others.iter().map(|(key, _)| *key).collect();
    (!all.is_empty()).then(|| Finding {
        id: "duplicate-repository",
        severity: Severity::of("duplicate-repository"),
        subject: repository(key),
        message: format!(
            "{} has the same image, which is scanned once for each",
            names(&all)
        ),
        evidence: image.to_owned(),
        remedy:
            "let the policies refer to one ImageRepository (spec.accessFrom lets other namespaces)"
                .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::flux::{LocalReference, Object};

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("ns", name)
    }

    fn offered(name: &str, why: WithoutEntry) -> OfferedSecret {
        OfferedSecret {
            secret: key(name),
            why,
        }
    }

    #[test]
    fn secrets_without_an_entry_are_told_with_their_reason() {
        let key = key("app");
        let secrets = [
            offered("pull", WithoutEntry::OtherHosts(vec!["ghcr.io".into()])),
            offered("other", WithoutEntry::Type("Opaque".into())),
        ];
        let asking = Asking {
            key: &key,
            host: "quay.io",
            login: Login::Nobody,
            without_entry: &secrets,
        };
        let finding = credentials_for_other_host(asking).unwrap();
        assert_eq!(
            finding.message,
            "quay.io is asked without credentials: Secret pull is for ghcr.io; Secret other is of type Opaque, into which the controller doesn't look"
        );
        assert_eq!(
            finding.remedy,
            "give Secret pull an entry below auths for quay.io"
        );
        let hidden = Asking {
            login: Login::Hidden,
            ..asking
        };
        assert_eq!(credentials_for_other_host(hidden), None);
    }

    #[test]
    fn refusals_have_findings_of_their_own() {
        let key = key("app");
        let asking = Asking {
            key: &key,
            host: "quay.io",
            login: Login::Nobody,
            without_entry: &[],
        };
        let id =
            |kind| failed_scan(asking, kind, &Throttling::default(), "m").map(|found| found.id);
        use RegistryErrorKind::{PageTooLong, RateLimited, Refused, Unreachable};
        assert_eq!(id(Refused { status: 401 }), Some("registry-unauthorized"));
        assert_eq!(id(Refused { status: 404 }), None);
        assert_eq!(id(RateLimited), Some("rate-limited"));
        assert_eq!(id(PageTooLong), Some("too-many-tags"));
        assert_eq!(id(Unreachable), None);
    }

    #[test]
    fn one_secret_for_both_is_the_controllers_defect() {
        let named = |name: &str| {
            Some(LocalReference {
                name: name.to_owned(),
            })
        };
        let mut object = Object::default();
        assert_eq!(cert_secret_same_as_pull_secret(&object), None);
        object.spec.secret_ref = named("a");
        object.spec.cert_secret_ref = named("b");
        assert_eq!(cert_secret_same_as_pull_secret(&object), None);
        object.spec.cert_secret_ref = named("a");
        assert!(cert_secret_same_as_pull_secret(&object).is_some());
    }

    #[test]
    fn the_same_image_is_a_matter_of_the_exclusion_lists() {
        let (app, other) = (key("app"), key("other"));
        let id = |others: &[(&ObjectKey, bool)]| {
            same_image(&app, "quay.io/a", others).map(|found| found.id)
        };
        assert_eq!(id(&[]), None);
        assert_eq!(id(&[(&other, true)]), Some("duplicate-repository"));
        assert_eq!(id(&[(&other, false)]), Some("tags-shared"));
    }
}
