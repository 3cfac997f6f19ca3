//! `reconcile` killed at every step, and on a disk that is full. Needs strace (Debian's package `strace`) and user namespaces besides Rust and
//! git: `cargo test --test faults`. Where they are missing these tests are skipped with a word, and fail with one in CI.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that can't prepare its case fails"
)]

#[expect(dead_code, reason = "shared with suites that use all of it")]
#[path = "../cli/environment.rs"]
mod environment;
mod full_disk;
#[expect(dead_code, reason = "shared with suites that use all of it")]
#[path = "../clone/server.rs"]
mod git_server;
mod kills;
mod local_kills;
#[expect(dead_code, reason = "shared with suites that use all of it")]
#[path = "../cli/shop.rs"]
mod shop;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use environment::Environment;

/// Whether a program that these tests can't do without works here.
fn works(program: &str, arguments: &[&str], what_for: &str) -> bool {
    let ran = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let works = ran.is_ok_and(|status| status.success());
    if !works {
        let words = format!(
            "{program} {} does not work here: {what_for}",
            arguments.join(" ")
        );
        assert!(std::env::var_os("CI").is_none(), "{words}");
        // Past the capture of the harness.
        drop(writeln!(std::io::stderr(), "SKIPPED, NOT run: {words}"));
    }
    works
}

/// Whether processes can be traced and killed at a system call.
fn can_trace() -> bool {
    works(
        "strace",
        &[
            "-f",
            "-qq",
            "-e",
            "trace=none",
            "-e",
            "inject=chroot:signal=KILL:when=1",
            "true",
        ],
        "install strace, and allow ptrace: kills at every system call are tested with it",
    )
}

/// The system calls at which processes are killed.
const STEPS: &str = "%file,%network,rename,renameat,renameat2";

/// A system call of a process: its name and which of its calls of that name, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    call: String,
    nth: usize,
}

impl std::fmt::Display for Step {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.call, self.nth)
    }
}

/// Puts a `git` before the real one on PATH, which kills one of its commands at a system call of its own, or the process that called it:
/// by the variables `KILL_COMMAND` (a word of its arguments), `KILL_NTH` (which of its calls, from 1) and `KILL_STEP` (what strace is
/// told to inject, or `parent`, or `record`).
fn wrap_git(environment: &Environment) {
    let script = format!(
        r#"#!/bin/sh
PATH=${{PATH#*:}}
found=
for word in "$@"; do [ "$word" = "$KILL_COMMAND" ] && found=yes; done
if [ -n "$found" ]; then
    count=$(($(cat "$KILL_COUNT" 2>/dev/null || echo 0) + 1))
    echo $count > "$KILL_COUNT"
    if [ "$count" = "$KILL_NTH" ]; then
        case "$KILL_STEP" in
        parent) kill -9 $PPID; exec git "$@" ;;
        record) exec strace -f -qq -o "$KILL_COUNT.record" -e signal=none -e trace={STEPS} git "$@" ;;
        *) exec strace -f -qq -o /dev/null -e trace={STEPS} -e inject="$KILL_STEP" git "$@" ;;
        esac
    fi
fi
exec git "$@"
"#
    );
    let file = environment.write("wrapped/git", &script);
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The program with the wrapped git, told which of its commands to kill where.
fn with_kill(environment: &Environment, command: &str, nth: usize, step: &str) -> Command {
    let count = environment.path().join("count");
    drop(fs::remove_file(&count));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let wrapped = environment.path().join("wrapped");
    let path = std::iter::once(wrapped).chain(std::env::split_paths(&path));
    let mut imageauto = environment.imageauto();
    imageauto
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("KILL_COMMAND", command)
        .env("KILL_NTH", nth.to_string())
        .env("KILL_STEP", step)
        .env("KILL_COUNT", count);
    imageauto
}

/// What strace is told to kill a process at a step.
fn injection(step: &Step) -> String {
    format!("{}:signal=KILL:when={}", step.call, step.nth)
}

