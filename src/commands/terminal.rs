//! The process's two streams: stdout carries the result and nothing else, stderr the talk.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::failure::Failure;
use crate::io::error_text;
use crate::io::observer::{Event, Observer};
use crate::render::console::{Glyphs, Talk, Tone, harmless};

use super::input::{ColorWhen, GlobalArgs};

/// Stdout and stderr with what they can show.
#[derive(Debug)]
pub struct Terminal {
    color_out: bool,
    quiet: bool,
    hinted: bool,
    closed: bool,
    /// Why a part of the result didn't arrive.
    lost: Option<io::Error>,
    talk: Arc<TalkStream>,
}

/// Stderr, which the threads of a run share.
#[derive(Debug)]
struct TalkStream {
    color: bool,
    glyphs: Glyphs,
    /// Whether a line that is written over again can be shown.
    shows_progress: bool,
    /// The width of the progress line that stands there now.
    progress: Mutex<usize>,
    /// The servers that are waited for.
    awaited: Mutex<BTreeSet<String>>,
}

/// Shorter waits are not worth a word.
const WORTH_TELLING: Duration = Duration::from_secs(3);

impl Terminal {
    /// As the flags and the environment say.
    pub fn new(global: &GlobalArgs) -> Self {
        Self {
            color_out: color(global.color, &io::stdout()),
            quiet: global.quiet,
            hinted: false,
            closed: false,
            lost: None,
            talk: Arc::new(TalkStream {
                color: color(global.color, &io::stderr()),
                glyphs: if speaks_utf8() {
                    Glyphs::UNICODE
                } else {
                    Glyphs::ASCII
                },
                shows_progress: !global.quiet && io::stderr().is_terminal(),
                progress: Mutex::new(0),
                awaited: Mutex::default(),
            }),
        }
    }

    /// Whether results go to a terminal.
    pub fn shows_results(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Whether results are coloured.
    pub fn colors_results(&self) -> bool {
        self.color_out
    }

    /// The signs that the terminal can show.
    pub fn glyphs(&self) -> Glyphs {
        self.talk.glyphs
    }

    /// Whether the result goes nowhere: whoever reads it is gone, or it can't be written.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Says that a part of the result didn't arrive, where that is so, and gives the run's exit code, which is at least that of it.
    pub fn end(&mut self, code: u8) -> u8 {
        match self.lost.take() {
            Some(error) => {
                let failure = unwritten(&error);
                self.failure(&failure.message);
                code.max(failure.exit_code())
            }
            None => code,
        }
    }

    /// Writes a part of the result. A closed pipe is not an error: the rest is dropped.
    pub fn result(&mut self, bytes: &[u8]) {
        if !self.closed && !bytes.is_empty() {
            self.talk.clear_progress();
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
            self.remember(written);
        }
    }

    /// Writes a part of the result that is made while it is written.
    pub fn streamed_result(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if !self.closed {
            self.talk.clear_progress();
            let mut stdout = BufWriter::with_capacity(1 << 16, io::stdout().lock());
            let written = write(&mut stdout).and_then(|()| stdout.flush());
            // What is left of it would be tried again.
            drop(stdout.into_parts());
            self.remember(written);
        }
    }

    fn remember(&mut self, written: io::Result<()>) {
        self.closed = written.is_err();
        self.lost = written.err().filter(is_loss);
    }

    /// Writes a line of the result that has a sign in front.
    pub fn result_line(&mut self, line: &Talk) {
        let text = line.render(&self.talk.glyphs, self.color_out);
        self.result(text.as_bytes());
    }

    /// Says something; with `-q` only errors are said.
    pub fn say(&self, talk: &Talk) {
        if self.quiet && talk.tone != Tone::Error {
            return;
        }
        self.talk.say(talk);
    }

    /// Says that something failed.
    pub fn failure(&self, message: &str) {
        self.say(&Talk::new(Tone::Error, message));
    }

    /// Asks a question that only `y` or `yes` affirms; `None` where there is nobody to ask.
    pub fn confirm(&self, question: &str) -> Option<bool> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        self.talk.write(&format!("{} [y/N] ", harmless(question)));
        let mut line = String::new();
        // An end of input is a no.
        drop(io::stdin().read_line(&mut line));
        let answer = line.trim().to_ascii_lowercase();
        Some(answer == "y" || answer == "yes")
    }

