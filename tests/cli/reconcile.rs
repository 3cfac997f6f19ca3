//! `reconcile`: what is pushed, when nothing is, and what becomes of pushes that fail.

use crate::environment;
use crate::shop::Shop;

const MARKED: &str = "registry.example.com/team/app";

#[test]
fn the_commit_is_made_and_pushed() {
    let shop = Shop::open();
    let parent = shop.head("main");
    let ran = shop.reconcile(&["--yes"]).expect(0);
    let head = shop.head("main");
    assert!(
        ran.stdout
            .contains(&format!("+          image: {MARKED}:1.2.0")),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr
            .contains(&format!("pushed {head} to main of http://")),
        "{}",
        ran.stderr
    );
    let commit = shop.git(&["cat-file", "commit", "main"]);
    assert!(commit.contains(&format!("parent {parent}\n")), "{commit}");
    assert!(commit.contains("author bot <bot@example.com> "), "{commit}");
    assert!(
        commit.contains("committer bot <bot@example.com> "),
        "{commit}"
    );
    assert!(
        commit.ends_with(" +0000\n\nUpdate from image update automation"),
        "{commit}"
    );
    let changed = shop.git(&["diff", "--name-only", &parent, "main"]);
    assert_eq!(changed, "apps/app.yaml");
    let text = shop.git(&["show", "main:apps/app.yaml"]);
    assert_eq!(text, environment::deployment("app", "1.2.0").trim());
    let again = shop.reconcile(&["--yes"]).expect(0);
    assert!(again.stderr.contains("nothing to push"), "{}", again.stderr);
    assert_eq!(shop.head("main"), head);
    assert_eq!(shop.environment.left_behind(), Vec::<String>::new());
}

#[test]
fn without_a_yes_nothing_is_pushed() {
    let shop = Shop::open();
    let before = shop.refs();
    let ran = shop.reconcile(&[]).expect(7);
    assert!(
        ran.stderr.contains("Push 1 file to main of http://")
            && ran.stderr.contains("as bot with no credentials?")
            && ran.stderr.contains("--yes"),
        "{}",
        ran.stderr
    );
    let ran = shop.reconcile(&["--yes", "--dry-run=client"]).expect(0);
    assert!(ran.stdout.contains(":1.2.0"), "{}", ran.stdout);
    let ran = shop.reconcile(&["--yes", "--worktree", "gitops"]).expect(2);
    assert!(ran.stderr.contains("--worktree"), "{}", ran.stderr);
    assert_eq!(shop.refs(), before);
}

#[test]
fn author_and_branch_can_be_others() {
    let shop = Shop::open();
    let main = shop.head("main");
    let more = [
        "--yes",
        "--author",
        "Jane Doe <jane@example.com>",
        "--push-branch",
        "updates/images",
    ];
    let ran = shop.reconcile(&more).expect(0);
    assert!(
        ran.stderr.contains("makes the new branch updates/images"),
        "{}",
        ran.stderr
    );
    assert_eq!(shop.head("main"), main);
    let format = "--format=%an <%ae>|%cn <%ce>|%P";
    let made = shop.git(&["log", "-1", format, "updates/images"]);
    assert_eq!(
        made,
        format!("Jane Doe <jane@example.com>|Jane Doe <jane@example.com>|{main}")
    );
    for wrong in [
        &["--author", "Jane"][..],
        &["--push-branch", "-x"],
        &["--push-branch", "a..b"],
        &["--attempts", "0"],
    ] {
        let _ = shop.reconcile(wrong).expect(2);
    }
}

#[test]
fn another_branch_goes_on_from_its_own_head() {
    let shop = Shop::open();
    shop.set_automation(|text| text.replace("branch: main\n  update", "branch: auto\n  update"));
    let theirs = shop.others_commit("auto", "note", "theirs");
    let main = shop.others_commit("main", "more", "ours");
    let _ = shop.reconcile(&["--yes"]).expect(0);
    assert_eq!(shop.git(&["rev-parse", "auto^"]), theirs);
    assert_eq!(shop.head("main"), main);
}

