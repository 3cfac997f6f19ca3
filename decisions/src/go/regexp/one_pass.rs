//! Patterns that begin at the text's beginning and in which each ASCII character decides where to go on, as in
//! `^v(?P<x>[0-9]+)$`: most filters are such. A table of their places tells the groups of a match in one run over the text,
//! with one look for each character.

use std::collections::{HashMap, HashSet};

use super::program::{Assertion, Instruction, Place, Program};

/// Programs with more instructions are left to the other engines, and so are tables that would be larger.
pub(super) const MOST_INSTRUCTIONS: usize = 1_000;
const MOST_ENTRIES: usize = 1 << 14;

/// A set of slots, a bit for each: twice a group's number for its beginning, one more for its end.
type Slots = u64;

/// A set of classes, a bit for each.
type Classes = u64;

/// The row of the place from which no match can be reached any longer.
const DEAD: u32 = 0;

/// The class of what is not ASCII, about which the table says nothing.
const FOREIGN: u8 = 0;

/// A pattern as a table.
#[derive(Debug)]
pub(super) struct OnePass {
    /// The class of each byte.
    classes: [u8; 256],
    /// The bit of each byte's class; none for classes beyond the 64th.
    bits: [Classes; 256],
    /// The number of classes: how long a row is.
    width: usize,
    /// A row for each place, an entry for each class.
    entries: Vec<Entry>,
    /// How each place ends, by the number of its row.
    ends: Vec<Ends>,
    /// What entries note, by number; the first is empty.
    notes: Vec<Slots>,
    /// The row of the beginning.
    start: u32,
}

/// Where a character leads.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Where the row begins.
    row: u32,
    /// The number of what is noted before the character.
    notes: u16,
    /// The pattern may end after the character, whatever follows.
    may_end: bool,
    /// By which characters one stays there, nothing being noted.
    stays: Classes,
}

/// What is noted where the pattern ends at a place; `None`: it doesn't.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    /// Whatever follows.
    anywhere: Option<Slots>,
    /// Where the text ends.
    at_text_end: Option<Slots>,
}

/// Where the groups of a match begin and end.
#[derive(Debug)]
pub(super) struct Noted {
    /// Those that are asked for.
    asked: Slots,
    /// On the way so far.
    way: Places,
    /// On the way to the last place where the pattern could have ended.
    best: Places,
}

/// A place in the text for each slot that is held.
#[derive(Debug)]
struct Places {
    held: Slots,
    places: Vec<usize>,
}

impl Noted {
    /// Room for these groups; `None`: their numbers are too high.
    pub(super) fn of(groups: &[usize]) -> Option<Self> {
        let mut asked = 0;
        for group in groups {
            asked |= both(*group)?;
        }
        let places = || Places {
            held: 0,
            places: vec![0; 64 - asked.leading_zeros() as usize],
        };
        Some(Self {
            asked,
            way: places(),
            best: places(),
        })
    }

    /// Where a group matched, as byte offsets.
    pub(super) fn group(&self, number: usize) -> Option<(usize, usize)> {
        let place = |slot: usize| self.way.places.get(slot).copied();
        let both = both(number)?;
        (self.way.held & both == both)
            .then(|| place(2 * number).zip(place(2 * number + 1)))
            .flatten()
    }

    fn note(&mut self, slots: Slots, place: usize) {
        self.way.note(slots & self.asked, place);
    }

    fn note_end(&mut self, slots: Slots, place: usize) {
        self.best.held = self.way.held;
        self.best.places.copy_from_slice(&self.way.places);
        self.best.note((slots | WHOLE_END) & self.asked, place);
    }
}

impl Places {
    fn note(&mut self, slots: Slots, place: usize) {
        self.held |= slots;
        let mut left = slots;
        while left != 0 {
            self.places[left.trailing_zeros() as usize] = place;
            left &= left - 1;
        }
    }
}

/// The slots of the whole match.
const WHOLE_BEGIN: Slots = 1;
const WHOLE_END: Slots = 2;

/// The slots of a group; `None`: the number is too high.
fn both(group: usize) -> Option<Slots> {
    let slot = u32::try_from(2 * group).ok()?;
    0b11_u64.checked_shl(slot)
}

impl OnePass {
    /// The table of a program; `None`: it may begin elsewhere, or a character leaves a choice, or it would be too large.
    pub(super) fn of(program: &Program) -> Option<Self> {
        let fits = program.instructions.len() <= MOST_INSTRUCTIONS;
        (fits && program.is_anchored())
            .then(|| Builder::new(program).build())
            .flatten()
    }

