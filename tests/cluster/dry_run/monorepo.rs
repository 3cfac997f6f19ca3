//! A repository of many Kustomizations, laid out like Flux's example: a base, overlays of it, and services that the update has
//! nothing to do with. Only what it touches is built.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::control_plane;
use super::judge::{IMAGE, Stage, Verdicts};
use crate::cluster::clusters::ADMINISTRATOR;

/// All of them, the two overlays included.
const KUSTOMIZATIONS: usize = 200;

fn files(stage: &str) -> BTreeMap<String, String> {
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  selector:\n    matchLabels: {{app: web}}\n  template:\n    metadata:\n      labels: {{app: web}}\n    spec:\n      containers:\n        - name: web\n          image: {IMAGE}:1.0.0 # {{\"$imagepolicy\": \"{stage}:app\"}}\n"
    );
    let overlay = |name: &str, replicas: usize| {
        format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: mono-{name}\nnamePrefix: {name}-\nresources:\n  - ../base/web\ncomponents:\n  - ../../components/replicas\npatches:\n  - patch: |-\n      - op: replace\n        path: /spec/replicas\n        value: {replicas}\n    target: {{kind: Deployment}}\n"
        )
    };
    let mut files: BTreeMap<String, String> = [
        ("apps/base/web/deployment.yaml", deployment),
        (
            "apps/base/web/kustomization.yaml",
            "resources: [deployment.yaml]\n".into(),
        ),
        ("apps/staging/kustomization.yaml", overlay("staging", 2)),
        ("apps/production/kustomization.yaml", overlay("production", 3)),
        (
            "components/replicas/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n  - patch: |-\n      - op: add\n        path: /spec/replicas\n        value: 1\n    target: {kind: Deployment}\n".into(),
        ),
    ]
    .map(|(path, text)| (path.to_owned(), text))
    .into();
    for service in 0..KUSTOMIZATIONS - 2 {
        files.insert(
            format!("services/s{service}/map.yaml"),
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: s{service}\n  namespace: mono-staging\n"),
        );
    }
    files
}

#[test]
fn only_what_is_touched_is_built() {
    let Some(plane) = control_plane() else { return };
    let Some(cluster) = plane.delivery() else {
        return;
    };
    let mut stage = Stage::new(plane, cluster, "monorepo", files("monorepo"));
    for name in ["mono-staging", "mono-production"] {
        cluster.create_namespace(name);
    }
    let overlays = ["staging", "production"].map(|name| {
        let path = format!("./apps/{name}");
        stage.kustomization(name, &path, &json!({}))
    });
    stage.apply(&overlays);
    let services: Vec<Value> = (0..KUSTOMIZATIONS - 2)
        .map(|service| {
            let path = format!("services/s{service}");
            stage.kustomization(&format!("s{service}"), &path, &json!({"suspend": true}))
        })
        .collect();
    crate::cluster::in_parallel(&services, |service| {
        stage.apply(std::slice::from_ref(service));
    });
    stage.settled();

    let arguments = ["diff", "--dry-run=server", "-o", "json", "-v"];
    let ran = stage.run(ADMINISTRATOR, &arguments);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let builds = ran.stderr.lines();
    let builds = builds.filter(|line| line.contains("--load-restrictor"));
    assert_eq!(
        builds.count(),
        4,
        "two of them, before and after: {}",
        ran.stderr
    );
    let document: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    let rows = document["automations"][0]["dryRun"].as_array().cloned();
    let rows = rows.expect("it was asked for");
    let told: Vec<String> = rows
        .iter()
        .map(|row| {
            format!(
                "{} {} {}",
                row["kustomization"]["name"], row["object"]["name"], row["outcome"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            r#""production" "production-web" "changed""#,
            r#""staging" "staging-web" "changed""#
        ]
    );

    let live = stage.live_objects(&rows);
    stage.push();
    let settled = stage.settled();
    let verdicts = Verdicts {
        stage: &stage,
        live: &live,
        settled: &settled,
    };
    let wrong = verdicts.of_rows(&rows);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
