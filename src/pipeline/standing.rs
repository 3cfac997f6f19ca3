//! Where every marker and every image stands, for `get markers` and `get images`: the stages up to the preview, told as rows.

mod place;

use std::collections::{BTreeMap, BTreeSet};

use crate::controllers::flux::{ImagePolicy, ImageRef, ObjectKey};
use crate::controllers::policy::{self, PolicySpec};
use crate::controllers::setters::changes::ObjectIdentifier;
use crate::facts::cluster::Objects;
use crate::failure::{Failure, FailureKind};
use crate::findings::choices::Choice;

use super::checkout::Checkouts;
use super::diagnose::repository_of;
use super::explain::{observe, running};
use super::request::{ObjectRequest, Request};
use super::session::Session;
use super::stages::{
    Decisions, ImageOrigin, Inputs, MarkerFate, Preview, PreviewedMarker, Recomputed, Scan, Scans,
};
use super::{decide, fetch, load, preview};

/// What a table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A row for each marker.
    Markers,
    /// A row for each policy.
    Images,
}

/// Every marker or every image in scope, and what there is to say besides.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The automations that fail before anybody sees their markers.
    pub unseen: Vec<ObjectKey>,
    /// The kubeconfig's context; none offline.
    pub context: Option<String>,
    /// By namespace, file and line; empty for images.
    pub markers: Vec<MarkerRow>,
    /// By policy; empty for markers.
    pub images: Vec<ImageRow>,
    /// What we could not find out.
    pub failures: Vec<Failure>,
    /// Controllers that fail: object and message.
    pub troubles: Vec<String>,
    /// Remarks for the user.
    pub notes: Vec<String>,
    /// Where there are such objects, looked up only when none were found.
    pub namespaces_elsewhere: Vec<String>,
}

/// One marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkerRow {
    /// The automation that reads the file; where several do, the one that comes to set the marker.
    pub automation: ObjectKey,
    /// Its GitRepository.
    pub source: ObjectKey,
    /// The object that holds the field, where it can be told.
    pub object: Option<ObjectIdentifier>,
    /// The path relative to the repository's top.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What the marker names, where it can be read.
    pub setter: Option<String>,
    /// The policy in that.
    pub policy: Option<ObjectKey>,
    /// The field's text in git, where it can be told.
    pub in_git: Option<String>,
    /// What the field would hold if it were set now; none: the policy has no latest image, or isn't known.
    pub latest: Option<String>,
    /// The tags that run of this image behind the file, sorted; none: that is not known.
    pub running: Option<Vec<String>>,
    /// What becomes of it.
    pub fate: MarkerFate,
}

impl MarkerRow {
    /// Whether git holds something else than the policy's latest.
    pub fn is_outdated(&self) -> bool {
        self.latest.is_some() && self.in_git != self.latest
    }
}

/// One policy, and what becomes of its choice.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageRow {
    /// The policy.
    pub policy: ObjectKey,
    /// Its ImageRepository.
    pub repository: ObjectKey,
    /// The image's name, where it is known.
    pub image: Option<String>,
    /// The texts of its markers' fields, as many as are different, sorted; none: the files could not be read.
    pub in_git: Option<Vec<MarkedValue>>,
    /// How many markers name it.
    pub markers: usize,
    /// What is chosen now.
    pub latest: Option<(ImageRef, ImageOrigin)>,
    /// The newest version that the policy's range keeps out, if it is newer than what is chosen.
    pub newer_outside_range: Option<String>,
}

/// What a field holds, and the part of an image that it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MarkedValue {
    /// The text.
    pub text: String,
    /// `tag`, `name` or `digest`; empty: a whole image.
    pub part: String,
}

impl ImageRow {
    /// Whether git holds something else than what is chosen, or something newer is kept out.
    pub fn is_outdated(&self) -> bool {
        let behind = self.latest.as_ref().is_some_and(|(latest, _)| {
            let values = self.in_git.iter().flatten();
            let mut others =
                values.filter(|value| field_of(latest, &value.part) != Some(value.text.clone()));
            others.next().is_some()
        });
        behind || self.newer_outside_range.is_some()
    }
}

