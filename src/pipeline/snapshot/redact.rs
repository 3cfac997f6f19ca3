//! A snapshot with pseudonyms for hosts and names: the same word has the same one in every object, message, tag, path and file, so that the
//! same decisions follow. Where they would not, the tags are left out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::controllers::flux::{ImagePolicySpec, ObjectKey};
use crate::controllers::policy::{self, Outcome, PolicySpec};
use crate::controllers::repository::{revision, sha256_revision, stored_tags};
use crate::facts::snapshot::{
    RecordedCheckout, RecordedCondition, RecordedConnection, RecordedError, RecordedScan,
    RecordedSigner, RecordedSource, SnapshotFacts, Versions,
};
use crate::io::snapshot::Contents;

use super::words::{Context, Hosts, Naming, Pseudonyms, Words, host_of_image, hosts_of, renamed};

/// The same with pseudonyms.
pub(super) fn redact(contents: &Contents) -> Contents {
    let hosts = Hosts::new(&hosts(contents));
    let words = Words::default();
    let collecting = Renaming {
        hosts: &hosts,
        naming: &words,
    };
    collecting.contents(contents);
    let pseudonyms = Pseudonyms::new(words);
    let renaming = Renaming {
        hosts: &hosts,
        naming: &pseudonyms,
    };
    let mut redacted = renaming.contents(contents);
    redacted.facts.redacted = true;
    renew_checksums(contents, &mut redacted);
    renaming.leave_out_other_choices(contents, &mut redacted);
    redacted
}

/// The hosts of images, URLs and messages.
fn hosts(contents: &Contents) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for scan in &contents.scans.repositories {
        host_of_image(&scan.image, &mut found);
    }
    let mut texts = Vec::new();
    for object in &contents.objects {
        collect_texts(object, &mut texts);
    }
    let facts = serde_json::to_value(&contents.facts).unwrap_or_default();
    collect_texts(&facts, &mut texts);
    for scan in &contents.scans.repositories {
        let mut about = scan.clone();
        // Tags may look like addresses.
        about.tags.clear();
        about.digests.clear();
        let about = serde_json::to_value(about).unwrap_or_default();
        collect_texts(&about, &mut texts);
    }
    for text in &texts {
        hosts_of(text, &mut found);
        host_of_image(text, &mut found);
    }
    found
}

/// All texts of a document but those that are lists of tags.
fn collect_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(members) => members
            .iter()
            .filter(|(key, _)| !["latestTags", "tag", "range"].contains(&key.as_str()))
            .for_each(|(_, member)| collect_texts(member, texts)),
        _ => {}
    }
}

/// Fields whose members are named by users.
const FREE: [&str; 10] = [
    "labels",
    "annotations",
    "matchLabels",
    "messageTemplateValues",
    "options",
    "observedPolicies",
    "documents",
    "signers",
    "digests",
    "digestErrors",
];
/// Fields that hold regular expressions.
const PATTERNS: [&str; 3] = ["pattern", "exclusionList", "observedExclusionList"];

struct Renaming<'a> {
    hosts: &'a Hosts,
    naming: &'a dyn Naming,
}

