//! The objects that the suites make, and how their status is read.

use serde_json::{Value, json};

/// `/apis/image.toolkit.fluxcd.io/v1/namespaces/NAMESPACE/PLURAL`.
pub fn image_collection(namespace: &str, plural: &str) -> String {
    format!("/apis/image.toolkit.fluxcd.io/v1/namespaces/{namespace}/{plural}")
}

/// A GitRepository on the git server, with the namespace's Secret `git`.
pub fn git_repository(namespace: &str, name: &str, url: &str) -> Value {
    json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"interval": "24h", "url": url, "ref": {"branch": "main"}, "secretRef": {"name": "git"}},
    })
}

/// An automation of `main` that runs once and then a day later.
pub fn automation(
    namespace: &str,
    name: &str,
    source: &str,
    commit: &Value,
    push_branch: &str,
) -> Value {
    let mut commit = commit.clone();
    commit["author"] = json!({"name": "fluxcdbot", "email": "fluxcdbot@example.com"});
    json!({
        "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageUpdateAutomation",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "interval": "24h",
            "sourceRef": {"kind": "GitRepository", "name": source},
            "git": {"checkout": {"ref": {"branch": "main"}}, "commit": commit, "push": {"branch": push_branch}},
            "update": {"path": "./", "strategy": "Setters"},
        },
    })
}

/// A policy that the reflector leaves alone, with a latest image of our choice.
pub fn settled_policy(namespace: &str, name: &str, image: &str, tag: &str, digest: &str) -> Value {
    json!({
        "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "suspend": true,
            "imageRepositoryRef": {"name": "none"},
            "policy": {"alphabetical": {"order": "asc"}},
        },
        "status": {"latestRef": {"name": image, "tag": tag, "digest": digest}},
    })
}

/// What a controller says about an object once it has an opinion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `Ready` is True.
    pub ready: bool,
    /// `Stalled` is True; reason and message are then Stalled's.
    pub stalled: bool,
    /// Its reason.
    pub reason: String,
    /// Its message.
    pub message: String,
}

/// The controller's verdict on the object's present generation, `None` until there is one.
pub fn verdict(object: &Value) -> Option<Condition> {
    let generation = &object["metadata"]["generation"];
    let condition = |kind: &str, status: &str| {
        object["status"]["conditions"]
            .as_array()?
            .iter()
            .find(|condition| {
                condition["type"] == kind
                    && condition["status"] == status
                    && &condition["observedGeneration"] == generation
            })
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let read = |condition: &Value, ready, stalled| Condition {
        ready,
        stalled,
        reason: text(&condition["reason"]),
        message: text(&condition["message"]),
    };
    if let Some(stalled) = condition("Stalled", "True") {
        return Some(read(stalled, false, true));
    }
    if let Some(failed) = condition("Ready", "False") {
        return Some(read(failed, false, false));
    }
    condition("Ready", "True").map(|ready| read(ready, true, false))
}
