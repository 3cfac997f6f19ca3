//! Several of us and the running controller, all at once on one branch.

use serde_json::json;

use super::{Case, NAMESPACE, Run, deployment, prepare_namespace};
use crate::cluster::command_line::Home;
use crate::cluster::objects::automation;
use crate::cluster::repository::Repository;
use crate::cluster::{control_plane, in_parallel, tell};

/// Automations of ours and of the controller's, each with a folder of its own.
const OURS: usize = 4;
const THEIRS: usize = 2;

#[test]
fn pushes_at_once_all_come_through_and_nobodys_work_is_lost() {
    let Some(plane) = control_plane() else { return };
    prepare_namespace(plane);
    let prepare = |repository: &Repository| {
        let text = deployment("1.0.0");
        for number in 0..OURS + THEIRS {
            let path = format!("part{number}/app.yaml");
            repository.commit_files("main", "Part", [(path.as_str(), text.as_bytes())]);
        }
    };
    let case = Case {
        name: "race-0",
        prepare,
        git: json!({}),
        path: "./part0",
    };
    let first = Run::new(plane, &case, None);
    let of = |name: String| Run {
        plane,
        name,
        repository: Repository::at(
            first.repository.folder().to_owned(),
            first.repository.url.clone(),
        ),
        start: first.start.clone(),
    };
    for number in 1..OURS + THEIRS {
        let name = format!("race-{number}");
        let mut object = automation(NAMESPACE, &name, "race-0", &json!({}), "main");
        object["spec"]["suspend"] = json!(true);
        object["spec"]["update"]["path"] = json!(format!("./part{number}"));
        let created = plane.api.create(&object);
        created.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }
    let numbers: Vec<usize> = (0..OURS + THEIRS).collect();
    let attempts = in_parallel(&numbers, |number| {
        let run = of(format!("race-{number}"));
        if *number >= OURS {
            // One that lost its race tries again by itself, later than we like to wait.
            let _ = run.resume();
            return 0;
        }
        let ran = run.reconcile(&Home::new(), &["--attempts", "20"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
        report["automations"][0]["attempts"]
            .as_u64()
            .unwrap_or_default()
    });
    let files = first.repository.files("main");
    let changed = |number: usize| {
        let (_, bytes) = &files[&format!("part{number}/app.yaml")];
        *bytes == deployment("1.2.0").into_bytes()
    };
    assert!((0..OURS).all(changed), "{attempts:?}");
    let theirs = (OURS..OURS + THEIRS)
        .filter(|number| changed(*number))
        .count();
    // One line of commits from where it began, one for each change.
    let start = &first.start["refs/heads/main"];
    let range = format!("{start}..main");
    let line = first
        .repository
        .run(&["rev-list", "--first-parent", &range], b"");
    let all = first.repository.run(&["rev-list", &range], b"");
    assert_eq!(line, all);
    let count = String::from_utf8_lossy(&all).lines().count();
    assert_eq!(count, OURS + theirs, "{attempts:?}");
    tell(&format!(
        "pushes, races: {OURS} of ours and {theirs} of {THEIRS} of the controller's, in {attempts:?} attempts"
    ));
}
