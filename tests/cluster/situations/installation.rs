//! What can be wrong with the controllers themselves, with rights, API versions and several clusters.

use std::fs;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::stage::{CONTROLLERS, Stage, image_path};
use crate::cluster::api::wait_for;
use crate::cluster::clusters::{ADMINISTRATOR, Cluster};
use crate::cluster::command_line::{OURS, run};
use crate::cluster::definitions::Served;
use crate::cluster::objects::{automation, git_repository, settled_policy, verdict};
use crate::cluster::repository::Repository;

/// One who may read nothing.
pub fn look_at_rights(stage: &mut Stage<'_>) {
    let ran = stage.doctor("nobody", &["-n", "fine"]);
    for kind in ["ImageRepository", "ImagePolicy", "ImageUpdateAutomation"] {
        stage.expect("permission-missing", format!("{kind} fine/*"));
    }
    stage.compare("as nobody", &ran);
}

/// Deployments and leases that tell of trouble.
pub fn look_at_controllers(stage: &mut Stage<'_>) {
    let subject = |index: usize| format!("Deployment flux-system/{}", CONTROLLERS[index].0);
    stage.deploy(0, &[], (0, 1));
    stage.deploy(1, &[], (0, 0));
    stage.expect("controller-not-ready", subject(0));
    stage.expect("controller-not-ready", subject(1));
    let ran = stage.doctor(ADMINISTRATOR, &["-n", "fine"]);
    stage.compare("not ready", &ran);
    stage.deploy(0, &[], (1, 1));
    stage.deploy(1, &[], (1, 1));
    stage.deploy_version(
        1,
        "v1.1.1",
        &["--feature-gates=GitSparseCheckout=true"],
        (1, 1),
    );
    stage.expect("controller-versions-differ", subject(1));
    let ran = stage.doctor(ADMINISTRATOR, &["-n", "fine"]);
    stage.compare("an old controller", &ran);
    let mut command = stage.home.command(OURS, &stage.cluster, ADMINISTRATOR);
    let ran = run(command.args(["version", "--live"]));
    for line in [
        "image-reflector-controller 1.2.3 in namespace flux-system: rules of Flux 2.9 (by the tag of its image)\n",
        "image-automation-controller 1.1.1 in namespace flux-system: rules of Flux 2.8 (by the tag of its image), GitSparseCheckout=true\n",
        "imagepolicies.image.toolkit.fluxcd.io: v1\n",
    ] {
        if !ran.stdout.contains(line) {
            stage.differs(format!(
                "version --live doesn't say {line:?}: {}",
                ran.stdout
            ));
        }
    }
    stage.deploy(1, &[], (1, 1));
    stage.deploy(0, &["--watch-label-selector=a!=b"], (1, 1));
    stage.expect("controller-not-ready", subject(0));
    let ran = stage.doctor(ADMINISTRATOR, &["-n", "fine"]);
    stage.compare("a refused flag", &ran);
    stage.deploy(0, &[], (1, 1));
    let elects = ["--enable-leader-election"];
    stage.deploy(0, &elects, (1, 1));
    stage.deploy(1, &elects, (1, 1));
    let lease = |index: usize, age: i64| {
        let name = format!("{}-leader-election", CONTROLLERS[index].0);
        let then = Timestamp::now() - SignedDuration::from_secs(age);
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"namespace": "flux-system", "name": name},
            "spec": {"holderIdentity": "pod-1", "leaseDurationSeconds": 35, "renewTime": format!("{then:.6}")},
        })
    };
    stage.apply(&lease(0, 600));
    stage.apply(&lease(1, 1));
    stage.expect(
        "lease-stuck",
        format!("Lease flux-system/{}-leader-election", CONTROLLERS[0].0),
    );
    let ran = stage.doctor(ADMINISTRATOR, &["-n", "fine"]);
    let found = stage.compare("a lease is stuck", &ran);
    let stuck = found
        .iter()
        .filter(|finding| finding["id"] == "lease-stuck")
        .count();
    if stuck != 1 {
        stage.differs(format!("{stuck} leases are stuck, not one: {found:?}"));
    }
    stage.apply(&lease(0, 1));
    stage.delete(&format!(
        "/apis/apps/v1/namespaces/flux-system/deployments/{}",
        CONTROLLERS[0].0
    ));
    stage.expect("controller-missing", subject(0));
    let ran = stage.doctor(ADMINISTRATOR, &["-n", "fine"]);
    stage.compare("a controller is missing", &ran);
}

