//! Each situation that users suffer from, made with the running controllers, and what `doctor` says of it beside the objects'
//! real conditions: every finding that a live cluster can show, at least once.
//!
//! All of them stand side by side in one cluster with a pair of controllers of its own, which are restarted with other flags in
//! the middle.

mod automations;
mod installation;
mod policies;
mod registries;
mod stage;

use std::collections::BTreeSet;

use imageauto::findings::catalogue;

use self::stage::Stage;
use super::{control_plane, tell};

/// Findings that a live cluster can't show, or that other suites show with one.
const NOT_LIVE: [(&str, &str); 11] = [
    (
        "interval-missing",
        "the API server refuses digestReflectionPolicy: Always without an interval",
    ),
    (
        "push-branch-unknown",
        "only where --worktree stands for the clone",
    ),
    (
        "apply-rejected",
        "of diff --dry-run=server: the suite dry_run has it",
    ),
    (
        "apply-conflict",
        "of diff --dry-run=server: the suite dry_run has it",
    ),
    (
        "apply-forbidden",
        "of diff --dry-run=server: the suite dry_run has it",
    ),
    (
        "apply-drift",
        "of diff --dry-run=server: the suite dry_run has it",
    ),
    (
        "source-not-given",
        "about manifests without the automation's GitRepository",
    ),
    (
        "not-checked",
        "of readers who see the objects but not their Secrets: the command line tests have it",
    ),
    ("manifest-unusable", "of lint, about manifests"),
    ("policy-test-fails", "of lint, about comments in manifests"),
    (
        "policy-convention",
        "of lint, by a flag, about manifests before they are applied",
    ),
];

/// Why objects fail, in the words of the controllers' conditions: all that they have but those of [`REASONS_NOT_LIVE`].
const REASONS: [(&str, &str); 17] = [
    ("ImagePolicy", "AccessDenied"),
    ("ImagePolicy", "DependencyNotReady"),
    ("ImagePolicy", "Failed"),
    ("ImagePolicy", "Failure"),
    ("ImagePolicy", "ImageURLInvalid"),
    ("ImagePolicy", "InvalidPolicy"),
    ("ImageRepository", "AuthenticationFailed"),
    ("ImageRepository", "FeatureGateDisabled"),
    ("ImageRepository", "ImageURLInvalid"),
    ("ImageRepository", "ReadOperationFailed"),
    ("ImageUpdateAutomation", "AccessDenied"),
    ("ImageUpdateAutomation", "GitOperationFailed"),
    ("ImageUpdateAutomation", "InvalidPolicySelector"),
    ("ImageUpdateAutomation", "InvalidSourceConfiguration"),
    ("ImageUpdateAutomation", "RemovedTemplateField"),
    ("ImageUpdateAutomation", "SourceManagerFailed"),
    ("ImageUpdateAutomation", "UpdateFailed"),
];

/// Reasons that a live cluster can't show.
const REASONS_NOT_LIVE: [(&str, &str, &str); 2] = [
    (
        "ImagePolicy",
        "IntervalNotConfigured",
        "the API server refuses digestReflectionPolicy: Always without an interval",
    ),
    (
        "ImageUpdateAutomation",
        "InvalidUpdateStrategy",
        "the API server knows one strategy only",
    ),
];

#[test]
fn doctor_says_what_the_controllers_say() {
    let Some(plane) = control_plane() else { return };
    let mut stage = Stage::new(plane);
    stage.start_controllers(&[]);
    stage.reached("the controllers run");
    registries::make(&mut stage);
    policies::make(&mut stage);
    automations::prepare(&mut stage);
    stage.reached("repositories and policies are made");
    stage.settle(&["imagerepositories", "imagepolicies"]);
    policies::change(&mut stage);
    registries::change(&mut stage);
    stage.reached("they are settled");
    automations::make(&mut stage);
    stage.reached("automations are made");
    stage.settle(&["imagepolicies", "imageupdateautomations"]);
    automations::change(&mut stage);
    stage.reached("they are settled");
    stage.look("as they are");
    automations::resume(&mut stage);
    installation::look_at_rights(&mut stage);
    installation::look_at_controllers(&mut stage);
    installation::restart(&mut stage);
    installation::look_at_clusters(&mut stage);
    installation::look_at_old_versions(&mut stage);
    let delivers = installation::look_at_deliveries(&mut stage);
    tell(&format!(
        "situations: {} of {} findings seen live",
        stage.seen().len(),
        catalogue::ids().count()
    ));
    let reasons: BTreeSet<(&str, &str)> = stage
        .reasons()
        .iter()
        .map(|(kind, reason)| (*kind, reason.as_str()))
        .collect();
    assert_eq!(
        reasons,
        BTreeSet::from(REASONS),
        "the reasons seen live, beside those that should be"
    );
    let quiet = REASONS_NOT_LIVE
        .iter()
        .find(|(kind, reason, _)| reasons.contains(&(*kind, *reason)));
    assert_eq!(quiet, None, "a live cluster does show it");
    let differences = stage.differences();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let seen = stage.seen();
    let elsewhere: BTreeSet<&str> = NOT_LIVE.iter().map(|(id, _)| *id).collect();
    let missing: Vec<&str> = catalogue::ids()
        .filter(|id| !seen.contains(*id) && !elsewhere.contains(id))
        .filter(|id| delivers || !["source-fails", "apply-fails"].contains(id))
        .collect();
    assert!(missing.is_empty(), "no live situation shows {missing:?}");
    let both: Vec<&&str> = elsewhere.iter().filter(|id| seen.contains(**id)).collect();
    assert!(both.is_empty(), "a live cluster does show {both:?}");
}
