//! Holds the dependency rules of the folders: what each may not name.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't prepare its case fails"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// A folder (or file) of the program's or the decisions' `src/` and the words that may not stand in its code.
struct Rule {
    place: &'static str,
    forbidden: &'static [&'static str],
    why: &'static str,
}

/// What pure code may not touch.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::net",
    "std::io::std",
    "std::time::SystemTime",
    "std::time::Instant",
    "kube::",
    "clap",
    "tokio",
    "async ",
    "reqwest",
    "rand::",
    "println!",
    "eprintln!",
    "crate::io",
    "crate::commands",
    "crate::pipeline",
    "crate::render",
];

const RULES: &[Rule] = &[
    Rule {
        place: "controllers",
        forbidden: IMPURE,
        why: "controllers/ is pure",
    },
    Rule {
        place: "controllers",
        forbidden: &["crate::findings", "crate::failure"],
        why: "decisions know nothing of how they are reported",
    },
    Rule {
        place: "go",
        forbidden: IMPURE,
        why: "go/ is pure",
    },
    Rule {
        place: "go",
        forbidden: &["crate::controllers", "crate::yaml", "crate::facts"],
        why: "go/ is ignorant of Flux",
    },
    Rule {
        place: "yaml",
        forbidden: IMPURE,
        why: "yaml/ is pure",
    },
    Rule {
        place: "yaml",
        forbidden: &["crate::controllers", "crate::facts"],
        why: "yaml/ is ignorant of Flux",
    },
    Rule {
        place: "facts",
        forbidden: IMPURE,
        why: "facts/ is pure",
    },
    Rule {
        place: "findings",
        forbidden: IMPURE,
        why: "findings/ is pure",
    },
    Rule {
        place: "io",
        forbidden: &[
            "clap",
            "crate::commands",
            "crate::pipeline",
            "crate::render",
            "println!",
            "eprintln!",
            "crate::findings",
        ],
        why: "io/ decides nothing, prints nothing and knows no flags",
    },
    Rule {
        place: "render",
        forbidden: &[
            "crate::io",
            "crate::commands",
            "clap",
            "std::fs",
            "std::env",
            "std::process",
            "async ",
        ],
        why: "render/ turns values into bytes",
    },
    Rule {
        place: "pipeline",
        forbidden: &["clap", "crate::commands", "crate::render"],
        why: "the pipeline knows no flags and prints nothing",
    },
    Rule {
        place: "pipeline.rs",
        forbidden: &["clap", "crate::commands", "crate::render"],
        why: "the pipeline knows no flags and prints nothing",
    },
    Rule {
        place: "commands",
        forbidden: &["crate::io::git", "kube::", "std::process::Command"],
        why: "commands go through the pipeline",
    },
];

/// All that the decisions may be built on: with a client, a runtime or a command line among it they would not be pure.
const DECISIONS_USE: &[&str] = &[
    "base64",
    "foldhash",
    "jiff",
    "memchr",
    "regex",
    "regex-syntax",
    "rustls",
    "serde",
    "serde_json",
    "sha1",
    "sha2",
    "thiserror",
];

/// Words that only one place may name.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("Command::new(\"git\")", &["io/git"]),
    ("Command::new(\"ssh", &["io/git"]),
    ("use clap", &["commands", "main.rs"]),
    ("reqwest", &["io/registry"]),
    ("hyper::", &["io/registry"]),
    ("hyper_util", &["io/registry", "io/cluster"]),
    ("kube::", &["io/cluster"]),
];

/// What the two packages are made of.
const SOURCES: &[&str] = &["src", "decisions/src"];

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where a folder or file of either package is.
fn source(place: &str) -> PathBuf {
    SOURCES
        .iter()
        .map(|source| project().join(source).join(place))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("no source holds {place}"))
}

/// Every Rust file of both packages.
fn all_files() -> Vec<(String, String)> {
    SOURCES
        .iter()
        .flat_map(|source| files(&project().join(source)))
        .collect()
}

