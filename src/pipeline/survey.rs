//! The first stage alone: objects and their recorded state, for `get` and the overview.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::Value;

use crate::controllers::flux::ObjectKey;
use crate::facts::cluster::{Kind, Objects};
use crate::failure::{Failure, FailureKind};
use crate::io::cluster::{Cluster, Scope};
use crate::io::manifests::{self, ManifestSource};

use super::live::{self, Reading};
use super::load;
use super::request::{Named, NamespaceScope, ObjectRequest, ObjectSource};
use super::session::Session;
use super::stages::{Survey, Surveyed};

/// Reads the objects that are named.
///
/// # Errors
///
/// The cluster can't be asked. What is forbidden, not served, or not there stands in the result.
pub fn survey(
    objects: &ObjectRequest,
    named: &[Named],
    session: &Session,
) -> Result<Survey, Failure> {
    let mut survey = match &objects.source {
        ObjectSource::Manifests { sources, recursive } => {
            from_manifests(objects, named, sources, *recursive)
        }
        ObjectSource::Cluster => {
            let cluster = session.cluster()?;
            session.wait(
                FailureKind::Cluster,
                "reading the cluster",
                from_cluster(objects, named, cluster),
            )??
        }
    };
    survey.context = session.context().map(str::to_owned);
    Ok(survey)
}

fn from_manifests(
    request: &ObjectRequest,
    named: &[Named],
    sources: &[ManifestSource],
    recursive: bool,
) -> Survey {
    let manifests = manifests::read(sources, recursive, &request.default_namespace);
    let mut survey = Survey {
        notes: load::notes(request, &manifests),
        ..Survey::default()
    };
    let in_scope = |key: &ObjectKey| request.scope.includes(&key.namespace);
    for name in named {
        let mut found = Vec::new();
        for ((kind, key), object) in &manifests.contents {
            if in_scope(key) && name.means(*kind, &key.name) {
                found.push(Surveyed {
                    kind: *kind,
                    key: key.clone(),
                    object: object.clone(),
                });
            }
        }
        if found.is_empty() && !matches!(name, Named::All(_)) {
            let failure = Failure::invalid_input(format!("there is no {name} in the input"));
            survey.failures.push(failure);
        }
        survey.objects.append(&mut found);
    }
    if let Some((_, selector)) = &request.selector {
        let labels = |surveyed: &Surveyed| labels(&surveyed.object);
        survey
            .objects
            .retain(|surveyed| selector.matches(&labels(surveyed)));
    }
    survey.typed = manifests.objects;
    survey.failures.extend(
        manifests
            .problems
            .iter()
            .map(|problem| Failure::invalid_input(problem.to_string())),
    );
    survey.namespaces_elsewhere = elsewhere(&survey.typed, named);
    survey.in_order();
    survey
}

