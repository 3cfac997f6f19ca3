//! `explain` on the last hops, and `explain -w` while source-controller and kustomize-controller deliver a commit.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use super::control_plane;
use super::judge::{IMAGE, Stage};
use crate::cluster::api::wait_for;
use crate::cluster::clusters::ADMINISTRATOR;
use crate::cluster::objects::verdict;

/// The steps of the policy's chain, and of its automation's, as `step verdict`.
fn hops(stage: &Stage<'_>) -> (Vec<String>, Value) {
    let ran = stage.run(ADMINISTRATOR, &["explain", "policy/app", "-o", "json"]);
    let document: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let of = |place: &str| document[place].as_array().cloned().unwrap_or_default();
    let chains = [of("policies"), of("automations")].concat();
    let steps = chains
        .iter()
        .flat_map(|chain| chain["steps"].as_array().cloned().unwrap_or_default())
        .filter(|step| {
            ["commit", "source", "applied", "running"]
                .iter()
                .any(|name| step["step"] == *name)
        })
        .map(|step| {
            format!(
                "{} {}",
                step["step"].as_str().unwrap_or_default(),
                step["verdict"].as_str().unwrap_or_default()
            )
        });
    (steps.collect(), document)
}

#[test]
fn a_release_is_followed_to_what_runs_it() {
    let Some(plane) = control_plane() else { return };
    let Some(cluster) = plane.delivery() else {
        return;
    };
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  selector:\n    matchLabels: {{app: web}}\n  template:\n    metadata:\n      labels: {{app: web}}\n    spec:\n      containers:\n        - name: web\n          image: {IMAGE}:1.0.0 # {{\"$imagepolicy\": \"arrival:app\"}}\n"
    );
    let files = BTreeMap::from([("apps/web.yaml".to_owned(), deployment)]);
    let mut stage = Stage::new(plane, cluster, "arrival", files);
    let spec = json!({"targetNamespace": "arrival"});
    stage.apply(&[stage.kustomization("apps", "./apps", &spec)]);
    stage.settled();

    let (before, document) = hops(&stage);
    assert_eq!(
        before,
        [
            "commit waiting",
            "source ok",
            "applied ok",
            "running waiting"
        ],
        "{document:#}"
    );

    let mut watching = stage.command(
        ADMINISTRATOR,
        &["explain", "policy/app", "-w", "--timeout", "2m"],
    );
    let watching = watching
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    stage.push();
    stage.settled();
    let status = json!({
        "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageUpdateAutomation",
        "metadata": {"namespace": "arrival", "name": "update"},
        "status": {"lastPushCommit": stage.head(), "lastPushTime": "2026-01-01T00:00:00Z"},
    });
    cluster
        .api
        .write_status(&status)
        .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "arrival", "name": "web"},
        "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    });
    // Nobody else rolls out here.
    cluster
        .api
        .write_status(&deployment)
        .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let watched = watching.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&watched.stdout).into_owned();
    let said = String::from_utf8_lossy(&watched.stderr).into_owned();
    assert_eq!(watched.status.code(), Some(0), "{told}{said}");
    assert!(said.contains("2.0.0: it runs"), "{said}");

    let (after, document) = hops(&stage);
    assert_eq!(
        after,
        ["commit ok", "source ok", "applied ok", "running ok"],
        "{document:#}"
    );
    let commit = stage.head();
    let text = document.to_string();
    assert!(text.contains(&commit[..7]), "{document:#}");

    // What kustomize-controller fails at is said in its words.
    let path = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/arrival/kustomizations/apps";
    cluster
        .api
        .merge(path, &json!({"spec": {"targetNamespace": "there-is-none"}}))
        .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let failed = wait_for("the failure", Duration::from_secs(60), || {
        let object = cluster.api.get(path).ok()?;
        verdict(&object).filter(|verdict| !verdict.ready)
    });
    let ran = stage.run(ADMINISTRATOR, &["explain", "deploy/web", "-o", "json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    let steps = document["policies"][0]["steps"].as_array().cloned();
    let steps = steps.expect("it has steps");
    let applied = steps.iter().find(|step| step["step"] == "applied");
    let applied = applied.unwrap_or_else(|| panic!("{document:#}"));
    assert_eq!(applied["verdict"], "stuck", "{applied}");
    assert_eq!(applied["id"], "apply-fails", "{applied}");
    let text = applied["text"].as_str().unwrap_or_default();
    assert!(text.contains(&failed.message), "{text}: {failed:?}");
}
