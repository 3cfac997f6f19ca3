//! Rewrites files as the libraries do that the controller is built from: generated manifests and generated YAML of every kind.

pub mod case;
mod hard;
mod items;
mod mutation;
mod objects;
mod ordinary;
mod original;
mod saved;
mod schemas;
mod shrinking;

use std::time::{Duration, Instant};

use imageauto::controllers::setters::Setters;

use case::{Answer, Case, ours};
pub use hard::hard_yaml;
pub use items::json_items;
use mutation::mutated;
use objects::run_files;
pub use objects::{list, odd_objects};
pub use ordinary::{NAMESPACE, ordinary_manifest, policies};
pub use original::Original;
use shrinking::shrink;

use crate::cluster::tell;
use crate::oracle::generator::Generator;

/// What came out of a comparison.
#[derive(Debug, Default)]
pub struct Comparison {
    /// How many questions.
    pub asked: usize,
    /// Questions that both refuse.
    refused: usize,
    /// Questions that make the original crash, as foretold.
    crashed: usize,
    /// Questions with at least one new value.
    changed: usize,
    /// The first that differ.
    pub differing: Vec<Case>,
}

/// Compares until `most` cases differ; `None` where Go isn't installed.
pub fn compare(cases: impl Iterator<Item = Case> + Send, most: usize) -> Option<Comparison> {
    let mut original = Original::start()?;
    let setters = Setters::new(&policies()).expect("the policies are valid");
    let mut comparison = Comparison::default();
    original.ask_all(cases, |case, theirs| {
        comparison.asked += 1;
        match &theirs {
            Answer::Done { changes, .. } => comparison.changed += usize::from(!changes.is_empty()),
            Answer::Failed(_) => comparison.refused += 1,
            Answer::Panic(_) => comparison.crashed += 1,
        }
        if !ours(&case, &setters).agrees(&theirs, case.operation)
            && comparison.differing.len() < most
        {
            comparison.differing.push(case);
        }
    });
    Some(comparison)
}

/// Reads and writes each text, and runs over those that a run looks at.
fn questions(texts: impl Iterator<Item = Vec<u8>> + Send) -> impl Iterator<Item = Case> + Send {
    texts.flat_map(|text| {
        let marked = text.windows(14).any(|window| window == b"\"$imagepolicy\"");
        let run = marked.then(|| Case::run(text.clone()));
        [Some(Case::round_trip(text)), run].into_iter().flatten()
    })
}

fn check(name: &str, cases: impl Iterator<Item = Case> + Send) {
    let started = Instant::now();
    let Some(comparison) = compare(cases, 10) else {
        return;
    };
    tell(&format!(
        "{name}: {} asked, {} refused, {} crash, {} change, {} differ, {:.1?}",
        comparison.asked,
        comparison.refused,
        comparison.crashed,
        comparison.changed,
        comparison.differing.len(),
        started.elapsed()
    ));
    assert!(
        comparison.differing.is_empty(),
        "{}",
        describe(comparison.differing)
    );
    assert!(comparison.changed > 0, "{name}: no value was set");
}

/// Smallest forms of differing cases with both answers.
fn describe(differing: Vec<Case>) -> String {
    differing.into_iter().map(|case| smallest(case).1).collect()
}

/// A case made small, and both answers to it.
pub fn smallest(case: Case) -> (Case, String) {
    let mut original = Original::start().expect("the program has just answered");
    let setters = Setters::new(&policies()).expect("the policies are valid");
    let small = shrink(case, Duration::from_secs(20), |case| {
        !ours(case, &setters).agrees(&original.ask(case), case.operation)
    });
    let told = format!(
        "{small}\n  theirs {}\n  ours   {}\n\n",
        original.ask(&small),
        ours(&small, &setters)
    );
    (small, told)
}

