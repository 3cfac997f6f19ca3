//! Go's `regexp` package (Go 1.26, Unicode 15): its syntax, its error texts, its matches and its templates.
//!
//! A pattern is parsed by the rules of Go's `regexp/syntax` into the same tree as there, limits included. The tree is
//! then written in the syntax of the `regex` crate with every character and class spelt out, so that nothing is left
//! to that crate's own reading. What the crate would need too much memory for runs on a machine of our own, which takes
//! no more than Go does, but is slow. Small patterns that begin at the text's beginning and never leave a choice, as most
//! filters of tags do, have a table besides that answers faster than both. All take time linear in the text.

mod class;
mod escape;
mod expand;
mod factor;
mod machine;
mod matcher;
mod one_pass;
mod parser;
mod program;
mod replace;
mod stop;
mod translate;
mod tree;

use std::fmt;
use std::sync::Arc;

pub use expand::Template;
pub use matcher::Matcher;
pub use replace::quote_meta;
pub use stop::{Stop, Trail};

use one_pass::OnePass;
use parser::Parsed;
use program::Program;

/// The most that one pattern compiled by the crate may take, in bytes; the crate applies it to each of its automata.
const COMPILED_BYTES: usize = 16 << 20;

/// The most instructions of a pattern that the crate is given, by Go's rough count.
const COMPILED_SIZE: u64 = 50_000;

/// The cache of the lazily built automata, in bytes.
const CACHE_BYTES: usize = 8 << 20;

/// The crate's own limit counts groups and repetitions; [`tree::MAXIMUM_HEIGHT`] is what bounds a pattern here.
const CRATE_NESTING: u32 = 8 * tree::MAXIMUM_HEIGHT;

/// Compilers call themselves for each level of a pattern. A tree of this many nodes may be so high that they get a stack
/// of their own, which is enough for the greatest height in a build without optimization.
const DEEP_NODES: usize = 100;
const DEEP_STACK_BYTES: usize = 64 << 20;

/// A compiled regular expression of Go's syntax.
#[derive(Clone, Debug)]
pub struct Regexp {
    /// The pattern as it was given.
    source: String,
    engine: Engine,
    /// Answers instead of the engine where it can.
    one_pass: Option<Arc<OnePass>>,
    /// The name of each group by its number, `""` where it has none; group 0 is the whole match.
    names: Vec<String>,
}

/// What a pattern is matched with.
#[derive(Clone, Debug)]
enum Engine {
    Crate(regex::Regex),
    Own(Arc<Program>),
}

impl Regexp {
    /// Compiles a pattern as `regexp.Compile` does.
    ///
    /// # Errors
    ///
    /// Go's own error for what Go refuses.
    pub fn compile(pattern: &str) -> Result<Self, Error> {
        Self::with_engine(pattern, |parsed| {
            let size = parsed.tree.size(parsed.root);
            let of_crate = (size <= COMPILED_SIZE).then(|| crate_engine(parsed, COMPILED_BYTES));
            of_crate.flatten().unwrap_or_else(|| own_engine(parsed))
        })
    }

    /// As [`compile`](Self::compile), but only with the `regex` crate and within so many bytes, which bounds the time of
    /// compiling and matching too.
    ///
    /// # Errors
    ///
    /// Go's own error for what Go refuses; or it would take more.
    pub fn compile_within(pattern: &str, bytes: usize) -> Result<Self, Error> {
        let mut fits = true;
        let compiled = Self::with_engine(pattern, |parsed| {
            let of_crate = crate_engine(parsed, bytes);
            fits = of_crate.is_some();
            of_crate.unwrap_or_else(|| own_engine(parsed))
        })?;
        if fits {
            Ok(compiled)
        } else {
            Err(Error::out_of_memory())
        }
    }

    /// As [`compile`](Self::compile), but never with the `regex` crate: matching is slower and has bounds of its own, and
    /// otherwise the same.
    ///
    /// # Errors
    ///
    /// Go's own error for what Go refuses.
    pub fn compile_without_crate(pattern: &str) -> Result<Self, Error> {
        Ok(Self {
            one_pass: None,
            ..Self::with_engine(pattern, |parsed| own_engine(parsed))?
        })
    }