#[test]
fn a_branch_that_is_replaced_is_told_and_replaced_only_as_seen() {
    let shop = Shop::open();
    shop.git(&["tag", "v1", "main"]);
    shop.set_automation(|text| {
        text.replace("branch: main\n    commit", "tag: v1\n    commit")
            .replace("branch: main\n  update", "branch: auto\n  update")
    });
    let theirs = shop.others_commit("auto", "note", "theirs");
    let ran = shop.reconcile(&["--yes"]).expect(0);
    assert!(
        ran.stderr.contains("push-branch-diverged") && ran.stderr.contains(&theirs),
        "{}",
        ran.stderr
    );
    assert_eq!(shop.git(&["rev-parse", "auto^"]), shop.head("main"));
}

#[test]
fn a_login_that_only_reads_is_told_before_anything_is_sent() {
    let shop = Shop::behind("readonly");
    let before = shop.refs();
    let ran = shop.reconcile(&["--yes", "-o", "json"]).expect(5);
    assert!(
        ran.stderr.contains("push-credential-read-only")
            && ran.stderr.contains("you may only read"),
        "{}",
        ran.stderr
    );
    let row = &ran.json()["automations"][0];
    assert_eq!(row["pushed"], false);
    assert_eq!(row["attempts"], 0);
    assert_eq!(row["error"]["reason"], "PushFailed");
    assert_eq!(shop.refs(), before);
    let pushes = shop.server.seen().into_iter();
    assert_eq!(
        pushes
            .filter(|seen| seen.target.ends_with("/git-receive-pack") && seen.method == "POST")
            .count(),
        0
    );
}

#[test]
fn a_line_that_breaks_leaves_all_or_nothing() {
    let shop = Shop::behind("dropped");
    let before = shop.refs();
    let ran = shop.reconcile(&["--yes"]).expect(5);
    assert!(
        ran.stderr.contains("the server has nothing of it"),
        "{}",
        ran.stderr
    );
    assert_eq!(shop.refs(), before);
    shop.set_door("unheard");
    let ran = shop.reconcile(&["--yes", "-o", "json"]).expect(0);
    let row = &ran.json()["automations"][0];
    assert_eq!(row["pushed"], true);
    assert_eq!(row["commit"], shop.head("main"));
    assert_eq!(shop.environment.left_behind(), Vec::<String>::new());
}

/// A file with a marker, which changes in every line by its indentation: much to send, and too random to be made small.
fn large_file() -> String {
    let mut seed: u64 = 1;
    let noise: String = (0..20_000)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!("                - n{:x}\n", seed >> 20)
        })
        .collect();
    let text = environment::deployment("app", "1.0.0");
    format!("{}\n          args:\n{noise}", text.trim_end())
}

#[test]
fn a_line_that_breaks_in_the_middle_of_a_push_leaves_nothing() {
    let shop = Shop::behind("cut");
    shop.others_commit("main", "apps/app.yaml", &large_file());
    let before = shop.refs();
    let ran = shop.reconcile(&["--yes"]).expect(5);
    assert!(
        ran.stderr.contains("the server has nothing of it"),
        "{}",
        ran.stderr
    );
    assert_eq!(shop.refs(), before);
    assert_eq!(shop.environment.left_behind(), Vec::<String>::new());
    shop.set_door("open");
    let _ = shop.reconcile(&["--yes"]).expect(0);
    assert_eq!(shop.git(&["log", "-1", "--format=%an", "main"]), "bot");
}

/// The user's own ssh, here a script that runs the server's program itself, and breaks in the middle of what it is sent.
#[cfg(unix)]
#[test]
fn an_ssh_that_breaks_in_the_middle_of_a_push_leaves_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let shop = Shop::open();
    shop.others_commit("main", "apps/app.yaml", &large_file());
    let folder = shop.environment.path().display().to_string();
    let source = environment::git_repository("gitops").replace(
        "https://user:secret@git.example.com/team/gitops",
        &format!("ssh://git@git.example.com{folder}/served/gitops.git"),
    );
    // A login that is not to be seen from here.
    let source = format!(
        "{source}  secretRef:\n    name: login\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: login\n  namespace: flux-system\ndata:\n  identity: ENC[AES256_GCM,data:eA==]\nsops:\n  version: 3.9.0\n"
    );
    shop.environment.write("objects/source.yaml", &source);
    let ssh = |bytes: &str| {
        let script = format!(
            "#!/bin/sh\nfor last; do :; done\ncase \"$last\" in\ngit-receive-pack*) {bytes} | eval \"$last\" ;;\n*) eval \"$last\" ;;\nesac\n"
        );
        let file = shop.environment.write("ssh", &script);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let config = format!("[core]\n\tsshCommand = {folder}/ssh\n");
    shop.environment.write(".gitconfig", &config);
    let before = shop.refs();
    ssh("head -c 20000");
    let ran = shop.reconcile(&["--yes"]).expect(5);
    assert!(
        ran.stderr.contains("the server has nothing of it"),
        "{}",
        ran.stderr
    );
    assert_eq!(shop.refs(), before);
    assert_eq!(shop.environment.left_behind(), Vec::<String>::new());
    ssh("cat");
    let _ = shop.reconcile(&["--yes"]).expect(0);
    assert_eq!(shop.git(&["log", "-1", "--format=%an", "main"]), "bot");
}

