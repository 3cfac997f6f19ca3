//! Runs a [`Program`] over a text: all ways at once, each place of the program at most once for each place of the text,
//! in the order in which Go prefers them.

use std::sync::Arc;

use super::program::{Assertion, Instruction, Place, Program};
use super::{Code, Error};

/// What a slot holds before anything is noted in it; otherwise it is one more than the place in the text. (Memory full
/// of zeros costs nothing before it is written to.)
const NOWHERE: u32 = 0;

/// The most numbers that the slots of all ways may take.
const MAXIMUM_SLOTS: usize = 64 << 20;

/// How many steps may still be taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps(pub u64);

impl Steps {
    fn spend(&mut self, steps: usize) -> Result<(), Error> {
        let left = self.0.checked_sub(steps as u64);
        self.0 = left.ok_or_else(|| Error::new(Code::OutOfSteps, ""))?;
        Ok(())
    }
}

/// A program with room to run in.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    program: Arc<Program>,
    /// Of each slot of the program, where it is kept; `None`: nobody asks for it.
    kept: Vec<Option<usize>>,
    kept_count: usize,
    current: Ways,
    next: Ways,
    waiting: Vec<Waiting>,
    scratch: Vec<u32>,
}

/// The ways on which a text matches so far: places of the program in order of preference.
#[derive(Clone, Debug)]
struct Ways {
    order: Vec<Place>,
    count: usize,
    /// Where in `order` a place stands, if it does.
    position: Vec<u32>,
    /// What each place has noted.
    slots: Vec<u32>,
}

impl Ways {
    fn new(places: usize, slots: usize) -> Self {
        Self {
            order: vec![0; places],
            count: 0,
            position: vec![0; places],
            slots: vec![NOWHERE; places * slots],
        }
    }

    fn holds(&self, place: Place) -> bool {
        let position = self.position[place as usize] as usize;
        position < self.count && self.order[position] == place
    }

    fn add(&mut self, place: Place) {
        self.order[self.count] = place;
        self.position[place as usize] = self.count as u32;
        self.count += 1;
    }
}

/// What is still to be done before the next character.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    Go(Place),
    /// What a slot held before the ways that were followed in between.
    Restore {
        slot: usize,
        held: u32,
    },
}

