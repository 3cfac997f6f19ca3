//! Mirrors `api/v1/condition_types.go` and `internal/controller/*.go` of image-reflector-controller 1.2: reasons and texts.

use super::flux::{Condition, ImageRef};

/// The repository's `spec.image` is no bare image name; Stalled.
pub const IMAGE_URL_INVALID: &str = "ImageURLInvalid";
/// A Secret or a ServiceAccount that the repository names is missing or malformed.
pub const AUTHENTICATION_FAILED: &str = "AuthenticationFailed";
/// A scan failed.
pub const READ_OPERATION_FAILED: &str = "ReadOperationFailed";
/// Digests are to be reflected always, at no interval; Stalled.
pub const INTERVAL_NOT_CONFIGURED: &str = "IntervalNotConfigured";
/// The text that goes with [`INTERVAL_NOT_CONFIGURED`].
pub const INTERVAL_NOT_CONFIGURED_MESSAGE: &str =
    "spec.interval must be set when spec.digestReflectionPolicy is set to 'Always'";
/// The ImageRepository is missing or has no tags yet.
pub const DEPENDENCY_NOT_READY: &str = "DependencyNotReady";
/// The ImageRepository's owner grants no access.
pub const ACCESS_DENIED: &str = "AccessDenied";
/// What the controller says, after `retrying in <duration> error: `, when no tags are stored.
pub const NO_TAGS_IN_DATABASE: &str = "no tags in database";
/// The policy or its filter can't be read; Stalled.
pub const INVALID_POLICY: &str = "InvalidPolicy";
/// Every other failure.
pub const FAILURE: &str = "Failure";

/// A gate of the controller would have to be on; Stalled.
pub const FEATURE_GATE_DISABLED: &str = "FeatureGateDisabled";
/// The text for a repository whose cloud login needs a gate that is off.
pub const CLOUD_LOGIN_GATE_DISABLED: &str = "to use spec.serviceAccountName for provider authentication please enable the ObjectLevelWorkloadIdentity feature gate in the controller";
/// A digest could not be looked up.
pub const FAILED: &str = "Failed";

/// The text for a policy whose digest of `reference`, `name:tag`, could not be looked up, `why` being the registry client's.
pub fn digest_failed(reference: &str, why: &str) -> String {
    format!(
        "failed fetching digest of {reference}: failed fetching descriptor for \"{reference}\": {why}"
    )
}

/// The text of a policy that is Ready; `previous` is what `status.observedPreviousRef` says.
pub fn resolved_message(latest: &ImageRef, previous: Option<&ImageRef>) -> String {
    let ImageRef { name, tag, digest } = latest;
    let mut message = format!("Latest image tag for {name} resolved to {tag}");
    if !digest.is_empty() {
        message += &format!(" with digest {digest}");
    }
    if let Some(previous) = previous {
        message += &format!(" (previously {previous})");
    }
    message
}

const NO_REPOSITORY: &str = "failed to get the referred ImageRepository: ";

/// The text for a policy whose ImageRepository, called `name`, doesn't exist.
pub fn repository_not_found(name: &str) -> String {
    format!(
        "{NO_REPOSITORY}referenced ImageRepository does not exist: ImageRepository.image.toolkit.fluxcd.io \"{name}\" not found"
    )
}

/// The text for a policy that may not use its ImageRepository, `why` being the authorization's own words.
pub fn repository_access_denied(why: &str) -> String {
    format!("{NO_REPOSITORY}access denied: {why}")
}

/// The text for a policy in another namespace than its ImageRepository `namespace/name`, where the controller allows none.
pub fn cross_namespace_reference_blocked(namespace: &str, name: &str) -> String {
    format!(
        "{NO_REPOSITORY}cannot access 'ImageRepository/{namespace}/{name}', cross-namespace references have been blocked"
    )
}

/// What an object's conditions say in one word and one sentence: Stalled counts before Ready, which may be an older failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness<'a> {
    /// `True`, `False` or `Unknown`.
    pub ready: &'a str,
    /// Whether it waits for a change of the object.
    pub stalled: bool,
    /// One CamelCase word; empty where there is no condition yet.
    pub reason: &'a str,
    /// The controller's sentence.
    pub message: &'a str,
    /// Since when, RFC 3339; empty where it isn't known.
    pub since: &'a str,
}

/// Sums up the conditions as `flux get` does.
pub fn readiness(conditions: &[Condition]) -> Readiness<'_> {
    let of = |kind: &str| conditions.iter().find(|condition| condition.kind == kind);
    let stalled = of("Stalled").filter(|condition| condition.status == "True");
    match stalled.or_else(|| of("Ready")) {
        Some(condition) => Readiness {
            ready: if stalled.is_some() {
                "False"
            } else {
                &condition.status
            },
            stalled: stalled.is_some(),
            reason: &condition.reason,
            message: &condition.message,
            since: &condition.since,
        },
        None => Readiness {
            ready: "False",
            stalled: false,
            reason: "",
            message: "waiting to be reconciled",
            since: "",
        },
    }
}

/// A message without what the controller says of its own retries: `retrying in 30s error: `.
pub fn without_retry(message: &str) -> &str {
    message
        .strip_prefix("retrying in ")
        .and_then(|rest| rest.split_once(" error: "))
        .map_or(message, |(_, words)| words)
}

/// A message in which `<clone>` stands for the path of the controller's own clone, which is not the same twice.
///
/// The clone is a folder of the temporary one, `/tmp/NAMESPACE-NAME1234567`.
pub fn without_clone(message: &str) -> String {
    let is_end = |character: char| matches!(character, ' ' | ':' | '\'' | '"');
    let Some(at) = message.find("/tmp/") else {
        return message.to_owned();
    };
    let start = message[..at].rfind(is_end).map_or(0, |blank| blank + 1);
    let path = &message[start..];
    let path = &path[..path.find(is_end).unwrap_or(path.len())];
    let clone = path.rfind("/tmp/").map_or(0, |at| at + "/tmp/".len());
    let end = path[clone..]
        .find('/')
        .map_or(path.len(), |inside| clone + inside);
    format!("{}<clone>{}", &message[..start], &message[start + end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_the_same_twice_is_left_out() {
        assert_eq!(
            without_clone("failed: stat /tmp/flux-system-gitops123/apps: no such file"),
            "failed: stat <clone>/apps: no such file"
        );
        assert_eq!(
            without_clone("stat /tmp/here/tmp/gitops123: no"),
            "stat <clone>: no"
        );
        assert_eq!(without_clone("no path"), "no path");
        assert_eq!(
            without_retry("retrying in 2s error: no tags in database"),
            NO_TAGS_IN_DATABASE
        );
    }

    #[test]
    fn texts_are_the_controllers() {
        assert_eq!(
            repository_not_found("app"),
            "failed to get the referred ImageRepository: referenced ImageRepository does not exist: ImageRepository.image.toolkit.fluxcd.io \"app\" not found"
        );
        assert_eq!(
            cross_namespace_reference_blocked("shared", "app"),
            "failed to get the referred ImageRepository: cannot access 'ImageRepository/shared/app', cross-namespace references have been blocked"
        );
    }
}
