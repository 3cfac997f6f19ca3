//! What a template may use up. Templates come from others and are not trusted.

use std::collections::{BTreeMap, BTreeSet};

use super::chance::Chance;
use crate::go::regexp::Regexp;

/// The bound that a template ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// More bytes of output, or of one text, than allowed.
    Output,
    /// Templates, lists or parentheses are nested too deeply.
    Depth,
    /// Too many steps, or too many bytes built on the way.
    Work,
}

impl std::fmt::Display for Bound {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Bound::Output => "the text grows beyond 1 MiB",
            Bound::Depth => "it is nested more than 200 levels deep",
            Bound::Work => "it takes too many steps",
        })
    }
}

/// What is left, and what was met that Go leaves to chance.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest text, in bytes.
    pub output: usize,
    /// The deepest nesting.
    pub depth: usize,
    /// The steps left; building a text costs a step for every byte.
    pub steps: usize,
    /// What is played for what Go leaves to chance.
    pub chance: Chance,
    /// What was met on the way that hangs on chance.
    pub unordered: BTreeSet<&'static str>,
    /// The regular expressions that were compiled.
    pub(super) patterns: BTreeMap<String, Regexp>,
}

/// The steps of one run.
pub const STEPS: usize = 32 << 20;

impl Limits {
    /// The limits of a message, with what is played for what Go leaves to chance.
    pub fn new(chance: Chance) -> Limits {
        Limits {
            output: 1 << 20,
            depth: 200,
            steps: STEPS,
            chance,
            unordered: BTreeSet::new(),
            patterns: BTreeMap::new(),
        }
    }

    /// Takes `cost` off the steps.
    ///
    /// # Errors
    ///
    /// None are left.
    pub fn spend(&mut self, cost: usize) -> Result<(), Bound> {
        match self.steps.checked_sub(cost) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => Err(Bound::Work),
        }
    }

    /// Checks the length of a text before it is built, and takes its cost off the steps.
    pub(super) fn text(&mut self, length: Option<usize>) -> Result<(), Bound> {
        match length {
            Some(length) if length <= self.output => self.spend(length),
            _ => Err(Bound::Output),
        }
    }

    /// An address: no two runs print the same.
    pub(super) fn address(&mut self) -> u64 {
        self.unordered
            .insert("the address of a list, map or pointer");
        0xc000_0000_0000 + self.chance.below(1 << 20) * 0x40
    }

    /// Puts items whose order Go leaves to chance into this run's order; `what` says which they are.
    pub fn arrange<T>(&mut self, what: &'static str, items: &mut [T]) {
        if items.len() < 2 {
            return;
        }
        self.unordered.insert(what);
        self.chance.arrange(items);
    }

    /// A number below `bound`, which isn't 0, by chance.
    pub(super) fn below(&mut self, what: &'static str, bound: u64) -> u64 {
        self.unordered.insert(what);
        self.chance.below(bound)
    }
}