    /// Whether the text matches, its groups being noted; `None`: the text is not ASCII, ask another engine.
    pub(super) fn search(&self, text: &str, noted: &mut Noted) -> Option<bool> {
        noted.way.held = 0;
        noted.note(WHOLE_BEGIN, 0);
        let mut row = self.start;
        let mut has_ended = false;
        if let Some(slots) = self.ends(row).anywhere {
            has_ended = true;
            noted.note_end(slots, 0);
        }
        let bytes = text.as_bytes();
        let mut place = 0;
        while let Some(&byte) = bytes.get(place) {
            let class = self.classes[usize::from(byte)];
            let entry = self.entries[row as usize + usize::from(class)];
            if entry.notes != 0 {
                noted.note(self.notes[usize::from(entry.notes)], place);
            }
            row = entry.row;
            if row == DEAD {
                if class == FOREIGN {
                    return None;
                }
                break;
            }
            place += 1;
            if entry.may_end {
                has_ended = true;
                noted.note_end(self.ends(row).anywhere.unwrap_or_default(), place);
            }
            // Unlike the steps of the table, these don't wait for each other.
            let stays = |byte: &&u8| self.bits[usize::from(**byte)] & entry.stays != 0;
            place += bytes[place..].iter().take_while(stays).count();
        }
        if let Some(slots) = self.ends(row).at_text_end {
            noted.note(slots | WHOLE_END, text.len());
            return Some(true);
        }
        if has_ended {
            std::mem::swap(&mut noted.way, &mut noted.best);
        }
        Some(has_ended)
    }

    fn ends(&self, row: u32) -> Ends {
        self.ends[row as usize / self.width]
    }
}

/// Makes a table of a program, place by place.
struct Builder<'p> {
    program: &'p Program,
    /// A character of each class; that of the foreign ones is not looked at.
    samples: Vec<u8>,
    table: OnePass,
    /// The row of each place that was met behind a character.
    rows: HashMap<Place, u32>,
    /// Places whose rows are still empty.
    waiting: Vec<(Place, u32)>,
    numbers: HashMap<Slots, u16>,
}

/// A way from a place to the next character or to the end.
#[derive(Clone, Copy)]
struct Way {
    place: Place,
    noted: Slots,
    /// It is open at the text's end only.
    at_text_end: bool,
}

impl<'p> Builder<'p> {
    fn new(program: &'p Program) -> Self {
        let (classes, samples) = classes(program);
        let bits = classes.map(|class| 1_u64.checked_shl(u32::from(class)).unwrap_or_default());
        let width = samples.len();
        Self {
            program,
            samples,
            table: OnePass {
                classes,
                bits,
                width,
                entries: Vec::new(),
                ends: Vec::new(),
                notes: vec![0],
                start: DEAD,
            },
            rows: HashMap::new(),
            waiting: Vec::new(),
            numbers: HashMap::from([(0, 0)]),
        }
    }

    fn build(mut self) -> Option<OnePass> {
        // The first row is that of the dead.
        self.new_row()?;
        self.table.start = self.new_row()?;
        self.fill(self.program.start, self.table.start, true)?;
        while let Some((place, row)) = self.waiting.pop() {
            self.fill(place, row, false)?;
        }
        for index in 0..self.table.entries.len() {
            let row = self.table.entries[index].row;
            let may_end = self.table.ends(row).anywhere.is_some();
            let stays = if may_end { 0 } else { self.stays(row) };
            let entry = &mut self.table.entries[index];
            (entry.may_end, entry.stays) = (may_end, stays);
        }
        Some(self.table)
    }

    /// The classes that lead from a row to itself without a note.
    fn stays(&self, row: u32) -> Classes {
        let start = row as usize;
        let entries = &self.table.entries[start..start + self.table.width];
        let stays = |entry: &Entry| row != DEAD && entry.row == row && entry.notes == 0;
        (0..).zip(entries).fold(0, |set, (class, entry)| {
            let bit = 1_u64.checked_shl(class).filter(|_| stays(entry));
            set | bit.unwrap_or_default()
        })
    }

    fn new_row(&mut self) -> Option<u32> {
        let row = self.table.entries.len();
        let length = row + self.table.width;
        if length > MOST_ENTRIES {
            return None;
        }
        self.table.entries.resize(length, Entry::default());
        self.table.ends.push(Ends::default());
        u32::try_from(row).ok()
    }

