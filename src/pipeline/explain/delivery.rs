//! The last hops: from the pushed commit to the pods. What may not be read is unknown.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::controllers::conditions::readiness;
use crate::controllers::delivery::{self, HelmRelease, Kustomization, RELEASE_LABELS};
use crate::controllers::flux::{GitRepository, ImageRef, ObjectKey};
use crate::controllers::schedule::{interval, moment};
use crate::facts::cluster::{Kind, Objects, Workload};
use crate::go::age;
use crate::go::reference::Reference;
use crate::pipeline::stages::Preview;

use super::observe::hidden;
use super::step::{Step, StepKind, StepVerdict};

/// What the last hops are told from.
pub(super) struct Hops<'a> {
    /// The GitRepositories.
    pub(super) sources: &'a BTreeMap<ObjectKey, GitRepository>,
    /// Kustomizations, HelmReleases and workloads.
    pub(super) delivered: &'a Objects,
    /// Workloads that were named.
    pub(super) named: &'a [(Kind, ObjectKey)],
    pub(super) now: Timestamp,
}

impl Hops<'_> {
    /// Whether source-controller has what stands on the branch that it follows.
    pub(super) fn source(&self, preview: &Preview) -> Step {
        let kind = StepKind::Source;
        let key = &preview.source.key;
        let Some(source) = self.sources.get(key) else {
            return Step::new(
                kind,
                StepVerdict::Unknown,
                format!("GitRepository {key} can't be seen"),
            );
        };
        if source.spec.suspend {
            let finding = crate::findings::policies::suspended("GitRepository", key);
            return Step::stuck(
                kind,
                finding.id,
                format!("GitRepository {key} is suspended"),
            )
            .remedy(format!(
                "flux resume source git {} -n {}",
                key.name, key.namespace
            ));
        }
        let Some(artifact) = &source.status.artifact else {
            return Step::new(
                kind,
                StepVerdict::Unknown,
                format!("GitRepository {key} has no artifact"),
            );
        };
        let fetched = moment(&artifact.last_update_time);
        let Some(commit) = delivery::commit_of(&artifact.revision) else {
            return Step::new(
                kind,
                StepVerdict::Unknown,
                format!("{} is no commit", artifact.revision),
            );
        };
        let has = format!("{key} has {}", short_revision(&artifact.revision, commit));
        if let Some(branch) = followed_elsewhere(source, preview) {
            return Step::new(
                kind,
                StepVerdict::Waiting,
                format!("{has}; what is pushed to {branch} comes with a merge"),
            )
            .since(fetched);
        }
        match preview.source.commit.as_deref() {
            Some(head) if head == commit => Step::ok(kind, has).since(fetched),
            Some(head) => {
                let due = interval(source.spec.interval.as_deref())
                    .zip(fetched)
                    .and_then(|(interval, fetched)| fetched.checked_add(interval).ok())
                    .filter(|due| *due > self.now);
                let when = due.map_or_else(String::new, |due| {
                    format!(
                        "; it looks again in {} at the latest",
                        age::until(due, self.now)
                    )
                });
                let state = readiness(&source.status.conditions);
                let text = format!(
                    "{has}, the branch is at {}{when}",
                    head.get(..7).unwrap_or(head)
                );
                if state.ready == "False" && !state.reason.is_empty() {
                    return Step::stuck(
                        kind,
                        "source-fails",
                        format!("{text}; {}: {}", state.reason, state.message),
                    )
                    .since(moment(state.since));
                }
                Step::new(kind, StepVerdict::Waiting, text)
                    .since(fetched)
                    .due(due)
            }
            None => Step::new(kind, StepVerdict::Unknown, has).since(fetched),
        }
    }

    /// Whether the Kustomizations that hold the files have applied what source-controller has.
    pub(super) fn applied(
        &self,
        preview: &Preview,
        paths: &BTreeSet<&str>,
        image: &str,
    ) -> Vec<Step> {
        let holding = self.holding(preview, paths);
        if holding.is_empty() {
            let text = match hidden(self.delivered, Kind::Kustomization) {
                Some(hidden) => hidden.why.clone(),
                None => format!(
                    "no Kustomization of {} builds these files",
                    preview.source.key
                ),
            };
            return vec![Step::new(StepKind::Applied, StepVerdict::Unknown, text)];
        }
        self.applied_by(&holding, &preview.source.key, image)
    }

    /// Whether these Kustomizations, and the HelmReleases among what they applied that run `image`, are done.
    pub(super) fn applied_by(
        &self,
        holding: &[&Kustomization],
        source: &ObjectKey,
        image: &str,
    ) -> Vec<Step> {
        let source = self.sources.get(source);
        let mut steps: Vec<Step> = holding
            .iter()
            .map(|kustomization| kustomized(kustomization, source))
            .collect();
        let released = self.releases_of(holding, image);
        steps.extend(released.into_iter().map(released_by));
        steps
    }

    /// The Kustomizations of a source behind which something runs `image`.
    pub(super) fn behind_image(&self, source: &ObjectKey, image: &str) -> Vec<&Kustomization> {
        let of_source = self
            .delivered
            .kustomizations
            .values()
            .filter(|kustomization| delivery::builds(kustomization, source));
        let runs_it = |kustomization: &&Kustomization| {
            let mut workloads = self.delivered.workloads.iter();
            workloads.any(|((kind, key), workload)| {
                runs(workload, image) && self.is_behind(&[kustomization], *kind, key, workload)
            })
        };
        of_source.filter(runs_it).collect()
    }

    /// The HelmReleases that these Kustomizations have applied and that run `image`.
    fn releases_of(&self, holding: &[&Kustomization], image: &str) -> Vec<&HelmRelease> {
        let applied: BTreeSet<ObjectKey> = holding
            .iter()
            .flat_map(|kustomization| delivery::applied(kustomization))
            .filter(|object| object.kind == Kind::HelmRelease.name())
            .map(|object| object.key)
            .collect();
        let releases = self.delivered.helm_releases.values();
        let runs_it = |release: &&HelmRelease| {
            let mut workloads = self.delivered.workloads.values();
            workloads.any(|workload| is_of(workload, release) && runs(workload, image))
        };
        releases
            .filter(|release| applied.contains(&release.key))
            .filter(runs_it)
            .collect()
    }

    fn holding(&self, preview: &Preview, paths: &BTreeSet<&str>) -> Vec<&Kustomization> {
        self.delivered
            .kustomizations
            .values()
            .filter(|kustomization| delivery::builds(kustomization, &preview.source.key))
            .filter(|kustomization| {
                paths
                    .iter()
                    .any(|path| delivery::holds(kustomization, path))
            })
            .collect()
    }

    /// What the workloads run that the Kustomizations have applied and that use the policy's image.
    pub(super) fn running(
        &self,
        preview: &Preview,
        paths: &BTreeSet<&str>,
        latest: &ImageRef,
    ) -> Vec<Step> {
        self.running_behind(&self.holding(preview, paths), latest)
    }

    /// The tags of an image that the workloads run which the Kustomizations have applied.
    pub(super) fn tags_running(
        &self,
        preview: &Preview,
        paths: &BTreeSet<&str>,
        image: &str,
    ) -> BTreeSet<String> {
        let holding = self.holding(preview, paths);
        let workloads = self.delivered.workloads.iter();
        workloads
            .filter(|((kind, key), workload)| self.is_behind(&holding, *kind, key, workload))
            .flat_map(|(_, workload)| &workload.containers)
            .filter_map(|container| tag_of(&container.image, image))
            .collect()
    }

    /// What the workloads behind these Kustomizations run of the policy's image.
    pub(super) fn running_behind(
        &self,
        holding: &[&Kustomization],
        latest: &ImageRef,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        for ((kind, key), workload) in &self.delivered.workloads {
            if self.is_behind(holding, *kind, key, workload) {
                steps.extend(self.runs(*kind, key, workload, latest));
            }
        }
        if steps.is_empty() {
            let kinds = Kind::WORKLOADS.into_iter();
            let why = kinds
                .filter_map(|kind| hidden(self.delivered, kind))
                .map(|hidden| hidden.why.clone())
                .next();
            steps.push(Step::new(
                StepKind::Running,
                StepVerdict::Unknown,
                why.unwrap_or_else(|| {
                    format!(
                        "no workload with {} is seen among what is applied",
                        latest.name
                    )
                }),
            ));
        }
        steps
    }

    /// Whether a workload comes from these Kustomizations, straight or through a HelmRelease, or was named.
    pub(super) fn is_behind(
        &self,
        holding: &[&Kustomization],
        kind: Kind,
        key: &ObjectKey,
        workload: &Workload,
    ) -> bool {
        if self.named.iter().any(|named| *named == (kind, key.clone())) {
            return true;
        }
        let applied = |kustomization: &&Kustomization| {
            delivery::applied(kustomization).into_iter().any(|object| {
                let itself = object.kind == kind.name() && object.key == *key;
                let release = self.delivered.helm_releases.get(&object.key);
                let released = object.kind == Kind::HelmRelease.name()
                    && release.is_some_and(|release| is_of(workload, release));
                itself || released
            })
        };
        holding.iter().any(applied)
    }

    fn runs(
        &self,
        kind: Kind,
        key: &ObjectKey,
        workload: &Workload,
        latest: &ImageRef,
    ) -> Vec<Step> {
        let since = workload.since.as_deref().and_then(moment);
        let age = since.map_or_else(String::new, |since| {
            format!(" for {}", age::since(since, self.now))
        });
        let pods = workload.pods.map_or_else(String::new, |(ready, all)| {
            format!(", {ready} of {all} pods")
        });
        let all_ready = workload.pods.is_none_or(|(ready, all)| ready >= all);
        let images = workload
            .containers
            .iter()
            .filter_map(|container| tag_of(&container.image, &latest.name));
        let tags: BTreeSet<String> = images.collect();
        let step = |tag: String| {
            let verdict = if tag == latest.tag && all_ready {
                StepVerdict::Ok
            } else {
                StepVerdict::Waiting
            };
            let text = format!("{tag} in {kind} {key}{age}{pods}");
            Step::new(StepKind::Running, verdict, text).since(since)
        };
        tags.into_iter().map(step).collect()
    }
}

