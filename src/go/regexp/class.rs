//! Bracketed classes and their escapes.

use super::unicode::UnicodeClass;

/// A set of code points.
#[derive(Clone, Debug, Default)]
pub(super) struct Class {
    pub items: Vec<Item>,
    pub negated: bool,
    pub fold_case: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Item {
    /// First and last code point; surrogates may be among them.
    Range(u32, u32),
    /// A named ASCII set such as `\d` or `[:alpha:]`.
    Ascii {
        ranges: &'static [(u8, u8)],
        negated: bool,
    },
    Unicode {
        class: UnicodeClass,
        negated: bool,
    },
}

const DIGIT: &[(u8, u8)] = &[(b'0', b'9')];
const WORD: &[(u8, u8)] = &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')];
const PERL_SPACE: &[(u8, u8)] = &[(b'\t', b'\n'), (0x0c, b'\r'), (b' ', b' ')];

/// The set that the letter of `\d`, `\D`, `\s`, `\S`, `\w` or `\W` names.
pub(super) fn perl(letter: u8) -> Option<Item> {
    let ranges = match letter.to_ascii_lowercase() {
        b'd' => DIGIT,
        b's' => PERL_SPACE,
        b'w' => WORD,
        _ => return None,
    };
    Some(Item::Ascii {
        ranges,
        negated: letter.is_ascii_uppercase(),
    })
}

/// The set that `name` names between `[:` and `:]`; a leading `^` negates.
pub(super) fn posix(name: &str) -> Option<Item> {
    let bare = name.strip_prefix('^').unwrap_or(name);
    let ranges: &'static [(u8, u8)] = match bare {
        "alnum" => &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')],
        "alpha" => &[(b'A', b'Z'), (b'a', b'z')],
        "ascii" => &[(0, 0x7f)],
        "blank" => &[(b'\t', b'\t'), (b' ', b' ')],
        "cntrl" => &[(0, 0x1f), (0x7f, 0x7f)],
        "digit" => DIGIT,
        "graph" => &[(b'!', b'~')],
        "lower" => &[(b'a', b'z')],
        "print" => &[(b' ', b'~')],
        "punct" => &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')],
        "space" => &[(b'\t', b'\r'), (b' ', b' ')],
        "upper" => &[(b'A', b'Z')],
        "word" => WORD,
        "xdigit" => &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')],
        _ => return None,
    };
    Some(Item::Ascii {
        ranges,
        negated: bare.len() != name.len(),
    })
}
