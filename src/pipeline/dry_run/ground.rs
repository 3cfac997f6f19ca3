//! What a dry-run stands on: the Kustomizations of the sources, the sources themselves, the controller's settings, and the
//! variables of the Kustomizations that are touched.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::controllers::delivery::Kustomization;
use crate::controllers::flux::{FluxVersion, GitRepository, ObjectKey};
use crate::controllers::installation::KustomizeController;
use crate::controllers::kustomization::substitution::Variables;
use crate::controllers::kustomization::{KustomizationSpec, SubstituteReference};
use crate::facts::cluster::{Kind, Secret};
use crate::facts::dry_run::{ApiResource, ObjectIdentity};
use crate::facts::git::without_user_info;
use crate::failure::{Failure, FailureKind};
use crate::io::cluster::{self, Cluster, ClusterError, LiveAnswer, ObjectPlace, Scope};
use crate::io::manifests::LocatedObject;
use crate::pipeline::live::Reading;
use crate::pipeline::session::Session;
use crate::pipeline::stages::{Inputs, Preview};

/// What was read.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    /// All Kustomizations that could be seen.
    pub kustomizations: BTreeMap<ObjectKey, Kustomization>,
    /// All GitRepositories that could be seen.
    pub git_repositories: BTreeMap<ObjectKey, GitRepository>,
    /// Why Kustomizations may be there that aren't seen.
    pub hidden: Option<String>,
    /// How the controllers run; never empty.
    pub controllers: Vec<KustomizeController>,
    /// Remarks.
    pub notes: Vec<String>,
}

/// Reads it, from the manifests of the run or from its cluster.
///
/// # Errors
///
/// The cluster can't be asked.
pub(super) fn ground(
    inputs: &Inputs,
    previews: &[&Preview],
    session: &Session,
) -> Result<Ground, Failure> {
    let cluster = session.cluster()?;
    let mut notes = Vec::new();
    let release = inputs
        .installation
        .automations
        .first()
        .map_or_else(FluxVersion::default, |controller| controller.release);
    if !inputs.live {
        let mut reading = Reading::default();
        add_manifests(&inputs.kustomizations, &mut reading)?;
        notes.append(&mut reading.notes);
        return Ok(Ground {
            kustomizations: reading.objects.kustomizations,
            git_repositories: inputs.objects.git_repositories.clone(),
            hidden: None,
            controllers: vec![KustomizeController::of_release(release)],
            notes,
        });
    }
    let namespaces = namespaces(previews);
    let reading = read(&namespaces, release, cluster);
    let mut ground = session.wait(FailureKind::Cluster, "reading the cluster", reading)??;
    for (key, source) in &inputs.objects.git_repositories {
        ground
            .git_repositories
            .entry(key.clone())
            .or_insert_with(|| source.clone());
    }
    Ok(ground)
}

/// The namespaces that are looked into where one may not look everywhere.
fn namespaces(previews: &[&Preview]) -> BTreeSet<String> {
    let of = |preview: &&&Preview| {
        [
            preview.key.namespace.clone(),
            preview.source.key.namespace.clone(),
        ]
    };
    previews.iter().flat_map(|preview| of(&preview)).collect()
}

/// Kustomizations of manifests: one that stands there twice, differently, is an error that names both places.
fn add_manifests(located: &[LocatedObject], reading: &mut Reading) -> Result<(), Failure> {
    let mut seen: BTreeMap<ObjectIdentity, &LocatedObject> = BTreeMap::new();
    for one in located {
        let mut identity = ObjectIdentity::of(&one.object);
        identity.api_version = Kind::Kustomization.group().to_owned();
        match seen.get(&identity) {
            Some(first) if first.object == one.object => continue,
            Some(first) => {
                return Err(Failure::invalid_input(format!(
                    "{identity} stands in {} and, with another content, in {}: name with -f only what belongs to the one cluster that the dry-run asks",
                    first.file, one.file
                )));
            }
            None => drop(seen.insert(identity, one)),
        }
        reading.add(Kind::Kustomization, vec![one.object.clone()]);
    }
    Ok(())
}