/// Whether a Kustomization has applied what source-controller has.
fn kustomized(kustomization: &Kustomization, source: Option<&GitRepository>) -> Step {
    let kind = StepKind::Applied;
    let key = &kustomization.key;
    let status = &kustomization.status;
    let state = readiness(&status.conditions);
    let since = moment(state.since);
    let has = match delivery::commit_of(&status.last_applied_revision) {
        Some(commit) => format!(
            "Kustomization {key} has applied {}",
            short_revision(&status.last_applied_revision, commit)
        ),
        None => format!("Kustomization {key} has applied nothing yet"),
    };
    if kustomization.spec.suspend {
        let finding = crate::findings::policies::suspended("Kustomization", key);
        return Step::stuck(kind, finding.id, format!("{has}; it is suspended")).remedy(format!(
            "flux resume kustomization {} -n {}",
            key.name, key.namespace
        ));
    }
    let wanted = source
        .and_then(|source| source.status.artifact.as_ref())
        .map(|artifact| artifact.revision.as_str());
    if wanted == Some(status.last_applied_revision.as_str()) && state.ready != "False" {
        return Step::ok(kind, has).since(since);
    }
    if state.ready == "False" && !state.reason.is_empty() {
        return Step::stuck(
            kind,
            "apply-fails",
            format!("{has}; {}: {}", state.reason, state.message),
        )
        .since(since);
    }
    Step::new(kind, StepVerdict::Waiting, has).since(since)
}

