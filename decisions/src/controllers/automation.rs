//! Mirrors image-automation-controller 1.2 `internal/controller/imageupdateautomation_controller.go` and `internal/source/git.go`:
//! which policies count, which branches are read and written, and when a run is skipped.

use std::collections::BTreeMap;

use super::checkout::Target;
use super::commit;
use super::flux::{
    CommitUser, FluxVersion, GitReference, GitRepository, ImageRef, ImageUpdateAutomation,
    LabelSelector, LabelSelectorRequirement, ObjectKey,
};

/// A failure that the controller would write into the automation's conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutomationFailure {
    /// The condition's reason.
    pub reason: &'static str,
    /// The condition's message.
    pub message: String,
    /// Stalled: not tried again until the object changes.
    pub stalled: bool,
}

impl AutomationFailure {
    /// A failure that is not tried again until the object changes.
    pub(super) fn stalled(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            stalled: true,
        }
    }

    /// A failure that is tried again.
    pub(super) fn retried(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            stalled: false,
        }
    }

    /// What the GitRepository or a Secret says can't be used.
    pub(super) fn source_manager(cause: impl std::fmt::Display) -> Self {
        Self::retried(
            "SourceManagerFailed",
            format!("failed configuring source manager: {cause}"),
        )
    }

    /// The clone failed; `cause` is the text behind `failed to checkout source: `.
    pub fn checkout_failed(cause: &str) -> Self {
        Self::git_operation_failed(format!("failed to checkout source: {cause}"))
    }

    /// A template names a field that the controller no longer has; `message` names it and its successor.
    pub fn removed_template_field(message: impl Into<String>) -> Self {
        Self::stalled("RemovedTemplateField", message)
    }

    /// The update of the files failed.
    pub fn update_failed(cause: &str) -> Self {
        Self::retried("UpdateFailed", format!("failed to apply policies: {cause}"))
    }

    /// The commit or the push failed; `cause` has the controller's own prefix.
    pub fn git_operation_failed(message: impl Into<String>) -> Self {
        Self::retried("GitOperationFailed", message)
    }
}

/// Whether `labels` satisfy `selector`; an invalid selector stalls the automation.
pub fn selector_matches(
    selector: Option<&LabelSelector>,
    labels: &BTreeMap<String, String>,
) -> Result<bool, AutomationFailure> {
    let Some(selector) = selector else {
        return Ok(true);
    };
    let mut matches = selector
        .match_labels
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value));
    for requirement in &selector.match_expressions {
        matches &= requirement_matches(requirement, labels).map_err(invalid_selector)?;
    }
    Ok(matches)
}

fn invalid_selector(cause: String) -> AutomationFailure {
    AutomationFailure::stalled(
        "InvalidPolicySelector",
        format!("failed to parse policy selector: {cause}"),
    )
}

fn requirement_matches(
    requirement: &LabelSelectorRequirement,
    labels: &BTreeMap<String, String>,
) -> Result<bool, String> {
    let LabelSelectorRequirement {
        key,
        operator,
        values,
    } = requirement;
    let label = labels.get(key);
    match operator.as_str() {
        "In" | "NotIn" if values.is_empty() => Err(
            "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"
                .into(),
        ),
        "Exists" | "DoesNotExist" if !values.is_empty() => Err(format!(
            "values: Invalid value: {values:?}: values set must be empty for exists and does not exist"
        )),
        "In" => Ok(label.is_some_and(|label| values.contains(label))),
        "NotIn" => Ok(label.is_none_or(|label| !values.contains(label))),
        "Exists" => Ok(label.is_some()),
        "DoesNotExist" => Ok(label.is_none()),
        other => Err(format!(
            "\"{other}\" is not a valid label selector operator"
        )),
    }
}

/// The key of the GitRepository that the automation works on, or why the controller would not look for it.
pub fn source_key(automation: &ImageUpdateAutomation) -> Result<ObjectKey, AutomationFailure> {
    let source = &automation.spec.source_ref;
    if source.kind != "GitRepository" {
        let message = format!(
            "source kind '{}' not supported: invalid source configuration",
            source.kind
        );
        return Err(AutomationFailure::stalled(
            "InvalidSourceConfiguration",
            message,
        ));
    }
    if automation.spec.git.is_none() {
        let message = "source kind 'GitRepository' necessitates field .spec.git: invalid source configuration";
        return Err(AutomationFailure::stalled(
            "InvalidSourceConfiguration",
            message,
        ));
    }
    Ok(source.key_from(&automation.key.namespace))
}

/// What the controller says of an automation whose GitRepository is not there.
pub fn source_missing(name: &str) -> AutomationFailure {
    let message = format!(
        "failed configuring source manager: referenced git repository does not exist: GitRepository.source.toolkit.fluxcd.io \"{name}\" not found"
    );
    AutomationFailure::retried("SourceManagerFailed", message)
}

