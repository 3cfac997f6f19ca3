//! What can be wrong with ImageUpdateAutomations, their sources and the files that they update.

use std::fs;

use serde_json::{Value, json};

use super::stage::Stage;
use crate::cluster::forge::Access;
use crate::cluster::in_parallel;
use crate::cluster::objects::{automation, git_repository};
use crate::cluster::repository::Repository;
use crate::cluster::ssh::KeyPair;

/// Each automation here has a repository, a source and a fault of its own.
const NAMESPACE: &str = "images";
/// Its automation is suspended: what it would do to files is seen before it does it.
const PENDING: &str = "pending";
/// Its automations select policies by labels.
const SELECTION: &str = "selection";

fn subject(name: &str) -> String {
    format!("ImageUpdateAutomation {NAMESPACE}/{name}")
}

/// A Deployment whose image line is 10.
fn deployment(stage: &Stage<'_>, namespace: &str, tag: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  template:\n    spec:\n      containers:\n        - name: app\n          image: {}/situations/{namespace}/app:{tag} # {{\"$imagepolicy\": \"{namespace}:app\"}}\n",
        stage.plane.addresses.tag_lists
    )
}

/// A repository on the plain git server with these files.
fn files(stage: &Stage<'_>, name: &str, files: &[(&str, String)]) -> Repository {
    let files = files.iter().map(|(path, text)| (*path, text.as_bytes()));
    Repository::create(stage.plane, &format!("situations-{name}"), files)
}

fn source(stage: &Stage<'_>, namespace: &str, name: &str, url: &str, more: &Value) {
    let mut source = git_repository(namespace, name, url);
    merge(&mut source["spec"], more);
    stage.apply(&source);
}

/// An automation of the source that is called as it is.
fn update(stage: &Stage<'_>, namespace: &str, name: &str, more: &Value) {
    let mut update = automation(namespace, name, name, &json!({}), "main");
    merge(&mut update["spec"], more);
    stage.apply(&update);
}

/// Makes the policies whose images they set.
pub fn prepare(stage: &mut Stage<'_>) {
    let any = json!({"policy": {"semver": {"range": "*"}}});
    let labelled = json!({"policy": {"semver": {"range": "*"}}, "labels": {"team": "a"}});
    for namespace in [NAMESPACE, PENDING, SELECTION] {
        stage.namespace(namespace);
        stage.listed(namespace, "app", &["1.0.0", "1.1.0", "1.2.0"], &json!({}));
        stage.policy(namespace, "app", "app", &labelled);
    }
    stage.listed(NAMESPACE, "empty", &[], &json!({}));
    stage.policy(NAMESPACE, "empty", "empty", &any);
    stage.expect(
        "policy-stuck-on-old-tag",
        format!("ImagePolicy {NAMESPACE}/empty"),
    );
    stage.policy(SELECTION, "unlabelled", "app", &any);
    stage.policy(SELECTION, "unmarked", "app", &labelled);
}

/// Makes all of them, after policies have chosen.
pub fn make(stage: &mut Stage<'_>) {
    fine(stage);
    markers(stage);
    selection(stage);
    pending(stage);
    specs(stage);
    sources(stage);
    pushes(stage);
    keys(stage);
}

fn fine(stage: &mut Stage<'_>) {
    let file = deployment(stage, "fine", "1.0.0");
    let repository = files(stage, "fine", &[("app.yaml", file)]);
    source(stage, "fine", "fine", &repository.url, &json!({}));
    update(stage, "fine", "fine", &json!({}));
}

