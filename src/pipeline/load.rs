//! The first stage: objects from manifests, and the automations that the run is about.

use std::collections::BTreeMap;

use crate::controllers::flux::{FluxVersion, ObjectKey};
use crate::failure::Failure;
use crate::io::manifests::{self, Manifests};

use super::request::Request;
use super::stages::Inputs;

/// Loads the objects of `request` and picks its automations.
///
/// # Errors
///
/// A named automation that is not in the input, or an assumption about a policy that isn't.
pub fn load(request: &Request) -> Result<Inputs, Failure> {
    let manifests = manifests::read(
        &request.manifests,
        request.recursive,
        &request.default_namespace,
    );
    let rules = request
        .flux_version
        .unwrap_or(if manifests.objects.any_old_image_object() {
            FluxVersion::V2_6
        } else {
            FluxVersion::V2_9
        });
    let automations = select(request, &manifests)?;
    for assumption in &request.assumptions {
        if !manifests.objects.policies.contains_key(&assumption.policy) {
            return Err(Failure::usage(format!(
                "--assume {}: there is no such ImagePolicy in the input",
                assumption.policy
            )));
        }
    }
    Ok(Inputs {
        automations,
        rules,
        notes: notes(request, &manifests),
        objects: manifests.objects,
        problems: manifests.problems,
    })
}

fn select(request: &Request, manifests: &Manifests) -> Result<Vec<ObjectKey>, Failure> {
    let in_scope = manifests
        .objects
        .automations
        .keys()
        .filter(|key| request.scope.includes(&key.namespace));
    if request.updates.is_empty() {
        return Ok(in_scope.cloned().collect());
    }
    let mut by_name: BTreeMap<&str, Vec<&ObjectKey>> = BTreeMap::new();
    for key in in_scope {
        by_name.entry(&key.name).or_default().push(key);
    }
    let mut selected = Vec::new();
    for name in &request.updates {
        match by_name.get(name.as_str()) {
            Some(keys) => selected.extend(keys.iter().map(|key| (*key).clone())),
            None => return Err(Failure::invalid_input(not_found(name, manifests))),
        }
    }
    selected.sort();
    selected.dedup();
    Ok(selected)
}

fn not_found(name: &str, manifests: &Manifests) -> String {
    let present: Vec<String> = manifests
        .objects
        .automations
        .keys()
        .map(ToString::to_string)
        .collect();
    let rest = if present.is_empty() {
        "it holds none".to_owned()
    } else {
        format!("it holds {}", present.join(", "))
    };
    format!("ImageUpdateAutomation {name} is not in the input; {rest}")
}

fn notes(request: &Request, manifests: &Manifests) -> Vec<String> {
    let mut notes = Vec::new();
    match manifests.without_namespace.as_slice() {
        [] => {}
        [only] => notes.push(format!(
            "{only} names no namespace: {} is taken",
            request.default_namespace
        )),
        several => notes.push(format!(
            "{} objects name no namespace: {} is taken ({})",
            several.len(),
            request.default_namespace,
            several.join(", ")
        )),
    }
    if request.flux_version.is_none() && manifests.objects.any_old_image_object() {
        notes.push("the input has v1beta1 or v1beta2 objects: the rules of Flux 2.6 apply (--flux-version chooses others)".into());
    }
    notes
}
