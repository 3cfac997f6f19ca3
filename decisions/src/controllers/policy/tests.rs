//! The measured examples, and the counts and traces that no controller shows.

use serde::Deserialize;

use super::super::flux::{OrderedPolicy, SemVerPolicy};
use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    why: String,
    tags: Vec<String>,
    semver: Option<String>,
    alphabetical: Option<String>,
    numerical: Option<String>,
    filter: Option<ExampleFilter>,
    latest: Option<String>,
    candidates: Option<Vec<String>>,
    fails: Option<String>,
    stalled: Option<String>,
    #[serde(default)]
    messages: Vec<String>,
    collisions: Option<Vec<ExampleCollision>>,
}

#[derive(Deserialize)]
struct ExampleFilter {
    pattern: String,
    #[serde(default)]
    extract: String,
}

#[derive(Deserialize)]
struct ExampleCollision {
    key: String,
    kept: String,
    lost: Vec<String>,
}

impl Example {
    fn spec(&self) -> PolicySpec {
        let ordered = |order: &Option<String>| {
            order.as_ref().map(|order| OrderedPolicy {
                order: order.clone(),
            })
        };
        PolicySpec {
            choice: ImagePolicyChoice {
                semver: self.semver.as_ref().map(|range| SemVerPolicy {
                    range: range.clone(),
                }),
                alphabetical: ordered(&self.alphabetical),
                numerical: ordered(&self.numerical),
            },
            filter: self.filter.as_ref().map(|filter| TagFilter {
                pattern: filter.pattern.clone(),
                extract: filter.extract.clone(),
            }),
        }
    }

    fn outcome(&self) -> Outcome {
        match (&self.latest, &self.candidates) {
            (Some(tag), None) => Outcome::Latest { tag: tag.clone() },
            (None, Some(candidates)) => Outcome::NotDeterministic {
                candidates: candidates.clone(),
            },
            _ => Outcome::Failed(PolicyFailure {
                stalled: self.stalled.is_some(),
                reason: match self
                    .stalled
                    .as_ref()
                    .or(self.fails.as_ref())
                    .unwrap()
                    .as_str()
                {
                    "InvalidPolicy" => conditions::INVALID_POLICY,
                    "DependencyNotReady" => conditions::DEPENDENCY_NOT_READY,
                    "Failure" => conditions::FAILURE,
                    other => panic!("{other}"),
                },
                message: self.messages[0].clone(),
                is_ours: false,
            }),
        }
    }
}

