//! `reconcile` where something stands in its way or lies in wait: proxies and logins, questions, hooks, and names that look like options.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::environment;
use crate::git_server::TOKEN;
use crate::shop::Shop;

/// Adds to the spec of the source, and documents behind it.
fn add_to_source(shop: &Shop, spec: &str, documents: &str) {
    let source = shop.environment.read("objects/source.yaml");
    shop.environment
        .write("objects/source.yaml", &format!("{source}{spec}{documents}"));
}

fn secret(name: &str, data: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: flux-system\nstringData:\n{data}"
    )
}

/// A script that leaves a note and then sits there.
fn trap(shop: &Shop, path: &str) -> String {
    let script = "#!/bin/sh\ntouch \"$HOME/sprung\"\nsleep 600\n";
    let file = shop.environment.write(path, script);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file.display().to_string()
}

fn is_sprung(shop: &Shop) -> bool {
    shop.environment.path().join("sprung").exists()
}

#[test]
fn a_bearer_token_pushes() {
    let shop = Shop::behind("bearer");
    add_to_source(
        &shop,
        "  secretRef:\n    name: login\n",
        &secret("login", "  bearerToken: battery-staple\n"),
    );
    let ran = shop.reconcile(&["--yes", "-v"]).expect(0);
    assert_eq!(shop.git(&["log", "-1", "--format=%an", "main"]), "bot");
    assert!(!ran.stderr.contains("battery-staple"), "{}", ran.stderr);
}

#[test]
fn the_objects_proxy_is_pushed_through() {
    let shop = Shop::open();
    let direct = shop.server.url("open/gitops.git");
    let source = shop.environment.read("objects/source.yaml");
    shop.environment.write(
        "objects/source.yaml",
        &source.replace(&direct, "http://git.example.invalid/open/gitops.git"),
    );
    let data = format!(
        "  address: http://{}\n  username: pay\n  password: a toll /\n",
        shop.server.address
    );
    let reference = "  proxySecretRef:\n    name: proxy\n";
    add_to_source(&shop, reference, &secret("proxy", &data));
    let ran = shop.reconcile(&["--yes", "-v"]).expect(0);
    assert_eq!(shop.git(&["log", "-1", "--format=%an", "main"]), "bot");
    let seen = shop.server.seen();
    assert!(
        seen.iter()
            .all(|seen| seen.target.starts_with("http://git.example.invalid/")),
        "{seen:?}"
    );
    assert!(!ran.stderr.contains("a toll"), "{}", ran.stderr);
}

#[test]
fn your_own_git_pushes_where_the_controllers_login_is_not_to_be_seen() {
    let shop = Shop::behind("app");
    add_to_source(&shop, "  provider: azure\n", "");
    let helper = format!("!f() {{ echo username=x-access-token; echo password={TOKEN}; }}; f");
    let config = format!("[credential]\n\thelper = \"{helper}\"\n");
    shop.environment.write(".gitconfig", &config);
    let ran = shop.reconcile(&["--yes", "-v"]).expect(0);
    assert_eq!(shop.git(&["log", "-1", "--format=%an", "main"]), "bot");
    assert!(
        ran.stderr.contains("your own git configuration") && !ran.stderr.contains(TOKEN),
        "{}",
        ran.stderr
    );
}

#[test]
fn nothing_is_asked_whoever_would_ask() {
    for (provider, git_asks) in [("", true), ("  provider: azure\n", false)] {
        let shop = Shop::behind("app");
        add_to_source(&shop, provider, "");
        let asker = trap(&shop, "asker");
        let mut command = shop.environment.imageauto();
        command
            .args(["reconcile", "-f", "objects", "--tags-from", "tags.json"])
            .arg("--yes")
            .env("SSH_ASKPASS", &asker)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("DISPLAY", ":0")
            .env("GIT_TERMINAL_PROMPT", "1");
        // Your own git may have a program that knows the password: it is asked where your own git is.
        if git_asks {
            let config = format!("[core]\n\taskPass = {asker}\n");
            shop.environment.write(".gitconfig", &config);
            command.env("GIT_ASKPASS", &asker);
        }
        let ran = environment::Ran::of(&mut command);
        assert_eq!(ran.status, 5, "{}", ran.stderr);
        assert!(!is_sprung(&shop), "{}", ran.stderr);
    }
}

#[test]
fn no_hook_and_no_setting_of_the_users_has_a_say_in_the_objects_push() {
    let shop = Shop::open();
    for name in [
        "pre-push",
        "pre-commit",
        "commit-msg",
        "prepare-commit-msg",
        "post-commit",
        "post-checkout",
        "post-index-change",
        "reference-transaction",
    ] {
        trap(&shop, &format!("hooks/{name}"));
        trap(&shop, &format!("template/hooks/{name}"));
    }
    let folder = shop.environment.path().display().to_string();
    let config = format!(
        "[core]\n\thooksPath = {folder}/hooks\n\tautocrlf = true\n\tfsmonitor = {folder}/hooks/pre-push\n[init]\n\ttemplateDir = {folder}/template\n\
         [commit]\n\tgpgSign = true\n[gpg]\n\tprogram = {folder}/hooks/pre-push\n[push]\n\tgpgSign = true\n\tfollowTags = true\n\tpushOption = evil\n\
         [user]\n\tname = Somebody\n\temail = somebody@example.com\n[i18n]\n\tcommitEncoding = ISO-8859-1\n[remote \"imageauto\"]\n\tpushurl = http://127.0.0.1:9/x\n\
         [url \"http://127.0.0.1:9/\"]\n\tpushInsteadOf = http://\n"
    );
    shop.environment.write(".gitconfig", &config);
    let ran = shop.reconcile(&["--yes"]).expect(0);
    assert!(!is_sprung(&shop), "{}", ran.stderr);
    let commit = shop.git(&["cat-file", "commit", "main"]);
    assert!(
        commit.contains("committer bot <bot@example.com>") && !commit.contains("gpgsig"),
        "{commit}"
    );
}

