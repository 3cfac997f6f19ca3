//! Stopped after the scan: which tags ImageRepositories have, for `tags`.

pub(super) mod findings;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use jiff::Timestamp;

use crate::controllers::flux::{DigestReflectionPolicy, ImagePolicy, ImageRepository, ObjectKey};
use crate::controllers::policy::{self, Outcome, PolicySpec};
use crate::controllers::registry_access::LoginSource;
use crate::controllers::repository::{self, ExcludedTag, SortedTags};
use crate::controllers::schedule::{self, NextScan};
use crate::controllers::view::{self, View};
use crate::facts::cluster::Kind;
use crate::failure::{Failure, FailureKind};
use crate::findings::Finding;
use crate::io::cluster::{Cluster, ClusterError};
use crate::io::manifests::{self, ManifestSource};
use crate::io::registry::Patience;

use super::live::{self, Reading};
use super::load;
use super::registry::{self, Asked};
use super::request::{Named, NamespaceScope, ObjectRequest, ObjectSource};
use super::scan::exclusion_failure;
use super::session::Session;
use super::stages::{
    DigestAnswer, Inputs, Recomputed, RegistryConnection, Scan, ScanFailure, Scans, WantedDigest,
};
use super::survey;
use findings::Listing;

pub use watch::{Appeared, Awaited, Round, await_tags};

/// What `tags` is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagsRequest {
    /// The objects.
    pub objects: ObjectRequest,
    /// ImageRepositories by name; empty: all.
    pub names: Vec<String>,
    /// The digests that are looked up.
    pub digests: DigestChoice,
}

/// Which digests are looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigestChoice {
    /// Those of the tags that policies choose and reflect the digests of.
    pub of_policies: bool,
    /// Those of all tags that aren't excluded.
    pub all: bool,
    /// Those of these tags.
    pub tags: Vec<String>,
}

/// The ImageRepositories of a run, loaded.
#[derive(Clone, Debug)]
pub struct RepositoryInputs {
    /// All objects of the namespaces that count.
    pub inputs: Inputs,
    /// The repositories that are asked for, in order.
    pub wanted: Vec<ObjectKey>,
    /// What was named and can't be had.
    pub failures: Vec<Failure>,
    /// Where there are such objects, looked up only when none were found.
    pub namespaces_elsewhere: Vec<String>,
}

/// The tags of one ImageRepository.
#[derive(Clone, Debug)]
pub struct RepositoryTags {
    /// The object.
    pub repository: ImageRepository,
    /// Registry and repository; `None`: the image's name is no good.
    pub canonical_name: Option<String>,
    /// When the list was asked for.
    pub recorded_at: Timestamp,
    /// The tags as they were listed; empty where they could not be.
    pub listed: Vec<String>,
    /// What the exclusion list makes of them; `None`: nothing was listed, or a pattern is bad.
    pub sorted: Option<SortedTags>,
    /// The digests that were asked for and found.
    pub digests: BTreeMap<String, String>,
    /// Whose credentials the registry was asked with; `None`: it wasn't.
    pub credentials: Option<CredentialsUsed>,
    /// What the controller knows; `None`: it never scanned, or no cluster tells.
    pub view: Option<View>,
    /// When it scanned last.
    pub last_scan: Option<Timestamp>,
    /// When it scans next; `None`: no cluster tells, or it is suspended.
    pub next_scan: Option<NextScan>,
    /// Reason and message: the controller's failure, or ours under a reason of ours.
    pub error: Option<(String, String)>,
    /// The part of a registry in it, and digests that could not be had.
    pub failures: Vec<Failure>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// The reason in `error` where the registry refuses us, whose credentials are not the controller's.
pub const REFUSED_TO_US: &str = "RefusedToUs";
/// The reason in `error` where we could not find out.
pub const UNKNOWN: &str = "Unknown";

/// Whose credentials a registry was asked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsUsed {
    /// The object's own.
    Secret(LoginSource),
    /// The user's, or nobody's because they have none; as a phrase.
    Users(String),
    /// Nobody's: the object has none for this image.
    Nobody,
}

impl RepositoryTags {
    /// The tags that policies see; empty where they aren't known.
    pub fn stored(&self) -> &[String] {
        self.sorted.as_ref().map_or(&[], |sorted| &sorted.stored)
    }

    /// The tags that the exclusion list hides.
    pub fn excluded(&self) -> &[ExcludedTag] {
        self.sorted.as_ref().map_or(&[], |sorted| &sorted.excluded)
    }
}

