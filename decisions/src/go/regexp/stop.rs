//! Where a text stops to match: what Go doesn't tell, and whoever wrote the pattern wants to know.

use std::ops::Range;

use super::machine::Around;
use super::parser;
use super::program::{self, Instruction, Origin, Place, Program};
use super::{Error, with_room_for};

/// Of larger patterns, by Go's rough count of instructions, nothing is told.
const MOST_INSTRUCTIONS: u64 = 20_000;

/// How many steps are taken for one text.
const MOST_STEPS: usize = 1 << 24;

/// A pattern that can tell how far a text matches.
#[derive(Clone, Debug)]
pub struct Trail {
    program: Program,
}

/// Where a text that doesn't match stops to do so, on the way that leads farthest into the pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What the pattern wants next, as byte offsets: a character, a class or a condition, several where alternatives are
    /// equally far; sorted.
    pub wanted: Vec<Range<usize>>,
    /// How much of the text was matched until then, in bytes from its beginning; `None`: nothing in it fits even the
    /// pattern's beginning, wherever one begins.
    pub matched: Option<usize>,
}

impl Trail {
    /// Reads a pattern; `None`: it is too large for this.
    ///
    /// # Errors
    ///
    /// Go's own error for what Go refuses.
    pub fn new(pattern: &str) -> Result<Option<Self>, Error> {
        let mut parsed = parser::parse(pattern)?;
        if parsed.tree.size(parsed.root) > MOST_INSTRUCTIONS {
            return Ok(None);
        }
        let compile = || program::compile(&parsed.tree, parsed.root, true);
        let program = with_room_for(parsed.tree.node_count(), compile)?;
        Ok(Some(Self { program }))
    }

    /// Where the text stops to match; `None`: it matches, or that takes too many steps to say.
    pub fn stop(&self, text: &str) -> Option<Stop> {
        let mut walk = Walk {
            program: &self.program,
            seen: vec![0; self.program.instructions.len()],
            turn: 0,
            farthest: Farthest::default(),
            steps: 0,
        };
        let mut around = Around::at(text, 0);
        let mut current = Vec::new();
        let mut next = Vec::new();
        loop {
            walk.turn += 1;
            next.clear();
            for &place in &current {
                walk.follow(place, &around, &mut next)?;
            }
            walk.follow(self.program.start, &around, &mut next)?;
            current.clear();
            for &place in &next {
                current.extend(walk.take(place, &around));
            }
            if around.after.is_none() {
                return walk.farthest.into_stop();
            }
            around.advance(text);
        }
    }
}

struct Walk<'p> {
    program: &'p Program,
    /// The turn in which each place was last reached.
    seen: Vec<u32>,
    turn: u32,
    farthest: Farthest,
    steps: usize,
}

impl Walk<'_> {
    /// Adds the places that take a character and can be reached from `from` without one; `None`: the text matches, or
    /// the steps are used up.
    fn follow(&mut self, from: Place, around: &Around, into: &mut Vec<Place>) -> Option<()> {
        let mut waiting = vec![from];
        while let Some(place) = waiting.pop() {
            if std::mem::replace(&mut self.seen[place as usize], self.turn) == self.turn {
                continue;
            }
            self.steps += 1;
            if self.steps > MOST_STEPS {
                return None;
            }
            match self.program.instructions[place as usize] {
                Instruction::Match => return None,
                Instruction::Fail => self.stopped(place, around),
                Instruction::Character { .. } | Instruction::Set { .. } => into.push(place),
                Instruction::Assert { holds, next } if around.hold(holds) => waiting.push(next),
                Instruction::Assert { .. } => self.stopped(place, around),
                Instruction::Note { next, .. } => waiting.push(next),
                Instruction::Fork { first, second } => waiting.extend([second, first]),
            }
        }
        Some(())
    }

    /// Where the next character leads to.
    fn take(&mut self, place: Place, around: &Around) -> Option<Place> {
        let next = match (self.program.instructions[place as usize], around.after) {
            (Instruction::Character { wanted, next }, Some(taken)) if wanted == taken => next,
            (Instruction::Set { number, next }, Some(taken))
                if self.program.sets[number as usize].contains(taken) =>
            {
                next
            }
            _ => {
                self.stopped(place, around);
                return None;
            }
        };
        Some(next)
    }

    fn stopped(&mut self, place: Place, around: &Around) {
        if let Some(Some(origin)) = self.program.origins.get(place as usize) {
            self.farthest.note(*origin, around.place);
        }
    }
}

