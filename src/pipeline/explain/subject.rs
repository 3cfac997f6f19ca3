//! What is to be explained: what the user named, and which policies, automations and markers that means.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use crate::controllers::flux::{ImagePolicy, ImageUpdateAutomation, ObjectKey};
use crate::controllers::repository;
use crate::controllers::setters::{self, Setters, SourceFile};
use crate::facts::cluster::{Container, Kind, Objects};
use crate::failure::{Failure, FailureKind};
use crate::go::reference::Reference;
use crate::io::cluster;
use crate::io::local_file::{self, LocalFile};
use crate::pipeline::request::{Named, NamespaceScope, ObjectRequest, ObjectSource};
use crate::pipeline::session::Session;
use crate::pipeline::stages::{Inputs, PreviewedMarker};

/// What a user names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Image objects, by type or by type and name.
    Named(Named),
    /// A workload, by kind and name.
    Workload(Kind, String),
    /// Anything else: a file, a name, or an image, whichever it turns out to be.
    Word(String),
}

/// A subject whose meaning outside of the image objects is known.
pub(super) enum Located {
    Named(Named),
    /// A bare word that may be a name or an image.
    NameOrImage(String),
    /// An image, with the tag that was named.
    Image(String, Option<String>),
    /// A file of a repository.
    File(MarkedFile),
    /// A workload of the cluster.
    Workload(Kind, ObjectKey, Vec<Container>),
}

/// A file, perhaps with a line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedFile {
    /// The path from the repository's top.
    pub path: String,
    /// The line, from 1; none: all of them.
    pub line: Option<usize>,
    /// The policies that the file's markers there name, where the file is on this disk.
    pub policies: Option<BTreeSet<ObjectKey>>,
}

impl MarkedFile {
    /// Whether a marker of a preview is there.
    pub(super) fn holds(&self, marker: &PreviewedMarker) -> bool {
        marker.path == self.path && self.line.is_none_or(|line| marker.line == line)
    }
}

impl fmt::Display for MarkedFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}", self.path),
            None => formatter.write_str(&self.path),
        }
    }
}

/// What the subjects mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Aim {
    pub(super) policies: BTreeSet<ObjectKey>,
    /// Policies of which the files will tell whether they are meant.
    pub(super) candidates: BTreeSet<ObjectKey>,
    pub(super) automations: BTreeSet<ObjectKey>,
    pub(super) files: Vec<MarkedFile>,
    /// Workloads to show, whatever the Kustomizations hold.
    pub(super) workloads: Vec<(Kind, ObjectKey)>,
    /// The tag that was named with an image.
    pub(super) tag: Option<String>,
    /// What was named and isn't there.
    pub(super) failures: Vec<Failure>,
    pub(super) notes: Vec<String>,
    /// Whether nothing was named.
    pub(super) everything: bool,
}

/// Finds out what can be found out before the image objects are loaded: files and workloads.
pub(super) fn locate(
    subjects: &[Subject],
    objects: &ObjectRequest,
    session: &Session,
) -> Result<Vec<Located>, Failure> {
    let one = |subject: &Subject| match subject {
        Subject::Named(named) => Ok(Located::Named(named.clone())),
        Subject::Workload(kind, name) => workload(*kind, name, objects, session),
        Subject::Word(word) => self::word(word, session),
    };
    subjects.iter().map(one).collect()
}

fn word(word: &str, session: &Session) -> Result<Located, Failure> {
    let (path, line) = place(word);
    let always_a_file = ["./", "../", "/"]
        .iter()
        .any(|start| word.starts_with(start));
    for (path, line) in [(word, None), (path, line)] {
        let file = if session.is_recorded() {
            session.recorded_file(path)
        } else {
            local_file::read(Path::new(path)).map_err(Failure::invalid_input)?
        };
        if let Some(file) = file {
            return marked_file(&file, line).map(Located::File);
        }
    }
    if always_a_file {
        return Err(Failure::invalid_input(format!(
            "{path}: there is no such file"
        )));
    }
    let looks_like_manifest = [".yaml", ".yml"].iter().any(|end| path.ends_with(end));
    if looks_like_manifest && (path.contains('/') || line.is_some()) {
        return Ok(Located::File(MarkedFile {
            path: local_file::with_slashes(Path::new(path)),
            line,
            policies: None,
        }));
    }
    Ok(match image_and_tag(word) {
        (image, Some(tag)) => Located::Image(image.to_owned(), Some(tag.to_owned())),
        (image, None) if image.contains('/') => Located::Image(image.to_owned(), None),
        (name, None) => Located::NameOrImage(name.to_owned()),
    })
}

