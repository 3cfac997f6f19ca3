//! A fake Kubernetes API on the wire: objects, pages, versions, and users who may not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::environment::Environment;
use crate::server::{Request, Response, Server};

/// A running fake.
#[derive(Clone)]
pub struct FakeCluster {
    /// The server, for its address and what it was asked.
    pub server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: Vec<Value>,
    /// `group/version` that are not served.
    unserved: Vec<String>,
    /// Words of a path whose requests are forbidden.
    forbidden: Vec<String>,
    /// Paths whose requests are forbidden.
    forbidden_paths: Vec<String>,
    /// A list ends after so many objects, whatever it was asked for.
    page: Option<usize>,
    /// Whether a list's continuation is too old.
    expires: bool,
    /// What watches are answered, one after the other; then they are forbidden.
    watches: Mutex<VecDeque<Response>>,
}

const TOKEN: &str = "let-me-in";

impl FakeCluster {
    /// A cluster without objects.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let answering = Arc::clone(&state);
        let server = Server::start(move |request| answer(&answering.lock().unwrap(), request));
        Self { server, state }
    }

    /// Adds the objects of manifests.
    pub fn add(&self, manifests: &str) -> &Self {
        for document in manifests
            .split("---\n")
            .filter(|text| !text.trim().is_empty())
        {
            let object: Value = serde_saphyr::from_str(document).unwrap();
            self.state.lock().unwrap().objects.push(object);
        }
        self
    }

    /// Changes the object of this name: merges `part` into it.
    pub fn merge(&self, kind: &str, name: &str, part: &Value) -> &Self {
        let mut state = self.state.lock().unwrap();
        let found = state
            .objects
            .iter_mut()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        merge(found.unwrap(), part);
        drop(state);
        self
    }

    /// From now on requests whose path holds `word` are forbidden.
    pub fn forbid(&self, word: &str) -> &Self {
        self.state.lock().unwrap().forbidden.push(word.into());
        self
    }

    /// From now on requests for exactly this path are forbidden.
    pub fn forbid_exactly(&self, path: &str) -> &Self {
        let mut state = self.state.lock().unwrap();
        state.forbidden_paths.push(path.into());
        drop(state);
        self
    }

    /// From now on `group/version` is not served.
    pub fn stop_serving(&self, version: &str) -> &Self {
        self.state.lock().unwrap().unserved.push(version.into());
        self
    }

    /// From now on a list ends after so many objects.
    pub fn pages_of(&self, objects: usize) -> &Self {
        self.state.lock().unwrap().page = Some(objects);
        self
    }

    /// From now on the continuation of a list comes too late.
    pub fn expire(&self) -> &Self {
        self.state.lock().unwrap().expires = true;
        self
    }

    /// The next watch hears these events and is over.
    pub fn then_watch(&self, events: &[Value]) -> &Self {
        let lines: Vec<String> = events.iter().map(|event| format!("{event}\n")).collect();
        self.then_answer_watch(Response::text(200, &lines.concat()))
    }

    /// The next watch gets this answer.
    pub fn then_answer_watch(&self, response: Response) -> &Self {
        let state = self.state.lock().unwrap();
        state.watches.lock().unwrap().push_back(response);
        drop(state);
        self
    }

    /// The kubeconfig of a user who is let in.
    pub fn kubeconfig(&self) -> String {
        kubeconfig(&self.server.address, TOKEN)
    }

    /// An environment whose kubeconfig leads here.
    pub fn environment(&self) -> Environment {
        let environment = Environment::new();
        environment.write(".kube/config", &self.kubeconfig());
        environment
    }
}

/// A kubeconfig with the context `test`, whose namespace is flux-system.
pub fn kubeconfig(address: &str, token: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\nclusters:\n- name: test\n  cluster:\n    server: http://{address}\nusers:\n- name: tester\n  user:\n    token: {token}\ncontexts:\n- name: test\n  context:\n    cluster: test\n    user: tester\n    namespace: flux-system\n"
    )
}

fn merge(value: &mut Value, part: &Value) {
    match (value, part) {
        (Value::Object(members), Value::Object(parts)) => {
            for (key, part) in parts {
                merge(members.entry(key.clone()).or_insert(Value::Null), part);
            }
        }
        (value, part) => *value = part.clone(),
    }
}

fn status(code: u16, reason: &str, message: &str, name: &str) -> Response {
    let mut body = json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message});
    if !name.is_empty() {
        body["details"] = json!({"name": name});
    }
    Response::json(code, &body)
}

fn answer(state: &State, request: &Request) -> Response {
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return status(401, "Unauthorized", "Unauthorized", "");
    }
    if let Some(word) = state
        .forbidden
        .iter()
        .find(|word| request.path.contains(*word))
        .or_else(|| {
            state
                .forbidden_paths
                .iter()
                .find(|path| **path == request.path)
        })
    {
        let message = format!("User \"tester\" cannot read {word}");
        return status(403, "Forbidden", &message, "x");
    }
    if request.path == "/version" {
        return Response::json(200, &json!({"gitVersion": "v1.36.3"}));
    }
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["apis", group] => versions(state, group),
        ["apis", group, version] => resources(state, &format!("{group}/{version}")),
        ["apis", group, version, rest @ ..] => {
            let api_version = format!("{group}/{version}");
            objects(state, request, &api_version, rest)
        }
        ["api", version, rest @ ..] => objects(state, request, version, rest),
        _ => Response::text(404, "404 page not found"),
    }
}

