//! What happens to the objects of a list after it was read.

use std::time::Duration;

use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::Value;

use super::client::Cluster;
use super::error::{ClusterError, root_cause};
use super::objects::{Listed, Scope, collection, fill_in, purpose};
use crate::facts::cluster::Kind;

/// The objects that are watched.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// Their kind.
    pub kind: Kind,
    /// Where they are.
    pub scope: Scope<'a>,
    /// A label selector as the API takes it.
    pub selector: Option<&'a str>,
    /// The one object; none: all.
    pub name: Option<&'a str>,
}

/// What happened to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent {
    /// It is there, new or changed.
    Present(Value),
    /// It is gone; this is what it was.
    Gone(Value),
}

/// Why a watch ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEnd {
    /// The server let it end: it goes on from the last version.
    Over,
    /// The version is too old: the list has to be read anew.
    Expired,
}

/// The server is asked to end a watch after so long; a connection that is silent for longer is dead.
const ROUND: Duration = Duration::from_secs(290);
const SILENCE: Duration = Duration::from_secs(330);

/// No object is longer: the server's own limit is 1.5 MiB in its store.
const LINE_LIMIT: usize = 16 << 20;

impl Cluster {
    /// Lists what is watched, with the version from which a watch goes on.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached, refuses, or doesn't serve the kind.
    pub async fn list_watched(&self, watched: &Watched<'_>) -> Result<Listed, ClusterError> {
        let Watched {
            kind,
            scope,
            selector,
            name,
        } = *watched;
        let purpose = purpose("list", kind, scope);
        let mut version = self.assumed_version(kind);
        loop {
            let path = collection(kind, version, scope);
            match self.pages(&path, &purpose, selector, name).await? {
                Some(mut listed) => {
                    self.remember(kind, version);
                    fill_in(&mut listed.items, kind, version);
                    return Ok(listed);
                }
                None => version = self.other_version(kind, version).await?,
            }
        }
    }

    /// Watches until the server ends it, or `on_event` says false; `version` is where it starts, and then where the next one goes on.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached any more, or refuses.
    pub async fn watch(
        &self,
        watched: &Watched<'_>,
        version: &mut String,
        on_event: &mut (dyn FnMut(WatchEvent) -> bool + Send),
    ) -> Result<WatchEnd, ClusterError> {
        let path = self.watch_path(watched, version);
        let purpose = purpose("watch", watched.kind, watched.scope);
        let question = format!("GET {path}");
        let request = Request::builder()
            .method(Method::GET)
            .uri(&path)
            .header(http::header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(|error| {
                ClusterError::Configuration(format!("{path} is no path of the API: {error}"))
            })?;
        let (status, mut body) = self.open_stream(&path, request).await?;
        if status == StatusCode::GONE {
            return Ok(WatchEnd::Expired);
        }
        let mut buffer = Vec::new();
        while let Some(bytes) = self.next_part(&question, &mut body).await? {
            buffer.extend_from_slice(&bytes);
            if buffer.len() > LINE_LIMIT {
                return Err(self.no_event(&question, "an event without an end"));
            }
            if status != StatusCode::OK {
                continue;
            }
            while let Some(end) = memchr::memchr(b'\n', &buffer) {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                match self.event(&question, &purpose, &line, version)? {
                    Told::Event(event) => {
                        if !on_event(event) {
                            return Ok(WatchEnd::Over);
                        }
                    }
                    Told::Nothing => {}
                    Told::Expired => return Ok(WatchEnd::Expired),
                }
            }
        }
        if status == StatusCode::OK {
            Ok(WatchEnd::Over)
        } else {
            Err(self.refusal(&question, &purpose, status, &buffer))
        }
    }

    fn watch_path(&self, watched: &Watched<'_>, version: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("watch", "true");
        query.append_pair("allowWatchBookmarks", "true");
        query.append_pair("timeoutSeconds", &ROUND.as_secs().to_string());
        if !version.is_empty() {
            query.append_pair("resourceVersion", version);
        }
        if let Some(selector) = watched.selector {
            query.append_pair("labelSelector", selector);
        }
        if let Some(name) = watched.name {
            query.append_pair("fieldSelector", &format!("metadata.name={name}"));
        }
        let kind = watched.kind;
        let folder = collection(kind, self.assumed_version(kind), watched.scope);
        format!("{folder}?{}", query.finish())
    }

    async fn next_part(
        &self,
        question: &str,
        body: &mut Body,
    ) -> Result<Option<Vec<u8>>, ClusterError> {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await;
        let frame = frame.map_err(|_| ClusterError::TimedOut {
            server: self.server(),
            request: question.to_owned(),
            limit: format!("{SILENCE:?}"),
        })?;
        match frame {
            None => Ok(None),
            Some(Ok(frame)) => Ok(Some(
                frame
                    .into_data()
                    .map(|data| data.to_vec())
                    .unwrap_or_default(),
            )),
            Some(Err(error)) => Err(ClusterError::Unreachable {
                server: self.server(),
                cause: root_cause(&error),
            }),
        }
    }

    fn event(
        &self,
        question: &str,
        purpose: &super::client::Purpose,
        line: &[u8],
        version: &mut String,
    ) -> Result<Told, ClusterError> {
        let mut event: Value = serde_json::from_slice(line)
            .map_err(|error| self.no_event(question, &format!("no JSON: {error}")))?;
        let object = event["object"].take();
        if event["type"] == "ERROR" {
            if object["code"] == 410 {
                return Ok(Told::Expired);
            }
            let code = object["code"]
                .as_u64()
                .and_then(|code| u16::try_from(code).ok());
            let status = code.and_then(|code| StatusCode::from_u16(code).ok());
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Err(self.refusal(question, purpose, status, object.to_string().as_bytes()));
        }
        if let Some(newer) = object
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str)
        {
            newer.clone_into(version);
        }
        Ok(match event["type"].as_str() {
            Some("ADDED" | "MODIFIED") => Told::Event(WatchEvent::Present(object)),
            Some("DELETED") => Told::Event(WatchEvent::Gone(object)),
            _ => Told::Nothing,
        })
    }

    fn no_event(&self, question: &str, cause: &str) -> ClusterError {
        ClusterError::BadAnswer {
            server: self.server(),
            request: question.to_owned(),
            cause: cause.to_owned(),
        }
    }
}

/// What a line of a watch says.
enum Told {
    Event(WatchEvent),
    Nothing,
    Expired,
}