#[cfg(unix)]
#[test]
fn a_refusal_quotes_the_server() {
    let shop = Shop::open();
    let before = shop.refs();
    shop.hook("pre-receive", "echo 'commits need a ticket' >&2; exit 1");
    let ran = shop.reconcile(&["--yes"]).expect(5);
    assert!(
        ran.stderr.contains("push-rejected")
            && ran.stderr.contains("pre-receive hook declined")
            && ran.stderr.contains("commits need a ticket")
            && ran.stderr.contains("--push-branch"),
        "{}",
        ran.stderr
    );
    assert_eq!(shop.refs(), before);
}

/// A hook that lets somebody else push in the middle, `times` times.
#[cfg(unix)]
fn race(shop: &Shop, times: usize) {
    let script = format!(
        "n=$(cat count 2>/dev/null || echo 0)\n[ \"$n\" -ge {times} ] && exit 0\necho $((n+1)) > count\n\
         unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n\
         export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@example.com GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@example.com\n\
         id=$(echo race | git commit-tree -p refs/heads/main refs/heads/main^{{tree}}) && git update-ref refs/heads/main $id"
    );
    shop.hook("pre-receive", &script);
}

#[cfg(unix)]
#[test]
fn a_push_that_lost_a_race_is_redone_from_the_new_head() {
    let shop = Shop::open();
    race(&shop, 1);
    let ran = shop.reconcile(&["--yes", "-o", "json"]).expect(0);
    let row = &ran.json()["automations"][0];
    assert_eq!(row["attempts"], 2, "{}", ran.stderr);
    assert_eq!(row["commit"], shop.head("main"));
    assert_eq!(shop.git(&["log", "-1", "--format=%s", "main^"]), "race");
}

#[cfg(unix)]
#[test]
fn races_are_given_up_after_so_many_attempts() {
    let shop = Shop::open();
    race(&shop, 100);
    let ran = shop.reconcile(&["--yes", "--attempts", "2"]).expect(5);
    assert!(
        ran.stderr.contains("given up after 2 of 2 attempts"),
        "{}",
        ran.stderr
    );
    let subjects = shop.git(&["log", "--format=%s", "main"]);
    assert_eq!(subjects, "race\nrace\nFirst");
}

#[cfg(unix)]
#[test]
fn what_somebody_else_set_meanwhile_is_not_set_again() {
    let shop = Shop::open();
    let text = environment::deployment("app", "1.2.0");
    let theirs = shop.others_commit("theirs", "apps/app.yaml", &text);
    let script = format!(
        "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\ngit update-ref refs/heads/main {theirs}"
    );
    shop.hook("pre-receive", &script);
    let ran = shop.reconcile(&["--yes"]).expect(0);
    assert!(ran.stderr.contains("nothing to push"), "{}", ran.stderr);
    assert_eq!(shop.head("main"), theirs);
}

#[test]
fn several_automations_push_one_after_the_other() {
    let shop = Shop::open();
    shop.environment.write(
        "objects/second.yaml",
        &environment::automation("second", "main", "./more"),
    );
    shop.others_commit(
        "main",
        "more/app.yaml",
        &environment::deployment("app", "1.0.0"),
    );
    let ran = shop.reconcile(&["--yes", "-o", "json"]).expect(0);
    let document = ran.json();
    let rows = document["automations"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["commit"], shop.head("main"));
    assert_eq!(rows[0]["commit"], shop.git(&["rev-parse", "main^"]));
    assert_eq!(rows[1]["attempts"], 1);
}