/// Looks at the markers or images of the policies in scope that `names` names; none: of all.
///
/// # Errors
///
/// The cluster can't be asked, the recording can't be read, or a flag makes no sense.
pub fn standing(
    request: &Request,
    subject: Subject,
    names: &[String],
    session: &Session,
) -> Result<Standing, Failure> {
    // -l is about policies here: every automation may have a say about their markers.
    let whole = Request {
        objects: ObjectRequest {
            selector: None,
            ..request.objects.clone()
        },
        ..request.clone()
    };
    let mut inputs = load(&whole, session)?;
    let policies: BTreeSet<ObjectKey> = inputs
        .objects
        .policies
        .values()
        .filter(|policy| counts(policy, request))
        .map(|policy| policy.key.clone())
        .collect();
    if subject == Subject::Images {
        inputs.recomputed = Recomputed::Only(inputs.objects.policies.keys().cloned().collect());
    }
    let (scans, checkouts) = fetch(&whole, &inputs, session)?;
    let decisions = decide(&whole, &inputs, &scans, session)?;
    let previews = preview(&whole, &inputs, &decisions, &checkouts)?;
    let looking = Looking {
        request,
        names,
        policies: &policies,
        inputs: &inputs,
        scans: &scans,
        decisions: &decisions,
        previews: &previews,
    };
    let mut standing = Standing {
        context: session.context().map(str::to_owned),
        ..Standing::default()
    };
    looking.remarks(subject, &mut standing);
    let delivered = if subject == Subject::Markers && inputs.live {
        delivered(&previews, session)?
    } else {
        None
    };
    let hidden = delivered.iter().flat_map(|delivered| &delivered.hidden);
    if let Some(hidden) = hidden.into_iter().find(|hidden| hidden.forbidden) {
        let note = format!("not all that runs can be seen: {}", hidden.why);
        standing.notes.push(note);
    }
    let markers = looking.markers(&checkouts, delivered.as_ref());
    match subject {
        Subject::Markers => standing.markers = looking.named(markers),
        Subject::Images => standing.images = looking.images(&markers),
    }
    Ok(standing)
}

fn counts(policy: &ImagePolicy, request: &Request) -> bool {
    let selector = request.objects.selector.as_ref();
    request.objects.scope.includes(&policy.key.namespace)
        && selector.is_none_or(|(_, selector)| selector.matches(&policy.labels))
}

/// What kustomize-controller and helm-controller have made of the files, where some hold markers.
fn delivered(previews: &[Preview], session: &Session) -> Result<Option<Objects>, Failure> {
    let sources: BTreeSet<ObjectKey> = previews
        .iter()
        .filter(|preview| !preview.markers.located.is_empty())
        .map(|preview| preview.source.key.clone())
        .collect();
    if sources.is_empty() {
        return Ok(None);
    }
    Ok(Some(observe::delivered(&sources, &[], session)?.objects))
}

/// What rows are made from.
struct Looking<'a> {
    request: &'a Request,
    names: &'a [String],
    policies: &'a BTreeSet<ObjectKey>,
    inputs: &'a Inputs,
    scans: &'a Scans,
    decisions: &'a Decisions,
    previews: &'a [Preview],
}