/// A case of any kind.
pub fn any_case(g: &mut Generator) -> Vec<Case> {
    let text = match g.below(9) {
        0 => ordinary_manifest(g),
        8 => return vec![Case::run(json_items(g, false))],
        1 | 2 => hard_yaml(g),
        3 => {
            return vec![Case {
                operation: case::Operation::Run,
                files: run_files(g),
            }];
        }
        4 => return vec![Case::run(odd_objects(g))],
        5 => return vec![Case::run(list(g))],
        6 => return vec![Case::run(with_schema(g))],
        _ => {
            let text = if g.chance(50) {
                hard_yaml(g)
            } else {
                ordinary_manifest(g)
            };
            return questions(std::iter::once(mutated(g, text.into_bytes()))).collect();
        }
    };
    questions(std::iter::once(text.into_bytes())).collect()
}

fn with_schema(g: &mut Generator) -> String {
    let value = g.pick(&["a:v1", "\"1\"", "1", "~", "'x'", "!t x", "|\n  x"]);
    let comment = schemas::schema_comment(g);
    format!("a: {value} {comment}\nb: \"$imagepolicy\"\n")
}

/// Hard files that hold what a run looks for, and that it doesn't fail on for the sake of their objects.
pub fn marked_texts(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut g = Generator::new(seed);
    let mut texts = Vec::new();
    while texts.len() < count {
        let text = match g.below(4) {
            0 => ordinary_manifest(&mut g).into_bytes(),
            1 => {
                let text = ordinary_manifest(&mut g).into_bytes();
                mutated(&mut g, text)
            }
            _ => hard_yaml(&mut g).into_bytes(),
        };
        if text.windows(14).any(|window| window == b"\"$imagepolicy\"") {
            texts.push(text);
        }
    }
    texts
}

#[test]
fn ordinary_manifests_are_rewritten_alike() {
    let mut g = Generator::new(1);
    let texts = (0..1500).map(move |_| ordinary_manifest(&mut g).into_bytes());
    check("ordinary", questions(texts));
}

#[test]
fn hard_yaml_is_rewritten_alike() {
    let mut g = Generator::new(2);
    let texts = (0..4000).map(move |_| hard_yaml(&mut g).into_bytes());
    check("hard", questions(texts));
}

#[test]
fn mutated_yaml_is_rewritten_alike() {
    let mut g = Generator::new(3);
    let texts = (0..8000).map(move |_| {
        let text = if g.chance(50) {
            hard_yaml(&mut g)
        } else {
            ordinary_manifest(&mut g)
        };
        mutated(&mut g, text.into_bytes())
    });
    check("mutated", questions(texts));
}

#[test]
fn odd_objects_are_rewritten_alike() {
    let mut g = Generator::new(4);
    let texts = (0..4000).map(move |_| {
        let text = if g.chance(50) {
            odd_objects(&mut g)
        } else {
            list(&mut g)
        };
        text.into_bytes()
    });
    check("odd objects", texts.map(Case::run));
}

#[test]
fn items_are_written_as_json_alike() {
    let mut g = Generator::new(11);
    let runs = (0..4000).map(move |_| Case::run(json_items(&mut g, false)));
    check("items as JSON", runs);
}

#[test]
fn comments_with_schemas_are_read_alike() {
    let mut g = Generator::new(5);
    let runs = (0..4000).map(move |_| Case::run(with_schema(&mut g)));
    check("schemas", runs);
}

#[test]
fn whole_runs_come_out_alike() {
    let mut g = Generator::new(6);
    let runs = (0..4000).map(move |_| Case {
        operation: case::Operation::Run,
        files: run_files(&mut g),
    });
    check("runs", runs);
}

#[test]
fn cases_of_every_kind_come_out_alike() {
    let mut g = Generator::new(7);
    let cases = (0..2000).flat_map(move |_| any_case(&mut g));
    check("every kind", cases);
}

#[test]
fn what_differed_once_agrees_now() {
    let Some(comparison) = compare(saved::saved().into_iter(), 10) else {
        return;
    };
    assert!(
        comparison.differing.is_empty(),
        "{}",
        describe(comparison.differing)
    );
}
