//! Every form of a checkout ref with every kind of push branch.

use serde_json::{Value, json};

use super::{Case, case, compare, control_plane, run};
use crate::cluster::repository::{Repository, git, output};

#[test]
fn each_ref_leads_where_the_controller_goes() {
    let Some(plane) = control_plane() else { return };
    let cases = [
        branches(),
        tags(),
        commits(),
        names(),
        odd_names(),
        odd_repositories(),
        odd_trees(),
    ];
    let cases: Vec<Case> = cases.into_iter().flatten().collect();
    compare(plane, "clone-refs", &cases);
}

fn of(name: &str, checkout: Value, push: &str) -> Case {
    case(name).refs(checkout, push)
}

fn branches() -> Vec<Case> {
    let main = || json!({"branch": "main"});
    vec![
        of("branch", main(), ""),
        of("branch-of-source", Value::Null, "").source(json!({"ref": {"branch": "main"}})),
        of("default-master", Value::Null, "master"),
        of("default-nothing", Value::Null, ""),
        of("branch-missing", json!({"branch": "missing"}), ""),
        of("branch-missing-push", json!({"branch": "missing"}), "auto"),
        of("push-same", main(), "main"),
        of("push-new", main(), "new"),
        of("push-existing", main(), "auto"),
        of("push-behind", main(), "behind"),
        of("push-deep", main(), "deep/er"),
    ]
}

fn tags() -> Vec<Case> {
    vec![
        of("tag", json!({"tag": "1.0.0"}), "new"),
        of("tag-existing", json!({"tag": "1.0.0"}), "auto"),
        of("tag-light-existing", json!({"tag": "1.1.0"}), "auto"),
        of("tag-missing", json!({"tag": "nope"}), "auto"),
        of(
            "tag-and-branch",
            json!({"tag": "1.0.0", "branch": "main"}),
            "",
        ),
        of("tag-full", json!({"tag": "refs/tags/1.0.0"}), "new"),
        of("tag-of-tag", json!({"tag": "outer"}), "new").prepared(|repository| {
            run(repository, &["tag", "-a", "-m", "x", "outer", "1.0.0"], b"");
        }),
        of("tag-of-blob", json!({"tag": "blob"}), "new").prepared(blob_tag),
        of("tag-of-tree", json!({"tag": "1.9.0"}), "new").prepared(tree_tag),
        of("semver", json!({"semver": ">=1.0.0"}), "new"),
        of("semver-existing", json!({"semver": ">=1.0.0"}), "auto"),
        of("semver-prerelease", json!({"semver": ">=1.0.0-0"}), "new"),
        of("semver-none", json!({"semver": ">=9"}), "new"),
        of("semver-bad", json!({"semver": "not a range"}), "new"),
        of(
            "semver-and-branch",
            json!({"semver": ">=1.0.0", "branch": "main"}),
            "",
        ),
        of(
            "semver-and-tag",
            json!({"semver": ">=1.0.0", "tag": "1.0.0"}),
            "new",
        ),
        of("semver-tie", json!({"semver": "1.x"}), "new").prepared(tied_tags),
        of("semver-blob", json!({"semver": "1.x"}), "new").prepared(blob_tag),
        of("semver-tree", json!({"semver": "1.x"}), "new").prepared(tree_tag),
        of("semver-tag-of-tag", json!({"semver": "1.x"}), "new").prepared(|repository| {
            run(repository, &["tag", "-a", "-m", "x", "3.0.0", "1.0.0"], b"");
        }),
    ]
}

fn commits() -> Vec<Case> {
    let second = || json!({"commit": "{main~1}"});
    let with_branch = |branch: &str| json!({"commit": "{main~1}", "branch": branch});
    vec![
        of("commit", second(), "new"),
        of("commit-existing", second(), "auto"),
        of("commit-branch-existing", with_branch("main"), "auto"),
        of("commit-branch", with_branch("main"), ""),
        of("commit-branch-missing", with_branch("missing"), ""),
        of("commit-branch-missing-push", with_branch("missing"), "auto"),
        of(
            "commit-of-no-branch",
            json!({"commit": "{refs/pull/1/head}"}),
            "auto",
        ),
        of(
            "commit-of-other-branch",
            json!({"commit": "{auto}", "branch": "main"}),
            "main",
        ),
        of(
            "commit-unknown",
            json!({"commit": "0123456789012345678901234567890123456789"}),
            "auto",
        ),
        of("commit-short", json!({"commit": "abc"}), "auto"),
        of("commit-word", json!({"commit": "main"}), "auto"),
        of("commit-upper", json!({"commit": "{MAIN~1}"}), "new"),
        of("commit-long", json!({"commit": "{main~1}abcd"}), "new"),
    ]
}

