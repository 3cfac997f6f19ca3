//! `doctor`: what it finds in the situations that users suffer from, word for word, and in which forms it tells.
//!
//! Each situation of `testdata/explanations` and `testdata/situations` has its diagnosis in `testdata/diagnoses`;
//! `UPDATE=1 cargo test --test cli doctor` accepts what is printed now.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use imageauto::findings::catalogue;
use serde_json::json;

use crate::cluster::FakeCluster;
use crate::environment::{self, Environment, Ran};
use crate::schema::violations_of;
use crate::server::{Response, Server};
use crate::shop::Shop;
use crate::situation::{Situation, parts, set_up, situations, told};

fn all() -> Vec<PathBuf> {
    let mut files = situations("explanations");
    files.extend(situations("situations"));
    files
}

/// The flags that say where a situation's objects, tags and files come from, behind `doctor`.
fn command(situation: &Situation) -> Vec<String> {
    let mut command = vec!["doctor".to_owned()];
    let mut words = situation.command.iter();
    while let Some(word) = words.next() {
        if ["-f", "--tags-from", "--worktree", "--flux-version"].contains(&word.as_str()) {
            command.push(word.clone());
            command.extend(words.next().cloned());
        }
    }
    command
}

/// Asks `doctor` about a situation.
pub fn diagnose(situation: &Situation, more: &[&str]) -> Ran {
    let command = command(situation);
    let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    arguments.extend(more);
    situation.environment.run(&arguments)
}