#[test]
fn a_downgrade_can_be_refused() {
    let shop = Shop::open();
    shop.others_commit(
        "main",
        "apps/app.yaml",
        &environment::deployment("app", "1.9.0"),
    );
    let before = shop.refs();
    let ran = shop.reconcile(&["--yes", "--no-downgrade"]).expect(7);
    assert!(
        ran.stderr
            .contains("apps/app.yaml:10: 1.9.0 is above 1.2.0"),
        "{}",
        ran.stderr
    );
    assert_eq!(shop.refs(), before);
    let _ = shop.reconcile(&["--yes"]).expect(0);
}

#[test]
fn push_options_and_refspecs_are_the_automations() {
    let shop = Shop::open();
    shop.set_automation(|text| {
        text.replace(
            "    push:\n      branch: main\n",
            "    push:\n      branch: main\n      refspec: refs/heads/main:refs/heads/copy\n      options:\n        ticket: 'A 1'\n",
        )
    });
    #[cfg(unix)]
    shop.hook(
        "pre-receive",
        "echo \"$GIT_PUSH_OPTION_COUNT $GIT_PUSH_OPTION_0\" >> options",
    );
    let ran = shop.reconcile(&["--yes", "-o", "json"]).expect(0);
    let row = &ran.json()["automations"][0];
    assert_eq!(row["refspecPushed"], true);
    assert_eq!(shop.head("copy"), shop.head("main"));
    #[cfg(unix)]
    assert_eq!(
        shop.environment.read("served/gitops.git/options"),
        "1 ticket=A 1\n1 ticket=A 1\n"
    );
    // The controller doesn't see that the target is an ancestor further back than its clone goes, and neither do we.
    let copy = shop.head("copy");
    shop.others_commit(
        "main",
        "apps/app.yaml",
        &environment::deployment("app", "1.0.0"),
    );
    let ran = shop.reconcile(&["--yes", "-o", "json"]).expect(5);
    let row = &ran.json()["automations"][0];
    assert_eq!(
        (&row["pushed"], &row["refspecPushed"]),
        (&true.into(), &false.into())
    );
    assert!(
        ran.stderr.contains("put a + before the refspec"),
        "{}",
        ran.stderr
    );
    assert_eq!(shop.head("copy"), copy);
}

#[test]
fn a_server_that_takes_no_options_gets_none() {
    let shop = Shop::open();
    shop.git(&["config", "receive.advertisePushOptions", "false"]);
    shop.set_automation(|text| {
        text.replace(
            "    push:\n      branch: main\n",
            "    push:\n      branch: main\n      options:\n        ticket: 'A 1'\n",
        )
    });
    let _ = shop.reconcile(&["--yes"]).expect(0);
    assert_eq!(shop.git(&["log", "-1", "--format=%an", "main"]), "bot");
}

#[test]
fn a_refspec_that_pushes_nothing_is_told_beforehand() {
    let shop = Shop::open();
    let before = shop.refs();
    for (refspec, words) in [
        ("HEAD:refs/for/main", "already up-to-date"),
        ("main:auto", "already up-to-date"),
        (
            "refs/heads/main:auto",
            "command error on auto: funny refname",
        ),
        ("refs/heads/main", "malformed refspec, separators are wrong"),
    ] {
        shop.set_automation(|text| {
            let push = format!("branch: main\n      refspec: {refspec:?}\n  update");
            text.replace("branch: main\n  update", &push)
        });
        let ran = shop.reconcile(&["--yes", "-o", "json"]).expect(1);
        let error = &ran.json()["automations"][0]["error"];
        assert_eq!(
            *error,
            serde_json::json!({"reason": "GitOperationFailed", "message": format!("failed to update source: failed to push to remote: {words}")})
        );
        assert!(ran.stderr.contains("refspec-unusable"), "{}", ran.stderr);
    }
    assert_eq!(shop.refs(), before);
}

#[test]
fn only_the_marked_values_change_where_that_is_asked_for() {
    let shop = Shop::open();
    let odd =
        "---\nspec:\n    a:   x:1   # {\"$imagepolicy\": \"flux-system:app\"}\n\n    b: 'v'\n";
    drop(shop.others_commit("main", "apps/odd.yaml", odd));
    drop(shop.reconcile(&["--yes", "--rewrite", "minimal"]).expect(0));
    let pushed = shop.git(&["show", "main:apps/odd.yaml"]);
    let value = "registry.example.com/team/app:1.2.0";
    assert_eq!(pushed.trim_end(), odd.replace("x:1", value).trim_end());
}