async fn read(
    namespaces: &BTreeSet<String>,
    release: FluxVersion,
    cluster: &Cluster,
) -> Result<Ground, ClusterError> {
    let (kustomizations, sources, controllers) = tokio::join!(
        listed(Kind::Kustomization, namespaces, cluster),
        listed(Kind::GitRepository, namespaces, cluster),
        cluster.kustomize_controllers(Scope::All),
    );
    let mut reading = Reading::default();
    let (items, hidden) = kustomizations?;
    reading.add(Kind::Kustomization, items);
    let (items, sources_hidden) = sources?;
    reading.add(Kind::GitRepository, items);
    let mut notes = std::mem::take(&mut reading.notes);
    notes.extend(
        sources_hidden
            .map(|why| format!("other GitRepositories of the same URL may be there: {why}")),
    );
    let default = KustomizeController::of_release(release);
    let found: Vec<KustomizeController> = match controllers {
        Ok(processes) => processes
            .iter()
            .filter_map(KustomizeController::of)
            .collect(),
        Err(error) if error.is_about_one_kind() => {
            notes.push(format!(
                "the flags of {} can't be read ({error}): it counts as one without",
                KustomizeController::NAME
            ));
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    Ok(Ground {
        kustomizations: reading.objects.kustomizations,
        git_repositories: reading.objects.git_repositories,
        hidden,
        controllers: if found.is_empty() {
            vec![default]
        } else {
            found
        },
        notes,
    })
}

/// Objects of all namespaces, or of some where that is forbidden; then with the reason.
async fn listed(
    kind: Kind,
    namespaces: &BTreeSet<String>,
    cluster: &Cluster,
) -> Result<(Vec<Value>, Option<String>), ClusterError> {
    match cluster.list(kind, Scope::All, None).await {
        Ok(listed) => Ok((listed.items, None)),
        // A cluster without the kind has no such objects.
        Err(ClusterError::NotServed(_)) => Ok((Vec::new(), None)),
        Err(error @ ClusterError::Forbidden { .. }) => {
            let mut items = Vec::new();
            for namespace in namespaces {
                match cluster.list(kind, Scope::Namespace(namespace), None).await {
                    Ok(listed) => items.extend(listed.items),
                    Err(inner @ ClusterError::Forbidden { .. }) => {
                        return Ok((items, Some(inner.to_string())));
                    }
                    Err(other) => return Err(other),
                }
            }
            Ok((items, Some(error.to_string())))
        }
        Err(error) => Err(error),
    }
}

impl Ground {
    /// The controller that looks after a Kustomization.
    pub fn controller(&self, kustomization: &Kustomization) -> &KustomizeController {
        let key = &kustomization.key;
        self.controllers
            .iter()
            .find(|known| known.watched.watches(&key.namespace, &kustomization.labels))
            .unwrap_or(&self.controllers[0])
    }

    /// The Kustomizations built from a source: from the GitRepository that the automation names, or another of its URL.
    pub fn of_source(
        &self,
        source: &ObjectKey,
        url: Option<&str>,
    ) -> Vec<(&Kustomization, ObjectKey)> {
        let wanted = url.map(normal);
        let is_same = |key: &ObjectKey| {
            *key == *source
                || self.git_repositories.get(key).is_some_and(|other| {
                    let other = normal(&without_user_info(&other.spec.url));
                    wanted.as_ref().is_some_and(|wanted| *wanted == other)
                })
        };
        let all = self.kustomizations.values();
        all.filter(|kustomization| kustomization.spec.source_ref.kind == "GitRepository")
            .map(|kustomization| {
                let reference = &kustomization.spec.source_ref;
                let key = reference.key_from(&kustomization.key.namespace);
                (kustomization, key)
            })
            .filter(|(_, key)| is_same(key))
            .collect()
    }
}

/// A URL without what makes no difference.
fn normal(url: &str) -> String {
    let url = url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url).to_owned()
}

/// Why a Kustomization has no variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoVariables {
    /// The controller fails, with these words.
    Fails(String),
    /// They can't be seen from here.
    Hidden(String),
}

/// What ConfigMaps and Secrets hold, read once each.
#[derive(Default)]
pub(super) struct VariableSources {
    read: BTreeMap<(String, ObjectKey), Found>,
}

