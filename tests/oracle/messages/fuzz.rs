//! Templates from ever new seeds, for as long as one likes: `just fuzz-template MINUTES`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::case::MessageCase;
use super::compare::{Tally, Verdict, compare};
use super::original::Original;
use super::shrinking::shrunk;
use super::{message_case, mixed_message_case, old_message_case, plain_message_case};
use crate::cluster::{in_parallel, tell};
use crate::oracle::generator::Generator;

/// How many templates are asked at once.
const BATCH: u64 = 2000;

/// What has its smallest form looked for.
const MOST_SHRUNK: usize = 12;

/// Without `IMAGEAUTO_FUZZ_MINUTES` one small batch of a fixed seed, which keeps the fuzzing itself at work.
#[test]
fn templates_of_new_seeds_give_gos_messages() {
    let Some(original) = Original::start() else {
        return;
    };
    let minutes = std::env::var("IMAGEAUTO_FUZZ_MINUTES").ok();
    let minutes: Option<u64> =
        minutes.map(|minutes| minutes.parse().expect("it is a number of minutes"));
    let Some(minutes) = minutes else {
        let differing = fuzz(&original, 7, 400, Instant::now());
        assert!(differing.is_empty(), "{}", differing.join("\n"));
        return;
    };
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = since_epoch.map_or(1, |time| time.as_secs()) << 20;
    let until = Instant::now() + Duration::from_secs(60 * minutes);
    let differing = fuzz(&original, seed, BATCH, until);
    assert!(
        differing.is_empty(),
        "{} smallest templates differ; add them to the corpus and mend the engine:\n{}",
        differing.len(),
        differing.join("\n")
    );
}

/// Compares batch after batch until the time is over; gives the smallest forms of what differs.
fn fuzz(original: &Original, seed: u64, batch: u64, until: Instant) -> Vec<String> {
    let mut tally = Tally::default();
    let mut told = Instant::now();
    let mut differing: Vec<MessageCase> = Vec::new();
    let mut next = seed;
    loop {
        let seeds: Vec<u64> = (next..next + batch).collect();
        next += batch;
        let cases = in_parallel(&seeds, |seed| {
            let mut g = Generator::new(*seed);
            match seed % 10 {
                0..6 => message_case(&mut g),
                6 => plain_message_case(&mut g),
                7 => old_message_case(&mut g),
                _ => mixed_message_case(&mut g),
            }
        });
        let verdicts = compare(original, &cases.iter().collect::<Vec<_>>());
        for ((case, verdict), seed) in cases.into_iter().zip(verdicts).zip(seeds) {
            if let Verdict::Disagrees(how) = &verdict {
                tell(&format!("seed {seed}: {how}"));
                differing.push(case);
            }
            tally.count(verdict);
        }
        if Instant::now() >= until || differing.len() >= 10 * MOST_SHRUNK {
            break;
        }
        if told.elapsed() > Duration::from_secs(30) {
            told = Instant::now();
            tell(&tally.line("fuzz"));
        }
    }
    tell(&tally.line("fuzz"));
    let mut smallest: Vec<String> = Vec::new();
    for case in differing.into_iter().take(MOST_SHRUNK) {
        let small = shrunk(case, Instant::now() + Duration::from_secs(30), |cases| {
            let verdicts = compare(original, cases).into_iter();
            verdicts
                .map(|verdict| matches!(verdict, Verdict::Disagrees(_)))
                .collect()
        });
        if let Some(Verdict::Disagrees(how)) = compare(original, &[&small]).pop() {
            smallest.push(how);
        }
    }
    smallest
}
