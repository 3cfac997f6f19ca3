//! The Go program that answers with the libraries that the controller is built from.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::case::{Answer, Case, Operation};
use super::ordinary::policies;
use crate::cluster::programs::go_program;

/// The running program.
pub struct Original {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

#[derive(Serialize, Deserialize)]
struct WireFile {
    path: String,
    bytes: Option<String>,
}

#[derive(Deserialize)]
struct WireAnswer {
    files: Option<Vec<WireFile>>,
    changes: Option<Vec<[String; 8]>>,
    problems: Option<Vec<String>>,
    error: Option<String>,
    panic: Option<String>,
}

impl Original {
    /// Starts it; `None` where Go isn't installed.
    pub fn start() -> Option<Self> {
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

    /// Asks about one case.
    pub fn ask(&mut self, case: &Case) -> Answer {
        let stdin = self.questions.as_mut().expect("the program reads");
        writeln!(stdin, "{}", question(case)).expect("the program reads every question");
        read_answer(&mut self.answers, case)
    }

    /// Asks about many, while the answers to those before come back. `judge` gets each case with its answer.
    pub fn ask_all(
        &mut self,
        cases: impl Iterator<Item = Case> + Send,
        mut judge: impl FnMut(Case, Answer),
    ) {
        let stdin = self.questions.as_mut().expect("the program reads");
        let answers = &mut self.answers;
        let (sender, receiver) = std::sync::mpsc::sync_channel(64);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for case in cases {
                    let line = question(&case);
                    if sender.send(case).is_err() {
                        return;
                    }
                    writeln!(stdin, "{line}").expect("the program reads every question");
                }
            });
            for case in receiver {
                let answer = read_answer(answers, &case);
                judge(case, answer);
            }
        });
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.child.wait();
    }
}

fn question(case: &Case) -> String {
    let files: Vec<WireFile> = case
        .files
        .iter()
        .map(|(path, bytes)| WireFile {
            path: path.clone(),
            bytes: Some(STANDARD.encode(bytes)),
        })
        .collect();
    let policies: Vec<_> = policies()
        .into_iter()
        .map(|policy| {
            json!({"namespace": policy.namespace, "name": policy.name, "image": policy.image,
                   "tag": policy.tag, "digest": policy.digest})
        })
        .collect();
    let operation = match case.operation {
        Operation::RoundTrip => "rt",
        Operation::Run => "run",
    };
    json!({"op": operation, "files": files, "policies": policies}).to_string()
}

fn read_answer(answers: &mut BufReader<ChildStdout>, case: &Case) -> Answer {
    let mut line = String::new();
    answers
        .read_line(&mut line)
        .expect("the program answers every question");
    let answer: WireAnswer =
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{case}: {line:?}: {error}"));
    if let Some(panic) = answer.panic {
        return Answer::Panic(panic);
    }
    if let Some(error) = answer.error {
        // The program's own types are in another package than the controller's.
        return Answer::Failed(error.replace(" main.", " update."));
    }
    let files = answer.files.unwrap_or_default();
    let decoded = files.into_iter().map(|file| {
        let bytes = file.bytes.unwrap_or_default();
        let bytes = STANDARD.decode(&bytes).expect("bytes are base64");
        (file.path, bytes)
    });
    Answer::Done {
        files: decoded.collect(),
        changes: answer.changes.unwrap_or_default(),
        problems: answer.problems.unwrap_or_default(),
    }
}
