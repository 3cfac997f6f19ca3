//! Every finding has a case that shows it, and a twin that does not: the same situation with one thing mended.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use imageauto::findings::catalogue;

use crate::doctor::{ELSEWHERE, diagnose};
use crate::situation::{parts, set_up};

/// What a situation of a cluster without the image controllers lacks.
const CONTROLLERS: &str = r#"-- cluster --
apiVersion: apps/v1
kind: Deployment
metadata:
  name: image-reflector-controller
  namespace: flux-system
  labels:
    app.kubernetes.io/part-of: flux
    app.kubernetes.io/component: image-reflector-controller
    app.kubernetes.io/version: v2.9.0
    control-plane: controller
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: manager
          image: ghcr.io/fluxcd/image-reflector-controller:v1.2.3
status:
  readyReplicas: 1
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: image-automation-controller
  namespace: flux-system
  labels:
    app.kubernetes.io/part-of: flux
    app.kubernetes.io/component: image-automation-controller
    app.kubernetes.io/version: v2.9.0
    control-plane: controller
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: manager
          image: ghcr.io/fluxcd/image-automation-controller:v1.2.3
status:
  readyReplicas: 1
---
"#;

/// An id, the situation that is its case, and the edit that makes the twin of it.
const TWINS: [(&str, &str, &str, &str); 66] = [
    (
        "extract-collision",
        "extract-collision",
        "\"20260601-aaaaaaa\", \"20260601-fffffff\"",
        "\"20260601-aaaaaaa\"",
    ),
    (
        "choice-not-deterministic",
        "numbers-that-tie",
        "\"v1\", \"v1.0\", ",
        "\"v1\", ",
    ),
    ("suspended", "suspended-policy", "  suspend: true\n", ""),
    (
        "marker-dangling",
        "dangling-marker",
        "flux-system:aap",
        "flux-system:app",
    ),
    (
        "marker-other-namespace",
        "policy-in-another-namespace",
        "team-a",
        "flux-system",
    ),
    (
        "marker-not-selected",
        "policy-not-selected",
        "  policySelector:\n    matchLabels:\n      team: shop\n",
        "",
    ),
    (
        "marker-malformed",
        "marker-that-is-no-json",
        "  other: registry.example.com/team/app:1.0.0 # {'$imagepolicy': 'flux-system:app'}\n  third: registry.example.com/team/app:1.0.0 # {\"$imagepolicy\": \"app\"}\n",
        "",
    ),
    (
        "marker-position-ignored",
        "marker-above-its-field",
        "# {\"$imagepolicy\": \"flux-system:app\"}\n          image: registry.example.com/team/app:1.0.0",
        "image: registry.example.com/team/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}",
    ),
    (
        "policy-without-latest",
        "filter-that-matches-nothing",
        "'^release-'",
        "'^main-'",
    ),
    (
        "list-file",
        "list-file",
        "- op: replace\n  path: /spec/template/spec/containers/0/image\n  value:",
        "op: replace\npath: /spec/template/spec/containers/0/image\nvalue:",
    ),
    (
        "problem-file",
        "problem-file",
        "bad: \"unclosed",
        "bad: \"closed\"",
    ),
    (
        "value-type-changes",
        "number-for-a-tag",
        "tag: 10 #",
        "tag: \"10\" #",
    ),
    (
        "reformatting-loses-data",
        "text-behind-a-document",
        "...\nkept: no\n",
        "",
    ),
    (
        "reformatting",
        "text-behind-a-document",
        "  annotations: {}\n",
        "",
    ),
    (
        "symlink-skipped",
        "link-to-nothing",
        "-> missing.yaml",
        "-> app.yaml",
    ),
    (
        "push-branch-unknown",
        "push-branch-not-merged",
        "branch: flux-updates",
        "branch: main",
    ),
    (
        "push-rejected",
        "push-that-is-refused",
        "command error on refs/heads/main: pre-receive hook declined",
        "unable to reach the server",
    ),
    (
        "signing-key-invalid",
        "key-that-does-not-sign",
        "      signingKey:\n        secretRef:\n          name: key\n",
        "",
    ),
    (
        "downgrade",
        "vendor-deleted-a-tag",
        "app:1.3.0 #",
        "app:1.1.0 #",
    ),
    (
        "policy-stuck-on-old-tag",
        "no-version-in-the-range",
        "'>=2.0.0'",
        "'>=1.0.0'",
    ),
    (
        "image-url-invalid",
        "image-with-a-tag",
        "team/app:1.0.0\n  interval",
        "team/app\n  interval",
    ),
    (
        "interval-missing",
        "digest-always-without-interval",
        "  digestReflectionPolicy: Always",
        "  digestReflectionPolicy: Always\n  interval: 10m",
    ),
    (
        "cross-namespace-denied",
        "denied-repository",
        "  interval: 5m\n",
        "  interval: 5m\n  accessFrom:\n    namespaceSelectors:\n      - matchLabels: {}\n",
    ),
    (
        "update-skipped",
        "run-that-is-skipped",
        "tag: 1.2.0\n  observedSourceRevision",
        "tag: 1.1.0\n  observedSourceRevision",
    ),
    (
        "template-removed-field",
        "removed-template-field",
        "{{range .Updated.Images}}{{println .}}{{end}}",
        "{{range .Changed.Changes}}{{println .NewValue}}{{end}}",
    ),
    (
        "template-not-deterministic",
        "message-in-random-order",
        "\"b\" 2) | join",
        "\"b\" 2) | sortAlpha | join",
    ),
    (
        "source-missing",
        "source-that-is-not-there",
        "-- objects/source.yaml --\n\n",
        "",
    ),
    (
        "source-not-given",
        "source-that-is-not-in-the-input",
        "-- objects/source.yaml --\n",
        "",
    ),
    (
        "policy-not-selected",
        "policy-not-selected",
        "  policySelector:\n    matchLabels:\n      team: shop\n",
        "",
    ),
    (
        "policy-unused",
        "no-automation-in-the-namespace",
        "namespace: team-a",
        "namespace: flux-system",
    ),
    (
        "marker-missing",
        "file-outside-the-path",
        "path: ./clusters",
        "path: ./apps",
    ),
    (
        "marker-outside-path",
        "file-outside-the-path",
        "path: ./clusters",
        "path: ./apps",
    ),
    (
        "digest-marker-without-digest",
        "digest-marker-without-digest",
        ":app:digest\"",
        ":app:tag\"",
    ),
    (
        "no-tag-matches-filter",
        "filter-that-matches-nothing",
        "'^release-'",
        "'^main-'",
    ),
    (
        "no-version-in-range",
        "no-version-in-the-range",
        "'>=2.0.0'",
        "'>=1.0.0'",
    ),
    (
        "extract-empty",
        "extract-names-no-group",
        "-(.*)$",
        "-(?P<ts>.*)$",
    ),
    (
        "numeric-parse-failure",
        "hyphen-in-a-number",
        "\"main-20260601-1\", ",
        "",
    ),
    (
        "scan-stale",
        "reflector-that-is-not-ready",
        "{{now-65m30s}}",
        "{{now-1m}}",
    ),
    (
        "tags-lost-after-restart",
        "no-tags-after-a-restart",
        "error: no tags in database",
        "error: timeout",
    ),
    (
        "scan-budget",
        "scans-every-second",
        "interval: 10s",
        "interval: 1h",
    ),
    (
        "cert-secret-same-as-pull-secret",
        "one-secret-for-two-things",
        "  certSecretRef:\n    name: all\n",
        "",
    ),
    (
        "digest-ignores-insecure",
        "insecure-with-digests",
        "  insecure: true\n",
        "",
    ),
    (
        "tags-shared",
        "one-image-twice",
        "  exclusionList:\n    - ^dev-\n",
        "",
    ),
    (
        "duplicate-repository",
        "one-image-twice-alike",
        "team/app\n",
        "team/other\n",
    ),
    (
        "template-error",
        "template-that-fails",
        "{{ env \"HOME\" }}",
        "{{ \"x\" }}",
    ),
    (
        "update-fails",
        "run-that-failed",
        "status: \"False\"",
        "status: \"True\"",
    ),
    (
        "source-fails",
        "kustomization-that-fails",
        "status: \"False\"\n      reason: GitOperationFailed",
        "status: \"True\"\n      reason: Succeeded",
    ),
    (
        "apply-fails",
        "kustomization-that-fails",
        "status: \"False\"\n      reason: BuildFailed",
        "status: \"True\"\n      reason: ReconciliationSucceeded",
    ),
    (
        "tag-set-differs",
        "tags-since-the-last-scan",
        "revision: \"1\"\n",
        "revision: \"1612908102\"\n",
    ),
    (
        "ready-after-failed-scan",
        "login-that-expired",
        "status: \"True\"",
        "status: \"False\"",
    ),
    (
        "filter-unanchored",
        "middle-of-a-tag-matches",
        "'main-[0-9]+'",
        "'^main-[0-9]+$'",
    ),
    (
        "numeric-precision",
        "numbers-with-milliseconds",
        "\"20260528153652123\", \"20260528153652124\"",
        "\"20260528153652\", \"20260528153653\"",
    ),
    (
        "newer-outside-range",
        "range-leaves-a-major-version-out",
        "'1.x'",
        "'>=1.0.0'",
    ),
    (
        "prerelease-needs-range",
        "prereleases-only",
        "'>=1.0.0'",
        "'>=1.0.0-0'",
    ),
    (
        "version-needs-three-parts",
        "two-part-versions",
        "\"1.25\", \"1.24.3\"",
        "\"1.25.0\", \"1.24.3\"",
    ),
    (
        "order-inverted",
        "descending-order",
        "order: desc",
        "order: asc",
    ),
    ("floating-tag", "latest-is-chosen", ", \"latest\"]", "]"),
    (
        "sourceignore-not-honoured",
        "files-that-sourceignore-hides",
        "-- gitops/.sourceignore --\napps/\n",
        "",
    ),
    (
        "path-missing",
        "path-that-is-not-there",
        "path: ./app\n",
        "path: ./apps\n",
    ),
    (
        "controller-missing",
        "controllers-that-are-not-there",
        "-- cluster --\n",
        CONTROLLERS,
    ),
    (
        "controller-not-ready",
        "reflector-that-is-not-ready",
        "readyReplicas: 0",
        "readyReplicas: 1",
    ),
    (
        "lease-stuck",
        "lease-of-a-dead-pod",
        "{{now-20m30s}}",
        "{{now-10s}}",
    ),
    (
        "api-version-removed",
        "old-api-versions",
        "fluxcd.io/v1beta1",
        "fluxcd.io/v1",
    ),
    (
        "feature-gate-needed",
        "cloud-login-without-its-gate",
        "\"error\": {\"reason\": \"FeatureGateDisabled\", \"message\": \"to use spec.serviceAccountName for provider authentication please enable the ObjectLevelWorkloadIdentity feature gate in the controller\"}",
        "\"error\": null",
    ),
    (
        "controller-versions-differ",
        "controllers-of-two-releases",
        "reflector-controller:v1.1.1",
        "reflector-controller:v1.2.3",
    ),
    (
        "object-not-watched",
        "labels-that-nobody-watches",
        "--watch-label-selector=sharding.fluxcd.io/key=shard1",
        "--log-level=info",
    ),
];

