//! `snapshot` and `--snapshot`: what is recorded, what is not, and that the same questions get the same answers.
//!
//! Secrets in the case below hold the word `hush`, names and hosts the word `zebra`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::cluster::FakeCluster;
use crate::environment::{Environment, Ran};
use crate::git_server;
use crate::server::{Request, Response, Server};

const HOST: &str = "registry.zebrahost.local";
const PULLER: &str = "zebrapuller:hush-pull-password";

/// A cluster, a registry behind a login and a git server behind another, with something secret at every place that could have some.
struct Case {
    environment: Environment,
    cluster: FakeCluster,
    registry: Server,
    _git: git_server::Server,
}

/// The registry stands behind a proxy, so that it can have a name.
fn registry() -> Server {
    Server::start(|request| {
        let path = request.path.replace(&format!("http://{HOST}"), "");
        let login = BASE64.encode(PULLER);
        if request.header("authorization") != Some(&format!("Basic {login}")) {
            let mut refusal = Response::json(401, &json!({"errors": []}));
            let challenge = "Basic realm=\"zebrarealm\"".to_owned();
            refusal.headers.push(("WWW-Authenticate", challenge));
            return refusal;
        }
        content(&Request {
            path,
            ..request.clone()
        })
    })
}

fn content(request: &Request) -> Response {
    let tags = json!([
        "main-3f2c1aa9-20260101",
        "main-zebratag-20260301",
        "main-0b1c2d3e-20260201",
        "zebratag",
        "1.0.0.sig"
    ]);
    match request.path.as_str() {
        "/v2/" => Response::json(200, &json!({})),
        "/v2/zebrateam/zebraimage/tags/list" => {
            Response::json(200, &json!({"name": "x", "tags": tags}))
        }
        "/v2/zebrateam/zebralib/tags/list" => {
            let tags = json!(["1.0.0", "1.2.0-zebra.1", "1.1.0"]);
            Response::json(200, &json!({"name": "x", "tags": tags}))
        }
        _ => {
            let message = "zebratenant is out of order, hush-pull-password";
            let errors = json!({"errors": [{"code": "DENIED", "message": message}]});
            Response::json(403, &errors)
        }
    }
}

fn secret(name: &str, kind: &str, data: &[(&str, &str)]) -> String {
    let data: BTreeMap<&str, String> = data
        .iter()
        .map(|(key, value)| (*key, BASE64.encode(value)))
        .collect();
    json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "data": data,
        "metadata": {"namespace": "zebraspace", "name": name, "annotations": {"note": "hush-annotation"},
            "managedFields": [{"manager": "hush-manager"}]}})
    .to_string()
}