/// Loads the ImageRepositories that are asked for, and what else of their namespaces has a bearing on them.
///
/// # Errors
///
/// The cluster can't be asked. What is named and isn't there stands in the result.
pub fn load_repositories(
    request: &TagsRequest,
    session: &Session,
) -> Result<RepositoryInputs, Failure> {
    match &request.objects.source {
        ObjectSource::Manifests { sources, recursive } => {
            Ok(from_manifests(request, sources, *recursive))
        }
        ObjectSource::Cluster => {
            let cluster = session.cluster()?;
            session.wait(
                FailureKind::Cluster,
                "reading the cluster",
                from_cluster(request, cluster),
            )?
        }
    }
}

fn from_manifests(
    request: &TagsRequest,
    sources: &[ManifestSource],
    recursive: bool,
) -> RepositoryInputs {
    let objects = &request.objects;
    let manifests = manifests::read(sources, recursive, &objects.default_namespace);
    let installation = load::offline_installation(objects, &manifests.objects);
    let inputs = Inputs {
        automations: Vec::new(),
        kustomizations: Vec::new(),
        installation,
        live: false,
        notes: load::notes(objects, &manifests),
        objects: manifests.objects,
        problems: manifests.problems,
        flux_files: manifests.flux_files,
        recomputed: Recomputed::OfAutomations,
    };
    let (wanted, missing) = select(request, &inputs);
    let failures = missing
        .into_iter()
        .map(|name| Failure::invalid_input(format!("ImageRepository {name} is not in the input")))
        .collect();
    let namespaces_elsewhere = if wanted.is_empty() {
        let keys = inputs.objects.repositories.keys();
        let all: BTreeSet<String> = keys.map(|key| key.namespace.clone()).collect();
        all.into_iter().collect()
    } else {
        Vec::new()
    };
    RepositoryInputs {
        inputs,
        wanted,
        failures,
        namespaces_elsewhere,
    }
}

/// The repositories that flags and names mean, and the names that mean none.
fn select(request: &TagsRequest, inputs: &Inputs) -> (Vec<ObjectKey>, Vec<String>) {
    let selector = request.objects.selector.as_ref();
    let in_scope = inputs.objects.repositories.values().filter(|repository| {
        request.objects.scope.includes(&repository.key.namespace)
            && selector.is_none_or(|(_, selector)| selector.matches(&repository.labels))
    });
    let in_scope: Vec<&ObjectKey> = in_scope.map(|repository| &repository.key).collect();
    if request.names.is_empty() {
        return (in_scope.into_iter().cloned().collect(), Vec::new());
    }
    let named = |key: &&&ObjectKey| request.names.contains(&key.name);
    let wanted = in_scope.iter().filter(named).map(|key| (*key).clone());
    let is_missing = |name: &&String| !in_scope.iter().any(|key| key.name == **name);
    let mut missing: Vec<String> = request.names.iter().filter(is_missing).cloned().collect();
    missing.dedup();
    (wanted.collect(), missing)
}

async fn from_cluster(
    request: &TagsRequest,
    cluster: &Cluster,
) -> Result<RepositoryInputs, Failure> {
    let scope = live::scope(&request.objects.scope);
    let (repositories, policies, installation) = tokio::join!(
        cluster.list(Kind::ImageRepository, scope, None),
        cluster.list(Kind::ImagePolicy, scope, None),
        live::installation(&request.objects, cluster),
    );
    let mut reading = Reading::default();
    let mut failures = Vec::new();
    match (repositories, &request.objects.scope) {
        (Ok(listed), _) => reading.add(Kind::ImageRepository, listed.items),
        // A user who may not list may still get.
        (Err(ClusterError::Forbidden { .. }), NamespaceScope::One(namespace))
            if !request.names.is_empty() =>
        {
            one_by_one(request, namespace, cluster, &mut reading, &mut failures).await?;
        }
        (Err(error), _) => return Err(error.into()),
    }
    reading.list(Kind::ImagePolicy, scope, policies)?;
    let (installation, mut notes) = installation?;
    let installation =
        live::settle_release(installation, &request.objects, &reading.objects, &mut notes);
    let inputs = Inputs {
        automations: Vec::new(),
        kustomizations: Vec::new(),
        objects: reading.objects,
        installation,
        live: true,
        // Which release runs decides little here, and is not worth a word.
        notes: reading.notes,
        problems: Vec::new(),
        flux_files: Vec::new(),
        recomputed: Recomputed::OfAutomations,
    };
    let (wanted, missing) = select(request, &inputs);
    let place = match &request.objects.scope {
        NamespaceScope::One(namespace) => format!("in namespace {namespace}"),
        NamespaceScope::All => "in any namespace".into(),
    };
    if failures.is_empty() {
        failures.extend(
            missing.into_iter().map(|name| {
                Failure::cluster(format!("there is no ImageRepository {name} {place}"))
            }),
        );
    }
    let namespaces_elsewhere = if wanted.is_empty() && failures.is_empty() {
        let named = [Named::All(Kind::ImageRepository)];
        survey::other_namespaces(&request.objects, &named, cluster).await
    } else {
        Vec::new()
    };
    Ok(RepositoryInputs {
        inputs,
        wanted,
        failures,
        namespaces_elsewhere,
    })
}

