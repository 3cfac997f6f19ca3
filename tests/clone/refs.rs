//! Which commit each kind of ref leads to, and where the push branch then starts.

use imageauto::controllers::checkout::Target;
use imageauto::io::git::{CloneErrorKind, CloneRequest};

use super::repository::Repository;
use super::{cloned, refused, request, text, to};

struct Case {
    repository: Repository,
    _folder: tempfile::TempDir,
}

fn case() -> Case {
    let folder = tempfile::tempdir().unwrap();
    Case {
        repository: Repository::standard(folder.path(), "r.git"),
        _folder: folder,
    }
}

impl Case {
    fn of(&self, target: Target, push: Option<&str>) -> CloneRequest {
        CloneRequest {
            target,
            switch: push.and_then(to),
            ..request(&self.repository.url())
        }
    }

    /// The revisions that are checked out and rewritten.
    fn stands(&self, target: Target, push: Option<&str>) -> [String; 2] {
        let clone = cloned(&self.of(target, push));
        let taken = clone.push_branch_exists;
        assert_eq!(taken, clone.checkout_commit != clone.head_commit);
        let names = ["main", "main~1", "main~2", "auto"];
        [clone.checkout_commit, clone.head_commit].map(|id| {
            let name = names
                .into_iter()
                .find(|name| self.repository.id(name) == id);
            name.map_or(id.clone(), str::to_owned)
        })
    }
}

fn branch(name: &str) -> Target {
    Target::Branch(name.into())
}

fn named(name: &str) -> Target {
    Target::Name {
        name: name.into(),
        branch: None,
    }
}

fn commit(id: String, branch: Option<&str>) -> Target {
    Target::Commit {
        commit: id,
        branch: branch.map(str::to_owned),
    }
}

#[test]
fn each_kind_of_ref_leads_to_its_commit_and_to_the_push_branch() {
    let case = case();
    let second = case.repository.id("main~1");
    for (target, push, expected) in [
        (branch("main"), None, ["main", "main"]),
        (branch("main"), Some("new"), ["main", "main"]),
        (branch("main"), Some("auto"), ["main", "auto"]),
        (named("refs/heads/main"), Some("auto"), ["main", "auto"]),
        (
            Target::Tag("1.0.0".into()),
            Some("auto"),
            ["main~2", "main~2"],
        ),
        (
            Target::Tag("1.1.0".into()),
            Some("new"),
            ["main~1", "main~1"],
        ),
        (
            named("refs/tags/1.0.0^{}"),
            Some("new"),
            ["main~2", "main~2"],
        ),
        (
            Target::Semver("1.x".into()),
            Some("new"),
            ["main~1", "main~1"],
        ),
        (
            Target::Semver("1.x".into()),
            Some("auto"),
            ["main~1", "auto"],
        ),
        (
            commit(second.clone(), None),
            Some("auto"),
            ["main~1", "auto"],
        ),
        (
            commit(second.clone(), Some("main")),
            None,
            ["main~1", "main~1"],
        ),
        (
            commit(second.to_uppercase(), None),
            Some("new"),
            ["main~1", "main~1"],
        ),
    ] {
        assert_eq!(
            case.stands(target.clone(), push),
            expected,
            "{target:?} {push:?}"
        );
    }
}

#[test]
fn a_clone_is_shallow_but_for_a_commit() {
    let case = case();
    let clone = cloned(&case.of(branch("main"), to("auto").map(|_| "auto")));
    assert!(clone.push_branch_exists);
    assert_eq!(clone.branch.as_deref(), Some("auto"));
    let clone = cloned(&case.of(Target::Semver("1.x".into()), Some("new")));
    assert_eq!(clone.tag.as_deref(), Some("1.1.0"));
    let clone = cloned(&case.of(commit(case.repository.id("main~2"), None), None));
    assert_eq!(clone.branch, None);
}