/// Files with markers that receive nothing, which the running controller passes over without a word.
fn markers(stage: &mut Stage<'_>) {
    let marker = |setter: &str| format!("# {{\"$imagepolicy\": \"{setter}\"}}");
    let app = marker("images:app:tag");
    let lines = [
        (
            "dangling",
            format!("a: \"1\" {}\n", marker("images:gone:tag")),
        ),
        (
            "elsewhere",
            format!("a: \"1\" {}\n", marker("policies:newer:tag")),
        ),
        ("malformed", "a: \"1\" # {\"$imagepolicy\": 7}\n".to_owned()),
        ("above", format!("{app}\na: \"1\"\n")),
        (
            "empty",
            format!("a: \"1\" {}\n", marker("images:empty:tag")),
        ),
        ("list", format!("- a: \"1\" {app}\n")),
        ("unreadable", format!("a: \"1\" {app}\nb: [\n")),
        (
            "digest",
            format!("a: \"1\" {}\n", marker("images:app:digest")),
        ),
        ("set", format!("a: \"1\" {app}\n")),
    ];
    let mut all: Vec<(String, String)> = lines
        .into_iter()
        .map(|(name, text)| (format!("apps/{name}.yaml"), text))
        .collect();
    all.push(("other/outside.yaml".into(), format!("a: \"1\" {app}\n")));
    all.push(("apps/.sourceignore".into(), "set.yaml\n".into()));
    let all: Vec<(&str, String)> = all
        .iter()
        .map(|(path, text)| (path.as_str(), text.clone()))
        .collect();
    let repository = files(stage, "markers", &all);
    let link = "commit refs/heads/main\ncommitter Someone <someone@example.com> 1700000001 +0000\ndata 4\nLink\nfrom refs/heads/main^0\nM 120000 inline apps/link.yaml\ndata 9\nnowhere.y\n\n";
    repository.run(&["fast-import", "--quiet"], link.as_bytes());
    source(stage, NAMESPACE, "markers", &repository.url, &json!({}));
    update(
        stage,
        NAMESPACE,
        "markers",
        &json!({"update": {"path": "./apps"}}),
    );
    for (id, place) in [
        ("marker-dangling", "apps/dangling.yaml:1"),
        ("marker-other-namespace", "apps/elsewhere.yaml:1"),
        ("marker-malformed", "apps/malformed.yaml:1"),
        ("marker-position-ignored", "apps/above.yaml:1"),
        ("list-file", "apps/list.yaml:1"),
        ("digest-marker-without-digest", "apps/digest.yaml:1"),
        ("marker-outside-path", "other/outside.yaml:1"),
        ("sourceignore-not-honoured", "apps/.sourceignore"),
        ("symlink-skipped", "apps/link.yaml"),
    ] {
        stage.expect(id, place);
    }
    stage.expect("problem-file", "apps/unreadable.yaml:3");
    stage.expect_from("problem-file", "apps/unreadable.yaml:1", "problem-file");
    stage.expect_from(
        "policy-without-latest",
        "apps/empty.yaml:1",
        "policy-stuck-on-old-tag",
    );
}

fn selection(stage: &mut Stage<'_>) {
    let text = "a: \"1\" # {\"$imagepolicy\": \"selection:unlabelled:tag\"}\n";
    let app = deployment(stage, SELECTION, "1.0.0");
    let repository = files(
        stage,
        SELECTION,
        &[("a.yaml", text.to_owned()), ("app.yaml", app)],
    );
    source(stage, SELECTION, SELECTION, &repository.url, &json!({}));
    let selector = json!({"policySelector": {"matchLabels": {"team": "a"}}});
    update(stage, SELECTION, SELECTION, &selector);
    stage.expect(
        "policy-not-selected",
        format!("ImagePolicy {SELECTION}/unlabelled"),
    );
    stage.expect(
        "marker-missing",
        format!("ImagePolicy {SELECTION}/unmarked"),
    );
    stage.expect_from("marker-not-selected", "a.yaml:1", "policy-not-selected");
}

/// What a run would do to files: the finding is there before it, and its truth is seen after it.
fn pending(stage: &mut Stage<'_>) {
    let marked = |name: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  tag: \"1\" # {{\"$imagepolicy\": \"pending:app:tag\"}}\n"
        )
    };
    let item = marked("item").replace('\n', "\n    ");
    let all = [
        (
            "typed.yaml",
            "tag: 1 # {\"$imagepolicy\": \"pending:app:tag\"}\n".to_owned(),
        ),
        (
            "list.yaml",
            format!(
                "apiVersion: v1\nkind: List\nitems:\n  - {}\n",
                item.trim_end()
            ),
        ),
        (
            "annotated.yaml",
            marked("a").replace("  name: a", "  name: a\n  annotations: {}"),
        ),
        ("lower.yaml", deployment(stage, PENDING, "9.9.9")),
    ];
    let repository = files(stage, PENDING, &all);
    source(stage, PENDING, PENDING, &repository.url, &json!({}));
    let template = "{{range .Changed.Changes}}{{.OldValue}} -> {{.NewValue}}\n{{end}}";
    update(
        stage,
        PENDING,
        PENDING,
        &json!({"suspend": true, "git": {"commit": {"messageTemplate": template}}}),
    );
    let subject = format!("ImageUpdateAutomation {PENDING}/{PENDING}");
    stage.expect("suspended", subject.clone());
    stage.expect("template-not-deterministic", subject);
    stage.expect("value-type-changes", "typed.yaml:1");
    stage.expect("reformatting-loses-data", "list.yaml:4");
    stage.expect("reformatting", "annotated.yaml:5");
    stage.expect("downgrade", "lower.yaml:10");
}

