//! The process's two streams: stdout carries the result and nothing else, stderr the talk.

use std::io::{self, IsTerminal, Write};

use crate::render::console::{Glyphs, Talk, Tone};

use super::input::{ColorWhen, GlobalArgs};

/// Stdout and stderr with what they can show.
#[derive(Debug)]
pub struct Terminal {
    color_out: bool,
    color_err: bool,
    glyphs: Glyphs,
    quiet: bool,
    hinted: bool,
    closed: bool,
}

impl Terminal {
    /// As the flags and the environment say.
    pub fn new(global: &GlobalArgs) -> Self {
        Self {
            color_out: color(global.color, &io::stdout()),
            color_err: color(global.color, &io::stderr()),
            glyphs: if speaks_utf8() {
                Glyphs::UNICODE
            } else {
                Glyphs::ASCII
            },
            quiet: global.quiet,
            hinted: false,
            closed: false,
        }
    }

    /// Whether results are coloured.
    pub fn colors_results(&self) -> bool {
        self.color_out
    }

    /// Writes a part of the result. A closed pipe is not an error: the rest is dropped.
    pub fn result(&mut self, bytes: &[u8]) {
        if !self.closed {
            let mut stdout = io::stdout().lock();
            self.closed = stdout
                .write_all(bytes)
                .and_then(|()| stdout.flush())
                .is_err();
        }
    }

    /// Says something; with `-q` only errors are said.
    pub fn say(&self, talk: &Talk) {
        if self.quiet && talk.tone != Tone::Error {
            return;
        }
        let text = talk.render(&self.glyphs, self.color_err);
        // Nobody can be told that stderr is closed.
        drop(io::stderr().lock().write_all(text.as_bytes()));
    }

    /// Says that something failed.
    pub fn failure(&self, message: &str) {
        self.say(&Talk::new(Tone::Error, message));
    }

    /// Says what to try; at most once a run.
    pub fn hint(&mut self, hint: &str) {
        if !self.hinted && !self.quiet {
            self.hinted = true;
            drop(
                io::stderr()
                    .lock()
                    .write_all(format!("hint: {hint}\n").as_bytes()),
            );
        }
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
