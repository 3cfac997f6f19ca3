//! One object after the other to the API server: what is sent, and what the answer means.

use serde_json::{Map, Value, json};

use crate::controllers::flux::ObjectKey;
use crate::controllers::kustomization::KustomizationSpec;
use crate::controllers::kustomization::answer::{self, Refusal};
use crate::controllers::kustomization::apply::{self, MANAGER};
use crate::controllers::kustomization::drift::{self, Comparison};
use crate::controllers::kustomization::managed_fields::{is_applied_by, taken_over};
use crate::controllers::kustomization::normalize;
use crate::facts::dry_run::{
    ApiResource, ApiStatus, Cause, DryRunAnswer, DryRunRow, FieldChange, ObjectIdentity, Outcome,
    RefusedBy,
};
use crate::io::cluster::{Cluster, ClusterError, DryRunRequest, LiveAnswer, ObjectPlace, Sent};

use super::building::{Difference, formatted};
use super::questions::Api;

/// The field manager of what no controller applies.
const OWN_MANAGER: &str = "kubectl-imageauto";

/// An object with more fields than these that its kind doesn't have is refused.
const MOST_DROPPED: usize = 32;

/// What the controller brings to an object that it applies.
#[derive(Clone, Debug)]
pub(super) struct Applier {
    /// The Kustomization.
    pub key: ObjectKey,
    /// Its spec after the update.
    pub spec: KustomizationSpec,
    /// The account that it applies as; none: the controller's own.
    pub account: Option<String>,
    /// Managers whose fields are taken over besides kubectl's.
    pub override_managers: Vec<String>,
}

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// The object before and after.
    pub difference: Difference,
    /// Who applies it; none: a plain manifest.
    pub applier: Option<Applier>,
    /// The changed file that leads to it.
    pub path: String,
    /// Its first changed line.
    pub line: Option<usize>,
    /// Values that must not be shown.
    pub secrets: Vec<String>,
    /// The same Kustomization makes the object's namespace.
    pub namespace_follows: bool,
    /// The same Kustomization makes the object's kind.
    pub kind_follows: bool,
}

/// What became of a question: the row, and the failure of ours that it ended in.
pub(super) struct Answered {
    pub row: DryRunRow,
    pub trouble: Option<ClusterError>,
}

/// Asks about one object.
pub(super) async fn ask(question: &Question, api: &Api, cluster: &Cluster) -> Answered {
    let mut asking = Asking {
        question,
        api,
        cluster,
        row: question.row(Outcome::NotChecked, ""),
    };
    let trouble = asking.run().await.err();
    if let Some(error) = &trouble {
        asking.row.outcome = Outcome::NotChecked;
        asking.row.message = error.to_string();
    }
    asking.say_what_was_not_done();
    Answered {
        row: asking.row,
        trouble,
    }
}

impl Question {
    /// A row about the object.
    pub fn row(&self, outcome: Outcome, message: impl Into<String>) -> DryRunRow {
        DryRunRow {
            object: self.difference.identity(),
            path: self.path.clone(),
            line: self.line,
            kustomization: self.applier.as_ref().map(|applier| applier.key.clone()),
            outcome,
            by: None,
            message: message.into(),
            fields: Vec::new(),
            fails: false,
        }
    }
}

struct Asking<'a> {
    question: &'a Question,
    api: &'a Api,
    cluster: &'a Cluster,
    row: DryRunRow,
}

/// What an object is sent with.
struct Sending<'a> {
    place: ObjectPlace,
    live: Option<Value>,
    /// The live object is there or not, but may not be read.
    unreadable: Option<ApiStatus>,
    manager: &'a str,
    force: bool,
    account: Option<&'a str>,
}

