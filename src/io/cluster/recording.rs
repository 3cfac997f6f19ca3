//! A cluster's answers, heard while it is asked, and given again without it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::controllers::labels::Selector;
use crate::facts::cluster::Kind;
use crate::facts::snapshot::{AskedList, ClusterAnswers};

use super::client::{Answer, Purpose};
use super::error::ClusterError;

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The answer.
    Json(Value),
    /// The resource is served, but the object isn't there.
    NoSuchObject,
    /// The path means nothing to the server.
    NoSuchPath,
    /// It is forbidden, in the server's words.
    Forbidden(String),
}

/// A question and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The path with its query.
    pub path: String,
    /// The answer.
    pub heard: Heard,
}

/// Hears what a cluster answers; cheap to clone, and its clones hear together.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Vec<Exchange>>>);

impl Recorder {
    /// What was heard so far, in the order of the answers.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.clone()
    }

    pub(super) fn record(&self, path: &str, answer: &Result<Answer, ClusterError>) {
        let heard = match answer {
            Ok(Answer::Json(value)) => Heard::Json(value.clone()),
            Ok(Answer::NoSuchObject) => Heard::NoSuchObject,
            Ok(Answer::NoSuchPath) => Heard::NoSuchPath,
            Err(ClusterError::Forbidden { message, .. }) => Heard::Forbidden(message.clone()),
            Ok(Answer::Expired) | Err(_) => return,
        };
        let path = path.to_owned();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Exchange { path, heard });
    }
}

/// A cluster as it was at one moment. It answers what it was asked then, and what follows from that.
#[derive(Debug)]
pub struct RecordedCluster {
    pub(super) server: String,
    pub(super) context: Option<String>,
    lists: BTreeSet<AskedList>,
    forbidden: BTreeMap<String, String>,
    absent: BTreeSet<String>,
    unserved: BTreeSet<String>,
    documents: BTreeMap<String, Value>,
    /// By the path of the collection of all namespaces, such as `/apis/apps/v1/deployments`.
    objects: BTreeMap<String, Vec<Value>>,
}

/// What a path of the API names.
struct Named {
    /// The path of the collection of all namespaces.
    collection: String,
    namespace: Option<String>,
    object: Option<String>,
}

/// Kinds that are read and are no [`Kind`].
const OTHER_PLURALS: [(&str, &str); 1] = [("Lease", "leases")];

impl RecordedCluster {
    /// A cluster of this URL and context that answered so, with `objects` in it.
    pub fn new(
        server: String,
        context: Option<String>,
        answers: ClusterAnswers,
        objects: Vec<Value>,
    ) -> Self {
        let mut by_collection: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for object in objects {
            if let Some(collection) = collection_of(&object) {
                by_collection.entry(collection).or_default().push(object);
            }
        }
        let forbidden = answers.forbidden.into_iter();
        Self {
            server,
            context,
            lists: answers.lists.into_iter().collect(),
            forbidden: forbidden
                .map(|refused| (refused.path, refused.message))
                .collect(),
            absent: answers.absent.into_iter().collect(),
            unserved: answers.unserved.into_iter().collect(),
            documents: answers.documents,
            objects: by_collection,
        }
    }

    pub(super) fn answer(&self, question: &str, purpose: &Purpose) -> Result<Answer, ClusterError> {
        let (path, query) = question.split_once('?').unwrap_or((question, ""));
        if let Some(message) = self.forbidden.get(path) {
            return Err(forbidden(purpose, message.clone()));
        }
        if let Some(document) = self.documents.get(path) {
            return Ok(Answer::Json(document.clone()));
        }
        if self.unserved.contains(path) {
            return Ok(Answer::NoSuchPath);
        }
        let found = match named(path) {
            Some(Named {
                object: Some(object),
                collection,
                namespace,
            }) => self.single(path, &collection, namespace.as_deref(), &object),
            Some(place) => self.list(&place, query),
            None => None,
        };
        found.ok_or_else(|| {
            let message = "the snapshot does not hold it: nothing asked for it when it was taken";
            forbidden(purpose, message.to_owned())
        })
    }

