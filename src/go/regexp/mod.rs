//! Go's `regexp` package (Go 1.26): its syntax, its error texts, its matches.
//!
//! A pattern is read by a parser of its own, which accepts and refuses what Go accepts and refuses, and is
//! then written in the dialect of the `regex` crate in a form that leaves nothing to that dialect's defaults.
//! Both engines give leftmost-first matches in linear time, so equal trees give equal matches.

mod class;
mod error;
mod expand;
mod parser;
mod replace;
mod translate;
mod tree;
mod unicode;

pub use error::Error;
pub use replace::quote_meta;

use regex::CaptureLocations;

/// What a compiled expression may take in memory, in bytes. Go's own limit is of this order; a pattern that
/// is within Go's limits and over this one is refused with [`Error::TooLarge`].
const COMPILED_BYTES: usize = 64 << 20;

/// Trees higher than this are built with a stack of their own.
const DEEP: usize = 60;
const DEEP_STACK_BYTES: usize = 64 << 20;

/// A compiled regular expression.
#[derive(Clone, Debug)]
pub struct Regexp {
    source: String,
    engine: regex::Regex,
    /// The names of the groups 1, 2, ...; empty for a group without a name. Several groups may share a name.
    group_names: Vec<String>,
}

impl Regexp {
    /// Compiles `pattern` as Go's `regexp.Compile` does.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`] where Go refuses the pattern; its text is Go's. [`Error::TooLarge`] where Go takes a
    /// pattern whose compiled form is larger than this program allows.
    pub fn compile(pattern: &str) -> Result<Self, Error> {
        let parsed = parser::parse(pattern)?;
        let engine = if parsed.tree.height > DEEP {
            build_with_room(&parsed.tree)?
        } else {
            build(&parsed.tree)?
        };
        Ok(Self {
            source: pattern.to_owned(),
            engine,
            group_names: parsed.group_names,
        })
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether `text` has a match anywhere.
    pub fn is_match(&self, text: &str) -> bool {
        self.engine.is_match(text)
    }

    /// The leftmost match in `text` as byte offsets.
    pub fn find(&self, text: &str) -> Option<(usize, usize)> {
        self.engine
            .find(text)
            .map(|found| (found.start(), found.end()))
    }

    /// The expansion of `template` over the leftmost match in `text`, by the rules of Go's `Regexp.Expand`:
    /// `$name` and `${name}` stand for a group by number or name, where the name is the longest run of
    /// letters, digits and underscores; an unknown or unmatched group is empty; `$$` is `$`; a `$` that starts
    /// no name stays. `None` when `text` has no match.
    pub fn expand_first(&self, template: &str, text: &str) -> Option<String> {
        let mut found = self.engine.capture_locations();
        self.expand_first_with(template, text, &mut found)
    }

    /// As [`Regexp::expand_first`] for each of `texts`, sharing the working memory between them.
    pub fn expand_each<'a>(
        &'a self,
        template: &'a str,
        texts: &'a [String],
    ) -> impl Iterator<Item = Option<String>> + 'a {
        let mut found = self.engine.capture_locations();
        texts
            .iter()
            .map(move |text| self.expand_first_with(template, text, &mut found))
    }

    fn expand_first_with(
        &self,
        template: &str,
        text: &str,
        found: &mut CaptureLocations,
    ) -> Option<String> {
        self.engine.captures_read(found, text)?;
        let mut expansion = String::new();
        self.expand_into(&mut expansion, template, text, found);
        Some(expansion)
    }

    fn expand_into(
        &self,
        expansion: &mut String,
        template: &str,
        text: &str,
        found: &CaptureLocations,
    ) {
        expand::expand(expansion, template, |group| {
            let span = match group {
                expand::Group::Number(number) => found.get(number),
                expand::Group::Name(name) => self
                    .group_names
                    .iter()
                    .enumerate()
                    .filter(|(_, group_name)| !name.is_empty() && *group_name == name)
                    .find_map(|(index, _)| found.get(index + 1)),
            };
            span.map_or("", |(start, end)| &text[start..end])
        });
    }
}

fn build(tree: &tree::Tree) -> Result<regex::Regex, Error> {
    regex::RegexBuilder::new(&translate::translate(tree)?)
        .size_limit(COMPILED_BYTES)
        .nest_limit(translate::NEST_LIMIT)
        .build()
        .map_err(|_| Error::TooLarge)
}

