//! Commit messages: templates from a grammar and templates as people write them, compared with Go's own answers.

mod corpus;
mod functions;
mod grammar;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use imageauto::controllers::message::{MessageError, MessageInput, Rules, UpdatedImage, render};
use imageauto::controllers::setters::changes::{
    Change, FileChanges, ObjectChanges, ObjectIdentifier,
};
use serde_json::{Value, json};

use crate::cluster::programs::go_program;
use crate::cluster::tell;
use crate::oracle::generator::Generator;

use corpus::{CORPUS, OLD_CORPUS, PLAIN_CORPUS};
use grammar::Writer;

/// One automation's template and what its run changed.
#[derive(Clone, Debug)]
pub struct MessageCase {
    /// `spec.git.commit.messageTemplate`
    pub template: String,
    /// The automation's namespace.
    pub namespace: String,
    /// The automation's name.
    pub name: String,
    /// `spec.git.commit.messageTemplateValues`
    pub values: BTreeMap<String, String>,
    /// What changed.
    pub changed: Vec<FileChanges>,
    /// The images that were set, for the data of old.
    pub updated_images: Vec<UpdatedImage>,
    /// Whether the data is that of the controllers before Flux 2.7.
    pub old: bool,
}

/// A template from the grammar over the whole language and the whole function list.
pub fn message_case(g: &mut Generator) -> MessageCase {
    let template = if g.chance(10) {
        g.pick(CORPUS).to_string()
    } else {
        Writer::new(g, false).template()
    };
    case(g, template, false)
}

/// A template of fields, `range`, `if`, `with`, `printf` and the common functions on texts.
pub fn plain_message_case(g: &mut Generator) -> MessageCase {
    let template = if g.chance(10) {
        g.pick(PLAIN_CORPUS).to_string()
    } else {
        Writer::new(g, true).template()
    };
    case(g, template, false)
}

/// A template over `.Updated`, with the data of the controllers before Flux 2.7.
pub fn old_message_case(g: &mut Generator) -> MessageCase {
    let template = if g.chance(30) {
        g.pick(OLD_CORPUS).to_string()
    } else {
        Writer::new(g, true)
            .template()
            .replace(".Changed.Objects", ".Updated.Objects")
            .replace(".Changed.Changes", ".Updated.Images")
            .replace(".Changed.FileChanges", ".Updated.Files")
    };
    case(g, template, true)
}

fn case(g: &mut Generator, template: String, old: bool) -> MessageCase {
    let mut values = BTreeMap::new();
    for key in ["cluster", "env", "ticket", "empty-value"] {
        if g.chance(60) {
            let value = g.pick(&[
                "prod",
                "",
                "eu-west-1",
                "JIRA-123",
                "Two words",
                "a,b;c",
                "\u{e9}t\u{e9}",
            ]);
            values.insert(key.to_string(), value.to_string());
        }
    }
    let changed = changed_files(g);
    let updated_images = if old { images(g, &changed) } else { Vec::new() };
    MessageCase {
        template,
        namespace: g.pick(&["flux-system", "apps", "team-a"]).to_string(),
        name: g.pick(&["flux-images", "podinfo", "update"]).to_string(),
        values,
        changed,
        updated_images,
        old,
    }
}

fn images(g: &mut Generator, changed: &[FileChanges]) -> Vec<UpdatedImage> {
    let mut images = Vec::new();
    for file in changed {
        for object in &file.objects {
            for _ in 0..1 + g.below(2) {
                images.push(UpdatedImage {
                    reference: g
                        .pick(&[
                            "registry.example.com/team/checkout:1.2.3",
                            "ghcr.io/org/app:v2@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                            "nginx:1.25",
                            "org/app:main-1",
                            "localhost:5000/xy:z",
                        ])
                        .to_string(),
                    policy_namespace: "flux-system".to_string(),
                    policy_name: g.pick(&["checkout", "worker"]).to_string(),
                    file: file.path.clone(),
                    object: object.object.clone(),
                });
            }
        }
    }
    images
}

fn changed_files(g: &mut Generator) -> Vec<FileChanges> {
    let mut files = Vec::new();
    let paths = [
        "deploy.yaml",
        "apps/web.yaml",
        "kustomization.yaml",
        "z/\u{e9}.yml",
    ];
    let first = g.below(paths.len());
    let count = if g.chance(60) { 1 } else { 2 + g.below(2) };
    for index in 0..count {
        let mut objects: Vec<ObjectChanges> = Vec::new();
        for _ in 0..1 + usize::from(g.chance(30)) {
            let object = object(g);
            if objects.iter().all(|known| known.object != object) {
                let changes = (0..1 + usize::from(g.chance(30)))
                    .map(|_| change(g))
                    .collect();
                objects.push(ObjectChanges { object, changes });
            }
        }
        files.push(FileChanges {
            path: paths[(first + index) % paths.len()].to_string(),
            objects,
        });
    }
    files
}

