//! Everything that is or will be wrong, for `doctor`: the stages up to the preview, and what there is to say about each of their
//! values, with causes before their consequences.

mod causes;
mod conditions;
mod controllers;
mod deliveries;
mod lint;
mod outside;
mod policies;
mod repositories;
mod updates;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::controllers::flux::{FluxVersion, ImageRef, Object, ObjectKey};
use crate::controllers::schedule::moment;
use crate::facts::cluster::{Hidden, Kind, Objects};
use crate::failure::Failure;
use crate::findings::references::{self, WrittenMarker};
use crate::findings::{Finding, Severity, Subject, installation};

use super::checkout::Checkouts;
use super::request::{NamespaceScope, ObjectRequest, ObjectSource, Request};
use super::session::Session;
use super::stages::{Decisions, Inputs, Preview, Recomputed, Scans};
use super::{decide, fetch, load, preview};

pub use lint::{LintRequest, lint};
pub(super) use policies::repository_of;

/// What was found in one cluster or one set of manifests.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// What was found, causes as places in this list.
    pub findings: Vec<Diagnosed>,
    /// How many image objects were looked at, and how many of them are the subject of a warning or an error.
    pub objects: (usize, usize),
    /// What we could not find out.
    pub failures: Vec<Failure>,
    /// Remarks for the user.
    pub notes: Vec<String>,
    /// The lines of files that findings are about, by path and number from 1.
    pub lines: BTreeMap<(String, usize), String>,
    /// The policies in scope and what they choose.
    pub policies: Vec<PolicyState>,
    /// How old what the controllers last did is.
    pub ages: Vec<Age>,
    /// What markers hold after their automation.
    written: Vec<WrittenMarker>,
    /// The markers that an automation comes by, by path and line, and whether they receive a value.
    markers: BTreeMap<(String, usize), bool>,
}

/// A policy and what it chooses.
#[derive(Clone, Debug)]
pub struct PolicyState {
    /// The kubeconfig's context or the input's name.
    pub context: Option<String>,
    /// The policy.
    pub key: ObjectKey,
    /// What its markers receive.
    pub latest: Option<ImageRef>,
    /// Whether it is the subject of a warning or an error.
    pub is_stuck: bool,
}

/// How long ago a controller last did something with an object.
#[derive(Clone, Debug)]
pub struct Age {
    /// The kubeconfig's context or the input's name.
    pub context: Option<String>,
    /// An ImageRepository, or an ImageUpdateAutomation.
    pub key: ObjectKey,
    /// Whether it was a scan of a repository, or a run of an automation.
    pub of_scan: bool,
    /// Seconds since.
    pub seconds: f64,
}

/// A finding and what it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosed {
    /// The kubeconfig's context or the input's name; none offline with a single input.
    pub context: Option<String>,
    /// The finding.
    pub finding: Finding,
    /// Places of its causes in the list, in ascending order.
    pub causes: Vec<usize>,
}

