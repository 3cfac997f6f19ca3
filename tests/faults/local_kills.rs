//! Kills while a work tree is changed: it is as it was or complete, and the next run succeeds.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::environment::{Environment, automation, deployment};
use crate::{
    can_trace, in_parallel, injection, killed_at, locks_and_secrets, steps, steps_of_git,
    was_killed, with_kill, wrap_git,
};

const COMMIT: [&str; 9] = [
    "reconcile",
    "-f",
    "objects",
    "--tags-from",
    "tags.json",
    "--worktree",
    "gitops",
    "--no-push",
    "--yes",
];
const NAMES: [&str; 3] = ["a", "b", "c"];

/// A work tree in which three files change.
fn tree() -> Environment {
    let environment = Environment::shop();
    environment.write(
        "objects/automation.yaml",
        &automation("images", "main", "./many"),
    );
    for name in NAMES {
        environment.write(
            &format!("gitops/many/{name}.yaml"),
            &deployment("app", "1.0.0"),
        );
    }
    environment.git("gitops", &["add", "--all"]);
    environment.git("gitops", &["commit", "--quiet", "--message", "Many"]);
    wrap_git(&environment);
    environment
}

fn head(environment: &Environment) -> String {
    environment.git("gitops", &["rev-parse", "HEAD"])
}

/// How many files have the new text.
fn changed(environment: &Environment) -> usize {
    let new = deployment("app", "1.2.0");
    let texts = NAMES.map(|name| environment.read(&format!("gitops/many/{name}.yaml")));
    let old = deployment("app", "1.0.0");
    assert!(texts.iter().all(|text| *text == new || *text == old));
    texts.iter().filter(|text| **text == new).count()
}

/// Whether one of ours still works in this folder.
fn is_busy(environment: &Environment) -> bool {
    let folder = environment.path().display().to_string();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let mut commands = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    commands.any(|command| {
        let text = String::from_utf8_lossy(&command);
        text.contains("__finish") && text.contains(&folder)
    })
}

fn check(environment: &Environment, before: &str, what: &str) {
    let patience = Instant::now() + Duration::from_secs(10);
    while is_busy(environment) {
        assert!(Instant::now() < patience, "{what}: it works on and on");
        std::thread::sleep(Duration::from_millis(10));
    }
    let git = environment.path().join("gitops/.git");
    assert_eq!(locks_and_secrets(&git, &[]), Vec::<String>::new(), "{what}");
    let complete = head(environment) != before;
    let expected = if complete { NAMES.len() } else { 0 };
    assert_eq!(changed(environment), expected, "{what}");
    assert_eq!(
        environment.git("gitops", &["status", "--porcelain"]),
        "",
        "{what}"
    );
    let again = environment.run(&COMMIT);
    assert_eq!(again.status, 0, "{what}: {}", again.stderr);
    let count = environment.git(
        "gitops",
        &["rev-list", "--count", &format!("{before}..HEAD")],
    );
    assert_eq!(count, "1", "{what}");
    assert_eq!(changed(environment), NAMES.len(), "{what}");
    let left = fs::read_dir(&git).unwrap().flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().contains("imageauto"));
    assert_eq!(left.count(), 0, "{what}");
}

#[test]
fn our_own_process_may_be_killed_at_any_step() {
    if !can_trace() {
        return;
    }
    let recorded = tree();
    let mut command = recorded.imageauto();
    command.args(COMMIT);
    let all = steps(&command, &recorded);
    let killed = AtomicUsize::new(0);
    in_parallel(&all, |step| {
        let environment = tree();
        let before = head(&environment);
        let mut command = killed_at(&environment, step);
        command.args(COMMIT);
        if was_killed(&mut command) {
            killed.fetch_add(1, Ordering::Relaxed);
        }
        check(&environment, &before, &format!("step {step}"));
    });
    assert!(all.len() > 50, "{all:?}");
    assert_eq!(killed.into_inner(), all.len(), "each is a step");
}

