//! The case of letters, and words told by it.

use crate::go::template::characters::{
    characters, decode, is_digit, is_letter, is_lower, is_number, is_punctuation, is_space,
    is_title, is_upper, map, push, to_lower, to_title, to_upper,
};

fn all(text: &[u8]) -> Vec<char> {
    characters(text).map(|(character, _)| character).collect()
}

/// Each word's first letter in title case.
pub(super) fn title(text: &[u8]) -> Vec<u8> {
    let before = std::cell::Cell::new(' ');
    map(text, |character| {
        let after_separator = is_separator(before.replace(character));
        if after_separator {
            to_title(character)
        } else {
            character
        }
    })
}

fn is_separator(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_alphanumeric() && character != '_';
    }
    !is_letter(character) && !is_digit(character) && is_space(character)
}

/// Each word's first letter in lower case.
pub(super) fn untitle(text: &[u8]) -> String {
    let mut at_start = true;
    all(text)
        .into_iter()
        .map(|character| {
            if is_space(character) {
                at_start = true;
                character
            } else if std::mem::replace(&mut at_start, false) {
                to_lower(character)
            } else {
                character
            }
        })
        .collect()
}

/// Upper case for lower case and the other way round; title case after a space.
pub(super) fn swap_case(text: &[u8]) -> String {
    let mut after_space = true;
    all(text)
        .into_iter()
        .map(|character| {
            if is_upper(character) || is_title(character) {
                after_space = false;
                to_lower(character)
            } else if is_lower(character) {
                if std::mem::replace(&mut after_space, false) {
                    to_title(character)
                } else {
                    to_upper(character)
                }
            } else {
                after_space = is_space(character);
                character
            }
        })
        .collect()
}

/// Each byte as a character, which mangles all but ASCII when there is a space to drop.
pub(super) fn without_spaces(text: &[u8]) -> Vec<u8> {
    let kept: Vec<char> = text
        .iter()
        .map(|byte| char::from(*byte))
        .filter(|character| !is_space(*character))
        .collect();
    if kept.len() == text.len() {
        return text.to_vec();
    }
    kept.into_iter().collect::<String>().into_bytes()
}

/// The first byte of each word, as a character.
pub(super) fn initials(text: &[u8]) -> String {
    let mut after_gap = true;
    text.iter()
        .map(|byte| char::from(*byte))
        .filter(|character| {
            let space = is_space(*character);
            let first = after_gap && !space;
            after_gap = space;
            first
        })
        .collect()
}

fn is_connector(character: char) -> bool {
    character == '-' || character == '_' || is_space(character)
}

/// Words run together, each with a capital.
pub(super) fn pascal_case(text: &[u8]) -> String {
    let text = all(text);
    let leading = text
        .iter()
        .take_while(|character| is_connector(**character))
        .count();
    let mut out: String = text[..leading].iter().collect();
    let Some(&first) = text.get(leading) else {
        // The last connector comes twice where nothing else is there.
        out.extend(text.last());
        return out;
    };
    let mut lowers = is_upper(first);
    let mut current = to_upper(first);
    for &next in &text[leading + 1..] {
        let before = std::mem::replace(&mut current, next);
        if is_connector(next) && is_connector(before) {
            out.push(before);
        } else if is_connector(before) {
            lowers = is_upper(next);
            current = to_upper(next);
        } else {
            if lowers {
                if is_upper(next) {
                    current = to_lower(next);
                } else {
                    lowers = false;
                }
            }
            out.push(before);
        }
    }
    out.push(current);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Invalid,
    Number,
    Upper,
    Letters,
    Connector,
    Punctuation,
    Other,
}

