//! `tags`: what registries list, what exclusion lists hide of it, and what the controller knows.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::cluster::FakeCluster;
use crate::environment::{self, Environment, Ran};
use crate::registry::{LOGIN, content, registry};
use crate::schema::violations_of;
use crate::server::{Response, Server};

/// A cluster with one repository on a fake registry.
struct Case {
    cluster: FakeCluster,
    environment: Environment,
    host: String,
}

impl Case {
    fn new(host: &str) -> Self {
        let cluster = FakeCluster::start();
        let case = Self {
            environment: cluster.environment(),
            cluster,
            host: host.to_owned(),
        };
        case.add("app")
    }

    fn add(self, name: &str) -> Self {
        let manifest = environment::image_repository(name);
        self.cluster
            .add(&manifest.replace("registry.example.com", &self.host));
        self
    }

    /// Gives a repository a pull Secret that the registry takes.
    fn log_in(self, name: &str) -> Self {
        let auth = base64::engine::general_purpose::STANDARD.encode(LOGIN);
        let config = json!({"auths": {(&self.host): {"auth": auth}}}).to_string();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"namespace": "flux-system", "name": "pull"},
            "data": {".dockerconfigjson": base64::engine::general_purpose::STANDARD.encode(config)},
        });
        self.cluster.add(&secret.to_string());
        self.merge(name, &json!({"spec": {"secretRef": {"name": "pull"}}}))
    }

    fn merge(self, name: &str, part: &Value) -> Self {
        self.cluster.merge("ImageRepository", name, part);
        self
    }

    /// Gives a repository the status of a scan five minutes and more ago.
    fn scanned(self, name: &str, latest: &[&str], count: u64, revision: &str) -> Self {
        let image = format!("{}/team/{name}", self.host);
        self.merge(
            name,
            &json!({"status": {
                "canonicalImageName": image,
                "observedExclusionList": ["^.*\\.sig$"],
                "lastScanResult": {
                    "latestTags": latest, "tagCount": count, "revision": revision,
                    "scanTime": "2026-01-01T00:00:00Z",
                },
            }}),
        )
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.environment.run(&[&["tags"], arguments].concat())
    }
}

/// The checksum of 1.0.0, 1.2.0, 1.3.0 and latest.
const REVISION: &str = "2535262118";

