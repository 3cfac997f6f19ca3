//! All questions side by side: what is known of the API first, then each object, within the time that is left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;

use crate::facts::dry_run::{ApiResource, ObjectIdentity, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::io::cluster::{Cluster, ClusterError, KnownResources};
use crate::io::observer::Event;
use crate::pipeline::session::Session;

use super::DryRun;
use super::asking::{self, Answered, Question};

/// Objects that are asked about at once.
const SIDE_BY_SIDE: usize = 8;

/// What is known of the server's API.
#[derive(Debug, Default)]
pub(super) struct Api {
    /// The resources by API version, or why they can't be had.
    resources: BTreeMap<String, Result<KnownResources, ClusterError>>,
    /// Why objects of a kind can't be sent safely, by version and plural.
    unsafe_kinds: BTreeMap<(String, String), String>,
}

impl Api {
    /// The resource of an object; `None`: the server has none of this kind.
    ///
    /// # Errors
    ///
    /// The server could not be asked about the object's API version.
    pub fn resource(
        &self,
        identity: &ObjectIdentity,
    ) -> Result<Option<&ApiResource>, ClusterError> {
        match self.resources.get(&identity.api_version) {
            Some(Ok(known)) => Ok(known.get(&identity.kind)),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(None),
        }
    }

    /// Why objects of a kind can't be sent without a danger that they are persisted.
    pub fn danger(&self, api_version: &str, plural: &str) -> Option<&str> {
        let kind = (api_version.to_owned(), plural.to_owned());
        self.unsafe_kinds.get(&kind).map(String::as_str)
    }
}

/// Asks all questions, and puts the answers to their subjects: a question comes with the index of its own in `results`.
///
/// # Errors
///
/// There is no cluster, or the run was interrupted.
pub(super) fn ask_all(
    mut questions: Vec<(usize, Question)>,
    default_namespace: &str,
    session: &Session,
    results: &mut [DryRun],
) -> Result<(), Failure> {
    if questions.is_empty() {
        return Ok(());
    }
    let cluster = session.cluster()?;
    // A little is left of the time, so that what was answered is told.
    let left = session.left().saturating_sub(Duration::from_millis(300));
    let deadline = tokio::time::Instant::now() + left;
    let asking = async {
        let Ok(api) = tokio::time::timeout_at(deadline, api(&questions, cluster)).await else {
            let late = questions.iter();
            return late
                .map(|(index, question)| (*index, out_of_time(question)))
                .collect();
        };
        for (_, question) in &mut questions {
            fill_namespace(question, default_namespace, &api);
        }
        let total = questions.len();
        let answers = futures_util::stream::iter(&questions).map(|(index, question)| {
            let api = &api;
            async move {
                let asked = asking::ask(question, api, cluster);
                let answered = tokio::time::timeout_at(deadline, asked).await;
                (*index, answered.unwrap_or_else(|_| out_of_time(question)))
            }
        });
        let mut done = 0;
        let told = answers.buffered(SIDE_BY_SIDE).inspect(|_| {
            done += 1;
            session.observer.tell(Event::Progress {
                what: "objects checked",
                done,
                total,
            });
        });
        told.collect::<Vec<(usize, Answered)>>().await
    };
    let answers = session.wait(FailureKind::Cluster, "the dry-run", asking)?;
    for (index, answered) in answers {
        let result = &mut results[index];
        if let Some(error) = answered.trouble {
            let failure = Failure::from(error);
            if !result.troubles.contains(&failure) {
                result.troubles.push(failure);
            }
        }
        result.rows.push(answered.row);
    }
    Ok(())
}

/// A plain manifest without a namespace goes where kubectl would put it.
fn fill_namespace(question: &mut Question, default_namespace: &str, api: &Api) {
    if question.applier.is_some() {
        return;
    }
    let identity = question.difference.identity();
    let resource = api.resource(&identity).ok().flatten();
    if identity.namespace.is_empty() && resource.is_some_and(|resource| resource.namespaced) {
        let difference = &mut question.difference;
        for object in [&mut difference.before, &mut difference.after] {
            if !object.is_null() {
                object["metadata"]["namespace"] = default_namespace.into();
            }
        }
    }
}

fn out_of_time(question: &Question) -> Answered {
    Answered {
        row: question.row(
            Outcome::NotChecked,
            "there was no time left: allow more with --timeout",
        ),
        trouble: Some(ClusterError::Configuration(
            "the dry-run did not end in time: allow more with --timeout".into(),
        )),
    }
}

/// The resources of all API versions that are asked about, and which of them can't be sent safely.
async fn api(questions: &[(usize, Question)], cluster: &Cluster) -> Api {
    let identities: BTreeSet<(String, String)> = questions
        .iter()
        .map(|(_, question)| question.difference.identity())
        .map(|identity| (identity.api_version, identity.kind))
        .collect();
    let versions: BTreeSet<&str> = identities
        .iter()
        .map(|(version, _)| version.as_str())
        .collect();
    let asked = versions.iter().map(|version| cluster.resources(version));
    let found = futures_util::future::join_all(asked).await;
    let named = versions.iter().map(|version| (*version).to_owned());
    let mut api = Api {
        resources: named.zip(found).collect(),
        unsafe_kinds: BTreeMap::new(),
    };
    for version in versions
        .iter()
        .filter(|version| !is_kubernetes_own(version))
    {
        let Some(Ok(known)) = api.resources.get(*version) else {
            continue;
        };
        let wanted: Vec<String> = identities
            .iter()
            .filter(|(of, _)| of == version)
            .filter_map(|(_, kind)| Some(known.get(kind)?.plural.clone()))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let safe = cluster.dry_run_plurals(version).await;
        for plural in wanted {
            let why = match &safe {
                Ok(Some(plurals)) if plurals.contains(&plural) => continue,
                Ok(Some(_)) => format!(
                    "the server behind {plural} of {version} doesn't know dry-run: sending the object might change it"
                ),
                Ok(None) => format!(
                    "the server doesn't tell whether it knows dry-run for {plural} of {version}: sending the object might change it"
                ),
                Err(error) => format!(
                    "whether {plural} of {version} can be sent as a dry-run can't be found out: {error}"
                ),
            };
            api.unsafe_kinds
                .insert(((*version).to_owned(), plural), why);
        }
    }
    api
}

/// Whether the API server itself serves a group, which then honours dry-run. Others may be anything behind it.
fn is_kubernetes_own(api_version: &str) -> bool {
    const GROUPS: &[&str] = &[
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    ];
    match api_version.split_once('/') {
        Some((group, _)) => GROUPS.contains(&group),
        None => true,
    }
}