impl Asking<'_> {
    fn end(&mut self, outcome: Outcome, message: impl Into<String>) {
        self.row.outcome = outcome;
        self.row.message = message.into();
    }

    fn reject(&mut self, by: RefusedBy, message: impl Into<String>) {
        self.end(Outcome::Rejected, message);
        self.row.by = Some(by);
    }

    async fn run(&mut self) -> Result<(), ClusterError> {
        let question = self.question;
        let identity = question.difference.identity();
        let Some(resource) = self.api.resource(&identity)?.cloned() else {
            self.unknown_kind(&identity);
            return Ok(());
        };
        if resource.namespaced && identity.namespace.is_empty() {
            let words = "the server could not find the requested resource";
            self.reject(
                RefusedBy::Validation,
                format!("{} namespace not specified: {words}", formatted(&identity)),
            );
            return Ok(());
        }
        let place = ObjectPlace::of(&identity, &resource);
        let account = question
            .applier
            .as_ref()
            .and_then(|applier| applier.account.as_deref());
        let (live, unreadable) = self.live(&place, account).await?;
        if question.difference.after.is_null() {
            self.vanished(live.as_ref(), unreadable);
            return Ok(());
        }
        let desired = &question.difference.after;
        if question.applier.is_some()
            && let Some(said) = apply::left_alone(desired, live.as_ref())
        {
            self.end(Outcome::Unchanged, format!("left alone because of {said}"));
            return Ok(());
        }
        if let Some(why) = self.api.danger(&identity.api_version, &resource.plural) {
            self.end(Outcome::NotChecked, why);
            return Ok(());
        }
        let controllers = question.applier.is_some()
            || live
                .as_ref()
                .is_some_and(|live| is_applied_by(live, MANAGER));
        let sending = Sending {
            place,
            live,
            unreadable,
            manager: if controllers { MANAGER } else { OWN_MANAGER },
            force: question.applier.is_some(),
            account,
        };
        self.send(desired.clone(), &sending, &resource).await
    }

    /// The live object, read as the account or else as ourselves; with the refusal where it may not be read.
    async fn live(
        &self,
        place: &ObjectPlace,
        account: Option<&str>,
    ) -> Result<(Option<Value>, Option<ApiStatus>), ClusterError> {
        let mut answer = self.cluster.read(place, account).await?;
        if account.is_some() && matches!(&answer, LiveAnswer::Refused(status) if status.code == 403)
        {
            answer = self.cluster.read(place, None).await?;
        }
        Ok(match answer {
            LiveAnswer::Found(object) => (Some(object), None),
            LiveAnswer::Missing => (None, None),
            LiveAnswer::Refused(status) => (None, Some(status)),
        })
    }

    fn unknown_kind(&mut self, identity: &ObjectIdentity) {
        let (kind, version) = (&identity.kind, &identity.api_version);
        if self.question.kind_follows {
            self.end(
                Outcome::UnknownKind,
                format!("the server doesn't know {kind} in {version} yet: the same Kustomization brings its CustomResourceDefinition, and the object can't be checked before that"),
            );
            return;
        }
        self.row.fails = true;
        let object = match &self.question.applier {
            Some(_) => format!("{} dry-run failed: ", formatted(identity)),
            None => String::new(),
        };
        self.end(
            Outcome::UnknownKind,
            format!("{object}no matches for kind \"{kind}\" in version \"{version}\"; its CustomResourceDefinition is not in the cluster"),
        );
    }

    fn vanished(&mut self, live: Option<&Value>, unreadable: Option<ApiStatus>) {
        let Some(applier) = &self.question.applier else {
            self.end(
                Outcome::Unchanged,
                "it is no longer in the file; nothing deletes it",
            );
            return;
        };
        if !applier.spec.prune {
            self.end(
                Outcome::Unchanged,
                "it is no longer built, and stays: spec.prune of the Kustomization is false",
            );
            return;
        }
        match live {
            Some(live) => match apply::is_kept(live) {
                Some(said) => self.end(
                    Outcome::Unchanged,
                    format!("it is no longer built, and stays because of {said}"),
                ),
                None if !apply::is_owned(live, &applier.key) => self.end(
                    Outcome::Unchanged,
                    "it is no longer built, and stays: its labels don't say that it is this Kustomization's",
                ),
                None => self.end(Outcome::Pruned, ""),
            },
            None => match unreadable {
                Some(status) => self.refused(&status, None, true),
                None => self.end(
                    Outcome::Unchanged,
                    "it is no longer built, and not in the cluster either",
                ),
            },
        }
    }

    async fn send(
        &mut self,
        mut desired: Value,
        sending: &Sending<'_>,
        resource: &ApiResource,
    ) -> Result<(), ClusterError> {
        let mut dropped = Vec::new();
        let mut answer = self.applied(&desired, sending).await?;
        // The controller sends such objects through their Go types, where fields that aren't known get lost.
        // The server may name one after the other.
        while let DryRunAnswer::Refused(status) = &answer
            && let Refusal::UnknownFields(fields) = answer::refusal(status, sending.live.is_some())
            && self.question.applier.is_some()
            && normalize::is_typed(&desired)
            && dropped.len() < MOST_DROPPED
            && normalize::without_fields(&mut desired, &fields)
        {
            dropped.extend(fields);
            answer = self.applied(&desired, sending).await?;
        }
        match answer {
            DryRunAnswer::Accepted(applied) => self.accepted(&desired, applied, sending).await?,
            DryRunAnswer::Refused(status) => {
                self.not_accepted(&desired, &status, sending, resource)
                    .await?;
            }
        }
        if !dropped.is_empty() {
            self.add(&format!(
                "{} is no field of a {}: kustomize-controller drops it without a word",
                dropped.join(", "),
                self.row.object.kind
            ));
        }
        Ok(())
    }

    async fn applied(
        &self,
        object: &Value,
        sending: &Sending<'_>,
    ) -> Result<DryRunAnswer, ClusterError> {
        self.request(
            &sending.place,
            Sent::Apply {
                object,
                force: sending.force,
            },
            sending,
        )
        .await
    }

    async fn request(
        &self,
        place: &ObjectPlace,
        sent: Sent<'_>,
        sending: &Sending<'_>,
    ) -> Result<DryRunAnswer, ClusterError> {
        let request = DryRunRequest {
            place,
            sent,
            manager: sending.manager,
            account: sending.account,
        };
        self.cluster.dry_run(&request).await
    }

    async fn accepted(
        &mut self,
        desired: &Value,
        applied: Value,
        sending: &Sending<'_>,
    ) -> Result<(), ClusterError> {
        let is_new = applied["metadata"]["resourceVersion"]
            .as_str()
            .is_none_or(str::is_empty);
        let Some(live) = &sending.live else {
            match &sending.unreadable {
                Some(status) if !is_new => {
                    let words = "the server accepts it, but what changes is not known";
                    self.refused(status, None, false);
                    self.row.message = format!("{words}: {}", self.row.message);
                }
                _ => self.end(Outcome::Created, ""),
            }
            return Ok(());
        };
        let applied = match self.overridden(desired, live, &applied, sending).await? {
            Ok(Some(applied)) => applied,
            Ok(None) => applied,
            Err(status) => {
                self.refused(&status, Some(live), false);
                return Ok(());
            }
        };
        self.compare(desired, live, &applied);
        Ok(())
    }

    /// The object without the fields that the controller takes from kubectl, as the server would leave it; `Ok(None)`: it takes
    /// none.
    async fn overridden(
        &self,
        desired: &Value,
        live: &Value,
        applied: &Value,
        sending: &Sending<'_>,
    ) -> Result<Result<Option<Value>, ApiStatus>, ClusterError> {
        let Some(applier) = &self.question.applier else {
            return Ok(Ok(None));
        };
        if apply::merges(desired, Some(live)) {
            return Ok(Ok(None));
        }
        let taken = taken_over(live, applied, desired, &applier.override_managers);
        let Some(without) = taken else {
            return Ok(Ok(None));
        };
        let patch = json_patch(live, &without);
        let answer = self
            .request(&sending.place, Sent::Patch(&patch), sending)
            .await?;
        Ok(match answer {
            DryRunAnswer::Accepted(applied) => Ok(Some(applied)),
            DryRunAnswer::Refused(status) if matches!(status.code, 403 | 422) => {
                match answer::refusal(&status, true) {
                    Refusal::Rejected(_) => Err(status),
                    _ => Ok(Some(without)),
                }
            }
            DryRunAnswer::Refused(_) => Ok(Some(without)),
        })
    }

    fn compare(&mut self, desired: &Value, live: &Value, applied: &Value) {
        let ignored = self.question.applier.as_ref();
        let comparison = Comparison {
            live,
            applied,
            desired,
            before: &self.question.difference.before,
            ignored: ignored.map_or(&[], |applier| applier.spec.ignore.as_slice()),
        };
        match drift::changes(comparison) {
            Ok(fields) => {
                let outcome = outcome_of(&fields);
                self.row.fields = fields;
                self.end(outcome, "");
            }
            Err(why) => {
                self.row.fails = true;
                self.reject(RefusedBy::Validation, why);
            }
        }
    }

    async fn not_accepted(
        &mut self,
        desired: &Value,
        status: &ApiStatus,
        sending: &Sending<'_>,
        resource: &ApiResource,
    ) -> Result<(), ClusterError> {
        let live = sending.live.as_ref();
        self.refused(status, live, false);
        if self.row.outcome == Outcome::Conflict {
            return self.show_conflict(desired, sending).await;
        }
        let Some(live) = live else { return Ok(()) };
        let applier = self.question.applier.as_ref();
        let forced = applier.is_some_and(|applier| {
            apply::is_forced(&applier.spec, desired, Some(live)) && answer::may_be_recreated(status)
        });
        let unclear = self.row.by == Some(RefusedBy::Validation) && status.code == 422;
        if !forced && !unclear {
            return Ok(());
        }
        match self.as_new(desired, sending, resource).await? {
            Some(DryRunAnswer::Accepted(applied)) if forced => {
                self.row.by = None;
                self.compare(desired, live, &applied);
                let words = &status.message;
                self.end(
                    Outcome::Recreated,
                    format!("the live object is deleted and made anew, since it can't be changed: {words}"),
                );
            }
            Some(DryRunAnswer::Accepted(_)) => self.row.by = Some(RefusedBy::Immutable),
            Some(DryRunAnswer::Refused(refusal)) if forced && refusal.code == 422 => {
                self.add(
                    "spec.force makes the controller delete the live object before it finds out",
                );
            }
            _ if forced => {
                self.row.by = None;
                self.end(
                    Outcome::Recreated,
                    format!(
                        "the live object is deleted and made anew, since it can't be changed: {}",
                        status.message
                    ),
                );
            }
            _ => {}
        }
        Ok(())
    }

    /// What the server would say to the object if there were none of it yet; `None`: its name is part of what it is.
    async fn as_new(
        &self,
        desired: &Value,
        sending: &Sending<'_>,
        resource: &ApiResource,
    ) -> Result<Option<DryRunAnswer>, ClusterError> {
        let identity = ObjectIdentity::of(desired);
        if matches!(
            identity.kind.as_str(),
            "CustomResourceDefinition" | "APIService"
        ) {
            return Ok(None);
        }
        let start: String = identity.name.chars().take(45).collect();
        let name = format!("{}-imageauto", start.trim_end_matches(['-', '.']));
        let mut object = desired.clone();
        object["metadata"]["name"] = json!(name);
        let place = ObjectPlace::named(&identity, resource, &name);
        let sent = Sent::Apply {
            object: &object,
            force: true,
        };
        let mut answer = self.request(&place, sent, sending).await?;
        if let DryRunAnswer::Accepted(object) = &mut answer {
            // Jobs and the like carry their name and uid in labels, too.
            put_instead(object, &name, &identity.name);
            let uid = |object: &Value| object["metadata"]["uid"].as_str().map(str::to_owned);
            let live = sending.live.as_ref().and_then(uid);
            if let (Some(new), Some(live)) = (uid(object), live) {
                put_instead(object, &new, &live);
            }
        }
        Ok(Some(answer))
    }

    /// What would change if the fields were taken.
    async fn show_conflict(
        &mut self,
        desired: &Value,
        sending: &Sending<'_>,
    ) -> Result<(), ClusterError> {
        let Some(live) = &sending.live else {
            return Ok(());
        };
        let sent = Sent::Apply {
            object: desired,
            force: true,
        };
        if let DryRunAnswer::Accepted(applied) = self.request(&sending.place, sent, sending).await?
        {
            let message = self.row.message.clone();
            self.compare(desired, live, &applied);
            self.end(Outcome::Conflict, message);
        }
        Ok(())
    }

    /// Fills the row from a refusal; `reading` tells that it was about reading the live object.
    fn refused(&mut self, status: &ApiStatus, live: Option<&Value>, reading: bool) {
        let identity = self.row.object.clone();
        let words = if self.question.applier.is_some() {
            answer::controllers_words(
                status,
                &formatted(&identity),
                !identity.namespace.is_empty(),
            )
        } else {
            status.message.clone()
        };
        match answer::refusal(status, live.is_some()) {
            Refusal::Rejected(by) => self.reject(by, words),
            Refusal::UnknownFields(_) => self.reject(RefusedBy::Validation, words),
            Refusal::Conflict(conflicts) => self.end(
                Outcome::Conflict,
                format!(
                    "fields that others own have other values: {}",
                    conflicts.join("; ")
                ),
            ),
            Refusal::Forbidden(permission) => {
                let also: &[&str] = match (live, reading) {
                    (_, true) => &[],
                    (Some(_), _) => &["get"],
                    (None, _) => &["get", "create", "patch"],
                };
                let account = self.question.applier.as_ref();
                let account = account.and_then(|applier| applier.account.as_deref());
                let rule = permission.rule(also);
                match account {
                    Some(account) if permission.user == account => {
                        self.row.fails = true;
                        self.end(
                            Outcome::Forbidden,
                            format!("{words}; the Kustomization applies as this account, which needs {rule}"),
                        );
                    }
                    _ => self.end(
                        Outcome::Forbidden,
                        format!("{}; you need {rule}", status.message),
                    ),
                }
            }
            Refusal::NotImpersonated(_) => {
                self.end(Outcome::Forbidden, status.message.clone());
            }
            Refusal::NamespaceMissing(namespace) => {
                if self.question.namespace_follows {
                    self.end(
                        Outcome::NamespaceMissing,
                        format!("namespace {namespace} is not there yet: the same Kustomization makes it, and the object can't be checked before that"),
                    );
                } else {
                    self.row.fails = true;
                    self.end(Outcome::NamespaceMissing, words);
                }
            }
            Refusal::UnknownKind => {
                self.row.fails = true;
                self.end(Outcome::UnknownKind, words);
            }
            Refusal::NotAsked => self.end(
                Outcome::NotChecked,
                format!("the server answers {} {}", status.code, status.message),
            ),
        }
    }

    fn add(&mut self, words: &str) {
        if self.row.message.is_empty() {
            self.row.message = words.to_owned();
        } else {
            self.row.message = format!("{}; {words}", self.row.message);
        }
    }

    fn say_what_was_not_done(&mut self) {
        if self.row.object.kind == "HelmRelease"
            && self.row.object.group() == "helm.toolkit.fluxcd.io"
            && self.row.outcome != Outcome::NotChecked
        {
            self.add("checked as an object; its chart was not rendered");
        }
        if self.question.applier.is_none() {
            self.add("outside any Kustomization: sent as it stands in the file");
        }
        super::masking::mask(
            &mut self.row,
            &self.question.difference.after,
            &self.question.secrets,
        );
    }
}

