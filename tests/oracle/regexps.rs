//! Compares `go::regexp` with Go's `regexp` package: generated patterns, texts and templates, and every named class.

use imageauto::go::regexp::{Error, Regexp};
use serde::Deserialize;
use serde_json::json;

use super::generator::Generator;
use crate::cluster::programs;
use crate::cluster::tell;

const CASES: usize = 25_000;
const SEED: u64 = 26;

/// One question: all three are hostile now and then.
struct Case {
    pattern: String,
    text: String,
    template: String,
}

/// What Go says.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    error: String,
    #[serde(default, rename = "match")]
    is_match: bool,
    expanded: Option<String>,
    #[serde(default)]
    ranges: Vec<u32>,
}

#[test]
fn regexps_of_a_grammar_agree() {
    let Some(program) = programs::go_program("regexp") else {
        return;
    };
    let (seed, count) = (
        setting("REGEXPS_SEED", SEED),
        setting("REGEXPS_CASES", CASES as u64),
    );
    let mut generator = Generator::new(seed);
    let cases: Vec<Case> = (0..count).map(|_| case(&mut generator)).collect();
    let questions: Vec<String> = cases
        .iter()
        .map(|case| {
            json!({"pattern": case.pattern, "text": case.text, "template": case.template})
                .to_string()
        })
        .collect();
    let answers: Vec<Answer> = programs::ask(&program, &questions)
        .iter()
        .map(|line| serde_json::from_str(line).expect("the program answers in JSON"))
        .collect();
    let mut different = Vec::new();
    let (mut errors, mut matches) = (0, 0);
    for (case, answer) in cases.iter().zip(&answers) {
        errors += usize::from(!answer.error.is_empty());
        matches += usize::from(answer.is_match);
        for compile in [Regexp::compile, Regexp::compile_without_crate] {
            different.extend(difference(case, answer, compile(&case.pattern)));
        }
    }
    tell(&format!(
        "regexps: {count} asked, with each engine {} differ from Go ({errors} errors, {matches} matches)",
        different.len()
    ));
    for what in different.iter().take(20) {
        tell(what);
    }
    assert!(different.is_empty(), "{} differ from Go", different.len());
    // The cases must go on to reach both sides.
    assert!(errors * 10 > cases.len() && matches * 5 > cases.len());
}

fn difference(case: &Case, answer: &Answer, compiled: Result<Regexp, Error>) -> Option<String> {
    let ours = compiled.and_then(|regexp| {
        let is_match = regexp.is_match(&case.text)?;
        Ok((is_match, regexp.expand_first(&case.template, &case.text)?))
    });
    let (error, is_match, expanded) = match ours {
        Ok((is_match, expanded)) => (String::new(), is_match, expanded),
        Err(error) => (error.to_string(), false, None),
    };
    if error == answer.error && is_match == answer.is_match && expanded == answer.expanded {
        return None;
    }
    Some(format!(
        "{:?} on {:?} with {:?}\n  Go:   {answer:?}\n  here: {error:?} {is_match} {expanded:?}",
        shortened(&case.pattern),
        case.text,
        case.template
    ))
}

fn shortened(pattern: &str) -> String {
    if pattern.chars().count() < 200 {
        return pattern.to_owned();
    }
    format!(
        "{}... ({} bytes)",
        pattern.chars().take(100).collect::<String>(),
        pattern.len()
    )
}

/// A number from the environment, for longer runs by hand.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

fn case(generator: &mut Generator) -> Case {
    let alphabet = alphabet(generator);
    let pattern = match generator.below(100) {
        0 => huge_pattern(generator),
        1..=10 => soup(generator),
        _ => {
            let depth = generator.below(5);
            let pattern = alternation(generator, &alphabet, depth);
            if generator.chance(15) {
                damaged(generator, &pattern)
            } else {
                pattern
            }
        }
    };
    Case {
        text: text(generator, &alphabet, &pattern),
        template: template(generator),
        pattern,
    }
}

