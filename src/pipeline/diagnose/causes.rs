//! Which finding comes from which: a cause and its consequences are one chain.

use std::collections::BTreeMap;

use crate::controllers::flux::ObjectKey;
use crate::facts::cluster::Objects;
use crate::findings::{Finding, Severity, Subject};

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
        &["scan-stale", "suspended"],
        Relation::RepositoryOfPolicy,
    ),
    rule(
        "image-url-invalid",
        &["image-url-invalid"],
        Relation::RepositoryOfPolicy,
    ),
];

/// The causes of each of `found`, as places in it.
pub(super) fn causes(found: &[Finding], objects: &Objects) -> Vec<Vec<usize>> {
    let mut by_subject: BTreeMap<(&str, &ObjectKey), Vec<usize>> = BTreeMap::new();
    for (index, finding) in found.iter().enumerate() {
        if let Subject::Object { kind, key } = &finding.subject {
            by_subject.entry((kind, key)).or_default().push(index);
        }
    }
    let linking = Linking {
        found,
        objects,
        by_subject,
    };
    (0..found.len()).map(|index| linking.of(index)).collect()
}

struct Linking<'a> {
    found: &'a [Finding],
    objects: &'a Objects,
    by_subject: BTreeMap<(&'a str, &'a ObjectKey), Vec<usize>>,
}

impl Linking<'_> {
    fn of(&self, index: usize) -> Vec<usize> {
        let finding = &self.found[index];
        let rules = RULES.iter().filter(|rule| rule.consequence == finding.id);
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
            ("policy-without-latest", _) => self.of_policy(finding, |message, key| {
                message.contains(&format!("ImagePolicy {key} has"))
            }),
            ("marker-not-selected", _) => self
                .of_policy(finding, |message, key| {
                    message.ends_with(&format!("ImagePolicy {key}"))
                }),
            ("problem-file", Subject::Place { path, column: Some(_), .. }) => found
                .filter(|(_, other)| {
                    other.id == "problem-file"
                        && matches!(&other.subject, Subject::Place { path: same, column: None, .. } if same == path)
                })
                .map(|(place, _)| place)
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

    /// The last thing that is wrong with the policy that a message names.
    fn of_policy(&self, finding: &Finding, names: fn(&str, &ObjectKey) -> bool) -> Vec<usize> {
        let mut policies = self.objects.policies.keys();
        let named = policies.find(|key| names(&finding.message, key));
        let places = named.and_then(|key| self.by_subject.get(&("ImagePolicy", key)));
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
            causes(&found, &objects),
            [vec![], vec![0], vec![1], vec![2], vec![]]
        );
    }
}