/// The controllers start anew, without their storage and with flags that forbid.
pub fn restart(stage: &mut Stage<'_>) {
    let selector = "--watch-label-selector=!unwatched";
    let flags = ["--no-cross-namespace-refs", selector];
    // What fails would be scanned before it is known that its tags are lost.
    let unwatched = json!({"metadata": {"labels": {"unwatched": "true"}}});
    for (kind, name) in [("ImageRepository", "app"), ("ImagePolicy", "app")] {
        stage.change(kind, "pending", name, &unwatched);
        stage.expect("object-not-watched", format!("{kind} pending/{name}"));
    }
    let elsewhere = json!({"spec": {"sourceRef": {"namespace": "fine", "name": "fine"}}});
    stage.change(
        "ImageUpdateAutomation",
        "selection",
        "selection",
        &elsewhere,
    );
    stage.start_controllers(&flags);
    let lost = stage.until("ImagePolicy", "policies", "paused", |condition, _| {
        !condition.ready && condition.message.ends_with("no tags in database")
    });
    assert!(lost["status"]["latestRef"].is_object(), "{lost}");
    stage.expect("tags-lost-after-restart", "ImagePolicy policies/paused");
    stage.until("ImagePolicy", "policies", "denied", |condition, _| {
        condition.message.contains("blocked")
    });
    stage.until(
        "ImageUpdateAutomation",
        "selection",
        "selection",
        |condition, _| condition.message.contains("blocked"),
    );
    stage.expect("cross-namespace-denied", "ImagePolicy policies/denied");
    stage.expect("update-fails", "ImageUpdateAutomation selection/selection");
    stage.look("started anew");
    // Nobody scans any more, and the next scan of what is scanned often is overdue.
    stage.stop_controllers();
    let scanned = Timestamp::now() - SignedDuration::from_secs(3600);
    let path = image_path("ImageRepository", "registries", "busy");
    let object = stage.api().get(&path).expect("it is there");
    let mut scan = object["status"]["lastScanResult"].clone();
    scan["scanTime"] = json!(format!("{scanned:.0}"));
    let status = json!({"status": {"lastScanResult": scan}});
    let written = stage.api().merge(&format!("{path}/status"), &status);
    written.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    stage.deploy(0, &flags, (0, 0));
    stage.expect(
        "controller-not-ready",
        format!("Deployment flux-system/{}", CONTROLLERS[0].0),
    );
    stage.expect_from(
        "scan-stale",
        "ImageRepository registries/busy",
        "controller-not-ready",
    );
    let ran = stage.doctor(ADMINISTRATOR, &["-n", "registries"]);
    stage.compare("scaled to zero", &ran);
}

/// Two clusters that write one marker, and one that isn't there.
pub fn look_at_clusters(stage: &mut Stage<'_>) {
    const NAMESPACE: &str = "overlap";
    let image = "registry.example.com/team/app";
    let text = format!("image: {image}:1.0.0 # {{\"$imagepolicy\": \"{NAMESPACE}:app\"}}\n");
    let repository = Repository::create(
        stage.plane,
        "situations-overlap",
        [("app.yaml", text.as_bytes())],
    );
    let other = stage.plane.cluster_serving(Served::V1AndV1beta2);
    for (cluster, tag) in [(&stage.cluster, "1.1.0"), (other, "1.2.0")] {
        cluster.create_namespace(NAMESPACE);
        let git = &stage.plane.addresses.git;
        let policy = settled_policy(NAMESPACE, "app", image, tag, "");
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NAMESPACE, "name": "git"},
            "stringData": {"username": git.user, "password": git.password},
        });
        let mut update = automation(NAMESPACE, "images", "gitops", &json!({}), "main");
        update["spec"]["suspend"] = json!(true);
        for object in [
            &secret,
            &policy,
            &git_repository(NAMESPACE, "gitops", &repository.url),
            &update,
        ] {
            let mut bare = object.clone();
            bare.as_object_mut()
                .expect("it is an object")
                .remove("status");
            cluster
                .api
                .apply(&bare)
                .unwrap_or_else(|refusal| panic!("{bare}: {refusal:?}"));
        }
        let written = cluster.api.write_status(&policy);
        written.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }
    let kubeconfig = stage.home.path().join("clusters");
    let entry = |cluster: &Cluster| json!({"server": cluster.server, "certificate-authority": cluster.authority});
    let token = |cluster: &Cluster| json!({"token": cluster.token(ADMINISTRATOR)});
    let named = |name: &str, key: &str, value: Value| json!({"name": name, key: value});
    let context = |name: &str| named(name, "context", json!({"cluster": name, "user": name}));
    let nowhere = json!({"server": "https://127.0.0.1:1"});
    let document = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "east",
        "clusters": [named("east", "cluster", entry(&stage.cluster)), named("west", "cluster", entry(other)), named("gone", "cluster", nowhere)],
        "users": [named("east", "user", token(&stage.cluster)), named("west", "user", token(other)), named("gone", "user", json!({}))],
        "contexts": [context("east"), context("west"), context("gone")],
    });
    fs::write(&kubeconfig, document.to_string()).expect("it can be written");
    let mut command = stage.home.command(OURS, &stage.cluster, ADMINISTRATOR);
    let ran = run(command.env("KUBECONFIG", &kubeconfig).args([
        "doctor",
        "-o",
        "json",
        "-n",
        NAMESPACE,
        "--tags-from",
        "status",
        "--contexts",
        "/./",
    ]));
    stage.expect("automations-overlap", "app.yaml:1");
    stage.expect("cluster-unreachable", "Cluster /gone");
    stage.compare("side by side", &ran);
}