/// The suspended automation runs, and does what was said of it.
pub fn resume(stage: &mut Stage<'_>) {
    stage.change(
        "ImageUpdateAutomation",
        PENDING,
        PENDING,
        &json!({"spec": {"suspend": false}}),
    );
    stage.until(
        "ImageUpdateAutomation",
        PENDING,
        PENDING,
        |condition, object| condition.ready && object["status"]["lastPushCommit"].is_string(),
    );
    let folder = stage
        .plane
        .addresses
        .git_folder
        .join("situations-pending.git");
    let pushed = Repository::at(folder, String::new()).files("main");
    let text = |path: &str| {
        pushed.get(path).map_or(String::new(), |(_, bytes)| {
            String::from_utf8_lossy(bytes).into_owned()
        })
    };
    for (path, words) in [
        ("typed.yaml", "tag: !!int 1.2.0"),
        ("lower.yaml", "/app:1.2.0 "),
    ] {
        if !text(path).contains(words) {
            stage.differs(format!("{path} is not as it was said: {}", text(path)));
        }
    }
    if text("annotated.yaml").contains("annotations") {
        stage.differs("annotated.yaml keeps its annotations".into());
    }
    if pushed.len() < 5 {
        stage.differs(format!("the list is not unwrapped: {:?}", pushed.keys()));
    }
}

