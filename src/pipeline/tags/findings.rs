//! What there is to warn of when tags were listed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::controllers::conditions;
use crate::controllers::flux::{DigestReflectionPolicy, ImageRepository, ObjectKey};
use crate::controllers::repository::{self, DEFAULT_EXCLUSION};
use crate::controllers::schedule;
use crate::findings::registries::{self, Asking, Login};
use crate::findings::scan_budget::{self, Cost};
use crate::findings::{Finding, Subject};
use crate::go::reference::Repository;
use crate::io::registry::{RegistryError, ScanCost};

use super::super::stages::{Inputs, RegistryConnection, RegistryTrouble, ScanFailure};
use super::{RepositoryTags, policies_of};

/// How many tags a page has that the controller asks for.
const PAGE: u64 = 1000;
/// How often a policy looks its digest up whose interval is `0s`.
const USUAL_DIGEST_INTERVAL: Duration = Duration::from_secs(600);

/// What came of one listing besides the tags.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub connection: Option<RegistryConnection>,
    /// What the registry did instead of answering.
    pub trouble: Option<RegistryTrouble>,
    /// What the controller would have given up with.
    pub outlasted: Option<RegistryError>,
    /// What the scan cost; `None`: there is no list.
    pub cost: Option<ScanCost>,
}

/// Adds to each row what was found about it.
pub(super) fn find(rows: &mut [RepositoryTags], listings: &[Listing], inputs: &Inputs) {
    let listed: BTreeMap<&ObjectKey, &Listing> = rows
        .iter()
        .map(|row| &row.repository.key)
        .zip(listings)
        .collect();
    let surroundings = Surroundings::with(&listed, inputs);
    for (row, listing) in rows.iter_mut().zip(listings) {
        let found = of_one(row, listing, &surroundings);
        row.findings.extend(found);
    }
}

/// The repositories of a run as a whole.
pub(in crate::pipeline) struct Surroundings<'a> {
    inputs: &'a Inputs,
    /// By canonical name.
    images: BTreeMap<String, Vec<&'a ImageRepository>>,
    /// Of hosts that are asked too often.
    budget: Vec<Finding>,
}

impl<'a> Surroundings<'a> {
    /// Looks at all repositories once.
    pub(in crate::pipeline) fn of(inputs: &'a Inputs) -> Self {
        Self::with(&BTreeMap::new(), inputs)
    }

    fn with(listed: &BTreeMap<&ObjectKey, &Listing>, inputs: &'a Inputs) -> Self {
        let mut images: BTreeMap<String, Vec<&ImageRepository>> = BTreeMap::new();
        for object in inputs.objects.repositories.values() {
            if let Ok(name) = repository::canonical_image_name(&object.spec.image) {
                images.entry(name).or_default().push(object);
            }
        }
        Self {
            inputs,
            images,
            budget: budget(listed, inputs),
        }
    }

    /// What there is to warn of an ImageRepository whatever its registry answers; `connection` is what it was asked with.
    pub(in crate::pipeline) fn of_object(
        &self,
        object: &ImageRepository,
        connection: Option<&RegistryConnection>,
    ) -> Vec<Finding> {
        let image = match repository::canonical_image(&object.spec.image) {
            Ok(image) => image,
            Err(_) => return of_spec(object),
        };
        let mut found = of_spec(object);
        found.extend(connection.and_then(|connection| {
            registries::credentials_for_other_host(asking(&object.key, &image, connection))
        }));
        found.extend(insecure(object, &image, self.inputs));
        found.extend(self.same_image(object, &image));
        let budget = self.budget.iter();
        found.extend(
            budget
                .filter(|finding| is_about(finding, &object.key))
                .cloned(),
        );
        found
    }

    /// Other repositories of the same image.
    fn same_image(&self, object: &ImageRepository, image: &Repository) -> Option<Finding> {
        let name = image.to_string();
        let repositories = self.images.get(&name)?;
        let others: Vec<(&ObjectKey, bool)> = repositories
            .iter()
            .filter(|other| other.key != object.key)
            .map(|other| {
                let stores_for_each = self
                    .inputs
                    .installation
                    .reflector(&other.key.namespace, &other.labels)
                    .is_some_and(|controller| controller.gate("FluxStorage", false));
                let same_list = exclusions(object) == exclusions(other);
                (&other.key, same_list || stores_for_each)
            })
            .collect();
        registries::same_image(&object.key, &name, &others)
    }
}

/// What can be told by an object's spec alone, and stops the controller.
fn of_spec(object: &ImageRepository) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(registries::cert_secret_same_as_pull_secret(object));
    if let Err(error) = repository::canonical_image(&object.spec.image) {
        let message = error.to_string();
        found.push(registries::image_url_invalid(&object.key, &message));
    }
    found
}

fn is_about(finding: &Finding, wanted: &ObjectKey) -> bool {
    matches!(&finding.subject, Subject::Object { key, .. } if key == wanted)
}