#[test]
fn each_git_that_changes_the_work_tree_may_be_killed_at_any_step() {
    if !can_trace() {
        return;
    }
    let mut cases = Vec::new();
    // The first update-index makes the tree, in an index of its own; the last only looks.
    for (command, nth) in [
        ("update-index", 1),
        ("update-index", 2),
        ("update-ref", 1),
        ("update-index", 3),
    ] {
        let recorded = tree();
        let steps = steps_of_git(&recorded, command, nth, &COMMIT);
        assert!(steps.len() > 10, "{steps:?}");
        cases.extend(steps.into_iter().map(|step| (command, nth, step)));
    }
    in_parallel(&cases, |(command, nth, step)| {
        let environment = tree();
        let before = head(&environment);
        let mut imageauto = with_kill(&environment, command, *nth, &injection(step));
        imageauto.args(COMMIT);
        was_killed(&mut imageauto);
        let what = format!("step {step} of {command} {nth}");
        check(&environment, &before, &what);
    });
}

#[test]
fn the_process_that_carries_it_out_may_be_killed_between_its_steps() {
    if !can_trace() {
        return;
    }
    for (command, nth) in [("update-index", 2), ("update-ref", 1), ("update-index", 3)] {
        let environment = tree();
        let before = head(&environment);
        let mut imageauto = with_kill(&environment, command, nth, "parent");
        imageauto.args(COMMIT);
        // It is not ours that is killed, but the other, and ours brings it to its end.
        assert!(!was_killed(&mut imageauto), "{command} {nth}");
        check(&environment, &before, &format!("at {command} {nth}"));
    }
}

#[test]
fn the_process_that_carries_it_out_may_be_killed_between_files() {
    if !can_trace() {
        return;
    }
    for files in 0..NAMES.len() {
        let environment = tree();
        let before = head(&environment);
        let ours = environment.imageauto();
        let mut command = Command::new("strace");
        command.env_clear().current_dir(environment.path());
        for (name, value) in ours.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        // Every renaming takes a while, so that there is time to be killed in between.
        command
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=rename"])
            .args(["-e", "inject=rename:delay_enter=400000"])
            .arg(ours.get_program())
            .args(COMMIT)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let patience = Instant::now() + Duration::from_secs(30);
        let mut killed = false;
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < patience, "it works on and on");
            if !killed && changed(&environment) == files && kill_finisher(&environment) {
                killed = true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(killed, "there was none to kill after {files} files");
        check(&environment, &before, &format!("after {files} files"));
    }
}

/// Kills the process that carries a change out, if it is there.
fn kill_finisher(environment: &Environment) -> bool {
    let folder = environment.path().display().to_string();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let text = String::from_utf8_lossy(&command).into_owned();
        let id = entry.file_name().to_string_lossy().into_owned();
        if text.contains("__finish") && text.contains(&folder) && !text.contains("strace") {
            return Command::new("kill")
                .args(["-9", &id])
                .status()
                .is_ok_and(|status| status.success());
        }
    }
    false
}

#[test]
fn what_both_were_killed_in_the_middle_of_is_brought_to_its_end_by_the_next_run() {
    if !can_trace() {
        return;
    }
    for step in 1..=6 {
        let environment = tree();
        let before = head(&environment);
        let ours = environment.imageauto();
        let mut command = Command::new("strace");
        command.env_clear().current_dir(environment.path());
        for (name, value) in ours.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        // Every process is killed at its renaming of this number: the one that carries it out, and ours that goes on for it.
        command
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=rename", "-e"])
            .arg(format!("inject=rename:signal=KILL:when={step}"))
            .arg(ours.get_program())
            .args(COMMIT);
        was_killed(&mut command);
        let patience = Instant::now() + Duration::from_secs(10);
        while is_busy(&environment) {
            assert!(Instant::now() < patience, "it works on and on");
            std::thread::sleep(Duration::from_millis(10));
        }
        let again = environment.run(&COMMIT);
        assert_eq!(again.status, 0, "{step}: {}", again.stderr);
        assert_eq!(changed(&environment), NAMES.len(), "{step}");
        let count = environment.git(
            "gitops",
            &["rev-list", "--count", &format!("{before}..HEAD")],
        );
        assert_eq!(count, "1", "{step}: {}", again.stderr);
        assert_eq!(
            environment.git("gitops", &["status", "--porcelain"]),
            "",
            "{step}"
        );
    }
}