impl Machine {
    /// A machine that notes the beginnings and ends of these groups, `0` being the whole match; `None`: that would take
    /// too much memory.
    pub(super) fn new(program: Arc<Program>, groups: &[usize]) -> Option<Self> {
        let mut kept = Vec::new();
        for (index, &group) in groups.iter().enumerate() {
            if kept.len() < 2 * group + 2 {
                kept.resize(2 * group + 2, None);
            }
            kept[2 * group] = Some(2 * index);
            kept[2 * group + 1] = Some(2 * index + 1);
        }
        let places = program.instructions.len();
        let kept_count = 2 * groups.len();
        if places.checked_mul(kept_count)? > MAXIMUM_SLOTS {
            return None;
        }
        Some(Self {
            program,
            kept,
            kept_count,
            current: Ways::new(places, kept_count),
            next: Ways::new(places, kept_count),
            waiting: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// Looks for the leftmost match that begins at `from` or later. `found` then holds the beginning and the end of each
    /// group that is asked for, in the order in which they were. Without groups any match will do.
    pub(super) fn search(
        &mut self,
        text: &str,
        from: usize,
        steps: &mut Steps,
        found: &mut Vec<Option<(usize, usize)>>,
    ) -> Result<bool, Error> {
        let mut best: Option<Vec<u32>> = None;
        self.current.count = 0;
        let mut around = Around::at(text, from);
        let anchored = self.program.is_anchored();
        loop {
            if best.is_none() && !(anchored && around.place > 0) {
                self.scratch.clear();
                self.scratch.resize(self.kept_count, NOWHERE);
                if let Some(Some(slot)) = self.kept.first() {
                    self.scratch[*slot] = note(around.place);
                }
                self.follow(self.program.start, &around, steps, true)?;
            } else if self.current.count == 0 {
                break;
            }
            let matched = self.step(text, &mut around, steps)?;
            if let Some(slots) = matched {
                best = Some(slots);
                if self.kept_count == 0 {
                    break;
                }
            }
            std::mem::swap(&mut self.current, &mut self.next);
            if around.is_past_end {
                break;
            }
        }
        let Some(slots) = best else {
            return Ok(false);
        };
        found.clear();
        found.extend(slots.chunks(2).map(|pair| match *pair {
            [start, end] if start != NOWHERE && end != NOWHERE => {
                Some((start as usize - 1, end as usize - 1))
            }
            _ => None,
        }));
        Ok(true)
    }

    /// Takes the next character on all ways, the preferred ones first, into `next`; gives what was noted on the way that
    /// ends here, less preferred ones being dropped.
    fn step(
        &mut self,
        text: &str,
        around: &mut Around,
        steps: &mut Steps,
    ) -> Result<Option<Vec<u32>>, Error> {
        self.next.count = 0;
        let taken = around.after;
        let place_here = around.place;
        around.advance(text);
        steps.spend(self.current.count + 1)?;
        for index in 0..self.current.count {
            let place = self.current.order[index];
            let begin = place as usize * self.kept_count;
            let next = match (self.program.instructions[place as usize], taken) {
                (Instruction::Match, _) => {
                    let mut slots = self.current.slots[begin..begin + self.kept_count].to_vec();
                    if let Some(Some(slot)) = self.kept.get(1) {
                        slots[*slot] = note(place_here);
                    }
                    return Ok(Some(slots));
                }
                (Instruction::Character { wanted, next }, Some(taken)) if wanted == taken => next,
                (Instruction::Set { number, next }, Some(taken))
                    if self.program.sets[number as usize].contains(taken) =>
                {
                    next
                }
                _ => continue,
            };
            self.scratch.clear();
            self.scratch
                .extend_from_slice(&self.current.slots[begin..begin + self.kept_count]);
            self.follow(next, around, steps, false)?;
        }
        Ok(None)
    }

    /// Goes on from a place without taking a character, with what `scratch` has noted.
    fn follow(
        &mut self,
        from: Place,
        around: &Around,
        steps: &mut Steps,
        into_current: bool,
    ) -> Result<(), Error> {
        let ways = if into_current {
            &mut self.current
        } else {
            &mut self.next
        };
        let before = ways.count;
        self.waiting.push(Waiting::Go(from));
        while let Some(waiting) = self.waiting.pop() {
            let place = match waiting {
                Waiting::Go(place) => place,
                Waiting::Restore { slot, held } => {
                    self.scratch[slot] = held;
                    continue;
                }
            };
            if ways.holds(place) {
                continue;
            }
            ways.add(place);
            match self.program.instructions[place as usize] {
                Instruction::Fork { first, second } => {
                    self.waiting.push(Waiting::Go(second));
                    self.waiting.push(Waiting::Go(first));
                }
                Instruction::Note { slot, next } => {
                    if let Some(Some(slot)) = self.kept.get(slot as usize) {
                        let held = self.scratch[*slot];
                        self.waiting.push(Waiting::Restore { slot: *slot, held });
                        self.scratch[*slot] = note(around.place);
                    }
                    self.waiting.push(Waiting::Go(next));
                }
                Instruction::Assert { holds, next } => {
                    if around.hold(holds) {
                        self.waiting.push(Waiting::Go(next));
                    }
                }
                Instruction::Match | Instruction::Character { .. } | Instruction::Set { .. } => {
                    let begin = place as usize * self.kept_count;
                    ways.slots[begin..begin + self.kept_count].copy_from_slice(&self.scratch);
                }
                Instruction::Fail => {}
            }
        }
        if let Err(error) = steps.spend(ways.count - before) {
            self.waiting.clear();
            return Err(error);
        }
        Ok(())
    }
}

fn note(place: usize) -> u32 {
    u32::try_from(place + 1).unwrap_or(u32::MAX)
}

/// A place in a text, and the characters before and after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around {
    pub place: usize,
    before: Option<char>,
    pub after: Option<char>,
    /// The end was passed once more: nothing comes any longer.
    pub is_past_end: bool,
}

impl Around {
    pub(super) fn at(text: &str, place: usize) -> Self {
        Self {
            place,
            before: text[..place].chars().next_back(),
            after: text[place..].chars().next(),
            is_past_end: false,
        }
    }

    pub(super) fn advance(&mut self, text: &str) {
        match self.after {
            Some(taken) => {
                self.place += taken.len_utf8();
                self.before = Some(taken);
                self.after = text[self.place..].chars().next();
            }
            None => self.is_past_end = true,
        }
    }

    pub(super) fn hold(&self, assertion: Assertion) -> bool {
        let is_word = |character: Option<char>| {
            character.is_some_and(|character| character == '_' || character.is_ascii_alphanumeric())
        };
        let is_boundary = is_word(self.before) != is_word(self.after);
        match assertion {
            Assertion::LineStart => matches!(self.before, None | Some('\n')),
            Assertion::LineEnd => matches!(self.after, None | Some('\n')),
            Assertion::TextStart => self.before.is_none(),
            Assertion::TextEnd => self.after.is_none(),
            Assertion::WordBoundary => is_boundary,
            Assertion::NotWordBoundary => !is_boundary,
        }
    }
}