/// Few characters, so that texts match.
fn alphabet(generator: &mut Generator) -> Vec<char> {
    const ALPHABETS: [&str; 6] = [
        "ab",
        "ab-.1",
        "aAkKsS\u{17F}\u{212A}",
        "v0123.-+rcmain",
        "a\n b_",
        "\u{E9}\u{C9}\u{DF}\u{1E9E}\u{3C3}\u{3C2}\u{3A3}\u{130}\u{131}iI\u{1C5}\u{FB05}\u{FB06}\u{390}\u{1FD3}\u{10D50}\u{10D70}\u{264}\u{A7CB}\u{FFFD}\u{1F600}",
    ];
    let mut alphabet: Vec<char> = generator.pick(&ALPHABETS).chars().collect();
    if generator.chance(10) {
        alphabet.extend("{}[]()\\^$|?*+\u{0}\u{7F}\u{80}\u{10FFFF}".chars());
    }
    alphabet
}

fn character(generator: &mut Generator, alphabet: &[char]) -> char {
    alphabet[generator.below(alphabet.len())]
}

fn alternation(generator: &mut Generator, alphabet: &[char], depth: usize) -> String {
    let count = if generator.chance(70) {
        1
    } else {
        1 + generator.below(5)
    };
    let alternatives: Vec<String> = (0..count)
        .map(|_| concatenation(generator, alphabet, depth))
        .collect();
    alternatives.join("|")
}

fn concatenation(generator: &mut Generator, alphabet: &[char], depth: usize) -> String {
    let count = generator.below(5);
    (0..count)
        .map(|_| repetition(generator, alphabet, depth))
        .collect()
}

fn repetition(generator: &mut Generator, alphabet: &[char], depth: usize) -> String {
    let mut item = atom(generator, alphabet, depth);
    if generator.chance(35) {
        const OPERATORS: [&str; 23] = [
            "*", "+", "?", "*", "+", "?", "*?", "+?", "??", "{0}", "{1}", "{2}", "{0,}", "{1,}",
            "{2,}", "{0,1}", "{1,3}", "{2,3}?", "{0,2}?", "{,3}", "{2", "{01}", "{1000}",
        ];
        item.push_str(generator.pick(&OPERATORS));
        if generator.chance(4) {
            item.push_str(generator.pick(&["{2,1}", "{1001}", "{99999999999}", "*", "??", "{2}"]));
        }
    }
    item
}

fn atom(generator: &mut Generator, alphabet: &[char], depth: usize) -> String {
    match generator.below(if depth == 0 { 70 } else { 100 }) {
        0..=29 => quoted(generator, alphabet),
        30..=36 => ".".to_owned(),
        37..=52 => bracketed(generator, alphabet),
        53..=60 => class_escape(generator),
        61..=67 => {
            const OTHERS: [&str; 24] = [
                "^",
                "$",
                "\\b",
                "\\B",
                "\\A",
                "\\z",
                "^",
                "$",
                "\\b",
                "(?i)",
                "(?m)",
                "(?s)",
                "(?U)",
                "(?-i)",
                "(?i-s)",
                "(?-sU)",
                "(?mi-U)",
                "()",
                "(?:)",
                "(?)",
                "\\Qa.b\\E",
                "\\Q\\E",
                "\\Qab",
                "(|a)*",
            ];
            generator.pick(&OTHERS).to_owned()
        }
        68..=69 => {
            const BAD: [&str; 30] = [
                "\\C",
                "\\Z",
                "\\1",
                "\\8",
                "\\h",
                "\\\u{E9}",
                "(?=a)",
                "(?!a)",
                "(?<=a)",
                "(?<!a)",
                "(?P=n)",
                "(?x)",
                "(?R)",
                "(?P<>a)",
                "(?<n-x>a)",
                "(?P<n",
                "(?P>n)",
                "(?'n'a)",
                "(?>a)",
                "(?#a)",
                "(?i",
                "(?-)",
                "(?i-:a)",
                "(?--i)",
                "\\xg",
                "\\x{}",
                "\\x{110000}",
                "\\x1",
                "\\pX",
                "\\p{Foo}",
            ];
            generator.pick(&BAD).to_owned()
        }
        _ => group(generator, alphabet, depth - 1),
    }
}

