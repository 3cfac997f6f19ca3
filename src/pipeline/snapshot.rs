//! `snapshot`: all that the other commands would ask for, recorded in a folder without anything secret, and with pseudonyms if asked for.

mod files;
mod objects;
mod redact;
mod scrub;
mod vocabulary;
mod words;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::controllers::flux::{ImageRepository, ObjectKey};
use crate::facts::snapshot::{
    RecordedScan, RecordedScans, RecordedSource, SNAPSHOT_VERSION, SnapshotFacts,
    UnreadableCredentials, Versions,
};
use crate::failure::Failure;
use crate::io::cluster::Recorder;
use crate::io::registry::Patience;
use crate::io::snapshot::{self as folder, Contents};

use super::checkout::{Checkouts, checkouts};
use super::diagnose::{diagnose, permitted};
use super::explain::{ExplainRequest, explain};
use super::replay::{Replay, digest_error, record, recorded_signer, recorded_source};
use super::request::{Named, NamespaceScope, ObjectRequest, Request};
use super::session::Session;
use super::stages::{
    Decisions, DigestAnswer, Inputs, LiveVersions, Preview, Scan, Scans, WantedDigest,
};
use super::{decide, inspect, preview, registry, scan, survey};
use objects::Kept;
use scrub::Scrubber;

