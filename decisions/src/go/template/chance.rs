//! What Go leaves to chance: the order of its maps, random numbers, the clock and addresses.

/// The most items whose orders are all played; of longer lists a few are.
const MOST_ORDERED: usize = 12;

/// The most possibilities of one draw that are all played; of more, a few are.
const MOST_DRAWN: u64 = 64;

/// How many draws are kept to be varied.
const MOST_KEPT: usize = 4096;

/// What one run draws where Go leaves the outcome to chance.
///
/// The first draws follow a script, the others the luck. [`Chance::following`] walks through all scripts.
#[derive(Clone, Debug)]
pub struct Chance {
    script: Vec<u64>,
    luck: Luck,
    drawn: Vec<Drawn>,
    all: bool,
    numbers: bool,
}

/// How a draw without a script ends.
#[derive(Clone, Copy, Debug)]
enum Luck {
    /// The first possibility: everything stays in its order.
    First,
    /// The last one: everything is reversed.
    Last,
    /// Any one.
    Any(u64),
}

/// A draw: which of how many possibilities.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    chosen: u64,
    of: u64,
}

impl Chance {
    /// Everything stays in its order.
    pub fn first() -> Chance {
        Chance::with(Luck::First)
    }

    /// Everything is reversed.
    pub fn last() -> Chance {
        Chance::with(Luck::Last)
    }

    /// Everything is shuffled; the same seed shuffles alike.
    pub fn any(seed: u64) -> Chance {
        Chance::with(Luck::Any(seed))
    }

    fn with(luck: Luck) -> Chance {
        Chance {
            script: Vec::new(),
            luck,
            drawn: Vec::new(),
            all: true,
            numbers: false,
        }
    }

    /// The script that comes after the one that was played; none after the last one.
    pub fn following(&self) -> Option<Chance> {
        let mut script: Vec<u64> = self.drawn.iter().map(|drawn| drawn.chosen).collect();
        for drawn in self.drawn.iter().rev() {
            script.pop();
            if drawn.chosen + 1 < drawn.of {
                script.push(drawn.chosen + 1);
                return Some(Chance {
                    script,
                    ..Chance::first()
                });
            }
        }
        None
    }

    /// Whether anything was drawn.
    pub fn was_asked(&self) -> bool {
        !self.drawn.is_empty()
    }

    /// Whether the scripts play every possibility of this run's draws.
    pub fn plays_all(&self) -> bool {
        self.all
    }

    /// Whether a number was drawn: a single one of many can make the difference, so only playing all of them tells.
    pub fn drew_number(&self) -> bool {
        self.numbers
    }

    /// A number below `bound`, which isn't 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.numbers |= bound > 1;
        if bound <= MOST_DRAWN {
            return self.draw(bound);
        }
        self.all = false;
        match (self.draw(3), &mut self.luck) {
            (1, luck @ Luck::Any(_)) => luck.draw(bound),
            (0, _) => 0,
            (1, _) => bound / 2,
            _ => bound - 1,
        }
    }

    /// Puts the items into one of their orders.
    pub fn arrange<T>(&mut self, items: &mut [T]) {
        if items.len() <= MOST_ORDERED {
            for place in 0..items.len().saturating_sub(1) {
                let chosen = self.draw((items.len() - place) as u64) as usize;
                items[place..=place + chosen].rotate_right(1);
            }
            return;
        }
        self.all = false;
        match self.draw(3) {
            0 => {}
            2 => items.reverse(),
            _ => {
                let mut luck = match &mut self.luck {
                    luck @ Luck::Any(_) => Luck::Any(luck.draw(u64::MAX)),
                    _ => Luck::Any(items.len() as u64),
                };
                for last in (1..items.len()).rev() {
                    items.swap(last, luck.draw(last as u64 + 1) as usize);
                }
            }
        }
    }

    fn draw(&mut self, of: u64) -> u64 {
        let scripted = self.script.get(self.drawn.len()).copied();
        let chosen = scripted.unwrap_or_else(|| self.luck.draw(of)).min(of - 1);
        if self.drawn.len() < MOST_KEPT {
            self.drawn.push(Drawn { chosen, of });
        } else {
            self.all = false;
        }
        chosen
    }
}

impl Luck {
    fn draw(&mut self, of: u64) -> u64 {
        match self {
            Luck::First => 0,
            Luck::Last => of - 1,
            Luck::Any(state) => {
                // A splitmix64 step.
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut bits = *state;
                bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                (bits ^ (bits >> 31)) % of
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Chance;

    #[test]
    fn the_scripts_play_every_order_once() {
        let mut orders = Vec::new();
        let mut chance = Some(Chance::first());
        while let Some(mut playing) = chance {
            let mut letters = ['a', 'b', 'c', 'd'];
            playing.arrange(&mut letters);
            orders.push(letters);
            assert!(playing.plays_all());
            chance = playing.following();
        }
        assert_eq!(orders.len(), 24);
        assert_eq!(orders.iter().collect::<BTreeSet<_>>().len(), 24);
        assert_eq!(orders[0], ['a', 'b', 'c', 'd']);
    }

    #[test]
    fn a_draw_may_hang_on_one_before_it() {
        let mut played = Vec::new();
        let mut chance = Some(Chance::first());
        while let Some(mut playing) = chance {
            let first = playing.below(2);
            played.push((first, if first == 1 { playing.below(3) } else { 0 }));
            chance = playing.following();
        }
        assert_eq!(played, [(0, 0), (1, 0), (1, 1), (1, 2)]);
    }

    #[test]
    fn the_last_chance_reverses() {
        let mut letters = ['a', 'b', 'c', 'd'];
        Chance::last().arrange(&mut letters);
        assert_eq!(letters, ['d', 'c', 'b', 'a']);
        let mut many: Vec<u32> = (0..100).collect();
        Chance::last().arrange(&mut many);
        assert_eq!(many[0], 99);
    }

    #[test]
    fn of_much_only_a_part_is_played() {
        let mut chance = Chance::first();
        assert_eq!(chance.below(1 << 30), 0);
        assert!(!chance.plays_all());
        let mut next = chance.following().expect("there is another one");
        assert_eq!(next.below(1 << 30), 1 << 29);
    }
}
