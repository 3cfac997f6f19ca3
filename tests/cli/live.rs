//! Commands against a cluster: connection flags, versions, permissions, and errors that name the thing.

use serde_json::json;

use crate::cluster::{FakeCluster, kubeconfig};
use crate::environment::{self, Environment, Ran};
use crate::server::{Response, Server};

/// The objects of [`Environment::shop`] in a cluster, the policy resolved to 1.2.0.
fn shop() -> FakeCluster {
    let cluster = FakeCluster::start();
    cluster
        .add(&environment::git_repository("gitops"))
        .add(&environment::image_repository("app"))
        .add(&environment::semver_policy("app", ">=1.0.0"))
        .add(&environment::automation("images", "main", "./apps"));
    let latest = json!({"name": "registry.example.com/team/app", "tag": "1.2.0"});
    cluster.merge(
        "ImagePolicy",
        "app",
        &json!({"status": {"latestRef": latest}}),
    );
    cluster
}

/// A folder with a work tree that has one marker to set, and a kubeconfig for `cluster`.
fn with_work_tree(cluster: &FakeCluster) -> Environment {
    let environment = Environment::shop();
    environment.write(".kube/config", &cluster.kubeconfig());
    environment
}

fn diff(environment: &Environment, more: &[&str]) -> Ran {
    let usual = ["diff", "--tags-from", "status", "--worktree", "gitops"];
    environment.run(&[&usual, more].concat())
}

#[test]
fn the_cluster_is_asked_for_what_the_run_needs_and_nothing_else() {
    let cluster = shop();
    let environment = with_work_tree(&cluster);
    let ran = diff(&environment, &[]).expect(1);
    assert!(
        ran.stdout
            .contains("+          image: registry.example.com/team/app:1.2.0"),
        "{}",
        ran.stdout
    );
    let mut lines = cluster.server.lines();
    lines.sort();
    let image = "GET /apis/image.toolkit.fluxcd.io/v1/namespaces/flux-system";
    assert_eq!(
        lines,
        [
            "GET /apis/apps/v1/deployments".to_owned(),
            "GET /apis/apps/v1/namespaces/flux-system/deployments".into(),
            format!("{image}/imagepolicies"),
            format!("{image}/imageupdateautomations"),
            "GET /apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/gitops"
                .into(),
        ]
    );
    assert!(
        ran.stderr.contains("no Deployment of the image controllers is there to tell their version and flags: the rules of Flux 2.9 apply"),
        "{}",
        ran.stderr
    );
}

#[test]
fn old_clusters_are_read_in_the_versions_that_they_serve() {
    for version in ["v1beta2", "v1beta1"] {
        let cluster = FakeCluster::start();
        let old = |manifest: String| {
            manifest.replace(
                "image.toolkit.fluxcd.io/v1",
                &format!("image.toolkit.fluxcd.io/{version}"),
            )
        };
        cluster
            .stop_serving("image.toolkit.fluxcd.io/v1")
            .add(&environment::git_repository("gitops"))
            .add(&old(environment::semver_policy("app", ">=1.0.0")))
            .add(&old(environment::automation("images", "main", "./apps")));
        cluster.merge(
            "ImagePolicy",
            "app",
            &json!({"status": {"latestImage": "registry.example.com/team/app:1.2.0"}}),
        );
        let environment = with_work_tree(&cluster);
        let ran = diff(&environment, &[]).expect(1);
        assert!(ran.stdout.contains("app:1.2.0"), "{}", ran.stdout);
        assert!(
            ran.stderr.contains("the rules of Flux 2.6 apply"),
            "{}",
            ran.stderr
        );
        let ran = environment.run(&["version", "--live"]).expect(0);
        assert!(
            ran.stdout.contains(&format!(
                "imagepolicies.image.toolkit.fluxcd.io: {version}\n"
            )),
            "{}",
            ran.stdout
        );
    }
}

fn controller(name: &str, tag: &str, arguments: &[&str]) -> String {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": "flux-system", "name": name, "labels": {"app.kubernetes.io/component": name}},
        "spec": {"template": {"spec": {"containers": [{
            "name": "manager", "image": format!("ghcr.io/fluxcd/{name}:{tag}"), "args": arguments,
        }]}}},
    });
    deployment.to_string()
}

