//! What a template may use up. Templates come from others and are not trusted.

use std::collections::BTreeSet;

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
    /// Which of Go's possible orders to play: 0 is the sorted one.
    pub order: u64,
    /// What was met on the way that hangs on chance.
    pub unordered: BTreeSet<&'static str>,
}

impl Limits {
    /// The limits of a message, with the given order of what Go leaves to chance.
    pub fn new(order: u64) -> Limits {
        Limits {
            output: 1 << 20,
            depth: 200,
            steps: 32 << 20,
            order,
            unordered: BTreeSet::new(),
        }
    }

    /// Takes `cost` off the steps.
    pub(super) fn spend(&mut self, cost: usize) -> Result<(), Bound> {
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
        0xc000_0120_0000 + self.order * 0x40
    }

    /// Puts items whose order Go leaves to chance into this run's order.
    pub fn arrange<T>(&mut self, what: &'static str, items: &mut [T]) {
        if items.len() < 2 {
            return;
        }
        self.unordered.insert(what);
        arrange(self.order, items);
    }
}

/// Order 0 leaves the items as they are, 1 reverses them, each other one shuffles them its way.
pub fn arrange<T>(order: u64, items: &mut [T]) {
    match order {
        0 => {}
        1 => items.reverse(),
        seed => {
            let mut state = seed;
            for last in (1..items.len()).rev() {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                items.swap(last, (state >> 33) as usize % (last + 1));
            }
        }
    }
}
