//! A small client of the Kubernetes API, as JSON over the plain http proxy of the control plane.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{Request, Response};

/// The API server, asked as the administrator or as another user.
#[derive(Clone)]
pub struct Api {
    address: String,
    agent: Agent,
    /// `None` is the administrator, whom the proxy puts in.
    token: Option<String>,
}

/// The API server said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// `message` of the Status object.
    pub message: String,
}

/// An agent that hands on answers of every status.
pub fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(120)))
        .max_idle_connections_per_host(16)
        .build()
        .into()
}

impl Api {
    /// The API behind a proxy at HOST:PORT.
    pub fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            agent: agent(),
            token: None,
        }
    }

    /// The same API, asked by whom this bearer token belongs to.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// Creates an object, its status included, by the path that its apiVersion, kind and namespace make.
    pub fn create(&self, object: &Value) -> Result<Value, Refusal> {
        self.send(
            "POST",
            &collection(object),
            "application/json",
            &object.to_string(),
        )
    }

    /// Creates or updates an object by server-side apply.
    pub fn apply(&self, object: &Value) -> Result<Value, Refusal> {
        self.apply_text(&path(object), &object.to_string())
    }

    /// Server-side apply of a YAML or JSON text.
    pub fn apply_text(&self, path: &str, text: &str) -> Result<Value, Refusal> {
        self.send(
            "PATCH",
            &format!("{path}?fieldManager=tests&force=true"),
            "application/apply-patch+yaml",
            text,
        )
    }

    /// Writes an object's status, given as `{"status": ...}` in the object.
    pub fn write_status(&self, object: &Value) -> Result<Value, Refusal> {
        let patch = json!({"status": object["status"]});
        self.merge(&format!("{}/status", path(object)), &patch)
    }

    /// Merges `patch` into the object at `path`.
    pub fn merge(&self, path: &str, patch: &Value) -> Result<Value, Refusal> {
        self.send(
            "PATCH",
            path,
            "application/merge-patch+json",
            &patch.to_string(),
        )
    }

    /// Posts to a path that is no collection, such as a subresource.
    pub fn post(&self, path: &str, question: &Value) -> Result<Value, Refusal> {
        self.send("POST", path, "application/json", &question.to_string())
    }

    /// The object, or list, at `path`.
    pub fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.send("GET", path, "application/json", "")
    }

    /// The items of a collection.
    pub fn list(&self, collection: &str) -> Vec<Value> {
        let answer = self
            .get(collection)
            .unwrap_or_else(|refusal| panic!("GET {collection}: {refusal:?}"));
        answer["items"].as_array().cloned().unwrap_or_default()
    }

    /// Deletes all objects of a collection; controllers with finalizers let them go a moment later.
    pub fn delete_all(&self, collection: &str) {
        self.send("DELETE", collection, "application/json", "")
            .unwrap_or_else(|refusal| panic!("DELETE {collection}: {refusal:?}"));
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &str,
    ) -> Result<Value, Refusal> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("Content-Type", content_type);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let request = request
            .body(body.to_owned())
            .expect("the request is well formed");
        let mut answer: Response<ureq::Body> = self
            .agent
            .run(request)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let text = answer
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_string()
            .unwrap_or_else(|error| panic!("{method} {path}: {} {error}", answer.status()));
        let value: Result<Value, _> = serde_json::from_str(&text);
        if answer.status().is_success() {
            return Ok(value.unwrap_or_else(|error| panic!("{method} {path}: {error}")));
        }
        // Where a path isn't served, the answer is a plain text.
        let message = value
            .ok()
            .and_then(|value| value["message"].as_str().map(str::to_owned))
            .unwrap_or(text);
        Err(Refusal {
            status: answer.status().as_u16(),
            message,
        })
    }
}

/// The path of an object: `/apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL/NAME`.
pub fn path(object: &Value) -> String {
    format!(
        "{}/{}",
        collection(object),
        object["metadata"]["name"].as_str().unwrap_or_default()
    )
}

/// The path of the collection that an object belongs to.
pub fn collection(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let kind = object["kind"]
        .as_str()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let plural = match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{kind}s"),
    };
    let root = if version.contains('/') { "apis" } else { "api" };
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("/{root}/{version}/namespaces/{namespace}/{plural}"),
        None => format!("/{root}/{version}/{plural}"),
    }
}

/// Asks until there is an answer; panics with `what` after `limit`.
///
/// It asks less often the longer a question takes, so that long lists leave time to those who change them.
pub fn wait_for<T>(what: &str, limit: Duration, mut question: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        let asked = Instant::now();
        if let Some(answer) = question() {
            return answer;
        }
        assert!(
            started.elapsed() < limit,
            "waited {limit:?} in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(100) + 4 * asked.elapsed());
    }
}
