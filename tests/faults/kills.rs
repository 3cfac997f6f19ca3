//! Kills while a commit is pushed: the server has all of it or nothing, and the next run succeeds.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::shop::Shop;
use crate::{
    Step, can_trace, in_parallel, injection, killed_at, locks_and_secrets, steps, steps_of_git,
    was_killed, with_kill, wrap_git,
};

const ARGUMENTS: [&str; 6] = [
    "reconcile",
    "-f",
    "objects",
    "--tags-from",
    "tags.json",
    "--yes",
];
const PASSWORD: &str = "correct horse";

/// A shop whose server wants a password.
fn shop() -> Shop {
    let shop = Shop::behind("");
    let text = shop.environment.read("objects/source.yaml");
    let text = text.replace("//gitops.git", "/gitops.git");
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: login\n  namespace: flux-system\nstringData:\n  username: bot\n  password: {PASSWORD}\n"
    );
    let text = format!("{text}  secretRef:\n    name: login\n{secret}");
    shop.environment.write("objects/source.yaml", &text);
    wrap_git(&shop.environment);
    shop
}

/// A served repository as it was before, or with the whole commit; and what is left besides.
fn check(shop: &Shop, before: &str, what: &str) {
    // A git that outlives us comes to its end by itself.
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let served = shop.environment.path().join("served");
    let temporary = shop.environment.path().join("tmp");
    loop {
        let locks = locks_and_secrets(&served, &[]);
        let secrets = locks_and_secrets(&temporary, &[PASSWORD]);
        let secrets: Vec<String> = secrets
            .into_iter()
            .filter(|path| !path.ends_with(".lock"))
            .collect();
        assert_eq!(secrets, Vec::<String>::new(), "{what}");
        if locks.is_empty() {
            break;
        }
        assert!(std::time::Instant::now() < patience, "{what}: {locks:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let head = shop.head("main");
    if head != before {
        assert_eq!(shop.git(&["rev-parse", "main^"]), before, "{what}");
        let changed = shop.git(&["diff", "--name-only", before, "main"]);
        assert_eq!(changed, "apps/app.yaml", "{what}");
    }
    shop.git(&["fsck", "--connectivity-only", "--no-dangling"]);
    let ran = shop.reconcile(&["--yes"]);
    assert_eq!(ran.status, 0, "{what}: {}", ran.stderr);
    assert_eq!(
        shop.git(&["rev-list", "--count", &format!("{before}..main")]),
        "1",
        "{what}"
    );
}

#[test]
fn our_own_process_may_be_killed_at_any_step() {
    if !can_trace() {
        return;
    }
    let recorded = shop();
    let mut command = recorded.environment.imageauto();
    command.args(ARGUMENTS);
    let all = steps(&command, &recorded.environment);
    let killed = AtomicUsize::new(0);
    in_parallel(&all, |step| {
        let shop = shop();
        let before = shop.head("main");
        let mut command = killed_at(&shop.environment, step);
        command.args(ARGUMENTS);
        if was_killed(&mut command) {
            killed.fetch_add(1, Ordering::Relaxed);
        }
        check(&shop, &before, &format!("step {step}"));
    });
    assert!(all.len() > 50, "{all:?}");
    assert_eq!(killed.into_inner(), all.len(), "each is a step");
}

#[test]
fn the_pushing_git_may_be_killed_at_any_step() {
    if !can_trace() {
        return;
    }
    // The first push only asks, the second pushes.
    let recorded = shop();
    let all = steps_of_git(&recorded.environment, "push", 2, &ARGUMENTS);
    assert!(all.len() > 30, "{all:?}");
    in_parallel(&all, |step| {
        let shop = shop();
        let before = shop.head("main");
        let mut command = with_kill(&shop.environment, "push", 2, &injection(step));
        command.args(ARGUMENTS);
        was_killed(&mut command);
        check(&shop, &before, &format!("step {step} of push"));
    });
}

#[test]
fn we_may_be_killed_while_git_pushes() {
    if !can_trace() {
        return;
    }
    for nth in [1, 2] {
        let shop = shop();
        let before = shop.head("main");
        let mut command = with_kill(&shop.environment, "push", nth, "parent");
        command.args(ARGUMENTS);
        assert!(was_killed(&mut command));
        check(&shop, &before, &format!("push {nth}"));
    }
}

#[test]
fn every_other_git_may_be_killed() {
    if !can_trace() {
        return;
    }
    let commands = [
        "fetch",
        "ls-tree",
        "cat-file",
        "hash-object",
        "read-tree",
        "ls-files",
        "update-index",
        "write-tree",
    ];
    let step = |call: &str, nth: usize| Step {
        call: call.to_owned(),
        nth,
    };
    let cases: Vec<(&str, Step)> = commands
        .iter()
        .flat_map(|command| {
            [step("openat", 1), step("openat", 12), step("newfstatat", 9)]
                .map(|step| (*command, step))
        })
        .collect();
    in_parallel(&cases, |(command, step)| {
        let shop = shop();
        let before = shop.head("main");
        let mut imageauto = with_kill(&shop.environment, command, 1, &injection(step));
        imageauto.args(ARGUMENTS);
        was_killed(&mut imageauto);
        check(&shop, &before, &format!("step {step} of {command}"));
    });
}