fn group(generator: &mut Generator, alphabet: &[char], depth: usize) -> String {
    const OPENINGS: [&str; 16] = [
        "(", "(", "(", "(", "(?:", "(?:", "(?P<ts>", "(?<ts>", "(?P<n>", "(?<n1>", "(?P<1>",
        "(?P<01>", "(?P<_x>", "(?i:", "(?s-i:", "(?mU:",
    ];
    format!(
        "{}{})",
        generator.pick(&OPENINGS),
        alternation(generator, alphabet, depth)
    )
}

/// A character, escaped in one of the ways that there are; now and then it isn't although it should be.
fn quoted(generator: &mut Generator, alphabet: &[char]) -> String {
    let character = character(generator, alphabet);
    let number = u32::from(character);
    match generator.below(20) {
        0 => format!("\\x{{{number:x}}}"),
        1 if number < 0x100 => format!("\\x{number:02X}"),
        2 if number < 0o777 => format!("\\{number:03o}"),
        3 if character.is_ascii_punctuation() => format!("\\{character}"),
        4 => "\\n".to_owned(),
        5 => "\\0".to_owned(),
        6 if generator.chance(30) => "\\a\\f\\t\\r\\v".to_owned(),
        _ if character.is_ascii_punctuation() && generator.chance(80) => format!("\\{character}"),
        _ => character.to_string(),
    }
}

fn class_escape(generator: &mut Generator) -> String {
    const CLASSES: [&str; 29] = [
        "\\d",
        "\\D",
        "\\s",
        "\\S",
        "\\w",
        "\\W",
        "\\pL",
        "\\PL",
        "\\pN",
        "\\p{Lu}",
        "\\P{Lu}",
        "\\p{^Lu}",
        "\\P{^Ll}",
        "\\p{Greek}",
        "\\p{Latin}",
        "\\p{Any}",
        "\\P{Any}",
        "\\p{ascii}",
        "\\P{ASCII}",
        "\\p{Assigned}",
        "\\p{Cn}",
        "\\pC",
        "\\p{Cs}",
        "\\p{LC}",
        "\\p{Lt}",
        "\\p{uppercase_letter}",
        "\\p{Upper case-LETTER}",
        "\\p{digit}",
        "\\p{Nd}",
    ];
    if generator.chance(4) {
        return generator
            .pick(&[
                "\\p{Old_Italic}",
                "\\p{Garay}",
                "\\p{}",
                "\\p{^}",
                "\\p{L",
                "\\p",
                "\\P{Grek}",
            ])
            .to_owned();
    }
    generator.pick(&CLASSES).to_owned()
}

fn bracketed(generator: &mut Generator, alphabet: &[char]) -> String {
    let mut class = String::from(if generator.chance(25) { "[^" } else { "[" });
    if generator.chance(8) {
        class.push_str(generator.pick(&["]", "-", "]-a", "-]", "^"]));
    }
    for _ in 0..1 + generator.below(4) {
        match generator.below(20) {
            0..=8 => class.push_str(&quoted(generator, alphabet)),
            9..=12 => {
                let (one, other) = (
                    character(generator, alphabet),
                    character(generator, alphabet),
                );
                let ends = if generator.chance(90) {
                    (one.min(other), one.max(other))
                } else {
                    (one, other)
                };
                class.extend(class_end(ends.0));
                class.push('-');
                class.extend(class_end(ends.1));
            }
            13..=15 => {
                let escape = class_escape(generator);
                class.push_str(&escape);
            }
            16..=17 => {
                const NAMED: [&str; 20] = [
                    "[:alnum:]",
                    "[:^alpha:]",
                    "[:ascii:]",
                    "[:blank:]",
                    "[:cntrl:]",
                    "[:digit:]",
                    "[:^graph:]",
                    "[:lower:]",
                    "[:print:]",
                    "[:punct:]",
                    "[:space:]",
                    "[:upper:]",
                    "[:^upper:]",
                    "[:word:]",
                    "[:xdigit:]",
                    "[:foo:]",
                    "[:alpha]",
                    "[:",
                    "[:Alpha:]",
                    "[:^:]",
                ];
                class.push_str(generator.pick(&NAMED));
            }
            _ => {
                const ODD: [&str; 14] = [
                    "a-z",
                    "A-Z",
                    "0-9",
                    "-",
                    "&&",
                    "--",
                    "~~",
                    "[a",
                    "a-",
                    "z-a",
                    "\\x{0}-\\x{10FFFF}",
                    "\\n",
                    "\\b",
                    "\\d-z",
                ];
                class.push_str(generator.pick(&ODD));
            }
        }
    }
    if generator.chance(97) {
        class.push(']');
    }
    class
}