/// Builds a deep tree on a thread with stack enough: the engine's compiler recurses over it.
fn build_with_room(tree: &tree::Tree) -> Result<regex::Regex, Error> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(DEEP_STACK_BYTES)
            .spawn_scoped(scope, || build(tree))
            .ok()
            .and_then(|thread| thread.join().ok())
            .unwrap_or(Err(Error::TooLarge))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(pattern: &str) -> String {
        match Regexp::compile(pattern) {
            Ok(_) => panic!("{pattern} compiled"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn errors_are_worded_as_go_words_them() {
        for (pattern, expected) in [
            ("(", "missing closing ): `(`"),
            ("a)", "unexpected ): `a)`"),
            ("[a", "missing closing ]: `[a`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a{2}{3}?", "invalid nested repetition operator: `{2}{3}?`"),
            ("*a", "missing argument to repetition operator: `*`"),
            ("(|{2})", "missing argument to repetition operator: `{2}`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("(a{100}){11}", "invalid repeat count: `{11}`"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"),
            ("\\", "trailing backslash at end of expression: ``"),
            (r"\8", r"invalid escape sequence: `\8`"),
            (r"\1", r"invalid escape sequence: `\1`"),
            (r"a\C", r"invalid escape sequence: `\C`"),
            (r"\pX", r"invalid character class range: `\pX`"),
            (
                r"\p{Old_Italic}",
                r"invalid character class range: `\p{Old_Italic}`",
            ),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
            ("(?<=a)b", "invalid named capture: `(?<=a)b`"),
            ("(?P<a.b>c)", "invalid named capture: `(?P<a.b>`"),
        ] {
            assert_eq!(error(pattern), format!("error parsing regexp: {expected}"));
        }
    }

    #[test]
    fn what_only_go_accepts_means_what_go_means() {
        for (pattern, text, expected) in [
            (r"^\Qa.b\E+$", "a.bb", true),
            (r"^\Qa.b\E+$", "axb", false),
            (r"^\123$", "S", true),
            (r"^\0$", "\0", true),
            ("^a{,3}$", "a{,3}", true),
            ("^{$", "{", true),
            ("^[[a]b]$", "[b]", true),
            ("^[a&&b]$", "&", true),
            (r"^\d$", "\u{0663}", false),
            (r"^\w$", "\u{e9}", false),
            (r"\bx", "\u{e9}x", true),
            (r"^[\D]$", "5", false),
            ("(?i)^k$", "\u{212a}", true),
            (r"(?i)^\W$", "\u{212a}", false),
            ("(?U)^a+$", "aa", true),
            (r"^[^a]$", "\n", true),
            (r"^.$", "\n", false),
            (r"a$", "a\n", false),
            (r"(?m)a$", "a\n", true),
            (r"^\x{d800}$", "\u{fffd}", false),
            (r"^\p{greek}\pL$", "\u{3b1}b", true),
        ] {
            let regexp = Regexp::compile(pattern).expect(pattern);
            assert_eq!(regexp.is_match(text), expected, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn templates_are_expanded_over_the_leftmost_match() {
        let regexp = Regexp::compile("(?P<branch>[a-z]+)-(?P<ts>[0-9]+)(x)?").expect("valid");
        for (template, expected) in [
            ("$ts", "17"),
            ("${ts}x", "17x"),
            ("$tsx", ""),
            ("$1-$2", "main-17"),
            ("$0", "main-17"),
            ("$3|$9|$01", "||"),
            ("$$1", "$1"),
            ("$", "$"),
            ("${ ts }", "${ ts }"),
            ("${ts", "${ts"),
            ("a$-b", "a$-b"),
            ("$1000000000", ""),
        ] {
            assert_eq!(
                regexp.expand_first(template, "--main-17--").as_deref(),
                Some(expected),
                "{template}"
            );
        }
        assert_eq!(regexp.expand_first("$1", "17"), None);
    }

    #[test]
    fn a_shared_group_name_stands_for_the_first_group_that_matched() {
        let regexp = Regexp::compile("a(?P<n>1)|b(?<n>2)").expect("valid");
        assert_eq!(regexp.expand_first("$n", "b2").as_deref(), Some("2"));
    }

    #[test]
    fn hostile_patterns_end_in_an_error() {
        assert_eq!(
            error(&"(".repeat(100_000)),
            format!(
                "error parsing regexp: missing closing ): `{}`",
                "(".repeat(100_000)
            )
        );
        assert!(
            error(&format!("{}a{}", "(".repeat(1001), ")".repeat(1001)))
                .contains("expression nests too deeply")
        );
        assert!(Regexp::compile(&format!("{}a{}", "(".repeat(900), ")".repeat(900))).is_ok());
        assert!(
            Regexp::compile(&format!("{}a{}", "(?:".repeat(20_000), ")".repeat(20_000))).is_ok()
        );
        assert!(Regexp::compile(&r"\pL{1000}".repeat(300)).is_err());
        assert!(Regexp::compile(&r"[B-\x{10ffff}]".repeat(3)).is_ok());
    }
}
