//! A tree as a program: what [`machine`](super::machine) runs where a pattern is too large for the `regex` crate, and
//! where it is to be told how far a text matches.
//!
//! A character costs one instruction, whatever its class, so that a program is no larger than Go's, which has a limit.

use std::collections::HashMap;

use super::class::{self, CharacterSet};
use super::tree::{Kind, NodeId, Span, Tree};

/// A place in a program.
pub(super) type Place = u32;

/// A condition on the characters around a place of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assertion {
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    WordBoundary,
    NotWordBoundary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// The end of a match.
    Match,
    /// What never matches.
    Fail,
    /// Takes this character.
    Character { wanted: char, next: Place },
    /// Takes a character of the set with this number.
    Set { number: u32, next: Place },
    /// Goes on if the condition holds.
    Assert { holds: Assertion, next: Place },
    /// Notes a place of the text: twice the group's number for its beginning, one more for its end.
    Note { slot: u32, next: Place },
    /// Goes on at two places, the first being preferred.
    Fork { first: Place, second: Place },
}

/// A set of characters that answers quickly for ASCII.
#[derive(Clone, Debug)]
pub(super) struct QuickSet {
    ascii: u128,
    all: CharacterSet,
}

impl QuickSet {
    fn of(all: CharacterSet) -> Self {
        let ascii = (0..128)
            .filter(|&character| all.contains(character))
            .fold(0, |bits, character| bits | 1 << character);
        Self { ascii, all }
    }

    /// The ASCII characters in it, a bit for each.
    pub(super) fn ascii(&self) -> u128 {
        self.ascii
    }

    pub(super) fn contains(&self, character: char) -> bool {
        let number = u32::from(character);
        if number < 128 {
            self.ascii >> number & 1 == 1
        } else {
            self.all.contains(number)
        }
    }
}

/// What an instruction is in the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Where it is written.
    pub span: Span,
    /// How much of the pattern comes before it on its way: alternatives start with the same rank.
    pub rank: u32,
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub instructions: Vec<Instruction>,
    pub sets: Vec<QuickSet>,
    pub start: Place,
    /// Of each instruction that takes a character or asserts something; empty where nobody asked.
    pub origins: Vec<Option<Origin>>,
}

impl Program {
    /// Whether it starts with a condition that holds at the text's beginning only.
    pub(super) fn is_anchored(&self) -> bool {
        let mut place = self.start;
        loop {
            match self.instructions[place as usize] {
                Instruction::Note { next, .. } => place = next,
                Instruction::Assert { holds, .. } => return holds == Assertion::TextStart,
                _ => return false,
            }
        }
    }
}

/// Compiles a tree.
pub(super) fn compile(tree: &Tree, root: NodeId, with_origins: bool) -> Program {
    let mut compiler = Compiler {
        tree,
        program: Program {
            instructions: vec![Instruction::Match],
            sets: Vec::new(),
            start: 0,
            origins: Vec::new(),
        },
        set_numbers: HashMap::new(),
        equivalents: HashMap::new(),
        widths: HashMap::new(),
        emptiness: HashMap::new(),
        with_origins,
    };
    if with_origins {
        compiler.program.origins.push(None);
    }
    compiler.program.start = compiler.node(root, 0, 0);
    compiler.program
}

struct Compiler<'t> {
    tree: &'t Tree,
    program: Program,
    /// By the addresses of the ranges, which the tree keeps alive.
    set_numbers: HashMap<*const (u32, u32), u32>,
    /// What matches a character under `(?i)`: a set's number, or none where it is only itself.
    equivalents: HashMap<u32, Option<u32>>,
    widths: HashMap<NodeId, u32>,
    emptiness: HashMap<NodeId, bool>,
    with_origins: bool,
}