/// A range's end, escaped where it would end or escape something.
fn class_end(character: char) -> impl Iterator<Item = char> {
    let escape = matches!(character, '\\' | ']' | '-' | '^' | '[').then_some('\\');
    escape.into_iter().chain([character])
}

/// Operators in any order.
fn soup(generator: &mut Generator) -> String {
    const PIECES: [&str; 44] = [
        "(", ")", "|", "*", "+", "?", "{", "}", "[", "]", "^", "$", ".", "\\", "a", "b", "-", ",",
        "1", "2", ":", "(?", "(?P<", "(?<", ">", "(?i)", "{1,2}", "[^", "[:", ":]", "\\Q", "\\E",
        "\\p", "\\x", "\\b", "\\d", "(?:", "<", "i", "P", "\u{E9}", "a|a", "ab|ac", "\n",
    ];
    let count = 1 + generator.below(12);
    (0..count).map(|_| generator.pick(&PIECES)).collect()
}

/// The pattern with a character taken out, doubled, or put in.
fn damaged(generator: &mut Generator, pattern: &str) -> String {
    let mut characters: Vec<char> = pattern.chars().collect();
    if characters.is_empty() {
        return "(".to_owned();
    }
    let place = generator.below(characters.len());
    match generator.below(4) {
        0 => drop(characters.remove(place)),
        1 => characters.insert(place, characters[place]),
        2 => characters.truncate(place),
        _ => {
            let added = generator.pick(&["(", ")", "[", "]", "*", "\\", "{", "|", "?", "+"]);
            characters.splice(place..place, added.chars());
        }
    }
    characters.into_iter().collect()
}

/// Near and past the limits on height, size and repeat counts.
fn huge_pattern(generator: &mut Generator) -> String {
    let near = |generator: &mut Generator, limit: usize| limit - 4 + generator.below(8);
    // Go takes seconds for the last two.
    match generator.below(82) / 10 {
        0 => {
            let height = near(generator, 1000);
            format!("{}a{}", "(".repeat(height), ")".repeat(height))
        }
        1 => {
            let height = near(generator, 500);
            format!("{}a{}", "(".repeat(height), ")*".repeat(height))
        }
        2 => {
            let height = near(generator, 500);
            format!("{}a{}", "(?:b".repeat(height), ")?".repeat(height))
        }
        3 => format!("{}a{}", "(?:".repeat(3000), ")".repeat(3000)),
        4 => {
            // Each alternative goes on where the one before ended, so that beginnings are taken out again and again.
            let height = near(generator, 500);
            (0..height)
                .map(|length| "ab".repeat(length / 2 + 1)[..length].to_owned())
                .collect::<Vec<_>>()
                .join("|")
        }
        5 => {
            let parts = near(generator, 998);
            let prefix = "[ab]".repeat(parts);
            format!("{prefix}x|{prefix}y")
        }
        6 => format!(
            "(?:(?:a{{{}}}){{{}}}){{2}}",
            1 + generator.below(40),
            1 + generator.below(40)
        ),
        7 => format!(
            "((a{{{}}}){{{}}})",
            1 + generator.below(40),
            1 + generator.below(40)
        ),
        8 if generator.chance(50) => format!(
            "(?:{}){{{}}}",
            "a".repeat(near(generator, 3355)),
            near(generator, 1000)
        ),
        _ => {
            let (parts, count) = (near(generator, 3356), near(generator, 1000));
            format!("(?:{}){{{}}}", "a?".repeat(parts / 2), count)
        }
    }
}

