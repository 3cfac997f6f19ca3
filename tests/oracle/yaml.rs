//! Rewrites files as the libraries do that the controller is built from: generated manifests and generated YAML of every kind.

mod hard;
mod ordinary;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use imageauto::controllers::setters::{Setters, SourceFile, update};
use imageauto::yaml::round_trip;
use serde_json::{Value, json};

pub use hard::hard_yaml;
pub use ordinary::{ordinary_manifest, policies};

use crate::cluster::programs::go_program;
use crate::oracle::generator::Generator;

/// The program that answers with the original libraries.
struct Original {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Original {
    fn start() -> Option<Self> {
        let mut child = Command::new(go_program("yaml")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("the program answers"));
        Some(Self {
            child,
            questions,
            answers,
        })
    }

    fn ask(&mut self, operation: &str, input: &str) -> Answer {
        let policies: Vec<Value> = policies()
            .into_iter()
            .map(|policy| {
                json!({"namespace": policy.namespace, "name": policy.name, "image": policy.image,
                       "tag": policy.tag, "digest": policy.digest})
            })
            .collect();
        let policies = if operation == "set" {
            policies
        } else {
            Vec::new()
        };
        let question = json!({"op": operation, "input": input, "policies": policies});
        let stdin = self.questions.as_mut().expect("the program reads");
        writeln!(stdin, "{question}").expect("the program reads every question");
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .expect("the program answers every question");
        let answer: Value = serde_json::from_str(&line).expect("an answer is JSON");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let changes = answer["changes"].as_array().cloned().unwrap_or_default();
        Answer {
            output: text(&answer["output"]),
            error: answer["error"].as_str().map(str::to_owned),
            changes: changes
                .iter()
                .map(|change| [text(&change[0]), text(&change[1]), text(&change[2])])
                .collect(),
        }
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.child.wait();
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    output: String,
    changes: Vec<[String; 3]>,
    error: Option<String>,
}

fn our_round_trip(input: &str) -> Answer {
    let written = round_trip(input.as_bytes());
    Answer {
        error: written.as_ref().err().map(ToString::to_string),
        output: written.map_or_else(|_| String::new(), utf8),
        changes: Vec::new(),
    }
}

fn our_update(setters: &Setters, input: &str) -> Answer {
    let files = [SourceFile {
        path: "f.yaml",
        bytes: input.as_bytes(),
    }];
    match update(&files, setters) {
        Err(failure) => Answer {
            output: String::new(),
            changes: Vec::new(),
            error: Some(failure.message),
        },
        Ok(updated) => {
            let written = updated
                .written
                .into_iter()
                .find(|file| file.path == "f.yaml");
            Answer {
                output: written.map_or_else(|| input.to_owned(), |file| utf8(file.bytes)),
                error: None,
                changes: updated
                    .located
                    .into_iter()
                    .map(|change| [change.setter, change.old, change.new])
                    .collect(),
            }
        }
    }
}

fn utf8(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("what is written from UTF-8 is UTF-8")
}

/// What came out of a comparison.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Files asked about.
    pub files: usize,
    /// Files that both refuse to read.
    pub refused: usize,
    /// Files with at least one new value.
    pub changed: usize,
    /// Files that make the original crash.
    pub crashed: usize,
    /// Files that differ, made as small as possible.
    pub differences: Vec<String>,
}

/// Compares files, and shows the first differences.
pub fn compare(files: impl Iterator<Item = String>, most: usize) -> Option<Comparison> {
    let mut original = Original::start()?;
    let setters = Setters::new(&policies()).expect("the policies are valid");
    let mut comparison = Comparison::default();
    for file in files {
        comparison.files += 1;
        match differ(&mut original, &setters, &file) {
            Outcome::Same { refused, changed } => {
                comparison.refused += usize::from(refused);
                comparison.changed += usize::from(changed);
            }
            Outcome::Crash => comparison.crashed += 1,
            Outcome::Different => {
                let small = shrink(&mut original, &setters, file);
                let difference = describe(&mut original, &setters, &small);
                comparison.differences.push(difference);
                if comparison.differences.len() >= most {
                    break;
                }
            }
        }
    }
    Some(comparison)
}

#[derive(PartialEq, Eq)]
enum Outcome {
    Same { refused: bool, changed: bool },
    Crash,
    Different,
}

fn differ(original: &mut Original, setters: &Setters, input: &str) -> Outcome {
    let theirs = original.ask("rt", input);
    if theirs
        .error
        .as_deref()
        .is_some_and(|error| error.starts_with("panic"))
    {
        return Outcome::Crash;
    }
    let ours = our_round_trip(input);
    let refused = theirs.error.is_some();
    if refused != ours.error.is_some() || !refused && theirs.output != ours.output {
        return Outcome::Different;
    }
    if !input.contains("\"$imagepolicy\"") {
        return Outcome::Same {
            refused,
            changed: false,
        };
    }
    let theirs = original.ask("set", input);
    if theirs
        .error
        .as_deref()
        .is_some_and(|error| error.starts_with("panic"))
    {
        return Outcome::Crash;
    }
    let ours = our_update(setters, input);
    if theirs.error != ours.error || theirs.error.is_none() && theirs != ours {
        return Outcome::Different;
    }
    Outcome::Same {
        refused,
        changed: !theirs.changes.is_empty(),
    }
}

/// Takes lines and then characters away as long as the difference stays.
fn shrink(original: &mut Original, setters: &Setters, mut file: String) -> String {
    for by_line in [true, false] {
        let mut at = 0;
        loop {
            let pieces: Vec<&str> = if by_line {
                file.split_inclusive('\n').collect()
            } else {
                file.split_inclusive(|_| true).collect()
            };
            if at >= pieces.len() || !by_line && pieces.len() > 200 {
                break;
            }
            let smaller = [&pieces[..at], &pieces[at + 1..]].concat().concat();
            if differ(original, setters, &smaller) == Outcome::Different {
                file = smaller;
            } else {
                at += 1;
            }
        }
    }
    file
}

fn describe(original: &mut Original, setters: &Setters, input: &str) -> String {
    format!(
        "{input:?}\n  round trip theirs {:?}\n  round trip ours   {:?}\n  set theirs {:?}\n  set ours   {:?}",
        original.ask("rt", input),
        our_round_trip(input),
        original.ask("set", input),
        our_update(setters, input),
    )
}

fn check(name: &str, files: impl Iterator<Item = String>) {
    let Some(comparison) = compare(files, 10) else {
        return;
    };
    assert!(
        comparison.differences.is_empty(),
        "{name}: {} of {} files differ:\n{}",
        comparison.differences.len(),
        comparison.files,
        comparison.differences.join("\n")
    );
    assert!(comparison.changed > 0, "{name}: no value was set");
}

#[test]
fn ordinary_manifests_are_rewritten_alike() {
    let mut g = Generator::new(1);
    check("ordinary", (0..3000).map(|_| ordinary_manifest(&mut g)));
}

#[test]
fn hard_yaml_is_rewritten_alike() {
    let mut g = Generator::new(2);
    check("hard", (0..6000).map(|_| hard_yaml(&mut g)));
}