/// What the controller says of an automation whose GitRepository is in another namespace, where it allows no such reference.
pub fn source_access_denied(source: &ObjectKey) -> AutomationFailure {
    AutomationFailure::stalled(
        "AccessDenied",
        format!(
            "can't access 'GitRepository/{source}', cross-namespace references have been blocked"
        ),
    )
}

/// What the controller says when it pushes a commit that is on no branch.
pub fn push_of_detached_head() -> AutomationFailure {
    push_failed("command error on HEAD: funny refname")
}

/// What the controller says when a push fails with `cause`.
pub fn push_failed(cause: &str) -> AutomationFailure {
    AutomationFailure::git_operation_failed(format!(
        "failed to update source: failed to push to remote: {cause}"
    ))
}

/// Author and committer of the automation's commits, as git can hold them.
pub fn author(automation: &ImageUpdateAutomation) -> CommitUser {
    let git = automation.spec.git.as_ref();
    let author = git.map(|git| git.commit.author.clone()).unwrap_or_default();
    CommitUser {
        name: commit::held(&author.name),
        email: commit::held(&author.email),
    }
}

/// Where a run reads and where it pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branches {
    /// The ref that is checked out, as the objects say it.
    pub checkout: GitReference,
    /// The branch that is checked out; `None` when the ref is not a branch.
    pub checkout_branch: Option<String>,
    /// The branch that the commit is pushed to.
    pub push_branch: String,
    /// Whether the work tree is switched to the push branch before the update.
    pub switched: bool,
    /// A second push with this refspec.
    pub refspec: Option<String>,
}

/// The branch that is checked out where nothing is named.
const DEFAULT_BRANCH: &str = "master";

/// The branches of `automation` over `source`; `None` for a source that is not known, whose ref then isn't either.
pub fn branches(
    automation: &ImageUpdateAutomation,
    source: Option<&GitRepository>,
    rules: FluxVersion,
) -> Result<Branches, AutomationFailure> {
    let git = automation.spec.git.as_ref();
    let named = git
        .and_then(|git| git.checkout.as_ref())
        .map(|checkout| checkout.reference.clone())
        .or_else(|| source.and_then(|source| source.spec.reference.clone()));
    let push = git.and_then(|git| git.push.as_ref());
    let named_branch = named
        .as_ref()
        .map(|reference| reference.branch.clone())
        .unwrap_or_default();
    let wanted = push.map(|push| push.branch.clone()).unwrap_or_default();
    if wanted.is_empty() && named_branch.is_empty() {
        return Err(AutomationFailure::retried(
            "SourceManagerFailed",
            "failed configuring source manager: push spec not provided, and cannot be inferred from .spec.git.checkout.ref or GitRepository .spec.ref",
        ));
    }
    // Only where no ref is named at all does the default count in the comparison.
    let compared = named
        .as_ref()
        .map_or(DEFAULT_BRANCH, |reference| reference.branch.as_str());
    let switched = !wanted.is_empty() && wanted != compared;
    let checkout = named.unwrap_or_default();
    Ok(Branches {
        checkout_branch: Target::of(&checkout, rules)
            .checked_out_branch()
            .map(str::to_owned),
        push_branch: if wanted.is_empty() {
            named_branch
        } else {
            wanted
        },
        switched,
        refspec: push
            .map(|push| push.refspec.clone())
            .filter(|refspec| !refspec.is_empty()),
        checkout,
    })
}

/// Whether the update strategy is one that the controller carries out.
pub fn check_strategy(automation: &ImageUpdateAutomation) -> Result<(), AutomationFailure> {
    match automation.spec.update.strategy.as_str() {
        "Setters" => Ok(()),
        other => Err(AutomationFailure::stalled(
            "InvalidUpdateStrategy",
            format!("unsupported update strategy: {other}"),
        )),
    }
}

/// Why the controller would end its run before the update, the remote head being `head`; `None` when it would go on.
///
/// `policies` are the latest images in scope by policy name.
pub fn skipped(
    automation: &ImageUpdateAutomation,
    branches: &Branches,
    policies: &BTreeMap<String, ImageRef>,
    head: Option<&str>,
) -> Option<String> {
    let status = &automation.status;
    let branch = branches.checkout_branch.as_deref()?;
    let by_branch = branches.checkout.commit.is_empty() && branches.checkout.name.is_empty();
    let revision = format!("{branch}@sha1:{}", head?);
    let unmoved = status.observed_policies.as_ref() == Some(policies)
        && status.observed_source_revision == revision;
    (unmoved && by_branch && !branches.switched && branches.refspec.is_none())
        .then(|| "no change since last reconciliation".to_owned())
}

