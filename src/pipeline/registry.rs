//! Scanning registries: what the controller would connect with, and what comes of it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::controllers::conditions;
use crate::controllers::flux::{ImageRepository, ObjectKey};
use crate::controllers::registry_access::{self, Access, Part};
use crate::controllers::schedule;
use crate::facts::cluster::Seen;
use crate::facts::registry::{RecordedTags, RegistryLogin};
use crate::failure::{Failure, FailureKind};
use crate::go::reference::{Reference, Repository};
use crate::io::docker_config::{UserLogin, UserLogins};
use crate::io::observer::Event;
use crate::io::registry::{ListingWarning, Patience, RegistryError, RegistryErrorKind, TagListing};

use super::credentials::Credentials;
use super::scan::{image_name, stored};
use super::session::Session;
use super::stages::{
    DigestAnswer, Inputs, RegistryConnection, RegistryTrouble, Scan, ScanFailure, Scans,
    WantedDigest,
};

/// Scans that are under way at once; each host has a bound of its own below this.
const SIDE_BY_SIDE: usize = 256;

/// Lists the tags of repositories side by side, with the credentials that the controller has, or the user's own where
/// those can't be seen, and makes of them what the controller would.
///
/// # Errors
///
/// The cluster can't be asked for credentials, or `--timeout` ended.
pub(super) fn scan(
    wanted: BTreeMap<ObjectKey, &ImageRepository>,
    inputs: &Inputs,
    session: &Session,
) -> Result<Scans, Failure> {
    let mut found = Scans::default();
    for (key, asked) in list(&wanted, inputs, session, Patience::AsController)? {
        let scan = match asked.outcome {
            Ok(listing) => stored(wanted[&key], recorded(listing)),
            Err(scan) => *scan,
        };
        found.notes.extend(asked.notes);
        found
            .access
            .extend(asked.connection.map(|found| (key.clone(), found)));
        found.repositories.insert(key, scan);
    }
    found.notes.sort();
    Ok(found)
}

/// Lists the tags of repositories side by side, as [`scan`] does, without judging what is listed.
///
/// # Errors
///
/// The cluster can't be asked for credentials, or `--timeout` ended.
pub(super) fn list(
    wanted: &BTreeMap<ObjectKey, &ImageRepository>,
    inputs: &Inputs,
    session: &Session,
    patience: Patience,
) -> Result<BTreeMap<ObjectKey, Asked>, Failure> {
    if let Some(replay) = session.replay() {
        return Ok(replay.list(wanted));
    }
    let work = async {
        let credentials = credentials(wanted, inputs, session).await?;
        let asking = Asking {
            inputs,
            credentials: &credentials,
            session,
            patience,
        };
        let total = wanted.len();
        let mut answers = stream::iter(wanted)
            .map(|(key, repository)| {
                let asked = asking.ask(repository);
                async move { (key.clone(), asked.await) }
            })
            .buffer_unordered(SIDE_BY_SIDE);
        let mut found = BTreeMap::new();
        while let Some((key, asked)) = answers.next().await {
            found.insert(key, asked);
            session.observer.tell(Event::Progress {
                what: "repositories scanned",
                done: found.len(),
                total,
            });
        }
        Ok(found)
    };
    session.wait(FailureKind::Registry, "listing tags", work)?
}

/// Reads the Secrets and ServiceAccounts that the controller would read, and no others.
async fn credentials(
    wanted: &BTreeMap<ObjectKey, &ImageRepository>,
    inputs: &Inputs,
    session: &Session,
) -> Result<Credentials, Failure> {
    let cluster = if inputs.live {
        Some(session.cluster()?)
    } else {
        None
    };
    let needed: Vec<_> = wanted
        .values()
        .map(|repository| registry_access::needed(repository))
        .collect();
    let mut credentials = Credentials::default();
    let accounts = needed
        .iter()
        .filter_map(|needed| needed.service_account.clone());
    credentials
        .look_up_accounts(accounts.collect(), &inputs.objects, cluster)
        .await?;
    let mut secrets: BTreeSet<ObjectKey> = needed
        .iter()
        .flat_map(|needed| needed.secrets.iter().cloned())
        .collect();
    for (repository, needed) in wanted.values().zip(&needed) {
        let account = needed.service_account.as_ref();
        if let Some(Seen::Found(account)) = account.map(|key| credentials.service_account(key)) {
            secrets.extend(registry_access::pull_secrets(repository, &account));
        }
    }
    credentials
        .look_up_secrets(secrets, &inputs.objects, cluster)
        .await?;
    session.remember_forbidden(credentials.forbidden());
    Ok(credentials)
}