#[derive(Clone)]
enum Found {
    Values(BTreeMap<String, Vec<u8>>),
    Missing,
    Hidden(String),
}

impl VariableSources {
    /// The variables of a Kustomization.
    pub async fn variables(
        &mut self,
        kustomization: &ObjectKey,
        spec: &KustomizationSpec,
        inputs: &Inputs,
        cluster: &Cluster,
    ) -> Result<Variables, NoVariables> {
        let mut variables = Variables::default();
        let Some(post_build) = &spec.post_build else {
            return Ok(variables);
        };
        for reference in &post_build.substitute_from {
            let key = ObjectKey::new(&kustomization.namespace, &reference.name);
            let found = self.found(reference, &key, inputs, cluster).await;
            match found {
                Found::Values(values) => variables.add(
                    values
                        .iter()
                        .map(|(name, value)| (name.as_str(), value.as_slice())),
                    reference.kind == "Secret",
                ),
                Found::Missing if reference.optional => {}
                Found::Missing => {
                    let (kind, name) = (&reference.kind, &reference.name);
                    let plural = format!("{}s", kind.to_ascii_lowercase());
                    return Err(NoVariables::Fails(format!(
                        "substitute from '{kind}/{name}' error: {plural} \"{name}\" not found"
                    )));
                }
                Found::Hidden(why) => return Err(NoVariables::Hidden(why)),
            }
        }
        variables.add_inline(post_build);
        Ok(variables)
    }

    async fn found(
        &mut self,
        reference: &SubstituteReference,
        key: &ObjectKey,
        inputs: &Inputs,
        cluster: &Cluster,
    ) -> Found {
        let place = (reference.kind.clone(), key.clone());
        if let Some(found) = self.read.get(&place) {
            return found.clone();
        }
        let found = match inputs.objects.secrets.get(key) {
            Some(Secret::Readable { data, .. }) if reference.kind == "Secret" => {
                Found::Values(data.clone())
            }
            Some(Secret::Closed(why)) if reference.kind == "Secret" && !inputs.live => {
                Found::Hidden(why.says(key))
            }
            _ => look_up(&reference.kind, key, cluster).await,
        };
        self.read.insert(place, found.clone());
        found
    }
}

async fn look_up(kind: &str, key: &ObjectKey, cluster: &Cluster) -> Found {
    let plural = match kind {
        "ConfigMap" => "configmaps",
        "Secret" => "secrets",
        // The API lets no other in, and the controller passes over it.
        _ => return Found::Values(BTreeMap::new()),
    };
    let identity = ObjectIdentity {
        api_version: "v1".into(),
        kind: kind.to_owned(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    };
    let resource = ApiResource {
        plural: plural.to_owned(),
        namespaced: true,
    };
    match cluster
        .read(&ObjectPlace::of(&identity, &resource), None)
        .await
    {
        Ok(LiveAnswer::Found(object)) => values(kind, &object, key),
        Ok(LiveAnswer::Missing) => Found::Missing,
        Ok(LiveAnswer::Refused(status)) => Found::Hidden(format!(
            "{kind} {key} can't be read: {}: a Role in namespace {} with {{apiGroups: [\"\"], resources: [{plural:?}], verbs: [\"get\"]}} would let you",
            status.message, key.namespace
        )),
        Err(error) => Found::Hidden(error.to_string()),
    }
}

fn values(kind: &str, object: &Value, key: &ObjectKey) -> Found {
    if kind == "ConfigMap" {
        let data = object["data"].as_object().into_iter().flatten();
        let values = data
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.as_bytes().to_vec())));
        return Found::Values(values.collect());
    }
    let mut objects = crate::facts::cluster::Objects::default();
    match cluster::add(&mut objects, Kind::Secret, object) {
        Ok(()) => match objects.secrets.into_values().next() {
            Some(Secret::Readable { data, .. }) => Found::Values(data),
            _ => Found::Hidden(format!("Secret {key} is encrypted")),
        },
        Err(why) => Found::Hidden(format!("Secret {key} can't be read: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn urls_are_compared_without_their_endings() {
        assert_eq!(normal("https://a/b.git/"), normal("https://a/b"));
        assert_ne!(normal("https://a/b"), normal("ssh://a/b"));
    }
}