impl Renaming<'_> {
    fn text(&self, text: &str) -> String {
        renamed(text, Context::Text, self.hosts, self.naming)
    }

    fn optional(&self, text: &Option<String>) -> Option<String> {
        text.as_deref().map(|text| self.text(text))
    }

    fn texts(&self, texts: &[String]) -> Vec<String> {
        texts.iter().map(|text| self.text(text)).collect()
    }

    fn map(&self, map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        map.iter()
            .map(|(key, value)| (self.text(key), self.text(value)))
            .collect()
    }

    fn contents(&self, contents: &Contents) -> Contents {
        let mut renamed_ones = contents.clone();
        renamed_ones.facts = self.facts(&contents.facts);
        renamed_ones.objects = contents
            .objects
            .iter()
            .map(|object| self.value(object, ""))
            .collect();
        let scans = contents.scans.repositories.iter();
        renamed_ones.scans.repositories = scans.map(|scan| self.scan(scan)).collect();
        renamed_ones.files = contents
            .files
            .iter()
            .map(|(path, bytes)| (self.text(path), self.file(bytes)))
            .collect();
        renamed_ones
    }

    /// A document whose field is called `field`.
    fn value(&self, value: &Value, field: &str) -> Value {
        match value {
            Value::String(text) if PATTERNS.contains(&field) => {
                renamed(text, Context::Pattern, self.hosts, self.naming).into()
            }
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.value(item, field)).collect(),
            Value::Object(members) => {
                let context = if FREE.contains(&field) {
                    Context::Text
                } else {
                    Context::Field
                };
                let members = members.iter().map(|(key, member)| {
                    let renamed_key = renamed(key, context, self.hosts, self.naming);
                    (renamed_key, self.value(member, key))
                });
                Value::Object(members.collect::<Map<String, Value>>())
            }
            other => other.clone(),
        }
    }

    fn file(&self, bytes: &[u8]) -> Vec<u8> {
        let in_yaml = |text: &str| renamed(text, Context::Yaml, self.hosts, self.naming);
        match std::str::from_utf8(bytes) {
            Ok(text) => in_yaml(text).into_bytes(),
            Err(_) => {
                let text = String::from_utf8_lossy(bytes).replace('\u{fffd}', "");
                [in_yaml(&text).as_bytes(), b"\xff"].concat()
            }
        }
    }

    fn facts(&self, facts: &SnapshotFacts) -> SnapshotFacts {
        let mut answers = facts.answers.clone();
        for list in &mut answers.lists {
            list.path = self.text(&list.path);
            list.selector = self.text(&list.selector);
        }
        for refused in &mut answers.forbidden {
            refused.path = self.text(&refused.path);
            refused.message = self.text(&refused.message);
        }
        answers.absent = self.texts(&answers.absent);
        answers.unserved = self.texts(&answers.unserved);
        let documents = answers.documents.iter();
        answers.documents = documents
            .map(|(path, document)| (self.text(path), self.value(document, "")))
            .collect();
        let mut secrets = facts.secrets.clone();
        for secret in &mut secrets {
            secret.namespace = self.text(&secret.namespace);
            secret.name = self.text(&secret.name);
            secret.kind = self.text(&secret.kind);
            secret.keys = self.texts(&secret.keys);
        }
        let mut unreadable = facts.unreadable.clone();
        for hidden in &mut unreadable {
            hidden.namespace = self.text(&hidden.namespace);
            hidden.name = self.text(&hidden.name);
            hidden.why = self.text(&hidden.why);
        }
        SnapshotFacts {
            unreadable,
            versions: Versions {
                client: facts.versions.client.clone(),
                kubernetes: self.optional(&facts.versions.kubernetes),
                controllers: self.texts(&facts.versions.controllers),
            },
            context: self.optional(&facts.context),
            server: self.text(&facts.server),
            namespace: self.text(&facts.namespace),
            flux_namespace: self.text(&facts.flux_namespace),
            answers,
            secrets,
            sources: facts.sources.iter().map(|one| self.source(one)).collect(),
            left_out: self.texts(&facts.left_out),
            ..facts.clone()
        }
    }

    fn source(&self, source: &RecordedSource) -> RecordedSource {
        let mut renamed_one = RecordedSource {
            automations: self.texts(&source.automations),
            checkout: source.checkout.as_ref().map(|one| self.checkout(one)),
            failure: source.failure.clone(),
            signers: BTreeMap::new(),
        };
        if let Some(failure) = &mut renamed_one.failure {
            failure.predicted = failure.predicted.as_ref().map(|one| self.condition(one));
            failure.ours = self.optional(&failure.ours);
        }
        let signers = source.signers.iter();
        renamed_one.signers = signers
            .map(|(automation, signer)| {
                let signer = match signer {
                    RecordedSigner::Works => RecordedSigner::Works,
                    RecordedSigner::Fails(failure) => {
                        RecordedSigner::Fails(self.condition(failure))
                    }
                    RecordedSigner::FailsToSign(failure) => {
                        RecordedSigner::FailsToSign(self.condition(failure))
                    }
                    RecordedSigner::Hidden(why) => RecordedSigner::Hidden(self.text(why)),
                };
                (self.text(automation), signer)
            })
            .collect();
        renamed_one
    }

    fn condition(&self, condition: &RecordedCondition) -> RecordedCondition {
        RecordedCondition {
            message: self.text(&condition.message),
            ..condition.clone()
        }
    }

    fn checkout(&self, checkout: &RecordedCheckout) -> RecordedCheckout {
        let mut heads = checkout.heads.clone();
        if let Some(heads) = &mut heads {
            heads.checkout_commit = self.text(&heads.checkout_commit);
            heads.branch = self.optional(&heads.branch);
        }
        RecordedCheckout {
            folder: self.text(&checkout.folder),
            heads,
            commit: self.optional(&checkout.commit),
            branch: self.optional(&checkout.branch),
            files: self.texts(&checkout.files),
            links: self.map(&checkout.links),
            submodules: self.texts(&checkout.submodules),
            unreadable_paths: self.texts(&checkout.unreadable_paths),
            users_own: self.optional(&checkout.users_own),
        }
    }

    fn scan(&self, scan: &RecordedScan) -> RecordedScan {
        let errors = scan.digest_errors.iter();
        RecordedScan {
            namespace: self.text(&scan.namespace),
            name: self.text(&scan.name),
            image: self.text(&scan.image),
            canonical_name: self.optional(&scan.canonical_name),
            recorded_at: scan.recorded_at.clone(),
            tags: self.texts(&scan.tags),
            digests: self.map(&scan.digests),
            error: scan.error.as_ref().map(|error| self.error(error)),
            cost: scan.cost.clone(),
            connection: scan.connection.as_ref().map(|one| self.connection(one)),
            digest_errors: errors
                .map(|(tag, error)| (self.text(tag), self.error(error)))
                .collect(),
            notes: self.texts(&scan.notes),
        }
    }

    fn error(&self, error: &RecordedError) -> RecordedError {
        let mut renamed_one = RecordedError {
            message: self.text(&error.message),
            ours: self.optional(&error.ours),
            ..error.clone()
        };
        if let Some(trouble) = &mut renamed_one.trouble {
            trouble.limits = self.texts(&trouble.limits);
        }
        renamed_one
    }

    fn connection(&self, connection: &RecordedConnection) -> RecordedConnection {
        let mut renamed_one = connection.clone();
        renamed_one.users_own = self.optional(&connection.users_own);
        if let Some(login) = &mut renamed_one.login_from {
            login.namespace = self.text(&login.namespace);
            login.name = self.text(&login.name);
            login.entry = self.text(&login.entry);
            login.rivals = self.texts(&login.rivals);
        }
        for offer in &mut renamed_one.without_entry {
            offer.namespace = self.text(&offer.namespace);
            offer.name = self.text(&offer.name);
            offer.hosts = offer.hosts.as_deref().map(|hosts| self.texts(hosts));
            offer.unread_type = self.optional(&offer.unread_type);
        }
        renamed_one
    }

    /// Leaves out the tags from which a policy would now choose differently.
    fn leave_out_other_choices(&self, contents: &Contents, redacted: &mut Contents) {
        let before = choices(contents);
        let after = choices(redacted);
        let mut left_out: BTreeSet<ObjectKey> = BTreeSet::new();
        for (choice, now) in before.iter().zip(&after) {
            let expected = choice.outcome.as_ref().map(|one| self.outcome(one));
            if expected != now.outcome.as_ref().map(told) {
                left_out.insert(now.repository.clone());
            }
        }
        redacted
            .scans
            .repositories
            .retain(|scan| !left_out.contains(&ObjectKey::new(&scan.namespace, &scan.name)));
        let sentences = left_out.iter().map(|key| {
            format!("the tags of ImageRepository {key}: with pseudonyms a policy would choose differently from them")
        });
        redacted.facts.left_out.extend(sentences);
    }

    /// What a choice must look like with pseudonyms.
    fn outcome(&self, outcome: &Outcome) -> BTreeSet<String> {
        told(outcome).iter().map(|text| self.text(text)).collect()
    }
}

