//! Sets of characters: ranges, case folding and the named classes of Go 1.26, which knows Unicode 15.

use std::sync::{Arc, OnceLock};

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// The greatest code point.
const LAST: u32 = 0x10_FFFF;

/// The surrogates, which Go's classes hold and no text does.
const SURROGATES: (u32, u32) = (0xD800, 0xDFFF);

/// Equivalents that came with Unicode 15.1, between characters that Unicode 15 has.
const LATER_FOLDINGS: [(u32, u32); 3] = [(0x390, 0x1FD3), (0x3B0, 0x1FE3), (0xFB05, 0xFB06)];

/// A set of code points, as ascending ranges with gaps between them, except between [`Self::absorb`] and
/// [`Self::settle`]; both ends belong to a range. Clones share their ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CharacterSet {
    ranges: Arc<Vec<(u32, u32)>>,
}

impl CharacterSet {
    pub(super) fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match joined.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => joined.push((low, high)),
            }
        }
        Self::of(joined)
    }

    fn of(ranges: Vec<(u32, u32)>) -> Self {
        Self {
            ranges: Arc::new(ranges),
        }
    }

    pub(super) fn single(character: u32) -> Self {
        Self::of(vec![(character, character)])
    }

    pub(super) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    pub(super) fn contains(&self, character: u32) -> bool {
        let index = self.ranges.partition_point(|range| range.1 < character);
        self.ranges
            .get(index)
            .is_some_and(|range| range.0 <= character)
    }

    /// The number of code points, as far as 3: nobody asks for more.
    pub(super) fn count_to_three(&self) -> u32 {
        self.ranges
            .iter()
            .take(3)
            .map(|(low, high)| (high - low + 1).min(3))
            .sum::<u32>()
            .min(3)
    }

    /// The only code point of a set of one.
    pub(super) fn only(&self) -> Option<u32> {
        match self.ranges[..] {
            [(low, high)] if low == high => Some(low),
            _ => None,
        }
    }

    pub(super) fn is_everything(&self) -> bool {
        self.ranges[..] == [(0, LAST)]
    }

    pub(super) fn is_everything_but_newline(&self) -> bool {
        self.ranges[..] == [(0, 0x9), (0xB, LAST)]
    }

    /// Takes in another set, cheaply: the ranges are out of order until [`Self::settle`].
    pub(super) fn absorb(&mut self, other: &Self) {
        Arc::make_mut(&mut self.ranges).extend_from_slice(&other.ranges);
    }

    pub(super) fn settle(&mut self) {
        let ranges = std::mem::take(&mut self.ranges);
        *self = Self::new(Arc::unwrap_or_clone(ranges));
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        Self::new([&self.ranges[..], &other.ranges[..]].concat())
    }

    pub(super) fn negated(&self) -> Self {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for &(low, high) in self.ranges() {
            if next < low {
                ranges.push((next, low - 1));
            }
            next = high + 1;
        }
        if next <= LAST {
            ranges.push((next, LAST));
        }
        Self::of(ranges)
    }

    /// The set with everything that differs from one of its members in case only.
    pub(super) fn folded(&self) -> Self {
        if self.is_everything() {
            return self.clone();
        }
        let mut known = crate_class(&self.intersection(assigned()));
        known.case_fold_simple();
        let mut folded = from_crate_class(&known).intersection(assigned());
        for (first, second) in LATER_FOLDINGS {
            for (one, other) in [(first, second), (second, first)] {
                if self.contains(one) && !self.contains(other) {
                    folded = folded.without(other);
                }
            }
        }
        self.union(&folded)
    }

    fn without(&self, character: u32) -> Self {
        self.intersection(&Self::single(character).negated())
    }

    fn intersection(&self, other: &Self) -> Self {
        let mut ranges = Vec::new();
        for &(low, high) in self.ranges() {
            let first = other.ranges.partition_point(|range| range.1 < low);
            ranges.extend(
                other.ranges[first..]
                    .iter()
                    .take_while(|range| range.0 <= high)
                    .map(|range| (range.0.max(low), range.1.min(high))),
            );
        }
        Self::of(ranges)
    }
}

