//! What a pull request brings about, for `diff --base`: the prediction with the policies and files of another commit beside the one
//! with those at hand.

mod base;
mod due;

use std::collections::{BTreeMap, BTreeSet};

use crate::controllers::flux::ObjectKey;
use crate::failure::Failure;
use crate::findings::{Finding, Severity, Subject};

use super::request::Request;
use super::session::Session;
use super::stages::{Inputs, Preview};
use super::standing::part_of;
use super::{decide, fetch, load, preview};

pub use due::Due;

/// What merging brings about.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// The commit that is compared with, as it was named.
    pub reference: String,
    /// Its id.
    pub commit: String,
    /// What automations set, in order: what is new, then what comes anyway, then what comes no more.
    pub moves: Vec<Move>,
    /// Warnings and errors that the other commit doesn't have, with their automation.
    pub findings: Vec<(ObjectKey, Finding)>,
    /// Automations whose controller fails here and didn't there, with its reason and message.
    pub breaks: Vec<(ObjectKey, String)>,
    /// Automations whose controller failed there and doesn't here.
    pub mended: Vec<ObjectKey>,
    /// What we could not find out about the other commit.
    pub failures: Vec<Failure>,
}

impl Forecast {
    /// Whether merging changes what automations do.
    pub fn differs(&self) -> bool {
        self.moves.iter().any(|one| one.change != Change::Anyway)
            || !self.findings.is_empty()
            || !self.breaks.is_empty()
            || !self.mended.is_empty()
    }
}

/// Markers of one policy that an automation sets from one value to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The automation.
    pub automation: ObjectKey,
    /// The policy.
    pub policy: ObjectKey,
    /// What the markers hold: a tag, or as much of an image as tells the difference.
    pub from: String,
    /// What they receive.
    pub to: String,
    /// What they would receive without the pull request, where that is something else.
    pub instead_of: Option<String>,
    /// The files, sorted.
    pub files: Vec<String>,
    /// How many markers.
    pub markers: usize,
    /// Whether it comes of the pull request.
    pub change: Change,
    /// When it is done at the latest, counted from the merge.
    pub due: Due,
    /// The branch that is pushed, where it is not the one that is checked out.
    pub branch: Option<String>,
}

/// Whether a move comes of a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It comes with it.
    New,
    /// It comes with or without it.
    Anyway,
    /// It doesn't come with it.
    Gone,
}

impl Change {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Anyway => "anyway",
            Self::Gone => "gone",
        }
    }
}

/// One prediction and what it was made from.
#[derive(Debug)]
pub struct Prediction {
    /// The objects.
    pub inputs: Inputs,
    /// What each automation would do.
    pub previews: Vec<Preview>,
    /// Remarks about scans.
    pub notes: Vec<String>,
}

/// Predicts with what is at hand and with `reference`, and compares the two.
///
/// # Errors
///
/// The objects aren't files of a work tree, it has no such commit, or what [`preview`] fails with.
pub fn forecast(
    request: &Request,
    reference: &str,
    session: &Session,
) -> Result<(Prediction, Forecast), Failure> {
    let base = base::Base::of(request, reference)?;
    let here = predict(&base.with_work_tree(request), session)?;
    let there = predict(&base.request(request, &here.inputs)?, session)?;
    let mut comparison = Comparison {
        here: &here,
        there: &there,
    }
    .forecast(reference, base.commit());
    comparison.failures = base.failures(&there);
    Ok((here, comparison))
}

fn predict(request: &Request, session: &Session) -> Result<Prediction, Failure> {
    let inputs = load(request, session)?;
    let (scans, checkouts) = fetch(request, &inputs, session)?;
    let decisions = decide(request, &inputs, &scans, session)?;
    let previews = preview(request, &inputs, &decisions, &checkouts)?;
    Ok(Prediction {
        inputs,
        previews,
        notes: scans.notes,
    })
}

/// What is set, told apart: automation, policy, before, after.
type Setting = (ObjectKey, ObjectKey, String, String);

/// Where: paths, one for each marker.
type Places = BTreeMap<Setting, Vec<String>>;

struct Comparison<'a> {
    here: &'a Prediction,
    there: &'a Prediction,
}

