//! How much memory a run takes on large and on hostile files: at most twelve times their size, beside what the program needs for
//! itself and for each marker, whether the paths are told or the patches. What is measured is the peak that Linux tells.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::environment::Environment;

const MARKER: &str = "# {\"$imagepolicy\": \"flux-system:app\"}";
/// What the program takes for itself.
const OWN: usize = 40 << 20;
/// What is kept of a marker: its change, its verdict, its row of JSON, its lines of the patch.
const KEPT: usize = 2 << 10;
const MEGABYTE: usize = 1 << 20;

/// The peak of a process's memory so far, in bytes; it is no longer told when the process has ended.
fn peak_of(child: &Child) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: usize = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

/// The peak of a run over a work tree with this one file.
fn peak(text: &str, output: &str) -> usize {
    let environment = Environment::shop();
    environment.write("gitops/apps/app.yaml", text);
    let mut command = environment.imageauto();
    let mut child = command
        .args(["diff", "-f", "objects", "--tags-from", "tags.json"])
        .args(["--worktree", "gitops", "-q", "-o", output])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut most = 0;
    let status = loop {
        most = most.max(peak_of(&child).unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        sleep(Duration::from_millis(2));
    };
    // A result or a clear error, never a signal.
    assert!(matches!(status.code(), Some(0..=6)), "{status}");
    most
}

/// Says what runs took, whether they tell the paths alone or the patch; whether it was too much.
fn is_too_much(name: &str, text: &str) -> bool {
    let most = OWN + KEPT * text.matches(MARKER).count() + 12 * text.len();
    ["name", "json"].into_iter().any(|output| {
        let peak = peak(text, output);
        let said = format!(
            "{name}, -o {output}: {:.1} MB for {:.1} MB",
            peak as f64 / 1e6,
            text.len() as f64 / 1e6
        );
        // The reader of a closed pipe has seen enough.
        let _ = writeln!(std::io::stdout(), "{said}");
        peak > most
    })
}

/// Pieces until they make `size` bytes.
fn filled(size: usize, mut piece: impl FnMut(&mut String, usize)) -> String {
    let mut text = String::with_capacity(size + 4096);
    for number in 0.. {
        if text.len() >= size {
            break;
        }
        piece(&mut text, number);
    }
    text
}

#[test]
fn a_large_file_takes_twelve_times_its_size() {
    let text = filled(20 * MEGABYTE, |text, number| {
        write!(
            text,
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{number}\nspec:\n  template:\n    spec:\n      containers:\n        - name: main\n          image: registry.example.com/team/app:1.0.0 {MARKER}\n          env:\n"
        )
        .unwrap();
        for setting in 0..20 {
            writeln!(
                text,
                "            - name: SETTING_{setting}\n              value: \"value of app {number}\" # what it is for"
            )
            .unwrap();
        }
    });
    let peak = peak(&text, "json");
    let said = format!(
        "a large file: {:.1} MB for {:.1} MB",
        peak as f64 / 1e6,
        text.len() as f64 / 1e6
    );
    let _ = writeln!(std::io::stdout(), "{said}");
    assert!(peak <= 12 * text.len(), "{said}");
}

#[test]
fn hostile_files_take_twelve_times_their_size() {
    let marked = |text: String| format!("image: x:1 {MARKER}\n{text}");
    let repeated = |piece: &str| marked(piece.repeat(MEGABYTE / piece.len()));
    let mut texts = vec![
        ("short keys", repeated("a: 1\n")),
        (
            "short items",
            marked(format!("a: [{}]\n", "x,".repeat(MEGABYTE / 2))),
        ),
        (
            "empty maps",
            marked(format!("a: [{}]\n", "{},".repeat(MEGABYTE / 3))),
        ),
        (
            "nested brackets",
            marked(format!("a: {}", "[".repeat(MEGABYTE))),
        ),
        ("comments", repeated("# x\n")),
        ("short documents", repeated("a: 1\n---\n")),
        ("empty documents", repeated("---\n")),
        ("markers", format!("a: x {MARKER}\n").repeat(MEGABYTE / 48)),
        (
            "documents with markers",
            format!("a: x {MARKER}\n---\n").repeat(MEGABYTE / 48),
        ),
        (
            "aliases",
            marked(format!("a: &a x\nb: [{}]\n", "*a,".repeat(MEGABYTE / 3))),
        ),
        (
            "anchors",
            filled(MEGABYTE, |text, number| {
                if number == 0 {
                    writeln!(text, "image: x:1 {MARKER}\nk: &a0 [x]").unwrap();
                }
                writeln!(text, "k{number}: &a{} [*a{number}, *a{number}]", number + 1).unwrap();
            }),
        ),
        (
            "one long line",
            marked(format!("a: {}\n", "x".repeat(MEGABYTE))),
        ),
        (
            "escapes",
            marked(format!("a: \"{}\"\n", "\\n".repeat(MEGABYTE / 2))),
        ),
        ("line breaks", repeated("\n")),
        ("no YAML", marked("}".repeat(MEGABYTE))),
        ("marker names", repeated("$imagepolicy ")),
        ("empty fields", repeated("metadata: {}\n---\n")),
        ("lost comments", repeated("--- # x\na: b\n")),
        (
            "empty values",
            marked(format!("a: [{}]\n", "{a},".repeat(MEGABYTE / 4))),
        ),
    ];
    // An item that comes out as JSON, in which every value and every alias is written out.
    let as_json = |fields: &str| {
        format!(
            "kind: List\nitems:\n- kind: Pod\n  metadata:\n    name: web\n    annotations:\n      config.kubernetes.io/path: web.json\n  image: x:1 {MARKER}\n{fields}"
        )
    };
    let short = |text: &mut String, number| writeln!(text, "  k{number}: [{{}}, \"\", ~]").unwrap();
    let controls = "\\x01".repeat(MEGABYTE / 4);
    let aliases = "*a,".repeat(MEGABYTE / 12);
    texts.extend([
        ("short fields as JSON", as_json(&filled(MEGABYTE, short))),
        (
            "escapes as JSON",
            as_json(&format!("  a: \"{controls}\"\n")),
        ),
        (
            "aliases as JSON",
            as_json(&format!("  x: &a {}\n  a: [{aliases}]\n", "y".repeat(16))),
        ),
    ]);
    texts.retain(|(name, text)| is_too_much(name, text));
    let names: Vec<&str> = texts.iter().map(|(name, _)| *name).collect();
    assert!(names.is_empty(), "too much: {names:?}");
}
