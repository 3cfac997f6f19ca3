//! Which finding comes from which: a cause and its consequences are one chain.

use std::collections::BTreeMap;

use crate::controllers::flux::ObjectKey;
use crate::facts::cluster::Objects;
use crate::findings::{Finding, Severity, Subject, scans};

/// How the subjects of cause and consequence stand to each other.
#[derive(Clone, Copy)]
enum Relation {
    /// They are one object.
    Same,
    /// The consequence is a policy's, the cause is of the ImageRepository that it chooses from.
    RepositoryOfPolicy,
    /// The cause is of a controller, the consequence of anything that it looks after.
    Controller(&'static str),
}

struct Rule {
    consequence: &'static str,
    causes: &'static [&'static str],
    relation: Relation,
}

const REFLECTOR: Relation = Relation::Controller("image-reflector-controller");
const UNWELL: &[&str] = &["controller-missing", "controller-not-ready", "lease-stuck"];

const fn rule(
    consequence: &'static str,
    causes: &'static [&'static str],
    relation: Relation,
) -> Rule {
    Rule {
        consequence,
        causes,
        relation,
    }
}

/// The first rule that finds a cause counts.
const RULES: &[Rule] = &[
    rule(
        "registry-unauthorized",
        &["credentials-for-other-host"],
        Relation::Same,
    ),
    rule("rate-limited", &["scan-budget"], Relation::Same),
    rule(
        "scan-stale",
        &[
            "object-not-watched",
            "image-url-invalid",
            "cert-secret-same-as-pull-secret",
            "registry-unauthorized",
            "rate-limited",
            "too-many-tags",
            "feature-gate-needed",
        ],
        Relation::Same,
    ),
    rule("scan-stale", UNWELL, REFLECTOR),
    rule("tag-set-differs", &["scan-stale"], Relation::Same),
    rule("ready-after-failed-scan", &["scan-stale"], Relation::Same),
    rule(
        "update-fails",
        &[
            "signing-key-invalid",
            "refspec-unusable",
            "push-detached-head",
            "push-rejected",
            "push-credential-read-only",
        ],
        Relation::Same,
    ),
    rule(
        "no-version-in-range",
        &["prerelease-needs-range", "version-needs-three-parts"],
        Relation::Same,
    ),
    rule(
        "choice-not-deterministic",
        &["numeric-precision"],
        Relation::Same,
    ),
    rule(
        "numeric-parse-failure",
        &["filter-unanchored"],
        Relation::Same,
    ),
    rule(
        "policy-stuck-on-old-tag",
        &[
            "object-not-watched",
            "no-tag-matches-filter",
            "no-version-in-range",
            "extract-empty",
            "numeric-parse-failure",
            "tags-lost-after-restart",
        ],
        Relation::Same,
    ),
    rule(
        "policy-stuck-on-old-tag",
        &["scan-stale", "suspended", "object-not-watched"],
        Relation::RepositoryOfPolicy,
    ),
    rule(
        "image-url-invalid",
        &["image-url-invalid"],
        Relation::RepositoryOfPolicy,
    ),
];

/// The policies that markers name, by path and line.
pub(super) type Marked = BTreeMap<(String, usize), ObjectKey>;

/// The causes of each of `found`, as places in it.
pub(super) fn causes(found: &[Finding], objects: &Objects, marked: &Marked) -> Vec<Vec<usize>> {
    let mut linking = Linking {
        found,
        objects,
        marked,
        by_subject: BTreeMap::new(),
        problem_files: BTreeMap::new(),
    };
    for (index, finding) in found.iter().enumerate() {
        match &finding.subject {
            Subject::Object { kind, key } => {
                linking
                    .by_subject
                    .entry((kind, key))
                    .or_default()
                    .push(index);
            }
            Subject::Place {
                path, column: None, ..
            } if finding.id == "problem-file" => {
                linking.problem_files.insert(path, index);
            }
            Subject::Place { .. } => {}
        }
    }
    (0..found.len()).map(|index| linking.of(index)).collect()
}

struct Linking<'a> {
    found: &'a [Finding],
    objects: &'a Objects,
    marked: &'a Marked,
    by_subject: BTreeMap<(&'a str, &'a ObjectKey), Vec<usize>>,
    /// By path: what says that the whole file can't be read.
    problem_files: BTreeMap<&'a str, usize>,
}

