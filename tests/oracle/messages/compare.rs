//! Holds the library's outcomes against those of the Go program's runs.

use std::collections::BTreeMap;

use imageauto::controllers::message::{MessageError, Possible, Rendered, possible, render};

use super::case::MessageCase;
use super::original::{Answer, Original};
use crate::cluster::in_parallel;

/// The end of the program's error texts where Go would go on for too long.
const TOO_LARGE: &str = "too large to compare";

/// Go's own bound on templates that call each other, which it reaches after a long time.
const TOO_DEEP: &str = "exceeded maximum template depth";

/// The end of the program's error texts where a template calls what the library doesn't carry out.
const NOT_CARRIED_OUT: &str = "not carried out";

/// How many runs of the library look for the possible outcomes.
const MOST: usize = 1000;

/// How a case compares.
pub(super) enum Verdict {
    /// One outcome, and Go has the same.
    Agrees {
        rendered: bool,
    },
    /// Several outcomes, and Go's are among them.
    Varies,
    /// Too many outcomes to play them all; the library says so.
    Open,
    /// Both give up on what takes too much.
    TooMuch,
    /// We don't carry it out, and say so.
    Refused(String),
    Disagrees(String),
}

/// What the library says about a case.
struct Ours {
    rendered: Rendered,
    possible: Possible,
}

impl Ours {
    fn of(case: &MessageCase) -> Self {
        Self {
            rendered: render(&case.input()),
            possible: possible(&case.input(), MOST),
        }
    }

    /// How often the Go program is to run it.
    fn runs(&self) -> usize {
        match self.possible.outcomes.len() == 1 && self.possible.all {
            true => 2,
            false => 40,
        }
    }
}

/// Compares each case.
pub(super) fn compare(original: &Original, cases: &[&MessageCase]) -> Vec<Verdict> {
    let ours = in_parallel(cases, |case| Ours::of(case));
    let questions: Vec<(&MessageCase, usize)> = cases
        .iter()
        .zip(&ours)
        .map(|(case, ours)| (*case, ours.runs()))
        .collect();
    let answers = original.ask(&questions);
    let compared = cases.iter().zip(&ours).zip(&answers);
    compared
        .map(|((case, ours), answer)| verdict(original, case, ours, answer))
        .collect()
}

fn verdict(original: &Original, case: &MessageCase, ours: &Ours, answer: &Answer) -> Verdict {
    let differs = |why: &str| {
        let outputs: Vec<_> = answer
            .outputs
            .iter()
            .take(6)
            .map(|text| String::from_utf8_lossy(text))
            .collect();
        let shown: Vec<String> = ours.possible.outcomes.iter().take(6).map(shown).collect();
        Verdict::Disagrees(format!(
            "{why}\n  template: {:?}\n  rules: {:?} changed: {:?} values: {:?}\n  ours: {shown:?} {:?}\n  Go's: {outputs:?} {:?}{}",
            case.template,
            case.rules,
            case.changed,
            case.values,
            ours.rendered.not_deterministic,
            answer.errors,
            if answer.ended { " it ended" } else { "" },
        ))
    };
    let Possible { outcomes, all } = &ours.possible;
    let too_large = |outcome: &Result<Vec<u8>, MessageError>| {
        matches!(outcome, Err(MessageError::TooLarge { .. }))
    };
    if outcomes.iter().any(too_large) {
        let gave_up = answer.ended
            || answer
                .errors
                .iter()
                .any(|error| error.ends_with(TOO_LARGE) || error.contains(TOO_DEEP));
        return match gave_up {
            true => Verdict::TooMuch,
            false => differs("only we find it too large"),
        };
    }
    if answer.ended {
        return differs("Go ended");
    }
    let certain = ours.rendered.not_deterministic.is_none();
    let unknown_output = answer.outputs.iter().find(|output| {
        let is_it = |outcome: &Result<Vec<u8>, MessageError>| outcome.as_ref() == Ok(output);
        !outcomes.iter().any(is_it)
    });
    let unknown_error = answer
        .errors
        .iter()
        .find(|error| !outcomes.iter().any(|outcome| is_error(outcome, error)));
    if unknown_output.is_some() || unknown_error.is_some() {
        return match *all || certain {
            true => differs("Go has an outcome that we don't"),
            false => Verdict::Open,
        };
    }
    if let Some(Err(refused)) = outcomes.iter().find(|outcome| is_refused(outcome)) {
        return Verdict::Refused(refused.to_string());
    }
    if !all && certain {
        // Nothing that was played made a difference, nor did Go's runs.
        return Verdict::Agrees {
            rendered: outcomes[0].is_ok(),
        };
    }
    if outcomes.len() == 1 {
        return match (certain, all) {
            (true, _) => Verdict::Agrees {
                rendered: outcomes[0].is_ok(),
            },
            (false, false) => Verdict::Open,
            (false, true) => differs("one outcome is called one of several"),
        };
    }
    if certain {
        return differs("several outcomes aren't told");
    }
    if answer.outputs.len() + answer.errors.len() > 1 || !all {
        return Verdict::Varies;
    }
    // Chance may have given one order 40 times.
    let more = &original.ask(&[(case, 3000)])[0];
    match more.outputs.len() + more.errors.len() > 1 {
        true => Verdict::Varies,
        false => differs("a false alarm"),
    }
}

