//! Errors, matches and templates as Go gives them, in all ways of matching.

use super::*;

fn error_of(pattern: &str) -> String {
    Regexp::compile(pattern).expect_err(pattern).to_string()
}

fn compiled(pattern: &str) -> Regexp {
    Regexp::compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

/// All engines' answer.
fn matches(pattern: &str, text: &str) -> bool {
    let answers = all_engines(pattern).map(|regexp| regexp.is_match(text).unwrap());
    assert_eq!(answers, [answers[0]; 3], "{pattern} on {text}");
    answers[0]
}

fn expanded(pattern: &str, text: &str, template: &str) -> String {
    let answers = all_engines(pattern).map(|regexp| {
        let expanded = regexp.expand_first(template, text).unwrap();
        expanded.expect("the pattern matches")
    });
    let [expanded, by_crate, own] = answers;
    let others = [by_crate, own];
    assert!(
        others.iter().all(|other| *other == expanded),
        "{pattern} on {text} in {template}: {expanded}, {others:?}"
    );
    expanded
}

fn all_engines(pattern: &str) -> [Regexp; 3] {
    let by_crate = Regexp {
        one_pass: None,
        ..compiled(pattern)
    };
    let own = Regexp::compile_without_crate(pattern).expect(pattern);
    [compiled(pattern), by_crate, own]
}

#[test]
fn errors_have_the_words_of_go() {
    for (pattern, reason, expression) in [
        ("[a", "missing closing ]", "[a"),
        ("a[]", "missing closing ]", "[]"),
        ("[z-a]", "invalid character class range", "z-a"),
        ("[[:foo:]]", "invalid character class range", "[:foo:]"),
        (
            "\\p{Old_Italic}",
            "invalid character class range",
            "\\p{Old_Italic}",
        ),
        ("\\p{Lu", "invalid character class range", "\\p{Lu"),
        ("\\p", "invalid character class range", "\\p"),
        ("a\\Cb", "invalid escape sequence", "\\C"),
        ("\\8", "invalid escape sequence", "\\8"),
        ("\\1", "invalid escape sequence", "\\1"),
        ("\\x1", "invalid escape sequence", "\\x1"),
        ("\\x{110000}", "invalid escape sequence", "\\x{110000"),
        ("\\x{}", "invalid escape sequence", "\\x{}"),
        ("a**", "invalid nested repetition operator", "**"),
        ("a{2}{3}?", "invalid nested repetition operator", "{2}{3}?"),
        ("a{1001}", "invalid repeat count", "{1001}"),
        ("a{2,1}", "invalid repeat count", "{2,1}"),
        ("(a{40}){40}", "invalid repeat count", "{40}"),
        ("*a", "missing argument to repetition operator", "*"),
        ("a|+?", "missing argument to repetition operator", "+?"),
        ("({2})", "missing argument to repetition operator", "{2}"),
        ("(?=a)", "invalid or unsupported Perl syntax", "(?="),
        ("(?<=a)", "invalid named capture", "(?<=a)"),
        ("(?<n", "invalid named capture", "(?<n"),
        ("(?P<a.b>c)", "invalid named capture", "(?P<a.b>"),
        ("(?P<", "invalid or unsupported Perl syntax", "(?P"),
        ("(?i-)a", "invalid or unsupported Perl syntax", "(?i-)"),
        ("(?x)a", "invalid or unsupported Perl syntax", "(?x"),
        ("(?i", "invalid or unsupported Perl syntax", "(?i"),
        ("(a|b", "missing closing )", "(a|b"),
        ("a)b", "unexpected )", "a)b"),
        ("ab\\", "trailing backslash at end of expression", ""),
    ] {
        assert_eq!(
            error_of(pattern),
            format!("error parsing regexp: {reason}: `{expression}`")
        );
    }
}

#[test]
fn a_pattern_that_nests_too_deeply_is_refused_at_the_height_of_go() {
    let nested = |height: usize| format!("{}a{}", "(".repeat(height), ")".repeat(height));
    assert!(matches(&nested(999), "a"));
    assert_eq!(
        error_of(&nested(1000)),
        format!(
            "error parsing regexp: expression nests too deeply: `{}`",
            nested(1000)
        )
    );
    // These groups leave no trace in the tree.
    assert!(matches(
        &format!("{}a{}", "(?:".repeat(5000), ")".repeat(5000)),
        "a"
    ));
    assert!(matches(
        &format!("{}a{}", "(".repeat(499), ")*".repeat(499)),
        ""
    ));
}

#[test]
fn beginnings_taken_out_of_alternatives_count_as_height() {
    let alternatives = |parts: usize| {
        let prefix = "[ab]".repeat(parts);
        format!("{prefix}x|{prefix}y")
    };
    assert!(matches(
        &alternatives(900),
        &format!("{}y", "ab".repeat(450))
    ));
    assert!(error_of(&alternatives(3000)).contains("expression nests too deeply"));
    let longer = |count: usize| {
        (1..count)
            .map(|length| "a".repeat(length))
            .collect::<Vec<_>>()
            .join("|")
    };
    assert!(matches(&longer(400), "a"));
    assert!(error_of(&longer(600)).contains("expression nests too deeply"));
}

#[test]
fn a_pattern_with_too_many_instructions_is_refused() {
    let pattern = format!("(?:{}){{1000}}", "a?".repeat(3000));
    assert_eq!(
        error_of(&pattern),
        format!("error parsing regexp: expression too large: `{pattern}`")
    );
}

#[test]
fn a_pattern_that_is_too_large_for_the_crate_is_matched_all_the_same() {
    let letters = "^[\\pL\\pN]{1000}[\\pL\\pS]{1000}[\\pN\\pS\\pL]{1000}";
    let text = "\u{E9}".repeat(3000);
    let regexp = compiled(letters);
    assert_eq!(regexp.is_match(&text), Ok(true));
    assert_eq!(regexp.is_match(&text[2..]), Ok(false));
    let many = compiled(&format!("^-({})$", "\\pL".repeat(20_000)));
    assert_eq!(
        many.expand_first("$1", &format!("-{}", "z".repeat(20_000))),
        Ok(Some("z".repeat(20_000)))
    );
    assert_eq!(
        error_of(&"\\pL".repeat(30_000)),
        format!(
            "error parsing regexp: expression too large: `{}`",
            "\\pL".repeat(30_000)
        )
    );
}

#[test]
fn a_match_that_takes_too_many_steps_is_given_up() {
    let regexp = compiled(&format!("(?:{}){{1000}}b", "a?".repeat(100)));
    let mut matcher = Matcher::with_steps(&regexp, &[], 1_000_000).unwrap();
    assert_eq!(matcher.is_match("b"), Ok(true));
    let error = matcher.is_match(&"a".repeat(50)).unwrap_err();
    assert!(error.is_own_limit());
    assert_eq!(
        error.to_string(),
        "the regular expression takes more steps on these texts than this program allows"
    );
}

#[test]
fn escapes_stand_for_characters() {
    for (pattern, text) in [
        ("^\\Qa.b(\\E+$", "a.b(("),
        ("^\\Q.*", ".*"),
        ("^\\101\\x42\\x{43}\\0\\12$", "ABC\0\n"),
        ("^\\a\\f\\t\\n\\r\\v$", "\u{7}\u{C}\t\n\r\u{B}"),
        ("^\\.\\_\\-\\/$", "._-/"),
        ("^a{,3}{x}{$", "a{,3}{x}{"),
        ("^]}$", "]}"),
    ] {
        assert!(matches(pattern, text), "{pattern}");
    }
}

#[test]
fn classes_are_ascii_and_brackets_have_no_operators() {
    assert!(matches("^\\d$", "7") && !matches("^\\d$", "\u{663}"));
    assert!(matches("^\\w+$", "aZ_0") && !matches("\\w", "\u{E9}"));
    assert!(matches("^\\s+$", " \t\n\u{C}\r") && !matches("\\s", "\u{B}\u{A0}"));
    assert!(matches("^[[:space:]]$", "\u{B}"));
    assert!(matches("\\bb", "\u{E9}b") && matches("\\B", ""));
    assert!(matches("^[a&&b]+$", "&ab") && matches("^[[a]b]$", "[b]"));
    assert!(matches("^[]a-]+$", "]-a") && matches("^[^]a]$", "b") && matches("^[\\d-z]+$", "5-z"));
    assert!(matches("^[^a]$", "\n") && !matches("^.$", "\n"));
    assert!(!matches("\\P{Any}", "a") && !matches("[^\\x{0}-\\x{10FFFF}]", "a"));
}

#[test]
fn unicode_classes_are_those_of_unicode_15() {
    assert!(matches(
        "^\\p{Greek}\\pL\\p{Uppercase_Letter}\\p{^Lu}$",
        "\u{3B1}bCd"
    ));
    // Garay came with Unicode 16, in which it has letters of both cases.
    assert!(!matches("\\p{Lu}", "\u{10D50}") && matches("\\p{Cn}", "\u{10D50}"));
    assert!(error_of("\\p{Garay}").contains("invalid character class range"));
    assert!(matches("\\p{Zl}", "\u{2028}") && matches("\\p{Cn}", "\u{FDD0}"));
    assert!(!matches("\\p{Cs}", "\u{FFFD}") && matches("\\P{Cs}", "\u{FFFD}"));
}

#[test]
fn case_folds_as_in_unicode_15() {
    assert!(matches("^(?i)kS$", "\u{212A}\u{17F}") && matches("(?i)[k]", "\u{212A}"));
    assert!(matches("(?i)\u{3C3}", "\u{3C2}") && matches("(?i)\\p{Lu}", "a"));
    assert!(!matches("(?i)\u{DF}", "ss") && matches("(?i)\u{DF}", "\u{1E9E}"));
    assert!(!matches("(?i)\u{FB05}", "\u{FB06}") && !matches("(?i)\u{264}", "\u{A7CB}"));
    assert!(!matches("(?i)i", "\u{131}") && !matches("(?i)[^k]", "\u{212A}"));
}

#[test]
fn flags_hold_until_their_group_ends() {
    assert!(matches("^(?:(?i)a|b)c$", "Bc") && !matches("^(?:(?i)a|b)c$", "BC"));
    assert!(matches("(?i:a)b", "Ab") && !matches("(?i:a)b", "AB"));
    assert!(matches("(?m)^b$", "a\nb\nc") && !matches("^b$", "a\nb"));
    assert!(!matches("a$", "a\n") && !matches("a\\z", "a\n"));
    assert!(matches("(?s)a.b", "a\nb") && !matches("(?s)(?-s)a.b", "a\nb"));
    assert_eq!(expanded("(?U)a+", "aaa", "$0"), "a");
    assert_eq!(expanded("(?U)a+?", "aaa", "$0"), "aaa");
    assert!(matches("(?)a", "a"));
}

#[test]
fn a_repetition_takes_what_was_read_last() {
    assert_eq!(expanded("ab*", "abb", "$0"), "abb");
    assert_eq!(expanded("\\Qab\\E+", "abb", "$0"), "abb");
    assert_eq!(expanded("a(?i)+", "aa", "$0"), "aa");
    // An empty quotation comes between two operators.
    assert_eq!(expanded("a*\\Q\\E*", "aa", "$0"), "aa");
    assert_eq!(expanded("a{0}b", "ab", "$0"), "b");
}

#[test]
fn the_leftmost_match_prefers_earlier_alternatives() {
    assert_eq!(expanded("a|ab", "cab", "$0"), "a");
    assert_eq!(expanded("(|a)*", "aa", "<$0><$1>"), "<><>");
    assert_eq!(expanded("(a*)+", "b", "<$0><$1>"), "<><>");
    assert_eq!(expanded("(a|b)+", "ab", "$1"), "b");
    assert_eq!(expanded("ab(c)|ab(d)", "abd", "<$1><$2>"), "<><d>");
    assert_eq!(compiled("a").expand_first("$0", "b"), Ok(None));
}

#[test]
fn templates_take_groups_by_number_and_longest_name() {
    let pattern = "^(?P<n>[0-9]+)-(?P<ts>[a-z]+)(?<01>x)?";
    for (template, result) in [
        ("$n", "12"),
        ("${n}th", "12th"),
        ("$nth", ""),
        ("$1-$2", "12-ab"),
        ("$1x", ""),
        ("${1}x", "12x"),
        ("$0", "12-ab"),
        ("$3|$9|$none|$01", "|||"),
        ("$$n $ ${ ${n ${ n} $-", "$n $ ${ ${n ${ n} $-"),
        ("$n\u{E9}.", "."),
        ("$n\u{2160}", "12\u{2160}"),
        ("$100000000 $99999999999999999999", " "),
        ("", ""),
    ] {
        assert_eq!(expanded(pattern, "12-ab", template), result, "{template}");
    }
    assert_eq!(expanded("^(?<01>a)", "a", "$01${01}"), "aa");
}

#[test]
fn the_first_group_of_a_name_that_took_part_answers_to_it() {
    assert_eq!(expanded("(?P<n>a)|(?P<n>b)", "b", "$n"), "b");
    assert_eq!(expanded("(?P<n>a)(?P<n>b)", "ab", "$n"), "a");
}

#[test]
fn great_patterns_are_read_once() {
    let ideographs = (0x4E00..0x9000).filter_map(char::from_u32).step_by(2);
    for (pattern, verdict) in [
        ("a".repeat(100_000), Ok(false)),
        ("a|".repeat(100_000), Ok(true)),
        (
            ideographs.map(|letter| format!("{letter}|")).collect(),
            Ok(true),
        ),
        ("(?i)k".repeat(3000), Ok(false)),
        ("[".repeat(50_000), Err(Code::MissingBracket)),
        (
            format!("[{}", "[:".repeat(200_000)),
            Err(Code::MissingBracket),
        ),
        ("[[:alpha:]".repeat(50_000), Err(Code::MissingBracket)),
        ("(?:".repeat(100_000), Err(Code::MissingParenthesis)),
        ("(".repeat(100_000), Err(Code::MissingParenthesis)),
        ("\\".repeat(100_001), Err(Code::TrailingBackslash)),
        ("a{2}?".repeat(5000), Ok(false)),
        ("(?i)[\\x{0}-\\x{10FFFF}]".repeat(500), Ok(false)),
        (
            format!("{}{}", "(a|b".repeat(600), ")".repeat(600)),
            Err(Code::NestingDepth),
        ),
    ] {
        let answer = Regexp::compile(&pattern).map(|regexp| regexp.is_match("aaa").unwrap());
        let beginning: String = pattern.chars().take(20).collect();
        assert_eq!(answer.map_err(|error| error.code), verdict, "{beginning}");
    }
}

/// Pieces of patterns and of texts, put together by a fixed sequence of numbers.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn pattern(&mut self, depth: u64) -> String {
        let mut pattern = String::new();
        for _ in 0..=self.below(3) {
            let atom = match self.below(if depth == 0 { 6 } else { 9 }) {
                0..=2 => self.one_of(&["a", "b", "-", "\\.", "ab", "é"]).to_owned(),
                3..=5 => self
                    .one_of(&["[a-b]", "\\d", "[^a]", ".", "[0-9a-f]", "(?i:B)"])
                    .to_owned(),
                6 => format!("({})", self.pattern(depth - 1)),
                7 => format!("(?P<n>{})", self.pattern(depth - 1)),
                _ => format!(
                    "(?:{}|{})",
                    self.pattern(depth - 1),
                    self.pattern(depth - 1)
                ),
            };
            pattern.push_str(&atom);
            pattern.push_str(self.one_of(&["", "", "", "+", "*", "?", "{1,2}", "+?", "??"]));
        }
        pattern + self.one_of(&["", "", "", "$", "(?:$|-)", "\\b"])
    }

    fn text(&mut self) -> String {
        let length = self.below(8);
        (0..length)
            .map(|_| self.one_of(&["a", "b", "B", "-", ".", "1", "f", "é", "\n"]))
            .collect()
    }
}