fn text(generator: &mut Generator, alphabet: &[char], pattern: &str) -> String {
    let length = generator.below(12);
    match generator.below(10) {
        // What stands in the pattern itself.
        0 | 1 => pattern
            .chars()
            .filter(|character| character.is_alphanumeric())
            .take(40)
            .collect(),
        2 => pattern.chars().take(40).collect(),
        3 => generator
            .pick(&[
                "",
                "1.2.3",
                "main-1a2b3c4-1620000000",
                "v1.0.0-rc.1",
                "a\n",
                "\n",
                "ab ab",
                "aaaaaaaaaaaaaaaaaaaa",
            ])
            .to_owned(),
        _ => (0..length)
            .map(|_| character(generator, alphabet))
            .collect(),
    }
}

fn template(generator: &mut Generator) -> String {
    const PIECES: [&str; 40] = [
        "$0",
        "$1",
        "$2",
        "$3",
        "${1}",
        "${2}",
        "$ts",
        "${ts}",
        "$n",
        "${n}",
        "$tsx",
        "${ts}x",
        "$$",
        "$",
        "${",
        "${ts",
        "${ ts}",
        "$01",
        "${01}",
        "$1x",
        "$1-$2",
        "$99",
        "$100000000",
        "$99999999999999999999",
        "$_x",
        "${_x}",
        "$\u{E9}",
        "$n\u{E9}",
        "$n\u{663}",
        "$n1",
        "${}",
        "$-",
        "}",
        "x",
        "\u{E9}",
        "${n\u{1C89}}",
        "$00",
        "${0}",
        "$1$2",
        "$\u{2160}",
    ];
    let count = generator.below(4);
    let mut template: String = (0..count).map(|_| generator.pick(&PIECES)).collect();
    template.push_str("|$0|$1|$2|$ts");
    template
}

/// Goes through every named class, negated and in `(?i)` too: all that Go's tables hold matches, and the neighbours of
/// its ranges, what later versions of Unicode added and a sample of the rest don't.
#[test]
fn regexps_of_classes_agree() {
    let Some(program) = programs::go_program("regexp") else {
        return;
    };
    let mut patterns = Vec::new();
    for name in class_names() {
        for (flags, letter) in [("", 'p'), ("", 'P'), ("(?i)", 'p'), ("(?i)", 'P')] {
            patterns.push(format!("{flags}[\\{letter}{{{name}}}\\x00]"));
        }
    }
    for class in [
        "\\d",
        "\\D",
        "\\s",
        "\\S",
        "\\w",
        "\\W",
        "[:word:]",
        "[:^lower:]",
        "[:upper:]",
        "[:ascii:]",
        "^[:ascii:]",
    ] {
        patterns.push(format!("[{class}\\x00]"));
        patterns.push(format!("(?i)[{class}\\x00]"));
    }
    let questions: Vec<String> = patterns
        .iter()
        .map(|pattern| json!({"pattern": pattern, "ranges": true}).to_string())
        .collect();
    let answers = programs::ask(&program, &questions);
    let mut generator = Generator::new(SEED);
    let (mut classes, mut errors) = (0, 0);
    for (pattern, answer) in patterns.iter().zip(&answers) {
        let answer: Answer = serde_json::from_str(answer).expect("the program answers in JSON");
        let compiled = Regexp::compile(&format!("^{pattern}*$"));
        if !answer.error.is_empty() {
            let error = Regexp::compile(pattern).expect_err(pattern).to_string();
            assert_eq!(error, answer.error);
            errors += 1;
            continue;
        }
        let (inside, outside) = samples(&mut generator, &answer.ranges);
        let compiled = compiled.unwrap_or_else(|error| panic!("{pattern}: {error}"));
        let one = Regexp::compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        let missing =
            |character: &char| one.is_match(character.encode_utf8(&mut [0; 4])) == Ok(false);
        assert!(
            compiled.is_match(&inside).unwrap_or(false),
            "{pattern} lacks {:?}",
            inside.chars().find(missing)
        );
        let outside_text: String = outside.iter().collect();
        let surplus = outside.iter().find(|character| !missing(character));
        assert_eq!(
            one.is_match(&outside_text),
            Ok(false),
            "{pattern} has {surplus:?}"
        );
        classes += 1;
    }
    tell(&format!(
        "regexps: {classes} classes and {errors} class errors agree with Go"
    ));
    assert!(classes > 700 && errors > 50);
}