/// Whether a HelmRelease has released what it was given.
fn released_by(release: &HelmRelease) -> Step {
    let kind = StepKind::Applied;
    let key = &release.key;
    let state = readiness(&release.status.conditions);
    let since = moment(state.since);
    if release.spec.suspend {
        let finding = crate::findings::policies::suspended("HelmRelease", key);
        let text = format!("HelmRelease {key} is suspended");
        return Step::stuck(kind, finding.id, text).remedy(format!(
            "flux resume helmrelease {} -n {}",
            key.name, key.namespace
        ));
    }
    let says = format!("HelmRelease {key}: {}: {}", state.reason, state.message);
    match state.ready {
        "False" if !state.reason.is_empty() => Step::stuck(kind, "apply-fails", says).since(since),
        "True"
            if release
                .generation
                .is_none_or(|generation| release.status.observed_generation >= generation) =>
        {
            Step::ok(kind, says).since(since)
        }
        _ => Step::new(
            kind,
            StepVerdict::Waiting,
            format!("HelmRelease {key} is at work"),
        )
        .since(since),
    }
}

pub(super) fn is_of(workload: &Workload, release: &HelmRelease) -> bool {
    let [name, namespace] = RELEASE_LABELS;
    workload.labels.get(name) == Some(&release.key.name)
        && workload.labels.get(namespace) == Some(&release.key.namespace)
}

