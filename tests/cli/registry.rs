//! `diff` with tags from a registry: whose credentials it uses, and what it says when they are refused.

use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::cluster::FakeCluster;
use crate::environment::{self, Environment, Ran};
use crate::server::{Request, Response, Server};

/// Who may ask [`registry`].
pub const LOGIN: &str = "puller:let-me-pull";

/// A registry with the tags of `team/app` behind a login.
pub fn registry() -> Server {
    Server::start(|request| {
        let login = base64::engine::general_purpose::STANDARD.encode(LOGIN);
        if request.header("authorization") != Some(&format!("Basic {login}")) {
            let mut refusal = Response::json(
                401,
                &json!({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}),
            );
            refusal
                .headers
                .push(("WWW-Authenticate", "Basic realm=\"test\"".into()));
            return refusal;
        }
        content(request)
    })
}

/// What [`registry`] answers to who may ask it.
pub fn content(request: &Request) -> Response {
    match request.path.as_str() {
        "/v2/" => Response::json(200, &json!({})),
        "/v2/team/app/tags/list" => Response::json(
            200,
            &json!({"name": "team/app", "tags": ["1.0.0", "1.2.0", "1.3.0", "1.3.0.sig", "latest"]}),
        ),
        "/v2/team/app/manifests/1.3.0" => {
            let mut manifest = Response::json(200, &json!({}));
            manifest.headers = vec![
                (
                    "Content-Type",
                    "application/vnd.oci.image.manifest.v1+json".into(),
                ),
                (
                    "Docker-Content-Digest",
                    format!("sha256:{}", "d".repeat(64)),
                ),
            ];
            manifest
        }
        _ => Response::json(
            404,
            &json!({"errors": [{"code": "NAME_UNKNOWN", "message": "repository name not known to registry"}]}),
        ),
    }
}

/// A cluster whose policy on that registry still says 1.2.0, and a work tree at 1.0.0.
struct Case {
    cluster: FakeCluster,
    environment: Environment,
    host: String,
}

impl Case {
    fn new(host: &str) -> Self {
        let local = |text: String| text.replace("registry.example.com", host);
        let cluster = FakeCluster::start();
        cluster
            .add(&environment::git_repository("gitops"))
            .add(&local(environment::image_repository("app")))
            .add(&environment::semver_policy("app", ">=1.0.0"))
            .add(&environment::automation("images", "main", "./apps"));
        let latest = json!({"name": format!("{host}/team/app"), "tag": "1.2.0"});
        cluster.merge(
            "ImagePolicy",
            "app",
            &json!({"status": {"latestRef": latest}}),
        );
        let environment = cluster.environment();
        environment.write(
            "gitops/apps/app.yaml",
            &local(environment::deployment("app", "1.0.0")),
        );
        environment.commit("gitops");
        Self {
            cluster,
            environment,
            host: host.to_owned(),
        }
    }

    /// Gives the ImageRepository a pull secret with these entries, or one that isn't there.
    fn pull_secret(&self, auths: Option<Value>) -> &Self {
        self.cluster.merge(
            "ImageRepository",
            "app",
            &json!({"spec": {"secretRef": {"name": "pull"}}}),
        );
        if let Some(auths) = auths {
            let config = json!({"auths": auths}).to_string();
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
                "metadata": {"namespace": "flux-system", "name": "pull"},
                "data": {".dockerconfigjson": base64::engine::general_purpose::STANDARD.encode(config)},
            });
            self.cluster.add(&secret.to_string());
        }
        self
    }

    fn entry(&self, login: &str) -> Value {
        let auth = base64::engine::general_purpose::STANDARD.encode(login);
        json!({(&self.host): {"auth": auth}})
    }

    fn diff(&self) -> Ran {
        self.environment
            .run(&["diff", "--worktree", "gitops", "-o", "json"])
    }
}

/// The tag that the only policy sets, and where it comes from.
#[track_caller]
fn chosen(ran: &Ran) -> (String, String) {
    let report = ran.json();
    let policy = &report["automations"][0]["policies"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&policy["tag"]), text(&policy["from"]))
}

