//! Mirrors `errors/errors.go` and `errors/immutable.go` of fluxcd/pkg/ssa 0.76, and the texts of the API server (Kubernetes
//! 1.36) by which a refusal tells who refuses and why.

use crate::facts::dry_run::{ApiStatus, RefusedBy};

/// Why the server refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The object, or its change.
    Rejected(RefusedBy),
    /// Other managers own fields: who, and which.
    Conflict(Vec<String>),
    /// A permission is missing.
    Forbidden(MissingPermission),
    /// We may not act as another account.
    NotImpersonated(MissingPermission),
    /// The namespace isn't there.
    NamespaceMissing(String),
    /// The server knows no such kind.
    UnknownKind,
    /// The fields that the kind doesn't have, as the server names them.
    UnknownFields(Vec<String>),
    /// It could not be asked.
    NotAsked,
}

/// What RBAC would have to allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingPermission {
    /// Who asked.
    pub user: String,
    /// `patch`
    pub verb: String,
    /// The plural, with its subresource: `deployments`.
    pub resource: String,
    /// The API group; empty for the core.
    pub group: String,
    /// The namespace; none for the whole cluster.
    pub namespace: Option<String>,
}

impl MissingPermission {
    /// The rule that grants it, with further verbs that are needed besides.
    pub fn rule(&self, also: &[&str]) -> String {
        let mut verbs = vec![self.verb.as_str()];
        verbs.extend(also.iter().filter(|verb| **verb != self.verb));
        let verbs: Vec<String> = verbs.iter().map(|verb| format!("{verb:?}")).collect();
        let place = match &self.namespace {
            Some(namespace) => format!("a Role in namespace {namespace}"),
            None => "a ClusterRole".to_owned(),
        };
        format!(
            "{place} with {{apiGroups: [{:?}], resources: [{:?}], verbs: [{}]}}",
            self.group,
            self.resource,
            verbs.join(", ")
        )
    }
}

/// What a refusal means; `exists` tells whether the object is there already.
pub fn refusal(status: &ApiStatus, exists: bool) -> Refusal {
    let message = status.message.as_str();
    if let Some(permission) = permission(message) {
        return if permission.verb == "impersonate" {
            Refusal::NotImpersonated(permission)
        } else {
            Refusal::Forbidden(permission)
        };
    }
    if message.contains("does not support dry run") {
        return Refusal::NotAsked;
    }
    if message.contains("exceeded quota: ") || message.contains("failed quota: ") {
        return Refusal::Rejected(RefusedBy::Quota);
    }
    if is_admission(message) {
        return Refusal::Rejected(RefusedBy::Admission);
    }
    let conflicts = conflicts(status);
    if !conflicts.is_empty() {
        return Refusal::Conflict(conflicts);
    }
    match status.code {
        // Whoever forbids without naming a verb is a plug-in of the server.
        403 => Refusal::Rejected(RefusedBy::Admission),
        404 if status.kind.eq_ignore_ascii_case("namespaces")
            || message.starts_with("namespaces ") =>
        {
            Refusal::NamespaceMissing(namespace_in(status))
        }
        404 => Refusal::UnknownKind,
        400 | 422 | 413 => Refusal::Rejected(if exists && says_immutable(message) {
            RefusedBy::Immutable
        } else {
            RefusedBy::Validation
        }),
        409 if status.reason == "Conflict" => Refusal::Rejected(RefusedBy::Validation),
        500 => match unknown_fields(message) {
            Some(fields) if !fields.is_empty() => Refusal::UnknownFields(fields),
            Some(_) => Refusal::Rejected(RefusedBy::Validation),
            None => Refusal::NotAsked,
        },
        _ => Refusal::NotAsked,
    }
}