/// Every character.
pub(super) fn any() -> CharacterSet {
    static SET: OnceLock<CharacterSet> = OnceLock::new();
    SET.get_or_init(|| CharacterSet::default().negated())
        .clone()
}

/// Every character but the newline.
pub(super) fn any_but_newline() -> CharacterSet {
    static SET: OnceLock<CharacterSet> = OnceLock::new();
    SET.get_or_init(|| CharacterSet::single(0xA).negated())
        .clone()
}

/// The characters that match a literal in `(?i)`, itself included; the first is the one that Go keeps.
pub(super) fn equivalents(character: u32) -> CharacterSet {
    if character < 0x80 && !(character as u8).is_ascii_alphabetic() {
        return CharacterSet::single(character);
    }
    CharacterSet::single(character).folded()
}

/// The set of `\d`, `\s` or `\w` (the letter of either case), before any negation.
pub(super) fn perl_class(letter: u8) -> Option<CharacterSet> {
    let ranges: &[(u8, u8)] = match letter.to_ascii_lowercase() {
        b'd' => &[(b'0', b'9')],
        b's' => &[(b'\t', b'\n'), (0xC, b'\r'), (b' ', b' ')],
        b'w' => &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')],
        _ => return None,
    };
    Some(ascii(ranges))
}

/// The set of `[:name:]`.
pub(super) fn posix_class(name: &str) -> Option<CharacterSet> {
    let ranges: &[(u8, u8)] = match name {
        "alnum" => &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')],
        "alpha" => &[(b'A', b'Z'), (b'a', b'z')],
        "ascii" => &[(0, 0x7F)],
        "blank" => &[(b'\t', b'\t'), (b' ', b' ')],
        "cntrl" => &[(0, 0x1F), (0x7F, 0x7F)],
        "digit" => &[(b'0', b'9')],
        "graph" => &[(b'!', b'~')],
        "lower" => &[(b'a', b'z')],
        "print" => &[(b' ', b'~')],
        "punct" => &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')],
        "space" => &[(b'\t', b'\r'), (b' ', b' ')],
        "upper" => &[(b'A', b'Z')],
        "word" => &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')],
        "xdigit" => &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')],
        _ => return None,
    };
    Some(ascii(ranges))
}

/// The name in `\p{name}` as [`unicode_class`] knows it: case, underscores, hyphens and spaces don't count.
pub(super) fn unicode_class_name(written: &str) -> String {
    written
        .chars()
        .filter(|character| !matches!(character, '_' | '-' | ' '))
        .map(|character| character.to_ascii_lowercase())
        .collect()
}

/// The set of `\p{name}`: a general category, its long name, or a script, by its plain name.
///
/// Go looks a name up with one capital letter, and so never finds the scripts whose names have more than one word: they
/// are errors here too.
pub(super) fn unicode_class(name: &str) -> Option<CharacterSet> {
    let category = CATEGORY_NAMES
        .iter()
        .find(|(long, _)| *long == name)
        .map_or(name, |(_, short)| short);
    match category {
        "any" => return Some(CharacterSet::default().negated()),
        "assigned" => return Some(assigned().union(&surrogates())),
        "ascii" => return Some(ascii(&[(0, 0x7F)])),
        "cs" => return Some(surrogates()),
        "cn" => return Some(assigned().union(&surrogates()).negated()),
        "c" => {
            let others = ["l", "m", "n", "p", "s", "z"].map(crate_category);
            return Some(
                others
                    .iter()
                    .fold(CharacterSet::default(), |all, one| all.union(one))
                    .negated(),
            );
        }
        _ => {}
    }
    if CATEGORIES.contains(&category) {
        return Some(crate_category(category));
    }
    SCRIPTS
        .contains(&name)
        .then(|| crate_table(&format!("\\p{{Script={name}}}")))
}