/// `FILE:LINE`, taken apart.
fn place(word: &str) -> (&str, Option<usize>) {
    match word.rsplit_once(':') {
        Some((path, line)) if !path.is_empty() => match line.parse() {
            Ok(line) => (path, Some(line)),
            Err(_) => (word, None),
        },
        _ => (word, None),
    }
}

/// `IMAGE:TAG`, taken apart; a digest is left out.
fn image_and_tag(word: &str) -> (&str, Option<&str>) {
    let image = word.split('@').next().unwrap_or(word);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') && !name.is_empty() => (name, Some(tag)),
        _ => (image, None),
    }
}

fn marked_file(file: &LocalFile, line: Option<usize>) -> Result<MarkedFile, Failure> {
    let named = file.path.display();
    let source = SourceFile {
        path: &file.repository_path,
        bytes: &file.bytes,
    };
    let found = Setters::new(&[]).and_then(|none| setters::update(&[source], &none));
    let markers = found
        .map_err(|failure| {
            let message = format!("{named}: its markers can't be told: {}", failure.message);
            Failure::invalid_input(message)
        })?
        .markers;
    let there: Vec<_> = markers
        .iter()
        .filter(|marker| line.is_none_or(|line| marker.line == line))
        .collect();
    if there.is_empty() {
        let lines: BTreeSet<String> = markers
            .iter()
            .map(|marker| marker.line.to_string())
            .collect();
        let lines: Vec<String> = lines.into_iter().collect();
        return Err(Failure::invalid_input(match (line, lines.as_slice()) {
            (_, []) => format!(
                "{named} holds no marker: a field is updated where # {{\"$imagepolicy\": \"NAMESPACE:POLICY\"}} stands behind its value"
            ),
            (line, lines) => format!(
                "{named}:{}: there is no marker on this line; the file has some on {}",
                line.unwrap_or_default(),
                lines.join(", ")
            ),
        }));
    }
    let policies = there
        .iter()
        .filter_map(|marker| policy_of(marker.setter.as_deref()?));
    Ok(MarkedFile {
        path: file.repository_path.clone(),
        line,
        policies: Some(policies.collect()),
    })
}

/// The policy that a setter names.
fn policy_of(setter: &str) -> Option<ObjectKey> {
    let mut parts = setter.split(':');
    Some(ObjectKey::new(parts.next()?, parts.next()?))
}

fn workload(
    kind: Kind,
    name: &str,
    objects: &ObjectRequest,
    session: &Session,
) -> Result<Located, Failure> {
    if objects.source != ObjectSource::Cluster {
        return Err(Failure::usage(format!(
            "{kind} {name}: workloads are looked up in the cluster; with -f name a FILE or FILE:LINE"
        )));
    }
    let NamespaceScope::One(namespace) = &objects.scope else {
        return Err(Failure::usage(format!(
            "{kind} {name}: a workload can't be named across all namespaces: use -n instead of -A"
        )));
    };
    let key = ObjectKey::new(namespace, name);
    let cluster = session.cluster()?;
    let found = session.wait(
        FailureKind::Cluster,
        "reading the cluster",
        cluster.get(kind, &key),
    )??;
    let Some(found) = found else {
        return Err(Failure::cluster(format!(
            "there is no {kind} {name} in namespace {namespace}"
        )));
    };
    let mut read = Objects::default();
    cluster::add(&mut read, kind, &found).map_err(Failure::cluster)?;
    let containers = read.workloads.remove(&(kind, key.clone()));
    let containers = containers.unwrap_or_default().containers;
    Ok(Located::Workload(kind, key, containers))
}