fn labels(object: &Value) -> std::collections::BTreeMap<String, String> {
    let labels = object
        .pointer("/metadata/labels")
        .and_then(Value::as_object);
    let pairs = labels.into_iter().flatten();
    pairs
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// The namespaces in which there are objects of the kinds that were asked for.
fn elsewhere(objects: &Objects, named: &[Named]) -> Vec<String> {
    let asked = |kind: Kind| named.iter().any(|name| name.means_kind(kind));
    let mut namespaces = BTreeSet::new();
    if asked(Kind::ImageRepository) {
        namespaces.extend(objects.repositories.keys().map(|key| key.namespace.clone()));
    }
    if asked(Kind::ImagePolicy) {
        namespaces.extend(objects.policies.keys().map(|key| key.namespace.clone()));
    }
    if asked(Kind::ImageUpdateAutomation) {
        namespaces.extend(objects.automations.keys().map(|key| key.namespace.clone()));
    }
    namespaces.into_iter().collect()
}

async fn from_cluster(
    request: &ObjectRequest,
    named: &[Named],
    cluster: &Cluster,
) -> Result<Survey, Failure> {
    let mut survey = Survey::default();
    let mut reading = Reading::default();
    let scope = live::scope(&request.scope);
    let lists = named.iter().filter_map(|name| match name {
        Named::All(kind) => Some(*kind),
        _ => None,
    });
    let lists: Vec<Kind> = lists.collect();
    let listed = lists
        .iter()
        .map(|kind| cluster.list(*kind, scope, live::selector(request)));
    let (listed, single) = tokio::join!(join_all(listed), single(request, named, cluster));
    for (kind, listed) in lists.into_iter().zip(listed) {
        match listed {
            Ok(listed) => survey.add(kind, listed.items, &mut reading),
            Err(error) if error.is_about_one_kind() => survey.failures.push(error.into()),
            Err(error) => return Err(error.into()),
        }
    }
    let (found, mut failures) = single?;
    for (kind, object) in found {
        survey.add(kind, vec![object], &mut reading);
    }
    survey.failures.append(&mut failures);
    survey.typed = reading.objects;
    survey.notes = reading.notes;
    if survey.objects.is_empty() && survey.failures.is_empty() {
        survey.namespaces_elsewhere = other_namespaces(request, named, cluster).await;
    }
    survey.in_order();
    Ok(survey)
}

/// The objects named one by one; those that aren't there are failures.
async fn single(
    request: &ObjectRequest,
    named: &[Named],
    cluster: &Cluster,
) -> Result<(Vec<(Kind, Value)>, Vec<Failure>), Failure> {
    let NamespaceScope::One(namespace) = &request.scope else {
        let all = named.iter().all(|name| matches!(name, Named::All(_)));
        return if all {
            Ok(Default::default())
        } else {
            Err(Failure::usage(
                "an object can't be named across all namespaces: use -n instead of -A, or name only a type",
            ))
        };
    };
    let questions = named.iter().filter_map(|name| match name {
        Named::All(_) => None,
        Named::One(kind, object) => Some((name, vec![*kind], object)),
        Named::Any(object) => Some((name, Named::IMAGE_KINDS.to_vec(), object)),
    });
    let answers = join_all(questions.map(|(name, kinds, object)| async move {
        let key = ObjectKey::new(namespace, object);
        let answers = kinds.iter().map(|kind| cluster.get(*kind, &key));
        (name, kinds.clone(), join_all(answers).await)
    }))
    .await;
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for (name, kinds, answers) in answers {
        let before = (found.len(), failures.len());
        for (kind, answer) in kinds.into_iter().zip(answers) {
            match answer {
                Ok(Some(object)) => found.push((kind, object)),
                Ok(None) => {}
                Err(error) if error.is_about_one_kind() => failures.push(Failure::from(error)),
                Err(error) => return Err(error.into()),
            }
        }
        if before == (found.len(), failures.len()) {
            failures.push(Failure::cluster(format!(
                "there is no {name} in namespace {namespace}"
            )));
        }
    }
    Ok((found, failures))
}

/// Where else there are such objects; nobody is told why that may not be known.
pub(super) async fn other_namespaces(
    request: &ObjectRequest,
    named: &[Named],
    cluster: &Cluster,
) -> Vec<String> {
    if request.scope == NamespaceScope::All {
        return Vec::new();
    }
    let kinds = Named::IMAGE_KINDS
        .into_iter()
        .filter(|kind| named.iter().any(|name| name.means_kind(*kind)));
    let listed = kinds.map(|kind| cluster.list(kind, Scope::All, live::selector(request)));
    let listed = join_all(listed).await;
    let objects = listed.into_iter().flatten().flat_map(|listed| listed.items);
    let namespaces: BTreeSet<String> = objects
        .filter_map(|object| {
            let namespace = object.pointer("/metadata/namespace")?;
            namespace.as_str().map(str::to_owned)
        })
        .collect();
    namespaces.into_iter().collect()
}

impl Survey {
    pub(super) fn add(&mut self, kind: Kind, items: Vec<Value>, reading: &mut Reading) {
        for object in &items {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            self.objects.push(Surveyed {
                kind,
                key: ObjectKey::new(
                    text("/metadata/namespace").unwrap_or_default(),
                    text("/metadata/name").unwrap_or_default(),
                ),
                object: object.clone(),
            });
        }
        reading.add(kind, items);
    }

    /// Each object once, by kind, namespace and name.
    fn in_order(&mut self) {
        let order = |surveyed: &Surveyed| (surveyed.kind, surveyed.key.clone());
        self.objects.sort_by_key(order);
        self.objects.dedup_by_key(|surveyed| order(surveyed));
    }
}
