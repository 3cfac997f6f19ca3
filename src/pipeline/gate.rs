//! What must hold before a policy's choice hangs on the tags of its ImageRepository.

use std::collections::BTreeMap;

use crate::controllers::access::{self, Access};
use crate::controllers::conditions;
use crate::controllers::flux::{
    DigestReflectionPolicy, FluxVersion, ImagePolicy, ImageRepository, ObjectKey,
};
use crate::facts::cluster::Kind;
use crate::failure::Failure;
use crate::findings::{self, Finding};

use super::stages::Inputs;

/// Why a policy's choice is not recomputed.
#[derive(Clone)]
pub(super) enum Undecided {
    /// The controller leaves the policy alone; why, and the finding.
    LeftAlone(String, Option<Box<Finding>>),
    /// The controller fails.
    ControllerFails {
        /// The condition's reason.
        reason: &'static str,
        /// The condition's message.
        message: String,
        /// A registry's part in it.
        ours: Option<Failure>,
    },
    /// The registry refuses us, who are not the controller.
    RefusedToUs(Failure),
    /// We could not find out.
    Unknown(Failure),
    /// Several tags can win.
    NotDeterministic,
}

/// The controller fails by what objects alone say.
pub(super) fn fails(reason: &'static str, message: impl Into<String>) -> Undecided {
    Undecided::ControllerFails {
        reason,
        message: message.into(),
        ours: None,
    }
}

/// The ImageRepository whose tags `policy` chooses from, if the controller gets so far.
pub(super) fn gate<'a>(
    inputs: &'a Inputs,
    policy: &ImagePolicy,
) -> Result<&'a ImageRepository, Undecided> {
    let key = &policy.key;
    if policy.deleted {
        return Err(Undecided::LeftAlone(
            format!("{key} is being deleted"),
            None,
        ));
    }
    let Some(controller) = inputs
        .installation
        .reflector(&key.namespace, &policy.labels)
    else {
        let why = format!("no image-reflector-controller watches {key} (--watch-label-selector)");
        return Err(Undecided::LeftAlone(why, None));
    };
    if policy.spec.suspend && controller.release >= FluxVersion::V2_7 {
        let finding = findings::policies::suspended("ImagePolicy", key);
        let why = format!("ImagePolicy {key} is suspended");
        return Err(Undecided::LeftAlone(why, Some(Box::new(finding))));
    }
    if policy.spec.digest_reflection_policy == DigestReflectionPolicy::Always
        && policy.spec.interval.is_none()
    {
        return Err(fails(
            conditions::INTERVAL_NOT_CONFIGURED,
            conditions::INTERVAL_NOT_CONFIGURED_MESSAGE,
        ));
    }
    let wanted = policy.spec.image_repository_ref.key_from(&key.namespace);
    if controller.no_cross_namespace_refs && wanted.namespace != key.namespace {
        return Err(fails(
            conditions::ACCESS_DENIED,
            conditions::cross_namespace_reference_blocked(&wanted.namespace, &wanted.name),
        ));
    }
    let repository = referred(inputs, policy, &wanted)?;
    // The controller's cache holds only what its own selector takes.
    if !controller.watches(&repository.key.namespace, &repository.labels) {
        return Err(not_found(&wanted));
    }
    allowed(inputs, policy, repository)
}

fn not_found(wanted: &ObjectKey) -> Undecided {
    fails(
        conditions::DEPENDENCY_NOT_READY,
        conditions::repository_not_found(&wanted.name),
    )
}

fn referred<'a>(
    inputs: &'a Inputs,
    policy: &ImagePolicy,
    wanted: &ObjectKey,
) -> Result<&'a ImageRepository, Undecided> {
    if let Some(repository) = inputs.objects.repositories.get(wanted) {
        return Ok(repository);
    }
    match inputs.objects.hidden(Kind::ImageRepository, wanted) {
        Some(why) => Err(Undecided::Unknown(Failure::cluster(format!(
            "ImagePolicy {}: {why}",
            policy.key
        )))),
        None => Err(not_found(wanted)),
    }
}

fn allowed<'a>(
    inputs: &'a Inputs,
    policy: &ImagePolicy,
    repository: &'a ImageRepository,
) -> Result<&'a ImageRepository, Undecided> {
    let selectors: Option<Vec<BTreeMap<String, String>>> =
        repository.spec.access_from.as_ref().map(|access| {
            access
                .namespace_selectors
                .iter()
                .map(|selector| selector.match_labels.clone())
                .collect()
        });
    let namespace = &policy.key.namespace;
    let labels = inputs.objects.namespaces.get(namespace);
    match access::check(
        &repository.key.namespace,
        &repository.key.name,
        namespace,
        selectors.as_deref(),
        labels,
    ) {
        Access::Granted => Ok(repository),
        Access::Denied { message } => Err(fails(conditions::ACCESS_DENIED, message)),
        Access::Unknown => {
            let hangs = format!(
                "ImagePolicy {}: access to ImageRepository {} hangs on the labels of Namespace {namespace}",
                policy.key, repository.key
            );
            let key = ObjectKey::new("", namespace);
            Err(Undecided::Unknown(
                match inputs.objects.hidden(Kind::Namespace, &key) {
                    Some(why) => Failure::cluster(format!("{hangs}: {why}")),
                    None if inputs.live => Failure::cluster(format!("{hangs}, which isn't there")),
                    None => Failure::invalid_input(format!(
                        "{hangs}, which is not in the input: add it with -f"
                    )),
                },
            ))
        }
    }
}