/// Where image objects are looked for: where they may be when a file or a workload was named.
pub(super) fn widened(located: &[Located], objects: &ObjectRequest) -> ObjectRequest {
    let wide = located.iter().any(|one| match one {
        Located::Workload(..) => true,
        Located::File(file) => file.policies.as_ref().is_some_and(|policies| {
            let elsewhere = |key: &ObjectKey| !objects.scope.includes(&key.namespace);
            policies.iter().any(elsewhere)
        }),
        _ => false,
    });
    ObjectRequest {
        scope: if wide {
            NamespaceScope::All
        } else {
            objects.scope.clone()
        },
        ..objects.clone()
    }
}

/// Says which policies and automations of `inputs` are meant.
pub(super) fn settle(located: Vec<Located>, inputs: &Inputs, objects: &ObjectRequest) -> Aim {
    let settling = Settling { inputs, objects };
    let mut aim = Aim {
        everything: located.is_empty(),
        ..Aim::default()
    };
    if located.is_empty() {
        aim.policies
            .extend(settling.policies().map(|policy| policy.key.clone()));
        aim.automations
            .extend(settling.automations().map(|one| one.key.clone()));
    }
    for one in located {
        settling.one(one, &mut aim);
    }
    aim
}

struct Settling<'a> {
    inputs: &'a Inputs,
    objects: &'a ObjectRequest,
}