/// Puts one text for another wherever it stands as a whole value.
fn put_instead(value: &mut Value, old: &str, new: &str) {
    match value {
        Value::String(text) if text == old => *text = new.to_owned(),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| put_instead(item, old, new)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| put_instead(field, old, new)),
        _ => {}
    }
}

/// What a change amounts to: any field that the update doesn't change makes it a drift.
fn outcome_of(fields: &[FieldChange]) -> Outcome {
    if fields.is_empty() {
        return Outcome::Unchanged;
    }
    let by_update = |field: &FieldChange| field.cause == Cause::Update;
    if fields.iter().all(by_update) {
        Outcome::Changed
    } else {
        Outcome::Drifted
    }
}

/// A JSON patch that makes of the live object what is wanted, but for what the server itself writes.
fn json_patch(live: &Value, wanted: &Value) -> Value {
    let mut operations = Vec::new();
    let empty = Map::new();
    let fields = |object: &Value, pointer: &str| -> Map<String, Value> {
        let found = object.pointer(pointer).and_then(Value::as_object);
        found.unwrap_or(&empty).clone()
    };
    let mut compare = |prefix: &str, names: &dyn Fn(&str) -> bool| {
        let (before, after) = (fields(live, prefix), fields(wanted, prefix));
        for name in before.keys().filter(|name| names(name)) {
            if !after.contains_key(name) {
                operations
                    .push(json!({"op": "remove", "path": format!("{prefix}/{}", escaped(name))}));
            }
        }
        for (name, value) in after.iter().filter(|(name, _)| names(name)) {
            if before.get(name) != Some(value) {
                let path = format!("{prefix}/{}", escaped(name));
                operations.push(json!({"op": "add", "path": path, "value": value}));
            }
        }
    };
    compare("", &|name| {
        !matches!(name, "apiVersion" | "kind" | "metadata" | "status")
    });
    compare("/metadata", &|name| {
        matches!(
            name,
            "labels" | "annotations" | "finalizers" | "ownerReferences"
        )
    });
    Value::Array(operations)
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_holds_what_differs() {
        let live = json!({"kind": "A", "spec": {"a": 1}, "data": {}, "status": {"x": 1}, "metadata": {"uid": "1", "labels": {"a": "b"}}});
        let wanted = json!({"kind": "A", "spec": {"a": 2}, "metadata": {"uid": "2", "annotations": {"c/d": "e"}}});
        assert_eq!(
            json_patch(&live, &wanted),
            json!([
                {"op": "remove", "path": "/data"},
                {"op": "add", "path": "/spec", "value": {"a": 2}},
                {"op": "remove", "path": "/metadata/labels"},
                {"op": "add", "path": "/metadata/annotations", "value": {"c/d": "e"}},
            ])
        );
    }

    #[test]
    fn anything_beside_the_update_is_a_drift() {
        let field = |cause| FieldChange {
            field: ".a".into(),
            live: Value::Null,
            applied: Value::Null,
            cause,
        };
        assert_eq!(outcome_of(&[]), Outcome::Unchanged);
        assert_eq!(outcome_of(&[field(Cause::Update)]), Outcome::Changed);
        assert_eq!(
            outcome_of(&[field(Cause::Update), field(Cause::Drift)]),
            Outcome::Drifted
        );
    }
}
