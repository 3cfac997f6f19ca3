//! Compares policies, ranges, numbers, durations and references with the public Go libraries that decide them.

mod cases;

use std::collections::BTreeSet;

use imageauto::controllers::policy::{self, Outcome};
use imageauto::controllers::{conditions, repository};
use imageauto::go::json;
use imageauto::go::number::{format_duration, parse_duration, parse_float};
use imageauto::go::reference::{Reference, Repository};
use imageauto::go::semver::{Constraints, Verdict, Version};
use serde_json::{Value, json};

use crate::cluster::programs::{ask, go_program};
use crate::cluster::tell;
use crate::oracle::generator::Generator;

pub use cases::{PolicyCase, policy_case};

/// How many cases the environment asks for, where it asks for more or fewer than the suite has.
fn cases(ordinary: usize) -> usize {
    std::env::var("ORACLE_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(ordinary)
}

fn seed() -> u64 {
    std::env::var("ORACLE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(20_260_601)
}

/// Asks the program in portions, so that neither side holds all of a long run.
fn in_portions<C>(
    cases: &[C],
    question: impl Fn(&C) -> Value,
    mut compare: impl FnMut(&C, &Value),
) -> bool {
    let Some(program) = go_program("policies") else {
        return false;
    };
    for portion in cases.chunks(10_000) {
        let questions: Vec<String> = portion
            .iter()
            .map(|case| question(case).to_string())
            .collect();
        for (case, answer) in portion.iter().zip(ask(&program, &questions)) {
            let answer = serde_json::from_str(&answer).expect("the program answers in JSON");
            compare(case, &answer);
        }
    }
    true
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Everything that the library says can come out, in the words of the Go program; none where it refuses to say.
fn possible(case: &PolicyCase, stored: &[String]) -> Option<BTreeSet<String>> {
    let decision = policy::decide(&case.spec, stored);
    let tags = |tags: &[String]| tags.iter().map(|tag| format!("tag {tag}")).collect();
    match &decision.outcome {
        Outcome::Latest { tag } => Some(tags(std::slice::from_ref(tag))),
        Outcome::NotDeterministic { candidates } => {
            assert!(candidates.len() > 1, "{case:?}: {candidates:?}");
            assert!(candidates.is_sorted(), "{case:?}: {candidates:?}");
            Some(tags(candidates))
        }
        Outcome::Failed(failure) => {
            assert!(decision.messages.contains(&failure.message), "{case:?}");
            assert_eq!(
                failure.stalled,
                failure.reason == conditions::INVALID_POLICY,
                "{case:?}"
            );
            let pattern = case
                .spec
                .filter
                .as_ref()
                .map_or("", |filter| filter.pattern.as_str());
            let filter =
                format!("failed to filter tags: invalid regular expression pattern '{pattern}': ");
            decision
                .messages
                .iter()
                .map(|message| {
                    if let Some(why) = message.strip_prefix("invalid policy: ") {
                        Some(format!("policy {why}"))
                    } else if let Some(why) = message.strip_prefix(&filter) {
                        why.starts_with("error parsing regexp: ")
                            .then(|| format!("filter {why}"))
                    } else {
                        Some(format!("choice {message}"))
                    }
                })
                .collect()
        }
    }
}

fn policy_question(case: &PolicyCase, stored: &[String]) -> Value {
    let choice = &case.spec.choice;
    let order = |policy: &Option<imageauto::controllers::flux::OrderedPolicy>| {
        policy.as_ref().map(|policy| policy.order.clone())
    };
    let filter = case
        .spec
        .filter
        .as_ref()
        .map(|filter| json!({"pattern": filter.pattern, "extract": filter.extract}));
    json!({
        "op": "policy", "tags": stored, "filter": filter,
        "semver": choice.semver.as_ref().map(|policy| &policy.range),
        "alphabetical": order(&choice.alphabetical), "numerical": order(&choice.numerical),
    })
}

#[test]
fn policies_agree_with_the_libraries() {
    let mut g = Generator::new(seed());
    let cases: Vec<(PolicyCase, Vec<String>)> = (0..cases(50_000))
        .map(|_| {
            let case = policy_case(&mut g);
            let stored = repository::stored_tags(&case.tags, &[]).expect("the default compiles");
            (case, stored)
        })
        .collect();
    let (mut agree, mut refused, mut chosen, mut chance, mut failed) = (0, 0, 0, 0, 0);
    let mut differences = Vec::new();
    let asked = in_portions(
        &cases,
        |(case, stored)| policy_question(case, stored),
        |(case, stored), answer| {
            let Some(ours) = possible(case, stored) else {
                refused += 1;
                return;
            };
            let set = |key: &str| -> BTreeSet<String> {
                texts(&answer[key]).into_iter().map(str::to_owned).collect()
            };
            let mut theirs = set("possible");
            let mut observed = set("observed");
            if stored.is_empty() && !theirs.iter().all(|text| text.starts_with("policy ")) {
                // The reflector stops here; the libraries alone don't know that.
                theirs = BTreeSet::from([format!("choice {}", conditions::NO_TAGS_IN_DATABASE)]);
                observed.clear();
            }
            if ours == theirs && observed.is_subset(&ours) {
                agree += 1;
            } else {
                differences.push(format!(
                    "{case:?}\n  library: {ours:?}\n  Go: {theirs:?}\n  Go, observed: {observed:?}"
                ));
            }
            if ours.iter().any(|text| !text.starts_with("tag ")) {
                failed += 1;
            } else if ours.len() == 1 {
                chosen += 1;
            } else {
                chance += 1;
            }
        },
    );
    if !asked {
        return;
    }
    tell(&format!(
        "policies: {} asked, {agree} agree, {refused} refused ({chosen} choose a tag, {chance} leave it to chance, {failed} fail)",
        cases.len()
    ));
    assert_none("policies", &differences);
}

#[test]
fn policies_are_mostly_such_as_the_api_server_admits() {
    let mut g = Generator::new(seed());
    let cases: Vec<PolicyCase> = (0..1_000).map(|_| policy_case(&mut g)).collect();
    let admitted = cases.iter().filter(|case| case.is_admitted());
    let questions: Vec<_> = admitted.map(PolicyCase::question).collect();
    assert!(
        (800..1_000).contains(&questions.len()),
        "{}",
        questions.len()
    );
    assert!(
        questions
            .iter()
            .any(|question| question.spec["filterTags"].is_object())
    );
}

fn assert_none(what: &str, differences: &[String]) {
    let shown: Vec<&str> = differences.iter().take(10).map(String::as_str).collect();
    assert!(
        differences.is_empty(),
        "{} {what} differ:\n{}",
        differences.len(),
        shown.join("\n")
    );
}

#[test]
fn policies_have_ranges_that_agree_with_the_library() {
    let mut g = Generator::new(seed() + 1);
    let cases: Vec<(String, Vec<String>)> = (0..cases(10_000))
        .map(|_| {
            let range = cases::range(&mut g);
            let versions = (0..12).map(|_| cases::version(&mut g)).collect();
            (range, versions)
        })
        .collect();
    let mut differences = Vec::new();
    let (mut good, mut inside) = (0, 0);
    let asked = in_portions(
        &cases,
        |(range, versions)| json!({"op": "constraint", "text": range, "texts": versions}),
        |(range, versions), answer| {
            let ours = range_answers(range, versions);
            good += usize::from(ours[0] == "ok");
            inside += ours.iter().filter(|text| text.starts_with("true")).count();
            if ours != texts(answer) {
                differences.push(format!(
                    "{range:?} {versions:?}\n  library: {ours:?}\n  Go: {answer}"
                ));
            }
        },
    );
    if asked {
        tell(&format!(
            "ranges: {} asked with 12 versions each, {} differ ({good} good ranges, {inside} versions inside)",
            cases.len(),
            differences.len()
        ));
    }
    assert_none("ranges", &differences);
}

fn range_answers(range: &str, versions: &[String]) -> Vec<String> {
    let constraints = match Constraints::parse(range) {
        Ok(constraints) => constraints,
        Err(error) => return vec![format!("error {error}")],
    };
    let mut answers = vec!["ok".to_owned()];
    answers.extend(
        versions
            .iter()
            .map(|version| match Version::parse_loose(version) {
                Ok(version) => {
                    let verdict = constraints.verdict(&version);
                    assert_eq!(verdict == Verdict::Satisfied, constraints.check(&version));
                    format!(
                        "{} {}",
                        verdict == Verdict::Satisfied,
                        verdict != Verdict::OutOfRange
                    )
                }
                Err(error) => format!("error {error}"),
            }),
    );
    answers
}

/// Asks about many texts of one kind, and compares the answers to each.
fn compare_texts(op: &str, asked: &[String], ours: impl Fn(&str) -> Vec<String>) {
    let portions: Vec<&[String]> = asked.chunks(100).collect();
    let mut differences = Vec::new();
    let done = in_portions(
        &portions,
        |portion| json!({"op": op, "texts": portion}),
        |portion, answer| {
            for (place, text) in portion.iter().enumerate() {
                let theirs = texts(&answer[place]);
                let ours = ours(text);
                if ours != theirs {
                    differences.push(format!("{text:?}\n  library: {ours:?}\n  Go: {theirs:?}"));
                }
            }
        },
    );
    if done {
        tell(&format!(
            "{op}: {} asked, {} differ",
            asked.len(),
            differences.len()
        ));
    }
    assert_none(op, &differences);
}

fn said<T: ToString, E: ToString>(answer: Result<T, E>) -> String {
    match answer {
        Ok(value) => format!("ok {}", value.to_string()),
        Err(error) => format!("error {}", error.to_string()),
    }
}

/// Texts of one kind: good ones as they are, damaged, and noise.
fn kinds_of(
    g: &mut Generator,
    count: usize,
    good: impl Fn(&mut Generator) -> String,
) -> Vec<String> {
    (0..count)
        .map(|_| {
            let text = good(g);
            match g.below(10) {
                0..=5 => text,
                6..=8 => cases::damaged(g, &text),
                _ => {
                    let length = g.below(8);
                    cases::noise(g, length)
                }
            }
        })
        .collect()
}

#[test]
fn policies_have_versions_that_agree_with_the_library() {
    let mut g = Generator::new(seed() + 2);
    let asked = kinds_of(&mut g, cases(20_000), cases::version);
    compare_texts("version", &asked, |text| {
        vec![
            said(Version::parse(text)),
            said(Version::parse_loose(text)),
            said(Version::parse_strict(text)),
        ]
    });
}

#[test]
fn policies_have_numbers_that_agree_with_the_library() {
    let mut g = Generator::new(seed() + 3);
    let long = |g: &mut Generator| {
        let digits = |g: &mut Generator, radix: u32, most: usize| -> String {
            (0..g.below(most))
                .map(|_| char::from_digit(g.below(radix as usize) as u32, radix).unwrap_or('0'))
                .collect()
        };
        if g.chance(40) {
            return cases::number(g);
        }
        let sign = g.pick(&["", "", "-", "+"]);
        if g.chance(50) {
            let (whole, fraction) = (digits(g, 16, 20), digits(g, 16, 20));
            let exponent = g.below(2_300) as i64 - 1_150;
            format!("{sign}0x{whole}.{fraction}p{exponent}")
        } else {
            let (whole, fraction) = (digits(g, 10, 25), digits(g, 10, 25));
            let exponent = g.below(700) as i64 - 350;
            format!("{sign}{whole}.{fraction}e{exponent}")
        }
    };
    let asked = kinds_of(&mut g, cases(20_000), long);
    compare_texts("float", &asked, |text| {
        vec![said(parse_float(text).map(|value| {
            if value.is_nan() {
                "nan".into()
            } else {
                value.to_bits().to_string()
            }
        }))]
    });
}

#[test]
fn policies_have_durations_that_agree_with_the_library() {
    let mut g = Generator::new(seed() + 4);
    let duration = |g: &mut Generator| {
        let mut text = g.pick(&["", "", "", "-", "+"]).to_owned();
        for _ in 0..1 + g.below(3) {
            let number = match g.below(6) {
                0 => format!("{}.{}", g.below(100), g.below(1_000_000)),
                1 => format!(".{}", g.below(1_000)),
                2 => (g.next() >> g.below(64)).to_string(),
                3 => format!("0.{}", g.next()),
                _ => g.below(100).to_string(),
            };
            text.push_str(&number);
            text.push_str(g.pick(&[
                "h", "m", "s", "ms", "us", "ns", "\u{b5}s", "\u{3bc}s", "d", "",
            ]));
        }
        text
    };
    let asked = kinds_of(&mut g, cases(20_000), duration);
    compare_texts("duration", &asked, |text| {
        let parsed = parse_duration(text);
        let written = format_duration(parsed.clone().unwrap_or(0));
        vec![said(parsed), written]
    });
}

#[test]
fn policies_have_references_that_agree_with_the_library() {
    let mut g = Generator::new(seed() + 5);
    let reference = |g: &mut Generator| {
        let registry = g.pick(&[
            "",
            "",
            "ghcr.io/",
            "docker.io/",
            "index.docker.io/",
            "localhost/",
            "localhost:5000/",
            "10.0.0.1:5000/",
            "172.32.0.1/",
            "registry.localhost/",
            "a.localhost:80/",
            "[::1]:5000/",
            "[::1]/",
            "[1.2.3.4]:1/",
            "127.0.0.1:1/",
            "h.io:/",
            "h.io:x/",
            "a:1:2/",
            "registry.example.com:443/",
            "u@h.io/",
            "EXAMPLE.com/",
            "a..b/",
            "192.168.1.1/",
        ]);
        let path = g.pick(&[
            "app",
            "team/app",
            "a",
            "library/alpine",
            "a/b/c/d",
            "x_y-z.w",
            "App",
            "team//app",
            "app/",
            "/app",
        ]);
        let tag = g.pick(&["", "", ":1.0", ":latest", ":", ":a b", ":-_.", ":V1+2"]);
        let digest = match g.below(8) {
            0 => format!("@sha256:{}", "0a".repeat(32)),
            1 => g
                .pick(&["@sha256:00", "@sha512:00", "@", "@a@b"])
                .to_owned(),
            2 => format!("@sha256:{}", "0A".repeat(32)),
            _ => String::new(),
        };
        format!("{registry}{path}{tag}{digest}")
    };
    let mut asked = kinds_of(&mut g, cases(20_000), reference);
    asked.extend([1, 2, 127, 128, 129, 255, 256].iter().flat_map(|length| {
        ["", "h.io/", "app:"].map(|before| format!("{before}{}", "a".repeat(*length)))
    }));
    compare_texts("reference", &asked, |text| {
        let parsed = Reference::parse(text);
        let mut answers = vec![
            said(parsed.as_ref()),
            said(Reference::parse_tag(text)),
            said(Reference::parse_digest(text)),
            said(Repository::parse(text)),
        ];
        if let Ok(reference) = parsed {
            let plain = reference.repository.is_plain_http();
            answers.push(if plain { "http" } else { "https" }.into());
        }
        answers
    });
}

#[test]
fn policies_have_lists_that_agree_with_the_library() {
    let mut g = Generator::new(seed() + 6);
    let asked: Vec<String> = (0..cases(10_000))
        .map(|_| {
            let length = g.below(30);
            let mut noise = cases::noise(&mut g, length);
            if g.chance(20) {
                noise.push(char::from(g.below(128) as u8));
            }
            noise
        })
        .collect();
    compare_texts("json", &asked, |text| {
        let parts: Vec<String> = text.split(',').map(str::to_owned).collect();
        vec![
            format!("ok {}", json::strings(&parts)),
            repository::revision(&parts),
        ]
    });
}
