//! Scalars: which styles a value can have, and how each style writes it.

use std::fmt::Write as _;

use super::characters::{
    count_characters, is_blank, is_break, is_break_character, is_printable, is_space_or_end,
    is_word,
};
use super::emitter::Emitter;
use super::token::ScalarStyle;

/// What the characters of a value allow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Analysis {
    /// There is a line break.
    pub(super) multiline: bool,
    /// May stand without quotes inside brackets.
    pub(super) flow_plain: bool,
    /// May stand without quotes elsewhere.
    pub(super) block_plain: bool,
    /// May stand between `'`.
    pub(super) single_quoted: bool,
    /// May stand after `|` or `>`.
    pub(super) block: bool,
}

/// Bytes that mean nothing anywhere in a value, and those that only mean something at its start.
const UNREMARKABLE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        table[byte as usize] =
            !matches!(byte, b'#' | b',' | b'[' | b']' | b'{' | b'}' | b'?' | b':');
        byte += 1;
    }
    table
};

impl Analysis {
    #[inline]
    pub(super) fn of(value: &str) -> Self {
        Self::of_word(value.as_bytes()).unwrap_or_else(|| Self::in_full(value))
    }

    /// The analysis of values such as `web`, `registry.example.com/team/web:1.0` and `two words`.
    #[inline]
    fn of_word(value: &[u8]) -> Option<Self> {
        if !value.first()?.is_ascii_alphanumeric() || value.last()? == &b' ' {
            return None;
        }
        let mut colon = false;
        for (at, byte) in value.iter().enumerate() {
            if UNREMARKABLE[*byte as usize] || *byte == b' ' {
                continue;
            }
            if *byte != b':' || value.get(at + 1).is_none_or(|next| *next == b' ') {
                return None;
            }
            colon = true;
        }
        Some(Self {
            multiline: false,
            flow_plain: !colon,
            block_plain: true,
            single_quoted: true,
            block: true,
        })
    }

    fn in_full(value: &str) -> Self {
        if value.is_empty() {
            return Self {
                multiline: false,
                flow_plain: false,
                block_plain: true,
                single_quoted: true,
                block: false,
            };
        }
        let seen = Seen::in_value(value);
        let edge = seen.edge_space || seen.edge_break;
        let unquotable = seen.break_space || seen.space_break || seen.tab || seen.special;
        let plain = !edge && !unquotable && !seen.line_break;
        Self {
            multiline: seen.line_break,
            flow_plain: plain && !seen.flow_indicator,
            block_plain: plain && !seen.block_indicator,
            single_quoted: !unquotable,
            block: !(seen.trailing_space || seen.space_break || seen.special),
        }
    }
}

/// What occurs in a value.
#[derive(Default)]
struct Seen {
    flow_indicator: bool,
    block_indicator: bool,
    line_break: bool,
    special: bool,
    tab: bool,
    /// A space at the start or the end.
    edge_space: bool,
    edge_break: bool,
    trailing_space: bool,
    /// A space right behind a break.
    break_space: bool,
    /// A space right before a break.
    space_break: bool,
}

impl Seen {
    fn in_value(value: &str) -> Self {
        let bytes = value.as_bytes();
        let mut seen = Self::default();
        if value.starts_with("---") || value.starts_with("...") {
            seen.flow_indicator = true;
            seen.block_indicator = true;
        }
        let mut after_space_or_break = true;
        let mut after_space = false;
        let mut after_break = false;
        for (at, character) in value.char_indices() {
            let next = at + character.len_utf8();
            let is_last = next == bytes.len();
            let before_blank = is_last || is_blank(bytes[next]);
            seen.indicator(character, at == 0, after_space_or_break, before_blank);
            if character == '\t' {
                seen.tab = true;
            } else if !is_printable(character) {
                seen.special = true;
            }
            let is_space = character == ' ';
            let is_line_break = is_break_character(character);
            if is_space {
                seen.edge_space |= at == 0 || is_last;
                seen.trailing_space |= is_last;
                seen.break_space |= after_break;
            } else if is_line_break {
                seen.line_break = true;
                seen.edge_break |= at == 0 || is_last;
                seen.space_break |= after_space;
            }
            after_space = is_space;
            after_break = is_line_break;
            after_space_or_break =
                is_space || is_line_break || character == '\t' || character == '\0';
        }
        seen
    }

    fn indicator(&mut self, character: char, first: bool, after_blank: bool, before_blank: bool) {
        let (flow, block) = match character {
            '#' if first || after_blank => (true, true),
            ',' | '[' | ']' | '{' | '}' => (true, first),
            '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => (first, first),
            '?' => (true, first && before_blank),
            ':' => (true, before_blank),
            '-' => (first && before_blank, first && before_blank),
            _ => (false, false),
        };
        self.flow_indicator |= flow;
        self.block_indicator |= block;
    }
}