/// Whether Go's `unicode.IsLetter` or `unicode.IsDigit` holds.
pub(super) fn is_letter_or_digit(character: char) -> bool {
    static SET: OnceLock<CharacterSet> = OnceLock::new();
    if character.is_ascii() {
        return character.is_ascii_alphanumeric();
    }
    SET.get_or_init(|| crate_category("l").union(&crate_category("nd")))
        .contains(u32::from(character))
}

fn ascii(ranges: &[(u8, u8)]) -> CharacterSet {
    CharacterSet::of(
        ranges
            .iter()
            .map(|&(low, high)| (u32::from(low), u32::from(high)))
            .collect(),
    )
}

fn surrogates() -> CharacterSet {
    CharacterSet::of(vec![SURROGATES])
}

/// What Unicode 15 has assigned, without the surrogates; non-characters have an age, but stay unassigned.
fn assigned() -> &'static CharacterSet {
    static SET: OnceLock<CharacterSet> = OnceLock::new();
    SET.get_or_init(|| crate_set("[\\p{Age=15.0}--\\p{Cn}]"))
}

fn crate_category(name: &str) -> CharacterSet {
    crate_table(&format!("\\p{{gc={name}}}"))
}

/// A class of the crate's newer Unicode, as far as Unicode 15 knows its characters.
fn crate_table(class: &str) -> CharacterSet {
    crate_set(class).intersection(assigned())
}

fn crate_set(class: &str) -> CharacterSet {
    let parsed = regex_syntax::parse(class).map(|hir| hir.into_kind());
    match parsed {
        Ok(HirKind::Class(Class::Unicode(class))) => from_crate_class(&class),
        // A class of one character.
        Ok(HirKind::Literal(literal)) => CharacterSet::new(
            String::from_utf8_lossy(&literal.0)
                .chars()
                .map(|character| (u32::from(character), u32::from(character)))
                .collect(),
        ),
        // Every name that is asked for is in the crate's tables; the tests go through them all.
        _ => CharacterSet::default(),
    }
}

fn from_crate_class(class: &ClassUnicode) -> CharacterSet {
    CharacterSet::new(
        class
            .iter()
            .map(|range| (u32::from(range.start()), u32::from(range.end())))
            .collect(),
    )
}

/// The set without surrogates, which the crate's ranges can't hold.
fn crate_class(set: &CharacterSet) -> ClassUnicode {
    let ranges = set.ranges.iter().flat_map(|&range| scalar_ranges(range));
    ClassUnicode::new(ranges.map(|(low, high)| ClassUnicodeRange::new(low, high)))
}

/// The characters of a range of code points: two ranges where it goes across the surrogates, none where it is among them.
pub(super) fn scalar_ranges((low, high): (u32, u32)) -> impl Iterator<Item = (char, char)> {
    let below = (low, high.min(SURROGATES.0 - 1));
    let above = (low.max(SURROGATES.1 + 1), high);
    [below, above]
        .into_iter()
        .filter(|(low, high)| low <= high)
        .filter_map(|(low, high)| Some((char::from_u32(low)?, char::from_u32(high)?)))
}

/// General categories of Go's `unicode.Categories`, in lower case, that aren't handled by themselves.
const CATEGORIES: [&str; 35] = [
    "cc", "cf", "co", "l", "lc", "ll", "lm", "lo", "lt", "lu", "m", "mc", "me", "mn", "n", "nd",
    "nl", "no", "p", "pc", "pd", "pe", "pf", "pi", "po", "ps", "s", "sc", "sk", "sm", "so", "z",
    "zl", "zp", "zs",
];

