//! Mirrors `runtime/acl/acl.go` of fluxcd/pkg, as image-reflector-controller 1.2 uses it: who may use an ImageRepository.

use std::collections::BTreeMap;

use super::conditions;

/// Whether a policy may use an ImageRepository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may.
    Granted,
    /// It may not.
    Denied {
        /// The text of the policy's Ready condition.
        message: String,
    },
    /// It hangs on the labels of the policy's Namespace, which are not known.
    Unknown,
}

/// Decides whether a policy in `policy_namespace` may use a repository.
///
/// `selectors` are the `matchLabels` of `spec.accessFrom.namespaceSelectors`, `None` where there is no `accessFrom`;
/// `labels` are those of the policy's Namespace object.
pub fn check(
    repository_namespace: &str,
    repository_name: &str,
    policy_namespace: &str,
    selectors: Option<&[BTreeMap<String, String>]>,
    labels: Option<&BTreeMap<String, String>>,
) -> Access {
    if repository_namespace == policy_namespace {
        return Access::Granted;
    }
    let Some(selectors) = selectors else {
        return denied(&format!(
            "'{repository_namespace}/{repository_name}' can't be accessed due to missing ACL labels on 'accessFrom'"
        ));
    };
    let unlabelled = BTreeMap::new();
    let known = labels.unwrap_or(&unlabelled);
    if selectors.iter().any(|selector| {
        selector
            .iter()
            .all(|(key, value)| known.get(key) == Some(value))
    }) {
        return Access::Granted;
    }
    if labels.is_none() && !selectors.is_empty() {
        return Access::Unknown;
    }
    denied(&format!(
        "'{repository_namespace}/{repository_name}' can't be accessed due to ACL labels mismatch on namespace '{policy_namespace}'"
    ))
}

fn denied(why: &str) -> Access {
    Access::Denied {
        message: conditions::repository_access_denied(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn message(access: Access) -> String {
        match access {
            Access::Denied { message } => message,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_own_namespace_is_always_granted() {
        assert_eq!(check("apps", "web", "apps", None, None), Access::Granted);
    }

    #[test]
    fn without_selectors_nobody_else_is() {
        assert_eq!(
            message(check("apps", "web", "team", None, None)),
            "failed to get the referred ImageRepository: access denied: 'apps/web' can't be accessed due to missing ACL labels on 'accessFrom'"
        );
        assert_eq!(
            message(check("apps", "web", "team", Some(&[]), None)),
            "failed to get the referred ImageRepository: access denied: 'apps/web' can't be accessed due to ACL labels mismatch on namespace 'team'"
        );
    }

    #[test]
    fn one_selector_that_matches_is_enough() {
        let selectors = [
            labels(&[("team", "a"), ("stage", "prod")]),
            labels(&[("team", "b")]),
        ];
        let check = |namespace: Option<&BTreeMap<String, String>>| {
            check("apps", "web", "team", Some(&selectors), namespace)
        };
        assert_eq!(check(Some(&labels(&[("team", "b")]))), Access::Granted);
        assert!(matches!(
            check(Some(&labels(&[("team", "a")]))),
            Access::Denied { .. }
        ));
        assert_eq!(check(None), Access::Unknown);
    }

    #[test]
    fn an_empty_selector_matches_whatever_the_labels_are() {
        let selectors = [labels(&[("team", "a")]), labels(&[])];
        assert_eq!(
            check("apps", "web", "team", Some(&selectors), None),
            Access::Granted
        );
    }
}