/// What came of asking for the tags of one repository.
pub(super) struct Asked {
    /// The list, or the scan that it came to without one.
    pub outcome: Result<TagListing, Box<Scan>>,
    /// What the registry was asked with, if it came to that.
    pub connection: Option<RegistryConnection>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

impl Asked {
    fn nobody(scan: Scan) -> Self {
        Self {
            outcome: Err(Box::new(scan)),
            connection: None,
            notes: Vec::new(),
        }
    }
}

/// What all scans of a run share.
struct Asking<'a> {
    inputs: &'a Inputs,
    credentials: &'a Credentials,
    session: &'a Session,
    patience: Patience,
}

impl Asking<'_> {
    async fn ask(&self, repository: &ImageRepository) -> Asked {
        let image = match image_name(repository) {
            Ok(image) => image,
            Err(scan) => return Asked::nobody(*scan),
        };
        if let Some(failure) = gate_of_cloud_logins(repository, self.inputs) {
            return Asked::nobody(Scan::Failed(failure));
        }
        let access = registry_access::access(
            repository,
            &image,
            |key| self.credentials.secret(key),
            |key| self.credentials.service_account(key),
        );
        let access = match access {
            Ok(access) => access,
            Err(failure) => {
                return Asked::nobody(Scan::Failed(ScanFailure {
                    reason: failure.reason,
                    message: failure.message,
                    ours: None,
                    cause: None,
                }));
            }
        };
        let mut notes = Vec::new();
        let connection = connection(
            repository,
            access,
            &image,
            self.session.logins(),
            &mut notes,
        )
        .await;
        let timeout = schedule::scan_timeout(repository);
        let limits = self.session.scan_limits(timeout, self.patience);
        let listing = self
            .session
            .registries()
            .tags(&image, &connection.access, limits);
        let outcome = match listing.await {
            Ok(listing) => {
                let warnings = listing.warnings.iter();
                notes.extend(warnings.map(|warning| warned(repository, warning)));
                Ok(listing)
            }
            Err(error) => Err(Box::new(failed(
                repository,
                &error,
                connection.users_own.as_deref(),
            ))),
        };
        Asked {
            outcome,
            connection: Some(connection),
            notes,
        }
    }
}

pub(super) fn recorded(listing: TagListing) -> RecordedTags {
    RecordedTags {
        tags: listing.tags,
        digests: BTreeMap::new(),
    }
}

fn warned(repository: &ImageRepository, warning: &ListingWarning) -> String {
    match warning {
        ListingWarning::PageOnAnotherHost { registry, page } => format!(
            "ImageRepository {}: {registry} continues its list at {page}, which was read without credentials, as the controller does",
            repository.key
        ),
        ListingWarning::ErrorsForTags { page, errors } => format!(
            "ImageRepository {}: {page} answers with success and tells an error instead of tags ({}); the controller takes it for a page without tags",
            repository.key,
            errors.join("; ")
        ),
    }
}

