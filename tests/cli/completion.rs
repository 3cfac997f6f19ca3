//! `completion` and the protocol behind it, and `version`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cluster::FakeCluster;
use crate::environment::{self, Environment, Ran};

/// A folder of PATH with the program in it under its two names, as an installation has them.
fn installed(environment: &Environment) -> PathBuf {
    let bin = environment.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let program = environment::program();
    for name in ["kubectl-imageauto", "flux-imageauto"] {
        std::os::unix::fs::symlink(program, bin.join(name)).unwrap();
    }
    bin
}

/// PATH with the installed program in front.
fn path_with(bin: &Path) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(all).unwrap()
}

fn candidates(ran: &Ran) -> Vec<&str> {
    let lines = ran.stdout.lines();
    lines
        .filter(|line| !line.starts_with(':'))
        .map(|line| line.split('\t').next().unwrap())
        .collect()
}

fn shop() -> FakeCluster {
    let cluster = FakeCluster::start();
    cluster
        .add(&environment::image_repository("app"))
        .add(&environment::semver_policy("app", ">=1.0.0"))
        .add(&environment::semver_policy("api", ">=1.0.0"))
        .add(&environment::automation("images", "main", "./apps"))
        .add("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: flux-system\n---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: apps\n");
    cluster
}

#[test]
fn commands_flags_and_live_names_are_candidates() {
    let cluster = shop();
    let environment = cluster.environment();
    let ask = |words: &[&str]| {
        let ran = environment
            .run(&[&["__complete"], words].concat())
            .expect(0);
        assert!(ran.stderr.is_empty(), "{ran:?}");
        ran
    };
    let commands = ask(&["re"]);
    assert_eq!(candidates(&commands), ["reconcile"]);
    assert!(commands.stdout.contains("reconcile\t"), "{commands:?}");
    assert!(commands.stdout.ends_with(":4\n"), "{commands:?}");
    assert_eq!(candidates(&ask(&["get", "policy", ""])), ["api", "app"]);
    assert_eq!(
        candidates(&ask(&["get", "policy/ap"])),
        ["policy/api", "policy/app"]
    );
    assert_eq!(candidates(&ask(&["diff", ""])), ["images"]);
    assert_eq!(candidates(&ask(&["tags", ""])), ["app"]);
    assert_eq!(candidates(&ask(&["get", "-n", "a"])), ["apps"]);
    assert_eq!(candidates(&ask(&["--context", ""])), ["test"]);
    assert_eq!(candidates(&ask(&["get", "-o", "js"])), ["json"]);
    // Nothing but the names' own kind was asked for.
    assert!(
        cluster
            .server
            .lines()
            .iter()
            .all(|line| !line.contains("secrets"))
    );
}

#[test]
fn manifests_give_names_without_a_cluster() {
    let environment = Environment::shop();
    let ran = environment
        .run(&["__complete", "diff", "-f", "objects", ""])
        .expect(0);
    assert_eq!(ran.stdout, "images\n:4\n");
}

#[test]
fn a_cluster_that_is_not_there_costs_a_moment_and_says_nothing() {
    let environment = Environment::new();
    let none = environment
        .run(&["__complete", "get", "policy", ""])
        .expect(0);
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), (":4\n", ""));
    // An address that takes connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    environment.write(".kube/config", &crate::cluster::kubeconfig(&address, "x"));
    let silent = environment
        .run(&["__complete", "get", "policy", ""])
        .expect(0);
    assert_eq!(
        (silent.stdout.as_str(), silent.stderr.as_str()),
        (":4\n", "")
    );
}

#[test]
fn install_writes_one_link_and_uninstall_removes_it() {
    let environment = Environment::new();
    let bin = installed(&environment);
    let run = |program: &str, arguments: &[&str]| {
        let mut named = Command::new(bin.join(program));
        Ran::of(
            named
                .env_clear()
                .env("HOME", environment.path())
                .env("PATH", path_with(&bin))
                .args(arguments),
        )
    };
    let link = bin.join("kubectl_complete-imageauto");
    let wrote = run("kubectl-imageauto", &["completion", "install"]).expect(0);
    assert!(
        wrote.stderr.contains(&link.display().to_string()),
        "{wrote:?}"
    );
    let answer = run("kubectl_complete-imageauto", &["recon"]).expect(0);
    assert_eq!(candidates(&answer), ["reconcile"]);
    let again = run("kubectl-imageauto", &["completion", "install"]).expect(0);
    assert!(again.stderr.contains("already"), "{again:?}");
    let flux = run("flux-imageauto", &["completion", "install"]).expect(0);
    assert!(
        flux.stderr.contains("flux asks its plugins itself"),
        "{flux:?}"
    );
    let removed = run("kubectl-imageauto", &["completion", "uninstall"]).expect(0);
    assert!(removed.stderr.contains("removed"), "{removed:?}");
    assert!(!link.exists() && fs::symlink_metadata(&link).is_err());
    let nothing = run("kubectl-imageauto", &["completion", "uninstall"]).expect(0);
    assert!(nothing.stderr.contains("isn't there"), "{nothing:?}");
    fs::write(&link, "another's").unwrap();
    let refused = run("kubectl-imageauto", &["completion", "install"]).expect(6);
    assert!(refused.stderr.contains("left alone"), "{refused:?}");
    let nowhere = environment.run(&["completion", "install"]).expect(2);
    assert!(
        nowhere.stderr.contains("in no folder of PATH"),
        "{nowhere:?}"
    );
}