#[test]
fn all_engines_give_the_same_groups() {
    let mut chance = Chance(1);
    let mut tables = 0;
    for _ in 0..4_000 {
        let pattern = format!(
            "{}{}",
            chance.one_of(&["^", "^", "^", ""]),
            chance.pattern(2)
        );
        if Regexp::compile(&pattern).is_err() {
            continue;
        }
        let engines = all_engines(&pattern);
        tables += usize::from(engines[0].one_pass.is_some());
        let groups: Vec<usize> = (0..engines[0].names().len()).collect();
        let mut matchers = engines
            .each_ref()
            .map(|regexp| regexp.matcher(&groups).unwrap());
        for _ in 0..12 {
            let text = chance.text();
            let found = matchers.each_mut().map(|matcher| {
                let found = matcher.find_at(&text, 0).unwrap();
                found.map(|found| {
                    groups
                        .iter()
                        .map(|group| found.group(*group))
                        .collect::<Vec<_>>()
                })
            });
            assert!(
                found[0] == found[1] && found[1] == found[2],
                "{pattern} on {text:?}: {found:?}"
            );
            assert_eq!(
                engines[0].is_match(&text),
                Ok(found[0].is_some()),
                "{pattern} on {text:?}"
            );
        }
    }
    assert!(tables > 500, "only {tables} patterns have a table");
}
