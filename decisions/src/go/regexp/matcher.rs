//! Matching one text after the other.

use super::machine::{Machine, Steps};
use super::one_pass::{Noted, OnePass};
use super::{Engine, Error, Regexp};

/// How many steps a matcher may take where the pattern is too large for the `regex` crate; some seconds.
const MOST_STEPS: u64 = 1 << 30;

/// Matches one text after the other, reusing what that needs.
#[derive(Debug)]
pub struct Matcher<'r> {
    run: Run<'r>,
    /// Asked first, of whole texts.
    one_pass: Option<(&'r OnePass, Noted)>,
}

#[derive(Debug)]
enum Run<'r> {
    Crate {
        regex: &'r regex::Regex,
        locations: regex::CaptureLocations,
    },
    Own {
        machine: Box<Machine>,
        steps: Steps,
        groups: Vec<usize>,
        found: Vec<Option<(usize, usize)>>,
    },
}

/// Where the groups of a match are.
#[derive(Clone, Copy, Debug)]
pub struct Found<'m>(Groups<'m>);

#[derive(Clone, Copy, Debug)]
enum Groups<'m> {
    OnePass(&'m Noted),
    Run(&'m Run<'m>),
}

impl Found<'_> {
    /// Where a group matched, as byte offsets; only of those groups that were asked for.
    pub fn group(&self, number: usize) -> Option<(usize, usize)> {
        match self.0 {
            Groups::OnePass(noted) => noted.group(number),
            Groups::Run(Run::Crate { locations, .. }) => locations.get(number),
            Groups::Run(Run::Own { groups, found, .. }) => {
                let place = groups.iter().position(|group| *group == number)?;
                *found.get(place)?
            }
        }
    }
}

impl<'r> Matcher<'r> {
    pub(super) fn new(regexp: &'r Regexp, groups: &[usize]) -> Result<Self, Error> {
        Self::with_steps(regexp, groups, MOST_STEPS)
    }

    pub(super) fn with_steps(
        regexp: &'r Regexp,
        groups: &[usize],
        steps: u64,
    ) -> Result<Self, Error> {
        let run = match &regexp.engine {
            Engine::Crate(regex) => Run::Crate {
                locations: regex.capture_locations(),
                regex,
            },
            Engine::Own(program) => {
                let machine = Machine::new(program.clone(), groups);
                Run::Own {
                    machine: Box::new(machine.ok_or_else(Error::out_of_memory)?),
                    steps: Steps(steps),
                    groups: groups.to_vec(),
                    found: Vec::new(),
                }
            }
        };
        let one_pass = regexp.one_pass.as_deref();
        Ok(Self {
            run,
            one_pass: one_pass.and_then(|table| Some((table, Noted::of(groups)?))),
        })
    }

    /// Whether some part of the text matches.
    ///
    /// # Errors
    ///
    /// It takes too many steps.
    pub fn is_match(&mut self, text: &str) -> Result<bool, Error> {
        if let Some(is_match) = self.by_one_pass(text) {
            return Ok(is_match);
        }
        match &mut self.run {
            Run::Crate { regex, .. } => Ok(regex.is_match(text)),
            Run::Own {
                machine,
                steps,
                found,
                ..
            } => machine.search(text, 0, steps, found),
        }
    }

    /// The leftmost match that begins at `from` or later; what stands before it is looked at all the same.
    ///
    /// # Errors
    ///
    /// It takes too many steps.
    pub fn find_at(&mut self, text: &str, from: usize) -> Result<Option<Found<'_>>, Error> {
        if from == 0
            && let Some(is_match) = self.by_one_pass(text)
        {
            let noted = self.one_pass.as_ref().map(|(_, noted)| noted);
            return Ok(noted
                .filter(|_| is_match)
                .map(|noted| Found(Groups::OnePass(noted))));
        }
        let is_found = match &mut self.run {
            Run::Crate { regex, locations } => {
                regex.captures_read_at(locations, text, from).is_some()
            }
            Run::Own {
                machine,
                steps,
                found,
                ..
            } => machine.search(text, from, steps, found)?,
        };
        Ok(is_found.then_some(Found(Groups::Run(&self.run))))
    }

    /// What the pattern's table says of a text, if it says something.
    fn by_one_pass(&mut self, text: &str) -> Option<bool> {
        let (table, noted) = self.one_pass.as_mut()?;
        table.search(text, noted)
    }
}