#[test]
fn nothing_of_the_cloned_repository_is_run_or_obeyed() {
    let shop = Shop::open();
    let filter = trap(&shop, "filter");
    shop.others_commit("main", ".lfsconfig", "[lfs]\n\turl = http://127.0.0.1:9\n");
    shop.others_commit("main", ".git-hooks/pre-push", "#!/bin/sh\ntouch sprung\n");
    shop.environment.write(
        "other/.gitmodules",
        "[submodule \"x\"]\n\tpath = x\n\turl = ext::touch sprung\n",
    );
    let attributes = "* text=auto eol=crlf\n*.yaml filter=evil diff=evil merge=evil working-tree-encoding=ISO-8859-1 ident\n";
    shop.others_commit("main", ".gitattributes", attributes);
    let config = format!(
        "[filter \"evil\"]\n\tclean = {filter}\n\tsmudge = {filter}\n\trequired = true\n[diff \"evil\"]\n\ttextconv = {filter}\n\tcommand = {filter}\n[submodule]\n\trecurse = true\n"
    );
    shop.environment.write(".gitconfig", &config);
    let ran = shop.reconcile(&["--yes"]).expect(0);
    assert!(!is_sprung(&shop), "{}", ran.stderr);
    let text = shop.git(&["cat-file", "blob", "main:apps/app.yaml"]);
    assert_eq!(text, environment::deployment("app", "1.2.0").trim());
}

#[test]
fn names_and_addresses_are_never_options() {
    let evil = "--receive-pack=touch sprung";
    // As branches: refused as names, or taken as names.
    for (from, to) in [
        (
            "branch: main\n  update",
            format!("branch: \"{evil}\"\n  update"),
        ),
        (
            "branch: main\n  update",
            "branch: \"-x\"\n  update".to_owned(),
        ),
        (
            "branch: main\n  update",
            "branch: \"+main:main\"\n  update".to_owned(),
        ),
        (
            "branch: main\n    commit",
            format!("branch: \"{evil}\"\n    commit"),
        ),
        (
            "branch: main\n    commit",
            format!("tag: \"{evil}\"\n    commit"),
        ),
        (
            "branch: main\n    commit",
            format!("commit: \"{evil}\"\n    commit"),
        ),
        (
            "branch: main\n    commit",
            format!("semver: \"{evil}\"\n    commit"),
        ),
        (
            "branch: main\n  update",
            format!("branch: main\n      refspec: \"{evil}\"\n  update"),
        ),
        (
            "branch: main\n  update",
            "branch: main\n      refspec: \"--mirror\"\n  update".to_owned(),
        ),
    ] {
        let shop = Shop::open();
        let main = shop.head("main");
        shop.set_automation(|text| {
            let changed = text.replace(from, &to);
            assert_ne!(changed, text);
            changed
        });
        let ran = shop.reconcile(&["--yes"]);
        assert!(
            !is_sprung(&shop)
                && !shop
                    .environment
                    .path()
                    .join("served/gitops.git/sprung")
                    .exists(),
            "{to}: {}",
            ran.stderr
        );
        assert_ne!(ran.status, 0, "{to}: {}", ran.stderr);
        assert_eq!(shop.head("main"), main, "{to}");
        let refs = shop.git(&["for-each-ref", "--format=%(refname)"]);
        assert_eq!(refs, "refs/heads/main");
    }
    for url in [
        "ext::sh -c 'touch sprung'",
        "ssh://-oProxyCommand=touch${IFS}sprung/x",
        "ssh://git@-oProxyCommand=touch/x",
        "--upload-pack=touch sprung",
        "http://-x/y",
        "fd::17",
    ] {
        let shop = Shop::open();
        let source = environment::git_repository("gitops")
            .replace("https://user:secret@git.example.com/team/gitops", url);
        shop.environment.write("objects/source.yaml", &source);
        let ran = shop.reconcile(&["--yes"]);
        assert_ne!(ran.status, 0, "{url}: {}", ran.stderr);
        assert!(!is_sprung(&shop), "{url}");
    }
}

#[test]
fn push_options_are_one_argument_each() {
    let shop = Shop::open();
    shop.set_automation(|text| {
        text.replace(
            "    push:\n      branch: main\n",
            "    push:\n      branch: main\n      options:\n        --receive-pack: touch sprung\n        a b: \"c; touch sprung\"\n",
        )
    });
    shop.hook(
        "pre-receive",
        "echo \"$GIT_PUSH_OPTION_0|$GIT_PUSH_OPTION_1\" > options",
    );
    let _ = shop.reconcile(&["--yes"]).expect(0);
    assert_eq!(
        shop.environment.read("served/gitops.git/options"),
        "--receive-pack=touch sprung|a b=c; touch sprung\n"
    );
    assert!(!is_sprung(&shop));
}