fn object(g: &mut Generator) -> ObjectIdentifier {
    let (api_version, kind) = match g.below(4) {
        0 => ("v1", "Pod"),
        1 => ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
        2 => ("batch/v1", "CronJob"),
        _ => ("apps/v1", "Deployment"),
    };
    ObjectIdentifier {
        api_version: api_version.to_string(),
        kind: kind.to_string(),
        name: g.pick(&["checkout", "worker", ""]).to_string(),
        namespace: g.pick(&["prod", ""]).to_string(),
    }
}

fn change(g: &mut Generator) -> Change {
    Change {
        old: g.pick(&["1.2.3", "app:1.0.0", "v1", ""]).to_string(),
        new: g
            .pick(&[
                "1.9.0",
                "registry.example.com/team/checkout:1.9.0",
                "v10",
                "2026.06.01-abc1234",
            ])
            .to_string(),
        setter: g
            .pick(&[
                "flux-system:checkout",
                "flux-system:worker:tag",
                "apps:x:name",
            ])
            .to_string(),
    }
}

/// What all runs gave: the outputs and the error texts.
type Answer = (Vec<Vec<u8>>, Vec<String>);

/// Asks the Go program about the cases.
fn go_answers(cases: &[MessageCase], runs: usize) -> Option<Vec<Answer>> {
    let program = go_program("messages")?;
    let mut questions = String::new();
    for case in cases {
        questions.push_str(&question(case, runs).to_string());
        questions.push('\n');
    }
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("the program reads");
    let writer = std::thread::spawn(move || stdin.write_all(questions.as_bytes()));
    let output = child.wait_with_output().expect("the program ends");
    writer
        .join()
        .expect("the writer ends")
        .expect("the program reads every question");
    assert!(output.status.success(), "the program failed");
    let answers = String::from_utf8(output.stdout).expect("answers are JSON");
    Some(answers.lines().map(answer).collect())
}

fn question(case: &MessageCase, runs: usize) -> Value {
    let images = |file: &FileChanges, object: &ObjectIdentifier| -> Vec<Value> {
        let images = case.updated_images.iter();
        images
            .filter(|image| image.file == file.path && image.object == *object)
            .map(|image| {
                json!({"Reference": image.reference, "PolicyNamespace": image.policy_namespace,
                       "PolicyName": image.policy_name})
            })
            .collect()
    };
    let object = |file: &FileChanges, object: &ObjectChanges| {
        let id = &object.object;
        let changes: Vec<Value> = object
            .changes
            .iter()
            .map(|change| json!({"Old": change.old, "New": change.new, "Setter": change.setter}))
            .collect();
        json!({"APIVersion": id.api_version, "Kind": id.kind, "Name": id.name, "Namespace": id.namespace,
               "Changes": changes, "Images": images(file, id)})
    };
    let files: Vec<Value> = case
        .changed
        .iter()
        .map(|file| {
            let objects: Vec<Value> = file
                .objects
                .iter()
                .map(|changes| object(file, changes))
                .collect();
            json!({"Path": file.path, "Objects": objects})
        })
        .collect();
    let template = if case.template.is_empty() {
        "Update from image update automation"
    } else {
        &case.template
    };
    let mut question = json!({"Template": template, "Namespace": case.namespace, "Name": case.name, "Changed": files,
                              "Old": case.old, "Runs": runs});
    if !case.values.is_empty() {
        question["Values"] = json!(case.values);
    }
    question
}

fn answer(line: &str) -> Answer {
    let answer: Value = serde_json::from_str(line).expect("an answer is JSON");
    let texts = |name: &str| -> Vec<String> {
        let texts = answer[name].as_array().expect("an answer has lists");
        texts
            .iter()
            .map(|text| text.as_str().expect("a list of texts").to_string())
            .collect()
    };
    let outputs = texts("outputs").iter().map(|text| base64(text)).collect();
    (outputs, texts("errors"))
}

fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for byte in text.bytes().take_while(|byte| *byte != b'=') {
        let letter = LETTERS
            .iter()
            .position(|letter| *letter == byte)
            .expect("base 64");
        held = held << 6 | letter as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    out
}

/// The end of the program's error texts where Go would go on for too long.
const TOO_LARGE: &str = "too large to compare";

/// How a case compares.
enum Verdict {
    Agrees,
    /// We don't render it, and say so.
    Refused(String),
    Disagrees(String),
}

