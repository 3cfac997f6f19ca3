//! Texts word by word: which words tell nothing, and pseudonyms for the others, the same word having the same one everywhere.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

use regex::Regex;

use super::vocabulary::{FIELDS, WORDS};

/// What a text is, which says what its words mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    /// A value, a message, a path.
    Text,
    /// A regular expression, in which letters may be commands.
    Pattern,
    /// Lines of YAML: what stands before a colon is a field.
    Yaml,
    /// The name of a field.
    Field,
}

static VOCABULARY: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| WORDS.split_whitespace().collect());
static FIELD_NAMES: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| FIELDS.split_whitespace().collect());

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant")
}

/// Moments, API versions, durations, quantities: digits with letters that tell nothing.
static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:\d+T\d+Z?|v\d+(?:(?:alpha|beta)\d+)?|(?:\d+(?:ns|us|ms|s|m|h|d|w|y))+|\d+(?:[kKmMgGtT]i?)|\d+[eE]\d+)$",
    )
});
/// The host of a URL.
static URL_HOST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?i)[a-z][a-z0-9+.-]*://(?:[^/\s"'@]*@)?([a-z0-9_.-]+)"#));
/// An address in a text.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b")
});

/// Hosts that everybody uses, and those that are no other machine.
const PUBLIC_HOSTS: [&str; 16] = [
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "auth.docker.io",
    "ghcr.io",
    "quay.io",
    "gcr.io",
    "registry.k8s.io",
    "public.ecr.aws",
    "mcr.microsoft.com",
    "github.com",
    "gitlab.com",
    "localhost",
    "127.0.0.1",
    "0.0.0.0",
    "kubernetes.default.svc",
];

/// The hosts of the URLs and addresses of a text.
pub(super) fn hosts_of(text: &str, found: &mut BTreeSet<String>) {
    let hosts = URL_HOST.captures_iter(text).map(|host| host[1].to_owned());
    let addresses = ADDRESS.find_iter(text).map(|host| host.as_str().to_owned());
    found.extend(hosts.chain(addresses).filter(|host| is_private(host)));
}

/// The host of an image's name, where it names one.
pub(super) fn host_of_image(image: &str, found: &mut BTreeSet<String>) {
    let Some((first, _)) = image.split_once('/') else {
        return;
    };
    let host = first.split(':').next().unwrap_or_default();
    if (first.contains('.') || first.contains(':')) && is_private(host) {
        found.insert(host.to_owned());
    }
}

/// Whether a host is one that tells something. One of a single word is treated as any other word, and groups of API objects look like hosts.
fn is_private(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let tells = |word: &str| {
        let is_digits = word.chars().all(|character| character.is_ascii_digit());
        word.len() > 1 && !is_digits && !is_known(word) && !PLAIN.is_match(word)
    };
    host.contains('.')
        && !PUBLIC_HOSTS.contains(&host.to_ascii_lowercase().as_str())
        && (is_address(host) || host.split(['.', '-', '_']).any(tells))
}

fn is_address(host: &str) -> bool {
    ADDRESS
        .find(host)
        .is_some_and(|found| found.as_str() == host)
}

/// What gives other words in the place of those that tell something.
pub(super) trait Naming {
    /// The other word for one of letters only.
    fn letters(&self, word: &str) -> String;
    /// For a hexadecimal number, one of the same length.
    fn hexadecimal(&self, word: &str) -> String;
    /// For one of letters and digits.
    fn mixed(&self, word: &str) -> String;
}

/// Collects the words that need a pseudonym.
#[derive(Default)]
pub(super) struct Words {
    letters: std::cell::RefCell<BTreeSet<String>>,
    hexadecimal: std::cell::RefCell<BTreeSet<String>>,
    mixed: std::cell::RefCell<BTreeSet<String>>,
}

impl Naming for Words {
    fn letters(&self, word: &str) -> String {
        self.letters.borrow_mut().insert(folded(word));
        String::new()
    }

    fn hexadecimal(&self, word: &str) -> String {
        self.hexadecimal.borrow_mut().insert(word.to_owned());
        String::new()
    }

    fn mixed(&self, word: &str) -> String {
        self.mixed.borrow_mut().insert(word.to_owned());
        String::new()
    }
}

/// Pseudonyms of words; those of letters are in the order of their words, as far as these are of letters too.
pub(super) struct Pseudonyms {
    letters: BTreeMap<String, String>,
    hexadecimal: BTreeMap<String, String>,
    mixed: BTreeMap<String, String>,
}

/// Letters that make no word of any language, in order.
const CONSONANTS: &[u8] = b"bcdfghjklmnpqrstvwxz";

