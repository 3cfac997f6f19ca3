use super::*;
use crate::facts::git::RemoteRefs;

const URL: &str = "https://git.example.com/r.git";

/// `main` at 3, `auto` at 4, `deep/er` at 1, the annotated tag `1.0.0` of 1, the tag `1.1.0` at 2, and `HEAD` at `main`.
fn refs() -> RemoteRefs {
    let id = |digit: &str| digit.repeat(40);
    let ids = [
        ("refs/heads/main", "3"),
        ("refs/heads/auto", "4"),
        ("refs/heads/deep/er", "1"),
        ("refs/tags/1.0.0", "a"),
        ("refs/tags/1.1.0", "2"),
        ("refs/pull/1/head", "5"),
    ];
    RemoteRefs {
        ids: ids.map(|(name, digit)| (name.to_owned(), id(digit))).into(),
        peeled: [("refs/tags/1.0.0".to_owned(), id("1"))].into(),
        head: Some(id("3")),
        default_branch: Some("main".into()),
    }
}

fn to(branch: &str) -> Switch {
    Switch {
        branch: branch.into(),
        all_branches: true,
    }
}

fn branch(name: &str) -> Target {
    Target::Branch(name.into())
}

fn named(name: &str, branch: Option<&str>) -> Target {
    Target::Name {
        name: name.into(),
        branch: branch.map(str::to_owned),
    }
}

fn commit(id: &str, branch: Option<&str>) -> Target {
    Target::Commit {
        commit: id.into(),
        branch: branch.map(str::to_owned),
    }
}

fn planned(target: &Target, switch: Option<&str>) -> (Start, Option<String>) {
    let plan = plan(target, switch.map(to).as_ref(), false, &refs()).unwrap();
    (plan.start, plan.switch)
}

fn said(target: &Target, switch: Option<&str>, refs: &RemoteRefs) -> String {
    let said = plan(target, switch.map(to).as_ref(), false, refs).unwrap_err();
    said.text(URL).unwrap_or_else(|| "panic".into())
}

fn start(name: &str) -> Start {
    Start::Ref(name.into())
}

#[test]
fn a_ref_means_its_commit_then_name_then_tag_then_semver_then_branch() {
    let mut reference = GitReference::default();
    let of = |reference: &GitReference| Target::of(reference, FluxVersion::V2_9);
    assert_eq!(of(&reference), branch("master"));
    reference.branch = "main".into();
    assert_eq!(of(&reference), branch("main"));
    reference.semver = "1.x".into();
    assert_eq!(of(&reference), Target::Semver("1.x".into()));
    reference.tag = "t".into();
    assert_eq!(of(&reference), Target::Tag("t".into()));
    reference.name = "refs/heads/x".into();
    assert_eq!(of(&reference), named("refs/heads/x", Some("main")));
    assert_eq!(
        Target::of(&reference, FluxVersion::V2_6),
        Target::Tag("t".into())
    );
    reference.commit = "c".into();
    assert_eq!(of(&reference), commit("c", Some("main")));
}

#[test]
fn the_push_branch_is_taken_from_the_remote_where_the_clone_knows_it() {
    let main = || start("refs/heads/main");
    let auto = Some("refs/heads/auto".to_owned());
    assert_eq!(planned(&branch("main"), None), (main(), None));
    assert_eq!(
        planned(&branch("main"), Some("auto")),
        (main(), auto.clone())
    );
    assert_eq!(planned(&branch("main"), Some("new")), (main(), None));
    assert_eq!(
        planned(&named("refs/heads/main", None), Some("auto")),
        (main(), auto.clone())
    );
    assert_eq!(
        planned(&named("refs/heads/main", None), Some("main")),
        (main(), None)
    );
    // A tag's clone knows nothing else.
    for tag in [
        Target::Tag("1.0.0".into()),
        named("refs/tags/1.0.0", None),
        named("refs/tags/1.0.0^{}", None),
    ] {
        assert_eq!(
            planned(&tag, Some("auto")),
            (start("refs/tags/1.0.0"), None)
        );
    }
    assert_eq!(
        planned(&Target::Semver("1.x".into()), Some("auto")),
        (Start::LatestTag("1.x".into()), auto)
    );
    let rebuilt = Switch {
        branch: "auto".into(),
        all_branches: false,
    };
    let plan = plan(&branch("main"), Some(&rebuilt), false, &refs()).unwrap();
    assert_eq!((plan.start, plan.switch), (main(), None));
}