#[test]
fn the_controllers_own_deployments_tell_the_rules() {
    let cluster = shop();
    cluster
        .add(&controller("image-reflector-controller", "v1.1.1", &[]))
        .add(&controller(
            "image-automation-controller",
            "v1.1.2",
            &["--no-cross-namespace-refs=true"],
        ));
    cluster.merge(
        "ImageUpdateAutomation",
        "images",
        &json!({"spec": {"sourceRef": {"namespace": "elsewhere"}}}),
    );
    let environment = with_work_tree(&cluster);
    let ran = diff(&environment, &[]).expect(1);
    assert!(
        ran.stderr.contains("the rules of Flux 2.8 apply"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("(AccessDenied, Stalled): can't access 'GitRepository/elsewhere/gitops', cross-namespace references have been blocked"),
        "{}",
        ran.stderr
    );
    assert!(
        !cluster
            .server
            .lines()
            .iter()
            .any(|line| line.contains("gitrepositories"))
    );
    let live = environment
        .run(&["version", "--live", "-o", "json"])
        .expect(0)
        .json();
    assert_eq!(
        crate::schema::violations_of("version-v1", &live),
        Vec::<String>::new()
    );
    assert_eq!(live["live"]["kubernetes"], "v1.36.3");
    assert_eq!(live["live"]["controllers"][0]["version"], "1.1.1");
    assert_eq!(live["live"]["controllers"][0]["rules"], "2.8");
    assert_eq!(live["live"]["served"][0]["versions"], json!(["v1"]));
}

#[test]
fn what_no_controller_watches_is_said() {
    let cluster = shop();
    cluster
        .add(&controller(
            "image-reflector-controller",
            "v1.2.3",
            &["--watch-label-selector=shard=1"],
        ))
        .add(&controller(
            "image-automation-controller",
            "v1.2.3",
            &["--watch-label-selector=shard=1"],
        ));
    let environment = with_work_tree(&cluster);
    let usual = ["diff", "--tags-from", "tags.json", "--worktree", "gitops"];
    let ran = environment.run(&usual).expect(1);
    assert!(
        ran.stderr
            .contains("no image-automation-controller watches the automation"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("no image-reflector-controller watches flux-system/app (--watch-label-selector); its status keeps registry.example.com/team/app:1.2.0"),
        "{}",
        ran.stderr
    );
}

#[test]
fn names_are_looked_up_and_missed() {
    let cluster = shop();
    let environment = with_work_tree(&cluster);
    let ran = diff(&environment, &["images"]).expect(1);
    assert!(ran.stdout.contains("app:1.2.0"), "{}", ran.stdout);
    let ran = diff(&environment, &["gone"]).expect(3);
    assert!(
        ran.stderr
            .contains("there is no ImageUpdateAutomation flux-system/gone in the cluster"),
        "{}",
        ran.stderr
    );
    let ran = diff(&environment, &["-n", "empty"]).expect(0);
    assert!(
        ran.stderr
            .contains("no ImageUpdateAutomation in namespace empty"),
        "{}",
        ran.stderr
    );
}

#[test]
fn forbidden_objects_are_unknown_and_the_rule_is_named() {
    let cluster = shop();
    cluster.forbid("gitrepositories");
    let environment = with_work_tree(&cluster);
    let ran = diff(&environment, &[]).expect(3);
    assert!(
        ran.stderr.contains("the cluster forbids to get gitrepositories.source.toolkit.fluxcd.io in namespace flux-system"),
        "{}",
        ran.stderr
    );
    cluster.forbid("imagepolicies");
    let ran = diff(&environment, &[]).expect(3);
    assert!(
        ran.stderr.contains("the cluster forbids to list imagepolicies.image.toolkit.fluxcd.io in namespace flux-system"),
        "{}",
        ran.stderr
    );
    let ran = environment.run(&["get"]).expect(3);
    assert!(ran.stdout.contains("imagerepository/app"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("forbids to list imagepolicies"),
        "{}",
        ran.stderr
    );
    cluster
        .forbid("deployments")
        .forbid("imageupdateautomations");
    let ran = diff(&environment, &[]).expect(3);
    assert!(
        ran.stderr
            .contains("forbids to list imageupdateautomations"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("deployments"), "{}", ran.stderr);
}

#[test]
fn deployments_that_may_not_be_read_cost_a_note() {
    let cluster = shop();
    cluster.forbid("deployments");
    let environment = with_work_tree(&cluster);
    let ran = diff(&environment, &[]).expect(1);
    assert!(
        ran.stderr.contains("the version and flags of the image controllers can't be read (User \"tester\" cannot read deployments): the rules of Flux 2.9 apply"),
        "{}",
        ran.stderr
    );
    let ran = diff(&environment, &["--flux-version", "2.9"]).expect(1);
    assert!(!ran.stderr.contains("deployments"), "{}", ran.stderr);
}

#[test]
fn a_cluster_without_the_controllers_is_told_how_to_get_them() {
    let cluster = FakeCluster::start();
    cluster.stop_serving("image.toolkit.fluxcd.io/v1");
    let environment = cluster.environment();
    for arguments in [&["get", "policies"][..], &["diff"]] {
        let ran = environment.run(arguments).expect(3);
        assert!(ran.stderr.contains("serves no image"), "{}", ran.stderr);
        assert!(
            ran.stderr.contains(
                "--components-extra=image-reflector-controller,image-automation-controller"
            ),
            "{}",
            ran.stderr
        );
    }
    let ran = environment.run(&["version", "--live"]).expect(0);
    assert!(
        ran.stdout
            .contains("imagepolicies.image.toolkit.fluxcd.io: not served"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_cluster_that_does_not_answer_is_an_error_that_names_it() {
    let environment = Environment::new();
    environment.write(".kube/config", &kubeconfig("127.0.0.1:1", "x"));
    for arguments in [&["get"][..], &["diff"], &[], &["version", "--live"]] {
        let ran = environment.run(arguments).expect(3);
        assert!(
            ran.stderr
                .contains("the cluster at http://127.0.0.1:1 can't be reached: connection refused"),
            "{}",
            ran.stderr
        );
        assert_eq!(
            ran.stderr.matches("can't be reached").count(),
            1,
            "{}",
            ran.stderr
        );
    }
    let slow = Server::start(|_| {
        std::thread::sleep(std::time::Duration::from_secs(30));
        Response::text(200, "")
    });
    environment.write(".kube/config", &kubeconfig(&slow.address, "x"));
    let ran = environment
        .run(&["get", "--request-timeout", "200ms"])
        .expect(3);
    assert!(
        ran.stderr.contains("did not answer GET") && ran.stderr.contains("within 200ms"),
        "{}",
        ran.stderr
    );
    let ran = environment.run(&["get", "--timeout", "200ms"]).expect(3);
    assert!(
        ran.stderr
            .contains("reading the cluster took longer than 200ms"),
        "{}",
        ran.stderr
    );
}

#[test]
fn credentials_that_are_refused_are_named_and_not_shown() {
    let cluster = shop();
    let environment = Environment::new();
    environment.write(
        ".kube/config",
        &kubeconfig(&cluster.server.address, "expired-token"),
    );
    let ran = environment.run(&["get"]).expect(3);
    assert!(
        ran.stderr.contains("doesn't accept the credentials of the kubeconfig's user tester (401 Unauthorized): log in again"),
        "{}",
        ran.stderr
    );
    let ran = environment.run(&["get", "-v"]).expect(3);
    assert!(
        ran.stderr.contains("GET http://") && ran.stderr.contains("401 Unauthorized"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("expired-token"), "{}", ran.stderr);
    let ran = environment.run(&["get", "--token", "let-me-in"]).expect(0);
    assert!(ran.stdout.contains("imagepolicy/app"), "{}", ran.stdout);
}

#[test]
fn answers_that_are_none_are_errors() {
    let broken = Server::start(|_| Response::text(200, "<html>login</html>"));
    let environment = Environment::new();
    environment.write(".kube/config", &kubeconfig(&broken.address, "x"));
    let ran = environment.run(&["get"]).expect(3);
    assert!(
        ran.stderr
            .contains("with something else than expected: no JSON"),
        "{}",
        ran.stderr
    );
    let failing = Server::start(|_| Response::text(500, "boom"));
    environment.write(".kube/config", &kubeconfig(&failing.address, "x"));
    let ran = environment.run(&["get"]).expect(3);
    assert!(ran.stderr.contains("with 500 boom"), "{}", ran.stderr);
}

#[test]
fn kubeconfigs_are_merged_and_overridden() {
    let cluster = shop();
    let environment = Environment::new();
    let one = environment.write(
        "one",
        "current-context: two\nusers:\n- name: tester\n  user:\n    token: let-me-in\n",
    );
    let text = kubeconfig(&cluster.server.address, "wrong").replace("test\n", "two\n");
    let two = environment.write("two", &text);
    let list = format!(
        "{}:{}:{}",
        one.display(),
        environment.path().join("none").display(),
        two.display()
    );
    let get = |more: &[&str]| {
        let mut command = environment.imageauto();
        command
            .env("KUBECONFIG", &list)
            .args(["get", "policies", "-o", "name"])
            .args(more);
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert_eq!(get(&[]), (Some(0), String::new()));
    for (more, message) in [
        (
            &["--context", "three"][..],
            "the kubeconfig has no context \"three\"; it has two",
        ),
        (
            &["--cluster", "three"],
            "the kubeconfig has no cluster \"three\"; it has two",
        ),
        (
            &["--user", "three"],
            "the kubeconfig has no user \"three\"; it has tester",
        ),
        (
            &["--server", "ftp://x"],
            "\"ftp://x\" is no http or https URL",
        ),
        (
            &["--certificate-authority", "gone"],
            "the certificate authority gone can't be read: no such file or directory",
        ),
        (
            &["--certificate-authority", "one"],
            "one holds no PEM certificate",
        ),
        (&["--as-group", "x"], "need --as"),
        (
            &["--insecure-skip-tls-verify", "--certificate-authority", "x"],
            "contradict each other",
        ),
    ] {
        let (code, stderr) = get(more);
        assert_eq!(code, Some(3), "{stderr}");
        assert!(stderr.contains(message), "{stderr}");
    }
    let missing = environment.run(&["get", "--kubeconfig", "gone"]).expect(3);
    assert!(
        missing.stderr.contains("kubeconfig gone:"),
        "{}",
        missing.stderr
    );
    environment.write("broken", "clusters: [");
    let broken = environment
        .run(&["get", "--kubeconfig", "broken"])
        .expect(3);
    assert!(
        broken.stderr.contains("kubeconfig broken:"),
        "{}",
        broken.stderr
    );
    assert_eq!(broken.stderr.lines().count(), 1, "{}", broken.stderr);
}

#[test]
fn flags_alone_make_a_connection() {
    let cluster = shop();
    let environment = Environment::new();
    let server = format!("http://{}", cluster.server.address);
    let ran = environment
        .run(&[
            "get",
            "policies",
            "-n",
            "flux-system",
            "-o",
            "name",
            "-s",
            &server,
            "--token",
            "let-me-in",
            "--as",
            "jane",
            "--as-group",
            "dev",
            "--as-group",
            "ops",
            "--as-uid",
            "7",
            "--as-user-extra",
            "team=a",
        ])
        .expect(0);
    assert_eq!(ran.stdout, "imagepolicy.image.toolkit.fluxcd.io/app\n");
    let request = &cluster.server.requests()[0];
    assert_eq!(request.header("impersonate-user"), Some("jane"));
    assert_eq!(request.header("impersonate-uid"), Some("7"));
    assert_eq!(request.header("impersonate-extra-team"), Some("a"));
    let groups: Vec<&str> = request
        .headers
        .iter()
        .filter(|(name, _)| name == "impersonate-group")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(groups, ["dev", "ops"]);
    let ran = environment.run(&["get"]).expect(3);
    assert!(
        ran.stderr.contains("no cluster is configured"),
        "{}",
        ran.stderr
    );
}

#[cfg(unix)]
#[test]
fn exec_plugins_log_in() {
    use std::os::unix::fs::PermissionsExt as _;
    let cluster = shop();
    let environment = Environment::new();
    let plugin = environment.write(
        "plugin",
        "#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"let-me-in\"}}'\n",
    );
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).unwrap();
    let exec = |command: &str| {
        let user = format!(
            "exec:\n      apiVersion: client.authentication.k8s.io/v1\n      interactiveMode: Never\n      command: {command}"
        );
        let text = kubeconfig(&cluster.server.address, "x").replace("token: x", &user);
        environment.write(".kube/config", &text);
        environment.run(&["get", "policies", "-o", "name"])
    };
    let ran = exec("./../plugin").expect(0);
    assert_eq!(ran.stdout, "imagepolicy.image.toolkit.fluxcd.io/app\n");
    environment.write(
        "plugin",
        "#!/bin/sh\necho secret-output\necho 'log in first' >&2\nexit 1\n",
    );
    let ran = exec("./../plugin").expect(3);
    assert!(ran.stderr.contains("log in first"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret-output"), "{}", ran.stderr);
    environment.write("plugin", "#!/bin/sh\necho secret-output\n");
    let ran = exec("./../plugin").expect(3);
    assert!(!ran.stderr.contains("secret-output"), "{}", ran.stderr);
    let ran = exec("no-such-plugin").expect(3);
    let named = "the exec plugin no-such-plugin can't be run";
    assert!(ran.stderr.contains(named), "{}", ran.stderr);
}

#[test]
fn the_proxy_of_the_environment_is_for_others_than_the_excluded() {
    let proxy = Server::start(|_| Response::text(502, "no way through"));
    let environment = Environment::new();
    // An address that nobody has: what isn't sent to the proxy is sent to nowhere.
    environment.write(".kube/config", &kubeconfig("192.0.2.1:8080", "x"));
    let run = |excluded: &str| {
        let mut command = environment.imageauto();
        command
            .env("HTTP_PROXY", format!("http://{}", proxy.address))
            .env("NO_PROXY", excluded)
            .args(["get", "policies", "--request-timeout", "300ms"]);
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let stderr = run("198.51.100.0/24");
    assert_eq!(proxy.requests().len(), 1, "{stderr}");
    let stderr = run("192.0.2.0/24");
    assert_eq!(proxy.requests().len(), 1, "{stderr}");
    assert!(stderr.contains("http://192.0.2.1:8080"), "{stderr}");
}
