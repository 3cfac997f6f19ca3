//! `diff` with files from a git server: what it predicts where the server refuses, isn't there, or isn't a git server.

use serde_json::{Value, json};

use crate::cluster::FakeCluster;
use crate::environment::{self, Environment, Ran};
use crate::server::{Response, Server};

/// A cluster whose policy is at 1.2.0, with a source at `url`.
fn cluster(url: &str) -> FakeCluster {
    let cluster = FakeCluster::start();
    cluster
        .add(&environment::git_repository("gitops"))
        .add(&environment::semver_policy("app", ">=1.0.0"))
        .add(&environment::automation("images", "main", "./apps"));
    let latest = json!({"name": "registry.example.com/team/app", "tag": "1.2.0"});
    cluster
        .merge(
            "ImagePolicy",
            "app",
            &json!({"status": {"latestRef": latest}}),
        )
        .merge("GitRepository", "gitops", &json!({"spec": {"url": url}}));
    cluster
}

fn diff(environment: &Environment) -> Ran {
    environment.run(&["diff", "--tags-from", "status", "-o", "json"])
}

fn error(ran: &Ran) -> Value {
    ran.json()["automations"][0]["error"].clone()
}

fn predicted(message: &str) -> Value {
    json!({"reason": "GitOperationFailed", "message": format!("failed to checkout source: {message}")})
}

#[test]
fn a_server_that_is_not_there_is_the_controllers_failure_too() {
    let environment = cluster("http://127.0.0.1:1/gitops.git").environment();
    let ran = diff(&environment).expect(5);
    let expected = predicted(
        "unable to clone 'http://127.0.0.1:1/gitops.git': Get \"http://127.0.0.1:1/gitops.git/info/refs?service=git-upload-pack\": dial tcp 127.0.0.1:1: connect: connection refused",
    );
    assert_eq!(error(&ran), expected);
    assert!(
        ran.stderr
            .contains("GitRepository flux-system/gitops: cloning http://127.0.0.1:1/gitops.git: "),
        "{}",
        ran.stderr
    );
}

#[test]
fn refusals_quote_the_server() {
    for (status, words) in [
        (401, "authentication required"),
        (403, "authorization failed"),
        (404, "repository not found"),
    ] {
        let server = Server::start(move |_| Response::text(status, "go away"));
        let environment = cluster(&format!("http://{}/gitops.git", server.address)).environment();
        let ran = diff(&environment).expect(5);
        let message = error(&ran)["message"].as_str().unwrap().to_owned();
        assert!(message.contains(&format!("{words}: go away")), "{message}");
    }
}

#[test]
fn a_page_is_no_repository() {
    let server = Server::start(|_| Response::text(200, "<html>welcome</html>"));
    let environment = cluster(&format!("http://{}/gitops.git", server.address)).environment();
    let ran = diff(&environment).expect(5);
    assert!(!error(&ran).is_null());
}

#[test]
fn the_login_of_the_object_is_sent_and_never_shown() {
    let server = Server::start(|_| Response::text(401, "wrong"));
    let cluster = cluster(&format!("http://{}/gitops.git", server.address));
    cluster.merge(
        "GitRepository",
        "gitops",
        &json!({"spec": {"secretRef": {"name": "login"}}}),
    );
    let environment = cluster.environment();
    let missing = diff(&environment).expect(1);
    assert_eq!(error(&missing)["reason"], "SourceManagerFailed");
    assert!(server.requests().is_empty());
    cluster.add("apiVersion: v1\nkind: Secret\nmetadata:\n  name: login\n  namespace: flux-system\ndata:\n  username: Ym90\n  password: c2VjcmV0LXBhc3N3b3Jk\n");
    let mut command = environment.imageauto();
    command.args(["diff", "--tags-from", "status", "-v"]);
    let output = command.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(5), "{text}");
    assert_eq!(
        server.requests()[0].header("authorization"),
        Some("Basic Ym90OnNlY3JldC1wYXNzd29yZA==")
    );
    assert!(
        !text.contains("secret-password") && !text.contains("c2VjcmV0"),
        "{text}"
    );
}

#[test]
fn a_source_that_is_not_there_is_the_controllers_failure() {
    let cluster = FakeCluster::start();
    cluster
        .add(&environment::semver_policy("app", ">=1.0.0"))
        .add(&environment::automation("images", "main", "./apps"));
    let ran = diff(&cluster.environment()).expect(1);
    assert_eq!(
        error(&ran),
        json!({"reason": "SourceManagerFailed", "message": "failed configuring source manager: referenced git repository does not exist: GitRepository.source.toolkit.fluxcd.io \"gitops\" not found"})
    );
}

#[test]
fn a_secret_that_may_not_be_read_leaves_the_users_own_git() {
    let server = Server::start(|_| {
        let mut refusal = Response::text(401, "who are you");
        refusal
            .headers
            .push(("WWW-Authenticate", "Basic realm=\"git\"".into()));
        refusal
    });
    let cluster = cluster(&format!("http://{}/gitops.git", server.address));
    cluster
        .merge(
            "GitRepository",
            "gitops",
            &json!({"spec": {"secretRef": {"name": "login"}}}),
        )
        .forbid("/secrets/");
    let environment = cluster.environment();
    let ran = diff(&environment).expect(5);
    assert_eq!(error(&ran)["reason"], "Unknown");
    assert!(ran.stderr.contains("with your own git configuration, since the cluster forbids to get secrets in namespace flux-system"), "{}", ran.stderr);
    environment.write(
        ".gitconfig",
        "[credential]\n\thelper = \"!f() { echo username=me; echo password=mine-alone; }; f\"\n",
    );
    let ran = diff(&environment).expect(5);
    let sent = server
        .requests()
        .iter()
        .filter_map(|request| request.header("authorization").map(str::to_owned))
        .collect::<Vec<_>>();
    assert_eq!(
        sent.last().map(String::as_str),
        Some("Basic bWU6bWluZS1hbG9uZQ==")
    );
    assert!(!ran.stderr.contains("mine-alone"), "{}", ran.stderr);
}