/// A cloud login as a ServiceAccount of the object's own needs a gate of the controller.
fn gate_of_cloud_logins(repository: &ImageRepository, inputs: &Inputs) -> Option<ScanFailure> {
    let spec = &repository.spec;
    let cloud = spec
        .provider
        .as_deref()
        .is_some_and(|provider| !provider.is_empty() && provider != "generic");
    let account = spec.service_account_name.as_deref();
    if !cloud || account.is_none_or(str::is_empty) {
        return None;
    }
    let controller = inputs
        .installation
        .reflector(&repository.key.namespace, &repository.labels)?;
    (!controller.gate("ObjectLevelWorkloadIdentity", false)).then(|| ScanFailure {
        reason: conditions::FEATURE_GATE_DISABLED,
        message: conditions::CLOUD_LOGIN_GATE_DISABLED.into(),
        ours: None,
        cause: None,
    })
}

/// What to connect with: the object's own credentials, or the user's where those can't be seen.
async fn connection(
    repository: &ImageRepository,
    access: Access,
    image: &Repository,
    logins: &UserLogins,
    notes: &mut Vec<String>,
) -> RegistryConnection {
    let key = &repository.key;
    for part in [Part::Proxy, Part::Certificates] {
        if let Some(why) = access.hidden(part) {
            notes.push(format!(
                "ImageRepository {key}: {why}; it is asked without what that would add"
            ));
        }
    }
    let hidden = access.hidden(Part::Login).map(str::to_owned);
    let mut connection = RegistryConnection {
        access: access.access,
        users_own: None,
        login_from: access.login_from,
        without_entry: access.without_entry,
    };
    let Some(why) = hidden else {
        return connection;
    };
    let (login, whose) = users_own(logins, repository, image).await;
    notes.push(format!(
        "ImageRepository {key}: {why}; it is asked with {whose}"
    ));
    connection.access.login = login;
    connection.users_own = Some(whose);
    connection
}

/// The user's own login for an image, and how it is spoken of.
async fn users_own(
    logins: &UserLogins,
    repository: &ImageRepository,
    image: &Repository,
) -> (RegistryLogin, String) {
    let cloud = repository.spec.provider.as_deref();
    let nothing = |why: &str| {
        let remedy = log_in(cloud, image.registry());
        let whose = format!("no credentials ({why}{remedy})");
        (RegistryLogin::Anonymous, whose)
    };
    match logins.for_image(image, cloud).await {
        Ok(UserLogin::Found { login, from }) => (login, format!("your own credentials {from}")),
        Ok(UserLogin::Nothing { troubles }) if troubles.is_empty() => {
            nothing("you have none for it")
        }
        Ok(UserLogin::Nothing { troubles }) => nothing(&troubles.join("; ")),
        Err(why) => nothing(&why),
    }
}

/// How a user gets credentials of their own where the controller has a cloud's.
fn log_in(cloud: Option<&str>, host: &str) -> String {
    match cloud {
        Some("aws") => format!(
            ": aws ecr get-login-password | docker login --username AWS --password-stdin {host}, or install docker-credential-ecr-login"
        ),
        Some("gcp") => {
            format!(": gcloud auth configure-docker {host}, or install docker-credential-gcr")
        }
        Some("azure") => format!(
            ": az acr login --name {}, or install docker-credential-acr-env",
            host.split('.').next().unwrap_or(host)
        ),
        _ => String::new(),
    }
}

fn failed(repository: &ImageRepository, error: &RegistryError, users_own: Option<&str>) -> Scan {
    let message = format!(
        "ImageRepository {}: {error}{}",
        repository.key,
        what_to_do(error, repository)
    );
    match scan_failure(error, message, users_own) {
        Problem::RefusedToUs(failure) => Scan::RefusedToUs(failure),
        Problem::Ours(failure) => Scan::Unknown(failure),
        Problem::Controllers(text, ours) => Scan::Failed(ScanFailure {
            reason: conditions::READ_OPERATION_FAILED,
            message: format!("scan failed: {text}"),
            ours: Some(ours),
            cause: Some(trouble(error)),
        }),
    }
}