#[test]
fn every_situation_is_diagnosed_in_the_words_that_were_accepted() {
    let update = std::env::var_os("UPDATE").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/diagnoses");
    fs::create_dir_all(&folder).unwrap();
    let mut wrong = Vec::new();
    for file in all() {
        let situation = set_up(&parts(&fs::read_to_string(&file).unwrap()));
        let now = told("doctor", &diagnose(&situation, &[]), &situation);
        let golden = folder.join(file.file_name().unwrap());
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if now == expected {
            continue;
        }
        if update {
            fs::write(&golden, now).unwrap();
        } else {
            wrong.push(format!("{}:\n{now}", golden.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "UPDATE=1 accepts these:\n{}",
        wrong.join("\n")
    );
}

/// Ids whose case needs more than a situation: the test that has it, and the test that has its twin.
pub const ELSEWHERE: [(&str, &str, &str); 19] = [
    (
        "apply-rejected",
        "only_bad_outcomes_are_findings",
        "only_bad_outcomes_are_findings",
    ),
    (
        "apply-conflict",
        "only_bad_outcomes_are_findings",
        "only_bad_outcomes_are_findings",
    ),
    (
        "apply-forbidden",
        "only_bad_outcomes_are_findings",
        "only_bad_outcomes_are_findings",
    ),
    (
        "apply-drift",
        "only_bad_outcomes_are_findings",
        "only_bad_outcomes_are_findings",
    ),
    (
        "manifest-unusable",
        "each_cluster_has_objects_of_its_own",
        "each_cluster_has_objects_of_its_own",
    ),
    (
        "policy-test-fails",
        "policies_are_tested_beside_their_manifests",
        "policies_are_tested_beside_their_manifests",
    ),
    (
        "policy-convention",
        "policies_follow_a_convention_that_is_asked_for",
        "policies_follow_a_convention_that_is_asked_for",
    ),
    (
        "cluster-unreachable",
        "several_clusters_are_asked_side_by_side",
        "several_clusters_are_asked_side_by_side",
    ),
    (
        "push-branch-diverged",
        "what_a_push_would_meet_is_found_without_pushing",
        "what_a_push_would_meet_is_found_without_pushing",
    ),
    (
        "push-credential-read-only",
        "what_a_push_would_meet_is_found_without_pushing",
        "what_a_push_would_meet_is_found_without_pushing",
    ),
    (
        "push-detached-head",
        "what_a_push_would_meet_is_found_without_pushing",
        "what_a_push_would_meet_is_found_without_pushing",
    ),
    (
        "refspec-unusable",
        "what_a_push_would_meet_is_found_without_pushing",
        "what_a_push_would_meet_is_found_without_pushing",
    ),
    (
        "rate-limited",
        "a_registry_that_refuses_is_the_cause_of_all_that_follows",
        "a_registry_that_answers_is_no_finding",
    ),
    (
        "registry-unauthorized",
        "a_registry_that_refuses_is_the_cause_of_all_that_follows",
        "a_registry_that_answers_is_no_finding",
    ),
    (
        "too-many-tags",
        "a_registry_that_refuses_is_the_cause_of_all_that_follows",
        "a_registry_that_answers_is_no_finding",
    ),
    (
        "credentials-for-other-host",
        "a_registry_that_refuses_is_the_cause_of_all_that_follows",
        "a_registry_that_answers_is_no_finding",
    ),
    (
        "not-checked",
        "secrets_that_may_not_be_read_are_a_note_with_their_rule",
        "what_may_not_be_read_is_named_with_its_rule",
    ),
    (
        "permission-missing",
        "what_may_not_be_read_is_named_with_its_rule",
        "secrets_that_may_not_be_read_are_a_note_with_their_rule",
    ),
    (
        "automations-overlap",
        "two_inputs_that_write_one_marker_are_found",
        "two_inputs_that_write_one_marker_are_found",
    ),
];

#[test]
fn the_document_is_of_its_schema_and_its_causes_come_from_it() {
    for file in all() {
        let situation = set_up(&parts(&fs::read_to_string(&file).unwrap()));
        let document = diagnose(&situation, &["-o", "json"]).json();
        let found = violations_of("findings-v1", &document);
        assert_eq!(found, Vec::<String>::new(), "{}", file.display());
        let findings = document["findings"].as_array().unwrap();
        for (index, finding) in findings.iter().enumerate() {
            assert_ne!(finding["evidence"], "", "{}: {finding}", file.display());
            assert_ne!(finding["remedy"], "", "{}: {finding}", file.display());
            let id = finding["id"].as_str().unwrap();
            assert!(catalogue::page(id).is_some(), "{id} has no page");
            for cause in finding["causes"].as_array().unwrap() {
                let cause = usize::try_from(cause.as_u64().unwrap()).unwrap();
                assert!(cause < findings.len() && cause != index, "{finding}");
            }
        }
    }
}

/// The usual shop, asked offline.
fn doctor(environment: &Environment, more: &[&str]) -> Ran {
    environment.offline("doctor", more)
}

#[test]
fn the_severity_that_fails_can_be_chosen() {
    let environment = Environment::shop();
    drop(doctor(&environment, &[]).expect(0));
    environment.write(
        "objects/app.yaml",
        &format!(
            "{}---\n{}",
            environment::image_repository("app"),
            environment::semver_policy("app", "<1.1.0")
        ),
    );
    drop(doctor(&environment, &[]).expect(0));
    drop(doctor(&environment, &["--fail-on", "note"]).expect(1));
    environment.write(
        "objects/app.yaml",
        &format!(
            "{}---\n{}",
            environment::image_repository("app"),
            environment::semver_policy("app", ">=7.0.0")
        ),
    );
    drop(doctor(&environment, &[]).expect(1));
    drop(doctor(&environment, &["--fail-on", "never"]).expect(0));
}

#[test]
fn a_finding_is_explained_by_its_id() {
    let environment = Environment::shop();
    let ids: BTreeSet<&str> = catalogue::ids().collect();
    let list = environment.run(&["doctor", "--explain", "list"]).expect(0);
    assert_eq!(list.stdout.lines().count(), ids.len());
    for id in ids {
        let page = environment.run(&["doctor", "--explain", id]).expect(0);
        assert!(page.stdout.starts_with(&format!("{id}\n\n")), "{id}");
    }
    let wrong = environment
        .run(&["doctor", "--explain", "scan-old"])
        .expect(2);
    assert!(wrong.stderr.contains("scan-stale"), "{}", wrong.stderr);
}

/// The ids that a run found, with those of their causes.
#[track_caller]
fn chains(ran: &Ran) -> Vec<(String, Vec<String>)> {
    let document = ran.json();
    assert_eq!(
        violations_of("findings-v1", &document),
        Vec::<String>::new()
    );
    let findings = document["findings"].as_array().unwrap();
    let id = |index: usize| findings[index]["id"].as_str().unwrap().to_owned();
    let causes = |index: usize| {
        let causes = findings[index]["causes"].as_array().unwrap().iter();
        let causes = causes.map(|cause| usize::try_from(cause.as_u64().unwrap()).unwrap());
        causes.map(id).collect()
    };
    (0..findings.len())
        .map(|index| (id(index), causes(index)))
        .collect()
}

#[track_caller]
fn assert_chain(ran: &Ran, chain: &[&str]) {
    let found = chains(ran);
    for (place, id) in chain.iter().enumerate() {
        let cause: Vec<String> = chain[..place]
            .last()
            .map(|&id| id.to_owned())
            .into_iter()
            .collect();
        assert!(
            found.contains(&((*id).to_owned(), cause.clone())),
            "{id} from {cause:?} is not in {found:?}\n{}",
            ran.stderr
        );
    }
}

#[test]
fn what_a_push_would_meet_is_found_without_pushing() {
    let doctor = |shop: &Shop| {
        let flags = [
            "doctor",
            "-f",
            "objects",
            "--tags-from",
            "tags.json",
            "-o",
            "json",
        ];
        shop.environment.run(&flags)
    };
    let shop = Shop::open();
    let before = shop.refs();
    assert_eq!(chains(&doctor(&shop)), []);
    for refspec in ["refs/heads/main", "HEAD:refs/for/main"] {
        shop.set_automation(|text| {
            let push = format!("branch: main\n      refspec: {refspec:?}\n  update");
            text.replace("branch: main\n  update", &push)
        });
        assert_chain(&doctor(&shop), &["refspec-unusable", "update-fails"]);
    }
    assert_eq!(shop.refs(), before);
    shop.git(&["tag", "v1", "main"]);
    shop.set_automation(|text| {
        text.replace("branch: main\n    commit", "tag: v1\n    commit")
            .replace("branch: main\n  update", "branch: auto\n  update")
    });
    drop(shop.others_commit("auto", "note", "theirs"));
    assert_chain(&doctor(&shop), &["push-branch-diverged"]);
    shop.set_automation(|text| {
        text.replace(
            "branch: main\n    commit",
            "branch: main\n        tag: v1\n    commit",
        )
        .replace("    push:\n      branch: main\n", "")
    });
    let ran = doctor(&shop);
    let ids: Vec<String> = chains(&ran).into_iter().map(|(id, _)| id).collect();
    assert!(
        ids.contains(&"push-detached-head".to_owned()),
        "{ids:?} {}",
        ran.stderr
    );
    let shop = Shop::behind("readonly");
    assert_chain(&doctor(&shop), &["push-credential-read-only"]);
}

#[test]
fn a_registry_that_refuses_is_the_cause_of_all_that_follows() {
    let answer = |status: u16, code: &'static str, message: &'static str| {
        Server::start(move |request| {
            if request.path == "/v2/" {
                return Response::json(200, &json!({}));
            }
            let errors = json!({"errors": [{"code": code, "message": message}]});
            Response::json(status, &errors)
        })
    };
    let quay = "Too many tags requested; requested limit 1000 is too high, max is 100";
    for (registry, cause) in [
        (answer(401, "UNAUTHORIZED", "no"), "registry-unauthorized"),
        (answer(429, "TOOMANYREQUESTS", "slow down"), "rate-limited"),
        (
            answer(400, "TOO_MANY_TAGS_REQUESTED", quay),
            "too-many-tags",
        ),
    ] {
        let cluster = FakeCluster::start();
        let environment = cluster.environment();
        let repository = environment::image_repository("app");
        cluster.add(&repository.replace("registry.example.com", &registry.address));
        cluster.add(&environment::semver_policy("app", ">=1.0.0"));
        let ran = environment.run(&["doctor", "-o", "json"]).expect(4);
        assert_chain(&ran, &[cause, "scan-stale", "policy-stuck-on-old-tag"]);
        if cause != "registry-unauthorized" {
            continue;
        }
        let config = r#"{"auths": {"ghcr.io": {"auth": "eDp5"}}}"#;
        cluster.add(
            &json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
                "metadata": {"namespace": "flux-system", "name": "pull"},
                "data": {".dockerconfigjson": BASE64.encode(config)}})
            .to_string(),
        );
        let part = json!({"spec": {"secretRef": {"name": "pull"}}});
        cluster.merge("ImageRepository", "app", &part);
        let ran = environment.run(&["doctor", "-o", "json"]).expect(4);
        let chain = [
            "credentials-for-other-host",
            cause,
            "scan-stale",
            "policy-stuck-on-old-tag",
        ];
        assert_chain(&ran, &chain);
    }
}

#[test]
fn a_registry_that_answers_is_no_finding() {
    let registry = Server::start(|request| match request.path.as_str() {
        "/v2/" => Response::json(200, &json!({})),
        _ => Response::json(200, &json!({"name": "team/app", "tags": ["1.0.0"]})),
    });
    let cluster = FakeCluster::start();
    let environment = cluster.environment();
    let repository = environment::image_repository("app");
    cluster.add(&repository.replace("registry.example.com", &registry.address));
    cluster.add(&environment::semver_policy("app", ">=1.0.0"));
    let config = json!({"auths": {registry.address.clone(): {"auth": "eDp5"}}});
    cluster.add(
        &json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"namespace": "flux-system", "name": "pull"},
            "data": {".dockerconfigjson": BASE64.encode(config.to_string())}})
        .to_string(),
    );
    let part = json!({"spec": {"secretRef": {"name": "pull"}}});
    cluster.merge("ImageRepository", "app", &part);
    let ran = environment.run(&["doctor", "-o", "json"]);
    let ids: Vec<String> = chains(&ran).into_iter().map(|(id, _)| id).collect();
    for id in [
        "rate-limited",
        "registry-unauthorized",
        "too-many-tags",
        "credentials-for-other-host",
    ] {
        assert!(!ids.contains(&id.to_owned()), "{ids:?}");
    }
}

