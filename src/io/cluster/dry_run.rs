//! Objects of any kind: where the API has them, how they are, and what the API server would make of them. Every request that
//! could change something is a dry-run.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, Method, Request, StatusCode};
use kube::client::Body;
use serde_json::Value;

use crate::facts::dry_run::{ApiResource, ApiStatus, DryRunAnswer, ObjectIdentity, StatusCause};

use super::client::{Cluster, Purpose, status_message};
use super::error::ClusterError;
use super::objects::segment;

/// The resources of one API version by kind; a version that isn't served has none.
pub type KnownResources = BTreeMap<String, ApiResource>;

/// The place of an object in the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPlace {
    path: String,
}

impl ObjectPlace {
    /// The place of an object; one of the whole cluster has no namespace there, whatever it says itself.
    pub fn of(identity: &ObjectIdentity, resource: &ApiResource) -> Self {
        Self::named(identity, resource, &identity.name)
    }

    /// The place that an object would have under another name.
    pub fn named(identity: &ObjectIdentity, resource: &ApiResource, name: &str) -> Self {
        let namespace = if resource.namespaced && !identity.namespace.is_empty() {
            format!("/namespaces/{}", segment(&identity.namespace))
        } else {
            String::new()
        };
        Self {
            path: format!(
                "{}{namespace}/{}/{}",
                version_path(&identity.api_version),
                segment(&resource.plural),
                segment(name)
            ),
        }
    }
}

fn version_path(api_version: &str) -> String {
    match api_version.split_once('/') {
        Some((group, version)) => format!("/apis/{}/{}", segment(group), segment(version)),
        None => format!("/api/{}", segment(api_version)),
    }
}

/// How an object is sent.
#[derive(Clone, Debug)]
pub enum Sent<'a> {
    /// As a server-side apply; `force` takes fields from their owners.
    Apply {
        /// The object.
        object: &'a Value,
        /// Whether other managers' fields are taken.
        force: bool,
    },
    /// As a JSON patch of the live object.
    Patch(&'a Value),
}

/// A dry-run request.
#[derive(Clone, Debug)]
pub struct DryRunRequest<'a> {
    /// Where the object is.
    pub place: &'a ObjectPlace,
    /// What is sent.
    pub sent: Sent<'a>,
    /// The field manager.
    pub manager: &'a str,
    /// The account that is impersonated.
    pub account: Option<&'a str>,
}

/// What reading an object gave.
#[derive(Clone, Debug, PartialEq)]
pub enum LiveAnswer {
    /// It is there.
    Found(Value),
    /// It isn't there.
    Missing,
    /// The server refuses.
    Refused(ApiStatus),
}

/// A busy server is asked again this often.
const ATTEMPTS: usize = 6;

/// No pause between two of them is longer, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What the server said, with what it is about.
struct Spoken {
    status: StatusCode,
    body: Vec<u8>,
}

impl Cluster {
    /// Whether another account can be impersonated: not where the connection impersonates already.
    fn impersonates_nobody(&self) -> bool {
        self.connection()
            .is_none_or(|connection| connection.config.auth_info.impersonate.is_none())
    }

    /// Why an account can't be impersonated, in a few words; `None`: it can.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached.
    pub async fn refusal_to_impersonate(
        &self,
        account: &str,
    ) -> Result<Option<String>, ClusterError> {
        if !self.impersonates_nobody() {
            return Ok(Some("--as impersonates somebody else already".into()));
        }
        let spoken = self
            .speak(Method::GET, "/version", None, Some(account))
            .await?;
        Ok(match spoken.status {
            StatusCode::FORBIDDEN => {
                Some(status_message(&spoken.body)).filter(|words| words.contains("impersonate"))
            }
            _ => None,
        })
    }