fn names() -> Vec<Case> {
    let name = |name: &str| json!({"name": name});
    let and_branch = |name: &str, branch: &str| json!({"name": name, "branch": branch});
    vec![
        of("name", name("refs/heads/main"), "main"),
        of("name-existing", name("refs/heads/main"), "auto"),
        of("name-without-push", name("refs/heads/main"), ""),
        of(
            "name-and-branch",
            and_branch("refs/heads/main", "behind"),
            "",
        ),
        of("name-tag", name("refs/tags/1.0.0"), "auto"),
        of("name-tag-light", name("refs/tags/1.1.0"), "new"),
        of("name-tag-peeled", name("refs/tags/1.0.0^{}"), "auto"),
        of("name-tag-light-peeled", name("refs/tags/1.1.0^{}"), "auto"),
        of("name-pull", name("refs/pull/1/head"), "auto"),
        of("name-odd", name("refs/odd/main"), "auto"),
        of("name-odd-new", name("refs/odd/main"), "new"),
        of("name-odd-branch", and_branch("refs/odd/main", "main"), ""),
        of(
            "name-odd-branch-new",
            and_branch("refs/odd/main", "main"),
            "new",
        ),
        of("name-head", name("HEAD"), "new"),
        of("name-short", name("main"), "new"),
        of("name-missing", name("refs/heads/nope"), "new"),
        of("name-slash", name("refs/heads/main/"), "new"),
        of("name-slash-first", name("/refs/heads/main"), "new"),
    ]
}

fn odd_names() -> Vec<Case> {
    let branch = |name: &str| json!({"branch": name});
    let mut cases: Vec<Case> = [
        "-x",
        "--upload-pack=x",
        "1.1.0",
        "a b",
        "main x",
        "a\tb",
        "a..b",
        "a*",
        "a*b*",
        "a:b",
        "a^b",
        "x/",
        "/main",
        "refs/heads/main",
    ]
    .iter()
    .enumerate()
    .map(|(index, name)| of(&format!("branch-odd-{index}"), branch(name), ""))
    .collect();
    cases.extend(
        [
            "a b",
            "-x",
            "a..b",
            "a:b",
            "refs/heads/x",
            "HEAD",
            "main/x",
            "deep",
            "auto/x",
            "x.lock",
            "@",
        ]
        .iter()
        .enumerate()
        .map(|(index, push)| of(&format!("push-odd-{index}"), branch("main"), push)),
    );
    cases.extend([
        of("branch-colon-push", branch("a:b"), "x"),
        of("push-above", branch("deep/er"), "deep"),
        of("tag-blank", json!({"tag": "a b"}), "x"),
        of("tag-star", json!({"tag": "1*"}), "x"),
        of("tag-colon", json!({"tag": "a:b"}), "x"),
        of("tag-push-below", json!({"tag": "1.0.0"}), "main/x"),
        of("semver-push-below", json!({"semver": "1.x"}), "main/x"),
        of("commit-push-below", json!({"commit": "{main~1}"}), "main/x"),
        of(
            "commit-push-above",
            json!({"commit": "{main~2}", "branch": "deep/er"}),
            "deep",
        ),
        of("name-blank", json!({"name": "refs/heads/a b"}), "x"),
    ]);
    cases
}

fn odd_repositories() -> Vec<Case> {
    let branch = || json!({"branch": "main"});
    let second = || json!({"commit": "{main~1}"});
    let semver = || json!({"semver": "1.x"});
    vec![
        of("headless-branch", branch(), "new").prepared(headless),
        of("headless-semver", semver(), "new").prepared(headless),
        of("headless-commit", second(), "new").prepared(headless),
        of("detached-name", json!({"name": "HEAD"}), "x").prepared(detached),
        of("detached-semver", semver(), "main/x").prepared(detached),
        of("empty-branch", branch(), "").prepared(emptied),
        of("empty-branch-push", branch(), "new").prepared(emptied),
        of("empty-branch-bad-push", branch(), "a b").prepared(emptied),
        of("empty-tag", json!({"tag": "x"}), "new").prepared(emptied),
        of("empty-semver", json!({"semver": "x"}), "new").prepared(emptied),
        of("empty-name", json!({"name": "refs/heads/main"}), "new").prepared(emptied),
        of("empty-commit", second(), "new").prepared(emptied),
        of("only-odd-refs", branch(), "").prepared(|repository| {
            emptied(repository);
            blob_tag(repository);
        }),
    ]
}

