//! Commit messages: templates from a grammar and templates as people write them, compared with Go's own answers.

mod case;
mod compare;
mod corpus;
mod documented;
mod expressions;
mod functions;
mod fuzz;
mod grammar;
mod literals;
mod mutation;
mod original;
mod shrinking;

use std::collections::BTreeSet;

use imageauto::controllers::message::{MessageInput, Rules, possible};
use serde_json::json;

use crate::cluster::{in_parallel, tell};
use crate::oracle::generator::Generator;

pub use case::MessageCase;
use compare::{Tally, compare};
use corpus::{CORPUS, OLD_CORPUS, PLAIN_CORPUS, USUAL_CORPUS};
use documented::documented_cases;
use functions::{FUNCTIONS, REFUSED};
use grammar::Writer;
use original::Original;

/// How many of the generated templates are asked at once.
const BATCH: usize = 5000;

/// A template from the grammar over the whole language and the whole function list.
pub fn message_case(g: &mut Generator) -> MessageCase {
    let rules = match g.chance(5) {
        true => Rules::Flux2_8,
        false => Rules::Current,
    };
    written(g, false, rules)
}

/// A template of the grammar over a generated update.
fn written(g: &mut Generator, plain: bool, rules: Rules) -> MessageCase {
    let mut case = MessageCase::new(g, String::new(), rules);
    let of_rules = |template: &str| match rules {
        Rules::Flux2_6 => template
            .replace(".Changed.Objects", ".Updated.Objects")
            .replace(".Changed.Changes", ".Updated.Images")
            .replace(".Changed.FileChanges", ".Updated.Files"),
        _ => template.to_string(),
    };
    let template = Writer::new(g, plain).template(|template| {
        let template = of_rules(template);
        let input = MessageInput {
            template: &template,
            ..case.input()
        };
        possible(&input, 1).outcomes[0].is_ok()
    });
    case.template = of_rules(&template);
    case
}

/// A template of fields, `range`, `if`, `with`, `printf` and the common functions on texts.
pub fn plain_message_case(g: &mut Generator) -> MessageCase {
    if g.chance(10) {
        let template = g.pick(PLAIN_CORPUS).to_string();
        return MessageCase::new(g, template, Rules::Current);
    }
    written(g, true, Rules::Current)
}

/// A template over `.Updated`, with the data of the controllers before Flux 2.7.
pub fn old_message_case(g: &mut Generator) -> MessageCase {
    if g.chance(30) {
        let template = g.pick(OLD_CORPUS).to_string();
        return MessageCase::new(g, template, Rules::Flux2_6);
    }
    let plain = g.chance(60);
    written(g, plain, Rules::Flux2_6)
}

/// Templates as people write them, damaged and mixed.
fn mixed_message_case(g: &mut Generator) -> MessageCase {
    let mut templates: Vec<String> = Vec::new();
    for _ in 0..3 {
        templates.push(g.pick(CORPUS).to_string());
        templates.push(g.pick(PLAIN_CORPUS).to_string());
        templates.push(g.pick(USUAL_CORPUS).to_string());
        templates.push(Writer::new(g, false).template(|_| true));
    }
    let template = mutation::mixed(g, &templates);
    MessageCase::new(g, template, Rules::Current)
}

/// Compares `count` generated cases; panics when one differs.
fn compare_many(name: &str, seed: u64, count: usize, case: fn(&mut Generator) -> MessageCase) {
    let Some(original) = Original::start() else {
        return;
    };
    let mut tally = Tally::default();
    let numbers: Vec<u64> = (0..count as u64)
        .map(|number| seed * 1_000_000 + number)
        .collect();
    for numbers in numbers.chunks(BATCH) {
        let cases = in_parallel(numbers, |number| case(&mut Generator::new(*number)));
        for verdict in compare(&original, &cases.iter().collect::<Vec<_>>()) {
            tally.count(verdict);
        }
    }
    tell(&tally.line(name));
    tally.assert_agreement(name);
}

#[test]
fn generated_templates_give_gos_messages() {
    compare_many("generated", 1, 10_000, message_case);
}

#[test]
fn plain_templates_give_gos_messages() {
    compare_many("plain", 2, 1000, plain_message_case);
}

#[test]
fn templates_of_old_give_gos_messages() {
    compare_many("old", 3, 1000, old_message_case);
}

#[test]
fn damaged_templates_give_gos_messages() {
    compare_many("damaged", 4, 3000, mixed_message_case);
}

/// Each function of Sprig's is called by the grammar, and no other.
#[test]
fn the_grammar_calls_every_function() {
    let Some(original) = Original::start() else {
        return;
    };
    const BUILTINS: &[&str] = &[
        "and", "or", "not", "len", "index", "print", "printf", "println", "html", "js", "urlquery",
        "call", "eq", "ne", "lt", "le", "gt", "ge",
    ];
    let theirs: BTreeSet<String> = original.functions().into_iter().collect();
    let ours: BTreeSet<String> = FUNCTIONS
        .iter()
        .chain(REFUSED)
        .map(|(name, _, _)| (*name).to_owned())
        .filter(|name| !BUILTINS.contains(&name.as_str()))
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn written_templates_give_gos_messages() {
    let mut cases = Vec::new();
    let current = CORPUS.iter().chain(PLAIN_CORPUS).chain(USUAL_CORPUS);
    for (index, template) in current.enumerate() {
        for seed in 0..3 {
            let mut g = Generator::new(index as u64 * 10 + seed);
            cases.push(MessageCase::new(
                &mut g,
                template.to_string(),
                Rules::Current,
            ));
        }
    }
    for (index, template) in OLD_CORPUS.iter().enumerate() {
        for seed in 0..4 {
            let mut g = Generator::new(5000 + index as u64 * 10 + seed);
            cases.push(MessageCase::new(
                &mut g,
                template.to_string(),
                Rules::Flux2_6,
            ));
        }
    }
    let Some(original) = Original::start() else {
        return;
    };
    let mut tally = Tally::default();
    for verdict in compare(&original, &cases.iter().collect::<Vec<_>>()) {
        tally.count(verdict);
    }
    tell(&tally.line("written"));
    tally.assert_agreement("written");
    if std::env::var_os("UPDATE").is_some() {
        cases.extend(documented_cases());
        record(&original, &cases);
    }
}

/// Keeps the answers that hang on no order for `tests/messages.rs`, which needs no Go.
fn record(original: &Original, cases: &[MessageCase]) {
    let questions: Vec<_> = cases.iter().map(|case| (case, 20)).collect();
    let mut lines = String::new();
    for (case, answer) in cases.iter().zip(original.ask(&questions)) {
        let mut line = case.question(0);
        match (&answer.outputs[..], &answer.errors[..]) {
            ([output], []) => match std::str::from_utf8(output) {
                Ok(output) => line["message"] = json!(output),
                Err(_) => continue,
            },
            ([], [error]) => line["error"] = json!(error),
            _ => continue,
        }
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/testdata/messages/answers.jsonl"
    );
    std::fs::write(path, lines).expect("the recording is writable");
}