fn is_admission(message: &str) -> bool {
    [
        "admission webhook \"",
        "failed calling webhook \"",
        "ValidatingAdmissionPolicy '",
        "MutatingAdmissionPolicy '",
        "violates PodSecurity \"",
        "because it is being terminated",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// The permission that a message says is missing.
fn permission(message: &str) -> Option<MissingPermission> {
    let (before, rest) = message.split_once(" cannot ")?;
    let user = before.rsplit_once("User ").map(|(_, user)| user)?;
    let (verb, rest) = rest.split_once(' ')?;
    let rest = rest.strip_prefix("resource \"")?;
    let (resource, rest) = rest.split_once('"')?;
    let group = quoted_behind(rest, "in API group \"");
    let namespace = quoted_behind(rest, "in the namespace \"");
    Some(MissingPermission {
        user: user.trim_matches('"').to_owned(),
        verb: verb.to_owned(),
        resource: resource.to_owned(),
        group: group.unwrap_or_default(),
        namespace,
    })
}

fn quoted_behind(text: &str, words: &str) -> Option<String> {
    let (_, rest) = text.split_once(words)?;
    let (quoted, _) = rest.split_once('"')?;
    Some(quoted.to_owned())
}

/// `"manager" (field)` for each conflict.
fn conflicts(status: &ApiStatus) -> Vec<String> {
    let of_managers = status
        .causes
        .iter()
        .filter(|cause| cause.reason == "FieldManagerConflict");
    of_managers
        .map(|cause| {
            let manager = cause.message.trim_start_matches("conflict with ");
            format!("{manager} at {}", cause.field)
        })
        .collect()
}

fn namespace_in(status: &ApiStatus) -> String {
    let quoted = status.message.split('"').nth(1);
    quoted.unwrap_or(&status.name).to_owned()
}

/// Whether a refusal is, by its words, about a field that never changes.
pub fn says_immutable(message: &str) -> bool {
    [
        "is immutable",
        "immutable field",
        "may not change once set",
        "updates to statefulset spec",
        "updates to parameters are forbidden",
        "updates to provisioner are forbidden",
        "cannot change roleRef",
        "pod updates may not",
        "may not be changed",
        "field can not be changed",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// Whether the controller takes a refusal for one that making the object anew could mend: it takes many.
pub fn may_be_recreated(status: &ApiStatus) -> bool {
    let invalid = status.code == 422 && status.reason == "Invalid";
    let conflict = status.code == 409 && status.reason == "Conflict";
    let message = &status.message;
    invalid || conflict || message.contains("is immutable") || message.contains("immutable field")
}

/// The fields of a message that says that an object doesn't fit the schema of its kind; `None`: it says something else.
fn unknown_fields(message: &str) -> Option<Vec<String>> {
    let (_, problems) = message.split_once("failed to create typed patch object")?;
    let problems = problems
        .split_once("): ")
        .map_or(problems, |(_, rest)| rest);
    let mut fields = Vec::new();
    for problem in problems.lines().map(str::trim) {
        let problem = problem.trim_start_matches("errors:").trim();
        match problem.strip_suffix(": field not declared in schema") {
            Some(field) => fields.push(field.to_owned()),
            None if problem.is_empty() => {}
            // Another fault besides: the whole can't be mended.
            None => return Some(Vec::new()),
        }
    }
    Some(fields)
}

/// The words of the controller for a refusal of `object`, given as `Deployment/apps/web`.
pub fn controllers_words(status: &ApiStatus, object: &str, has_namespace: bool) -> String {
    let message = &status.message;
    if status.code == 404 {
        return if has_namespace {
            format!("{object} not found: {message}")
        } else {
            format!("{object} namespace not specified: {message}")
        };
    }
    let conflict = status
        .causes
        .iter()
        .any(|cause| cause.reason == "FieldManagerConflict");
    let reason = if conflict {
        "FieldManagerConflict"
    } else {
        &status.reason
    };
    let reason = if reason.is_empty() {
        String::new()
    } else {
        format!(" ({reason})")
    };
    format!("{object} dry-run failed{reason}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::dry_run::StatusCause;

    fn status(code: u16, reason: &str, message: &str) -> ApiStatus {
        ApiStatus {
            code,
            reason: reason.into(),
            message: message.into(),
            ..ApiStatus::default()
        }
    }

    #[test]
    fn who_refuses_is_told_by_the_servers_words() {
        let by =
            |code, reason: &str, message: &str| match refusal(&status(code, reason, message), true)
            {
                Refusal::Rejected(by) => Some(by.word()),
                _ => None,
            };
        for (code, reason, message, expected) in [
            (
                422,
                "Invalid",
                "Deployment.apps \"a\" is invalid: spec.selector: Invalid value: {}: field is immutable",
                "immutable",
            ),
            (
                422,
                "Invalid",
                "Deployment.apps \"a\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                "validation",
            ),
            (
                400,
                "BadRequest",
                "strict decoding error: unknown field",
                "validation",
            ),
            (
                403,
                "Forbidden",
                "pods \"a\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1",
                "quota",
            ),
            (
                403,
                "Forbidden",
                "admission webhook \"w.example.com\" denied the request: no",
                "admission",
            ),
            (
                422,
                "Invalid",
                "deployments.apps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
                "admission",
            ),
            (
                500,
                "InternalError",
                "Internal error occurred: failed calling webhook \"w\": dial tcp",
                "admission",
            ),
            (
                403,
                "Forbidden",
                "pods \"a\" is forbidden: maximum cpu usage per Container is 1, but limit is 2",
                "admission",
            ),
            (
                500,
                "",
                "failed to create typed patch object (ns/a; apps/v1, Kind=Deployment): .spec.replicas: expected numeric (int or float), got string",
                "validation",
            ),
        ] {
            assert_eq!(by(code, reason, message), Some(expected), "{message}");
        }
    }

    #[test]
    fn unknown_fields_are_named() {
        let one = "failed to create typed patch object (ns/a; apps/v1, Kind=Deployment): .spec.replicaz: field not declared in schema";
        let two = "failed to create typed patch object (ns/a; apps/v1, Kind=Deployment): errors:\n  .spec.a: field not declared in schema\n  .spec.b[name=\"x\"].c: field not declared in schema";
        let mixed = "failed to create typed patch object (ns/a; apps/v1, Kind=Deployment): errors:\n  .spec.a: field not declared in schema\n  .spec.replicas: expected numeric (int or float), got string";
        let of = |message: &str| refusal(&status(500, "", message), true);
        assert_eq!(
            of(one),
            Refusal::UnknownFields(vec![".spec.replicaz".into()])
        );
        assert_eq!(
            of(two),
            Refusal::UnknownFields(vec![".spec.a".into(), ".spec.b[name=\"x\"].c".into()])
        );
        assert_eq!(of(mixed), Refusal::Rejected(RefusedBy::Validation));
    }

    #[test]
    fn missing_permissions_become_rules() {
        let message = "deployments.apps \"a\" is forbidden: User \"ann\" cannot patch resource \"deployments\" in API group \"apps\" in the namespace \"shop\"";
        let Refusal::Forbidden(permission) = refusal(&status(403, "Forbidden", message), false)
        else {
            panic!("not forbidden")
        };
        assert_eq!(
            permission.rule(&["create", "patch"]),
            "a Role in namespace shop with {apiGroups: [\"apps\"], resources: [\"deployments\"], verbs: [\"patch\", \"create\"]}"
        );
        let message = "serviceaccounts \"x\" is forbidden: User \"ann\" cannot impersonate resource \"serviceaccounts\" in API group \"\" in the namespace \"shop\"";
        assert!(matches!(
            refusal(&status(403, "Forbidden", message), false),
            Refusal::NotImpersonated(_)
        ));
        let message = "namespaces \"x\" is forbidden: User \"ann\" cannot patch resource \"namespaces\" in API group \"\" at the cluster scope";
        let Refusal::Forbidden(permission) = refusal(&status(403, "Forbidden", message), false)
        else {
            panic!("not forbidden")
        };
        assert!(permission.rule(&[]).starts_with("a ClusterRole with"));
    }

    #[test]
    fn conflicts_and_missing_things_are_told() {
        let conflict = ApiStatus {
            causes: vec![StatusCause {
                reason: "FieldManagerConflict".into(),
                message: "conflict with \"kubectl\" using apps/v1".into(),
                field: ".spec.replicas".into(),
            }],
            ..status(409, "Conflict", "Apply failed with 1 conflict")
        };
        assert_eq!(
            refusal(&conflict, true),
            Refusal::Conflict(vec!["\"kubectl\" using apps/v1 at .spec.replicas".into()])
        );
        assert_eq!(
            refusal(
                &status(404, "NotFound", "namespaces \"a\" not found"),
                false
            ),
            Refusal::NamespaceMissing("a".into())
        );
        assert_eq!(
            refusal(
                &status(
                    404,
                    "NotFound",
                    "the server could not find the requested resource"
                ),
                false
            ),
            Refusal::UnknownKind
        );
        assert_eq!(
            refusal(
                &status(
                    415,
                    "UnsupportedMediaType",
                    "the body of the request was in an unknown format"
                ),
                false
            ),
            Refusal::NotAsked
        );
        assert_eq!(
            controllers_words(&status(422, "Invalid", "no"), "Deployment/a/b", true),
            "Deployment/a/b dry-run failed (Invalid): no"
        );
    }
}