fn compare(case: &MessageCase, outputs: &[Vec<u8>], errors: &[String]) -> Verdict {
    let input = MessageInput {
        template: &case.template,
        namespace: &case.namespace,
        name: &case.name,
        values: &case.values,
        changed: &case.changed,
        updated_images: &case.updated_images,
        rules: if case.old {
            Rules::Flux2_6
        } else {
            Rules::Current
        },
    };
    let differs = |ours: &dyn std::fmt::Debug| {
        let outputs: Vec<_> = outputs
            .iter()
            .map(|text| String::from_utf8_lossy(text))
            .collect();
        Verdict::Disagrees(format!(
            "template: {:?}\n  ours: {ours:?}\n  Go's: {outputs:?} {errors:?}",
            case.template
        ))
    };
    match render(&input) {
        Ok(message) => {
            let certain = message.not_deterministic.is_none();
            let alone = outputs.len() == 1 && errors.is_empty();
            // What Go's maps leave to chance must be said; Go may show one order only by chance.
            if outputs.contains(&message.text) && (alone || !certain) {
                return Verdict::Agrees;
            }
            if !certain && !outputs.is_empty() {
                return Verdict::Agrees;
            }
            differs(&(
                String::from_utf8_lossy(&message.text),
                &message.not_deterministic,
            ))
        }
        Err(MessageError::Removed { field, .. }) => {
            let mark = match field {
                ".Updated" => "can't evaluate field Updated in type source.TemplateData",
                _ => "can't evaluate field ImageResult in type update.Result",
            };
            if !errors.is_empty() && errors.iter().all(|error| error.contains(mark)) {
                Verdict::Agrees
            } else {
                differs(&field)
            }
        }
        // Go would take all memory for these, so its program says the same.
        Err(MessageError::TooLarge { .. })
            if errors.iter().any(|error| error.ends_with(TOO_LARGE)) =>
        {
            Verdict::Agrees
        }
        Err(MessageError::Failed { message }) => {
            let ours = message
                .strip_prefix("failed to update source: ")
                .unwrap_or(&message);
            if errors.iter().any(|error| error == ours) {
                Verdict::Agrees
            } else {
                differs(&message)
            }
        }
        Err(refused @ (MessageError::Unsupported { .. } | MessageError::TooLarge { .. })) => {
            Verdict::Refused(refused.to_string())
        }
    }
}

/// Compares `count` generated cases; panics when one differs.
fn compare_many(name: &str, seed: u64, count: usize, case: fn(&mut Generator) -> MessageCase) {
    let mut g = Generator::new(seed);
    let cases: Vec<MessageCase> = (0..count).map(|_| case(&mut g)).collect();
    compare_all(name, &cases);
}

fn compare_all(name: &str, cases: &[MessageCase]) {
    let Some(answers) = go_answers(cases, 6) else {
        return;
    };
    assert_eq!(answers.len(), cases.len());
    let (mut agreed, mut rendered, mut refused, mut differing) =
        (0, 0, BTreeMap::new(), Vec::new());
    for (case, (outputs, errors)) in cases.iter().zip(&answers) {
        match compare(case, outputs, errors) {
            Verdict::Agrees => {
                agreed += 1;
                rendered += usize::from(errors.is_empty());
            }
            Verdict::Refused(why) => *refused.entry(why).or_insert(0) += 1,
            Verdict::Disagrees(how) => differing.push(how),
        }
    }
    tell(&format!(
        "{name}: {} templates, {agreed} agree ({rendered} rendered, {} fail alike), {} differ, refused: {refused:?}",
        cases.len(),
        agreed - rendered,
        differing.len()
    ));
    let shown = differing
        .iter()
        .take(40)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(differing.is_empty(), "{} differ:\n{shown}", differing.len());
    let refusals: usize = refused.values().sum();
    assert!(
        refusals * 20 < cases.len().max(20),
        "too many are refused: {refused:?}"
    );
}

/// How many cases a suite asks; `ORACLE_CASES` asks for more.
fn case_count(usual: usize) -> usize {
    std::env::var("ORACLE_CASES").map_or(usual, |count| {
        count.parse().expect("ORACLE_CASES is a number")
    })
}

fn seed() -> u64 {
    std::env::var("ORACLE_SEED").map_or(1, |seed| seed.parse().expect("ORACLE_SEED is a number"))
}

#[test]
fn generated_templates_give_gos_messages() {
    compare_many("generated", seed(), case_count(3000), message_case);
}

#[test]
fn plain_templates_give_gos_messages() {
    compare_many(
        "plain",
        seed().wrapping_add(1000),
        case_count(1000),
        plain_message_case,
    );
}

#[test]
fn templates_of_old_give_gos_messages() {
    compare_many(
        "old",
        seed().wrapping_add(2000),
        case_count(500),
        old_message_case,
    );
}

#[test]
fn written_templates_give_gos_messages() {
    let mut cases = Vec::new();
    for (index, template) in CORPUS.iter().chain(PLAIN_CORPUS).enumerate() {
        for seed in 0..3 {
            let mut g = Generator::new(index as u64 * 10 + seed);
            cases.push(case(&mut g, template.to_string(), false));
        }
    }
    for (index, template) in OLD_CORPUS.iter().enumerate() {
        for seed in 0..4 {
            let mut g = Generator::new(5000 + index as u64 * 10 + seed);
            cases.push(case(&mut g, template.to_string(), true));
        }
    }
    compare_all("written", &cases);
    if std::env::var_os("UPDATE").is_some() {
        record(&cases);
    }
}

/// Keeps the answers that hang on no order for `tests/messages.rs`, which needs no Go.
fn record(cases: &[MessageCase]) {
    let Some(answers) = go_answers(cases, 20) else {
        return;
    };
    let mut lines = String::new();
    for (case, (outputs, errors)) in cases.iter().zip(&answers) {
        let mut line = question(case, 0);
        match (&outputs[..], &errors[..]) {
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
