//! A tree in the dialect of the `regex` crate, every default of which is spelled out.

use std::fmt::Write as _;

use super::class::{Class, Item};
use super::error::Error;
use super::tree::{Count, Node, Tree};
use super::unicode::UnicodeClass;

/// Enough for the highest tree: each node opens at most three groups.
pub(super) const NEST_LIMIT: u32 = 4000;

/// The code points that folding the cases of all classes may visit; without a bound a long pattern of wide
/// classes would take minutes.
const FOLDING_WORK: u64 = 40_000_000;
const LAST_FOLDING: u32 = 0x1_e943;

/// The number of Unicode classes in one pattern; each takes some kilobytes.
const UNICODE_CLASSES: u64 = 8_000;

const SURROGATES: std::ops::RangeInclusive<u32> = 0xd800..=0xdfff;

/// Writes `tree` as a pattern of the `regex` crate.
pub(super) fn translate(tree: &Tree) -> Result<String, Error> {
    let mut translation = Translation::default();
    translation.node(tree)?;
    Ok(translation.pattern)
}

#[derive(Default)]
struct Translation {
    pattern: String,
    folding_work: u64,
    unicode_classes: u64,
}

impl Translation {
    fn node(&mut self, tree: &Tree) -> Result<(), Error> {
        match &tree.node {
            Node::Empty => self.add("(?:)"),
            Node::AnyRune => self.add("(?s:.)"),
            Node::AnyRuneButNewline => self.add(r"[^\n]"),
            Node::TextStart => self.add(r"\A"),
            Node::TextEnd => self.add(r"\z"),
            Node::LineStart => self.add("(?m:^)"),
            Node::LineEnd => self.add("(?m:$)"),
            Node::WordBoundary => self.add(r"(?-u:\b)"),
            Node::NoWordBoundary => self.add(r"(?-u:\B)"),
            Node::Literal { runes, fold_case } => self.literal(runes, *fold_case),
            Node::Class(class) => return self.class(class),
            Node::Capture(inner) => return self.group("(", inner),
            Node::Repeat {
                repeated,
                count,
                greedy,
            } => return self.repeat(repeated, *count, *greedy),
            Node::Sequence(children) => {
                return children.iter().try_for_each(|child| self.part(child));
            }
            Node::Choice(branches) => return self.choice(branches),
        }
        Ok(())
    }

    /// A node within a sequence.
    fn part(&mut self, tree: &Tree) -> Result<(), Error> {
        match tree.node {
            Node::Choice(_) => self.group("(?:", tree),
            _ => self.node(tree),
        }
    }

    fn group(&mut self, opening: &str, inner: &Tree) -> Result<(), Error> {
        self.add(opening);
        self.node(inner)?;
        self.add(")");
        Ok(())
    }

    fn choice(&mut self, branches: &[Tree]) -> Result<(), Error> {
        for (index, branch) in branches.iter().enumerate() {
            if index > 0 {
                self.add("|");
            }
            self.node(branch)?;
        }
        Ok(())
    }

    fn repeat(&mut self, repeated: &Tree, count: Count, greedy: bool) -> Result<(), Error> {
        self.group("(?:", repeated)?;
        match count {
            Count::Star => self.add("*"),
            Count::Plus => self.add("+"),
            Count::Question => self.add("?"),
            Count::Braces { min, max } => self.braces(min, max),
        }
        if !greedy {
            self.add("?");
        }
        Ok(())
    }

    fn braces(&mut self, min: u32, max: Option<u32>) {
        let max = max.map_or_else(String::new, |max| max.to_string());
        self.add(&format!("{{{min},{max}}}"));
    }

    fn literal(&mut self, runes: &[u32], fold_case: bool) {
        if fold_case {
            self.add("(?i:");
        }
        for rune in runes {
            match char::from_u32(*rune) {
                Some(rune) => self.rune(rune),
                None => self.add(NOTHING),
            }
        }
        if fold_case {
            self.add(")");
        }
    }

    fn class(&mut self, class: &Class) -> Result<(), Error> {
        self.add(if class.fold_case { "(?i:[" } else { "[" });
        if class.negated {
            self.add("^");
        }
        for item in &class.items {
            self.item(item, class.fold_case);
        }
        // So that no class is empty; this item adds nothing.
        self.add(NOTHING);
        self.add(if class.fold_case { "])" } else { "]" });
        if self.folding_work > FOLDING_WORK || self.unicode_classes > UNICODE_CLASSES {
            return Err(Error::TooLarge);
        }
        Ok(())
    }

    fn item(&mut self, item: &Item, fold_case: bool) {
        match item {
            Item::Range(first, last) => {
                if fold_case {
                    self.folding_work +=
                        u64::from((*last).min(LAST_FOLDING).saturating_sub(*first));
                }
                self.range(*first, *last);
            }
            Item::Ascii { ranges, negated } => {
                self.add(if *negated { "[^" } else { "[" });
                for (first, last) in *ranges {
                    self.range(u32::from(*first), u32::from(*last));
                }
                self.add("]");
            }
            Item::Unicode { class, negated } => {
                self.unicode_classes += 1;
                if fold_case {
                    self.folding_work += u64::from(LAST_FOLDING);
                }
                self.unicode(*class, *negated);
            }
        }
    }

    fn unicode(&mut self, class: UnicodeClass, negated: bool) {
        let letter = if negated { 'P' } else { 'p' };
        let inverse = if negated { 'p' } else { 'P' };
        let written = match class {
            UnicodeClass::Any => format!(r"\{letter}{{Any}}"),
            UnicodeClass::Ascii => format!(r"\{letter}{{ASCII}}"),
            // Surrogates stand in no text.
            UnicodeClass::Category("Cs") if negated => r"\p{Any}".to_owned(),
            UnicodeClass::Category("Cs") => NOTHING.to_owned(),
            UnicodeClass::Category(code) => format!(r"\{letter}{{gc={code}}}"),
            UnicodeClass::Assigned => format!(r"\{inverse}{{gc=Cn}}"),
            UnicodeClass::Script(script) => format!(r"\{letter}{{sc={script}}}"),
        };
        self.add(&written);
    }

    /// A range of code points without the surrogates at its ends; those inside are no characters anyway.
    fn range(&mut self, first: u32, last: u32) {
        let first = if SURROGATES.contains(&first) {
            SURROGATES.end() + 1
        } else {
            first
        };
        let last = if SURROGATES.contains(&last) {
            SURROGATES.start() - 1
        } else {
            last
        };
        if let (Some(first), Some(last)) = (char::from_u32(first), char::from_u32(last))
            && first <= last
        {
            self.rune(first);
            if first < last {
                self.add("-");
                self.rune(last);
            }
        }
    }

    fn rune(&mut self, rune: char) {
        if rune.is_ascii_alphanumeric() {
            self.pattern.push(rune);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(self.pattern, r"\x{{{:x}}}", u32::from(rune));
        }
    }

    fn add(&mut self, text: &str) {
        self.pattern.push_str(text);
    }
}

/// A class that no character is in.
const NOTHING: &str = r"[^\x{0}-\x{10ffff}]";