fn runs(workload: &Workload, image: &str) -> bool {
    let mut containers = workload.containers.iter();
    containers.any(|container| tag_of(&container.image, image).is_some())
}

/// The push branch, where source-controller follows another.
fn followed_elsewhere<'a>(source: &GitRepository, preview: &'a Preview) -> Option<&'a str> {
    let branches = preview.branches.as_ref()?;
    let reference = source.spec.reference.clone().unwrap_or_default();
    let follows = if reference.branch.is_empty() && reference.tag.is_empty() {
        "master"
    } else {
        &reference.branch
    };
    let merged = preview.files.is_empty()
        && (preview.push_branch_exists == Some(false) || preview.parent == preview.source.commit);
    (branches.switched && branches.push_branch != follows && !merged)
        .then_some(branches.push_branch.as_str())
}

fn short_revision(revision: &str, commit: &str) -> String {
    let short = commit.get(..7).unwrap_or(commit);
    match revision.rsplit_once("@sha1:") {
        Some((name, _)) => format!("{name}@{short}"),
        None => short.to_owned(),
    }
}

/// The tag (or digest) of `image`, if it is one of the image called `name`.
pub(super) fn tag_of(image: &str, name: &str) -> Option<String> {
    let canonical = |one: &str| {
        let reference = Reference::parse(one).ok();
        reference.map(|reference| reference.repository.to_string())
    };
    if canonical(image)? != canonical(name)? {
        return None;
    }
    let without_digest = image.split('@').next().unwrap_or(image);
    let last = without_digest.rsplit('/').next().unwrap_or(without_digest);
    Some(match last.split_once(':') {
        Some((_, tag)) => tag.to_owned(),
        None => image
            .split_once('@')
            .map_or("latest", |(_, digest)| digest)
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::tag_of;

    #[test]
    fn the_tag_is_that_of_the_same_image() {
        assert_eq!(
            tag_of("ghcr.io/a/b:1.2", "ghcr.io/a/b").as_deref(),
            Some("1.2")
        );
        assert_eq!(
            tag_of("docker.io/library/nginx:1", "nginx").as_deref(),
            Some("1")
        );
        assert_eq!(
            tag_of("host:5000/ab", "host:5000/ab").as_deref(),
            Some("latest")
        );
        assert_eq!(tag_of("a/b:1", "a/c"), None);
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(tag_of(&format!("a/b@{digest}"), "a/b"), Some(digest));
    }
}