impl Looking<'_> {
    fn remarks(&self, subject: Subject, standing: &mut Standing) {
        let notes = self.inputs.notes.iter().chain(&self.scans.notes);
        standing.notes.extend(notes.cloned());
        let problems = self.inputs.problems.iter();
        standing
            .failures
            .extend(problems.map(|problem| Failure::invalid_input(problem.to_string())));
        for preview in self.previews {
            standing.failures.extend(preview.troubles.iter().cloned());
            if let Some(unknown) = &preview.unknown {
                let message = format!("ImageUpdateAutomation {}: {}", preview.key, unknown.message);
                // An image has its row without any file.
                if subject == Subject::Images
                    && unknown.kind == FailureKind::Git
                    && !self.inputs.live
                {
                    standing
                        .notes
                        .push(format!("{message}: what is in git is not known"));
                } else {
                    standing.failures.push(Failure {
                        message,
                        ..unknown.clone()
                    });
                }
            }
            if let Some(error) = &preview.error {
                if preview.markers.located.is_empty() {
                    standing.unseen.push(preview.key.clone());
                }
                standing.troubles.push(format!(
                    "ImageUpdateAutomation {}: the controller fails ({}): {}",
                    preview.key, error.reason, error.message
                ));
            }
        }
        standing
            .failures
            .sort_by(|one, other| one.message.cmp(&other.message));
        standing
            .failures
            .dedup_by(|one, other| one.message == other.message);
        for name in self.names {
            if !self.policies.iter().any(|key| key.name == *name) {
                standing.failures.push(self.missing(name));
            }
        }
    }

    fn missing(&self, name: &str) -> Failure {
        let place = match &self.request.objects.scope {
            super::request::NamespaceScope::One(namespace) => format!("in namespace {namespace}"),
            super::request::NamespaceScope::All => format!("in the {}", load::place(self.inputs)),
        };
        let message = format!("there is no ImagePolicy {name} {place}");
        if self.inputs.live {
            Failure::cluster(message)
        } else {
            Failure::invalid_input(message)
        }
    }

    /// Those of the policies that were named; a marker whose policy isn't there is nobody's, and counts where none was named.
    fn named(&self, markers: Vec<MarkerRow>) -> Vec<MarkerRow> {
        let everything = self.names.is_empty() && self.request.objects.selector.is_none();
        let wanted = |row: &MarkerRow| match &row.policy {
            Some(policy) if !everything => self.is_wanted(policy),
            Some(_) => true,
            None => everything,
        };
        markers.into_iter().filter(wanted).collect()
    }

    fn is_wanted(&self, policy: &ObjectKey) -> bool {
        self.policies.contains(policy)
            && (self.names.is_empty() || self.names.contains(&policy.name))
    }

    /// Every marker that an automation of the run comes by, each once.
    fn markers(&self, checkouts: &Checkouts, delivered: Option<&Objects>) -> Vec<MarkerRow> {
        let mut rows: BTreeMap<(ObjectKey, String, usize, usize), MarkerRow> = BTreeMap::new();
        for preview in self.previews {
            let paths: BTreeSet<&str> = preview
                .markers
                .located
                .iter()
                .map(|marker| marker.path.as_str())
                .collect();
            let texts = place::texts(&paths, checkouts.of(&preview.key));
            for marker in &preview.markers.located {
                let row = self.marker(preview, marker, texts.get(&marker.path), delivered);
                let key = (row.source.clone(), row.path.clone(), row.line, row.column);
                match rows.get(&key) {
                    Some(known) if !known.fate.is_ignored() || row.fate.is_ignored() => {}
                    _ => drop(rows.insert(key, row)),
                }
            }
        }
        let mut rows: Vec<MarkerRow> = rows.into_values().collect();
        let order = |row: &MarkerRow| {
            (
                row.automation.namespace.clone(),
                row.path.clone(),
                row.line,
                row.column,
            )
        };
        rows.sort_by_key(order);
        rows
    }

    fn marker(
        &self,
        preview: &Preview,
        marker: &PreviewedMarker,
        text: Option<&place::Text>,
        delivered: Option<&Objects>,
    ) -> MarkerRow {
        let policy = marker.policy();
        let object = text
            .and_then(|text| text.object_at(marker.line))
            .or_else(|| changed_object(preview, marker));
        let in_git = match &marker.fate {
            MarkerFate::Applied { old, .. } => Some(old.clone()),
            MarkerFate::UpToDate { value } => Some(value.clone()),
            MarkerFate::Ignored { .. } | MarkerFate::Unknown { .. } => {
                text.and_then(|text| text.value_at(marker.line))
            }
        };
        let image = policy
            .as_ref()
            .and_then(|policy| self.latest(policy))
            .map(|(image, _)| image);
        let part = marker.setter.as_deref().map(part_of).unwrap_or_default();
        let latest = image.and_then(|image| field_of(image, part));
        let running = image.zip(delivered).and_then(|(image, delivered)| {
            let behind = running::Behind {
                source: &preview.source.key,
                path: &marker.path,
                object: object
                    .as_ref()
                    .map(|object| (object.kind.as_str(), object.name.as_str())),
            };
            running::tags(
                &behind,
                &image.name,
                &self.inputs.objects.git_repositories,
                delivered,
            )
        });
        MarkerRow {
            automation: preview.key.clone(),
            source: preview.source.key.clone(),
            object,
            path: marker.path.clone(),
            line: marker.line,
            column: marker.column,
            setter: marker.setter.clone(),
            policy,
            in_git,
            latest,
            running,
            fate: marker.fate.clone(),
        }
    }

    fn latest(&self, policy: &ObjectKey) -> Option<&(ImageRef, ImageOrigin)> {
        self.decisions.policies.get(policy)?.latest.as_ref()
    }

    fn images(&self, markers: &[MarkerRow]) -> Vec<ImageRow> {
        let wanted = self
            .inputs
            .objects
            .policies
            .values()
            .filter(|policy| self.is_wanted(&policy.key));
        wanted.map(|policy| self.image(policy, markers)).collect()
    }

    fn image(&self, policy: &ImagePolicy, markers: &[MarkerRow]) -> ImageRow {
        let of_policy: Vec<&MarkerRow> = markers
            .iter()
            .filter(|marker| marker.policy.as_ref() == Some(&policy.key))
            .collect();
        let values: BTreeSet<MarkedValue> = of_policy
            .iter()
            .filter_map(|marker| {
                Some(MarkedValue {
                    text: marker.in_git.clone()?,
                    part: part_of(marker.setter.as_deref()?).to_owned(),
                })
            })
            .collect();
        let mut here = self
            .previews
            .iter()
            .filter(|preview| preview.key.namespace == policy.key.namespace);
        let seen = here.all(|preview| preview.unknown.is_none() && preview.error.is_none());
        let repository = repository_of(policy);
        let latest = self.latest(&policy.key).cloned();
        let image = self.inputs.objects.repositories.get(&repository);
        let image = image
            .map(|image| image.spec.image.clone())
            .or_else(|| latest.as_ref().map(|(image, _)| image.name.clone()));
        ImageRow {
            policy: policy.key.clone(),
            newer_outside_range: self.newer(policy, &repository),
            repository,
            image,
            in_git: (seen || !values.is_empty()).then(|| values.into_iter().collect()),
            markers: of_policy.len(),
            latest,
        }
    }

    fn newer(&self, policy: &ImagePolicy, repository: &ObjectKey) -> Option<String> {
        let decision = self
            .decisions
            .policies
            .get(&policy.key)?
            .decision
            .as_ref()?;
        let Some(Scan::Tags { stored, .. }) = self.scans.repositories.get(repository) else {
            return None;
        };
        let traces = policy::verdicts(&PolicySpec::from(&policy.spec), stored, decision).ok()?;
        let choice = Choice {
            policy,
            decision,
            traces: &traces,
            stored: stored.len(),
        };
        choice
            .newest_outside_range()
            .map(|newest| newest.tag.clone())
    }
}

/// An item of a List is told from the others by what changes in it.
fn changed_object(preview: &Preview, marker: &PreviewedMarker) -> Option<ObjectIdentifier> {
    let file = preview.files.iter().find(|file| file.path == marker.path)?;
    let change = file
        .changes
        .iter()
        .find(|change| change.line == marker.line)?;
    Some(change.object.clone())
}

/// The part of an image that a setter sets: `tag`, `name` or `digest`; empty: the whole of it.
pub fn part_of(setter: &str) -> &str {
    setter.splitn(3, ':').nth(2).unwrap_or_default()
}

/// What a field receives of an image; none: there is no such part.
fn field_of(image: &ImageRef, part: &str) -> Option<String> {
    let ImageRef { name, tag, digest } = image;
    match part {
        "" if digest.is_empty() => Some(format!("{name}:{tag}")),
        "" => Some(format!("{name}:{tag}@{digest}")),
        "tag" => Some(tag.clone()),
        "name" => Some(name.clone()),
        // Without a digest the field is emptied.
        "digest" => Some(digest.clone()),
        _ => None,
    }
}