impl<'a> Settling<'a> {
    fn policies(&self) -> impl Iterator<Item = &'a ImagePolicy> {
        let objects = self.objects;
        let selector = objects.selector.as_ref();
        self.inputs.objects.policies.values().filter(move |policy| {
            objects.scope.includes(&policy.key.namespace)
                && selector.is_none_or(|(_, selector)| selector.matches(&policy.labels))
        })
    }

    fn automations(&self) -> impl Iterator<Item = &'a ImageUpdateAutomation> {
        let objects = self.objects;
        let automations = self.inputs.objects.automations.values();
        automations.filter(move |automation| objects.scope.includes(&automation.key.namespace))
    }

    fn one(&self, located: Located, aim: &mut Aim) {
        match located {
            Located::Named(named) => self.named(&named, aim),
            Located::NameOrImage(word) => {
                let named = Named::Any(word.clone());
                if self.has(&named) {
                    self.named(&named, aim);
                } else if !self.image(&word, aim) {
                    aim.failures.push(self.missing(&format!(
                        "nothing is called {word}: no file, no ImageRepository, ImagePolicy or ImageUpdateAutomation, and no ImagePolicy is on an image of that name"
                    )));
                }
            }
            Located::Image(image, tag) => {
                if !self.image(&image, aim) {
                    let message = match kept_by_another(&image) {
                        Some(name) => format!(
                            "{image} is no image of an ImagePolicy; if a Pod, ReplicaSet or Job is meant: name what made it, as deploy/{name}"
                        ),
                        None => format!("no ImagePolicy is on the image {image}"),
                    };
                    aim.failures.push(self.missing(&message));
                }
                aim.tag = tag.or(aim.tag.take());
            }
            Located::File(file) => self.file(file, aim),
            Located::Workload(kind, key, containers) => {
                let before = aim.policies.len();
                for container in &containers {
                    self.image(image_and_tag(&container.image).0, aim);
                }
                if aim.policies.len() == before {
                    let images: Vec<&str> = containers
                        .iter()
                        .map(|container| container.image.as_str())
                        .collect();
                    let message = format!(
                        "{kind} {key}: no ImagePolicy is on an image of its containers ({})",
                        images.join(", ")
                    );
                    aim.failures.push(self.missing(&message));
                }
                aim.workloads.push((kind, key));
            }
        }
    }

    fn missing(&self, message: &str) -> Failure {
        let namespaces = match &self.objects.scope {
            NamespaceScope::One(namespace) => format!(" (namespace {namespace})"),
            NamespaceScope::All => String::new(),
        };
        let message = format!("{message}{namespaces}");
        if self.inputs.live {
            Failure::cluster(message)
        } else {
            Failure::invalid_input(message)
        }
    }

    fn has(&self, named: &Named) -> bool {
        let mut aim = Aim::default();
        self.named(named, &mut aim);
        aim.failures.is_empty()
    }

    fn named(&self, named: &Named, aim: &mut Aim) {
        let policies = self.policies();
        let policies: Vec<&ObjectKey> = policies
            .map(|policy| &policy.key)
            .filter(|key| named.means(Kind::ImagePolicy, &key.name))
            .collect();
        let automations: Vec<&ObjectKey> = self
            .automations()
            .map(|automation| &automation.key)
            .filter(|key| named.means(Kind::ImageUpdateAutomation, &key.name))
            .collect();
        let repositories: Vec<&ObjectKey> = self
            .inputs
            .objects
            .repositories
            .keys()
            .filter(|key| self.objects.scope.includes(&key.namespace))
            .filter(|key| named.means(Kind::ImageRepository, &key.name))
            .collect();
        let found = policies.len() + automations.len() + repositories.len();
        if found == 0 && !matches!(named, Named::All(_)) {
            aim.failures
                .push(self.missing(&format!("there is no {named}")));
        }
        aim.policies.extend(policies.into_iter().cloned());
        aim.automations.extend(automations.into_iter().cloned());
        for repository in repositories {
            let mut on_it = self.inputs.objects.policies.values().filter(|policy| {
                let reference = &policy.spec.image_repository_ref;
                reference.key_from(&policy.key.namespace) == *repository
            });
            let first = on_it.next();
            if first.is_none() {
                aim.notes.push(format!(
                    "no ImagePolicy chooses from ImageRepository {repository}: its scans change nothing"
                ));
            }
            aim.policies.extend(
                first
                    .into_iter()
                    .chain(on_it)
                    .map(|policy| policy.key.clone()),
            );
        }
    }

    /// Adds the policies on an image; says whether there are any.
    fn image(&self, image: &str, aim: &mut Aim) -> bool {
        let Some(wanted) = canonical(image) else {
            return false;
        };
        let mut found = false;
        for policy in self.inputs.objects.policies.values() {
            if !self.objects.scope.includes(&policy.key.namespace) {
                continue;
            }
            let key = policy
                .spec
                .image_repository_ref
                .key_from(&policy.key.namespace);
            let repository = self.inputs.objects.repositories.get(&key);
            let name = match repository {
                Some(repository) => canonical(&repository.spec.image),
                None => policy
                    .status
                    .latest()
                    .and_then(|latest| canonical(&latest.name)),
            };
            if name.as_deref() == Some(&wanted) {
                found = true;
                aim.policies.insert(policy.key.clone());
            }
        }
        found
    }

    fn file(&self, file: MarkedFile, aim: &mut Aim) {
        let known = |key: &&ObjectKey| self.inputs.objects.policies.contains_key(*key);
        match &file.policies {
            Some(policies) => aim.policies.extend(policies.iter().filter(known).cloned()),
            // Only the clone tells which policies they are.
            None => aim
                .candidates
                .extend(self.policies().map(|policy| policy.key.clone())),
        }
        aim.files.push(file);
    }
}

/// The canonical name of an image as users write it.
fn canonical(image: &str) -> Option<String> {
    if let Ok(name) = repository::canonical_image_name(image) {
        return Some(name);
    }
    let reference = Reference::parse(image).ok()?;
    Some(reference.repository.to_string())
}

/// The name in `pod/NAME` and the like: kinds whose objects are made by the workloads that can be named.
fn kept_by_another(word: &str) -> Option<&str> {
    let (kind, name) = word.split_once('/')?;
    matches!(
        kind.to_ascii_lowercase().as_str(),
        "po" | "pod" | "pods" | "rs" | "replicaset" | "replicasets" | "job" | "jobs"
    )
    .then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_images_are_taken_apart() {
        assert_eq!(place("a.yaml:4"), ("a.yaml", Some(4)));
        assert_eq!(place("a.yaml"), ("a.yaml", None));
        assert_eq!(place("a:b"), ("a:b", None));
        assert_eq!(image_and_tag("host:5000/a"), ("host:5000/a", None));
        assert_eq!(image_and_tag("host:5000/a:1"), ("host:5000/a", Some("1")));
        assert_eq!(image_and_tag("a:1@sha256:0"), ("a", Some("1")));
    }
}