#[test]
fn a_commit_is_looked_for_in_the_branches_that_are_fetched() {
    let of = |target: &Target, switch| match planned(target, switch) {
        (Start::Commit { id, heads, .. }, switch) => (id, heads.len(), switch),
        other => panic!("{other:?}"),
    };
    let two = "2".repeat(40);
    let auto = Some("refs/heads/auto".to_owned());
    assert_eq!(
        of(&commit(&two, None), Some("auto")),
        (two.clone(), 3, auto.clone())
    );
    assert_eq!(
        of(&commit(&two, Some("main")), Some("auto")),
        (two.clone(), 3, auto)
    );
    assert_eq!(of(&commit(&two, Some("main")), None), (two, 1, None));
    assert_eq!(
        of(&named("refs/pull/1/head", None), Some("new")),
        ("5".repeat(40), 3, None)
    );
    assert_eq!(of(&named("HEAD", None), Some("new")).0, "0".repeat(40));
    assert_eq!(commit_id("ABCDEF"), format!("abcdef{}", "0".repeat(34)));
    assert_eq!(commit_id(&"ab".repeat(32)), "ab".repeat(20));
    assert_eq!(commit_id("main"), "0".repeat(40));
}

#[test]
fn what_is_missing_is_told_as_the_controller_does() {
    let refs = refs();
    let cloning = |cause: &str| format!("unable to clone '{URL}': {cause}");
    assert_eq!(
        said(&branch("x"), None, &refs),
        cloning("couldn't find remote ref \"refs/heads/x\"")
    );
    assert_eq!(
        said(&branch("x"), Some("auto"), &refs),
        cloning("reference not found")
    );
    assert_eq!(
        said(&Target::Tag("x".into()), Some("auto"), &refs),
        cloning("couldn't find remote ref \"refs/tags/x\"")
    );
    assert_eq!(
        said(&commit("2", Some("x")), None, &refs),
        cloning("couldn't find remote ref \"refs/heads/x\"")
    );
    for (name, cause) in [
        ("a b", "couldn't find remote ref \"refs/heads/a\""),
        ("main x", "reference not found"),
        ("a*", "reference not found"),
        ("a*b*", "malformed refspec, mismatched number of wildcards"),
        ("a:b", "malformed refspec, separators are wrong"),
    ] {
        assert_eq!(said(&branch(name), None, &refs), cloning(cause));
    }
    for name in ["refs/heads/x", "main", "refs/tags/1.1.0^{}"] {
        assert_eq!(
            said(&named(name, None), Some("auto"), &refs),
            format!("unable to resolve ref '{name}' to a specific commit")
        );
    }
    assert_eq!(
        said(&named("refs/heads/main/", None), Some("auto"), &refs),
        "ref refs/heads/main/ is invalid; Git refs cannot begin or end with a slash '/'"
    );
}

#[test]
fn a_push_branch_that_cannot_be_made_is_told() {
    let refs = refs();
    let told = |target: Target, push: &str| said(&target, Some(push), &refs);
    assert_eq!(
        told(branch("main"), "a b"),
        "could not checkout to branch 'a b': invalid reference name"
    );
    assert_eq!(
        told(branch("main"), "main/x"),
        "could not checkout to branch 'main/x': mkdir <clone>/.git/refs/heads/main: not a directory"
    );
    assert_eq!(
        told(branch("deep/er"), "deep"),
        "could not checkout to branch 'deep': open <clone>/.git/refs/heads/deep: is a directory"
    );
    assert_eq!(
        told(Target::Semver("1.x".into()), "main/x"),
        "could not checkout to branch 'main/x': mkdir <clone>/.git/refs/heads/main: not a directory"
    );
    // Only what is local stands in the way; the server then refuses the push.
    assert_eq!(planned(&branch("main"), Some("deep")).1, None);
    assert_eq!(
        planned(&Target::Tag("1.0.0".into()), Some("main/x")).1,
        None
    );
}

#[test]
fn a_repository_without_a_head_lacks_a_default_branch() {
    let mut refs = refs();
    refs.head = None;
    refs.default_branch = None;
    for target in [Target::Semver("1.x".into()), commit("2", None)] {
        assert_eq!(
            said(&target, Some("new"), &refs),
            format!("unable to clone '{URL}': reference not found")
        );
    }
    assert!(plan(&branch("main"), None, false, &refs).is_ok());
}

#[test]
fn an_empty_repository_makes_the_controller_panic_or_fail() {
    let empty = RemoteRefs::default();
    assert_eq!(said(&branch("main"), None, &empty), "panic");
    assert_eq!(
        said(&branch("main"), Some("new"), &empty),
        "could not checkout to branch 'new': reference not found"
    );
    assert_eq!(
        said(&Target::Tag("x".into()), Some("new"), &empty),
        format!("unable to clone: remote repository is empty: git repository: '{URL}'")
    );
    assert_eq!(
        said(&named("refs/heads/main", None), Some("new"), &empty),
        format!("unable to list remote for '{URL}': remote repository is empty")
    );
    assert!(
        said(&Target::Semver("junk".into()), Some("new"), &empty).starts_with("semver parse error")
    );
}

#[test]
fn the_limit_is_a_minute_unless_the_repository_says_another() {
    let mut spec = GitRepositorySpec::default();
    assert_eq!(timeout(&spec), Duration::from_secs(60));
    spec.timeout = Some("1m30s".into());
    assert_eq!(timeout(&spec), Duration::from_secs(90));
}