#[test]
fn examples_are_decided_as_the_controller_does() {
    let text = include_str!("../../../../testdata/policies/choices.json");
    let examples: Vec<Example> = serde_json::from_str(text).unwrap();
    for example in &examples {
        let decision = decide(&example.spec(), &example.tags);
        assert_eq!(decision.outcome, example.outcome(), "{}", example.why);
        assert_eq!(decision.messages, example.messages, "{}", example.why);
        if let Some(expected) = &example.collisions {
            let expected: Vec<Collision> = expected
                .iter()
                .map(|collision| Collision {
                    key: collision.key.clone(),
                    kept: collision.kept.clone(),
                    lost: collision.lost.clone(),
                })
                .collect();
            assert_eq!(decision.collisions, expected, "{}", example.why);
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn filtered(pattern: &str, extract: &str) -> Option<TagFilter> {
    Some(TagFilter {
        pattern: pattern.into(),
        extract: extract.into(),
    })
}

fn semver(range: &str) -> ImagePolicyChoice {
    ImagePolicyChoice {
        semver: Some(SemVerPolicy {
            range: range.into(),
        }),
        ..ImagePolicyChoice::default()
    }
}

#[test]
fn tags_are_counted_and_traced() {
    let spec = PolicySpec {
        choice: semver(">=1.0.0 <2.0.0"),
        filter: filtered("^r-(.*?)(-x)?$", "$1"),
    };
    let stored = owned(&[
        "r-latest",
        "r-2.0.0",
        "r-1.9.9-rc.1",
        "r-1.4.0-x",
        "r-1.4.0",
        "r-1.0.0",
        "1.5.0",
    ]);
    let decision = decide(&spec, &stored);
    assert_eq!(
        decision.counts,
        Counts {
            matched: 6,
            eligible: 2
        }
    );
    let traced: Vec<String> = trace(&spec, &stored, &decision, |_| true)
        .unwrap()
        .into_iter()
        .map(|trace| {
            format!(
                "{} [{}] {}: {}",
                trace.tag,
                trace.key.as_deref().unwrap_or("-"),
                trace.verdict.as_str(),
                trace.detail
            )
        })
        .collect();
    assert_eq!(
        traced,
        [
            "r-2.0.0 [2.0.0] outOfRange: <2.0.0 keeps it out",
            "r-1.9.9-rc.1 [1.9.9-rc.1] prereleaseRefused: the range lets no prereleases in",
            "r-1.4.0 [1.4.0] selected: ",
            "r-1.0.0 [1.0.0] eligible: loses to r-1.4.0",
            "r-latest [latest] notAVersion: invalid semantic version: it has fewer than two dots",
            "r-1.4.0-x [1.4.0] collided: r-1.4.0 has the same key and takes its place",
            "1.5.0 [-] notMatched: the pattern wants r, and 1 comes",
        ]
    );
}

#[test]
fn no_tag_is_selected_where_chance_decides() {
    let spec = PolicySpec {
        choice: semver("*"),
        filter: filtered("", ""),
    };
    let stored = owned(&["v1.0.0", "1.0.0", "0.9.0"]);
    let traces = trace(&spec, &stored, &decide(&spec, &stored), |_| true).unwrap();
    assert!(
        traces
            .iter()
            .all(|trace| trace.verdict == Verdict::Eligible)
    );
    assert_eq!(
        traces[0].detail,
        "one of 2 tags that chance decides between: all have the precedence of 1.0.0"
    );
    assert_eq!(traces[2].detail, "loses to 2 others");
}

#[test]
fn a_policy_that_fails_at_once_has_no_trace() {
    let spec = PolicySpec {
        choice: semver("latest"),
        filter: None,
    };
    let stored = owned(&["1.0.0"]);
    let failure = trace(&spec, &stored, &decide(&spec, &stored), |_| true).unwrap_err();
    assert_eq!(
        failure.message,
        "invalid policy: improper constraint: \"latest\""
    );
}

#[test]
fn a_bad_number_shows_in_the_trace() {
    let spec = PolicySpec {
        choice: ImagePolicyChoice {
            numerical: Some(OrderedPolicy::default()),
            ..ImagePolicyChoice::default()
        },
        filter: None,
    };
    let stored = owned(&["v2", "1e999", "1"]);
    let verdicts: Vec<(Verdict, String)> = trace(&spec, &stored, &decide(&spec, &stored), |_| true)
        .unwrap()
        .into_iter()
        .map(|trace| (trace.verdict, trace.detail))
        .collect();
    assert_eq!(
        verdicts,
        [
            (Verdict::Eligible, String::new()),
            (Verdict::NotANumber, "invalid syntax".to_owned()),
            (Verdict::NotANumber, "value out of range".to_owned()),
        ]
    );
}

#[test]
fn a_hundred_thousand_tags_are_decided_and_traced() {
    let tag = |number: usize| format!("main-{:07x}-{}.0.{}", number, number % 100, number % 300);
    let mut stored: Vec<String> = (0..100_000).map(tag).collect();
    stored.sort_unstable_by(|one, other| other.cmp(one));
    let keyed = |choice: ImagePolicyChoice, extract: &str| PolicySpec {
        choice,
        filter: filtered(r"^main-(?P<sha>[a-f0-9]+)-(?P<version>.*)$", extract),
    };
    let versions = keyed(semver(">=1.0.0"), "$version");
    let decision = decide(&versions, &stored);
    // 100 and 300 have a common factor: a patch number goes with one major number.
    assert_eq!(
        decision.counts,
        Counts {
            matched: 100_000,
            eligible: 297
        }
    );
    assert_eq!(decision.collisions.len(), 300);
    assert!(matches!(&decision.outcome, Outcome::Latest { tag } if tag.ends_with("-99.0.299")));
    let traces = trace(&versions, &stored, &decision, |_| true).unwrap();
    let collided = traces
        .iter()
        .filter(|trace| trace.verdict == Verdict::Collided);
    assert_eq!(collided.count(), 99_700);

    // Every key another spelling of one number: as many candidates as tags.
    let numerical = ImagePolicyChoice {
        numerical: Some(OrderedPolicy::default()),
        ..ImagePolicyChoice::default()
    };
    let equal: Vec<String> = (1..=300)
        .rev()
        .map(|zeros| format!("1.{}", "0".repeat(zeros)))
        .collect();
    let decision = decide(
        &PolicySpec {
            choice: numerical,
            filter: filtered("", ""),
        },
        &equal,
    );
    assert!(
        matches!(&decision.outcome, Outcome::NotDeterministic { candidates } if candidates.len() == 300)
    );
}

#[test]
fn a_small_map_is_only_turned_so_that_not_every_order_comes() {
    let spec = PolicySpec {
        choice: ImagePolicyChoice {
            numerical: Some(OrderedPolicy::default()),
            ..ImagePolicyChoice::default()
        },
        filter: Some(TagFilter::default()),
    };
    let stored = ["nan", "3", "2"].map(str::to_owned);
    let candidates = vec!["3".to_owned(), "nan".to_owned()];
    assert_eq!(
        decide(&spec, &stored).outcome,
        Outcome::NotDeterministic { candidates }
    );
}