/// The stops that are farthest in the pattern, and of those the farthest in the text.
#[derive(Default)]
struct Farthest {
    rank: u32,
    place: usize,
    wanted: Vec<Range<usize>>,
}

impl Farthest {
    fn note(&mut self, origin: Origin, place: usize) {
        if (origin.rank, place) < (self.rank, self.place) {
            return;
        }
        if (origin.rank, place) > (self.rank, self.place) {
            (self.rank, self.place) = (origin.rank, place);
            self.wanted.clear();
        }
        let span = origin.span.start as usize..origin.span.end as usize;
        if !self.wanted.contains(&span) {
            self.wanted.push(span);
        }
    }

    fn into_stop(mut self) -> Option<Stop> {
        if self.wanted.is_empty() {
            return None;
        }
        self.wanted
            .sort_unstable_by_key(|span| (span.start, span.end));
        Some(Stop {
            wanted: self.wanted,
            matched: (self.rank > 0).then_some(self.place),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The matched part of the text, a bar, and what the pattern wants.
    fn stop(pattern: &str, text: &str) -> Option<String> {
        let trail = Trail::new(pattern).unwrap().unwrap();
        trail.stop(text).map(|stop| {
            let wanted = stop.wanted.into_iter().map(|span| &pattern[span]);
            let wanted: Vec<&str> = wanted.collect();
            let matched = stop.matched.map_or("(nothing)", |place| &text[..place]);
            format!("{matched} | {}", wanted.join(" "))
        })
    }

    #[test]
    fn the_farthest_way_into_the_pattern_counts() {
        let pattern = "^main-[a-f0-9]+-(?P<ts>[0-9]+)$";
        for (text, expected) in [
            ("main-abc", "main-abc | -"),
            ("main-abc-", "main-abc- | [0-9]"),
            ("main-abc-12x", "main-abc-12 | $"),
            ("main-xyz-12", "main- | [a-f0-9]"),
            ("dev-abc-12", " | m"),
            ("", " | m"),
        ] {
            assert_eq!(stop(pattern, text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(stop(pattern, "main-abc-12"), None);
    }

    #[test]
    fn patterns_that_begin_anywhere_and_alternatives_are_followed_too() {
        for (pattern, text, expected) in [
            ("-alpine$", "1.2.3", "(nothing) | -"),
            ("-alpine$", "1.2-alpine3", "1.2-alpine | $"),
            ("-alpine$", "1.2-alp-alpi", "1.2-alp-alpi | n"),
            ("^(dev|main)-", "prod-1", " | d m"),
            ("^(dev|main)-", "mai-1", "mai | n"),
            ("^(dev|main)-", "devel-1", "dev | -"),
            (r"^\d+\.\d+\.\d+$", "1.2.34-rc.1", "1.2.34 | $"),
            ("(?i)^RC$", "rd", "r | C"),
            ("^a{2,3}b", "aaaa", "aaa | b"),
            ("^(abc|abd)$", "abe", "ab | c|abd"),
            (
                "[^\\x00-\\x{10FFFF}]",
                "a",
                "(nothing) | [^\\x00-\\x{10FFFF}]",
            ),
        ] {
            assert_eq!(
                stop(pattern, text).as_deref(),
                Some(expected),
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn hostile_patterns_and_texts_are_given_up() {
        let huge = format!("(?:{}){{1000}}", "a".repeat(30));
        assert!(Trail::new(&huge).unwrap().is_none());
        let trail = Trail::new("(x+x+)+y").unwrap().unwrap();
        assert!(trail.stop(&"x".repeat(100_000)).is_some());
        let trail = Trail::new("(?:a?a?a?a?a?a?a?a?){1000}b").unwrap().unwrap();
        assert_eq!(trail.stop(&"a".repeat(100_000)), None);
        assert!(Trail::new("(").is_err());
    }
}