/// Go's `unicode.CategoryAliases`, in lower case and without underscores.
const CATEGORY_NAMES: [(&str, &str); 42] = [
    ("casedletter", "lc"),
    ("closepunctuation", "pe"),
    ("cntrl", "cc"),
    ("combiningmark", "m"),
    ("connectorpunctuation", "pc"),
    ("control", "cc"),
    ("currencysymbol", "sc"),
    ("dashpunctuation", "pd"),
    ("decimalnumber", "nd"),
    ("digit", "nd"),
    ("enclosingmark", "me"),
    ("finalpunctuation", "pf"),
    ("format", "cf"),
    ("initialpunctuation", "pi"),
    ("letter", "l"),
    ("letternumber", "nl"),
    ("lineseparator", "zl"),
    ("lowercaseletter", "ll"),
    ("mark", "m"),
    ("mathsymbol", "sm"),
    ("modifierletter", "lm"),
    ("modifiersymbol", "sk"),
    ("nonspacingmark", "mn"),
    ("number", "n"),
    ("openpunctuation", "ps"),
    ("other", "c"),
    ("otherletter", "lo"),
    ("othernumber", "no"),
    ("otherpunctuation", "po"),
    ("othersymbol", "so"),
    ("paragraphseparator", "zp"),
    ("privateuse", "co"),
    ("punct", "p"),
    ("punctuation", "p"),
    ("separator", "z"),
    ("spaceseparator", "zs"),
    ("spacingmark", "mc"),
    ("surrogate", "cs"),
    ("symbol", "s"),
    ("titlecaseletter", "lt"),
    ("unassigned", "cn"),
    ("uppercaseletter", "lu"),
];

/// The scripts of Unicode 15 whose names are one word, in lower case.
const SCRIPTS: [&str; 117] = [
    "adlam",
    "ahom",
    "arabic",
    "armenian",
    "avestan",
    "balinese",
    "bamum",
    "batak",
    "bengali",
    "bhaiksuki",
    "bopomofo",
    "brahmi",
    "braille",
    "buginese",
    "buhid",
    "carian",
    "chakma",
    "cham",
    "cherokee",
    "chorasmian",
    "common",
    "coptic",
    "cuneiform",
    "cypriot",
    "cyrillic",
    "deseret",
    "devanagari",
    "dogra",
    "duployan",
    "elbasan",
    "elymaic",
    "ethiopic",
    "georgian",
    "glagolitic",
    "gothic",
    "grantha",
    "greek",
    "gujarati",
    "gurmukhi",
    "han",
    "hangul",
    "hanunoo",
    "hatran",
    "hebrew",
    "hiragana",
    "inherited",
    "javanese",
    "kaithi",
    "kannada",
    "katakana",
    "kawi",
    "kharoshthi",
    "khmer",
    "khojki",
    "khudawadi",
    "lao",
    "latin",
    "lepcha",
    "limbu",
    "lisu",
    "lycian",
    "lydian",
    "mahajani",
    "makasar",
    "malayalam",
    "mandaic",
    "manichaean",
    "marchen",
    "medefaidrin",
    "miao",
    "modi",
    "mongolian",
    "mro",
    "multani",
    "myanmar",
    "nabataean",
    "nandinagari",
    "newa",
    "nko",
    "nushu",
    "ogham",
    "oriya",
    "osage",
    "osmanya",
    "palmyrene",
    "phoenician",
    "rejang",
    "runic",
    "samaritan",
    "saurashtra",
    "sharada",
    "shavian",
    "siddham",
    "sinhala",
    "sogdian",
    "soyombo",
    "sundanese",
    "syriac",
    "tagalog",
    "tagbanwa",
    "takri",
    "tamil",
    "tangsa",
    "tangut",
    "telugu",
    "thaana",
    "thai",
    "tibetan",
    "tifinagh",
    "tirhuta",
    "toto",
    "ugaritic",
    "vai",
    "vithkuqi",
    "wancho",
    "yezidi",
    "yi",
];