/// Programs are built from their ends: each part is told where to go on, and tells where it begins.
impl Compiler<'_> {
    fn add(&mut self, instruction: Instruction, origin: Option<Origin>) -> Place {
        let place = self.program.instructions.len();
        self.program.instructions.push(instruction);
        if self.with_origins {
            self.program.origins.push(origin);
        }
        Place::try_from(place).unwrap_or(Place::MAX)
    }

    fn node(&mut self, id: NodeId, next: Place, rank: u32) -> Place {
        let node = self.tree.node(id);
        let origin = |rank| {
            let span = node.spans.first().copied()?;
            Some(Origin { span, rank })
        };
        let assertion = |holds| Instruction::Assert { holds, next };
        match &node.kind {
            // Neither of the last two is in a finished tree.
            Kind::Nothing | Kind::OpenGroup { .. } | Kind::Bar => {
                self.add(Instruction::Fail, origin(rank))
            }
            Kind::Empty => next,
            Kind::Literal(characters) => self.literal(id, characters, next, rank),
            Kind::Class(set) => self.set(set, next, origin(rank)),
            Kind::AnyButNewline => self.set(&class::any_but_newline(), next, origin(rank)),
            Kind::Any => self.set(&class::any(), next, origin(rank)),
            Kind::LineStart => self.add(assertion(Assertion::LineStart), origin(rank)),
            Kind::LineEnd => self.add(assertion(Assertion::LineEnd), origin(rank)),
            Kind::TextStart => self.add(assertion(Assertion::TextStart), origin(rank)),
            Kind::TextEnd => self.add(assertion(Assertion::TextEnd), origin(rank)),
            Kind::WordBoundary => self.add(assertion(Assertion::WordBoundary), origin(rank)),
            Kind::NotWordBoundary => self.add(assertion(Assertion::NotWordBoundary), origin(rank)),
            Kind::Capture(number) => {
                let slot = 2 * number;
                let end = self.add(
                    Instruction::Note {
                        slot: slot + 1,
                        next,
                    },
                    None,
                );
                let inner = self.children(id, end, rank);
                self.add(Instruction::Note { slot, next: inner }, None)
            }
            Kind::Concatenation => self.children(id, next, rank),
            Kind::Alternation => {
                let mut alternatives = node.children.iter().rev();
                let Some(&last) = alternatives.next() else {
                    return self.add(Instruction::Fail, None);
                };
                let mut start = self.node(last, next, rank);
                for &alternative in alternatives {
                    let first = self.node(alternative, next, rank);
                    start = self.add(
                        Instruction::Fork {
                            first,
                            second: start,
                        },
                        None,
                    );
                }
                start
            }
            Kind::Star => self.repeat(id, 0, None, next, rank),
            Kind::Plus => self.repeat(id, 1, None, next, rank),
            Kind::Question => self.repeat(id, 0, Some(1), next, rank),
            Kind::Repeat { minimum, maximum } => self.repeat(id, *minimum, *maximum, next, rank),
        }
    }

    /// All children, one after the other.
    fn children(&mut self, id: NodeId, mut next: Place, rank: u32) -> Place {
        let children = &self.tree.node(id).children;
        let mut ranks = Vec::with_capacity(children.len());
        let mut end = rank;
        for &child in children {
            ranks.push(end);
            end = end.saturating_add(self.width(child));
        }
        for (&child, rank) in children.iter().zip(ranks).rev() {
            next = self.node(child, next, rank);
        }
        next
    }

    fn literal(&mut self, id: NodeId, characters: &[u32], mut next: Place, rank: u32) -> Place {
        let node = self.tree.node(id);
        for (index, &character) in characters.iter().enumerate().rev() {
            let span = node.spans.get(index).copied();
            let rank = rank.saturating_add(u32::try_from(index).unwrap_or(u32::MAX));
            let origin = span.map(|span| Origin { span, rank });
            let set = match node.flags.fold_case {
                true => self.equivalents_of(character),
                false => None,
            };
            let instruction = match (set, char::from_u32(character)) {
                (Some(number), _) => Instruction::Set { number, next },
                (None, Some(wanted)) => Instruction::Character { wanted, next },
                // A surrogate is in no text.
                (None, None) => Instruction::Fail,
            };
            next = self.add(instruction, origin);
        }
        next
    }

    fn equivalents_of(&mut self, character: u32) -> Option<u32> {
        if let Some(&known) = self.equivalents.get(&character) {
            return known;
        }
        let set = class::equivalents(character);
        let number = match set.only() {
            Some(_) => None,
            None => Some(self.new_set(set)),
        };
        self.equivalents.insert(character, number);
        number
    }

    fn new_set(&mut self, set: CharacterSet) -> u32 {
        let number = self.program.sets.len();
        self.program.sets.push(QuickSet::of(set));
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    fn set(&mut self, set: &CharacterSet, next: Place, origin: Option<Origin>) -> Place {
        let address = set.ranges().as_ptr();
        let number = match self.set_numbers.get(&address) {
            Some(&number) => number,
            None => {
                let number = self.new_set(set.clone());
                self.set_numbers.insert(address, number);
                number
            }
        };
        self.add(Instruction::Set { number, next }, origin)
    }

    fn repeat(
        &mut self,
        id: NodeId,
        minimum: u32,
        maximum: Option<u32>,
        next: Place,
        rank: u32,
    ) -> Place {
        let node = self.tree.node(id);
        let (ungreedy, child) = (node.flags.ungreedy, node.children[0]);
        let width = self.width(child);
        let rank_of = |copy: u32| rank.saturating_add(width.saturating_mul(copy));
        let fork = |inner: Place, after: Place| match ungreedy {
            true => Instruction::Fork {
                first: after,
                second: inner,
            },
            false => Instruction::Fork {
                first: inner,
                second: after,
            },
        };
        let mut place = next;
        match maximum {
            // x{2,5} is xx(x(x(x)?)?)?
            Some(maximum) => {
                for copy in (minimum..maximum).rev() {
                    let inner = self.node(child, place, rank_of(copy));
                    place = self.add(fork(inner, next), None);
                }
            }
            // x{2,} is xx+; x* of what can be empty is (x+)?, or else an empty turn could end the loop too early.
            None => {
                let turns = self.add(Instruction::Fail, None);
                let last = minimum.saturating_sub(1);
                let inner = self.node(child, turns, rank_of(last));
                self.program.instructions[turns as usize] = fork(inner, next);
                place = match minimum {
                    0 if self.can_be_empty(child) => self.add(fork(inner, next), None),
                    0 => turns,
                    _ => inner,
                };
            }
        }
        let before = match maximum {
            Some(_) => minimum,
            None => minimum.saturating_sub(1),
        };
        for copy in (0..before).rev() {
            place = self.node(child, place, rank_of(copy));
        }
        place
    }

    fn can_be_empty(&mut self, id: NodeId) -> bool {
        if let Some(&known) = self.emptiness.get(&id) {
            return known;
        }
        let node = self.tree.node(id);
        let mut children = node.children.iter();
        let can_be_empty = match &node.kind {
            Kind::Nothing | Kind::OpenGroup { .. } | Kind::Bar => false,
            Kind::Literal(characters) => characters.is_empty(),
            Kind::Class(_) | Kind::AnyButNewline | Kind::Any => false,
            Kind::Capture(_) | Kind::Plus | Kind::Concatenation => {
                children.all(|&child| self.can_be_empty(child))
            }
            Kind::Alternation => children.any(|&child| self.can_be_empty(child)),
            Kind::Repeat { minimum, .. } if *minimum > 0 => self.can_be_empty(node.children[0]),
            _ => true,
        };
        self.emptiness.insert(id, can_be_empty);
        can_be_empty
    }

    /// How many ranks a node takes; all the same where nobody asks for ranks.
    fn width(&mut self, id: NodeId) -> u32 {
        if !self.with_origins {
            return 0;
        }
        if let Some(&known) = self.widths.get(&id) {
            return known;
        }
        let node = self.tree.node(id);
        let widths = node.children.iter().map(|&child| self.width(child));
        let widths: Vec<u32> = widths.collect();
        let sum = || {
            widths
                .iter()
                .fold(0_u32, |sum, width| sum.saturating_add(*width))
        };
        let width = match &node.kind {
            Kind::Empty | Kind::Nothing => 0,
            Kind::Literal(characters) => u32::try_from(characters.len()).unwrap_or(u32::MAX),
            Kind::Alternation => widths.iter().copied().max().unwrap_or(0),
            Kind::Repeat { minimum, maximum } => {
                sum().saturating_mul(maximum.unwrap_or(*minimum).max(1))
            }
            _ if node.children.is_empty() => 1,
            _ => sum(),
        };
        self.widths.insert(id, width);
        width
    }
}