#[test]
fn what_is_not_there_is_told_as_the_controller_does() {
    let case = case();
    let url = case.repository.url();
    assert_eq!(
        text(&case.of(branch("nope"), None)),
        format!("unable to clone '{url}': couldn't find remote ref \"refs/heads/nope\"")
    );
    assert_eq!(
        text(&case.of(branch("nope"), Some("auto"))),
        format!("unable to clone '{url}': reference not found")
    );
    assert_eq!(
        text(&case.of(Target::Tag("nope".into()), Some("auto"))),
        format!("unable to clone '{url}': couldn't find remote ref \"refs/tags/nope\"")
    );
    assert_eq!(
        text(&case.of(named("main"), Some("auto"))),
        "unable to resolve ref 'main' to a specific commit"
    );
    assert_eq!(
        text(&case.of(Target::Semver(">=9".into()), Some("auto"))),
        "no match found for semver: >=9"
    );
    assert_eq!(
        text(&case.of(commit("abc".into(), None), Some("auto"))),
        "unable to resolve commit object for 'abc': object not found"
    );
    let auto = case.repository.id("auto");
    assert_eq!(
        text(&case.of(commit(auto.clone(), Some("main")), None)),
        format!("unable to resolve commit object for '{auto}': object not found")
    );
    let error = refused(&case.of(branch("nope"), None));
    assert_eq!(error.kind, CloneErrorKind::MissingRef);
    assert!(!error.panics(false));
}

#[test]
fn names_that_look_like_options_are_names() {
    let case = case();
    let url = case.repository.url();
    for name in ["--upload-pack=touch pwned", "-x", "--exec=x"] {
        let short = name.split(' ').next().unwrap();
        assert_eq!(
            text(&case.of(branch(name), None)),
            format!("unable to clone '{url}': couldn't find remote ref \"refs/heads/{short}\"")
        );
        assert_eq!(
            text(&case.of(named(name), Some("x"))),
            format!("unable to resolve ref '{name}' to a specific commit")
        );
        let missing = text(&case.of(commit(name.into(), None), Some("x")));
        assert!(missing.ends_with("object not found"), "{missing}");
    }
    let id = case.repository.id("main");
    case.repository
        .run(&["update-ref", "refs/heads/-x", &id], b"");
    assert_eq!(case.stands(branch("-x"), None), ["main", "main"]);
    for url in [
        "ssh://-oProxyCommand=touch/x",
        "ssh://-x@host/x",
        "ext::touch pwned",
        "git://host/x",
        "--upload-pack=touch",
        "ftp://host/x",
    ] {
        let error = refused(&request(url));
        assert_eq!(error.kind, CloneErrorKind::OurRefusal, "{error}");
    }
}

#[test]
fn tags_of_other_things_fail_the_clone() {
    let case = case();
    let url = case.repository.url();
    let blob = case.repository.run(&["hash-object", "-w", "--stdin"], b"x");
    case.repository
        .run(&["update-ref", "refs/tags/blobby", &blob], b"");
    assert_eq!(
        text(&case.of(Target::Tag("blobby".into()), Some("new"))),
        format!("unable to clone '{url}': unable to resolve commit")
    );
    assert_eq!(
        text(&case.of(Target::Semver("1.x".into()), Some("new"))),
        "unable to resolve tag revision: reference not found"
    );
    case.repository
        .run(&["update-ref", "-d", "refs/tags/blobby"], b"");
    case.repository
        .run(&["tag", "-a", "-m", "outer", "3.0.0", "1.0.0"], b"");
    assert_eq!(
        case.stands(Target::Tag("3.0.0".into()), Some("new")),
        ["main~2", "main~2"]
    );
    assert_eq!(
        text(&case.of(Target::Semver("1.x".into()), Some("new"))),
        "unable to resolve tag revision: unsupported object type"
    );
}

#[test]
fn tags_of_one_version_and_one_second_are_a_toss() {
    let case = case();
    for (tag, revision) in [("1.2.0", "main"), ("v1.2.0", "auto")] {
        case.repository.run(&["tag", tag, revision], b"");
    }
    let error = refused(&case.of(Target::Semver("1.x".into()), Some("new")));
    assert_eq!(error.kind, CloneErrorKind::NotDeterministic);
    assert!(error.to_string().contains("1.2.0, v1.2.0"), "{error}");
    assert_eq!(error.controller_text(false), None);
}

#[test]
fn an_empty_repository_makes_the_controller_panic() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::empty(folder.path(), "empty.git");
    let error = refused(&request(&repository.url()));
    assert_eq!(error.kind, CloneErrorKind::Empty);
    assert!(error.panics(false));
    assert!(error.to_string().contains("push a first commit"), "{error}");
    let with_push = CloneRequest {
        switch: to("new"),
        ..request(&repository.url())
    };
    assert_eq!(
        text(&with_push),
        "could not checkout to branch 'new': reference not found"
    );
}

#[test]
fn a_repository_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}/nowhere.git", folder.path().display());
    let error = refused(&request(&url));
    assert_eq!(error.kind, CloneErrorKind::NoRepository, "{error}");
    assert_eq!(
        error.controller_text(false).unwrap(),
        format!("unable to clone: repository not found: git repository: '{url}'")
    );
}
