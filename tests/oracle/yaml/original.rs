//! The Go program that answers with the libraries that the controller is built from.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
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
        read_answer(&mut self.answers)
    }

    /// Has it run over the files below a path of a folder, which it changes; gives the number of those that it can't read, or its error.
    pub fn run_in(&mut self, folder: &Path, below: &str) -> Result<usize, String> {
        let stdin = self.questions.as_mut().expect("the program reads");
        let question =
            json!({"op": "folder", "folder": folder, "below": below, "policies": wire_policies()});
        writeln!(stdin, "{question}").expect("the program reads every question");
        let answer = read_line(&mut self.answers);
        match (answer.panic, answer.error) {
            (Some(panic), _) => Err(format!("panic: {panic}")),
            (None, Some(error)) => Err(as_of_controller(&error)),
            (None, None) => Ok(answer.problems.unwrap_or_default().len()),
        }
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
                let answer = read_answer(answers);
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
    let operation = match case.operation {
        Operation::RoundTrip => "rt",
        Operation::Run => "run",
    };
    json!({"op": operation, "files": files, "policies": wire_policies()}).to_string()
}

fn wire_policies() -> serde_json::Value {
    policies()
        .into_iter()
        .map(|policy| {
            json!({"namespace": policy.namespace, "name": policy.name, "image": policy.image,
                   "tag": policy.tag, "digest": policy.digest})
        })
        .collect()
}

/// The program's own types are in another package than the controller's.
fn as_of_controller(error: &str) -> String {
    error.replace(" main.", " update.")
}

fn read_line(answers: &mut BufReader<ChildStdout>) -> WireAnswer {
    let mut line = String::new();
    answers
        .read_line(&mut line)
        .expect("the program answers every question");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

fn read_answer(answers: &mut BufReader<ChildStdout>) -> Answer {
    let answer = read_line(answers);
    if let Some(panic) = answer.panic {
        return Answer::Panic(panic);
    }
    if let Some(error) = answer.error {
        return Answer::Failed(as_of_controller(&error));
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
