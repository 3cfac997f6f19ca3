//! The program against real API servers: versions, long lists, permissions, expired tokens, the pod's own account, and a
//! source over ssh.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::api::{path, wait_for};
use super::clusters::{ADMINISTRATOR, Cluster};
use super::command_line::{Home, OURS, Ran, kubectl, run};
use super::definitions::Served;
use super::forge::Access;
use super::objects::{automation, git_repository, image_collection, settled_policy, verdict};
use super::repository::Repository;
use super::ssh::KeyPair;
use super::{ControlPlane, control_plane, tell};

const IMAGE: &str = "registry.example.com/team/app";

fn deployment(tag: &str, namespace: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  template:\n    spec:\n      containers:\n        - name: app\n          image: {IMAGE}:{tag} # {{\"$imagepolicy\": \"{namespace}:app\"}}\n"
    )
}

/// Applies objects, and their status where they have one.
fn apply(cluster: &Cluster, objects: &[Value]) {
    for object in objects {
        let mut bare = object.clone();
        let status = bare
            .as_object_mut()
            .and_then(|object| object.remove("status"));
        cluster
            .api
            .apply(&bare)
            .unwrap_or_else(|refusal| panic!("{bare}: {refusal:?}"));
        if status.is_some() {
            cluster
                .api
                .write_status(object)
                .unwrap_or_else(|refusal| panic!("{object}: {refusal:?}"));
        }
    }
}

fn ours(home: &Home, cluster: &Cluster, user: &str, arguments: &[&str]) -> Ran {
    run(home.command(OURS, cluster, user).args(arguments))
}

/// A policy that has chosen, its automation, and the source of that, in `version` of the image API.
fn settled_objects(namespace: &str, version: &str, repository: &Repository) -> Vec<Value> {
    let commit = json!({});
    let mut objects = vec![
        git_repository(namespace, "gitops", &repository.url),
        settled_policy(namespace, "app", IMAGE, "1.2.0", ""),
        automation(namespace, "images", "gitops", &commit, "main"),
    ];
    for object in &mut objects {
        let api_version = object["apiVersion"].as_str().unwrap_or_default().to_owned();
        object["apiVersion"] = json!(api_version.replace(
            "image.toolkit.fluxcd.io/v1",
            &format!("image.toolkit.fluxcd.io/{version}")
        ));
    }
    objects
}

#[test]
fn every_version_that_a_cluster_serves_is_read() {
    let Some(plane) = control_plane() else { return };
    let home = Home::new();
    let namespace = "versions";
    let text = deployment("1.0.0", namespace);
    let repository = Repository::create(plane, "versions", [("app.yaml", text.as_bytes())]);
    for (served, version) in [
        (Served::V1AndV1beta2, "v1"),
        (Served::V1beta2, "v1beta2"),
        (Served::V1beta1, "v1beta1"),
    ] {
        let cluster = plane.cluster_serving(served);
        cluster.create_namespace(namespace);
        let login = &plane.addresses.git;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": "git"},
            "stringData": {"username": login.user, "password": login.password},
        });
        apply(cluster, &[secret]);
        apply(cluster, &settled_objects(namespace, version, &repository));
        let ran = ours(
            &home,
            cluster,
            ADMINISTRATOR,
            &["diff", "-n", namespace, "--tags-from", "status"],
        );
        assert_eq!(ran.code, Some(1), "{version}: {ran:?}");
        assert!(
            ran.stdout
                .contains(&format!("+          image: {IMAGE}:1.2.0")),
            "{version}: {ran:?}"
        );
        let old = ran.stderr.contains("the rules of Flux 2.6 apply");
        assert_eq!(old, version != "v1", "{version}: {ran:?}");
        let ran = ours(
            &home,
            cluster,
            "reader",
            &["get", "-n", namespace, "-o", "json"],
        );
        let list: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        assert_eq!(
            list["items"][0]["apiVersion"],
            format!("image.toolkit.fluxcd.io/{version}")
        );
        let ran = ours(&home, cluster, "reader", &["version", "--live"]);
        let line = match served {
            Served::V1AndV1beta2 => {
                "imagepolicies.image.toolkit.fluxcd.io: v1, v1beta2\n".to_owned()
            }
            _ => format!("imagepolicies.image.toolkit.fluxcd.io: {version}\n"),
        };
        assert!(ran.stdout.contains(&line), "{ran:?}");
        assert!(ran.stdout.contains("Kubernetes v1.36"), "{ran:?}");
    }
    let nothing = plane.cluster_serving(Served::Nothing);
    for arguments in [&["get", "all"][..], &["diff"]] {
        let ran = ours(&home, nothing, ADMINISTRATOR, arguments);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(
            ran.stderr.contains(
                "--components-extra=image-reflector-controller,image-automation-controller"
            ),
            "{ran:?}"
        );
    }
}

