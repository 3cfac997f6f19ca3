//! Loading from a cluster: as few requests as the run needs, side by side.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::Value;

use crate::controllers::automation;
use crate::controllers::flux::{FluxVersion, ObjectKey};
use crate::controllers::installation::{
    Controller, ControllerKind, ControllerProcess, Installation, ReleaseSource,
};
use crate::facts::cluster::{Hidden, Kind, Objects};
use crate::failure::{Failure, FailureKind};
use crate::io::cluster::{self, Cluster, ClusterError, Scope};

use super::request::{NamespaceScope, ObjectRequest, Request, TagSource};
use super::session::Session;
use super::stages::{Inputs, Recomputed};

/// So many objects are asked for one by one; a list costs less than more of them.
const ONE_BY_ONE: usize = 3;

/// Loads what `request` needs from the session's cluster.
///
/// # Errors
///
/// The cluster can't be asked, or a named automation isn't there.
pub(super) fn load(request: &Request, session: &Session) -> Result<Inputs, Failure> {
    let cluster = session.cluster()?;
    session.wait(
        FailureKind::Cluster,
        "reading the cluster",
        read(request, cluster),
    )?
}

async fn read(request: &Request, cluster: &Cluster) -> Result<Inputs, Failure> {
    let scope = scope(&request.objects.scope);
    let (automations, policies, repositories, installation) = tokio::join!(
        automations(request, cluster),
        cluster.list(Kind::ImagePolicy, scope, None),
        repositories(request, cluster, scope),
        installation(&request.objects, cluster),
    );
    let mut reading = Reading::default();
    reading.automations(request, scope, automations)?;
    reading.list(Kind::ImagePolicy, scope, policies)?;
    if let Some(repositories) = repositories {
        reading.list(Kind::ImageRepository, scope, repositories)?;
    }
    let (installation, mut notes) = installation?;
    reading.referred(request, cluster, &installation).await?;
    reading.namespaces(cluster).await?;
    let installation = settle_release(installation, &request.objects, &reading.objects, &mut notes);
    notes.append(&mut reading.notes);
    Ok(Inputs {
        automations: reading.objects.automations.keys().cloned().collect(),
        objects: reading.objects,
        recomputed: Recomputed::OfAutomations,
        installation,
        live: true,
        notes,
        problems: Vec::new(),
        flux_files: Vec::new(),
        kustomizations: Vec::new(),
    })
}

/// Where the API is to look.
pub(super) fn scope(scope: &NamespaceScope) -> Scope<'_> {
    match scope {
        NamespaceScope::All => Scope::All,
        NamespaceScope::One(namespace) => Scope::Namespace(namespace),
    }
}

/// The automations of the run: those that are named, or all of the scope.
async fn automations(request: &Request, cluster: &Cluster) -> Result<Vec<Value>, Unlisted> {
    let kind = Kind::ImageUpdateAutomation;
    let objects = &request.objects;
    let NamespaceScope::One(namespace) = &objects.scope else {
        let listed = cluster.list(kind, Scope::All, selector(objects)).await?;
        return Ok(named(request, listed.items)?);
    };
    if request.updates.is_empty() {
        let listed = cluster.list(kind, Scope::Namespace(namespace), selector(objects));
        return Ok(listed.await?.items);
    }
    let keys: BTreeSet<ObjectKey> = request
        .updates
        .iter()
        .map(|name| ObjectKey::new(namespace, name))
        .collect();
    let found = join_all(keys.iter().map(|key| cluster.get(kind, key))).await;
    keys.iter()
        .zip(found)
        .map(|(key, found)| Ok(found?.ok_or_else(|| missing(kind, key))?))
        .collect()
}

/// Why automations are not listed: what the cluster says, or what we make of it.
enum Unlisted {
    Cluster(ClusterError),
    Ours(Failure),
}