    /// The resources of an API version, such as `apps/v1`.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached or refuses.
    pub async fn resources(&self, api_version: &str) -> Result<KnownResources, ClusterError> {
        let Some(list) = self.described(&version_path(api_version)).await? else {
            return Ok(KnownResources::new());
        };
        let listed = list["resources"].as_array().into_iter().flatten();
        let known = listed.filter_map(|resource| {
            let plural = resource["name"]
                .as_str()
                .filter(|name| !name.contains('/'))?;
            let kind = resource["kind"].as_str()?.to_owned();
            let namespaced = resource["namespaced"].as_bool().unwrap_or(false);
            Some((
                kind,
                ApiResource {
                    plural: plural.to_owned(),
                    namespaced,
                },
            ))
        });
        Ok(known.collect())
    }

    /// The resources of an API version, by plural, whose PATCH takes `dryRun` by the server's own description; `None`: the
    /// server describes nothing (before 1.24) or not this version.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached or refuses.
    pub async fn dry_run_plurals(
        &self,
        api_version: &str,
    ) -> Result<Option<Vec<String>>, ClusterError> {
        let Some(index) = self.described("/openapi/v3").await? else {
            return Ok(None);
        };
        let version = version_path(api_version);
        let version = version.trim_start_matches('/');
        let Some(url) = index["paths"][version]["serverRelativeURL"].as_str() else {
            return Ok(None);
        };
        if !url.starts_with("/openapi/") {
            return Ok(None);
        }
        let Some(description) = self.described(url).await? else {
            return Ok(None);
        };
        let paths = description["paths"].as_object().into_iter().flatten();
        let plurals = paths.filter_map(|(path, operations)| {
            let takes = |place: &Value| {
                let parameters = place["parameters"].as_array().into_iter().flatten();
                parameters
                    .into_iter()
                    .any(|parameter| parameter["name"] == "dryRun")
            };
            let plural = path.strip_suffix("/{name}")?.rsplit('/').next()?;
            let patch = operations.get("patch")?;
            (takes(patch) || takes(operations)).then(|| plural.to_owned())
        });
        Ok(Some(plurals.collect()))
    }

    /// What the server says of itself at `path`; `None`: nothing.
    async fn described(&self, path: &str) -> Result<Option<Value>, ClusterError> {
        let spoken = self.speak(Method::GET, path, None, None).await?;
        let purpose = Purpose {
            verb: "get",
            resource: path.to_owned(),
            place: String::new(),
        };
        match spoken.status {
            StatusCode::OK => self.parsed(path, &spoken.body).map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(self.refusal(&format!("GET {path}"), &purpose, status, &spoken.body)),
        }
    }

    /// Reads an object, as `account` where one is given.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached.
    pub async fn read(
        &self,
        place: &ObjectPlace,
        account: Option<&str>,
    ) -> Result<LiveAnswer, ClusterError> {
        let spoken = self.speak(Method::GET, &place.path, None, account).await?;
        Ok(match spoken.status {
            StatusCode::OK => LiveAnswer::Found(self.parsed(&place.path, &spoken.body)?),
            StatusCode::NOT_FOUND => LiveAnswer::Missing,
            status => LiveAnswer::Refused(api_status(status, &spoken.body)),
        })
    }

    /// Asks what would become of an object; nothing is persisted.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached.
    pub async fn dry_run(&self, request: &DryRunRequest<'_>) -> Result<DryRunAnswer, ClusterError> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("dryRun", "All")
            .append_pair("fieldManager", request.manager)
            .append_pair("fieldValidation", "Strict");
        let (content_type, body) = match &request.sent {
            Sent::Apply { object, force } => {
                if *force {
                    query.append_pair("force", "true");
                }
                ("application/apply-patch+yaml", object)
            }
            Sent::Patch(patch) => ("application/json-patch+json", patch),
        };
        let path = format!("{}?{}", request.place.path, query.finish());
        let sent = Some((content_type, body.to_string()));
        let spoken = self
            .speak(Method::PATCH, &path, sent, request.account)
            .await?;
        if spoken.status.is_success() {
            return Ok(DryRunAnswer::Accepted(self.parsed(&path, &spoken.body)?));
        }
        Ok(DryRunAnswer::Refused(api_status(
            spoken.status,
            &spoken.body,
        )))
    }