impl Linking<'_> {
    fn of(&self, index: usize) -> Vec<usize> {
        let finding = &self.found[index];
        let rules = RULES.iter().filter(|rule| {
            // A scan that fails from here fails whatever the controller does.
            let fails_anyway = scans::fails_from_here(finding);
            rule.consequence == finding.id
                && !(fails_anyway && matches!(rule.relation, Relation::Controller(_)))
        });
        for rule in rules {
            let causes: Vec<usize> = self
                .candidates(&finding.subject, rule.relation)
                .into_iter()
                .filter(|place| *place != index && rule.causes.contains(&self.found[*place].id))
                .collect();
            if !causes.is_empty() {
                return causes;
            }
        }
        self.of_marker(finding)
    }

    /// A marker receives nothing because of its policy or its file; a policy has no marker because that is elsewhere.
    fn of_marker(&self, finding: &Finding) -> Vec<usize> {
        let found = self.found.iter().enumerate();
        match (finding.id, &finding.subject) {
            (
                "policy-without-latest" | "marker-not-selected",
                Subject::Place { path, line, .. },
            ) => {
                let place = (path.clone(), line.unwrap_or_default());
                self.marked
                    .get(&place)
                    .map_or_else(Vec::new, |policy| self.of_policy(policy))
            }
            (
                "problem-file",
                Subject::Place {
                    path,
                    column: Some(_),
                    ..
                },
            ) => self
                .problem_files
                .get(path.as_str())
                .copied()
                .into_iter()
                .collect(),
            ("marker-missing", Subject::Object { key, .. }) => {
                let named = format!("the marker for {}:{}", key.namespace, key.name);
                found
                    .filter(|(_, other)| {
                        other.id == "marker-outside-path" && other.message.starts_with(&named)
                    })
                    .map(|(place, _)| place)
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The last thing that is wrong with a policy.
    fn of_policy(&self, policy: &ObjectKey) -> Vec<usize> {
        let places = self.by_subject.get(&("ImagePolicy", policy));
        let last = places.and_then(|places| {
            let mut places = places.iter().rev();
            places.find(|place| self.found[**place].severity > Severity::Note)
        });
        last.into_iter().copied().collect()
    }

    fn candidates(&self, subject: &Subject, relation: Relation) -> Vec<usize> {
        let Subject::Object { kind, key } = subject else {
            return Vec::new();
        };
        match relation {
            Relation::Same => self.places(kind, key),
            Relation::RepositoryOfPolicy => {
                let Some(policy) = self
                    .objects
                    .policies
                    .get(key)
                    .filter(|_| *kind == "ImagePolicy")
                else {
                    return Vec::new();
                };
                self.places("ImageRepository", &super::policies::repository_of(policy))
            }
            Relation::Controller(name) => {
                let of_controller = |(index, finding): (usize, &Finding)| match &finding.subject {
                    Subject::Object {
                        kind: "Deployment" | "Lease",
                        key,
                    } if key.name.starts_with(name) => Some(index),
                    _ => None,
                };
                let found = self.found.iter().enumerate();
                found.filter_map(of_controller).collect()
            }
        }
    }

    fn places(&self, kind: &str, key: &ObjectKey) -> Vec<usize> {
        self.by_subject
            .get(&(kind, key))
            .cloned()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::flux::ImagePolicy;

    fn finding(id: &'static str, kind: &'static str, name: &str) -> Finding {
        Finding {
            id,
            severity: Severity::Error,
            subject: Subject::Object {
                kind,
                key: ObjectKey::new("ns", name),
            },
            message: String::new(),
            evidence: String::new(),
            remedy: String::new(),
        }
    }

    #[test]
    fn a_controller_that_is_unwell_makes_scans_late_and_not_wrong() {
        let fails = scans::scan_fails(
            &ObjectKey::new("ns", "app"),
            "ReadOperationFailed",
            "no",
            None,
        );
        let late = finding("scan-stale", "ImageRepository", "late");
        let unwell = finding(
            "controller-not-ready",
            "Deployment",
            "image-reflector-controller",
        );
        assert_eq!(
            causes(&[unwell, fails, late], &Objects::default(), &Marked::new()),
            [vec![], vec![], vec![0]]
        );
    }

    #[test]
    fn a_refusal_goes_down_to_the_policy() {
        let mut objects = Objects::default();
        let mut policy = ImagePolicy {
            key: ObjectKey::new("ns", "policy"),
            ..ImagePolicy::default()
        };
        policy.spec.image_repository_ref.name = "app".into();
        objects.policies.insert(policy.key.clone(), policy);
        let found = [
            finding("credentials-for-other-host", "ImageRepository", "app"),
            finding("registry-unauthorized", "ImageRepository", "app"),
            finding("scan-stale", "ImageRepository", "app"),
            finding("policy-stuck-on-old-tag", "ImagePolicy", "policy"),
            finding("scan-stale", "ImageRepository", "other"),
        ];
        assert_eq!(
            causes(&found, &objects, &Marked::new()),
            [vec![], vec![0], vec![1], vec![2], vec![]]
        );
    }
}