/// Runs a script in a shell that has the program's completion; `None` where the shell isn't installed.
fn in_shell(shell: &[&str], script: &str, environment: &Environment) -> Option<Ran> {
    let there = Command::new(shell[0])
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !there {
        assert!(
            std::env::var_os("CI").is_none(),
            "{} isn't on PATH: scripts/programs installs it",
            shell[0]
        );
        return None;
    }
    let bin = installed(environment);
    let mut command = Command::new(shell[0]);
    command
        .env_clear()
        .env("HOME", environment.path())
        .env("LANG", "C.UTF-8")
        .env("PATH", path_with(&bin))
        .current_dir(environment.path());
    Some(Ran::of(command.args(&shell[1..]).arg(script)))
}

#[test]
fn bash_completes_with_the_script() {
    let cluster = shop();
    let environment = cluster.environment();
    environment.write("objects/x.yaml", "");
    // What readline does at the end of a line: cut it at COMP_WORDBREAKS, call the function, show COMPREPLY.
    let script = r#"
source <(kubectl-imageauto completion bash)
complete -p kubectl-imageauto
at() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kubectl_imageauto 2>/dev/null; echo "$*: ${COMPREPLY[*]}"; }
at kubectl-imageauto recon
at kubectl-imageauto get policy ''
at kubectl-imageauto get --output = js
at kubectl-imageauto get --output =
at kubectl-imageauto diff -f obj
at kubectl-imageauto -n flux-system diff ''
"#;
    let bash = ["bash", "--norc", "--noprofile", "-c"];
    let Some(ran) = in_shell(&bash, script, &environment) else {
        return;
    };
    let ran = ran.expect(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "complete -F _kubectl_imageauto kubectl-imageauto",
            "kubectl-imageauto recon: reconcile",
            "kubectl-imageauto get policy : api app",
            "kubectl-imageauto get --output = js: json",
            "kubectl-imageauto get --output =: json yaml name wide",
            "kubectl-imageauto diff -f obj: objects",
            "kubectl-imageauto -n flux-system diff : images",
        ],
        "{ran:?}"
    );
}

#[test]
fn zsh_completes_with_the_script() {
    let cluster = shop();
    let environment = cluster.environment();
    // A terminal of its own, in which a line is typed and completed.
    let script = r#"
zmodload zsh/zpty
zpty -b shell zsh -f -i
say() { zpty -w shell "$1"; }
until_seen() { local part all=''; repeat 200; do zpty -r -t shell part && all+="$part" || sleep 0.05; [[ $all == *$1* ]] && break; done; print -r -- "$all"; }
say 'PS1=; autoload -Uz compinit; compinit -u -D; source <(kubectl-imageauto completion zsh); LISTMAX=1000; bindkey "^I" complete-word; print REA""DY'
until_seen READY >/dev/null
zpty -n -w shell $'kubectl-imageauto recon\t'
print -r -- "one: $(until_seen 'reconcile')"
zpty -n -w shell $'\x15kubectl-imageauto get policy ap\t'
print -r -- "two: $(until_seen 'app')"
zpty -n -w shell $'\x15kubectl-imageauto get --output=js\t'
print -r -- "three: $(until_seen '=json')"
zpty -d shell
"#;
    let Some(ran) = in_shell(&["zsh", "-f", "-c"], script, &environment) else {
        return;
    };
    let ran = ran.expect(0);
    let after = |start: &str| ran.stdout.split(start).nth(1).unwrap_or_default();
    assert!(after("one: ").contains("reconcile"), "{ran:?}");
    assert!(after("two: ").contains("app"), "{ran:?}");
    assert!(after("two: ").contains("api"), "{ran:?}");
    assert!(after("three: ").contains("--output=json"), "{ran:?}");
}

#[test]
fn fish_completes_with_the_script() {
    let cluster = shop();
    let environment = cluster.environment();
    let script = "kubectl-imageauto completion fish | source
complete -C 'kubectl-imageauto recon'
complete -C 'kubectl-imageauto get policy '
complete -C 'kubectl-imageauto get --output=js'
complete -C 'kubectl-imageauto '";
    let Some(ran) = in_shell(&["fish", "--no-config", "-c"], script, &environment) else {
        return;
    };
    let ran = ran.expect(0);
    for wanted in ["reconcile\t", "\napi\napp\n", "--output=json", "\ndoctor\t"] {
        assert!(ran.stdout.contains(wanted), "{wanted:?}: {ran:?}");
    }
}

#[test]
fn every_shell_has_a_script() {
    let environment = Environment::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let ran = environment.run(&["completion", shell]).expect(0);
        assert!(
            ran.stdout.contains("kubectl-imageauto __complete"),
            "{shell}"
        );
    }
    let unknown = environment.run(&["completion", "nushell"]).expect(2);
    assert!(
        unknown.stderr.contains("unrecognized subcommand"),
        "{unknown:?}"
    );
}

#[test]
fn version_reads_only_itself() {
    let environment = Environment::new();
    let version = env!("CARGO_PKG_VERSION");
    let ran = environment.run(&["version", "--client"]).expect(0);
    assert!(
        ran.stdout
            .starts_with(&format!("kubectl-imageauto v{version} (")),
        "{}",
        ran.stdout
    );
    let document = environment.run(&["version", "-o", "json"]).expect(0).json();
    assert!(
        ran.stdout
            .contains("reads image.toolkit.fluxcd.io/v1, v1beta2, v1beta1"),
        "{ran:?}"
    );
    assert_eq!(document["apiVersions"][0], "v1");
    assert!(document["build"]["os"].is_string() && document["build"]["arch"].is_string());
    assert_eq!(
        (&document["schemaVersion"], &document["version"]),
        (&1.into(), &version.into())
    );
}