    fn row_of(&mut self, place: Place) -> Option<u32> {
        if let Some(&row) = self.rows.get(&place) {
            return Some(row);
        }
        let row = self.new_row()?;
        self.rows.insert(place, row);
        self.waiting.push((place, row));
        Some(row)
    }

    /// Fills the row of a place, its ways being followed in the order in which they are preferred; `None`: a character
    /// leaves a choice.
    fn fill(&mut self, place: Place, row: u32, is_start: bool) -> Option<()> {
        let mut seen = HashSet::new();
        let mut open = vec![Way {
            place,
            noted: 0,
            at_text_end: false,
        }];
        while let Some(way) = open.pop() {
            if !seen.insert(way.place) {
                return None;
            }
            let to = |place| Way { place, ..way };
            match self.program.instructions[way.place as usize] {
                Instruction::Fail => {}
                Instruction::Fork { first, second } => open.extend([to(second), to(first)]),
                Instruction::Note { slot, next } => open.push(Way {
                    noted: way.noted | 1_u64.checked_shl(slot)?,
                    ..to(next)
                }),
                Instruction::Assert { holds, next } => match holds {
                    Assertion::TextStart if is_start => open.push(to(next)),
                    Assertion::TextStart => {}
                    Assertion::TextEnd => open.push(Way {
                        at_text_end: true,
                        ..to(next)
                    }),
                    _ => return None,
                },
                // What comes after is less preferred than to end here.
                Instruction::Match => {
                    if self.end(row, way)? {
                        break;
                    }
                }
                Instruction::Character { .. } | Instruction::Set { .. } if way.at_text_end => {}
                Instruction::Character { wanted, next } => {
                    self.lead(row, way, next, |byte| char::from(byte) == wanted)?;
                }
                Instruction::Set { number, next } => {
                    let set = self.program.sets[number as usize].ascii();
                    self.lead(row, way, next, |byte| set >> byte & 1 == 1)?;
                }
            }
        }
        Some(())
    }

    /// Notes that the pattern ends at a place; whether nothing else is possible then.
    fn end(&mut self, row: u32, way: Way) -> Option<bool> {
        let ends = &mut self.table.ends[row as usize / self.table.width];
        if ends.at_text_end.is_some() {
            return None;
        }
        match way.at_text_end {
            true => ends.at_text_end = Some(way.noted),
            false => ends.anywhere = Some(way.noted),
        }
        Some(!way.at_text_end)
    }

    /// Leads from a row to a place by the characters that are taken.
    fn lead(&mut self, row: u32, way: Way, next: Place, takes: impl Fn(u8) -> bool) -> Option<()> {
        let next = self.row_of(next)?;
        let notes = self.number_of(way.noted)?;
        for class in usize::from(FOREIGN) + 1..self.table.width {
            if !takes(self.samples[class]) {
                continue;
            }
            let entry = &mut self.table.entries[row as usize + class];
            if entry.row != DEAD {
                return None;
            }
            *entry = Entry {
                row: next,
                notes,
                ..Entry::default()
            };
        }
        Some(())
    }

    fn number_of(&mut self, noted: Slots) -> Option<u16> {
        if let Some(&number) = self.numbers.get(&noted) {
            return Some(number);
        }
        let number = u16::try_from(self.table.notes.len()).ok()?;
        self.table.notes.push(noted);
        self.numbers.insert(noted, number);
        Some(number)
    }
}

/// The class of each byte, characters that the program doesn't tell apart being in one, and a character of each.
fn classes(program: &Program) -> ([u8; 256], Vec<u8>) {
    let mut classes = [FOREIGN; 256];
    classes[..128].fill(FOREIGN + 1);
    let mut samples = vec![0, 0];
    let sets = program.sets.iter().map(super::program::QuickSet::ascii);
    let characters = program
        .instructions
        .iter()
        .filter_map(|instruction| match instruction {
            Instruction::Character { wanted, .. } if wanted.is_ascii() => {
                Some(1 << u32::from(*wanted))
            }
            _ => None,
        });
    for set in sets.chain(characters) {
        let mut parts: HashMap<(u8, bool), u8> = HashMap::new();
        let before = classes;
        samples.truncate(1);
        for byte in 0..128_u8 {
            let takes = set >> byte & 1 == 1;
            let class = parts
                .entry((before[usize::from(byte)], takes))
                .or_insert_with(|| {
                    samples.push(byte);
                    // There are no more than there are characters.
                    (samples.len() - 1) as u8
                });
            classes[usize::from(byte)] = *class;
        }
    }
    (classes, samples)
}
