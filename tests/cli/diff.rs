//! `diff`: the patch, what is said about it, its other forms and its exit status.

use crate::environment::{
    Environment, OFFLINE, automation, deployment, image_repository, policy, semver_policy,
};

const PATCH: &str = "\
# ImageUpdateAutomation flux-system/images: main of https://git.example.com/team/gitops
--- a/apps/app.yaml
+++ b/apps/app.yaml
@@ -7,4 +7,4 @@
     spec:
       containers:
         - name: app
-          image: registry.example.com/team/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}
+          image: registry.example.com/team/app:1.2.0 # {\"$imagepolicy\": \"flux-system:app\"}
";

#[test]
fn the_patch_goes_to_stdout_and_the_talk_to_stderr() {
    let ran = Environment::shop().diff(&[]).expect(1);
    assert_eq!(ran.stdout, PATCH);
    assert!(
        ran.stderr
            .contains("update/images (flux-system): checks out main@"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("pushes to main"), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("1 file changes: 1 marker set, 0 up to date"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr
            .contains("message: \"Update from image update automation\""),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
}

#[test]
fn git_apply_takes_the_patch_and_then_nothing_is_left() {
    let environment = Environment::shop();
    let patch = environment.diff(&[]).expect(1).stdout;
    environment.write("change.patch", &patch);
    environment.git("gitops", &["apply", "--index", "../change.patch"]);
    let ran = environment.diff(&[]).expect(0);
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr
            .contains("no file changes: 0 markers set, 1 up to date"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_work_tree_is_never_written() {
    let environment = Environment::shop();
    drop(environment.diff(&[]).expect(1));
    assert_eq!(
        environment.read("gitops/apps/app.yaml"),
        deployment("app", "1.0.0")
    );
    assert_eq!(environment.git("gitops", &["status", "--porcelain"]), "");
}

#[test]
fn quiet_leaves_the_result_alone() {
    let ran = Environment::shop().diff(&["-q"]).expect(1);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (PATCH, ""));
}

#[test]
fn names_are_one_a_line() {
    let ran = Environment::shop().diff(&["-o", "name"]).expect(1);
    assert_eq!(ran.stdout, "apps/app.yaml\n");
    assert!(!ran.stderr.contains("message:"), "{}", ran.stderr);
}

#[test]
fn stat_counts_lines() {
    let ran = Environment::shop().diff(&["--stat"]).expect(1);
    assert_eq!(
        ran.stdout,
        " apps/app.yaml | 2 +1 -1\n 1 file changed, 1 insertions(+), 1 deletions(-)\n"
    );
}

#[test]
fn the_context_can_be_chosen() {
    let ran = Environment::shop().diff(&["-U", "0"]).expect(1);
    assert!(ran.stdout.contains("@@ -10 +10 @@\n-  "), "{}", ran.stdout);
    assert_eq!(
        Environment::shop().diff(&["--unified=3"]).expect(1).stdout,
        PATCH
    );
}

#[test]
fn colours_are_asked_for() {
    let environment = Environment::shop();
    let colored = environment.diff(&["--color", "always"]).expect(1);
    assert!(colored.stdout.contains("\u{1b}["), "{}", colored.stdout);
    assert!(colored.stderr.contains("\u{1b}["), "{}", colored.stderr);
    let forced = environment
        .imageauto()
        .env("CLICOLOR_FORCE", "1")
        .args(["version"])
        .output()
        .unwrap();
    assert!(forced.status.success());
    assert!(
        !environment
            .diff(&["--color", "auto"])
            .expect(1)
            .stdout
            .contains('\u{1b}')
    );
}

#[test]
fn glyphs_are_ascii_outside_utf8() {
    let environment = Environment::shop();
    let arguments = [&["diff"][..], &OFFLINE].concat();
    let output = environment
        .imageauto()
        .env("LANG", "C")
        .args(arguments)
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().is_ascii());
}

#[test]
fn json_holds_the_whole_answer() {
    let ran = Environment::shop().diff(&["-o", "json"]).expect(1);
    let document = ran.json();
    assert_eq!(document["schemaVersion"], 1);
    let automation = &document["automations"][0];
    assert_eq!(automation["context"], serde_json::Value::Null);
    assert_eq!(automation["name"], "images");
    assert_eq!(automation["path"], "./apps");
    assert_eq!(
        automation["source"]["url"],
        "https://git.example.com/team/gitops"
    );
    assert_eq!(automation["source"]["ref"]["branch"], "main");
    assert_eq!(automation["source"]["commit"].as_str().unwrap().len(), 40);
    assert_eq!(
        (&automation["checkoutBranch"], &automation["pushBranch"]),
        (&"main".into(), &"main".into())
    );
    assert_eq!(automation["policies"][0]["tag"], "1.2.0");
    assert_eq!(automation["policies"][0]["from"], "recording");
    assert_eq!(automation["message"], "Update from image update automation");
    assert_eq!(automation["error"], serde_json::Value::Null);
    assert_eq!(automation["dryRun"], serde_json::Value::Null);
    assert_eq!(
        automation["markers"],
        serde_json::json!({"applied": 1, "upToDate": 0, "ignored": []})
    );
    let file = &automation["files"][0];
    assert_eq!(file["path"], "apps/app.yaml");
    assert_eq!(file["patch"], PATCH.split_once('\n').unwrap().1);
    assert_eq!(
        file["changes"][0],
        serde_json::json!({
            "object": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "", "name": "app"},
            "setter": "flux-system:app", "line": 10,
            "old": "registry.example.com/team/app:1.0.0", "new": "registry.example.com/team/app:1.2.0",
        })
    );
}

#[test]
fn nothing_in_the_input_is_said_and_fine() {
    let environment = Environment::new();
    environment.write("objects/app.yaml", &image_repository("app"));
    environment.write("tags.json", "{}");
    let ran = environment.diff(&[]).expect(0);
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr.contains("no ImageUpdateAutomation in the input"),
        "{}",
        ran.stderr
    );
    let json = environment.diff(&["-o", "json"]).expect(0).json();
    assert_eq!(
        json,
        serde_json::json!({"schemaVersion": 1, "automations": [], "forecast": null})
    );
}

#[test]
fn an_empty_namespace_names_those_that_have_automations() {
    let ran = Environment::shop().diff(&["-n", "shop"]).expect(0);
    assert!(
        ran.stderr
            .contains("no ImageUpdateAutomation in namespace shop; there are some in flux-system"),
        "{}",
        ran.stderr
    );
}

#[test]
fn automations_are_chosen_by_name() {
    let environment = Environment::shop();
    environment.write("objects/other.yaml", &automation("other", "main", "./none"));
    assert_eq!(environment.diff(&["images"]).expect(1).stdout, PATCH);
    assert_eq!(environment.diff(&["update/images"]).expect(1).stdout, PATCH);
    assert_eq!(
        environment
            .diff(&["image", "update", "images"])
            .expect(1)
            .stdout,
        PATCH
    );
    let ran = environment.diff(&["missing"]).expect(6);
    assert!(
        ran.stderr
            .contains("ImageUpdateAutomation missing is not in the input"),
        "{}",
        ran.stderr
    );
    assert!(
        environment
            .diff(&["policy/app"])
            .expect(2)
            .stderr
            .contains("diff takes ImageUpdateAutomations")
    );
}

#[test]
fn one_failing_automation_does_not_stop_the_others() {
    let environment = Environment::shop();
    environment.write(
        "objects/other.yaml",
        &automation("broken", "main", "./none"),
    );
    let ran = environment.diff(&[]).expect(1);
    assert_eq!(ran.stdout, PATCH);
    let message = "failed to apply policies: walking path for files: lstat <clone>/none: no such file or directory";
    assert!(
        ran.stderr.contains(&format!(
            "flux-system/broken: the controller fails (UpdateFailed): {message}"
        )),
        "{}",
        ran.stderr
    );
    let json = environment.diff(&["-o", "json"]).expect(1).json();
    assert_eq!(
        json["automations"][0]["error"],
        serde_json::json!({"reason": "UpdateFailed", "message": message})
    );
}

#[test]
fn another_push_branch_is_said_to_be_unseen() {
    let environment = Environment::shop();
    environment.write(
        "objects/automation.yaml",
        &automation("images", "flux-image-updates", "./apps"),
    );
    let ran = environment.diff(&[]).expect(1);
    assert!(
        ran.stderr
            .contains("switches to flux-image-updates, pushes there"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("push-branch-unknown"), "{}", ran.stderr);
    assert!(
        ran.stdout
            .starts_with("# ImageUpdateAutomation flux-system/images: flux-image-updates of "),
        "{}",
        ran.stdout
    );
}

#[test]
fn tags_can_come_from_the_status() {
    let environment = Environment::shop();
    let with_status = semver_policy("app", ">=1.0.0")
        + "status:\n  latestRef:\n    name: registry.example.com/team/app\n    tag: 1.1.0\n";
    environment.write("objects/app.yaml", &with_status);
    let arguments = [
        "diff",
        "-f",
        "objects",
        "--tags-from",
        "status",
        "--worktree",
        "gitops",
    ];
    let ran = environment.run(&arguments).expect(1);
    assert!(
        ran.stdout
            .contains("+          image: registry.example.com/team/app:1.1.0 #"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_suspended_policy_keeps_what_its_status_says() {
    let environment = Environment::shop();
    let suspended = policy(
        "app",
        "  suspend: true\n  policy:\n    semver:\n      range: '>=1.0.0'\nstatus:\n  latestRef:\n    name: registry.example.com/team/app\n    tag: 1.1.0\n",
    );
    environment.write(
        "objects/app.yaml",
        &format!("{}---\n{suspended}", image_repository("app")),
    );
    let json = environment.diff(&["-o", "json"]).expect(1).json();
    let found = &json["automations"][0];
    assert_eq!(
        (&found["policies"][0]["tag"], &found["policies"][0]["from"]),
        (&"1.1.0".into(), &"status".into())
    );
    assert_eq!(found["findings"][0]["id"], "suspended");
}

#[test]
fn a_policy_that_fails_keeps_what_its_status_says() {
    let environment = Environment::shop();
    environment.write(
        "objects/app.yaml",
        &format!(
            "{}---\n{}",
            image_repository("app"),
            semver_policy("app", "nonsense")
        ),
    );
    let ran = environment.diff(&[]).expect(0);
    assert!(ran.stderr.contains("InvalidPolicy"), "{}", ran.stderr);
    assert!(ran.stderr.contains("improper constraint"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("policy-without-latest"),
        "{}",
        ran.stderr
    );
}

#[test]
fn an_assumed_tag_is_marked_as_such() {
    let environment = Environment::shop();
    let ran = environment.diff(&["--assume", "flux-system/app=9.9.9@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"]).expect(1);
    assert!(
        ran.stdout.contains("app:9.9.9@sha256:2c26"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr.contains("is assumed (--assume), not decided"),
        "{}",
        ran.stderr
    );
    assert!(
        environment
            .diff(&["--assume", "flux-system/none=1"])
            .expect(2)
            .stderr
            .contains("no such ImagePolicy")
    );
    assert!(
        environment
            .diff(&["--assume", "nonsense"])
            .expect(2)
            .stderr
            .contains("is not NAMESPACE/POLICY=TAG")
    );
}

#[test]
fn colliding_extracts_are_a_warning() {
    let environment = Environment::shop();
    let daily = policy(
        "app",
        "  filterTags:\n    pattern: '^(?P<day>[0-9]+)-[a-f0-9]+$'\n    extract: '$day'\n  policy:\n    numerical:\n      order: asc\n",
    );
    environment.write(
        "objects/app.yaml",
        &format!("{}---\n{daily}", image_repository("app")),
    );
    environment.write(
        "tags.json",
        r#"{"registry.example.com/team/app": ["20260601-abc", "20260601-def", "20260530-aaa"]}"#,
    );
    let ran = environment.diff(&[]).expect(1);
    assert!(ran.stdout.contains("app:20260601-abc"), "{}", ran.stdout);
    assert!(ran.stderr.contains("warning[extract-collision]: ImagePolicy flux-system/app: 20260601-def gives the key 20260601"), "{}", ran.stderr);
}

#[test]
fn a_choice_that_is_left_to_chance_is_not_made() {
    let environment = Environment::shop();
    let random = policy(
        "app",
        "  filterTags:\n    pattern: '.*'\n  policy:\n    semver:\n      range: '>=1.0.0'\n",
    );
    environment.write(
        "objects/app.yaml",
        &format!("{}---\n{random}", image_repository("app")),
    );
    environment.write(
        "tags.json",
        r#"{"registry.example.com/team/app": ["v1.2.0", "1.2.0"]}"#,
    );
    let ran = environment.diff(&[]).expect(1);
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr.contains("error[choice-not-deterministic]"),
        "{}",
        ran.stderr
    );
}

#[test]
fn ignored_markers_have_a_reason() {
    let environment = Environment::shop();
    environment.write(
        "gitops/apps/markers.yaml",
        "a: x:1 # {\"$imagepolicy\": \"flux-system:gone\"}\nb: x:1 # {\"$imagepolicy\": \"shop:app\"}\nc: x:1 # {\"$imagepolicy\": \"flux-system:app:version\"}\nd: # {\"$imagepolicy\": \"flux-system:app\"}\n  e: 1\nf: x:1 # note {\"$imagepolicy\": \"flux-system:app\"}\n",
    );
    environment.write(
        "gitops/apps/list.yaml",
        "- image: x:1 # {\"$imagepolicy\": \"flux-system:app\"}\n",
    );
    environment.write(
        "gitops/apps/broken.yaml",
        "a: b: c # {\"$imagepolicy\": \"flux-system:app\"}\n",
    );
    let json = environment.diff(&["-o", "json"]).expect(1).json();
    let markers = &json["automations"][0]["markers"]["ignored"];
    let ids: Vec<(String, String)> = markers
        .as_array()
        .unwrap()
        .iter()
        .map(|marker| {
            (
                format!("{}:{}", marker["path"].as_str().unwrap(), marker["line"]),
                marker["id"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let expected = [
        ("apps/broken.yaml:1", "problem-file"),
        ("apps/list.yaml:1", "list-file"),
        ("apps/markers.yaml:1", "marker-dangling"),
        ("apps/markers.yaml:2", "marker-other-namespace"),
        ("apps/markers.yaml:3", "marker-malformed"),
        ("apps/markers.yaml:4", "marker-position-ignored"),
        ("apps/markers.yaml:6", "marker-malformed"),
    ];
    assert_eq!(
        ids,
        expected.map(|(place, id)| (place.to_owned(), id.to_owned()))
    );
    assert!(
        json["automations"][0]["problemFiles"]
            .as_array()
            .unwrap()
            .iter()
            .any(|file| file["path"] == "apps/broken.yaml")
    );
}

#[test]
fn a_removed_template_field_stalls_new_controllers_only() {
    let environment = Environment::shop();
    let template = automation("images", "main", "./apps").replace(
        "        email: bot@example.com\n",
        "        email: bot@example.com\n      messageTemplate: |\n        {{ range .Updated.Images }}{{ . }}{{ end }}\n",
    );
    environment.write("objects/automation.yaml", &template);
    let ran = environment.diff(&["-o", "json"]).expect(1);
    let error = &ran.json()["automations"][0]["error"];
    assert_eq!(error["reason"], "RemovedTemplateField");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .starts_with("template uses removed '.Updated' field."),
        "{error}"
    );
    let old = environment.diff(&["--flux-version", "2.6"]).expect(1);
    assert!(
        old.stderr
            .contains("message: \"registry.example.com/team/app:1.2.0\\n\""),
        "{}",
        old.stderr
    );
    assert!(
        old.stderr.contains("error[template-removed-field]"),
        "{}",
        old.stderr
    );
}

#[test]
fn old_objects_bring_their_rules_along() {
    let environment = Environment::shop();
    let old = automation("images", "main", "./apps").replace(
        "image.toolkit.fluxcd.io/v1",
        "image.toolkit.fluxcd.io/v1beta1",
    );
    environment.write("objects/automation.yaml", &old);
    let ran = environment.diff(&[]).expect(1);
    assert!(
        ran.stderr.contains("the rules of Flux 2.6 apply"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    use std::process::Stdio;
    let environment = Environment::shop();
    let arguments = [&["diff"][..], &OFFLINE].concat();
    let mut child = environment
        .imageauto()
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        !String::from_utf8_lossy(&output.stderr).contains("panic"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn changes_need_not_fail() {
    let environment = Environment::shop();
    assert_eq!(
        environment.diff(&["--fail-on", "never"]).expect(0).stdout,
        PATCH
    );
    drop(
        environment
            .diff(&["--fail-on", "never", "--worktree", "none"])
            .expect(2),
    );
}

#[test]
fn what_a_rewrite_damages_is_said() {
    let environment = Environment::shop();
    environment.write(
        "gitops/apps/odd.yaml",
        "metadata: {}\ntag: 1 # {\"$imagepolicy\": \"flux-system:app:name\"}\nkeep: x\n...\nlost: y\n",
    );
    let ran = environment.diff(&["-o", "json"]).expect(1);
    let json = ran.json();
    let found: Vec<(&str, u64)> = json["automations"][0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            (
                finding["id"].as_str().unwrap(),
                finding["subject"]["line"].as_u64().unwrap(),
            )
        })
        .collect();
    assert!(found.contains(&("value-type-changes", 2)), "{found:?}");
    assert!(found.contains(&("reformatting", 1)), "{found:?}");
    assert!(
        found.iter().any(|(id, _)| *id == "reformatting-loses-data"),
        "{found:?}"
    );
    assert!(
        ran.stderr
            .contains("error[value-type-changes]: apps/odd.yaml:2:"),
        "{}",
        ran.stderr
    );
    // Nothing is written to find out names, and what breaks a file is said all the same.
    let (named, quiet) = (
        environment.diff(&["-o", "name"]).expect(1),
        environment.diff(&["-o", "name", "-q"]).expect(1),
    );
    assert_eq!(named.stdout, "apps/app.yaml\napps/odd.yaml\n");
    assert_eq!(quiet.stdout, named.stdout);
    let errors: Vec<&str> = quiet.stderr.lines().collect();
    assert!(
        matches!(errors[..], [error] if error.contains("error[value-type-changes]: apps/odd.yaml:2:")),
        "{errors:?}"
    );
}

#[test]
fn minimal_rewriting_changes_marked_values_alone() {
    let environment = Environment::shop();
    let text = "---\nspec:\n    a:   x:1   # {\"$imagepolicy\": \"flux-system:app\"}\n\n    b: 'v' # {\"$imagepolicy\": \"flux-system:app:tag\"}\n";
    environment.write("gitops/apps/odd.yaml", text);
    let ran = environment.diff(&["--rewrite", "minimal", "-U0"]).expect(1);
    for line in [
        "-    a:   x:1   # {\"$imagepolicy\": \"flux-system:app\"}",
        "+    a:   registry.example.com/team/app:1.2.0   # {\"$imagepolicy\": \"flux-system:app\"}",
        "+    b: '1.2.0' # {\"$imagepolicy\": \"flux-system:app:tag\"}",
    ] {
        assert!(ran.stdout.contains(line), "{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("-spec"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("--rewrite minimal spares 4 lines"),
        "{}",
        ran.stderr
    );
    let named = environment
        .diff(&["--rewrite", "minimal", "-o", "name"])
        .expect(1);
    assert_eq!(named.stdout, "apps/app.yaml\napps/odd.yaml\n");
}

#[test]
fn minimal_rewriting_refuses_what_has_no_place() {
    let environment = Environment::shop();
    let text = "spec:\n  a: !!int 1 # {\"$imagepolicy\": \"flux-system:app:tag\"}\n";
    environment.write("gitops/apps/odd.yaml", text);
    let ran = environment.diff(&["--rewrite", "minimal"]).expect(7);
    assert!(
        ran.stderr
            .contains("in apps/odd.yaml:2: with nothing else changed"),
        "{}",
        ran.stderr
    );
    drop(environment.diff(&[]).expect(1));
}

#[test]
fn items_of_lists_are_told_to_become_json() {
    let environment = Environment::shop();
    let text = "kind: List\nitems:\n- kind: Pod\n  metadata:\n    name: web\n    annotations:\n      config.kubernetes.io/path: web.json\n  image: x:1 # {\"$imagepolicy\": \"flux-system:app\"}\n";
    environment.write("gitops/apps/list.yaml", text);
    environment.write("gitops/apps/app.yaml", "kind: Pod\n");
    let ran = environment.diff(&[]).expect(1);
    let new = "+{\n+  \"image\": \"registry.example.com/team/app:1.2.0\",\n+  \"kind\": \"Pod\",\n+  \"metadata\": {\n+    \"name\": \"web\"\n+  }\n+}\n";
    assert!(ran.stdout.contains(new), "{}", ran.stdout);
    let told =
        "written to apps/web.json as JSON, without its comments and markers, and the List stays";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
}

#[test]
fn mails_become_the_commits_of_the_automations() {
    let environment = Environment::shop();
    let automation = automation("images", "main", "./apps").replace(
        "        email: bot@example.com\n",
        "        email: bot@example.com\n      messageTemplate: |\n        Grüße: update\n\n        {{ range .Changed.Changes }}- {{ .NewValue }}{{ end }}\n",
    );
    environment.write("objects/automation.yaml", &automation);
    let mails = environment.diff(&["-o", "mbox"]).expect(1).stdout;
    environment.write("update.mbox", &mails);
    environment.git("gitops", &["am", "--quiet", "../update.mbox"]);
    let told = environment.git("gitops", &["log", "-1", "--format=%an <%ae>%n%B"]);
    assert_eq!(
        told,
        "bot <bot@example.com>\nGrüße: update\n\n- registry.example.com/team/app:1.2.0"
    );
    // Nothing is left to change.
    drop(environment.diff(&[]).expect(0));
    assert_eq!(environment.diff(&["-o", "mbox"]).expect(0).stdout, "");
}

#[test]
fn what_new_values_bring_about_is_told_as_doctor_tells_it() {
    let environment = Environment::shop();
    environment.write("gitops/apps/app.yaml", &deployment("app", "1.4.0"));
    environment.write(
        "gitops/apps/pin.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: pin\ndata:\n  pin: a # {\"$imagepolicy\": \"flux-system:app:digest\"}\n",
    );
    let ids = ["downgrade", "digest-marker-without-digest"];
    let ran = environment.diff(&[]).expect(1);
    for id in ids {
        let told = ran.stderr.matches(&format!("warning[{id}]")).count();
        assert_eq!(told, 1, "{id}: {}", ran.stderr);
    }
    let document = environment.diff(&["-o", "json"]).expect(1).json();
    let findings = document["automations"][0]["findings"].as_array().unwrap();
    for id in ids {
        let told = findings.iter().filter(|finding| finding["id"] == id);
        assert_eq!(told.count(), 1, "{id}: {document}");
    }
    let offline = ["--tags-from", "tags.json", "--worktree", "gitops"];
    let explain = [
        "explain",
        "policy/app",
        "-n",
        "flux-system",
        "-f",
        "objects",
    ];
    let explained = environment
        .run(&[&explain[..], &offline].concat())
        .expect(0);
    for id in ids {
        assert!(explained.stdout.contains(id), "{id}: {}", explained.stdout);
    }
}

#[test]
fn a_finding_has_one_severity_and_a_list_file_is_told_once() {
    let environment = Environment::shop();
    let marker = "# {\"$imagepolicy\": \"flux-system:app\"}";
    environment.write("gitops/apps/list.yaml", &format!("- value: a:1 {marker}\n"));
    environment.write(
        "gitops/apps/bad.yaml",
        &format!("a: b: c\nimage: a:1 {marker}\n"),
    );
    let document = environment.diff(&["-o", "json"]).expect(1).json();
    let findings = document["automations"][0]["findings"].as_array().unwrap();
    let told: Vec<String> = findings
        .iter()
        .map(|finding| {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let path = text(&finding["subject"]["path"]);
            format!(
                "{} {} {path}",
                text(&finding["severity"]),
                text(&finding["id"])
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "error problem-file apps/bad.yaml",
            "warning list-file apps/list.yaml",
            "error problem-file apps/bad.yaml",
        ]
    );
}
