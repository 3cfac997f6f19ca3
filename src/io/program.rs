//! Running a program to its end, or to the end of our patience: with all that it started.

use std::collections::BTreeSet;
use std::io::{self, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a program said and how it ended.
#[derive(Debug, Default)]
pub(in crate::io) struct Output {
    /// Its exit status; `None` after a signal.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// The first megabyte of its standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Whether it ended well.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// Why there is no output.
#[derive(Debug)]
pub(in crate::io) enum Stopped {
    /// It can't be run.
    NotStarted(io::Error),
    /// It ran too long, and was ended; what it had said on standard error by then.
    TimedOut(Vec<u8>),
    /// It said more than is read, and was ended.
    TooMuch,
}

/// How far a program may go.
#[derive(Clone, Copy, Debug)]
pub(in crate::io) struct Limits {
    /// When it is ended.
    pub deadline: Option<Instant>,
    /// How many bytes of standard output are read.
    pub output: usize,
}

const ERRORS: usize = 1 << 20;

/// The programs that run now, by process id: each is the head of a group of its own.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn running() -> MutexGuard<'static, BTreeSet<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends every program that still runs; for the moment before an interrupted process ends.
pub(in crate::io) fn end_all() {
    for id in std::mem::take(&mut *running()) {
        kill_group(id);
    }
}

/// Runs `command` with `input` as its standard input.
///
/// # Errors
///
/// It can't be run, or went beyond a limit.
pub(in crate::io) fn run(
    command: &mut Command,
    input: Option<Vec<u8>>,
    limits: Limits,
) -> Result<Output, Stopped> {
    command
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    lead_a_group(command);
    let mut child = command.spawn().map_err(Stopped::NotStarted)?;
    let id = child.id();
    running().insert(id);
    let outcome = attend(&mut child, input, limits);
    if outcome.is_err() {
        kill_group(id);
        // Only a child that is gone already can't be killed.
        drop(child.kill());
        drop(child.wait());
    }
    running().remove(&id);
    outcome
}

/// One of the two pipes came to its end.
enum Said {
    Output(Option<Vec<u8>>),
    Errors(Vec<u8>),
}

fn attend(child: &mut Child, input: Option<Vec<u8>>, limits: Limits) -> Result<Output, Stopped> {
    let (sender, receiver) = mpsc::channel();
    // The threads are not waited for: a stray descendant may hold the pipes open longer than we have patience.
    if let Some((mut pipe, input)) = child.stdin.take().zip(input) {
        std::thread::spawn(move || pipe.write_all(&input));
    }
    if let Some(pipe) = child.stdout.take() {
        let sender = sender.clone();
        std::thread::spawn(move || send(&sender, Said::Output(up_to(pipe, limits.output))));
    }
    if let Some(pipe) = child.stderr.take() {
        std::thread::spawn(move || send(&sender, Said::Errors(first_of(pipe, ERRORS))));
    }
    let mut output = Output::default();
    for _ in 0..2 {
        match received(&receiver, limits.deadline) {
            Ok(Said::Output(Some(bytes))) => output.stdout = bytes,
            Ok(Said::Output(None)) => return Err(Stopped::TooMuch),
            Ok(Said::Errors(bytes)) => output.stderr = bytes,
            Err(RecvTimeoutError::Timeout) => {
                kill_group(child.id());
                return Err(Stopped::TimedOut(last_words(&receiver, output.stderr)));
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    output.code = wait(child, limits.deadline)
        .ok_or_else(|| Stopped::TimedOut(std::mem::take(&mut output.stderr)))?;
    Ok(output)
}

fn send(sender: &Sender<Said>, said: Said) {
    // Nobody listens any more once the program was given up.
    drop(sender.send(said));
}

fn received(
    receiver: &Receiver<Said>,
    deadline: Option<Instant>,
) -> Result<Said, RecvTimeoutError> {
    match deadline {
        Some(deadline) => receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())),
        None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

/// What is on the way on standard error when the program is ended.
fn last_words(receiver: &Receiver<Said>, so_far: Vec<u8>) -> Vec<u8> {
    let grace = Instant::now() + Duration::from_millis(500);
    while let Ok(said) = received(receiver, Some(grace)) {
        if let Said::Errors(bytes) = said {
            return bytes;
        }
    }
    so_far
}

/// The exit status of a program whose pipes are closed; `None` when it lives on past the deadline.
fn wait(child: &mut Child, deadline: Option<Instant>) -> Option<Option<i32>> {
    let mut pause = Duration::from_micros(100);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.code()),
            Ok(None) if deadline.is_some_and(|deadline| Instant::now() > deadline) => return None,
            Ok(None) => std::thread::sleep(pause),
            Err(_) => return Some(None),
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Everything, or `None` when it is more than `limit` bytes.
fn up_to(pipe: impl Read, limit: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    // What can't be read is missing; the exit status tells.
    drop(pipe.take(most).read_to_end(&mut bytes));
    (bytes.len() <= limit).then_some(bytes)
}

/// The first `limit` bytes; the rest is read and dropped, so that the writer goes on.
fn first_of(mut pipe: impl Read, limit: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    drop(pipe.by_ref().take(most).read_to_end(&mut bytes));
    drop(io::copy(&mut pipe, &mut io::sink()));
    bytes
}

#[cfg(unix)]
fn lead_a_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn lead_a_group(_: &mut Command) {}

#[cfg(unix)]
fn kill_group(id: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // A group that is gone already is what is wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill_group(id: u32) {
    let mut command = Command::new("taskkill");
    command.args(["/F", "/T", "/PID", &id.to_string()]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    drop(command.status());
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const NO_LIMITS: Limits = Limits {
        deadline: None,
        output: 1 << 20,
    };

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn input_output_errors_and_status_are_passed_on() {
        let input = vec![b'x'; 300_000];
        let output = run(
            &mut shell("cat; echo no >&2; exit 3"),
            Some(input.clone()),
            NO_LIMITS,
        );
        let output = output.unwrap();
        assert_eq!(output.stdout, input);
        assert_eq!(output.stderr, b"no\n");
        assert_eq!((output.code, output.success()), (Some(3), false));
    }

    #[test]
    fn a_program_ends_at_the_deadline_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("pid");
        let script = format!(
            "echo so far >&2; sleep 600 & echo $! > {}; wait",
            note.display()
        );
        let limits = Limits {
            deadline: Some(Instant::now() + Duration::from_millis(500)),
            ..NO_LIMITS
        };
        match run(&mut shell(&script), None, limits) {
            Err(Stopped::TimedOut(errors)) => assert_eq!(errors, b"so far\n"),
            other => panic!("{other:?}"),
        }
        let id = std::fs::read_to_string(note).unwrap();
        let alive = || {
            let mut command = shell(&format!("kill -0 {}", id.trim()));
            let is_there = command.stderr(Stdio::null()).status().unwrap().success();
            // Where nobody waits for orphans, they stay as zombies.
            let state = std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
            is_there && !state.is_ok_and(|state| state.contains(") Z "))
        };
        let patience = Instant::now() + Duration::from_secs(10);
        while alive() {
            assert!(Instant::now() < patience, "the grandchild lives on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn endless_output_is_not_read_to_its_end() {
        assert!(matches!(
            run(
                &mut shell("yes"),
                None,
                Limits {
                    output: 1000,
                    ..NO_LIMITS
                }
            ),
            Err(Stopped::TooMuch)
        ));
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        assert!(matches!(
            run(&mut Command::new("/nonexistent/git"), None, NO_LIMITS),
            Err(Stopped::NotStarted(_))
        ));
    }
}