#[test]
fn what_a_user_may_not_read_is_named_with_the_rule_that_is_missing() {
    let Some(plane) = control_plane() else { return };
    let cluster = plane.cluster_serving(Served::V1AndV1beta2);
    let home = Home::new();
    let namespace = "permissions";
    cluster.create_namespace(namespace);
    let text = deployment("1.0.0", namespace);
    let repository = Repository::create(plane, "permissions", [("app.yaml", text.as_bytes())]);
    apply(cluster, &settled_objects(namespace, "v1", &repository));
    let ran = ours(
        &home,
        cluster,
        "nobody",
        &["get", "policies", "-n", namespace],
    );
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.stderr.contains(r#"the cluster forbids to list imagepolicies.image.toolkit.fluxcd.io in namespace permissions: imagepolicies.image.toolkit.fluxcd.io is forbidden: User "nobody" cannot list resource "imagepolicies""#),
        "{ran:?}"
    );
    cluster.grant(
        "tenant",
        Some(namespace),
        &json!([{"apiGroups": ["image.toolkit.fluxcd.io"], "resources": ["*"], "verbs": ["get", "list"]}]),
    );
    let ran = ours(
        &home,
        cluster,
        "tenant",
        &["get", "policies", "-n", namespace, "-o", "name"],
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = ours(
        &home,
        cluster,
        "tenant",
        &["diff", "-n", namespace, "--tags-from", "status"],
    );
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.stderr.contains(
            "forbids to get gitrepositories.source.toolkit.fluxcd.io in namespace permissions"
        ),
        "{ran:?}"
    );
    assert!(
        ran.stderr
            .contains("the version and flags of the image controllers can't be read"),
        "{ran:?}"
    );
    let ran = ours(&home, cluster, "tenant", &["get", "-A"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("in all namespaces"), "{ran:?}");
    let ran = ours(&home, cluster, "tenant", &["get", "-n", "elsewhere"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");

    let ran = ours(
        &home,
        cluster,
        ADMINISTRATOR,
        &["get", "policies", "-n", namespace, "--as", "nobody"],
    );
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let ran = ours(
        &home,
        cluster,
        ADMINISTRATOR,
        &["get", "policies", "-n", namespace, "--token", "made-up"],
    );
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.stderr
            .contains("doesn't accept the credentials of --token (401 Unauthorized)"),
        "{ran:?}"
    );
    let ran = ours(
        &home,
        cluster,
        "reader",
        &[
            "get",
            "policies",
            "-n",
            namespace,
            "--certificate-authority",
            "/dev/null",
        ],
    );
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let ran = ours(
        &home,
        cluster,
        "reader",
        &[
            "get",
            "policies",
            "-n",
            namespace,
            "--tls-server-name",
            "elsewhere.example.com",
        ],
    );
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("certificate"), "{ran:?}");
    let ran = ours(
        &home,
        cluster,
        "reader",
        &[
            "get",
            "policies",
            "-n",
            namespace,
            "--insecure-skip-tls-verify",
            "-o",
            "name",
        ],
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn long_lists_are_read_to_their_end() {
    let Some(plane) = control_plane() else { return };
    let cluster = plane.cluster_serving(Served::V1AndV1beta2);
    cluster.create_namespace("long-lists");
    let policies: Vec<Value> = (0..620)
        .map(|index| settled_policy("long-lists", &format!("p{index}"), IMAGE, "1.0.0", ""))
        .map(|mut policy| {
            policy
                .as_object_mut()
                .expect("it is an object")
                .remove("status");
            policy
        })
        .collect();
    super::in_parallel(&policies, |policy| {
        apply(cluster, std::slice::from_ref(policy));
    });
    let home = Home::new();
    let ran = ours(
        &home,
        cluster,
        "reader",
        &["get", "policies", "-n", "long-lists", "-o", "name", "-v"],
    );
    assert_eq!(ran.stdout.lines().count(), policies.len(), "{}", ran.stderr);
    assert_eq!(
        ran.stderr.matches("imagepolicies?limit=500").count(),
        2,
        "{}",
        ran.stderr
    );
}

/// Gives the process a file system in which it looks like a pod, and runs the program there.
const POD: &str = r#"
set -e
mount -t tmpfs tmpfs /run
folder=/run/secrets/kubernetes.io/serviceaccount
mkdir -p "$folder"
printf %s "$POD_TOKEN" > "$folder/token"
printf %s "$POD_NAMESPACE_NAME" > "$folder/namespace"
cp "$POD_AUTHORITY" "$folder/ca.crt"
unset POD_TOKEN
exec "$@"
"#;

#[cfg(target_os = "linux")]
#[test]
fn a_pod_without_a_kubeconfig_uses_its_service_account() {
    let Some(plane) = control_plane() else { return };
    let cluster = plane.cluster_serving(Served::V1AndV1beta2);
    let namespace = "pods";
    cluster.create_namespace(namespace);
    let text = deployment("1.0.0", namespace);
    let repository = Repository::create(plane, "pods", [("app.yaml", text.as_bytes())]);
    apply(cluster, &settled_objects(namespace, "v1", &repository));
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": "imageauto"}});
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"namespace": namespace, "name": "imageauto"},
        "rules": [{"apiGroups": ["image.toolkit.fluxcd.io"], "resources": ["*"], "verbs": ["get", "list"]}],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"namespace": namespace, "name": "imageauto"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "imageauto"},
        "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": "imageauto"}],
    });
    apply(cluster, &[account.clone(), role, binding]);
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["https://kubernetes.default.svc"]}});
    let token = cluster
        .api
        .post(&format!("{}/token", path(&account)), &request);
    let token = token.unwrap_or_else(|refusal| panic!("{refusal:?}"))["status"]["token"]
        .as_str()
        .expect("there is a token")
        .to_owned();
    let (_, address) = cluster.server.split_once("://").expect("it is a URL");
    let (host, port) = address.rsplit_once(':').expect("it has a port");
    let mut command = Command::new("unshare");
    command
        .args([
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            POD,
            "pod",
            OURS,
            "get",
            "policies",
            "-o",
            "name",
        ])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/nonexistent")
        .env("KUBERNETES_SERVICE_HOST", host)
        .env("KUBERNETES_SERVICE_PORT", port)
        .env("POD_TOKEN", &token)
        .env("POD_NAMESPACE_NAME", namespace)
        .env("POD_AUTHORITY", &cluster.authority);
    let found = wait_for("the role to hold", Duration::from_secs(20), || {
        let ran = run(&mut command);
        (ran.code == Some(0) || !ran.stderr.contains("forbid")).then_some(ran)
    });
    assert_eq!(
        found.stdout, "imagepolicy.image.toolkit.fluxcd.io/app\n",
        "{found:?}"
    );
    assert!(!found.stderr.contains(&token), "{found:?}");
}

