//! `examples/alerting`: its objects are applied, and `doctor` runs with the rights that they give.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::clusters::ADMINISTRATOR;
use super::command_line::{Home, OURS, run};
use super::control_plane;

fn documents(name: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/alerting")
        .join(name);
    let text = fs::read_to_string(file).expect("the example is there");
    text.split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).expect("it is YAML"))
        .collect()
}

#[test]
fn doctor_has_the_rights_that_the_example_gives() {
    let Some(plane) = control_plane() else { return };
    plane.create_namespace("flux-system");
    for object in documents("rbac.yaml")
        .iter()
        .chain(&documents("cronjob.yaml"))
    {
        let applied = plane.api.apply(object);
        applied.unwrap_or_else(|refusal| panic!("{object}: {refusal:?}"));
    }
    let home = Home::new();
    let account = "system:serviceaccount:flux-system:imageauto-doctor";
    let mut command = home.command(OURS, &plane.cluster, ADMINISTRATOR);
    let ran = run(command
        .args(["doctor", "--as", account, "--tags-from", "status"])
        .args(["--fail-on", "never", "-o", "prometheus"]));
    assert!(
        !ran.stdout.contains("permission-missing") && !ran.stdout.contains("not-checked"),
        "{}\n{}",
        ran.stdout,
        ran.stderr
    );
    for metric in ["imageauto_findings", "imageauto_policy_stuck"] {
        let kind = format!("# TYPE {metric} gauge\n");
        assert!(ran.stdout.contains(&kind), "{}", ran.stdout);
    }
    for line in ran.stdout.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a sample has a value");
        assert!(
            name.starts_with("imageauto_") && value.parse::<f64>().is_ok(),
            "{line}"
        );
    }
}