fn object(version: &str, kind: &str, name: &str, spec: &Value, status: &Value) -> String {
    json!({"apiVersion": version, "kind": kind, "spec": spec, "status": status,
        "metadata": {"namespace": "zebraspace", "name": name, "generation": 1, "uid": "hush-uid",
            "labels": {"zebralabel": "zebravalue"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hush-applied"},
            "managedFields": [{"manager": "hush-manager", "fieldsV1": {"f:hush": {}}}]}})
    .to_string()
}

fn conditions(ready: &str, reason: &str, message: &str) -> Value {
    json!([{"type": "Ready", "status": ready, "reason": reason, "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z"}])
}

const IMAGE: &str = "image.toolkit.fluxcd.io/v1";

fn add_objects(cluster: &FakeCluster, git: &str) {
    let docker = json!({"auths": {HOST: {"username": "zebrapuller", "password": "hush-pull-password",
        "auth": BASE64.encode(PULLER)}}});
    cluster.add(&secret(
        "zebrapull",
        "kubernetes.io/dockerconfigjson",
        &[(".dockerconfigjson", &docker.to_string())],
    ));
    cluster.add(&secret(
        "zebradeploy",
        "Opaque",
        &[("username", "bot"), ("password", "correct horse")],
    ));
    let scanned = |revision: &str, tags: u64| {
        json!({"lastScanResult": {"tagCount": tags, "revision": revision, "scanTime": "2026-01-01T00:00:00Z",
                "latestTags": ["zebratag"]},
            "conditions": conditions("True", "Succeeded", "successful scan: found 4 tags")})
    };
    for (name, image, tags) in [
        ("zebrarepo", "zebraimage", 4),
        ("zebralibrary", "zebralib", 3),
    ] {
        let spec = json!({"image": format!("{HOST}/zebrateam/{image}"), "interval": "5m",
            "insecure": true, "secretRef": {"name": "zebrapull"}, "exclusionList": ["^.*\\.sig$"]});
        cluster.add(&object(
            IMAGE,
            "ImageRepository",
            name,
            &spec,
            &scanned("1", tags),
        ));
    }
    let spec = json!({"image": format!("{HOST}/zebrateam/zebraforbidden"), "interval": "5m",
        "insecure": true, "secretRef": {"name": "zebrapull"}});
    let status = json!({"conditions": conditions("False", "ReadOperationFailed",
        "scan failed: zebratenant: hush-pull-password is wrong for https://zebrapuller:hush-in-url@other.zebrahost.example/x?token=hush-query")});
    cluster.add(&object(
        IMAGE,
        "ImageRepository",
        "zebrabroken",
        &spec,
        &status,
    ));
    let policy = |name: &str, repository: &str, latest: &str, spec: Value| {
        let mut whole = json!({"imageRepositoryRef": {"name": repository}});
        for (key, value) in spec.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let status = json!({"latestRef": {"name": format!("{HOST}/zebrateam/{repository}"), "tag": latest},
            "conditions": conditions("True", "Succeeded", "Latest image tag resolved")});
        cluster.add(&object(IMAGE, "ImagePolicy", name, &whole, &status));
    };
    policy(
        "zebrapolicy",
        "zebrarepo",
        "main-3f2c1aa9-20260101",
        json!({"filterTags": {"pattern": "^main-[a-z0-9]+-(?P<zebrats>[0-9]+)$", "extract": "$zebrats"},
            "policy": {"numerical": {"order": "asc"}}}),
    );
    policy(
        "zebrachart",
        "zebralibrary",
        "1.1.0",
        json!({"policy": {"semver": {"range": ">=1.0.0-0"}}}),
    );
    policy(
        "zebrastuck",
        "zebrabroken",
        "1.0.0",
        json!({"policy": {"semver": {"range": ">=1.0.0"}}}),
    );
    let automation = json!({"interval": "1m", "sourceRef": {"kind": "GitRepository", "name": "zebragit"},
        "git": {"checkout": {"ref": {"branch": "zebrabranch"}},
            "commit": {"author": {"name": "zebrabot", "email": "zebrabot@zebramail.example"},
                "messageTemplate": "zebraword {{range .Changed.Changes}}{{.NewValue}}{{end}}"},
            "push": {"branch": "zebrabranch", "options": {"ci.variable": "TOKEN=hush-option"}}},
        "update": {"path": "./zebraclusters", "strategy": "Setters"}});
    let status = json!({"conditions": conditions("True", "Succeeded", "repository up-to-date"),
        "lastPushCommit": "3f2c1aa90b1c2d3e3f2c1aa90b1c2d3e3f2c1aa9", "lastPushTime": "2026-01-02T00:00:00Z",
        "lastAutomationRunTime": "2026-01-02T00:00:00Z"});
    cluster.add(&object(
        IMAGE,
        "ImageUpdateAutomation",
        "zebraupdate",
        &automation,
        &status,
    ));
    let source = json!({"interval": "1m", "url": git, "ref": {"branch": "zebrabranch"},
        "secretRef": {"name": "zebradeploy"}});
    let status = json!({"conditions": conditions("True", "Succeeded", "stored artifact for revision 'zebrabranch@sha1:3f2c1aa9'"),
        "artifact": {"revision": "zebrabranch@sha1:3f2c1aa9", "lastUpdateTime": "2026-01-02T00:00:00Z"}});
    let version = "source.toolkit.fluxcd.io/v1";
    cluster.add(&object(
        version,
        "GitRepository",
        "zebragit",
        &source,
        &status,
    ));
    let kustomization = json!({"path": "./zebraclusters", "sourceRef": {"kind": "GitRepository", "name": "zebragit"},
        "postBuild": {"substitute": {"password": "hush-substituted"}}, "patches": [{"patch": "hush-patch"}]});
    let status = json!({"lastAppliedRevision": "zebrabranch@sha1:3f2c1aa9",
        "inventory": {"entries": [{"id": "zebraspace_zebradeployment_apps_Deployment", "v": "v1"}]},
        "conditions": conditions("True", "ReconciliationSucceeded", "Applied revision: zebrabranch@sha1:3f2c1aa9")});
    let version = "kustomize.toolkit.fluxcd.io/v1";
    cluster.add(&object(
        version,
        "Kustomization",
        "zebraapps",
        &kustomization,
        &status,
    ));
    let workload = json!({"replicas": 2, "template": {"spec": {"containers": [{"name": "zebracontainer",
        "image": format!("{HOST}/zebrateam/zebraimage:main-3f2c1aa9-20260101"),
        "env": [{"name": "PASSWORD", "value": "hush-env"}], "args": ["--password=hush-argument"]}]}}});
    cluster.add(&object(
        "apps/v1",
        "Deployment",
        "zebradeployment",
        &workload,
        &json!({"readyReplicas": 2}),
    ));
    for name in ["image-reflector-controller", "image-automation-controller"] {
        cluster.add(&json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": "flux-system", "name": name, "labels": {"app.kubernetes.io/component": name}},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "manager",
                "image": format!("ghcr.io/fluxcd/{name}:v1.2.3"), "args": ["--log-level=info", "--some-token=hush-flag"],
                "env": [{"name": "HTTPS_PROXY", "value": "http://u:hush-proxy@proxy.zebrahost.example"}]}]}}},
            "status": {"readyReplicas": 1}}).to_string());
    }
}