/// Whether the controller lists the remote's refs before it clones: nothing but the remote head can then have it run on.
///
/// It only shows in the text of a failure. `policies` as for [`skipped`].
pub fn lists_first(
    automation: &ImageUpdateAutomation,
    branches: &Branches,
    policies: &BTreeMap<String, ImageRef>,
) -> bool {
    let status = &automation.status;
    status.observed_policies.as_ref() == Some(policies)
        && !status.observed_source_revision.is_empty()
        && !branches.switched
        && branches.refspec.is_none()
        && branches.checkout.commit.is_empty()
        && branches.checkout.semver.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::flux::{GitCheckoutSpec, GitSpec, PushSpec, SourceReference};

    fn automation(checkout: Option<GitReference>, push: Option<&str>) -> ImageUpdateAutomation {
        ImageUpdateAutomation {
            api_version: "image.toolkit.fluxcd.io/v1".into(),
            key: ObjectKey::new("flux-system", "images"),
            spec: super::super::flux::ImageUpdateAutomationSpec {
                source_ref: SourceReference {
                    name: "gitops".into(),
                    ..SourceReference::default()
                },
                git: Some(GitSpec {
                    checkout: checkout.map(|reference| GitCheckoutSpec { reference }),
                    push: push.map(|branch| PushSpec {
                        branch: branch.into(),
                        ..PushSpec::default()
                    }),
                    ..GitSpec::default()
                }),
                ..Default::default()
            },
            ..Default::default()
        }
    }

    fn branch(name: &str) -> GitReference {
        GitReference {
            branch: name.into(),
            ..GitReference::default()
        }
    }

    #[test]
    fn the_push_branch_defaults_to_the_checkout_branch() {
        let branches = branches(
            &automation(Some(branch("main")), None),
            None,
            FluxVersion::V2_9,
        )
        .unwrap();
        assert_eq!(
            (branches.push_branch.as_str(), branches.switched),
            ("main", false)
        );
    }

    #[test]
    fn the_default_master_is_no_push_branch() {
        let failure = branches(&automation(None, None), None, FluxVersion::V2_9).unwrap_err();
        assert_eq!(failure.reason, "SourceManagerFailed");
        assert!(failure.message.ends_with("push spec not provided, and cannot be inferred from .spec.git.checkout.ref or GitRepository .spec.ref"));
    }

    #[test]
    fn pushing_to_the_default_master_is_no_switch_unless_a_ref_is_named() {
        let switched = |checkout| {
            let automation = automation(checkout, Some("master"));
            branches(&automation, None, FluxVersion::V2_9)
                .unwrap()
                .switched
        };
        assert!(!switched(None));
        assert!(switched(Some(GitReference::default())));
    }

    #[test]
    fn a_ref_name_counts_as_another_branch_than_the_same_push_branch() {
        let reference = GitReference {
            name: "refs/heads/main".into(),
            ..GitReference::default()
        };
        let found = branches(
            &automation(Some(reference.clone()), Some("main")),
            None,
            FluxVersion::V2_9,
        )
        .unwrap();
        assert_eq!(
            (found.checkout_branch.as_deref(), found.switched),
            (Some("main"), true)
        );
        let old = branches(
            &automation(Some(reference), Some("main")),
            None,
            FluxVersion::V2_6,
        )
        .unwrap();
        assert_eq!(old.checkout_branch.as_deref(), Some("master"));
    }

    #[test]
    fn a_selector_needs_all_of_its_parts() {
        let labels = BTreeMap::from([("app".to_owned(), "shop".to_owned())]);
        let requirement = |operator: &str, values: &[&str]| LabelSelectorRequirement {
            key: "app".into(),
            operator: operator.into(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let matches = |requirement| {
            let selector = LabelSelector {
                match_expressions: vec![requirement],
                ..LabelSelector::default()
            };
            selector_matches(Some(&selector), &labels)
        };
        assert!(selector_matches(None, &labels).unwrap());
        assert!(matches(requirement("In", &["shop", "x"])).unwrap());
        assert!(!matches(requirement("NotIn", &["shop"])).unwrap());
        assert!(matches(requirement("Exists", &[])).unwrap());
        assert!(!matches(requirement("DoesNotExist", &[])).unwrap());
        assert_eq!(
            matches(requirement("Near", &[])).unwrap_err().reason,
            "InvalidPolicySelector"
        );
        assert!(matches(requirement("In", &[])).unwrap_err().stalled);
    }

    #[test]
    fn a_run_is_skipped_only_when_nothing_moved() {
        let mut automation = automation(Some(branch("main")), None);
        let policies = BTreeMap::from([(
            "app".to_owned(),
            ImageRef {
                name: "r/app".into(),
                tag: "1".into(),
                digest: String::new(),
            },
        )]);
        automation.status.observed_policies = Some(policies.clone());
        automation.status.observed_source_revision = "main@sha1:abc".into();
        let found = branches(&automation, None, FluxVersion::V2_9).unwrap();
        assert!(skipped(&automation, &found, &policies, Some("abc")).is_some());
        assert!(skipped(&automation, &found, &policies, Some("abd")).is_none());
        assert!(skipped(&automation, &found, &BTreeMap::new(), Some("abc")).is_none());
    }
}