impl Diagnosis {
    /// The worst severity; none: nothing was found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings
            .iter()
            .map(|found| found.finding.severity)
            .max()
    }

    /// The findings that no other one explains, in order.
    pub fn roots(&self) -> impl Iterator<Item = usize> {
        let is_root =
            |(index, found): (usize, &Diagnosed)| found.causes.is_empty().then_some(index);
        self.findings.iter().enumerate().filter_map(is_root)
    }

    /// The findings that come from the one at `index`, in order.
    pub fn consequences(&self, index: usize) -> impl Iterator<Item = usize> {
        self.findings
            .iter()
            .enumerate()
            .filter(move |(_, found)| found.causes.contains(&index))
            .map(|(place, _)| place)
    }

    /// The same with remedies that call this program by `caller`.
    pub fn in_dialect(&self, caller: &str) -> Self {
        let mut same = self.clone();
        for found in &mut same.findings {
            let remedy = &mut found.finding.remedy;
            *remedy = remedy.replace("kubectl imageauto", caller);
        }
        same
    }

    /// A cluster that can't be asked, beside others that can.
    pub fn unreachable(context: &str, failure: &Failure) -> Self {
        Self {
            findings: vec![Diagnosed {
                context: Some(context.to_owned()),
                finding: installation::cluster_unreachable(context, &failure.message),
                causes: Vec::new(),
            }],
            failures: vec![failure.clone()],
            ..Self::default()
        }
    }

    /// Several inputs as one; automations of different inputs that write one marker differently are found here.
    pub fn together(all: Vec<Self>) -> Self {
        let mut whole = Self::default();
        for one in all {
            let offset = whole.findings.len();
            whole
                .findings
                .extend(one.findings.into_iter().map(|found| Diagnosed {
                    causes: found.causes.iter().map(|cause| cause + offset).collect(),
                    ..found
                }));
            whole.objects.0 += one.objects.0;
            whole.objects.1 += one.objects.1;
            whole.failures.extend(one.failures);
            whole.notes.extend(one.notes);
            whole.written.extend(one.written);
            whole.lines.extend(one.lines);
            for (place, receives) in one.markers {
                *whole.markers.entry(place).or_default() |= receives;
            }
            whole.policies.extend(one.policies);
            whole.ages.extend(one.ages);
        }
        for (writer, finding) in references::automations_overlap(&whole.written) {
            whole.findings.push(Diagnosed {
                context: whole.written[writer].context.clone(),
                finding,
                causes: Vec::new(),
            });
        }
        whole
    }
}

/// Looks at everything in the scope of `request`; `name` is what the input is called where there are several.
///
/// # Errors
///
/// The cluster can't be asked at all, or a flag makes no sense. What can be asked only in part stands in the result.
pub fn diagnose(
    request: &Request,
    name: Option<&str>,
    session: &Session,
) -> Result<Diagnosis, Failure> {
    let (request, inputs) = permitted(request, session)?;
    let (scans, checkouts) = fetch(&request, &inputs, session)?;
    let decisions = decide(&request, &inputs, &scans, session)?;
    let previews = preview(&request, &inputs, &decisions, &checkouts)?;
    let stages = Stages {
        request: &request,
        inputs: &inputs,
        scans: &scans,
        checkouts: &checkouts,
        decisions: &decisions,
        previews: &previews,
        now: session.now,
    };
    let mut findings = stages.findings();
    let problems = inputs.problems.iter();
    let unusable = problems.map(|problem| Failure::invalid_input(problem.to_string()));
    findings.failures.extend(unusable);
    if inputs.live {
        let health = controllers::health(&request.objects, &inputs.installation, session)?;
        findings.found.splice(..0, health);
        findings
            .found
            .extend(deliveries::look_at(&inputs, &previews, session)?);
    }
    findings
        .found
        .extend(unreadable_credentials(&request, session));
    updates::pushes(&previews, &inputs, &checkouts, session, &mut findings);
    if inputs.live {
        conditions::quote(&request, &inputs, &mut findings.found);
    }
    let context = name.or(session.context());
    Ok(stages.diagnosis(findings, context))
}

/// The values of all stages of a run.
struct Stages<'a> {
    request: &'a Request,
    inputs: &'a Inputs,
    scans: &'a Scans,
    checkouts: &'a Checkouts,
    decisions: &'a Decisions,
    previews: &'a [Preview],
    now: Timestamp,
}

/// What was found, and what we could not find out.
#[derive(Debug, Default)]
struct Findings {
    found: Vec<Finding>,
    failures: Vec<Failure>,
}