impl From<ClusterError> for Unlisted {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

impl From<Failure> for Unlisted {
    fn from(failure: Failure) -> Self {
        Self::Ours(failure)
    }
}

/// Those of all namespaces' automations that have one of the names asked for.
fn named(request: &Request, listed: Vec<Value>) -> Result<Vec<Value>, Failure> {
    if request.updates.is_empty() {
        return Ok(listed);
    }
    let name_of = |object: &Value| object["metadata"]["name"].as_str().map(str::to_owned);
    let present: BTreeSet<String> = listed.iter().filter_map(name_of).collect();
    if let Some(name) = request.updates.iter().find(|name| !present.contains(*name)) {
        return Err(Failure::cluster(format!(
            "there is no ImageUpdateAutomation {name} in any namespace"
        )));
    }
    let wanted =
        |object: &Value| name_of(object).is_some_and(|name| request.updates.contains(&name));
    Ok(listed.into_iter().filter(wanted).collect())
}

/// The message for a named object that the cluster doesn't have.
pub(super) fn missing(kind: Kind, key: &ObjectKey) -> Failure {
    Failure::cluster(format!("there is no {kind} {key} in the cluster"))
}

/// The label selector of the command line.
pub(super) fn selector(objects: &ObjectRequest) -> Option<&str> {
    objects.selector.as_ref().map(|(text, _)| text.as_str())
}

/// ImageRepositories are read only where tags are listed, an image's name is wanted, or everything is looked at.
async fn repositories(
    request: &Request,
    cluster: &Cluster,
    scope: Scope<'_>,
) -> Option<Result<cluster::Listed, ClusterError>> {
    let needs_none = request.tags == TagSource::Status && request.assumptions.is_empty();
    if needs_none && !request.forgives {
        return None;
    }
    Some(cluster.list(Kind::ImageRepository, scope, None).await)
}

/// The controllers as their Deployments tell them; what is not told follows Flux's newest known release.
pub(super) async fn installation(
    request: &ObjectRequest,
    cluster: &Cluster,
) -> Result<(Option<Installation>, Vec<String>), Failure> {
    let flux = Scope::Namespace(&request.flux_namespace);
    let mut found = cluster.controllers(flux).await;
    if matches!(&found, Ok(processes) if processes.is_empty()) {
        found = cluster.controllers(Scope::All).await;
    }
    let default = "the rules of Flux 2.9 apply (--flux-version chooses others)";
    match found {
        Ok(processes) if processes.is_empty() => Ok((
            None,
            vec![format!(
                "no Deployment of the image controllers is there to tell their version and flags: {default}"
            )],
        )),
        Ok(processes) => {
            let (installation, notes) = running(&processes);
            Ok((Some(installation), notes))
        }
        Err(ClusterError::Forbidden { message, .. }) => Ok((
            None,
            vec![format!(
                "the version and flags of the image controllers can't be read ({message}): {default}"
            )],
        )),
        Err(other) => Err(other.into()),
    }
}

/// The controllers that `processes` are, and what there is to say about them.
fn running(processes: &[ControllerProcess]) -> (Installation, Vec<String>) {
    let mut notes = Vec::new();
    let mut of_kind = |wanted: ControllerKind| {
        let mut found = Vec::new();
        let mut is_there = false;
        for process in processes
            .iter()
            .filter(|process| process.kind() == Some(wanted))
        {
            is_there = true;
            match process.controller(wanted) {
                Ok(controller) => {
                    notes.extend(unknown_release(wanted, &controller));
                    found.push(controller);
                }
                Err(why) => notes.push(format!("{}: {why}", wanted.name())),
            }
        }
        if found.is_empty() {
            let that_starts = if is_there { " that starts" } else { "" };
            notes.push(format!(
                "no Deployment of {}{that_starts} is there: the rules of Flux 2.9 apply to it",
                wanted.name()
            ));
            found = Installation::of_release(FluxVersion::default()).reflectors;
        }
        found
    };
    let installation = Installation {
        reflectors: of_kind(ControllerKind::Reflector),
        automations: of_kind(ControllerKind::Automation),
    };
    notes.extend(unusual_release(&installation));
    (installation, notes)
}

/// A word on a Deployment that doesn't tell which version it runs.
fn unknown_release(kind: ControllerKind, controller: &Controller) -> Option<String> {
    (controller.release_from == ReleaseSource::Assumed).then(|| {
        format!(
            "the rules of Flux {} apply to {}: {} (--flux-version chooses others)",
            controller.release,
            kind.name(),
            controller.release_from.told()
        )
    })
}

/// A word on rules that aren't the newest known.
fn unusual_release(installation: &Installation) -> Option<String> {
    let all = installation
        .reflectors
        .iter()
        .chain(&installation.automations);
    let oldest = all.map(|controller| controller.release).min()?;
    (oldest < FluxVersion::default()).then(|| {
        let versions = |controllers: &[Controller]| {
            let known = controllers.iter().map(|known| match &known.version {
                Some(version) => version.clone(),
                None => format!("(of an unknown version, {})", known.release_from.told()),
            });
            known.collect::<Vec<_>>().join(", ")
        };
        format!(
            "the rules of Flux {oldest} apply: {} {} and {} {} run",
            ControllerKind::Reflector.name(),
            versions(&installation.reflectors),
            ControllerKind::Automation.name(),
            versions(&installation.automations)
        )
    })
}

/// `--flux-version` wins; without Deployments, a cluster that serves only old versions is an old one.
pub(super) fn settle_release(
    installation: Option<Installation>,
    request: &ObjectRequest,
    objects: &Objects,
    notes: &mut Vec<String>,
) -> Installation {
    if let Some(release) = request.flux_version {
        let known = installation.unwrap_or_else(|| Installation::of_release(release));
        notes.retain(|note| !note.contains("--flux-version"));
        return known.at_release(release);
    }
    match installation {
        Some(installation) => installation,
        None if objects.any_old_image_object() => {
            notes.clear();
            notes.push("the cluster serves its image objects in v1beta1 or v1beta2 only: the rules of Flux 2.6 apply (--flux-version chooses others)".into());
            Installation::of_release(FluxVersion::V2_6)
        }
        None => Installation::of_release(FluxVersion::default()),
    }
}

/// What was read so far.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) objects: Objects,
    pub(super) notes: Vec<String>,
}

