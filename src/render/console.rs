//! What is said on stderr: flux's glyphs, colours, and text that can't take over a terminal.

use anstyle::{AnsiColor, Style};

use crate::findings::Severity;

/// The signs in front of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyphs {
    action: &'static str,
    waiting: &'static str,
    success: &'static str,
    failure: &'static str,
    warning: &'static str,
    nothing: &'static str,
    ellipsis: &'static str,
    line: &'static str,
}

impl Glyphs {
    /// Flux's own.
    pub const UNICODE: Self = Self {
        action: "\u{25ba}",
        waiting: "\u{25ce}",
        success: "\u{2714}",
        failure: "\u{2717}",
        warning: "\u{26a0}",
        nothing: "\u{b7}",
        ellipsis: "\u{2026}",
        line: "\u{2504}",
    };
    /// For terminals that aren't UTF-8.
    pub const ASCII: Self = Self {
        action: ">",
        waiting: "o",
        success: "+",
        failure: "x",
        warning: "!",
        nothing: "-",
        ellipsis: "...",
        line: "-",
    };

    /// What stands for the rest of a list.
    pub fn ellipsis(&self) -> &'static str {
        self.ellipsis
    }

    /// What a line is drawn with.
    pub fn line(&self) -> &'static str {
        self.line
    }

    /// The sign of something that is done, or that one goes to.
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// The sign of something that is awaited.
    pub fn waiting(&self) -> &'static str {
        self.waiting
    }

    /// The sign of something that is as it should be.
    pub fn success(&self) -> &'static str {
        self.success
    }

    /// The sign of something that is not.
    pub fn failure(&self) -> &'static str {
        self.failure
    }

    /// The sign of something about which nothing can be said.
    pub fn nothing(&self) -> &'static str {
        self.nothing
    }
}

/// What kind of thing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something begins.
    Action,
    /// Something is so, or is awaited.
    Note,
    /// Something is done.
    Success,
    /// Something is probably not what was meant.
    Warning,
    /// Something failed.
    Error,
    /// A further line of what was said before.
    Detail,
}

impl Tone {
    /// How a finding of a severity is said.
    pub fn of(severity: Severity) -> Self {
        match severity {
            Severity::Error => Self::Error,
            Severity::Warning => Self::Warning,
            Severity::Note => Self::Note,
        }
    }
}

/// One thing said; a text of several lines is indented below its first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talk {
    /// Its kind.
    pub tone: Tone,
    /// The text.
    pub text: String,
}

impl Talk {
    /// `text` in `tone`.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self {
            tone,
            text: text.into(),
        }
    }

    /// The lines as they are written, each ended by LF.
    pub fn render(&self, glyphs: &Glyphs, color: bool) -> String {
        let (sign, style) = match self.tone {
            Tone::Action => (glyphs.action, Style::new().bold()),
            Tone::Note => (glyphs.waiting, Style::new()),
            Tone::Success => (glyphs.success, AnsiColor::Green.on_default()),
            Tone::Warning => (glyphs.warning, AnsiColor::Yellow.on_default()),
            Tone::Error => (glyphs.failure, AnsiColor::Red.on_default()),
            Tone::Detail => (" ", Style::new()),
        };
        let text = harmless(&self.text);
        let mut lines = text.trim_end_matches('\n').split('\n');
        let first = lines.next().unwrap_or_default();
        let mut rendered = if color {
            format!("{style}{sign}{style:#} {first}\n")
        } else {
            format!("{sign} {first}\n")
        };
        for line in lines {
            rendered.push_str("    ");
            rendered.push_str(line);
            rendered.push('\n');
        }
        rendered
    }
}

/// The text without control characters but LF and tab: names and messages come from objects that are not trusted.
pub fn harmless(text: &str) -> String {
    let shown = |character: char| character == '\n' || character == '\t' || !character.is_control();
    text.chars()
        .map(|character| {
            if shown(character) {
                character
            } else {
                '\u{fffd}'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_lines_are_indented() {
        let talk = Talk::new(Tone::Success, "message:\n\n- a\n");
        assert_eq!(
            talk.render(&Glyphs::ASCII, false),
            "+ message:\n    \n    - a\n"
        );
    }

    #[test]
    fn escape_sequences_are_not_passed_on() {
        let talk = Talk::new(Tone::Note, "a\u{1b}[2Jb");
        assert_eq!(talk.render(&Glyphs::ASCII, false), "o a\u{fffd}[2Jb\n");
    }
}