    fn parsed(&self, path: &str, body: &[u8]) -> Result<Value, ClusterError> {
        serde_json::from_slice(body).map_err(|error| ClusterError::BadAnswer {
            server: self.server(),
            request: path.to_owned(),
            cause: format!("no JSON: {error}"),
        })
    }

    /// Sends a request, again while the server is busy and says when to come back.
    async fn speak(
        &self,
        method: Method,
        path: &str,
        sent: Option<(&str, String)>,
        account: Option<&str>,
    ) -> Result<Spoken, ClusterError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut request = Request::builder()
                .method(method.clone())
                .uri(path)
                .header(http::header::ACCEPT, "application/json");
            if let Some(account) = account {
                request = request.header("Impersonate-User", account);
            }
            let body = match &sent {
                Some((content_type, body)) => {
                    request = request.header(http::header::CONTENT_TYPE, *content_type);
                    Body::from(body.clone().into_bytes())
                }
                None => Body::empty(),
            };
            let request = request.body(body).map_err(|error| {
                ClusterError::Configuration(format!("{path} is no path of the API: {error}"))
            })?;
            let (status, headers, body) = self.send(path, request).await?;
            match pause(status, &headers) {
                Some(pause) if attempt < ATTEMPTS => tokio::time::sleep(pause).await,
                _ if status == StatusCode::UNAUTHORIZED => {
                    return Err(ClusterError::Unauthorized {
                        server: self.server(),
                        user: self.user().to_owned(),
                        message: status_message(&body),
                    });
                }
                _ => return Ok(Spoken { status, body }),
            }
        }
    }
}

/// How long a server that is busy wants us to wait.
fn pause(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let is_busy = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
    let wanted = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = wanted.trim().parse().ok()?;
    is_busy.then(|| Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

fn api_status(status: StatusCode, body: &[u8]) -> ApiStatus {
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let details = &parsed["details"];
    let causes = details["causes"].as_array().into_iter().flatten();
    ApiStatus {
        code: status.as_u16(),
        reason: text(&parsed["reason"]),
        message: match status_message(body) {
            message if message.is_empty() => status.to_string(),
            message => message,
        },
        kind: text(&details["kind"]),
        name: text(&details["name"]),
        causes: causes
            .map(|cause| StatusCause {
                reason: text(&cause["reason"]),
                message: text(&cause["message"]),
                field: text(&cause["field"]),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_one_place() {
        let identity = ObjectIdentity {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: "a/b".into(),
            name: "x".into(),
        };
        let place = |namespaced: bool| {
            let resource = ApiResource {
                plural: "deployments".into(),
                namespaced,
            };
            ObjectPlace::of(&identity, &resource).path
        };
        assert_eq!(place(true), "/apis/apps/v1/namespaces/a%2Fb/deployments/x");
        assert_eq!(place(false), "/apis/apps/v1/deployments/x");
        assert_eq!(version_path("v1"), "/api/v1");
    }

    #[test]
    fn only_a_busy_server_is_asked_again() {
        let mut headers = HeaderMap::new();
        headers.insert(
            http::header::RETRY_AFTER,
            http::HeaderValue::from_static("1"),
        );
        assert_eq!(
            pause(StatusCode::TOO_MANY_REQUESTS, &headers),
            Some(Duration::from_secs(1))
        );
        assert_eq!(pause(StatusCode::FORBIDDEN, &headers), None);
        assert_eq!(
            pause(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new()),
            None
        );
    }

    #[test]
    fn a_refusal_keeps_its_reasons() {
        let body = br#"{"kind":"Status","reason":"Conflict","message":"no","details":{"name":"x","kind":"deployments","causes":[{"reason":"FieldManagerConflict","message":"m","field":".spec"}]}}"#;
        let status = api_status(StatusCode::CONFLICT, body);
        assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
        assert_eq!(status.causes[0].field, ".spec");
        let status = api_status(StatusCode::BAD_GATEWAY, b"");
        assert_eq!(status.message, "502 Bad Gateway");
    }
}