#[test]
fn the_usual_report_is_short() {
    let registry = registry();
    let case = Case::new(&registry.address).log_in("app").scanned(
        "app",
        &["latest", "1.2.0", "1.0.0"],
        3,
        "1",
    );
    let ran = case.run(&["app"]).expect(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        lines[0],
        format!(
            "{}/team/app: 5 tags, 1 hidden by ^.*\\.sig$; credentials: Secret flux-system/pull",
            case.host
        )
    );
    assert_eq!(lines[1], "1.3.0  1.2.0  1.0.0  latest");
    let view = "\u{25ce} the controller's view is STALE: 3 tags, checksum 1, ";
    assert!(lines[2].starts_with(view), "{}", lines[2]);
    let now = format!(" old; now {REVISION}. New: 1.3.0. Next scan due for ");
    assert!(lines[2].contains(&now), "{}", lines[2]);
    assert_eq!(lines.len(), 3);
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_view_with_the_same_checksum_is_current_in_both_forms() {
    let registry = Server::start(content);
    for revision in [
        REVISION,
        "sha256:42ef056d9922dec1c1b62ab59b7e464a09bd3e4b0538852a92c7ea53174eb752",
    ] {
        let case = Case::new(&registry.address).scanned("app", &["latest"], 4, revision);
        let ran = case.run(&["app", "-o", "json"]).expect(0);
        let view = ran.json()["repositories"][0]["controllerView"].clone();
        assert_eq!(view["current"], true, "{view}");
        assert_eq!(view["revisionNow"], *revision);
        let ran = case.run(&["app"]).expect(0);
        assert!(ran.stdout.contains("view is CURRENT: 4 tags"), "{ran:?}");
    }
}

#[test]
fn never_scanned_and_without_checksum_are_told() {
    let registry = Server::start(content);
    let case = Case::new(&registry.address);
    let ran = case.run(&["app"]).expect(0);
    assert!(
        ran.stdout
            .contains("the controller has not scanned it yet. Next scan due (first scan)"),
        "{ran:?}"
    );
    let case = case.scanned("app", &["latest"], 4, "");
    let ran = case.run(&["app"]).expect(0);
    assert!(ran.stdout.contains("view is UNKNOWN: 4 tags, "), "{ran:?}");
    assert!(ran.stdout.contains("recorded no checksum"), "{ran:?}");
}

#[test]
fn json_is_a_recording_that_keeps_to_the_schema() {
    let registry = registry();
    let case = Case::new(&registry.address)
        .log_in("app")
        .scanned("app", &["latest"], 9, "1")
        .add("gone")
        .add("bad");
    let case = case.merge("bad", &json!({"spec": {"image": "https://x.io/a"}}));
    let ran = case.run(&["-o", "json", "--digest", "1.3.0"]).expect(4);
    let document = ran.json();
    assert_eq!(violations_of("tags-v1", &document), Vec::<String>::new());
    let rows = document["repositories"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    let [app, bad, gone] = [&rows[0], &rows[1], &rows[2]];
    assert_eq!(app["name"], "app");
    assert_eq!(app["context"], "test");
    assert_eq!(
        app["tags"],
        json!(["1.0.0", "1.2.0", "1.3.0", "1.3.0.sig", "latest"])
    );
    assert_eq!(
        app["excluded"],
        json!([{"tag": "1.3.0.sig", "pattern": "^.*\\.sig$"}])
    );
    assert_eq!(
        app["digests"],
        json!({"1.3.0": format!("sha256:{}", "d".repeat(64))})
    );
    assert_eq!(app["credentials"]["secret"]["name"], "pull");
    assert_eq!(app["error"], Value::Null);
    assert_eq!(bad["canonicalName"], Value::Null);
    assert_eq!(bad["error"]["reason"], "ImageURLInvalid");
    assert_eq!(gone["error"]["reason"], "ReadOperationFailed");
    let message = gone["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("scan failed: GET http"), "{message}");
    assert!(!ran.stdout.contains("let-me-pull"));
}

#[test]
fn names_are_bare_where_one_repository_is_named() {
    let registry = Server::start(content);
    let case = Case::new(&registry.address);
    let ran = case.run(&["app", "-o", "name"]).expect(0);
    assert_eq!(ran.stdout, "1.3.0\n1.2.0\n1.0.0\nlatest\n");
    let ran = case.run(&["-o", "name"]).expect(0);
    let image = format!("{}/team/app:", case.host);
    assert_eq!(
        ran.stdout,
        format!("{image}1.3.0\n{image}1.2.0\n{image}1.0.0\n{image}latest\n")
    );
}

#[test]
fn several_repositories_come_in_their_order() {
    let registry = Server::start(|request| {
        let mut response = content(request);
        if request.path.ends_with("/tags/list") {
            response = Response::json(200, &json!({"tags": ["1.0.0"]}));
        }
        response
    });
    let mut case = Case::new(&registry.address);
    for name in ["zebra", "bear", "cat", "dog", "eel", "fox", "gnu"] {
        case = case.add(name);
    }
    let ran = case.run(&[]).expect(0);
    let heads: Vec<&str> = ran
        .stdout
        .lines()
        .filter_map(|line| line.split_once(" (")?.0.strip_prefix("flux-system/"))
        .collect();
    assert_eq!(
        heads,
        ["app", "bear", "cat", "dog", "eel", "fox", "gnu", "zebra"]
    );
    let ran = case.run(&["zebra", "bear", "-o", "wide"]).expect(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("NAME "), "{}", lines[0]);
    assert!(lines[1].starts_with("bear "), "{}", lines[1]);
    assert!(lines[2].starts_with("zebra "), "{}", lines[2]);
}

#[test]
fn what_is_named_and_is_not_there_is_told_and_the_others_are_listed() {
    let registry = Server::start(content);
    let case = Case::new(&registry.address);
    let ran = case.run(&["app", "nobody"]).expect(3);
    assert!(
        ran.stderr
            .contains("there is no ImageRepository nobody in namespace flux-system"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("team/app"), "{ran:?}");
    let ran = case.run(&["-n", "elsewhere"]).expect(0);
    assert!(
        ran.stderr
            .contains("no ImageRepository in namespace elsewhere; there are some in flux-system"),
        "{ran:?}"
    );
    assert_eq!(ran.stdout, "");
    let ran = case.run(&["policy/app"]).expect(2);
    assert!(ran.stderr.contains("not an ImagePolicy"), "{ran:?}");
    assert!(ran.stderr.contains("tags --help"), "{ran:?}");
    for flag in [
        &["--tags-from", "status"][..],
        &["--worktree", "."],
        &["-o", "yaml"],
    ] {
        let ran = case.run(flag).expect(2);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn who_may_not_list_may_name() {
    let registry = Server::start(content);
    let case = Case::new(&registry.address);
    case.cluster.forbid_exactly(
        "/apis/image.toolkit.fluxcd.io/v1/namespaces/flux-system/imagerepositories",
    );
    let ran = case.run(&["app"]).expect(0);
    assert!(ran.stdout.contains("5 tags"), "{ran:?}");
    let ran = case.run(&[]).expect(3);
    assert!(ran.stderr.contains("imagerepositories"), "{ran:?}");
}

#[test]
fn suspended_repositories_are_listed_as_if_resumed() {
    let registry = Server::start(content);
    let case = Case::new(&registry.address).scanned("app", &["latest"], 3, "1");
    let case = case.merge("app", &json!({"spec": {"suspend": true}}));
    let ran = case.run(&["app"]).expect(0);
    assert!(ran.stdout.contains("5 tags"), "{ran:?}");
    assert!(ran.stdout.contains("It is suspended"), "{ran:?}");
    assert!(
        ran.stderr.contains("is suspended: it is listed as if"),
        "{ran:?}"
    );
}

#[test]
fn failures_by_the_objects_alone_are_results() {
    let registry = Server::start(content);
    let case = Case::new(&registry.address)
        .merge("app", &json!({"spec": {"secretRef": {"name": "gone"}}}));
    let ran = case.run(&["app"]).expect(1);
    assert!(
        ran.stderr.contains(
            "ImageRepository flux-system/app: the controller fails (AuthenticationFailed): failed to configure authentication options: secrets \"gone\" not found"
        ),
        "{ran:?}"
    );
    let case =
        Case::new(&registry.address).merge("app", &json!({"spec": {"exclusionList": ["("]}}));
    let ran = case.run(&["app", "-o", "json"]).expect(1);
    let row = ran.json()["repositories"][0].clone();
    assert_eq!(row["tags"].as_array().unwrap().len(), 5);
    assert_eq!(row["error"]["reason"], "ReadOperationFailed");
}

/// Manifests, a work tree and a registry; the policy wants digests.
fn offline(host: &str) -> Environment {
    let environment = Environment::shop();
    let local = |text: String| text.replace("registry.example.com", host);
    let policy = environment::semver_policy("app", ">=1.0.0").replace(
        "  policy:",
        "  digestReflectionPolicy: IfNotPresent\n  policy:",
    );
    environment.write(
        "objects/app.yaml",
        &format!(
            "{}---\n{policy}",
            local(environment::image_repository("app"))
        ),
    );
    environment.write(
        "gitops/apps/app.yaml",
        &local(environment::deployment("app", "1.0.0")),
    );
    environment
}

#[test]
fn a_recording_gives_the_same_diff_offline() {
    let registry = Server::start(content);
    let environment = offline(&registry.address);
    let online = environment
        .run(&["diff", "-f", "objects", "--worktree", "gitops"])
        .expect(1);
    assert!(online.stdout.contains(":1.3.0@sha256:ddd"), "{online:?}");
    let recording = environment
        .run(&["tags", "-f", "objects", "-o", "json", "--digests"])
        .expect(0);
    assert_eq!(
        violations_of("tags-v1", &recording.json()),
        Vec::<String>::new()
    );
    environment.write("recorded.json", &recording.stdout);
    let asked = registry.requests().len();
    let again = ["diff", "-f", "objects", "--worktree", "gitops"];
    let offline = environment.run(&[&again[..], &["--tags-from", "recorded.json"]].concat());
    assert_eq!(offline.expect(1).stdout, online.stdout);
    assert_eq!(registry.requests().len(), asked);
}

#[test]
fn recorded_failures_fail_again() {
    let registry = registry();
    let environment = offline(&registry.address);
    let online = environment
        .run(&[
            "diff",
            "-f",
            "objects",
            "--worktree",
            "gitops",
            "-o",
            "json",
        ])
        .expect(4);
    let recording = environment
        .run(&["tags", "-f", "objects", "-o", "json"])
        .expect(4);
    environment.write("recorded.json", &recording.stdout);
    let offline = environment.run(&[
        "diff",
        "-f",
        "objects",
        "--worktree",
        "gitops",
        "-o",
        "json",
        "--tags-from",
        "recorded.json",
    ]);
    assert_eq!(offline.expect(4).stdout, online.stdout);
}

#[test]
fn a_registry_with_too_many_tags_is_an_error_and_no_shortened_list() {
    let registry = Server::start(content);
    let case = Case::new(&registry.address);
    let ran = case.run(&["app", "--max-tags", "4"]).expect(4);
    assert!(
        ran.stderr
            .contains("team/app has more than 4 tags: allow more with --max-tags"),
        "{ran:?}"
    );
    let head = format!(
        "{}/team/app: not listed (Unknown); credentials: none\n",
        case.host
    );
    assert!(ran.stdout.starts_with(&head), "{ran:?}");
    let ran = case.run(&["app", "--max-tags", "5"]).expect(0);
    assert!(ran.stdout.contains("5 tags"), "{ran:?}");
    for wrong in [
        &["--max-tags", "0"][..],
        &["--max-requests-per-host", "0"],
        &["--max-tags", "many"],
    ] {
        let ran = case.run(wrong).expect(2);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn where_the_controller_gives_up_the_list_comes_all_the_same() {
    let tries = AtomicUsize::new(0);
    let registry = Server::start(move |request| {
        if request.path.ends_with("/tags/list") && tries.fetch_add(1, Ordering::SeqCst) == 0 {
            let mut refusal = Response::json(
                429,
                &json!({"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]}),
            );
            refusal.headers.push(("Retry-After", "5".into()));
            refusal
                .headers
                .push(("RateLimit-Limit", "100;w=21600".into()));
            return refusal;
        }
        content(request)
    });
    let case = Case::new(&registry.address);
    let ran = case.run(&["app", "-v"]).expect(0);
    assert!(ran.stdout.contains("5 tags"), "{ran:?}");
    assert!(
        ran.stderr
            .contains("429 Too Many Requests (retry-after: 5s, ratelimit-limit: 100;w=21600)"),
        "{ran:?}"
    );
}

#[cfg(unix)]
#[test]
fn what_a_run_is_interrupted_in_ends_at_once() {
    let registry = Server::start(|request| {
        if request.path.ends_with("/tags/list") {
            std::thread::sleep(Duration::from_secs(60));
        }
        content(request)
    });
    let case = Case::new(&registry.address);
    let mut command = case.environment.imageauto();
    command.args(["tags", "app"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    while !registry.lines().iter().any(|line| line.ends_with("list")) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let pressed = Instant::now();
    let id = child.id().to_string();
    let kill = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(pressed.elapsed() < Duration::from_secs(10));
}

/// The ids of what was found about the only repository.
#[track_caller]
fn ids(ran: &Ran) -> Vec<String> {
    let document = ran.json();
    assert_eq!(violations_of("tags-v1", &document), Vec::<String>::new());
    let findings = document["repositories"][0]["findings"].clone();
    let ids = findings.as_array().unwrap().iter();
    ids.map(|finding| finding["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_secret_for_another_host_is_told_with_its_consequence() {
    let registry = registry();
    let case = Case::new(&registry.address).log_in("app");
    let config = json!({"auths": {"ghcr.io": {"auth": "eDp5"}}}).to_string();
    let config = base64::engine::general_purpose::STANDARD.encode(config);
    case.cluster.merge(
        "Secret",
        "pull",
        &json!({"data": {".dockerconfigjson": config}}),
    );
    let ran = case.run(&["app", "-o", "json"]).expect(4);
    assert_eq!(
        ids(&ran),
        ["credentials-for-other-host", "registry-unauthorized"]
    );
    let told = format!(
        "warning[credentials-for-other-host]: ImageRepository flux-system/app: {} is asked without credentials: Secret pull is for ghcr.io",
        case.host
    );
    assert!(ran.stderr.contains(&told), "{ran:?}");
    let help = format!(
        "help: give Secret pull an entry below auths for {}",
        case.host
    );
    assert!(ran.stderr.contains(&help), "{ran:?}");
}

#[test]
fn what_the_controller_gives_up_with_is_a_warning() {
    let tries = AtomicUsize::new(0);
    let registry = Server::start(move |request| {
        if request.path.ends_with("/tags/list") && tries.fetch_add(1, Ordering::SeqCst) == 0 {
            let body = json!({"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]});
            let mut refusal = Response::json(429, &body);
            refusal.headers.push(("Retry-After", "5".into()));
            return refusal;
        }
        content(request)
    });
    let case = Case::new(&registry.address);
    let ran = case.run(&["app", "-o", "json"]).expect(0);
    assert_eq!(ids(&ran), ["rate-limited"]);
    assert_eq!(ran.json()["repositories"][0]["error"], Value::Null);
    let waiting = format!(
        "{}: 429 Too Many Requests: it is asked again in 5s",
        case.host
    );
    assert!(ran.stderr.contains(&waiting), "{ran:?}");
    for words in [
        "puts off who asks (retry-after: 5s): the controller's scan fails",
        "TOOMANYREQUESTS: slow down",
        "help: add a secretRef",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
}

#[test]
fn quay_is_explained() {
    let registry = Server::start(|request| {
        if request.path.ends_with("/tags/list") {
            let message = "Too many tags requested; requested limit 1000 is too high, max is 100";
            return Response::json(
                400,
                &json!({"errors": [{"code": "TOO_MANY_TAGS_REQUESTED", "message": message}]}),
            );
        }
        content(request)
    });
    let case = Case::new(&registry.address);
    let ran = case.run(&["app", "-o", "json"]).expect(4);
    assert_eq!(ids(&ran), ["too-many-tags"]);
    assert!(ran.stderr.contains("max is 100"), "{ran:?}");
}

#[test]
fn defects_of_the_controller_are_told() {
    let registry = Server::start(content);
    let case = Case::new(&registry.address).log_in("app");
    let case = case.merge("app", &json!({"spec": {"certSecretRef": {"name": "pull"}}}));
    let ran = case.run(&["app", "-o", "json"]).expect(1);
    assert_eq!(ids(&ran), ["cert-secret-same-as-pull-secret"]);

    let case = Case::new("registry.invalid");
    let case = case.merge("app", &json!({"spec": {"insecure": true}}));
    case.cluster
        .add(&environment::semver_policy("app", "*"))
        .merge(
            "ImagePolicy",
            "app",
            &json!({"spec": {"digestReflectionPolicy": "IfNotPresent"}}),
        );
    let ran = case.run(&["app", "-o", "json"]).expect(4);
    assert_eq!(ids(&ran), ["digest-ignores-insecure"]);
}

#[test]
fn repositories_of_one_image_share_their_tags() {
    let registry = Server::start(content);
    let image = format!("{}/team/app", registry.address);
    let case = Case::new(&registry.address).add("twin");
    let case = case.merge("twin", &json!({"spec": {"image": image}}));
    let ran = case.run(&["app", "-o", "json"]).expect(0);
    assert_eq!(ids(&ran), ["duplicate-repository"]);
    assert_eq!(ran.stderr, "");
    let case = case.merge("twin", &json!({"spec": {"exclusionList": ["^1"]}}));
    let ran = case.run(&["app", "-o", "json"]).expect(0);
    assert_eq!(ids(&ran), ["tags-shared"]);
}

#[test]
fn more_requests_than_a_registry_allows_are_counted_before_it_refuses() {
    let registry = Server::start(|request| {
        let mut response = content(request);
        response
            .headers
            .push(("RateLimit-Limit", "10;w=3600".into()));
        response
    });
    let case = Case::new(&registry.address);
    let ran = case.run(&["app", "-o", "json"]).expect(0);
    assert_eq!(ids(&ran), ["scan-budget"]);
    assert!(
        ran.stderr.contains(
            "cost it 24 requests an hour, more than the 10 in 60m which it says it allows"
        ),
        "{ran:?}"
    );
}

/// A registry whose list grows once it was asked for the second time.
fn growing() -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(move |request| {
        if !request.path.ends_with("/tags/list") {
            return content(request);
        }
        let tags = match asked.fetch_add(1, Ordering::SeqCst) {
            0 => json!(["1.0.0"]),
            1 => return Response::text(404, "not now"),
            _ => json!(["1.0.0", "1.1.0", "1.1.0.sig"]),
        };
        Response::json(200, &json!({"tags": tags}))
    })
}

#[test]
fn a_watch_ends_with_a_new_tag() {
    let registry = growing();
    let case = Case::new(&registry.address);
    let ran = case.run(&["app", "--watch", "-o", "name"]).expect(0);
    assert_eq!(ran.stdout, "1.1.0\n");
    for words in [
        "waiting for a new tag of flux-system/app, which has 1",
        "not now; it is tried again",
        "flux-system/app: 1.1.0 after ",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
}

#[test]
fn a_watch_for_a_tag_ends_at_once_where_it_is_there() {
    let registry = Server::start(content);
    let case = Case::new(&registry.address);
    let ran = case.run(&["app", "--watch=1.3.0.sig"]).expect(0);
    assert!(
        ran.stderr.contains("flux-system/app: 1.3.0.sig after 0s"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("5 tags"), "{ran:?}");
}

#[test]
fn a_watch_ends_by_the_timeout_that_is_asked_for_and_by_what_never_changes() {
    let registry = Server::start(content);
    let case = Case::new(&registry.address);
    let ran = case
        .run(&["app", "--watch=2.0.0", "--timeout", "3s"])
        .expect(4);
    assert!(
        ran.stderr
            .contains("waiting for tag 2.0.0 took longer than 3s"),
        "{ran:?}"
    );
    let case = case.merge("app", &json!({"spec": {"image": "x:1"}}));
    let ran = case.run(&["app", "--watch"]).expect(1);
    assert!(ran.stderr.contains("ImageURLInvalid"), "{ran:?}");
    let ran = case.run(&["nobody", "--watch"]).expect(3);
    assert!(
        ran.stderr.contains("there is no ImageRepository nobody"),
        "{ran:?}"
    );
}
