//! From a touched Kustomization to the objects that differ: built before and after the update, as the controller builds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use crate::controllers::flux::ObjectKey;
use crate::controllers::kustomization::KustomizationSpec;
use crate::controllers::kustomization::apply::{self, prepared};
use crate::controllers::kustomization::drift::differs;
use crate::controllers::kustomization::substitution::{self, SubstitutionRules, Variables};
use crate::facts::dry_run::ObjectIdentity;
use crate::io::kustomize::{BuildError, Kustomize};
use crate::io::observer::{Event, Observer};

/// One build: the files by path, and the folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Build {
    /// Path from the top to bytes.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The folder that is built.
    pub folder: String,
}

/// Why there are no objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotBuilt {
    /// The controller fails at it, with these words.
    Fails(String),
    /// It could not be done here.
    NotDone(String),
}

/// Builds side by side, in order.
pub(super) fn run(
    tool: &Kustomize,
    builds: &[Result<Build, NotBuilt>],
    limit: Duration,
    observer: &Observer,
) -> Vec<Result<String, NotBuilt>> {
    const SIDE_BY_SIDE: usize = 4;
    let next = Mutex::new(0..builds.len());
    let results = Mutex::new(vec![None; builds.len()]);
    let work = || {
        while let Some(index) = next.lock().ok().and_then(|mut next| next.next()) {
            let result = match &builds[index] {
                Ok(build) => one(tool, build, limit, observer),
                Err(why) => Err(why.clone()),
            };
            if let Ok(mut results) = results.lock() {
                results[index] = Some(result);
                observer.tell(Event::Progress {
                    what: "kustomizations built",
                    done: results.iter().flatten().count(),
                    total: builds.len(),
                });
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE.min(builds.len()) {
            scope.spawn(work);
        }
    });
    let results = results.into_inner().unwrap_or_default();
    results
        .into_iter()
        .map(|result| {
            result.unwrap_or_else(|| Err(NotBuilt::NotDone("the build came to no end".into())))
        })
        .collect()
}

fn one(
    tool: &Kustomize,
    build: &Build,
    limit: Duration,
    observer: &Observer,
) -> Result<String, NotBuilt> {
    tool.build(&build.files, &build.folder, limit, observer)
        .map_err(|error| match error {
            BuildError::Refused(words) => {
                NotBuilt::Fails(format!("kustomize build failed: {words}"))
            }
            BuildError::NotRun(why) => NotBuilt::NotDone(why),
        })
}

/// An object that differs.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    /// As it was sent before; null: it wasn't.
    pub before: Value,
    /// As it would be sent; null: it isn't any more.
    pub after: Value,
}

impl Difference {
    /// Which object it is.
    pub fn identity(&self) -> ObjectIdentity {
        ObjectIdentity::of(if self.after.is_null() {
            &self.before
        } else {
            &self.after
        })
    }
}

/// What a Kustomization builds after the update, and how it differs from before.
#[derive(Clone, Debug, Default)]
pub(super) struct Built {
    /// The objects that differ, in the controller's order.
    pub differences: Vec<Difference>,
    /// All objects, for what they bring: namespaces and kinds.
    pub objects: Vec<Value>,
    /// The names of objects whose true content only the controller can decrypt.
    pub encrypted: BTreeSet<String>,
    /// Why the controller applies nothing of it: a Secret that it can't decrypt.
    pub refused: Option<String>,
}

/// One state of a Kustomization.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side<'a> {
    /// Its spec.
    pub spec: &'a KustomizationSpec,
    /// Its variables.
    pub variables: &'a Variables,
    /// What the tool printed.
    pub printed: &'a str,
}

/// Compares what was built; `before` is none where nothing could be built.
///
/// # Errors
///
/// The controller fails at what comes after the build, with these words.
pub(super) fn compared(
    owner: &ObjectKey,
    before: Option<Side<'_>>,
    after: Side<'_>,
    strict: bool,
) -> Result<Built, String> {
    let objects = |side: Side<'_>| {
        let rules = SubstitutionRules {
            post_build: side.spec.post_build.as_ref(),
            variables: side.variables,
            strict,
        };
        let built = substitution::objects(side.printed, rules)?;
        let prepared = built
            .iter()
            .map(|object| prepared(object, owner, side.spec));
        Ok::<Vec<Value>, String>(prepared.collect())
    };
    // What can't be had before the update can't be compared with: everything counts as new.
    let old = before
        .and_then(|before| objects(before).ok())
        .unwrap_or_default();
    let new = objects(after)?;
    let refused = new.iter().find(|object| apply::is_encrypted_secret(object));
    let refused = refused.filter(|_| after.spec.decryption.is_none());
    let refused = refused.map(|secret| {
        format!(
            "{} is SOPS encrypted, configuring decryption is required for this secret to be reconciled",
            formatted(&ObjectIdentity::of(secret))
        )
    });
    let names = new
        .iter()
        .chain(&old)
        .filter(|object| apply::is_encrypted(object));
    Ok(Built {
        encrypted: names
            .map(|object| ObjectIdentity::of(object).name)
            .collect(),
        differences: differences(old, &new),
        objects: new,
        refused,
    })
}