/// A cluster that serves an old API version only.
pub fn look_at_old_versions(stage: &mut Stage<'_>) {
    let old = stage.plane.cluster_serving(Served::V1beta2);
    old.create_namespace("situations");
    let policy = json!({
        "apiVersion": "image.toolkit.fluxcd.io/v1beta2", "kind": "ImagePolicy",
        "metadata": {"namespace": "situations", "name": "app"},
        "spec": {"imageRepositoryRef": {"name": "none"}, "policy": {"semver": {"range": "*"}}},
    });
    old.api
        .apply(&policy)
        .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let mut command = stage.home.command(OURS, old, ADMINISTRATOR);
    let ran = run(command.args(["doctor", "-o", "json", "-n", "situations"]));
    stage.expect(
        "api-version-removed",
        "CustomResourceDefinition /imagepolicies.image.toolkit.fluxcd.io",
    );
    stage.compare("an old version is served", &ran);
}

/// What becomes of a commit, where source- and kustomize-controller can be built; whether they could.
pub fn look_at_deliveries(stage: &mut Stage<'_>) -> bool {
    const NAMESPACE: &str = "situations";
    let Some(cluster) = stage.plane.delivery() else {
        return false;
    };
    let text = "image: a:1 # {\"$imagepolicy\": \"situations:app\"}\n";
    let repository = Repository::create(
        stage.plane,
        "situations-delivery",
        [("app.yaml", text.as_bytes())],
    );
    cluster.create_namespace(NAMESPACE);
    let git = &stage.plane.addresses.git;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NAMESPACE, "name": "git"},
        "stringData": {"username": git.user, "password": git.password},
    });
    let apply = |object: &Value| {
        let applied = cluster.api.apply(object);
        applied.unwrap_or_else(|refusal| panic!("{object}: {refusal:?}"));
    };
    apply(&secret);
    for (name, url) in [
        ("good", repository.url.clone()),
        ("bad", repository.url.replace("delivery", "gone")),
        ("paused", repository.url.clone()),
    ] {
        let mut source = git_repository(NAMESPACE, name, &url);
        source["spec"]["suspend"] = json!(name == "paused");
        apply(&source);
        apply(&automation(NAMESPACE, name, name, &json!({}), "main"));
        apply(&json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"namespace": NAMESPACE, "name": name},
            "spec": {
                "interval": "24h", "retryInterval": "2s", "prune": false, "path": "./nowhere", "suspend": name == "paused",
                "sourceRef": {"kind": "GitRepository", "name": name},
            },
        }));
    }
    let failing = |kind: &str, plural: &str, name: &str| {
        let path =
            format!("/apis/{kind}.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/{plural}/{name}");
        wait_for(&path, Duration::from_secs(60), || {
            let found = verdict(&cluster.api.get(&path).ok()?)?;
            (!found.ready).then_some(found.message)
        })
    };
    let source = failing("source", "gitrepositories", "bad");
    let applied = failing("kustomize", "kustomizations", "good");
    let mut command = stage.home.command(OURS, cluster, ADMINISTRATOR);
    let ran = run(command.args([
        "doctor",
        "-o",
        "json",
        "-n",
        NAMESPACE,
        "--tags-from",
        "status",
    ]));
    stage.expect("source-fails", format!("GitRepository {NAMESPACE}/bad"));
    stage.expect("apply-fails", format!("Kustomization {NAMESPACE}/good"));
    stage.expect("suspended", format!("GitRepository {NAMESPACE}/paused"));
    stage.expect("suspended", format!("Kustomization {NAMESPACE}/paused"));
    let found = stage.compare("delivered", &ran);
    for (id, words) in [("source-fails", source), ("apply-fails", applied)] {
        let quoted = found.iter().any(|finding| {
            let evidence = finding["evidence"].as_str().unwrap_or_default();
            finding["id"] == id && evidence.contains(&words)
        });
        if !quoted {
            stage.differs(format!("{id} doesn't quote {words}: {found:?}"));
        }
    }
    true
}