/// An automation over ssh: what `diff` says beforehand, and what the controller then does.
struct OverSsh<'a> {
    plane: &'a ControlPlane,
    namespace: String,
    home: Home,
}

impl OverSsh<'_> {
    fn secret(&self, key: &KeyPair, passphrase: &str, known_hosts: &str) -> Value {
        let identity = fs::read_to_string(key.private()).expect("the key was written");
        let mut data = json!({"identity": identity, "known_hosts": known_hosts});
        if !passphrase.is_empty() {
            data["password"] = json!(passphrase);
        }
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": self.namespace, "name": "key"},
            "stringData": data,
        })
    }

    fn diff(&self) -> Ran {
        let arguments = [
            "diff",
            "-n",
            &self.namespace,
            "--tags-from",
            "status",
            "-o",
            "json",
            "--timeout",
            "60s",
        ];
        ours(&self.home, &self.plane.cluster, ADMINISTRATOR, &arguments)
    }

    fn report(&self, ran: &Ran) -> Value {
        let report: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        report["automations"][0].clone()
    }

    fn automation_path(&self) -> String {
        format!(
            "{}/images",
            image_collection(&self.namespace, "imageupdateautomations")
        )
    }

    fn merge_automation(&self, patch: &Value) {
        self.plane
            .api
            .merge(&self.automation_path(), patch)
            .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }
}