fn situation(name: &str) -> PathBuf {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let folders = ["situations", "explanations"];
    let files = folders.map(|folder| testdata.join(folder).join(format!("{name}.txt")));
    let found = files.into_iter().find(|file| file.exists());
    found.unwrap_or_else(|| panic!("there is no situation {name}"))
}

/// The ids that `doctor` finds in a situation.
fn ids(text: &str) -> BTreeSet<String> {
    let situation = set_up(&parts(text));
    let document = diagnose(&situation, &["-o", "json"]).json();
    let findings = document["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn each_case_shows_its_finding_and_its_twin_does_not() {
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let halves = TWINS.chunks(TWINS.len().div_ceil(2)).map(|rows| {
            scope.spawn(move || {
                let rows = rows.iter();
                rows.filter_map(|row| differs(row).err())
                    .collect::<Vec<_>>()
            })
        });
        let halves: Vec<_> = halves.collect();
        halves
            .into_iter()
            .flat_map(|half| half.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn differs((id, case, old, new): &(&str, &str, &str, &str)) -> Result<(), String> {
    let text = fs::read_to_string(situation(case)).unwrap();
    if !text.contains(old) {
        return Err(format!("{case} has no {old:?} to mend"));
    }
    // That the case is told so is what the test of all diagnoses holds.
    let golden = format!("testdata/diagnoses/{case}.txt");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(golden);
    let told = fs::read_to_string(golden).unwrap();
    if !told.contains(&format!("[{id}]")) && !told.contains(&format!("\u{2500} {id} ")) {
        return Err(format!("{case} does not show {id}"));
    }
    let mended = ids(&text.replace(old, new));
    if mended.contains(*id) {
        return Err(format!("the twin of {case} shows {id} too: {mended:?}"));
    }
    Ok(())
}

#[test]
fn every_id_has_a_case_and_a_twin() {
    let mut tests = String::new();
    for folder in ["tests/cli", "src/findings"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in fs::read_dir(folder).unwrap() {
            tests.push_str(&fs::read_to_string(entry.unwrap().path()).unwrap());
        }
    }
    let is_test = |name: &str| tests.contains(&format!("fn {name}("));
    let known: BTreeSet<&str> = catalogue::ids().collect();
    let listed = TWINS.iter().map(|(id, ..)| *id);
    let listed: Vec<&str> = listed.chain(ELSEWHERE.iter().map(|(id, ..)| *id)).collect();
    for (id, case, twin) in ELSEWHERE {
        assert!(is_test(case), "{id}: there is no test {case}");
        assert!(is_test(twin), "{id}: there is no test {twin}");
    }
    let unique: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(unique.len(), listed.len(), "an id is listed twice");
    assert_eq!(unique, known);
}