impl Stages<'_> {
    /// What the values themselves tell.
    fn findings(&self) -> Findings {
        let mut findings = Findings::default();
        findings.found.extend(unreadable(&self.inputs.objects));
        findings
            .found
            .extend(controllers::not_watched(self.request, self.inputs));
        findings.found.extend(old_versions(self.inputs));
        let looking = repositories::Repositories::new(self.inputs, self.scans, self.now);
        for repository in in_scope(self.request, &self.inputs.objects.repositories) {
            looking.look_at(repository, &mut findings);
        }
        let grounds = policies::Grounds {
            inputs: self.inputs,
            scans: self.scans,
            decisions: self.decisions,
            previews: self.previews,
        };
        for policy in in_scope(self.request, &self.inputs.objects.policies) {
            grounds.look_at(policy, &mut findings);
        }
        for preview in self.previews {
            updates::look_at(preview, self.inputs, &mut findings);
        }
        let outside = outside::look_at(self.inputs, self.previews, self.checkouts);
        findings.found.extend(outside);
        findings
    }

    /// The same with causes, and with what else is shown of the run.
    fn diagnosis(&self, findings: Findings, context: Option<&str>) -> Diagnosis {
        let objects = &self.inputs.objects;
        let found = unique(findings.found);
        let causes = causes::causes(&found, objects, &updates::marked(self.previews));
        let stuck = subjects(&found);
        let policies = in_scope(self.request, &objects.policies).map(|policy| PolicyState {
            context: context.map(str::to_owned),
            key: policy.key.clone(),
            latest: self
                .decisions
                .policies
                .get(&policy.key)
                .and_then(|decision| decision.latest.as_ref())
                .map(|(image, _)| image.clone()),
            is_stuck: stuck.contains(&("ImagePolicy", &policy.key)),
        });
        let policies = policies.collect();
        let mut failures = findings.failures;
        let mut seen = BTreeSet::new();
        failures.retain(|failure| seen.insert(failure.message.clone()));
        let notes = self.inputs.notes.iter().chain(&self.scans.notes);
        Diagnosis {
            objects: tally(self.request, objects, &found),
            lines: outside::lines(&places(&found), self.inputs, self.checkouts),
            policies,
            ages: ages(self.request, objects, context, self.now),
            written: updates::written(self.previews, context),
            markers: updates::markers(self.previews),
            notes: notes.cloned().collect(),
            failures,
            findings: found
                .into_iter()
                .zip(causes)
                .map(|(finding, causes)| Diagnosed {
                    context: context.map(str::to_owned),
                    finding,
                    causes,
                })
                .collect(),
        }
    }
}

/// The lines of files that findings are about.
fn places(found: &[Finding]) -> BTreeSet<(String, usize)> {
    let place = |finding: &Finding| match &finding.subject {
        Subject::Place {
            path,
            line: Some(line),
            ..
        } => Some((path.clone(), *line)),
        _ => None,
    };
    found.iter().filter_map(place).collect()
}

/// Loads everything, or, where the whole cluster may not be listed, everything of the namespace that is the default.
pub(super) fn permitted(
    request: &Request,
    session: &Session,
) -> Result<(Request, Inputs), Failure> {
    let whole = |inputs: Inputs| Inputs {
        recomputed: Recomputed::Everything,
        ..inputs
    };
    let inputs = load(request, session)?;
    let image_kinds = [
        Kind::ImageRepository,
        Kind::ImagePolicy,
        Kind::ImageUpdateAutomation,
    ];
    let hidden = &inputs.objects.hidden;
    let nothing = image_kinds.iter().all(|kind| {
        let mut hidden = hidden.iter();
        hidden.any(|hidden| hidden.kind == *kind && hidden.namespace.is_none())
    });
    if !nothing || request.objects.source != ObjectSource::Cluster {
        return Ok((request.clone(), whole(inputs)));
    }
    let request = Request {
        objects: ObjectRequest {
            scope: NamespaceScope::One(request.objects.default_namespace.clone()),
            ..request.objects.clone()
        },
        ..request.clone()
    };
    let mut inputs = load(&request, session)?;
    inputs.notes.push(format!(
        "the namespaces can't be listed all at once: only {} is looked at (-n names another)",
        request.objects.default_namespace
    ));
    Ok((request, whole(inputs)))
}

/// The objects that flags mean; others are there because those refer to them.
fn in_scope<'a, Spec, Status>(
    request: &'a Request,
    objects: &'a BTreeMap<ObjectKey, Object<Spec, Status>>,
) -> impl Iterator<Item = &'a Object<Spec, Status>> {
    let selector = request.objects.selector.as_ref();
    objects.values().filter(move |object| {
        request.objects.scope.includes(&object.key.namespace)
            && selector.is_none_or(|(_, selector)| selector.matches(&object.labels))
    })
}