/// Every name in any spelling: categories, their long names, scripts of one word and of several, and no names at all.
fn class_names() -> Vec<&'static str> {
    include_str!("programs/regexp/classes.txt")
        .lines()
        .collect()
}

/// All ends of the ranges and some of what is between them; what is next to them and some of what is far from them.
fn samples(generator: &mut Generator, ranges: &[u32]) -> (String, Vec<char>) {
    let is_inside = |number: u32| {
        ranges
            .chunks(2)
            .any(|range| range[0] <= number && number <= range[1])
    };
    let mut inside = String::new();
    let mut near = Vec::new();
    for range in ranges.chunks(2) {
        let (low, high) = (range[0], range[1]);
        let middle = low + generator.below((high - low + 1) as usize) as u32;
        inside.extend([low, middle, high].into_iter().filter_map(char::from_u32));
        near.extend([low.wrapping_sub(1), high + 1]);
    }
    let sampled: Vec<u32> = (0..300).map(|_| generator.below(0x2_0000) as u32).collect();
    // Letters with case partners of their own, and of later versions.
    let partners = (0..0x250)
        .chain(0x1C80..0x1C90)
        .chain(0x10D50..0x10D90)
        .chain(0xA7C0..0xA7E0)
        .chain(0xFB00..0xFB07);
    let outside = near
        .into_iter()
        .chain(sampled)
        .chain(partners)
        .filter(|&number| !is_inside(number));
    (inside, outside.filter_map(char::from_u32).collect())
}

/// Every code point under `(?i)`, as far as it has a partner in Go's tables or in later ones.
#[test]
fn regexps_of_single_characters_agree() {
    let Some(program) = programs::go_program("regexp") else {
        return;
    };
    let cased = (0x41..0x1_F000)
        .filter_map(char::from_u32)
        .filter(|character| {
            character.to_lowercase().ne([*character]) || character.to_uppercase().ne([*character])
        });
    let characters: Vec<char> = cased.collect();
    let questions: Vec<String> = characters
        .iter()
        .map(|character| {
            json!({"pattern": format!("(?i)[\\x00{character}]"), "ranges": true}).to_string()
        })
        .collect();
    let answers = programs::ask(&program, &questions);
    for (character, answer) in characters.iter().zip(&answers) {
        let answer: Answer = serde_json::from_str(answer).expect("the program answers in JSON");
        let set: String = answer
            .ranges
            .chunks(2)
            .flat_map(|range| range[0]..=range[1])
            .filter_map(char::from_u32)
            .collect();
        let literal = Regexp::compile(&format!("(?i){character}")).expect("a letter compiles");
        for member in set.chars() {
            assert_eq!(
                literal.is_match(&member.to_string()),
                Ok(member != '\0'),
                "{character:?} {member:?}"
            );
        }
        let others: String = characters
            .iter()
            .filter(|&&other| !set.contains(other))
            .collect();
        assert_eq!(
            literal.is_match(&others),
            Ok(false),
            "{character:?} matches one too many"
        );
    }
    tell(&format!(
        "regexps: {} letters fold as in Go",
        characters.len()
    ));
    assert!(characters.len() > 2500);
}