/// A choice in texts: the tags that can win, or the reason why there is none.
fn told(outcome: &Outcome) -> BTreeSet<String> {
    match outcome {
        Outcome::Latest { tag } => BTreeSet::from([tag.clone()]),
        Outcome::NotDeterministic { candidates } => candidates.iter().cloned().collect(),
        Outcome::Failed(failure) => BTreeSet::from([failure.reason.to_owned()]),
    }
}

/// What a policy chooses from the tags of its repository.
struct ChoiceOf {
    repository: ObjectKey,
    outcome: Option<Outcome>,
}

/// The choices of all policies, in the order of the objects.
fn choices(contents: &Contents) -> Vec<ChoiceOf> {
    let policies = contents
        .objects
        .iter()
        .filter(|object| object["kind"] == "ImagePolicy");
    policies
        .filter_map(|object| {
            let spec: ImagePolicySpec = serde_path_to_error::deserialize(&object["spec"]).ok()?;
            let namespace = object["metadata"]["namespace"].as_str()?;
            let repository = spec.image_repository_ref.key_from(namespace);
            Some(ChoiceOf {
                outcome: stored(contents, &repository)
                    .map(|stored| policy::decide(&PolicySpec::from(&spec), &stored).outcome),
                repository,
            })
        })
        .collect()
}

