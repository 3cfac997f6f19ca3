//! The commit that would hold the rewritten files: its message and its files.

use std::collections::{BTreeMap, HashMap};

use crate::controllers::automation::AutomationFailure;
use crate::controllers::flux::{FluxVersion, ImageUpdateAutomation, ObjectKey};
use crate::controllers::message::{self, MessageError, MessageInput, Rules, UpdatedImage};
use crate::controllers::setters::LocatedChange;
use crate::failure::Failure;
use crate::findings;

use super::Stop;
use super::rewrite::Run;
use crate::pipeline::checkout::Checkout;
use crate::pipeline::request::Request;
use crate::pipeline::stages::{Inputs, Preview, PreviewedFile};

/// Composes the commit message.
pub(super) fn fill_message(
    request: &Request,
    inputs: &Inputs,
    automation: &ImageUpdateAutomation,
    run: &Run,
    preview: &mut Preview,
) -> Result<(), Stop> {
    if run.update.changed.is_empty() || !request.messages {
        return Ok(());
    }
    let commit = automation
        .spec
        .git
        .as_ref()
        .map(|git| git.commit.clone())
        .unwrap_or_default();
    let updated = updated_images(run, preview);
    let input = |rules| MessageInput {
        template: &commit.message_template,
        namespace: &automation.key.namespace,
        name: &automation.key.name,
        values: &commit.message_template_values,
        changed: &run.update.changed,
        updated_images: &updated,
        rules,
    };
    let rules = match inputs.automation_rules(automation) {
        FluxVersion::V2_6 => Rules::Flux2_6,
        FluxVersion::V2_7 | FluxVersion::V2_8 => Rules::Flux2_8,
        FluxVersion::V2_9 => Rules::Current,
    };
    let rendered = message::render(&input(rules));
    if let Some(why) = &rendered.not_deterministic {
        preview
            .findings
            .push(findings::automations::template_not_deterministic(
                &automation.key,
                why,
            ));
    }
    let message = rendered
        .outcome
        .map_err(|error| message_stop(error, automation))?;
    if rules == Rules::Flux2_6
        && let Err(MessageError::Removed { message, .. }) =
            message::render(&input(Rules::Current)).outcome
    {
        preview
            .findings
            .push(findings::automations::template_removed_field(
                &automation.key,
                &message,
            ));
    }
    preview.message = Some(message);
    Ok(())
}

fn message_stop(error: MessageError, automation: &ImageUpdateAutomation) -> Stop {
    match error {
        MessageError::Removed { message, .. } => {
            Stop::Predicted(AutomationFailure::removed_template_field(message))
        }
        MessageError::Failed { message } => {
            Stop::Predicted(AutomationFailure::git_operation_failed(message))
        }
        other => Stop::Unknown(Failure::invalid_input(format!(
            "ImageUpdateAutomation {}: messageTemplate: {other}",
            automation.key
        ))),
    }
}

fn updated_images(run: &Run, preview: &Preview) -> Vec<UpdatedImage> {
    let mut updated = Vec::new();
    for file in &run.update.changed {
        for object in &file.objects {
            for change in &object.changes {
                let Some(policy) = preview
                    .policies
                    .iter()
                    .find(|policy| is_setter_of(&change.setter, &policy.key))
                else {
                    continue;
                };
                updated.push(UpdatedImage {
                    reference: policy.image.to_string(),
                    policy_namespace: policy.key.namespace.clone(),
                    policy_name: policy.key.name.clone(),
                    file: file.path.clone(),
                    object: object.object.clone(),
                });
            }
        }
    }
    updated
}

fn is_setter_of(setter: &str, policy: &ObjectKey) -> bool {
    let mut parts = setter.splitn(3, ':');
    parts.next() == Some(policy.namespace.as_str()) && parts.next() == Some(policy.name.as_str())
}

/// Gathers the files that the commit would hold.
pub(super) fn fill_files(
    checkout: &Checkout,
    mut run: Run,
    preview: &mut Preview,
) -> Result<(), Stop> {
    let mut files: BTreeMap<String, PreviewedFile> = BTreeMap::new();
    let mut located: HashMap<String, Vec<LocatedChange>> = HashMap::new();
    for change in std::mem::take(&mut run.update.located) {
        located.entry(change.path.clone()).or_default().push(change);
    }
    // Where one lands may hang on the others.
    let landing = run.update.written.iter();
    let paths: Vec<String> = landing
        .map(|written| run.written_path(checkout, &written.path))
        .collect();
    for (written, path) in std::mem::take(&mut run.update.written)
        .into_iter()
        .zip(paths)
    {
        // A commit never holds what is git's own.
        if path.split('/').any(|part| part == ".git") {
            continue;
        }
        // Objects may name one file in several ways: it is written several times.
        let old = match files.remove(&path) {
            Some(before) => before.old,
            None if written.created => None,
            None => Some(run.sources.remove(&written.path).unwrap_or_default()),
        };
        let file = PreviewedFile {
            path: path.clone(),
            old,
            new: written.bytes,
            exact: written.exact,
            changes: located.remove(&written.path).unwrap_or_default(),
        };
        files.insert(path, file);
    }
    let created: Vec<String> = files
        .values()
        .filter(|file| file.old.is_none())
        .map(|file| file.path.clone())
        .collect();
    for ignored in checkout.files.ignored(&created).map_err(Failure::from)? {
        files.remove(&ignored);
    }
    preview.files = files.into_values().collect();
    if preview.files.is_empty() {
        preview.message = None;
    }
    Ok(())
}
