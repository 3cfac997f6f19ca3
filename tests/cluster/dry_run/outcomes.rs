//! Each outcome with real objects: predicted, then applied by the controller, then compared.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cases::{
    Case, Expected, admission_policies, cases, files, helm_release_definition, set_up,
    widget_definition,
};
use super::control_plane;
use super::judge::{Stage, Verdicts};
use crate::cluster::clusters::ADMINISTRATOR;

fn prepare(stage: &Stage<'_>) {
    stage.define(&widget_definition(), "/apis/test.example.com/v1/widgets");
    stage.define(
        &helm_release_definition(),
        "/apis/helm.toolkit.fluxcd.io/v2/helmreleases",
    );
    for name in ["stamped", "quota"] {
        stage.cluster.create_namespace(name);
    }
}

/// The quota of a namespace counts only once somebody has written its status: here nobody else does.
fn limit_config_maps(stage: &Stage<'_>) {
    let hard = json!({"count/configmaps": "1"});
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"namespace": "quota", "name": "maps"},
        "spec": {"hard": hard},
    });
    stage.apply(std::slice::from_ref(&quota));
    let mut status = quota;
    status["status"] = json!({"hard": hard, "used": {"count/configmaps": "1"}});
    stage
        .cluster
        .api
        .write_status(&status)
        .unwrap_or_else(|refusal| panic!("{refusal:?}"));
}

#[test]
fn every_outcome_is_what_the_controller_makes_of_it() {
    let Some(plane) = control_plane() else { return };
    let Some(cluster) = plane.delivery() else {
        return;
    };
    let cases = cases("outcomes");
    let mut stage = Stage::new(plane, cluster, "outcomes", files(&cases));
    prepare(&stage);
    set_up(&stage, &cases);
    stage.settled();
    for case in &cases {
        for (path, patch) in &case.done {
            cluster
                .api
                .merge(path, patch)
                .unwrap_or_else(|refusal| panic!("{}: {refusal:?}", case.name));
        }
    }
    stage.apply(&admission_policies());
    limit_config_maps(&stage);
    stage.wait_for_policies("denied", "stamped");

    let before = stage.everything();
    let predicted = stage.predicted();
    assert_eq!(stage.everything(), before, "something was persisted");
    let rows = predicted["dryRun"].as_array().expect("it was asked for");
    let mut wrong = expected_rows(&cases, rows);
    reconcile_says_the_same(&stage, rows);
    what_is_not_allowed_is_named(&stage, &before);

    for case in cases.iter().filter(|case| case.suspended) {
        stage.resume(case.name);
    }
    let live = stage.live_objects(rows);
    stage.push();
    let settled = stage.settled();
    let verdicts = Verdicts {
        stage: &stage,
        live: &live,
        settled: &settled,
    };
    wrong.extend(verdicts.of_rows(rows));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `reconcile --dry-run=server` asks the same, and pushes nothing.
fn reconcile_says_the_same(stage: &Stage<'_>, rows: &[Value]) {
    let head = stage.head();
    let arguments = ["reconcile", "--yes", "--dry-run=server"];
    let ran = stage.run(ADMINISTRATOR, &[&arguments[..], &["-o", "json"]].concat());
    assert_eq!(ran.code, Some(8), "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    let automation = &document["automations"][0];
    let found = automation["dryRun"].as_array().expect("it was asked for");
    assert_eq!(found.len(), rows.len());
    let outcomes = |rows: &[Value]| -> Vec<Value> {
        let told = rows.iter();
        told.map(|row| json!([row["object"], row["outcome"], row["fields"]]))
            .collect()
    };
    assert_eq!(outcomes(found), outcomes(rows));
    assert_eq!(automation["pushed"], false);
    assert_eq!(stage.head(), head);
}

/// Somebody who may read everything but Secrets, with the files in a folder, is told which right is missing.
fn what_is_not_allowed_is_named(stage: &Stage<'_>, before: &BTreeMap<String, Value>) {
    let folder = stage.work_tree();
    let tree = folder.path().to_str().expect("its path is a text");
    let arguments = ["diff", "--dry-run=server", "-o", "json", "--worktree", tree];
    let ran = stage.run("reader", &arguments);
    assert_eq!(&stage.everything(), before, "something was persisted");
    assert_eq!(ran.code, Some(8), "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    let rows = document["automations"][0]["dryRun"].as_array().cloned();
    let rows = rows.expect("it was asked for");
    let plain = rows
        .iter()
        .find(|row| row["kustomization"]["name"] == "plainly")
        .expect("it is touched");
    assert_eq!(plain["outcome"], "forbidden", "{plain}");
    let message = plain["message"].as_str().unwrap_or_default();
    let rule = r#"a Role in namespace plainly with {apiGroups: ["apps"], resources: ["deployments"], verbs: ["patch", "get"]}"#;
    assert!(message.ends_with(rule), "{message}");
    let substituted = rows
        .iter()
        .find(|row| row["kustomization"]["name"] == "substituted")
        .expect("it is touched");
    assert_eq!(substituted["outcome"], "notChecked", "{substituted}");
    assert!(!ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"));
}

/// Where the rows are not those that the cases expect.
fn expected_rows(cases: &[Case], rows: &[Value]) -> Vec<String> {
    let mut found: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for row in rows {
        // What no Kustomization applies belongs to the case in whose folder it is.
        let path = row["path"].as_str().unwrap_or_default();
        let name = row["kustomization"]["name"].as_str();
        let name = name.or_else(|| path.split('/').next());
        found.entry(name.unwrap_or_default()).or_default().push(row);
    }
    let mut wrong = Vec::new();
    for case in cases {
        let mut rows = found.remove(case.name).unwrap_or_default();
        for expected in &case.expected {
            match rows.iter().position(|row| fits(row, expected)) {
                Some(at) => drop(rows.remove(at)),
                None => wrong.push(format!("{}: no row {expected:?}", case.name)),
            }
        }
        wrong.extend(rows.iter().map(|row| format!("{}: {row}", case.name)));
    }
    let rest = found.into_values().flatten();
    wrong.extend(rest.map(|row| format!("nothing expects {row}")));
    wrong
}

fn fits(row: &Value, (kind, name, outcome, by): &Expected) -> bool {
    let found = row["object"]["name"].as_str().unwrap_or_default();
    let is_named = match name.strip_suffix('*') {
        Some(start) => found.starts_with(start),
        None => found == *name,
    };
    row["object"]["kind"] == *kind
        && is_named
        && row["outcome"] == *outcome
        && row["by"] == by.map_or(Value::Null, Value::from)
}
