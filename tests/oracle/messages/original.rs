//! The Go program that runs templates with Go's text/template and Sprig.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::case::MessageCase;
use crate::cluster::programs::go_program;

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all runs of a template gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub outputs: Vec<Vec<u8>>,
    pub errors: Vec<String>,
    /// The program ended, or had to be ended: the template takes all memory, or all time.
    pub ended: bool,
}

/// The Go program.
pub(super) struct Original {
    program: PathBuf,
}

impl Original {
    /// `None` where Go isn't installed.
    pub(super) fn start() -> Option<Self> {
        Some(Self {
            program: go_program("messages")?,
        })
    }

    /// The names of Sprig's hermetic functions.
    pub(super) fn functions(&self) -> Vec<String> {
        let answers = self.ask_lines(&[json!({"Functions": true}).to_string()]);
        let mut names: Vec<String> = answers[0]
            .outputs
            .iter()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        names.sort();
        names
    }

    /// Runs each template so many times; the answers are in the order of the questions.
    pub(super) fn ask(&self, cases: &[(&MessageCase, usize)]) -> Vec<Answer> {
        const PART: usize = 250;
        let questions: Vec<String> = cases
            .iter()
            .map(|(case, runs)| case.question(*runs).to_string())
            .collect();
        let parts: Vec<&[String]> = questions.chunks(PART).collect();
        let answers: Vec<Mutex<Vec<Answer>>> = parts.iter().map(|_| Mutex::default()).collect();
        let next = Mutex::new(0..parts.len());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let part = next.lock().expect("no thread panics with it").next();
                        let Some(part) = part else { return };
                        *answers[part].lock().expect("no other thread has it") =
                            self.ask_lines(parts[part]);
                    }
                });
            }
        });
        let answers = answers.into_iter();
        answers
            .flat_map(|part| part.into_inner().expect("the threads have ended"))
            .collect()
    }

    /// Asks one after the other; a question that ends the program is left behind.
    fn ask_lines(&self, questions: &[String]) -> Vec<Answer> {
        let mut answers = Vec::new();
        while answers.len() < questions.len() {
            answers.extend(self.ask_until_the_end(&questions[answers.len()..]));
            if answers.len() < questions.len() {
                answers.push(Answer {
                    outputs: Vec::new(),
                    errors: Vec::new(),
                    ended: true,
                });
            }
        }
        answers
    }

    fn ask_until_the_end(&self, questions: &[String]) -> Vec<Answer> {
        let mut child = Command::new(&self.program)
            // A template that takes all memory is ended by Go's own collector limit or by the patience.
            .env("GOMEMLIMIT", "1500MiB")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut input = child.stdin.take().expect("the program reads");
        let output = BufReader::new(child.stdout.take().expect("the program answers"));
        let (sender, receiver) = mpsc::channel();
        let mut answers = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for question in questions {
                    if writeln!(input, "{question}").is_err() {
                        return;
                    }
                }
            });
            scope.spawn(move || {
                for line in output.lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
            while answers.len() < questions.len() {
                match receiver.recv_timeout(PATIENCE) {
                    Ok(line) => answers.push(answer(&line)),
                    Err(_) => break,
                }
            }
            end(&mut child);
        });
        answers
    }
}

fn end(child: &mut Child) {
    // It has often ended by itself.
    let _ = child.kill();
    child.wait().expect("the program can be waited for");
}

fn answer(line: &str) -> Answer {
    let answer: Value = serde_json::from_str(line).expect("an answer is JSON");
    let texts = |name: &str| -> Vec<String> {
        let texts = answer[name].as_array().expect("an answer has lists");
        texts
            .iter()
            .map(|text| text.as_str().expect("a list of texts").to_string())
            .collect()
    };
    Answer {
        outputs: texts("outputs")
            .iter()
            .map(|text| STANDARD.decode(text).expect("outputs are in base64"))
            .collect(),
        errors: texts("errors"),
        ended: false,
    }
}