/// What there is to know besides an error's text.
fn what_to_do(error: &RegistryError, repository: &ImageRepository) -> String {
    match error.kind() {
        RegistryErrorKind::TooManyTags => ": allow more with --max-tags".into(),
        RegistryErrorKind::TimedOut => format!(
            " (it may take {:?}: spec.timeout, else spec.interval)",
            schedule::scan_timeout(repository)
        ),
        RegistryErrorKind::BadAnswer => {
            format!(
                " (registries don't answer so: check spec.image {}, and what stands in front of it)",
                repository.spec.image
            )
        }
        _ => match error.throttling().retry_after {
            Some(wait) => format!(" (it asks to come again after {wait:?})"),
            None => String::new(),
        },
    }
}

fn trouble(error: &RegistryError) -> RegistryTrouble {
    RegistryTrouble {
        kind: error.kind(),
        throttling: error.throttling().clone(),
    }
}

/// What a registry's refusal means.
enum Problem {
    /// The controller meets it too, with this text.
    Controllers(String, Failure),
    /// The registry refuses the user, who is not the controller.
    RefusedToUs(Failure),
    /// A bound of ours.
    Ours(Failure),
}

fn scan_failure(error: &RegistryError, message: String, users_own: Option<&str>) -> Problem {
    use RegistryErrorKind::{RateLimited, Refused};
    // Limits are those of an account or an address, and the controller has others.
    let refused = matches!(error.kind(), Refused { .. } | RateLimited);
    match (error.controller_text(), users_own) {
        (_, Some(whose)) if refused => {
            Problem::RefusedToUs(Failure::registry(format!("{message} (asked with {whose})")))
        }
        (Some(text), _) => Problem::Controllers(text.to_owned(), Failure::registry(message)),
        (None, _) => Problem::Ours(Failure::registry(message)),
    }
}

/// Looks up digests in the registries, side by side.
///
/// # Errors
///
/// `--timeout` ended.
pub(super) fn digests(
    wanted: Vec<WantedDigest>,
    scans: &Scans,
    inputs: &Inputs,
    session: &Session,
    patience: Patience,
) -> Result<BTreeMap<WantedDigest, DigestAnswer>, Failure> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    if let Some(replay) = session.replay() {
        let answers = wanted.into_iter().map(|wanted| {
            let answer = replay.digest(&wanted);
            (wanted, answer)
        });
        return Ok(answers.collect());
    }
    let work = async {
        let each: BTreeSet<WantedDigest> = wanted.into_iter().collect();
        stream::iter(each)
            .map(|wanted| {
                let answer = digest(wanted.clone(), scans, inputs, session, patience);
                async move { (wanted, answer.await) }
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .collect()
            .await
    };
    session.wait(FailureKind::Registry, "looking up digests", work)
}

async fn digest(
    wanted: WantedDigest,
    scans: &Scans,
    inputs: &Inputs,
    session: &Session,
    patience: Patience,
) -> DigestAnswer {
    let connection = scans.access.get(&wanted.repository);
    let repository = inputs.objects.repositories.get(&wanted.repository);
    let image = Reference::parse(&wanted.name);
    let (Some(connection), Some(repository), Ok(image)) = (connection, repository, image) else {
        return DigestAnswer::Unknown(Failure::registry(format!(
            "the digest of {}:{} can't be looked up",
            wanted.name, wanted.tag
        )));
    };
    let limits = session.scan_limits(schedule::scan_timeout(repository), patience);
    let registries = session.registries();
    let answer = registries.digest(&image.repository, &wanted.tag, &connection.access, limits);
    let error = match answer.await {
        Ok(digest) => return DigestAnswer::Found(digest),
        Err(error) => error,
    };
    let reference = format!("{}:{}", wanted.name, wanted.tag);
    let message = format!("the digest of {reference}: {error}");
    match scan_failure(&error, message, connection.users_own.as_deref()) {
        Problem::RefusedToUs(failure) => DigestAnswer::RefusedToUs(failure),
        Problem::Ours(failure) => DigestAnswer::Unknown(failure),
        Problem::Controllers(text, ours) => DigestAnswer::Failed(ScanFailure {
            reason: conditions::FAILED,
            message: conditions::digest_failed(&reference, &text),
            ours: Some(ours),
            cause: Some(trouble(&error)),
        }),
    }
}
