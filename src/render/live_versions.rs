//! `version --live`: what runs in a cluster.

use serde_json::{Value, json};

use crate::controllers::installation::Controller;
use crate::pipeline::stages::{LiveVersions, RunningController};

/// Lines for people, each ended by LF.
pub fn text(live: &LiveVersions) -> String {
    let mut lines = vec![format!(
        "cluster {}: Kubernetes {}",
        live.server,
        live.kubernetes
            .as_deref()
            .unwrap_or("of an unknown version")
    )];
    for running in &live.controllers {
        lines.push(format!(
            "{} {} in namespace {}: {}",
            running.kind.name(),
            version(running),
            running.process.namespace,
            match &running.settings {
                Ok(settings) => rules(settings),
                Err(why) => why.clone(),
            }
        ));
    }
    if live.controllers.is_empty() {
        lines.push("no Deployment of the image controllers can be seen".into());
    }
    for served in &live.served {
        let versions = if served.versions.is_empty() {
            "not served".to_owned()
        } else {
            served.versions.join(", ")
        };
        lines.push(format!(
            "{}.{}: {versions}",
            served.kind.plural(),
            served.kind.group()
        ));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn version(running: &RunningController) -> String {
    match &running.settings {
        Ok(Controller {
            version: Some(version),
            ..
        }) => version.clone(),
        _ => format!("({})", running.process.image),
    }
}

/// The rules that it follows and the flags that change them.
fn rules(settings: &Controller) -> String {
    let mut rules = format!(
        "rules of Flux {} ({})",
        settings.release,
        settings.release_from.told()
    );
    if settings.no_cross_namespace_refs {
        rules.push_str(", no cross-namespace references");
    }
    if !settings.watch_label_selector.is_empty() {
        rules.push_str(&format!(
            ", watches only what --watch-label-selector={} takes",
            settings.watch_label_selector
        ));
    }
    if let Some(namespace) = &settings.watch_namespace {
        rules.push_str(&format!(", watches namespace {namespace} only"));
    }
    for (gate, on) in &settings.feature_gates {
        rules.push_str(&format!(", {gate}={on}"));
    }
    rules
}

/// The same as JSON.
pub fn json(live: &LiveVersions) -> Value {
    let controllers = live.controllers.iter().map(|running| {
        let settings = running.settings.as_ref().ok();
        json!({
            "name": running.kind.name(),
            "namespace": running.process.namespace,
            "image": running.process.image,
            "version": settings.and_then(|settings| settings.version.clone()),
            "rules": settings.map(|settings| settings.release.to_string()),
            "rulesFrom": settings.map(|settings| settings.release_from.name()),
            "arguments": running.process.arguments,
        })
    });
    let served = live.served.iter().map(|served| {
        json!({
            "resource": served.kind.plural(),
            "group": served.kind.group(),
            "versions": served.versions,
        })
    });
    json!({
        "context": live.context,
        "server": live.server,
        "kubernetes": live.kubernetes,
        "controllers": controllers.collect::<Vec<_>>(),
        "served": served.collect::<Vec<_>>(),
    })
}