fn odd_trees() -> Vec<Case> {
    vec![
        case("tree-submodule").prepared(|repository| {
            let head = run(repository, &["rev-parse", "main"], b"");
            add_entry(repository, &format!("160000 {head} sub"));
        }),
        case("tree-link-out").prepared(|repository| {
            let target = run(
                repository,
                &["hash-object", "-w", "--stdin"],
                b"/etc/passwd",
            );
            add_entry(repository, &format!("120000 {target} link"));
        }),
        case("tree-parent").prepared(|repository| add_file(repository, "..")),
        case("tree-git-folder").prepared(|repository| add_file(repository, ".git")),
        case("tree-git-folder-upper").prepared(|repository| add_file(repository, ".GIT")),
        case("tree-git-folder-short").prepared(|repository| add_file(repository, "git~1")),
        case("tree-git-folder-dots").prepared(|repository| add_file(repository, ".git . .")),
        case("tree-device").prepared(|repository| add_file(repository, "aux.yaml")),
        case("tree-device-numbered").prepared(|repository| add_file(repository, "COM1")),
        case("tree-no-device").prepared(|repository| add_file(repository, "auxiliary.yaml")),
        case("tree-control").prepared(|repository| add_file(repository, "a\tb")),
        case("tree-colon").prepared(|repository| add_file(repository, "c:x")),
        case("tree-backslash").prepared(|repository| add_file(repository, "x\\y")),
        case("tree-backslash-parent").prepared(|repository| add_file(repository, "x\\..\\y")),
        case("tree-modules-link").prepared(|repository| {
            let target = run(repository, &["hash-object", "-w", "--stdin"], b"x");
            add_entry(repository, &format!("120000 {target} .gitmodules"));
        }),
        case("tree-push-device")
            .refs(json!({"branch": "main"}), "auto")
            .prepared(|repository| {
                repository.commit_files("auto", "Device", [("x/nul.txt", b"x".as_slice())]);
            }),
    ]
}

fn blob_tag(repository: &Repository) {
    let blob = run(repository, &["hash-object", "-w", "--stdin"], b"x");
    run(repository, &["update-ref", "refs/tags/blob", &blob], b"");
}

fn tree_tag(repository: &Repository) {
    run(
        repository,
        &["tag", "-a", "-m", "x", "1.9.0", "main^{tree}"],
        b"",
    );
}

/// Three tags of one version; the commit of `1.9.0+b` is the latest.
fn tied_tags(repository: &Repository) {
    for (tag, date) in [("1.9.0+a", "2020"), ("1.9.0+b", "2030"), ("v1.9.0", "2001")] {
        let mut command = git();
        command.arg("--git-dir").arg(repository.folder());
        command.args(["commit-tree", "-m", date, "-p", "main", "main^{tree}"]);
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Someone");
            command.env(format!("GIT_{role}_EMAIL"), "someone@example.com");
            command.env(
                format!("GIT_{role}_DATE"),
                format!("{date}-01-01T00:00:00Z"),
            );
        }
        let commit = String::from_utf8_lossy(&output(&mut command, b""))
            .trim()
            .to_owned();
        run(repository, &["tag", tag, &commit], b"");
    }
}

fn headless(repository: &Repository) {
    run(
        repository,
        &["symbolic-ref", "HEAD", "refs/heads/gone"],
        b"",
    );
}

fn detached(repository: &Repository) {
    let head = run(repository, &["rev-parse", "main"], b"");
    run(
        repository,
        &["update-ref", "--no-deref", "HEAD", &head],
        b"",
    );
}

fn emptied(repository: &Repository) {
    for name in run(repository, &["for-each-ref", "--format=%(refname)"], b"").lines() {
        run(repository, &["update-ref", "-d", name], b"");
    }
}

fn add_file(repository: &Repository, name: &str) {
    let blob = run(repository, &["hash-object", "-w", "--stdin"], b"x");
    add_entry(repository, &format!("100644 {blob} {name}"));
}

/// Adds a commit to `main` with one more entry `mode id name` in its tree, whatever git says of the name.
fn add_entry(repository: &Repository, entry: &str) {
    let listing = run(
        repository,
        &[
            "ls-tree",
            "--format=%(objectmode) %(objectname) %(path)",
            "main",
        ],
        b"",
    );
    let mut entries: Vec<Vec<&str>> = listing
        .lines()
        .chain([entry])
        .map(|line| line.splitn(3, ' ').collect())
        .collect();
    entries.sort_by_key(|parts| parts[2]);
    let mut bytes = Vec::new();
    for parts in entries {
        bytes.extend(format!("{} {}\0", parts[0].trim_start_matches('0'), parts[2]).bytes());
        let digit = |index: usize| {
            u8::from_str_radix(&parts[1][index..index + 2], 16).expect("an id is hexadecimal")
        };
        bytes.extend((0..40).step_by(2).map(digit));
    }
    let tree = run(
        repository,
        &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"],
        &bytes,
    );
    let commit = run(
        repository,
        &["commit-tree", "-m", "Entry", "-p", "main", &tree],
        b"",
    );
    run(repository, &["update-ref", "refs/heads/main", &commit], b"");
}