const VERSIONS: [&str; 4] = ["v2", "v1", "v1beta2", "v1beta1"];

fn served(state: &State, api_version: &str) -> bool {
    let by_default = [
        "image.toolkit.fluxcd.io/v1",
        "source.toolkit.fluxcd.io/v1",
        "apps/v1",
        "batch/v1",
        "v1",
    ];
    let known = by_default.contains(&api_version)
        || state
            .objects
            .iter()
            .any(|object| object["apiVersion"] == api_version);
    known
        && !state
            .unserved
            .iter()
            .any(|unserved| unserved == api_version)
}

fn versions(state: &State, group: &str) -> Response {
    let served: Vec<Value> = VERSIONS
        .iter()
        .filter(|version| served(state, &format!("{group}/{version}")))
        .map(|version| json!({"version": version, "groupVersion": format!("{group}/{version}")}))
        .collect();
    if served.is_empty() {
        return Response::text(404, "404 page not found");
    }
    Response::json(
        200,
        &json!({"kind": "APIGroup", "name": group, "versions": served}),
    )
}

fn resources(state: &State, api_version: &str) -> Response {
    if !served(state, api_version) {
        return Response::text(404, "404 page not found");
    }
    let names: Vec<Value> = PLURALS
        .iter()
        .map(|(_, plural)| json!({"name": plural}))
        .collect();
    Response::json(200, &json!({"kind": "APIResourceList", "resources": names}))
}

const PLURALS: [(&str, &str); 14] = [
    ("ImageRepository", "imagerepositories"),
    ("ImagePolicy", "imagepolicies"),
    ("ImageUpdateAutomation", "imageupdateautomations"),
    ("GitRepository", "gitrepositories"),
    ("Secret", "secrets"),
    ("ServiceAccount", "serviceaccounts"),
    ("Namespace", "namespaces"),
    ("Deployment", "deployments"),
    ("StatefulSet", "statefulsets"),
    ("DaemonSet", "daemonsets"),
    ("CronJob", "cronjobs"),
    ("Kustomization", "kustomizations"),
    ("HelmRelease", "helmreleases"),
    ("Lease", "leases"),
];

fn objects(state: &State, request: &Request, api_version: &str, rest: &[&str]) -> Response {
    if !served(state, api_version) {
        return Response::text(404, "404 page not found");
    }
    let (namespace, plural, name) = match rest {
        ["namespaces", namespace, plural, name] => (Some(*namespace), *plural, Some(*name)),
        ["namespaces", namespace, plural] => (Some(*namespace), *plural, None),
        [plural, name] => (None, *plural, Some(*name)),
        [plural] => (None, *plural, None),
        _ => return Response::text(404, "404 page not found"),
    };
    let Some((kind, _)) = PLURALS.iter().find(|(_, known)| *known == plural) else {
        return Response::text(404, "404 page not found");
    };
    if request.parameter("watch").is_some() {
        let next = state.watches.lock().unwrap().pop_front();
        return next.unwrap_or_else(|| status(403, "Forbidden", "no more watches", "x"));
    }
    let field = request.parameter("fieldSelector").unwrap_or_default();
    let field = field.strip_prefix("metadata.name=").map(str::to_owned);
    let selector = request.parameter("labelSelector").unwrap_or_default();
    let found: Vec<&Value> = state
        .objects
        .iter()
        .filter(|object| {
            object["kind"] == **kind
                && namespace.is_none_or(|wanted| object["metadata"]["namespace"] == wanted)
                && name
                    .or(field.as_deref())
                    .is_none_or(|wanted| object["metadata"]["name"] == wanted)
                && selected(object, &selector)
        })
        .collect();
    match (name, found.first()) {
        (None, _) => list(state, request, &found),
        (Some(_), Some(object)) => Response::json(200, object),
        (Some(name), None) => {
            let message = format!("{plural} \"{name}\" not found");
            status(404, "NotFound", &message, name)
        }
    }
}

/// Only `key=value`, which is all that the tests send; the controllers' own selector takes every Deployment.
fn selected(object: &Value, selector: &str) -> bool {
    selector.split(',').all(|term| match term.split_once('=') {
        Some((key, value)) => object["metadata"]["labels"][key] == value,
        None => true,
    })
}

fn list(state: &State, request: &Request, found: &[&Value]) -> Response {
    let start: usize = request
        .parameter("continue")
        .map_or(0, |token| token.parse().unwrap());
    if start > 0 && state.expires {
        return status(
            410,
            "Expired",
            "The provided continue parameter is too old",
            "",
        );
    }
    let limit = request
        .parameter("limit")
        .and(state.page)
        .unwrap_or(usize::MAX);
    let page: Vec<&&Value> = found.iter().skip(start).take(limit).collect();
    let end = start + page.len();
    let next = if end < found.len() {
        end.to_string()
    } else {
        String::new()
    };
    Response::json(
        200,
        &json!({"kind": "List", "metadata": {"continue": next, "resourceVersion": "100"}, "items": page}),
    )
}