/// What a snapshot is taken of, and how.
#[derive(Clone, Debug)]
pub struct SnapshotRequest {
    /// The objects, tags and files: everything in scope, from the cluster.
    pub run: Request,
    /// Whether hosts and names become pseudonyms.
    pub redact: bool,
    /// This program's version.
    pub client: String,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotTaken {
    /// How many objects it holds.
    pub objects: usize,
    /// How many tags of how many repositories.
    pub tags: (usize, usize),
    /// How many files.
    pub files: usize,
    /// What is left out, and why.
    pub left_out: Vec<String>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// Whether a snapshot may be written to a folder.
///
/// # Errors
///
/// It holds something else, or can't be made.
pub fn check_target(folder: &Path) -> Result<(), Failure> {
    folder::check_target(folder).map_err(Failure::refused)
}

/// Asks for everything and writes it to a folder. `open` opens a session whose cluster is heard by the recorder, and in which what is
/// given answers in the place of registries and git servers.
///
/// # Errors
///
/// The cluster can't be asked, or the folder can't be written. What can be asked only in part stands in the snapshot.
pub fn take(
    request: &SnapshotRequest,
    target: &Path,
    open: &dyn Fn(Option<Arc<Replay>>, Recorder) -> Result<Session, Failure>,
) -> Result<SnapshotTaken, Failure> {
    check_target(target)?;
    let recorder = Recorder::default();
    let session = open(None, recorder.clone())?;
    let gathered = gather(&request.run, &session)?;
    let replay = Arc::new(gathered.replay());
    let again = open(Some(replay), recorder.clone())?;
    let versions = ask_for_the_rest(&gathered.request, &again)?;
    let kept = objects::keep(&recorder.exchanges());
    let mut contents = gathered.contents(request, &session, &kept, &versions);
    let files = files::of_checkouts(&gathered.checkouts, &mut contents.facts.sources);
    scrub_all(&mut contents, files, &kept);
    let contents = if request.redact {
        redact::redact(&contents)
    } else {
        contents
    };
    folder::write(target, &contents).map_err(Failure::refused)?;
    let scans = &contents.scans.repositories;
    Ok(SnapshotTaken {
        objects: contents.objects.len(),
        tags: (scans.iter().map(|scan| scan.tags.len()).sum(), scans.len()),
        files: contents.files.len(),
        left_out: contents.facts.left_out,
        notes: gathered.inputs.notes,
    })
}

/// What was asked for first: objects, tags and files.
struct Gathered {
    request: Request,
    inputs: Inputs,
    scans: BTreeMap<ObjectKey, RecordedScan>,
    checkouts: Checkouts,
    previews: Vec<Preview>,
}

fn gather(request: &Request, session: &Session) -> Result<Gathered, Failure> {
    let (request, inputs) = permitted(request, session)?;
    let moment = session.now.to_string();
    let resumed: BTreeMap<ObjectKey, ImageRepository> = inputs
        .objects
        .repositories
        .iter()
        .map(|(key, repository)| {
            let mut repository = repository.clone();
            repository.spec.suspend = false;
            (key.clone(), repository)
        })
        .collect();
    let wanted = resumed
        .iter()
        .map(|(key, repository)| (key.clone(), repository));
    let wanted: BTreeMap<ObjectKey, &ImageRepository> = wanted.collect();
    let (asked, checkouts) = std::thread::scope(|scope| {
        let files = scope.spawn(|| checkouts(&request, &inputs, session));
        let asked = registry::list(&wanted, &inputs, session, Patience::AsController);
        let files = files
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok::<_, Failure>((asked?, files?))
    })?;
    let mut scans: BTreeMap<ObjectKey, RecordedScan> = BTreeMap::new();
    let mut found = Scans::default();
    for (key, asked) in asked {
        let repository = wanted[&key];
        scans.insert(key.clone(), record(repository, &asked, &moment));
        let outcome = match asked.outcome {
            Ok(listing) => scan::stored(repository, registry::recorded(listing)),
            Err(scan) => *scan,
        };
        found
            .access
            .extend(asked.connection.map(|found| (key.clone(), found)));
        let is_suspended = inputs
            .objects
            .repositories
            .get(&key)
            .is_some_and(|repository| repository.spec.suspend);
        let outcome = if is_suspended {
            Scan::Suspended
        } else {
            outcome
        };
        found.repositories.insert(key, outcome);
    }
    let decisions = decide(&request, &inputs, &found, session)?;
    let answers = digests(&inputs, &decisions, &found, session)?;
    for (wanted, answer) in answers {
        let Some(scan) = scans.get_mut(&wanted.repository) else {
            continue;
        };
        let error = digest_error(&answer);
        if let DigestAnswer::Found(digest) = answer {
            scan.digests.insert(wanted.tag.clone(), digest);
        }
        scan.digest_errors
            .extend(error.map(|error| (wanted.tag, error)));
    }
    let previews = preview(&request, &inputs, &decisions, &checkouts)?;
    Ok(Gathered {
        request,
        inputs,
        scans,
        checkouts,
        previews,
    })
}

/// The digests of the tags that policies choose, whether or not they are asked for by this release's rules.
fn digests(
    inputs: &Inputs,
    decisions: &Decisions,
    scans: &Scans,
    session: &Session,
) -> Result<BTreeMap<WantedDigest, DigestAnswer>, Failure> {
    use crate::controllers::flux::DigestReflectionPolicy;
    use crate::controllers::policy::Outcome;
    let mut wanted = Vec::new();
    for policy in inputs.objects.policies.values() {
        let decision = decisions.policies.get(&policy.key);
        let decision = decision.and_then(|decision| decision.decision.as_ref());
        let Some(Outcome::Latest { tag }) = decision.map(|decision| &decision.outcome) else {
            continue;
        };
        let reference = &policy.spec.image_repository_ref;
        let key = reference.key_from(&policy.key.namespace);
        let Some(repository) = inputs.objects.repositories.get(&key) else {
            continue;
        };
        if policy.spec.digest_reflection_policy != DigestReflectionPolicy::Never {
            wanted.push(WantedDigest {
                repository: key,
                name: repository.spec.image.clone(),
                tag: tag.clone(),
            });
        }
    }
    registry::digests(wanted, scans, inputs, session, Patience::AsController)
}

/// Has the cluster asked for everything else that commands ask it for; of what they say only the versions count.
fn ask_for_the_rest(request: &Request, session: &Session) -> Result<LiveVersions, Failure> {
    survey(
        &request.objects,
        &Named::IMAGE_KINDS.map(Named::All),
        session,
    )?;
    if request.objects.scope == NamespaceScope::All {
        // What is asked for in one namespace follows, unless there is nothing: then the others are named.
        let own = NamespaceScope::One(request.objects.default_namespace.clone());
        let objects = ObjectRequest {
            scope: own,
            ..request.objects.clone()
        };
        survey(&objects, &Named::IMAGE_KINDS.map(Named::All), session)?;
    }
    diagnose(request, None, session)?;
    explain(request, &ExplainRequest::default(), session)?;
    inspect(&request.objects.flux_namespace, session)
}

impl Gathered {
    /// What was asked for, as something that answers.
    fn replay(&self) -> Replay {
        let keys = self.inputs.automations.iter();
        let known = keys.clone().filter_map(|key| {
            let found = self.checkouts.of(key)?.clone();
            Some((key.clone(), found))
        });
        // Automations of one checkout are told from others by its place in memory.
        let mut shared: BTreeMap<*const super::checkout::Checkout, Arc<_>> = BTreeMap::new();
        let known = known.map(|(key, found)| {
            let found = found.map(|checkout| {
                let reading = shared
                    .entry(Arc::as_ptr(&checkout))
                    .or_insert_with(|| Arc::new(checkout.for_reading()));
                Arc::clone(reading)
            });
            (key, found)
        });
        Replay {
            now: None,
            cluster: None,
            facts: SnapshotFacts::default(),
            scans: self.scans.clone(),
            checkouts: known.collect(),
            signers: keys
                .map(|key| (key.clone(), self.checkouts.signer_of(key).clone()))
                .collect(),
        }
    }

    fn contents(
        &self,
        request: &SnapshotRequest,
        session: &Session,
        kept: &Kept,
        versions: &LiveVersions,
    ) -> Contents {
        let objects = &self.request.objects;
        Contents {
            facts: SnapshotFacts {
                snapshot_version: SNAPSHOT_VERSION,
                taken_at: session.now.to_string(),
                redacted: false,
                versions: versions_of(&request.client, versions),
                context: versions.context.clone(),
                server: versions.server.clone(),
                namespace: objects.default_namespace.clone(),
                flux_namespace: objects.flux_namespace.clone(),
                answers: kept.answers.clone(),
                secrets: kept.secrets.clone(),
                unreadable: unreadable(session),
                sources: self.sources(),
                left_out: Vec::new(),
            },
            objects: kept.objects.clone(),
            scans: RecordedScans {
                schema_version: 1,
                repositories: self.scans.values().cloned().collect(),
            },
            files: BTreeMap::new(),
        }
    }

    /// Where the files of each automation come from; those that share a checkout stand together.
    fn sources(&self) -> Vec<RecordedSource> {
        let mut sources: Vec<RecordedSource> = Vec::new();
        let mut known: BTreeMap<*const super::checkout::Checkout, usize> = BTreeMap::new();
        for preview in &self.previews {
            let key = &preview.key;
            let Some(recorded) = recorded_source(&self.checkouts, preview) else {
                continue;
            };
            let place = match self.checkouts.of(key) {
                Some(Ok(checkout)) => known.get(&Arc::as_ptr(checkout)).copied(),
                _ => None,
            };
            let at = place.unwrap_or(sources.len());
            match sources.get_mut(at) {
                Some(shared) => shared.automations.push(key.to_string()),
                None => sources.push(recorded),
            }
            if let Some(Ok(checkout)) = self.checkouts.of(key) {
                known.insert(Arc::as_ptr(checkout), at);
            }
            let signer = recorded_signer(self.checkouts.signer_of(key));
            if let (Some(source), Some(signer)) = (sources.get_mut(at), signer) {
                source.signers.insert(key.to_string(), signer);
            }
        }
        sources
    }
}

/// The credentials that may not be read.
fn unreadable(session: &Session) -> Vec<UnreadableCredentials> {
    let mut all: Vec<UnreadableCredentials> = session
        .forbidden()
        .into_iter()
        .map(|hidden| UnreadableCredentials {
            kind: hidden.kind.name().to_owned(),
            namespace: hidden.namespace.unwrap_or_default(),
            name: hidden.name.unwrap_or_default(),
            why: hidden.why,
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

fn versions_of(client: &str, live: &LiveVersions) -> Versions {
    let controllers = live.controllers.iter().map(|running| {
        let version = running
            .settings
            .as_ref()
            .ok()
            .and_then(|settings| settings.version.clone());
        let version = version.as_deref().unwrap_or("of an unknown version");
        format!("{} {version}", running.kind.name())
    });
    Versions {
        client: client.to_owned(),
        kubernetes: live.kubernetes.clone(),
        controllers: controllers.collect(),
    }
}

/// Takes what may be secret out of everything that is written.
fn scrub_all(contents: &mut Contents, files: BTreeMap<String, Vec<u8>>, kept: &Kept) {
    let scrubber = Scrubber::new(kept.secret_texts.clone());
    for object in &mut contents.objects {
        scrubber.value(object);
    }
    for (path, bytes) in files {
        match scrubber.file(&bytes) {
            Some(bytes) => drop(contents.files.insert(path, bytes)),
            None => contents.facts.left_out.push(format!(
                "the content of {path}: it holds a Secret in a form that can't be taken apart by lines"
            )),
        }
    }
    scrubbed(&mut contents.facts, &scrubber);
    scrubbed(&mut contents.scans, &scrubber);
}

/// The same by way of JSON, in which every text can be reached.
fn scrubbed<T>(part: &mut T, scrubber: &Scrubber)
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let Ok(mut value) = serde_json::to_value(&*part) else {
        return;
    };
    scrubber.texts(&mut value);
    if let Ok(clean) = serde_path_to_error::deserialize(&value) {
        *part = clean;
    }
}