/// What the controller stores of the tags of a repository.
fn stored(contents: &Contents, repository: &ObjectKey) -> Option<Vec<String>> {
    let mut scans = contents.scans.repositories.iter();
    let scan = scans.find(|scan| {
        scan.namespace == repository.namespace
            && scan.name == repository.name
            && scan.error.is_none()
    })?;
    let object = contents
        .objects
        .iter()
        .find(|object| is_repository(object, repository))?;
    let list = object["spec"]["exclusionList"].as_array();
    let list = list.into_iter().flatten().filter_map(Value::as_str);
    let list: Vec<String> = list.map(str::to_owned).collect();
    stored_tags(&scan.tags, &list).ok()
}

fn is_repository(object: &Value, key: &ObjectKey) -> bool {
    object["kind"] == "ImageRepository"
        && object["metadata"]["namespace"] == key.namespace.as_str()
        && object["metadata"]["name"] == key.name.as_str()
}

/// A checksum that was right is right again; tags have other names.
fn renew_checksums(contents: &Contents, redacted: &mut Contents) {
    let mut renewed = Vec::new();
    for (at, object) in contents.objects.iter().enumerate() {
        let pointer = "/status/lastScanResult/revision";
        let Some(known) = object.pointer(pointer).and_then(Value::as_str) else {
            continue;
        };
        let key = |object: &Value| {
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
            ObjectKey::new(text("namespace"), text("name"))
        };
        let of: fn(&[String]) -> String = if known.starts_with("sha256:") {
            sha256_revision
        } else {
            revision
        };
        let was_right = stored(contents, &key(object)).is_some_and(|tags| of(&tags) == known);
        let now = stored(redacted, &key(&redacted.objects[at]));
        if let Some(now) = now.filter(|_| was_right) {
            renewed.push((at, of(&now)));
        }
    }
    for (at, checksum) in renewed {
        redacted.objects[at]["status"]["lastScanResult"]["revision"] = checksum.into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::facts::snapshot::RecordedScans;

    /// A repository with these tags, and a policy that takes the last in alphabetical order.
    fn contents(tags: &[&str]) -> Contents {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let stored = stored_tags(&tags, &[]).unwrap();
        let metadata = json!({"namespace": "acme", "name": "shop"});
        Contents {
            objects: vec![
                json!({"kind": "ImageRepository", "metadata": metadata, "spec": {"image": "r.acme.example/shop"},
                    "status": {"lastScanResult": {"revision": revision(&stored)}}}),
                json!({"kind": "ImagePolicy", "metadata": metadata, "spec": {"imageRepositoryRef": {"name": "shop"},
                    "policy": {"alphabetical": {"order": "asc"}}}}),
            ],
            scans: RecordedScans {
                schema_version: 1,
                repositories: vec![RecordedScan {
                    namespace: "acme".into(),
                    name: "shop".into(),
                    image: "r.acme.example/shop".into(),
                    tags,
                    ..RecordedScan::default()
                }],
            },
            ..Contents::default()
        }
    }

    #[test]
    fn choices_and_checksums_are_those_of_before() {
        let redacted = redact(&contents(&["acorn", "birch", "cedar"]));
        assert!(redacted.facts.left_out.is_empty());
        let scan = &redacted.scans.repositories[0];
        let Some(Outcome::Latest { tag }) = &choices(&redacted)[0].outcome else {
            panic!("no choice");
        };
        assert_eq!(*tag, scan.tags[2]);
        let known = &redacted.objects[0]["status"]["lastScanResult"]["revision"];
        let now = revision(&stored_tags(&scan.tags, &[]).unwrap());
        assert_eq!(known, &json!(now));
    }

    #[test]
    fn tags_are_left_out_where_a_policy_would_choose_otherwise() {
        // A word that stays comes after all others, but before their pseudonyms.
        let redacted = redact(&contents(&["acorn", "latest"]));
        assert!(redacted.scans.repositories.is_empty());
        assert!(redacted.facts.left_out[0].starts_with("the tags of ImageRepository q"));
    }
}
