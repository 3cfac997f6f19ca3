//! The vectors of `testdata/vectors/` asked again: what was recorded once is still what the running controller does.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;

use super::recording::{Latest, Rewritten, Scope, Text};
use super::rewrites_in_bulk::rewrites_in_bulk;
use crate::cluster::{control_plane, tell};

#[derive(Deserialize)]
struct Vector {
    op: String,
    #[serde(default)]
    policies: Vec<String>,
    input: String,
    output: Option<String>,
    #[serde(default)]
    changes: Vec<[String; 3]>,
    error: Option<String>,
}

/// A vector with the number of its image.
type Numbered<'a> = (usize, &'a Vector);

/// Where the policy that the vectors call `ns/p` stands: each image of the vectors gets a namespace and a name of its
/// own, as long as the old ones, so that all can be asked at a time and no line changes its length.
struct Renamed {
    namespace: String,
    policy: String,
}

const NAMES: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

impl Renamed {
    fn new(number: usize) -> Self {
        let letter = |index: usize| NAMES[index..=index].to_owned();
        Self {
            namespace: format!("v{}", letter(number / NAMES.len())),
            policy: letter(number % NAMES.len()),
        }
    }

    fn text(&self, text: &str) -> String {
        let policy = self.policy.chars().next().map_or(0, u32::from);
        text.replace("ns:p", &format!("{}:{}", self.namespace, self.policy))
            .replace("ns:\\u0070", &format!("{}:\\u{policy:04x}", self.namespace))
            .replace("ns%3Ap", &format!("{}%3A{}", self.namespace, self.policy))
    }
}

#[test]
fn the_recorded_vectors_still_hold() {
    let Some(plane) = control_plane() else { return };
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/testdata/vectors/yaml-rewrite.jsonl"
    );
    let text = fs::read_to_string(path).expect("the vectors are there");
    let vectors: Vec<Vector> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .filter(|vector: &Vector| vector.op == "set" && vector.error.is_none())
        .collect();

    let mut images: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_namespace: BTreeMap<String, (Scope, Vec<Numbered<'_>>)> = BTreeMap::new();
    for vector in &vectors {
        let [policy] = vector.policies.as_slice() else {
            panic!("one policy each: {:?}", vector.policies)
        };
        let next = images.len();
        let number = *images.entry(policy).or_insert(next);
        let renamed = Renamed::new(number);
        let (scope, questions) = by_namespace
            .entry(renamed.namespace.clone())
            .or_insert_with(|| {
                (
                    Scope {
                        namespace: renamed.namespace.clone(),
                        latest: Vec::new(),
                    },
                    Vec::new(),
                )
            });
        if scope
            .latest
            .iter()
            .all(|latest| latest.policy != renamed.policy)
        {
            scope.latest.push(latest(policy, renamed.policy));
        }
        questions.push((number, vector));
    }

    let mut agreed = 0;
    for (scope, questions) in by_namespace.values() {
        let files: Vec<Vec<u8>> = questions
            .iter()
            .map(|(number, vector)| Renamed::new(*number).text(&vector.input).into_bytes())
            .collect();
        let answers = rewrites_in_bulk(plane, scope, &files);
        for ((number, vector), answer) in questions.iter().zip(answers) {
            let renamed = Renamed::new(*number);
            let Rewritten::File {
                text,
                changes,
                created,
            } = answer
            else {
                panic!("{answer:?}")
            };
            let expected = renamed.text(
                vector
                    .output
                    .as_deref()
                    .expect("a vector without error has an output"),
            );
            assert_eq!(text, Text::Utf8(expected), "{:?}", vector.input);
            // The vectors hold each change once, as `.Changed.Changes` lists them.
            let mut distinct: Vec<[String; 3]> = Vec::new();
            for change in changes {
                let change = [change.setter, change.old, change.new];
                if !distinct.contains(&change) {
                    distinct.push(change);
                }
            }
            let expected: Vec<[String; 3]> = vector
                .changes
                .iter()
                .map(|change| change.clone().map(|text| renamed.text(&text)))
                .collect();
            assert_eq!(distinct, expected, "{:?}", vector.input);
            assert_eq!(created, [], "{:?}", vector.input);
            agreed += 1;
        }
    }
    tell(&format!("vectors: {} asked, {agreed} hold", vectors.len()));
}

/// `NAMESPACE/NAME=IMAGE:TAG[@DIGEST]`
fn latest(policy: &str, name: String) -> Latest {
    let (_, reference) = policy.split_once('=').expect("a policy has an image");
    let (tagged, digest) = reference.split_once('@').unwrap_or((reference, ""));
    let (image, tag) = tagged.rsplit_once(':').expect("an image has a tag");
    Latest {
        policy: name,
        image: image.to_owned(),
        tag: tag.to_owned(),
        digest: digest.to_owned(),
    }
}
