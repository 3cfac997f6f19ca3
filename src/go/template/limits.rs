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
    /// What is played for what Go leaves to chance.
    chance: Chance,
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
            chance: Chance::new(order),
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
        0xc000_0000_0000 + self.chance.below(1 << 20) * 0x40
    }

    /// Puts items whose order Go leaves to chance into this run's order.
    pub(super) fn arrange<T>(&mut self, what: &'static str, items: &mut [T]) {
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

/// One of the orders in which Go may visit what has none: 0 leaves everything as it is, 1 reverses it, each other one
/// shuffles it in its own way.
#[derive(Clone, Debug)]
pub struct Chance {
    order: u64,
    state: u64,
}

impl Chance {
    /// The chance of the given order.
    pub fn new(order: u64) -> Chance {
        Chance {
            order,
            state: order,
        }
    }

    /// The next number, a splitmix64 step.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Puts the items into this order.
    pub fn arrange<T>(&mut self, items: &mut [T]) {
        match self.order {
            0 => {}
            1 => items.reverse(),
            _ => {
                for last in (1..items.len()).rev() {
                    let place = self.next() % (last as u64 + 1);
                    items.swap(last, place as usize);
                }
            }
        }
    }

    /// A number below `bound`, which isn't 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        match self.order {
            0 => 0,
            1 => bound - 1,
            _ => self.next() % bound,
        }
    }
}