#[test]
fn what_may_not_be_read_is_named_with_its_rule() {
    let cluster = FakeCluster::start();
    let environment = cluster.environment();
    cluster.add(&environment::image_repository("app"));
    cluster.add(&environment::semver_policy("app", ">=1.0.0"));
    cluster.forbid("imagerepositories");
    let ran = environment.run(&["doctor"]);
    assert!(
        ran.stdout.contains("warning[permission-missing]")
            && ran
                .stdout
                .contains("resources: [\"imagerepositories\"], verbs: [\"get\", \"list\"]"),
        "{}",
        ran.stdout
    );
    for kind in ["imagepolicies", "imageupdateautomations", "gitrepositories"] {
        cluster.forbid(kind);
    }
    // One who may read nothing gets an answer all the same.
    let ran = environment.run(&["doctor"]);
    assert!(ran.stdout.contains("permission-missing"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("can't be listed all at once"),
        "{}",
        ran.stderr
    );
}

#[test]
fn secrets_that_may_not_be_read_are_a_note_with_their_rule() {
    let registry = Server::start(|request| match request.path.as_str() {
        "/v2/" => Response::json(200, &json!({})),
        _ => Response::json(200, &json!({"name": "team/app", "tags": ["1.0.0"]})),
    });
    let cluster = FakeCluster::start();
    let environment = cluster.environment();
    let repository = environment::image_repository("app");
    cluster.add(&repository.replace("registry.example.com", &registry.address));
    let part = json!({"spec": {"secretRef": {"name": "pull"}}});
    cluster.merge("ImageRepository", "app", &part);
    cluster.add(
        &json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"namespace": "flux-system", "name": "pull"},
            "data": {".dockerconfigjson": BASE64.encode("{\"auths\": {}}")}})
        .to_string(),
    );
    let seen = environment.run(&["doctor"]);
    assert!(
        !seen.stdout.contains("permission-missing"),
        "{}",
        seen.stdout
    );
    cluster.forbid("secrets");
    let ran = environment.run(&["doctor"]);
    let rule = "a Role with the rule apiGroups: [\"\"], resources: [\"secrets\"], resourceNames: [\"pull\"], verbs: [\"get\"]";
    assert!(
        ran.stdout.contains("note[not-checked]") && ran.stdout.contains(rule),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr
            .contains("Not checked: secrets in flux-system (not-checked)"),
        "{}",
        ran.stderr
    );
    // It costs nothing: whoever may not read Secrets gets the other answers.
    let other = environment.run(&["doctor", "--fail-on", "warning"]);
    assert_eq!((seen.status, ran.status), (other.status, other.status));
}

