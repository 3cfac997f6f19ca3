//! A cluster that is asked: one request after another or side by side, each told to the observer and turned into typed errors.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::{AuthError, Body};
use serde_json::Value;

use crate::facts::cluster::Kind;
use crate::io::error_text;
use crate::io::observer::{Event, Observer};

use super::connection::Connection;
use super::error::{ClusterError, kube_cause};
use super::recording::{RecordedCluster, Recorder};
use super::transport;

/// An open connection to a cluster; cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    source: Source,
    observer: Observer,
    recorder: Option<Recorder>,
    /// The API version in which each kind is served, once that is known.
    pub(super) served: Arc<Mutex<BTreeMap<Kind, &'static str>>>,
}

/// Who answers.
#[derive(Clone)]
enum Source {
    /// A server.
    Server(Box<Opened>),
    /// What one answered before.
    Recording(Arc<RecordedCluster>),
}

#[derive(Clone)]
struct Opened {
    client: Client,
    connection: Connection,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Cluster({})", self.server())
    }
}

/// What a request is about, for the message when it is forbidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Purpose {
    pub(super) verb: &'static str,
    /// The plural with its group.
    pub(super) resource: String,
    /// ` in namespace x`, or ` in all namespaces`, or nothing.
    pub(super) place: String,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// The answer.
    Json(Value),
    /// The resource is served, but the object isn't there.
    NoSuchObject,
    /// The path means nothing to the server.
    NoSuchPath,
    /// The continuation of a list came too late.
    Expired,
}

/// Nothing that is read has answers beyond this.
const BODY_LIMIT: usize = 512 * 1024 * 1024;

impl Cluster {
    /// Opens the connection; nothing is sent yet, but an exec plugin may run. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// Certificates or credentials can't be used.
    pub fn open(connection: Connection, observer: Observer) -> Result<Self, ClusterError> {
        let client = transport::client(connection.config.clone()).map_err(|error| {
            ClusterError::Configuration(format!(
                "the credentials of {} for {} can't be used: {}",
                connection.user,
                connection.config.cluster_url,
                plugin_words(&error, &connection)
            ))
        })?;
        Ok(Self {
            source: Source::Server(Box::new(Opened { client, connection })),
            observer,
            recorder: None,
            served: Arc::default(),
        })
    }

    /// A cluster that answers as it was recorded.
    pub fn recorded(recording: Arc<RecordedCluster>, observer: Observer) -> Self {
        Self {
            source: Source::Recording(recording),
            observer,
            recorder: None,
            served: Arc::default(),
        }
    }

    /// The same, with every answer that is read handed to `recorder` too.
    pub fn recording_to(self, recorder: Recorder) -> Self {
        Self {
            recorder: Some(recorder),
            ..self
        }
    }

    /// Its URL.
    pub fn server(&self) -> String {
        match &self.source {
            Source::Server(opened) => opened
                .connection
                .config
                .cluster_url
                .to_string()
                .trim_end_matches('/')
                .to_owned(),
            Source::Recording(recording) => recording.server.clone(),
        }
    }

    /// The kubeconfig's context.
    pub fn context(&self) -> Option<&str> {
        match &self.source {
            Source::Server(opened) => opened.connection.context.as_deref(),
            Source::Recording(recording) => recording.context.as_deref(),
        }
    }

    /// `GET path`.
    pub(super) async fn get_json(
        &self,
        path: &str,
        purpose: &Purpose,
    ) -> Result<Answer, ClusterError> {
        if let Source::Recording(recording) = &self.source {
            return recording.answer(path, purpose);
        }
        let request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header(http::header::ACCEPT, "application/json")
            .body(Body::empty());
        let answer = self.ask("GET", path, request, purpose).await;
        if let Some(recorder) = &self.recorder {
            recorder.record(path, &answer);
        }
        answer
    }

    /// `PATCH path`, by merging `part` into the object.
    pub(super) async fn merge_json(
        &self,
        path: &str,
        part: &Value,
        purpose: &Purpose,
    ) -> Result<Answer, ClusterError> {
        let request = Request::builder()
            .method(Method::PATCH)
            .uri(path)
            .header(http::header::ACCEPT, "application/json")
            .header(http::header::CONTENT_TYPE, "application/merge-patch+json")
            .body(Body::from(part.to_string().into_bytes()));
        self.ask("PATCH", path, request, purpose).await
    }