/// The style to be tried when it isn't the value's own: text with breaks is not left plain, and a string that
/// looks like something else is quoted.
pub(super) fn write_style(own: ScalarStyle, value: &str, is_forced: bool) -> Option<ScalarStyle> {
    if own != ScalarStyle::Plain {
        None
    } else if value.contains('\n') {
        Some(ScalarStyle::Literal)
    } else {
        is_forced.then_some(ScalarStyle::DoubleQuoted)
    }
}

impl Emitter<'_> {
    /// Writes text without line breaks.
    #[inline]
    pub(super) fn put(&mut self, text: &str) {
        self.output.push_str(text);
        self.column += count_characters(text.as_bytes());
    }

    /// Writes spaces.
    #[inline]
    pub(super) fn put_spaces(&mut self, mut count: usize) {
        const SPACES: &str = "                                                                ";
        self.column += count;
        while count > 0 {
            let some = count.min(SPACES.len());
            self.output.push_str(&SPACES[..some]);
            count -= some;
        }
    }

    fn put_character(&mut self, character: char) {
        self.output.push(character);
        self.column += 1;
    }

    /// Writes text after which a blank is needed.
    pub(super) fn put_word(&mut self, text: &str) {
        self.put(text);
        self.whitespace = false;
        self.indention = false;
    }

    pub(super) fn put_break(&mut self) {
        self.put_break_of('\n');
    }

    fn put_break_of(&mut self, character: char) {
        self.output.push(character);
        self.column = 0;
        self.indention = true;
    }

    /// Writes punctuation. `need_blank`: a blank must be before it; `is_blank`: none is needed behind it;
    /// `is_indention`: what follows may still count as the start of the line.
    pub(super) fn indicator(
        &mut self,
        text: &str,
        need_blank: bool,
        is_blank: bool,
        is_indention: bool,
    ) {
        if need_blank && !self.whitespace {
            self.put(" ");
        }
        self.put(text);
        self.whitespace = is_blank;
        self.indention &= is_indention;
    }

    /// Writes a tag without its handle; what must not stand in a tag is escaped byte by byte.
    pub(super) fn put_tag_content(&mut self, content: &[u8]) {
        for &byte in content {
            if is_word(byte) || b";/?:@&=+$,_.~*'()[]".contains(&byte) {
                self.put_character(char::from(byte));
            } else {
                self.put(&format!("%{byte:02X}"));
            }
        }
        self.whitespace = false;
        self.indention = false;
    }

    pub(super) fn comment(&mut self, text: &str) {
        if text.starts_with('#') && is_one_line(text) {
            self.put(text);
            self.put_break();
            self.whitespace = true;
            return;
        }
        let mut after_break = false;
        let mut marked = false;
        for character in text.chars() {
            if is_break_character(character) {
                self.put_break_of(character);
                after_break = true;
                marked = false;
                continue;
            }
            if after_break {
                self.write_indent();
            }
            if !marked {
                if character != '#' {
                    self.put("# ");
                }
                marked = true;
            }
            self.put_character(character);
            self.indention = false;
            after_break = false;
        }
        if !after_break {
            self.put_break();
        }
        self.whitespace = true;
    }

    pub(super) fn write_scalar(&mut self, value: &str, style: ScalarStyle) {
        match style {
            ScalarStyle::Plain => self.plain(value),
            ScalarStyle::SingleQuoted => self.single_quoted(value),
            ScalarStyle::DoubleQuoted => self.double_quoted(value),
            ScalarStyle::Literal => self.literal(value),
            ScalarStyle::Folded => self.folded(value),
        }
    }

    fn plain(&mut self, value: &str) {
        if value.is_empty() {
            self.indention = false;
            return;
        }
        if !self.whitespace {
            self.put(" ");
        }
        self.put_word(value);
    }

    fn single_quoted(&mut self, value: &str) {
        self.indicator("'", true, false, false);
        if is_one_line(value) && !value.contains('\'') {
            self.put_word(value);
            self.indicator("'", false, false, false);
            return;
        }
        let mut after_break = false;
        for character in value.chars() {
            if is_break_character(character) {
                if !after_break && character == '\n' {
                    self.put_break();
                }
                self.put_break_of(character);
                after_break = true;
                continue;
            }
            if character != ' ' {
                if after_break {
                    self.write_indent();
                }
                if character == '\'' {
                    self.put("'");
                }
                self.indention = false;
                after_break = false;
            }
            self.put_character(character);
        }
        self.indicator("'", false, false, false);
        self.indention = false;
    }

    fn double_quoted(&mut self, value: &str) {
        self.indicator("\"", true, false, false);
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        if value.bytes().all(is_plain) {
            self.put(value);
            self.indicator("\"", false, false, false);
            self.indention = false;
            return;
        }
        // A byte order mark at the start makes the writer escape everything.
        let escape_all = value.starts_with('\u{FEFF}');
        for character in value.chars() {
            let is_escaped = escape_all
                || !is_printable(character)
                || is_break_character(character)
                || matches!(character, '"' | '\\');
            if is_escaped {
                self.put_escape(character);
            } else {
                self.put_character(character);
            }
        }
        self.indicator("\"", false, false, false);
        self.indention = false;
    }

    fn put_escape(&mut self, character: char) {
        let letter = match character {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{B}' => 'v',
            '\u{C}' => 'f',
            '\r' => 'r',
            '\u{1B}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{A0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let code = u32::from(character);
                let mut escape = String::new();
                let written = match code {
                    0..=0xFF => write!(escape, "\\x{code:02X}"),
                    0x100..=0xFFFF => write!(escape, "\\u{code:04X}"),
                    _ => write!(escape, "\\U{code:08X}"),
                };
                if written.is_ok() {
                    self.put(&escape);
                }
                return;
            }
        };
        self.put("\\");
        self.put_character(letter);
    }

    /// Writes `|` or `>` with what the reader needs to know, and a comment or a line break.
    fn block_header(&mut self, indicator: &str, value: &str) {
        self.indicator(indicator, true, false, false);
        if value.starts_with(|first| first == ' ' || is_break_character(first)) {
            self.indicator("2", false, false, false);
        }
        let mut from_end = value.chars().rev().map(is_break_character);
        match (from_end.next(), from_end.next()) {
            (Some(true), None | Some(true)) => self.indicator("+", false, false, false),
            (Some(true), Some(false)) => {}
            _ => self.indicator("-", false, false, false),
        }
        if !self.write_line() {
            self.put_break();
        }
        self.whitespace = true;
    }

    fn literal(&mut self, value: &str) {
        self.block_header("|", value);
        if value.is_ascii() && !value.contains('\r') {
            for line in value.split_inclusive('\n') {
                let text = line.strip_suffix('\n').unwrap_or(line);
                if !text.is_empty() {
                    self.write_indent();
                    self.put(text);
                    self.indention = false;
                }
                if text.len() < line.len() {
                    self.put_break();
                }
            }
            return;
        }
        let mut after_break = true;
        for character in value.chars() {
            if is_break_character(character) {
                self.put_break_of(character);
                after_break = true;
                continue;
            }
            if after_break {
                self.write_indent();
            }
            self.put_character(character);
            self.indention = false;
            after_break = false;
        }
    }

    fn folded(&mut self, value: &str) {
        self.block_header(">", value);
        let doubles_breaks = doubles_breaks(value);
        let mut after_break = true;
        let mut line_starts_blank = true;
        for character in value.chars() {
            if is_break_character(character) {
                if !after_break && !line_starts_blank && character == '\n' && doubles_breaks {
                    self.put_break();
                }
                self.put_break_of(character);
                after_break = true;
                continue;
            }
            if after_break {
                self.write_indent();
                line_starts_blank = character == ' ' || character == '\t';
            }
            self.put_character(character);
            self.indention = false;
            after_break = false;
        }
    }
}

/// What a folded value is written as: what its header says of the breaks at its end, and its lines without their indent.
pub(super) fn folded_text(value: &str) -> (&'static str, String) {
    let mut emitter = Emitter::new(2 * value.len() + 8);
    emitter.indent = 0;
    emitter.folded(value);
    let (header, lines) = emitter.output.split_once('\n').unwrap_or_default();
    let kept = match (header.contains('-'), header.contains('+')) {
        (true, _) => "-",
        (_, true) => "+",
        _ => "",
    };
    (kept, lines.to_owned())
}

/// Whether a text has no line breaks, as far as is easily seen.
fn is_one_line(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii() && byte != b'\n' && byte != b'\r')
}

/// Whether a folded value gets an additional break at each break. What counts is how the value starts,
/// though it should be what follows the break: that is how the original decides.
fn doubles_breaks(value: &str) -> bool {
    let bytes = value.as_bytes();
    let mut at = 0;
    while is_break(bytes, at) {
        at += match bytes[at] {
            b'\n' | b'\r' => 1,
            0xC2 => 2,
            _ => 3,
        };
    }
    !is_space_or_end(bytes, at)
}