#[test]
fn a_source_over_ssh_is_cloned_as_the_controller_does() {
    let Some(plane) = control_plane() else { return };
    let Some(forge) = plane.forge() else { return };
    let Some(kubectl) = kubectl() else { return };
    for (kind, passphrase) in [
        ("ed25519", ""),
        ("ecdsa", ""),
        ("rsa", ""),
        ("ed25519", "a passphrase"),
    ] {
        let suffix = if passphrase.is_empty() {
            ""
        } else {
            "-passphrase"
        };
        let name = format!("ssh-{kind}{suffix}");
        let case = OverSsh {
            plane,
            namespace: name.clone(),
            home: Home::new(),
        };
        plane.create_namespace(&name);
        let text = deployment("1.0.0", &name);
        let repository = forge.create_repository(&name, [("app.yaml", text.as_bytes())]);
        let Some(key) = KeyPair::generate(kind, passphrase) else {
            return;
        };
        let mut objects = settled_objects(&name, "v1", &repository.stored);
        objects[0]["spec"]["url"] = json!(repository.ssh_url);
        objects[0]["spec"]["secretRef"]["name"] = json!("key");
        objects[2]["spec"]["suspend"] = json!(true);
        apply(
            &plane.cluster,
            &[case.secret(&key, passphrase, &forge.known_hosts())],
        );
        apply(&plane.cluster, &objects);

        // The forge doesn't know the key yet.
        let refused = case.diff();
        assert_eq!(refused.code, Some(5), "{refused:?}");
        let predicted = case.report(&refused)["error"].clone();
        case.merge_automation(&json!({"spec": {"suspend": false}}));
        let failed = wait_for(
            "the controller to be refused",
            Duration::from_secs(60),
            || {
                let object = plane.api.get(&case.automation_path()).ok()?;
                verdict(&object).filter(|verdict| !verdict.ready)
            },
        );
        assert_eq!(
            predicted,
            json!({"reason": failed.reason, "message": failed.message}),
            "{name}"
        );
        case.merge_automation(&json!({"spec": {"suspend": true}}));

        repository.add_deploy_key(&key, Access::Write);
        let ran = run(case
            .home
            .command(&kubectl, &plane.cluster, ADMINISTRATOR)
            .args([
                "imageauto",
                "diff",
                "-n",
                &name,
                "--tags-from",
                "status",
                "-o",
                "json",
                "-v",
            ]));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let identity = fs::read_to_string(key.private()).expect("the key was written");
        let line = identity.lines().nth(1).expect("a key has lines");
        assert!(
            !ran.stderr.contains(line) && !ran.stdout.contains(line),
            "{}",
            ran.stderr
        );
        let report = case.report(&ran);
        let parent = repository.stored.head("main");
        assert_eq!(report["parent"].as_str(), parent.as_deref(), "{ran:?}");
        case.merge_automation(&json!({"spec": {"suspend": false}}));
        let pushed = wait_for("the automation to push", Duration::from_secs(60), || {
            repository
                .stored
                .head("main")
                .filter(|head| Some(head) != parent.as_ref())
        });
        let commit = repository.stored.commit(&pushed);
        assert_eq!(
            Some(&commit.parents),
            parent.map(|parent| vec![parent]).as_ref()
        );
        assert_eq!(Some(commit.message.as_str()), report["message"].as_str());
        let files = repository.stored.files(&pushed);
        assert_eq!(
            String::from_utf8_lossy(&files["app.yaml"].1),
            deployment("1.2.0", &name)
        );
        tell(&format!("ssh with {kind}{suffix}: as predicted"));

        apply(&plane.cluster, &[case.secret(&key, passphrase, "")]);
        let unknown = case.diff();
        let predicted = case.report(&unknown)["error"].clone();
        let request =
            json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "again"}}});
        case.merge_automation(&request);
        let failed = wait_for(
            "the controller to know no host",
            Duration::from_secs(60),
            || {
                let object = plane.api.get(&case.automation_path()).ok()?;
                let handled = object["status"]["lastHandledReconcileAt"] == "again";
                verdict(&object).filter(|verdict| handled && !verdict.ready)
            },
        );
        assert_eq!(
            predicted,
            json!({"reason": failed.reason, "message": failed.message}),
            "{name}"
        );
    }
}