/// Our own process under strace, its children left alone, killed at a step.
fn killed_at(environment: &Environment, step: &Step) -> Command {
    let ours = environment.imageauto();
    let mut command = Command::new("strace");
    command.env_clear().current_dir(environment.path());
    for (name, value) in ours.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command
        .args(["-f", "-b", "execve", "-qq", "-o", "/dev/null", "-e"])
        .arg(format!("trace={STEPS}"))
        .arg("-e")
        .arg(format!("inject={}", injection(step)))
        .arg(ours.get_program());
    command
}

/// Runs a command to its end and tells whether a signal ended it.
fn was_killed(command: &mut Command) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    let output = command.stdin(Stdio::null()).output().unwrap();
    // strace ends as what it traces ends.
    output.status.signal() == Some(9) || output.status.code() == Some(137)
}

/// The steps of our own process in a run, its children's left out.
fn steps(command: &Command, environment: &Environment) -> Vec<Step> {
    let record = environment.path().join("record");
    let mut traced = Command::new("strace");
    traced.env_clear().current_dir(environment.path());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            traced.env(name, value);
        }
    }
    traced
        .args(["-f", "-b", "execve", "-qq", "-o"])
        .arg(&record)
        .args(["-e", "signal=none", "-e"])
        .arg(format!("trace={STEPS}"))
        .arg(command.get_program())
        .args(command.get_args());
    let output = traced.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = fs::read_to_string(&record).unwrap();
    // Children are left at their execve, and have made a handful of calls by then: only the first process counts.
    let first = text.split(' ').next().unwrap_or_default().to_owned();
    let mut steps = of_record(text.lines().filter(|line| line.starts_with(&first)));
    // The one by which it begins is strace's own.
    steps.retain(|step| step.call != "execve");
    steps
}

/// The steps that strace has recorded: of each system call as many as one process makes at most, since every process is killed at its own.
fn of_record<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Step> {
    let mut counts = std::collections::BTreeMap::new();
    for line in lines {
        let Some((id, rest)) = line.split_once(' ') else {
            continue;
        };
        let Some((call, _)) = rest.trim_start().split_once('(') else {
            continue;
        };
        if call.starts_with('<') {
            continue;
        }
        *counts.entry((call.to_owned(), id.to_owned())).or_insert(0) += 1;
    }
    let mut most = std::collections::BTreeMap::new();
    for ((call, _), count) in counts {
        let most = most.entry(call).or_insert(0);
        *most = count.max(*most);
    }
    most.into_iter()
        .flat_map(|(call, most)| {
            (1..=most).map(move |nth| Step {
                call: call.clone(),
                nth,
            })
        })
        .collect()
}

/// The steps of one command of git's in a run of the program: all that change something or talk, and every eighth that only looks.
fn steps_of_git(
    environment: &Environment,
    command: &str,
    nth: usize,
    arguments: &[&str],
) -> Vec<Step> {
    let mut imageauto = with_kill(environment, command, nth, "record");
    let output = imageauto.args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let record = environment.path().join("count.record");
    let text = fs::read_to_string(record).unwrap();
    let steps = of_record(text.lines());
    let looks = |step: &Step| {
        [
            "newfstatat",
            "openat",
            "access",
            "readlink",
            "getcwd",
            "statfs",
        ]
        .contains(&step.call.as_str())
    };
    let kept = steps
        .into_iter()
        .filter(|step| !looks(step) || step.nth % 8 == 1);
    kept.collect()
}

/// Files that hold locks or secrets below a folder.
fn locks_and_secrets(folder: &std::path::Path, secrets: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
                continue;
            }
            let is_lock = path
                .extension()
                .is_some_and(|extension| extension == "lock");
            let bytes = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            if is_lock || secrets.iter().any(|secret| text.contains(secret)) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// Maps `items` on two threads.
fn in_parallel<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    std::thread::scope(|scope| {
        let half = items.len().div_ceil(2).max(1);
        for part in items.chunks(half) {
            let work = &work;
            scope.spawn(move || part.iter().for_each(work));
        }
    });
}