/// Faults of the automation itself.
fn specs(stage: &mut Stage<'_>) {
    let message = |template: &str| json!({"git": {"commit": {"messageTemplate": template}}});
    let cases: [(&str, Value, &str); 12] = [
        (
            "updated",
            message("{{range .Updated.Images}}{{.}}{{end}}"),
            "template-removed-field",
        ),
        (
            "image-result",
            message("{{.Changed.ImageResult}}"),
            "template-removed-field",
        ),
        (
            "unreadable-template",
            message("{{range}}"),
            "template-error",
        ),
        (
            "failing-template",
            message("{{.Nothing}}"),
            "template-error",
        ),
        (
            "no-path",
            json!({"update": {"path": "./nowhere"}}),
            "path-missing",
        ),
        (
            "selector",
            json!({"policySelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}),
            "update-fails",
        ),
        ("no-git", json!({"git": null}), "update-fails"),
        (
            "detached",
            json!({"git": {"checkout": {"ref": {"branch": "main", "tag": "v1"}}, "push": {"branch": null}}}),
            "push-detached-head",
        ),
        (
            "refspec",
            json!({"git": {"push": {"refspec": "HEAD:refs/for/main"}}}),
            "refspec-unusable",
        ),
        (
            "unsigned",
            json!({"git": {"commit": {"signingKey": {"secretRef": {"name": "gone"}}}}}),
            "signing-key-invalid",
        ),
        (
            "bad-key",
            json!({"git": {"commit": {"signingKey": {"secretRef": {"name": "bad-key"}}}}}),
            "signing-key-invalid",
        ),
        (
            "wrong-branch",
            json!({"git": {"checkout": {"ref": {"branch": "none"}}}}),
            "update-fails",
        ),
    ];
    stage.secret(NAMESPACE, "bad-key", &json!({"git.asc": "no key"}));
    let shared = &*stage;
    in_parallel(&cases, |(name, more, _)| {
        let app = deployment(shared, NAMESPACE, "1.0.0");
        let repository = files(shared, name, &[("app.yaml", app)]);
        let head = repository.head("main").expect("main is there");
        repository.run(&["update-ref", "refs/tags/v1", &head], b"");
        source(shared, NAMESPACE, name, &repository.url, &json!({}));
        update(shared, NAMESPACE, name, more);
    });
    for (name, _, id) in cases {
        stage.expect(id, subject(name));
    }
    // Neither the automation nor its source names a branch.
    let app = deployment(stage, NAMESPACE, "1.0.0");
    let repository = files(stage, "no-branch", &[("app.yaml", app)]);
    source(
        stage,
        NAMESPACE,
        "no-branch",
        &repository.url,
        &json!({"ref": null}),
    );
    let nothing = json!({"git": {"checkout": null, "push": null}});
    update(stage, NAMESPACE, "no-branch", &nothing);
    stage.expect("update-fails", subject("no-branch"));
}

/// Faults of the source and its Secret.
fn sources(stage: &mut Stage<'_>) {
    stage.secret(
        NAMESPACE,
        "wrong",
        &json!({"username": "fluxcdbot", "password": "wrong"}),
    );
    stage.secret(NAMESPACE, "half", &json!({"password": "wrong"}));
    let cases = [
        ("no-secret", json!({"secretRef": {"name": "gone"}})),
        ("wrong-password", json!({"secretRef": {"name": "wrong"}})),
        ("half-secret", json!({"secretRef": {"name": "half"}})),
        ("no-such-repository", json!({})),
        ("github", json!({"provider": "github"})),
    ];
    let shared = &*stage;
    in_parallel(&cases, |(name, more)| {
        let app = deployment(shared, NAMESPACE, "1.0.0");
        let repository = files(shared, name, &[("app.yaml", app)]);
        let url = if *name == "no-such-repository" {
            repository.url.replace("situations-", "nothing-")
        } else {
            repository.url.clone()
        };
        source(shared, NAMESPACE, name, &url, more);
        update(shared, NAMESPACE, name, &json!({}));
    });
    for (name, _) in cases {
        stage.expect("update-fails", subject(name));
    }
    update(stage, NAMESPACE, "no-source", &json!({}));
    stage.expect("source-missing", subject("no-source"));
    let app = deployment(stage, NAMESPACE, "1.0.0");
    let repository = files(stage, "deleted-source", &[("app.yaml", app)]);
    source(
        stage,
        NAMESPACE,
        "deleted-source",
        &repository.url,
        &json!({}),
    );
    update(
        stage,
        NAMESPACE,
        "deleted-source",
        &json!({"interval": "1s"}),
    );
}

/// Servers that fetch and don't take pushes.
fn pushes(stage: &mut Stage<'_>) {
    let app = deployment(stage, NAMESPACE, "1.0.0");
    let repository = files(stage, "hook", &[("app.yaml", app)]);
    repository.hook("pre-receive", "echo no >&2; exit 1");
    source(stage, NAMESPACE, "hook", &repository.url, &json!({}));
    update(stage, NAMESPACE, "hook", &json!({}));
    stage.expect("push-rejected", subject("hook"));
    // The commit starts from a tag, and somebody else pushed to the push branch.
    let app = deployment(stage, NAMESPACE, "1.0.0");
    let repository = files(stage, "diverged", &[("app.yaml", app)]);
    let head = repository.head("main").expect("main is there");
    repository.run(&["update-ref", "refs/tags/v1", &head], b"");
    source(stage, NAMESPACE, "diverged", &repository.url, &json!({}));
    let from_tag = json!({
        "interval": "2s",
        "git": {"checkout": {"ref": {"branch": null, "tag": "v1"}}, "push": {"branch": "auto"}},
    });
    update(stage, NAMESPACE, "diverged", &from_tag);
    stage.expect("push-branch-diverged", subject("diverged"));
    let app = deployment(stage, NAMESPACE, "1.0.0");
    let repository = files(
        stage,
        "idle",
        &[("apps/app.yaml", app.clone()), ("more/app.yaml", app)],
    );
    source(stage, NAMESPACE, "idle", &repository.url, &json!({}));
    update(
        stage,
        NAMESPACE,
        "idle",
        &json!({"update": {"path": "./apps"}}),
    );
}

/// Deploy keys and accounts, on a forge.
fn keys(stage: &mut Stage<'_>) {
    let Some(forge) = stage.plane.forge() else {
        return;
    };
    let (Some(reads), Some(stranger)) = (
        KeyPair::generate("ed25519", ""),
        KeyPair::generate("ed25519", ""),
    ) else {
        return;
    };
    let app = deployment(stage, NAMESPACE, "1.0.0");
    let repository = forge.create_repository("situations", [("app.yaml", app.as_bytes())]);
    let protected = forge.create_repository("situations-protected", [("app.yaml", app.as_bytes())]);
    protected.protect("main");
    repository.add_deploy_key(&reads, Access::Read);
    let reader = forge.create_reader(&repository, "situations-reader");
    let key = |pair: &KeyPair, hosts: &str| {
        let identity = fs::read_to_string(pair.private()).expect("it was made");
        json!({"identity": identity, "known_hosts": hosts})
    };
    let hosts = forge.known_hosts();
    let strange = hosts.replace("[127.0.0.1]", "[127.0.0.2]");
    let login = |user: &str, password: &str| json!({"username": user, "password": password});
    for (name, url, data, id) in [
        (
            "read-only-key",
            &repository.ssh_url,
            key(&reads, &hosts),
            "push-credential-read-only",
        ),
        (
            "strange-key",
            &repository.ssh_url,
            key(&stranger, &hosts),
            "update-fails",
        ),
        (
            "strange-host",
            &repository.ssh_url,
            key(&reads, &strange),
            "update-fails",
        ),
        (
            "broken-key",
            &repository.ssh_url,
            json!({"identity": "no key", "known_hosts": hosts}),
            "update-fails",
        ),
        (
            "no-identity",
            &repository.ssh_url,
            json!({"known_hosts": hosts}),
            "update-fails",
        ),
        (
            "read-only",
            &repository.stored.url,
            // This forge lets readers propose changes by a push, and refuses them in its hook.
            login(&reader.user, &reader.password),
            "push-rejected",
        ),
        (
            "protected",
            &protected.stored.url,
            login(&forge.user.user, &forge.user.password),
            "push-rejected",
        ),
    ] {
        stage.secret(NAMESPACE, name, &data);
        source(
            stage,
            NAMESPACE,
            name,
            url,
            &json!({"secretRef": {"name": name}}),
        );
        update(stage, NAMESPACE, name, &json!({}));
        stage.expect(id, subject(name));
    }
}

/// What happens after the first runs.
pub fn change(stage: &mut Stage<'_>) {
    let pushed = |stage: &Stage<'_>, name: &str| {
        stage.until(
            "ImageUpdateAutomation",
            NAMESPACE,
            name,
            |condition, object| condition.ready && object["status"]["lastPushCommit"].is_string(),
        )
    };
    pushed(stage, "deleted-source");
    let sources =
        format!("/apis/source.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/gitrepositories");
    stage.delete(&format!("{sources}/deleted-source"));
    let gone = |condition: &crate::cluster::objects::Condition, _: &Value| !condition.ready;
    stage.until("ImageUpdateAutomation", NAMESPACE, "deleted-source", gone);
    stage.expect("source-missing", subject("deleted-source"));
    // The controller ignores another path as long as nothing else moves, even when it is asked to reconcile.
    pushed(stage, "idle");
    let elsewhere = json!({
        "metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}},
        "spec": {"update": {"path": "./more"}},
    });
    stage.change("ImageUpdateAutomation", NAMESPACE, "idle", &elsewhere);
    stage.until(
        "ImageUpdateAutomation",
        NAMESPACE,
        "idle",
        |condition, object| condition.ready && object["status"]["lastHandledReconcileAt"] == "now",
    );
    let folder = stage.plane.addresses.git_folder.join("situations-idle.git");
    let pushed = Repository::at(folder, String::new()).files("main");
    let (_, untouched) = &pushed["more/app.yaml"];
    if !String::from_utf8_lossy(untouched).contains(":1.0.0 ") {
        stage.differs("the controller does run with another path".into());
    }
    stage.expect("update-skipped", subject("idle"));
    let folder = stage
        .plane
        .addresses
        .git_folder
        .join("situations-diverged.git");
    Repository::at(folder, String::new()).commit_files(
        "auto",
        "Theirs",
        [("note", b"theirs" as &[u8])],
    );
}

fn merge(value: &mut Value, part: &Value) {
    match (value, part) {
        (Value::Object(members), Value::Object(parts)) => {
            for (key, part) in parts {
                if part.is_null() {
                    members.remove(key);
                } else {
                    merge(members.entry(key.clone()).or_insert(Value::Null), part);
                }
            }
        }
        (value, part) => *value = part.clone(),
    }
}