impl Pseudonyms {
    /// Pseudonyms for all words of `words`.
    pub(super) fn new(words: Words) -> Self {
        let letters = words.letters.into_inner();
        let mut width = 2;
        while CONSONANTS.len().pow(width) < letters.len() {
            width += 1;
        }
        let coded = letters.into_iter().enumerate();
        let letters = coded.map(|(rank, word)| (word, code(rank, width)));
        // The first digits differ, since hashes are shown by these.
        let hexadecimal = words.hexadecimal.into_inner().into_iter().enumerate();
        let hexadecimal = hexadecimal.map(|(rank, word)| {
            let number = format!("a{rank:05x}");
            let length = word.len();
            (word, format!("{number:0<length$}"))
        });
        let mixed = words.mixed.into_inner().into_iter().enumerate();
        let mixed = mixed.map(|(rank, word)| (word, format!("q0x{rank:03}")));
        Self {
            letters: letters.collect(),
            hexadecimal: hexadecimal.collect(),
            mixed: mixed.collect(),
        }
    }
}

fn code(rank: usize, width: u32) -> String {
    let base = CONSONANTS.len();
    let digit = |place: u32| char::from(CONSONANTS[rank / base.pow(place) % base]);
    let digits = (0..width).rev().map(digit);
    std::iter::once('q').chain(digits).collect()
}

impl Naming for Pseudonyms {
    fn letters(&self, word: &str) -> String {
        let code = self.letters.get(&folded(word)).cloned().unwrap_or_default();
        match case_of(word) {
            Case::Upper => code.to_uppercase(),
            Case::Title => {
                let (first, rest) = code.split_at(code.len().min(1));
                format!("{}{rest}", first.to_uppercase())
            }
            Case::Lower | Case::Other => code,
        }
    }

    fn hexadecimal(&self, word: &str) -> String {
        self.hexadecimal.get(word).cloned().unwrap_or_default()
    }

    fn mixed(&self, word: &str) -> String {
        self.mixed.get(word).cloned().unwrap_or_default()
    }
}

#[derive(PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
    Title,
    Other,
}

fn case_of(word: &str) -> Case {
    let mut characters = word.chars();
    let first = characters.next().is_some_and(char::is_uppercase);
    let (mut upper, mut lower) = (false, false);
    for character in characters {
        upper |= character.is_uppercase();
        lower |= !character.is_uppercase();
    }
    match (first, upper, lower) {
        (false, false, _) => Case::Lower,
        (true, true, false) => Case::Upper,
        (true, false, true) => Case::Title,
        _ => Case::Other,
    }
}

/// A word in lower case, unless its capitals are more than a style.
fn folded(word: &str) -> String {
    if case_of(word) == Case::Other {
        word.to_owned()
    } else {
        word.to_lowercase()
    }
}

/// Hosts and their pseudonyms.
pub(super) struct Hosts {
    pattern: Option<Regex>,
    pseudonyms: BTreeMap<String, String>,
}

impl Hosts {
    /// Pseudonyms for these hosts, in their order.
    pub(super) fn new(hosts: &BTreeSet<String>) -> Self {
        let private = hosts
            .iter()
            .enumerate()
            .map(|(rank, host)| (host.clone(), host_pseudonym(host, rank + 1)));
        let public = PUBLIC_HOSTS.map(|host| (host.to_owned(), host.to_owned()));
        let pseudonyms: BTreeMap<String, String> = private.chain(public).collect();
        let mut longest_first: Vec<&String> = pseudonyms.keys().collect();
        longest_first.sort_by_key(|host| std::cmp::Reverse(host.len()));
        let alternatives: Vec<String> = longest_first
            .into_iter()
            .map(|host| regex::escape(host))
            .collect();
        let joined = format!(r"(?:{})", alternatives.join("|"));
        Self {
            // Too many for a pattern are treated word by word.
            pattern: Regex::new(&joined).ok(),
            pseudonyms,
        }
    }

    /// A text cut into what is no host and the pseudonyms of hosts.
    fn parts<'t>(&self, text: &'t str) -> Vec<Result<&'t str, &str>> {
        let Some(pattern) = &self.pattern else {
            return vec![Ok(text)];
        };
        let mut parts = Vec::new();
        let mut end = 0;
        for found in pattern.find_iter(text) {
            let before = text[..found.start()].chars().next_back();
            let behind = text[found.end()..].chars().next();
            let goes_on = |character: char| character.is_alphanumeric() || character == '-';
            if before.is_some_and(goes_on) || behind.is_some_and(goes_on) {
                continue;
            }
            let Some(pseudonym) = self.pseudonyms.get(found.as_str()) else {
                continue;
            };
            parts.push(Ok(&text[end..found.start()]));
            parts.push(Err(pseudonym.as_str()));
            end = found.end();
        }
        parts.push(Ok(&text[end..]));
        parts
    }
}