fn shown(outcome: &Result<Vec<u8>, MessageError>) -> String {
    match outcome {
        Ok(text) => format!("{:?}", String::from_utf8_lossy(text)),
        Err(error) => format!("error {error}"),
    }
}

fn is_refused(outcome: &Result<Vec<u8>, MessageError>) -> bool {
    matches!(outcome, Err(MessageError::Unsupported { .. }))
}

/// Whether the outcome is the program's error.
fn is_error(outcome: &Result<Vec<u8>, MessageError>, error: &str) -> bool {
    match outcome {
        Err(MessageError::Removed { field, .. }) => error.contains(match *field {
            ".Updated" => "can't evaluate field Updated in type source.TemplateData",
            _ => "can't evaluate field ImageResult in type update.Result",
        }),
        Err(MessageError::Unsupported { function }) => {
            error.ends_with(&format!("error calling {function}: {NOT_CARRIED_OUT}"))
        }
        Err(MessageError::Failed { message }) => {
            message.strip_prefix("failed to update source: ") == Some(error)
        }
        _ => false,
    }
}

/// How many cases came to which verdict.
#[derive(Default)]
pub(super) struct Tally {
    asked: usize,
    rendered: usize,
    failed: usize,
    varying: usize,
    open: usize,
    too_much: usize,
    refused: BTreeMap<String, usize>,
    /// The numbers of the cases that disagree, and how.
    pub differing: Vec<(usize, String)>,
}

impl Tally {
    pub(super) fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Agrees { rendered: true } => self.rendered += 1,
            Verdict::Agrees { rendered: false } => self.failed += 1,
            Verdict::Varies => self.varying += 1,
            Verdict::Open => self.open += 1,
            Verdict::TooMuch => self.too_much += 1,
            Verdict::Refused(why) => *self.refused.entry(why).or_insert(0) += 1,
            Verdict::Disagrees(how) => self.differing.push((self.asked, how)),
        }
        self.asked += 1;
    }

    /// Counts what another one has counted.
    pub(super) fn add(&mut self, other: Tally) {
        self.rendered += other.rendered;
        self.failed += other.failed;
        self.varying += other.varying;
        self.open += other.open;
        self.too_much += other.too_much;
        for (why, count) in other.refused {
            *self.refused.entry(why).or_insert(0) += count;
        }
        for (number, how) in other.differing {
            self.differing.push((self.asked + number, how));
        }
        self.asked += other.asked;
    }

    pub(super) fn line(&self, name: &str) -> String {
        format!(
            "{name}: {} templates: {} render and {} fail alike, {} vary as foretold, {} in too many ways to play, \
             {} are too much for both, {} call what isn't carried out, {} differ",
            self.asked,
            self.rendered,
            self.failed,
            self.varying,
            self.open,
            self.too_much,
            self.refused.values().sum::<usize>(),
            self.differing.len()
        )
    }

    /// Panics when a case differs, or too many say little.
    pub(super) fn assert_agreement(&self, name: &str) {
        let shown: Vec<&str> = self
            .differing
            .iter()
            .take(20)
            .map(|(_, how)| how.as_str())
            .collect();
        assert!(
            self.differing.is_empty(),
            "{}:\n{}",
            self.line(name),
            shown.join("\n")
        );
        let refused: usize = self.refused.values().sum();
        let says_little = refused + self.open + self.too_much;
        assert!(
            says_little * 20 < self.asked.max(20),
            "{}: {:?}",
            self.line(name),
            self.refused
        );
    }
}