    fn with_engine(
        pattern: &str,
        engine: impl FnOnce(&mut Parsed) -> Engine + Send,
    ) -> Result<Self, Error> {
        let mut parsed = parser::parse(pattern)?;
        let (engine, one_pass) = with_room_for(parsed.tree.node_count(), || {
            let engine = engine(&mut parsed);
            let one_pass = one_pass(&mut parsed);
            (engine, one_pass)
        })?;
        Ok(Self {
            source: pattern.to_owned(),
            engine,
            one_pass,
            names: parsed.names,
        })
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether a [`Matcher`] may give up after so many steps.
    pub fn has_bounds(&self) -> bool {
        matches!(self.engine, Engine::Own(_))
    }

    /// Something that matches texts; `groups` are the numbers of the groups that are asked for.
    ///
    /// # Errors
    ///
    /// To keep track of so many groups would take too much memory.
    pub fn matcher(&self, groups: &[usize]) -> Result<Matcher<'_>, Error> {
        Matcher::new(self, groups)
    }

    /// Whether some part of the text matches, as `Regexp.MatchString`.
    ///
    /// # Errors
    ///
    /// It takes too many steps.
    pub fn is_match(&self, text: &str) -> Result<bool, Error> {
        self.matcher(&[])?.is_match(text)
    }

    /// The leftmost match as byte offsets, as `Regexp.FindStringIndex`.
    ///
    /// # Errors
    ///
    /// It takes too many steps.
    pub fn find(&self, text: &str) -> Result<Option<(usize, usize)>, Error> {
        let mut matcher = self.matcher(&[0])?;
        Ok(matcher.find_at(text, 0)?.and_then(|found| found.group(0)))
    }

    /// The template with the groups of the leftmost match put in, as `Regexp.ExpandString`; `None` without a match.
    ///
    /// # Errors
    ///
    /// It takes too many steps.
    pub fn expand_first(&self, template: &str, text: &str) -> Result<Option<String>, Error> {
        let template = self.template(template);
        let mut matcher = self.matcher(template.groups())?;
        let found = matcher.find_at(text, 0)?;
        Ok(found.map(|found| {
            template
                .expand(text, |group| found.group(group))
                .into_owned()
        }))
    }

    /// A template for the matches of this pattern.
    pub fn template<'t>(&self, template: &'t str) -> Template<'t> {
        Template::new(template, &self.names)
    }

    /// The names of the groups by their numbers, `""` where there is none; group 0 is the whole match.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// Why a pattern can't be compiled, displayed exactly as Go's error; or what this program doesn't do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Code,
    /// The part of the pattern that Go names in the error.
    expression: String,
}

impl Error {
    /// Whether Go takes the pattern, and it is only this program that can't match it within its bounds.
    pub fn is_own_limit(&self) -> bool {
        matches!(self.code, Code::OutOfMemory | Code::OutOfSteps)
    }

    fn new(code: Code, expression: &str) -> Self {
        Self {
            code,
            expression: expression.to_owned(),
        }
    }

    fn out_of_memory() -> Self {
        Self::new(Code::OutOfMemory, "")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_own_limit() {
            return formatter.write_str(self.code.text());
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

/// The kinds of Go's `syntax.ErrorCode` that a valid UTF-8 pattern can meet, and the bounds of this program.
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
    OutOfMemory,
    OutOfSteps,
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
            Self::OutOfMemory => "the regular expression is too large for this program",
            Self::OutOfSteps => {
                "the regular expression takes more steps on these texts than this program allows"
            }
        }
    }
}

/// The `regex` crate's engine; `None`: it would take too much memory.
fn crate_engine(parsed: &Parsed, bytes: usize) -> Option<Engine> {
    let translated = translate::translate(&parsed.tree, parsed.root)?;
    regex::RegexBuilder::new(&translated)
        .size_limit(bytes.min(COMPILED_BYTES))
        .dfa_size_limit(CACHE_BYTES)
        .nest_limit(CRATE_NESTING)
        .build()
        .ok()
        .map(Engine::Crate)
}

/// The table of a small pattern that has one.
fn one_pass(parsed: &mut Parsed) -> Option<Arc<OnePass>> {
    if parsed.tree.size(parsed.root) > one_pass::MOST_INSTRUCTIONS as u64 {
        return None;
    }
    let program = program::compile(&parsed.tree, parsed.root, false);
    OnePass::of(&program).map(Arc::new)
}

fn own_engine(parsed: &Parsed) -> Engine {
    Engine::Own(Arc::new(program::compile(&parsed.tree, parsed.root, false)))
}

/// Does something that calls itself for each level of a tree of so many nodes.
fn with_room_for<R: Send>(nodes: usize, work: impl FnOnce() -> R + Send) -> Result<R, Error> {
    if nodes < DEEP_NODES {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(DEEP_STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(|_| Error::out_of_memory())?
            .join()
            .map_err(|_| Error::out_of_memory())
    })
}

#[cfg(test)]
mod tests;