/// What stands for a host: of the same sort, since registries on some sorts of host are asked without TLS.
fn host_pseudonym(host: &str, rank: usize) -> String {
    let is_inner = ["10.", "192.168.", "172."]
        .iter()
        .any(|start| host.starts_with(start));
    let (high, low) = (rank / 250 % 250, rank % 250 + 1);
    match (is_address(host), is_inner) {
        (true, true) => format!("10.0.{high}.{low}"),
        (true, false) => format!("198.18.{high}.{low}"),
        _ if host.ends_with(".local") => format!("host{rank}.local"),
        _ => format!("host{rank}.example"),
    }
}

/// A text with other words and hosts.
pub(super) fn renamed(text: &str, context: Context, hosts: &Hosts, naming: &dyn Naming) -> String {
    let mut out = String::with_capacity(text.len());
    for part in hosts.parts(text) {
        match part {
            Err(pseudonym) => out.push_str(pseudonym),
            Ok(part) => rename_words(part, context, naming, &mut out),
        }
    }
    out
}

fn rename_words(text: &str, context: Context, naming: &dyn Naming, out: &mut String) {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if context == Context::Pattern
            && first == '['
            && let Some(class) = class(rest)
        {
            out.push_str(class);
            rest = &rest[class.len()..];
        } else if first == '\\' {
            let length = escape(&rest[1..], context);
            out.push_str(&rest[..1 + length]);
            rest = &rest[1 + length..];
        } else if first.is_alphanumeric() {
            let end = rest
                .find(|character: char| !character.is_alphanumeric())
                .unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            let is_field = match context {
                Context::Field => true,
                Context::Yaml => stands_before_colon(behind),
                Context::Text | Context::Pattern => false,
            };
            rename_word(word, is_field, naming, out);
            rest = behind;
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
}

/// How much of what stands behind a backslash is a command: it is no part of a word.
fn escape(behind: &str, context: Context) -> usize {
    let Some(first) = behind.chars().next() else {
        return 0;
    };
    let is_command = match context {
        Context::Pattern => first.is_ascii(),
        _ => "nrt\\\"".contains(first),
    };
    if is_command { first.len_utf8() } else { 0 }
}

/// A character class at the beginning of a pattern, unless it holds what may be a word.
fn class(text: &str) -> Option<&str> {
    let mut escaped = false;
    let mut run = 0;
    let mut previous = '[';
    for (at, character) in text.char_indices().skip(1) {
        let is_range = previous == '-';
        run = if character.is_alphabetic() && !is_range && !escaped {
            run + 1
        } else {
            0
        };
        if run > 3 {
            return None;
        }
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => return None,
            ']' if at > 1 && !(at == 2 && previous == '^') => return Some(&text[..=at]),
            _ => {}
        }
        previous = character;
    }
    None
}

/// Whether a word is the name of a field in a line of YAML.
fn stands_before_colon(behind: &str) -> bool {
    let behind = behind.trim_start_matches(['"', '\'']);
    let Some(value) = behind.strip_prefix(':') else {
        return false;
    };
    value.is_empty() || value.starts_with([' ', '\t', '\n', '\r'])
}

fn rename_word(word: &str, is_field: bool, naming: &dyn Naming, out: &mut String) {
    let is_digits = word.chars().all(|character| character.is_ascii_digit());
    if is_digits || word.chars().nth(1).is_none() || (is_field && FIELD_NAMES.contains(word)) {
        out.push_str(word);
        return;
    }
    if is_known(word) || PLAIN.is_match(word) {
        out.push_str(word);
    } else if is_hexadecimal(word) {
        out.push_str(&naming.hexadecimal(word));
    } else if word.chars().all(char::is_alphabetic) {
        out.push_str(&naming.letters(word));
    } else if let Some((letters, digits)) = halves(word, char::is_alphabetic) {
        rename_word(letters, false, naming, out);
        out.push_str(digits);
    } else if let Some((digits, letters)) = halves(word, |character| character.is_ascii_digit()) {
        out.push_str(digits);
        rename_word(letters, false, naming, out);
    } else {
        out.push_str(&naming.mixed(word));
    }
}

fn is_known(word: &str) -> bool {
    VOCABULARY.contains(word.to_lowercase().as_str())
}

/// A part of a hash: of such lengths, or with digits.
fn is_hexadecimal(word: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    word.bytes().all(is_hex)
        && word.len() >= 6
        && (has_digit || [7, 8, 40, 64].contains(&word.len()))
}

