//! The objects of one kind and what becomes of them, for `get -w`: a list, then a watch that outlives its connections.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::controllers::flux::ObjectKey;
use crate::failure::{Failure, FailureKind};
use crate::io::cluster::{Cluster, ClusterError, WatchEnd, WatchEvent, Watched};

use super::live::{self, Reading};
use super::request::{Named, NamespaceScope, ObjectRequest, ObjectSource};
use super::session::Session;
use super::stages::Survey;

/// What there is to tell.
#[derive(Debug)]
pub enum News {
    /// Objects that are there, are new, have changed, or are gone; of a list that is empty, too.
    Objects(Box<Survey>),
    /// The watch was cut off, and is tried again; said once until it is back.
    CutOff(String),
    /// It is back.
    Back,
}

/// Waits between tries; the last goes on.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// Tells the objects that `named` names and whatever happens to them, until `tell` says false, or `--timeout` ends.
///
/// # Errors
///
/// There is no cluster; it can't be asked at first, or forbids it at any time.
pub fn watch(
    objects: &ObjectRequest,
    named: &Named,
    session: &Session,
    tell: &mut (dyn FnMut(News) -> bool + Send),
) -> Result<(), Failure> {
    if objects.source != ObjectSource::Cluster {
        return Err(Failure::usage("-w watches a cluster: leave out -f"));
    }
    let (kind, name) = match named {
        Named::All(kind) => (*kind, None),
        Named::One(kind, name) => (*kind, Some(name.as_str())),
        Named::Any(name) => {
            return Err(Failure::usage(format!(
                "-w watches one type at a time: say which {name} is meant, as in policy {name}"
            )));
        }
    };
    if name.is_some() && objects.scope == NamespaceScope::All {
        return Err(Failure::usage(
            "an object can't be named across all namespaces: use -n instead of -A, or name only a type",
        ));
    }
    let watching = Watching {
        cluster: session.cluster()?,
        watched: Watched {
            kind,
            scope: live::scope(&objects.scope),
            selector: live::selector(objects),
            name,
        },
        context: session.context().map(str::to_owned),
    };
    let ended = session.wait(
        FailureKind::Cluster,
        "watching",
        watching.run(objects, tell),
    );
    match ended {
        // What has no end of its own is not late.
        Err(_) if session.left().is_zero() => Ok(()),
        ended => ended?,
    }
}

struct Watching<'a> {
    cluster: &'a Cluster,
    watched: Watched<'a>,
    context: Option<String>,
}

/// The version of each object that was told, and the object.
type Known = BTreeMap<ObjectKey, Value>;

impl Watching<'_> {
    async fn run(
        &self,
        objects: &ObjectRequest,
        tell: &mut (dyn FnMut(News) -> bool + Send),
    ) -> Result<(), Failure> {
        let listed = self.cluster.list_watched(&self.watched).await?;
        let Watched { kind, name, .. } = self.watched;
        if let (Some(name), true) = (name, listed.items.is_empty()) {
            let place = match &objects.scope {
                NamespaceScope::One(namespace) => format!(" in namespace {namespace}"),
                NamespaceScope::All => String::new(),
            };
            return Err(Failure::cluster(format!(
                "there is no {kind} {name}{place}"
            )));
        }
        let mut version = listed.resource_version;
        let mut known: Known = listed
            .items
            .iter()
            .map(|object| (key_of(object), object.clone()))
            .collect();
        if !tell(self.news(listed.items)) {
            return Ok(());
        }
        let mut failures = 0;
        loop {
            let mut wanted = true;
            let mut heard = false;
            let mut on_event = |event: WatchEvent| {
                if failures > 0 {
                    wanted = tell(News::Back);
                    failures = 0;
                }
                heard = true;
                let object = match event {
                    WatchEvent::Present(object) => {
                        known.insert(key_of(&object), object.clone());
                        object
                    }
                    WatchEvent::Gone(object) => {
                        known.remove(&key_of(&object));
                        object
                    }
                };
                wanted = wanted && tell(self.news(vec![object]));
                wanted
            };
            let ended = self
                .cluster
                .watch(&self.watched, &mut version, &mut on_event)
                .await;
            if !wanted {
                return Ok(());
            }
            let trouble = match ended {
                Ok(WatchEnd::Over) if heard => continue,
                // A server that ends every watch at once must not be asked without a pause.
                Ok(WatchEnd::Over) => {
                    tokio::time::sleep(PAUSES[0]).await;
                    continue;
                }
                Ok(WatchEnd::Expired) => match self.anew(&mut known, &mut version).await {
                    Ok(changed) => {
                        if failures > 0 && !tell(News::Back) {
                            return Ok(());
                        }
                        failures = 0;
                        if !changed.is_empty() && !tell(self.news(changed)) {
                            return Ok(());
                        }
                        continue;
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            if is_final(&trouble) {
                return Err(trouble.into());
            }
            if failures == 0 && !tell(News::CutOff(trouble.to_string())) {
                return Ok(());
            }
            let pause = PAUSES[failures.min(PAUSES.len() - 1)];
            failures += 1;
            tokio::time::sleep(pause).await;
        }
    }

    /// Reads the list again, and gives what is not as it was, gone objects last.
    async fn anew(
        &self,
        known: &mut Known,
        version: &mut String,
    ) -> Result<Vec<Value>, ClusterError> {
        let listed = self.cluster.list_watched(&self.watched).await?;
        *version = listed.resource_version;
        let now: Known = listed
            .items
            .into_iter()
            .map(|object| (key_of(&object), object))
            .collect();
        let version_of = |object: &Value| object.pointer("/metadata/resourceVersion").cloned();
        let changed = now.iter().filter(|(key, object)| {
            known.get(*key).and_then(version_of) != version_of(object) || !known.contains_key(*key)
        });
        let mut told: Vec<Value> = changed.map(|(_, object)| object.clone()).collect();
        let gone = known.iter().filter(|(key, _)| !now.contains_key(*key));
        told.extend(gone.map(|(_, object)| object.clone()));
        *known = now;
        Ok(told)
    }

    fn news(&self, items: Vec<Value>) -> News {
        let mut survey = Survey {
            context: self.context.clone(),
            ..Survey::default()
        };
        let mut reading = Reading::default();
        survey.add(self.watched.kind, items, &mut reading);
        survey.typed = reading.objects;
        survey.notes = reading.notes;
        News::Objects(Box::new(survey))
    }
}

/// What no waiting mends.
fn is_final(error: &ClusterError) -> bool {
    matches!(
        error,
        ClusterError::Configuration(_)
            | ClusterError::Unauthorized { .. }
            | ClusterError::Forbidden { .. }
            | ClusterError::NotServed(_)
    )
}

fn key_of(object: &Value) -> ObjectKey {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    ObjectKey::new(
        text("/metadata/namespace").unwrap_or_default(),
        text("/metadata/name").unwrap_or_default(),
    )
}

/// The one kind that a watch is about.
///
/// # Errors
///
/// Several are named.
pub fn single(named: &[Named]) -> Result<&Named, Failure> {
    match named {
        [only] => Ok(only),
        _ => Err(Failure::usage(
            "-w watches one type, or one object: name it, as in get policies -w",
        )),
    }
}