    async fn ask(
        &self,
        method: &'static str,
        path: &str,
        request: Result<Request<Body>, http::Error>,
        purpose: &Purpose,
    ) -> Result<Answer, ClusterError> {
        let request = request.map_err(|error| {
            ClusterError::Configuration(format!("{path} is no path of the API: {error}"))
        })?;
        let question = format!("{method} {path}");
        let (status, _, body) = self.send(path, request).await?;
        match status {
            StatusCode::OK => serde_json::from_slice(&body)
                .map(Answer::Json)
                .map_err(|error| ClusterError::BadAnswer {
                    server: self.server(),
                    request: question,
                    cause: format!("no JSON: {error}"),
                }),
            StatusCode::NOT_FOUND if names_an_object(&body) => Ok(Answer::NoSuchObject),
            StatusCode::NOT_FOUND => Ok(Answer::NoSuchPath),
            StatusCode::GONE => Ok(Answer::Expired),
            other => Err(self.refusal(&question, purpose, other, &body)),
        }
    }

    /// How the connection was settled; `None`: nobody is connected, a recording answers.
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.opened().ok().map(|opened| &opened.connection)
    }

    /// Who we are, for messages.
    pub(super) fn user(&self) -> &str {
        self.connection()
            .map_or("nobody", |connection| connection.user.as_str())
    }

    fn opened(&self) -> Result<&Opened, ClusterError> {
        match &self.source {
            Source::Server(opened) => Ok(opened),
            Source::Recording(_) => Err(ClusterError::Configuration(
                "a snapshot can be read, but neither changed nor watched: leave out --snapshot to ask the cluster"
                    .into(),
            )),
        }
    }

    /// Sends a request within `--request-timeout`, and tells it to the observer.
    pub(super) async fn send(
        &self,
        path: &str,
        request: Request<Body>,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), ClusterError> {
        let method = if request.method() == Method::PATCH {
            "PATCH"
        } else {
            "GET"
        };
        let asked = Instant::now();
        let question = format!("{method} {path}");
        let answer = self
            .limited(&question, self.exchange(&question, request))
            .await;
        self.tell(method, path, &answer, asked.elapsed());
        answer
    }

    /// Sends a request whose answer has no end; its beginning comes within `--request-timeout`.
    pub(super) async fn open_stream(
        &self,
        path: &str,
        request: Request<Body>,
    ) -> Result<(StatusCode, Body), ClusterError> {
        let asked = Instant::now();
        let question = format!("GET {path}");
        let opened = self.opened()?;
        let opening = async {
            let answer = opened.client.send(request).await;
            answer.map_err(|error| self.failed(&question, &error))
        };
        let answer = self.limited(&question, opening).await;
        let told = answer
            .as_ref()
            .map(|answer| (answer.status(), HeaderMap::new(), Vec::new()))
            .map_err(Clone::clone);
        self.tell("GET", path, &told, asked.elapsed());
        let answer = answer?;
        Ok((answer.status(), answer.into_body()))
    }

    async fn exchange(
        &self,
        question: &str,
        request: Request<Body>,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), ClusterError> {
        let answer = self
            .opened()?
            .client
            .send(request)
            .await
            .map_err(|error| self.failed(question, &error))?;
        let status = answer.status();
        let headers = answer.headers().clone();
        let body = http_body_util::Limited::new(answer.into_body(), BODY_LIMIT);
        let body = body
            .collect()
            .await
            .map_err(|error| ClusterError::Unreachable {
                server: self.server(),
                cause: super::error::root_cause(error.as_ref()),
            })?;
        Ok((status, headers, body.to_bytes().to_vec()))
    }

    /// `work` within `--request-timeout`.
    async fn limited<T>(
        &self,
        question: &str,
        work: impl Future<Output = Result<T, ClusterError>>,
    ) -> Result<T, ClusterError> {
        let limit = self
            .connection()
            .and_then(|settled| settled.request_timeout);
        let Some(limit) = limit else {
            return work.await;
        };
        let within = tokio::time::timeout(limit, work).await;
        within.unwrap_or_else(|_| {
            Err(ClusterError::TimedOut {
                server: self.server(),
                request: question.to_owned(),
                limit: format!("{limit:?} (--request-timeout)"),
            })
        })
    }

    fn tell(
        &self,
        method: &'static str,
        path: &str,
        answer: &Result<(StatusCode, HeaderMap, Vec<u8>), ClusterError>,
        took: Duration,
    ) {
        self.observer.tell(Event::Request {
            method,
            url: format!("{}{path}", self.server()),
            outcome: match answer {
                Ok((status, _, _)) => status.to_string(),
                Err(error) => error.to_string(),
            },
            took,
        });
    }

    fn failed(&self, question: &str, error: &kube::Error) -> ClusterError {
        let words = |error| match &self.source {
            Source::Server(opened) => plugin_words(error, &opened.connection),
            Source::Recording(_) => error.to_string(),
        };
        match error {
            kube::Error::Auth(_) => ClusterError::Configuration(format!(
                "the credentials of {} for {} can't be had: {}",
                self.user(),
                self.server(),
                words(error)
            )),
            kube::Error::HttpError(_) => ClusterError::Configuration(format!(
                "{question}: {error}: a flag or the kubeconfig holds what a header can't"
            )),
            _ => ClusterError::Unreachable {
                server: self.server(),
                cause: kube_cause(error),
            },
        }
    }

    /// The error for a status that is no success.
    pub(super) fn refusal(
        &self,
        question: &str,
        purpose: &Purpose,
        status: StatusCode,
        body: &[u8],
    ) -> ClusterError {
        let message = status_message(body);
        match status {
            StatusCode::UNAUTHORIZED => ClusterError::Unauthorized {
                server: self.server(),
                user: self.user().to_owned(),
                message,
            },
            StatusCode::FORBIDDEN => ClusterError::Forbidden {
                verb: purpose.verb,
                resource: purpose.resource.clone(),
                place: purpose.place.clone(),
                message,
            },
            other => ClusterError::Refused {
                server: self.server(),
                request: question.to_owned(),
                status: other.as_u16(),
                message,
            },
        }
    }
}