/// What may not be read.
fn unreadable(objects: &Objects) -> impl Iterator<Item = Finding> {
    let forbidden = objects.hidden.iter().filter(|hidden| hidden.forbidden);
    forbidden.map(installation::permission_missing)
}

/// Secrets and ServiceAccounts that may not be read: what they hold is not checked, and the user's own logins stand for it.
fn unreadable_credentials(request: &Request, session: &Session) -> Vec<Finding> {
    let mut by_place: BTreeMap<(Kind, String), Vec<Hidden>> = BTreeMap::new();
    for hidden in session.forbidden() {
        let namespace = hidden.namespace.clone().unwrap_or_default();
        if request.objects.scope.includes(&namespace) {
            by_place
                .entry((hidden.kind, namespace))
                .or_default()
                .push(hidden);
        }
    }
    let findings = by_place.iter();
    findings
        .map(|((kind, namespace), hidden)| {
            installation::credentials_unreadable(*kind, namespace, hidden)
        })
        .collect()
}

/// Image objects of API versions that are going or gone; what a cluster has, its API server converts.
fn old_versions(inputs: &Inputs) -> Vec<Finding> {
    if inputs.live {
        return Vec::new();
    }
    let objects = &inputs.objects;
    let repositories = old_versions_of("ImageRepository", &objects.repositories);
    let policies = old_versions_of("ImagePolicy", &objects.policies);
    let automations = old_versions_of("ImageUpdateAutomation", &objects.automations);
    repositories.chain(policies).chain(automations).collect()
}

fn old_versions_of<Spec, Status>(
    kind: &'static str,
    objects: &BTreeMap<ObjectKey, Object<Spec, Status>>,
) -> impl Iterator<Item = Finding> {
    let rules = FluxVersion::default();
    objects.values().filter_map(move |object| {
        installation::api_version_removed(kind, &object.key, &object.api_version, rules)
    })
}

/// Each finding once, in the order in which they were found.
fn unique(found: Vec<Finding>) -> Vec<Finding> {
    let mut seen: BTreeSet<(&'static str, Subject)> = BTreeSet::new();
    let mut kept: Vec<Finding> = Vec::new();
    for finding in found {
        if seen.insert((finding.id, finding.subject.clone())) {
            kept.push(finding);
        }
    }
    kept
}

fn tally(request: &Request, objects: &Objects, found: &[Finding]) -> (usize, usize) {
    let keys =
        in_scope(request, &objects.repositories).map(|object| ("ImageRepository", &object.key));
    let keys =
        keys.chain(in_scope(request, &objects.policies).map(|object| ("ImagePolicy", &object.key)));
    let keys = keys.chain(
        in_scope(request, &objects.automations)
            .map(|object| ("ImageUpdateAutomation", &object.key)),
    );
    let bad = subjects(found);
    keys.fold((0, 0), |(all, wrong), key| {
        (all + 1, wrong + usize::from(bad.contains(&key)))
    })
}

/// The objects that are the subject of a warning or an error.
fn subjects(found: &[Finding]) -> BTreeSet<(&str, &ObjectKey)> {
    found
        .iter()
        .filter(|finding| finding.severity > Severity::Note)
        .filter_map(|finding| match &finding.subject {
            Subject::Object { kind, key } => Some((*kind, key)),
            Subject::Place { .. } => None,
        })
        .collect()
}

fn ages(request: &Request, objects: &Objects, context: Option<&str>, now: Timestamp) -> Vec<Age> {
    let age = |key: &ObjectKey, of_scan: bool, text: Option<&str>| {
        let then = moment(text?)?;
        Some(Age {
            context: context.map(str::to_owned),
            key: key.clone(),
            of_scan,
            seconds: now.duration_since(then).as_secs_f64().round(),
        })
    };
    let scans = in_scope(request, &objects.repositories).filter_map(|repository| {
        let scan = repository.status.last_scan_result.as_ref()?;
        age(&repository.key, true, scan.scan_time.as_deref())
    });
    let runs = in_scope(request, &objects.automations).filter_map(|automation| {
        let ran = automation.status.last_automation_run_time.as_deref();
        age(&automation.key, false, ran)
    });
    scans.chain(runs).collect()
}