/// A word of two parts: first only characters of one sort, then only letters or only digits.
fn halves(word: &str, first: impl Fn(char) -> bool) -> Option<(&str, &str)> {
    let at = word.find(|character: char| !first(character))?;
    let (one, other) = word.split_at(at);
    let is_second = |character: char| !first(character);
    let plain = other.chars().all(|character| character.is_ascii_digit())
        || other.chars().all(char::is_alphabetic);
    (at > 0 && plain && other.chars().all(is_second)).then_some((one, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rename_all(texts: &[(&str, Context)]) -> Vec<String> {
        let mut found = BTreeSet::new();
        for (text, _) in texts {
            hosts_of(text, &mut found);
            host_of_image(text, &mut found);
        }
        let hosts = Hosts::new(&found);
        let words = Words::default();
        for (text, context) in texts {
            renamed(text, *context, &hosts, &words);
        }
        let pseudonyms = Pseudonyms::new(words);
        let texts = texts.iter();
        texts
            .map(|(text, context)| renamed(text, *context, &hosts, &pseudonyms))
            .collect()
    }

    #[test]
    fn the_same_word_has_the_same_pseudonym_everywhere() {
        let renamed = rename_all(&[
            ("registry.acme.example/team/shop:1.9.0-rc1", Context::Text),
            (
                "shop: registry.acme.example/team/shop # {\"$imagepolicy\": \"flux-system:shop:tag\"}\n",
                Context::Yaml,
            ),
            ("https://registry.acme.example:5000/v2/", Context::Text),
            ("Shop SHOP myShop", Context::Text),
        ]);
        assert_eq!(
            renamed,
            [
                "host1.example/qbd/qbc:1.9.0-rc1",
                "qbc: host1.example/qbd/qbc # {\"$imagepolicy\": \"flux-system:qbc:tag\"}\n",
                "https://host1.example:5000/v2/",
                "Qbc QBC qbb",
            ]
        );
    }

    #[test]
    fn patterns_keep_their_meaning() {
        let renamed = rename_all(&[
            (
                r"^shop-(?P<ts>[0-9]{8})-[a-f0-9]{7}\d+[a-zA-Z0-9]$",
                Context::Pattern,
            ),
            ("$ts", Context::Text),
            ("shop-20240102-3f2c1aa9", Context::Text),
        ]);
        assert_eq!(
            renamed,
            [
                r"^qbb-(?P<qbc>[0-9]{8})-[a-f0-9]{7}\d+[a-zA-Z0-9]$",
                "$qbc",
                "qbb-20240102-a0000000",
            ]
        );
    }

    #[test]
    fn what_tells_nothing_stays() {
        for text in [
            "2026-06-02T08:00:00Z",
            "image.toolkit.fluxcd.io/v1beta2",
            "1h30m",
            "512Mi",
            ">=1.0.0 <2.0.0",
            "ghcr.io/fluxcd/image-reflector-controller:v1.2.3",
            "http://127.0.0.1:5000/",
        ] {
            assert_eq!(rename_all(&[(text, Context::Text)]), [text]);
        }
    }

    #[test]
    fn what_tells_something_goes() {
        for text in [
            "acme",
            "k7q2x9",
            "Müller",
            "team42",
            "10.1.2.3",
            "jane@acme.corp",
            "3f2c1aa9",
        ] {
            let renamed = rename_all(&[(text, Context::Text)]);
            assert_ne!(renamed, [text]);
            for part in text.split(['@', '.']).filter(|part| part.len() > 2) {
                assert!(!renamed[0].contains(part), "{text}: {renamed:?}");
            }
        }
        assert_eq!(
            rename_all(&[("checkout: checkout", Context::Yaml)]),
            ["checkout: qbb"]
        );
    }

    #[test]
    fn no_spelling_lets_a_word_through() {
        let texts = [
            r"\bacme[acme]{2}(?:acme|[a-z]acme)\x61cme",
            "[acme",
            "[^]acme]",
            "acme's ACME-2_acme.acme/acme:acme@acme",
            "0xacme acme0acme 9acme9 aCmE acme\u{301}",
            "\"\\nacme\\tacme\\\"acme\\\\acme\"",
            "日本acme 日本 ｓｈｏｐ",
            "acme: acme # acme\n- acme: {acme: [acme]}\n",
            "https://acme:acme@acme.acme.acme:443/acme?acme=acme#acme",
        ];
        for context in [
            Context::Text,
            Context::Pattern,
            Context::Yaml,
            Context::Field,
        ] {
            for text in texts {
                let renamed = &rename_all(&[(text, context)])[0];
                for word in ["acme", "cme", "日本", "ｓｈｏｐ"] {
                    let found = renamed.to_lowercase().contains(word);
                    assert!(!found, "{context:?} {text}: {renamed}");
                }
            }
        }
    }

    #[test]
    fn pseudonyms_keep_the_order() {
        let renamed = rename_all(&[
            ("zeta", Context::Text),
            ("acme", Context::Text),
            ("shop", Context::Text),
        ]);
        assert!(
            renamed[1] < renamed[2] && renamed[2] < renamed[0],
            "{renamed:?}"
        );
    }
}