fn differences(old: Vec<Value>, new: &[Value]) -> Vec<Difference> {
    let mut old: Vec<(ObjectIdentity, Value)> = old
        .into_iter()
        .map(|object| (ObjectIdentity::of(&object), object))
        .collect();
    let mut found = Vec::new();
    for object in new {
        let identity = ObjectIdentity::of(object);
        let at = old
            .iter()
            .position(|(other, _)| other.is_same_object(&identity));
        let before = at.map_or(Value::Null, |at| old.swap_remove(at).1);
        if before.is_null() || differs(&before, object) {
            found.push(Difference {
                before,
                after: object.clone(),
            });
        }
    }
    let vanished = old.into_iter().map(|(_, before)| Difference {
        before,
        after: Value::Null,
    });
    found.extend(vanished);
    found.sort_by_key(|difference| {
        let object = if difference.after.is_null() {
            &difference.before
        } else {
            &difference.after
        };
        (
            difference.after.is_null(),
            apply::stage(object),
            difference.identity(),
        )
    });
    found
}

/// `Deployment/apps/web`, as the controller calls an object.
pub(super) fn formatted(identity: &ObjectIdentity) -> String {
    if identity.namespace.is_empty() {
        format!("{}/{}", identity.kind, identity.name)
    } else {
        format!("{}/{}/{}", identity.kind, identity.namespace, identity.name)
    }
}

/// Whether an object's content hangs on one that is encrypted: it is one, or names one.
pub(super) fn hangs_on(object: &Value, encrypted: &BTreeSet<String>) -> bool {
    if apply::is_encrypted(object) {
        return true;
    }
    fn names(value: &Value, wanted: &BTreeSet<String>) -> bool {
        match value {
            Value::String(text) => wanted.contains(text),
            Value::Array(items) => items.iter().any(|item| names(item, wanted)),
            Value::Object(fields) => fields.values().any(|value| names(value, wanted)),
            _ => false,
        }
    }
    !encrypted.is_empty()
        && object
            .get("spec")
            .is_some_and(|spec| names(spec, encrypted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side<'a>(
        spec: &'a KustomizationSpec,
        variables: &'a Variables,
        printed: &'a str,
    ) -> Side<'a> {
        Side {
            spec,
            variables,
            printed,
        }
    }

    #[test]
    fn only_what_differs_counts() {
        let old = "apiVersion: v1\ndata: {a: '1'}\nkind: ConfigMap\nmetadata: {name: same}\n---\napiVersion: v1\ndata: {a: '1'}\nkind: ConfigMap\nmetadata: {name: changed}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: gone}\n";
        let new = "apiVersion: v1\ndata: {a: '1'}\nkind: ConfigMap\nmetadata: {name: same}\n---\napiVersion: v1\ndata: {a: '2'}\nkind: ConfigMap\nmetadata: {name: changed}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: new}\n";
        let (spec, variables) = (KustomizationSpec::default(), Variables::default());
        let owner = ObjectKey::new("flux-system", "apps");
        let built = compared(
            &owner,
            Some(side(&spec, &variables, old)),
            side(&spec, &variables, new),
            true,
        )
        .unwrap();
        let names: Vec<(String, bool, bool)> = built
            .differences
            .iter()
            .map(|difference| {
                (
                    difference.identity().name,
                    difference.before.is_null(),
                    difference.after.is_null(),
                )
            })
            .collect();
        assert_eq!(
            names,
            [
                ("new".to_owned(), true, false),
                ("changed".to_owned(), false, false),
                ("gone".to_owned(), false, true)
            ]
        );
    }

    #[test]
    fn what_names_an_encrypted_secret_hangs_on_it() {
        let encrypted = BTreeSet::from(["keys-abc".to_owned()]);
        let object =
            serde_json::json!({"spec": {"volumes": [{"secret": {"secretName": "keys-abc"}}]}});
        assert!(hangs_on(&object, &encrypted));
        assert!(!hangs_on(
            &serde_json::json!({"spec": {"a": "keys"}}),
            &encrypted
        ));
    }
}
