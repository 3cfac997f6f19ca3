//! Go's `regexp` package (Go 1.26, Unicode 15): its syntax, its error texts, its matches and its templates.
//!
//! A pattern is parsed by the rules of Go's `regexp/syntax` into the same tree as there, limits included. The tree is
//! then written in the syntax of the `regex` crate with every character and class spelt out, so that nothing is left
//! to that crate's own reading. Matching takes time linear in the text.

mod class;
mod escape;
mod expand;
mod factor;
mod parser;
mod replace;
mod translate;
mod tree;

use std::fmt;

pub use replace::quote_meta;

/// The most that one compiled pattern may take, in bytes; the crate applies it to each of its automata.
const COMPILED_BYTES: usize = 48 << 20;

/// The cache of the lazily built automata, in bytes.
const CACHE_BYTES: usize = 8 << 20;

/// The crate's own limit counts groups and repetitions; [`tree::MAXIMUM_HEIGHT`] is what bounds a pattern here.
const CRATE_NESTING: u32 = 8 * tree::MAXIMUM_HEIGHT;

/// The crate's compiler calls itself for each level of a pattern. A tree of this many nodes may be so high that the
/// compiler gets a stack of its own, which is enough for the greatest height in a build without optimization.
const DEEP_NODES: usize = 100;
const DEEP_STACK_BYTES: usize = 64 << 20;

/// A compiled regular expression of Go's syntax.
#[derive(Clone, Debug)]
pub struct Regexp {
    /// The pattern as it was given.
    source: String,
    regex: regex::Regex,
    /// The name of each group by its number, `""` where it has none; group 0 is the whole match.
    names: Vec<String>,
}

impl Regexp {
    /// Compiles a pattern as `regexp.Compile` does.
    ///
    /// Fails with Go's own error for what Go refuses, and with an error of its own (see [`Error::is_own_limit`])
    /// where the compiled pattern would take too much memory.
    pub fn compile(pattern: &str) -> Result<Self, Error> {
        Self::compile_within(pattern, COMPILED_BYTES)
    }

    /// As [`Regexp::compile`], with a bound of so many bytes on what is compiled, which bounds the time too.
    pub fn compile_within(pattern: &str, bytes: usize) -> Result<Self, Error> {
        let parsed = parser::parse(pattern)?;
        let translated =
            translate::translate(&parsed.tree, parsed.root).ok_or_else(Error::own_limit)?;
        let regex = if parsed.tree.node_count() < DEEP_NODES {
            build(&translated, bytes)?
        } else {
            build_deep(&translated, bytes)?
        };
        Ok(Self {
            source: pattern.to_owned(),
            regex,
            names: parsed.names,
        })
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether some part of the text matches, as `Regexp.MatchString`.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The leftmost match as byte offsets, as `Regexp.FindStringIndex`.
    pub fn find(&self, text: &str) -> Option<(usize, usize)> {
        self.regex
            .find(text)
            .map(|found| (found.start(), found.end()))
    }

    /// The template with the groups of the leftmost match put in, as `Regexp.ExpandString`; `None` without a match.
    pub fn expand_first(&self, template: &str, text: &str) -> Option<String> {
        let captures = self.regex.captures(text)?;
        Some(expand::expand(template, &self.names, |group| {
            captures.get(group).map(|found| found.as_str())
        }))
    }
}

/// Why a pattern can't be compiled; displayed exactly as Go's error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Code,
    /// The part of the pattern that Go names in the error.
    expression: String,
}

impl Error {
    /// Whether Go would accept the pattern, or would go on reading it, and only this program's memory bound refuses it.
    pub fn is_own_limit(&self) -> bool {
        self.code == Code::OwnLimit
    }

    fn new(code: Code, expression: &str) -> Self {
        Self {
            code,
            expression: expression.to_owned(),
        }
    }

    fn own_limit() -> Self {
        Self::new(Code::OwnLimit, "")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_own_limit() {
            return formatter.write_str("the regular expression is too large for this program");
        }
        write!(
            formatter,
            "error parsing regexp: {}: `{}`",
            self.code.text(),
            self.expression
        )
    }
}

impl std::error::Error for Error {}

/// The kinds of Go's `syntax.ErrorCode` that a valid UTF-8 pattern can meet, and the bound of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    CharacterRange,
    Escape,
    NamedCapture,
    PerlSyntax,
    NestedRepetition,
    RepeatCount,
    MissingBracket,
    MissingParenthesis,
    MissingRepeatArgument,
    TrailingBackslash,
    UnexpectedParenthesis,
    NestingDepth,
    Large,
    OwnLimit,
}

impl Code {
    fn text(self) -> &'static str {
        match self {
            Self::CharacterRange => "invalid character class range",
            Self::Escape => "invalid escape sequence",
            Self::NamedCapture => "invalid named capture",
            Self::PerlSyntax => "invalid or unsupported Perl syntax",
            Self::NestedRepetition => "invalid nested repetition operator",
            Self::RepeatCount => "invalid repeat count",
            Self::MissingBracket => "missing closing ]",
            Self::MissingParenthesis => "missing closing )",
            Self::MissingRepeatArgument => "missing argument to repetition operator",
            Self::TrailingBackslash => "trailing backslash at end of expression",
            Self::UnexpectedParenthesis => "unexpected )",
            Self::NestingDepth => "expression nests too deeply",
            Self::Large => "expression too large",
            Self::OwnLimit => "",
        }
    }
}

fn build(translated: &str, bytes: usize) -> Result<regex::Regex, Error> {
    regex::RegexBuilder::new(translated)
        .size_limit(bytes.min(COMPILED_BYTES))
        .dfa_size_limit(CACHE_BYTES)
        .nest_limit(CRATE_NESTING)
        .build()
        .map_err(|_| Error::own_limit())
}

fn build_deep(translated: &str, bytes: usize) -> Result<regex::Regex, Error> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(DEEP_STACK_BYTES)
            .spawn_scoped(scope, || build(translated, bytes))
            .map_err(|_| Error::own_limit())?
            .join()
            .map_err(|_| Error::own_limit())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(pattern: &str) -> String {
        Regexp::compile(pattern).expect_err(pattern).to_string()
    }

    fn compiled(pattern: &str) -> Regexp {
        Regexp::compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"))
    }

    fn matches(pattern: &str, text: &str) -> bool {
        compiled(pattern).is_match(text)
    }

    fn expanded(pattern: &str, text: &str, template: &str) -> String {
        compiled(pattern)
            .expand_first(template, text)
            .expect("the pattern matches")
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
    fn a_pattern_that_only_this_program_refuses_says_so() {
        let error = Regexp::compile("[\\pL\\pN]{1000}[\\pL\\pS]{1000}[\\pN\\pS\\pL]{1000}")
            .expect_err("it is too large");
        assert!(error.is_own_limit());
        assert_eq!(
            error.to_string(),
            "the regular expression is too large for this program"
        );
        assert!(
            !Regexp::compile("(")
                .expect_err("it is no pattern")
                .is_own_limit()
        );
        assert!(
            Regexp::compile(&"\\pL".repeat(20_000))
                .expect_err("it is too large")
                .is_own_limit()
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
        assert!(
            matches("^[]a-]+$", "]-a") && matches("^[^]a]$", "b") && matches("^[\\d-z]+$", "5-z")
        );
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
        assert_eq!(compiled("a").expand_first("$0", "b"), None);
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
            let answer = Regexp::compile(&pattern).map(|regexp| regexp.is_match("aaa"));
            let beginning: String = pattern.chars().take(20).collect();
            assert_eq!(answer.map_err(|error| error.code), verdict, "{beginning}");
        }
    }
}