#[test]
fn each_login_is_asked_about_once() {
    let shop = Shop::open();
    let automation = environment::automation("more", "main", "./apps");
    shop.environment.write("objects/more.yaml", &automation);
    let usual = ["doctor", "-f", "objects", "--tags-from", "tags.json"];
    drop(shop.server.seen());
    let ran = shop.environment.run(&usual);
    let asked = shop.server.seen();
    let rights = asked
        .iter()
        .filter(|seen| seen.target.contains("service=git-receive-pack"));
    assert_eq!(rights.count(), 1, "{asked:?}\n{}", ran.stdout);
}

#[test]
fn every_form_of_output_holds_what_was_found() {
    let environment = Environment::shop();
    environment.write(
        "objects/app.yaml",
        &format!(
            "{}---\n{}",
            environment::image_repository("app"),
            environment::semver_policy("app", ">=7.0.0")
        ),
    );
    for (form, words) in [
        ("json", "\"id\": \"no-version-in-range\""),
        ("sarif", "\"ruleId\": \"no-version-in-range\""),
        (
            "junit",
            "<testcase classname=\"no-version-in-range\" name=\"ImagePolicy flux-system/app\">",
        ),
        (
            "github",
            "::error title=no-version-in-range::ImagePolicy flux-system/app: ",
        ),
        (
            "markdown",
            "| error | `no-version-in-range` | ImagePolicy flux-system/app | ",
        ),
        (
            "prometheus",
            "imageauto_findings{context=\"\",id=\"no-version-in-range\",severity=\"error\"} 1",
        ),
    ] {
        let ran = doctor(&environment, &["-o", form]).expect(1);
        assert!(ran.stdout.contains(words), "{form}: {}", ran.stdout);
    }
    let ran = doctor(&environment, &["-o", "yaml"]).expect(2);
    assert!(ran.stderr.contains("sarif"), "{}", ran.stderr);
}