#[track_caller]
fn says(ran: &Ran, words: &str) {
    assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    for secret in ["let-me-pull", "wrong-password"] {
        assert!(
            !ran.stderr.contains(secret) && !ran.stdout.contains(secret),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn the_objects_own_credentials_are_used() {
    let registry = registry();
    let case = Case::new(&registry.address);
    case.pull_secret(Some(case.entry(LOGIN)));
    let ran = case.diff().expect(1);
    assert_eq!(chosen(&ran), ("1.3.0".into(), "registry".into()));
    says(
        &ran,
        &format!(
            "flux-system/app: the cluster still says {}/team/app:1.2.0 (never scanned, next scan due: first scan); {0}/team/app:1.3.0 is what follows that scan",
            case.host
        ),
    );
    let lines = case.cluster.server.lines();
    assert!(
        lines.contains(&"GET /api/v1/namespaces/flux-system/secrets/pull".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn digests_are_looked_up_where_the_policy_wants_them() {
    let registry = registry();
    let case = Case::new(&registry.address);
    case.pull_secret(Some(case.entry(LOGIN)));
    case.cluster.merge(
        "ImagePolicy",
        "app",
        &json!({"spec": {"digestReflectionPolicy": "IfNotPresent"}}),
    );
    let ran = case.diff().expect(1);
    let digest = ran.json()["automations"][0]["policies"][0]["digest"].clone();
    assert_eq!(digest, format!("sha256:{}", "d".repeat(64)));
    case.cluster.merge(
        "ImagePolicy",
        "app",
        &json!({"spec": {"policy": {"semver": {"range": "1.2.x"}}}}),
    );
    let ran = case.diff().expect(4);
    says(
        &ran,
        &format!("failed fetching digest of {}/team/app:1.2.0", case.host),
    );
    assert_eq!(chosen(&ran), ("1.2.0".into(), "status".into()));
}

#[test]
fn refused_credentials_of_the_object_are_the_answer() {
    let registry = registry();
    let case = Case::new(&registry.address);
    case.environment.write(
        ".docker/config.json",
        &json!({"auths": case.entry(LOGIN)}).to_string(),
    );
    case.pull_secret(Some(case.entry("puller:wrong-password")));
    let ran = case.diff().expect(4);
    assert_eq!(chosen(&ran), ("1.2.0".into(), "status".into()));
    says(
        &ran,
        "the controller fails (ReadOperationFailed: scan failed: ",
    );
    says(&ran, "ImageRepository flux-system/app: ");
    let findings = ran.json()["automations"][0]["findings"].clone();
    assert!(
        findings
            .as_array()
            .unwrap()
            .iter()
            .any(|finding| finding["id"] == "policy-stuck-on-old-tag"),
        "{findings}"
    );
}

#[test]
fn a_missing_secret_is_the_answer() {
    let registry = registry();
    let case = Case::new(&registry.address);
    case.pull_secret(None);
    let ran = case.diff().expect(1);
    assert_eq!(chosen(&ran), ("1.2.0".into(), "status".into()));
    says(
        &ran,
        "(AuthenticationFailed: failed to configure authentication options: secrets \"pull\" not found)",
    );
    assert!(registry.requests().is_empty());
}

#[test]
fn the_users_own_credentials_stand_in_for_what_may_not_be_read() {
    let registry = registry();
    let case = Case::new(&registry.address);
    case.pull_secret(Some(case.entry(LOGIN)));
    case.cluster.forbid("/secrets/");
    let ran = case.diff().expect(1);
    assert_eq!(chosen(&ran), ("1.2.0".into(), "status".into()));
    says(
        &ran,
        "it is asked with no credentials (you have none for it)",
    );
    says(&ran, "its status keeps");

    case.cluster.merge(
        "ImagePolicy",
        "app",
        &json!({"status": {"latestRef": null}}),
    );
    let ran = case.diff().expect(4);
    says(&ran, "what policy flux-system/app sets is not known");

    case.environment.write(
        ".docker/config.json",
        &json!({"auths": case.entry(LOGIN)}).to_string(),
    );
    let ran = case.diff().expect(1);
    assert_eq!(chosen(&ran), ("1.3.0".into(), "registry".into()));
    says(&ran, "it is asked with your own credentials for ");
}

/// Puts a program on the PATH of `command`.
#[cfg(unix)]
pub fn with_program(
    environment: &Environment,
    command: &mut std::process::Command,
    name: &str,
    script: &str,
) {
    use std::os::unix::fs::PermissionsExt as _;
    let program = environment.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let own = environment.path().join("bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path)));
    command.env("PATH", path.unwrap());
}

#[cfg(unix)]
#[test]
fn credential_helpers_are_asked_for_the_users_own() {
    let registry = registry();
    let case = Case::new(&registry.address);
    case.pull_secret(Some(case.entry("someone:else")));
    case.cluster.forbid("/secrets/");
    let (user, password) = LOGIN.split_once(':').unwrap();
    let helper = format!(
        "[ \"$(cat)\" = {} ] && echo '{{\"Username\": \"{user}\", \"Secret\": \"{password}\"}}'",
        case.host
    );
    let run = |config: Value, name: &str, script: &str| {
        let config = config.to_string();
        case.environment.write(".docker/config.json", &config);
        let mut command = case.environment.imageauto();
        with_program(&case.environment, &mut command, name, script);
        command.args(["diff", "--worktree", "gitops", "-o", "json"]);
        Ran::of(&mut command)
    };
    let config = json!({"credHelpers": {(&case.host): "test"}});
    let ran = run(config, "docker-credential-test", &helper).expect(1);
    assert_eq!(chosen(&ran), ("1.3.0".into(), "registry".into()));
    says(&ran, "from docker-credential-test, which ");

    let config = json!({"auths": {(&case.host): {}}, "credsStore": "store"});
    let ran = run(config, "docker-credential-store", &helper).expect(1);
    assert_eq!(chosen(&ran), ("1.3.0".into(), "registry".into()));

    let config = json!({"credsStore": "store"});
    let broken = "echo 'the store is locked'; exit 1";
    let ran = run(config, "docker-credential-store", broken).expect(1);
    assert_eq!(chosen(&ran), ("1.2.0".into(), "status".into()));
    says(&ran, "no credentials (docker-credential-store, which ");
    says(&ran, " names, says: the store is locked)");

    let ran = run(json!({"credsStore": "absent"}), "other", "").expect(1);
    says(&ran, "docker-credential-absent, which ");
    says(&ran, " names, is not installed)");
}

#[cfg(unix)]
#[test]
fn clouds_are_logged_in_to_by_their_usual_helpers() {
    let registry = registry();
    let case = Case::new(&registry.address);
    case.cluster.merge(
        "ImageRepository",
        "app",
        &json!({"spec": {"provider": "aws"}}),
    );
    let ran = case.diff().expect(1);
    says(
        &ran,
        "provider aws: the controller logs in with a cloud identity of its own; it is asked with no credentials (you have none for it: aws ecr get-login-password | docker login",
    );
    let (user, password) = LOGIN.split_once(':').unwrap();
    let script = format!("echo '{{\"Username\": \"{user}\", \"Secret\": \"{password}\"}}'");
    let mut command = case.environment.imageauto();
    let name = "docker-credential-ecr-login";
    with_program(&case.environment, &mut command, name, &script);
    command.args(["diff", "--worktree", "gitops", "-o", "json"]);
    let ran = Ran::of(&mut command).expect(1);
    assert_eq!(chosen(&ran), ("1.3.0".into(), "registry".into()));
    says(&ran, "from docker-credential-ecr-login");
}

#[cfg(target_os = "linux")]
#[test]
fn podmans_file_is_read_where_the_environment_says() {
    let registry = registry();
    let case = Case::new(&registry.address);
    case.pull_secret(None).cluster.forbid("/secrets/");
    let login = json!({"auths": {format!("{}/team", case.host): case.entry(LOGIN)[&case.host]}});
    for (variable, value, file) in [
        ("REGISTRY_AUTH_FILE", "mine.json", "mine.json"),
        ("XDG_RUNTIME_DIR", "run", "run/containers/auth.json"),
        (
            "XDG_CONFIG_HOME",
            "settings",
            "settings/containers/auth.json",
        ),
    ] {
        let path = case.environment.write(file, &login.to_string());
        let mut command = case.environment.imageauto();
        command
            .env(variable, case.environment.path().join(value))
            .args(["diff", "--worktree", "gitops", "-o", "json"]);
        let ran = Ran::of(&mut command).expect(1);
        assert_eq!(chosen(&ran), ("1.3.0".into(), "registry".into()));
        let whose = format!("for {}/team in {}", case.host, path.display());
        says(&ran, &whose);
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_registry_that_is_not_there_is_an_error_of_its_own() {
    let case = Case::new("127.0.0.1:1");
    let ran = case.diff().expect(4);
    assert_eq!(chosen(&ran), ("1.2.0".into(), "status".into()));
    says(&ran, "connection refused");
    let ran = case
        .environment
        .run(&["diff", "--worktree", "gitops", "-o", "name"])
        .expect(4);
    assert_eq!(ran.stdout, "apps/app.yaml\n");
}

#[test]
fn suspended_repositories_and_policies_are_not_scanned() {
    for (kind, name) in [("ImageRepository", "app"), ("ImagePolicy", "app")] {
        let registry = registry();
        let case = Case::new(&registry.address);
        case.cluster
            .merge(kind, name, &json!({"spec": {"suspend": true}}));
        let ran = case.diff().expect(1);
        assert_eq!(chosen(&ran), ("1.2.0".into(), "status".into()));
        says(
            &ran,
            &format!("{kind} flux-system/app is suspended; its status keeps"),
        );
        assert!(registry.requests().is_empty());
    }
}

#[test]
fn policies_use_repositories_of_other_namespaces_if_those_let_them() {
    let registry = Arc::new(Server::start(content));
    let case = Case::new(&registry.address);
    case.cluster.merge(
        "ImageRepository",
        "app",
        &json!({"metadata": {"namespace": "shared"}}),
    );
    case.cluster.merge(
        "ImagePolicy",
        "app",
        &json!({"spec": {"imageRepositoryRef": {"namespace": "shared"}}}),
    );
    let ran = case.diff().expect(1);
    says(
        &ran,
        "access denied: 'shared/app' can't be accessed due to missing ACL labels on 'accessFrom'",
    );
    let selector = json!({"accessFrom": {"namespaceSelectors": [{"matchLabels": {"team": "a"}}]}});
    case.cluster
        .merge("ImageRepository", "app", &json!({"spec": selector}));
    case.cluster.add(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: flux-system\n  labels:\n    team: b\n",
    );
    let ran = case.diff().expect(1);
    says(&ran, "ACL labels mismatch on namespace 'flux-system'");
    assert_eq!(
        ran.json()["automations"][0]["findings"][0]["id"],
        "cross-namespace-denied"
    );
    case.cluster.merge(
        "Namespace",
        "flux-system",
        &json!({"metadata": {"labels": {"team": "a"}}}),
    );
    let ran = case.diff().expect(1);
    assert_eq!(chosen(&ran), ("1.3.0".into(), "registry".into()));
    case.cluster.forbid("/api/v1/namespaces/flux-system");
    let ran = case.diff().expect(3);
    says(
        &ran,
        "hangs on the labels of Namespace flux-system: the cluster forbids to get namespaces flux-system",
    );
}

#[test]
fn a_namespace_is_asked_for_only_when_a_decision_hangs_on_it() {
    let registry = registry();
    let case = Case::new(&registry.address);
    let ran = case.diff().expect(4);
    says(&ran, "scan failed");
    let lines = case.cluster.server.lines();
    assert!(
        !lines
            .iter()
            .any(|line| line.ends_with("/namespaces/flux-system")),
        "{lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("secrets")),
        "{lines:?}"
    );
}
