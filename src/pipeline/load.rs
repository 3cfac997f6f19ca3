//! The first stage: the objects of the run, from manifests or the cluster, and the automations that it is about.

use std::collections::{BTreeMap, BTreeSet};

use crate::controllers::automation;
use crate::controllers::flux::{FluxVersion, ObjectKey};
use crate::controllers::installation::Installation;
use crate::facts::cluster::Objects;
use crate::failure::Failure;
use crate::io::manifests::{self, ManifestSource, Manifests};

use super::live;
use super::request::{ObjectRequest, ObjectSource, Request};
use super::session::Session;
use super::stages::{Inputs, Recomputed};

/// Loads the objects of `request` and picks its automations.
///
/// # Errors
///
/// A named automation that is not there, or an assumption about a policy that isn't; a cluster that can't be asked.
pub fn load(request: &Request, session: &Session) -> Result<Inputs, Failure> {
    let mut inputs = match &request.objects.source {
        ObjectSource::Manifests { sources, recursive } => {
            from_manifests(request, sources, *recursive)?
        }
        ObjectSource::Cluster => live::load(request, session)?,
    };
    for assumption in &request.assumptions {
        if !inputs.objects.policies.contains_key(&assumption.policy) {
            return Err(Failure::usage(format!(
                "--assume {}: there is no such ImagePolicy in the {}",
                assumption.policy,
                place(&inputs)
            )));
        }
    }
    let unknown = unknown_worktrees(request, &inputs);
    match unknown.first() {
        Some(message) if !inputs.live => return Err(Failure::usage(message)),
        // Automations elsewhere in the cluster may be from it.
        _ => inputs.notes.extend(unknown),
    }
    Ok(inputs)
}

/// What is to be said of each `--worktree NAMESPACE/NAME=DIR` that stands for nothing.
fn unknown_worktrees(request: &Request, inputs: &Inputs) -> Vec<String> {
    let objects = &inputs.objects;
    let automations = objects.automations.values();
    let mut sources: BTreeSet<ObjectKey> = automations
        .filter_map(|automation| automation::source_key(automation).ok())
        .collect();
    sources.extend(objects.git_repositories.keys().cloned());
    let named = request.worktrees.iter();
    named
        .filter_map(|setting| setting.source.as_ref())
        .filter(|source| !sources.contains(source))
        .map(|source| {
            let there: Vec<String> = sources.iter().map(ToString::to_string).collect();
            let there = match there[..] {
                [] => "there is none".to_owned(),
                _ => format!("there is {}", there.join(", ")),
            };
            format!(
                "--worktree {source}=DIR: there is no such GitRepository in the {}: {there}",
                place(inputs)
            )
        })
        .collect()
}

/// What the objects are in: the input, or the cluster.
pub(super) fn place(inputs: &Inputs) -> &'static str {
    if inputs.live { "cluster" } else { "input" }
}

fn from_manifests(
    request: &Request,
    sources: &[ManifestSource],
    recursive: bool,
) -> Result<Inputs, Failure> {
    let objects = &request.objects;
    let manifests = manifests::read(sources, recursive, &objects.default_namespace);
    let installation = offline_installation(objects, &manifests.objects);
    let automations = select(request, &manifests.objects)?;
    Ok(Inputs {
        automations,
        recomputed: Recomputed::OfAutomations,
        installation,
        live: false,
        notes: notes(objects, &manifests),
        objects: manifests.objects,
        problems: manifests.problems,
        flux_files: manifests.flux_files,
        kustomizations: manifests.kustomizations,
    })
}

/// The controllers that manifests alone speak of.
pub(super) fn offline_installation(request: &ObjectRequest, objects: &Objects) -> Installation {
    let inferred = if objects.any_old_image_object() {
        FluxVersion::V2_6
    } else {
        FluxVersion::V2_9
    };
    Installation::of_release(request.flux_version.unwrap_or(inferred))
}

fn select(request: &Request, objects: &Objects) -> Result<Vec<ObjectKey>, Failure> {
    let selector = request.objects.selector.as_ref();
    let in_scope = objects.automations.values().filter(|automation| {
        request.objects.scope.includes(&automation.key.namespace)
            && selector.is_none_or(|(_, selector)| selector.matches(&automation.labels))
    });
    let in_scope = in_scope.map(|automation| &automation.key);
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
            None => return Err(Failure::invalid_input(not_found(name, objects))),
        }
    }
    selected.sort();
    selected.dedup();
    Ok(selected)
}

fn not_found(name: &str, objects: &Objects) -> String {
    let present: Vec<String> = objects
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

/// What there is to say about manifests that were read.
pub(super) fn notes(request: &ObjectRequest, manifests: &Manifests) -> Vec<String> {
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
    let passed_over = manifests.passed_over.iter();
    notes.extend(passed_over.map(|passed| {
        format!(
            "{} is passed over: it is {}",
            passed.path.display(),
            passed.why
        )
    }));
    if request.flux_version.is_none() && manifests.objects.any_old_image_object() {
        notes.push("the input has v1beta1 or v1beta2 objects: the rules of Flux 2.6 apply (--flux-version chooses others)".into());
    }
    notes
}