impl Comparison<'_> {
    fn forecast(&self, reference: &str, commit: &str) -> Forecast {
        let errors = |prediction: &Prediction| -> BTreeMap<ObjectKey, String> {
            let previews = prediction.previews.iter();
            let failing = previews.filter_map(|preview| {
                let error = preview.error.as_ref()?;
                Some((
                    preview.key.clone(),
                    format!("{}: {}", error.reason, error.message),
                ))
            });
            failing.collect()
        };
        let (here, there) = (errors(self.here), errors(self.there));
        let still_there = |key: &ObjectKey| self.here.inputs.objects.automations.contains_key(key);
        Forecast {
            reference: reference.to_owned(),
            commit: commit.to_owned(),
            moves: self.moves(),
            findings: self.findings(),
            breaks: here
                .iter()
                .filter(|(key, _)| !there.contains_key(*key))
                .map(|(key, error)| (key.clone(), error.clone()))
                .collect(),
            mended: there
                .into_keys()
                .filter(|key| !here.contains_key(key) && still_there(key))
                .collect(),
            failures: Vec::new(),
        }
    }

    fn moves(&self) -> Vec<Move> {
        let (here, there) = (places(&self.here.previews), places(&self.there.previews));
        let mut replaced = BTreeSet::new();
        let mut moves = Vec::new();
        for (setting, paths) in &here {
            let mut one = self.one(self.here, setting, paths);
            if there.contains_key(setting) {
                one.change = Change::Anyway;
            } else if let Some(other) = there.keys().find(|other| {
                (&other.0, &other.1, &other.2) == (&setting.0, &setting.1, &setting.2)
            }) {
                one.instead_of = Some(other.3.clone());
                replaced.insert(other);
            }
            moves.push(one);
        }
        for (setting, paths) in &there {
            if !here.contains_key(setting) && !replaced.contains(setting) {
                let mut one = self.one(self.there, setting, paths);
                one.change = Change::Gone;
                one.due = Due::Never("it comes no more".into());
                moves.push(one);
            }
        }
        moves.sort_by_key(|one| one.change);
        moves
    }

    fn one(&self, prediction: &Prediction, setting: &Setting, paths: &[String]) -> Move {
        let (automation, policy, from, to) = setting.clone();
        let files: BTreeSet<String> = paths.iter().cloned().collect();
        let mut previews = prediction.previews.iter();
        let preview = previews.find(|preview| preview.key == automation);
        let branches = preview.and_then(|preview| preview.branches.as_ref());
        let branch = branches.filter(|branches| {
            branches.checkout_branch.as_deref() != Some(branches.push_branch.as_str())
        });
        Move {
            due: due::due(&self.here.inputs, &self.there.inputs, &automation, &policy),
            branch: branch.map(|branches| branches.push_branch.clone()),
            automation,
            policy,
            from,
            to,
            instead_of: None,
            files: files.into_iter().collect(),
            markers: paths.len(),
            change: Change::New,
        }
    }

    /// Warnings and errors that are here and not there, wherever in their file.
    fn findings(&self) -> Vec<(ObjectKey, Finding)> {
        let mut known: BTreeMap<Identity, usize> = BTreeMap::new();
        for (key, finding) in all_findings(self.there) {
            *known.entry(identity(&key, &finding)).or_default() += 1;
        }
        let mut found = Vec::new();
        for (key, finding) in all_findings(self.here) {
            if finding.severity == Severity::Note {
                continue;
            }
            match known.get_mut(&identity(&key, &finding)) {
                Some(count) if *count > 0 => *count -= 1,
                _ => found.push((key, finding)),
            }
        }
        found
    }
}

fn all_findings(prediction: &Prediction) -> Vec<(ObjectKey, Finding)> {
    let of = |preview: &Preview| {
        let key = preview.key.clone();
        preview
            .findings
            .clone()
            .into_iter()
            .map(move |finding| (key.clone(), finding))
    };
    prediction.previews.iter().flat_map(of).collect()
}

/// What makes a finding the same in another commit: automation, id, file or object, and message.
type Identity = (ObjectKey, &'static str, String, String);

fn identity(key: &ObjectKey, finding: &Finding) -> Identity {
    let subject = match &finding.subject {
        Subject::Place { path, .. } => path.clone(),
        object @ Subject::Object { .. } => object.to_string(),
    };
    (key.clone(), finding.id, subject, finding.message.clone())
}

fn places(previews: &[Preview]) -> Places {
    let mut places = Places::new();
    for preview in previews {
        for file in &preview.files {
            for change in &file.changes {
                let mut parts = change.setter.split(':');
                let (Some(namespace), Some(name)) = (parts.next(), parts.next()) else {
                    continue;
                };
                let (from, to) = told_apart(&change.setter, &change.old, &change.new);
                let setting = (
                    preview.key.clone(),
                    ObjectKey::new(namespace, name),
                    from,
                    to,
                );
                places.entry(setting).or_default().push(file.path.clone());
            }
        }
    }
    places
}

/// Two values, shortened to what tells them apart: the tags of two tags of one image.
fn told_apart(setter: &str, old: &str, new: &str) -> (String, String) {
    let whole = (old.to_owned(), new.to_owned());
    if !part_of(setter).is_empty() {
        return whole;
    }
    let (Some((old_name, old_tag)), Some((new_name, new_tag))) = (split(old), split(new)) else {
        return whole;
    };
    if old_name == new_name && old_tag != new_tag {
        (old_tag.to_owned(), new_tag.to_owned())
    } else {
        whole
    }
}

/// An image's name, and the tag with what is behind it.
fn split(image: &str) -> Option<(&str, &str)> {
    let slash = image.rfind('/').map_or(0, |slash| slash + 1);
    let colon = slash + image[slash..].find(':')?;
    Some((&image[..colon], &image[colon + 1..]))
}

#[cfg(test)]
mod tests {
    use super::told_apart;

    #[test]
    fn values_are_as_short_as_they_may() {
        let short = |old: &str, new: &str| told_apart("ns:app", old, new);
        assert_eq!(short("h:5/a:1", "h:5/a:2"), ("1".into(), "2".into()));
        assert_eq!(short("a:1", "b:1"), ("a:1".into(), "b:1".into()));
        assert_eq!(short("a", "a:1"), ("a".into(), "a:1".into()));
        assert_eq!(told_apart("ns:app:tag", "1", "2"), ("1".into(), "2".into()));
    }
}