impl Reading {
    /// Adds objects; one that can't be read is a note, and the others count.
    pub(super) fn add(&mut self, kind: Kind, items: Vec<Value>) {
        for item in items {
            if let Err(message) = cluster::add(&mut self.objects, kind, &item) {
                let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str);
                self.notes.push(format!(
                    "{kind} {}/{} can't be read: {message}",
                    text("/metadata/namespace").unwrap_or_default(),
                    text("/metadata/name").unwrap_or_default()
                ));
            }
        }
    }

    /// Adds what a list gave; what is forbidden or not served is hidden, anything else ends the run.
    pub(super) fn list(
        &mut self,
        kind: Kind,
        scope: Scope<'_>,
        listed: Result<cluster::Listed, ClusterError>,
    ) -> Result<(), ClusterError> {
        match listed {
            Ok(listed) => self.add(kind, listed.items),
            Err(error) => {
                let namespace = match scope {
                    Scope::All => None,
                    Scope::Namespace(namespace) => Some(namespace.to_owned()),
                };
                self.hide(kind, namespace, None, error)?;
            }
        }
        Ok(())
    }

    fn automations(
        &mut self,
        request: &Request,
        scope: Scope<'_>,
        listed: Result<Vec<Value>, Unlisted>,
    ) -> Result<(), Failure> {
        let kind = Kind::ImageUpdateAutomation;
        match listed {
            Ok(items) => self.add(kind, items),
            Err(Unlisted::Cluster(error)) if request.forgives => {
                self.list(kind, scope, Err(error))?;
            }
            Err(Unlisted::Cluster(error)) => return Err(error.into()),
            Err(Unlisted::Ours(failure)) => return Err(failure),
        }
        Ok(())
    }

    fn hide(
        &mut self,
        kind: Kind,
        namespace: Option<String>,
        name: Option<String>,
        error: ClusterError,
    ) -> Result<(), ClusterError> {
        if !error.is_about_one_kind() {
            return Err(error);
        }
        self.objects.hidden.push(Hidden {
            kind,
            namespace,
            name,
            why: error.to_string(),
            forbidden: matches!(error, ClusterError::Forbidden { .. }),
        });
        Ok(())
    }

    /// Reads the wanted objects of a kind by one list, if they are many and the list is allowed, and takes them off `wanted`.
    async fn get_by_list(
        &mut self,
        cluster: &Cluster,
        kind: Kind,
        wanted: &mut BTreeSet<(Kind, ObjectKey)>,
    ) -> Result<(), ClusterError> {
        let keys = || wanted.iter().filter(|(known, _)| *known == kind);
        if keys().count() <= ONE_BY_ONE {
            return Ok(());
        }
        let namespaces: BTreeSet<&str> = keys().map(|(_, key)| key.namespace.as_str()).collect();
        let scope = match namespaces.first() {
            Some(one) if namespaces.len() == 1 && !one.is_empty() => Scope::Namespace(one),
            _ => Scope::All,
        };
        let listed = match cluster.list(kind, scope, None).await {
            Ok(listed) => listed,
            // Who may not list may still read one after the other.
            Err(error) if error.is_about_one_kind() => return Ok(()),
            Err(error) => return Err(error),
        };
        let is_wanted = |object: &Value| {
            let text = |pointer: &str| {
                let text = object.pointer(pointer).and_then(Value::as_str);
                text.unwrap_or_default()
            };
            let key = ObjectKey::new(text("/metadata/namespace"), text("/metadata/name"));
            wanted.contains(&(kind, key))
        };
        let found = listed.items.into_iter().filter(is_wanted).collect();
        self.add(kind, found);
        wanted.retain(|(known, _)| *known != kind);
        Ok(())
    }

    /// Reads the objects that others refer to by name.
    pub(super) async fn get(
        &mut self,
        cluster: &Cluster,
        wanted: BTreeSet<(Kind, ObjectKey)>,
    ) -> Result<(), ClusterError> {
        let mut wanted = wanted;
        for kind in [Kind::GitRepository, Kind::ImageRepository, Kind::Namespace] {
            self.get_by_list(cluster, kind, &mut wanted).await?;
        }
        let answers = wanted.iter().map(|(kind, key)| cluster.get(*kind, key));
        let answers = join_all(answers).await;
        for ((kind, key), answer) in wanted.iter().zip(answers) {
            match answer {
                Ok(Some(object)) => self.add(*kind, vec![object]),
                Ok(None) => {}
                Err(error) => {
                    let namespace = Some(key.namespace.clone());
                    self.hide(*kind, namespace, Some(key.name.clone()), error)?;
                }
            }
        }
        Ok(())
    }

    /// Reads the GitRepositories of the automations and the ImageRepositories of other namespaces.
    async fn referred(
        &mut self,
        request: &Request,
        cluster: &Cluster,
        installation: &Option<Installation>,
    ) -> Result<(), ClusterError> {
        let mut wanted = BTreeSet::new();
        for automation in self.objects.automations.values() {
            let blocked = installation.as_ref().is_some_and(|installation| {
                installation
                    .automation(&automation.key.namespace, &automation.labels)
                    .is_some_and(|controller| controller.no_cross_namespace_refs)
            });
            match automation::source_key(automation) {
                Ok(key) if !blocked || key.namespace == automation.key.namespace => {
                    wanted.insert((Kind::GitRepository, key));
                }
                _ => {}
            }
        }
        if request.tags != TagSource::Status || !request.assumptions.is_empty() {
            let elsewhere = self.objects.policies.values().map(|policy| {
                let reference = &policy.spec.image_repository_ref;
                reference.key_from(&policy.key.namespace)
            });
            let elsewhere = elsewhere.filter(|key| !request.objects.scope.includes(&key.namespace));
            wanted.extend(elsewhere.map(|key| (Kind::ImageRepository, key)));
        }
        self.get(cluster, wanted).await
    }

    /// Reads the Namespaces whose labels decide whether a policy may use another namespace's repository.
    async fn namespaces(&mut self, cluster: &Cluster) -> Result<(), ClusterError> {
        let policies = self.objects.policies.values();
        let undecided = policies.filter(|policy| {
            let key = policy
                .spec
                .image_repository_ref
                .key_from(&policy.key.namespace);
            let repository = self.objects.repositories.get(&key);
            let access = repository.and_then(|repository| repository.spec.access_from.as_ref());
            key.namespace != policy.key.namespace
                && access.is_some_and(|access| {
                    let selectors = &access.namespace_selectors;
                    !selectors.is_empty()
                        && selectors.iter().all(|one| !one.match_labels.is_empty())
                })
        });
        let wanted = undecided.map(|policy| {
            let name = policy.key.namespace.clone();
            (Kind::Namespace, ObjectKey::new("", name))
        });
        let wanted = wanted.collect();
        self.get(cluster, wanted).await
    }
}