fn of_one(
    row: &RepositoryTags,
    listing: &Listing,
    surroundings: &Surroundings<'_>,
) -> Vec<Finding> {
    let object = &row.repository;
    let connection = listing.connection.as_ref();
    let mut found = surroundings.of_object(object, connection);
    let (Ok(image), Some(connection)) =
        (repository::canonical_image(&object.spec.image), connection)
    else {
        return found;
    };
    let asking = asking(&object.key, &image, connection);
    if let (Some(trouble), Some((reason, message))) = (&listing.trouble, &row.error)
        && *reason == conditions::READ_OPERATION_FAILED
    {
        found.extend(registries::failed_scan(
            asking,
            trouble.kind,
            &trouble.throttling,
            message,
        ));
    }
    if let Some(error) = &listing.outlasted {
        let text = error.controller_text().unwrap_or_default();
        let message = format!("scan failed: {text}");
        found.push(registries::rate_limited(
            asking,
            error.throttling(),
            &message,
        ));
    }
    found
}

/// Why the controller's scan fails, where that has a finding of its own.
pub(in crate::pipeline) fn of_failure(
    object: &ImageRepository,
    connection: Option<&RegistryConnection>,
    failure: &ScanFailure,
) -> Option<Finding> {
    of_spec(object).into_iter().next().or_else(|| {
        let image = repository::canonical_image(&object.spec.image).ok()?;
        let (connection, trouble) = (connection?, failure.cause.as_ref()?);
        registries::failed_scan(
            asking(&object.key, &image, connection),
            trouble.kind,
            &trouble.throttling,
            &failure.message,
        )
    })
}

/// What the controller asks a registry with, for the findings about it.
fn asking<'a>(
    key: &'a ObjectKey,
    image: &'a Repository,
    connection: &'a RegistryConnection,
) -> Asking<'a> {
    Asking {
        key,
        host: image.registry(),
        login: match (&connection.users_own, &connection.login_from) {
            (Some(_), _) => Login::Hidden,
            (None, Some(source)) => Login::Secret(source),
            (None, None) => Login::Nobody,
        },
        without_entry: &connection.without_entry,
    }
}

fn insecure(object: &ImageRepository, image: &Repository, inputs: &Inputs) -> Option<Finding> {
    if !object.spec.insecure || image.is_plain_http() {
        return None;
    }
    let policies: Vec<&str> = policies_of(object, inputs)
        .filter(|policy| policy.spec.digest_reflection_policy != DigestReflectionPolicy::Never)
        .map(|policy| policy.key.name.as_str())
        .collect();
    registries::digest_ignores_insecure(&object.key, image.registry(), &policies)
}

/// What all repositories of the namespaces that count cost their hosts; those that weren't listed now by what their last
/// scan found.
fn budget(listed: &BTreeMap<&ObjectKey, &Listing>, inputs: &Inputs) -> Vec<Finding> {
    let objects = inputs.objects.repositories.values();
    let scanned = objects.filter(|object| !object.spec.suspend && !object.deleted);
    let costs: Vec<Cost> = scanned
        .filter_map(|object| cost(object, listed.get(&object.key).copied(), inputs))
        .collect();
    scan_budget::scan_budget(&costs)
}

fn cost(object: &ImageRepository, listing: Option<&Listing>, inputs: &Inputs) -> Option<Cost> {
    let image = repository::canonical_image(&object.spec.image).ok()?;
    let last = object.status.last_scan_result.as_ref();
    let known = listing.and_then(|listing| listing.cost.as_ref());
    let pages = match (known, last) {
        (Some(cost), _) => cost.pages,
        (None, Some(last)) => usize::try_from(last.tag_count.div_ceil(PAGE)).unwrap_or(1),
        (None, None) => 1,
    };
    // The ping, and a token where one is wanted.
    let before = 1 + usize::from(known.is_some_and(|cost| cost.with_token));
    let digests = policies_of(object, inputs)
        .filter(|policy| policy.spec.digest_reflection_policy == DigestReflectionPolicy::Always)
        .filter_map(|policy| schedule::interval(policy.spec.interval.as_deref()))
        .map(|interval| {
            let interval = if interval.is_zero() {
                USUAL_DIGEST_INTERVAL
            } else {
                interval
            };
            (interval, before + 1)
        });
    let connection = listing.and_then(|listing| listing.connection.as_ref());
    let spec = &object.spec;
    let names_a_login = spec.secret_ref.is_some()
        || spec.service_account_name.is_some()
        || spec
            .provider
            .as_deref()
            .is_some_and(|provider| !matches!(provider, "" | "generic"));
    Some(Cost {
        key: object.key.clone(),
        host: image.registry().to_owned(),
        interval: schedule::interval(spec.interval.as_deref())?,
        requests: before + pages.max(1),
        digests: digests.collect(),
        logs_in: connection.map_or(names_a_login, |connection| {
            connection.users_own.is_some() || connection.login_from.is_some()
        }),
        limit: known.and_then(|cost| cost.limit),
    })
}

/// The patterns that count, whatever their order.
fn exclusions(object: &ImageRepository) -> Vec<&str> {
    let list = object.spec.exclusion_list.as_deref().unwrap_or_default();
    let mut patterns: Vec<&str> = list.iter().map(String::as_str).collect();
    if patterns.is_empty() {
        patterns.push(DEFAULT_EXCLUSION);
    }
    patterns.sort_unstable();
    patterns.dedup();
    patterns
}