/// Words in lower case, joined by `connector`.
pub(super) fn joined_case(text: &[u8], connector: char) -> Vec<u8> {
    let mut out = Vec::new();
    let mut words = Words { rest: text };
    if text.is_empty() {
        return out;
    }
    let is_wordlike = |kind| matches!(kind, Kind::Letters | Kind::Number);
    let (mut kind, mut word) = words.next();
    while !words.rest.is_empty() {
        if kind != Kind::Connector {
            append_lower(&mut out, kind, word, connector);
        }
        let (before, last) = (kind, word);
        (kind, word) = words.next();
        match before {
            Kind::Number => {
                while is_wordlike(kind) {
                    append_lower(&mut out, kind, word, connector);
                    (kind, word) = words.next();
                }
                let ends = matches!(kind, Kind::Invalid | Kind::Punctuation | Kind::Connector);
                if !ends {
                    push(&mut out, connector);
                }
            }
            Kind::Connector => append_lower(&mut out, before, last, connector),
            Kind::Punctuation => {}
            _ if kind != Kind::Number => {
                if !matches!(kind, Kind::Connector | Kind::Punctuation) {
                    push(&mut out, connector);
                }
            }
            _ if words.rest.is_empty() => {}
            _ => {
                let last = word;
                (kind, word) = words.next();
                if kind != Kind::Letters {
                    append_lower(&mut out, Kind::Number, last, connector);
                    if !matches!(kind, Kind::Connector | Kind::Punctuation) {
                        push(&mut out, connector);
                    }
                } else {
                    push(&mut out, connector);
                    append_lower(&mut out, Kind::Number, last, connector);
                    while is_wordlike(kind) {
                        append_lower(&mut out, kind, word, connector);
                        (kind, word) = words.next();
                    }
                    let ends = matches!(kind, Kind::Invalid | Kind::Connector | Kind::Punctuation);
                    if !ends {
                        push(&mut out, connector);
                    }
                }
            }
        }
    }
    append_lower(&mut out, kind, word, connector);
    out
}

fn append_lower(out: &mut Vec<u8>, kind: Kind, word: &[u8], connector: char) {
    if !matches!(kind, Kind::Upper | Kind::Connector) {
        out.extend_from_slice(word);
        return;
    }
    for (character, _) in characters(word) {
        if is_connector(character) {
            push(out, connector);
        } else if is_upper(character) {
            push(out, to_lower(character));
        } else {
            push(out, character);
        }
    }
}

/// A letter that a word may go on with.
fn is_word_letter(character: char) -> bool {
    if !is_letter(character) {
        return false;
    }
    // Han characters count for themselves.
    !matches!(character as u32, 0x4e00..=0x9fcc | 0x3400..=0x4d85 | 0x20000..=0x2b81d)
}

/// The words of a text, one after the other.
struct Words<'t> {
    rest: &'t [u8],
}

impl<'t> Words<'t> {
    /// The next character that is valid, and the bytes up to its end; `before` when none is left.
    fn valid(text: &[u8], before: char) -> (char, usize) {
        let mut size = 0;
        for (character, width) in characters(text) {
            size += width;
            if character != char::REPLACEMENT_CHARACTER {
                return (character, size);
            }
        }
        (before, size)
    }

    fn next(&mut self) -> (Kind, &'t [u8]) {
        let text = self.rest;
        if decode(text).is_none() {
            return (Kind::Invalid, text);
        }
        let (first, size) = Self::valid(text, char::REPLACEMENT_CHARACTER);
        if first == char::REPLACEMENT_CHARACTER {
            self.rest = &text[size..];
            return (Kind::Invalid, &text[..size]);
        }
        let (kind, length) = if is_connector(first) {
            (Kind::Connector, run(text, size, first, is_connector))
        } else if is_punctuation(first) {
            (Kind::Punctuation, run(text, size, first, is_punctuation))
        } else if is_upper(first) {
            (Kind::Upper, upper_run(text, size, first))
        } else if is_word_letter(first) {
            (Kind::Letters, run(text, size, first, goes_on))
        } else if is_number(first) {
            (Kind::Number, run(text, size, first, is_number))
        } else {
            (Kind::Other, run(text, size, first, is_other))
        };
        self.rest = &text[length..];
        (kind, &text[..length])
    }
}

fn goes_on(character: char) -> bool {
    is_word_letter(character) && !is_upper(character)
}

fn is_other(character: char) -> bool {
    !is_connector(character)
        && !is_word_letter(character)
        && !is_number(character)
        && !is_punctuation(character)
}

fn run(text: &[u8], start: usize, first: char, belongs: impl Fn(char) -> bool) -> usize {
    let (mut end, mut before) = (start, first);
    while end < text.len() {
        let (character, size) = Words::valid(&text[end..], before);
        if !belongs(character) {
            break;
        }
        before = character;
        end += size;
    }
    end
}

/// Capitals up to the last before small letters, which begins the next word.
fn upper_run(text: &[u8], start: usize, first: char) -> usize {
    if start >= text.len() {
        return start;
    }
    let (second, size) = Words::valid(&text[start..], first);
    if is_upper(second) {
        let (mut end, mut before, mut last) = (start + size, second, size);
        while end < text.len() {
            let (character, size) = Words::valid(&text[end..], before);
            if !is_upper(character) {
                return if is_word_letter(character) {
                    end - last
                } else {
                    end
                };
            }
            (before, last) = (character, size);
            end += size;
        }
        return end;
    }
    if is_word_letter(second) {
        return run(text, start + size, second, goes_on);
    }
    start
}