    fn single(
        &self,
        path: &str,
        collection: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Option<Answer> {
        let objects = self.objects.get(collection).into_iter().flatten();
        let found = objects
            .filter(|object| is_in(object, namespace))
            .find(|object| object["metadata"]["name"] == name);
        if let Some(object) = found {
            return Some(Answer::Json(object.clone()));
        }
        let is_known = self.absent.contains(path) || self.holds_all(collection, namespace, "");
        is_known.then_some(Answer::NoSuchObject)
    }

    fn list(&self, place: &Named, query: &str) -> Option<Answer> {
        let wanted = parameter(query, "labelSelector");
        let namespace = place.namespace.as_deref();
        if !self.holds_all(&place.collection, namespace, &wanted) {
            return None;
        }
        let selector = Selector::parse(&wanted).ok()?;
        let name = parameter(query, "fieldSelector");
        let name = name.strip_prefix("metadata.name=");
        let objects = self.objects.get(&place.collection).into_iter().flatten();
        let items: Vec<&Value> = objects
            .filter(|object| is_in(object, namespace) && selector.matches(&labels(object)))
            .filter(|object| name.is_none_or(|name| object["metadata"]["name"] == name))
            .collect();
        Some(Answer::Json(
            json!({"metadata": {"resourceVersion": "0"}, "items": items}),
        ))
    }

    /// Whether all objects of a namespace that a selector means were read.
    fn holds_all(&self, collection: &str, namespace: Option<&str>, selector: &str) -> bool {
        let asked = |path: String, selector: &str| {
            self.lists.contains(&AskedList {
                path,
                selector: selector.to_owned(),
            })
        };
        let mut paths = vec![collection.to_owned()];
        paths.extend(namespace.and_then(|namespace| below(collection, namespace)));
        paths
            .into_iter()
            .any(|path| asked(path.clone(), "") || asked(path, selector))
    }
}

fn forbidden(purpose: &Purpose, message: String) -> ClusterError {
    ClusterError::Forbidden {
        verb: purpose.verb,
        resource: purpose.resource.clone(),
        place: purpose.place.clone(),
        message,
    }
}

/// The path of the collection that an object is in.
fn collection_of(object: &Value) -> Option<String> {
    let kind = object["kind"].as_str()?;
    let version = object["apiVersion"].as_str()?;
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let plural = Kind::ALL
        .into_iter()
        .find(|known| known.name() == kind && known.group() == group)
        .map(Kind::plural)
        .or_else(|| {
            let mut others = OTHER_PLURALS.iter();
            others
                .find(|(known, _)| *known == kind)
                .map(|(_, plural)| *plural)
        })?;
    let root = if group.is_empty() { "api" } else { "apis" };
    Some(format!("/{root}/{version}/{plural}"))
}

fn named(path: &str) -> Option<Named> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (root, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => (format!("/api/{version}"), rest),
        ["apis", group, version, rest @ ..] => (format!("/apis/{group}/{version}"), rest),
        _ => return None,
    };
    let text = |part: &str| {
        percent_encoding::percent_decode_str(part)
            .decode_utf8_lossy()
            .into_owned()
    };
    let (namespace, plural, object) = match rest {
        ["namespaces", namespace, plural] => (Some(text(namespace)), *plural, None),
        ["namespaces", namespace, plural, name] => {
            (Some(text(namespace)), *plural, Some(text(name)))
        }
        [plural, name] => (None, *plural, Some(text(name))),
        [plural] => (None, *plural, None),
        _ => return None,
    };
    Some(Named {
        collection: format!("{root}/{plural}"),
        namespace,
        object,
    })
}

/// The path of a collection in one namespace.
fn below(collection: &str, namespace: &str) -> Option<String> {
    let (root, plural) = collection.rsplit_once('/')?;
    let namespace = super::objects::segment(namespace);
    Some(format!("{root}/namespaces/{namespace}/{plural}"))
}

