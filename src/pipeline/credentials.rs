//! The Secrets and ServiceAccounts that decisions hang on, read when they are needed and not before.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use crate::controllers::flux::ObjectKey;
use crate::facts::cluster::{Hidden, Kind, Objects, Secret, Seen, ServiceAccount};
use crate::failure::Failure;
use crate::io::cluster::{self, Cluster, ClusterError};

/// What was looked up so far.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    secrets: BTreeMap<ObjectKey, Seen<Secret>>,
    service_accounts: BTreeMap<ObjectKey, Seen<ServiceAccount>>,
    forbidden: Vec<Hidden>,
}

impl Credentials {
    /// A Secret that was looked up before; one that was not isn't there.
    pub fn secret(&self, key: &ObjectKey) -> Seen<Secret> {
        self.secrets.get(key).cloned().unwrap_or(Seen::Missing)
    }

    /// A ServiceAccount that was looked up before; one that was not isn't there.
    pub fn service_account(&self, key: &ObjectKey) -> Seen<ServiceAccount> {
        let found = self.service_accounts.get(key).cloned();
        found.unwrap_or(Seen::Missing)
    }

    /// What was looked up and may not be read.
    pub(super) fn forbidden(&self) -> Vec<Hidden> {
        self.forbidden.clone()
    }

    /// Looks up Secrets: in the cluster, or among the manifests where there is none.
    ///
    /// # Errors
    ///
    /// The cluster can't be asked. A Secret that may not be read is hidden.
    pub(super) async fn look_up_secrets(
        &mut self,
        keys: BTreeSet<ObjectKey>,
        objects: &Objects,
        cluster: Option<&Cluster>,
    ) -> Result<(), Failure> {
        let new: Vec<ObjectKey> = keys
            .into_iter()
            .filter(|key| !self.secrets.contains_key(key))
            .collect();
        let of = |objects: &Objects, key: &ObjectKey| objects.secrets.get(key).cloned();
        let found = look_up(Kind::Secret, &new, objects, cluster, of);
        let (found, mut forbidden) = found.await?;
        self.forbidden.append(&mut forbidden);
        self.secrets.extend(new.iter().cloned().zip(found));
        Ok(())
    }

    /// As [`Self::look_up_secrets`], for ServiceAccounts.
    pub(super) async fn look_up_accounts(
        &mut self,
        keys: BTreeSet<ObjectKey>,
        objects: &Objects,
        cluster: Option<&Cluster>,
    ) -> Result<(), Failure> {
        let new: Vec<ObjectKey> = keys
            .into_iter()
            .filter(|key| !self.service_accounts.contains_key(key))
            .collect();
        let found = look_up(
            Kind::ServiceAccount,
            &new,
            objects,
            cluster,
            |objects, key| objects.service_accounts.get(key).cloned(),
        );
        let (found, mut forbidden) = found.await?;
        self.forbidden.append(&mut forbidden);
        self.service_accounts.extend(new.iter().cloned().zip(found));
        Ok(())
    }
}

async fn look_up<T>(
    kind: Kind,
    keys: &[ObjectKey],
    objects: &Objects,
    cluster: Option<&Cluster>,
    of: impl Fn(&Objects, &ObjectKey) -> Option<T>,
) -> Result<(Vec<Seen<T>>, Vec<Hidden>), Failure> {
    let Some(cluster) = cluster else {
        let found = keys.iter().map(|key| match of(objects, key) {
            Some(found) => Seen::Found(found),
            None => Seen::Missing,
        });
        return Ok((found.collect(), Vec::new()));
    };
    let mut forbidden = Vec::new();
    let answers = join_all(keys.iter().map(|key| cluster.get(kind, key))).await;
    let read = keys.iter().zip(answers).map(|(key, answer)| {
        let object = match answer {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(Seen::Missing),
            Err(error @ ClusterError::Forbidden { .. }) => {
                let why = error.to_string();
                forbidden.push(Hidden {
                    kind,
                    namespace: Some(key.namespace.clone()),
                    name: Some(key.name.clone()),
                    why: why.clone(),
                    forbidden: true,
                });
                return Ok(Seen::Hidden { why });
            }
            Err(error) => return Err(Failure::from(error)),
        };
        let mut read = Objects::default();
        Ok(match cluster::add(&mut read, kind, &object) {
            Ok(()) => match of(&read, key) {
                Some(found) => Seen::Found(found),
                None => Seen::Missing,
            },
            Err(why) => Seen::Hidden {
                why: format!("{kind} {key} can't be read: {why}"),
            },
        })
    });
    let read: Result<Vec<Seen<T>>, Failure> = read.collect();
    Ok((read?, forbidden))
}