    /// Says what to try; at most once a run.
    pub fn hint(&mut self, hint: &str) {
        if !self.hinted && !self.quiet {
            self.hinted = true;
            self.talk.write(&format!("hint: {hint}\n"));
        }
    }

    /// Whoever listens to the run: progress on a terminal, and with `log` each request and program.
    pub fn observer(&self, log: bool) -> Observer {
        let talk = Arc::clone(&self.talk);
        if !log && self.quiet {
            return Observer::nobody();
        }
        let quiet = self.quiet;
        Observer::new(move |event| match event {
            Event::Progress { what, done, total } => talk.progress(what, done, total),
            Event::Request {
                method,
                url,
                outcome,
                took,
            } if log => talk.log(&format!("{method} {url}: {outcome} in {took:.1?}")),
            Event::Program {
                command,
                outcome,
                took,
            } if log => talk.log(&format!("{command}: {outcome} in {took:.1?}")),
            Event::Waiting {
                host,
                because,
                wait,
            } if !quiet => talk.waiting(&host, &because, wait),
            _ => {}
        })
    }
}

impl TalkStream {
    fn say(&self, talk: &Talk) {
        self.write(&talk.render(&self.glyphs, self.color));
    }

    fn log(&self, line: &str) {
        self.say(&Talk::new(Tone::Detail, line));
    }

    fn write(&self, text: &str) {
        self.clear_progress();
        // Nobody can be told that stderr is closed.
        drop(io::stderr().lock().write_all(text.as_bytes()));
    }

    fn progress(&self, what: &str, done: usize, total: usize) {
        if !self.shows_progress || total < 2 {
            return;
        }
        let line = format!("{} {done} of {total} {what}", self.glyphs.waiting());
        let mut width = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let padding = width.saturating_sub(line.chars().count());
        *width = line.chars().count();
        let text = format!("\r{line}{}", " ".repeat(padding));
        drop(io::stderr().lock().write_all(text.as_bytes()));
    }

    /// Says once for each server that it is waited for.
    fn waiting(&self, host: &str, because: &str, wait: Duration) {
        if wait < WORTH_TELLING {
            return;
        }
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        if awaited.insert(host.to_owned()) {
            let seconds = wait.as_secs_f64().round();
            let line = format!("{host}: {because}: it is asked again in {seconds}s");
            self.say(&Talk::new(Tone::Note, &line));
        }
    }

    fn clear_progress(&self) {
        let mut width = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if *width > 0 {
            let text = format!("\r{}\r", " ".repeat(*width));
            *width = 0;
            drop(io::stderr().lock().write_all(text.as_bytes()));
        }
    }
}

/// Whether an error on stdout is one: whoever closes a pipe has read enough.
fn is_loss(error: &io::Error) -> bool {
    error.kind() != io::ErrorKind::BrokenPipe
}

fn unwritten(error: &io::Error) -> Failure {
    Failure::invalid_input(format!(
        "standard output can't be written: {}: the result is not complete; mend that and run the command again",
        error_text(error)
    ))
}

/// Writes to stdout where there are no settings yet, and gives the exit code: `code`, or more if it can't be written.
pub fn write_bare(code: u8, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> u8 {
    let mut stdout = io::stdout().lock();
    match write(&mut stdout).and_then(|()| stdout.flush()) {
        Err(error) if is_loss(&error) => {
            let failure = unwritten(&error);
            // Nobody can be told that stderr is closed.
            drop(writeln!(io::stderr(), "error: {}", failure.message));
            code.max(failure.exit_code())
        }
        _ => code,
    }
}

fn color<S: IsTerminal + anstream::stream::RawStream>(when: ColorWhen, stream: &S) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never,
    }
}

/// By the locale's variables in their order; a Windows terminal takes UTF-8.
fn speaks_utf8() -> bool {
    if cfg!(windows) {
        return true;
    }
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL")
        .or_else(|| set("LC_CTYPE"))
        .or_else(|| set("LANG"))
        .unwrap_or_default()
        .to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