#[test]
fn two_inputs_that_write_one_marker_are_found() {
    let environment = Environment::shop();
    let objects = |range: &str| {
        [
            environment::git_repository("gitops"),
            environment::image_repository("app"),
            environment::semver_policy("app", range),
            environment::automation("images", "main", "./apps"),
        ]
        .join("---\n")
    };
    environment.write("staging/all.yaml", &objects(">=1.0.0"));
    environment.write("prod/all.yaml", &objects("<1.1.0"));
    let flags = [
        "doctor",
        "-f",
        "staging=staging",
        "-f",
        "prod=prod",
        "--tags-from",
        "tags.json",
        "--worktree",
        "gitops",
    ];
    let ran = environment.run(&flags).expect(1);
    assert!(
        ran.stdout.contains(
            "error[automations-overlap]: prod: apps/app.yaml:10: flux-system/images in prod writes registry.example.com/team/app:1.0.0, and flux-system/images in staging writes registry.example.com/team/app:1.2.0"
        ),
        "{}",
        ran.stdout
    );
    environment.write("prod/all.yaml", &objects(">=1.0.0"));
    drop(environment.run(&flags).expect(0));
    let mixed = environment.run(&["doctor", "-f", "staging=staging", "-f", "prod"]);
    assert!(mixed.expect(2).stderr.contains("or none"));
}

#[test]
fn several_clusters_are_asked_side_by_side() {
    let (one, other) = (FakeCluster::start(), FakeCluster::start());
    let environment = one.environment();
    one.add(&environment::semver_policy("app", ">=1.0.0"));
    other.add(&environment::semver_policy("lib", ">=1.0.0"));
    let named = |cluster: &FakeCluster, name: &str| {
        cluster
            .kubeconfig()
            .replace("name: test", &format!("name: {name}"))
            .replace("cluster: test", &format!("cluster: {name}"))
            .replace("user: test", &format!("user: {name}"))
            .replace("current-context: test", &format!("current-context: {name}"))
    };
    environment.write(".kube/config", &named(&one, "prod-1"));
    environment.write(".kube/more", &named(&other, "prod-2"));
    let path = environment.path().join(".kube");
    let mut command = environment.imageauto();
    command.env(
        "KUBECONFIG",
        format!(
            "{}:{}",
            path.join("config").display(),
            path.join("more").display()
        ),
    );
    command.args(["doctor", "--contexts", "/^prod-/", "-o", "json"]);
    let ran = Ran::of(&mut command);
    let document = ran.json();
    let contexts: BTreeSet<&str> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["context"].as_str().unwrap())
        .collect();
    assert_eq!(
        contexts,
        BTreeSet::from(["prod-1", "prod-2"]),
        "{}",
        ran.stderr
    );
    assert!(
        !ran.stdout.contains("cluster-unreachable"),
        "{}",
        ran.stdout
    );
    // A cluster that can't be asked is a finding, and the other is looked at all the same.
    environment.write(
        ".kube/more",
        &named(&other, "prod-2").replace(&other.server.address, "127.0.0.1:1"),
    );
    let ran = Ran::of(&mut command);
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    let found = chains(&ran);
    assert!(
        found.iter().any(|(id, _)| id == "cluster-unreachable"),
        "{found:?}"
    );
    assert!(
        found.iter().any(|(id, _)| id == "policy-unused"),
        "{found:?}"
    );
    command.args(["--contexts", "staging"]);
    let ran = Ran::of(&mut command).expect(2);
    assert!(
        ran.stderr.contains("it has prod-1, prod-2"),
        "{}",
        ran.stderr
    );
}