/// Every Rust file below `path`, as its path relative to its package's `src/` and its code without comments and tests.
fn files(path: &Path) -> Vec<(String, String)> {
    if path.is_file() {
        let name = SOURCES
            .iter()
            .find_map(|source| path.strip_prefix(project().join(source)).ok())
            .unwrap()
            .to_string_lossy()
            .replace('\\', "/");
        return vec![(name, code(&fs::read_to_string(path).unwrap()))];
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    entries
        .iter()
        .filter(|entry| {
            entry.is_dir() || entry.extension().is_some_and(|extension| extension == "rs")
        })
        .flat_map(|entry| files(entry))
        .collect()
}

fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    before_tests
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Whether `word` stands in `code` and is not the end of a longer name.
fn names(code: &str, word: &str) -> bool {
    let part_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    code.match_indices(word)
        .any(|(index, _)| index == 0 || !part_of_name(code.as_bytes()[index - 1]))
}

#[test]
fn each_folder_keeps_its_rule() {
    let mut broken = Vec::new();
    for rule in RULES {
        let found = files(&source(rule.place));
        assert!(!found.is_empty(), "{} holds no code", rule.place);
        for (name, code) in found {
            for word in rule.forbidden.iter().filter(|word| names(&code, word)) {
                broken.push(format!("{name} names {word}: {}", rule.why));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_decisions_are_built_on_little() {
    let manifest = fs::read_to_string(project().join("decisions/Cargo.toml")).unwrap();
    let dependencies = manifest.split("\n[dependencies]\n").nth(1).unwrap();
    let used: Vec<&str> = dependencies
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ']).next())
        .filter(|name| !name.is_empty())
        .collect();
    assert_eq!(used, DECISIONS_USE);
}

#[test]
fn some_words_stand_in_one_place_only() {
    let mut broken = Vec::new();
    for (name, code) in all_files() {
        for (word, places) in ONLY_IN {
            if names(&code, word) && !places.iter().any(|place| name.starts_with(place)) {
                broken.push(format!(
                    "{name} names {word}, which belongs to {}",
                    places.join(", ")
                ));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_pipeline_alone_calls_both_io_and_controllers() {
    for (name, code) in all_files() {
        let calls_io = code.contains("crate::io::git")
            || code.contains("crate::io::recording")
            || code.contains("manifests::read");
        assert!(
            !calls_io
                || name.starts_with("pipeline")
                || name.starts_with("io")
                || name == "failure.rs",
            "{name} calls io"
        );
    }
}

#[test]
fn each_mirror_names_its_upstream_file_on_its_first_line() {
    let mirrors = files(&source("controllers"));
    for (name, _) in mirrors
        .into_iter()
        .filter(|(name, _)| !name.ends_with("/tests.rs"))
    {
        let text = fs::read_to_string(source(&name)).unwrap();
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("//! Mirrors ") || name == "controllers/mod.rs",
            "{name} starts with {first:?}"
        );
    }
}

#[test]
fn no_folder_has_a_name_without_meaning() {
    for (name, _) in all_files() {
        for part in name.trim_end_matches(".rs").split('/') {
            assert!(
                ![
                    "utils", "util", "helpers", "common", "manager", "misc", "types"
                ]
                .contains(&part),
                "{name}"
            );
        }
    }
}

/// Where the systems differ: memory, paths, the terminal, file modes, processes.
const PLATFORM: &[&str] = &[
    "allocator.rs",
    "commands/interruption.rs",
    "commands/terminal.rs",
    "io/completion_link.rs",
    "io/docker_config.rs",
    "io/git/certificates.rs",
    "io/git/local_change.rs",
    "io/git/revision.rs",
    "io/git/ssh.rs",
    "io/git/work_tree.rs",
    "io/kustomize.rs",
    "io/program.rs",
    "io/snapshot.rs",
    "io/temporary.rs",
];

#[test]
fn the_systems_differ_in_named_places_only() {
    let differing: Vec<String> = all_files()
        .into_iter()
        .filter(|(_, code)| {
            let conditions = code
                .lines()
                .filter(|line| line.contains("cfg(") || line.contains("cfg!("));
            conditions
                .filter(|line| !line.contains("cfg(test") && !line.contains("cfg(all(test"))
                .any(|line| {
                    line.contains("unix") || line.contains("windows") || line.contains("target_")
                })
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        differing, PLATFORM,
        "name the place in this test, or use one that is named"
    );
}

#[test]
fn main_is_one_sentence() {
    let main = code(&fs::read_to_string(source("main.rs")).unwrap());
    assert_eq!(
        main.matches(';').count(),
        0,
        "main.rs holds more than one call:\n{main}"
    );
}

/// `cargo deny` checks licences and sources too, where it is installed; this needs nothing.
#[test]
fn no_banned_crate_is_in_the_lock_file() {
    let rules = fs::read_to_string(project().join("deny.toml")).unwrap();
    let lock = fs::read_to_string(project().join("Cargo.lock")).unwrap();
    let banned: Vec<&str> = rules
        .split("crate = \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(banned.contains(&"openssl-sys"), "{banned:?}");
    for name in banned {
        assert!(
            !lock.contains(&format!("name = \"{name}\"\n")),
            "{name} is in Cargo.lock"
        );
    }
}