impl Case {
    fn new() -> Self {
        let environment = Environment::new();
        let file = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: zebradeployment # zebracomment\n  namespace: zebraspace\nspec:\n  template:\n    spec:\n      containers:\n        - name: zebracontainer\n          image: {HOST}/zebrateam/zebraimage:main-3f2c1aa9-20260101 # {{\"$imagepolicy\": \"zebraspace:zebrapolicy\"}}\n          env:\n            - name: ZEBRA_PASSWORD\n              value: hush-file\n            - name: URL\n              value: https://zebra:hush-file-url@zebrahost.example/x\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: zebrasecret\nstringData:\n  zebrakey: hush-document\n"
        );
        environment.write("gitops/zebraclusters/zebrafile.yaml", &file);
        environment.write(
            "gitops/zebraclusters/zebravalues.yaml",
            "zebravalues:\n  tag: 1.0.0 # {\"$imagepolicy\": \"zebraspace:zebrachart:tag\"}\n  gone: x # {\"$imagepolicy\": \"zebraspace:zebragone\"}\n",
        );
        environment.write("gitops/zebraclusters/other.yaml", "hush: hush-other\n");
        environment.git(
            "gitops",
            &["init", "--quiet", "--initial-branch=zebrabranch"],
        );
        environment.git("gitops", &["add", "--all"]);
        environment.git(
            "gitops",
            &["commit", "--quiet", "--message", "hush-commit zebra"],
        );
        fs::create_dir(environment.path().join("served")).unwrap();
        environment.git(
            ".",
            &[
                "clone",
                "--quiet",
                "--bare",
                "gitops",
                "served/zebragit.git",
            ],
        );
        environment.git(
            "served/zebragit.git",
            &["config", "http.receivepack", "true"],
        );
        let git = git_server::Server::start(&environment.path().join("served"), None);
        let registry = registry();
        let cluster = FakeCluster::start();
        let url = git
            .url("zebragit.git")
            .replace("http://", "http://bot:hush-url@");
        add_objects(&cluster, &url);
        let kubeconfig = cluster
            .kubeconfig()
            .replace("tester", "zebrauser")
            .replace("namespace: flux-system", "namespace: zebraspace")
            .replace("name: test", "name: zebracontext")
            .replace("cluster: test", "cluster: zebracontext")
            .replace("current-context: test", "current-context: zebracontext");
        environment.write(".kube/config", &kubeconfig);
        environment.write(
            ".gitconfig",
            "[user]\n\tname = zebrauser\n[http]\n\tuserAgent = hush-gitconfig\n",
        );
        Self {
            environment,
            cluster,
            registry,
            _git: git,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.environment.imageauto();
        command
            .env("HTTP_PROXY", format!("http://{}", self.registry.address))
            .env("http_proxy", format!("http://{}", self.registry.address))
            .env("NO_PROXY", "127.0.0.1")
            .env("AWS_SECRET_ACCESS_KEY", "hush-environment")
            .args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    fn snapshot(&self, folder: &str, more: &[&str]) -> Ran {
        self.run(&[&["snapshot", folder], more].concat()).expect(0)
    }

    /// Without a kubeconfig, a registry or a git server.
    fn replay(&self, folder: &str, arguments: &[&str]) -> Ran {
        let mut command = self.environment.imageauto();
        command
            .env("KUBECONFIG", "/nowhere")
            .args(arguments)
            .args(["--snapshot", folder]);
        Ran::of(&mut command)
    }
}

/// Every byte of a folder: names and contents.
fn bytes_of(folder: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            all.push((name, String::new()));
            all.extend(bytes_of(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            all.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    all
}

#[track_caller]
fn assert_absent(case: &Case, folder: &str, words: &[&str]) {
    for (name, text) in bytes_of(&case.environment.path().join(folder)) {
        for word in words {
            let found = text.to_lowercase().find(word).map(|at| {
                text[at.saturating_sub(80)..]
                    .chars()
                    .take(160)
                    .collect::<String>()
            });
            assert_eq!(found, None, "{word} stands in {name}");
            assert!(
                !name.to_lowercase().contains(word),
                "{word} stands in the name {name}"
            );
        }
    }
}

/// Nothing of a Secret, plain or encoded.
fn secrets() -> Vec<String> {
    let encoded = ["hush-pull-password", PULLER, "correct horse"].map(|text| BASE64.encode(text));
    let plain = ["hush", "correct horse", "let-me-in"].map(str::to_owned);
    plain
        .into_iter()
        .chain(encoded.map(|text| text.to_lowercase()))
        .collect()
}

/// A text without the moment of the run, the only one that is told with fractions of a second.
fn without_moments(text: &str) -> String {
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        let at = line.find("\": \"2").map(|at| at + 4);
        let moment = at.filter(|at| {
            let value = line[*at..].split('"').next().unwrap_or_default();
            value.contains('T') && value.contains('.') && value.ends_with('Z')
        });
        match moment {
            Some(at) => kept.push_str(&format!("{}NOW\n", &line[..at])),
            None => kept.push_str(line),
        }
    }
    kept
}

/// What a cluster tells, without what it should not have told and without the moment of the run.
fn without_secrets(text: &str) -> String {
    without_moments(text)
        .replace("zebrapuller:hush-in-url@", "")
        .replace("hush-query", "***")
        .replace("hush-pull-password", "***")
        .replace("hush-file-url", "")
        .replace("hush-file", "masked")
}

const QUESTIONS: [&[&str]; 10] = [
    &["get", "all"],
    &["get", "all", "-A"],
    &["get", "markers"],
    &["get", "images", "-A"],
    &["explain"],
    &["explain", "-o", "json"],
    &["diff"],
    &["diff", "-o", "json"],
    &["doctor"],
    &["tags"],
];

#[test]
fn a_snapshot_answers_as_the_cluster_did() {
    let case = Case::new();
    let taken = case.snapshot("s", &[]);
    assert!(
        taken
            .stderr
            .contains("s: 12 objects, 8 tags of 3 repositories, 2 files with markers"),
        "{}",
        taken.stderr
    );
    for question in QUESTIONS {
        let (live, replayed) = (case.run(question), case.replay("s", question));
        for (live, replayed) in [
            (&live.stdout, &replayed.stdout),
            (&live.stderr, &replayed.stderr),
        ] {
            let (live, replayed) = (without_secrets(live), without_moments(replayed));
            let mut lines = live.lines().zip(replayed.lines());
            let other = lines.find(|(one, other)| one != other);
            assert!(live == replayed, "{question:?}: {other:?}");
        }
        assert_eq!(live.status, replayed.status, "{question:?}");
    }
    let marker = "zebraclusters/zebrafile.yaml:11";
    let replayed = case.replay("s", &["why", marker]);
    assert!(
        replayed.stdout.contains("zebraspace/zebrapolicy"),
        "{replayed:?}"
    );
    let version = case.replay("s", &["version", "--live"]).expect(0);
    assert!(version.stdout.contains("v1.36.3"), "{}", version.stdout);
}

#[test]
fn nothing_secret_gets_in() {
    let case = Case::new();
    drop(case.snapshot("plain", &[]));
    drop(case.snapshot("redacted", &["--redact"]));
    let words = secrets();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_absent(&case, "plain", &words);
    assert_absent(&case, "redacted", &words);
    let facts = case.environment.read("plain/snapshot.json");
    assert!(facts.contains("\"zebrapull\"") && facts.contains("\".dockerconfigjson\""));
}

#[test]
fn with_pseudonyms_no_name_gets_in_and_the_answers_are_the_same() {
    let case = Case::new();
    let taken = case.snapshot("s", &["--redact"]);
    assert!(taken.stderr.contains("with pseudonyms"), "{}", taken.stderr);
    assert!(!taken.stderr.contains("left out"), "{}", taken.stderr);
    assert_absent(&case, "s", &["zebra"]);
    let mut pseudonyms = BTreeMap::new();
    for question in QUESTIONS {
        let (live, replayed) = (case.run(question), case.replay("s", question));
        assert_eq!(live.status, replayed.status, "{question:?}: {replayed:?}");
        let live = without_secrets(&live.stdout);
        let replayed = without_moments(&replayed.stdout);
        assert_same(&live, &replayed, question, &mut pseudonyms);
    }
    assert!(pseudonyms.len() > 15, "{pseudonyms:?}");
}

/// The same word by word, each name always in the place of the same pseudonym.
#[track_caller]
fn assert_same(
    live: &str,
    replayed: &str,
    question: &[&str],
    pseudonyms: &mut BTreeMap<String, String>,
) {
    let words = |text: &str| -> Vec<String> {
        text.replace(HOST, "host2.local")
            .replace("other.zebrahost.example", "host1.example")
            .split(|character: char| !character.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    // How wide a table is, and how far a line is underlined, hangs on names.
    let (live_words, replayed_words) = (words(live), words(replayed));
    assert_eq!(
        live_words.len(),
        replayed_words.len(),
        "{question:?}:\n{live}\n{replayed}"
    );
    for (word, other) in live_words.into_iter().zip(replayed_words) {
        if word != other {
            let known = pseudonyms
                .entry(word.clone())
                .or_insert_with(|| other.clone());
            assert_eq!(*known, other, "{word} in {question:?}:\n{live}\n{replayed}");
        }
    }
}

#[test]
fn a_folder_that_is_no_snapshot_is_told() {
    let case = Case::new();
    case.environment.write("mine/file", "x");
    let refused = case.run(&["snapshot", "mine"]).expect(7);
    assert!(
        refused
            .stderr
            .contains("mine: holds something else than a snapshot"),
        "{}",
        refused.stderr
    );
    let ran = case.replay("mine", &["get"]).expect(6);
    assert!(
        ran.stderr
            .contains("is no snapshot: it has no snapshot.json"),
        "{}",
        ran.stderr
    );
    let ran = case.replay("nowhere", &["get"]).expect(6);
    assert!(ran.stderr.contains("is no folder"), "{}", ran.stderr);
    drop(case.snapshot("s", &["-n", "zebraspace"]));
    // A snapshot may be written over.
    drop(case.snapshot("s", &["-n", "zebraspace"]));
    let facts = case.environment.read("s/snapshot.json");
    case.environment.write(
        "s/snapshot.json",
        &facts.replace("\"snapshotVersion\": 1", "\"snapshotVersion\": 9"),
    );
    let ran = case.replay("s", &["get"]).expect(6);
    assert!(
        ran.stderr
            .contains("has snapshotVersion 9, and only 1 is read"),
        "{}",
        ran.stderr
    );
    case.environment.write("s/snapshot.json", &facts);
    fs::remove_file(case.environment.path().join("s/tags.json")).unwrap();
    let ran = case.replay("s", &["get"]).expect(6);
    assert!(
        ran.stderr.contains("tags.json is missing"),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_a_snapshot_cannot_answer_is_refused() {
    let case = Case::new();
    drop(case.snapshot("s", &[]));
    for arguments in [
        &["reconcile"][..],
        &["trigger"],
        &["lint"],
        &["fmt"],
        &["get", "-w"],
        &["tags", "--watch"],
        &["explain", "-w"],
        &["diff", "--base", "main"],
        &["diff", "--dry-run=server"],
        &["get", "-f", "x"],
        &["get", "--contexts", "x"],
    ] {
        let ran = case.replay("s", arguments).expect(2);
        assert!(
            ran.stderr.contains("--snapshot"),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
    for arguments in [
        &["snapshot"][..],
        &["snapshot", "x", "-f", "y"],
        &["snapshot", ""],
    ] {
        drop(case.run(arguments).expect(2));
    }
}

#[test]
fn a_cluster_that_shows_little_is_recorded_as_it_was_seen() {
    let case = Case::new();
    // What is in a Secret that may not be read can't be told from other words; a URL can.
    let in_url = |text: &str| {
        text.replace("zebrapuller:hush-in-url@", "")
            .replace("hush-query", "***")
    };
    case.cluster.forbid("secrets");
    case.cluster.forbid("kustomizations");
    drop(case.snapshot("s", &[]));
    for question in [&["doctor"][..], &["get", "all"], &["explain"]] {
        let (live, replayed) = (case.run(question), case.replay("s", question));
        assert_eq!(
            in_url(&live.stdout),
            in_url(&replayed.stdout),
            "{question:?}"
        );
        assert_eq!(live.status, replayed.status, "{question:?}");
    }
    case.cluster.forbid("image.toolkit.fluxcd.io");
    let live = case.run(&["get", "all"]);
    drop(case.snapshot("s", &[]));
    let replayed = case.replay("s", &["get", "all"]);
    assert_eq!(
        (live.status, &live.stderr),
        (replayed.status, &replayed.stderr)
    );
}