fn is_in(object: &Value, namespace: Option<&str>) -> bool {
    namespace.is_none_or(|namespace| object["metadata"]["namespace"] == namespace)
}

fn labels(object: &Value) -> BTreeMap<String, String> {
    let labels = object["metadata"]["labels"].as_object();
    let pairs = labels.into_iter().flatten();
    pairs
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// A parameter of a query, or nothing.
fn parameter(query: &str, name: &str) -> String {
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// The path and the label selector of a question, where it asks for a list.
pub(super) fn asked_list(question: &str) -> AskedList {
    let (path, query) = question.split_once('?').unwrap_or((question, ""));
    AskedList {
        path: path.to_owned(),
        selector: parameter(query, "labelSelector"),
    }
}

impl Exchange {
    /// The API version and the plural of the kind that it is about; `None`: it is about no objects.
    pub fn resource(&self) -> Option<(String, String)> {
        let (path, _) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let collection = named(path)?.collection;
        let (root, plural) = collection.rsplit_once('/')?;
        let version = root
            .strip_prefix("/apis/")
            .or_else(|| root.strip_prefix("/api/"))?;
        Some((version.to_owned(), plural.to_owned()))
    }

    /// The list that it asks for.
    pub fn asked_list(&self) -> AskedList {
        asked_list(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::snapshot::Forbidden;

    fn cluster() -> RecordedCluster {
        let object = |namespace: &str, name: &str| {
            json!({"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy",
                "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}}})
        };
        let answers = ClusterAnswers {
            lists: vec![AskedList {
                path: "/apis/image.toolkit.fluxcd.io/v1/namespaces/a/imagepolicies".into(),
                selector: String::new(),
            }],
            forbidden: vec![Forbidden {
                path: "/api/v1/secrets".into(),
                message: "no".into(),
            }],
            documents: BTreeMap::from([("/version".into(), json!({"gitVersion": "v1"}))]),
            ..ClusterAnswers::default()
        };
        let objects = vec![object("a", "one"), object("a", "two"), object("b", "three")];
        RecordedCluster::new("https://x".into(), None, answers, objects)
    }

    fn ask(path: &str) -> Result<Answer, ClusterError> {
        let purpose = Purpose {
            verb: "list",
            resource: "things".into(),
            place: String::new(),
        };
        cluster().answer(path, &purpose)
    }

    fn names(path: &str) -> Vec<String> {
        let Ok(Answer::Json(list)) = ask(path) else {
            panic!("{path}: no list");
        };
        let items = list["items"].as_array().unwrap().iter();
        items
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn what_was_read_is_answered_and_what_follows_from_it() {
        let list = "/apis/image.toolkit.fluxcd.io/v1/namespaces/a/imagepolicies";
        assert_eq!(names(&format!("{list}?limit=500")), ["one", "two"]);
        assert_eq!(names(&format!("{list}?labelSelector=app%3Dtwo")), ["two"]);
        assert!(matches!(ask(&format!("{list}/one")), Ok(Answer::Json(_))));
        assert_eq!(ask(&format!("{list}/gone")), Ok(Answer::NoSuchObject));
        assert!(matches!(ask("/version"), Ok(Answer::Json(_))));
    }

    #[test]
    fn what_was_not_read_is_not_taken_for_nothing() {
        for path in [
            "/apis/image.toolkit.fluxcd.io/v1/namespaces/b/imagepolicies",
            "/apis/image.toolkit.fluxcd.io/v1/namespaces/b/imagepolicies/four",
            "/apis/apps/v1/deployments",
            "/odd",
        ] {
            let Err(ClusterError::Forbidden { message, .. }) = ask(path) else {
                panic!("{path} is answered");
            };
            assert!(message.contains("the snapshot does not hold it"), "{path}");
        }
        assert!(
            matches!(ask("/api/v1/secrets"), Err(ClusterError::Forbidden { message, .. }) if message == "no")
        );
    }
}