async fn one_by_one(
    request: &TagsRequest,
    namespace: &str,
    cluster: &Cluster,
    reading: &mut Reading,
    failures: &mut Vec<Failure>,
) -> Result<(), Failure> {
    let keys: BTreeSet<ObjectKey> = request
        .names
        .iter()
        .map(|name| ObjectKey::new(namespace, name))
        .collect();
    let answers = keys
        .iter()
        .map(|key| cluster.get(Kind::ImageRepository, key));
    for (key, answer) in keys.iter().zip(join_all(answers).await) {
        match answer {
            Ok(Some(object)) => reading.add(Kind::ImageRepository, vec![object]),
            Ok(None) => failures.push(live::missing(Kind::ImageRepository, key)),
            Err(error) if error.is_about_one_kind() => failures.push(error.into()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Lists the tags of the repositories that are asked for, side by side; the result is in their order.
///
/// A suspended repository is listed as if it were resumed.
///
/// # Errors
///
/// The cluster can't be asked for credentials, or `--timeout` ended. A registry that fails stands in the result.
pub fn list_tags(
    request: &TagsRequest,
    loaded: &RepositoryInputs,
    session: &Session,
) -> Result<Vec<RepositoryTags>, Failure> {
    let resumed: BTreeMap<ObjectKey, ImageRepository> = loaded
        .wanted
        .iter()
        .filter_map(|key| {
            let mut repository = loaded.inputs.objects.repositories.get(key)?.clone();
            repository.spec.suspend = false;
            Some((key.clone(), repository))
        })
        .collect();
    let wanted = resumed
        .iter()
        .map(|(key, repository)| (key.clone(), repository))
        .collect();
    let asked = registry::list(&wanted, &loaded.inputs, session, Patience::UntilTimeout)?;
    let mut rows: Vec<RepositoryTags> = Vec::new();
    let mut listings = Vec::new();
    for (key, asked) in asked {
        if let Some(repository) = loaded.inputs.objects.repositories.get(&key) {
            let (row, listing) = row(repository, asked, &loaded.inputs, session);
            rows.push(row);
            listings.push(listing);
        }
    }
    findings::find(&mut rows, &listings, &loaded.inputs);
    let keys = rows.iter().map(|row| row.repository.key.clone());
    let connections = listings.into_iter().map(|listing| listing.connection);
    let connections = keys
        .zip(connections)
        .filter_map(|(key, connection)| Some((key, connection?)));
    let connections = connections.collect();
    digests(request, &mut rows, connections, loaded, session)?;
    Ok(rows)
}

fn row(
    repository: &ImageRepository,
    asked: Asked,
    inputs: &Inputs,
    session: &Session,
) -> (RepositoryTags, Listing) {
    let name = repository::canonical_image_name(&repository.spec.image).ok();
    let credentials = asked.connection.as_ref().map(|connection| {
        match (&connection.users_own, &connection.login_from) {
            (Some(whose), _) => CredentialsUsed::Users(whose.clone()),
            (None, Some(source)) => CredentialsUsed::Secret(source.clone()),
            (None, None) => CredentialsUsed::Nobody,
        }
    });
    let mut row = RepositoryTags {
        repository: repository.clone(),
        canonical_name: name,
        recorded_at: session.now,
        listed: Vec::new(),
        sorted: None,
        digests: BTreeMap::new(),
        credentials,
        view: None,
        last_scan: None,
        next_scan: None,
        error: None,
        failures: Vec::new(),
        findings: Vec::new(),
        notes: asked.notes,
    };
    let mut about = Listing {
        connection: asked.connection,
        ..Listing::default()
    };
    match asked.outcome {
        Ok(listing) => {
            about.cost = Some(listing.cost);
            about.outlasted = listing.outlasted;
            row.take_list(listing.tags);
        }
        Err(scan) => {
            if let Scan::Failed(failure) = scan.as_ref() {
                about.trouble.clone_from(&failure.cause);
            }
            row.take_failure(*scan);
        }
    }
    row.look_at_the_controller(inputs, session.now);
    (row, about)
}

impl RepositoryTags {
    fn take_list(&mut self, listed: Vec<String>) {
        let exclusions = self.repository.spec.exclusion_list.as_deref();
        match repository::sorted_tags(&listed, exclusions.unwrap_or_default()) {
            Ok(sorted) => self.sorted = Some(sorted),
            Err(error) => self.take_failure(Scan::Failed(exclusion_failure(&error))),
        }
        self.listed = listed;
    }

    fn take_failure(&mut self, scan: Scan) {
        let (reason, message, failure) = match scan {
            Scan::Failed(ScanFailure {
                reason,
                message,
                ours,
                ..
            }) => (reason, message, ours),
            Scan::RefusedToUs(failure) => (REFUSED_TO_US, failure.message.clone(), Some(failure)),
            Scan::Unknown(failure) => (UNKNOWN, failure.message.clone(), Some(failure)),
            // Listed as if resumed; and a list is no failure.
            Scan::Suspended | Scan::Tags { .. } => return,
        };
        self.error = Some((reason.to_owned(), message));
        self.failures.extend(failure);
    }

    /// Adds what the status tells; manifests may have one too.
    fn look_at_the_controller(&mut self, inputs: &Inputs, now: Timestamp) {
        let repository = &self.repository;
        let key = &repository.key;
        let stored = self.sorted.as_ref().map(|sorted| sorted.stored.as_slice());
        self.view = view::view(repository, stored);
        let last = repository.status.last_scan_result.as_ref();
        self.last_scan = last.and_then(|last| schedule::moment(last.scan_time.as_deref()?));
        if repository.spec.suspend {
            self.notes.push(format!(
                "ImageRepository {key} is suspended: it is listed as if it were resumed"
            ));
        } else if repository.deleted {
            self.notes
                .push(format!("ImageRepository {key} is being deleted"));
        } else if inputs
            .installation
            .reflector(&key.namespace, &repository.labels)
            .is_none()
        {
            self.notes.push(format!(
                "no image-reflector-controller watches ImageRepository {key} (--watch-label-selector)"
            ));
        } else if inputs.live || self.view.is_some() {
            self.next_scan = Some(schedule::next_scan(repository, now));
        }
    }
}

/// Looks up the digests that are asked for, of tags that are there.
fn digests(
    request: &TagsRequest,
    rows: &mut [RepositoryTags],
    connections: BTreeMap<ObjectKey, RegistryConnection>,
    loaded: &RepositoryInputs,
    session: &Session,
) -> Result<(), Failure> {
    let mut wanted = Vec::new();
    for row in rows.iter() {
        let tags = tags_to_look_up(&request.digests, row, &loaded.inputs);
        wanted.extend(tags.into_iter().map(|tag| WantedDigest {
            repository: row.repository.key.clone(),
            name: row.repository.spec.image.clone(),
            tag,
        }));
    }
    let scans = Scans {
        access: connections,
        ..Scans::default()
    };
    let answers = registry::digests(
        wanted,
        &scans,
        &loaded.inputs,
        session,
        Patience::UntilTimeout,
    )?;
    for (wanted, answer) in answers {
        let row = rows
            .iter_mut()
            .find(|row| row.repository.key == wanted.repository);
        let Some(row) = row else { continue };
        match answer {
            DigestAnswer::Found(digest) => {
                row.digests.insert(wanted.tag, digest);
            }
            DigestAnswer::Failed(ScanFailure {
                ours: None,
                message,
                ..
            }) => {
                row.failures.push(Failure::registry(message));
            }
            DigestAnswer::Failed(ScanFailure {
                ours: Some(failure),
                ..
            })
            | DigestAnswer::RefusedToUs(failure)
            | DigestAnswer::Unknown(failure) => row.failures.push(failure),
        }
    }
    Ok(())
}

fn tags_to_look_up(
    choice: &DigestChoice,
    row: &RepositoryTags,
    inputs: &Inputs,
) -> BTreeSet<String> {
    let mut tags = BTreeSet::new();
    if choice.all {
        tags.extend(row.stored().iter().cloned());
    }
    let listed = |tag: &&String| row.listed.contains(tag);
    tags.extend(choice.tags.iter().filter(listed).cloned());
    if choice.of_policies {
        let chosen = policies_of(&row.repository, inputs)
            .filter(|policy| policy.spec.digest_reflection_policy != DigestReflectionPolicy::Never)
            .filter_map(|policy| {
                match policy::decide(&PolicySpec::from(&policy.spec), row.stored()).outcome {
                    Outcome::Latest { tag } => Some(tag),
                    _ => None,
                }
            });
        tags.extend(chosen);
    }
    tags
}

/// The policies of the run that choose from a repository.
fn policies_of<'a>(
    repository: &'a ImageRepository,
    inputs: &'a Inputs,
) -> impl Iterator<Item = &'a ImagePolicy> {
    inputs.objects.policies.values().filter(|policy| {
        let reference = &policy.spec.image_repository_ref;
        reference.key_from(&policy.key.namespace) == repository.key
    })
}