/// A plugin's own words where it has some; kube's errors would show its whole output, which may be a token.
fn plugin_words(error: &kube::Error, connection: &Connection) -> String {
    match error {
        kube::Error::Auth(AuthError::AuthExecStart(why)) => {
            let exec = connection.config.auth_info.exec.as_ref();
            let command = exec.and_then(|exec| exec.command.as_deref());
            format!(
                "the exec plugin {} can't be run: {}: install it, or correct the kubeconfig",
                command.unwrap_or("of the kubeconfig"),
                error_text(why)
            )
        }
        kube::Error::Auth(AuthError::AuthExecRun { cmd, out }) => {
            let words = String::from_utf8_lossy(&out.stderr);
            let last = words.lines().rev().find(|line| !line.trim().is_empty());
            format!(
                "the exec plugin {cmd} ended with {}: {}",
                out.status,
                last.unwrap_or("it said nothing").trim()
            )
        }
        kube::Error::Auth(AuthError::AuthExecParse(_)) => {
            "the exec plugin's answer is no ExecCredential".into()
        }
        kube::Error::Auth(error) => error.to_string(),
        other => kube_cause(other),
    }
}

/// Whether the body of a 404 is the API's word that one object is missing, not that it doesn't know the path.
fn names_an_object(body: &[u8]) -> bool {
    let status: Option<Value> = serde_json::from_slice(body).ok();
    status.is_some_and(|status| {
        status
            .pointer("/details/name")
            .and_then(Value::as_str)
            .is_some_and(|name| !name.is_empty())
    })
}

/// `message` of the API's Status, else the beginning of whatever text came.
pub(super) fn status_message(body: &[u8]) -> String {
    let status: Option<Value> = serde_json::from_slice(body).ok();
    let message = status
        .as_ref()
        .and_then(|status| status["message"].as_str());
    match message {
        Some(message) => message.to_owned(),
        None => {
            let text = String::from_utf8_lossy(body);
            text.trim().chars().take(200).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::status_message;

    #[test]
    fn the_servers_own_words_are_kept() {
        assert_eq!(
            status_message(br#"{"kind":"Status","message":"no, thanks"}"#),
            "no, thanks"
        );
        assert_eq!(status_message(b"upstream is down\n"), "upstream is down");
        assert_eq!(status_message(b""), "");
    }
}
